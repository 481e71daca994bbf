/*
 * What a caller says to a daemon, in one line each: the requests of the services, from plain values.
 *
 * Every function returns the response, kept by the caller, or NULL where the answer was not OK: then `caller->err` and
 * `caller->call` say why. A text that is NULL is left out of the request.
 */
#ifndef LK_TESTS_LIB_VERBS_H
#define LK_TESTS_LIB_VERBS_H

#include <stddef.h>
#include <stdint.h>

#include "tests/lib/caller.h"

/* The many words of an enum's value, for short. */
#define KEY_STATE(name)  LATCHKEY__V1__KEY_STATE__KEY_STATE_##name
#define KEY_ACTION(name) LATCHKEY__V1__KEY_ACTION__KEY_ACTION_##name
#define KEY_SCOPE(name)  LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_##name
#define VERDICT(name)    LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##name

/* Texts of requests are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY    (86400 * US_PER_SECOND)

/* Now, in microseconds since 1970. */
int64_t now_us(void);
/* An instant or a span of microseconds as a message, and back; NULL is 0. */
Google__Protobuf__Timestamp timestamp_of(int64_t us);
Google__Protobuf__Duration duration_of(int64_t us);
int64_t us_of(const Google__Protobuf__Timestamp *timestamp);

/* What a new key is to be. */
struct new_key {
	const char *tenant;
	const char *keyspace;
	const char *name;
	const char *owner;
	Latchkey__V1__KeyScope scope;
	/* At most one of them; 0: neither. */
	int64_t expire_us;
	int64_t ttl_us;
	int64_t not_before_us;
	const char *const *permissions;
	size_t n_permissions;
	const char *const *roles;
	size_t n_roles;
	const char *const *allowed_cidrs;
	size_t n_allowed_cidrs;
	Latchkey__V1__RateLimit **rate_limits;
	size_t n_rate_limits;
	Latchkey__V1__Credits *credits;
	Latchkey__V1__Grant *grant;
	bool validate_only;
};

const Latchkey__V1__Tenant *say_create_tenant(struct caller *caller, const char *tenant);
const Latchkey__V1__Keyspace *say_create_keyspace(
	struct caller *caller, const char *tenant, const char *keyspace, Latchkey__V1__KeyPolicy *policy);
const Latchkey__V1__CreateKeyResponse *say_create(struct caller *caller, const struct new_key *key);
/* A root key that may do `methods` in `tenants`, in any of their keyspaces. Lists are ended by NULL. */
const Latchkey__V1__CreateKeyResponse *say_create_root_key(
	struct caller *caller, const char *name, const char *const *methods, const char *const *tenants);
const Latchkey__V1__Key *say_get(struct caller *caller, const char *tenant, const char *key);
/* Changes the fields of `key` that `paths`, ended by NULL, name; `key->id` says of which. */
const Latchkey__V1__Key *say_update(struct caller *caller, const char *tenant, const Latchkey__V1__Key *key,
	const char *const *paths, const char *etag);
const Latchkey__V1__Key *say_activate(struct caller *caller, const char *tenant, const char *key);
const Latchkey__V1__Key *say_suspend(struct caller *caller, const char *tenant, const char *key, const char *reason);
const Latchkey__V1__RotateKeyResponse *say_rotate(
	struct caller *caller, const char *tenant, const char *key, int64_t overlap_us);
const Latchkey__V1__Key *say_revoke(struct caller *caller, const char *tenant, const char *key, const char *reason);
const Latchkey__V1__DeleteKeyResponse *say_delete(struct caller *caller, const char *tenant, const char *key);
const Latchkey__V1__VerifyKeyResponse *say_verify(
	struct caller *caller, const char *tenant, const char *keyspace, const char *token);
/* Asks whatever else Verify may be asked: of the token, tenant and keyspace that `question` names too. */
const Latchkey__V1__VerifyKeyResponse *say_verify_for(
	struct caller *caller, const Latchkey__V1__VerifyKeyRequest *question);

/* The verdict alone; UNSPECIFIED where there was none. */
Latchkey__V1__VerifyCode verdict_on(struct caller *caller, const char *token);
/* As verdict_on(), in a keyspace. */
Latchkey__V1__VerifyCode verdict_in(struct caller *caller, const char *tenant, const char *keyspace, const char *token);

/*
 * Lists all pages of `page_size` (0: the default) into `ret_keys`, which has `room`, and returns how many keys there are.
 * SIZE_MAX where a page was not answered OK.
 */
size_t say_list(struct caller *caller, const char *tenant, Latchkey__V1__KeyFilter *filter, const char *order_by,
	int32_t page_size, const Latchkey__V1__Key **ret_keys, size_t room);

/* Calls the method that `action` names, with nothing but the key: the outcome. Update names it "renamed". */
enum lk_err say_act(struct caller *caller, Latchkey__V1__KeyAction action, const char *tenant, const char *key);

#endif

/*
 * Key fields: what a request says of a key, whichever message says it, in the shape that the policy checks (policy.h). Pure.
 *
 * The conversions copy nothing: what they return borrows from the message or record, and from the arena. Each answers false
 * where the arena is exhausted, and then leaves `ret_fields` untouched.
 */
#ifndef LK_SERVER_CORE_KEY_FIELDS_H
#define LK_SERVER_CORE_KEY_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/key.pb-c.h"
#include "server/core/arena.h"
#include "server/core/mask.h"

struct lk_key_fields {
	/* Never NULL. */
	const char *name;
	const char *owner;
	Latchkey__V1__KeyScope scope;
	/* NULL: from the start. */
	const Google__Protobuf__Timestamp *not_before_time;
	/* At most one of the two; neither: never, or what the policy gives. */
	const Google__Protobuf__Timestamp *expire_time;
	const Google__Protobuf__Duration *ttl;
	Latchkey__Store__MetadataRecord **metadata;
	size_t n_metadata;
	char **permissions;
	size_t n_permissions;
	/* Of a root key alone. */
	Latchkey__Store__GrantRecord *grant;
	char **allowed_cidrs;
	size_t n_allowed_cidrs;
	/*
	 * What is said anew, as a request has it. A key that stands keeps what its record has of the others, which counts on from
	 * where it is: what a record has cannot be said in these words.
	 */
	bool gives_roles;
	bool gives_rate_limits;
	bool gives_credits;
	/* Ids; which roles they are, service/key_roles.h knows. */
	char **roles;
	size_t n_roles;
	Latchkey__V1__RateLimit **rate_limits;
	size_t n_rate_limits;
	/* NULL: its use needs none. */
	const Latchkey__V1__Credits *credits;
};

/* The fields that an Update may change, as positions in lk_key_field_paths. */
enum lk_key_field {
	LK_KEY_FIELD_NAME,
	LK_KEY_FIELD_OWNER,
	LK_KEY_FIELD_SCOPE,
	LK_KEY_FIELD_METADATA,
	LK_KEY_FIELD_NOT_BEFORE_TIME,
	LK_KEY_FIELD_EXPIRE_TIME,
	LK_KEY_FIELD_PERMISSIONS,
	LK_KEY_FIELD_GRANT,
	LK_KEY_FIELD_ROLES,
	LK_KEY_FIELD_ALLOWED_CIDRS,
	LK_KEY_FIELD_RATE_LIMITS,
	LK_KEY_FIELD_CREDITS,
	LK_KEY_FIELDS,
};

/* Their names, the table for lk_mask_check(). */
extern const char *const lk_key_field_paths[LK_KEY_FIELDS];

LK_MUST_CHECK bool lk_key_fields_of_create(
	struct lk_arena *arena, const Latchkey__V1__CreateKeyRequest *request, struct lk_key_fields *ret_fields);
/* All but its secret, its state and what only an imported key can say of its past. */
LK_MUST_CHECK bool lk_key_fields_of_imported(
	struct lk_arena *arena, const Latchkey__V1__ImportedKey *imported, struct lk_key_fields *ret_fields);
/* As the key stands, without its roles, rate limits and credits. */
LK_MUST_CHECK bool lk_key_fields_of_record(
	struct lk_arena *arena, const Latchkey__Store__KeyRecord *record, struct lk_key_fields *ret_fields);

/* Puts those fields of `key` that the mask names over what `fields` has. */
LK_MUST_CHECK bool lk_key_fields_overlay(
	struct lk_arena *arena, const Latchkey__V1__Key *key, struct lk_mask mask, struct lk_key_fields *fields);

#endif

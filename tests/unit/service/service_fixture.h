/*
 * What the tests of the services share: a loop with one tenant and one keyspace, and calls in a line.
 */
#ifndef LK_TESTS_UNIT_SERVICE_FIXTURE_H
#define LK_TESTS_UNIT_SERVICE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <latchkey/v1/admin.client.h>
#include <latchkey/v1/health.client.h>
#include <latchkey/v1/key.client.h>
#include <latchkey/v1/keyspace.client.h>
#include <latchkey/v1/reflection.client.h>
#include <latchkey/v1/tenant.client.h>

#include "latchkey/store/record.pb-c.h"
#include "tests/lib/loop.h"

struct lk_arena;
struct lk_txn;

extern struct loop fixture_loop;
extern const struct loop_call fixture_operator;

/* cmocka setup and teardown: a fresh loop with tenant "acme" and its keyspace "prod" (prefix "sk-"). */
int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Calls as the operator, and fails the test unless the answer has this code; the answer is the caller's to be done with. */
struct loop_answer fixture_call(const struct lk_method *method, const ProtobufCMessage *request, enum lk_err expected);

/* Is done with an answer whose code was all that mattered. */
void fixture_drop(struct loop_answer answer);
/* Fails the test unless a violation of the answer says this. */
void fixture_assert_violation(const struct loop_answer *answer, const char *part);
/* How many violations the answer has. */
size_t fixture_violations_in(const struct loop_answer *answer);

void fixture_make_tenant(const char *tenant);
void fixture_make_keyspace(const char *tenant, const char *keyspace, const Latchkey__V1__KeyPolicy *policy);

/* A key: its id and token, to be free()d. */
struct fixture_key {
	char *id;
	char *token;
};
struct fixture_key fixture_make_key(const char *tenant, const char *keyspace, const char *name);
/* A key's record as it is stored, in the arena; and stores one that was changed, beside what else there is. */
Latchkey__Store__KeyRecord *fixture_read_key(struct lk_arena *arena, const char *tenant, const char *id);
void fixture_put_key(struct lk_arena *arena, Latchkey__Store__KeyRecord *key);
/* Gives it one rate limit, "month", of so many in 30 days, and stores it. */
void fixture_give_limit(struct lk_arena *arena, Latchkey__Store__KeyRecord *key, uint64_t limit, uint32_t generation);
/* Changes a root key in a write transaction that is begun, and commits it. */
void fixture_change_root_key(struct lk_txn *txn, const char *id, void (*change_key)(Latchkey__Store__KeyRecord *key));
/* A root key of this grant; each list ends with NULL. */
struct fixture_key fixture_make_root_key(
	const char *const *methods, const char *const *tenants, const char *const *keyspaces);
/* The key that a Create answered; is done with the answer. */
struct fixture_key fixture_take_key(struct loop_answer *answer);
void fixture_key_done(struct fixture_key *key);

/* The verdict on a token, asked by the operator. */
Latchkey__V1__VerifyCode fixture_verify(const char *token, const char *keyspace);

/* Texts of requests are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

#endif

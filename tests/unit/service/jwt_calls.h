/*
 * Keyspaces of tenant "acme" whose tokens are JWTs, for tests: made, changed, and looked at in the store and from outside.
 */
#ifndef LK_TESTS_UNIT_SERVICE_JWT_CALLS_H
#define LK_TESTS_UNIT_SERVICE_JWT_CALLS_H

#include <jansson.h>

#include "server/store/find.h"
#include "tests/unit/service/key_calls.h"

#define HS256 LATCHKEY__V1__JWT_ALGORITHM__JWT_ALGORITHM_HS256
#define EDDSA LATCHKEY__V1__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA

/* A policy of JWTs by this algorithm, all else by default. */
Latchkey__V1__KeyPolicy jwt_policy(Latchkey__V1__JwtAlgorithm algorithm);

/* Creates keyspace "jwt" of that policy, with a secret or without one (NULL, 0). */
struct loop_answer jwt_create(const Latchkey__V1__KeyPolicy *policy, const void *secret, size_t secret_len,
	bool validate_only, enum lk_err expected);

/* Changes the rules of keyspace "jwt" that `paths`, which end with NULL, name. */
struct loop_answer jwt_update(const Latchkey__V1__KeyPolicy *policy, const char *const *paths, enum lk_err expected);

/* The record of acme's keyspace as it lies in the store; its arena and snapshot are let go by jwt_stored_done(). */
struct jwt_stored {
	struct lk_arena arena;
	struct lk_txn *txn;
	Latchkey__Store__KeyspaceRecord *record;
};
void jwt_stored(const char *keyspace, struct jwt_stored *ret);
void jwt_stored_done(struct jwt_stored *stored);

/* The JSON Web Key Set of acme's keyspace, to be json_decref()ed. */
json_t *jwt_key_set(const char *keyspace);

/* The part of a token before its `dots`th dot and behind the one before: 0 the header, 1 the claims. To be json_decref()ed. */
json_t *jwt_part(const char *token, int dots);

/* The text at `name`; fails the test where there is none. */
const char *jwt_text(const json_t *object, const char *name);

/* Whether an outsider who has this set takes the token's signature for one of its keys'. */
bool jwt_signed_by_set(const json_t *set, const char *token);

#endif

/*
 * Calls on keys of tenant "acme" in a line each, for tests of what happens to keys. `how` NULL: as the operator. Each fails the
 * test unless the answer has the code `expected`; an answer that is returned is the caller's to be done with.
 */
#ifndef LK_TESTS_UNIT_SERVICE_KEY_CALLS_H
#define LK_TESTS_UNIT_SERVICE_KEY_CALLS_H

#include "tests/unit/service/service_fixture.h"

#define VERDICT(code) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##code
#define STATE(name)   LATCHKEY__V1__KEY_STATE__KEY_STATE_##name
#define ACTION(name)  LATCHKEY__V1__KEY_ACTION__KEY_ACTION_##name

/* The first and the last action. */
enum {
	first_action = ACTION(ACTIVATE),
	last_action = ACTION(DELETE),
};

/* Has `action` done to the key; an Update sets its owner to "changed", the others have no more to say. */
struct loop_answer keys_do(Latchkey__V1__KeyAction action, const char *key, enum lk_err expected);
struct loop_answer keys_do_as(const struct loop_call *how, const char *tenant, Latchkey__V1__KeyAction action,
	const char *key, enum lk_err expected);

/* Updates the fields that `paths`, which end with NULL, name; key->id names the key. */
struct loop_answer keys_update(
	const Latchkey__V1__Key *key, const char *const *paths, const char *etag, enum lk_err expected);
struct loop_answer keys_update_as(const struct loop_call *how, const char *tenant, const Latchkey__V1__Key *key,
	const char *const *paths, const char *etag, enum lk_err expected);

/* The key as Get shows it. */
struct loop_answer keys_get(const char *key);
const Latchkey__V1__Key *keys_shown(const struct loop_answer *answer);

/* A key whose life is over as soon as it is asked about. */
struct fixture_key keys_make_expired(const char *keyspace);

#define PATHS(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif

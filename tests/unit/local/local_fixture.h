/*
 * A store and a verifier of it in one process: the daemon, which may not be in the same, is a forked child for as long as it has
 * something to change.
 *
 * These functions assert: for the test's own thread alone.
 */
#ifndef LK_TESTS_UNIT_LOCAL_FIXTURE_H
#define LK_TESTS_UNIT_LOCAL_FIXTURE_H

#include <latchkey/local.h>

#include "tests/lib/store_fixture.h"

/* Texts of messages are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text)    ((char *)(uintptr_t)(text))
#define VERDICT(code) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##code

#define LOCAL_TOKEN "sk-a-token-that-was-issued-elsewhere"

struct local {
	struct lk_fixture store;
	uint32_t tenant;
	uint32_t keyspace;
	/* The one whose token is LOCAL_TOKEN, of tenant "acme" and keyspace "prod". */
	uint64_t slot;
	struct lk_local *local;
	struct lk_local_verifier *verifier;
	/* Of the last call. */
	struct lk_call call;
};

/* cmocka's: a store with one key, closed by its daemon and opened for verdicts. */
int local_setup(void **state);
int local_teardown(void **state);

/* Opens it and makes a verifier; ends both. */
void local_open(struct local *local);
void local_close(struct local *local);

/* Runs `change` in a daemon of its own on the store; what it returns says whether all went well. */
void local_change(struct local *local, bool (*change)(struct local *local));

/* Asks about a token, and returns the verdict; UNSPECIFIED where there was none. */
Latchkey__V1__VerifyCode local_verdict(struct local *local, const char *token);

#endif

/*
 * Where a product is played: a fresh daemon, the operator who sets it up, and the callers that the product has.
 *
 * The state of each test; stage_set_up() and stage_tear_down() are its fixture. Asserts with cmocka's, on the test's thread.
 */
#ifndef LK_TESTS_SYSTEMS_STAGE_H
#define LK_TESTS_SYSTEMS_STAGE_H

#include <stdbool.h>

#include "tests/lib/daemon.h"
#include "tests/lib/jose_peer.h"
#include "tests/lib/verbs.h"

#define STAGE_CALLERS_MAX 16

struct stage {
	struct daemon daemon;
	/* "tcp://127.0.0.1:PORT": where nobody is known by a uid. */
	char tcp[64];
	/* The daemon's own user, over ipc. */
	struct caller operator;
	struct caller callers[STAGE_CALLERS_MAX];
	size_t n_callers;
};

int stage_set_up(void **state);
int stage_tear_down(void **state);
/* One test on a stage of its own. */
#define PLAY(test) cmocka_unit_test_setup_teardown(test, stage_set_up, stage_tear_down)

/* One more connection over tcp, with this credential or none. Closed with the stage. */
struct caller *stage_caller(struct stage *stage, const char *credential);
/* One more connection, with a new root key for all methods on keys, in this tenant alone. */
struct caller *stage_tenant_caller(struct stage *stage, const char *tenant);

/*
 * Starts the issuer, and the daemon anew, which listens as before and takes the issuer's access tokens: those with `typ`
 * Bearer and an audience "account", for the tenant that their claim "tenant" names. `grants` are the section's lines of what
 * they may do.
 */
void stage_trust(struct stage *stage, struct jose_peer *issuer, const char *name, const char *grants);
/* One more connection over tcp, with the token that the issuer makes of `order`; see jose_peer.py. */
struct caller *stage_person(struct stage *stage, struct jose_peer *issuer, const char *order);

/* The last call of this caller was refused so, with a message, and of the field (NULL: of no field) with a description. */
void assert_refused(const struct caller *caller, enum lk_err err, const char *field);
/* The last call was answered OK; else fails with what was said. */
void assert_answered(const struct caller *caller);
/* A verdict on a token, without tenant and keyspace. */
void assert_verdict(struct caller *caller, const char *token, Latchkey__V1__VerifyCode code);
/* These are the actions that the key shows, in any order, and no others; they end with 0. */
void assert_actions(const Latchkey__V1__Key *key, const int *actions);
/* Nowhere in the message does the token stand, nor more of it than is shown. */
void assert_hides(const void *message, const char *token);
/* Asks until the key shows as EXPIRED: the event to wait for. */
const Latchkey__V1__Key *await_expiry(struct caller *caller, const char *tenant, const char *key);

#endif

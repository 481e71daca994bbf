/*
 * The ways there are to ask a daemon, or its store, for a verdict: each behind the same three functions, so that a test can put the
 * same questions to all of them and compare what it is told.
 */
#ifndef LK_TESTS_VERIFIERS_DRIVERS_H
#define LK_TESTS_VERIFIERS_DRIVERS_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/latchkey.h>

#include "tests/lib/daemon.h"

#define DRIVER_TIMEOUT_MS 30000

struct driver {
	const char *name;
	/*
	 * Fails the test by abort() where it cannot. Who goes over the wire calls with this root key; NULL: as the operator. In process
	 * one is as a root key for all tenants that may be granted.
	 */
	void *(*open)(const struct daemon *daemon, const char *credential);
	/* `*ret_response` is good until the next question; untouched on failure. `call` is the caller's to be done with. */
	enum lk_err (*ask)(void *state, const Latchkey__V1__VerifyKeyRequest *request,
		const Latchkey__V1__VerifyKeyResponse **ret_response, struct lk_call *call);
	/* For a test of threads: one caller more on what `state` stands on, to be closed before it. */
	void *(*join)(void *state);
	void (*close)(void *state);
};

/* Verify itself. */
extern const struct driver driver_unary;
/* The batching client: alone, which sends single calls; and in the midst of others, which fill its batches. */
extern const struct driver driver_verifier;
extern const struct driver driver_crowded;
/* How many calls of a crowded verifier went over the wire alone. */
uint64_t driver_crowded_alone(void *state);
/* The in-process verifier: its messages, and its packed replies. */
extern const struct driver driver_local;
extern const struct driver driver_packed;

extern const struct driver *const drivers[];
extern const size_t driver_count;

#endif

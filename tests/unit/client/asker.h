/*
 * What the tests of the verifier share: callers that keep what they were told, and a peer that answers batches.
 */
#ifndef TESTS_UNIT_CLIENT_ASKER_H
#define TESTS_UNIT_CLIENT_ASKER_H

#include <pthread.h>
#include <semaphore.h>

#include <latchkey/verifier.h>

#include "fixture.h"

#define ASKERS_MAX 600

struct crowd;

/* One caller, and what it was told. */
struct asker {
	struct crowd *crowd;
	struct lk_call call;
	char token[32];
	unsigned n_told;
	enum lk_err err;
	/* The verdict's key's name, which an echo makes of the token, and its owner, which it makes of the tenant. */
	char name[64];
	char owner[64];
};

/* Callers of one verifier. */
struct crowd {
	struct fixture *fixture;
	struct lk_verifier *verifier;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n_told;
	struct asker askers[ASKERS_MAX];
};

/* For cmocka: a fixture with a crowd around it. */
struct stage {
	struct fixture *fixture;
	struct crowd *crowd;
	/* Scripts wait for it where a test says so. */
	sem_t gate;
};
int stage_setup(void **state);
int stage_teardown(void **state);
/* The stage of the test that runs, for scripts. */
extern struct stage *stage;

/* Starts a peer, opens a channel, and a verifier with these options. NULL: one message at a time. */
struct crowd *stage_run(peer_script script, const struct lk_verifier_options *options);

/* The asker with this number asks for token "t<number>", with these options or none; returns what starting it returned. */
enum lk_err asker_start(struct crowd *crowd, unsigned number, const Latchkey__V1__VerifyKeyRequest *options);
/* The same with this request as it is. */
enum lk_err asker_start_as(struct crowd *crowd, unsigned number, const Latchkey__V1__VerifyKeyRequest *request);
/* Starts askers number `from` to `to` - 1. */
void crowd_start(struct crowd *crowd, unsigned from, unsigned to);
/* Blocks until so many callbacks were called. */
void crowd_await(struct crowd *crowd, unsigned n);
/* What every one of them was told: once, this. An OK one: its own verdict. */
void crowd_assert(struct crowd *crowd, unsigned from, unsigned to, enum lk_err err);

/* For scripts. */

/* Whether it is a VerifyBatch; else it is a Verify. */
bool is_batch(const struct lk_request_envelope *request);
/* Answers either of them by an echo. */
void script_echo_all(struct peer *peer, unsigned index, const struct lk_request_envelope *request);
/* The same; the first request waits for the gate. */
void script_gated(struct peer *peer, unsigned index, const struct lk_request_envelope *request);
/* Answers with this response, packed, or these bytes. */
void peer_outcomes(struct peer *peer, const Latchkey__V1__VerifyBatchResponse *response);
void peer_payload(struct peer *peer, const void *payload, size_t len);
/* Echoes the first `n` items; item `odd` with `outcome` instead, where that is not NULL. */
void peer_batch(struct peer *peer, const struct lk_request_envelope *request, size_t n, size_t odd,
	Latchkey__V1__VerifyOutcome *outcome);
/* The batch of the request with this number, to be freed. */
Latchkey__V1__VerifyBatchRequest *peer_batch_request(struct peer *peer, unsigned index);

#endif

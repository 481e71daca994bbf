/*
 * Calls of VerifyBatch for tests: items from tokens and options, and what came of each.
 */
#ifndef LK_TESTS_UNIT_SERVICE_BATCH_CALLS_H
#define LK_TESTS_UNIT_SERVICE_BATCH_CALLS_H

#include "tests/unit/service/key_calls.h"

#define BATCH_MAX 1001

/* A request that each test fills and sends. */
struct batch_calls {
	Latchkey__V1__VerifyBatchRequest request;
	Latchkey__V1__VerifyBatchItem items[BATCH_MAX];
	Latchkey__V1__VerifyBatchItem *list[BATCH_MAX];
};

extern struct batch_calls batch_calls;

/* An empty request. */
void batch_begin(void);
/* Adds an item; `options` NULL: it has none. All is borrowed. */
void batch_add(const char *token, const Latchkey__V1__VerifyKeyRequest *options);
void batch_add_bytes(const void *token, size_t len, const Latchkey__V1__VerifyKeyRequest *options);

/* Sends it, `how` NULL: as the operator, and fails the test unless the answer has this code. */
struct loop_answer batch_run(const struct loop_call *how, enum lk_err expected);

/* How many outcomes one answer has, which is good. */
size_t batch_count(const struct loop_answer *answer);
const Latchkey__V1__VerifyOutcome *batch_outcome(const struct loop_answer *answer, size_t i);

/* What came of all items: a machine that is held up answers the first few, and is asked on. */
struct batch_answers {
	struct loop_answer parts[BATCH_MAX];
	size_t n_parts;
	const Latchkey__V1__VerifyOutcome *outcomes[BATCH_MAX];
	size_t count;
};
extern struct batch_answers batch_answers;

/* Is done with the answers before, and asks about every item. */
void batch_ask(const struct loop_call *how);
void batch_answers_done(void);

/* The verdict's code; fails the test where there is none. */
Latchkey__V1__VerifyCode batch_code(const Latchkey__V1__VerifyOutcome *outcome);

/* Fails the test unless the outcome is what this answer of Verify is: status, message, violations, verdict. */
void batch_assert_same(const Latchkey__V1__VerifyOutcome *outcome, const struct loop_answer *unary);

#endif

/*
 * What bench_drive asks, as nng messages: the request's bytes, and whether a reply's bytes are those of verdicts that are VALID.
 */
#ifndef LK_TESTS_BENCH_QUESTION_H
#define LK_TESTS_BENCH_QUESTION_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>

#include "latchkey/v1/key.pb-c.h"
#include "tests/bench/figures.h"

struct lk_question {
	const struct lk_tokens *tokens;
	/* Answered with as many bytes, not with a verdict. */
	bool echo;
	/* With an expression that the permissions of bench_load's ruled keys fulfil, and an address that their list holds. */
	bool gates;
	/* Tokens of a VerifyBatch; 0: Verify. */
	size_t batch;
	/* A root key that goes with every request; NULL: none. */
	const char *credential;
};

/* One caller's room for what it asks. */
struct lk_asker {
	const struct lk_question *question;
	size_t cursor;
	Latchkey__V1__VerifyBatchItem *items;
	Latchkey__V1__VerifyBatchItem **at;
};

/*
 * Reads "verify", "gates", "echo" or "batch:N", N up to 1,000, into `*ret_question`; the tokens are the caller's to set. Ends the
 * program where it is none of these.
 */
void lk_question_parse(const char *what, struct lk_question *ret_question);

/* Asker `number` of `askers`: each has tokens of its own. */
void lk_asker_init(struct lk_asker *asker, const struct lk_question *question, size_t number, size_t askers);
void lk_asker_done(struct lk_asker *asker);

/* A message that asks about the asker's next tokens. Ends the program where there is no memory. */
nng_msg *lk_asker_request(struct lk_asker *asker);

/*
 * How many verdicts the reply has: one, or of a batch as many as it was answered with, perhaps not all. Ends the program
 * where one is not VALID, or where there is none; an echo's may hold anything.
 */
size_t lk_asker_check(const struct lk_asker *asker, nng_msg *reply);

#endif

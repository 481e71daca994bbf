/*
 * The outcomes of a VerifyBatch, each packed behind the others as soon as it is there: nothing of it points into a snapshot, and
 * they take no more room than a reply has.
 */
#ifndef LK_SERVER_SERVICE_VERIFY_OUTCOME_H
#define LK_SERVER_SERVICE_VERIFY_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/v1/key.pb-c.h"
#include "server/core/arena.h"
#include "server/service/judge.h"
#include "server/service/request.h"

struct lk_outcomes {
	struct lk_arena *arena;
	/* Outcomes, each with its tag and its length: `len` bytes of `size`. */
	uint8_t *data;
	size_t len;
	size_t size;
	size_t count;
	/* What the response takes them by. */
	ProtobufCMessageUnknownField *field;
};

/* Room for ordinary verdicts on so many tokens; more is made as it is needed. False: no memory. */
bool lk_outcomes_init(struct lk_outcomes *outcomes, struct lk_arena *arena, size_t n_items);

/*
 * The longest identity of a key whose verdict there is room for now; 0: there is room for no verdict. Where it is too short,
 * lk_outcomes_grow() makes more, as far as the reply goes; false where there was as much already, or is no memory.
 */
size_t lk_outcomes_identity_max(const struct lk_outcomes *outcomes);
bool lk_outcomes_grow(struct lk_outcomes *outcomes);

/* Adds a verdict, which there is room for, and which is not explained. */
void lk_outcomes_add_verdict(struct lk_outcomes *outcomes, const struct lk_answer *answer);

/* Each adds an outcome, and returns false where there is no room for it: a verdict, and what is wrong with an item. */
bool lk_outcomes_add_response(struct lk_outcomes *outcomes, const Latchkey__V1__VerifyKeyResponse *response);
bool lk_outcomes_add_error(struct lk_outcomes *outcomes, const struct lk_request *request, enum lk_err err);

/* Adds the outcome that stands in these bytes of `data` once more. */
bool lk_outcomes_add_again(struct lk_outcomes *outcomes, size_t offset, size_t len);

/* Makes the response have them; there is one at least. They are borrowed. */
void lk_outcomes_put(const struct lk_outcomes *outcomes, Latchkey__V1__VerifyBatchResponse *response);

#endif

/*
 * The question of a verdict, read from the message that asks it: by Verify, by each item of a batch, and in-process.
 */
#ifndef LK_SERVER_SERVICE_VERIFY_QUESTION_H
#define LK_SERVER_SERVICE_VERIFY_QUESTION_H

#include "latchkey/v1/key.pb-c.h"
#include "server/service/judge.h"
#include "server/service/request.h"

/* What is asked, and room for what it points at; the texts are the message's and the request's. All zero at first. */
struct lk_asked {
	struct lk_question question;
	struct lk_rate_charge charges[LK_RATE_CHARGES_MAX];
	/* Held until lk_verify_release(). */
	const struct lk_expression *expression;
};

/*
 * Reads the message; every fault of it is reported together. `asked` is to be released whatever comes of it.
 * LK_INVALID_ARGUMENT, LK_PERMISSION_DENIED, LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_verify_read(
	struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct lk_asked *asked);

/* Judges what was asked, on the request's snapshot; says for a person what lk_judge() failed of. */
LK_MUST_CHECK enum lk_err lk_verify_judge(
	struct lk_request *request, const struct lk_asked *asked, struct lk_answer *ret_answer);

/* What judges for this request, and what is said where it failed of `err`, which is returned: for who calls lk_judge() itself. */
struct lk_court lk_verify_court(const struct lk_request *request);
enum lk_err lk_verify_judged(struct lk_request *request, enum lk_err err);

void lk_verify_release(struct lk_request *request, struct lk_asked *asked);

#endif

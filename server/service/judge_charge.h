/*
 * What a use costs: which rate limits of the key and of its owner it is charged to, and how much of the key's credits. For
 * judge.c alone.
 */
#ifndef LK_SERVER_SERVICE_JUDGE_CHARGE_H
#define LK_SERVER_SERVICE_JUDGE_CHARGE_H

#include "server/service/judge.h"

/*
 * Charges a use of the key that `answer` found, or, where `looks` is set, says what charging it would come to. VALID;
 * RATE_LIMITED or CREDITS_EXHAUSTED, and nothing was charged; UNSPECIFIED where an error sticks to the transaction, and where
 * the key was changed since the snapshot was taken.
 */
Latchkey__V1__VerifyCode lk_judge_weigh(
	const struct lk_court *court, const struct lk_question *question, bool looks, struct lk_answer *answer);

#endif

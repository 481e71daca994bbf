/*
 * What Verify decides, as a table: keys with every kind of rule, and questions about each, in order. Whoever verifies tokens,
 * over whatever way, must answer all of them alike: a test gives the store and a function that asks.
 */
#ifndef LK_TESTS_LIB_VERDICT_CASES_H
#define LK_TESTS_LIB_VERDICT_CASES_H

#include <stddef.h>

#include "latchkey/v1/key.pb-c.h"
#include "server/store/store.h"

/* Asks; the answer is good until the next question. NULL: there was none, and the case fails. */
typedef const Latchkey__V1__VerifyKeyResponse *verdict_ask(
	void *context, const Latchkey__V1__VerifyKeyRequest *request);

/*
 * Makes tenant "judged" and all that the cases need in `store`, where nobody else writes meanwhile, and asks every question
 * as the operator. Says on standard error what was answered otherwise than it should; returns how often that was.
 */
size_t verdict_cases_run(struct lk_store *store, verdict_ask *ask, void *context);

#endif

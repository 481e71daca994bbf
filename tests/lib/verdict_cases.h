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
 * Makes tenant "judged" and all that the cases need in `store`, where nobody else writes meanwhile. Returns a token for each
 * case, in their order, to be freed with verdict_cases_free(). The store may be closed then, and served by whomever.
 */
char **verdict_cases_make(struct lk_store *store);
void verdict_cases_free(char **tokens);

/*
 * Asks every question as the operator, once: what one takes is gone for the next. Says on standard error what was answered otherwise
 * than it should; returns how often that was.
 */
size_t verdict_cases_ask(char *const *tokens, verdict_ask *ask, void *context);

/* Makes all, and asks, in a store that this process has open. */
size_t verdict_cases_run(struct lk_store *store, verdict_ask *ask, void *context);

#endif

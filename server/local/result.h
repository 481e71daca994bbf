/*
 * The results of a verdict beside the reply, in a struct lk_call as liblatchkey's own calls leave them. `call` may be NULL
 * everywhere.
 */
#ifndef LK_SERVER_LOCAL_RESULT_H
#define LK_SERVER_LOCAL_RESULT_H

#include <latchkey/call.h>

#include "server/core/faults.h"

/* Forgets the results of the call before. */
void lk_local_result_clear(struct lk_call *call);

/* Copies what is to be said of an error: a text, and the faults of the request, NULL for none. Without memory, less is said. */
void lk_local_result_fail(struct lk_call *call, const char *message, const struct lk_faults *faults);

#endif

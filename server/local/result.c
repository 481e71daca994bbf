#include "server/local/result.h"

#include <stdlib.h>
#include <string.h>

void lk_local_result_clear(struct lk_call *call)
{
	/* Most often there is nothing to free, and then nobody is called. */
	if (call != NULL && (call->message != NULL || call->violations != NULL)) {
		lk_call_done(call);
	}
	if (call != NULL) {
		call->retry_after_ms = 0;
		call->revision = 0;
		call->attempts = 1;
	}
}

void lk_local_result_fail(struct lk_call *call, const char *message, const struct lk_faults *faults)
{
	if (call == NULL) {
		return;
	}
	call->message = strdup(message);
	size_t count = faults == NULL ? 0 : faults->count;
	call->violations = count == 0 ? NULL : calloc(count, sizeof *call->violations);
	if (call->violations == NULL) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct lk_violation *violation = &call->violations[i];
		violation->field = strdup(faults->items[i].field);
		violation->description = strdup(faults->items[i].description);
		call->n_violations = i + 1;
		if (violation->field == NULL || violation->description == NULL) {
			/* Whoever reads it may count on both. lk_call_done() frees what is there. */
			free(violation->field);
			free(violation->description);
			call->n_violations = i;
			return;
		}
	}
}

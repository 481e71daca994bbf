#include <latchkey/call.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/result.h"

static void free_violations(struct lk_violation *violations, size_t n_violations)
{
	for (size_t i = 0; i < n_violations; i++) {
		free(violations[i].field);
		free(violations[i].description);
	}
	free(violations);
}

void lk_call_done(struct lk_call *call)
{
	if (!call) {
		return;
	}
	free(call->message);
	free_violations(call->violations, call->n_violations);
	call->message = NULL;
	call->violations = NULL;
	call->n_violations = 0;
	call->retry_after_ms = 0;
	call->revision = 0;
	call->attempts = 0;
}

void lk_result_say(struct lk_call *call, const char *format, ...)
{
	char *message = NULL;
	va_list args;

	va_start(args, format);
	int len = vasprintf(&message, format, args);
	va_end(args);
	free(call->message);
	call->message = len < 0 ? NULL : message;
}

enum lk_err lk_result_late(
	struct lk_call *call, const char *urls, uint32_t timeout_ms, bool is_connected, bool may_be_done)
{
	if (call->attempts == 0 && !is_connected) {
		lk_result_say(call, "no connection to %s within %u ms: is the daemon running?", urls, timeout_ms);
		return LK_UNAVAILABLE;
	}
	lk_result_say(call, "no answer from %s within %u ms (attempts: %u)%s", urls, timeout_ms, call->attempts,
		may_be_done ? "; the change may have been made" : "");
	return LK_DEADLINE_EXCEEDED;
}

void lk_result_alien(struct lk_call *call, const char *urls)
{
	lk_result_say(call, "the answer from %s is none of Latchkey's", urls);
}

static char *copy_text(struct lk_span text)
{
	char *copy = malloc(text.len + 1);

	if (!copy) {
		return NULL;
	}
	if (text.len > 0) {
		memcpy(copy, text.data, text.len);
	}
	copy[text.len] = '\0';
	return copy;
}

static enum lk_err count_violations(struct lk_span run, size_t *ret_n)
{
	struct lk_violation_span violation;
	enum lk_err err = LK_OK;
	size_t n = 0;

	while ((err = lk_envelope_next_violation(&run, &violation)) == LK_OK) {
		n++;
	}
	*ret_n = n;
	return err == LK_NOT_FOUND ? LK_OK : err;
}

static enum lk_err copy_violations(struct lk_span run, struct lk_violation **ret_violations, size_t *ret_n)
{
	struct lk_violation *violations = NULL;
	struct lk_violation_span violation;
	size_t n = 0;
	enum lk_err err = count_violations(run, &n);

	if (err || n == 0) {
		return err;
	}
	violations = calloc(n, sizeof(*violations));
	if (!violations) {
		return LK_NO_MEMORY;
	}
	for (size_t i = 0; lk_envelope_next_violation(&run, &violation) == LK_OK; i++) {
		violations[i].field = copy_text(violation.field);
		violations[i].description = copy_text(violation.description);
		if (!violations[i].field || !violations[i].description) {
			free_violations(violations, n);
			return LK_NO_MEMORY;
		}
	}
	*ret_violations = violations;
	*ret_n = n;
	return LK_OK;
}

enum lk_err lk_result_take(struct lk_call *call, const struct lk_response_envelope *response)
{
	uint32_t attempts = call->attempts;

	lk_call_done(call);
	call->attempts = attempts;
	call->retry_after_ms = response->retry_after_ms;
	call->revision = response->revision;
	if (response->message.len > 0) {
		call->message = copy_text(response->message);
		if (!call->message) {
			return LK_NO_MEMORY;
		}
	}
	return copy_violations(response->violations, &call->violations, &call->n_violations);
}

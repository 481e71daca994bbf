/*
 * One call: what the caller asks of it beside the request, and what came of it beside the response.
 *
 * A struct lk_call belongs to its caller. Set it to LK_CALL_INIT, fill in what you need, make one call with it, read the
 * results, and lk_call_done() it; then it is as after LK_CALL_INIT, but for the inputs, and may serve again. It must not be
 * used by two calls at a time.
 */
#ifndef LATCHKEY_CALL_H
#define LATCHKEY_CALL_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LK_REQUEST_ID_LEN 16

struct lk_violation {
	/* A path from the request message: "name", "metadata[2].key". */
	char *field;
	char *description;
};

struct lk_call {
	/* Inputs, borrowed until the call ends. */

	/* The budget of the whole call, retries included; 0: 5,000 ms. */
	uint32_t timeout_ms;
	/* A root key, a JWT, or NULL: the channel's own. */
	const char *credential;
	/* A UUIDv7 of LK_REQUEST_ID_LEN bytes for a change, or NULL: the runtime makes one, so that it may retry. */
	const uint8_t *request_id;
	/* W3C trace context, or NULL. */
	const char *traceparent;
	/* The oldest revision that may answer; 0: any. */
	uint64_t min_revision;

	/* Results, owned by the call. */

	/* What the server or the runtime said of an error; NULL where there is nothing to say. */
	char *message;
	struct lk_violation *violations;
	size_t n_violations;
	/* Try again after this many milliseconds; 0: nothing was said. */
	uint32_t retry_after_ms;
	/* The state of the store that answered. */
	uint64_t revision;
	/* How many attempts were made. */
	uint32_t attempts;

	/* Private to the generated stubs: the typed callback of an asynchronous call. */
	void (*typed_done)(void);
	void *typed_context;
};

#ifdef __cplusplus
#define LK_CALL_INIT                                                                                                   \
	{                                                                                                              \
	}
#else
#define LK_CALL_INIT                                                                                                   \
	{                                                                                                              \
		0                                                                                                      \
	}
#endif

/* Frees the results and sets them to nothing. Takes NULL. */
void lk_call_done(struct lk_call *call);

#ifdef __cplusplus
}
#endif

#endif

/*
 * A verifier: verdicts over a channel, many callers to a message.
 *
 * Callers ask for one verdict each, from any number of threads, or asynchronously. A caller that finds nobody under way is sent
 * at once, and alone; what arrives while others are under way leaves together with the next VerifyBatch. No timer ever holds a
 * call back. What each caller gets is what latchkey_v1_key_verify() would have got it, error for error: a verdict, or what was
 * wrong with its own request, by its own deadline.
 *
 * A call that brings a credential, a request_id, a traceparent or a min_revision of its own, or a request that might fail the
 * whole message, goes alone. A daemon that has no VerifyBatch is asked for one verdict at a time, from its first such answer on.
 *
 * No fork() once a channel is open: see channel.h.
 */
#ifndef LATCHKEY_VERIFIER_H
#define LATCHKEY_VERIFIER_H

#include <stddef.h>

#include <latchkey/call.h>
#include <latchkey/channel.h>
#include <latchkey/error.h>
#include <latchkey/v1/key.client.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lk_verifier;

struct lk_verifier_options {
	/* Borrowed, and closed only after the verifier. */
	struct lk_channel *channel;
	/* The most verdicts of a message, from 1 to 1,000; 0: 256. */
	unsigned batch_max;
	/* The most messages under way at a time; 0: 2. So many more for each second in which none of them comes back. */
	unsigned batches_max;
	/* The most callers that wait for the next message, each at most 8 KiB; one more gets LK_RESOURCE_EXHAUSTED. 0: 65,536. */
	size_t queue_max;
};

/*
 * Does not block. LK_INVALID_ARGUMENT: no channel, or batch_max over 1,000. LK_NO_MEMORY. `*ret_verifier` is untouched on
 * failure.
 */
LK_MUST_CHECK enum lk_err lk_verifier_open(
	const struct lk_verifier_options *options, struct lk_verifier **ret_verifier);

/* Ends the calls under way with LK_CANCELLED, waits for their callbacks, frees. Takes NULL. Not from a callback. */
void lk_verifier_close(struct lk_verifier *verifier);

/* Asks and blocks, as latchkey_v1_key_verify() does; see lk_channel_call() for the errors. `call` may be NULL. */
LK_MUST_CHECK enum lk_err lk_verifier_verify(struct lk_verifier *verifier,
	const Latchkey__V1__VerifyKeyRequest *request, Latchkey__V1__VerifyKeyResponse **ret_response,
	struct lk_call *call);

/*
 * Asks without waiting, as latchkey_v1_key_verify_start() does: `done` is called exactly once where LK_OK is returned, and never
 * otherwise. `request` is copied; `call` must live until then. While one answer's callbacks run, what they ask gathers: like any
 * other, they must not block.
 * LK_RESOURCE_EXHAUSTED: queue_max callers wait; call->retry_after_ms says when to ask again. LK_CANCELLED: it is being closed.
 */
LK_MUST_CHECK enum lk_err lk_verifier_start(struct lk_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *request,
	struct lk_call *call, latchkey_v1_key_verify_done_fn done, void *context);

#ifdef __cplusplus
}
#endif

#endif

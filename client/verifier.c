#include <latchkey/verifier.h>

#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#include "client/nng_error.h"
#include "client/result.h"
#include "client/retry.h"
#include "client/start.h"
#include "client/verifier_ask.h"

#define BATCH_LIMIT     1000
#define BATCH_DEFAULT   256
#define BATCHES_DEFAULT 2
#define QUEUE_DEFAULT   65536

/* A thread that waits for its call. A semaphore: one wake, and no lock to take after it. */
struct waiter {
	sem_t told;
	enum lk_err err;
	Latchkey__V1__VerifyKeyResponse *response;
};

static void verifier_free(struct lk_verifier *verifier)
{
	if (verifier->timer) {
		nng_aio_free(verifier->timer);
	}
	for (size_t i = 0; i < verifier->n_asks; i++) {
		lk_buffer_done(&verifier->asks[i]->packed);
		free(verifier->asks[i]);
	}
	for (struct lk_batch *batch = verifier->batches, *next = NULL; batch; batch = next) {
		next = batch->next;
		lk_buffer_done(&batch->payload);
		free(batch->asks);
		free(batch);
	}
	free(verifier->asks);
	pthread_cond_destroy(&verifier->idle);
	pthread_mutex_destroy(&verifier->lock);
	free(verifier);
}

enum lk_err lk_verifier_open(const struct lk_verifier_options *options, struct lk_verifier **ret_verifier)
{
	if (!options->channel || options->batch_max > BATCH_LIMIT) {
		return LK_INVALID_ARGUMENT;
	}
	struct lk_verifier *verifier = calloc(1, sizeof(*verifier));
	if (!verifier) {
		return LK_NO_MEMORY;
	}
	verifier->channel = options->channel;
	verifier->batch_max = options->batch_max > 0 ? options->batch_max : BATCH_DEFAULT;
	verifier->batches_max = options->batches_max > 0 ? options->batches_max : BATCHES_DEFAULT;
	verifier->queue_max = options->queue_max > 0 ? options->queue_max : QUEUE_DEFAULT;
	pthread_mutex_init(&verifier->lock, NULL);
	pthread_cond_init(&verifier->idle, NULL);
	TAILQ_INIT(&verifier->free);
	TAILQ_INIT(&verifier->queue);
	TAILQ_INIT(&verifier->ended);
	TAILQ_INIT(&verifier->idle_batches);
	verifier->moved_at = nng_clock();
	enum lk_err err = lk_err_from_nng(nng_aio_alloc(&verifier->timer, lk_verifier_timer_arrived, verifier));
	if (err) {
		verifier_free(verifier);
		return err;
	}
	*ret_verifier = verifier;
	return LK_OK;
}

void lk_verifier_close(struct lk_verifier *verifier)
{
	if (!verifier) {
		return;
	}
	pthread_mutex_lock(&verifier->lock);
	atomic_store(&verifier->closing, true);
	for (size_t i = 0; i < verifier->n_asks; i++) {
		struct lk_ask *ask = verifier->asks[i];
		if (ask->state == LK_ASK_QUEUED || ask->state == LK_ASK_SENT || ask->state == LK_ASK_RESTING) {
			lk_ask_hold(ask);
			/* Says why, as nobody is queued any more. */
			lk_ask_queue(ask, false, 0);
		}
	}
	lk_verifier_unlock(verifier);
	lk_channel_cancel(verifier->channel, verifier);
	pthread_mutex_lock(&verifier->lock);
	while (verifier->n_calls > 0 || verifier->n_under_way > 0) {
		pthread_cond_wait(&verifier->idle, &verifier->lock);
	}
	nng_aio_abort(verifier->timer, NNG_ECANCELED);
	pthread_mutex_unlock(&verifier->lock);
	verifier_free(verifier);
}

static void tell(enum lk_err err, ProtobufCMessage *response, struct lk_call *call)
{
	latchkey_v1_key_verify_done_fn done = (latchkey_v1_key_verify_done_fn)call->typed_done;

	done(err, (Latchkey__V1__VerifyKeyResponse *)response, call, call->typed_context);
}

/* Of a call that went by itself because it had to. */
static void single_done(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct lk_verifier *verifier = context;

	tell(err, response, call);
	pthread_mutex_lock(&verifier->lock);
	lk_verifier_call_ended(verifier);
	pthread_mutex_unlock(&verifier->lock);
}

/* Of a call that went by itself because nobody else was there. Who has come meanwhile leaves first. */
static void lone_done(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct lk_verifier *verifier = context;

	pthread_mutex_lock(&verifier->lock);
	lk_verifier_returned(verifier);
	lk_verifier_unlock(verifier);
	single_done(err, response, call, verifier);
}

/* Sends the call as Verify itself. Under the lock, so that who closes finds it. */
static enum lk_err send_single(struct lk_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *request,
	struct lk_call *call, lk_done_fn done)
{
	struct lk_order order = lk_order_of(&latchkey_v1_key_verify_method);

	order.message = &request->base;
	order.done = done;
	order.context = verifier;
	order.owner = verifier;
	return lk_order_start(verifier->channel, &order, call);
}

static enum lk_err send_lone(
	struct lk_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *request, struct lk_call *call)
{
	enum lk_err err = send_single(verifier, request, call, lone_done);

	verifier->n_under_way += err ? 0 : 1;
	return err;
}

static enum lk_err enqueue(struct lk_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *request,
	const struct lk_item_size *size, struct lk_call *call)
{
	struct lk_ask *ask = NULL;

	if (verifier->n_queued >= verifier->queue_max) {
		lk_result_say(call,
			"%zu calls wait for the next message, and no more may: ask again later, or set queue_max",
			verifier->n_queued);
		call->retry_after_ms = LK_RETRY_FIRST_MS;
		return LK_RESOURCE_EXHAUSTED;
	}
	enum lk_err err = lk_ask_take(verifier, &ask);
	if (err) {
		return err;
	}
	err = lk_item_pack(ask, request, size);
	if (err) {
		lk_ask_give_back(ask);
		return err;
	}
	nng_time now = nng_clock();
	ask->call = call;
	ask->timeout_ms = lk_order_timeout_ms(call);
	ask->deadline = now + ask->timeout_ms;
	lk_ask_queue(ask, false, now);
	return LK_OK;
}

static enum lk_err admit(struct lk_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *request,
	const struct lk_item_size *size, struct lk_call *call)
{
	bool alone = size->alone || call->credential || call->request_id || call->traceparent || call->min_revision > 0;

	if (atomic_load(&verifier->closing)) {
		return LK_CANCELLED;
	}
	if (alone || verifier->unary_only) {
		return send_single(verifier, request, call, single_done);
	}
	if (verifier->n_queued == 0 && lk_verifier_has_place(verifier) &&
		(verifier->n_telling == 0 || verifier->share <= 1)) {
		return send_lone(verifier, request, call);
	}
	return enqueue(verifier, request, size, call);
}

enum lk_err lk_verifier_start(struct lk_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *request,
	struct lk_call *call, latchkey_v1_key_verify_done_fn done, void *context)
{
	const struct lk_item_size size = lk_item_measure(request);

	lk_call_done(call);
	call->typed_done = (void (*)(void))done;
	call->typed_context = context;
	pthread_mutex_lock(&verifier->lock);
	enum lk_err err = admit(verifier, request, &size, call);
	if (!err) {
		verifier->n_calls++;
		lk_verifier_flush(verifier, false);
	}
	if (!TAILQ_EMPTY(&verifier->ended)) {
		/* Others' callbacks are not for the caller's thread. */
		lk_verifier_timer_want(verifier, nng_clock());
	}
	pthread_mutex_unlock(&verifier->lock);
	return err;
}

static void wake(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	struct waiter *waiter = context;

	(void)call;
	waiter->err = err;
	waiter->response = response;
	(void)sem_post(&waiter->told);
}

enum lk_err lk_verifier_verify(struct lk_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *request,
	Latchkey__V1__VerifyKeyResponse **ret_response, struct lk_call *call)
{
	struct lk_call own = LK_CALL_INIT;
	struct waiter waiter = {.err = LK_OK};

	(void)sem_init(&waiter.told, 0, 0);
	enum lk_err err = lk_verifier_start(verifier, request, call ? call : &own, wake, &waiter);
	if (!err) {
		while (sem_wait(&waiter.told) != 0 && errno == EINTR) {
		}
		err = waiter.err;
	}
	(void)sem_destroy(&waiter.told);
	lk_call_done(&own);
	if (!err) {
		*ret_response = waiter.response;
	}
	return err;
}

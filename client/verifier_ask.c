#include "client/verifier_ask.h"

#include <stdlib.h>

#include "client/flight.h"
#include "client/result.h"
#include "client/retry.h"
#include "client/start.h"

/* Of an ask that is given back, memory up to this is kept for the next. */
#define PACKED_KEEP 1024

static enum lk_err table_add(struct lk_verifier *verifier, struct lk_ask *ask)
{
	if (verifier->n_asks == verifier->asks_capacity) {
		size_t capacity = verifier->asks_capacity > 0 ? 2 * verifier->asks_capacity : 64;
		struct lk_ask **asks = realloc(verifier->asks, capacity * sizeof(struct lk_ask *));
		if (!asks) {
			return LK_NO_MEMORY;
		}
		verifier->asks = asks;
		verifier->asks_capacity = capacity;
	}
	verifier->asks[verifier->n_asks++] = ask;
	return LK_OK;
}

enum lk_err lk_ask_take(struct lk_verifier *verifier, struct lk_ask **ret_ask)
{
	struct lk_ask *ask = TAILQ_FIRST(&verifier->free);

	if (ask) {
		TAILQ_REMOVE(&verifier->free, ask, entry);
		*ret_ask = ask;
		return LK_OK;
	}
	ask = calloc(1, sizeof(*ask));
	if (!ask || table_add(verifier, ask) != LK_OK) {
		free(ask);
		return LK_NO_MEMORY;
	}
	ask->verifier = verifier;
	*ret_ask = ask;
	return LK_OK;
}

void lk_ask_give_back(struct lk_ask *ask)
{
	if (ask->packed.capacity > PACKED_KEEP) {
		lk_buffer_done(&ask->packed);
	} else {
		lk_buffer_clear(&ask->packed);
	}
	ask->state = LK_ASK_FREE;
	ask->call = NULL;
	ask->attempts = 0;
	ask->n_failures = 0;
	ask->timed_out = false;
	TAILQ_INSERT_HEAD(&ask->verifier->free, ask, entry);
}

static uint32_t left_ms(const struct lk_ask *ask, nng_time now)
{
	return now < ask->deadline ? (uint32_t)(ask->deadline - now) : 0;
}

void lk_ask_end(struct lk_ask *ask, enum lk_err err)
{
	ask->state = LK_ASK_ENDED;
	ask->err = err;
	TAILQ_INSERT_TAIL(&ask->verifier->ended, ask, entry);
}

void lk_ask_end_late(struct lk_ask *ask)
{
	struct lk_channel *channel = ask->verifier->channel;

	ask->call->attempts = ask->attempts;
	/* A connection that it waited beside, not for: what kept it are others, who got no answer either. */
	lk_ask_end(ask, lk_result_late(ask->call, channel->urls, ask->timeout_ms, lk_channel_is_up(channel), false));
}

static void ask_end_cancelled(struct lk_ask *ask)
{
	lk_result_say(ask->call, "the verifier was closed before an answer came");
	lk_ask_end(ask, LK_CANCELLED);
}

void lk_ask_queue(struct lk_ask *ask, bool in_front, nng_time now)
{
	struct lk_verifier *verifier = ask->verifier;

	if (atomic_load(&verifier->closing)) {
		ask_end_cancelled(ask);
		return;
	}
	ask->state = LK_ASK_QUEUED;
	/* Too early, where it is sent meanwhile: then it is not due. */
	ask->due = ask->deadline < now + LK_STALL_MS ? ask->deadline : now + LK_STALL_MS;
	if (in_front) {
		TAILQ_INSERT_HEAD(&verifier->queue, ask, entry);
	} else {
		TAILQ_INSERT_TAIL(&verifier->queue, ask, entry);
	}
	if (verifier->n_queued++ == 0) {
		verifier->moved_at = now;
	}
	lk_verifier_timer_want(verifier, ask->due);
}

void lk_ask_hold(struct lk_ask *ask)
{
	struct lk_verifier *verifier = ask->verifier;

	if (ask->state == LK_ASK_QUEUED) {
		TAILQ_REMOVE(&verifier->queue, ask, entry);
		verifier->n_queued--;
	} else if (ask->state == LK_ASK_SENT) {
		ask->batch->asks[ask->index] = NULL;
		ask->batch = NULL;
	}
	ask->state = LK_ASK_HELD;
}

void lk_ask_rest(struct lk_ask *ask, bool answered, nng_time now)
{
	uint32_t delay = lk_retry_delay_ms(++ask->n_failures, answered ? ask->call->retry_after_ms : 0);

	if (atomic_load(&ask->verifier->closing)) {
		ask_end_cancelled(ask);
	} else if (delay < left_ms(ask, now)) {
		ask->state = LK_ASK_RESTING;
		ask->due = now + delay;
		lk_verifier_timer_want(ask->verifier, ask->due);
	} else if (answered) {
		lk_ask_end(ask, LK_UNAVAILABLE);
	} else {
		lk_ask_end_late(ask);
	}
}

nng_time lk_ask_attempt_end(const struct lk_ask *ask, nng_time sent_at)
{
	return sent_at + lk_retry_attempt_ms(LK_EFFECT_READ, ask->timed_out, left_ms(ask, sent_at));
}

void lk_ask_again(struct lk_ask *ask, bool was_sent, nng_time now)
{
	ask->timed_out = ask->timed_out || was_sent;
	if (left_ms(ask, now) == 0) {
		lk_ask_end_late(ask);
	} else {
		lk_ask_queue(ask, false, now);
	}
}

void lk_ask_tell(struct lk_ask *ask, enum lk_err err, Latchkey__V1__VerifyKeyResponse *response)
{
	latchkey_v1_key_verify_done_fn done = (latchkey_v1_key_verify_done_fn)ask->call->typed_done;

	ask->call->attempts = ask->attempts;
	done(err, response, ask->call, ask->call->typed_context);
}

void lk_verifier_timer_want(struct lk_verifier *verifier, nng_time due)
{
	if (verifier->timer_runs) {
		/* Its callback looks at all asks, and starts it anew. */
		if (due < verifier->timer_due) {
			nng_aio_abort(verifier->timer, NNG_ECANCELED);
			verifier->timer_due = due;
		}
		return;
	}
	nng_time now = nng_clock();
	verifier->timer_runs = true;
	verifier->timer_due = due;
	nng_sleep_aio(due > now ? (nng_duration)(due - now) : 0, verifier->timer);
}

static void queued_due(struct lk_ask *ask, nng_time now)
{
	uint32_t left = left_ms(ask, now);

	if (left > 0) {
		ask->due = now + (left < LK_STALL_MS ? left : LK_STALL_MS);
		return;
	}
	lk_ask_hold(ask);
	lk_ask_end_late(ask);
}

static void sent_due(struct lk_ask *ask, nng_time now)
{
	uint32_t left = left_ms(ask, now);
	nng_time sent_at = lk_channel_sent_at(ask->verifier->channel, &ask->batch->sent_at);
	bool was_sent = sent_at > 0;

	if (!was_sent && left > 0) {
		/* The message waits for a connection. */
		ask->due = now + (left > 1 ? left / 2 : 1);
		return;
	}
	/* Where it waited, its answer has as much time as that of a call which waited so long has. */
	ask->due = was_sent ? lk_ask_attempt_end(ask, sent_at) : now;
	if (ask->due > now && left > 0) {
		return;
	}
	lk_ask_hold(ask);
	ask->attempts += was_sent ? 1 : 0;
	lk_ask_again(ask, was_sent, now);
}

static void resting_due(struct lk_ask *ask, nng_time now)
{
	lk_ask_hold(ask);
	lk_ask_queue(ask, false, now);
}

/* What happens to an ask that is due; the states that are not here are never due. */
static void (*const due_actions[])(struct lk_ask *ask, nng_time now) = {
	[LK_ASK_QUEUED] = queued_due,
	[LK_ASK_SENT] = sent_due,
	[LK_ASK_RESTING] = resting_due,
	[LK_ASK_HELD] = NULL,
};

void lk_verifier_timer_arrived(void *argument)
{
	struct lk_verifier *verifier = argument;
	nng_time now = nng_clock(), first = 0;
	bool is_one_due = false;

	pthread_mutex_lock(&verifier->lock);
	verifier->timer_runs = false;
	for (size_t i = 0; i < verifier->n_asks; i++) {
		struct lk_ask *ask = verifier->asks[i];
		if (due_actions[ask->state] && ask->due <= now) {
			due_actions[ask->state](ask, now);
		}
		if (due_actions[ask->state] && (!is_one_due || ask->due < first)) {
			first = ask->due;
			is_one_due = true;
		}
	}
	if (is_one_due) {
		lk_verifier_timer_want(verifier, first);
	}
	lk_verifier_check_stall(verifier, now);
	lk_verifier_unlock(verifier);
	/* Who closes frees the timer first, and that waits for this to return. */
	if (atomic_load(&verifier->closing)) {
		lk_channel_cancel(verifier->channel, verifier);
	}
}

#include <stdlib.h>

#include "client/result.h"
#include "client/start.h"
#include "client/verifier_ask.h"

/* So many times batches_max messages may be under way, where all but the newest are given up waiting for. */
#define STALLS_MAX 32
/* The most bytes of a message's items: what is left of its 1 MiB is more than an envelope can need. */
#define PAYLOAD_MAX (LK_LARGE_REQUEST_MAX - ((size_t)64 << 10))

/* What becomes of those that a message carried. */
enum fate {
	/* Each of the first has an outcome of its own. */
	FATE_READ,
	/* All of them get this error, with what the answer says. */
	FATE_FAIL,
	/* The answer is none. */
	FATE_ALIEN,
	/* The server said UNAVAILABLE. */
	FATE_REFUSED,
	/* The connection was lost. */
	FATE_LOST,
	/* Not answered in the message's time, or not sent. */
	FATE_SILENT,
	/* Each is asked for by itself: the server has no VerifyBatch, or finds fault with the message for one of its items. */
	FATE_ALONE,
	/* No answer, and no other will come. */
	FATE_END,
};

/* An answer that is being handed out. */
struct reading {
	struct lk_verifier *verifier;
	const struct lk_response_envelope *answer;
	enum lk_err err;
	enum fate fate;
	size_t n_outcomes;
	bool was_sent;
	/* Asks to be told, in order; then those that were, and those that are asked again. */
	struct lk_ask_list held, told, again;
	size_t n_held;
};

void lk_verifier_call_ended(struct lk_verifier *verifier)
{
	verifier->n_calls--;
	if (verifier->n_calls == 0 && verifier->n_under_way == 0) {
		pthread_cond_broadcast(&verifier->idle);
	}
}

bool lk_verifier_has_place(const struct lk_verifier *verifier)
{
	return verifier->n_under_way < verifier->batches_max + verifier->n_stalled;
}

void lk_verifier_returned(struct lk_verifier *verifier)
{
	verifier->moved_at = nng_clock();
	verifier->n_under_way--;
	verifier->n_stalled -= verifier->n_stalled > 0 ? 1 : 0;
	if (verifier->n_calls == 0 && verifier->n_under_way == 0) {
		pthread_cond_broadcast(&verifier->idle);
	}
}

void lk_verifier_check_stall(struct lk_verifier *verifier, nng_time now)
{
	if (verifier->n_queued > 0 && !lk_verifier_has_place(verifier) && now >= verifier->moved_at + LK_STALL_MS &&
		verifier->n_under_way / STALLS_MAX < verifier->batches_max) {
		verifier->n_stalled = verifier->n_under_way;
		verifier->moved_at = now;
	}
}

/* An idle one, or a new one; NULL without memory. */
static struct lk_batch *batch_take(struct lk_verifier *verifier)
{
	struct lk_batch *batch = TAILQ_FIRST(&verifier->idle_batches);

	if (batch) {
		TAILQ_REMOVE(&verifier->idle_batches, batch, entry);
		return batch;
	}
	batch = calloc(1, sizeof(*batch));
	struct lk_ask **asks = calloc(verifier->batch_max, sizeof(struct lk_ask *));
	if (!batch || !asks) {
		free(batch);
		free(asks);
		return NULL;
	}
	batch->verifier = verifier;
	batch->asks = asks;
	batch->next = verifier->batches;
	verifier->batches = batch;
	return batch;
}

static void batch_put_back(struct lk_batch *batch)
{
	lk_buffer_clear(&batch->payload);
	lk_call_done(&batch->call);
	TAILQ_INSERT_HEAD(&batch->verifier->idle_batches, batch, entry);
}

static enum fate fate_of_answer(const struct lk_response_envelope *answer, size_t n_asks, size_t *ret_n_outcomes)
{
	static const struct {
		enum lk_err code;
		enum fate fate;
	} fates[] = {
		{LK_UNAVAILABLE, FATE_REFUSED},
		{LK_UNIMPLEMENTED, FATE_ALONE},
		{LK_INVALID_ARGUMENT, FATE_ALONE},
	};
	enum lk_err code = lk_err_from_wire(answer->code);

	for (size_t i = 0; i < sizeof(fates) / sizeof(fates[0]); i++) {
		if (fates[i].code == code) {
			return fates[i].fate;
		}
	}
	if (code != LK_OK) {
		return FATE_FAIL;
	}
	bool is_fine = lk_outcome_count(answer->payload, ret_n_outcomes) == LK_OK;
	return is_fine && *ret_n_outcomes > 0 && *ret_n_outcomes <= n_asks ? FATE_READ : FATE_ALIEN;
}

static enum fate fate_without_answer(enum lk_err err, bool was_sent)
{
	if (err == LK_PROTOCOL) {
		return FATE_ALIEN;
	}
	if (err == LK_UNAVAILABLE && was_sent) {
		return FATE_LOST;
	}
	return err == LK_UNAVAILABLE || err == LK_DEADLINE_EXCEEDED ? FATE_SILENT : FATE_END;
}

/* Takes the asks out of the batch: those that are to be told into `held`, the rest of a prefix to the front of the queue. */
static void batch_unload(struct lk_batch *batch, struct reading *reading)
{
	size_t n_answered = reading->fate == FATE_READ ? reading->n_outcomes : batch->n_asks;
	nng_time now = nng_clock();

	for (size_t i = 0; i < n_answered; i++) {
		struct lk_ask *ask = batch->asks[i];
		if (ask) {
			lk_ask_hold(ask);
			ask->attempts += reading->was_sent ? 1 : 0;
			TAILQ_INSERT_TAIL(&reading->held, ask, entry);
			reading->n_held++;
		}
	}
	for (size_t i = batch->n_asks; i > n_answered; i--) {
		struct lk_ask *ask = batch->asks[i - 1];
		if (ask) {
			lk_ask_hold(ask);
			ask->attempts += reading->was_sent ? 1 : 0;
			lk_ask_queue(ask, true, now);
		}
	}
}

static enum lk_err outcome_read(struct lk_ask *ask, struct lk_span outcome, const struct lk_response_envelope *answer,
	Latchkey__V1__VerifyKeyResponse **ret_response)
{
	struct lk_response_envelope envelope = {0};
	ProtobufCMessage *response = NULL;
	enum lk_err err = lk_envelope_scan_response(outcome.data, outcome.len, &envelope);

	if (!err) {
		err = lk_result_take(ask->call, &envelope);
	}
	if (!err) {
		err = lk_err_from_wire(envelope.code);
	}
	if (!err) {
		err = lk_result_unpack(&latchkey__v1__verify_key_response__descriptor, envelope.payload, &response);
	}
	if (err == LK_PROTOCOL) {
		lk_result_alien(ask->call, ask->verifier->channel->urls);
	}
	if (!err) {
		/* Of an error nothing is said of the state, by Verify neither. */
		ask->call->revision = answer->revision;
		*ret_response = (Latchkey__V1__VerifyKeyResponse *)response;
	}
	return err;
}

/* Tells every caller its outcome; those that the server could not answer now are asked for again. */
static void read_outcomes(struct reading *reading)
{
	struct lk_span rest = reading->answer->payload, outcome = {0};
	struct lk_ask *ask = TAILQ_FIRST(&reading->held);

	for (size_t i = 0; ask && lk_outcome_next(&rest, &outcome) == LK_OK; i++) {
		Latchkey__V1__VerifyKeyResponse *response = NULL;
		if (ask->index != i) {
			/* Its caller has gone. */
			continue;
		}
		struct lk_ask *next = TAILQ_NEXT(ask, entry);
		enum lk_err err = outcome_read(ask, outcome, reading->answer, &response);
		TAILQ_REMOVE(&reading->held, ask, entry);
		if (err == LK_UNAVAILABLE) {
			TAILQ_INSERT_TAIL(&reading->again, ask, entry);
		} else {
			lk_ask_tell(ask, err, response);
			TAILQ_INSERT_TAIL(&reading->told, ask, entry);
		}
		ask = next;
	}
}

/* What an ask is told where all of a message get the same; LK_UNAVAILABLE where it is asked for again. */
static enum lk_err common_outcome(struct lk_ask *ask, const struct reading *reading)
{
	enum lk_err err = reading->err;

	if (reading->fate == FATE_FAIL || reading->fate == FATE_REFUSED) {
		err = lk_result_take(ask->call, reading->answer);
		err = err ? err : lk_err_from_wire(reading->answer->code);
	} else if (reading->fate == FATE_ALIEN) {
		err = LK_PROTOCOL;
	} else if (reading->fate != FATE_END) {
		return LK_UNAVAILABLE;
	}
	if (err == LK_PROTOCOL) {
		lk_result_alien(ask->call, ask->verifier->channel->urls);
	} else if (err == LK_CANCELLED) {
		lk_result_say(ask->call, "the channel was closed before an answer came");
	}
	return err;
}

static void share_outcome(struct reading *reading)
{
	struct lk_ask *ask = NULL;

	while ((ask = TAILQ_FIRST(&reading->held))) {
		enum lk_err err = common_outcome(ask, reading);
		TAILQ_REMOVE(&reading->held, ask, entry);
		if (err == LK_UNAVAILABLE) {
			TAILQ_INSERT_TAIL(&reading->again, ask, entry);
		} else {
			lk_ask_tell(ask, err, NULL);
			TAILQ_INSERT_TAIL(&reading->told, ask, entry);
		}
	}
}

/* With the lock held: gives back who was told, and sends the others on their way. */
static void reading_end(struct reading *reading)
{
	struct lk_verifier *verifier = reading->verifier;
	nng_time now = nng_clock();
	struct lk_ask *ask = NULL;

	verifier->n_telling -= reading->n_held;
	while ((ask = TAILQ_FIRST(&reading->told))) {
		TAILQ_REMOVE(&reading->told, ask, entry);
		lk_ask_give_back(ask);
		lk_verifier_call_ended(verifier);
	}
	while ((ask = TAILQ_FIRST(&reading->again))) {
		TAILQ_REMOVE(&reading->again, ask, entry);
		if (reading->fate == FATE_ALONE) {
			lk_ask_go_alone(ask);
		} else if (reading->fate == FATE_SILENT) {
			lk_ask_again(ask, reading->was_sent, now);
		} else {
			lk_ask_rest(ask, reading->fate != FATE_LOST, now);
		}
	}
}

static size_t share_of(const struct lk_verifier *verifier)
{
	size_t share = (verifier->n_calls + verifier->batches_max - 1) / verifier->batches_max;

	return share < verifier->batch_max ? share : verifier->batch_max;
}

static void batch_done(enum lk_err err, const struct lk_response_envelope *answer, struct lk_call *call, void *context)
{
	struct lk_batch *batch = context;
	struct lk_verifier *verifier = batch->verifier;
	struct reading reading = {
		.verifier = verifier,
		.answer = answer,
		.err = err,
		.was_sent = call->attempts > 0,
	};

	TAILQ_INIT(&reading.held);
	TAILQ_INIT(&reading.told);
	TAILQ_INIT(&reading.again);
	reading.fate = answer ? fate_of_answer(answer, batch->n_asks, &reading.n_outcomes)
			      : fate_without_answer(err, reading.was_sent);
	pthread_mutex_lock(&verifier->lock);
	if (answer && lk_err_from_wire(answer->code) == LK_UNIMPLEMENTED) {
		verifier->unary_only = true;
	}
	batch_unload(batch, &reading);
	bool is_prefix = reading.fate == FATE_READ && reading.n_outcomes < batch->n_asks;
	batch_put_back(batch);
	lk_verifier_returned(verifier);
	if (reading.n_held == 0) {
		lk_verifier_unlock(verifier);
		return;
	}
	verifier->n_telling += reading.n_held;
	verifier->share = share_of(verifier);
	lk_verifier_flush(verifier, is_prefix);
	pthread_mutex_unlock(&verifier->lock);
	if (reading.fate == FATE_READ) {
		read_outcomes(&reading);
	} else {
		share_outcome(&reading);
	}
	pthread_mutex_lock(&verifier->lock);
	reading_end(&reading);
	lk_verifier_unlock(verifier);
}

static void batch_add(struct lk_batch *batch, struct lk_ask *ask, nng_time now)
{
	ask->state = LK_ASK_SENT;
	ask->batch = batch;
	ask->index = batch->n_asks;
	ask->due = lk_ask_attempt_end(ask, now);
	lk_verifier_timer_want(ask->verifier, ask->due);
	batch->asks[batch->n_asks++] = ask;
	batch->timed_out = batch->timed_out || ask->timed_out;
	if (ask->deadline > batch->deadline) {
		batch->deadline = ask->deadline;
	}
}

/* Loads a batch with what waits. */
static void batch_load(struct lk_batch *batch)
{
	struct lk_verifier *verifier = batch->verifier;
	nng_time now = nng_clock();
	struct lk_ask *ask = NULL;
	size_t room = 0;

	batch->n_asks = 0;
	batch->deadline = 0;
	batch->timed_out = false;
	batch->sent_at = 0;
	while (batch->n_asks < verifier->batch_max && (ask = TAILQ_FIRST(&verifier->queue))) {
		room += lk_item_room(ask);
		if (room > PAYLOAD_MAX) {
			break;
		}
		lk_ask_hold(ask);
		if (ask->deadline > now) {
			batch_add(batch, ask, now);
		} else {
			lk_ask_end_late(ask);
		}
	}
}

/* Ends those that a batch without an answer carries. */
static void batch_end(struct lk_batch *batch, enum lk_err err)
{
	for (size_t i = 0; i < batch->n_asks; i++) {
		struct lk_ask *ask = batch->asks[i];
		if (ask) {
			lk_ask_hold(ask);
			lk_ask_end(ask, err);
		}
	}
	batch_put_back(batch);
}

static void queue_end(struct lk_verifier *verifier, enum lk_err err)
{
	struct lk_ask *ask = NULL;

	while ((ask = TAILQ_FIRST(&verifier->queue))) {
		lk_ask_hold(ask);
		lk_ask_end(ask, err);
	}
}

/* Without the lock. */
static enum lk_err batch_send(struct lk_batch *batch)
{
	struct lk_verifier *verifier = batch->verifier;
	struct lk_order order = lk_order_of(&latchkey_v1_key_verify_batch_method);

	order.response = NULL;
	order.payload = &batch->payload;
	order.lent = batch_done;
	order.context = batch;
	order.owner = verifier;
	order.sent_at = &batch->sent_at;
	order.deadline = batch->deadline;
	order.timed_out = batch->timed_out;
	return lk_order_start(verifier->channel, &order, &batch->call);
}

static bool may_leave(const struct lk_verifier *verifier, bool at_once)
{
	return verifier->n_queued > 0 && lk_verifier_has_place(verifier) && !verifier->unary_only &&
	       (at_once || verifier->n_telling == 0 || verifier->n_queued >= verifier->share);
}

void lk_verifier_flush(struct lk_verifier *verifier, bool at_once)
{
	while (may_leave(verifier, at_once)) {
		struct lk_batch *batch = batch_take(verifier);
		if (!batch) {
			queue_end(verifier, LK_NO_MEMORY);
			return;
		}
		batch_load(batch);
		if (batch->n_asks == 0 || !lk_batch_pack(batch)) {
			batch_end(batch, LK_NO_MEMORY);
			continue;
		}
		verifier->n_under_way++;
		/* So that nobody frees the verifier before this thread has let go of it. */
		verifier->n_calls++;
		pthread_mutex_unlock(&verifier->lock);
		enum lk_err err = batch_send(batch);
		pthread_mutex_lock(&verifier->lock);
		if (err) {
			batch_end(batch, err);
			lk_verifier_returned(verifier);
		} else if (atomic_load(&verifier->closing)) {
			/* Who closes may have looked for it too early. The timer cancels it: this may be a caller's thread. */
			lk_verifier_timer_want(verifier, nng_clock());
		}
		lk_verifier_call_ended(verifier);
		at_once = false;
	}
}

static void alone_done(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct lk_ask *ask = context;
	struct lk_verifier *verifier = ask->verifier;

	ask->attempts = call->attempts;
	lk_ask_tell(ask, err, (Latchkey__V1__VerifyKeyResponse *)response);
	pthread_mutex_lock(&verifier->lock);
	lk_ask_give_back(ask);
	lk_verifier_call_ended(verifier);
	pthread_mutex_unlock(&verifier->lock);
}

void lk_ask_go_alone(struct lk_ask *ask)
{
	struct lk_verifier *verifier = ask->verifier;
	struct lk_order order = lk_order_of(&latchkey_v1_key_verify_method);

	order.bytes = ask->packed.data;
	order.bytes_len = ask->packed.len;
	order.done = alone_done;
	order.context = ask;
	order.owner = verifier;
	order.deadline = ask->deadline;
	order.timed_out = ask->timed_out;
	enum lk_err err = atomic_load(&verifier->closing) ? LK_CANCELLED
							  : lk_order_start(verifier->channel, &order, ask->call);
	if (err) {
		lk_ask_end(ask, err);
	}
}

void lk_verifier_unlock(struct lk_verifier *verifier)
{
	struct lk_ask *ask = NULL;

	lk_verifier_flush(verifier, false);
	while (verifier->unary_only && (ask = TAILQ_FIRST(&verifier->queue))) {
		lk_ask_hold(ask);
		lk_ask_go_alone(ask);
	}
	while ((ask = TAILQ_FIRST(&verifier->ended))) {
		TAILQ_REMOVE(&verifier->ended, ask, entry);
		ask->state = LK_ASK_HELD;
		pthread_mutex_unlock(&verifier->lock);
		lk_ask_tell(ask, ask->err, NULL);
		pthread_mutex_lock(&verifier->lock);
		lk_ask_give_back(ask);
		lk_verifier_call_ended(verifier);
	}
	pthread_mutex_unlock(&verifier->lock);
}

/*
 * The attempts of a call: what makes a flight go from one state to the next. All but the reading of an answer runs with the
 * channel's lock held.
 */
#include <stdlib.h>
#include <string.h>

#include "client/flight.h"
#include "client/result.h"
#include "client/retry.h"

#define ID_MARK        UINT32_C(0x80000000)
#define ID_PLACE_MASK  UINT32_C(0xffff)
#define ID_COUNT_FIRST UINT32_C(0x10000)

static void timer_want(struct lk_channel *channel, nng_time due)
{
	nng_time now = 0;

	if (channel->timer_runs) {
		/* Its callback looks at all flights, and starts it anew. */
		if (due < channel->timer_due) {
			nng_aio_abort(channel->timer, NNG_ECANCELED);
		}
		return;
	}
	now = nng_clock();
	channel->timer_runs = true;
	channel->timer_due = due;
	nng_sleep_aio(due > now ? (nng_duration)(due - now) : 0, channel->timer);
}

static uint32_t left_ms(const struct lk_flight *flight, nng_time now)
{
	return now < flight->deadline ? (uint32_t)(flight->deadline - now) : 0;
}

static void flight_end(struct lk_flight *flight, enum lk_err err)
{
	flight->state = LK_FLIGHT_ENDED;
	flight->link = NULL;
	flight->err = err;
	TAILQ_INSERT_TAIL(&flight->channel->ended, flight, entry);
}

static void flight_end_cancelled(struct lk_flight *flight)
{
	lk_result_say(flight->call, "the %s was closed before an answer came",
		flight->channel->closing ? "channel" : "verifier");
	flight_end(flight, LK_CANCELLED);
}

static void flight_end_late(struct lk_flight *flight)
{
	flight_end(flight, lk_result_late(flight->call, flight->channel->urls, flight->timeout_ms, false,
				   lk_effect_changes(flight->effect)));
}

static struct lk_link *link_pick(struct lk_channel *channel)
{
	for (size_t i = 0; i < channel->n_links; i++) {
		struct lk_link *link = &channel->links[(channel->next_link + i) % channel->n_links];
		if (lk_link_is_ready(link)) {
			channel->next_link = (channel->next_link + i + 1) % channel->n_links;
			return link;
		}
	}
	return NULL;
}

static void flight_wait(struct lk_flight *flight, enum lk_flight_state state, nng_time due)
{
	flight->state = state;
	flight->due = due;
	timer_want(flight->channel, due);
}

static enum lk_err flight_send(struct lk_flight *flight, struct lk_link *link, nng_time now)
{
	struct lk_request_envelope *envelope = &flight->envelope;
	uint32_t place = flight->id & ID_PLACE_MASK;

	envelope->timeout_ms = lk_retry_attempt_ms(flight->effect, flight->timed_out, left_ms(flight, now));
	envelope->attempt = flight->call->attempts;
	flight->id = ID_MARK | ((flight->id + ID_COUNT_FIRST) & ~ID_PLACE_MASK) | place;
	size_t head = lk_envelope_request_size(envelope);
	uint8_t *out = lk_link_frame(link, flight->id, head + envelope->payload.len);
	if (!out) {
		return LK_NO_MEMORY;
	}
	lk_envelope_request_pack(envelope, out);
	if (envelope->payload.len > 0) {
		memcpy(out + head, flight->payload.data, envelope->payload.len);
	}
	flight->call->attempts++;
	if (flight->sent_at) {
		*flight->sent_at = now;
	}
	flight->link = link;
	flight_wait(flight, LK_FLIGHT_SENT, now + envelope->timeout_ms);
	lk_link_flush(link);
	return LK_OK;
}

/* Sends an attempt by a ready link, or waits for one. */
static enum lk_err flight_submit(struct lk_flight *flight, nng_time now)
{
	struct lk_link *link = link_pick(flight->channel);

	if (link) {
		return flight_send(flight, link, now);
	}
	TAILQ_INSERT_TAIL(&flight->channel->waiting, flight, entry);
	flight_wait(flight, LK_FLIGHT_QUEUED, flight->deadline);
	return LK_OK;
}

static void flight_submit_or_end(struct lk_flight *flight, nng_time now)
{
	enum lk_err err = LK_OK;

	if (left_ms(flight, now) == 0) {
		flight_end_late(flight);
		return;
	}
	err = flight_submit(flight, now);
	if (err) {
		flight_end(flight, err);
	}
}

enum lk_err lk_flight_launch(struct lk_flight *flight)
{
	struct lk_channel *channel = flight->channel;

	/* No flight ends here, and others' callbacks are not for the caller's thread: so not lk_channel_unlock(). */
	pthread_mutex_lock(&channel->lock);
	enum lk_err err = channel->closing ? LK_CANCELLED : flight_submit(flight, nng_clock());
	pthread_mutex_unlock(&channel->lock);
	return err;
}

/* Rests, to try again; ends where no time is left for that: with UNAVAILABLE where the server said so, else as late. */
static void flight_rest(struct lk_flight *flight, bool answered, nng_time now)
{
	uint32_t delay = lk_retry_delay_ms(++flight->n_failures, answered ? flight->call->retry_after_ms : 0);

	flight->link = NULL;
	if (flight->channel->closing || flight->cancelled) {
		flight_end_cancelled(flight);
	} else if (flight->lent) {
		flight_end(flight, LK_UNAVAILABLE);
	} else if (delay < left_ms(flight, now)) {
		flight_wait(flight, LK_FLIGHT_RESTING, now + delay);
	} else if (answered) {
		flight_end(flight, LK_UNAVAILABLE);
	} else {
		flight_end_late(flight);
	}
}

void lk_flight_link_ready(struct lk_channel *channel)
{
	struct lk_flight *flight = NULL;
	struct lk_link *link = NULL;

	while ((flight = TAILQ_FIRST(&channel->waiting)) && (link = link_pick(channel))) {
		TAILQ_REMOVE(&channel->waiting, flight, entry);
		enum lk_err err = flight_send(flight, link, nng_clock());
		if (err) {
			flight_end(flight, err);
		}
	}
}

void lk_flight_link_lost(struct lk_channel *channel, const struct lk_link *link)
{
	nng_time now = nng_clock();

	for (size_t i = 0; i < channel->n_flights; i++) {
		struct lk_flight *flight = channel->flights[i];
		if (flight->state == LK_FLIGHT_SENT && flight->link == link) {
			flight_rest(flight, false, now);
		}
	}
}

void lk_flight_cancel_all(struct lk_channel *channel, const void *owner)
{
	for (size_t i = 0; i < channel->n_flights; i++) {
		struct lk_flight *flight = channel->flights[i];
		if (flight->state == LK_FLIGHT_GROUNDED || (owner && flight->owner != owner)) {
			continue;
		}
		flight->cancelled = true;
		if (flight->state == LK_FLIGHT_QUEUED) {
			TAILQ_REMOVE(&channel->waiting, flight, entry);
		}
		if (flight->state == LK_FLIGHT_QUEUED || flight->state == LK_FLIGHT_SENT ||
			flight->state == LK_FLIGHT_RESTING) {
			flight_end_cancelled(flight);
		}
	}
}

static void queued_due(struct lk_flight *flight, nng_time now)
{
	TAILQ_REMOVE(&flight->channel->waiting, flight, entry);
	flight_submit_or_end(flight, now);
}

static void sent_due(struct lk_flight *flight, nng_time now)
{
	/* Of a change, the attempt had all the time that there was: this ends it. */
	flight->timed_out = true;
	if (flight->lent) {
		flight_end_late(flight);
	} else {
		flight_submit_or_end(flight, now);
	}
}

/* What happens to a flight that is due; the states that are not here are never due. */
static void (*const due_actions[])(struct lk_flight *flight, nng_time now) = {
	[LK_FLIGHT_QUEUED] = queued_due,
	[LK_FLIGHT_SENT] = sent_due,
	[LK_FLIGHT_RESTING] = flight_submit_or_end,
	[LK_FLIGHT_ENDED] = NULL,
};

void lk_flight_timer_arrived(void *argument)
{
	struct lk_channel *channel = argument;
	nng_time now = nng_clock();

	lk_channel_lock(channel);
	channel->timer_runs = false;
	for (size_t i = 0; i < channel->n_flights && !channel->closing; i++) {
		struct lk_flight *flight = channel->flights[i];
		if (due_actions[flight->state] && flight->due <= now) {
			due_actions[flight->state](flight, now);
		}
		if (due_actions[flight->state]) {
			timer_want(channel, flight->due);
		}
	}
	lk_channel_unlock(channel);
}

static enum lk_err payload_copy(struct lk_flight *flight, struct lk_span payload)
{
	/* One more than is needed: malloc(0) may be NULL. */
	uint8_t *copy = malloc(payload.len + 1);

	if (!copy) {
		return LK_NO_MEMORY;
	}
	if (payload.len > 0) {
		memcpy(copy, payload.data, payload.len);
	}
	*flight->raw = copy;
	*flight->raw_len = payload.len;
	return LK_OK;
}

/* What the answer says: LK_UNAVAILABLE is the one that may be tried again. */
static enum lk_err answer_read(struct lk_flight *flight, enum lk_err err, const struct lk_response_envelope *envelope,
	ProtobufCMessage **ret_response)
{
	if (!err) {
		err = lk_result_take(flight->call, envelope);
	}
	if (!err) {
		err = lk_err_from_wire(envelope->code);
	}
	if (!err && flight->raw) {
		err = payload_copy(flight, envelope->payload);
	} else if (!err) {
		err = lk_result_unpack(flight->response, envelope->payload, ret_response);
	}
	if (err == LK_PROTOCOL) {
		lk_result_alien(flight->call, flight->channel->urls);
	}
	return err;
}

/* The flight that waits for the answer with this id by this link, now the caller's; NULL where it came too late. */
static struct lk_flight *flight_find(struct lk_channel *channel, const struct lk_link *link, uint32_t id)
{
	size_t place = id & ID_PLACE_MASK;
	struct lk_flight *flight = NULL;

	lk_channel_lock(channel);
	if (place < channel->n_flights) {
		flight = channel->flights[place];
	}
	/* The count in an id comes round: what another link was asked long ago must not pass for this. */
	if (flight && (flight->state != LK_FLIGHT_SENT || flight->id != id || flight->link != link)) {
		flight = NULL;
	}
	if (flight) {
		flight->state = LK_FLIGHT_ANSWERED;
		flight->link = NULL;
	}
	lk_channel_unlock(channel);
	return flight;
}

void lk_flight_answer(
	struct lk_channel *channel, const struct lk_link *link, uint32_t id, const uint8_t *answer, size_t len)
{
	struct lk_flight *flight = flight_find(channel, link, id);
	struct lk_response_envelope envelope = {0};
	ProtobufCMessage *response = NULL;

	if (!flight) {
		return;
	}
	enum lk_err err = lk_envelope_scan_response(answer, len, &envelope);
	if (flight->lent) {
		flight->lent(err, err ? NULL : &envelope, flight->call, flight->context);
		lk_flight_give_back(flight);
		return;
	}
	err = answer_read(flight, err, &envelope, &response);
	if (err != LK_UNAVAILABLE) {
		flight->done(err, response, flight->call, flight->context);
		lk_flight_give_back(flight);
		return;
	}
	lk_channel_lock(channel);
	flight_rest(flight, true, nng_clock());
	lk_channel_unlock(channel);
}

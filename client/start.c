/* How a call begins, in each of its forms: typed or raw, waited for or not. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <latchkey/channel.h>
#include <latchkey/token.h>

#include "client/flight.h"
#include "client/result.h"
#include "client/start.h"
#include "client/uuid7.h"

#define TIMEOUT_DEFAULT_MS 5000
/* What nng can count. */
#define TIMEOUT_MAX_MS ((uint32_t)INT32_MAX)

/* A thread that waits for its call. */
struct waiter {
	pthread_mutex_t lock;
	pthread_cond_t told;
	bool done;
	enum lk_err err;
	ProtobufCMessage *response;
};

static struct lk_span span_of(const char *text)
{
	return (struct lk_span){(const uint8_t *)text, text ? strlen(text) : 0};
}

static void envelope_fill(struct lk_flight *flight, const struct lk_order *order, struct lk_call *call)
{
	struct lk_request_envelope *envelope = &flight->envelope;

	*envelope = (struct lk_request_envelope){
		.method = span_of(order->method),
		.credential = span_of(call->credential ? call->credential : flight->channel->credential),
		.traceparent = span_of(call->traceparent),
		.min_revision = call->min_revision,
		/* The widest numbers that an attempt can bring, for the size that is checked. */
		.timeout_ms = UINT32_MAX,
		.attempt = UINT32_MAX,
	};
	if (call->request_id) {
		memcpy(flight->request_id, call->request_id, LK_REQUEST_ID_LEN);
	} else if (lk_effect_changes(order->effect)) {
		struct timespec now = {0};
		clock_gettime(CLOCK_REALTIME, &now);
		lk_uuid7_make((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000, flight->request_id);
	} else {
		return;
	}
	envelope->request_id = (struct lk_span){flight->request_id, LK_REQUEST_ID_LEN};
}

/* The limits that the server would refuse it for, which is a connection closed where the whole message is too large. */
static enum lk_err limits_check(const struct lk_flight *flight, const struct lk_order *order, struct lk_call *call)
{
	const struct lk_request_envelope *envelope = &flight->envelope;
	const struct {
		const char *what;
		size_t len, max;
	} limits[] = {
		{"the method's name", envelope->method.len, LK_METHOD_NAME_MAX},
		{"the credential", envelope->credential.len, LK_CREDENTIAL_MAX},
		{"traceparent", envelope->traceparent.len, LK_TRACEPARENT_MAX},
		{"the request", lk_envelope_request_size(envelope) + envelope->payload.len, order->request_max},
	};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		if (limits[i].len > limits[i].max) {
			lk_result_say(call, "%s has %zu bytes, more than the %zu that are allowed", limits[i].what,
				limits[i].len, limits[i].max);
			return LK_INVALID_ARGUMENT;
		}
	}
	return LK_OK;
}

static enum lk_err payload_fill(struct lk_flight *flight, const struct lk_order *order)
{
	size_t len = flight->envelope.payload.len;

	if (order->payload) {
		struct lk_buffer empty = flight->payload;
		flight->payload = *order->payload;
		*order->payload = empty;
		return LK_OK;
	}
	if (!lk_buffer_reserve(&flight->payload, len)) {
		return LK_NO_MEMORY;
	}
	if (order->message) {
		protobuf_c_message_pack(order->message, flight->payload.data);
	} else if (len > 0) {
		memcpy(flight->payload.data, order->bytes, len);
	}
	flight->payload.len = len;
	return LK_OK;
}

static size_t payload_len(const struct lk_order *order)
{
	if (order->payload) {
		return order->payload->len;
	}
	return order->message ? protobuf_c_message_get_packed_size(order->message) : order->bytes_len;
}

uint32_t lk_order_timeout_ms(const struct lk_call *call)
{
	uint32_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : TIMEOUT_DEFAULT_MS;

	return timeout_ms < TIMEOUT_MAX_MS ? timeout_ms : TIMEOUT_MAX_MS;
}

/* Lays the call into a flight. */
static enum lk_err load(struct lk_flight *flight, const struct lk_order *order, struct lk_call *call)
{
	flight->call = call;
	flight->effect = order->effect;
	flight->response = order->response;
	flight->raw = order->raw;
	flight->raw_len = order->raw_len;
	flight->done = order->done;
	flight->lent = order->lent;
	flight->context = order->context;
	flight->owner = order->owner;
	flight->sent_at = order->sent_at;
	flight->timed_out = order->timed_out;
	flight->timeout_ms = lk_order_timeout_ms(call);
	flight->deadline = order->deadline > 0 ? order->deadline : nng_clock() + flight->timeout_ms;
	envelope_fill(flight, order, call);
	flight->envelope.payload.len = payload_len(order);
	enum lk_err err = limits_check(flight, order, call);
	return err ? err : payload_fill(flight, order);
}

enum lk_err lk_order_start(struct lk_channel *channel, const struct lk_order *order, struct lk_call *call)
{
	struct lk_flight *flight = NULL;

	/* Of a lent call the results are its owner's, who may look at them any time. */
	if (!order->lent) {
		lk_call_done(call);
	}
	enum lk_err err = lk_flight_take(channel, &flight);
	if (err) {
		return err;
	}
	err = load(flight, order, call);
	if (!err) {
		err = lk_flight_launch(flight);
	}
	if (err) {
		lk_flight_give_back(flight);
	}
	return err;
}

static void wake(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct waiter *waiter = context;

	(void)call;
	pthread_mutex_lock(&waiter->lock);
	waiter->err = err;
	waiter->response = response;
	waiter->done = true;
	/* Under the lock: the waiter is gone from the stack as soon as it sees `done`. */
	pthread_cond_signal(&waiter->told);
	pthread_mutex_unlock(&waiter->lock);
}

static enum lk_err start_and_wait(
	struct lk_channel *channel, struct lk_order *order, struct lk_call *call, ProtobufCMessage **ret_response)
{
	struct waiter waiter = {.lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};
	struct lk_call own = LK_CALL_INIT;

	order->done = wake;
	order->context = &waiter;
	enum lk_err err = lk_order_start(channel, order, call ? call : &own);
	if (!err) {
		pthread_mutex_lock(&waiter.lock);
		while (!waiter.done) {
			pthread_cond_wait(&waiter.told, &waiter.lock);
		}
		pthread_mutex_unlock(&waiter.lock);
		err = waiter.err;
	}
	pthread_cond_destroy(&waiter.told);
	pthread_mutex_destroy(&waiter.lock);
	lk_call_done(&own);
	if (!err && ret_response) {
		*ret_response = waiter.response;
	}
	return err;
}

struct lk_order lk_order_of(const struct lk_method *method)
{
	return (struct lk_order){
		.method = method->name,
		.effect = method->effect,
		.request_max = method->large_request ? LK_LARGE_REQUEST_MAX : LK_REQUEST_MAX,
		.response = method->response,
	};
}

enum lk_err lk_channel_call(struct lk_channel *channel, const struct lk_method *method, const ProtobufCMessage *request,
	ProtobufCMessage **ret_response, struct lk_call *call)
{
	struct lk_order order = lk_order_of(method);

	order.message = request;
	return start_and_wait(channel, &order, call, ret_response);
}

enum lk_err lk_channel_call_raw(struct lk_channel *channel, const char *method, enum lk_effect effect,
	const uint8_t *request, size_t request_len, uint8_t **ret_response, size_t *ret_response_len,
	struct lk_call *call)
{
	struct lk_order order = {
		.method = method,
		.effect = effect,
		/* Its size class is the server's to know. */
		.request_max = LK_LARGE_REQUEST_MAX,
		.bytes = request,
		.bytes_len = request_len,
		.raw = ret_response,
		.raw_len = ret_response_len,
	};

	return start_and_wait(channel, &order, call, NULL);
}

enum lk_err lk_channel_start(struct lk_channel *channel, const struct lk_method *method,
	const ProtobufCMessage *request, struct lk_call *call, lk_done_fn done, void *context)
{
	struct lk_order order = lk_order_of(method);

	order.message = request;
	order.done = done;
	order.context = context;
	return lk_order_start(channel, &order, call);
}

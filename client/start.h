/*
 * A call as the channel takes it, whatever form it was asked in. Not installed.
 */
#ifndef LK_CLIENT_START_H
#define LK_CLIENT_START_H

#include <latchkey/channel.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <stdbool.h>

#include "client/buffer.h"
#include "client/flight.h"

/* What a call asks for, before a flight carries it. One of `message`, `bytes` and `payload` is the request. */
struct lk_order {
	const char *method;
	enum lk_effect effect;
	size_t request_max;
	const ProtobufCMessage *message;
	const uint8_t *bytes;
	size_t bytes_len;
	/* Changes places with the flight's own, empty buffer: nothing is copied. */
	struct lk_buffer *payload;
	/* What the answer is unpacked as; NULL: it is copied to `*raw`, or lent to `lent`. */
	const ProtobufCMessageDescriptor *response;
	uint8_t **raw;
	size_t *raw_len;
	/* Who is told: `done`, or, of one attempt that is never made again, `lent`. */
	lk_done_fn done;
	lk_lent_fn lent;
	void *context;
	/* Whom lk_channel_cancel() names; NULL: nobody. */
	const void *owner;
	/* Where the time of each attempt is written as it is sent, for lk_channel_sent_at(); NULL: nowhere. */
	nng_time *sent_at;
	/* By nng_clock(); 0: the call's timeout from now. */
	nng_time deadline;
	/* Its one attempt may wait until the deadline, and not for half of the time alone: an earlier one got no answer. */
	bool timed_out;
};

/* What the method's constant says of an order. */
struct lk_order lk_order_of(const struct lk_method *method);

/* Starts a call; see lk_channel_start() for the rest. `call` must not be NULL. */
LK_MUST_CHECK enum lk_err lk_order_start(
	struct lk_channel *channel, const struct lk_order *order, struct lk_call *call);

/* The call's budget, in milliseconds. */
uint32_t lk_order_timeout_ms(const struct lk_call *call);

/*
 * Ends the owner's calls with LK_CANCELLED. One that is being answered at this moment ends by itself, and one that is launched
 * only afterwards is not found: who launches looks again.
 */
void lk_channel_cancel(struct lk_channel *channel, const void *owner);

/* What stands in an order's `sent_at` while its call is under way: by nng_clock(), or what the order found there. */
nng_time lk_channel_sent_at(struct lk_channel *channel, const nng_time *sent_at);

/* Whether a daemon is connected. */
bool lk_channel_is_up(struct lk_channel *channel);

#endif

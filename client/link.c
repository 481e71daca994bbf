#include "client/link.h"

#include <latchkey/method.h>
#include <string.h>

#include "client/flight.h"
#include "client/nng_error.h"

#define ID_LEN       4
#define GREETING_LEN 8
#define IPC_HEAD_LEN 9
#define TCP_HEAD_LEN 8
/* The one message type of sp-ipc-v1. */
#define IPC_TYPE 1

/* The most that a reply may have: its 1 MiB, and a little more must not close a connection. */
#define MESSAGE_MAX (LK_REPLY_MAX + ((size_t)64 << 10))
/* What is read at once, at least. */
#define RECEIVE_CHUNK ((size_t)16 << 10)
/* With this much to be sent the peer is behind: requests wait for it, or for another link. */
#define NEXT_MAX ((size_t)256 << 10)

/* A daemon that restarts is found again within a blink; one that is gone is not asked too often. */
#define REST_FIRST_MS 50
#define REST_MAX_MS   1000
/* For a connect() and a greeting each. */
#define CONNECT_MAX_MS 10000

/* "SP", version 0, and who speaks: REQ is 48, REP 49 (sp-protocol-ids-01). */
static const uint8_t greeting_req[GREETING_LEN] = {0, 'S', 'P', 0, 0, 48, 0, 0};
static const uint8_t greeting_rep[GREETING_LEN] = {0, 'S', 'P', 0, 0, 49, 0, 0};

static void link_send(struct lk_link *link)
{
	nng_iov iov = {link->out.data + link->out_sent, link->out.len - link->out_sent};

	link->sending = true;
	nng_aio_set_iov(link->send_aio, 1, &iov);
	nng_stream_send(link->stream, link->send_aio);
}

/* There is room: lk_buffer_reserve() was asked before. */
static void link_receive(struct lk_link *link, nng_duration timeout_ms)
{
	nng_iov iov = {link->in.data + link->in.len, link->in.capacity - link->in.len};

	link->receiving = true;
	nng_aio_set_iov(link->receive_aio, 1, &iov);
	nng_aio_set_timeout(link->receive_aio, timeout_ms);
	nng_stream_recv(link->stream, link->receive_aio);
}

static void link_rest(struct lk_link *link)
{
	nng_duration ms = REST_FIRST_MS;

	for (unsigned i = 0; i < link->n_failures && ms < REST_MAX_MS; i++) {
		ms *= 2;
	}
	link->n_failures++;
	link->state = LK_LINK_RESTING;
	nng_aio_set_timeout(link->dial_aio, NNG_DURATION_INFINITE);
	nng_sleep_aio(ms < REST_MAX_MS ? ms : REST_MAX_MS, link->dial_aio);
}

/* A broken link may dial again when both of its operations are back. */
static void link_settle(struct lk_link *link)
{
	if (link->state != LK_LINK_BROKEN || link->sending || link->receiving) {
		return;
	}
	nng_stream_free(link->stream);
	link->stream = NULL;
	lk_buffer_clear(&link->out);
	lk_buffer_clear(&link->next);
	lk_buffer_clear(&link->in);
	link->out_sent = 0;
	link_rest(link);
}

static void link_break(struct lk_link *link)
{
	if (link->state != LK_LINK_UP && link->state != LK_LINK_GREETING) {
		return;
	}
	link->state = LK_LINK_BROKEN;
	nng_stream_close(link->stream);
	lk_flight_link_lost(link->channel, link);
}

static void connected(struct lk_link *link)
{
	link->state = LK_LINK_GREETING;
	if (!lk_buffer_reserve(&link->out, GREETING_LEN) || !lk_buffer_reserve(&link->in, RECEIVE_CHUNK)) {
		link_break(link);
		link_settle(link);
		return;
	}
	memcpy(link->out.data, greeting_req, GREETING_LEN);
	link->out.len = GREETING_LEN;
	link_send(link);
	link_receive(link, CONNECT_MAX_MS);
}

static void dial_arrived(void *argument)
{
	struct lk_link *link = argument;
	int rv = nng_aio_result(link->dial_aio);

	lk_channel_lock(link->channel);
	if (link->state == LK_LINK_RESTING) {
		lk_link_dial(link);
	} else {
		if (rv == 0) {
			link->stream = nng_aio_get_output(link->dial_aio, 0);
		}
		if (link->state == LK_LINK_DIALING && rv == 0) {
			connected(link);
		} else if (link->state == LK_LINK_DIALING) {
			link_rest(link);
		}
	}
	lk_channel_unlock(link->channel);
}

static void send_arrived(void *argument)
{
	struct lk_link *link = argument;

	lk_channel_lock(link->channel);
	link->sending = false;
	if (nng_aio_result(link->send_aio) != 0) {
		link_break(link);
	} else if (link->state == LK_LINK_UP || link->state == LK_LINK_GREETING) {
		link->out_sent += nng_aio_count(link->send_aio);
		if (link->out_sent < link->out.len) {
			link_send(link);
		} else {
			lk_buffer_clear(&link->out);
			link->out_sent = 0;
			lk_link_flush(link);
			lk_flight_link_ready(link->channel);
		}
	}
	link_settle(link);
	lk_channel_unlock(link->channel);
}

/* The length of the message whose head is at `head`; false where it is none, or too large a one. */
static bool head_read(const struct lk_link *link, const uint8_t *head, size_t *ret_len)
{
	uint64_t len = 0;

	if (link->head_len == IPC_HEAD_LEN && *head++ != IPC_TYPE) {
		return false;
	}
	for (size_t i = 0; i < TCP_HEAD_LEN; i++) {
		len = len << 8 | head[i];
	}
	*ret_len = (size_t)len;
	return len >= ID_LEN && len <= MESSAGE_MAX;
}

static void message_hand_on(struct lk_link *link, const uint8_t *message, size_t len)
{
	uint32_t id = (uint32_t)message[0] << 24 | (uint32_t)message[1] << 16 | (uint32_t)message[2] << 8 | message[3];

	lk_flight_answer(link->channel, link, id, message + ID_LEN, len - ID_LEN);
}

/* Hands on every whole message that has come, and makes room for more. False where what came is none, or without memory. */
static bool messages_take(struct lk_link *link)
{
	size_t at = 0, more = RECEIVE_CHUNK;

	while (link->in.len - at >= link->head_len) {
		size_t len = 0, left = link->in.len - at - link->head_len;
		if (!head_read(link, link->in.data + at, &len)) {
			return false;
		}
		if (left < len) {
			more = len - left;
			break;
		}
		message_hand_on(link, link->in.data + at + link->head_len, len);
		at += link->head_len + len;
	}
	lk_buffer_consume(&link->in, at);
	if (link->in.len == 0) {
		lk_buffer_clear(&link->in);
	}
	return lk_buffer_reserve(&link->in, more);
}

/* The peer's first bytes. False where it is no REP. */
static bool greeting_take(struct lk_link *link)
{
	if (link->in.len < GREETING_LEN) {
		return true;
	}
	if (memcmp(link->in.data, greeting_rep, GREETING_LEN) != 0) {
		return false;
	}
	lk_buffer_consume(&link->in, GREETING_LEN);
	link->state = LK_LINK_UP;
	link->n_failures = 0;
	lk_flight_link_ready(link->channel);
	return true;
}

static void receive_arrived(void *argument)
{
	struct lk_link *link = argument;
	bool fine = nng_aio_result(link->receive_aio) == 0;

	lk_channel_lock(link->channel);
	if (fine) {
		link->in.len += nng_aio_count(link->receive_aio);
	}
	if (fine && link->state == LK_LINK_GREETING) {
		fine = greeting_take(link);
	}
	if (fine && link->state == LK_LINK_UP) {
		/* `in` is this callback's alone as long as `receiving` is set. */
		lk_channel_unlock(link->channel);
		fine = messages_take(link);
		lk_channel_lock(link->channel);
	}
	link->receiving = false;
	if (!fine) {
		link_break(link);
	} else if (link->state == LK_LINK_UP || link->state == LK_LINK_GREETING) {
		link_receive(link, link->state == LK_LINK_UP ? NNG_DURATION_INFINITE : CONNECT_MAX_MS);
	}
	link_settle(link);
	lk_channel_unlock(link->channel);
}

enum lk_err lk_link_make(struct lk_link *link, struct lk_channel *channel, const char *url)
{
	int rv = nng_stream_dialer_alloc(&link->dialer, url);

	if (rv == 0) {
		rv = nng_aio_alloc(&link->dial_aio, dial_arrived, link);
	}
	if (rv == 0) {
		rv = nng_aio_alloc(&link->send_aio, send_arrived, link);
	}
	if (rv == 0) {
		rv = nng_aio_alloc(&link->receive_aio, receive_arrived, link);
	}
	if (rv != 0) {
		return lk_err_from_nng(rv);
	}
	/* Of tcp alone; ipc says that it has no such thing. */
	(void)nng_stream_dialer_set_bool(link->dialer, NNG_OPT_TCP_NODELAY, true);
	(void)nng_stream_dialer_set_bool(link->dialer, NNG_OPT_TCP_KEEPALIVE, true);
	nng_aio_set_timeout(link->send_aio, NNG_DURATION_INFINITE);
	link->channel = channel;
	link->head_len = strncmp(url, "ipc:", 4) == 0 ? IPC_HEAD_LEN : TCP_HEAD_LEN;
	return LK_OK;
}

void lk_link_free(struct lk_link *link)
{
	if (link->dial_aio) {
		nng_aio_free(link->dial_aio);
	}
	if (link->send_aio) {
		nng_aio_free(link->send_aio);
	}
	if (link->receive_aio) {
		nng_aio_free(link->receive_aio);
	}
	if (link->stream) {
		nng_stream_free(link->stream);
	}
	if (link->dialer) {
		nng_stream_dialer_free(link->dialer);
	}
	lk_buffer_done(&link->out);
	lk_buffer_done(&link->next);
	lk_buffer_done(&link->in);
}

void lk_link_dial(struct lk_link *link)
{
	link->state = LK_LINK_DIALING;
	nng_aio_set_timeout(link->dial_aio, CONNECT_MAX_MS);
	nng_stream_dialer_dial(link->dialer, link->dial_aio);
}

void lk_link_close(struct lk_link *link)
{
	link->state = LK_LINK_CLOSED;
	nng_aio_abort(link->dial_aio, NNG_ECANCELED);
	if (link->stream) {
		nng_stream_close(link->stream);
	}
}

bool lk_link_is_ready(const struct lk_link *link)
{
	return link->state == LK_LINK_UP && link->next.len < NEXT_MAX;
}

uint8_t *lk_link_frame(struct lk_link *link, uint32_t id, size_t len)
{
	uint64_t message_len = ID_LEN + len;

	if (!lk_buffer_reserve(&link->next, link->head_len + message_len)) {
		return NULL;
	}
	uint8_t *at = link->next.data + link->next.len;
	if (link->head_len == IPC_HEAD_LEN) {
		*at++ = IPC_TYPE;
	}
	for (unsigned shift = 64; shift > 0; shift -= 8) {
		*at++ = (uint8_t)(message_len >> (shift - 8));
	}
	for (unsigned shift = 32; shift > 0; shift -= 8) {
		*at++ = (uint8_t)(id >> (shift - 8));
	}
	link->next.len += link->head_len + message_len;
	return at;
}

void lk_link_flush(struct lk_link *link)
{
	if (link->sending || link->state != LK_LINK_UP || link->next.len == 0) {
		return;
	}
	struct lk_buffer empty = link->out;
	link->out = link->next;
	link->next = empty;
	link_send(link);
}

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/envelope.h"
#include "server/rpc/connection_internal.h"

#define RETRY_AFTER_MS 100

/* What is to be done next. */
enum step {
	/* Look at what else came in. */
	STEP_ON,
	STEP_RECEIVE,
	/* Wait until the peer has read its replies. */
	STEP_PAUSE,
	STEP_END,
};

static const struct lk_transport_ops ops;

/* Answers a request without an exchange, for there are too many. */
static void refuse(struct lk_connection *connection, const uint8_t *backtrace, size_t backtrace_len, const char *why)
{
	struct lk_response_envelope response = {
		.code = LK_RESOURCE_EXHAUSTED,
		.message = {.data = (const uint8_t *)why, .len = strlen(why)},
		.retry_after_ms = RETRY_AFTER_MS,
	};
	uint8_t *out = NULL;
	struct lk_reply *reply = lk_reply_new(lk_envelope_response_size(&response), &out);

	if (reply == NULL) {
		return;
	}
	(void)lk_envelope_response_pack(&response, out);
	lk_reply_address(reply, connection->ipc, backtrace, backtrace_len);
	lk_connection_queue(connection, reply);
}

/* Counts one more request, and holds the connection for it; false where there are too many. */
static bool begin_request(struct lk_connection *connection)
{
	bool begun = false;

	(void)pthread_mutex_lock(&connection->lock);
	begun = connection->in_flight < connection->all->limits.in_flight_max;
	if (begun) {
		connection->in_flight++;
		connection->references++;
	}
	(void)pthread_mutex_unlock(&connection->lock);
	return begun;
}

static void end_request(struct lk_connection *connection)
{
	(void)pthread_mutex_lock(&connection->lock);
	connection->in_flight--;
	(void)pthread_mutex_unlock(&connection->lock);
	lk_connection_release(connection);
}

/* Gives the exchange its own copy of the message; or the message itself, which is then taken from `*large`. */
static bool fill(struct lk_turn *turn, const uint8_t *message, size_t len, uint8_t **large)
{
	if (large != NULL) {
		turn->message = *large;
		*large = NULL;
	} else {
		turn->message = len <= sizeof(turn->room) ? turn->room : malloc(len);
		if (turn->message == NULL) {
			return false;
		}
		memcpy(turn->message, message, len);
	}
	turn->message_len = len;
	return true;
}

static void hand_over(
	struct lk_connection *connection, const uint8_t *message, size_t len, size_t backtrace_len, uint8_t **large)
{
	struct lk_exchanges *exchanges = connection->all->exchanges;
	struct lk_turn *turn = NULL;

	if (!begin_request(connection)) {
		refuse(connection, message, backtrace_len, "too many requests of this connection are under way");
		return;
	}
	turn = lk_exchanges_take(exchanges);
	if (turn == NULL || !fill(turn, message, len, large)) {
		if (turn != NULL) {
			lk_exchanges_give_back(turn);
		}
		end_request(connection);
		refuse(connection, message, backtrace_len, "too many requests are under way");
		return;
	}
	turn->connection = connection;
	turn->backtrace_len = backtrace_len;
	memcpy(turn->backtrace, turn->message, backtrace_len);
	turn->exchange.ops = &ops;
	turn->exchange.peer = connection->peer;
	turn->exchange.request = turn->message + backtrace_len;
	turn->exchange.request_len = len - backtrace_len;
	/* It may be answered, and serve another request, before this returns: nothing may follow. */
	exchanges->handler.handle(exchanges->handler.context, &turn->exchange);
}

/* One whole message. */
static enum step deliver(struct lk_connection *connection, const uint8_t *message, size_t len, uint8_t **large)
{
	size_t backtrace_len = lk_sp_backtrace_len(message, len);

	if (backtrace_len == 0 && len < LK_SP_BACKTRACE_MAX) {
		return STEP_END;
	}
	/* More hops than there may be are no fault of the neighbour's: such a message is dropped, as nng does. */
	if (backtrace_len > 0 && backtrace_len <= LK_SP_BACKTRACE_MAX) {
		hand_over(connection, message, len, backtrace_len, large);
	}
	return STEP_ON;
}

static enum step take_greeting(struct lk_connection *connection)
{
	if (connection->end - connection->at < LK_SP_GREETING_LEN) {
		return STEP_RECEIVE;
	}
	if (memcmp(connection->chunk + connection->at, lk_sp_req_greeting, LK_SP_GREETING_LEN) != 0) {
		return STEP_END;
	}
	connection->at += LK_SP_GREETING_LEN;
	atomic_store(&connection->greeted, true);
	return STEP_ON;
}

/* Makes room for a message that does not fit into the chunk, and moves there what has come of it. */
static enum step begin_large(struct lk_connection *connection, size_t len)
{
	connection->large = malloc(len);
	if (connection->large == NULL) {
		return STEP_END;
	}
	connection->large_len = len;
	connection->large_end = connection->end - connection->at;
	memcpy(connection->large, connection->chunk + connection->at, connection->large_end);
	connection->at = connection->end;
	return STEP_RECEIVE;
}

static enum step take_large(struct lk_connection *connection)
{
	enum step step = STEP_RECEIVE;

	if (connection->large_end < connection->large_len) {
		return step;
	}
	step = deliver(connection, connection->large, connection->large_len, &connection->large);
	if (connection->large != NULL) {
		sodium_memzero(connection->large, connection->large_len);
		free(connection->large);
		connection->large = NULL;
	}
	return step;
}

static enum step take_message(struct lk_connection *connection)
{
	size_t head_len = lk_sp_head_len(connection->ipc);
	size_t have = connection->end - connection->at;
	const uint8_t *head = connection->chunk + connection->at;
	uint64_t len = 0;

	if (have < head_len) {
		return STEP_RECEIVE;
	}
	if (!lk_sp_read_head(connection->ipc, head, &len) || len > LK_TRANSPORT_MESSAGE_MAX) {
		return STEP_END;
	}
	if (have - head_len < len && head_len + len <= LK_CHUNK_LEN) {
		return STEP_RECEIVE;
	}
	connection->at += head_len;
	if (have - head_len < len) {
		return begin_large(connection, (size_t)len);
	}
	connection->at += (size_t)len;
	return deliver(connection, head + head_len, (size_t)len, NULL);
}

static enum step take_next(struct lk_connection *connection)
{
	if (lk_connection_is_full(connection)) {
		return STEP_PAUSE;
	}
	if (!atomic_load(&connection->greeted)) {
		return take_greeting(connection);
	}
	return connection->large != NULL ? take_large(connection) : take_message(connection);
}

void lk_connection_receive(struct lk_connection *connection)
{
	size_t left = connection->end - connection->at;
	nng_iov room = {0};

	/* What is left moves to the front; nothing else stays. */
	memmove(connection->chunk, connection->chunk + connection->at, left);
	sodium_memzero(connection->chunk + left, connection->end - left);
	connection->at = 0;
	connection->end = left;
	if (connection->large != NULL) {
		room.iov_buf = connection->large + connection->large_end;
		room.iov_len = connection->large_len - connection->large_end;
	} else {
		room.iov_buf = connection->chunk + left;
		room.iov_len = LK_CHUNK_LEN - left;
	}
	if (!lk_connection_read(connection, &room)) {
		lk_connection_release(connection);
	}
}

void lk_connection_take_apart(struct lk_connection *connection)
{
	enum step step = STEP_ON;

	do {
		lk_connection_cork(connection);
		do {
			step = take_next(connection);
		} while (step == STEP_ON);
		lk_connection_uncork(connection);
		/* Once paused, it is somebody else's. */
		if (step == STEP_PAUSE && lk_connection_pause(connection)) {
			return;
		}
	} while (step == STEP_PAUSE && !lk_connection_is_closed(connection));
	if (step == STEP_RECEIVE) {
		lk_connection_receive(connection);
		return;
	}
	lk_connection_shut(connection, step == STEP_END ? "what it sent is no request, or too large" : NULL);
	lk_connection_release(connection);
}

void lk_connection_on_received(void *argument)
{
	struct lk_connection *connection = argument;
	size_t count = nng_aio_count(connection->rx);

	if (nng_aio_result(connection->rx) != 0 || count == 0) {
		lk_connection_shut(connection, NULL);
		lk_connection_release(connection);
		return;
	}
	if (connection->large != NULL) {
		connection->large_end += count;
	} else {
		connection->end += count;
	}
	lk_connection_take_apart(connection);
}

static struct lk_turn *turn_of(struct lk_exchange *exchange)
{
	/* The first member. */
	return (struct lk_turn *)(void *)exchange;
}

static bool park(struct lk_exchange *exchange, bool urgent)
{
	return lk_exchanges_park(turn_of(exchange), urgent);
}

static uint8_t *reply_alloc(struct lk_exchange *exchange, size_t len)
{
	struct lk_turn *turn = turn_of(exchange);
	uint8_t *out = NULL;

	lk_reply_free(turn->reply);
	turn->reply = NULL;
	/* More than that no client of ours would take. */
	if (len <= LK_TRANSPORT_MESSAGE_MAX) {
		turn->reply = lk_reply_new(len, &out);
	}
	return out;
}

static void reply_send(struct lk_exchange *exchange)
{
	struct lk_turn *turn = turn_of(exchange);
	struct lk_connection *connection = turn->connection;

	if (turn->reply != NULL) {
		lk_reply_address(turn->reply, connection->ipc, turn->backtrace, turn->backtrace_len);
		lk_connection_queue(connection, turn->reply);
		turn->reply = NULL;
	} else {
		lk_connection_shut(connection, "a request has no reply");
	}
	lk_exchanges_give_back(turn);
	end_request(connection);
}

static void peer_text(struct lk_exchange *exchange, char ret_text[static LK_PEER_TEXT_LEN])
{
	memcpy(ret_text, turn_of(exchange)->connection->peer_text, LK_PEER_TEXT_LEN);
}

static const struct lk_transport_ops ops = {
	.park = park,
	.reply_alloc = reply_alloc,
	.reply_send = reply_send,
	.peer_text = peer_text,
};

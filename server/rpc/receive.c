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

/* Answers a request without an exchange, for there are too many; without memory it closes, so that the peer need not wait. */
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
		lk_connection_shut(connection, "a request has no reply");
		return;
	}
	(void)lk_envelope_response_pack(&response, out);
	lk_reply_address(reply, connection->ipc, backtrace, backtrace_len);
	lk_connection_queue(connection, reply);
}

static void hand_over(
	struct lk_connection *connection, const uint8_t *message, size_t len, size_t backtrace_len, uint8_t **large)
{
	struct lk_exchanges *exchanges = connection->all->exchanges;

	if (atomic_load(&connection->in_flight) >= connection->all->limits.in_flight_max) {
		refuse(connection, message, backtrace_len, "too many requests of this connection are under way");
		return;
	}
	if (connection->turn == NULL) {
		connection->turn = lk_exchanges_take(exchanges);
	}
	struct lk_turn *turn = connection->turn;
	if (turn == NULL || !lk_turn_fill(turn, message, len, large)) {
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
	/* When this returns, the request is answered; or it is parked, and the exchange perhaps serves another one already. */
	exchanges->handler.handle(exchanges->handler.context, &turn->exchange);
}

/*
 * A REQ socket of nng 1.5.2 numbers its requests upwards from a random number with the highest bit, and past 0xffffffff goes on
 * without it. From then on each of its requests reads as hops without an end, and is asked again and again. Its client sees no more
 * than that time is up; so the log says why.
 */
static void log_dropped(struct lk_connection *connection)
{
	static const char reason[] = "its id lacks the highest bit, or it came over too many hops";
	static const char remedy[] =
		"a client on nng's REQ gets no answers once its ids have run over: let it open a new "
		"socket, or use liblatchkey";
	uint64_t suppressed = 0;

	if (lk_log_allow(&connection->all->dropped_log, &suppressed)) {
		LK_LOG(LK_LOG_WARN, "request dropped", LK_STR("reason", reason), LK_STR("remedy", remedy),
			LK_STR("peer", connection->peer_text), LK_UINT("suppressed", suppressed));
	}
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
	} else {
		log_dropped(connection);
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

/*
 * What came in is taken apart: the replies go out, and the exchange goes back. In this order, for a drain waits until no exchange
 * is taken, and then until nothing waits to be sent; and whoever has the replies finds the exchange given back.
 */
static void settle(struct lk_connection *connection)
{
	lk_outbox_hand_over(&connection->outbox);
	if (connection->turn != NULL) {
		lk_exchanges_give_back(connection->turn);
		connection->turn = NULL;
	}
	lk_connection_send(connection);
}

void lk_connection_take_apart(struct lk_connection *connection)
{
	enum step step = STEP_ON;

	do {
		do {
			step = take_next(connection);
		} while (step == STEP_ON);
		settle(connection);
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

/* Takes back what lk_transport_ops.reply_alloc gave. */
static void drop_reply(struct lk_turn *turn)
{
	lk_reply_free(turn->reply);
	turn->reply = NULL;
	if (turn->placed != NULL) {
		sodium_memzero(turn->placed, turn->placed_len);
		turn->placed = NULL;
	}
}

/* The exchange and the request are the connection's no longer, but the request holds it until it is answered. */
static bool park(struct lk_exchange *exchange, bool urgent)
{
	struct lk_turn *turn = turn_of(exchange);
	struct lk_connection *connection = turn->connection;

	if (turn->parked) {
		return true;
	}
	if (!lk_exchanges_park(turn, urgent)) {
		return false;
	}
	drop_reply(turn);
	(void)atomic_fetch_add(&connection->in_flight, 1);
	lk_connection_hold(connection);
	connection->turn = NULL;
	return true;
}

/* Into the tray, as long as the request is the receiver's own. */
static uint8_t *place(struct lk_turn *turn, size_t len)
{
	struct lk_connection *connection = turn->connection;
	size_t before = lk_sp_head_len(connection->ipc) + turn->backtrace_len;

	if (turn->parked || before + len > LK_TRAY_REPLY_MAX) {
		return NULL;
	}
	turn->placed = lk_outbox_place(&connection->outbox);
	turn->placed_len = before + len;
	return turn->placed + before;
}

static uint8_t *reply_alloc(struct lk_exchange *exchange, size_t len)
{
	struct lk_turn *turn = turn_of(exchange);
	uint8_t *out = NULL;

	drop_reply(turn);
	/* More than that no client of ours would take. */
	if (len > LK_TRANSPORT_MESSAGE_MAX) {
		return NULL;
	}
	out = place(turn, len);
	if (out == NULL) {
		turn->reply = lk_reply_new(len, &out);
	}
	return out;
}

/* Answers a request in the handler's own call: what it answers is sent when all that came in is taken apart. */
static void answer_at_once(struct lk_turn *turn)
{
	struct lk_connection *connection = turn->connection;
	size_t head_len = lk_sp_head_len(connection->ipc);

	if (turn->placed != NULL) {
		lk_sp_write_head(connection->ipc, turn->placed_len - head_len, turn->placed);
		memcpy(turn->placed + head_len, turn->backtrace, turn->backtrace_len);
		lk_outbox_put(&connection->outbox, turn->placed_len);
	} else if (turn->reply != NULL) {
		lk_reply_address(turn->reply, connection->ipc, turn->backtrace, turn->backtrace_len);
		lk_outbox_add(&connection->outbox, turn->reply);
	} else {
		lk_connection_shut(connection, "a request has no reply");
	}
	turn->placed = NULL;
	turn->reply = NULL;
	lk_turn_clear(turn);
}

/*
 * Answers one that was parked, on any thread. Whoever has the reply may ask again: its place is free by then, on the connection and
 * among those that are parked. And a drain waits until the reply is queued.
 */
static void answer_parked(struct lk_turn *turn)
{
	struct lk_connection *connection = turn->connection;
	struct lk_exchanges *exchanges = turn->pool;
	struct lk_reply *reply = turn->reply;
	bool accepted = false;

	if (reply != NULL) {
		lk_reply_address(reply, connection->ipc, turn->backtrace, turn->backtrace_len);
		turn->reply = NULL;
	}
	lk_turn_clear(turn);
	accepted = lk_exchanges_free_up(turn);
	(void)atomic_fetch_sub(&connection->in_flight, 1);
	if (reply != NULL) {
		lk_connection_queue(connection, reply);
	} else {
		lk_connection_shut(connection, "a request has no reply");
	}
	if (accepted) {
		lk_exchanges_end_accepted(exchanges);
	}
	lk_connection_release(connection);
}

static void reply_send(struct lk_exchange *exchange)
{
	struct lk_turn *turn = turn_of(exchange);

	if (turn->parked) {
		answer_parked(turn);
	} else {
		answer_at_once(turn);
	}
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

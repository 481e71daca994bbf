/*
 * A connection's inside, for its two halves: connection.c, which begins, sends and ends, and receive.c.
 */
#ifndef LK_SERVER_RPC_CONNECTION_INTERNAL_H
#define LK_SERVER_RPC_CONNECTION_INTERNAL_H

#include "server/rpc/connection.h"
#include "server/rpc/outbox.h"

/* In lk_connection.gate: it is closed, or will be when all have gone out. */
#define LK_GATE_CLOSED UINT32_C(0x80000000)

struct lk_connection {
	struct lk_connections *all;
	nng_stream *stream;
	nng_aio *rx;
	nng_aio *tx;
	bool ipc;
	struct lk_peer peer;
	char peer_text[LK_PEER_TEXT_LEN];
	uint64_t greet_by_ms;
	atomic_bool greeted;

	/*
	 * Of who receives: what came in, from `at` to `end` not yet looked at; or a message that is too long for that. And the
	 * exchange that serves what is being taken apart; NULL before the first request of it, and once that is parked.
	 */
	size_t at;
	size_t end;
	uint8_t *large;
	size_t large_len;
	size_t large_end;
	struct lk_turn *turn;

	/* Of all. */
	atomic_uint references;
	/*
	 * How many are about to give the stream something to do, and LK_GATE_CLOSED: what is given to a stream of nng's that is
	 * closed already never comes back. So nobody goes in once it is set, and the last one to go out closes the stream.
	 */
	atomic_uint_least32_t gate;
	/* Requests that are parked. Only who receives makes it more. */
	atomic_uint_least32_t in_flight;
	/* Nobody receives, for too much waits to be sent; whoever takes this away goes on with it, and has the receiver's reference. */
	atomic_bool paused;
	struct lk_outbox outbox;

	/* In the list of all, under its lock. */
	struct lk_connection *next;
	struct lk_connection *previous;
	uint8_t chunk[LK_CHUNK_LEN];
};

/* Holds a connection once more, which the caller does; and lets go of it. */
void lk_connection_hold(struct lk_connection *connection);
void lk_connection_release(struct lk_connection *connection);
/* Closes it, once; who uses it sees its operations fail. The first reason is logged, unless it is NULL. */
void lk_connection_shut(struct lk_connection *connection, const char *reason);
bool lk_connection_is_closed(const struct lk_connection *connection);
/* Sends a reply, or frees it where the connection is closed. */
void lk_connection_queue(struct lk_connection *connection, struct lk_reply *reply);
/* Sends what waits, unless somebody does. */
void lk_connection_send(struct lk_connection *connection);
/* Reads into `room`, and calls lk_connection_on_received() then; false, and no call, where the connection is closed. */
bool lk_connection_read(struct lk_connection *connection, const nng_iov *room);
/* The receiver's: whether so much waits to be sent that no more should be taken. */
bool lk_connection_is_full(struct lk_connection *connection);
/* Stops receiving until less waits; false where it does so already, or the connection is closed. What is there must be sent. */
bool lk_connection_pause(struct lk_connection *connection);

/* receive.c. Receives and hands over, from now on; with a reference of its own. The callback of `rx`. */
void lk_connection_receive(struct lk_connection *connection);
void lk_connection_on_received(void *connection);
/* Goes on where it paused, for whoever took `paused` away. */
void lk_connection_take_apart(struct lk_connection *connection);

#endif

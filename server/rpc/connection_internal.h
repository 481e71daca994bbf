/*
 * A connection's inside, for its two halves: connection.c, which begins, sends and ends, and receive.c.
 */
#ifndef LK_SERVER_RPC_CONNECTION_INTERNAL_H
#define LK_SERVER_RPC_CONNECTION_INTERNAL_H

#include "server/rpc/connection.h"
#include "server/rpc/outbox.h"

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

	/* Of who receives: what came in, from `at` to `end` not yet looked at; or a message that is too long for that. */
	size_t at;
	size_t end;
	uint8_t *large;
	size_t large_len;
	size_t large_end;

	/* Guards what follows. */
	pthread_mutex_t lock;
	unsigned references;
	bool closed;
	/* Nobody receives, for too much waits to be sent; who sends will go on with it. */
	bool paused;
	/* What came in is being taken apart: replies wait for its end. */
	bool corked;
	bool sending;
	uint32_t in_flight;
	struct lk_outbox outbox;

	/* In the list of all, under its lock. */
	struct lk_connection *next;
	struct lk_connection *previous;
	uint8_t chunk[LK_CHUNK_LEN];
};

/* Lets go of a connection. */
void lk_connection_release(struct lk_connection *connection);
/* Closes it, once; who uses it sees its operations fail. The first reason is logged, unless it is NULL. */
void lk_connection_shut(struct lk_connection *connection, const char *reason);
/* Sends a reply, or frees it where the connection is closed. */
void lk_connection_queue(struct lk_connection *connection, struct lk_reply *reply);
/* Keeps replies back, for the next ones to go with them; and lets them go. */
void lk_connection_cork(struct lk_connection *connection);
void lk_connection_uncork(struct lk_connection *connection);
/* Reads into `room`, and calls lk_connection_on_received() then; false, and no call, where the connection is closed. */
bool lk_connection_read(struct lk_connection *connection, const nng_iov *room);
/* Whether so much waits to be sent that no more should come in. */
bool lk_connection_is_full(struct lk_connection *connection);
bool lk_connection_is_closed(struct lk_connection *connection);
/* Stops receiving until less waits; false where that is so already, or the connection is closed. */
bool lk_connection_pause(struct lk_connection *connection);

/* receive.c. Receives and hands over, from now on; with a reference of its own. The callback of `rx`. */
void lk_connection_receive(struct lk_connection *connection);
void lk_connection_on_received(void *connection);
/* Goes on where it paused. */
void lk_connection_take_apart(struct lk_connection *connection);

#endif

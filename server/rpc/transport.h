/*
 * The transport: where requests come from and replies go to. This one speaks REP, the protocol of nng and nanomsg, on nng's
 * streams over ipc and tcp; whatever takes its place offers the same few functions and hands out exchanges (exchange.h) in the
 * same way.
 *
 * Why not nng's own REP sockets: with 1.5.2 any client that leaves while its requests come in can stop nng's one thread that
 * frees connections, for good, and one that connects and leaves ends the listener. On nng's streams there is no such thread, each
 * connection's memory is bounded, and its bytes are ours to wipe.
 *
 * A handler is called on nng's threads, several at once, and must not block. Every function here may be called from any thread
 * but those, and one at a time. No fork(2) once a transport was opened: nng does not survive it.
 *
 * What is bounded: connections (one more is closed), the time they take to greet, the requests of a connection that are under
 * way (one more is answered RESOURCE_EXHAUSTED), exchanges in all (the same), a request's size (its connection is closed), the
 * replies that a peer leaves unread (no more is read from it), and for how long (LK_TRANSPORT_SEND_MS; then it is closed).
 *
 * The bytes of requests and replies are wiped when they have served.
 */
#ifndef LK_SERVER_RPC_TRANSPORT_H
#define LK_SERVER_RPC_TRANSPORT_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/rpc/exchange.h"

struct lk_transport;

/* The most bytes of a message that is received: a large request, and its envelope. */
#define LK_TRANSPORT_MESSAGE_MAX (((size_t)1 << 20) + 4096)

#define LK_TRANSPORT_SEND_MS 2000

#define LK_TRANSPORT_FAULT_LEN 512

struct lk_transport_limits {
	/* Exchanges in all; and how many of them are never parked. Of the others, a sixteenth is for what is urgent (exchange.h). */
	uint32_t exchanges_max;
	uint32_t exchanges_reserved;
	uint32_t connections_max;
	/* Of one connection: requests that were received and not yet answered. */
	uint32_t in_flight_max;
};

struct lk_transport_options {
	/* As lk_url_parse() takes them; at least one. */
	const char *const *urls;
	size_t n_urls;
	struct lk_rpc_handler handler;
	struct lk_transport_limits limits;
};

/* A snapshot; the numbers need not be of one instant. */
struct lk_transport_stats {
	/* Open; and, with those, closed and not yet freed. */
	size_t connections;
	size_t connections_alive;
	/* Exchanges that serve requests which were received and not yet answered, and those of them that are parked. */
	size_t under_way;
	size_t parked;
	/* Exchanges that were made so far. */
	size_t exchanges;
	/* Bytes of replies that wait to be sent. */
	size_t queued_len;
};

/*
 * Opens the transport and serves at once. An ipc socket that nobody serves any more is replaced; one that somebody answers at is
 * refused. LK_INVALID_ARGUMENT for a URL, LK_HELD where somebody else listens there, LK_NO_MEMORY, LK_IO; with a text in
 * `ret_fault`.
 */
LK_MUST_CHECK enum lk_err lk_transport_open(const struct lk_transport_options *options, struct lk_transport **ret,
	char ret_fault[static LK_TRANSPORT_FAULT_LEN]);

/* The URLs that it listens at, a port of 0 replaced by the one that was bound. Borrowed; NULL past the last. */
const char *lk_transport_url(const struct lk_transport *transport, size_t index);

void lk_transport_stats(struct lk_transport *transport, struct lk_transport_stats *ret);

/*
 * Begins to stop: new connections are refused, and requests get exchanges that say accepting = false. Waits until every request
 * that was accepted before is answered, and its reply sent. LK_DEADLINE_EXCEEDED where some are not after `timeout_ms`.
 */
LK_MUST_CHECK enum lk_err lk_transport_drain(struct lk_transport *transport, uint32_t timeout_ms);

/*
 * Closes all connections, takes the ipc sockets away and frees the transport; takes NULL. The handler must have answered every
 * exchange before. LK_DEADLINE_EXCEEDED where exchanges or connections are left after `timeout_ms`: nothing is freed then, and it
 * may be called again.
 */
enum lk_err lk_transport_close(struct lk_transport *transport, uint32_t timeout_ms);

#endif

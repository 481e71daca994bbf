/*
 * The transport: where requests come from and replies go to. This one is nng's REP protocol over ipc, tcp and, for tests,
 * inproc; whatever takes its place offers the same few functions and hands out exchanges (exchange.h) in the same way.
 *
 * A handler is called on the transport's own threads, several at once, and must not block. Every function here may be called
 * from any thread but those, and one at a time. No fork(2) once a transport was opened: nng does not survive it.
 *
 * What is bounded: connections (one more is closed), the requests of a connection that are under way (one more is answered
 * RESOURCE_EXHAUSTED; at twice as many the connection is closed), exchanges in all, a request's size (the connection is closed),
 * and the time that a peer may leave a reply unread (LK_TRANSPORT_SEND_MS; then its connection is closed).
 *
 * A request's bytes are wiped when it is answered. A reply's are not once it is sent: they are nng's by then.
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
	/* Exchanges that wait for a request, as a rule. */
	uint32_t contexts_receiving;
	/* Where fewer than this are left, further ones join them, as long as there are any. */
	uint32_t contexts_low;
	/* Exchanges in all. */
	uint32_t contexts_max;
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
	size_t connections;
	/* Requests received and not yet answered. */
	size_t under_way;
	size_t contexts;
	size_t contexts_receiving;
	/* Listeners, those included that were replaced and whose connections live on. */
	size_t listeners;
	/* How often a listener was replaced because it had ceased to accept. */
	uint64_t listeners_replaced;
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
 * that was accepted before is answered. LK_DEADLINE_EXCEEDED where some are not after `timeout_ms`.
 */
LK_MUST_CHECK enum lk_err lk_transport_drain(struct lk_transport *transport, uint32_t timeout_ms);

/*
 * Closes all connections, takes the ipc sockets away and frees the transport; takes NULL. The handler must have answered every
 * exchange before. nng's close can hang: where it is not done after `timeout_ms`, LK_DEADLINE_EXCEEDED, nothing is freed, threads
 * may still be running, and the process should end.
 */
enum lk_err lk_transport_close(struct lk_transport *transport, uint32_t timeout_ms);

#endif

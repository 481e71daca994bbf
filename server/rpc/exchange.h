/*
 * An exchange: one request and its reply, as transport and dispatcher hand it to each other.
 *
 * A transport receives bytes, fills in `request` and `peer`, and calls the handler. From then on the exchange is the handler's,
 * until it answers: exactly once, by reply_alloc() and reply_send(), in the handler's own call or, after park(), later and on
 * any thread. This is all that a transport has to do, so that another can take nng's place without touching a service.
 */
#ifndef LK_SERVER_RPC_EXCHANGE_H
#define LK_SERVER_RPC_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <latchkey/error.h>

struct lk_exchange;

/* Longest text of a peer, NUL included: "tcp:[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535". */
#define LK_PEER_TEXT_LEN 64

/* Whose request it is, as far as the transport can vouch for it. */
struct lk_peer {
	/* The peer's process runs as `uid`. False on any transport but ipc, and wherever it could not be read. */
	bool uid_known;
	uid_t uid;
};

struct lk_transport_ops {
	/*
	 * The answer will come later: frees the transport to receive on another exchange meanwhile. Called in the handler's own
	 * call; a buffer that was given before is gone then. Again, on any thread, it changes nothing and is true. False where
	 * the bound on such exchanges is reached: the handler then answers at once, with RESOURCE_EXHAUSTED. `urgent`: it must
	 * not wait for others, and has places of its own beyond that bound.
	 */
	bool (*park)(struct lk_exchange *exchange, bool urgent);
	/* A buffer for a reply of exactly `len` bytes, or NULL. May be called again: the buffer before is gone then. */
	uint8_t *(*reply_alloc)(struct lk_exchange *exchange, size_t len);
	/* Sends what stands in the buffer, or closes the connection where there is none. The exchange is the transport's again. */
	void (*reply_send)(struct lk_exchange *exchange);
	/* Writes where the peer is, for the audit record: "ipc", "tcp:127.0.0.1:4711", or "" where it is not known. */
	void (*peer_text)(struct lk_exchange *exchange, char ret_text[static LK_PEER_TEXT_LEN]);
};

struct lk_exchange {
	const struct lk_transport_ops *ops;
	/* The envelope as it came; stays where it is until reply_send(). */
	const uint8_t *request;
	size_t request_len;
	struct lk_peer peer;
	/* False: the daemon is going down, and every request is answered UNAVAILABLE. */
	bool accepting;
	/* The handler's own, for the life of the exchange: set by open(), freed by close(). */
	void *state;
};

/* What a transport hands its exchanges to. */
struct lk_rpc_handler {
	/* Prepares a new exchange's `state`; called before its first request. */
	enum lk_err (*open)(void *context, struct lk_exchange *exchange);
	/* Frees it; called when no request of it is under way. */
	void (*close)(void *context, struct lk_exchange *exchange);
	/* Answers the request, now or later. Never blocks. */
	void (*handle)(void *context, struct lk_exchange *exchange);
	void *context;
};

#endif

/*
 * The exchanges of an nng socket: contexts that receive, hand over, send, and receive again. Private to the transport.
 *
 * A context that received a request no longer receives. So that the socket never runs dry, a spare one joins where fewer than
 * contexts_low are left receiving; spares are made when first needed, up to contexts_max in all, and kept. While enough
 * contexts receive, a request takes no lock here.
 */
#ifndef LK_SERVER_RPC_POOL_H
#define LK_SERVER_RPC_POOL_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/log.h"
#include "server/rpc/peers.h"
#include "server/rpc/transport.h"

struct lk_context;

struct lk_pool {
	nng_socket socket;
	struct lk_rpc_handler handler;
	struct lk_transport_limits limits;
	struct lk_peers *peers;
	/* Contexts on which recv is under way. */
	atomic_uint receiving;
	/* Requests received and not yet answered; and those of them that were accepted. */
	atomic_uint under_way;
	atomic_uint accepted;
	atomic_bool draining;
	atomic_bool closing;
	/* Guards what follows. */
	pthread_mutex_t lock;
	/* Signalled, while draining, when `accepted` comes to 0. */
	pthread_cond_t drained;
	struct lk_context **contexts;
	size_t n_contexts;
	struct lk_context *spares;
	struct lk_log_limit unread_log;
	struct lk_log_limit flood_log;
};

/* Makes the contexts that receive, and starts none. `peers` is borrowed. LK_NO_MEMORY, LK_IO, or what the handler's open says. */
LK_MUST_CHECK enum lk_err lk_pool_init(struct lk_pool *pool, nng_socket socket, struct lk_peers *peers,
	const struct lk_rpc_handler *handler, const struct lk_transport_limits *limits);
/* Starts to receive. */
void lk_pool_start(struct lk_pool *pool);
/* From now on exchanges are not accepted. Waits as lk_transport_drain() does. */
enum lk_err lk_pool_drain(struct lk_pool *pool, uint32_t timeout_ms);
/* No context receives again after its reply. */
void lk_pool_stop(struct lk_pool *pool);
/* Frees everything; the socket was closed, and no exchange is under way. Takes one that is all zero. */
void lk_pool_done(struct lk_pool *pool);

#endif

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/rpc/deadline.h"
#include "server/rpc/listeners.h"
#include "server/rpc/peers.h"
#include "server/rpc/pool.h"
#include "server/rpc/transport.h"

struct lk_transport {
	nng_socket socket;
	bool opened;
	struct lk_transport_limits limits;
	struct lk_peers peers;
	struct lk_pool pool;
	struct lk_listeners listeners;
	/* Connections are admitted one by one, so that the cap is exact. */
	pthread_mutex_t admission;
	struct lk_log_limit refused_log;
	/* Of the close: whether its thread is done. */
	pthread_mutex_t closing;
	pthread_cond_t closed_changed;
	bool closed;
};

static uint32_t pipe_id(nng_pipe pipe)
{
	int id = nng_pipe_id(pipe);

	return id > 0 ? (uint32_t)id : 0;
}

/* Read once, while the connection is certain to be open: of one that is closed, nng says nothing and leaves what it was given. */
static struct lk_peer read_peer(nng_pipe pipe)
{
	uint64_t uid = UINT64_MAX;

	if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) != 0 || uid >= UINT32_MAX)
		return (struct lk_peer){.uid_known = false, .uid = (uid_t)-1};
	return (struct lk_peer){.uid_known = true, .uid = (uid_t)uid};
}

static bool admit(struct lk_transport *transport, nng_pipe pipe, bool probing)
{
	struct lk_peer peer = read_peer(pipe);
	size_t max = (size_t)transport->limits.connections_max + (probing ? 1 : 0);
	bool admitted = false;

	(void)pthread_mutex_lock(&transport->admission);
	if (lk_peers_count(&transport->peers) < max)
		admitted = lk_peers_add(&transport->peers, pipe_id(pipe), peer);
	(void)pthread_mutex_unlock(&transport->admission);
	return admitted;
}

/* The watchdog wants its connections to arrive, not to be served: they may be refused like any other. */
static void on_pipe_added(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
	struct lk_transport *transport = argument;
	int listener = nng_listener_id(nng_pipe_listener(pipe));
	uint64_t suppressed = 0;
	bool probing = false;

	(void)event;
	probing = lk_listeners_arrived(&transport->listeners, listener);
	if (atomic_load(&transport->pool.draining)) {
		(void)nng_pipe_close(pipe);
	} else if (admit(transport, pipe, probing)) {
		lk_listeners_admitted(&transport->listeners, listener);
	} else {
		(void)nng_pipe_close(pipe);
		if (lk_log_allow(&transport->refused_log, &suppressed))
			LK_LOG(LK_LOG_WARN, "connection refused", LK_STR("reason", "there are too many"),
				LK_UINT("connections_max", transport->limits.connections_max),
				LK_UINT("suppressed", suppressed));
	}
}

static void on_pipe_removed(nng_pipe pipe, nng_pipe_ev event, void *argument)
{
	struct lk_transport *transport = argument;

	(void)event;
	if (lk_peers_remove(&transport->peers, pipe_id(pipe)))
		lk_listeners_gone(&transport->listeners, nng_listener_id(nng_pipe_listener(pipe)));
}

static int open_socket(struct lk_transport *transport)
{
	int rv = nng_rep0_open(&transport->socket);

	if (rv != 0)
		return rv;
	transport->opened = true;
	/* Listeners take it over when they are created. */
	rv = nng_socket_set_size(transport->socket, NNG_OPT_RECVMAXSZ, LK_TRANSPORT_MESSAGE_MAX);
	if (rv == 0)
		rv = nng_pipe_notify(transport->socket, NNG_PIPE_EV_ADD_PRE, on_pipe_added, transport);
	if (rv == 0)
		rv = nng_pipe_notify(transport->socket, NNG_PIPE_EV_REM_POST, on_pipe_removed, transport);
	return rv;
}

static enum lk_err open_all(struct lk_transport *transport, const struct lk_transport_options *options, char *ret_fault)
{
	enum lk_err err = lk_peers_init(&transport->peers, (size_t)options->limits.connections_max + 1);
	int rv = 0;

	if (err == LK_OK)
		err = lk_listeners_init(&transport->listeners, options->n_urls);
	if (err != LK_OK)
		return err;
	rv = open_socket(transport);
	if (rv != 0) {
		(void)snprintf(ret_fault, LK_TRANSPORT_FAULT_LEN, "cannot open a socket: %s", nng_strerror(rv));
		return LK_IO;
	}
	err = lk_pool_init(&transport->pool, transport->socket, &transport->peers, &options->handler, &options->limits);
	if (err != LK_OK)
		return err;
	lk_pool_start(&transport->pool);
	return lk_listeners_open(&transport->listeners, transport->socket, options->urls, options->n_urls, ret_fault);
}

enum lk_err lk_transport_open(const struct lk_transport_options *options, struct lk_transport **ret,
	char ret_fault[static LK_TRANSPORT_FAULT_LEN])
{
	struct lk_transport *transport = calloc(1, sizeof(*transport));
	enum lk_err err = LK_NO_MEMORY;

	(void)snprintf(ret_fault, LK_TRANSPORT_FAULT_LEN, "cannot open the transport: out of memory");
	if (transport == NULL)
		return err;
	transport->limits = options->limits;
	(void)pthread_mutex_init(&transport->admission, NULL);
	(void)pthread_mutex_init(&transport->closing, NULL);
	lk_deadline_init_condition(&transport->closed_changed);
	err = open_all(transport, options, ret_fault);
	if (err == LK_OK)
		*ret = transport;
	else
		(void)lk_transport_close(transport, LK_TRANSPORT_SEND_MS);
	return err;
}

const char *lk_transport_url(const struct lk_transport *transport, size_t index)
{
	return index < transport->listeners.count ? transport->listeners.items[index].served : NULL;
}

void lk_transport_stats(struct lk_transport *transport, struct lk_transport_stats *ret)
{
	struct lk_listeners *listeners = &transport->listeners;

	*ret = (struct lk_transport_stats){
		.connections = lk_peers_count(&transport->peers),
		.under_way = atomic_load(&transport->pool.under_way),
		.contexts_receiving = atomic_load(&transport->pool.receiving),
	};
	(void)pthread_mutex_lock(&transport->pool.lock);
	ret->contexts = transport->pool.n_contexts;
	(void)pthread_mutex_unlock(&transport->pool.lock);
	(void)pthread_mutex_lock(&listeners->lock);
	ret->listeners_replaced = listeners->replaced;
	for (size_t i = 0; i < listeners->count; i++)
		for (size_t n = 0; n < LK_GENERATIONS_MAX; n++)
			ret->listeners += listeners->items[i].generations[n].used;
	(void)pthread_mutex_unlock(&listeners->lock);
}

enum lk_err lk_transport_drain(struct lk_transport *transport, uint32_t timeout_ms)
{
	return lk_pool_drain(&transport->pool, timeout_ms);
}

static void *close_socket(void *argument)
{
	struct lk_transport *transport = argument;

	(void)nng_close(transport->socket);
	(void)pthread_mutex_lock(&transport->closing);
	transport->closed = true;
	(void)pthread_cond_broadcast(&transport->closed_changed);
	(void)pthread_mutex_unlock(&transport->closing);
	return NULL;
}

/* nng_close() on a thread of its own, for it can hang. */
static bool close_in_time(struct lk_transport *transport, uint32_t timeout_ms)
{
	struct timespec until = lk_deadline_in(timeout_ms);
	pthread_t closer;
	bool closed = false;
	int waited = 0;

	if (pthread_create(&closer, NULL, close_socket, transport) != 0)
		return false;
	(void)pthread_mutex_lock(&transport->closing);
	while (!transport->closed && waited == 0)
		waited = pthread_cond_timedwait(&transport->closed_changed, &transport->closing, &until);
	closed = transport->closed;
	(void)pthread_mutex_unlock(&transport->closing);
	if (closed)
		(void)pthread_join(closer, NULL);
	else
		(void)pthread_detach(closer);
	return closed;
}

enum lk_err lk_transport_close(struct lk_transport *transport, uint32_t timeout_ms)
{
	if (transport == NULL)
		return LK_OK;
	lk_pool_stop(&transport->pool);
	if (!lk_listeners_stop(&transport->listeners, timeout_ms))
		return LK_DEADLINE_EXCEEDED;
	if (transport->opened && !close_in_time(transport, timeout_ms))
		return LK_DEADLINE_EXCEEDED;
	/* What is not answered by now would be answered into freed memory. */
	if (atomic_load(&transport->pool.under_way) > 0)
		return LK_DEADLINE_EXCEEDED;
	lk_pool_done(&transport->pool);
	lk_listeners_done(&transport->listeners);
	lk_peers_done(&transport->peers);
	(void)pthread_cond_destroy(&transport->closed_changed);
	(void)pthread_mutex_destroy(&transport->closing);
	(void)pthread_mutex_destroy(&transport->admission);
	free(transport);
	return LK_OK;
}

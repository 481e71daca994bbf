#include <stdio.h>
#include <stdlib.h>

#include "server/rpc/connection.h"
#include "server/rpc/deadline.h"
#include "server/rpc/listener.h"
#include "server/rpc/transport.h"

/* How often the housekeeper looks at what nobody tells it of. */
#define HOUSEKEEPING_MS 200

struct lk_transport {
	struct lk_exchanges exchanges;
	struct lk_connections connections;
	struct lk_listener *listeners;
	size_t n_listeners;
	bool has_housekeeper;
	pthread_t housekeeper;
	/* Under the lock of the connections: the housekeeper shall end. */
	bool end;
};

/* Waits until there is something to do; false where it is to end. */
static bool wait_for_work(struct lk_transport *transport)
{
	struct lk_connections *connections = &transport->connections;
	struct timespec until = lk_deadline_in(HOUSEKEEPING_MS);
	bool end = false;
	int waited = 0;

	(void)pthread_mutex_lock(&connections->lock);
	while (connections->dead == NULL && !transport->end && waited == 0) {
		waited = pthread_cond_timedwait(&connections->changed, &connections->lock, &until);
	}
	end = transport->end;
	(void)pthread_mutex_unlock(&connections->lock);
	return !end;
}

static void *keep_house(void *argument)
{
	struct lk_transport *transport = argument;

	while (wait_for_work(transport)) {
		lk_connections_tend(&transport->connections);
		for (size_t i = 0; i < transport->n_listeners; i++) {
			lk_listener_tend(&transport->listeners[i]);
		}
	}
	return NULL;
}

static enum lk_err open_all(struct lk_transport *transport, const struct lk_transport_options *options, char *ret_fault)
{
	enum lk_err err = lk_exchanges_init(&transport->exchanges, &options->handler, options->limits.exchanges_max,
		options->limits.exchanges_reserved);

	transport->listeners = calloc(options->n_urls, sizeof(*transport->listeners));
	if (err != LK_OK || transport->listeners == NULL) {
		return LK_NO_MEMORY;
	}
	for (size_t i = 0; i < options->n_urls && err == LK_OK; i++) {
		transport->n_listeners++;
		err = lk_listener_open(&transport->listeners[i], options->urls[i], &transport->connections, ret_fault);
	}
	if (err != LK_OK) {
		return err;
	}
	transport->has_housekeeper = pthread_create(&transport->housekeeper, NULL, keep_house, transport) == 0;
	return transport->has_housekeeper ? LK_OK : LK_NO_MEMORY;
}

/* Once nothing is alive. */
static void free_all(struct lk_transport *transport)
{
	struct lk_connections *connections = &transport->connections;

	(void)pthread_mutex_lock(&connections->lock);
	transport->end = true;
	(void)pthread_cond_broadcast(&connections->changed);
	(void)pthread_mutex_unlock(&connections->lock);
	if (transport->has_housekeeper) {
		(void)pthread_join(transport->housekeeper, NULL);
	}
	for (size_t i = 0; i < transport->n_listeners; i++) {
		lk_listener_done(&transport->listeners[i]);
	}
	free(transport->listeners);
	lk_connections_done(connections);
	lk_exchanges_done(&transport->exchanges);
	free(transport);
}

enum lk_err lk_transport_open(const struct lk_transport_options *options, struct lk_transport **ret,
	char ret_fault[static LK_TRANSPORT_FAULT_LEN])
{
	struct lk_transport *transport = calloc(1, sizeof(*transport));
	enum lk_err err = LK_NO_MEMORY;

	(void)snprintf(ret_fault, LK_TRANSPORT_FAULT_LEN, "cannot open the transport: out of memory");
	if (transport == NULL) {
		return err;
	}
	lk_connections_init(&transport->connections, &transport->exchanges, &options->limits);
	err = open_all(transport, options, ret_fault);
	if (err == LK_OK) {
		*ret = transport;
	} else {
		(void)lk_transport_close(transport, LK_TRANSPORT_SEND_MS);
	}
	return err;
}

const char *lk_transport_url(const struct lk_transport *transport, size_t index)
{
	return index < transport->n_listeners ? transport->listeners[index].served : NULL;
}

void lk_transport_stats(struct lk_transport *transport, struct lk_transport_stats *ret)
{
	*ret = (struct lk_transport_stats){.under_way = atomic_load(&transport->exchanges.under_way)};
	(void)pthread_mutex_lock(&transport->connections.lock);
	ret->connections = transport->connections.n_open;
	ret->connections_alive = transport->connections.alive;
	(void)pthread_mutex_unlock(&transport->connections.lock);
	(void)pthread_mutex_lock(&transport->exchanges.lock);
	ret->exchanges = transport->exchanges.count;
	(void)pthread_mutex_unlock(&transport->exchanges.lock);
	ret->parked = atomic_load(&transport->exchanges.parked);
	ret->queued_len = atomic_load(&transport->connections.queued);
}

enum lk_err lk_transport_drain(struct lk_transport *transport, uint32_t timeout_ms)
{
	struct timespec until = lk_deadline_in(timeout_ms);

	if (!lk_exchanges_drain(&transport->exchanges, &until) ||
		!lk_connections_flush(&transport->connections, &until)) {
		return LK_DEADLINE_EXCEEDED;
	}
	return LK_OK;
}

/* Where no housekeeper was started, nobody else frees what has ended. */
static bool wait_for_connections(struct lk_transport *transport, uint32_t timeout_ms)
{
	struct lk_connections *connections = &transport->connections;
	struct timespec until = lk_deadline_in(timeout_ms);
	bool gone = false;
	int waited = 0;

	if (!transport->has_housekeeper) {
		lk_connections_tend(connections);
	}
	(void)pthread_mutex_lock(&connections->lock);
	while (connections->alive > 0 && waited == 0) {
		waited = pthread_cond_timedwait(&connections->changed, &connections->lock, &until);
	}
	gone = connections->alive == 0;
	(void)pthread_mutex_unlock(&connections->lock);
	return gone;
}

enum lk_err lk_transport_close(struct lk_transport *transport, uint32_t timeout_ms)
{
	if (transport == NULL) {
		return LK_OK;
	}
	for (size_t i = 0; i < transport->n_listeners; i++) {
		lk_listener_close(&transport->listeners[i]);
	}
	lk_connections_end(&transport->connections);
	if (!wait_for_connections(transport, timeout_ms)) {
		return LK_DEADLINE_EXCEEDED;
	}
	free_all(transport);
	return LK_OK;
}

#include "server/rpc/connection.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/rpc/connection_internal.h"
#include "server/rpc/deadline.h"

/* How long a client may take to say what it speaks. */
#define GREETING_MS 5000

/* Replies of one connection that may wait before no more is read from it, and how few must be left when it is again. */
#define QUEUED_MAX ((size_t)4 << 20)
#define QUEUED_LOW ((size_t)1 << 20)
/* The same of all connections: past it, none that has any waiting is read from. */
#define QUEUED_ALL_MAX ((size_t)256 << 20)

void lk_connection_hold(struct lk_connection *connection)
{
	(void)atomic_fetch_add(&connection->references, 1);
}

/* The last one to let go leaves it to the housekeeper. */
void lk_connection_release(struct lk_connection *connection)
{
	struct lk_connections *all = connection->all;

	if (atomic_fetch_sub(&connection->references, 1) > 1) {
		return;
	}
	(void)pthread_mutex_lock(&all->lock);
	connection->next = all->dead;
	all->dead = connection;
	(void)pthread_cond_broadcast(&all->changed);
	(void)pthread_mutex_unlock(&all->lock);
}

static void unlist(struct lk_connection *connection)
{
	struct lk_connections *all = connection->all;

	(void)pthread_mutex_lock(&all->lock);
	if (connection->previous != NULL) {
		connection->previous->next = connection->next;
	} else {
		all->open = connection->next;
	}
	if (connection->next != NULL) {
		connection->next->previous = connection->previous;
	}
	all->n_open--;
	(void)pthread_mutex_unlock(&all->lock);
}

/* Before the stream is given something to do; false where it is closed. */
static bool go_in(struct lk_connection *connection)
{
	uint_least32_t gate = atomic_load(&connection->gate);

	do {
		if (gate & LK_GATE_CLOSED) {
			return false;
		}
	} while (!atomic_compare_exchange_weak(&connection->gate, &gate, gate + 1));
	return true;
}

static void go_out(struct lk_connection *connection)
{
	if (atomic_fetch_sub(&connection->gate, 1) == LK_GATE_CLOSED + 1) {
		nng_stream_close(connection->stream);
	}
}

bool lk_connection_is_closed(const struct lk_connection *connection)
{
	return (atomic_load(&connection->gate) & LK_GATE_CLOSED) != 0;
}

void lk_connection_shut(struct lk_connection *connection, const char *reason)
{
	uint_least32_t gate = atomic_fetch_or(&connection->gate, LK_GATE_CLOSED);
	uint64_t suppressed = 0;

	if (gate & LK_GATE_CLOSED) {
		return;
	}
	if (reason != NULL && lk_log_allow(&connection->all->closed_log, &suppressed)) {
		LK_LOG(LK_LOG_WARN, "connection closed", LK_STR("reason", reason),
			LK_STR("peer", connection->peer_text), LK_UINT("suppressed", suppressed));
	}
	if (gate == 0) {
		nng_stream_close(connection->stream);
	}
	unlist(connection);
	/* The list's reference; and where nobody receives, that of who would. */
	lk_connection_release(connection);
	if (atomic_exchange(&connection->paused, false)) {
		lk_connection_release(connection);
	}
}

/* By who sends. Where the connection is closed, nobody sends any more: who sends stays who does. */
static void start_sending(struct lk_connection *connection, const nng_iov *pieces, unsigned n)
{
	if (!go_in(connection)) {
		return;
	}
	lk_connection_hold(connection);
	(void)nng_aio_set_iov(connection->tx, n, pieces);
	nng_aio_set_timeout(connection->tx, LK_TRANSPORT_SEND_MS);
	nng_stream_send(connection->stream, connection->tx);
	go_out(connection);
}

void lk_connection_send(struct lk_connection *connection)
{
	const nng_iov *pieces = NULL;
	unsigned n = lk_outbox_claim(&connection->outbox, &pieces);

	if (n > 0) {
		start_sending(connection, pieces, n);
	}
}

void lk_connection_queue(struct lk_connection *connection, struct lk_reply *reply)
{
	if (lk_connection_is_closed(connection)) {
		lk_reply_free(reply);
		return;
	}
	lk_outbox_add(&connection->outbox, reply);
	lk_connection_send(connection);
}

bool lk_connection_read(struct lk_connection *connection, const nng_iov *room)
{
	if (!go_in(connection)) {
		return false;
	}
	/* The receiver's own reference goes with the bytes, to whichever thread they come on, and perhaps before this returns. */
	lk_connection_hold(connection);
	(void)nng_aio_set_iov(connection->rx, 1, room);
	nng_stream_recv(connection->stream, connection->rx);
	go_out(connection);
	lk_connection_release(connection);
	return true;
}

bool lk_connection_is_full(struct lk_connection *connection)
{
	size_t waiting = atomic_load(&connection->outbox.size);

	return !lk_outbox_has_room(&connection->outbox) || waiting > QUEUED_MAX ||
	       (waiting > 0 && atomic_load(&connection->all->queued) > QUEUED_ALL_MAX);
}

/* Whether who paused may go on. It comes true at the latest when nothing waits, of which who sends then is told. */
static bool has_caught_up(struct lk_connection *connection)
{
	size_t waiting = atomic_load(&connection->outbox.size);

	return lk_outbox_tray_is_sent(&connection->outbox) && waiting <= QUEUED_LOW &&
	       (waiting == 0 || atomic_load(&connection->all->queued) <= QUEUED_ALL_MAX);
}

/*
 * Said first, and looked at afterwards, for who sends and who closes do it the other way round: they change what is looked at
 * here, and look at `paused` afterwards. So none of them can miss both; and who takes it away is one.
 */
bool lk_connection_pause(struct lk_connection *connection)
{
	bool others = true;

	/* The receiver's own reference is, from then on, whoever's takes `paused` away. */
	lk_connection_hold(connection);
	atomic_store(&connection->paused, true);
	if (has_caught_up(connection) || lk_connection_is_closed(connection)) {
		others = !atomic_exchange(&connection->paused, false);
	}
	lk_connection_release(connection);
	return others;
}

/* The last reply that waited is sent: whoever waits for that is told. */
static void tell_flushed(struct lk_connections *all)
{
	if (!atomic_load(&all->exchanges->draining)) {
		return;
	}
	(void)pthread_mutex_lock(&all->lock);
	(void)pthread_cond_broadcast(&all->changed);
	(void)pthread_mutex_unlock(&all->lock);
}

static void on_sent(void *argument)
{
	struct lk_connection *connection = argument;
	int result = nng_aio_result(connection->tx);
	const nng_iov *pieces = NULL;
	unsigned n = 0;

	if (result != 0) {
		lk_connection_shut(connection, result == NNG_ETIMEDOUT ? "the peer does not read its replies" : NULL);
		lk_connection_release(connection);
		return;
	}
	if (lk_outbox_sent(&connection->outbox, nng_aio_count(connection->tx))) {
		tell_flushed(connection->all);
	}
	n = lk_outbox_next(&connection->outbox, &pieces);
	if (n > 0) {
		/* From here on it may be called again, on another thread. */
		start_sending(connection, pieces, n);
	}
	if (has_caught_up(connection) && atomic_exchange(&connection->paused, false)) {
		lk_connection_take_apart(connection);
	}
	lk_connection_release(connection);
}

/* Read once, while the connection is open. */
static void read_peer(struct lk_connection *connection)
{
	char address[INET6_ADDRSTRLEN] = "";
	uint64_t uid = UINT64_MAX;
	nng_sockaddr from = {0};
	char *text = connection->peer_text;

	connection->peer = (struct lk_peer){.uid_known = false, .uid = (uid_t)-1};
	if (connection->ipc) {
		(void)snprintf(text, LK_PEER_TEXT_LEN, "ipc");
		if (nng_stream_get_uint64(connection->stream, NNG_OPT_IPC_PEER_UID, &uid) == 0 && uid < UINT32_MAX) {
			connection->peer = (struct lk_peer){.uid_known = true, .uid = (uid_t)uid};
		}
	} else if (nng_stream_get_addr(connection->stream, NNG_OPT_REMADDR, &from) != 0) {
		text[0] = '\0';
	} else if (from.s_family == NNG_AF_INET) {
		(void)inet_ntop(AF_INET, &from.s_in.sa_addr, address, sizeof(address));
		(void)snprintf(text, LK_PEER_TEXT_LEN, "tcp:%s:%u", address, ntohs(from.s_in.sa_port));
	} else if (from.s_family == NNG_AF_INET6) {
		(void)inet_ntop(AF_INET6, from.s_in6.sa_addr, address, sizeof(address));
		(void)snprintf(text, LK_PEER_TEXT_LEN, "tcp:[%s]:%u", address, ntohs(from.s_in6.sa_port));
	}
}

/* Frees one that nobody holds; waits for its callbacks to return. */
static void destroy(struct lk_connection *connection)
{
	nng_aio_free(connection->rx);
	nng_aio_free(connection->tx);
	nng_stream_free(connection->stream);
	lk_outbox_done(&connection->outbox);
	if (connection->large != NULL) {
		sodium_memzero(connection->large, connection->large_len);
		free(connection->large);
	}
	sodium_memzero(connection->chunk, connection->end);
	free(connection);
}

/* Without a stream where it fails; that one is the caller's then. */
static struct lk_connection *make(struct lk_connections *all, nng_stream *stream, bool ipc)
{
	struct lk_connection *connection = malloc(sizeof(*connection));

	if (connection == NULL) {
		return NULL;
	}
	/* Its buffers take memory as they are used. */
	memset(connection, 0, offsetof(struct lk_connection, outbox));
	lk_outbox_init(&connection->outbox, &all->queued);
	connection->next = NULL;
	connection->previous = NULL;
	if (nng_aio_alloc(&connection->rx, lk_connection_on_received, connection) != 0 ||
		nng_aio_alloc(&connection->tx, on_sent, connection) != 0) {
		nng_aio_free(connection->rx);
		free(connection);
		return NULL;
	}
	connection->all = all;
	connection->stream = stream;
	connection->ipc = ipc;
	connection->greet_by_ms = lk_deadline_now_ms() + GREETING_MS;
	/* The list's, and that of who receives. */
	atomic_store(&connection->references, 2);
	read_peer(connection);
	return connection;
}

/* Puts it into the list, unless the transport is being closed or, then `*ret_full`, there are too many. */
static bool list(struct lk_connections *all, struct lk_connection *connection, bool *ret_full)
{
	bool listed = false;

	(void)pthread_mutex_lock(&all->lock);
	*ret_full = all->n_open >= all->limits.connections_max;
	listed = !all->closing && !*ret_full;
	if (listed) {
		connection->next = all->open;
		if (all->open != NULL) {
			all->open->previous = connection;
		}
		all->open = connection;
		all->n_open++;
		all->alive++;
	}
	(void)pthread_mutex_unlock(&all->lock);
	return listed;
}

static void send_greeting(struct lk_connection *connection)
{
	uint8_t *out = NULL;
	struct lk_reply *greeting = lk_reply_new(LK_SP_GREETING_LEN, &out);

	if (greeting == NULL) {
		lk_connection_shut(connection, "there is no memory to greet it");
		return;
	}
	for (size_t i = 0; i < LK_SP_GREETING_LEN; i++) {
		out[i] = lk_sp_rep_greeting[i];
	}
	lk_connection_queue(connection, greeting);
}

void lk_connection_begin(struct lk_connections *connections, nng_stream *stream, bool ipc)
{
	struct lk_connection *connection = NULL;
	uint64_t suppressed = 0;
	bool full = false;

	if (!atomic_load(&connections->exchanges->draining)) {
		connection = make(connections, stream, ipc);
	}
	if (connection == NULL) {
		nng_stream_free(stream);
		return;
	}
	if (!list(connections, connection, &full)) {
		if (full && lk_log_allow(&connections->refused_log, &suppressed)) {
			LK_LOG(LK_LOG_WARN, "connection refused", LK_STR("reason", "there are too many"),
				LK_UINT("connections_max", connections->limits.connections_max),
				LK_STR("peer", connection->peer_text), LK_UINT("suppressed", suppressed));
		}
		destroy(connection);
		return;
	}
	send_greeting(connection);
	lk_connection_receive(connection);
}

void lk_connections_init(
	struct lk_connections *connections, struct lk_exchanges *exchanges, const struct lk_transport_limits *limits)
{
	*connections = (struct lk_connections){.exchanges = exchanges, .limits = *limits};
	(void)pthread_mutex_init(&connections->lock, NULL);
	lk_deadline_init_condition(&connections->changed);
}

void lk_connections_done(struct lk_connections *connections)
{
	(void)pthread_cond_destroy(&connections->changed);
	(void)pthread_mutex_destroy(&connections->lock);
}

static void free_dead(struct lk_connections *connections)
{
	struct lk_connection *dead = NULL;

	(void)pthread_mutex_lock(&connections->lock);
	dead = connections->dead;
	connections->dead = NULL;
	(void)pthread_mutex_unlock(&connections->lock);
	while (dead != NULL) {
		struct lk_connection *next = dead->next;

		destroy(dead);
		dead = next;
		(void)pthread_mutex_lock(&connections->lock);
		connections->alive--;
		(void)pthread_cond_broadcast(&connections->changed);
		(void)pthread_mutex_unlock(&connections->lock);
	}
}

/* The first in the list that `matches`, with a reference for the caller. */
static struct lk_connection *find(
	struct lk_connections *connections, bool (*matches)(const struct lk_connection *connection, uint64_t now_ms))
{
	struct lk_connection *connection = NULL;
	uint64_t now_ms = lk_deadline_now_ms();

	(void)pthread_mutex_lock(&connections->lock);
	connection = connections->open;
	while (connection != NULL && !matches(connection, now_ms)) {
		connection = connection->next;
	}
	if (connection != NULL) {
		lk_connection_hold(connection);
	}
	(void)pthread_mutex_unlock(&connections->lock);
	return connection;
}

static bool is_late(const struct lk_connection *connection, uint64_t now_ms)
{
	return !atomic_load(&connection->greeted) && now_ms > connection->greet_by_ms;
}

static bool is_any(const struct lk_connection *connection, uint64_t now_ms)
{
	(void)connection;
	(void)now_ms;
	return true;
}

void lk_connections_tend(struct lk_connections *connections)
{
	struct lk_connection *late = NULL;

	while ((late = find(connections, is_late)) != NULL) {
		lk_connection_shut(late, "the peer does not say what it speaks");
		lk_connection_release(late);
	}
	free_dead(connections);
}

bool lk_connections_flush(struct lk_connections *connections, const struct timespec *until)
{
	int waited = 0;

	(void)pthread_mutex_lock(&connections->lock);
	while (atomic_load(&connections->queued) > 0 && waited == 0) {
		waited = pthread_cond_timedwait(&connections->changed, &connections->lock, until);
	}
	(void)pthread_mutex_unlock(&connections->lock);
	return atomic_load(&connections->queued) == 0;
}

void lk_connections_end(struct lk_connections *connections)
{
	struct lk_connection *connection = NULL;

	(void)pthread_mutex_lock(&connections->lock);
	connections->closing = true;
	(void)pthread_mutex_unlock(&connections->lock);
	while ((connection = find(connections, is_any)) != NULL) {
		lk_connection_shut(connection, NULL);
		lk_connection_release(connection);
	}
}

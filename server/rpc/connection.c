#include "server/rpc/connection.h"

#include <arpa/inet.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/rpc/connection_internal.h"
#include "server/rpc/deadline.h"

/* How long a client may take to say what it speaks. */
#define GREETING_MS 5000

/* Replies of one connection that may wait before no more is read from it, and how few must be left when it is again. */
#define QUEUED_MAX ((size_t)4 << 20)
#define QUEUED_LOW ((size_t)1 << 20)
/* The same of all connections: past it, none that has any waiting is read from. */
#define QUEUED_ALL_MAX ((size_t)256 << 20)

/* The last one to let go leaves it to the housekeeper. */
void lk_connection_release(struct lk_connection *connection)
{
	struct lk_connections *all = connection->all;
	bool last = false;

	(void)pthread_mutex_lock(&connection->lock);
	last = --connection->references == 0;
	(void)pthread_mutex_unlock(&connection->lock);
	if (!last) {
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

void lk_connection_shut(struct lk_connection *connection, const char *reason)
{
	uint64_t suppressed = 0;
	bool paused = false;
	bool closed = false;

	(void)pthread_mutex_lock(&connection->lock);
	closed = connection->closed;
	connection->closed = true;
	paused = connection->paused;
	connection->paused = false;
	(void)pthread_mutex_unlock(&connection->lock);
	if (closed) {
		return;
	}
	if (reason != NULL && lk_log_allow(&connection->all->closed_log, &suppressed)) {
		LK_LOG(LK_LOG_WARN, "connection closed", LK_STR("reason", reason),
			LK_STR("peer", connection->peer_text), LK_UINT("suppressed", suppressed));
	}
	nng_stream_close(connection->stream);
	unlist(connection);
	/* The list's reference; and where nobody receives, that of who would. */
	lk_connection_release(connection);
	if (paused) {
		lk_connection_release(connection);
	}
}

/*
 * Called with the lock: sends what waits, if that is to be done now. Under the lock, because what is given to a stream of nng's
 * that is closed already never comes back.
 */
static void send_waiting(struct lk_connection *connection)
{
	nng_iov pieces[LK_OUTBOX_PIECES];
	unsigned n = 0;

	if (connection->sending || connection->corked || connection->closed) {
		return;
	}
	n = lk_outbox_pieces(&connection->outbox, pieces);
	if (n == 0) {
		return;
	}
	connection->sending = true;
	connection->references++;
	(void)nng_aio_set_iov(connection->tx, n, pieces);
	nng_aio_set_timeout(connection->tx, LK_TRANSPORT_SEND_MS);
	nng_stream_send(connection->stream, connection->tx);
}

void lk_connection_queue(struct lk_connection *connection, struct lk_reply *reply)
{
	bool closed = false;

	(void)pthread_mutex_lock(&connection->lock);
	closed = connection->closed;
	if (!closed) {
		atomic_fetch_add(&connection->all->queued, lk_outbox_add(&connection->outbox, reply));
		send_waiting(connection);
	}
	(void)pthread_mutex_unlock(&connection->lock);
	if (closed) {
		lk_reply_free(reply);
	}
}

void lk_connection_cork(struct lk_connection *connection)
{
	(void)pthread_mutex_lock(&connection->lock);
	connection->corked = true;
	(void)pthread_mutex_unlock(&connection->lock);
}

void lk_connection_uncork(struct lk_connection *connection)
{
	(void)pthread_mutex_lock(&connection->lock);
	connection->corked = false;
	send_waiting(connection);
	(void)pthread_mutex_unlock(&connection->lock);
}

bool lk_connection_read(struct lk_connection *connection, const nng_iov *room)
{
	bool open = false;

	(void)pthread_mutex_lock(&connection->lock);
	open = !connection->closed;
	if (open) {
		(void)nng_aio_set_iov(connection->rx, 1, room);
		nng_stream_recv(connection->stream, connection->rx);
	}
	(void)pthread_mutex_unlock(&connection->lock);
	return open;
}

/* Called with the lock. */
static bool is_full(const struct lk_connection *connection)
{
	size_t waiting = connection->outbox.size;

	return waiting > QUEUED_MAX || (waiting > 0 && atomic_load(&connection->all->queued) > QUEUED_ALL_MAX);
}

bool lk_connection_is_full(struct lk_connection *connection)
{
	bool full = false;

	(void)pthread_mutex_lock(&connection->lock);
	full = is_full(connection);
	(void)pthread_mutex_unlock(&connection->lock);
	return full;
}

bool lk_connection_is_closed(struct lk_connection *connection)
{
	bool closed = false;

	(void)pthread_mutex_lock(&connection->lock);
	closed = connection->closed;
	(void)pthread_mutex_unlock(&connection->lock);
	return closed;
}

bool lk_connection_pause(struct lk_connection *connection)
{
	bool paused = false;

	(void)pthread_mutex_lock(&connection->lock);
	/* Only while somebody sends, who then goes on with it. */
	paused = is_full(connection) && connection->sending && !connection->closed;
	connection->paused = paused;
	(void)pthread_mutex_unlock(&connection->lock);
	return paused;
}

/* Called with the lock: whether who was paused may go on. */
static bool resume(struct lk_connection *connection)
{
	bool resumed = connection->paused && !connection->closed && !is_full(connection) &&
		       connection->outbox.size <= QUEUED_LOW;

	if (resumed) {
		connection->paused = false;
	}
	return resumed;
}

/* Whoever waits for the last reply is told. */
static void sent_some(struct lk_connections *all, size_t size)
{
	if (atomic_fetch_sub(&all->queued, size) != size || !atomic_load(&all->exchanges->draining)) {
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
	struct lk_reply *sent = NULL;
	bool resumed = false;
	size_t size = 0;

	if (result != 0) {
		lk_connection_shut(connection, result == NNG_ETIMEDOUT ? "the peer does not read its replies" : NULL);
	}
	(void)pthread_mutex_lock(&connection->lock);
	connection->sending = false;
	if (result == 0) {
		sent = lk_outbox_sent(&connection->outbox, nng_aio_count(connection->tx), &size);
		send_waiting(connection);
		resumed = resume(connection);
	}
	(void)pthread_mutex_unlock(&connection->lock);
	sent_some(connection->all, size);
	lk_reply_free(sent);
	/* Who was paused has kept its reference. */
	if (resumed) {
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
	atomic_fetch_sub(&connection->all->queued, connection->outbox.size);
	lk_reply_free(connection->outbox.first);
	if (connection->large != NULL) {
		sodium_memzero(connection->large, connection->large_len);
		free(connection->large);
	}
	sodium_memzero(connection->chunk, sizeof(connection->chunk));
	(void)pthread_mutex_destroy(&connection->lock);
	free(connection);
}

/* Without a stream where it fails; that one is the caller's then. */
static struct lk_connection *make(struct lk_connections *all, nng_stream *stream, bool ipc)
{
	struct lk_connection *connection = calloc(1, sizeof(*connection));

	if (connection == NULL) {
		return NULL;
	}
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
	connection->references = 2;
	(void)pthread_mutex_init(&connection->lock, NULL);
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

/* The first in the list that `late` is true of, with a reference for the caller. */
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
		(void)pthread_mutex_lock(&connection->lock);
		connection->references++;
		(void)pthread_mutex_unlock(&connection->lock);
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

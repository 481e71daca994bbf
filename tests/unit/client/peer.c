#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* Type 1 and a length of 8 bytes, before each message over ipc. */
#define HEAD_LEN     9
#define ID_LEN       4
#define GREETING_LEN 8

void address_make(struct address *address)
{
	(void)snprintf(address->directory, sizeof(address->directory), "/tmp/lk-client-XXXXXX");
	assert_non_null(mkdtemp(address->directory));
	snprintf(address->url, sizeof(address->url), "ipc://%s/s", address->directory);
}

void address_remove(const struct address *address)
{
	unlink(address->url + strlen("ipc://"));
	rmdir(address->directory);
}

static bool read_all(int fd, void *data, size_t len)
{
	uint8_t *at = data;

	while (len > 0) {
		ssize_t n = read(fd, at, len);
		if (n <= 0) {
			return false;
		}
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static void write_all(int fd, const void *data, size_t len)
{
	const uint8_t *at = data;

	while (len > 0) {
		ssize_t n = send(fd, at, len, MSG_NOSIGNAL);
		if (n <= 0) {
			return;
		}
		at += n;
		len -= (size_t)n;
	}
}

/* The message without its id, which goes to `id`; NULL where the connection is over. */
static uint8_t *read_message(int fd, uint8_t id[ID_LEN], size_t *ret_len)
{
	uint8_t head[HEAD_LEN];
	size_t len = 0;

	if (!read_all(fd, head, sizeof(head))) {
		return NULL;
	}
	for (size_t i = 1; i < HEAD_LEN; i++) {
		len = len << 8 | head[i];
	}
	if (len < ID_LEN || !read_all(fd, id, ID_LEN)) {
		return NULL;
	}
	len -= ID_LEN;
	uint8_t *data = malloc(len + 1);
	if (!read_all(fd, data, len)) {
		free(data);
		return NULL;
	}
	*ret_len = len;
	return data;
}

static unsigned record(struct peer *peer, uint8_t *data, size_t len)
{
	pthread_mutex_lock(&peer->lock);
	unsigned index = peer->n;
	if (index == PEER_REQUESTS_MAX) {
		abort();
	}
	peer->requests[index].data = data;
	peer->requests[index].len = len;
	peer->n++;
	pthread_cond_broadcast(&peer->received);
	pthread_mutex_unlock(&peer->lock);
	return index;
}

static void answer(struct peer_connection *connection, const uint8_t id[ID_LEN], uint8_t *data, size_t len)
{
	struct peer *peer = connection->peer;
	struct lk_request_envelope request = {0};
	const char *fault = NULL;

	pthread_mutex_lock(&peer->script_lock);
	unsigned index = record(peer, data, len);
	peer->current = connection;
	memcpy(peer->id, id, ID_LEN);
	if (lk_envelope_scan_request(data, len, &request, &fault) == LK_OK) {
		peer->script(peer, index, &request);
	}
	pthread_mutex_unlock(&peer->script_lock);
}

static void *serve(void *argument)
{
	struct peer_connection *connection = argument;
	uint8_t other[GREETING_LEN], id[ID_LEN];
	uint8_t *data = NULL;
	size_t len = 0;

	write_all(connection->fd, connection->peer->greeting, GREETING_LEN);
	if (read_all(connection->fd, other, sizeof(other))) {
		while ((data = read_message(connection->fd, id, &len))) {
			answer(connection, id, data, len);
		}
	}
	shutdown(connection->fd, SHUT_RDWR);
	return NULL;
}

static void *accept_all(void *argument)
{
	struct peer *peer = argument;
	int fd = -1;

	while ((fd = accept(peer->listener, NULL, NULL)) >= 0) {
		pthread_mutex_lock(&peer->lock);
		struct peer_connection *connection = &peer->connections[peer->n_connections];
		if (peer->n_connections == PEER_CONNECTIONS_MAX) {
			abort();
		}
		*connection = (struct peer_connection){.peer = peer, .fd = fd};
		if (pthread_create(&connection->thread, NULL, serve, connection) == 0) {
			peer->n_connections++;
		} else {
			close(fd);
		}
		pthread_mutex_unlock(&peer->lock);
	}
	return NULL;
}

void peer_start(struct peer *peer, const char *url, peer_script script)
{
	peer_start_as(peer, url, script, PEER_GREETING_REP);
}

void peer_start_as(struct peer *peer, const char *url, peer_script script, const char *greeting)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	memset(peer, 0, sizeof(*peer));
	pthread_mutex_init(&peer->script_lock, NULL);
	pthread_mutex_init(&peer->lock, NULL);
	pthread_cond_init(&peer->received, NULL);
	peer->script = script;
	peer->greeting = greeting;
	peer->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(peer->listener >= 0);
	strncpy(address.sun_path, url + strlen("ipc://"), sizeof(address.sun_path) - 1);
	unlink(address.sun_path);
	assert_int_equal(bind(peer->listener, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(peer->listener, 128), 0);
	assert_int_equal(pthread_create(&peer->thread, NULL, accept_all, peer), 0);
}

void peer_stop(struct peer *peer)
{
	shutdown(peer->listener, SHUT_RDWR);
	pthread_join(peer->thread, NULL);
	close(peer->listener);
	for (unsigned i = 0; i < peer->n_connections; i++) {
		shutdown(peer->connections[i].fd, SHUT_RDWR);
		pthread_join(peer->connections[i].thread, NULL);
		close(peer->connections[i].fd);
	}
	for (unsigned i = 0; i < peer->n; i++) {
		free(peer->requests[i].data);
	}
	pthread_cond_destroy(&peer->received);
	pthread_mutex_destroy(&peer->lock);
	pthread_mutex_destroy(&peer->script_lock);
}

void peer_await(struct peer *peer, unsigned n)
{
	pthread_mutex_lock(&peer->lock);
	while (peer->n < n) {
		pthread_cond_wait(&peer->received, &peer->lock);
	}
	pthread_mutex_unlock(&peer->lock);
}

unsigned peer_count(struct peer *peer)
{
	pthread_mutex_lock(&peer->lock);
	unsigned n = peer->n;
	pthread_mutex_unlock(&peer->lock);
	return n;
}

struct lk_request_envelope peer_request(struct peer *peer, unsigned index)
{
	struct lk_request_envelope request = {0};
	const char *fault = NULL;

	peer_await(peer, index + 1);
	pthread_mutex_lock(&peer->lock);
	const uint8_t *data = peer->requests[index].data;
	size_t len = peer->requests[index].len;
	pthread_mutex_unlock(&peer->lock);
	assert_int_equal(lk_envelope_scan_request(data, len, &request, &fault), LK_OK);
	return request;
}

void peer_write(struct peer *peer, const void *data, size_t len)
{
	write_all(peer->current->fd, data, len);
}

void peer_reply_bytes(struct peer *peer, const void *data, size_t len)
{
	uint8_t head[HEAD_LEN + ID_LEN] = {1};
	size_t message_len = ID_LEN + len;

	for (size_t i = HEAD_LEN - 1; i > 0; i--, message_len >>= 8) {
		head[i] = (uint8_t)message_len;
	}
	memcpy(head + HEAD_LEN, peer->id, ID_LEN);
	peer_write(peer, head, sizeof(head));
	peer_write(peer, data, len);
}

void peer_reply(struct peer *peer, const struct lk_response_envelope *response)
{
	size_t head = lk_envelope_response_size(response), len = head + response->payload.len;
	uint8_t *bytes = malloc(len + 1);

	lk_envelope_response_pack(response, bytes);
	if (response->payload.len > 0) {
		memcpy(bytes + head, response->payload.data, response->payload.len);
	}
	peer_reply_bytes(peer, bytes, len);
	free(bytes);
}

void peer_reply_code(struct peer *peer, enum lk_err code, const char *message, uint32_t retry_after_ms)
{
	const struct lk_response_envelope response = {
		.code = (uint32_t)code,
		.message = {(const uint8_t *)message, strlen(message)},
		.retry_after_ms = retry_after_ms,
	};

	peer_reply(peer, &response);
}

void peer_hang_up(struct peer *peer)
{
	shutdown(peer->current->fd, SHUT_RDWR);
}

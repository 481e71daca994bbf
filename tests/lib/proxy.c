#include "tests/lib/proxy.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/lib/check.h"
#include "tests/lib/sp_raw.h"

#define PAIRS_MAX 16
/* SP's greeting, and the head of a message over ipc: 01, and its length in 8 bytes. Then 4 bytes that name the request. */
#define GREETING_LEN 8
#define HEAD_LEN     9
#define ID_LEN       4

/* A client's connection, and the one to the daemon that is made for it. */
struct pair {
	int client;
	int daemon;
	/* Of the daemon's greeting, what was passed on. */
	size_t greeted;
	/* Of the reply that is being lost, what has come. */
	uint8_t *reply;
	size_t len;
};

static void end_pair(struct pair *pair)
{
	(void)close(pair->client);
	(void)close(pair->daemon);
	free(pair->reply);
	*pair = (struct pair){.client = -1, .daemon = -1};
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
		(void)close(fd);
		return -1;
	}
	return fd;
}

static void accept_one(struct proxy *proxy, struct pair *pairs)
{
	int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
	int daemon = client < 0 ? -1 : connect_to(proxy->target);

	/* No daemon: the client is cut off, and comes again. */
	for (size_t i = 0; daemon >= 0 && i < PAIRS_MAX; i++) {
		if (pairs[i].client < 0) {
			pairs[i] = (struct pair){.client = client, .daemon = daemon};
			return;
		}
	}
	if (daemon >= 0) {
		(void)close(daemon);
	}
	if (client >= 0) {
		(void)close(client);
	}
}

/* Keeps what has come of a reply that is being lost; true where that is all of it. */
static bool lose(struct proxy *proxy, struct pair *pair, const uint8_t *data, size_t len)
{
	uint64_t big = 0;
	uint8_t *reply = realloc(pair->reply, pair->len + len);

	CHECK(reply != NULL);
	memcpy(reply + pair->len, data, len);
	pair->reply = reply;
	pair->len += len;
	if (pair->len < HEAD_LEN) {
		return false;
	}
	memcpy(&big, pair->reply + 1, sizeof big);
	if (pair->len < HEAD_LEN + be64toh(big)) {
		return false;
	}
	(void)pthread_mutex_lock(&proxy->lock);
	free(proxy->reply);
	proxy->reply_len = (size_t)be64toh(big) - ID_LEN;
	proxy->reply = malloc(proxy->reply_len + 1);
	CHECK(proxy->reply != NULL);
	memcpy(proxy->reply, pair->reply + HEAD_LEN + ID_LEN, proxy->reply_len);
	proxy->to_lose--;
	proxy->lost++;
	(void)pthread_mutex_unlock(&proxy->lock);
	return true;
}

/* Passes on what the daemon says, or loses it; false where the connection ends. */
static bool pass_back(struct proxy *proxy, struct pair *pair)
{
	uint8_t data[65536];
	ssize_t n = read(pair->daemon, data, sizeof data);
	size_t greeting = GREETING_LEN - pair->greeted;

	if (n <= 0) {
		return false;
	}
	greeting = greeting < (size_t)n ? greeting : (size_t)n;
	pair->greeted += greeting;
	(void)pthread_mutex_lock(&proxy->lock);
	bool losing = proxy->to_lose > 0;
	(void)pthread_mutex_unlock(&proxy->lock);
	if (!losing) {
		return sp_raw_write((struct sp_raw){.fd = pair->client}, data, (size_t)n);
	}
	if (!sp_raw_write((struct sp_raw){.fd = pair->client}, data, greeting)) {
		return false;
	}
	return (size_t)n == greeting || !lose(proxy, pair, data + greeting, (size_t)n - greeting);
}

static void watch(struct proxy *proxy, const uint8_t *data, size_t len)
{
	const uint8_t *end = data + len;

	(void)pthread_mutex_lock(&proxy->lock);
	size_t text_len = proxy->watched == NULL ? 0 : strlen(proxy->watched);
	while (text_len > 0 && (data = memmem(data, (size_t)(end - data), proxy->watched, text_len)) != NULL) {
		proxy->n_watched++;
		data += text_len;
	}
	(void)pthread_mutex_unlock(&proxy->lock);
}

static bool pass_on(struct proxy *proxy, struct pair *pair)
{
	uint8_t data[65536];
	ssize_t n = read(pair->client, data, sizeof data);

	if (n <= 0) {
		return false;
	}
	watch(proxy, data, (size_t)n);
	return sp_raw_write((struct sp_raw){.fd = pair->daemon}, data, (size_t)n);
}

static void serve(struct proxy *proxy, struct pair *pair, const struct pollfd *client, const struct pollfd *daemon)
{
	if ((client->revents != 0 && !pass_on(proxy, pair)) || (daemon->revents != 0 && !pass_back(proxy, pair))) {
		end_pair(pair);
	}
}

static void *run(void *argument)
{
	struct proxy *proxy = argument;
	struct pollfd polled[2 + 2 * PAIRS_MAX];
	struct pair pairs[PAIRS_MAX];

	for (size_t i = 0; i < PAIRS_MAX; i++) {
		pairs[i] = (struct pair){.client = -1, .daemon = -1};
	}
	for (;;) {
		polled[0] = (struct pollfd){.fd = proxy->stop[0], .events = POLLIN};
		polled[1] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
		for (size_t i = 0; i < PAIRS_MAX; i++) {
			polled[2 + 2 * i] = (struct pollfd){.fd = pairs[i].client, .events = POLLIN};
			polled[3 + 2 * i] = (struct pollfd){.fd = pairs[i].daemon, .events = POLLIN};
		}
		CHECK(poll(polled, sizeof polled / sizeof polled[0], -1) > 0 || errno == EINTR);
		if (polled[0].revents != 0) {
			break;
		}
		for (size_t i = 0; i < PAIRS_MAX; i++) {
			serve(proxy, &pairs[i], &polled[2 + 2 * i], &polled[3 + 2 * i]);
		}
		if (polled[1].revents != 0) {
			accept_one(proxy, pairs);
		}
	}
	for (size_t i = 0; i < PAIRS_MAX; i++) {
		if (pairs[i].client >= 0) {
			end_pair(&pairs[i]);
		}
	}
	return NULL;
}

void proxy_start(struct proxy *proxy, const char *daemon_url)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	*proxy = (struct proxy){.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
	(void)snprintf(proxy->target, sizeof proxy->target, "%s", daemon_url + strlen("ipc://"));
	(void)snprintf(proxy->path, sizeof proxy->path, "%.90s.proxy", proxy->target);
	(void)snprintf(proxy->url, sizeof proxy->url, "ipc://%s", proxy->path);
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", proxy->path);
	CHECK(proxy->listener >= 0);
	CHECK(bind(proxy->listener, (const struct sockaddr *)&address, sizeof address) == 0);
	CHECK(listen(proxy->listener, 16) == 0);
	CHECK(pipe2(proxy->stop, O_CLOEXEC) == 0);
	CHECK(pthread_mutex_init(&proxy->lock, NULL) == 0);
	CHECK(pthread_create(&proxy->thread, NULL, run, proxy) == 0);
}

void proxy_stop(struct proxy *proxy)
{
	CHECK(write(proxy->stop[1], "", 1) == 1);
	CHECK(pthread_join(proxy->thread, NULL) == 0);
	(void)close(proxy->stop[0]);
	(void)close(proxy->stop[1]);
	(void)close(proxy->listener);
	(void)unlink(proxy->path);
	(void)pthread_mutex_destroy(&proxy->lock);
	free(proxy->reply);
}

void proxy_lose(struct proxy *proxy, unsigned count)
{
	(void)pthread_mutex_lock(&proxy->lock);
	proxy->to_lose = count;
	proxy->lost = 0;
	free(proxy->reply);
	proxy->reply = NULL;
	(void)pthread_mutex_unlock(&proxy->lock);
}

unsigned proxy_lost(struct proxy *proxy)
{
	(void)pthread_mutex_lock(&proxy->lock);
	unsigned lost = proxy->lost;
	(void)pthread_mutex_unlock(&proxy->lock);
	return lost;
}

uint8_t *proxy_lost_reply(struct proxy *proxy, size_t *ret_len)
{
	(void)pthread_mutex_lock(&proxy->lock);
	uint8_t *reply = proxy->reply;
	*ret_len = proxy->reply_len;
	proxy->reply = NULL;
	(void)pthread_mutex_unlock(&proxy->lock);
	return reply;
}

void proxy_watch(struct proxy *proxy, const char *text)
{
	(void)pthread_mutex_lock(&proxy->lock);
	proxy->watched = text;
	proxy->n_watched = 0;
	(void)pthread_mutex_unlock(&proxy->lock);
}

uint64_t proxy_watched(struct proxy *proxy)
{
	(void)pthread_mutex_lock(&proxy->lock);
	uint64_t n = proxy->n_watched;
	(void)pthread_mutex_unlock(&proxy->lock);
	return n;
}

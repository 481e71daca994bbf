#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/rpc/listeners.h"

/* The daemon's group may connect; what it may do then is decided by its credentials. */
#define SOCKET_MODE 0660

/* How long a process that holds a path may take to say who it is. */
#define GREETING_MS 500

/* The SP handshake (nanomsg's RFC "sp-tcp-mapping-01"): protocol 0x30 is REQ, 0x31 REP. */
static const uint8_t req_greeting[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};

int lk_listener_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int saved = 0;

	if (fd < 0)
		return -1;
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

bool lk_listener_greet(int fd)
{
	return send(fd, req_greeting, sizeof(req_greeting), MSG_NOSIGNAL) == (ssize_t)sizeof(req_greeting);
}

bool lk_listener_is_served(const char *path, pid_t *ret_pid)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	uint8_t greeting[8] = {0};
	int fd = lk_listener_connect(path);

	*ret_pid = 0;
	/* EAGAIN: somebody listens, and is busy. */
	if (fd < 0)
		return errno == EAGAIN;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		*ret_pid = peer.pid;
	/* To leave in the middle of the handshake would end the other's listener, if that is nng's too. */
	if (lk_listener_greet(fd)) {
		struct pollfd readable = {.fd = fd, .events = POLLIN};

		(void)poll(&readable, 1, GREETING_MS);
		(void)recv(fd, greeting, sizeof(greeting), 0);
	}
	(void)close(fd);
	return true;
}

/* A place for one more generation: a free one, or the oldest's, whose listener the caller closes. Called with the lock. */
static struct lk_generation *take_place(struct lk_listener *listener, nng_listener *ret_evicted)
{
	struct lk_generation *oldest = NULL;

	for (size_t i = 0; i < LK_GENERATIONS_MAX; i++) {
		struct lk_generation *place = &listener->generations[i];

		if (!place->used)
			return place;
		if (place != listener->current && (oldest == NULL || place->number < oldest->number))
			oldest = place;
	}
	*ret_evicted = oldest->listener;
	return oldest;
}

static enum lk_err __attribute__((format(printf, 3, 4)))
fault(char *ret_fault, enum lk_err err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(ret_fault, LK_TRANSPORT_FAULT_LEN, format, args);
	va_end(args);
	return err;
}

/* Creates nng's listener, not yet started: bound to a private name where it is ipc. */
static enum lk_err create(struct lk_listeners *listeners, const struct lk_listener *listener,
	struct lk_generation *generation, char *ret_fault)
{
	char url[sizeof("ipc://") + LK_URL_PATH_MAX] = "";
	const char *path = listener->url.rest;
	bool ipc = listener->url.scheme == LK_SCHEME_IPC;
	int rv = 0;

	if (ipc) {
		(void)snprintf(generation->bound, sizeof(generation->bound), "%.*s/.lk-%08x",
			(int)(strrchr(path, '/') - path), path, (unsigned)randombytes_random());
		(void)snprintf(url, sizeof(url), "ipc://%s", generation->bound);
	}
	rv = nng_listener_create(&generation->listener, listeners->socket, ipc ? url : listener->text);
	if (rv == 0 && ipc)
		rv = nng_listener_set_int(generation->listener, NNG_OPT_IPC_PERMISSIONS, SOCKET_MODE);
	if (rv == 0 && listener->url.scheme == LK_SCHEME_TCP)
		rv = nng_listener_set_bool(generation->listener, NNG_OPT_TCP_KEEPALIVE, true);
	if (rv != 0)
		return fault(ret_fault, LK_IO, "cannot listen on %s: %s", listener->text, nng_strerror(rv));
	generation->id = nng_listener_id(generation->listener);
	return LK_OK;
}

/* Puts the new socket where clients look for it. */
static enum lk_err publish(
	struct lk_listeners *listeners, struct lk_listener *listener, struct lk_generation *generation, char *ret_fault)
{
	struct stat status = {0};

	if (listener->url.scheme == LK_SCHEME_IPC) {
		if (lstat(generation->bound, &status) != 0 || rename(generation->bound, listener->url.rest) != 0)
			return fault(ret_fault, LK_IO, "cannot put the socket at %s: %s", listener->url.rest,
				strerror(errno));
	}
	(void)pthread_mutex_lock(&listeners->lock);
	generation->device = status.st_dev;
	generation->inode = status.st_ino;
	listener->current = generation;
	(void)pthread_mutex_unlock(&listeners->lock);
	return LK_OK;
}

static enum lk_err start(
	struct lk_listeners *listeners, struct lk_listener *listener, struct lk_generation *generation, char *ret_fault)
{
	int rv = nng_listener_start(generation->listener, 0);

	if (rv == NNG_EADDRINUSE)
		return fault(ret_fault, LK_HELD, "cannot listen on %s: the address is in use", listener->text);
	if (rv != 0)
		return fault(ret_fault, LK_IO, "cannot listen on %s: %s", listener->text, nng_strerror(rv));
	return publish(listeners, listener, generation, ret_fault);
}

enum lk_err lk_listener_renew(
	struct lk_listeners *listeners, struct lk_listener *listener, char ret_fault[static LK_TRANSPORT_FAULT_LEN])
{
	nng_listener evicted = NNG_LISTENER_INITIALIZER;
	struct lk_generation made = {.used = true};
	struct lk_generation *place = NULL;
	enum lk_err err = create(listeners, listener, &made, ret_fault);

	if (err != LK_OK)
		return err;
	/* Known before it is started: a connection may arrive at once. */
	(void)pthread_mutex_lock(&listeners->lock);
	place = take_place(listener, &evicted);
	made.number = ++listeners->generations;
	*place = made;
	(void)pthread_mutex_unlock(&listeners->lock);
	if (nng_listener_id(evicted) > 0)
		(void)nng_listener_close(evicted);
	err = start(listeners, listener, place, ret_fault);
	if (err == LK_OK)
		return LK_OK;
	(void)pthread_mutex_lock(&listeners->lock);
	*place = (struct lk_generation){.used = false};
	(void)pthread_mutex_unlock(&listeners->lock);
	(void)nng_listener_close(made.listener);
	return err;
}

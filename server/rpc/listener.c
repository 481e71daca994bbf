#include "server/rpc/listener.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/rpc/connection.h"
#include "server/rpc/sp.h"

/* The daemon's group may connect; what it may do then is decided by its credentials. */
#define SOCKET_MODE 0660

/* How long a process that holds a path may take to answer. */
#define ANSWER_MS 500

static enum lk_err __attribute__((format(printf, 3, 4)))
fault(char *ret_fault, enum lk_err err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vsnprintf(ret_fault, LK_TRANSPORT_FAULT_LEN, format, args);
	va_end(args);
	return err;
}

/* Greets as a client would: to leave in the middle of the handshake ends the other's listener, if that is nng's own. */
static void say_hello(int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	uint8_t greeting[LK_SP_GREETING_LEN] = {0};

	if (send(fd, lk_sp_req_greeting, sizeof(lk_sp_req_greeting), MSG_NOSIGNAL) < 0) {
		return;
	}
	(void)poll(&readable, 1, ANSWER_MS);
	(void)recv(fd, greeting, sizeof(greeting), 0);
}

/* Whether a process listens at an ipc path; writes its pid, 0 where that is not known. */
static bool is_served(const char *path, pid_t *ret_pid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	bool served = false;

	*ret_pid = 0;
	if (fd < 0) {
		return false;
	}
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0) {
			*ret_pid = peer.pid;
		}
		say_hello(fd);
		served = true;
	} else {
		/* Somebody listens, and is busy. */
		served = errno == EAGAIN;
	}
	(void)close(fd);
	return served;
}

/* Sees that nobody is driven from the path: a socket may be replaced only where nobody serves it. */
static enum lk_err check_path(const char *path, char *ret_fault)
{
	struct stat status = {0};
	pid_t pid = 0;

	if (lstat(path, &status) != 0) {
		return LK_OK;
	}
	if (!S_ISSOCK(status.st_mode)) {
		return fault(ret_fault, LK_HELD,
			"cannot listen at %s: it exists and is no socket; remove it or choose another path", path);
	}
	if (!is_served(path, &pid)) {
		return LK_OK;
	}
	return fault(ret_fault, LK_HELD,
		"cannot listen at %s: process %ld answers there; stop it or choose another path", path, (long)pid);
}

static void on_accepted(void *argument)
{
	struct lk_listener *listener = argument;
	int result = nng_aio_result(listener->aio);
	uint64_t suppressed = 0;

	if (result == 0) {
		lk_connection_begin(listener->connections, nng_aio_get_output(listener->aio, 0),
			listener->url.scheme == LK_SCHEME_IPC);
		nng_stream_listener_accept(listener->listener, listener->aio);
		return;
	}
	if (result == NNG_ECLOSED || result == NNG_ECANCELED) {
		return;
	}
	/* No descriptors or no memory: the housekeeper tries again in a while. */
	if (lk_log_allow(&listener->failed_log, &suppressed)) {
		LK_LOG(LK_LOG_ERROR, "cannot accept a connection", LK_STR("url", listener->served),
			LK_STR("error", nng_strerror(result)), LK_UINT("suppressed", suppressed));
	}
	atomic_store(&listener->failed, true);
}

void lk_listener_tend(struct lk_listener *listener)
{
	if (atomic_exchange(&listener->failed, false)) {
		nng_stream_listener_accept(listener->listener, listener->aio);
	}
}

static int set_options(struct lk_listener *listener)
{
	int rv = 0;

	if (listener->url.scheme == LK_SCHEME_IPC) {
		return nng_stream_listener_set_int(listener->listener, NNG_OPT_IPC_PERMISSIONS, SOCKET_MODE);
	}
	rv = nng_stream_listener_set_bool(listener->listener, NNG_OPT_TCP_NODELAY, true);
	return rv != 0 ? rv : nng_stream_listener_set_bool(listener->listener, NNG_OPT_TCP_KEEPALIVE, true);
}

/* Puts the new socket where clients look for it. */
static enum lk_err publish(struct lk_listener *listener, const char *bound, char *ret_fault)
{
	struct stat status = {0};

	if (lstat(bound, &status) != 0 || rename(bound, listener->url.rest) != 0) {
		return fault(ret_fault, LK_IO, "cannot put the socket at %s: %s", listener->url.rest, strerror(errno));
	}
	listener->published = true;
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return LK_OK;
}

static enum lk_err bind_at(struct lk_listener *listener, const char *url, char *ret_fault)
{
	int rv = nng_stream_listener_alloc(&listener->listener, url);

	if (rv == 0) {
		rv = nng_aio_alloc(&listener->aio, on_accepted, listener);
	}
	if (rv == 0) {
		rv = set_options(listener);
	}
	if (rv == 0) {
		rv = nng_stream_listener_listen(listener->listener);
	}
	if (rv == NNG_EADDRINUSE) {
		return fault(ret_fault, LK_HELD, "cannot listen on %s: the address is in use", listener->text);
	}
	if (rv != 0) {
		return fault(ret_fault, LK_IO, "cannot listen on %s: %s", listener->text, nng_strerror(rv));
	}
	return LK_OK;
}

static enum lk_err listen_ipc(struct lk_listener *listener, char *ret_fault)
{
	char url[sizeof("ipc://") + LK_URL_PATH_MAX] = "";
	const char *path = listener->url.rest;
	int len = snprintf(url, sizeof(url), "ipc://%.*s/.lk-%08x", (int)(strrchr(path, '/') - path), path,
		(unsigned)randombytes_random());
	enum lk_err err = LK_INTERNAL;

	if (len > 0 && (size_t)len < sizeof(url)) {
		err = check_path(path, ret_fault);
	}
	if (err == LK_OK) {
		err = bind_at(listener, url, ret_fault);
	}
	return err == LK_OK ? publish(listener, url + sizeof("ipc://") - 1, ret_fault) : err;
}

/* The URL with the port that was bound in place of 0. */
static char *served_url(const struct lk_listener *listener)
{
	char *text = NULL;
	int port = 0;

	if (listener->url.scheme != LK_SCHEME_TCP ||
		nng_stream_listener_get_int(listener->listener, NNG_OPT_TCP_BOUND_PORT, &port) != 0) {
		return strdup(listener->text);
	}
	if (asprintf(&text, "%.*s:%d", (int)(strrchr(listener->text, ':') - listener->text), listener->text, port) <
		0) {
		return NULL;
	}
	return text;
}

enum lk_err lk_listener_open(struct lk_listener *listener, const char *url, struct lk_connections *connections,
	char ret_fault[static LK_TRANSPORT_FAULT_LEN])
{
	char reason[LK_URL_FAULT_LEN] = "";
	enum lk_err err = LK_OK;

	listener->connections = connections;
	listener->text = strdup(url);
	if (listener->text == NULL) {
		return LK_NO_MEMORY;
	}
	if (lk_url_parse(listener->text, &listener->url, reason) != LK_OK) {
		return fault(ret_fault, LK_INVALID_ARGUMENT, "cannot listen on %.200s: %s", url, reason);
	}
	err = listener->url.scheme == LK_SCHEME_IPC ? listen_ipc(listener, ret_fault)
						    : bind_at(listener, listener->text, ret_fault);
	if (err != LK_OK) {
		return err;
	}
	listener->served = served_url(listener);
	if (listener->served == NULL) {
		return LK_NO_MEMORY;
	}
	nng_stream_listener_accept(listener->listener, listener->aio);
	return LK_OK;
}

void lk_listener_close(struct lk_listener *listener)
{
	struct stat status = {0};

	if (listener->published && lstat(listener->url.rest, &status) == 0 && status.st_dev == listener->device &&
		status.st_ino == listener->inode) {
		(void)unlink(listener->url.rest);
	}
	listener->published = false;
	if (listener->listener != NULL) {
		nng_stream_listener_close(listener->listener);
	}
}

void lk_listener_done(struct lk_listener *listener)
{
	lk_listener_close(listener);
	/* Waits for the callback. */
	if (listener->aio != NULL) {
		nng_aio_free(listener->aio);
	}
	if (listener->listener != NULL) {
		nng_stream_listener_free(listener->listener);
	}
	free(listener->text);
	free(listener->served);
	*listener = (struct lk_listener){.listener = NULL};
}

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "server/rpc/deadline.h"
#include "server/rpc/listeners.h"

#define PERIOD_MS 200

/* How long a probe waits for its own connection to arrive. */
#define PROBE_MS 400

/* Probes in a row that could not be made, before that counts as a listener's end. */
#define FAILURES_MAX 8

enum probe {
	PROBE_ALIVE,
	PROBE_DEAD,
	/* It could not be made: no descriptors are left, or the queue of connections is full. */
	PROBE_FAILED,
	/* Another process listens at the path. */
	PROBE_FOREIGN,
};

/* From here on a connection that arrives at the current generation may be the probe's. Returns how many have arrived. */
static uint64_t begin_probe(struct lk_listeners *listeners, struct lk_listener *listener)
{
	uint64_t arrived = 0;

	(void)pthread_mutex_lock(&listeners->lock);
	listener->probing = true;
	arrived = listener->current->arrived;
	(void)pthread_mutex_unlock(&listeners->lock);
	return arrived;
}

/* Waits until a connection arrives, the probe's or another: either way the listener accepts. */
static bool wait_for_arrival(struct lk_listeners *listeners, const struct lk_listener *listener, uint64_t before)
{
	struct timespec until = lk_deadline_in(PROBE_MS);
	bool arrived = false;
	int waited = 0;

	(void)pthread_mutex_lock(&listeners->lock);
	while (listener->current->arrived == before && !listeners->stop && waited == 0)
		waited = pthread_cond_timedwait(&listeners->changed, &listeners->lock, &until);
	arrived = listener->current->arrived != before || listeners->stop;
	(void)pthread_mutex_unlock(&listeners->lock);
	return arrived;
}

static void end_probe(struct lk_listeners *listeners, struct lk_listener *listener)
{
	(void)pthread_mutex_lock(&listeners->lock);
	listener->probing = false;
	(void)pthread_mutex_unlock(&listeners->lock);
}

static enum probe probe(struct lk_listeners *listeners, const struct lk_listener *listener, uint64_t before)
{
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	enum probe result = PROBE_DEAD;
	int fd = lk_listener_connect(listener->url.rest);

	if (fd < 0)
		return errno == ECONNREFUSED || errno == ENOENT || errno == ENOTSOCK ? PROBE_DEAD : PROBE_FAILED;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.pid != getpid())
		result = PROBE_FOREIGN;
	/* That the handshake is answered says nothing, for a listener that ended answers it too: the connection must arrive. */
	if (lk_listener_greet(fd) && result != PROBE_FOREIGN && wait_for_arrival(listeners, listener, before))
		result = PROBE_ALIVE;
	(void)close(fd);
	return result;
}

static void replace(struct lk_listeners *listeners, struct lk_listener *listener)
{
	char fault[LK_TRANSPORT_FAULT_LEN] = "";
	uint64_t suppressed = 0;

	if (lk_listener_renew(listeners, listener, fault) == LK_OK) {
		(void)pthread_mutex_lock(&listeners->lock);
		listeners->replaced++;
		(void)pthread_mutex_unlock(&listeners->lock);
		LK_LOG(LK_LOG_WARN, "listener replaced", LK_STR("url", listener->text),
			LK_STR("reason", "it had ceased to accept connections"));
	} else if (lk_log_allow(&listener->log, &suppressed)) {
		LK_LOG(LK_LOG_ERROR, "listener not replaced", LK_STR("url", listener->text), LK_STR("error", fault));
	}
}

static void check(struct lk_listeners *listeners, struct lk_listener *listener)
{
	enum probe result = probe(listeners, listener, begin_probe(listeners, listener));
	uint64_t suppressed = 0;

	end_probe(listeners, listener);
	listener->failures = result == PROBE_FAILED ? listener->failures + 1 : 0;
	if (result == PROBE_DEAD || listener->failures >= FAILURES_MAX) {
		listener->failures = 0;
		replace(listeners, listener);
	} else if (result == PROBE_FOREIGN && lk_log_allow(&listener->log, &suppressed)) {
		LK_LOG(LK_LOG_ERROR, "another process has taken the socket's path", LK_STR("url", listener->text));
	}
}

/* Takes a generation that was replaced and has no connection any more. */
static bool take_retired(struct lk_listeners *listeners, struct lk_listener *listener, nng_listener *ret)
{
	bool found = false;

	(void)pthread_mutex_lock(&listeners->lock);
	for (size_t i = 0; i < LK_GENERATIONS_MAX && !found; i++) {
		struct lk_generation *generation = &listener->generations[i];

		if (generation->used && generation != listener->current && generation->pipes == 0) {
			*ret = generation->listener;
			*generation = (struct lk_generation){.used = false};
			found = true;
		}
	}
	(void)pthread_mutex_unlock(&listeners->lock);
	return found;
}

/* Whether the socket's local name is that of a generation that was replaced. */
static bool is_retired(struct lk_listeners *listeners, const char *name)
{
	bool found = false;

	(void)pthread_mutex_lock(&listeners->lock);
	for (size_t i = 0; i < listeners->count && !found; i++) {
		const struct lk_listener *listener = &listeners->items[i];

		for (size_t n = 0; n < LK_GENERATIONS_MAX && !found; n++) {
			const struct lk_generation *generation = &listener->generations[n];

			found = generation->used && generation != listener->current &&
				strcmp(generation->bound, name) == 0;
		}
	}
	(void)pthread_mutex_unlock(&listeners->lock);
	return found;
}

static bool was_stranded(const struct lk_listeners *listeners, const struct lk_stranded *now)
{
	for (size_t i = 0; i < listeners->n_stranded; i++)
		if (listeners->stranded[i].inode == now->inode && listeners->stranded[i].unread == now->unread)
			return true;
	return false;
}

/*
 * Looks at one descriptor: a copy of nng's, so that it stays what it is while nng may close its own. Cuts it off where what its
 * client sent lay unread at the last look too; else remembers it in `found`.
 */
static void look_at(struct lk_listeners *listeners, int fd, struct lk_stranded *found, size_t *n_found)
{
	struct sockaddr_un name = {0};
	socklen_t len = sizeof(name) - 1;
	struct lk_stranded now = {0};
	struct stat status = {0};

	if (getsockname(fd, (struct sockaddr *)&name, &len) != 0 || name.sun_family != AF_UNIX ||
		name.sun_path[0] == '\0' || !is_retired(listeners, name.sun_path))
		return;
	if (ioctl(fd, FIONREAD, &now.unread) != 0 || now.unread == 0 || fstat(fd, &status) != 0)
		return;
	now.inode = status.st_ino;
	if (was_stranded(listeners, &now)) {
		(void)shutdown(fd, SHUT_RDWR);
		LK_LOG(LK_LOG_INFO, "connection closed",
			LK_STR("reason", "its listener had ceased to accept connections"));
	} else if (*n_found < LK_STRANDED_MAX) {
		found[(*n_found)++] = now;
	}
}

/* nng shows no descriptors, so they are looked up where the kernel does. */
static void cut_stranded(struct lk_listeners *listeners)
{
	struct lk_stranded found[LK_STRANDED_MAX];
	size_t n_found = 0;
	DIR *fds = opendir("/proc/self/fd");
	const struct dirent *entry = NULL;

	if (fds == NULL)
		return;
	while ((entry = readdir(fds)) != NULL) {
		int copy = entry->d_name[0] == '.' ? -1 : fcntl(atoi(entry->d_name), F_DUPFD_CLOEXEC, 0);

		if (copy >= 0) {
			look_at(listeners, copy, found, &n_found);
			(void)close(copy);
		}
	}
	(void)closedir(fds);
	memcpy(listeners->stranded, found, n_found * sizeof(found[0]));
	listeners->n_stranded = n_found;
}

static bool has_retired(struct lk_listeners *listeners)
{
	bool found = false;

	(void)pthread_mutex_lock(&listeners->lock);
	for (size_t i = 0; i < listeners->count; i++)
		for (size_t n = 0; n < LK_GENERATIONS_MAX; n++)
			found = found || (listeners->items[i].generations[n].used &&
						 &listeners->items[i].generations[n] != listeners->items[i].current);
	(void)pthread_mutex_unlock(&listeners->lock);
	return found;
}

static void look_after_all(struct lk_listeners *listeners)
{
	nng_listener retired = NNG_LISTENER_INITIALIZER;

	for (size_t i = 0; i < listeners->count; i++) {
		struct lk_listener *listener = &listeners->items[i];

		if (listener->url.scheme != LK_SCHEME_IPC)
			continue;
		check(listeners, listener);
		while (take_retired(listeners, listener, &retired))
			(void)nng_listener_close(retired);
	}
	if (has_retired(listeners))
		cut_stranded(listeners);
}

/* Sleeps for a period; false where the watchdog shall stop. */
static bool sleep_on(struct lk_listeners *listeners)
{
	struct timespec until = lk_deadline_in(PERIOD_MS);
	bool stop = false;
	int waited = 0;

	(void)pthread_mutex_lock(&listeners->lock);
	while (!listeners->stop && waited == 0)
		waited = pthread_cond_timedwait(&listeners->changed, &listeners->lock, &until);
	stop = listeners->stop;
	(void)pthread_mutex_unlock(&listeners->lock);
	return !stop;
}

void *lk_listeners_watch(void *argument)
{
	struct lk_listeners *listeners = argument;

	while (sleep_on(listeners))
		look_after_all(listeners);
	return NULL;
}

#include "server/rpc/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/rpc/deadline.h"

/* Called with the lock. */
static struct lk_generation *find(struct lk_listeners *listeners, int id, bool *ret_probing)
{
	for (size_t i = 0; i < listeners->count; i++) {
		for (size_t n = 0; n < LK_GENERATIONS_MAX; n++) {
			struct lk_generation *generation = &listeners->items[i].generations[n];

			if (!generation->used || generation->id != id)
				continue;
			*ret_probing = listeners->items[i].probing;
			return generation;
		}
	}
	return NULL;
}

bool lk_listeners_arrived(struct lk_listeners *listeners, int id)
{
	struct lk_generation *generation = NULL;
	bool probing = false;

	(void)pthread_mutex_lock(&listeners->lock);
	generation = find(listeners, id, &probing);
	if (generation != NULL)
		generation->arrived++;
	(void)pthread_cond_broadcast(&listeners->changed);
	(void)pthread_mutex_unlock(&listeners->lock);
	return probing;
}

/* A listener that was closed with its connections is known no more when they go. */
static void count_pipe(struct lk_listeners *listeners, int id, bool more)
{
	struct lk_generation *generation = NULL;
	bool probing = false;

	(void)pthread_mutex_lock(&listeners->lock);
	generation = find(listeners, id, &probing);
	if (generation != NULL && more)
		generation->pipes++;
	else if (generation != NULL && generation->pipes > 0)
		generation->pipes--;
	(void)pthread_mutex_unlock(&listeners->lock);
}

void lk_listeners_admitted(struct lk_listeners *listeners, int id)
{
	count_pipe(listeners, id, true);
}

void lk_listeners_gone(struct lk_listeners *listeners, int id)
{
	count_pipe(listeners, id, false);
}

/* Sees that nobody is driven from the path: a socket may be replaced only where nobody serves it. */
static enum lk_err check_path(const char *path, char *ret_fault)
{
	struct stat status = {0};
	pid_t pid = 0;

	if (lstat(path, &status) != 0)
		return LK_OK;
	if (!S_ISSOCK(status.st_mode)) {
		(void)snprintf(ret_fault, LK_TRANSPORT_FAULT_LEN,
			"cannot listen at %s: it exists and is no socket; remove it or choose another path", path);
		return LK_HELD;
	}
	if (!lk_listener_is_served(path, &pid))
		return LK_OK;
	(void)snprintf(ret_fault, LK_TRANSPORT_FAULT_LEN,
		"cannot listen at %s: process %ld answers there; stop it or choose another path", path, (long)pid);
	return LK_HELD;
}

/* The URL with the port that was bound in place of 0. */
static char *served_url(const struct lk_listener *listener)
{
	char *text = NULL;
	int port = 0;

	if (listener->url.scheme != LK_SCHEME_TCP ||
		nng_listener_get_int(listener->current->listener, NNG_OPT_TCP_BOUND_PORT, &port) != 0)
		return strdup(listener->text);
	if (asprintf(&text, "%.*s:%d", (int)(strrchr(listener->text, ':') - listener->text), listener->text, port) < 0)
		return NULL;
	return text;
}

static enum lk_err open_listener(
	struct lk_listeners *listeners, struct lk_listener *listener, const char *text, char *ret_fault)
{
	char reason[LK_URL_FAULT_LEN] = "";
	enum lk_err err = LK_OK;

	listener->text = strdup(text);
	if (listener->text == NULL)
		return LK_NO_MEMORY;
	if (lk_url_parse(listener->text, &listener->url, reason) != LK_OK) {
		(void)snprintf(ret_fault, LK_TRANSPORT_FAULT_LEN, "cannot listen on %.200s: %s", text, reason);
		return LK_INVALID_ARGUMENT;
	}
	if (listener->url.scheme == LK_SCHEME_IPC)
		err = check_path(listener->url.rest, ret_fault);
	if (err == LK_OK)
		err = lk_listener_renew(listeners, listener, ret_fault);
	if (err != LK_OK)
		return err;
	listener->served = served_url(listener);
	return listener->served != NULL ? LK_OK : LK_NO_MEMORY;
}

enum lk_err lk_listeners_open(struct lk_listeners *listeners, nng_socket socket, const char *const *urls, size_t n_urls,
	char ret_fault[static LK_TRANSPORT_FAULT_LEN])
{
	enum lk_err err = LK_OK;

	listeners->socket = socket;
	for (size_t i = 0; i < n_urls && err == LK_OK; i++) {
		(void)pthread_mutex_lock(&listeners->lock);
		listeners->count = i + 1;
		(void)pthread_mutex_unlock(&listeners->lock);
		err = open_listener(listeners, &listeners->items[i], urls[i], ret_fault);
	}
	if (err != LK_OK)
		return err;
	listeners->watching = pthread_create(&listeners->watchdog, NULL, lk_listeners_watch, listeners) == 0;
	return listeners->watching ? LK_OK : LK_NO_MEMORY;
}

enum lk_err lk_listeners_init(struct lk_listeners *listeners, size_t max)
{
	*listeners = (struct lk_listeners){.items = calloc(max, sizeof(*listeners->items))};
	if (listeners->items == NULL)
		return LK_NO_MEMORY;
	(void)pthread_mutex_init(&listeners->lock, NULL);
	lk_deadline_init_condition(&listeners->changed);
	return LK_OK;
}

/* Only where it is still our own socket that stands there. */
static void unlink_path(const struct lk_listener *listener)
{
	struct stat status = {0};

	if (listener->url.scheme == LK_SCHEME_IPC && listener->current != NULL &&
		lstat(listener->url.rest, &status) == 0 && status.st_dev == listener->current->device &&
		status.st_ino == listener->current->inode)
		(void)unlink(listener->url.rest);
}

bool lk_listeners_stop(struct lk_listeners *listeners, uint32_t timeout_ms)
{
	struct timespec until = lk_deadline_in(timeout_ms);

	if (listeners->items == NULL)
		return true;
	(void)pthread_mutex_lock(&listeners->lock);
	listeners->stop = true;
	(void)pthread_cond_broadcast(&listeners->changed);
	(void)pthread_mutex_unlock(&listeners->lock);
	if (listeners->watching && pthread_clockjoin_np(listeners->watchdog, NULL, CLOCK_MONOTONIC, &until) != 0)
		return false;
	listeners->watching = false;
	for (size_t i = 0; i < listeners->count; i++)
		unlink_path(&listeners->items[i]);
	return true;
}

void lk_listeners_done(struct lk_listeners *listeners)
{
	if (listeners->items == NULL)
		return;
	for (size_t i = 0; i < listeners->count; i++) {
		free(listeners->items[i].text);
		free(listeners->items[i].served);
	}
	free(listeners->items);
	(void)pthread_cond_destroy(&listeners->changed);
	(void)pthread_mutex_destroy(&listeners->lock);
	*listeners = (struct lk_listeners){.items = NULL};
}

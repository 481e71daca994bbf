/*
 * A proxy between a client and a daemon, over unix sockets, that loses replies on their way: the daemon has done what it was
 * asked, and the client never hears of it.
 *
 * It serves some connections at a time, each with one of its own to the daemon, which may be killed and started again meanwhile.
 * It runs in a thread of its own. All functions: the test's thread alone.
 */
#ifndef LK_TESTS_LIB_PROXY_H
#define LK_TESTS_LIB_PROXY_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct proxy {
	/* "ipc://..." for the client. */
	char url[128];
	/* The sockets' paths: its own, and the daemon's. */
	char path[108];
	char target[108];
	int listener;
	/* Written to, to end the thread. */
	int stop[2];
	pthread_t thread;
	pthread_mutex_t lock;
	/* Under the lock. */
	unsigned to_lose;
	unsigned lost;
	/* Of proxy_watch(). */
	const char *watched;
	uint64_t n_watched;
	/* The last reply that was lost: a Response as it was encoded. Kept for proxy_lost_reply(). */
	uint8_t *reply;
	size_t reply_len;
};

/* Listens beside the daemon's socket ("ipc://DIR/latchkey.sock"), and starts the thread. */
void proxy_start(struct proxy *proxy, const char *daemon_url);
void proxy_stop(struct proxy *proxy);

/* Loses the next `count` replies: each is read to its end, and its connection closed in its place. */
void proxy_lose(struct proxy *proxy, unsigned count);

/* How many were lost since proxy_lose(), and the last of them: a Response, to be free()d; NULL where none was. */
unsigned proxy_lost(struct proxy *proxy);
uint8_t *proxy_lost_reply(struct proxy *proxy, size_t *ret_len);

/* From now on counts how often `text`, which is borrowed, occurs in what clients send; one that is cut in two is missed. */
void proxy_watch(struct proxy *proxy, const char *text);
uint64_t proxy_watched(struct proxy *proxy);

#endif

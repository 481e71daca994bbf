/*
 * The listeners of an nng socket, and the watchdog that keeps the ipc ones alive. Private to the transport.
 *
 * Why a watchdog: with nng 1.5.2, one connect-and-close (`nc -zU`) ends an ipc listener for good. Connections that it has go on,
 * and the kernel and even nng's handshake take new ones, but none of them is ever served. The watchdog connects like a client;
 * where no connection arrives, it listens anew. For that, each listener is bound to a private name beside the public path and
 * renamed over it: at no instant is there no socket, and what nng unlinks when a listener is closed is a name that is gone.
 *
 * A listener that was replaced is kept for the connections that it has, and closed when they are gone. Clients that reached it
 * after its end wait in vain; as soon as they send something, they are cut off and connect anew.
 */
#ifndef LK_SERVER_RPC_LISTENERS_H
#define LK_SERVER_RPC_LISTENERS_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "server/log.h"
#include "server/rpc/transport.h"
#include "server/rpc/url.h"

/* The current listener of a URL, and those that it replaced. Past this, the oldest is closed with the connections it has. */
#define LK_GENERATIONS_MAX 8

/* Clients found waiting at listeners that ended. */
#define LK_STRANDED_MAX 64

/* One nng listener. */
struct lk_generation {
	bool used;
	nng_listener listener;
	int id;
	/* They count up over the life of the daemon. */
	uint64_t number;
	/* Of ipc: the name that it was bound to, and the socket's inode. */
	char bound[LK_URL_PATH_MAX + 1];
	dev_t device;
	ino_t inode;
	/* Connections that it has; connections that it ever had. */
	size_t pipes;
	uint64_t arrived;
};

struct lk_listener {
	struct lk_url url;
	/* As it was asked for, and as it is served, with the port that was bound. */
	char *text;
	char *served;
	struct lk_generation generations[LK_GENERATIONS_MAX];
	struct lk_generation *current;
	/* A connection of the watchdog's own may be about to arrive. */
	bool probing;
	/* The watchdog's: probes in a row that could not be made. */
	unsigned failures;
	struct lk_log_limit log;
};

struct lk_listeners {
	nng_socket socket;
	/* Guards the generations, and the watchdog's flags. */
	pthread_mutex_t lock;
	/* A connection arrived, or the watchdog shall stop. */
	pthread_cond_t changed;
	struct lk_listener *items;
	size_t count;
	/* Made so far; and those of them that took another's place. */
	uint64_t generations;
	uint64_t replaced;
	bool stop;
	bool watching;
	pthread_t watchdog;
	/* Sockets with bytes that nobody read, by inode, as the watchdog last saw them. */
	struct lk_stranded {
		ino_t inode;
		int unread;
	} stranded[LK_STRANDED_MAX];
	size_t n_stranded;
};

/* Prepares for up to `max` URLs, so that connections may arrive. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_listeners_init(struct lk_listeners *listeners, size_t max);

/* Listens at every URL and starts the watchdog. Errors as lk_transport_open()'s; what was begun is undone by _stop and _done. */
LK_MUST_CHECK enum lk_err lk_listeners_open(struct lk_listeners *listeners, nng_socket socket, const char *const *urls,
	size_t n_urls, char ret_fault[static LK_TRANSPORT_FAULT_LEN]);

/*
 * A connection of nng's listener `id` arrived; was admitted; once admitted, is gone. _arrived tells whether it may be the
 * watchdog's, so that there is room for that one beside the clients'.
 */
bool lk_listeners_arrived(struct lk_listeners *listeners, int id);
void lk_listeners_admitted(struct lk_listeners *listeners, int id);
void lk_listeners_gone(struct lk_listeners *listeners, int id);

/* Ends the watchdog and takes the ipc sockets out of the file system. False where it did not end within `timeout_ms`. */
bool lk_listeners_stop(struct lk_listeners *listeners, uint32_t timeout_ms);
/* Frees what is left, after _stop and the close of the socket. Takes one that is all zero. */
void lk_listeners_done(struct lk_listeners *listeners);

/* listener_ipc.c. Whether a process answers at an ipc path; writes its pid, 0 where that is not known. */
bool lk_listener_is_served(const char *path, pid_t *ret_pid);
/* Connects without waiting; -1 with errno. */
int lk_listener_connect(const char *path);
/* Says what a client says first. */
bool lk_listener_greet(int fd);
/* Puts a new listener in the place of the current one, or the first one there. */
LK_MUST_CHECK enum lk_err lk_listener_renew(
	struct lk_listeners *listeners, struct lk_listener *listener, char ret_fault[static LK_TRANSPORT_FAULT_LEN]);

/* watchdog.c */
void *lk_listeners_watch(void *listeners);

#endif

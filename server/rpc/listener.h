/*
 * The listeners of a transport. Private to it.
 *
 * They accept streams of nng's and hand them to the connections; nng's own listeners, with 1.5.2, end for good with the first
 * client that connects and leaves before it has greeted.
 *
 * An ipc socket is bound to a private name beside its path and then renamed over it, so that there is never a moment without a
 * socket where a stale one is replaced, and what nng unlinks at the end is a name that is gone.
 */
#ifndef LK_SERVER_RPC_LISTENER_H
#define LK_SERVER_RPC_LISTENER_H

#include <nng/nng.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "server/log.h"
#include "server/rpc/transport.h"
#include "server/rpc/url.h"

struct lk_connections;

struct lk_listener {
	struct lk_url url;
	/* As it was asked for, and as it is served, with the port that was bound. */
	char *text;
	char *served;
	nng_stream_listener *listener;
	nng_aio *aio;
	struct lk_connections *connections;
	/* Accepting failed and is to be tried again. */
	atomic_bool failed;
	struct lk_log_limit failed_log;
	/* Of ipc: the socket at the path, once it is there. */
	bool published;
	dev_t device;
	ino_t inode;
};

/*
 * Listens at a URL and accepts into `connections`. Errors as lk_transport_open()'s, with a text in `ret_fault`; what was begun is
 * undone by lk_listener_done().
 */
LK_MUST_CHECK enum lk_err lk_listener_open(struct lk_listener *listener, const char *url,
	struct lk_connections *connections, char ret_fault[static LK_TRANSPORT_FAULT_LEN]);

/* Accepts again where that had failed. */
void lk_listener_tend(struct lk_listener *listener);

/* Takes an ipc socket out of the file system, if it is still this one that stands there, and accepts no more. */
void lk_listener_close(struct lk_listener *listener);
/* Frees it, closed or not. Takes one that is all zero. */
void lk_listener_done(struct lk_listener *listener);

#endif

/*
 * The connections of a transport: each receives requests, hands them over, and sends the replies. Private to the transport.
 *
 * A connection is held by who receives on it, by who sends, and by each of its requests that are parked; the last one to let go
 * gives it to the housekeeper's thread, which frees it: nothing of nng's is freed in a callback of its own.
 *
 * One operation receives at a time, and whatever came in is taken apart before the next one: so requests of one connection are
 * handed over one after another, and the replies of those that are answered at once are sent together (outbox.h). A peer that
 * leaves too much unread is not read from until it has caught up.
 *
 * A request that is answered in the handler's own call takes no lock on its way, and allocates nothing.
 */
#ifndef LK_SERVER_RPC_CONNECTION_H
#define LK_SERVER_RPC_CONNECTION_H

#include <nng/nng.h>
#include <pthread.h>
#include <stdatomic.h>

#include "server/log.h"
#include "server/rpc/exchanges.h"
#include "server/rpc/transport.h"

/* What one receive takes at most, a message that is longer apart. */
#define LK_CHUNK_LEN ((size_t)16 << 10)

struct lk_connection;

/* All connections of a transport. */
struct lk_connections {
	struct lk_exchanges *exchanges;
	struct lk_transport_limits limits;
	/* Bytes of replies that wait to be sent, of all. */
	atomic_size_t queued;
	/* Guards what follows. */
	pthread_mutex_t lock;
	/* There is something for the housekeeper to do, or the last connection was freed. */
	pthread_cond_t changed;
	struct lk_connection *open;
	size_t n_open;
	/* Those to be freed; and all that are not yet. */
	struct lk_connection *dead;
	size_t alive;
	bool closing;
	struct lk_log_limit closed_log;
	struct lk_log_limit refused_log;
	struct lk_log_limit dropped_log;
};

void lk_connections_init(
	struct lk_connections *connections, struct lk_exchanges *exchanges, const struct lk_transport_limits *limits);
/* None is alive. */
void lk_connections_done(struct lk_connections *connections);

/* Takes over what a listener accepted: serves it, or closes it where there are too many or the transport is being drained. */
void lk_connection_begin(struct lk_connections *connections, nng_stream *stream, bool ipc);

/* The housekeeper's: frees those that have ended, and ends those that have not greeted in time. */
void lk_connections_tend(struct lk_connections *connections);

/* Waits until all replies are sent, or their connections closed; false where some are not by then. */
bool lk_connections_flush(struct lk_connections *connections, const struct timespec *until);

/* Ends them all, and those that are still to come. */
void lk_connections_end(struct lk_connections *connections);

#endif

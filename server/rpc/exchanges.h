/*
 * The exchanges of a transport: a bounded pool. Private to the transport.
 *
 * An exchange is taken when a request has come in, and given back when it is answered. Those that are parked may be as many as
 * leave `reserved` to the others, so that requests which are answered at once always find one. A sixteenth of them is for what is
 * urgent alone: however many changes wait, a key can still be revoked. They are made when first needed, with the handler's state,
 * and kept.
 */
#ifndef LK_SERVER_RPC_EXCHANGES_H
#define LK_SERVER_RPC_EXCHANGES_H

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "server/rpc/exchange.h"
#include "server/rpc/sp.h"

struct lk_connection;
struct lk_exchanges;
struct lk_reply;

/* A request as long as this is kept without allocating. */
#define LK_REQUEST_ROOM 2048

/* One exchange, with what the transport knows of it. */
struct lk_turn {
	struct lk_exchange exchange;
	struct lk_exchanges *pool;
	/* Whose request it is; held while it is under way. */
	struct lk_connection *connection;
	struct lk_reply *reply;
	bool parked;
	uint8_t backtrace[LK_SP_BACKTRACE_MAX];
	size_t backtrace_len;
	/* The request's message: in `room`, or allocated. */
	uint8_t *message;
	size_t message_len;
	uint8_t room[LK_REQUEST_ROOM];
	struct lk_turn *next_free;
};

struct lk_exchanges {
	struct lk_rpc_handler handler;
	size_t max;
	size_t reserved;
	/* Parked by urgent requests alone. */
	size_t urgent;
	/* Requests that are under way, and those of them that were accepted. */
	atomic_size_t under_way;
	atomic_size_t accepted;
	atomic_bool draining;
	/* Guards what follows. */
	pthread_mutex_t lock;
	/* Signalled, while draining, when `accepted` comes to 0. */
	pthread_cond_t drained;
	struct lk_turn **turns;
	size_t count;
	size_t parked;
	struct lk_turn *free;
};

/* LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_exchanges_init(
	struct lk_exchanges *exchanges, const struct lk_rpc_handler *handler, size_t max, size_t reserved);
/* Frees all; none is under way. Takes one that is all zero. */
void lk_exchanges_done(struct lk_exchanges *exchanges);

/* An exchange for a request, with `accepting` set; NULL where all are under way, or for want of memory. */
struct lk_turn *lk_exchanges_take(struct lk_exchanges *exchanges);
/* Gives it back, its request wiped. */
void lk_exchanges_give_back(struct lk_turn *turn);
/* As lk_transport_ops.park. */
bool lk_exchanges_park(struct lk_turn *turn, bool urgent);

/* Accepts no more, and waits until those accepted before are answered; false where some are not by then. */
bool lk_exchanges_drain(struct lk_exchanges *exchanges, const struct timespec *until);

#endif

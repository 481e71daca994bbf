/*
 * The exchanges of a transport: a bounded pool. Private to the transport.
 *
 * Whoever takes apart what came in on a connection takes an exchange for the first request of it, serves one request after another
 * with it, and gives it back at the end; unless the handler parks it, which gives it back when it is answered, and then the next
 * request takes another. Those that are parked may be as many as leave `reserved` to the others, so that requests which are
 * answered at once always find one. A sixteenth of them is for what is urgent alone: however many changes wait, a key can still
 * be revoked. They are made when first needed, with the handler's state, and kept; the one that was given back last is taken
 * first, so that as many are made as are needed at a time. Only making one takes a lock, and allocates.
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

/* A request as long as this is kept without allocating: any Verify with the longest token, expression and root key. */
#define LK_REQUEST_ROOM ((size_t)10 << 10)

/* One exchange, with what the transport knows of it. */
struct lk_turn {
	struct lk_exchange exchange;
	struct lk_exchanges *pool;
	/* Whose request it is; held by it while it is parked. */
	struct lk_connection *connection;
	/* The reply: in memory of its own, or as many bytes in the connection's tray. */
	struct lk_reply *reply;
	uint8_t *placed;
	size_t placed_len;
	bool parked;
	uint8_t backtrace[LK_SP_BACKTRACE_MAX];
	size_t backtrace_len;
	/* The request's message: in `room`, or allocated. */
	uint8_t *message;
	size_t message_len;
	uint8_t room[LK_REQUEST_ROOM];
	/* Its number in `turns`, from 1, and that of the one below it among the free; 0: none. */
	uint32_t number;
	atomic_uint_least32_t below;
};

struct lk_exchanges {
	struct lk_rpc_handler handler;
	size_t max;
	size_t reserved;
	/* Parked by urgent requests alone. */
	size_t urgent;
	/* Exchanges that are taken, and those of them that accept requests. */
	atomic_size_t under_way;
	atomic_size_t accepted;
	atomic_size_t parked;
	atomic_bool draining;
	/*
	 * The number of the free one on top, and, in the upper half, how often it was changed: a number that was taken away and
	 * came back meanwhile, with another below it, is not mistaken for itself. (R. K. Treiber's stack; none is freed before
	 * lk_exchanges_done(), so that whoever looks at one that somebody else takes reads nothing worse than what is old.)
	 */
	atomic_uint_fast64_t free;
	struct lk_turn **turns;
	/* Guards `count`. */
	pthread_mutex_t lock;
	/* Signalled, while draining, when `accepted` comes to 0. */
	pthread_cond_t drained;
	size_t count;
};

/* LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_exchanges_init(
	struct lk_exchanges *exchanges, const struct lk_rpc_handler *handler, size_t max, size_t reserved);
/* Frees all; none is under way. Takes one that is all zero. */
void lk_exchanges_done(struct lk_exchanges *exchanges);

/* An exchange, with `accepting` set; NULL where all are taken, or for want of memory. */
struct lk_turn *lk_exchanges_take(struct lk_exchanges *exchanges);
/* Gives it back. */
void lk_exchanges_give_back(struct lk_turn *turn);
/* The same, but where this is true, a drain waits for it until lk_exchanges_end_accepted() is called. */
LK_MUST_CHECK bool lk_exchanges_free_up(struct lk_turn *turn);
void lk_exchanges_end_accepted(struct lk_exchanges *exchanges);
/*
 * Gives it the request's message: a copy of its own, or the message itself, which is then taken from `*large`. False without
 * memory. And wipes it.
 */
bool lk_turn_fill(struct lk_turn *turn, const uint8_t *message, size_t len, uint8_t **large);
void lk_turn_clear(struct lk_turn *turn);
/* As lk_transport_ops.park, of one that is not parked. */
bool lk_exchanges_park(struct lk_turn *turn, bool urgent);

/* Accepts no more, and waits until those accepted before are answered; false where some are not by then. */
bool lk_exchanges_drain(struct lk_exchanges *exchanges, const struct timespec *until);

#endif

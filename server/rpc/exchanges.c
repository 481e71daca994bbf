#include "server/rpc/exchanges.h"

#include <sodium.h>
#include <stdlib.h>

#include "server/rpc/deadline.h"

/* Of those that may be parked, one in so many is for urgent requests. */
#define URGENT_PART 16

enum lk_err lk_exchanges_init(
	struct lk_exchanges *exchanges, const struct lk_rpc_handler *handler, size_t max, size_t reserved)
{
	*exchanges = (struct lk_exchanges){
		.handler = *handler,
		.max = max,
		.reserved = reserved,
		.urgent = (max - reserved) / URGENT_PART,
	};
	exchanges->turns = calloc(max, sizeof(struct lk_turn *));
	if (exchanges->turns == NULL) {
		return LK_NO_MEMORY;
	}
	(void)pthread_mutex_init(&exchanges->lock, NULL);
	lk_deadline_init_condition(&exchanges->drained);
	return LK_OK;
}

void lk_exchanges_done(struct lk_exchanges *exchanges)
{
	if (exchanges->turns == NULL) {
		return;
	}
	for (size_t i = 0; i < exchanges->count; i++) {
		exchanges->handler.close(exchanges->handler.context, &exchanges->turns[i]->exchange);
		free(exchanges->turns[i]);
	}
	free(exchanges->turns);
	(void)pthread_cond_destroy(&exchanges->drained);
	(void)pthread_mutex_destroy(&exchanges->lock);
	*exchanges = (struct lk_exchanges){.turns = NULL};
}

/* Makes one more; called with the lock. */
static struct lk_turn *make(struct lk_exchanges *exchanges)
{
	struct lk_turn *turn = NULL;

	if (exchanges->count == exchanges->max) {
		return NULL;
	}
	turn = calloc(1, sizeof(*turn));
	if (turn == NULL) {
		return NULL;
	}
	turn->pool = exchanges;
	if (exchanges->handler.open(exchanges->handler.context, &turn->exchange) != LK_OK) {
		free(turn);
		return NULL;
	}
	exchanges->turns[exchanges->count++] = turn;
	return turn;
}

/* Whoever waits for the last accepted one is told. */
static void accepted_ended(struct lk_exchanges *exchanges)
{
	if (atomic_fetch_sub(&exchanges->accepted, 1) > 1 || !atomic_load(&exchanges->draining)) {
		return;
	}
	(void)pthread_mutex_lock(&exchanges->lock);
	(void)pthread_cond_broadcast(&exchanges->drained);
	(void)pthread_mutex_unlock(&exchanges->lock);
}

struct lk_turn *lk_exchanges_take(struct lk_exchanges *exchanges)
{
	struct lk_turn *turn = NULL;

	(void)pthread_mutex_lock(&exchanges->lock);
	turn = exchanges->free;
	if (turn != NULL) {
		exchanges->free = turn->next_free;
	} else {
		turn = make(exchanges);
	}
	(void)pthread_mutex_unlock(&exchanges->lock);
	if (turn == NULL) {
		return NULL;
	}
	atomic_fetch_add(&exchanges->under_way, 1);
	/* First counted, then asked: a drain that begins meanwhile waits for it, or finds it not accepted. */
	atomic_fetch_add(&exchanges->accepted, 1);
	turn->exchange.accepting = !atomic_load(&exchanges->draining);
	if (!turn->exchange.accepting) {
		accepted_ended(exchanges);
	}
	return turn;
}

static void wipe_request(struct lk_turn *turn)
{
	sodium_memzero(turn->message, turn->message_len);
	if (turn->message != turn->room) {
		free(turn->message);
	}
	turn->message = NULL;
	turn->message_len = 0;
	turn->exchange.request = NULL;
	turn->exchange.request_len = 0;
}

void lk_exchanges_give_back(struct lk_turn *turn)
{
	struct lk_exchanges *exchanges = turn->pool;
	bool accepted = turn->exchange.accepting;
	bool parked = turn->parked;

	wipe_request(turn);
	turn->connection = NULL;
	turn->parked = false;
	(void)pthread_mutex_lock(&exchanges->lock);
	exchanges->parked -= parked;
	turn->next_free = exchanges->free;
	exchanges->free = turn;
	(void)pthread_mutex_unlock(&exchanges->lock);
	atomic_fetch_sub(&exchanges->under_way, 1);
	if (accepted) {
		accepted_ended(exchanges);
	}
}

bool lk_exchanges_park(struct lk_turn *turn, bool urgent)
{
	struct lk_exchanges *exchanges = turn->pool;
	size_t left = exchanges->reserved + (urgent ? 0 : exchanges->urgent);

	if (turn->parked) {
		return true;
	}
	(void)pthread_mutex_lock(&exchanges->lock);
	turn->parked = exchanges->parked + left < exchanges->max;
	exchanges->parked += turn->parked;
	(void)pthread_mutex_unlock(&exchanges->lock);
	return turn->parked;
}

bool lk_exchanges_drain(struct lk_exchanges *exchanges, const struct timespec *until)
{
	int waited = 0;

	atomic_store(&exchanges->draining, true);
	(void)pthread_mutex_lock(&exchanges->lock);
	while (atomic_load(&exchanges->accepted) > 0 && waited == 0) {
		waited = pthread_cond_timedwait(&exchanges->drained, &exchanges->lock, until);
	}
	(void)pthread_mutex_unlock(&exchanges->lock);
	return atomic_load(&exchanges->accepted) == 0;
}

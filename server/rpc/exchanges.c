#include "server/rpc/exchanges.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

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
	turn->number = (uint32_t)exchanges->count;
	return turn;
}

/* Puts `number` on top, where `*top` still is; else `*top` is what is there now. */
static bool replace_top(struct lk_exchanges *exchanges, uint_fast64_t *top, uint32_t number)
{
	return atomic_compare_exchange_weak(&exchanges->free, top, ((*top >> 32) + 1) << 32 | number);
}

static struct lk_turn *pop(struct lk_exchanges *exchanges)
{
	uint_fast64_t top = atomic_load(&exchanges->free);
	struct lk_turn *turn = NULL;

	do {
		if ((uint32_t)top == 0) {
			return NULL;
		}
		turn = exchanges->turns[(uint32_t)top - 1];
	} while (!replace_top(exchanges, &top, atomic_load(&turn->below)));
	return turn;
}

static void push(struct lk_exchanges *exchanges, struct lk_turn *turn)
{
	uint_fast64_t top = atomic_load(&exchanges->free);

	do {
		atomic_store(&turn->below, (uint32_t)top);
	} while (!replace_top(exchanges, &top, turn->number));
}

/* Whoever waits for the last accepted one is told. */
void lk_exchanges_end_accepted(struct lk_exchanges *exchanges)
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
	struct lk_turn *turn = pop(exchanges);

	if (turn == NULL) {
		(void)pthread_mutex_lock(&exchanges->lock);
		turn = make(exchanges);
		(void)pthread_mutex_unlock(&exchanges->lock);
	}
	if (turn == NULL) {
		return NULL;
	}
	atomic_fetch_add(&exchanges->under_way, 1);
	/* First counted, then asked: a drain that begins meanwhile waits for it, or finds it not accepted. */
	atomic_fetch_add(&exchanges->accepted, 1);
	turn->exchange.accepting = !atomic_load(&exchanges->draining);
	if (!turn->exchange.accepting) {
		lk_exchanges_end_accepted(exchanges);
	}
	return turn;
}

bool lk_exchanges_free_up(struct lk_turn *turn)
{
	struct lk_exchanges *exchanges = turn->pool;
	bool accepted = turn->exchange.accepting;
	bool parked = turn->parked;

	turn->connection = NULL;
	turn->parked = false;
	push(exchanges, turn);
	if (parked) {
		atomic_fetch_sub(&exchanges->parked, 1);
	}
	atomic_fetch_sub(&exchanges->under_way, 1);
	return accepted;
}

void lk_exchanges_give_back(struct lk_turn *turn)
{
	struct lk_exchanges *exchanges = turn->pool;

	if (lk_exchanges_free_up(turn)) {
		lk_exchanges_end_accepted(exchanges);
	}
}

bool lk_turn_fill(struct lk_turn *turn, const uint8_t *message, size_t len, uint8_t **large)
{
	if (large != NULL) {
		turn->message = *large;
		*large = NULL;
	} else {
		turn->message = len <= sizeof(turn->room) ? turn->room : malloc(len);
		if (turn->message == NULL) {
			return false;
		}
		memcpy(turn->message, message, len);
	}
	turn->message_len = len;
	return true;
}

void lk_turn_clear(struct lk_turn *turn)
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

bool lk_exchanges_park(struct lk_turn *turn, bool urgent)
{
	struct lk_exchanges *exchanges = turn->pool;
	size_t left = exchanges->reserved + (urgent ? 0 : exchanges->urgent);
	size_t parked = atomic_load(&exchanges->parked);

	do {
		if (parked + left >= exchanges->max) {
			return false;
		}
	} while (!atomic_compare_exchange_weak(&exchanges->parked, &parked, parked + 1));
	turn->parked = true;
	return true;
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

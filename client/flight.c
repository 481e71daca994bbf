#include "client/flight.h"

#include <stdlib.h>

static enum lk_err table_add(struct lk_channel *channel, struct lk_flight *flight)
{
	if (channel->n_flights == LK_FLIGHTS_MAX) {
		return LK_RESOURCE_EXHAUSTED;
	}
	if (channel->n_flights == channel->flights_capacity) {
		size_t capacity = channel->flights_capacity > 0 ? 2 * channel->flights_capacity : 16;
		struct lk_flight **flights = realloc(channel->flights, capacity * sizeof(struct lk_flight *));
		if (!flights) {
			return LK_NO_MEMORY;
		}
		channel->flights = flights;
		channel->flights_capacity = capacity;
	}
	flight->id = (uint32_t)channel->n_flights;
	channel->flights[channel->n_flights++] = flight;
	return LK_OK;
}

static enum lk_err flight_make(struct lk_channel *channel, struct lk_flight **ret_flight)
{
	struct lk_flight *flight = calloc(1, sizeof(*flight));

	if (!flight) {
		return LK_NO_MEMORY;
	}
	flight->channel = channel;
	enum lk_err err = table_add(channel, flight);
	if (err) {
		free(flight);
	} else {
		*ret_flight = flight;
	}
	return err;
}

enum lk_err lk_flight_take(struct lk_channel *channel, struct lk_flight **ret_flight)
{
	enum lk_err err = LK_OK;

	pthread_mutex_lock(&channel->lock);
	struct lk_flight *flight = TAILQ_FIRST(&channel->free);
	if (channel->closing) {
		err = LK_CANCELLED;
	} else if (flight) {
		TAILQ_REMOVE(&channel->free, flight, entry);
	} else {
		err = flight_make(channel, &flight);
	}
	if (!err) {
		channel->n_under_way++;
		*ret_flight = flight;
	}
	pthread_mutex_unlock(&channel->lock);
	return err;
}

void lk_flight_give_back(struct lk_flight *flight)
{
	struct lk_channel *channel = flight->channel;

	lk_buffer_clear(&flight->payload);
	flight->call = NULL;
	flight->raw = NULL;
	flight->lent = NULL;
	flight->sent_at = NULL;
	flight->envelope = (struct lk_request_envelope){0};
	flight->n_failures = 0;
	flight->timed_out = false;
	pthread_mutex_lock(&channel->lock);
	flight->state = LK_FLIGHT_GROUNDED;
	flight->cancelled = false;
	TAILQ_INSERT_HEAD(&channel->free, flight, entry);
	if (--channel->n_under_way == 0) {
		pthread_cond_broadcast(&channel->idle);
	}
	pthread_mutex_unlock(&channel->lock);
}

void lk_flight_free(struct lk_flight *flight)
{
	lk_buffer_done(&flight->payload);
	free(flight);
}

void lk_channel_lock(struct lk_channel *channel)
{
	pthread_mutex_lock(&channel->lock);
}

void lk_channel_unlock(struct lk_channel *channel)
{
	struct lk_flight *flight = NULL;

	while ((flight = TAILQ_FIRST(&channel->ended))) {
		TAILQ_REMOVE(&channel->ended, flight, entry);
		pthread_mutex_unlock(&channel->lock);
		if (flight->lent) {
			flight->lent(flight->err, NULL, flight->call, flight->context);
		} else {
			flight->done(flight->err, NULL, flight->call, flight->context);
		}
		/* Not earlier: closing waits for it, and promises that the callbacks are over. */
		lk_flight_give_back(flight);
		pthread_mutex_lock(&channel->lock);
	}
	pthread_mutex_unlock(&channel->lock);
}

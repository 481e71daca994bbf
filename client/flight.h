/*
 * The inside of a channel: its links, and its flights.
 *
 * A flight carries one call at a time, through all of its attempts, and is used again for later calls. It waits for a link, is
 * sent, is answered or lost or late, rests, is sent again, and ends. One lock, the channel's, guards the links, the flights' states
 * and lists; what a flight carries belongs to the thread that holds it: the caller's until it was launched, the link's that brings
 * the answer, and whoever runs its callback. No callback of the user's runs with the lock held.
 */
#ifndef LK_CLIENT_FLIGHT_H
#define LK_CLIENT_FLIGHT_H

#include <latchkey/channel.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/envelope.h"
#include "client/link.h"

enum lk_flight_state {
	/* Carries no call, or one that is not launched yet. */
	LK_FLIGHT_GROUNDED,
	/* Waits for a link that is ready; in `waiting`. */
	LK_FLIGHT_QUEUED,
	/* Sent by `link`, waits for the answer. */
	LK_FLIGHT_SENT,
	/* Waits before its next attempt. */
	LK_FLIGHT_RESTING,
	/* Its answer is being read. */
	LK_FLIGHT_ANSWERED,
	/* Over, with `err`; in `ended` until its callback is called. */
	LK_FLIGHT_ENDED,
};

/*
 * What is told when the one attempt of a lent call ends. `answer` is good until it returns, with whatever code; NULL unless `err`
 * is LK_OK. LK_UNAVAILABLE: the connection was lost, or, where `call->attempts` is 0, there was none. LK_DEADLINE_EXCEEDED: no
 * answer came. LK_PROTOCOL: one that is none. LK_CANCELLED, LK_NO_MEMORY.
 */
typedef void (*lk_lent_fn)(
	enum lk_err err, const struct lk_response_envelope *answer, struct lk_call *call, void *context);

struct lk_flight {
	struct lk_channel *channel;
	/* In `free`, `waiting` or `ended` of the channel. */
	TAILQ_ENTRY(lk_flight) entry;
	enum lk_flight_state state;
	/* The attempt's: the place in the channel's table, and a count, so that a late answer finds nobody. */
	uint32_t id;
	struct lk_link *link;
	/* When something is to happen to it where nothing else does, by nng_clock(): see `state`. */
	nng_time due;
	enum lk_err err;

	/* What follows is of the call that it carries. */

	struct lk_call *call;
	enum lk_effect effect;
	/* What the payload is unpacked as; NULL: it is copied to `*raw`. */
	const ProtobufCMessageDescriptor *response;
	uint8_t **raw;
	size_t *raw_len;
	lk_done_fn done;
	/* Set: there is one attempt alone, and this is told of it instead. */
	lk_lent_fn lent;
	void *context;
	const void *owner;
	/* Where each attempt's time is written as it is sent, under the lock; NULL: nowhere. */
	nng_time *sent_at;
	/* Texts borrowed from the call and the channel; the payload lies in `payload`. */
	struct lk_request_envelope envelope;
	uint8_t request_id[LK_REQUEST_ID_LEN];
	struct lk_buffer payload;
	nng_time deadline;
	uint32_t timeout_ms;
	unsigned n_failures;
	/* An attempt got no answer in its time. */
	bool timed_out;
	/* Its owner wants no further attempt. Under the lock, unlike the rest. */
	bool cancelled;
};

TAILQ_HEAD(lk_flight_list, lk_flight);

/* As many calls as can be under way: an id has 16 bits for the place. */
#define LK_FLIGHTS_MAX ((size_t)1 << 16)

struct lk_channel {
	/* In sodium_malloc()'s locked memory, or NULL. */
	char *credential;
	/* "URL, URL", for messages. */
	char *urls;
	pthread_mutex_t lock;
	/* Told when the last flight is back. */
	pthread_cond_t idle;
	bool closing;
	struct lk_link *links;
	size_t n_links;
	/* Where the search for a ready link begins. */
	size_t next_link;
	/* All that were ever made, by place. */
	struct lk_flight **flights;
	size_t n_flights, flights_capacity;
	size_t n_under_way;
	struct lk_flight_list free, waiting, ended;
	/* Wakes when the first flight is due; `timer_due` is meaningful while it runs. */
	nng_aio *timer;
	bool timer_runs;
	nng_time timer_due;
};

void lk_channel_lock(struct lk_channel *channel);

/* Calls the callbacks of the flights that have ended, and lets go of the lock. */
void lk_channel_unlock(struct lk_channel *channel);

/* Takes a flight off the channel, or makes one. LK_CANCELLED: the channel is closing. LK_RESOURCE_EXHAUSTED. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_flight_take(struct lk_channel *channel, struct lk_flight **ret_flight);

/* Wipes what the flight carried and gives it back. It is the channel's from then on. */
void lk_flight_give_back(struct lk_flight *flight);

/* Frees a flight that carries nothing. */
void lk_flight_free(struct lk_flight *flight);

/*
 * Sends the first attempt of the call that was laid into the flight. From LK_OK on the flight runs by itself, calls `done`
 * once and gives itself back. On failure (LK_CANCELLED, LK_NO_MEMORY) it is still the caller's.
 */
LK_MUST_CHECK enum lk_err lk_flight_launch(struct lk_flight *flight);

/* With the lock held: ends every call, or the owner's where one is given, that is not being answered at this moment. */
void lk_flight_cancel_all(struct lk_channel *channel, const void *owner);

/* The callback of the channel's timer. */
void lk_flight_timer_arrived(void *channel);

/* What links tell. The first two with the lock held, the third without it, by one link one answer at a time. */

/* A link is ready, or ready again. */
void lk_flight_link_ready(struct lk_channel *channel);
/* This link is broken, and no answer will come by it. */
void lk_flight_link_lost(struct lk_channel *channel, const struct lk_link *link);
/* An answer came by this link. */
void lk_flight_answer(
	struct lk_channel *channel, const struct lk_link *link, uint32_t id, const uint8_t *answer, size_t len);

#endif

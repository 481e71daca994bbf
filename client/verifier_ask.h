/*
 * The inside of a verifier: asks, and the batches that they leave in.
 *
 * An ask carries one caller's question while it cannot be sent at once: it waits in the queue, is sent with a batch, perhaps
 * rests and is sent again, and ends. It keeps what a flight of the channel keeps of a call (client/flight.h), so that its caller
 * is told what a call of its own would have been told. A call that can be sent at once, or must go alone, has no ask: it is an
 * ordinary call.
 *
 * One lock, the verifier's, guards asks, lists and batches; it is taken before the channel's, never the other way round. An ask
 * that is LK_ASK_HELD belongs to the thread that took it out. No callback of the user's runs with the lock held.
 */
#ifndef LK_CLIENT_VERIFIER_ASK_H
#define LK_CLIENT_VERIFIER_ASK_H

#include <latchkey/verifier.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/buffer.h"
#include "client/envelope.h"

enum lk_ask_state {
	/* In `free`, or on its way to or from there. */
	LK_ASK_FREE,
	/* In `queue`. */
	LK_ASK_QUEUED,
	/* In `batch`, at `index`. */
	LK_ASK_SENT,
	/* Waits before it is queued again. */
	LK_ASK_RESTING,
	/* In `ended`: its callback is yet to be called, with `err`. */
	LK_ASK_ENDED,
	/* With the thread that reads its answer. */
	LK_ASK_HELD,
};

struct lk_ask {
	struct lk_verifier *verifier;
	/* In `free`, `queue` or `ended` of the verifier, or in a list of the thread that holds it. */
	TAILQ_ENTRY(lk_ask) entry;
	enum lk_ask_state state;
	struct lk_batch *batch;
	size_t index;
	/* When something is to happen to it where nothing else does, by nng_clock(). */
	nng_time due;
	nng_time deadline;
	uint32_t timeout_ms;
	uint32_t attempts;
	unsigned n_failures;
	/* An attempt got no answer in its time. */
	bool timed_out;
	enum lk_err err;
	/* The caller's; its typed callback is who is told. */
	struct lk_call *call;
	/* The request as Verify takes it: the token's field, which a batch's item has alike, and behind it the options. */
	struct lk_buffer packed;
	size_t token_len;
};

TAILQ_HEAD(lk_ask_list, lk_ask);

/* One VerifyBatch, from its making to its answer. */
struct lk_batch {
	struct lk_verifier *verifier;
	/* In `idle_batches`. */
	TAILQ_ENTRY(lk_batch) entry;
	/* All that were ever made. */
	struct lk_batch *next;
	/* The message's own; its timeout is that of the ask with the most time left. */
	struct lk_call call;
	nng_time deadline;
	bool timed_out;
	/* When it was sent, by nng_clock(); 0: it waits for a connection. The channel's, once it is under way. */
	nng_time sent_at;
	struct lk_buffer payload;
	/* In the order of its items; NULL where the caller has gone. */
	struct lk_ask **asks;
	size_t n_asks;
};

TAILQ_HEAD(lk_batch_list, lk_batch);

/* Without any answer for so long, what is under way is no reason for others to wait. */
#define LK_STALL_MS 1000

struct lk_verifier {
	struct lk_channel *channel;
	size_t batch_max, batches_max, queue_max;
	pthread_mutex_t lock;
	/* Told when the last call has ended. */
	pthread_cond_t idle;
	/* Set under the lock; read without it as well. */
	_Atomic bool closing;
	/* The server has no VerifyBatch. */
	bool unary_only;
	/* Calls whose callbacks have not returned. */
	size_t n_calls;
	/* Messages under way; beside the batches_max that may be, those that are given up waiting for. */
	size_t n_under_way;
	size_t n_stalled;
	/* When a message came back last, or somebody began to wait for that, by nng_clock(). */
	nng_time moved_at;
	/*
	 * Answers that are being handed out. Who is told may ask again, and so the queue is let gather meanwhile: until it holds
	 * `share`, which is everybody, spread evenly over the messages that may be under way.
	 */
	size_t n_telling;
	size_t share;
	struct lk_ask_list free, queue, ended;
	size_t n_queued;
	/* All that were ever made. */
	struct lk_ask **asks;
	size_t n_asks, asks_capacity;
	struct lk_batch *batches;
	struct lk_batch_list idle_batches;
	/* Wakes when the first ask is due; `timer_due` is meaningful while it runs. */
	nng_aio *timer;
	bool timer_runs;
	nng_time timer_due;
};

/* What a request comes to in a batch. */
struct lk_item_size {
	/* It can only go alone: the batch could fail of it, or would not say of it what Verify says. */
	bool alone;
	/* The bytes of its token's field, and of all its other fields. */
	size_t token, options;
};

/* verifier_item.c: what is in a message. */

struct lk_item_size lk_item_measure(const Latchkey__V1__VerifyKeyRequest *request);

/* Packs the request into the ask. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_item_pack(
	struct lk_ask *ask, const Latchkey__V1__VerifyKeyRequest *request, const struct lk_item_size *size);

/* The most bytes that the ask takes in a batch. */
size_t lk_item_room(const struct lk_ask *ask);

/* Packs the batch's asks as a VerifyBatchRequest into its payload; false without memory. */
bool lk_batch_pack(struct lk_batch *batch);

/* Takes the next outcome off `rest`. LK_OK, LK_NOT_FOUND at the end, LK_PROTOCOL. */
LK_MUST_CHECK enum lk_err lk_outcome_next(struct lk_span *rest, struct lk_span *ret_outcome);

/* How many outcomes there are; LK_PROTOCOL for bytes that are no VerifyBatchResponse. */
LK_MUST_CHECK enum lk_err lk_outcome_count(struct lk_span response, size_t *ret_n);

/* verifier_ask.c: what happens to asks. With the lock held, but for lk_ask_tell(). */

/* Takes an ask off the verifier, or makes one. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_ask_take(struct lk_verifier *verifier, struct lk_ask **ret_ask);
/* Wipes it and gives it back. */
void lk_ask_give_back(struct lk_ask *ask);
void lk_ask_queue(struct lk_ask *ask, bool in_front, nng_time now);
/* Takes it out of where it is: it is the caller's then, and LK_ASK_HELD. */
void lk_ask_hold(struct lk_ask *ask);
/* Ends it: its callback is called by whoever unlocks next with lk_verifier_unlock(), or by the timer. */
void lk_ask_end(struct lk_ask *ask, enum lk_err err);
void lk_ask_end_late(struct lk_ask *ask);
/* Lets a held one rest, to be sent again; ends it where no time is left for that. `answered`: the server said UNAVAILABLE. */
void lk_ask_rest(struct lk_ask *ask, bool answered, nng_time now);
/* Until when an ask waits for the answer to a message that is sent at this time, before its deadline. */
nng_time lk_ask_attempt_end(const struct lk_ask *ask, nng_time sent_at);
/* A held one was sent, or not, and got no answer: sends it again, where time is left. */
void lk_ask_again(struct lk_ask *ask, bool was_sent, nng_time now);
/* Sees to it that the timer comes by `due`. */
void lk_verifier_timer_want(struct lk_verifier *verifier, nng_time due);
/* The callback of the timer. */
void lk_verifier_timer_arrived(void *verifier);

/* Calls a held ask's callback. Without the lock. */
void lk_ask_tell(struct lk_ask *ask, enum lk_err err, Latchkey__V1__VerifyKeyResponse *response);

/* verifier_batch.c: what leaves. */

/*
 * With the lock held: sends what may leave now; while answers are being handed out, more is let gather unless `at_once`. Lets go
 * of the lock meanwhile, and has it again on return.
 */
void lk_verifier_flush(struct lk_verifier *verifier, bool at_once);

/* Sends what may leave, calls the callbacks of what has ended, and lets go of the lock. Not on a caller's thread. */
void lk_verifier_unlock(struct lk_verifier *verifier);

/* Asks the server by Verify itself for what a held ask asks. With the lock held. */
void lk_ask_go_alone(struct lk_ask *ask);

/* Whether one more message may be under way. With the lock held. */
bool lk_verifier_has_place(const struct lk_verifier *verifier);

/* A message is back, answered or not. With the lock held. */
void lk_verifier_returned(struct lk_verifier *verifier);

/*
 * Where nothing has come back for long, and somebody waits: gives up waiting for what is under way, so that others may be sent past
 * it, perhaps to another daemon. With the lock held.
 */
void lk_verifier_check_stall(struct lk_verifier *verifier, nng_time now);

/* Ends the call that `n_calls` counts. With the lock held. */
void lk_verifier_call_ended(struct lk_verifier *verifier);

#endif

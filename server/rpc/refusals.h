/*
 * Refusals: the management calls that were refused, PERMISSION_DENIED or UNAUTHENTICATED, on their way into the audit chain.
 *
 * Whoever answers a call notes it here, on any thread: that takes no lock, allocates nothing and waits for nobody. A builder of
 * Changes takes them out again and has them written; those that are not written when the daemon ends are lost.
 *
 * What is noted is bounded in its rate, since anybody may be refused: LK_REFUSALS_RATE a second of all callers, after a burst of
 * LK_REFUSALS_BURST; and of one caller a fifth of either, so that one who is noisy does not hide another. Callers without a name
 * are told apart by the address that they come from. What is over that is only counted, in the next record that is written.
 */
#ifndef LK_SERVER_RPC_REFUSALS_H
#define LK_SERVER_RPC_REFUSALS_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/core/text.h"
#include "server/rpc/exchange.h"
#include "server/store/txn.h"

#define LK_REFUSALS_RATE        10
#define LK_REFUSALS_BURST       100
#define LK_REFUSALS_ACTOR_RATE  2
#define LK_REFUSALS_ACTOR_BURST 20

/* "00-", 32 hexadecimal digits, "-", 16 of them, "-", 2 of them, and a NUL (https://www.w3.org/TR/trace-context/). */
#define LK_REFUSAL_TRACEPARENT_LEN 56
/* "jwt:", an issuer's name, ":", a subject of 128 characters in UTF-8, and a NUL. */
#define LK_REFUSAL_ACTOR_LEN 552

struct lk_refusal {
	int64_t time_us;
	/* Stays: a name in the tables of methods. */
	const char *method;
	/* LK_PERMISSION_DENIED or LK_UNAUTHENTICATED. */
	enum lk_err code;
	/* "" for nobody. */
	char actor[LK_REFUSAL_ACTOR_LEN];
	char peer[LK_PEER_TEXT_LEN];
	char traceparent[LK_REFUSAL_TRACEPARENT_LEN];
	/* "" where the call named none. */
	char tenant[LK_ID_MAX + 1];
};

struct lk_refusals;

/* LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_refusals_new(struct lk_refusals **ret_refusals);
/* Takes NULL. */
void lk_refusals_free(struct lk_refusals *refusals);

/* Notes a refused call, or counts it where too many come. `clock_us`: CLOCK_MONOTONIC. Any thread; does not block. */
void lk_refusals_note(struct lk_refusals *refusals, const struct lk_refusal *refusal, int64_t clock_us);

/*
 * Fills `change` with a mutation for each of some refusals that wait, all in `arena`; leaves it as it is where none do. To be
 * called until it does, on a snapshot or in the write transaction: `context` is the refusals. What it gave stays with it until it
 * sees in `txn` that it was written, so that none is lost, or written twice, where a commit fails. One thread at a time.
 */
LK_MUST_CHECK enum lk_err lk_refusals_build(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change);

#endif

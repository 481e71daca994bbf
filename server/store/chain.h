/*
 * Proving the audit chain: recomputes each record's hash from the hash before it and the record as it lies in the table, and
 * compares the end with the head, which is committed with every record.
 *
 * What is found: a record that was altered, however little; one that is missing, that was put in, or that was moved to another
 * number; one that cannot be read, be it the store's own damage; and records or a head that were cut off at the end, unless both
 * were, to an earlier state of the two: for that the head is logged (store.h).
 */
#ifndef LK_SERVER_STORE_CHAIN_H
#define LK_SERVER_STORE_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/arena.h"
#include "server/core/secret.h"
#include "server/store/txn.h"

/* How far a chain was proved: every record up to `number`, whose hash is `hash`. All zero: nothing yet. */
struct lk_chain_position {
	uint64_t number;
	uint8_t hash[LK_DIGEST_LEN];
};

/* The first record that is not as it was written; number 0: none was found. */
struct lk_chain_break {
	uint64_t number;
	/* What is wrong with it, for a person; in the arena, or static. */
	const char *description;
};

/*
 * Proves at most `most` records behind `position`, and moves it to the last that is as it was written. True where there are more
 * to prove: call again, on this snapshot or a newer one. False at the head, and at the first break, which is stored.
 *
 * Damage of the store itself is a break, too: then LK_CORRUPT sticks to `txn`, from which nothing more can be read. Any other
 * error that sticks is none, and says nothing of the chain.
 */
bool lk_chain_prove(struct lk_txn *txn, struct lk_arena *arena, struct lk_chain_position *position, size_t most,
	struct lk_chain_break *ret_break);

#endif

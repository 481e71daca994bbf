/*
 * Folding: the last uses of keys, which stand in their slots, taken over into the index of use (LK_TABLE_KEY_BY_USED), cut down
 * to the hour. A part at a time, for the thread that does the daemon's chores (see struct lk_chore).
 *
 * An entry of the index is never later than the use itself; it is earlier until the next round comes by. A round looks at every
 * entry once; it also takes out what is left of keys that were deleted.
 */
#ifndef LK_SERVER_STORE_FOLD_H
#define LK_SERVER_STORE_FOLD_H

#include <stdbool.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/store/txn.h"

/* The most entries that one part looks at, and the most that it moves. */
#define LK_FOLD_EXAMINE_MAX 20000
#define LK_FOLD_MOVES_MAX   1000
/* How often a part is due, and a round. */
#define LK_FOLD_EVERY_US INT64_C(1000000)
#define LK_FOLD_ROUND_US (INT64_C(600) * 1000000)

/* How far a round has come. All zero: the first begins at once. The chores' thread's, and the writer's while that builds anew. */
struct lk_fold {
	bool under_way;
	/* When the last round began. */
	int64_t round_us;
	/* Where the next part begins: behind all entries that were found as they should be. */
	struct lk_key from;
};

/*
 * A chore's builder; `context` is a struct lk_fold. Fills `change` with the next moves, in `arena`; without mutations there was
 * nothing to move, though the round may not be over. Where a Change of its was not applied, it finds the same moves again.
 * At a round's end it tells the store how far the index now reaches (lk_store_folded()).
 * LK_NO_MEMORY, and what sticks to `txn`.
 */
LK_MUST_CHECK enum lk_err lk_fold_build(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change);

#endif

/*
 * Apply: what a Change does to the tables. The one function that writes records, indexes, verdicts, gates and the audit chain;
 * nothing else writes to the store.
 *
 * Its outcome depends on the tables and the Change alone: no clock, no configuration, no randomness. The same Changes in the
 * same order make the same tables.
 */
#ifndef LK_SERVER_STORE_APPLY_H
#define LK_SERVER_STORE_APPLY_H

#include <latchkey/error.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/store/txn.h"

/*
 * Whether everything that `change` was built on still holds. Reads, writes nothing.
 * LK_MOVED: it does not; build it again. Otherwise the error that sticks to `txn`.
 */
LK_MUST_CHECK enum lk_err lk_apply_check(
	struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Change *change);

/*
 * Does what `change` says, in a write transaction in which lk_apply_check() passed. Assigns slots, numbers and the revision, in
 * place, in the change's records. Fails only for the environment (LK_FULL: the disk, the map, or no slot is left; LK_IO,
 * LK_NO_MEMORY, LK_CORRUPT) and for a change that is none (LK_INTERNAL); the error then sticks to `txn`, which can only be
 * aborted.
 */
LK_MUST_CHECK enum lk_err lk_apply_do(struct lk_txn *txn, struct lk_arena *arena, Latchkey__Store__Change *change);

#endif

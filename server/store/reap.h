/*
 * The reaper: removes what was deleted. Closing a keyspace or a tenant is one write, after which no key of it verifies and nobody
 * finds it; what it leaves behind stands in the table `closed`, and goes part by part in bounded Changes: the keys, then the
 * keyspace, then, when it has none left, the tenant's roles and owners, then the tenant. Only then is the id free again.
 */
#ifndef LK_SERVER_STORE_REAP_H
#define LK_SERVER_STORE_REAP_H

#include "server/store/chores.h"

/* The most records that one Change removes. */
#define LK_REAP_PART 500

/*
 * A chore's builder (chores.h), without a context: the next part of what is closed. Each record that goes has its audit record.
 * LK_NO_MEMORY, and what sticks to `txn`.
 */
LK_MUST_CHECK enum lk_err lk_reap_build(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change);

#endif

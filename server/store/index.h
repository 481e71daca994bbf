/*
 * The indexes, verdicts and gates that follow from the primary records. For apply alone. Errors stick to the transaction.
 */
#ifndef LK_SERVER_STORE_INDEX_H
#define LK_SERVER_STORE_INDEX_H

#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/arena.h"
#include "server/store/txn.h"

/* Indexes a new tenant by its id, and begins to count its keys. */
void lk_index_add_tenant(struct lk_txn *txn, const Latchkey__Store__TenantRecord *tenant);

/* Indexes a new keyspace by its id, and opens its gate. */
void lk_index_add_keyspace(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__KeyspaceRecord *keyspace);

/* The number for a new key of the tenant: one more than the last. */
uint64_t lk_index_next_key_number(struct lk_txn *txn, uint32_t tenant);

/* Moves indexes, verdict and gate from `before` to `after`; NULL for a key that was not there, or no longer is. */
void lk_index_move_key(
	struct lk_txn *txn, const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after);

#endif

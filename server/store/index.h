/*
 * The indexes, verdicts and gates that follow from the primary records. For apply alone. Errors stick to the transaction.
 */
#ifndef LK_SERVER_STORE_INDEX_H
#define LK_SERVER_STORE_INDEX_H

#include <stdint.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/store/txn.h"

/* Indexes a new tenant by its id, and begins to count its keys; and takes all that away again. */
void lk_index_add_tenant(struct lk_txn *txn, const Latchkey__Store__TenantRecord *tenant);
void lk_index_remove_tenant(struct lk_txn *txn, const Latchkey__Store__TenantRecord *tenant);

/* Indexes a new keyspace by its id, and opens its gate; and takes both away again. */
void lk_index_add_keyspace(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__KeyspaceRecord *keyspace);
void lk_index_remove_keyspace(struct lk_txn *txn, const Latchkey__Store__KeyspaceRecord *keyspace);

/* Indexes a new role by its id, and begins to count the keys that have it; and takes both away again. */
void lk_index_add_role(struct lk_txn *txn, const Latchkey__Store__RoleRecord *role);
void lk_index_remove_role(struct lk_txn *txn, const Latchkey__Store__RoleRecord *role);

/* Tells the reaper of a tenant, or a keyspace, that is closed. Of a keyspace it closes the gate: none of its keys verifies. */
void lk_index_close_tenant(struct lk_txn *txn, uint32_t tenant);
void lk_index_close_keyspace(struct lk_txn *txn, uint32_t keyspace);

/* The number for a new key of the tenant: one more than the last. */
uint64_t lk_index_next_key_number(struct lk_txn *txn, uint32_t tenant);

/*
 * Moves indexes, uses of roles, verdicts and gate from `before` to `after`; NULL for a key that was not there, or no longer
 * is. What a key never changes (id, number, tenant, keyspace, time of creation) is the same in both.
 */
void lk_index_move_key(
	struct lk_txn *txn, const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after);

/* Moves a key in the index of use from one instant to another, where it stands there; one that is gone is taken out of it. */
void lk_index_fold_use(struct lk_txn *txn, const Latchkey__Store__FoldUse *fold);

/* Indexes an audit record by the key that it is about. */
void lk_index_add_audit(struct lk_txn *txn, uint64_t slot, uint64_t number);

#endif

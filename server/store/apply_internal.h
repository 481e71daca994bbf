/*
 * What the files of apply share and nobody else sees: each mutation, and what it tells the audit chain.
 *
 * A mutation runs in a write transaction whose head has the Change's revision already. Errors stick to the transaction:
 * LK_CORRUPT where a record that must be there is not, LK_INTERNAL for a mutation that is none.
 */
#ifndef LK_SERVER_STORE_APPLY_INTERNAL_H
#define LK_SERVER_STORE_APPLY_INTERNAL_H

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/store/audit.h"
#include "server/store/txn.h"

/* One mutation as it runs. */
struct lk_mutating {
	struct lk_txn *txn;
	struct lk_arena *arena;
	const Latchkey__Store__Mutation *mutation;
	/* The job that the Change put last; 0: none. */
	uint64_t job;
	/* Out: what is appended to the audit chain. Of kind NOT_SET: nothing. */
	struct lk_audit_entry audit;
};

/* Whether the tenant of what a mutation adds is there to stay. Whoever makes one expects it as it was before it was closed. */
bool lk_apply_is_open(const struct lk_mutating *mutating, uint32_t tenant);

void lk_apply_put_tenant(struct lk_mutating *mutating);
void lk_apply_put_keyspace(struct lk_mutating *mutating);
void lk_apply_delete_tenant(struct lk_mutating *mutating);
void lk_apply_delete_keyspace(struct lk_mutating *mutating);

void lk_apply_put_key(struct lk_mutating *mutating);
void lk_apply_delete_key(struct lk_mutating *mutating);
void lk_apply_fold_use(struct lk_mutating *mutating);

void lk_apply_put_role(struct lk_mutating *mutating);
void lk_apply_delete_role(struct lk_mutating *mutating);

void lk_apply_put_owner(struct lk_mutating *mutating);
void lk_apply_delete_owner(struct lk_mutating *mutating);

void lk_apply_put_job(struct lk_mutating *mutating);
void lk_apply_put_job_part(struct lk_mutating *mutating);
void lk_apply_delete_job(struct lk_mutating *mutating);
void lk_apply_delete_job_part(struct lk_mutating *mutating);

#endif

#include <string.h>

#include "server/store/apply_internal.h"
#include "server/store/find.h"
#include "server/store/index.h"
#include "server/store/rules.h"
#include "server/store/verdict_record.h"

/* For the records of one keyspace at a time, however many a tenant has. */
#define SCRATCH_FIRST ((size_t)16 << 10)
#define SCRATCH_MOST  ((size_t)1 << 20)

static void write_tenant(struct lk_txn *txn, const Latchkey__Store__TenantRecord *tenant)
{
	struct lk_key key = lk_key_u32(tenant->number);

	lk_txn_put_record(txn, LK_TABLE_TENANT, &key, &tenant->base, 0);
}

static void write_keyspace(struct lk_txn *txn, const Latchkey__Store__KeyspaceRecord *keyspace)
{
	struct lk_key key = lk_key_u32(keyspace->number);

	lk_txn_put_record(txn, LK_TABLE_KEYSPACE, &key, &keyspace->base, 0);
}

/* Where verdicts look: in the same commit as the record, so that they hold for every key of it at once. */
static void write_cidrs(struct lk_txn *txn, const Latchkey__Store__KeyspaceRecord *keyspace)
{
	struct lk_gate gate = {0};
	bool has_cidrs = keyspace->n_allowed_cidrs > 0;

	if (!lk_gate_get(txn, keyspace->number, &gate)) {
		return;
	}
	lk_gate_cidrs_put(txn, keyspace);
	if ((gate.has_cidrs != 0) != has_cidrs) {
		gate.has_cidrs = has_cidrs ? 1 : 0;
		lk_gate_put(txn, keyspace->number, &gate);
	}
}

/* Its record is marked too, and takes the revision: whoever built a Change on it sees that it has moved. */
static void close_keyspace_of(struct lk_txn *txn, struct lk_arena *scratch, uint32_t number)
{
	Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace_by_number(txn, scratch, number);

	if (keyspace == NULL || keyspace->closed) {
		return;
	}
	keyspace->closed = true;
	keyspace->revision = lk_txn_head(txn)->revision;
	write_keyspace(txn, keyspace);
	lk_index_close_keyspace(txn, number);
}

/* Closes a tenant and all of its keyspaces, so that none of its keys verifies any more. */
static void close_tenant(struct lk_txn *txn, uint32_t tenant)
{
	struct lk_key prefix = lk_key_u32(tenant);
	struct lk_arena scratch = {0};

	if (lk_arena_init(&scratch, SCRATCH_FIRST, SCRATCH_MOST) != LK_OK) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return;
	}
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEYSPACE_BY_ID);
	for (bool more = lk_walk_seek(walk, &prefix); more && lk_walk_in(walk, &prefix); more = lk_walk_next(walk)) {
		struct lk_value number = lk_walk_value(walk);
		if (number.len != sizeof(uint32_t)) {
			lk_txn_fail(txn, LK_CORRUPT);
			break;
		}
		close_keyspace_of(txn, &scratch, lk_read_u32(number.data));
		lk_arena_reset(&scratch);
	}
	lk_walk_free(walk);
	lk_arena_done(&scratch);
	lk_index_close_tenant(txn, tenant);
}

bool lk_apply_is_open(const struct lk_mutating *mutating, uint32_t tenant)
{
	const Latchkey__Store__TenantRecord *record = lk_find_tenant_by_number(mutating->txn, mutating->arena, tenant);

	return record != NULL && !record->closed;
}

void lk_apply_put_tenant(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	Latchkey__Store__TenantRecord *tenant = mutating->mutation->put_tenant;
	Latchkey__Store__TenantRecord *before = NULL;
	struct lk_head *head = lk_txn_head(txn);

	tenant->revision = head->revision;
	if (tenant->number == 0) {
		tenant->number = ++head->last_tenant;
		lk_index_add_tenant(txn, tenant);
	} else {
		before = lk_find_tenant_by_number(txn, mutating->arena, tenant->number);
		/* The id stands in the gates of its keyspaces; and what was closed does not open again. */
		if (before == NULL || strcmp(before->id, tenant->id) != 0 || (before->closed && !tenant->closed)) {
			lk_txn_fail(txn, LK_INTERNAL);
			return;
		}
	}
	write_tenant(txn, tenant);
	if (tenant->closed && (before == NULL || !before->closed)) {
		close_tenant(txn, tenant->number);
	}
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_TENANT;
	mutating->audit.before.tenant = before;
	mutating->audit.after.tenant = tenant;
}

void lk_apply_put_keyspace(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	Latchkey__Store__KeyspaceRecord *keyspace = mutating->mutation->put_keyspace;
	Latchkey__Store__KeyspaceRecord *before = NULL;
	struct lk_head *head = lk_txn_head(txn);

	keyspace->revision = head->revision;
	if (keyspace->number == 0) {
		keyspace->number = ++head->last_keyspace;
		lk_index_add_keyspace(txn, mutating->arena, keyspace);
	} else {
		before = lk_find_keyspace_by_number(txn, mutating->arena, keyspace->number);
		if (before == NULL || strcmp(before->id, keyspace->id) != 0 || before->tenant != keyspace->tenant ||
			(before->closed && !keyspace->closed)) {
			lk_txn_fail(txn, LK_INTERNAL);
			return;
		}
	}
	write_keyspace(txn, keyspace);
	write_cidrs(txn, keyspace);
	if (keyspace->closed && (before == NULL || !before->closed)) {
		lk_index_close_keyspace(txn, keyspace->number);
	}
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_KEYSPACE;
	mutating->audit.before.keyspace = before;
	mutating->audit.after.keyspace = keyspace;
}

/* Whether the tenant has an entry in a table whose keys begin with its number. */
static bool has_any(struct lk_txn *txn, enum lk_table table, uint32_t tenant)
{
	struct lk_key prefix = lk_key_u32(tenant);
	struct lk_walk *walk = lk_walk_new(txn, table);
	bool has = lk_walk_seek(walk, &prefix) && lk_walk_in(walk, &prefix);

	lk_walk_free(walk);
	return has;
}

void lk_apply_delete_tenant(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	uint32_t number = mutating->mutation->delete_tenant;
	struct lk_key key = lk_key_u32(number);
	Latchkey__Store__TenantRecord *before = lk_find_tenant_by_number(txn, mutating->arena, number);

	if (before == NULL) {
		return;
	}
	if (!before->closed || has_any(txn, LK_TABLE_KEYSPACE_BY_ID, number) ||
		has_any(txn, LK_TABLE_ROLE_BY_ID, number) || has_any(txn, LK_TABLE_OWNER, number)) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	lk_index_remove_tenant(txn, before);
	lk_txn_delete(txn, LK_TABLE_TENANT, &key);
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_TENANT;
	mutating->audit.before.tenant = before;
}

void lk_apply_delete_keyspace(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	uint32_t number = mutating->mutation->delete_keyspace;
	struct lk_key key = lk_key_u32(number);
	Latchkey__Store__KeyspaceRecord *before = lk_find_keyspace_by_number(txn, mutating->arena, number);
	struct lk_gate gate = {0};

	if (before == NULL || !lk_gate_get(txn, number, &gate)) {
		return;
	}
	if (!before->closed || gate.active + gate.suspended + gate.revoked != 0) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	/* What has none has no entry. */
	const Latchkey__Store__KeyspaceRecord nothing = {.number = number};
	lk_gate_cidrs_put(txn, &nothing);
	lk_index_remove_keyspace(txn, before);
	lk_txn_delete(txn, LK_TABLE_KEYSPACE, &key);
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_KEYSPACE;
	mutating->audit.before.keyspace = before;
}

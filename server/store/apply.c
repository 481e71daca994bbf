#include "server/store/apply.h"

#include <lmdb.h>

#include "server/store/audit.h"
#include "server/store/find.h"
#include "server/store/index.h"
#include "server/store/slots.h"

static bool tenant_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__TenantAt *expected)
{
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, arena, expected->id);

	return (tenant == NULL ? 0 : tenant->revision) == expected->revision;
}

static bool keyspace_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__KeyspaceAt *expected)
{
	const Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace(txn, arena, expected->tenant, expected->id);

	return (keyspace == NULL ? 0 : keyspace->revision) == expected->revision;
}

static bool key_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__KeyAt *expected)
{
	const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(txn, arena, expected->slot);

	return (key == NULL ? 0 : key->revision) == expected->revision;
}

static bool holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	switch (expectation->what_case) {
	case LATCHKEY__STORE__EXPECTATION__WHAT_TENANT:
		return tenant_holds(txn, arena, expectation->tenant);
	case LATCHKEY__STORE__EXPECTATION__WHAT_KEYSPACE:
		return keyspace_holds(txn, arena, expectation->keyspace);
	case LATCHKEY__STORE__EXPECTATION__WHAT_KEY:
		return key_holds(txn, arena, expectation->key);
	case LATCHKEY__STORE__EXPECTATION__WHAT_NAME_FREE:
		return !lk_find_name_taken(txn, expectation->name_free->keyspace, expectation->name_free->name);
	default:
		lk_txn_fail(txn, LK_INTERNAL);
		return false;
	}
}

enum lk_err lk_apply_check(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Change *change)
{
	for (size_t i = 0; i < change->n_expectations; i++) {
		if (!holds(txn, arena, change->expectations[i])) {
			return lk_txn_err(txn) != LK_OK ? lk_txn_err(txn) : LK_MOVED;
		}
	}
	return lk_txn_err(txn);
}

/* Puts a tenant; says in `ret_audit` what was there before and is there now. */
static void put_tenant(struct lk_txn *txn, struct lk_arena *arena, Latchkey__Store__TenantRecord *tenant,
	struct lk_audit_entry *ret_audit)
{
	struct lk_head *head = lk_txn_head(txn);

	tenant->revision = head->revision;
	if (tenant->number == 0) {
		tenant->number = ++head->last_tenant;
		lk_index_add_tenant(txn, tenant);
	} else {
		ret_audit->before.tenant = lk_find_tenant_by_number(txn, arena, tenant->number);
	}
	struct lk_key key = lk_key_u32(tenant->number);
	lk_txn_put_record(txn, LK_TABLE_TENANT, &key, &tenant->base, 0);
	ret_audit->kind = LATCHKEY__STORE__SNAPSHOT__RECORD_TENANT;
	ret_audit->after.tenant = tenant;
}

static void put_keyspace(struct lk_txn *txn, struct lk_arena *arena, Latchkey__Store__KeyspaceRecord *keyspace,
	struct lk_audit_entry *ret_audit)
{
	struct lk_head *head = lk_txn_head(txn);

	keyspace->revision = head->revision;
	if (keyspace->number == 0) {
		keyspace->number = ++head->last_keyspace;
		lk_index_add_keyspace(txn, arena, keyspace);
	} else {
		ret_audit->before.keyspace = lk_find_keyspace_by_number(txn, arena, keyspace->number);
	}
	struct lk_key key = lk_key_u32(keyspace->number);
	lk_txn_put_record(txn, LK_TABLE_KEYSPACE, &key, &keyspace->base, 0);
	ret_audit->kind = LATCHKEY__STORE__SNAPSHOT__RECORD_KEYSPACE;
	ret_audit->after.keyspace = keyspace;
}

static void put_key(
	struct lk_txn *txn, struct lk_arena *arena, Latchkey__Store__KeyRecord *key, struct lk_audit_entry *ret_audit)
{
	struct lk_head *head = lk_txn_head(txn);
	Latchkey__Store__KeyRecord *before = NULL;
	unsigned flags = 0;

	if (key->digest.len != LK_DIGEST_LEN) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	key->revision = head->revision;
	if (key->slot == 0) {
		key->slot = ++head->last_slot;
		key->number = lk_index_next_key_number(txn, key->tenant);
		flags = MDB_APPEND;
	} else {
		before = lk_find_key_by_slot(txn, arena, key->slot);
		/* A key that is gone does not come back: its slot is never used again. */
		if (before == NULL) {
			lk_txn_fail(txn, LK_CORRUPT);
			return;
		}
	}
	lk_index_move_key(txn, before, key);
	struct lk_key where = lk_key_u64(key->slot);
	lk_txn_put_record(txn, LK_TABLE_KEY, &where, &key->base, flags);
	ret_audit->kind = LATCHKEY__STORE__SNAPSHOT__RECORD_KEY;
	ret_audit->before.key = before;
	ret_audit->after.key = key;
}

static void delete_key(struct lk_txn *txn, struct lk_arena *arena, uint64_t slot, struct lk_audit_entry *ret_audit)
{
	struct lk_key where = lk_key_u64(slot);
	Latchkey__Store__KeyRecord *before = lk_find_key_by_slot(txn, arena, slot);

	if (before == NULL) {
		lk_txn_fail(txn, LK_CORRUPT);
		return;
	}
	lk_index_move_key(txn, before, NULL);
	lk_txn_delete(txn, LK_TABLE_KEY, &where);
	ret_audit->kind = LATCHKEY__STORE__SNAPSHOT__RECORD_KEY;
	ret_audit->before.key = before;
}

static void mutate(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Mutation *mutation,
	struct lk_audit_entry *ret_audit)
{
	switch (mutation->what_case) {
	case LATCHKEY__STORE__MUTATION__WHAT_PUT_TENANT:
		put_tenant(txn, arena, mutation->put_tenant, ret_audit);
		break;
	case LATCHKEY__STORE__MUTATION__WHAT_PUT_KEYSPACE:
		put_keyspace(txn, arena, mutation->put_keyspace, ret_audit);
		break;
	case LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY:
		put_key(txn, arena, mutation->put_key, ret_audit);
		break;
	case LATCHKEY__STORE__MUTATION__WHAT_DELETE_KEY:
		delete_key(txn, arena, mutation->delete_key, ret_audit);
		break;
	default:
		lk_txn_fail(txn, LK_INTERNAL);
	}
}

static bool is_new_key(const Latchkey__Store__Mutation *mutation)
{
	return mutation->what_case == LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY && mutation->put_key->slot == 0;
}

/*
 * Disk for the slots that the change will name, before it names them. For new keys alone: one must always be able to revoke a
 * key, also where no further slot can be had.
 */
static void reserve_slots(struct lk_txn *txn, const Latchkey__Store__Change *change)
{
	uint64_t fresh = 0;

	for (size_t i = 0; i < change->n_mutations; i++) {
		fresh += is_new_key(change->mutations[i]);
	}
	if (fresh > 0) {
		uint64_t last = lk_txn_head(txn)->last_slot + fresh;
		lk_txn_fail(txn, lk_slots_reserve(lk_store_slots(lk_txn_store(txn)), last));
	}
}

enum lk_err lk_apply_do(struct lk_txn *txn, struct lk_arena *arena, Latchkey__Store__Change *change)
{
	reserve_slots(txn, change);
	lk_txn_head(txn)->revision++;
	for (size_t i = 0; i < change->n_mutations && lk_txn_err(txn) == LK_OK; i++) {
		struct lk_audit_entry audit = {0};
		mutate(txn, arena, change->mutations[i], &audit);
		if (lk_txn_err(txn) == LK_OK) {
			lk_audit_append(txn, arena, change, &audit);
		}
	}
	return lk_txn_err(txn);
}

#include "server/store/index.h"

#include <endian.h>
#include <lmdb.h>
#include <string.h>

#include "server/store/find.h"
#include "server/store/verdict_record.h"

static void put_u32(struct lk_txn *txn, enum lk_table table, const struct lk_key *key, uint32_t number, unsigned flags)
{
	uint32_t big = htobe32(number);

	lk_txn_put(txn, table, key, &big, sizeof big, flags);
}

static void put_u64(struct lk_txn *txn, enum lk_table table, const struct lk_key *key, uint64_t number, unsigned flags)
{
	uint64_t big = htobe64(number);

	lk_txn_put(txn, table, key, &big, sizeof big, flags);
}

void lk_index_add_tenant(struct lk_txn *txn, const Latchkey__Store__TenantRecord *tenant)
{
	struct lk_key by_id = lk_key_id(tenant->id);
	struct lk_key by_number = lk_key_u32(tenant->number);

	put_u32(txn, LK_TABLE_TENANT_BY_ID, &by_id, tenant->number, MDB_NOOVERWRITE);
	put_u64(txn, LK_TABLE_KEY_COUNTER, &by_number, 0, MDB_NOOVERWRITE);
}

void lk_index_add_keyspace(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__KeyspaceRecord *keyspace)
{
	struct lk_key by_id = lk_key_keyspace_by_id(keyspace->tenant, keyspace->id);
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant_by_number(txn, arena, keyspace->tenant);
	struct lk_gate gate = {.tenant = keyspace->tenant};

	if (tenant == NULL) {
		return;
	}
	/* Both are ids, and so fit with their NUL. */
	memcpy(gate.tenant_id, tenant->id, strlen(tenant->id));
	memcpy(gate.keyspace_id, keyspace->id, strlen(keyspace->id));
	put_u32(txn, LK_TABLE_KEYSPACE_BY_ID, &by_id, keyspace->number, MDB_NOOVERWRITE);
	lk_gate_put(txn, keyspace->number, &gate);
}

uint64_t lk_index_next_key_number(struct lk_txn *txn, uint32_t tenant)
{
	struct lk_key key = lk_key_u32(tenant);
	struct lk_value value = {0};

	if (!lk_txn_get(txn, LK_TABLE_KEY_COUNTER, &key, &value) || value.len != sizeof(uint64_t)) {
		lk_txn_fail(txn, LK_CORRUPT);
		return 0;
	}
	uint64_t number = lk_read_u64(value.data) + 1;
	put_u64(txn, LK_TABLE_KEY_COUNTER, &key, number, 0);
	return number;
}

static bool is_revoked(const Latchkey__Store__KeyRecord *key)
{
	return key->state == LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
}

static bool same_place_by_name(const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after)
{
	return before != NULL && after != NULL && strcmp(before->name, after->name) == 0 &&
	       is_revoked(before) == is_revoked(after);
}

static void move_name(
	struct lk_txn *txn, const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after)
{
	if (same_place_by_name(before, after)) {
		return;
	}
	if (before != NULL && before->name[0] != '\0') {
		struct lk_key key = lk_key_by_name(before->keyspace, before->name, is_revoked(before), before->slot);
		lk_txn_delete(txn, LK_TABLE_KEY_BY_NAME, &key);
	}
	if (after != NULL && after->name[0] != '\0') {
		struct lk_key key = lk_key_by_name(after->keyspace, after->name, is_revoked(after), after->slot);
		lk_txn_put(txn, LK_TABLE_KEY_BY_NAME, &key, NULL, 0, MDB_NOOVERWRITE);
	}
}

/* The indexes by what a key never changes: id, number, time of creation. */
static void add_fixed(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key)
{
	struct lk_key by_id = lk_key_id(key->id);
	struct lk_key by_number = lk_key_by_number(key->tenant, key->number);
	struct lk_key by_create = lk_key_by_create(key->keyspace, key->create_us, key->slot);

	put_u64(txn, LK_TABLE_KEY_BY_ID, &by_id, key->slot, MDB_NOOVERWRITE);
	put_u64(txn, LK_TABLE_KEY_BY_NUMBER, &by_number, key->slot, MDB_NOOVERWRITE);
	lk_txn_put(txn, LK_TABLE_KEY_BY_CREATE, &by_create, NULL, 0, MDB_NOOVERWRITE);
}

static void remove_fixed(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key)
{
	struct lk_key by_id = lk_key_id(key->id);
	struct lk_key by_number = lk_key_by_number(key->tenant, key->number);
	struct lk_key by_create = lk_key_by_create(key->keyspace, key->create_us, key->slot);

	lk_txn_delete(txn, LK_TABLE_KEY_BY_ID, &by_id);
	lk_txn_delete(txn, LK_TABLE_KEY_BY_NUMBER, &by_number);
	lk_txn_delete(txn, LK_TABLE_KEY_BY_CREATE, &by_create);
}

static void count(struct lk_gate *gate, const Latchkey__Store__KeyRecord *key, uint64_t change)
{
	if (key != NULL) {
		*(is_revoked(key) ? &gate->revoked : &gate->active) += change;
	}
}

static bool same_digest(const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after)
{
	return memcmp(before->digest.data, after->digest.data, LK_DIGEST_LEN) == 0;
}

void lk_index_move_key(
	struct lk_txn *txn, const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after)
{
	uint32_t keyspace = after != NULL ? after->keyspace : before->keyspace;
	struct lk_gate gate = {0};

	if (!lk_gate_get(txn, keyspace, &gate)) {
		return;
	}
	count(&gate, before, UINT64_MAX);
	count(&gate, after, 1);
	lk_gate_put(txn, keyspace, &gate);
	move_name(txn, before, after);
	if (before == NULL) {
		add_fixed(txn, after);
	}
	if (after == NULL) {
		remove_fixed(txn, before);
	}
	if (before != NULL && (after == NULL || !same_digest(before, after))) {
		lk_verdict_remove(txn, before);
	}
	if (after != NULL) {
		lk_verdict_put(txn, after, &gate);
	}
}

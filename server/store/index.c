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

static void put_slot(struct lk_txn *txn, enum lk_table table, const struct lk_key *key, uint64_t slot)
{
	uint64_t big = htobe64(slot);

	lk_txn_put_new(txn, table, key, &big, sizeof big);
}

void lk_index_add_tenant(struct lk_txn *txn, const Latchkey__Store__TenantRecord *tenant)
{
	struct lk_key by_id = lk_key_id(tenant->id);
	struct lk_key by_number = lk_key_u32(tenant->number);

	put_u32(txn, LK_TABLE_TENANT_BY_ID, &by_id, tenant->number, MDB_NOOVERWRITE);
	put_u64(txn, LK_TABLE_KEY_COUNTER, &by_number, 0, MDB_NOOVERWRITE);
}

void lk_index_remove_tenant(struct lk_txn *txn, const Latchkey__Store__TenantRecord *tenant)
{
	struct lk_key by_id = lk_key_id(tenant->id);
	struct lk_key by_number = lk_key_u32(tenant->number);
	struct lk_key closed = lk_key_closed(true, tenant->number);

	lk_txn_delete(txn, LK_TABLE_TENANT_BY_ID, &by_id);
	lk_txn_delete(txn, LK_TABLE_KEY_COUNTER, &by_number);
	lk_txn_delete(txn, LK_TABLE_CLOSED, &closed);
}

void lk_index_add_keyspace(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__KeyspaceRecord *keyspace)
{
	struct lk_key by_id = lk_key_keyspace_by_id(keyspace->tenant, keyspace->id);
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant_by_number(txn, arena, keyspace->tenant);
	struct lk_gate gate = {.tenant = keyspace->tenant};

	if (tenant == NULL) {
		return;
	}
	/* Whoever makes one expects its tenant as it was before it was closed. */
	if (tenant->closed) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	/* Both are ids, and so fit with their NUL. */
	memcpy(gate.tenant_id, tenant->id, strlen(tenant->id));
	memcpy(gate.keyspace_id, keyspace->id, strlen(keyspace->id));
	put_u32(txn, LK_TABLE_KEYSPACE_BY_ID, &by_id, keyspace->number, MDB_NOOVERWRITE);
	lk_gate_put(txn, keyspace->number, &gate);
}

void lk_index_remove_keyspace(struct lk_txn *txn, const Latchkey__Store__KeyspaceRecord *keyspace)
{
	struct lk_key by_id = lk_key_keyspace_by_id(keyspace->tenant, keyspace->id);
	struct lk_key gate = lk_key_u32(keyspace->number);
	struct lk_key closed = lk_key_closed(false, keyspace->number);

	lk_txn_delete(txn, LK_TABLE_KEYSPACE_BY_ID, &by_id);
	lk_txn_delete(txn, LK_TABLE_GATE, &gate);
	lk_txn_delete(txn, LK_TABLE_CLOSED, &closed);
}

void lk_index_add_role(struct lk_txn *txn, const Latchkey__Store__RoleRecord *role)
{
	struct lk_key by_id = lk_key_role_by_id(role->tenant, role->id);
	struct lk_key by_number = lk_key_u32(role->number);

	put_u32(txn, LK_TABLE_ROLE_BY_ID, &by_id, role->number, MDB_NOOVERWRITE);
	put_u64(txn, LK_TABLE_ROLE_USE, &by_number, 0, MDB_NOOVERWRITE);
}

void lk_index_remove_role(struct lk_txn *txn, const Latchkey__Store__RoleRecord *role)
{
	struct lk_key by_id = lk_key_role_by_id(role->tenant, role->id);
	struct lk_key by_number = lk_key_u32(role->number);

	lk_txn_delete(txn, LK_TABLE_ROLE_BY_ID, &by_id);
	lk_txn_delete(txn, LK_TABLE_ROLE_USE, &by_number);
}

void lk_index_close_tenant(struct lk_txn *txn, uint32_t tenant)
{
	struct lk_key closed = lk_key_closed(true, tenant);

	lk_txn_put(txn, LK_TABLE_CLOSED, &closed, NULL, 0, 0);
}

void lk_index_close_keyspace(struct lk_txn *txn, uint32_t keyspace)
{
	struct lk_key closed = lk_key_closed(false, keyspace);
	struct lk_gate gate = {0};

	if (lk_gate_get(txn, keyspace, &gate)) {
		gate.closed = 1;
		lk_gate_put(txn, keyspace, &gate);
		lk_txn_put(txn, LK_TABLE_CLOSED, &closed, NULL, 0, 0);
	}
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

/* Where a key stands in an index that it may leave: of length 0 where it does not stand in it, or there is no key. */
static struct lk_key place_by_name(const Latchkey__Store__KeyRecord *key)
{
	return key == NULL ? (struct lk_key){0} : lk_key_by_name(key->keyspace, key->name, is_revoked(key), key->slot);
}

static struct lk_key place_by_owner(const Latchkey__Store__KeyRecord *key)
{
	return key == NULL || key->owner[0] == '\0'
		       ? (struct lk_key){0}
		       : lk_key_by_owner(key->keyspace, key->owner, key->create_us, key->slot);
}

static struct lk_key place_by_expiry(const Latchkey__Store__KeyRecord *key)
{
	return key == NULL ? (struct lk_key){0} : lk_key_by_expiry(key->keyspace, key->expire_us, key->slot);
}

static const struct {
	enum lk_table table;
	struct lk_key (*place)(const Latchkey__Store__KeyRecord *key);
} movable[] = {
	{LK_TABLE_KEY_BY_NAME, place_by_name},
	{LK_TABLE_KEY_BY_OWNER, place_by_owner},
	{LK_TABLE_KEY_BY_EXPIRY, place_by_expiry},
};

/* The indexes by what a key may change. */
static void move_places(
	struct lk_txn *txn, const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after)
{
	for (size_t i = 0; i < sizeof(movable) / sizeof(movable[0]); i++) {
		struct lk_key from = movable[i].place(before);
		struct lk_key to = movable[i].place(after);
		if (from.len == to.len && memcmp(from.data, to.data, from.len) == 0) {
			continue;
		}
		if (from.len > 0) {
			lk_txn_delete(txn, movable[i].table, &from);
		}
		if (to.len > 0) {
			lk_txn_put_new(txn, movable[i].table, &to, NULL, 0);
		}
	}
}

/* The indexes by what a key never changes: id, number, time of creation; and its place in the index of use, unused. */
static void add_fixed(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key)
{
	struct lk_key by_id = lk_key_id(key->id);
	struct lk_key by_number = lk_key_by_number(key->tenant, key->number);
	struct lk_key by_create = lk_key_by_create(key->keyspace, key->create_us, key->slot);
	struct lk_key by_used = lk_key_by_used(key->keyspace, 0, key->slot);

	put_slot(txn, LK_TABLE_KEY_BY_ID, &by_id, key->slot);
	put_slot(txn, LK_TABLE_KEY_BY_NUMBER, &by_number, key->slot);
	lk_txn_put_new(txn, LK_TABLE_KEY_BY_CREATE, &by_create, NULL, 0);
	lk_txn_put_new(txn, LK_TABLE_KEY_BY_USED, &by_used, NULL, 0);
}

static void remove_fixed(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key)
{
	struct lk_key by_id = lk_key_id(key->id);
	struct lk_key by_number = lk_key_by_number(key->tenant, key->number);
	struct lk_key by_create = lk_key_by_create(key->keyspace, key->create_us, key->slot);
	struct lk_key by_used = lk_key_by_used(key->keyspace, 0, key->slot);

	lk_txn_delete(txn, LK_TABLE_KEY_BY_ID, &by_id);
	lk_txn_delete(txn, LK_TABLE_KEY_BY_NUMBER, &by_number);
	lk_txn_delete(txn, LK_TABLE_KEY_BY_CREATE, &by_create);
	/* Once its use was folded it stands under an instant that nobody here knows, until the next fold. */
	(void)lk_txn_delete_if(txn, LK_TABLE_KEY_BY_USED, &by_used);
	/* An id may come back by an import, and go again: its newest slot counts. */
	put_u64(txn, LK_TABLE_KEY_GONE, &by_id, key->slot, 0);
}

static void count(struct lk_txn *txn, struct lk_gate *gate, const Latchkey__Store__KeyRecord *key, uint64_t change)
{
	uint64_t *const counters[] = {
		[LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE] = &gate->active,
		[LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED] = &gate->suspended,
		[LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED] = &gate->revoked,
	};

	if (key == NULL) {
		return;
	}
	size_t state = (size_t)key->state;
	if (state >= sizeof(counters) / sizeof(counters[0]) || counters[state] == NULL) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	*counters[state] += change;
}

static bool has_role(const Latchkey__Store__KeyRecord *key, uint32_t role)
{
	for (size_t i = 0; key != NULL && i < key->n_roles; i++) {
		if (key->roles[i] == role) {
			return true;
		}
	}
	return false;
}

/* One key more, or fewer, has the role. */
static void use_role(struct lk_txn *txn, uint32_t role, bool more)
{
	struct lk_key key = lk_key_u32(role);
	uint64_t use = lk_find_role_use(txn, role);

	if (!more && use == 0) {
		lk_txn_fail(txn, LK_CORRUPT);
	}
	if (lk_txn_err(txn) == LK_OK) {
		put_u64(txn, LK_TABLE_ROLE_USE, &key, more ? use + 1 : use - 1, 0);
	}
}

static void move_roles(
	struct lk_txn *txn, const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after)
{
	for (size_t i = 0; before != NULL && i < before->n_roles; i++) {
		if (!has_role(after, before->roles[i])) {
			use_role(txn, before->roles[i], false);
		}
	}
	for (size_t i = 0; after != NULL && i < after->n_roles; i++) {
		if (!has_role(before, after->roles[i])) {
			use_role(txn, after->roles[i], true);
		}
	}
}

void lk_index_move_key(
	struct lk_txn *txn, const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after)
{
	uint32_t keyspace = after != NULL ? after->keyspace : before->keyspace;
	struct lk_gate gate = {0};

	if (!lk_gate_get(txn, keyspace, &gate)) {
		return;
	}
	/* What is closed only empties: whoever makes a key expects its keyspace as it was before. */
	if (before == NULL && gate.closed != 0) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	count(txn, &gate, before, UINT64_MAX);
	count(txn, &gate, after, 1);
	lk_gate_put(txn, keyspace, &gate);
	move_places(txn, before, after);
	move_roles(txn, before, after);
	if (before == NULL) {
		add_fixed(txn, after);
	}
	if (after == NULL) {
		remove_fixed(txn, before);
	}
	lk_verdict_move(txn, before, after, &gate);
}

void lk_index_fold_use(struct lk_txn *txn, const Latchkey__Store__FoldUse *fold)
{
	struct lk_key from = lk_key_by_used(fold->keyspace, fold->from_us, fold->slot);
	struct lk_key to = lk_key_by_used(fold->keyspace, fold->to_us, fold->slot);
	struct lk_key slot = lk_key_u64(fold->slot);
	struct lk_value value = {0};

	/* The key may have been deleted since the fold looked: then this changes nothing, or takes out what was left of it. */
	if (lk_txn_delete_if(txn, LK_TABLE_KEY_BY_USED, &from) && lk_txn_get(txn, LK_TABLE_KEY, &slot, &value)) {
		lk_txn_put_new(txn, LK_TABLE_KEY_BY_USED, &to, NULL, 0);
	}
}

void lk_index_add_audit(struct lk_txn *txn, uint64_t slot, uint64_t number)
{
	struct lk_key key = lk_key_audit_by_key(slot, number);

	lk_txn_put_new(txn, LK_TABLE_AUDIT_BY_KEY, &key, NULL, 0);
}

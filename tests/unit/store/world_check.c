#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/find.h"
#include "server/store/verdict_record.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

/* What the key records add up to. */
struct sums {
	size_t keys;
	size_t owned;
	size_t secrets;
	uint64_t foreign;
	uint64_t sha256;
};

static bool has(struct lk_txn *txn, enum lk_table table, struct lk_key key)
{
	struct lk_value value = {0};

	return lk_txn_get(txn, table, &key, &value);
}

static void assert_verdict(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key, const uint8_t *digest,
	Latchkey__Store__SecretKind kind, bool replaced)
{
	struct lk_verdict verdict;
	int flags = (key->tenant_scope ? LK_VERDICT_TENANT_SCOPE : 0) | (replaced ? LK_VERDICT_REPLACED : 0) |
		    (kind == LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256 ? LK_VERDICT_SHA256 : 0);

	assert_true(lk_verdict_find(txn, digest, &verdict));
	assert_int_equal(verdict.head.slot, key->slot);
	assert_int_equal(verdict.head.keyspace, key->keyspace);
	assert_int_equal(verdict.head.state, key->state);
	assert_true(verdict.head.expire_us == key->expire_us);
	assert_true(verdict.head.not_before_us == key->not_before_us);
	assert_int_equal(verdict.head.flags, flags);
	assert_true(verdict.replaced_until_us == (replaced ? key->previous_until_us : 0));
}

void world_assert_indexed(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key)
{
	struct lk_key by_name = lk_key_by_name(key->keyspace, key->name, key->state == LK_REVOKED, key->slot);
	struct lk_key by_owner = lk_key_by_owner(key->keyspace, key->owner, key->create_us, key->slot);

	assert_true(world_index_has(txn, LK_TABLE_KEY_BY_ID, lk_key_id(key->id), key->slot));
	assert_true(
		world_index_has(txn, LK_TABLE_KEY_BY_NUMBER, lk_key_by_number(key->tenant, key->number), key->slot));
	assert_true(has(txn, LK_TABLE_KEY_BY_CREATE, lk_key_by_create(key->keyspace, key->create_us, key->slot)));
	assert_true(has(txn, LK_TABLE_KEY_BY_EXPIRY, lk_key_by_expiry(key->keyspace, key->expire_us, key->slot)));
	assert_true(has(txn, LK_TABLE_KEY_BY_NAME, by_name));
	assert_int_equal(has(txn, LK_TABLE_KEY_BY_OWNER, by_owner), key->owner[0] != '\0');
	assert_verdict(txn, key, key->digest.data, key->secret_kind, false);
	if (key->previous_digest.len > 0) {
		assert_verdict(txn, key, key->previous_digest.data, key->previous_kind, true);
	}
}

static void count_kind(struct sums *sums, Latchkey__Store__SecretKind kind)
{
	sums->secrets++;
	sums->foreign += kind == LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_FOREIGN;
	sums->sha256 += kind == LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256;
}

static struct sums check_keys(struct lk_txn *txn, struct lk_arena *arena)
{
	struct lk_key first = lk_key_u64(0);
	struct sums sums = {0};

	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEY);
	for (bool more = lk_walk_seek(walk, &first); more; more = lk_walk_next(walk)) {
		uint64_t slot = lk_read_u64(lk_walk_key(walk).data);
		const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(txn, arena, slot);
		assert_non_null(key);
		assert_int_equal(key->slot, slot);
		world_assert_indexed(txn, key);
		sums.keys++;
		sums.owned += key->owner[0] != '\0';
		count_kind(&sums, key->secret_kind);
		if (key->previous_digest.len > 0) {
			count_kind(&sums, key->previous_kind);
		}
	}
	lk_walk_free(walk);
	return sums;
}

/* Each key stands once in the index of use; those that are gone may stand there too. */
static void check_used(struct lk_txn *txn, size_t keys)
{
	uint64_t last = lk_txn_head(txn)->last_slot;
	bool *seen = calloc(last + 1, sizeof *seen);
	struct lk_key first = lk_key_u64(0);
	size_t found = 0;

	assert_non_null(seen);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEY_BY_USED);
	bool fine = true;
	for (bool more = lk_walk_seek(walk, &first); more && fine; more = lk_walk_next(walk)) {
		struct lk_value at = lk_walk_key(walk);
		uint64_t slot = lk_read_u64(at.data + at.len - sizeof(uint64_t));
		fine = at.len == LK_KEY_BY_USED_LEN && slot <= last && !seen[slot];
		if (fine) {
			seen[slot] = true;
			found += has(txn, LK_TABLE_KEY, lk_key_u64(slot));
		}
	}
	lk_walk_free(walk);
	free(seen);
	assert_true(fine);
	assert_int_equal(found, keys);
}

static void check_gate(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__KeyspaceRecord *keyspace)
{
	struct lk_gate gate = {0};
	uint64_t counts[4] = {0};
	struct lk_key first = lk_key_u64(0);

	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEY);
	for (bool more = lk_walk_seek(walk, &first); more; more = lk_walk_next(walk)) {
		const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(
			txn, arena, lk_read_u64(lk_walk_key(walk).data));
		counts[key->state] += key->keyspace == keyspace->number;
	}
	lk_walk_free(walk);
	assert_true(lk_gate_get(txn, keyspace->number, &gate));
	assert_int_equal(gate.active, counts[LK_ACTIVE]);
	assert_int_equal(gate.suspended, counts[LK_SUSPENDED]);
	assert_int_equal(gate.revoked, counts[LK_REVOKED]);
	assert_int_equal(gate.closed != 0, keyspace->closed);
	assert_int_equal(gate.tenant, keyspace->tenant);
	assert_string_equal(gate.keyspace_id, keyspace->id);
}

static void check_spaces(struct lk_txn *txn, struct lk_arena *arena)
{
	struct lk_head head = *lk_txn_head(txn);
	size_t closed = 0;
	size_t keyspaces = 0;

	for (uint32_t number = 1; number <= head.last_keyspace; number++) {
		if (!has(txn, LK_TABLE_KEYSPACE, lk_key_u32(number))) {
			assert_false(has(txn, LK_TABLE_GATE, lk_key_u32(number)));
			continue;
		}
		const Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace_by_number(txn, arena, number);
		const Latchkey__Store__TenantRecord *tenant = lk_find_tenant_by_number(txn, arena, keyspace->tenant);
		check_gate(txn, arena, keyspace);
		/* Nothing of a closed tenant is open. */
		assert_true(keyspace->closed || !tenant->closed);
		assert_int_equal(has(txn, LK_TABLE_CLOSED, lk_key_closed(false, number)), keyspace->closed);
		closed += keyspace->closed ? 1 : 0;
		keyspaces++;
	}
	for (uint32_t number = 1; number <= head.last_tenant; number++) {
		if (has(txn, LK_TABLE_TENANT, lk_key_u32(number))) {
			bool is_closed = lk_find_tenant_by_number(txn, arena, number)->closed != 0;
			assert_int_equal(has(txn, LK_TABLE_CLOSED, lk_key_closed(true, number)), is_closed);
			closed += is_closed;
		}
	}
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_CLOSED), closed);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEYSPACE_BY_ID), keyspaces);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_GATE), keyspaces);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_TENANT_BY_ID), lk_fixture_count(txn, LK_TABLE_TENANT));
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY_COUNTER), lk_fixture_count(txn, LK_TABLE_TENANT));
}

/* How many keys have a role. */
static uint64_t count_use(struct lk_txn *txn, struct lk_arena *arena, uint32_t role)
{
	struct lk_key first = lk_key_u64(0);
	uint64_t use = 0;

	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEY);
	for (bool more = lk_walk_seek(walk, &first); more; more = lk_walk_next(walk)) {
		const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(
			txn, arena, lk_read_u64(lk_walk_key(walk).data));
		for (size_t i = 0; i < key->n_roles; i++) {
			use += key->roles[i] == role;
		}
	}
	lk_walk_free(walk);
	return use;
}

static void check_roles(struct lk_txn *txn, struct lk_arena *arena)
{
	size_t roles = 0;

	for (uint32_t number = 1; number <= lk_txn_head(txn)->last_role; number++) {
		if (!has(txn, LK_TABLE_ROLE, lk_key_u32(number))) {
			assert_false(has(txn, LK_TABLE_ROLE_USE, lk_key_u32(number)));
			continue;
		}
		const Latchkey__Store__RoleRecord *role = lk_find_role_by_number(txn, arena, number);
		assert_int_equal(role->number, number);
		assert_int_equal(lk_find_role(txn, arena, role->tenant, role->id)->number, number);
		assert_int_equal(lk_find_role_use(txn, number), count_use(txn, arena, number));
		assert_true(has(txn, LK_TABLE_TENANT, lk_key_u32(role->tenant)));
		roles++;
	}
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_ROLE), roles);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_ROLE_BY_ID), roles);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_ROLE_USE), roles);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_OWNER), lk_txn_head(txn)->owners);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_OWNER_LIMITS), lk_txn_head(txn)->owners);
}

static const Latchkey__Store__AuditRecord *audit_record(const struct lk_walk *walk, struct lk_arena *arena)
{
	struct lk_value value = lk_walk_value(walk);
	const Latchkey__Store__AuditRecord *record = latchkey__store__audit_record__unpack(
		&arena->allocator, value.len - LK_DIGEST_LEN, value.data + LK_DIGEST_LEN);

	assert_non_null(record);
	return record;
}

/* Each audit record of a key is indexed by it, also once the key is gone, and none other is. */
static void check_audit(struct lk_txn *txn, struct lk_arena *arena)
{
	struct lk_key first = lk_key_u64(0);
	size_t of_keys = 0;

	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_AUDIT);
	for (bool more = lk_walk_seek(walk, &first); more; more = lk_walk_next(walk)) {
		const Latchkey__Store__AuditRecord *record = audit_record(walk, arena);
		const Latchkey__Store__Snapshot *subject = record->after != NULL ? record->after : record->before;
		if (subject != NULL && subject->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_KEY) {
			assert_true(has(
				txn, LK_TABLE_AUDIT_BY_KEY, lk_key_audit_by_key(subject->key->slot, record->number)));
			of_keys++;
		}
	}
	lk_walk_free(walk);
	/* A test may have taken records away, to make room. */
	if (lk_fixture_count(txn, LK_TABLE_AUDIT) == lk_txn_head(txn)->last_audit) {
		assert_int_equal(lk_fixture_count(txn, LK_TABLE_AUDIT_BY_KEY), of_keys);
	}
}

void world_assert_consistent(struct lk_fixture *fixture)
{
	struct lk_txn *txn = lk_fixture_snapshot(fixture);
	struct lk_arena *arena = &fixture->arena;
	struct sums sums = check_keys(txn, arena);

	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY_BY_ID), sums.keys);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY_BY_NUMBER), sums.keys);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY_BY_CREATE), sums.keys);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY_BY_EXPIRY), sums.keys);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY_BY_NAME), sums.keys);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY_BY_OWNER), sums.owned);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_VERDICT), sums.secrets);
	assert_int_equal(lk_txn_head(txn)->foreign_secrets, sums.foreign);
	assert_int_equal(lk_txn_head(txn)->sha256_secrets, sums.sha256);
	check_used(txn, sums.keys);
	check_spaces(txn, arena);
	check_roles(txn, arena);
	check_audit(txn, arena);
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

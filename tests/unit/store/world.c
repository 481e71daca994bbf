#include "tests/unit/store/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "server/core/secret.h"
#include "server/store/find.h"
#include "server/store/verdict_record.h"
#include "tests/lib/draft.h"
#include <cmocka.h>

struct world world_make(void **state)
{
	struct lk_fixture *fixture = *state;
	struct world world = {.fixture = fixture, .arena = &fixture->arena};

	world.tenant = lk_fixture_tenant(fixture, "acme");
	world.keyspace = lk_fixture_keyspace(fixture, world.tenant, "prod");
	assert_int_not_equal(world.keyspace, 0);
	return world;
}

Latchkey__Store__KeyRecord *world_key(struct world *world, const char *name)
{
	Latchkey__Store__KeyRecord *key = lk_fixture_key(world->fixture, world->tenant, world->keyspace, name);

	assert_non_null(key);
	return key;
}

void world_put(struct world *world, Latchkey__Store__KeyRecord *key)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);

	lk_draft_put_key_again(world->arena, change, key);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
}

void world_revoke(struct world *world, Latchkey__Store__KeyRecord *key)
{
	key->state = LK_REVOKED;
	world_put(world, key);
}

void world_delete(struct world *world, uint64_t slot)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);

	lk_draft_delete_key(world->arena, change, slot);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
}

void world_close_tenant(struct world *world, const char *id)
{
	struct lk_txn *txn = lk_fixture_snapshot(world->fixture);
	Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, world->arena, id);
	Latchkey__Store__Change *change = lk_draft_new(world->arena);

	assert_non_null(tenant);
	tenant->closed = true;
	lk_draft_put_tenant_again(world->arena, change, tenant);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
}

void world_close_keyspace(struct world *world, const char *id)
{
	struct lk_txn *txn = lk_fixture_snapshot(world->fixture);
	Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace(txn, world->arena, world->tenant, id);
	Latchkey__Store__Change *change = lk_draft_new(world->arena);

	assert_non_null(keyspace);
	keyspace->closed = true;
	lk_draft_put_keyspace_again(world->arena, change, keyspace);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
}

bool world_index_has(struct lk_txn *txn, enum lk_table table, struct lk_key key, uint64_t expected)
{
	struct lk_value value = {0};

	return lk_txn_get(txn, table, &key, &value) && (value.len == 0 || lk_read_u64(value.data) == expected);
}

void world_assert_gate(struct world *world, uint32_t keyspace, uint64_t active, uint64_t revoked)
{
	struct lk_gate gate = {0};

	assert_true(lk_gate_get(lk_fixture_snapshot(world->fixture), keyspace, &gate));
	assert_int_equal(gate.active, active);
	assert_int_equal(gate.suspended, 0);
	assert_int_equal(gate.revoked, revoked);
}

uint64_t world_chain_length(struct world *world, struct lk_txn *txn, uint8_t ret_hash[static LK_DIGEST_LEN])
{
	uint8_t key[LK_SECRET_KEY_LEN];
	uint8_t hash[LK_DIGEST_LEN] = {0};
	struct lk_key first = lk_key_u64(0);
	uint64_t length = 0;

	lk_seal_subkey(lk_store_keyring(world->fixture->store), LK_SEAL_AUDIT, NULL, 0, key);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_AUDIT);
	for (bool more = lk_walk_seek(walk, &first); more; more = lk_walk_next(walk)) {
		struct lk_value value = lk_walk_value(walk);
		assert_true(value.len > LK_DIGEST_LEN);
		lk_audit_hash(key, hash, value.data + LK_DIGEST_LEN, value.len - LK_DIGEST_LEN, hash);
		if (memcmp(hash, value.data, LK_DIGEST_LEN) != 0 || lk_read_u64(lk_walk_key(walk).data) != length + 1) {
			break;
		}
		length++;
	}
	lk_walk_free(walk);
	memcpy(ret_hash, hash, LK_DIGEST_LEN);
	return length;
}

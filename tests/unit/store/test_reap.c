#include "server/store/reap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/store/change.h"
#include "server/store/find.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define AT_A_TIME 400

/* Keys in commits of many: what follows is about what removes them. */
static void fill(struct world *world, uint32_t keyspace, size_t count)
{
	while (count > 0) {
		Latchkey__Store__Change *change = lk_draft_new(world->arena);
		for (size_t i = 0; i < AT_A_TIME && count > 0; i++, count--) {
			(void)lk_draft_put_key(world->arena, change, world->tenant, keyspace, "");
		}
		assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	}
}

static Latchkey__Store__Change *new_change(struct world *world)
{
	Latchkey__Store__Change *change = lk_arena_alloc(world->arena, sizeof *change);

	assert_non_null(change);
	latchkey__store__change__init(change);
	change->time_us = LK_FIXTURE_TIME_US;
	change->actor = (char *)(uintptr_t) "latchkeyd";
	return change;
}

static void close_keyspace(struct world *world, uint32_t number)
{
	Latchkey__Store__Change *change = new_change(world);
	Latchkey__Store__KeyspaceRecord *record = lk_find_keyspace_by_number(
		lk_fixture_snapshot(world->fixture), world->arena, number);

	record->closed = true;
	lk_change_put_keyspace(world->arena, change, record);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
}

static void close_tenant(struct world *world, const char *id)
{
	Latchkey__Store__Change *change = new_change(world);
	Latchkey__Store__TenantRecord *record = lk_find_tenant(lk_fixture_snapshot(world->fixture), world->arena, id);

	record->closed = true;
	lk_change_put_tenant(world->arena, change, record);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
}

static Latchkey__Store__Change *build(struct world *world)
{
	Latchkey__Store__Change *change = new_change(world);

	assert_int_equal(
		lk_reap_build(NULL, lk_fixture_snapshot(world->fixture), world->arena, LK_FIXTURE_TIME_US, change),
		LK_OK);
	assert_true(change->n_mutations <= LK_REAP_PART);
	return change;
}

/* Reaps one part; false where there was none. */
static bool reap(struct world *world)
{
	Latchkey__Store__Change *change = build(world);

	if (change->n_mutations == 0) {
		return false;
	}
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return true;
}

static void test_reap_leaves_alone_what_is_open(void **state)
{
	struct world world = world_make(state);

	fill(&world, world.keyspace, 3);
	assert_false(reap(&world));
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_KEY), 3);
}

static void test_reap_removes_a_keyspace_part_by_part(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_keyspace(world.fixture, world.tenant, "other");

	fill(&world, world.keyspace, 1100);
	fill(&world, other, 7);
	close_keyspace(&world, world.keyspace);
	assert_true(reap(&world));
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_KEY), 607);
	/* The id is taken until the last key is gone. */
	assert_non_null(lk_find_keyspace_any(lk_fixture_snapshot(world.fixture), world.arena, world.tenant, "prod"));
	assert_true(reap(&world));
	assert_true(reap(&world));
	assert_false(reap(&world));
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_keyspace_any(txn, world.arena, world.tenant, "prod"));
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY), 7);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_VERDICT), 7);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_CLOSED), 0);
	world_assert_consistent(world.fixture);
	assert_int_not_equal(lk_fixture_keyspace(world.fixture, world.tenant, "prod"), 0);
}

/* As many keys as a part has: the keyspace itself is a part of its own. */
static void test_reap_removes_a_keyspace_of_a_full_part(void **state)
{
	struct world world = world_make(state);

	fill(&world, world.keyspace, LK_REAP_PART);
	close_keyspace(&world, world.keyspace);
	assert_true(reap(&world));
	assert_true(reap(&world));
	assert_false(reap(&world));
	assert_null(lk_find_keyspace_any(lk_fixture_snapshot(world.fixture), world.arena, world.tenant, "prod"));
}

static void test_reap_audits_each_key(void **state)
{
	struct world world = world_make(state);

	fill(&world, world.keyspace, 5);
	close_keyspace(&world, world.keyspace);
	uint64_t before = lk_txn_head(lk_fixture_snapshot(world.fixture))->last_audit;
	assert_true(reap(&world));
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	/* Five keys, and their keyspace. */
	assert_int_equal(lk_txn_head(txn)->last_audit, before + 6);
	uint8_t hash[LK_DIGEST_LEN];
	assert_int_equal(world_chain_length(&world, txn, hash), before + 6);
}

static void test_reap_removes_a_tenant_with_its_keyspaces(void **state)
{
	struct world world = world_make(state);
	uint32_t acme = world.tenant;

	fill(&world, world.keyspace, 600);
	fill(&world, lk_fixture_keyspace(world.fixture, acme, "test"), 3);
	(void)lk_fixture_keyspace(world.fixture, acme, "empty");
	world.tenant = lk_fixture_tenant(world.fixture, "other");
	fill(&world, lk_fixture_keyspace(world.fixture, world.tenant, "prod"), 2);
	close_tenant(&world, "acme");
	while (reap(&world)) {
	}
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_tenant_any(txn, world.arena, "acme"));
	assert_null(lk_find_keyspace_any(txn, world.arena, acme, "test"));
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY), 2);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_CLOSED), 0);
	world_assert_consistent(world.fixture);
	assert_int_not_equal(lk_fixture_tenant(world.fixture, "acme"), acme);
}

/* Roles of a tenant, of which each key has one, and owners. */
static void fill_roles(struct world *world, size_t count)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	char id[16] = "";

	for (size_t i = 0; i < count; i++) {
		(void)snprintf(id, sizeof id, "role-%zu", i);
		(void)lk_draft_put_role(world->arena, change, world->tenant, id, "agents:list");
		(void)snprintf(id, sizeof id, "user %zu", i);
		(void)lk_draft_put_owner(world->arena, change, world->tenant, id);
	}
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	for (size_t i = 0; i < count; i++) {
		Latchkey__Store__KeyRecord *key = world_key(world, "");
		lk_draft_roles(world->arena, key, &change->mutations[2 * i]->put_role->number, 1);
		world_put(world, key);
	}
}

/* Keys first, for their roles are in use; and what another tenant has stays. */
static void test_reap_removes_the_roles_and_owners_of_a_tenant(void **state)
{
	struct world world = world_make(state);
	const struct world acme = world;

	world.tenant = lk_fixture_tenant(world.fixture, "other");
	world.keyspace = lk_fixture_keyspace(world.fixture, world.tenant, "prod");
	fill_roles(&world, 2);
	world = acme;
	fill_roles(&world, 3);
	close_tenant(&world, "acme");
	assert_true(reap(&world));
	assert_false(reap(&world));
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_tenant_any(txn, world.arena, "acme"));
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_ROLE), 2);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_OWNER), 2);
	assert_int_equal(lk_txn_head(txn)->owners, 2);
	world_assert_consistent(world.fixture);
}

/* More than a part holds, and a part that ends between any two of them: 3 keys, their keyspace, 3 roles, 3 owners, the tenant. */
static void test_reap_removes_roles_and_owners_part_by_part(void **state)
{
	for (size_t before = LK_REAP_PART - 11; before <= LK_REAP_PART; before++) {
		struct world world = world_make(state);
		struct lk_fixture *fixture = world.fixture;
		fill_roles(&world, 3);
		fill(&world, world.keyspace, before);
		close_tenant(&world, "acme");
		size_t parts = 0;
		while (reap(&world)) {
			parts++;
		}
		assert_int_equal(parts, before + 11 <= LK_REAP_PART ? 1 : 2);
		struct lk_txn *txn = lk_fixture_snapshot(fixture);
		assert_null(lk_find_tenant_any(txn, world.arena, "acme"));
		assert_int_equal(lk_fixture_count(txn, LK_TABLE_ROLE), 0);
		assert_int_equal(lk_fixture_count(txn, LK_TABLE_OWNER), 0);
		world_assert_consistent(fixture);
		lk_arena_reset(world.arena);
	}
}

static void test_reap_is_built_again_where_a_role_moved(void **state)
{
	struct world world = world_make(state);

	fill_roles(&world, 1);
	close_tenant(&world, "acme");
	Latchkey__Store__Change *change = build(&world);
	/* The key, its keyspace, the role, the owner, the tenant. */
	assert_int_equal(change->n_mutations, 5);
	Latchkey__Store__Change *other = new_change(&world);
	Latchkey__Store__RoleRecord *role = lk_find_role_by_number(lk_fixture_snapshot(world.fixture), world.arena, 1);
	lk_change_put_role(world.arena, other, role);
	assert_int_equal(lk_fixture_apply(world.fixture, other), LK_OK);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_MOVED);
	assert_true(reap(&world));
	assert_false(reap(&world));
	world_assert_consistent(world.fixture);
}

static void test_reap_removes_a_tenant_without_keyspaces(void **state)
{
	struct world world = world_make(state);

	assert_int_not_equal(lk_fixture_tenant(world.fixture, "empty"), 0);
	close_tenant(&world, "empty");
	assert_true(reap(&world));
	assert_false(reap(&world));
	assert_null(lk_find_tenant_any(lk_fixture_snapshot(world.fixture), world.arena, "empty"));
}

static void test_reap_goes_on_in_a_store_that_was_closed(void **state)
{
	struct world world = world_make(state);

	fill(&world, world.keyspace, 1100);
	close_tenant(&world, "acme");
	assert_true(reap(&world));
	for (int part = 0; part < 3; part++) {
		lk_fixture_close(world.fixture);
		assert_int_equal(lk_fixture_open(world.fixture), LK_OK);
		assert_int_equal(reap(&world), part < 2);
	}
	assert_null(lk_find_tenant_any(lk_fixture_snapshot(world.fixture), world.arena, "acme"));
	world_assert_consistent(world.fixture);
}

static void test_reap_is_built_again_where_a_key_went_before(void **state)
{
	struct world world = world_make(state);

	fill(&world, world.keyspace, 3);
	close_keyspace(&world, world.keyspace);
	Latchkey__Store__Change *change = build(&world);
	assert_int_equal(change->n_mutations, 4);
	world_delete(&world, 2);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_MOVED);
	assert_true(reap(&world));
	assert_false(reap(&world));
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_KEY), 0);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, lk_fixture_setup, lk_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_reap_leaves_alone_what_is_open),
		TEST(test_reap_removes_a_keyspace_part_by_part),
		TEST(test_reap_removes_a_keyspace_of_a_full_part),
		TEST(test_reap_audits_each_key),
		TEST(test_reap_removes_a_tenant_with_its_keyspaces),
		TEST(test_reap_removes_the_roles_and_owners_of_a_tenant),
		TEST(test_reap_removes_roles_and_owners_part_by_part),
		TEST(test_reap_is_built_again_where_a_role_moved),
		TEST(test_reap_removes_a_tenant_without_keyspaces),
		TEST(test_reap_goes_on_in_a_store_that_was_closed),
		TEST(test_reap_is_built_again_where_a_key_went_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

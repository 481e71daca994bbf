#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/store/find.h"
#include "server/store/verdict_record.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* More keyspaces than one page of their table holds. */
#define MANY 300

static bool is_closed(struct world *world, uint32_t keyspace)
{
	struct lk_gate gate = {0};

	assert_true(lk_gate_get(lk_fixture_snapshot(world->fixture), keyspace, &gate));
	return gate.closed != 0;
}

static void assert_refused(struct world *world, Latchkey__Store__Change *change, enum lk_err expected)
{
	uint8_t before[LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];

	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world->fixture), before), LK_OK);
	assert_int_equal(lk_fixture_apply(world->fixture, change), expected);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world->fixture), after), LK_OK);
	assert_memory_equal(before, after, sizeof before);
}

static enum lk_err delete_keyspace(struct world *world, uint32_t keyspace)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);

	lk_draft_delete_keyspace(world->arena, change, keyspace);
	return lk_fixture_apply(world->fixture, change);
}

static enum lk_err delete_tenant(struct world *world, uint32_t tenant)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);

	lk_draft_delete_tenant(world->arena, change, tenant);
	return lk_fixture_apply(world->fixture, change);
}

static void test_closing_a_keyspace_closes_its_gate_alone(void **state)
{
	struct world world = world_make(state);
	uint32_t test = lk_fixture_keyspace(world.fixture, world.tenant, "test");
	const Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	struct lk_verdict verdict;

	world_close_keyspace(&world, "prod");
	assert_true(is_closed(&world, world.keyspace));
	assert_false(is_closed(&world, test));
	world_assert_consistent(world.fixture);
	/* Its keys are still there, for the reaper; the gate alone says that they are over. */
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_true(lk_verdict_find(txn, key->digest.data, &verdict));
	world_assert_gate(&world, world.keyspace, 1, 0);
}

static void test_closed_keyspace_is_found_by_those_who_ask_for_it(void **state)
{
	struct world world = world_make(state);

	world_close_keyspace(&world, "prod");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_keyspace(txn, world.arena, world.tenant, "prod"));
	assert_false(lk_find_has_keyspace(txn, world.tenant, "prod"));
	assert_int_equal(lk_find_keyspace_any(txn, world.arena, world.tenant, "prod")->number, world.keyspace);
	assert_true(lk_find_keyspace_by_number(txn, world.arena, world.keyspace)->closed);
	assert_null(lk_find_keyspace_any(txn, world.arena, world.tenant, "pro"));
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_closing_a_tenant_closes_all_of_its_keyspaces(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_tenant(world.fixture, "other");
	uint32_t theirs = lk_fixture_keyspace(world.fixture, other, "prod");
	uint32_t ours[MANY];
	char id[32];

	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(id, sizeof id, "space-%zu", i);
		ours[i] = lk_fixture_keyspace(world.fixture, world.tenant, id);
		assert_int_not_equal(ours[i], 0);
	}
	world_key(&world, "one");
	world_close_keyspace(&world, "space-7");
	world_close_tenant(&world, "acme");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	uint64_t revision = lk_txn_head(txn)->revision;
	for (size_t i = 0; i < MANY; i++) {
		const Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace_by_number(txn, world.arena, ours[i]);
		assert_true(keyspace->closed);
		/* Whoever built on it sees that it has moved; the one that was closed before did not move again. */
		assert_int_equal(keyspace->revision == revision, i != 7);
	}
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_CLOSED), MANY + 2);
	for (size_t i = 0; i < MANY; i++) {
		assert_true(is_closed(&world, ours[i]));
	}
	assert_true(is_closed(&world, world.keyspace));
	assert_false(is_closed(&world, theirs));
	world_assert_consistent(world.fixture);
}

static void test_closed_tenant_is_found_by_those_who_ask_for_it(void **state)
{
	struct world world = world_make(state);

	world_close_tenant(&world, "acme");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_tenant(txn, world.arena, "acme"));
	assert_null(lk_find_keyspace(txn, world.arena, world.tenant, "prod"));
	assert_int_equal(lk_find_tenant_any(txn, world.arena, "acme")->number, world.tenant);
	assert_true(lk_find_tenant_by_number(txn, world.arena, world.tenant)->closed);
	assert_null(lk_find_tenant_any(txn, world.arena, "acm"));
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

/* The audit record of what was closed says what it was before; those of its keyspaces are not told one by one. */
static void test_closing_a_tenant_is_one_audit_record(void **state)
{
	struct world world = world_make(state);
	uint64_t before = lk_txn_head(lk_fixture_snapshot(world.fixture))->last_audit;

	lk_fixture_keyspace(world.fixture, world.tenant, "test");
	world_close_tenant(&world, "acme");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(lk_txn_head(txn)->last_audit, before + 2);
}

static void test_closing_again_changes_nothing_more(void **state)
{
	struct world world = world_make(state);

	world_close_tenant(&world, "acme");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	uint64_t revision = lk_find_keyspace_by_number(txn, world.arena, world.keyspace)->revision;
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	lk_draft_put_tenant_again(world.arena, change, lk_find_tenant_by_number(txn, world.arena, world.tenant));
	lk_draft_put_keyspace_again(world.arena, change, lk_find_keyspace_by_number(txn, world.arena, world.keyspace));
	change->mutations[1]->put_keyspace->display_name = (char *)(uintptr_t) "closed";
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	txn = lk_fixture_snapshot(world.fixture);
	assert_true(lk_find_keyspace_by_number(txn, world.arena, world.keyspace)->revision > revision);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_CLOSED), 2);
	world_assert_consistent(world.fixture);
}

static void test_what_was_closed_does_not_open_again(void **state)
{
	struct world world = world_make(state);

	world_close_tenant(&world, "acme");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	Latchkey__Store__TenantRecord *tenant = lk_find_tenant_by_number(txn, world.arena, world.tenant);
	Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace_by_number(txn, world.arena, world.keyspace);
	Latchkey__Store__Change *changes[] = {lk_draft_new(world.arena), lk_draft_new(world.arena)};
	tenant->closed = false;
	keyspace->closed = false;
	lk_draft_put_tenant_again(world.arena, changes[0], tenant);
	lk_draft_put_keyspace_again(world.arena, changes[1], keyspace);
	for (size_t i = 0; i < COUNT(changes); i++) {
		assert_refused(&world, changes[i], LK_INTERNAL);
	}
}

/* Whoever makes something expects what it is in; where that was forgotten, nothing is made that nobody would remove. */
static void test_nothing_is_made_in_what_is_closed(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *there = world_key(&world, "there");
	Latchkey__Store__Change *key = lk_draft_new(world.arena);
	Latchkey__Store__Change *keyspace = lk_draft_new(world.arena);

	world_close_tenant(&world, "acme");
	lk_draft_put_key(world.arena, key, world.tenant, world.keyspace, "one");
	assert_refused(&world, key, LK_INTERNAL);
	lk_draft_put_keyspace(world.arena, keyspace, world.tenant, "test");
	assert_refused(&world, keyspace, LK_INTERNAL);
	/* A key that is there may still be changed. */
	world_revoke(&world, there);
	world_assert_consistent(world.fixture);
}

/* The ids stand in the gate, the tenant's number in the index. */
static void test_space_that_became_another_is_refused(void **state)
{
	struct world world = world_make(state);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	Latchkey__Store__Change *changes[3];

	for (size_t i = 0; i < COUNT(changes); i++) {
		Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, world.arena, "acme");
		Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace(txn, world.arena, world.tenant, "prod");
		changes[i] = lk_draft_new(world.arena);
		if (i == 0) {
			tenant->id = (char *)(uintptr_t) "acme-2";
			lk_draft_put_tenant_again(world.arena, changes[i], tenant);
			continue;
		}
		keyspace->id = i == 1 ? (char *)(uintptr_t) "prod-2" : keyspace->id;
		keyspace->tenant = i == 2 ? 1 : keyspace->tenant;
		lk_draft_put_keyspace_again(world.arena, changes[i], keyspace);
	}
	for (size_t i = 0; i < COUNT(changes); i++) {
		assert_refused(&world, changes[i], LK_INTERNAL);
	}
}

static void test_keyspace_is_deleted_once_it_is_closed_and_empty(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *keys[] = {
		world_key(&world, "a"), world_key(&world, "b"), world_key(&world, "c")};
	Latchkey__Store__KeyRecord revoked = *keys[1];
	Latchkey__Store__KeyRecord suspended = *keys[2];

	world_revoke(&world, &revoked);
	suspended.state = LK_SUSPENDED;
	world_put(&world, &suspended);
	assert_int_equal(delete_keyspace(&world, world.keyspace), LK_INTERNAL);
	world_close_keyspace(&world, "prod");
	for (size_t i = 0; i < COUNT(keys); i++) {
		/* Whatever the state of what is left. */
		assert_int_equal(delete_keyspace(&world, world.keyspace), LK_INTERNAL);
		world_delete(&world, keys[i]->slot);
	}
	assert_int_equal(delete_keyspace(&world, world.keyspace), LK_OK);
	world_assert_consistent(world.fixture);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_keyspace_any(txn, world.arena, world.tenant, "prod"));
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_CLOSED), 0);
	/* Its id is free, and its number is not. */
	assert_true(lk_fixture_keyspace(world.fixture, world.tenant, "prod") > world.keyspace);
	assert_int_equal(delete_keyspace(&world, world.keyspace), LK_CORRUPT);
}

static void test_tenant_is_deleted_once_it_is_closed_and_empty(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *key = world_key(&world, "one");

	assert_int_equal(delete_tenant(&world, world.tenant), LK_INTERNAL);
	world_close_tenant(&world, "acme");
	assert_int_equal(delete_tenant(&world, world.tenant), LK_INTERNAL);
	world_delete(&world, key->slot);
	assert_int_equal(delete_keyspace(&world, world.keyspace), LK_OK);
	assert_int_equal(delete_tenant(&world, world.tenant), LK_OK);
	world_assert_consistent(world.fixture);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_tenant_any(txn, world.arena, "acme"));
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_CLOSED), 0);
	assert_true(lk_fixture_tenant(world.fixture, "acme") > world.tenant);
	assert_int_equal(delete_tenant(&world, world.tenant), LK_CORRUPT);
}

/* A number that is gone does not come back. */
static void test_space_that_is_gone_stays_gone(void **state)
{
	struct world world = world_make(state);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, world.arena, "acme");
	Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace(txn, world.arena, world.tenant, "prod");
	Latchkey__Store__Change *changes[] = {lk_draft_new(world.arena), lk_draft_new(world.arena)};

	world_close_tenant(&world, "acme");
	assert_int_equal(delete_keyspace(&world, world.keyspace), LK_OK);
	assert_int_equal(delete_tenant(&world, world.tenant), LK_OK);
	lk_draft_put_tenant_again(world.arena, changes[0], tenant);
	lk_draft_put_keyspace_again(world.arena, changes[1], keyspace);
	for (size_t i = 0; i < COUNT(changes); i++) {
		assert_refused(&world, changes[i], LK_CORRUPT);
	}
}

/* The last keyspace and its tenant may go in one Change. */
static void test_tenant_and_its_last_keyspace_go_together(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	world_close_tenant(&world, "acme");
	lk_draft_delete_keyspace(world.arena, change, world.keyspace);
	lk_draft_delete_tenant(world.arena, change, world.tenant);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	world_assert_consistent(world.fixture);
}

/* A keyspace that was made, closed and deleted, and its tenant: nothing is left but what was said of them, and their numbers. */
static void test_deleted_spaces_leave_the_tables_as_they_were(void **state)
{
	struct world world = world_make(state);
	uint8_t before[LK_TABLE_COUNT][LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	for (enum lk_table table = 0; table < LK_TABLE_COUNT; table++) {
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		assert_int_equal(lk_fixture_digest_table(txn, table, before[table]), LK_OK);
	}
	uint32_t tenant = lk_fixture_tenant(world.fixture, "brief");
	uint32_t keyspace = lk_fixture_keyspace(world.fixture, tenant, "prod");
	world_close_tenant(&world, "brief");
	lk_draft_delete_keyspace(world.arena, change, keyspace);
	lk_draft_delete_tenant(world.arena, change, tenant);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	for (enum lk_table table = 0; table < LK_TABLE_COUNT; table++) {
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		bool may_differ = table == LK_TABLE_META || table == LK_TABLE_AUDIT;
		assert_int_equal(lk_fixture_digest_table(txn, table, after), LK_OK);
		assert_int_equal(memcmp(before[table], after, sizeof after) != 0, may_differ);
	}
}

/* Whoever expected what a closing moved has to look again. */
static void test_closing_moves_what_was_expected(void **state)
{
	struct world world = world_make(state);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	uint64_t tenant = lk_find_tenant(txn, world.arena, "acme")->revision;
	uint64_t keyspace = lk_find_keyspace(txn, world.arena, world.tenant, "prod")->revision;
	Latchkey__Store__Change *changes[4];

	world_close_tenant(&world, "acme");
	for (size_t i = 0; i < COUNT(changes); i++) {
		changes[i] = lk_draft_new(world.arena);
	}
	lk_draft_expect_tenant(world.arena, changes[0], "acme", tenant);
	lk_draft_expect_keyspace(world.arena, changes[1], world.tenant, "prod", keyspace);
	/* The ids are taken. */
	lk_draft_expect_tenant(world.arena, changes[2], "acme", 0);
	lk_draft_expect_keyspace(world.arena, changes[3], world.tenant, "prod", 0);
	for (size_t i = 0; i < COUNT(changes); i++) {
		assert_refused(&world, changes[i], LK_MOVED);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_closing_a_keyspace_closes_its_gate_alone),
		TEST(test_closed_keyspace_is_found_by_those_who_ask_for_it),
		TEST(test_closing_a_tenant_closes_all_of_its_keyspaces),
		TEST(test_closed_tenant_is_found_by_those_who_ask_for_it),
		TEST(test_closing_a_tenant_is_one_audit_record),
		TEST(test_closing_again_changes_nothing_more),
		TEST(test_what_was_closed_does_not_open_again),
		TEST(test_nothing_is_made_in_what_is_closed),
		TEST(test_space_that_became_another_is_refused),
		TEST(test_keyspace_is_deleted_once_it_is_closed_and_empty),
		TEST(test_tenant_is_deleted_once_it_is_closed_and_empty),
		TEST(test_space_that_is_gone_stays_gone),
		TEST(test_tenant_and_its_last_keyspace_go_together),
		TEST(test_deleted_spaces_leave_the_tables_as_they_were),
		TEST(test_closing_moves_what_was_expected),
	};

	return cmocka_run_group_tests_name("store apply close", tests, NULL, NULL);
}

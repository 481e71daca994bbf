#include <setjmp.h>
#include <stdarg.h>

#include "server/store/audit_scan.h"
#include "server/store/find.h"
#include "server/store/rules.h"
#include "server/store/verdict_record.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

/* Puts the keyspace of the world again, with these addresses. */
static void put_cidrs(struct world *world, char **cidrs, size_t count)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace(
		lk_fixture_snapshot(world->fixture), world->arena, world->tenant, "prod");

	assert_non_null(keyspace);
	keyspace->allowed_cidrs = cidrs;
	keyspace->n_allowed_cidrs = count;
	lk_draft_put_keyspace_again(world->arena, change, keyspace);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
}

/* How many ranges verdicts see; the gate says whether they look at all. */
static size_t count_seen(struct world *world, uint32_t keyspace)
{
	struct lk_txn *txn = lk_fixture_snapshot(world->fixture);
	struct lk_rules rules = {0};
	struct lk_gate gate = {0};

	assert_true(lk_gate_get(txn, keyspace, &gate));
	assert_int_equal(lk_gate_cidrs_find(txn, keyspace, &rules), gate.has_cidrs != 0);
	assert_int_equal(lk_txn_err(txn), LK_OK);
	return rules.n_cidrs;
}

static void test_addresses_of_a_keyspace_follow_its_record(void **state)
{
	struct world world = world_make(state);
	char *one[] = {"10.0.0.0/8"};
	char *two[] = {"::/0", "192.0.2.7/32"};

	assert_int_equal(count_seen(&world, world.keyspace), 0);
	put_cidrs(&world, one, 1);
	assert_int_equal(count_seen(&world, world.keyspace), 1);
	/* Keys come and go, which writes the gate too. */
	const Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	assert_int_equal(count_seen(&world, world.keyspace), 1);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	lk_draft_delete_key(world.arena, change, key->slot);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	assert_int_equal(count_seen(&world, world.keyspace), 1);
	put_cidrs(&world, two, 2);
	assert_int_equal(count_seen(&world, world.keyspace), 2);
	put_cidrs(&world, NULL, 0);
	assert_int_equal(count_seen(&world, world.keyspace), 0);
}

static void test_addresses_of_a_keyspace_are_no_other_s(void **state)
{
	struct world world = world_make(state);
	uint32_t test = lk_fixture_keyspace(world.fixture, world.tenant, "test");
	char *one[] = {"10.0.0.0/8"};

	put_cidrs(&world, one, 1);
	assert_int_equal(count_seen(&world, test), 0);
}

static void test_addresses_of_a_new_keyspace_are_there_with_it(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	Latchkey__Store__KeyspaceRecord *keyspace = lk_draft_put_keyspace(world.arena, change, world.tenant, "new");
	char *one[] = {"10.0.0.0/8"};

	keyspace->allowed_cidrs = one;
	keyspace->n_allowed_cidrs = 1;
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	assert_int_equal(count_seen(&world, keyspace->number), 1);
}

/* The list goes with the keyspace, and the audit chain has it as it was. */
static void test_addresses_of_a_deleted_keyspace_are_gone(void **state)
{
	struct world world = world_make(state);
	char *one[] = {"10.0.0.0/8"};
	struct lk_rules rules = {0};

	put_cidrs(&world, one, 1);
	world_close_keyspace(&world, "prod");
	assert_int_equal(count_seen(&world, world.keyspace), 1);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	lk_draft_delete_keyspace(world.arena, change, world.keyspace);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_false(lk_gate_cidrs_find(txn, world.keyspace, &rules));
	const Latchkey__Store__AuditRecord *record = lk_audit_find(txn, world.arena, lk_txn_head(txn)->last_audit);
	assert_non_null(record);
	assert_int_equal(record->before->keyspace->n_allowed_cidrs, 1);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, lk_fixture_setup, lk_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_addresses_of_a_keyspace_follow_its_record),
		TEST(test_addresses_of_a_keyspace_are_no_other_s),
		TEST(test_addresses_of_a_new_keyspace_are_there_with_it),
		TEST(test_addresses_of_a_deleted_keyspace_are_gone),
	};

	return cmocka_run_group_tests_name("store apply cidrs", tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "server/store/apply.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum lk_err check(struct lk_fixture *fixture, Latchkey__Store__Change *change)
{
	return lk_apply_check(lk_fixture_snapshot(fixture), &fixture->arena, change);
}

static void test_apply_check_of_a_tenant_looks_at_its_revision(void **state)
{
	static const struct {
		const char *id;
		uint64_t revision;
		enum lk_err expected;
	} cases[] = {
		{"acme", 3, LK_OK},
		{"acme", 2, LK_MOVED},
		{"acme", 4, LK_MOVED},
		{"acme", 0, LK_MOVED},
		{"none", 0, LK_OK},
		{"none", 3, LK_MOVED},
	};
	struct lk_fixture *fixture = *state;

	lk_fixture_tenant(fixture, "acme");
	for (size_t i = 0; i < COUNT(cases); i++) {
		Latchkey__Store__Change *change = lk_draft_new(&fixture->arena);
		lk_draft_expect_tenant(&fixture->arena, change, cases[i].id, cases[i].revision);
		assert_int_equal(check(fixture, change), cases[i].expected);
	}
}

static void test_apply_check_of_a_keyspace_looks_in_its_tenant(void **state)
{
	struct world world = world_make(state);
	const struct {
		uint32_t tenant;
		const char *id;
		uint64_t revision;
		enum lk_err expected;
	} cases[] = {
		{world.tenant, "prod", 4, LK_OK},
		{world.tenant, "prod", 3, LK_MOVED},
		{world.tenant, "prod", 0, LK_MOVED},
		{world.tenant, "test", 0, LK_OK},
		{1, "prod", 0, LK_OK},
		{1, "prod", 4, LK_MOVED},
		{99, "prod", 0, LK_OK},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		Latchkey__Store__Change *change = lk_draft_new(world.arena);
		lk_draft_expect_keyspace(world.arena, change, cases[i].tenant, cases[i].id, cases[i].revision);
		assert_int_equal(check(world.fixture, change), cases[i].expected);
	}
}

static void test_apply_check_of_a_key_sees_that_it_changed_or_went(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	lk_draft_expect_key(world.arena, change, key->slot, key->revision);
	assert_int_equal(check(world.fixture, change), LK_OK);
	world_revoke(&world, key);
	assert_int_equal(check(world.fixture, change), LK_MOVED);
	world_delete(&world, key->slot);
	assert_int_equal(check(world.fixture, change), LK_MOVED);
}

static void test_apply_check_of_a_name_asks_the_keys_that_hold_it(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	Latchkey__Store__Change *taken = lk_draft_new(world.arena);
	Latchkey__Store__Change *free_name = lk_draft_new(world.arena);

	lk_draft_expect_name_free(world.arena, taken, world.keyspace, "ci");
	lk_draft_expect_name_free(world.arena, free_name, world.keyspace, "c");
	assert_int_equal(check(world.fixture, taken), LK_MOVED);
	assert_int_equal(check(world.fixture, free_name), LK_OK);
	world_revoke(&world, key);
	assert_int_equal(check(world.fixture, taken), LK_OK);
}

static void test_apply_check_wants_every_expectation_to_hold(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	lk_draft_expect_tenant(world.arena, change, "acme", 3);
	lk_draft_expect_keyspace(world.arena, change, world.tenant, "prod", 4);
	assert_int_equal(check(world.fixture, change), LK_OK);
	lk_draft_expect_name_free(world.arena, change, world.keyspace, "ci");
	assert_int_equal(check(world.fixture, change), LK_OK);
	lk_draft_expect_tenant(world.arena, change, "acme", 2);
	assert_int_equal(check(world.fixture, change), LK_MOVED);
}

static void test_apply_check_writes_nothing(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	uint8_t before[LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world.fixture), before), LK_OK);
	lk_draft_expect_keyspace(world.arena, change, world.tenant, "prod", 4);
	lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "ci");
	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	assert_int_equal(lk_apply_check(txn, world.arena, change), LK_OK);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world.fixture), after), LK_OK);
	assert_memory_equal(before, after, sizeof before);
}

/* What was moved meanwhile, but not into the way, does not matter. */
static void test_apply_check_does_not_mind_what_it_did_not_ask_for(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	lk_draft_expect_keyspace(world.arena, change, world.tenant, "prod", 4);
	lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "ci");
	world_key(&world, "another");
	assert_int_equal(check(world.fixture, change), LK_OK);
}

static void test_apply_expectation_and_mutation_of_no_kind_are_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	Latchkey__Store__Change *change = lk_draft_new(&fixture->arena);
	Latchkey__Store__Change *other = lk_draft_new(&fixture->arena);

	lk_draft_expect_tenant(&fixture->arena, change, "acme", 0);
	change->expectations[0]->what_case = LATCHKEY__STORE__EXPECTATION__WHAT__NOT_SET;
	assert_int_equal(lk_fixture_apply(fixture, change), LK_INTERNAL);
	lk_draft_put_tenant(&fixture->arena, other, "acme");
	other->mutations[0]->what_case = LATCHKEY__STORE__MUTATION__WHAT__NOT_SET;
	assert_int_equal(lk_fixture_apply(fixture, other), LK_INTERNAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_apply_check_of_a_tenant_looks_at_its_revision),
		TEST(test_apply_check_of_a_keyspace_looks_in_its_tenant),
		TEST(test_apply_check_of_a_key_sees_that_it_changed_or_went),
		TEST(test_apply_check_of_a_name_asks_the_keys_that_hold_it),
		TEST(test_apply_check_wants_every_expectation_to_hold),
		TEST(test_apply_check_writes_nothing),
		TEST(test_apply_check_does_not_mind_what_it_did_not_ask_for),
		TEST(test_apply_expectation_and_mutation_of_no_kind_are_refused),
	};

	return cmocka_run_group_tests_name("store apply check", tests, NULL, NULL);
}

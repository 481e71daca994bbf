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

/* Whoever adds a secret, or brings its own id: no other key may have it, nor have had its secret replaced. */
static void test_apply_check_of_a_digest_asks_for_every_secret(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	uint8_t other[LK_DIGEST_LEN];

	lk_draft_rotate(world.arena, key, 1);
	world_put(&world, key);
	memcpy(other, key->digest.data, sizeof other);
	other[LK_DIGEST_LEN - 1] ^= 1;
	const struct {
		const uint8_t *digest;
		enum lk_err expected;
		enum lk_err expected_after;
	} cases[] = {
		{key->digest.data, LK_MOVED, LK_OK},
		{key->previous_digest.data, LK_MOVED, LK_OK},
		{other, LK_OK, LK_OK},
	};
	for (int after = 0; after < 2; after++) {
		for (size_t i = 0; i < COUNT(cases); i++) {
			Latchkey__Store__Change *change = lk_draft_new(world.arena);
			lk_draft_expect_digest_free(world.arena, change, cases[i].digest);
			assert_int_equal(
				check(world.fixture, change), after ? cases[i].expected_after : cases[i].expected);
		}
		if (!after) {
			world_delete(&world, key->slot);
		}
	}
}

static void test_apply_check_of_a_digest_that_is_none_is_refused(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	uint8_t digest[LK_DIGEST_LEN] = {0};

	lk_draft_expect_digest_free(world.arena, change, digest);
	change->expectations[0]->digest_free.len--;
	assert_int_equal(check(world.fixture, change), LK_INTERNAL);
}

static void test_apply_check_of_an_id_asks_every_tenant(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_tenant(world.fixture, "other");
	uint32_t theirs = lk_fixture_keyspace(world.fixture, other, "prod");
	const Latchkey__Store__KeyRecord *keys[] = {
		world_key(&world, "ci"), lk_fixture_key(world.fixture, other, theirs, "ci")};

	for (size_t i = 0; i < COUNT(keys); i++) {
		Latchkey__Store__Change *change = lk_draft_new(world.arena);
		lk_draft_expect_id_free(world.arena, change, keys[i]->id);
		assert_int_equal(check(world.fixture, change), LK_MOVED);
		world_delete(&world, keys[i]->slot);
		/* The id of a key that is gone is free. */
		assert_int_equal(check(world.fixture, change), LK_OK);
	}
	Latchkey__Store__Change *none = lk_draft_new(world.arena);
	lk_draft_expect_id_free(world.arena, none, "key_00000000000000000000000000");
	lk_draft_expect_id_free(world.arena, none, "no id at all");
	assert_int_equal(check(world.fixture, none), LK_OK);
}

/* Idle: what has keys, has none that is not revoked. */
static void test_apply_check_of_idleness_counts_what_is_not_revoked(void **state)
{
	static const struct {
		Latchkey__Store__StoredState state;
		enum lk_err expected;
	} steps[] = {{LK_ACTIVE, LK_MOVED}, {LK_SUSPENDED, LK_MOVED}, {LK_REVOKED, LK_OK}};
	struct world world = world_make(state);
	uint32_t test = lk_fixture_keyspace(world.fixture, world.tenant, "test");
	Latchkey__Store__Change *changes[] = {
		lk_draft_new(world.arena), lk_draft_new(world.arena), lk_draft_new(world.arena)};

	lk_draft_expect_keyspace_idle(world.arena, changes[0], world.keyspace);
	lk_draft_expect_tenant_idle(world.arena, changes[1], world.tenant);
	lk_draft_expect_keyspace_idle(world.arena, changes[2], test);
	for (size_t i = 0; i < COUNT(changes); i++) {
		assert_int_equal(check(world.fixture, changes[i]), LK_OK);
	}
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	for (size_t i = 0; i < COUNT(steps); i++) {
		key->state = steps[i].state;
		world_put(&world, key);
		assert_int_equal(check(world.fixture, changes[0]), steps[i].expected);
		assert_int_equal(check(world.fixture, changes[1]), steps[i].expected);
		assert_int_equal(check(world.fixture, changes[2]), LK_OK);
	}
	/* In whichever of a tenant's keyspaces they are. */
	lk_fixture_key(world.fixture, world.tenant, test, "ci");
	assert_int_equal(check(world.fixture, changes[0]), LK_OK);
	assert_int_equal(check(world.fixture, changes[1]), LK_MOVED);
	assert_int_equal(check(world.fixture, changes[2]), LK_MOVED);
}

/* The keys of a keyspace that was closed are as good as gone, reaped or not. */
static void test_apply_check_of_idleness_passes_over_what_is_closed(void **state)
{
	struct world world = world_make(state);
	uint32_t test = lk_fixture_keyspace(world.fixture, world.tenant, "test");
	Latchkey__Store__Change *keyspace = lk_draft_new(world.arena);
	Latchkey__Store__Change *tenant = lk_draft_new(world.arena);

	world_key(&world, "ci");
	lk_draft_expect_keyspace_idle(world.arena, keyspace, world.keyspace);
	lk_draft_expect_tenant_idle(world.arena, tenant, world.tenant);
	assert_int_equal(check(world.fixture, tenant), LK_MOVED);
	world_close_keyspace(&world, "prod");
	assert_int_equal(check(world.fixture, keyspace), LK_OK);
	assert_int_equal(check(world.fixture, tenant), LK_OK);
	lk_fixture_key(world.fixture, world.tenant, test, "ci");
	assert_int_equal(check(world.fixture, tenant), LK_MOVED);
}

static void test_apply_check_of_idleness_of_what_is_gone(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *keyspace = lk_draft_new(world.arena);
	Latchkey__Store__Change *tenant = lk_draft_new(world.arena);

	lk_draft_expect_keyspace_idle(world.arena, keyspace, 99);
	assert_int_equal(check(world.fixture, keyspace), LK_MOVED);
	/* Of no tenant no keyspace has a key. */
	lk_draft_expect_tenant_idle(world.arena, tenant, 99);
	assert_int_equal(check(world.fixture, tenant), LK_OK);
}

static void test_apply_check_of_a_job_looks_at_its_revision(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	const Latchkey__Store__JobRecord *job = lk_draft_put_job(world.arena, change, world.tenant);

	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	const struct {
		uint64_t number;
		uint64_t revision;
		enum lk_err expected;
	} cases[] = {
		{job->number, job->revision, LK_OK},
		{job->number, job->revision - 1, LK_MOVED},
		{job->number, 0, LK_MOVED},
		{job->number + 1, 0, LK_OK},
		{job->number + 1, job->revision, LK_MOVED},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		change = lk_draft_new(world.arena);
		lk_draft_expect_job(world.arena, change, cases[i].number, cases[i].revision);
		assert_int_equal(check(world.fixture, change), cases[i].expected);
	}
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
	change->expectations[0]->what_case = (Latchkey__Store__Expectation__WhatCase)99;
	assert_int_equal(lk_fixture_apply(fixture, change), LK_INTERNAL);
	lk_draft_put_tenant(&fixture->arena, other, "acme");
	other->mutations[0]->what_case = LATCHKEY__STORE__MUTATION__WHAT__NOT_SET;
	assert_int_equal(lk_fixture_apply(fixture, other), LK_INTERNAL);
	other->mutations[0]->what_case = (Latchkey__Store__Mutation__WhatCase)99;
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
		TEST(test_apply_check_of_a_digest_asks_for_every_secret),
		TEST(test_apply_check_of_a_digest_that_is_none_is_refused),
		TEST(test_apply_check_of_an_id_asks_every_tenant),
		TEST(test_apply_check_of_idleness_counts_what_is_not_revoked),
		TEST(test_apply_check_of_idleness_passes_over_what_is_closed),
		TEST(test_apply_check_of_idleness_of_what_is_gone),
		TEST(test_apply_check_of_a_job_looks_at_its_revision),
		TEST(test_apply_check_wants_every_expectation_to_hold),
		TEST(test_apply_check_writes_nothing),
		TEST(test_apply_check_does_not_mind_what_it_did_not_ask_for),
		TEST(test_apply_expectation_and_mutation_of_no_kind_are_refused),
	};

	return cmocka_run_group_tests_name("store apply check", tests, NULL, NULL);
}

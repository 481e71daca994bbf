#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "server/store/find.h"
#include "server/store/index.h"
#include "server/store/verdict_record.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Texts of records are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

#define DAY_US INT64_C(86400000000)

static bool has(struct lk_fixture *fixture, enum lk_table table, struct lk_key key)
{
	struct lk_value value = {0};

	return lk_txn_get(lk_fixture_snapshot(fixture), table, &key, &value);
}

static size_t count(struct world *world, enum lk_table table)
{
	return lk_fixture_count(lk_fixture_snapshot(world->fixture), table);
}

static Latchkey__Store__KeyRecord *make_owned(struct world *world, const char *owner, int64_t expire_us)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world->arena, change, world->tenant, world->keyspace, "k");

	key->owner = TEXT(owner);
	key->expire_us = expire_us;
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return key;
}

static void test_index_by_owner_follows_the_owner(void **state)
{
	static const char *const owners[] = {"ada", "", "", "bob", "ada", "a", ""};
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = make_owned(&world, owners[0], 0);

	for (size_t i = 0; i < COUNT(owners); i++) {
		key->owner = TEXT(owners[i]);
		world_put(&world, key);
		world_assert_consistent(world.fixture);
		assert_int_equal(count(&world, LK_TABLE_KEY_BY_OWNER), owners[i][0] != '\0');
	}
	key->owner = TEXT("ada");
	world_put(&world, key);
	world_revoke(&world, key);
	assert_int_equal(count(&world, LK_TABLE_KEY_BY_OWNER), 1);
	world_delete(&world, key->slot);
	assert_int_equal(count(&world, LK_TABLE_KEY_BY_OWNER), 0);
}

static void test_index_by_expiry_follows_the_expiry(void **state)
{
	static const int64_t expiries[] = {0, 1, 0, 0, LK_FIXTURE_TIME_US, LK_FIXTURE_TIME_US + DAY_US, INT64_MAX, 0};
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = make_owned(&world, "", DAY_US);

	for (size_t i = 0; i < COUNT(expiries); i++) {
		key->expire_us = expiries[i];
		world_put(&world, key);
		world_assert_consistent(world.fixture);
		assert_true(has(world.fixture, LK_TABLE_KEY_BY_EXPIRY,
			lk_key_by_expiry(world.keyspace, expiries[i], key->slot)));
	}
	world_delete(&world, key->slot);
	assert_int_equal(count(&world, LK_TABLE_KEY_BY_EXPIRY), 0);
}

/* Those that never expire stand behind every instant. */
static void test_index_by_expiry_ends_with_those_that_never_do(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *never = make_owned(&world, "", 0);
	const Latchkey__Store__KeyRecord *late = make_owned(&world, "", INT64_MAX);
	const Latchkey__Store__KeyRecord *early = make_owned(&world, "", DAY_US);
	const uint64_t expected[] = {early->slot, late->slot, never->slot};
	struct lk_key prefix = lk_key_u32(world.keyspace);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEY_BY_EXPIRY);
	bool more = lk_walk_seek(walk, &prefix);

	for (size_t i = 0; i < COUNT(expected); i++) {
		assert_true(more);
		assert_int_equal(lk_read_u64(lk_walk_key(walk).data + 12), expected[i]);
		more = lk_walk_next(walk);
	}
	lk_walk_free(walk);
	assert_false(more);
}

static void test_gate_counts_each_state(void **state)
{
	static const struct {
		Latchkey__Store__StoredState state;
		uint64_t counts[3];
	} steps[] = {
		{LK_SUSPENDED, {1, 1, 0}},
		{LK_SUSPENDED, {1, 1, 0}},
		{LK_ACTIVE, {2, 0, 0}},
		{LK_SUSPENDED, {1, 1, 0}},
		{LK_REVOKED, {1, 0, 1}},
		{LK_REVOKED, {1, 0, 1}},
	};
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	struct lk_gate gate = {0};

	world_key(&world, "other");
	for (size_t i = 0; i < COUNT(steps); i++) {
		key->state = steps[i].state;
		world_put(&world, key);
		assert_true(lk_gate_get(lk_fixture_snapshot(world.fixture), world.keyspace, &gate));
		assert_int_equal(gate.active, steps[i].counts[0]);
		assert_int_equal(gate.suspended, steps[i].counts[1]);
		assert_int_equal(gate.revoked, steps[i].counts[2]);
		world_assert_consistent(world.fixture);
	}
}

static void test_gate_counts_a_suspended_key_out_when_it_is_deleted(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");

	key->state = LK_SUSPENDED;
	world_put(&world, key);
	world_delete(&world, key->slot);
	world_assert_gate(&world, world.keyspace, 0, 0);
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

static void test_key_of_no_stored_state_is_refused(void **state)
{
	static const int states[] = {0, 4, -1, INT32_MAX};
	struct world world = world_make(state);

	for (size_t i = 0; i < COUNT(states); i++) {
		Latchkey__Store__Change *change = lk_draft_new(world.arena);
		lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "one")->state =
			(Latchkey__Store__StoredState)states[i];
		assert_refused(&world, change, LK_INTERNAL);
	}
}

/* What the indexes rely on does not change: id, number, tenant, keyspace, time of creation. */
static void test_key_that_became_another_is_refused(void **state)
{
	struct world world = world_make(state);
	uint32_t test = lk_fixture_keyspace(world.fixture, world.tenant, "test");
	const Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	Latchkey__Store__KeyRecord others[5];

	for (size_t i = 0; i < COUNT(others); i++) {
		others[i] = *key;
	}
	others[0].id = TEXT("key_00000000000000000000000000");
	others[1].number++;
	others[2].tenant = 1;
	others[3].keyspace = test;
	others[4].create_us++;
	for (size_t i = 0; i < COUNT(others); i++) {
		Latchkey__Store__Change *change = lk_draft_new(world.arena);
		lk_draft_put_key_again(world.arena, change, &others[i]);
		assert_refused(&world, change, LK_INTERNAL);
	}
	world_assert_consistent(world.fixture);
}

/* A key that was made and deleted leaves its audit records, its id, and numbers that are used; everything else is as before. */
static void test_deleted_key_leaves_the_tables_as_they_were(void **state)
{
	static const enum lk_table changed[] = {
		LK_TABLE_META, LK_TABLE_KEY_COUNTER, LK_TABLE_AUDIT, LK_TABLE_AUDIT_BY_KEY, LK_TABLE_KEY_GONE};
	struct world world = world_make(state);
	uint8_t before[LK_TABLE_COUNT][LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];

	make_owned(&world, "ada", DAY_US);
	for (enum lk_table table = 0; table < LK_TABLE_COUNT; table++) {
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		assert_int_equal(lk_fixture_digest_table(txn, table, before[table]), LK_OK);
	}
	Latchkey__Store__KeyRecord *key = make_owned(&world, "ada", 2 * DAY_US);
	key->secret_kind = LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_FOREIGN;
	key->state = LK_SUSPENDED;
	world_put(&world, key);
	lk_draft_rotate(world.arena, key, DAY_US);
	world_put(&world, key);
	world_delete(&world, key->slot);
	for (enum lk_table table = 0; table < LK_TABLE_COUNT; table++) {
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		bool may_differ = false;
		for (size_t i = 0; i < COUNT(changed); i++) {
			may_differ = may_differ || changed[i] == table;
		}
		assert_int_equal(lk_fixture_digest_table(txn, table, after), LK_OK);
		assert_int_equal(memcmp(before[table], after, sizeof after) != 0, may_differ);
	}
	assert_int_equal(lk_txn_head(lk_fixture_snapshot(world.fixture))->foreign_secrets, 0);
	assert_true(
		world_index_has(lk_fixture_snapshot(world.fixture), LK_TABLE_KEY_GONE, lk_key_id(key->id), key->slot));
	world_assert_consistent(world.fixture);
}

/* An import may bring an id back: its audit records are found by the newest slot, also when it is gone again. */
static void test_id_that_came_back_and_went_again_has_its_newest_slot(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	uint64_t first = key->slot;

	world_delete(&world, key->slot);
	key->slot = 0;
	world_put(&world, key);
	assert_int_not_equal(key->slot, first);
	assert_true(world_index_has(lk_fixture_snapshot(world.fixture), LK_TABLE_KEY_GONE, lk_key_id(key->id), first));
	world_delete(&world, key->slot);
	assert_true(
		world_index_has(lk_fixture_snapshot(world.fixture), LK_TABLE_KEY_GONE, lk_key_id(key->id), key->slot));
	world_assert_consistent(world.fixture);
}

static void fold(struct world *world, uint64_t slot, int64_t from_us, int64_t to_us)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);

	lk_draft_fold_use(world->arena, change, world->keyspace, slot, from_us, to_us);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	world_assert_consistent(world->fixture);
}

static void test_fold_moves_a_key_to_its_last_use(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	uint64_t audited = count(&world, LK_TABLE_AUDIT);

	world_key(&world, "other");
	assert_true(has(world.fixture, LK_TABLE_KEY_BY_USED, lk_key_by_used(world.keyspace, 0, key->slot)));
	fold(&world, key->slot, 0, 5);
	assert_true(has(world.fixture, LK_TABLE_KEY_BY_USED, lk_key_by_used(world.keyspace, 5, key->slot)));
	fold(&world, key->slot, 5, 9);
	assert_true(has(world.fixture, LK_TABLE_KEY_BY_USED, lk_key_by_used(world.keyspace, 9, key->slot)));
	fold(&world, key->slot, 9, 9);
	assert_int_equal(count(&world, LK_TABLE_KEY_BY_USED), 2);
	/* The other key's creation alone. */
	assert_int_equal(count(&world, LK_TABLE_AUDIT), audited + 1);
}

/* A fold that was made on an older state changes nothing. */
static void test_fold_from_where_the_key_is_not_changes_nothing(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *key = world_key(&world, "one");

	fold(&world, key->slot, 0, 5);
	fold(&world, key->slot, 0, 7);
	fold(&world, key->slot, 3, 7);
	fold(&world, 99, 0, 7);
	assert_true(has(world.fixture, LK_TABLE_KEY_BY_USED, lk_key_by_used(world.keyspace, 5, key->slot)));
	assert_int_equal(count(&world, LK_TABLE_KEY_BY_USED), 1);
}

/* A key that was folded and then deleted stands there still; the next fold takes it out. */
static void test_fold_takes_out_what_is_gone(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *key = world_key(&world, "one");

	fold(&world, key->slot, 0, 5);
	world_delete(&world, key->slot);
	assert_int_equal(count(&world, LK_TABLE_KEY_BY_USED), 1);
	world_assert_consistent(world.fixture);
	fold(&world, key->slot, 5, 8);
	assert_int_equal(count(&world, LK_TABLE_KEY_BY_USED), 0);
	/* And one that was never folded leaves with its key. */
	key = world_key(&world, "two");
	world_delete(&world, key->slot);
	assert_int_equal(count(&world, LK_TABLE_KEY_BY_USED), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_index_by_owner_follows_the_owner),
		TEST(test_index_by_expiry_follows_the_expiry),
		TEST(test_index_by_expiry_ends_with_those_that_never_do),
		TEST(test_gate_counts_each_state),
		TEST(test_gate_counts_a_suspended_key_out_when_it_is_deleted),
		TEST(test_key_of_no_stored_state_is_refused),
		TEST(test_key_that_became_another_is_refused),
		TEST(test_deleted_key_leaves_the_tables_as_they_were),
		TEST(test_id_that_came_back_and_went_again_has_its_newest_slot),
		TEST(test_fold_moves_a_key_to_its_last_use),
		TEST(test_fold_from_where_the_key_is_not_changes_nothing),
		TEST(test_fold_takes_out_what_is_gone),
	};

	return cmocka_run_group_tests_name("store apply index", tests, NULL, NULL);
}

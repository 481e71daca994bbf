#include "server/store/fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/slots.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

/* Keys made in one commit. */
#define MANY    512
#define HOUR_US (INT64_C(3600) * 1000000)
/* An hour's begin. */
#define NOON_US (INT64_C(496000) * HOUR_US)

static void use(struct world *world, uint64_t slot, int64_t at_us)
{
	lk_slots_use(lk_store_slots(world->fixture->store), slot, at_us);
}

/* What a part of the round finds to do, on a snapshot as it is now. */
static Latchkey__Store__Change *build(struct world *world, struct lk_fold *fold, int64_t now_us)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	struct lk_txn *txn = lk_fixture_snapshot(world->fixture);

	assert_int_equal(lk_fold_build(fold, txn, world->arena, now_us, change), LK_OK);
	return change;
}

/* Runs parts until one finds nothing; returns how many moves they made. */
static size_t run(struct world *world, struct lk_fold *fold, int64_t now_us)
{
	size_t moves = 0;

	for (;;) {
		Latchkey__Store__Change *change = build(world, fold, now_us);
		if (change->n_mutations == 0) {
			return moves;
		}
		moves += change->n_mutations;
		assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	}
}

static bool stands_at(struct world *world, uint32_t keyspace, int64_t used_us, uint64_t slot)
{
	struct lk_key key = lk_key_by_used(keyspace, used_us, slot);
	struct lk_value value = {0};

	return lk_txn_get(lk_fixture_snapshot(world->fixture), LK_TABLE_KEY_BY_USED, &key, &value);
}

static void assert_entries(struct world *world, size_t count)
{
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world->fixture), LK_TABLE_KEY_BY_USED), count);
}

static void test_fold_takes_uses_over_cut_down_to_the_hour(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_keyspace(world.fixture, world.tenant, "other");
	struct lk_fold fold = {0};

	for (int i = 0; i < 4; i++) {
		world_key(&world, "");
	}
	lk_fixture_key(world.fixture, world.tenant, other, "x");
	use(&world, 2, NOON_US);
	use(&world, 3, NOON_US + HOUR_US - 1);
	use(&world, 4, NOON_US + HOUR_US);
	use(&world, 5, NOON_US + 1);
	assert_int_equal(run(&world, &fold, NOON_US + 2 * HOUR_US), 4);
	assert_true(stands_at(&world, world.keyspace, 0, 1));
	assert_true(stands_at(&world, world.keyspace, NOON_US, 2));
	assert_true(stands_at(&world, world.keyspace, NOON_US, 3));
	assert_true(stands_at(&world, world.keyspace, NOON_US + HOUR_US, 4));
	assert_true(stands_at(&world, other, NOON_US, 5));
	assert_entries(&world, 5);
	assert_int_equal(lk_store_folded(world.fixture->store), NOON_US + 2 * HOUR_US - 60 * 1000000);
	/* Nothing of it is audited, and nothing else changed. */
	world_assert_consistent(world.fixture);
}

static void test_fold_begins_a_round_when_it_is_due(void **state)
{
	struct world world = world_make(state);
	struct lk_fold fold = {0};

	world_key(&world, "");
	assert_int_equal(run(&world, &fold, NOON_US), 0);
	use(&world, 1, NOON_US + 1);
	assert_int_equal(run(&world, &fold, NOON_US + LK_FOLD_ROUND_US - 1), 0);
	assert_true(stands_at(&world, world.keyspace, 0, 1));
	assert_int_equal(run(&world, &fold, NOON_US + LK_FOLD_ROUND_US), 1);
	assert_true(stands_at(&world, world.keyspace, NOON_US, 1));
	/* A clock that was set back does not put it off. */
	use(&world, 1, NOON_US + HOUR_US);
	assert_int_equal(run(&world, &fold, NOON_US), 1);
	assert_true(stands_at(&world, world.keyspace, NOON_US + HOUR_US, 1));
}

static void test_fold_finds_again_what_was_not_applied(void **state)
{
	struct world world = world_make(state);
	struct lk_fold fold = {0};

	for (int i = 0; i < 3; i++) {
		world_key(&world, "");
	}
	use(&world, 2, NOON_US);
	for (int i = 0; i < 3; i++) {
		Latchkey__Store__Change *change = build(&world, &fold, NOON_US + HOUR_US);
		assert_int_equal(change->n_mutations, 1);
		assert_int_equal(change->mutations[0]->fold_use->slot, 2);
	}
	assert_int_equal(lk_store_folded(world.fixture->store), 0);
	assert_int_equal(run(&world, &fold, NOON_US + HOUR_US), 1);
	assert_true(lk_store_folded(world.fixture->store) > 0);
}

static void test_fold_removes_what_is_left_of_deleted_keys(void **state)
{
	struct world world = world_make(state);
	struct lk_fold fold = {0};

	world_key(&world, "");
	world_key(&world, "");
	use(&world, 1, NOON_US);
	use(&world, 2, NOON_US);
	assert_int_equal(run(&world, &fold, NOON_US), 2);
	world_delete(&world, 1);
	assert_entries(&world, 2);
	assert_int_equal(run(&world, &fold, NOON_US + LK_FOLD_ROUND_US), 1);
	assert_entries(&world, 1);
	assert_true(stands_at(&world, world.keyspace, NOON_US, 2));
}

/* Deleted between the look and the move. */
static void test_fold_brings_no_deleted_key_back(void **state)
{
	struct world world = world_make(state);
	struct lk_fold fold = {0};

	world_key(&world, "");
	world_key(&world, "");
	use(&world, 1, NOON_US);
	use(&world, 2, NOON_US);
	Latchkey__Store__Change *change = build(&world, &fold, NOON_US + HOUR_US);
	assert_int_equal(change->n_mutations, 2);
	world_delete(&world, 1);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	assert_entries(&world, 1);
	assert_true(stands_at(&world, world.keyspace, NOON_US, 2));
}

/* Slots that were restored from before say of an earlier use: the entry must not be later. */
static void test_fold_never_leaves_an_entry_behind_its_use(void **state)
{
	struct world world = world_make(state);
	struct lk_key unused = lk_key_by_used(world.keyspace, 0, 1);
	struct lk_key late = lk_key_by_used(world.keyspace, NOON_US + HOUR_US, 1);
	struct lk_fold fold = {0};
	struct lk_txn *txn = NULL;

	world_key(&world, "");
	use(&world, 1, NOON_US + 7);
	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_delete(txn, LK_TABLE_KEY_BY_USED, &unused);
	lk_txn_put(txn, LK_TABLE_KEY_BY_USED, &late, NULL, 0, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	assert_int_equal(run(&world, &fold, NOON_US + 2 * HOUR_US), 1);
	assert_true(stands_at(&world, world.keyspace, NOON_US, 1));
	assert_entries(&world, 1);
}

static void make_many(struct world *world, size_t count)
{
	for (size_t made = 0; made < count; made += MANY) {
		Latchkey__Store__Change *change = lk_draft_new(world->arena);
		for (size_t i = 0; i < MANY && made + i < count; i++) {
			lk_draft_put_key(world->arena, change, world->tenant, world->keyspace, "");
		}
		assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
		lk_arena_reset(world->arena);
	}
}

static void test_fold_moves_a_bounded_part_at_a_time(void **state)
{
	struct world world = world_make(state);
	struct lk_fold fold = {0};
	size_t parts = 0;
	size_t moves = 0;

	make_many(&world, 2500);
	for (uint64_t slot = 1; slot <= 2500; slot++) {
		use(&world, slot, NOON_US + (int64_t)slot % 3 * HOUR_US);
	}
	for (;; parts++) {
		Latchkey__Store__Change *change = build(&world, &fold, NOON_US + 4 * HOUR_US);
		if (change->n_mutations == 0) {
			break;
		}
		assert_true(change->n_mutations <= LK_FOLD_MOVES_MAX);
		moves += change->n_mutations;
		assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	}
	assert_int_equal(moves, 2500);
	assert_true(parts >= 3);
	assert_entries(&world, 2500);
	assert_true(lk_store_folded(world.fixture->store) > 0);
}

static void test_fold_looks_at_a_bounded_part_at_a_time(void **state)
{
	struct world world = world_make(state);
	struct lk_fold fold = {0};

	make_many(&world, LK_FOLD_EXAMINE_MAX + 500);
	use(&world, LK_FOLD_EXAMINE_MAX + 1, NOON_US);
	/* The first part finds nothing to move, and the round goes on behind it. */
	assert_int_equal(build(&world, &fold, NOON_US + HOUR_US)->n_mutations, 0);
	assert_int_equal(lk_store_folded(world.fixture->store), 0);
	assert_int_equal(build(&world, &fold, NOON_US + HOUR_US)->n_mutations, 1);
	assert_int_equal(run(&world, &fold, NOON_US + HOUR_US), 1);
	assert_true(lk_store_folded(world.fixture->store) > 0);
	assert_entries(&world, LK_FOLD_EXAMINE_MAX + 500);
}

static void test_fold_of_an_entry_that_does_not_read_is_corrupt(void **state)
{
	struct world world = world_make(state);
	struct lk_key bad = lk_key_u32(world.keyspace);
	struct lk_fold fold = {0};
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_put(txn, LK_TABLE_KEY_BY_USED, &bad, NULL, 0, 0);
	assert_int_equal(lk_fold_build(&fold, txn, world.arena, NOON_US, lk_draft_new(world.arena)), LK_CORRUPT);
	lk_write_abort(txn);
	assert_int_equal(lk_store_folded(world.fixture->store), 0);
}

static void test_fold_without_memory_says_so(void **state)
{
	struct world world = world_make(state);
	struct lk_fold fold = {0};
	struct lk_arena small = {0};

	world_key(&world, "");
	use(&world, 1, NOON_US);
	for (size_t cap = 64; cap <= 4096; cap *= 64) {
		Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;
		assert_int_equal(lk_arena_init(&small, 64, cap), LK_OK);
		enum lk_err err = lk_fold_build(
			&fold, lk_fixture_snapshot(world.fixture), &small, NOON_US + HOUR_US, &change);
		assert_int_equal(err, cap == 64 ? LK_NO_MEMORY : LK_OK);
		assert_int_equal(change.n_mutations, cap == 64 ? 0 : 1);
		lk_arena_done(&small);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_fold_takes_uses_over_cut_down_to_the_hour),
		TEST(test_fold_begins_a_round_when_it_is_due),
		TEST(test_fold_finds_again_what_was_not_applied),
		TEST(test_fold_removes_what_is_left_of_deleted_keys),
		TEST(test_fold_brings_no_deleted_key_back),
		TEST(test_fold_never_leaves_an_entry_behind_its_use),
		TEST(test_fold_moves_a_bounded_part_at_a_time),
		TEST(test_fold_looks_at_a_bounded_part_at_a_time),
		TEST(test_fold_of_an_entry_that_does_not_read_is_corrupt),
		TEST(test_fold_without_memory_says_so),
	};

	return cmocka_run_group_tests_name("store fold", tests, NULL, NULL);
}

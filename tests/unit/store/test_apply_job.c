#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "server/store/find.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const uint64_t slots[] = {3, 7, 8, 500};

/* A job of `parts` parts. */
static Latchkey__Store__JobRecord *make_job(struct world *world, uint32_t parts)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	Latchkey__Store__JobRecord *job = lk_draft_put_job(world->arena, change, world->tenant);

	job->parts = parts;
	job->total = parts * COUNT(slots);
	for (uint32_t i = 0; i < parts; i++) {
		lk_draft_put_job_part(world->arena, change, i, slots, COUNT(slots));
	}
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return job;
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

static void test_job_stands_with_its_parts(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__JobRecord *job = make_job(&world, 3);

	assert_int_equal(job->number, 1);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	const Latchkey__Store__JobRecord *found = lk_find_job(txn, world.arena, 1);
	assert_non_null(found);
	assert_int_equal(found->revision, lk_txn_head(txn)->revision);
	assert_int_equal(found->parts, 3);
	assert_int_equal(lk_txn_head(txn)->last_job, 1);
	for (uint32_t part = 0; part < 3; part++) {
		const Latchkey__Store__JobPartRecord *record = lk_find_job_part(txn, world.arena, 1, part);
		assert_non_null(record);
		assert_int_equal(record->n_slot_steps, COUNT(slots));
		assert_int_equal(record->slot_steps[0], 3);
		assert_int_equal(record->slot_steps[3], 492);
	}
	assert_null(lk_find_job_part(txn, world.arena, 1, 3));
	assert_null(lk_find_job(txn, world.arena, 2));
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_job_is_not_audited(void **state)
{
	struct world world = world_make(state);
	uint64_t audited = lk_txn_head(lk_fixture_snapshot(world.fixture))->last_audit;
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	make_job(&world, 2);
	lk_draft_delete_job_part(world.arena, change, 1, 0);
	lk_draft_delete_job(world.arena, change, 1);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	assert_int_equal(lk_txn_head(lk_fixture_snapshot(world.fixture))->last_audit, audited);
}

static void test_job_goes_on_part_by_part(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__JobRecord *job = make_job(&world, 2);

	for (uint32_t part = 0; part < 2; part++) {
		Latchkey__Store__Change *change = lk_draft_new(world.arena);
		lk_draft_expect_job(world.arena, change, job->number, job->revision);
		job->next_part = part + 1;
		lk_draft_delete_job_part(world.arena, change, job->number, part);
		lk_draft_put_job_again(world.arena, change, job);
		assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		assert_null(lk_find_job_part(txn, world.arena, job->number, part));
		assert_int_equal(lk_find_job(txn, world.arena, job->number)->next_part, part + 1);
		assert_int_equal(lk_find_job(txn, world.arena, job->number)->revision, lk_txn_head(txn)->revision);
	}
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_JOB_PART), 0);
}

/* A job that is deleted takes the parts that are left with it, and none of another's. */
static void test_job_takes_its_parts_with_it(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	uint8_t before[2][LK_DIGEST_LEN];
	uint8_t after[2][LK_DIGEST_LEN];

	make_job(&world, 2);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(lk_fixture_digest_table(txn, LK_TABLE_JOB, before[0]), LK_OK);
	assert_int_equal(lk_fixture_digest_table(txn, LK_TABLE_JOB_PART, before[1]), LK_OK);
	const Latchkey__Store__JobRecord *job = make_job(&world, 40);
	assert_int_equal(job->number, 2);
	lk_draft_delete_job(world.arena, change, 2);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(lk_fixture_digest_table(txn, LK_TABLE_JOB, after[0]), LK_OK);
	assert_int_equal(lk_fixture_digest_table(txn, LK_TABLE_JOB_PART, after[1]), LK_OK);
	assert_memory_equal(before, after, sizeof before);
	/* Its number is not used again. */
	assert_int_equal(make_job(&world, 0)->number, 3);
}

static void test_job_that_is_gone_is_corrupt(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__JobRecord *job = make_job(&world, 1);
	Latchkey__Store__Change *changes[4];
	Latchkey__Store__Change *gone = lk_draft_new(world.arena);

	lk_draft_delete_job(world.arena, gone, job->number);
	assert_int_equal(lk_fixture_apply(world.fixture, gone), LK_OK);
	for (size_t i = 0; i < COUNT(changes); i++) {
		changes[i] = lk_draft_new(world.arena);
	}
	lk_draft_put_job_again(world.arena, changes[0], job);
	lk_draft_delete_job(world.arena, changes[1], job->number);
	lk_draft_delete_job_part(world.arena, changes[2], job->number, 0);
	lk_draft_delete_job_part(world.arena, changes[3], 0, 0);
	for (size_t i = 0; i < COUNT(changes); i++) {
		assert_refused(&world, changes[i], LK_CORRUPT);
	}
}

/* A part belongs to the job that its own Change put before it. */
static void test_job_part_without_its_job_is_refused(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *alone = lk_draft_new(world.arena);
	Latchkey__Store__Change *before = lk_draft_new(world.arena);
	Latchkey__Store__Change *empty = lk_draft_new(world.arena);

	make_job(&world, 1);
	lk_draft_put_job_part(world.arena, alone, 1, slots, COUNT(slots));
	assert_refused(&world, alone, LK_INTERNAL);
	lk_draft_put_job_part(world.arena, before, 0, slots, COUNT(slots));
	lk_draft_put_job(world.arena, before, world.tenant);
	assert_refused(&world, before, LK_INTERNAL);
	lk_draft_put_job(world.arena, empty, world.tenant);
	lk_draft_put_job_part(world.arena, empty, 0, slots, COUNT(slots));
	empty->mutations[1]->put_job_part->record = NULL;
	assert_refused(&world, empty, LK_INTERNAL);
}

static void test_parts_follow_the_job_that_was_put_last(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	lk_draft_put_job(world.arena, change, world.tenant);
	lk_draft_put_job_part(world.arena, change, 0, slots, 1);
	lk_draft_put_job(world.arena, change, world.tenant);
	lk_draft_put_job_part(world.arena, change, 0, slots, 2);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(lk_find_job_part(txn, world.arena, 1, 0)->n_slot_steps, 1);
	assert_int_equal(lk_find_job_part(txn, world.arena, 2, 0)->n_slot_steps, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_job_stands_with_its_parts),
		TEST(test_job_is_not_audited),
		TEST(test_job_goes_on_part_by_part),
		TEST(test_job_takes_its_parts_with_it),
		TEST(test_job_that_is_gone_is_corrupt),
		TEST(test_job_part_without_its_job_is_refused),
		TEST(test_parts_follow_the_job_that_was_put_last),
	};

	return cmocka_run_group_tests_name("store apply job", tests, NULL, NULL);
}

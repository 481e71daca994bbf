#include "server/store/job.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "server/store/change.h"
#include "server/store/find.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define SECOND_US INT64_C(1000000)

static Latchkey__Store__Change *new_change(struct world *world, int64_t now_us)
{
	Latchkey__Store__Change *change = lk_arena_alloc(world->arena, sizeof *change);

	assert_non_null(change);
	latchkey__store__change__init(change);
	change->time_us = now_us;
	change->actor = (char *)(uintptr_t) "latchkeyd";
	change->method = (char *)(uintptr_t) "latchkeyd/jobs";
	return change;
}

/* A job about the keys in these slots, two a part, the first of which is done when it is made. */
static uint64_t make_job(struct world *world, const uint64_t *slots, size_t count, int64_t now_us)
{
	Latchkey__Store__Change *change = new_change(world, now_us);
	Latchkey__Store__JobRecord *job = lk_arena_alloc(world->arena, sizeof *job);
	uint64_t *copy = lk_arena_array(world->arena, count, sizeof *copy);

	assert_true(job != NULL && copy != NULL);
	memcpy(copy, slots, count * sizeof *copy);
	latchkey__store__job_record__init(job);
	job->tenant = world->tenant;
	job->actor = (char *)(uintptr_t) "key:key_of_ada";
	job->method = (char *)(uintptr_t) "latchkey.v1.KeyService/BulkRevoke";
	job->peer = (char *)(uintptr_t) "tcp:192.0.2.1:7";
	job->reason = (char *)(uintptr_t) "leaked";
	job->create_us = job->update_us = now_us;
	job->total = count;
	job->done = 2;
	job->parts = (uint32_t)((count + 1) / 2);
	job->next_part = 1;
	lk_job_revoke(lk_fixture_snapshot(world->fixture), world->arena, copy, 2, job->reason, job->owner, change);
	lk_change_put_job(world->arena, change, job);
	for (uint32_t i = 1; i < job->parts; i++) {
		size_t len = count - 2 * (size_t)i < 2 ? 1 : 2;
		lk_change_put_job_part(
			world->arena, change, i, lk_job_part_new(world->arena, copy + 2 * (size_t)i, len));
	}
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return job->number;
}

static Latchkey__Store__JobRecord *find_job(struct world *world, uint64_t number)
{
	return lk_find_job(lk_fixture_snapshot(world->fixture), world->arena, number);
}

static Latchkey__Store__Change *build(struct world *world, struct lk_job_chore *chore, int64_t now_us)
{
	Latchkey__Store__Change *change = new_change(world, now_us);

	assert_int_equal(lk_job_build(chore, lk_fixture_snapshot(world->fixture), world->arena, now_us, change), LK_OK);
	return change;
}

/* One turn of the chore; false where it found nothing to do. */
static bool take_turn(struct world *world, struct lk_job_chore *chore, int64_t now_us)
{
	Latchkey__Store__Change *change = build(world, chore, now_us);

	if (change->n_mutations == 0) {
		return false;
	}
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return true;
}

static Latchkey__Store__StoredState state_of(struct world *world, uint64_t slot)
{
	const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(
		lk_fixture_snapshot(world->fixture), world->arena, slot);

	return key == NULL ? LATCHKEY__STORE__STORED_STATE__STORED_STATE_UNSPECIFIED : key->state;
}

/* Five keys, in slots 1 to 5. */
static void make_keys(struct world *world)
{
	static const char *const names[] = {"a", "b", "c", "d", "e"};

	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(world_key(world, names[i])->slot, i + 1);
	}
}

static const uint64_t five[] = {1, 2, 3, 4, 5};

static void test_job_steps_through_its_parts(void **state)
{
	struct world world = world_make(state);
	int64_t now_us = LK_FIXTURE_TIME_US;

	make_keys(&world);
	uint64_t number = make_job(&world, five, 5, now_us);
	assert_int_equal(state_of(&world, 2), LK_REVOKED);
	assert_int_equal(state_of(&world, 3), LK_ACTIVE);
	for (uint32_t part = 1; part < 3; part++) {
		Latchkey__Store__JobRecord *job = find_job(&world, number);
		Latchkey__Store__Change *change = new_change(&world, now_us);
		assert_false(lk_job_is_done(job));
		lk_job_step(lk_fixture_snapshot(world.fixture), world.arena, now_us, job, change);
		assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
		assert_int_equal(find_job(&world, number)->next_part, part + 1);
	}
	Latchkey__Store__JobRecord *job = find_job(&world, number);
	assert_true(lk_job_is_done(job));
	assert_int_equal(job->done, 5);
	for (uint64_t slot = 1; slot <= 5; slot++) {
		assert_int_equal(state_of(&world, slot), LK_REVOKED);
	}
	const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(lk_fixture_snapshot(world.fixture), world.arena, 5);
	assert_string_equal(key->revoke_reason, "leaked");
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_JOB_PART), 0);
	world_assert_consistent(world.fixture);
}

static void test_job_passes_over_what_is_gone_or_revoked(void **state)
{
	struct world world = world_make(state);

	make_keys(&world);
	uint64_t number = make_job(&world, five, 5, LK_FIXTURE_TIME_US);
	world_delete(&world, 3);
	world_revoke(&world, lk_find_key_by_slot(lk_fixture_snapshot(world.fixture), world.arena, 4));
	struct lk_job_chore chore = {.inherited = number};
	while (take_turn(&world, &chore, LK_FIXTURE_TIME_US)) {
	}
	assert_int_equal(find_job(&world, number)->done, 5);
	assert_int_equal(state_of(&world, 5), LK_REVOKED);
	/* Not revoked a second time. */
	const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(lk_fixture_snapshot(world.fixture), world.arena, 4);
	assert_string_equal(key->revoke_reason, "");
}

static void test_job_step_is_built_again_where_another_took_it(void **state)
{
	struct world world = world_make(state);
	struct lk_job_chore chore = {0};

	make_keys(&world);
	uint64_t number = make_job(&world, five, 5, LK_FIXTURE_TIME_US);
	int64_t later_us = LK_FIXTURE_TIME_US + LK_JOB_LEFT_US;
	Latchkey__Store__Change *stale = build(&world, &chore, later_us);
	assert_true(take_turn(&world, &chore, later_us));
	assert_int_equal(lk_fixture_apply(world.fixture, stale), LK_MOVED);
	assert_int_equal(find_job(&world, number)->next_part, 2);
}

static void test_job_chore_waits_for_the_caller(void **state)
{
	struct world world = world_make(state);
	struct lk_job_chore chore = {0};

	make_keys(&world);
	uint64_t number = make_job(&world, five, 5, LK_FIXTURE_TIME_US);
	assert_false(take_turn(&world, &chore, LK_FIXTURE_TIME_US + LK_JOB_LEFT_US - 1));
	assert_true(take_turn(&world, &chore, LK_FIXTURE_TIME_US + LK_JOB_LEFT_US));
	/* That was a part: whoever comes back has ten seconds again. */
	assert_false(take_turn(&world, &chore, LK_FIXTURE_TIME_US + LK_JOB_LEFT_US + SECOND_US));
	/* A clock that was set back holds nothing up. */
	assert_true(take_turn(&world, &chore, LK_FIXTURE_TIME_US - 3600 * SECOND_US));
	assert_true(lk_job_is_done(find_job(&world, number)));
}

static void test_job_chore_takes_over_what_an_earlier_daemon_left(void **state)
{
	struct world world = world_make(state);
	struct lk_job_chore chore = {0};

	make_keys(&world);
	uint64_t number = make_job(&world, five, 5, LK_FIXTURE_TIME_US);
	lk_fixture_close(world.fixture);
	assert_int_equal(lk_fixture_open(world.fixture), LK_OK);
	assert_int_equal(lk_job_chore_init(world.fixture->store, &chore), LK_OK);
	assert_int_equal(chore.inherited, number);
	assert_true(take_turn(&world, &chore, LK_FIXTURE_TIME_US));
	assert_true(take_turn(&world, &chore, LK_FIXTURE_TIME_US));
	assert_false(take_turn(&world, &chore, LK_FIXTURE_TIME_US));
	assert_true(lk_job_is_done(find_job(&world, number)));
	assert_int_equal(state_of(&world, 5), LK_REVOKED);
}

static void test_job_chore_acts_for_who_began_the_job(void **state)
{
	struct world world = world_make(state);

	make_keys(&world);
	struct lk_job_chore chore = {.inherited = make_job(&world, five, 5, LK_FIXTURE_TIME_US)};
	const Latchkey__Store__Change *change = build(&world, &chore, LK_FIXTURE_TIME_US);
	assert_string_equal(change->actor, "key:key_of_ada");
	assert_string_equal(change->method, "latchkey.v1.KeyService/BulkRevoke");
	assert_string_equal(change->peer, "tcp:192.0.2.1:7");
}

static void test_job_chore_removes_what_has_long_been_done(void **state)
{
	struct world world = world_make(state);

	make_keys(&world);
	uint64_t number = make_job(&world, five, 5, LK_FIXTURE_TIME_US);
	struct lk_job_chore chore = {.inherited = number};
	while (take_turn(&world, &chore, LK_FIXTURE_TIME_US)) {
	}
	assert_false(take_turn(&world, &chore, LK_FIXTURE_TIME_US + LK_JOB_KEPT_US - 1));
	assert_non_null(find_job(&world, number));
	assert_true(take_turn(&world, &chore, LK_FIXTURE_TIME_US + LK_JOB_KEPT_US));
	assert_null(find_job(&world, number));
	assert_false(take_turn(&world, &chore, LK_FIXTURE_TIME_US + LK_JOB_KEPT_US));
}

static void test_job_counts_those_that_are_under_way(void **state)
{
	struct world world = world_make(state);

	make_keys(&world);
	uint64_t number = 0;
	for (int i = 0; i < LK_JOB_MOST; i++) {
		assert_false(lk_job_too_many(lk_fixture_snapshot(world.fixture), world.arena));
		number = make_job(&world, five, 5, LK_FIXTURE_TIME_US);
	}
	assert_true(lk_job_too_many(lk_fixture_snapshot(world.fixture), world.arena));
	struct lk_job_chore chore = {.inherited = number};
	while (take_turn(&world, &chore, LK_FIXTURE_TIME_US)) {
	}
	assert_false(lk_job_too_many(lk_fixture_snapshot(world.fixture), world.arena));
}

static void test_job_part_that_is_not_there_is_corrupt(void **state)
{
	struct world world = world_make(state);

	make_keys(&world);
	uint64_t number = make_job(&world, five, 5, LK_FIXTURE_TIME_US);
	Latchkey__Store__Change *change = new_change(&world, LK_FIXTURE_TIME_US);
	lk_change_delete_job_part(world.arena, change, number, 1);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	struct lk_job_chore chore = {.inherited = number};
	assert_int_equal(lk_job_build(&chore, lk_fixture_snapshot(world.fixture), world.arena, LK_FIXTURE_TIME_US,
				 new_change(&world, LK_FIXTURE_TIME_US)),
		LK_CORRUPT);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, lk_fixture_setup, lk_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_job_steps_through_its_parts),
		TEST(test_job_passes_over_what_is_gone_or_revoked),
		TEST(test_job_step_is_built_again_where_another_took_it),
		TEST(test_job_chore_waits_for_the_caller),
		TEST(test_job_chore_takes_over_what_an_earlier_daemon_left),
		TEST(test_job_chore_acts_for_who_began_the_job),
		TEST(test_job_chore_removes_what_has_long_been_done),
		TEST(test_job_counts_those_that_are_under_way),
		TEST(test_job_part_that_is_not_there_is_corrupt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

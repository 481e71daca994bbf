#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "server/store/find.h"
#include "server/store/writer.h"
#include "tests/unit/store/bench.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define QUEUE_MAX    4096
#define MAP_SIZE     ((size_t)1 << 20)
#define SLOTS        ((uint64_t)1 << 20)

/*
 * Submits jobs as one group: `large` of the `count` are job_too_much(), the rest make a key each. Those that are urgent may use
 * all of the map, so that LMDB itself refuses the large one in the middle of its work.
 */
static void run_group(struct bench *bench, struct job **jobs, size_t count, size_t large, bool urgent)
{
	bench_hold(bench);
	size_t done = bench->done;
	for (size_t i = 0; i < count; i++) {
		jobs[i] = job_new(bench, "");
		assert_non_null(jobs[i]);
		jobs[i]->write.urgent = urgent;
		if (i == large) {
			jobs[i]->make = job_too_much;
		}
		assert_int_equal(job_submit(jobs[i]), LK_OK);
	}
	bench_release(bench);
	bench_wait(bench, done + count);
}

static void free_jobs(struct job **jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		job_free(jobs[i]);
	}
}

static void assert_stored(struct bench *bench, const struct job *job, bool stored)
{
	struct lk_txn *txn = lk_fixture_snapshot(bench->world.fixture);

	assert_int_equal(lk_find_key(txn, bench->world.arena, bench->world.tenant, job->key->id) != NULL, stored);
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_writer_full_map_fails_the_large_write_alone(void **state)
{
	static const size_t places[] = {0, 2, 4};
	struct job *jobs[5];
	struct bench bench;

	for (size_t place = 0; place < 2 * COUNT(places); place++) {
		bench_reopen(state, MAP_SIZE, SLOTS);
		bench_start(&bench, state, QUEUE_MAX);
		run_group(&bench, jobs, COUNT(jobs), places[place % 3], place >= 3);
		for (size_t i = 0; i < COUNT(jobs); i++) {
			assert_int_equal(jobs[i]->times_done, 1);
			assert_int_equal(jobs[i]->err, i == places[place % 3] ? LK_FULL : LK_OK);
			if (i != places[place % 3]) {
				assert_stored(&bench, jobs[i], true);
			}
		}
		assert_int_equal(lk_fixture_count(lk_fixture_snapshot(bench.world.fixture), LK_TABLE_KEY), 4);
		bench_stop(&bench);
		world_assert_consistent(bench.world.fixture);
		world_assert_gate(&bench.world, bench.world.keyspace, 4, 0);
		free_jobs(jobs, COUNT(jobs));
	}
}

static void test_writer_goes_on_after_a_write_that_did_not_fit(void **state)
{
	struct job *jobs[3];
	struct bench bench;

	bench_reopen(state, MAP_SIZE, SLOTS);
	bench_start(&bench, state, QUEUE_MAX);
	for (size_t round = 0; round < 3; round++) {
		run_group(&bench, jobs, COUNT(jobs), 1, round % 2 == 0);
		assert_int_equal(jobs[0]->err, LK_OK);
		assert_int_equal(jobs[1]->err, LK_FULL);
		assert_int_equal(jobs[2]->err, LK_OK);
		/* Numbers of what did not happen are nobody's yet. */
		assert_int_equal(jobs[2]->key->slot, 2 * round + 2);
		free_jobs(jobs, COUNT(jobs));
	}
	bench_stop(&bench);
	world_assert_consistent(bench.world.fixture);
}

static void test_writer_without_a_free_slot_still_revokes(void **state)
{
	struct job *jobs[4];
	struct bench bench;

	bench_reopen(state, MAP_SIZE, 2);
	bench_start(&bench, state, QUEUE_MAX);
	run_group(&bench, jobs, 3, SIZE_MAX, false);
	assert_int_equal(jobs[0]->err, LK_OK);
	assert_int_equal(jobs[1]->err, LK_OK);
	assert_int_equal(jobs[2]->err, LK_FULL);
	free_jobs(jobs, 3);
	bench_hold(&bench);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = job_new(&bench, "");
		jobs[i]->slot = i / 2 + 1;
		jobs[i]->make = i % 2 == 0 ? job_revokes : jobs[i]->make;
		assert_int_equal(job_submit(jobs[i]), LK_OK);
	}
	bench_release(&bench);
	bench_wait(&bench, 7);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		assert_int_equal(jobs[i]->err, i % 2 == 0 ? LK_OK : LK_FULL);
	}
	bench_stop(&bench);
	world_assert_gate(&bench.world, bench.world.keyspace, 0, 2);
	free_jobs(jobs, COUNT(jobs));
}

/* A commit that the disk refuses: nothing of it is there, and the next one that the disk takes is. */
static void test_writer_full_disk_fails_what_needs_room_and_nothing_after_it(void **state)
{
	struct rlimit before = {0};
	struct stat status = {0};
	struct job *jobs[3];
	struct bench bench;
	char path[256];

	bench_start(&bench, state, QUEUE_MAX);
	lk_fixture_path(bench.world.fixture, "data.mdb", sizeof path, path);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rlimit limit = {.rlim_cur = (rlim_t)status.st_size, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	run_group(&bench, jobs, COUNT(jobs), 1, false);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	(void)signal(SIGXFSZ, handler);
	assert_int_equal(jobs[1]->err, LK_FULL);
	for (size_t i = 0; i < COUNT(jobs); i += 2) {
		assert_true(jobs[i]->err == LK_OK || jobs[i]->err == LK_FULL);
		assert_stored(&bench, jobs[i], jobs[i]->err == LK_OK);
	}
	free_jobs(jobs, COUNT(jobs));
	/* Now it fits: 2 MiB in a map of 256. */
	run_group(&bench, jobs, COUNT(jobs), 1, false);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		assert_int_equal(jobs[i]->err, LK_OK);
	}
	bench_stop(&bench);
	world_assert_consistent(bench.world.fixture);
	lk_fixture_close(bench.world.fixture);
	assert_int_equal(lk_fixture_open(bench.world.fixture), LK_OK);
	world_assert_consistent(bench.world.fixture);
	free_jobs(jobs, COUNT(jobs));
}

static void test_writer_response_that_cannot_be_made_undoes_its_write_alone(void **state)
{
	struct job *jobs[3];
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	bench_hold(&bench);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = job_new(&bench, "");
		jobs[i]->compose_err = i == 1 ? LK_NO_MEMORY : LK_OK;
		assert_int_equal(job_submit(jobs[i]), LK_OK);
	}
	bench_release(&bench);
	bench_wait(&bench, COUNT(jobs));
	assert_int_equal(jobs[0]->err, LK_OK);
	assert_int_equal(jobs[1]->err, LK_NO_MEMORY);
	assert_int_equal(jobs[2]->err, LK_OK);
	assert_stored(&bench, jobs[0], true);
	assert_stored(&bench, jobs[1], false);
	assert_stored(&bench, jobs[2], true);
	bench_stop(&bench);
	world_assert_gate(&bench.world, bench.world.keyspace, 2, 0);
	free_jobs(jobs, COUNT(jobs));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_writer_full_map_fails_the_large_write_alone),
		TEST(test_writer_goes_on_after_a_write_that_did_not_fit),
		TEST(test_writer_without_a_free_slot_still_revokes),
		TEST(test_writer_full_disk_fails_what_needs_room_and_nothing_after_it),
		TEST(test_writer_response_that_cannot_be_made_undoes_its_write_alone),
	};

	return cmocka_run_group_tests_name("store writer failure", tests, NULL, NULL);
}

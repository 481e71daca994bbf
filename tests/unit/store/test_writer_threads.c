#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/find.h"
#include "server/store/verdict_record.h"
#include "server/store/writer.h"
#include "tests/unit/store/bench.h"
#include <cmocka.h>

#define THREADS 8
#define WRITES  100

/* One thread's part: its jobs, and whether each of them was taken. */
struct part {
	struct bench *bench;
	struct job *jobs[WRITES];
	/* Waits for each answer before the next write. */
	bool one_by_one;
	size_t taken;
};

static void wait_for(struct job *job)
{
	struct bench *bench = job->bench;

	pthread_mutex_lock(&bench->lock);
	while (job->times_done == 0) {
		pthread_cond_wait(&bench->changed, &bench->lock);
	}
	pthread_mutex_unlock(&bench->lock);
}

static void *write_many(void *argument)
{
	struct part *part = argument;

	for (size_t i = 0; i < WRITES; i++) {
		part->jobs[i] = job_new(part->bench, "");
		part->taken += part->jobs[i] != NULL && job_submit(part->jobs[i]) == LK_OK;
		if (part->one_by_one && part->taken == i + 1) {
			wait_for(part->jobs[i]);
		}
	}
	return NULL;
}

/* Every write is answered once, with a key that nobody else has, and all of them are there after a restart. */
static void test_writer_does_all_writes_of_many_threads(void **state)
{
	static struct part parts[THREADS];
	bool seen[THREADS * WRITES + 1] = {false};
	pthread_t threads[THREADS];
	struct bench bench;

	bench_start(&bench, state, THREADS * WRITES);
	for (size_t i = 0; i < THREADS; i++) {
		parts[i] = (struct part){.bench = &bench, .one_by_one = i % 2 == 0};
		assert_int_equal(pthread_create(&threads[i], NULL, write_many, &parts[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	bench_stop(&bench);
	lk_fixture_close(bench.world.fixture);
	assert_int_equal(lk_fixture_open(bench.world.fixture), LK_OK);
	struct lk_txn *txn = lk_fixture_snapshot(bench.world.fixture);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(parts[i].taken, WRITES);
		for (size_t k = 0; k < WRITES; k++) {
			struct job *job = parts[i].jobs[k];
			assert_int_equal(job->err, LK_OK);
			assert_int_equal(job->times_done, 1);
			assert_in_range(job->key->slot, 1, THREADS * WRITES);
			assert_false(seen[job->key->slot]);
			seen[job->key->slot] = true;
			const Latchkey__Store__KeyRecord *stored = lk_find_key_by_slot(
				txn, bench.world.arena, job->key->slot);
			assert_string_equal(stored->id, job->key->id);
			assert_int_equal(stored->revision, job->revision);
			job_free(job);
		}
	}
	world_assert_consistent(bench.world.fixture);
	world_assert_gate(&bench.world, bench.world.keyspace, THREADS * WRITES, 0);
}

/* Keys that are revoked while verifiers look: `acknowledged` is how many of them were, in order. */
struct watch {
	struct bench *bench;
	struct job *jobs[WRITES];
	_Atomic size_t acknowledged;
	_Atomic bool wrong;
	_Atomic size_t looked;
};

static bool says_revoked(struct lk_txn *snapshot, const struct job *job)
{
	struct lk_verdict verdict;

	return lk_verdict_find(snapshot, job->key->digest.data, &verdict) && verdict.head.state == LK_REVOKED;
}

static void *watch_verdicts(void *argument)
{
	struct watch *watch = argument;
	struct lk_txn *snapshot = NULL;
	size_t acknowledged = 0;

	if (lk_snapshot_new(watch->bench->world.fixture->store, &snapshot) != LK_OK) {
		abort();
	}
	while (acknowledged < WRITES) {
		acknowledged = atomic_load(&watch->acknowledged);
		if (lk_snapshot_begin(snapshot) != LK_OK) {
			abort();
		}
		for (size_t i = 0; i < acknowledged; i++) {
			if (!says_revoked(snapshot, watch->jobs[i])) {
				atomic_store(&watch->wrong, true);
			}
		}
		lk_snapshot_end(snapshot);
		atomic_fetch_add(&watch->looked, 1);
	}
	lk_snapshot_free(snapshot);
	return NULL;
}

/* Whatever begins after a revocation was acknowledged sees it. */
static void test_writer_revoked_means_revoked(void **state)
{
	static struct watch watch;
	pthread_t threads[3];
	struct bench bench;

	bench_start(&bench, state, 2 * WRITES);
	watch = (struct watch){.bench = &bench};
	for (size_t i = 0; i < WRITES; i++) {
		watch.jobs[i] = job_new(&bench, "");
		assert_int_equal(job_submit(watch.jobs[i]), LK_OK);
	}
	bench_wait(&bench, WRITES);
	for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, watch_verdicts, &watch), 0);
	}
	for (size_t i = 0; i < WRITES; i++) {
		struct job *job = job_new(&bench, "");
		job->make = job_revokes;
		job->slot = watch.jobs[i]->key->slot;
		job->write.urgent = true;
		assert_int_equal(job_submit(job), LK_OK);
		wait_for(job);
		atomic_store(&watch.acknowledged, i + 1);
		job_free(job);
	}
	for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
		pthread_join(threads[i], NULL);
	}
	bench_stop(&bench);
	assert_false(watch.wrong);
	assert_true(watch.looked >= 3);
	for (size_t i = 0; i < WRITES; i++) {
		job_free(watch.jobs[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_writer_does_all_writes_of_many_threads),
		TEST(test_writer_revoked_means_revoked),
	};

	return cmocka_run_group_tests_name("store writer threads", tests, NULL, NULL);
}

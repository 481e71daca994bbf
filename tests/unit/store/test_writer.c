#include "server/store/writer.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/uuid7.h"
#include "server/core/time.h"
#include "server/store/find.h"
#include "server/store/verdict_record.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/bench.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define QUEUE_MAX    4096

static struct job *new_job(struct bench *bench, const char *name)
{
	struct job *job = job_new(bench, name);

	assert_non_null(job);
	return job;
}

static void submit(struct job *job)
{
	assert_int_equal(job_submit(job), LK_OK);
}

static void free_jobs(struct job **jobs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		job_free(jobs[i]);
	}
}

static size_t keys_stored(struct bench *bench)
{
	return lk_fixture_count(lk_fixture_snapshot(bench->world.fixture), LK_TABLE_KEY);
}

static void test_writer_answers_when_the_write_is_there(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	struct job *job = new_job(&bench, "ci");
	submit(job);
	bench_wait(&bench, 1);
	assert_int_equal(job->err, LK_OK);
	assert_int_equal(job->times_built, 0);
	struct lk_txn *txn = lk_fixture_snapshot(bench.world.fixture);
	assert_int_equal(lk_txn_head(txn)->revision, job->revision);
	assert_string_equal(lk_find_key(txn, bench.world.arena, bench.world.tenant, job->key->id)->name, "ci");
	assert_non_null(strstr(job->answer, "in slot 1"));
	bench_stop(&bench);
	assert_int_equal(job->times_done, 1);
	job_free(job);
}

static void test_writer_gives_a_group_one_after_another_their_revisions(void **state)
{
	struct bench bench;
	struct job *jobs[5];

	bench_start(&bench, state, QUEUE_MAX);
	bench_hold(&bench);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = new_job(&bench, "");
		submit(jobs[i]);
	}
	bench_release(&bench);
	bench_wait(&bench, COUNT(jobs));
	for (size_t i = 0; i < COUNT(jobs); i++) {
		assert_int_equal(jobs[i]->err, LK_OK);
		assert_int_equal(jobs[i]->turn, i);
		assert_int_equal(jobs[i]->revision, jobs[0]->revision + i);
		assert_int_equal(jobs[i]->key->slot, i + 1);
		assert_int_equal(jobs[i]->times_built, 0);
	}
	bench_stop(&bench);
	free_jobs(jobs, COUNT(jobs));
}

static void test_writer_write_without_mutations_succeeds_and_makes_no_state(void **state)
{
	struct bench bench;
	uint8_t id[LK_REQUEST_ID_LEN];

	bench_start(&bench, state, QUEUE_MAX);
	uint64_t before = lk_txn_head(lk_fixture_snapshot(bench.world.fixture))->revision;
	struct job *job = new_job(&bench, "");
	job->make = job_nothing;
	lk_uuid7_make(LK_FIXTURE_TIME_US / LK_US_PER_MS, id);
	job_identify(job, id, "nothing");
	submit(job);
	bench_wait(&bench, 1);
	assert_int_equal(job->err, LK_OK);
	assert_int_equal(job->revision, before);
	struct lk_txn *txn = lk_fixture_snapshot(bench.world.fixture);
	assert_int_equal(lk_txn_head(txn)->revision, before);
	/* Its retry is to do nothing, too. */
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_REPLY), 1);
	struct job *unnamed = new_job(&bench, "");
	unnamed->make = job_nothing;
	submit(unnamed);
	bench_wait(&bench, 2);
	assert_int_equal(unnamed->err, LK_OK);
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(bench.world.fixture), LK_TABLE_REPLY), 1);
	bench_stop(&bench);
	job_free(job);
	job_free(unnamed);
}

static void test_writer_same_request_twice_in_one_group_happens_once(void **state)
{
	struct bench bench;
	struct job *jobs[3];
	uint8_t id[LK_REQUEST_ID_LEN];

	bench_start(&bench, state, QUEUE_MAX);
	lk_uuid7_make(LK_FIXTURE_TIME_US / LK_US_PER_MS, id);
	bench_hold(&bench);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = new_job(&bench, "ci");
		jobs[i]->unique = true;
		job_identify(jobs[i], id, "create ci");
		submit(jobs[i]);
	}
	bench_release(&bench);
	bench_wait(&bench, COUNT(jobs));
	/* Each had made a token of its own; there is one. */
	assert_string_not_equal(jobs[0]->token, jobs[1]->token);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		assert_int_equal(jobs[i]->err, LK_OK);
		assert_string_equal(jobs[i]->answer, jobs[0]->answer);
		assert_int_equal(strncmp(jobs[i]->answer, jobs[0]->token, strlen(jobs[0]->token)), 0);
		assert_int_equal(jobs[i]->revision, jobs[0]->revision);
	}
	assert_int_equal(keys_stored(&bench), 1);
	bench_stop(&bench);
	free_jobs(jobs, COUNT(jobs));
}

static void test_writer_retry_in_a_later_group_gets_the_same_answer(void **state)
{
	struct bench bench;
	uint8_t id[LK_REQUEST_ID_LEN];

	bench_start(&bench, state, QUEUE_MAX);
	lk_uuid7_make(LK_FIXTURE_TIME_US / LK_US_PER_MS, id);
	struct job *first = new_job(&bench, "ci");
	struct job *retry = new_job(&bench, "ci");
	struct job *other = new_job(&bench, "other");
	job_identify(first, id, "create ci");
	job_identify(retry, id, "create ci");
	job_identify(other, id, "create other");
	submit(first);
	bench_wait(&bench, 1);
	submit(retry);
	submit(other);
	bench_wait(&bench, 3);
	assert_int_equal(retry->err, LK_OK);
	assert_string_equal(retry->answer, first->answer);
	assert_int_equal(retry->revision, first->revision);
	/* The same id for another request is refused, and nothing made of it. */
	assert_int_equal(other->err, LK_INVALID_ARGUMENT);
	assert_int_equal(keys_stored(&bench), 1);
	bench_stop(&bench);
	job_free(first);
	job_free(retry);
	job_free(other);
}

/* The reply that is kept has a token in it, and the file has neither that nor the id that opens it. */
static void test_writer_leaves_no_token_and_no_request_id_in_the_file(void **state)
{
	struct bench bench;
	uint8_t id[LK_REQUEST_ID_LEN];
	char path[256];

	bench_start(&bench, state, QUEUE_MAX);
	lk_uuid7_make(LK_FIXTURE_TIME_US / LK_US_PER_MS, id);
	struct job *job = new_job(&bench, "ci");
	job_identify(job, id, "create ci");
	submit(job);
	bench_wait(&bench, 1);
	bench_stop(&bench);
	lk_fixture_close(bench.world.fixture);
	lk_fixture_path(bench.world.fixture, "data.mdb", sizeof path, path);
	assert_true(lk_fixture_file_has(path, job->key->digest.data, 8));
	assert_true(lk_fixture_file_has(path, job->key->id, strlen(job->key->id)));
	assert_false(lk_fixture_file_has(path, job->token, 12));
	assert_false(lk_fixture_file_has(path, id, sizeof id));
	job_free(job);
}

static void test_writer_one_name_for_two_of_a_group_is_the_firsts(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	bench_hold(&bench);
	struct job *first = new_job(&bench, "ci");
	struct job *second = new_job(&bench, "ci");
	struct job *third = new_job(&bench, "another");
	first->unique = second->unique = third->unique = true;
	submit(first);
	submit(second);
	submit(third);
	bench_release(&bench);
	bench_wait(&bench, 3);
	assert_int_equal(first->err, LK_OK);
	/* It was built again, on what the first had done, and says what that says. */
	assert_int_equal(second->err, LK_ALREADY_EXISTS);
	assert_int_equal(second->times_built, 1);
	assert_int_equal(third->err, LK_OK);
	assert_int_equal(third->times_built, 0);
	assert_int_equal(keys_stored(&bench), 2);
	bench_stop(&bench);
	world_assert_consistent(bench.world.fixture);
	job_free(first);
	job_free(second);
	job_free(third);
}

static void test_writer_builds_again_what_was_built_on_an_older_state(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	struct job *made = new_job(&bench, "ci");
	submit(made);
	bench_wait(&bench, 1);
	bench_hold(&bench);
	struct job *jobs[] = {new_job(&bench, ""), new_job(&bench, ""), new_job(&bench, ""), new_job(&bench, "")};
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i]->slot = made->key->slot;
		jobs[i]->make = i < 2 ? job_revokes : job_deletes;
		submit(jobs[i]);
	}
	bench_release(&bench);
	bench_wait(&bench, 5);
	/* Revoked; revoked already, which is no change; deleted; not there any more. */
	static const enum lk_err expected[] = {LK_OK, LK_OK, LK_OK, LK_NOT_FOUND};
	for (size_t i = 0; i < COUNT(jobs); i++) {
		assert_int_equal(jobs[i]->err, expected[i]);
		assert_int_equal(jobs[i]->times_built, i != 0);
	}
	assert_int_equal(jobs[1]->revision, jobs[0]->revision);
	assert_int_equal(jobs[2]->revision, jobs[0]->revision + 1);
	assert_int_equal(keys_stored(&bench), 0);
	bench_stop(&bench);
	world_assert_gate(&bench.world, bench.world.keyspace, 0, 0);
	free_jobs(jobs, COUNT(jobs));
	job_free(made);
}

static void test_writer_drops_what_is_past_its_deadline(void **state)
{
	struct bench bench;
	uint8_t id[LK_REQUEST_ID_LEN];

	bench_start(&bench, state, QUEUE_MAX);
	lk_uuid7_make(LK_FIXTURE_TIME_US / LK_US_PER_MS, id);
	bench_hold(&bench);
	struct job *late = new_job(&bench, "late");
	struct job *in_time = new_job(&bench, "in time");
	late->write.deadline_us = bench_clock_us() - 1;
	job_identify(late, id, "create late");
	submit(late);
	submit(in_time);
	bench_release(&bench);
	bench_wait(&bench, 2);
	assert_int_equal(late->err, LK_DEADLINE_EXCEEDED);
	assert_int_equal(in_time->err, LK_OK);
	assert_int_equal(keys_stored(&bench), 1);
	assert_int_equal(in_time->key->slot, 1);
	/* Not even a reply: a retry may still happen. */
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(bench.world.fixture), LK_TABLE_REPLY), 0);
	bench_stop(&bench);
	job_free(late);
	job_free(in_time);
}

static void test_writer_refuses_what_its_queue_does_not_hold(void **state)
{
	struct bench bench;
	struct job *jobs[8];

	/* Three of either kind: those that go first find room, however many others wait. */
	bench_start(&bench, state, 3);
	bench_hold(&bench);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = new_job(&bench, "");
		jobs[i]->write.urgent = i >= 4;
		assert_int_equal(job_submit(jobs[i]), i == 3 || i == 7 ? LK_RESOURCE_EXHAUSTED : LK_OK);
	}
	bench_release(&bench);
	bench_wait(&bench, 6);
	submit(jobs[3]);
	bench_wait(&bench, 7);
	bench_stop(&bench);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		assert_int_equal(jobs[i]->times_done, i != 7);
	}
	free_jobs(jobs, COUNT(jobs));
}

/* More than one group waits; the revocations that come last go before all of them. */
static void test_writer_lets_revocations_go_first(void **state)
{
	struct bench bench;
	struct job *jobs[300];

	bench_start(&bench, state, QUEUE_MAX);
	bench_hold(&bench);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = new_job(&bench, "");
		jobs[i]->write.urgent = i >= COUNT(jobs) - 2;
		submit(jobs[i]);
	}
	bench_release(&bench);
	bench_wait(&bench, COUNT(jobs));
	for (size_t i = 0; i < COUNT(jobs); i++) {
		assert_int_equal(jobs[i]->err, LK_OK);
		assert_int_equal(jobs[i]->turn, (i + 2) % COUNT(jobs));
	}
	bench_stop(&bench);
	free_jobs(jobs, COUNT(jobs));
}

/* How many keys there were when each write was answered: nothing of the next group is done by then. */
static uint64_t keys_when_answered[8];

static void count_keys(struct lk_write *write, enum lk_err err, const struct lk_kept_reply *reply)
{
	struct job *job = (struct job *)(void *)((char *)write - offsetof(struct job, write));
	struct bench *bench = job->bench;
	struct lk_txn *snapshot = NULL;

	(void)reply;
	if (lk_snapshot_new(bench->world.fixture->store, &snapshot) != LK_OK || lk_snapshot_begin(snapshot) != LK_OK) {
		abort();
	}
	uint64_t keys = lk_txn_head(snapshot)->last_slot;
	lk_snapshot_free(snapshot);
	pthread_mutex_lock(&bench->lock);
	job->err = err;
	keys_when_answered[bench->done++] = keys;
	pthread_cond_broadcast(&bench->changed);
	pthread_mutex_unlock(&bench->lock);
}

static enum lk_err make_many(struct job *job, struct lk_txn *txn)
{
	(void)txn;
	for (size_t i = 0; i < job->slot; i++) {
		lk_draft_put_key(&job->arena, job->write.change, job->bench->world.tenant, job->keyspace, "");
	}
	return LK_OK;
}

static void test_writer_group_has_no_more_mutations_than_bounds_its_time(void **state)
{
	static const uint64_t sizes[] = {1, 500, 500, 500, 499, 1, 500, 500};
	static const uint64_t expected[] = {2000, 2000, 2000, 2000, 2000, 3001, 3001, 3001};
	struct job *jobs[COUNT(sizes)];
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	bench_hold(&bench);
	for (size_t i = 0; i < COUNT(jobs); i++) {
		jobs[i] = new_job(&bench, "");
		jobs[i]->make = make_many;
		jobs[i]->slot = sizes[i];
		jobs[i]->write.done = count_keys;
		submit(jobs[i]);
	}
	bench_release(&bench);
	bench_wait(&bench, COUNT(jobs));
	for (size_t i = 0; i < COUNT(jobs); i++) {
		assert_int_equal(jobs[i]->err, LK_OK);
		assert_int_equal(keys_when_answered[i], expected[i]);
	}
	bench_stop(&bench);
	free_jobs(jobs, COUNT(jobs));
}

static void *stop_writer(void *argument)
{
	lk_writer_stop(argument);
	return NULL;
}

static void test_writer_stop_finishes_what_is_queued_and_takes_no_more(void **state)
{
	static struct job *jobs[QUEUE_MAX];
	struct bench bench;
	size_t queued = 0;
	enum lk_err err = LK_OK;
	pthread_t stopper;

	bench_start(&bench, state, QUEUE_MAX);
	bench_hold(&bench);
	for (; queued < 200; queued++) {
		jobs[queued] = new_job(&bench, "");
		submit(jobs[queued]);
	}
	assert_int_equal(pthread_create(&stopper, NULL, stop_writer, bench.writer), 0);
	/* Until it has begun to stop, it takes more; what it took, it does. */
	for (; err == LK_OK && queued < QUEUE_MAX; queued += err == LK_OK) {
		sched_yield();
		jobs[queued] = new_job(&bench, "");
		err = job_submit(jobs[queued]);
	}
	bench_release(&bench);
	pthread_join(stopper, NULL);
	bench.writer = NULL;
	assert_int_equal(err, LK_UNAVAILABLE);
	assert_int_equal(bench.done, queued);
	for (size_t i = 0; i < queued; i++) {
		assert_int_equal(jobs[i]->err, LK_OK);
		assert_int_equal(jobs[i]->times_done, 1);
	}
	assert_int_equal(jobs[queued]->times_done, 0);
	assert_int_equal(keys_stored(&bench), queued);
	bench_stop(&bench);
	free_jobs(jobs, queued + 1);
}

static void test_writer_that_is_stopped_at_once_ends(void **state)
{
	struct bench bench;

	bench_start(&bench, state, 1);
	bench_stop(&bench);
	lk_writer_stop(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_writer_answers_when_the_write_is_there),
		TEST(test_writer_gives_a_group_one_after_another_their_revisions),
		TEST(test_writer_write_without_mutations_succeeds_and_makes_no_state),
		TEST(test_writer_same_request_twice_in_one_group_happens_once),
		TEST(test_writer_retry_in_a_later_group_gets_the_same_answer),
		TEST(test_writer_leaves_no_token_and_no_request_id_in_the_file),
		TEST(test_writer_one_name_for_two_of_a_group_is_the_firsts),
		TEST(test_writer_builds_again_what_was_built_on_an_older_state),
		TEST(test_writer_drops_what_is_past_its_deadline),
		TEST(test_writer_refuses_what_its_queue_does_not_hold),
		TEST(test_writer_lets_revocations_go_first),
		TEST(test_writer_group_has_no_more_mutations_than_bounds_its_time),
		TEST(test_writer_stop_finishes_what_is_queued_and_takes_no_more),
		TEST(test_writer_that_is_stopped_at_once_ends),
	};

	return cmocka_run_group_tests_name("store writer", tests, NULL, NULL);
}

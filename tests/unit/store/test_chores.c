#include "server/store/chores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/core/time.h"
#include "server/store/find.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/bench.h"
#include <cmocka.h>

#define QUEUE_MAX 64
/* Longer than any test runs: what happens again in it, happens because somebody asked for it. */
#define NEVER_US (INT64_C(3600) * LK_US_PER_SECOND)

/* What a chore of a test does: makes keys while there are some to make. Under the bench's lock. */
struct work {
	struct bench *bench;
	const char *name;
	int left;
	/* What the builder answers instead. */
	enum lk_err fail;
	/* A key that it reads, and so expects as it is. */
	uint64_t reads;
	int times_built;
	/* Which chores built, in their order: a letter each. */
	char *order;
};

static void changed(struct bench *bench)
{
	pthread_cond_broadcast(&bench->changed);
	pthread_mutex_unlock(&bench->lock);
}

/* On the chores' thread, or the writer's. */
static enum lk_err make(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change)
{
	struct work *work = context;
	struct bench *bench = work->bench;

	(void)now_us;
	pthread_mutex_lock(&bench->lock);
	work->times_built++;
	if (work->order != NULL && work->left > 0) {
		strncat(work->order, work->name, 1);
	}
	enum lk_err err = work->fail;
	bool has_work = err == LK_OK && work->left > 0;
	changed(bench);
	if (!has_work) {
		return err;
	}
	Latchkey__Store__Change *draft = lk_draft_new(arena);
	if (work->reads != 0) {
		const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(txn, arena, work->reads);
		lk_draft_expect_key(arena, draft, work->reads, key == NULL ? 0 : key->revision);
	}
	(void)lk_draft_put_key(arena, draft, bench->world.tenant, bench->world.keyspace, work->name);
	change->n_expectations = draft->n_expectations;
	change->expectations = draft->expectations;
	change->n_mutations = draft->n_mutations;
	change->mutations = draft->mutations;
	return err;
}

/* Makes one key, and says that there is one less to make; so that a rebuilt Change does not count twice, by a read of the store. */
static enum lk_err make_until_there(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change)
{
	struct work *work = context;
	char name[32];

	for (int i = 0; i < work->left; i++) {
		(void)snprintf(name, sizeof name, "%s%d", work->name, i);
		if (!lk_find_name_taken(txn, work->bench->world.keyspace, name)) {
			enum lk_err err = make(context, txn, arena, now_us, change);
			change->mutations[0]->put_key->name = lk_arena_text(arena, name, strlen(name));
			return err;
		}
	}
	pthread_mutex_lock(&work->bench->lock);
	work->left = 0;
	changed(work->bench);
	return LK_OK;
}

/* Waits until a number, under the bench's lock, is as it should be. */
static void wait_for(struct bench *bench, const int *number, int at_least)
{
	pthread_mutex_lock(&bench->lock);
	while (*number < at_least) {
		pthread_cond_wait(&bench->changed, &bench->lock);
	}
	pthread_mutex_unlock(&bench->lock);
}

static void wait_until_done(struct work *work)
{
	pthread_mutex_lock(&work->bench->lock);
	while (work->left > 0) {
		pthread_cond_wait(&work->bench->changed, &work->bench->lock);
	}
	pthread_mutex_unlock(&work->bench->lock);
}

/* What was reported, under the bench's lock. */
struct reports {
	struct bench *bench;
	int count;
	enum lk_err last;
	const char *chore;
};

static void report(void *context, const char *chore, enum lk_err err)
{
	struct reports *reports = context;

	pthread_mutex_lock(&reports->bench->lock);
	reports->count++;
	reports->last = err;
	reports->chore = chore;
	changed(reports->bench);
}

static struct lk_chores *start(struct bench *bench, const struct lk_chore *table, size_t count, struct reports *reports)
{
	const struct lk_chores_options options = {
		.store = bench->world.fixture->store,
		.writer = bench->writer,
		.table = table,
		.count = count,
		.report = reports == NULL ? NULL : report,
		.report_context = reports,
	};
	struct lk_chores *chores = NULL;

	assert_int_equal(lk_chores_start(&options, &chores), LK_OK);
	return chores;
}

static size_t keys_stored(struct bench *bench)
{
	return lk_fixture_count(lk_fixture_snapshot(bench->world.fixture), LK_TABLE_KEY);
}

static void test_chores_go_on_while_there_is_work_each_in_its_turn(void **state)
{
	struct bench bench;
	char order[32] = "";

	bench_start(&bench, state, QUEUE_MAX);
	struct work works[] = {
		{.bench = &bench, .name = "a", .left = 3, .order = order},
		{.bench = &bench, .name = "b", .left = 2, .order = order},
	};
	const struct lk_chore table[] = {
		{.name = "test/a", .build = make_until_there, .context = &works[0], .every_us = NEVER_US},
		{.name = "test/b", .build = make_until_there, .context = &works[1], .every_us = NEVER_US},
	};
	struct lk_chores *chores = start(&bench, table, 2, NULL);
	wait_until_done(&works[0]);
	wait_until_done(&works[1]);
	lk_chores_stop(chores);
	assert_string_equal(order, "ababa");
	assert_int_equal(keys_stored(&bench), 5);
	bench_stop(&bench);
	world_assert_consistent(bench.world.fixture);
}

static void test_chores_change_says_who_made_it(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	struct work work = {.bench = &bench, .name = "a", .left = 1};
	const struct lk_chore table[] = {
		{.name = "test/made", .build = make_until_there, .context = &work, .every_us = NEVER_US},
	};
	struct lk_chores *chores = start(&bench, table, 1, NULL);
	wait_until_done(&work);
	lk_chores_stop(chores);
	bench_stop(&bench);
	struct lk_txn *txn = lk_fixture_snapshot(bench.world.fixture);
	struct lk_key key = lk_key_u64(lk_txn_head(txn)->last_audit);
	struct lk_value value = {0};
	assert_true(lk_txn_get(txn, LK_TABLE_AUDIT, &key, &value));
	Latchkey__Store__AuditRecord *audit = latchkey__store__audit_record__unpack(
		&bench.world.arena->allocator, value.len - LK_DIGEST_LEN, value.data + LK_DIGEST_LEN);
	assert_non_null(audit);
	assert_string_equal(audit->actor, "latchkeyd");
	assert_string_equal(audit->method, "test/made");
}

static void test_chores_rest_until_they_are_woken(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	struct work work = {.bench = &bench, .name = "a"};
	const struct lk_chore table[] = {
		{.name = "test/a", .build = make_until_there, .context = &work, .every_us = NEVER_US},
		{.name = "test/b", .build = make, .context = &work, .every_us = NEVER_US},
	};
	struct lk_chores *chores = start(&bench, table, 2, NULL);
	wait_for(&bench, &work.times_built, 1);
	pthread_mutex_lock(&bench.lock);
	work.left = 2;
	pthread_mutex_unlock(&bench.lock);
	lk_chores_wake(chores);
	wait_until_done(&work);
	lk_chores_stop(chores);
	assert_true(keys_stored(&bench) >= 2);
	bench_stop(&bench);
}

static void test_chores_look_again_after_their_rest(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	struct work work = {.bench = &bench, .name = "a"};
	const struct lk_chore table[] = {{.name = "test/a", .build = make, .context = &work, .every_us = 1000}};
	struct lk_chores *chores = start(&bench, table, 1, NULL);
	wait_for(&bench, &work.times_built, 3);
	lk_chores_stop(chores);
	assert_int_equal(keys_stored(&bench), 0);
	bench_stop(&bench);
}

static void test_chores_report_a_failure_once_and_its_end(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	struct work work = {.bench = &bench, .name = "a", .fail = LK_IO};
	struct reports reports = {.bench = &bench};
	const struct lk_chore table[] = {{.name = "test/fails", .build = make, .context = &work, .every_us = 1000}};
	struct lk_chores *chores = start(&bench, table, 1, &reports);
	wait_for(&bench, &work.times_built, 4);
	pthread_mutex_lock(&bench.lock);
	assert_int_equal(reports.count, 1);
	assert_int_equal(reports.last, LK_IO);
	assert_string_equal(reports.chore, "test/fails");
	work.fail = LK_OK;
	pthread_mutex_unlock(&bench.lock);
	wait_for(&bench, &reports.count, 2);
	assert_int_equal(reports.last, LK_OK);
	lk_chores_stop(chores);
	assert_int_equal(reports.count, 2);
	bench_stop(&bench);
}

static void test_chores_report_what_the_writer_says(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	/* Room for no slot at all: applying fails for the environment. */
	bench_stop(&bench);
	bench_reopen(state, 0, 1);
	bench_start(&bench, state, QUEUE_MAX);
	(void)world_key(&bench.world, "first");
	struct work work = {.bench = &bench, .name = "a", .left = 1};
	struct reports reports = {.bench = &bench};
	const struct lk_chore table[] = {{.name = "test/full", .build = make, .context = &work, .every_us = 1000}};
	struct lk_chores *chores = start(&bench, table, 1, &reports);
	wait_for(&bench, &reports.count, 1);
	assert_int_equal(reports.last, LK_FULL);
	lk_chores_stop(chores);
	assert_int_equal(keys_stored(&bench), 1);
	bench_stop(&bench);
}

static void test_chores_are_built_again_where_what_they_read_moved(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	uint64_t slot = world_key(&bench.world, "read")->slot;
	struct work work = {.bench = &bench, .name = "a", .left = 1, .reads = slot};
	const struct lk_chore table[] = {
		{.name = "test/a", .build = make_until_there, .context = &work, .every_us = NEVER_US}};

	bench_hold(&bench);
	struct job *job = job_new(&bench, "");
	assert_non_null(job);
	job->make = job_revokes;
	job->slot = slot;
	assert_int_equal(job_submit(job), LK_OK);
	struct lk_chores *chores = start(&bench, table, 1, NULL);
	wait_for(&bench, &work.times_built, 1);
	bench_release(&bench);
	wait_until_done(&work);
	lk_chores_stop(chores);
	bench_stop(&bench);
	assert_int_equal(job->err, LK_OK);
	/* Once on its snapshot, and once by the writer, after the key was revoked. */
	assert_int_equal(work.times_built, 2);
	assert_int_equal(keys_stored(&bench), 2);
	job_free(job);
}

static void *stop(void *argument)
{
	lk_chores_stop(argument);
	return NULL;
}

static void test_chores_stop_after_what_is_under_way(void **state)
{
	struct bench bench;
	pthread_t stopper;

	bench_start(&bench, state, QUEUE_MAX);
	struct work work = {.bench = &bench, .name = "a", .left = INT32_MAX};
	const struct lk_chore table[] = {{.name = "test/a", .build = make, .context = &work, .every_us = NEVER_US}};

	bench_hold(&bench);
	struct lk_chores *chores = start(&bench, table, 1, NULL);
	wait_for(&bench, &work.times_built, 1);
	assert_int_equal(pthread_create(&stopper, NULL, stop, chores), 0);
	bench_release(&bench);
	assert_int_equal(pthread_join(stopper, NULL), 0);
	/* What was built was committed, and its work would have gone on for ever. */
	assert_true(keys_stored(&bench) >= 1);
	assert_int_equal(keys_stored(&bench), work.times_built);
	bench_stop(&bench);
}

static void test_chores_that_are_none_start_and_stop(void **state)
{
	struct bench bench;

	bench_start(&bench, state, QUEUE_MAX);
	struct lk_chores *chores = start(&bench, NULL, 0, NULL);
	lk_chores_wake(chores);
	lk_chores_stop(chores);
	lk_chores_stop(NULL);
	bench_stop(&bench);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, lk_fixture_setup, lk_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_chores_go_on_while_there_is_work_each_in_its_turn),
		TEST(test_chores_change_says_who_made_it),
		TEST(test_chores_rest_until_they_are_woken),
		TEST(test_chores_look_again_after_their_rest),
		TEST(test_chores_report_a_failure_once_and_its_end),
		TEST(test_chores_report_what_the_writer_says),
		TEST(test_chores_are_built_again_where_what_they_read_moved),
		TEST(test_chores_stop_after_what_is_under_way),
		TEST(test_chores_that_are_none_start_and_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "server/store/room.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/find.h"
#include "tests/lib/child.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/bench.h"
#include <cmocka.h>

#define MAP_SIZE ((size_t)2 << 20)
#define SLOTS    ((uint64_t)1 << 20)
#define MOST     2000
/* Each leaves two audit records, with what was before and is after. */
#define ENDED     8
#define CANNOT    77
#define DISK_SIZE "size=100m"

static void test_room_is_there_in_an_empty_store(void **state)
{
	struct lk_fixture *fixture = *state;

	assert_true(lk_room_left(fixture->store, 0));
	assert_true(lk_room_left(fixture->store, 1));
	assert_true(lk_room_left(fixture->store, 100));
}

static void test_room_is_not_there_for_more_than_the_map_holds(void **state)
{
	struct lk_fixture *fixture = *state;

	assert_false(lk_room_left(fixture->store, fixture->options.map_size >> 16));
	assert_true(lk_room_left(fixture->store, 1));
}

/* What is set aside has disk, and is not in the file's length. */
static void test_room_has_its_disk(void **state)
{
	struct lk_fixture *fixture = *state;
	struct stat status = {0};
	char path[256];

	assert_true(lk_room_left(fixture->store, 1));
	lk_fixture_path(fixture, "data.mdb", sizeof path, path);
	assert_int_equal(stat(path, &status), 0);
	if ((size_t)status.st_blocks * 512 <= (size_t)status.st_size) {
		/* A file system that cannot. */
		skip();
	}
	/* An eighth of the map. */
	assert_true((size_t)status.st_blocks * 512 >= fixture->options.map_size / 8);
	assert_true((size_t)status.st_size < fixture->options.map_size / 8);
}

static enum lk_err run_job(struct job *job)
{
	struct bench *bench = job->bench;
	enum lk_err err = job_submit(job);

	if (err != LK_OK) {
		return err;
	}
	pthread_mutex_lock(&bench->lock);
	while (job->times_done == 0) {
		pthread_cond_wait(&bench->changed, &bench->lock);
	}
	pthread_mutex_unlock(&bench->lock);
	return job->err;
}

/* A key that is large, so that few commits fill a store. */
static enum lk_err make_large_key(struct job *job, struct lk_txn *txn)
{
	char value[3001];

	(void)txn;
	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	job->key = lk_draft_put_key(&job->arena, job->write.change, job->bench->world.tenant, job->keyspace, job->name);
	lk_draft_metadata(&job->arena, job->key, "large", value);
	return LK_OK;
}

/* Makes keys until there is no room for another; how many, or 0 where something else went wrong. Asserts nothing. */
static size_t fill(struct bench *bench)
{
	enum lk_err err = LK_OK;
	size_t made = 0;

	while (err == LK_OK && made < MOST) {
		struct job *job = job_new(bench, "ci");
		job->make = make_large_key;
		err = run_job(job);
		made += err == LK_OK;
		job_free(job);
	}
	return err == LK_FULL ? made : 0;
}

/* Revokes and deletes the first `count` keys, as a caller who must. */
static enum lk_err end_keys(struct bench *bench, size_t count)
{
	enum lk_err err = LK_OK;

	for (size_t i = 0; err == LK_OK && i < 2 * count; i++) {
		struct job *job = job_new(bench, "");
		job->make = i < count ? job_revokes : job_deletes;
		job->slot = i % count + 1;
		job->write.urgent = true;
		err = run_job(job);
		job_free(job);
	}
	return err;
}

static void test_room_is_held_back_for_what_ends_keys(void **state)
{
	struct bench bench;

	bench_reopen(state, MAP_SIZE, SLOTS);
	bench_start(&bench, state, 16);
	size_t made = fill(&bench);
	assert_in_range(made, 50, MOST - 1);
	struct job *job = job_new(&bench, "one more");
	assert_int_equal(run_job(job), LK_FULL);
	job_free(job);
	assert_int_equal(end_keys(&bench, ENDED), LK_OK);
	bench_stop(&bench);
	world_assert_consistent(bench.world.fixture);
	world_assert_gate(&bench.world, bench.world.keyspace, made - ENDED, 0);
}

/* The pages of what is gone are room again, although the file never shrinks. */
static void test_room_comes_back_with_what_is_deleted(void **state)
{
	struct bench bench;
	struct lk_txn *txn = NULL;

	bench_reopen(state, MAP_SIZE, SLOTS);
	bench_start(&bench, state, 16);
	assert_int_not_equal(fill(&bench), 0);
	/* The audit records are most of it, and nothing deletes them yet: the test does. */
	assert_int_equal(lk_write_begin(bench.world.fixture->store, &txn), LK_OK);
	uint64_t last = lk_txn_head(txn)->last_audit;
	for (uint64_t number = 1; number < last; number++) {
		struct lk_key key = lk_key_u64(number);
		lk_txn_delete(txn, LK_TABLE_AUDIT, &key);
	}
	assert_int_equal(lk_write_commit(txn), LK_OK);
	assert_in_range(fill(&bench), 10, MOST - 1);
	bench_stop(&bench);
	world_assert_consistent(bench.world.fixture);
}

/* In a process with a small disk of its own: fills the disk, makes keys until that is refused, and ends them. */
static int run_on_a_small_disk(struct lk_child *parent, void *context)
{
	struct lk_fixture *fixture = context;
	struct bench bench = {.world = {.fixture = fixture, .arena = &fixture->arena}};
	char path[256];

	(void)parent;
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
		mount("tmpfs", fixture->parent, "tmpfs", 0, DISK_SIZE) != 0) {
		return CANNOT;
	}
	fixture->options.map_size = (size_t)64 << 20;
	fixture->options.max_slots = SLOTS;
	pthread_mutex_init(&bench.lock, NULL);
	pthread_cond_init(&bench.changed, NULL);
	if (lk_fixture_open(fixture) != LK_OK || lk_writer_start(fixture->store, 16, &bench.writer) != LK_OK) {
		return 2;
	}
	bench.world.tenant = lk_fixture_tenant(fixture, "acme");
	bench.world.keyspace = lk_fixture_keyspace(fixture, bench.world.tenant, "prod");
	struct job *first = job_new(&bench, "first");
	if (run_job(first) != LK_OK) {
		return 3;
	}
	/* Somebody else takes the rest of the disk. */
	(void)snprintf(path, sizeof path, "%s/others", fixture->parent);
	FILE *others = fopen(path, "w");
	char chunk[4096] = {1};
	while (fwrite(chunk, sizeof chunk, 1, others) == 1) {
	}
	(void)fclose(others);
	size_t made = fill(&bench);
	/* What was set aside before is used up soon. */
	if (made == 0 || made >= MOST) {
		return 4;
	}
	if (end_keys(&bench, made + 1) != LK_OK) {
		return 5;
	}
	lk_writer_stop(bench.writer);
	job_free(first);
	lk_fixture_close(fixture);
	lk_arena_done(&fixture->arena);
	return 0;
}

static void test_room_on_a_full_disk_is_enough_to_end_keys(void **state)
{
	struct lk_child child = {0};

	lk_fixture_close(*state);
	assert_true(lk_child_start(&child, run_on_a_small_disk, *state));
	int end = lk_child_wait(&child);
	if (end == CANNOT) {
		/* May not mount: needs root. */
		skip();
	}
	assert_int_equal(end, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_room_is_there_in_an_empty_store),
		TEST(test_room_is_not_there_for_more_than_the_map_holds),
		TEST(test_room_has_its_disk),
		TEST(test_room_is_held_back_for_what_ends_keys),
		TEST(test_room_comes_back_with_what_is_deleted),
		TEST(test_room_on_a_full_disk_is_enough_to_end_keys),
	};

	return cmocka_run_group_tests_name("store room", tests, NULL, NULL);
}

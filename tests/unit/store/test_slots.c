#include "server/store/slots.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/core/time.h"
#include "tests/lib/child.h"
#include "tests/lib/store_fixture.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define STEP         ((uint64_t)64 << 20)
#define LINE         ((uint64_t)64)
#define MAX_SLOTS    (4 * STEP / LINE)
#define THREADS      8
#define PROCESSES    4
#define ROUNDS       20000

static const uint8_t store_id[LK_STORE_ID_LEN] = {'t', 'h', 'i', 's'};

struct slots_fixture {
	struct lk_fixture base;
	int dir;
	struct lk_slots *slots;
	uint64_t max_slots;
};

static enum lk_err open_slots(struct slots_fixture *fixture, bool make, uint64_t last_slot)
{
	return lk_slots_open(
		fixture->dir, make, store_id, last_slot, fixture->max_slots, &fixture->slots, fixture->base.message);
}

static void reopen(struct slots_fixture *fixture, uint64_t last_slot)
{
	lk_slots_close(fixture->slots);
	fixture->slots = NULL;
	if (open_slots(fixture, false, last_slot) != LK_OK) {
		fail_msg("%s", fixture->base.message);
	}
}

static int setup_closed(void **state)
{
	struct slots_fixture *fixture = calloc(1, sizeof *fixture);

	if (fixture == NULL || lk_fixture_init(&fixture->base) != 0 || mkdir(fixture->base.dir, 0700) != 0) {
		free(fixture);
		return -1;
	}
	fixture->dir = open(fixture->base.dir, O_RDONLY | O_DIRECTORY);
	fixture->max_slots = MAX_SLOTS;
	*state = fixture;
	return 0;
}

static int setup(void **state)
{
	if (setup_closed(state) != 0) {
		return -1;
	}
	return open_slots(*state, true, 0) == LK_OK ? 0 : -1;
}

static int teardown(void **state)
{
	struct slots_fixture *fixture = *state;

	lk_slots_close(fixture->slots);
	close(fixture->dir);
	lk_fixture_done(&fixture->base);
	free(fixture);
	return 0;
}

static struct stat status_of(const struct slots_fixture *fixture)
{
	struct stat status = {0};
	char path[256];

	lk_fixture_path(&fixture->base, "slots.mmap", sizeof path, path);
	assert_int_equal(stat(path, &status), 0);
	return status;
}

static void assert_usage(const struct slots_fixture *fixture, uint64_t slot, uint64_t count, int64_t last_used_us)
{
	struct lk_usage usage = lk_slots_usage(fixture->slots, slot);

	assert_true(usage.count == count);
	assert_true(usage.last_used_us == last_used_us);
}

static void test_slots_fresh_one_was_never_used(void **state)
{
	struct slots_fixture *fixture = *state;

	for (uint64_t slot = 1; slot < STEP / LINE; slot += 4099) {
		assert_usage(fixture, slot, 0, 0);
	}
	assert_usage(fixture, STEP / LINE - 1, 0, 0);
}

static void test_slots_use_counts_in_its_own_line_alone(void **state)
{
	struct slots_fixture *fixture = *state;

	lk_slots_use(fixture->slots, 2, 100);
	lk_slots_use(fixture->slots, 2, 200);
	assert_usage(fixture, 1, 0, 0);
	assert_usage(fixture, 2, 2, 200);
	assert_usage(fixture, 3, 0, 0);
	lk_slots_use(fixture->slots, 1, 50);
	assert_usage(fixture, 1, 1, 50);
	/* The header, which comes before slot 1, is what it was. */
	reopen(fixture, 2);
	assert_usage(fixture, 1, 1, 50);
	assert_usage(fixture, 2, 2, 200);
}

/* What a damaged record may name: the header, the first line behind the file, and far behind all that is mapped. */
static void test_slots_that_are_not_there_count_nothing(void **state)
{
	static const uint64_t none[] = {0, STEP / LINE, MAX_SLOTS, MAX_SLOTS + 1, UINT64_MAX / LINE, UINT64_MAX};
	struct slots_fixture *fixture = *state;

	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		lk_slots_use(fixture->slots, none[i], 100);
		assert_usage(fixture, none[i], 0, 0);
	}
	/* The header is what it was. */
	reopen(fixture, 1);
	assert_usage(fixture, 1, 0, 0);
}

/* A verifier whose clock is behind counts, and does not turn the time back. */
static void test_slots_last_use_never_goes_back(void **state)
{
	struct slots_fixture *fixture = *state;

	lk_slots_use(fixture->slots, 7, 500);
	lk_slots_use(fixture->slots, 7, 400);
	assert_usage(fixture, 7, 2, 500);
}

/* A member of the group may write whatever it likes there. */
static void test_slots_last_use_that_is_no_time_is_none_until_the_next(void **state)
{
	static const int64_t wrong[] = {INT64_MIN, -1, LK_TIME_MAX_US + 1, INT64_MAX};
	struct slots_fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(wrong); i++) {
		atomic_store(&lk_slots_at(fixture->slots, 7)->last_used_us, wrong[i]);
		assert_usage(fixture, 7, i, 0);
		lk_slots_use(fixture->slots, 7, 500);
		assert_usage(fixture, 7, i + 1, 500);
	}
}

static void test_slots_disk_is_allocated_in_whole_steps(void **state)
{
	struct slots_fixture *fixture = *state;

	assert_int_equal(status_of(fixture).st_size, STEP);
	/* The last line of the step is no reason for another; the first of the next one is. */
	assert_int_equal(lk_slots_reserve(fixture->slots, STEP / LINE - 1), LK_OK);
	assert_int_equal(status_of(fixture).st_size, STEP);
	assert_int_equal(lk_slots_reserve(fixture->slots, STEP / LINE), LK_OK);
	struct stat status = status_of(fixture);
	assert_int_equal(status.st_size, 2 * STEP);
	/* No hole anywhere. */
	assert_true((uint64_t)status.st_blocks * 512 >= 2 * STEP);
	lk_slots_use(fixture->slots, STEP / LINE, 9);
	assert_usage(fixture, STEP / LINE, 1, 9);
}

static void test_slots_reserve_keeps_what_was_counted(void **state)
{
	struct slots_fixture *fixture = *state;

	lk_slots_use(fixture->slots, 3, 9);
	assert_int_equal(lk_slots_reserve(fixture->slots, 3 * STEP / LINE), LK_OK);
	assert_usage(fixture, 3, 1, 9);
	/* Backwards is nothing to do. */
	assert_int_equal(lk_slots_reserve(fixture->slots, 1), LK_OK);
	assert_int_equal(status_of(fixture).st_size, 4 * STEP);
}

static void test_slots_reserve_stops_at_the_most_there_may_be(void **state)
{
	struct slots_fixture *fixture = *state;

	assert_int_equal(lk_slots_reserve(fixture->slots, MAX_SLOTS + 1), LK_FULL);
	assert_int_equal(lk_slots_reserve(fixture->slots, UINT64_MAX / 2), LK_FULL);
	assert_int_equal(lk_slots_reserve(fixture->slots, UINT64_MAX), LK_FULL);
	assert_int_equal(lk_slots_reserve(fixture->slots, MAX_SLOTS), LK_OK);
	lk_slots_use(fixture->slots, MAX_SLOTS, 1);
	assert_usage(fixture, MAX_SLOTS, 1, 1);
}

/* Where few slots are mapped, the file's first step is longer than they are. */
static void test_slots_few_of_them_sync_too(void **state)
{
	struct slots_fixture *fixture = *state;

	fixture->max_slots = 10;
	assert_int_equal(open_slots(fixture, true, 0), LK_OK);
	lk_slots_use(fixture->slots, 10, 4);
	assert_int_equal(lk_slots_sync(fixture->slots), LK_OK);
	reopen(fixture, 10);
	assert_usage(fixture, 10, 1, 4);
}

static void test_slots_most_of_them_that_cannot_be_are_refused(void **state)
{
	struct slots_fixture *fixture = *state;

	fixture->max_slots = UINT64_MAX;
	assert_int_not_equal(open_slots(fixture, true, 0), LK_OK);
	fixture->max_slots = UINT64_MAX / 64 + 1;
	assert_int_not_equal(open_slots(fixture, true, 0), LK_OK);
	assert_null(fixture->slots);
}

/* A backup that came back with holes would be SIGBUS on a full disk: opening fills them. */
static void test_slots_holes_are_filled_when_they_are_opened(void **state)
{
	struct slots_fixture *fixture = *state;
	char path[256];

	lk_slots_use(fixture->slots, 2, 8);
	lk_fixture_path(&fixture->base, "slots.mmap", sizeof path, path);
	assert_int_equal(truncate(path, 4096), 0);
	assert_int_equal(truncate(path, (off_t)STEP), 0);
	assert_true((uint64_t)status_of(fixture).st_blocks * 512 < STEP);
	reopen(fixture, 1000);
	assert_true((uint64_t)status_of(fixture).st_blocks * 512 >= STEP);
	assert_usage(fixture, 2, 1, 8);
}

static void test_slots_sync_writes_to_the_disk(void **state)
{
	struct slots_fixture *fixture = *state;

	lk_slots_use(fixture->slots, 2, 8);
	assert_int_equal(lk_slots_sync(fixture->slots), LK_OK);
}

/* Refuses what is longer than the first step, as a full disk does. */
static int reserve_on_a_full_disk(struct lk_child *parent, void *context)
{
	struct slots_fixture *fixture = context;
	struct rlimit limit = {.rlim_cur = STEP, .rlim_max = STEP};

	(void)parent;
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
		open_slots(fixture, false, 1) != LK_OK) {
		return 100;
	}
	enum lk_err err = lk_slots_reserve(fixture->slots, STEP / LINE);
	/* What was there before is there still. */
	lk_slots_use(fixture->slots, STEP / LINE - 1, 1);
	return (int)err;
}

static void test_slots_full_disk_refuses_more_and_keeps_what_there_is(void **state)
{
	struct slots_fixture *fixture = *state;
	struct lk_child child = {0};

	lk_slots_use(fixture->slots, 1, 3);
	assert_true(lk_child_start(&child, reserve_on_a_full_disk, fixture));
	assert_int_equal(lk_child_wait(&child), LK_FULL);
	assert_usage(fixture, 1, 1, 3);
	assert_usage(fixture, STEP / LINE - 1, 1, 1);
	assert_int_equal(lk_slots_reserve(fixture->slots, STEP / LINE), LK_OK);
}

struct user {
	struct lk_slots *slots;
	int64_t first_us;
};

static void *use_many(void *argument)
{
	struct user *user = argument;

	for (int64_t i = 0; i < ROUNDS; i++) {
		lk_slots_use(user->slots, 1 + (uint64_t)i % 3, user->first_us + i);
	}
	return NULL;
}

static void use_from_threads(struct lk_slots *slots)
{
	pthread_t threads[THREADS];
	struct user users[THREADS];

	for (size_t i = 0; i < THREADS; i++) {
		users[i] = (struct user){.slots = slots, .first_us = 1000000 * (int64_t)i};
		if (pthread_create(&threads[i], NULL, use_many, &users[i]) != 0) {
			abort();
		}
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
}

static void assert_counts_of(const struct slots_fixture *fixture, uint64_t users)
{
	/* ROUNDS is 3 * 6666 + 2. */
	assert_true(lk_slots_usage(fixture->slots, 1).count == users * (ROUNDS / 3 + 1));
	assert_true(lk_slots_usage(fixture->slots, 2).count == users * (ROUNDS / 3 + 1));
	assert_true(lk_slots_usage(fixture->slots, 3).count == users * (ROUNDS / 3));
	assert_true(lk_slots_usage(fixture->slots, 2).last_used_us == 1000000 * (THREADS - 1) + ROUNDS - 1);
}

static void test_slots_count_exactly_from_many_threads(void **state)
{
	struct slots_fixture *fixture = *state;

	use_from_threads(fixture->slots);
	assert_counts_of(fixture, THREADS);
	assert_usage(fixture, 4, 0, 0);
}

/* Each maps the file by itself, as an in-process verifier does. */
static int use_in_a_process(struct lk_child *parent, void *context)
{
	struct slots_fixture *fixture = context;
	char go = 0;

	if (open_slots(fixture, false, 3) != LK_OK || !lk_child_hear(parent, &go, 1)) {
		return 1;
	}
	use_from_threads(fixture->slots);
	(void)lk_child_tell(parent, "d", 1);
	/* Until it is killed: nothing is written, unmapped or closed on purpose. */
	(void)lk_child_hear(parent, &go, 1);
	return 0;
}

static void test_slots_count_exactly_from_many_processes_that_are_killed(void **state)
{
	struct slots_fixture *fixture = *state;
	struct lk_child children[PROCESSES];
	char done = 0;

	lk_slots_close(fixture->slots);
	fixture->slots = NULL;
	for (size_t i = 0; i < PROCESSES; i++) {
		assert_true(lk_child_start(&children[i], use_in_a_process, fixture));
	}
	for (size_t i = 0; i < PROCESSES; i++) {
		assert_true(lk_child_tell(&children[i], "g", 1));
	}
	for (size_t i = 0; i < PROCESSES; i++) {
		assert_true(lk_child_hear(&children[i], &done, 1));
		lk_child_kill(&children[i]);
	}
	reopen(fixture, 3);
	assert_counts_of(fixture, THREADS * PROCESSES);
}

/* Uses a slot for ever, and tells how often after each time. */
static int use_until_killed(struct lk_child *parent, void *context)
{
	struct slots_fixture *fixture = context;

	if (open_slots(fixture, false, 3) != LK_OK) {
		return 1;
	}
	for (uint64_t used = 1;; used++) {
		lk_slots_use(fixture->slots, 1, (int64_t)used);
		if (!lk_child_tell(parent, &used, sizeof used)) {
			return 1;
		}
	}
}

static void test_slots_kill_in_the_middle_loses_no_use_that_was_told(void **state)
{
	struct slots_fixture *fixture = *state;
	struct lk_child child = {0};
	uint64_t told = 0;
	uint64_t used = 0;

	lk_slots_close(fixture->slots);
	fixture->slots = NULL;
	assert_true(lk_child_start(&child, use_until_killed, fixture));
	while (told < 500) {
		assert_true(lk_child_hear(&child, &told, sizeof told));
	}
	assert_int_equal(kill(child.pid, SIGKILL), 0);
	while (lk_child_hear(&child, &used, sizeof used)) {
		told = used;
	}
	assert_int_equal(lk_child_wait(&child), -SIGKILL);
	reopen(fixture, 3);
	struct lk_usage usage = lk_slots_usage(fixture->slots, 1);
	/* The last one may have been counted and not told. */
	assert_true(usage.count == told || usage.count == told + 1);
}

#define TEST(name)   cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, setup_closed, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_slots_fresh_one_was_never_used),
		TEST(test_slots_use_counts_in_its_own_line_alone),
		TEST(test_slots_that_are_not_there_count_nothing),
		TEST(test_slots_last_use_never_goes_back),
		TEST(test_slots_last_use_that_is_no_time_is_none_until_the_next),
		TEST(test_slots_disk_is_allocated_in_whole_steps),
		TEST(test_slots_reserve_keeps_what_was_counted),
		TEST(test_slots_reserve_stops_at_the_most_there_may_be),
		CLOSED(test_slots_few_of_them_sync_too),
		CLOSED(test_slots_most_of_them_that_cannot_be_are_refused),
		TEST(test_slots_holes_are_filled_when_they_are_opened),
		TEST(test_slots_sync_writes_to_the_disk),
		TEST(test_slots_full_disk_refuses_more_and_keeps_what_there_is),
		TEST(test_slots_count_exactly_from_many_threads),
		TEST(test_slots_count_exactly_from_many_processes_that_are_killed),
		TEST(test_slots_kill_in_the_middle_loses_no_use_that_was_told),
	};

	return cmocka_run_group_tests_name("store slots", tests, NULL, NULL);
}

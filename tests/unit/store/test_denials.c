#include "server/store/denials.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/child.h"
#include "tests/lib/store_fixture.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEADER       64
#define LINE         32
#define GATES_LINE   128
#define STEP         ((uint64_t)4 << 20)
#define GATES_STEP   ((uint64_t)64 << 10)
#define FIRST_STEP   ((STEP - HEADER) / LINE)
#define FIRST_GATES  ((GATES_STEP - HEADER) / GATES_LINE)
#define MAX_SLOTS    (4 * FIRST_STEP)
#define THREADS      4
#define ROUNDS       20000

/* Latchkey__V1__VerifyCode. */
enum {
	VALID = 1,
	NOT_FOUND = 3,
	REVOKED = 4,
	EXPIRED = 5,
	LAST = LK_DENIAL_CODES - 1,
};

static const uint8_t store_id[LK_STORE_ID_LEN] = {'t', 'h', 'i', 's'};
static const uint8_t other_id[LK_STORE_ID_LEN] = {'t', 'h', 'a', 't'};
static const struct lk_address v6 = {LK_ADDRESS_V6, {0x20, 0x01, 0x0d, 0xb8, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}};
static const struct lk_address v4 = {LK_ADDRESS_V4, {192, 0, 2, 7}};

struct denials_fixture {
	struct lk_fixture base;
	int dir;
	struct lk_denials *denials;
};

static enum lk_err open_as(
	struct denials_fixture *fixture, const uint8_t *id, uint64_t last_slot, uint32_t last_keyspace)
{
	return lk_denials_open(
		fixture->dir, false, id, last_slot, MAX_SLOTS, last_keyspace, &fixture->denials, fixture->base.message);
}

static void close_it(struct denials_fixture *fixture)
{
	lk_denials_close(fixture->denials);
	fixture->denials = NULL;
}

static void reopen(struct denials_fixture *fixture, uint64_t last_slot, uint32_t last_keyspace)
{
	close_it(fixture);
	if (open_as(fixture, store_id, last_slot, last_keyspace) != LK_OK) {
		fail_msg("%s", fixture->base.message);
	}
}

static int setup(void **state)
{
	struct denials_fixture *fixture = calloc(1, sizeof *fixture);

	if (fixture == NULL || lk_fixture_init(&fixture->base) != 0 || mkdir(fixture->base.dir, 0700) != 0) {
		free(fixture);
		return -1;
	}
	fixture->dir = open(fixture->base.dir, O_RDONLY | O_DIRECTORY);
	*state = fixture;
	return open_as(fixture, store_id, 0, 0) == LK_OK ? 0 : -1;
}

static int teardown(void **state)
{
	struct denials_fixture *fixture = *state;

	lk_denials_close(fixture->denials);
	close(fixture->dir);
	lk_fixture_done(&fixture->base);
	free(fixture);
	return 0;
}

static struct stat status_of(const struct denials_fixture *fixture, const char *file)
{
	struct stat status = {0};
	char path[256];

	lk_fixture_path(&fixture->base, file, sizeof path, path);
	assert_int_equal(stat(path, &status), 0);
	return status;
}

static void overwrite(const struct denials_fixture *fixture, const char *file, off_t at, const void *data, size_t len)
{
	char path[256];

	lk_fixture_path(&fixture->base, file, sizeof path, path);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, at), len);
	close(fd);
}

static void note(struct denials_fixture *fixture, uint64_t slot, uint32_t keyspace, uint32_t code, int64_t at_us)
{
	struct lk_denial denial = {.code = code, .time_us = at_us, .address = v6};

	lk_denials_note(fixture->denials, slot, keyspace, &denial);
}

static void assert_last(const struct denials_fixture *fixture, uint64_t slot, uint32_t code, int64_t at_us)
{
	struct lk_denial last = lk_denials_last(fixture->denials, slot);

	assert_int_equal(last.code, code);
	assert_true(last.time_us == at_us);
}

static void assert_counts(const struct denials_fixture *fixture, uint32_t keyspace, uint32_t code, uint64_t count)
{
	uint64_t counts[LK_DENIAL_CODES];

	memset(counts, 0xff, sizeof counts);
	lk_denials_counts(fixture->denials, keyspace, counts);
	for (uint32_t i = 0; i < LK_DENIAL_CODES; i++) {
		assert_true(counts[i] == (i == code ? count : 0));
	}
}

static void test_denials_fresh_files_tell_none(void **state)
{
	struct denials_fixture *fixture = *state;

	for (uint64_t slot = 1; slot < FIRST_STEP; slot += 997) {
		assert_last(fixture, slot, 0, 0);
	}
	for (uint32_t keyspace = 1; keyspace <= FIRST_GATES; keyspace++) {
		assert_counts(fixture, keyspace, 0, 0);
	}
}

static void test_denials_last_is_kept_whole_in_its_own_line(void **state)
{
	struct denials_fixture *fixture = *state;
	struct lk_denial denials[] = {
		{.code = REVOKED, .time_us = 1795000000000000, .address = v6},
		{.code = LAST, .time_us = INT64_MAX, .address = v4},
		{.code = 2, .time_us = -1},
		{.code = EXPIRED, .time_us = 0, .address = v4},
	};

	for (size_t i = 0; i < COUNT(denials); i++) {
		lk_denials_note(fixture->denials, 10 + i, 1, &denials[i]);
	}
	reopen(fixture, 13, 1);
	for (size_t i = 0; i < COUNT(denials); i++) {
		struct lk_denial last = lk_denials_last(fixture->denials, 10 + i);
		assert_int_equal(last.code, denials[i].code);
		assert_true(last.time_us == denials[i].time_us);
		assert_memory_equal(&last.address, &denials[i].address, sizeof last.address);
	}
	assert_last(fixture, 9, 0, 0);
	assert_last(fixture, 14, 0, 0);
	note(fixture, 10, 1, EXPIRED, 5);
	assert_last(fixture, 10, EXPIRED, 5);
}

static void test_denials_are_counted_by_code_and_keyspace(void **state)
{
	struct denials_fixture *fixture = *state;

	for (int i = 0; i < 3; i++) {
		note(fixture, 0, 7, LAST, 1);
	}
	note(fixture, 1, 8, NOT_FOUND, 1);
	note(fixture, 2, 0, NOT_FOUND, 9);
	reopen(fixture, 2, 8);
	assert_counts(fixture, 6, 0, 0);
	assert_counts(fixture, 7, LAST, 3);
	assert_counts(fixture, 8, NOT_FOUND, 1);
	/* Of no keyspace, and yet of a key. */
	assert_last(fixture, 2, NOT_FOUND, 9);
}

/* None, VALID, one too many, and what is wider than the bits it is kept in. */
static void test_denials_code_that_is_none_is_not_noted(void **state)
{
	static const uint32_t none[] = {0, VALID, LK_DENIAL_CODES, 16 + REVOKED, UINT32_MAX};
	struct denials_fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(none); i++) {
		note(fixture, 1, 1, none[i], 5);
	}
	assert_last(fixture, 1, 0, 0);
	assert_counts(fixture, 1, 0, 0);
}

static void test_denials_of_lines_that_are_not_there_are_nothing(void **state)
{
	static const uint64_t slots[] = {0, FIRST_STEP + 1, MAX_SLOTS, MAX_SLOTS + 1, UINT64_MAX / LINE, UINT64_MAX};
	static const uint32_t keyspaces[] = {0, FIRST_GATES + 1, LK_DENIAL_KEYSPACES, UINT32_MAX};
	struct denials_fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(slots); i++) {
		note(fixture, slots[i], 0, REVOKED, 5);
		assert_last(fixture, slots[i], 0, 0);
	}
	for (size_t i = 0; i < COUNT(keyspaces); i++) {
		note(fixture, 0, keyspaces[i], REVOKED, 5);
		assert_counts(fixture, keyspaces[i], 0, 0);
	}
	/* The headers are what they were. */
	reopen(fixture, 0, 0);
}

/* Whatever word of it another hand wrote, at a power failure for one. */
static void test_denials_torn_line_is_none(void **state)
{
	struct denials_fixture *fixture = *state;

	for (off_t word = 0; word < 4; word++) {
		note(fixture, 3, 1, REVOKED, 77);
		assert_last(fixture, 3, REVOKED, 77);
		overwrite(fixture, "denials.mmap", HEADER + 2 * LINE + 8 * word, "\x14\x05torn!", 8);
		assert_last(fixture, 3, 0, 0);
	}
	note(fixture, 3, 1, EXPIRED, 78);
	assert_last(fixture, 3, EXPIRED, 78);
}

static void test_denials_line_of_another_slot_is_none(void **state)
{
	struct denials_fixture *fixture = *state;
	char path[256];
	uint8_t line[LINE];

	note(fixture, 3, 1, REVOKED, 77);
	lk_fixture_path(&fixture->base, "denials.mmap", sizeof path, path);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, line, sizeof line, HEADER + 2 * LINE), LINE);
	close(fd);
	overwrite(fixture, "denials.mmap", HEADER + 3 * LINE, line, sizeof line);
	assert_last(fixture, 3, REVOKED, 77);
	assert_last(fixture, 4, 0, 0);
}

static void test_denials_disk_is_allocated_in_steps_of_their_own(void **state)
{
	struct denials_fixture *fixture = *state;

	assert_int_equal(status_of(fixture, "denials.mmap").st_size, STEP);
	assert_int_equal(status_of(fixture, "gates.mmap").st_size, GATES_STEP);
	assert_int_equal(lk_denials_reserve(fixture->denials, FIRST_STEP, FIRST_GATES), LK_OK);
	assert_int_equal(status_of(fixture, "denials.mmap").st_size, STEP);
	assert_int_equal(status_of(fixture, "gates.mmap").st_size, GATES_STEP);
	assert_int_equal(lk_denials_reserve(fixture->denials, FIRST_STEP + 1, FIRST_GATES + 1), LK_OK);
	struct stat status = status_of(fixture, "denials.mmap");
	assert_int_equal(status.st_size, 2 * STEP);
	assert_true((uint64_t)status.st_blocks * 512 >= 2 * STEP);
	assert_int_equal(status_of(fixture, "gates.mmap").st_size, 2 * GATES_STEP);
	note(fixture, FIRST_STEP + 1, FIRST_GATES + 1, REVOKED, 4);
	assert_last(fixture, FIRST_STEP + 1, REVOKED, 4);
	assert_counts(fixture, FIRST_GATES + 1, REVOKED, 1);
	assert_int_equal(lk_denials_sync(fixture->denials), LK_OK);
}

static void test_denials_reserve_stops_at_the_most_there_may_be(void **state)
{
	struct denials_fixture *fixture = *state;

	assert_int_equal(lk_denials_reserve(fixture->denials, MAX_SLOTS + 1, 1), LK_FULL);
	assert_int_equal(lk_denials_reserve(fixture->denials, 1, LK_DENIAL_KEYSPACES + 1), LK_FULL);
	assert_int_equal(lk_denials_reserve(fixture->denials, MAX_SLOTS, 1), LK_OK);
}

static void test_denials_files_are_the_groups_too(void **state)
{
	struct denials_fixture *fixture = *state;

	assert_int_equal(status_of(fixture, "denials.mmap").st_mode & 0777, 0660);
	assert_int_equal(status_of(fixture, "gates.mmap").st_mode & 0777, 0660);
}

/* Missing, never finished, and empty: nothing but history is lost. */
static void test_denials_missing_file_is_made_anew(void **state)
{
	struct denials_fixture *fixture = *state;
	char path[256];

	for (int i = 0; i < 3; i++) {
		note(fixture, FIRST_STEP, 1, REVOKED, 4);
		note(fixture, 1, 1, REVOKED, 4);
		close_it(fixture);
		lk_fixture_path(&fixture->base, "denials.mmap", sizeof path, path);
		if (i == 0) {
			assert_int_equal(unlink(path), 0);
		} else if (i == 1) {
			overwrite(fixture, "denials.mmap", 0, (char[8]){0}, 8);
		} else {
			assert_int_equal(truncate(path, 0), 0);
		}
		reopen(fixture, FIRST_STEP + 1, 1);
		assert_last(fixture, 1, 0, 0);
		assert_last(fixture, FIRST_STEP, 0, 0);
		assert_counts(fixture, 1, REVOKED, 2 * (uint64_t)(i + 1));
		assert_int_equal(status_of(fixture, "denials.mmap").st_size, 2 * STEP);
	}
	close_it(fixture);
	lk_fixture_path(&fixture->base, "gates.mmap", sizeof path, path);
	assert_int_equal(unlink(path), 0);
	reopen(fixture, 1, 1);
	assert_counts(fixture, 1, 0, 0);
}

static void test_denials_short_file_is_made_longer(void **state)
{
	struct denials_fixture *fixture = *state;
	char path[256];

	note(fixture, 1, 1, REVOKED, 4);
	close_it(fixture);
	lk_fixture_path(&fixture->base, "denials.mmap", sizeof path, path);
	assert_int_equal(truncate(path, HEADER + LINE), 0);
	reopen(fixture, 9, 1);
	assert_last(fixture, 1, REVOKED, 4);
	note(fixture, 9, 1, EXPIRED, 5);
	assert_last(fixture, 9, EXPIRED, 5);
}

static void assert_refused(struct denials_fixture *fixture, enum lk_err expected, const char *file, const char *remedy)
{
	assert_int_equal(open_as(fixture, store_id, 1, 1), expected);
	assert_null(fixture->denials);
	if (strstr(fixture->base.message, file) == NULL || strstr(fixture->base.message, remedy) == NULL) {
		fail_msg("\"%s\" says nothing of \"%s\" and \"%s\"", fixture->base.message, file, remedy);
	}
}

static void test_denials_wrong_file_is_refused(void **state)
{
	static const char *const files[] = {"denials.mmap", "gates.mmap"};
	struct denials_fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(files); i++) {
		char kept[HEADER];
		char path[256];

		close_it(fixture);
		lk_fixture_path(&fixture->base, files[i], sizeof path, path);
		FILE *file = fopen(path, "re");
		assert_non_null(file);
		assert_int_equal(fread(kept, 1, sizeof kept, file), sizeof kept);
		assert_int_equal(fclose(file), 0);
		overwrite(fixture, files[i], 0, "LKOTHER1", 8);
		assert_refused(fixture, LK_CORRUPT, files[i], "remove it");
		overwrite(fixture, files[i], 0, kept, sizeof kept);
		overwrite(fixture, files[i], 8, &(uint32_t){2}, sizeof(uint32_t));
		assert_refused(fixture, LK_FAILED_PRECONDITION, files[i], "upgrade");
		overwrite(fixture, files[i], 0, kept, sizeof kept);
		overwrite(fixture, files[i], 16, other_id, sizeof other_id);
		assert_refused(fixture, LK_FAILED_PRECONDITION, files[i], "another store");
		overwrite(fixture, files[i], 0, kept, sizeof kept);
		assert_int_equal(open_as(fixture, store_id, 1, 1), LK_OK);
	}
}

static void test_denials_more_slots_than_are_mapped_are_refused(void **state)
{
	struct denials_fixture *fixture = *state;

	close_it(fixture);
	assert_int_equal(open_as(fixture, store_id, MAX_SLOTS + 1, 1), LK_FAILED_PRECONDITION);
	assert_non_null(strstr(fixture->base.message, "max_slots"));
	assert_int_equal(open_as(fixture, store_id, 1, LK_DENIAL_KEYSPACES + 1), LK_FAILED_PRECONDITION);
	assert_non_null(strstr(fixture->base.message, "gates.mmap"));
	assert_int_equal(open_as(fixture, store_id, MAX_SLOTS, 1), LK_OK);
}

/* Made for a new store, they hold nothing of the one that was there. */
static void test_denials_of_a_new_store_replace_what_is_there(void **state)
{
	struct denials_fixture *fixture = *state;

	note(fixture, 1, 1, REVOKED, 4);
	close_it(fixture);
	assert_int_equal(lk_denials_open(fixture->dir, true, other_id, 0, MAX_SLOTS, 0, &fixture->denials,
				 fixture->base.message),
		LK_OK);
	assert_last(fixture, 1, 0, 0);
	assert_counts(fixture, 1, 0, 0);
}

/* Refuses what is longer than the first step, as a full disk does. */
static int reserve_on_a_full_disk(struct lk_child *parent, void *context)
{
	struct denials_fixture *fixture = context;
	struct rlimit limit = {.rlim_cur = STEP, .rlim_max = STEP};

	(void)parent;
	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0 ||
		open_as(fixture, store_id, 1, 1) != LK_OK) {
		return 100;
	}
	enum lk_err err = lk_denials_reserve(fixture->denials, FIRST_STEP + 1, 1);
	/* What was there before is there still. */
	note(fixture, FIRST_STEP, 1, EXPIRED, 6);
	return (int)err;
}

static void test_denials_full_disk_refuses_more_and_keeps_what_there_is(void **state)
{
	struct denials_fixture *fixture = *state;
	struct lk_child child = {0};

	note(fixture, 1, 1, REVOKED, 3);
	assert_true(lk_child_start(&child, reserve_on_a_full_disk, fixture));
	assert_int_equal(lk_child_wait(&child), LK_FULL);
	assert_last(fixture, 1, REVOKED, 3);
	assert_last(fixture, FIRST_STEP, EXPIRED, 6);
	assert_int_equal(lk_denials_reserve(fixture->denials, FIRST_STEP + 1, 1), LK_OK);
}

struct noter {
	struct lk_denials *denials;
	uint32_t code;
};

/* Whoever notes says the same thing three times: its code, its time, and its address. */
static void *note_many(void *argument)
{
	struct noter *noter = argument;
	struct lk_denial denial = {.code = noter->code, .address.family = LK_ADDRESS_V6};

	for (int64_t i = 0; i < ROUNDS; i++) {
		denial.time_us = i * LK_DENIAL_CODES + noter->code;
		memset(denial.address.bytes, (int)noter->code, sizeof denial.address.bytes);
		lk_denials_note(noter->denials, 5, 1, &denial);
	}
	return NULL;
}

static bool is_of_one(const struct lk_denial *denial)
{
	for (size_t i = 0; i < sizeof denial->address.bytes; i++) {
		if (denial->address.bytes[i] != denial->code) {
			return false;
		}
	}
	return denial->time_us % LK_DENIAL_CODES == denial->code;
}

static void test_denials_from_many_threads_are_counted_and_never_mixed(void **state)
{
	struct denials_fixture *fixture = *state;
	uint64_t counts[LK_DENIAL_CODES];
	pthread_t threads[THREADS];
	struct noter noters[THREADS];
	bool mixed = false;

	for (size_t i = 0; i < THREADS; i++) {
		noters[i] = (struct noter){.denials = fixture->denials, .code = 3 + (uint32_t)i};
		if (pthread_create(&threads[i], NULL, note_many, &noters[i]) != 0) {
			abort();
		}
	}
	for (int i = 0; i < ROUNDS; i++) {
		struct lk_denial last = lk_denials_last(fixture->denials, 5);
		mixed = mixed || (last.code != 0 && !is_of_one(&last));
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_false(mixed);
	lk_denials_counts(fixture->denials, 1, counts);
	for (size_t i = 0; i < THREADS; i++) {
		assert_true(counts[3 + i] == ROUNDS);
	}
}

/* Notes, tells that it did, and is killed. */
static int note_and_wait(struct lk_child *parent, void *context)
{
	struct denials_fixture *fixture = context;

	if (open_as(fixture, store_id, 1, 1) != LK_OK) {
		return 1;
	}
	note(fixture, 9, 2, EXPIRED, 11);
	if (!lk_child_tell(parent, "", 1)) {
		return 2;
	}
	for (;;) {
		pause();
	}
}

static void test_denials_outlive_a_kill(void **state)
{
	struct denials_fixture *fixture = *state;
	struct lk_child child = {0};
	char told = 0;

	assert_true(lk_child_start(&child, note_and_wait, fixture));
	assert_true(lk_child_hear(&child, &told, 1));
	lk_child_kill(&child);
	assert_last(fixture, 9, EXPIRED, 11);
	assert_counts(fixture, 2, EXPIRED, 1);
	reopen(fixture, 9, 2);
	assert_last(fixture, 9, EXPIRED, 11);
	assert_counts(fixture, 2, EXPIRED, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_denials_fresh_files_tell_none),
		TEST(test_denials_last_is_kept_whole_in_its_own_line),
		TEST(test_denials_are_counted_by_code_and_keyspace),
		TEST(test_denials_code_that_is_none_is_not_noted),
		TEST(test_denials_of_lines_that_are_not_there_are_nothing),
		TEST(test_denials_torn_line_is_none),
		TEST(test_denials_line_of_another_slot_is_none),
		TEST(test_denials_disk_is_allocated_in_steps_of_their_own),
		TEST(test_denials_reserve_stops_at_the_most_there_may_be),
		TEST(test_denials_files_are_the_groups_too),
		TEST(test_denials_missing_file_is_made_anew),
		TEST(test_denials_short_file_is_made_longer),
		TEST(test_denials_wrong_file_is_refused),
		TEST(test_denials_more_slots_than_are_mapped_are_refused),
		TEST(test_denials_of_a_new_store_replace_what_is_there),
		TEST(test_denials_full_disk_refuses_more_and_keeps_what_there_is),
		TEST(test_denials_from_many_threads_are_counted_and_never_mixed),
		TEST(test_denials_outlive_a_kill),
	};

	return cmocka_run_group_tests_name("denials", tests, NULL, NULL);
}

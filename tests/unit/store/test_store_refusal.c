#include "server/store/store.h"

#include <fcntl.h>
#include <lmdb.h>
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
#include "tests/unit/store/files.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOBODY       65534

struct report {
	enum lk_err err;
	char message[LK_STORE_MESSAGE_LEN];
};

/* Opens the store once it is told to, and reports what came of it. */
static int open_when_told(struct lk_child *parent, void *context)
{
	struct lk_fixture *fixture = context;
	struct report report = {0};
	char go = 0;

	if (!lk_child_hear(parent, &go, 1)) {
		return 1;
	}
	report.err = lk_store_open(&fixture->options, &fixture->store, report.message);
	return lk_child_tell(parent, &report, sizeof report) ? 0 : 1;
}

static void put_store_record(struct lk_fixture *fixture, const Latchkey__Store__StoreRecord *record)
{
	struct lk_key key = lk_key_meta("store");
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(fixture->store, &txn), LK_OK);
	lk_txn_put_record(txn, LK_TABLE_META, &key, &record->base, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
}

static Latchkey__Store__StoreRecord *get_store_record(struct lk_fixture *fixture)
{
	struct lk_key key = lk_key_meta("store");

	return lk_txn_record(lk_fixture_snapshot(fixture), LK_TABLE_META, &key,
		&latchkey__store__store_record__descriptor, &fixture->arena);
}

static void test_store_of_a_newer_schema_is_refused_and_left_alone(void **state)
{
	static const char *const files[] = {"data.mdb", "verify.key", "seal.key", "slots.mmap"};
	struct lk_fixture *fixture = *state;
	uint8_t before[COUNT(files)][LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];

	files_assert_opens(fixture);
	Latchkey__Store__StoreRecord *record = get_store_record(fixture);
	record->schema = 42;
	put_store_record(fixture, record);
	lk_fixture_close(fixture);
	for (size_t i = 0; i < COUNT(files); i++) {
		files_digest(fixture, files[i], before[i]);
	}
	files_assert_refused(fixture, LK_FAILED_PRECONDITION, "schema 42", "upgrade latchkeyd");
	for (size_t i = 0; i < COUNT(files); i++) {
		files_digest(fixture, files[i], after);
		assert_memory_equal(before[i], after, sizeof after);
	}
}

/* What came before was never released: nothing is made of it, and nothing in it is touched. */
static void test_store_of_an_older_schema_is_refused_and_left_alone(void **state)
{
	struct lk_fixture *fixture = *state;
	uint8_t before[LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];

	files_assert_opens(fixture);
	Latchkey__Store__StoreRecord *record = get_store_record(fixture);
	record->schema = LK_STORE_SCHEMA - 1;
	put_store_record(fixture, record);
	lk_fixture_close(fixture);
	files_digest(fixture, "data.mdb", before);
	files_assert_refused(fixture, LK_FAILED_PRECONDITION, "schema 2", "another --data");
	files_digest(fixture, "data.mdb", after);
	assert_memory_equal(before, after, sizeof after);
}

/* A newer schema may have tables that this one does not know, and lack some that it does: no table is touched. */
static void test_store_of_a_newer_schema_gets_no_tables_of_ours(void **state)
{
	struct lk_fixture *fixture = *state;
	uint8_t record[256];
	uint8_t digest[LK_DIGEST_LEN] = {0};
	Latchkey__Store__StoreRecord newer = LATCHKEY__STORE__STORE_RECORD__INIT;
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	MDB_dbi meta = 0;
	MDB_dbi key = 0;

	newer.schema = LK_STORE_SCHEMA + 1;
	newer.store_id = (ProtobufCBinaryData){16, digest};
	newer.verify_key_check = newer.seal_key_check = (ProtobufCBinaryData){sizeof digest, digest};
	MDB_val name = {.mv_data = (void *)(uintptr_t) "store", .mv_size = 5};
	MDB_val value = {.mv_data = record, .mv_size = latchkey__store__store_record__pack(&newer, record)};
	assert_int_equal(mkdir(fixture->dir, 0750), 0);
	for (int round = 0; round < 2; round++) {
		assert_int_equal(mdb_env_create(&env), 0);
		assert_int_equal(mdb_env_set_maxdbs(env, 32), 0);
		assert_int_equal(mdb_env_open(env, fixture->dir, 0, 0600), 0);
		assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
		assert_int_equal(mdb_dbi_open(txn, "meta", MDB_CREATE, &meta), 0);
		assert_int_equal(mdb_put(txn, meta, &name, &value, 0), 0);
		/* The second time round, after the refusal: still not there. */
		assert_int_equal(mdb_dbi_open(txn, "key", 0, &key), MDB_NOTFOUND);
		assert_int_equal(mdb_txn_commit(txn), 0);
		mdb_env_close(env);
		if (round == 0) {
			files_assert_refused(fixture, LK_FAILED_PRECONDITION, "schema 4", "upgrade latchkeyd");
		}
	}
	assert_false(files_exists(fixture, "verify.key"));
	assert_false(files_exists(fixture, "slots.mmap"));
}

static void test_store_record_that_does_not_read_is_corrupt(void **state)
{
	struct lk_fixture *fixture = *state;

	files_assert_opens(fixture);
	Latchkey__Store__StoreRecord *record = get_store_record(fixture);
	record->store_id.len--;
	put_store_record(fixture, record);
	lk_fixture_close(fixture);
	files_assert_refused(fixture, LK_CORRUPT, "store's own record", "restore a backup");
}

static void test_store_data_that_is_no_lmdb_file_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	char garbage[8192];

	memset(garbage, 0x5a, sizeof garbage);
	assert_int_equal(mkdir(fixture->dir, 0750), 0);
	files_write(fixture, "data.mdb", 0, garbage, sizeof garbage);
	files_assert_refused(fixture, LK_CORRUPT, "data.mdb", "");
	assert_false(files_exists(fixture, "verify.key"));
}

/* Another program's environment: nothing is made in it, and not even a mode is changed. */
static void test_store_data_of_another_program_is_left_alone(void **state)
{
	static const char *const tables[] = {NULL, "theirs"};
	struct lk_fixture *fixture = *state;
	uint8_t before[LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	MDB_dbi table = 0;

	for (size_t i = 0; i < COUNT(tables); i++) {
		MDB_val value = {.mv_data = (void *)(uintptr_t) "meta", .mv_size = 4};
		assert_int_equal(mkdir(fixture->dir, 0700), 0);
		assert_int_equal(mdb_env_create(&env), 0);
		assert_int_equal(mdb_env_set_maxdbs(env, 32), 0);
		assert_int_equal(mdb_env_open(env, fixture->dir, 0, 0600), 0);
		assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
		assert_int_equal(mdb_dbi_open(txn, tables[i], MDB_CREATE, &table), 0);
		assert_int_equal(mdb_put(txn, table, &value, &value, 0), 0);
		assert_int_equal(mdb_txn_commit(txn), 0);
		mdb_env_close(env);
		files_digest(fixture, "data.mdb", before);
		files_assert_refused(fixture, LK_FAILED_PRECONDITION, "data.mdb", "another --data");
		files_digest(fixture, "data.mdb", after);
		assert_memory_equal(before, after, sizeof after);
		assert_int_equal(files_mode(fixture, "data.mdb"), 0600);
		assert_false(files_exists(fixture, "verify.key"));
		lk_fixture_done(fixture);
		assert_int_equal(lk_fixture_init(fixture), 0);
	}
}

static void test_store_head_that_does_not_read_is_corrupt(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_key head = lk_key_meta("head");
	struct lk_txn *txn = NULL;

	files_assert_opens(fixture);
	assert_int_equal(lk_write_begin(fixture->store, &txn), LK_OK);
	lk_txn_put(txn, LK_TABLE_META, &head, "short", 5, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	lk_fixture_close(fixture);
	files_assert_refused(fixture, LK_CORRUPT, "data.mdb", "");
}

static void test_store_directory_that_others_may_change_is_refused(void **state)
{
	static const mode_t modes[] = {0770, 0702, 0777, 01777};
	struct lk_fixture *fixture = *state;

	assert_int_equal(mkdir(fixture->dir, 0700), 0);
	for (size_t i = 0; i < COUNT(modes); i++) {
		assert_int_equal(chmod(fixture->dir, modes[i]), 0);
		files_assert_refused(fixture, LK_FAILED_PRECONDITION, "lets others change it", "chmod 0750");
		assert_false(files_exists(fixture, "verify.key"));
	}
	assert_int_equal(chmod(fixture->dir, 0755), 0);
	files_assert_opens(fixture);
}

/* Killed before its first commit, a store leaves keys, slots and an environment without a record: it is made as new. */
static void test_store_half_made_one_opens_as_new(void **state)
{
	struct lk_fixture *fixture = *state;
	uint8_t before[LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	MDB_dbi dbi = 0;

	files_make_and_close(fixture);
	files_digest(fixture, "seal.key", before);
	files_remove(fixture, "data.mdb");
	files_remove(fixture, "lock.mdb");
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 32), 0);
	assert_int_equal(mdb_env_open(env, fixture->dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	for (size_t i = 0; i < LK_TABLE_COUNT / 2; i++) {
		assert_int_equal(mdb_dbi_open(txn, lk_tables[i].name, lk_tables[i].flags | MDB_CREATE, &dbi), 0);
	}
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	files_assert_opens(fixture);
	assert_int_not_equal(lk_fixture_tenant(fixture, "acme"), 0);
	files_digest(fixture, "seal.key", after);
	assert_memory_equal(before, after, sizeof after);
	files_assert_modes(fixture);
}

/* Makes a store with a limit to the size of every file, which kills the process where a write goes past it. */
static int make_within_limit(struct lk_child *parent, void *context)
{
	struct lk_fixture *fixture = context;
	struct rlimit limit = {0};

	if (!lk_child_hear(parent, &limit, sizeof limit) || setrlimit(RLIMIT_CORE, &(struct rlimit){0}) != 0 ||
		setrlimit(RLIMIT_FSIZE, &limit) != 0) {
		return 2;
	}
	return lk_store_open(&fixture->options, &fixture->store, fixture->message) == LK_OK ? 0 : 1;
}

static void test_store_killed_or_failing_anywhere_in_its_making_opens_later(void **state)
{
	static const rlim_t limits[] = {0, 4, 8, 31, 32, 33, 4096, 8192, 16384, 32768, 65536, 1 << 20, 63 << 20};
	struct lk_fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(limits); i++) {
		struct rlimit limit = {.rlim_cur = limits[i], .rlim_max = limits[i]};
		struct lk_child child = {0};
		assert_true(lk_child_start(&child, make_within_limit, fixture));
		assert_true(lk_child_tell(&child, &limit, sizeof limit));
		int end = lk_child_wait(&child);
		if (end != 1 && end != -SIGXFSZ) {
			fail_msg("with files of at most %lu bytes: %d", (unsigned long)limits[i], end);
		}
		files_assert_opens(fixture);
		assert_int_not_equal(lk_fixture_tenant(fixture, "acme"), 0);
		lk_fixture_done(fixture);
		assert_int_equal(lk_fixture_init(fixture), 0);
	}
}

/* A limit of 2 bytes cuts the number of this process short: that is a failure, and not the number of another process. */
static int open_with_short_writes(struct lk_child *parent, void *context)
{
	struct rlimit limit = {.rlim_cur = 2, .rlim_max = 2};

	if (signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0) {
		return 2;
	}
	return open_when_told(parent, context);
}

static void test_store_pid_file_that_could_not_be_written_whole_is_a_failure(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_child child = {0};
	struct report report = {0};

	assert_true(lk_child_start(&child, open_with_short_writes, fixture));
	assert_true(lk_child_tell(&child, "g", 1));
	assert_true(lk_child_hear(&child, &report, sizeof report));
	assert_int_equal(lk_child_wait(&child), 0);
	assert_int_equal(report.err, LK_FULL);
	assert_non_null(strstr(report.message, "latchkeyd.pid: No space left on device"));
}

static void test_store_path_that_is_no_directory_is_named(void **state)
{
	struct lk_fixture *fixture = *state;

	int file = open(fixture->dir, O_WRONLY | O_CREAT, 0600);
	assert_true(file >= 0);
	close(file);
	files_assert_refused(fixture, LK_IO, fixture->dir, "Not a directory");
}

static void test_store_without_a_directory_above_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	(void)snprintf(fixture->dir, sizeof fixture->dir, "%s/none/data", fixture->parent);
	files_assert_refused(fixture, LK_NOT_FOUND, fixture->dir, "No such file or directory");
}

static int open_as_nobody(struct lk_child *parent, void *context)
{
	if (getuid() == 0 && (setgid(NOBODY) != 0 || setuid(NOBODY) != 0)) {
		return 2;
	}
	return open_when_told(parent, context);
}

static void test_store_where_nothing_may_be_written_is_named(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_child child = {0};
	struct report report = {0};

	assert_int_equal(chmod(fixture->parent, 0555), 0);
	assert_true(lk_child_start(&child, open_as_nobody, fixture));
	assert_true(lk_child_tell(&child, "g", 1));
	assert_true(lk_child_hear(&child, &report, sizeof report));
	assert_int_equal(lk_child_wait(&child), 0);
	assert_int_equal(chmod(fixture->parent, 0700), 0);
	assert_int_equal(report.err, LK_PERMISSION_DENIED);
	assert_non_null(strstr(report.message, fixture->dir));
	assert_non_null(strstr(report.message, "Permission denied"));
}

static void test_store_message_about_a_long_path_still_says_what_is_wrong(void **state)
{
	struct lk_fixture *fixture = *state;
	char path[1200];

	memset(path, 'x', sizeof path);
	for (size_t i = 0; i < sizeof path; i += 100) {
		path[i] = '/';
	}
	(void)snprintf(path + sizeof path - 6, 6, "/last");
	fixture->options.dir = path;
	assert_int_equal(lk_fixture_open(fixture), LK_NOT_FOUND);
	assert_non_null(strstr(fixture->message, "No such file or directory"));
	assert_non_null(strstr(fixture->message, "/last"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup_closed, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_store_of_a_newer_schema_is_refused_and_left_alone),
		TEST(test_store_of_an_older_schema_is_refused_and_left_alone),
		TEST(test_store_of_a_newer_schema_gets_no_tables_of_ours),
		TEST(test_store_record_that_does_not_read_is_corrupt),
		TEST(test_store_data_that_is_no_lmdb_file_is_refused),
		TEST(test_store_data_of_another_program_is_left_alone),
		TEST(test_store_head_that_does_not_read_is_corrupt),
		TEST(test_store_directory_that_others_may_change_is_refused),
		TEST(test_store_half_made_one_opens_as_new),
		TEST(test_store_killed_or_failing_anywhere_in_its_making_opens_later),
		TEST(test_store_pid_file_that_could_not_be_written_whole_is_a_failure),
		TEST(test_store_path_that_is_no_directory_is_named),
		TEST(test_store_without_a_directory_above_is_refused),
		TEST(test_store_where_nothing_may_be_written_is_named),
		TEST(test_store_message_about_a_long_path_still_says_what_is_wrong),
	};

	return cmocka_run_group_tests_name("store refusal", tests, NULL, NULL);
}

#include "server/store/attach.h"

#include <fcntl.h>
#include <grp.h>
#include <lmdb.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/slots.h"
#include "server/store/table.h"
#include "server/store/verdict_record.h"
#include "tests/lib/store_fixture.h"
#include "tests/unit/store/files.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOBODY       65534
/* Where the header of a file of lines has its state, and the one that says that the store is replaced. */
#define STATE_OFFSET 12
#define REPLACED     UINT32_C(2)
#define LIVE         UINT32_C(1)
#define SPACE_OFFSET 32
#define MOST_OFFSET  40

static struct lk_store *attach(struct lk_fixture *fixture)
{
	struct lk_store_options options = {.dir = fixture->dir};
	struct lk_store *store = NULL;

	enum lk_err err = lk_store_attach(&options, &store, fixture->message);
	if (err != LK_OK) {
		fail_msg("%s", fixture->message);
	}
	return store;
}

static void assert_refused(struct lk_fixture *fixture, enum lk_err expected, const char *what, const char *remedy)
{
	struct lk_store_options options = {.dir = fixture->dir};
	struct lk_store *store = NULL;

	assert_int_equal(lk_store_attach(&options, &store, fixture->message), expected);
	assert_null(store);
	assert_non_null(strstr(fixture->message, fixture->dir));
	assert_non_null(strstr(fixture->message, what));
	assert_non_null(strstr(fixture->message, remedy));
	assert_null(strchr(fixture->message, '\n'));
}

/* The test's own process has the store open for a moment, and closes it as a daemon does. */
static Latchkey__Store__KeyRecord *make_key(struct lk_fixture *fixture)
{
	files_assert_opens(fixture);
	uint32_t tenant = lk_fixture_tenant(fixture, "acme");
	Latchkey__Store__KeyRecord *key = lk_fixture_key(
		fixture, tenant, lk_fixture_keyspace(fixture, tenant, "prod"), "one");
	assert_non_null(key);
	lk_fixture_close(fixture);
	return key;
}

static void test_attach_reads_what_the_daemon_wrote_and_counts_where_it_counts(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_txn *snapshot = NULL;
	struct lk_verdict verdict;

	Latchkey__Store__KeyRecord *key = make_key(fixture);
	struct lk_store *store = attach(fixture);
	assert_null(lk_store_fault(store));
	assert_int_equal(lk_snapshot_new(store, &snapshot), LK_OK);
	assert_int_equal(lk_snapshot_begin(snapshot), LK_OK);
	assert_true(lk_verdict_find(snapshot, key->digest.data, &verdict));
	assert_int_equal(verdict.head.slot, key->slot);
	lk_slots_use(lk_store_slots(store), key->slot, 42);
	lk_snapshot_free(snapshot);
	lk_store_close(store);
	files_assert_opens(fixture);
	assert_int_equal(lk_slots_usage(lk_store_slots(fixture->store), key->slot).count, 1);
	assert_int_equal(lk_slots_usage(lk_store_slots(fixture->store), key->slot).last_used_us, 42);
}

static void test_attach_changes_no_file(void **state)
{
	static const char *const files[] = {
		"data.mdb", "slots.mmap", "denials.mmap", "gates.mmap", "verify.key", "seal.key"};
	struct lk_fixture *fixture = *state;
	uint8_t before[COUNT(files)][LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];

	(void)make_key(fixture);
	for (size_t i = 0; i < COUNT(files); i++) {
		files_digest(fixture, files[i], before[i]);
	}
	lk_store_close(attach(fixture));
	for (size_t i = 0; i < COUNT(files); i++) {
		files_digest(fixture, files[i], after);
		assert_memory_equal(before[i], after, sizeof after);
	}
}

static void test_attach_needs_no_seal_key(void **state)
{
	struct lk_fixture *fixture = *state;
	uint8_t zero[LK_SECRET_KEY_LEN] = {0};

	(void)make_key(fixture);
	files_remove(fixture, "seal.key");
	struct lk_store *store = attach(fixture);
	assert_memory_equal(lk_store_keyring(store)->seal_key, zero, sizeof zero);
	lk_store_close(store);
}

static void test_attach_of_what_is_open_in_this_process_is_held(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_store *store = NULL;

	files_assert_opens(fixture);
	assert_refused(fixture, LK_HELD, "this process", "open it once");
	lk_fixture_close(fixture);
	store = attach(fixture);
	assert_refused(fixture, LK_HELD, "this process", "open it once");
	assert_int_equal(lk_fixture_open(fixture), LK_HELD);
	lk_store_close(store);
	files_assert_opens(fixture);
}

static void test_attach_without_a_directory_or_a_store_finds_none(void **state)
{
	struct lk_fixture *fixture = *state;

	assert_refused(fixture, LK_NOT_FOUND, "cannot open the data directory", "No such file");
	assert_int_equal(mkdir(fixture->dir, 0750), 0);
	assert_refused(fixture, LK_NOT_FOUND, "no store in it", "--data");
	assert_false(files_exists(fixture, "data.mdb"));
	assert_false(files_exists(fixture, "lock.mdb"));
}

/* Of each file that it needs: what is said where it is not there. */
static void test_attach_names_the_file_that_is_missing(void **state)
{
	static const struct {
		const char *file;
		enum lk_err err;
		const char *said;
	} cases[] = {
		{"lock.mdb", LK_NOT_FOUND, "lock.mdb is missing"},
		{"slots.mmap", LK_CORRUPT, "slots.mmap: missing"},
		{"denials.mmap", LK_CORRUPT, "denials.mmap: missing"},
		{"gates.mmap", LK_CORRUPT, "gates.mmap: missing"},
		{"verify.key", LK_FAILED_PRECONDITION, "this service too"},
	};
	struct lk_fixture *fixture = *state;
	char from[256];
	char to[256];

	(void)make_key(fixture);
	for (size_t i = 0; i < COUNT(cases); i++) {
		lk_fixture_path(fixture, cases[i].file, sizeof from, from);
		lk_fixture_path(fixture, "aside", sizeof to, to);
		assert_int_equal(rename(from, to), 0);
		assert_refused(fixture, cases[i].err, cases[i].said, "");
		assert_false(files_exists(fixture, cases[i].file));
		assert_int_equal(rename(to, from), 0);
	}
	lk_store_close(attach(fixture));
}

static void put_schema(struct lk_fixture *fixture, uint32_t schema)
{
	struct lk_key key = lk_key_meta("store");
	struct lk_txn *txn = NULL;

	files_assert_opens(fixture);
	Latchkey__Store__StoreRecord *record = lk_txn_record(lk_fixture_snapshot(fixture), LK_TABLE_META, &key,
		&latchkey__store__store_record__descriptor, &fixture->arena);
	record->schema = schema;
	assert_int_equal(lk_write_begin(fixture->store, &txn), LK_OK);
	lk_txn_put_record(txn, LK_TABLE_META, &key, &record->base, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	lk_fixture_close(fixture);
}

static void test_attach_to_a_newer_schema_is_refused(void **state)
{
	put_schema(*state, LK_STORE_SCHEMA + 1);
	assert_refused(*state, LK_FAILED_PRECONDITION, "schema 4", "upgrade liblatchkey-local");
}

static void test_attach_to_an_older_schema_is_refused(void **state)
{
	put_schema(*state, LK_STORE_SCHEMA - 1);
	assert_refused(*state, LK_FAILED_PRECONDITION, "schema 2", "another --data");
}

static void test_attach_with_another_verify_key_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	(void)make_key(fixture);
	files_write(fixture, "verify.key", 0, "another", 7);
	assert_refused(fixture, LK_FAILED_PRECONDITION, "verify.key is not the key", "restore");
}

static void test_attach_to_another_programs_data_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	MDB_dbi table = 0;

	(void)make_key(fixture);
	files_remove(fixture, "data.mdb");
	files_remove(fixture, "lock.mdb");
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 4), 0);
	assert_int_equal(mdb_env_open(env, fixture->dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	assert_int_equal(mdb_dbi_open(txn, "theirs", MDB_CREATE, &table), 0);
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	assert_refused(fixture, LK_FAILED_PRECONDITION, "another program's", "--data");
	files_write(fixture, "data.mdb", 0, "no LMDB at all, but long enough to be looked at as if it were", 61);
	files_truncate(fixture, "data.mdb", 61);
	assert_refused(fixture, LK_CORRUPT, "data.mdb", "");
}

/* Whatever stands at the head of a file of lines, nothing that was mapped is past its end. */
static void test_attach_to_damaged_lines_is_refused(void **state)
{
	static const char *const files[] = {"slots.mmap", "denials.mmap", "gates.mmap"};
	struct lk_fixture *fixture = *state;
	uint8_t header[64];
	uint32_t newer = 2;
	char path[256];

	(void)make_key(fixture);
	for (size_t i = 0; i < COUNT(files); i++) {
		lk_fixture_path(fixture, files[i], sizeof path, path);
		int file = open(path, O_RDONLY);
		assert_int_equal(read(file, header, sizeof header), sizeof header);
		close(file);
		files_write(fixture, files[i], 0, "XXXX", 4);
		assert_refused(fixture, LK_CORRUPT, files[i], "not a file of");
		files_write(fixture, files[i], 0, header, sizeof header);
		files_write(fixture, files[i], 8, &newer, sizeof newer);
		assert_refused(fixture, LK_FAILED_PRECONDITION, files[i], "newer latchkeyd");
		files_write(fixture, files[i], 0, header, sizeof header);
		files_write(fixture, files[i], STATE_OFFSET, "\0\0\0", 4);
		assert_refused(fixture, LK_CORRUPT, files[i], "not a file of");
		files_write(fixture, files[i], 0, header, sizeof header);
		files_write(fixture, files[i], 16, "another store id", 16);
		assert_refused(fixture, LK_FAILED_PRECONDITION, files[i], "another store");
		files_write(fixture, files[i], 0, header, sizeof header);
		lk_store_close(attach(fixture));
	}
	files_truncate(fixture, "slots.mmap", 64);
	assert_refused(fixture, LK_CORRUPT, "slots.mmap", "shorter");
	files_truncate(fixture, "slots.mmap", 63);
	assert_refused(fixture, LK_CORRUPT, "slots.mmap", "not a file of slots");
}

static void test_attach_to_a_store_that_is_being_replaced_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	uint32_t replaced = REPLACED;

	(void)make_key(fixture);
	files_write(fixture, "slots.mmap", STATE_OFFSET, &replaced, sizeof replaced);
	assert_refused(fixture, LK_FAILED_PRECONDITION, "slots.mmap", "taking its place");
}

static void test_attach_beside_a_daemon_of_another_pid_namespace_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	uint64_t elsewhere = 1;

	(void)make_key(fixture);
	files_write(fixture, "slots.mmap", SPACE_OFFSET, &elsewhere, sizeof elsewhere);
	assert_refused(fixture, LK_FAILED_PRECONDITION, "PID namespace", "--pid=host");
}

/* As `unshare --pid --fork` does it. */
static void test_attach_from_another_pid_namespace_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_store_options options = {.dir = fixture->dir};
	struct lk_store *store = NULL;
	int status = 0;

	if (geteuid() != 0) {
		skip();
	}
	(void)make_key(fixture);
	pid_t outer = fork();
	if (outer == 0) {
		if (unshare(CLONE_NEWPID) != 0) {
			_exit(77);
		}
		pid_t inner = fork();
		if (inner == 0) {
			enum lk_err err = lk_store_attach(&options, &store, fixture->message);
			_exit(err == LK_FAILED_PRECONDITION && strstr(fixture->message, "PID namespace") != NULL ? 0
														 : 1);
		}
		_exit(waitpid(inner, &status, 0) == inner && WIFEXITED(status) ? WEXITSTATUS(status) : 2);
	}
	assert_int_equal(waitpid(outer, &status, 0), outer);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_attach_to_a_directory_that_others_may_change_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	(void)make_key(fixture);
	assert_int_equal(chmod(fixture->dir, 0777), 0);
	assert_refused(fixture, LK_FAILED_PRECONDITION, "0777", "chmod 0750");
	assert_int_equal(chmod(fixture->dir, 0750), 0);
}

/* What a process of another user sees; -1: that could not be tried. */
static int attach_as(struct lk_fixture *fixture, gid_t group, const char *said)
{
	struct lk_store_options options = {.dir = fixture->dir};
	struct lk_store *store = NULL;
	int status = 0;

	pid_t child = fork();
	if (child == 0) {
		if (setgroups(0, NULL) != 0 || setgid(group) != 0 || setuid(NOBODY) != 0) {
			_exit(99);
		}
		enum lk_err err = lk_store_attach(&options, &store, fixture->message);
		if (err == LK_OK) {
			lk_slots_use(lk_store_slots(store), 1, 1);
			lk_store_close(store);
		}
		if (said != NULL && (strstr(fixture->message, said) == NULL ||
					    strstr(fixture->message, "group of its data directory") == NULL)) {
			(void)fprintf(stderr, "not \"%s\": %s\n", said, fixture->message);
			_exit(98);
		}
		_exit((int)err);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The modes that the daemon gives are enough for a member of its group, and none of them may be missing. */
static void test_attach_needs_the_rights_of_the_group_and_no_more(void **state)
{
	static const struct {
		const char *file;
		mode_t mode;
		mode_t without;
	} cases[] = {
		{"data.mdb", 0640, 0600},
		{"lock.mdb", 0660, 0640},
		{"slots.mmap", 0660, 0640},
		{"denials.mmap", 0660, 0640},
		{"gates.mmap", 0660, 0640},
		{"verify.key", 0640, 0600},
	};
	struct lk_fixture *fixture = *state;
	char path[256];

	if (geteuid() != 0) {
		skip();
	}
	(void)make_key(fixture);
	assert_int_equal(chmod(fixture->parent, 0711), 0);
	assert_int_equal(attach_as(fixture, getegid(), NULL), LK_OK);
	assert_int_equal(attach_as(fixture, NOBODY, "cannot open the data directory"), LK_PERMISSION_DENIED);
	for (size_t i = 0; i < COUNT(cases); i++) {
		lk_fixture_path(fixture, cases[i].file, sizeof path, path);
		assert_int_equal(files_mode(fixture, cases[i].file), cases[i].mode);
		assert_int_equal(chmod(path, cases[i].without), 0);
		assert_int_equal(attach_as(fixture, getegid(), cases[i].file), LK_PERMISSION_DENIED);
		assert_int_equal(chmod(path, cases[i].mode), 0);
	}
	assert_int_equal(attach_as(fixture, getegid(), NULL), LK_OK);
}

static void test_attach_sees_at_once_that_the_store_is_marked_as_replaced(void **state)
{
	struct lk_fixture *fixture = *state;
	uint32_t mark = REPLACED;

	(void)make_key(fixture);
	struct lk_store *store = attach(fixture);
	assert_null(lk_store_fault(store));
	files_write(fixture, "slots.mmap", STATE_OFFSET, &mark, sizeof mark);
	assert_non_null(strstr(lk_store_fault(store), "open it anew"));
	mark = LIVE;
	files_write(fixture, "slots.mmap", STATE_OFFSET, &mark, sizeof mark);
	assert_null(lk_store_fault(store));
	uint64_t elsewhere = 1;
	files_write(fixture, "slots.mmap", SPACE_OFFSET, &elsewhere, sizeof elsewhere);
	assert_non_null(lk_store_fault(store));
	lk_store_close(store);
}

/* A daemon that may make more keys than were mapped: their slots would be nowhere. */
static void test_attach_sees_at_once_that_it_has_mapped_too_few_slots(void **state)
{
	struct lk_fixture *fixture = *state;

	(void)make_key(fixture);
	struct lk_store *store = attach(fixture);
	uint64_t most = fixture->options.max_slots - 1;
	files_write(fixture, "slots.mmap", MOST_OFFSET, &most, sizeof most);
	assert_null(lk_store_fault(store));
	most += 2;
	files_write(fixture, "slots.mmap", MOST_OFFSET, &most, sizeof most);
	assert_non_null(lk_store_fault(store));
	lk_store_close(store);
	store = attach(fixture);
	assert_null(lk_store_fault(store));
	lk_store_close(store);
}

static void test_attach_sees_when_it_looks_that_the_store_was_moved(void **state)
{
	struct lk_fixture *fixture = *state;
	char aside[200];

	(void)make_key(fixture);
	struct lk_store *store = attach(fixture);
	lk_store_look(store);
	assert_null(lk_store_fault(store));
	(void)snprintf(aside, sizeof aside, "%s/aside", fixture->parent);
	assert_int_equal(rename(fixture->dir, aside), 0);
	lk_store_look(store);
	assert_non_null(strstr(lk_store_fault(store), "moved or replaced"));
	/* What was gone once is not taken for the same again. */
	assert_int_equal(rename(aside, fixture->dir), 0);
	lk_store_look(store);
	assert_non_null(lk_store_fault(store));
	lk_store_close(store);
	lk_store_close(attach(fixture));
}

static void test_attach_sees_when_it_looks_that_data_were_put_in_its_place(void **state)
{
	struct lk_fixture *fixture = *state;
	char from[256];
	char to[256];

	(void)make_key(fixture);
	struct lk_store *store = attach(fixture);
	lk_fixture_path(fixture, "data.mdb", sizeof from, from);
	lk_fixture_path(fixture, "other", sizeof to, to);
	files_write(fixture, "other", 0, "data", 4);
	assert_int_equal(rename(to, from), 0);
	lk_store_look(store);
	assert_non_null(lk_store_fault(store));
	lk_store_close(store);
}

static void test_attach_takes_a_daemons_new_start_for_the_same_store(void **state)
{
	struct lk_fixture *fixture = *state;
	int status = 0;

	Latchkey__Store__KeyRecord *key = make_key(fixture);
	struct lk_store *store = attach(fixture);
	pid_t daemon = fork();
	if (daemon == 0) {
		bool opened = lk_fixture_open(fixture) == LK_OK;
		lk_fixture_close(fixture);
		_exit(opened ? 0 : 1);
	}
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	assert_int_equal(status, 0);
	lk_store_look(store);
	assert_null(lk_store_fault(store));
	lk_slots_use(lk_store_slots(store), key->slot, 7);
	assert_int_equal(lk_slots_usage(lk_store_slots(store), key->slot).count, 1);
	lk_store_close(store);
}

/* The child may look, end what it inherited, and open anew; the parent goes on as if there were none. */
static void test_attach_is_useless_to_a_forked_child_and_unharmed_by_it(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_store_options options = {.dir = fixture->dir};
	struct lk_txn *snapshot = NULL;
	struct lk_store *own = NULL;
	MDB_envinfo info = {0};
	int status = 0;

	Latchkey__Store__KeyRecord *key = make_key(fixture);
	struct lk_store *store = attach(fixture);
	assert_int_equal(lk_snapshot_new(store, &snapshot), LK_OK);
	assert_int_equal(lk_snapshot_begin(snapshot), LK_OK);
	pid_t child = fork();
	if (child == 0) {
		const char *fault = lk_store_fault(store);
		bool told = fault != NULL && strstr(fault, "forked") != NULL;
		lk_store_look(store);
		lk_snapshot_free(snapshot);
		lk_store_close(store);
		bool opened = lk_store_attach(&options, &own, fixture->message) == LK_OK;
		bool sees = opened && lk_store_fault(own) == NULL;
		lk_store_close(opened ? own : NULL);
		_exit(told && sees ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_null(lk_store_fault(store));
	/* Another process still sees the reader that the parent has: nobody let go of its slot. */
	struct lk_verdict verdict;
	assert_true(lk_verdict_find(snapshot, key->digest.data, &verdict));
	child = fork();
	if (child == 0) {
		MDB_env *env = NULL;
		bool opened = mdb_env_create(&env) == 0 && mdb_env_set_maxreaders(env, LK_STORE_READERS) == 0 &&
			      mdb_env_open(env, fixture->dir, MDB_RDONLY | MDB_NOTLS, 0) == 0;
		int dead = -1;
		bool fine = opened && mdb_env_info(env, &info) == 0 && info.me_numreaders >= 1 &&
			    mdb_reader_check(env, &dead) == 0 && dead == 0;
		_exit(fine ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	lk_snapshot_free(snapshot);
	lk_store_close(store);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup_closed, lk_fixture_teardown)
		TEST(test_attach_reads_what_the_daemon_wrote_and_counts_where_it_counts),
		TEST(test_attach_changes_no_file),
		TEST(test_attach_needs_no_seal_key),
		TEST(test_attach_of_what_is_open_in_this_process_is_held),
		TEST(test_attach_without_a_directory_or_a_store_finds_none),
		TEST(test_attach_names_the_file_that_is_missing),
		TEST(test_attach_to_a_newer_schema_is_refused),
		TEST(test_attach_to_an_older_schema_is_refused),
		TEST(test_attach_with_another_verify_key_is_refused),
		TEST(test_attach_to_another_programs_data_is_refused),
		TEST(test_attach_to_damaged_lines_is_refused),
		TEST(test_attach_to_a_store_that_is_being_replaced_is_refused),
		TEST(test_attach_beside_a_daemon_of_another_pid_namespace_is_refused),
		TEST(test_attach_from_another_pid_namespace_is_refused),
		TEST(test_attach_to_a_directory_that_others_may_change_is_refused),
		TEST(test_attach_needs_the_rights_of_the_group_and_no_more),
		TEST(test_attach_sees_at_once_that_the_store_is_marked_as_replaced),
		TEST(test_attach_sees_at_once_that_it_has_mapped_too_few_slots),
		TEST(test_attach_sees_when_it_looks_that_the_store_was_moved),
		TEST(test_attach_sees_when_it_looks_that_data_were_put_in_its_place),
		TEST(test_attach_takes_a_daemons_new_start_for_the_same_store),
		TEST(test_attach_is_useless_to_a_forked_child_and_unharmed_by_it),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

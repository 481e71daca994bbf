#include "server/store/store.h"

#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/find.h"
#include "server/store/slots.h"
#include "tests/lib/child.h"
#include "tests/lib/draft.h"
#include "tests/lib/store_fixture.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOBODY       65534

static unsigned mode_of(const struct lk_fixture *fixture, const char *name)
{
	struct stat status = {0};
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	return stat(path, &status) == 0 ? status.st_mode & 07777u : 0;
}

static bool exists(const struct lk_fixture *fixture, const char *name)
{
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	return access(path, F_OK) == 0;
}

static void truncate_file(const struct lk_fixture *fixture, const char *name, off_t len)
{
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	assert_int_equal(truncate(path, len), 0);
}

static void remove_file(const struct lk_fixture *fixture, const char *name)
{
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	assert_int_equal(unlink(path), 0);
}

static void write_file(const struct lk_fixture *fixture, const char *name, off_t offset, const void *data, size_t len)
{
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	int file = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(pwrite(file, data, len, offset), len);
	close(file);
}

/* BLAKE2b-256 of a file's first bytes: enough of slots.mmap, and all of every other. */
static void digest_file(const struct lk_fixture *fixture, const char *name, uint8_t ret_digest[static LK_DIGEST_LEN])
{
	static uint8_t data[1 << 20];
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	int file = open(path, O_RDONLY);
	ssize_t len = read(file, data, sizeof data);
	close(file);
	assert_true(len >= 0);
	lk_digest(data, (size_t)len, ret_digest);
}

static void assert_refused(struct lk_fixture *fixture, enum lk_err expected, const char *file, const char *remedy)
{
	fixture->message[0] = '\0';
	enum lk_err err = lk_fixture_open(fixture);
	if (strstr(fixture->message, file) == NULL || strstr(fixture->message, remedy) == NULL) {
		fail_msg("\"%s\" says nothing of \"%s\" and \"%s\"", fixture->message, file, remedy);
	}
	assert_int_equal(strncmp(fixture->message, fixture->dir, strlen(fixture->dir)), 0);
	assert_null(strchr(fixture->message, '\n'));
	assert_null(fixture->store);
	assert_int_equal(err, expected);
}

static void assert_opens(struct lk_fixture *fixture)
{
	enum lk_err err = lk_fixture_open(fixture);

	if (err != LK_OK) {
		fail_msg("%s: %s", lk_err_name(err), fixture->message);
	}
}

static void make_and_close(struct lk_fixture *fixture)
{
	assert_opens(fixture);
	lk_fixture_close(fixture);
}

static void assert_modes(struct lk_fixture *fixture)
{
	assert_int_equal(mode_of(fixture, "."), 0750);
	assert_int_equal(mode_of(fixture, "data.mdb"), 0640);
	assert_int_equal(mode_of(fixture, "lock.mdb"), 0660);
	assert_int_equal(mode_of(fixture, "slots.mmap"), 0660);
	assert_int_equal(mode_of(fixture, "verify.key"), 0640);
	assert_int_equal(mode_of(fixture, "seal.key"), 0600);
	assert_int_equal(mode_of(fixture, "latchkeyd.pid"), 0640);
}

static void test_store_fresh_one_has_the_documented_modes(void **state)
{
	struct lk_fixture *fixture = *state;
	mode_t before = umask(022);

	enum lk_err err = lk_fixture_open(fixture);
	umask(before);
	assert_int_equal(err, LK_OK);
	assert_modes(fixture);
}

/* The modes are the store's, whatever the umask of whoever starts the daemon first. */
static void test_store_modes_do_not_depend_on_the_umask(void **state)
{
	struct lk_fixture *fixture = *state;
	mode_t before = umask(0077);

	enum lk_err err = lk_fixture_open(fixture);
	umask(before);
	assert_int_equal(err, LK_OK);
	assert_modes(fixture);
}

static void test_store_wide_open_umask_opens_nothing_wider(void **state)
{
	struct lk_fixture *fixture = *state;
	mode_t before = umask(0);

	enum lk_err err = lk_fixture_open(fixture);
	umask(before);
	assert_int_equal(err, LK_OK);
	assert_modes(fixture);
}

static void test_store_pid_file_names_this_process(void **state)
{
	struct lk_fixture *fixture = *state;
	char text[32] = "";
	char expected[32] = "";
	char path[256];

	/* A longer one, of a daemon before, leaves nothing behind. */
	assert_int_equal(mkdir(fixture->dir, 0750), 0);
	write_file(fixture, "latchkeyd.pid", 0, "99999999999999\n", 15);
	assert_opens(fixture);
	lk_fixture_path(fixture, "latchkeyd.pid", sizeof path, path);
	int file = open(path, O_RDONLY);
	assert_true(read(file, text, sizeof text - 1) > 0);
	close(file);
	(void)snprintf(expected, sizeof expected, "%ld\n", (long)getpid());
	assert_string_equal(text, expected);
}

static void test_store_new_one_has_the_system_tenant_and_its_keyspace(void **state)
{
	struct lk_fixture *fixture = *state;

	assert_opens(fixture);
	struct lk_txn *txn = lk_fixture_snapshot(fixture);
	Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, &fixture->arena, "system");
	assert_non_null(tenant);
	assert_true(tenant->create_us == LK_FIXTURE_TIME_US);
	Latchkey__Store__KeyspaceRecord *root = lk_find_keyspace(txn, &fixture->arena, tenant->number, "root");
	assert_non_null(root);
	assert_string_equal(root->policy->token_prefix, "lkr_");
	assert_true(root->policy->name_required);
	assert_int_equal(lk_txn_head(txn)->revision, 2);
	assert_int_equal(lk_txn_head(txn)->last_audit, 2);
}

static void test_store_reopened_is_as_it_was_left(void **state)
{
	struct lk_fixture *fixture = *state;
	uint8_t before[LK_DIGEST_LEN] = {0};
	uint8_t after[LK_DIGEST_LEN] = {0};
	struct lk_keyring keyring;

	assert_opens(fixture);
	uint32_t tenant = lk_fixture_tenant(fixture, "acme");
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, "prod");
	const Latchkey__Store__KeyRecord *key = lk_fixture_key(fixture, tenant, keyspace, "ci");
	assert_non_null(key);
	lk_slots_use(lk_store_slots(fixture->store), key->slot, 1234);
	keyring = *lk_store_keyring(fixture->store);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(fixture), before), LK_OK);
	lk_fixture_close(fixture);
	fixture->options.now_us++;
	assert_opens(fixture);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(fixture), after), LK_OK);
	assert_memory_equal(before, after, sizeof before);
	assert_memory_equal(&keyring, lk_store_keyring(fixture->store), sizeof keyring);
	struct lk_usage usage = lk_slots_usage(lk_store_slots(fixture->store), key->slot);
	assert_int_equal(usage.count, 1);
	assert_int_equal(usage.last_used_us, 1234);
}

static void test_store_directory_that_is_there_already_is_taken(void **state)
{
	struct lk_fixture *fixture = *state;

	assert_int_equal(mkdir(fixture->dir, 0700), 0);
	make_and_close(fixture);
	/* It is somebody's own choice to be stricter. */
	assert_int_equal(mode_of(fixture, "."), 0700);
}

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

static void test_store_second_process_is_told_who_holds_it(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_child child = {0};
	struct report report = {0};
	char pid[32];

	assert_true(lk_child_start(&child, open_when_told, fixture));
	assert_opens(fixture);
	assert_true(lk_child_tell(&child, "g", 1));
	assert_true(lk_child_hear(&child, &report, sizeof report));
	assert_int_equal(lk_child_wait(&child), 0);
	assert_int_equal(report.err, LK_HELD);
	(void)snprintf(pid, sizeof pid, " %ld ", (long)getpid());
	assert_non_null(strstr(report.message, pid));
	assert_non_null(strstr(report.message, fixture->dir));
	/* The one that holds it has not noticed. */
	assert_int_not_equal(lk_fixture_tenant(fixture, "acme"), 0);
}

static void test_store_second_open_in_one_process_is_refused_too(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_store *second = NULL;

	assert_opens(fixture);
	assert_int_equal(lk_store_open(&fixture->options, &second, fixture->message), LK_HELD);
	assert_null(second);
	assert_int_not_equal(lk_fixture_tenant(fixture, "acme"), 0);
}

static void test_store_that_was_closed_is_free_for_another_process(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_child child = {0};
	struct report report = {0};

	assert_true(lk_child_start(&child, open_when_told, fixture));
	make_and_close(fixture);
	assert_true(lk_child_tell(&child, "g", 1));
	assert_true(lk_child_hear(&child, &report, sizeof report));
	assert_int_equal(lk_child_wait(&child), 0);
	assert_int_equal(report.err, LK_OK);
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

	assert_opens(fixture);
	Latchkey__Store__StoreRecord *record = get_store_record(fixture);
	record->schema = LK_STORE_SCHEMA + 41;
	put_store_record(fixture, record);
	lk_fixture_close(fixture);
	for (size_t i = 0; i < COUNT(files); i++) {
		digest_file(fixture, files[i], before[i]);
	}
	assert_refused(fixture, LK_FAILED_PRECONDITION, "schema 42", "upgrade latchkeyd");
	for (size_t i = 0; i < COUNT(files); i++) {
		digest_file(fixture, files[i], after);
		assert_memory_equal(before[i], after, sizeof after);
	}
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
			assert_refused(fixture, LK_FAILED_PRECONDITION, "schema 2", "upgrade latchkeyd");
		}
	}
	assert_false(exists(fixture, "verify.key"));
	assert_false(exists(fixture, "slots.mmap"));
}

static void test_store_record_that_does_not_read_is_corrupt(void **state)
{
	struct lk_fixture *fixture = *state;

	assert_opens(fixture);
	Latchkey__Store__StoreRecord *record = get_store_record(fixture);
	record->store_id.len--;
	put_store_record(fixture, record);
	lk_fixture_close(fixture);
	assert_refused(fixture, LK_CORRUPT, "store's own record", "restore a backup");
}

static void test_store_data_that_is_no_lmdb_file_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	char garbage[8192];

	memset(garbage, 0x5a, sizeof garbage);
	assert_int_equal(mkdir(fixture->dir, 0750), 0);
	write_file(fixture, "data.mdb", 0, garbage, sizeof garbage);
	assert_refused(fixture, LK_CORRUPT, "data.mdb", "");
	assert_false(exists(fixture, "verify.key"));
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

	make_and_close(fixture);
	digest_file(fixture, "seal.key", before);
	remove_file(fixture, "data.mdb");
	remove_file(fixture, "lock.mdb");
	assert_int_equal(mdb_env_create(&env), 0);
	assert_int_equal(mdb_env_set_maxdbs(env, 32), 0);
	assert_int_equal(mdb_env_open(env, fixture->dir, 0, 0600), 0);
	assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
	for (size_t i = 0; i < LK_TABLE_COUNT / 2; i++) {
		assert_int_equal(mdb_dbi_open(txn, lk_tables[i].name, lk_tables[i].flags | MDB_CREATE, &dbi), 0);
	}
	assert_int_equal(mdb_txn_commit(txn), 0);
	mdb_env_close(env);
	assert_opens(fixture);
	assert_int_not_equal(lk_fixture_tenant(fixture, "acme"), 0);
	digest_file(fixture, "seal.key", after);
	assert_memory_equal(before, after, sizeof after);
	assert_modes(fixture);
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
		assert_opens(fixture);
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
	assert_refused(fixture, LK_IO, fixture->dir, "Not a directory");
}

static void test_store_without_a_directory_above_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	(void)snprintf(fixture->dir, sizeof fixture->dir, "%s/none/data", fixture->parent);
	assert_refused(fixture, LK_NOT_FOUND, fixture->dir, "No such file or directory");
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

static void test_store_without_its_slots_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	make_and_close(fixture);
	remove_file(fixture, "slots.mmap");
	assert_refused(fixture, LK_CORRUPT, "slots.mmap", "restore");
	assert_false(exists(fixture, "slots.mmap"));
}

static void test_store_with_slots_that_are_too_short_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	uint32_t tenant = 0;

	assert_opens(fixture);
	tenant = lk_fixture_tenant(fixture, "acme");
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, "prod");
	for (int i = 0; i < 3; i++) {
		assert_non_null(lk_fixture_key(fixture, tenant, keyspace, ""));
	}
	lk_fixture_close(fixture);
	static const off_t lengths[] = {4 * 64 - 1, 64, 63, 0};
	for (size_t i = 0; i < COUNT(lengths); i++) {
		truncate_file(fixture, "slots.mmap", lengths[i]);
		assert_refused(fixture, LK_CORRUPT, "slots.mmap", "restore");
	}
}

/* Just long enough is enough: a step more is made when it is needed. */
static void test_store_with_slots_cut_to_what_it_names_goes_on(void **state)
{
	struct lk_fixture *fixture = *state;

	assert_opens(fixture);
	uint32_t tenant = lk_fixture_tenant(fixture, "acme");
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, "prod");
	const Latchkey__Store__KeyRecord *first = lk_fixture_key(fixture, tenant, keyspace, "");
	assert_non_null(first);
	lk_slots_use(lk_store_slots(fixture->store), first->slot, 5);
	lk_fixture_close(fixture);
	truncate_file(fixture, "slots.mmap", 2 * 64);
	assert_opens(fixture);
	const Latchkey__Store__KeyRecord *second = lk_fixture_key(fixture, tenant, keyspace, "");
	assert_non_null(second);
	lk_slots_use(lk_store_slots(fixture->store), second->slot, 6);
	assert_int_equal(lk_slots_usage(lk_store_slots(fixture->store), first->slot).count, 1);
	assert_int_equal(lk_slots_usage(lk_store_slots(fixture->store), second->slot).count, 1);
}

static void test_store_with_another_stores_slots_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_fixture other;
	char from[256];
	char to[256];

	make_and_close(fixture);
	assert_int_equal(lk_fixture_init(&other), 0);
	make_and_close(&other);
	lk_fixture_path(&other, "slots.mmap", sizeof from, from);
	lk_fixture_path(fixture, "slots.mmap", sizeof to, to);
	assert_int_equal(rename(from, to), 0);
	lk_fixture_done(&other);
	assert_refused(fixture, LK_FAILED_PRECONDITION, "slots.mmap", "another store");
}

static void test_store_with_slots_that_are_none_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	make_and_close(fixture);
	write_file(fixture, "slots.mmap", 0, "latchkey", 8);
	assert_refused(fixture, LK_CORRUPT, "slots.mmap", "restore");
}

static void test_store_with_slots_of_a_newer_schema_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	make_and_close(fixture);
	write_file(fixture, "slots.mmap", 8, &(uint32_t){2}, sizeof(uint32_t));
	assert_refused(fixture, LK_FAILED_PRECONDITION, "slots.mmap", "upgrade");
}

static void test_store_with_fewer_slots_allowed_than_used_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	assert_opens(fixture);
	uint32_t tenant = lk_fixture_tenant(fixture, "acme");
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, "prod");
	for (int i = 0; i < 3; i++) {
		assert_non_null(lk_fixture_key(fixture, tenant, keyspace, ""));
	}
	lk_fixture_close(fixture);
	fixture->options.max_slots = 2;
	assert_refused(fixture, LK_FAILED_PRECONDITION, "slots.mmap", "max_slots");
	fixture->options.max_slots = 3;
	assert_opens(fixture);
}

static void test_store_tend_tells_where_the_chain_ends(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_store_state before = {0};
	struct lk_store_state after = {0};

	assert_opens(fixture);
	assert_int_equal(lk_store_tend(fixture->store, &before), LK_OK);
	assert_int_not_equal(lk_fixture_tenant(fixture, "acme"), 0);
	assert_int_equal(lk_store_tend(fixture->store, &after), LK_OK);
	assert_int_equal(after.revision, before.revision + 1);
	assert_int_equal(after.last_audit, before.last_audit + 1);
	assert_memory_not_equal(before.audit_hash, after.audit_hash, sizeof before.audit_hash);
	assert_int_equal(after.dead_readers, 0);
	const struct lk_head *head = lk_txn_head(lk_fixture_snapshot(fixture));
	assert_memory_equal(after.audit_hash, head->audit_hash, sizeof after.audit_hash);
}

/* Reads the environment as another process may, and is killed over it. */
static int read_until_killed(struct lk_child *parent, void *context)
{
	struct lk_fixture *fixture = context;
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;
	char go = 0;

	if (!lk_child_hear(parent, &go, 1) || mdb_env_create(&env) != 0 || mdb_env_set_maxreaders(env, 4096) != 0 ||
		mdb_env_open(env, fixture->dir, MDB_RDONLY | MDB_NOTLS, 0) != 0 ||
		mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0) {
		return 1;
	}
	(void)lk_child_tell(parent, "r", 1);
	(void)lk_child_hear(parent, &go, 1);
	return 0;
}

static void test_store_tend_frees_what_a_dead_reader_held(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_store_state found = {0};
	struct lk_child child = {0};
	char ready = 0;

	assert_true(lk_child_start(&child, read_until_killed, fixture));
	assert_opens(fixture);
	assert_true(lk_child_tell(&child, "g", 1));
	assert_true(lk_child_hear(&child, &ready, 1));
	assert_int_equal(lk_store_tend(fixture->store, &found), LK_OK);
	assert_int_equal(found.dead_readers, 0);
	lk_child_kill(&child);
	assert_int_equal(lk_store_tend(fixture->store, &found), LK_OK);
	assert_int_equal(found.dead_readers, 1);
	assert_int_equal(lk_store_tend(fixture->store, &found), LK_OK);
	assert_int_equal(found.dead_readers, 0);
}

static void test_store_close_takes_none(void **state)
{
	(void)state;
	lk_store_close(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup_closed, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_store_fresh_one_has_the_documented_modes),
		TEST(test_store_modes_do_not_depend_on_the_umask),
		TEST(test_store_wide_open_umask_opens_nothing_wider),
		TEST(test_store_pid_file_names_this_process),
		TEST(test_store_new_one_has_the_system_tenant_and_its_keyspace),
		TEST(test_store_reopened_is_as_it_was_left),
		TEST(test_store_directory_that_is_there_already_is_taken),
		TEST(test_store_second_process_is_told_who_holds_it),
		TEST(test_store_second_open_in_one_process_is_refused_too),
		TEST(test_store_that_was_closed_is_free_for_another_process),
		TEST(test_store_of_a_newer_schema_is_refused_and_left_alone),
		TEST(test_store_of_a_newer_schema_gets_no_tables_of_ours),
		TEST(test_store_record_that_does_not_read_is_corrupt),
		TEST(test_store_data_that_is_no_lmdb_file_is_refused),
		TEST(test_store_half_made_one_opens_as_new),
		TEST(test_store_killed_or_failing_anywhere_in_its_making_opens_later),
		TEST(test_store_pid_file_that_could_not_be_written_whole_is_a_failure),
		TEST(test_store_path_that_is_no_directory_is_named),
		TEST(test_store_without_a_directory_above_is_refused),
		TEST(test_store_where_nothing_may_be_written_is_named),
		TEST(test_store_message_about_a_long_path_still_says_what_is_wrong),
		TEST(test_store_without_its_slots_is_refused),
		TEST(test_store_with_slots_that_are_too_short_is_refused),
		TEST(test_store_with_slots_cut_to_what_it_names_goes_on),
		TEST(test_store_with_another_stores_slots_is_refused),
		TEST(test_store_with_slots_that_are_none_is_refused),
		TEST(test_store_with_slots_of_a_newer_schema_is_refused),
		TEST(test_store_with_fewer_slots_allowed_than_used_is_refused),
		TEST(test_store_tend_tells_where_the_chain_ends),
		TEST(test_store_tend_frees_what_a_dead_reader_held),
		TEST(test_store_close_takes_none),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

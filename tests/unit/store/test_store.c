#include "server/store/store.h"

#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/find.h"
#include "server/store/slots.h"
#include "tests/lib/child.h"
#include "tests/lib/store_fixture.h"
#include "tests/unit/store/files.h"
#include <cmocka.h>

static void test_store_fresh_one_has_the_documented_modes(void **state)
{
	struct lk_fixture *fixture = *state;
	mode_t before = umask(022);

	enum lk_err err = lk_fixture_open(fixture);
	umask(before);
	assert_int_equal(err, LK_OK);
	files_assert_modes(fixture);
}

/* The modes are the store's, whatever the umask of whoever starts the daemon first. */
static void test_store_modes_do_not_depend_on_the_umask(void **state)
{
	struct lk_fixture *fixture = *state;
	mode_t before = umask(0077);

	enum lk_err err = lk_fixture_open(fixture);
	umask(before);
	assert_int_equal(err, LK_OK);
	files_assert_modes(fixture);
}

static void test_store_wide_open_umask_opens_nothing_wider(void **state)
{
	struct lk_fixture *fixture = *state;
	mode_t before = umask(0);

	enum lk_err err = lk_fixture_open(fixture);
	umask(before);
	assert_int_equal(err, LK_OK);
	files_assert_modes(fixture);
}

static void test_store_pid_file_names_this_process(void **state)
{
	struct lk_fixture *fixture = *state;
	char text[32] = "";
	char expected[32] = "";
	char path[256];

	/* A longer one, of a daemon before, leaves nothing behind. */
	assert_int_equal(mkdir(fixture->dir, 0750), 0);
	files_write(fixture, "latchkeyd.pid", 0, "99999999999999\n", 15);
	files_assert_opens(fixture);
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

	files_assert_opens(fixture);
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

	files_assert_opens(fixture);
	uint32_t tenant = lk_fixture_tenant(fixture, "acme");
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, "prod");
	const Latchkey__Store__KeyRecord *key = lk_fixture_key(fixture, tenant, keyspace, "ci");
	assert_non_null(key);
	lk_slots_use(lk_store_slots(fixture->store), key->slot, 1234);
	keyring = *lk_store_keyring(fixture->store);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(fixture), before), LK_OK);
	lk_fixture_close(fixture);
	fixture->options.now_us++;
	files_assert_opens(fixture);
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
	files_make_and_close(fixture);
	/* It is somebody's own choice to be stricter. */
	assert_int_equal(files_mode(fixture, "."), 0700);
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
	files_assert_opens(fixture);
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

	files_assert_opens(fixture);
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
	files_make_and_close(fixture);
	assert_true(lk_child_tell(&child, "g", 1));
	assert_true(lk_child_hear(&child, &report, sizeof report));
	assert_int_equal(lk_child_wait(&child), 0);
	assert_int_equal(report.err, LK_OK);
}

static void test_store_tend_tells_where_the_chain_ends(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_store_state before = {0};
	struct lk_store_state after = {0};

	files_assert_opens(fixture);
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
	files_assert_opens(fixture);
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
		TEST(test_store_tend_tells_where_the_chain_ends),
		TEST(test_store_tend_frees_what_a_dead_reader_held),
		TEST(test_store_close_takes_none),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}

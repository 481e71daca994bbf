#include <latchkey/local.h>

#include <fcntl.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/attach.h"
#include "server/store/find.h"
#include "tests/lib/draft.h"
#include "tests/unit/local/local_fixture.h"
#include <cmocka.h>

#define CHANGES 5

static void file_path(const struct local *local, const char *name, char path[static 256])
{
	lk_fixture_path(&local->store, name, 256, path);
}

/* Another file of the same bytes, under another name. */
static void copy(const struct local *local, const char *from, const char *to)
{
	char path[256];
	char buffer[4096];

	file_path(local, from, path);
	int in = open(path, O_RDONLY | O_CLOEXEC);
	file_path(local, to, path);
	int out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0660);
	assert_true(in >= 0 && out >= 0);
	for (ssize_t len = read(in, buffer, sizeof buffer); len != 0; len = read(in, buffer, sizeof buffer)) {
		assert_true(len > 0);
		assert_int_equal(write(out, buffer, (size_t)len), len);
	}
	close(in);
	close(out);
}

static void put_in_place(const struct local *local, const char *from, const char *to)
{
	char from_path[256];
	char to_path[256];

	file_path(local, from, from_path);
	file_path(local, to, to_path);
	assert_int_equal(rename(from_path, to_path), 0);
}

static bool rewrite_key(struct local *local, Latchkey__Store__StoredState as)
{
	struct lk_txn *txn = lk_fixture_snapshot(&local->store);
	Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(txn, &local->store.arena, local->slot);
	Latchkey__Store__Change *change = lk_draft_new(&local->store.arena);

	key->state = as;
	lk_draft_put_key_again(&local->store.arena, change, key);
	return lk_fixture_apply(&local->store, change) == LK_OK;
}

static bool revoke_it(struct local *local)
{
	return rewrite_key(local, LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED);
}

static bool change_nothing(struct local *local)
{
	(void)local;
	return true;
}

static bool change_often(struct local *local)
{
	for (int i = 0; i < CHANGES; i++) {
		if (!rewrite_key(local, LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE)) {
			return false;
		}
	}
	return true;
}

static void assert_gone(struct local *local)
{
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(UNSPECIFIED));
	assert_non_null(strstr(local->call.message, "open it anew"));
}

/* In a file that has no name any more, a verifier would find the same state for ever, and the daemon would not know of it. */
static void test_files_of_readers_that_are_made_anew_are_seen_at_once(void **state)
{
	struct local *local = *state;
	char path[256];

	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
	file_path(local, "lock.mdb", path);
	assert_int_equal(unlink(path), 0);
	local_change(local, revoke_it);
	assert_gone(local);
	local_close(local);
	local_open(local);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(REVOKED));
}

static void test_files_of_data_that_are_replaced_are_seen_at_once(void **state)
{
	struct local *local = *state;

	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
	copy(local, "data.mdb", "copy");
	put_in_place(local, "copy", "data.mdb");
	local_change(local, revoke_it);
	assert_gone(local);
	local_close(local);
	local_open(local);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(REVOKED));
}

/* Nobody starts between: it is seen within a second. The loop ends when it is, and the test's time limit where it never is. */
static void test_files_that_are_replaced_are_seen_without_a_daemon(void **state)
{
	static const char *const files[] = {"data.mdb", "lock.mdb", "slots.mmap", "denials.mmap", "gates.mmap"};
	struct local *local = *state;

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		copy(local, files[i], "copy");
		put_in_place(local, "copy", files[i]);
		while (local_verdict(local, LOCAL_TOKEN) == VERDICT(VALID)) {
		}
		assert_gone(local);
		local_close(local);
		/* Nobody has the others' file open now. */
		local_open(local);
	}
}

/*
 * LMDB takes the newest state's number from lock.mdb as long as anybody has that open: with the data of another time it would read
 * an older state than is there, and write new ones that it would later take for older.
 */
static void test_files_of_an_older_time_wait_until_verifiers_have_ended(void **state)
{
	struct local *local = *state;
	/* Under ThreadSanitizer a child has no addresses for another 1 TiB. */
	struct lk_store_options options = {.dir = local->store.dir, .map_size = (size_t)1 << 30};
	struct lk_store *store = NULL;
	int status = 0;

	local_change(local, change_often);
	copy(local, "data.mdb", "copy");
	local_change(local, change_often);
	put_in_place(local, "copy", "data.mdb");
	pid_t daemon = fork();
	if (daemon == 0) {
		bool refused = lk_fixture_open(&local->store) == LK_FAILED_PRECONDITION &&
			       strstr(local->store.message, "in-process") != NULL;
		_exit(refused ? 0 : 1);
	}
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	assert_int_equal(status, 0);
	daemon = fork();
	if (daemon == 0) {
		enum lk_err err = lk_store_attach(&options, &store, local->store.message);
		_exit(err == LK_FAILED_PRECONDITION && strstr(local->store.message, "in-process") != NULL ? 0 : 1);
	}
	assert_int_equal(waitpid(daemon, &status, 0), daemon);
	assert_int_equal(status, 0);
	local_close(local);
	local_change(local, change_nothing);
	local_open(local);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
	local_change(local, revoke_it);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(REVOKED));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, local_setup, local_teardown)
		TEST(test_files_of_readers_that_are_made_anew_are_seen_at_once),
		TEST(test_files_of_data_that_are_replaced_are_seen_at_once),
		TEST(test_files_that_are_replaced_are_seen_without_a_daemon),
		TEST(test_files_of_an_older_time_wait_until_verifiers_have_ended),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

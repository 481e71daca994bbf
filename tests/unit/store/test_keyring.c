#include "server/store/keyring.h"

#include <fcntl.h>
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

#include "tests/lib/child.h"
#include "tests/lib/store_fixture.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = {"verify.key", "seal.key"};

static void write_bytes(const char *path, size_t len, mode_t mode)
{
	static const uint8_t bytes[64] = {1, 2, 3};
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(file >= 0);
	assert_int_equal(write(file, bytes, len), len);
	assert_int_equal(fchmod(file, mode), 0);
	close(file);
}

static bool exists(const char *path)
{
	struct stat status = {0};

	return lstat(path, &status) == 0;
}

static void assert_refused(struct lk_fixture *fixture, const char *name, const char *remedy)
{
	fixture->message[0] = '\0';
	assert_int_equal(lk_fixture_open(fixture), LK_FAILED_PRECONDITION);
	assert_null(fixture->store);
	if (strstr(fixture->message, name) == NULL || strstr(fixture->message, remedy) == NULL ||
		strstr(fixture->message, fixture->dir) == NULL) {
		fail_msg("\"%s\" says nothing of \"%s\" and \"%s\"", fixture->message, name, remedy);
	}
}

static void test_keyring_missing_file_is_never_made_beside_a_store(void **state)
{
	struct lk_fixture *fixture = *state;
	char path[256];
	char aside[256];

	lk_fixture_close(fixture);
	lk_fixture_path(fixture, "aside", sizeof aside, aside);
	for (size_t i = 0; i < COUNT(names); i++) {
		lk_fixture_path(fixture, names[i], sizeof path, path);
		assert_int_equal(rename(path, aside), 0);
		assert_refused(fixture, names[i], "missing");
		assert_false(exists(path));
		assert_int_equal(rename(aside, path), 0);
	}
	assert_int_equal(lk_fixture_open(fixture), LK_OK);
}

static void test_keyring_file_of_another_length_is_refused(void **state)
{
	static const size_t lengths[] = {0, 1, 31, 33, 64};
	struct lk_fixture *fixture = *state;
	char path[256];

	lk_fixture_close(fixture);
	for (size_t i = 0; i < COUNT(lengths); i++) {
		lk_fixture_path(fixture, "verify.key", sizeof path, path);
		write_bytes(path, lengths[i], 0640);
		assert_refused(fixture, "verify.key", "exactly 32 bytes");
	}
}

static void test_keyring_wrong_key_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	char path[256];
	char aside[256];

	lk_fixture_close(fixture);
	lk_fixture_path(fixture, "aside", sizeof aside, aside);
	for (size_t i = 0; i < COUNT(names); i++) {
		lk_fixture_path(fixture, names[i], sizeof path, path);
		assert_int_equal(rename(path, aside), 0);
		write_bytes(path, LK_SECRET_KEY_LEN, 0600);
		assert_refused(fixture, names[i], "not the key that this store was made with");
		assert_int_equal(rename(aside, path), 0);
	}
	assert_int_equal(lk_fixture_open(fixture), LK_OK);
}

/* The two keys are not each other's. */
static void test_keyring_swapped_keys_are_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	char verify[256];
	char seal[256];
	char aside[256];

	lk_fixture_close(fixture);
	lk_fixture_path(fixture, "verify.key", sizeof verify, verify);
	lk_fixture_path(fixture, "seal.key", sizeof seal, seal);
	lk_fixture_path(fixture, "aside", sizeof aside, aside);
	assert_int_equal(rename(verify, aside) | rename(seal, verify) | rename(aside, seal), 0);
	assert_int_equal(chmod(seal, 0600), 0);
	assert_refused(fixture, "verify.key", "not the key");
}

static void test_keyring_file_that_others_may_read_is_refused(void **state)
{
	static const struct {
		const char *name;
		mode_t mode;
		const char *remedy;
	} cases[] = {
		{"verify.key", 0644, "0644 lets others read or change it: chmod 0640"},
		{"verify.key", 0660, "chmod 0640"},
		{"verify.key", 0642, "chmod 0640"},
		{"verify.key", 0641, "chmod 0640"},
		{"seal.key", 0640, "0640 lets others read or change it: chmod 0600"},
		{"seal.key", 0604, "chmod 0600"},
		{"seal.key", 0620, "chmod 0600"},
	};
	struct lk_fixture *fixture = *state;
	char path[256];

	lk_fixture_close(fixture);
	for (size_t i = 0; i < COUNT(cases); i++) {
		lk_fixture_path(fixture, cases[i].name, sizeof path, path);
		assert_int_equal(chmod(path, cases[i].mode), 0);
		assert_refused(fixture, cases[i].name, cases[i].remedy);
		assert_int_equal(chmod(path, 0600), 0);
	}
	lk_fixture_path(fixture, "verify.key", sizeof path, path);
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(lk_fixture_open(fixture), LK_OK);
}

/* A link would let whoever owns its target change the key. */
static void test_keyring_symbolic_link_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	char path[256];
	char aside[256];

	lk_fixture_close(fixture);
	lk_fixture_path(fixture, "seal.key", sizeof path, path);
	lk_fixture_path(fixture, "aside", sizeof aside, aside);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(symlink(aside, path), 0);
	assert_int_not_equal(lk_fixture_open(fixture), LK_OK);
	assert_non_null(strstr(fixture->message, "seal.key"));
}

static void test_keyring_two_stores_have_different_keys(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_fixture other;

	assert_int_equal(lk_fixture_init(&other), 0);
	assert_int_equal(lk_fixture_open(&other), LK_OK);
	struct lk_keyring mine = *lk_store_keyring(fixture->store);
	struct lk_keyring others = *lk_store_keyring(other.store);
	lk_fixture_done(&other);
	assert_memory_not_equal(mine.verify_key, others.verify_key, LK_SECRET_KEY_LEN);
	assert_memory_not_equal(mine.seal_key, others.seal_key, LK_SECRET_KEY_LEN);
	assert_memory_not_equal(mine.verify_key, mine.seal_key, LK_SECRET_KEY_LEN);
	assert_false(sodium_is_zero(mine.verify_key, LK_SECRET_KEY_LEN));
	sodium_memzero(&mine, sizeof mine);
	sodium_memzero(&others, sizeof others);
}

/* Where a store's making was cut off, its keys may be there already: they are kept, for something may be sealed with them. */
static void test_keyring_keys_without_a_store_are_taken(void **state)
{
	struct lk_fixture *fixture = *state;
	char path[256];

	assert_int_equal(mkdir(fixture->dir, 0750), 0);
	lk_fixture_path(fixture, "seal.key", sizeof path, path);
	write_bytes(path, LK_SECRET_KEY_LEN, 0600);
	assert_int_equal(lk_fixture_open(fixture), LK_OK);
	assert_memory_equal(lk_store_keyring(fixture->store)->seal_key, "\1\2\3\0", 4);
	assert_memory_not_equal(lk_store_keyring(fixture->store)->verify_key, "\1\2\3\0", 4);
}

static int make_within_limit(struct lk_child *parent, void *context)
{
	struct rlimit limit = {0};
	struct lk_keyring *keyring = NULL;
	char message[LK_STORE_MESSAGE_LEN];

	if (!lk_child_hear(parent, &limit, sizeof limit) || signal(SIGXFSZ, SIG_IGN) == SIG_ERR ||
		setrlimit(RLIMIT_FSIZE, &limit) != 0) {
		return 100;
	}
	return (int)lk_keyring_load(*(int *)context, true, &keyring, message);
}

/* A write that is cut short, as by a full disk, fails, and leaves nothing that stands in the way of the next attempt. */
static void test_keyring_key_that_could_not_be_written_whole_is_made_later(void **state)
{
	static const rlim_t limits[] = {0, 1, 31};
	struct lk_fixture *fixture = *state;
	struct lk_keyring *keyring = NULL;
	char path[256];

	assert_int_equal(mkdir(fixture->dir, 0750), 0);
	int dir = open(fixture->dir, O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < COUNT(limits); i++) {
		struct rlimit limit = {.rlim_cur = limits[i], .rlim_max = limits[i]};
		struct lk_child child = {0};
		assert_true(lk_child_start(&child, make_within_limit, &dir));
		assert_true(lk_child_tell(&child, &limit, sizeof limit));
		assert_int_equal(lk_child_wait(&child), LK_FULL);
		lk_fixture_path(fixture, "verify.key", sizeof path, path);
		assert_false(exists(path));
	}
	/* What a crash in the middle leaves. */
	lk_fixture_path(fixture, "verify.key.new", sizeof path, path);
	write_bytes(path, 7, 0666);
	enum lk_err err = lk_keyring_load(dir, true, &keyring, fixture->message);
	close(dir);
	lk_keyring_free(keyring);
	assert_int_equal(err, LK_OK);
	assert_false(exists(path));
	assert_int_equal(lk_fixture_open(fixture), LK_OK);
}

static int setup_credentials(void **state)
{
	if (lk_fixture_setup_closed(state) != 0) {
		return -1;
	}
	struct lk_fixture *fixture = *state;
	return setenv("CREDENTIALS_DIRECTORY", fixture->parent, 1);
}

static int teardown_credentials(void **state)
{
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	return lk_fixture_teardown(state);
}

static void credential_path(const struct lk_fixture *fixture, const char *name, char *ret_path, size_t size)
{
	(void)snprintf(ret_path, size, "%s/%s", fixture->parent, name);
}

static void test_keyring_credential_of_systemd_wins(void **state)
{
	struct lk_fixture *fixture = *state;
	char path[256];

	/* systemd's own mode for them. */
	credential_path(fixture, "seal.key", path, sizeof path);
	write_bytes(path, LK_SECRET_KEY_LEN, 0444);
	assert_int_equal(lk_fixture_open(fixture), LK_OK);
	assert_memory_equal(lk_store_keyring(fixture->store)->seal_key, "\1\2\3\0", 4);
	lk_fixture_path(fixture, "seal.key", sizeof path, path);
	assert_false(exists(path));
	lk_fixture_path(fixture, "verify.key", sizeof path, path);
	assert_true(exists(path));
	lk_fixture_close(fixture);
	(void)unsetenv("CREDENTIALS_DIRECTORY");
	assert_refused(fixture, "seal.key", "missing");
}

static void test_keyring_credential_of_a_wrong_length_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	char path[256];

	credential_path(fixture, "verify.key", path, sizeof path);
	write_bytes(path, LK_SECRET_KEY_LEN - 1, 0444);
	assert_refused(fixture, "verify.key", "exactly 32 bytes");
	lk_fixture_path(fixture, "verify.key", sizeof path, path);
	assert_false(exists(path));
}

/* Not passed over: a store would be made with a key that the operator did not mean. */
static void test_keyring_credential_that_cannot_be_read_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	char path[256];

	credential_path(fixture, "verify.key", path, sizeof path);
	assert_int_equal(symlink("verify.key", path), 0);
	assert_int_not_equal(lk_fixture_open(fixture), LK_OK);
	assert_non_null(strstr(fixture->message, "verify.key: Too many levels of symbolic links"));
	lk_fixture_path(fixture, "verify.key", sizeof path, path);
	assert_false(exists(path));
}

#define TEST(name)   cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)
#define CLOSED(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup_closed, lk_fixture_teardown)
#define HANDED(name) cmocka_unit_test_setup_teardown(name, setup_credentials, teardown_credentials)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_keyring_missing_file_is_never_made_beside_a_store),
		TEST(test_keyring_file_of_another_length_is_refused),
		TEST(test_keyring_wrong_key_is_refused),
		TEST(test_keyring_swapped_keys_are_refused),
		TEST(test_keyring_file_that_others_may_read_is_refused),
		TEST(test_keyring_symbolic_link_is_refused),
		TEST(test_keyring_two_stores_have_different_keys),
		CLOSED(test_keyring_keys_without_a_store_are_taken),
		CLOSED(test_keyring_key_that_could_not_be_written_whole_is_made_later),
		HANDED(test_keyring_credential_of_systemd_wins),
		HANDED(test_keyring_credential_of_a_wrong_length_is_refused),
		HANDED(test_keyring_credential_that_cannot_be_read_is_refused),
	};

	return cmocka_run_group_tests_name("store keyring", tests, NULL, NULL);
}

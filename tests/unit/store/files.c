#include "tests/unit/store/files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

unsigned files_mode(const struct lk_fixture *fixture, const char *name)
{
	struct stat status = {0};
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	return stat(path, &status) == 0 ? status.st_mode & 07777u : 0;
}

bool files_exists(const struct lk_fixture *fixture, const char *name)
{
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	return access(path, F_OK) == 0;
}

void files_truncate(const struct lk_fixture *fixture, const char *name, off_t len)
{
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	assert_int_equal(truncate(path, len), 0);
}

void files_remove(const struct lk_fixture *fixture, const char *name)
{
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	assert_int_equal(unlink(path), 0);
}

void files_write(const struct lk_fixture *fixture, const char *name, off_t offset, const void *data, size_t len)
{
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	int file = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(pwrite(file, data, len, offset), len);
	close(file);
}

void files_digest(const struct lk_fixture *fixture, const char *name, uint8_t ret_digest[static LK_DIGEST_LEN])
{
	static uint8_t data[1 << 20];
	char path[256];

	lk_fixture_path(fixture, name, sizeof path, path);
	int file = open(path, O_RDONLY);
	ssize_t len = read(file, data, sizeof data);
	close(file);
	assert_true(len >= 0);
	assert_int_equal(crypto_generichash(ret_digest, LK_DIGEST_LEN, data, (size_t)len, NULL, 0), 0);
}

void files_assert_refused(struct lk_fixture *fixture, enum lk_err expected, const char *file, const char *remedy)
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

void files_assert_opens(struct lk_fixture *fixture)
{
	enum lk_err err = lk_fixture_open(fixture);

	if (err != LK_OK) {
		fail_msg("%s: %s", lk_err_name(err), fixture->message);
	}
}

void files_make_and_close(struct lk_fixture *fixture)
{
	files_assert_opens(fixture);
	lk_fixture_close(fixture);
}

void files_assert_modes(struct lk_fixture *fixture)
{
	assert_int_equal(files_mode(fixture, "."), 0750);
	assert_int_equal(files_mode(fixture, "data.mdb"), 0640);
	assert_int_equal(files_mode(fixture, "lock.mdb"), 0660);
	assert_int_equal(files_mode(fixture, "slots.mmap"), 0660);
	assert_int_equal(files_mode(fixture, "denials.mmap"), 0660);
	assert_int_equal(files_mode(fixture, "gates.mmap"), 0660);
	assert_int_equal(files_mode(fixture, "verify.key"), 0640);
	assert_int_equal(files_mode(fixture, "seal.key"), 0600);
	assert_int_equal(files_mode(fixture, "latchkeyd.pid"), 0640);
}

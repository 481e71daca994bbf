#include "server/store/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/error.h"

struct key_file {
	const char *name;
	mode_t mode;
	/* The permissions that would let somebody read it who must not. */
	mode_t forbidden;
	size_t offset;
};

/* Members of the daemon's group may digest a token, and so verify in-process; only the daemon may unseal. */
static const struct key_file key_files[] = {
	/* First: load_keys() may be told to load it alone. */
	{"verify.key", 0640, 0037, offsetof(struct lk_keyring, verify_key)},
	{"seal.key", 0600, 0077, offsetof(struct lk_keyring, seal_key)},
};

static enum lk_err complain(char *message, enum lk_err err, const char *name, const char *what)
{
	(void)snprintf(message, LK_STORE_MESSAGE_LEN, "%s: %s", name, what);
	return err;
}

static enum lk_err read_key(int file, const struct key_file *kind, uint8_t *ret_key, char *message)
{
	struct stat status = {0};
	uint8_t extra = 0;

	if (fstat(file, &status) != 0) {
		return complain(message, LK_IO, kind->name, strerror(errno));
	}
	if ((status.st_mode & kind->forbidden) != 0) {
		char what[128] = "";
		(void)snprintf(what, sizeof what, "its mode %04o lets others read or change it: chmod %04o",
			(unsigned)(status.st_mode & 07777), (unsigned)kind->mode);
		return complain(message, LK_FAILED_PRECONDITION, kind->name, what);
	}
	ssize_t len = read(file, ret_key, LK_SECRET_KEY_LEN);
	if (len < 0) {
		return complain(message, lk_err_from_errno(errno), kind->name, strerror(errno));
	}
	if (len != LK_SECRET_KEY_LEN || read(file, &extra, 1) != 0) {
		return complain(message, LK_FAILED_PRECONDITION, kind->name,
			"not a key file: it must have exactly 32 bytes; restore it from a backup");
	}
	return LK_OK;
}

/* False with errno. A short write to a file is a disk that is full. */
static bool write_key(int file, const struct key_file *kind, const uint8_t *key)
{
	if (fchmod(file, kind->mode) != 0) {
		return false;
	}
	ssize_t len = write(file, key, LK_SECRET_KEY_LEN);
	if (len >= 0 && len < LK_SECRET_KEY_LEN) {
		errno = ENOSPC;
	}
	return len == LK_SECRET_KEY_LEN && fsync(file) == 0;
}

/*
 * It gets its name once it is whole and on the disk: a crash or a full disk leaves no part of a key, which every later start
 * would refuse.
 */
static enum lk_err make_key(int dir, const struct key_file *kind, uint8_t *ret_key, char *message)
{
	char draft[32] = "";
	enum lk_err err = LK_OK;

	(void)snprintf(draft, sizeof draft, "%s.new", kind->name);
	(void)unlinkat(dir, draft, 0);
	int file = openat(dir, draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0) {
		return complain(message, lk_err_from_errno(errno), draft, strerror(errno));
	}
	randombytes_buf(ret_key, LK_SECRET_KEY_LEN);
	if (!write_key(file, kind, ret_key) || renameat(dir, draft, dir, kind->name) != 0 || fsync(dir) != 0) {
		err = complain(message, lk_err_from_errno(errno), kind->name, strerror(errno));
		(void)unlinkat(dir, draft, 0);
	}
	close(file);
	return err;
}

/* A key that systemd hands over wins; it is protected by systemd, and its mode is systemd's. -1 with errno. */
static int open_credential(const char *name)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	char path[4096] = "";

	if (credentials == NULL) {
		errno = ENOENT;
		return -1;
	}
	if (snprintf(path, sizeof path, "%s/%s", credentials, name) >= (int)sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(path, O_RDONLY | O_CLOEXEC);
}

static enum lk_err load_key(int dir, bool make, const struct key_file *kind, uint8_t *ret_key, char *message)
{
	struct key_file handed_over = {.name = kind->name, .mode = kind->mode};
	int file = open_credential(kind->name);

	/* One that is there and cannot be read is not passed over: a new store would be made with another key. */
	if (file >= 0) {
		kind = &handed_over;
	} else if (errno == ENOENT) {
		file = openat(dir, kind->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (file < 0 && errno == ENOENT) {
		if (make) {
			return make_key(dir, kind, ret_key, message);
		}
		return complain(message, LK_FAILED_PRECONDITION, kind->name,
			"missing beside a store that was made with it: restore it from a backup");
	}
	if (file < 0) {
		return complain(message, lk_err_from_errno(errno), kind->name, strerror(errno));
	}
	enum lk_err err = read_key(file, kind, ret_key, message);
	close(file);
	return err;
}

/* Loads the first `count` of key_files. */
static enum lk_err load_keys(int dir, bool make, size_t count, struct lk_keyring **ret_keyring, char *ret_message)
{
	struct lk_keyring *keyring = sodium_malloc(sizeof *keyring);

	if (keyring == NULL) {
		return complain(ret_message, LK_NO_MEMORY, "the keyring", "no locked memory: raise RLIMIT_MEMLOCK");
	}
	sodium_memzero(keyring, sizeof *keyring);
	for (size_t i = 0; i < count; i++) {
		uint8_t *key = (uint8_t *)keyring + key_files[i].offset;
		enum lk_err err = load_key(dir, make, &key_files[i], key, ret_message);
		if (err != LK_OK) {
			lk_keyring_free(keyring);
			return err;
		}
	}
	(void)sodium_mprotect_readonly(keyring);
	*ret_keyring = keyring;
	return LK_OK;
}

enum lk_err lk_keyring_load(
	int dir, bool make, struct lk_keyring **ret_keyring, char ret_message[static LK_STORE_MESSAGE_LEN])
{
	return load_keys(dir, make, sizeof key_files / sizeof key_files[0], ret_keyring, ret_message);
}

enum lk_err lk_keyring_load_verify_key(
	int dir, struct lk_keyring **ret_keyring, char ret_message[static LK_STORE_MESSAGE_LEN])
{
	return load_keys(dir, false, 1, ret_keyring, ret_message);
}

void lk_keyring_free(struct lk_keyring *keyring)
{
	/* Wipes first; takes NULL. */
	sodium_free(keyring);
}

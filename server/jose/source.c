#include "server/jose/source.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/jose/fetch.h"

static enum lk_err complain(char *ret_why, enum lk_err err, const char *path, const char *what)
{
	(void)snprintf(ret_why, LK_SOURCE_WHY_LEN, "%s: %s", path, what);
	return err;
}

/* As complain(). What a URL asks for, behind its ?, may be a credential. */
static enum lk_err complain_of_source(
	char *ret_why, enum lk_err err, const struct lk_issuer_config *config, const char *what)
{
	if (config->jwks_file != NULL) {
		return complain(ret_why, err, config->jwks_file, what);
	}
	(void)snprintf(
		ret_why, LK_SOURCE_WHY_LEN, "%.*s: %s", (int)strcspn(config->jwks_url, "?"), config->jwks_url, what);
	return err;
}

/* One byte more than a document may have is room enough to see that it has more. */
static enum lk_err read_all(int file, const char *path, char **ret_text, size_t *ret_len, char *ret_why)
{
	char *text = malloc(LK_FETCH_BODY_MAX + 1);
	size_t len = 0;
	ssize_t got = 1;

	if (text == NULL) {
		return LK_NO_MEMORY;
	}
	while (got > 0 && len <= LK_FETCH_BODY_MAX) {
		got = read(file, text + len, LK_FETCH_BODY_MAX + 1 - len);
		len += got > 0 ? (size_t)got : 0;
	}
	if (got < 0 || len > LK_FETCH_BODY_MAX) {
		enum lk_err err = got < 0 ? complain(ret_why, LK_UNAVAILABLE, path, strerror(errno))
					  : complain(ret_why, LK_FAILED_PRECONDITION, path, "it has more than 1 MiB");
		sodium_memzero(text, len);
		free(text);
		return err;
	}
	*ret_text = text;
	*ret_len = len;
	return LK_OK;
}

static enum lk_err read_file(const char *path, struct stat *ret_status, char **ret_text, size_t *ret_len, char *ret_why)
{
	/* A pipe in its place must not hang the daemon. */
	int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (file < 0) {
		return complain(ret_why, LK_UNAVAILABLE, path, strerror(errno));
	}
	enum lk_err err = LK_OK;
	if (fstat(file, ret_status) != 0) {
		err = complain(ret_why, LK_UNAVAILABLE, path, strerror(errno));
	} else if (!S_ISREG(ret_status->st_mode)) {
		err = complain(ret_why, LK_FAILED_PRECONDITION, path, "it is no file");
	} else if ((ret_status->st_mode & S_IWOTH) != 0) {
		err = complain(ret_why, LK_FAILED_PRECONDITION, path,
			"anybody may write it, and so make callers: chmod o-w it");
	} else {
		err = read_all(file, path, ret_text, ret_len, ret_why);
	}
	close(file);
	return err;
}

static enum lk_err get(const struct lk_issuer_config *config, const atomic_bool *stop, struct stat *ret_status,
	char **ret_text, size_t *ret_len, char *ret_why)
{
	char why[LK_FETCH_WHY_LEN] = "";

	if (config->jwks_file != NULL) {
		return read_file(config->jwks_file, ret_status, ret_text, ret_len, ret_why);
	}
	enum lk_err err = lk_fetch(config->jwks_url, stop, ret_text, ret_len, why);
	return err == LK_OK ? LK_OK : complain_of_source(ret_why, err, config, why);
}

enum lk_err lk_source_read(const struct lk_issuer_config *config, const atomic_bool *stop,
	uint8_t digest[static LK_SOURCE_DIGEST_LEN], struct lk_keyset **ret_set, char ret_why[static LK_SOURCE_WHY_LEN])
{
	uint8_t now[LK_SOURCE_DIGEST_LEN];
	struct stat status = {0};
	struct lk_keyset *set = NULL;
	char *text = NULL;
	size_t len = 0;

	ret_why[0] = '\0';
	enum lk_err err = get(config, stop, &status, &text, &len, ret_why);
	if (err != LK_OK) {
		return err;
	}
	(void)crypto_generichash(now, sizeof now, (const uint8_t *)text, len, NULL, 0);
	/* A file that is opened to all is another, though its text is the same. */
	now[0] ^= (uint8_t)(status.st_mode & S_IROTH);
	bool same = memcmp(now, digest, sizeof now) == 0;
	const char *fault = same ? NULL : lk_keyset_read(text, len, config->name, &set);
	if (text != NULL) {
		sodium_memzero(text, len);
	}
	free(text);
	if (fault != NULL) {
		return complain_of_source(ret_why, LK_FAILED_PRECONDITION, config, fault);
	}
	if (set != NULL && lk_keyset_holds_secret(set) && (status.st_mode & S_IROTH) != 0) {
		lk_keyset_drop(set);
		return complain_of_source(ret_why, LK_FAILED_PRECONDITION, config,
			"it holds a shared secret that anybody may read: chmod o-r it");
	}
	memcpy(digest, now, sizeof now);
	if (set != NULL) {
		*ret_set = set;
	}
	return LK_OK;
}

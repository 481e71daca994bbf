#include "tools/latchkey/export_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/latchkey/input.h"

#define STATE_FORMAT "latchkey-export-state"
/* The request and a page_token fit many times. */
#define STATE_MAX ((size_t)64 << 10)
/* How often what was written is made to count: what a crash costs at most. */
#define KEEP_EVERY_MS 1000

static int64_t now_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static enum lk_exit failed(const char *what, const char *path)
{
	lk_say("--file: cannot %s %s: %s", what, path, strerror(errno));
	return LK_EXIT_USAGE;
}

static bool write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n < 0) {
			return false;
		}
		at += n;
		len -= (size_t)n;
	}
	return true;
}

static bool make_names(struct lk_export_file *file)
{
	if (asprintf(&file->part, "%s.part", file->path) < 0) {
		file->part = NULL;
	}
	if (asprintf(&file->state, "%s.state", file->path) < 0) {
		file->state = NULL;
	}
	if (asprintf(&file->new_state, "%s.state.new", file->path) < 0) {
		file->new_state = NULL;
	}
	return file->part && file->state && file->new_state;
}

/* Without the instants that a flag such as "--created-before 90d" counts back from now, and the page. */
static json_t *without_instants(const json_t *request)
{
	static const char *const instants[] = {"created_after", "created_before", "expires_before", "last_used_before"};
	json_t *copy = json_deep_copy(request), *filter = json_object_get(copy, "filter");

	for (size_t i = 0; i < sizeof(instants) / sizeof(instants[0]); i++) {
		if (json_object_get(filter, instants[i])) {
			json_object_set_new(filter, instants[i], json_true());
		}
	}
	json_object_del(copy, "page_token");
	return copy;
}

static bool is_same_export(const json_t *kept, const json_t *asked)
{
	json_t *a = without_instants(kept), *b = without_instants(asked);
	bool is_same = a && b && json_equal(a, b);

	json_decref(a);
	json_decref(b);
	return is_same;
}

/* Cuts the part to what counts. */
static enum lk_exit cut(struct lk_export_file *file)
{
	struct stat status;

	if (fstat(file->fd, &status) != 0) {
		return failed("look at", file->part);
	}
	if ((uint64_t)status.st_size < file->bytes) {
		lk_say("%s has %" PRId64 " bytes and had %" PRIu64
		       ": it was changed, and cannot be gone on with; remove it",
			file->part, (int64_t)status.st_size, file->bytes);
		return LK_EXIT_USAGE;
	}
	if (ftruncate(file->fd, (off_t)file->bytes) != 0 || lseek(file->fd, 0, SEEK_END) < 0) {
		return failed("cut", file->part);
	}
	return LK_EXIT_OK;
}

/* Takes over what the state says. */
static enum lk_exit take_state(struct lk_export_file *file, const json_t *state, json_t **request)
{
	const char *format = json_string_value(json_object_get(state, "format"));
	json_t *kept = json_object_get(state, "request");
	json_int_t bytes = json_integer_value(json_object_get(state, "bytes"));
	json_int_t keys = json_integer_value(json_object_get(state, "keys"));

	if (!format || strcmp(format, STATE_FORMAT) != 0 || !json_is_object(kept) || bytes < 0 || keys < 0) {
		lk_say("%s is not the state of an export: remove it and %s", file->state, file->part);
		return LK_EXIT_USAGE;
	}
	if (!is_same_export(kept, *request)) {
		lk_say("%s is of an export with other flags: give the same, or remove it and %s", file->part,
			file->state);
		return LK_EXIT_USAGE;
	}
	file->bytes = (uint64_t)bytes;
	file->keys = (uint64_t)keys;
	json_decref(*request);
	*request = json_incref(kept);
	return LK_EXIT_OK;
}

static enum lk_exit read_state(struct lk_export_file *file, json_t **request)
{
	struct lk_input text = {0};
	enum lk_exit code;
	json_t *state;

	/* It ended before the first state was kept. */
	if (access(file->state, F_OK) != 0) {
		return LK_EXIT_OK;
	}
	code = lk_input_read_file(file->state, "the state of the export", STATE_MAX, &text);
	if (code != LK_EXIT_OK) {
		return code;
	}
	state = json_loadb(text.text, text.len, 0, NULL);
	code = take_state(file, state, request);
	json_decref(state);
	lk_input_done(&text);
	return code;
}

/* Opens what is there, or makes it. */
static enum lk_exit open_part(struct lk_export_file *file, bool resume)
{
	int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | (resume ? 0 : O_EXCL);

	if (access(file->path, F_OK) == 0) {
		lk_say("--file %s: it is there already: give a new name, or remove it", file->path);
		return LK_EXIT_USAGE;
	}
	file->fd = open(file->part, flags, 0600);
	if (file->fd < 0 && errno == EEXIST) {
		lk_say("%s is there: go on with it by --resume, or remove it", file->part);
		return LK_EXIT_USAGE;
	}
	if (file->fd < 0) {
		return failed("make", file->part);
	}
	if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
		lk_say("%s is being written by another export", file->part);
		return LK_EXIT_USAGE;
	}
	return LK_EXIT_OK;
}

enum lk_exit lk_export_file_open(struct lk_export_file *ret, const char *path, bool resume, json_t **request)
{
	enum lk_exit code;

	*ret = (struct lk_export_file){.path = path, .fd = -1};
	if (!path && resume) {
		lk_say("--resume goes on with a file: give --file");
		return LK_EXIT_USAGE;
	}
	if (!path) {
		ret->fd = STDOUT_FILENO;
		return LK_EXIT_OK;
	}
	if (!make_names(ret)) {
		return lk_say_no_memory();
	}
	code = open_part(ret, resume);
	if (code == LK_EXIT_OK && !resume && unlink(ret->state) != 0 && errno != ENOENT) {
		code = failed("remove", ret->state);
	}
	if (code == LK_EXIT_OK && resume) {
		code = read_state(ret, request);
	}
	return code == LK_EXIT_OK ? cut(ret) : code;
}

enum lk_exit lk_export_file_write(struct lk_export_file *file, const struct lk_bytes *lines, uint64_t keys)
{
	if (write_all(file->fd, lines->data, lines->len)) {
		file->bytes += lines->len;
		file->keys += keys;
		return LK_EXIT_OK;
	}
	if (file->path) {
		return failed("write", file->part);
	}
	/* A reader that has seen enough, as `head` has, knows that it has gone. */
	if (errno != EPIPE) {
		lk_say("cannot write to standard output: %s", strerror(errno));
	}
	return LK_EXIT_USAGE;
}

/* Writes the state beside the one before, and puts it in its place. */
static enum lk_exit write_state(const struct lk_export_file *file, const char *text)
{
	int fd = open(file->new_state, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool is_written;

	if (fd < 0) {
		return failed("make", file->new_state);
	}
	is_written = write_all(fd, text, strlen(text)) && fsync(fd) == 0;
	if (close(fd) != 0 || !is_written || rename(file->new_state, file->state) != 0) {
		return failed("write", file->new_state);
	}
	return LK_EXIT_OK;
}

enum lk_exit lk_export_file_keep(struct lk_export_file *file, const json_t *request)
{
	int64_t now = now_ms();
	enum lk_exit code;
	json_t *state;
	char *text;

	if (!file->path || (file->kept_ms != 0 && now - file->kept_ms < KEEP_EVERY_MS)) {
		return LK_EXIT_OK;
	}
	file->kept_ms = now;
	/* What the state counts is there before the state is. */
	if (fdatasync(file->fd) != 0) {
		return failed("write", file->part);
	}
	state = json_pack("{s:s, s:I, s:I, s:O}", "format", STATE_FORMAT, "bytes", (json_int_t)file->bytes, "keys",
		(json_int_t)file->keys, "request", request);
	text = state ? json_dumps(state, 0) : NULL;
	code = text ? write_state(file, text) : lk_say_no_memory();
	json_decref(state);
	if (text) {
		json_free_t release;
		json_get_alloc_funcs(NULL, &release);
		release(text);
	}
	return code;
}

/* Puts the name of a file on the disk. */
static bool sync_folder(const char *path)
{
	char *copy = strdup(path);
	int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	bool is_synced = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0) {
		close(fd);
	}
	free(copy);
	return is_synced;
}

enum lk_exit lk_export_file_finish(struct lk_export_file *file)
{
	if (!file->path) {
		return LK_EXIT_OK;
	}
	if (fsync(file->fd) != 0) {
		return failed("write", file->part);
	}
	/* In place of a file that came up meanwhile it is not put. */
	if (renameat2(AT_FDCWD, file->part, AT_FDCWD, file->path, RENAME_NOREPLACE) != 0) {
		return failed("rename to it", file->part);
	}
	if (unlink(file->state) != 0 && errno != ENOENT) {
		return failed("remove", file->state);
	}
	return sync_folder(file->path) ? LK_EXIT_OK : failed("write the folder of", file->path);
}

void lk_export_file_close(struct lk_export_file *file)
{
	if (file->path && file->fd >= 0) {
		close(file->fd);
	}
	free(file->part);
	free(file->state);
	free(file->new_state);
	*file = (struct lk_export_file){.fd = -1};
}

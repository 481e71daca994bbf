#include "server/store/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/error.h"

/* What a file begins with. */
struct header {
	char magic[8];
	uint32_t schema;
	/* enum header_state: attached verifiers look at it on every verdict. */
	_Atomic uint32_t state;
	uint8_t store_id[LK_STORE_ID_LEN];
	/* The inode of the PID namespace of the daemon: LMDB's reader table is good within one alone. */
	uint64_t pid_namespace;
	uint8_t reserved[24];
};

enum header_state {
	STATE_LIVE = 1,
};

_Static_assert(sizeof(struct header) == LK_LINES_HEADER_LEN, "what lines.h counts with");

static enum lk_err complain(const struct lk_lines_kind *kind, char *message, enum lk_err err, const char *what)
{
	(void)snprintf(message, LK_STORE_MESSAGE_LEN, "%s: %s", kind->file, what);
	return err;
}

static uint64_t pid_namespace(void)
{
	struct stat status = {0};

	return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static struct header *header_of(struct lk_lines *lines)
{
	return (struct header *)(void *)lines->map;
}

/* The magic comes last, so that a header cut short by a crash is none. */
static void write_header(struct lk_lines *lines, const uint8_t *store_id)
{
	struct header *header = header_of(lines);

	header->schema = lines->kind->schema;
	memcpy(header->store_id, store_id, LK_STORE_ID_LEN);
	memcpy(header->magic, lines->kind->magic, sizeof header->magic);
}

static enum lk_err check_header(struct lk_lines *lines, const uint8_t *store_id, char *message)
{
	const struct lk_lines_kind *kind = lines->kind;
	const struct header *header = header_of(lines);

	if (memcmp(header->magic, kind->magic, sizeof header->magic) != 0) {
		return complain(kind, message, LK_CORRUPT, kind->wrong);
	}
	if (header->schema > kind->schema) {
		return complain(
			kind, message, LK_FAILED_PRECONDITION, "written by a newer latchkeyd: upgrade this one");
	}
	if (memcmp(header->store_id, store_id, LK_STORE_ID_LEN) != 0) {
		return complain(kind, message, LK_FAILED_PRECONDITION, kind->foreign);
	}
	return LK_OK;
}

static enum lk_err map_file(struct lk_lines *lines, char *message)
{
	size_t line_len = lines->kind->line_len;

	if (lines->max_lines > (SIZE_MAX - LK_LINES_HEADER_LEN) / line_len) {
		return complain(lines->kind, message, LK_FAILED_PRECONDITION, lines->kind->too_many);
	}
	lines->mapped = LK_LINES_HEADER_LEN + (size_t)lines->max_lines * line_len;
	void *map = mmap(NULL, lines->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, lines->file, 0);
	if (map == MAP_FAILED) {
		return complain(lines->kind, message, lk_err_from_errno(errno), strerror(errno));
	}
	lines->map = map;
	(void)madvise(map, lines->mapped, MADV_DONTDUMP);
	(void)madvise(map, lines->mapped, MADV_RANDOM);
	return LK_OK;
}

/*
 * Fills the holes of a file that was copied without its zeroes: each is SIGBUS on a full disk. Where the file system cannot, the
 * C library's substitute must not: it writes, under the hands of verifiers that count.
 */
static int fill_holes(struct lk_lines *lines, off_t len)
{
	int rc = 0;

	do {
		rc = len == 0 || fallocate(lines->file, 0, 0, len) == 0 ? 0 : errno;
	} while (rc == EINTR);
	return rc == EOPNOTSUPP ? 0 : rc;
}

/* Whether nobody ever finished making the file, so that no line of it was used. */
static bool is_blank(const struct lk_lines *lines)
{
	struct header header = {0};
	ssize_t len = pread(lines->file, &header, sizeof header, 0);

	return len >= 0 && memcmp(header.magic, (char[sizeof header.magic]){0}, sizeof header.magic) == 0;
}

/*
 * Opens the file itself. `make` is whether it is new: told, and found where a kind may be missing, for then it is made as new.
 */
static enum lk_err open_file(struct lk_lines *lines, int dir, bool *make, char *message)
{
	const struct lk_lines_kind *kind = lines->kind;
	int create = *make || kind->missing == NULL ? O_CREAT : 0;

	lines->file = openat(dir, kind->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW | create, 0660);
	if (lines->file < 0) {
		return errno == ENOENT ? complain(kind, message, LK_CORRUPT, kind->missing)
				       : complain(kind, message, lk_err_from_errno(errno), strerror(errno));
	}
	*make = *make || (kind->missing == NULL && is_blank(lines));
	/* Made with a mode of ours, not the umask's: members of the daemon's group verify in-process. */
	if (*make && (ftruncate(lines->file, 0) != 0 || fchmod(lines->file, 0660) != 0)) {
		return complain(kind, message, lk_err_from_errno(errno), strerror(errno));
	}
	return LK_OK;
}

static enum lk_err check_size(struct lk_lines *lines, bool make, uint64_t last_line, char *message)
{
	const struct lk_lines_kind *kind = lines->kind;
	struct stat status = {0};

	if (fstat(lines->file, &status) != 0) {
		return complain(kind, message, lk_err_from_errno(errno), strerror(errno));
	}
	atomic_store(&lines->allocated, (uint64_t)status.st_size);
	if (last_line > lines->max_lines) {
		return complain(kind, message, LK_FAILED_PRECONDITION, kind->too_few);
	}
	if (!make && kind->cut != NULL && (uint64_t)status.st_size < LK_LINES_HEADER_LEN + last_line * kind->line_len) {
		return complain(kind, message, LK_CORRUPT, kind->cut);
	}
	int rc = fill_holes(lines, status.st_size);
	return rc == 0 ? LK_OK : complain(kind, message, lk_err_from_errno(rc), strerror(rc));
}

enum lk_err lk_lines_open(struct lk_lines *lines, const struct lk_lines_kind *kind, int dir, bool make,
	const uint8_t store_id[static LK_STORE_ID_LEN], uint64_t last_line, uint64_t max_lines,
	char ret_message[static LK_STORE_MESSAGE_LEN])
{
	lines->kind = kind;
	lines->max_lines = max_lines;
	enum lk_err err = open_file(lines, dir, &make, ret_message);
	if (err == LK_OK) {
		err = check_size(lines, make, last_line, ret_message);
	}
	if (err == LK_OK) {
		err = map_file(lines, ret_message);
	}
	if (err == LK_OK && (make || kind->cut == NULL)) {
		err = lk_lines_reserve(lines, last_line);
		err = err == LK_OK ? LK_OK : complain(kind, ret_message, err, lk_err_text(err));
	}
	if (err != LK_OK) {
		return err;
	}
	if (make) {
		write_header(lines, store_id);
	}
	err = check_header(lines, store_id, ret_message);
	if (err == LK_OK) {
		header_of(lines)->pid_namespace = pid_namespace();
		atomic_store(&header_of(lines)->state, STATE_LIVE);
	}
	return err;
}

enum lk_err lk_lines_sync(const struct lk_lines *lines)
{
	size_t len = (size_t)atomic_load(&lines->allocated);

	/* The file's last step may be longer than what may be used of it. */
	return msync(lines->map, len < lines->mapped ? len : lines->mapped, MS_SYNC) == 0 ? LK_OK
											  : lk_err_from_errno(errno);
}

void lk_lines_close(struct lk_lines *lines)
{
	if (lines->kind == NULL) {
		return;
	}
	if (lines->map != NULL) {
		/* The kernel has them all the same; only a power failure right now could tell the difference. */
		enum lk_err ignored = lk_lines_sync(lines);
		(void)ignored;
		munmap(lines->map, lines->mapped);
	}
	if (lines->file >= 0) {
		close(lines->file);
	}
	*lines = (struct lk_lines){.file = -1};
}

enum lk_err lk_lines_reserve(struct lk_lines *lines, uint64_t last_line)
{
	uint64_t allocated = atomic_load(&lines->allocated);
	uint64_t step = lines->kind->step;

	if (last_line > lines->max_lines) {
		return LK_FULL;
	}
	uint64_t needed = LK_LINES_HEADER_LEN + last_line * lines->kind->line_len;
	if (needed <= allocated) {
		return LK_OK;
	}
	uint64_t target = (needed + step - 1) / step * step;
	int rc = 0;
	do {
		rc = posix_fallocate(lines->file, (off_t)allocated, (off_t)(target - allocated));
	} while (rc == EINTR);
	/* The new length must outlive a power failure that the commit outlives. */
	if (rc == 0 && fdatasync(lines->file) != 0) {
		rc = errno;
	}
	if (rc != 0) {
		return lk_err_from_errno(rc);
	}
	atomic_store(&lines->allocated, target);
	return LK_OK;
}

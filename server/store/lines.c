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
	_Atomic uint64_t pid_namespace;
	/* How many lines the daemon maps. */
	_Atomic uint64_t max_lines;
	/* LMDB's files, as the daemon has them open; see lk_lines_name_files(). */
	_Atomic uint64_t files[LK_LINES_FILES];
};

enum header_state {
	STATE_LIVE = 1,
	/* Another store is taking, or has taken, this one's place: whoever attached to it lets go. */
	STATE_REPLACED = 2,
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

static struct header *header_of(const struct lk_lines *lines)
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

static enum lk_err check_kind(const struct lk_lines_kind *kind, const struct header *header, char *message)
{
	if (memcmp(header->magic, kind->magic, sizeof header->magic) != 0) {
		return complain(kind, message, LK_CORRUPT, kind->wrong);
	}
	if (header->schema > kind->schema) {
		return complain(
			kind, message, LK_FAILED_PRECONDITION, "written by a newer latchkeyd: upgrade what opens it");
	}
	return LK_OK;
}

static enum lk_err check_owner(
	const struct lk_lines_kind *kind, const struct header *header, const uint8_t *store_id, char *message)
{
	return memcmp(header->store_id, store_id, LK_STORE_ID_LEN) == 0
		       ? LK_OK
		       : complain(kind, message, LK_FAILED_PRECONDITION, kind->foreign);
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

/* Whether lines are missing that cannot be made anew. */
static bool is_cut(const struct lk_lines *lines, uint64_t last_line)
{
	const struct lk_lines_kind *kind = lines->kind;

	return kind->cut != NULL && atomic_load(&lines->allocated) < LK_LINES_HEADER_LEN + last_line * kind->line_len;
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
	if (!make && is_cut(lines, last_line)) {
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
	err = check_kind(kind, header_of(lines), ret_message);
	if (err == LK_OK) {
		err = check_owner(kind, header_of(lines), store_id, ret_message);
	}
	if (err == LK_OK) {
		atomic_store(&header_of(lines)->pid_namespace, pid_namespace());
		atomic_store(&header_of(lines)->max_lines, max_lines);
		atomic_store(&header_of(lines)->state, STATE_LIVE);
	}
	return err;
}

static enum lk_err open_attached(struct lk_lines *lines, int dir, char *message)
{
	const struct lk_lines_kind *kind = lines->kind;
	struct stat status = {0};

	lines->file = openat(dir, kind->file, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (lines->file < 0 && errno == ENOENT) {
		return complain(kind, message, LK_CORRUPT,
			kind->missing != NULL ? kind->missing : "missing; latchkeyd makes it when it starts");
	}
	if (lines->file < 0 || fstat(lines->file, &status) != 0) {
		return complain(kind, message, lk_err_from_errno(errno), strerror(errno));
	}
	atomic_store(&lines->allocated, (uint64_t)status.st_size);
	return LK_OK;
}

/* What whoever attaches looks at beside, now and on every verdict. */
static enum lk_err check_live(const struct lk_lines *lines, const struct header *header, char *message)
{
	uint32_t state = atomic_load(&header->state);

	if (state == STATE_REPLACED) {
		return complain(lines->kind, message, LK_FAILED_PRECONDITION,
			"another store is taking its place: try again when latchkeyd serves it");
	}
	if (state != STATE_LIVE) {
		return complain(lines->kind, message, LK_CORRUPT, lines->kind->wrong);
	}
	if (lines->pid_namespace == 0 || atomic_load(&header->pid_namespace) != lines->pid_namespace) {
		return complain(lines->kind, message, LK_FAILED_PRECONDITION,
			"latchkeyd runs, or last ran, in another PID namespace, and neither would see whether the "
			"other lives: run both in one (containers: --pid=host, or one shared by both)");
	}
	return LK_OK;
}

/* Before it is mapped: of a file that is cut short, what is mapped would be SIGBUS. */
static enum lk_err check_attached(struct lk_lines *lines, char *message)
{
	struct header header = {0};
	ssize_t len = pread(lines->file, &header, sizeof header, 0);

	if (len < 0) {
		return complain(lines->kind, message, lk_err_from_errno(errno), strerror(errno));
	}
	if (len < (ssize_t)sizeof header) {
		return complain(lines->kind, message, LK_CORRUPT, lines->kind->wrong);
	}
	enum lk_err err = check_kind(lines->kind, &header, message);
	if (err == LK_OK) {
		err = check_live(lines, &header, message);
	}
	if (err == LK_OK && atomic_load(&header.max_lines) != 0) {
		lines->max_lines = atomic_load(&header.max_lines);
	}
	for (size_t i = 0; i < LK_LINES_FILES; i++) {
		lines->files[i] = atomic_load(&header.files[i]);
	}
	return err;
}

enum lk_err lk_lines_attach(struct lk_lines *lines, const struct lk_lines_kind *kind, int dir, uint64_t max_lines,
	char ret_message[static LK_STORE_MESSAGE_LEN])
{
	lines->kind = kind;
	lines->max_lines = max_lines;
	lines->attached = true;
	lines->pid_namespace = pid_namespace();
	enum lk_err err = open_attached(lines, dir, ret_message);
	if (err == LK_OK) {
		err = check_attached(lines, ret_message);
	}
	return err == LK_OK ? map_file(lines, ret_message) : err;
}

enum lk_err lk_lines_check_owner(const struct lk_lines *lines, const uint8_t store_id[static LK_STORE_ID_LEN],
	uint64_t last_line, char ret_message[static LK_STORE_MESSAGE_LEN])
{
	enum lk_err err = check_owner(lines->kind, header_of(lines), store_id, ret_message);

	/* It may have been shorter when it was attached than when the store named the line. */
	if (err == LK_OK && is_cut(lines, last_line) &&
		!lk_lines_have_grown(lines, LK_LINES_HEADER_LEN + last_line * lines->kind->line_len)) {
		err = complain(lines->kind, ret_message, LK_CORRUPT, lines->kind->cut);
	}
	return err;
}

bool lk_lines_are_live(const struct lk_lines *lines)
{
	const struct header *header = header_of(lines);

	return atomic_load_explicit(&header->state, memory_order_acquire) == STATE_LIVE &&
	       atomic_load_explicit(&header->pid_namespace, memory_order_relaxed) == lines->pid_namespace &&
	       atomic_load_explicit(&header->max_lines, memory_order_relaxed) <= lines->max_lines &&
	       atomic_load_explicit(&header->files[0], memory_order_relaxed) == lines->files[0] &&
	       atomic_load_explicit(&header->files[1], memory_order_relaxed) == lines->files[1];
}

void lk_lines_name_files(struct lk_lines *lines, const uint64_t files[static LK_LINES_FILES])
{
	for (size_t i = 0; i < LK_LINES_FILES; i++) {
		atomic_store(&header_of(lines)->files[i], files[i]);
	}
}

bool lk_lines_have_grown(const struct lk_lines *lines, uint64_t end)
{
	/* Only what the compiler is told is constant: how much there is of the file is everybody's to find out. */
	_Atomic uint64_t *allocated = (_Atomic uint64_t *)(uintptr_t)&lines->allocated;
	struct stat status = {0};

	if (fstat(lines->file, &status) != 0) {
		return false;
	}
	atomic_store(allocated, (uint64_t)status.st_size);
	return end <= (uint64_t)status.st_size;
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
	if (lines->map != NULL && !lines->attached) {
		/* The kernel has them all the same; only a power failure right now could tell the difference. */
		enum lk_err ignored = lk_lines_sync(lines);
		(void)ignored;
	}
	if (lines->map != NULL) {
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

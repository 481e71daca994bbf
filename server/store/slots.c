#include "server/store/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/store/error.h"

#define SLOTS_FILE   "slots.mmap"
#define SLOTS_SCHEMA 1
#define SLOTS_STEP   ((uint64_t)64 << 20)

/* The file's first line. */
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

_Static_assert(sizeof(struct header) == 64, "a header is a line");
_Static_assert(sizeof(struct lk_slot) == 64, "a slot is a line");

struct lk_slots {
	int file;
	/* Line 0 is the header, line n is slot n. */
	struct lk_slot *lines;
	size_t mapped;
	uint64_t max_slots;
	/* Bytes of the file that are on the disk. Moved by the writer, read by sync. */
	_Atomic uint64_t allocated;
};

static const char magic[8] = {'L', 'K', 'S', 'L', 'O', 'T', 'S', '1'};

static enum lk_err complain(char *message, enum lk_err err, const char *what)
{
	(void)snprintf(message, LK_STORE_MESSAGE_LEN, "%s: %s", SLOTS_FILE, what);
	return err;
}

static uint64_t pid_namespace(void)
{
	struct stat status = {0};

	return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

static struct header *header_of(struct lk_slots *slots)
{
	return (struct header *)slots->lines;
}

/* The magic comes last, so that a header cut short by a crash is none. */
static void write_header(struct header *header, const uint8_t *store_id)
{
	header->schema = SLOTS_SCHEMA;
	memcpy(header->store_id, store_id, LK_STORE_ID_LEN);
	memcpy(header->magic, magic, sizeof magic);
}

static enum lk_err check_header(const struct header *header, const uint8_t *store_id, char *message)
{
	if (memcmp(header->magic, magic, sizeof magic) != 0) {
		return complain(message, LK_CORRUPT, "not a file of slots; restore it together with its store");
	}
	if (header->schema > SLOTS_SCHEMA) {
		return complain(message, LK_FAILED_PRECONDITION, "written by a newer latchkeyd: upgrade this one");
	}
	if (memcmp(header->store_id, store_id, LK_STORE_ID_LEN) != 0) {
		return complain(message, LK_FAILED_PRECONDITION,
			"belongs to another store; restore it together with its store");
	}
	return LK_OK;
}

static enum lk_err map_file(struct lk_slots *slots, uint64_t max_slots, char *message)
{
	if (max_slots >= SIZE_MAX / sizeof(struct lk_slot)) {
		return complain(
			message, LK_FAILED_PRECONDITION, "max_slots is more than memory has addresses: lower it");
	}
	slots->max_slots = max_slots;
	slots->mapped = (size_t)(max_slots + 1) * sizeof(struct lk_slot);
	void *map = mmap(NULL, slots->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, slots->file, 0);
	if (map == MAP_FAILED) {
		return complain(message, lk_err_from_errno(errno), strerror(errno));
	}
	slots->lines = map;
	(void)madvise(map, slots->mapped, MADV_DONTDUMP);
	(void)madvise(map, slots->mapped, MADV_RANDOM);
	return LK_OK;
}

/*
 * Fills the holes of a file that was copied without its zeroes: each is SIGBUS on a full disk. Where the file system cannot, the
 * C library's substitute must not: it writes, under the hands of verifiers that count.
 */
static int fill_holes(struct lk_slots *slots, off_t len)
{
	int rc = 0;

	do {
		rc = len == 0 || fallocate(slots->file, 0, 0, len) == 0 ? 0 : errno;
	} while (rc == EINTR);
	return rc == EOPNOTSUPP ? 0 : rc;
}

static enum lk_err adopt_file(struct lk_slots *slots, bool make, const uint8_t *store_id, uint64_t last_slot,
	uint64_t max_slots, char *message)
{
	struct stat status = {0};

	/* Made with a mode of ours, not the umask's: members of the daemon's group verify in-process. */
	if ((make && fchmod(slots->file, 0660) != 0) || fstat(slots->file, &status) != 0) {
		return complain(message, lk_err_from_errno(errno), strerror(errno));
	}
	atomic_store(&slots->allocated, (uint64_t)status.st_size);
	if (!make && (uint64_t)status.st_size < (last_slot + 1) * sizeof(struct lk_slot)) {
		return complain(message, LK_CORRUPT,
			"shorter than its store needs, so usage counts are lost; restore both from one backup");
	}
	if (last_slot > max_slots) {
		return complain(message, LK_FAILED_PRECONDITION,
			"has more slots than max_slots allows: raise it to at least what it was");
	}
	int rc = fill_holes(slots, status.st_size);
	if (rc != 0) {
		return complain(message, lk_err_from_errno(rc), strerror(rc));
	}
	enum lk_err err = map_file(slots, max_slots, message);
	if (err != LK_OK) {
		return err;
	}
	if (make) {
		err = lk_slots_reserve(slots, last_slot + 1);
		if (err != LK_OK) {
			return complain(message, err, lk_err_text(err));
		}
		write_header(header_of(slots), store_id);
	}
	err = check_header(header_of(slots), store_id, message);
	if (err == LK_OK) {
		header_of(slots)->pid_namespace = pid_namespace();
		atomic_store(&header_of(slots)->state, STATE_LIVE);
	}
	return err;
}

enum lk_err lk_slots_open(int dir, bool make, const uint8_t store_id[static LK_STORE_ID_LEN], uint64_t last_slot,
	uint64_t max_slots, struct lk_slots **ret_slots, char ret_message[static LK_STORE_MESSAGE_LEN])
{
	struct lk_slots *slots = calloc(1, sizeof *slots);

	if (slots == NULL) {
		return complain(ret_message, LK_NO_MEMORY, "no memory");
	}
	slots->file = openat(dir, SLOTS_FILE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT | O_TRUNC : 0), 0660);
	enum lk_err err = LK_OK;
	if (slots->file < 0) {
		err = errno == ENOENT ? complain(ret_message, LK_CORRUPT,
						"missing, so usage counts are lost; restore it together with its store")
				      : complain(ret_message, lk_err_from_errno(errno), strerror(errno));
	} else {
		err = adopt_file(slots, make, store_id, last_slot, max_slots, ret_message);
	}
	if (err != LK_OK) {
		lk_slots_close(slots);
		return err;
	}
	*ret_slots = slots;
	return LK_OK;
}

static int sync_lines(struct lk_slots *slots)
{
	size_t len = (size_t)atomic_load(&slots->allocated);

	/* The file's last step may be longer than what may be used of it. */
	return msync(slots->lines, len < slots->mapped ? len : slots->mapped, MS_SYNC);
}

void lk_slots_close(struct lk_slots *slots)
{
	if (slots == NULL) {
		return;
	}
	if (slots->lines != NULL) {
		/* The kernel has them all the same; only a power failure right now could tell the difference. */
		(void)sync_lines(slots);
		munmap(slots->lines, slots->mapped);
	}
	if (slots->file >= 0) {
		close(slots->file);
	}
	free(slots);
}

enum lk_err lk_slots_reserve(struct lk_slots *slots, uint64_t last_slot)
{
	uint64_t allocated = atomic_load(&slots->allocated);

	if (last_slot > slots->max_slots) {
		return LK_FULL;
	}
	uint64_t needed = (last_slot + 1) * sizeof(struct lk_slot);
	if (needed <= allocated) {
		return LK_OK;
	}
	uint64_t target = (needed + SLOTS_STEP - 1) / SLOTS_STEP * SLOTS_STEP;
	int rc = 0;
	do {
		rc = posix_fallocate(slots->file, (off_t)allocated, (off_t)(target - allocated));
	} while (rc == EINTR);
	/* The new length must outlive a power failure that the commit outlives. */
	if (rc == 0 && fdatasync(slots->file) != 0) {
		rc = errno;
	}
	if (rc != 0) {
		return lk_err_from_errno(rc);
	}
	atomic_store(&slots->allocated, target);
	return LK_OK;
}

/* None that is not on the disk: a damaged record must not lead out of the file, or into its header. */
struct lk_slot *lk_slots_at(const struct lk_slots *slots, uint64_t slot)
{
	uint64_t lines = atomic_load_explicit(&slots->allocated, memory_order_relaxed) / sizeof(struct lk_slot);

	return slot > 0 && slot < lines && slot <= slots->max_slots ? &slots->lines[slot] : NULL;
}

void lk_slots_use(struct lk_slots *slots, uint64_t slot, int64_t now_us)
{
	struct lk_slot *line = lk_slots_at(slots, slot);

	if (line == NULL) {
		return;
	}
	int64_t last = atomic_load_explicit(&line->last_used_us, memory_order_relaxed);

	atomic_fetch_add_explicit(&line->usage_count, 1, memory_order_relaxed);
	/* The newest wins, whatever the order in which verifiers come here. */
	while (last < now_us && !atomic_compare_exchange_weak_explicit(&line->last_used_us, &last, now_us,
					memory_order_relaxed, memory_order_relaxed)) {
	}
}

struct lk_usage lk_slots_usage(const struct lk_slots *slots, uint64_t slot)
{
	const struct lk_slot *line = lk_slots_at(slots, slot);

	if (line == NULL) {
		return (struct lk_usage){0};
	}
	return (struct lk_usage){
		.count = atomic_load_explicit(&line->usage_count, memory_order_relaxed),
		.last_used_us = atomic_load_explicit(&line->last_used_us, memory_order_relaxed),
	};
}

enum lk_err lk_slots_sync(struct lk_slots *slots)
{
	return sync_lines(slots) == 0 ? LK_OK : lk_err_from_errno(errno);
}

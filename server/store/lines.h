/*
 * A file of lines: a header that says whose it is, and then lines of one size, numbered from 1, which every verifier maps and
 * touches with atomics alone. slots.h and denials.h are such files.
 *
 * The most there may be is mapped once, so that no line ever moves; the disk is allocated in steps ahead of what is named.
 */
#ifndef LK_SERVER_STORE_LINES_H
#define LK_SERVER_STORE_LINES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/store/slots.h"
#include "server/store/store.h"

#define LK_LINES_HEADER_LEN 64
/* Files that a header names. */
#define LK_LINES_FILES 2

/* What a file is, and what is said where it is not that. */
struct lk_lines_kind {
	const char *file;
	char magic[8];
	uint32_t schema;
	/* Bytes of a line: a multiple of 8. */
	size_t line_len;
	/* The disk is allocated by so many bytes at a time. */
	uint64_t step;
	/*
	 * Said of a file that is missing, and of one that is too short; NULL: it is made, or made longer, for nothing else
	 * needs it.
	 */
	const char *missing;
	const char *cut;
	/* Said of a file that is of something else, and of another store. */
	const char *wrong;
	const char *foreign;
	/* Said where the most lines are fewer than the store names, and more than can be mapped. */
	const char *too_few;
	const char *too_many;
};

struct lk_lines {
	const struct lk_lines_kind *kind;
	int file;
	uint8_t *map;
	size_t mapped;
	uint64_t max_lines;
	/*
	 * Bytes of the file that are on the disk. Moved by the writer, and by whoever attached and finds more; read by
	 * everyone.
	 */
	_Atomic uint64_t allocated;
	/* The file is another process's, which makes it longer; this one only touches its lines. */
	bool attached;
	/* Of whoever attached: the PID namespace in which it runs, and the files that the header named then. */
	uint64_t pid_namespace;
	uint64_t files[LK_LINES_FILES];
};

/*
 * Opens the file of this kind, of the store `store_id`, in `dir`; makes it where `make` is set, whatever was there.
 * `last_line`: the newest that the store names. `max_lines`: how many are mapped. `lines` is all zero; close it also after a
 * failure. On failure `ret_message` names the file. LK_FAILED_PRECONDITION, LK_CORRUPT, LK_FULL, LK_IO, LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_lines_open(struct lk_lines *lines, const struct lk_lines_kind *kind, int dir, bool make,
	const uint8_t store_id[static LK_STORE_ID_LEN], uint64_t last_line, uint64_t max_lines,
	char ret_message[static LK_STORE_MESSAGE_LEN]);

/*
 * Opens a file that a daemon made, to touch its lines beside it: makes nothing, changes nothing of the file itself, and maps as
 * many lines as the daemon does, `max_lines` where that does not say. Of which store it is, is for lk_lines_check_owner(). As
 * lk_lines_open() in all else, and LK_PERMISSION_DENIED; LK_FAILED_PRECONDITION also where the store was replaced, and where
 * the daemon runs in another PID namespace.
 */
LK_MUST_CHECK enum lk_err lk_lines_attach(struct lk_lines *lines, const struct lk_lines_kind *kind, int dir,
	uint64_t max_lines, char ret_message[static LK_STORE_MESSAGE_LEN]);
/* Whether what was attached is the store's, and long enough: what lk_lines_open() sees to by itself. */
LK_MUST_CHECK enum lk_err lk_lines_check_owner(const struct lk_lines *lines,
	const uint8_t store_id[static LK_STORE_ID_LEN], uint64_t last_line,
	char ret_message[static LK_STORE_MESSAGE_LEN]);

/*
 * Whether an attached file still is what it was attached to: not replaced, and of a daemon in this PID namespace that has no more
 * lines than were mapped, and the same files open. Reads one line of the cache. Any thread.
 */
bool lk_lines_are_live(const struct lk_lines *lines);

/*
 * Writes into the header which files the daemon has open beside, by their inodes, before it changes anything in them: whoever
 * attached when it were others holds files that are gone, where no change of the daemon's is ever seen.
 */
void lk_lines_name_files(struct lk_lines *lines, const uint64_t files[static LK_LINES_FILES]);

/* Syncs, unless it was attached, and unmaps. Takes lines that are all zero, or were never opened. */
void lk_lines_close(struct lk_lines *lines);

/*
 * Allocates the disk for all lines up to `last_line`, before a commit names them: a hole in the file would be SIGBUS on a
 * full disk. The writer's thread alone. LK_FULL: the disk, or max_lines; LK_IO.
 */
LK_MUST_CHECK enum lk_err lk_lines_reserve(struct lk_lines *lines, uint64_t last_line);

/* Writes the lines to the disk. Blocks. LK_IO. */
LK_MUST_CHECK enum lk_err lk_lines_sync(const struct lk_lines *lines);

/* Whether the daemon made an attached file longer meanwhile, up to `end`. Any thread. Asks the system. */
bool lk_lines_have_grown(const struct lk_lines *lines, uint64_t end);

/*
 * A line; NULL where it is not on the disk: a damaged record must not lead out of the file, or into its header. Any thread, never
 * blocks.
 */
static inline void *lk_lines_at(const struct lk_lines *lines, uint64_t line)
{
	if (line == 0 || line > lines->max_lines) {
		return NULL;
	}
	uint64_t end = LK_LINES_HEADER_LEN + line * lines->kind->line_len;
	bool is_there = end <= atomic_load_explicit(&lines->allocated, memory_order_relaxed) ||
			(lines->attached && lk_lines_have_grown(lines, end));

	return is_there ? lines->map + (end - lines->kind->line_len) : NULL;
}

#endif

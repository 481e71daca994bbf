/*
 * Where an export is written: standard output, or a new file that only its owner can read.
 *
 * While it grows the file is called FILE.part, and FILE.state says how much of it counts, which page comes next, and what was
 * asked for. Whenever the writer ends, by kill -9 or with the machine, what stands behind that is cut off and asked for again: no
 * line is lost and none comes twice. A whole export is on the disk before it is called FILE.
 *
 * What goes wrong is said on standard error. From one thread.
 */
#ifndef LK_CLI_EXPORT_FILE_H
#define LK_CLI_EXPORT_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tools/latchkey/bytes.h"
#include "tools/latchkey/say.h"

struct lk_export_file {
	/* NULL: standard output. */
	const char *path;
	/* FILE.part, FILE.state, and what that is called until it is whole. */
	char *part, *state, *new_state;
	int fd;
	/* Bytes and keys that were written. */
	uint64_t bytes, keys;
	/* When the state was last kept, on CLOCK_MONOTONIC; 0: not yet. */
	int64_t kept_ms;
};

/*
 * Opens `path`, or with NULL standard output. `resume`: goes on with what was interrupted, or begins where nothing was.
 * `*request` is what is asked for; where the export goes on it becomes what was asked for then, from the next page on: those that
 * count back from now would else be another. `ret` is the caller's, for lk_export_file_close(), also after a failure.
 * LK_EXIT_USAGE: it is there already, is being written, is another export's, or cannot be made.
 */
enum lk_exit lk_export_file_open(struct lk_export_file *ret, const char *path, bool resume, json_t **request);

/* Writes lines with `keys` keys in them. */
enum lk_exit lk_export_file_write(struct lk_export_file *file, const struct lk_bytes *lines, uint64_t keys);

/* Notes that what was written counts, and that the page of `request` comes next; on the disk the first time, and then once a second. */
enum lk_exit lk_export_file_keep(struct lk_export_file *file, const json_t *request);

/* All is written: puts it on the disk and gives it its name. */
enum lk_exit lk_export_file_finish(struct lk_export_file *file);

/* Frees; what is not finished stays to be resumed. */
void lk_export_file_close(struct lk_export_file *file);

#endif

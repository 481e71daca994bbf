/*
 * The files of a data directory, for tests that open stores: looked at, damaged, and what opening then says.
 *
 * These functions assert: for the test's own thread alone.
 */
#ifndef LK_TESTS_UNIT_STORE_FILES_H
#define LK_TESTS_UNIT_STORE_FILES_H

#include <sys/types.h>

#include "tests/lib/store_fixture.h"

/* The mode of a file; 0 where there is none. */
unsigned files_mode(const struct lk_fixture *fixture, const char *name);
bool files_exists(const struct lk_fixture *fixture, const char *name);

void files_truncate(const struct lk_fixture *fixture, const char *name, off_t len);
void files_remove(const struct lk_fixture *fixture, const char *name);
/* Writes into a file, which is made where it is not there. */
void files_write(const struct lk_fixture *fixture, const char *name, off_t offset, const void *data, size_t len);

/* BLAKE2b-256 of a file's first bytes: enough of slots.mmap, and all of every other. */
void files_digest(const struct lk_fixture *fixture, const char *name, uint8_t ret_digest[static LK_DIGEST_LEN]);

/* That the documented modes are those of all files. */
void files_assert_modes(struct lk_fixture *fixture);

void files_assert_opens(struct lk_fixture *fixture);
void files_make_and_close(struct lk_fixture *fixture);
/* That opening fails so, in one line that names the directory, `file`, and `remedy`. */
void files_assert_refused(struct lk_fixture *fixture, enum lk_err expected, const char *file, const char *remedy);

#endif

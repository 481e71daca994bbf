/*
 * An arena and the faults in it, for tests of what checks a value: of each test program its own, anew for each test.
 */
#ifndef LK_TESTS_UNIT_CORE_FAULTS_CASE_H
#define LK_TESTS_UNIT_CORE_FAULTS_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/arena.h"
#include "server/core/faults.h"

static struct lk_arena arena;
static struct lk_faults faults;

/* cmocka setup and teardown. */
static inline int faults_setup(void **state)
{
	(void)state;
	if (lk_arena_init(&arena, 65536, 1 << 20) != LK_OK) {
		return -1;
	}
	lk_faults_init(&faults, &arena);
	return 0;
}

static inline int faults_teardown(void **state)
{
	(void)state;
	lk_arena_done(&arena);
	return 0;
}

/* Fails the test unless the fault at `at` is of this field, and says this. */
static inline void faults_assert(size_t at, const char *field, const char *part)
{
	assert_true(at < faults.count);
	assert_string_equal(faults.items[at].field, field);
	if (strstr(faults.items[at].description, part) == NULL) {
		fail_msg("'%s' does not say '%s'", faults.items[at].description, part);
	}
}

#endif

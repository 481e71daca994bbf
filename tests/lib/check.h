/*
 * A check for fixtures: what the test stands on must hold, on any thread. (cmocka's own asserts longjmp, and so belong to the
 * test's thread alone.)
 */
#ifndef LK_TESTS_LIB_CHECK_H
#define LK_TESTS_LIB_CHECK_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition) CHECK_MSG(condition, "")

#define CHECK_MSG(condition, message)                                                                                  \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			(void)fprintf(stderr, "%s:%d: not so: %s %s\n", __FILE__, __LINE__, #condition, (message));    \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

#endif

/*
 * How often a process called what a hot path should not: counted by call_counts.c, which is preloaded into it (LD_PRELOAD), in a
 * file that whoever started it looks at.
 *
 * What is counted are calls on nng's threads, those by nng itself and the C library apart: the program's own, and those of the
 * libraries that it calls. A call that ends the function it stands in (a tail call) counts as one of that function's caller.
 */
#ifndef LK_TESTS_LIB_CALL_COUNTS_H
#define LK_TESTS_LIB_CALL_COUNTS_H

#include <stdatomic.h>

/* The file's path; the file is as long as struct call_counts, and all zero. */
#define CALL_COUNTS_VARIABLE "LK_CALL_COUNTS"

enum call_kind {
	/* Takes or gives back memory. */
	CALL_MEMORY,
	/* Takes a lock, or waits for a condition. */
	CALL_LOCK,
	/* Prints formatted text, wherever to. */
	CALL_PRINT,
	CALL_KINDS,
};

struct call_counts {
	/* Whether anybody counts here: set when the process starts. */
	atomic_ulong ready;
	atomic_ulong calls[CALL_KINDS];
};

#endif

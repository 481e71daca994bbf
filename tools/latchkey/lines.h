/*
 * Lines of a file or a pipe, one after the other, in bounded memory. What they hold may be secret: the buffer is wiped.
 *
 * From one thread. Blocks while a pipe has nothing to say.
 */
#ifndef LK_CLI_LINES_H
#define LK_CLI_LINES_H

#include <stddef.h>
#include <stdint.h>

/* The longest line: a key with all that it may hold, every character of it escaped. */
#define LK_LINES_MAX ((size_t)128 << 10)

enum lk_lines_next {
	/* A line, without its "\n" or "\r\n". The last one needs none. */
	LK_LINES_LINE,
	/* One of more than LK_LINES_MAX bytes; it was passed over. */
	LK_LINES_TOO_LONG,
	LK_LINES_END,
	/* It cannot be read: errno says why. */
	LK_LINES_FAILED,
};

struct lk_lines {
	int fd;
	/* Of the line that was given last, from 1. */
	size_t number;
	/* Bytes of all lines so far. */
	uint64_t bytes;
	char *buffer;
	/* What was read, and how far it was given. */
	size_t filled, given;
	int at_end;
};

/* Begins to read `fd`, which stays the caller's. -1: out of memory. */
int lk_lines_open(struct lk_lines *lines, int fd);

/* Wipes and frees. Takes one that is all zero. */
void lk_lines_done(struct lk_lines *lines);

/* The next line; it lies in the buffer, without a NUL, until the next call. */
enum lk_lines_next lk_lines_next(struct lk_lines *lines, const char **ret_text, size_t *ret_len);

#endif

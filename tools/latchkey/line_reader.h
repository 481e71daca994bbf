/*
 * Lines of a file or a pipe, one after the other, in bounded memory. What they hold may be secret: the buffer is wiped.
 *
 * From one thread. Blocks while a pipe has nothing to say.
 */
#ifndef LK_CLI_LINE_READER_H
#define LK_CLI_LINE_READER_H

#include <stddef.h>
#include <stdint.h>

/* The longest line: a key with all that it may hold, every character of it escaped. */
#define LK_LINE_READER_MAX ((size_t)128 << 10)

enum lk_line_reader_next {
	/* A line, without its "\n" or "\r\n". The last one needs none. */
	LK_LINE_READER_LINE,
	/* One of more than LK_LINE_READER_MAX bytes; it was passed over. */
	LK_LINE_READER_TOO_LONG,
	LK_LINE_READER_END,
	/* It cannot be read: errno says why. */
	LK_LINE_READER_FAILED,
};

struct lk_line_reader {
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
int lk_line_reader_open(struct lk_line_reader *lines, int fd);

/* Wipes and frees. Takes one that is all zero. */
void lk_line_reader_done(struct lk_line_reader *lines);

/* The next line; it lies in the buffer, without a NUL, until the next call. */
enum lk_line_reader_next lk_line_reader_next(struct lk_line_reader *lines, const char **ret_text, size_t *ret_len);

#endif

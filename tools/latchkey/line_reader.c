#include "tools/latchkey/line_reader.h"

#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Holds the longest line with its end, and reads in large pieces. */
#define BUFFER_SIZE (LK_LINE_READER_MAX + 2 + ((size_t)128 << 10))

int lk_line_reader_open(struct lk_line_reader *lines, int fd)
{
	*lines = (struct lk_line_reader){.fd = fd, .buffer = malloc(BUFFER_SIZE)};
	return lines->buffer ? 0 : -1;
}

void lk_line_reader_done(struct lk_line_reader *lines)
{
	if (lines->buffer) {
		sodium_memzero(lines->buffer, BUFFER_SIZE);
	}
	free(lines->buffer);
	*lines = (struct lk_line_reader){0};
}

/* Reads more behind what was not given yet. False: it cannot be read. */
static bool fill(struct lk_line_reader *lines)
{
	ssize_t n;

	if (lines->given > 0) {
		memmove(lines->buffer, lines->buffer + lines->given, lines->filled - lines->given);
		lines->filled -= lines->given;
		lines->given = 0;
	}
	do {
		n = read(lines->fd, lines->buffer + lines->filled, BUFFER_SIZE - lines->filled);
	} while (n < 0 && errno == EINTR);
	if (n < 0) {
		return false;
	}
	lines->at_end = n == 0;
	lines->filled += (size_t)n;
	return true;
}

/* Passes over what is left of a line that does not fit. */
static enum lk_line_reader_next skip(struct lk_line_reader *lines)
{
	const char *newline = NULL;

	while (!newline) {
		lines->bytes += lines->filled - lines->given;
		lines->given = lines->filled;
		if (lines->at_end) {
			return LK_LINE_READER_TOO_LONG;
		}
		if (!fill(lines)) {
			return LK_LINE_READER_FAILED;
		}
		newline = memchr(lines->buffer, '\n', lines->filled);
	}
	lines->given = (size_t)(newline - lines->buffer) + 1;
	lines->bytes += lines->given;
	return LK_LINE_READER_TOO_LONG;
}

enum lk_line_reader_next lk_line_reader_next(struct lk_line_reader *lines, const char **ret_text, size_t *ret_len)
{
	const char *text, *newline;
	size_t len, whole;

	for (;;) {
		text = lines->buffer + lines->given;
		len = lines->filled - lines->given;
		newline = memchr(text, '\n', len);
		if (newline || lines->at_end || len > LK_LINE_READER_MAX + 1) {
			break;
		}
		if (!fill(lines)) {
			return LK_LINE_READER_FAILED;
		}
	}
	if (len == 0) {
		return LK_LINE_READER_END;
	}
	lines->number++;
	if (!newline && !lines->at_end) {
		return skip(lines);
	}
	whole = newline ? (size_t)(newline - text) + 1 : len;
	len = newline ? whole - 1 : len;
	len -= len > 0 && text[len - 1] == '\r';
	lines->given += whole;
	lines->bytes += whole;
	if (len > LK_LINE_READER_MAX) {
		return LK_LINE_READER_TOO_LONG;
	}
	*ret_text = text;
	*ret_len = len;
	return LK_LINE_READER_LINE;
}

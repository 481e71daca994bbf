/*
 * The log: logfmt on standard error, one line an event.
 *
 *   ts=2026-11-21T09:30:00.000000Z level=info msg=ready url=ipc:///run/latchkey/latchkey.sock
 *
 * A message is a fixed text and a list of typed fields, never a format: what a client sent is a value and can forge neither a
 * field nor a line. A value with anything but printable ASCII in it, or with a space, a quote, a backslash or '=', is quoted;
 * control characters, the invisible characters that reorder text, and bytes that are not UTF-8 are escaped.
 *
 * Any thread, no locks: a line is written by one write(2). A line is at most LK_LOG_LINE_MAX bytes; a longer value ends in
 * "...", and a field that does not fit is left out and truncated=true stands at the end. An error of write(2) is ignored, and
 * errno kept.
 * Secrets never come here; that is the callers' duty.
 */
#ifndef LK_SERVER_LOG_H
#define LK_SERVER_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many bytes as a pipe takes in one piece (PIPE_BUF). */
#define LK_LOG_LINE_MAX 4096

enum lk_log_level {
	LK_LOG_ERROR = 0,
	LK_LOG_WARN,
	LK_LOG_INFO,
	LK_LOG_DEBUG,
	LK_LOG_LEVELS,
};

enum lk_log_type {
	LK_LOG_TYPE_TEXT,
	LK_LOG_TYPE_BYTES,
	LK_LOG_TYPE_INT,
	LK_LOG_TYPE_UINT,
	LK_LOG_TYPE_BOOL,
};

struct lk_log_field {
	const char *key;
	enum lk_log_type type;
	union {
		const char *text;
		struct {
			const void *data;
			size_t len;
		} bytes;
		int64_t integer;
		uint64_t natural;
		bool flag;
	} value;
};

/* The fields of LK_LOG. The key is a literal. A text that is NULL is written as "". */
#define LK_LOG_FIELD(name, kind, ...) ((struct lk_log_field){.key = "" name "", .type = (kind), .value = {__VA_ARGS__}})
#define LK_STR(name, string)          LK_LOG_FIELD(name, LK_LOG_TYPE_TEXT, .text = (string))
#define LK_SPAN(name, start, length)  LK_LOG_FIELD(name, LK_LOG_TYPE_BYTES, .bytes = {.data = (start), .len = (length)})
#define LK_INT(name, number)          LK_LOG_FIELD(name, LK_LOG_TYPE_INT, .integer = (number))
#define LK_UINT(name, number)         LK_LOG_FIELD(name, LK_LOG_TYPE_UINT, .natural = (number))
#define LK_FLAG(name, boolean)        LK_LOG_FIELD(name, LK_LOG_TYPE_BOOL, .flag = (boolean))

/*
 * LK_LOG(LK_LOG_INFO, "ready", LK_STR("url", url), LK_UINT("requests", n)); the fields may be left out, and are evaluated only
 * where the level is logged.
 */
#define LK_LOG(level, ...)                                                                                             \
	do {                                                                                                           \
		if (lk_log_enabled(level))                                                                             \
			LK_LOG_WRITE(level, __VA_ARGS__, LK_LOG_END);                                                  \
	} while (0)
#define LK_LOG_WRITE(level, message, ...)                                                                              \
	lk_log_write((level), "" message "", (const struct lk_log_field[]){__VA_ARGS__})
#define LK_LOG_END ((struct lk_log_field){.key = NULL})

/* Where the log goes and up to which level; before that, standard error and LK_LOG_INFO. */
void lk_log_setup(int fd, enum lk_log_level level);

bool lk_log_enabled(enum lk_log_level level);

/* Writes one line, with the fields up to the one whose key is NULL. */
void lk_log_write(enum lk_log_level level, const char *message, const struct lk_log_field *fields);

/*
 * How often a line may be written that strangers can provoke. All zero to begin with; any thread.
 */
struct lk_log_limit {
	_Atomic uint64_t next_ms;
	_Atomic uint64_t suppressed;
};

/* Whether the line may be written now: at most one a second. Then `*ret_suppressed` is how many were not since the last one. */
bool lk_log_allow(struct lk_log_limit *limit, uint64_t *ret_suppressed);

/* "error", "warn", "info", "debug". */
const char *lk_log_level_name(enum lk_log_level level);

/* Finds a level by its name; false where there is none. */
bool lk_log_level_parse(const char *name, enum lk_log_level *ret_level);

#endif

/*
 * Answers for people: JSON objects as tables, by what each noun says its fields are.
 *
 * Pure but for the printing; from one thread.
 */
#ifndef LK_CLI_SHOW_H
#define LK_CLI_SHOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "tools/latchkey/table.h"

enum lk_show_kind {
	/* As it stands: strings, numbers, yes or no, lists with commas, maps as "key=value". */
	LK_SHOW_PLAIN,
	/* A Timestamp, to the second and in UTC. */
	LK_SHOW_TIME,
	/* A Duration in days, hours, minutes and seconds: "30d". */
	LK_SHOW_SPAN,
	/* The number of a status, by its name: "OK", "PERMISSION_DENIED". */
	LK_SHOW_STATUS,
	/* A number; 0 is as if it were not there. */
	LK_SHOW_COUNT,
	/* A list of RateLimits, each as it is typed (rate_limit.h). */
	LK_SHOW_LIMITS,
	/* An enum, which needs a prefix; UNSPECIFIED is as if it were not there. */
	LK_SHOW_CHOICE,
};

/* One field of an object. */
struct lk_show_field {
	struct lk_column column;
	/* Where it is, by JSON's names: "policy.tokenPrefix". */
	const char *path;
	enum lk_show_kind kind;
	/* What to show where it is not there; NULL: nothing. */
	const char *absent;
	/* An enum's name, which its values begin with and the table leaves out: "KEY_STATE_". NULL: not an enum. */
	const char *prefix;
	/* Of rows: without this column where none of them has it. */
	bool rare;
};

/*
 * Prints an array of objects as rows. Of an empty one it says `none` on standard error.
 * LK_NO_MEMORY, LK_IO: as lk_table_print().
 */
LK_MUST_CHECK enum lk_err lk_show_rows(const struct lk_show_field *fields, size_t n, const json_t *objects,
	const char *none, const struct lk_page *page);

/* Prints one object, a field a line. Errors as above. */
LK_MUST_CHECK enum lk_err lk_show_record(
	const struct lk_show_field *fields, size_t n, const json_t *object, const struct lk_page *page);

/* Writes a Duration as LK_SHOW_SPAN shows it. What it does not understand it writes as it stands. */
void lk_show_write_span(FILE *out, const char *json);

/* The text of one field, to be free()d; NULL: out of memory. `*ret_tint` is how to colour it. */
char *lk_show_text(const struct lk_show_field *field, const json_t *object, enum lk_tint *ret_tint);

#endif

/*
 * Tables for people: rows under headers, or one record as a list of fields.
 *
 * A table fits the width that it is printed for: columns that may shrink do, then the most dispensable ones are left out,
 * and at last what is left is cut, which "…" shows. Cells are made harmless (text.h) when they are added.
 *
 * A table belongs to one thread. Adding sets a flag on a lack of memory, and printing then returns LK_NO_MEMORY: callers
 * check once.
 */
#ifndef LK_CLI_TABLE_H
#define LK_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <latchkey/error.h>

struct lk_column {
	const char *header;
	/* 0: always shown; else the higher, the sooner it is left out. */
	unsigned char dispensable;
	/* May be cut to this many columns before any column is left out; 0: it is not cut while there is another way. */
	unsigned char least;
};

enum lk_tint {
	LK_TINT_NONE,
	LK_TINT_GOOD,
	LK_TINT_BAD,
	LK_TINT_DIM,
};

/* Where and how to print. */
struct lk_page {
	FILE *file;
	/* 0: no limit. */
	size_t columns;
	bool coloured;
};

struct lk_table;

/* A table of `n` columns, which are borrowed. NULL: out of memory. */
struct lk_table *lk_table_new(const struct lk_column *columns, size_t n);
void lk_table_free(struct lk_table *table);

/* Adds the next cell, left to right and row by row. `text` is copied. */
void lk_table_add(struct lk_table *table, const char *text, enum lk_tint tint);

/* Prints headers and rows; `*ret_left_out`: how many columns did not fit. LK_NO_MEMORY: see above; LK_IO. */
LK_MUST_CHECK enum lk_err lk_table_print(
	const struct lk_table *table, const struct lk_page *page, size_t *ret_left_out);

/* Prints the first row as a list, a field a line, empty ones left out and long ones wrapped between words. Errors as above. */
LK_MUST_CHECK enum lk_err lk_table_print_record(const struct lk_table *table, const struct lk_page *page);

#endif

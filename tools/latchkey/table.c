#include "tools/latchkey/table.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/text.h"

#define GAP      2
#define ELLIPSIS "…"

struct cell {
	char *text;
	size_t width;
	enum lk_tint tint;
};

struct lk_table {
	const struct lk_column *columns;
	size_t n_columns;
	struct cell *cells;
	size_t n_cells, room;
	bool failed;
};

/* Where the columns stand on a page: the width of each, 0 for one that is left out. */
struct layout {
	size_t *widths;
	size_t n_left_out;
};

static const char *const tints[] = {
	[LK_TINT_NONE] = "",
	[LK_TINT_GOOD] = "\033[32m",
	[LK_TINT_BAD] = "\033[31m",
	[LK_TINT_DIM] = "\033[2m",
};

struct lk_table *lk_table_new(const struct lk_column *columns, size_t n)
{
	struct lk_table *table = calloc(1, sizeof(*table));

	if (table) {
		table->columns = columns;
		table->n_columns = n;
	}
	return table;
}

void lk_table_free(struct lk_table *table)
{
	if (!table) {
		return;
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		free(table->cells[i].text);
	}
	free(table->cells);
	free(table);
}

static bool grow(struct lk_table *table)
{
	size_t room = table->room > 0 ? table->room * 2 : 64;
	struct cell *cells = reallocarray(table->cells, room, sizeof(*cells));

	if (!cells) {
		return false;
	}
	table->cells = cells;
	table->room = room;
	return true;
}

void lk_table_add(struct lk_table *table, const char *text, enum lk_tint tint)
{
	char *harmless = NULL;

	if (table->n_cells == table->room && !grow(table)) {
		table->failed = true;
	}
	if (!table->failed) {
		harmless = lk_text_harmless(text);
	}
	if (!harmless) {
		table->failed = true;
		return;
	}
	table->cells[table->n_cells++] = (struct cell){harmless, lk_text_width(harmless), tint};
}

static size_t total_width(const struct lk_table *table, const struct layout *layout)
{
	size_t total = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		if (layout->widths[i] > 0) {
			total += layout->widths[i] + (total > 0 ? GAP : 0);
		}
	}
	return total;
}

/* Takes `excess` columns off the widest that may be cut, again and again. Returns what is still too much. */
static size_t shrink(const struct lk_table *table, struct layout *layout, size_t excess, bool at_any_cost)
{
	while (excess > 0) {
		size_t widest = SIZE_MAX;

		for (size_t i = 0; i < table->n_columns; i++) {
			size_t least = at_any_cost ? 1 : table->columns[i].least;

			if (least == 0 || layout->widths[i] <= least) {
				continue;
			}
			if (widest == SIZE_MAX || layout->widths[i] >= layout->widths[widest]) {
				widest = i;
			}
		}
		if (widest == SIZE_MAX) {
			break;
		}
		layout->widths[widest]--;
		excess--;
	}
	return excess;
}

/* Leaves the most dispensable column out, the rightmost of equals. False: every one that is left is needed. */
static bool leave_out(const struct lk_table *table, struct layout *layout)
{
	size_t worst = SIZE_MAX;

	for (size_t i = 0; i < table->n_columns; i++) {
		if (layout->widths[i] > 0 && table->columns[i].dispensable > 0 &&
			(worst == SIZE_MAX || table->columns[i].dispensable >= table->columns[worst].dispensable)) {
			worst = i;
		}
	}
	if (worst == SIZE_MAX) {
		return false;
	}
	layout->widths[worst] = 0;
	layout->n_left_out++;
	return true;
}

static void natural_widths(const struct lk_table *table, size_t *widths)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		widths[i] = lk_text_width(table->columns[i].header);
	}
	for (size_t i = 0; i < table->n_cells; i++) {
		if (table->cells[i].width > widths[i % table->n_columns]) {
			widths[i % table->n_columns] = table->cells[i].width;
		}
	}
}

static bool lay_out(const struct lk_table *table, size_t columns, struct layout *layout)
{
	size_t *natural = calloc(table->n_columns, sizeof(*natural));
	size_t total;

	layout->widths = calloc(table->n_columns, sizeof(*layout->widths));
	if (!natural || !layout->widths) {
		free(natural);
		return false;
	}
	natural_widths(table, natural);
	memcpy(layout->widths, natural, table->n_columns * sizeof(*natural));
	while (columns > 0 && (total = total_width(table, layout)) > columns) {
		if (shrink(table, layout, total - columns, false) == 0) {
			break;
		}
		if (!leave_out(table, layout)) {
			shrink(table, layout, total_width(table, layout) - columns, true);
			break;
		}
		/* There is room again: the others start from what they would have liked. */
		for (size_t i = 0; i < table->n_columns; i++) {
			layout->widths[i] = layout->widths[i] > 0 ? natural[i] : 0;
		}
	}
	free(natural);
	return true;
}

static void print_tinted(const struct lk_page *page, const char *text, size_t len, const char *tint)
{
	if (page->coloured && *tint != '\0') {
		fprintf(page->file, "%s%.*s\033[0m", tint, (int)len, text);
	} else {
		fwrite(text, 1, len, page->file);
	}
}

/* Prints `text` in `width` columns, cut where it is longer. Returns the columns that it takes. */
static size_t print_cut(const struct lk_page *page, const char *text, size_t width, const char *tint)
{
	size_t taken, len = lk_text_fit(text, width, &taken);

	if (text[len] == '\0') {
		print_tinted(page, text, len, tint);
		return taken;
	}
	len = lk_text_fit(text, width - 1, &taken);
	print_tinted(page, text, len, tint);
	fputs(ELLIPSIS, page->file);
	return taken + 1;
}

/* Prints one line; `cells` NULL: the headers. */
static void print_line(
	const struct lk_table *table, const struct lk_page *page, const struct layout *layout, const struct cell *cells)
{
	size_t pad = 0;

	for (size_t i = 0; i < table->n_columns; i++) {
		size_t taken, width = layout->widths[i];

		if (width == 0) {
			continue;
		}
		/* Padding waits for the next column, so that no line ends in spaces. */
		fprintf(page->file, "%*s", (int)pad, "");
		if (cells) {
			taken = print_cut(page, cells[i].text, width, tints[cells[i].tint]);
		} else {
			taken = print_cut(page, table->columns[i].header, width, "\033[1m");
		}
		pad = width - taken + GAP;
	}
	fputc('\n', page->file);
}

enum lk_err lk_table_print(const struct lk_table *table, const struct lk_page *page, size_t *ret_left_out)
{
	struct layout layout = {0};
	enum lk_err err = LK_OK;

	if (table->failed || !lay_out(table, page->columns, &layout)) {
		err = LK_NO_MEMORY;
		goto out;
	}
	print_line(table, page, &layout, NULL);
	for (size_t i = 0; i + table->n_columns <= table->n_cells; i += table->n_columns) {
		print_line(table, page, &layout, table->cells + i);
	}
	if (ferror(page->file)) {
		err = LK_IO;
	}
	*ret_left_out = layout.n_left_out;
out:
	free(layout.widths);
	return err;
}

/* How much of `text` goes into a line of `width` columns, 0 being no limit: up to a space where there is one. */
static size_t line_of(const char *text, size_t width)
{
	size_t taken, len = width > 0 ? lk_text_fit(text, width, &taken) : strlen(text);
	size_t words = len;

	/* A character wider than the whole line has to go somewhere. */
	if (text[len] == '\0' || len == 0) {
		return strlen(text);
	}
	while (words > 0 && text[words] != ' ') {
		words--;
	}
	while (words > 0 && text[words - 1] == ' ') {
		words--;
	}
	return words > 0 ? words : len;
}

/* Prints a cell in lines of `width` columns, each but the first behind `indent` spaces. */
static void print_wrapped(const struct lk_page *page, const struct cell *cell, size_t width, size_t indent)
{
	const char *text = cell->text;

	for (;;) {
		size_t len = line_of(text, width);

		print_tinted(page, text, len, tints[cell->tint]);
		fputc('\n', page->file);
		text += len;
		text += strspn(text, " ");
		if (*text == '\0') {
			return;
		}
		fprintf(page->file, "%*s", (int)indent, "");
	}
}

enum lk_err lk_table_print_record(const struct lk_table *table, const struct lk_page *page)
{
	size_t label = 0, width;

	if (table->failed || table->n_cells < table->n_columns) {
		return LK_NO_MEMORY;
	}
	for (size_t i = 0; i < table->n_columns; i++) {
		width = lk_text_width(table->columns[i].header);
		label = width > label ? width : label;
	}
	label += GAP;
	/* On a page with no room beside the labels, lines go on as long as they are. */
	width = page->columns > label ? page->columns - label : 0;
	for (size_t i = 0; i < table->n_columns; i++) {
		const char *header = table->columns[i].header;

		if (*table->cells[i].text == '\0') {
			continue;
		}
		print_tinted(page, header, strlen(header), "\033[1m");
		fprintf(page->file, "%*s", (int)(label - lk_text_width(header)), "");
		print_wrapped(page, &table->cells[i], width, label);
	}
	return ferror(page->file) ? LK_IO : LK_OK;
}

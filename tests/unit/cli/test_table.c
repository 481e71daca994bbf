#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/latchkey/table.h"
#include "tools/latchkey/text.h"

static const struct lk_column columns[] = {
	{"ID", 0, 0},
	{"NAME", 0, 6},
	{"STATE", 1, 0},
	{"OWNER", 2, 0},
};

#define N_COLUMNS (sizeof(columns) / sizeof(columns[0]))

static struct lk_table *table_of(const char *const *cells, size_t n)
{
	struct lk_table *table = lk_table_new(columns, N_COLUMNS);

	assert_non_null(table);
	for (size_t i = 0; i < n; i++) {
		lk_table_add(table, cells[i], LK_TINT_NONE);
	}
	return table;
}

/* Prints `table` and returns what was printed, to be free()d. */
static char *printed(const struct lk_table *table, size_t width, bool coloured, bool record, size_t *ret_left_out)
{
	char *text = NULL;
	size_t len = 0;
	struct lk_page page = {.file = open_memstream(&text, &len), .columns = width, .coloured = coloured};

	assert_non_null(page.file);
	if (record) {
		assert_int_equal(lk_table_print_record(table, &page), LK_OK);
	} else {
		assert_int_equal(lk_table_print(table, &page, ret_left_out), LK_OK);
	}
	assert_int_equal(fclose(page.file), 0);
	return text;
}

static void assert_printed(const char *const *cells, size_t n, size_t width, size_t left_out, const char *expected)
{
	struct lk_table *table = table_of(cells, n);
	size_t n_left_out = 99;
	char *text = printed(table, width, false, false, &n_left_out);

	assert_string_equal(text, expected);
	assert_int_equal(n_left_out, left_out);
	free(text);
	lk_table_free(table);
}

static const char *const two_rows[] = {
	"key_1",
	"a rather long name",
	"ACTIVE",
	"alice", /* row */
	"key_2",
	"日本",
	"REVOKED",
	"bob",
};

static void test_table_lines_columns_up(void **state)
{
	(void)state;
	assert_printed(two_rows, 8, 0, 0,
		"ID     NAME                STATE    OWNER\n"
		"key_1  a rather long name  ACTIVE   alice\n"
		"key_2  日本                REVOKED  bob\n");
}

static void test_table_cuts_what_may_be_cut(void **state)
{
	(void)state;
	assert_printed(two_rows, 8, 33, 0,
		"ID     NAME        STATE    OWNER\n"
		"key_1  a rather …  ACTIVE   alice\n"
		"key_2  日本        REVOKED  bob\n");
}

static void test_table_leaves_out_the_most_dispensable(void **state)
{
	(void)state;
	assert_printed(two_rows, 8, 25, 1,
		"ID     NAME       STATE\n"
		"key_1  a rather…  ACTIVE\n"
		"key_2  日本       REVOKED\n");
}

static void test_table_fits_any_width(void **state)
{
	struct lk_table *table = table_of(two_rows, 8);

	(void)state;
	for (size_t width = 4; width < 60; width++) {
		size_t left_out;
		char *text = printed(table, width, false, false, &left_out), *rest = text, *line;

		while ((line = strsep(&rest, "\n"))) {
			assert_in_range(lk_text_width(line), 0, width);
		}
		free(text);
	}
	lk_table_free(table);
}

static void test_table_makes_hostile_cells_harmless(void **state)
{
	static const char *const hostile[] = {"key_1", "\033[31mred\033[0m", "a\nkey_2  forged", "\xe2\x80\xaeghi\xff"};

	(void)state;
	assert_printed(hostile, 4, 0, 0,
		"ID     NAME                STATE             OWNER\n"
		"key_1  \\x1b[31mred\\x1b[0m  a\\nkey_2  forged  \\u{202e}ghi\\xff\n");
}

static void test_table_without_rows_has_headers(void **state)
{
	(void)state;
	assert_printed(NULL, 0, 0, 0, "ID  NAME  STATE  OWNER\n");
}

static void test_table_colours_what_it_pads(void **state)
{
	struct lk_table *table = lk_table_new(columns, 2);
	size_t left_out;
	char *text;

	(void)state;
	lk_table_add(table, "a", LK_TINT_GOOD);
	lk_table_add(table, "b", LK_TINT_NONE);
	text = printed(table, 0, true, false, &left_out);
	assert_string_equal(text, "\033[1mID\033[0m  \033[1mNAME\033[0m\n\033[32ma\033[0m   b\n");
	free(text);
	lk_table_free(table);
}

static void test_table_record_wraps_and_skips_what_is_empty(void **state)
{
	static const char *const row[] = {"key_1", "abcdefghij", "", "日本語"};
	struct lk_table *table = table_of(row, 4);
	char *text = printed(table, 12, false, true, NULL);

	(void)state;
	assert_string_equal(text, "ID     key_1\n"
				  "NAME   abcde\n"
				  "       fghij\n"
				  "OWNER  日本\n"
				  "       語\n");
	free(text);
	text = printed(table, 3, false, true, NULL);
	assert_non_null(strstr(text, "NAME   abcdefghij\n"));
	free(text);
	lk_table_free(table);
}

static void test_table_record_wraps_between_words(void **state)
{
	static const char *const row[] = {"the quick brown fox  jumps", "b", "", ""};
	struct lk_table *table = table_of(row, 4);
	char *text = printed(table, 17, false, true, NULL);

	(void)state;
	assert_string_equal(text, "ID     the quick\n"
				  "       brown fox\n"
				  "       jumps\n"
				  "NAME   b\n");
	free(text);
	lk_table_free(table);
}

static int choose_utf8(void **state)
{
	(void)state;
	lk_text_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_lines_columns_up),
		cmocka_unit_test(test_table_cuts_what_may_be_cut),
		cmocka_unit_test(test_table_leaves_out_the_most_dispensable),
		cmocka_unit_test(test_table_fits_any_width),
		cmocka_unit_test(test_table_makes_hostile_cells_harmless),
		cmocka_unit_test(test_table_without_rows_has_headers),
		cmocka_unit_test(test_table_colours_what_it_pads),
		cmocka_unit_test(test_table_record_wraps_and_skips_what_is_empty),
		cmocka_unit_test(test_table_record_wraps_between_words),
	};

	return cmocka_run_group_tests(tests, choose_utf8, NULL);
}

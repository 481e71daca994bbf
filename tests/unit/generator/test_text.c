#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tools/protoc-gen-latchkey/text.h"

static struct lk_pool pool;

static int empty_pool(void **state)
{
	(void)state;
	lk_pool_done(&pool);
	return 0;
}

static void test_text_expand_puts_values_in_place(void **state)
{
	struct lk_text text = {0};

	(void)state;
	LK_TEXT_EXPAND(&text, "@a@@b@ plain @a@", {"a", "1"}, {"b", "@a@"}, {"ab", "never"});
	assert_string_equal(text.data, "1@a@ plain 1");
	assert_int_equal(text.len, strlen(text.data));
	lk_text_done(&text);
	assert_null(text.data);
}

static void test_text_add_grows(void **state)
{
	struct lk_text text = {0};

	(void)state;
	for (size_t i = 0; i < 1000; i++) {
		lk_text_add(&text, "0123456789");
	}
	assert_int_equal(text.len, 10000);
	assert_int_equal(strlen(text.data), 10000);
	assert_string_equal(text.data + 9990, "0123456789");
	lk_text_done(&text);
}

static void test_text_literal_escapes(void **state)
{
	(void)state;
	assert_string_equal(lk_text_literal(&pool, NULL), "NULL");
	assert_string_equal(lk_text_literal(&pool, ""), "\"\"");
	assert_string_equal(lk_text_literal(&pool, "a \"b\" \\c"), "\"a \\\"b\\\" \\\\c\"");
	assert_string_equal(lk_text_literal(&pool, "what\?\?="), "\"what\\?\\?=\"");
	/* Three digits, so that a digit behind them is none of theirs. */
	assert_string_equal(lk_text_literal(&pool, "\x01"
						   "1\t\x7f"),
		"\"\\0011\\011\\177\"");
	assert_string_equal(lk_text_literal(&pool, "\xc3\xa4"), "\"\xc3\xa4\"");
}

static void test_text_comment_cannot_be_left(void **state)
{
	(void)state;
	assert_string_equal(lk_text_comment(&pool, "\t", NULL), "");
	assert_string_equal(lk_text_comment(&pool, "\t", "One line."), "\t/* One line. */\n");
	assert_string_equal(lk_text_comment(&pool, "", "a */ b"), "/* a * / b */\n");
	assert_string_equal(lk_text_comment(&pool, "", "a /* b"), "/* a / * b */\n");
	assert_string_equal(lk_text_comment(&pool, "", "/*/"), "/* / * / */\n");
	assert_string_equal(lk_text_comment(&pool, "\t", "One\n\nthree"), "\t/*\n\t * One\n\t *\n\t * three\n\t */\n");
}

static void test_text_one_line_joins_lines(void **state)
{
	(void)state;
	assert_string_equal(lk_text_one_line(&pool, NULL), "");
	assert_string_equal(lk_text_one_line(&pool, "One"), "One");
	assert_string_equal(lk_text_one_line(&pool, "One\ntwo\nthree"), "One two three");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_text_expand_puts_values_in_place, empty_pool),
		cmocka_unit_test_teardown(test_text_add_grows, empty_pool),
		cmocka_unit_test_teardown(test_text_literal_escapes, empty_pool),
		cmocka_unit_test_teardown(test_text_comment_cannot_be_left, empty_pool),
		cmocka_unit_test_teardown(test_text_one_line_joins_lines, empty_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

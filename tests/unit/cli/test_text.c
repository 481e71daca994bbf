#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/latchkey/text.h"

static void assert_harmless(const char *text, const char *expected)
{
	char *harmless = lk_text_harmless(text);

	assert_non_null(harmless);
	assert_string_equal(harmless, expected);
	free(harmless);
}

static void test_text_harmless_keeps_words(void **state)
{
	(void)state;
	assert_harmless("", "");
	assert_harmless("CI runner #3", "CI runner #3");
	assert_harmless("Zoë 日本語 🔑", "Zoë 日本語 🔑");
	assert_harmless("نامه\xe2\x80\x8cها", "نامه\xe2\x80\x8cها");
}

static void test_text_harmless_shows_escape_sequences(void **state)
{
	(void)state;
	assert_harmless("\033[2J\033]0;owned\007", "\\x1b[2J\\x1b]0;owned\\x07");
	assert_harmless("\xc2\x9b"
			"31m",
		"\\x9b31m");
	assert_harmless("a\nb\tc\rd\x7f", "a\\nb\\tc\\rd\\x7f");
}

static void test_text_harmless_shows_what_turns_text_round(void **state)
{
	(void)state;
	assert_harmless("ab\xe2\x80\xae"
			"cd",
		"ab\\u{202e}cd");
	assert_harmless("\xe2\x81\xa6"
			"x\xef\xbb\xbf\xe2\x80\xa8",
		"\\u{2066}x\\u{feff}\\u{2028}");
	assert_harmless("\xf3\xa0\x80\x81", "\\u{e0001}");
}

static void test_text_harmless_shows_bytes_that_are_no_utf8(void **state)
{
	(void)state;
	assert_harmless("\xff\xfe", "\\xff\\xfe");
	assert_harmless("a\xc3", "a\\xc3");
	assert_harmless("\xc0\xaf\xed\xa0\x80", "\\xc0\\xaf\\xed\\xa0\\x80");
}

static void test_text_width_counts_columns(void **state)
{
	(void)state;
	assert_int_equal(lk_text_width(""), 0);
	assert_int_equal(lk_text_width("Zoë"), 3);
	assert_int_equal(lk_text_width("日本"), 4);
	/* e and a combining acute */
	assert_int_equal(lk_text_width("e\xcc\x81"), 1);
}

static void test_text_fit_cuts_between_characters(void **state)
{
	size_t taken = 99;

	(void)state;
	assert_int_equal(lk_text_fit("日本語", 5, &taken), strlen("日本"));
	assert_int_equal(taken, 4);
	assert_int_equal(lk_text_fit("e\xcc\x81"
				     "a",
				 1, &taken),
		3);
	assert_int_equal(taken, 1);
	assert_int_equal(lk_text_fit("abc", 0, &taken), 0);
	assert_int_equal(taken, 0);
}

static void test_text_columns_takes_the_users_word(void **state)
{
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	assert_int_equal(setenv("COLUMNS", "72", 1), 0);
	assert_int_equal(lk_text_columns(file), 72);
	assert_int_equal(setenv("COLUMNS", "-1", 1), 0);
	assert_int_equal(lk_text_columns(file), 0);
	assert_int_equal(setenv("COLUMNS", "wide", 1), 0);
	assert_int_equal(lk_text_columns(file), 0);
	assert_false(lk_text_coloured(file));
	fclose(file);
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
		cmocka_unit_test(test_text_harmless_keeps_words),
		cmocka_unit_test(test_text_harmless_shows_escape_sequences),
		cmocka_unit_test(test_text_harmless_shows_what_turns_text_round),
		cmocka_unit_test(test_text_harmless_shows_bytes_that_are_no_utf8),
		cmocka_unit_test(test_text_width_counts_columns),
		cmocka_unit_test(test_text_fit_cuts_between_characters),
		cmocka_unit_test(test_text_columns_takes_the_users_word),
	};

	return cmocka_run_group_tests(tests, choose_utf8, NULL);
}

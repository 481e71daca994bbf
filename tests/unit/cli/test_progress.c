#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/latchkey/progress.h"

static void assert_shown(uint64_t keys, uint64_t done, uint64_t total, int64_t ms, size_t columns, const char *expected)
{
	char text[LK_PROGRESS_TEXT_MAX];

	lk_progress_format(keys, done, total, ms, columns, text);
	assert_string_equal(text, expected);
}

static void test_progress_shows_share_rate_and_rest(void **state)
{
	(void)state;
	assert_shown(500000, 50, 100, 50000, 0, " 50%  500,000 keys  10,000/s  0:50 left");
	assert_shown(1, 1, 1000, 7200000, 0, "  0%  1 keys  0/s  1998:00:00 left");
	assert_shown(999, 999, 1000, 999000, 0, " 99%  999 keys  1/s  0:01 left");
	assert_shown(1000, 1000, 1000, 1000000, 0, "100%  1,000 keys  1/s  0:00 left");
	/* A file that has grown meanwhile. */
	assert_shown(1000, 1100, 1000, 1000000, 0, "100%  1,000 keys  1/s");
}

static void test_progress_guesses_nothing_at_first(void **state)
{
	(void)state;
	assert_shown(0, 0, 100, 0, 0, "  0%  0 keys");
	assert_shown(10, 1, 100, 499, 0, "  1%  10 keys");
	assert_shown(0, 0, 100, 500, 0, "  0%  0 keys  0/s");
}

static void test_progress_of_no_known_end_has_no_bar(void **state)
{
	(void)state;
	assert_shown(1234567, 1234567, 0, 1000, 80, "1,234,567 keys  1,234,567/s");
}

static void test_progress_counts_other_things_than_keys(void **state)
{
	char text[LK_PROGRESS_TEXT_MAX];

	(void)state;
	lk_progress_format_unit("records", 1500, 1500, 3000, 1000, 0, text);
	assert_string_equal(text, " 50%  1,500 records  1,500/s  0:01 left");
}

static void test_progress_draws_a_bar_that_fits(void **state)
{
	char text[LK_PROGRESS_TEXT_MAX];

	(void)state;
	assert_shown(500000, 50, 100, 50000, 60,
		"[########---------] "
		" 50%  500,000 keys  10,000/s  0:50 left");
	for (size_t columns = 1; columns < 200; columns++) {
		for (uint64_t done = 0; done <= 100; done += 5) {
			lk_progress_format(1000000 * done, done, 100, 1000, columns, text);
			assert_true(strlen(text) < columns);
		}
	}
}

static void test_progress_numbers_have_their_thousands_apart(void **state)
{
	static const struct {
		uint64_t number;
		const char *text;
	} cases[] = {{0, "0"}, {12, "12"}, {999, "999"}, {1000, "1,000"}, {123456, "123,456"}, {1000000, "1,000,000"},
		{UINT64_MAX, "18,446,744,073,709,551,615"}};
	char text[LK_PROGRESS_NUMBER_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		lk_progress_number(cases[i].number, text);
		assert_string_equal(text, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_progress_shows_share_rate_and_rest),
		cmocka_unit_test(test_progress_guesses_nothing_at_first),
		cmocka_unit_test(test_progress_of_no_known_end_has_no_bar),
		cmocka_unit_test(test_progress_counts_other_things_than_keys),
		cmocka_unit_test(test_progress_draws_a_bar_that_fits),
		cmocka_unit_test(test_progress_numbers_have_their_thousands_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "server/core/text.h"
#include "tests/unit/core/faults_case.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEN          "abcdefghij"
#define SIXTY        TEN TEN TEN TEN TEN TEN

static void test_text_is_id_takes_ids(void **state)
{
	(void)state;
	static const char *const good[] = {
		"a", "0", "acme", "a-", "a-b", "0-9", "a--b", "active", "system", SIXTY "abc"};
	for (size_t i = 0; i < COUNT(good); i++) {
		assert_true(lk_text_is_id(good[i]));
	}
}

static void test_text_is_id_refuses_everything_else(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "-", "-a", "A", "aB", "a_b", "a.b", "a b", " a", "a ", "a\n", "*",
		"\xc3\xa4", "a\xc3\xa4", SIXTY "abcd"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		assert_false(lk_text_is_id(bad[i]));
		lk_faults_init(&faults, &arena);
		lk_text_check_id(&faults, "tenant", bad[i]);
		assert_int_equal(faults.count, 1);
		assert_string_equal(faults.items[0].field, "tenant");
		assert_non_null(strstr(faults.items[0].description, "a-z, 0-9 and '-'"));
	}
	lk_faults_init(&faults, &arena);
	lk_text_check_id(&faults, "tenant", "acme");
	assert_int_equal(faults.count, 0);
}

static void test_text_check_id_names_the_value(void **state)
{
	(void)state;
	lk_text_check_id(&faults, "tenant", "Acme");
	assert_non_null(strstr(faults.items[0].description, "\"Acme\""));
}

static void test_text_length_counts_code_points(void **state)
{
	(void)state;
	assert_int_equal(lk_text_length(""), 0);
	assert_int_equal(lk_text_length("abc"), 3);
	assert_int_equal(lk_text_length("\xc3\xa4\xe2\x82\xac\xf0\x9f\x94\x91"), 3);
	/* One letter as a base and a combining mark: two code points. */
	assert_int_equal(lk_text_length("a\xcc\x88"), 2);
}

static const char *const blanks[] = {"\t", "\n", "\v", "\f", "\r", " ", "\xc2\x85", "\xc2\xa0", "\xe1\x9a\x80",
	"\xe2\x80\x80", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80"};

static void test_text_trim_takes_every_white_space(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(blanks); i++) {
		const char *blank = blanks[i];
		char *text = lk_arena_printf(&arena, "%s%sx%sy%s%s", blank, blank, blank, blank, blank);
		char *expected = lk_arena_printf(&arena, "x%sy", blank);
		assert_string_equal(lk_text_trim(&arena, text), expected);
		assert_string_equal(lk_text_trim(&arena, blank), "");
	}
	assert_string_equal(lk_text_trim(&arena, ""), "");
	assert_string_equal(lk_text_trim(&arena, "a"), "a");
}

static void test_text_trim_leaves_what_only_looks_blank(void **state)
{
	(void)state;
	/* U+200B, U+FEFF, U+180E, U+2007's neighbours U+200B and U+1FFF, and control characters that are no white space. */
	static const char *const kept[] = {"\xe2\x80\x8b", "\xef\xbb\xbf", "\xe1\xa0\x8e", "\xe1\xbf\xbf", "\x01",
		"\x1f", "\x7f", "\xc2\x84", "\xc2\xa1", "\xe2\x80\xaa", "\xe3\x80\x81"};
	for (size_t i = 0; i < COUNT(kept); i++) {
		assert_string_equal(lk_text_trim(&arena, kept[i]), kept[i]);
	}
}

static void test_text_check_counts_characters_after_trimming(void **state)
{
	(void)state;
	static const char hundred[] = SIXTY TEN TEN TEN TEN;
	assert_string_equal(
		lk_text_check(&faults, "name", "  " SIXTY TEN TEN TEN TEN "  ", LK_NAME_MAX, true), hundred);
	assert_int_equal(faults.count, 0);
	(void)lk_text_check(&faults, "name", SIXTY TEN TEN TEN TEN "k", LK_NAME_MAX, true);
	assert_int_equal(faults.count, 1);
	assert_string_equal(faults.items[0].field, "name");
	assert_non_null(strstr(faults.items[0].description, "101 characters"));
	assert_non_null(strstr(faults.items[0].description, "at most 100"));
	/* 100 characters of four bytes each. */
	char wide[401] = {0};
	for (size_t i = 0; i < 100; i++) {
		memcpy(wide + 4 * i, "\xf0\x9f\x94\x91", 4);
	}
	assert_string_equal(lk_text_check(&faults, "name", wide, LK_NAME_MAX, true), wide);
	assert_int_equal(faults.count, 1);
}

static void test_text_check_refuses_control_characters_inside(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"a\nb", "a\tb", "\x01", "a\x7f", "a\xc2\x80", "a\xc2\x9f z", "\x1b[31m", "a\xc2\x85 b"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		lk_faults_init(&faults, &arena);
		(void)lk_text_check(&faults, "name", bad[i], LK_NAME_MAX, false);
		assert_int_equal(faults.count, 1);
		assert_non_null(strstr(faults.items[0].description, "control character"));
		/* And the message does not repeat it. */
		assert_null(strpbrk(faults.items[0].description, "\n\t\x01\x7f\x1b"));
	}
	lk_faults_init(&faults, &arena);
	assert_string_equal(lk_text_check(&faults, "name", "\n\ta b\r\n", LK_NAME_MAX, false), "a b");
	assert_int_equal(faults.count, 0);
}

static void test_text_check_wants_a_text_where_it_is_required(void **state)
{
	(void)state;
	assert_string_equal(lk_text_check(&faults, "name", " \xc2\xa0 ", LK_NAME_MAX, false), "");
	assert_int_equal(faults.count, 0);
	assert_string_equal(lk_text_check(&faults, "name", " \xc2\xa0 ", LK_NAME_MAX, true), "");
	assert_string_equal(lk_text_check(&faults, "name", "", LK_NAME_MAX, true), "");
	assert_int_equal(faults.count, 2);
	assert_non_null(strstr(faults.items[1].description, "is needed"));
}

static void test_text_check_reports_all_at_once(void **state)
{
	(void)state;
	(void)lk_text_check(&faults, "name", SIXTY SIXTY "\x01 z", LK_NAME_MAX, true);
	assert_int_equal(faults.count, 2);
}

static void test_text_check_without_memory_is_a_fault(void **state)
{
	(void)state;
	struct lk_arena small;
	assert_int_equal(lk_arena_init(&small, 16, 16), LK_OK);
	lk_faults_init(&faults, &small);
	assert_string_equal(lk_text_check(&faults, "name", SIXTY, LK_NAME_MAX, false), "");
	assert_int_equal(faults.count, 1);
	assert_null(lk_text_trim(&small, SIXTY));
	assert_non_null(lk_text_quote(&small, SIXTY));
	lk_arena_done(&small);
}

static void test_text_quote_cuts_long_values_at_a_character(void **state)
{
	(void)state;
	assert_string_equal(lk_text_quote(&arena, ""), "\"\"");
	assert_string_equal(lk_text_quote(&arena, SIXTY), "\"" SIXTY "\"");
	assert_string_equal(lk_text_quote(&arena, SIXTY "k"), "\"" SIXTY "\"...");
	assert_string_equal(lk_text_quote(&arena, "a\n\x1b\xc2\x9b z"), "\"a??? z\"");
	char *wide = lk_arena_printf(&arena, "%s\xf0\x9f\x94\x91\xf0\x9f\x94\x91", &SIXTY[1]);
	assert_string_equal(
		lk_text_quote(&arena, wide), lk_arena_printf(&arena, "\"%s\xf0\x9f\x94\x91\"...", &SIXTY[1]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_text_is_id_takes_ids, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(test_text_is_id_refuses_everything_else, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(test_text_check_id_names_the_value, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(test_text_length_counts_code_points, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(test_text_trim_takes_every_white_space, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(
			test_text_trim_leaves_what_only_looks_blank, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(
			test_text_check_counts_characters_after_trimming, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(
			test_text_check_refuses_control_characters_inside, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(
			test_text_check_wants_a_text_where_it_is_required, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(test_text_check_reports_all_at_once, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(
			test_text_check_without_memory_is_a_fault, faults_setup, faults_teardown),
		cmocka_unit_test_setup_teardown(
			test_text_quote_cuts_long_values_at_a_character, faults_setup, faults_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

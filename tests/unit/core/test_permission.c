#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/permission.h"
#include "tests/unit/core/faults_case.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define TEST(function) cmocka_unit_test_setup_teardown(function, faults_setup, faults_teardown)

static void test_permission_is_segments_with_colons_between(void **state)
{
	(void)state;
	static const char *const good[] = {"a", "agents:install", "A.b-c_9:0", "*", "agents:*", "*:list", "a:*:c",
		"...", "and:or", "android", "a:and"};
	static const char *const bad[] = {"", ":", "a:", ":a", "a::b", "a b", " a", "a*", "*a", "a:**", "a:b*", "a/b",
		"a\n", "\xc3\xa4", "a:b\x01", "(a)", "a,b"};
	for (size_t i = 0; i < COUNT(good); i++) {
		lk_permission_check(&faults, "permission", good[i]);
		assert_int_equal(faults.count, 0);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		lk_faults_init(&faults, &arena);
		lk_permission_check(&faults, "permission", bad[i]);
		assert_int_equal(faults.count, 1);
		faults_assert(0, "permission", "is no permission: give segments");
	}
}

/* Every text of up to five of these characters, told by a pattern of POSIX (regex(7)) whether it is a permission. */
static void test_permission_is_what_a_pattern_says(void **state)
{
	static const char characters[] = "aZ0-._:*( \n/";
	static const char segment[] = "([A-Za-z0-9_.-]+|\\*)";
	const size_t count = sizeof characters;
	char pattern[64];
	regex_t regex;

	(void)state;
	(void)snprintf(pattern, sizeof pattern, "^%s(:%s)*$", segment, segment);
	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	for (size_t number = 0; number < count * count * count * count * count; number++) {
		char text[6] = "";
		size_t rest = number;
		/* The NUL behind the characters ends the text early. */
		for (size_t i = 0; i < 5; i++, rest /= count) {
			text[i] = characters[rest % count];
		}
		lk_arena_reset(&arena);
		lk_faults_init(&faults, &arena);
		lk_permission_check(&faults, "permission", text);
		if ((faults.count == 0) != (regexec(&regex, text, 0, NULL, 0) == 0)) {
			fail_msg("'%s'", text);
		}
	}
	regfree(&regex);
}

static void test_permission_is_no_operator(void **state)
{
	(void)state;
	static const char *const bad[] = {"and", "or", "AND", "Or"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		lk_faults_init(&faults, &arena);
		lk_permission_check(&faults, "permission", bad[i]);
		assert_int_equal(faults.count, 1);
		faults_assert(0, "permission", "joins permissions");
	}
}

static void test_permission_has_a_length(void **state)
{
	(void)state;
	char text[130] = "";
	memset(text, 'a', 128);
	lk_permission_check(&faults, "permission", text);
	assert_int_equal(faults.count, 0);
	text[128] = 'a';
	lk_permission_check(&faults, "permission", text);
	assert_int_equal(faults.count, 1);
	faults_assert(0, "permission", "has 129 characters: shorten it to at most 128");
}

static void test_permission_list_names_each_fault_by_its_place(void **state)
{
	(void)state;
	char *list[] = {"a:b", "a b", "c", "a:b", ""};
	lk_permission_check_list(&faults, "keys[3].permissions", list, COUNT(list));
	assert_int_equal(faults.count, 3);
	faults_assert(0, "keys[3].permissions[1]", "\"a b\"");
	faults_assert(1, "keys[3].permissions[3]", "\"a:b\" is given twice");
	faults_assert(2, "keys[3].permissions[4]", "is no permission");
}

static void test_permission_list_has_a_length(void **state)
{
	(void)state;
	char texts[65][4];
	char *list[65];
	for (size_t i = 0; i < COUNT(list); i++) {
		texts[i][0] = (char)('a' + i / 10);
		texts[i][1] = (char)('0' + i % 10);
		texts[i][2] = '\0';
		list[i] = texts[i];
	}
	lk_permission_check_list(&faults, "permissions", list, 64);
	assert_int_equal(faults.count, 0);
	lk_permission_check_list(&faults, "permissions", list, 65);
	assert_int_equal(faults.count, 1);
	faults_assert(0, "permissions", "has 65 permissions: give at most 64");
	lk_permission_check_list(&faults, "permissions", NULL, 0);
	assert_int_equal(faults.count, 1);
}

static void test_permission_list_without_memory_is_never_good(void **state)
{
	(void)state;
	char *list[] = {"a b"};
	for (size_t cap = 0; cap < 1024; cap += 16) {
		struct lk_arena small;
		assert_int_equal(lk_arena_init(&small, cap, cap), LK_OK);
		lk_faults_init(&faults, &small);
		lk_permission_check_list(&faults, "permissions", list, COUNT(list));
		assert_true(faults.count > 0);
		lk_arena_done(&small);
	}
}

/* The same of copies with nothing behind them, which AddressSanitizer watches. */
static bool covers_without_nul(const char *held, const char *asked)
{
	size_t held_len = strlen(held);
	size_t asked_len = strlen(asked);
	char *held_copy = malloc(held_len);
	char *asked_copy = malloc(asked_len);

	assert_true(held_copy != NULL && asked_copy != NULL);
	memcpy(held_copy, held, held_len);
	memcpy(asked_copy, asked, asked_len);
	bool covers = lk_permission_covers_text(held_copy, held_len, asked_copy, asked_len);
	free(held_copy);
	free(asked_copy);
	return covers;
}

static void test_permission_covers_by_wildcards(void **state)
{
	(void)state;
	static const struct {
		const char *held;
		const char *asked;
		bool covers;
	} cases[] = {
		{"a", "a", true},
		{"a", "b", false},
		{"a", "A", false},
		{"a", "ab", false},
		{"ab", "a", false},
		{"a:b", "a:b", true},
		{"a:b", "a", false},
		{"a", "a:b", false},
		{"a:b", "a:b:c", false},
		{"a:b", "ab", false},
		{"*", "a", true},
		{"*", "a:b:c", true},
		{"*", "*", true},
		{"*", "a:*", true},
		{"a:*", "a:b", true},
		{"a:*", "a:b:c", true},
		{"a:*", "a", false},
		{"a:*", "ab:c", false},
		{"a:*", "b:c", false},
		{"*:c", "a:c", true},
		{"*:c", "a:b:c", false},
		{"*:c", "c", false},
		{"*:c", "a:d", false},
		{"a:*:c", "a:b:c", true},
		{"a:*:c", "a:b:d", false},
		{"a:*:c", "a:b:c:d", false},
		{"a:*:c", "a:c", false},
		{"a:*:*", "a:b", false},
		{"a:*:*", "a:b:c", true},
		{"a:*:*", "a:b:c:d", true},
		/* What is asked for with a wildcard is more than any one of it. */
		{"a:b", "a:*", false},
		{"a:*", "a:*", true},
		{"a:*:c", "a:*", false},
		{"a:*:c", "a:*:c", true},
		{"a:*:*", "a:*", false},
		{"a:*", "a:*:c", true},
		{"a:*", "*", false},
		{"*:*", "*", false},
		{"*:b", "a:*", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (lk_permission_covers(cases[i].held, cases[i].asked) != cases[i].covers ||
			covers_without_nul(cases[i].held, cases[i].asked) != cases[i].covers) {
			fail_msg("'%s' over '%s'", cases[i].held, cases[i].asked);
		}
	}
}

/* What covers what, told by a rule of its own: segment by segment, from lists of them. */
static bool list_covers(char held[][2], size_t n_held, char asked[][2], size_t n_asked)
{
	for (size_t i = 0; i < n_held; i++) {
		bool any = strcmp(held[i], "*") == 0;
		if (any && i + 1 == n_held) {
			return n_asked > i;
		}
		if (i >= n_asked || (!any && strcmp(held[i], asked[i]) != 0)) {
			return false;
		}
	}
	return n_asked == n_held;
}

static size_t make_list(unsigned number, char ret_list[4][2], char ret_text[8])
{
	static const char letters[] = "ab*";
	size_t count = 1 + number % 4;

	ret_text[0] = '\0';
	number /= 4;
	for (size_t i = 0; i < count; i++, number /= 3) {
		ret_list[i][0] = letters[number % 3];
		ret_list[i][1] = '\0';
		(void)strcat(strcat(ret_text, i == 0 ? "" : ":"), ret_list[i]);
	}
	return count;
}

/* Every two permissions of one to four segments of a, b and '*'. */
static void test_permission_covers_as_its_segments_do(void **state)
{
	char held[4][2];
	char asked[4][2];
	char held_text[8];
	char asked_text[8];
	const unsigned count = 4 * 81;

	(void)state;
	for (unsigned i = 0; i < count * count; i++) {
		size_t n_held = make_list(i / count, held, held_text);
		size_t n_asked = make_list(i % count, asked, asked_text);
		if (covers_without_nul(held_text, asked_text) != list_covers(held, n_held, asked, n_asked)) {
			fail_msg("'%s' over '%s'", held_text, asked_text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_permission_is_segments_with_colons_between),
		TEST(test_permission_is_what_a_pattern_says),
		TEST(test_permission_is_no_operator),
		TEST(test_permission_has_a_length),
		TEST(test_permission_list_names_each_fault_by_its_place),
		TEST(test_permission_list_has_a_length),
		TEST(test_permission_list_without_memory_is_never_good),
		TEST(test_permission_covers_by_wildcards),
		TEST(test_permission_covers_as_its_segments_do),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

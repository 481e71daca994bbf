#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/mask.h"
#include "tests/unit/core/faults_case.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define TEST(function) cmocka_unit_test_setup_teardown(function, faults_setup, faults_teardown)

enum {
	NAME,
	POLICY,
	POLICY_MAX,
	POLICY_MIN,
	POLICY_X,
};
static const char *const table[] = {"name", "policy", "policy.max", "policy.min", "policyx"};

/* Checks a mask of these paths, which end with NULL. */
static struct lk_mask check(const char *const *paths)
{
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	while (paths[mask.n_paths] != NULL) {
		mask.n_paths++;
	}
	mask.paths = (char **)(uintptr_t)paths;
	return lk_mask_check(&faults, &mask, table, COUNT(table));
}

static void assert_fault(size_t at, const char *part)
{
	assert_true(at < faults.count);
	assert_string_equal(faults.items[at].field, "update_mask");
	if (strstr(faults.items[at].description, part) == NULL) {
		fail_msg("'%s' does not say '%s'", faults.items[at].description, part);
	}
}

static void test_mask_names_what_is_given_and_nothing_else(void **state)
{
	(void)state;
	struct lk_mask mask = check((const char *const[]){"policy.min", "name", NULL});
	assert_int_equal(faults.count, 0);
	assert_true(lk_mask_names(mask, NAME));
	assert_true(lk_mask_names(mask, POLICY_MIN));
	assert_false(lk_mask_names(mask, POLICY));
	assert_false(lk_mask_names(mask, POLICY_MAX));
	assert_false(lk_mask_names(mask, POLICY_X));
}

static void test_mask_parent_names_all_below_it(void **state)
{
	(void)state;
	struct lk_mask mask = check((const char *const[]){"policy", NULL});
	assert_int_equal(faults.count, 0);
	assert_true(lk_mask_names(mask, POLICY));
	assert_true(lk_mask_names(mask, POLICY_MAX));
	assert_true(lk_mask_names(mask, POLICY_MIN));
	assert_false(lk_mask_names(mask, POLICY_X));
	assert_false(lk_mask_names(mask, NAME));
}

static void test_mask_that_says_nothing_is_a_fault(void **state)
{
	(void)state;
	struct lk_mask mask = lk_mask_check(&faults, NULL, table, COUNT(table));
	assert_int_equal(mask.named, 0);
	assert_int_equal(faults.count, 1);
	assert_fault(0, "is needed: name the fields that are to be changed, of name, policy, policy.max, policy.min "
			"and policyx");
	mask = check((const char *const[]){NULL});
	assert_int_equal(mask.named, 0);
	assert_int_equal(faults.count, 2);
	assert_fault(1, "is needed");
}

static void test_mask_star_is_a_fault(void **state)
{
	(void)state;
	struct lk_mask mask = check((const char *const[]){"*", NULL});
	assert_int_equal(mask.named, 0);
	assert_int_equal(faults.count, 1);
	assert_fault(0, "\"*\" is not taken");
}

static void test_mask_unknown_paths_are_faults(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"", "names", "nam", "Name", "name ", "name.x", "policy.", "policy.*", "policy.maxi", ".name", "a\nb"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		lk_faults_init(&faults, &arena);
		struct lk_mask mask = check((const char *const[]){bad[i], "name", NULL});
		assert_int_equal(mask.named, 1);
		assert_int_equal(faults.count, 1);
		assert_fault(0, "is no field that can be changed: those are name, policy,");
	}
	assert_fault(0, "\"a?b\"");
}

static void test_mask_path_given_twice_is_a_fault(void **state)
{
	(void)state;
	struct lk_mask mask = check((const char *const[]){"name", "policy.max", "name", NULL});
	assert_int_equal(faults.count, 1);
	assert_fault(0, "\"name\" is given twice");
	assert_true(lk_mask_names(mask, NAME));
	assert_true(lk_mask_names(mask, POLICY_MAX));
}

static void test_mask_path_beside_its_parent_is_a_fault(void **state)
{
	(void)state;
	(void)check((const char *const[]){"policy.max", "policy", "policyx", "policy.min", NULL});
	assert_int_equal(faults.count, 2);
	assert_fault(0, "\"policy.max\" is part of \"policy\"");
	assert_fault(1, "\"policy.min\" is part of \"policy\"");
}

static void test_mask_reports_all_faults_together(void **state)
{
	(void)state;
	struct lk_mask mask = check((const char *const[]){"*", "x", "name", "name", "policy", "policy.min", NULL});
	assert_int_equal(faults.count, 4);
	assert_fault(0, "\"*\"");
	assert_fault(1, "\"x\"");
	assert_fault(2, "twice");
	assert_fault(3, "part of");
	assert_true(lk_mask_names(mask, NAME));
}

static void test_mask_takes_a_table_of_the_largest_size(void **state)
{
	(void)state;
	char names[LK_MASK_PATHS_MAX][8];
	const char *full[LK_MASK_PATHS_MAX];
	Google__Protobuf__FieldMask given = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	for (size_t i = 0; i < LK_MASK_PATHS_MAX; i++) {
		names[i][0] = (char)('a' + i / 26);
		names[i][1] = (char)('a' + i % 26);
		names[i][2] = '\0';
		full[i] = names[i];
	}
	char *paths[] = {names[63], names[0]};
	given.n_paths = 2;
	given.paths = paths;
	struct lk_mask mask = lk_mask_check(&faults, &given, full, LK_MASK_PATHS_MAX);
	assert_int_equal(faults.count, 0);
	for (size_t i = 0; i < LK_MASK_PATHS_MAX; i++) {
		assert_int_equal(lk_mask_names(mask, i), i == 0 || i == 63);
	}
}

static void test_mask_without_memory_is_never_good(void **state)
{
	(void)state;
	static const char *const bad[] = {"x", NULL};
	for (size_t cap = 0; cap < 2048; cap += 32) {
		struct lk_arena small;
		assert_int_equal(lk_arena_init(&small, cap, cap), LK_OK);
		lk_faults_init(&faults, &small);
		assert_int_equal(check(bad).named, 0);
		assert_true(faults.count > 0);
		lk_arena_done(&small);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_mask_names_what_is_given_and_nothing_else),
		TEST(test_mask_parent_names_all_below_it),
		TEST(test_mask_that_says_nothing_is_a_fault),
		TEST(test_mask_star_is_a_fault),
		TEST(test_mask_unknown_paths_are_faults),
		TEST(test_mask_path_given_twice_is_a_fault),
		TEST(test_mask_path_beside_its_parent_is_a_fault),
		TEST(test_mask_reports_all_faults_together),
		TEST(test_mask_takes_a_table_of_the_largest_size),
		TEST(test_mask_without_memory_is_never_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

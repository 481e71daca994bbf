#include "server/core/faults.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static struct lk_arena arena;

static int setup(void **state)
{
	(void)state;
	return lk_arena_init(&arena, 16384, 65536) == LK_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	lk_arena_done(&arena);
	return 0;
}

static void test_faults_start_empty_and_cost_nothing(void **state)
{
	(void)state;
	struct lk_faults faults;
	lk_faults_init(&faults, &arena);
	assert_int_equal(faults.count, 0);
	assert_null(faults.items);
}

static void test_faults_keep_their_order_and_a_copy_of_the_field(void **state)
{
	(void)state;
	struct lk_faults faults;
	lk_faults_init(&faults, &arena);
	char field[] = "name";
	lk_fault_add(&faults, field, "has %d characters", 101);
	memset(field, 'x', 4);
	lk_fault_add(&faults, "", "%s", "");
	assert_int_equal(faults.count, 2);
	assert_string_equal(faults.items[0].field, "name");
	assert_string_equal(faults.items[0].description, "has 101 characters");
	assert_string_equal(faults.items[1].field, "");
	assert_string_equal(faults.items[1].description, "");
}

static void test_faults_past_the_most_say_that_there_are_more(void **state)
{
	(void)state;
	struct lk_faults faults;
	lk_faults_init(&faults, &arena);
	for (int i = 0; i < LK_FAULTS_MAX; i++) {
		lk_fault_add(&faults, "f", "%d", i);
	}
	assert_string_equal(faults.items[LK_FAULTS_MAX - 1].description, "63");
	for (int i = 0; i < 1000; i++) {
		lk_fault_add(&faults, "f", "late");
	}
	assert_int_equal(faults.count, LK_FAULTS_MAX);
	assert_string_equal(faults.items[LK_FAULTS_MAX - 2].description, "62");
	assert_non_null(strstr(faults.items[LK_FAULTS_MAX - 1].description, "further faults"));
}

static void test_faults_count_although_the_arena_is_full(void **state)
{
	(void)state;
	struct lk_arena small;
	assert_int_equal(lk_arena_init(&small, 16, 16), LK_OK);
	struct lk_faults faults;
	lk_faults_init(&faults, &small);
	for (int i = 0; i < 3; i++) {
		lk_fault_add(&faults, "name", "is wrong");
		assert_int_equal(faults.count, 1);
		assert_non_null(faults.items[0].field);
		assert_non_null(strstr(faults.items[0].description, "no memory"));
	}
	lk_arena_done(&small);
}

static void test_faults_count_although_their_text_does_not_fit(void **state)
{
	(void)state;
	struct lk_arena small;
	size_t table = LK_FAULTS_MAX * sizeof(struct lk_fault);
	assert_int_equal(lk_arena_init(&small, table + 32, table + 32), LK_OK);
	struct lk_faults faults;
	lk_faults_init(&faults, &small);
	lk_fault_add(&faults, "a", "b");
	lk_fault_add(&faults, "a", "b");
	assert_int_equal(faults.count, 2);
	assert_string_equal(faults.items[0].description, "b");
	assert_non_null(strstr(faults.items[1].description, "no memory"));
	lk_arena_done(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults_start_empty_and_cost_nothing),
		cmocka_unit_test(test_faults_keep_their_order_and_a_copy_of_the_field),
		cmocka_unit_test(test_faults_past_the_most_say_that_there_are_more),
		cmocka_unit_test(test_faults_count_although_the_arena_is_full),
		cmocka_unit_test(test_faults_count_although_their_text_does_not_fit),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

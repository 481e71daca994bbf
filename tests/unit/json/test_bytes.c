#include "tools/latchkey/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void test_bytes_grow_and_keep_what_is_there(void **state)
{
	(void)state;
	struct lk_bytes bytes = {0};
	for (size_t i = 0; i < 10000; i++) {
		uint8_t byte = (uint8_t)(i * 7);
		lk_bytes_append(&bytes, &byte, 1);
	}
	lk_bytes_append(&bytes, NULL, 0);
	assert_int_equal(bytes.len, 10000);
	assert_false(bytes.failed);
	for (size_t i = 0; i < 10000; i++) {
		assert_int_equal(bytes.data[i], (uint8_t)(i * 7));
	}
	lk_bytes_done(&bytes);
	assert_null(bytes.data);
	assert_int_equal(bytes.len, 0);
	lk_bytes_done(&bytes);
}

static void test_bytes_refuse_what_no_memory_can_hold_and_stay_failed(void **state)
{
	(void)state;
	struct lk_bytes bytes = {0};
	lk_bytes_append(&bytes, "abc", 3);
	assert_null(lk_bytes_add(&bytes, SIZE_MAX));
	assert_true(bytes.failed);
	lk_bytes_append(&bytes, "d", 1);
	assert_int_equal(bytes.len, 3);
	assert_memory_equal(bytes.data, "abc", 3);
	lk_bytes_done(&bytes);
	assert_null(lk_bytes_add(&bytes, SIZE_MAX / 2 + 2));
	assert_true(bytes.failed);
	lk_bytes_done(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_grow_and_keep_what_is_there),
		cmocka_unit_test(test_bytes_refuse_what_no_memory_can_hold_and_stay_failed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <latchkey/error.h>

static void test_error_numbers_of_grpc(void **state)
{
	static const char *const names[] = {"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED",
		"NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
		"ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};

	(void)state;
	for (uint32_t code = 0; code < sizeof(names) / sizeof(names[0]); code++) {
		assert_string_equal(lk_err_name(lk_err_from_wire(code)), names[code]);
		assert_int_equal(lk_err_wire_code(lk_err_from_wire(code)), code);
	}
}

static void test_error_undefined_code_is_unknown(void **state)
{
	(void)state;
	assert_int_equal(lk_err_from_wire(17), LK_UNKNOWN);
	assert_int_equal(lk_err_from_wire(LK_PROTOCOL), LK_UNKNOWN);
	assert_int_equal(lk_err_from_wire(UINT32_MAX), LK_UNKNOWN);
	assert_string_equal(lk_err_name((enum lk_err)4711), "UNKNOWN");
	assert_string_equal(lk_err_name((enum lk_err) - 1), "UNKNOWN");
	assert_int_equal(lk_err_wire_code((enum lk_err)4711), LK_UNKNOWN);
}

static void test_error_local_ones_travel_as_canonical_ones(void **state)
{
	(void)state;
	for (int err = LK_PROTOCOL; err <= LK_HELD; err++) {
		assert_in_range(lk_err_wire_code((enum lk_err)err), 1, LK_UNAUTHENTICATED);
		assert_string_not_equal(lk_err_name((enum lk_err)err), "UNKNOWN");
	}
	assert_int_equal(lk_err_wire_code(LK_NO_MEMORY), LK_RESOURCE_EXHAUSTED);
	assert_int_equal(lk_err_wire_code(LK_FULL), LK_RESOURCE_EXHAUSTED);
	assert_int_equal(lk_err_wire_code(LK_CORRUPT), LK_DATA_LOSS);
	assert_int_equal(lk_err_wire_code(LK_MOVED), LK_ABORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_numbers_of_grpc),
		cmocka_unit_test(test_error_undefined_code_is_unknown),
		cmocka_unit_test(test_error_local_ones_travel_as_canonical_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

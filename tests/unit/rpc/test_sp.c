/* The framing of SP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/rpc/sp.h"

static void test_sp_head_is_read_as_it_was_written(void **state)
{
	static const uint64_t lengths[] = {0, 1, 255, 256, 65536, UINT64_C(1) << 40, UINT64_MAX};
	uint8_t head[LK_SP_HEAD_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (int ipc = 0; ipc < 2; ipc++) {
			uint64_t len = 42;

			lk_sp_write_head(ipc, lengths[i], head);
			assert_true(lk_sp_read_head(ipc, head, &len));
			assert_int_equal(len, lengths[i]);
		}
	}
	lk_sp_write_head(true, 0x0102, head);
	assert_memory_equal(head, "\1\0\0\0\0\0\0\1\2", 9);
	lk_sp_write_head(false, 0x0102, head);
	assert_memory_equal(head, "\0\0\0\0\0\0\1\2", 8);
}

static void test_sp_head_over_ipc_has_its_type(void **state)
{
	uint64_t len = 42;

	(void)state;
	assert_false(lk_sp_read_head(true, (const uint8_t *)"\0\0\0\0\0\0\0\0\1", &len));
	assert_false(lk_sp_read_head(true, (const uint8_t *)"\2\0\0\0\0\0\0\0\1", &len));
	assert_int_equal(len, 42);
}

static void test_sp_backtrace_ends_with_the_id(void **state)
{
	static const struct {
		const char *data;
		size_t len;
		size_t expected;
	} cases[] = {
		{"", 0, 0},
		{"\x80\0\0", 3, 0},
		{"\x80\0\0\1", 4, 4},
		{"\x80\0\0\1rest", 8, 4},
		{"\0\0\0\1\x80\0\0\2", 8, 8},
		{"\0\0\0\1\x80\0\0", 7, 0},
		{"\0\0\0\1", 4, 0},
		{"\x7f\xff\xff\xff\x7f\xff\xff\xff\xff\0\0\0z", 13, 12},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		/* At the end of its allocation, so that a read past the end shows. */
		uint8_t *copy = malloc(cases[i].len + 1);

		assert_non_null(copy);
		memcpy(copy + 1, cases[i].data, cases[i].len);
		assert_int_equal(lk_sp_backtrace_len(copy + 1, cases[i].len), cases[i].expected);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sp_head_is_read_as_it_was_written),
		cmocka_unit_test(test_sp_head_over_ipc_has_its_type),
		cmocka_unit_test(test_sp_backtrace_ends_with_the_id),
	};

	return cmocka_run_group_tests_name("sp", tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/buffer.h"

static void append(struct lk_buffer *buffer, const char *text)
{
	assert_true(lk_buffer_reserve(buffer, strlen(text)));
	memcpy(buffer->data + buffer->len, text, strlen(text));
	buffer->len += strlen(text);
}

static void test_buffer_grows_and_keeps_what_it_has(void **state)
{
	struct lk_buffer buffer = {0};

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		append(&buffer, "0123456789");
	}
	assert_int_equal(buffer.len, 100000);
	for (size_t i = 0; i < buffer.len; i++) {
		assert_int_equal(buffer.data[i], '0' + i % 10);
	}
	lk_buffer_done(&buffer);
	assert_null(buffer.data);
	lk_buffer_done(&buffer);
}

static void test_buffer_wipes_what_leaves_it(void **state)
{
	static const uint8_t zeros[6];
	struct lk_buffer buffer = {0};

	(void)state;
	append(&buffer, "secretrest");
	lk_buffer_consume(&buffer, 6);
	assert_int_equal(buffer.len, 4);
	assert_memory_equal(buffer.data, "rest", 4);
	assert_memory_equal(buffer.data + 4, zeros, 6);
	lk_buffer_clear(&buffer);
	assert_int_equal(buffer.len, 0);
	assert_non_null(buffer.data);
	assert_memory_equal(buffer.data, zeros, 4);
	lk_buffer_done(&buffer);
}

static void test_buffer_does_not_keep_much(void **state)
{
	struct lk_buffer buffer = {0};

	(void)state;
	assert_true(lk_buffer_reserve(&buffer, 1 << 20));
	lk_buffer_clear(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.capacity, 0);
}

static void test_buffer_absurd_sizes_fail(void **state)
{
	struct lk_buffer buffer = {0};

	(void)state;
	append(&buffer, "x");
	assert_false(lk_buffer_reserve(&buffer, SIZE_MAX));
	assert_false(lk_buffer_reserve(&buffer, SIZE_MAX - 1));
	assert_int_equal(buffer.len, 1);
	assert_int_equal(buffer.data[0], 'x');
	lk_buffer_consume(&buffer, 0);
	assert_int_equal(buffer.len, 1);
	lk_buffer_done(&buffer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buffer_grows_and_keeps_what_it_has),
		cmocka_unit_test(test_buffer_wipes_what_leaves_it),
		cmocka_unit_test(test_buffer_does_not_keep_much),
		cmocka_unit_test(test_buffer_absurd_sizes_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

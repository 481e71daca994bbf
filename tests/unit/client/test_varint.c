#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/varint.h"

static void test_varint_round_trip(void **state)
{
	static const struct {
		uint64_t value;
		size_t size;
	} cases[] = {{0, 1}, {1, 1}, {127, 1}, {128, 2}, {300, 2}, {16383, 2}, {16384, 3}, {UINT32_MAX, 5},
		{(uint64_t)1 << 63, 10}, {UINT64_MAX, 10}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t bytes[LK_VARINT_MAX];
		const uint8_t *at = bytes;
		uint64_t value = 0;
		size_t size = (size_t)(lk_varint_put(bytes, cases[i].value) - bytes);

		assert_int_equal(size, cases[i].size);
		assert_int_equal(lk_varint_size(cases[i].value), size);
		for (size_t cut = 0; cut < size; cut++) {
			assert_false(lk_varint_get(&at, bytes + cut, &value));
			assert_ptr_equal(at, bytes);
		}
		assert_true(lk_varint_get(&at, bytes + size, &value));
		assert_ptr_equal(at, bytes + size);
		assert_true(value == cases[i].value);
	}
}

static void test_varint_overflow_is_refused(void **state)
{
	static const uint8_t ten_too_large[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02};
	static const uint8_t eleven[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	const uint8_t *at = ten_too_large;
	uint64_t value = 7;

	(void)state;
	assert_false(lk_varint_get(&at, ten_too_large + sizeof(ten_too_large), &value));
	assert_ptr_equal(at, ten_too_large);
	at = eleven;
	assert_false(lk_varint_get(&at, eleven + sizeof(eleven), &value));
	assert_int_equal(value, 7);
}

static void test_varint_padded_zero_is_accepted(void **state)
{
	static const uint8_t padded[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00};
	const uint8_t *at = padded;
	uint64_t value = 7;

	(void)state;
	assert_true(lk_varint_get(&at, padded + sizeof(padded), &value));
	assert_int_equal(value, 0);
}

static void test_varint_u32_refuses_the_33rd_bit(void **state)
{
	static const uint8_t fits[] = {0xff, 0xff, 0xff, 0xff, 0x0f}, too_large[] = {0x80, 0x80, 0x80, 0x80, 0x10};
	const uint8_t *at = fits;
	uint32_t value = 0;

	(void)state;
	assert_true(lk_varint_get_u32(&at, fits + sizeof(fits), &value));
	assert_int_equal(value, UINT32_MAX);
	at = too_large;
	assert_false(lk_varint_get_u32(&at, too_large + sizeof(too_large), &value));
	assert_ptr_equal(at, too_large);
}

static void test_varint_tag_refuses_what_is_none(void **state)
{
	/* Field 0; groups; wire types 6 and 7. */
	static const uint8_t bad[] = {0x00, 0x02, 0x0b, 0x0c, 0x0e, 0x0f};
	static const uint8_t highest[] = {0xfa, 0xff, 0xff, 0xff, 0x0f};
	const uint8_t *at = NULL;
	uint32_t field = 0;
	enum lk_wire_type type = LK_WIRE_VARINT;

	(void)state;
	for (size_t i = 0; i < sizeof(bad); i++) {
		at = bad + i;
		assert_false(lk_varint_get_tag(&at, bad + i + 1, &field, &type));
		assert_ptr_equal(at, bad + i);
	}
	at = highest;
	assert_true(lk_varint_get_tag(&at, highest + sizeof(highest), &field, &type));
	assert_int_equal(field, (1u << 29) - 1);
	assert_int_equal(type, LK_WIRE_BYTES);
}

static void test_varint_bytes_stay_inside(void **state)
{
	static const uint8_t fine[] = {3, 'a', 'b', 'c'},
			     huge[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1};
	const uint8_t *at = fine, *data = NULL;
	size_t len = 0;

	(void)state;
	assert_false(lk_varint_get_bytes(&at, fine + 3, &data, &len));
	assert_ptr_equal(at, fine);
	assert_true(lk_varint_get_bytes(&at, fine + 4, &data, &len));
	assert_ptr_equal(data, fine + 1);
	assert_int_equal(len, 3);
	at = huge;
	assert_false(lk_varint_get_bytes(&at, huge + sizeof(huge), &data, &len));
}

static void test_varint_skip_each_type(void **state)
{
	static const uint8_t bytes[] = {0x80, 1, 2, 3, 4, 5, 6, 7, 8};
	static const struct {
		enum lk_wire_type type;
		size_t moved;
	} cases[] = {{LK_WIRE_VARINT, 2}, {LK_WIRE_FIXED32, 4}, {LK_WIRE_FIXED64, 8}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t *at = bytes;
		assert_false(lk_varint_skip(&at, bytes + cases[i].moved - 1, cases[i].type));
		assert_ptr_equal(at, bytes);
		assert_true(lk_varint_skip(&at, bytes + sizeof(bytes), cases[i].type));
		assert_ptr_equal(at, bytes + cases[i].moved);
	}
}

static void test_varint_find_bytes_stops_at_what_it_looks_for(void **state)
{
	/* Field 1: a varint; 4: "ab", and again "c"; 7: 4 bytes; 9: "". */
	static const uint8_t message[] = {
		1 << 3, 0x80, 1, 4 << 3 | 2, 2, 'a', 'b', 4 << 3 | 2, 1, 'c', 7 << 3 | 5, 1, 2, 3, 4, 9 << 3 | 2, 0};
	static const struct {
		uint32_t field;
		bool found;
		size_t at;
		size_t len;
	} cases[] = {{1, false, 0, 0}, {2, false, 0, 0}, {4, true, 5, 2}, {5, false, 0, 0}, {7, false, 0, 0},
		{9, true, 17, 0}, {10, false, 0, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const uint8_t *data = NULL;
		size_t len = 99;
		assert_int_equal(
			lk_varint_find_bytes(message, sizeof(message), cases[i].field, &data, &len), cases[i].found);
		if (cases[i].found) {
			assert_ptr_equal(data, message + cases[i].at);
			assert_int_equal(len, cases[i].len);
		}
	}
	/* Cut off within the field, or before it. */
	for (size_t cut = 0; cut < 7; cut++) {
		const uint8_t *data = NULL;
		size_t len = 99;
		assert_false(lk_varint_find_bytes(message, cut, 4, &data, &len));
		assert_int_equal(len, 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_varint_round_trip),
		cmocka_unit_test(test_varint_overflow_is_refused),
		cmocka_unit_test(test_varint_padded_zero_is_accepted),
		cmocka_unit_test(test_varint_u32_refuses_the_33rd_bit),
		cmocka_unit_test(test_varint_tag_refuses_what_is_none),
		cmocka_unit_test(test_varint_bytes_stay_inside),
		cmocka_unit_test(test_varint_skip_each_type),
		cmocka_unit_test(test_varint_find_bytes_stops_at_what_it_looks_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

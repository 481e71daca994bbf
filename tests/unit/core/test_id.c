#include "server/core/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct {
	int64_t time_us;
	uint8_t random[LK_KEY_ID_RANDOM_LEN];
	const char *id;
} vectors[] = {
	/* Made with python: int.from_bytes(ms.to_bytes(6) + random), 26 digits of base 32. */
	{0, {0}, "key_00000000000000000000000000"},
	{999, {0}, "key_00000000000000000000000000"},
	{1000, {0}, "key_00000000010000000000000000"},
	{-1, {1}, "key_00000000000400000000000000"},
	{INT64_MIN, {0}, "key_00000000000000000000000000"},
	{1000, {0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, "key_00000000010000000000000001"},
	{INT64_C(1795253400123456), {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99},
		"key_01m7yq1whv008j4ct4ank7f24s"},
	{INT64_C(253402300799999999), {255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
		"key_76ez91zpzzzzzzzzzzzzzzzzzz"},
	{INT64_C(281474976710655999), {255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
		"key_7zzzzzzzzzzzzzzzzzzzzzzzzz"},
};

static void test_id_make_gives_the_known_ids(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		char id[LK_KEY_ID_LEN];
		lk_key_id_make(vectors[i].time_us, vectors[i].random, id);
		assert_string_equal(id, vectors[i].id);
		assert_true(lk_key_id_is(id));
	}
}

/* An id and its bytes say the same, in the same order: its time, big-endian, and what was random. */
static void test_id_parse_gives_back_what_it_was_made_of(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(vectors); i++) {
		uint8_t bytes[LK_KEY_ID_BYTES_LEN];
		uint64_t ms = 0;
		assert_true(lk_key_id_parse(vectors[i].id, bytes));
		for (size_t k = 0; k < 6; k++) {
			ms = ms << 8 | bytes[k];
		}
		assert_int_equal(ms, vectors[i].time_us < 0 ? 0 : (uint64_t)vectors[i].time_us / 1000 & 0xffffffffffff);
		assert_memory_equal(bytes + 6, vectors[i].random, LK_KEY_ID_RANDOM_LEN);
	}
}

static void test_id_order_is_that_of_its_bytes(void **state)
{
	(void)state;
	static const char *const ids[] = {
		"key_00000000000000000000000000",
		"key_00000000000000000000000001",
		"key_0000000000000000000000000z",
		"key_00000000000000000000000010",
		"key_01m7yq1whv008j4ct4ank7f24s",
		"key_01m7yq1whw008j4ct4ank7f24s",
		"key_7zzzzzzzzzzzzzzzzzzzzzzzzz",
	};
	for (size_t i = 1; i < COUNT(ids); i++) {
		uint8_t before[LK_KEY_ID_BYTES_LEN];
		uint8_t after[LK_KEY_ID_BYTES_LEN];
		assert_true(lk_key_id_parse(ids[i - 1], before) && lk_key_id_parse(ids[i], after));
		assert_true(memcmp(before, after, sizeof after) < 0);
	}
}

static void test_id_order_is_that_of_time(void **state)
{
	(void)state;
	static const uint8_t high[LK_KEY_ID_RANDOM_LEN] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
	static const uint8_t low[LK_KEY_ID_RANDOM_LEN] = {0};
	char earlier[LK_KEY_ID_LEN];
	char later[LK_KEY_ID_LEN];
	for (int64_t us = 1000; us < INT64_C(250000000000000000); us = us * 3 + 1000) {
		lk_key_id_make(us, high, earlier);
		lk_key_id_make(us + 1000, low, later);
		assert_true(strcmp(earlier, later) < 0);
	}
}

static void test_id_is_refuses_every_other_form(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"",
		"k",
		"key_",
		"key_0000000000000000000000000",
		"key_000000000000000000000000000",
		"Key_00000000000000000000000000",
		"key-00000000000000000000000000",
		"key_80000000000000000000000000",
		"key_z0000000000000000000000000",
		"key_0000000000000000000000000I",
		"key_0000000000000000000000000A",
		"key_0000000000000000000000000i",
		"key_0000000000000000000000000l",
		"key_0000000000000000000000000o",
		"key_0000000000000000000000000u",
		"key_0000000000000000000000000 ",
		" key_0000000000000000000000000",
		"key_000000000000\x80 0000000000000",
		"42",
	};
	for (size_t i = 0; i < COUNT(texts); i++) {
		uint8_t bytes[LK_KEY_ID_BYTES_LEN];
		assert_false(lk_key_id_is(texts[i]));
		assert_false(lk_key_id_parse(texts[i], bytes));
	}
}

static void test_number_parse_takes_numbers_from_one_up(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint64_t number;
	} good[] = {
		{"1", 1},
		{"9", 9},
		{"10", 10},
		{"4294967296", UINT64_C(4294967296)},
		{"18446744073709551609", UINT64_C(18446744073709551609)},
		{"18446744073709551615", UINT64_MAX},
	};
	for (size_t i = 0; i < COUNT(good); i++) {
		uint64_t number = 0;
		assert_true(lk_key_number_parse(good[i].text, &number));
		assert_int_equal(number, good[i].number);
	}
}

static void test_number_parse_refuses_everything_else(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "0", "01", "00", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "1a", "a",
		"18446744073709551616", "18446744073709551620", "184467440737095516150", "99999999999999999999",
		"99999999999999999999999999999999999999999999999999999999999999"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		uint64_t number = 4711;
		assert_false(lk_key_number_parse(bad[i], &number));
		assert_int_equal(number, 4711);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id_make_gives_the_known_ids),
		cmocka_unit_test(test_id_parse_gives_back_what_it_was_made_of),
		cmocka_unit_test(test_id_order_is_that_of_its_bytes),
		cmocka_unit_test(test_id_order_is_that_of_time),
		cmocka_unit_test(test_id_is_refuses_every_other_form),
		cmocka_unit_test(test_number_parse_takes_numbers_from_one_up),
		cmocka_unit_test(test_number_parse_refuses_everything_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

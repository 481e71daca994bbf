#include "tools/latchkey/json_time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_timestamp_parse_takes_rfc_3339(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		struct lk_json_time time;
	} good[] = {
		{"1970-01-01T00:00:00Z", {0, 0}},
		{"2026-11-21T09:30:00Z", {1795253400, 0}},
		{"2026-11-21T09:30:00.1Z", {1795253400, 100000000}},
		{"2026-11-21T09:30:00.123456789Z", {1795253400, 123456789}},
		{"2026-11-21T10:30:00+01:00", {1795253400, 0}},
		{"2026-11-20T09:31:00-23:59", {1795253400, 0}},
		{"2026-11-21T09:30:00-00:00", {1795253400, 0}},
		{"2024-02-29T00:00:00Z", {1709164800, 0}},
		{"2000-02-29T23:59:59.000000001Z", {951868799, 1}},
		{"1969-12-31T23:59:59.5Z", {-1, 500000000}},
		{"0001-01-01T00:00:00Z", {-62135596800, 0}},
		{"0001-01-01T00:00:00-01:00", {-62135593200, 0}},
		{"9999-12-31T23:59:59.999999999Z", {253402300799, 999999999}},
	};
	for (size_t i = 0; i < COUNT(good); i++) {
		struct lk_json_time time = {0};
		assert_true(lk_json_timestamp_parse(good[i].text, &time));
		assert_int_equal(time.seconds, good[i].time.seconds);
		assert_int_equal(time.nanos, good[i].time.nanos);
	}
}

static void test_timestamp_parse_refuses_everything_else(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "2026", "2026-11-21", "2026-11-21T09:30:00", "2026-11-21T09:30Z",
		"2026-11-21 09:30:00Z", "2026-11-21t09:30:00Z", "2026-11-21T09:30:00z", " 2026-11-21T09:30:00Z",
		"2026-11-21T09:30:00Z ", "2026-11-21T09:30:00.Z", "2026-11-21T09:30:00.1234567890Z",
		"2026-11-21T09:30:00,5Z", "2026-11-21T09:30:60Z", "2026-11-21T09:60:00Z", "2026-11-21T24:00:00Z",
		"2026-02-29T00:00:00Z", "2026-02-30T00:00:00Z", "2026-04-31T00:00:00Z", "2026-00-01T00:00:00Z",
		"2026-13-01T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "26-01-01T00:00:00Z",
		"02026-01-01T00:00:00Z", "-026-01-01T00:00:00Z", "+026-01-01T00:00:00Z", "2026-1-01T00:00:00Z",
		"2026-11-21T09:30:00+1:00", "2026-11-21T09:30:00+0100", "2026-11-21T09:30:00+01",
		"2026-11-21T09:30:00+24:00", "2026-11-21T09:30:00+01:60", "2026-11-21T09:30:00+01:00Z",
		"0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
		"10000-01-01T00:00:00Z"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct lk_json_time time = {47, 11};
		if (lk_json_timestamp_parse(bad[i], &time)) {
			fail_msg("%s was taken", bad[i]);
		}
		assert_int_equal(time.seconds, 47);
	}
}

static void test_duration_parse_takes_seconds(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		struct lk_json_time time;
	} good[] = {
		{"0s", {0, 0}},
		{"-0s", {0, 0}},
		{"3.5s", {3, 500000000}},
		{"-3.5s", {-3, -500000000}},
		{"-0.000000001s", {0, -1}},
		{"0.999999999s", {0, 999999999}},
		{"007s", {7, 0}},
		{"315576000000s", {315576000000, 0}},
		{"-315576000000.999999999s", {-315576000000, -999999999}},
	};
	for (size_t i = 0; i < COUNT(good); i++) {
		struct lk_json_time time = {0};
		assert_true(lk_json_duration_parse(good[i].text, &time));
		assert_int_equal(time.seconds, good[i].time.seconds);
		assert_int_equal(time.nanos, good[i].time.nanos);
	}
}

static void test_duration_parse_refuses_everything_else(void **state)
{
	(void)state;
	static const char *const bad[] = {"", "s", "-s", "5", "5m", "5S", "5 s", " 5s", "5s ", "+5s", "--5s", ".5s",
		"5.s", "1e3s", "5.0000000001s", "315576000001s", "-315576000001s", "99999999999999999999999s", "0x5s",
		"5s5s"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct lk_json_time time = {47, 11};
		if (lk_json_duration_parse(bad[i], &time)) {
			fail_msg("%s was taken", bad[i]);
		}
		assert_int_equal(time.seconds, 47);
	}
}

static void test_times_format_with_0_3_6_or_9_digits(void **state)
{
	(void)state;
	static const struct {
		int32_t nanos;
		const char *timestamp;
		const char *duration;
	} cases[] = {
		{0, "1970-01-01T00:00:05Z", "5s"},
		{1, "1970-01-01T00:00:05.000000001Z", "5.000000001s"},
		{1000, "1970-01-01T00:00:05.000001Z", "5.000001s"},
		{1000000, "1970-01-01T00:00:05.001Z", "5.001s"},
		{100000000, "1970-01-01T00:00:05.100Z", "5.100s"},
		{120000000, "1970-01-01T00:00:05.120Z", "5.120s"},
		{120000100, "1970-01-01T00:00:05.120000100Z", "5.120000100s"},
		{999999999, "1970-01-01T00:00:05.999999999Z", "5.999999999s"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char text[LK_JSON_TIME_LEN];
		struct lk_json_time time = {5, cases[i].nanos};
		assert_true(lk_json_timestamp_format(&time, text));
		assert_string_equal(text, cases[i].timestamp);
		assert_true(lk_json_duration_format(&time, text));
		assert_string_equal(text, cases[i].duration);
		time = (struct lk_json_time){-5, -cases[i].nanos};
		assert_true(lk_json_duration_format(&time, text));
		assert_string_equal(text + 1, cases[i].duration);
		assert_int_equal(text[0], '-');
	}
}

static void test_times_format_refuses_what_is_out_of_range(void **state)
{
	(void)state;
	static const struct lk_json_time neither[] = {
		{INT64_MAX, 0},
		{INT64_MIN, 0},
		{0, 1000000000},
		{0, INT32_MIN},
		{1, -1},
		{253402300800 * 2, 0},
	};
	char text[LK_JSON_TIME_LEN];
	for (size_t i = 0; i < COUNT(neither); i++) {
		assert_false(lk_json_timestamp_format(&neither[i], text));
		assert_false(lk_json_duration_format(&neither[i], text));
	}
	assert_false(lk_json_timestamp_format(&(struct lk_json_time){253402300800, 0}, text));
	assert_false(lk_json_timestamp_format(&(struct lk_json_time){-62135596801, 0}, text));
	assert_false(lk_json_timestamp_format(&(struct lk_json_time){-1, -1}, text));
	assert_false(lk_json_duration_format(&(struct lk_json_time){315576000001, 0}, text));
	assert_false(lk_json_duration_format(&(struct lk_json_time){-1, 1}, text));
}

static void test_times_survive_format_and_parse(void **state)
{
	(void)state;
	for (int64_t seconds = -62135596800; seconds < 253402300800; seconds += 86400 * 361 + 3599) {
		const struct lk_json_time time = {seconds, (int32_t)(seconds & 0xffffff)};
		struct lk_json_time back = {0};
		char text[LK_JSON_TIME_LEN];
		assert_true(lk_json_timestamp_format(&time, text));
		assert_true(lk_json_timestamp_parse(text, &back));
		assert_int_equal(back.seconds, time.seconds);
		assert_int_equal(back.nanos, time.nanos);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timestamp_parse_takes_rfc_3339),
		cmocka_unit_test(test_timestamp_parse_refuses_everything_else),
		cmocka_unit_test(test_duration_parse_takes_seconds),
		cmocka_unit_test(test_duration_parse_refuses_everything_else),
		cmocka_unit_test(test_times_format_with_0_3_6_or_9_digits),
		cmocka_unit_test(test_times_format_refuses_what_is_out_of_range),
		cmocka_unit_test(test_times_survive_format_and_parse),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

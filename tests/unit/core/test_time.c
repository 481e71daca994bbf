#include "server/core/time.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct lk_arena arena;

static int setup(void **state)
{
	(void)state;
	return lk_arena_init(&arena, 4096, 4096) == LK_OK ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	lk_arena_done(&arena);
	return 0;
}

static const struct {
	int64_t seconds;
	int32_t nanos;
	bool good;
	int64_t us;
} timestamps[] = {
	{0, 0, true, 0},
	{0, 999, true, 0},
	{0, 1000, true, 1},
	{1, 999999999, true, 1999999},
	{-1, 999999999, true, -1},
	{-1, 0, true, -1000000},
	{253402300799, 999999999, true, LK_TIME_MAX_US},
	{253402300800, 0, false, 0},
	{-62135596800, 0, true, INT64_C(-62135596800000000)},
	{-62135596801, 999999999, false, 0},
	{0, -1, false, 0},
	{0, 1000000000, false, 0},
	{INT64_MAX, 0, false, 0},
	{INT64_MIN, 0, false, 0},
	{0, INT32_MAX, false, 0},
	{0, INT32_MIN, false, 0},
};

static void test_time_takes_valid_timestamps_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(timestamps); i++) {
		Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
		timestamp.seconds = timestamps[i].seconds;
		timestamp.nanos = timestamps[i].nanos;
		int64_t us = 4711;
		assert_int_equal(lk_time_from_timestamp(&timestamp, &us), timestamps[i].good);
		assert_int_equal(us, timestamps[i].good ? timestamps[i].us : 4711);
	}
}

static const struct {
	int64_t seconds;
	int32_t nanos;
	bool good;
	int64_t us;
} durations[] = {
	{0, 0, true, 0},
	{0, 999, true, 0},
	{0, -999, true, 0},
	{0, -1000, true, -1},
	{3, 500000000, true, 3500000},
	{-3, -500000000, true, -3500000},
	{3, -1, false, 0},
	{-3, 1, false, 0},
	{315576000000, 999999999, true, INT64_C(315576000000999999)},
	{315576000001, 0, false, 0},
	{-315576000000, 0, true, INT64_C(-315576000000000000)},
	{-315576000001, 0, false, 0},
	{0, 1000000000, false, 0},
	{0, -1000000000, false, 0},
	{INT64_MAX, 0, false, 0},
	{INT64_MIN, 0, false, 0},
	{0, INT32_MIN, false, 0},
};

static void test_time_takes_valid_durations_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(durations); i++) {
		Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;
		duration.seconds = durations[i].seconds;
		duration.nanos = durations[i].nanos;
		int64_t us = 4711;
		assert_int_equal(lk_time_from_duration(&duration, &us), durations[i].good);
		assert_int_equal(us, durations[i].good ? durations[i].us : 4711);
	}
}

static const int64_t instants[] = {
	1,
	-1,
	999999,
	-999999,
	1000000,
	-1000000,
	-1000001,
	INT64_C(951782400000000),
	INT64_C(1795253400123456),
	LK_TIME_MAX_US,
	INT64_C(-62135596800000000),
};

static void test_time_survives_the_way_to_the_wire_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(instants); i++) {
		lk_arena_reset(&arena);
		int64_t us = 0;
		Google__Protobuf__Timestamp *timestamp = lk_time_to_timestamp(&arena, instants[i]);
		assert_true(lk_time_from_timestamp(timestamp, &us));
		assert_int_equal(us, instants[i]);
		Google__Protobuf__Duration *duration = lk_time_to_duration(&arena, instants[i]);
		assert_true(lk_time_from_duration(duration, &us));
		assert_int_equal(us, instants[i]);
	}
}

static void test_time_none_is_absent(void **state)
{
	(void)state;
	assert_null(lk_time_to_timestamp(&arena, 0));
	assert_null(lk_time_to_duration(&arena, 0));
	assert_false(arena.exhausted);
}

static void test_time_without_memory_is_absent_and_shows(void **state)
{
	(void)state;
	struct lk_arena small;
	assert_int_equal(lk_arena_init(&small, 16, 16), LK_OK);
	assert_null(lk_time_to_timestamp(&small, 1));
	assert_true(small.exhausted);
	lk_arena_reset(&small);
	assert_null(lk_time_to_duration(&small, 1));
	assert_true(small.exhausted);
	lk_arena_done(&small);
}

/* libc's calendar is the other implementation. */
static void assert_formats_like_libc(int64_t us)
{
	int64_t rest = us % 1000000 < 0 ? us % 1000000 + 1000000 : us % 1000000;
	time_t seconds = (time_t)((us - rest) / 1000000);
	struct tm parts;
	assert_non_null(gmtime_r(&seconds, &parts));
	char expected[128];
	(void)snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", parts.tm_year + 1900,
		parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (int)rest);
	char text[LK_TIME_TEXT_LEN];
	lk_time_format(us, text);
	assert_string_equal(text, expected);
}

static void test_time_formats_like_libc(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(instants); i++) {
		assert_formats_like_libc(instants[i]);
	}
	/* Every day of the years 1 to 9999, each at another time of the day. */
	const int64_t day = INT64_C(86400000000);
	for (int64_t i = 0; i < 3652059; i++) {
		int64_t us = INT64_C(-62135596800000000) + i * day + i * 7919993 % day;
		if (i % 97 == 0 || i % 146097 < 3 || i % 1461 < 2) {
			assert_formats_like_libc(us);
		}
	}
}

static void test_time_formats_known_instants(void **state)
{
	(void)state;
	char text[LK_TIME_TEXT_LEN];
	lk_time_format(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00.000000Z");
	lk_time_format(LK_TIME_MAX_US, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
	lk_time_format(INT64_C(-62135596800000000), text);
	assert_string_equal(text, "0001-01-01T00:00:00.000000Z");
	lk_time_format(INT64_C(1709164800000000) + 1, text);
	assert_string_equal(text, "2024-02-29T00:00:00.000001Z");
	lk_time_format(-1, text);
	assert_string_equal(text, "1969-12-31T23:59:59.999999Z");
}

static void test_time_formats_spans(void **state)
{
	(void)state;
	static const struct {
		int64_t us;
		const char *text;
	} spans[] = {
		{0, "0s"},
		{1, "0.000001s"},
		{-1, "-0.000001s"},
		{90000000, "90s"},
		{100000000, "100s"},
		{INT64_C(3599000000), "3599s"},
		{INT64_C(3600000000), "3600s (1h)"},
		{INT64_C(3600500000), "3600.5s"},
		{INT64_C(5430000000), "5430s (1h30m30s)"},
		{90 * LK_US_PER_DAY, "7776000s (90d)"},
		{-90 * LK_US_PER_DAY, "-7776000s"},
		{INT64_C(9223372036854000000), "9223372036854s (106751991d4h54s)"},
		{1500000, "1.5s"},
		{-1500000, "-1.5s"},
		{INT64_MAX, "9223372036854.775807s"},
		{INT64_MIN, "-9223372036854.775808s"},
	};
	for (size_t i = 0; i < COUNT(spans); i++) {
		char text[LK_SPAN_TEXT_LEN];
		lk_time_format_span(spans[i].us, text);
		assert_string_equal(text, spans[i].text);
	}
}

static void test_time_spells_spans(void **state)
{
	(void)state;
	static const struct {
		int64_t us;
		const char *text;
	} spans[] = {
		{0, "0s"},
		{-1, "0s"},
		{INT64_MIN, "0s"},
		{1, "1s"},
		{1000000, "1s"},
		{1000001, "2s"},
		{59999999, "1m"},
		{INT64_C(90061000000), "1d1h1m1s"},
		{36 * INT64_C(3600000000), "1d12h"},
		{INT64_MAX, "106751991d4h55s"},
	};
	for (size_t i = 0; i < COUNT(spans); i++) {
		char text[LK_SPAN_TEXT_LEN];
		lk_time_spell_span(spans[i].us, text);
		assert_string_equal(text, spans[i].text);
	}
}

static void test_time_knows_days_and_months(void **state)
{
	(void)state;
	/* Every day of years 1 to 3000, by the C library. */
	for (time_t day = -719162; day < 376200; day++) {
		struct tm broken;
		time_t seconds = day * 86400;
		assert_non_null(gmtime_r(&seconds, &broken));
		int64_t month = (broken.tm_year - 70) * 12 + broken.tm_mon;
		int64_t us = day * LK_US_PER_DAY;
		assert_int_equal(lk_time_day(us), day);
		assert_int_equal(lk_time_day(us + LK_US_PER_DAY - 1), day);
		assert_int_equal(lk_time_month(us + LK_US_PER_DAY - 1), month);
		assert_int_equal(lk_time_month_start(month), us - (broken.tm_mday - 1) * LK_US_PER_DAY);
	}
	assert_int_equal(lk_time_month(LK_TIME_MAX_US), (9999 - 1970) * 12 + 11);
	assert_int_equal(lk_time_month_start((10000 - 1970) * 12), LK_TIME_MAX_US + 1);
	assert_true(lk_time_day(INT64_MIN) < 0 && lk_time_day(INT64_MAX) > 0);
	assert_true(lk_time_month(INT64_MIN) < 0 && lk_time_month(INT64_MAX) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time_takes_valid_timestamps_only),
		cmocka_unit_test(test_time_takes_valid_durations_only),
		cmocka_unit_test(test_time_survives_the_way_to_the_wire_and_back),
		cmocka_unit_test(test_time_none_is_absent),
		cmocka_unit_test(test_time_without_memory_is_absent_and_shows),
		cmocka_unit_test(test_time_formats_like_libc),
		cmocka_unit_test(test_time_formats_known_instants),
		cmocka_unit_test(test_time_formats_spans),
		cmocka_unit_test(test_time_spells_spans),
		cmocka_unit_test(test_time_knows_days_and_months),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

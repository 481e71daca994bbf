#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/latchkey/times.h"

/* 2026-01-01T00:00:00Z */
#define NOW ((time_t)1767225600)

static void assert_instant(const char *text, const char *expected)
{
	char json[LK_TIMES_TEXT_MAX];
	const char *fault = NULL;

	assert_int_equal(lk_times_instant(text, NOW, false, json, &fault), LK_OK);
	assert_string_equal(json, expected);
}

static void assert_no_instant(const char *text, const char *word)
{
	char json[LK_TIMES_TEXT_MAX] = "untouched";
	const char *fault = "";

	if (lk_times_instant(text, NOW, false, json, &fault) == LK_OK) {
		fail_msg("\"%s\" was read as %s", text, json);
	}
	assert_non_null(strstr(fault, word));
	assert_string_equal(json, "untouched");
}

static void test_times_instant_reads_rfc3339(void **state)
{
	(void)state;
	assert_instant("2026-02-01T12:00:00Z", "2026-02-01T12:00:00Z");
	assert_instant("2026-02-01t12:00:00z", "2026-02-01T12:00:00Z");
	assert_instant("2026-02-01 12:00:00Z", "2026-02-01T12:00:00Z");
	assert_instant("2026-02-01T12:00:00.123456789Z", "2026-02-01T12:00:00.123456789Z");
	assert_instant("2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z");
	assert_instant("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
	assert_instant("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z");
}

static void test_times_instant_moves_an_offset_to_utc(void **state)
{
	(void)state;
	assert_instant("2026-01-01T00:30:00+02:00", "2025-12-31T22:30:00Z");
	assert_instant("2026-12-31T23:00:00.5-01:30", "2027-01-01T00:30:00.5Z");
}

static void test_times_instant_counts_a_span_from_now(void **state)
{
	(void)state;
	assert_instant("30d", "2026-01-31T00:00:00Z");
	assert_instant("-30d", "2025-12-02T00:00:00Z");
	assert_instant("2w", "2026-01-15T00:00:00Z");
	assert_instant("12h", "2026-01-01T12:00:00Z");
	assert_instant("1d12h30m", "2026-01-02T12:30:00Z");
	assert_instant("0s", "2026-01-01T00:00:00Z");
	assert_instant("1500ms", "2026-01-01T00:00:01.500Z");
	assert_instant("-1500ms", "2025-12-31T23:59:58.500Z");
}

static void assert_ago(const char *text, const char *expected)
{
	char json[LK_TIMES_TEXT_MAX];
	const char *fault = NULL;

	assert_int_equal(lk_times_instant(text, NOW, true, json, &fault), LK_OK);
	assert_string_equal(json, expected);
}

static void test_times_instant_counts_back_where_it_is_ago(void **state)
{
	char json[LK_TIMES_TEXT_MAX];
	const char *fault = NULL;

	(void)state;
	assert_ago("90d", "2025-10-03T00:00:00Z");
	assert_ago("1d12h", "2025-12-30T12:00:00Z");
	assert_ago("1500ms", "2025-12-31T23:59:58.500Z");
	assert_ago("0s", "2026-01-01T00:00:00Z");
	/* As people write it elsewhere. */
	assert_ago("-90d", "2025-10-03T00:00:00Z");
	/* An instant is one, whichever way spans count. */
	assert_ago("2026-02-01T12:00:00Z", "2026-02-01T12:00:00Z");
	assert_int_equal(lk_times_instant("lately", NOW, true, json, &fault), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(fault, "how long ago"));
	assert_int_equal(lk_times_instant("2026-02-01", NOW, true, json, &fault), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(fault, "how long ago"));
	assert_int_equal(lk_times_instant("2026-02-30T00:00:00Z", NOW, true, json, &fault), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(fault, "no such day"));
}

static void test_times_instant_refuses_what_is_none(void **state)
{
	static const char *const wrong[] = {"", "-", "tomorrow", "30", "d", "30 d", " 30d", "30d ", "30x", "--30d",
		"+30d", "1.5h", "12h1d", "1d1d", "2026-02-01", "2026-02-01T12:00Z", "2026-02-01T12:00:00",
		"2026-2-1T12:00:00Z", "2026-02-01T24:00:00Z", "2026-02-01T12:60:00Z", "2026-02-01T12:00:60Z",
		"2026-13-01T12:00:00Z", "2026-00-01T12:00:00Z", "2026-01-00T12:00:00Z", "0000-01-01T00:00:00Z",
		"2026-02-01T12:00:00.Z", "2026-02-01T12:00:00.1234567890Z", "2026-02-01T12:00:00Zx",
		"2026-02-01T12:00:00+24:00", "2026-02-01T12:00:00+02", "2026-02-01", "20260-02-01T12:00:00Z"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_no_instant(wrong[i], "RFC 3339");
	}
}

static void test_times_instant_knows_the_calendar(void **state)
{
	(void)state;
	assert_no_instant("2026-02-29T00:00:00Z", "no such day");
	assert_no_instant("2026-02-31T00:00:00Z", "no such day");
	assert_no_instant("2026-04-31T00:00:00+05:00", "no such day");
	assert_no_instant("0001-01-01T00:00:00+01:00", "0001 to 9999");
	assert_no_instant("9999-12-31T23:59:59-00:01", "0001 to 9999");
	assert_no_instant("-2500w999999d", "0001 to 9999");
	assert_no_instant("9999999999999999999999999d", "10,000 years");
	assert_no_instant("521700w", "0001 to 9999");
}

static void test_times_duration_writes_seconds(void **state)
{
	static const struct {
		const char *text, *json;
	} cases[] = {
		{"30d", "2592000s"},
		{"90m", "5400s"},
		{"0s", "0s"},
		{"1ms", "0.001s"},
		{"1s50ms", "1.050s"},
		{"-1500ms", "-1.500s"},
		{"521w", "315100800s"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char json[LK_TIMES_TEXT_MAX];
		const char *fault = NULL;

		assert_int_equal(lk_times_duration(cases[i].text, json, &fault), LK_OK);
		assert_string_equal(json, cases[i].json);
	}
}

static void test_times_span_is_bounded(void **state)
{
	const char *fault = NULL;
	int64_t ms = -1;

	(void)state;
	assert_int_equal(lk_times_span("315576000000s", &ms, &fault), LK_OK);
	assert_int_equal(ms, INT64_C(315576000000000));
	ms = -1;
	assert_int_equal(lk_times_span("315576000000s1ms", &ms, &fault), LK_INVALID_ARGUMENT);
	assert_int_equal(lk_times_span("18446744073709551616s", &ms, &fault), LK_INVALID_ARGUMENT);
	assert_int_equal(lk_times_span("-1s", &ms, &fault), LK_INVALID_ARGUMENT);
	assert_int_equal(ms, -1);
}

static void test_times_shown_drops_what_a_table_has_no_room_for(void **state)
{
	char text[LK_TIMES_TEXT_MAX];

	(void)state;
	lk_times_shown("2026-02-01T12:00:00.123456789Z", text);
	assert_string_equal(text, "2026-02-01 12:00:00");
	lk_times_shown("2026-02-01T12:00:00Z", text);
	assert_string_equal(text, "2026-02-01 12:00:00");
	lk_times_shown("soon", text);
	assert_string_equal(text, "soon");
	lk_times_shown("", text);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_instant_reads_rfc3339),
		cmocka_unit_test(test_times_instant_moves_an_offset_to_utc),
		cmocka_unit_test(test_times_instant_counts_a_span_from_now),
		cmocka_unit_test(test_times_instant_counts_back_where_it_is_ago),
		cmocka_unit_test(test_times_instant_refuses_what_is_none),
		cmocka_unit_test(test_times_instant_knows_the_calendar),
		cmocka_unit_test(test_times_duration_writes_seconds),
		cmocka_unit_test(test_times_span_is_bounded),
		cmocka_unit_test(test_times_shown_drops_what_a_table_has_no_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

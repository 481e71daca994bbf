#include "server/core/time.h"

#include <stdio.h>
#include <string.h>

/* timestamp.proto: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z; duration.proto: +-315,576,000,000 s. */
static const int64_t timestamp_min_s = INT64_C(-62135596800);
static const int64_t timestamp_max_s = INT64_C(253402300799);
static const int64_t duration_max_s = INT64_C(315576000000);
static const int32_t nanos_max = 999999999;
static const int32_t ns_per_us = 1000;
static const int64_t seconds_per_day = 86400;

bool lk_time_from_timestamp(const Google__Protobuf__Timestamp *timestamp, int64_t *ret_us)
{
	if (timestamp->seconds < timestamp_min_s || timestamp->seconds > timestamp_max_s || timestamp->nanos < 0 ||
		timestamp->nanos > nanos_max) {
		return false;
	}
	*ret_us = timestamp->seconds * LK_US_PER_SECOND + timestamp->nanos / ns_per_us;
	return true;
}

bool lk_time_from_duration(const Google__Protobuf__Duration *duration, int64_t *ret_us)
{
	int64_t seconds = duration->seconds;
	int32_t nanos = duration->nanos;
	if (seconds < -duration_max_s || seconds > duration_max_s || nanos < -nanos_max || nanos > nanos_max) {
		return false;
	}
	if ((seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) {
		return false;
	}
	*ret_us = seconds * LK_US_PER_SECOND + nanos / ns_per_us;
	return true;
}

/* Whole seconds, rounded towards the past, and the microseconds that remain. */
static int64_t split(int64_t us, int32_t *ret_rest_us)
{
	int64_t seconds = us / LK_US_PER_SECOND;
	int64_t rest = us % LK_US_PER_SECOND;
	if (rest < 0) {
		seconds--;
		rest += LK_US_PER_SECOND;
	}
	*ret_rest_us = (int32_t)rest;
	return seconds;
}

Google__Protobuf__Timestamp *lk_time_to_timestamp(struct lk_arena *arena, int64_t us)
{
	if (us == 0) {
		return NULL;
	}
	Google__Protobuf__Timestamp *timestamp = lk_arena_alloc(arena, sizeof(*timestamp));
	if (timestamp == NULL) {
		return NULL;
	}
	google__protobuf__timestamp__init(timestamp);
	int32_t rest_us = 0;
	timestamp->seconds = split(us, &rest_us);
	timestamp->nanos = rest_us * ns_per_us;
	return timestamp;
}

Google__Protobuf__Duration *lk_time_to_duration(struct lk_arena *arena, int64_t us)
{
	if (us == 0) {
		return NULL;
	}
	Google__Protobuf__Duration *duration = lk_arena_alloc(arena, sizeof(*duration));
	if (duration == NULL) {
		return NULL;
	}
	google__protobuf__duration__init(duration);
	duration->seconds = us / LK_US_PER_SECOND;
	duration->nanos = (int32_t)(us % LK_US_PER_SECOND) * ns_per_us;
	return duration;
}

struct date {
	int year;
	int month;
	int day;
};

/*
 * The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar: years that begin in March put the leap day
 * last, and 400 of them are 146,097 days. gmtime_r() would do, but it takes a lock of the whole process and may read a file.
 */
static struct date date_of_day(int64_t day)
{
	int64_t since_0000_03 = day + 719468;
	int64_t era = (since_0000_03 >= 0 ? since_0000_03 : since_0000_03 - 146096) / 146097;
	int64_t day_of_era = since_0000_03 - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month_from_march = (5 * day_of_year + 2) / 153;
	int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
	int64_t year = year_of_era + era * 400 + (month <= 2 ? 1 : 0);
	return (struct date){
		.year = (int)year,
		.month = (int)month,
		.day = (int)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
	};
}

int64_t lk_time_us_of_ns(int64_t ns)
{
	return ns / LK_NS_PER_US + (ns % LK_NS_PER_US != 0);
}

int64_t lk_time_day(int64_t us)
{
	return us / LK_US_PER_DAY - (us % LK_US_PER_DAY < 0 ? 1 : 0);
}

int64_t lk_time_month(int64_t us)
{
	struct date date = date_of_day(lk_time_day(us));
	return ((int64_t)date.year - 1970) * 12 + date.month - 1;
}

int64_t lk_time_month_start(int64_t month)
{
	/* Counted from March of year 0, so that the leap day is the last of its year; see date_of_day(). */
	int64_t since_0000_03 = month + 1970 * 12 - 2;
	int64_t year = since_0000_03 / 12;
	int64_t month_from_march = since_0000_03 % 12;
	int64_t day = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month_from_march + 2) / 5;
	return (day - 719468) * LK_US_PER_DAY;
}

/* Writes the last `count` digits of `value` over the text. */
static void put(char *text, int count, int64_t value)
{
	while (count-- > 0) {
		text[count] = (char)('0' + value % 10);
		value /= 10;
	}
}

void lk_time_format(int64_t us, char ret_text[static LK_TIME_TEXT_LEN])
{
	static const char shape[LK_TIME_TEXT_LEN] = "YYYY-MM-DDThh:mm:ss.uuuuuuZ";
	int32_t rest_us = 0;
	int64_t seconds = split(us, &rest_us);
	int64_t of_day = seconds % seconds_per_day;
	if (of_day < 0) {
		of_day += seconds_per_day;
	}
	struct date date = date_of_day((seconds - of_day) / seconds_per_day);
	memcpy(ret_text, shape, sizeof(shape));
	put(ret_text, 4, date.year);
	put(ret_text + 5, 2, date.month);
	put(ret_text + 8, 2, date.day);
	put(ret_text + 11, 2, of_day / 3600);
	put(ret_text + 14, 2, of_day / 60 % 60);
	put(ret_text + 17, 2, of_day % 60);
	put(ret_text + 20, 6, rest_us);
}

void lk_time_spell_span(int64_t us, char ret_text[static LK_SPAN_TEXT_LEN])
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	int64_t seconds = us <= 0 ? 0 : us / LK_US_PER_SECOND + (us % LK_US_PER_SECOND != 0);
	size_t len = 0;

	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (seconds >= units[i].seconds || (len == 0 && units[i].seconds == 1)) {
			len += (size_t)snprintf(ret_text + len, LK_SPAN_TEXT_LEN - len, "%lld%c",
				(long long)(seconds / units[i].seconds), units[i].unit);
		}
		seconds %= units[i].seconds;
	}
}

void lk_time_format_span(int64_t us, char ret_text[static LK_SPAN_TEXT_LEN])
{
	const char *sign = us < 0 ? "-" : "";
	char spelt[LK_SPAN_TEXT_LEN];
	/* In unsigned arithmetic INT64_MIN has an absolute value too. */
	uint64_t size = us < 0 ? -(uint64_t)us : (uint64_t)us;
	int len = snprintf(ret_text, LK_SPAN_TEXT_LEN, "%s%llu.%06llu", sign, (unsigned long long)(size / 1000000),
		(unsigned long long)(size % 1000000));
	while (ret_text[len - 1] == '0') {
		len--;
	}
	if (ret_text[len - 1] == '.') {
		len--;
	}
	ret_text[len] = 's';
	ret_text[len + 1] = '\0';
	if (us >= 3600 * LK_US_PER_SECOND && us % LK_US_PER_SECOND == 0) {
		lk_time_spell_span(us, spelt);
		(void)snprintf(ret_text + len + 1, LK_SPAN_TEXT_LEN - (size_t)len - 1, " (%s)", spelt);
	}
}

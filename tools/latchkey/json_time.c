#include "tools/latchkey/json_time.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const int64_t timestamp_min_s = INT64_C(-62135596800);
static const int64_t timestamp_max_s = INT64_C(253402300799);
static const int64_t duration_max_s = INT64_C(315576000000);

enum {
	ns_per_second = 1000000000,
	fraction_digits = 9,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly `count` digits at `*at`, which moves behind them. */
static bool take_number(const char **at, int count, int *ret)
{
	int number = 0;
	for (int i = 0; i < count; i++) {
		if (!is_digit((*at)[i])) {
			return false;
		}
		number = number * 10 + ((*at)[i] - '0');
	}
	*at += count;
	*ret = number;
	return true;
}

static bool take_char(const char **at, char c)
{
	if (**at != c) {
		return false;
	}
	(*at)++;
	return true;
}

/* ".5" and the like, as nanoseconds; 0 where there is no point. */
static bool take_fraction(const char **at, int32_t *ret_nanos)
{
	*ret_nanos = 0;
	if (**at != '.') {
		return true;
	}
	(*at)++;
	int digits = 0;
	for (; is_digit(**at) && digits < fraction_digits; (*at)++, digits++) {
		*ret_nanos = *ret_nanos * 10 + (**at - '0');
	}
	for (int i = digits; i < fraction_digits; i++) {
		*ret_nanos *= 10;
	}
	return digits > 0;
}

/* 'Z' or "+hh:mm", as the seconds that the local time is ahead of UTC. */
static bool take_offset(const char **at, int64_t *ret_seconds)
{
	int hours = 0;
	int minutes = 0;
	*ret_seconds = 0;
	if (take_char(at, 'Z')) {
		return true;
	}
	int sign = **at == '-' ? -1 : 1;
	if (**at != '-' && **at != '+') {
		return false;
	}
	(*at)++;
	if (!take_number(at, 2, &hours) || !take_char(at, ':') || !take_number(at, 2, &minutes) || hours > 23 ||
		minutes > 59) {
		return false;
	}
	*ret_seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

static bool take_date_and_time(const char **at, int64_t *ret_seconds)
{
	struct tm tm = {0};
	int year = 0;
	int month = 0;
	if (!take_number(at, 4, &year) || !take_char(at, '-') || !take_number(at, 2, &month) || !take_char(at, '-') ||
		!take_number(at, 2, &tm.tm_mday) || !take_char(at, 'T') || !take_number(at, 2, &tm.tm_hour) ||
		!take_char(at, ':') || !take_number(at, 2, &tm.tm_min) || !take_char(at, ':') ||
		!take_number(at, 2, &tm.tm_sec)) {
		return false;
	}
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	/* timegm() makes 1 March of 30 February: what comes back other than it went in was no date. */
	struct tm normal = tm;
	time_t seconds = timegm(&normal);
	*ret_seconds = seconds;
	return normal.tm_year == tm.tm_year && normal.tm_mon == tm.tm_mon && normal.tm_mday == tm.tm_mday &&
	       normal.tm_hour == tm.tm_hour && normal.tm_min == tm.tm_min && normal.tm_sec == tm.tm_sec;
}

bool lk_json_timestamp_parse(const char *text, struct lk_json_time *ret)
{
	struct lk_json_time time = {0};
	int64_t offset = 0;
	if (!take_date_and_time(&text, &time.seconds) || !take_fraction(&text, &time.nanos) ||
		!take_offset(&text, &offset) || *text != '\0') {
		return false;
	}
	time.seconds -= offset;
	if (time.seconds < timestamp_min_s || time.seconds > timestamp_max_s) {
		return false;
	}
	*ret = time;
	return true;
}

bool lk_json_duration_parse(const char *text, struct lk_json_time *ret)
{
	struct lk_json_time time = {0};
	bool is_negative = take_char(&text, '-');
	if (!is_digit(*text)) {
		return false;
	}
	for (; is_digit(*text); text++) {
		time.seconds = time.seconds * 10 + (*text - '0');
		if (time.seconds > duration_max_s) {
			return false;
		}
	}
	if (!take_fraction(&text, &time.nanos) || !take_char(&text, 's') || *text != '\0') {
		return false;
	}
	ret->seconds = is_negative ? -time.seconds : time.seconds;
	ret->nanos = is_negative ? -time.nanos : time.nanos;
	return true;
}

/* A point and 3, 6 or 9 digits, the fewest that lose nothing; nothing for 0. */
static void format_fraction(int32_t nanos, char ret_text[static fraction_digits + 2])
{
	(void)snprintf(ret_text, fraction_digits + 2, ".%09u", (unsigned)nanos % ns_per_second);
	size_t len = fraction_digits + 1;
	while (len > 1 && memcmp(ret_text + len - 3, "000", 3) == 0) {
		len -= 3;
	}
	ret_text[len > 1 ? len : 0] = '\0';
}

bool lk_json_timestamp_format(const struct lk_json_time *time, char ret_text[static LK_JSON_TIME_LEN])
{
	struct tm tm;
	time_t seconds = (time_t)time->seconds;
	char fraction[fraction_digits + 2];
	char date[sizeof("9999-12-31T23:59:59")];
	if (time->seconds < timestamp_min_s || time->seconds > timestamp_max_s || time->nanos < 0 ||
		time->nanos >= ns_per_second || gmtime_r(&seconds, &tm) == NULL) {
		return false;
	}
	/* glibc's %Y is not padded with zeros: the year 1 would be "1". */
	int year_len = snprintf(date, sizeof(date), "%04u", (unsigned)(tm.tm_year + 1900) % 10000);
	(void)strftime(date + year_len, sizeof(date) - (size_t)year_len, "-%m-%dT%H:%M:%S", &tm);
	format_fraction(time->nanos, fraction);
	(void)snprintf(ret_text, LK_JSON_TIME_LEN, "%s%sZ", date, fraction);
	return true;
}

bool lk_json_duration_format(const struct lk_json_time *time, char ret_text[static LK_JSON_TIME_LEN])
{
	char fraction[fraction_digits + 2];
	bool is_negative = time->seconds < 0 || time->nanos < 0;
	if (time->seconds < -duration_max_s || time->seconds > duration_max_s || time->nanos <= -ns_per_second ||
		time->nanos >= ns_per_second || (is_negative && (time->seconds > 0 || time->nanos > 0))) {
		return false;
	}
	format_fraction(is_negative ? -time->nanos : time->nanos, fraction);
	(void)snprintf(ret_text, LK_JSON_TIME_LEN, "%s%" PRId64 "%ss", is_negative ? "-" : "",
		is_negative ? -time->seconds : time->seconds, fraction);
	return true;
}

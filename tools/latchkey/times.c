#include "tools/latchkey/times.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* google.protobuf.Duration's own bound: 10,000 years. */
#define SPAN_MAX_MS INT64_C(315576000000000)

#define SPAN_FAULT    "a span is a number with w, d, h, m, s or ms, largest first, such as 30d or 1d12h"
#define TOO_LONG      "a span is at most 10,000 years"
#define INSTANT_FAULT "a time is RFC 3339, such as 2026-02-01T12:00:00Z, or a span from now, such as 30d"
#define AGO_FAULT     "a time is RFC 3339, such as 2026-02-01T12:00:00Z, or how long ago that was, such as 30d"
#define YEAR_FAULT    "a time lies in the years 0001 to 9999"

static const struct {
	const char *name;
	int64_t ms;
} units[] = {
	{"ms", 1},
	{"s", 1000},
	{"m", INT64_C(60) * 1000},
	{"h", INT64_C(3600) * 1000},
	{"d", INT64_C(86400) * 1000},
	{"w", INT64_C(604800) * 1000},
};

static enum lk_err refuse(const char **ret_fault, const char *fault)
{
	*ret_fault = fault;
	return LK_INVALID_ARGUMENT;
}

/* The unit that a number at `text` is followed by: its size in milliseconds and its name's length; 0: none. */
static int64_t unit_at(const char *text, size_t *ret_len)
{
	size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

	*ret_len = len;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strlen(units[i].name) == len && memcmp(text, units[i].name, len) == 0) {
			return units[i].ms;
		}
	}
	return 0;
}

/* Reads the digits at `*text` and moves it on; false: none, or too many to matter. */
static bool number_at(const char **text, int64_t *ret)
{
	int64_t number = 0;
	const char *at = *text;

	if (!isdigit((unsigned char)*at)) {
		return false;
	}
	for (; isdigit((unsigned char)*at); at++) {
		if (number <= SPAN_MAX_MS) {
			number = number * 10 + (*at - '0');
		}
	}
	*text = at;
	*ret = number;
	return true;
}

enum lk_err lk_times_span(const char *text, int64_t *ret_ms, const char **ret_fault)
{
	int64_t total = 0, number, last = INT64_MAX;

	if (*text == '\0') {
		return refuse(ret_fault, SPAN_FAULT);
	}
	while (*text != '\0') {
		size_t len = 0;
		int64_t unit;

		if (!number_at(&text, &number)) {
			return refuse(ret_fault, SPAN_FAULT);
		}
		unit = unit_at(text, &len);
		if (unit == 0 || unit >= last) {
			return refuse(ret_fault, SPAN_FAULT);
		}
		if (number > (SPAN_MAX_MS - total) / unit) {
			return refuse(ret_fault, TOO_LONG);
		}
		total += number * unit;
		last = unit;
		text += len;
	}
	*ret_ms = total;
	return LK_OK;
}

enum lk_err lk_times_duration(const char *text, char ret_json[static LK_TIMES_TEXT_MAX], const char **ret_fault)
{
	const char *sign = *text == '-' ? "-" : "";
	int64_t ms;
	enum lk_err err = lk_times_span(text + strlen(sign), &ms, ret_fault);

	if (err != LK_OK) {
		return err;
	}
	if (ms % 1000 == 0) {
		snprintf(ret_json, LK_TIMES_TEXT_MAX, "%s%" PRId64 "s", sign, ms / 1000);
	} else {
		snprintf(ret_json, LK_TIMES_TEXT_MAX, "%s%" PRId64 ".%03ds", sign, ms / 1000, (int)(ms % 1000));
	}
	return LK_OK;
}

/* Writes `seconds` after 1970 with `fraction`, "" or ".5", behind. False: outside of what a Timestamp may say. */
static bool format_instant(int64_t seconds, const char *fraction, char ret_json[static LK_TIMES_TEXT_MAX])
{
	time_t instant = (time_t)seconds;
	struct tm tm;

	if (!gmtime_r(&instant, &tm) || tm.tm_year < 1 - 1900 || tm.tm_year > 9999 - 1900) {
		return false;
	}
	snprintf(ret_json, LK_TIMES_TEXT_MAX, "%04d-%02d-%02dT%02d:%02d:%02d%sZ", tm.tm_year + 1900, tm.tm_mon + 1,
		tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, fraction);
	return true;
}

static enum lk_err relative_instant(
	const char *text, time_t now, bool ago, char ret_json[static LK_TIMES_TEXT_MAX], const char **ret_fault)
{
	bool before = *text == '-';
	char fraction[8] = "";
	int64_t ms, seconds;
	enum lk_err err = lk_times_span(text + before, &ms, ret_fault);

	if (err != LK_OK) {
		return err;
	}
	ms = before || ago ? -ms : ms;
	/* The second below, so that the fraction counts upwards before 1970 too. */
	seconds = ms / 1000 - (ms % 1000 < 0);
	ms -= seconds * 1000;
	if (ms > 0) {
		snprintf(fraction, sizeof(fraction), ".%03d", (int)ms);
	}
	if (!format_instant((int64_t)now + seconds, fraction, ret_json)) {
		return refuse(ret_fault, YEAR_FAULT);
	}
	return LK_OK;
}

/* Reads exactly `digits` digits at `*text`, from `min` to `max`, and the character `after` them unless that is NUL. */
static bool part(const char **text, int digits, int min, int max, char after, int *ret)
{
	int number = 0;
	const char *at = *text;

	for (int i = 0; i < digits; i++, at++) {
		if (!isdigit((unsigned char)*at)) {
			return false;
		}
		number = number * 10 + (*at - '0');
	}
	if (number < min || number > max) {
		return false;
	}
	if (after != '\0' && *at++ != after) {
		return false;
	}
	*text = at;
	*ret = number;
	return true;
}

/* The fraction of a second at `*text`, its dot included, if one is there. */
static bool fraction_at(const char **text, char ret[static 11])
{
	size_t digits;

	ret[0] = '\0';
	if (**text != '.') {
		return true;
	}
	digits = strspn(*text + 1, "0123456789");
	if (digits == 0 || digits > 9) {
		return false;
	}
	memcpy(ret, *text, digits + 1);
	ret[digits + 1] = '\0';
	*text += digits + 1;
	return true;
}

/* The offset from UTC that ends `text`, in seconds. */
static bool offset_at(const char *text, int *ret)
{
	int hours, minutes, sign = *text == '-' ? -1 : 1;

	*ret = 0;
	if (strcmp(text, "Z") == 0 || strcmp(text, "z") == 0) {
		return true;
	}
	if (*text != '+' && *text != '-') {
		return false;
	}
	text++;
	if (!part(&text, 2, 0, 23, ':', &hours) || !part(&text, 2, 0, 59, '\0', &minutes) || *text != '\0') {
		return false;
	}
	*ret = sign * (hours * 3600 + minutes * 60);
	return true;
}

static enum lk_err absolute_instant(const char *text, char ret_json[static LK_TIMES_TEXT_MAX], const char **ret_fault)
{
	struct tm tm = {0};
	char fraction[11];
	int year, month, offset, day;
	int64_t seconds;

	if (!part(&text, 4, 1, 9999, '-', &year) || !part(&text, 2, 1, 12, '-', &month) ||
		!part(&text, 2, 1, 31, '\0', &day) || !strchr("Tt ", *text) || *text++ == '\0' ||
		!part(&text, 2, 0, 23, ':', &tm.tm_hour) || !part(&text, 2, 0, 59, ':', &tm.tm_min) ||
		!part(&text, 2, 0, 59, '\0', &tm.tm_sec) || !fraction_at(&text, fraction) ||
		!offset_at(text, &offset)) {
		return refuse(ret_fault, INSTANT_FAULT);
	}
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	tm.tm_mday = day;
	seconds = (int64_t)timegm(&tm) - offset;
	/* timegm() reads 30 February as 2 March. */
	if (tm.tm_mday != day) {
		return refuse(ret_fault, "that month has no such day");
	}
	if (!format_instant(seconds, fraction, ret_json)) {
		return refuse(ret_fault, YEAR_FAULT);
	}
	return LK_OK;
}

enum lk_err lk_times_instant(
	const char *text, time_t now, bool ago, char ret_json[static LK_TIMES_TEXT_MAX], const char **ret_fault)
{
	size_t digits = strspn(text, "0123456789");
	enum lk_err err;

	/* "2026-02-01..." has its first '-' behind four digits, a span has none but in front. */
	if (digits > 0 && text[digits] == '-') {
		err = absolute_instant(text, ret_json, ret_fault);
	} else {
		err = relative_instant(text, now, ago, ret_json, ret_fault);
	}
	if (err == LK_INVALID_ARGUMENT &&
		(strcmp(*ret_fault, SPAN_FAULT) == 0 || strcmp(*ret_fault, INSTANT_FAULT) == 0)) {
		*ret_fault = ago ? AGO_FAULT : INSTANT_FAULT;
	}
	return err;
}

void lk_times_shown(const char *json, char ret_text[static LK_TIMES_TEXT_MAX])
{
	/* "2026-02-01T12:00:00" and whatever of a second follows, which a table has no room for. */
	const size_t len = 19;

	snprintf(ret_text, LK_TIMES_TEXT_MAX, "%s", json);
	if (strnlen(json, len + 1) <= len || json[10] != 'T' || json[strlen(json) - 1] != 'Z') {
		return;
	}
	ret_text[10] = ' ';
	ret_text[len] = '\0';
}

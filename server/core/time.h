/*
 * Instants and spans. Inside the server all are microseconds in an int64_t: an instant since 1970-01-01 00:00 UTC, 0 where
 * there is none. On the wire they are google.protobuf.Timestamp and Duration, whose nanoseconds are cut off.
 */
#ifndef LK_SERVER_CORE_TIME_H
#define LK_SERVER_CORE_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "server/core/arena.h"

#define LK_NS_PER_US     INT64_C(1000)
#define LK_US_PER_MS     INT64_C(1000)
#define LK_US_PER_SECOND INT64_C(1000000)
#define LK_US_PER_DAY    (INT64_C(86400) * LK_US_PER_SECOND)
/* 9999-12-31T23:59:59.999999Z, the last instant that a Timestamp may name. */
#define LK_TIME_MAX_US INT64_C(253402300799999999)
/* "2026-11-21T09:30:00.000000Z" and a NUL. */
#define LK_TIME_TEXT_LEN 28
/* "9223372036854s (106751991d4h54s)", whatever is longest, and a NUL. */
#define LK_SPAN_TEXT_LEN 48

/* Converts; false where it is no valid Timestamp (timestamp.proto: years 1 to 9999, nanoseconds 0 to 999,999,999). */
bool lk_time_from_timestamp(const Google__Protobuf__Timestamp *timestamp, int64_t *ret_us);
/* Converts; false where it is no valid Duration (duration.proto: +-10,000 years, both parts of one sign). */
bool lk_time_from_duration(const Google__Protobuf__Duration *duration, int64_t *ret_us);
/* A Timestamp in the arena; NULL for 0, and where the arena is exhausted. */
Google__Protobuf__Timestamp *lk_time_to_timestamp(struct lk_arena *arena, int64_t us);
/* A Duration in the arena; NULL for 0, and where the arena is exhausted. */
Google__Protobuf__Duration *lk_time_to_duration(struct lk_arena *arena, int64_t us);

/* A span of nanoseconds in microseconds, rounded up: whoever waits so long has waited long enough. Not negative. */
int64_t lk_time_us_of_ns(int64_t ns);

/* How many days of UTC, and how many months, after 1970-01-01 the one is that `us` lies in. Any `us`. */
int64_t lk_time_day(int64_t us);
int64_t lk_time_month(int64_t us);
/* When the month begins that is `month` months after 1970-01. From year 1 to 9999. */
int64_t lk_time_month_start(int64_t month);

/* Writes `us` as RFC 3339 in UTC with microseconds. `us` must lie within years 1 to 9999. */
void lk_time_format(int64_t us, char ret_text[static LK_TIME_TEXT_LEN]);

/*
 * Writes a span as a Duration's JSON has it, "90s", "-1.5s"; one of whole seconds, from an hour on, also as a person reads it:
 * "5400s (1h30m)". Any `us`.
 */
void lk_time_format_span(int64_t us, char ret_text[static LK_SPAN_TEXT_LEN]);
/* Writes a span for a person, in whole seconds, rounded up: "1d12h", "30s", "0s" for what is none or past. */
void lk_time_spell_span(int64_t us, char ret_text[static LK_SPAN_TEXT_LEN]);

#endif

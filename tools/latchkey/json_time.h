/*
 * google.protobuf.Timestamp and Duration as JSON has them (timestamp.proto and duration.proto, "JSON Mapping"). Pure.
 */
#ifndef LK_CLI_JSON_TIME_H
#define LK_CLI_JSON_TIME_H

#include <stdbool.h>
#include <stdint.h>

/* Both messages: seconds at 1, nanos at 2. */
struct lk_json_time {
	int64_t seconds;
	int32_t nanos;
};

/* Room for either text, its NUL included: "9999-12-31T23:59:59.999999999Z". */
#define LK_JSON_TIME_LEN 32

/* RFC 3339 with 'T', up to 9 digits of a second, and 'Z' or an offset; years 1 to 9999 in UTC. */
bool lk_json_timestamp_parse(const char *text, struct lk_json_time *ret);
/* Seconds with up to 9 digits behind the point, and 's'; at most 315,576,000,000 either way. */
bool lk_json_duration_parse(const char *text, struct lk_json_time *ret);

/* With 0, 3, 6 or 9 digits behind the point. False: it is no valid Timestamp, or Duration. */
bool lk_json_timestamp_format(const struct lk_json_time *time, char ret_text[static LK_JSON_TIME_LEN]);
bool lk_json_duration_format(const struct lk_json_time *time, char ret_text[static LK_JSON_TIME_LEN]);

#endif

/*
 * Times as people type them, turned into the text that proto3's JSON mapping has for them
 * (https://protobuf.dev/programming-guides/proto3/#json).
 *
 * A span is one or more numbers with a unit, largest unit first: "30d", "12h", "90m", "1d12h", "500ms". The units are
 * w, d, h, m, s and ms. Nothing here reads the clock, blocks or allocates; a fault is a static text that says what is right.
 */
#ifndef LK_CLI_TIMES_H
#define LK_CLI_TIMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <latchkey/error.h>

/* Room for either text, its NUL included. */
#define LK_TIMES_TEXT_MAX 48

/* Reads a span, without a sign, in milliseconds. LK_INVALID_ARGUMENT: `*ret_fault` says why. */
LK_MUST_CHECK enum lk_err lk_times_span(const char *text, int64_t *ret_ms, const char **ret_fault);

/* A span, perhaps with a '-' before it, as a Duration: "2592000s", "0.500s". LK_INVALID_ARGUMENT as above. */
LK_MUST_CHECK enum lk_err lk_times_duration(
	const char *text, char ret_json[static LK_TIMES_TEXT_MAX], const char **ret_fault);

/*
 * An instant as a Timestamp: "2026-02-01T12:00:00Z". It is given as RFC 3339 says, with any offset and up to nine digits of a
 * second, or as a span from `now`: forward, or back with `ago`; "-30d" is always 30 days before. LK_INVALID_ARGUMENT as above.
 */
LK_MUST_CHECK enum lk_err lk_times_instant(
	const char *text, time_t now, bool ago, char ret_json[static LK_TIMES_TEXT_MAX], const char **ret_fault);

/* A Timestamp of ours as a table shows it, "2026-02-01 12:00:00"; anything else is copied as it stands. */
void lk_times_shown(const char *json, char ret_text[static LK_TIMES_TEXT_MAX]);

#endif

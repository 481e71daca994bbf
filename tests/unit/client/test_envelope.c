#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/envelope.h"
#include "latchkey/v1/rpc.pb-c.h"

#define SPAN(text)     ((struct lk_span){(const uint8_t *)(text), sizeof(text) - 1})
#define BYTES(literal) (const uint8_t *)(literal), sizeof(literal) - 1

static void assert_span(struct lk_span span, const char *text, size_t len)
{
	assert_int_equal(span.len, len);
	if (len > 0) {
		assert_memory_equal(span.data, text, len);
	}
}

/* By hand from the .proto: every field of Request once. */
static const char full_request[] = "\x0a\x03"
				   "a/B"              /* 1 method */
				   "\x10\xac\x02"     /* 2 timeout_ms: 300 */
				   "\x1a\x02sk"       /* 3 credential */
				   "\x22\x02\xff\x00" /* 4 request_id */
				   "\x2a\x02tp"       /* 5 traceparent */
				   "\x30\x07"         /* 6 attempt */
				   "\x38\x80\x01"     /* 7 min_revision: 128 */
				   "\x7a\x03xyz";     /* 15 payload */

static const char full_response[] = "\x08\x03"   /* 1 code */
				    "\x12\x02no" /* 2 message */
				    "\x1a\x06\x0a\x01"
				    "f\x12\x01"
				    "d"            /* 3 violation {f, d} */
				    "\x1a\x00"     /* 3 violation, empty */
				    "\x20\x09"     /* 4 retry_after_ms */
				    "\x28\xff\x01" /* 5 revision: 255 */
				    "\x7a\x01p";   /* 15 payload */

static void test_envelope_request_by_hand(void **state)
{
	struct lk_request_envelope request;
	const char *fault = NULL;

	(void)state;
	assert_int_equal(lk_envelope_scan_request(BYTES(full_request), &request, &fault), LK_OK);
	assert_null(fault);
	assert_span(request.method, "a/B", 3);
	assert_int_equal(request.timeout_ms, 300);
	assert_span(request.credential, "sk", 2);
	assert_span(request.request_id, "\xff\0", 2);
	assert_span(request.traceparent, "tp", 2);
	assert_int_equal(request.attempt, 7);
	assert_int_equal(request.min_revision, 128);
	assert_span(request.payload, "xyz", 3);
}

static void test_envelope_response_by_hand(void **state)
{
	struct lk_response_envelope response;
	struct lk_violation_span violation;

	(void)state;
	assert_int_equal(lk_envelope_scan_response(BYTES(full_response), &response), LK_OK);
	assert_int_equal(response.code, 3);
	assert_span(response.message, "no", 2);
	assert_int_equal(response.retry_after_ms, 9);
	assert_int_equal(response.revision, 255);
	assert_span(response.payload, "p", 1);
	assert_int_equal(lk_envelope_next_violation(&response.violations, &violation), LK_OK);
	assert_span(violation.field, "f", 1);
	assert_span(violation.description, "d", 1);
	assert_int_equal(lk_envelope_next_violation(&response.violations, &violation), LK_OK);
	assert_span(violation.field, "", 0);
	assert_int_equal(lk_envelope_next_violation(&response.violations, &violation), LK_NOT_FOUND);
	assert_int_equal(lk_envelope_next_violation(&response.violations, &violation), LK_NOT_FOUND);
}

static void test_envelope_empty_is_all_defaults(void **state)
{
	struct lk_request_envelope request;
	struct lk_response_envelope response;
	const char *fault = NULL;

	(void)state;
	assert_int_equal(lk_envelope_scan_request(NULL, 0, &request, &fault), LK_OK);
	assert_int_equal(request.method.len, 0);
	assert_int_equal(lk_envelope_scan_response(NULL, 0, &response), LK_OK);
	assert_int_equal(response.code, 0);
	assert_int_equal(lk_envelope_request_size(&request), 0);
	assert_int_equal(lk_envelope_response_size(&response), 0);
}

static void test_envelope_fields_in_any_order(void **state)
{
	struct lk_request_envelope request;
	const char *fault = NULL;

	(void)state;
	assert_int_equal(lk_envelope_scan_request(BYTES("\x7a\x01p\x10\x05\x0a\x01m"), &request, &fault), LK_OK);
	assert_span(request.payload, "p", 1);
	assert_span(request.method, "m", 1);
	assert_int_equal(request.timeout_ms, 5);
}

static void test_envelope_extensions_are_skipped(void **state)
{
	/* Field 16 as a varint, 17 as 64 bits, 18 as bytes, 19 as 32 bits, 16 again; then the method. */
	static const char bytes[] = "\x80\x01\x05\x89\x01"
				    "12345678\x92\x01\x02zz\x9d\x01"
				    "1234\x80\x01\x05\x0a\x01m";
	struct lk_request_envelope request;
	const char *fault = NULL;

	(void)state;
	assert_int_equal(lk_envelope_scan_request(BYTES(bytes), &request, &fault), LK_OK);
	assert_span(request.method, "m", 1);
}

static void test_envelope_request_refusals(void **state)
{
	static const struct {
		const uint8_t *data;
		size_t len;
		const char *fault;
	} cases[] = {
		{BYTES("\x0a\x01m\x0a\x01m"), "method: given twice"},
		{BYTES("\x10\x01\x10\x01"), "timeout_ms: given twice"},
		{BYTES("\x7a\x00\x7a\x00"), "payload: given twice"},
		{BYTES("\x08\x01"), "method: has the wrong wire type"},
		{BYTES("\x12\x01\x01"), "timeout_ms: has the wrong wire type"},
		{BYTES("\x15\x01\x01\x01\x01"), "timeout_ms: has the wrong wire type"},
		{BYTES("\x0a\x02m"), "method: is cut off or not a number that fits"},
		{BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01m"),
			"method: is cut off or not a number that fits"},
		{BYTES("\x10\xff\xff\xff\xff\x1f"), "timeout_ms: is cut off or not a number that fits"},
		{BYTES("\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"),
			"min_revision: is cut off or not a number that fits"},
		{BYTES("\x0a\x01\xff"), "method: is not valid UTF-8"},
		{BYTES("\x1a\x02\xc0\x80"), "credential: is not valid UTF-8"},
		{BYTES("\x2a\x03\xed\xa0\x80"), "traceparent: is not valid UTF-8"},
		{BYTES("\x0a\x03m\0x"), "method: holds a NUL character"},
		{BYTES("\x40\x01"), "an unknown field with a number below 16"},
		{BYTES("\x70\x01"), "an unknown field with a number below 16"},
		{BYTES("\x00"), "a field's tag is cut off or none"},
		{BYTES("\x83\x01"), "a field's tag is cut off or none"},
		{BYTES("\x80"), "a field's tag is cut off or none"},
		{BYTES("\x82\x01\x05x"), "an unknown field is cut off"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lk_request_envelope request = {.timeout_ms = 4711};
		const char *fault = NULL;

		if (lk_envelope_scan_request(cases[i].data, cases[i].len, &request, &fault) != LK_INVALID_ARGUMENT) {
			fail_msg("case %zu was accepted: %s", i, cases[i].fault);
		}
		assert_string_equal(fault, cases[i].fault);
		assert_int_equal(request.timeout_ms, 4711);
	}
}

static void test_envelope_request_text_limits(void **state)
{
	static const struct {
		uint8_t tag;
		size_t max;
		const char *fault;
	} cases[] = {{0x0a, 128, "method: has more than 128 bytes"},
		{0x1a, 65536, "credential: has more than 65536 bytes"},
		{0x2a, 128, "traceparent: has more than 128 bytes"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t len = cases[i].max; len <= cases[i].max + 1; len++) {
			static uint8_t bytes[65600];
			struct lk_request_envelope request;
			const char *fault = NULL;

			bytes[0] = cases[i].tag;
			/* A varint of three bytes, whatever its value. */
			bytes[1] = (uint8_t)(len | 0x80);
			bytes[2] = (uint8_t)(len >> 7 | 0x80);
			bytes[3] = (uint8_t)(len >> 14);
			memset(bytes + 4, 'a', len);
			enum lk_err err = lk_envelope_scan_request(bytes, 4 + len, &request, &fault);
			assert_int_equal(err, len == cases[i].max ? LK_OK : LK_INVALID_ARGUMENT);
			if (err) {
				assert_string_equal(fault, cases[i].fault);
			}
		}
	}
}

static void test_envelope_response_refusals(void **state)
{
	static const struct {
		const uint8_t *data;
		size_t len;
	} cases[] = {
		{BYTES("garbage, not an envelope")},
		{BYTES("\x08\x01\x08\x01")},
		{BYTES("\x0a\x01x")},
		{BYTES("\x12\x01\xff")},
		{BYTES("\x18\x01")},
		{BYTES("\x7a\x05x")},
		{BYTES("\x33")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct lk_response_envelope response = {.code = 4711};

		if (lk_envelope_scan_response(cases[i].data, cases[i].len, &response) != LK_PROTOCOL) {
			fail_msg("case %zu was accepted", i);
		}
		assert_int_equal(response.code, 4711);
	}
}

static void test_envelope_response_unknown_fields_are_skipped(void **state)
{
	/* Fields 6 and 100, between and behind the violations. */
	static const char bytes[] = "\x1a\x03\x0a\x01x\x30\x01\x1a\x03\x0a\x01y\xa2\x06\x02zz\x28\x07";
	struct lk_response_envelope response;
	struct lk_violation_span violation;

	(void)state;
	assert_int_equal(lk_envelope_scan_response(BYTES(bytes), &response), LK_OK);
	assert_int_equal(response.revision, 7);
	assert_int_equal(lk_envelope_next_violation(&response.violations, &violation), LK_OK);
	assert_span(violation.field, "x", 1);
	assert_int_equal(lk_envelope_next_violation(&response.violations, &violation), LK_OK);
	assert_span(violation.field, "y", 1);
	assert_int_equal(lk_envelope_next_violation(&response.violations, &violation), LK_NOT_FOUND);
}

static void test_envelope_bad_violation_is_protocol(void **state)
{
	struct lk_violation_span violation;
	struct lk_span bad[] = {SPAN("\x1a\x03\x0a\x01\xff"), SPAN("\x1a\x02\x0a\x05"), SPAN("\x1a\x02\x08\x05"),
		SPAN("\x1a\x04\x0a\x00\x0a\x00"), SPAN("\x18\x01"), SPAN("\x1a\x05"), SPAN("\x00"), SPAN("\x30")};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(lk_envelope_next_violation(&bad[i], &violation), LK_PROTOCOL);
	}
}

/* Copies to the heap, so that a read past the end is seen by the sanitizer. */
static void test_envelope_truncations_at_every_length(void **state)
{
	struct lk_request_envelope request;
	struct lk_response_envelope response;
	const char *fault = NULL;
	/* Where a field ends: what is cut there is a shorter message. */
	static const bool request_end[sizeof(full_request)] = {[0] = true,
		[5] = true,
		[8] = true,
		[12] = true,
		[16] = true,
		[20] = true,
		[22] = true,
		[25] = true,
		[30] = true};
	static const bool response_end[sizeof(full_response)] = {
		[0] = true, [2] = true, [6] = true, [14] = true, [16] = true, [18] = true, [21] = true, [24] = true};

	(void)state;
	for (size_t cut = 0; cut < sizeof(full_request); cut++) {
		uint8_t *copy = malloc(cut + 1);
		assert_non_null(copy);
		memcpy(copy + 1, full_request, cut);
		assert_int_equal(lk_envelope_scan_request(copy + 1, cut, &request, &fault) == LK_OK, request_end[cut]);
		free(copy);
	}
	for (size_t cut = 0; cut < sizeof(full_response); cut++) {
		uint8_t *copy = malloc(cut + 1);
		assert_non_null(copy);
		memcpy(copy + 1, full_response, cut);
		assert_int_equal(lk_envelope_scan_response(copy + 1, cut, &response) == LK_OK, response_end[cut]);
		free(copy);
	}
}

static void test_envelope_packs_what_was_scanned(void **state)
{
	struct lk_request_envelope request;
	struct lk_response_envelope response;
	const char *fault = NULL;
	uint8_t out[64];

	(void)state;
	assert_int_equal(lk_envelope_scan_request(BYTES(full_request), &request, &fault), LK_OK);
	assert_int_equal(lk_envelope_request_size(&request), sizeof(full_request) - 1 - 3);
	assert_int_equal(lk_envelope_request_pack(&request, out), sizeof(full_request) - 1 - 3);
	assert_memory_equal(out, full_request, sizeof(full_request) - 1 - 3);
	assert_int_equal(lk_envelope_scan_response(BYTES(full_response), &response), LK_OK);
	assert_int_equal(lk_envelope_response_size(&response), sizeof(full_response) - 1 - 1);
	assert_int_equal(lk_envelope_response_pack(&response, out), sizeof(full_response) - 1 - 1);
	assert_memory_equal(out, full_response, sizeof(full_response) - 1 - 1);
}

/* protobuf-c's own encoder and decoder must agree with ours, also at the ends of the ranges. */
static void test_envelope_agrees_with_protobuf_c(void **state)
{
	struct lk_request_envelope request = {.method = SPAN("latchkey.v1.KeyService/Verify"),
		.timeout_ms = UINT32_MAX,
		.credential = SPAN("lkr_x"),
		.attempt = 1,
		.min_revision = UINT64_MAX,
		.payload = SPAN("payload")};
	uint8_t out[256];
	size_t head = lk_envelope_request_pack(&request, out);

	(void)state;
	memcpy(out + head, request.payload.data, request.payload.len);
	Latchkey__V1__Request *unpacked = latchkey__v1__request__unpack(NULL, head + request.payload.len, out);
	assert_non_null(unpacked);
	assert_string_equal(unpacked->method, "latchkey.v1.KeyService/Verify");
	assert_int_equal(unpacked->timeout_ms, UINT32_MAX);
	assert_true(unpacked->min_revision == UINT64_MAX);
	assert_int_equal(unpacked->payload.len, 7);
	uint8_t again[256];
	assert_int_equal(latchkey__v1__request__pack(unpacked, again), head + request.payload.len);
	assert_memory_equal(again, out, head + request.payload.len);
	latchkey__v1__request__free_unpacked(unpacked, NULL);
}

static void test_envelope_violations_round_trip(void **state)
{
	struct lk_violation_span violations[] = {
		{SPAN("name"), SPAN("too long")}, {SPAN("metadata[2].key"), {0}}, {{0}, {0}}};
	uint8_t run[128], out[192];
	struct lk_response_envelope response = {.code = 3, .violations = {run, 0}, .revision = 1};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		size_t size = lk_envelope_violation_size(&violations[i]);
		assert_int_equal(lk_envelope_violation_pack(&violations[i], run + response.violations.len), size);
		response.violations.len += size;
	}
	size_t len = lk_envelope_response_pack(&response, out);
	assert_int_equal(len, lk_envelope_response_size(&response));
	assert_int_equal(lk_envelope_scan_response(out, len, &response), LK_OK);
	for (size_t i = 0; i < 3; i++) {
		struct lk_violation_span read;
		assert_int_equal(lk_envelope_next_violation(&response.violations, &read), LK_OK);
		assert_span(read.field, (const char *)violations[i].field.data, violations[i].field.len);
		assert_span(
			read.description, (const char *)violations[i].description.data, violations[i].description.len);
	}
	Latchkey__V1__Response *unpacked = latchkey__v1__response__unpack(NULL, len, out);
	assert_non_null(unpacked);
	assert_int_equal(unpacked->n_violations, 3);
	assert_string_equal(unpacked->violations[1]->field, "metadata[2].key");
	latchkey__v1__response__free_unpacked(unpacked, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_envelope_request_by_hand),
		cmocka_unit_test(test_envelope_response_by_hand),
		cmocka_unit_test(test_envelope_empty_is_all_defaults),
		cmocka_unit_test(test_envelope_fields_in_any_order),
		cmocka_unit_test(test_envelope_extensions_are_skipped),
		cmocka_unit_test(test_envelope_request_refusals),
		cmocka_unit_test(test_envelope_request_text_limits),
		cmocka_unit_test(test_envelope_response_refusals),
		cmocka_unit_test(test_envelope_response_unknown_fields_are_skipped),
		cmocka_unit_test(test_envelope_bad_violation_is_protocol),
		cmocka_unit_test(test_envelope_truncations_at_every_length),
		cmocka_unit_test(test_envelope_packs_what_was_scanned),
		cmocka_unit_test(test_envelope_agrees_with_protobuf_c),
		cmocka_unit_test(test_envelope_violations_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

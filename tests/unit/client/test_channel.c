#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "client/uuid7.h"
#include "fixture.h"

static void assert_span(struct lk_span span, const char *text)
{
	assert_int_equal(span.len, strlen(text));
	if (span.len > 0) {
		assert_memory_equal(span.data, text, span.len);
	}
}

static uint64_t unix_ms(void)
{
	struct timespec now = {0};

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void test_channel_read_as_the_peer_sees_it(void **state)
{
	struct fixture *fixture = *state;
	struct lk_call call = {.timeout_ms = 8000, .traceparent = "00-trace", .min_revision = 300};

	fixture_start_peer(fixture, script_echo);
	fixture_open_channel(fixture, 1, "lkr_channel");
	assert_int_equal(call_text(fixture, &method_verify, "token", &call), LK_OK);
	assert_int_equal(call.attempts, 1);
	assert_int_equal(call.revision, 7);
	assert_null(call.message);
	lk_call_done(&call);

	struct lk_request_envelope request = peer_request(&fixture->peer, 0);
	assert_span(request.method, "latchkey.v1.KeyService/Verify");
	assert_span(request.credential, "lkr_channel");
	assert_span(request.traceparent, "00-trace");
	assert_span(request.payload, "\x0a\x05token");
	assert_int_equal(request.request_id.len, 0);
	assert_int_equal(request.attempt, 0);
	assert_int_equal(request.min_revision, 300);
	/* Half of what is left, so that there is time for a second attempt. */
	assert_in_range(request.timeout_ms, 2000, 4000);
}

static void test_channel_response_is_unpacked(void **state)
{
	struct fixture *fixture = fixture_run(state, script_echo);
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	ProtobufCMessage *message = NULL;
	char token[] = "what was sent";

	request.token = token;
	assert_int_equal(lk_channel_call(fixture->channel, &method_verify, &request.base, &message, NULL), LK_OK);
	Latchkey__V1__VerifyKeyResponse *response = (Latchkey__V1__VerifyKeyResponse *)message;
	assert_string_equal(response->key->name, token);
	assert_true(response->valid);
	protobuf_c_message_free_unpacked(message, NULL);
}

static void test_channel_change_gets_a_fresh_request_id(void **state)
{
	struct fixture *fixture = fixture_run(state, script_echo);
	uint64_t before = unix_ms(), made = 0;

	assert_int_equal(call_text(fixture, &method_create, "a", NULL), LK_OK);
	assert_int_equal(call_text(fixture, &method_create, "b", NULL), LK_OK);
	struct lk_request_envelope first = peer_request(&fixture->peer, 0), second = peer_request(&fixture->peer, 1);
	assert_int_equal(first.request_id.len, LK_REQUEST_ID_LEN);
	assert_int_equal(second.request_id.len, LK_REQUEST_ID_LEN);
	assert_memory_not_equal(first.request_id.data, second.request_id.data, LK_REQUEST_ID_LEN);
	assert_true(lk_uuid7_time(first.request_id.data, &made));
	assert_in_range(made, before, unix_ms());
	/* A change is not asked for twice because it takes long: the attempt has all the time. */
	assert_in_range(first.timeout_ms, 4000, 5000);
}

static void test_channel_callers_own_id_and_credential(void **state)
{
	struct fixture *fixture = *state;
	static const uint8_t id[LK_REQUEST_ID_LEN] = "0123456789abcdef";
	struct lk_call call = {.request_id = id, .credential = "lkr_call"};

	fixture_start_peer(fixture, script_echo);
	fixture_open_channel(fixture, 1, "lkr_channel");
	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_OK);
	call.credential = "";
	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_OK);
	lk_call_done(&call);
	struct lk_request_envelope request = peer_request(&fixture->peer, 0);
	assert_memory_equal(request.request_id.data, id, sizeof(id));
	assert_span(request.credential, "lkr_call");
	assert_span(peer_request(&fixture->peer, 1).credential, "");
}

static void script_violations(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	static const struct lk_violation_span violations[] = {
		{{(const uint8_t *)"name", 4}, {(const uint8_t *)"too long", 8}},
		{{(const uint8_t *)"metadata[2].key", 15}, {(const uint8_t *)"empty", 5}},
	};
	uint8_t run[128];
	struct lk_response_envelope response = {.code = LK_INVALID_ARGUMENT,
		.message = {(const uint8_t *)"2 faults", 8},
		.violations = {run, 0},
		.retry_after_ms = 12,
		.revision = 99};

	(void)index;
	(void)request;
	for (size_t i = 0; i < 2; i++) {
		response.violations.len += lk_envelope_violation_pack(&violations[i], run + response.violations.len);
	}
	peer_reply(peer, &response);
}

static void test_channel_refusal_is_told_whole(void **state)
{
	struct fixture *fixture = fixture_run(state, script_violations);
	struct lk_call call = LK_CALL_INIT;

	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_INVALID_ARGUMENT);
	assert_string_equal(call.message, "2 faults");
	assert_int_equal(call.retry_after_ms, 12);
	assert_int_equal(call.revision, 99);
	assert_int_equal(call.attempts, 1);
	assert_int_equal(call.n_violations, 2);
	assert_string_equal(call.violations[0].field, "name");
	assert_string_equal(call.violations[0].description, "too long");
	assert_string_equal(call.violations[1].field, "metadata[2].key");
	lk_call_done(&call);
	assert_null(call.message);
	assert_int_equal(call.n_violations, 0);
	assert_int_equal(peer_count(&fixture->peer), 1);
}

static void script_each_code(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)request;
	/* 1 to 16 but 14, and then some that gRPC does not have. */
	uint32_t code = index + 1 < LK_UNAVAILABLE ? index + 1 : index + 2;
	peer_reply_code(peer, (enum lk_err)code, "no", 0);
}

static void test_channel_other_codes_are_not_retried(void **state)
{
	struct fixture *fixture = fixture_run(state, script_each_code);

	for (unsigned i = 0; i < 18; i++) {
		struct lk_call call = LK_CALL_INIT;
		unsigned code = i + 1 < LK_UNAVAILABLE ? i + 1 : i + 2;

		assert_int_equal(
			call_text(fixture, &method_verify, "a", &call), code > LK_UNAUTHENTICATED ? LK_UNKNOWN : code);
		assert_int_equal(call.attempts, 1);
		assert_string_equal(call.message, "no");
		lk_call_done(&call);
	}
	assert_int_equal(peer_count(&fixture->peer), 18);
}

/* Broken answers, by the request's number. */
static const struct {
	const char *bytes;
	size_t len;
} broken[] = {
#define BROKEN(literal)                                                                                                \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}
	BROKEN("garbage, and not a little of it"),
	BROKEN("\xff"),
	/* A payload that is cut off, and one that is no VerifyKeyResponse. */
	BROKEN("\x7a\x05x"),
	BROKEN("\x7a\x03xyz"),
	/* A broken violation. */
	BROKEN("\x08\x03\x1a\x02\x0a\x09"),
	/* A message that is not UTF-8. */
	BROKEN("\x08\x03\x12\x01\xff"),
	/* Nothing at all: OK, with a verdict that has neither code nor valid. */
	BROKEN(""),
	/* valid without a code; a code without valid; valid with another code. */
	BROKEN("\x7a\x02\x08\x01"),
	BROKEN("\x7a\x02\x10\x01"),
	BROKEN("\x7a\x04\x08\x01\x10\x04"),
};

static void script_broken(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)request;
	peer_reply_bytes(peer, broken[index].bytes, broken[index].len);
}

static void test_channel_broken_answers_are_protocol_errors(void **state)
{
	struct fixture *fixture = fixture_run(state, script_broken);

	for (unsigned i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct lk_call call = LK_CALL_INIT;

		assert_int_equal(call_text(fixture, &method_verify, "a", &call), LK_PROTOCOL);
		assert_int_equal(call.attempts, 1);
		assert_non_null(strstr(call.message, fixture->address.url));
		lk_call_done(&call);
	}
}

static void script_verdicts(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	static const int codes[] = {1, 4, 99};

	(void)request;
	peer_verdict(peer, codes[index] == 1, codes[index]);
}

static void test_channel_verdicts_that_add_up_are_taken(void **state)
{
	struct fixture *fixture = fixture_run(state, script_verdicts);

	/* 99 is a code of a newer server: not valid, and that is what counts. */
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(call_text(fixture, &method_verify, "a", NULL), LK_OK);
	}
}

static void test_channel_too_large_a_request_stays_here(void **state)
{
	struct fixture *fixture = fixture_run(state, script_echo);
	static char text[LK_LARGE_REQUEST_MAX + 2];
	struct lk_call call = LK_CALL_INIT;

	memset(text, 'a', LK_REQUEST_MAX);
	assert_int_equal(call_text(fixture, &method_verify, text, &call), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(call.message, "65536"));
	assert_int_equal(call.attempts, 0);
	assert_int_equal(peer_count(&fixture->peer), 0);
	memset(text, 'a', LK_LARGE_REQUEST_MAX);
	assert_int_equal(call_text(fixture, &method_large, text, &call), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(call.message, "1048576"));
	/* The channel is none the worse, and what fits goes through. */
	text[LK_LARGE_REQUEST_MAX - 200] = '\0';
	call.timeout_ms = 20000;
	assert_int_equal(call_text(fixture, &method_large, text, &call), LK_OK);
	text[LK_REQUEST_MAX - 200] = '\0';
	assert_int_equal(call_text(fixture, &method_verify, text, &call), LK_OK);
	lk_call_done(&call);
}

static void test_channel_too_long_texts_stay_here(void **state)
{
	struct fixture *fixture = fixture_run(state, script_echo);
	static char text[LK_CREDENTIAL_MAX + 2];
	struct lk_call calls[] = {{.credential = text}, {.traceparent = text}};

	memset(text, 'a', sizeof(text) - 1);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(call_text(fixture, &method_verify, "a", &calls[i]), LK_INVALID_ARGUMENT);
		assert_non_null(strstr(calls[i].message, "8193"));
		lk_call_done(&calls[i]);
	}
	assert_int_equal(peer_count(&fixture->peer), 0);
}

static void test_channel_raw_call_brings_the_bytes(void **state)
{
	struct fixture *fixture = fixture_run(state, script_echo);
	uint8_t *response = NULL;
	size_t len = 0;

	assert_int_equal(lk_channel_call_raw(fixture->channel, "a.B/C", LK_EFFECT_READ, (const uint8_t *)"\x0a\x01x", 3,
				 &response, &len, NULL),
		LK_OK);
	Latchkey__V1__VerifyKeyResponse *verdict = latchkey__v1__verify_key_response__unpack(NULL, len, response);
	assert_non_null(verdict);
	assert_string_equal(verdict->key->name, "x");
	latchkey__v1__verify_key_response__free_unpacked(verdict, NULL);
	free(response);
	assert_span(peer_request(&fixture->peer, 0).method, "a.B/C");
}

static void script_empty(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)index;
	(void)request;
	peer_reply_bytes(peer, "", 0);
}

static void test_channel_raw_call_with_nothing_in_it(void **state)
{
	struct fixture *fixture = fixture_run(state, script_empty);
	uint8_t *response = NULL;
	size_t len = 4711;

	assert_int_equal(
		lk_channel_call_raw(fixture->channel, "a.B/C", LK_EFFECT_WRITE, NULL, 0, &response, &len, NULL), LK_OK);
	assert_int_equal(len, 0);
	free(response);
	assert_int_equal(peer_request(&fixture->peer, 0).request_id.len, LK_REQUEST_ID_LEN);
}

static void test_channel_bad_options(void **state)
{
	static const char *const bad[] = {NULL, "", "nonsense", "/run/latchkey.sock", "ipc:/x", "http://127.0.0.1/",
		"ws://127.0.0.1:1/", "tcp://127.0.0.1"};
	static char long_credential[LK_CREDENTIAL_MAX + 2];
	struct lk_channel *channel = NULL;
	struct lk_channel_options options = {0};

	(void)state;
	assert_int_equal(lk_channel_open(&options, &channel), LK_INVALID_ARGUMENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		options = (struct lk_channel_options){.urls = &bad[i], .n_urls = 1};
		if (lk_channel_open(&options, &channel) != LK_INVALID_ARGUMENT) {
			fail_msg("%s was taken", bad[i]);
		}
	}
	memset(long_credential, 'a', sizeof(long_credential) - 1);
	options = (struct lk_channel_options){
		.urls = (const char *[]){"inproc://x"}, .n_urls = 1, .credential = long_credential};
	assert_int_equal(lk_channel_open(&options, &channel), LK_INVALID_ARGUMENT);
	assert_null(channel);
	lk_channel_close(NULL);
}

int main(void)
{
#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_channel_read_as_the_peer_sees_it),
		FIXTURE_TEST(test_channel_response_is_unpacked),
		FIXTURE_TEST(test_channel_change_gets_a_fresh_request_id),
		FIXTURE_TEST(test_channel_callers_own_id_and_credential),
		FIXTURE_TEST(test_channel_refusal_is_told_whole),
		FIXTURE_TEST(test_channel_other_codes_are_not_retried),
		FIXTURE_TEST(test_channel_broken_answers_are_protocol_errors),
		FIXTURE_TEST(test_channel_verdicts_that_add_up_are_taken),
		FIXTURE_TEST(test_channel_too_large_a_request_stays_here),
		FIXTURE_TEST(test_channel_too_long_texts_stay_here),
		FIXTURE_TEST(test_channel_raw_call_brings_the_bytes),
		FIXTURE_TEST(test_channel_raw_call_with_nothing_in_it),
		cmocka_unit_test(test_channel_bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

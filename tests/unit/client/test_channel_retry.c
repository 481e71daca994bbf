#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>

#include "fixture.h"

/* The peer saw `n` attempts of one call: numbered from 0, under one request_id where there is one. */
static void assert_attempts(struct peer *peer, unsigned n)
{
	struct lk_request_envelope first = peer_request(peer, 0);

	assert_int_equal(peer_count(peer), n);
	for (unsigned i = 0; i < n; i++) {
		struct lk_request_envelope request = peer_request(peer, i);
		assert_int_equal(request.attempt, i);
		assert_int_equal(request.request_id.len, first.request_id.len);
		if (first.request_id.len > 0) {
			assert_memory_equal(request.request_id.data, first.request_id.data, first.request_id.len);
		}
		assert_in_range(request.timeout_ms, 1, 60000);
	}
}

static void script_unavailable_twice(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index < 2) {
		peer_reply_code(peer, LK_UNAVAILABLE, "going down", 0);
	} else {
		peer_echo(peer, request);
	}
}

static void test_channel_unavailable_twice_then_ok(void **state)
{
	struct fixture *fixture = fixture_run(state, script_unavailable_twice);
	struct lk_call call = LK_CALL_INIT;

	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_OK);
	assert_int_equal(call.attempts, 3);
	assert_null(call.message);
	lk_call_done(&call);
	assert_attempts(&fixture->peer, 3);
	assert_int_equal(peer_request(&fixture->peer, 0).request_id.len, LK_REQUEST_ID_LEN);
}

static void script_unavailable_for_long(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)index;
	(void)request;
	peer_reply_code(peer, LK_UNAVAILABLE, "come back later", 100000);
}

static void test_channel_does_not_wait_past_its_deadline(void **state)
{
	struct fixture *fixture = fixture_run(state, script_unavailable_for_long);
	struct lk_call call = {.timeout_ms = 20000};

	assert_int_equal(call_text(fixture, &method_verify, "a", &call), LK_UNAVAILABLE);
	assert_string_equal(call.message, "come back later");
	assert_int_equal(call.retry_after_ms, 100000);
	assert_int_equal(call.attempts, 1);
	lk_call_done(&call);
}

static void script_retry_after(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index == 0) {
		peer_reply_code(peer, LK_UNAVAILABLE, "in a moment", 150);
	} else {
		peer_echo(peer, request);
	}
}

static void test_channel_waits_as_long_as_the_server_says(void **state)
{
	struct fixture *fixture = fixture_run(state, script_retry_after);
	nng_time start = nng_clock();

	assert_int_equal(call_text(fixture, &method_verify, "a", NULL), LK_OK);
	assert_true(nng_clock() - start >= 150);
	assert_attempts(&fixture->peer, 2);
}

static void script_unavailable(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)index;
	(void)request;
	peer_reply_code(peer, LK_UNAVAILABLE, "still down", 0);
}

static void test_channel_backs_off(void **state)
{
	struct fixture *fixture = fixture_run(state, script_unavailable);
	struct lk_call call = {.timeout_ms = 2000};

	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_UNAVAILABLE);
	assert_string_equal(call.message, "still down");
	/* Eleven where each wait is the least: 5 + 5 + 10 + 20 + 40 + 80 + 160 + 320 + 500 + 500 ms; two on a machine that is busy. */
	assert_in_range(call.attempts, 2, 11);
	lk_call_done(&call);
}

static void script_first_is_lost(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index > 0) {
		peer_echo(peer, request);
	}
}

static void test_channel_lost_answer_of_a_read_is_asked_for_again(void **state)
{
	struct fixture *fixture = fixture_run(state, script_first_is_lost);
	struct lk_call call = {.timeout_ms = 6000};

	assert_int_equal(call_text(fixture, &method_scan, "a", &call), LK_OK);
	assert_int_equal(call.attempts, 2);
	lk_call_done(&call);
	assert_attempts(&fixture->peer, 2);
}

static void test_channel_silence_ends_with_the_deadline(void **state)
{
	struct fixture *fixture = fixture_run(state, script_silent);
	struct lk_call call = {.timeout_ms = 4000};
	nng_time start = nng_clock();

	assert_int_equal(call_text(fixture, &method_verify, "a", &call), LK_DEADLINE_EXCEEDED);
	assert_true(nng_clock() - start >= 3999);
	assert_int_equal(call.attempts, 2);
	assert_non_null(strstr(call.message, "4000 ms"));
	assert_null(strstr(call.message, "may have been made"));
	lk_call_done(&call);
	assert_attempts(&fixture->peer, 2);
}

static void test_channel_silence_of_a_change_is_not_asked_twice(void **state)
{
	struct fixture *fixture = fixture_run(state, script_silent);
	struct lk_call call = {.timeout_ms = 3000};

	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_DEADLINE_EXCEEDED);
	assert_int_equal(call.attempts, 1);
	assert_non_null(strstr(call.message, "may have been made"));
	lk_call_done(&call);
	assert_attempts(&fixture->peer, 1);
}

static void script_hang_up_twice(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index < 2) {
		peer_hang_up(peer);
	} else {
		peer_echo(peer, request);
	}
}

static void test_channel_change_survives_closed_connections(void **state)
{
	struct fixture *fixture = fixture_run(state, script_hang_up_twice);
	struct lk_call call = LK_CALL_INIT;

	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_OK);
	assert_int_equal(call.attempts, 3);
	lk_call_done(&call);
	assert_attempts(&fixture->peer, 3);
	assert_int_equal(peer_request(&fixture->peer, 0).request_id.len, LK_REQUEST_ID_LEN);
}

static void script_hang_up(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)index;
	(void)request;
	peer_hang_up(peer);
}

static void test_channel_closed_connections_for_good(void **state)
{
	struct fixture *fixture = fixture_run(state, script_hang_up);
	struct lk_call call = {.timeout_ms = 3000};

	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_DEADLINE_EXCEEDED);
	assert_true(call.attempts >= 1);
	assert_non_null(strstr(call.message, "may have been made"));
	lk_call_done(&call);
}

static void script_oversized_once(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	static const uint8_t zeros[2 << 20];

	if (index == 0) {
		peer_reply_bytes(peer, zeros, sizeof(zeros));
	} else {
		peer_echo(peer, request);
	}
}

static void test_channel_oversized_reply_is_cut_off(void **state)
{
	struct fixture *fixture = fixture_run(state, script_oversized_once);
	struct lk_call call = LK_CALL_INIT;

	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_OK);
	assert_int_equal(call.attempts, 2);
	lk_call_done(&call);
	assert_attempts(&fixture->peer, 2);
}

/* Breaks off at every place of a reply in turn, and then answers. */
static void script_break_off(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	uint8_t reply[] = {
		1, 0, 0, 0, 0, 0, 0, 0, 8, peer->id[0], peer->id[1], peer->id[2], peer->id[3], 'a', 'b', 'c', 'd'};

	if (index >= sizeof(reply)) {
		peer_echo(peer, request);
		return;
	}
	peer_write(peer, reply, index);
	peer_hang_up(peer);
}

static void test_channel_reply_that_breaks_off(void **state)
{
	struct fixture *fixture = fixture_run(state, script_break_off);
	struct lk_call call = {.timeout_ms = 60000};

	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_OK);
	assert_int_equal(call.attempts, 18);
	lk_call_done(&call);
	assert_attempts(&fixture->peer, 18);
}

/* What is no message: a type that does not exist, one that is shorter than its id, and one that is far too long. */
static void script_no_message(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	static const char bad[][18] = {
		"\2\0\0\0\0\0\0\0\10abcdabcd",
		"\1\0\0\0\0\0\0\0\3abcdabcd",
		"\1\x7f\xff\xff\xff\xff\xff\xff\xff\x61\x62\x63\x64\x61\x62\x63\x64",
	};

	if (index < 3) {
		peer_write(peer, bad[index], 17);
	} else {
		peer_echo(peer, request);
	}
}

static void test_channel_what_is_no_message_closes_the_connection(void **state)
{
	struct fixture *fixture = fixture_run(state, script_no_message);
	struct lk_call call = LK_CALL_INIT;

	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_OK);
	assert_int_equal(call.attempts, 4);
	lk_call_done(&call);
}

/* Answers nobody asked for, then the right one. */
static void script_stray_replies(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	uint8_t right[4];

	(void)index;
	memcpy(right, peer->id, sizeof(right));
	for (unsigned i = 0; i < 4; i++) {
		peer->id[i] ^= 0x55;
		peer_reply_code(peer, LK_INTERNAL, "stray", 0);
		memcpy(peer->id, right, sizeof(right));
	}
	peer_echo(peer, request);
	peer_reply_code(peer, LK_INTERNAL, "twice", 0);
}

static void test_channel_stray_replies_are_dropped(void **state)
{
	struct fixture *fixture = fixture_run(state, script_stray_replies);

	for (unsigned i = 0; i < 20; i++) {
		struct lk_call call = LK_CALL_INIT;
		assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_OK);
		assert_int_equal(call.attempts, 1);
		lk_call_done(&call);
	}
}

static void test_channel_peer_of_another_protocol(void **state)
{
	static const char *const greetings[] = {"HTTP/1.1", "\0SP\0\0\x50\0\0", "\0SP\0\0\x30\0\0", "\0SP\1\0\x31\0\0"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		struct lk_call call = {.timeout_ms = 200};

		peer_start_as(&fixture->peer, fixture->address.url, script_echo, greetings[i]);
		fixture->peer_runs = true;
		fixture_open_channel(fixture, 1, NULL);
		assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_UNAVAILABLE);
		assert_int_equal(call.attempts, 0);
		lk_call_done(&call);
		lk_channel_close(fixture->channel);
		fixture->channel = NULL;
		assert_int_equal(peer_count(&fixture->peer), 0);
		peer_stop(&fixture->peer);
		fixture->peer_runs = false;
	}
}

static void script_largest(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	static uint8_t zeros[LK_REPLY_MAX];
	struct lk_response_envelope response = {.payload = {zeros, LK_REPLY_MAX - 4}};

	(void)index;
	(void)request;
	peer_reply(peer, &response);
}

static void test_channel_largest_reply_comes_through(void **state)
{
	struct fixture *fixture = fixture_run(state, script_largest);
	struct lk_call call = {.timeout_ms = 20000};
	uint8_t *response = NULL;
	size_t len = 0;

	assert_int_equal(
		lk_channel_call_raw(fixture->channel, "a.B/C", LK_EFFECT_READ, NULL, 0, &response, &len, &call), LK_OK);
	assert_int_equal(len, LK_REPLY_MAX - 4);
	free(response);
	lk_call_done(&call);
}

static void test_channel_nobody_there(void **state)
{
	struct fixture *fixture = *state;
	struct lk_call call = {.timeout_ms = 250};
	nng_time start = nng_clock();

	fixture_open_channel(fixture, 2, NULL);
	assert_int_equal(call_text(fixture, &method_create, "a", &call), LK_UNAVAILABLE);
	assert_true(nng_clock() - start >= 249);
	assert_int_equal(call.attempts, 0);
	assert_non_null(strstr(call.message, fixture->address.url));
	assert_non_null(strstr(call.message, "250 ms"));
	lk_call_done(&call);
}

struct late {
	pthread_mutex_t lock;
	pthread_cond_t told;
	unsigned n;
	enum lk_err err;
};

static void late_done(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct late *late = context;

	(void)call;
	if (response) {
		protobuf_c_message_free_unpacked(response, NULL);
	}
	pthread_mutex_lock(&late->lock);
	late->err = err;
	late->n++;
	pthread_cond_signal(&late->told);
	pthread_mutex_unlock(&late->lock);
}

static void test_channel_daemon_that_comes_late(void **state)
{
	struct fixture *fixture = *state;
	struct late late = {.lock = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};
	struct lk_call waiting = {.timeout_ms = 20000}, clock = {.timeout_ms = 500};
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	fixture_open_channel(fixture, 1, NULL);
	assert_int_equal(
		lk_channel_start(fixture->channel, &method_create, &request.base, &waiting, late_done, &late), LK_OK);
	/* Half a second passes. */
	assert_int_equal(call_text(fixture, &method_verify, "a", &clock), LK_UNAVAILABLE);
	fixture_start_peer(fixture, script_echo);
	pthread_mutex_lock(&late.lock);
	while (late.n == 0) {
		pthread_cond_wait(&late.told, &late.lock);
	}
	pthread_mutex_unlock(&late.lock);
	assert_int_equal(late.err, LK_OK);
	assert_int_equal(waiting.attempts, 1);
	/* The server is told what is left, not what there was when nobody listened. */
	assert_in_range(peer_request(&fixture->peer, 0).timeout_ms, 1, 20000 - 250);
	lk_call_done(&waiting);
	lk_call_done(&clock);
}

static void test_channel_two_urls_one_dead(void **state)
{
	struct fixture *fixture = *state;
	char dead[128];
	const struct lk_channel_options options = {
		.urls = (const char *[]){dead, fixture->address.url}, .n_urls = 2, .connections = 2};

	snprintf(dead, sizeof(dead), "ipc://%s/dead", fixture->address.directory);
	fixture_start_peer(fixture, script_echo);
	assert_int_equal(lk_channel_open(&options, &fixture->channel), LK_OK);
	for (unsigned i = 0; i < 50; i++) {
		struct lk_call call = LK_CALL_INIT;
		assert_int_equal(call_text(fixture, &method_verify, "a", &call), LK_OK);
		assert_int_equal(call.attempts, 1);
		lk_call_done(&call);
	}
}

static void test_channel_peer_restarts(void **state)
{
	struct fixture *fixture = fixture_run(state, script_echo);

	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(call_text(fixture, &method_verify, "a", NULL), LK_OK);
		peer_stop(&fixture->peer);
		fixture_start_peer(fixture, script_echo);
	}
	assert_int_equal(call_text(fixture, &method_create, "a", NULL), LK_OK);
}

int main(void)
{
#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_channel_unavailable_twice_then_ok),
		FIXTURE_TEST(test_channel_does_not_wait_past_its_deadline),
		FIXTURE_TEST(test_channel_waits_as_long_as_the_server_says),
		FIXTURE_TEST(test_channel_backs_off),
		FIXTURE_TEST(test_channel_lost_answer_of_a_read_is_asked_for_again),
		FIXTURE_TEST(test_channel_silence_ends_with_the_deadline),
		FIXTURE_TEST(test_channel_silence_of_a_change_is_not_asked_twice),
		FIXTURE_TEST(test_channel_change_survives_closed_connections),
		FIXTURE_TEST(test_channel_closed_connections_for_good),
		FIXTURE_TEST(test_channel_oversized_reply_is_cut_off),
		FIXTURE_TEST(test_channel_reply_that_breaks_off),
		FIXTURE_TEST(test_channel_what_is_no_message_closes_the_connection),
		FIXTURE_TEST(test_channel_stray_replies_are_dropped),
		FIXTURE_TEST(test_channel_peer_of_another_protocol),
		FIXTURE_TEST(test_channel_largest_reply_comes_through),
		FIXTURE_TEST(test_channel_nobody_there),
		FIXTURE_TEST(test_channel_daemon_that_comes_late),
		FIXTURE_TEST(test_channel_two_urls_one_dead),
		FIXTURE_TEST(test_channel_peer_restarts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

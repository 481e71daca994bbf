/* Requests and replies over real sockets: the ordinary road, parking, limits, the stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/envelope.h"
#include "tests/integration/transport/harness.h"

static void test_exchange_answers_over_ipc_and_tcp(void **state)
{
	struct harness *harness = *state;
	char out[256] = "";
	char expected[32] = "";

	harness_open(harness, NULL);
	(void)snprintf(expected, sizeof(expected), "%u", (unsigned)geteuid());
	const char *const urls[] = {harness->ipc, harness->tcp};

	for (size_t i = 0; i < 2; i++) {
		struct sp_raw raw = sp_raw_open(urls[i]);

		assert_string_equal(harness_ask(raw, "Echo", out, sizeof(out)), "Echo");
		assert_string_equal(harness_ask(raw, "U", out, sizeof(out)), i == 0 ? expected : "unknown");
		assert_string_equal(harness_ask(raw, "A", out, sizeof(out)), "accepting");
		(void)harness_ask(raw, "T", out, sizeof(out));
		if (i == 0) {
			assert_string_equal(out, "ipc");
		} else {
			assert_int_equal(strncmp(out, "tcp:127.0.0.1:", 14), 0);
		}
		sp_raw_close(raw);
	}
}

static void test_exchange_keeps_requests_of_one_connection_apart(void **state)
{
	struct harness *harness = *state;
	bool answered[30] = {false};
	char out[64] = "";

	harness_open(harness, NULL);
	struct sp_raw raw = sp_raw_open(harness->ipc);

	for (uint32_t i = 0; i < 30; i++) {
		(void)snprintf(out, sizeof(out), "E%u", i);
		assert_true(sp_raw_send(raw, i, out, strlen(out)));
	}
	for (uint32_t i = 0; i < 30; i++) {
		uint32_t id = 0;
		ssize_t n = sp_raw_receive(raw, &id, out, sizeof(out) - 1);

		assert_true(n > 0 && id < 30 && !answered[id]);
		out[n] = '\0';
		assert_int_equal(atoi(out + 1), id);
		answered[id] = true;
	}
	sp_raw_close(raw);
}

static void test_exchange_takes_a_message_of_the_greatest_size_and_no_more(void **state)
{
	struct harness *harness = *state;
	size_t max = LK_TRANSPORT_MESSAGE_MAX;
	char *data = calloc(1, max);
	uint32_t id = 0;

	harness_open(harness, NULL);
	assert_non_null(data);
	data[0] = 'E';
	for (size_t i = 0; i < 2; i++) {
		const char *url = i == 0 ? harness->ipc : harness->tcp;
		struct sp_raw raw = sp_raw_open(url);

		/* nng counts the request's id as part of the message. */
		assert_true(sp_raw_send(raw, 1, data, max - 4));
		assert_int_equal(sp_raw_receive(raw, &id, data, max), max - 4);
		assert_true(sp_raw_send_header(raw, max + 1));
		assert_true(sp_raw_is_cut(raw));
		sp_raw_close(raw);
		raw = sp_raw_open(url);
		assert_true(sp_raw_send_header(raw, UINT64_MAX));
		assert_true(sp_raw_is_cut(raw));
		sp_raw_close(raw);
	}
	free(data);
}

static void test_exchange_closes_where_there_is_no_reply(void **state)
{
	struct harness *harness = *state;
	char out[16] = "";

	harness_open(harness, NULL);
	for (int i = 0; i < 50; i++) {
		struct sp_raw raw = sp_raw_open(harness->ipc);

		assert_true(sp_raw_send(raw, 1, "N", 1));
		assert_true(sp_raw_is_cut(raw));
		sp_raw_close(raw);
	}
	assert_true(harness_ask_anew(harness->ipc, "E", out, sizeof(out)));
}

/* 16 in all, 2 reserved: 14 can be parked, and reads go on. */
static void test_exchange_parks_as_long_as_enough_are_left(void **state)
{
	static const struct lk_transport_limits limits = {
		.exchanges_max = 16,
		.exchanges_reserved = 2,
		.connections_max = 16,
		.in_flight_max = 64,
	};
	struct harness *harness = *state;
	struct lk_transport_stats stats = {0};
	char out[64] = "";
	unsigned refused = 0;
	unsigned parked = 0;

	harness_open(harness, &limits);
	struct sp_raw writer = sp_raw_open(harness->ipc);
	struct sp_raw reader = sp_raw_open(harness->ipc);

	for (uint32_t i = 0; i < 14; i++) {
		assert_true(sp_raw_send(writer, i, "P", 1));
	}
	assert_true(harness_wait_parked(harness, 14));
	lk_transport_stats(harness->transport, &stats);
	assert_int_equal(stats.parked, 14);
	assert_int_equal(stats.under_way, 14);
	for (int i = 0; i < 100; i++) {
		assert_string_equal(harness_ask(reader, "Echo", out, sizeof(out)), "Echo");
	}
	assert_string_equal(harness_ask(reader, "P", out, sizeof(out)), "refused");
	harness_answer_parked(harness);
	for (uint32_t i = 0; i < 14; i++) {
		uint32_t id = 0;
		ssize_t n = sp_raw_receive(writer, &id, out, sizeof(out));

		parked += n == 6 && memcmp(out, "parked", 6) == 0;
		refused += n == 7 && memcmp(out, "refused", 7) == 0;
	}
	assert_int_equal(parked, 14);
	assert_int_equal(refused, 0);
	/* And again: what was parked is free to be parked. */
	for (uint32_t i = 0; i < 14; i++) {
		assert_true(sp_raw_send(writer, i, "P", 1));
	}
	assert_true(harness_wait_parked(harness, 14));
	harness_answer_parked(harness);
	sp_raw_close(writer);
	sp_raw_close(reader);
	assert_true(harness_wait_idle(harness));
	lk_transport_stats(harness->transport, &stats);
	assert_int_equal(stats.parked, 0);
	assert_true(stats.exchanges <= 16);
}

/* 66 in all, 2 reserved, and of the 64 others a sixteenth for what is urgent: 60 ordinary ones never take its place. */
static void test_exchange_parks_what_is_urgent_beyond_the_others(void **state)
{
	static const struct lk_transport_limits limits = {
		.exchanges_max = 66,
		.exchanges_reserved = 2,
		.connections_max = 16,
		.in_flight_max = 128,
	};
	struct harness *harness = *state;
	char out[64] = "";

	harness_open(harness, &limits);
	struct sp_raw writer = sp_raw_open(harness->ipc);
	struct sp_raw reader = sp_raw_open(harness->ipc);
	for (uint32_t i = 0; i < 60; i++) {
		assert_true(sp_raw_send(writer, i, "P", 1));
	}
	assert_true(harness_wait_parked(harness, 60));
	assert_string_equal(harness_ask(reader, "P", out, sizeof(out)), "refused");
	for (uint32_t i = 60; i < 64; i++) {
		assert_true(sp_raw_send(writer, i, "Q", 1));
	}
	assert_true(harness_wait_parked(harness, 64));
	/* Neither takes those that are reserved. */
	assert_string_equal(harness_ask(reader, "Q", out, sizeof(out)), "refused");
	assert_string_equal(harness_ask(reader, "P", out, sizeof(out)), "refused");
	assert_string_equal(harness_ask(reader, "Echo", out, sizeof(out)), "Echo");
	harness_answer_parked(harness);
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t id = 0;
		assert_int_equal(sp_raw_receive(writer, &id, out, sizeof(out)), 6);
	}
	sp_raw_close(writer);
	sp_raw_close(reader);
	assert_true(harness_wait_idle(harness));
}

/* 8 may be under way; the ninth is refused without the handler. */
static void test_exchange_bounds_the_requests_of_a_connection(void **state)
{
	static const struct lk_transport_limits limits = {
		.exchanges_max = 64,
		.exchanges_reserved = 4,
		.connections_max = 16,
		.in_flight_max = 8,
	};
	struct harness *harness = *state;
	struct lk_response_envelope response = {0};
	uint8_t out[256];
	char text[16] = "";
	uint32_t id = 0;

	harness_open(harness, &limits);
	struct sp_raw raw = sp_raw_open(harness->ipc);

	for (uint32_t i = 0; i < 8; i++) {
		assert_true(sp_raw_send(raw, i, "P", 1));
	}
	assert_true(harness_wait_parked(harness, 8));
	assert_true(sp_raw_send(raw, 99, "E", 1));
	ssize_t n = sp_raw_receive(raw, &id, out, sizeof(out));

	assert_true(n > 0);
	assert_int_equal(id, 99);
	assert_int_equal(lk_envelope_scan_response(out, (size_t)n, &response), LK_OK);
	assert_int_equal(response.code, LK_RESOURCE_EXHAUSTED);
	assert_true(response.retry_after_ms > 0);
	assert_true(response.message.len > 0);
	assert_int_equal(atomic_load(&harness->handled), 8);
	/* Another connection has its own count. */
	assert_true(harness_ask_anew(harness->ipc, "Echo", text, sizeof(text)));
	harness_answer_parked(harness);
	for (int i = 0; i < 8; i++) {
		assert_int_equal(sp_raw_receive(raw, &id, out, sizeof(out)), 6);
	}
	/* And the count sinks with the answers. */
	assert_string_equal(harness_ask(raw, "Echo", text, sizeof(text)), "Echo");
	sp_raw_close(raw);
}

static void test_exchange_refuses_connections_past_the_cap(void **state)
{
	static const struct lk_transport_limits limits = {
		.exchanges_max = 16,
		.exchanges_reserved = 2,
		.connections_max = 4,
		.in_flight_max = 8,
	};
	struct harness *harness = *state;
	struct sp_raw raws[4];
	char out[16] = "";
	int cut = 0;

	harness_open(harness, &limits);
	for (int i = 0; i < 4; i++) {
		raws[i] = sp_raw_open(i % 2 == 0 ? harness->ipc : harness->tcp);
		assert_string_equal(harness_ask(raws[i], "Echo", out, sizeof(out)), "Echo");
	}
	for (int i = 0; i < 10; i++) {
		struct sp_raw raw = sp_raw_connect(i % 2 == 0 ? harness->tcp : harness->ipc);

		cut += sp_raw_is_cut(raw);
		sp_raw_close(raw);
	}
	assert_int_equal(cut, 10);
	for (int i = 0; i < 4; i++) {
		assert_string_equal(harness_ask(raws[i], "Echo", out, sizeof(out)), "Echo");
	}
	sp_raw_close(raws[0]);
	assert_true(harness_ask_until_answered(harness->tcp, "Echo", out, sizeof(out)));
	for (int i = 1; i < 4; i++) {
		sp_raw_close(raws[i]);
	}
}

static void test_exchange_drains(void **state)
{
	struct harness *harness = *state;
	char out[16] = "";
	uint32_t id = 0;

	harness_open(harness, NULL);
	struct sp_raw raw = sp_raw_open(harness->ipc);
	struct sp_raw other = sp_raw_open(harness->tcp);

	assert_string_equal(harness_ask(other, "A", out, sizeof(out)), "accepting");
	assert_true(sp_raw_send(raw, 1, "P", 1));
	assert_true(harness_wait_parked(harness, 1));
	assert_int_equal(lk_transport_drain(harness->transport, 50), LK_DEADLINE_EXCEEDED);
	/* Whoever is connected is told so; whoever comes is sent away. */
	assert_string_equal(harness_ask(other, "A", out, sizeof(out)), "draining");
	for (int i = 0; i < 3; i++) {
		struct sp_raw late = sp_raw_connect(i == 0 ? harness->tcp : harness->ipc);

		assert_true(sp_raw_is_cut(late));
		sp_raw_close(late);
	}
	harness_answer_parked(harness);
	assert_int_equal(lk_transport_drain(harness->transport, 2000), LK_OK);
	assert_int_equal(sp_raw_receive(raw, &id, out, sizeof(out)), 6);
	/* A request that is not accepted does not hold up the drain. */
	assert_true(sp_raw_send(raw, 2, "P", 1));
	assert_true(harness_wait_parked(harness, 1));
	assert_int_equal(lk_transport_drain(harness->transport, 2000), LK_OK);
	harness_answer_parked(harness);
	sp_raw_close(raw);
	sp_raw_close(other);
}

static void *stop_transport(void *argument)
{
	(void)harness_close(argument);
	return NULL;
}

/* 3 MB under way to a client that reads slowly: a stop waits until it has them. */
static void test_exchange_sends_what_is_queued_before_it_closes(void **state)
{
	enum {
		REPLIES = 30,
		LEN = 100000
	};
	struct harness *harness = *state;
	char *out = malloc(LEN);
	pthread_t stopper;
	uint32_t id = 0;

	assert_non_null(out);
	harness_open(harness, NULL);
	struct sp_raw raw = sp_raw_open(harness->ipc);

	for (uint32_t i = 0; i < REPLIES; i++) {
		assert_true(sp_raw_send(raw, i, "L100000", 7));
	}
	assert_true(harness_wait_handled(harness, REPLIES));
	assert_int_equal(pthread_create(&stopper, NULL, stop_transport, harness), 0);
	for (int i = 0; i < REPLIES; i++) {
		assert_int_equal(sp_raw_receive(raw, &id, out, LEN), LEN);
	}
	(void)pthread_join(stopper, NULL);
	assert_null(harness->transport);
	free(out);
	sp_raw_close(raw);
}

static void test_exchange_is_never_freed_under_the_handler(void **state)
{
	struct harness *harness = *state;

	harness_open(harness, NULL);
	struct sp_raw raw = sp_raw_open(harness->ipc);

	assert_true(sp_raw_send(raw, 1, "P", 1));
	assert_true(harness_wait_parked(harness, 1));
	assert_int_equal(lk_transport_close(harness->transport, 2000), LK_DEADLINE_EXCEEDED);
	/* Late, and into the void; then it can be closed after all. */
	harness_answer_parked(harness);
	sp_raw_close(raw);
	assert_int_equal(lk_transport_close(harness->transport, 2000), LK_OK);
	harness->transport = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_exchange_answers_over_ipc_and_tcp, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_exchange_keeps_requests_of_one_connection_apart, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(test_exchange_takes_a_message_of_the_greatest_size_and_no_more,
			harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_exchange_closes_where_there_is_no_reply, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_exchange_parks_as_long_as_enough_are_left, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_exchange_parks_what_is_urgent_beyond_the_others, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_exchange_bounds_the_requests_of_a_connection, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_exchange_refuses_connections_past_the_cap, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(test_exchange_drains, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_exchange_sends_what_is_queued_before_it_closes, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_exchange_is_never_freed_under_the_handler, harness_set_up, harness_tear_down),
	};

	return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}

/* What a transport does that has no memory for a reply: a client that is told nothing must see that its connection ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/rpc/outbox.h"
#include "tests/integration/transport/harness.h"

/* The linker puts the one in the place of lk_reply_new(), and calls that the other. */
struct lk_reply *__wrap_lk_reply_new(size_t len, uint8_t **ret_data);
struct lk_reply *__real_lk_reply_new(size_t len, uint8_t **ret_data);

static atomic_bool starved;

struct lk_reply *__wrap_lk_reply_new(size_t len, uint8_t **ret_data)
{
	return atomic_load(&starved) ? NULL : __real_lk_reply_new(len, ret_data);
}

static int tear_down(void **state)
{
	atomic_store(&starved, false);
	return harness_tear_down(state);
}

/* Ends what was begun, and sees that the others are served. */
static void recover(struct harness *harness, struct sp_raw raw)
{
	char out[16] = "";

	atomic_store(&starved, false);
	sp_raw_close(raw);
	harness_answer_parked(harness);
	assert_true(harness_wait_idle(harness));
	assert_true(harness_ask_anew(harness->ipc, "Echo", out, sizeof(out)));
}

static void test_starved_greeting_ends_the_connection(void **state)
{
	struct harness *harness = *state;

	harness_open(harness, NULL);
	for (size_t i = 0; i < 2; i++) {
		atomic_store(&starved, true);
		struct sp_raw raw = sp_raw_connect(i == 0 ? harness->ipc : harness->tcp);

		(void)sp_raw_write(raw, "\0SP\0\0\x30\0\0", 8);
		assert_true(sp_raw_is_cut(raw));
		recover(harness, raw);
	}
}

/* One more than may be under way cannot even be refused. */
static void test_starved_refusal_ends_the_connection(void **state)
{
	static const struct lk_transport_limits limits = {
		.exchanges_max = 16,
		.exchanges_reserved = 2,
		.connections_max = 8,
		.in_flight_max = 1,
	};
	struct harness *harness = *state;

	harness_open(harness, &limits);
	struct sp_raw raw = sp_raw_open(harness->ipc);

	assert_true(sp_raw_send(raw, 1, "P", 1));
	assert_true(harness_wait_parked(harness, 1));
	atomic_store(&starved, true);
	assert_true(sp_raw_send(raw, 2, "Echo", 4));
	assert_true(sp_raw_is_cut(raw));
	recover(harness, raw);
}

static void test_starved_reply_ends_the_connection(void **state)
{
	static const char *const requests[] = {"L100000", "P"};
	struct harness *harness = *state;

	harness_open(harness, NULL);
	for (size_t i = 0; i < 2; i++) {
		struct sp_raw raw = sp_raw_open(harness->ipc);

		atomic_store(&starved, true);
		assert_true(sp_raw_send(raw, 1, requests[i], strlen(requests[i])));
		assert_true(i == 0 || harness_wait_parked(harness, 1));
		harness_answer_parked(harness);
		assert_true(sp_raw_is_cut(raw));
		recover(harness, raw);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_starved_greeting_ends_the_connection, harness_set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_starved_refusal_ends_the_connection, harness_set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_starved_reply_ends_the_connection, harness_set_up, tear_down),
	};

	return cmocka_run_group_tests_name("starved", tests, NULL, NULL);
}

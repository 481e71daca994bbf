/* What peers do by accident or on purpose, and what nng 1.5.2 makes of it: nobody else may notice. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "server/log.h"
#include "tests/integration/transport/harness.h"
#include "tests/lib/bystander.h"

/* What a bystander asks. */
static bool ask_echo(struct sp_raw raw)
{
	char out[16] = "";

	return strcmp(harness_ask(raw, "Echo", out, sizeof(out)), "Echo") == 0;
}

static void connect_and_close(const char *url)
{
	struct sp_raw raw = sp_raw_connect(url);

	assert_true(raw.fd >= 0);
	sp_raw_close(raw);
}

/* `nc -zU`, twenty times, each followed by a client that is new. */
static void test_hazard_connect_and_close_on_ipc(void **state)
{
	struct harness *harness = *state;
	struct bystander bystander;
	char out[16] = "";

	harness_open(harness, NULL);
	bystander_start(&bystander, harness->ipc, ask_echo);
	for (int i = 0; i < 20; i++) {
		connect_and_close(harness->ipc);
		struct sp_raw raw = sp_raw_open(harness->ipc);

		assert_string_equal(harness_ask(raw, "Echo", out, sizeof(out)), "Echo");
		sp_raw_close(raw);
	}
	bystander_stop(&bystander);
	assert_true(harness_wait_idle(harness));
}

/* Many at once, from several places, while nobody waits for the outcome. */
static void test_hazard_burst_of_connect_and_close(void **state)
{
	struct harness *harness = *state;
	struct bystander bystander;
	char out[16] = "";

	harness_open(harness, NULL);
	bystander_start(&bystander, harness->ipc, ask_echo);
	for (int i = 0; i < 500; i++) {
		connect_and_close(harness->ipc);
	}
	assert_true(harness_ask_until_answered(harness->ipc, "Echo", out, sizeof(out)));
	bystander_stop(&bystander);
}

static void test_hazard_connect_and_close_on_tcp(void **state)
{
	struct harness *harness = *state;
	const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	struct bystander bystander;
	char out[16] = "";

	harness_open(harness, NULL);
	bystander_start(&bystander, harness->tcp, ask_echo);
	for (int i = 0; i < 300; i++) {
		struct sp_raw raw = sp_raw_connect(harness->tcp);

		assert_true(raw.fd >= 0);
		if (i % 2 == 0) {
			(void)setsockopt(raw.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		}
		sp_raw_close(raw);
	}
	assert_true(harness_ask_until_answered(harness->tcp, "Echo", out, sizeof(out)));
	bystander_stop(&bystander);
}

/*
 * How many answers the bystander gets while somebody else is connected, seen by the count of connections: who reads nothing from
 * a tcp socket does not see its end either.
 */
static unsigned answers_while_two_are_connected(struct harness *harness, struct bystander *bystander)
{
	uint64_t until = harness_now_ms() + SP_RAW_PATIENCE_MS;
	unsigned before = bystander_answered(bystander);
	struct lk_transport_stats stats = {0};

	do {
		bystander_await(bystander);
		lk_transport_stats(harness->transport, &stats);
	} while (stats.connections > 1 && harness_now_ms() < until);
	assert_int_equal(stats.connections, 1);
	return bystander_answered(bystander) - before;
}

/* Large replies, asked for and never read: its connection ends, and nobody else's waits. */
static void test_hazard_peer_that_never_reads(void **state)
{
	static const struct lk_transport_limits limits = {
		.exchanges_max = 256,
		.exchanges_reserved = 32,
		.connections_max = 64,
		.in_flight_max = 256,
	};
	struct harness *harness = *state;

	harness_open(harness, &limits);
	for (int i = 0; i < 2; i++) {
		const char *url = i == 0 ? harness->ipc : harness->tcp;
		struct bystander bystander;

		bystander_start(&bystander, url, ask_echo);
		struct sp_raw silent = sp_raw_open(url);

		for (uint32_t n = 0; n < 64; n++) {
			assert_true(sp_raw_send(silent, n, "L1000000", 8));
		}
		assert_true(answers_while_two_are_connected(harness, &bystander) > BYSTANDER_HELD_UP);
		bystander_stop(&bystander);
		assert_true(sp_raw_is_cut(silent));
		sp_raw_close(silent);
		assert_true(harness_wait_idle(harness));
	}
}

/* Requests without end, no reply ever read: no more is read from it than it may leave unread, and then it is cut off. */
static void test_hazard_flood_of_requests(void **state)
{
	struct harness *harness = *state;
	struct lk_transport_stats stats = {0};
	struct bystander bystander;
	unsigned before = 0;
	bool sent = true;

	harness_open(harness, NULL);
	bystander_start(&bystander, harness->ipc, ask_echo);
	struct sp_raw flood = sp_raw_open(harness->ipc);

	before = bystander_answered(&bystander);
	for (uint32_t i = 0; i < 100000 && sent; i++) {
		sent = sp_raw_send(flood, i, "L100000", 7);
		lk_transport_stats(harness->transport, &stats);
		assert_true(stats.queued_len < (size_t)8 << 20);
	}
	assert_false(sent);
	assert_true(bystander_answered(&bystander) - before > BYSTANDER_HELD_UP);
	bystander_stop(&bystander);
	assert_true(sp_raw_is_cut(flood));
	sp_raw_close(flood);
	assert_true(harness_wait_idle(harness));
}

/* The same, but it reads on when it has sent for a while: it gets every reply. */
static void test_hazard_peer_that_reads_late(void **state)
{
	enum {
		REQUESTS = 200,
		LEN = 100000
	};
	struct harness *harness = *state;
	char *out = malloc(LEN);
	bool answered[REQUESTS] = {false};
	uint32_t id = 0;

	assert_non_null(out);
	harness_open(harness, NULL);
	struct sp_raw raw = sp_raw_open(harness->ipc);

	for (uint32_t i = 0; i < REQUESTS; i++) {
		assert_true(sp_raw_send(raw, i, "L100000", 7));
	}
	for (uint32_t i = 0; i < REQUESTS; i++) {
		assert_int_equal(sp_raw_receive(raw, &id, out, LEN), LEN);
		assert_true(id < REQUESTS && !answered[id]);
		answered[id] = true;
	}
	free(out);
	sp_raw_close(raw);
}

struct vanisher {
	const char *url;
	unsigned seed;
};

/* Sends some requests, perhaps cut off, reads a part of the replies, and is gone: again and again. */
static void *vanish(void *argument)
{
	struct vanisher *vanisher = argument;
	char away[70000] = "";

	for (int i = 0; i < 150; i++) {
		struct sp_raw raw = sp_raw_open(vanisher->url);
		bool good = raw.fd >= 0;

		for (int n = rand_r(&vanisher->seed) % 20; n > 0 && good; n--) {
			good = sp_raw_send(raw, (uint32_t)n, n % 3 == 0 ? "L70000" : "Echo", n % 3 == 0 ? 6 : 4);
		}
		if (good && i % 3 == 0) {
			good = sp_raw_send_header(raw, 100000) && sp_raw_write(raw, away, sizeof(away));
		}
		for (int n = rand_r(&vanisher->seed) % 4; n > 0 && good; n--) {
			good = poll(&(struct pollfd){.fd = raw.fd, .events = POLLIN}, 1, 5) == 1 &&
			       recv(raw.fd, away, 1 + (size_t)rand_r(&vanisher->seed) % sizeof(away), 0) > 0;
		}
		sp_raw_close(raw);
	}
	return NULL;
}

/* What stops nng's own sockets for good: clients that leave while their requests come in. */
static void test_hazard_clients_that_vanish_in_the_middle(void **state)
{
	struct harness *harness = *state;
	struct vanisher vanishers[4];
	pthread_t threads[4];
	struct bystander bystander;

	harness_open(harness, NULL);
	bystander_start(&bystander, harness->ipc, ask_echo);
	for (unsigned i = 0; i < 4; i++) {
		vanishers[i] = (struct vanisher){.url = i % 2 == 0 ? harness->ipc : harness->tcp, .seed = i};
		assert_int_equal(pthread_create(&threads[i], NULL, vanish, &vanishers[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	bystander_stop(&bystander);
	assert_true(harness_wait_idle(harness));
}

/* Who connects and says nothing, or half a word, takes up a place only for so long. */
static void test_hazard_peer_that_never_greets(void **state)
{
	struct harness *harness = *state;
	struct sp_raw raws[2];

	harness_open(harness, NULL);
	raws[0] = sp_raw_connect(harness->ipc);
	raws[1] = sp_raw_connect(harness->tcp);
	assert_true(sp_raw_write(raws[1], "\0SP\0", 4));
	for (size_t i = 0; i < 2; i++) {
		assert_true(sp_raw_is_cut(raws[i]));
		sp_raw_close(raws[i]);
	}
	assert_true(harness_wait_idle(harness));
}

static void test_hazard_garbage_in_place_of_a_greeting(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} garbage[] = {
		{"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27},
		{"\0SP\0\0\x30\0", 7},
		{"\0SP\1\0\x30\0\0", 8},
		{"\0SP\0\0\x10\0\0", 8},
		{"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", 11},
		{"\0\0\0\0\0\0\0\0\0\0\0\0", 12},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9},
	};
	struct harness *harness = *state;
	struct bystander bystander;
	char out[16] = "";

	harness_open(harness, NULL);
	bystander_start(&bystander, harness->ipc, ask_echo);
	for (size_t i = 0; i < 2 * sizeof(garbage) / sizeof(garbage[0]); i++) {
		struct sp_raw raw = sp_raw_connect(i % 2 == 0 ? harness->ipc : harness->tcp);

		assert_true(sp_raw_write(raw, garbage[i / 2].bytes, garbage[i / 2].len));
		/* Half a greeting is waited for. */
		if (garbage[i / 2].len >= 8) {
			assert_true(sp_raw_is_cut(raw));
		}
		sp_raw_close(raw);
		assert_true(
			harness_ask_until_answered(i % 2 == 0 ? harness->ipc : harness->tcp, "Echo", out, sizeof(out)));
	}
	bystander_stop(&bystander);
}

/* After a good greeting: frames that are none, requests without an id, and ids without an end. */
static void test_hazard_garbage_in_place_of_a_request(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool cut;
	} garbage[] = {
		{"\x02\0\0\0\0\0\0\0\x04\x80\0\0\x01", 13, true},
		{"\x01\0\0\0\0\0\0\0\x00", 9, true},
		{"\x01\0\0\0\0\0\0\0\x03\x80\0\0", 12, true},
		/* A backtrace that never ends: dropped, as one with too many hops is. */
		{"\x01\0\0\0\0\0\0\0\x08\0\0\0\x01\0\0\0\x02", 17, true},
		{"\x01\0\0\0\0\0\0\0\x30"
		 "0000000000000000000000000000000000000000000000000000000000000000",
			9 + 48, false},
	};
	struct harness *harness = *state;
	char out[16] = "";

	harness_open(harness, NULL);
	for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
		struct sp_raw raw = sp_raw_open(harness->ipc);

		assert_true(sp_raw_write(raw, garbage[i].bytes, garbage[i].len));
		if (garbage[i].cut) {
			assert_true(sp_raw_is_cut(raw));
		} else {
			assert_string_equal(harness_ask(raw, "Echo", out, sizeof(out)), "Echo");
		}
		sp_raw_close(raw);
	}
	assert_int_equal(atomic_load(&harness->handled), 1);
	assert_true(harness_ask_until_answered(harness->ipc, "Echo", out, sizeof(out)));
}

static void send_with_id(struct sp_raw raw, uint32_t id, const char *request)
{
	uint32_t big = htobe32(id);

	assert_true(sp_raw_send_header(raw, 4 + strlen(request)) && sp_raw_write(raw, &big, 4) &&
		    sp_raw_write(raw, request, strlen(request)));
}

/*
 * A REQ socket of nng 1.5.2 whose ids have passed 0xffffffff: it asks again and again, and an operator who wonders why reads it in
 * the log, but not as often as it asks.
 */
static void test_hazard_ids_that_ran_over(void **state)
{
	static const char request[] = "latchkey.v1.KeyService/Verify and a token";
	struct harness *harness = *state;
	int file = memfd_create("log", MFD_CLOEXEC);
	char text[4096] = "";
	char out[64] = "";
	uint32_t id = 0;

	assert_true(file >= 0);
	harness_open(harness, NULL);
	lk_log_setup(file, LK_LOG_WARN);
	for (size_t i = 0; i < 2; i++) {
		struct sp_raw raw = sp_raw_open(i == 0 ? harness->ipc : harness->tcp);

		send_with_id(raw, UINT32_MAX, request);
		assert_int_equal(sp_raw_receive(raw, &id, out, sizeof(out)), strlen(request));
		for (uint32_t n = 0; n < 20; n++) {
			send_with_id(raw, n, request);
		}
		assert_string_equal(harness_ask(raw, "Echo", out, sizeof(out)), "Echo");
		sp_raw_close(raw);
	}
	lk_log_setup(STDERR_FILENO, LK_LOG_ERROR);
	assert_true(pread(file, text, sizeof(text) - 1, 0) > 0);
	(void)close(file);
	assert_int_equal(atomic_load(&harness->handled), 4);
	assert_non_null(strstr(text, "level=warn msg=\"request dropped\" reason="));
	assert_non_null(strstr(text, "let it open a new socket, or use liblatchkey\" peer=ipc suppressed=0\n"));
	/* One a second. */
	assert_true(strlen(text) < 2000);
}

/* An empty request is a request; what it means is the handler's business. */
static void test_hazard_empty_request(void **state)
{
	struct harness *harness = *state;
	char out[16] = "";
	uint32_t id = 0;

	harness_open(harness, NULL);
	struct sp_raw raw = sp_raw_open(harness->ipc);

	assert_true(sp_raw_send(raw, 5, "", 0));
	assert_int_equal(sp_raw_receive(raw, &id, out, sizeof(out)), 0);
	assert_int_equal(id, 5);
	sp_raw_close(raw);
}

static void test_hazard_thousand_connections_leave_nothing(void **state)
{
	struct harness *harness = *state;
	char out[16] = "";

	harness_open(harness, NULL);
	for (int i = 0; i < 1000; i++) {
		const char *url = i % 2 == 0 ? harness->ipc : harness->tcp;
		struct sp_raw raw = sp_raw_open(url);

		/* The ends of some are in the middle of a request, of others before one. */
		if (raw.fd >= 0 && i % 3 == 0) {
			(void)sp_raw_send(raw, 1, "Echo", 4);
		}
		if (raw.fd >= 0 && i % 5 == 0) {
			(void)sp_raw_send_header(raw, 1000);
		}
		sp_raw_close(raw);
	}
	assert_true(harness_wait_idle(harness));
	assert_true(harness_ask_until_answered(harness->ipc, "Echo", out, sizeof(out)));
}

enum {
	LIARS_ROUNDS = 400
};

struct liar {
	const char *url;
	const char *request;
	uid_t uid;
	atomic_uint sent;
};

/* Sends a request as `uid` and is gone before it can be looked at. The raw system call changes this thread alone. */
static void *send_and_vanish(void *argument)
{
	struct liar *liar = argument;

	if (liar->uid != 0 && syscall(SYS_setresuid, -1, liar->uid, -1) != 0) {
		return NULL;
	}
	for (int i = 0; i < LIARS_ROUNDS; i++) {
		struct sp_raw raw = sp_raw_open(liar->url);

		if (raw.fd >= 0 && sp_raw_send(raw, 1, liar->request, 1)) {
			atomic_fetch_add(&liar->sent, 1);
		}
		sp_raw_close(raw);
	}
	return NULL;
}

/* Root and nobody by turns, and gone at once: a request has its sender's uid or none. */
static void test_hazard_sender_that_vanishes_gains_no_identity(void **state)
{
	struct harness *harness = *state;
	struct liar liars[2] = {{.request = "x", .uid = 0}, {.request = "y", .uid = 65534}};
	pthread_t threads[4];

	if (geteuid() != 0) {
		skip();
	}
	harness_open(harness, NULL);
	assert_int_equal(chmod(harness->directory, 0755), 0);
	assert_int_equal(chmod(harness->ipc + 6, 0666), 0);
	for (size_t i = 0; i < 4; i++) {
		liars[i % 2].url = harness->ipc;
		assert_int_equal(pthread_create(&threads[i], NULL, send_and_vanish, &liars[i % 2]), 0);
	}
	for (size_t i = 0; i < 4; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	assert_true(harness_wait_idle(harness));
	assert_true(atomic_load(&liars[0].sent) > 0 && atomic_load(&liars[1].sent) > 0);
	assert_true(atomic_load(&harness->seen['x'].unknown) + atomic_load(&harness->seen['x'].known) > 0);
	assert_true(atomic_load(&harness->seen['y'].unknown) + atomic_load(&harness->seen['y'].known) > 0);
	if (atomic_load(&harness->seen['x'].known) > 0) {
		assert_int_equal(atomic_load(&harness->seen['x'].highest), 0);
	}
	if (atomic_load(&harness->seen['y'].known) > 0) {
		assert_int_equal(atomic_load(&harness->seen['y'].lowest), 65534);
		assert_int_equal(atomic_load(&harness->seen['y'].highest), 65534);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_hazard_connect_and_close_on_ipc, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_hazard_burst_of_connect_and_close, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_hazard_connect_and_close_on_tcp, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(test_hazard_peer_that_never_reads, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(test_hazard_flood_of_requests, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(test_hazard_peer_that_reads_late, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_hazard_clients_that_vanish_in_the_middle, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(test_hazard_peer_that_never_greets, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_hazard_garbage_in_place_of_a_greeting, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_hazard_garbage_in_place_of_a_request, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(test_hazard_ids_that_ran_over, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(test_hazard_empty_request, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_hazard_thousand_connections_leave_nothing, harness_set_up, harness_tear_down),
		cmocka_unit_test_setup_teardown(
			test_hazard_sender_that_vanishes_gains_no_identity, harness_set_up, harness_tear_down),
	};

	return cmocka_run_group_tests_name("hazards", tests, NULL, NULL);
}

/*
 * What meets on a connection without a lock: replies from its own thread and from others, its end, a peer that does not read, and
 * a drain. Nothing may be lost, nothing come twice, and nothing stay.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/socket.h>

#include "server/rpc/outbox.h"
#include "tests/integration/transport/harness.h"
#include "tests/lib/bystander.h"

/* Answers whatever is parked, as soon as it is, on a thread of its own: as the writer does. */
struct answerer {
	struct harness *harness;
	pthread_t thread;
	/* Under the harness's lock. */
	bool end;
};

static void *answer_what_is_parked(void *argument)
{
	struct answerer *answerer = argument;
	struct harness *harness = answerer->harness;
	bool end = false;

	while (!end) {
		(void)pthread_mutex_lock(&harness->lock);
		while (harness->n_parked == 0 && !answerer->end) {
			(void)pthread_cond_wait(&harness->changed, &harness->lock);
		}
		end = answerer->end;
		(void)pthread_mutex_unlock(&harness->lock);
		harness_answer_parked(harness);
	}
	return NULL;
}

static void begin_answering(struct answerer *answerer, struct harness *harness)
{
	*answerer = (struct answerer){.harness = harness};
	assert_int_equal(pthread_create(&answerer->thread, NULL, answer_what_is_parked, answerer), 0);
}

static void end_answering(struct answerer *answerer)
{
	(void)pthread_mutex_lock(&answerer->harness->lock);
	answerer->end = true;
	(void)pthread_cond_broadcast(&answerer->harness->changed);
	(void)pthread_mutex_unlock(&answerer->harness->lock);
	(void)pthread_join(answerer->thread, NULL);
}

static bool ask_echo(struct sp_raw raw)
{
	char out[16] = "";

	return strcmp(harness_ask(raw, "Echo", out, sizeof(out)), "Echo") == 0;
}

struct leaver {
	const char *url;
	unsigned random;
};

/* Sends what is parked, what is answered at once and what is large, reads some of the replies, and goes: again and again. */
static void *leave(void *argument)
{
	static const char *const requests[] = {"P", "Echo", "P", "L70000", "Q"};
	struct leaver *leaver = argument;
	char away[5000];

	for (int i = 0; i < 150; i++) {
		struct sp_raw raw = sp_raw_open(leaver->url);
		bool good = raw.fd >= 0;

		for (uint32_t n = 0; n < 20 && good; n++) {
			const char *request = requests[(unsigned)rand_r(&leaver->random) % 5];

			good = sp_raw_send(raw, n, request, strlen(request));
		}
		/* Something comes at any rate; more of it, where it is there. */
		for (int n = 0; n < rand_r(&leaver->random) % 4 && good; n++) {
			size_t len = 1 + (size_t)rand_r(&leaver->random) % sizeof(away);

			good = recv(raw.fd, away, len, n == 0 ? 0 : MSG_DONTWAIT) > 0;
		}
		if (i % 3 == 0) {
			(void)shutdown(raw.fd, SHUT_RDWR);
		}
		sp_raw_close(raw);
	}
	return NULL;
}

static void test_races_of_replies_with_the_end_of_their_connection(void **state)
{
	struct harness *harness = *state;
	struct leaver leavers[4];
	struct answerer answerers[2];
	struct bystander bystander;
	pthread_t threads[4];

	harness_open(harness, NULL);
	bystander_start(&bystander, harness->ipc, ask_echo);
	begin_answering(&answerers[0], harness);
	begin_answering(&answerers[1], harness);
	for (unsigned i = 0; i < 4; i++) {
		leavers[i] = (struct leaver){.url = i % 2 == 0 ? harness->ipc : harness->tcp, .random = i};
		assert_int_equal(pthread_create(&threads[i], NULL, leave, &leavers[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	bystander_stop(&bystander);
	/* What was sent by those who have gone may still be parked. */
	bool idle = harness_wait_idle(harness);
	end_answering(&answerers[0]);
	end_answering(&answerers[1]);
	assert_true(idle);
}

enum {
	/* Together far more than the sockets' buffers and the tray hold. */
	REQUESTS = 20000,
	REQUEST_LEN = 1000,
};

static void *send_requests(void *argument)
{
	const struct sp_raw *raw = argument;
	char request[REQUEST_LEN];
	bool sent = true;

	memset(request, 'e', sizeof(request));
	for (uint32_t i = 0; i < REQUESTS && sent; i++) {
		sent = sp_raw_send(*raw, i, request, sizeof(request));
	}
	return NULL;
}

/*
 * Small replies alone, which go through the tray: to a peer that does not read them, no more is answered than the tray and the
 * sockets hold; and when it reads, all the others come, each once.
 */
static void read_late(struct harness *harness, const char *url)
{
	struct lk_transport_stats stats = {0};
	struct sp_raw raw = sp_raw_open(url);
	bool *answered = calloc(REQUESTS, sizeof(*answered));
	char out[REQUEST_LEN];
	pthread_t sender;
	uint32_t id = 0;

	assert_non_null(answered);
	unsigned before = atomic_load(&harness->handled);
	assert_int_equal(pthread_create(&sender, NULL, send_requests, &raw), 0);
	assert_true(harness_wait_handled(harness, before + 100));
	for (uint32_t i = 0; i < REQUESTS; i++) {
		assert_int_equal(sp_raw_receive(raw, &id, out, sizeof(out)), REQUEST_LEN);
		assert_true(id < REQUESTS && !answered[id]);
		answered[id] = true;
		lk_transport_stats(harness->transport, &stats);
		assert_true(stats.queued_len <= LK_TRAY_LEN);
	}
	(void)pthread_join(sender, NULL);
	assert_int_equal(atomic_load(&harness->handled), before + REQUESTS);
	sp_raw_close(raw);
	free(answered);
}

static void test_races_of_small_replies_with_a_peer_that_reads_late(void **state)
{
	struct harness *harness = *state;

	harness_open(harness, NULL);
	read_late(harness, harness->ipc);
	read_late(harness, harness->tcp);
	assert_true(harness_wait_idle(harness));
}

/* Replies of three kinds on one connection, which others make while it is paused or not: each comes, once. */
static void test_races_of_all_kinds_of_replies(void **state)
{
	enum {
		ROUNDS = 300,
		EACH = 25
	};
	static const char *const requests[] = {"P", "Echo", "L20000", "P", "L9000"};
	static const ssize_t lens[] = {6, 4, 20000, 6, 9000};
	struct harness *harness = *state;
	struct answerer answerer;
	static char out[20000];
	uint32_t id = 0;

	harness_open(harness, NULL);
	begin_answering(&answerer, harness);
	struct sp_raw raw = sp_raw_open(harness->ipc);
	for (unsigned round = 0; round < ROUNDS; round++) {
		unsigned answered = 0;

		for (uint32_t i = 0; i < EACH; i++) {
			assert_true(sp_raw_send(raw, i, requests[i % 5], strlen(requests[i % 5])));
		}
		for (uint32_t i = 0; i < EACH; i++) {
			ssize_t len = sp_raw_receive(raw, &id, out, sizeof(out));

			assert_true(id < EACH && (answered & 1u << id) == 0);
			assert_int_equal(len, lens[id % 5]);
			answered |= 1u << id;
		}
	}
	sp_raw_close(raw);
	end_answering(&answerer);
	assert_true(harness_wait_idle(harness));
}

/* Whoever has his answer may ask again at once: its place among those that may be parked is free by then. */
static void test_races_of_an_answer_with_the_next_request(void **state)
{
	enum {
		PLACES = 2,
		ROUNDS = 5000
	};
	static const struct lk_transport_limits limits = {
		.exchanges_max = PLACES + 1,
		.exchanges_reserved = 1,
		.connections_max = 8,
		.in_flight_max = PLACES,
	};
	struct harness *harness = *state;
	struct answerer answerers[2];
	char out[16] = "";
	uint32_t id = 0;
	unsigned parked = 0;

	harness_open(harness, &limits);
	begin_answering(&answerers[0], harness);
	begin_answering(&answerers[1], harness);
	struct sp_raw raw = sp_raw_open(harness->ipc);
	for (uint32_t i = 0; i < PLACES; i++) {
		assert_true(sp_raw_send(raw, i, "P", 1));
	}
	for (uint32_t i = 0; i < ROUNDS && sp_raw_receive(raw, &id, out, sizeof(out)) > 0; i++) {
		parked += strncmp(out, "parked", 6) == 0;
		(void)sp_raw_send(raw, id, "P", 1);
	}
	for (uint32_t i = 0; i < PLACES; i++) {
		(void)sp_raw_receive(raw, &id, out, sizeof(out));
	}
	sp_raw_close(raw);
	bool idle = harness_wait_idle(harness);
	end_answering(&answerers[0]);
	end_answering(&answerers[1]);
	assert_true(idle);
	assert_int_equal(parked, ROUNDS);
}

static void *stop_transport(void *argument)
{
	struct harness *harness = argument;

	return harness_close(harness) == LK_OK ? NULL : harness;
}

/* The connection is paused, for its peer does not read, when the transport is stopped and what is parked is answered. */
static void test_races_of_a_stop_with_parked_requests_of_a_paused_connection(void **state)
{
	enum {
		PARKED = 20,
		LARGE = 100,
		LEN = 100000
	};
	struct harness *harness = *state;
	static char out[LEN];
	pthread_t stopper;
	uint32_t id = 0;
	unsigned parked = 0;
	void *failed = NULL;

	harness_open(harness, NULL);
	struct sp_raw raw = sp_raw_open(harness->ipc);
	for (uint32_t i = 0; i < PARKED; i++) {
		assert_true(sp_raw_send(raw, i, "P", 1));
	}
	/* More than may wait: those that were not taken when the stop begins may or may not be answered. */
	for (uint32_t i = 0; i < LARGE; i++) {
		assert_true(sp_raw_send(raw, PARKED + i, "L100000", 7));
	}
	assert_true(harness_wait_handled(harness, PARKED + 20));
	assert_int_equal(pthread_create(&stopper, NULL, stop_transport, harness), 0);
	for (ssize_t len = 0; len >= 0;) {
		len = sp_raw_receive(raw, &id, out, sizeof(out));
		parked += len == 6;
		assert_true(len == 6 ? id < PARKED : len == LEN || len < 0);
	}
	(void)pthread_join(stopper, &failed);
	assert_null(failed);
	assert_int_equal(parked, PARKED);
	sp_raw_close(raw);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, harness_set_up, harness_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_races_of_replies_with_the_end_of_their_connection),
		TEST(test_races_of_small_replies_with_a_peer_that_reads_late),
		TEST(test_races_of_all_kinds_of_replies),
		TEST(test_races_of_an_answer_with_the_next_request),
		TEST(test_races_of_a_stop_with_parked_requests_of_a_paused_connection),
	};

	return cmocka_run_group_tests_name("races", tests, NULL, NULL);
}

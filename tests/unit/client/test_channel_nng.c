/* The channel against nng's own REP, over each transport: the wire is nng's, not ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <latchkey/channel.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <unistd.h>

#include "client/envelope.h"

struct echo {
	nng_socket socket;
	pthread_t thread;
	char directory[32];
	char url[64];
	struct lk_channel *channel;
};

/* Answers with the request's payload. */
static void *serve(void *argument)
{
	struct echo *echo = argument;
	nng_msg *message = NULL;

	while (nng_recvmsg(echo->socket, &message, 0) == 0) {
		struct lk_request_envelope request = {0};
		struct lk_response_envelope response = {.revision = 1};
		const char *fault = NULL;
		nng_msg *reply = NULL;

		if (lk_envelope_scan_request(nng_msg_body(message), nng_msg_len(message), &request, &fault) != LK_OK) {
			abort();
		}
		response.payload = request.payload;
		size_t head = lk_envelope_response_size(&response);
		if (nng_msg_alloc(&reply, head + request.payload.len) != 0) {
			abort();
		}
		lk_envelope_response_pack(&response, nng_msg_body(reply));
		if (request.payload.len > 0) {
			memcpy((uint8_t *)nng_msg_body(reply) + head, request.payload.data, request.payload.len);
		}
		nng_msg_free(message);
		if (nng_sendmsg(echo->socket, reply, 0) != 0) {
			nng_msg_free(reply);
		}
	}
	return NULL;
}

static struct echo *setup(void **state)
{
	struct echo *echo = calloc(1, sizeof(*echo));

	assert_non_null(echo);
	*state = echo;
	(void)snprintf(echo->directory, sizeof(echo->directory), "/tmp/lk-nng-XXXXXX");
	assert_non_null(mkdtemp(echo->directory));
	assert_int_equal(nng_rep0_open(&echo->socket), 0);
	return echo;
}

static void run(struct echo *echo)
{
	const struct lk_channel_options options = {.urls = (const char *[]){echo->url}, .n_urls = 1, .connections = 2};

	assert_int_equal(pthread_create(&echo->thread, NULL, serve, echo), 0);
	assert_int_equal(lk_channel_open(&options, &echo->channel), LK_OK);
}

static int setup_ipc(void **state)
{
	struct echo *echo = setup(state);

	snprintf(echo->url, sizeof(echo->url), "ipc://%s/s", echo->directory);
	assert_int_equal(nng_listen(echo->socket, echo->url, NULL, 0), 0);
	run(echo);
	return 0;
}

static int setup_tcp(void **state)
{
	struct echo *echo = setup(state);
	nng_listener listener = NNG_LISTENER_INITIALIZER;
	int port = 0;

	assert_int_equal(nng_listen(echo->socket, "tcp://127.0.0.1:0", &listener, 0), 0);
	assert_int_equal(nng_listener_get_int(listener, NNG_OPT_TCP_BOUND_PORT, &port), 0);
	snprintf(echo->url, sizeof(echo->url), "tcp://127.0.0.1:%d", port);
	run(echo);
	return 0;
}

static int teardown(void **state)
{
	struct echo *echo = *state;

	lk_channel_close(echo->channel);
	nng_close(echo->socket);
	pthread_join(echo->thread, NULL);
	rmdir(echo->directory);
	free(echo);
	return 0;
}

static void assert_echo(struct lk_channel *channel, size_t len)
{
	uint8_t *request = malloc(len + 1), *response = NULL;
	struct lk_call call = {.timeout_ms = 30000};
	size_t response_len = 0;

	assert_non_null(request);
	for (size_t i = 0; i < len; i++) {
		request[i] = (uint8_t)(i * 7 + len);
	}
	assert_int_equal(
		lk_channel_call_raw(channel, "a.B/Echo", LK_EFFECT_READ, request, len, &response, &response_len, &call),
		LK_OK);
	assert_int_equal(response_len, len);
	assert_memory_equal(response, request, len);
	assert_int_equal(call.attempts, 1);
	lk_call_done(&call);
	free(response);
	free(request);
}

static void test_channel_nng_messages_of_all_sizes(void **state)
{
	struct echo *echo = *state;

	for (size_t len = 0; len < 300; len++) {
		assert_echo(echo->channel, len);
	}
	/* Around the chunks and the buffers, up to the largest. */
	for (size_t len = 1 << 14; len <= (size_t)1 << 19; len *= 2) {
		for (size_t more = 0; more < 40; more += 13) {
			assert_echo(echo->channel, len - 26 + more);
		}
	}
	assert_echo(echo->channel, LK_LARGE_REQUEST_MAX - 64);
}

#define N_THREADS 8
#define N_EACH    200

static void *call_many(void *argument)
{
	struct lk_channel *channel = argument;
	uintptr_t n_wrong = 0;

	for (unsigned i = 0; i < N_EACH; i++) {
		uint8_t *response = NULL;
		size_t len = 0;
		char text[64];
		int text_len = snprintf(text, sizeof(text), "%p %u", (void *)text, i);

		if (lk_channel_call_raw(channel, "a.B/Echo", LK_EFFECT_WRITE, (const uint8_t *)text, (size_t)text_len,
			    &response, &len, NULL) != LK_OK ||
			len != (size_t)text_len || memcmp(response, text, len) != 0) {
			n_wrong++;
		}
		free(response);
	}
	return (void *)n_wrong;
}

static void test_channel_nng_many_threads(void **state)
{
	struct echo *echo = *state;
	pthread_t threads[N_THREADS];
	void *n_wrong = NULL;

	for (unsigned i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, call_many, echo->channel), 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		pthread_join(threads[i], &n_wrong);
		assert_null(n_wrong);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_channel_nng_messages_of_all_sizes, setup_ipc, teardown),
		cmocka_unit_test_setup_teardown(test_channel_nng_messages_of_all_sizes, setup_tcp, teardown),
		cmocka_unit_test_setup_teardown(test_channel_nng_many_threads, setup_ipc, teardown),
		cmocka_unit_test_setup_teardown(test_channel_nng_many_threads, setup_tcp, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Drives a server with Verify requests: one REQ socket, so many contexts, each with one request under way all the time, for so
 * many seconds. Every reply must have the bytes of a verdict that is VALID, or, of an echo, as many bytes.
 *
 *	bench_drive URL TOKENS CONTEXTS SECONDS verify|gates|echo
 *
 * gates: as verify, of keys that bench_load gave rules, with an expression that their permissions fulfil and an address that
 * their list holds; every limit is charged.
 *
 * Prints one JSON object: requests per second, the latencies p50, p99 and p999 in microseconds, and the bytes of a request and of
 * a reply.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <latchkey/token.h>

#include "client/envelope.h"
#include "latchkey/v1/key.pb-c.h"
#include "tests/lib/check.h"

/* What is not answered by then never will be: better no figure than a run without an end. */
#define ANSWER_MS 20000

/* Latencies are counted by the microsecond; what takes longer than all of these counts as the longest. */
#define BUCKETS 100000

/* Texts of messages are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

struct driver {
	char **tokens;
	size_t n_tokens;
	bool verify;
	bool gates;
	_Atomic bool over;
	_Atomic unsigned running;
	_Atomic uint64_t answered;
	_Atomic uint32_t buckets[BUCKETS];
	_Atomic size_t request_len;
	_Atomic size_t reply_len;
	pthread_mutex_t lock;
	pthread_cond_t idle;
};

struct context {
	struct driver *driver;
	nng_ctx ctx;
	nng_aio *aio;
	bool sending;
	int64_t started_ns;
	uint64_t random;
};

/*
 * Stands in the place of libc's, for nng alone: nothing else in here asks for random bytes. A REQ socket of nng 1.5.2
 * numbers its requests upwards from a random one of 0x80000000 to 0xffffffff, and goes on with 0. But the highest bit
 * is what tells a request's id from hops: from there on every server, nng's own REP too, drops each request as one that
 * came too far, and a run in some thousands ended so. Here the first id is near 0x80000000, and no run has 2^31
 * requests. The numbers differ, so that nng spreads its operations over its queues as it does by random ones.
 */
ssize_t getrandom(void *out, size_t len, unsigned flags)
{
	static _Atomic uint32_t drawn;
	uint32_t number = atomic_fetch_add(&drawn, 1);

	(void)flags;
	memset(out, 0, len);
	memcpy(out, &number, len < sizeof number ? len : sizeof number);
	return (ssize_t)len;
}

static int64_t clock_ns(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64: which token comes next need not be secret. */
static uint64_t next_random(struct context *context)
{
	context->random ^= context->random << 13;
	context->random ^= context->random >> 7;
	context->random ^= context->random << 17;
	return context->random;
}

static nng_msg *make_request(struct context *context)
{
	static const char method[] = "latchkey.v1.KeyService/Verify";
	struct driver *driver = context->driver;
	Latchkey__V1__VerifyKeyRequest verify = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	nng_msg *message = NULL;

	verify.token = driver->tokens[next_random(context) % driver->n_tokens];
	if (driver->gates) {
		verify.permission_expression = TEXT("agents:install AND (chat:history OR chat:chat)");
		verify.client_ip = TEXT("10.1.2.3");
	}
	struct lk_request_envelope envelope = {
		.method = {(const uint8_t *)method, sizeof method - 1},
		.timeout_ms = 5000,
		.payload = {.len = latchkey__v1__verify_key_request__get_packed_size(&verify)},
	};
	size_t head_len = lk_envelope_request_size(&envelope);
	CHECK(nng_msg_alloc(&message, head_len + envelope.payload.len) == 0);
	uint8_t *body = nng_msg_body(message);
	(void)lk_envelope_request_pack(&envelope, body);
	(void)latchkey__v1__verify_key_request__pack(&verify, body + head_len);
	atomic_store_explicit(&driver->request_len, nng_msg_len(message), memory_order_relaxed);
	return message;
}

static void send_next(struct context *context)
{
	context->started_ns = clock_ns();
	nng_aio_set_msg(context->aio, make_request(context));
	nng_aio_set_timeout(context->aio, ANSWER_MS);
	context->sending = true;
	nng_ctx_send(context->ctx, context->aio);
}

static void check_reply(struct driver *driver, nng_msg *reply)
{
	struct lk_response_envelope envelope = {0};

	atomic_store_explicit(&driver->reply_len, nng_msg_len(reply), memory_order_relaxed);
	if (driver->verify) {
		CHECK(lk_envelope_scan_response(nng_msg_body(reply), nng_msg_len(reply), &envelope) == LK_OK);
		/* A VALID verdict begins with valid = true and code = 1. */
		CHECK(envelope.code == 0 && envelope.payload.len > 4 &&
			memcmp(envelope.payload.data, "\x08\1\x10\1", 4) == 0);
	}
}

static void finish(struct driver *driver)
{
	CHECK(pthread_mutex_lock(&driver->lock) == 0);
	if (atomic_fetch_sub(&driver->running, 1) == 1) {
		CHECK(pthread_cond_signal(&driver->idle) == 0);
	}
	CHECK(pthread_mutex_unlock(&driver->lock) == 0);
}

static void on_aio(void *argument)
{
	struct context *context = argument;
	struct driver *driver = context->driver;

	CHECK_MSG(nng_aio_result(context->aio) == 0, nng_strerror(nng_aio_result(context->aio)));
	if (context->sending) {
		context->sending = false;
		nng_ctx_recv(context->ctx, context->aio);
		return;
	}
	nng_msg *reply = nng_aio_get_msg(context->aio);
	int64_t latency_us = (clock_ns() - context->started_ns) / 1000;
	check_reply(driver, reply);
	nng_msg_free(reply);
	if (atomic_load_explicit(&driver->over, memory_order_relaxed)) {
		finish(driver);
		return;
	}
	atomic_fetch_add_explicit(&driver->answered, 1, memory_order_relaxed);
	size_t bucket = latency_us < BUCKETS ? (size_t)latency_us : BUCKETS - 1;
	atomic_fetch_add_explicit(&driver->buckets[bucket], 1, memory_order_relaxed);
	send_next(context);
}

static void read_tokens(struct driver *driver, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[LK_TOKEN_MAX + 2] = "";
	size_t room = 0;

	CHECK_MSG(file != NULL, path);
	while (fgets(line, sizeof line, file) != NULL) {
		if (driver->n_tokens == room) {
			room = room == 0 ? 1024 : 2 * room;
			driver->tokens = realloc(driver->tokens, room * sizeof *driver->tokens);
			CHECK(driver->tokens != NULL);
		}
		line[strcspn(line, "\n")] = '\0';
		driver->tokens[driver->n_tokens] = strdup(line);
		CHECK(driver->tokens[driver->n_tokens++] != NULL);
	}
	CHECK(fclose(file) == 0);
	CHECK_MSG(driver->n_tokens > 0, path);
}

/* The latency below which this share of all answers lies. */
static size_t percentile(struct driver *driver, double share)
{
	uint64_t rest = (uint64_t)((double)atomic_load(&driver->answered) * share);

	for (size_t i = 0; i < BUCKETS; i++) {
		uint64_t count = atomic_load(&driver->buckets[i]);
		if (count >= rest) {
			return i;
		}
		rest -= count;
	}
	return BUCKETS;
}

int main(int argc, char **argv)
{
	static struct driver driver = {.lock = PTHREAD_MUTEX_INITIALIZER, .idle = PTHREAD_COND_INITIALIZER};
	nng_socket socket = NNG_SOCKET_INITIALIZER;

	CHECK_MSG(argc == 6, "bench_drive URL TOKENS CONTEXTS SECONDS verify|gates|echo");
	size_t n_contexts = strtoul(argv[3], NULL, 10);
	struct timespec run = {.tv_sec = strtol(argv[4], NULL, 10)};
	struct context *contexts = calloc(n_contexts, sizeof *contexts);
	driver.gates = strcmp(argv[5], "gates") == 0;
	driver.verify = driver.gates || strcmp(argv[5], "verify") == 0;
	read_tokens(&driver, argv[2]);
	CHECK(contexts != NULL && n_contexts > 0 && nng_req0_open(&socket) == 0);
	CHECK(nng_socket_set_ms(socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) == 0);
	CHECK_MSG(nng_dial(socket, argv[1], NULL, 0) == 0, argv[1]);
	atomic_store(&driver.running, (unsigned)n_contexts);
	int64_t started_ns = clock_ns();
	for (size_t i = 0; i < n_contexts; i++) {
		contexts[i].driver = &driver;
		contexts[i].random = 0x9e3779b97f4a7c15 * (i + 1);
		CHECK(nng_ctx_open(&contexts[i].ctx, socket) == 0);
		CHECK(nng_aio_alloc(&contexts[i].aio, on_aio, &contexts[i]) == 0);
		send_next(&contexts[i]);
	}
	(void)nanosleep(&run, NULL);
	atomic_store(&driver.over, true);
	double seconds = (double)(clock_ns() - started_ns) / 1e9;
	double rate = (double)atomic_load(&driver.answered) / seconds;
	CHECK(pthread_mutex_lock(&driver.lock) == 0);
	while (atomic_load(&driver.running) > 0) {
		CHECK(pthread_cond_wait(&driver.idle, &driver.lock) == 0);
	}
	CHECK(pthread_mutex_unlock(&driver.lock) == 0);
	(void)printf("{\"rate\": %.0f, \"p50_us\": %zu, \"p99_us\": %zu, \"p999_us\": %zu, \"request_bytes\": %zu, "
		     "\"reply_bytes\": %zu}\n",
		rate, percentile(&driver, 0.5), percentile(&driver, 0.99), percentile(&driver, 0.999),
		atomic_load(&driver.request_len), atomic_load(&driver.reply_len));
	return fflush(stdout) == 0 ? 0 : 1;
}

/*
 * Drives a server with VerifyBatch: one request under way at a time, of so many tokens each, for so many seconds. Every outcome
 * must be a verdict that is VALID.
 *
 *	bench_batch URL TOKENS BATCH SECONDS
 *
 * Prints one JSON object: verdicts per second, the latencies of a batch p50, p99 and p999 in microseconds, and the bytes of a
 * request and of a reply.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <latchkey/token.h>

#include "client/envelope.h"
#include "client/varint.h"
#include "latchkey/v1/key.pb-c.h"
#include "tests/lib/check.h"

#define ANSWER_MS 20000
/* Latencies are counted by the microsecond; what takes longer than all of these counts as the longest. */
#define BUCKETS 1000000

struct driver {
	char **tokens;
	size_t n_tokens;
	size_t batch;
	nng_socket socket;
	uint64_t random;
	uint64_t verdicts;
	uint64_t batches;
	uint32_t buckets[BUCKETS];
	size_t request_len;
	size_t reply_len;
	Latchkey__V1__VerifyBatchItem *items;
	Latchkey__V1__VerifyBatchItem **list;
};

static int64_t clock_ns(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64: which token comes next need not be secret. */
static uint64_t next_random(struct driver *driver)
{
	driver->random ^= driver->random << 13;
	driver->random ^= driver->random >> 7;
	driver->random ^= driver->random << 17;
	return driver->random;
}

static nng_msg *make_request(struct driver *driver)
{
	static const char method[] = "latchkey.v1.KeyService/VerifyBatch";
	Latchkey__V1__VerifyBatchRequest request = LATCHKEY__V1__VERIFY_BATCH_REQUEST__INIT;
	nng_msg *message = NULL;

	for (size_t i = 0; i < driver->batch; i++) {
		char *token = driver->tokens[next_random(driver) % driver->n_tokens];
		latchkey__v1__verify_batch_item__init(&driver->items[i]);
		driver->items[i].token = (ProtobufCBinaryData){.len = strlen(token), .data = (uint8_t *)token};
		driver->list[i] = &driver->items[i];
	}
	request.items = driver->list;
	request.n_items = driver->batch;
	struct lk_request_envelope envelope = {
		.method = {(const uint8_t *)method, sizeof method - 1},
		.timeout_ms = 5000,
		.payload = {.len = latchkey__v1__verify_batch_request__get_packed_size(&request)},
	};
	size_t head_len = lk_envelope_request_size(&envelope);
	CHECK(nng_msg_alloc(&message, head_len + envelope.payload.len) == 0);
	uint8_t *body = nng_msg_body(message);
	(void)lk_envelope_request_pack(&envelope, body);
	(void)latchkey__v1__verify_batch_request__pack(&request, body + head_len);
	driver->request_len = nng_msg_len(message);
	return message;
}

/* How many outcomes the reply has, each a VALID verdict. */
static size_t count_valid(const nng_msg *reply)
{
	struct lk_response_envelope envelope = {0};
	const uint8_t *data = NULL;
	uint32_t field = 0;
	enum lk_wire_type type = LK_WIRE_VARINT;
	size_t len = 0;
	size_t count = 0;

	CHECK(lk_envelope_scan_response(nng_msg_body((nng_msg *)(uintptr_t)reply), nng_msg_len(reply), &envelope) ==
		LK_OK);
	CHECK(envelope.code == 0);
	const uint8_t *at = envelope.payload.data;
	for (const uint8_t *end = at + envelope.payload.len; at < end; count++) {
		CHECK(lk_varint_get_tag(&at, end, &field, &type) && field == 1 && type == LK_WIRE_BYTES &&
			lk_varint_get_bytes(&at, end, &data, &len));
		const uint8_t *inner = data;
		/* Of an outcome with a verdict that is field 15; a VALID one begins with valid = true and code = 1. */
		CHECK(lk_varint_get_tag(&inner, data + len, &field, &type) && field == 15 &&
			lk_varint_get_bytes(&inner, data + len, &data, &len) && len > 4 &&
			memcmp(data, "\x08\1\x10\1", 4) == 0);
	}
	return count;
}

static void run_once(struct driver *driver)
{
	nng_msg *message = make_request(driver);
	int64_t started_ns = clock_ns();

	CHECK(nng_sendmsg(driver->socket, message, 0) == 0);
	CHECK(nng_recvmsg(driver->socket, &message, 0) == 0);
	int64_t latency_us = (clock_ns() - started_ns) / 1000;
	driver->reply_len = nng_msg_len(message);
	size_t answered = count_valid(message);
	CHECK(answered > 0 && answered <= driver->batch);
	nng_msg_free(message);
	driver->verdicts += answered;
	driver->batches++;
	driver->buckets[latency_us < BUCKETS ? (size_t)latency_us : BUCKETS - 1]++;
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
static size_t percentile(const struct driver *driver, double share)
{
	uint64_t rest = (uint64_t)((double)driver->batches * share);

	for (size_t i = 0; i < BUCKETS; i++) {
		if (driver->buckets[i] >= rest) {
			return i;
		}
		rest -= driver->buckets[i];
	}
	return BUCKETS;
}

int main(int argc, char **argv)
{
	static struct driver driver = {.socket = NNG_SOCKET_INITIALIZER, .random = 0x9e3779b97f4a7c15};

	CHECK_MSG(argc == 5, "bench_batch URL TOKENS BATCH SECONDS");
	driver.batch = strtoul(argv[3], NULL, 10);
	int64_t run_ns = strtol(argv[4], NULL, 10) * INT64_C(1000000000);
	CHECK(driver.batch >= 1 && driver.batch <= 1000);
	driver.items = calloc(driver.batch, sizeof *driver.items);
	driver.list = calloc(driver.batch, sizeof *driver.list);
	CHECK(driver.items != NULL && driver.list != NULL);
	read_tokens(&driver, argv[2]);
	CHECK(nng_req0_open(&driver.socket) == 0);
	CHECK(nng_socket_set_ms(driver.socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) == 0);
	CHECK(nng_socket_set_size(driver.socket, NNG_OPT_RECVMAXSZ, (size_t)2 << 20) == 0);
	CHECK(nng_socket_set_ms(driver.socket, NNG_OPT_RECVTIMEO, ANSWER_MS) == 0);
	CHECK_MSG(nng_dial(driver.socket, argv[1], NULL, 0) == 0, argv[1]);
	int64_t started_ns = clock_ns();
	while (clock_ns() - started_ns < run_ns) {
		run_once(&driver);
	}
	double seconds = (double)(clock_ns() - started_ns) / 1e9;
	(void)printf("{\"rate\": %.0f, \"p50_us\": %zu, \"p99_us\": %zu, \"p999_us\": %zu, \"request_bytes\": %zu, "
		     "\"reply_bytes\": %zu}\n",
		(double)driver.verdicts / seconds, percentile(&driver, 0.5), percentile(&driver, 0.99),
		percentile(&driver, 0.999), driver.request_len, driver.reply_len);
	return fflush(stdout) == 0 ? 0 : 1;
}

/*
 * Verify as a service would write it on Redis: a hash a key, by the keyed BLAKE2b of its token.
 *
 *	bench_redis load SOCKET TOKENS			HSET of each, pipelined; prints {"keys", "seconds", "memory_bytes"}
 *	bench_redis drive SOCKET TOKENS CALLERS SECONDS RATE PIPELINE
 *
 * A verdict: HMGET of state, expiry, not-before and the identity (as many bytes as Verify's reply has), and HINCRBY of the uses,
 * both in one write, and in one round trip. CALLERS: connections, each with PIPELINE verdicts under way at a time. RATE: verdicts
 * a second, an open loop; 0: a closed one. The client (hiredis) digests the token, compares state and times with the clock, and
 * looks at the identity's length.
 *
 * Beside Verify it lacks: keyspaces and tenants that can be closed, permissions, addresses, rate limits, credits, the check on
 * every use of who calls; a use is counted before it is known whether the verdict is VALID. Nothing is on a disk: no persistence
 * is configured.
 */
#include <hiredis.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/connections.h"
#include "tests/bench/figures.h"
#include "tests/bench/pace.h"
#include "tests/lib/check.h"

#define DIGEST_LEN 32
/* Of a key that bench_load makes: what Verify's reply holds of it. */
#define IDENTITY_LEN  104
#define LOAD_AT_ONCE  1000
#define PIPELINE_MOST 64

/* The two commands of a verdict, as they go over the wire, with room for the digest in each. */
static const char hmget[] = "*6\r\n$5\r\nHMGET\r\n$32\r\n";
static const char fields[] = "\r\n$1\r\ns\r\n$1\r\ne\r\n$1\r\nn\r\n$1\r\ni\r\n*4\r\n$7\r\nHINCRBY\r\n$32\r\n";
static const char uses[] = "\r\n$1\r\nu\r\n$1\r\n1\r\n";

#define VERDICT_LEN (sizeof hmget + sizeof fields + sizeof uses - 3 + 2 * (size_t)DIGEST_LEN)

enum field {
	STATE,
	EXPIRE,
	NOT_BEFORE,
	IDENTITY,
	FIELDS
};

struct caller {
	redisContext *redis;
	const struct lk_tokens *tokens;
	size_t cursor;
	size_t pipeline;
	/* Replies to the current ask that have come. */
	size_t replies;
	char commands[PIPELINE_MOST * VERDICT_LEN];
};

static void digest_of(const char *token, uint8_t ret_digest[static DIGEST_LEN])
{
	static const uint8_t key[DIGEST_LEN] = "a key as verify.key, for a bench";

	(void)crypto_generichash_blake2b(
		ret_digest, DIGEST_LEN, (const unsigned char *)token, strlen(token), key, sizeof key);
}

static redisContext *connect_to(const char *path)
{
	redisContext *redis = redisConnectUnix(path);

	CHECK_MSG(redis != NULL && redis->err == 0, redis == NULL ? path : redis->errstr);
	return redis;
}

static redisReply *take_reply(redisContext *redis)
{
	void *reply = NULL;

	CHECK_MSG(redisGetReply(redis, &reply) == REDIS_OK, redis->errstr);
	return reply;
}

static void append_key(redisContext *redis, const char *token)
{
	uint8_t identity[IDENTITY_LEN];
	uint8_t digest[DIGEST_LEN];
	char expire[24] = "";

	digest_of(token, digest);
	memset(identity, 'i', sizeof identity);
	int expire_len = snprintf(expire, sizeof expire, "%lld", ((long long)time(NULL) + 365 * 86400) * 1000000);
	const char *words[] = {
		"HSET", (char *)digest, "s", "1", "e", expire, "n", "0", "i", (char *)identity, "u", "0"};
	size_t lengths[] = {4, sizeof digest, 1, 1, 1, (size_t)expire_len, 1, 1, 1, sizeof identity, 1, 1};
	CHECK(redisAppendCommandArgv(redis, sizeof words / sizeof words[0], words, lengths) == REDIS_OK);
}

static void take_loaded(redisContext *redis, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		redisReply *reply = take_reply(redis);
		CHECK_MSG(reply->type == REDIS_REPLY_INTEGER, reply->type == REDIS_REPLY_ERROR ? reply->str : "");
		freeReplyObject(reply);
	}
}

static unsigned long long memory_of(redisContext *redis)
{
	redisReply *reply = redisCommand(redis, "INFO memory");
	unsigned long long bytes = 0;

	CHECK(reply != NULL && reply->type == REDIS_REPLY_STRING);
	const char *line = strstr(reply->str, "used_memory_rss:");
	CHECK(line != NULL);
	bytes = strtoull(line + strlen("used_memory_rss:"), NULL, 10);
	freeReplyObject(reply);
	return bytes;
}

static void load(const char *path, const struct lk_tokens *tokens)
{
	redisContext *redis = connect_to(path);
	int64_t started_ns = lk_pace_clock_ns();
	size_t under_way = 0;

	for (size_t i = 0; i < tokens->count; i++) {
		append_key(redis, tokens->at[i]);
		if (++under_way == LOAD_AT_ONCE) {
			take_loaded(redis, under_way);
			under_way = 0;
		}
	}
	take_loaded(redis, under_way);
	(void)printf("{\"keys\": %zu, \"seconds\": %.3f, \"memory_bytes\": %llu}\n", tokens->count,
		(double)(lk_pace_clock_ns() - started_ns) / 1e9, memory_of(redis));
	redisFree(redis);
}

static char *put(char *at, const void *data, size_t len)
{
	memcpy(at, data, len);
	return at + len;
}

static int fd_of(void *connection)
{
	return ((struct caller *)connection)->redis->fd;
}

static void ask(void *connection)
{
	struct caller *caller = connection;
	char *at = caller->commands;
	const char *from = at;

	for (size_t i = 0; i < caller->pipeline; i++) {
		uint8_t digest[DIGEST_LEN];
		digest_of(lk_tokens_next(caller->tokens, &caller->cursor), digest);
		at = put(at, hmget, sizeof hmget - 1);
		at = put(at, digest, sizeof digest);
		at = put(at, fields, sizeof fields - 1);
		at = put(at, digest, sizeof digest);
		at = put(at, uses, sizeof uses - 1);
	}
	caller->replies = 0;
	/* The commands are whole: hiredis's buffer would only copy them once more. */
	while (from < at) {
		ssize_t written = write(caller->redis->fd, from, (size_t)(at - from));
		CHECK(written > 0);
		from += written;
	}
}

static bool is_valid(const redisReply *reply, long long now_us)
{
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements != FIELDS) {
		return false;
	}
	redisReply **field = reply->element;
	for (size_t i = 0; i < FIELDS; i++) {
		if (field[i]->type != REDIS_REPLY_STRING) {
			return false;
		}
	}
	return field[STATE]->str[0] == '1' && strtoll(field[EXPIRE]->str, NULL, 10) > now_us &&
	       strtoll(field[NOT_BEFORE]->str, NULL, 10) <= now_us && (size_t)field[IDENTITY]->len == IDENTITY_LEN;
}

static void check_reply(struct caller *caller, redisReply *reply)
{
	if (caller->replies % 2 == 0) {
		struct timespec now = {0};
		(void)clock_gettime(CLOCK_REALTIME, &now);
		CHECK(is_valid(reply, (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000));
	} else {
		CHECK(reply->type == REDIS_REPLY_INTEGER && reply->integer > 0);
	}
	caller->replies++;
	freeReplyObject(reply);
}

/* The socket blocks, but with `block` false it is readable: one read of what is there. */
static bool answer(void *connection, bool block)
{
	struct caller *caller = connection;

	(void)block;
	CHECK_MSG(redisBufferRead(caller->redis) == REDIS_OK, caller->redis->errstr);
	for (;;) {
		void *reply = NULL;
		CHECK_MSG(redisGetReplyFromReader(caller->redis, &reply) == REDIS_OK, caller->redis->errstr);
		if (reply == NULL) {
			break;
		}
		check_reply(caller, reply);
	}
	return caller->replies == 2 * caller->pipeline;
}

static void drive(char **argv, const struct lk_tokens *tokens)
{
	struct lk_histogram *latencies = lk_histogram_new();
	struct lk_figures figures = {0};
	struct lk_connection_run run = {
		.count = lk_option_number("CALLERS", argv[4], 1),
		.length_ns = lk_option_seconds("SECONDS", argv[5]),
		.rate = lk_option_number("RATE", argv[6], 0),
	};
	size_t pipeline = lk_option_number("PIPELINE", argv[7], 1);
	CHECK_MSG(pipeline <= PIPELINE_MOST, "PIPELINE: 64 at most");
	struct lk_connection_kind kind = {.fd = fd_of, .ask = ask, .answer = answer, .weight = pipeline};
	struct caller *callers = calloc(run.count, sizeof *callers);
	run.connections = calloc(run.count, sizeof *run.connections);
	CHECK(callers != NULL && run.connections != NULL);
	for (size_t i = 0; i < run.count; i++) {
		callers[i].redis = connect_to(argv[2]);
		callers[i].tokens = tokens;
		callers[i].cursor = lk_tokens_begin(tokens, i, run.count);
		callers[i].pipeline = pipeline;
		run.connections[i] = &callers[i];
	}
	lk_connections_run(&kind, &run, &figures, latencies);
	lk_figures_print(&figures, latencies, "");
	lk_histogram_free(latencies);
	for (size_t i = 0; i < run.count; i++) {
		redisFree(callers[i].redis);
	}
	free(run.connections);
	free(callers);
}

int main(int argc, char **argv)
{
	struct lk_tokens tokens = {0};
	bool loads = argc == 4 && strcmp(argv[1], "load") == 0;

	CHECK_MSG(loads || (argc == 8 && strcmp(argv[1], "drive") == 0),
		"bench_redis load SOCKET TOKENS | drive SOCKET TOKENS CALLERS SECONDS RATE PIPELINE");
	CHECK(sodium_init() >= 0);
	lk_tokens_read(&tokens, argv[3]);
	if (loads) {
		load(argv[2], &tokens);
	} else {
		drive(argv, &tokens);
	}
	lk_tokens_done(&tokens);
	return fflush(stdout) == 0 ? 0 : 1;
}

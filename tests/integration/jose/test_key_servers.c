/*
 * Where an issuer's keys come from: servers that rotate them, hang, answer nonsense or die, and files. Whatever happens
 * there, keys that were read once go on to be good, and calls never wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <latchkey/error.h>

#include "jose_stage.h"

#define ISSUER                                                                                                         \
	"[issuer \"main\"]\n"                                                                                          \
	"issuer = " JOSE_PEER_ISSUER "\n"                                                                              \
	"audiences = account\n"                                                                                        \
	"tenant_claim = tenant\n"                                                                                      \
	"grant = realm_access.roles=key-user: methods=keys.* keyspaces=*\n"
#define BY_URL ISSUER "jwks_url = http://127.0.0.1:%d/jwks\n"
#define EAGER  "jwks_min_interval_s = 1\n"
#define LAZY   "jwks_min_interval_s = 3600\njwks_refresh_s = 3600\n"

#define RSA1 "{\"do\": \"token\", \"key\": \"rsa1\"}"
#define RSA2 "{\"do\": \"token\", \"key\": \"rsa2\"}"

static int set_up(void **state)
{
	struct jose_stage *stage = calloc(1, sizeof *stage);

	*state = stage;
	jose_stage_start(stage);
	return 0;
}

static int tear_down(void **state)
{
	jose_stage_stop(*state);
	free(*state);
	return 0;
}

/* The answer to a call by a token that `order` makes. */
static uint32_t call(struct jose_stage *stage, const char *order)
{
	char *token = jose_peer_ask(&stage->peer, "%s", order);
	uint32_t code = jose_stage_call(stage, token);

	free(token);
	return code;
}

static uint32_t call_patiently(struct jose_stage *stage, const char *order)
{
	char *token = jose_peer_ask(&stage->peer, "%s", order);
	uint32_t code = jose_stage_call_patiently(stage, token);

	free(token);
	return code;
}

static void assert_count(struct jose_stage *stage, const char *expected)
{
	char *count = jose_peer_ask(&stage->peer, "{\"do\": \"count\"}");

	assert_string_equal(count, expected);
	free(count);
}

static void test_keys_name_the_caller(void **state)
{
	static const char name[] = "jwt:main:user-1";
	struct jose_stage *stage = *state;

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	jose_stage_run(stage, BY_URL LAZY, stage->peer.port);
	assert_int_equal(call_patiently(stage, RSA1), LK_OK);
	assert_non_null(memmem(stage->payload, stage->payload_len, name, strlen(name)));
}

static void test_keys_rotate(void **state)
{
	struct jose_stage *stage = *state;

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	jose_stage_run(stage, BY_URL EAGER, stage->peer.port);
	assert_int_equal(call_patiently(stage, RSA1), LK_OK);
	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa2\"]}");
	/* Refused until the keys may be read again, then put off, then good. */
	while (call(stage, RSA2) != LK_OK) {
		assert_true(stage->code == LK_UNAUTHENTICATED || stage->code == LK_UNAVAILABLE);
	}
	/* What was taken back is good no more. */
	assert_int_equal(call_patiently(stage, RSA1), LK_UNAUTHENTICATED);
	assert_int_equal(call_patiently(stage, RSA2), LK_OK);
}

static void test_keys_are_not_read_for_every_unknown_kid(void **state)
{
	struct jose_stage *stage = *state;

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	jose_stage_run(stage, BY_URL LAZY, stage->peer.port);
	assert_int_equal(call_patiently(stage, RSA1), LK_OK);
	for (unsigned i = 0; i < 30; i++) {
		char order[96] = "";
		(void)snprintf(order, sizeof order, "{\"do\": \"token\", \"key\": \"rsa1\", \"kid\": \"other%u\"}", i);
		assert_int_equal(call(stage, order), LK_UNAUTHENTICATED);
	}
	assert_count(stage, "1");
}

static void test_keys_of_a_server_that_hangs(void **state)
{
	static const char *const words[] = {"cannot read an issuer's keys", "stale=false", NULL};
	struct jose_stage *stage = *state;

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"mode\": \"hang\", \"keys\": [\"rsa1\"]}");
	jose_stage_run(stage, BY_URL EAGER, stage->peer.port);
	jose_peer_tell(&stage->peer, "{\"do\": \"await\", \"count\": 1}");
	/* The daemon serves, and nobody waits with it. */
	assert_int_equal(call(stage, RSA1), LK_UNAVAILABLE);
	assert_string_equal(stage->message, "the keys of issuer main are being fetched: try again");
	char *line = jose_stage_await_log(stage, words);
	assert_non_null(strstr(line, "timed out"));
	free(line);
	assert_int_equal(call(stage, RSA1), LK_UNAVAILABLE);
	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	assert_int_equal(call_patiently(stage, RSA1), LK_OK);

	/* With keys that are there, one that hangs holds nobody up. */
	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"mode\": \"hang\", \"keys\": [\"rsa1\"]}");
	while (call(stage, RSA2) != LK_UNAVAILABLE) {
		assert_int_equal(stage->code, LK_UNAUTHENTICATED);
	}
	assert_int_equal(call(stage, RSA1), LK_OK);
}

static void test_keys_stop_while_a_server_hangs(void **state)
{
	struct jose_stage *stage = *state;

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"mode\": \"hang\"}");
	jose_stage_run(stage, BY_URL EAGER, stage->peer.port);
	jose_peer_tell(&stage->peer, "{\"do\": \"await\", \"count\": 1}");
	/* Exit status and all. */
	daemon_stop(&stage->daemon);
}

/* Each of them takes a second to let go, and all of them the same one. */
static void test_keys_stop_while_many_servers_hang(void **state)
{
	enum {
		ISSUERS = 8
	};
	static const char *const stopped[] = {"msg=stopped", NULL};
	struct jose_stage *stage = *state;
	char config[4096] = "";
	size_t len = 0;
	char *line = NULL;
	size_t size = 0;

	for (unsigned i = 0; i < ISSUERS; i++) {
		len += (size_t)snprintf(config + len, sizeof config - len,
			"[issuer \"i%u\"]\nissuer = i%u\naudiences = a\ntenants = *\ngrant = *: methods=* keyspaces=*\n"
			"jwks_url = http://127.0.0.1:%d/jwks\n",
			i, i, stage->peer.port);
	}
	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"mode\": \"hang\"}");
	jose_stage_run(stage, "%s", config);
	jose_peer_tell(&stage->peer, "{\"do\": \"await\", \"count\": %d}", ISSUERS);
	daemon_stop(&stage->daemon);
	/* None was left to what it was fetching until that was out of time. */
	free(jose_stage_await_log(stage, stopped));
	FILE *log = fopen(stage->daemon.log, "re");
	assert_non_null(log);
	while (getline(&line, &size, log) > 0) {
		assert_null(strstr(line, "cannot read an issuer's keys"));
	}
	(void)fclose(log);
	free(line);
}

struct bad_answer {
	const char *mode;
	const char *reason;
};

/* None at the start: nobody is let in. Some at the start: they stay. */
static void play_bad_answer(struct jose_stage *stage, const struct bad_answer *bad)
{
	const char *const first[] = {"cannot read an issuer's keys", bad->reason, "stale=false", NULL};
	const char *const then[] = {"cannot read an issuer's keys", bad->reason, "stale=true", NULL};

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"mode\": \"%s\", \"keys\": [\"rsa1\"]}", bad->mode);
	jose_stage_run(stage, BY_URL EAGER, stage->peer.port);
	free(jose_stage_await_log(stage, first));
	assert_int_equal(call(stage, RSA1), LK_UNAVAILABLE);
	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	assert_int_equal(call_patiently(stage, RSA1), LK_OK);

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"mode\": \"%s\", \"keys\": [\"rsa1\"]}", bad->mode);
	while (call(stage, RSA2) != LK_UNAVAILABLE) {
		assert_int_equal(stage->code, LK_UNAUTHENTICATED);
	}
	free(jose_stage_await_log(stage, then));
	assert_int_equal(call(stage, RSA1), LK_OK);
}

static void test_keys_of_garbage(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"garbage", "it is no JSON object"});
}

static void test_keys_of_10_megabytes(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"big", "more than 1048576 bytes"});
}

static void test_keys_without_end(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"endless", "more than 1048576 bytes"});
}

static void test_keys_of_status_500(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"500", "the answer is 500"});
}

static void test_keys_elsewhere(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"redirect", "the answer is 302"});
}

static void test_keys_of_nothing(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"empty", "it is no JSON object"});
}

/* 10 MB that nobody announces. */
static void test_keys_of_10_megabytes_in_chunks(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"chunked", "more than 1048576 bytes"});
}

/* Nothing is unpacked, and so nothing grows by that. */
static void test_keys_compressed(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"gzip", "it is no JSON object"});
}

static void test_keys_cut_off(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"cut off", "with 1 bytes remaining"});
}

static void test_keys_not_modified(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"304", "the answer is 304"});
}

static void test_keys_in_a_file_of_ours(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"to a file", "the answer is 302"});
}

static void test_keys_under_a_megabyte_of_headers(void **state)
{
	play_bad_answer(*state, &(struct bad_answer){"headers", "headers"});
}

/* Something comes all the time, and it has its 5 seconds nevertheless. */
static void test_keys_drop_by_drop(void **state)
{
	static const char *const words[] = {"cannot read an issuer's keys", "timed out", "stale=false", NULL};
	struct jose_stage *stage = *state;

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"mode\": \"drip\", \"keys\": [\"rsa1\"]}");
	jose_stage_run(stage, BY_URL EAGER, stage->peer.port);
	jose_peer_tell(&stage->peer, "{\"do\": \"await\", \"count\": 1}");
	assert_int_equal(call(stage, RSA1), LK_UNAVAILABLE);
	free(jose_stage_await_log(stage, words));
	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	assert_int_equal(call_patiently(stage, RSA1), LK_OK);
}

/* Whoever stands between may have good keys of his own, and any certificate that he makes himself. */
static void test_keys_of_a_server_that_nobody_vouches_for(void **state)
{
	static const char *const words[] = {"cannot read an issuer's keys", "certificate", "stale=false", NULL};
	struct jose_stage *stage = *state;
	char *port = jose_peer_ask(&stage->peer, "{\"do\": \"tls\"}");

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	jose_stage_run(stage, ISSUER EAGER "jwks_url = https://127.0.0.1:%s/jwks\n", port);
	free(port);
	free(jose_stage_await_log(stage, words));
	/* Again and again. */
	free(jose_stage_await_log(stage, words));
	assert_int_equal(call(stage, RSA1), LK_UNAVAILABLE);
	/* It was not even asked. */
	assert_count(stage, "0");
}

static void test_keys_outlive_their_server(void **state)
{
	static const char *const words[] = {"cannot read an issuer's keys", "stale=true", NULL};
	struct jose_stage *stage = *state;

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	jose_stage_run(stage, BY_URL EAGER "jwks_refresh_s = 1\n", stage->peer.port);
	assert_int_equal(call_patiently(stage, RSA1), LK_OK);
	jose_peer_tell(&stage->peer, "{\"do\": \"close\"}");
	free(jose_stage_await_log(stage, words));
	free(jose_stage_await_log(stage, words));
	assert_int_equal(call(stage, RSA1), LK_OK);
}

static void write_keys(struct jose_stage *stage, const char *keys, mode_t mode, char path[static 96])
{
	(void)snprintf(path, 96, "%s/keys.json", stage->daemon.root);
	jose_peer_tell(&stage->peer, "{\"do\": \"write\", \"path\": \"%s\", \"keys\": %s}", path, keys);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_keys_of_a_file(void **state)
{
	struct jose_stage *stage = *state;
	char path[96] = "";

	write_keys(stage, "[\"rsa1\"]", 0644, path);
	jose_stage_run(stage, ISSUER EAGER "jwks_file = %s\n", path);
	/* They are there from the first call on. */
	assert_int_equal(call(stage, RSA1), LK_OK);
	write_keys(stage, "[\"rsa1\", \"rsa2\"]", 0644, path);
	while (call(stage, RSA2) != LK_OK) {
		assert_true(stage->code == LK_UNAUTHENTICATED || stage->code == LK_UNAVAILABLE);
	}
	assert_int_equal(call(stage, RSA1), LK_OK);
	/* Once it is anybody's, it is not believed; the keys that were read before are. */
	static const char *const words[] = {"cannot read an issuer's keys", "anybody may write it", NULL};
	write_keys(stage, "[\"rsa3\"]", 0666, path);
	while (call(stage, "{\"do\": \"token\", \"key\": \"rsa3\"}") != LK_UNAVAILABLE) {
		assert_int_equal(stage->code, LK_UNAUTHENTICATED);
	}
	free(jose_stage_await_log(stage, words));
	assert_int_equal(call_patiently(stage, RSA1), LK_OK);
	assert_int_equal(call_patiently(stage, RSA2), LK_OK);
}

/* The oldest of attacks, where HS256 is allowed: what is public is no secret. */
static void test_keys_public_ones_are_no_secrets(void **state)
{
	static const char *const attacks[] = {"SPKI PEM", "PKCS1 PEM", "DER", "JWK", "modulus", "nothing"};
	struct jose_stage *stage = *state;
	char path[96] = "";

	write_keys(stage, "[\"rsa1\", \"hs1\"]", 0600, path);
	jose_stage_run(stage, ISSUER LAZY "algorithms = RS256 HS256\njwks_file = %s\n", path);
	assert_int_equal(call(stage, RSA1), LK_OK);
	assert_int_equal(call(stage, "{\"do\": \"token\", \"key\": \"hs1\"}"), LK_OK);
	for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++) {
		char order[96] = "";
		(void)snprintf(order, sizeof order, "{\"do\": \"attack\", \"name\": \"HS256 by %s\"}", attacks[i]);
		assert_int_equal(call(stage, order), LK_UNAUTHENTICATED);
		assert_string_equal(stage->message, "invalid token");
	}
}

/* Anybody may send anything, and the log is not theirs to fill. */
static void test_keys_refusals_do_not_flood_the_log(void **state)
{
	enum {
		CALLS = 5000
	};
	static const char *const stopped[] = {"msg=stopped", NULL};
	struct jose_stage *stage = *state;
	size_t lines = 0;
	char *line = NULL;
	size_t size = 0;

	jose_peer_tell(&stage->peer, "{\"do\": \"serve\", \"keys\": [\"rsa1\"]}");
	jose_stage_run(stage, BY_URL LAZY, stage->peer.port);
	for (unsigned i = 0; i < CALLS; i++) {
		assert_int_equal(jose_stage_call(stage, "e30.e30.AAAA"), LK_UNAUTHENTICATED);
	}
	daemon_stop(&stage->daemon);
	free(jose_stage_await_log(stage, stopped));
	FILE *log = fopen(stage->daemon.log, "re");
	assert_non_null(log);
	while (getline(&line, &size, log) > 0) {
		lines += strstr(line, "token refused") != NULL;
	}
	(void)fclose(log);
	free(line);
	assert_in_range(lines, 100, CALLS / 2);
}

#define KEYS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		KEYS(test_keys_name_the_caller),
		KEYS(test_keys_rotate),
		KEYS(test_keys_are_not_read_for_every_unknown_kid),
		KEYS(test_keys_of_a_server_that_hangs),
		KEYS(test_keys_stop_while_a_server_hangs),
		KEYS(test_keys_stop_while_many_servers_hang),
		KEYS(test_keys_of_garbage),
		KEYS(test_keys_of_10_megabytes),
		KEYS(test_keys_without_end),
		KEYS(test_keys_of_status_500),
		KEYS(test_keys_elsewhere),
		KEYS(test_keys_of_nothing),
		KEYS(test_keys_of_10_megabytes_in_chunks),
		KEYS(test_keys_compressed),
		KEYS(test_keys_cut_off),
		KEYS(test_keys_not_modified),
		KEYS(test_keys_in_a_file_of_ours),
		KEYS(test_keys_under_a_megabyte_of_headers),
		KEYS(test_keys_drop_by_drop),
		KEYS(test_keys_of_a_server_that_nobody_vouches_for),
		KEYS(test_keys_outlive_their_server),
		KEYS(test_keys_of_a_file),
		KEYS(test_keys_public_ones_are_no_secrets),
		KEYS(test_keys_refusals_do_not_flood_the_log),
	};

	return cmocka_run_group_tests_name("token key servers", tests, NULL, NULL);
}

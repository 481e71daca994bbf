#include "server/core/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <latchkey/token.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	STOPPED = LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED,
	SUSPENDED = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_SUSPENDED,
	ACTIVE = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE,
	GONE = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED,
	VALID = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID,
	MALFORMED = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_MALFORMED,
	NOT_FOUND = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND,
	REVOKED = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_REVOKED,
	EXPIRED = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_EXPIRED,
	EARLY = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_YET_VALID,
	ELSEWHERE = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_WRONG_KEYSPACE,
	DENIED = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_IP_DENIED,
	INSUFFICIENT = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_INSUFFICIENT_PERMISSIONS,
};

static const int64_t now = INT64_C(1795253400123456);

/* What fits; a gate whose bit is not there refuses. */
enum {
	PLACE = 1 << 0,
	ADDRESS = 1 << 1,
	RIGHT = 1 << 2,
	ALL = PLACE | ADDRESS | RIGHT,
};

static const struct {
	int64_t expire_after;
	int64_t not_before_after;
	int state;
	unsigned fits;
	int code;
} cases[] = {
	/* Each gate alone, to the microsecond. */
	{1, 0, ACTIVE, ALL, VALID},
	{0, 0, ACTIVE, ALL, EXPIRED},
	{-1, 0, ACTIVE, ALL, EXPIRED},
	{1, -1, ACTIVE, ALL, VALID},
	{2, 1, ACTIVE, ALL, EARLY},
	{1, 0, GONE, ALL, REVOKED},
	{1, 0, ACTIVE, ALL & ~PLACE, ELSEWHERE},
	{1, 0, ACTIVE, ALL & ~ADDRESS, DENIED},
	{1, 0, ACTIVE, ALL & ~RIGHT, INSUFFICIENT},
	{1, 0, STOPPED, ALL, SUSPENDED},
	/* The first gate that refuses gives the code. */
	{0, 1, STOPPED, 0, EXPIRED},
	{1, 1, STOPPED, 0, SUSPENDED},
	{0, 1, GONE, 0, REVOKED},
	{0, 1, ACTIVE, 0, EXPIRED},
	{1, 1, ACTIVE, 0, EARLY},
	{1, 0, ACTIVE, 0, ELSEWHERE},
	{1, 0, ACTIVE, PLACE, DENIED},
	{1, 0, ACTIVE, PLACE | ADDRESS, INSUFFICIENT},
	/* States that nobody should have stored. */
	{1, 0, 0, ALL, REVOKED},
	{1, 0, 4, ALL, REVOKED},
	{1, 0, -1, ALL, REVOKED},
	{1, 0, INT32_MAX, ALL, REVOKED},
};

static void test_verdict_decide_walks_the_gates_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct lk_verdict_facts facts = {
			.expire_us = now + cases[i].expire_after,
			.not_before_us = now + cases[i].not_before_after,
			.state = (Latchkey__Store__StoredState)cases[i].state,
			.keyspace_fits = (cases[i].fits & PLACE) != 0,
			.ip_fits = (cases[i].fits & ADDRESS) != 0,
			.permitted = (cases[i].fits & RIGHT) != 0,
		};
		assert_int_equal(lk_verdict_decide(&facts, now), cases[i].code);
		/* The gate that gave the code says so alone too, and none before it does. */
		for (int code = REVOKED; code < cases[i].code; code++) {
			assert_false(lk_verdict_refuses((Latchkey__V1__VerifyCode)code, &facts, now));
		}
		assert_int_equal(lk_verdict_refuses((Latchkey__V1__VerifyCode)cases[i].code, &facts, now),
			cases[i].code != VALID);
	}
}

/* Each gate is asked for itself, whatever those before it say; what a use costs is no fact of the key. */
static void test_verdict_refuses_asks_one_gate_alone(void **state)
{
	const struct lk_verdict_facts facts = {.expire_us = now,
		.not_before_us = now + 1,
		.state = (Latchkey__Store__StoredState)STOPPED,
		.ip_fits = true};
	static const struct {
		int code;
		bool refuses;
	} gates[] = {{VALID, false}, {MALFORMED, false}, {NOT_FOUND, false}, {REVOKED, false}, {EXPIRED, true},
		{SUSPENDED, true}, {EARLY, true}, {ELSEWHERE, true}, {DENIED, false}, {INSUFFICIENT, true},
		{INSUFFICIENT + 1, false}, {INSUFFICIENT + 2, false}, {0, false}, {99, false}};

	(void)state;
	for (size_t i = 0; i < COUNT(gates); i++) {
		assert_int_equal(
			lk_verdict_refuses((Latchkey__V1__VerifyCode)gates[i].code, &facts, now), gates[i].refuses);
	}
}

static void test_verdict_decide_takes_zero_for_none(void **state)
{
	(void)state;
	const struct lk_verdict_facts facts = {
		.state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE,
		.keyspace_fits = true,
		.ip_fits = true,
		.permitted = true,
	};
	static const int64_t times[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
	for (size_t i = 0; i < COUNT(times); i++) {
		assert_int_equal(lk_verdict_decide(&facts, times[i]), VALID);
	}
}

/* A replaced secret is over from the very instant of its end, whatever the key is. */
static void test_verdict_decide_ends_a_replaced_secret(void **state)
{
	(void)state;
	static const struct {
		int64_t until_after;
		bool replaced;
		int state;
		int64_t expire_after;
		int code;
		int64_t end_after;
	} secrets[] = {
		{1, true, ACTIVE, 9, VALID, 1},
		{9, true, ACTIVE, 1, VALID, 1},
		{0, true, ACTIVE, 9, REVOKED, 0},
		{-1, true, ACTIVE, 9, REVOKED, 0},
		{0, true, STOPPED, -1, REVOKED, 0},
		{1, true, STOPPED, 9, SUSPENDED, 0},
		{1, true, ACTIVE, 0, EXPIRED, 0},
		{1, true, GONE, 9, REVOKED, 0},
		/* Of a secret that was not replaced, the instant says nothing. */
		{-1, false, ACTIVE, 9, VALID, 0},
	};
	for (size_t i = 0; i < COUNT(secrets); i++) {
		const struct lk_verdict_facts facts = {
			.expire_us = now + secrets[i].expire_after,
			.state = (Latchkey__Store__StoredState)secrets[i].state,
			.replaced = secrets[i].replaced,
			.replaced_until_us = now + secrets[i].until_after,
			.keyspace_fits = true,
			.ip_fits = true,
			.permitted = true,
		};
		assert_int_equal(lk_verdict_decide(&facts, now), secrets[i].code);
		if (secrets[i].code == VALID) {
			int64_t end = secrets[i].replaced ? now + secrets[i].end_after : 0;
			assert_true(lk_verdict_secret_end(&facts) == end);
		}
	}
}

static void test_verdict_secret_of_a_key_that_never_expires_ends_by_itself(void **state)
{
	(void)state;
	struct lk_verdict_facts facts = {.replaced = true, .replaced_until_us = now};
	assert_true(lk_verdict_secret_end(&facts) == now);
	facts.replaced = false;
	assert_true(lk_verdict_secret_end(&facts) == 0);
}

static void test_verdict_of_unknown_tells_malformed_from_not_found(void **state)
{
	(void)state;
	static const struct {
		const char *token;
		int code;
	} tokens[] = {
		{"sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw", NOT_FOUND},
		{"lkr_0000000000000000000000000000000044XISu", NOT_FOUND},
		{"sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQv", MALFORMED},
		{"sk-0123456789ABCDEFGHIJKLMNOPQRSTUW1ZZLQw", MALFORMED},
		{"sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQ", MALFORMED},
		{"sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw ", MALFORMED},
		{"", MALFORMED},
		{"sk-", MALFORMED},
		/* What looks like a JWT has no checksum of ours. */
		{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", NOT_FOUND},
		{"eyJ.-._", NOT_FOUND},
		{"eyJ..a", MALFORMED},
		{"eyJ.a.", MALFORMED},
		{"eyJ.a", MALFORMED},
		{"eyJ", MALFORMED},
		{"eyJ.a.b.", MALFORMED},
		{"eyJ.a.b.c", MALFORMED},
		{"eyJ.a.b ", MALFORMED},
		{"eyJ=.a.b", MALFORMED},
		{"eyJ.a+.b", MALFORMED},
		{"eyJ.a.b\n", MALFORMED},
		{"eyj.a.b", MALFORMED},
		{".eyJ.a.b", MALFORMED},
		{"\xff", MALFORMED},
	};
	for (size_t i = 0; i < COUNT(tokens); i++) {
		size_t len = strlen(tokens[i].token);
		assert_int_equal(lk_verdict_of_unknown(tokens[i].token, len, false), tokens[i].code);
		/* Where keys were imported, a checksum tells nothing; bytes that no token has still do. */
		assert_int_equal(lk_verdict_of_unknown(tokens[i].token, len, true),
			lk_verdict_can_look_up(tokens[i].token, len) ? NOT_FOUND : MALFORMED);
	}
}

static void test_verdict_can_look_up_printable_tokens_of_4_kib(void **state)
{
	(void)state;
	static char token[LK_TOKEN_MAX + 1];
	memset(token, '~', sizeof(token));
	assert_true(lk_verdict_can_look_up(token, LK_TOKEN_MAX));
	assert_false(lk_verdict_can_look_up(token, LK_TOKEN_MAX + 1));
	assert_int_equal(lk_verdict_of_unknown(token, LK_TOKEN_MAX + 1, false), MALFORMED);
	assert_int_equal(lk_verdict_of_unknown(token, LK_TOKEN_MAX + 1, true), MALFORMED);
	/* Nor is a JWT so long. */
	memset(token, 'a', sizeof token);
	memcpy(token, "eyJ.a.", 6);
	assert_int_equal(lk_verdict_of_unknown(token, LK_TOKEN_MAX, false), NOT_FOUND);
	assert_int_equal(lk_verdict_of_unknown(token, LK_TOKEN_MAX + 1, false), MALFORMED);
	memset(token, '~', sizeof token);
	assert_true(lk_verdict_can_look_up("", 0));
	for (int c = 0; c < 256; c++) {
		token[LK_TOKEN_MAX - 1] = (char)c;
		assert_int_equal(lk_verdict_can_look_up(token, LK_TOKEN_MAX), c >= ' ' && c <= '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdict_decide_walks_the_gates_in_order),
		cmocka_unit_test(test_verdict_refuses_asks_one_gate_alone),
		cmocka_unit_test(test_verdict_decide_takes_zero_for_none),
		cmocka_unit_test(test_verdict_decide_ends_a_replaced_secret),
		cmocka_unit_test(test_verdict_secret_of_a_key_that_never_expires_ends_by_itself),
		cmocka_unit_test(test_verdict_of_unknown_tells_malformed_from_not_found),
		cmocka_unit_test(test_verdict_can_look_up_printable_tokens_of_4_kib),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

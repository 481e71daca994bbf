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
};

static const int64_t now = INT64_C(1795253400123456);

static const struct {
	int64_t expire_after;
	int64_t not_before_after;
	int state;
	bool keyspace_fits;
	int code;
} cases[] = {
	/* Each gate alone, to the microsecond. */
	{1, 0, ACTIVE, true, VALID},
	{0, 0, ACTIVE, true, EXPIRED},
	{-1, 0, ACTIVE, true, EXPIRED},
	{1, -1, ACTIVE, true, VALID},
	{2, 1, ACTIVE, true, EARLY},
	{1, 0, GONE, true, REVOKED},
	{1, 0, ACTIVE, false, ELSEWHERE},
	{1, 0, STOPPED, true, SUSPENDED},
	/* The first gate that refuses gives the code. */
	{0, 1, STOPPED, false, EXPIRED},
	{1, 1, STOPPED, false, SUSPENDED},
	{0, 1, GONE, false, REVOKED},
	{0, 1, ACTIVE, false, EXPIRED},
	{1, 1, ACTIVE, false, EARLY},
	/* States that nobody should have stored. */
	{1, 0, 0, true, REVOKED},
	{1, 0, 4, true, REVOKED},
	{1, 0, -1, true, REVOKED},
	{1, 0, INT32_MAX, true, REVOKED},
};

static void test_verdict_decide_walks_the_gates_in_order(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct lk_verdict_facts facts = {
			.expire_us = now + cases[i].expire_after,
			.not_before_us = now + cases[i].not_before_after,
			.state = (Latchkey__Store__StoredState)cases[i].state,
			.keyspace_fits = cases[i].keyspace_fits,
		};
		assert_int_equal(lk_verdict_decide(&facts, now), cases[i].code);
	}
}

static void test_verdict_decide_takes_zero_for_none(void **state)
{
	(void)state;
	const struct lk_verdict_facts facts = {
		.state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE,
		.keyspace_fits = true,
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
		cmocka_unit_test(test_verdict_decide_takes_zero_for_none),
		cmocka_unit_test(test_verdict_decide_ends_a_replaced_secret),
		cmocka_unit_test(test_verdict_secret_of_a_key_that_never_expires_ends_by_itself),
		cmocka_unit_test(test_verdict_of_unknown_tells_malformed_from_not_found),
		cmocka_unit_test(test_verdict_can_look_up_printable_tokens_of_4_kib),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

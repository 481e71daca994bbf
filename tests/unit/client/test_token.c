#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <latchkey/token.h>

/* The checksums are from Python: zlib.crc32() of the text before, in base62. */
static const struct {
	const char *prefix;
	const char *token;
} golden[] = {
	{"sk-", "sk-00000000000000000000000000000000365VC5"},
	{"sk-", "sk-zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz4fyg8J"},
	{"prod_", "prod_0123456789ABCDEFGHIJKLMNOPQRSTUV3Lp10F"},
	{"agk_live_", "agk_live_abcdefghijklmnopqrstuvwxyz01234505V6fG"},
	{"lkr_", "lkr_Zz9Yy8Xx7Ww6Vv5Uu4Tt3Ss2Rr1Qq0Pp2wGr9M"},
	{"a", "aAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA1CUlHO"},
	{"--------------------------------", "--------------------------------7777777777777777777777777777777749GTzh"},
};

#define N_GOLDEN (sizeof(golden) / sizeof(golden[0]))

static void test_token_golden_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_GOLDEN; i++) {
		const char *token = golden[i].token;
		size_t len = strlen(token);
		char checksum[LK_TOKEN_CHECKSUM_LEN];

		lk_token_checksum(token, len - LK_TOKEN_CHECKSUM_LEN, checksum);
		assert_memory_equal(checksum, token + len - LK_TOKEN_CHECKSUM_LEN, LK_TOKEN_CHECKSUM_LEN);
		assert_int_equal(lk_token_check(token, len, golden[i].prefix), LK_TOKEN_FINE);
		assert_int_equal(lk_token_check(token, len, NULL), LK_TOKEN_FINE);
	}
}

static void test_token_checksum_is_iso_hdlc(void **state)
{
	char checksum[LK_TOKEN_CHECKSUM_LEN];

	/* The catalogue's check value, CBF43926, and the empty text's 0. */
	(void)state;
	lk_token_checksum("123456789", 9, checksum);
	assert_memory_equal(checksum, "3jZRME", LK_TOKEN_CHECKSUM_LEN);
	lk_token_checksum("", 0, checksum);
	assert_memory_equal(checksum, "000000", LK_TOKEN_CHECKSUM_LEN);
}

static void test_token_every_substitution_is_detected(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_GOLDEN; i++) {
		char token[LK_TOKEN_MAX];
		size_t len = strlen(golden[i].token);

		for (size_t at = 0; at < len; at++) {
			for (int c = 0; c < 256; c++) {
				memcpy(token, golden[i].token, len);
				token[at] = (char)c;
				if (token[at] == golden[i].token[at]) {
					continue;
				}
				if (lk_token_check(token, len, NULL) == LK_TOKEN_FINE ||
					lk_token_check(token, len, golden[i].prefix) == LK_TOKEN_FINE) {
					fail_msg("token %zu, byte %zu, character %d", i, at, c);
				}
			}
		}
	}
}

static void test_token_every_swap_of_neighbours_is_detected(void **state)
{
	const char *whole = golden[4].token;
	size_t len = strlen(whole);
	char token[LK_TOKEN_MAX];

	(void)state;
	for (size_t at = 0; at + 1 < len; at++) {
		memcpy(token, whole, len);
		token[at] = whole[at + 1];
		token[at + 1] = whole[at];
		if (token[at] != token[at + 1]) {
			assert_int_not_equal(lk_token_check(token, len, NULL), LK_TOKEN_FINE);
		}
	}
}

static void test_token_every_cut_is_detected(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_GOLDEN; i++) {
		size_t len = strlen(golden[i].token);

		for (size_t cut = 0; cut < len; cut++) {
			assert_int_not_equal(lk_token_check(golden[i].token, cut, NULL), LK_TOKEN_FINE);
			assert_int_not_equal(lk_token_check(golden[i].token, cut, golden[i].prefix), LK_TOKEN_FINE);
			assert_int_not_equal(
				lk_token_check(golden[i].token + 1 + cut, len - 1 - cut, NULL), LK_TOKEN_FINE);
		}
	}
}

static void test_token_each_fault(void **state)
{
	static char long_token[LK_TOKEN_MAX + 2];
	const char *token = golden[0].token;
	size_t len = strlen(token);
	char changed[64];

	(void)state;
	memset(long_token, 'a', LK_TOKEN_MAX + 1);
	assert_int_equal(lk_token_check("", 0, NULL), LK_TOKEN_LENGTH);
	assert_int_equal(lk_token_check(NULL, 0, "sk-"), LK_TOKEN_LENGTH);
	assert_int_equal(lk_token_check(long_token, LK_TOKEN_MAX + 1, NULL), LK_TOKEN_LENGTH);
	assert_int_equal(lk_token_check(long_token, LK_TOKEN_MAX, NULL), LK_TOKEN_LENGTH);
	assert_int_equal(lk_token_check(token, len - 1, "sk-"), LK_TOKEN_LENGTH);
	assert_int_equal(lk_token_check(token, len, "s"), LK_TOKEN_LENGTH);
	assert_int_equal(lk_token_check(token, len, "pk-"), LK_TOKEN_PREFIX);
	assert_int_equal(lk_token_check(token + 3, len - 3, NULL), LK_TOKEN_PREFIX);
	assert_int_equal(lk_token_check(token, len, long_token), LK_TOKEN_PREFIX);
	memcpy(changed, token, len);
	changed[10] = '-';
	assert_int_equal(lk_token_check(changed, len, "sk-"), LK_TOKEN_CHARACTER);
	changed[10] = '\0';
	assert_int_equal(lk_token_check(changed, len, "sk-"), LK_TOKEN_CHARACTER);
	changed[10] = '1';
	assert_int_equal(lk_token_check(changed, len, "sk-"), LK_TOKEN_CHECKSUM);
}

static void test_token_fault_texts(void **state)
{
	(void)state;
	for (int fault = LK_TOKEN_FINE; fault <= LK_TOKEN_CHECKSUM; fault++) {
		assert_string_not_equal(lk_token_fault_text((enum lk_token_fault)fault), "an unknown fault");
	}
	assert_string_equal(lk_token_fault_text((enum lk_token_fault)99), "an unknown fault");
}

#define HEADER   "eyJhbGciOiJIUzI1NiJ9"
#define CLAIMS   "eyJqdGkiOiJrZXlfMDFqZCJ9"
#define HS256    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define EDDSA    "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
#define OF_HS256 HEADER "." CLAIMS "." HS256

static void test_token_check_knows_jwts(void **state)
{
	static const struct {
		const char *token;
		enum lk_token_fault fault;
	} cases[] = {
		{OF_HS256, LK_TOKEN_FINE},
		{HEADER "." CLAIMS "." EDDSA, LK_TOKEN_FINE},
		/* Mistyped, which only the signature tells. */
		{HEADER "." CLAIMS ".eyJftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", LK_TOKEN_FINE},
		{HEADER "." CLAIMS "." HS256 "k", LK_TOKEN_LENGTH},
		{HEADER "." CLAIMS ".", LK_TOKEN_LENGTH},
		{HEADER "." CLAIMS "xxxxxxxxxxxxxxxxxxxx", LK_TOKEN_LENGTH},
		{HEADER ".." HS256, LK_TOKEN_LENGTH},
		{HEADER "." HS256, LK_TOKEN_LENGTH},
		{HEADER "." CLAIMS "." CLAIMS "." HS256, LK_TOKEN_CHARACTER},
		{"eyJhbGciOiJIUzI1NiJ=." CLAIMS "." HS256, LK_TOKEN_CHARACTER},
		{HEADER ".eyJqdGkiOiJrZXlfMD+qZCJ9." HS256, LK_TOKEN_CHARACTER},
		{HEADER "." CLAIMS ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r/wW1gFWFOEjXk", LK_TOKEN_CHARACTER},
		{HEADER "." CLAIMS "." HS256 "\n", LK_TOKEN_CHARACTER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].token);
		assert_int_equal(lk_token_check(cases[i].token, len, NULL), cases[i].fault);
		assert_int_equal(lk_token_check(cases[i].token, len, ""), cases[i].fault);
		assert_int_equal(lk_token_check(cases[i].token, len, "sk-"), LK_TOKEN_PREFIX);
	}
}

static void test_token_check_of_a_jwt_cut_off_anywhere_fails(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(OF_HS256) - 1; len++) {
		assert_int_not_equal(lk_token_check(OF_HS256, len, NULL), LK_TOKEN_FINE);
		assert_int_not_equal(lk_token_check(OF_HS256, len, ""), LK_TOKEN_FINE);
	}
}

/* A prefix that looks like a JWT's header makes no JWT, and no prefix no opaque token. */
static void test_token_check_tells_opaque_tokens_from_jwts(void **state)
{
	char token[64] = "eyJ-0123456789ABCDEFGHIJKLMNOPQRSTUV";
	size_t len = strlen(token);

	(void)state;
	lk_token_checksum(token, len, token + len);
	len += LK_TOKEN_CHECKSUM_LEN;
	assert_int_equal(lk_token_check(token, len, NULL), LK_TOKEN_FINE);
	assert_int_equal(lk_token_check(token, len, "eyJ-"), LK_TOKEN_FINE);
	assert_int_equal(lk_token_check(token, len, ""), LK_TOKEN_PREFIX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_golden_vectors),
		cmocka_unit_test(test_token_checksum_is_iso_hdlc),
		cmocka_unit_test(test_token_every_substitution_is_detected),
		cmocka_unit_test(test_token_every_swap_of_neighbours_is_detected),
		cmocka_unit_test(test_token_every_cut_is_detected),
		cmocka_unit_test(test_token_each_fault),
		cmocka_unit_test(test_token_fault_texts),
		cmocka_unit_test(test_token_check_knows_jwts),
		cmocka_unit_test(test_token_check_of_a_jwt_cut_off_anywhere_fails),
		cmocka_unit_test(test_token_check_tells_opaque_tokens_from_jwts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

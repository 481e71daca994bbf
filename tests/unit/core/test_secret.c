#include "server/core/secret.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* verify.key is 00 01 .. 1f, seal.key 20 21 .. 3f. */
static struct lk_keyring keyring;

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < LK_SECRET_KEY_LEN; i++) {
		keyring.verify_key[i] = (uint8_t)i;
		keyring.seal_key[i] = (uint8_t)(LK_SECRET_KEY_LEN + i);
	}
	return sodium_init() < 0 ? -1 : 0;
}

static void assert_hex(const uint8_t digest[static LK_DIGEST_LEN], const char *expected)
{
	char hex[2 * LK_DIGEST_LEN + 1];
	sodium_bin2hex(hex, sizeof(hex), digest, LK_DIGEST_LEN);
	assert_string_equal(hex, expected);
}

/* The vectors of this file: python3, zlib.crc32 and hashlib.blake2b(digest_size=32, key=, person=). */

static void test_token_checksum_gives_the_golden_values(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *checksum;
	} vectors[] = {
		{"", "000000"},
		{"123456789", "3jZRME"},
		{"sk-0123456789ABCDEFGHIJKLMNOPQRSTUV", "1ZZLQw"},
		{"lkr_00000000000000000000000000000000", "44XISu"},
	};
	for (size_t i = 0; i < COUNT(vectors); i++) {
		char checksum[LK_TOKEN_CHECKSUM_LEN + 1] = {0};
		lk_token_checksum(vectors[i].text, strlen(vectors[i].text), checksum);
		assert_string_equal(checksum, vectors[i].checksum);
	}
}

static void test_token_mint_has_the_documented_form(void **state)
{
	(void)state;
	static const char *const prefixes[] = {"", "sk-", "agk_live_", "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123"};
	for (size_t i = 0; i < COUNT(prefixes); i++) {
		char token[LK_TOKEN_MINTED_MAX];
		size_t prefix_len = strlen(prefixes[i]);
		size_t len = lk_token_mint(prefixes[i], token);
		assert_int_equal(len, prefix_len + 38);
		assert_int_equal(strlen(token), len);
		assert_memory_equal(token, prefixes[i], prefix_len);
		char checksum[LK_TOKEN_CHECKSUM_LEN];
		lk_token_checksum(token, len - LK_TOKEN_CHECKSUM_LEN, checksum);
		assert_memory_equal(token + len - LK_TOKEN_CHECKSUM_LEN, checksum, LK_TOKEN_CHECKSUM_LEN);
		if (prefix_len > 0) {
			assert_int_equal(lk_token_check(token, len, prefixes[i]), LK_TOKEN_FINE);
		}
	}
}

static void test_token_mint_is_uniform_over_base62(void **state)
{
	(void)state;
	enum {
		tokens = 20000
	};
	static unsigned int counts[256];
	char token[LK_TOKEN_MINTED_MAX];
	for (int i = 0; i < tokens; i++) {
		(void)lk_token_mint("p_", token);
		for (size_t j = 0; j < LK_TOKEN_RANDOM_LEN; j++) {
			counts[(unsigned char)token[2 + j]]++;
		}
	}
	/*
	 * 640,000 draws, 10,323 expected of each character with a deviation of 101: eight deviations pass by chance never.
	 * A byte taken modulo 62 would give eight of them a quarter more.
	 */
	unsigned int seen = 0;
	for (int c = 0; c < 256; c++) {
		if (counts[c] != 0) {
			assert_in_range(counts[c], 10323 - 808, 10323 + 808);
			seen++;
		}
	}
	assert_int_equal(seen, 62);
}

static void test_token_mint_never_repeats(void **state)
{
	(void)state;
	char first[LK_TOKEN_MINTED_MAX];
	char second[LK_TOKEN_MINTED_MAX];
	(void)lk_token_mint("sk-", first);
	for (int i = 0; i < 1000; i++) {
		(void)lk_token_mint("sk-", second);
		assert_string_not_equal(first, second);
	}
}

static void test_token_digest_gives_the_golden_value(void **state)
{
	(void)state;
	static const char token[] = "sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw";
	uint8_t digest[LK_DIGEST_LEN];
	lk_token_digest(&keyring, token, strlen(token), digest);
	assert_hex(digest, "faad4f512b3b5e1fd879fc1f5e3c3b6dc7b75ba9edae2b079fe264b1c486d3c1");
}

static void test_token_digest_hangs_on_every_byte_and_on_the_key(void **state)
{
	(void)state;
	static const char token[] = "sk-abc";
	uint8_t digest[LK_DIGEST_LEN];
	uint8_t other[LK_DIGEST_LEN];
	lk_token_digest(&keyring, token, 6, digest);
	lk_token_digest(&keyring, token, 5, other);
	assert_memory_not_equal(digest, other, LK_DIGEST_LEN);
	lk_token_digest(&keyring, "sk-abd", 6, other);
	assert_memory_not_equal(digest, other, LK_DIGEST_LEN);
	struct lk_keyring changed = keyring;
	changed.verify_key[31] ^= 1;
	lk_token_digest(&changed, token, 6, other);
	assert_memory_not_equal(digest, other, LK_DIGEST_LEN);
	/* seal.key has no part in it. */
	changed = keyring;
	changed.seal_key[0] ^= 1;
	lk_token_digest(&changed, token, 6, other);
	assert_memory_equal(digest, other, LK_DIGEST_LEN);
}

static void test_token_digest_of_sha256_gives_the_golden_values(void **state)
{
	(void)state;
	static const char token[] = "sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw";
	uint8_t sha256[LK_SHA256_LEN];
	uint8_t digest[LK_DIGEST_LEN];
	lk_token_sha256(token, strlen(token), sha256);
	assert_hex(sha256, "3a1087420a199e04ae4dc39b6f67d6ebb21c3b22729a310b2bd86d2087084487");
	lk_token_digest_sha256(&keyring, sha256, digest);
	assert_hex(digest, "6a591eac72b166efc1e484d9dd7f5deb64f46548b612d4d1416759efd5ca05ff");
	/* FIPS 180-4's own. */
	lk_token_sha256("abc", 3, sha256);
	assert_hex(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* A token whose bytes are the hash of another is not that other. */
static void test_token_digest_of_sha256_is_no_tokens_digest(void **state)
{
	(void)state;
	uint8_t sha256[LK_SHA256_LEN];
	uint8_t digest[LK_DIGEST_LEN];
	uint8_t other[LK_DIGEST_LEN];
	lk_token_sha256("sk-abc", 6, sha256);
	lk_token_digest_sha256(&keyring, sha256, digest);
	lk_token_digest(&keyring, (const char *)sha256, sizeof sha256, other);
	assert_memory_not_equal(digest, other, LK_DIGEST_LEN);
	struct lk_keyring changed = keyring;
	changed.verify_key[0] ^= 1;
	lk_token_digest_sha256(&changed, sha256, other);
	assert_memory_not_equal(digest, other, LK_DIGEST_LEN);
	sha256[LK_SHA256_LEN - 1] ^= 1;
	lk_token_digest_sha256(&keyring, sha256, other);
	assert_memory_not_equal(digest, other, LK_DIGEST_LEN);
}

static void test_key_check_value_gives_the_golden_value(void **state)
{
	(void)state;
	uint8_t check[LK_DIGEST_LEN];
	lk_key_check_value(keyring.verify_key, check);
	assert_hex(check, "d99c9cbc6fa24f9980847fd7282d943725400ed097d011b1c832e0cd316e173c");
	uint8_t of_empty[LK_DIGEST_LEN];
	lk_token_digest(&keyring, "", 0, of_empty);
	assert_memory_not_equal(check, of_empty, LK_DIGEST_LEN);
}

static void test_seal_subkeys_give_the_golden_values(void **state)
{
	(void)state;
	uint8_t key[LK_SECRET_KEY_LEN];
	lk_seal_subkey(&keyring, LK_SEAL_CURSOR, NULL, 0, key);
	assert_hex(key, "8866a49846041eca09c50e7c56586d812f2c1d0b8d19d0388c9b909b7de5ca4d");
	uint8_t request_id[16];
	for (size_t i = 0; i < sizeof(request_id); i++) {
		request_id[i] = i % 2 == 0 ? 0x01 : 0x92;
	}
	lk_seal_subkey(&keyring, LK_SEAL_REPLY, request_id, sizeof(request_id), key);
	assert_hex(key, "b6b288f962aa09141a0da1c108e87f369eef6c4f08dd1ac23c16c617100164c2");
	lk_seal_subkey(&keyring, LK_SEAL_AUDIT, NULL, 0, key);
	assert_hex(key, "ef75e460fe66aa0022d8a348f8cfadc108db9a7e0ef77fbedfc884efe6fd2e20");
}

static void test_audit_hash_gives_the_golden_value_and_chains(void **state)
{
	(void)state;
	static const uint8_t before[LK_DIGEST_LEN] = {0};
	uint8_t hash[LK_DIGEST_LEN];
	uint8_t next[LK_DIGEST_LEN];
	lk_audit_hash(keyring.verify_key, before, "record", 6, hash);
	assert_hex(hash, "70c9d60c34979fe60356e2244c1496cdaf3bfdd4e0a115df428081d9fa42e916");
	lk_audit_hash(keyring.verify_key, hash, "record", 6, next);
	assert_memory_not_equal(hash, next, LK_DIGEST_LEN);
	/* In place, as a chain is walked. */
	lk_audit_hash(keyring.verify_key, hash, "record", 6, hash);
	assert_memory_equal(hash, next, LK_DIGEST_LEN);
}

enum {
	longest = 70000
};

static void assert_seals_and_opens(size_t len, size_t bound_len)
{
	static uint8_t plain[longest];
	static uint8_t bound[longest];
	static uint8_t sealed[longest + LK_SEAL_OVERHEAD];
	static uint8_t opened[longest];
	randombytes_buf(plain, len);
	randombytes_buf(bound, bound_len);
	lk_seal(keyring.seal_key, plain, len, bound, bound_len, sealed);
	assert_true(lk_seal_open(keyring.seal_key, sealed, len + LK_SEAL_OVERHEAD, bound, bound_len, opened));
	assert_memory_equal(opened, plain, len);
}

static void test_seal_opens_what_was_sealed(void **state)
{
	(void)state;
	static const size_t lens[] = {0, 1, 15, 16, 17, 63, 64, 65, 1000, longest};
	for (size_t i = 0; i < COUNT(lens); i++) {
		assert_seals_and_opens(lens[i], 0);
		assert_seals_and_opens(lens[i], lens[COUNT(lens) - 1 - i]);
	}
}

static void test_seal_open_refuses_each_flipped_bit(void **state)
{
	(void)state;
	uint8_t sealed[6 + LK_SEAL_OVERHEAD];
	uint8_t opened[6];
	lk_seal(keyring.seal_key, "secret", 6, "who", 3, sealed);
	for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
		sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
		assert_false(lk_seal_open(keyring.seal_key, sealed, sizeof(sealed), "who", 3, opened));
		sealed[bit / 8] ^= (uint8_t)(1U << bit % 8);
	}
	assert_true(lk_seal_open(keyring.seal_key, sealed, sizeof(sealed), "who", 3, opened));
	assert_memory_equal(opened, "secret", 6);
}

static void test_seal_open_refuses_other_bounds_keys_and_lengths(void **state)
{
	(void)state;
	uint8_t sealed[6 + LK_SEAL_OVERHEAD];
	uint8_t opened[6];
	lk_seal(keyring.seal_key, "secret", 6, "who", 3, sealed);
	assert_false(lk_seal_open(keyring.seal_key, sealed, sizeof(sealed), "whO", 3, opened));
	assert_false(lk_seal_open(keyring.seal_key, sealed, sizeof(sealed), "wh", 2, opened));
	assert_false(lk_seal_open(keyring.seal_key, sealed, sizeof(sealed), NULL, 0, opened));
	assert_false(lk_seal_open(keyring.verify_key, sealed, sizeof(sealed), "who", 3, opened));
	for (size_t len = 0; len < sizeof(sealed); len++) {
		assert_false(lk_seal_open(keyring.seal_key, sealed, len, "who", 3, opened));
	}
}

static void test_seal_gives_another_text_each_time(void **state)
{
	(void)state;
	uint8_t first[6 + LK_SEAL_OVERHEAD];
	uint8_t second[6 + LK_SEAL_OVERHEAD];
	lk_seal(keyring.seal_key, "secret", 6, NULL, 0, first);
	lk_seal(keyring.seal_key, "secret", 6, NULL, 0, second);
	assert_memory_not_equal(first, second, 24);
	assert_memory_not_equal(first + 24, second + 24, sizeof(first) - 24);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_checksum_gives_the_golden_values),
		cmocka_unit_test(test_token_mint_has_the_documented_form),
		cmocka_unit_test(test_token_mint_is_uniform_over_base62),
		cmocka_unit_test(test_token_mint_never_repeats),
		cmocka_unit_test(test_token_digest_gives_the_golden_value),
		cmocka_unit_test(test_token_digest_hangs_on_every_byte_and_on_the_key),
		cmocka_unit_test(test_token_digest_of_sha256_gives_the_golden_values),
		cmocka_unit_test(test_token_digest_of_sha256_is_no_tokens_digest),
		cmocka_unit_test(test_key_check_value_gives_the_golden_value),
		cmocka_unit_test(test_seal_subkeys_give_the_golden_values),
		cmocka_unit_test(test_audit_hash_gives_the_golden_value_and_chains),
		cmocka_unit_test(test_seal_opens_what_was_sealed),
		cmocka_unit_test(test_seal_open_refuses_each_flipped_bit),
		cmocka_unit_test(test_seal_open_refuses_other_bounds_keys_and_lengths),
		cmocka_unit_test(test_seal_gives_another_text_each_time),
	};
	return cmocka_run_group_tests(tests, setup, NULL);
}

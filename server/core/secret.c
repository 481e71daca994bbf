#include "server/core/secret.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/* What keeps one use of a key apart from another: BLAKE2b's "personalisation", which is hashed before everything else. */
typedef unsigned char domain[crypto_generichash_blake2b_PERSONALBYTES];

static const domain check_domain = "latchkey.check";
static const domain sha256_domain = "latchkey.sha256";

static const domain seal_domains[] = {
	[LK_SEAL_CURSOR] = "latchkey.cursor",
	[LK_SEAL_REPLY] = "latchkey.reply",
	[LK_SEAL_AUDIT] = "latchkey.audit",
	[LK_SEAL_JWT] = "latchkey.jwt",
};

static_assert(LK_DIGEST_LEN == crypto_generichash_blake2b_BYTES, "a digest is BLAKE2b-256");
static_assert(LK_SHA256_LEN == crypto_hash_sha256_BYTES, "FIPS 180-4");
static_assert(LK_SECRET_KEY_LEN == crypto_generichash_blake2b_KEYBYTES, "a key is one of BLAKE2b's");
static_assert(LK_SECRET_KEY_LEN == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "a subkey seals");
static_assert(
	LK_SEAL_OVERHEAD == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES,
	"the overhead is a nonce and a tag");

/*
 * Writes `len` characters, each uniform over base62: of the bytes of the random generator, those past the last multiple of 62 are
 * passed over. They are drawn many at a time: each draw is a call of the system.
 */
static void random_base62(char *ret_text, size_t len)
{
	enum {
		letters = sizeof(base62) - 1,
		even = 256 - 256 % letters,
	};
	uint8_t bytes[2 * LK_TOKEN_RANDOM_LEN];

	for (size_t written = 0; written < len;) {
		randombytes_buf(bytes, sizeof bytes);
		for (size_t i = 0; i < sizeof bytes && written < len; i++) {
			if (bytes[i] < even) {
				ret_text[written++] = base62[bytes[i] % letters];
			}
		}
	}
	sodium_memzero(bytes, sizeof bytes);
}

size_t lk_token_mint(const char *prefix, char ret_token[static LK_TOKEN_MINTED_MAX])
{
	size_t len = strlen(prefix);
	assert(len <= LK_TOKEN_PREFIX_MAX);
	memcpy(ret_token, prefix, len);
	random_base62(ret_token + len, LK_TOKEN_RANDOM_LEN);
	len += LK_TOKEN_RANDOM_LEN;
	lk_token_checksum(ret_token, len, ret_token + len);
	len += LK_TOKEN_CHECKSUM_LEN;
	ret_token[len] = '\0';
	return len;
}

/* BLAKE2b-256 with `domain` as its personalisation. It fails only for lengths that are constants here. */
static void keyed_hash(const uint8_t *key, const domain who, const void *data, size_t len, uint8_t *ret_hash)
{
	(void)crypto_generichash_blake2b_salt_personal(
		ret_hash, LK_DIGEST_LEN, data, len, key, LK_SECRET_KEY_LEN, NULL, who);
}

void lk_token_digest(
	const struct lk_keyring *keyring, const char *token, size_t token_len, uint8_t ret_digest[static LK_DIGEST_LEN])
{
	(void)crypto_generichash_blake2b(ret_digest, LK_DIGEST_LEN, (const unsigned char *)token, token_len,
		keyring->verify_key, sizeof(keyring->verify_key));
}

void lk_token_digest_sha256(const struct lk_keyring *keyring, const uint8_t sha256[static LK_SHA256_LEN],
	uint8_t ret_digest[static LK_DIGEST_LEN])
{
	keyed_hash(keyring->verify_key, sha256_domain, sha256, LK_SHA256_LEN, ret_digest);
}

void lk_token_sha256(const char *token, size_t token_len, uint8_t ret_sha256[static LK_SHA256_LEN])
{
	(void)crypto_hash_sha256(ret_sha256, (const unsigned char *)token, token_len);
}

void lk_key_check_value(const uint8_t key[static LK_SECRET_KEY_LEN], uint8_t ret_check[static LK_DIGEST_LEN])
{
	keyed_hash(key, check_domain, NULL, 0, ret_check);
}

void lk_seal_subkey(const struct lk_keyring *keyring, enum lk_seal_purpose purpose, const void *context,
	size_t context_len, uint8_t ret_key[static LK_SECRET_KEY_LEN])
{
	keyed_hash(keyring->seal_key, seal_domains[purpose], context, context_len, ret_key);
}

void lk_seal(const uint8_t key[static LK_SECRET_KEY_LEN], const void *plain, size_t len, const void *bound,
	size_t bound_len, uint8_t *ret_sealed)
{
	uint8_t *nonce = ret_sealed;
	randombytes_buf(nonce, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(ret_sealed + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
		NULL, plain, len, bound, bound_len, NULL, nonce, key);
}

bool lk_seal_open(const uint8_t key[static LK_SECRET_KEY_LEN], const void *sealed, size_t sealed_len, const void *bound,
	size_t bound_len, uint8_t *ret_plain)
{
	if (sealed_len < LK_SEAL_OVERHEAD) {
		return false;
	}
	const uint8_t *nonce = sealed;
	const uint8_t *cipher = nonce + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
	size_t cipher_len = sealed_len - crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
	return crypto_aead_xchacha20poly1305_ietf_decrypt(
		       ret_plain, NULL, NULL, cipher, cipher_len, bound, bound_len, nonce, key) == 0;
}

void lk_audit_hash(const uint8_t key[static LK_SECRET_KEY_LEN], const uint8_t before[static LK_DIGEST_LEN],
	const void *record, size_t record_len, uint8_t ret_hash[static LK_DIGEST_LEN])
{
	crypto_generichash_blake2b_state state;
	(void)crypto_generichash_blake2b_init(&state, key, LK_SECRET_KEY_LEN, LK_DIGEST_LEN);
	(void)crypto_generichash_blake2b_update(&state, before, LK_DIGEST_LEN);
	(void)crypto_generichash_blake2b_update(&state, record, record_len);
	(void)crypto_generichash_blake2b_final(&state, ret_hash, LK_DIGEST_LEN);
	sodium_memzero(&state, sizeof(state));
}

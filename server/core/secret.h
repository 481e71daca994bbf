/*
 * Secrets: tokens, digests, and what seal.key seals.
 *
 * Everything is libsodium's: BLAKE2b (RFC 7693) for digests, subkeys and the audit chain, XChaCha20-Poly1305 for sealing.
 * sodium_init() must have been called. Nothing here blocks, but minting draws from the system's random generator.
 */
#ifndef LK_SERVER_CORE_SECRET_H
#define LK_SERVER_CORE_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/token.h>

#define LK_SECRET_KEY_LEN 32
#define LK_DIGEST_LEN     32
#define LK_SHA256_LEN     32
/* The prefix, the random part, the checksum and a NUL. */
#define LK_TOKEN_MINTED_MAX (LK_TOKEN_PREFIX_MAX + LK_TOKEN_RANDOM_LEN + LK_TOKEN_CHECKSUM_LEN + 1)
/* What sealing adds: a nonce of 24 bytes and a tag of 16. */
#define LK_SEAL_OVERHEAD 40

/* The keys on disk. Lives in locked memory of its owner (server/store/keyring.h). */
struct lk_keyring {
	uint8_t verify_key[LK_SECRET_KEY_LEN];
	uint8_t seal_key[LK_SECRET_KEY_LEN];
};

/* What a subkey of seal.key is for; each has a domain of its own, so that nothing sealed for one opens as another. */
enum lk_seal_purpose {
	LK_SEAL_CURSOR,
	LK_SEAL_REPLY,
	LK_SEAL_AUDIT,
	/* The secrets that sign JWTs. */
	LK_SEAL_JWT,
};

/*
 * Mints an opaque token: `prefix` (at most LK_TOKEN_PREFIX_MAX), 32 uniform base62 characters, and the checksum. Returns the
 * token's length without the NUL. The caller wipes it.
 */
size_t lk_token_mint(const char *prefix, char ret_token[static LK_TOKEN_MINTED_MAX]);

/* BLAKE2b-256 of the token keyed with verify.key: what the store knows a token by. */
void lk_token_digest(const struct lk_keyring *keyring, const char *token, size_t token_len,
	uint8_t ret_digest[static LK_DIGEST_LEN]);

/*
 * What the store knows a token by of which it was told no more than SHA-256 (FIPS 180-4): BLAKE2b-256 of those 32 bytes, keyed
 * with verify.key, in a domain of its own, so that it is no token's lk_token_digest().
 */
void lk_token_digest_sha256(const struct lk_keyring *keyring, const uint8_t sha256[static LK_SHA256_LEN],
	uint8_t ret_digest[static LK_DIGEST_LEN]);

/* SHA-256 of a token. The caller wipes it. */
void lk_token_sha256(const char *token, size_t token_len, uint8_t ret_sha256[static LK_SHA256_LEN]);

/* A check value: tells whether a key file is the one that a store was made with, and nothing else of it. */
void lk_key_check_value(const uint8_t key[static LK_SECRET_KEY_LEN], uint8_t ret_check[static LK_DIGEST_LEN]);

/*
 * The subkey of seal.key for `purpose` and, where there is one, `context` (for a reply: the whole request_id).
 * BLAKE2b-256 of the context, keyed with seal.key and personalised with the purpose.
 */
void lk_seal_subkey(const struct lk_keyring *keyring, enum lk_seal_purpose purpose, const void *context,
	size_t context_len, uint8_t ret_key[static LK_SECRET_KEY_LEN]);

/*
 * Seals `len` bytes under `key`, bound to `bound_len` bytes that must be given again to open them; writes
 * len + LK_SEAL_OVERHEAD bytes. The nonce is random.
 */
void lk_seal(const uint8_t key[static LK_SECRET_KEY_LEN], const void *plain, size_t len, const void *bound,
	size_t bound_len, uint8_t *ret_sealed);

/* Opens what lk_seal() sealed, writes sealed_len - LK_SEAL_OVERHEAD bytes; false where it is not authentic. */
bool lk_seal_open(const uint8_t key[static LK_SECRET_KEY_LEN], const void *sealed, size_t sealed_len, const void *bound,
	size_t bound_len, uint8_t *ret_plain);

/* The next hash of the audit chain: BLAKE2b-256 keyed with the audit subkey over the hash before and the record. */
void lk_audit_hash(const uint8_t key[static LK_SECRET_KEY_LEN], const uint8_t before[static LK_DIGEST_LEN],
	const void *record, size_t record_len, uint8_t ret_hash[static LK_DIGEST_LEN]);

#endif

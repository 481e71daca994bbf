#include "server/jose/mint.h"

#include <assert.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "server/core/id.h"
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/core/time.h"

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
/* Characters of base64url without padding, of so many bytes. */
#define BASE64_LEN(bytes) ((4 * (bytes) + 2) / 3)
#define NONCE_TEXT_LEN    (BASE64_LEN(LK_JWT_NONCE_LEN) + 1)
#define PUBLIC_TEXT_LEN   (BASE64_LEN(LK_JWT_PUBLIC_LEN) + 1)
/* What JSON makes of one character at worst: \u and four digits; in UTF-8 it has at most four bytes. */
#define ESCAPED 6
/* {"alg":"HS256","typ":"JWT","kid":""} */
#define HEADER_MAX (40 + LK_JWT_KID_LEN)
/* Instants up to the year 9999 have 12 digits. */
#define SECONDS_MAX 12
/* The names, and all that they stand for. */
#define CLAIMS_MAX                                                                                                     \
	(sizeof "{\"iss\":\"\",\"sub\":\"\",\"aud\":\"\",\"jti\":\"\",\"iat\":,\"exp\":,\"nbf\":,"                     \
		"\"scope\":\"keyspace\",\"nonce\":\"\"}" +                                                             \
		ESCAPED * (LK_JWT_ISSUER_MAX + LK_OWNER_MAX) + LK_ID_MAX + LK_KEY_ID_LEN + 3 * SECONDS_MAX +           \
		NONCE_TEXT_LEN)

static_assert(
	BASE64_LEN(HEADER_MAX) + 1 + BASE64_LEN(CLAIMS_MAX) + 1 + BASE64_LEN(LK_JWT_SIGNATURE_MAX) <= LK_TOKEN_MAX,
	"whatever a JWT says, it is no longer than a token may be");
static_assert(LK_JWT_SECRET_MIN == crypto_sign_SEEDBYTES, "a seed of Ed25519 is as long as the shortest secret");
static_assert(LK_JWT_PUBLIC_LEN == crypto_sign_PUBLICKEYBYTES, "a public key of Ed25519");
static_assert(LK_JWT_SIGNATURE_MAX == crypto_sign_BYTES, "a signature of Ed25519 is the longer one");

/* Of any length of secret; crypto_auth_hmacsha256() knows but the one of 32 bytes. */
static size_t sign_hs256(const struct lk_jwt_signer *signer, const void *data, size_t len, uint8_t *ret_signature)
{
	crypto_auth_hmacsha256_state state;

	(void)crypto_auth_hmacsha256_init(&state, signer->secret, signer->secret_len);
	(void)crypto_auth_hmacsha256_update(&state, data, len);
	(void)crypto_auth_hmacsha256_final(&state, ret_signature);
	sodium_memzero(&state, sizeof state);
	return crypto_auth_hmacsha256_BYTES;
}

static size_t sign_eddsa(const struct lk_jwt_signer *signer, const void *data, size_t len, uint8_t *ret_signature)
{
	uint8_t public[crypto_sign_PUBLICKEYBYTES];
	uint8_t expanded[crypto_sign_SECRETKEYBYTES];

	(void)crypto_sign_seed_keypair(public, expanded, signer->secret);
	(void)crypto_sign_detached(ret_signature, NULL, data, len, expanded);
	sodium_memzero(expanded, sizeof expanded);
	return crypto_sign_BYTES;
}

/* By the number of the algorithm. */
static const struct {
	const char *name;
	size_t secret_max;
	size_t (*sign)(const struct lk_jwt_signer *signer, const void *data, size_t len, uint8_t *ret_signature);
} algorithms[] = {
	[LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_HS256] = {"HS256", LK_JWT_SECRET_MAX, sign_hs256},
	[LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA] = {"EdDSA", LK_JWT_SECRET_MIN, sign_eddsa},
};

static bool can_sign(const struct lk_jwt_signer *signer)
{
	size_t at = (size_t)signer->algorithm;

	return at < sizeof algorithms / sizeof algorithms[0] && algorithms[at].sign != NULL &&
	       signer->secret_len >= LK_JWT_SECRET_MIN && signer->secret_len <= algorithms[at].secret_max;
}

size_t lk_jwt_sign(const struct lk_jwt_signer *signer, const void *data, size_t len,
	uint8_t ret_signature[static LK_JWT_SIGNATURE_MAX])
{
	return can_sign(signer) ? algorithms[signer->algorithm].sign(signer, data, len, ret_signature) : 0;
}

void lk_jwt_draw_nonce(struct lk_jwt_claims *claims)
{
	randombytes_buf(claims->nonce, sizeof claims->nonce);
}

void lk_jwt_draw_kid(char ret_kid[static LK_JWT_KID_LEN])
{
	uint8_t random[(LK_JWT_KID_LEN - 1) / 2];

	randombytes_buf(random, sizeof random);
	(void)sodium_bin2hex(ret_kid, LK_JWT_KID_LEN, random, sizeof random);
}

void lk_jwt_public_of(const uint8_t seed[static LK_JWT_SECRET_MIN], uint8_t ret_public[static LK_JWT_PUBLIC_LEN])
{
	uint8_t expanded[crypto_sign_SECRETKEYBYTES];

	(void)crypto_sign_seed_keypair(ret_public, expanded, seed);
	sodium_memzero(expanded, sizeof expanded);
}

/* A token as it is written. */
struct writer {
	char *token;
	size_t len;
	enum lk_err err;
};

static void write_base64(struct writer *writer, const void *data, size_t len)
{
	/* It ends the text with a NUL, for which the token has a byte. */
	size_t text_len = BASE64_LEN(len);

	if (writer->err != LK_OK) {
		return;
	}
	if (text_len > LK_TOKEN_MAX - writer->len) {
		writer->err = LK_RESOURCE_EXHAUSTED;
		return;
	}
	(void)sodium_bin2base64(writer->token + writer->len, text_len + 1, data, len, VARIANT);
	writer->len += text_len;
}

static void write_dot(struct writer *writer)
{
	if (writer->err == LK_OK && writer->len == LK_TOKEN_MAX) {
		writer->err = LK_RESOURCE_EXHAUSTED;
	}
	if (writer->err == LK_OK) {
		writer->token[writer->len++] = '.';
	}
}

static void write_header(struct writer *writer, const struct lk_jwt_signer *signer)
{
	char text[HEADER_MAX];
	int len = snprintf(text, sizeof text, "{\"alg\":\"%s\",\"typ\":\"JWT\",\"kid\":\"%.*s\"}",
		algorithms[signer->algorithm].name, LK_JWT_KID_LEN - 1, signer->kid);

	write_base64(writer, text, (size_t)len);
}

/* Adds a claim, which it takes over; false where there is none. */
static bool claim(json_t *claims, const char *name, json_t *value)
{
	return value != NULL && json_object_set_new(claims, name, value) == 0;
}

static bool claim_seconds(json_t *claims, const char *name, int64_t us)
{
	return us == 0 || claim(claims, name, json_integer(us / LK_US_PER_SECOND));
}

/* All but the nonce; NULL where there is no memory. */
static json_t *claims_of(const struct lk_jwt_claims *from)
{
	json_t *claims = json_object();
	/* Seconds are whole: a token is never good before its key is, nor after. */
	int64_t not_before_us = from->not_before_us == 0 ? 0 : from->not_before_us + LK_US_PER_SECOND - 1;

	if (claims != NULL && claim(claims, "iss", json_string(from->issuer)) &&
		(from->owner[0] == '\0' || claim(claims, "sub", json_string(from->owner))) &&
		claim(claims, "aud", json_string(from->keyspace)) && claim(claims, "jti", json_string(from->key_id)) &&
		claim_seconds(claims, "iat", from->issued_us) && claim_seconds(claims, "exp", from->expire_us) &&
		claim_seconds(claims, "nbf", not_before_us) &&
		claim(claims, "scope", json_string(from->tenant_scope ? "tenant" : "keyspace"))) {
		return claims;
	}
	json_decref(claims);
	return NULL;
}

/*
 * Writes the claims, and the nonce behind the last of them. The nonce, which is what makes a token a secret, never goes through
 * jansson, whose memory nobody wipes.
 */
static void write_claims(struct writer *writer, const struct lk_jwt_claims *from)
{
	json_t *claims = claims_of(from);
	char text[CLAIMS_MAX];
	char nonce[NONCE_TEXT_LEN];
	size_t room = sizeof text - sizeof nonce - sizeof ",\"nonce\":\"\"}";

	if (claims == NULL) {
		writer->err = LK_NO_MEMORY;
		return;
	}
	size_t len = json_dumpb(claims, text, room, JSON_COMPACT);
	json_decref(claims);
	if (len == 0 || len > room) {
		writer->err = len == 0 ? LK_NO_MEMORY : LK_RESOURCE_EXHAUSTED;
		return;
	}
	(void)sodium_bin2base64(nonce, sizeof nonce, from->nonce, sizeof from->nonce, VARIANT);
	len += (size_t)snprintf(text + len - 1, sizeof text - len + 1, ",\"nonce\":\"%s\"}", nonce) - 1;
	write_base64(writer, text, len);
	sodium_memzero(text, sizeof text);
	sodium_memzero(nonce, sizeof nonce);
}

enum lk_err lk_jwt_mint(const struct lk_jwt_signer *signer, const struct lk_jwt_claims *claims,
	char ret_token[static LK_TOKEN_MAX + 1], size_t *ret_len)
{
	char token[LK_TOKEN_MAX + 1];
	uint8_t signature[LK_JWT_SIGNATURE_MAX];
	struct writer writer = {.token = token};

	if (!can_sign(signer)) {
		return LK_INVALID_ARGUMENT;
	}
	write_header(&writer, signer);
	write_dot(&writer);
	write_claims(&writer, claims);
	size_t signature_len = lk_jwt_sign(signer, token, writer.len, signature);
	write_dot(&writer);
	write_base64(&writer, signature, signature_len);
	if (writer.err == LK_OK) {
		memcpy(ret_token, token, writer.len + 1);
		*ret_len = writer.len;
	}
	sodium_memzero(token, sizeof token);
	sodium_memzero(signature, sizeof signature);
	return writer.err;
}

static json_t *public_key_of(const Latchkey__Store__JwtKeyRecord *key)
{
	char text[PUBLIC_TEXT_LEN];

	(void)sodium_bin2base64(text, sizeof text, key->public_key.data, key->public_key.len, VARIANT);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "OKP", "crv", "Ed25519", "kid", key->kid, "x", text,
		"alg", "EdDSA", "use", "sig");
}

char *lk_jwt_key_set(Latchkey__Store__JwtKeyRecord *const *keys, size_t n_keys)
{
	json_t *list = json_array();
	bool failed = list == NULL;
	char *text = NULL;

	for (size_t i = 0; i < n_keys && !failed; i++) {
		if (keys[i]->algorithm == LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA &&
			keys[i]->public_key.len == LK_JWT_PUBLIC_LEN) {
			failed = json_array_append_new(list, public_key_of(keys[i])) != 0;
		}
	}
	json_t *set = failed ? NULL : json_pack("{s:O}", "keys", list);
	if (set != NULL) {
		text = json_dumps(set, JSON_COMPACT);
	}
	json_decref(set);
	json_decref(list);
	return text;
}

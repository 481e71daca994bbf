#include "server/jose/jwk.h"

#include <stdlib.h>
#include <string.h>

#include "server/jose/text.h"

#define RSA_BYTES_MAX ((size_t)LK_JWK_RSA_BITS_MAX / 8)
/* 65537 has 3; OpenSSL takes none over 8 of a large key. */
#define RSA_EXPONENT_MAX 8
#define P256_BYTES       32
/* An RSA key of the largest size, as JSON. */
#define IMPORT_MAX ((size_t)4096)

static const char no_memory[] = "out of memory";

/* Decodes a member that is base64url; false where it is missing, is something else, or has more than `room` bytes. */
static bool decode_member(const json_t *object, const char *name, uint8_t *ret_data, size_t room, size_t *ret_len)
{
	const json_t *member = json_object_get(object, name);

	return json_is_string(member) &&
	       lk_jose_decode(json_string_value(member), json_string_length(member), ret_data, room, ret_len);
}

/* Hands these members to cjose, and no others: never a private part. */
static const char *import(const json_t *object, const char *const *members, struct lk_jwk *jwk)
{
	char text[IMPORT_MAX];
	cjose_err err = {0};
	json_t *public = json_object();

	for (; *members != NULL; members++) {
		if (json_object_set(public, *members, json_object_get(object, *members)) != 0) {
			json_decref(public);
			return no_memory;
		}
	}
	size_t len = json_dumpb(public, text, sizeof text, JSON_COMPACT);
	if (len > 0 && len <= sizeof text) {
		jwk->key = cjose_jwk_import(text, len, &err);
	}
	sodium_memzero(text, sizeof text);
	json_decref(public);
	return jwk->key == NULL ? "not a key" : NULL;
}

static const char *read_rsa(const json_t *object, struct lk_jwk *jwk)
{
	static const char *const members[] = {"kty", "n", "e", NULL};
	uint8_t modulus[RSA_BYTES_MAX];
	uint8_t exponent[RSA_EXPONENT_MAX];
	size_t modulus_len = 0;
	size_t exponent_len = 0;

	if (!decode_member(object, "n", modulus, sizeof modulus, &modulus_len) ||
		!decode_member(object, "e", exponent, sizeof exponent, &exponent_len) || exponent_len == 0) {
		return "an RSA key whose n or e is missing or too large";
	}
	/* RFC 7518 section 6.3.1.1: as few octets as it needs; so its first bit counts. */
	if (modulus_len < LK_JWK_RSA_BITS_MIN / 8 ||
		(modulus_len == LK_JWK_RSA_BITS_MIN / 8 && (modulus[0] & 0x80) == 0) || modulus[0] == 0) {
		return "an RSA key of fewer than 2048 bits";
	}
	if (exponent[0] == 0) {
		return "an RSA key whose e has more bytes than it needs";
	}
	if ((exponent[exponent_len - 1] & 1) == 0 || (exponent_len == 1 && exponent[0] == 1)) {
		return "an RSA key whose exponent makes every signature a good one";
	}
	return import(object, members, jwk);
}

static bool has_curve(const json_t *object, const char *curve)
{
	const char *said = json_string_value(json_object_get(object, "crv"));

	return said != NULL && strcmp(said, curve) == 0;
}

static const char *read_ec(const json_t *object, struct lk_jwk *jwk)
{
	static const char *const members[] = {"kty", "crv", "x", "y", NULL};
	uint8_t coordinate[P256_BYTES];
	size_t x_len = 0;
	size_t y_len = 0;

	if (!has_curve(object, "P-256")) {
		return "a curve other than P-256";
	}
	if (!decode_member(object, "x", coordinate, sizeof coordinate, &x_len) ||
		!decode_member(object, "y", coordinate, sizeof coordinate, &y_len) || x_len != P256_BYTES ||
		y_len != P256_BYTES) {
		return "a P-256 key whose x or y has not 32 bytes";
	}
	return import(object, members, jwk);
}

static const char *read_okp(const json_t *object, struct lk_jwk *jwk)
{
	size_t len = 0;

	if (!has_curve(object, "Ed25519")) {
		return "a curve other than Ed25519";
	}
	if (!decode_member(object, "x", jwk->ed25519, sizeof jwk->ed25519, &len) || len != sizeof jwk->ed25519 ||
		crypto_core_ed25519_is_valid_point(jwk->ed25519) != 1) {
		return "an Ed25519 key whose x is no point of order L";
	}
	return NULL;
}

static const char *read_oct(const json_t *object, struct lk_jwk *jwk)
{
	static const char *const members[] = {"kty", "k", NULL};
	uint8_t secret[LK_JWK_OCT_MAX];
	size_t len = 0;
	bool good = decode_member(object, "k", secret, sizeof secret, &len) && len >= LK_JWK_OCT_MIN;

	sodium_memzero(secret, sizeof secret);
	return good ? import(object, members, jwk) : "a shared secret under 32 or over 512 bytes";
}

static const struct {
	const char *type;
	enum lk_jwk_kind kind;
	const char *(*read)(const json_t *object, struct lk_jwk *jwk);
} types[] = {
	{"RSA", LK_JWK_RSA, read_rsa},
	{"EC", LK_JWK_EC_P256, read_ec},
	{"OKP", LK_JWK_ED25519, read_okp},
	{"oct", LK_JWK_OCT, read_oct},
};

static bool may_verify(const json_t *object)
{
	const json_t *use = json_object_get(object, "use");
	const json_t *operations = json_object_get(object, "key_ops");
	bool named = operations == NULL;

	if (use != NULL && (!json_is_string(use) || strcmp(json_string_value(use), "sig") != 0)) {
		return false;
	}
	for (size_t i = 0; i < json_array_size(operations); i++) {
		const char *operation = json_string_value(json_array_get(operations, i));
		named = named || (operation != NULL && strcmp(operation, "verify") == 0);
	}
	return named;
}

/* What stands beside the key itself: its `alg` and its `kid`. */
static const char *read_labels(const json_t *object, struct lk_jwk *jwk)
{
	const json_t *alg = json_object_get(object, "alg");
	const json_t *kid = json_object_get(object, "kid");

	jwk->bound = alg != NULL;
	if (jwk->bound && (!json_is_string(alg) || !lk_jose_algorithm_parse(json_string_value(alg), &jwk->algorithm) ||
				  lk_jose_algorithm_kind(jwk->algorithm) != jwk->kind)) {
		return "its alg is none of ours, or not one of its kind";
	}
	if (kid != NULL && (!json_is_string(kid) || json_string_length(kid) > LK_JWK_KID_MAX)) {
		return "its kid is no text, or too long";
	}
	if (kid != NULL) {
		jwk->kid = strdup(json_string_value(kid));
		return jwk->kid == NULL ? no_memory : NULL;
	}
	return NULL;
}

const char *lk_jwk_read(const json_t *object, struct lk_jwk *ret_jwk)
{
	const char *type = json_string_value(json_object_get(object, "kty"));

	if (type == NULL) {
		return "no kty";
	}
	if (!may_verify(object)) {
		return "not for signatures";
	}
	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
		if (strcmp(type, types[i].type) != 0) {
			continue;
		}
		struct lk_jwk jwk = {.kind = types[i].kind};
		const char *fault = read_labels(object, &jwk);
		if (fault == NULL) {
			fault = types[i].read(object, &jwk);
		}
		if (fault != NULL) {
			lk_jwk_done(&jwk);
			return fault;
		}
		*ret_jwk = jwk;
		return NULL;
	}
	return "a kty other than RSA, EC, OKP and oct";
}

bool lk_jwk_fits(const struct lk_jwk *jwk, enum lk_jose_algorithm algorithm)
{
	return jwk->kind == lk_jose_algorithm_kind(algorithm) && (!jwk->bound || jwk->algorithm == algorithm);
}

void lk_jwk_done(struct lk_jwk *jwk)
{
	free(jwk->kid);
	if (jwk->key != NULL) {
		(void)cjose_jwk_release(jwk->key);
	}
	memset(jwk, 0, sizeof *jwk);
}

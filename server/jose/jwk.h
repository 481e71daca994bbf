/*
 * One key of a JSON Web Key Set (RFC 7517, RFC 7518 section 6, RFC 8037 section 2): what a token's signature is checked with.
 */
#ifndef LK_SERVER_JOSE_JWK_H
#define LK_SERVER_JOSE_JWK_H

#include <cjose/jwk.h>
#include <jansson.h>
#include <sodium.h>
#include <stdbool.h>

#include "server/jose/algorithm.h"

#define LK_JWK_RSA_BITS_MIN 2048
/* What is larger takes milliseconds to check a signature with, at anybody's wish. */
#define LK_JWK_RSA_BITS_MAX 8192
/* RFC 7518 section 3.2: a secret at least as long as the hash. */
#define LK_JWK_OCT_MIN 32
#define LK_JWK_OCT_MAX 512
#define LK_JWK_KID_MAX 256

struct lk_jwk {
	enum lk_jwk_kind kind;
	/* NULL: it has none. */
	char *kid;
	/* Whether it is for one algorithm alone, and which. */
	bool bound;
	enum lk_jose_algorithm algorithm;
	/* Of every kind but Ed25519, which cjose does not know. Nothing but its public part, except of a shared secret. */
	cjose_jwk_t *key;
	uint8_t ed25519[crypto_sign_PUBLICKEYBYTES];
};

/*
 * Reads a key; of a private one only the public part. NULL where that can check signatures here; else a static text of why it
 * is left out, for a log, and `ret_jwk` is untouched.
 *
 * Left out: what is not for signatures (`use`, `key_ops`), a kind or an `alg` that is not ours or that do not fit each other,
 * an RSA key under LK_JWK_RSA_BITS_MIN or over LK_JWK_RSA_BITS_MAX bits, a curve point that is none, a shared secret under
 * LK_JWK_OCT_MIN bytes.
 */
const char *lk_jwk_read(const json_t *object, struct lk_jwk *ret_jwk);

/* Whether tokens of this algorithm may be checked with the key: its kind fits, and so does its own `alg`, if it has one. */
bool lk_jwk_fits(const struct lk_jwk *jwk, enum lk_jose_algorithm algorithm);

/* Frees; takes one that is all zero. */
void lk_jwk_done(struct lk_jwk *jwk);

#endif

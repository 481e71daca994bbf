/*
 * A signed token taken apart: JWS Compact Serialization (RFC 7515 section 7.1) with claims in it (RFC 7519). Nothing here
 * looks at the signature; see verify.h.
 */
#ifndef LK_SERVER_JOSE_JWS_H
#define LK_SERVER_JOSE_JWS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "server/jose/algorithm.h"

/* The most bytes of a token. What is longer is refused before anything looks into it. */
#define LK_JWS_MAX     8192
#define LK_JWS_KID_MAX 256
/* That of an RSA key of LK_JWK_RSA_BITS_MAX. */
#define LK_JWS_SIGNATURE_MAX 1024

struct lk_jws {
	/* As given; borrowed. */
	const char *token;
	size_t len;
	/* How much of it is signed: the header, a dot, the payload. */
	size_t signed_len;
	json_t *header;
	json_t *payload;
	/* What the header says: where it says anything, even of a token that is refused. In `header`; NULL: nothing. */
	const char *alg;
	const char *kid;
	/* Of `alg`. */
	enum lk_jose_algorithm algorithm;
	uint8_t signature[LK_JWS_SIGNATURE_MAX];
	size_t signature_len;
};

/*
 * Takes a token apart. NULL where it is whole; else a static text of what is wrong with it, for a log. Either way `ret_jws`
 * is to be given to lk_jws_done().
 *
 * Refused: more or fewer than three parts, whatever is not strict base64url, a header or payload that is not a strict JSON object
 * (text.h), an `alg` that is missing or not one of ours, a `kid` that is no text or over LK_JWS_KID_MAX bytes, `crit` (RFC 7515
 * section 4.1.11: no extension is understood here), an encrypted or nested token. Header parameters that bring a key or say
 * where one is (jwk, jku, x5c, x5u) are not looked at.
 */
const char *lk_jws_parse(const char *token, size_t len, struct lk_jws *ret_jws);

/* Frees; takes one that is all zero. */
void lk_jws_done(struct lk_jws *jws);

#endif

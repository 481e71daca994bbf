/*
 * The signature algorithms of tokens (RFC 7518 section 3.1, RFC 8037 section 3.1), and the kind of key that each of them takes.
 * "none" is not among them, and never will be.
 */
#ifndef LK_SERVER_JOSE_ALGORITHM_H
#define LK_SERVER_JOSE_ALGORITHM_H

#include <stdbool.h>

enum lk_jose_algorithm {
	LK_JOSE_RS256,
	LK_JOSE_PS256,
	LK_JOSE_ES256,
	LK_JOSE_EDDSA,
	LK_JOSE_HS256,
	LK_JOSE_ALGORITHMS,
};

enum lk_jwk_kind {
	LK_JWK_RSA,
	LK_JWK_EC_P256,
	LK_JWK_ED25519,
	/* A shared secret: whoever checks a token with it could sign one. */
	LK_JWK_OCT,
};

/* Finds an algorithm by its name, "RS256" or the like, which is case-sensitive; false where it is none of these. */
bool lk_jose_algorithm_parse(const char *name, enum lk_jose_algorithm *ret_algorithm);

/* The one kind of key that an algorithm takes. */
enum lk_jwk_kind lk_jose_algorithm_kind(enum lk_jose_algorithm algorithm);

#endif

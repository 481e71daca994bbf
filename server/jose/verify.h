/*
 * The signature of a token.
 */
#ifndef LK_SERVER_JOSE_VERIFY_H
#define LK_SERVER_JOSE_VERIFY_H

#include <stdbool.h>

#include "server/jose/jwk.h"
#include "server/jose/jws.h"

/* Whether the key signed the token by the token's algorithm; false where the key is not for that. Any thread. */
bool lk_jws_verify(const struct lk_jws *jws, const struct lk_jwk *jwk);

#endif

#include "server/jose/verify.h"

#include <cjose/jws.h>
#include <sodium.h>

/*
 * How long a signature is, by its algorithm, or by its key. cjose reads an ECDSA one with a tail as if that were not there,
 * and a PSS one without its leading zeros as if they were: which RFC 8017 section 8.1.2 refuses.
 */
static bool has_length(const struct lk_jws *jws, const struct lk_jwk *jwk)
{
	static const size_t lengths[LK_JOSE_ALGORITHMS] = {
		[LK_JOSE_ES256] = 64,
		[LK_JOSE_EDDSA] = crypto_sign_BYTES,
		[LK_JOSE_HS256] = crypto_auth_hmacsha256_BYTES,
	};
	cjose_err err = {0};
	/* 0: RSA's, which is as long as the modulus. */
	size_t expected = lengths[jws->algorithm] > 0 ? lengths[jws->algorithm]
						      : (cjose_jwk_get_keysize(jwk->key, &err) + 7) / 8;

	return jws->signature_len == expected;
}

static bool verify_ed25519(const struct lk_jws *jws, const struct lk_jwk *jwk)
{
	return crypto_sign_verify_detached(
		       jws->signature, (const uint8_t *)jws->token, jws->signed_len, jwk->ed25519) == 0;
}

bool lk_jws_verify(const struct lk_jws *jws, const struct lk_jwk *jwk)
{
	cjose_err err = {0};

	if (!lk_jwk_fits(jwk, jws->algorithm) || !has_length(jws, jwk)) {
		return false;
	}
	if (jws->algorithm == LK_JOSE_EDDSA) {
		return verify_ed25519(jws, jwk);
	}
	/* It goes by the header's alg, and that is the one which was just found to fit. */
	cjose_jws_t *import = cjose_jws_import(jws->token, jws->len, &err);
	bool good = import != NULL && cjose_jws_verify(import, jwk->key, &err);
	cjose_jws_release(import);
	return good;
}

/*
 * Minting JWTs: the tokens of keyspaces whose token format is JWT, in the compact form of JWS (RFC 7515, 7519), signed by HS256
 * (RFC 7518, 3.2) or Ed25519 (RFC 8037).
 *
 * A token tells an outsider who checks its signature alone:
 *
 *	header	alg, typ "JWT", kid
 *	iss	the issuer of the keyspace's policy
 *	sub	the key's owner; absent where it has none
 *	aud	the keyspace's id
 *	jti	the key's id
 *	iat	when the token was minted
 *	exp	when the key expires; absent where it never does
 *	nbf	from when on the key is good; absent where that is from the start
 *	scope	"keyspace" or "tenant": where the key is good
 *	nonce	128 random bits, which are stored nowhere
 *
 * All of it is as of the minting, and Verify alone knows what has become of the key since. Permissions are not in it: they change
 * more often than tokens do. Verify takes the whole token for the secret and finds it by its digest; the nonce is what makes
 * it one, so that whoever holds the signing key alone can rebuild no token.
 *
 * Pure but for the random generator of lk_jwt_draw_*(); sodium_init() must have been called. Any thread.
 */
#ifndef LK_SERVER_JOSE_MINT_H
#define LK_SERVER_JOSE_MINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>
#include <latchkey/token.h>

#include "latchkey/store/record.pb-c.h"

/* The name of a signing key: 16 random bytes in hex, and a NUL. */
#define LK_JWT_KID_LEN 33
/*
 * The secret that signs: of HS256 as many bytes as the digest or more (RFC 7518, 3.2); of Ed25519 a seed, as many as the
 * least.
 */
#define LK_JWT_SECRET_MIN 32
#define LK_JWT_SECRET_MAX 64
#define LK_JWT_PUBLIC_LEN 32
#define LK_JWT_NONCE_LEN  16

/* What signs. Texts and bytes are borrowed. */
struct lk_jwt_signer {
	/* LK_JWT_KID_LEN - 1 characters. */
	const char *kid;
	Latchkey__Store__JwtAlgorithm algorithm;
	const uint8_t *secret;
	size_t secret_len;
};

/* What a token says. Instants are in microseconds; 0: there is none. Texts are valid UTF-8, and borrowed. */
struct lk_jwt_claims {
	/* At most LK_JWT_ISSUER_MAX characters. */
	const char *issuer;
	/* At most LK_OWNER_MAX characters; "": nobody. */
	const char *owner;
	const char *keyspace;
	const char *key_id;
	int64_t issued_us;
	int64_t expire_us;
	int64_t not_before_us;
	bool tenant_scope;
	uint8_t nonce[LK_JWT_NONCE_LEN];
};

/*
 * Writes the token and a NUL to `ret_token`, and its length without the NUL to `*ret_len`. The caller wipes it; what is made on
 * the way here is wiped. Of the same claims and signer it is always the same.
 * A token whose texts keep the bounds above fits, whatever is escaped in them. LK_RESOURCE_EXHAUSTED: one does not keep them.
 * LK_INVALID_ARGUMENT: the algorithm is none, or the secret has no length of its. LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_jwt_mint(const struct lk_jwt_signer *signer, const struct lk_jwt_claims *claims,
	char ret_token[static LK_TOKEN_MAX + 1], size_t *ret_len);

/* The nonce of a token that is minted, from the random generator. */
void lk_jwt_draw_nonce(struct lk_jwt_claims *claims);

/* The name of a new signing key, from the random generator. */
void lk_jwt_draw_kid(char ret_kid[static LK_JWT_KID_LEN]);

/* The public key of an Ed25519 seed. */
void lk_jwt_public_of(const uint8_t seed[static LK_JWT_SECRET_MIN], uint8_t ret_public[static LK_JWT_PUBLIC_LEN]);

/*
 * The signature of `data` by the signer, as its bytes: 32 of HS256, 64 of Ed25519, in `ret_signature`, which has room for
 * LK_JWT_SIGNATURE_MAX. Returns their number; 0 where the algorithm is none, or the secret has no length of its.
 */
#define LK_JWT_SIGNATURE_MAX 64
size_t lk_jwt_sign(const struct lk_jwt_signer *signer, const void *data, size_t len,
	uint8_t ret_signature[static LK_JWT_SIGNATURE_MAX]);

/*
 * The JSON Web Key Set (RFC 7517) of those of `keys` that are public, in their order, as JSON to be free()d: kty "OKP", crv
 * "Ed25519", kid, x, alg "EdDSA", use "sig" (RFC 8037). Keys of HS256 are left out, and without others the set is empty.
 * NULL: no memory.
 */
char *lk_jwt_key_set(Latchkey__Store__JwtKeyRecord *const *keys, size_t n_keys);

#endif

#include "server/service/signing_key.h"

#include <sodium.h>
#include <string.h>

#define HS256 LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_HS256
#define EDDSA LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA

void lk_signing_key_check_secret(
	struct lk_faults *faults, const Latchkey__Store__PolicyRecord *policy, ProtobufCBinaryData secret)
{
	static const char field[] = "jwt_secret";

	if (secret.len == 0) {
		return;
	}
	if (!policy->is_jwt || policy->jwt_algorithm != HS256) {
		lk_fault_add(faults, field,
			"is of JWTs by HS256 alone: leave it out, or give token_format TOKEN_FORMAT_JWT and "
			"jwt_algorithm JWT_ALGORITHM_HS256");
	}
	if (secret.len < LK_JWT_SECRET_MIN || secret.len > LK_JWT_SECRET_MAX) {
		lk_fault_add(faults, field, "has %zu bytes: give %d to %d, or none to have one made", secret.len,
			LK_JWT_SECRET_MIN, LK_JWT_SECRET_MAX);
	}
}

/* Names the key, and seals its secret for that name. LK_NO_MEMORY. */
static enum lk_err seal(
	struct lk_request *request, Latchkey__Store__JwtKeyRecord *key, const uint8_t *secret, size_t secret_len)
{
	char *kid = lk_arena_alloc(request->arena, LK_JWT_KID_LEN);
	uint8_t *sealed = lk_arena_alloc(request->arena, secret_len + LK_SEAL_OVERHEAD);
	uint8_t subkey[LK_SECRET_KEY_LEN];

	if (kid == NULL || sealed == NULL) {
		return LK_NO_MEMORY;
	}
	lk_jwt_draw_kid(kid);
	lk_seal_subkey(lk_store_keyring(request->store), LK_SEAL_JWT, kid, strlen(kid), subkey);
	lk_seal(subkey, secret, secret_len, kid, strlen(kid), sealed);
	sodium_memzero(subkey, sizeof subkey);
	key->kid = kid;
	key->sealed_secret = (ProtobufCBinaryData){secret_len + LK_SEAL_OVERHEAD, sealed};
	return LK_OK;
}

/* NULL: no memory. */
static Latchkey__Store__JwtKeyRecord *make(
	struct lk_request *request, Latchkey__Store__JwtAlgorithm algorithm, const uint8_t *secret, size_t secret_len)
{
	Latchkey__Store__JwtKeyRecord *key = lk_arena_alloc(request->arena, sizeof *key);
	uint8_t *public = lk_arena_alloc(request->arena, LK_JWT_PUBLIC_LEN);

	if (key == NULL || public == NULL) {
		return NULL;
	}
	latchkey__store__jwt_key_record__init(key);
	key->algorithm = algorithm;
	key->create_us = request->now_us;
	if (algorithm == EDDSA) {
		lk_jwt_public_of(secret, public);
		key->public_key = (ProtobufCBinaryData){LK_JWT_PUBLIC_LEN, public};
	}
	return seal(request, key, secret, secret_len) == LK_OK ? key : NULL;
}

enum lk_err lk_signing_key_add(
	struct lk_request *request, Latchkey__Store__KeyspaceRecord *record, ProtobufCBinaryData secret)
{
	uint8_t drawn[LK_JWT_SECRET_MIN];
	size_t kept = record->n_jwt_keys < LK_SIGNING_KEYS_MAX ? record->n_jwt_keys : LK_SIGNING_KEYS_MAX - 1;
	Latchkey__Store__JwtKeyRecord **keys = lk_arena_array(request->arena, kept + 1, sizeof(*keys));

	if (keys == NULL) {
		return LK_NO_MEMORY;
	}
	randombytes_buf(drawn, sizeof drawn);
	keys[0] = make(request, record->policy->jwt_algorithm, secret.len == 0 ? drawn : secret.data,
		secret.len == 0 ? sizeof drawn : secret.len);
	sodium_memzero(drawn, sizeof drawn);
	if (keys[0] == NULL) {
		return LK_NO_MEMORY;
	}
	for (size_t i = 0; i < kept; i++) {
		keys[i + 1] = record->jwt_keys[i];
	}
	record->jwt_keys = keys;
	record->n_jwt_keys = kept + 1;
	return LK_OK;
}

/* Opens the secret of a key; 0 where it is not authentic. The caller wipes it. */
static size_t open_secret(
	struct lk_request *request, const Latchkey__Store__JwtKeyRecord *key, uint8_t ret_secret[LK_JWT_SECRET_MAX])
{
	uint8_t subkey[LK_SECRET_KEY_LEN];
	size_t sealed_len = key->sealed_secret.len;
	size_t kid_len = strlen(key->kid);
	size_t secret_len = 0;

	if (sealed_len < LK_SEAL_OVERHEAD || sealed_len > LK_SEAL_OVERHEAD + LK_JWT_SECRET_MAX) {
		return 0;
	}
	lk_seal_subkey(lk_store_keyring(request->store), LK_SEAL_JWT, key->kid, kid_len, subkey);
	if (lk_seal_open(subkey, key->sealed_secret.data, sealed_len, key->kid, kid_len, ret_secret)) {
		secret_len = sealed_len - LK_SEAL_OVERHEAD;
	}
	sodium_memzero(subkey, sizeof subkey);
	return secret_len;
}

static enum lk_err mint(
	struct lk_request *request, const struct lk_jwt_signer *signer, struct lk_jwt_claims *claims, char **ret_token)
{
	char token[LK_TOKEN_MAX + 1] = "";
	size_t len = 0;

	lk_jwt_draw_nonce(claims);
	enum lk_err err = lk_jwt_mint(signer, claims, token, &len);
	sodium_memzero(claims->nonce, sizeof claims->nonce);
	if (err == LK_OK) {
		*ret_token = lk_arena_text(request->arena, token, len);
		err = *ret_token == NULL ? LK_NO_MEMORY : LK_OK;
	}
	sodium_memzero(token, sizeof token);
	if (err == LK_RESOURCE_EXHAUSTED) {
		return lk_request_fail(request, err,
			"the JWT of key \"%s\" would be longer than %d bytes: shorten its owner, or the keyspace's "
			"jwt_issuer",
			claims->key_id, LK_TOKEN_MAX);
	}
	return err;
}

enum lk_err lk_signing_key_mint(struct lk_request *request, const Latchkey__Store__KeyspaceRecord *keyspace,
	const Latchkey__Store__KeyRecord *key, char **ret_token)
{
	uint8_t secret[LK_JWT_SECRET_MAX] = {0};
	const Latchkey__Store__JwtKeyRecord *newest = keyspace->n_jwt_keys == 0 ? NULL : keyspace->jwt_keys[0];
	size_t secret_len = newest == NULL ? 0 : open_secret(request, newest, secret);

	if (secret_len == 0) {
		return lk_request_fail(request, LK_CORRUPT,
			"the key that signs the JWTs of keyspace \"%s\" %s: restore the store and its seal.key "
			"together",
			keyspace->id, newest == NULL ? "is missing" : "does not open");
	}
	const struct lk_jwt_signer signer = {newest->kid, newest->algorithm, secret, secret_len};
	struct lk_jwt_claims claims = {
		.issuer = keyspace->policy->jwt_issuer,
		.owner = key->owner,
		.keyspace = keyspace->id,
		.key_id = key->id,
		.issued_us = request->now_us,
		.expire_us = key->expire_us,
		.not_before_us = key->not_before_us,
		.tenant_scope = key->tenant_scope,
	};
	enum lk_err err = mint(request, &signer, &claims, ret_token);
	sodium_memzero(secret, sizeof secret);
	return err;
}

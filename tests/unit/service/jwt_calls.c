#include "tests/unit/service/jwt_calls.h"

#include <sodium.h>

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

Latchkey__V1__KeyPolicy jwt_policy(Latchkey__V1__JwtAlgorithm algorithm)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	policy.token_format = LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT;
	policy.jwt_algorithm = algorithm;
	return policy;
}

struct loop_answer jwt_create(const Latchkey__V1__KeyPolicy *policy, const void *secret, size_t secret_len,
	bool validate_only, enum lk_err expected)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("jwt");
	request.policy = (Latchkey__V1__KeyPolicy *)(uintptr_t)policy;
	request.jwt_secret = (ProtobufCBinaryData){secret_len, (uint8_t *)(uintptr_t)secret};
	request.validate_only = validate_only;
	return fixture_call(&latchkey_v1_keyspace_create_method, &request.base, expected);
}

struct loop_answer jwt_update(const Latchkey__V1__KeyPolicy *policy, const char *const *paths, enum lk_err expected)
{
	Latchkey__V1__UpdateKeyspaceRequest request = LATCHKEY__V1__UPDATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__Keyspace keyspace = LATCHKEY__V1__KEYSPACE__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;

	for (; paths[mask.n_paths] != NULL; mask.n_paths++) {
	}
	mask.paths = (char **)(uintptr_t)paths;
	keyspace.id = TEXT("jwt");
	keyspace.policy = (Latchkey__V1__KeyPolicy *)(uintptr_t)policy;
	request.tenant = TEXT("acme");
	request.keyspace = &keyspace;
	request.update_mask = &mask;
	return fixture_call(&latchkey_v1_keyspace_update_method, &request.base, expected);
}

void jwt_stored(const char *keyspace, struct jwt_stored *ret)
{
	*ret = (struct jwt_stored){0};
	assert_int_equal(lk_arena_init(&ret->arena, (size_t)1 << 16, (size_t)1 << 20), LK_OK);
	assert_int_equal(lk_snapshot_new(fixture_loop.store, &ret->txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(ret->txn), LK_OK);
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant(ret->txn, &ret->arena, "acme");
	assert_non_null(tenant);
	ret->record = lk_find_keyspace(ret->txn, &ret->arena, tenant->number, keyspace);
	assert_non_null(ret->record);
}

void jwt_stored_done(struct jwt_stored *stored)
{
	lk_snapshot_free(stored->txn);
	lk_arena_done(&stored->arena);
}

json_t *jwt_key_set(const char *keyspace)
{
	Latchkey__V1__GetJwksRequest request = LATCHKEY__V1__GET_JWKS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT(keyspace);
	struct loop_answer answer = fixture_call(&latchkey_v1_keyspace_get_jwks_method, &request.base, LK_OK);
	json_t *set = json_loads(
		((const Latchkey__V1__GetJwksResponse *)answer.response)->jwks, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(set);
	assert_true(json_is_array(json_object_get(set, "keys")));
	loop_answer_done(&answer);
	return set;
}

json_t *jwt_part(const char *token, int dots)
{
	uint8_t text[LK_TOKEN_MAX];
	size_t len = 0;

	while (dots-- > 0) {
		token = strchr(token, '.') + 1;
	}
	assert_int_equal(
		sodium_base642bin(text, sizeof text, token, strcspn(token, "."), NULL, &len, NULL, VARIANT), 0);
	json_t *part = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(part);
	return part;
}

const char *jwt_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

bool jwt_signed_by_set(const json_t *set, const char *token)
{
	const char *dot = strrchr(token, '.');
	uint8_t signature[crypto_sign_BYTES + 1];
	uint8_t public[crypto_sign_PUBLICKEYBYTES + 1];
	size_t len = 0;
	bool is_signed = false;
	const json_t *key = NULL;
	size_t i = 0;

	assert_int_equal(
		sodium_base642bin(signature, sizeof signature, dot + 1, strlen(dot + 1), NULL, &len, NULL, VARIANT), 0);
	json_t *header = jwt_part(token, 0);
	json_array_foreach(json_object_get(set, "keys"), i, key)
	{
		const char *x = jwt_text(key, "x");
		size_t public_len = 0;
		assert_int_equal(
			sodium_base642bin(public, sizeof public, x, strlen(x), NULL, &public_len, NULL, VARIANT), 0);
		assert_int_equal(public_len, crypto_sign_PUBLICKEYBYTES);
		is_signed |= strcmp(jwt_text(key, "kid"), jwt_text(header, "kid")) == 0 && len == crypto_sign_BYTES &&
			     crypto_sign_verify_detached(
				     signature, (const uint8_t *)token, (size_t)(dot - token), public) == 0;
	}
	json_decref(header);
	return is_signed;
}

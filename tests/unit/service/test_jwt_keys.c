/* Keyspaces whose tokens are JWTs: the keys that sign, what they sign, and where neither may be read. */
#include "tests/unit/service/jwt_calls.h"

#include <sodium.h>

#include "server/jose/mint.h"
#include "server/store/store.h"

/* As a client gives it: no two bytes of it alike. */
static uint8_t given[LK_JWT_SECRET_MAX + 1];
static Latchkey__V1__KeyPolicy policy;

static int setup(void **state)
{
	for (size_t i = 0; i < sizeof given; i++) {
		given[i] = (uint8_t)(0xa0 + i);
	}
	policy = jwt_policy(HS256);
	return fixture_setup(state);
}

static void make_keyspace(Latchkey__V1__JwtAlgorithm algorithm)
{
	policy = jwt_policy(algorithm);
	struct loop_answer answer = jwt_create(&policy, NULL, 0, false, LK_OK);
	loop_answer_done(&answer);
}

static void assert_said(const struct loop_answer *answer, const char *part)
{
	if (strstr(answer->violations, part) == NULL && strstr(answer->message, part) == NULL) {
		fail_msg("'%s' and '%s' do not say '%s'", answer->message, answer->violations, part);
	}
}

static void test_jwt_of_eddsa_is_checked_by_the_key_set(void **state)
{
	struct jwt_stored stored;

	(void)state;
	make_keyspace(EDDSA);
	struct fixture_key key = fixture_make_key("acme", "jwt", "ci");
	json_t *set = jwt_key_set("jwt");
	assert_int_equal(json_array_size(json_object_get(set, "keys")), 1);
	assert_true(jwt_signed_by_set(set, key.token));
	jwt_stored("jwt", &stored);
	assert_int_equal(stored.record->n_jwt_keys, 1);
	assert_string_equal(
		jwt_text(json_array_get(json_object_get(set, "keys"), 0), "kid"), stored.record->jwt_keys[0]->kid);
	jwt_stored_done(&stored);
	/* The signature of another token is none of this. */
	struct fixture_key other = fixture_make_key("acme", "jwt", "ci");
	strcpy(strrchr(key.token, '.'), strrchr(other.token, '.'));
	assert_false(jwt_signed_by_set(set, key.token));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(NOT_FOUND));
	json_decref(set);
	fixture_key_done(&key);
	fixture_key_done(&other);
}

static void test_jwt_of_hs256_is_checked_by_the_secret_that_was_given(void **state)
{
	static const size_t lens[] = {LK_JWT_SECRET_MIN, 48, LK_JWT_SECRET_MAX};
	uint8_t signature[crypto_auth_hmacsha256_BYTES];
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		crypto_auth_hmacsha256_state mac;
		struct loop_answer answer = jwt_create(&policy, given, lens[i], false, LK_OK);
		loop_answer_done(&answer);
		struct fixture_key key = fixture_make_key("acme", "jwt", "ci");
		const char *dot = strrchr(key.token, '.');
		(void)crypto_auth_hmacsha256_init(&mac, given, lens[i]);
		(void)crypto_auth_hmacsha256_update(&mac, (const uint8_t *)key.token, (size_t)(dot - key.token));
		(void)crypto_auth_hmacsha256_final(&mac, signature);
		(void)sodium_bin2base64(
			text, sizeof text, signature, sizeof signature, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
		assert_string_equal(dot + 1, text);
		fixture_key_done(&key);
		(void)fixture_teardown(state);
		assert_int_equal(fixture_setup(state), 0);
	}
}

static void test_jwt_says_what_the_key_is(void **state)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Timestamp expire = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	(void)state;
	policy.jwt_issuer = TEXT("https://keys.example");
	struct loop_answer answer = jwt_create(&policy, NULL, 0, false, LK_OK);
	loop_answer_done(&answer);
	expire.seconds = INT64_C(4102444800);
	expire.nanos = 500000000;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("jwt");
	request.owner = TEXT("al\"ice");
	request.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_EXPIRE_TIME;
	request.expire_time = &expire;
	answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	const Latchkey__V1__CreateKeyResponse *made = (const Latchkey__V1__CreateKeyResponse *)answer.response;
	json_t *header = jwt_part(made->token, 0);
	json_t *claims = jwt_part(made->token, 1);
	assert_string_equal(jwt_text(header, "alg"), "HS256");
	assert_string_equal(jwt_text(header, "typ"), "JWT");
	assert_string_equal(jwt_text(claims, "iss"), "https://keys.example");
	assert_string_equal(jwt_text(claims, "sub"), "al\"ice");
	assert_string_equal(jwt_text(claims, "aud"), "jwt");
	assert_string_equal(jwt_text(claims, "jti"), made->key->id);
	assert_string_equal(jwt_text(claims, "scope"), "tenant");
	assert_int_equal(json_integer_value(json_object_get(claims, "exp")), expire.seconds);
	assert_int_equal(json_integer_value(json_object_get(claims, "iat")), made->key->create_time->seconds);
	assert_null(json_object_get(claims, "nbf"));
	assert_int_equal(strlen(jwt_text(claims, "nonce")), 22);
	/* What is shown of it afterwards. */
	assert_int_equal(strlen(made->key->display_prefix), 6);
	assert_memory_equal(made->key->display_prefix, made->token, 6);
	assert_int_equal(fixture_verify(made->token, "jwt"), VERDICT(VALID));
	assert_int_equal(fixture_verify(made->token, "prod"), VERDICT(VALID));
	json_decref(header);
	json_decref(claims);
	loop_answer_done(&answer);
}

/* Also of what is asked for twice in the same words, and at the same time. */
static void test_jwt_is_never_the_same_twice(void **state)
{
	(void)state;
	make_keyspace(HS256);
	struct fixture_key first = fixture_make_key("acme", "jwt", "ci");
	struct fixture_key second = fixture_make_key("acme", "jwt", "ci");
	json_t *of_first = jwt_part(first.token, 1);
	json_t *of_second = jwt_part(second.token, 1);

	assert_string_not_equal(jwt_text(of_first, "nonce"), jwt_text(of_second, "nonce"));
	assert_string_not_equal(first.token, second.token);
	assert_null(json_object_get(of_first, "sub"));
	assert_null(json_object_get(of_first, "exp"));
	json_decref(of_first);
	json_decref(of_second);
	fixture_key_done(&first);
	fixture_key_done(&second);
}

static void test_jwt_of_a_rotated_key_is_another(void **state)
{
	Latchkey__V1__RotateKeyRequest request = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;

	(void)state;
	make_keyspace(EDDSA);
	struct fixture_key key = fixture_make_key("acme", "jwt", "ci");
	request.tenant = TEXT("acme");
	request.key = key.id;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_rotate_method, &request.base, LK_OK);
	const char *token = ((const Latchkey__V1__RotateKeyResponse *)answer.response)->token;
	json_t *before = jwt_part(key.token, 1);
	json_t *after = jwt_part(token, 1);
	json_t *set = jwt_key_set("jwt");
	assert_string_equal(jwt_text(after, "jti"), key.id);
	assert_string_not_equal(jwt_text(after, "nonce"), jwt_text(before, "nonce"));
	assert_true(jwt_signed_by_set(set, token));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(REVOKED));
	assert_int_equal(fixture_verify(token, ""), VERDICT(VALID));
	json_decref(set);
	json_decref(before);
	json_decref(after);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

/* With everything that the store has of the signing key, one still lacks the nonce. */
static void test_jwt_is_not_forged_by_its_signing_key(void **state)
{
	static const Latchkey__V1__JwtAlgorithm algorithms[] = {HS256, EDDSA};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct jwt_stored stored;
		uint8_t subkey[LK_SECRET_KEY_LEN];
		uint8_t secret[LK_JWT_SECRET_MAX];
		char forged[LK_TOKEN_MAX + 1];
		size_t len = 0;
		make_keyspace(algorithms[i]);
		struct fixture_key key = fixture_make_key("acme", "jwt", "ci");
		json_t *claims = jwt_part(key.token, 1);
		jwt_stored("jwt", &stored);
		const Latchkey__Store__JwtKeyRecord *newest = stored.record->jwt_keys[0];
		lk_seal_subkey(
			lk_store_keyring(fixture_loop.store), LK_SEAL_JWT, newest->kid, strlen(newest->kid), subkey);
		assert_true(lk_seal_open(subkey, newest->sealed_secret.data, newest->sealed_secret.len, newest->kid,
			strlen(newest->kid), secret));
		/* For this key, and for no other of its name. */
		uint8_t other[LK_JWT_SECRET_MAX];
		assert_false(
			lk_seal_open(subkey, newest->sealed_secret.data, newest->sealed_secret.len, "other", 5, other));
		const struct lk_jwt_signer signer = {newest->kid, newest->algorithm, secret, LK_JWT_SECRET_MIN};
		struct lk_jwt_claims same = {
			.issuer = "latchkey",
			.owner = "",
			.keyspace = "jwt",
			.key_id = key.id,
			.issued_us = json_integer_value(json_object_get(claims, "iat")) * 1000000,
		};
		/* With the nonce it is the very token, so that nothing else is missing. */
		assert_int_equal(sodium_base642bin(same.nonce, sizeof same.nonce, jwt_text(claims, "nonce"), 22, NULL,
					 &len, NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
			0);
		assert_int_equal(lk_jwt_mint(&signer, &same, forged, &len), LK_OK);
		assert_string_equal(forged, key.token);
		lk_jwt_draw_nonce(&same);
		assert_int_equal(lk_jwt_mint(&signer, &same, forged, &len), LK_OK);
		assert_int_equal(strlen(forged), strlen(key.token));
		assert_int_equal(fixture_verify(forged, ""), VERDICT(NOT_FOUND));
		assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
		jwt_stored_done(&stored);
		json_decref(claims);
		fixture_key_done(&key);
		(void)fixture_teardown(state);
		assert_int_equal(fixture_setup(state), 0);
	}
}

static void test_jwt_secret_has_rules(void **state)
{
	static const struct {
		int format;
		int algorithm;
		size_t len;
		const char *part;
		const char *more;
	} cases[] = {
		{2, 1, 1, "jwt_secret: has 1 bytes: give 32 to 64", NULL},
		{2, 1, 31, "jwt_secret: has 31 bytes: give 32 to 64", NULL},
		{2, 1, 65, "jwt_secret", NULL},
		{2, 2, 32, "jwt_secret: is of JWTs by HS256 alone", NULL},
		{1, 0, 32, "jwt_secret: is of JWTs by HS256 alone", NULL},
		{1, 0, 31, "jwt_secret: is of JWTs by HS256 alone", "jwt_secret: has 31 bytes"},
		{1, 1, 32, "jwt_secret: is of JWTs by HS256 alone", "policy.jwt_algorithm: is of JWTs alone"},
	};
	char hex[17];

	(void)state;
	for (size_t i = 0; i < sizeof given; i++) {
		given[i] = (uint8_t)('A' + i % 26);
	}
	(void)sodium_bin2hex(hex, sizeof hex, given, 8);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		policy.token_format = (Latchkey__V1__TokenFormat)cases[i].format;
		policy.jwt_algorithm = (Latchkey__V1__JwtAlgorithm)cases[i].algorithm;
		policy.token_prefix = TEXT(cases[i].format == 1 ? "t_" : "");
		struct loop_answer answer = jwt_create(&policy, given, cases[i].len, false, LK_INVALID_ARGUMENT);
		assert_said(&answer, cases[i].part);
		if (cases[i].more != NULL) {
			assert_said(&answer, cases[i].more);
		}
		assert_null(strstr(answer.violations, "ABCD"));
		assert_null(strstr(answer.message, "ABCD"));
		assert_null(strstr(answer.violations, hex));
		loop_answer_done(&answer);
	}
}

static void test_jwt_keyspace_that_is_only_checked_has_no_key(void **state)
{
	Latchkey__V1__GetJwksRequest request = LATCHKEY__V1__GET_JWKS_REQUEST__INIT;

	(void)state;
	struct loop_answer answer = jwt_create(&policy, given, LK_JWT_SECRET_MIN, true, LK_OK);
	const Latchkey__V1__Keyspace *shown = (const Latchkey__V1__Keyspace *)answer.response;
	assert_int_equal(shown->policy->jwt_algorithm, HS256);
	assert_string_equal(shown->policy->jwt_issuer, "latchkey");
	loop_answer_done(&answer);
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("jwt");
	answer = fixture_call(&latchkey_v1_keyspace_get_jwks_method, &request.base, LK_NOT_FOUND);
	loop_answer_done(&answer);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_jwt_of_eddsa_is_checked_by_the_key_set),
		TEST(test_jwt_of_hs256_is_checked_by_the_secret_that_was_given),
		TEST(test_jwt_says_what_the_key_is),
		TEST(test_jwt_is_never_the_same_twice),
		TEST(test_jwt_of_a_rotated_key_is_another),
		TEST(test_jwt_is_not_forged_by_its_signing_key),
		TEST(test_jwt_secret_has_rules),
		TEST(test_jwt_keyspace_that_is_only_checked_has_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

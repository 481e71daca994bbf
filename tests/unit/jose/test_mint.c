#include "server/jose/mint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include "server/core/policy.h"
#include "server/core/text.h"

#define HS256 LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_HS256
#define EDDSA LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA
#define NONE  LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_NONE

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static uint8_t secret[LK_JWT_SECRET_MAX + 1];
static struct lk_jwt_signer signer;
static struct lk_jwt_claims claims;
static char token[LK_TOKEN_MAX + 1];
static size_t token_len;

static int setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof secret; i++) {
		secret[i] = (uint8_t)i;
	}
	signer = (struct lk_jwt_signer){"000102030405060708090a0b0c0d0e0f", HS256, secret, LK_JWT_SECRET_MIN};
	claims = (struct lk_jwt_claims){
		.issuer = "latchkey",
		.owner = "",
		.keyspace = "production",
		.key_id = "key_01jd0000000000000000000000",
		.issued_us = INT64_C(1732147200999999),
	};
	for (size_t i = 0; i < sizeof claims.nonce; i++) {
		claims.nonce[i] = (uint8_t)(0xf0 + i);
	}
	memset(token, '#', sizeof token);
	token_len = 0;
	return sodium_init() < 0 ? -1 : 0;
}

static size_t from_base64(const char *text, size_t len, uint8_t *ret, size_t room)
{
	size_t ret_len = 0;

	assert_int_equal(sodium_base642bin(ret, room, text, len, NULL, &ret_len, NULL, VARIANT), 0);
	return ret_len;
}

static void mint(void)
{
	assert_int_equal(lk_jwt_mint(&signer, &claims, token, &token_len), LK_OK);
	assert_int_equal(strlen(token), token_len);
}

/* The token's claims, to be json_decref()ed. */
static json_t *claims_of_token(void)
{
	uint8_t text[LK_TOKEN_MAX];
	const char *from = strchr(token, '.') + 1;
	size_t len = from_base64(from, (size_t)(strrchr(token, '.') - from), text, sizeof text);
	json_t *told = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(told);
	return told;
}

/* By Python's hmac. */
static void test_mint_hs256_is_golden(void **state)
{
	(void)state;
	claims.owner = "alice \"a\"";
	claims.expire_us = INT64_C(1763683199999999);
	claims.not_before_us = INT64_C(1732147200000001);
	claims.tenant_scope = true;
	mint();
	assert_string_equal(token,
		"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjAwMDEwMjAzMDQwNTA2MDcwODA5MGEwYjBjMGQwZTBmIn0."
		"eyJpc3MiOiJsYXRjaGtleSIsInN1YiI6ImFsaWNlIFwiYVwiIiwiYXVkIjoicHJvZHVjdGlvbiIsImp0aSI6ImtleV8wMWpkMDAwMD"
		"AwMDAwMDAwMDAwMDAwMDAwMCIsImlhdCI6MTczMjE0NzIwMCwiZXhwIjoxNzYzNjgzMTk5LCJuYmYiOjE3MzIxNDcyMDEsInNjb3Bl"
		"IjoidGVuYW50Iiwibm9uY2UiOiI4UEh5OF9UMTl2ZjQtZnI3X1AzLV93In0."
		"mQR_N_oyQKOdMcue-KmsLQLu2SddJb0OI4YqZ3D9AEY");
}

/* By Python's cryptography. No owner, no expiry: no such claims. */
static void test_mint_eddsa_is_golden(void **state)
{
	(void)state;
	signer.algorithm = EDDSA;
	claims.issuer = "https://keys.example/\xc3\xa4";
	mint();
	assert_string_equal(token,
		"eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCIsImtpZCI6IjAwMDEwMjAzMDQwNTA2MDcwODA5MGEwYjBjMGQwZTBmIn0."
		"eyJpc3MiOiJodHRwczovL2tleXMuZXhhbXBsZS_DpCIsImF1ZCI6InByb2R1Y3Rpb24iLCJqdGkiOiJrZXlfMDFqZDAwMDAwMDAwMD"
		"AwMDAwMDAwMDAwMDAiLCJpYXQiOjE3MzIxNDcyMDAsInNjb3BlIjoia2V5c3BhY2UiLCJub25jZSI6IjhQSHk4X1QxOXZmNC1mcjdf"
		"UDMtX3cifQ."
		"wRCltObH0KeddqC-tdE4k7iX-F3oQ7YyU-yADXYmqg8joPLxYkOshRt2bMaq6LvLWp8wtymXz5NAMVpcxKsDCA");
}

/* RFC 7515, A.1: its key has 64 bytes. */
static void test_mint_signs_as_rfc_7515(void **state)
{
	static const char key[] =
		"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
	static const char input[] =
		"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
		"eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
	static const char expected[] = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
	uint8_t signature[LK_JWT_SIGNATURE_MAX];
	uint8_t wanted[LK_JWT_SIGNATURE_MAX];

	(void)state;
	signer.secret_len = from_base64(key, strlen(key), secret, sizeof secret);
	assert_int_equal(signer.secret_len, LK_JWT_SECRET_MAX);
	assert_int_equal(lk_jwt_sign(&signer, input, strlen(input), signature), 32);
	assert_int_equal(from_base64(expected, strlen(expected), wanted, sizeof wanted), 32);
	assert_memory_equal(signature, wanted, 32);
}

/* RFC 8037, A.1, A.2 and A.4. */
static void test_mint_signs_as_rfc_8037(void **state)
{
	static const char seed[] = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
	static const char public_key[] = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
	static const char input[] = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
	static const char expected[] =
		"hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
	uint8_t public[LK_JWT_PUBLIC_LEN];
	uint8_t signature[LK_JWT_SIGNATURE_MAX];
	uint8_t wanted[LK_JWT_SIGNATURE_MAX];

	(void)state;
	signer.algorithm = EDDSA;
	signer.secret_len = from_base64(seed, strlen(seed), secret, sizeof secret);
	lk_jwt_public_of(secret, public);
	assert_int_equal(from_base64(public_key, strlen(public_key), wanted, sizeof wanted), sizeof public);
	assert_memory_equal(public, wanted, sizeof public);
	assert_int_equal(lk_jwt_sign(&signer, input, strlen(input), signature), 64);
	assert_int_equal(from_base64(expected, strlen(expected), wanted, sizeof wanted), 64);
	assert_memory_equal(signature, wanted, 64);
}

/* No more of the time than was asked for: seconds are cut off the end, and made up at the beginning. */
static void test_mint_cuts_seconds_to_the_safe_side(void **state)
{
	static const struct {
		int64_t us;
		json_int_t expires;
		json_int_t begins;
	} cases[] = {
		{1, 0, 1},
		{999999, 0, 1},
		{1000000, 1, 1},
		{1000001, 1, 2},
		{INT64_C(253402300799999999), 253402300799, 253402300800},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		claims.expire_us = claims.not_before_us = cases[i].us;
		mint();
		json_t *told = claims_of_token();
		assert_int_equal(json_integer_value(json_object_get(told, "exp")), cases[i].expires);
		assert_int_equal(json_integer_value(json_object_get(told, "nbf")), cases[i].begins);
		json_decref(told);
	}
}

/* Every character as long as JSON can make it, and every number as long as it gets. */
static void test_mint_longest_fits(void **state)
{
	static char issuer[LK_JWT_ISSUER_MAX + 1];
	static char owner[LK_OWNER_MAX + 2];
	static char keyspace[LK_ID_MAX + 1];

	(void)state;
	memset(issuer, '\x01', sizeof issuer - 1);
	memset(owner, '\x1f', sizeof owner - 2);
	memset(keyspace, 'k', sizeof keyspace - 1);
	claims.issuer = issuer;
	claims.owner = owner;
	claims.keyspace = keyspace;
	claims.issued_us = claims.expire_us = claims.not_before_us = INT64_C(253402300799999999);
	signer.algorithm = EDDSA;
	mint();
	assert_in_range(token_len, 2304 * 4 / 3, LK_TOKEN_MAX);
	json_t *told = claims_of_token();
	assert_string_equal(json_string_value(json_object_get(told, "iss")), issuer);
	assert_string_equal(json_string_value(json_object_get(told, "sub")), owner);
	json_decref(told);
}

static void test_mint_refuses_what_does_not_fit(void **state)
{
	static char owner[LK_TOKEN_MAX];
	char before[sizeof token];

	(void)state;
	memset(owner, 'o', sizeof owner - 1);
	claims.owner = owner;
	memcpy(before, token, sizeof token);
	assert_int_equal(lk_jwt_mint(&signer, &claims, token, &token_len), LK_RESOURCE_EXHAUSTED);
	assert_memory_equal(token, before, sizeof token);
	assert_int_equal(token_len, 0);
}

static void test_mint_wants_a_secret_that_fits(void **state)
{
	static const struct {
		Latchkey__Store__JwtAlgorithm algorithm;
		size_t len;
		enum lk_err expected;
	} cases[] = {
		{HS256, 0, LK_INVALID_ARGUMENT},
		{HS256, 31, LK_INVALID_ARGUMENT},
		{HS256, 32, LK_OK},
		{HS256, 33, LK_OK},
		{HS256, 64, LK_OK},
		{HS256, 65, LK_INVALID_ARGUMENT},
		{EDDSA, 31, LK_INVALID_ARGUMENT},
		{EDDSA, 32, LK_OK},
		{EDDSA, 33, LK_INVALID_ARGUMENT},
		{NONE, 32, LK_INVALID_ARGUMENT},
		{(Latchkey__Store__JwtAlgorithm)3, 32, LK_INVALID_ARGUMENT},
		{(Latchkey__Store__JwtAlgorithm)-1, 32, LK_INVALID_ARGUMENT},
	};
	uint8_t signature[LK_JWT_SIGNATURE_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		signer.algorithm = cases[i].algorithm;
		signer.secret_len = cases[i].len;
		token_len = 0;
		assert_int_equal(lk_jwt_mint(&signer, &claims, token, &token_len), cases[i].expected);
		assert_int_equal(token_len != 0, cases[i].expected == LK_OK);
		assert_int_equal(lk_jwt_sign(&signer, "", 0, signature) != 0, cases[i].expected == LK_OK);
	}
}

static void test_mint_of_another_nonce_is_another_token(void **state)
{
	char first[sizeof token];

	(void)state;
	lk_jwt_draw_nonce(&claims);
	mint();
	memcpy(first, token, sizeof token);
	mint();
	assert_string_equal(token, first);
	lk_jwt_draw_nonce(&claims);
	mint();
	assert_string_not_equal(token, first);
}

static void test_mint_kid_is_hex(void **state)
{
	char kids[2][LK_JWT_KID_LEN];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		lk_jwt_draw_kid(kids[i]);
		assert_int_equal(strlen(kids[i]), LK_JWT_KID_LEN - 1);
		assert_int_equal(strspn(kids[i], "0123456789abcdef"), LK_JWT_KID_LEN - 1);
	}
	assert_string_not_equal(kids[0], kids[1]);
}

static void test_mint_key_set_has_the_public_keys_alone(void **state)
{
	static uint8_t public[LK_JWT_PUBLIC_LEN];
	Latchkey__Store__JwtKeyRecord records[] = {LATCHKEY__STORE__JWT_KEY_RECORD__INIT,
		LATCHKEY__STORE__JWT_KEY_RECORD__INIT, LATCHKEY__STORE__JWT_KEY_RECORD__INIT};
	Latchkey__Store__JwtKeyRecord *keys[] = {&records[0], &records[1], &records[2]};
	static char *const kids[] = {"newest", "shared", "oldest"};

	(void)state;
	lk_jwt_public_of(secret, public);
	for (size_t i = 0; i < 3; i++) {
		records[i].kid = kids[i];
		records[i].algorithm = i == 1 ? HS256 : EDDSA;
		records[i].sealed_secret = (ProtobufCBinaryData){sizeof secret, secret};
		records[i].public_key = (ProtobufCBinaryData){i == 1 ? 0 : sizeof public, public};
	}
	char *set = lk_jwt_key_set(keys, 3);
	assert_string_equal(set,
		"{\"keys\":["
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"newest\","
		"\"x\":\"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg\",\"alg\":\"EdDSA\",\"use\":\"sig\"},"
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"oldest\","
		"\"x\":\"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg\",\"alg\":\"EdDSA\",\"use\":\"sig\"}]}");
	free(set);
	set = lk_jwt_key_set(keys + 1, 1);
	assert_string_equal(set, "{\"keys\":[]}");
	free(set);
	set = lk_jwt_key_set(NULL, 0);
	assert_string_equal(set, "{\"keys\":[]}");
	free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_mint_hs256_is_golden, setup),
		cmocka_unit_test_setup(test_mint_eddsa_is_golden, setup),
		cmocka_unit_test_setup(test_mint_signs_as_rfc_7515, setup),
		cmocka_unit_test_setup(test_mint_signs_as_rfc_8037, setup),
		cmocka_unit_test_setup(test_mint_cuts_seconds_to_the_safe_side, setup),
		cmocka_unit_test_setup(test_mint_longest_fits, setup),
		cmocka_unit_test_setup(test_mint_refuses_what_does_not_fit, setup),
		cmocka_unit_test_setup(test_mint_wants_a_secret_that_fits, setup),
		cmocka_unit_test_setup(test_mint_of_another_nonce_is_another_token, setup),
		cmocka_unit_test_setup(test_mint_kid_is_hex, setup),
		cmocka_unit_test_setup(test_mint_key_set_has_the_public_keys_alone, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Sets of keys, and the signatures that they check: the examples of RFC 7515, 7517 and 8037. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/jose/keyset.h"
#include "server/jose/verify.h"
#include "server/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* RFC 7515 A.2.1, A.3.1 and A.1.1; RFC 8037 A.2. */
#define RSA_N                                                                                                          \
	"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-"       \
	"SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-"              \
	"KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"          \
	"h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RSA_KEY "{\"kty\":\"RSA\",\"kid\":\"rsa\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}"
#define EC_X    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC_KEY  "{\"kty\":\"EC\",\"kid\":\"ec\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}"
#define OKP_X   "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
#define OKP_KEY "{\"kty\":\"OKP\",\"kid\":\"okp\",\"crv\":\"Ed25519\",\"x\":\"" OKP_X "\"}"
#define OCT_K   "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define OCT_KEY "{\"kty\":\"oct\",\"kid\":\"oct\",\"k\":\"" OCT_K "\"}"

#define PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RS256_TOKEN                                                                                                    \
	"eyJhbGciOiJSUzI1NiJ9." PAYLOAD "."                                                                            \
	"cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"                        \
	"O8W2Fp5jujGbds9uJdbF9CUA"                                                                                     \
	"r7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_"   \
	"dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0i" \
	"gcN_IoypGlUPQGe77Rw"
#define ES256_TOKEN                                                                                                    \
	"eyJhbGciOiJFUzI1NiJ9." PAYLOAD "."                                                                            \
	"DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define HS256_TOKEN "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." PAYLOAD ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

static void silence(void)
{
	lk_log_setup(-1, LK_LOG_ERROR);
}

static struct lk_keyset *read_set(const char *text)
{
	struct lk_keyset *set = NULL;
	const char *fault = lk_keyset_read(text, strlen(text), "main", &set);

	if (fault != NULL) {
		fail_msg("%s", fault);
	}
	return set;
}

static void test_keyset_checks_signatures(void **state)
{
	static const struct {
		const char *token;
		const char *kid;
	} cases[] = {{RS256_TOKEN, "rsa"}, {ES256_TOKEN, "ec"}, {HS256_TOKEN, "oct"}};
	struct lk_keyset *set = read_set("{\"keys\":[" RSA_KEY "," EC_KEY "," OKP_KEY "," OCT_KEY "]}");

	(void)state;
	assert_int_equal(lk_keyset_count(set), 4);
	assert_true(lk_keyset_holds_secret(set));
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct lk_jwk *key = NULL;
		struct lk_jws jws;
		assert_null(lk_jws_parse(cases[i].token, strlen(cases[i].token), &jws));
		assert_int_equal(lk_keyset_find(set, jws.algorithm, cases[i].kid, &key), LK_KEYSET_FOUND);
		assert_true(lk_jws_verify(&jws, key));
		/* Without a kid, the only one that fits. */
		assert_int_equal(lk_keyset_find(set, jws.algorithm, NULL, &key), LK_KEYSET_FOUND);
		assert_true(lk_jws_verify(&jws, key));
		/* Another claim: "008" in the time becomes "108". */
		char *forged = strdup(cases[i].token);
		assert_non_null(forged);
		char *at = strstr(forged, "MDA4");
		assert_non_null(at);
		lk_jws_done(&jws);
		at[1] = 'T';
		assert_null(lk_jws_parse(forged, strlen(forged), &jws));
		assert_false(lk_jws_verify(&jws, key));
		lk_jws_done(&jws);
		free(forged);
	}
	lk_keyset_drop(set);
}

static void test_keyset_finds_by_kid_and_algorithm(void **state)
{
	struct lk_keyset *set = read_set(
		"{\"keys\":[" RSA_KEY ",{\"kty\":\"RSA\",\"kid\":\"bound\",\"alg\":\"PS256\",\"n\":"
		"\"" RSA_N "\",\"e\":\"AQAB\"}," EC_KEY "]}");
	const struct lk_jwk *key = NULL;

	(void)state;
	assert_int_equal(lk_keyset_find(set, LK_JOSE_RS256, "rsa", &key), LK_KEYSET_FOUND);
	assert_int_equal(lk_keyset_find(set, LK_JOSE_PS256, "rsa", &key), LK_KEYSET_FOUND);
	assert_int_equal(lk_keyset_find(set, LK_JOSE_PS256, "bound", &key), LK_KEYSET_FOUND);
	key = NULL;
	assert_int_equal(lk_keyset_find(set, LK_JOSE_RS256, "bound", &key), LK_KEYSET_MISFIT);
	assert_int_equal(lk_keyset_find(set, LK_JOSE_ES256, "rsa", &key), LK_KEYSET_MISFIT);
	assert_int_equal(lk_keyset_find(set, LK_JOSE_HS256, "rsa", &key), LK_KEYSET_MISFIT);
	assert_int_equal(lk_keyset_find(set, LK_JOSE_RS256, "RSA", &key), LK_KEYSET_UNKNOWN);
	assert_int_equal(lk_keyset_find(set, LK_JOSE_RS256, "", &key), LK_KEYSET_UNKNOWN);
	assert_int_equal(lk_keyset_find(set, LK_JOSE_PS256, NULL, &key), LK_KEYSET_AMBIGUOUS);
	assert_int_equal(lk_keyset_find(set, LK_JOSE_EDDSA, NULL, &key), LK_KEYSET_UNKNOWN);
	assert_null(key);
	/* The other is bound to another algorithm. */
	assert_int_equal(lk_keyset_find(set, LK_JOSE_RS256, NULL, &key), LK_KEYSET_FOUND);
	assert_string_equal(key->kid, "rsa");
	lk_keyset_drop(lk_keyset_hold(set));
	lk_keyset_drop(set);
	lk_keyset_drop(NULL);
}

static void test_keyset_leaves_out_what_is_of_no_use(void **state)
{
	static const char *const keys[] = {
		"7",
		"null",
		"{}",
		"{\"kty\":\"XYZ\"}",
		"{\"kty\":\"RSA\"}",
		"{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"n\":\"" RSA_N "=\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"n\":\"AAAA" RSA_N "\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AQ\"}",
		/* Again 1, and 65537, in more bytes than they need. */
		"{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AAE\"}",
		"{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AAAAAAAAAAE\"}",
		"{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"AAEAAQ\"}",
		"{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"Ag\"}",
		"{\"kty\":\"RSA\",\"n\":\"" RSA_N "\",\"e\":\"\"}",
		"{\"kty\":\"RSA\",\"use\":\"enc\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"use\":[\"sig\"],\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"key_ops\":[\"encrypt\"],\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"key_ops\":[],\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"alg\":\"RS512\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"alg\":\"HS256\",\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}",
		"{\"kty\":\"RSA\",\"kid\":7,\"n\":\"" RSA_N "\",\"e\":\"AQAB\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
		"{\"kty\":\"EC\",\"crv\":\"secp256k1\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
		/* Not on the curve. */
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_Y "\",\"y\":\"" EC_X "\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"AAAA\"}",
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
		"\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" OKP_X "\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}",
		/* Points of small order: anybody signs for them. */
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		"{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}",
		"{\"kty\":\"oct\",\"k\":7}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		char text[2048] = "";
		(void)snprintf(text, sizeof text, "{\"keys\":[%s]}", keys[i]);
		struct lk_keyset *set = read_set(text);
		if (lk_keyset_count(set) != 0) {
			fail_msg("%s", keys[i]);
		}
		lk_keyset_drop(set);
	}
}

static void test_keyset_takes_the_first_of_a_kid(void **state)
{
	struct lk_keyset *set = read_set(
		"{\"keys\":[" RSA_KEY ",{\"kty\":\"EC\",\"kid\":\"rsa\",\"crv\":\"P-256\",\"x\":\"" EC_X
		"\",\"y\":\"" EC_Y "\"}]}");
	const struct lk_jwk *key = NULL;

	(void)state;
	assert_int_equal(lk_keyset_count(set), 1);
	assert_int_equal(lk_keyset_find(set, LK_JOSE_RS256, "rsa", &key), LK_KEYSET_FOUND);
	lk_keyset_drop(set);
}

static void test_keyset_takes_public_parts_alone(void **state)
{
	/* RFC 8037 A.1 has the private part too. */
	struct lk_keyset *set = read_set(
		"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"d\":"
		"\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\",\"x\":\"" OKP_X "\"},"
		"{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\",\"d\":"
		"\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}]}");
	const struct lk_jwk *key = NULL;
	cjose_err err = {0};

	(void)state;
	assert_int_equal(lk_keyset_find(set, LK_JOSE_ES256, NULL, &key), LK_KEYSET_FOUND);
	char *shown = cjose_jwk_to_json(key->key, true, &err);
	assert_non_null(shown);
	assert_null(strstr(shown, "\"d\""));
	free(shown);
	lk_keyset_drop(set);
}

static void test_keyset_that_is_none(void **state)
{
	static const char *const texts[] = {"", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]", "{\"keys\":[]}x",
		"{\"keys\":[],\"keys\":[]}", "<html>", "{\"keys\":null}"};
	struct lk_keyset *set = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_non_null(lk_keyset_read(texts[i], strlen(texts[i]), "main", &set));
		assert_null(set);
	}
}

static void test_keyset_size_is_bounded(void **state)
{
	char text[1024] = "{\"keys\":[{}";
	struct lk_keyset *set = NULL;

	(void)state;
	for (unsigned i = 1; i < LK_KEYSET_KEYS_MAX; i++) {
		strcat(text, ",{}");
	}
	strcat(text, "]}");
	set = read_set(text);
	lk_keyset_drop(set);
	set = NULL;
	text[strlen(text) - 2] = '\0';
	strcat(text, ",{}]}");
	assert_string_equal(lk_keyset_read(text, strlen(text), "main", &set), "it has more than 64 keys");
	assert_null(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keyset_checks_signatures),
		cmocka_unit_test(test_keyset_finds_by_kid_and_algorithm),
		cmocka_unit_test(test_keyset_leaves_out_what_is_of_no_use),
		cmocka_unit_test(test_keyset_takes_the_first_of_a_kid),
		cmocka_unit_test(test_keyset_takes_public_parts_alone),
		cmocka_unit_test(test_keyset_that_is_none),
		cmocka_unit_test(test_keyset_size_is_bounded),
	};

	silence();
	return cmocka_run_group_tests_name("keyset", tests, NULL, NULL);
}

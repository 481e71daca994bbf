/* Taking tokens apart. What a daemon does with bad ones is in tests/integration/jose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "server/jose/jws.h"
#include "server/jose/text.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char token[20000];

/* Encodes both texts, and puts the signature, which is encoded already, behind them. */
static void make_token(const char *header, const char *payload, const char *signature, char *ret_token, size_t size)
{
	char parts[2][9000];

	(void)sodium_bin2base64(parts[0], sizeof parts[0], (const uint8_t *)header, strlen(header),
		sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	(void)sodium_bin2base64(parts[1], sizeof parts[1], (const uint8_t *)payload, strlen(payload),
		sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	(void)snprintf(ret_token, size, "%s.%s.%s", parts[0], parts[1], signature);
}

static const char *parse(const char *header, const char *payload, const char *signature, struct lk_jws *ret_jws)
{
	make_token(header, payload, signature, token, sizeof token);
	return lk_jws_parse(token, strlen(token), ret_jws);
}

static void test_jws_is_taken_apart(void **state)
{
	struct lk_jws jws;

	(void)state;
	assert_null(parse("{\"alg\":\"ES256\",\"kid\":\"k1\"}", "{\"sub\":\"me\"}", "AAEC", &jws));
	assert_int_equal(jws.algorithm, LK_JOSE_ES256);
	assert_string_equal(jws.kid, "k1");
	assert_string_equal(json_string_value(json_object_get(jws.payload, "sub")), "me");
	assert_int_equal(jws.signature_len, 3);
	assert_memory_equal(jws.signature, "\0\1\2", 3);
	assert_int_equal(jws.signed_len, strlen(token) - 5);
	lk_jws_done(&jws);
	assert_null(jws.header);
	lk_jws_done(&jws);
}

static void test_jws_without_kid(void **state)
{
	struct lk_jws jws;

	(void)state;
	assert_null(parse("{\"alg\":\"EdDSA\"}", "{}", "AAEC", &jws));
	assert_null(jws.kid);
	lk_jws_done(&jws);
}

static void test_jws_faults(void **state)
{
	static const struct {
		const char *header;
		const char *payload;
		const char *signature;
	} cases[] = {
		{"{\"alg\":\"none\"}", "{}", "AAEC"},
		{"{\"alg\":\"none\"}", "{}", ""},
		{"{}", "{}", "AAEC"},
		{"{\"alg\":null}", "{}", "AAEC"},
		{"{\"alg\":\"RS256\",\"crit\":[\"exp\"]}", "{}", "AAEC"},
		{"{\"alg\":\"RS256\",\"crit\":null}", "{}", "AAEC"},
		{"{\"alg\":\"RS256\",\"enc\":\"A256GCM\"}", "{}", "AAEC"},
		{"{\"alg\":\"RS256\",\"kid\":7}", "{}", "AAEC"},
		{"{\"alg\":\"RS256\",\"alg\":\"RS256\"}", "{}", "AAEC"},
		{"{\"alg\":\"RS256\",\"\\u0061lg\":\"RS256\"}", "{}", "AAEC"},
		{"{\"alg\":\"RS256\"", "{}", "AAEC"},
		{"\"RS256\"", "{}", "AAEC"},
		{"", "{}", "AAEC"},
		{"{\"alg\":\"RS256\"}", "", "AAEC"},
		{"{\"alg\":\"RS256\"}", "[]", "AAEC"},
		{"{\"alg\":\"RS256\"}", "{\"a\":{\"b\":1,\"b\":1}}", "AAEC"},
		{"{\"alg\":\"RS256\"}", "{\"a\":\"\\u0000\"}", "AAEC"},
		{"{\"alg\":\"RS256\"}", "{\"a\":\"\xff\"}", "AAEC"},
		{"{\"alg\":\"RS256\"}", "{\"a\":1e999}", "AAEC"},
		{"{\"alg\":\"RS256\"}", "{\"a\":99999999999999999999}", "AAEC"},
		{"{\"alg\":\"RS256\"}", "{\"a\":NaN}", "AAEC"},
		{"{\"alg\":\"RS256\"}", "{} x", "AAEC"},
		{"{\"alg\":\"RS256\"}", "{}", ""},
		{"{\"alg\":\"RS256\"}", "{}", "AAE"},
		{"{\"alg\":\"RS256\"}", "{}", "A"},
		{"{\"alg\":\"RS256\"}", "{}", "AAE="},
		{"{\"alg\":\"RS256\"}", "{}", "AA+/"},
		{"{\"alg\":\"RS256\"}", "{}", "AA C"},
		{"{\"alg\":\"RS256\"}", "{}", "AAEC\n"},
		{"{\"alg\":\"RS256\"}", "{}", "AAEC.AAEC"},
		{"{\"alg\":\"RS256\"}", "{}", "AAEC."},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lk_jws jws;
		const char *fault = parse(cases[i].header, cases[i].payload, cases[i].signature, &jws);
		/* "AAE" has two bits that mean nothing, and they are 0: that one is right. */
		if ((fault == NULL) != (strcmp(cases[i].signature, "AAE") == 0)) {
			fail_msg("%zu: %s", i, fault == NULL ? "taken" : fault);
		}
		lk_jws_done(&jws);
	}
}

static void test_jws_loose_bits(void **state)
{
	struct lk_jws jws;

	(void)state;
	assert_non_null(parse("{\"alg\":\"RS256\"}", "{}", "AAF", &jws));
	lk_jws_done(&jws);
}

static void test_jws_not_three_parts(void **state)
{
	static const char *const texts[] = {"", ".", "..", "...", "a", "a.b", "a.b.c.d", "a.b.c.d.e", "eyJ..", "....."};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct lk_jws jws;
		assert_non_null(lk_jws_parse(texts[i], strlen(texts[i]), &jws));
		lk_jws_done(&jws);
	}
}

static void test_jws_size_is_bounded(void **state)
{
	static char payload[8000];
	struct lk_jws jws;

	(void)state;
	(void)snprintf(payload, sizeof payload, "{\"a\":\"%5000d\"}", 1);
	assert_null(parse("{\"alg\":\"RS256\"}", payload, "AAEC", &jws));
	lk_jws_done(&jws);
	(void)snprintf(payload, sizeof payload, "{\"a\":\"%6200d\"}", 1);
	assert_string_equal(parse("{\"alg\":\"RS256\"}", payload, "AAEC", &jws), "over 8 KiB");
	lk_jws_done(&jws);
}

static void test_jws_depth_is_bounded(void **state)
{
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{"{\"a\":[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]}", true},
		{"{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", false},
		/* Brackets in texts are none. */
		{"{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[\"}", true},
		{"{\"[[[[[[[[[[[[[[[[[[[[[[[[\":1}", true},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *value = lk_jose_read_object(cases[i].text, strlen(cases[i].text));
		assert_int_equal(value != NULL, cases[i].good);
		json_decref(value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_jws_is_taken_apart),
		cmocka_unit_test(test_jws_without_kid),
		cmocka_unit_test(test_jws_faults),
		cmocka_unit_test(test_jws_loose_bits),
		cmocka_unit_test(test_jws_not_three_parts),
		cmocka_unit_test(test_jws_size_is_bounded),
		cmocka_unit_test(test_jws_depth_is_bounded),
	};

	return cmocka_run_group_tests_name("jws", tests, NULL, NULL);
}

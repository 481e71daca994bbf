/*
 * Tokens that are not good, each refused by a daemon that takes good ones of the same issuer: the caller is told that and no
 * more, and the log says why, without the token.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <latchkey/error.h>

#include "jose_stage.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char config[] = "[issuer \"main\"]\n"
			     "issuer = " JOSE_PEER_ISSUER "\n"
			     "audiences = account\n"
			     "required_claims = typ=Bearer\n"
			     "jwks_url = http://127.0.0.1:%d/jwks\n"
			     "jwks_min_interval_s = 3600\n"
			     "jwks_refresh_s = 3600\n"
			     "tenant_claim = tenant\n"
			     "grant = realm_access.roles=key-user: methods=keys.* keyspaces=*\n";

/* What the log says of each: one of these. */
static const char unknown_alg[] = "alg is missing or none of";
static const char not_allowed[] = "alg is none that the issuer may use";
static const char bad_signature[] = "the signature is not good";
static const char bad_encoding[] = "not strict base64url";
static const char bad_payload[] = "the payload is not strict base64url of a strict JSON object";
static const char bad_header[] = "the header is not strict base64url of a strict JSON object";
static const char misfit[] = "the key of this kid is not for this alg";
static const char bad_kid[] = "kid is no text, or too long";
static const char unknown_kid[] = "no key of the issuer has this kid";
static const char expired[] = "reason=expired";
static const char bad_exp[] = "exp is missing or no time";
static const char bad_audience[] = "aud has none of the audiences";
static const char unknown_issuer[] = "iss is no issuer's that is configured";
static const char bad_claim[] = "a required claim is missing or another";
static const char crit[] = "crit asks for an extension";
static const char no_subject[] = "the claim of the subject is missing or no text";
static const char bad_subject[] = "the subject is empty or too long, or has blanks";
static const char no_tenant[] = "the claim of the tenant is missing, or neither";
static const char bad_tenant[] = "the claim of the tenant names one that cannot be granted";

static const struct attack {
	const char *name;
	const char *reason;
} attacks[] = {
	{"none", unknown_alg},
	{"None", unknown_alg},
	{"NONE", unknown_alg},
	{"nOnE", unknown_alg},
	{"none signed", unknown_alg},
	{"empty alg", unknown_alg},
	{"no alg", unknown_alg},
	{"alg no text", unknown_alg},
	{"alg rs256", unknown_alg},
	{"alg RS512", unknown_alg},
	{"HS256 by SPKI PEM", not_allowed},
	{"HS256 by PKCS1 PEM", not_allowed},
	{"HS256 by DER", not_allowed},
	{"HS256 by JWK", not_allowed},
	{"HS256 by modulus", not_allowed},
	{"HS256 by nothing", not_allowed},
	{"HS256 truly", not_allowed},
	{"another's signature", bad_signature},
	{"wrong kid", unknown_kid},
	{"small key", unknown_kid},
	{"kid no text", bad_kid},
	{"kid too long", bad_kid},
	{"kid a path", unknown_kid},
	{"kid SQL", unknown_kid},
	{"kid empty", unknown_kid},
	{"kid null", bad_kid},
	{"kid an array", bad_kid},
	{"kid with a NUL", bad_header},
	{"kid with a line", "kid=\"x\\nlevel=error msg=owned\""},
	{"kid twice", bad_header},
	{"no kid", "no kid, and more than one key fits"},
	{"expired", expired},
	{"expired long ago", expired},
	{"no exp", bad_exp},
	{"exp a text", bad_exp},
	{"exp too far", bad_exp},
	{"exp negative", bad_exp},
	{"exp true", bad_exp},
	{"exp infinite", bad_payload},
	{"exp null", bad_exp},
	{"exp an array", bad_exp},
	{"exp of 30 digits", bad_payload},
	{"exp past 9999", bad_exp},
	{"exp zero", expired},
	{"exp minus zero", expired},
	{"exp NaN", bad_payload},
	{"nbf null", "nbf is no time"},
	{"nbf too far", "nbf is no time"},
	{"nbf negative", "nbf is no time"},
	{"iat a text", "iat is no time"},
	{"iat in 9999", "issued in the future"},
	{"not yet valid", "not valid yet"},
	{"nbf a text", "nbf is no time"},
	{"issued in the future", "issued in the future"},
	{"wrong audience", bad_audience},
	{"no audience", bad_audience},
	{"audience too long", bad_audience},
	{"audience an object", bad_audience},
	{"audience of none", bad_audience},
	{"audience null", bad_audience},
	{"audience in an array too deep", bad_audience},
	{"audience in words", bad_audience},
	{"wrong issuer", unknown_issuer},
	{"issuer with a slash", unknown_issuer},
	{"no issuer", unknown_issuer},
	{"issuer in an array", unknown_issuer},
	{"id token", bad_audience},
	{"id token for us", bad_claim},
	{"no typ", bad_claim},
	{"typ in another case", bad_claim},
	{"sub twice", bad_payload},
	{"exp twice", bad_payload},
	{"alg twice", bad_header},
	{"sub twice by an escape", bad_payload},
	{"deep twice", bad_payload},
	{"deep", bad_payload},
	{"crit", crit},
	{"crit b64", crit},
	{"crit empty", crit},
	{"jwk", bad_signature},
	{"jku", bad_signature},
	{"x5u", bad_signature},
	{"x5c", bad_signature},
	{"bad signature", bad_signature},
	{"signature cut off", bad_signature},
	{"signature of one byte", bad_signature},
	{"no signature", bad_encoding},
	{"truncated", NULL},
	{"payload of another", bad_signature},
	{"two parts", "fewer than three parts"},
	{"four parts", "more than three parts"},
	{"JWE", "more than three parts"},
	{"enc", "reason=encrypted"},
	{"nested", bad_payload},
	{"dots", bad_header},
	{"payload an array", bad_payload},
	{"payload no JSON", bad_payload},
	{"payload with a tail", bad_payload},
	{"not UTF-8", bad_payload},
	{"NUL", bad_payload},
	{"name with a NUL", bad_payload},
	{"NUL of a byte", bad_payload},
	{"half a surrogate", bad_payload},
	{"UTF-8 of a surrogate", bad_payload},
	{"UTF-8 too long", bad_payload},
	{"byte order mark", bad_payload},
	{"comment", bad_payload},
	{"comma at the end", bad_payload},
	{"single quotes", bad_payload},
	{"blank in front", bad_header},
	{"Bearer", bad_header},
	{"padded", bad_encoding},
	{"blank inside", bad_encoding},
	{"standard base64", bad_encoding},
	{"loose bits", bad_encoding},
	{"ES256 of an RSA key", misfit},
	{"RS256 of an EC key", misfit},
	{"EdDSA of an EC key", misfit},
	{"PS256 of another", bad_signature},
	{"ES256 too short", bad_signature},
	{"ES256 too long", bad_signature},
	{"ES256 all zero", bad_signature},
	{"ES256 r zero", bad_signature},
	{"ES256 in DER", bad_signature},
	{"ES256 truly in DER", bad_signature},
	{"ES256 s zero", bad_signature},
	{"ES256 s the order", bad_signature},
	{"ES256 r the order", bad_signature},
	{"ES256 r past the order", bad_signature},
	{"RS256 with a zero before", bad_signature},
	{"RS256 without its zero", bad_signature},
	{"PS256 without its zero", bad_signature},
	{"PS256 with a zero before", bad_signature},
	{"RS256 of 1024 bytes", bad_signature},
	{"RS256 of 1025 bytes", bad_encoding},
	{"RS256 of one", bad_signature},
	{"EdDSA past the order", bad_signature},
	{"EdDSA of small order", bad_signature},
	{"EdDSA flipped", bad_signature},
	{"EdDSA all zero", bad_signature},
	{"no subject", no_subject},
	{"empty subject", bad_subject},
	{"subject a number", no_subject},
	{"subject too long", bad_subject},
	{"subject with a line", bad_subject},
	{"subject with blanks", bad_subject},
	{"subject in an array", no_subject},
	{"subject null", no_subject},
	{"subject with a C1 control", bad_subject},
	{"subject with DEL", bad_subject},
	{"subject with a wide blank", bad_subject},
	{"no tenant", no_tenant},
	{"tenant system", bad_tenant},
	{"tenant system among", bad_tenant},
	{"tenant active", bad_tenant},
	{"tenant *", bad_tenant},
	{"tenant no id", bad_tenant},
	{"tenant a number", no_tenant},
	{"tenant empty", bad_tenant},
	{"tenant System", bad_tenant},
	{"tenant with a blank", bad_tenant},
	{"tenant null", no_tenant},
	{"tenants too deep", bad_tenant},
	{"tenants with *", bad_tenant},
	{"tenant an object", no_tenant},
	{"tenants too many", "the claim of the tenant names more than 64"},
	{"over 8 KiB", "reason=\"over 8 KiB\""},
	{"60 KiB", "reason=\"over 8 KiB\""},
	{"60 KiB of dots", "reason=\"over 8 KiB\""},
};

/* A daemon for so many: it logs no more refusals in a short time. */
#define ATTACKS_EACH 80

static struct jose_stage stage;

static int set_up_group(void **state)
{
	(void)state;
	jose_stage_start(&stage);
	jose_peer_tell(&stage.peer,
		"{\"do\": \"serve\", \"keys\": [\"rsa1\", \"rsa2\", \"ec1\", \"ed1\", \"hs1\", \"small1\"]}");
	jose_stage_run(&stage, config, stage.peer.port);
	return 0;
}

static int tear_down_group(void **state)
{
	(void)state;
	jose_stage_stop(&stage);
	return 0;
}

/* Whether a part of the token that is long enough to say anything stands in the line. */
static bool tells(const char *line, const char *token)
{
	char *copy = strdup(token);
	char *rest = NULL;
	bool found = false;

	assert_non_null(copy);
	for (char *part = strtok_r(copy, ".", &rest); part != NULL; part = strtok_r(NULL, ".", &rest)) {
		part[strlen(part) > 24 ? 24 : strlen(part)] = '\0';
		found = found || (strlen(part) >= 8 && strstr(line, part) != NULL);
	}
	free(copy);
	return found;
}

static void assert_answered(const char *order)
{
	char *token = jose_peer_ask(&stage.peer, "%s", order);

	if (jose_stage_call_patiently(&stage, token) != LK_OK) {
		fail_msg("%s: %u %s", order, stage.code, stage.message);
	}
	free(token);
}

static void test_attack_is_refused(void **state)
{
	const struct attack *attack = *state;
	const char *const any[] = {"msg=\"token refused\"", NULL};
	char *token = jose_peer_ask(&stage.peer, "{\"do\": \"attack\", \"name\": \"%s\"}", attack->name);

	if ((attack - attacks) % ATTACKS_EACH == ATTACKS_EACH - 1) {
		jose_stage_run(&stage, config, stage.peer.port);
	}
	assert_int_equal(jose_stage_call_patiently(&stage, token), LK_UNAUTHENTICATED);
	assert_string_equal(stage.message, "invalid token");
	assert_int_equal(stage.payload_len, 0);
	char *line = jose_stage_await_log(&stage, any);
	if (attack->reason != NULL && strstr(line, attack->reason) == NULL) {
		fail_msg("%s: not \"%s\", but %s", attack->name, attack->reason, line);
	}
	assert_false(tells(line, token));
	free(line);
	free(token);
}

static void test_attack_good_tokens_pass(void **state)
{
	static const char *const orders[] = {
		"{\"do\": \"token\"}",
		"{\"do\": \"token\", \"alg\": \"PS256\"}",
		"{\"do\": \"token\", \"key\": \"rsa2\"}",
		"{\"do\": \"token\", \"key\": \"ec1\"}",
		"{\"do\": \"token\", \"key\": \"ed1\"}",
		/* The only key that fits. */
		"{\"do\": \"token\", \"key\": \"ec1\", \"kid\": null}",
		/* Within what clocks may differ. */
		"{\"do\": \"token\", \"in_s\": {\"exp\": -10}}",
		"{\"do\": \"token\", \"in_s\": {\"nbf\": 10, \"iat\": 10}}",
		"{\"do\": \"token\", \"set\": {\"aud\": \"account\"}}",
		"{\"do\": \"token\", \"set\": {\"tenant\": [\"acme\", \"beta\"]}}",
		/* Header parameters that are no matter of ours. */
		"{\"do\": \"token\", \"headers\": {\"jku\": \"https://evil.example\", \"b64\": true, \"cty\": \"x\"}}",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(orders); i++) {
		assert_answered(orders[i]);
	}
}

static void test_attack_log_never_holds_a_token(void **state)
{
	static const char *const stopped[] = {"msg=stopped", NULL};
	char *token = jose_peer_ask(&stage.peer, "{\"do\": \"token\"}");
	char *line = NULL;
	size_t size = 0;

	(void)state;
	assert_int_equal(jose_stage_call_patiently(&stage, token), LK_OK);
	daemon_stop(&stage.daemon);
	free(jose_stage_await_log(&stage, stopped));
	FILE *log = fopen(stage.daemon.log, "re");
	assert_non_null(log);
	while (getline(&line, &size, log) > 0) {
		/* "eyJ" begins every header and payload. */
		if (strstr(line, "eyJ") != NULL) {
			fail_msg("%s", line);
		}
	}
	(void)fclose(log);
	free(line);
	free(token);
}

int main(void)
{
	struct CMUnitTest tests[COUNT(attacks) + 3] = {{0}};
	size_t n = 0;

	tests[n++] = (struct CMUnitTest){"good tokens pass", test_attack_good_tokens_pass, NULL, NULL, NULL};
	for (size_t i = 0; i < COUNT(attacks); i++) {
		tests[n++] = (struct CMUnitTest){
			attacks[i].name, test_attack_is_refused, NULL, NULL, (void *)(uintptr_t)&attacks[i]};
	}
	tests[n++] = (struct CMUnitTest){"good tokens still pass", test_attack_good_tokens_pass, NULL, NULL, NULL};
	tests[n++] = (struct CMUnitTest){
		"the log never holds a token", test_attack_log_never_holds_a_token, NULL, NULL, NULL};
	return _cmocka_run_group_tests("token attacks", tests, n, set_up_group, tear_down_group);
}

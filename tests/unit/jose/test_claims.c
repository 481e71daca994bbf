/* Claims: whether a token is for us, and now; and who it stands for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/time.h"
#include "server/jose/claims.h"
#include "server/jose/fetch.h"
#include "server/jose/identity.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(text)   ((char *)(uintptr_t)(text))

#define NOW_S  INT64_C(1800000000)
#define NOW_US (NOW_S * LK_US_PER_SECOND)

static char *audiences[] = {TEXT("account"), TEXT("latchkey")};
static char *read_methods[] = {TEXT("keys.get"), TEXT("keys.list")};
static char *all_methods[] = {TEXT("*")};
static char *any[] = {TEXT("*")};
static char *tenants[] = {TEXT("fixed")};

static const struct lk_issuer_config config = {
	.name = "main",
	.issuer = TEXT("https://issuer"),
	.audiences = {audiences, 2},
	.required = {{TEXT("typ"), TEXT("Bearer")}, {TEXT("email_verified"), TEXT("true")}},
	.n_required = 2,
	.clock_skew_s = 30,
	.subject_claim = TEXT("sub"),
	.tenant_claim = TEXT("org.tenants"),
	.grants =
		{
			{{TEXT("realm_access.roles"), TEXT("admin")}, {all_methods, 1}, {any, 1}, false},
			{{TEXT("scope"), TEXT("keys:read")}, {read_methods, 2}, {any, 1}, false},
			{{TEXT("https://example.com/own"), TEXT("yes")}, {all_methods, 1}, {any, 1}, true},
		},
	.n_grants = 3,
};

static json_t *read_claims(const char *format, ...) __attribute__((format(printf, 1, 2)));

static json_t *read_claims(const char *format, ...)
{
	char text[4096] = "";
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	json_t *claims = json_loads(text, 0, NULL);
	assert_non_null(claims);
	return claims;
}

static void test_claims_are_found(void **state)
{
	json_t *claims = read_claims("{\"a\":{\"b\":{\"c\":1}},\"x.y\":2,\"x\":{\"y\":3,\"z\":4},"
				     "\"r\":{\"app.one\":{\"roles\":5}},\"https://e.com/k\":6}");
	static const struct {
		const char *path;
		int value;
	} cases[] = {
		{"a.b.c", 1},
		{"x.y", 2},
		{"x.z", 4},
		{"r.app.one.roles", 5},
		{"https://e.com/k", 6},
		{"a.b.d", 0},
		{"a.b.c.d", 0},
		{"a.", 0},
		{".a", 0},
		{"", 0},
		{"a..b", 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(json_integer_value(lk_claim_find(claims, cases[i].path)), cases[i].value);
	}
	json_decref(claims);
}

static void test_claims_say_values(void **state)
{
	json_t *claims = read_claims("{\"text\":\"admin\",\"list\":[\"user\",\"admin\",7],\"scope\":\"a admin  b\","
				     "\"words\":\"a admin b\",\"yes\":true,\"number\":1,\"prefix\":\"administrator\","
				     "\"object\":{\"admin\":true},\"nested\":[[\"admin\"]]}");
	static const struct {
		const char *claim;
		const char *value;
		bool says;
	} cases[] = {
		{"text", "admin", true},
		{"text", "Admin", false},
		{"list", "admin", true},
		{"list", "7", false},
		{"scope", "admin", true},
		{"scope", "b", true},
		{"scope", "adm", false},
		{"scope", "", false},
		{"words", "admin", false},
		{"yes", "true", true},
		{"yes", "false", false},
		{"number", "1", false},
		{"prefix", "admin", false},
		{"object", "admin", false},
		{"nested", "admin", false},
		{"missing", "admin", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if (lk_claim_says(json_object_get(claims, cases[i].claim), cases[i].claim, cases[i].value) !=
			cases[i].says) {
			fail_msg("%s=%s", cases[i].claim, cases[i].value);
		}
	}
	json_decref(claims);
}

#define GOOD "\"iss\":\"https://issuer\",\"aud\":\"account\",\"typ\":\"Bearer\",\"email_verified\":true"

static void test_claims_are_checked(void **state)
{
	static const struct {
		const char *claims;
		/* NULL: they are good. */
		const char *fault;
	} cases[] = {
		{GOOD ",\"exp\":1800000001", NULL},
		/* The edges of the skew of 30 seconds. */
		{GOOD ",\"exp\":1799999971", NULL},
		{GOOD ",\"exp\":1799999970", "expired"},
		{GOOD ",\"exp\":1799999970.5", NULL},
		{GOOD ",\"exp\":0", "expired"},
		{GOOD, "exp is missing or no time"},
		{GOOD ",\"exp\":\"1800000001\"", "exp is missing or no time"},
		{GOOD ",\"exp\":null", "exp is missing or no time"},
		{GOOD ",\"exp\":253402300799", NULL},
		{GOOD ",\"exp\":253402300800", "exp is missing or no time"},
		{GOOD ",\"exp\":9223372036854775807", "exp is missing or no time"},
		{GOOD ",\"exp\":-1", "exp is missing or no time"},
		{GOOD ",\"exp\":1800000100,\"nbf\":1800000030", NULL},
		{GOOD ",\"exp\":1800000100,\"nbf\":1800000031", "not valid yet"},
		{GOOD ",\"exp\":1800000100,\"nbf\":false", "nbf is no time"},
		{GOOD ",\"exp\":1800000100,\"iat\":1800000030", NULL},
		{GOOD ",\"exp\":1800000100,\"iat\":1800000031", "issued in the future"},
		{GOOD ",\"exp\":1800000100,\"iat\":[]", "iat is no time"},
		{"\"iss\":\"https://issuer\",\"aud\":[\"x\",\"latchkey\"],\"typ\":\"Bearer\",\"email_verified\":true,"
		 "\"exp\":1800000100",
			NULL},
		{"\"iss\":\"https://issuer\",\"aud\":[\"x\"],\"typ\":\"Bearer\",\"exp\":1800000100",
			"aud has none of the audiences"},
		{"\"iss\":\"https://issuer\",\"aud\":[],\"exp\":1800000100", "aud has none of the audiences"},
		{"\"iss\":\"https://Issuer\",\"aud\":\"account\",\"exp\":1800000100", "iss is another"},
		{"\"aud\":\"account\",\"exp\":1800000100", "iss is another"},
		{"\"iss\":\"https://issuer\",\"aud\":\"account\",\"typ\":\"ID\",\"exp\":1800000100",
			"a required claim is missing or another"},
		{"\"iss\":\"https://issuer\",\"aud\":\"account\",\"typ\":\"Bearer\",\"email_verified\":false,"
		 "\"exp\":1800000100",
			"a required claim is missing or another"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		json_t *claims = read_claims("{%s}", cases[i].claims);
		int64_t expire_us = -1;
		const char *fault = lk_claims_check(claims, &config, NOW_US, &expire_us);
		if ((fault == NULL) != (cases[i].fault == NULL) ||
			(fault != NULL && strcmp(fault, cases[i].fault) != 0)) {
			fail_msg("%s: %s", cases[i].claims, fault == NULL ? "good" : fault);
		}
		assert_int_equal(expire_us > 0, fault == NULL);
		json_decref(claims);
	}
}

struct identity_fixture {
	struct lk_arena arena;
	struct lk_identity identity;
};

static int set_up(void **state)
{
	struct identity_fixture *fixture = calloc(1, sizeof *fixture);

	*state = fixture;
	return lk_arena_init(&fixture->arena, 4096, (size_t)1 << 20) == LK_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	struct identity_fixture *fixture = *state;

	lk_arena_done(&fixture->arena);
	free(fixture);
	return 0;
}

static const char *make(struct identity_fixture *fixture, const struct lk_issuer_config *with, const char *text)
{
	json_t *claims = read_claims("%s", text);
	const char *fault = lk_identity_make(&fixture->arena, with, claims, &fixture->identity);

	json_decref(claims);
	return fault;
}

static void test_identity_names_the_caller(void **state)
{
	struct identity_fixture *fixture = *state;
	const struct lk_identity *identity = &fixture->identity;

	assert_null(make(fixture, &config,
		"{\"sub\":\"user-1\",\"org\":{\"tenants\":[\"acme\",\"beta\",\"acme\"]},\"scope\":\"keys:read\"}"));
	assert_string_equal(identity->name, "jwt:main:user-1");
	assert_string_equal(identity->subject, "user-1");
	assert_int_equal(identity->grant->n_tenants, 2);
	assert_string_equal(identity->grant->tenants[0], "acme");
	assert_string_equal(identity->grant->tenants[1], "beta");
	assert_int_equal(identity->grant->n_methods, 2);
	assert_string_equal(identity->grant->methods[1], "keys.list");
	assert_false(identity->grant->own_only);
}

static void test_identity_takes_the_first_grant_that_holds(void **state)
{
	struct identity_fixture *fixture = *state;
	const struct lk_identity *identity = &fixture->identity;

	assert_null(make(fixture, &config,
		"{\"sub\":\"u\",\"org\":{\"tenants\":\"acme\"},\"scope\":\"keys:read\",\"realm_access\":{\"roles\":"
		"[\"admin\"]}}"));
	assert_string_equal(identity->grant->methods[0], "*");
	assert_false(identity->grant->own_only);
	assert_null(make(fixture, &config,
		"{\"sub\":\"u\",\"org\":{\"tenants\":\"acme\"},\"https://example.com/own\":\"yes\"}"));
	assert_true(identity->grant->own_only);
	/* None holds: somebody who may do nothing. */
	assert_null(make(fixture, &config, "{\"sub\":\"u\",\"org\":{\"tenants\":\"acme\"}}"));
	assert_int_equal(identity->grant->n_methods, 0);
	assert_int_equal(identity->grant->n_keyspaces, 0);
}

static void test_identity_of_fixed_tenants(void **state)
{
	struct identity_fixture *fixture = *state;
	struct lk_issuer_config fixed = config;

	fixed.tenant_claim = NULL;
	fixed.tenants = (struct lk_issuer_list){tenants, 1};
	assert_null(make(fixture, &fixed, "{\"sub\":\"u\",\"org\":{\"tenants\":\"acme\"}}"));
	assert_int_equal(fixture->identity.grant->n_tenants, 1);
	assert_string_equal(fixture->identity.grant->tenants[0], "fixed");
}

static void test_identity_faults(void **state)
{
	static const char *const cases[] = {
		"{\"org\":{\"tenants\":\"acme\"}}",
		"{\"sub\":7,\"org\":{\"tenants\":\"acme\"}}",
		"{\"sub\":\"\",\"org\":{\"tenants\":\"acme\"}}",
		"{\"sub\":\" u\",\"org\":{\"tenants\":\"acme\"}}",
		"{\"sub\":\"u\\u00a0\",\"org\":{\"tenants\":\"acme\"}}",
		"{\"sub\":\"u\\u0007\",\"org\":{\"tenants\":\"acme\"}}",
		"{\"sub\":\"u\\u0085x\",\"org\":{\"tenants\":\"acme\"}}",
		"{\"sub\":\"u\"}",
		"{\"sub\":\"u\",\"org\":{\"tenants\":true}}",
		"{\"sub\":\"u\",\"org\":{\"tenants\":\"*\"}}",
		"{\"sub\":\"u\",\"org\":{\"tenants\":\"system\"}}",
		"{\"sub\":\"u\",\"org\":{\"tenants\":\"active\"}}",
		"{\"sub\":\"u\",\"org\":{\"tenants\":\"\"}}",
		"{\"sub\":\"u\",\"org\":{\"tenants\":[\"acme\",7]}}",
		"{\"sub\":\"u\",\"org\":{\"tenants\":[\"acme\",\"*\"]}}",
		"{\"sub\":\"u\",\"org\":{\"tenants\":[[\"acme\"]]}}",
	};
	struct identity_fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		if (make(fixture, &config, cases[i]) == NULL) {
			fail_msg("%s", cases[i]);
		}
		assert_null(fixture->identity.name);
	}
}

static void test_fetch_urls(void **state)
{
	static const struct {
		const char *url;
		bool good;
	} cases[] = {
		{"https://issuer.example/jwks", true},
		{"https://issuer.example:8443/a/b?c=d", true},
		{"http://127.0.0.1:8080/jwks", true},
		{"http://localhost/jwks", true},
		{"http://[::1]:80/jwks", true},
		{"HTTP://127.0.0.1:8080/jwks", true},
		{"http://issuer.example/jwks", false},
		{"http://127.0.0.1.evil.example/", false},
		{"http://localhost.evil.example/", false},
		{"http://127.evil/", false},
		/* Names, which somebody may have: nothing of them is an address. */
		{"http://127.0.0.256/", false},
		{"http://127.0.0.0.1/", false},
		{"http://127./", false},
		{"http://10.0.0.1/", false},
		{"https://user@issuer.example/", false},
		{"https://user:secret@issuer.example/", false},
		{"http://127.0.0.1@issuer.example/", false},
		{"https://issuer.example/#x", false},
		{"ftp://127.0.0.1/jwks", false},
		{"file:///etc/passwd", false},
		{"issuer.example/jwks", false},
		{"https://", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		if ((lk_fetch_check_url(cases[i].url) == NULL) != cases[i].good) {
			fail_msg("%s", cases[i].url);
		}
	}
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claims_are_found),
		cmocka_unit_test(test_claims_say_values),
		cmocka_unit_test(test_claims_are_checked),
		WITH_ARENA(test_identity_names_the_caller),
		WITH_ARENA(test_identity_takes_the_first_grant_that_holds),
		WITH_ARENA(test_identity_of_fixed_tenants),
		WITH_ARENA(test_identity_faults),
		cmocka_unit_test(test_fetch_urls),
	};

	return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}

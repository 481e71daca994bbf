/* The sections of issuers in the config file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/config.h"
#include "server/jose/algorithm.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define GOOD                                                                                                           \
	"issuer = https://i\naudiences = a\njwks_url = https://i/jwks\ntenants = acme\n"                               \
	"grant = *: methods=keys.* keyspaces=*\n"

struct fixture {
	char path[64];
	struct lk_config config;
	char *faults;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	*state = fixture;
	(void)snprintf(fixture->path, sizeof fixture->path, "/tmp/latchkey-config-XXXXXX");
	int fd = mkstemp(fixture->path);
	return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	(void)unlink(fixture->path);
	lk_config_done(&fixture->config);
	free(fixture->faults);
	free(fixture);
	return 0;
}

static enum lk_err load(struct fixture *fixture, const char *text)
{
	char *const argv[] = {(char *)(uintptr_t) "latchkeyd", (char *)(uintptr_t) "--data", (char *)(uintptr_t) "/d",
		(char *)(uintptr_t) "--config", fixture->path, NULL};
	FILE *file = fopen(fixture->path, "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	lk_config_done(&fixture->config);
	free(fixture->faults);
	fixture->faults = NULL;
	return lk_config_load(5, argv, &fixture->config, &fixture->faults);
}

static void test_config_issuer_whole(void **state)
{
	struct fixture *fixture = *state;
	const struct lk_issuer_config *issuer = &fixture->config.issuers[0];

	assert_int_equal(
		load(fixture, "[issuer \"web-1\"]\n"
			      "issuer = https://issuer.example/realms/main\n"
			      "audiences = account latchkey\n"
			      "audiences = third\n"
			      "required_claims = typ=Bearer\n"
			      "required_claims = team=a=b c\n"
			      "algorithms = RS256 HS256\n"
			      "jwks_file = /etc/keys.json\n"
			      "jwks_refresh_s = 60\n"
			      "jwks_min_interval_s = 5\n"
			      "tenant_claim = org.tenant\n"
			      "subject_claim = uid\n"
			      "clock_skew_s = 0\n"
			      "grant = scope=urn:keys:all: methods=keys.create,keys.list keyspaces=p,q own_only=true\n"
			      "grant = *: keyspaces=* methods=*\n"),
		LK_OK);
	assert_int_equal(fixture->config.n_issuers, 1);
	assert_string_equal(issuer->name, "web-1");
	assert_string_equal(issuer->issuer, "https://issuer.example/realms/main");
	assert_int_equal(issuer->audiences.count, 3);
	assert_string_equal(issuer->audiences.items[1], "latchkey");
	assert_string_equal(issuer->audiences.items[2], "third");
	assert_int_equal(issuer->n_required, 2);
	assert_string_equal(issuer->required[1].claim, "team");
	assert_string_equal(issuer->required[1].value, "a=b c");
	assert_int_equal(issuer->algorithms, 1u << LK_JOSE_RS256 | 1u << LK_JOSE_HS256);
	assert_string_equal(issuer->jwks_file, "/etc/keys.json");
	assert_null(issuer->jwks_url);
	assert_int_equal(issuer->jwks_refresh_s, 60);
	assert_int_equal(issuer->jwks_min_interval_s, 5);
	assert_string_equal(issuer->tenant_claim, "org.tenant");
	assert_string_equal(issuer->subject_claim, "uid");
	assert_int_equal(issuer->clock_skew_s, 0);
	assert_int_equal(issuer->n_grants, 2);
	assert_string_equal(issuer->grants[0].when.claim, "scope");
	assert_string_equal(issuer->grants[0].when.value, "urn:keys:all");
	assert_int_equal(issuer->grants[0].methods.count, 2);
	assert_string_equal(issuer->grants[0].keyspaces.items[1], "q");
	assert_true(issuer->grants[0].own_only);
	assert_null(issuer->grants[1].when.claim);
	assert_false(issuer->grants[1].own_only);
}

static void test_config_issuer_defaults(void **state)
{
	struct fixture *fixture = *state;
	const struct lk_issuer_config *issuer = &fixture->config.issuers[0];

	assert_int_equal(load(fixture, "[issuer \"i\"]\n" GOOD), LK_OK);
	/* HS256 only where it is named: whoever checks such a token could make one. */
	assert_int_equal(issuer->algorithms,
		1u << LK_JOSE_RS256 | 1u << LK_JOSE_PS256 | 1u << LK_JOSE_ES256 | 1u << LK_JOSE_EDDSA);
	assert_int_equal(issuer->jwks_refresh_s, 300);
	assert_int_equal(issuer->jwks_min_interval_s, 10);
	assert_int_equal(issuer->clock_skew_s, 30);
	assert_string_equal(issuer->subject_claim, "sub");
	assert_int_equal(load(fixture, "[server]\nlog_level = warn\n"), LK_OK);
	assert_int_equal(fixture->config.n_issuers, 0);
}

/* Lines of a section that is good but for them, and what is said of them. */
static const struct {
	const char *line;
	const char *fault;
} faults[] = {
	{"algorithms = none", ":7: issuer \"i\": algorithms: \"none\": give some of RS256"},
	{"algorithms = RS256 rs256", "algorithms: \"rs256\": give some of"},
	{"algorithms =", "algorithms: \"\": give one or more"},
	{"jwks_url = https://j/jwks", "jwks_url: is given twice; first in line 4"},
	{"jwks_file = /k", "give jwks_file or jwks_url, not both"},
	{"jwks_file = k", "jwks_file: \"k\": give the absolute path"},
	{"tenant_claim = tenant", "give tenant_claim or tenants, not both"},
	{"tenants = system", "tenants: \"system\": give the ids of tenants"},
	{"tenants = active", "tenants: \"active\": give"},
	{"tenants = Acme", "tenants: \"Acme\": give"},
	{"tenants = acme", "tenants: \"acme\": is given twice"},
	{"clock_skew_s = 301", "clock_skew_s: \"301\": give 0 to 300"},
	{"clock_skew_s = -1", "clock_skew_s: \"-1\": give 0 to 300"},
	{"jwks_refresh_s = 0", "jwks_refresh_s: \"0\": give 1 to 86400"},
	{"jwks_min_interval_s = 99999999999999999999", "give 1 to 3600"},
	{"required_claims = typ", "required_claims: \"typ\": give CLAIM=VALUE"},
	{"required_claims = =Bearer", "give CLAIM=VALUE"},
	{"required_claims = typ=", "give CLAIM=VALUE"},
	{"grant = methods=keys.*", "grant: \"methods=keys.*\": give CLAIM=VALUE: methods="},
	{"grant = role: methods=keys.* keyspaces=*", "give CLAIM=VALUE"},
	{"grant = *: methods=keys.*", "give methods=, and keyspaces="},
	{"grant = *: keyspaces=*", "give methods=, and keyspaces="},
	{"grant = *: methods=keys keyspaces=*", "\"keys\": give a right as"},
	{"grant = *: methods=keys.crate keyspaces=*",
		"\"keys.crate\" is no right that a method needs: did you mean \"keys.create\"?"},
	{"grant = *: methods=kays.* keyspaces=*", "did you mean \"keys.*\"?"},
	{"grant = *: methods=keys.* keyspaces=No_Such", "give the id of a keyspace"},
	{"grant = *: methods=keys.*,keys.* keyspaces=*", "is given twice"},
	{"grant = *: methods=keys.* methods=keys.get keyspaces=*", "is given twice"},
	{"grant = *: methods=keys.* keyspaces=* own_only=yes", "give CLAIM=VALUE: methods="},
	{"grant = *: methods=keys.* keyspaces=* tenants=acme", "give CLAIM=VALUE: methods="},
	{"subject_claim =", "subject_claim: \"\": give the name of a claim"},
	{"colour = red", ":7: there is no option \"colour\" in [issuer \"i\"]"},
	{"[issuer \"i\"]", ":7: [issuer \"i\"] is given twice; first in line 1"},
	{"[issuer i]", ":7: [issuer i]: give [issuer \"NAME\"]"},
	{"[issuer \"I\"]", "give [issuer \"NAME\"]"},
	{"[issuer \"\"]", "give [issuer \"NAME\"]"},
	{"[issuer]", "[issuer]: give [issuer \"NAME\"]"},
	{"[issuers \"x\"]", "give [issuer \"NAME\"]"},
	{"[issuer \"abcdefghijklmnopqrstuvwxyz0123456\"]", "give [issuer \"NAME\"]"},
	/* As long as inih's own buffer, and so without any end that it could be read up to. */
	{"[issuer                                                              ]\ncolour = red",
		"give [issuer \"NAME\"]"},
	{"[issuer \"j\"]\n" GOOD, "issuer \"j\": issuer \"i\" has the same iss"},
	{"algorithms = RS256 HS256",
		"algorithms: HS256 goes with jwks_file alone: a secret that a URL gives to anybody is none"},
	{"[issuer \"j\"]", ":7: issuer \"j\": give jwks_file or jwks_url"},
};

static void test_config_issuer_faults(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(faults); i++) {
		char text[1024] = "";
		(void)snprintf(text, sizeof text, "[issuer \"i\"]\n" GOOD "%s\n", faults[i].line);
		assert_int_equal(load(fixture, text), LK_INVALID_ARGUMENT);
		if (strstr(fixture->faults, faults[i].fault) == NULL) {
			fail_msg("%s: not \"%s\" but:\n%s", faults[i].line, faults[i].fault, fixture->faults);
		}
	}
}

static void test_config_issuer_bad_urls(void **state)
{
	static const char *const urls[] = {"http://issuer.example/jwks", "ftp://127.0.0.1/", "https://u:p@i/jwks", "x"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(urls); i++) {
		char text[256] = "";
		(void)snprintf(text, sizeof text, "[issuer \"i\"]\njwks_url = %s\n", urls[i]);
		assert_int_equal(load(fixture, text), LK_INVALID_ARGUMENT);
		assert_non_null(strstr(fixture->faults, ":2: issuer \"i\": jwks_url: "));
		/* It is not told what may be a password. */
		assert_null(strstr(fixture->faults, "u:p"));
	}
}

static void test_config_issuer_faults_all_together(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(
		load(fixture, "[issuer \"i\"]\nclock_skew_s = x\n[limits]\ndrain_ms = y\n"), LK_INVALID_ARGUMENT);
	static const char *const parts[] = {"clock_skew_s", "drain_ms", "give issuer", "give audiences", "give grant",
		"give jwks_file or jwks_url", "give tenant_claim or tenants"};
	for (size_t i = 0; i < COUNT(parts); i++) {
		assert_non_null(strstr(fixture->faults, parts[i]));
	}
}

static void test_config_issuers_at_most_8(void **state)
{
	struct fixture *fixture = *state;
	char text[4096] = "";

	for (unsigned i = 0; i < LK_ISSUERS_MAX + 1; i++) {
		char issuer[512] = "";
		(void)snprintf(issuer, sizeof issuer,
			"[issuer \"i%u\"]\nissuer = i%u\naudiences = a\njwks_file = /k\ntenants = *\n"
			"grant = *: methods=* keyspaces=*\n",
			i, i);
		assert_int_equal(load(fixture, text), LK_OK);
		assert_int_equal(fixture->config.n_issuers, i);
		strcat(text, issuer);
	}
	assert_int_equal(load(fixture, text), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(fixture->faults, "[issuer \"i8\"]: at most 8 are allowed"));
}

static void test_config_issuer_is_in_the_help(void **state)
{
	char *help = lk_config_help();

	(void)state;
	assert_non_null(help);
	assert_non_null(strstr(help, "[issuer \"NAME\"]"));
	assert_non_null(strstr(help, "jwks_min_interval_s"));
	free(help);
}

#define CONFIG(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CONFIG(test_config_issuer_whole),
		CONFIG(test_config_issuer_defaults),
		CONFIG(test_config_issuer_faults),
		CONFIG(test_config_issuer_bad_urls),
		CONFIG(test_config_issuer_faults_all_together),
		CONFIG(test_config_issuers_at_most_8),
		CONFIG(test_config_issuer_is_in_the_help),
	};

	return cmocka_run_group_tests_name("config of issuers", tests, NULL, NULL);
}

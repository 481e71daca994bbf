#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/latchkey/help.h"
#include "tools/latchkey/request.h"
#include "tools/latchkey/text.h"

/* 2026-01-01T00:00:00Z */
#define NOW       ((time_t)1767225600)
#define WORDS_MAX 32

/* What was said on standard error during one reading. */
static char said[4096];

/* Reads words, as "--name a --owner b" would be cut by a shell, with '~' for a space within one. */
static enum lk_exit read_line(const char *noun, const char *verb, const char *line, json_t **ret,
	const char *own[static LK_OWN_FLAGS], char *buffer)
{
	const struct lk_command *command = lk_help_find_verb(lk_help_find_noun(noun), verb);
	FILE *real = stderr, *captured = tmpfile();
	char *words[WORDS_MAX], *rest = strcpy(buffer, line), *word;
	enum lk_exit code;
	size_t n = 0;

	assert_non_null(captured);
	while ((word = strsep(&rest, " "))) {
		if (*word != '\0') {
			words[n++] = word;
		}
	}
	for (size_t i = 0; i < n; i++) {
		for (char *letter = words[i]; *letter != '\0'; letter++) {
			*letter = *letter == '~' ? ' ' : *letter;
		}
	}
	stderr = captured;
	code = lk_request_read(command, words, n, NOW, ret, own);
	stderr = real;
	rewind(captured);
	said[fread(said, 1, sizeof(said) - 1, captured)] = '\0';
	fclose(captured);
	return code;
}

static void assert_request(const char *noun, const char *verb, const char *line, const char *expected)
{
	const char *own[LK_OWN_FLAGS];
	char buffer[1024];
	json_t *request = NULL, *wanted = json_loads(expected, 0, NULL);

	assert_non_null(wanted);
	if (read_line(noun, verb, line, &request, own, buffer) != LK_EXIT_OK) {
		fail_msg("%s: %s", line, said);
	}
	assert_string_equal(said, "");
	if (!json_equal(request, wanted)) {
		fail_msg("%s: %s", line, json_dumps(request, JSON_SORT_KEYS));
	}
	json_decref(request);
	json_decref(wanted);
}

static void assert_refused(const char *noun, const char *verb, const char *line, const char *expected)
{
	const char *own[LK_OWN_FLAGS];
	char buffer[1024];
	json_t *request = NULL;

	assert_int_equal(read_line(noun, verb, line, &request, own, buffer), LK_EXIT_USAGE);
	assert_null(request);
	assert_string_equal(said, expected);
}

static void test_request_puts_flags_where_their_fields_are(void **state)
{
	(void)state;
	assert_request("tenant", "create", "--tenant acme --display-name Acme~Ltd",
		"{\"tenant\": \"acme\", \"display_name\": \"Acme Ltd\"}");
	assert_request("keyspace", "create",
		"--tenant=acme --keyspace prod --token-prefix=sk- --name-required --expiry-required=false "
		"--display-length 9",
		"{\"tenant\": \"acme\", \"keyspace\": \"prod\", \"policy\": {\"token_prefix\": \"sk-\", "
		"\"name_required\": true, "
		"\"expiry_required\": false, \"display_length\": \"9\"}}");
	assert_request("key", "list", "--keyspace prod --page-size 5",
		"{\"filter\": {\"keyspace\": \"prod\"}, \"page_size\": 5}");
	assert_request("tenant", "list", "", "{}");
}

static void test_request_reads_times_spans_and_enums(void **state)
{
	(void)state;
	assert_request("key", "create", "--expire-time 30d --not-before-time -1h --scope Tenant",
		"{\"expire_time\": \"2026-01-31T00:00:00Z\", \"not_before_time\": \"2025-12-31T23:00:00Z\", "
		"\"scope\": \"KEY_SCOPE_TENANT\"}");
	assert_request("key", "create", "--ttl 2w", "{\"ttl\": \"1209600s\"}");
	assert_request("key", "list", "--state active --state EXPIRED",
		"{\"filter\": {\"states\": [\"KEY_STATE_ACTIVE\", \"KEY_STATE_EXPIRED\"]}}");
}

static void test_request_counts_spans_back_where_the_field_is_past(void **state)
{
	(void)state;
	assert_request("key", "list", "--created-before 90d --last-used-before 30d --expires-before 14d",
		"{\"filter\": {\"created_before\": \"2025-10-03T00:00:00Z\", \"last_used_before\": "
		"\"2025-12-02T00:00:00Z\", \"expires_before\": \"2026-01-15T00:00:00Z\"}}");
	assert_request("audit", "list", "--start-time 1d", "{\"start_time\": \"2025-12-31T00:00:00Z\"}");
	assert_refused("key", "list", "--created-before soon",
		"latchkey: --created-before \"soon\": a time is RFC 3339, such as 2026-02-01T12:00:00Z, or how long "
		"ago "
		"that was, such as 30d\n");
}

static void test_request_takes_words_for_the_flag_that_they_stand_for(void **state)
{
	(void)state;
	assert_request("key", "get", "7 --tenant acme", "{\"key\": \"7\", \"tenant\": \"acme\"}");
	assert_request("key", "revoke", "--reason lost key_x", "{\"key\": \"key_x\", \"reason\": \"lost\"}");
	assert_request("tenant", "create", "acme", "{\"tenant\": \"acme\"}");
	assert_request("key", "bulk-revoke", "7 --key 8 9", "{\"keys\": [\"7\", \"8\", \"9\"]}");
	assert_refused("key", "get", "7 8", "latchkey: --key was given twice, and takes one value\n");
	assert_refused("key", "get", "7 --key 8", "latchkey: --key was given twice, and takes one value\n");
	assert_refused("key", "get", "-v",
		"latchkey: \"-v\" is not a flag: values are given behind theirs, as in --tenant acme\n");
}

static void test_request_makes_the_mask_of_the_flags_that_were_given(void **state)
{
	(void)state;
	assert_request("key", "update", "7 --tenant acme --name ci --expire-time 30d --etag 5",
		"{\"tenant\": \"acme\", \"key\": {\"id\": \"7\", \"name\": \"ci\", \"expire_time\": "
		"\"2026-01-31T00:00:00Z\"}, \"etag\": \"5\", \"update_mask\": \"name,expireTime\"}");
	assert_request("key", "update", "--key 7 --metadata a=1 --metadata b=2 --permission x --permission y:*",
		"{\"key\": {\"id\": \"7\", \"metadata\": {\"a\": \"1\", \"b\": \"2\"}, \"permissions\": [\"x\", "
		"\"y:*\"]}, \"update_mask\": \"metadata,permissions\"}");
	assert_request("key", "update", "7 --owner alice --clear name --clear=expire-time",
		"{\"key\": {\"id\": \"7\", \"owner\": \"alice\"}, \"update_mask\": \"owner,name,expireTime\"}");
	assert_request("key", "update", "7 --clear name", "{\"key\": {\"id\": \"7\"}, \"update_mask\": \"name\"}");
	assert_request("keyspace", "update", "prod --max-ttl 90d --name-required=false --display-name x",
		"{\"keyspace\": {\"id\": \"prod\", \"display_name\": \"x\", \"policy\": {\"max_ttl\": \"7776000s\", "
		"\"name_required\": false}}, \"update_mask\": \"policy.maxTtl,policy.nameRequired,displayName\"}");
	assert_request("tenant", "update", "acme --display-name x",
		"{\"tenant\": {\"id\": \"acme\", \"display_name\": \"x\"}, \"update_mask\": \"displayName\"}");
	assert_request("root-key", "update", "7 --methods keys.* --tenants * --keyspaces * --own-only=false",
		"{\"tenant\": \"system\", \"key\": {\"id\": \"7\", \"grant\": {\"methods\": [\"keys.*\"], \"tenants\": "
		"[\"*\"], \"keyspaces\": [\"*\"], \"own_only\": false}}, \"update_mask\": \"grant\"}");
}

static void test_request_refuses_an_update_that_is_none(void **state)
{
	static const char nothing[] =
		"latchkey: nothing is to be changed: give a field's flag with its new value, or --clear FLAG\n";

	(void)state;
	assert_refused("key", "update", "7", nothing);
	assert_refused("key", "update", "7 --etag 5 --tenant acme", nothing);
	assert_refused(
		"key", "update", "7 --name x --clear name", "latchkey: --name is given and cleared: do one of them\n");
	assert_refused("key", "update", "7 --clear nmae",
		"latchkey: --clear nmae: there is no such flag to clear; did you mean --clear name?\n");
	assert_refused("key", "update", "7 --clear key",
		"latchkey: --clear key: there is no such flag to clear; --help shows those that there are\n");
	assert_refused("key", "update", "7 --clear etag",
		"latchkey: --clear etag: there is no such flag to clear; --help shows those that there are\n");
	assert_refused("key", "update", "7 --clear", "latchkey: --clear needs a value: --clear FLAG\n");
	assert_refused("key", "update", "7 --update-mask name",
		"latchkey: there is no flag --update-mask here; --help shows those that there are\n");
	assert_refused("key", "update", "7 --usage-count 5",
		"latchkey: there is no flag --usage-count here; --help shows those that there are\n");
	assert_refused("root-key", "update", "7 --methods keys.*",
		"latchkey: --tenants is missing: the grant is replaced as a whole, so give all of its flags\n");
	/* Whoever forgets it must not widen the grant. */
	assert_refused("root-key", "update", "7 --methods keys.* --tenants * --keyspaces *",
		"latchkey: --own-only is missing: the grant is replaced as a whole, so say --own-only or "
		"--own-only=false\n");
}

static void test_request_reads_rate_limits_credits_roles_and_addresses(void **state)
{
	static const char rules[] =
		"\"rate_limits\": [{\"name\": \"r\", \"limit\": \"600\", \"period\": \"60s\"}, "
		"{\"name\": \"d\", \"limit\": \"5\", \"period\": \"86400s\", \"burst\": \"2\"}], "
		"\"roles\": [\"a\", \"b\"], \"allowed_cidrs\": [\"::/0\"], \"credits\": {\"balance\": "
		"\"500\", \"refill\": {\"amount\": \"100\", \"interval\": "
		"\"CREDIT_INTERVAL_MONTH\", \"mode\": \"CREDIT_REFILL_MODE_ADD\"}}}";
	static const char flags[] =
		"--rate-limit r=600/1m --role a --role b --allowed-cidr ::/0 --credits 500 "
		"--refill-amount 100 --refill-interval month --refill-mode add --rate-limit=d=5/1d:2";
	char line[512], expected[1024];

	(void)state;
	(void)snprintf(expected, sizeof(expected), "{%s", rules);
	assert_request("key", "create", flags, expected);
	(void)snprintf(line, sizeof(line), "7 %s", flags);
	(void)snprintf(expected, sizeof(expected),
		"{\"key\": {\"id\": \"7\", %s, \"update_mask\": \"rateLimits,roles,allowedCidrs,credits\"}", rules);
	assert_request("key", "update", line, expected);
	assert_request("key", "update", "7 --clear rate-limit --clear credits --clear role",
		"{\"key\": {\"id\": \"7\"}, \"update_mask\": \"rateLimits,credits,roles\"}");
	assert_request("keyspace", "create", "prod --token-prefix sk- --rate-limit r=1/1s --allowed-cidr 10.0.0.0/8",
		"{\"keyspace\": \"prod\", \"allowed_cidrs\": [\"10.0.0.0/8\"], \"policy\": {\"token_prefix\": \"sk-\", "
		"\"default_rate_limits\": [{\"name\": \"r\", \"limit\": \"1\", \"period\": \"1s\"}]}}");
	assert_request("keyspace", "update", "prod --rate-limit r=1/1h30m --clear allowed-cidr",
		"{\"keyspace\": {\"id\": \"prod\", \"policy\": {\"default_rate_limits\": [{\"name\": \"r\", \"limit\": "
		"\"1\", \"period\": \"5400s\"}]}}, \"update_mask\": \"policy.defaultRateLimits,allowedCidrs\"}");
}

static void test_request_refuses_rate_limits_and_credits_that_are_none(void **state)
{
	static const char *const bad[] = {"", "r", "r=", "=600/1m", "r=600", "r=/1m", "r=-1/1m", "r=1.5/1m",
		"r=600/1m:", "r=600/1m:x", "r=600/1m:20:3", "r=600:20/1m", "r=99999999999999999999/1m"};
	char line[64], expected[160];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(line, sizeof(line), "--rate-limit=%s", bad[i]);
		(void)snprintf(expected, sizeof(expected),
			"latchkey: --rate-limit \"%s\": give NAME=LIMIT/PERIOD[:BURST], such as requests=600/1m or "
			"requests=600/1m:20\n",
			bad[i]);
		assert_refused("key", "create", line, expected);
	}
	assert_refused("key", "create", "--rate-limit r=600/soon",
		"latchkey: --rate-limit \"r=600/soon\": of the period \"soon\": a span is a number with w, d, h, m, s "
		"or ms, "
		"largest first, such as 30d or 1d12h\n");
	assert_refused("key", "create", "--rate-limit \xff=600/1m",
		"latchkey: --rate-limit \"\\xff=600/1m\": give text in UTF-8\n");
	assert_refused("key", "create", "--rate-limit",
		"latchkey: --rate-limit needs a value: --rate-limit NAME=LIMIT/PERIOD[:BURST]\n");
	assert_refused("key", "list", "--rate-limit r=1/1s",
		"latchkey: there is no flag --rate-limit here; --help shows those that there are\n");
	/* What would leave a balance of 0. */
	assert_refused("key", "update", "7 --refill-amount 5 --refill-interval day",
		"latchkey: --credits is missing: \"credits\" is replaced as a whole, so give that too\n");
	/* What would let a key be used without a limit. */
	assert_refused("key", "update", "7 --clear refill-amount",
		"latchkey: --clear refill-amount: there is no such flag to clear; --help shows those that there are\n");
	assert_refused("key", "update", "7 --clear rate-limits",
		"latchkey: --clear rate-limits: there is no such flag to clear; did you mean --clear rate-limit?\n");
	assert_refused("key", "update", "7 --rate-limit r=1/1s --clear rate-limit",
		"latchkey: --rate-limit is given and cleared: do one of them\n");
	/* Root keys have none of it. */
	assert_refused("root-key", "create", "--credits 5",
		"latchkey: there is no flag --credits here; --help shows those that there are\n");
	assert_refused("root-key", "create", "--role admin",
		"latchkey: there is no flag --role here; --help shows those that there are\n");
	/* Nor does a grant lose what narrows it because nobody said it again. */
	assert_refused("root-key", "update", "7 --methods keys.* --tenants * --keyspaces *",
		"latchkey: --own-only is missing: the grant is replaced as a whole, so say --own-only or "
		"--own-only=false\n");
}

static void test_request_collects_maps_and_lists(void **state)
{
	(void)state;
	assert_request("key", "create", "--metadata a=1 --metadata b=x=y --metadata c=",
		"{\"metadata\": {\"a\": \"1\", \"b\": \"x=y\", \"c\": \"\"}}");
	assert_request("root-key", "create", "--methods keys.verify --methods keys.get --tenants *",
		"{\"tenant\": \"system\", \"keyspace\": \"root\", \"grant\": {\"methods\": [\"keys.verify\", "
		"\"keys.get\"], "
		"\"tenants\": [\"*\"]}}");
}

static void test_request_sets_what_a_command_presets(void **state)
{
	(void)state;
	assert_request("root-key", "list", "", "{\"tenant\": \"system\", \"filter\": {\"keyspace\": \"root\"}}");
	assert_request("root-key", "revoke", "--key 3 --reason lost",
		"{\"tenant\": \"system\", \"key\": \"3\", \"reason\": \"lost\"}");
	assert_refused("root-key", "revoke", "--tenant acme",
		"latchkey: there is no flag --tenant here; --help shows those that there are\n");
	assert_refused("key", "create", "--methods keys.verify",
		"latchkey: there is no flag --methods here; --help shows those that there are\n");
}

static void test_request_keeps_values_as_they_are(void **state)
{
	(void)state;
	assert_request("key", "create", "--name=--help --owner=", "{\"name\": \"--help\", \"owner\": \"\"}");
	assert_request("key", "create", "--name - --owner -x", "{\"name\": \"-\", \"owner\": \"-x\"}");
	assert_request("key", "create", "--name a=b", "{\"name\": \"a=b\"}");
}

static void test_request_refuses_a_wrong_flag_and_says_what_was_meant(void **state)
{
	(void)state;
	assert_refused(
		"key", "create", "--onwer x", "latchkey: there is no flag --onwer here; did you mean --owner?\n");
	assert_refused("key", "create", "--expiretime=30d",
		"latchkey: there is no flag --expiretime here; did you mean --expire-time?\n");
	assert_refused(
		"key", "create", "--", "latchkey: there is no flag -- here; --help shows those that there are\n");
	assert_refused("tenant", "list", "acme",
		"latchkey: \"acme\" is not a flag: values are given behind theirs, as in --tenant acme\n");
	assert_refused("key", "verify", "--token sk-x",
		"latchkey: there is no flag --token here; --help shows those that there are\n");
}

static void test_request_refuses_a_wrong_value_and_says_what_is_right(void **state)
{
	(void)state;
	assert_refused("key", "create", "--scope world", "latchkey: --scope \"world\": give one of keyspace|tenant\n");
	assert_refused("key", "list", "--page-size many", "latchkey: --page-size \"many\": give a whole number\n");
	assert_refused("key", "list", "--page-size 99999999999999999999",
		"latchkey: --page-size \"99999999999999999999\": give a whole number\n");
	assert_refused("keyspace", "create", "--display-length -1",
		"latchkey: --display-length \"-1\": give a whole number that is not negative\n");
	assert_refused("keyspace", "create", "--name-required=yes",
		"latchkey: --name-required \"yes\": give true or false, or the flag alone for true\n");
	assert_refused("key", "create", "--metadata team", "latchkey: --metadata \"team\": give KEY=VALUE\n");
	assert_refused("key", "create", "--metadata =x", "latchkey: --metadata \"=x\": give KEY=VALUE\n");
	assert_refused("key", "create", "--name \xff", "latchkey: --name \"\\xff\": give text in UTF-8\n");
	assert_refused("key", "create", "--metadata \xff=x", "latchkey: --metadata \"\\xff=x\": give text in UTF-8\n");
	assert_refused("key", "create", "--ttl soon",
		"latchkey: --ttl \"soon\": a span is a number with w, d, h, m, s or ms, largest first, such as 30d or "
		"1d12h\n");
}

static void test_request_refuses_a_missing_value(void **state)
{
	(void)state;
	assert_refused("key", "create", "--name", "latchkey: --name needs a value: --name TEXT\n");
	assert_refused("key", "create", "--name --owner x",
		"latchkey: --name needs a value, and \"--owner\" is a flag; where that is the value, write "
		"--name=--owner\n");
}

static void test_request_refuses_two_of_a_choice(void **state)
{
	(void)state;
	assert_refused("key", "create", "--ttl 1d --expire-time 2d",
		"latchkey: --expire-time and --ttl exclude each other: give one of them\n");
	assert_refused("key", "adjust-credits", "7 --set 0 --add 4",
		"latchkey: --set and --add exclude each other: give one of them\n");
	assert_refused("key", "adjust-credits", "7 --take 1 --set 4",
		"latchkey: --set and --take exclude each other: give one of them\n");
}

static void test_request_refuses_what_is_given_twice(void **state)
{
	(void)state;
	assert_refused("key", "create", "--name a --name a", "latchkey: --name was given twice, and takes one value\n");
	assert_refused("key", "create", "--validate-only --validate-only",
		"latchkey: --validate-only was given twice, and takes one value\n");
	assert_refused("key", "create", "--metadata a=1 --metadata a=2",
		"latchkey: --metadata: the key \"a\" was given twice\n");
	assert_refused(
		"key", "list", "--limit 1 --limit 2", "latchkey: --limit was given twice, and takes one value\n");
}

static void test_request_hands_out_own_flags(void **state)
{
	const char *own[LK_OWN_FLAGS];
	char buffer[1024];
	json_t *request = NULL;

	(void)state;
	assert_int_equal(read_line("key", "create", "--token-file /tmp/x", &request, own, buffer), LK_EXIT_OK);
	assert_string_equal(own[LK_OWN_TOKEN_FILE], "/tmp/x");
	assert_null(own[LK_OWN_LIMIT]);
	assert_int_equal(json_object_size(request), 0);
	json_decref(request);
	assert_int_equal(read_line("key", "bulk-revoke", "--yes", &request, own, buffer), LK_EXIT_OK);
	assert_string_equal(own[LK_OWN_YES], "");
	json_decref(request);
	assert_refused("key", "bulk-revoke", "--yes=no", "latchkey: --yes takes no value\n");
	assert_refused("key", "get", "--token-file x",
		"latchkey: there is no flag --token-file here; --help shows those that there are\n");
}

static int choose_utf8(void **state)
{
	(void)state;
	lk_text_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_puts_flags_where_their_fields_are),
		cmocka_unit_test(test_request_reads_times_spans_and_enums),
		cmocka_unit_test(test_request_counts_spans_back_where_the_field_is_past),
		cmocka_unit_test(test_request_takes_words_for_the_flag_that_they_stand_for),
		cmocka_unit_test(test_request_makes_the_mask_of_the_flags_that_were_given),
		cmocka_unit_test(test_request_refuses_an_update_that_is_none),
		cmocka_unit_test(test_request_reads_rate_limits_credits_roles_and_addresses),
		cmocka_unit_test(test_request_refuses_rate_limits_and_credits_that_are_none),
		cmocka_unit_test(test_request_collects_maps_and_lists),
		cmocka_unit_test(test_request_sets_what_a_command_presets),
		cmocka_unit_test(test_request_keeps_values_as_they_are),
		cmocka_unit_test(test_request_refuses_a_wrong_flag_and_says_what_was_meant),
		cmocka_unit_test(test_request_refuses_a_wrong_value_and_says_what_is_right),
		cmocka_unit_test(test_request_refuses_a_missing_value),
		cmocka_unit_test(test_request_refuses_two_of_a_choice),
		cmocka_unit_test(test_request_refuses_what_is_given_twice),
		cmocka_unit_test(test_request_hands_out_own_flags),
	};

	return cmocka_run_group_tests(tests, choose_utf8, NULL);
}

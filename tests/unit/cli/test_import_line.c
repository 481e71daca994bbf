#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "latchkey/v1/descriptors.h"
#include "latchkey/v1/key.pb-c.h"
#include "tools/latchkey/import_line.h"

static struct lk_schema *schema;

static int open_schema(void **state)
{
	(void)state;
	return lk_schema_open(latchkey_v1_descriptor_set, latchkey_v1_descriptor_set_len, &schema) == LK_OK ? 0 : -1;
}

static int close_schema(void **state)
{
	(void)state;
	lk_schema_free(schema);
	return 0;
}

/* Reads a line that is a key; to be freed by protobuf-c. */
static Latchkey__V1__ImportedKey *read_key(const char *text)
{
	struct lk_import_line line;
	char *fault = NULL;
	size_t column = 0;
	enum lk_err err = lk_import_line_read(schema, text, strlen(text), 7, &line, &fault, &column);

	if (err != LK_OK) {
		fail_msg("%s: column %zu: %s", text, column, fault);
	}
	assert_int_equal(line.kind, LK_IMPORT_KEY);
	Latchkey__V1__ImportedKey *key = latchkey__v1__imported_key__unpack(NULL, line.len, line.data);
	assert_non_null(key);
	lk_import_line_done(&line);
	return key;
}

static void free_key(Latchkey__V1__ImportedKey *key)
{
	latchkey__v1__imported_key__free_unpacked(key, NULL);
}

static void assert_refused(const char *text, size_t number, size_t column, const char *fault)
{
	struct lk_import_line line;
	char *said = NULL;
	size_t said_column = 0;

	assert_int_equal(lk_import_line_read(schema, text, strlen(text), number, &line, &said, &said_column),
		LK_INVALID_ARGUMENT);
	if (said == NULL || strncmp(said, fault, strlen(fault)) != 0 || said_column != column) {
		fail_msg("%s: column %zu: %s", text, said_column, said);
	}
	free(said);
	lk_import_line_done(&line);
}

static void test_import_line_takes_fields_by_either_name(void **state)
{
	(void)state;
	Latchkey__V1__ImportedKey *key = read_key(
		"{\"token\":\"abc\",\"name\":\"ci\",\"expireTime\":\"2027-01-01T00:00:00Z\","
		"\"create_time\":\"2020-01-01T00:00:00Z\",\"metadata\":{\"a\":\"b\"},\"scope\":\"KEY_SCOPE_TENANT\","
		"\"state\":\"KEY_STATE_REVOKED\",\"permissions\":[\"a:b\"]}");
	assert_int_equal(key->secret_case, LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN);
	assert_string_equal(key->token, "abc");
	assert_string_equal(key->name, "ci");
	assert_int_equal(key->expire_time->seconds, 1798761600);
	assert_int_equal(key->create_time->seconds, 1577836800);
	assert_int_equal(key->n_metadata, 1);
	assert_int_equal(key->scope, LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT);
	assert_int_equal(key->state, LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED);
	assert_int_equal(key->n_permissions, 1);
	free_key(key);
}

static void test_import_line_takes_what_an_export_tells(void **state)
{
	(void)state;
	Latchkey__V1__ImportedKey *key = read_key(
		"{\"key\":{\"id\":\"key_1\",\"number\":\"5\",\"tenant\":\"acme\",\"keyspace\":\"prod\",\"name\":\"ci\","
		"\"displayPrefix\":\"sk-\",\"state\":\"KEY_STATE_SUSPENDED\",\"suspendReason\":\"away\",\"usageCount\":"
		"\"3\","
		"\"availableActions\":[\"KEY_ACTION_REVOKE\"],\"etag\":\"1\",\"createTime\":\"2020-01-01T00:00:00Z\"},"
		"\"blake2bOfSha256\":\"00\"}");
	assert_int_equal(key->secret_case, LATCHKEY__V1__IMPORTED_KEY__SECRET_BLAKE2B_OF_SHA256);
	assert_string_equal(key->id, "key_1");
	assert_string_equal(key->keyspace, "prod");
	assert_string_equal(key->name, "ci");
	assert_string_equal(key->display_prefix, "sk-");
	assert_int_equal(key->state, LATCHKEY__V1__KEY_STATE__KEY_STATE_SUSPENDED);
	assert_string_equal(key->reason, "away");
	assert_int_equal(key->create_time->seconds, 1577836800);
	free_key(key);
	/* As it is shown with its defaults: of the digests one is there. */
	key = read_key("{\"key\":{\"name\":\"\",\"revokeReason\":\"\"},\"blake2b\":\"ab\",\"blake2bOfSha256\":\"\"}");
	assert_int_equal(key->secret_case, LATCHKEY__V1__IMPORTED_KEY__SECRET_BLAKE2B);
	assert_string_equal(key->reason, "");
	free_key(key);
}

static void assert_rules(const Latchkey__V1__ImportedKey *key)
{
	assert_int_equal(key->n_roles, 2);
	assert_string_equal(key->roles[1], "b");
	assert_int_equal(key->n_allowed_cidrs, 1);
	assert_string_equal(key->allowed_cidrs[0], "10.0.0.0/8");
	assert_int_equal(key->n_rate_limits, 1);
	assert_string_equal(key->rate_limits[0]->name, "r");
	assert_int_equal(key->rate_limits[0]->limit, 600);
	assert_int_equal(key->rate_limits[0]->period->seconds, 60);
	assert_int_equal(key->rate_limits[0]->burst, 20);
	assert_int_equal(key->credits->balance, 5);
	assert_int_equal(key->credits->refill->amount, 100);
	assert_int_equal(key->credits->refill->interval, LATCHKEY__V1__CREDIT_INTERVAL__CREDIT_INTERVAL_DAY);
}

static void test_import_line_takes_roles_addresses_limits_and_credits(void **state)
{
	static const char rules[] =
		"\"roles\":[\"a\",\"b\"],\"allowedCidrs\":[\"10.0.0.0/"
		"8\"],\"rateLimits\":[{\"name\":\"r\",\"limit\":\"600\","
		"\"period\":\"60s\",\"burst\":\"20\"}],\"credits\":{\"balance\":\"5\",\"refill\":{\"amount\":\"100\","
		"\"interval\":\"CREDIT_INTERVAL_DAY\",\"mode\":\"CREDIT_REFILL_MODE_REPLACE\"},"
		"\"nextRefillTime\":\"2027-01-01T00:00:00Z\"}";
	char line[1024];

	(void)state;
	(void)snprintf(line, sizeof(line), "{\"token\":\"abc\",%s}", rules);
	Latchkey__V1__ImportedKey *key = read_key(line);
	assert_rules(key);
	free_key(key);
	(void)snprintf(line, sizeof(line), "{\"key\":{%s},\"blake2b\":\"00\"}", rules);
	key = read_key(line);
	assert_rules(key);
	free_key(key);
	/* What is wrong inside is told by its field, and where that stands. */
	assert_refused(
		"{\"token\":\"abc\",\"rateLimits\":[{\"limit\":\"many\"}]}", 1, 16, "rateLimits: give an integer");
	assert_refused("{\"key\":{\"credits\":{\"balance\":-1}},\"blake2b\":\"00\"}", 1, 9, "credits");
}

static void test_import_line_knows_what_expired_keys_are_besides(void **state)
{
	static const struct {
		const char *text;
		Latchkey__V1__KeyState state;
		const char *reason;
	} cases[] = {
		{"{\"key\":{\"state\":\"KEY_STATE_EXPIRED\"},\"blake2b\":\"00\"}",
			LATCHKEY__V1__KEY_STATE__KEY_STATE_UNSPECIFIED, ""},
		{"{\"key\":{\"state\":\"KEY_STATE_EXPIRED\",\"suspendReason\":\"away\"},\"blake2b\":\"00\"}",
			LATCHKEY__V1__KEY_STATE__KEY_STATE_SUSPENDED, "away"},
		{"{\"key\":{\"state\":\"KEY_STATE_REVOKED\",\"revokeReason\":\"leaked\"},\"blake2b\":\"00\"}",
			LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED, "leaked"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		Latchkey__V1__ImportedKey *key = read_key(cases[i].text);
		assert_int_equal(key->state, cases[i].state);
		assert_string_equal(key->reason, cases[i].reason);
		free_key(key);
	}
}

static void test_import_line_says_where_it_is_wrong(void **state)
{
	(void)state;
	assert_refused("{\"name\": \"ci\", \"ownr\": \"x\"}", 2, 16, "there is no field \"ownr\"");
	assert_refused("{\"name\": \"ownr\", \"ownr\": \"x\"}", 2, 18, "there is no field \"ownr\"");
	assert_refused("{\"metadata\":{\"ownr\":\"x\"},\"ownr\":\"x\"}", 2, 26, "there is no field \"ownr\"");
	assert_refused("{\"name\":\"a \\\" : {\",\"ownr\":\"x\"}", 2, 20, "there is no field \"ownr\"");
	assert_refused("{\"key\":{\"nme\":\"x\"},\"blake2b\":\"00\"}", 2, 9, "there is no field \"nme\"");
	assert_refused("{\"key\":{},\"number\":\"7\"}", 2, 11, "there is no field \"number\"");
	assert_refused("{\"token\":\"t\",\"owner\":3}", 2, 14, "owner: give a text");
	assert_refused("{\"token\":\"t\",\"key\":{\"owner\":3}}", 2, 21, "owner: give a text");
	assert_refused("{\"token\":\"t\",\"scope\":\"no\"}", 2, 14, "scope: give KEY_SCOPE_");
	assert_refused("{\"token\":\"t\",\"expireTime\":\"soon\"}", 2, 14, "expireTime: give an instant");
	assert_refused("{\"token\":\"t\",\"sha256\":\"00\"}", 2, 2, "token and sha256 exclude each other");
	assert_refused("[]", 2, 1, "no key: give an object");
	assert_refused("\"sk-secret\"", 2, 1, "no key: give an object");
	assert_refused("{\"name\":", 2, 8, "no JSON: it ends too early");
	assert_refused("{\"name\":\"a\"} x", 2, 14, "no JSON: something stands behind its end");
	assert_refused("{\"name\":\"a\",\"name\":\"b\"}", 2, 18, "no JSON: a field is given twice");
	assert_refused("{\"name\":\"a\xff\"}", 2, 10, "no JSON: it is not in UTF-8");
	assert_refused("{name:1}", 2, 5, "no JSON: the syntax is wrong");
}

static void test_import_line_never_quotes_what_may_be_a_token(void **state)
{
	static const char *const texts[] = {"sk-53cret", "{\"token\":sk-53cret}", "{\"token\":\"sk-53cret}",
		"{\"sk-53cret\":1}", "{\"token\":[\"sk-53cret\"]}", "{\"scope\":\"sk-53cret\"}",
		"{\"createTime\":\"sk-53cret\"}", "{\"key\":{\"sk-53cret\":1}}", "{\"token\":\"a\\u0000sk-53cret\"}",
		"{\"state\":\"sk-53cret\"}", "{\"format\":\"sk-53cret\"}",
		"{\"format\":\"latchkey-keys\",\"version\":\"sk-53cret\"}"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct lk_import_line line;
		char *fault = NULL;
		size_t column = 0;

		assert_int_equal(lk_import_line_read(schema, texts[i], strlen(texts[i]), 1, &line, &fault, &column),
			LK_INVALID_ARGUMENT);
		assert_null(strstr(fault, "53cret"));
		free(fault);
		lk_import_line_done(&line);
	}
}

static void test_import_line_reads_the_head(void **state)
{
	static const char text[] = "{\"format\":\"latchkey-keys\",\"version\":1,\"verifyKey\":\"00ff\"}";
	static const char bare[] = "{\"format\":\"latchkey-keys\",\"version\":1}";
	struct lk_import_line line;
	char *fault = NULL;
	size_t column = 0;

	(void)state;
	assert_int_equal(lk_import_line_read(schema, text, strlen(text), 1, &line, &fault, &column), LK_OK);
	assert_int_equal(line.kind, LK_IMPORT_HEAD);
	assert_string_equal(line.verify_key, "00ff");
	assert_int_equal(lk_import_line_read(schema, bare, strlen(bare), 1, &line, &fault, &column), LK_OK);
	assert_int_equal(line.kind, LK_IMPORT_HEAD);
	assert_string_equal(line.verify_key, "");
	assert_refused(text, 2, 0, "a head stands on the first line alone");
	assert_refused("{\"format\":\"other\"}", 1, 2, "of another format");
	assert_refused("{\"format\":\"latchkey-keys\",\"version\":2}", 1, 27, "of another version than 1");
	assert_refused("{\"format\":\"latchkey-keys\",\"version\":1,\"verifyKey\":5}", 1, 39, "is no check value");
}

static void test_import_line_passes_over_empty_ones(void **state)
{
	static const char *const texts[] = {"", " ", "\t \r"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct lk_import_line line;
		char *fault = NULL;
		size_t column = 0;

		assert_int_equal(
			lk_import_line_read(schema, texts[i], strlen(texts[i]), 3, &line, &fault, &column), LK_OK);
		assert_int_equal(line.kind, LK_IMPORT_EMPTY);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_import_line_takes_fields_by_either_name),
		cmocka_unit_test(test_import_line_takes_what_an_export_tells),
		cmocka_unit_test(test_import_line_takes_roles_addresses_limits_and_credits),
		cmocka_unit_test(test_import_line_knows_what_expired_keys_are_besides),
		cmocka_unit_test(test_import_line_says_where_it_is_wrong),
		cmocka_unit_test(test_import_line_never_quotes_what_may_be_a_token),
		cmocka_unit_test(test_import_line_reads_the_head),
		cmocka_unit_test(test_import_line_passes_over_empty_ones),
	};

	return cmocka_run_group_tests(tests, open_schema, close_schema);
}

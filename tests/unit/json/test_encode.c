#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/json/fixture.h"
#include "tools/latchkey/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Encodes JSON of a text. The bytes and the fault are the caller's. */
static enum lk_err encode(const char *message, const char *text, uint8_t **ret, size_t *ret_len, char **ret_fault)
{
	json_t *json = fixture_json(text);
	*ret = NULL;
	*ret_len = 0;
	enum lk_err err = lk_json_encode(fixture_schema(), fixture_message(message), json, ret, ret_len, ret_fault);
	json_decref(json);
	return err;
}

/* JSON in other forms than the canonical one means the same bytes. */
static const struct {
	const char *message;
	const char *given;
	const char *canonical;
} forms[] = {
	{"Scalars", "{\"an_int32\": 5, \"aString\": \"x\"}", "{\"anInt32\": 5, \"aString\": \"x\"}"},
	{"Scalars", "{\"odd_name\": \"x\"}", "{\"ODD\": \"x\"}"},
	{"Scalars", "{\"aString\": \"x\", \"anInt32\": 5}", "{\"anInt32\": 5, \"aString\": \"x\"}"},
	{"Scalars", "{\"anInt32\": \"-5\", \"aUint32\": \"7\"}", "{\"anInt32\": -5, \"aUint32\": 7}"},
	{"Scalars", "{\"anInt32\": 5.0, \"aUint32\": 1e2}", "{\"anInt32\": 5, \"aUint32\": 100}"},
	{"Scalars", "{\"anInt64\": -5, \"aUint64\": 7}", "{\"anInt64\": \"-5\", \"aUint64\": \"7\"}"},
	{"Scalars", "{\"aUint64\": 1.8446744073709550e19}", "{\"aUint64\": \"18446744073709549568\"}"},
	{"Scalars", "{\"anInt64\": -9223372036854775808.0}", "{\"anInt64\": \"-9223372036854775808\"}"},
	{"Scalars", "{\"anInt32\": \"-0\", \"anSint32\": -0.0, \"aUint32\": -0.0}", "{}"},
	{"Scalars", "{\"aDouble\": \"1.5e3\", \"aFloat\": \"-2\"}", "{\"aDouble\": 1500, \"aFloat\": -2}"},
	{"Scalars", "{\"aDouble\": \"-Infinity\", \"aFloat\": \"Infinity\"}",
		"{\"aDouble\": \"-Infinity\", \"aFloat\": \"Infinity\"}"},
	{"Scalars", "{\"aDouble\": 7}", "{\"aDouble\": 7.0}"},
	{"Scalars", "{\"aColor\": 1}", "{\"aColor\": \"COLOR_RED\"}"},
	{"Scalars", "{\"aColor\": -1.0}", "{\"aColor\": \"COLOR_NEGATIVE\"}"},
	{"Scalars", "{\"someBytes\": \"-_8\"}", "{\"someBytes\": \"+/8=\"}"},
	{"Scalars", "{\"someBytes\": \"-_8=\"}", "{\"someBytes\": \"+/8=\"}"},
	{"Scalars", "{\"someBytes\": \"+/8\"}", "{\"someBytes\": \"+/8=\"}"},
	{"Scalars", "{\"aString\": \"a\\u0000b\"}", "{\"aString\": \"a\\u0000b\"}"},
	{"Scalars", "{\"aString\": null, \"anInt32\": null, \"aColor\": null}", "{}"},
	{"Scalars",
		"{\"aString\": \"\", \"anInt32\": 0, \"aBool\": false, \"aColor\": \"COLOR_UNSPECIFIED\", \"aDouble\": "
		"0.0}",
		"{}"},
	{"Lists", "{\"strings\": [], \"messages\": null, \"int32s\": []}", "{}"},
	{"Maps", "{\"texts\": {}, \"messages\": null}", "{}"},
	{"Choice", "{\"number\": null, \"text\": \"\"}", "{\"text\": \"\"}"},
	{"Choice", "{\"text\": \"t\", \"before\": \"b\"}", "{\"before\": \"b\", \"text\": \"t\"}"},
	{"Optional", "{\"number\": 0}", "{\"number\": 0}"},
	{"Times", "{\"at\": \"2026-11-21T10:30:00.1+01:00\"}", "{\"at\": \"2026-11-21T09:30:00.100Z\"}"},
	{"Times", "{\"span\": \"3.5s\"}", "{\"span\": \"3.500s\"}"},
	{"Hard", "{\"update_mask\": \"\"}", "{\"updateMask\": \"\"}"},
	{"Hard", "{\"updateMask\": \"name,policy.maxTtl\"}", "{\"updateMask\": \"name,policy.maxTtl\"}"},
	{"Empty", "{}", "{}"},
};

static void test_encode_takes_every_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(forms); i++) {
		uint8_t *given = NULL;
		uint8_t *canonical = NULL;
		size_t given_len = 0;
		size_t canonical_len = 0;
		char *fault = NULL;
		if (encode(forms[i].message, forms[i].given, &given, &given_len, &fault) != LK_OK) {
			fail_msg("%s: %s", forms[i].given, fault);
		}
		assert_int_equal(
			encode(forms[i].message, forms[i].canonical, &canonical, &canonical_len, &fault), LK_OK);
		if (given_len != canonical_len || (given_len > 0 && memcmp(given, canonical, given_len) != 0)) {
			fail_msg("%s is not %s", forms[i].given, forms[i].canonical);
		}
		json_t *json = NULL;
		json_t *expected = fixture_json(forms[i].canonical);
		assert_int_equal(lk_json_decode(fixture_schema(), fixture_message(forms[i].message), given, given_len,
					 0, &json, &fault),
			LK_OK);
		char *text = json_dumps(json, 0);
		char *expected_text = json_dumps(expected, 0);
		/* 7 and 7.0 are the same number and two types of jansson's. */
		if (!json_equal(json, expected) && strstr(expected_text, "Double") == NULL) {
			fail_msg("%s came back as %s", forms[i].given, text);
		}
		free(text);
		free(expected_text);
		json_decref(json);
		json_decref(expected);
		free(given);
		free(canonical);
	}
}

static void test_encode_an_empty_message_has_no_bytes(void **state)
{
	(void)state;
	uint8_t *bytes = NULL;
	size_t len = 0;
	char *fault = NULL;
	assert_int_equal(encode("Empty", "{}", &bytes, &len, &fault), LK_OK);
	assert_null(bytes);
	assert_int_equal(len, 0);
	assert_null(fault);
}

/* What is refused, and a part of what is said of it: the path, the value, the remedy. */
static const struct {
	const char *message;
	const char *text;
	const char *part;
} faults[] = {
	{"Scalars", "[]", "give an object"},
	{"Scalars", "null", "give an object"},
	{"Scalars", "\"x\"", "give an object"},
	{"Scalars", "{\"nmae\": 1}", "nmae: there is no such field: latchkey.test.Scalars has aDouble, aFloat,"},
	{"Empty", "{\"a\": null}", "a: there is no such field: latchkey.test.Empty has no field"},
	{"Tree", "{\"child\": {\"x\": 1}}",
		"child.x: there is no such field: latchkey.test.Tree has child, children, leaf"},
	{"Scalars", "{\"anInt32\": 1, \"an_int32\": 2}", "anInt32 is given twice, as an_int32 too: give one of them"},
	{"Scalars", "{\"anint32\": 1}", "anint32: there is no such field"},
	{"Scalars", "{\"anInt32\": 2147483648}",
		"anInt32: 2147483648 is wrong here: give an integer from -2147483648 to 2147483647"},
	{"Scalars", "{\"anInt32\": -2147483649}", "give an integer"},
	{"Scalars", "{\"anInt32\": 1.5}", "anInt32: 1.5 is wrong here"},
	{"Scalars", "{\"anInt32\": 1e100}", "give an integer"},
	{"Scalars", "{\"anInt32\": \"\"}", "anInt32: \"\" is wrong here"},
	{"Scalars", "{\"anInt32\": \"-\"}", "give an integer"},
	{"Scalars", "{\"anInt32\": \"01\"}", "give an integer"},
	{"Scalars", "{\"anInt32\": \"-01\"}", "give an integer"},
	{"Scalars", "{\"anInt32\": \"+1\"}", "give an integer"},
	{"Scalars", "{\"anInt32\": \" 1\"}", "give an integer"},
	{"Scalars", "{\"anInt32\": \"1 \"}", "give an integer"},
	{"Scalars", "{\"anInt32\": \"0x1\"}", "give an integer"},
	{"Scalars", "{\"anInt32\": \"1\\u0000\"}", "give an integer"},
	{"Scalars", "{\"anInt32\": true}", "anInt32: true is wrong here"},
	{"Scalars", "{\"anInt32\": []}", "anInt32: a list is wrong here"},
	{"Scalars", "{\"anInt32\": {}}", "anInt32: an object is wrong here"},
	{"Scalars", "{\"aUint32\": -1}", "aUint32: -1 is wrong here: give an integer from 0 to 4294967295"},
	{"Scalars", "{\"aUint32\": 4294967296}", "give an integer"},
	{"Scalars", "{\"aUint64\": \"18446744073709551616\"}", "from 0 to 18446744073709551615"},
	{"Scalars", "{\"aUint64\": 18446744073709551616.0}", "from 0 to 18446744073709551615"},
	{"Scalars", "{\"aUint64\": \"-1\"}", "from 0 to"},
	{"Scalars", "{\"anInt64\": \"9223372036854775808\"}", "from -9223372036854775808 to 9223372036854775807"},
	{"Scalars", "{\"anInt64\": \"-9223372036854775809\"}", "from -9223372036854775808 to"},
	{"Scalars", "{\"anInt64\": 9223372036854775808.0}", "from -9223372036854775808 to"},
	{"Scalars", "{\"anSint32\": 2147483648}", "give an integer"},
	{"Scalars", "{\"anSfixed32\": -2147483649}", "give an integer"},
	{"Scalars", "{\"aFixed32\": -1}", "give an integer"},
	{"Scalars", "{\"aBool\": 1}", "aBool: 1 is wrong here: give true or false"},
	{"Scalars", "{\"aBool\": \"true\"}", "give true or false"},
	{"Scalars", "{\"aString\": 5}", "aString: 5 is wrong here: give a text"},
	{"Scalars", "{\"aDouble\": \"\"}", "give a number"},
	{"Scalars", "{\"aDouble\": \"nan\"}", "give a number"},
	{"Scalars", "{\"aDouble\": \"inf\"}", "give a number"},
	{"Scalars", "{\"aDouble\": \"0x10\"}", "give a number"},
	{"Scalars", "{\"aDouble\": \" 1\"}", "give a number"},
	{"Scalars", "{\"aDouble\": \"1e999\"}", "give a number"},
	{"Scalars", "{\"aDouble\": false}", "give a number"},
	{"Scalars", "{\"aFloat\": 1e39}", "single precision"},
	{"Scalars", "{\"someBytes\": \"A\"}", "someBytes: \"A\" is wrong here: give a text in base64"},
	{"Scalars", "{\"someBytes\": \"AA=\"}", "base64"},
	{"Scalars", "{\"someBytes\": \"AA==AA==\"}", "base64"},
	{"Scalars", "{\"someBytes\": \"A B=\"}", "base64"},
	{"Scalars", "{\"someBytes\": \"+_8=\"}", "base64"},
	{"Scalars", "{\"someBytes\": 5}", "base64"},
	{"Scalars", "{\"aColor\": \"RED\"}",
		"aColor: \"RED\" is wrong here: give COLOR_UNSPECIFIED, COLOR_RED, COLOR_NEGATIVE"},
	{"Scalars", "{\"aColor\": \"color_red\"}", "give COLOR_UNSPECIFIED"},
	{"Scalars", "{\"aColor\": \"1\"}", "give COLOR_UNSPECIFIED"},
	{"Scalars", "{\"aColor\": \"\"}", "give COLOR_UNSPECIFIED"},
	{"Scalars", "{\"aColor\": 2147483648}", "give an integer"},
	{"Scalars", "{\"aColor\": []}", "give COLOR_UNSPECIFIED"},
	{"Lists", "{\"strings\": \"a\"}", "strings: give a list"},
	{"Lists", "{\"strings\": {}}", "strings: give a list"},
	{"Lists", "{\"strings\": [\"a\", null]}", "strings[1]: null is wrong here: give a text"},
	{"Lists", "{\"int32s\": [1, \"x\"]}", "int32s[1]: \"x\" is wrong here"},
	{"Lists", "{\"messages\": [{}, {\"anInt32\": \"x\"}]}", "messages[1].anInt32: \"x\" is wrong here"},
	{"Lists", "{\"messages\": [null]}", "messages[0]: give an object"},
	{"Maps", "{\"texts\": []}", "texts: give an object"},
	{"Maps", "{\"texts\": {\"a\": null}}", "texts[\"a\"]: null is wrong here: give a text"},
	{"Maps", "{\"messages\": {\"x\": {}}}", "messages[\"x\"]: \"x\" is wrong here: give an integer"},
	{"Maps", "{\"messages\": {\"\": {}}}", "messages[\"\"]: \"\" is wrong here"},
	{"Maps", "{\"messages\": {\"5\": {\"q\": 1}}}", "messages[\"5\"].q: there is no such field"},
	{"Maps", "{\"colors\": {\"True\": 1}}", "colors[\"True\"]: \"True\" is wrong here: give true or false"},
	{"Maps", "{\"manyBytes\": {\"-1\": \"\"}}", "manyBytes[\"-1\"]"},
	{"Choice", "{\"number\": 1, \"text\": \"x\"}", "text and number exclude each other: give one of them"},
	{"Choice", "{\"text\": \"x\", \"number\": 0}", "text and number exclude each other"},
	{"Choice", "{\"left\": \"\", \"right\": \"\"}", "left and right exclude each other"},
	{"Hard", "{\"updateMask\": \"max_ttl\"}", "updateMask: give the paths of fields in lowerCamelCase"},
	{"Hard", "{\"updateMask\": \"name,,owner\"}", "updateMask: give the paths"},
	{"Hard", "{\"updateMask\": \",name\"}", "updateMask: give the paths"},
	{"Hard", "{\"updateMask\": \"name,\"}", "updateMask: give the paths"},
	{"Hard", "{\"updateMask\": \"name, owner\"}", "updateMask: give the paths"},
	{"Hard", "{\"updateMask\": \"n\u00e4me\"}", "updateMask: give the paths"},
	{"Hard", "{\"updateMask\": \"n\\u0000\"}", "updateMask: give the paths"},
	{"Hard", "{\"updateMask\": [\"name\"]}", "updateMask: give the paths"},
	{"Hard", "{\"updateMask\": {\"paths\": [\"name\"]}}", "updateMask: give the paths"},
	{"Times", "{\"at\": \"yesterday\"}", "at: give an instant of RFC 3339 as a text, such as"},
	{"Times", "{\"at\": 5}", "at: give an instant"},
	{"Times", "{\"at\": \"2026-11-21T09:30:00Z\\u0000\"}", "at: give an instant"},
	{"Times", "{\"at\": {\"seconds\": 5}}", "at: give an instant"},
	{"Times", "{\"span\": \"5\"}", "span: give a span in seconds as a text, such as"},
	{"Times", "{\"ats\": [\"x\"]}", "ats[0]: give an instant"},
	{"Times", "{\"spans\": {\"a\": \"x\"}}", "spans[\"a\"]: give a span"},
	{"Hard", "{\"any\": {}}", "any: google.protobuf.Any is not supported: leave it out"},
	{"Secret", "{\"name\": 5}", "name: 5 is wrong here"},
	{"Secret", "{\"token\": 5}", "token: a number is wrong here"},
	{"Secret", "{\"token\": [\"sk-x\"]}", "token: a list is wrong here"},
};

static void test_encode_says_what_is_wrong_and_what_would_be_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(faults); i++) {
		uint8_t *bytes = NULL;
		size_t len = 0;
		char *fault = NULL;
		enum lk_err err = encode(faults[i].message, faults[i].text, &bytes, &len, &fault);
		if (err != LK_INVALID_ARGUMENT || fault == NULL || strstr(fault, faults[i].part) == NULL) {
			fail_msg("%s: %s", faults[i].text, fault == NULL ? "no fault" : fault);
		}
		assert_null(bytes);
		free(fault);
	}
}

static void test_encode_quotes_no_more_than_a_line(void **state)
{
	(void)state;
	char text[5000];
	int len = snprintf(text, sizeof(text), "{\"anInt32\": \"x");
	for (int i = 0; i < 1000; i++) {
		len += snprintf(text + len, sizeof(text) - (size_t)len, "\xc3\xa4");
	}
	(void)snprintf(text + len, sizeof(text) - (size_t)len, "\"}");
	uint8_t *bytes = NULL;
	size_t bytes_len = 0;
	char *fault = NULL;
	assert_int_equal(encode("Scalars", text, &bytes, &bytes_len, &fault), LK_INVALID_ARGUMENT);
	assert_true(strlen(fault) < 200);
	/* And no half of a letter. */
	assert_non_null(strstr(fault, "\xc3\xa4... is wrong here"));
	free(fault);
}

static json_t *tree(size_t depth)
{
	json_t *json = json_object();
	for (size_t i = 1; i < depth; i++) {
		json_t *outer = json_object();
		assert_int_equal(json_object_set_new(outer, "child", json), 0);
		json = outer;
	}
	return json;
}

static void test_encode_goes_only_so_deep(void **state)
{
	(void)state;
	uint8_t *bytes = NULL;
	size_t len = 0;
	char *fault = NULL;
	const struct lk_schema_message *message = fixture_message("Tree");
	json_t *json = tree(LK_JSON_DEPTH_MAX);
	assert_int_equal(lk_json_encode(fixture_schema(), message, json, &bytes, &len, &fault), LK_OK);
	free(bytes);
	json_decref(json);
	json = tree(LK_JSON_DEPTH_MAX + 1);
	assert_int_equal(lk_json_encode(fixture_schema(), message, json, &bytes, &len, &fault), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(fault, "within each other"));
	free(fault);
	json_decref(json);
}

static void test_encode_carries_large_values(void **state)
{
	(void)state;
	enum {
		large = 1000000
	};
	char *value = malloc(large + 1);
	assert_non_null(value);
	memset(value, 'x', large);
	value[large] = '\0';
	json_t *json = json_pack("{s:s, s:s}", "token", value, "name", value);
	free(value);
	uint8_t *bytes = NULL;
	size_t len = 0;
	char *fault = NULL;
	assert_int_equal(
		lk_json_encode(fixture_schema(), fixture_message("Secret"), json, &bytes, &len, &fault), LK_OK);
	assert_int_equal(len, 2 * (1 + 3 + large));
	json_t *back = NULL;
	assert_int_equal(
		lk_json_decode(fixture_schema(), fixture_message("Secret"), bytes, len, 0, &back, &fault), LK_OK);
	assert_true(json_equal(json, back));
	json_decref(back);
	json_decref(json);
	free(bytes);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_takes_every_form),
		cmocka_unit_test(test_encode_an_empty_message_has_no_bytes),
		cmocka_unit_test(test_encode_says_what_is_wrong_and_what_would_be_right),
		cmocka_unit_test(test_encode_quotes_no_more_than_a_line),
		cmocka_unit_test(test_encode_goes_only_so_deep),
		cmocka_unit_test(test_encode_carries_large_values),
	};
	fixture_init(argc, argv);
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/json/fixture.h"
#include "tools/latchkey/json.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(text)  (text), sizeof(text) - 1

/* Bytes that protoc would not write, and the JSON that they mean nevertheless. */
static const struct {
	const char *message;
	const char *bytes;
	size_t len;
	const char *json;
} good[] = {
	/* Unknown fields of every wire type. */
	{"Tree", BYTES("\x50\x01\x18\x05\x5a\x02hi\x65\x01\x02\x03\x04\x69\x01\x02\x03\x04\x05\x06\x07\x08"),
		"{\"leaf\": 5}"},
	/* Fields out of order come out in order. */
	{"Scalars", BYTES("\x4a\x01x\x28\x05"), "{\"anInt32\": 5, \"aString\": \"x\"}"},
	/* A default that is there is shown. */
	{"Scalars", BYTES("\x28\x00\x4a\x00"), "{\"anInt32\": 0, \"aString\": \"\"}"},
	/* Packed and loose, mixed, both ways round. */
	{"Lists", BYTES("\x10\x01\x12\x02\x02\x03\x10\x04"), "{\"int32s\": [1, 2, 3, 4]}"},
	{"Lists", BYTES("\x52\x02\x01\x02\x50\x03"), "{\"loose\": [1, 2, 3]}"},
	{"Lists", BYTES("\x12\x00"), "{\"int32s\": []}"},
	{"Lists", BYTES("\x32\x02\x01\x05"), "{\"colors\": [\"COLOR_RED\", 5]}"},
	/* A varint of 64 bits in a field of 32: the upper half is cut off. */
	{"Scalars", BYTES("\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "{\"anInt32\": -1}"},
	{"Scalars", BYTES("\x28\xff\xff\xff\xff\x0f"), "{\"anInt32\": -1}"},
	{"Scalars", BYTES("\x40\x05"), "{\"aBool\": true}"},
	/* Entries without a half, with both in the wrong order, with one twice, and with a field too many. */
	{"Maps", BYTES("\x0a\x00"), "{\"texts\": {\"\": \"\"}}"},
	{"Maps", BYTES("\x0a\x03\x12\x01v"), "{\"texts\": {\"\": \"v\"}}"},
	{"Maps", BYTES("\x0a\x06\x12\x01v\x0a\x01k"), "{\"texts\": {\"k\": \"v\"}}"},
	{"Maps", BYTES("\x0a\x06\x0a\x01j\x0a\x01k"), "{\"texts\": {\"k\": \"\"}}"},
	{"Maps", BYTES("\x0a\x08\x0a\x01k\x18\x01\x12\x01v"), "{\"texts\": {\"k\": \"v\"}}"},
	{"Maps", BYTES("\x12\x02\x08\x05"), "{\"messages\": {\"5\": {}}}"},
	{"Maps", BYTES("\x1a\x00"), "{\"colors\": {\"false\": \"COLOR_UNSPECIFIED\"}}"},
	/* A time with fields from the future. */
	{"Times", BYTES("\x0a\x06\x1a\x02xy\x08\x01"), "{\"at\": \"1970-01-01T00:00:01Z\"}"},
	{"Times", BYTES("\x0a\x00\x12\x00"), "{\"at\": \"1970-01-01T00:00:00Z\", \"span\": \"0s\"}"},
	/* A mask, with a field from the future between its paths. */
	{"Hard", BYTES("\x12\x00"), "{\"updateMask\": \"\"}"},
	{"Hard",
		BYTES("\x12\x13\x0a\x07"
		      "max_ttl\x10\x01\x0a\x06"
		      "a.b_c1"),
		"{\"updateMask\": \"maxTtl,a.bC1\"}"},
	{"Empty", BYTES("\x08\x01"), "{}"},
};

static void test_decode_takes_what_the_wire_allows(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		json_t *json = NULL;
		char *fault = NULL;
		json_t *expected = fixture_json(good[i].json);
		if (lk_json_decode(fixture_schema(), fixture_message(good[i].message), (const uint8_t *)good[i].bytes,
			    good[i].len, 0, &json, &fault) != LK_OK) {
			fail_msg("%s: %s", good[i].json, fault);
		}
		char *text = json_dumps(json, 0);
		char *expected_text = json_dumps(expected, 0);
		/* As texts, so that the order counts. */
		assert_string_equal(text, expected_text);
		free(text);
		free(expected_text);
		json_decref(json);
		json_decref(expected);
	}
}

static const struct {
	const char *message;
	const char *bytes;
	size_t len;
	const char *part;
} bad[] = {
	{"Tree", BYTES("\x18"), "cut off"},
	{"Tree", BYTES("\x18\x80"), "cut off"},
	{"Tree", BYTES("\x0a\x01"), "cut off"},
	{"Tree", BYTES("\x0a\x02\x18"), "cut off"},
	{"Tree", BYTES("\x00\x01"), "cut off or no protobuf"},
	{"Tree", BYTES("\x1b\x1c"), "cut off or no protobuf"},
	{"Tree", BYTES("\x1f"), "no protobuf"},
	{"Tree", BYTES("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "no protobuf"},
	{"Tree", BYTES("\x0a\xff\xff\xff\xff\x0f"), "cut off"},
	{"Tree", BYTES("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "cut off"},
	{"Tree", BYTES("\x0a\x03\x0a\x01\x18"), "child.child: the message is cut off"},
	{"Tree", BYTES("\x12\x00\x12\x01\x18"), "children[1]: the message is cut off"},
	{"Tree", BYTES("\x18\x01\x18\x02"), "leaf: it is there twice"},
	{"Tree", BYTES("\x0a\x00\x0a\x00"), "child: it is there twice"},
	{"Tree", BYTES("\x1a\x01\x01"), "leaf: it has another wire type"},
	{"Tree", BYTES("\x08\x01"), "child: it has another wire type"},
	{"Tree", BYTES("\x1d\x01\x02\x03\x04"), "leaf: it has another wire type"},
	{"Scalars", BYTES("\x4a\x01\xff"), "aString: the text is not UTF-8"},
	{"Scalars", BYTES("\x4a\x03\x00\xff\x00"), "aString: the text is not UTF-8"},
	{"Scalars", BYTES("\x09\x01\x02"), "cut off"},
	{"Scalars", BYTES("\x15\x01\x02"), "cut off"},
	{"Lists", BYTES("\x12\x02\x01\x80"), "int32s: the packed list is cut off"},
	{"Lists", BYTES("\x0a\x09\x01\x02\x03\x04\x05\x06\x07\x08\x09"), "doubles: the packed list is cut off"},
	{"Lists", BYTES("\x3a\x01\xff"), "strings[0]: the text is not UTF-8"},
	{"Maps", BYTES("\x0a\x01\x0a"), "texts: an entry of the map is cut off"},
	{"Maps", BYTES("\x0a\x02\x08\x01"), "texts: an entry of the map has another wire type"},
	{"Maps", BYTES("\x0a\x03\x0a\x01k\x0a\x03\x0a\x01k"), "texts: a key is there twice"},
	{"Maps", BYTES("\x0a\x03\x0a\x01\xff"), "texts: the text is not UTF-8"},
	{"Maps", BYTES("\x12\x05\x12\x03\x4a\x01\xff"), "messages.aString: the text is not UTF-8"},
	{"Maps", BYTES("\x08\x01"), "texts: it has another wire type"},
	{"Choice", BYTES("\x28\x01\x1a\x01x"), "text: number is there too"},
	{"Choice", BYTES("\x1a\x01x\x22\x00"), "message: text is there too"},
	{"Times", BYTES("\x0a\x01\x08"), "at: the message is cut off"},
	{"Times", BYTES("\x0a\x02\x0a\x00"), "at: the message is cut off or no time"},
	{"Times", BYTES("\x0a\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "at: the time is out of range"},
	{"Times", BYTES("\x0a\x07\x08\x80\x80\xc0\xdd\xb6\x75"), "at: the time is out of range"},
	{"Times", BYTES("\x12\x0d\x08\x01\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		"span: the time is out of range"},
	{"Hard", BYTES("\x12\x01\x0a"), "updateMask: the message is cut off"},
	{"Hard", BYTES("\x12\x02\x08\x01"), "updateMask: the message is cut off or no mask"},
	{"Hard", BYTES("\x12\x02\x0a\x00"), "updateMask: a path of the mask has no form in JSON"},
	{"Hard", BYTES("\x12\x04\x0a\x02xY"), "updateMask: a path of the mask has no form"},
	{"Hard", BYTES("\x12\x04\x0a\x02x_"), "updateMask: a path of the mask has no form"},
	{"Hard", BYTES("\x12\x05\x0a\x03x_1"), "updateMask: a path of the mask has no form"},
	{"Hard", BYTES("\x12\x06\x0a\x04x__y"), "updateMask: a path of the mask has no form"},
	{"Hard", BYTES("\x12\x05\x0a\x03x,y"), "updateMask: a path of the mask has no form"},
	{"Hard", BYTES("\x12\x03\x0a\x01\xff"), "updateMask: a path of the mask has no form"},
	{"Hard", BYTES("\x0a\x00"), "any: google.protobuf.Any is not supported"},
};

static void test_decode_says_what_is_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		json_t *json = NULL;
		char *fault = NULL;
		enum lk_err err = lk_json_decode(fixture_schema(), fixture_message(bad[i].message),
			(const uint8_t *)bad[i].bytes, bad[i].len, 0, &json, &fault);
		if (err != LK_PROTOCOL || fault == NULL || strstr(fault, bad[i].part) == NULL) {
			fail_msg("%zu, %s: %s", i, bad[i].part, fault == NULL ? "no fault" : fault);
		}
		assert_null(json);
		free(fault);
	}
}

static void assert_with_defaults(const char *message, const char *bytes, size_t len, const char *expected)
{
	json_t *json = NULL;
	char *fault = NULL;
	assert_int_equal(lk_json_decode(fixture_schema(), fixture_message(message), (const uint8_t *)bytes, len,
				 LK_JSON_EMIT_DEFAULTS, &json, &fault),
		LK_OK);
	char *text = json_dumps(json, JSON_COMPACT);
	assert_string_equal(text, expected);
	free(text);
	json_decref(json);
}

static void test_decode_shows_defaults_where_asked(void **state)
{
	(void)state;
	assert_with_defaults("Scalars", NULL, 0,
		"{\"aDouble\":0.0,\"aFloat\":0.0,\"anInt64\":\"0\",\"aUint64\":\"0\",\"anInt32\":0,\"aFixed64\":\"0\","
		"\"aFixed32\":0,\"aBool\":false,\"aString\":\"\",\"someBytes\":\"\",\"aUint32\":0,"
		"\"aColor\":\"COLOR_UNSPECIFIED\",\"anSfixed32\":0,\"anSfixed64\":\"0\",\"anSint32\":0,\"anSint64\":"
		"\"0\","
		"\"ODD\":\"\"}");
	assert_with_defaults("Tree", BYTES("\x0a\x02\x18\x05"),
		"{\"child\":{\"children\":[],\"leaf\":5},\"children\":[],\"leaf\":0}");
	assert_with_defaults("Maps", BYTES("\x0a\x00"),
		"{\"texts\":{\"\":\"\"},\"messages\":{},\"colors\":{},\"manyBytes\":{},\"doubles\":{},\"bools\":{}}");
	assert_with_defaults("Choice", NULL, 0, "{\"before\":\"\"}");
	assert_with_defaults("Optional", NULL, 0, "{}");
	assert_with_defaults("Times", NULL, 0, "{\"ats\":[],\"spans\":{}}");
	assert_with_defaults("Empty", NULL, 0, "{}");
}

/* jansson reads no such key, but it holds one. */
static void test_decode_keeps_a_key_with_a_nul(void **state)
{
	(void)state;
	static const uint8_t bytes[] = {0x0a, 0x08, 0x0a, 0x03, 'x', 0, 'y', 0x12, 0x01, 'v'};
	json_t *json = NULL;
	char *fault = NULL;
	assert_int_equal(
		lk_json_decode(fixture_schema(), fixture_message("Maps"), bytes, sizeof(bytes), 0, &json, &fault),
		LK_OK);
	assert_string_equal(json_string_value(json_object_getn(json_object_get(json, "texts"), "x\0y", 3)), "v");
	uint8_t *again = NULL;
	size_t len = 0;
	assert_int_equal(lk_json_encode(fixture_schema(), fixture_message("Maps"), json, &again, &len, &fault), LK_OK);
	assert_int_equal(len, sizeof(bytes));
	assert_memory_equal(again, bytes, len);
	free(again);
	json_decref(json);
}

/* `depth` trees within each other, from the innermost outwards. */
static size_t nest(uint8_t *bytes, size_t size, size_t depth)
{
	size_t at = size;
	for (size_t i = 1; i < depth; i++) {
		size_t len = size - at;
		assert_true(len < 16384);
		if (len < 128) {
			bytes[--at] = (uint8_t)len;
		} else {
			bytes[--at] = (uint8_t)(len >> 7);
			bytes[--at] = (uint8_t)(len | 0x80);
		}
		bytes[--at] = 0x0a;
	}
	return at;
}

static void test_decode_goes_only_so_deep(void **state)
{
	(void)state;
	static uint8_t bytes[8192];
	json_t *json = NULL;
	char *fault = NULL;
	size_t at = nest(bytes, sizeof(bytes), LK_JSON_DEPTH_MAX);
	assert_int_equal(lk_json_decode(fixture_schema(), fixture_message("Tree"), bytes + at, sizeof(bytes) - at, 0,
				 &json, &fault),
		LK_OK);
	json_decref(json);
	json = NULL;
	at = nest(bytes, sizeof(bytes), LK_JSON_DEPTH_MAX + 1);
	assert_int_equal(lk_json_decode(fixture_schema(), fixture_message("Tree"), bytes + at, sizeof(bytes) - at, 0,
				 &json, &fault),
		LK_PROTOCOL);
	assert_non_null(strstr(fault, "within each other"));
	free(fault);
	at = nest(bytes, sizeof(bytes), 2000);
	assert_int_equal(lk_json_decode(fixture_schema(), fixture_message("Tree"), bytes + at, sizeof(bytes) - at, 0,
				 &json, &fault),
		LK_PROTOCOL);
	free(fault);
	assert_null(json);
}

/* The schema describes itself: reflection's answer, which is nothing but descriptors, goes through JSON and back. */
static void test_decode_survives_descriptors_through_json(void **state)
{
	(void)state;
	size_t len = 0;
	uint8_t *set = fixture_built("schema.pb", &len);
	const struct lk_schema_message *message = fixture_message("google.protobuf.FileDescriptorSet");
	json_t *json = NULL;
	uint8_t *bytes = NULL;
	size_t bytes_len = 0;
	char *fault = NULL;
	assert_int_equal(lk_json_decode(fixture_schema(), message, set, len, 0, &json, &fault), LK_OK);
	assert_int_equal(lk_json_encode(fixture_schema(), message, json, &bytes, &bytes_len, &fault), LK_OK);
	/* Our own options are unknown to descriptor.proto and lost; all else is there. */
	assert_true(bytes_len > len / 2 && bytes_len <= len);
	json_t *again = NULL;
	assert_int_equal(lk_json_decode(fixture_schema(), message, bytes, bytes_len, 0, &again, &fault), LK_OK);
	assert_true(json_equal(json, again));
	json_decref(again);
	json_decref(json);
	free(bytes);
	free(set);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode_takes_what_the_wire_allows),
		cmocka_unit_test(test_decode_says_what_is_wrong),
		cmocka_unit_test(test_decode_shows_defaults_where_asked),
		cmocka_unit_test(test_decode_keeps_a_key_with_a_nul),
		cmocka_unit_test(test_decode_goes_only_so_deep),
		cmocka_unit_test(test_decode_survives_descriptors_through_json),
	};
	fixture_init(argc, argv);
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

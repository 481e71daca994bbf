/* The golden cases: what protoc makes of a case's text is what we make of its JSON, and the JSON is what we make of the bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/json/fixture.h"
#include "tools/latchkey/json.h"

static const struct {
	const char *name;
	const char *message;
} cases[] = {
	{"scalars", "Scalars"},
	{"scalars_max", "Scalars"},
	{"empty", "Scalars"},
	{"lists", "Lists"},
	{"maps", "Maps"},
	{"choice_default", "Choice"},
	{"choice_message", "Choice"},
	{"times", "Times"},
	{"tree", "Tree"},
	{"optional", "Optional"},
	{"create_key", "latchkey.v1.CreateKeyRequest"},
	{"list_keys", "latchkey.v1.ListKeysResponse"},
	{"update_key", "latchkey.v1.UpdateKeyRequest"},
	{"verdict", "latchkey.v1.VerifyKeyResponse"},
};

static const size_t n_cases = sizeof(cases) / sizeof(cases[0]);

struct loaded {
	const struct lk_schema_message *message;
	uint8_t *bytes;
	size_t len;
	json_t *json;
};

static void load(size_t at, struct loaded *ret)
{
	char name[64];
	size_t len = 0;
	(void)snprintf(name, sizeof(name), "%s.json", cases[at].name);
	char *text = (char *)fixture_case(name, &len);
	ret->json = fixture_json(text);
	free(text);
	(void)snprintf(name, sizeof(name), "%s.bin", cases[at].name);
	ret->bytes = fixture_built(name, &ret->len);
	ret->message = fixture_message(cases[at].message);
}

static void unload(struct loaded *loaded)
{
	json_decref(loaded->json);
	free(loaded->bytes);
}

static void test_cases_encode_as_protoc_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_cases; i++) {
		struct loaded loaded;
		uint8_t *bytes = NULL;
		size_t len = 4711;
		char *fault = NULL;
		load(i, &loaded);
		enum lk_err err = lk_json_encode(fixture_schema(), loaded.message, loaded.json, &bytes, &len, &fault);
		if (err != LK_OK) {
			fail_msg("%s: %s", cases[i].name, fault);
		}
		if (len != loaded.len || (len > 0 && memcmp(bytes, loaded.bytes, len) != 0)) {
			fail_msg("%s: other bytes than protoc's", cases[i].name);
		}
		free(bytes);
		unload(&loaded);
	}
}

static void test_cases_decode_to_the_canonical_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_cases; i++) {
		struct loaded loaded;
		json_t *json = NULL;
		char *fault = NULL;
		load(i, &loaded);
		enum lk_err err = lk_json_decode(
			fixture_schema(), loaded.message, loaded.bytes, loaded.len, 0, &json, &fault);
		if (err != LK_OK) {
			fail_msg("%s: %s", cases[i].name, fault);
		}
		if (!json_equal(json, loaded.json)) {
			char *text = json_dumps(json, 0);
			fail_msg("%s: %s", cases[i].name, text);
		}
		json_decref(json);
		unload(&loaded);
	}
}

/* With its defaults shown, a message is still the same message. */
static void test_cases_survive_their_defaults(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_cases; i++) {
		struct loaded loaded;
		json_t *json = NULL;
		uint8_t *bytes = NULL;
		size_t len = 0;
		char *fault = NULL;
		load(i, &loaded);
		assert_int_equal(lk_json_decode(fixture_schema(), loaded.message, loaded.bytes, loaded.len,
					 LK_JSON_EMIT_DEFAULTS, &json, &fault),
			LK_OK);
		assert_int_equal(lk_json_encode(fixture_schema(), loaded.message, json, &bytes, &len, &fault), LK_OK);
		assert_int_equal(len, loaded.len);
		assert_true(len == 0 || memcmp(bytes, loaded.bytes, len) == 0);
		free(bytes);
		json_decref(json);
		unload(&loaded);
	}
}

static void decode_anything(const struct lk_schema_message *message, const uint8_t *data, size_t len)
{
	/* A copy of just this length, so that a sanitizer sees a read past its end. */
	uint8_t *copy = malloc(len + 1);
	assert_non_null(copy);
	copy = realloc(copy, len == 0 ? 1 : len);
	assert_non_null(copy);
	memcpy(copy, data, len);
	json_t *json = NULL;
	char *fault = NULL;
	enum lk_err err = lk_json_decode(fixture_schema(), message, copy, len, LK_JSON_EMIT_DEFAULTS, &json, &fault);
	if (err == LK_OK) {
		assert_non_null(json);
		assert_null(fault);
	} else {
		assert_int_equal(err, LK_PROTOCOL);
		assert_null(json);
		assert_non_null(fault);
	}
	json_decref(json);
	free(fault);
	free(copy);
}

static void test_cases_cut_off_or_changed_never_do_harm(void **state)
{
	(void)state;
	static const uint8_t flips[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
	for (size_t i = 0; i < n_cases; i++) {
		struct loaded loaded;
		load(i, &loaded);
		for (size_t at = 0; at < loaded.len; at++) {
			decode_anything(loaded.message, loaded.bytes, at);
			for (size_t j = 0; j < sizeof(flips); j++) {
				loaded.bytes[at] ^= flips[j];
				decode_anything(loaded.message, loaded.bytes, loaded.len);
				loaded.bytes[at] ^= flips[j];
			}
		}
		unload(&loaded);
	}
}

/* What jansson may still allocate, the last time in vain. */
static size_t allocations_left;

static void *counted_malloc(size_t size)
{
	return allocations_left == 0 || --allocations_left == 0 ? NULL : malloc(size);
}

static void test_cases_without_memory_say_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_cases; i++) {
		struct loaded loaded;
		json_t *json = NULL;
		char *fault = NULL;
		enum lk_err err = LK_NO_MEMORY;
		load(i, &loaded);
		for (size_t n = 1; err != LK_OK; n++) {
			allocations_left = n;
			json_set_alloc_funcs(counted_malloc, free);
			err = lk_json_decode(fixture_schema(), loaded.message, loaded.bytes, loaded.len,
				LK_JSON_EMIT_DEFAULTS, &json, &fault);
			json_set_alloc_funcs(malloc, free);
			assert_true(err == LK_OK || err == LK_NO_MEMORY);
			assert_null(fault);
			assert_true(n < 10000);
		}
		json_decref(json);
		unload(&loaded);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases_encode_as_protoc_does),
		cmocka_unit_test(test_cases_decode_to_the_canonical_json),
		cmocka_unit_test(test_cases_survive_their_defaults),
		cmocka_unit_test(test_cases_without_memory_say_so),
		cmocka_unit_test(test_cases_cut_off_or_changed_never_do_harm),
	};
	fixture_init(argc, argv);
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

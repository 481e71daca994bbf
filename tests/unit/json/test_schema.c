#include "tools/latchkey/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/json/fixture.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

static void test_schema_finds_methods_with_their_rules(void **state)
{
	(void)state;
	const struct lk_schema_method *method = lk_schema_method(fixture_schema(), "latchkey.v1.KeyService/Verify");
	assert_non_null(method);
	assert_string_equal(method->name, "latchkey.v1.KeyService/Verify");
	assert_string_equal(method->input->name, "latchkey.v1.VerifyKeyRequest");
	assert_string_equal(method->output->name, "latchkey.v1.VerifyKeyResponse");
	assert_string_equal(method->access, "keys.verify");
	assert_int_equal(method->effect, LK_SCHEMA_EFFECT_READ);
	method = lk_schema_method(fixture_schema(), "latchkey.test.TestService/Write");
	assert_string_equal(method->access, "tests.write");
	assert_int_equal(method->effect, LK_SCHEMA_EFFECT_WRITE);
	method = lk_schema_method(fixture_schema(), "latchkey.test.TestService/Bare");
	assert_string_equal(method->access, "");
	assert_int_equal(method->effect, LK_SCHEMA_EFFECT_UNKNOWN);
	assert_string_equal(method->output->name, "latchkey.test.Tree");
}

static void test_schema_knows_only_full_names(void **state)
{
	(void)state;
	static const char *const names[] = {"", "/", "Verify", "KeyService/Verify", "latchkey.v1.KeyService.Verify",
		"latchkey.v1.KeyService/", "latchkey.v1.KeyService/verify", "/latchkey.v1.KeyService/Verify",
		"latchkey.v1.KeyService/VerifyX", "latchkey.v1.Key"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_null(lk_schema_method(fixture_schema(), names[i]));
	}
	assert_null(lk_schema_message(fixture_schema(), ".latchkey.v1.Key"));
	assert_null(lk_schema_message(fixture_schema(), "latchkey.v1.KeyScope"));
	assert_null(lk_schema_message(fixture_schema(), ""));
	assert_non_null(lk_schema_message(fixture_schema(), "latchkey.v1.Key"));
	assert_non_null(lk_schema_message(fixture_schema(), "latchkey.v1.Key.MetadataEntry"));
}

static void test_schema_lists_methods_by_name(void **state)
{
	(void)state;
	size_t count = 0;
	const struct lk_schema_method *methods = lk_schema_methods(fixture_schema(), &count);
	assert_true(count >= 10);
	for (size_t i = 1; i < count; i++) {
		assert_true(strcmp(methods[i - 1].name, methods[i].name) < 0);
	}
}

static void test_schema_tells_the_kinds_of_field(void **state)
{
	(void)state;
	const struct lk_schema_message *message = fixture_message("Maps");
	const struct lk_schema_field *field = lk_schema_field(message, "many_bytes", 10);
	assert_true(field->map && field->repeated && field->message->is_map_entry);
	assert_false(field->has_presence || field->packed);
	message = fixture_message("Lists");
	assert_true(lk_schema_field(message, "int32s", 6)->packed);
	assert_false(lk_schema_field(message, "loose", 5)->packed);
	assert_false(lk_schema_field(message, "strings", 7)->packed);
	assert_false(lk_schema_field(message, "messages", 8)->map);
	message = fixture_message("Choice");
	assert_int_equal(lk_schema_field(message, "before", 6)->oneof, -1);
	assert_int_equal(lk_schema_field(message, "number", 6)->oneof, 0);
	assert_int_equal(lk_schema_field(message, "right", 5)->oneof, 1);
	assert_true(lk_schema_field(message, "number", 6)->has_presence);
	assert_false(lk_schema_field(message, "before", 6)->has_presence);
	assert_int_equal(message->n_oneofs, 2);
	assert_string_equal(message->oneofs[1], "other");
	message = fixture_message("Optional");
	assert_true(lk_schema_field(message, "number", 6)->has_presence);
	assert_int_equal(lk_schema_field(message, "number", 6)->oneof, -1);
	assert_int_equal(fixture_message("google.protobuf.Timestamp")->form, LK_SCHEMA_TIMESTAMP);
	assert_int_equal(fixture_message("google.protobuf.Duration")->form, LK_SCHEMA_DURATION);
	assert_int_equal(fixture_message("google.protobuf.FieldMask")->form, LK_SCHEMA_MASK);
	assert_int_equal(fixture_message("google.protobuf.Any")->form, LK_SCHEMA_UNSUPPORTED);
	assert_int_equal(fixture_message("Tree")->form, LK_SCHEMA_OBJECT);
}

static void test_schema_knows_secrets(void **state)
{
	(void)state;
	const struct lk_schema_message *message = fixture_message("Secret");
	assert_true(lk_schema_field(message, "token", 5)->secret);
	assert_false(lk_schema_field(message, "name", 4)->secret);
	assert_true(lk_schema_field(fixture_message("latchkey.v1.CreateKeyResponse"), "token", 5)->secret);
}

static void test_schema_finds_fields_by_either_name_and_by_number(void **state)
{
	(void)state;
	const struct lk_schema_message *message = fixture_message("Scalars");
	const struct lk_schema_field *field = lk_schema_field(message, "an_int32", 8);
	assert_ptr_equal(lk_schema_field(message, "anInt32", 7), field);
	assert_ptr_equal(lk_schema_field_by_number(message, 5), field);
	assert_ptr_equal(lk_schema_field(message, "ODD", 3), lk_schema_field_by_number(message, 2047));
	assert_null(lk_schema_field(message, "oddName", 7));
	assert_null(lk_schema_field(message, "an_int3", 7));
	assert_null(lk_schema_field(message, "", 0));
	assert_null(lk_schema_field(message, "anInt32\0", 8));
	assert_null(lk_schema_field_by_number(message, 0));
	assert_null(lk_schema_field_by_number(message, 100));
	for (size_t i = 1; i < message->n_fields; i++) {
		assert_true(message->fields[i - 1].number < message->fields[i].number);
	}
}

static void test_schema_finds_values_of_enums(void **state)
{
	(void)state;
	const struct lk_schema_enum *color = lk_schema_field_by_number(fixture_message("Scalars"), 12)->enumeration;
	assert_string_equal(color->name, "latchkey.test.Color");
	assert_int_equal(lk_schema_value(color, "COLOR_NEGATIVE", 14)->number, -1);
	assert_null(lk_schema_value(color, "COLOR_NEGATIV", 13));
	assert_null(lk_schema_value(color, "", 0));
	assert_string_equal(lk_schema_value_name(color, -1), "COLOR_NEGATIVE");
	assert_string_equal(lk_schema_value_name(color, 0), "COLOR_UNSPECIFIED");
	assert_null(lk_schema_value_name(color, 2));
}

static void assert_refused(const uint8_t *set, size_t len)
{
	struct lk_schema *schema = NULL;
	assert_int_equal(lk_schema_open(set, len, &schema), LK_PROTOCOL);
	assert_null(schema);
}

static void test_schema_of_nothing_has_nothing(void **state)
{
	(void)state;
	struct lk_schema *schema = NULL;
	size_t count = 4711;
	assert_int_equal(lk_schema_open((const uint8_t *)"", 0, &schema), LK_OK);
	assert_null(lk_schema_message(schema, "a"));
	assert_null(lk_schema_method(schema, "a"));
	(void)lk_schema_methods(schema, &count);
	assert_int_equal(count, 0);
	lk_schema_free(schema);
	lk_schema_free(NULL);
}

/*
 * Sets by hand: 1: file, in it 4: message, in it 1: name and 2: field, in it 1: name, 3: number, 4: label, 5: type, 6: the name
 * of its type.
 */
static void test_schema_refuses_what_does_not_add_up(void **state)
{
	(void)state;
	/* No protobuf at all. */
	assert_refused(BYTES("\xff"));
	assert_refused(BYTES("hello"));
	/* A message without a name, and two of one name. */
	assert_refused(BYTES("\x0a\x02\x22\x00"));
	assert_refused(BYTES("\x0a\x0a\x22\x03\x0a\x01M\x22\x03\x0a\x01M"));
	/* A field without a name, one with number 0, one of type 19, one that is a group, two of one number. */
	assert_refused(BYTES("\x0a\x0d\x22\x0b\x0a\x01M\x12\x06\x18\x01\x20\x01\x28\x05"));
	assert_refused(BYTES("\x0a\x10\x22\x0e\x0a\x01M\x12\x09\x0a\x01"
			     "f\x18\x00\x20\x01\x28\x05"));
	assert_refused(BYTES("\x0a\x10\x22\x0e\x0a\x01M\x12\x09\x0a\x01"
			     "f\x18\x01\x20\x01\x28\x13"));
	assert_refused(BYTES("\x0a\x10\x22\x0e\x0a\x01M\x12\x09\x0a\x01"
			     "f\x18\x01\x20\x01\x28\x0a"));
	assert_refused(BYTES("\x0a\x1b\x22\x19\x0a\x01M\x12\x09\x0a\x01"
			     "f\x18\x01\x20\x01\x28\x05\x12\x09\x0a\x01g\x18\x01\x20\x01\x28\x05"));
	/* A message field without its type's name, and one whose type is not there. */
	assert_refused(BYTES("\x0a\x10\x22\x0e\x0a\x01M\x12\x09\x0a\x01"
			     "f\x18\x01\x20\x01\x28\x0b"));
	assert_refused(BYTES("\x0a\x14\x22\x12\x0a\x01M\x12\x0d\x0a\x01"
			     "f\x18\x01\x20\x01\x28\x0b\x32\x02.X"));
	/* A oneof that is not there. */
	assert_refused(BYTES("\x0a\x12\x22\x10\x0a\x01M\x12\x0b\x0a\x01"
			     "f\x18\x01\x20\x01\x28\x05\x48\x00"));
	/* An enum without values; a map entry without fields. */
	assert_refused(BYTES("\x0a\x05\x2a\x03\x0a\x01"
			     "E"));
	assert_refused(BYTES("\x0a\x09\x22\x07\x0a\x01M\x3a\x02\x38\x01"));
	/* A method whose request is not there. */
	assert_refused(BYTES("\x0a\x12\x32\x10\x0a\x01S\x12\x0b\x0a\x01m\x12\x02.X\x1a\x02.X"));
}

static void test_schema_by_hand_that_adds_up_is_taken(void **state)
{
	(void)state;
	struct lk_schema *schema = NULL;
	assert_int_equal(lk_schema_open(BYTES("\x0a\x14\x22\x12\x0a\x01M\x12\x0d\x0a\x01"
					      "f\x18\x01\x20\x01\x28\x0b\x32\x02.M"),
				 &schema),
		LK_OK);
	const struct lk_schema_message *message = lk_schema_message(schema, "M");
	assert_ptr_equal(message->fields[0].message, message);
	assert_string_equal(message->fields[0].json_name, "f");
	lk_schema_free(schema);
}

static void test_schema_refuses_messages_nested_without_end(void **state)
{
	(void)state;
	enum {
		size = 400000
	};
	uint8_t *bytes = malloc(size);
	assert_non_null(bytes);
	size_t at = size;
	/* nested_type within nested_type, 80,000 deep, then message_type, then file. */
	for (size_t i = 0; i < 80002; i++) {
		size_t len = size - at;
		bytes[--at] = (uint8_t)(len >> 14 & 0x7f);
		bytes[--at] = (uint8_t)(len >> 7 | 0x80);
		bytes[--at] = (uint8_t)(len | 0x80);
		bytes[--at] = i == 80001 ? 0x0a : i == 80000 ? 0x22 : 0x1a;
	}
	assert_refused(bytes + at, size - at);
	free(bytes);
}

static void test_schema_cut_off_or_changed_never_does_harm(void **state)
{
	(void)state;
	size_t len = 0;
	uint8_t *set = fixture_built("schema.pb", &len);
	for (size_t at = 0; at < len; at += 13) {
		struct lk_schema *schema = NULL;
		uint8_t *copy = malloc(at == 0 ? 1 : at);
		assert_non_null(copy);
		memcpy(copy, set, at);
		enum lk_err err = lk_schema_open(copy, at, &schema);
		assert_true(err == LK_OK || err == LK_PROTOCOL);
		lk_schema_free(schema);
		free(copy);
		schema = NULL;
		set[at] ^= (uint8_t)(1U << at % 8);
		err = lk_schema_open(set, len, &schema);
		assert_true(err == LK_OK || err == LK_PROTOCOL);
		lk_schema_free(schema);
		set[at] ^= (uint8_t)(1U << at % 8);
	}
	free(set);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema_finds_methods_with_their_rules),
		cmocka_unit_test(test_schema_knows_only_full_names),
		cmocka_unit_test(test_schema_lists_methods_by_name),
		cmocka_unit_test(test_schema_tells_the_kinds_of_field),
		cmocka_unit_test(test_schema_knows_secrets),
		cmocka_unit_test(test_schema_finds_fields_by_either_name_and_by_number),
		cmocka_unit_test(test_schema_finds_values_of_enums),
		cmocka_unit_test(test_schema_of_nothing_has_nothing),
		cmocka_unit_test(test_schema_refuses_what_does_not_add_up),
		cmocka_unit_test(test_schema_by_hand_that_adds_up_is_taken),
		cmocka_unit_test(test_schema_refuses_messages_nested_without_end),
		cmocka_unit_test(test_schema_cut_off_or_changed_never_does_harm),
	};
	fixture_init(argc, argv);
	return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

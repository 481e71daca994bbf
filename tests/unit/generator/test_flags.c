#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tools/protoc-gen-latchkey/flags.h"

#define TYPE(name) GOOGLE__PROTOBUF__FIELD_DESCRIPTOR_PROTO__TYPE__TYPE_##name

static struct lk_pool pool;

static int empty_pool(void **state)
{
	(void)state;
	lk_pool_done(&pool);
	return 0;
}

static const struct lk_proto_message mask = {.element = {.full_name = "google.protobuf.FieldMask"}};
static const struct lk_proto_message timestamp = {.element = {.full_name = "google.protobuf.Timestamp"}};

/* The flags of a request of these fields. */
static struct lk_flag_plans flags_of(struct lk_proto_field *fields, size_t n_fields)
{
	const struct lk_proto_message request = {
		.element = {.name = "Request", .full_name = "test.Request"},
		.fields = fields,
		.n_fields = n_fields,
	};

	return lk_flags_of(&pool, &request);
}

static const struct lk_flag_plan *find(const struct lk_flag_plans *plans, const char *path)
{
	for (size_t i = 0; i < plans->n_flags; i++) {
		if (strcmp(plans->flags[i].path, path) == 0) {
			return &plans->flags[i];
		}
	}
	return NULL;
}

static void test_flags_are_for_what_a_caller_may_give(void **state)
{
	struct lk_proto_field fields[] = {
		{.element = {.name = "name"}, .type = TYPE(STRING)},
		{.element = {.name = "token"}, .type = TYPE(STRING), .rule = {.secret = true}},
		{.element = {.name = "state"}, .type = TYPE(STRING), .rule = {.output_only = true}},
		{.element = {.name = "lines"}, .type = TYPE(STRING), .rule = {.no_flag = true}},
	};
	const struct lk_flag_plans plans = flags_of(fields, 4);

	(void)state;
	assert_int_equal(plans.n_flags, 1);
	assert_string_equal(plans.flags[0].name, "name");
}

static void test_flags_of_a_message_that_is_no_flag_are_none(void **state)
{
	struct lk_proto_field inner[] = {{.element = {.name = "name"}, .type = TYPE(STRING)}};
	const struct lk_proto_message key = {.element = {.full_name = "test.Key"}, .fields = inner, .n_fields = 1};
	struct lk_proto_field fields[] = {
		{.element = {.name = "key"}, .type = TYPE(MESSAGE), .message = &key, .rule = {.no_flag = true}},
		{.element = {.name = "other"}, .type = TYPE(MESSAGE), .message = &key},
	};
	const struct lk_flag_plans plans = flags_of(fields, 2);

	(void)state;
	assert_int_equal(plans.n_flags, 1);
	assert_string_equal(plans.flags[0].path, "other.name");
}

static void test_flags_may_be_given_several_times(void **state)
{
	struct lk_proto_field fields[] = {
		{.element = {.name = "name"}, .type = TYPE(STRING)},
		{.element = {.name = "names"}, .type = TYPE(STRING), .is_repeated = true},
		{.element = {.name = "mask"}, .type = TYPE(MESSAGE), .message = &mask},
		{.element = {.name = "time"}, .type = TYPE(MESSAGE), .message = &timestamp},
		{.element = {.name = "times"}, .type = TYPE(MESSAGE), .message = &timestamp, .is_repeated = true},
	};
	const struct lk_flag_plans plans = flags_of(fields, 5);

	(void)state;
	assert_false(find(&plans, "name")->form.repeated);
	assert_true(find(&plans, "names")->form.repeated);
	assert_true(find(&plans, "mask")->form.repeated);
	assert_string_equal(find(&plans, "mask")->form.kind, "LK_FLAG_MASK");
	assert_string_equal(find(&plans, "mask")->form.metavar, "FIELD");
	assert_false(find(&plans, "time")->form.repeated);
	assert_true(find(&plans, "times")->form.repeated);
}

static void test_flags_have_no_form_for_lists_of_what_is_several_values(void **state)
{
	struct lk_proto_field fields[] = {
		{.element = {.name = "masks"}, .type = TYPE(MESSAGE), .message = &mask, .is_repeated = true},
		{.element = {.name = "angle"}, .type = TYPE(DOUBLE)},
	};
	const struct lk_flag_plans plans = flags_of(fields, 2);

	(void)state;
	assert_null(find(&plans, "masks")->form.kind);
	assert_null(find(&plans, "angle")->form.kind);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_flags_are_for_what_a_caller_may_give, empty_pool),
		cmocka_unit_test_teardown(test_flags_of_a_message_that_is_no_flag_are_none, empty_pool),
		cmocka_unit_test_teardown(test_flags_may_be_given_several_times, empty_pool),
		cmocka_unit_test_teardown(test_flags_have_no_form_for_lists_of_what_is_several_values, empty_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

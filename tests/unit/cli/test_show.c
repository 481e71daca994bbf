#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/latchkey/show.h"
#include "tools/latchkey/text.h"

static void assert_text(struct lk_show_field field, const char *json, const char *expected, enum lk_tint tint)
{
	json_t *object = json_loads(json, 0, NULL);
	enum lk_tint got = LK_TINT_DIM;
	char *text;

	assert_non_null(object);
	text = lk_show_text(&field, object, &got);
	assert_non_null(text);
	assert_string_equal(text, expected);
	assert_int_equal(got, tint);
	free(text);
	json_decref(object);
}

static void test_show_text_of_each_kind(void **state)
{
	const struct lk_show_field plain = {.path = "a"}, inner = {.path = "a.b"};
	const struct lk_show_field time = {.path = "a", .kind = LK_SHOW_TIME, .absent = "Never"};
	const struct lk_show_field span = {.path = "a", .kind = LK_SHOW_SPAN, .absent = "any"};
	const struct lk_show_field status = {.path = "a", .kind = LK_SHOW_STATUS};
	const struct lk_show_field count = {.path = "a", .kind = LK_SHOW_COUNT};
	const struct lk_show_field state_of = {.path = "a", .prefix = "KEY_STATE_"};
	const struct lk_show_field choice = {.path = "a", .kind = LK_SHOW_CHOICE, .prefix = "JWT_ALGORITHM_"};

	(void)state;
	assert_text(choice, "{\"a\": \"JWT_ALGORITHM_HS256\"}", "HS256", LK_TINT_NONE);
	assert_text(choice, "{\"a\": \"JWT_ALGORITHM_UNSPECIFIED\"}", "", LK_TINT_NONE);
	assert_text(choice, "{\"a\": \"JWT\"}", "JWT", LK_TINT_NONE);
	assert_text(plain, "{\"a\": \"x\"}", "x", LK_TINT_NONE);
	assert_text(plain, "{\"a\": 7}", "7", LK_TINT_NONE);
	assert_text(plain, "{\"a\": true}", "yes", LK_TINT_NONE);
	assert_text(plain, "{\"a\": false}", "no", LK_TINT_NONE);
	assert_text(plain, "{\"a\": [\"x\", \"y\"]}", "x, y", LK_TINT_NONE);
	assert_text(plain, "{\"a\": {\"k\": \"v\", \"l\": \"w\"}}", "k=v, l=w", LK_TINT_NONE);
	assert_text(plain, "{}", "", LK_TINT_NONE);
	assert_text(plain, "{\"a\": null}", "", LK_TINT_NONE);
	assert_text(inner, "{\"a\": {\"b\": \"x\"}}", "x", LK_TINT_NONE);
	assert_text(inner, "{\"a\": \"b\"}", "", LK_TINT_NONE);
	assert_text(time, "{\"a\": \"2026-02-01T12:00:00.5Z\"}", "2026-02-01 12:00:00", LK_TINT_NONE);
	assert_text(time, "{}", "Never", LK_TINT_DIM);
	assert_text(span, "{\"a\": \"93784s\"}", "1d2h3m4s", LK_TINT_NONE);
	assert_text(span, "{\"a\": \"2592000s\"}", "30d", LK_TINT_NONE);
	assert_text(span, "{\"a\": \"0.500s\"}", "0.500s", LK_TINT_NONE);
	assert_text(span, "{\"a\": \"-5s\"}", "-5s", LK_TINT_NONE);
	assert_text(state_of, "{\"a\": \"KEY_STATE_ACTIVE\"}", "ACTIVE", LK_TINT_GOOD);
	assert_text(state_of, "{\"a\": \"KEY_STATE_REVOKED\"}", "REVOKED", LK_TINT_BAD);
	assert_text(state_of, "{\"a\": 77}", "77", LK_TINT_NONE);
	assert_text(state_of, "{\"a\": \"KEY_STATE_SUSPENDED\"}", "SUSPENDED", LK_TINT_BAD);
	assert_text(status, "{\"a\": 0}", "OK", LK_TINT_NONE);
	assert_text(status, "{\"a\": 7}", "PERMISSION_DENIED", LK_TINT_NONE);
	assert_text(count, "{\"a\": \"12\"}", "12", LK_TINT_NONE);
	assert_text(count, "{\"a\": \"0\"}", "", LK_TINT_NONE);
	assert_text(count, "{\"a\": 3}", "3", LK_TINT_NONE);
	assert_text(count, "{\"a\": 0}", "", LK_TINT_NONE);
}

static void test_show_text_of_rate_limits_is_as_they_are_typed(void **state)
{
	const struct lk_show_field limits = {.path = "a", .kind = LK_SHOW_LIMITS};

	(void)state;
	assert_text(limits,
		"{\"a\": [{\"name\": \"r\", \"limit\": \"600\", \"period\": \"60s\", \"burst\": \"20\"}, {\"name\": "
		"\"d\", \"limit\": \"5\", \"period\": \"90000s\", \"burst\": \"5\"}]}",
		"r=600/1m:20, d=5/1d1h", LK_TINT_NONE);
	assert_text(limits, "{\"a\": []}", "", LK_TINT_NONE);
	assert_text(limits, "{}", "", LK_TINT_NONE);
	assert_text(limits, "{\"a\": [{\"name\": \"r\"}]}", "", LK_TINT_NONE);
	assert_text(limits, "{\"a\": [7]}", "", LK_TINT_NONE);
}

static void assert_rows(const char *json, const char *expected)
{
	static const struct lk_show_field fields[] = {
		{.column = {.header = "ID"}, .path = "id"},
		{.column = {.header = "CREDITS"}, .path = "credits.balance", .rare = true},
		{.column = {.header = "NAME"}, .path = "name"},
	};
	json_t *objects = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t len = 0;
	const struct lk_page page = {.file = open_memstream(&text, &len)};

	assert_non_null(objects);
	assert_non_null(page.file);
	assert_int_equal(lk_show_rows(fields, 3, objects, "none", &page), LK_OK);
	assert_int_equal(fclose(page.file), 0);
	assert_string_equal(text, expected);
	free(text);
	json_decref(objects);
}

static void test_show_rows_leave_out_a_rare_column_that_nobody_has(void **state)
{
	(void)state;
	assert_rows("[{\"id\": \"1\", \"name\": \"a\"}, {\"id\": \"2\", \"name\": \"b\"}]", "ID  NAME\n1   a\n2   b\n");
	assert_rows("[{\"id\": \"1\", \"name\": \"a\"}, {\"id\": \"2\", \"name\": \"b\", \"credits\": {\"balance\": "
		    "\"0\"}}]",
		"ID  CREDITS  NAME\n1            a\n2   0        b\n");
	/* Of those that are not rare, a column stays that nobody has. */
	assert_rows("[{\"id\": \"1\"}]", "ID  NAME\n1   \n");
}

static void test_show_text_colours_no_name(void **state)
{
	const struct lk_show_field name = {.path = "a"};

	(void)state;
	assert_text(name, "{\"a\": \"VALID\"}", "VALID", LK_TINT_NONE);
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
		cmocka_unit_test(test_show_text_of_each_kind),
		cmocka_unit_test(test_show_text_of_rate_limits_is_as_they_are_typed),
		cmocka_unit_test(test_show_rows_leave_out_a_rare_column_that_nobody_has),
		cmocka_unit_test(test_show_text_colours_no_name),
	};

	return cmocka_run_group_tests(tests, choose_utf8, NULL);
}

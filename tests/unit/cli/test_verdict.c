/* What key verify and key explain show, and how rate charges are typed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/latchkey/key.h"
#include "tools/latchkey/rates.h"
#include "tools/latchkey/text.h"

static const char limited[] =
	"{\"valid\":false,\"code\":\"VERIFY_CODE_RATE_LIMITED\",\"key\":{\"id\":\"key_1\",\"number\":\"7\",\"tenant\":"
	"\"acme\",\"keyspace\":\"prod\",\"scope\":\"KEY_SCOPE_KEYSPACE\",\"name\":\"ci\",\"owner\":\"ada\",\"roles\":["
	"\"reader\",\"admin\"]},\"rateStates\":[{\"name\":\"day\",\"shared\":false,\"limit\":\"100\",\"remaining\":"
	"\"2\","
	"\"refused\":false},{\"name\":\"team\",\"shared\":true,\"limit\":\"9\",\"remaining\":\"0\",\"resetTime\":"
	"\"2026-02-01T12:00:00.5Z\",\"retryAfter\":\"93783.000001s\",\"refused\":true}],\"creditsRemaining\":\"41\","
	"\"gates\":[{\"code\":\"VERIFY_CODE_MALFORMED\",\"outcome\":\"GATE_OUTCOME_PASSED\",\"description\":\"fine\"},"
	"{\"code\":\"VERIFY_CODE_RATE_LIMITED\",\"outcome\":\"GATE_OUTCOME_REFUSED\",\"description\":\"no room at all, "
	"and that for reasons which take more than a line to say\"},{\"code\":\"VERIFY_CODE_CREDITS_EXHAUSTED\","
	"\"outcome\":\"GATE_OUTCOME_NOT_ASKED\",\"description\":\"a \\u001b[31mname\"}],"
	"\"lastDenial\":{\"code\":\"VERIFY_CODE_IP_DENIED\",\"time\":\"2026-01-01T00:00:00Z\",\"clientIp\":\"10.0.0."
	"1\"}}";

typedef enum lk_err shower(const struct lk_run *run, const json_t *response);

/* What is shown of a response, to be free()d. */
static char *shown(shower *show, const char *json, size_t columns, bool coloured)
{
	char *text = NULL;
	size_t len = 0;
	json_t *response = json_loads(json, 0, NULL);
	struct lk_run run = {.page = {.file = open_memstream(&text, &len), .columns = columns, .coloured = coloured}};

	assert_non_null(response);
	assert_non_null(run.page.file);
	assert_int_equal(show(&run, response), LK_OK);
	assert_int_equal(fclose(run.page.file), 0);
	/* What is shown is made of a copy. */
	json_t *again = json_loads(json, 0, NULL);
	assert_true(json_equal(response, again));
	json_decref(again);
	json_decref(response);
	return text;
}

static void assert_says(const char *text, const char *part)
{
	if (strstr(text, part) == NULL) {
		print_message("\"%s\" is not in:\n%s", part, text);
	}
	assert_non_null(strstr(text, part));
}

static void test_verdict_shows_limits_and_credits(void **state)
{
	char *text = shown(lk_key_show_verdict, limited, 0, false);

	(void)state;
	assert_says(text, "RATE_LIMITED\n");
	assert_says(text, "reader, admin\n");
	assert_says(text, "day: 2 left now, 100 a period; team (the owner's) refused: 0 left now, 9 a period, all "
			  "again at 2026-02-01 12:00:00, "
			  "enough in 1d2h3m4s\n");
	assert_says(text, "41\n");
	assert_null(strstr(text, "MALFORMED"));
	free(text);
}

static void test_verdict_without_limits_and_credits_says_nothing_of_them(void **state)
{
	char *text = shown(lk_key_show_verdict,
		"{\"valid\":true,\"code\":\"VERIFY_CODE_VALID\",\"key\":{\"id\":\"key_1\"},\"rateStates\":[],"
		"\"creditsRemaining\":\"-1\",\"gates\":[]}",
		0, false);

	(void)state;
	assert_says(text, "VALID\n");
	assert_null(strstr(text, "Rate limits"));
	assert_null(strstr(text, "Credits"));
	free(text);
	text = shown(lk_key_show_verdict,
		"{\"valid\":false,\"code\":\"VERIFY_CODE_NOT_FOUND\",\"rateStates\":[],\"creditsRemaining\":\"-1\"}", 0,
		false);
	assert_string_equal(text, "Verdict  NOT_FOUND\n");
	free(text);
}

static void test_explanation_has_every_gate_and_the_last_denial(void **state)
{
	char *text = shown(lk_key_show_explained, limited, 0, false);

	(void)state;
	assert_says(text, "\nMALFORMED          passed   fine\n");
	assert_says(text, "\nRATE_LIMITED       REFUSED  no room at all, and that for reasons which take");
	assert_says(text, "\nCREDITS_EXHAUSTED  -        a \\x1b[31mname\n");
	assert_says(text, "\nLast denial     IP_DENIED\n");
	assert_says(text, "2026-01-01 00:00:00\n");
	assert_says(text, "10.0.0.1\n");
	assert_null(strchr(text, '\x1b'));
	free(text);
}

/* What refuses is wrapped, and not cut off. */
static void test_explanation_keeps_every_word_on_a_narrow_terminal(void **state)
{
	char *text = shown(lk_key_show_explained, limited, 60, false), *rest = text, *line;

	(void)state;
	assert_says(text, "say\n");
	assert_null(strstr(text, "\xe2\x80\xa6"));
	while ((line = strsep(&rest, "\n"))) {
		assert_in_range(strlen(line), 0, 60);
	}
	free(text);
}

static void test_explanation_is_coloured_where_colours_are(void **state)
{
	char *text = shown(lk_key_show_explained, limited, 0, true);

	(void)state;
	assert_non_null(strchr(text, '\x1b'));
	/* But for what a stranger wrote. */
	assert_says(text, "a \\x1b[31mname");
	free(text);
}

static void test_explanation_without_a_denial_ends_with_the_gates(void **state)
{
	char *text = shown(lk_key_show_explained,
		"{\"valid\":false,\"code\":\"VERIFY_CODE_NOT_FOUND\",\"gates\":[{\"code\":\"VERIFY_CODE_NOT_FOUND\","
		"\"outcome\":"
		"\"GATE_OUTCOME_REFUSED\",\"description\":\"none\"}]}",
		0, false);

	(void)state;
	assert_string_equal(text, "Verdict  NOT_FOUND\n\nNOT_FOUND  REFUSED  none\n");
	free(text);
}

static void test_verdict_exit_code_is_that_of_valid_alone(void **state)
{
	static const struct {
		const char *json;
		enum lk_exit code;
	} cases[] = {
		{"{\"valid\":true,\"code\":\"VERIFY_CODE_VALID\"}", LK_EXIT_OK},
		{"{\"valid\":false,\"code\":\"VERIFY_CODE_VALID\"}", LK_EXIT_VERDICT},
		{"{\"valid\":true,\"code\":\"VERIFY_CODE_EXPIRED\"}", LK_EXIT_VERDICT},
		{"{\"valid\":true}", LK_EXIT_VERDICT},
		{"{}", LK_EXIT_VERDICT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *response = json_loads(cases[i].json, 0, NULL);
		assert_int_equal(lk_key_judge_verdict(response), cases[i].code);
		json_decref(response);
	}
}

static void test_rates_reads_charges(void **state)
{
	json_t *request = json_object(), *expected;

	(void)state;
	assert_int_equal(lk_rates_add_charge(request, "day"), LK_EXIT_OK);
	assert_int_equal(lk_rates_add_charge(request, "hour=18446744073709551615"), LK_EXIT_OK);
	assert_int_equal(lk_rates_add_charge(request, "007=007"), LK_EXIT_OK);
	expected = json_loads(
		"{\"rate_charges\":[{\"name\":\"day\"},{\"name\":\"hour\",\"cost\":\"18446744073709551615\"},"
		"{\"name\":\"007\",\"cost\":\"007\"}]}",
		0, NULL);
	assert_true(json_equal(request, expected));
	json_decref(expected);
	json_decref(request);
}

static void test_rates_refuses_what_is_no_charge(void **state)
{
	static const char *const wrong[] = {"", "=", "=1", "day=", "day=0", "day=000", "day=-1", "day=+1", "day= 1",
		"day=1 ", "day=1e3", "day=0x1", "day=1=1", "day=123456789012345678901", "\xff"};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *request = json_object();
		assert_int_equal(lk_rates_add_charge(request, wrong[i]), LK_EXIT_USAGE);
		assert_int_equal(json_array_size(json_object_get(request, "rate_charges")), 0);
		json_decref(request);
	}
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
		cmocka_unit_test(test_verdict_shows_limits_and_credits),
		cmocka_unit_test(test_verdict_without_limits_and_credits_says_nothing_of_them),
		cmocka_unit_test(test_explanation_has_every_gate_and_the_last_denial),
		cmocka_unit_test(test_explanation_keeps_every_word_on_a_narrow_terminal),
		cmocka_unit_test(test_explanation_is_coloured_where_colours_are),
		cmocka_unit_test(test_explanation_without_a_denial_ends_with_the_gates),
		cmocka_unit_test(test_verdict_exit_code_is_that_of_valid_alone),
		cmocka_unit_test(test_rates_reads_charges),
		cmocka_unit_test(test_rates_refuses_what_is_no_charge),
	};

	return cmocka_run_group_tests(tests, choose_utf8, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/latchkey/options.h"
#include "tools/latchkey/text.h"

#define WORDS_MAX 16

struct line {
	char buffer[256];
	char *words[WORDS_MAX + 1];
	struct lk_options options;
};

static enum lk_exit read_line(struct line *line, const char *text)
{
	char *rest = strcpy(line->buffer, text), *word;
	int n = 0;

	while ((word = strsep(&rest, " "))) {
		line->words[n++] = word;
	}
	line->words[n] = NULL;
	line->options = (struct lk_options){.url = "untouched"};
	return lk_options_read(n, line->words, &line->options);
}

static void assert_refused(const char *text)
{
	struct line line;

	if (read_line(&line, text) != LK_EXIT_USAGE) {
		fail_msg("not refused: %s", text);
	}
	assert_string_equal(line.options.url, "untouched");
}

static void test_options_have_defaults(void **state)
{
	struct line line;

	(void)state;
	unsetenv("LATCHKEY_URL");
	assert_int_equal(read_line(&line, "latchkey"), LK_EXIT_OK);
	assert_string_equal(line.options.url, "ipc:///run/latchkey/latchkey.sock");
	assert_int_equal(line.options.timeout_ms, 5000);
	assert_false(line.options.json);
	assert_int_equal(line.options.n_words, 0);
}

static void test_options_are_found_anywhere(void **state)
{
	struct line line;

	(void)state;
	assert_int_equal(
		read_line(&line, "latchkey --url tcp://x key --output=json list --keyspace prod --timeout 250ms"),
		LK_EXIT_OK);
	assert_string_equal(line.options.url, "tcp://x");
	assert_true(line.options.json);
	assert_int_equal(line.options.timeout_ms, 250);
	assert_int_equal(line.options.n_words, 4);
	assert_string_equal(line.options.words[0], "key");
	assert_string_equal(line.options.words[1], "list");
	assert_string_equal(line.options.words[2], "--keyspace");
	assert_string_equal(line.options.words[3], "prod");
}

static void test_options_url_comes_from_the_environment(void **state)
{
	struct line line;

	(void)state;
	assert_int_equal(setenv("LATCHKEY_URL", "ipc:///e.sock", 1), 0);
	assert_int_equal(read_line(&line, "latchkey health check"), LK_EXIT_OK);
	assert_string_equal(line.options.url, "ipc:///e.sock");
	assert_int_equal(read_line(&line, "latchkey --url ipc:///f.sock health check"), LK_EXIT_OK);
	assert_string_equal(line.options.url, "ipc:///f.sock");
	unsetenv("LATCHKEY_URL");
}

static void test_options_end_at_two_dashes(void **state)
{
	struct line line;

	(void)state;
	assert_int_equal(read_line(&line, "latchkey call X/Y -- --help"), LK_EXIT_OK);
	assert_false(line.options.help);
	assert_int_equal(line.options.n_words, 3);
	assert_string_equal(line.options.words[2], "--help");
}

static void test_options_leave_values_alone(void **state)
{
	struct line line;

	(void)state;
	assert_int_equal(read_line(&line, "latchkey key create --name=--help --owner=--url"), LK_EXIT_OK);
	assert_false(line.options.help);
	assert_int_equal(line.options.n_words, 4);
	assert_int_equal(read_line(&line, "latchkey -h"), LK_EXIT_OK);
	assert_true(line.options.help);
}

static void test_options_refuse_what_is_wrong(void **state)
{
	(void)state;
	assert_refused("latchkey --url");
	assert_refused("latchkey --url=");
	assert_refused("latchkey --url --output json");
	assert_refused("latchkey --url a --url b");
	assert_refused("latchkey --output yaml");
	assert_refused("latchkey --output JSON");
	assert_refused("latchkey --timeout 5");
	assert_refused("latchkey --timeout 0s");
	assert_refused("latchkey --timeout -1s");
	assert_refused("latchkey --timeout 2d");
	assert_refused("latchkey --help=yes");
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
		cmocka_unit_test(test_options_have_defaults),
		cmocka_unit_test(test_options_are_found_anywhere),
		cmocka_unit_test(test_options_url_comes_from_the_environment),
		cmocka_unit_test(test_options_end_at_two_dashes),
		cmocka_unit_test(test_options_leave_values_alone),
		cmocka_unit_test(test_options_refuse_what_is_wrong),
	};

	return cmocka_run_group_tests(tests, choose_utf8, NULL);
}

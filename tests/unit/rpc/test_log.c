/* The log, read back from a pipe. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <unistd.h>

#include "server/log.h"

struct fixture {
	int read_fd;
	int write_fd;
	char text[65536];
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	int ends[2] = {-1, -1};

	*state = fixture;
	if (fixture == NULL || pipe2(ends, O_CLOEXEC) != 0) {
		return -1;
	}
	fixture->read_fd = ends[0];
	fixture->write_fd = ends[1];
	lk_log_setup(ends[1], LK_LOG_DEBUG);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	lk_log_setup(STDERR_FILENO, LK_LOG_INFO);
	close(fixture->read_fd);
	close(fixture->write_fd);
	free(fixture);
	return 0;
}

/* What was logged since the last call, without the timestamp that it checks. */
static const char *logged(struct fixture *fixture)
{
	static const char time_pattern[] = "^ts=20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\\."
					   "[0-9]{6}Z level=";
	regmatch_t match = {0};
	regex_t regex;
	ssize_t n = read(fixture->read_fd, fixture->text, sizeof(fixture->text) - 1);
	int found = 0;

	assert_true(n > 0);
	fixture->text[n] = '\0';
	assert_null(memchr(fixture->text, '\0', (size_t)n));
	assert_int_equal(regcomp(&regex, time_pattern, REG_EXTENDED), 0);
	found = regexec(&regex, fixture->text, 1, &match, 0);
	regfree(&regex);
	assert_int_equal(found, 0);
	return fixture->text + match.rm_eo;
}

static void test_log_writes_typed_fields(void **state)
{
	LK_LOG(LK_LOG_INFO, "ready", LK_STR("url", "ipc:///run/lk.sock"), LK_INT("low", INT64_MIN),
		LK_UINT("high", UINT64_MAX), LK_FLAG("yes", true), LK_FLAG("no", false), LK_SPAN("span", "abcdef", 3));
	assert_string_equal(logged(*state), "info msg=ready url=ipc:///run/lk.sock low=-9223372036854775808 "
					    "high=18446744073709551615 yes=true no=false span=abc\n");
}

static void test_log_writes_a_message_without_fields(void **state)
{
	LK_LOG(LK_LOG_ERROR, "the disk is full");
	assert_string_equal(logged(*state), "error msg=\"the disk is full\"\n");
}

static void test_log_keeps_a_hostile_value_in_its_field(void **state)
{
	static const struct {
		const char *value;
		const char *written;
	} cases[] = {
		{"", "\"\""},
		{NULL, "\"\""},
		{"a b", "\"a b\""},
		{"x level=error", "\"x level=error\""},
		{"a=b", "\"a=b\""},
		{"\" forged=\"1", "\"\\\" forged=\\\"1\""},
		{"\\", "\"\\\\\""},
		{"one\nts=2026 level=error msg=forged", "\"one\\nts=2026 level=error msg=forged\""},
		{"\r\t\b\x1b[2J\x7f", "\"\\r\\t\\u0008\\u001b[2J\\u007f\""},
		{"\xc2\x9b"
		 "31m",
			"\"\\u009b31m\""},
		{"\xe2\x80\xae"
		 "abc\xe2\x80\xa8",
			"\"\\u202eabc\\u2028\""},
		{"\xf3\xa0\x81\x81", "\"\\U000e0041\""},
		{"Zo\xc3\xab", "\"Zo\xc3\xab\""},
		{"\xf0\x9f\x97\x9d", "\"\xf0\x9f\x97\x9d\""},
		{"\xff\xc0\x80\xed\xa0\x80\xf4\x90\x80\x80", "\"\\xff\\xc0\\x80\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\""},
		{"\xe2\x82", "\"\\xe2\\x82\""},
		{"\xc3\"", "\"\\xc3\\\"\""},
	};
	char expected[256] = "";

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		LK_LOG(LK_LOG_WARN, "case", LK_STR("v", cases[i].value));
		(void)snprintf(expected, sizeof(expected), "warn msg=case v=%s\n", cases[i].written);
		assert_string_equal(logged(*state), expected);
	}
}

static void test_log_escapes_nul_in_a_span(void **state)
{
	LK_LOG(LK_LOG_DEBUG, "case", LK_SPAN("v", "a\0b", 3), LK_SPAN("empty", NULL, 0));
	assert_string_equal(logged(*state), "debug msg=case v=\"a\\u0000b\" empty=\"\"\n");
}

/* Whatever stands in a value, and however long it is: one line, bounded, and the next field still whole. */
static void test_log_bounds_a_value(void **state)
{
	static const char *const fillers[] = {"a", "\n", "\xff", "\xe2\x80\xa8", "\"", "\xf0\x9f\x97\x9d"};
	struct fixture *fixture = *state;
	char value[8192] = "";

	for (size_t i = 0; i < sizeof(fillers) / sizeof(fillers[0]); i++) {
		size_t unit = strlen(fillers[i]);

		for (size_t at = 0; at + unit < sizeof(value); at += unit) {
			memcpy(value + at, fillers[i], unit + 1);
		}
		LK_LOG(LK_LOG_INFO, "long", LK_STR("v", value), LK_INT("after", 1));
		const char *line = logged(fixture);
		size_t len = strlen(line);

		assert_true(len < 1200);
		assert_non_null(strstr(line, "...\" after=1\n"));
		assert_ptr_equal(strchr(line, '\n'), line + len - 1);
	}
}

static void test_log_bounds_a_line(void **state)
{
	struct fixture *fixture = *state;
	char value[900];

	memset(value, 'a', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	LK_LOG(LK_LOG_INFO, "long", LK_STR("a", value), LK_STR("b", value), LK_STR("c", value), LK_STR("d", value),
		LK_STR("e", value), LK_INT("last", 7));
	const char *line = logged(fixture);

	assert_true(strlen(fixture->text) <= LK_LOG_LINE_MAX);
	assert_non_null(strstr(line, " d=a"));
	assert_null(strstr(line, " e=a"));
	assert_non_null(strstr(line, " last=7 truncated=true\n"));
}

static void test_log_leaves_out_levels_below(void **state)
{
	struct fixture *fixture = *state;
	int evaluated = 0;

	lk_log_setup(fixture->write_fd, LK_LOG_WARN);
	LK_LOG(LK_LOG_INFO, "not written", LK_INT("n", ++evaluated));
	LK_LOG(LK_LOG_WARN, "written");
	assert_string_equal(logged(fixture), "warn msg=written\n");
	assert_int_equal(evaluated, 0);
}

static void test_log_knows_its_levels(void **state)
{
	enum lk_log_level level = LK_LOG_INFO;

	(void)state;
	for (int i = 0; i < LK_LOG_LEVELS; i++) {
		assert_true(lk_log_level_parse(lk_log_level_name((enum lk_log_level)i), &level));
		assert_int_equal(level, i);
	}
	assert_false(lk_log_level_parse("verbose", &level));
	assert_false(lk_log_level_parse("", &level));
	assert_false(lk_log_level_parse("INFO", &level));
}

static void test_log_keeps_errno(void **state)
{
	(void)state;
	lk_log_setup(-1, LK_LOG_INFO);
	errno = ENOENT;
	LK_LOG(LK_LOG_INFO, "nowhere");
	assert_int_equal(errno, ENOENT);
}

enum {
	THREADS = 4,
	LINES = 100
};

static void *log_lines(void *argument)
{
	static const char letters[] = "abcd";
	char value[400];

	memset(value, letters[*(int *)argument], sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	for (int i = 0; i < LINES; i++) {
		LK_LOG(LK_LOG_INFO, "thread", LK_STR("v", value));
	}
	return NULL;
}

/* Reads all lines and sees that each is of one thread. */
static void test_log_lines_of_threads_do_not_mix(void **state)
{
	struct fixture *fixture = *state;
	pthread_t threads[THREADS];
	int numbers[THREADS];
	char line[LK_LOG_LINE_MAX + 1];
	int lines = 0;

	for (int i = 0; i < THREADS; i++) {
		numbers[i] = i;
		assert_int_equal(pthread_create(&threads[i], NULL, log_lines, &numbers[i]), 0);
	}
	FILE *stream = fdopen(dup(fixture->read_fd), "r");

	assert_non_null(stream);
	for (; lines < THREADS * LINES && fgets(line, sizeof(line), stream) != NULL; lines++) {
		const char *value = strstr(line, " v=");

		assert_non_null(value);
		assert_int_equal(strspn(value + 3, (char[]){value[3], '\0'}), 399);
		assert_string_equal(value + 3 + 399, "\n");
	}
	(void)fclose(stream);
	for (int i = 0; i < THREADS; i++) {
		(void)pthread_join(threads[i], NULL);
	}
	assert_int_equal(lines, THREADS * LINES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_log_writes_typed_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_writes_a_message_without_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_keeps_a_hostile_value_in_its_field, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_escapes_nul_in_a_span, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_bounds_a_value, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_bounds_a_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_leaves_out_levels_below, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_knows_its_levels, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_keeps_errno, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_lines_of_threads_do_not_mix, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}

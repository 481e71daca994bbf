#include "tests/bench/figures.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/check.h"

/* What becomes of a child that does this: its exit code; of a signal, 128 and its number. */
static int outcome_of(void (*act)(const char *), const char *argument)
{
	int status = 0;
	pid_t child = fork();

	CHECK(child >= 0);
	if (child == 0) {
		/* What it complains of is meant. */
		CHECK(freopen("/dev/null", "w", stderr) != NULL);
		act(argument);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void read_number(const char *text)
{
	uint64_t number = lk_option_number("N", text, 7);

	_exit(number == strtoull(text, NULL, 10) ? 0 : 1);
}

static void test_figures_option_is_a_whole_number(void **state)
{
	static const char *const good[] = {"7", "8", "1000000", "18446744073709551615"};
	static const char *const bad[] = {"", "6", "0", "-8", "7x", "x", "7.5", " ", "18446744073709551616", "7 8"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(outcome_of(read_number, good[i]), 0);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(outcome_of(read_number, bad[i]), 2);
	}
}

static void read_seconds(const char *text)
{
	int64_t length_ns = lk_option_seconds("SECONDS", text);

	_exit(length_ns == (int64_t)(strtod(text, NULL) * 1e9 + 0.5) ? 0 : 1);
}

static void test_figures_option_is_a_length_of_time(void **state)
{
	static const char *const good[] = {"1", "2", "0.25", "0.001", "12.5", "86400"};
	static const char *const bad[] = {"", "0", "0.0", "0.0009", "-1", "+1", "1s", "x", "inf", "nan", "1e3", "0x10",
		" 1", "1 ", "1.2.3", ".", "86401"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(outcome_of(read_seconds, good[i]), 0);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(outcome_of(read_seconds, bad[i]), 2);
	}
	assert_int_equal(lk_option_seconds("SECONDS", "0.25"), 250000000);
	assert_int_equal(lk_option_seconds("SECONDS", "3"), 3000000000);
}

static void write_file(char *path, const char *text)
{
	int file = mkstemp(path);

	CHECK(file >= 0);
	CHECK(write(file, text, strlen(text)) == (ssize_t)strlen(text));
	CHECK(close(file) == 0);
}

static void test_figures_tokens_come_round(void **state)
{
	static const char *const expected[] = {"one", "two", "three", "four", "five", "one", "two"};
	char path[] = "/tmp/latchkey-tokens-XXXXXX";
	struct lk_tokens tokens = {0};
	size_t cursor = 0;

	(void)state;
	write_file(path, "one\ntwo\nthree\nfour\nfive\n");
	lk_tokens_read(&tokens, path);
	CHECK(unlink(path) == 0);
	assert_int_equal(tokens.count, 5);
	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
		assert_string_equal(lk_tokens_next(&tokens, &cursor), expected[i]);
	}
	/* Where the first begins is left to chance; the second stands half of the file behind it. */
	assert_true(lk_tokens_begin(&tokens, 0, 2) < tokens.count);
	assert_int_equal(lk_tokens_begin(&tokens, 1, 2), (lk_tokens_begin(&tokens, 0, 2) + 2) % tokens.count);
	/* More callers than tokens: all of them begin somewhere. */
	assert_true(lk_tokens_begin(&tokens, 99, 100) < tokens.count);
	lk_tokens_done(&tokens);
}

static void read_tokens(const char *path)
{
	struct lk_tokens tokens = {0};

	lk_tokens_read(&tokens, path);
}

static void test_figures_no_tokens_end_the_program(void **state)
{
	char path[] = "/tmp/latchkey-tokens-XXXXXX";

	(void)state;
	assert_int_equal(outcome_of(read_tokens, "/nowhere/tokens"), 128 + SIGABRT);
	write_file(path, "");
	assert_int_equal(outcome_of(read_tokens, path), 128 + SIGABRT);
	CHECK(unlink(path) == 0);
}

static void print_nothing(const char *argument)
{
	struct lk_histogram *histogram = lk_histogram_new();
	struct lk_figures figures = {0};

	(void)argument;
	lk_figures_start(&figures);
	lk_figures_stop(&figures);
	lk_figures_print(&figures, histogram, "");
}

static void test_figures_of_no_answer_are_none(void **state)
{
	(void)state;
	assert_int_equal(outcome_of(print_nothing, ""), 128 + SIGABRT);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_figures_option_is_a_whole_number),
		cmocka_unit_test(test_figures_option_is_a_length_of_time),
		cmocka_unit_test(test_figures_tokens_come_round),
		cmocka_unit_test(test_figures_no_tokens_end_the_program),
		cmocka_unit_test(test_figures_of_no_answer_are_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/latchkey/line_reader.h"

/* A reader of `len` bytes in a file of their own. */
static FILE *open_text(struct lk_line_reader *lines, const char *text, size_t len)
{
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	rewind(file);
	assert_int_equal(lk_line_reader_open(lines, fileno(file)), 0);
	return file;
}

static void close_text(struct lk_line_reader *lines, FILE *file)
{
	lk_line_reader_done(lines);
	fclose(file);
}

static void assert_line(struct lk_line_reader *lines, const char *expected)
{
	const char *text = NULL;
	size_t len = 0;

	assert_int_equal(lk_line_reader_next(lines, &text, &len), LK_LINE_READER_LINE);
	assert_int_equal(len, strlen(expected));
	assert_memory_equal(text, expected, len);
}

static void assert_next(struct lk_line_reader *lines, enum lk_line_reader_next expected)
{
	const char *text = NULL;
	size_t len = 0;

	assert_int_equal(lk_line_reader_next(lines, &text, &len), expected);
}

static void test_lines_are_cut_at_newlines(void **state)
{
	static const char text[] = "one\n\ntwo\r\n\r\nthree";
	struct lk_line_reader lines;
	FILE *file = open_text(&lines, text, strlen(text));

	(void)state;
	assert_line(&lines, "one");
	assert_int_equal(lines.number, 1);
	assert_int_equal(lines.bytes, 4);
	assert_line(&lines, "");
	assert_line(&lines, "two");
	assert_line(&lines, "");
	assert_line(&lines, "three");
	assert_int_equal(lines.number, 5);
	assert_int_equal(lines.bytes, strlen(text));
	assert_next(&lines, LK_LINE_READER_END);
	assert_next(&lines, LK_LINE_READER_END);
	close_text(&lines, file);
}

static void test_lines_of_nothing_are_none(void **state)
{
	struct lk_line_reader lines;
	FILE *file = open_text(&lines, "", 0);

	(void)state;
	assert_next(&lines, LK_LINE_READER_END);
	close_text(&lines, file);
}

static void test_lines_too_long_are_passed_over(void **state)
{
	static const size_t lens[] = {LK_LINE_READER_MAX - 1, LK_LINE_READER_MAX, LK_LINE_READER_MAX + 1,
		LK_LINE_READER_MAX + 2, 2 * LK_LINE_READER_MAX, 3 * LK_LINE_READER_MAX + 7};

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (int ended = 0; ended < 3; ended++) {
			static const char *const ends[] = {"", "\nnext\n", "\r\nnext"};
			size_t size = lens[i] + strlen(ends[ended]);
			char *text = malloc(size + 1);
			const char *line = NULL;
			struct lk_line_reader lines;
			size_t len = 0;

			assert_non_null(text);
			memset(text, 'x', lens[i]);
			memcpy(text + lens[i], ends[ended], strlen(ends[ended]) + 1);
			FILE *file = open_text(&lines, text, size);
			enum lk_line_reader_next next = lk_line_reader_next(&lines, &line, &len);
			assert_int_equal(
				next, lens[i] > LK_LINE_READER_MAX ? LK_LINE_READER_TOO_LONG : LK_LINE_READER_LINE);
			if (next == LK_LINE_READER_LINE) {
				assert_int_equal(len, lens[i]);
			}
			if (ended != 0) {
				assert_line(&lines, "next");
				assert_int_equal(lines.number, 2);
			}
			assert_next(&lines, LK_LINE_READER_END);
			assert_int_equal(lines.bytes, size);
			close_text(&lines, file);
			free(text);
		}
	}
}

static void test_lines_come_through_a_pipe_in_pieces(void **state)
{
	struct lk_line_reader lines;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(lk_line_reader_open(&lines, ends[0]), 0);
	assert_int_equal(write(ends[1], "a\nb", 3), 3);
	assert_line(&lines, "a");
	assert_int_equal(write(ends[1], "c\n", 2), 2);
	assert_line(&lines, "bc");
	close(ends[1]);
	assert_next(&lines, LK_LINE_READER_END);
	lk_line_reader_done(&lines);
	close(ends[0]);
}

static void test_lines_that_cannot_be_read_fail(void **state)
{
	struct lk_line_reader lines;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	/* The end that is for writing. */
	assert_int_equal(lk_line_reader_open(&lines, ends[1]), 0);
	assert_next(&lines, LK_LINE_READER_FAILED);
	lk_line_reader_done(&lines);
	close(ends[0]);
	close(ends[1]);
}

static void test_lines_many_keep_their_order(void **state)
{
	FILE *file = tmpfile();
	struct lk_line_reader lines;
	char expected[64];

	(void)state;
	assert_non_null(file);
	for (int i = 0; i < 100000; i++) {
		fprintf(file, "line %d\n", i);
	}
	fflush(file);
	rewind(file);
	assert_int_equal(lk_line_reader_open(&lines, fileno(file)), 0);
	for (int i = 0; i < 100000; i++) {
		snprintf(expected, sizeof(expected), "line %d", i);
		assert_line(&lines, expected);
	}
	assert_next(&lines, LK_LINE_READER_END);
	close_text(&lines, file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_cut_at_newlines),
		cmocka_unit_test(test_lines_of_nothing_are_none),
		cmocka_unit_test(test_lines_too_long_are_passed_over),
		cmocka_unit_test(test_lines_come_through_a_pipe_in_pieces),
		cmocka_unit_test(test_lines_that_cannot_be_read_fail),
		cmocka_unit_test(test_lines_many_keep_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

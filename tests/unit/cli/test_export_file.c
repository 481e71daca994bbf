#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/latchkey/export_file.h"
#include "tools/latchkey/text.h"

/* A folder of the test's own, and in it the file that is exported to. */
static char dir[64], path[96], part[104], state_path[104];
/* What was said on standard error. */
static char said[1024];

static int make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/latchkey-export-XXXXXX");
	if (!mkdtemp(dir)) {
		return -1;
	}
	snprintf(path, sizeof(path), "%s/keys", dir);
	snprintf(part, sizeof(part), "%s.part", path);
	snprintf(state_path, sizeof(state_path), "%s.state", path);
	lk_text_init();
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	unlink(part);
	unlink(state_path);
	return rmdir(dir);
}

static enum lk_exit open_file(struct lk_export_file *file, bool resume, json_t **request)
{
	FILE *real = stderr, *captured = tmpfile();
	enum lk_exit code;

	assert_non_null(captured);
	stderr = captured;
	code = lk_export_file_open(file, path, resume, request);
	stderr = real;
	rewind(captured);
	said[fread(said, 1, sizeof(said) - 1, captured)] = '\0';
	fclose(captured);
	return code;
}

static void assert_refused(bool resume, json_t **request, const char *expected)
{
	struct lk_export_file file;

	assert_int_equal(open_file(&file, resume, request), LK_EXIT_USAGE);
	lk_export_file_close(&file);
	if (!strstr(said, expected)) {
		fail_msg("not \"%s\" but %s", expected, said);
	}
}

static void write_text(struct lk_export_file *file, const char *text, uint64_t keys)
{
	struct lk_bytes lines = {0};

	lk_bytes_append(&lines, text, strlen(text));
	assert_int_equal(lk_export_file_write(file, &lines, keys), LK_EXIT_OK);
	lk_bytes_done(&lines);
}

static void put_text(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void assert_holds(const char *name, const char *expected)
{
	char text[1024];
	FILE *file = fopen(name, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

static json_t *request_of(const char *text)
{
	json_t *request = json_loads(text, 0, NULL);

	assert_non_null(request);
	return request;
}

/* An export that was interrupted behind "one\ntwo\n", of which "one\n" counts. */
static void interrupt(const char *asked, const char *next)
{
	struct lk_export_file file;
	json_t *request = request_of(asked), *turned = request_of(next);

	assert_int_equal(open_file(&file, false, &request), LK_EXIT_OK);
	write_text(&file, "one\n", 1);
	assert_int_equal(lk_export_file_keep(&file, turned), LK_EXIT_OK);
	write_text(&file, "two\n", 1);
	lk_export_file_close(&file);
	json_decref(request);
	json_decref(turned);
}

static void test_export_file_gets_its_name_when_it_is_whole(void **state)
{
	struct lk_export_file file;
	json_t *request = json_object();
	struct stat status;

	(void)state;
	assert_int_equal(open_file(&file, false, &request), LK_EXIT_OK);
	write_text(&file, "one\n", 1);
	assert_int_equal(lk_export_file_keep(&file, request), LK_EXIT_OK);
	write_text(&file, "two\n", 1);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(lk_export_file_finish(&file), LK_EXIT_OK);
	assert_int_equal(file.keys, 2);
	lk_export_file_close(&file);
	assert_holds(path, "one\ntwo\n");
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(access(part, F_OK), -1);
	assert_int_equal(access(state_path, F_OK), -1);
	assert_refused(false, &request, "is there already");
	assert_refused(true, &request, "is there already");
	json_decref(request);
}

static void test_export_file_goes_on_where_it_counts(void **state)
{
	struct lk_export_file file;
	json_t *request = request_of("{\"tenant\":\"acme\"}");

	(void)state;
	interrupt("{\"tenant\":\"acme\"}", "{\"tenant\":\"acme\",\"page_token\":\"next\"}");
	assert_refused(false, &request, "go on with it by --resume");
	assert_int_equal(open_file(&file, true, &request), LK_EXIT_OK);
	assert_string_equal(json_string_value(json_object_get(request, "page_token")), "next");
	assert_int_equal(file.keys, 1);
	assert_holds(part, "one\n");
	write_text(&file, "three\n", 1);
	assert_int_equal(lk_export_file_finish(&file), LK_EXIT_OK);
	lk_export_file_close(&file);
	assert_holds(path, "one\nthree\n");
	json_decref(request);
}

static void test_export_file_goes_on_with_the_first_instants(void **state)
{
	static const char asked[] = "{\"filter\":{\"created_before\":\"2026-01-01T00:00:00Z\",\"owner\":\"a\"}}";
	static const char next[] =
		"{\"filter\":{\"created_before\":\"2026-01-01T00:00:00Z\",\"owner\":\"a\"},\"page_token\":\"n\"}";
	struct lk_export_file file;
	json_t *later = request_of("{\"filter\":{\"created_before\":\"2026-01-01T00:09:00Z\",\"owner\":\"a\"}}");
	json_t *without = request_of("{\"filter\":{\"owner\":\"a\"}}");
	json_t *other = request_of("{\"filter\":{\"created_before\":\"2026-01-01T00:00:00Z\",\"owner\":\"b\"}}");

	(void)state;
	interrupt(asked, next);
	assert_refused(true, &without, "an export with other flags");
	assert_refused(true, &other, "an export with other flags");
	assert_int_equal(open_file(&file, true, &later), LK_EXIT_OK);
	json_t *filter = json_object_get(later, "filter");
	assert_string_equal(json_string_value(json_object_get(filter, "created_before")), "2026-01-01T00:00:00Z");
	lk_export_file_close(&file);
	json_decref(later);
	json_decref(without);
	json_decref(other);
}

static void test_export_file_begins_where_nothing_counts(void **state)
{
	struct lk_export_file file;
	json_t *request = json_object();

	(void)state;
	/* Interrupted before anything was kept. */
	put_text(part, "half");
	assert_int_equal(open_file(&file, true, &request), LK_EXIT_OK);
	assert_holds(part, "");
	assert_int_equal(file.bytes, 0);
	lk_export_file_close(&file);
	unlink(part);
	/* Never begun. */
	assert_int_equal(open_file(&file, true, &request), LK_EXIT_OK);
	assert_int_equal(file.bytes, 0);
	lk_export_file_close(&file);
	json_decref(request);
}

static void test_export_file_refuses_what_does_not_add_up(void **state)
{
	static const char *const states[] = {"", "[]", "{\"format\":\"other\"}",
		"{\"format\":\"latchkey-export-state\"}",
		"{\"format\":\"latchkey-export-state\",\"bytes\":-1,\"keys\":0,\"request\":{}}"};
	json_t *request = json_object();

	(void)state;
	put_text(part, "one\n");
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		put_text(state_path, states[i]);
		assert_refused(true, &request, "is not the state of an export");
	}
	put_text(state_path, "{\"format\":\"latchkey-export-state\",\"bytes\":99,\"keys\":1,\"request\":{}}");
	assert_refused(true, &request, "has 4 bytes and had 99");
	assert_holds(part, "one\n");
	json_decref(request);
}

static void test_export_file_is_written_by_one_alone(void **state)
{
	struct lk_export_file file;
	json_t *request = json_object();

	(void)state;
	assert_int_equal(open_file(&file, false, &request), LK_EXIT_OK);
	assert_refused(true, &request, "is being written by another export");
	lk_export_file_close(&file);
	json_decref(request);
}

static void test_export_file_takes_nobodys_place(void **state)
{
	struct lk_export_file file;
	json_t *request = json_object();

	(void)state;
	assert_int_equal(open_file(&file, false, &request), LK_EXIT_OK);
	put_text(path, "mine");
	assert_int_equal(lk_export_file_finish(&file), LK_EXIT_USAGE);
	lk_export_file_close(&file);
	assert_holds(path, "mine");
	json_decref(request);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_export_file_gets_its_name_when_it_is_whole),
		TEST(test_export_file_goes_on_where_it_counts),
		TEST(test_export_file_goes_on_with_the_first_instants),
		TEST(test_export_file_begins_where_nothing_counts),
		TEST(test_export_file_refuses_what_does_not_add_up),
		TEST(test_export_file_is_written_by_one_alone),
		TEST(test_export_file_takes_nobodys_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

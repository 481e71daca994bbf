/* latchkey key verify-batch: verdicts on tokens that stand in a file, one a line; see key.h. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "latchkey/v1/descriptors.h"
#include "tools/latchkey/key.h"
#include "tools/latchkey/line_reader.h"
#include "tools/latchkey/output.h"
#include "tools/latchkey/progress.h"

#define METHOD "latchkey.v1.KeyService/VerifyBatch"

/* What a request may have: items, and bytes of tokens, well below the 1 MiB of all of it. */
#define ITEMS_MAX 1000
#define BYTES_MAX ((size_t)512 << 10)
/* So many rows are a table: one of all lines would take memory without end, and show nothing until the last. */
#define ROWS_MAX 10000

static const struct lk_show_field row_fields[] = {
	{.column = {.header = "LINE"}, .path = "line"},
	{.column = {.header = "VERDICT"}, .path = "verdict.code", .prefix = "VERIFY_CODE_"},
	{.column = {.header = "KEY"}, .path = "verdict.key.id"},
	{.column = {.header = "TENANT", .dispensable = 2, .least = 8}, .path = "verdict.key.tenant"},
	{.column = {.header = "KEYSPACE", .dispensable = 3, .least = 8}, .path = "verdict.key.keyspace"},
	{.column = {.header = "NAME", .dispensable = 4, .least = 8}, .path = "verdict.key.name"},
	{.column = {.header = "OWNER", .dispensable = 1, .least = 6}, .path = "verdict.key.owner"},
	{.column = {.header = "EXPIRES", .dispensable = 5}, .path = "verdict.key.expireTime", .kind = LK_SHOW_TIME},
};

struct verifying {
	struct lk_run *run;
	struct lk_line_reader lines;
	/* Shown where the answers go elsewhere than to a terminal, on which they are progress enough. */
	bool shows_progress;
	struct lk_progress progress;
	/* The tokens that are next to be asked about, and how many bytes they have. */
	json_t *items;
	size_t bytes;
	/* The line of the first of them, from 1. */
	size_t line;
	/* Of a table: what it shows. */
	json_t *rows;
	bool all_valid;
};

/* Puts the charges where the method has them, beside the other flags. */
static bool move_charges(json_t *request)
{
	json_t *charges = json_incref(json_object_get(request, "rate_charges"));
	json_t *options = json_object_get(request, "options");
	bool ok = true;

	if (charges) {
		(void)json_object_del(request, "rate_charges");
		if (!options) {
			ok = json_object_set_new(request, "options", json_object()) == 0;
			options = json_object_get(request, "options");
		}
		ok = ok && json_object_set(options, "rate_charges", charges) == 0;
	}
	json_decref(charges);
	return ok;
}

/* One JSON object a line; on a terminal, where it must do nothing, with all but ASCII escaped. */
static enum lk_exit print_line(const json_t *outcome)
{
	size_t flags = JSON_COMPACT | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0);

	if (json_dumpf(outcome, stdout, flags) == 0 && putchar('\n') != EOF) {
		return LK_EXIT_OK;
	}
	return ferror(stdout) ? lk_output_end() : lk_say_no_memory();
}

/* Says what is wrong with an item: with what was asked about all. */
static enum lk_exit refused(const struct verifying *verifying, const json_t *outcome)
{
	const json_t *violations = json_object_get(outcome, "violations");
	size_t n = json_array_size(violations), i;
	struct lk_violation *list = calloc(n + 1, sizeof(*list));
	struct lk_call call = LK_CALL_INIT;
	const json_t *violation;
	enum lk_exit code;

	if (!list) {
		return lk_say_no_memory();
	}
	json_array_foreach(violations, i, violation)
	{
		list[i].field = (char *)json_string_value(json_object_get(violation, "field"));
		list[i].description = (char *)json_string_value(json_object_get(violation, "description"));
	}
	call.message = (char *)json_string_value(json_object_get(outcome, "message"));
	call.violations = list;
	call.n_violations = n;
	code = lk_session_refused(lk_schema_method(verifying->run->schema, METHOD),
		lk_err_from_wire((uint32_t)json_integer_value(json_object_get(outcome, "code"))), &call);
	free(list);
	return code;
}

/* Shows the rows that were kept, and lets go of them. Whatever came before something went wrong is shown too. */
static enum lk_exit show(const struct verifying *verifying)
{
	enum lk_err err = LK_OK;

	if (json_array_size(verifying->rows) > 0) {
		err = lk_show_rows(row_fields, sizeof(row_fields) / sizeof(row_fields[0]), verifying->rows, "",
			&verifying->run->page);
		(void)json_array_clear(verifying->rows);
	}
	return err == LK_NO_MEMORY ? lk_say_no_memory() : lk_output_end();
}

/* Shows the outcome of the next item, or keeps it for the table. */
static enum lk_exit take(struct verifying *verifying, json_t *outcome)
{
	const json_t *verdict = json_object_get(outcome, "verdict");

	if (!json_is_object(verdict)) {
		return refused(verifying, outcome);
	}
	verifying->all_valid = verifying->all_valid && lk_key_judge_verdict(verdict) == LK_EXIT_OK;
	if (json_object_set_new(outcome, "line", json_integer((json_int_t)verifying->line++)) != 0) {
		return lk_say_no_memory();
	}
	if (verifying->run->options->json) {
		return print_line(outcome);
	}
	if (json_array_append(verifying->rows, outcome) != 0) {
		return lk_say_no_memory();
	}
	return json_array_size(verifying->rows) == ROWS_MAX ? show(verifying) : LK_EXIT_OK;
}

/* One call, and what it answers: of the first few items at least. */
static enum lk_exit ask(struct verifying *verifying)
{
	json_t *response = NULL, *outcomes, *outcome;
	enum lk_exit code;
	size_t i, n;

	if (json_object_set(verifying->run->request, "items", verifying->items) != 0) {
		return lk_say_no_memory();
	}
	code = lk_run_call(verifying->run, verifying->run->request, &response);
	outcomes = json_object_get(response, "outcomes");
	n = json_array_size(outcomes);
	if (code == LK_EXIT_OK && (n == 0 || n > json_array_size(verifying->items))) {
		lk_say("keys.verify: %zu outcomes of %zu tokens: not an answer of this daemon's", n,
			json_array_size(verifying->items));
		code = LK_EXIT_UNREACHABLE;
	}
	for (i = 0; code == LK_EXIT_OK && i < n; i++) {
		outcome = json_array_get(outcomes, i);
		code = take(verifying, outcome);
		(void)json_array_remove(verifying->items, 0);
	}
	json_decref(response);
	if (verifying->shows_progress) {
		lk_progress_tell(&verifying->progress, verifying->line - 1, verifying->lines.bytes);
	}
	/* Whoever reads the lines of JSON has them now, and where nobody does, nothing more is asked. */
	return code == LK_EXIT_OK && verifying->run->options->json ? lk_output_end() : code;
}

/* Asks about all the tokens that were read, as often as it takes. */
static enum lk_exit ask_all(struct verifying *verifying)
{
	enum lk_exit code = LK_EXIT_OK;

	while (code == LK_EXIT_OK && json_array_size(verifying->items) > 0) {
		code = ask(verifying);
	}
	verifying->bytes = 0;
	return code;
}

/* Adds a token; in JSON bytes are base64. */
static enum lk_exit add(struct verifying *verifying, const char *token, size_t len)
{
	size_t size = sodium_base64_ENCODED_LEN(len, sodium_base64_VARIANT_ORIGINAL);
	enum lk_exit code = LK_EXIT_OK;
	char *text;

	if (json_array_size(verifying->items) == ITEMS_MAX || verifying->bytes + len > BYTES_MAX) {
		code = ask_all(verifying);
	}
	text = code == LK_EXIT_OK ? malloc(size) : NULL;
	if (code != LK_EXIT_OK) {
		return code;
	}
	if (!text) {
		return lk_say_no_memory();
	}
	(void)sodium_bin2base64(text, size, (const unsigned char *)token, len, sodium_base64_VARIANT_ORIGINAL);
	if (json_array_append_new(verifying->items, json_pack("{s:s}", "token", text)) != 0) {
		code = lk_say_no_memory();
	}
	sodium_memzero(text, size);
	free(text);
	verifying->bytes += len;
	return code;
}

static enum lk_exit read_all(struct verifying *verifying)
{
	enum lk_exit code = LK_EXIT_OK;
	const char *text = "";
	size_t len = 0;

	while (code == LK_EXIT_OK) {
		switch (lk_line_reader_next(&verifying->lines, &text, &len)) {
		case LK_LINE_READER_LINE:
			code = add(verifying, text, len);
			break;
		case LK_LINE_READER_TOO_LONG:
			code = ask_all(verifying);
			if (code == LK_EXIT_OK) {
				lk_say("line %zu: too long: a token has at most 4 KiB", verifying->lines.number);
				code = LK_EXIT_USAGE;
			}
			break;
		case LK_LINE_READER_FAILED:
			lk_say("cannot read line %zu: %s", verifying->lines.number + 1, strerror(errno));
			code = LK_EXIT_USAGE;
			break;
		case LK_LINE_READER_END:
			if (verifying->lines.number == 0) {
				lk_say("there is no token: give one a line");
				return LK_EXIT_USAGE;
			}
			return ask_all(verifying);
		}
	}
	return code;
}

static void start_progress(struct verifying *verifying, int fd)
{
	struct stat status;
	bool is_known = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);

	verifying->shows_progress = isatty(STDOUT_FILENO) != 1;
	lk_progress_start(&verifying->progress, is_known ? (uint64_t)status.st_size : 0);
	verifying->progress.unit = "tokens";
}

static enum lk_exit verify(struct verifying *verifying, int fd)
{
	enum lk_exit code = LK_EXIT_OK, shown;

	if (!verifying->items || !verifying->rows || !move_charges(verifying->run->request) ||
		lk_line_reader_open(&verifying->lines, fd) != 0 ||
		(!verifying->run->schema && lk_schema_open(latchkey_v1_descriptor_set, latchkey_v1_descriptor_set_len,
						    &verifying->run->schema) != LK_OK)) {
		return lk_say_no_memory();
	}
	start_progress(verifying, fd);
	code = read_all(verifying);
	lk_progress_hide(&verifying->progress);
	shown = show(verifying);
	if (code == LK_EXIT_OK) {
		code = shown;
	}
	return code == LK_EXIT_OK && !verifying->all_valid ? LK_EXIT_VERDICT : code;
}

enum lk_exit lk_key_run_verify_batch(struct lk_run *run)
{
	struct verifying verifying = {
		.run = run, .items = json_array(), .rows = json_array(), .line = 1, .all_valid = true};
	const char *path = run->own[LK_OWN_OPERAND];
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum lk_exit code = LK_EXIT_USAGE;

	if (fd < 0) {
		/* It may be a token that somebody took for what is given here: it is not said again. */
		lk_say("cannot read the tokens: the FILE that was given: %s: give a file with a token a line, or - for "
		       "standard input",
			strerror(errno));
	} else {
		code = verify(&verifying, fd);
	}
	lk_line_reader_done(&verifying.lines);
	json_decref(verifying.items);
	json_decref(verifying.rows);
	if (fd > STDIN_FILENO) {
		close(fd);
	}
	return code;
}

#include "tools/latchkey/import.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "latchkey/v1/descriptors.h"
#include "latchkey/v1/key.pb-c.h"
#include "tools/latchkey/import_batch.h"
#include "tools/latchkey/json.h"
#include "tools/latchkey/line_reader.h"
#include "tools/latchkey/output.h"

#define METHOD "latchkey.v1.KeyService/Import"

/* Batches under way: while the daemon's disk writes one, the next are checked, and this program reads the one behind. */
#define LANES 4
/* The budget of one batch where the user gave none: a thousand keys behind three thousand others on a slow disk. */
#define BATCH_TIMEOUT_MS 30000

/* One import. */
struct import {
	struct lk_run *run;
	struct lk_schema *schema;
	const struct lk_schema_method *method;
	struct lk_line_reader lines;
	bool validate_only;
	/* --skip-faulty, or --validate-only, which looks at every line too. */
	bool goes_on;
	struct lk_batch_rules rules;
	/* The fields of the request beside its keys. */
	uint8_t *others;
	size_t others_len;
	struct lk_batch batches[LANES];
	/* The batch that is being filled, and the one that was sent first of those under way. */
	size_t filling, oldest;
	size_t under_way;
	struct lk_progress progress;
	struct lk_import_tally tally;
};

static enum lk_exit encode_others(struct import *import)
{
	char *fault = NULL;

	if (import->others) {
		sodium_memzero(import->others, import->others_len);
	}
	free(import->others);
	import->others = NULL;
	if (lk_json_encode(import->schema, import->method->input, import->run->request, &import->others,
		    &import->others_len, &fault) == LK_OK) {
		return LK_EXIT_OK;
	}
	lk_say("%s", fault ? fault : "out of memory");
	free(fault);
	return LK_EXIT_USAGE;
}

/* The first line's verify.key goes with every batch, unless --verify-key says another. */
static enum lk_exit take_head(struct import *import, const struct lk_import_line *head)
{
	json_t *request = import->run->request;

	if (*head->verify_key == '\0' || json_object_get(request, "verify_key")) {
		return LK_EXIT_OK;
	}
	if (json_object_set_new(request, "verify_key", json_string(head->verify_key)) != 0) {
		return lk_say_no_memory();
	}
	return encode_others(import);
}

/* Finishes the batch that was sent first. */
static enum lk_exit finish_one(struct import *import)
{
	struct lk_batch *batch = &import->batches[import->oldest];
	uint64_t read_bytes = batch->read_bytes;
	uint64_t faulty = import->tally.faulty;
	enum lk_exit code = lk_batch_finish(batch, import->method, &import->rules, &import->progress, &import->tally);

	import->oldest = (import->oldest + 1) % LANES;
	import->under_way--;
	if (code == LK_EXIT_OK && !import->goes_on && import->tally.faulty > faulty) {
		code = LK_EXIT_REFUSED;
	}
	lk_progress_tell(
		&import->progress, import->tally.imported + import->tally.existing + import->tally.faulty, read_bytes);
	return code;
}

/* Sends the batch that is full, and makes room for the next. */
static enum lk_exit send_batch(struct import *import)
{
	struct lk_batch *batch = &import->batches[import->filling];

	if (batch->n_keys == 0) {
		return LK_EXIT_OK;
	}
	batch->read_bytes = import->lines.bytes;
	if (lk_batch_send(batch, import->others, import->others_len) != LK_OK) {
		return lk_say_no_memory();
	}
	import->filling = (import->filling + 1) % LANES;
	import->under_way++;
	return import->under_way == LANES ? finish_one(import) : LK_EXIT_OK;
}

static enum lk_exit add_key(struct import *import, const struct lk_import_line *key)
{
	enum lk_exit code = LK_EXIT_OK;

	if (!lk_batch_has_room(&import->batches[import->filling], import->others_len, key->len)) {
		code = send_batch(import);
	}
	if (code == LK_EXIT_OK) {
		lk_batch_add(&import->batches[import->filling], key, import->lines.number);
	}
	return code;
}

/* Says what is wrong with the line; whether that is the end of it. */
static enum lk_exit bad_line(struct import *import, size_t column, const char *fault)
{
	import->tally.faulty++;
	lk_progress_hide(&import->progress);
	if (column > 0) {
		lk_say_line("line %zu, column %zu: %s", import->lines.number, column, fault);
	} else {
		lk_say_line("line %zu: %s", import->lines.number, fault);
	}
	return import->goes_on ? LK_EXIT_OK : LK_EXIT_USAGE;
}

static enum lk_exit read_line(struct import *import, const char *text, size_t len)
{
	struct lk_import_line line = {0};
	char *fault = NULL;
	size_t column = 0;
	enum lk_exit code = LK_EXIT_OK;
	enum lk_err err = lk_import_line_read(import->schema, text, len, import->lines.number, &line, &fault, &column);

	if (err != LK_OK && !fault) {
		code = lk_say_no_memory();
	} else if (err != LK_OK) {
		code = bad_line(import, column, fault);
	} else if (line.kind == LK_IMPORT_HEAD) {
		code = take_head(import, &line);
	} else if (line.kind == LK_IMPORT_KEY) {
		code = add_key(import, &line);
	}
	lk_import_line_done(&line);
	free(fault);
	return code;
}

/* Reads to the end, or to what ends the import. */
static enum lk_exit read_lines(struct import *import)
{
	enum lk_exit code = LK_EXIT_OK;
	const char *text = "";
	size_t len = 0;

	while (code == LK_EXIT_OK) {
		switch (lk_line_reader_next(&import->lines, &text, &len)) {
		case LK_LINE_READER_LINE:
			code = read_line(import, text, len);
			break;
		case LK_LINE_READER_TOO_LONG:
			code = bad_line(import, 0, "too long: a key has at most 128 KiB of JSON");
			break;
		case LK_LINE_READER_FAILED:
			lk_progress_hide(&import->progress);
			lk_say("cannot read line %zu: %s", import->lines.number + 1, strerror(errno));
			code = LK_EXIT_USAGE;
			break;
		case LK_LINE_READER_END:
			return send_batch(import);
		}
	}
	return code;
}

/* Reads and sends everything; whatever comes of it, what is under way is waited for and counted. */
static enum lk_exit import_all(struct import *import)
{
	enum lk_exit code = read_lines(import), finished;

	while (import->under_way > 0) {
		finished = finish_one(import);
		code = code == LK_EXIT_OK ? finished : code;
	}
	lk_progress_hide(&import->progress);
	return code;
}

static const struct lk_show_field summary_fields[] = {
	{.column = {.header = "Imported"}, .path = "imported"},
	{.column = {.header = "Good"}, .path = "good"},
	{.column = {.header = "Existing"}, .path = "existing"},
	{.column = {.header = "Faulty"}, .path = "faulty"},
	{.column = {.header = "Lines"}, .path = "lines"},
	{.column = {.header = "Elapsed"}, .path = "elapsed"},
	{.column = {.header = "Keys/s"}, .path = "keysPerSecond"},
};

static enum lk_exit print_summary(const struct import *import)
{
	const struct lk_import_tally *tally = &import->tally;
	int64_t ms = lk_progress_elapsed_ms(&import->progress);
	uint64_t keys = tally->imported + tally->existing + tally->faulty;
	char elapsed[32];
	enum lk_err err;

	snprintf(elapsed, sizeof(elapsed), "%lld.%03llds", (long long)ms / 1000, (long long)ms % 1000);
	json_t *summary = json_pack("{s:I, s:I, s:I, s:I, s:s, s:I}", import->validate_only ? "good" : "imported",
		(json_int_t)tally->imported, "existing", (json_int_t)tally->existing, "faulty",
		(json_int_t)tally->faulty, "lines", (json_int_t)import->lines.number, "elapsed", elapsed,
		"keysPerSecond", (json_int_t)(keys * 1000 / (uint64_t)(ms > 0 ? ms : 1)));

	if (!summary) {
		return lk_say_no_memory();
	}
	err = import->run->options->json
		      ? lk_output_json(summary)
		      : lk_show_record(summary_fields, sizeof(summary_fields) / sizeof(summary_fields[0]), summary,
				&import->run->page);
	json_decref(summary);
	return err == LK_NO_MEMORY ? lk_say_no_memory() : lk_output_end();
}

/* Asks whether anybody is there, so that it shows at once where nobody is. */
static enum lk_exit greet(struct import *import)
{
	const struct lk_schema_method *check = lk_schema_method(import->schema, "latchkey.v1.HealthService/Check");
	json_t *nothing = json_object(), *response = NULL;
	enum lk_exit code = nothing ? lk_session_call(import->run->session, import->schema, check, nothing, &response)
				    : lk_say_no_memory();

	json_decref(nothing);
	json_decref(response);
	return code;
}

static enum lk_exit open_file(const char *path, int *ret_fd, uint64_t *ret_size)
{
	struct stat status;

	*ret_fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*ret_fd < 0 || fstat(*ret_fd, &status) != 0) {
		lk_say("cannot read the keys from %s: %s", path, strerror(errno));
		return LK_EXIT_USAGE;
	}
	*ret_size = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
	return LK_EXIT_OK;
}

static bool is_set(const json_t *request, const char *flag)
{
	return json_is_true(json_object_get(request, flag));
}

/* What the flags mean for the requests. A key that exists is found by its fault, which the daemon tells of keys it leaves out. */
static enum lk_exit read_flags(struct import *import)
{
	json_t *request = import->run->request;
	bool skip_faulty = is_set(request, "skip_faulty");

	import->validate_only = is_set(request, "validate_only");
	import->goes_on = skip_faulty || import->validate_only;
	import->rules.skip_existing = import->run->own[LK_OWN_SKIP_EXISTING] != NULL;
	import->rules.skip_faulty = import->goes_on;
	if ((import->goes_on || import->rules.skip_existing) &&
		json_object_set_new(request, "skip_faulty", json_true()) != 0) {
		return lk_say_no_memory();
	}
	return encode_others(import);
}

static enum lk_exit start(struct import *import, int fd, uint64_t size)
{
	uint32_t timeout_ms = import->run->options->timeout_ms;

	if (timeout_ms == LK_OPTIONS_DEFAULT_TIMEOUT_MS) {
		timeout_ms = BATCH_TIMEOUT_MS;
	}
	for (size_t i = 0; i < LANES; i++) {
		if (lk_lane_open(lk_session_channel(import->run->session), METHOD, LK_EFFECT_BULK, timeout_ms,
			    &import->batches[i].lane) != LK_OK) {
			return lk_say_no_memory();
		}
	}
	if (lk_line_reader_open(&import->lines, fd) != 0) {
		return lk_say_no_memory();
	}
	lk_progress_start(&import->progress, size);
	return LK_EXIT_OK;
}

static void stop(struct import *import)
{
	for (size_t i = 0; i < LANES; i++) {
		lk_lane_close(import->batches[i].lane);
		lk_batch_done(&import->batches[i]);
	}
	lk_line_reader_done(&import->lines);
	free(import->others);
	lk_schema_free(import->schema);
	free(import);
}

/* What the whole came to. */
static enum lk_exit conclude(struct import *import, enum lk_exit code)
{
	enum lk_exit printed = print_summary(import);

	if (code != LK_EXIT_OK && code != LK_EXIT_UNREACHABLE && !import->validate_only && import->tally.imported > 0) {
		lk_say("stopped; once that is mended, run it again with --skip-existing");
	} else if (code == LK_EXIT_UNREACHABLE) {
		lk_say("stopped; run it again with --skip-existing");
	}
	/* Of a check alone, a fault is the answer. */
	if (code == LK_EXIT_OK && import->validate_only && import->tally.faulty > 0) {
		code = LK_EXIT_REFUSED;
	}
	return code != LK_EXIT_OK ? code : printed;
}

enum lk_exit lk_import_run(struct lk_run *run)
{
	struct import *import = calloc(1, sizeof(*import));
	uint64_t size = 0;
	int fd = -1;
	enum lk_exit code = import ? open_file(run->own[LK_OWN_OPERAND], &fd, &size) : lk_say_no_memory();

	if (code != LK_EXIT_OK) {
		free(import);
		return code;
	}
	import->run = run;
	if (lk_schema_open(latchkey_v1_descriptor_set, latchkey_v1_descriptor_set_len, &import->schema) != LK_OK) {
		code = lk_say_no_memory();
	}
	if (code == LK_EXIT_OK) {
		import->method = lk_schema_method(import->schema, METHOD);
		code = read_flags(import);
	}
	if (code == LK_EXIT_OK) {
		code = greet(import);
	}
	if (code == LK_EXIT_OK) {
		code = start(import, fd, size);
	}
	if (code == LK_EXIT_OK) {
		code = conclude(import, import_all(import));
	}
	stop(import);
	if (fd > STDIN_FILENO) {
		close(fd);
	}
	return code;
}

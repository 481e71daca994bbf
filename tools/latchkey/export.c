#include "tools/latchkey/export.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/varint.h"
#include "latchkey/v1/descriptors.h"
#include "tools/latchkey/export_file.h"
#include "tools/latchkey/import_line.h"
#include "tools/latchkey/json.h"
#include "tools/latchkey/lane.h"
#include "tools/latchkey/output.h"
#include "tools/latchkey/progress.h"

#define METHOD      "latchkey.v1.KeyService/Export"
#define LIST_METHOD "latchkey.v1.KeyService/List"

/* One answers while the page of the other is written. */
#define LANES 2
/* The budget of one page where the user gave none. */
#define PAGE_TIMEOUT_MS 30000

/* The fields of ExportKeysResponse and, behind them, that of ListKeysResponse with the total. */
enum {
	keys_field = 1,
	next_page_token_field = 2,
	verify_key_field = 3,
	total_size_field = 3,
};

/* One page, in the bytes of its answer. */
struct page {
	const uint8_t *data;
	size_t len;
	const char *next_token, *verify_key;
	size_t next_token_len, verify_key_len;
};

/* One export. */
struct export
{
	struct lk_run *run;
	struct lk_schema *schema;
	const struct lk_schema_method *method;
	const struct lk_schema_message *exported;
	struct lk_lane *lanes[LANES];
	uint8_t *requests[LANES];
	/* The lane that was sent to last. */
	size_t lane;
	struct lk_export_file file;
	struct lk_bytes lines;
	/* How JSON is written. */
	size_t json_flags;
	struct lk_progress progress;
};

/* Asks for the page of run->request on the other lane. */
static enum lk_exit send(struct export *export)
{
	size_t lane = (export->lane + 1) % LANES, len = 0;
	char *fault = NULL;

	free(export->requests[lane]);
	export->requests[lane] = NULL;
	if (lk_json_encode(export->schema, export->method->input, export->run->request, &export->requests[lane], &len,
		    &fault) != LK_OK) {
		lk_say("%s", fault ? fault : "out of memory");
		free(fault);
		return LK_EXIT_USAGE;
	}
	lk_lane_send(export->lanes[lane], export->requests[lane], len);
	export->lane = lane;
	return LK_EXIT_OK;
}

/* Finds what stands around the keys. False: it is no page. */
static bool read_page(struct page *page)
{
	const uint8_t *at = page->data, *end = at + page->len, *data = NULL;
	enum lk_wire_type type = LK_WIRE_VARINT;
	uint32_t field = 0;
	size_t len = 0;

	while (at && at < end) {
		if (!lk_varint_get_tag(&at, end, &field, &type)) {
			return false;
		}
		if (type != LK_WIRE_BYTES) {
			if (!lk_varint_skip(&at, end, type)) {
				return false;
			}
			continue;
		}
		if (!lk_varint_get_bytes(&at, end, &data, &len)) {
			return false;
		}
		if (field == next_page_token_field) {
			page->next_token = (const char *)data;
			page->next_token_len = len;
		} else if (field == verify_key_field) {
			page->verify_key = (const char *)data;
			page->verify_key_len = len;
		}
	}
	return true;
}

static enum lk_exit wait_for_page(struct export *export, struct page *ret)
{
	const struct lk_call *call = NULL;
	struct page page = {0};
	enum lk_err err = lk_lane_wait(export->lanes[export->lane], &page.data, &page.len, &call);

	if (err != LK_OK) {
		lk_progress_hide(&export->progress);
		return lk_session_refused(export->method, err, call);
	}
	if (!read_page(&page)) {
		lk_progress_hide(&export->progress);
		lk_say("%s: an answer that cannot be read", METHOD);
		return LK_EXIT_UNREACHABLE;
	}
	*ret = page;
	return LK_EXIT_OK;
}

static int append(const char *text, size_t len, void *lines)
{
	lk_bytes_append(lines, text, len);
	return 0;
}

/* Adds a line. Takes `object` over; NULL: no memory. */
static bool add_line(struct export *export, json_t *object)
{
	bool is_added = object && json_dump_callback(object, append, &export->lines, export->json_flags) == 0;

	lk_bytes_append(&export->lines, "\n", 1);
	json_decref(object);
	return is_added && !export->lines.failed;
}

static bool add_head(struct export *export, const struct page *page)
{
	json_t *head = json_pack("{s:s, s:i}", "format", LK_KEYS_FORMAT, "version", LK_KEYS_VERSION);

	if (head && page->verify_key_len > 0 &&
		json_object_set_new(head, "verifyKey", json_stringn(page->verify_key, page->verify_key_len)) != 0) {
		json_decref(head);
		head = NULL;
	}
	return add_line(export, head);
}

static enum lk_exit add_key(struct export *export, const uint8_t *data, size_t len)
{
	json_t *key = NULL;
	char *fault = NULL;

	if (lk_json_decode(export->schema, export->exported, data, len, 0, &key, &fault) != LK_OK) {
		lk_progress_hide(&export->progress);
		lk_say("%s: an answer that cannot be read: %s", METHOD, fault ? fault : "out of memory");
		free(fault);
		return LK_EXIT_UNREACHABLE;
	}
	return add_line(export, key) ? LK_EXIT_OK : lk_say_no_memory();
}

/* Writes the keys of a page. */
static enum lk_exit write_page(struct export *export, const struct page *page)
{
	const uint8_t *at = page->data, *end = at + page->len, *data = NULL;
	enum lk_wire_type type = LK_WIRE_VARINT;
	enum lk_exit code = LK_EXIT_OK;
	uint32_t field = 0;
	uint64_t keys = 0;
	size_t len = 0;

	/* What was interrupted before its head counted begins again. */
	if (export->file.bytes == 0 && !add_head(export, page)) {
		code = lk_say_no_memory();
	}
	while (code == LK_EXIT_OK && at && at < end && lk_varint_get_tag(&at, end, &field, &type)) {
		if (field != keys_field || type != LK_WIRE_BYTES) {
			(void)lk_varint_skip(&at, end, type);
		} else if (lk_varint_get_bytes(&at, end, &data, &len)) {
			code = add_key(export, data, len);
			keys++;
		}
	}
	if (code == LK_EXIT_OK) {
		code = lk_export_file_write(&export->file, &export->lines, keys);
	}
	lk_bytes_done(&export->lines);
	return code;
}

/* Sets the page that is asked for next. */
static enum lk_exit turn(struct export *export, const struct page *page)
{
	json_t *token = json_stringn(page->next_token, page->next_token_len);

	return json_object_set_new(export->run->request, "page_token", token) == 0 ? LK_EXIT_OK : lk_say_no_memory();
}

/* Page after page. */
static enum lk_exit export_all(struct export *export)
{
	enum lk_exit code = send(export);
	bool is_last = false;

	while (code == LK_EXIT_OK && !is_last) {
		struct page page = {0};

		code = wait_for_page(export, &page);
		is_last = code == LK_EXIT_OK && page.next_token_len == 0;
		if (code == LK_EXIT_OK && !is_last) {
			code = turn(export, &page);
		}
		if (code == LK_EXIT_OK && !is_last) {
			code = send(export);
		}
		if (code == LK_EXIT_OK) {
			code = write_page(export, &page);
		}
		if (code == LK_EXIT_OK && !is_last) {
			code = lk_export_file_keep(&export->file, export->run->request);
		}
		lk_progress_tell(&export->progress, export->file.keys, export->file.keys);
	}
	lk_progress_hide(&export->progress);
	return code == LK_EXIT_OK ? lk_export_file_finish(&export->file) : code;
}

/*
 * How many keys there are, for the bar: what List knows without counting them. 0 where nobody knows, and where the caller may not
 * list keys, which is no fault of an export.
 */
static uint64_t ask_total(const struct export *export)
{
	const struct lk_schema_method *list = lk_schema_method(export->schema, LIST_METHOD);
	json_t *request = json_object(), *filter = json_object_get(export->run->request, "filter");
	json_t *tenant = json_object_get(export->run->request, "tenant"), *response = NULL;
	uint8_t *encoded = NULL, *answer = NULL;
	size_t encoded_len = 0, len = 0;
	struct lk_call call = LK_CALL_INIT;
	char *fault = NULL;
	long long total = 0;

	json_object_set_new(request, "page_size", json_integer(1));
	json_object_set(request, "filter", filter);
	json_object_set(request, "tenant", tenant);
	call.timeout_ms = export->run->options->timeout_ms;
	if (lk_json_encode(export->schema, list->input, request, &encoded, &encoded_len, &fault) == LK_OK &&
		lk_channel_call_raw(lk_session_channel(export->run->session), LIST_METHOD, LK_EFFECT_SCAN, encoded,
			encoded_len, &answer, &len, &call) == LK_OK &&
		lk_json_decode(export->schema, list->output, answer, len, 0, &response, &fault) == LK_OK) {
		const char *text = json_string_value(json_object_get(response, "totalSize"));
		total = text ? strtoll(text, NULL, 10) : 0;
	}
	lk_call_done(&call);
	json_decref(request);
	json_decref(response);
	free(encoded);
	free(answer);
	free(fault);
	return total > 0 ? (uint64_t)total : 0;
}

static enum lk_exit conclude(const struct export *export, uint64_t resumed_at)
{
	int64_t ms = lk_progress_elapsed_ms(&export->progress);
	uint64_t keys = export->file.keys - resumed_at, rate = keys * 1000 / (uint64_t)(ms > 0 ? ms : 1);
	char number[LK_PROGRESS_NUMBER_MAX], per_second[LK_PROGRESS_NUMBER_MAX], elapsed[32];
	enum lk_err err;

	snprintf(elapsed, sizeof(elapsed), "%lld.%03llds", (long long)ms / 1000, (long long)ms % 1000);
	if (!export->run->options->json || !export->file.path) {
		lk_progress_number(export->file.keys, number);
		lk_progress_number(rate, per_second);
		lk_say_line("%s keys exported in %s, %s/s", number, elapsed, per_second);
		return LK_EXIT_OK;
	}
	json_t *summary = json_pack("{s:I, s:I, s:s, s:I}", "exported", (json_int_t) export->file.keys, "resumedAt",
		(json_int_t)resumed_at, "elapsed", elapsed, "keysPerSecond", (json_int_t)rate);
	if (!summary) {
		return lk_say_no_memory();
	}
	err = lk_output_json(summary);
	json_decref(summary);
	return err == LK_NO_MEMORY ? lk_say_no_memory() : lk_output_end();
}

static enum lk_exit start(struct export *export)
{
	uint32_t timeout_ms = export->run->options->timeout_ms;

	if (lk_schema_open(latchkey_v1_descriptor_set, latchkey_v1_descriptor_set_len, &export->schema) != LK_OK) {
		return lk_say_no_memory();
	}
	export->method = lk_schema_method(export->schema, METHOD);
	export->exported = lk_schema_message(export->schema, "latchkey.v1.ExportedKey");
	export->json_flags = JSON_COMPACT | (isatty(STDOUT_FILENO) == 1 && !export->file.path ? JSON_ENSURE_ASCII : 0);
	if (timeout_ms == LK_OPTIONS_DEFAULT_TIMEOUT_MS) {
		timeout_ms = PAGE_TIMEOUT_MS;
	}
	for (size_t i = 0; i < LANES; i++) {
		if (lk_lane_open(lk_session_channel(export->run->session), METHOD, LK_EFFECT_SCAN, timeout_ms,
			    &export->lanes[i]) != LK_OK) {
			return lk_say_no_memory();
		}
	}
	lk_progress_start(&export->progress, isatty(STDERR_FILENO) == 1 ? ask_total(export) : 0);
	return LK_EXIT_OK;
}

static void stop(struct export *export)
{
	for (size_t i = 0; i < LANES; i++) {
		lk_lane_close(export->lanes[i]);
		free(export->requests[i]);
	}
	lk_bytes_done(&export->lines);
	lk_export_file_close(&export->file);
	lk_schema_free(export->schema);
}

enum lk_exit lk_export_run(struct lk_run *run)
{
	struct export export = {.run = run, .file = {.fd = -1}};
	uint64_t resumed_at = 0;
	enum lk_exit code = lk_export_file_open(
		&export.file, run->own[LK_OWN_FILE], run->own[LK_OWN_RESUME] != NULL, &run->request);

	if (code == LK_EXIT_OK) {
		code = start(&export);
	}
	if (code == LK_EXIT_OK) {
		resumed_at = export.file.keys;
		code = export_all(&export);
		if (code == LK_EXIT_OK) {
			code = conclude(&export, resumed_at);
		} else if (export.file.path) {
			lk_say("stopped; go on with --resume");
		}
	}
	stop(&export);
	return code;
}

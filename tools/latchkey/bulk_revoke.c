/* latchkey key bulk-revoke: shows what it would do, asks, and calls until all is done; see key.h. */
#include <inttypes.h>

#include "tools/latchkey/confirm.h"
#include "tools/latchkey/key.h"
#include "tools/latchkey/progress.h"
#include "tools/latchkey/text.h"

static const struct lk_show_field fields[] = {
	{.column = {.header = "Keys"}, .path = "totalSize"},
	{.column = {.header = "Revoked"}, .path = "revokedCount"},
};

/* Of the keys that would be revoked: enough to see what was meant. */
static const struct lk_show_field sample_fields[] = {
	{.column = {.header = "ID"}, .path = "id"},
	{.column = {.header = "NAME", .least = 8}, .path = "name"},
	{.column = {.header = "KEYSPACE", .dispensable = 2, .least = 8}, .path = "keyspace"},
	{.column = {.header = "OWNER", .dispensable = 3, .least = 6}, .path = "owner"},
	{.column = {.header = "STATE"}, .path = "state", .prefix = "KEY_STATE_"},
	{.column = {.header = "LAST USED", .dispensable = 1},
		.path = "lastUsedTime",
		.kind = LK_SHOW_TIME,
		.absent = "Never"},
};

static bool is_rehearsal(const struct lk_run *run)
{
	return json_is_true(json_object_get(run->request, "validate_only"));
}

static enum lk_err show_sample(const json_t *response, const struct lk_page *page)
{
	const json_t *sample = json_object_get(response, "sample");

	if (json_array_size(sample) == 0) {
		return LK_OK;
	}
	return lk_show_rows(sample_fields, sizeof(sample_fields) / sizeof(sample_fields[0]), sample, "", page);
}

enum lk_err lk_key_show_bulk_revoke(const struct lk_run *run, const json_t *response)
{
	uint64_t total = lk_run_count(response, "totalSize");

	if (!is_rehearsal(run)) {
		return lk_show_record(fields, sizeof(fields) / sizeof(fields[0]), response, &run->page);
	}
	if (total == 0) {
		lk_say_line("no keys would be revoked");
	} else {
		lk_say_line("%" PRIu64 " would be revoked%s", total,
			json_array_size(json_object_get(response, "sample")) < total ? ", among them:" : ":");
	}
	return show_sample(response, &run->page);
}

/* Counts, shows some of what would be revoked, and asks. `*ret_go_on` is false where nothing is to be done. */
static enum lk_exit ask(struct lk_run *run, bool *ret_go_on)
{
	const struct lk_page page = {
		.file = stderr, .columns = lk_text_columns(stderr), .coloured = lk_text_coloured(stderr)};
	json_t *rehearsal = json_copy(run->request), *response = NULL;
	enum lk_exit code;

	if (!rehearsal || json_object_set_new(rehearsal, "validate_only", json_true()) != 0) {
		json_decref(rehearsal);
		return lk_say_no_memory();
	}
	code = lk_run_call(run, rehearsal, &response);
	if (code == LK_EXIT_OK) {
		uint64_t total = lk_run_count(response, "totalSize");

		if (total > 0 && show_sample(response, &page) != LK_OK) {
			code = lk_say_no_memory();
		} else if (total > 0) {
			*ret_go_on = lk_confirm("Revoke %" PRIu64 " %s for good?", total, total == 1 ? "key" : "keys");
		} else {
			lk_say_line("no keys would be revoked");
		}
	}
	json_decref(response);
	json_decref(rehearsal);
	return code;
}

/* Makes the request one that goes on where `response` stopped. False: no memory. */
static bool turn_page(struct lk_run *run, const json_t *response)
{
	json_t *tenant = json_incref(json_object_get(run->request, "tenant"));
	bool ok;

	json_object_clear(run->request);
	ok = !tenant || json_object_set(run->request, "tenant", tenant) == 0;
	json_decref(tenant);
	return ok && json_object_set(run->request, "page_token", json_object_get(response, "nextPageToken")) == 0;
}

static enum lk_exit revoke(struct lk_run *run, json_t **ret_response)
{
	struct lk_progress progress;
	json_t *response = NULL;
	enum lk_exit code = lk_run_call(run, run->request, &response);

	lk_progress_start(&progress, lk_run_count(response, "totalSize"));
	while (code == LK_EXIT_OK && json_string_length(json_object_get(response, "nextPageToken")) > 0) {
		uint64_t revoked = lk_run_count(response, "revokedCount");
		json_t *next = NULL;

		lk_progress_tell(&progress, revoked, revoked);
		code = turn_page(run, response) ? lk_run_call(run, run->request, &next) : lk_say_no_memory();
		if (code == LK_EXIT_OK) {
			json_decref(response);
			response = next;
		} else {
			lk_progress_hide(&progress);
			lk_say_line("%s of %s keys are revoked; the others the daemon revokes by itself",
				json_string_value(json_object_get(response, "revokedCount")),
				json_string_value(json_object_get(response, "totalSize")));
		}
	}
	lk_progress_hide(&progress);
	if (code == LK_EXIT_OK) {
		*ret_response = response;
	} else {
		json_decref(response);
	}
	return code;
}

enum lk_exit lk_key_run_bulk_revoke(struct lk_run *run)
{
	bool go_on = is_rehearsal(run) || run->own[LK_OWN_YES] != NULL;
	json_t *response = NULL;
	enum lk_exit code;

	if (!go_on && !lk_confirm_can_ask()) {
		lk_say("this revokes keys for good, and there is nobody to ask whether it is meant: see what it would "
		       "do with "
		       "--validate-only, and then give --yes");
		return LK_EXIT_USAGE;
	}
	if (!go_on) {
		code = ask(run, &go_on);
		if (code != LK_EXIT_OK || !go_on) {
			return code;
		}
	}
	code = revoke(run, &response);
	if (code == LK_EXIT_OK) {
		code = lk_run_print(run, response);
	}
	json_decref(response);
	return code;
}

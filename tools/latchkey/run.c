/* One command from its words to its exit code; see command.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "latchkey/v1/descriptors.h"
#include "tools/latchkey/command.h"
#include "tools/latchkey/output.h"
#include "tools/latchkey/request.h"

/* What a list asks for at a time where the user did not say. */
#define PAGE_SIZE 1000

/* Reads --limit. */
static enum lk_exit read_limit(struct lk_run *run)
{
	const char *text = run->own[LK_OWN_LIMIT];
	size_t digits = text ? strspn(text, "0123456789") : 0;

	if (!text) {
		return LK_EXIT_OK;
	}
	if (digits > 0 && digits < 10 && text[digits] == '\0') {
		run->limit = strtoul(text, NULL, 10);
	}
	if (run->limit > 0) {
		return LK_EXIT_OK;
	}
	lk_say("--limit \"%s\": give a whole number above 0", text);
	return LK_EXIT_USAGE;
}

/*
 * Whether the user turns the pages: then one is asked for, and shown with its next_page_token. Who names a limit wants as many as
 * that, from wherever and in pages however large.
 */
static bool is_paged_by_hand(const struct lk_run *run)
{
	return run->limit == 0 &&
	       (json_object_get(run->request, "page_size") || json_object_get(run->request, "page_token"));
}

/* Says how large the pages are to be, unless the user has. False: no memory. */
static bool set_page_size(const struct lk_run *run)
{
	json_int_t size = run->limit > 0 && run->limit < PAGE_SIZE ? (json_int_t)run->limit : PAGE_SIZE;

	return json_object_get(run->request, "page_size") ||
	       json_object_set_new(run->request, "page_size", json_integer(size)) == 0;
}

/* Takes the items of one page into `all`. False: that is enough. */
static bool gather(const struct lk_run *run, const json_t *page, json_t *all)
{
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(page, run->command->items), i, item)
	{
		if (run->limit > 0 && json_array_size(all) == run->limit) {
			return false;
		}
		if (json_array_append(all, item) != 0) {
			return false;
		}
	}
	return true;
}

enum lk_exit lk_run_call(struct lk_run *run, const json_t *request, json_t **ret_response)
{
	const char *name = lk_command_method(run->command)->method->name;

	if (!run->schema &&
		lk_schema_open(latchkey_v1_descriptor_set, latchkey_v1_descriptor_set_len, &run->schema) != LK_OK) {
		return lk_say_no_memory();
	}
	return lk_session_call(run->session, run->schema, lk_schema_method(run->schema, name), request, ret_response);
}

/* Asks for page after page, and puts their items into the last one, which is the answer. */
static enum lk_exit call_all_pages(struct lk_run *run, json_t **ret_response)
{
	json_t *all = json_array(), *page = NULL, *total = NULL;
	enum lk_exit code = LK_EXIT_OK;
	bool more = all && set_page_size(run);

	while (more && code == LK_EXIT_OK) {
		const json_t *next;

		json_decref(page);
		page = NULL;
		code = lk_run_call(run, run->request, &page);
		if (code != LK_EXIT_OK) {
			break;
		}
		total = total ? total : json_incref(json_object_get(page, "totalSize"));
		next = json_object_get(page, "nextPageToken");
		more = gather(run, page, all) && json_string_length(next) > 0;
		if (more && json_object_set(run->request, "page_token", (json_t *)next) != 0) {
			code = lk_say_no_memory();
		}
		/* Once is enough: it may mean to look at everything. */
		json_object_del(run->request, "count_total");
	}
	if (code == LK_EXIT_OK && (!page || json_object_set(page, run->command->items, all) != 0 ||
					  (total && json_object_set(page, "totalSize", total) != 0) ||
					  json_object_set_new(page, "nextPageToken", json_string("")) != 0)) {
		code = lk_say_no_memory();
	}
	json_decref(total);
	json_decref(all);
	if (code == LK_EXIT_OK) {
		*ret_response = page;
	} else {
		json_decref(page);
	}
	return code;
}

static enum lk_exit call(struct lk_run *run, json_t **ret_response)
{
	if (run->command->items && !is_paged_by_hand(run)) {
		return call_all_pages(run, ret_response);
	}
	return lk_run_call(run, run->request, ret_response);
}

/* Where the user turns the pages, says how to ask for the next. */
static void say_next_page(const struct lk_run *run, const json_t *response)
{
	const json_t *next = json_object_get(response, "nextPageToken");

	if (run->command->items && json_string_length(next) > 0) {
		lk_say_line("(more with --page-token %s)", json_string_value(next));
	}
}

enum lk_err lk_run_flush(const struct lk_run *run)
{
	return fflush(run->page.file) == 0 ? LK_OK : LK_IO;
}

uint64_t lk_run_count(const json_t *response, const char *name)
{
	const char *text = json_string_value(json_object_get(response, name));

	return text ? strtoull(text, NULL, 10) : 0;
}

enum lk_err lk_run_show_deleted(const struct lk_run *run, const json_t *response)
{
	(void)run;
	(void)response;
	lk_say_line("deleted");
	return LK_OK;
}

enum lk_exit lk_run_print(const struct lk_run *run, const json_t *response)
{
	enum lk_err err;
	enum lk_exit code;

	if (run->options->json) {
		err = lk_output_json(response);
	} else {
		err = run->command->show(run, response);
		say_next_page(run, response);
	}
	if (err == LK_NO_MEMORY) {
		return lk_say_no_memory();
	}
	code = lk_output_end();
	if (code == LK_EXIT_OK && run->command->judge) {
		code = run->command->judge(response);
	}
	return code;
}

enum lk_exit lk_command_run(const struct lk_command *command, const struct lk_options *options, char **words, size_t n)
{
	struct lk_run run = {.command = command, .options = options, .page = lk_output_page(), .token_fd = -1};
	json_t *response = NULL;
	enum lk_exit code = lk_request_read(command, words, n, time(NULL), &run.request, run.own), delivered;

	if (code == LK_EXIT_OK) {
		code = read_limit(&run);
	}
	if (code == LK_EXIT_OK) {
		code = lk_session_open(options, &run.session);
	}
	if (code == LK_EXIT_OK && command->prepare) {
		code = command->prepare(&run);
	}
	if (code == LK_EXIT_OK && command->run) {
		code = command->run(&run);
	} else if (code == LK_EXIT_OK) {
		code = call(&run, &response);
		delivered = command->deliver ? command->deliver(&run, response) : LK_EXIT_OK;
		if (code == LK_EXIT_OK) {
			code = lk_run_print(&run, response);
		}
		if (code == LK_EXIT_OK) {
			code = delivered;
		}
	}
	json_decref(response);
	json_decref(run.request);
	lk_schema_free(run.schema);
	lk_session_close(run.session);
	return code;
}

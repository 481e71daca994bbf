/* latchkey audit: who did what, and the proof that it was not changed afterwards. */
#include <string.h>

#include "latchkey/v1/audit.flags.h"
#include "tools/latchkey/command.h"
#include "tools/latchkey/progress.h"

/* What the names of our own methods begin with, which a table leaves out and --action may. */
#define PACKAGE "latchkey.v1."

static const struct lk_show_field list_fields[] = {
	{.column = {.header = "NUMBER"}, .path = "number"},
	{.column = {.header = "TIME"}, .path = "time", .kind = LK_SHOW_TIME},
	{.column = {.header = "ACTOR", .least = 8}, .path = "actor"},
	{.column = {.header = "ACTION"}, .path = "method", .prefix = PACKAGE},
	{.column = {.header = "TENANT", .dispensable = 1, .least = 8}, .path = "tenant"},
	{.column = {.header = "RESOURCE"}, .path = "resource"},
	{.column = {.header = "CODE"}, .path = "code", .kind = LK_SHOW_STATUS},
	{.column = {.header = "LEFT OUT", .dispensable = 2}, .path = "leftOutCount", .kind = LK_SHOW_COUNT},
	{.column = {.header = "FROM", .dispensable = 3, .least = 6}, .path = "peer"},
};

static const struct lk_show_field verify_fields[] = {
	{.column = {.header = "Proved up to"}, .path = "verifiedNumber"},
	{.column = {.header = "Newest record"}, .path = "headNumber"},
	{.column = {.header = "Its hash"}, .path = "headHash"},
	{.column = {.header = "Broken record"}, .path = "brokenNumber"},
	{.column = {.header = "What is wrong"}, .path = "brokenDescription"},
};

/* Of an intact chain: the fields that come first. */
#define N_INTACT_FIELDS 3

static enum lk_err show_list(const struct lk_run *run, const json_t *response)
{
	return lk_show_rows(list_fields, sizeof(list_fields) / sizeof(list_fields[0]),
		json_object_get(response, "records"), "no records", &run->page);
}

static bool is_broken(const json_t *response)
{
	const char *number = json_string_value(json_object_get(response, "brokenNumber"));

	return !number || strcmp(number, "0") != 0;
}

static enum lk_err show_verified(const struct lk_run *run, const json_t *response)
{
	size_t n = is_broken(response) ? sizeof(verify_fields) / sizeof(verify_fields[0]) : N_INTACT_FIELDS;

	return lk_show_record(verify_fields, n, response, &run->page);
}

static enum lk_exit judge(const json_t *response)
{
	return is_broken(response) ? LK_EXIT_BROKEN : LK_EXIT_OK;
}

/*
 * The table shows methods as "KeyService/Revoke": whoever types that means the whole name. The daemon's own doings, "latchkeyd/reap",
 * have no other.
 */
static enum lk_exit complete_action(struct lk_run *run)
{
	const char *action = json_string_value(json_object_get(run->request, "action"));

	if (!action || !strchr(action, '/') || strchr(action, '.') || *action < 'A' || *action > 'Z') {
		return LK_EXIT_OK;
	}
	return json_object_set_new(run->request, "action", json_sprintf(PACKAGE "%s", action)) == 0
		       ? LK_EXIT_OK
		       : lk_say_no_memory();
}

/* Asks for part after part, up to the end of the chain or to what is broken. */
static enum lk_exit verify(struct lk_run *run)
{
	struct lk_progress progress;
	json_t *response = NULL;
	enum lk_exit code = lk_run_call(run, run->request, &response);

	lk_progress_start(&progress, lk_run_count(response, "headNumber"));
	progress.unit = "records";
	while (code == LK_EXIT_OK && json_string_length(json_object_get(response, "nextPageToken")) > 0) {
		uint64_t verified = lk_run_count(response, "verifiedNumber");
		json_t *next = NULL;

		lk_progress_tell(&progress, verified, verified);
		if (json_object_set(run->request, "page_token", json_object_get(response, "nextPageToken")) != 0) {
			code = lk_say_no_memory();
			break;
		}
		code = lk_run_call(run, run->request, &next);
		json_decref(response);
		response = next;
	}
	lk_progress_hide(&progress);
	if (code == LK_EXIT_OK) {
		code = lk_run_print(run, response);
	}
	json_decref(response);
	return code;
}

static const char *const pages[] = {"page_token", NULL};

static const struct lk_command commands[] = {
	{
		.verb = "list",
		.service = &latchkey_v1_audit_cli,
		.rpc_verb = "list",
		.help = "Lists audit records, newest first: all, or those that pass every flag that is given.",
		.own_flags = LK_OWN(LK_OWN_LIMIT),
		.items = "records",
		.prepare = complete_action,
		.show = show_list,
	},
	{
		.verb = "verify",
		.service = &latchkey_v1_audit_cli,
		.rpc_verb = "verify-chain",
		.help = "Proves that no audit record was altered, taken out, put in or moved: exits 5 where one was, "
			"and says "
			"which. A chain that was cut off at its end shows by the head that the daemon logs.",
		.hidden = pages,
		.run = verify,
		.show = show_verified,
		.judge = judge,
	},
};

const struct lk_noun lk_noun_audit = {
	.name = "audit",
	.help = "The audit chain: who did what, when and from where, and what was refused.",
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

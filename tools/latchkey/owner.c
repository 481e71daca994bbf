/* latchkey owner: the rate limits that all keys of an owner share. */
#include "latchkey/v1/owner.flags.h"
#include "tools/latchkey/command.h"

static const struct lk_show_field list_fields[] = {
	{.column = {.header = "OWNER", .least = 8}, .path = "id"},
	{.column = {.header = "RATE LIMITS", .least = 16}, .path = "rateLimits", .kind = LK_SHOW_LIMITS},
	{.column = {.header = "UPDATED", .dispensable = 1}, .path = "updateTime", .kind = LK_SHOW_TIME},
};

static const struct lk_show_field fields[] = {
	{.column = {.header = "Owner"}, .path = "id"},
	{.column = {.header = "Tenant"}, .path = "tenant"},
	{.column = {.header = "Rate limits"}, .path = "rateLimits", .kind = LK_SHOW_LIMITS},
	{.column = {.header = "Created"}, .path = "createTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Updated"}, .path = "updateTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Etag"}, .path = "etag"},
};

static const struct lk_show_field state_fields[] = {
	{.column = {.header = "LIMIT"}, .path = "name"},
	{.column = {.header = "PASSES NOW"}, .path = "remaining"},
	{.column = {.header = "ALL AGAIN"}, .path = "resetTime", .kind = LK_SHOW_TIME, .absent = "now"},
};

/* Behind the record, where each of its limits stands. */
static enum lk_err show(const struct lk_run *run, const json_t *response)
{
	const json_t *states = json_object_get(response, "rateStates");
	enum lk_err err = lk_show_record(fields, sizeof(fields) / sizeof(fields[0]), response, &run->page);

	if (err != LK_OK || json_array_size(states) == 0) {
		return err;
	}
	return lk_show_rows(
		state_fields, sizeof(state_fields) / sizeof(state_fields[0]), states, "no limits", &run->page);
}

static enum lk_err show_list(const struct lk_run *run, const json_t *response)
{
	return lk_show_rows(list_fields, sizeof(list_fields) / sizeof(list_fields[0]),
		json_object_get(response, "owners"), "no owners with limits", &run->page);
}

static const struct lk_rename updated[] = {{"owner.id", "owner", "The owner, as keys name it."}, {0}};
static const struct lk_update update = {.message = "owner", .id = "owner.id"};

static const struct lk_command commands[] = {
	{
		.verb = "create",
		.service = &latchkey_v1_owner_cli,
		.rpc_verb = "create",
		.word = "owner",
		.own_flags = LK_OWN(LK_OWN_RATE_LIMIT),
		.rate_limits = "rate_limits",
		.show = show,
	},
	{.verb = "get", .service = &latchkey_v1_owner_cli, .rpc_verb = "get", .word = "owner", .show = show},
	{
		.verb = "list",
		.service = &latchkey_v1_owner_cli,
		.rpc_verb = "list",
		.own_flags = LK_OWN(LK_OWN_LIMIT),
		.items = "owners",
		.show = show_list,
	},
	{
		.verb = "update",
		.service = &latchkey_v1_owner_cli,
		.rpc_verb = "update",
		.help = "Puts the limits of each --rate-limit in the place of those that the owner has. One that keeps "
			"its name goes on from where it stands.",
		.renames = updated,
		.word = "owner.id",
		.update = &update,
		.own_flags = LK_OWN(LK_OWN_RATE_LIMIT),
		.rate_limits = "owner.rate_limits",
		.show = show,
	},
	{
		.verb = "delete",
		.service = &latchkey_v1_owner_cli,
		.rpc_verb = "delete",
		.word = "owner",
		.show = lk_run_show_deleted,
	},
};

const struct lk_noun lk_noun_owner = {
	.name = "owner",
	.help = "Owners: the users that keys stand for, where all keys of one share rate limits.",
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

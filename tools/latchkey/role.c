/* latchkey role */
#include "latchkey/v1/role.flags.h"
#include "tools/latchkey/command.h"

static const struct lk_show_field list_fields[] = {
	{.column = {.header = "ID", .least = 8}, .path = "id"},
	{.column = {.header = "PERMISSIONS", .least = 16}, .path = "permissions"},
	{.column = {.header = "KEYS"}, .path = "keyCount"},
	{.column = {.header = "DESCRIPTION", .dispensable = 1, .least = 8}, .path = "description"},
	{.column = {.header = "UPDATED", .dispensable = 2}, .path = "updateTime", .kind = LK_SHOW_TIME},
};

static const struct lk_show_field fields[] = {
	{.column = {.header = "ID"}, .path = "id"},
	{.column = {.header = "Tenant"}, .path = "tenant"},
	{.column = {.header = "Description"}, .path = "description"},
	{.column = {.header = "Permissions"}, .path = "permissions"},
	{.column = {.header = "Keys"}, .path = "keyCount"},
	{.column = {.header = "Created"}, .path = "createTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Updated"}, .path = "updateTime", .kind = LK_SHOW_TIME},
	{.column = {.header = "Etag"}, .path = "etag"},
};

static enum lk_err show(const struct lk_run *run, const json_t *response)
{
	return lk_show_record(fields, sizeof(fields) / sizeof(fields[0]), response, &run->page);
}

static enum lk_err show_list(const struct lk_run *run, const json_t *response)
{
	return lk_show_rows(list_fields, sizeof(list_fields) / sizeof(list_fields[0]),
		json_object_get(response, "roles"), "no roles", &run->page);
}

static const struct lk_rename created[] = {{"permissions", "permission", NULL}, {0}};
static const struct lk_rename updated[] = {
	{"role.id", "role", "The role's id."},
	{"role.permissions", "permission", NULL},
	{0},
};
static const struct lk_update update = {.message = "role", .id = "role.id"};

static const struct lk_command commands[] = {
	{
		.verb = "create",
		.service = &latchkey_v1_role_cli,
		.rpc_verb = "create",
		.renames = created,
		.word = "role",
		.show = show,
	},
	{.verb = "get", .service = &latchkey_v1_role_cli, .rpc_verb = "get", .word = "role", .show = show},
	{
		.verb = "list",
		.service = &latchkey_v1_role_cli,
		.rpc_verb = "list",
		.own_flags = LK_OWN(LK_OWN_LIMIT),
		.items = "roles",
		.show = show_list,
	},
	{
		.verb = "update",
		.service = &latchkey_v1_role_cli,
		.rpc_verb = "update",
		.help = "Changes what flags are given for, and nothing else. Permissions are replaced as a whole, for "
			"every key that has the role, at once; \"--clear permission\" leaves it none.",
		.renames = updated,
		.word = "role.id",
		.update = &update,
		.own_flags = LK_OWN(LK_OWN_CLEAR),
		.show = show,
	},
	{
		.verb = "delete",
		.service = &latchkey_v1_role_cli,
		.rpc_verb = "delete",
		.word = "role",
		.show = lk_run_show_deleted,
	},
};

const struct lk_noun lk_noun_role = {
	.name = "role",
	.help = "Roles: names for sets of permissions, which keys of the tenant can have.",
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

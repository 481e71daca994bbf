/* latchkey tenant */
#include "latchkey/v1/tenant.flags.h"
#include "tools/latchkey/command.h"

static const struct lk_show_field list_fields[] = {
	{.column = {.header = "ID", .least = 8}, .path = "id"},
	{.column = {.header = "NAME", .least = 8}, .path = "displayName"},
	{.column = {.header = "CREATED", .dispensable = 1}, .path = "createTime", .kind = LK_SHOW_TIME},
};

static const struct lk_show_field fields[] = {
	{.column = {.header = "ID"}, .path = "id"},
	{.column = {.header = "Name"}, .path = "displayName"},
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
		json_object_get(response, "tenants"), "no tenants", &run->page);
}

static const struct lk_rename updated[] = {{"tenant.id", "tenant", "The tenant's id."}, {0}};
static const struct lk_update update = {.message = "tenant", .id = "tenant.id"};

static const struct lk_command commands[] = {
	{.verb = "create", .service = &latchkey_v1_tenant_cli, .rpc_verb = "create", .word = "tenant", .show = show},
	{.verb = "get", .service = &latchkey_v1_tenant_cli, .rpc_verb = "get", .word = "tenant", .show = show},
	{
		.verb = "list",
		.service = &latchkey_v1_tenant_cli,
		.rpc_verb = "list",
		.own_flags = LK_OWN(LK_OWN_LIMIT),
		.items = "tenants",
		.show = show_list,
	},
	{
		.verb = "update",
		.service = &latchkey_v1_tenant_cli,
		.rpc_verb = "update",
		.help = "Changes what flags are given for, and nothing else.",
		.renames = updated,
		.word = "tenant.id",
		.update = &update,
		.own_flags = LK_OWN(LK_OWN_CLEAR),
		.show = show,
	},
	{
		.verb = "delete",
		.service = &latchkey_v1_tenant_cli,
		.rpc_verb = "delete",
		.word = "tenant",
		.show = lk_run_show_deleted,
	},
};

const struct lk_noun lk_noun_tenant = {
	.name = "tenant",
	.help = "Tenants: the accounts or workspaces that keys belong to.",
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

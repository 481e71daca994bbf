/* latchkey health, latchkey whoami: questions about the daemon. */
#include "latchkey/v1/admin.flags.h"
#include "latchkey/v1/health.flags.h"
#include "tools/latchkey/command.h"

static const struct lk_show_field health_fields[] = {
	{.column = {.header = "Status"}, .path = "status", .prefix = "SERVING_STATUS_"},
	{.column = {.header = "Version"}, .path = "version"},
};

static const struct lk_show_field caller_fields[] = {
	{.column = {.header = "Caller"}, .path = "caller"},
	{.column = {.header = "Kind"}, .path = "kind", .prefix = "CALLER_KIND_"},
	{.column = {.header = "Methods"}, .path = "grant.methods"},
	{.column = {.header = "Tenants"}, .path = "grant.tenants"},
	{.column = {.header = "Keyspaces"}, .path = "grant.keyspaces"},
};

static enum lk_err show_health(const struct lk_run *run, const json_t *response)
{
	return lk_show_record(health_fields, sizeof(health_fields) / sizeof(health_fields[0]), response, &run->page);
}

static enum lk_err show_caller(const struct lk_run *run, const json_t *response)
{
	return lk_show_record(caller_fields, sizeof(caller_fields) / sizeof(caller_fields[0]), response, &run->page);
}

static const struct lk_command health_commands[] = {
	{.verb = "check", .service = &latchkey_v1_health_cli, .rpc_verb = "check", .show = show_health},
};

static const struct lk_command whoami_commands[] = {
	{.verb = NULL,
		.service = &latchkey_v1_admin_cli,
		.rpc_verb = "who-am-i",
		.help = "Says who the daemon takes you for, and what you may do.",
		.show = show_caller},
};

const struct lk_noun lk_noun_health = {
	.name = "health",
	.help = "Whether the daemon serves.",
	.commands = health_commands,
	.n_commands = sizeof(health_commands) / sizeof(health_commands[0]),
};

const struct lk_noun lk_noun_whoami = {
	.name = "whoami",
	.help = "Who the daemon takes you for, and what you may do.",
	.commands = whoami_commands,
	.n_commands = sizeof(whoami_commands) / sizeof(whoami_commands[0]),
};

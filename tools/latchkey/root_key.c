/* latchkey root-key: the keys of tenant "system", which let their holders call the daemon. */
#include "latchkey/v1/key.flags.h"
#include "tools/latchkey/key.h"

static const struct lk_show_field list_fields[] = {
	{.column = {.header = "ID"}, .path = "id"},
	{.column = {.header = "NAME", .least = 8}, .path = "name"},
	{.column = {.header = "STATE"}, .path = "state", .prefix = "KEY_STATE_"},
	{.column = {.header = "EXPIRES", .dispensable = 1},
		.path = "expireTime",
		.kind = LK_SHOW_TIME,
		.absent = "Never"},
	{.column = {.header = "METHODS", .dispensable = 2, .least = 8}, .path = "grant.methods"},
	{.column = {.header = "TENANTS", .dispensable = 3, .least = 8}, .path = "grant.tenants"},
	{.column = {.header = "KEYSPACES", .dispensable = 4, .least = 8}, .path = "grant.keyspaces"},
	{.column = {.header = "OWN", .dispensable = 6}, .path = "grant.ownOnly"},
	{.column = {.header = "OWNER", .dispensable = 7, .least = 8}, .path = "owner"},
	{.column = {.header = "LAST USED", .dispensable = 5},
		.path = "lastUsedTime",
		.kind = LK_SHOW_TIME,
		.absent = "Never"},
};

static const struct lk_preset of_system[] = {{"tenant", "system"}, {0}};
static const struct lk_preset in_root[] = {{"tenant", "system"}, {"keyspace", "root"}, {0}};
static const struct lk_preset among_root[] = {{"tenant", "system"}, {"filter.keyspace", "root"}, {0}};
static const char *const fixed[] = {"scope", "permissions", "roles", "allowed_cidrs", "credits.", NULL};
static const char *const fixed_in_key[] = {
	"key.scope", "key.permissions", "key.roles", "key.allowed_cidrs", "key.credits.", NULL};
static const char *const unfiltered[] = {"filter.permission", "filter.role", NULL};
static const struct lk_rename filtered[] = {{"filter.states", "state", NULL}, {0}};
static const struct lk_rename updated[] = {{"key.id", "key", "The key's id or number."}, {0}};
static const struct lk_update update = {.message = "key", .id = "key.id", .whole = "key.grant"};

static enum lk_err show_list(const struct lk_run *run, const json_t *response)
{
	enum lk_err err = lk_show_rows(list_fields, sizeof(list_fields) / sizeof(list_fields[0]),
		json_object_get(response, "keys"), "no root keys", &run->page);

	return err == LK_OK ? lk_key_say_total(run, response) : err;
}

static const struct lk_command commands[] = {
	{
		.verb = "create",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "create",
		.help = "Creates a root key, which lets its holder call what its grant says, and returns its token, "
			"once.",
		.presets = in_root,
		.hidden = fixed,
		.own_flags = LK_OWN(LK_OWN_TOKEN_FILE),
		.prepare = lk_key_open_token_file,
		.deliver = lk_key_fill_token_file,
		.show = lk_key_show_created,
	},
	{
		.verb = "get",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "get",
		.help = "Shows one root key.",
		.presets = of_system,
		.word = "key",
		.show = lk_key_show,
	},
	{
		.verb = "list",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "list",
		.help = "Lists the root keys.",
		.presets = among_root,
		.hidden = unfiltered,
		.renames = filtered,
		.own_flags = LK_OWN(LK_OWN_LIMIT),
		.items = "keys",
		.show = show_list,
	},
	{
		.verb = "update",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "update",
		.help = "Changes what flags are given for, and nothing else. Metadata and the grant are replaced as a "
			"whole.",
		.presets = of_system,
		.hidden = fixed_in_key,
		.renames = updated,
		.word = "key.id",
		.update = &update,
		.own_flags = LK_OWN(LK_OWN_CLEAR),
		.show = lk_key_show,
	},
	{
		.verb = "activate",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "activate",
		.help = "Lets the holder of a suspended root key call again.",
		.presets = of_system,
		.word = "key",
		.show = lk_key_show,
	},
	{
		.verb = "suspend",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "suspend",
		.help = "Stops a root key until it is activated.",
		.presets = of_system,
		.word = "key",
		.show = lk_key_show,
	},
	{
		.verb = "rotate",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "rotate",
		.help = "Gives a root key a new secret and returns its token, once. The old one stays good for "
			"--overlap.",
		.presets = of_system,
		.word = "key",
		.own_flags = LK_OWN(LK_OWN_TOKEN_FILE),
		.prepare = lk_key_open_token_file,
		.deliver = lk_key_fill_token_file,
		.show = lk_key_show_rotated,
	},
	{
		.verb = "revoke",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "revoke",
		.help = "Revokes a root key for good.",
		.presets = of_system,
		.word = "key",
		.show = lk_key_show,
	},
	{
		.verb = "delete",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "delete",
		.help = "Deletes a root key and what is known of it, but for its audit records.",
		.presets = of_system,
		.word = "key",
		.show = lk_run_show_deleted,
	},
};

const struct lk_noun lk_noun_root_key = {
	.name = "root-key",
	.help = "Root keys: they let programs call the daemon, over tcp or as another user.",
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

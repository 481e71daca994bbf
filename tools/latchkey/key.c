/* latchkey key */
#include "tools/latchkey/key.h"

#include "latchkey/v1/key.flags.h"
#include "tools/latchkey/export.h"
#include "tools/latchkey/import.h"

static const struct lk_show_field list_fields[] = {
	{.column = {.header = "ID"}, .path = "id"},
	{.column = {.header = "NAME", .least = 8}, .path = "name"},
	{.column = {.header = "KEYSPACE", .dispensable = 5, .least = 8}, .path = "keyspace"},
	{.column = {.header = "OWNER", .dispensable = 4, .least = 6}, .path = "owner"},
	{.column = {.header = "PREFIX", .dispensable = 6}, .path = "displayPrefix"},
	{.column = {.header = "STATE"}, .path = "state", .prefix = "KEY_STATE_"},
	{.column = {.header = "EXPIRES", .dispensable = 1},
		.path = "expireTime",
		.kind = LK_SHOW_TIME,
		.absent = "Never"},
	{.column = {.header = "LAST USED", .dispensable = 3},
		.path = "lastUsedTime",
		.kind = LK_SHOW_TIME,
		.absent = "Never"},
	{.column = {.header = "USES", .dispensable = 2}, .path = "usageCount"},
	{.column = {.header = "ROLES", .dispensable = 7, .least = 8}, .path = "roles", .rare = true},
	{.column = {.header = "CREDITS", .dispensable = 8}, .path = "credits.balance", .rare = true},
	{.column = {.header = "LIMITS", .dispensable = 9, .least = 12},
		.path = "rateLimits",
		.kind = LK_SHOW_LIMITS,
		.rare = true},
};

static enum lk_err show_list(const struct lk_run *run, const json_t *response)
{
	enum lk_err err = lk_show_rows(list_fields, sizeof(list_fields) / sizeof(list_fields[0]),
		json_object_get(response, "keys"), "no keys", &run->page);

	return err == LK_OK ? lk_key_say_total(run, response) : err;
}

/* A grant is for root keys, which have a noun of their own. */
static const char *const grant[] = {"grant.", NULL};
static const char *const grant_in_key[] = {"key.grant.", NULL};
/* The pages of a bulk revocation are turned here. */
static const char *const pages[] = {"page_token", NULL};
/* As are those of an export, which are as large as they may be. */
static const char *const all_pages[] = {"page_", NULL};

static const struct lk_rename created[] = {
	{"permissions", "permission", NULL},
	{"roles", "role", "A role that it has: its holder may do what that permits too."},
	{"allowed_cidrs", "allowed-cidr",
		"A range of addresses that it may be used from, or one address: 10.0.0.0/8, 2001:db8::1."},
	{"credits.balance", "credits",
		"Its credits: a use takes its cost of them, and is refused where fewer are left."},
	{"credits.refill.amount", "refill-amount", "How many credits a refill brings: 1 to 10,000,000,000."},
	{"credits.refill.interval", "refill-interval",
		"How often credits are refilled, at 00:00 UTC of each day, or of each month's first."},
	{"credits.refill.mode", "refill-mode",
		"Whether a refill takes the place of the credits that are left, or is added to them; replace unless "
		"given."},
	{0},
};
/* Of a verdict, what it takes to explain it is a verb of its own; and what is explained is not a use. */
static const char *const unexplained[] = {"explain", NULL};
static const char *const explained[] = {"explain", "dry_run", NULL};
static const char *const unexplained_batch[] = {"options.explain", NULL};

static const struct lk_rename filtered[] = {{"filter.states", "state", NULL}, {0}};
static const struct lk_rename revoked[] = {{"keys", "key", NULL}, {"filter.states", "state", NULL}, {0}};
static const struct lk_rename updated[] = {
	{"key.id", "key", "The key's id or number."},
	{"key.permissions", "permission", NULL},
	{"key.roles", "role", "A role that it has: its holder may do what that permits too."},
	{"key.allowed_cidrs", "allowed-cidr",
		"A range of addresses that it may be used from, or one address: 10.0.0.0/8, 2001:db8::1."},
	{"key.credits.balance", "credits",
		"Its credits: a use takes its cost of them, and is refused where fewer are left."},
	{"key.credits.refill.amount", "refill-amount", "How many credits a refill brings: 1 to 10,000,000,000."},
	{"key.credits.refill.interval", "refill-interval",
		"How often credits are refilled, at 00:00 UTC of each day, or of each month's first."},
	{"key.credits.refill.mode", "refill-mode",
		"Whether a refill takes the place of the credits that are left, or is added to them; replace unless "
		"given."},
	{0},
};
/* A balance that is not given would be 0. */
static const struct lk_update update = {
	.message = "key",
	.id = "key.id",
	.whole = "key.credits",
	.whole_needs = "key.credits.balance",
};

static const struct lk_command commands[] = {
	{
		.verb = "create",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "create",
		.hidden = grant,
		.renames = created,
		.own_flags = LK_OWN(LK_OWN_TOKEN_FILE) | LK_OWN(LK_OWN_RATE_LIMIT),
		.rate_limits = "rate_limits",
		.prepare = lk_key_open_token_file,
		.deliver = lk_key_fill_token_file,
		.show = lk_key_show_created,
	},
	{.verb = "get", .service = &latchkey_v1_key_cli, .rpc_verb = "get", .word = "key", .show = lk_key_show},
	{
		.verb = "list",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "list",
		.help = "Lists keys: all, or those that pass every flag that is given.",
		.renames = filtered,
		.own_flags = LK_OWN(LK_OWN_LIMIT),
		.items = "keys",
		.show = show_list,
	},
	{
		.verb = "update",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "update",
		.help = "Changes what flags are given for, and nothing else. Metadata, permissions, roles, addresses, "
			"rate limits and credits with their refill are each replaced as a whole; a rate limit that "
			"keeps its name goes on from where it stands. A key that has expired is revived by an "
			"--expire-time in the future.",
		.hidden = grant_in_key,
		.renames = updated,
		.word = "key.id",
		.update = &update,
		.own_flags = LK_OWN(LK_OWN_CLEAR) | LK_OWN(LK_OWN_RATE_LIMIT),
		.rate_limits = "key.rate_limits",
		.show = lk_key_show,
	},
	{.verb = "activate",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "activate",
		.word = "key",
		.show = lk_key_show},
	{.verb = "suspend", .service = &latchkey_v1_key_cli, .rpc_verb = "suspend", .word = "key", .show = lk_key_show},
	{.verb = "adjust-credits",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "adjust-credits",
		.word = "key",
		.show = lk_key_show},
	{
		.verb = "rotate",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "rotate",
		.word = "key",
		.own_flags = LK_OWN(LK_OWN_TOKEN_FILE),
		.prepare = lk_key_open_token_file,
		.deliver = lk_key_fill_token_file,
		.show = lk_key_show_rotated,
	},
	{.verb = "revoke", .service = &latchkey_v1_key_cli, .rpc_verb = "revoke", .word = "key", .show = lk_key_show},
	{
		.verb = "bulk-revoke",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "bulk-revoke",
		.help = "Revokes the keys that are named, or all that pass every flag that is given. Which keys that "
			"are is fixed "
			"when it begins; what is broken off the daemon finishes by itself.",
		.hidden = pages,
		.renames = revoked,
		.word = "keys",
		.own_flags = LK_OWN(LK_OWN_YES),
		.run = lk_key_run_bulk_revoke,
		.show = lk_key_show_bulk_revoke,
	},
	{.verb = "delete",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "delete",
		.word = "key",
		.show = lk_run_show_deleted},
	{
		.verb = "import",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "import",
		.help = "Takes over keys that were issued elsewhere, or exported: a file of JSON, a key a line; see "
			"latchkey(1). Their tokens go on verifying. Without --skip-faulty it stops at the first line "
			"that is "
			"wrong.",
		.own_flags = LK_OWN(LK_OWN_SKIP_EXISTING),
		.operand = "FILE|-",
		.run = lk_import_run,
	},
	{
		.verb = "export",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "export",
		.help = "Writes all that is known of keys, but no secret, as JSON, a key a line, in order of creation.",
		.hidden = all_pages,
		.renames = filtered,
		.own_flags = LK_OWN(LK_OWN_FILE) | LK_OWN(LK_OWN_RESUME),
		.run = lk_export_run,
	},
	{
		.verb = "verify",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "verify",
		.help = "Answers whether a token is good, and who it stands for. The token is read from standard "
			"input.",
		.hidden = unexplained,
		.own_flags = LK_OWN(LK_OWN_RATE_CHARGE),
		.prepare = lk_key_read_token,
		.show = lk_key_show_verdict,
		.judge = lk_key_judge_verdict,
	},
	{
		.verb = "verify-batch",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "verify-batch",
		.help = "Answers of each token of a file, one a line, whether it is good, and who it stands for. What "
			"the flags say is asked about each of them. In JSON it is a line a token, as soon as it is "
			"answered.",
		.hidden = unexplained_batch,
		.own_flags = LK_OWN(LK_OWN_RATE_CHARGE),
		.operand = "FILE|-",
		.run = lk_key_run_verify_batch,
	},
	{
		.verb = "explain",
		.service = &latchkey_v1_key_cli,
		.rpc_verb = "verify",
		.help = "Says why a token is accepted or refused: the verdict, what each gate says, why the key was "
			"revoked "
			"or suspended, and its last denial. Takes nothing, and counts nothing. The token is read from "
			"standard input.",
		.hidden = explained,
		.own_flags = LK_OWN(LK_OWN_RATE_CHARGE),
		.prepare = lk_key_read_token,
		.run = lk_key_run_explain,
		.show = lk_key_show_explained,
		.judge = lk_key_judge_verdict,
	},
};

const struct lk_noun lk_noun_key = {
	.name = "key",
	.help = "Keys: made, listed, changed, verified and ended.",
	.commands = commands,
	.n_commands = sizeof(commands) / sizeof(commands[0]),
};

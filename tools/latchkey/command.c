#include "tools/latchkey/command.h"

#include <string.h>

#include "tools/latchkey/rate_limit.h"

static const struct {
	const char *name, *metavar, *help;
} own_flags[] = {
	[LK_OWN_LIMIT] = {"limit", "N", "Stop after this many; without it, all pages are asked for."},
	[LK_OWN_TOKEN_FILE] = {"token-file", "FILE",
		"Write the token to this new file, which only you can read, and do not print it."},
	[LK_OWN_CLEAR] = {"clear", "FLAG",
		"Clear the field of this flag: \"--clear owner\". May be given several times."},
	[LK_OWN_YES] = {"yes", NULL, "Do not ask whether it is meant."},
	[LK_OWN_FILE] = {"file", "FILE",
		"Write to this new file, which only you can read, in place of standard output. Until it is whole it "
		"is called FILE.part."},
	[LK_OWN_RESUME] = {"resume", NULL, "Go on with FILE.part where an export of the same keys was interrupted."},
	[LK_OWN_SKIP_EXISTING] = {"skip-existing", NULL,
		"Count keys whose secret is there already as done: for a second run of what was interrupted."},
	[LK_OWN_RATE_LIMIT] = {"rate-limit", LK_RATE_LIMIT_METAVAR,
		"A rate limit: requests=600/1m lets 600 pass each minute, evenly, and as many at once; "
		"requests=600/1m:20 at "
		"most 20 at once. Of a keyspace: that of a new key that is given none. May be given several times."},
	[LK_OWN_RATE_CHARGE] = {"rate-charge", "NAME[=COST]",
		"Charge the rate limit of this name, of the key or its owner, and no other; the cost is 1. May be "
		"given "
		"several times. Without it, every limit is charged 1."},
	[LK_OWN_JWT_SECRET_FILE] = {"jwt-secret-file", "FILE",
		"Sign JWTs by HS256 with the 32 to 64 bytes of this file, every byte of it, which others may not read. "
		"Without it a secret is made, and nobody knows it."},
	[LK_OWN_KEYS] = {"keys", "N", "How many keys to make and revoke: 1 to 10,000; 100 unless given."},
	[LK_OWN_DATA] = {"data", "DIR",
		"The daemon's data directory, on the same host: two verifiers in this process ask as well."},
	[LK_OWN_OPERAND] = {"", NULL, NULL},
};

const char *lk_own_flag_name(enum lk_own_flag flag)
{
	return own_flags[flag].name;
}

const char *lk_own_flag_metavar(enum lk_own_flag flag)
{
	return own_flags[flag].metavar;
}

const char *lk_own_flag_help(enum lk_own_flag flag)
{
	return own_flags[flag].help;
}

const struct lk_cli_method *lk_command_method(const struct lk_command *command)
{
	for (size_t i = 0; i < command->service->n_methods; i++) {
		if (strcmp(command->service->methods[i].verb, command->rpc_verb) == 0) {
			return &command->service->methods[i];
		}
	}
	return NULL;
}

bool lk_command_has_flag(const struct lk_command *command, const struct lk_flag *flag)
{
	/* An update's mask follows from the other flags. */
	if (flag->kind == LK_FLAG_MASK && command->update) {
		return false;
	}
	for (const struct lk_preset *preset = command->presets; preset && preset->path; preset++) {
		if (strcmp(preset->path, flag->path) == 0) {
			return false;
		}
	}
	for (const char *const *hidden = command->hidden; hidden && *hidden; hidden++) {
		if (strncmp(flag->path, *hidden, strlen(*hidden)) == 0) {
			return false;
		}
	}
	return true;
}

static const struct lk_rename *rename_of(const struct lk_command *command, const struct lk_flag *flag)
{
	const struct lk_rename *rename = command->renames;

	while (rename && rename->path && strcmp(rename->path, flag->path) != 0) {
		rename++;
	}
	return rename && rename->path ? rename : NULL;
}

const char *lk_command_flag_name(const struct lk_command *command, const struct lk_flag *flag)
{
	const struct lk_rename *rename = rename_of(command, flag);

	return rename ? rename->name : flag->name;
}

const char *lk_command_flag_help(const struct lk_command *command, const struct lk_flag *flag)
{
	const struct lk_rename *rename = rename_of(command, flag);

	return rename && rename->help ? rename->help : flag->help;
}

const struct lk_flag *lk_command_flag_at(const struct lk_command *command, const char *path)
{
	const struct lk_cli_method *method = lk_command_method(command);

	for (size_t i = 0; i < method->n_flags; i++) {
		if (strcmp(method->flags[i].path, path) == 0 && lk_command_has_flag(command, &method->flags[i])) {
			return &method->flags[i];
		}
	}
	return NULL;
}

const struct lk_flag *lk_command_flag(const struct lk_command *command, const char *name, size_t len)
{
	const struct lk_cli_method *method = lk_command_method(command);

	for (size_t i = 0; i < method->n_flags; i++) {
		const struct lk_flag *flag = &method->flags[i];
		const char *own = lk_command_flag_name(command, flag);

		if (strlen(own) == len && memcmp(own, name, len) == 0 && lk_command_has_flag(command, flag)) {
			return flag;
		}
	}
	return NULL;
}

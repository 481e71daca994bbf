#include "tools/latchkey/command.h"

#include <string.h>

static const struct {
	const char *name, *metavar, *help;
} own_flags[] = {
	[LK_OWN_LIMIT] = {"limit", "N", "Stop after this many; without it, all pages are asked for."},
	[LK_OWN_TOKEN_FILE] = {"token-file", "FILE",
		"Write the token to this new file, which only you can read, and do not print it."},
	[LK_OWN_FILE] = {"file", "FILE",
		"Write to this new file, which only you can read, in place of standard output. Until it is whole it "
		"is called FILE.part."},
	[LK_OWN_RESUME] = {"resume", NULL, "Go on with FILE.part where an export of the same keys was interrupted."},
	[LK_OWN_SKIP_EXISTING] = {"skip-existing", NULL,
		"Count keys whose secret is there already as done: for a second run of what was interrupted."},
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

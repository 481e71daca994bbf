#include "tools/latchkey/update.h"

#include <string.h>

#include "tools/latchkey/json_mask.h"
#include "tools/latchkey/suggest.h"

void lk_changes_done(struct lk_changes *changes)
{
	json_decref(changes->set);
	json_decref(changes->cleared);
	*changes = (struct lk_changes){0};
}

/* What follows `beginning` and a dot in `path`; NULL: something else. */
static const char *below(const char *path, const char *beginning)
{
	size_t len = strlen(beginning);

	return strncmp(path, beginning, len) == 0 && path[len] == '.' ? path + len + 1 : NULL;
}

/* The path of a flag's field as the mask has it; NULL: an update does not change it. */
static const char *mask_path(const struct lk_update *update, const struct lk_flag *flag)
{
	if (strcmp(flag->path, update->id) == 0) {
		return NULL;
	}
	if (update->whole && below(flag->path, update->whole)) {
		return below(update->whole, update->message);
	}
	return below(flag->path, update->message);
}

static enum lk_exit note(json_t **set, const char *path, const char *name)
{
	if (!*set) {
		*set = json_object();
	}
	return json_object_set_new(*set, path, json_string(name)) == 0 ? LK_EXIT_OK : lk_say_no_memory();
}

enum lk_exit lk_changes_set(struct lk_changes *changes, const struct lk_command *command, const struct lk_flag *flag)
{
	const char *path = mask_path(command->update, flag);

	return path ? note(&changes->set, path, lk_command_flag_name(command, flag)) : LK_EXIT_OK;
}

/* The `i`th flag whose field can be cleared. For lk_suggest(). */
static const char *clearable(const void *command, size_t i)
{
	const struct lk_command *words = command;
	const struct lk_cli_method *method = lk_command_method(words);

	for (size_t j = 0; j < method->n_flags; j++) {
		const struct lk_flag *flag = &method->flags[j];

		if (lk_command_has_flag(words, flag) && mask_path(words->update, flag) && i-- == 0) {
			return lk_command_flag_name(words, flag);
		}
	}
	return NULL;
}

enum lk_exit lk_changes_clear(struct lk_changes *changes, const struct lk_command *command, const char *name)
{
	const struct lk_flag *flag = lk_command_flag(command, name, strlen(name));
	const char *path = flag ? mask_path(command->update, flag) : NULL;
	const char *meant = path ? NULL : lk_suggest(name, clearable, command);

	if (path) {
		return note(&changes->cleared, path, name);
	}
	if (meant) {
		lk_say("--clear %s: there is no such flag to clear; did you mean --clear %s?", name, meant);
	} else {
		lk_say("--clear %s: there is no such flag to clear; --help shows those that there are", name);
	}
	return LK_EXIT_USAGE;
}

/* Adds the paths of `object` to the mask, as JSON has them. */
static void add_paths(struct lk_bytes *mask, json_t *object)
{
	const char *path;
	json_t *unused;

	json_object_foreach(object, path, unused)
	{
		lk_bytes_append(mask, ",", mask->len > 0);
		/* Fields of ours, whose names have a form in JSON. */
		mask->failed |= !lk_json_mask_to_json(path, strlen(path), mask);
	}
}

/* Whether one flag of what is replaced as a whole was given, and another not. */
static enum lk_exit check_whole(
	const struct lk_changes *changes, const struct lk_command *command, const json_t *request)
{
	const struct lk_cli_method *method = lk_command_method(command);
	const char *whole = command->update->whole;
	const json_t *message = json_object_get(request, command->update->message);

	if (!whole || !json_object_get(changes->set, below(whole, command->update->message))) {
		return LK_EXIT_OK;
	}
	message = json_object_get(message, below(whole, command->update->message));
	for (size_t i = 0; i < method->n_flags; i++) {
		const char *name = below(method->flags[i].path, whole);

		if (name && !json_object_get(message, name)) {
			lk_say("--%s is missing: the %s is replaced as a whole, so give all of its flags",
				lk_command_flag_name(command, &method->flags[i]),
				below(whole, command->update->message));
			return LK_EXIT_USAGE;
		}
	}
	return LK_EXIT_OK;
}

enum lk_exit lk_changes_end(struct lk_changes *changes, const struct lk_command *command, json_t *request)
{
	struct lk_bytes mask = {0};
	enum lk_exit code = check_whole(changes, command, request);
	const char *path;
	json_t *name;

	if (code != LK_EXIT_OK) {
		return code;
	}
	if (json_object_size(changes->set) + json_object_size(changes->cleared) == 0) {
		lk_say("nothing is to be changed: give a field's flag with its new value, or --clear FLAG");
		return LK_EXIT_USAGE;
	}
	json_object_foreach(changes->cleared, path, name)
	{
		if (json_object_get(changes->set, path)) {
			lk_say("--%s is given and cleared: do one of them", json_string_value(name));
			return LK_EXIT_USAGE;
		}
	}
	add_paths(&mask, changes->set);
	add_paths(&mask, changes->cleared);
	if (mask.failed ||
		json_object_set_new(request, "update_mask", json_stringn((const char *)mask.data, mask.len)) != 0) {
		code = lk_say_no_memory();
	}
	lk_bytes_done(&mask);
	return code;
}

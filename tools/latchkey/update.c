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

/* The path of a field, as the mask has it; NULL: an update does not change it. */
static const char *mask_path(const struct lk_update *update, const char *path)
{
	if (strcmp(path, update->id) == 0) {
		return NULL;
	}
	if (update->whole && below(path, update->whole)) {
		return below(update->whole, update->message);
	}
	return below(path, update->message);
}

static enum lk_exit note(json_t **set, const char *path, const char *name)
{
	if (!*set) {
		*set = json_object();
	}
	return json_object_set_new(*set, path, json_string(name)) == 0 ? LK_EXIT_OK : lk_say_no_memory();
}

enum lk_exit lk_changes_set_path(
	struct lk_changes *changes, const struct lk_command *command, const char *path, const char *name)
{
	const char *masked = mask_path(command->update, path);

	return masked ? note(&changes->set, masked, name) : LK_EXIT_OK;
}

enum lk_exit lk_changes_set(struct lk_changes *changes, const struct lk_command *command, const struct lk_flag *flag)
{
	return lk_changes_set_path(changes, command, flag->path, lk_command_flag_name(command, flag));
}

/*
 * The path in the mask of the field that clearing a flag clears; NULL: none. Not the whole for a part of it that it can do
 * without.
 */
static const char *path_to_clear(const struct lk_update *update, const struct lk_flag *flag)
{
	if (update->whole_needs && below(flag->path, update->whole) && strcmp(flag->path, update->whole_needs) != 0) {
		return NULL;
	}
	return mask_path(update, flag->path);
}

/* The `i`th flag whose field can be cleared. For lk_suggest(). */
static const char *clearable(const void *command, size_t i)
{
	const struct lk_command *words = command;
	const struct lk_cli_method *method = lk_command_method(words);

	for (size_t j = 0; j < method->n_flags; j++) {
		const struct lk_flag *flag = &method->flags[j];

		if (lk_command_has_flag(words, flag) && path_to_clear(words->update, flag) && i-- == 0) {
			return lk_command_flag_name(words, flag);
		}
	}
	return words->rate_limits && i == 0 ? lk_own_flag_name(LK_OWN_RATE_LIMIT) : NULL;
}

/* The path in the mask of what clearing the flag called `name` clears; NULL: there is none. */
static const char *path_of_name(const struct lk_command *command, const char *name)
{
	const struct lk_flag *flag = lk_command_flag(command, name, strlen(name));

	if (flag) {
		return path_to_clear(command->update, flag);
	}
	if (command->rate_limits && strcmp(name, lk_own_flag_name(LK_OWN_RATE_LIMIT)) == 0) {
		return mask_path(command->update, command->rate_limits);
	}
	return NULL;
}

enum lk_exit lk_changes_clear(struct lk_changes *changes, const struct lk_command *command, const char *name)
{
	const char *path = path_of_name(command, name);
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

static enum lk_exit missing(const struct lk_command *command, const struct lk_flag *flag)
{
	const char *name = lk_command_flag_name(command, flag);
	const char *whole = below(command->update->whole, command->update->message);

	if (flag->kind == LK_FLAG_BOOL) {
		/* Left out, it would silently become false. */
		lk_say("--%s is missing: the %s is replaced as a whole, so say --%s or --%s=false", name, whole, name,
			name);
	} else if (command->update->whole_needs) {
		lk_say("--%s is missing: \"%s\" is replaced as a whole, so give that too", name, whole);
	} else {
		lk_say("--%s is missing: the %s is replaced as a whole, so give all of its flags", name, whole);
	}
	return LK_EXIT_USAGE;
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
		const struct lk_flag *flag = &method->flags[i];
		const char *name = below(flag->path, whole), *needs = command->update->whole_needs;

		if (name && !json_object_get(message, name) && (!needs || strcmp(flag->path, needs) == 0)) {
			return missing(command, flag);
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
		lk_say("nothing is to be changed: give a field's flag with its new value%s",
			command->own_flags & LK_OWN(LK_OWN_CLEAR) ? ", or --clear FLAG" : "");
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

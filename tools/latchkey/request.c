#include "tools/latchkey/request.h"

#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/rate_limit.h"
#include "tools/latchkey/rates.h"
#include "tools/latchkey/suggest.h"
#include "tools/latchkey/update.h"
#include "tools/latchkey/value.h"

/* The words, and how far they have been read. */
struct reader {
	const struct lk_command *command;
	const struct lk_cli_method *method;
	char **words;
	size_t n, at;
	time_t now;
	json_t *request;
	const char **own;
	/* Of an update. */
	struct lk_changes changes;
};

/* The `i`th name that a flag of this command may have. For lk_suggest(). */
static const char *flag_name(const void *words, size_t i)
{
	const struct reader *reader = words;

	for (size_t j = 0; j < reader->method->n_flags; j++) {
		if (lk_command_has_flag(reader->command, &reader->method->flags[j]) && i-- == 0) {
			return lk_command_flag_name(reader->command, &reader->method->flags[j]);
		}
	}
	for (unsigned j = 0; j < LK_OWN_FLAGS; j++) {
		if ((reader->command->own_flags & LK_OWN(j)) && i-- == 0) {
			return lk_own_flag_name(j);
		}
	}
	/* The flags of every command, without their dashes. */
	return lk_options_name(NULL, i) ? lk_options_name(NULL, i) + 2 : NULL;
}

/* The own flag of this name; LK_OWN_FLAGS: none of the command's. */
static enum lk_own_flag own_flag_of(const struct reader *reader, const char *name, size_t len)
{
	for (unsigned i = 0; i < LK_OWN_FLAGS; i++) {
		if ((reader->command->own_flags & LK_OWN(i)) && strlen(lk_own_flag_name(i)) == len &&
			memcmp(lk_own_flag_name(i), name, len) == 0) {
			return i;
		}
	}
	return LK_OWN_FLAGS;
}

/* The object that holds the last name of `path`, made where it is not there yet, and that name. */
static json_t *holder_of(json_t *object, const char *path, const char **ret_name)
{
	const char *dot;

	while (object && (dot = strchr(path, '.'))) {
		json_t *inner = json_object_getn(object, path, (size_t)(dot - path));

		if (!inner) {
			inner = json_object();
			if (json_object_setn_new(object, path, (size_t)(dot - path), inner) != 0) {
				inner = NULL;
			}
		}
		object = inner;
		path = dot + 1;
	}
	*ret_name = path;
	return object;
}

/* The value of a flag: behind its '=', or the next word. */
static enum lk_exit take_value(
	struct reader *reader, const char *name, const char *metavar, const char *equals, const char **ret)
{
	const char *next = reader->at < reader->n ? reader->words[reader->at] : NULL;

	if (equals) {
		*ret = equals + 1;
		return LK_EXIT_OK;
	}
	if (next && strncmp(next, "--", 2) != 0) {
		reader->at++;
		*ret = next;
		return LK_EXIT_OK;
	}
	if (next) {
		lk_say("--%s needs a value, and \"%s\" is a flag; where that is the value, write --%s=%s", name, next,
			name, next);
	} else {
		lk_say("--%s needs a value: --%s %s", name, name, metavar);
	}
	return LK_EXIT_USAGE;
}

static enum lk_exit given_twice(const struct lk_flag *flag)
{
	lk_say("--%s was given twice, and takes one value", flag->name);
	return LK_EXIT_USAGE;
}

/* Puts one KEY=VALUE into its map. */
static enum lk_exit set_entry(
	const struct reader *reader, const struct lk_flag *flag, json_t *holder, const char *name, const char *text)
{
	const char *equals = strchr(text, '=');
	json_t *map = json_object_get(holder, name), *value = NULL;
	size_t key_len = equals ? (size_t)(equals - text) : 0;
	enum lk_exit code;

	if (key_len == 0) {
		lk_say("--%s \"%s\": give KEY=VALUE", flag->name, text);
		return LK_EXIT_USAGE;
	}
	code = lk_value_read(flag, equals + 1, reader->now, &value);
	if (code != LK_EXIT_OK) {
		return code;
	}
	if (!map && json_object_set_new(holder, name, json_object()) == 0) {
		map = json_object_get(holder, name);
	}
	if (json_object_getn(map, text, key_len)) {
		lk_say("--%s: the key \"%.*s\" was given twice", flag->name, (int)key_len, text);
		json_decref(value);
		return LK_EXIT_USAGE;
	}
	if (json_object_setn_new(map, text, key_len, value) == 0) {
		return LK_EXIT_OK;
	}
	lk_say("--%s \"%s\": give text in UTF-8", flag->name, text);
	return LK_EXIT_USAGE;
}

/* Puts one more path into a mask, which is one text, and takes it over. */
static enum lk_exit add_path(json_t *holder, const char *name, json_t *path)
{
	const json_t *mask = json_object_get(holder, name);
	json_t *longer = mask ? json_sprintf("%s,%s", json_string_value(mask), json_string_value(path))
			      : json_incref(path);

	json_decref(path);
	return longer && json_object_set_new(holder, name, longer) == 0 ? LK_EXIT_OK : lk_say_no_memory();
}

static enum lk_exit set_value(
	const struct reader *reader, const struct lk_flag *flag, json_t *holder, const char *name, const char *text)
{
	json_t *list = json_object_get(holder, name), *value = NULL;
	enum lk_exit code;

	if (list && !flag->repeated) {
		return given_twice(flag);
	}
	code = lk_value_read(flag, text, reader->now, &value);
	if (code != LK_EXIT_OK) {
		return code;
	}
	if (flag->kind == LK_FLAG_MASK) {
		return add_path(holder, name, value);
	}
	if (!flag->repeated) {
		return json_object_set_new(holder, name, value) == 0 ? LK_EXIT_OK : lk_say_no_memory();
	}
	if (!list && json_object_set_new(holder, name, json_array()) == 0) {
		list = json_object_get(holder, name);
	}
	return json_array_append_new(list, value) == 0 ? LK_EXIT_OK : lk_say_no_memory();
}

/* Puts the value of a flag, `text`, where its field is. */
static enum lk_exit read_text(struct reader *reader, const struct lk_flag *flag, const char *text)
{
	struct lk_flag named = *flag;
	const char *name;
	json_t *holder = holder_of(reader->request, flag->path, &name);
	enum lk_exit code;

	if (!holder) {
		return lk_say_no_memory();
	}
	named.name = lk_command_flag_name(reader->command, flag);
	if (flag->kind == LK_FLAG_MAP) {
		code = set_entry(reader, &named, holder, name, text);
	} else {
		code = set_value(reader, &named, holder, name, text);
	}
	if (code == LK_EXIT_OK && reader->command->update) {
		code = lk_changes_set(&reader->changes, reader->command, flag);
	}
	return code;
}

static enum lk_exit read_flag(struct reader *reader, const struct lk_flag *flag, const char *equals)
{
	const char *text = "true";
	enum lk_exit code = LK_EXIT_OK;

	if (flag->kind != LK_FLAG_BOOL || equals) {
		code = take_value(reader, lk_command_flag_name(reader->command, flag), flag->metavar, equals, &text);
	}
	return code == LK_EXIT_OK ? read_text(reader, flag, text) : code;
}

/* Adds a rate limit to its list. */
static enum lk_exit read_rate_limit(struct reader *reader, const char *equals)
{
	const char *text = NULL, *name = lk_own_flag_name(LK_OWN_RATE_LIMIT), *last;
	json_t *holder = holder_of(reader->request, reader->command->rate_limits, &last);
	enum lk_exit code = take_value(reader, name, lk_own_flag_metavar(LK_OWN_RATE_LIMIT), equals, &text);

	if (!holder) {
		return lk_say_no_memory();
	}
	if (code == LK_EXIT_OK) {
		code = lk_rate_limit_add(holder, last, text);
	}
	if (code == LK_EXIT_OK && reader->command->update) {
		code = lk_changes_set_path(&reader->changes, reader->command, reader->command->rate_limits, name);
	}
	return code;
}

static enum lk_exit read_own_flag(struct reader *reader, enum lk_own_flag flag, const char *equals)
{
	if (flag == LK_OWN_CLEAR) {
		const char *cleared = NULL;
		enum lk_exit code = take_value(
			reader, lk_own_flag_name(flag), lk_own_flag_metavar(flag), equals, &cleared);

		return code == LK_EXIT_OK ? lk_changes_clear(&reader->changes, reader->command, cleared) : code;
	}
	if (flag == LK_OWN_RATE_LIMIT) {
		return read_rate_limit(reader, equals);
	}
	if (flag == LK_OWN_RATE_CHARGE) {
		const char *charge = NULL;
		enum lk_exit code = take_value(
			reader, lk_own_flag_name(flag), lk_own_flag_metavar(flag), equals, &charge);

		return code == LK_EXIT_OK ? lk_rates_add_charge(reader->request, charge) : code;
	}
	if (reader->own[flag]) {
		lk_say("--%s was given twice, and takes one value", lk_own_flag_name(flag));
		return LK_EXIT_USAGE;
	}
	if (!lk_own_flag_metavar(flag) && equals) {
		lk_say("--%s takes no value", lk_own_flag_name(flag));
		return LK_EXIT_USAGE;
	}
	if (!lk_own_flag_metavar(flag)) {
		reader->own[flag] = "";
		return LK_EXIT_OK;
	}
	return take_value(reader, lk_own_flag_name(flag), lk_own_flag_metavar(flag), equals, &reader->own[flag]);
}

static enum lk_exit unknown_flag(const struct reader *reader, const char *name, size_t len)
{
	char *typed = strndup(name, len);
	const char *meant = typed ? lk_suggest(typed, flag_name, reader) : NULL;

	if (meant) {
		lk_say("there is no flag --%s here; did you mean --%s?", typed, meant);
	} else {
		lk_say("there is no flag --%s here; --help shows those that there are", typed ? typed : "");
	}
	free(typed);
	return LK_EXIT_USAGE;
}

/* Reads a word that is no flag. */
static enum lk_exit read_operand(struct reader *reader, const char *word)
{
	if (reader->command->word && *word != '-') {
		return read_text(reader, lk_command_flag_at(reader->command, reader->command->word), word);
	}
	if (!reader->command->operand) {
		lk_say("\"%s\" is not a flag: values are given behind theirs, as in --tenant acme", word);
		return LK_EXIT_USAGE;
	}
	if (reader->own[LK_OWN_OPERAND]) {
		lk_say("\"%s\" is one too many beside \"%s\": give one %s", word, reader->own[LK_OWN_OPERAND],
			reader->command->operand);
		return LK_EXIT_USAGE;
	}
	reader->own[LK_OWN_OPERAND] = word;
	return LK_EXIT_OK;
}

static enum lk_exit read_word(struct reader *reader)
{
	const char *word = reader->words[reader->at++], *name = word + 2, *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct lk_flag *flag;
	enum lk_own_flag own;

	if (strncmp(word, "--", 2) != 0) {
		return read_operand(reader, word);
	}
	len -= 2;
	flag = lk_command_flag(reader->command, name, len);
	if (flag) {
		return read_flag(reader, flag, equals);
	}
	own = own_flag_of(reader, name, len);
	if (own != LK_OWN_FLAGS) {
		return read_own_flag(reader, own, equals);
	}
	return unknown_flag(reader, name, len);
}

static enum lk_exit set_presets(const struct reader *reader)
{
	for (const struct lk_preset *preset = reader->command->presets; preset && preset->path; preset++) {
		const char *name;
		json_t *holder = holder_of(reader->request, preset->path, &name);

		if (!holder || json_object_set_new(holder, name, json_string(preset->value)) != 0) {
			return lk_say_no_memory();
		}
	}
	return LK_EXIT_OK;
}

/* Which oneof of the request a flag's field is of, by where its case stands; 0: none, or the flag was not given. */
static unsigned choice_of(const struct reader *reader, const struct lk_flag *flag)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
		reader->method->method->request, flag->path);
	bool is_given = field && json_object_get(reader->request, flag->path);

	return is_given && (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) ? field->quantifier_offset : 0;
}

/* Of the fields of a oneof one is given; here, where they still have their flags' names. */
static enum lk_exit check_choices(const struct reader *reader)
{
	const struct lk_flag *flags = reader->method->flags;

	for (size_t i = 0; i < reader->method->n_flags; i++) {
		unsigned choice = choice_of(reader, &flags[i]);

		for (size_t j = 0; choice != 0 && j < i; j++) {
			if (choice_of(reader, &flags[j]) == choice) {
				lk_say("--%s and --%s exclude each other: give one of them",
					lk_command_flag_name(reader->command, &flags[j]),
					lk_command_flag_name(reader->command, &flags[i]));
				return LK_EXIT_USAGE;
			}
		}
	}
	return LK_EXIT_OK;
}

enum lk_exit lk_request_read(const struct lk_command *command, char **words, size_t n, time_t now, json_t **ret_request,
	const char *ret_own[static LK_OWN_FLAGS])
{
	const char *own[LK_OWN_FLAGS] = {NULL};
	struct reader reader = {
		.command = command,
		.method = lk_command_method(command),
		.words = words,
		.n = n,
		.now = now,
		.request = json_object(),
		.own = own,
	};
	enum lk_exit code = reader.request ? set_presets(&reader) : lk_say_no_memory();

	while (code == LK_EXIT_OK && reader.at < n) {
		code = read_word(&reader);
	}
	if (code == LK_EXIT_OK) {
		code = check_choices(&reader);
	}
	if (code == LK_EXIT_OK && command->operand && !own[LK_OWN_OPERAND]) {
		lk_say("\"%s\" needs %s", command->verb, command->operand);
		code = LK_EXIT_USAGE;
	}
	if (code == LK_EXIT_OK && command->update) {
		code = lk_changes_end(&reader.changes, command, reader.request);
	}
	lk_changes_done(&reader.changes);
	if (code != LK_EXIT_OK) {
		json_decref(reader.request);
		return code;
	}
	*ret_request = reader.request;
	memcpy(ret_own, own, sizeof(own));
	return LK_EXIT_OK;
}

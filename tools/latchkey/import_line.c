#include "tools/latchkey/import_line.h"

#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/json.h"

#define LETTERS      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
#define NAME_MAX_LEN 40
/* What the codec puts between a value and what would be right. */
#define WRONG " is wrong here: "

/* A line on its way, and where what is wrong with it goes to. */
struct reader {
	const struct lk_schema *schema;
	const struct lk_schema_message *imported, *key;
	const char *text;
	size_t len;
	char **ret_fault;
	size_t *ret_column;
};

static enum lk_err refuse(const struct reader *reader, size_t column, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static enum lk_err refuse(const struct reader *reader, size_t column, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(reader->ret_fault, format, args);
	va_end(args);
	*reader->ret_column = column;
	if (len < 0) {
		*reader->ret_fault = NULL;
		return LK_NO_MEMORY;
	}
	return LK_INVALID_ARGUMENT;
}

/* The column behind the text that begins at `at` with a quote. The JSON is known to be well-formed. */
static size_t behind_text(const struct reader *reader, size_t at)
{
	for (at++; at < reader->len && reader->text[at] != '"'; at++) {
		at += reader->text[at] == '\\';
	}
	return at + 1;
}

/*
 * Where the member of this name stands, `depth` objects deep, from 1; 0 where it is not found, as one whose name has escapes in
 * it is not. jansson keeps no positions, so that the text is looked at again, once something is wrong with it.
 */
static size_t column_of(const struct reader *reader, const char *name, size_t name_len, unsigned depth)
{
	unsigned level = 0;

	for (size_t at = 0; at < reader->len;) {
		char letter = reader->text[at];

		if (letter == '"') {
			size_t end = behind_text(reader, at), next = end;

			while (next < reader->len && strchr(" \t\r\n", reader->text[next])) {
				next++;
			}
			if (level == depth && next < reader->len && reader->text[next] == ':' &&
				end - at - 2 == name_len && memcmp(reader->text + at + 1, name, name_len) == 0) {
				return at + 1;
			}
			at = end;
			continue;
		}
		level += letter == '{' || letter == '[';
		level -= letter == '}' || letter == ']';
		at++;
	}
	return 0;
}

/* Says that there is no such field; its name only where it cannot be a token, or another secret, in the wrong place. */
static enum lk_err refuse_unknown(const struct reader *reader, const char *name, size_t len, unsigned depth)
{
	size_t column = column_of(reader, name, len, depth);

	if (len > 0 && len <= NAME_MAX_LEN && strspn(name, LETTERS) == len) {
		return refuse(reader, column, "there is no field \"%s\": see %s in key.proto", name,
			depth > 1 ? reader->key->name : reader->imported->name);
	}
	return refuse(reader, column, "there is no field of that name: see %s in key.proto",
		depth > 1 ? reader->key->name : reader->imported->name);
}

static enum lk_err refuse_syntax(const struct reader *reader, const json_error_t *error)
{
	/* Not jansson's own words: they quote what stands there. */
	static const struct {
		enum json_error_code code;
		const char *text;
	} texts[] = {
		{json_error_premature_end_of_input, "it ends too early"},
		{json_error_end_of_input_expected, "something stands behind its end"},
		{json_error_invalid_utf8, "it is not in UTF-8"},
		{json_error_null_character, "it has a NUL character"},
		{json_error_duplicate_key, "a field is given twice"},
		{json_error_numeric_overflow, "a number is too large"},
		{json_error_stack_overflow, "it is nested too deep"},
	};
	const char *text = "the syntax is wrong";

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		if (json_error_code(error) == texts[i].code) {
			text = texts[i].text;
		}
	}
	if (json_error_code(error) == json_error_out_of_memory) {
		return LK_NO_MEMORY;
	}
	return refuse(reader, error->position > 0 ? (size_t)error->position : 1, "no JSON: %s", text);
}

/* What of a Key is taken over, and as what. */
static const struct {
	const char *from, *to;
} taken[] = {
	{"id", "id"},
	{"keyspace", "keyspace"},
	{"scope", "scope"},
	{"name", "name"},
	{"owner", "owner"},
	{"display_prefix", "display_prefix"},
	{"metadata", "metadata"},
	{"not_before_time", "not_before_time"},
	{"expire_time", "expire_time"},
	{"create_time", "create_time"},
	{"permissions", "permissions"},
	{"roles", "roles"},
	{"allowed_cidrs", "allowed_cidrs"},
	{"rate_limits", "rate_limits"},
	{"credits", "credits"},
};

static bool is_text(const json_t *value)
{
	return json_string_length(value) > 0;
}

/* The state and its reason. A key that has expired is suspended or active besides, which a reason for the first tells. */
static bool take_state(const json_t *state, const json_t *revoked, const json_t *suspended, json_t *flat)
{
	const char *name = json_string_value(state);
	const json_t *reason = is_text(revoked) ? revoked : suspended;
	json_t *own = (json_t *)state;

	if (name && strcmp(name, "KEY_STATE_EXPIRED") == 0) {
		own = NULL;
		if (is_text(suspended) && json_object_set_new(flat, "state", json_string("KEY_STATE_SUSPENDED")) != 0) {
			return false;
		}
	}
	if (own && json_object_set(flat, "state", own) != 0) {
		return false;
	}
	return !is_text(reason) || json_object_set(flat, "reason", (json_t *)reason) == 0;
}

static bool take_member(const char *name, json_t *value, json_t *flat)
{
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
		if (strcmp(taken[i].from, name) == 0) {
			return json_object_set(flat, taken[i].to, value) == 0;
		}
	}
	return true;
}

/* Takes over what an import can set of a Key. */
static enum lk_err flatten_key(const struct reader *reader, json_t *key, json_t *flat)
{
	const json_t *state = NULL, *revoked = NULL, *suspended = NULL;
	const char *name;
	json_t *value;

	json_object_foreach(key, name, value)
	{
		const struct lk_schema_field *field = lk_schema_field(reader->key, name, strlen(name));

		if (!field) {
			return refuse_unknown(reader, name, strlen(name), 2);
		}
		if (strcmp(field->name, "state") == 0) {
			state = value;
		} else if (strcmp(field->name, "revoke_reason") == 0) {
			revoked = value;
		} else if (strcmp(field->name, "suspend_reason") == 0) {
			suspended = value;
		} else if (!take_member(field->name, value, flat)) {
			return LK_NO_MEMORY;
		}
	}
	return take_state(state, revoked, suspended, flat) ? LK_OK : LK_NO_MEMORY;
}

/* The line as an ImportedKey: `object` itself, or made of what an export tells. To be json_decref()ed. */
static enum lk_err flatten(const struct reader *reader, json_t *object, json_t **ret)
{
	json_t *key = json_object_get(object, "key"), *flat, *value;
	enum lk_err err;
	const char *name;

	if (!json_is_object(key)) {
		*ret = json_incref(object);
		return LK_OK;
	}
	flat = json_object();
	err = flat ? flatten_key(reader, key, flat) : LK_NO_MEMORY;
	json_object_foreach(object, name, value)
	{
		/* Of the digests one is there, and the other may be shown as empty. */
		if (value == key || (json_is_string(value) && !is_text(value))) {
			continue;
		}
		if (err == LK_OK && json_object_set(flat, name, value) != 0) {
			err = LK_NO_MEMORY;
		}
	}
	if (err != LK_OK) {
		json_decref(flat);
		return err;
	}
	*ret = flat;
	return LK_OK;
}

static enum lk_err check_names(const struct reader *reader, json_t *flat)
{
	const char *name;
	json_t *value;

	json_object_foreach(flat, name, value)
	{
		if (!lk_schema_field(reader->imported, name, strlen(name))) {
			return refuse_unknown(reader, name, strlen(name), 1);
		}
	}
	return LK_OK;
}

/* What the codec says of a value: "metadata["a"]: give a text". The field stands at its top, or in "key". */
static enum lk_err refuse_value(const struct reader *reader, char *fault)
{
	size_t name_len = strcspn(fault, ":.[ "), column = 0;
	char name[64];
	const struct lk_schema_field *field;
	const char *remedy;
	enum lk_err err;

	snprintf(name, sizeof(name), "%.*s", (int)(name_len < sizeof(name) ? name_len : 0), fault);
	field = lk_schema_field(reader->imported, name, strlen(name));
	for (unsigned depth = 1; field && column == 0 && depth <= 2; depth++) {
		column = column_of(reader, field->name, strlen(field->name), depth);
		if (column == 0) {
			column = column_of(reader, field->json_name, strlen(field->json_name), depth);
		}
	}
	/* Without the value, which the codec quotes of fields that are no secrets: a token may stand in the wrong one. */
	remedy = strstr(fault, WRONG);
	if (remedy) {
		err = refuse(reader, column, "%s: %s", name, remedy + strlen(WRONG));
	} else {
		err = refuse(reader, column, "%s", fault);
	}
	free(fault);
	return err;
}

static enum lk_err read_key(const struct reader *reader, json_t *object, struct lk_import_line *ret)
{
	json_t *flat = NULL;
	char *fault = NULL;
	enum lk_err err = flatten(reader, object, &flat);

	if (err == LK_OK) {
		err = check_names(reader, flat);
	}
	if (err == LK_OK) {
		err = lk_json_encode(reader->schema, reader->imported, flat, &ret->data, &ret->len, &fault);
		ret->kind = LK_IMPORT_KEY;
		if (err == LK_INVALID_ARGUMENT && fault) {
			err = refuse_value(reader, fault);
		}
	}
	json_decref(flat);
	return err;
}

static enum lk_err read_head(
	const struct reader *reader, const json_t *object, size_t number, struct lk_import_line *ret)
{
	const char *format = json_string_value(json_object_get(object, "format"));
	const json_t *version = json_object_get(object, "version"), *verify_key = json_object_get(object, "verifyKey");

	if (number != 1) {
		return refuse(reader, 0, "a head stands on the first line alone");
	}
	if (!format || strcmp(format, LK_KEYS_FORMAT) != 0) {
		return refuse(reader, column_of(reader, "format", strlen("format"), 1),
			"of another format than \"" LK_KEYS_FORMAT "\", which can be imported");
	}
	if (!json_is_integer(version) || json_integer_value(version) != LK_KEYS_VERSION) {
		return refuse(reader, column_of(reader, "version", strlen("version"), 1),
			"of another version than %d, which this program knows: take the program that wrote it, or a "
			"newer "
			"one",
			LK_KEYS_VERSION);
	}
	if (verify_key && (!is_text(verify_key) || json_string_length(verify_key) >= sizeof(ret->verify_key))) {
		return refuse(reader, column_of(reader, "verifyKey", strlen("verifyKey"), 1),
			"is no check value of a verify.key: leave the head as the export wrote it");
	}
	snprintf(ret->verify_key, sizeof(ret->verify_key), "%s", verify_key ? json_string_value(verify_key) : "");
	ret->kind = LK_IMPORT_HEAD;
	return LK_OK;
}

static bool is_empty(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (text[i] != ' ' && text[i] != '\t' && text[i] != '\r') {
			return false;
		}
	}
	return true;
}

enum lk_err lk_import_line_read(const struct lk_schema *schema, const char *text, size_t len, size_t number,
	struct lk_import_line *ret, char **ret_fault, size_t *ret_column)
{
	const struct reader reader = {
		.schema = schema,
		.imported = lk_schema_message(schema, "latchkey.v1.ImportedKey"),
		.key = lk_schema_message(schema, "latchkey.v1.Key"),
		.text = text,
		.len = len,
		.ret_fault = ret_fault,
		.ret_column = ret_column,
	};
	json_error_t error;
	json_t *object;
	enum lk_err err;

	*ret = (struct lk_import_line){.kind = LK_IMPORT_EMPTY};
	*ret_fault = NULL;
	*ret_column = 0;
	if (is_empty(text, len)) {
		return LK_OK;
	}
	object = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!object) {
		return refuse_syntax(&reader, &error);
	}
	if (!json_is_object(object)) {
		err = refuse(&reader, 1, "no key: give an object, {\"sha256\": \"...\", \"name\": \"...\"}");
	} else if (json_object_get(object, "format")) {
		err = read_head(&reader, object, number, ret);
	} else {
		err = read_key(&reader, object, ret);
	}
	json_decref(object);
	return err;
}

void lk_import_line_done(struct lk_import_line *line)
{
	if (line->data) {
		sodium_memzero(line->data, line->len);
	}
	free(line->data);
	*line = (struct lk_import_line){0};
}

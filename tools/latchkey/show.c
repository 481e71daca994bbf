#include "tools/latchkey/show.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/rate_limit.h"
#include "tools/latchkey/say.h"
#include "tools/latchkey/times.h"

static const struct {
	const char *word;
	enum lk_tint tint;
} tints[] = {
	{"VALID", LK_TINT_GOOD},
	{"ACTIVE", LK_TINT_GOOD},
	{"SERVING", LK_TINT_GOOD},
	{"REVOKED", LK_TINT_BAD},
	{"SUSPENDED", LK_TINT_BAD},
	{"EXPIRED", LK_TINT_BAD},
	{"Never", LK_TINT_DIM},
};

/* The value that a path of names with dots leads to; NULL where there is none. */
static const json_t *value_at(const json_t *object, const char *path)
{
	while (object) {
		const char *dot = strchrnul(path, '.');
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
		object = json_object_get(object, name);
		if (*dot == '\0') {
			return object;
		}
		path = dot + 1;
	}
	return NULL;
}

/* "2592000s" as "30d". */
void lk_show_write_span(FILE *out, const char *json)
{
	static const struct {
		int64_t seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	char *end;
	int64_t seconds = strtoll(json, &end, 10);

	if (strcmp(end, "s") != 0 || seconds <= 0) {
		fputs(json, out);
		return;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (seconds >= units[i].seconds) {
			fprintf(out, "%" PRId64 "%c", seconds / units[i].seconds, units[i].unit);
		}
		seconds %= units[i].seconds;
	}
}

static void write_string(FILE *out, const struct lk_show_field *field, const char *string)
{
	char time[LK_TIMES_TEXT_MAX];

	switch (field->kind) {
	case LK_SHOW_TIME:
		lk_times_shown(string, time);
		fputs(time, out);
		break;
	case LK_SHOW_SPAN:
		lk_show_write_span(out, string);
		break;
	default:
		if (field->prefix && strncmp(string, field->prefix, strlen(field->prefix)) == 0) {
			string += strlen(field->prefix);
		}
		fputs(string, out);
	}
}

static void write_scalar(FILE *out, const struct lk_show_field *field, const json_t *value)
{
	if (field->kind == LK_SHOW_LIMITS) {
		lk_rate_limit_write(out, value);
	} else if (json_is_string(value)) {
		write_string(out, field, json_string_value(value));
	} else if (json_is_boolean(value)) {
		fputs(json_is_true(value) ? "yes" : "no", out);
	} else if (json_is_integer(value) && field->kind == LK_SHOW_STATUS) {
		fputs(lk_err_name(lk_err_from_wire((uint32_t)json_integer_value(value))), out);
	} else if (json_is_integer(value)) {
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else if (json_is_real(value)) {
		fprintf(out, "%g", json_real_value(value));
	}
}

static void write_value(FILE *out, const struct lk_show_field *field, const json_t *value)
{
	const json_t *item;
	const char *key;
	size_t i;

	if (json_is_array(value)) {
		json_array_foreach(value, i, item)
		{
			fputs(i > 0 ? ", " : "", out);
			write_scalar(out, field, item);
		}
	} else if (json_is_object(value)) {
		const char *between = "";

		json_object_foreach((json_t *)value, key, item)
		{
			fprintf(out, "%s%s=", between, key);
			write_scalar(out, field, item);
			between = ", ";
		}
	} else {
		write_scalar(out, field, value);
	}
}

static bool is_there(const struct lk_show_field *field, const json_t *value)
{
	const char *text = json_string_value(value);

	if (!value || json_is_null(value)) {
		return false;
	}
	if (field->kind == LK_SHOW_CHOICE && text) {
		return strncmp(text, field->prefix, strlen(field->prefix)) != 0 ||
		       strcmp(text + strlen(field->prefix), "UNSPECIFIED") != 0;
	}
	/* JSON has numbers of 64 bits as texts. */
	return field->kind != LK_SHOW_COUNT || (text ? strcmp(text, "0") != 0 : json_integer_value(value) != 0);
}

char *lk_show_text(const struct lk_show_field *field, const json_t *object, enum lk_tint *ret_tint)
{
	const json_t *value = value_at(object, field->path);
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		return NULL;
	}
	if (is_there(field, value)) {
		write_value(out, field, value);
	} else if (field->absent) {
		fputs(field->absent, out);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	*ret_tint = LK_TINT_NONE;
	for (size_t i = 0; i < sizeof(tints) / sizeof(tints[0]); i++) {
		if (strcmp(tints[i].word, text) == 0 && (field->prefix || field->absent)) {
			*ret_tint = tints[i].tint;
		}
	}
	return text;
}

/* A table with the columns of `fields`, whose headers it copies into `columns`. */
static struct lk_table *table_of(const struct lk_show_field *fields, size_t n, struct lk_column *columns)
{
	for (size_t i = 0; columns && i < n; i++) {
		columns[i] = fields[i].column;
	}
	return columns ? lk_table_new(columns, n) : NULL;
}

static void add_object(
	struct lk_table *table, const struct lk_show_field *fields, size_t n, const json_t *object, bool *ok)
{
	for (size_t i = 0; *ok && i < n; i++) {
		enum lk_tint tint;
		char *text = lk_show_text(&fields[i], object, &tint);

		if (text) {
			lk_table_add(table, text, tint);
		} else {
			*ok = false;
		}
		free(text);
	}
}

/* Whether any of the objects has the field, or nobody can say for want of memory. */
static bool is_anywhere(const struct lk_show_field *field, const json_t *objects)
{
	bool found = false;
	json_t *object;
	size_t i;

	json_array_foreach(objects, i, object)
	{
		enum lk_tint tint;
		char *text = found ? NULL : lk_show_text(field, object, &tint);

		found |= !text || *text != '\0';
		free(text);
	}
	return found;
}

/* Copies the fields of a table of these objects: all but the rare ones that none of them has. Returns how many. */
static size_t choose_fields(
	const struct lk_show_field *fields, size_t n, const json_t *objects, struct lk_show_field *ret_chosen)
{
	size_t count = 0;

	for (size_t i = 0; ret_chosen && i < n; i++) {
		if (!fields[i].rare || is_anywhere(&fields[i], objects)) {
			ret_chosen[count++] = fields[i];
		}
	}
	return count;
}

enum lk_err lk_show_rows(const struct lk_show_field *fields, size_t n, const json_t *objects, const char *none,
	const struct lk_page *page)
{
	struct lk_show_field *chosen = calloc(n, sizeof(*chosen));
	size_t n_chosen = choose_fields(fields, n, objects, chosen);
	struct lk_column *columns = calloc(n, sizeof(*columns));
	struct lk_table *table = chosen ? table_of(chosen, n_chosen, columns) : NULL;
	enum lk_err err = LK_NO_MEMORY;
	bool ok = table != NULL;
	size_t left_out = 0, i;
	json_t *object;

	if (ok && json_array_size(objects) == 0) {
		lk_say_line("%s", none);
		err = LK_OK;
		goto out;
	}
	json_array_foreach(objects, i, object) add_object(table, chosen, n_chosen, object, &ok);
	if (ok) {
		err = lk_table_print(table, page, &left_out);
	}
	if (err == LK_OK && left_out > 0) {
		lk_say_line("(columns left out for want of room: %zu; --output json has all)", left_out);
	}
out:
	lk_table_free(table);
	free(columns);
	free(chosen);
	return err;
}

enum lk_err lk_show_record(
	const struct lk_show_field *fields, size_t n, const json_t *object, const struct lk_page *page)
{
	struct lk_column *columns = calloc(n, sizeof(*columns));
	struct lk_table *table = table_of(fields, n, columns);
	enum lk_err err = LK_NO_MEMORY;
	bool ok = table != NULL;

	if (ok) {
		add_object(table, fields, n, object, &ok);
	}
	if (ok) {
		err = lk_table_print_record(table, page);
	}
	lk_table_free(table);
	free(columns);
	return err;
}

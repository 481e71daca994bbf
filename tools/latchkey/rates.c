#include "tools/latchkey/rates.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/show.h"
#include "tools/latchkey/times.h"

/* As long as the largest number of 64 bits; one that is longer, or larger, the encoder of JSON refuses as the daemon would. */
#define DIGITS_MAX 20

static bool is_cost(const char *text)
{
	size_t len = strspn(text, "0123456789");

	return len > 0 && len <= DIGITS_MAX && text[len] == '\0' && strspn(text, "0") < len;
}

enum lk_exit lk_rates_add_charge(json_t *request, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t name_len = equals ? (size_t)(equals - text) : strlen(text);
	json_t *list = json_object_get(request, "rate_charges"), *charge = json_object();

	if (name_len == 0 || (equals && !is_cost(equals + 1))) {
		lk_say("--rate-charge \"%s\": give NAME, or NAME=COST with a whole number above 0", text);
		json_decref(charge);
		return LK_EXIT_USAGE;
	}
	if (!list && json_object_set_new(request, "rate_charges", json_array()) == 0) {
		list = json_object_get(request, "rate_charges");
	}
	if (!list || !charge) {
		json_decref(charge);
		return lk_say_no_memory();
	}
	if (json_object_set_new(charge, "name", json_stringn(text, name_len)) != 0 ||
		(equals && json_object_set_new(charge, "cost", json_string(equals + 1)) != 0)) {
		lk_say("--rate-charge \"%s\": give text in UTF-8", text);
		json_decref(charge);
		return LK_EXIT_USAGE;
	}
	return json_array_append_new(list, charge) == 0 ? LK_EXIT_OK : lk_say_no_memory();
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* A Duration in whole seconds, rounded up: who waits so long has waited long enough. */
static void write_wait(FILE *out, const char *json)
{
	static const struct lk_show_field span = {.path = "wait", .kind = LK_SHOW_SPAN};
	char *end = NULL;
	long long seconds = strtoll(json, &end, 10);
	json_t *object = json_pack("{s:o}", "wait", json_sprintf("%llds", seconds + (*end == '.')));
	enum lk_tint tint = LK_TINT_NONE;
	char *text = object ? lk_show_text(&span, object, &tint) : NULL;

	fputs(text ? text : json, out);
	free(text);
	json_decref(object);
}

char *lk_rates_shown(const json_t *state)
{
	char time[LK_TIMES_TEXT_MAX], *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		return NULL;
	}
	fprintf(out, "%s%s%s: %s left now, %s a period", text_of(state, "name"),
		json_is_true(json_object_get(state, "shared")) ? " (the owner's)" : "",
		json_is_true(json_object_get(state, "refused")) ? " refused" : "", text_of(state, "remaining"),
		text_of(state, "limit"));
	if (*text_of(state, "resetTime") != '\0') {
		lk_times_shown(text_of(state, "resetTime"), time);
		fprintf(out, ", all again at %s", time);
	}
	if (*text_of(state, "retryAfter") != '\0') {
		fputs(", enough in ", out);
		write_wait(out, text_of(state, "retryAfter"));
	}
	return fclose(out) == 0 ? text : NULL;
}

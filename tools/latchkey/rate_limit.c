#include "tools/latchkey/rate_limit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/show.h"
#include "tools/latchkey/times.h"

/* Those of the largest number of 64 bits; what is over it the daemon's bounds refuse. */
#define DIGITS_MAX 19

/* The parts of what was typed, each a text of its own in `copy`. */
struct parts {
	char *copy;
	char *name;
	char *limit;
	char *period;
	/* NULL: not given. */
	char *burst;
};

/* Ends the text at `*at` before the first `sign`, and returns what follows it; NULL where there is none. */
static char *cut(char *at, char sign)
{
	char *found = at ? strchr(at, sign) : NULL;

	if (!found) {
		return NULL;
	}
	*found = '\0';
	return found + 1;
}

static bool is_count(const char *text)
{
	size_t len = strspn(text, "0123456789");

	return len > 0 && len <= DIGITS_MAX && text[len] == '\0';
}

/* Takes `copy`, a copy of what was typed, apart; false: it has not all parts, or one is none. */
static bool take_apart(char *copy, struct parts *ret)
{
	struct parts parts = {.copy = copy, .name = copy};

	parts.limit = cut(copy, '=');
	parts.period = cut(parts.limit, '/');
	parts.burst = cut(parts.period, ':');
	*ret = parts;
	return parts.period && *parts.name != '\0' && is_count(parts.limit) && (!parts.burst || is_count(parts.burst));
}

/* NULL: no memory, or text that is not UTF-8. */
static json_t *make(const struct parts *parts, const char *period)
{
	json_t *limit = json_pack("{s:s, s:s, s:s}", "name", parts->name, "limit", parts->limit, "period", period);

	if (limit && parts->burst && json_object_set_new(limit, "burst", json_string(parts->burst)) != 0) {
		json_decref(limit);
		return NULL;
	}
	return limit;
}

static enum lk_exit append(json_t *holder, const char *name, json_t *limit)
{
	json_t *list = json_object_get(holder, name);

	if (!list && json_object_set_new(holder, name, json_array()) == 0) {
		list = json_object_get(holder, name);
	}
	return json_array_append_new(list, limit) == 0 ? LK_EXIT_OK : lk_say_no_memory();
}

enum lk_exit lk_rate_limit_add(json_t *holder, const char *name, const char *text)
{
	char period[LK_TIMES_TEXT_MAX];
	char *copy = strdup(text);
	struct parts parts = {0};
	const char *fault = NULL;
	enum lk_exit code = LK_EXIT_USAGE;
	json_t *limit;

	if (!copy) {
		return lk_say_no_memory();
	}
	if (!take_apart(copy, &parts)) {
		lk_say("--rate-limit \"%s\": give " LK_RATE_LIMIT_METAVAR ", such as requests=600/1m or "
		       "requests=600/1m:20",
			text);
	} else if (lk_times_duration(parts.period, period, &fault) != LK_OK) {
		lk_say("--rate-limit \"%s\": of the period \"%s\": %s", text, parts.period, fault);
	} else if ((limit = make(&parts, period))) {
		code = append(holder, name, limit);
	} else {
		lk_say("--rate-limit \"%s\": give text in UTF-8", text);
	}
	free(copy);
	return code;
}

void lk_rate_limit_write(FILE *out, const json_t *limit)
{
	const char *name = json_string_value(json_object_get(limit, "name"));
	const char *count = json_string_value(json_object_get(limit, "limit"));
	const char *period = json_string_value(json_object_get(limit, "period"));
	const char *burst = json_string_value(json_object_get(limit, "burst"));

	if (!name || !count || !period) {
		return;
	}
	fprintf(out, "%s=%s/", name, count);
	lk_show_write_span(out, period);
	if (burst && strcmp(burst, count) != 0) {
		fprintf(out, ":%s", burst);
	}
}

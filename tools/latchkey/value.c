#include "tools/latchkey/value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tools/latchkey/times.h"

static enum lk_exit wrong(const struct lk_flag *flag, const char *text, const char *remedy)
{
	lk_say("--%s \"%s\": %s", flag->name, text, remedy);
	return LK_EXIT_USAGE;
}

static enum lk_exit read_string(const struct lk_flag *flag, const char *text, time_t now, json_t **ret)
{
	(void)now;
	*ret = json_string(text);
	return *ret ? LK_EXIT_OK : wrong(flag, text, "give text in UTF-8");
}

static enum lk_exit read_bool(const struct lk_flag *flag, const char *text, time_t now, json_t **ret)
{
	(void)now;
	if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
		return wrong(flag, text, "give true or false, or the flag alone for true");
	}
	*ret = json_boolean(*text == 't');
	return LK_EXIT_OK;
}

/* The range of the field's own type is the encoder's to check: here is what a whole number looks like. */
static enum lk_exit read_int(const struct lk_flag *flag, const char *text, time_t now, json_t **ret)
{
	char *end;
	long long number;

	(void)now;
	errno = 0;
	number = strtoll(text, &end, 10);
	if (!isdigit((unsigned char)text[*text == '-']) || *end != '\0' || errno != 0) {
		return wrong(flag, text, "give a whole number");
	}
	*ret = json_integer(number);
	return *ret ? LK_EXIT_OK : lk_say_no_memory();
}

static enum lk_exit read_uint(const struct lk_flag *flag, const char *text, time_t now, json_t **ret)
{
	size_t digits = strspn(text, "0123456789");

	(void)now;
	/* As text, which JSON has for 64 bits anyway: jansson's own numbers end at 63. */
	if (digits == 0 || digits > 20 || text[digits] != '\0') {
		return wrong(flag, text, "give a whole number that is not negative");
	}
	*ret = json_string(text);
	return *ret ? LK_EXIT_OK : lk_say_no_memory();
}

/* Whether the `len` letters at `choice` are what was typed, in any case and with '-' for '_'. */
static bool is_choice(const char *choice, size_t len, const char *text)
{
	if (strlen(text) != len) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (choice[i] != (text[i] == '-' ? '_' : tolower((unsigned char)text[i]))) {
			return false;
		}
	}
	return true;
}

static enum lk_exit read_enum(const struct lk_flag *flag, const char *text, time_t now, json_t **ret)
{
	char name[256], remedy[512];

	(void)now;
	for (const char *choice = flag->metavar; *choice != '\0';) {
		size_t len = strcspn(choice, "|");

		if (is_choice(choice, len, text)) {
			snprintf(name, sizeof(name), "%s%.*s", flag->enum_prefix, (int)len, choice);
			for (char *letter = name; *letter != '\0'; letter++) {
				*letter = (char)toupper((unsigned char)*letter);
			}
			*ret = json_string(name);
			return *ret ? LK_EXIT_OK : lk_say_no_memory();
		}
		choice += len + (choice[len] == '|');
	}
	snprintf(remedy, sizeof(remedy), "give one of %s", flag->metavar);
	return wrong(flag, text, remedy);
}

static enum lk_exit read_timestamp(const struct lk_flag *flag, const char *text, time_t now, json_t **ret)
{
	char json[LK_TIMES_TEXT_MAX];
	const char *fault;

	if (lk_times_instant(text, now, flag->ago, json, &fault) != LK_OK) {
		return wrong(flag, text, fault);
	}
	*ret = json_string(json);
	return *ret ? LK_EXIT_OK : lk_say_no_memory();
}

static enum lk_exit read_duration(const struct lk_flag *flag, const char *text, time_t now, json_t **ret)
{
	char json[LK_TIMES_TEXT_MAX];
	const char *fault;

	(void)now;
	if (lk_times_duration(text, json, &fault) != LK_OK) {
		return wrong(flag, text, fault);
	}
	*ret = json_string(json);
	return *ret ? LK_EXIT_OK : lk_say_no_memory();
}

enum lk_exit lk_value_read(const struct lk_flag *flag, const char *text, time_t now, json_t **ret)
{
	static enum lk_exit (*const readers[])(const struct lk_flag *, const char *, time_t, json_t **) = {
		[LK_FLAG_STRING] = read_string,
		[LK_FLAG_BOOL] = read_bool,
		[LK_FLAG_INT] = read_int,
		[LK_FLAG_UINT] = read_uint,
		[LK_FLAG_ENUM] = read_enum,
		[LK_FLAG_TIMESTAMP] = read_timestamp,
		[LK_FLAG_DURATION] = read_duration,
		[LK_FLAG_MAP] = read_string,
		[LK_FLAG_BYTES] = read_string,
		[LK_FLAG_MASK] = read_string,
	};

	return readers[flag->kind](flag, text, now, ret);
}

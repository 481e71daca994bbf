#include "server/core/text.h"

#include <stdint.h>
#include <string.h>

static const char id_first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char id_rest[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

struct range {
	uint32_t first;
	uint32_t last;
};

/* White_Space in https://www.unicode.org/Public/UCD/latest/ucd/PropList.txt */
static const struct range white_space[] = {
	{0x09, 0x0d},
	{0x20, 0x20},
	{0x85, 0x85},
	{0xa0, 0xa0},
	{0x1680, 0x1680},
	{0x2000, 0x200a},
	{0x2028, 0x2029},
	{0x202f, 0x202f},
	{0x205f, 0x205f},
	{0x3000, 0x3000},
};

/* General_Category Cc. */
static const struct range controls[] = {
	{0x00, 0x1f},
	{0x7f, 0x9f},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool in_ranges(uint32_t code, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (code >= ranges[i].first && code <= ranges[i].last) {
			return true;
		}
	}
	return false;
}

static bool is_white_space(uint32_t code)
{
	return in_ranges(code, white_space, COUNT(white_space));
}

static bool is_control(uint32_t code)
{
	return in_ranges(code, controls, COUNT(controls));
}

static bool is_continuation(char byte)
{
	return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The code point at `text`, which is valid UTF-8 and not at its end, and its bytes. */
static uint32_t decode(const char *text, size_t *ret_len)
{
	unsigned char lead = (unsigned char)text[0];
	uint32_t code = lead < 0x80 ? lead : lead < 0xe0 ? lead & 0x1fU : lead < 0xf0 ? lead & 0x0fU : lead & 0x07U;
	size_t len = 1;
	while (is_continuation(text[len])) {
		code = code << 6 | ((unsigned char)text[len] & 0x3fU);
		len++;
	}
	*ret_len = len;
	return code;
}

bool lk_text_is_id(const char *text)
{
	/* strspn() counts no NUL, so an empty text has no first character. */
	return strspn(text, id_first) > 0 && strlen(text) <= LK_ID_MAX && text[strspn(text, id_rest)] == '\0';
}

void lk_text_check_id(struct lk_faults *faults, const char *field, const char *text)
{
	if (text[0] == '\0') {
		lk_fault_add(faults, field,
			"is needed: give an id of a-z, 0-9 and '-', not first; at most %d characters", LK_ID_MAX);
	} else if (!lk_text_is_id(text)) {
		lk_fault_add(faults, field, "%s is not an id: use a-z, 0-9 and '-', not first; at most %d characters",
			lk_text_quote(faults->arena, text), LK_ID_MAX);
	}
}

const char *lk_text_quote(struct lk_arena *arena, const char *text)
{
	char *quoted = lk_arena_alloc(arena, strlen(text) + sizeof("\"\"..."));
	if (quoted == NULL) {
		return "\"...\"";
	}
	size_t out = 0;
	size_t len = 0;
	size_t count = 0;
	quoted[out++] = '"';
	for (; *text != '\0' && count < LK_QUOTE_MAX; text += len, count++) {
		if (is_control(decode(text, &len))) {
			quoted[out++] = '?';
			continue;
		}
		memcpy(quoted + out, text, len);
		out += len;
	}
	quoted[out++] = '"';
	memcpy(quoted + out, *text == '\0' ? "" : "...", *text == '\0' ? 1 : sizeof("..."));
	return quoted;
}

size_t lk_text_length(const char *text)
{
	size_t length = 0;
	for (; *text != '\0'; text++) {
		length += is_continuation(*text) ? 0 : 1;
	}
	return length;
}

char *lk_text_trim(struct lk_arena *arena, const char *text)
{
	size_t len = 0;
	while (*text != '\0' && is_white_space(decode(text, &len))) {
		text += len;
	}
	const char *end = text;
	for (const char *at = text; *at != '\0'; at += len) {
		if (!is_white_space(decode(at, &len))) {
			end = at + len;
		}
	}
	return lk_arena_text(arena, text, (size_t)(end - text));
}

static bool has_control(const char *text)
{
	size_t len = 0;
	for (; *text != '\0'; text += len) {
		if (is_control(decode(text, &len))) {
			return true;
		}
	}
	return false;
}

const char *lk_text_check(struct lk_faults *faults, const char *field, const char *text, size_t max, bool required)
{
	const char *trimmed = lk_text_trim(faults->arena, text);
	if (trimmed == NULL) {
		lk_fault_add(faults, field, "could not be checked: the request is too large");
		return "";
	}
	size_t length = lk_text_length(trimmed);
	if (length > max) {
		lk_fault_add(faults, field, "%s has %zu characters: shorten it to at most %zu",
			lk_text_quote(faults->arena, trimmed), length, max);
	}
	if (has_control(trimmed)) {
		lk_fault_add(faults, field, "%s holds a control character: leave it out",
			lk_text_quote(faults->arena, trimmed));
	}
	if (length == 0 && required) {
		lk_fault_add(faults, field, "is needed: give 1 to %zu characters that are not all blank", max);
	}
	return trimmed;
}

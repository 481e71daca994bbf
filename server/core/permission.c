#include "server/core/permission.h"

#include <string.h>
#include <strings.h>

#include "server/core/text.h"

static const char segment_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";

bool lk_permission_has_character(char character)
{
	return memchr(segment_characters, character, sizeof segment_characters - 1) != NULL;
}

static bool is_any(const char *segment, size_t len)
{
	return len == 1 && segment[0] == '*';
}

static bool is_permission(const char *text)
{
	for (;;) {
		size_t len = strcspn(text, ":");
		if (!is_any(text, len) && (len == 0 || strspn(text, segment_characters) != len)) {
			return false;
		}
		if (text[len] == '\0') {
			return true;
		}
		text += len + 1;
	}
}

static bool is_operator(const char *text)
{
	return strcasecmp(text, "and") == 0 || strcasecmp(text, "or") == 0;
}

void lk_permission_check(struct lk_faults *faults, const char *field, const char *text)
{
	size_t length = lk_text_length(text);
	if (length > LK_PERMISSION_MAX) {
		lk_fault_add(faults, field, "%s has %zu characters: shorten it to at most %d",
			lk_text_quote(faults->arena, text), length, LK_PERMISSION_MAX);
	}
	if (!is_permission(text)) {
		lk_fault_add(faults, field,
			"%s is no permission: give segments of A-Z, a-z, 0-9, '_', '-' and '.', or '*' alone, with ':' "
			"between them, for example \"agents:install\"",
			lk_text_quote(faults->arena, text));
	} else if (is_operator(text)) {
		lk_fault_add(faults, field, "\"%s\" joins permissions in expressions: choose another word", text);
	}
}

static bool is_among(char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i], text) == 0) {
			return true;
		}
	}
	return false;
}

void lk_permission_check_list(struct lk_faults *faults, const char *field, char *const *list, size_t count)
{
	if (count > LK_PERMISSIONS_MAX) {
		lk_fault_add(faults, field, "has %zu permissions: give at most %d", count, LK_PERMISSIONS_MAX);
		/* So that no list takes long to check. */
		count = LK_PERMISSIONS_MAX;
	}
	for (size_t i = 0; i < count; i++) {
		const char *item = lk_arena_printf(faults->arena, "%s[%zu]", field, i);
		item = item == NULL ? field : item;
		lk_permission_check(faults, item, list[i]);
		if (is_among(list, i, list[i])) {
			lk_fault_add(
				faults, item, "%s is given twice: give it once", lk_text_quote(faults->arena, list[i]));
		}
	}
}

bool lk_permission_covers_text(const char *held, size_t held_len, const char *asked, size_t asked_len)
{
	const char *held_end = held + held_len;
	const char *asked_end = asked + asked_len;
	bool at_segment = true;

	/* Both are always in segments of the same place: ':' is passed in both at once. */
	for (; held < held_end; held++) {
		bool is_last = held + 1 == held_end;
		if (at_segment && *held == '*' && (is_last || held[1] == ':')) {
			if (is_last) {
				return true;
			}
			while (asked < asked_end && *asked != ':') {
				asked++;
			}
			continue;
		}
		if (asked == asked_end || *held != *asked) {
			return false;
		}
		at_segment = *held == ':';
		asked++;
	}
	return asked == asked_end;
}

bool lk_permission_covers(const char *held, const char *asked)
{
	return lk_permission_covers_text(held, strlen(held), asked, strlen(asked));
}

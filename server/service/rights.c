#include "server/service/rights.h"

#include <string.h>

#include "server/core/grant.h"
#include "server/core/text.h"
#include "server/service/services.h"

/* As long as options.proto's rights ever are; no right of a grant may be longer. */
#define RIGHT_MAX 64

/* Farther than this, a right is not the one that was meant. */
#define NEAR_MAX 4

bool lk_right_is_public(const struct lk_method *method)
{
	return strcmp(method->access, "public") == 0;
}

/* Whether the method's access is a right, that a grant can name. */
static bool is_right(const struct lk_method *method)
{
	return !lk_right_is_public(method) && strcmp(method->access, "caller") != 0;
}

bool lk_right_is_granted(const Latchkey__Store__GrantRecord *grant, const struct lk_method *method)
{
	return !is_right(method) || lk_grant_allows_method(grant, method->access);
}

bool lk_right_is_withheld(const Latchkey__Store__GrantRecord *grant, const struct lk_method *method)
{
	return grant->own_only && !method->own && !lk_right_is_public(method);
}

/* Every method there is: the `index`th, NULL behind the last. */
static const struct lk_method *method_at(size_t index)
{
	for (size_t i = 0; i < lk_n_services; i++) {
		const struct lk_server_service *service = lk_services[i].service;
		if (index < service->n_methods) {
			return service->methods[index].method;
		}
		index -= service->n_methods;
	}
	return NULL;
}

static size_t count_methods(void)
{
	size_t count = 0;

	for (size_t i = 0; i < lk_n_services; i++) {
		count += lk_services[i].service->n_methods;
	}
	return count;
}

char **lk_rights_methods(struct lk_arena *arena, const Latchkey__Store__GrantRecord *grant, size_t *ret_count)
{
	char **names = lk_arena_array(arena, count_methods(), sizeof *names);
	const struct lk_method *method = NULL;
	size_t count = 0;

	if (names == NULL) {
		return NULL;
	}
	for (size_t i = 0; (method = method_at(i)) != NULL; i++) {
		if (lk_right_is_granted(grant, method) && !lk_right_is_withheld(grant, method)) {
			names[count++] = (char *)(uintptr_t)method->name;
		}
	}
	*ret_count = count;
	return names;
}

/* How many characters stand between two texts, where each is put in, left out or replaced (Levenshtein's distance). */
static size_t distance(const char *a, const char *b)
{
	size_t row[RIGHT_MAX + 1];
	size_t b_len = strlen(b);

	for (size_t j = 0; j <= b_len; j++) {
		row[j] = j;
	}
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t replaced = corner + (a[i - 1] != b[j - 1]);
			size_t moved = 1 + (row[j] < row[j - 1] ? row[j] : row[j - 1]);
			corner = row[j];
			row[j] = replaced < moved ? replaced : moved;
		}
	}
	return row[b_len];
}

/* The right as the grant would name it beside `given`: "keys.*" where that names a noun, else "keys.verify". */
static void name_right(const char *access, bool of_noun, char ret_right[static RIGHT_MAX + 1])
{
	size_t len = of_noun ? strcspn(access, ".") + 1 : strlen(access);

	len = len > RIGHT_MAX - 1 ? RIGHT_MAX - 1 : len;
	memcpy(ret_right, access, len);
	memcpy(ret_right + len, of_noun ? "*" : "", of_noun ? 2 : 1);
}

/* Whether there is the right; else the nearest that there is, "" where none is near. */
static bool find_right(const char *given, char ret_nearest[static RIGHT_MAX + 1])
{
	size_t len = strlen(given);
	bool of_noun = len > 2 && strcmp(given + len - 2, ".*") == 0;
	const struct lk_method *method = NULL;
	char right[RIGHT_MAX + 1] = "";
	size_t least = NEAR_MAX + 1;

	ret_nearest[0] = '\0';
	for (size_t i = 0; (method = method_at(i)) != NULL; i++) {
		if (!is_right(method)) {
			continue;
		}
		name_right(method->access, of_noun, right);
		size_t far = distance(given, right);
		if (far == 0) {
			return true;
		}
		if (far < least) {
			least = far;
			memcpy(ret_nearest, right, sizeof right);
		}
	}
	return false;
}

static bool has_fault(const struct lk_faults *faults, const char *field)
{
	for (size_t i = 0; i < faults->count; i++) {
		if (strcmp(faults->items[i].field, field) == 0) {
			return true;
		}
	}
	return false;
}

void lk_rights_check(struct lk_faults *faults, const char *field, const Latchkey__Store__GrantRecord *grant)
{
	char nearest[RIGHT_MAX + 1] = "";

	for (size_t i = 0; i < grant->n_methods; i++) {
		const char *given = grant->methods[i];
		const char *entry = lk_arena_printf(faults->arena, "%s.methods[%zu]", field, i);
		if (entry == NULL || strcmp(given, "*") == 0 || has_fault(faults, entry) ||
			find_right(given, nearest)) {
			continue;
		}
		if (nearest[0] != '\0') {
			lk_fault_add(faults, entry, "%s is no right that a method needs: did you mean \"%s\"?",
				lk_text_quote(faults->arena, given), nearest);
		} else {
			lk_fault_add(faults, entry,
				"%s is no right that a method needs: give one such as \"keys.verify\", or \"keys.*\" "
				"for all "
				"of one noun",
				lk_text_quote(faults->arena, given));
		}
	}
}

#include "server/core/mask.h"

#include <string.h>

#include "server/core/text.h"

static const char field[] = "update_mask";

static uint64_t bit(size_t at)
{
	return UINT64_C(1) << at;
}

/* Whether `path` lies below `parent`: "policy.max_ttl" below "policy". */
static bool is_below(const char *path, const char *parent)
{
	size_t len = strlen(parent);
	return strncmp(path, parent, len) == 0 && path[len] == '.';
}

/* "name, owner and scope", for an error. */
static const char *list_paths(struct lk_arena *arena, const char *const *table, size_t table_len)
{
	const char *list = table_len == 0 ? "nothing" : table[0];
	for (size_t i = 1; i < table_len; i++) {
		const char *longer = lk_arena_printf(
			arena, "%s%s%s", list, i + 1 == table_len ? " and " : ", ", table[i]);
		if (longer == NULL) {
			return "the fields that the method's description names";
		}
		list = longer;
	}
	return list;
}

/* Adds the path to what is given, or says why it cannot be. */
static void take_path(
	struct lk_faults *faults, const char *path, const char *const *table, size_t table_len, uint64_t *given)
{
	if (strcmp(path, "*") == 0) {
		lk_fault_add(faults, field, "\"*\" is not taken: name each field that is to be changed");
		return;
	}
	for (size_t i = 0; i < table_len; i++) {
		if (strcmp(path, table[i]) != 0) {
			continue;
		}
		if ((*given & bit(i)) != 0) {
			lk_fault_add(faults, field, "\"%s\" is given twice: name it once", path);
		}
		*given |= bit(i);
		return;
	}
	lk_fault_add(faults, field, "%s is no field that can be changed: those are %s",
		lk_text_quote(faults->arena, path), list_paths(faults->arena, table, table_len));
}

/* Finds those that are below another, and adds to what is named all that is below it. */
static uint64_t spread(struct lk_faults *faults, uint64_t given, const char *const *table, size_t table_len)
{
	uint64_t named = given;
	for (size_t parent = 0; parent < table_len; parent++) {
		for (size_t i = 0; (given & bit(parent)) != 0 && i < table_len; i++) {
			if (!is_below(table[i], table[parent])) {
				continue;
			}
			named |= bit(i);
			if ((given & bit(i)) != 0) {
				lk_fault_add(faults, field, "\"%s\" is part of \"%s\": name one of the two", table[i],
					table[parent]);
			}
		}
	}
	return named;
}

struct lk_mask lk_mask_check(
	struct lk_faults *faults, const Google__Protobuf__FieldMask *mask, const char *const *table, size_t table_len)
{
	uint64_t given = 0;
	if (mask == NULL || mask->n_paths == 0) {
		lk_fault_add(faults, field, "is needed: name the fields that are to be changed, of %s",
			list_paths(faults->arena, table, table_len));
		return (struct lk_mask){0};
	}
	for (size_t i = 0; i < mask->n_paths; i++) {
		take_path(faults, mask->paths[i], table, table_len, &given);
	}
	return (struct lk_mask){spread(faults, given, table, table_len)};
}

bool lk_mask_names(struct lk_mask mask, size_t at)
{
	return (mask.named & bit(at)) != 0;
}

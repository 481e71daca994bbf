#include "server/core/grant.h"

#include <string.h>

#include "server/core/text.h"

static const char any[] = "*";
static const char lower[] = "abcdefghijklmnopqrstuvwxyz";
static const char word[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

/* Whether whoever has the entry `outer` has all that `inner` stands for. */
typedef bool entry_covers(const char *outer, const char *inner);

static bool method_covers(const char *outer, const char *inner)
{
	if (strcmp(outer, any) == 0 || strcmp(outer, inner) == 0) {
		return true;
	}
	/* "keys.*" covers whatever starts with "keys.". */
	size_t noun_len = strcspn(outer, ".") + 1;
	return strlen(outer) == noun_len + 1 && outer[noun_len] == '*' && strncmp(outer, inner, noun_len) == 0;
}

static bool tenant_covers(const char *outer, const char *inner)
{
	return strcmp(outer, inner) == 0 || (strcmp(outer, any) == 0 && strcmp(inner, LK_TENANT_SYSTEM) != 0);
}

static bool keyspace_covers(const char *outer, const char *inner)
{
	return strcmp(outer, inner) == 0 || strcmp(outer, any) == 0;
}

static bool list_covers(char *const *list, size_t count, const char *inner, entry_covers *covers)
{
	for (size_t i = 0; i < count; i++) {
		if (covers(list[i], inner)) {
			return true;
		}
	}
	return false;
}

bool lk_grant_allows_method(const Latchkey__Store__GrantRecord *grant, const char *access)
{
	return list_covers(grant->methods, grant->n_methods, access, method_covers);
}

bool lk_grant_allows_tenant(const Latchkey__Store__GrantRecord *grant, const char *tenant)
{
	return list_covers(grant->tenants, grant->n_tenants, tenant, tenant_covers);
}

bool lk_grant_allows_keyspace(const Latchkey__Store__GrantRecord *grant, const char *keyspace)
{
	return list_covers(grant->keyspaces, grant->n_keyspaces, keyspace, keyspace_covers);
}

const char *lk_grant_single_tenant(const Latchkey__Store__GrantRecord *grant)
{
	return grant->n_tenants == 1 && strcmp(grant->tenants[0], any) != 0 ? grant->tenants[0] : NULL;
}

static bool list_within(
	char *const *inner, size_t inner_count, char *const *outer, size_t outer_count, entry_covers *covers)
{
	for (size_t i = 0; i < inner_count; i++) {
		if (!list_covers(outer, outer_count, inner[i], covers)) {
			return false;
		}
	}
	return true;
}

bool lk_grant_within(const Latchkey__Store__GrantRecord *inner, const Latchkey__Store__GrantRecord *outer)
{
	/*
	 * List by list, although an empty one makes the others void: a call without a keyspace looks only at the other two.
	 * Without a method, though, there is no call.
	 */
	return inner->n_methods == 0 ||
	       ((inner->own_only || !outer->own_only) &&
		       list_within(inner->methods, inner->n_methods, outer->methods, outer->n_methods, method_covers) &&
		       list_within(inner->tenants, inner->n_tenants, outer->tenants, outer->n_tenants, tenant_covers) &&
		       list_within(inner->keyspaces, inner->n_keyspaces, outer->keyspaces, outer->n_keyspaces,
			       keyspace_covers));
}

static bool is_method(const char *text)
{
	if (strcmp(text, any) == 0) {
		return true;
	}
	size_t noun_len = strspn(text, word);
	if (strspn(text, lower) == 0 || text[noun_len] != '.') {
		return false;
	}
	const char *verb = text + noun_len + 1;
	return strcmp(verb, any) == 0 || (strspn(verb, lower) > 0 && verb[strspn(verb, word)] == '\0');
}

/* "active" is only another word for the caller's own tenant: no tenant can have it for its id. */
static bool is_tenant(const char *text)
{
	return strcmp(text, any) == 0 || (lk_text_is_id(text) && strcmp(text, LK_TENANT_ACTIVE) != 0);
}

static bool is_keyspace(const char *text)
{
	return strcmp(text, any) == 0 || lk_text_is_id(text);
}

struct list {
	const char *name;
	char *const *items;
	size_t count;
	bool (*is_good)(const char *text);
	const char *remedy;
};

static bool is_among(char *const *items, size_t count, const char *item)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(items[i], item) == 0) {
			return true;
		}
	}
	return false;
}

static void check_list(struct lk_faults *faults, const char *field, const struct list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *item = list->items[i];
		const char *entry = lk_arena_printf(faults->arena, "%s.%s[%zu]", field, list->name, i);
		entry = entry == NULL ? field : entry;
		if (!list->is_good(item)) {
			lk_fault_add(faults, entry, "%s: %s", lk_text_quote(faults->arena, item), list->remedy);
		} else if (is_among(list->items, i, item)) {
			lk_fault_add(
				faults, entry, "%s is given twice: give it once", lk_text_quote(faults->arena, item));
		}
	}
}

void lk_grant_check(struct lk_faults *faults, const char *field, const Latchkey__Store__GrantRecord *grant)
{
	const struct list lists[] = {
		{"methods", grant->methods, grant->n_methods, is_method,
			"give a right as \"keys.verify\", \"keys.*\" for all of one noun, or \"*\" for all"},
		{"tenants", grant->tenants, grant->n_tenants, is_tenant,
			"give the id of a tenant, or \"*\" for all but \"system\""},
		{"keyspaces", grant->keyspaces, grant->n_keyspaces, is_keyspace,
			"give the id of a keyspace, or \"*\" for all"},
	};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		check_list(faults, field, &lists[i]);
	}
}

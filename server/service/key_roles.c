#include "server/service/key_roles.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "server/core/text.h"
#include "server/store/change.h"
#include "server/store/find.h"
#include "server/store/rules.h"

/* Room for the path of a fault. */
#define FIELD_LEN 128

static bool has_number(const uint32_t *numbers, size_t count, uint32_t number)
{
	for (size_t i = 0; i < count; i++) {
		if (numbers[i] == number) {
			return true;
		}
	}
	return false;
}

/* Where `id` stands before `end`; `end` where it does not. */
static size_t first_of(char *const *ids, size_t end, const char *id)
{
	size_t i = 0;

	while (i < end && strcmp(ids[i], id) != 0) {
		i++;
	}
	return i;
}

/* The number of one role; 0 where there is a fault. */
static uint32_t resolve(struct lk_request *request, struct lk_faults *faults,
	const Latchkey__Store__TenantRecord *tenant, const char *field, char *const *ids, size_t at)
{
	size_t first = first_of(ids, at, ids[at]);

	if (!lk_text_is_id(ids[at])) {
		lk_text_check_id(faults, field, ids[at]);
		return 0;
	}
	if (first < at) {
		lk_fault_add(faults, field, "\"%s\" is given twice: leave one out", ids[at]);
		return 0;
	}
	if (tenant == NULL) {
		return 0;
	}
	uint32_t number = lk_find_role_number(request->txn, tenant->number, ids[at]);
	if (number == 0) {
		lk_fault_add(faults, field, "there is no role \"%s\" in tenant \"%s\": create it first", ids[at],
			tenant->id);
		return 0;
	}
	return number;
}

void lk_key_resolve_roles(struct lk_request *request, struct lk_faults *faults,
	const Latchkey__Store__TenantRecord *tenant, const char *field, char *const *ids, size_t count,
	Latchkey__Store__KeyRecord *record)
{
	char path[FIELD_LEN] = "";

	record->roles = NULL;
	record->n_roles = 0;
	if (count > LK_ROLES_MAX) {
		lk_fault_add(faults, field, "has %zu roles, and a key may have %d", count, LK_ROLES_MAX);
		return;
	}
	uint32_t *numbers = lk_arena_array(request->arena, count, sizeof *numbers);
	if (count == 0 || numbers == NULL) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(path, sizeof path, "%s[%zu]", field, i);
		uint32_t number = resolve(request, faults, tenant, path, ids, i);
		if (number != 0) {
			numbers[record->n_roles++] = number;
		}
	}
	record->roles = numbers;
}

void lk_key_expect_roles(struct lk_request *request, Latchkey__Store__Change *change,
	const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *record)
{
	for (size_t i = 0; i < record->n_roles; i++) {
		if (before == NULL || !has_number(before->roles, before->n_roles, record->roles[i])) {
			lk_change_expect_role_there(request->arena, change, record->roles[i]);
		}
	}
}

char **lk_key_role_names(struct lk_request *request, const Latchkey__Store__KeyRecord *record, size_t *ret_count)
{
	char **names = lk_arena_array(request->arena, record->n_roles, sizeof *names);

	*ret_count = 0;
	if (record->n_roles == 0 || names == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < record->n_roles; i++) {
		char *id = lk_find_role_id(request->txn, request->arena, record->roles[i]);
		names[i] = id != NULL ? id : lk_arena_printf(request->arena, "#%" PRIu32, record->roles[i]);
		if (names[i] == NULL) {
			return NULL;
		}
	}
	*ret_count = record->n_roles;
	return names;
}

#include "server/service/bulk_select.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/id.h"
#include "server/service/access.h"
#include "server/service/key_filter.h"
#include "server/service/key_select.h"
#include "server/service/key_subject.h"
#include "server/service/own.h"
#include "server/store/find.h"

#define ROOM_FIRST 1024

/* The most keys that are not there that an error names. */
#define MISSING_NAMED 10

struct gathering {
	struct lk_request *request;
	struct lk_bulk_selection selection;
	size_t room;
	/* The most slots to keep. */
	size_t most;
	/* Root keys are among them: each must be looked at. */
	bool is_system;
	enum lk_err err;
};

static bool add_slot(struct gathering *gathering, uint64_t slot)
{
	struct lk_bulk_selection *selection = &gathering->selection;

	selection->count++;
	if (selection->n_slots == gathering->most) {
		return true;
	}
	if (selection->n_slots == gathering->room) {
		size_t room = gathering->room == 0 ? ROOM_FIRST : 2 * gathering->room;
		room = room > gathering->most ? gathering->most : room;
		uint64_t *slots = lk_arena_array(gathering->request->arena, room, sizeof *slots);
		if (slots == NULL) {
			gathering->err = LK_NO_MEMORY;
			return false;
		}
		if (selection->n_slots > 0) {
			memcpy(slots, selection->slots, selection->n_slots * sizeof *slots);
		}
		selection->slots = slots;
		gathering->room = room;
	}
	selection->slots[selection->n_slots++] = slot;
	return true;
}

/* Sees that a root key is within the caller's grant. */
static bool may_end(struct gathering *gathering, uint64_t slot)
{
	const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(
		gathering->request->txn, gathering->request->arena, slot);

	if (key == NULL) {
		gathering->err = lk_request_check(gathering->request);
		return false;
	}
	gathering->err = lk_key_check_grant(gathering->request, key);
	return gathering->err == LK_OK;
}

/* Takes a key that the filter matched. */
static bool take_match(void *context, const struct lk_key_peek *key)
{
	struct gathering *gathering = context;

	if (key->state == LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED) {
		return true;
	}
	if (gathering->is_system && !may_end(gathering, key->slot)) {
		return false;
	}
	return add_slot(gathering, key->slot);
}

static enum lk_err select_by_filter(
	struct gathering *gathering, const Latchkey__Store__TenantRecord *tenant, const struct lk_key_filter *filter)
{
	enum lk_err err = lk_key_select(gathering->request, tenant, filter, take_match, gathering);

	return gathering->err != LK_OK ? gathering->err : err;
}

/* A key that is named, where it is there for this caller; else NULL. */
static const Latchkey__Store__KeyRecord *find_named(
	struct lk_request *request, const Latchkey__Store__TenantRecord *tenant, const char *name)
{
	const Latchkey__Store__KeyRecord *key = lk_find_key(request->txn, request->arena, tenant->number, name);
	const Latchkey__Store__KeyspaceRecord *keyspace = key == NULL ? NULL
								      : lk_find_keyspace_by_number(request->txn,
										request->arena, key->keyspace);

	if (keyspace == NULL || keyspace->closed || !lk_grant_allows_keyspace(request->caller.grant, keyspace->id) ||
		!lk_own_sees(request, key->owner)) {
		return NULL;
	}
	return key;
}

/* Whoever mistyped a key must not think that it is revoked: one that is not there fails them all. */
static enum lk_err fail_missing(struct lk_request *request, const Latchkey__V1__BulkRevokeKeysRequest *message,
	const bool *missing, size_t count)
{
	const char *names = "";
	size_t named = 0;

	for (size_t i = 0; i < message->n_keys && named < MISSING_NAMED; i++) {
		if (missing[i]) {
			const char *longer = lk_arena_printf(
				request->arena, "%s%s\"%s\"", names, named == 0 ? "" : ", ", message->keys[i]);
			names = longer == NULL ? names : longer;
			named++;
		}
	}
	return lk_request_fail(request, LK_NOT_FOUND,
		"%zu of the keys are not there, and none is revoked: leave out %s%s", count, names,
		count > named ? ", ..." : "");
}

static enum lk_err select_by_name(struct gathering *gathering, const Latchkey__Store__TenantRecord *tenant,
	const Latchkey__V1__BulkRevokeKeysRequest *message)
{
	struct lk_request *request = gathering->request;
	bool *missing = lk_arena_array(request->arena, message->n_keys, sizeof *missing);
	size_t n_missing = 0;

	if (missing == NULL) {
		return LK_NO_MEMORY;
	}
	for (size_t i = 0; i < message->n_keys && gathering->err == LK_OK; i++) {
		const Latchkey__Store__KeyRecord *key = find_named(request, tenant, message->keys[i]);
		missing[i] = key == NULL;
		n_missing += key == NULL;
		if (key == NULL || key->state == LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED) {
			continue;
		}
		gathering->err = lk_key_check_grant(request, key);
		if (gathering->err == LK_OK) {
			(void)add_slot(gathering, key->slot);
		}
	}
	enum lk_err err = gathering->err != LK_OK ? gathering->err : lk_request_check(request);
	return err == LK_OK && n_missing > 0 ? fail_missing(request, message, missing, n_missing) : err;
}

/* Every fault of what says which keys. */
static enum lk_err check(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const Latchkey__V1__BulkRevokeKeysRequest *message, struct lk_key_filter *ret_filter)
{
	enum lk_err err = lk_key_filter_check(request, tenant, message->filter, ret_filter);
	uint64_t number = 0;
	char field[32];

	if (err != LK_OK) {
		return err;
	}
	for (size_t i = 0; i < message->n_keys; i++) {
		if (!lk_key_id_is(message->keys[i]) && !lk_key_number_parse(message->keys[i], &number)) {
			(void)snprintf(field, sizeof field, "keys[%zu]", i);
			/* Not with the value: it may be a token, in the wrong place. */
			lk_fault_add(&request->faults, field,
				"names no key: give its id, \"key_\" and 26 characters, or its number");
		}
	}
	if (message->filter != NULL && message->n_keys > 0) {
		lk_fault_add(&request->faults, "keys", "give a filter, or keys, but not both");
	} else if (message->n_keys == 0 && (message->filter == NULL || lk_key_filter_is_empty(ret_filter))) {
		lk_fault_add(&request->faults, "filter",
			"would match every key: say which keys, by a keyspace at the least, or name them in \"keys\"");
	}
	return LK_OK;
}

static int compare_slots(const void *a, const void *b)
{
	const uint64_t *left = a;
	const uint64_t *right = b;

	return (*left > *right) - (*left < *right);
}

/* Puts the slots in order, and takes out what was named twice. */
static void tidy(struct lk_bulk_selection *selection)
{
	size_t kept = 0;

	if (selection->n_slots == 0) {
		return;
	}
	qsort(selection->slots, selection->n_slots, sizeof *selection->slots, compare_slots);
	for (size_t i = 0; i < selection->n_slots; i++) {
		if (kept == 0 || selection->slots[i] != selection->slots[kept - 1]) {
			selection->slots[kept++] = selection->slots[i];
		}
	}
	selection->count -= selection->n_slots - kept;
	selection->n_slots = kept;
}

enum lk_err lk_bulk_select(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const Latchkey__V1__BulkRevokeKeysRequest *message, struct lk_bulk_selection *ret_selection)
{
	struct lk_key_filter filter = {0};
	/* Of keys that are named, all: one may be named twice. */
	size_t most = message->validate_only && message->n_keys == 0 ? LK_BULK_SAMPLE : LK_BULK_MOST;
	struct gathering gathering = {.request = request, .most = most};

	enum lk_err err = check(request, tenant, message, &filter);
	if (err == LK_OK && tenant == NULL) {
		err = lk_access_no_tenant(request, message->tenant);
	}
	if (err == LK_OK) {
		err = lk_request_check(request);
	}
	if (err != LK_OK) {
		return err;
	}
	gathering.is_system = strcmp(tenant->id, LK_TENANT_SYSTEM) == 0;
	err = message->n_keys > 0 ? select_by_name(&gathering, tenant, message)
				  : select_by_filter(&gathering, tenant, &filter);
	if (err != LK_OK) {
		return err;
	}
	if (gathering.selection.count > LK_BULK_MOST && !message->validate_only) {
		return lk_request_fail(request, LK_FAILED_PRECONDITION,
			"%" PRIu64
			" keys match, and one call takes %d: narrow the filter, by created_before for example, or "
			"delete the whole keyspace with force",
			gathering.selection.count, LK_BULK_MOST);
	}
	tidy(&gathering.selection);
	*ret_selection = gathering.selection;
	return LK_OK;
}

#include <string.h>

#include "server/core/grant.h"
#include "server/service/access.h"
#include "server/service/cursor.h"
#include "server/service/key_handlers.h"
#include "server/service/view.h"
#include "server/store/find.h"
#include "server/store/scan.h"
#include "server/store/verdict_record.h"

enum lk_err lk_key_get(
	struct lk_request *request, const Latchkey__V1__GetKeyRequest *message, Latchkey__V1__Key *response)
{
	struct lk_located_key located = {0};

	enum lk_err err = lk_access_key(request, message->tenant, message->key, &located);
	if (err == LK_OK) {
		lk_view_key(request, located.key, located.tenant->id, located.keyspace->id, response);
	}
	return err;
}

/* The keyspaces that a List walks: their numbers, and by the same index their ids. */
struct selection {
	uint32_t *numbers;
	const char **ids;
	size_t count;
	size_t room;
};

/* Adds a keyspace. False where the arena is exhausted. */
static bool select_keyspace(struct lk_request *request, struct selection *selection, uint32_t number, const char *id)
{
	if (selection->count == selection->room) {
		size_t room = selection->room == 0 ? 16 : 2 * selection->room;
		uint32_t *numbers = lk_arena_array(request->arena, room, sizeof *numbers);
		const char **ids = lk_arena_array(request->arena, room, sizeof *ids);
		if (numbers == NULL || ids == NULL) {
			return false;
		}
		if (selection->count > 0) {
			memcpy(numbers, selection->numbers, selection->count * sizeof *numbers);
			memcpy(ids, selection->ids, selection->count * sizeof *ids);
		}
		*selection = (struct selection){numbers, ids, selection->count, room};
	}
	selection->numbers[selection->count] = number;
	selection->ids[selection->count] = lk_arena_text(request->arena, id, strlen(id));
	return selection->ids[selection->count++] != NULL;
}

/* All keyspaces of the tenant that the caller is granted. There may be many: their gates say what is needed of each. */
static void select_all(
	struct lk_request *request, const Latchkey__Store__TenantRecord *tenant, struct selection *ret_selection)
{
	struct lk_id_scan *scan = lk_keyspace_scan_new(request->txn, tenant->number, "");
	struct lk_gate gate = {0};
	uint32_t number = 0;
	bool room = true;

	while (room && lk_id_scan_next(scan, &number) && lk_gate_get(request->txn, number, &gate)) {
		if (lk_grant_allows_keyspace(request->caller.grant, gate.keyspace_id)) {
			room = select_keyspace(request, ret_selection, number, gate.keyspace_id);
		}
	}
	lk_id_scan_free(scan);
}

static enum lk_err select_keyspaces(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const char *filter, struct selection *ret_selection)
{
	if (filter[0] == '\0') {
		select_all(request, tenant, ret_selection);
		return request->arena->exhausted ? LK_NO_MEMORY : lk_request_check(request);
	}
	const Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace(
		request->txn, request->arena, tenant->number, filter);
	if (keyspace == NULL) {
		return lk_request_not_found(request, "keyspace", filter);
	}
	return select_keyspace(request, ret_selection, keyspace->number, keyspace->id) ? LK_OK : LK_NO_MEMORY;
}

static const char *id_of(const struct selection *selection, uint32_t keyspace)
{
	for (size_t i = 0; i < selection->count; i++) {
		if (selection->numbers[i] == keyspace) {
			return selection->ids[i];
		}
	}
	return "";
}

/* The next row of the page; NULL at the end, and where something failed. */
static Latchkey__V1__Key *next_row(struct lk_request *request, struct lk_key_scan *scan, const char *tenant,
	const struct selection *selection, struct lk_key_position *ret_position)
{
	if (!lk_key_scan_next(scan, ret_position)) {
		return NULL;
	}
	const Latchkey__Store__KeyRecord *record = lk_find_key_by_slot(
		request->txn, request->arena, ret_position->slot);
	Latchkey__V1__Key *view = lk_arena_alloc(request->arena, sizeof *view);
	if (record == NULL || view == NULL) {
		lk_txn_fail(request->txn, record == NULL ? LK_CORRUPT : LK_NO_MEMORY);
		return NULL;
	}
	latchkey__v1__key__init(view);
	lk_view_key(request, record, tenant, id_of(selection, record->keyspace), view);
	return view;
}

/* Fills the page with as many keys as were asked for and fit into a reply; false where that was all of them. */
static bool fill_page(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const struct selection *selection, size_t page_size, struct lk_key_position *position,
	Latchkey__V1__ListKeysResponse *response)
{
	struct lk_key_scan *scan = lk_key_scan_new(request->txn, selection->numbers, selection->count, position);
	bool more = true;
	size_t bytes = 0;

	while (more && response->n_keys < page_size) {
		struct lk_key_position at = {0};
		Latchkey__V1__Key *row = next_row(request, scan, tenant->id, selection, &at);
		more = row != NULL;
		bytes += more ? latchkey__v1__key__get_packed_size(row) + 8 : 0;
		if (bytes > LK_PAGE_BYTES_MAX) {
			break;
		}
		if (more) {
			response->keys[response->n_keys++] = row;
			*position = at;
		}
	}
	lk_key_scan_free(scan);
	return more;
}

enum lk_err lk_key_list(struct lk_request *request, const Latchkey__V1__ListKeysRequest *message,
	Latchkey__V1__ListKeysResponse *response)
{
	Latchkey__Store__TenantRecord *tenant = NULL;
	struct selection selection = {0};
	struct lk_key_position position = {0};
	size_t position_len = 0;
	const char *keyspace = message->filter == NULL ? "" : message->filter->keyspace;

	enum lk_err err = lk_access_tenant(request, message->tenant, &tenant);
	if (err == LK_OK && keyspace[0] != '\0') {
		err = lk_access_keyspace_id(request, "filter.keyspace", keyspace);
	}
	if (err != LK_OK) {
		return err;
	}
	size_t page_size = lk_cursor_page_size(request, message->page_size);
	const char *filter = lk_arena_printf(request->arena, "%s/%s", tenant == NULL ? "" : tenant->id, keyspace);
	if (filter == NULL) {
		return LK_NO_MEMORY;
	}
	lk_cursor_open(request, message->page_token, filter, &position, sizeof position, &position_len);
	err = lk_request_check(request);
	if (err == LK_OK && tenant == NULL) {
		err = lk_access_no_tenant(request, message->tenant);
	}
	if (err == LK_OK) {
		err = select_keyspaces(request, tenant, keyspace, &selection);
	}
	response->keys = lk_arena_array(request->arena, page_size, sizeof *response->keys);
	if (err == LK_OK && response->keys == NULL) {
		err = LK_NO_MEMORY;
	}
	if (err == LK_OK && fill_page(request, tenant, &selection, page_size, &position, response)) {
		response->next_page_token = lk_cursor_seal(request, filter, &position, sizeof position);
	}
	return err != LK_OK ? err : lk_request_check(request);
}

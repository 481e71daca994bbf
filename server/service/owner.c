
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/cursor.h"
#include "server/service/owner_change.h"
#include "server/service/owner_view.h"
#include "server/service/services.h"
#include "server/store/find.h"
#include "server/store/scan.h"

static enum lk_err get(
	struct lk_request *request, const Latchkey__V1__GetOwnerRequest *message, Latchkey__V1__Owner *response)
{
	Latchkey__Store__TenantRecord *tenant = NULL;
	const Latchkey__Store__OwnerRecord *record = NULL;

	enum lk_err err = lk_access_tenant(request, message->tenant, &tenant);
	if (err != LK_OK) {
		return err;
	}
	const char *owner = lk_text_check(&request->faults, "owner", message->owner, LK_OWNER_MAX, true);
	err = lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	if (tenant != NULL) {
		record = lk_find_owner(request->txn, request->arena, tenant->number, owner);
	}
	if (record == NULL) {
		return lk_request_not_found(request, "limits of owner", owner);
	}
	lk_view_owner(request, record, tenant->id, response);
	return lk_request_check(request);
}

/* Fills a page from the scan; returns whether there may be more, and then where the last row stands. */
static bool fill(struct lk_request *request, struct lk_owner_scan *scan, const char *tenant, size_t page_size,
	Latchkey__V1__ListOwnersResponse *response, uint8_t position[static LK_OWNER_POSITION_LEN])
{
	size_t bytes = 0;

	while (response->n_owners < page_size && bytes < LK_PAGE_BYTES_FULL) {
		const Latchkey__Store__OwnerRecord *record = lk_owner_scan_next(scan, request->arena, position);
		Latchkey__V1__Owner *view = lk_arena_alloc(request->arena, sizeof *view);
		if (record == NULL || view == NULL) {
			return false;
		}
		latchkey__v1__owner__init(view);
		lk_view_owner(request, record, tenant, view);
		bytes += latchkey__v1__owner__get_packed_size(view);
		response->owners[response->n_owners++] = view;
	}
	return true;
}

static enum lk_err list(struct lk_request *request, const Latchkey__V1__ListOwnersRequest *message,
	Latchkey__V1__ListOwnersResponse *response)
{
	uint8_t position[LK_OWNER_POSITION_LEN] = {0};
	struct lk_tenant_page asked = {0};

	enum lk_err err = lk_cursor_open_tenant(
		request, message->tenant, message->page_size, message->page_token, position, sizeof position, &asked);
	if (err != LK_OK) {
		return err;
	}
	response->owners = lk_arena_array(request->arena, asked.size, sizeof *response->owners);
	if (response->owners == NULL) {
		return LK_NO_MEMORY;
	}
	struct lk_owner_scan *scan = lk_owner_scan_new(
		request->txn, asked.tenant->number, asked.position_len == sizeof position ? position : NULL);
	if (fill(request, scan, asked.tenant->id, asked.size, response, position)) {
		response->next_page_token = lk_cursor_seal(request, asked.tenant->id, position, sizeof position);
	}
	lk_owner_scan_free(scan);
	return lk_request_check(request);
}

const struct latchkey_v1_owner_handlers lk_owner_handlers = {
	.create = {lk_owner_create_build, lk_owner_create_reply},
	.get = get,
	.list = list,
	.update = {lk_owner_update_build, lk_owner_update_reply},
	/* What a Delete answers is known before it is done. */
	.delete_ = {lk_owner_delete_build, NULL},
};

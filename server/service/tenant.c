#include <string.h>

#include "server/core/grant.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/build.h"
#include "server/service/cursor.h"
#include "server/service/services.h"
#include "server/service/view.h"
#include "server/store/find.h"

static void check_new_id(struct lk_request *request, const char *id)
{
	lk_text_check_id(&request->faults, "tenant", id);
	if (strcmp(id, LK_TENANT_ACTIVE) == 0 || strcmp(id, LK_TENANT_SYSTEM) == 0) {
		lk_fault_add(&request->faults, "tenant", "\"%s\" is reserved: choose another id", id);
	}
}

static enum lk_err build_create(struct lk_request *request, const Latchkey__V1__CreateTenantRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Tenant *response)
{
	check_new_id(request, message->tenant);
	const char *display_name = lk_text_check(
		&request->faults, "display_name", message->display_name, LK_NAME_MAX, false);
	enum lk_err err = lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	if (!lk_grant_allows_tenant(request->caller.grant, message->tenant)) {
		return lk_request_fail(
			request, LK_PERMISSION_DENIED, "you are not granted tenant \"%s\"", message->tenant);
	}
	if (lk_find_tenant(request->txn, request->arena, message->tenant) != NULL) {
		return lk_request_fail(request, LK_ALREADY_EXISTS, "tenant \"%s\" exists already", message->tenant);
	}
	Latchkey__Store__TenantRecord *record = lk_arena_alloc(request->arena, sizeof *record);
	if (record == NULL) {
		return LK_NO_MEMORY;
	}
	latchkey__store__tenant_record__init(record);
	record->id = message->tenant;
	record->display_name = (char *)(uintptr_t)display_name;
	record->create_us = request->now_us;
	record->update_us = request->now_us;
	if (!message->validate_only) {
		lk_build_expect_tenant(request, change, record->id, 0);
		lk_build_put_tenant(request, change, record);
	}
	lk_view_tenant(request, record, response);
	return lk_request_check(request);
}

static void reply_create(struct lk_request *request, const Latchkey__V1__CreateTenantRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Tenant *response)
{
	(void)message;
	if (change->n_mutations > 0) {
		lk_view_tenant(request, change->mutations[0]->put_tenant, response);
	}
}

static enum lk_err get(
	struct lk_request *request, const Latchkey__V1__GetTenantRequest *message, Latchkey__V1__Tenant *response)
{
	Latchkey__Store__TenantRecord *record = NULL;

	enum lk_err err = lk_access_tenant(request, message->tenant, &record);
	if (err == LK_OK && record == NULL) {
		err = lk_access_no_tenant(request, message->tenant);
	}
	if (err == LK_OK) {
		lk_view_tenant(request, record, response);
	}
	return err;
}

static bool add_row(struct lk_request *request, void *context, uint32_t number, const char **ret_id)
{
	Latchkey__V1__ListTenantsResponse *response = context;
	const Latchkey__Store__TenantRecord *record = lk_find_tenant_by_number(request->txn, request->arena, number);

	if (record == NULL) {
		return false;
	}
	*ret_id = record->id;
	if (!lk_grant_allows_tenant(request->caller.grant, record->id)) {
		return true;
	}
	Latchkey__V1__Tenant *view = lk_arena_alloc(request->arena, sizeof *view);
	if (view == NULL) {
		return false;
	}
	latchkey__v1__tenant__init(view);
	lk_view_tenant(request, record, view);
	response->tenants[response->n_tenants++] = view;
	return true;
}

static enum lk_err list(struct lk_request *request, const Latchkey__V1__ListTenantsRequest *message,
	Latchkey__V1__ListTenantsResponse *response)
{
	char after[LK_ID_MAX + 1] = "";
	size_t after_len = 0;
	const struct lk_id_rows rows = {add_row, response, &response->n_tenants};

	size_t page_size = lk_cursor_page_size(request, message->page_size);
	lk_cursor_open(request, message->page_token, "", after, LK_ID_MAX, &after_len);
	enum lk_err err = lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	response->tenants = lk_arena_array(request->arena, page_size, sizeof *response->tenants);
	if (response->tenants == NULL) {
		return LK_NO_MEMORY;
	}
	response->next_page_token = lk_cursor_fill(
		request, lk_tenant_scan_new(request->txn, after), page_size, "", &rows);
	return lk_request_check(request);
}

const struct latchkey_v1_tenant_handlers lk_tenant_handlers = {
	.create = {build_create, reply_create},
	.get = get,
	.list = list,
};

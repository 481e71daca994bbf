#include <string.h>

#include "server/core/grant.h"
#include "server/core/mask.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/build.h"
#include "server/service/cursor.h"
#include "server/service/services.h"
#include "server/service/view.h"
#include "server/store/find.h"
#include "server/store/verdict_record.h"

static void check_new_id(struct lk_request *request, const char *id)
{
	lk_text_check_id(&request->faults, "tenant", id);
	if (strcmp(id, LK_TENANT_ACTIVE) == 0 || strcmp(id, LK_TENANT_SYSTEM) == 0) {
		lk_fault_add(&request->faults, "tenant", "\"%s\" is reserved: choose another id", id);
	}
}

/* Whether a new tenant may have this id. */
static enum lk_err check_free(struct lk_request *request, const char *id)
{
	const Latchkey__Store__TenantRecord *taken = lk_find_tenant_any(request->txn, request->arena, id);

	if (taken == NULL) {
		return lk_request_check(request);
	}
	if (taken->closed) {
		return lk_request_fail(request, LK_FAILED_PRECONDITION,
			"tenant \"%s\" was deleted, and its keys are being removed: the id becomes free by itself, try "
			"again later",
			id);
	}
	return lk_request_fail(request, LK_ALREADY_EXISTS, "tenant \"%s\" exists already", id);
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
	err = check_free(request, message->tenant);
	if (err != LK_OK) {
		return err;
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
	if (record->closed || !lk_grant_allows_tenant(request->caller.grant, record->id)) {
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
	const struct lk_id_rows rows = {add_row, response, &response->n_tenants, NULL};

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

/* What an Update may change. */
enum {
	DISPLAY_NAME,
};
static const char *const paths[] = {
	[DISPLAY_NAME] = "display_name",
};

static enum lk_err build_update(struct lk_request *request, const Latchkey__V1__UpdateTenantRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Tenant *response)
{
	Latchkey__Store__TenantRecord *record = NULL;

	const Latchkey__V1__Tenant *given = message->tenant;
	if (given == NULL) {
		lk_fault_add(&request->faults, "tenant", "is needed: give its id, and the new values");
		return lk_request_check(request);
	}
	enum lk_err err = lk_access_tenant(request, given->id, &record);
	if (err == LK_OK) {
		err = lk_access_whole_tenant(request, "tenants");
	}
	if (err != LK_OK) {
		return err;
	}
	struct lk_mask mask = lk_mask_check(
		&request->faults, message->update_mask, paths, sizeof paths / sizeof paths[0]);
	const char *display_name = "";
	if (lk_mask_names(mask, DISPLAY_NAME)) {
		display_name = lk_text_check(
			&request->faults, "tenant.display_name", given->display_name, LK_NAME_MAX, false);
	}
	err = record == NULL ? lk_access_no_tenant(request, given->id) : lk_request_check(request);
	if (err == LK_OK) {
		err = lk_access_etag(request, message->etag, record->revision);
	}
	if (err != LK_OK) {
		return err;
	}
	if (strcmp(record->display_name, display_name) != 0) {
		lk_build_expect_tenant(request, change, record->id, record->revision);
		record->display_name = (char *)(uintptr_t)display_name;
		record->update_us = request->now_us;
		lk_build_put_tenant(request, change, record);
	}
	lk_view_tenant(request, record, response);
	return lk_request_check(request);
}

static void reply_update(struct lk_request *request, const Latchkey__V1__UpdateTenantRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Tenant *response)
{
	(void)message;
	if (change->n_mutations > 0) {
		lk_view_tenant(request, change->mutations[0]->put_tenant, response);
	}
}

/* Whether this caller may delete a tenant of this id, be there one or not: only one that is granted all of its keyspaces. */
static enum lk_err allow_delete(struct lk_request *request, const char *id)
{
	if (id[0] == '\0' || strcmp(id, LK_TENANT_ACTIVE) == 0) {
		lk_fault_add(&request->faults, "tenant", "must be named by its id: a tenant is not deleted by default");
		return lk_request_check(request);
	}
	const char *named = NULL;
	enum lk_err err = lk_access_tenant_id(request, id, &named);
	if (err == LK_OK) {
		err = lk_request_check(request);
	}
	if (err != LK_OK) {
		return err;
	}
	if (!lk_grant_allows_keyspace(request->caller.grant, LK_GRANT_ANY)) {
		return lk_request_fail(request, LK_PERMISSION_DENIED,
			"deleting tenant \"%s\" deletes all of its keyspaces, and you are not granted all: your grant "
			"needs keyspace \"*\"",
			id);
	}
	if (strcmp(id, LK_TENANT_SYSTEM) == 0) {
		lk_fault_add(&request->faults, "tenant",
			"\"" LK_TENANT_SYSTEM
			"\" holds the root keys and cannot be deleted: revoke single keys instead");
	}
	return lk_request_check(request);
}

/* The keys of all keyspaces of a tenant that are not revoked. */
static uint64_t count_live(struct lk_request *request, uint32_t tenant)
{
	struct lk_id_scan *scan = lk_keyspace_scan_new(request->txn, tenant, "");
	struct lk_gate gate = {0};
	uint32_t keyspace = 0;
	uint64_t live = 0;

	while (lk_id_scan_next(scan, &keyspace) && lk_gate_get(request->txn, keyspace, &gate)) {
		live += gate.closed != 0 ? 0 : gate.active + gate.suspended;
	}
	lk_id_scan_free(scan);
	return live;
}

static enum lk_err build_delete(struct lk_request *request, const Latchkey__V1__DeleteTenantRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteTenantResponse *response)
{
	(void)response;
	request->urgent = true;
	enum lk_err err = allow_delete(request, message->tenant);
	if (err != LK_OK) {
		return err;
	}
	Latchkey__Store__TenantRecord *record = lk_find_tenant(request->txn, request->arena, message->tenant);
	if (record == NULL) {
		return lk_access_no_tenant(request, message->tenant);
	}
	if (!message->force) {
		uint64_t live = count_live(request, record->number);
		if (live > 0) {
			return lk_access_still_live(request, "tenant", record->id, live);
		}
		lk_build_expect_tenant_idle(request, change, record->number);
	}
	lk_build_expect_tenant(request, change, record->id, record->revision);
	record->closed = true;
	record->update_us = request->now_us;
	lk_build_put_tenant(request, change, record);
	return lk_request_check(request);
}

const struct latchkey_v1_tenant_handlers lk_tenant_handlers = {
	.create = {build_create, reply_create},
	.get = get,
	.list = list,
	.update = {build_update, reply_update},
	/* What a Delete answers is known before it is done. */
	.delete_ = {build_delete, NULL},
};

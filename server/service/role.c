
#include "server/core/grant.h"
#include "server/core/text.h"
#include "server/core/time.h"
#include "server/service/access.h"
#include "server/service/cursor.h"
#include "server/service/role_change.h"
#include "server/service/services.h"
#include "server/service/view.h"
#include "server/store/find.h"

void lk_view_role(struct lk_request *request, const Latchkey__Store__RoleRecord *record, const char *tenant,
	uint64_t key_count, Latchkey__V1__Role *ret_view)
{
	ret_view->id = record->id;
	ret_view->tenant = (char *)(uintptr_t)tenant;
	ret_view->description = record->description;
	ret_view->permissions = record->permissions;
	ret_view->n_permissions = record->n_permissions;
	ret_view->key_count = key_count;
	ret_view->create_time = lk_time_to_timestamp(request->arena, record->create_us);
	ret_view->update_time = lk_time_to_timestamp(request->arena, record->update_us);
	ret_view->etag = lk_view_etag(request->arena, record->revision);
}

/* How many keys have it: those of every owner, in every keyspace, and so nothing for who may not look at them all. */
static uint64_t count_keys(const struct lk_request *request, const Latchkey__Store__RoleRecord *record)
{
	const Latchkey__Store__GrantRecord *grant = request->caller.grant;
	bool sees_all = !grant->own_only && lk_grant_allows_keyspace(grant, LK_GRANT_ANY);

	return sees_all ? lk_find_role_use(request->txn, record->number) : 0;
}

static enum lk_err get(
	struct lk_request *request, const Latchkey__V1__GetRoleRequest *message, Latchkey__V1__Role *response)
{
	Latchkey__Store__TenantRecord *tenant = NULL;
	const Latchkey__Store__RoleRecord *record = NULL;

	enum lk_err err = lk_access_tenant(request, message->tenant, &tenant);
	if (err != LK_OK) {
		return err;
	}
	lk_text_check_id(&request->faults, "role", message->role);
	err = lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	if (tenant != NULL) {
		record = lk_find_role(request->txn, request->arena, tenant->number, message->role);
	}
	if (record == NULL) {
		return lk_request_not_found(request, "role", message->role);
	}
	lk_view_role(request, record, tenant->id, count_keys(request, record), response);
	return lk_request_check(request);
}

/* A page of a tenant's roles. */
struct page {
	const Latchkey__Store__TenantRecord *tenant;
	Latchkey__V1__ListRolesResponse *response;
	size_t bytes;
};

static bool add_row(struct lk_request *request, void *context, uint32_t number, const char **ret_id)
{
	struct page *page = context;
	const Latchkey__Store__RoleRecord *record = lk_find_role_by_number(request->txn, request->arena, number);
	Latchkey__V1__Role *view = lk_arena_alloc(request->arena, sizeof *view);

	if (record == NULL || view == NULL) {
		return false;
	}
	latchkey__v1__role__init(view);
	lk_view_role(request, record, page->tenant->id, count_keys(request, record), view);
	page->bytes += latchkey__v1__role__get_packed_size(view);
	page->response->roles[page->response->n_roles++] = view;
	*ret_id = record->id;
	return true;
}

static enum lk_err list(struct lk_request *request, const Latchkey__V1__ListRolesRequest *message,
	Latchkey__V1__ListRolesResponse *response)
{
	char after[LK_ID_MAX + 1] = "";
	struct lk_tenant_page asked = {0};

	enum lk_err err = lk_cursor_open_tenant(
		request, message->tenant, message->page_size, message->page_token, after, LK_ID_MAX, &asked);
	if (err != LK_OK) {
		return err;
	}
	response->roles = lk_arena_array(request->arena, asked.size, sizeof *response->roles);
	if (response->roles == NULL) {
		return LK_NO_MEMORY;
	}
	struct page page = {asked.tenant, response, 0};
	const struct lk_id_rows rows = {add_row, &page, &response->n_roles, &page.bytes};
	response->next_page_token = lk_cursor_fill(request, lk_role_scan_new(request->txn, asked.tenant->number, after),
		asked.size, asked.tenant->id, &rows);
	return lk_request_check(request);
}

const struct latchkey_v1_role_handlers lk_role_handlers = {
	.create = {lk_role_create_build, lk_role_create_reply},
	.get = get,
	.list = list,
	.update = {lk_role_update_build, lk_role_update_reply},
	/* What a Delete answers is known before it is done. */
	.delete_ = {lk_role_delete_build, NULL},
};

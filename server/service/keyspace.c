#include <string.h>

#include "server/core/cidr.h"
#include "server/core/grant.h"
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/build.h"
#include "server/service/cursor.h"
#include "server/service/keyspace_change.h"
#include "server/service/keyspace_jwks.h"
#include "server/service/services.h"
#include "server/service/signing_key.h"
#include "server/service/view.h"
#include "server/store/find.h"

/* The record of the keyspace that the request asks for, every fault of it gathered. NULL where the arena is exhausted. */
static Latchkey__Store__KeyspaceRecord *draft(
	struct lk_request *request, const Latchkey__V1__CreateKeyspaceRequest *message)
{
	Latchkey__Store__KeyspaceRecord *record = lk_arena_alloc(request->arena, sizeof *record);
	Latchkey__Store__PolicyRecord *policy = lk_arena_alloc(request->arena, sizeof *policy);

	if (record == NULL || policy == NULL) {
		return NULL;
	}
	latchkey__store__keyspace_record__init(record);
	latchkey__store__policy_record__init(policy);
	lk_policy_from_request(&request->faults, message->policy, false, policy);
	lk_signing_key_check_secret(&request->faults, policy, message->jwt_secret);
	record->id = message->keyspace;
	record->display_name = (char *)(uintptr_t)lk_text_check(
		&request->faults, "display_name", message->display_name, LK_NAME_MAX, false);
	record->policy = policy;
	record->allowed_cidrs = lk_cidr_check_list(
		&request->faults, "allowed_cidrs", message->allowed_cidrs, message->n_allowed_cidrs);
	if (record->allowed_cidrs == NULL) {
		return NULL;
	}
	record->n_allowed_cidrs = message->n_allowed_cidrs;
	record->create_us = request->now_us;
	record->update_us = request->now_us;
	return record;
}

/* Whether a new keyspace of the tenant may have this id. */
static enum lk_err check_free(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant, const char *id)
{
	const Latchkey__Store__KeyspaceRecord *taken = lk_find_keyspace_any(
		request->txn, request->arena, tenant->number, id);

	if (taken == NULL) {
		return lk_request_check(request);
	}
	if (taken->closed) {
		return lk_request_fail(request, LK_FAILED_PRECONDITION,
			"keyspace \"%s\" was deleted, and its keys are being removed: the id becomes free by itself, "
			"try "
			"again later",
			id);
	}
	return lk_request_fail(
		request, LK_ALREADY_EXISTS, "tenant \"%s\" has a keyspace \"%s\" already", tenant->id, id);
}

static enum lk_err build_create(struct lk_request *request, const Latchkey__V1__CreateKeyspaceRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Keyspace *response)
{
	Latchkey__Store__TenantRecord *tenant = NULL;

	enum lk_err err = lk_access_tenant(request, message->tenant, &tenant);
	if (err == LK_OK) {
		err = lk_access_keyspace_id(request, "keyspace", message->keyspace);
	}
	if (err != LK_OK) {
		return err;
	}
	if (tenant != NULL && strcmp(tenant->id, LK_TENANT_SYSTEM) == 0) {
		lk_fault_add(&request->faults, "tenant",
			"\"" LK_TENANT_SYSTEM "\" has the one keyspace that it needs: choose another tenant");
	}
	Latchkey__Store__KeyspaceRecord *record = draft(request, message);
	err = record == NULL ? LK_NO_MEMORY : lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	if (tenant == NULL) {
		return lk_access_no_tenant(request, message->tenant);
	}
	err = check_free(request, tenant, record->id);
	if (err != LK_OK) {
		return err;
	}
	record->tenant = tenant->number;
	if (!message->validate_only && record->policy->is_jwt) {
		err = lk_signing_key_add(request, record, message->jwt_secret);
	}
	if (err != LK_OK) {
		return err;
	}
	if (!message->validate_only) {
		lk_build_expect_tenant(request, change, tenant->id, tenant->revision);
		lk_build_expect_keyspace(request, change, tenant->number, record->id, 0);
		lk_build_put_keyspace(request, change, record);
	}
	lk_view_keyspace(request, record, tenant->id, response);
	return lk_request_check(request);
}

static void reply_create(struct lk_request *request, const Latchkey__V1__CreateKeyspaceRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Keyspace *response)
{
	(void)message;
	if (change->n_mutations > 0) {
		lk_view_keyspace(request, change->mutations[0]->put_keyspace, response->tenant, response);
	}
}

static enum lk_err get(
	struct lk_request *request, const Latchkey__V1__GetKeyspaceRequest *message, Latchkey__V1__Keyspace *response)
{
	Latchkey__Store__TenantRecord *tenant = NULL;
	Latchkey__Store__KeyspaceRecord *record = NULL;

	enum lk_err err = lk_access_keyspace(request, message->tenant, message->keyspace, &tenant, &record);
	if (err != LK_OK) {
		return err;
	}
	lk_view_keyspace(request, record, tenant->id, response);
	/* Those of all keys are nothing for who is granted its own alone. */
	if (!request->caller.grant->own_only) {
		lk_view_denials(request, record, response);
	}
	return LK_OK;
}

/* A page of a tenant's keyspaces. */
struct page {
	const Latchkey__Store__TenantRecord *tenant;
	Latchkey__V1__ListKeyspacesResponse *response;
	size_t bytes;
};

static bool add_row(struct lk_request *request, void *context, uint32_t number, const char **ret_id)
{
	struct page *page = context;
	const Latchkey__Store__KeyspaceRecord *record = lk_find_keyspace_by_number(
		request->txn, request->arena, number);

	if (record == NULL) {
		return false;
	}
	*ret_id = record->id;
	if (record->closed || !lk_grant_allows_keyspace(request->caller.grant, record->id)) {
		return true;
	}
	Latchkey__V1__Keyspace *view = lk_arena_alloc(request->arena, sizeof *view);
	if (view == NULL) {
		return false;
	}
	latchkey__v1__keyspace__init(view);
	lk_view_keyspace(request, record, page->tenant->id, view);
	page->bytes += latchkey__v1__keyspace__get_packed_size(view);
	page->response->keyspaces[page->response->n_keyspaces++] = view;
	return true;
}

static enum lk_err list(struct lk_request *request, const Latchkey__V1__ListKeyspacesRequest *message,
	Latchkey__V1__ListKeyspacesResponse *response)
{
	char after[LK_ID_MAX + 1] = "";
	struct lk_tenant_page asked = {0};

	enum lk_err err = lk_cursor_open_tenant(
		request, message->tenant, message->page_size, message->page_token, after, LK_ID_MAX, &asked);
	if (err != LK_OK) {
		return err;
	}
	response->keyspaces = lk_arena_array(request->arena, asked.size, sizeof *response->keyspaces);
	if (response->keyspaces == NULL) {
		return LK_NO_MEMORY;
	}
	struct page page = {asked.tenant, response, 0};
	const struct lk_id_rows rows = {add_row, &page, &response->n_keyspaces, &page.bytes};
	response->next_page_token = lk_cursor_fill(request,
		lk_keyspace_scan_new(request->txn, asked.tenant->number, after), asked.size, asked.tenant->id, &rows);
	return lk_request_check(request);
}

const struct latchkey_v1_keyspace_handlers lk_keyspace_handlers = {
	.create = {build_create, reply_create},
	.get = get,
	.list = list,
	.update = {lk_keyspace_update_build, lk_keyspace_update_reply},
	/* What a Delete answers is known before it is done. */
	.delete_ = {lk_keyspace_delete_build, NULL},
	.get_jwks = lk_keyspace_get_jwks,
};

#include "server/service/audit_view.h"

#include "server/core/time.h"
#include "server/service/view.h"

static Latchkey__V1__Key *view_key(
	struct lk_request *request, const Latchkey__Store__AuditRecord *record, const Latchkey__Store__KeyRecord *key)
{
	/* As of then: whether it had expired is a matter of time. */
	struct lk_request then = *request;
	/* Without its slot, where its use of today stands. */
	Latchkey__Store__KeyRecord copy = *key;
	Latchkey__V1__Key *view = lk_arena_alloc(request->arena, sizeof *view);

	if (view != NULL) {
		latchkey__v1__key__init(view);
		then.now_us = record->time_us;
		copy.slot = 0;
		lk_view_key(&then, &copy, record->tenant, record->keyspace, view);
		view->n_available_actions = 0;
	}
	return view;
}

static Latchkey__V1__Keyspace *view_keyspace(struct lk_request *request, const Latchkey__Store__AuditRecord *record,
	const Latchkey__Store__KeyspaceRecord *keyspace)
{
	Latchkey__V1__Keyspace *view = lk_arena_alloc(request->arena, sizeof *view);

	if (view != NULL) {
		latchkey__v1__keyspace__init(view);
		lk_view_keyspace(request, keyspace, record->tenant, view);
	}
	return view;
}

static Latchkey__V1__Tenant *view_tenant(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant)
{
	Latchkey__V1__Tenant *view = lk_arena_alloc(request->arena, sizeof *view);

	if (view != NULL) {
		latchkey__v1__tenant__init(view);
		lk_view_tenant(request, tenant, view);
	}
	return view;
}

/* One record, of whatever kind, as whichever of the three it is. */
static void view_snapshot(struct lk_request *request, const Latchkey__Store__AuditRecord *record,
	const Latchkey__Store__Snapshot *snapshot, Latchkey__V1__Key **ret_key, Latchkey__V1__Keyspace **ret_keyspace,
	Latchkey__V1__Tenant **ret_tenant)
{
	if (snapshot == NULL) {
		return;
	}
	if (snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_KEY) {
		*ret_key = view_key(request, record, snapshot->key);
	} else if (snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_KEYSPACE) {
		*ret_keyspace = view_keyspace(request, record, snapshot->keyspace);
	} else if (snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_TENANT) {
		*ret_tenant = view_tenant(request, snapshot->tenant);
	}
}

void lk_audit_view(
	struct lk_request *request, const Latchkey__Store__AuditRecord *record, Latchkey__V1__AuditRecord *ret_view)
{
	ret_view->number = record->number;
	ret_view->revision = record->revision;
	ret_view->time = lk_time_to_timestamp(request->arena, record->time_us);
	ret_view->actor = record->actor;
	ret_view->method = record->method;
	ret_view->peer = record->peer;
	ret_view->traceparent = record->traceparent;
	ret_view->tenant = record->tenant;
	ret_view->resource = record->resource;
	ret_view->code = record->code;
	ret_view->left_out_count = record->left_out_count;
	view_snapshot(request, record, record->before, &ret_view->key_before, &ret_view->keyspace_before,
		&ret_view->tenant_before);
	view_snapshot(request, record, record->after, &ret_view->key_after, &ret_view->keyspace_after,
		&ret_view->tenant_after);
}

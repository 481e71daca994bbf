#include "server/service/audit_view.h"

#include "server/core/time.h"
#include "server/service/owner_view.h"
#include "server/service/role_change.h"
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

/* How many keys had it is not kept. */
static Latchkey__V1__Role *view_role(
	struct lk_request *request, const Latchkey__Store__AuditRecord *record, const Latchkey__Store__RoleRecord *role)
{
	Latchkey__V1__Role *view = lk_arena_alloc(request->arena, sizeof *view);

	if (view != NULL) {
		latchkey__v1__role__init(view);
		lk_view_role(request, role, record->tenant, 0, view);
	}
	return view;
}

static Latchkey__V1__Owner *view_owner(struct lk_request *request, const Latchkey__Store__AuditRecord *record,
	const Latchkey__Store__OwnerRecord *owner)
{
	/* Without its slot, where its limits stand today. */
	Latchkey__Store__OwnerRecord copy = *owner;
	Latchkey__V1__Owner *view = lk_arena_alloc(request->arena, sizeof *view);

	if (view != NULL) {
		latchkey__v1__owner__init(view);
		copy.slot = 0;
		lk_view_owner(request, &copy, record->tenant, view);
	}
	return view;
}

/* One record, of whatever kind; the others stay NULL. */
struct shown {
	Latchkey__V1__Key *key;
	Latchkey__V1__Keyspace *keyspace;
	Latchkey__V1__Tenant *tenant;
	Latchkey__V1__Role *role;
	Latchkey__V1__Owner *owner;
};

static struct shown view_snapshot(struct lk_request *request, const Latchkey__Store__AuditRecord *record,
	const Latchkey__Store__Snapshot *snapshot)
{
	struct shown shown = {0};

	if (snapshot == NULL) {
		return shown;
	}
	if (snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_KEY) {
		shown.key = view_key(request, record, snapshot->key);
	} else if (snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_KEYSPACE) {
		shown.keyspace = view_keyspace(request, record, snapshot->keyspace);
	} else if (snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_TENANT) {
		shown.tenant = view_tenant(request, snapshot->tenant);
	} else if (snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_ROLE) {
		shown.role = view_role(request, record, snapshot->role);
	} else if (snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_OWNER) {
		shown.owner = view_owner(request, record, snapshot->owner);
	}
	return shown;
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
	struct shown before = view_snapshot(request, record, record->before);
	struct shown after = view_snapshot(request, record, record->after);
	ret_view->key_before = before.key;
	ret_view->key_after = after.key;
	ret_view->keyspace_before = before.keyspace;
	ret_view->keyspace_after = after.keyspace;
	ret_view->tenant_before = before.tenant;
	ret_view->tenant_after = after.tenant;
	ret_view->role_before = before.role;
	ret_view->role_after = after.role;
	ret_view->owner_before = before.owner;
	ret_view->owner_after = after.owner;
}

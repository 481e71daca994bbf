#include "server/service/view.h"

#include <inttypes.h>
#include <string.h>

#include "server/core/credits.h"
#include "server/core/lifecycle.h"
#include "server/core/limit.h"
#include "server/core/policy.h"
#include "server/core/time.h"
#include "server/service/key_roles.h"
#include "server/store/charge.h"
#include "server/store/slots.h"

/* Messages own their texts, as far as protobuf-c's types tell; these are borrowed, and never freed. */
static char *borrow(const char *text)
{
	return (char *)(uintptr_t)text;
}

char *lk_view_etag(struct lk_arena *arena, uint64_t revision)
{
	char *etag = revision == 0 ? NULL : lk_arena_printf(arena, "%016" PRIx64, revision);

	return etag == NULL ? borrow("") : etag;
}

void lk_view_tenant(
	struct lk_request *request, const Latchkey__Store__TenantRecord *record, Latchkey__V1__Tenant *ret_view)
{
	ret_view->id = record->id;
	ret_view->display_name = record->display_name;
	ret_view->create_time = lk_time_to_timestamp(request->arena, record->create_us);
	ret_view->update_time = lk_time_to_timestamp(request->arena, record->update_us);
	ret_view->etag = lk_view_etag(request->arena, record->revision);
}

void lk_view_keyspace(struct lk_request *request, const Latchkey__Store__KeyspaceRecord *record, const char *tenant,
	Latchkey__V1__Keyspace *ret_view)
{
	ret_view->id = record->id;
	ret_view->tenant = borrow(tenant);
	ret_view->display_name = record->display_name;
	ret_view->policy = lk_policy_to_api(request->arena, record->policy);
	ret_view->create_time = lk_time_to_timestamp(request->arena, record->create_us);
	ret_view->update_time = lk_time_to_timestamp(request->arena, record->update_us);
	ret_view->etag = lk_view_etag(request->arena, record->revision);
	ret_view->allowed_cidrs = record->allowed_cidrs;
	ret_view->n_allowed_cidrs = record->n_allowed_cidrs;
}

Latchkey__V1__Grant *lk_view_grant(struct lk_arena *arena, const Latchkey__Store__GrantRecord *record)
{
	Latchkey__V1__Grant *view = lk_arena_alloc(arena, sizeof *view);

	if (record == NULL || view == NULL) {
		return NULL;
	}
	latchkey__v1__grant__init(view);
	view->methods = record->methods;
	view->n_methods = record->n_methods;
	view->tenants = record->tenants;
	view->n_tenants = record->n_tenants;
	view->keyspaces = record->keyspaces;
	view->n_keyspaces = record->n_keyspaces;
	view->own_only = record->own_only;
	return view;
}

static void view_metadata(struct lk_arena *arena, const Latchkey__Store__KeyRecord *record, Latchkey__V1__Key *view)
{
	Latchkey__V1__Key__MetadataEntry *entries = lk_arena_array(arena, record->n_metadata, sizeof *entries);

	view->metadata = lk_arena_array(arena, record->n_metadata, sizeof *view->metadata);
	if (entries == NULL || view->metadata == NULL) {
		return;
	}
	for (size_t i = 0; i < record->n_metadata; i++) {
		latchkey__v1__key__metadata_entry__init(&entries[i]);
		entries[i].key = record->metadata[i]->key;
		entries[i].value = record->metadata[i]->value;
		view->metadata[i] = &entries[i];
	}
	view->n_metadata = record->n_metadata;
}

static void view_state(struct lk_request *request, const Latchkey__Store__KeyRecord *record, Latchkey__V1__Key *view)
{
	view->state = lk_lifecycle_state(record->state, record->expire_us, request->now_us);
	view->available_actions = lk_arena_array(request->arena, LK_ACTIONS_MAX, sizeof *view->available_actions);
	if (view->available_actions != NULL) {
		view->n_available_actions = lk_lifecycle_actions(view->state, view->available_actions);
	}
}

static bool is_suspended(const Latchkey__Store__KeyRecord *record)
{
	return record->state == LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;
}

/* Until when the secret before the newest is good, as Verify has it; 0 where that is over, or never was. */
static int64_t previous_end(const Latchkey__Store__KeyRecord *record, int64_t now_us)
{
	int64_t end_us = record->previous_until_us;

	if (record->previous_digest.len == 0 ||
		(record->state != LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE && !is_suspended(record))) {
		return 0;
	}
	if (record->expire_us != 0 && record->expire_us < end_us) {
		end_us = record->expire_us;
	}
	return end_us > now_us ? end_us : 0;
}

void lk_view_rate_state(struct lk_arena *arena, const struct lk_charge_limit *charged, int64_t now_us,
	Latchkey__V1__RateState *ret_view)
{
	const struct lk_limit *limit = &charged->limit;
	int64_t reset_ns = charged->standing.reset_ns;

	latchkey__v1__rate_state__init(ret_view);
	char *name = lk_arena_text(arena, limit->name, strnlen(limit->name, sizeof limit->name));
	if (name != NULL) {
		ret_view->name = name;
	}
	ret_view->limit = limit->limit;
	ret_view->remaining = charged->standing.remaining;
	if (reset_ns > 0) {
		ret_view->reset_time = lk_time_to_timestamp(arena, now_us + lk_time_us_of_ns(reset_ns));
	}
}

/* Roles, addresses, limits and credits, of which `spent` is spent. */
static void view_rules(
	struct lk_request *request, const Latchkey__Store__KeyRecord *record, uint64_t spent, Latchkey__V1__Key *view)
{
	/* Once the Change is done there is no state to read: the build has named them. */
	if (request->txn != NULL) {
		view->roles = lk_key_role_names(request, record, &view->n_roles);
	}
	view->allowed_cidrs = record->allowed_cidrs;
	view->n_allowed_cidrs = record->n_allowed_cidrs;
	view->rate_limits = lk_limit_to_api(request->arena, record->rate_limits, record->n_rate_limits);
	view->n_rate_limits = view->rate_limits == NULL ? 0 : record->n_rate_limits;
	view->credits = lk_credits_to_api(request->arena, record->credits, spent, request->now_us);
}

void lk_view_key(struct lk_request *request, const Latchkey__Store__KeyRecord *record, const char *tenant,
	const char *keyspace, Latchkey__V1__Key *ret_view)
{
	/* A record that is still to be applied has no slot, and no use: there is no slot 0. */
	const struct lk_slots *slots = lk_store_slots(request->store);
	struct lk_usage usage = lk_slots_usage(slots, record->slot);

	ret_view->id = record->id;
	ret_view->number = record->number;
	ret_view->tenant = borrow(tenant);
	ret_view->keyspace = borrow(keyspace);
	ret_view->scope = record->tenant_scope ? LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT
					       : LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_KEYSPACE;
	ret_view->name = record->name;
	ret_view->owner = record->owner;
	ret_view->display_prefix = record->display_prefix;
	ret_view->not_before_time = lk_time_to_timestamp(request->arena, record->not_before_us);
	ret_view->expire_time = lk_time_to_timestamp(request->arena, record->expire_us);
	ret_view->create_time = lk_time_to_timestamp(request->arena, record->create_us);
	ret_view->update_time = lk_time_to_timestamp(request->arena, record->update_us);
	ret_view->created_by = record->created_by;
	ret_view->last_used_time = lk_time_to_timestamp(request->arena, usage.last_used_us);
	ret_view->usage_count = usage.count;
	ret_view->revoke_reason = record->revoke_reason;
	/* A key that was revoked after it was suspended is suspended no more. */
	ret_view->suspend_reason = is_suspended(record) ? record->suspend_reason : borrow("");
	ret_view->permissions = record->permissions;
	ret_view->n_permissions = record->n_permissions;
	ret_view->previous_secret_expire_time = lk_time_to_timestamp(
		request->arena, previous_end(record, request->now_us));
	ret_view->etag = lk_view_etag(request->arena, record->revision);
	ret_view->grant = lk_view_grant(request->arena, record->grant);
	view_metadata(request->arena, record, ret_view);
	view_rules(request, record, lk_slots_spending(slots, record->slot).spent, ret_view);
	view_state(request, record, ret_view);
}

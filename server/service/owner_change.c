#include "server/service/owner_change.h"

#include <string.h>

#include "server/core/grant.h"
#include "server/core/limit.h"
#include "server/core/mask.h"
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/build.h"
#include "server/service/owner_view.h"
#include "server/store/change.h"
#include "server/store/find.h"
#include "server/store/slots.h"

/* An owner that a request names, with its tenant. What is not there is NULL. */
struct place {
	Latchkey__Store__TenantRecord *tenant;
	/* Its name, trimmed, as that of a key's owner is. */
	const char *id;
	Latchkey__Store__OwnerRecord *owner;
};

/* Finds it, and sees that the caller may change it. The request's faults come before what is not there. */
static enum lk_err find_place(
	struct lk_request *request, const char *tenant, const char *field, const char *owner, struct place *ret_place)
{
	enum lk_err err = lk_access_tenant(request, tenant, &ret_place->tenant);

	if (err == LK_OK) {
		err = lk_access_whole_tenant(request, "limits of owners");
	}
	if (err != LK_OK) {
		return err;
	}
	ret_place->id = lk_text_check(&request->faults, field, owner, LK_OWNER_MAX, true);
	if (ret_place->tenant != NULL) {
		ret_place->owner = lk_find_owner(
			request->txn, request->arena, ret_place->tenant->number, ret_place->id);
	}
	return LK_OK;
}

/* The faults so far; or that the tenant, or the owner, is not there. */
static enum lk_err check_found(struct lk_request *request, const struct place *place, const char *tenant)
{
	enum lk_err err = lk_request_check(request);

	if (err != LK_OK) {
		return err;
	}
	if (place->tenant == NULL) {
		return lk_access_no_tenant(request, tenant);
	}
	return place->owner == NULL ? lk_request_not_found(request, "limits of owner", place->id) : LK_OK;
}

/* Checks the limits of a request, and puts them in the place of the record's. LK_NO_MEMORY. */
static enum lk_err take_limits(struct lk_request *request, const char *field, Latchkey__V1__RateLimit *const *given,
	size_t count, Latchkey__Store__OwnerRecord *record)
{
	Latchkey__Store__RateLimitRecord **limits = NULL;

	if (count == 0) {
		lk_fault_add(&request->faults, field,
			"is needed: give 1 to %d limits; to take away those that an owner has, delete it",
			LK_LIMITS_MAX);
		return LK_OK;
	}
	size_t faults = request->faults.count;
	if (!lk_limit_check_list(&request->faults, field, given, count, &limits)) {
		return LK_NO_MEMORY;
	}
	if (record == NULL || request->faults.count > faults) {
		return LK_OK;
	}
	/* A new owner has no slot, and its clocks are 0: they never ran. */
	struct lk_spending spending = lk_slots_spending(lk_store_slots(request->store), record->slot);
	lk_limit_assign_clocks(
		limits, count, record->rate_limits, record->n_rate_limits, spending.clocks, &record->clock_generations);
	record->rate_limits = limits;
	record->n_rate_limits = count;
	return LK_OK;
}

/* The record of the owner that the request asks for, every fault of it gathered. */
static enum lk_err draft(struct lk_request *request, const struct place *place,
	const Latchkey__V1__CreateOwnerRequest *message, Latchkey__Store__OwnerRecord **ret_record)
{
	Latchkey__Store__OwnerRecord *record = lk_arena_alloc(request->arena, sizeof *record);

	if (record == NULL) {
		return LK_NO_MEMORY;
	}
	latchkey__store__owner_record__init(record);
	record->id = (char *)(uintptr_t)place->id;
	record->create_us = request->now_us;
	record->update_us = request->now_us;
	*ret_record = record;
	return take_limits(request, "rate_limits", message->rate_limits, message->n_rate_limits, record);
}

enum lk_err lk_owner_create_build(struct lk_request *request, const Latchkey__V1__CreateOwnerRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Owner *response)
{
	Latchkey__Store__OwnerRecord *record = NULL;
	struct place place = {0};

	enum lk_err err = find_place(request, message->tenant, "owner", message->owner, &place);
	if (err != LK_OK) {
		return err;
	}
	if (place.tenant != NULL && strcmp(place.tenant->id, LK_TENANT_SYSTEM) == 0) {
		lk_fault_add(&request->faults, "tenant",
			"\"" LK_TENANT_SYSTEM "\" has root keys alone, whose use no limit counts: choose another "
			"tenant");
	}
	err = draft(request, &place, message, &record);
	if (err == LK_OK) {
		err = lk_request_check(request);
	}
	if (err != LK_OK) {
		return err;
	}
	if (place.tenant == NULL) {
		return lk_access_no_tenant(request, message->tenant);
	}
	if (place.owner != NULL) {
		return lk_request_fail(request, LK_ALREADY_EXISTS,
			"tenant \"%s\" has limits of owner \"%s\" already: update them", place.tenant->id, place.id);
	}
	record->tenant = place.tenant->number;
	if (!message->validate_only) {
		lk_build_expect_tenant(request, change, place.tenant->id, place.tenant->revision);
		lk_change_expect_owner(request->arena, change, place.tenant->number, record->id, 0);
		lk_change_put_owner(request->arena, change, record);
	}
	lk_view_owner(request, record, place.tenant->id, response);
	return lk_request_check(request);
}

static void reply(struct lk_request *request, const Latchkey__Store__Change *change, Latchkey__V1__Owner *response)
{
	if (change->n_mutations > 0) {
		lk_view_owner(request, change->mutations[0]->put_owner, response->tenant, response);
	}
}

void lk_owner_create_reply(struct lk_request *request, const Latchkey__V1__CreateOwnerRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Owner *response)
{
	(void)message;
	reply(request, change, response);
}

/* What an Update may change. */
enum {
	RATE_LIMITS,
};
static const char *const paths[] = {
	[RATE_LIMITS] = "rate_limits",
};

/* A packed copy of a record, to see what changes; NULL where the arena is exhausted. */
static uint8_t *pack(struct lk_arena *arena, const Latchkey__Store__OwnerRecord *record, size_t *ret_len)
{
	*ret_len = latchkey__store__owner_record__get_packed_size(record);
	uint8_t *packed = lk_arena_alloc(arena, *ret_len);

	if (packed != NULL) {
		(void)latchkey__store__owner_record__pack(record, packed);
	}
	return packed;
}

/* Checks what is named, and puts it in its place in the record, where there is one; `*ret_changes` is whether that changes it. */
static enum lk_err change_record(struct lk_request *request, Latchkey__Store__OwnerRecord *record,
	const Latchkey__V1__Owner *given, struct lk_mask mask, bool *ret_changes)
{
	const uint8_t *before = NULL;
	size_t before_len = 0;
	size_t after_len = 0;

	if (!lk_mask_names(mask, RATE_LIMITS)) {
		return LK_OK;
	}
	if (record != NULL) {
		before = pack(request->arena, record, &before_len);
	}
	enum lk_err err = take_limits(request, "owner.rate_limits", given->rate_limits, given->n_rate_limits, record);
	if (err != LK_OK || before == NULL) {
		return err;
	}
	const uint8_t *after = pack(request->arena, record, &after_len);
	*ret_changes = after != NULL && (before_len != after_len || memcmp(before, after, before_len) != 0);
	return LK_OK;
}

enum lk_err lk_owner_update_build(struct lk_request *request, const Latchkey__V1__UpdateOwnerRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Owner *response)
{
	const Latchkey__V1__Owner *given = message->owner;
	struct place place = {0};
	bool changes = false;

	if (given == NULL) {
		lk_fault_add(&request->faults, "owner", "is needed: give its id, and the new limits");
		return lk_request_check(request);
	}
	enum lk_err err = find_place(request, message->tenant, "owner.id", given->id, &place);
	if (err != LK_OK) {
		return err;
	}
	struct lk_mask mask = lk_mask_check(
		&request->faults, message->update_mask, paths, sizeof paths / sizeof paths[0]);
	err = change_record(request, place.owner, given, mask, &changes);
	if (err == LK_OK) {
		err = check_found(request, &place, message->tenant);
	}
	if (err == LK_OK) {
		err = lk_access_etag(request, message->etag, place.owner->revision);
	}
	if (err != LK_OK) {
		return err;
	}
	if (changes) {
		lk_build_expect_tenant(request, change, place.tenant->id, place.tenant->revision);
		lk_change_expect_owner(
			request->arena, change, place.tenant->number, place.owner->id, place.owner->revision);
		place.owner->update_us = request->now_us;
		lk_change_put_owner(request->arena, change, place.owner);
	}
	lk_view_owner(request, place.owner, place.tenant->id, response);
	return lk_request_check(request);
}

void lk_owner_update_reply(struct lk_request *request, const Latchkey__V1__UpdateOwnerRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Owner *response)
{
	(void)message;
	reply(request, change, response);
}

enum lk_err lk_owner_delete_build(struct lk_request *request, const Latchkey__V1__DeleteOwnerRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteOwnerResponse *response)
{
	struct place place = {0};

	(void)response;
	request->urgent = true;
	enum lk_err err = find_place(request, message->tenant, "owner", message->owner, &place);
	if (err == LK_OK) {
		err = check_found(request, &place, message->tenant);
	}
	if (err != LK_OK) {
		return err;
	}
	lk_build_expect_tenant(request, change, place.tenant->id, place.tenant->revision);
	lk_change_expect_owner(request->arena, change, place.tenant->number, place.owner->id, place.owner->revision);
	lk_change_delete_owner(request->arena, change, place.tenant->number, place.owner->id);
	return lk_request_check(request);
}

/*
 * BulkRevoke. The first call selects the keys, once, and its Change revokes the first part of them and lays down the rest as
 * a job; each further call does the next part. See store/job.h for who does what a caller leaves.
 */
#include <inttypes.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/bulk_select.h"
#include "server/service/cursor.h"
#include "server/service/key_handlers.h"
#include "server/service/key_subject.h"
#include "server/service/view.h"
#include "server/store/change.h"
#include "server/store/find.h"
#include "server/store/job.h"

/*
 * What is kept from the first run of a request for those on newer data: the keys themselves, never again selected, so that what
 * the writer has to do stays short. Its first part is slots, the others are parts already.
 */
struct kept {
	uint64_t total;
	uint64_t *first;
	size_t n_first;
	Latchkey__Store__JobPartRecord **parts;
	uint32_t n_parts;
};

/* A page_token is bound to the tenant, beside the caller and the method. NULL where the arena is exhausted. */
static const char *binding_of(struct lk_request *request, const char *tenant)
{
	return lk_arena_printf(request->arena, "job of %s", tenant);
}

/* Cuts a selection into parts. NULL where the arena is exhausted. */
static struct kept *keep(struct lk_request *request, const struct lk_bulk_selection *selection)
{
	struct kept *kept = lk_arena_alloc(request->arena, sizeof *kept);
	size_t count = selection->n_slots;
	size_t n_parts = (count + LK_JOB_PART - 1) / LK_JOB_PART;

	if (kept == NULL) {
		return NULL;
	}
	kept->total = count;
	kept->first = selection->slots;
	kept->n_first = count < LK_JOB_PART ? count : LK_JOB_PART;
	kept->parts = lk_arena_array(request->arena, n_parts + 1, sizeof(Latchkey__Store__JobPartRecord *));
	if (kept->parts == NULL) {
		return NULL;
	}
	for (size_t i = 1; i < n_parts; i++) {
		size_t from = i * LK_JOB_PART;
		size_t len = count - from < LK_JOB_PART ? count - from : LK_JOB_PART;
		kept->parts[i] = lk_job_part_new(request->arena, selection->slots + from, len);
	}
	kept->n_parts = (uint32_t)n_parts;
	return request->arena->exhausted ? NULL : kept;
}

/* Shows some of the keys. */
static enum lk_err show_sample(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const struct lk_bulk_selection *selection, Latchkey__V1__BulkRevokeKeysResponse *response)
{
	size_t count = selection->n_slots < LK_BULK_SAMPLE ? selection->n_slots : LK_BULK_SAMPLE;

	response->sample = lk_arena_array(request->arena, count + 1, sizeof(Latchkey__V1__Key *));
	for (size_t i = 0; response->sample != NULL && i < count; i++) {
		const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(
			request->txn, request->arena, selection->slots[i]);
		const Latchkey__Store__KeyspaceRecord *keyspace = key == NULL ? NULL
									      : lk_find_keyspace_by_number(request->txn,
											request->arena, key->keyspace);
		Latchkey__V1__Key *view = lk_arena_alloc(request->arena, sizeof *view);
		if (keyspace == NULL || view == NULL) {
			break;
		}
		latchkey__v1__key__init(view);
		lk_view_key(request, key, tenant->id, keyspace->id, view);
		response->sample[response->n_sample++] = view;
	}
	response->total_size = selection->count;
	return request->arena->exhausted ? LK_NO_MEMORY : lk_request_check(request);
}

/* Of a caller that is granted its own keys alone, who that is; a key may have passed to another since it was selected. */
static const char *owner_of(const struct lk_request *request)
{
	return request->caller.grant->own_only ? request->caller.subject : "";
}

/*
 * Root keys are looked at again, for one may have been granted more since it was selected. What is left for later would be
 * done when nobody could look: so they are revoked in one part.
 */
static enum lk_err check_grants(
	struct lk_request *request, const Latchkey__Store__TenantRecord *tenant, const struct kept *kept)
{
	enum lk_err err = LK_OK;

	if (strcmp(tenant->id, LK_TENANT_SYSTEM) != 0) {
		return LK_OK;
	}
	if (kept->n_parts > 1) {
		return lk_request_fail(request, LK_FAILED_PRECONDITION,
			"%" PRIu64
			" root keys match, and one call takes %d: narrow the filter, by created_before for example",
			kept->total, LK_JOB_PART);
	}
	for (size_t i = 0; err == LK_OK && i < kept->n_first; i++) {
		const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(
			request->txn, request->arena, kept->first[i]);
		err = key == NULL ? lk_request_check(request) : lk_key_check_grant(request, key);
	}
	return err;
}

/* Lays down what is left after the first part. */
static enum lk_err put_job(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const struct kept *kept, const char *reason, Latchkey__Store__Change *change)
{
	Latchkey__Store__JobRecord *job = lk_arena_alloc(request->arena, sizeof *job);

	if (job == NULL) {
		return LK_NO_MEMORY;
	}
	if (lk_job_too_many(request->txn, request->arena)) {
		return lk_request_fail(request, LK_RESOURCE_EXHAUSTED,
			"%d bulk revocations are under way: go on with one of them, or try again when one is done",
			LK_JOB_MOST);
	}
	latchkey__store__job_record__init(job);
	job->tenant = tenant->number;
	job->actor = change->actor;
	job->method = change->method;
	job->peer = change->peer;
	job->reason = (char *)(uintptr_t)reason;
	job->owner = (char *)(uintptr_t)owner_of(request);
	job->create_us = request->now_us;
	job->update_us = request->now_us;
	job->total = kept->total;
	job->done = kept->n_first;
	job->parts = kept->n_parts;
	job->next_part = 1;
	lk_change_put_job(request->arena, change, job);
	for (uint32_t i = 1; i < kept->n_parts; i++) {
		lk_change_put_job_part(request->arena, change, i, kept->parts[i]);
	}
	return LK_OK;
}

static enum lk_err begin(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const Latchkey__V1__BulkRevokeKeysRequest *message, Latchkey__Store__Change *change,
	Latchkey__V1__BulkRevokeKeysResponse *response)
{
	struct lk_bulk_selection selection = {0};
	const struct kept *kept = request->kept;
	enum lk_err err = LK_OK;

	const char *reason = lk_text_check(&request->faults, "reason", message->reason, LK_REASON_MAX, false);
	if (kept == NULL) {
		err = lk_bulk_select(request, tenant, message, &selection);
		if (err != LK_OK || message->validate_only) {
			return err != LK_OK ? err : show_sample(request, tenant, &selection, response);
		}
		kept = request->kept = keep(request, &selection);
	} else if (tenant == NULL) {
		/* It was deleted meanwhile, with all of its keys. */
		err = lk_access_no_tenant(request, message->tenant);
	}
	if (err == LK_OK && kept == NULL) {
		err = LK_NO_MEMORY;
	}
	if (err != LK_OK) {
		return err;
	}
	err = check_grants(request, tenant, kept);
	if (err != LK_OK) {
		return err;
	}
	lk_job_revoke(request->txn, request->arena, kept->first, kept->n_first, reason, owner_of(request), change);
	if (kept->n_parts > 1) {
		err = put_job(request, tenant, kept, reason, change);
	}
	response->total_size = kept->total;
	response->revoked_count = kept->n_first;
	response->done = kept->n_parts <= 1;
	return err != LK_OK ? err : lk_request_check(request);
}

/* What belongs into the first call alone. */
static void check_alone(struct lk_request *request, const Latchkey__V1__BulkRevokeKeysRequest *message)
{
	const struct {
		const char *field;
		bool given;
	} others[] = {
		{"filter", message->filter != NULL},
		{"keys", message->n_keys > 0},
		{"reason", message->reason[0] != '\0'},
		{"validate_only", message->validate_only},
	};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		if (others[i].given) {
			lk_fault_add(&request->faults, others[i].field,
				"leave it out beside a page_token: the first call said what is to be done");
		}
	}
}

static enum lk_err go_on(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const Latchkey__V1__BulkRevokeKeysRequest *message, Latchkey__Store__Change *change,
	Latchkey__V1__BulkRevokeKeysResponse *response)
{
	const char *binding = binding_of(request, tenant == NULL ? "" : tenant->id);
	uint64_t number = 0;
	size_t len = 0;

	if (binding == NULL) {
		return LK_NO_MEMORY;
	}
	check_alone(request, message);
	lk_cursor_open(request, message->page_token, binding, &number, sizeof number, &len);
	enum lk_err err = tenant == NULL ? lk_access_no_tenant(request, message->tenant) : lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	Latchkey__Store__JobRecord *job = lk_find_job(request->txn, request->arena, number);
	if (job == NULL || job->tenant != tenant->number) {
		err = lk_request_check(request);
		return err != LK_OK
			       ? err
			       : lk_request_fail(request, LK_NOT_FOUND,
					 "page_token: this bulk revocation was done over an hour ago, and is no longer "
					 "known");
	}
	if (!lk_job_is_done(job)) {
		lk_job_step(request->txn, request->arena, request->now_us, job, change);
	}
	response->total_size = job->total;
	response->revoked_count = job->done;
	response->done = lk_job_is_done(job);
	if (!response->done) {
		response->next_page_token = message->page_token;
	}
	return request->arena->exhausted ? LK_NO_MEMORY : lk_request_check(request);
}

enum lk_err lk_key_bulk_revoke_build(struct lk_request *request, const Latchkey__V1__BulkRevokeKeysRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__BulkRevokeKeysResponse *response)
{
	Latchkey__Store__TenantRecord *tenant = NULL;

	request->urgent = true;
	enum lk_err err = lk_access_tenant(request, message->tenant, &tenant);
	if (err != LK_OK) {
		return err;
	}
	return message->page_token[0] != '\0' ? go_on(request, tenant, message, change, response)
					      : begin(request, tenant, message, change, response);
}

void lk_key_bulk_revoke_reply(struct lk_request *request, const Latchkey__V1__BulkRevokeKeysRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__BulkRevokeKeysResponse *response)
{
	const char *tenant = NULL;

	if (response->done || message->page_token[0] != '\0' ||
		lk_access_tenant_id(request, message->tenant, &tenant) != LK_OK || tenant == NULL) {
		return;
	}
	const char *binding = binding_of(request, tenant);
	for (size_t i = 0; binding != NULL && i < change->n_mutations; i++) {
		const Latchkey__Store__Mutation *mutation = change->mutations[i];
		if (mutation->what_case == LATCHKEY__STORE__MUTATION__WHAT_PUT_JOB) {
			uint64_t number = mutation->put_job->number;
			char *token = lk_cursor_seal(request, binding, &number, sizeof number);
			/* Without memory for it there is no answer at all. */
			response->next_page_token = token == NULL ? response->next_page_token : token;
		}
	}
}

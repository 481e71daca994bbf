#include "server/service/audit_filter.h"

#include <inttypes.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/id.h"
#include "server/core/time.h"
#include "server/service/access.h"
#include "server/service/services.h"

/* The most methods that share one right. */
#define METHODS_MAX 16

/* What background work is named by, in place of a method. */
static const char background[] = "latchkeyd/";

static void add_method(struct lk_audit_filter *filter, const char *name)
{
	if (filter->n_methods < METHODS_MAX) {
		filter->methods[filter->n_methods++] = name;
	}
}

/* A method by its full name, or all that a right is for: "keys.revoke". "public" and "caller" are no rights. */
static void resolve_action(const char *action, struct lk_audit_filter *filter)
{
	bool is_right = strchr(action, '.') != NULL;

	for (size_t i = 0; i < lk_n_services; i++) {
		const struct lk_server_service *service = lk_services[i].service;
		for (size_t j = 0; j < service->n_methods; j++) {
			const struct lk_method *method = service->methods[j].method;
			if (strcmp(method->name, action) == 0 || (is_right && strcmp(method->access, action) == 0)) {
				add_method(filter, method->name);
			}
		}
	}
	if (strncmp(action, background, strlen(background)) == 0) {
		add_method(filter, action);
	}
}

static void read_action(struct lk_request *request, const char *action, struct lk_audit_filter *filter)
{
	filter->methods = lk_arena_array(request->arena, METHODS_MAX, sizeof *filter->methods);
	if (action[0] == '\0' || filter->methods == NULL) {
		return;
	}
	resolve_action(action, filter);
	if (filter->n_methods == 0) {
		lk_fault_add(&request->faults, "action",
			"names no method: give its full name, \"latchkey.v1.KeyService/Revoke\", or its right, "
			"\"keys.revoke\"");
	}
}

static bool is_actor(const char *actor)
{
	if (strncmp(actor, "uid:", 4) == 0) {
		return actor[4] != '\0' && strspn(actor + 4, "0123456789") == strlen(actor + 4);
	}
	if (strncmp(actor, "key:", 4) == 0) {
		return lk_key_id_is(actor + 4);
	}
	if (strncmp(actor, "jwt:", 4) == 0) {
		return strchr(actor + 4, ':') != NULL;
	}
	return strcmp(actor, "latchkeyd") == 0;
}

static void read_time(
	struct lk_request *request, const char *field, const Google__Protobuf__Timestamp *time, int64_t *time_us)
{
	if (time != NULL && !lk_time_from_timestamp(time, time_us)) {
		lk_fault_add(&request->faults, field, "is no valid Timestamp: years 1 to 9999, nanoseconds below 10^9");
	}
}

static void read_times(struct lk_request *request, const Latchkey__V1__ListAuditRecordsRequest *message,
	struct lk_audit_filter *filter)
{
	filter->start_us = INT64_MIN;
	filter->end_us = INT64_MAX;
	read_time(request, "start_time", message->start_time, &filter->start_us);
	read_time(request, "end_time", message->end_time, &filter->end_us);
	if (message->start_time != NULL && message->end_time != NULL && filter->start_us >= filter->end_us) {
		lk_fault_add(&request->faults, "end_time", "must be later than start_time: nothing lies between them");
	}
}

enum lk_err lk_audit_filter_read(struct lk_request *request, const Latchkey__V1__ListAuditRecordsRequest *message,
	struct lk_audit_filter *ret_filter)
{
	struct lk_audit_filter filter = {.actor = message->actor, .refused_only = message->refused_only};
	enum lk_err err = LK_OK;

	/* Empty means every tenant here, and not the one that the caller is granted. */
	if (message->tenant[0] != '\0') {
		err = lk_access_tenant_id(request, message->tenant, &filter.tenant);
	}
	if (err != LK_OK) {
		return err;
	}
	/* Neither fault shows the value: it may be a token, in the wrong place. */
	if (message->key[0] != '\0' && !lk_key_id_is(message->key)) {
		lk_fault_add(&request->faults, "key", "is no key's id: give \"key_\" and 26 characters");
	}
	if (message->actor[0] != '\0' && !is_actor(message->actor)) {
		lk_fault_add(&request->faults, "actor",
			"names nobody: give \"uid:\" and a number, \"key:\" and a key's id, \"jwt:\", an issuer, \":\" "
			"and a subject, or \"latchkeyd\"");
	}
	read_action(request, message->action, &filter);
	read_times(request, message, &filter);
	filter.binding = lk_arena_printf(request->arena, "%s\n%s\n%s\n%s\n%" PRId64 "\n%" PRId64 "\n%d",
		filter.tenant == NULL ? "" : filter.tenant, message->key, message->actor, message->action,
		filter.start_us, filter.end_us, filter.refused_only);
	if (filter.binding == NULL || filter.methods == NULL) {
		return LK_NO_MEMORY;
	}
	*ret_filter = filter;
	return LK_OK;
}

static bool is_of_methods(const struct lk_audit_filter *filter, const char *method)
{
	for (size_t i = 0; i < filter->n_methods; i++) {
		if (strcmp(filter->methods[i], method) == 0) {
			return true;
		}
	}
	return filter->n_methods == 0;
}

bool lk_audit_filter_matches(const struct lk_audit_filter *filter, const Latchkey__Store__AuditRecord *record)
{
	return (!filter->refused_only || record->code != 0) && record->time_us >= filter->start_us &&
	       record->time_us < filter->end_us &&
	       (filter->tenant == NULL || strcmp(filter->tenant, record->tenant) == 0) &&
	       (filter->actor[0] == '\0' || strcmp(filter->actor, record->actor) == 0) &&
	       is_of_methods(filter, record->method);
}

/* Whether it is of no keyspace, and so for whoever is granted the tenant. */
static bool is_of_tenant(const Latchkey__Store__Snapshot *snapshot)
{
	return snapshot != NULL && (snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_TENANT ||
					   snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_ROLE ||
					   snapshot->record_case == LATCHKEY__STORE__SNAPSHOT__RECORD_OWNER);
}

bool lk_audit_filter_allows(const struct lk_request *request, const Latchkey__Store__AuditRecord *record)
{
	const Latchkey__Store__GrantRecord *grant = request->caller.grant;
	const Latchkey__Store__Snapshot *snapshot = record->after != NULL ? record->after : record->before;

	/* No id is empty: what is of no tenant, or of no keyspace, is granted by "*" alone. */
	if (!lk_grant_allows_tenant(grant, record->tenant)) {
		return false;
	}
	return is_of_tenant(snapshot) || lk_grant_allows_keyspace(grant, record->keyspace);
}

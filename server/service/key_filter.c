#include "server/service/key_filter.h"

#include <stdio.h>
#include <string.h>

#include "server/core/lifecycle.h"
#include "server/core/permission.h"
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/core/time.h"
#include "server/service/access.h"
#include "server/service/own.h"
#include "server/store/find.h"
#include "server/store/slots.h"

static bool passes_state(struct lk_request *request, const struct lk_key_filter *filter, const struct lk_key_peek *key)
{
	return (filter->states & 1U << lk_lifecycle_state(key->state, key->expire_us, request->now_us)) != 0;
}

static bool passes_owner(struct lk_request *request, const struct lk_key_filter *filter, const struct lk_key_peek *key)
{
	(void)request;
	return lk_peeked_text_is(key->owner, filter->owner);
}

static bool passes_name(struct lk_request *request, const struct lk_key_filter *filter, const struct lk_key_peek *key)
{
	(void)request;
	return lk_peeked_text_begins(key->name, filter->name_prefix);
}

static bool passes_permission(
	struct lk_request *request, const struct lk_key_filter *filter, const struct lk_key_peek *key)
{
	struct lk_peeked_text held = {0};
	char text[LK_PERMISSION_MAX + 1] = "";
	const uint8_t *at = key->rest;

	(void)request;
	while (lk_key_peek_permission(key, &at, &held)) {
		if (held.len > LK_PERMISSION_MAX) {
			continue;
		}
		memcpy(text, held.data, held.len);
		text[held.len] = '\0';
		if (lk_permission_covers(text, filter->permission)) {
			return true;
		}
	}
	return false;
}

static bool passes_role(struct lk_request *request, const struct lk_key_filter *filter, const struct lk_key_peek *key)
{
	(void)request;
	return lk_key_peek_has_role(key, filter->role);
}

static bool passes_created(
	struct lk_request *request, const struct lk_key_filter *filter, const struct lk_key_peek *key)
{
	(void)request;
	return key->create_us >= filter->created.first_us && key->create_us <= filter->created.last_us;
}

static bool passes_expires(
	struct lk_request *request, const struct lk_key_filter *filter, const struct lk_key_peek *key)
{
	(void)request;
	return key->expire_us != 0 && key->expire_us <= filter->expires_last_us;
}

static bool passes_used(struct lk_request *request, const struct lk_key_filter *filter, const struct lk_key_peek *key)
{
	return lk_slots_usage(lk_store_slots(request->store), key->slot).last_used_us <= filter->used_last_us;
}

/* The cheap questions first. */
static const struct {
	enum lk_key_ask ask;
	bool (*passes)(struct lk_request *request, const struct lk_key_filter *filter, const struct lk_key_peek *key);
} questions[] = {
	{LK_ASK_STATE, passes_state},
	{LK_ASK_CREATED, passes_created},
	{LK_ASK_EXPIRES, passes_expires},
	{LK_ASK_OWNER, passes_owner},
	{LK_ASK_NAME, passes_name},
	{LK_ASK_USED, passes_used},
	{LK_ASK_ROLE, passes_role},
	{LK_ASK_PERMISSION, passes_permission},
};

bool lk_key_filter_match(
	struct lk_request *request, const struct lk_key_filter *filter, unsigned asks, const struct lk_key_peek *key)
{
	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		if ((filter->asks & asks & questions[i].ask) != 0 && !questions[i].passes(request, filter, key)) {
			return false;
		}
	}
	return true;
}

bool lk_key_filter_is_empty(const struct lk_key_filter *filter)
{
	unsigned forced = filter->owner_forced ? LK_ASK_OWNER : 0;

	return (filter->asks & ~forced) == 0 && filter->keyspace[0] == '\0';
}

static void check_states(
	struct lk_request *request, const Latchkey__V1__KeyFilter *message, struct lk_key_filter *filter)
{
	char field[40] = "";

	for (size_t i = 0; i < message->n_states; i++) {
		int state = (int)message->states[i];
		if (state <= LATCHKEY__V1__KEY_STATE__KEY_STATE_UNSPECIFIED ||
			state > LATCHKEY__V1__KEY_STATE__KEY_STATE_EXPIRED) {
			(void)snprintf(field, sizeof field, "filter.states[%zu]", i);
			lk_fault_add(&request->faults, field,
				"%d is no state: give ACTIVE, SUSPENDED, REVOKED or EXPIRED, or leave it out", state);
			continue;
		}
		filter->states |= 1U << state;
		filter->asks |= LK_ASK_STATE;
	}
}

static void check_length(struct lk_request *request, const char *field, const char *text, size_t max)
{
	size_t len = lk_text_length(text);

	if (len > max) {
		lk_fault_add(&request->faults, field, "has %zu characters and may have %zu", len, max);
	}
}

static void check_texts(
	struct lk_request *request, const Latchkey__V1__KeyFilter *message, struct lk_key_filter *filter)
{
	check_length(request, "filter.owner", message->owner, LK_OWNER_MAX);
	check_length(request, "filter.name_prefix", message->name_prefix, LK_NAME_MAX);
	if (message->permission[0] != '\0') {
		lk_permission_check(&request->faults, "filter.permission", message->permission);
		filter->asks |= LK_ASK_PERMISSION;
	}
	filter->asks |= filter->owner[0] != '\0' ? LK_ASK_OWNER : 0;
	filter->asks |= message->name_prefix[0] != '\0' ? LK_ASK_NAME : 0;
	filter->name_prefix = message->name_prefix;
	filter->permission = message->permission;
}

/* A role that is not there is a fault, and not a list without a key: it may be misspelt. */
static void check_role(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant, const char *id,
	struct lk_key_filter *filter)
{
	if (id[0] == '\0') {
		return;
	}
	filter->asks |= LK_ASK_ROLE;
	if (!lk_text_is_id(id)) {
		lk_text_check_id(&request->faults, "filter.role", id);
		return;
	}
	if (tenant == NULL) {
		return;
	}
	const Latchkey__Store__RoleRecord *role = lk_find_role(request->txn, request->arena, tenant->number, id);
	if (role == NULL) {
		lk_fault_add(
			&request->faults, "filter.role", "there is no role \"%s\" in tenant \"%s\"", id, tenant->id);
		return;
	}
	filter->role = role->number;
}

/* Reads an instant; false where none is given, or none that is one, which is a fault. */
static bool read_instant(
	struct lk_request *request, const char *field, const Google__Protobuf__Timestamp *timestamp, int64_t *ret_us)
{
	if (timestamp == NULL) {
		return false;
	}
	if (!lk_time_from_timestamp(timestamp, ret_us)) {
		lk_fault_add(&request->faults, field,
			"is no instant: give seconds within the years 1 to 9999, and 0 to 999999999 nanoseconds");
		return false;
	}
	return true;
}

static void check_created(
	struct lk_request *request, const Latchkey__V1__KeyFilter *message, struct lk_key_filter *filter)
{
	int64_t after_us = 0;
	int64_t before_us = 0;
	bool has_after = read_instant(request, "filter.created_after", message->created_after, &after_us);
	bool has_before = read_instant(request, "filter.created_before", message->created_before, &before_us);

	if (has_after && has_before && after_us >= before_us) {
		lk_fault_add(&request->faults, "filter.created_after",
			"is not before created_before, so that no key would pass: give an earlier one");
	}
	filter->created.first_us = has_after ? after_us + 1 : INT64_MIN;
	filter->created.last_us = has_before ? before_us - 1 : INT64_MAX;
	filter->asks |= has_after || has_before ? LK_ASK_CREATED : 0;
}

static void check_ends(struct lk_request *request, const Latchkey__V1__KeyFilter *message, struct lk_key_filter *filter)
{
	char text[LK_TIME_TEXT_LEN] = "";
	int64_t us = 0;

	if (read_instant(request, "filter.expires_before", message->expires_before, &us)) {
		filter->expires_last_us = us - 1;
		filter->asks |= LK_ASK_EXPIRES;
	}
	filter->used_last_us = INT64_MAX;
	if (read_instant(request, "filter.last_used_before", message->last_used_before, &us)) {
		if (us > request->now_us) {
			lk_time_format(us, text);
			lk_fault_add(&request->faults, "filter.last_used_before",
				"%s is in the future, which nobody knows yet: give an instant that is past", text);
		}
		filter->used_last_us = us - 1;
		filter->asks |= LK_ASK_USED;
	}
	if (message->unused_only) {
		filter->used_last_us = 0;
		filter->asks |= LK_ASK_USED;
	}
	/* A key that was never used was not used since any instant, be it before 1970. */
	filter->used_last_us = filter->used_last_us < 0 ? 0 : filter->used_last_us;
}

enum lk_err lk_key_filter_check(struct lk_request *request, const Latchkey__Store__TenantRecord *tenant,
	const Latchkey__V1__KeyFilter *message, struct lk_key_filter *ret_filter)
{
	static const Latchkey__V1__KeyFilter nothing = LATCHKEY__V1__KEY_FILTER__INIT;

	*ret_filter = (struct lk_key_filter){0};
	message = message == NULL ? &nothing : message;
	enum lk_err err = lk_own_resolve(request, "filter.owner", message->owner, &ret_filter->owner);
	if (err != LK_OK) {
		return err;
	}
	ret_filter->owner_forced = ret_filter->owner != message->owner;
	ret_filter->keyspace = message->keyspace;
	check_states(request, message, ret_filter);
	check_texts(request, message, ret_filter);
	check_role(request, tenant, message->role, ret_filter);
	check_created(request, message, ret_filter);
	check_ends(request, message, ret_filter);
	if (message->keyspace[0] != '\0') {
		err = lk_access_keyspace_id(request, "filter.keyspace", message->keyspace);
	}
	return err;
}

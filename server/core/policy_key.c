/* What a CreateKeyRequest says of the key, against the policy of its keyspace. */
#include "server/core/policy.h"

#include <string.h>

#include "server/core/grant.h"
#include "server/core/text.h"
#include "server/core/time.h"

static bool check_scope(struct lk_faults *faults, Latchkey__V1__KeyScope scope)
{
	if (scope != LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_UNSPECIFIED &&
		scope != LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_KEYSPACE &&
		scope != LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT) {
		lk_fault_add(
			faults, "scope", "%d is no scope: give KEY_SCOPE_KEYSPACE or KEY_SCOPE_TENANT", (int)scope);
	}
	return scope == LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
}

static Latchkey__Store__MetadataRecord *copy_entry(
	struct lk_arena *arena, const Latchkey__V1__CreateKeyRequest__MetadataEntry *entry)
{
	Latchkey__Store__MetadataRecord *record = lk_arena_alloc(arena, sizeof(*record));
	if (record != NULL) {
		latchkey__store__metadata_record__init(record);
		record->key = entry->key;
		record->value = entry->value;
	}
	return record;
}

static void copy_metadata(
	struct lk_faults *faults, const Latchkey__V1__CreateKeyRequest *request, Latchkey__Store__KeyRecord *ret)
{
	ret->metadata = lk_arena_array(faults->arena, request->n_metadata, sizeof(*ret->metadata));
	for (size_t i = 0; ret->metadata != NULL && i < request->n_metadata; i++) {
		ret->metadata[i] = copy_entry(faults->arena, request->metadata[i]);
		if (ret->metadata[i] == NULL) {
			ret->metadata = NULL;
		}
	}
	if (ret->metadata == NULL) {
		lk_fault_add(faults, "metadata", "could not be checked: the request is too large");
		return;
	}
	ret->n_metadata = request->n_metadata;
}

static void check_metadata(
	struct lk_faults *faults, const Latchkey__V1__CreateKeyRequest *request, Latchkey__Store__KeyRecord *ret)
{
	static const char field[] = "metadata";
	size_t bytes = 0;
	for (size_t i = 0; i < request->n_metadata; i++) {
		const Latchkey__V1__CreateKeyRequest__MetadataEntry *entry = request->metadata[i];
		bytes += strlen(entry->key) + strlen(entry->value);
		if (entry->key[0] == '\0') {
			lk_fault_add(faults, field, "the value %s has no key: give it one",
				lk_text_quote(faults->arena, entry->value));
		}
	}
	if (request->n_metadata > LK_METADATA_MAX_ITEMS) {
		lk_fault_add(
			faults, field, "has %zu entries: give at most %d", request->n_metadata, LK_METADATA_MAX_ITEMS);
	}
	if (bytes > LK_METADATA_MAX_BYTES) {
		lk_fault_add(faults, field, "has %zu bytes of keys and values: give at most %d", bytes,
			LK_METADATA_MAX_BYTES);
	}
	if (request->n_metadata > 0) {
		copy_metadata(faults, request, ret);
	}
}

static void check_grant(
	struct lk_faults *faults, Latchkey__V1__Grant *grant, bool is_system, Latchkey__Store__KeyRecord *ret)
{
	if (grant == NULL) {
		if (is_system) {
			lk_fault_add(faults, "grant", "is needed of a root key: say what its holder may call");
		}
		return;
	}
	if (!is_system) {
		lk_fault_add(faults, "grant", "only keys of tenant \"" LK_TENANT_SYSTEM "\" have one: leave it out");
		return;
	}
	Latchkey__Store__GrantRecord *record = lk_arena_alloc(faults->arena, sizeof(*record));
	if (record == NULL) {
		lk_fault_add(faults, "grant", "could not be checked: the request is too large");
		return;
	}
	latchkey__store__grant_record__init(record);
	record->n_methods = grant->n_methods;
	record->methods = grant->methods;
	record->n_tenants = grant->n_tenants;
	record->tenants = grant->tenants;
	record->n_keyspaces = grant->n_keyspaces;
	record->keyspaces = grant->keyspaces;
	lk_grant_check(faults, record);
	ret->grant = record;
}

static bool check_timestamp(
	struct lk_faults *faults, const char *field, const Google__Protobuf__Timestamp *timestamp, int64_t *ret_us)
{
	if (lk_time_from_timestamp(timestamp, ret_us)) {
		return true;
	}
	lk_fault_add(faults, field, "%lld s and %d ns is no Timestamp: give an instant in the years 1 to 9999",
		(long long)timestamp->seconds, timestamp->nanos);
	return false;
}

/* Where the key's life is counted from, and where it has to end. */
struct life {
	int64_t now_us;
	int64_t not_before_us;
	/* now, or not_before where that is later. */
	int64_t start_us;
};

/* Whether the key ends after `life` begins. */
static bool check_expire_time(struct lk_faults *faults, const struct life *life, int64_t expire_us)
{
	char expire[LK_TIME_TEXT_LEN];
	char bound[LK_TIME_TEXT_LEN];
	lk_time_format(expire_us, expire);
	if (expire_us <= life->now_us) {
		lk_time_format(life->now_us, bound);
		lk_fault_add(faults, "expire_time", "%s is in the past: give an instant after now, %s", expire, bound);
		return false;
	}
	if (expire_us <= life->not_before_us) {
		lk_time_format(life->not_before_us, bound);
		lk_fault_add(faults, "expire_time", "%s is not after not_before_time: give an instant after %s", expire,
			bound);
		return false;
	}
	return true;
}

/* The end of a life of `ttl_us`; 0 and a fault where no Timestamp can name it. */
static int64_t end_of(struct lk_faults *faults, const char *field, const struct life *life, int64_t ttl_us)
{
	int64_t expire_us = 0;
	if (!__builtin_add_overflow(life->start_us, ttl_us, &expire_us) && expire_us <= LK_TIME_MAX_US) {
		return expire_us;
	}
	char ttl[LK_SPAN_TEXT_LEN];
	lk_time_format_span(ttl_us, ttl);
	lk_fault_add(faults, field, "%s ends after the year 9999: give a shorter time", ttl);
	return 0;
}

static int64_t expiry_at(
	struct lk_faults *faults, const struct life *life, const Google__Protobuf__Timestamp *timestamp)
{
	int64_t expire_us = 0;
	if (!check_timestamp(faults, "expire_time", timestamp, &expire_us) ||
		!check_expire_time(faults, life, expire_us)) {
		return 0;
	}
	return expire_us;
}

static int64_t expiry_after(struct lk_faults *faults, const struct life *life, const Google__Protobuf__Duration *ttl)
{
	int64_t ttl_us = lk_policy_check_ttl(faults, "ttl", ttl);
	return ttl_us == 0 ? 0 : end_of(faults, "ttl", life, ttl_us);
}

static int64_t expiry_by_default(
	struct lk_faults *faults, const struct life *life, const Latchkey__Store__PolicyRecord *policy)
{
	if (policy == NULL) {
		return 0;
	}
	if (policy->default_ttl_us != 0) {
		return end_of(faults, "ttl", life, policy->default_ttl_us);
	}
	if (policy->max_ttl_us != 0) {
		char max[LK_SPAN_TEXT_LEN];
		lk_time_format_span(policy->max_ttl_us, max);
		lk_fault_add(faults, "expire_time",
			"is needed: keys of this keyspace live at most %s; give expire_time or ttl", max);
	} else if (policy->expiry_required) {
		lk_fault_add(
			faults, "expire_time", "is needed: keys of this keyspace must expire; give expire_time or ttl");
	}
	return 0;
}

static void check_max_ttl(struct lk_faults *faults, const char *field, const struct life *life, int64_t expire_us,
	const Latchkey__Store__PolicyRecord *policy)
{
	if (policy == NULL || policy->max_ttl_us == 0 || expire_us == 0 ||
		expire_us - life->start_us <= policy->max_ttl_us) {
		return;
	}
	char given[LK_SPAN_TEXT_LEN];
	char max[LK_SPAN_TEXT_LEN];
	lk_time_format_span(expire_us - life->start_us, given);
	lk_time_format_span(policy->max_ttl_us, max);
	lk_fault_add(faults, field, "a life of %s is longer than keys of this keyspace may have: give at most %s",
		given, max);
}

static void check_expiry(struct lk_faults *faults, const Latchkey__V1__CreateKeyRequest *request,
	const Latchkey__Store__PolicyRecord *policy, int64_t now_us, Latchkey__Store__KeyRecord *ret)
{
	struct life life = {.now_us = now_us, .start_us = now_us};
	if (request->not_before_time != NULL &&
		check_timestamp(faults, "not_before_time", request->not_before_time, &life.not_before_us) &&
		life.not_before_us > now_us) {
		life.start_us = life.not_before_us;
	}
	ret->not_before_us = life.not_before_us;
	if (request->expiry_case == LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_EXPIRE_TIME) {
		ret->expire_us = expiry_at(faults, &life, request->expire_time);
		check_max_ttl(faults, "expire_time", &life, ret->expire_us, policy);
	} else if (request->expiry_case == LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL) {
		ret->expire_us = expiry_after(faults, &life, request->ttl);
		check_max_ttl(faults, "ttl", &life, ret->expire_us, policy);
	} else {
		ret->expire_us = expiry_by_default(faults, &life, policy);
	}
}

/* The casts: protobuf-c has no const texts. */
void lk_policy_check_key(struct lk_faults *faults, const Latchkey__V1__CreateKeyRequest *request,
	const Latchkey__Store__PolicyRecord *policy, bool is_system, int64_t now_us, Latchkey__Store__KeyRecord *ret)
{
	bool name_needed = policy != NULL && (policy->name_required || policy->name_unique);
	ret->name = (char *)lk_text_check(faults, "name", request->name, LK_NAME_MAX, name_needed);
	ret->owner = (char *)lk_text_check(faults, "owner", request->owner, LK_OWNER_MAX, false);
	ret->tenant_scope = check_scope(faults, request->scope);
	check_expiry(faults, request, policy, now_us, ret);
	check_metadata(faults, request, ret);
	check_grant(faults, request->grant, is_system, ret);
}

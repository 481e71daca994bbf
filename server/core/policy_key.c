/* What is said of a key, against the policy of its keyspace. */
#include "server/core/policy.h"

#include <string.h>

#include "server/core/cidr.h"
#include "server/core/credits.h"
#include "server/core/grant.h"
#include "server/core/limit.h"
#include "server/core/permission.h"
#include "server/core/text.h"
#include "server/core/time.h"

/* One check of one key, and where what is wrong goes to. */
struct check {
	struct lk_faults *faults;
	const struct lk_key_rules *rules;
};

/* The name of a field in a fault. */
static const char *field(const struct check *check, const char *name)
{
	if (check->rules->prefix == NULL) {
		return name;
	}
	const char *full = lk_arena_printf(check->faults->arena, "%s%s", check->rules->prefix, name);
	return full == NULL ? name : full;
}

/* The cast: protobuf-c has no const texts. */
static char *check_name(const struct check *check, const char *given)
{
	const Latchkey__Store__PolicyRecord *policy = check->rules->policy;
	bool needed = policy != NULL && (policy->name_required || policy->name_unique);
	uint32_t min = policy == NULL || policy->name_min_length == 0 ? 1 : policy->name_min_length;
	uint32_t max = policy == NULL ? LK_NAME_MAX : lk_policy_name_max(policy);
	const char *name = lk_text_check(check->faults, field(check, "name"), given, max, false);
	size_t length = lk_text_length(name);
	if (length == 0 && needed) {
		lk_fault_add(check->faults, field(check, "name"),
			"is needed: give %u to %u characters that are not all blank", min, max);
	} else if (length > 0 && length < min) {
		lk_fault_add(check->faults, field(check, "name"), "%s has %zu characters: give at least %u",
			lk_text_quote(check->faults->arena, name), length, min);
	}
	return (char *)(uintptr_t)name;
}

static char *check_owner(const struct check *check, const char *given)
{
	bool needed = check->rules->policy != NULL && check->rules->policy->owner_required;
	return (char *)(uintptr_t)lk_text_check(check->faults, field(check, "owner"), given, LK_OWNER_MAX, needed);
}

static bool check_scope(const struct check *check, Latchkey__V1__KeyScope scope)
{
	if (scope != LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_UNSPECIFIED &&
		scope != LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_KEYSPACE &&
		scope != LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT) {
		lk_fault_add(check->faults, field(check, "scope"),
			"%d is no scope: give KEY_SCOPE_KEYSPACE or KEY_SCOPE_TENANT", (int)scope);
	}
	return scope == LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
}

static void check_metadata(
	const struct check *check, const struct lk_key_fields *fields, Latchkey__Store__KeyRecord *ret)
{
	size_t bytes = 0;
	for (size_t i = 0; i < fields->n_metadata; i++) {
		const Latchkey__Store__MetadataRecord *entry = fields->metadata[i];
		bytes += strlen(entry->key) + strlen(entry->value);
		if (entry->key[0] == '\0') {
			lk_fault_add(check->faults, field(check, "metadata"), "the value %s has no key: give it one",
				lk_text_quote(check->faults->arena, entry->value));
		}
	}
	if (fields->n_metadata > LK_METADATA_MAX_ITEMS) {
		lk_fault_add(check->faults, field(check, "metadata"), "has %zu entries: give at most %d",
			fields->n_metadata, LK_METADATA_MAX_ITEMS);
	}
	if (bytes > LK_METADATA_MAX_BYTES) {
		lk_fault_add(check->faults, field(check, "metadata"),
			"has %zu bytes of keys and values: give at most %d", bytes, LK_METADATA_MAX_BYTES);
	}
	ret->metadata = fields->metadata;
	ret->n_metadata = fields->n_metadata;
}

static void check_permissions(
	const struct check *check, const struct lk_key_fields *fields, Latchkey__Store__KeyRecord *ret)
{
	const Latchkey__Store__PolicyRecord *policy = check->rules->policy;
	if (fields->n_permissions == 0 && check->rules->defaults && policy != NULL) {
		ret->permissions = policy->default_permissions;
		ret->n_permissions = policy->n_default_permissions;
		return;
	}
	lk_permission_check_list(
		check->faults, field(check, "permissions"), fields->permissions, fields->n_permissions);
	ret->permissions = fields->permissions;
	ret->n_permissions = fields->n_permissions;
}

static Latchkey__Store__GrantRecord *check_grant(const struct check *check, Latchkey__Store__GrantRecord *grant)
{
	if (grant == NULL && check->rules->is_system) {
		lk_fault_add(
			check->faults, field(check, "grant"), "is needed of a root key: say what its holder may call");
	}
	if (grant != NULL && !check->rules->is_system) {
		lk_fault_add(check->faults, field(check, "grant"),
			"only keys of tenant \"" LK_TENANT_SYSTEM "\" have one: leave it out");
		return NULL;
	}
	if (grant != NULL) {
		lk_grant_check(check->faults, field(check, "grant"), grant);
	}
	return grant;
}

static bool check_timestamp(
	const struct check *check, const char *name, const Google__Protobuf__Timestamp *timestamp, int64_t *ret_us)
{
	if (lk_time_from_timestamp(timestamp, ret_us)) {
		return true;
	}
	lk_fault_add(check->faults, field(check, name),
		"%lld s and %d ns is no Timestamp: give an instant in the years 1 to 9999",
		(long long)timestamp->seconds, timestamp->nanos);
	return false;
}

/* Where the key's life is counted from. */
struct life {
	int64_t not_before_us;
	/* now, or not_before where that is later. */
	int64_t start_us;
};

/* Whether the key ends after `life` begins. */
static bool check_expire_time(const struct check *check, const struct life *life, int64_t expire_us)
{
	char expire[LK_TIME_TEXT_LEN];
	char bound[LK_TIME_TEXT_LEN];
	lk_time_format(expire_us, expire);
	if (expire_us <= check->rules->now_us && !check->rules->past_expiry) {
		lk_time_format(check->rules->now_us, bound);
		lk_fault_add(check->faults, field(check, "expire_time"),
			"%s is in the past: give an instant after now, %s", expire, bound);
		return false;
	}
	/* In a record, 0 is the sign of none: such a key would live for ever. */
	if (expire_us <= 0) {
		lk_fault_add(check->faults, field(check, "expire_time"),
			"%s is before there were keys: give an instant after 1970-01-01T00:00:00Z", expire);
		return false;
	}
	if (expire_us <= life->not_before_us) {
		lk_time_format(life->not_before_us, bound);
		lk_fault_add(check->faults, field(check, "expire_time"),
			"%s is not after not_before_time: give an instant after %s", expire, bound);
		return false;
	}
	return true;
}

/* The end of a life of `ttl_us`; 0 and a fault where no Timestamp can name it. */
static int64_t end_of(const struct check *check, const struct life *life, int64_t ttl_us)
{
	int64_t expire_us = 0;
	if (!__builtin_add_overflow(life->start_us, ttl_us, &expire_us) && expire_us <= LK_TIME_MAX_US) {
		return expire_us;
	}
	char ttl[LK_SPAN_TEXT_LEN];
	lk_time_format_span(ttl_us, ttl);
	lk_fault_add(check->faults, field(check, "ttl"), "%s ends after the year 9999: give a shorter time", ttl);
	return 0;
}

static int64_t expiry_at(
	const struct check *check, const struct life *life, const Google__Protobuf__Timestamp *timestamp)
{
	int64_t expire_us = 0;
	if (!check_timestamp(check, "expire_time", timestamp, &expire_us) ||
		!check_expire_time(check, life, expire_us)) {
		return 0;
	}
	return expire_us;
}

static int64_t expiry_after(const struct check *check, const struct life *life, const Google__Protobuf__Duration *ttl)
{
	int64_t ttl_us = lk_policy_check_ttl(check->faults, field(check, "ttl"), ttl);
	return ttl_us == 0 ? 0 : end_of(check, life, ttl_us);
}

static int64_t expiry_of_none(const struct check *check, const struct life *life)
{
	const Latchkey__Store__PolicyRecord *policy = check->rules->policy;
	if (policy == NULL) {
		return 0;
	}
	if (check->rules->defaults && policy->default_ttl_us != 0) {
		return end_of(check, life, policy->default_ttl_us);
	}
	/* Only where a key is made can a ttl be given. */
	const char *remedy = check->rules->defaults ? "give expire_time or ttl" : "give expire_time";
	if (policy->max_ttl_us != 0) {
		char max[LK_SPAN_TEXT_LEN];
		lk_time_format_span(policy->max_ttl_us, max);
		lk_fault_add(check->faults, field(check, "expire_time"),
			"is needed: keys of this keyspace live at most %s; %s", max, remedy);
	} else if (policy->expiry_required) {
		lk_fault_add(check->faults, field(check, "expire_time"),
			"is needed: keys of this keyspace must expire; %s", remedy);
	}
	return 0;
}

static void check_max_ttl(const struct check *check, const char *name, const struct life *life, int64_t expire_us)
{
	const Latchkey__Store__PolicyRecord *policy = check->rules->policy;
	if (policy == NULL || policy->max_ttl_us == 0 || expire_us == 0 ||
		expire_us - life->start_us <= policy->max_ttl_us) {
		return;
	}
	char given[LK_SPAN_TEXT_LEN];
	char max[LK_SPAN_TEXT_LEN];
	lk_time_format_span(expire_us - life->start_us, given);
	lk_time_format_span(policy->max_ttl_us, max);
	lk_fault_add(check->faults, field(check, name),
		"a life of %s is longer than keys of this keyspace may have: give at most %s", given, max);
}

static void check_life(const struct check *check, const struct lk_key_fields *fields, Latchkey__Store__KeyRecord *ret)
{
	struct life life = {.start_us = check->rules->now_us};
	if (fields->not_before_time != NULL &&
		check_timestamp(check, "not_before_time", fields->not_before_time, &life.not_before_us) &&
		life.not_before_us > life.start_us) {
		life.start_us = life.not_before_us;
	}
	ret->not_before_us = life.not_before_us;
	if (fields->expire_time != NULL) {
		ret->expire_us = expiry_at(check, &life, fields->expire_time);
		check_max_ttl(check, "expire_time", &life, ret->expire_us);
	} else if (fields->ttl != NULL) {
		ret->expire_us = expiry_after(check, &life, fields->ttl);
		check_max_ttl(check, "ttl", &life, ret->expire_us);
	} else {
		ret->expire_us = expiry_of_none(check, &life);
	}
}

/* Whether a root key may have such; where it may not, and has, that is a fault. */
static bool may_have(const struct check *check, const char *name, bool is_given, const char *reason)
{
	if (check->rules->is_system && is_given) {
		lk_fault_add(check->faults, field(check, name), "is not for root keys: leave it out; %s", reason);
	}
	return !check->rules->is_system;
}

/* Which roles they are, only the store knows. */
static void check_roles(const struct check *check, const struct lk_key_fields *fields)
{
	(void)may_have(check, "roles", fields->n_roles > 0, "what its holder may call, its grant says");
}

static void check_cidrs(const struct check *check, const struct lk_key_fields *fields, Latchkey__Store__KeyRecord *ret)
{
	if (!may_have(check, "allowed_cidrs", fields->n_allowed_cidrs > 0,
		    "where its holder calls from, no list is asked")) {
		return;
	}
	ret->allowed_cidrs = lk_cidr_check_list(
		check->faults, field(check, "allowed_cidrs"), fields->allowed_cidrs, fields->n_allowed_cidrs);
	ret->n_allowed_cidrs = ret->allowed_cidrs == NULL ? 0 : fields->n_allowed_cidrs;
}

/* Copies of the policy's limits, for their clocks are each key's own. False where the arena is exhausted. */
static bool copy_limits(struct lk_arena *arena, const Latchkey__Store__PolicyRecord *policy,
	Latchkey__Store__RateLimitRecord ***ret_limits)
{
	size_t count = policy->n_default_rate_limits;
	Latchkey__Store__RateLimitRecord **limits = lk_arena_array(arena, count, sizeof(*limits));
	Latchkey__Store__RateLimitRecord *copies = lk_arena_array(arena, count, sizeof(*copies));

	if (limits == NULL || copies == NULL) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		copies[i] = *policy->default_rate_limits[i];
		limits[i] = &copies[i];
	}
	*ret_limits = limits;
	return true;
}

static void check_rate_limits(
	const struct check *check, const struct lk_key_fields *fields, Latchkey__Store__KeyRecord *ret)
{
	const struct lk_key_rules *rules = check->rules;
	const Latchkey__Store__KeyRecord *before = rules->before;
	Latchkey__Store__RateLimitRecord **limits = NULL;
	size_t count = fields->n_rate_limits;
	bool is_made = false;

	if (!may_have(check, "rate_limits", count > 0, "how often its holder calls, nothing counts") ||
		!fields->gives_rate_limits) {
		return;
	}
	if (count == 0 && rules->defaults && rules->policy != NULL) {
		count = rules->policy->n_default_rate_limits;
		is_made = copy_limits(check->faults->arena, rules->policy, &limits);
	} else {
		is_made = lk_limit_check_list(
			check->faults, field(check, "rate_limits"), fields->rate_limits, count, &limits);
	}
	if (!is_made) {
		return;
	}
	lk_limit_assign_clocks(limits, count, before == NULL ? NULL : before->rate_limits,
		before == NULL ? 0 : before->n_rate_limits, rules->clocks, &ret->clock_generations);
	ret->rate_limits = count == 0 ? NULL : limits;
	ret->n_rate_limits = count;
}

static void check_credits(
	const struct check *check, const struct lk_key_fields *fields, Latchkey__Store__KeyRecord *ret)
{
	const struct lk_key_rules *rules = check->rules;

	if (may_have(check, "credits", fields->credits != NULL, "what its holder calls costs nothing") &&
		fields->gives_credits) {
		ret->credits = lk_credits_check(check->faults, field(check, "credits"), fields->credits,
			rules->before == NULL ? NULL : rules->before->credits, rules->spent, rules->credits_us);
	}
}

void lk_policy_check_key(struct lk_faults *faults, const struct lk_key_rules *rules, const struct lk_key_fields *fields,
	Latchkey__Store__KeyRecord *ret)
{
	const struct check check = {.faults = faults, .rules = rules};
	ret->name = check_name(&check, fields->name);
	ret->owner = check_owner(&check, fields->owner);
	ret->tenant_scope = check_scope(&check, fields->scope);
	check_life(&check, fields, ret);
	check_metadata(&check, fields, ret);
	check_permissions(&check, fields, ret);
	ret->grant = check_grant(&check, fields->grant);
	check_roles(&check, fields);
	check_cidrs(&check, fields, ret);
	check_rate_limits(&check, fields, ret);
	check_credits(&check, fields, ret);
}

#include "server/core/policy.h"

#include <string.h>

#include "server/core/limit.h"
#include "server/core/permission.h"
#include "server/core/text.h"
#include "server/core/time.h"

#include <latchkey/token.h>

static const char prefix_characters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/* Of a JWT: it starts with its header. */
static void check_no_prefix(struct lk_faults *faults, const char *prefix)
{
	if (prefix[0] != '\0') {
		lk_fault_add(faults, "policy.token_prefix", "%s: a JWT has no prefix: leave it out",
			lk_text_quote(faults->arena, prefix));
	}
}

static void check_prefix(struct lk_faults *faults, const char *prefix, bool is_system)
{
	static const char field[] = "policy.token_prefix";
	size_t len = strlen(prefix);
	const char *quoted = lk_text_quote(faults->arena, prefix);
	if (len == 0) {
		lk_fault_add(faults, field,
			"is needed: give 1 to %d of A-Z, a-z, 0-9, '_' and '-', for example \"sk-\"",
			LK_TOKEN_PREFIX_MAX);
		return;
	}
	if (prefix[strspn(prefix, prefix_characters)] != '\0') {
		lk_fault_add(faults, field, "%s: use only A-Z, a-z, 0-9, '_' and '-'", quoted);
	}
	if (lk_text_length(prefix) > LK_TOKEN_PREFIX_MAX) {
		lk_fault_add(faults, field, "%s has %zu characters: shorten it to at most %d", quoted,
			lk_text_length(prefix), LK_TOKEN_PREFIX_MAX);
	}
	if (!is_system && strncmp(prefix, LK_ROOT_KEY_PREFIX, strlen(LK_ROOT_KEY_PREFIX)) == 0) {
		lk_fault_add(faults, field, "%s: \"" LK_ROOT_KEY_PREFIX "\" marks root keys: choose another", quoted);
	}
}

/* Whether tokens are JWTs. */
static bool check_format(struct lk_faults *faults, Latchkey__V1__TokenFormat format, bool is_system)
{
	static const char field[] = "policy.token_format";

	if (format != LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_UNSPECIFIED &&
		format != LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_OPAQUE &&
		format != LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT) {
		lk_fault_add(faults, field, "%d is no token format: give TOKEN_FORMAT_OPAQUE or TOKEN_FORMAT_JWT",
			(int)format);
	}
	if (format != LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT) {
		return false;
	}
	if (is_system) {
		lk_fault_add(faults, field, "root keys are told by their prefix, which a JWT has not: leave it");
	}
	return true;
}

/* What only JWTs have, where tokens are JWTs. */
static void check_jwt(
	struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy, Latchkey__Store__PolicyRecord *ret)
{
	bool is_eddsa = policy->jwt_algorithm == LATCHKEY__V1__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA;

	if (policy->jwt_algorithm != LATCHKEY__V1__JWT_ALGORITHM__JWT_ALGORITHM_UNSPECIFIED &&
		policy->jwt_algorithm != LATCHKEY__V1__JWT_ALGORITHM__JWT_ALGORITHM_HS256 && !is_eddsa) {
		lk_fault_add(faults, "policy.jwt_algorithm",
			"%d is no algorithm: give JWT_ALGORITHM_HS256 or JWT_ALGORITHM_EDDSA",
			(int)policy->jwt_algorithm);
	}
	ret->jwt_algorithm = is_eddsa ? LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA
				      : LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_HS256;
	const char *issuer = lk_text_check(faults, "policy.jwt_issuer", policy->jwt_issuer, LK_JWT_ISSUER_MAX, false);
	ret->jwt_issuer = (char *)(uintptr_t)(issuer[0] == '\0' ? LK_JWT_ISSUER_DEFAULT : issuer);
}

/* What only JWTs have, where tokens are none. */
static void check_no_jwt(struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy)
{
	static const char remedy[] =
		"is of JWTs alone: leave it out, or give token_format TOKEN_FORMAT_JWT and no token_prefix";

	if (policy->jwt_algorithm != LATCHKEY__V1__JWT_ALGORITHM__JWT_ALGORITHM_UNSPECIFIED) {
		lk_fault_add(faults, "policy.jwt_algorithm", "%s", remedy);
	}
	if (policy->jwt_issuer[0] != '\0') {
		lk_fault_add(faults, "policy.jwt_issuer", "%s", remedy);
	}
}

/* The format, and the rules that only tokens of one format have. */
static void check_token(struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy, bool is_system,
	Latchkey__Store__PolicyRecord *ret)
{
	ret->is_jwt = check_format(faults, policy->token_format, is_system);
	ret->token_prefix = policy->token_prefix;
	if (ret->is_jwt) {
		check_no_prefix(faults, policy->token_prefix);
		check_jwt(faults, policy, ret);
	} else {
		check_prefix(faults, policy->token_prefix, is_system);
		check_no_jwt(faults, policy);
	}
}

/* The display length with its default; 0 where it is a fault. */
static uint32_t check_display_length(struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy)
{
	size_t prefix_len = strlen(policy->token_prefix);
	if (prefix_len > LK_TOKEN_PREFIX_MAX) {
		/* A fault already, and no measure for this one. */
		return 0;
	}
	if (policy->display_length == 0) {
		return (uint32_t)prefix_len + LK_DISPLAY_EXTRA_DEFAULT;
	}
	if (policy->display_length > prefix_len + LK_DISPLAY_EXTRA_MAX) {
		lk_fault_add(faults, "policy.display_length",
			"%u shows too much of the secret: give at most %zu, which is the prefix and %d",
			policy->display_length, prefix_len + LK_DISPLAY_EXTRA_MAX, LK_DISPLAY_EXTRA_MAX);
		return 0;
	}
	return policy->display_length;
}

int64_t lk_policy_check_ttl(struct lk_faults *faults, const char *field, const Google__Protobuf__Duration *ttl)
{
	int64_t us = 0;
	if (ttl == NULL) {
		return 0;
	}
	if (!lk_time_from_duration(ttl, &us)) {
		lk_fault_add(faults, field,
			"%lld s and %d ns is no Duration: give at most 10,000 years, and both parts with the same sign",
			(long long)ttl->seconds, ttl->nanos);
		return 0;
	}
	if (us <= 0) {
		char text[LK_SPAN_TEXT_LEN];
		lk_time_format_span(us, text);
		lk_fault_add(faults, field, "%s is no life: give a positive time of a microsecond or more", text);
		return 0;
	}
	return us;
}

static void check_ttl_order(struct lk_faults *faults, const Latchkey__Store__PolicyRecord *policy)
{
	if (policy->max_ttl_us == 0 || policy->default_ttl_us <= policy->max_ttl_us) {
		return;
	}
	char given[LK_SPAN_TEXT_LEN];
	char max[LK_SPAN_TEXT_LEN];
	lk_time_format_span(policy->default_ttl_us, given);
	lk_time_format_span(policy->max_ttl_us, max);
	lk_fault_add(faults, "policy.default_ttl", "%s is longer than max_ttl: give at most %s", given, max);
}

/* The bounds of a name, the longest made explicit. */
static void check_name_lengths(
	struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy, Latchkey__Store__PolicyRecord *ret)
{
	ret->name_min_length = policy->name_min_length;
	ret->name_max_length = policy->name_max_length == 0 ? LK_NAME_MAX : policy->name_max_length;
	if (ret->name_max_length > LK_NAME_MAX) {
		lk_fault_add(faults, "policy.name_max_length", "%u is too long: give at most %d, or 0 for %d",
			ret->name_max_length, LK_NAME_MAX, LK_NAME_MAX);
		ret->name_max_length = LK_NAME_MAX;
	}
	if (ret->name_min_length > ret->name_max_length) {
		lk_fault_add(faults, "policy.name_min_length", "%u is more than a name may have: give at most %u",
			ret->name_min_length, ret->name_max_length);
	}
}

static void check_rate_limits(struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy, bool is_system,
	Latchkey__Store__PolicyRecord *ret)
{
	static const char field[] = "policy.default_rate_limits";
	size_t count = policy->n_default_rate_limits;
	if (is_system && count > 0) {
		lk_fault_add(faults, field, "root keys have no rate limits: leave it out");
		return;
	}
	if (lk_limit_check_list(faults, field, policy->default_rate_limits, count, &ret->default_rate_limits)) {
		ret->n_default_rate_limits = count;
	}
}

void lk_policy_from_request(struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy, bool is_system,
	Latchkey__Store__PolicyRecord *ret)
{
	latchkey__store__policy_record__init(ret);
	if (policy == NULL) {
		lk_fault_add(faults, "policy",
			"is needed: give at least token_prefix, for example \"sk-\", or token_format TOKEN_FORMAT_JWT");
		return;
	}
	check_token(faults, policy, is_system, ret);
	ret->display_length = check_display_length(faults, policy);
	ret->name_required = policy->name_required;
	ret->name_unique = policy->name_unique;
	ret->expiry_required = policy->expiry_required;
	ret->default_ttl_us = lk_policy_check_ttl(faults, "policy.default_ttl", policy->default_ttl);
	ret->max_ttl_us = lk_policy_check_ttl(faults, "policy.max_ttl", policy->max_ttl);
	ret->revoke_deletes = policy->revoke_deletes;
	ret->owner_required = policy->owner_required;
	ret->default_permissions = policy->default_permissions;
	ret->n_default_permissions = policy->n_default_permissions;
	check_ttl_order(faults, ret);
	check_name_lengths(faults, policy, ret);
	lk_permission_check_list(
		faults, "policy.default_permissions", policy->default_permissions, policy->n_default_permissions);
	check_rate_limits(faults, policy, is_system, ret);
}

uint32_t lk_policy_name_max(const Latchkey__Store__PolicyRecord *policy)
{
	return policy->name_max_length == 0 ? LK_NAME_MAX : policy->name_max_length;
}

Latchkey__V1__KeyPolicy *lk_policy_to_api(struct lk_arena *arena, const Latchkey__Store__PolicyRecord *policy)
{
	Latchkey__V1__KeyPolicy *api = lk_arena_alloc(arena, sizeof(*api));
	if (api == NULL) {
		return NULL;
	}
	latchkey__v1__key_policy__init(api);
	api->token_prefix = lk_arena_text(arena, policy->token_prefix, strlen(policy->token_prefix));
	api->token_format = policy->is_jwt ? LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT
					   : LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_OPAQUE;
	/* The numbers are the same, and 0 where tokens are no JWTs. */
	api->jwt_algorithm = (Latchkey__V1__JwtAlgorithm)policy->jwt_algorithm;
	api->jwt_issuer = policy->jwt_issuer;
	api->display_length = policy->display_length;
	api->name_required = policy->name_required;
	api->name_unique = policy->name_unique;
	api->expiry_required = policy->expiry_required;
	api->default_ttl = lk_time_to_duration(arena, policy->default_ttl_us);
	api->max_ttl = lk_time_to_duration(arena, policy->max_ttl_us);
	api->revoke_deletes = policy->revoke_deletes;
	api->owner_required = policy->owner_required;
	api->name_min_length = policy->name_min_length;
	api->name_max_length = lk_policy_name_max(policy);
	api->default_permissions = policy->default_permissions;
	api->n_default_permissions = policy->n_default_permissions;
	api->default_rate_limits = lk_limit_to_api(arena, policy->default_rate_limits, policy->n_default_rate_limits);
	api->n_default_rate_limits = policy->n_default_rate_limits;
	return arena->exhausted ? NULL : api;
}

#include "server/jose/identity.h"

#include <string.h>

#include "server/core/grant.h"
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/jose/claims.h"

static const char no_memory[] = "out of memory";

_Static_assert(LK_ISSUER_SUBJECT_MAX == LK_OWNER_MAX, "every subject can own keys, and every owner be one");

/* A subject is an owner of keys, and so must be as one: the same characters, and nothing that would be trimmed off. */
static const char *read_subject(
	struct lk_arena *arena, const struct lk_issuer_config *config, const json_t *claims, const char **ret_subject)
{
	const char *text = json_string_value(lk_claim_find(claims, config->subject_claim));
	struct lk_faults faults;

	if (text == NULL) {
		return "the claim of the subject is missing or no text";
	}
	lk_faults_init(&faults, arena);
	const char *subject = lk_text_check(&faults, "subject", text, LK_ISSUER_SUBJECT_MAX, true);
	if (faults.count > 0 || strcmp(subject, text) != 0) {
		return "the subject is empty or too long, or has blanks around it or control characters in it";
	}
	*ret_subject = subject;
	return NULL;
}

static bool is_grantable(const char *tenant)
{
	return tenant != NULL && lk_text_is_id(tenant) && strcmp(tenant, LK_TENANT_SYSTEM) != 0 &&
	       strcmp(tenant, LK_TENANT_ACTIVE) != 0;
}

static bool is_among(char *const *tenants, size_t count, const char *tenant)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(tenants[i], tenant) == 0) {
			return true;
		}
	}
	return false;
}

/* A tenant that is named twice is one: whoever is granted a single one need not name it. */
static const char *read_tenants(struct lk_arena *arena, const json_t *claim, Latchkey__Store__GrantRecord *grant)
{
	size_t count = json_is_array(claim) ? json_array_size(claim) : 1;

	if (!json_is_string(claim) && !json_is_array(claim)) {
		return "the claim of the tenant is missing, or neither a text nor an array";
	}
	if (count > LK_ISSUER_TENANTS_MAX) {
		return "the claim of the tenant names more than 64";
	}
	grant->tenants = lk_arena_array(arena, count + 1, sizeof *grant->tenants);
	if (grant->tenants == NULL) {
		return no_memory;
	}
	for (size_t i = 0; i < count; i++) {
		const char *tenant = json_string_value(json_is_array(claim) ? json_array_get(claim, i) : claim);
		if (!is_grantable(tenant)) {
			return "the claim of the tenant names one that cannot be granted";
		}
		if (is_among(grant->tenants, grant->n_tenants, tenant)) {
			continue;
		}
		char *copy = lk_arena_text(arena, tenant, strlen(tenant));
		if (copy == NULL) {
			return no_memory;
		}
		grant->tenants[grant->n_tenants++] = copy;
	}
	return NULL;
}

static void take_grant(const struct lk_issuer_config *config, const json_t *claims, Latchkey__Store__GrantRecord *grant)
{
	for (size_t i = 0; i < config->n_grants; i++) {
		const struct lk_issuer_grant *line = &config->grants[i];
		if (lk_claims_meet(claims, &line->when)) {
			grant->methods = line->methods.items;
			grant->n_methods = line->methods.count;
			grant->keyspaces = line->keyspaces.items;
			grant->n_keyspaces = line->keyspaces.count;
			grant->own_only = line->own_only;
			return;
		}
	}
}

const char *lk_identity_make(struct lk_arena *arena, const struct lk_issuer_config *config, const json_t *claims,
	struct lk_identity *ret_identity)
{
	Latchkey__Store__GrantRecord *grant = lk_arena_alloc(arena, sizeof *grant);
	const char *subject = NULL;
	const char *fault = NULL;

	if (grant == NULL) {
		return no_memory;
	}
	latchkey__store__grant_record__init(grant);
	fault = read_subject(arena, config, claims, &subject);
	if (fault != NULL) {
		return fault;
	}
	if (config->tenant_claim != NULL) {
		fault = read_tenants(arena, lk_claim_find(claims, config->tenant_claim), grant);
	} else {
		grant->tenants = config->tenants.items;
		grant->n_tenants = config->tenants.count;
	}
	if (fault != NULL) {
		return fault;
	}
	take_grant(config, claims, grant);
	const char *name = lk_arena_printf(arena, "jwt:%s:%s", config->name, subject);
	if (name == NULL) {
		return no_memory;
	}
	ret_identity->name = name;
	ret_identity->subject = subject;
	ret_identity->grant = grant;
	return NULL;
}

#include "server/service/keyspace_change.h"

#include <string.h>

#include "server/core/cidr.h"
#include "server/core/grant.h"
#include "server/core/mask.h"
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/build.h"
#include "server/service/signing_key.h"
#include "server/service/view.h"
#include "server/store/find.h"
#include "server/store/verdict_record.h"

/* The rules of a policy, as they stand in the table of paths. */
#define ANY_RULE(member, is_of_format)                                                                                 \
	{                                                                                                              \
		offsetof(Latchkey__V1__KeyPolicy, member), sizeof(((Latchkey__V1__KeyPolicy *)NULL)->member),          \
			is_of_format                                                                                   \
	}
#define RULE(member)        ANY_RULE(member, false)
#define FORMAT_RULE(member) ANY_RULE(member, true)
static const struct {
	size_t offset;
	size_t size;
	/* It means something for tokens of one format alone, or something else for each. */
	bool is_of_format;
} rules[] = {
	FORMAT_RULE(token_prefix),
	RULE(token_format),
	FORMAT_RULE(display_length),
	RULE(name_required),
	RULE(name_unique),
	RULE(expiry_required),
	RULE(default_ttl),
	RULE(max_ttl),
	RULE(revoke_deletes),
	RULE(owner_required),
	RULE(name_min_length),
	RULE(name_max_length),
	FORMAT_RULE(jwt_algorithm),
	FORMAT_RULE(jwt_issuer),
	RULE(default_permissions),
	RULE(default_rate_limits),
};
#define RULES (sizeof rules / sizeof rules[0])

/* What an Update may change: after the first three, rule by rule. "policy" names all of them. */
enum {
	DISPLAY_NAME,
	ALLOWED_CIDRS,
	POLICY,
	FIRST_RULE,
};
static const char *const paths[] = {
	"display_name",
	"allowed_cidrs",
	"policy",
	"policy.token_prefix",
	"policy.token_format",
	"policy.display_length",
	"policy.name_required",
	"policy.name_unique",
	"policy.expiry_required",
	"policy.default_ttl",
	"policy.max_ttl",
	"policy.revoke_deletes",
	"policy.owner_required",
	"policy.name_min_length",
	"policy.name_max_length",
	"policy.jwt_algorithm",
	"policy.jwt_issuer",
	"policy.default_permissions",
	"policy.default_rate_limits",
};
#define PATHS (sizeof paths / sizeof paths[0])
_Static_assert(PATHS == FIRST_RULE + RULES, "a path a rule");
/* The rules that are lists, and have a count beside them. */
#define DEFAULT_PERMISSIONS (PATHS - 2)
#define DEFAULT_RATE_LIMITS (PATHS - 1)

/* A keyspace that a request names, with its tenant. */
struct place {
	Latchkey__Store__TenantRecord *tenant;
	Latchkey__Store__KeyspaceRecord *keyspace;
	bool is_system;
	/* What it changes to has JWTs that no key of it signs yet. */
	bool needs_key;
};

/* Finds it, and sees that the caller is granted it. What is not there stays NULL: the request's faults come before that. */
static enum lk_err find_place(struct lk_request *request, const char *tenant, const char *field, const char *keyspace,
	struct place *ret_place)
{
	enum lk_err err = lk_access_tenant(request, tenant, &ret_place->tenant);

	if (err == LK_OK) {
		err = lk_access_keyspace_id(request, field, keyspace);
	}
	if (err != LK_OK || ret_place->tenant == NULL) {
		return err;
	}
	ret_place->is_system = strcmp(ret_place->tenant->id, LK_TENANT_SYSTEM) == 0;
	ret_place->keyspace = lk_find_keyspace(request->txn, request->arena, ret_place->tenant->number, keyspace);
	return LK_OK;
}

/* The faults so far; or that the tenant, or the keyspace, is not there. */
static enum lk_err check_found(
	struct lk_request *request, const struct place *place, const char *tenant, const char *keyspace)
{
	if (place->tenant == NULL) {
		return lk_access_no_tenant(request, tenant);
	}
	return place->keyspace == NULL ? lk_request_not_found(request, "keyspace", keyspace)
				       : lk_request_check(request);
}

/* Sees that what root keys need of their keyspace stays: they are told from other keys by their prefix. */
static void check_root_policy(struct lk_faults *faults, const Latchkey__V1__KeyPolicy *policy)
{
	if (strcmp(policy->token_prefix, LK_ROOT_KEY_PREFIX) != 0) {
		lk_fault_add(faults, "policy.token_prefix",
			"root keys start with \"" LK_ROOT_KEY_PREFIX "\", and with nothing else: leave it");
	}
}

/* Names the faults from the `first` on by their path from the request. */
static void prefix_faults(struct lk_faults *faults, size_t first)
{
	for (size_t i = first; i < faults->count && i < LK_FAULTS_MAX; i++) {
		if (faults->items[i].field[0] == '\0') {
			/* It only says that there are more. */
			continue;
		}
		const char *field = lk_arena_printf(faults->arena, "keyspace.%s", faults->items[i].field);
		faults->items[i].field = field == NULL ? "keyspace" : field;
	}
}

/*
 * Puts the rules that are named in their places. Where the format of tokens changes by that, those that only the other one has go
 * with it, but for what is named: who asks for JWTs need not take the prefix away.
 */
static void merge_rules(Latchkey__V1__KeyPolicy *merged, const Latchkey__V1__KeyPolicy *given, struct lk_mask mask)
{
	const Latchkey__V1__KeyPolicy cleared = LATCHKEY__V1__KEY_POLICY__INIT;
	bool was_jwt = merged->token_format == LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT;

	for (size_t i = 0; i < RULES; i++) {
		if (lk_mask_names(mask, FIRST_RULE + i)) {
			memcpy((char *)merged + rules[i].offset, (const char *)given + rules[i].offset, rules[i].size);
		}
	}
	if (lk_mask_names(mask, DEFAULT_PERMISSIONS)) {
		merged->n_default_permissions = given->n_default_permissions;
	}
	if (lk_mask_names(mask, DEFAULT_RATE_LIMITS)) {
		merged->n_default_rate_limits = given->n_default_rate_limits;
	}
	if ((merged->token_format == LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT) == was_jwt) {
		return;
	}
	for (size_t i = 0; i < RULES; i++) {
		if (rules[i].is_of_format && !lk_mask_names(mask, FIRST_RULE + i)) {
			memcpy((char *)merged + rules[i].offset, (const char *)&cleared + rules[i].offset,
				rules[i].size);
		}
	}
}

/*
 * The policy that comes of the rules that are named, and of those that stand for the others, checked whole: rules lean on one
 * another. NULL where the arena is exhausted.
 */
static Latchkey__Store__PolicyRecord *merge_policy(struct lk_request *request, const struct place *place,
	const Latchkey__V1__KeyPolicy *given, struct lk_mask mask)
{
	const Latchkey__V1__KeyPolicy cleared = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__KeyPolicy *merged = lk_policy_to_api(request->arena, place->keyspace->policy);
	Latchkey__Store__PolicyRecord *policy = lk_arena_alloc(request->arena, sizeof *policy);
	size_t first_fault = request->faults.count;

	if (merged == NULL || policy == NULL) {
		return NULL;
	}
	merge_rules(merged, given == NULL ? &cleared : given, mask);
	lk_policy_from_request(&request->faults, merged, place->is_system, policy);
	if (place->is_system) {
		check_root_policy(&request->faults, merged);
	}
	prefix_faults(&request->faults, first_fault);
	return policy;
}

/* Whether two policies say the same. */
static bool same_policy(
	struct lk_arena *arena, const Latchkey__Store__PolicyRecord *a, const Latchkey__Store__PolicyRecord *b)
{
	size_t len = latchkey__store__policy_record__get_packed_size(a);
	uint8_t *packed = lk_arena_alloc(arena, 2 * len + 1);

	if (packed == NULL || latchkey__store__policy_record__get_packed_size(b) != len) {
		return false;
	}
	(void)latchkey__store__policy_record__pack(a, packed);
	(void)latchkey__store__policy_record__pack(b, packed + len);
	return memcmp(packed, packed + len, len) == 0;
}

/* Whether a keyspace that comes to obey `policy` needs a new key to sign with: of the algorithm, or since it had no JWTs. */
static bool needs_key(const Latchkey__Store__KeyspaceRecord *record, const Latchkey__Store__PolicyRecord *policy)
{
	return policy->is_jwt && (!record->policy->is_jwt || record->policy->jwt_algorithm != policy->jwt_algorithm);
}

static bool same_texts(char *const *a, size_t n_a, char *const *b, size_t n_b)
{
	size_t i = 0;

	while (i < n_a && i < n_b && strcmp(a[i], b[i]) == 0) {
		i++;
	}
	return i == n_a && i == n_b;
}

/* Puts the addresses in their place. They hold for each key at once, however old it is. */
static enum lk_err change_cidrs(
	struct lk_request *request, const struct place *place, const Latchkey__V1__Keyspace *given, bool *ret_changes)
{
	Latchkey__Store__KeyspaceRecord *record = place->keyspace;
	size_t count = given->n_allowed_cidrs;

	if (place->is_system && count > 0) {
		lk_fault_add(&request->faults, "keyspace.allowed_cidrs",
			"is not for root keys: leave it out; where their holders call from, no list is asked");
		return LK_OK;
	}
	char **cidrs = lk_cidr_check_list(&request->faults, "keyspace.allowed_cidrs", given->allowed_cidrs, count);
	if (cidrs == NULL) {
		return LK_NO_MEMORY;
	}
	if (record != NULL && !same_texts(record->allowed_cidrs, record->n_allowed_cidrs, cidrs, count)) {
		record->allowed_cidrs = cidrs;
		record->n_allowed_cidrs = count;
		*ret_changes = true;
	}
	return LK_OK;
}

/* Puts what is named in its place in the record; `*ret_changes` is whether that changes it. */
static enum lk_err change_record(struct lk_request *request, struct place *place, const Latchkey__V1__Keyspace *given,
	struct lk_mask mask, bool *ret_changes)
{
	Latchkey__Store__KeyspaceRecord *record = place->keyspace;

	if (lk_mask_names(mask, DISPLAY_NAME)) {
		const char *name = lk_text_check(
			&request->faults, "keyspace.display_name", given->display_name, LK_NAME_MAX, false);
		if (record != NULL && strcmp(record->display_name, name) != 0) {
			record->display_name = (char *)(uintptr_t)name;
			*ret_changes = true;
		}
	}
	if (lk_mask_names(mask, ALLOWED_CIDRS)) {
		enum lk_err err = change_cidrs(request, place, given, ret_changes);
		if (err != LK_OK) {
			return err;
		}
	}
	/* What is not named is not judged: a keyspace may be renamed whose policy a newer version would not take. */
	if (record == NULL || mask.named >> POLICY == 0) {
		return LK_OK;
	}
	Latchkey__Store__PolicyRecord *policy = merge_policy(request, place, given->policy, mask);
	if (policy == NULL) {
		return LK_NO_MEMORY;
	}
	if (!same_policy(request->arena, record->policy, policy)) {
		place->needs_key = needs_key(record, policy);
		record->policy = policy;
		*ret_changes = true;
	}
	return LK_OK;
}

enum lk_err lk_keyspace_update_build(struct lk_request *request, const Latchkey__V1__UpdateKeyspaceRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__Keyspace *response)
{
	const Latchkey__V1__Keyspace *given = message->keyspace;
	struct place place = {0};
	bool changes = false;

	if (given == NULL) {
		lk_fault_add(&request->faults, "keyspace", "is needed: give its id, and the new values");
		return lk_request_check(request);
	}
	enum lk_err err = find_place(request, message->tenant, "keyspace.id", given->id, &place);
	if (err != LK_OK) {
		return err;
	}
	struct lk_mask mask = lk_mask_check(&request->faults, message->update_mask, paths, PATHS);
	err = change_record(request, &place, given, mask, &changes);
	if (err == LK_OK) {
		err = check_found(request, &place, message->tenant, given->id);
	}
	if (err == LK_OK) {
		err = lk_access_etag(request, message->etag, place.keyspace->revision);
	}
	if (err == LK_OK && place.needs_key) {
		err = lk_signing_key_add(request, place.keyspace, (ProtobufCBinaryData){0});
	}
	if (err != LK_OK) {
		return err;
	}
	if (changes) {
		lk_build_expect_tenant(request, change, place.tenant->id, place.tenant->revision);
		lk_build_expect_keyspace(
			request, change, place.tenant->number, place.keyspace->id, place.keyspace->revision);
		place.keyspace->update_us = request->now_us;
		lk_build_put_keyspace(request, change, place.keyspace);
	}
	lk_view_keyspace(request, place.keyspace, place.tenant->id, response);
	return lk_request_check(request);
}

void lk_keyspace_update_reply(struct lk_request *request, const Latchkey__V1__UpdateKeyspaceRequest *message,
	const Latchkey__Store__Change *change, Latchkey__V1__Keyspace *response)
{
	(void)message;
	if (change->n_mutations > 0) {
		lk_view_keyspace(request, change->mutations[0]->put_keyspace, response->tenant, response);
	}
}

/* Sees that no live key ends with it, unless that is asked for. */
static enum lk_err expect_idle(
	struct lk_request *request, const Latchkey__Store__KeyspaceRecord *record, Latchkey__Store__Change *change)
{
	struct lk_gate gate = {0};

	if (!lk_gate_get(request->txn, record->number, &gate)) {
		return lk_request_check(request);
	}
	if (gate.active + gate.suspended > 0) {
		return lk_access_still_live(request, "keyspace", record->id, gate.active + gate.suspended);
	}
	lk_build_expect_keyspace_idle(request, change, record->number);
	return LK_OK;
}

enum lk_err lk_keyspace_delete_build(struct lk_request *request, const Latchkey__V1__DeleteKeyspaceRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__DeleteKeyspaceResponse *response)
{
	struct place place = {0};

	(void)response;
	request->urgent = true;
	enum lk_err err = find_place(request, message->tenant, "keyspace", message->keyspace, &place);
	if (err != LK_OK) {
		return err;
	}
	if (place.is_system) {
		lk_fault_add(&request->faults, "keyspace",
			"the keyspace of tenant \"" LK_TENANT_SYSTEM "\" holds the root keys and cannot be deleted: "
			"revoke single keys instead");
	}
	err = check_found(request, &place, message->tenant, message->keyspace);
	if (err == LK_OK && !message->force) {
		err = expect_idle(request, place.keyspace, change);
	}
	if (err != LK_OK) {
		return err;
	}
	lk_build_expect_tenant(request, change, place.tenant->id, place.tenant->revision);
	lk_build_expect_keyspace(request, change, place.tenant->number, place.keyspace->id, place.keyspace->revision);
	place.keyspace->closed = true;
	place.keyspace->update_us = request->now_us;
	lk_build_put_keyspace(request, change, place.keyspace);
	return lk_request_check(request);
}

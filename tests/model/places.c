/* The operations on tenants and keyspaces. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/check.h"
#include "tests/model/model.h"

/* Somebody had this id, and it may not be free yet. */
static bool tenant_was_closed(const struct world *world, const char *id)
{
	for (size_t i = 0; i < world->n_tenants; i++) {
		if (world->tenants[i].life == CLOSED && strcmp(world->tenants[i].id, id) == 0) {
			return true;
		}
	}
	return false;
}

static bool keyspace_was_closed(const struct world *world, size_t tenant, const char *id)
{
	for (size_t i = 0; i < world->n_keyspaces; i++) {
		const struct keyspace *keyspace = &world->keyspaces[i];
		if (keyspace->life == CLOSED && keyspace->tenant == tenant && strcmp(keyspace->id, id) == 0) {
			return true;
		}
	}
	return false;
}

void create_tenant(struct world *world)
{
	struct client *client = pick_client(world);
	const char *id = pick_tenant_id(world);
	Latchkey__V1__CreateTenantRequest request = LATCHKEY__V1__CREATE_TENANT_REQUEST__INIT;
	unsigned against = 0;

	request.tenant = TEXT(id);
	request.display_name = TEXT("A tenant");
	request.validate_only = one_in(world, 20);
	note(world, "create tenant %s%s", id, request.validate_only ? ", only to see" : "");
	begin(world);
	const Latchkey__V1__Tenant *made = caller_ask(&client->caller, &latchkey_v1_tenant_create_method, &request);
	finish(world);
	if (!may_call(client, "tenants.create") || !may_tenant(client, id)) {
		against = E(LK_PERMISSION_DENIED);
	} else if (find_tenant(world, id) != NONE) {
		against = E(LK_ALREADY_EXISTS);
	}
	bool maybe = against == 0 && tenant_was_closed(world, id);
	if (!judge(world, client, maybe ? E(LK_FAILED_PRECONDITION) : against, against) || request.validate_only) {
		return;
	}
	struct tenant *tenant = new_tenant(world);
	SET(tenant->id, id);
	SET(tenant->display_name, made->display_name);
	SET(tenant->etag, made->etag);
}

void update_tenant(struct world *world)
{
	struct client *client = pick_client(world);
	const char *id = pick_tenant_id(world);
	char *path = TEXT("display_name");
	Latchkey__V1__UpdateTenantRequest request = LATCHKEY__V1__UPDATE_TENANT_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Latchkey__V1__Tenant message = LATCHKEY__V1__TENANT__INIT;
	size_t at = find_tenant(world, id);
	bool stale = one_in(world, 5);
	char name[32];

	(void)snprintf(name, sizeof name, "Tenant of %zu", world->step);
	mask.n_paths = 1;
	mask.paths = &path;
	message.id = TEXT(id);
	message.display_name = name;
	request.tenant = &message;
	request.update_mask = &mask;
	request.etag = stale ? TEXT("0123456789abcdef") : at != NONE ? world->tenants[at].etag : TEXT("");
	note(world, "update tenant %s, etag \"%s\"", id, request.etag);
	begin(world);
	const Latchkey__V1__Tenant *shown = caller_ask(&client->caller, &latchkey_v1_tenant_update_method, &request);
	finish(world);
	unsigned against = against_tenant(world, client, "tenants.update", id);
	against = client->keyspace != NULL ? E(LK_PERMISSION_DENIED) : against;
	against = against == 0 && stale ? E(LK_ABORTED) : against;
	if (judge(world, client, against, against)) {
		SET(world->tenants[at].display_name, name);
		SET(world->tenants[at].etag, shown->etag);
	}
}

/* Whether a key that is not revoked is in the keyspace; NONE: in any of the tenant. */
static bool has_live_keys(const struct world *world, size_t tenant, size_t keyspace)
{
	for (size_t i = 0; i < world->n_keys; i++) {
		const struct key *key = &world->keys[i];
		bool inside = keyspace == NONE ? world->keyspaces[key->keyspace].tenant == tenant
					       : key->keyspace == keyspace;
		if (inside && !is_gone(world, key) && key->stored != STORED_REVOKED) {
			return true;
		}
	}
	return false;
}

static void touch_all(struct world *world, size_t tenant, size_t keyspace)
{
	for (size_t i = 0; i < world->n_keys; i++) {
		if (!is_gone(world, &world->keys[i]) &&
			(keyspace == NONE ? world->keyspaces[world->keys[i].keyspace].tenant == tenant
					  : world->keys[i].keyspace == keyspace)) {
			touch(world, i);
		}
	}
}

void delete_tenant(struct world *world)
{
	struct client *client = pick_client(world);
	const char *id = pick_tenant_id(world);
	Latchkey__V1__DeleteTenantRequest request = LATCHKEY__V1__DELETE_TENANT_REQUEST__INIT;
	size_t at = find_tenant(world, id);

	request.tenant = TEXT(id);
	request.force = one_in(world, 3);
	note(world, "delete tenant %s%s", id, request.force ? " by force" : "");
	begin(world);
	(void)caller_ask(&client->caller, &latchkey_v1_tenant_delete_method, &request);
	finish(world);
	unsigned against = against_tenant(world, client, "tenants.delete", id);
	if (against == 0 && !request.force && has_live_keys(world, at, NONE)) {
		against = E(LK_FAILED_PRECONDITION);
	}
	if (judge(world, client, against, against)) {
		touch_all(world, at, NONE);
		world->tenants[at].life = CLOSED;
	}
}

/* What stands against a call for this keyspace. */
static unsigned against_keyspace(const struct world *world, const struct client *client, const char *access,
	const char *tenant, const char *keyspace)
{
	unsigned against = against_tenant(world, client, access, tenant);

	if (!may_keyspace(client, keyspace)) {
		return E(LK_PERMISSION_DENIED);
	}
	return against != 0 || find_keyspace(world, find_tenant(world, tenant), keyspace) != NONE ? against
												  : E(LK_NOT_FOUND);
}

static bool rules_clash(const struct rules *rules)
{
	return rules->max_ttl_us != 0 && rules->default_ttl_us > rules->max_ttl_us;
}

void create_keyspace(struct world *world)
{
	struct client *client = pick_client(world);
	const char *tenant = pick_tenant_id(world);
	const char *id = pick_keyspace_id(world);
	struct rules rules = draw_rules(world);
	Latchkey__V1__KeyPolicy policy;
	Google__Protobuf__Duration spans[2];
	char *permissions[N_PERMISSIONS];
	size_t owner = find_tenant(world, tenant);

	rules_to_policy(&rules, &policy, spans, permissions);
	note(world, "create keyspace %s/%s", tenant, id);
	begin(world);
	const Latchkey__V1__Keyspace *made = say_create_keyspace(&client->caller, tenant, id, &policy);
	finish(world);
	unsigned against = against_tenant(world, client, "keyspaces.create", tenant);
	against = may_keyspace(client, id) ? against : E(LK_PERMISSION_DENIED);
	against |= rules_clash(&rules) ? E(LK_INVALID_ARGUMENT) : 0;
	if (against == 0 && find_keyspace(world, owner, id) != NONE) {
		against = E(LK_ALREADY_EXISTS);
	}
	bool maybe = against == 0 && keyspace_was_closed(world, owner, id);
	if (judge(world, client, maybe ? E(LK_FAILED_PRECONDITION) : against, against)) {
		struct keyspace *keyspace = new_keyspace(world);
		keyspace->tenant = owner;
		SET(keyspace->id, id);
		SET(keyspace->etag, made->etag);
		keyspace->rules = rules;
	}
}

/* Takes one rule from others. */
#define RULE(name)                                                                                                     \
	static void take_##name(struct rules *to, const struct rules *from)                                            \
	{                                                                                                              \
		to->name = from->name;                                                                                 \
	}
RULE(name_required)
RULE(name_unique)
RULE(expiry_required)
RULE(revoke_deletes)
RULE(owner_required)
RULE(name_min)
RULE(name_max)
RULE(default_ttl_us)
RULE(max_ttl_us)
RULE(default_permissions)

static const struct {
	const char *path;
	void (*take)(struct rules *to, const struct rules *from);
} rule_paths[] = {
	{"policy.name_required", take_name_required},
	{"policy.name_unique", take_name_unique},
	{"policy.expiry_required", take_expiry_required},
	{"policy.revoke_deletes", take_revoke_deletes},
	{"policy.owner_required", take_owner_required},
	{"policy.name_min_length", take_name_min},
	{"policy.name_max_length", take_name_max},
	{"policy.default_ttl", take_default_ttl_us},
	{"policy.max_ttl", take_max_ttl_us},
	{"policy.default_permissions", take_default_permissions},
};
#define N_RULE_PATHS (sizeof rule_paths / sizeof rule_paths[0])

/* A mask, and what the rules are by it; `drawn` has the new values. */
static size_t draw_mask(
	struct world *world, const struct rules *drawn, char *ret_mask[static N_RULE_PATHS], struct rules *rules)
{
	size_t count = 0;

	if (one_in(world, 4)) {
		ret_mask[0] = TEXT("policy");
		*rules = *drawn;
		return 1;
	}
	size_t first = pick(world, N_RULE_PATHS);
	size_t n = 1 + pick(world, 3);
	for (size_t i = first; i < first + n && i < N_RULE_PATHS; i++) {
		ret_mask[count++] = TEXT(rule_paths[i].path);
		rule_paths[i].take(rules, drawn);
	}
	return count;
}

void update_keyspace(struct world *world)
{
	struct client *client = pick_client(world);
	const char *tenant = pick_tenant_id(world);
	const char *id = pick_keyspace_id(world);
	struct rules drawn = draw_rules(world);
	Latchkey__V1__UpdateKeyspaceRequest request = LATCHKEY__V1__UPDATE_KEYSPACE_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Latchkey__V1__Keyspace message = LATCHKEY__V1__KEYSPACE__INIT;
	Latchkey__V1__KeyPolicy policy;
	Google__Protobuf__Duration spans[2];
	char *permissions[N_PERMISSIONS];
	char *paths[N_RULE_PATHS];
	size_t at = find_keyspace(world, find_tenant(world, tenant), id);
	struct rules rules = at == NONE ? (struct rules){0} : world->keyspaces[at].rules;
	bool stale = one_in(world, 10);

	rules_to_policy(&drawn, &policy, spans, permissions);
	mask.n_paths = draw_mask(world, &drawn, paths, &rules);
	mask.paths = paths;
	message.id = TEXT(id);
	message.policy = &policy;
	request.tenant = TEXT(tenant);
	request.keyspace = &message;
	request.update_mask = &mask;
	request.etag = stale ? TEXT("0123456789abcdef") : at != NONE ? world->keyspaces[at].etag : TEXT("");
	note(world, "update keyspace %s/%s: %s and %zu more", tenant, id, paths[0], mask.n_paths - 1);
	begin(world);
	const Latchkey__V1__Keyspace *shown = caller_ask(
		&client->caller, &latchkey_v1_keyspace_update_method, &request);
	finish(world);
	unsigned against = against_keyspace(world, client, "keyspaces.update", tenant, id);
	/* Of a keyspace that is not there, not all can be told. */
	against |= rules_clash(at == NONE ? &drawn : &rules) ? E(LK_INVALID_ARGUMENT) : 0;
	against |= (against & ~E(LK_INVALID_ARGUMENT)) == 0 && stale ? E(LK_ABORTED) : 0;
	if (judge(world, client, against, against)) {
		world->keyspaces[at].rules = rules;
		SET(world->keyspaces[at].etag, shown->etag);
	}
}

void delete_keyspace(struct world *world)
{
	struct client *client = pick_client(world);
	const char *tenant = pick_tenant_id(world);
	const char *id = pick_keyspace_id(world);
	Latchkey__V1__DeleteKeyspaceRequest request = LATCHKEY__V1__DELETE_KEYSPACE_REQUEST__INIT;
	size_t at = find_keyspace(world, find_tenant(world, tenant), id);

	request.tenant = TEXT(tenant);
	request.keyspace = TEXT(id);
	request.force = one_in(world, 4);
	note(world, "delete keyspace %s/%s%s", tenant, id, request.force ? " by force" : "");
	begin(world);
	(void)caller_ask(&client->caller, &latchkey_v1_keyspace_delete_method, &request);
	finish(world);
	unsigned against = against_keyspace(world, client, "keyspaces.delete", tenant, id);
	if (against == 0 && !request.force && has_live_keys(world, NONE, at)) {
		against = E(LK_FAILED_PRECONDITION);
	}
	if (judge(world, client, against, against)) {
		touch_all(world, NONE, at);
		world->keyspaces[at].life = CLOSED;
	}
}

void check_places(struct world *world)
{
	struct client *client = &world->clients[0];
	Latchkey__V1__ListTenantsRequest request = LATCHKEY__V1__LIST_TENANTS_REQUEST__INIT;
	const Latchkey__V1__ListTenantsResponse *tenants = caller_ask(
		&client->caller, &latchkey_v1_tenant_list_method, &request);
	size_t shown = 0;

	CHECK_MSG(tenants != NULL, client->caller.call.message);
	for (size_t i = 0; i < tenants->n_tenants; i++) {
		size_t at = find_tenant(world, tenants->tenants[i]->id);
		if (strcmp(tenants->tenants[i]->id, "system") == 0) {
			continue;
		}
		shown++;
		if (at == NONE || strcmp(tenants->tenants[i]->display_name, world->tenants[at].display_name) != 0 ||
			strcmp(tenants->tenants[i]->etag, world->tenants[at].etag) != 0) {
			mismatch(world, "tenant \"%s\" is not listed as it is", tenants->tenants[i]->id);
		}
	}
	for (size_t i = 0; i < world->n_tenants; i++) {
		shown -= world->tenants[i].life == LIVE;
	}
	if (shown != 0) {
		mismatch(world, "%zu tenants too many or too few", shown);
	}
}

void check_reaped(struct world *world)
{
	struct caller *caller = &world->clients[0].caller;

	for (size_t i = 0; i < world->n_tenants; i++) {
		const struct tenant *tenant = &world->tenants[i];
		if (tenant->life == LIVE || find_tenant(world, tenant->id) != NONE) {
			continue;
		}
		do {
			(void)say_create_tenant(caller, tenant->id);
		} while (caller->err == LK_FAILED_PRECONDITION);
		if (caller->err != LK_OK && caller->err != LK_ALREADY_EXISTS) {
			mismatch(world, "tenant %s was deleted, and its id is not free: %s", tenant->id,
				caller->call.message);
		}
	}
}

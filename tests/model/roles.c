/* The operations on roles. */
#include <string.h>

#include "latchkey/v1/role.client.h"
#include "tests/model/model.h"

size_t find_role(const struct world *world, size_t tenant, const char *id)
{
	for (size_t i = 0; tenant != NONE && i < world->n_roles; i++) {
		const struct role *role = &world->roles[i];
		if (role->life == LIVE && role->tenant == tenant && strcmp(role->id, id) == 0) {
			return i;
		}
	}
	return NONE;
}

unsigned draw_roles(struct world *world, size_t tenant)
{
	unsigned set = one_in(world, 2) ? 0 : (unsigned)pick(world, 1u << N_ROLES);

	for (size_t i = 0; i < N_ROLES; i++) {
		set &= find_role(world, tenant, role_ids[i]) != NONE ? ~0u : ~(1u << i);
	}
	return set;
}

static unsigned draw_permissions(struct world *world)
{
	return one_in(world, 4) ? 0 : 1u << pick(world, N_PERMISSIONS) | 1u << pick(world, N_PERMISSIONS);
}

/* Roles are for keys of every keyspace: only who is granted all of those changes them. */
static unsigned against_role(
	const struct world *world, const struct client *client, const char *access, const char *tenant, const char *id)
{
	unsigned against = against_tenant(world, client, access, tenant);

	if (client->keyspace != NULL) {
		return E(LK_PERMISSION_DENIED);
	}
	return against != 0 || find_role(world, find_tenant(world, tenant), id) != NONE ? against : E(LK_NOT_FOUND);
}

void create_role(struct world *world)
{
	struct client *client = pick_client(world);
	const char *tenant = pick_tenant_id(world);
	const char *id = role_ids[pick(world, N_ROLES)];
	Latchkey__V1__CreateRoleRequest request = LATCHKEY__V1__CREATE_ROLE_REQUEST__INIT;
	char *permissions[N_PERMISSIONS];
	unsigned set = draw_permissions(world);
	size_t owner = find_tenant(world, tenant);

	request.tenant = TEXT(tenant);
	request.role = TEXT(id);
	request.permissions = permissions;
	request.n_permissions = list_permissions(set, permissions);
	note(world, "create role %s/%s: permissions %u", tenant, id, set);
	begin(world);
	const Latchkey__V1__Role *made = caller_ask(&client->caller, &latchkey_v1_role_create_method, &request);
	finish(world);
	unsigned against = against_tenant(world, client, "roles.create", tenant);
	against = client->keyspace != NULL ? E(LK_PERMISSION_DENIED) : against;
	if (against == 0 && find_role(world, owner, id) != NONE) {
		against = E(LK_ALREADY_EXISTS);
	}
	if (judge(world, client, against, against)) {
		struct role *role = new_role(world);
		role->tenant = owner;
		role->permissions = set;
		SET(role->id, id);
		SET(role->etag, made->etag);
	}
}

void update_role(struct world *world)
{
	struct client *client = pick_client(world);
	const char *tenant = pick_tenant_id(world);
	const char *id = role_ids[pick(world, N_ROLES)];
	Latchkey__V1__UpdateRoleRequest request = LATCHKEY__V1__UPDATE_ROLE_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Latchkey__V1__Role message = LATCHKEY__V1__ROLE__INIT;
	char *path = TEXT("permissions");
	char *permissions[N_PERMISSIONS];
	unsigned set = draw_permissions(world);
	size_t at = find_role(world, find_tenant(world, tenant), id);
	bool stale = one_in(world, 6);

	mask.n_paths = 1;
	mask.paths = &path;
	message.id = TEXT(id);
	message.permissions = permissions;
	message.n_permissions = list_permissions(set, permissions);
	request.tenant = TEXT(tenant);
	request.role = &message;
	request.update_mask = &mask;
	request.etag = stale ? TEXT("0123456789abcdef") : at != NONE ? world->roles[at].etag : TEXT("");
	note(world, "update role %s/%s: permissions %u", tenant, id, set);
	begin(world);
	const Latchkey__V1__Role *shown = caller_ask(&client->caller, &latchkey_v1_role_update_method, &request);
	finish(world);
	unsigned against = against_role(world, client, "roles.update", tenant, id);
	against = against == 0 && stale ? E(LK_ABORTED) : against;
	if (judge(world, client, against, against)) {
		world->roles[at].permissions = set;
		SET(world->roles[at].etag, shown->etag);
	}
}

enum use {
	UNUSED,
	USED,
	/* By keys that ended with their keyspace, and are removed by and by. */
	MAYBE_USED,
};

static enum use use_of(const struct world *world, size_t tenant, const char *id)
{
	enum use use = UNUSED;

	for (size_t i = 0; i < world->n_keys; i++) {
		const struct key *key = &world->keys[i];
		for (size_t role = 0; role < N_ROLES; role++) {
			if (key->stored != STORED_GONE && world->keyspaces[key->keyspace].tenant == tenant &&
				(key->roles & 1u << role) != 0 && strcmp(role_ids[role], id) == 0) {
				if (!is_gone(world, key)) {
					return USED;
				}
				use = MAYBE_USED;
			}
		}
	}
	return use;
}

void delete_role(struct world *world)
{
	struct client *client = pick_client(world);
	const char *tenant = pick_tenant_id(world);
	const char *id = role_ids[pick(world, N_ROLES)];
	Latchkey__V1__DeleteRoleRequest request = LATCHKEY__V1__DELETE_ROLE_REQUEST__INIT;
	size_t owner = find_tenant(world, tenant);
	size_t at = find_role(world, owner, id);

	request.tenant = TEXT(tenant);
	request.role = TEXT(id);
	note(world, "delete role %s/%s", tenant, id);
	begin(world);
	(void)caller_ask(&client->caller, &latchkey_v1_role_delete_method, &request);
	finish(world);
	unsigned against = against_role(world, client, "roles.delete", tenant, id);
	enum use use = use_of(world, owner, id);
	unsigned in_use = against == 0 ? E(LK_FAILED_PRECONDITION) : against;
	if (judge(world, client, use == UNUSED ? against : in_use, use == USED ? in_use : against)) {
		world->roles[at].life = CLOSED;
	}
}

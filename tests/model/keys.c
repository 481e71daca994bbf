/* The operations on one key. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

const char *draw_name(struct world *world, char ret_room[static NAME_ROOM])
{
	static const char *const names[] = {"", "ab", "alpha", "beta", "gamma", "delta", "beta-2", "a longer name"};
	static const size_t n_names = sizeof names / sizeof names[0];

	if (one_in(world, 40)) {
		memset(ret_room, 'x', 101);
		ret_room[101] = '\0';
	} else if (one_in(world, 3)) {
		(void)snprintf(ret_room, NAME_ROOM, "name %zu", pick(world, 1000));
	} else {
		set_text(ret_room, NAME_ROOM, names[pick(world, n_names)]);
	}
	return ret_room;
}

int64_t draw_expiry(struct world *world)
{
	static const int64_t ends_ms[] = {
		0, 0, 0, -3600000, 40, 300, 600000, 3600000, 86400000, 999 * INT64_C(86400000)};
	int64_t end_ms = ends_ms[pick(world, sizeof ends_ms / sizeof ends_ms[0])];

	return end_ms == 0 ? 0 : now_us() + end_ms * MS;
}

const char *name_key(struct world *world, const struct key *key, char ret_room[static 40])
{
	/* The next tenant of the same id counts from 1 again. */
	bool is_its_own = world->tenants[world->keyspaces[key->keyspace].tenant].life == LIVE;

	if (is_its_own && one_in(world, 3)) {
		(void)snprintf(ret_room, 40, "%" PRIu64, key->number);
		return ret_room;
	}
	return key->id;
}

static const char *tenant_of(const struct world *world, const struct key *key)
{
	return world->tenants[world->keyspaces[key->keyspace].tenant].id;
}

void end_key(struct world *world, struct key *key, const char *reason)
{
	key->stored = world->keyspaces[key->keyspace].rules.revoke_deletes ? STORED_GONE : STORED_REVOKED;
	SET(key->reason, reason);
}

/* What stands against making a key, but for the faults. */
static unsigned against_new_key(
	const struct world *world, const struct client *client, const char *tenant, const char *keyspace)
{
	unsigned against = against_tenant(world, client, "keys.create", tenant);

	if (!may_keyspace(client, keyspace)) {
		return E(LK_PERMISSION_DENIED);
	}
	return against != 0 || find_keyspace(world, find_tenant(world, tenant), keyspace) != NONE ? against
												  : E(LK_NOT_FOUND);
}

static unsigned with_faults(unsigned against, unsigned faults)
{
	return against | (faults == 0 ? 0 : E(LK_INVALID_ARGUMENT));
}

void take_new_key(struct world *world, const struct client *client, size_t keyspace, const struct wish *wish,
	const Latchkey__V1__CreateKeyResponse *made)
{
	struct tenant *tenant = &world->tenants[world->keyspaces[keyspace].tenant];
	struct key *key = new_key(world);

	key->keyspace = keyspace;
	SET(key->id, made->key->id);
	key->number = made->key->number;
	SET(key->name, wish->name);
	SET(key->owner, wish->owner);
	SET(key->created_by, client->caller_name);
	SET(key->token, made->token);
	(void)snprintf(key->display, sizeof key->display, "%.8s", made->token);
	key->tenant_scope = made->key->scope == KEY_SCOPE(TENANT);
	key->not_before_us = wish->not_before_us;
	key->create_us = us_of(made->key->create_time);
	key->update_us = key->create_us;
	key->expire_us = expiry_of(&world->keyspaces[keyspace].rules, wish, key->create_us);
	SET(key->etag, made->key->etag);
	if (key->number <= tenant->last_number) {
		mismatch(world, "number %" PRIu64 " after %" PRIu64, key->number, tenant->last_number);
	}
	if (key->create_us < world->before_us || key->create_us > world->after_us) {
		mismatch(world, "made at %" PRId64 ", not now", key->create_us);
	}
	tenant->last_number = key->number;
	touch(world, world->n_keys - 1);
}

static struct new_key draw_new_key(struct world *world, const char *keyspace, char name[static NAME_ROOM])
{
	static const char *const owners[] = {"", "ann", "ben", "ann-marie"};
	struct new_key ask = {.keyspace = keyspace, .name = draw_name(world, name)};

	ask.owner = owners[pick(world, 4)];
	ask.scope = one_in(world, 4) ? KEY_SCOPE(TENANT) : KEY_SCOPE(KEYSPACE);
	ask.not_before_us = one_in(world, 8) ? now_us() + (one_in(world, 2) ? 3600000 : 50) * MS : 0;
	ask.expire_us = draw_expiry(world);
	ask.ttl_us = ask.expire_us == 0 && one_in(world, 3) ? (int64_t)(1 + pick(world, 90000)) * US_PER_SECOND : 0;
	ask.validate_only = one_in(world, 30);
	return ask;
}

/* What a new key is given of gates, with what its request points to. */
struct gates {
	unsigned role_set;
	unsigned cidr_set;
	const char *roles[N_ROLES];
	const char *cidrs[N_CIDRS];
	Latchkey__V1__Credits credits;
};

static void draw_gates(struct world *world, size_t tenant, struct new_key *ask, struct gates *ret)
{
	ret->role_set = draw_roles(world, tenant);
	ret->cidr_set = draw_cidrs(world);
	latchkey__v1__credits__init(&ret->credits);
	ret->credits.balance = pick(world, 20);
	ask->n_roles = list_roles(ret->role_set, ret->roles);
	ask->roles = ret->roles;
	ask->n_allowed_cidrs = list_cidrs(ret->cidr_set, ret->cidrs);
	ask->allowed_cidrs = ret->cidrs;
	ask->credits = one_in(world, 3) ? &ret->credits : NULL;
}

void create_key(struct world *world)
{
	struct client *client = pick_client(world);
	const char *tenant = NULL;
	const char *home = NULL;
	char *permissions[N_PERMISSIONS];
	char name[NAME_ROOM];
	pick_place(world, &tenant, &home);
	struct new_key ask = draw_new_key(world, home, name);
	struct gates gates;
	draw_gates(world, find_tenant(world, tenant), &ask, &gates);
	unsigned set = one_in(world, 2) ? 1u << pick(world, N_PERMISSIONS) | 1u << pick(world, N_PERMISSIONS) : 0;
	size_t keyspace = find_keyspace(world, find_tenant(world, tenant), ask.keyspace);
	const struct rules *rules = keyspace == NONE ? NULL : &world->keyspaces[keyspace].rules;
	struct wish wish = {.name = name,
		.owner = ask.owner,
		.not_before_us = ask.not_before_us,
		.expire_us = ask.expire_us,
		.ttl_us = ask.ttl_us,
		.defaults = true};

	/* Who is granted one tenant need not name it. */
	ask.tenant = client->tenant != NULL && strcmp(tenant, client->tenant) == 0 && one_in(world, 2) ? "active"
												       : tenant;
	ask.n_permissions = list_permissions(set, permissions);
	ask.permissions = (const char *const *)permissions;
	note(world,
		"create key \"%.20s\" in %s/%s, owner \"%s\", from %" PRId64 ", until %" PRId64 " or for %" PRId64 "%s",
		name, tenant, ask.keyspace, ask.owner, ask.not_before_us, ask.expire_us, ask.ttl_us,
		ask.validate_only ? ", only to see" : "");
	begin(world);
	const Latchkey__V1__CreateKeyResponse *made = say_create(&client->caller, &ask);
	finish(world);
	unsigned against = against_new_key(world, client, tenant, ask.keyspace);
	if (against == 0 && !may_scope(client, ask.scope == KEY_SCOPE(TENANT))) {
		against = E(LK_PERMISSION_DENIED);
	}
	if (against == 0 && rules != NULL && rules->name_unique && name_is_taken(world, keyspace, name, NONE)) {
		against = E(LK_ALREADY_EXISTS);
	}
	unsigned faults_before = faults_of(rules, &wish, world->before_us);
	unsigned faults_after = faults_of(rules, &wish, world->after_us);
	if (!judge(world, client, with_faults(against, faults_before), with_faults(against, faults_after))) {
		if (against == 0 && faults_before == faults_after) {
			judge_faults(world, client, "", faults_before);
		}
	} else if (!ask.validate_only) {
		take_new_key(world, client, keyspace, &wish, made);
		struct key *key = &world->keys[world->n_keys - 1];
		key->permissions = set != 0 ? set : rules->default_permissions;
		key->roles = gates.role_set;
		key->cidrs = gates.cidr_set;
		key->has_credits = ask.credits != NULL;
		key->credits = gates.credits.balance;
		compare_key(world, made->key, key);
	} else if (made->token[0] != '\0' || made->key->id[0] != '\0') {
		mismatch(world, "only to see, and yet there is an id or a token");
	}
}

/* What an action on a key in its state of that time comes to. */
static unsigned against_action(unsigned against, const struct key *key, Latchkey__V1__KeyAction action, int64_t at_us)
{
	bool refused = against == 0 && effect_of(state_at(key, at_us), action) == REFUSED;

	return refused ? E(LK_FAILED_PRECONDITION) : against;
}

/* Judges an action on a key that takes nothing else. */
static bool judge_action(struct world *world, struct client *client, const char *access, const struct key *key,
	Latchkey__V1__KeyAction action)
{
	unsigned against = against_key(world, client, access, key);
	bool widens = action == KEY_ACTION(ROTATE) || action == KEY_ACTION(ACTIVATE);

	if (against == 0 && widens && !may_scope(client, key->tenant_scope)) {
		against = E(LK_PERMISSION_DENIED);
	}
	return judge(world, client, against_action(against, key, action, world->before_us),
		against_action(against, key, action, world->after_us));
}

void take_change(struct world *world, struct key *key, const Latchkey__V1__Key *shown, bool changed)
{
	if (changed) {
		if (strcmp(shown->etag, key->etag) == 0) {
			mismatch(world, "changed, and the etag is still %s", key->etag);
		}
		SET(key->etag, shown->etag);
		key->update_us = us_of(shown->update_time);
		if (key->update_us < world->before_us || key->update_us > world->after_us) {
			mismatch(world, "changed at %" PRId64 ", not now", key->update_us);
		}
	}
	compare_key(world, shown, key);
}

void activate_key(struct world *world)
{
	struct client *client = pick_client(world);
	size_t at = pick_key(world);
	char room[40];

	if (at == NONE) {
		return;
	}
	struct key *key = &world->keys[at];
	touch(world, at);
	note(world, "activate %s of %s", key->id, tenant_of(world, key));
	begin(world);
	const Latchkey__V1__Key *shown = say_activate(
		&client->caller, tenant_of(world, key), name_key(world, key, room));
	finish(world);
	if (judge_action(world, client, "keys.activate", key, KEY_ACTION(ACTIVATE))) {
		bool changed = key->stored == STORED_SUSPENDED;
		key->stored = STORED_ACTIVE;
		key->reason[0] = changed ? '\0' : key->reason[0];
		take_change(world, key, shown, changed);
	}
}

void suspend_key(struct world *world)
{
	struct client *client = pick_client(world);
	size_t at = pick_key(world);
	char room[40];
	char reason[32];

	if (at == NONE) {
		return;
	}
	struct key *key = &world->keys[at];
	touch(world, at);
	(void)snprintf(reason, sizeof reason, "paused at %zu", world->step);
	note(world, "suspend %s of %s", key->id, tenant_of(world, key));
	begin(world);
	const Latchkey__V1__Key *shown = say_suspend(
		&client->caller, tenant_of(world, key), name_key(world, key, room), reason);
	finish(world);
	if (judge_action(world, client, "keys.suspend", key, KEY_ACTION(SUSPEND))) {
		bool changed = key->stored == STORED_ACTIVE;
		if (changed) {
			key->stored = STORED_SUSPENDED;
			SET(key->reason, reason);
		}
		take_change(world, key, shown, changed);
	}
}

void revoke_key(struct world *world)
{
	struct client *client = pick_client(world);
	size_t at = pick_key(world);
	char room[40];
	char reason[32];

	if (at == NONE) {
		return;
	}
	struct key *key = &world->keys[at];
	touch(world, at);
	(void)snprintf(reason, sizeof reason, "over at %zu", world->step);
	note(world, "revoke %s of %s", key->id, tenant_of(world, key));
	begin(world);
	const Latchkey__V1__Key *shown = say_revoke(
		&client->caller, tenant_of(world, key), name_key(world, key, room), reason);
	finish(world);
	if (judge_action(world, client, "keys.revoke", key, KEY_ACTION(REVOKE))) {
		bool changed = key->stored != STORED_REVOKED;
		if (changed) {
			end_key(world, key, reason);
		}
		if (key->stored != STORED_GONE) {
			take_change(world, key, shown, changed);
		} else if (strcmp(shown->id, key->id) != 0 || shown->state != KEY_STATE(REVOKED)) {
			mismatch(world, "revoking deleted it, and it is not shown as it was last");
		}
	}
}

void delete_key(struct world *world)
{
	struct client *client = pick_client(world);
	size_t at = pick_key(world);
	char room[40];

	if (at == NONE) {
		return;
	}
	struct key *key = &world->keys[at];
	touch(world, at);
	note(world, "delete %s of %s", key->id, tenant_of(world, key));
	begin(world);
	(void)say_delete(&client->caller, tenant_of(world, key), name_key(world, key, room));
	finish(world);
	if (judge_action(world, client, "keys.delete", key, KEY_ACTION(DELETE))) {
		key->stored = STORED_GONE;
	}
}

static void take_rotation(
	struct world *world, struct key *key, const Latchkey__V1__RotateKeyResponse *rotated, int64_t overlap_us)
{
	SET(key->forgotten, key->previous);
	SET(key->previous, key->token);
	SET(key->token, rotated->token);
	(void)snprintf(key->display, sizeof key->display, "%.8s", rotated->token);
	key->previous_until_us = overlap_us == 0 ? us_of(rotated->key->update_time)
						 : us_of(rotated->key->update_time) + overlap_us;
	take_change(world, key, rotated->key, true);
}

void rotate_key(struct world *world)
{
	static const int64_t overlaps_ms[] = {0, 0, 30, 400, 3600000};
	struct client *client = pick_client(world);
	size_t at = pick_key(world);
	int64_t overlap_us = overlaps_ms[pick(world, 5)] * MS;
	char room[40];

	if (at == NONE) {
		return;
	}
	struct key *key = &world->keys[at];
	touch(world, at);
	note(world, "rotate %s of %s, overlap %" PRId64, key->id, tenant_of(world, key), overlap_us);
	begin(world);
	const Latchkey__V1__RotateKeyResponse *rotated = say_rotate(
		&client->caller, tenant_of(world, key), name_key(world, key, room), overlap_us);
	finish(world);
	if (judge_action(world, client, "keys.rotate", key, KEY_ACTION(ROTATE))) {
		take_rotation(world, key, rotated, overlap_us);
	}
}

void forget_secrets(struct world *world, struct key *key)
{
	const Latchkey__V1__Key *shown = say_get(&world->clients[0].caller, tenant_of(world, key), key->id);

	memset(key->token, 0, sizeof key->token);
	memset(key->previous, 0, sizeof key->previous);
	memset(key->forgotten, 0, sizeof key->forgotten);
	if (shown != NULL) {
		SET(key->display, shown->display_prefix);
		SET(key->etag, shown->etag);
		key->update_us = us_of(shown->update_time);
	}
}

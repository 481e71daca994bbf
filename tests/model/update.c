/* KeyService/Update: any set of fields, with and without an etag. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

enum {
	PATH_NAME,
	PATH_OWNER,
	PATH_SCOPE,
	PATH_METADATA,
	PATH_NOT_BEFORE,
	PATH_EXPIRE,
	PATH_PERMISSIONS,
	PATH_ROLES,
	PATH_CIDRS,
	PATH_CREDITS,
	N_PATHS,
};

static const char *const paths[N_PATHS] = {"name", "owner", "scope", "metadata", "not_before_time", "expire_time",
	"permissions", "roles", "allowed_cidrs", "credits"};

/* A request, with what its message points to. */
struct update {
	unsigned named;
	const char *mask[N_PATHS + 1];
	char name[NAME_ROOM];
	char word[16];
	char *permissions[N_PERMISSIONS];
	unsigned permission_set;
	const char *roles[N_ROLES];
	unsigned role_set;
	const char *cidrs[N_CIDRS];
	unsigned cidr_set;
	Latchkey__V1__Credits credits;
	int64_t not_before_us;
	int64_t expire_us;
	Google__Protobuf__Timestamp not_before;
	Google__Protobuf__Timestamp expire;
	Latchkey__V1__Key__MetadataEntry entry;
	Latchkey__V1__Key__MetadataEntry *entries;
	Latchkey__V1__Key message;
	const char *etag;
	bool stale;
};

static void draw_values(struct world *world, struct update *update)
{
	static const char *const owners[] = {"", "ann", "ben"};

	(void)draw_name(world, update->name);
	(void)snprintf(update->word, sizeof update->word, "word %zu", world->step);
	update->permission_set = one_in(world, 4) ? 0 : 1u << pick(world, N_PERMISSIONS);
	update->not_before_us = one_in(world, 3) ? now_us() + (one_in(world, 2) ? 3600000 : 60) * MS : 0;
	update->expire_us = draw_expiry(world);
	update->not_before = timestamp_of(update->not_before_us);
	update->expire = timestamp_of(update->expire_us);
	latchkey__v1__key__init(&update->message);
	update->message.name = update->name;
	update->message.owner = TEXT(owners[pick(world, 3)]);
	update->message.scope = one_in(world, 3) ? KEY_SCOPE(TENANT) : KEY_SCOPE(KEYSPACE);
	update->message.not_before_time = update->not_before_us == 0 ? NULL : &update->not_before;
	update->message.expire_time = update->expire_us == 0 ? NULL : &update->expire;
	update->message.permissions = update->permissions;
	update->message.n_permissions = list_permissions(update->permission_set, update->permissions);
	latchkey__v1__key__metadata_entry__init(&update->entry);
	update->entry.key = TEXT("word");
	update->entry.value = update->word;
	update->entries = &update->entry;
	update->message.metadata = &update->entries;
	update->message.n_metadata = one_in(world, 4) ? 0 : 1;
}

static void draw_gates(struct world *world, const struct key *key, struct update *update)
{
	update->role_set = draw_roles(world, world->keyspaces[key->keyspace].tenant);
	update->message.roles = (char **)(uintptr_t)update->roles;
	update->message.n_roles = list_roles(update->role_set, update->roles);
	update->cidr_set = draw_cidrs(world);
	update->message.allowed_cidrs = (char **)(uintptr_t)update->cidrs;
	update->message.n_allowed_cidrs = list_cidrs(update->cidr_set, update->cidrs);
	latchkey__v1__credits__init(&update->credits);
	update->credits.balance = pick(world, 20);
	update->message.credits = one_in(world, 3) ? NULL : &update->credits;
}

static void draw_update(struct world *world, const struct key *key, struct update *ret)
{
	size_t count = 0;

	draw_values(world, ret);
	draw_gates(world, key, ret);
	ret->named = (unsigned)(1 + pick(world, (1u << N_PATHS) - 1));
	/* Rather few at a time. */
	ret->named &= one_in(world, 2) ? 1u << pick(world, N_PATHS) | 1u << pick(world, N_PATHS) : ~0u;
	ret->named = ret->named == 0 ? 1 : ret->named;
	for (size_t i = 0; i < N_PATHS; i++) {
		if (ret->named & 1u << i) {
			ret->mask[count++] = paths[i];
		}
	}
	ret->mask[count] = NULL;
	ret->stale = one_in(world, 10);
	ret->etag = ret->stale ? "0123456789abcdef" : one_in(world, 2) ? key->etag : "";
}

static bool names(const struct update *update, unsigned path)
{
	return (update->named & 1u << path) != 0;
}

/* The key as it would stand; its texts are borrowed. */
static struct wish wish_of(const struct update *update, const struct key *key)
{
	return (struct wish){
		.name = names(update, PATH_NAME) ? update->name : key->name,
		.owner = names(update, PATH_OWNER) ? update->message.owner : key->owner,
		.not_before_us = names(update, PATH_NOT_BEFORE) ? update->not_before_us : key->not_before_us,
		.expire_us = names(update, PATH_EXPIRE) ? update->expire_us : key->expire_us,
		.past_expiry = !names(update, PATH_EXPIRE),
	};
}

static unsigned against_update(
	const struct world *world, const struct client *client, const struct update *update, size_t at, int64_t at_us)
{
	const struct key *key = &world->keys[at];
	const struct rules *rules = &world->keyspaces[key->keyspace].rules;
	struct wish wish = wish_of(update, key);
	unsigned against = against_key(world, client, "keys.update", key);

	if (against != 0) {
		/* What is wrong whoever asks may be told first. */
		return against | (faults_of(NULL, &wish, at_us) == 0 ? 0 : E(LK_INVALID_ARGUMENT));
	}
	bool widens = names(update, PATH_SCOPE) && update->message.scope == KEY_SCOPE(TENANT);
	against |= may_scope(client, key->tenant_scope || widens) ? 0 : E(LK_PERMISSION_DENIED);
	against |= update->stale ? E(LK_ABORTED) : 0;
	against |= key->stored == STORED_REVOKED ? E(LK_FAILED_PRECONDITION) : 0;
	against |= faults_of(rules, &wish, at_us) != 0 ? E(LK_INVALID_ARGUMENT) : 0;
	against |= rules->name_unique && name_is_taken(world, key->keyspace, wish.name, at) ? E(LK_ALREADY_EXISTS) : 0;
	return against;
}

static void take_update(
	struct world *world, const struct update *update, struct key *key, const Latchkey__V1__Key *shown)
{
	struct wish wish = wish_of(update, key);

	key->tenant_scope = names(update, PATH_SCOPE) ? update->message.scope == KEY_SCOPE(TENANT) : key->tenant_scope;
	key->permissions = names(update, PATH_PERMISSIONS) ? update->permission_set : key->permissions;
	key->roles = names(update, PATH_ROLES) ? update->role_set : key->roles;
	key->cidrs = names(update, PATH_CIDRS) ? update->cidr_set : key->cidrs;
	if (names(update, PATH_CREDITS)) {
		key->has_credits = update->message.credits != NULL;
		key->credits = update->credits.balance;
		key->credits_open = 0;
	}
	if (names(update, PATH_METADATA)) {
		SET(key->word, update->message.n_metadata == 0 ? "" : update->word);
	}
	key->not_before_us = wish.not_before_us;
	key->expire_us = wish.expire_us;
	if (names(update, PATH_NAME)) {
		SET(key->name, update->name);
	}
	if (names(update, PATH_OWNER)) {
		SET(key->owner, update->message.owner);
	}
	/* One that changes nothing may leave the key as it was. */
	if (strcmp(shown->etag, key->etag) != 0) {
		SET(key->etag, shown->etag);
		key->update_us = us_of(shown->update_time);
		if (key->update_us < world->before_us || key->update_us > world->after_us) {
			mismatch(world, "changed at %" PRId64 ", not now", key->update_us);
		}
	}
	compare_key(world, shown, key);
}

void update_key(struct world *world)
{
	struct client *client = pick_client(world);
	size_t at = pick_key(world);
	struct update update = {0};
	char room[40];

	if (at == NONE) {
		return;
	}
	struct key *key = &world->keys[at];
	const struct keyspace *keyspace = &world->keyspaces[key->keyspace];
	touch(world, at);
	draw_update(world, key, &update);
	update.message.id = TEXT(name_key(world, key, room));
	note(world,
		"update %s of %s: %s %s ..., name \"%.20s\", owner \"%s\", from %" PRId64 ", until %" PRId64
		", etag \"%s\"",
		key->id, world->tenants[keyspace->tenant].id, update.mask[0],
		update.mask[1] == NULL ? "" : update.mask[1], update.name, update.message.owner, update.not_before_us,
		update.expire_us, update.etag);
	begin(world);
	const Latchkey__V1__Key *shown = say_update(
		&client->caller, world->tenants[keyspace->tenant].id, &update.message, update.mask, update.etag);
	finish(world);
	unsigned before = against_update(world, client, &update, at, world->before_us);
	unsigned after = against_update(world, client, &update, at, world->after_us);
	if (judge(world, client, before, after)) {
		take_update(world, &update, key, shown);
	} else if (before == E(LK_INVALID_ARGUMENT) && before == after) {
		struct wish wish = wish_of(&update, key);
		unsigned faults = faults_of(&keyspace->rules, &wish, world->before_us);
		if (faults == faults_of(&keyspace->rules, &wish, world->after_us)) {
			judge_faults(world, client, "key.", faults);
		}
	}
}

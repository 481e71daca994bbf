/* KeyService/Import: keys of other systems, by token and by digest, with and without what is wrong with them. */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "tests/model/model.h"

#define IMPORT_MAX 3

/* One key of an import, and what it is to be. */
struct imported {
	Latchkey__V1__ImportedKey message;
	Google__Protobuf__Timestamp create;
	Google__Protobuf__Timestamp expire;
	char token[TOKEN_ROOM];
	char sha256[2 * crypto_hash_sha256_BYTES + 1];
	char name[NAME_ROOM];
	int64_t create_us;
	int64_t expire_us;
	/* The token is that of a key that is there. */
	bool is_duplicate;
};

struct import {
	struct imported keys[IMPORT_MAX];
	Latchkey__V1__ImportedKey *list[IMPORT_MAX];
	Latchkey__V1__ImportKeysRequest request;
	size_t keyspace;
};

/* A token as others made them, without a checksum; now and then one that is in use here. */
static void draw_token(struct world *world, struct imported *ret)
{
	size_t other = one_in(world, 12) ? pick_key(world) : NONE;

	(void)snprintf(ret->token, sizeof ret->token, "legacy-%" PRIx64 "-%zu", world->seed, world->imports);
	if (other != NONE && !is_gone(world, &world->keys[other]) && world->keys[other].token[0] == 'm') {
		ret->is_duplicate = true;
		SET(ret->token, world->keys[other].token);
	}
}

static void draw_secret(struct world *world, struct imported *ret)
{
	uint8_t digest[crypto_hash_sha256_BYTES];

	draw_token(world, ret);
	if (ret->is_duplicate || one_in(world, 2)) {
		ret->message.secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN;
		ret->message.token = ret->token;
		return;
	}
	(void)crypto_hash_sha256(digest, (const uint8_t *)ret->token, strlen(ret->token));
	(void)sodium_bin2hex(ret->sha256, sizeof ret->sha256, digest, sizeof digest);
	ret->message.secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_SHA256;
	ret->message.sha256 = ret->sha256;
}

static void draw_imported(struct world *world, struct imported *ret)
{
	latchkey__v1__imported_key__init(&ret->message);
	world->imports++;
	draw_secret(world, ret);
	(void)snprintf(ret->name, sizeof ret->name, "from %zu.", world->imports);
	ret->create_us = one_in(world, 3) ? 0 : now_us() - (int64_t)(1 + pick(world, 200)) * US_PER_DAY;
	ret->create = timestamp_of(ret->create_us);
	/* Not as near as that it would be over just now. */
	ret->expire_us = one_in(world, 2)
				 ? 0
				 : now_us() + ((int64_t)pick(world, 7200) - 3600) * US_PER_SECOND + 30 * US_PER_SECOND;
	ret->expire = timestamp_of(ret->expire_us);
	ret->message.name = ret->name;
	ret->message.owner = TEXT("ann");
	ret->message.create_time = ret->create_us == 0 ? NULL : &ret->create;
	ret->message.expire_time = ret->expire_us == 0 ? NULL : &ret->expire;
	ret->message.state = (Latchkey__V1__KeyState)pick(world, 4);
	ret->message.reason = ret->message.state > KEY_STATE(ACTIVE) ? TEXT("so it was") : TEXT("");
}

/* What is not told by the reply is asked for: the list shows it by its name. */
static const Latchkey__V1__Key *find_imported(struct world *world, const char *tenant, const char *name)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	const Latchkey__V1__Key *found[1] = {NULL};

	filter.name_prefix = TEXT(name);
	if (say_list(&world->clients[0].caller, tenant, &filter, "", 0, found, 1) != 1) {
		mismatch(world, "\"%s\" was imported, and is not listed", name);
	}
	return found[0];
}

/* The states that a key can be imported in, by their number. */
static const enum stored states[] = {STORED_ACTIVE, STORED_ACTIVE, STORED_SUSPENDED, STORED_REVOKED};

static void check_new(struct world *world, const struct imported *imported, const Latchkey__V1__Key *shown)
{
	int64_t update_us = us_of(shown->update_time);
	int64_t create_us = us_of(shown->create_time);
	bool has_token = imported->message.secret_case == LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN;
	size_t len = strlen(shown->display_prefix);

	if (update_us < world->before_us || update_us > world->after_us ||
		create_us != (imported->create_us == 0 ? update_us : imported->create_us)) {
		mismatch(world, "imported at %" PRId64 ", made at %" PRId64, update_us, create_us);
	}
	if (has_token ? strncmp(imported->token, shown->display_prefix, len) != 0 || len > 8 : len > 0) {
		mismatch(world, "imported, and told by \"%s\"", shown->display_prefix);
	}
}

static void take_imported(
	struct world *world, const struct client *client, size_t keyspace, const struct imported *imported)
{
	struct tenant *tenant = &world->tenants[world->keyspaces[keyspace].tenant];
	const Latchkey__V1__Key *shown = find_imported(world, tenant->id, imported->name);
	struct key *key = new_key(world);

	check_new(world, imported, shown);
	key->keyspace = keyspace;
	SET(key->id, shown->id);
	key->number = shown->number;
	SET(key->name, imported->name);
	SET(key->owner, "ann");
	SET(key->reason, imported->message.reason);
	SET(key->created_by, client->caller_name);
	SET(key->token, imported->token);
	SET(key->display, shown->display_prefix);
	key->stored = states[imported->message.state];
	key->expire_us = imported->expire_us;
	key->create_us = us_of(shown->create_time);
	key->update_us = us_of(shown->update_time);
	SET(key->etag, shown->etag);
	if (key->number <= tenant->last_number) {
		mismatch(world, "number %" PRIu64 " after %" PRIu64, key->number, tenant->last_number);
	}
	tenant->last_number = key->number;
	touch(world, world->n_keys - 1);
}

/* What is wrong with the keys: what the rules have against each, and what is there already. The rules count from its creation. */
static unsigned faults_of_import(const struct world *world, const struct import *import)
{
	const struct rules *rules = import->keyspace == NONE ? NULL : &world->keyspaces[import->keyspace].rules;
	unsigned faults = 0;

	for (size_t i = 0; i < import->request.n_keys; i++) {
		const struct imported *key = &import->keys[i];
		struct wish wish = {.name = key->name,
			.owner = key->message.owner,
			.expire_us = key->expire_us,
			.past_expiry = true};
		faults |= faults_of(rules, &wish, key->create_us == 0 ? world->before_us : key->create_us);
		/* One of its own, behind the others. */
		faults |= key->is_duplicate ? 2 * FAULT_TTL : 0;
	}
	return faults;
}

static void draw_import(struct world *world, const char *tenant, const char *keyspace, struct import *ret)
{
	latchkey__v1__import_keys_request__init(&ret->request);
	ret->request.n_keys = 1 + pick(world, IMPORT_MAX);
	for (size_t i = 0; i < ret->request.n_keys; i++) {
		draw_imported(world, &ret->keys[i]);
		ret->list[i] = &ret->keys[i].message;
	}
	ret->request.keys = ret->list;
	ret->request.tenant = TEXT(tenant);
	ret->request.keyspace = TEXT(keyspace);
	ret->request.validate_only = one_in(world, 5);
	ret->keyspace = find_keyspace(world, find_tenant(world, tenant), keyspace);
}

void import_keys(struct world *world)
{
	struct client *client = pick_client(world);
	struct import import = {0};
	const char *tenant = NULL;
	const char *keyspace = NULL;

	pick_place(world, &tenant, &keyspace);
	draw_import(world, tenant, keyspace, &import);
	note(world, "import %zu keys into %s/%s%s", import.request.n_keys, tenant, keyspace,
		import.request.validate_only ? ", only to see" : "");
	begin(world);
	const Latchkey__V1__ImportKeysResponse *response = caller_ask(
		&client->caller, &latchkey_v1_key_import_method, &import.request);
	finish(world);
	unsigned against = against_tenant(world, client, "keys.import", tenant);
	against = !may_keyspace(client, keyspace) ? E(LK_PERMISSION_DENIED) : against;
	against = against == 0 && import.keyspace == NONE ? E(LK_NOT_FOUND) : against;
	against |= faults_of_import(world, &import) != 0 ? E(LK_INVALID_ARGUMENT) : 0;
	if (!judge(world, client, against, against)) {
		return;
	}
	if (response->imported_count != import.request.n_keys || response->n_faults != 0) {
		mismatch(world, "%u of %zu were imported, with %zu faults", response->imported_count,
			import.request.n_keys, response->n_faults);
	}
	for (size_t i = 0; i < import.request.n_keys && !import.request.validate_only; i++) {
		take_imported(world, client, import.keyspace, &import.keys[i]);
	}
}

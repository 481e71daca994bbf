#include "tests/lib/draft.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "server/core/id.h"
#include "server/core/secret.h"
#include "tests/lib/store_fixture.h"

static char *text(struct lk_arena *arena, const char *from)
{
	return lk_arena_text(arena, from, strlen(from));
}

Latchkey__Store__Change *lk_draft_new(struct lk_arena *arena)
{
	Latchkey__Store__Change *change = lk_arena_alloc(arena, sizeof *change);

	latchkey__store__change__init(change);
	change->time_us = LK_FIXTURE_TIME_US;
	change->actor = text(arena, "uid:1000");
	change->method = text(arena, "latchkey.v1.KeyService/Create");
	change->peer = text(arena, "ipc");
	change->expectations = lk_arena_array(arena, LK_DRAFT_MAX, sizeof(void *));
	change->mutations = lk_arena_array(arena, LK_DRAFT_MAX, sizeof(void *));
	return change;
}

static Latchkey__Store__Expectation *add_expectation(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__Expectation__WhatCase what)
{
	Latchkey__Store__Expectation *expectation = lk_arena_alloc(arena, sizeof *expectation);

	assert(change->n_expectations < LK_DRAFT_MAX);
	latchkey__store__expectation__init(expectation);
	expectation->what_case = what;
	change->expectations[change->n_expectations++] = expectation;
	return expectation;
}

static Latchkey__Store__Mutation *add_mutation(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__Mutation__WhatCase what)
{
	Latchkey__Store__Mutation *mutation = lk_arena_alloc(arena, sizeof *mutation);

	assert(change->n_mutations < LK_DRAFT_MAX);
	latchkey__store__mutation__init(mutation);
	mutation->what_case = what;
	change->mutations[change->n_mutations++] = mutation;
	return mutation;
}

void lk_draft_expect_tenant(struct lk_arena *arena, Latchkey__Store__Change *change, const char *id, uint64_t revision)
{
	Latchkey__Store__TenantAt *at = lk_arena_alloc(arena, sizeof *at);

	latchkey__store__tenant_at__init(at);
	at->id = text(arena, id);
	at->revision = revision;
	add_expectation(arena, change, LATCHKEY__STORE__EXPECTATION__WHAT_TENANT)->tenant = at;
}

void lk_draft_expect_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision)
{
	Latchkey__Store__KeyspaceAt *at = lk_arena_alloc(arena, sizeof *at);

	latchkey__store__keyspace_at__init(at);
	at->tenant = tenant;
	at->id = text(arena, id);
	at->revision = revision;
	add_expectation(arena, change, LATCHKEY__STORE__EXPECTATION__WHAT_KEYSPACE)->keyspace = at;
}

void lk_draft_expect_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot, uint64_t revision)
{
	Latchkey__Store__KeyAt *at = lk_arena_alloc(arena, sizeof *at);

	latchkey__store__key_at__init(at);
	at->slot = slot;
	at->revision = revision;
	add_expectation(arena, change, LATCHKEY__STORE__EXPECTATION__WHAT_KEY)->key = at;
}

void lk_draft_expect_name_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, const char *name)
{
	Latchkey__Store__NameFree *free_name = lk_arena_alloc(arena, sizeof *free_name);

	latchkey__store__name_free__init(free_name);
	free_name->keyspace = keyspace;
	free_name->name = text(arena, name);
	add_expectation(arena, change, LATCHKEY__STORE__EXPECTATION__WHAT_NAME_FREE)->name_free = free_name;
}

Latchkey__Store__TenantRecord *lk_draft_put_tenant(
	struct lk_arena *arena, Latchkey__Store__Change *change, const char *id)
{
	Latchkey__Store__TenantRecord *tenant = lk_arena_alloc(arena, sizeof *tenant);

	latchkey__store__tenant_record__init(tenant);
	tenant->id = text(arena, id);
	tenant->create_us = change->time_us;
	tenant->update_us = change->time_us;
	lk_draft_put_tenant_again(arena, change, tenant);
	return tenant;
}

Latchkey__Store__KeyspaceRecord *lk_draft_put_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id)
{
	Latchkey__Store__KeyspaceRecord *keyspace = lk_arena_alloc(arena, sizeof *keyspace);

	latchkey__store__keyspace_record__init(keyspace);
	keyspace->policy = lk_arena_alloc(arena, sizeof *keyspace->policy);
	latchkey__store__policy_record__init(keyspace->policy);
	keyspace->policy->token_prefix = text(arena, "sk-");
	keyspace->policy->name_unique = true;
	keyspace->tenant = tenant;
	keyspace->id = text(arena, id);
	keyspace->create_us = change->time_us;
	keyspace->update_us = change->time_us;
	lk_draft_put_keyspace_again(arena, change, keyspace);
	return keyspace;
}

Latchkey__Store__KeyRecord *lk_draft_put_key(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, uint32_t keyspace, const char *name)
{
	Latchkey__Store__KeyRecord *key = lk_arena_alloc(arena, sizeof *key);
	uint8_t random[LK_KEY_ID_RANDOM_LEN] = {0};

	latchkey__store__key_record__init(key);
	randombytes_buf(random, sizeof random);
	key->id = lk_arena_alloc(arena, LK_KEY_ID_LEN);
	lk_key_id_make(change->time_us, random, key->id);
	key->digest.data = lk_arena_alloc(arena, LK_DIGEST_LEN);
	key->digest.len = LK_DIGEST_LEN;
	randombytes_buf(key->digest.data, LK_DIGEST_LEN);
	key->tenant = tenant;
	key->keyspace = keyspace;
	key->name = text(arena, name);
	key->display_prefix = text(arena, "sk-abcdef");
	key->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE;
	key->create_us = change->time_us;
	key->update_us = change->time_us;
	key->created_by = change->actor;
	lk_draft_put_key_again(arena, change, key);
	return key;
}

void lk_draft_put_tenant_again(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__TenantRecord *tenant)
{
	add_mutation(arena, change, LATCHKEY__STORE__MUTATION__WHAT_PUT_TENANT)->put_tenant = tenant;
}

void lk_draft_put_keyspace_again(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyspaceRecord *keyspace)
{
	add_mutation(arena, change, LATCHKEY__STORE__MUTATION__WHAT_PUT_KEYSPACE)->put_keyspace = keyspace;
}

void lk_draft_put_key_again(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyRecord *key)
{
	add_mutation(arena, change, LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY)->put_key = key;
}

void lk_draft_delete_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot)
{
	add_mutation(arena, change, LATCHKEY__STORE__MUTATION__WHAT_DELETE_KEY)->delete_key = slot;
}

void lk_draft_metadata(struct lk_arena *arena, Latchkey__Store__KeyRecord *key, const char *name, const char *value)
{
	Latchkey__Store__MetadataRecord *entry = lk_arena_alloc(arena, sizeof *entry);
	Latchkey__Store__MetadataRecord **longer = lk_arena_array(arena, key->n_metadata + 1, sizeof *longer);

	latchkey__store__metadata_record__init(entry);
	entry->key = text(arena, name);
	entry->value = text(arena, value);
	for (size_t i = 0; i < key->n_metadata; i++) {
		longer[i] = key->metadata[i];
	}
	longer[key->n_metadata++] = entry;
	key->metadata = longer;
}

#include "tests/lib/draft.h"

#include <sodium.h>
#include <string.h>

#include "server/core/id.h"
#include "server/store/change.h"
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
	return change;
}

void lk_draft_expect_tenant(struct lk_arena *arena, Latchkey__Store__Change *change, const char *id, uint64_t revision)
{
	lk_change_expect_tenant(arena, change, text(arena, id), revision);
}

void lk_draft_expect_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision)
{
	lk_change_expect_keyspace(arena, change, tenant, text(arena, id), revision);
}

void lk_draft_expect_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot, uint64_t revision)
{
	lk_change_expect_key(arena, change, slot, revision);
}

void lk_draft_expect_name_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, const char *name)
{
	lk_change_expect_name_free(arena, change, keyspace, text(arena, name));
}

void lk_draft_expect_digest_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, const uint8_t digest[static LK_DIGEST_LEN])
{
	uint8_t *copy = lk_arena_alloc(arena, LK_DIGEST_LEN);

	memcpy(copy, digest, LK_DIGEST_LEN);
	lk_change_expect_digest_free(arena, change, copy);
}

void lk_draft_expect_id_free(struct lk_arena *arena, Latchkey__Store__Change *change, const char *id)
{
	lk_change_expect_id_free(arena, change, text(arena, id));
}

void lk_draft_expect_keyspace_idle(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace)
{
	lk_change_expect_keyspace_idle(arena, change, keyspace);
}

void lk_draft_expect_tenant_idle(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant)
{
	lk_change_expect_tenant_idle(arena, change, tenant);
}

void lk_draft_expect_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t number, uint64_t revision)
{
	lk_change_expect_job(arena, change, number, revision);
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
	lk_change_put_tenant(arena, change, tenant);
}

void lk_draft_put_keyspace_again(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyspaceRecord *keyspace)
{
	lk_change_put_keyspace(arena, change, keyspace);
}

void lk_draft_put_key_again(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyRecord *key)
{
	lk_change_put_key(arena, change, key);
}

void lk_draft_delete_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot)
{
	lk_change_delete_key(arena, change, slot);
}

void lk_draft_delete_keyspace(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace)
{
	lk_change_delete_keyspace(arena, change, keyspace);
}

void lk_draft_delete_tenant(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant)
{
	lk_change_delete_tenant(arena, change, tenant);
}

Latchkey__Store__RoleRecord *lk_draft_put_role(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant,
	const char *id, const char *permission)
{
	Latchkey__Store__RoleRecord *role = lk_arena_alloc(arena, sizeof *role);

	latchkey__store__role_record__init(role);
	role->tenant = tenant;
	role->id = text(arena, id);
	role->permissions = lk_arena_alloc(arena, sizeof *role->permissions);
	role->permissions[0] = text(arena, permission);
	role->n_permissions = 1;
	role->create_us = change->time_us;
	role->update_us = change->time_us;
	lk_change_put_role(arena, change, role);
	return role;
}

Latchkey__Store__OwnerRecord *lk_draft_put_owner(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id)
{
	Latchkey__Store__OwnerRecord *owner = lk_arena_alloc(arena, sizeof *owner);
	Latchkey__Store__RateLimitRecord *limit = lk_arena_alloc(arena, sizeof *limit);

	latchkey__store__owner_record__init(owner);
	latchkey__store__rate_limit_record__init(limit);
	limit->name = text(arena, "calls");
	limit->limit = 10;
	limit->burst = 10;
	limit->period_us = 60000000;
	owner->tenant = tenant;
	owner->id = text(arena, id);
	owner->rate_limits = lk_arena_alloc(arena, sizeof *owner->rate_limits);
	owner->rate_limits[0] = limit;
	owner->n_rate_limits = 1;
	owner->create_us = change->time_us;
	owner->update_us = change->time_us;
	lk_change_put_owner(arena, change, owner);
	return owner;
}

void lk_draft_roles(struct lk_arena *arena, Latchkey__Store__KeyRecord *key, const uint32_t *roles, size_t count)
{
	key->roles = lk_arena_array(arena, count, sizeof *key->roles);
	memcpy(key->roles, roles, count * sizeof *roles);
	key->n_roles = count;
}

Latchkey__Store__JobRecord *lk_draft_put_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant)
{
	Latchkey__Store__JobRecord *job = lk_arena_alloc(arena, sizeof *job);

	latchkey__store__job_record__init(job);
	job->tenant = tenant;
	job->actor = change->actor;
	job->method = change->method;
	job->peer = change->peer;
	job->create_us = change->time_us;
	job->update_us = change->time_us;
	lk_change_put_job(arena, change, job);
	return job;
}

void lk_draft_put_job_again(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__JobRecord *job)
{
	lk_change_put_job(arena, change, job);
}

void lk_draft_put_job_part(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t part, const uint64_t *slots, size_t count)
{
	Latchkey__Store__JobPartRecord *record = lk_arena_alloc(arena, sizeof *record);

	latchkey__store__job_part_record__init(record);
	record->slot_steps = lk_arena_array(arena, count, sizeof *record->slot_steps);
	record->n_slot_steps = count;
	for (size_t i = 0; i < count; i++) {
		record->slot_steps[i] = slots[i] - (i == 0 ? 0 : slots[i - 1]);
	}
	lk_change_put_job_part(arena, change, part, record);
}

void lk_draft_delete_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t job)
{
	lk_change_delete_job(arena, change, job);
}

void lk_draft_delete_job_part(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t job, uint32_t part)
{
	lk_change_delete_job_part(arena, change, job, part);
}

void lk_draft_fold_use(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, uint64_t slot,
	int64_t from_us, int64_t to_us)
{
	lk_change_fold_use(arena, change, keyspace, slot, from_us, to_us);
}

Latchkey__Store__NoteRefusal *lk_draft_note_refusal(
	struct lk_arena *arena, Latchkey__Store__Change *change, const char *tenant, uint32_t code)
{
	Latchkey__Store__NoteRefusal *refusal = lk_arena_alloc(arena, sizeof *refusal);

	latchkey__store__note_refusal__init(refusal);
	refusal->time_us = change->time_us + 1000000;
	refusal->actor = text(arena, "key:key_1");
	refusal->method = text(arena, "latchkey.v1.KeyService/Get");
	refusal->peer = text(arena, "tcp:127.0.0.1:1");
	refusal->tenant = text(arena, tenant);
	refusal->code = code;
	lk_change_note_refusal(arena, change, refusal);
	return refusal;
}

void lk_draft_rotate(struct lk_arena *arena, Latchkey__Store__KeyRecord *key, int64_t until_us)
{
	key->previous_digest = key->digest;
	key->previous_kind = key->secret_kind;
	key->previous_until_us = until_us;
	key->digest.data = lk_arena_alloc(arena, LK_DIGEST_LEN);
	randombytes_buf(key->digest.data, LK_DIGEST_LEN);
	key->secret_kind = LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_MINTED;
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

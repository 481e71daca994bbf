#include "server/store/find.h"

#include <string.h>

#include "client/varint.h"
#include "server/core/id.h"
#include "server/core/text.h"
#include "server/store/verdict_record.h"

/* Of a name of LK_NAME_MAX characters, 4 bytes each. */
#define NAME_MAX_BYTES ((size_t)LK_NAME_MAX * 4)
/* latchkey.store.RoleRecord.id */
#define ROLE_ID_FIELD 4

/* Follows an index whose values are numbers of 4 or 8 bytes. */
static bool find_number(
	struct lk_txn *txn, enum lk_table index, const struct lk_key *key, size_t len, uint64_t *ret_number)
{
	struct lk_value value = {0};

	if (!lk_txn_get(txn, index, key, &value)) {
		return false;
	}
	if (value.len != len) {
		lk_txn_fail(txn, LK_CORRUPT);
		return false;
	}
	*ret_number = len == sizeof(uint32_t) ? lk_read_u32(value.data) : lk_read_u64(value.data);
	return true;
}

/* A record that an index names must be there. */
static void *expected(struct lk_txn *txn, void *record)
{
	if (record == NULL) {
		lk_txn_fail(txn, LK_CORRUPT);
	}
	return record;
}

Latchkey__Store__TenantRecord *lk_find_tenant_by_number(struct lk_txn *txn, struct lk_arena *arena, uint32_t number)
{
	struct lk_key key = lk_key_u32(number);

	return expected(
		txn, lk_txn_record(txn, LK_TABLE_TENANT, &key, &latchkey__store__tenant_record__descriptor, arena));
}

Latchkey__Store__TenantRecord *lk_find_tenant_any(struct lk_txn *txn, struct lk_arena *arena, const char *id)
{
	uint64_t number = 0;

	/* What is no id names nothing, and may be longer than a key can be. */
	if (!lk_text_is_id(id)) {
		return NULL;
	}
	struct lk_key key = lk_key_id(id);
	if (!find_number(txn, LK_TABLE_TENANT_BY_ID, &key, sizeof(uint32_t), &number)) {
		return NULL;
	}
	return lk_find_tenant_by_number(txn, arena, (uint32_t)number);
}

Latchkey__Store__TenantRecord *lk_find_tenant(struct lk_txn *txn, struct lk_arena *arena, const char *id)
{
	Latchkey__Store__TenantRecord *tenant = lk_find_tenant_any(txn, arena, id);

	return tenant == NULL || tenant->closed ? NULL : tenant;
}

Latchkey__Store__KeyspaceRecord *lk_find_keyspace_by_number(struct lk_txn *txn, struct lk_arena *arena, uint32_t number)
{
	struct lk_key key = lk_key_u32(number);

	return expected(
		txn, lk_txn_record(txn, LK_TABLE_KEYSPACE, &key, &latchkey__store__keyspace_record__descriptor, arena));
}

Latchkey__Store__KeyspaceRecord *lk_find_keyspace_any(
	struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *id)
{
	uint64_t number = 0;

	if (!lk_text_is_id(id)) {
		return NULL;
	}
	struct lk_key key = lk_key_keyspace_by_id(tenant, id);
	if (!find_number(txn, LK_TABLE_KEYSPACE_BY_ID, &key, sizeof(uint32_t), &number)) {
		return NULL;
	}
	return lk_find_keyspace_by_number(txn, arena, (uint32_t)number);
}

Latchkey__Store__KeyspaceRecord *lk_find_keyspace(
	struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *id)
{
	Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace_any(txn, arena, tenant, id);

	return keyspace == NULL || keyspace->closed ? NULL : keyspace;
}

bool lk_find_has_keyspace(struct lk_txn *txn, uint32_t tenant, const char *id)
{
	uint64_t number = 0;
	struct lk_gate gate = {0};

	if (!lk_text_is_id(id)) {
		return false;
	}
	struct lk_key key = lk_key_keyspace_by_id(tenant, id);
	return find_number(txn, LK_TABLE_KEYSPACE_BY_ID, &key, sizeof(uint32_t), &number) &&
	       lk_gate_get(txn, (uint32_t)number, &gate) && gate.closed == 0;
}

Latchkey__Store__KeyRecord *lk_find_key_by_slot(struct lk_txn *txn, struct lk_arena *arena, uint64_t slot)
{
	struct lk_key where = lk_key_u64(slot);
	Latchkey__Store__KeyRecord *key = lk_txn_record(
		txn, LK_TABLE_KEY, &where, &latchkey__store__key_record__descriptor, arena);

	/* What reads the digests relies on their length. */
	if (key != NULL && (key->digest.len != LK_DIGEST_LEN ||
				   (key->previous_digest.len != 0 && key->previous_digest.len != LK_DIGEST_LEN))) {
		lk_txn_fail(txn, LK_CORRUPT);
		return NULL;
	}
	return key;
}

uint64_t lk_find_slot_of_id(struct lk_txn *txn, const char *id)
{
	uint64_t slot = 0;

	if (lk_key_id_is(id)) {
		struct lk_key key = lk_key_id(id);
		(void)find_number(txn, LK_TABLE_KEY_BY_ID, &key, sizeof slot, &slot);
	}
	return slot;
}

Latchkey__Store__KeyRecord *lk_find_key(struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *key)
{
	uint64_t number = 0;
	uint64_t slot = 0;
	bool found = false;

	if (lk_key_number_parse(key, &number)) {
		struct lk_key where = lk_key_by_number(tenant, number);
		found = find_number(txn, LK_TABLE_KEY_BY_NUMBER, &where, sizeof slot, &slot);
	} else {
		slot = lk_find_slot_of_id(txn, key);
		found = slot != 0;
	}
	if (!found) {
		return NULL;
	}
	Latchkey__Store__KeyRecord *record = expected(txn, lk_find_key_by_slot(txn, arena, slot));
	return record != NULL && record->tenant == tenant ? record : NULL;
}

Latchkey__Store__RoleRecord *lk_find_role_by_number(struct lk_txn *txn, struct lk_arena *arena, uint32_t number)
{
	struct lk_key key = lk_key_u32(number);

	return expected(txn, lk_txn_record(txn, LK_TABLE_ROLE, &key, &latchkey__store__role_record__descriptor, arena));
}

uint32_t lk_find_role_number(struct lk_txn *txn, uint32_t tenant, const char *id)
{
	uint64_t number = 0;

	if (!lk_text_is_id(id)) {
		return 0;
	}
	struct lk_key key = lk_key_role_by_id(tenant, id);
	return find_number(txn, LK_TABLE_ROLE_BY_ID, &key, sizeof(uint32_t), &number) ? (uint32_t)number : 0;
}

char *lk_find_role_id(struct lk_txn *txn, struct lk_arena *arena, uint32_t number)
{
	struct lk_key key = lk_key_u32(number);
	struct lk_value value = {0};
	const uint8_t *id = NULL;
	size_t len = 0;

	if (!lk_txn_get(txn, LK_TABLE_ROLE, &key, &value)) {
		return NULL;
	}
	if (!lk_varint_find_bytes(value.data, value.len, ROLE_ID_FIELD, &id, &len)) {
		lk_txn_fail(txn, LK_CORRUPT);
		return NULL;
	}
	return lk_arena_text(arena, id, len);
}

Latchkey__Store__RoleRecord *lk_find_role(struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *id)
{
	uint32_t number = lk_find_role_number(txn, tenant, id);

	return number == 0 ? NULL : lk_find_role_by_number(txn, arena, number);
}

bool lk_find_has_role(struct lk_txn *txn, uint32_t number)
{
	struct lk_key key = lk_key_u32(number);
	struct lk_value value = {0};

	return lk_txn_get(txn, LK_TABLE_ROLE, &key, &value);
}

uint64_t lk_find_role_use(struct lk_txn *txn, uint32_t number)
{
	struct lk_key key = lk_key_u32(number);
	uint64_t use = 0;

	if (!find_number(txn, LK_TABLE_ROLE_USE, &key, sizeof use, &use)) {
		lk_txn_fail(txn, LK_CORRUPT);
	}
	return use;
}

size_t lk_find_count_roles(struct lk_txn *txn, uint32_t tenant)
{
	struct lk_key prefix = lk_key_u32(tenant);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_ROLE_BY_ID);
	size_t count = 0;

	for (bool more = lk_walk_seek(walk, &prefix); more && count < LK_TENANT_ROLES_MAX && lk_walk_in(walk, &prefix);
		more = lk_walk_next(walk)) {
		count++;
	}
	lk_walk_free(walk);
	return count;
}

Latchkey__Store__OwnerRecord *lk_find_owner(
	struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *owner)
{
	struct lk_key key = lk_key_owner(tenant, owner, strlen(owner));
	Latchkey__Store__OwnerRecord *record = lk_txn_record(
		txn, LK_TABLE_OWNER, &key, &latchkey__store__owner_record__descriptor, arena);

	/* It is found by a hash. */
	return record == NULL || record->tenant != tenant || strcmp(record->id, owner) != 0 ? NULL : record;
}

Latchkey__Store__JobRecord *lk_find_job(struct lk_txn *txn, struct lk_arena *arena, uint64_t number)
{
	struct lk_key key = lk_key_u64(number);

	return lk_txn_record(txn, LK_TABLE_JOB, &key, &latchkey__store__job_record__descriptor, arena);
}

Latchkey__Store__JobPartRecord *lk_find_job_part(
	struct lk_txn *txn, struct lk_arena *arena, uint64_t job, uint32_t part)
{
	struct lk_key key = lk_key_job_part(job, part);

	return lk_txn_record(txn, LK_TABLE_JOB_PART, &key, &latchkey__store__job_part_record__descriptor, arena);
}

bool lk_find_name_taken(struct lk_txn *txn, uint32_t keyspace, const char *name)
{
	/* The keys without a name stand in the index too, and are in nobody's way. */
	if (name[0] == '\0' || strlen(name) > NAME_MAX_BYTES) {
		return false;
	}
	struct lk_key prefix = lk_key_by_name_prefix(keyspace, name, false);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEY_BY_NAME);
	bool taken = lk_walk_seek(walk, &prefix) && lk_walk_in(walk, &prefix);

	lk_walk_free(walk);
	return taken;
}

bool lk_find_name_taken_by_other(struct lk_txn *txn, uint32_t keyspace, const char *name, uint64_t slot)
{
	if (strlen(name) > NAME_MAX_BYTES) {
		return false;
	}
	struct lk_key prefix = lk_key_by_name_prefix(keyspace, name, false);
	struct lk_key own = lk_key_by_name(keyspace, name, false, slot);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEY_BY_NAME);
	bool found = lk_walk_seek(walk, &prefix) && lk_walk_in(walk, &prefix);

	/* Its own entry may stand before another's, of a time when names were free. */
	if (found && lk_walk_in(walk, &own)) {
		found = lk_walk_next(walk) && lk_walk_in(walk, &prefix);
	}
	lk_walk_free(walk);
	return found;
}

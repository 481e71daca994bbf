#include "server/store/table.h"

#include <assert.h>
#include <endian.h>
#include <lmdb.h>
#include <sodium.h>
#include <string.h>

#include "server/core/id.h"

const struct lk_table_info lk_tables[LK_TABLE_COUNT] = {
	[LK_TABLE_META] = {"meta", 0},
	[LK_TABLE_TENANT] = {"tenant", 0},
	[LK_TABLE_TENANT_BY_ID] = {"tenant_by_id", 0},
	[LK_TABLE_KEY_COUNTER] = {"key_counter", 0},
	[LK_TABLE_KEYSPACE] = {"keyspace", 0},
	[LK_TABLE_KEYSPACE_BY_ID] = {"keyspace_by_id", 0},
	[LK_TABLE_GATE] = {"gate", 0},
	[LK_TABLE_VERDICT] = {"verdict", MDB_INTEGERKEY},
	[LK_TABLE_KEY] = {"key", 0},
	[LK_TABLE_KEY_BY_ID] = {"key_by_id", 0},
	[LK_TABLE_KEY_BY_NUMBER] = {"key_by_number", 0},
	[LK_TABLE_KEY_BY_NAME] = {"key_by_name", 0},
	[LK_TABLE_KEY_BY_CREATE] = {"key_by_create", 0},
	[LK_TABLE_KEY_BY_OWNER] = {"key_by_owner", 0},
	[LK_TABLE_KEY_BY_EXPIRY] = {"key_by_expiry", 0},
	[LK_TABLE_KEY_BY_USED] = {"key_by_used", 0},
	[LK_TABLE_AUDIT] = {"audit", 0},
	[LK_TABLE_AUDIT_BY_KEY] = {"audit_by_key", 0},
	[LK_TABLE_KEY_GONE] = {"key_gone", 0},
	[LK_TABLE_CLOSED] = {"closed", 0},
	[LK_TABLE_ROLE] = {"role", 0},
	[LK_TABLE_ROLE_BY_ID] = {"role_by_id", 0},
	[LK_TABLE_ROLE_USE] = {"role_use", 0},
	[LK_TABLE_OWNER] = {"owner", 0},
	[LK_TABLE_OWNER_LIMITS] = {"owner_limits", 0},
	[LK_TABLE_GATE_CIDRS] = {"gate_cidrs", 0},
	[LK_TABLE_JOB] = {"job", 0},
	[LK_TABLE_JOB_PART] = {"job_part", 0},
	[LK_TABLE_REPLY] = {"reply", 0},
};

#define OWNER_HASH_LEN 16

/* A key that is too long is a fault of our own: every text in it was checked at the edge. */
static void append(struct lk_key *key, const void *data, size_t len)
{
	assert(len <= LK_KEY_MAX - key->len);
	memcpy(key->data + key->len, data, len);
	key->len += len;
}

static void append_u32(struct lk_key *key, uint32_t number)
{
	uint32_t big = htobe32(number);

	append(key, &big, sizeof big);
}

static void append_u64(struct lk_key *key, uint64_t number)
{
	uint64_t big = htobe64(number);

	append(key, &big, sizeof big);
}

/* A hash in place of the name, which may be longer than a key. */
static void append_owner(struct lk_key *key, const char *owner, size_t owner_len)
{
	uint8_t hash[OWNER_HASH_LEN];

	crypto_generichash(hash, sizeof hash, (const uint8_t *)owner, owner_len, NULL, 0);
	append(key, hash, sizeof hash);
}

struct lk_key lk_key_meta(const char *what)
{
	return lk_key_id(what);
}

struct lk_key lk_key_u32(uint32_t number)
{
	struct lk_key key;

	key.len = 0;
	append_u32(&key, number);
	return key;
}

struct lk_key lk_key_u64(uint64_t number)
{
	struct lk_key key;

	key.len = 0;
	append_u64(&key, number);
	return key;
}

struct lk_key lk_key_id(const char *id)
{
	uint8_t bytes[LK_KEY_ID_BYTES_LEN];
	struct lk_key key;

	key.len = 0;
	if (lk_key_id_parse(id, bytes)) {
		append(&key, bytes, sizeof bytes);
	} else {
		append(&key, id, strlen(id));
	}
	return key;
}

struct lk_key lk_key_keyspace_by_id(uint32_t tenant, const char *id)
{
	struct lk_key key = lk_key_u32(tenant);

	append(&key, id, strlen(id));
	return key;
}

struct lk_key lk_key_role_by_id(uint32_t tenant, const char *id)
{
	struct lk_key key = lk_key_u32(tenant);

	append(&key, id, strlen(id));
	return key;
}

struct lk_key lk_key_owner(uint32_t tenant, const char *owner, size_t owner_len)
{
	struct lk_key key = lk_key_u32(tenant);

	append_owner(&key, owner, owner_len);
	return key;
}

struct lk_key lk_key_verdict(const uint8_t digest[static LK_DIGEST_LEN])
{
	struct lk_key key;

	key.len = 0;
	append(&key, digest, sizeof(uint64_t));
	return key;
}

struct lk_key lk_key_by_number(uint32_t tenant, uint64_t number)
{
	struct lk_key key = lk_key_u32(tenant);

	append_u64(&key, number);
	return key;
}

struct lk_key lk_key_by_name_prefix(uint32_t keyspace, const char *name, bool revoked)
{
	struct lk_key key = lk_key_u32(keyspace);
	uint8_t last = revoked ? 1 : 0;

	/* The NUL ends the name, so that no name is the beginning of another's. */
	append(&key, name, strlen(name) + 1);
	append(&key, &last, sizeof last);
	return key;
}

struct lk_key lk_key_by_name(uint32_t keyspace, const char *name, bool revoked, uint64_t slot)
{
	struct lk_key key = lk_key_by_name_prefix(keyspace, name, revoked);

	append_u64(&key, slot);
	return key;
}

struct lk_key lk_key_by_create(uint32_t keyspace, int64_t create_us, uint64_t slot)
{
	struct lk_key key = lk_key_u32(keyspace);

	append_u64(&key, (uint64_t)create_us);
	append_u64(&key, slot);
	return key;
}

struct lk_key lk_key_by_owner_prefix(uint32_t keyspace, const char *owner)
{
	struct lk_key key = lk_key_u32(keyspace);

	append_owner(&key, owner, strlen(owner));
	return key;
}

struct lk_key lk_key_by_owner(uint32_t keyspace, const char *owner, int64_t create_us, uint64_t slot)
{
	struct lk_key key = lk_key_by_owner_prefix(keyspace, owner);

	append_u64(&key, (uint64_t)create_us);
	append_u64(&key, slot);
	return key;
}

struct lk_key lk_key_by_expiry(uint32_t keyspace, int64_t expire_us, uint64_t slot)
{
	struct lk_key key = lk_key_u32(keyspace);

	append_u64(&key, expire_us == 0 ? UINT64_MAX : (uint64_t)expire_us);
	append_u64(&key, slot);
	return key;
}

struct lk_key lk_key_by_used(uint32_t keyspace, int64_t used_us, uint64_t slot)
{
	struct lk_key key = lk_key_u32(keyspace);

	append_u64(&key, (uint64_t)used_us);
	append_u64(&key, slot);
	return key;
}

struct lk_key lk_key_audit_by_key(uint64_t slot, uint64_t number)
{
	struct lk_key key = lk_key_u64(slot);

	append_u64(&key, number);
	return key;
}

struct lk_key lk_key_closed(bool is_tenant, uint32_t number)
{
	struct lk_key key = {.len = 1, .data = {is_tenant}};

	append_u32(&key, number);
	return key;
}

struct lk_key lk_key_job_part(uint64_t job, uint32_t part)
{
	struct lk_key key = lk_key_u64(job);

	append_u32(&key, part);
	return key;
}

struct lk_key lk_key_reply(uint64_t time_ms, const uint8_t hash[static LK_DIGEST_LEN])
{
	struct lk_key key = lk_key_u64(time_ms);

	append(&key, hash, LK_DIGEST_LEN);
	return key;
}

uint32_t lk_read_u32(const uint8_t *data)
{
	uint32_t big = 0;

	memcpy(&big, data, sizeof big);
	return be32toh(big);
}

uint64_t lk_read_u64(const uint8_t *data)
{
	uint64_t big = 0;

	memcpy(&big, data, sizeof big);
	return be64toh(big);
}

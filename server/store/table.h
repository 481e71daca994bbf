/*
 * The tables of the store, and the typed codec of their keys.
 *
 * Keys are big-endian, so that their order is their meaning; the integer key of `verdict` alone is native, as LMDB's
 * MDB_INTEGERKEY wants it. Every key stays far under LMDB's 511 bytes: the longest, a name of 100 characters of 4 bytes, has 414.
 */
#ifndef LK_SERVER_STORE_TABLE_H
#define LK_SERVER_STORE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/secret.h"

enum lk_table {
	/* "store" -> StoreRecord, "head" -> struct lk_head (txn.h) */
	LK_TABLE_META,
	/* tenant number -> TenantRecord */
	LK_TABLE_TENANT,
	/* tenant id -> tenant number */
	LK_TABLE_TENANT_BY_ID,
	/* tenant number -> the number of its newest key: apart from the record, which a new key does not change */
	LK_TABLE_KEY_COUNTER,
	/* keyspace number -> KeyspaceRecord */
	LK_TABLE_KEYSPACE,
	/* tenant number, keyspace id -> keyspace number */
	LK_TABLE_KEYSPACE_BY_ID,
	/* keyspace number -> struct lk_gate (verdict_record.h) */
	LK_TABLE_GATE,
	/* first 8 bytes of the digest, native -> verdict records (verdict_record.h) */
	LK_TABLE_VERDICT,
	/* slot -> KeyRecord */
	LK_TABLE_KEY,
	/* key id, 16 bytes -> slot */
	LK_TABLE_KEY_BY_ID,
	/* tenant number, key number -> slot */
	LK_TABLE_KEY_BY_NUMBER,
	/*
	 * keyspace number, hash of the owner, create_us, slot -> nothing; keys without an owner are not in it. The hash, 16
	 * bytes of BLAKE2b, keeps the key short: whoever reads it compares the record's owner.
	 */
	LK_TABLE_KEY_BY_OWNER,
	/* keyspace number, expire_us, slot -> nothing; keys that never expire stand last, at UINT64_MAX */
	LK_TABLE_KEY_BY_EXPIRY,
	/*
	 * keyspace number, last use as it was last folded from the slots, slot -> nothing. Never later than the use itself:
	 * what a scan finds here below an instant holds every key that was not used since. A key that was deleted after a
	 * fold may still stand here; the next fold removes it.
	 */
	LK_TABLE_KEY_BY_USED,
	/*
	 * keyspace number, name, whether it is revoked, slot -> nothing; keys without a name stand first. Revoked keys stand
	 * behind the others of their name: whether a name is taken is one seek, however many have had it.
	 */
	LK_TABLE_KEY_BY_NAME,
	/* keyspace number, create_us, slot -> nothing; a list of a whole tenant merges its keyspaces (scan.h) */
	LK_TABLE_KEY_BY_CREATE,
	/* audit number -> hash, AuditRecord */
	LK_TABLE_AUDIT,
	/* key's slot, audit number -> nothing */
	LK_TABLE_AUDIT_BY_KEY,
	/* key id, 16 bytes -> slot, of keys that are gone: their audit records are found by it */
	LK_TABLE_KEY_GONE,
	/* whether it is a tenant, number -> nothing; the keyspaces and tenants that are closed, for the reaper */
	LK_TABLE_CLOSED,
	/* role number -> RoleRecord */
	LK_TABLE_ROLE,
	/* tenant number, role id -> role number */
	LK_TABLE_ROLE_BY_ID,
	/* role number -> how many keys have it: apart from the record, which a new key does not change */
	LK_TABLE_ROLE_USE,
	/* tenant number, hash of the owner -> OwnerRecord; whoever reads one by its name compares the record's */
	LK_TABLE_OWNER,
	/* as above -> what Verify asks of the owner (rules.h) */
	LK_TABLE_OWNER_LIMITS,
	/* keyspace number -> the addresses that its keys may be used from (rules.h), of a keyspace that has such a list */
	LK_TABLE_GATE_CIDRS,
	/* job number -> JobRecord */
	LK_TABLE_JOB,
	/* job number, part -> JobPartRecord */
	LK_TABLE_JOB_PART,
	/* time of the request_id in ms, hash of caller and request_id -> ReplyRecord */
	LK_TABLE_REPLY,
	LK_TABLE_COUNT,
};

struct lk_table_info {
	const char *name;
	/* MDB_ flags beside MDB_CREATE. */
	unsigned flags;
};

extern const struct lk_table_info lk_tables[LK_TABLE_COUNT];

#define LK_KEY_MAX 432

/* A key on its way to LMDB. */
struct lk_key {
	size_t len;
	uint8_t data[LK_KEY_MAX];
};

struct lk_key lk_key_meta(const char *what);
/* Of every table whose key is one number of 4 or 8 bytes. */
struct lk_key lk_key_u32(uint32_t number);
struct lk_key lk_key_u64(uint64_t number);
/* Of every table whose key is an id alone: a key's as its 16 bytes (core/id.h), which take half the room; any other as it is. */
struct lk_key lk_key_id(const char *id);
struct lk_key lk_key_keyspace_by_id(uint32_t tenant, const char *id);
struct lk_key lk_key_role_by_id(uint32_t tenant, const char *id);
/* Of both tables of owners. The name need not end in a NUL. */
struct lk_key lk_key_owner(uint32_t tenant, const char *owner, size_t owner_len);
struct lk_key lk_key_verdict(const uint8_t digest[static LK_DIGEST_LEN]);
struct lk_key lk_key_by_number(uint32_t tenant, uint64_t number);
struct lk_key lk_key_by_name(uint32_t keyspace, const char *name, bool revoked, uint64_t slot);
/* The part of lk_key_by_name() that the keys of one name share: those that are revoked, or those that are not. */
struct lk_key lk_key_by_name_prefix(uint32_t keyspace, const char *name, bool revoked);
struct lk_key lk_key_by_create(uint32_t keyspace, int64_t create_us, uint64_t slot);
struct lk_key lk_key_by_owner(uint32_t keyspace, const char *owner, int64_t create_us, uint64_t slot);
/* The part of lk_key_by_owner() that the keys of one owner share. */
struct lk_key lk_key_by_owner_prefix(uint32_t keyspace, const char *owner);
/* `expire_us` 0: never. */
struct lk_key lk_key_by_expiry(uint32_t keyspace, int64_t expire_us, uint64_t slot);
struct lk_key lk_key_by_used(uint32_t keyspace, int64_t used_us, uint64_t slot);
struct lk_key lk_key_audit_by_key(uint64_t slot, uint64_t number);
struct lk_key lk_key_closed(bool is_tenant, uint32_t number);
struct lk_key lk_key_job_part(uint64_t job, uint32_t part);
struct lk_key lk_key_reply(uint64_t time_ms, const uint8_t hash[static LK_DIGEST_LEN]);

/* The parts of keys that scans read back, and the numbers that are values. `data` has at least the bytes that are read. */
uint32_t lk_read_u32(const uint8_t *data);
uint64_t lk_read_u64(const uint8_t *data);

#define LK_KEY_BY_CREATE_LEN 20
#define LK_KEY_BY_OWNER_LEN  36
#define LK_KEY_BY_EXPIRY_LEN 20
#define LK_KEY_BY_USED_LEN   20

#endif

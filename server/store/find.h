/*
 * Finding records, in a snapshot or in the write transaction. Every record is unpacked into the arena and is the caller's.
 * NULL means that it is not there, or that an error sticks to the transaction: lk_txn_err() tells which.
 */
#ifndef LK_SERVER_STORE_FIND_H
#define LK_SERVER_STORE_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/arena.h"
#include "server/store/txn.h"

/* The tenant of that id; one that is closed is not there. */
Latchkey__Store__TenantRecord *lk_find_tenant(struct lk_txn *txn, struct lk_arena *arena, const char *id);
/* Also one that is closed: its id is taken until the reaper has removed it. */
Latchkey__Store__TenantRecord *lk_find_tenant_any(struct lk_txn *txn, struct lk_arena *arena, const char *id);
/* Also one that is closed. A number comes from another record: where it names none, LK_CORRUPT sticks. */
Latchkey__Store__TenantRecord *lk_find_tenant_by_number(struct lk_txn *txn, struct lk_arena *arena, uint32_t number);

/* The keyspace `id` of the tenant of that number; one that is closed, as are those of a closed tenant, is not there. */
Latchkey__Store__KeyspaceRecord *lk_find_keyspace(
	struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *id);
/* Also one that is closed: its id is taken until the reaper has removed it. */
Latchkey__Store__KeyspaceRecord *lk_find_keyspace_any(
	struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *id);
/* Also one that is closed; as lk_find_tenant_by_number(). */
Latchkey__Store__KeyspaceRecord *lk_find_keyspace_by_number(
	struct lk_txn *txn, struct lk_arena *arena, uint32_t number);
/* Whether there is one that is not closed, without unpacking it: for Verify. */
bool lk_find_has_keyspace(struct lk_txn *txn, uint32_t tenant, const char *id);

Latchkey__Store__KeyRecord *lk_find_key_by_slot(struct lk_txn *txn, struct lk_arena *arena, uint64_t slot);
/* The key of the tenant that `key`, an id or a number, names; a key of another tenant is not there. */
Latchkey__Store__KeyRecord *lk_find_key(struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *key);

/* The slot of the key of this id, of whatever tenant; 0: there is none. */
uint64_t lk_find_slot_of_id(struct lk_txn *txn, const char *id);

/* The most roles that a tenant may have. */
#define LK_TENANT_ROLES_MAX 1000

/* The role `id` of the tenant of that number. */
Latchkey__Store__RoleRecord *lk_find_role(struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *id);
/*
 * The number of the role `id`, and the id of the role of a number, in the arena; 0 and NULL: there is none. Without the role's
 * permissions, which are long: for many keys at once.
 */
uint32_t lk_find_role_number(struct lk_txn *txn, uint32_t tenant, const char *id);
char *lk_find_role_id(struct lk_txn *txn, struct lk_arena *arena, uint32_t number);
/* A number comes from another record: where it names none, LK_CORRUPT sticks. */
Latchkey__Store__RoleRecord *lk_find_role_by_number(struct lk_txn *txn, struct lk_arena *arena, uint32_t number);
/* Whether there is a role of that number: for what may have lost it. */
bool lk_find_has_role(struct lk_txn *txn, uint32_t number);
/* How many keys have the role of that number, revoked ones too. A number that names no role makes LK_CORRUPT stick. */
uint64_t lk_find_role_use(struct lk_txn *txn, uint32_t number);
/* How many roles the tenant has, as far as LK_TENANT_ROLES_MAX. */
size_t lk_find_count_roles(struct lk_txn *txn, uint32_t tenant);

/* The limits of an owner, by its name as keys have it. */
Latchkey__Store__OwnerRecord *lk_find_owner(
	struct lk_txn *txn, struct lk_arena *arena, uint32_t tenant, const char *owner);

/* A job, or one of its parts; NULL also once it is done and gone. */
Latchkey__Store__JobRecord *lk_find_job(struct lk_txn *txn, struct lk_arena *arena, uint64_t number);
Latchkey__Store__JobPartRecord *lk_find_job_part(
	struct lk_txn *txn, struct lk_arena *arena, uint64_t job, uint32_t part);

/*
 * Whether a key of the keyspace that is not revoked has this name; "" is none, and never taken. False also where an error
 * sticks.
 */
bool lk_find_name_taken(struct lk_txn *txn, uint32_t keyspace, const char *name);
/* As above, by another key than that in `slot`. */
bool lk_find_name_taken_by_other(struct lk_txn *txn, uint32_t keyspace, const char *name, uint64_t slot);

#endif

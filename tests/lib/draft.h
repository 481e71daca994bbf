/*
 * Changes as services build them, for tests that apply them without a service.
 *
 * All live in the arena that is given, which must be large enough: nothing here says when it was not. A record that a
 * function returns may be altered until the Change is applied; applying assigns its number and slot in place.
 */
#ifndef LK_TESTS_LIB_DRAFT_H
#define LK_TESTS_LIB_DRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/core/secret.h"

/* A Change that does nothing yet, by the actor "uid:1000" over "ipc", at LK_FIXTURE_TIME_US. */
Latchkey__Store__Change *lk_draft_new(struct lk_arena *arena);

void lk_draft_expect_tenant(struct lk_arena *arena, Latchkey__Store__Change *change, const char *id, uint64_t revision);
void lk_draft_expect_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision);
void lk_draft_expect_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot, uint64_t revision);
void lk_draft_expect_name_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, const char *name);

void lk_draft_expect_digest_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, const uint8_t digest[static LK_DIGEST_LEN]);
void lk_draft_expect_id_free(struct lk_arena *arena, Latchkey__Store__Change *change, const char *id);
void lk_draft_expect_keyspace_idle(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace);
void lk_draft_expect_tenant_idle(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant);
void lk_draft_expect_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t number, uint64_t revision);

Latchkey__Store__TenantRecord *lk_draft_put_tenant(
	struct lk_arena *arena, Latchkey__Store__Change *change, const char *id);
Latchkey__Store__KeyspaceRecord *lk_draft_put_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id);
/* An active key with an id and a digest like no other's. */
Latchkey__Store__KeyRecord *lk_draft_put_key(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, uint32_t keyspace, const char *name);
/* Puts records that are there already. */
void lk_draft_put_tenant_again(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__TenantRecord *tenant);
void lk_draft_put_keyspace_again(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyspaceRecord *keyspace);
void lk_draft_put_key_again(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyRecord *key);
void lk_draft_delete_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot);
void lk_draft_delete_keyspace(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace);
void lk_draft_delete_tenant(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant);

/* A role of a tenant that grants one permission; and an owner with one limit, of 10 a minute. */
Latchkey__Store__RoleRecord *lk_draft_put_role(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant,
	const char *id, const char *permission);
Latchkey__Store__OwnerRecord *lk_draft_put_owner(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id);
/* Gives a key these roles. The key is not put. */
void lk_draft_roles(struct lk_arena *arena, Latchkey__Store__KeyRecord *key, const uint32_t *roles, size_t count);

/* A job of a tenant, by the actor of the Change, about no key yet; and `count` slots, ascending, as a part of it. */
Latchkey__Store__JobRecord *lk_draft_put_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant);
void lk_draft_put_job_again(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__JobRecord *job);
void lk_draft_put_job_part(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t part, const uint64_t *slots, size_t count);
void lk_draft_delete_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t job);
void lk_draft_delete_job_part(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t job, uint32_t part);

void lk_draft_fold_use(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, uint64_t slot,
	int64_t from_us, int64_t to_us);
/* A call of KeyService/Get by "key:key_1" over "tcp:127.0.0.1:1" that was refused with `code`, a second after the Change. */
Latchkey__Store__NoteRefusal *lk_draft_note_refusal(
	struct lk_arena *arena, Latchkey__Store__Change *change, const char *tenant, uint32_t code);

/* Gives a key a new secret, as Rotate does: the one that it has is good until `until_us`. The key is not put. */
void lk_draft_rotate(struct lk_arena *arena, Latchkey__Store__KeyRecord *key, int64_t until_us);

/* Adds an entry to a key's metadata. */
void lk_draft_metadata(struct lk_arena *arena, Latchkey__Store__KeyRecord *key, const char *name, const char *value);

#endif

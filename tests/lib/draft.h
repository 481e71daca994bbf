/*
 * Changes as services build them, for tests that apply them without a service.
 *
 * All live in the arena that is given, which must be large enough: nothing here says when it was not. A record that a
 * function returns may be altered until the Change is applied; applying assigns its number and slot in place.
 */
#ifndef LK_TESTS_LIB_DRAFT_H
#define LK_TESTS_LIB_DRAFT_H

#include <stdint.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"

/* The most expectations and mutations that one has. */
#define LK_DRAFT_MAX 512

/* A Change that does nothing yet, by the actor "uid:1000" over "ipc", at LK_FIXTURE_TIME_US. */
Latchkey__Store__Change *lk_draft_new(struct lk_arena *arena);

void lk_draft_expect_tenant(struct lk_arena *arena, Latchkey__Store__Change *change, const char *id, uint64_t revision);
void lk_draft_expect_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision);
void lk_draft_expect_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot, uint64_t revision);
void lk_draft_expect_name_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, const char *name);

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

/* Adds an entry to a key's metadata. */
void lk_draft_metadata(struct lk_arena *arena, Latchkey__Store__KeyRecord *key, const char *name, const char *value);

#endif

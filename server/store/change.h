/*
 * Putting Changes together, piece by piece: for what services build (server/service/build.h) and for the store's own work.
 *
 * Each function adds one expectation or mutation to `change`, in the arena, and borrows what it is given. Where the arena is
 * exhausted something is missing: whoever builds looks at arena->exhausted once, at the end, and drops the Change.
 */
#ifndef LK_SERVER_STORE_CHANGE_H
#define LK_SERVER_STORE_CHANGE_H

#include <stdint.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/core/secret.h"

/* What must still hold; see Expectation. Revision 0: there is none. A tenant or keyspace that is closed counts as being there. */
void lk_change_expect_tenant(
	struct lk_arena *arena, Latchkey__Store__Change *change, const char *id, uint64_t revision);
void lk_change_expect_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision);
void lk_change_expect_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot, uint64_t revision);
void lk_change_expect_name_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, const char *name);
void lk_change_expect_digest_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, const uint8_t digest[static LK_DIGEST_LEN]);
void lk_change_expect_id_free(struct lk_arena *arena, Latchkey__Store__Change *change, const char *id);
void lk_change_expect_keyspace_idle(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace);
void lk_change_expect_tenant_idle(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant);
void lk_change_expect_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t number, uint64_t revision);
void lk_change_expect_role(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision);
void lk_change_expect_owner(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision);
void lk_change_expect_role_there(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number);
void lk_change_expect_role_unused(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number);
void lk_change_expect_role_room(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant);

/* What is done; see Mutation. A record without a number, or slot, is new. */
void lk_change_put_tenant(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__TenantRecord *record);
void lk_change_put_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyspaceRecord *record);
void lk_change_put_key(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyRecord *record);
void lk_change_delete_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot);
void lk_change_delete_keyspace(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number);
void lk_change_delete_tenant(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number);
void lk_change_put_job(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__JobRecord *record);
void lk_change_delete_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t number);
/* A part of the job that was put in the same Change before it. */
void lk_change_put_job_part(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t part, Latchkey__Store__JobPartRecord *record);
void lk_change_delete_job_part(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t job, uint32_t part);
/* Nothing happens where the key does not stand at `from_us`; where the key is gone, it is taken out of the index. */
void lk_change_fold_use(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, uint64_t slot,
	int64_t from_us, int64_t to_us);
void lk_change_note_refusal(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__NoteRefusal *refusal);
void lk_change_put_role(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__RoleRecord *record);
void lk_change_delete_role(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number);
void lk_change_put_owner(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__OwnerRecord *record);
void lk_change_delete_owner(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id);

#endif

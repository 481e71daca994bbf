#include "server/store/change.h"

#include <string.h>

/* Room for the first entries of a list of pointers; it doubles whenever it is full. */
#define ROOM_FIRST 8

/* A list of pointers with room for one more behind its `count`; NULL where the arena is exhausted. */
static void *with_room(struct lk_arena *arena, void *list, size_t count)
{
	bool is_full = count == 0 || (count >= ROOM_FIRST && (count & (count - 1)) == 0);

	if (!is_full) {
		return list;
	}
	void **longer = lk_arena_array(arena, count == 0 ? ROOM_FIRST : 2 * count, sizeof *longer);
	if (longer != NULL && count > 0) {
		memcpy(longer, list, count * sizeof *longer);
	}
	return longer;
}

static Latchkey__Store__Expectation *add_expectation(struct lk_arena *arena, Latchkey__Store__Change *change)
{
	Latchkey__Store__Expectation *expectation = lk_arena_alloc(arena, sizeof *expectation);
	Latchkey__Store__Expectation **list = with_room(arena, change->expectations, change->n_expectations);

	if (expectation == NULL || list == NULL) {
		return NULL;
	}
	latchkey__store__expectation__init(expectation);
	change->expectations = list;
	change->expectations[change->n_expectations++] = expectation;
	return expectation;
}

static Latchkey__Store__Mutation *add_mutation(struct lk_arena *arena, Latchkey__Store__Change *change)
{
	Latchkey__Store__Mutation *mutation = lk_arena_alloc(arena, sizeof *mutation);
	Latchkey__Store__Mutation **list = with_room(arena, change->mutations, change->n_mutations);

	if (mutation == NULL || list == NULL) {
		return NULL;
	}
	latchkey__store__mutation__init(mutation);
	change->mutations = list;
	change->mutations[change->n_mutations++] = mutation;
	return mutation;
}

void lk_change_expect_tenant(struct lk_arena *arena, Latchkey__Store__Change *change, const char *id, uint64_t revision)
{
	Latchkey__Store__TenantAt *at = lk_arena_alloc(arena, sizeof *at);
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (at != NULL && expectation != NULL) {
		latchkey__store__tenant_at__init(at);
		at->id = (char *)(uintptr_t)id;
		at->revision = revision;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_TENANT;
		expectation->tenant = at;
	}
}

void lk_change_expect_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision)
{
	Latchkey__Store__KeyspaceAt *at = lk_arena_alloc(arena, sizeof *at);
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (at != NULL && expectation != NULL) {
		latchkey__store__keyspace_at__init(at);
		at->tenant = tenant;
		at->id = (char *)(uintptr_t)id;
		at->revision = revision;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_KEYSPACE;
		expectation->keyspace = at;
	}
}

void lk_change_expect_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot, uint64_t revision)
{
	Latchkey__Store__KeyAt *at = lk_arena_alloc(arena, sizeof *at);
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (at != NULL && expectation != NULL) {
		latchkey__store__key_at__init(at);
		at->slot = slot;
		at->revision = revision;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_KEY;
		expectation->key = at;
	}
}

void lk_change_expect_name_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, const char *name)
{
	Latchkey__Store__NameFree *free_name = lk_arena_alloc(arena, sizeof *free_name);
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (free_name != NULL && expectation != NULL) {
		latchkey__store__name_free__init(free_name);
		free_name->keyspace = keyspace;
		free_name->name = (char *)(uintptr_t)name;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_NAME_FREE;
		expectation->name_free = free_name;
	}
}

void lk_change_expect_digest_free(
	struct lk_arena *arena, Latchkey__Store__Change *change, const uint8_t digest[static LK_DIGEST_LEN])
{
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (expectation != NULL) {
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_DIGEST_FREE;
		expectation->digest_free = (ProtobufCBinaryData){LK_DIGEST_LEN, (uint8_t *)(uintptr_t)digest};
	}
}

void lk_change_expect_id_free(struct lk_arena *arena, Latchkey__Store__Change *change, const char *id)
{
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (expectation != NULL) {
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_ID_FREE;
		expectation->id_free = (char *)(uintptr_t)id;
	}
}

void lk_change_expect_keyspace_idle(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace)
{
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (expectation != NULL) {
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_KEYSPACE_IDLE;
		expectation->keyspace_idle = keyspace;
	}
}

void lk_change_expect_tenant_idle(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant)
{
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (expectation != NULL) {
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_TENANT_IDLE;
		expectation->tenant_idle = tenant;
	}
}

void lk_change_expect_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t number, uint64_t revision)
{
	Latchkey__Store__JobAt *at = lk_arena_alloc(arena, sizeof *at);
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (at != NULL && expectation != NULL) {
		latchkey__store__job_at__init(at);
		at->number = number;
		at->revision = revision;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_JOB;
		expectation->job = at;
	}
}

void lk_change_expect_role(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision)
{
	Latchkey__Store__RoleAt *at = lk_arena_alloc(arena, sizeof *at);
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (at != NULL && expectation != NULL) {
		latchkey__store__role_at__init(at);
		at->tenant = tenant;
		at->id = (char *)(uintptr_t)id;
		at->revision = revision;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_ROLE;
		expectation->role = at;
	}
}

void lk_change_expect_owner(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision)
{
	Latchkey__Store__OwnerAt *at = lk_arena_alloc(arena, sizeof *at);
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (at != NULL && expectation != NULL) {
		latchkey__store__owner_at__init(at);
		at->tenant = tenant;
		at->id = (char *)(uintptr_t)id;
		at->revision = revision;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_OWNER;
		expectation->owner = at;
	}
}

void lk_change_expect_role_there(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number)
{
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (expectation != NULL) {
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_ROLE_THERE;
		expectation->role_there = number;
	}
}

void lk_change_expect_role_unused(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number)
{
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (expectation != NULL) {
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_ROLE_UNUSED;
		expectation->role_unused = number;
	}
}

void lk_change_expect_role_room(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant)
{
	Latchkey__Store__Expectation *expectation = add_expectation(arena, change);

	if (expectation != NULL) {
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_ROLE_ROOM;
		expectation->role_room = tenant;
	}
}

void lk_change_put_tenant(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__TenantRecord *record)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_TENANT;
		mutation->put_tenant = record;
	}
}

void lk_change_put_keyspace(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyspaceRecord *record)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_KEYSPACE;
		mutation->put_keyspace = record;
	}
}

void lk_change_put_key(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__KeyRecord *record)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY;
		mutation->put_key = record;
	}
}

void lk_change_delete_key(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t slot)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_DELETE_KEY;
		mutation->delete_key = slot;
	}
}

void lk_change_delete_keyspace(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_DELETE_KEYSPACE;
		mutation->delete_keyspace = number;
	}
}

void lk_change_delete_tenant(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_DELETE_TENANT;
		mutation->delete_tenant = number;
	}
}

void lk_change_put_job(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__JobRecord *record)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_JOB;
		mutation->put_job = record;
	}
}

void lk_change_delete_job(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t number)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_DELETE_JOB;
		mutation->delete_job = number;
	}
}

void lk_change_put_job_part(
	struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t part, Latchkey__Store__JobPartRecord *record)
{
	Latchkey__Store__PutJobPart *put = lk_arena_alloc(arena, sizeof *put);
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (put != NULL && mutation != NULL) {
		latchkey__store__put_job_part__init(put);
		put->part = part;
		put->record = record;
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_JOB_PART;
		mutation->put_job_part = put;
	}
}

void lk_change_delete_job_part(struct lk_arena *arena, Latchkey__Store__Change *change, uint64_t job, uint32_t part)
{
	Latchkey__Store__JobPartAt *at = lk_arena_alloc(arena, sizeof *at);
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (at != NULL && mutation != NULL) {
		latchkey__store__job_part_at__init(at);
		at->job = job;
		at->part = part;
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_DELETE_JOB_PART;
		mutation->delete_job_part = at;
	}
}

void lk_change_fold_use(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t keyspace, uint64_t slot,
	int64_t from_us, int64_t to_us)
{
	Latchkey__Store__FoldUse *fold = lk_arena_alloc(arena, sizeof *fold);
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (fold != NULL && mutation != NULL) {
		latchkey__store__fold_use__init(fold);
		fold->keyspace = keyspace;
		fold->slot = slot;
		fold->from_us = from_us;
		fold->to_us = to_us;
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_FOLD_USE;
		mutation->fold_use = fold;
	}
}

void lk_change_note_refusal(
	struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__NoteRefusal *refusal)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_NOTE_REFUSAL;
		mutation->note_refusal = refusal;
	}
}

void lk_change_put_role(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__RoleRecord *record)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_ROLE;
		mutation->put_role = record;
	}
}

void lk_change_delete_role(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t number)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_DELETE_ROLE;
		mutation->delete_role = number;
	}
}

void lk_change_put_owner(struct lk_arena *arena, Latchkey__Store__Change *change, Latchkey__Store__OwnerRecord *record)
{
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_OWNER;
		mutation->put_owner = record;
	}
}

void lk_change_delete_owner(struct lk_arena *arena, Latchkey__Store__Change *change, uint32_t tenant, const char *id)
{
	Latchkey__Store__DeleteOwner *owner = lk_arena_alloc(arena, sizeof *owner);
	Latchkey__Store__Mutation *mutation = add_mutation(arena, change);

	if (owner != NULL && mutation != NULL) {
		latchkey__store__delete_owner__init(owner);
		owner->tenant = tenant;
		owner->id = (char *)(uintptr_t)id;
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_DELETE_OWNER;
		mutation->delete_owner = owner;
	}
}

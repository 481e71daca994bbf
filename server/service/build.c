#include "server/service/build.h"

#include <string.h>

/* Room for the first entries of a list of pointers; it doubles whenever it is full. */
#define ROOM_FIRST 8

/* A list of pointers with room for one more behind its `count`; NULL where the arena is exhausted. */
static void *with_room(struct lk_request *request, void *list, size_t count)
{
	bool is_full = count == 0 || (count >= ROOM_FIRST && (count & (count - 1)) == 0);

	if (!is_full) {
		return list;
	}
	void **longer = lk_arena_array(request->arena, count == 0 ? ROOM_FIRST : 2 * count, sizeof *longer);
	if (longer != NULL && count > 0) {
		memcpy(longer, list, count * sizeof *longer);
	}
	return longer;
}

static Latchkey__Store__Expectation *add_expectation(struct lk_request *request, Latchkey__Store__Change *change)
{
	Latchkey__Store__Expectation *expectation = lk_arena_alloc(request->arena, sizeof *expectation);
	Latchkey__Store__Expectation **list = with_room(request, change->expectations, change->n_expectations);

	if (expectation == NULL || list == NULL) {
		return NULL;
	}
	latchkey__store__expectation__init(expectation);
	change->expectations = list;
	change->expectations[change->n_expectations++] = expectation;
	return expectation;
}

static Latchkey__Store__Mutation *add_mutation(struct lk_request *request, Latchkey__Store__Change *change)
{
	Latchkey__Store__Mutation *mutation = lk_arena_alloc(request->arena, sizeof *mutation);
	Latchkey__Store__Mutation **list = with_room(request, change->mutations, change->n_mutations);

	if (mutation == NULL || list == NULL) {
		return NULL;
	}
	latchkey__store__mutation__init(mutation);
	change->mutations = list;
	change->mutations[change->n_mutations++] = mutation;
	return mutation;
}

void lk_build_expect_tenant(
	struct lk_request *request, Latchkey__Store__Change *change, const char *id, uint64_t revision)
{
	Latchkey__Store__TenantAt *at = lk_arena_alloc(request->arena, sizeof *at);
	Latchkey__Store__Expectation *expectation = add_expectation(request, change);

	if (at != NULL && expectation != NULL) {
		latchkey__store__tenant_at__init(at);
		at->id = (char *)(uintptr_t)id;
		at->revision = revision;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_TENANT;
		expectation->tenant = at;
	}
}

void lk_build_expect_keyspace(
	struct lk_request *request, Latchkey__Store__Change *change, uint32_t tenant, const char *id, uint64_t revision)
{
	Latchkey__Store__KeyspaceAt *at = lk_arena_alloc(request->arena, sizeof *at);
	Latchkey__Store__Expectation *expectation = add_expectation(request, change);

	if (at != NULL && expectation != NULL) {
		latchkey__store__keyspace_at__init(at);
		at->tenant = tenant;
		at->id = (char *)(uintptr_t)id;
		at->revision = revision;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_KEYSPACE;
		expectation->keyspace = at;
	}
}

void lk_build_expect_key(struct lk_request *request, Latchkey__Store__Change *change, uint64_t slot, uint64_t revision)
{
	Latchkey__Store__KeyAt *at = lk_arena_alloc(request->arena, sizeof *at);
	Latchkey__Store__Expectation *expectation = add_expectation(request, change);

	if (at != NULL && expectation != NULL) {
		latchkey__store__key_at__init(at);
		at->slot = slot;
		at->revision = revision;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_KEY;
		expectation->key = at;
	}
}

void lk_build_expect_name_free(
	struct lk_request *request, Latchkey__Store__Change *change, uint32_t keyspace, const char *name)
{
	Latchkey__Store__NameFree *free_name = lk_arena_alloc(request->arena, sizeof *free_name);
	Latchkey__Store__Expectation *expectation = add_expectation(request, change);

	if (free_name != NULL && expectation != NULL) {
		latchkey__store__name_free__init(free_name);
		free_name->keyspace = keyspace;
		free_name->name = (char *)(uintptr_t)name;
		expectation->what_case = LATCHKEY__STORE__EXPECTATION__WHAT_NAME_FREE;
		expectation->name_free = free_name;
	}
}

void lk_build_put_tenant(
	struct lk_request *request, Latchkey__Store__Change *change, Latchkey__Store__TenantRecord *record)
{
	Latchkey__Store__Mutation *mutation = add_mutation(request, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_TENANT;
		mutation->put_tenant = record;
	}
}

void lk_build_put_keyspace(
	struct lk_request *request, Latchkey__Store__Change *change, Latchkey__Store__KeyspaceRecord *record)
{
	Latchkey__Store__Mutation *mutation = add_mutation(request, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_KEYSPACE;
		mutation->put_keyspace = record;
	}
}

void lk_build_put_key(struct lk_request *request, Latchkey__Store__Change *change, Latchkey__Store__KeyRecord *record)
{
	Latchkey__Store__Mutation *mutation = add_mutation(request, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY;
		mutation->put_key = record;
	}
}

void lk_build_delete_key(struct lk_request *request, Latchkey__Store__Change *change, uint64_t slot)
{
	Latchkey__Store__Mutation *mutation = add_mutation(request, change);

	if (mutation != NULL) {
		mutation->what_case = LATCHKEY__STORE__MUTATION__WHAT_DELETE_KEY;
		mutation->delete_key = slot;
	}
}

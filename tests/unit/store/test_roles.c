/* Roles, and the limits of owners: what apply does, what it refuses, and what the audit chain says of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/store/change.h"
#include "server/store/find.h"
#include "server/store/rules.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

static Latchkey__Store__Change *draft(struct world *world)
{
	return lk_draft_new(world->arena);
}

static enum lk_err apply(struct world *world, Latchkey__Store__Change *change)
{
	return lk_fixture_apply(world->fixture, change);
}

static Latchkey__Store__RoleRecord *make_role(struct world *world, const char *id)
{
	Latchkey__Store__Change *change = draft(world);
	Latchkey__Store__RoleRecord *role = lk_draft_put_role(world->arena, change, world->tenant, id, "agents:list");

	assert_int_equal(apply(world, change), LK_OK);
	return role;
}

static Latchkey__Store__OwnerRecord *make_owner(struct world *world, const char *id)
{
	Latchkey__Store__Change *change = draft(world);
	Latchkey__Store__OwnerRecord *owner = lk_draft_put_owner(world->arena, change, world->tenant, id);

	assert_int_equal(apply(world, change), LK_OK);
	return owner;
}

static enum lk_err delete_role(struct world *world, uint32_t number)
{
	Latchkey__Store__Change *change = draft(world);

	lk_change_delete_role(world->arena, change, number);
	return apply(world, change);
}

static enum lk_err delete_owner(struct world *world, uint32_t tenant, const char *id)
{
	Latchkey__Store__Change *change = draft(world);

	lk_change_delete_owner(world->arena, change, tenant, id);
	return apply(world, change);
}

static uint64_t use_of(struct world *world, uint32_t role)
{
	struct lk_txn *txn = lk_fixture_snapshot(world->fixture);
	uint64_t use = lk_find_role_use(txn, role);

	assert_int_equal(lk_txn_err(txn), LK_OK);
	return use;
}

static const Latchkey__Store__AuditRecord *last_audit(struct world *world)
{
	struct lk_txn *txn = lk_fixture_snapshot(world->fixture);
	struct lk_key where = lk_key_u64(lk_txn_head(txn)->last_audit);
	struct lk_value value = {0};

	assert_true(lk_txn_get(txn, LK_TABLE_AUDIT, &where, &value));
	const Latchkey__Store__AuditRecord *record = latchkey__store__audit_record__unpack(
		&world->arena->allocator, value.len - LK_DIGEST_LEN, value.data + LK_DIGEST_LEN);
	assert_non_null(record);
	return record;
}

static void test_roles_get_numbers_that_are_never_used_twice(void **state)
{
	struct world world = world_make(state);

	assert_int_equal(make_role(&world, "reader")->number, 1);
	assert_int_equal(make_role(&world, "writer")->number, 2);
	assert_int_equal(delete_role(&world, 2), LK_OK);
	assert_int_equal(make_role(&world, "writer")->number, 3);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(lk_find_role(txn, world.arena, world.tenant, "writer")->number, 3);
	assert_int_equal(lk_find_count_roles(txn, world.tenant), 2);
	assert_int_equal(lk_find_count_roles(txn, world.tenant + 1), 0);
	assert_false(lk_find_has_role(txn, 2));
	/* Without what they permit. */
	assert_int_equal(lk_find_role_number(txn, world.tenant, "writer"), 3);
	assert_int_equal(lk_find_role_number(txn, world.tenant, "nobody"), 0);
	assert_int_equal(lk_find_role_number(txn, world.tenant, "No Id"), 0);
	assert_int_equal(lk_find_role_number(txn, world.tenant + 1, "writer"), 0);
	assert_string_equal(lk_find_role_id(txn, world.arena, 3), "writer");
	assert_null(lk_find_role_id(txn, world.arena, 2));
	assert_int_equal(lk_txn_err(txn), LK_OK);
	world_assert_consistent(world.fixture);
}

static void test_roles_are_found_in_their_tenant_alone(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_tenant(world.fixture, "other");

	(void)make_role(&world, "reader");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_non_null(lk_find_role(txn, world.arena, world.tenant, "reader"));
	assert_null(lk_find_role(txn, world.arena, other, "reader"));
	assert_null(lk_find_role(txn, world.arena, world.tenant, "read"));
	assert_null(lk_find_role(txn, world.arena, world.tenant, "Not an id"));
	assert_int_equal(lk_txn_err(txn), LK_OK);
	/* The same id, in another tenant, is another role. */
	world.tenant = other;
	assert_int_equal(make_role(&world, "reader")->number, 2);
	world_assert_consistent(world.fixture);
}

static void test_roles_change_but_not_in_id_and_tenant(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__RoleRecord *role = make_role(&world, "reader");
	uint64_t revision = role->revision;

	role->description = (char *)(uintptr_t) "Reads";
	Latchkey__Store__Change *change = draft(&world);
	lk_change_put_role(world.arena, change, role);
	assert_int_equal(apply(&world, change), LK_OK);
	const Latchkey__Store__RoleRecord *found = lk_find_role_by_number(
		lk_fixture_snapshot(world.fixture), world.arena, role->number);
	assert_string_equal(found->description, "Reads");
	assert_true(found->revision > revision);
	struct {
		const char *id;
		uint32_t tenant;
		uint32_t number;
	} const bad[] = {
		{"writer", world.tenant, role->number},
		{"reader", world.tenant + 1, role->number},
	};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		Latchkey__Store__RoleRecord copy = *role;
		copy.id = (char *)(uintptr_t)bad[i].id;
		copy.tenant = bad[i].tenant;
		change = draft(&world);
		lk_change_put_role(world.arena, change, &copy);
		assert_int_equal(apply(&world, change), LK_INTERNAL);
	}
	/* One that is not there is not made by it. */
	Latchkey__Store__RoleRecord copy = *role;
	copy.number = 77;
	change = draft(&world);
	lk_change_put_role(world.arena, change, &copy);
	assert_int_equal(apply(&world, change), LK_CORRUPT);
	world_assert_consistent(world.fixture);
}

static void test_roles_and_owners_of_a_closed_tenant_are_not_made(void **state)
{
	struct world world = world_make(state);

	world_close_tenant(&world, "acme");
	Latchkey__Store__Change *change = draft(&world);
	(void)lk_draft_put_role(world.arena, change, world.tenant, "reader", "agents:list");
	assert_int_equal(apply(&world, change), LK_INTERNAL);
	change = draft(&world);
	(void)lk_draft_put_owner(world.arena, change, world.tenant, "alice");
	assert_int_equal(apply(&world, change), LK_INTERNAL);
	world_assert_consistent(world.fixture);
}

static void test_roles_count_the_keys_that_have_them(void **state)
{
	struct world world = world_make(state);
	uint32_t reader = make_role(&world, "reader")->number;
	uint32_t writer = make_role(&world, "writer")->number;
	uint32_t admin = make_role(&world, "admin")->number;
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	Latchkey__Store__KeyRecord *other = world_key(&world, "two");

	lk_draft_roles(world.arena, key, (uint32_t[]){reader, writer}, 2);
	world_put(&world, key);
	lk_draft_roles(world.arena, other, (uint32_t[]){reader}, 1);
	world_put(&world, other);
	assert_int_equal(use_of(&world, reader), 2);
	assert_int_equal(use_of(&world, writer), 1);
	/* What stays is counted no second time, in whatever order. */
	lk_draft_roles(world.arena, key, (uint32_t[]){admin, reader}, 2);
	world_put(&world, key);
	assert_int_equal(use_of(&world, reader), 2);
	assert_int_equal(use_of(&world, writer), 0);
	assert_int_equal(use_of(&world, admin), 1);
	/* A key that is revoked has it still: it is shown with the key. */
	world_revoke(&world, key);
	assert_int_equal(use_of(&world, reader), 2);
	world_delete(&world, key->slot);
	assert_int_equal(use_of(&world, reader), 1);
	assert_int_equal(use_of(&world, admin), 0);
	world_assert_consistent(world.fixture);
}

static void test_roles_of_a_key_are_there_and_distinct(void **state)
{
	struct world world = world_make(state);
	uint32_t reader = make_role(&world, "reader")->number;
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");

	lk_draft_roles(world.arena, key, (uint32_t[]){reader, reader}, 2);
	Latchkey__Store__Change *change = draft(&world);
	lk_draft_put_key_again(world.arena, change, key);
	assert_int_equal(apply(&world, change), LK_INTERNAL);
	lk_draft_roles(world.arena, key, (uint32_t[]){reader + 1}, 1);
	change = draft(&world);
	lk_draft_put_key_again(world.arena, change, key);
	assert_int_equal(apply(&world, change), LK_CORRUPT);
	assert_int_equal(use_of(&world, reader), 0);
	world_assert_consistent(world.fixture);
}

/* A count that is behind its keys is damage, and never goes below 0. */
static void test_roles_are_never_used_less_than_not_at_all(void **state)
{
	struct world world = world_make(state);
	uint32_t reader = make_role(&world, "reader")->number;
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	struct lk_key where = lk_key_u32(reader);
	uint64_t none = 0;
	struct lk_txn *txn = NULL;

	lk_draft_roles(world.arena, key, &reader, 1);
	world_put(&world, key);
	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_put(txn, LK_TABLE_ROLE_USE, &where, &none, sizeof none, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	Latchkey__Store__Change *change = draft(&world);
	lk_draft_delete_key(world.arena, change, key->slot);
	assert_int_equal(apply(&world, change), LK_CORRUPT);
}

static void test_roles_in_use_are_not_deleted(void **state)
{
	struct world world = world_make(state);
	uint32_t reader = make_role(&world, "reader")->number;
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");

	lk_draft_roles(world.arena, key, &reader, 1);
	world_put(&world, key);
	assert_int_equal(delete_role(&world, reader), LK_INTERNAL);
	world_delete(&world, key->slot);
	assert_int_equal(delete_role(&world, reader), LK_OK);
	assert_int_equal(delete_role(&world, reader), LK_CORRUPT);
	world_assert_consistent(world.fixture);
}

static void test_roles_expectations_see_what_moved(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__RoleRecord *role = make_role(&world, "reader");
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	struct {
		uint32_t tenant;
		const char *id;
		uint64_t revision;
		enum lk_err err;
	} const at[] = {
		{world.tenant, "reader", role->revision, LK_OK},
		{world.tenant, "reader", role->revision + 1, LK_MOVED},
		{world.tenant, "reader", 0, LK_MOVED},
		{world.tenant, "writer", 0, LK_OK},
		{world.tenant, "writer", 1, LK_MOVED},
		{world.tenant + 1, "reader", 0, LK_OK},
	};
	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
		Latchkey__Store__Change *change = draft(&world);
		lk_change_expect_role(world.arena, change, at[i].tenant, at[i].id, at[i].revision);
		assert_int_equal(apply(&world, change), at[i].err);
	}
	for (uint32_t number = 1; number <= 2; number++) {
		Latchkey__Store__Change *change = draft(&world);
		lk_change_expect_role_there(world.arena, change, number);
		assert_int_equal(apply(&world, change), number == role->number ? LK_OK : LK_MOVED);
		change = draft(&world);
		lk_change_expect_role_unused(world.arena, change, number);
		assert_int_equal(apply(&world, change), number == role->number ? LK_OK : LK_MOVED);
	}
	lk_draft_roles(world.arena, key, &role->number, 1);
	world_put(&world, key);
	Latchkey__Store__Change *change = draft(&world);
	lk_change_expect_role_unused(world.arena, change, role->number);
	assert_int_equal(apply(&world, change), LK_MOVED);
}

static void test_roles_of_a_tenant_have_a_bound(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = draft(&world);
	char id[16] = "";

	for (int i = 1; i < LK_TENANT_ROLES_MAX; i++) {
		(void)snprintf(id, sizeof id, "role-%d", i);
		(void)lk_draft_put_role(world.arena, change, world.tenant, id, "agents:list");
	}
	assert_int_equal(apply(&world, change), LK_OK);
	/* Of two that were built on the same state, one comes too late. */
	for (int i = 0; i < 2; i++) {
		change = draft(&world);
		(void)snprintf(id, sizeof id, "last-%d", i);
		lk_change_expect_role_room(world.arena, change, world.tenant);
		(void)lk_draft_put_role(world.arena, change, world.tenant, id, "agents:list");
		assert_int_equal(apply(&world, change), i == 0 ? LK_OK : LK_MOVED);
	}
	change = draft(&world);
	lk_change_expect_role_room(world.arena, change, lk_fixture_tenant(world.fixture, "other"));
	assert_int_equal(apply(&world, change), LK_OK);
}

static void test_owners_get_a_slot_of_their_own(void **state)
{
	struct world world = world_make(state);
	uint64_t slot = world_key(&world, "one")->slot;
	const Latchkey__Store__OwnerRecord *owner = make_owner(&world, "Ünal <u@example.org>");
	struct lk_owner_limits limits = {0};

	assert_int_equal(owner->slot, slot + 1);
	assert_int_equal(world_key(&world, "two")->slot, slot + 2);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(lk_txn_head(txn)->owners, 1);
	assert_string_equal(lk_find_owner(txn, world.arena, world.tenant, owner->id)->id, owner->id);
	assert_null(lk_find_owner(txn, world.arena, world.tenant, "Ünal"));
	assert_null(lk_find_owner(txn, world.arena, world.tenant + 1, owner->id));
	assert_true(lk_owner_limits_find(txn, world.tenant, owner->id, strlen(owner->id), &limits));
	assert_int_equal(limits.slot, owner->slot);
	assert_int_equal(limits.rules.n_limits, 1);
	assert_int_equal(lk_rules_limit(&limits.rules, 0).limit, 10);
	world_assert_consistent(world.fixture);
}

static void test_owners_are_changed_in_place_and_deleted(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__OwnerRecord *owner = make_owner(&world, "alice");
	struct lk_owner_limits limits = {0};

	owner->rate_limits[0]->limit = 20;
	Latchkey__Store__Change *change = draft(&world);
	lk_change_put_owner(world.arena, change, owner);
	assert_int_equal(apply(&world, change), LK_OK);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(lk_txn_head(txn)->owners, 1);
	assert_true(lk_owner_limits_find(txn, world.tenant, "alice", 5, &limits));
	assert_int_equal(lk_rules_limit(&limits.rules, 0).limit, 20);
	assert_int_equal(delete_owner(&world, world.tenant + 1, "alice"), LK_CORRUPT);
	assert_int_equal(delete_owner(&world, world.tenant, "alice"), LK_OK);
	assert_int_equal(delete_owner(&world, world.tenant, "alice"), LK_CORRUPT);
	txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(lk_txn_head(txn)->owners, 0);
	assert_false(lk_owner_limits_find(txn, world.tenant, "alice", 5, &limits));
	/* Its slot is never used again: what was charged to it is of nobody. */
	assert_int_equal(make_owner(&world, "alice")->slot, 2);
	world_assert_consistent(world.fixture);
}

static void test_owners_that_are_there_are_not_made_again(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__OwnerRecord *owner = make_owner(&world, "alice");
	Latchkey__Store__Change *change = draft(&world);

	(void)lk_draft_put_owner(world.arena, change, world.tenant, "alice");
	assert_int_equal(apply(&world, change), LK_INTERNAL);
	/* Nor one with the slot of another. */
	owner->slot++;
	change = draft(&world);
	lk_change_put_owner(world.arena, change, owner);
	assert_int_equal(apply(&world, change), LK_INTERNAL);
	world_assert_consistent(world.fixture);
}

/* Another name of the same hash: its record stands there, and is not taken for this owner's. */
static void test_owners_of_the_same_hash_are_told_apart(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__OwnerRecord other = *make_owner(&world, "alice");
	struct lk_key where = lk_key_owner(world.tenant, "bob", 3);
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_put_record(txn, LK_TABLE_OWNER, &where, &other.base, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	assert_null(lk_find_owner(lk_fixture_snapshot(world.fixture), world.arena, world.tenant, "bob"));
	Latchkey__Store__Change *change = draft(&world);
	(void)lk_draft_put_owner(world.arena, change, world.tenant, "bob");
	assert_int_equal(apply(&world, change), LK_INTERNAL);
	assert_int_equal(delete_owner(&world, world.tenant, "bob"), LK_CORRUPT);
}

static void test_owners_expectations_see_what_moved(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__OwnerRecord *owner = make_owner(&world, "alice");
	struct {
		const char *id;
		uint64_t revision;
		enum lk_err err;
	} const at[] = {
		{"alice", owner->revision, LK_OK},
		{"alice", owner->revision - 1, LK_MOVED},
		{"alice", 0, LK_MOVED},
		{"bob", 0, LK_OK},
	};

	for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
		Latchkey__Store__Change *change = draft(&world);
		lk_change_expect_owner(world.arena, change, world.tenant, at[i].id, at[i].revision);
		assert_int_equal(apply(&world, change), at[i].err);
	}
}

static void test_roles_and_owners_are_audited(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__RoleRecord *role = make_role(&world, "reader");
	const Latchkey__Store__AuditRecord *record = last_audit(&world);

	assert_string_equal(record->resource, "roles/reader");
	assert_string_equal(record->tenant, "acme");
	assert_string_equal(record->keyspace, "");
	assert_null(record->before);
	assert_string_equal(record->after->role->permissions[0], "agents:list");
	role->n_permissions = 0;
	Latchkey__Store__Change *change = draft(&world);
	lk_change_put_role(world.arena, change, role);
	assert_int_equal(apply(&world, change), LK_OK);
	record = last_audit(&world);
	assert_int_equal(record->before->role->n_permissions, 1);
	assert_int_equal(record->after->role->n_permissions, 0);
	assert_int_equal(delete_role(&world, role->number), LK_OK);
	record = last_audit(&world);
	assert_string_equal(record->resource, "roles/reader");
	assert_int_equal(record->before->record_case, LATCHKEY__STORE__SNAPSHOT__RECORD_ROLE);
	assert_null(record->after);
	(void)make_owner(&world, "alice/b");
	record = last_audit(&world);
	assert_string_equal(record->resource, "owners/alice/b");
	assert_string_equal(record->tenant, "acme");
	assert_string_equal(record->after->owner->rate_limits[0]->name, "calls");
	assert_int_equal(delete_owner(&world, world.tenant, "alice/b"), LK_OK);
	record = last_audit(&world);
	assert_string_equal(record->before->owner->id, "alice/b");
	assert_null(record->after);
}

/* The reaper removes them first. */
static void test_tenant_with_a_role_or_an_owner_is_not_deleted(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = NULL;

	world.tenant = lk_fixture_tenant(world.fixture, "bare");
	(void)make_owner(&world, "alice");
	(void)make_role(&world, "reader");
	world_close_tenant(&world, "bare");
	for (int left = 2; left >= 0; left--) {
		change = draft(&world);
		lk_draft_delete_tenant(world.arena, change, world.tenant);
		assert_int_equal(apply(&world, change), left > 0 ? LK_INTERNAL : LK_OK);
		if (left == 2) {
			assert_int_equal(delete_role(&world, 1), LK_OK);
		} else if (left == 1) {
			assert_int_equal(delete_owner(&world, world.tenant, "alice"), LK_OK);
		}
	}
	world_assert_consistent(world.fixture);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, lk_fixture_setup, lk_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_roles_get_numbers_that_are_never_used_twice),
		TEST(test_roles_are_found_in_their_tenant_alone),
		TEST(test_roles_change_but_not_in_id_and_tenant),
		TEST(test_roles_and_owners_of_a_closed_tenant_are_not_made),
		TEST(test_roles_count_the_keys_that_have_them),
		TEST(test_roles_of_a_key_are_there_and_distinct),
		TEST(test_roles_are_never_used_less_than_not_at_all),
		TEST(test_roles_in_use_are_not_deleted),
		TEST(test_roles_expectations_see_what_moved),
		TEST(test_roles_of_a_tenant_have_a_bound),
		TEST(test_owners_get_a_slot_of_their_own),
		TEST(test_owners_are_changed_in_place_and_deleted),
		TEST(test_owners_that_are_there_are_not_made_again),
		TEST(test_owners_of_the_same_hash_are_told_apart),
		TEST(test_owners_expectations_see_what_moved),
		TEST(test_roles_and_owners_are_audited),
		TEST(test_tenant_with_a_role_or_an_owner_is_not_deleted),
	};

	return cmocka_run_group_tests_name("store roles", tests, NULL, NULL);
}

#include "server/store/apply.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "server/core/id.h"
#include "server/store/find.h"
#include "server/store/slots.h"
#include "server/store/verdict_record.h"
#include "tests/lib/draft.h"
#include "tests/lib/store_fixture.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_apply_put_tenant_makes_one(void **state)
{
	struct lk_fixture *fixture = *state;
	Latchkey__Store__Change *change = lk_draft_new(&fixture->arena);
	Latchkey__Store__TenantRecord *acme = lk_draft_put_tenant(&fixture->arena, change, "acme");

	lk_draft_expect_tenant(&fixture->arena, change, "acme", 0);
	assert_int_equal(lk_fixture_apply(fixture, change), LK_OK);
	/* Tenant 1 is "system", whose keyspace the second revision made. */
	assert_int_equal(acme->number, 2);
	assert_int_equal(acme->revision, 3);
	struct lk_txn *txn = lk_fixture_snapshot(fixture);
	Latchkey__Store__TenantRecord *found = lk_find_tenant(txn, &fixture->arena, "acme");
	assert_non_null(found);
	assert_int_equal(found->number, 2);
	assert_int_equal(lk_txn_head(txn)->last_tenant, 2);
	assert_int_equal(lk_txn_head(txn)->revision, 3);
	assert_true(world_index_has(txn, LK_TABLE_KEY_COUNTER, lk_key_u32(2), 0));
}

static void test_apply_put_tenant_again_changes_it(void **state)
{
	struct lk_fixture *fixture = *state;
	uint32_t number = lk_fixture_tenant(fixture, "acme");
	Latchkey__Store__TenantRecord *acme = lk_find_tenant(lk_fixture_snapshot(fixture), &fixture->arena, "acme");
	Latchkey__Store__Change *change = lk_draft_new(&fixture->arena);

	acme->display_name = (char *)(uintptr_t) "Acme";
	lk_draft_put_tenant_again(&fixture->arena, change, acme);
	lk_draft_expect_tenant(&fixture->arena, change, "acme", acme->revision);
	assert_int_equal(lk_fixture_apply(fixture, change), LK_OK);
	struct lk_txn *txn = lk_fixture_snapshot(fixture);
	Latchkey__Store__TenantRecord *found = lk_find_tenant(txn, &fixture->arena, "acme");
	assert_string_equal(found->display_name, "Acme");
	assert_int_equal(found->number, number);
	assert_int_equal(found->revision, lk_txn_head(txn)->revision);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_TENANT_BY_ID), 2);
}

static void test_apply_put_keyspace_makes_one_and_its_gate(void **state)
{
	struct lk_fixture *fixture = *state;
	uint32_t tenant = lk_fixture_tenant(fixture, "acme");
	Latchkey__Store__Change *change = lk_draft_new(&fixture->arena);
	Latchkey__Store__KeyspaceRecord *prod = lk_draft_put_keyspace(&fixture->arena, change, tenant, "prod");
	struct lk_gate gate = {0};

	lk_draft_expect_keyspace(&fixture->arena, change, tenant, "prod", 0);
	assert_int_equal(lk_fixture_apply(fixture, change), LK_OK);
	assert_int_equal(prod->number, 2);
	struct lk_txn *txn = lk_fixture_snapshot(fixture);
	assert_non_null(lk_find_keyspace(txn, &fixture->arena, tenant, "prod"));
	assert_true(lk_gate_get(txn, prod->number, &gate));
	assert_int_equal(gate.tenant, tenant);
	assert_string_equal(gate.tenant_id, "acme");
	assert_string_equal(gate.keyspace_id, "prod");
	assert_int_equal(gate.active, 0);
	assert_int_equal(gate.revoked, 0);
}

static void test_apply_put_keyspace_again_leaves_its_gate_alone(void **state)
{
	struct world world = world_make(state);

	world_key(&world, "one");
	Latchkey__Store__KeyspaceRecord *prod = lk_find_keyspace(
		lk_fixture_snapshot(world.fixture), world.arena, world.tenant, "prod");
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	prod->display_name = (char *)(uintptr_t) "Production";
	lk_draft_put_keyspace_again(world.arena, change, prod);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	world_assert_gate(&world, world.keyspace, 1, 0);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_string_equal(lk_find_keyspace(txn, world.arena, world.tenant, "prod")->display_name, "Production");
}

static void test_apply_longest_ids_fit_their_gate(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_gate gate = {0};
	char id[LK_ID_MAX + 1];

	memset(id, 'z', LK_ID_MAX);
	id[LK_ID_MAX] = '\0';
	uint32_t tenant = lk_fixture_tenant(fixture, id);
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, id);
	assert_true(lk_gate_get(lk_fixture_snapshot(fixture), keyspace, &gate));
	assert_string_equal(gate.tenant_id, id);
	assert_string_equal(gate.keyspace_id, id);
}

static void test_apply_new_key_is_in_every_index(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "ci");

	key->expire_us = LK_FIXTURE_TIME_US + 1;
	key->not_before_us = LK_FIXTURE_TIME_US - 1;
	key->tenant_scope = true;
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	assert_int_equal(key->slot, 1);
	assert_int_equal(key->number, 1);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(key->revision, lk_txn_head(txn)->revision);
	assert_int_equal(lk_txn_head(txn)->last_slot, 1);
	world_assert_indexed(txn, key);
	world_assert_consistent(world.fixture);
	world_assert_gate(&world, world.keyspace, 1, 0);
}

static void test_apply_key_without_a_name_stands_before_the_names(void **state)
{
	struct world world = world_make(state);
	struct lk_key first = {0};

	world_key(&world, "a");
	uint64_t slot = world_key(&world, "")->slot;
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEY_BY_NAME);
	assert_true(lk_walk_seek(walk, &first));
	struct lk_key expected = lk_key_by_name(world.keyspace, "", false, slot);
	assert_true(lk_walk_in(walk, &expected));
	lk_walk_free(walk);
	world_assert_consistent(world.fixture);
}

static void test_apply_revoked_key_stays_in_every_index(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	uint64_t slot = key->slot;
	uint64_t revision = key->revision;

	world_key(&world, "other");
	world_revoke(&world, key);
	assert_int_equal(key->slot, slot);
	assert_int_equal(key->number, 1);
	assert_true(key->revision > revision);
	world_assert_indexed(lk_fixture_snapshot(world.fixture), key);
	world_assert_consistent(world.fixture);
	world_assert_gate(&world, world.keyspace, 1, 1);
}

static void test_apply_deleted_key_is_in_no_index(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_verdict verdict;

	world_key(&world, "other");
	world_delete(&world, key->slot);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_key_by_slot(txn, world.arena, key->slot));
	assert_null(lk_find_key(txn, world.arena, world.tenant, key->id));
	assert_null(lk_find_key(txn, world.arena, world.tenant, "1"));
	assert_false(lk_verdict_find(txn, key->digest.data, &verdict));
	assert_false(lk_find_name_taken(txn, world.keyspace, "ci"));
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_KEY_BY_CREATE), 1);
	world_assert_consistent(world.fixture);
	world_assert_gate(&world, world.keyspace, 1, 0);
}

static void test_apply_deleting_a_revoked_key_counts_it_out(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");

	world_revoke(&world, key);
	world_assert_gate(&world, world.keyspace, 0, 1);
	world_delete(&world, key->slot);
	world_assert_gate(&world, world.keyspace, 0, 0);
	world_assert_consistent(world.fixture);
}

static void test_apply_new_name_replaces_the_old_one(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "old");

	key->name = (char *)(uintptr_t) "new";
	world_put(&world, key);
	world_assert_consistent(world.fixture);
	key->name = (char *)(uintptr_t) "";
	world_put(&world, key);
	world_assert_consistent(world.fixture);
	assert_false(lk_find_name_taken(lk_fixture_snapshot(world.fixture), world.keyspace, "old"));
	assert_false(lk_find_name_taken(lk_fixture_snapshot(world.fixture), world.keyspace, "new"));
}

static void test_apply_new_digest_replaces_the_old_one(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	uint8_t old[LK_DIGEST_LEN];
	struct lk_verdict verdict;

	memcpy(old, key->digest.data, sizeof old);
	key->digest.data[0] ^= 1;
	world_put(&world, key);
	world_assert_consistent(world.fixture);
	assert_false(lk_verdict_find(lk_fixture_snapshot(world.fixture), old, &verdict));
}

static void test_apply_numbers_and_slots_are_never_used_again(void **state)
{
	struct world world = world_make(state);

	for (uint64_t i = 1; i <= 5; i++) {
		Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
		assert_int_equal(key->slot, i);
		assert_int_equal(key->number, i);
		world_delete(&world, key->slot);
	}
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_KEY), 0);
	/* Nor after a restart. */
	lk_fixture_close(world.fixture);
	assert_int_equal(lk_fixture_open(world.fixture), LK_OK);
	assert_int_equal(world_key(&world, "ci")->slot, 6);
}

static void test_apply_numbers_count_by_tenant_and_slots_by_store(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_tenant(world.fixture, "other");
	uint32_t keyspace = lk_fixture_keyspace(world.fixture, other, "prod");
	uint32_t second = lk_fixture_keyspace(world.fixture, world.tenant, "test");

	world_key(&world, "a");
	const Latchkey__Store__KeyRecord *theirs = lk_fixture_key(world.fixture, other, keyspace, "a");
	const Latchkey__Store__KeyRecord *ours = lk_fixture_key(world.fixture, world.tenant, second, "a");
	assert_int_equal(theirs->number, 1);
	assert_int_equal(theirs->slot, 2);
	assert_int_equal(ours->number, 2);
	assert_int_equal(ours->slot, 3);
	world_assert_gate(&world, keyspace, 1, 0);
	world_assert_gate(&world, second, 1, 0);
	world_assert_consistent(world.fixture);
}

static void test_apply_many_mutations_are_one_revision(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	uint64_t before = lk_txn_head(lk_fixture_snapshot(world.fixture))->revision;
	Latchkey__Store__KeyRecord *keys[100];

	for (size_t i = 0; i < COUNT(keys); i++) {
		keys[i] = lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "");
	}
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(lk_txn_head(txn)->revision, before + 1);
	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_int_equal(keys[i]->slot, i + 1);
		assert_int_equal(keys[i]->revision, before + 1);
	}
	world_assert_consistent(world.fixture);
	world_assert_gate(&world, world.keyspace, COUNT(keys), 0);
}

/* One change may make a key, change it and delete it again. */
static void test_apply_mutations_of_one_key_follow_one_another(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "ci");

	lk_draft_put_key_again(world.arena, change, key);
	lk_draft_delete_key(world.arena, change, 1);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	world_assert_consistent(world.fixture);
	world_assert_gate(&world, world.keyspace, 0, 0);
}

static void assert_leaves_nothing(struct world *world, Latchkey__Store__Change *change, enum lk_err expected)
{
	uint8_t before[LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];

	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world->fixture), before), LK_OK);
	assert_int_equal(lk_fixture_apply(world->fixture, change), expected);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world->fixture), after), LK_OK);
	assert_memory_equal(before, after, sizeof before);
	/* And the next change finds everything in order. */
	world_key(world, "");
	world_assert_consistent(world->fixture);
}

static void test_apply_failing_in_its_middle_leaves_nothing(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "one");
	lk_draft_put_tenant(world.arena, change, "acme");
	assert_leaves_nothing(&world, change, LK_ALREADY_EXISTS);
}

static void test_apply_delete_of_no_key_is_corrupt_and_leaves_nothing(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "one");
	lk_draft_delete_key(world.arena, change, 77);
	assert_leaves_nothing(&world, change, LK_CORRUPT);
}

/* A put without its expectation, of a key that was deleted meanwhile. */
static void test_apply_deleted_key_does_not_come_back(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	world_delete(&world, key->slot);
	lk_draft_put_key_again(world.arena, change, key);
	assert_leaves_nothing(&world, change, LK_CORRUPT);
}

static void test_apply_key_whose_digest_is_none_is_refused(void **state)
{
	static const size_t lengths[] = {0, 8, 31, 33};
	struct world world = world_make(state);

	for (size_t i = 0; i < COUNT(lengths); i++) {
		Latchkey__Store__Change *change = lk_draft_new(world.arena);
		Latchkey__Store__KeyRecord *key = lk_draft_put_key(
			world.arena, change, world.tenant, world.keyspace, "one");
		key->digest.len = lengths[i];
		assert_leaves_nothing(&world, change, LK_INTERNAL);
	}
}

static void test_apply_stored_key_whose_digest_is_none_is_corrupt(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	struct lk_key where = lk_key_u64(key->slot);
	struct lk_txn *txn = NULL;

	key->digest.len = 4;
	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_put_record(txn, LK_TABLE_KEY, &where, &key->base, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	lk_draft_delete_key(world.arena, change, key->slot);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_CORRUPT);
	txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_key(txn, world.arena, world.tenant, key->id));
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
}

/* Where no slot is left, keys can still be revoked and deleted, and nothing else becomes impossible. */
static void test_apply_without_a_free_slot_makes_no_key_and_ends_those_there_are(void **state)
{
	struct lk_fixture *fixture = *state;

	fixture->options.max_slots = 3;
	lk_fixture_close(fixture);
	assert_int_equal(lk_fixture_open(fixture), LK_OK);
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *first = world_key(&world, "one");
	world_key(&world, "two");
	Latchkey__Store__Change *two = lk_draft_new(world.arena);
	lk_draft_put_key(world.arena, two, world.tenant, world.keyspace, "three");
	lk_draft_put_key(world.arena, two, world.tenant, world.keyspace, "four");
	assert_int_equal(lk_fixture_apply(fixture, two), LK_FULL);
	world_key(&world, "three");
	assert_null(lk_fixture_key(fixture, world.tenant, world.keyspace, "four"));
	world_revoke(&world, first);
	world_delete(&world, 2);
	assert_int_not_equal(lk_fixture_keyspace(fixture, world.tenant, "test"), 0);
	/* A slot that was let go is not free. */
	assert_null(lk_fixture_key(fixture, world.tenant, world.keyspace, "four"));
	world_assert_consistent(fixture);
	world_assert_gate(&world, world.keyspace, 1, 1);
}

static void test_apply_key_of_an_id_that_is_there_leaves_nothing(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *there = world_key(&world, "one");
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "two")->id = there->id;
	assert_leaves_nothing(&world, change, LK_ALREADY_EXISTS);
}

static void test_apply_exhausted_arena_leaves_nothing(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	struct lk_arena small = {0};
	uint8_t before[LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world.fixture), before), LK_OK);
	enum lk_err err = LK_NO_MEMORY;
	/* Wherever in the change memory ends: 64 bytes more each time, until it is enough. */
	for (size_t size = 64; err == LK_NO_MEMORY && size < 1 << 16; size += 64) {
		Latchkey__Store__Change *change = lk_draft_new(world.arena);
		lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "two");
		lk_draft_put_key_again(world.arena, change, key);
		assert_int_equal(lk_arena_init(&small, size, size), LK_OK);
		assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
		err = lk_apply_do(txn, &small, change);
		lk_arena_done(&small);
		lk_write_abort(txn);
		assert_true(err == LK_OK || err == LK_NO_MEMORY);
		assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world.fixture), after), LK_OK);
		assert_memory_equal(before, after, sizeof before);
	}
	assert_int_equal(err, LK_OK);
}

/* Everything that a Change makes follows from it and the tables: a replica that applies the same ones is the same. */
static void test_apply_same_changes_make_the_same_tables(void **state)
{
	static const char *const keys[] = {"verify.key", "seal.key"};
	struct world world = world_make(state);
	struct lk_fixture other;
	uint8_t here[LK_DIGEST_LEN];
	uint8_t there[LK_DIGEST_LEN];
	char from[256];
	char to[256];

	assert_int_equal(lk_fixture_init(&other), 0);
	/* The chain's hashes are keyed: the other store is made with the same keys. */
	assert_int_equal(lk_fixture_open(&other), LK_OK);
	lk_fixture_close(&other);
	for (size_t i = 0; i < COUNT(keys); i++) {
		lk_fixture_path(world.fixture, keys[i], sizeof from, from);
		lk_fixture_path(&other, keys[i], sizeof to, to);
		assert_int_equal(unlink(to), 0);
		assert_int_equal(link(from, to), 0);
	}
	lk_fixture_path(&other, "data.mdb", sizeof to, to);
	assert_int_equal(unlink(to), 0);
	assert_int_equal(lk_fixture_open(&other), LK_OK);
	assert_int_equal(lk_fixture_tenant(&other, "acme"), world.tenant);
	assert_int_equal(lk_fixture_keyspace(&other, world.tenant, "prod"), world.keyspace);

	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	key->slot = 0;
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	lk_draft_put_key_again(world.arena, change, key);
	assert_int_equal(lk_fixture_apply(&other, change), LK_OK);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world.fixture), here), LK_OK);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(&other), there), LK_OK);
	lk_fixture_done(&other);
	assert_memory_equal(here, there, sizeof here);
}

/* Changes whatever of a key may change, as `choice` says. */
static void change_key(struct world *world, Latchkey__Store__KeyRecord *key, const uint8_t choice[static 8])
{
	static const char *const names[] = {"", "a", "b", "ab"};
	static const Latchkey__Store__StoredState states[] = {LK_ACTIVE, LK_SUSPENDED, LK_REVOKED};

	key->name = (char *)(uintptr_t)names[choice[1] % COUNT(names)];
	key->owner = (char *)(uintptr_t)names[choice[4] % COUNT(names)];
	key->state = states[choice[3] % COUNT(states)];
	key->expire_us = choice[5] % 3 * INT64_C(1000);
	key->tenant_scope = choice[5] & 1;
	if (choice[6] % 3 == 0) {
		lk_draft_rotate(world->arena, key, choice[6]);
	} else if (choice[6] % 3 == 1) {
		key->previous_digest = (ProtobufCBinaryData){0};
		key->previous_until_us = 0;
	}
	key->secret_kind = (Latchkey__Store__SecretKind)(choice[7] % 3);
}

/* Creates, changes, rotates, folds and deletes keys at random, in two keyspaces; indexes and counters follow throughout. */
static void test_apply_random_changes_keep_everything_consistent(void **state)
{
	struct world world = world_make(state);
	uint32_t keyspaces[] = {world.keyspace, lk_fixture_keyspace(world.fixture, world.tenant, "test")};
	Latchkey__Store__KeyRecord *keys[24] = {0};
	uint8_t choice[8];

	for (int round = 0; round < 400; round++) {
		uint8_t seed[randombytes_SEEDBYTES] = {(uint8_t)round, (uint8_t)(round >> 8)};
		randombytes_buf_deterministic(choice, sizeof choice, seed);
		Latchkey__Store__KeyRecord **key = &keys[choice[0] % COUNT(keys)];
		if (*key == NULL) {
			*key = lk_fixture_key(world.fixture, world.tenant, keyspaces[choice[2] % 2], "new");
			assert_non_null(*key);
		} else if (choice[2] % 4 == 0) {
			world_delete(&world, (*key)->slot);
			*key = NULL;
		} else if (choice[2] % 4 == 1) {
			Latchkey__Store__Change *fold = lk_draft_new(world.arena);
			lk_draft_fold_use(world.arena, fold, (*key)->keyspace, (*key)->slot, 0, round + 1);
			assert_int_equal(lk_fixture_apply(world.fixture, fold), LK_OK);
		} else {
			change_key(&world, *key, choice);
			world_put(&world, *key);
		}
		if (round % 20 == 19) {
			world_assert_consistent(world.fixture);
		}
	}
}

static void test_apply_largest_key_fits(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	char name[LK_NAME_MAX * 4 + 1];
	char value[4001];

	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	for (size_t i = 0; i < LK_NAME_MAX; i++) {
		memcpy(name + 4 * i, "\xf0\x9f\x94\x91", 4);
	}
	name[sizeof name - 1] = '\0';
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, name);
	lk_draft_metadata(world.arena, key, "k", value);
	key->owner = name;
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	world_assert_consistent(world.fixture);
	assert_true(lk_find_name_taken(lk_fixture_snapshot(world.fixture), world.keyspace, name));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_apply_put_tenant_makes_one),
		TEST(test_apply_put_tenant_again_changes_it),
		TEST(test_apply_put_keyspace_makes_one_and_its_gate),
		TEST(test_apply_put_keyspace_again_leaves_its_gate_alone),
		TEST(test_apply_longest_ids_fit_their_gate),
		TEST(test_apply_new_key_is_in_every_index),
		TEST(test_apply_key_without_a_name_stands_before_the_names),
		TEST(test_apply_revoked_key_stays_in_every_index),
		TEST(test_apply_deleted_key_is_in_no_index),
		TEST(test_apply_deleting_a_revoked_key_counts_it_out),
		TEST(test_apply_new_name_replaces_the_old_one),
		TEST(test_apply_new_digest_replaces_the_old_one),
		TEST(test_apply_numbers_and_slots_are_never_used_again),
		TEST(test_apply_numbers_count_by_tenant_and_slots_by_store),
		TEST(test_apply_many_mutations_are_one_revision),
		TEST(test_apply_mutations_of_one_key_follow_one_another),
		TEST(test_apply_failing_in_its_middle_leaves_nothing),
		TEST(test_apply_delete_of_no_key_is_corrupt_and_leaves_nothing),
		TEST(test_apply_deleted_key_does_not_come_back),
		TEST(test_apply_key_whose_digest_is_none_is_refused),
		TEST(test_apply_stored_key_whose_digest_is_none_is_corrupt),
		TEST(test_apply_without_a_free_slot_makes_no_key_and_ends_those_there_are),
		TEST(test_apply_key_of_an_id_that_is_there_leaves_nothing),
		TEST(test_apply_exhausted_arena_leaves_nothing),
		TEST(test_apply_same_changes_make_the_same_tables),
		TEST(test_apply_random_changes_keep_everything_consistent),
		TEST(test_apply_largest_key_fits),
	};

	return cmocka_run_group_tests_name("store apply", tests, NULL, NULL);
}

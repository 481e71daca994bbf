#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "server/store/find.h"
#include "server/store/verdict_record.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define MINTED  LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_MINTED
#define FOREIGN LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_FOREIGN
#define SHA256  LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256

#define SOON_US (LK_FIXTURE_TIME_US + 5)

static bool find(struct world *world, const uint8_t *digest, struct lk_verdict *ret_verdict)
{
	return lk_verdict_find(lk_fixture_snapshot(world->fixture), digest, ret_verdict);
}

static void rotate(struct world *world, Latchkey__Store__KeyRecord *key, int64_t until_us)
{
	lk_draft_rotate(world->arena, key, until_us);
	world_put(world, key);
	world_assert_consistent(world->fixture);
}

static void test_rotated_key_is_found_by_both_secrets(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	const uint8_t *first = key->digest.data;
	struct lk_verdict verdict;

	rotate(&world, key, SOON_US);
	assert_true(find(&world, first, &verdict));
	assert_int_equal(verdict.head.flags, LK_VERDICT_REPLACED);
	assert_true(verdict.replaced_until_us == SOON_US);
	struct lk_verdict_facts facts = lk_verdict_facts_of(&verdict);
	assert_true(facts.replaced);
	assert_true(facts.replaced_until_us == SOON_US);
	assert_true(find(&world, key->digest.data, &verdict));
	assert_int_equal(verdict.head.flags, 0);
	facts = lk_verdict_facts_of(&verdict);
	assert_false(facts.replaced);
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_VERDICT), 2);
	world_assert_gate(&world, world.keyspace, 1, 0);
}

static void test_rotating_twice_ends_the_oldest(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	const uint8_t *first = key->digest.data;
	struct lk_verdict verdict;

	rotate(&world, key, SOON_US);
	const uint8_t *second = key->digest.data;
	rotate(&world, key, SOON_US + 1);
	assert_false(find(&world, first, &verdict));
	assert_true(find(&world, second, &verdict));
	assert_true(verdict.replaced_until_us == SOON_US + 1);
	assert_true(find(&world, key->digest.data, &verdict));
	/* The replaced one may be dropped without another in its place. */
	key->previous_digest = (ProtobufCBinaryData){0};
	key->previous_until_us = 0;
	world_put(&world, key);
	world_assert_consistent(world.fixture);
	assert_false(find(&world, second, &verdict));
}

/* What changes in a key changes for both of its secrets. */
static void test_both_secrets_follow_the_key(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_verdict verdicts[2];
	size_t lens[2] = {0};

	rotate(&world, key, SOON_US);
	key->state = LK_SUSPENDED;
	key->expire_us = SOON_US + 9;
	key->owner = (char *)(uintptr_t) "somebody else";
	world_put(&world, key);
	world_assert_consistent(world.fixture);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_true(lk_verdict_find(txn, key->digest.data, &verdicts[0]));
	assert_true(lk_verdict_find(txn, key->previous_digest.data, &verdicts[1]));
	const uint8_t *one = lk_verdict_identity(&verdicts[0], &lens[0]);
	const uint8_t *other = lk_verdict_identity(&verdicts[1], &lens[1]);
	assert_int_equal(lens[0], lens[1]);
	assert_memory_equal(one, other, lens[0]);
	assert_int_equal(verdicts[1].head.state, LK_SUSPENDED);
}

static void test_deleted_key_is_found_by_neither_secret(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_verdict verdict;

	rotate(&world, key, SOON_US);
	world_delete(&world, key->slot);
	world_assert_consistent(world.fixture);
	assert_false(find(&world, key->digest.data, &verdict));
	assert_false(find(&world, key->previous_digest.data, &verdict));
}

/* Rotating back to the secret before swaps what the two records are. */
static void test_secrets_may_change_places(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_verdict verdict;

	rotate(&world, key, SOON_US);
	ProtobufCBinaryData digest = key->digest;
	key->digest = key->previous_digest;
	key->previous_digest = digest;
	world_put(&world, key);
	world_assert_consistent(world.fixture);
	assert_true(find(&world, digest.data, &verdict));
	assert_int_equal(verdict.head.flags, LK_VERDICT_REPLACED);
}

static void test_root_keys_replaced_secret_carries_its_grant(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;
	char *methods[] = {(char *)(uintptr_t) "keys.verify"};
	struct lk_verdict verdict;

	grant.methods = methods;
	grant.n_methods = 1;
	key->grant = &grant;
	rotate(&world, key, SOON_US);
	assert_true(find(&world, key->previous_digest.data, &verdict));
	assert_int_equal(verdict.head.grant_len, latchkey__store__grant_record__get_packed_size(&grant));
	assert_true(verdict.replaced_until_us == SOON_US);
	Latchkey__Store__GrantRecord *read = latchkey__store__grant_record__unpack(
		&world.arena->allocator, verdict.head.grant_len, verdict.grant);
	assert_non_null(read);
	assert_string_equal(read->methods[0], "keys.verify");
}

/* Two secrets of two keys, all of whose digests begin with the same 8 bytes. */
static void test_clashing_secrets_are_each_found_and_each_removed(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *keys[2];
	uint8_t digests[4][LK_DIGEST_LEN];
	struct lk_verdict verdict;

	memset(digests, 0xc1, sizeof digests);
	for (uint8_t i = 0; i < 4; i++) {
		digests[i][LK_DIGEST_LEN - 1] = i;
	}
	for (size_t i = 0; i < COUNT(keys); i++) {
		keys[i] = world_key(&world, "ci");
		memcpy(keys[i]->digest.data, digests[2 * i], LK_DIGEST_LEN);
		world_put(&world, keys[i]);
		lk_draft_rotate(world.arena, keys[i], SOON_US + (int64_t)i);
		memcpy(keys[i]->digest.data, digests[2 * i + 1], LK_DIGEST_LEN);
		world_put(&world, keys[i]);
	}
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_VERDICT), 1);
	for (size_t i = 0; i < COUNT(digests); i++) {
		assert_true(find(&world, digests[i], &verdict));
		assert_int_equal(verdict.head.slot, keys[i / 2]->slot);
		assert_true(verdict.replaced_until_us == (i % 2 == 0 ? SOON_US + (int64_t)(i / 2) : 0));
	}
	/* Again: the first of the four ends, those of the other key stay. */
	lk_draft_rotate(world.arena, keys[0], SOON_US);
	world_put(&world, keys[0]);
	assert_false(find(&world, digests[0], &verdict));
	assert_true(find(&world, digests[1], &verdict));
	assert_true(verdict.replaced_until_us == SOON_US);
	world_delete(&world, keys[0]->slot);
	assert_false(find(&world, digests[1], &verdict));
	assert_true(find(&world, digests[2], &verdict));
	assert_true(find(&world, digests[3], &verdict));
	world_delete(&world, keys[1]->slot);
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_VERDICT), 0);
}

static void assert_refused(struct world *world, Latchkey__Store__KeyRecord *key, enum lk_err expected)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	uint8_t before[LK_DIGEST_LEN];
	uint8_t after[LK_DIGEST_LEN];

	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world->fixture), before), LK_OK);
	lk_draft_put_key_again(world->arena, change, key);
	assert_int_equal(lk_fixture_apply(world->fixture, change), expected);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(world->fixture), after), LK_OK);
	assert_memory_equal(before, after, sizeof before);
}

/* One token would stand for two keys: what adds a digest must have expected it to be free. */
static void test_digest_of_another_key_is_refused(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *there = world_key(&world, "there");
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_verdict verdict;

	rotate(&world, there, SOON_US);
	const ProtobufCBinaryData taken[] = {there->digest, there->previous_digest};
	for (size_t i = 0; i < COUNT(taken); i++) {
		/* As a new key's, as an old one's new secret, and as its replaced one. */
		Latchkey__Store__KeyRecord other = *key;
		other.digest = taken[i];
		assert_refused(&world, &other, LK_INTERNAL);
		other = *key;
		other.previous_digest = taken[i];
		assert_refused(&world, &other, LK_INTERNAL);
		Latchkey__Store__Change *change = lk_draft_new(world.arena);
		lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "new")->digest = taken[i];
		assert_int_equal(lk_fixture_apply(world.fixture, change), LK_INTERNAL);
		assert_true(find(&world, taken[i].data, &verdict));
		assert_int_equal(verdict.head.slot, there->slot);
	}
	world_assert_consistent(world.fixture);
}

static void test_replaced_secret_that_is_none_is_refused(void **state)
{
	static const size_t lengths[] = {1, 8, 31, 33};
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");

	for (size_t i = 0; i < COUNT(lengths); i++) {
		Latchkey__Store__KeyRecord other = *key;
		lk_draft_rotate(world.arena, &other, SOON_US);
		other.previous_digest.len = lengths[i];
		assert_refused(&world, &other, LK_INTERNAL);
	}
	/* Nor the one that it has. */
	Latchkey__Store__KeyRecord other = *key;
	other.previous_digest = key->digest;
	assert_refused(&world, &other, LK_INTERNAL);
	world_assert_consistent(world.fixture);
}

static void test_stored_key_whose_replaced_secret_is_none_is_corrupt(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_key where = lk_key_u64(key->slot);
	struct lk_txn *txn = NULL;

	lk_draft_rotate(world.arena, key, SOON_US);
	key->previous_digest.len = 8;
	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_put_record(txn, LK_TABLE_KEY, &where, &key->base, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_key_by_slot(txn, world.arena, key->slot));
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
}

static void assert_imports(struct world *world, uint64_t foreign, uint64_t sha256)
{
	const struct lk_head *head = lk_txn_head(lk_fixture_snapshot(world->fixture));

	assert_int_equal(head->foreign_secrets, foreign);
	assert_int_equal(head->sha256_secrets, sha256);
	world_assert_consistent(world->fixture);
}

static Latchkey__Store__KeyRecord *import(struct world *world, Latchkey__Store__SecretKind kind)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world->arena, change, world->tenant, world->keyspace, "k");

	key->secret_kind = kind;
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return key;
}

/* Imported secrets are counted as long as they stand, replaced ones and those of revoked keys too. */
static void test_imported_secrets_are_counted(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *foreign = import(&world, FOREIGN);
	Latchkey__Store__KeyRecord *sha256 = import(&world, SHA256);

	import(&world, MINTED);
	assert_imports(&world, 1, 1);
	lk_draft_rotate(world.arena, foreign, SOON_US);
	world_put(&world, foreign);
	assert_imports(&world, 1, 1);
	lk_draft_rotate(world.arena, foreign, SOON_US);
	world_put(&world, foreign);
	assert_imports(&world, 0, 1);
	world_revoke(&world, sha256);
	assert_imports(&world, 0, 1);
	world_delete(&world, sha256->slot);
	assert_imports(&world, 0, 0);
}

static void test_deleting_a_key_counts_its_replaced_import_out(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = import(&world, SHA256);
	struct lk_verdict verdict;

	lk_draft_rotate(world.arena, key, SOON_US);
	world_put(&world, key);
	assert_imports(&world, 0, 1);
	assert_true(find(&world, key->previous_digest.data, &verdict));
	assert_int_equal(verdict.head.flags, LK_VERDICT_REPLACED | LK_VERDICT_SHA256);
	world_delete(&world, key->slot);
	assert_imports(&world, 0, 0);
}

/* Of a key that has no record of one of its secrets, nothing is changed or removed. */
static void test_secret_without_its_record_is_corrupt(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_txn *txn = NULL;

	rotate(&world, key, SOON_US);
	struct lk_key where = lk_key_verdict(key->previous_digest.data);
	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_delete(txn, LK_TABLE_VERDICT, &where);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	assert_refused(&world, key, LK_CORRUPT);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	lk_draft_delete_key(world.arena, change, key->slot);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rotated_key_is_found_by_both_secrets),
		TEST(test_rotating_twice_ends_the_oldest),
		TEST(test_both_secrets_follow_the_key),
		TEST(test_deleted_key_is_found_by_neither_secret),
		TEST(test_secrets_may_change_places),
		TEST(test_root_keys_replaced_secret_carries_its_grant),
		TEST(test_clashing_secrets_are_each_found_and_each_removed),
		TEST(test_digest_of_another_key_is_refused),
		TEST(test_replaced_secret_that_is_none_is_refused),
		TEST(test_stored_key_whose_replaced_secret_is_none_is_corrupt),
		TEST(test_imported_secrets_are_counted),
		TEST(test_deleting_a_key_counts_its_replaced_import_out),
		TEST(test_secret_without_its_record_is_corrupt),
	};

	return cmocka_run_group_tests_name("store apply secret", tests, NULL, NULL);
}

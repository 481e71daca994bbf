#include "server/store/find.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/core/text.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_find_tenant_by_id_and_by_number(void **state)
{
	struct world world = world_make(state);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);

	assert_int_equal(lk_find_tenant(txn, world.arena, "acme")->number, world.tenant);
	assert_string_equal(lk_find_tenant_by_number(txn, world.arena, world.tenant)->id, "acme");
	assert_null(lk_find_tenant(txn, world.arena, "acm"));
	assert_null(lk_find_tenant(txn, world.arena, "acmee"));
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_find_keyspace_in_its_tenant_alone(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_tenant(world.fixture, "other");
	uint32_t theirs = lk_fixture_keyspace(world.fixture, other, "prod");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);

	assert_int_equal(lk_find_keyspace(txn, world.arena, world.tenant, "prod")->number, world.keyspace);
	assert_int_equal(lk_find_keyspace(txn, world.arena, other, "prod")->number, theirs);
	assert_null(lk_find_keyspace(txn, world.arena, 1, "prod"));
	assert_null(lk_find_keyspace(txn, world.arena, world.tenant, "pro"));
	assert_true(lk_find_has_keyspace(txn, other, "prod"));
	assert_false(lk_find_has_keyspace(txn, 1, "prod"));
	assert_string_equal(lk_find_keyspace_by_number(txn, world.arena, theirs)->id, "prod");
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

/* A text that can be no id names nothing; it must not reach LMDB, whose keys have 1 to 511 bytes. */
static void test_find_what_is_no_id_finds_nothing(void **state)
{
	struct world world = world_make(state);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	char text[5000];
	static const size_t lengths[] = {0, 64, 400, 428, 429, 432, 433, 511, 512, sizeof text - 1};

	for (size_t i = 0; i < COUNT(lengths); i++) {
		memset(text, 'a', lengths[i]);
		text[lengths[i]] = '\0';
		assert_null(lk_find_tenant(txn, world.arena, text));
		assert_null(lk_find_keyspace(txn, world.arena, world.tenant, text));
		assert_false(lk_find_has_keyspace(txn, world.tenant, text));
		assert_null(lk_find_key(txn, world.arena, world.tenant, text));
		assert_false(lk_find_name_taken(txn, world.keyspace, text));
		assert_int_equal(lk_txn_err(txn), LK_OK);
	}
}

static void test_find_key_by_id_by_number_and_by_slot(void **state)
{
	struct world world = world_make(state);
	char number[32];

	world_key(&world, "one");
	const Latchkey__Store__KeyRecord *key = world_key(&world, "two");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	(void)snprintf(number, sizeof number, "%lu", (unsigned long)key->number);
	assert_string_equal(lk_find_key(txn, world.arena, world.tenant, key->id)->name, "two");
	assert_string_equal(lk_find_key(txn, world.arena, world.tenant, number)->name, "two");
	assert_string_equal(lk_find_key_by_slot(txn, world.arena, key->slot)->name, "two");
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_find_slot_of_an_id_of_whatever_tenant(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_tenant(world.fixture, "other");
	uint32_t theirs = lk_fixture_keyspace(world.fixture, other, "prod");
	const Latchkey__Store__KeyRecord *keys[] = {
		world_key(&world, "ci"), lk_fixture_key(world.fixture, other, theirs, "ci")};
	static const char *const none[] = {"", "1", "key_", "key_00000000000000000000000000", "no id at all"};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		assert_int_equal(lk_find_slot_of_id(txn, keys[i]->id), keys[i]->slot);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(lk_find_slot_of_id(lk_fixture_snapshot(world.fixture), none[i]), 0);
	}
}

static void test_find_key_that_is_none_finds_nothing(void **state)
{
	static const char *const texts[] = {"0", "2", "01", "-1", "+1", " 1", "1 ", "18446744073709551615",
		"18446744073709551616", "key_", "key_00000000000000000000000000", "KEY_00000000000000000000000000"};
	struct world world = world_make(state);

	world_key(&world, "one");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_null(lk_find_key(txn, world.arena, world.tenant, texts[i]));
		assert_int_equal(lk_txn_err(txn), LK_OK);
	}
	assert_null(lk_find_key_by_slot(txn, world.arena, 0));
	assert_null(lk_find_key_by_slot(txn, world.arena, 2));
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_find_key_of_another_tenant_finds_nothing(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_tenant(world.fixture, "other");
	uint32_t keyspace = lk_fixture_keyspace(world.fixture, other, "prod");
	const Latchkey__Store__KeyRecord *ours = world_key(&world, "ours");
	const Latchkey__Store__KeyRecord *theirs = lk_fixture_key(world.fixture, other, keyspace, "theirs");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);

	assert_null(lk_find_key(txn, world.arena, world.tenant, theirs->id));
	assert_null(lk_find_key(txn, world.arena, other, ours->id));
	/* Both are number 1, each of its own tenant. */
	assert_string_equal(lk_find_key(txn, world.arena, world.tenant, "1")->name, "ours");
	assert_string_equal(lk_find_key(txn, world.arena, other, "1")->name, "theirs");
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_find_name_is_taken_by_a_key_that_is_not_revoked(void **state)
{
	struct world world = world_make(state);

	assert_false(lk_find_name_taken(lk_fixture_snapshot(world.fixture), world.keyspace, "ci"));
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	assert_true(lk_find_name_taken(lk_fixture_snapshot(world.fixture), world.keyspace, "ci"));
	world_revoke(&world, key);
	assert_false(lk_find_name_taken(lk_fixture_snapshot(world.fixture), world.keyspace, "ci"));
	world_assert_consistent(world.fixture);
	/* Behind revoked keys of that name, one that is not. */
	world_revoke(&world, world_key(&world, "ci"));
	world_key(&world, "ci");
	world_revoke(&world, world_key(&world, "ci"));
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_true(lk_find_name_taken(txn, world.keyspace, "ci"));
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_find_name_is_taken_by_another_key(void **state)
{
	struct world world = world_make(state);
	uint64_t first = world_key(&world, "ci")->slot;
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);

	assert_false(lk_find_name_taken_by_other(txn, world.keyspace, "ci", first));
	assert_true(lk_find_name_taken_by_other(txn, world.keyspace, "ci", first + 1));
	assert_false(lk_find_name_taken_by_other(txn, world.keyspace, "c", 0));
	(void)world_key(&world, "ci2");
	txn = lk_fixture_snapshot(world.fixture);
	assert_false(lk_find_name_taken_by_other(txn, world.keyspace, "ci", first));
	/* Two of one name, of a time when that was allowed: each is another to the other. */
	uint64_t last = world_key(&world, "ci")->slot;
	txn = lk_fixture_snapshot(world.fixture);
	assert_true(lk_find_name_taken_by_other(txn, world.keyspace, "ci", first));
	assert_true(lk_find_name_taken_by_other(txn, world.keyspace, "ci", last));
	assert_false(lk_find_name_taken_by_other(txn, world.keyspace + 1, "ci", 0));
	char name[405];
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	assert_false(lk_find_name_taken_by_other(txn, world.keyspace, name, 0));
}

static void test_find_name_is_its_keyspaces_own(void **state)
{
	struct world world = world_make(state);
	uint32_t test = lk_fixture_keyspace(world.fixture, world.tenant, "test");

	world_key(&world, "ci");
	world_key(&world, "ci two");
	world_key(&world, "");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_false(lk_find_name_taken(txn, test, "ci"));
	assert_false(lk_find_name_taken(txn, world.keyspace, "c"));
	assert_false(lk_find_name_taken(txn, world.keyspace, "ci "));
	assert_false(lk_find_name_taken(txn, world.keyspace, "Ci"));
	/* Keys without a name hold none. */
	assert_false(lk_find_name_taken(txn, world.keyspace, ""));
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_find_longest_name(void **state)
{
	struct world world = world_make(state);
	char name[LK_NAME_MAX * 4 + 1];

	for (size_t i = 0; i < LK_NAME_MAX; i++) {
		memcpy(name + 4 * i, "\xf0\x9f\x94\x91", 4);
	}
	name[sizeof name - 1] = '\0';
	assert_false(lk_find_name_taken(lk_fixture_snapshot(world.fixture), world.keyspace, name));
	world_key(&world, name);
	assert_true(lk_find_name_taken(lk_fixture_snapshot(world.fixture), world.keyspace, name));
}

static void test_find_index_that_names_no_record_is_corrupt(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_key where = lk_key_u64(key->slot);
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_delete(txn, LK_TABLE_KEY, &where);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_key(txn, world.arena, world.tenant, key->id));
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	txn = lk_fixture_snapshot(world.fixture);
	assert_null(lk_find_tenant_by_number(txn, world.arena, 99));
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
}

static void test_find_index_entry_of_another_length_is_corrupt(void **state)
{
	struct world world = world_make(state);
	struct lk_key where = lk_key_id("acme");
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_put(txn, LK_TABLE_TENANT_BY_ID, &where, "123", 3, 0);
	assert_null(lk_find_tenant(txn, world.arena, "acme"));
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	lk_write_abort(txn);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_find_tenant_by_id_and_by_number),
		TEST(test_find_keyspace_in_its_tenant_alone),
		TEST(test_find_what_is_no_id_finds_nothing),
		TEST(test_find_key_by_id_by_number_and_by_slot),
		TEST(test_find_slot_of_an_id_of_whatever_tenant),
		TEST(test_find_key_that_is_none_finds_nothing),
		TEST(test_find_key_of_another_tenant_finds_nothing),
		TEST(test_find_name_is_taken_by_a_key_that_is_not_revoked),
		TEST(test_find_name_is_taken_by_another_key),
		TEST(test_find_name_is_its_keyspaces_own),
		TEST(test_find_longest_name),
		TEST(test_find_index_that_names_no_record_is_corrupt),
		TEST(test_find_index_entry_of_another_length_is_corrupt),
	};

	return cmocka_run_group_tests_name("store find", tests, NULL, NULL);
}

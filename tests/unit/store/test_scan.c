#include "server/store/scan.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/text.h"
#include "server/store/find.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST         1024

static const struct lk_key_position from_start;

/* What a scan found, in its order. */
struct found {
	struct lk_key_position at[MOST];
	size_t count;
};

static uint64_t key_at(struct world *world, uint32_t keyspace, int64_t create_us)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world->arena, change, world->tenant, keyspace, "");

	key->create_us = create_us;
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return key->slot;
}

/* Reads at most `limit` keys behind the last that was found, and adds them. False when there are no more. */
static bool read_page(struct world *world, const uint32_t *keyspaces, size_t count, size_t limit, struct found *found)
{
	struct lk_txn *txn = lk_fixture_snapshot(world->fixture);
	const struct lk_key_position *after = found->count == 0 ? &from_start : &found->at[found->count - 1];
	bool more = true;

	struct lk_key_scan *scan = lk_key_scan_new(txn, keyspaces, count, after);
	assert_non_null(scan);
	for (size_t i = 0; more && i < limit; i++) {
		assert_true(found->count < MOST);
		more = lk_key_scan_next(scan, &found->at[found->count]);
		found->count += more;
	}
	lk_key_scan_free(scan);
	assert_int_equal(lk_txn_err(txn), LK_OK);
	return more;
}

static void assert_ascending(const struct found *found)
{
	for (size_t i = 1; i < found->count; i++) {
		const struct lk_key_position *a = &found->at[i - 1];
		const struct lk_key_position *b = &found->at[i];
		assert_true(a->create_us < b->create_us || (a->create_us == b->create_us && a->slot < b->slot));
	}
}

static size_t times_found(const struct found *found, uint64_t slot)
{
	size_t times = 0;

	for (size_t i = 0; i < found->count; i++) {
		times += found->at[i].slot == slot;
	}
	return times;
}

static void test_scan_of_one_keyspace_goes_by_time_then_slot(void **state)
{
	struct world world = world_make(state);
	struct found found = {0};
	const struct lk_key_position expected[] = {{10, 2}, {20, 1}, {20, 3}, {20, 5}, {30, 4}};

	key_at(&world, world.keyspace, 20);
	key_at(&world, world.keyspace, 10);
	key_at(&world, world.keyspace, 20);
	key_at(&world, world.keyspace, 30);
	key_at(&world, world.keyspace, 20);
	assert_false(read_page(&world, &world.keyspace, 1, MOST, &found));
	assert_int_equal(found.count, COUNT(expected));
	assert_memory_equal(found.at, expected, sizeof expected);
}

static void test_scan_merges_keyspaces_by_time(void **state)
{
	struct world world = world_make(state);
	uint32_t second = lk_fixture_keyspace(world.fixture, world.tenant, "second");
	uint32_t third = lk_fixture_keyspace(world.fixture, world.tenant, "third");
	const uint32_t keyspaces[] = {third, world.keyspace, second};
	const struct lk_key_position expected[] = {{10, 3}, {20, 1}, {20, 2}, {20, 5}, {30, 6}, {40, 4}};
	struct found found = {0};

	key_at(&world, world.keyspace, 20);
	key_at(&world, second, 20);
	key_at(&world, third, 10);
	key_at(&world, third, 40);
	key_at(&world, world.keyspace, 20);
	key_at(&world, second, 30);
	assert_false(read_page(&world, keyspaces, COUNT(keyspaces), MOST, &found));
	assert_int_equal(found.count, COUNT(expected));
	assert_memory_equal(found.at, expected, sizeof expected);
}

static void test_scan_sees_the_keyspaces_it_was_given_alone(void **state)
{
	struct world world = world_make(state);
	uint32_t before = lk_fixture_keyspace(world.fixture, world.tenant, "before");
	uint32_t middle = lk_fixture_keyspace(world.fixture, world.tenant, "middle");
	uint32_t after = lk_fixture_keyspace(world.fixture, world.tenant, "after");
	struct found found = {0};

	key_at(&world, before, 1);
	uint64_t slot = key_at(&world, middle, 2);
	key_at(&world, after, 3);
	assert_false(read_page(&world, &middle, 1, MOST, &found));
	assert_int_equal(found.count, 1);
	assert_int_equal(found.at[0].slot, slot);
}

static void test_scan_of_nothing_finds_nothing(void **state)
{
	struct world world = world_make(state);
	uint32_t empty = lk_fixture_keyspace(world.fixture, world.tenant, "empty");
	const uint32_t keyspaces[] = {empty, 4711, UINT32_MAX};
	struct found found = {0};

	assert_false(read_page(&world, keyspaces, 0, MOST, &found));
	assert_false(read_page(&world, keyspaces, COUNT(keyspaces), MOST, &found));
	key_at(&world, world.keyspace, 1);
	assert_false(read_page(&world, keyspaces, COUNT(keyspaces), MOST, &found));
	assert_int_equal(found.count, 0);
}

static void test_scan_passes_over_empty_keyspaces(void **state)
{
	struct world world = world_make(state);
	uint32_t keyspaces[20];
	struct found found = {0};
	char id[32];

	for (size_t i = 0; i < COUNT(keyspaces); i++) {
		(void)snprintf(id, sizeof id, "space-%zu", i);
		keyspaces[i] = lk_fixture_keyspace(world.fixture, world.tenant, id);
	}
	key_at(&world, keyspaces[7], 2);
	key_at(&world, keyspaces[13], 1);
	assert_false(read_page(&world, keyspaces, COUNT(keyspaces), MOST, &found));
	assert_int_equal(found.count, 2);
	assert_int_equal(found.at[0].slot, 2);
}

static void test_scan_goes_on_behind_any_position(void **state)
{
	struct world world = world_make(state);
	static const struct {
		struct lk_key_position after;
		uint64_t expected;
	} cases[] = {
		{{0, 0}, 1},
		{{9, UINT64_MAX - 1}, 1},
		{{10, 0}, 1},
		{{10, 1}, 2},
		{{15, 0}, 2},
		{{20, 1}, 2},
		{{20, 2}, 3},
		{{20, 3}, 0},
		{{INT64_MAX, 7}, 0},
	};
	struct lk_key_position at;

	key_at(&world, world.keyspace, 10);
	key_at(&world, world.keyspace, 20);
	key_at(&world, world.keyspace, 20);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		struct lk_key_scan *scan = lk_key_scan_new(txn, &world.keyspace, 1, &cases[i].after);
		assert_int_equal(lk_key_scan_next(scan, &at), cases[i].expected != 0);
		assert_true(cases[i].expected == 0 || at.slot == cases[i].expected);
		lk_key_scan_free(scan);
	}
}

/* Pages of every size, over many keyspaces with keys at the same times, put together to the same list. */
static void test_scan_pages_of_any_size_give_the_same_list(void **state)
{
	struct world world = world_make(state);
	uint32_t keyspaces[12];
	struct found whole = {0};
	char id[32];

	for (size_t i = 0; i < COUNT(keyspaces); i++) {
		(void)snprintf(id, sizeof id, "space-%zu", i);
		keyspaces[i] = lk_fixture_keyspace(world.fixture, world.tenant, id);
	}
	for (uint32_t i = 0; i < 200; i++) {
		uint8_t seed[randombytes_SEEDBYTES] = {(uint8_t)i};
		uint8_t choice[2];
		randombytes_buf_deterministic(choice, sizeof choice, seed);
		key_at(&world, keyspaces[choice[0] % COUNT(keyspaces)], choice[1] % 32);
	}
	assert_false(read_page(&world, keyspaces, COUNT(keyspaces), MOST, &whole));
	assert_int_equal(whole.count, 200);
	assert_ascending(&whole);
	for (size_t size = 1; size < 220; size = size * 3 / 2 + 1) {
		struct found pages = {0};
		while (read_page(&world, keyspaces, COUNT(keyspaces), size, &pages)) {
		}
		assert_int_equal(pages.count, whole.count);
		assert_memory_equal(pages.at, whole.at, whole.count * sizeof whole.at[0]);
	}
}

/* While pages are read, keys come and go, also the very one at which the last page ended. */
static void test_scan_neither_skips_nor_repeats_what_stood_throughout(void **state)
{
	struct world world = world_make(state);
	uint32_t keyspaces[] = {world.keyspace, lk_fixture_keyspace(world.fixture, world.tenant, "test")};
	uint64_t standing[60];
	struct found found = {0};
	int64_t at = 0;

	for (size_t i = 0; i < COUNT(standing); i++) {
		/* Between them, one that will be deleted. */
		standing[i] = key_at(&world, keyspaces[i % 2], 10 * (int64_t)i);
		key_at(&world, keyspaces[i % 3 == 0], 10 * (int64_t)i);
	}
	while (read_page(&world, keyspaces, COUNT(keyspaces), 7, &found)) {
		uint64_t last = found.at[found.count - 1].slot;
		if (last % 2 == 0) {
			world_delete(&world, last);
		}
		/* Before, at and behind where the scan stands. */
		for (int64_t where = 0; where < 3; where++) {
			key_at(&world, keyspaces[where % 2], found.at[found.count - 1].create_us + where - 1);
		}
		at++;
	}
	assert_true(at > 10);
	assert_ascending(&found);
	for (size_t i = 0; i < COUNT(standing); i++) {
		assert_int_equal(times_found(&found, standing[i]), 1);
	}
}

static void test_scan_of_a_failed_transaction_is_none(void **state)
{
	struct world world = world_make(state);
	struct lk_key_position at;
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);

	key_at(&world, world.keyspace, 1);
	txn = lk_fixture_snapshot(world.fixture);
	struct lk_key_scan *scan = lk_key_scan_new(txn, &world.keyspace, 1, &from_start);
	lk_txn_fail(txn, LK_CORRUPT);
	assert_false(lk_key_scan_next(scan, &at));
	lk_key_scan_free(scan);
	scan = lk_key_scan_new(txn, &world.keyspace, 1, &from_start);
	assert_false(lk_key_scan_next(scan, &at));
	lk_key_scan_free(scan);
	assert_false(lk_key_scan_next(NULL, &at));
	lk_key_scan_free(NULL);
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
}

static void test_scan_key_of_another_length_is_corrupt(void **state)
{
	struct world world = world_make(state);
	struct lk_key bad = lk_key_u32(world.keyspace);
	struct lk_key_position at;
	struct lk_txn *txn = NULL;

	memset(bad.data + bad.len, 0xee, 4);
	bad.len += 4;
	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_put(txn, LK_TABLE_KEY_BY_CREATE, &bad, NULL, 0, 0);
	struct lk_key_scan *scan = lk_key_scan_new(txn, &world.keyspace, 1, &from_start);
	assert_false(lk_key_scan_next(scan, &at));
	lk_key_scan_free(scan);
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	lk_write_abort(txn);
}

/* Reads the ids of a scan, with a blank behind each. */
static void read_ids(struct world *world, struct lk_id_scan *scan, bool tenants, size_t limit, char *ret_text)
{
	struct lk_txn *txn = world->fixture->snapshot;
	uint32_t number = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < limit && lk_id_scan_next(scan, &number); i++) {
		strcat(ret_text, tenants ? lk_find_tenant_by_number(txn, world->arena, number)->id
					 : lk_find_keyspace_by_number(txn, world->arena, number)->id);
		strcat(ret_text, " ");
	}
	lk_id_scan_free(scan);
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void assert_tenants(struct world *world, const char *after, size_t limit, const char *expected)
{
	char text[512];

	read_ids(world, lk_tenant_scan_new(lk_fixture_snapshot(world->fixture), after), true, limit, text);
	assert_string_equal(text, expected);
}

static void assert_keyspaces(
	struct world *world, uint32_t tenant, const char *after, size_t limit, const char *expected)
{
	char text[512];

	read_ids(world, lk_keyspace_scan_new(lk_fixture_snapshot(world->fixture), tenant, after), false, limit, text);
	assert_string_equal(text, expected);
}

static void test_scan_of_tenants_goes_by_id(void **state)
{
	struct world world = world_make(state);

	lk_fixture_tenant(world.fixture, "zeta");
	lk_fixture_tenant(world.fixture, "a");
	lk_fixture_tenant(world.fixture, "a-b");
	lk_fixture_tenant(world.fixture, "ab");
	lk_fixture_tenant(world.fixture, "0");
	assert_tenants(&world, "", 99, "0 a a-b ab acme system zeta ");
	assert_tenants(&world, "", 2, "0 a ");
	assert_tenants(&world, "a", 99, "a-b ab acme system zeta ");
	assert_tenants(&world, "a-b", 99, "ab acme system zeta ");
	/* Behind one that is no longer there, or never was. */
	assert_tenants(&world, "aa", 99, "ab acme system zeta ");
	assert_tenants(&world, "zeta", 99, "");
	assert_tenants(&world, "zz", 99, "");
}

static void test_scan_of_keyspaces_stays_in_its_tenant(void **state)
{
	struct world world = world_make(state);
	uint32_t other = lk_fixture_tenant(world.fixture, "other");

	lk_fixture_keyspace(world.fixture, world.tenant, "a");
	lk_fixture_keyspace(world.fixture, world.tenant, "z");
	lk_fixture_keyspace(world.fixture, other, "b");
	assert_keyspaces(&world, world.tenant, "", 99, "a prod z ");
	assert_keyspaces(&world, world.tenant, "a", 1, "prod ");
	assert_keyspaces(&world, world.tenant, "prod", 99, "z ");
	assert_keyspaces(&world, world.tenant, "z", 99, "");
	assert_keyspaces(&world, other, "", 99, "b ");
	assert_keyspaces(&world, 1, "", 99, "root ");
	assert_keyspaces(&world, 99, "", 99, "");
}

static void test_scan_of_ids_takes_the_longest(void **state)
{
	struct world world = world_make(state);
	char id[LK_ID_MAX + 1];
	char expected[LK_ID_MAX + 2];

	memset(id, 'z', LK_ID_MAX);
	id[LK_ID_MAX] = '\0';
	(void)snprintf(expected, sizeof expected, "%s ", id);
	lk_fixture_tenant(world.fixture, id);
	assert_tenants(&world, "system", 99, expected);
	assert_tenants(&world, id, 99, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scan_of_one_keyspace_goes_by_time_then_slot),
		TEST(test_scan_merges_keyspaces_by_time),
		TEST(test_scan_sees_the_keyspaces_it_was_given_alone),
		TEST(test_scan_of_nothing_finds_nothing),
		TEST(test_scan_passes_over_empty_keyspaces),
		TEST(test_scan_goes_on_behind_any_position),
		TEST(test_scan_pages_of_any_size_give_the_same_list),
		TEST(test_scan_neither_skips_nor_repeats_what_stood_throughout),
		TEST(test_scan_of_a_failed_transaction_is_none),
		TEST(test_scan_key_of_another_length_is_corrupt),
		TEST(test_scan_of_tenants_goes_by_id),
		TEST(test_scan_of_keyspaces_stays_in_its_tenant),
		TEST(test_scan_of_ids_takes_the_longest),
	};

	return cmocka_run_group_tests_name("store scan", tests, NULL, NULL);
}

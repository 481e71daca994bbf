#include "server/store/key_scan.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/find.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST         1024
#define SPACES       5

static const struct lk_key_position from_start;

/* What a scan found, in its order, and the position behind it. */
struct found {
	uint64_t slots[MOST];
	size_t keyspaces[MOST];
	size_t count;
	struct lk_key_position behind;
};

/* What is to be scanned. */
struct ask {
	struct lk_key_range range;
	const uint32_t *keyspaces;
	size_t count;
};

static struct lk_key_range range_of(enum lk_key_index index, bool descending)
{
	return (struct lk_key_range){
		.index = index, .descending = descending, .owner = "ann", .name_prefix = "", .last_us = UINT64_MAX};
}

static Latchkey__Store__KeyRecord *draft_key(
	struct world *world, Latchkey__Store__Change *change, uint32_t keyspace, const char *name, int64_t create_us)
{
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world->arena, change, world->tenant, keyspace, name);

	key->create_us = create_us;
	return key;
}

static Latchkey__Store__KeyRecord *key_at(struct world *world, uint32_t keyspace, const char *name, int64_t create_us)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	Latchkey__Store__KeyRecord *key = draft_key(world, change, keyspace, name, create_us);

	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return key;
}

/* Reads at most `limit` keys behind the last that was found, and adds them. False when there are no more. */
static bool read_page(struct world *world, const struct ask *ask, size_t limit, struct found *found)
{
	struct lk_txn *txn = lk_fixture_snapshot(world->fixture);
	struct lk_key_row row = {0};
	bool more = true;

	struct lk_key_scan *scan = lk_key_scan_new(txn, &ask->range, ask->keyspaces, ask->count, &found->behind);
	assert_non_null(scan);
	for (size_t i = 0; more && i < limit; i++) {
		assert_true(found->count < MOST);
		more = lk_key_scan_next(scan, &row);
		if (more) {
			lk_key_scan_position(scan, &found->behind);
			assert_true(found->behind.len <= LK_KEY_POSITION_MAX);
			found->slots[found->count] = row.slot;
			found->keyspaces[found->count++] = row.keyspace;
		}
	}
	lk_key_scan_free(scan);
	assert_int_equal(lk_txn_err(txn), LK_OK);
	return more;
}

static void assert_found(struct world *world, const struct ask *ask, const uint64_t *expected, size_t count)
{
	struct found found = {0};

	assert_false(read_page(world, ask, MOST, &found));
	assert_int_equal(found.count, count);
	assert_memory_equal(found.slots, expected, count * sizeof *expected);
}

static size_t times_found(const struct found *found, uint64_t slot)
{
	size_t times = 0;

	for (size_t i = 0; i < found->count; i++) {
		times += found->slots[i] == slot;
	}
	return times;
}

/* Keys with few different values in each of their indexes, in SPACES keyspaces. */
struct crowd {
	struct world world;
	uint32_t keyspaces[SPACES];
	Latchkey__Store__KeyRecord *keys[MOST];
	size_t count;
	/* Choices that are the same in every run. */
	uint8_t bytes[8 * MOST];
	size_t taken;
};

static unsigned choose(struct crowd *crowd, unsigned among)
{
	return crowd->bytes[crowd->taken++ % sizeof crowd->bytes] % among;
}

static void add_to_crowd(struct crowd *crowd, Latchkey__Store__Change *change)
{
	static const char *const names[] = {"", "", "a", "ab", "ab", "abc", "b\xc3\xa4", "b"};
	static const char *const owners[] = {"", "ann", "ann", "bob"};
	struct world *world = &crowd->world;
	Latchkey__Store__KeyRecord *key = draft_key(world, change, crowd->keyspaces[choose(crowd, SPACES)],
		names[choose(crowd, COUNT(names))], 1000 + choose(crowd, 16));

	key->owner = (char *)(uintptr_t)owners[choose(crowd, COUNT(owners))];
	key->expire_us = choose(crowd, 3) == 0 ? 0 : 5000 + choose(crowd, 16);
	key->state = choose(crowd, 3) == 0 ? LK_REVOKED : LK_ACTIVE;
	crowd->keys[crowd->count++] = key;
}

static struct crowd *crowd_make(void **state, size_t count)
{
	struct crowd *crowd = calloc(1, sizeof *crowd);
	uint8_t seed[randombytes_SEEDBYTES] = {7};
	char id[32] = "";

	assert_non_null(crowd);
	crowd->world = world_make(state);
	randombytes_buf_deterministic(crowd->bytes, sizeof crowd->bytes, seed);
	for (size_t i = 0; i < SPACES; i++) {
		(void)snprintf(id, sizeof id, "space-%zu", i);
		crowd->keyspaces[i] = lk_fixture_keyspace(crowd->world.fixture, crowd->world.tenant, id);
	}
	Latchkey__Store__Change *change = lk_draft_new(crowd->world.arena);
	for (size_t i = 0; i < count; i++) {
		add_to_crowd(crowd, change);
	}
	assert_int_equal(lk_fixture_apply(crowd->world.fixture, change), LK_OK);
	return crowd;
}

/* What the brute force goes by. */
static struct lk_key_range brute_range;

static uint64_t instant_of(const Latchkey__Store__KeyRecord *key)
{
	if (brute_range.index == LK_KEYS_BY_EXPIRY) {
		return key->expire_us == 0 ? UINT64_MAX : (uint64_t)key->expire_us;
	}
	return brute_range.index == LK_KEYS_BY_USED ? 0 : (uint64_t)key->create_us;
}

static int compare_keys(const void *a, const void *b)
{
	const Latchkey__Store__KeyRecord *x = *(Latchkey__Store__KeyRecord *const *)a;
	const Latchkey__Store__KeyRecord *y = *(Latchkey__Store__KeyRecord *const *)b;
	int order = (instant_of(x) > instant_of(y)) - (instant_of(x) < instant_of(y));

	order = brute_range.index == LK_KEYS_BY_NAME ? strcmp(x->name, y->name) : order;
	order = order == 0 ? (x->slot > y->slot) - (x->slot < y->slot) : order;
	return brute_range.descending ? -order : order;
}

static bool in_brute_range(const Latchkey__Store__KeyRecord *key)
{
	if (brute_range.index == LK_KEYS_BY_NAME) {
		return strncmp(key->name, brute_range.name_prefix, strlen(brute_range.name_prefix)) == 0;
	}
	return instant_of(key) >= brute_range.first_us && instant_of(key) <= brute_range.last_us &&
	       (brute_range.index != LK_KEYS_BY_OWNER || strcmp(key->owner, brute_range.owner) == 0);
}

/* The slots of the keys that are in a range, in its order. */
static size_t brute_force(const struct crowd *crowd, const struct ask *ask, uint64_t *ret_slots)
{
	Latchkey__Store__KeyRecord *sorted[MOST];
	size_t count = 0;

	brute_range = ask->range;
	for (size_t i = 0; i < crowd->count; i++) {
		bool asked = false;
		for (size_t j = 0; j < ask->count; j++) {
			asked = asked || crowd->keys[i]->keyspace == ask->keyspaces[j];
		}
		if (asked && in_brute_range(crowd->keys[i])) {
			sorted[count++] = crowd->keys[i];
		}
	}
	qsort(sorted, count, sizeof(Latchkey__Store__KeyRecord *), compare_keys);
	for (size_t i = 0; i < count; i++) {
		ret_slots[i] = sorted[i]->slot;
	}
	return count;
}

static void assert_as_brute_force(struct crowd *crowd, const struct ask *ask)
{
	static const size_t sizes[] = {1, 2, 7, MOST};
	uint64_t expected[MOST];
	size_t count = brute_force(crowd, ask, expected);

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct found found = {0};
		while (read_page(&crowd->world, ask, sizes[i], &found)) {
		}
		if (found.count != count || memcmp(found.slots, expected, count * sizeof *expected) != 0) {
			print_message("index %d, descending %d, pages of %zu, of %zu keyspaces\n", ask->range.index,
				ask->range.descending, sizes[i], ask->count);
		}
		assert_int_equal(found.count, count);
		assert_memory_equal(found.slots, expected, count * sizeof *expected);
		for (size_t j = 0; j < count; j++) {
			assert_true(found.keyspaces[j] < ask->count);
		}
	}
}

static void test_scan_of_every_index_tells_what_brute_force_does(void **state)
{
	struct crowd *crowd = crowd_make(state, 400);

	for (int index = 0; index < LK_KEYS_INDEX_COUNT; index++) {
		for (int descending = 0; descending < 2; descending++) {
			struct ask ask = {
				range_of((enum lk_key_index)index, descending != 0), crowd->keyspaces, SPACES};
			assert_as_brute_force(crowd, &ask);
			ask.count = 1;
			assert_as_brute_force(crowd, &ask);
			ask.count = 0;
			assert_as_brute_force(crowd, &ask);
		}
	}
	free(crowd);
}

static void test_scan_keeps_to_its_bounds(void **state)
{
	struct crowd *crowd = crowd_make(state, 300);
	static const struct {
		uint64_t first_us;
		uint64_t last_us;
	} bounds[] = {{0, 0}, {0, 999}, {0, 1000}, {1003, 1003}, {1004, 1009}, {5004, 5009}, {1015, UINT64_MAX},
		{1016, 4999}, {5000, UINT64_MAX - 1}, {UINT64_MAX, UINT64_MAX}, {7, 6}};
	static const char *const prefixes[] = {"", "a", "ab", "abc", "abcd", "b", "b\xc3", "b\xc3\xa4", "c"};

	for (int descending = 0; descending < 2; descending++) {
		for (size_t i = 0; i < COUNT(bounds); i++) {
			for (int index = 0; index < LK_KEYS_INDEX_COUNT; index++) {
				struct ask ask = {
					range_of((enum lk_key_index)index, descending != 0), crowd->keyspaces, SPACES};
				ask.range.first_us = bounds[i].first_us;
				ask.range.last_us = bounds[i].last_us;
				assert_as_brute_force(crowd, &ask);
			}
		}
		for (size_t i = 0; i < COUNT(prefixes); i++) {
			struct ask ask = {range_of(LK_KEYS_BY_NAME, descending != 0), crowd->keyspaces, SPACES};
			ask.range.name_prefix = prefixes[i];
			assert_as_brute_force(crowd, &ask);
		}
	}
	free(crowd);
}

/* For counting: every key once, in whatever order, from behind any of them too. */
static void test_scan_without_order_tells_the_same_keys(void **state)
{
	struct crowd *crowd = crowd_make(state, 300);
	uint64_t expected[MOST];

	for (size_t size = 1; size < MOST; size = 5 * size) {
		for (size_t i = 0; i < SPACES; i++) {
			struct found found = {0};
			struct ask ask = {range_of(LK_KEYS_BY_NAME, false), &crowd->keyspaces[i], 1};
			size_t count = brute_force(crowd, &ask, expected);
			ask.range.unordered = true;
			while (read_page(&crowd->world, &ask, size, &found)) {
			}
			assert_int_equal(found.count, count);
			for (size_t j = 0; j < count; j++) {
				assert_int_equal(times_found(&found, expected[j]), 1);
			}
		}
	}
	free(crowd);
}

/* While pages are read keys come, go, are revoked and renamed, also the very one at which the last page ended. */
static void assert_steady(void **state, enum lk_key_index index, bool descending)
{
	struct crowd *crowd = crowd_make(state, 200);
	struct world *world = &crowd->world;
	struct ask ask = {range_of(index, descending), crowd->keyspaces, SPACES};
	struct found found = {0};
	bool stands[MOST] = {false};
	uint64_t expected[MOST];
	size_t count = brute_force(crowd, &ask, expected);

	memset(stands, true, sizeof stands);
	while (read_page(world, &ask, 7, &found)) {
		Latchkey__Store__Change *change = lk_draft_new(world->arena);
		size_t last = 0;
		for (size_t i = 0; i < 200; i++) {
			last = crowd->keys[i]->slot == found.slots[found.count - 1] ? i : last;
		}
		const size_t changed[] = {last, choose(crowd, 200), choose(crowd, 200)};
		for (size_t i = 0; i < COUNT(changed); i++) {
			Latchkey__Store__KeyRecord *key = crowd->keys[changed[i]];
			if (key->tenant == 0) {
				continue;
			}
			/* To be revoked does not count: the key stands. */
			key->state = LK_REVOKED;
			if (choose(crowd, 4) == 0) {
				stands[changed[i]] = false;
				key->name = (char *)(uintptr_t) "abb";
				key->owner = (char *)(uintptr_t) "bob";
				key->expire_us = 5008;
			}
			if (choose(crowd, 4) == 0) {
				stands[changed[i]] = false;
				key->tenant = 0;
				lk_draft_delete_key(world->arena, change, key->slot);
			} else {
				lk_draft_put_key_again(world->arena, change, key);
			}
		}
		add_to_crowd(crowd, change);
		assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	}
	assert_true(found.count > 50);
	for (size_t i = 0; i < 200; i++) {
		bool asked = false;
		for (size_t j = 0; j < count; j++) {
			asked = asked || expected[j] == crowd->keys[i]->slot;
		}
		if (stands[i]) {
			assert_int_equal(times_found(&found, crowd->keys[i]->slot), asked ? 1 : 0);
		}
	}
	free(crowd);
}

#define STEADY(name, index, descending)                                                                                \
	static void test_scan_by_##name##_is_steady(void **state)                                                      \
	{                                                                                                              \
		assert_steady(state, index, descending);                                                               \
	}

STEADY(create, LK_KEYS_BY_CREATE, false)
STEADY(create_back, LK_KEYS_BY_CREATE, true)
STEADY(owner, LK_KEYS_BY_OWNER, false)
STEADY(owner_back, LK_KEYS_BY_OWNER, true)
STEADY(expiry, LK_KEYS_BY_EXPIRY, false)
STEADY(expiry_back, LK_KEYS_BY_EXPIRY, true)
STEADY(name, LK_KEYS_BY_NAME, false)
STEADY(name_back, LK_KEYS_BY_NAME, true)

static void test_scan_by_name_goes_by_slot_whoever_is_revoked(void **state)
{
	struct world world = world_make(state);
	struct ask ask = {range_of(LK_KEYS_BY_NAME, false), &world.keyspace, 1};
	uint64_t slots[12];
	uint64_t reversed[12];

	for (size_t i = 0; i < COUNT(slots); i++) {
		Latchkey__Store__KeyRecord *key = world_key(&world, i < 6 ? "" : "same");
		slots[i] = key->slot;
		reversed[COUNT(slots) - 1 - i] = key->slot;
		if (i % 3 == 0) {
			world_revoke(&world, key);
		}
	}
	assert_found(&world, &ask, slots, COUNT(slots));
	ask.range.descending = true;
	assert_found(&world, &ask, reversed, COUNT(reversed));
}

static void test_scan_by_use_goes_where_it_was_folded_to(void **state)
{
	struct world world = world_make(state);
	struct ask ask = {range_of(LK_KEYS_BY_USED, false), &world.keyspace, 1};
	struct lk_key folded = lk_key_by_used(world.keyspace, 3600, 1);
	struct lk_key unused = lk_key_by_used(world.keyspace, 0, 1);
	const uint64_t expected[] = {2, 3, 1};
	struct lk_txn *txn = NULL;

	world_key(&world, "a");
	world_key(&world, "b");
	world_key(&world, "c");
	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_delete(txn, LK_TABLE_KEY_BY_USED, &unused);
	lk_txn_put(txn, LK_TABLE_KEY_BY_USED, &folded, NULL, 0, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	assert_found(&world, &ask, expected, COUNT(expected));
	ask.range.last_us = 3599;
	assert_found(&world, &ask, expected, 2);
}

static void test_scan_takes_the_longest_name(void **state)
{
	struct world world = world_make(state);
	struct ask ask = {range_of(LK_KEYS_BY_NAME, false), &world.keyspace, 1};
	char name[401] = "";

	for (size_t i = 0; i < 100; i++) {
		memcpy(name + 4 * i, "\xf4\x8f\xbf\xbf", 4);
	}
	world_key(&world, name);
	world_key(&world, name);
	ask.range.name_prefix = name;
	for (int descending = 0; descending < 2; descending++) {
		struct found found = {0};
		ask.range.descending = descending != 0;
		assert_true(read_page(&world, &ask, 1, &found));
		assert_int_equal(found.behind.len, 400 + 1 + 8);
		assert_true(read_page(&world, &ask, 1, &found));
		assert_false(read_page(&world, &ask, 1, &found));
		assert_int_equal(found.slots[descending], 1);
	}
}

static void test_scan_of_no_such_keyspace_finds_nothing(void **state)
{
	struct world world = world_make(state);
	const uint32_t keyspaces[] = {4711, UINT32_MAX};

	world_key(&world, "a");
	for (int index = 0; index < LK_KEYS_INDEX_COUNT; index++) {
		struct ask ask = {range_of((enum lk_key_index)index, index % 2 == 0), keyspaces, COUNT(keyspaces)};
		assert_found(&world, &ask, NULL, 0);
	}
}

static void test_scan_of_a_failed_transaction_is_none(void **state)
{
	struct world world = world_make(state);
	struct lk_key_range range = range_of(LK_KEYS_BY_CREATE, false);
	struct lk_key_row row = {0};

	key_at(&world, world.keyspace, "", 1);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	struct lk_key_scan *scan = lk_key_scan_new(txn, &range, &world.keyspace, 1, &from_start);
	lk_txn_fail(txn, LK_CORRUPT);
	assert_false(lk_key_scan_next(scan, &row));
	lk_key_scan_free(scan);
	assert_null(lk_key_scan_new(txn, &range, &world.keyspace, 1, &from_start));
	assert_false(lk_key_scan_next(NULL, &row));
	lk_key_scan_free(NULL);
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
}

static void test_scan_refuses_what_is_no_position(void **state)
{
	struct world world = world_make(state);
	static const struct {
		enum lk_key_index index;
		struct lk_key_position after;
	} bad[] = {
		{LK_KEYS_BY_CREATE, {.len = 1}},
		{LK_KEYS_BY_CREATE, {.len = 15}},
		{LK_KEYS_BY_OWNER, {.len = 17}},
		{LK_KEYS_BY_EXPIRY, {.len = LK_KEY_POSITION_MAX}},
		{LK_KEYS_BY_NAME, {.len = 8}},
		/* Its name is not ended by a NUL. */
		{LK_KEYS_BY_NAME, {.len = 10, .data = "ab"}},
	};

	for (size_t i = 0; i < COUNT(bad); i++) {
		struct lk_key_position after = bad[i].after;
		struct lk_key_range range = range_of(bad[i].index, false);
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		assert_null(lk_key_scan_new(txn, &range, &world.keyspace, 1, &after));
		assert_int_equal(lk_txn_err(txn), LK_INVALID_ARGUMENT);
	}
}

/* Puts a key of its own making into an index, and scans that. */
static void assert_corrupt(struct world *world, enum lk_key_index index, enum lk_table table, struct lk_key bad)
{
	for (int descending = 0; descending < 2; descending++) {
		struct lk_key_range range = range_of(index, descending != 0);
		struct lk_key_row row = {0};
		struct lk_txn *txn = NULL;
		assert_int_equal(lk_write_begin(world->fixture->store, &txn), LK_OK);
		lk_txn_put(txn, table, &bad, NULL, 0, 0);
		struct lk_key_scan *scan = lk_key_scan_new(txn, &range, &world->keyspace, 1, &from_start);
		assert_false(lk_key_scan_next(scan, &row));
		lk_key_scan_free(scan);
		assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
		lk_write_abort(txn);
	}
}

static void test_scan_key_of_another_shape_is_corrupt(void **state)
{
	struct world world = world_make(state);
	struct lk_key bad = lk_key_u32(world.keyspace);
	struct lk_key by_name = lk_key_by_name(world.keyspace, "a", true, 1);

	memset(bad.data + bad.len, 0x11, 4);
	bad.len += 4;
	assert_corrupt(&world, LK_KEYS_BY_CREATE, LK_TABLE_KEY_BY_CREATE, bad);
	assert_corrupt(&world, LK_KEYS_BY_EXPIRY, LK_TABLE_KEY_BY_EXPIRY, bad);
	assert_corrupt(&world, LK_KEYS_BY_USED, LK_TABLE_KEY_BY_USED, bad);
	assert_corrupt(&world, LK_KEYS_BY_NAME, LK_TABLE_KEY_BY_NAME, bad);
	/* Neither revoked nor not; and a name that nothing ends. */
	by_name.data[6] = 2;
	assert_corrupt(&world, LK_KEYS_BY_NAME, LK_TABLE_KEY_BY_NAME, by_name);
	by_name.data[6] = 1;
	by_name.data[5] = 'b';
	assert_corrupt(&world, LK_KEYS_BY_NAME, LK_TABLE_KEY_BY_NAME, by_name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scan_of_every_index_tells_what_brute_force_does),
		TEST(test_scan_keeps_to_its_bounds),
		TEST(test_scan_without_order_tells_the_same_keys),
		TEST(test_scan_by_create_is_steady),
		TEST(test_scan_by_create_back_is_steady),
		TEST(test_scan_by_owner_is_steady),
		TEST(test_scan_by_owner_back_is_steady),
		TEST(test_scan_by_expiry_is_steady),
		TEST(test_scan_by_expiry_back_is_steady),
		TEST(test_scan_by_name_is_steady),
		TEST(test_scan_by_name_back_is_steady),
		TEST(test_scan_by_name_goes_by_slot_whoever_is_revoked),
		TEST(test_scan_by_use_goes_where_it_was_folded_to),
		TEST(test_scan_takes_the_longest_name),
		TEST(test_scan_of_no_such_keyspace_finds_nothing),
		TEST(test_scan_of_a_failed_transaction_is_none),
		TEST(test_scan_refuses_what_is_no_position),
		TEST(test_scan_key_of_another_shape_is_corrupt),
	};

	return cmocka_run_group_tests_name("store key scan", tests, NULL, NULL);
}

#include "server/store/audit_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define MINUTE INT64_C(60000000)

/* Makes a key at a time; its audit record has the number that is next. */
static Latchkey__Store__KeyRecord *key_at(struct world *world, int64_t time_us)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);

	change->time_us = time_us;
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world->arena, change, world->tenant, world->keyspace, "");
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return key;
}

/* The numbers that a scan gives, at most `size` of them. */
static size_t scan(struct world *world, uint64_t slot, uint64_t last, uint64_t *ret_numbers, size_t size)
{
	struct lk_audit_scan *scan = lk_audit_scan_new(lk_fixture_snapshot(world->fixture), slot, last);
	size_t count = 0;

	while (count < size && lk_audit_scan_next(scan, &ret_numbers[count])) {
		count++;
	}
	lk_audit_scan_free(scan);
	return count;
}

static void test_audit_scan_gives_all_from_the_newest_back(void **state)
{
	struct world world = world_make(state);
	uint64_t numbers[32];

	for (int i = 0; i < 6; i++) {
		world_key(&world, "");
	}
	assert_int_equal(scan(&world, 0, UINT64_MAX, numbers, 32), 10);
	for (uint64_t i = 0; i < 10; i++) {
		assert_int_equal(numbers[i], 10 - i);
	}
	assert_int_equal(scan(&world, 0, 4, numbers, 32), 4);
	assert_int_equal(numbers[0], 4);
	assert_int_equal(scan(&world, 0, 0, numbers, 32), 0);
}

static void test_audit_scan_of_a_key_gives_its_own_also_when_it_is_gone(void **state)
{
	struct world world = world_make(state);
	uint64_t numbers[32];

	Latchkey__Store__KeyRecord *first = world_key(&world, "");
	Latchkey__Store__KeyRecord *second = world_key(&world, "");
	world_revoke(&world, second);
	world_revoke(&world, first);
	world_delete(&world, second->slot);
	assert_int_equal(lk_audit_key_slot(lk_fixture_snapshot(world.fixture), first->id), first->slot);
	assert_int_equal(lk_audit_key_slot(lk_fixture_snapshot(world.fixture), second->id), second->slot);
	assert_int_equal(lk_audit_key_slot(lk_fixture_snapshot(world.fixture), "key_none"), 0);
	assert_int_equal(scan(&world, first->slot, UINT64_MAX, numbers, 32), 2);
	assert_int_equal(numbers[0], 8);
	assert_int_equal(numbers[1], 5);
	assert_int_equal(scan(&world, second->slot, UINT64_MAX, numbers, 32), 3);
	assert_int_equal(numbers[0], 9);
	assert_int_equal(scan(&world, second->slot, 8, numbers, 32), 2);
	assert_int_equal(numbers[0], 7);
	assert_int_equal(numbers[1], 6);
	assert_int_equal(scan(&world, second->slot + 1, UINT64_MAX, numbers, 32), 0);
}

/* Whatever times the records have within the disorder that is allowed, none of a range is left out. */
static void test_audit_range_holds_every_record_of_it(void **state)
{
	struct world world = world_make(state);
	const int64_t from = LK_FIXTURE_TIME_US + 60 * MINUTE;
	int64_t times[200];
	uint64_t first = 0;
	uint64_t last = 0;
	size_t narrow = 0;

	for (int64_t i = 0; i < 200; i++) {
		times[i] = from + i * MINUTE / 2 - (i * 37 % 4) * MINUTE / 2;
		key_at(&world, times[i]);
	}
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	for (int64_t start = 0; start < 200; start += 7) {
		for (int64_t end = start + 1; end < 220; end += 9) {
			int64_t start_us = from + start * MINUTE / 2;
			int64_t end_us = from + end * MINUTE / 2;
			lk_audit_range(txn, start_us, end_us, &first, &last);
			for (uint64_t i = 0; i < 200; i++) {
				bool wanted = times[i] >= start_us && times[i] < end_us;
				assert_true(!wanted || (first <= i + 5 && i + 5 <= last));
			}
			narrow += last + 1 - first < 100;
		}
	}
	assert_true(narrow > 100);
}

static void test_audit_range_without_bounds_is_everything(void **state)
{
	struct world world = world_make(state);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	uint64_t first = 0;
	uint64_t last = 0;

	lk_audit_range(txn, INT64_MIN, INT64_MAX, &first, &last);
	assert_int_equal(first, 1);
	assert_int_equal(last, 4);
	lk_audit_range(txn, LK_FIXTURE_TIME_US + 100 * MINUTE, INT64_MAX, &first, &last);
	assert_int_equal(first, 5);
	assert_int_equal(last, 4);
	lk_audit_range(txn, INT64_MIN, LK_FIXTURE_TIME_US - 100 * MINUTE, &first, &last);
	assert_true(last < first);
}

/* A range is found beside records that are missing or broken. */
static void test_audit_range_passes_over_what_cannot_be_read(void **state)
{
	struct world world = world_make(state);
	uint64_t numbers[64];
	uint64_t first = 0;
	uint64_t last = 0;
	struct lk_txn *forgery = NULL;

	for (int64_t i = 0; i < 40; i++) {
		key_at(&world, LK_FIXTURE_TIME_US + (60 + i * 10) * MINUTE);
	}
	assert_int_equal(lk_write_begin(world.fixture->store, &forgery), LK_OK);
	for (uint64_t number = 10; number < 30; number++) {
		struct lk_key where = lk_key_u64(number);
		if (number % 3 == 0) {
			lk_txn_delete(forgery, LK_TABLE_AUDIT, &where);
		} else if (number % 3 == 1) {
			lk_txn_put(forgery, LK_TABLE_AUDIT, &where, "short", 5, 0);
		}
	}
	assert_int_equal(lk_write_commit(forgery), LK_OK);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	/* Record 26 is the 22nd key: 270 minutes. */
	lk_audit_range(txn, LK_FIXTURE_TIME_US + 270 * MINUTE, LK_FIXTURE_TIME_US + 271 * MINUTE, &first, &last);
	assert_true(first <= 26 && 26 <= last);
	assert_true(last - first < 6);
	assert_int_equal(lk_txn_err(txn), LK_OK);
	assert_null(lk_audit_find(txn, world.arena, 12));
	assert_null(lk_audit_find(txn, world.arena, 13));
	assert_non_null(lk_audit_find(txn, world.arena, 14));
	assert_int_equal(scan(&world, 0, UINT64_MAX, numbers, 64), 44 - 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_audit_scan_gives_all_from_the_newest_back),
		TEST(test_audit_scan_of_a_key_gives_its_own_also_when_it_is_gone),
		TEST(test_audit_range_holds_every_record_of_it),
		TEST(test_audit_range_without_bounds_is_everything),
		TEST(test_audit_range_passes_over_what_cannot_be_read),
	};

	return cmocka_run_group_tests_name("store audit scan", tests, NULL, NULL);
}

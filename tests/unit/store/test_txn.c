#include "server/store/txn.h"

#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include "latchkey/store/record.pb-c.h"
#include "tests/lib/store_fixture.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A table whose keys are texts, for entries of these tests' own. */
#define TABLE LK_TABLE_TENANT_BY_ID

static void put(struct lk_txn *txn, const char *key, const char *value)
{
	struct lk_key where = lk_key_id(key);

	lk_txn_put(txn, TABLE, &where, value, strlen(value), 0);
}

static bool has(struct lk_txn *txn, const char *key, const char *expected)
{
	struct lk_key where = lk_key_id(key);
	struct lk_value value = {0};

	return lk_txn_get(txn, TABLE, &where, &value) && value.len == strlen(expected) &&
	       memcmp(value.data, expected, value.len) == 0;
}

static struct lk_txn *begin(struct lk_fixture *fixture)
{
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(fixture->store, &txn), LK_OK);
	return txn;
}

static void commit_one(struct lk_fixture *fixture, const char *key, const char *value)
{
	struct lk_txn *txn = begin(fixture);

	put(txn, key, value);
	assert_int_equal(lk_write_commit(txn), LK_OK);
}

static void test_txn_commit_keeps_and_abort_drops(void **state)
{
	struct lk_fixture *fixture = *state;

	commit_one(fixture, "kept", "1");
	struct lk_txn *txn = begin(fixture);
	put(txn, "dropped", "1");
	assert_true(has(txn, "dropped", "1"));
	lk_write_abort(txn);
	struct lk_txn *snapshot = lk_fixture_snapshot(fixture);
	assert_true(has(snapshot, "kept", "1"));
	assert_false(has(snapshot, "dropped", "1"));
	assert_int_equal(lk_txn_err(snapshot), LK_OK);
}

static void test_txn_first_error_sticks_and_stops_everything(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_txn *txn = begin(fixture);
	struct lk_key missing = lk_key_id("missing");
	struct lk_value value = {0};

	put(txn, "before", "1");
	lk_txn_delete(txn, TABLE, &missing);
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	lk_txn_fail(txn, LK_FULL);
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	put(txn, "after", "1");
	assert_false(has(txn, "before", "1"));
	assert_false(lk_txn_get(txn, TABLE, &missing, &value));
	assert_null(lk_walk_new(txn, TABLE));
	assert_int_equal(lk_txn_head(txn)->revision, 0);
	assert_int_equal(lk_write_commit(txn), LK_CORRUPT);
	assert_false(has(lk_fixture_snapshot(fixture), "before", "1"));
}

static void test_txn_fail_with_ok_is_no_error(void **state)
{
	struct lk_txn *txn = begin(*state);

	lk_txn_fail(txn, LK_OK);
	assert_int_equal(lk_txn_err(txn), LK_OK);
	lk_write_abort(txn);
}

static void test_txn_put_does_not_overwrite_where_it_must_not(void **state)
{
	struct lk_txn *txn = begin(*state);
	struct lk_key where = lk_key_id("one");

	put(txn, "one", "1");
	put(txn, "one", "2");
	assert_true(has(txn, "one", "2"));
	lk_txn_put(txn, TABLE, &where, "3", 1, MDB_NOOVERWRITE);
	assert_int_equal(lk_txn_err(txn), LK_ALREADY_EXISTS);
	lk_write_abort(txn);
}

static void test_txn_append_refuses_what_is_out_of_order(void **state)
{
	struct lk_txn *txn = begin(*state);
	struct lk_key second = lk_key_u64(20);
	struct lk_key first = lk_key_u64(10);

	lk_txn_put(txn, LK_TABLE_KEY, &second, "2", 1, MDB_APPEND);
	assert_int_equal(lk_txn_err(txn), LK_OK);
	lk_txn_put(txn, LK_TABLE_KEY, &first, "1", 1, MDB_APPEND);
	assert_int_equal(lk_txn_err(txn), LK_ALREADY_EXISTS);
	lk_write_abort(txn);
}

static void put_new(struct lk_txn *txn, const char *key)
{
	struct lk_key where = lk_key_id(key);

	lk_txn_put_new(txn, TABLE, &where, "new", 3);
}

/* Behind the last key, before it, between two, and as the first of an empty table. */
static void test_txn_put_new_takes_keys_in_any_order(void **state)
{
	static const char *const keys[] = {"zz", "zzz", "a", "m", "zzy"};
	struct lk_txn *txn = begin(*state);
	struct lk_key where = lk_key_u64(7);

	for (size_t i = 0; i < COUNT(keys); i++) {
		put_new(txn, keys[i]);
	}
	lk_txn_put_new(txn, LK_TABLE_JOB, &where, NULL, 0);
	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_true(has(txn, keys[i], "new"));
	}
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_JOB), 1);
	assert_int_equal(lk_write_commit(txn), LK_OK);
}

static void test_txn_put_new_does_not_overwrite(void **state)
{
	/* The last key, and one that is not. */
	static const char *const keys[] = {"zz", "a"};

	commit_one(*state, "a", "1");
	commit_one(*state, "zz", "1");
	for (size_t i = 0; i < COUNT(keys); i++) {
		struct lk_txn *txn = begin(*state);
		put_new(txn, keys[i]);
		assert_int_equal(lk_txn_err(txn), LK_ALREADY_EXISTS);
		assert_int_equal(lk_write_commit(txn), LK_ALREADY_EXISTS);
		assert_true(has(lk_fixture_snapshot(*state), keys[i], "1"));
	}
}

/* Ascending keys fill the pages of a table, so that it has few. */
static void test_txn_put_new_fills_pages(void **state)
{
	enum {
		KEYS = 50000
	};
	struct lk_fixture *fixture = *state;
	struct lk_txn *txn = begin(fixture);
	struct stat status = {0};
	char path[256];

	for (uint64_t i = 0; i < KEYS; i++) {
		struct lk_key where = lk_key_u64(i);
		lk_txn_put_new(txn, LK_TABLE_JOB, &where, NULL, 0);
	}
	assert_int_equal(lk_write_commit(txn), LK_OK);
	lk_fixture_path(fixture, "data.mdb", sizeof path, path);
	assert_int_equal(stat(path, &status), 0);
	/* Each takes 18 bytes of a page; in pages filled by half it would take 36. */
	assert_true(status.st_size < KEYS * 18 * 3 / 2);
}

static void test_txn_delete_if_tells_whether_it_was_there(void **state)
{
	struct lk_txn *txn = begin(*state);
	struct lk_key where = lk_key_id("a");

	put(txn, "a", "1");
	assert_true(lk_txn_delete_if(txn, TABLE, &where));
	assert_false(lk_txn_delete_if(txn, TABLE, &where));
	assert_int_equal(lk_txn_err(txn), LK_OK);
	lk_txn_delete(txn, TABLE, &where);
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	/* Nor does anything happen once an error sticks. */
	assert_false(lk_txn_delete_if(txn, TABLE, &where));
	put_new(txn, "b");
	assert_int_equal(lk_write_commit(txn), LK_CORRUPT);
	assert_false(has(lk_fixture_snapshot(*state), "b", "new"));
}

static void test_txn_snapshot_sees_one_state_until_it_is_renewed(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_txn *snapshot = lk_fixture_snapshot(fixture);

	commit_one(fixture, "later", "1");
	assert_false(has(snapshot, "later", "1"));
	assert_int_equal(lk_txn_err(snapshot), LK_OK);
	assert_int_equal(lk_snapshot_begin(snapshot), LK_OK);
	assert_true(has(snapshot, "later", "1"));
}

/* A snapshot that was ended holds no state: nothing can be read from it, and nothing is. */
static void test_txn_ended_snapshot_reads_nothing(void **state)
{
	struct lk_fixture *fixture = *state;

	commit_one(fixture, "there", "1");
	struct lk_txn *snapshot = lk_fixture_snapshot(fixture);
	lk_snapshot_end(snapshot);
	lk_snapshot_end(snapshot);
	assert_false(has(snapshot, "there", "1"));
	assert_int_not_equal(lk_txn_err(snapshot), LK_OK);
	assert_int_equal(lk_snapshot_begin(snapshot), LK_OK);
	assert_true(has(snapshot, "there", "1"));
}

static void test_txn_fresh_snapshot_that_was_not_begun_reads_nothing(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_txn *snapshot = NULL;

	assert_int_equal(lk_snapshot_new(fixture->store, &snapshot), LK_OK);
	assert_false(has(snapshot, "there", "1"));
	assert_int_equal(lk_txn_head(snapshot)->revision, 0);
	lk_snapshot_end(snapshot);
	lk_snapshot_free(snapshot);
	lk_snapshot_free(NULL);
}

/* An error that stuck to a snapshot is the last request's, not the next one's. */
static void test_txn_renewing_a_snapshot_clears_its_error(void **state)
{
	struct lk_txn *snapshot = lk_fixture_snapshot(*state);

	lk_txn_fail(snapshot, LK_CORRUPT);
	assert_int_equal(lk_snapshot_begin(snapshot), LK_OK);
	assert_int_equal(lk_txn_err(snapshot), LK_OK);
	assert_int_not_equal(lk_txn_head(snapshot)->revision, 0);
}

static void test_txn_snapshot_refuses_to_write(void **state)
{
	struct lk_txn *snapshot = lk_fixture_snapshot(*state);

	put(snapshot, "mine", "1");
	assert_int_not_equal(lk_txn_err(snapshot), LK_OK);
}

static void test_txn_head_moves_with_the_commit(void **state)
{
	struct lk_fixture *fixture = *state;
	uint64_t before = lk_txn_head(lk_fixture_snapshot(fixture))->revision;
	struct lk_txn *txn = begin(fixture);

	lk_txn_head(txn)->revision++;
	lk_txn_head(txn)->last_slot = 77;
	put(txn, "something", "1");
	assert_int_equal(lk_txn_head(txn)->revision, before + 1);
	assert_int_equal(lk_txn_head(fixture->snapshot)->revision, before);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	assert_int_equal(lk_txn_head(fixture->snapshot)->revision, before);
	struct lk_txn *snapshot = lk_fixture_snapshot(fixture);
	assert_int_equal(lk_txn_head(snapshot)->revision, before + 1);
	assert_int_equal(lk_txn_head(snapshot)->last_slot, 77);
}

static void test_txn_head_of_an_aborted_transaction_is_forgotten(void **state)
{
	struct lk_fixture *fixture = *state;
	uint64_t before = lk_txn_head(lk_fixture_snapshot(fixture))->revision;
	struct lk_txn *txn = begin(fixture);

	lk_txn_head(txn)->revision += 10;
	put(txn, "something", "1");
	lk_write_abort(txn);
	txn = begin(fixture);
	assert_int_equal(lk_txn_head(txn)->revision, before);
	lk_write_abort(txn);
}

static void test_txn_commit_of_nothing_makes_no_state(void **state)
{
	struct lk_fixture *fixture = *state;
	uint8_t before[LK_DIGEST_LEN] = {0};
	uint8_t after[LK_DIGEST_LEN] = {0};

	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(fixture), before), LK_OK);
	struct lk_txn *txn = begin(fixture);
	lk_txn_head(txn)->revision++;
	assert_int_equal(lk_write_commit(txn), LK_OK);
	assert_int_equal(lk_fixture_digest(lk_fixture_snapshot(fixture), after), LK_OK);
	assert_memory_equal(before, after, sizeof before);
}

static void test_txn_head_of_a_wrong_length_is_corrupt(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_key head = lk_key_meta("head");
	struct lk_txn *txn = begin(fixture);

	lk_txn_put(txn, LK_TABLE_META, &head, "short", 5, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	struct lk_txn *snapshot = lk_fixture_snapshot(fixture);
	assert_int_equal(lk_txn_head(snapshot)->revision, 0);
	assert_int_equal(lk_txn_err(snapshot), LK_CORRUPT);
}

static void test_txn_record_that_does_not_unpack_is_corrupt(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_txn *txn = begin(fixture);
	struct lk_key key = lk_key_u32(99);
	struct lk_key missing = lk_key_u32(98);
	const ProtobufCMessageDescriptor *tenant = &latchkey__store__tenant_record__descriptor;

	assert_null(lk_txn_record(txn, LK_TABLE_TENANT, &missing, tenant, &fixture->arena));
	assert_int_equal(lk_txn_err(txn), LK_OK);
	lk_txn_put(txn, LK_TABLE_TENANT, &key, "\x1a\xff", 2, 0);
	assert_null(lk_txn_record(txn, LK_TABLE_TENANT, &key, tenant, &fixture->arena));
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	lk_write_abort(txn);
}

static void test_txn_record_larger_than_the_arena_is_no_memory(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_txn *txn = begin(fixture);
	Latchkey__Store__TenantRecord record = LATCHKEY__STORE__TENANT_RECORD__INIT;
	struct lk_key key = lk_key_u32(99);
	struct lk_arena small = {0};
	char name[600];

	memset(name, 'x', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	record.display_name = name;
	lk_txn_put_record(txn, LK_TABLE_TENANT, &key, &record.base, 0);
	assert_int_equal(lk_arena_init(&small, 256, 512), LK_OK);
	void *read = lk_txn_record(txn, LK_TABLE_TENANT, &key, &latchkey__store__tenant_record__descriptor, &small);
	lk_arena_done(&small);
	assert_null(read);
	assert_int_equal(lk_txn_err(txn), LK_NO_MEMORY);
	lk_write_abort(txn);
}

static void test_txn_record_comes_back_as_it_was_put(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_txn *txn = begin(fixture);
	Latchkey__Store__TenantRecord record = LATCHKEY__STORE__TENANT_RECORD__INIT;
	struct lk_key key = lk_key_u32(99);

	record.number = 99;
	record.id = (char *)(uintptr_t) "acme";
	record.create_us = INT64_MAX;
	lk_txn_put_record(txn, LK_TABLE_TENANT, &key, &record.base, MDB_NOOVERWRITE);
	Latchkey__Store__TenantRecord *read = lk_txn_record(
		txn, LK_TABLE_TENANT, &key, &latchkey__store__tenant_record__descriptor, &fixture->arena);
	assert_non_null(read);
	assert_int_equal(read->number, 99);
	assert_string_equal(read->id, "acme");
	assert_true(read->create_us == INT64_MAX);
	lk_write_abort(txn);
}

static void assert_at(const struct lk_walk *walk, const char *key)
{
	struct lk_value at = lk_walk_key(walk);

	assert_int_equal(at.len, strlen(key));
	assert_memory_equal(at.data, key, at.len);
}

static void test_walk_goes_through_a_table_in_order(void **state)
{
	struct lk_txn *txn = begin(*state);
	struct lk_key from = lk_key_id("ac");

	put(txn, "b", "2");
	put(txn, "ad", "1");
	put(txn, "ab", "0");
	struct lk_walk *walk = lk_walk_new(txn, TABLE);
	assert_true(lk_walk_seek(walk, &from));
	assert_at(walk, "ad");
	assert_int_equal(lk_walk_value(walk).data[0], '1');
	assert_true(lk_walk_next(walk));
	assert_at(walk, "b");
	/* "system", which every store has. */
	assert_true(lk_walk_next(walk));
	assert_at(walk, "system");
	assert_false(lk_walk_next(walk));
	assert_false(lk_walk_next(walk));
	lk_walk_free(walk);
	assert_int_equal(lk_txn_err(txn), LK_OK);
	lk_write_abort(txn);
}

static void test_walk_seek_past_the_end_finds_nothing(void **state)
{
	struct lk_txn *snapshot = lk_fixture_snapshot(*state);
	struct lk_key from = lk_key_id("zzz");
	struct lk_walk *walk = lk_walk_new(snapshot, TABLE);

	assert_false(lk_walk_seek(walk, &from));
	assert_int_equal(lk_walk_key(walk).len, 0);
	assert_null(lk_walk_key(walk).data);
	lk_walk_free(walk);
	assert_int_equal(lk_txn_err(snapshot), LK_OK);
}

static void test_walk_through_an_empty_table_finds_nothing(void **state)
{
	struct lk_txn *snapshot = lk_fixture_snapshot(*state);
	struct lk_key from = lk_key_u64(0);
	struct lk_walk *walk = lk_walk_new(snapshot, LK_TABLE_KEY);

	assert_false(lk_walk_seek(walk, &from));
	assert_false(lk_walk_next(walk));
	assert_false(lk_walk_seek_last(walk, &from));
	assert_false(lk_walk_prev(walk));
	lk_walk_free(walk);
	assert_int_equal(lk_txn_err(snapshot), LK_OK);
}

static void test_walk_goes_back_through_a_table(void **state)
{
	static const struct {
		const char *from;
		/* What is not above it; NULL: nothing. */
		const char *at;
	} cases[] = {
		{"a", NULL},
		{"ab", "ab"},
		{"aba", "ab"},
		{"ad", "ad"},
		{"b", "b"},
		{"c", "b"},
		{"system", "system"},
		{"zzz", "system"},
	};
	static const char *const back[] = {"system", "b", "ad", "ab"};
	struct lk_txn *txn = begin(*state);
	struct lk_key none = {0};
	struct lk_key last = lk_key_id("zzz");

	put(txn, "b", "2");
	put(txn, "ad", "1");
	put(txn, "ab", "0");
	struct lk_walk *walk = lk_walk_new(txn, TABLE);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lk_key from = lk_key_id(cases[i].from);
		assert_int_equal(lk_walk_seek_last(walk, &from), cases[i].at != NULL);
		if (cases[i].at != NULL) {
			assert_at(walk, cases[i].at);
		}
	}
	assert_false(lk_walk_seek_last(walk, &none));
	bool more = lk_walk_seek_last(walk, &last);
	for (size_t i = 0; i < COUNT(back); i++) {
		assert_true(more);
		assert_at(walk, back[i]);
		more = lk_walk_prev(walk);
	}
	assert_false(more);
	assert_int_equal(lk_txn_err(txn), LK_OK);
	lk_walk_free(walk);
	lk_write_abort(txn);
}

/* Forwards and backwards from the same place. */
static void test_walk_turns_round(void **state)
{
	struct lk_txn *txn = begin(*state);
	struct lk_key from = lk_key_id("b");

	put(txn, "a", "0");
	put(txn, "b", "1");
	put(txn, "c", "2");
	struct lk_walk *walk = lk_walk_new(txn, TABLE);
	assert_true(lk_walk_seek(walk, &from));
	assert_true(lk_walk_prev(walk));
	assert_at(walk, "a");
	assert_true(lk_walk_next(walk));
	assert_true(lk_walk_next(walk));
	assert_at(walk, "c");
	assert_true(lk_walk_prev(walk));
	assert_at(walk, "b");
	lk_walk_free(walk);
	lk_write_abort(txn);
}

static void test_walk_knows_whether_it_is_within_a_prefix(void **state)
{
	struct lk_txn *txn = begin(*state);
	struct lk_key prefix = lk_key_id("ab");
	struct lk_key longer = lk_key_id("abcd");

	put(txn, "abc", "1");
	struct lk_walk *walk = lk_walk_new(txn, TABLE);
	assert_true(lk_walk_seek(walk, &prefix));
	assert_true(lk_walk_in(walk, &prefix));
	assert_false(lk_walk_in(walk, &longer));
	lk_walk_free(walk);
	lk_write_abort(txn);
}

static void test_walk_that_was_not_made_does_nothing(void **state)
{
	(void)state;
	struct lk_key key = lk_key_u64(0);

	assert_false(lk_walk_seek(NULL, &key));
	assert_false(lk_walk_next(NULL));
	assert_false(lk_walk_seek_last(NULL, &key));
	assert_false(lk_walk_prev(NULL));
	lk_walk_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_txn_commit_keeps_and_abort_drops),
		TEST(test_txn_first_error_sticks_and_stops_everything),
		TEST(test_txn_fail_with_ok_is_no_error),
		TEST(test_txn_put_does_not_overwrite_where_it_must_not),
		TEST(test_txn_append_refuses_what_is_out_of_order),
		TEST(test_txn_put_new_takes_keys_in_any_order),
		TEST(test_txn_put_new_does_not_overwrite),
		TEST(test_txn_put_new_fills_pages),
		TEST(test_txn_delete_if_tells_whether_it_was_there),
		TEST(test_txn_snapshot_sees_one_state_until_it_is_renewed),
		TEST(test_txn_ended_snapshot_reads_nothing),
		TEST(test_txn_fresh_snapshot_that_was_not_begun_reads_nothing),
		TEST(test_txn_renewing_a_snapshot_clears_its_error),
		TEST(test_txn_snapshot_refuses_to_write),
		TEST(test_txn_head_moves_with_the_commit),
		TEST(test_txn_head_of_an_aborted_transaction_is_forgotten),
		TEST(test_txn_commit_of_nothing_makes_no_state),
		TEST(test_txn_head_of_a_wrong_length_is_corrupt),
		TEST(test_txn_record_that_does_not_unpack_is_corrupt),
		TEST(test_txn_record_larger_than_the_arena_is_no_memory),
		TEST(test_txn_record_comes_back_as_it_was_put),
		TEST(test_walk_goes_through_a_table_in_order),
		TEST(test_walk_seek_past_the_end_finds_nothing),
		TEST(test_walk_through_an_empty_table_finds_nothing),
		TEST(test_walk_goes_back_through_a_table),
		TEST(test_walk_turns_round),
		TEST(test_walk_knows_whether_it_is_within_a_prefix),
		TEST(test_walk_that_was_not_made_does_nothing),
	};

	return cmocka_run_group_tests_name("store txn", tests, NULL, NULL);
}

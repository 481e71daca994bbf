#include "server/store/table.h"

#include <lmdb.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include "server/core/text.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* As LMDB orders keys: by their bytes, and the shorter first. */
static int compare(const struct lk_key *a, const struct lk_key *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order = memcmp(a->data, b->data, len);

	return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static void assert_ascending(const struct lk_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < count; k++) {
			int order = compare(&keys[i], &keys[k]);
			assert_int_equal((order > 0) - (order < 0), (i > k) - (i < k));
		}
	}
}

static void assert_bytes(struct lk_key key, const char *hex)
{
	char text[2 * LK_KEY_MAX + 1];

	sodium_bin2hex(text, sizeof text, key.data, key.len);
	assert_string_equal(text, hex);
}

static void test_table_numbers_sort_as_numbers(void **state)
{
	(void)state;
	static const uint32_t small[] = {0, 1, 2, 255, 256, 257, 65535, 65536, INT32_MAX, UINT32_MAX};
	static const uint64_t large[] = {0, 1, 255, 256, UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX, UINT64_MAX};
	struct lk_key keys[COUNT(small)];

	for (size_t i = 0; i < COUNT(small); i++) {
		keys[i] = lk_key_u32(small[i]);
		assert_int_equal(keys[i].len, 4);
		assert_int_equal(lk_read_u32(keys[i].data), small[i]);
	}
	assert_ascending(keys, COUNT(small));
	for (size_t i = 0; i < COUNT(large); i++) {
		keys[i] = lk_key_u64(large[i]);
		assert_int_equal(keys[i].len, 8);
		assert_true(lk_read_u64(keys[i].data) == large[i]);
	}
	assert_ascending(keys, COUNT(large));
}

/* The bytes are the format on the disk: a store that was written before must still read. */
static void test_table_keys_have_the_bytes_that_are_on_disks(void **state)
{
	(void)state;
	uint8_t digest[LK_DIGEST_LEN] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};

	assert_bytes(lk_key_meta("head"), "68656164");
	assert_bytes(lk_key_u32(0x01020304), "01020304");
	assert_bytes(lk_key_u64(UINT64_C(0x0102030405060708)), "0102030405060708");
	assert_bytes(lk_key_id("acme"), "61636d65");
	assert_bytes(lk_key_id("key_00000000000000000000000001"), "00000000000000000000000000000001");
	assert_bytes(lk_key_id("key_7zzzzzzzzzzzzzzzzzzzzzzzzz"), "ffffffffffffffffffffffffffffffff");
	/* No key's id: as it is. */
	assert_bytes(lk_key_id("key_8zzz"), "6b65795f387a7a7a");
	assert_bytes(lk_key_keyspace_by_id(7, "prod"), "0000000770726f64");
	assert_bytes(lk_key_by_number(7, 258), "000000070000000000000102");
	assert_bytes(lk_key_by_name(7, "ci", false, 9), "0000000763690000"
							"0000000000000009");
	assert_bytes(lk_key_by_name_prefix(7, "ci", false), "0000000763690000");
	assert_bytes(lk_key_by_name_prefix(7, "ci", true), "0000000763690001");
	assert_bytes(lk_key_by_create(7, 258, 9), "00000007"
						  "0000000000000102"
						  "0000000000000009");
	assert_bytes(lk_key_by_expiry(7, 258, 9), "00000007"
						  "0000000000000102"
						  "0000000000000009");
	assert_bytes(lk_key_by_expiry(7, 0, 9), "00000007"
						"ffffffffffffffff"
						"0000000000000009");
	assert_bytes(lk_key_by_used(7, 0, 9), "00000007"
					      "0000000000000000"
					      "0000000000000009");
	/* python3: hashlib.blake2b(b"ada", digest_size=16) */
	assert_bytes(lk_key_by_owner_prefix(7, "ada"), "00000007"
						       "c6ef43c47f8c23627ee5b9f8f5cb406c");
	assert_bytes(lk_key_by_owner(7, "ada", 258, 9), "00000007"
							"c6ef43c47f8c23627ee5b9f8f5cb406c"
							"0000000000000102"
							"0000000000000009");
	assert_bytes(lk_key_audit_by_key(9, 258), "0000000000000009"
						  "0000000000000102");
	assert_bytes(lk_key_closed(true, 7), "0100000007");
	assert_bytes(lk_key_closed(false, 7), "0000000007");
	assert_bytes(lk_key_job_part(9, 258), "0000000000000009"
					      "00000102");
	assert_bytes(lk_key_verdict(digest), "0102030405060708");
	struct lk_key reply = lk_key_reply(258, digest);
	assert_int_equal(reply.len, 40);
	assert_memory_equal(reply.data, "\0\0\0\0\0\0\1\2", 8);
	assert_memory_equal(reply.data + 8, digest, LK_DIGEST_LEN);
}

static void test_table_keys_by_creation_sort_by_keyspace_then_time_then_slot(void **state)
{
	(void)state;
	const struct lk_key keys[] = {
		lk_key_by_create(1, 0, 1),
		lk_key_by_create(1, 1, 900),
		lk_key_by_create(1, 2, 1),
		lk_key_by_create(1, 2, 2),
		lk_key_by_create(1, 256, 1),
		lk_key_by_create(1, INT64_MAX, UINT64_MAX),
		lk_key_by_create(2, 0, 0),
		lk_key_by_create(256, 0, 0),
	};

	assert_ascending(keys, COUNT(keys));
	assert_int_equal(keys[0].len, LK_KEY_BY_CREATE_LEN);
}

static void test_table_keys_by_expiry_and_use_sort_by_keyspace_then_time_then_slot(void **state)
{
	(void)state;
	const struct lk_key expiries[] = {
		lk_key_by_expiry(1, 1, 900),
		lk_key_by_expiry(1, 2, 1),
		lk_key_by_expiry(1, 2, 2),
		lk_key_by_expiry(1, INT64_MAX, UINT64_MAX),
		/* Never. */
		lk_key_by_expiry(1, 0, 1),
		lk_key_by_expiry(1, 0, 2),
		lk_key_by_expiry(2, 1, 1),
	};
	const struct lk_key uses[] = {
		lk_key_by_used(1, 0, 1),
		lk_key_by_used(1, 0, 900),
		lk_key_by_used(1, 1, 1),
		lk_key_by_used(1, INT64_MAX, 1),
		lk_key_by_used(2, 0, 1),
	};

	assert_ascending(expiries, COUNT(expiries));
	assert_ascending(uses, COUNT(uses));
	assert_int_equal(expiries[0].len, LK_KEY_BY_EXPIRY_LEN);
	assert_int_equal(uses[0].len, LK_KEY_BY_USED_LEN);
}

/* One owner's keys stand together, in the order of their creation. */
static void test_table_keys_of_one_owner_stand_together(void **state)
{
	(void)state;
	const struct lk_key keys[] = {
		lk_key_by_owner(1, "ada", 1, 9),
		lk_key_by_owner(1, "ada", 2, 1),
		lk_key_by_owner(1, "ada", 2, 2),
		lk_key_by_owner(2, "ada", 0, 0),
	};
	struct lk_key prefix = lk_key_by_owner_prefix(1, "ada");
	struct lk_key other = lk_key_by_owner_prefix(1, "ad");

	assert_ascending(keys, COUNT(keys));
	assert_int_equal(keys[0].len, LK_KEY_BY_OWNER_LEN);
	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_int_equal(memcmp(keys[i].data, prefix.data, prefix.len) == 0, i < 3);
		assert_memory_not_equal(keys[i].data, other.data, other.len);
	}
}

/* One name's keys stand together, the revoked ones last, and none of another's among them, even where that begins with it. */
static void test_table_keys_of_one_name_stand_together(void **state)
{
	(void)state;
	const struct lk_key keys[] = {
		lk_key_by_name(1, "", false, 1),
		lk_key_by_name(1, "ci", false, 1),
		lk_key_by_name(1, "ci", false, UINT64_MAX),
		lk_key_by_name(1, "ci", true, 1),
		lk_key_by_name(1, "ci\x01", false, 1),
		lk_key_by_name(1, "ci ", false, 1),
		lk_key_by_name(1, "cia", false, 1),
		lk_key_by_name(1, "d", false, 1),
		lk_key_by_name(1, "\xc3\xa9", false, 1),
		lk_key_by_name(2, "a", false, 1),
	};
	struct lk_key prefix = lk_key_by_name_prefix(1, "ci", false);

	assert_ascending(keys, COUNT(keys));
	for (size_t i = 0; i < COUNT(keys); i++) {
		bool begins = keys[i].len >= prefix.len && memcmp(keys[i].data, prefix.data, prefix.len) == 0;
		assert_int_equal(begins, i == 1 || i == 2);
	}
}

static void test_table_longest_texts_fit(void **state)
{
	(void)state;
	char name[LK_NAME_MAX * 4 + 1];
	char id[LK_ID_MAX + 1];

	for (size_t i = 0; i < LK_NAME_MAX; i++) {
		memcpy(name + 4 * i, "\xf0\x9f\x94\x91", 4);
	}
	name[sizeof name - 1] = '\0';
	memset(id, 'z', LK_ID_MAX);
	id[LK_ID_MAX] = '\0';
	assert_int_equal(lk_key_by_name(UINT32_MAX, name, true, UINT64_MAX).len, 4 + 400 + 1 + 1 + 8);
	assert_int_equal(lk_key_keyspace_by_id(UINT32_MAX, id).len, 4 + 63);
	assert_true(LK_KEY_MAX < 511);
}

static void test_table_every_table_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < LK_TABLE_COUNT; i++) {
		assert_non_null(lk_tables[i].name);
		/* The one table of native keys; every other is ordered by bytes. */
		assert_int_equal(lk_tables[i].flags, i == LK_TABLE_VERDICT ? MDB_INTEGERKEY : 0);
		for (size_t k = 0; k < i; k++) {
			assert_string_not_equal(lk_tables[i].name, lk_tables[k].name);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_numbers_sort_as_numbers),
		cmocka_unit_test(test_table_keys_have_the_bytes_that_are_on_disks),
		cmocka_unit_test(test_table_keys_by_creation_sort_by_keyspace_then_time_then_slot),
		cmocka_unit_test(test_table_keys_by_expiry_and_use_sort_by_keyspace_then_time_then_slot),
		cmocka_unit_test(test_table_keys_of_one_owner_stand_together),
		cmocka_unit_test(test_table_keys_of_one_name_stand_together),
		cmocka_unit_test(test_table_longest_texts_fit),
		cmocka_unit_test(test_table_every_table_has_a_name_of_its_own),
	};

	return cmocka_run_group_tests_name("store table", tests, NULL, NULL);
}

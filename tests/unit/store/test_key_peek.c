#include "server/store/key_peek.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Texts of records are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

static char *permissions[] = {"agents:install", "", "*"};

static uint32_t roles[] = {300, 1, UINT32_MAX};

static Latchkey__Store__KeyRecord full_record(void)
{
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	static uint8_t digest[LK_DIGEST_LEN] = {0xff, 0xff};

	key.slot = UINT64_MAX - 1;
	key.number = 77;
	key.revision = 300;
	key.id = TEXT("key_00000000000000000000000000");
	key.tenant = 5;
	key.keyspace = UINT32_MAX;
	key.tenant_scope = true;
	key.name = TEXT("a name");
	key.owner = TEXT("ann");
	key.display_prefix = TEXT("sk-abcdef");
	key.state = LK_REVOKED;
	key.not_before_us = -1;
	key.expire_us = INT64_MAX;
	key.create_us = 1234567890123;
	key.update_us = 1;
	key.created_by = TEXT("uid:1000");
	key.revoke_reason = TEXT("because");
	key.digest = (ProtobufCBinaryData){sizeof digest, digest};
	key.permissions = permissions;
	key.n_permissions = COUNT(permissions);
	key.suspend_reason = TEXT("for now");
	key.previous_until_us = 9;
	key.roles = roles;
	key.n_roles = COUNT(roles);
	return key;
}

/* Packs into memory of just that size, so that reading past it shows. */
static struct lk_value pack(const Latchkey__Store__KeyRecord *key)
{
	size_t len = latchkey__store__key_record__get_packed_size(key);
	uint8_t *data = malloc(len);

	assert_non_null(data);
	latchkey__store__key_record__pack(key, data);
	return (struct lk_value){data, len};
}

static void release(struct lk_value value)
{
	free((void *)(uintptr_t)value.data);
}

static void test_peek_reads_what_the_record_says(void **state)
{
	Latchkey__Store__KeyRecord key = full_record();
	struct lk_value value = pack(&key);
	struct lk_key_peek peek = {0};
	struct lk_peeked_text held = {0};

	(void)state;
	assert_true(lk_key_peek_read(value, true, &peek));
	assert_true(peek.slot == key.slot);
	assert_int_equal(peek.revision, 300);
	assert_int_equal(peek.tenant, 5);
	assert_int_equal(peek.keyspace, UINT32_MAX);
	assert_int_equal(peek.state, LK_REVOKED);
	assert_true(peek.expire_us == INT64_MAX);
	assert_true(peek.create_us == key.create_us);
	assert_true(lk_peeked_text_is(peek.name, "a name"));
	assert_true(lk_peeked_text_is(peek.owner, "ann"));
	assert_int_equal(peek.n_permissions, COUNT(permissions));
	const uint8_t *at = peek.rest;
	for (size_t i = 0; i < COUNT(permissions); i++) {
		assert_true(lk_key_peek_permission(&peek, &at, &held));
		assert_true(lk_peeked_text_is(held, permissions[i]));
	}
	assert_false(lk_key_peek_permission(&peek, &at, &held));
	for (size_t i = 0; i < COUNT(roles); i++) {
		assert_true(lk_key_peek_has_role(&peek, roles[i]));
	}
	assert_false(lk_key_peek_has_role(&peek, 0));
	assert_false(lk_key_peek_has_role(&peek, 2));
	/* They are read only where they are asked for. */
	assert_true(lk_key_peek_read(value, false, &peek));
	assert_false(lk_key_peek_has_role(&peek, 1));
	assert_int_equal(peek.n_permissions, 0);
	at = peek.rest;
	assert_false(lk_key_peek_permission(&peek, &at, &held));
	assert_true(peek.create_us == key.create_us);
	release(value);
}

static void test_peek_compares_texts(void **state)
{
	static const struct {
		const char *field;
		const char *text;
		bool is;
		bool begins;
	} cases[] = {
		{"", "", true, true},
		{"a", "", false, true},
		{"", "a", false, false},
		{"ab", "a", false, true},
		{"ab", "ab", true, true},
		{"ab", "abc", false, false},
		{"ab", "b", false, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lk_peeked_text field = {cases[i].field, strlen(cases[i].field)};
		assert_int_equal(lk_peeked_text_is(field, cases[i].text), cases[i].is);
		assert_int_equal(lk_peeked_text_begins(field, cases[i].text), cases[i].begins);
	}
	assert_true(lk_peeked_text_is((struct lk_peeked_text){0}, ""));
}

/* A record that was cut off or altered reads as something or not at all, and nothing past its end is touched. */
static void test_peek_survives_any_bytes(void **state)
{
	Latchkey__Store__KeyRecord key = full_record();
	struct lk_value whole = pack(&key);
	struct lk_key_peek peek = {0};
	struct lk_peeked_text held = {0};

	(void)state;
	assert_false(lk_key_peek_read((struct lk_value){whole.data, 0}, true, &peek));
	for (size_t len = 1; len < whole.len; len++) {
		uint8_t *cut = malloc(len);
		assert_non_null(cut);
		memcpy(cut, whole.data, len);
		for (int permitted = 0; permitted < 2; permitted++) {
			if (lk_key_peek_read((struct lk_value){cut, len}, permitted != 0, &peek)) {
				const uint8_t *at = peek.rest;
				while (lk_key_peek_permission(&peek, &at, &held)) {
					assert_true((const uint8_t *)held.data + held.len <= cut + len);
				}
				(void)lk_key_peek_has_role(&peek, 2);
			}
		}
		/* Each byte, with every bit of it turned. */
		memcpy(cut, whole.data, len);
		cut[len - 1] = (uint8_t)~cut[len - 1];
		if (lk_key_peek_read((struct lk_value){cut, len}, true, &peek)) {
			(void)lk_key_peek_has_role(&peek, 2);
		}
		free(cut);
	}
	release(whole);
}

static void test_peek_finds_records_in_any_order(void **state)
{
	struct world world = world_make(state);
	static const uint64_t order[] = {3, 1, 2, 5, 9, 7, 8, 4, 4, 0, 11, 10};
	struct lk_key_peek peek = {0};

	for (int i = 0; i < 10; i++) {
		world_key(&world, "");
	}
	world_delete(&world, 4);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	struct lk_walk *keys = lk_walk_new(txn, LK_TABLE_KEY);
	for (size_t i = 0; i < COUNT(order); i++) {
		bool is_there = order[i] >= 1 && order[i] <= 10 && order[i] != 4;
		assert_int_equal(lk_key_peek_at(txn, keys, order[i], false, &peek), is_there);
		assert_true(!is_there || peek.slot == order[i]);
	}
	for (uint64_t slot = 0; slot < 13; slot++) {
		assert_int_equal(lk_key_peek_at(txn, keys, slot, true, &peek), slot >= 1 && slot <= 10 && slot != 4);
	}
	lk_walk_free(keys);
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_peek_of_what_is_no_record_is_corrupt(void **state)
{
	struct world world = world_make(state);
	struct lk_key where = lk_key_u64(1);
	struct lk_key_peek peek = {0};
	struct lk_txn *txn = NULL;

	world_key(&world, "");
	assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
	lk_txn_put(txn, LK_TABLE_KEY, &where, "\xff", 1, 0);
	struct lk_walk *keys = lk_walk_new(txn, LK_TABLE_KEY);
	assert_false(lk_key_peek_at(txn, keys, 1, false, &peek));
	lk_walk_free(keys);
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	assert_false(lk_key_peek_at(txn, NULL, 1, false, &peek));
	lk_write_abort(txn);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_peek_reads_what_the_record_says),
		cmocka_unit_test(test_peek_compares_texts),
		cmocka_unit_test(test_peek_survives_any_bytes),
		TEST(test_peek_finds_records_in_any_order),
		TEST(test_peek_of_what_is_no_record_is_corrupt),
	};

	return cmocka_run_group_tests_name("store key peek", tests, NULL, NULL);
}

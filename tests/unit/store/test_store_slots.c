#include "server/store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/store/denials.h"
#include "server/store/slots.h"
#include "tests/lib/store_fixture.h"
#include "tests/unit/store/files.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_store_without_its_slots_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	files_make_and_close(fixture);
	files_remove(fixture, "slots.mmap");
	files_assert_refused(fixture, LK_CORRUPT, "slots.mmap", "restore");
	assert_false(files_exists(fixture, "slots.mmap"));
}

static void test_store_with_slots_that_are_too_short_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	uint32_t tenant = 0;

	files_assert_opens(fixture);
	tenant = lk_fixture_tenant(fixture, "acme");
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, "prod");
	for (int i = 0; i < 3; i++) {
		assert_non_null(lk_fixture_key(fixture, tenant, keyspace, ""));
	}
	lk_fixture_close(fixture);
	static const off_t lengths[] = {4 * 64 - 1, 64, 63, 0};
	for (size_t i = 0; i < COUNT(lengths); i++) {
		files_truncate(fixture, "slots.mmap", lengths[i]);
		files_assert_refused(fixture, LK_CORRUPT, "slots.mmap", "restore");
	}
}

/* Just long enough is enough: a step more is made when it is needed. */
static void test_store_with_slots_cut_to_what_it_names_goes_on(void **state)
{
	struct lk_fixture *fixture = *state;

	files_assert_opens(fixture);
	uint32_t tenant = lk_fixture_tenant(fixture, "acme");
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, "prod");
	const Latchkey__Store__KeyRecord *first = lk_fixture_key(fixture, tenant, keyspace, "");
	assert_non_null(first);
	lk_slots_use(lk_store_slots(fixture->store), first->slot, 5);
	lk_fixture_close(fixture);
	files_truncate(fixture, "slots.mmap", 2 * 64);
	files_assert_opens(fixture);
	const Latchkey__Store__KeyRecord *second = lk_fixture_key(fixture, tenant, keyspace, "");
	assert_non_null(second);
	lk_slots_use(lk_store_slots(fixture->store), second->slot, 6);
	assert_int_equal(lk_slots_usage(lk_store_slots(fixture->store), first->slot).count, 1);
	assert_int_equal(lk_slots_usage(lk_store_slots(fixture->store), second->slot).count, 1);
}

static void test_store_with_another_stores_slots_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_fixture other;
	char from[256];
	char to[256];

	files_make_and_close(fixture);
	assert_int_equal(lk_fixture_init(&other), 0);
	files_make_and_close(&other);
	lk_fixture_path(&other, "slots.mmap", sizeof from, from);
	lk_fixture_path(fixture, "slots.mmap", sizeof to, to);
	assert_int_equal(rename(from, to), 0);
	lk_fixture_done(&other);
	files_assert_refused(fixture, LK_FAILED_PRECONDITION, "slots.mmap", "another store");
}

static void test_store_with_slots_that_are_none_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	files_make_and_close(fixture);
	files_write(fixture, "slots.mmap", 0, "latchkey", 8);
	files_assert_refused(fixture, LK_CORRUPT, "slots.mmap", "restore");
}

static void test_store_with_slots_of_a_newer_schema_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	files_make_and_close(fixture);
	files_write(fixture, "slots.mmap", 8, &(uint32_t){2}, sizeof(uint32_t));
	files_assert_refused(fixture, LK_FAILED_PRECONDITION, "slots.mmap", "upgrade");
}

static void test_store_with_fewer_slots_allowed_than_used_is_refused(void **state)
{
	struct lk_fixture *fixture = *state;

	files_assert_opens(fixture);
	uint32_t tenant = lk_fixture_tenant(fixture, "acme");
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, "prod");
	for (int i = 0; i < 3; i++) {
		assert_non_null(lk_fixture_key(fixture, tenant, keyspace, ""));
	}
	lk_fixture_close(fixture);
	fixture->options.max_slots = 2;
	files_assert_refused(fixture, LK_FAILED_PRECONDITION, "slots.mmap", "max_slots");
	fixture->options.max_slots = 3;
	files_assert_opens(fixture);
}

/* Of the same store, or none: what denials tell is needed by nothing else. */
static void test_store_without_its_denials_goes_on_without_what_they_told(void **state)
{
	static const struct lk_denial denial = {.code = 4, .time_us = 5};
	struct lk_fixture *fixture = *state;
	uint64_t counts[LK_DENIAL_CODES];

	files_assert_opens(fixture);
	uint32_t tenant = lk_fixture_tenant(fixture, "acme");
	uint32_t keyspace = lk_fixture_keyspace(fixture, tenant, "prod");
	const Latchkey__Store__KeyRecord *key = lk_fixture_key(fixture, tenant, keyspace, "");
	assert_non_null(key);
	lk_denials_note(lk_store_denials(fixture->store), key->slot, keyspace, &denial);
	lk_fixture_close(fixture);
	files_remove(fixture, "denials.mmap");
	files_assert_opens(fixture);
	assert_int_equal(lk_denials_last(lk_store_denials(fixture->store), key->slot).code, 0);
	lk_denials_counts(lk_store_denials(fixture->store), keyspace, counts);
	assert_int_equal(counts[4], 1);
	lk_fixture_close(fixture);
	files_remove(fixture, "gates.mmap");
	files_assert_opens(fixture);
	lk_denials_counts(lk_store_denials(fixture->store), keyspace, counts);
	assert_int_equal(counts[4], 0);
	files_assert_modes(fixture);
}

static void test_store_with_another_stores_denials_is_refused(void **state)
{
	static const char *const files[] = {"denials.mmap", "gates.mmap"};
	struct lk_fixture *fixture = *state;

	files_make_and_close(fixture);
	for (size_t i = 0; i < COUNT(files); i++) {
		files_write(fixture, files[i], 16, "another store id", 16);
		files_assert_refused(fixture, LK_FAILED_PRECONDITION, files[i], "another store");
		files_remove(fixture, files[i]);
	}
	files_assert_opens(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup_closed, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_store_without_its_slots_is_refused),
		TEST(test_store_with_slots_that_are_too_short_is_refused),
		TEST(test_store_with_slots_cut_to_what_it_names_goes_on),
		TEST(test_store_with_another_stores_slots_is_refused),
		TEST(test_store_with_slots_that_are_none_is_refused),
		TEST(test_store_with_slots_of_a_newer_schema_is_refused),
		TEST(test_store_with_fewer_slots_allowed_than_used_is_refused),
		TEST(test_store_without_its_denials_goes_on_without_what_they_told),
		TEST(test_store_with_another_stores_denials_is_refused),
	};

	return cmocka_run_group_tests_name("store and slots", tests, NULL, NULL);
}

#include "server/store/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/core/text.h"
#include "server/store/find.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

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
		TEST(test_scan_of_tenants_goes_by_id),
		TEST(test_scan_of_keyspaces_stays_in_its_tenant),
		TEST(test_scan_of_ids_takes_the_longest),
	};

	return cmocka_run_group_tests_name("store scan", tests, NULL, NULL);
}

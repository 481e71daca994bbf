#include "server/store/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/core/text.h"
#include "server/store/find.h"
#include "tests/lib/draft.h"
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

/* Makes a role, or an owner, of this id. */
static void make(struct world *world, uint32_t tenant, const char *id, bool is_role)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);

	if (is_role) {
		(void)lk_draft_put_role(world->arena, change, tenant, id, "agents:list");
	} else {
		(void)lk_draft_put_owner(world->arena, change, tenant, id);
	}
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
}

static void test_scan_of_roles_stays_in_its_tenant(void **state)
{
	static const struct {
		const char *after;
		uint32_t first;
		size_t count;
	} cases[] = {{"", 2, 3}, {"a", 3, 2}, {"a-b", 1, 1}, {"b", 1, 1}, {"z", 0, 0}};
	struct world world = world_make(state);
	uint32_t other = lk_fixture_tenant(world.fixture, "other");
	uint32_t number = 0;

	make(&world, world.tenant, "z", true);
	make(&world, world.tenant, "a", true);
	make(&world, world.tenant, "a-b", true);
	make(&world, other, "b", true);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		struct lk_id_scan *scan = lk_role_scan_new(txn, world.tenant, cases[i].after);
		size_t found = 0;
		for (; lk_id_scan_next(scan, &number); found++) {
			assert_true(found > 0 || number == cases[i].first);
		}
		lk_id_scan_free(scan);
		assert_int_equal(found, cases[i].count);
		assert_int_equal(lk_txn_err(txn), LK_OK);
	}
}

/* From behind each, there are those that a scan from the first on finds behind it. */
static void test_scan_of_owners_goes_on_anywhere(void **state)
{
	static const char *const ids[] = {"alice", "bob", "carol", "dave", "eve"};
	enum {
		OWNERS = sizeof ids / sizeof ids[0]
	};
	uint8_t positions[OWNERS + 1][LK_OWNER_POSITION_LEN] = {{0}};
	uint64_t slots[OWNERS] = {0};
	struct world world = world_make(state);
	size_t found = 0;

	for (size_t i = 0; i < OWNERS; i++) {
		make(&world, world.tenant, ids[i], false);
	}
	make(&world, lk_fixture_tenant(world.fixture, "other"), "mallory", false);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	struct lk_owner_scan *scan = lk_owner_scan_new(txn, world.tenant, NULL);
	for (const Latchkey__Store__OwnerRecord *owner = NULL; found <= OWNERS; found++) {
		owner = lk_owner_scan_next(scan, world.arena, positions[found]);
		if (owner == NULL) {
			break;
		}
		assert_true(found < OWNERS);
		slots[found] = owner->slot;
		assert_true(found == 0 || memcmp(positions[found - 1], positions[found], LK_OWNER_POSITION_LEN) < 0);
	}
	lk_owner_scan_free(scan);
	assert_int_equal(found, OWNERS);
	for (size_t i = 0; i < OWNERS; i++) {
		uint8_t position[LK_OWNER_POSITION_LEN];
		scan = lk_owner_scan_new(txn, world.tenant, positions[i]);
		const Latchkey__Store__OwnerRecord *owner = lk_owner_scan_next(scan, world.arena, position);
		assert_true(i + 1 < OWNERS ? owner != NULL && owner->slot == slots[i + 1] : owner == NULL);
		lk_owner_scan_free(scan);
	}
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_scan_of_owners_survives_damage(void **state)
{
	static const uint8_t junk[] = {0xff, 0xff, 0xff};
	struct world world = world_make(state);
	struct lk_key keys[] = {lk_key_owner(world.tenant, "alice", 5), lk_key_u32(world.tenant)};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		uint8_t position[LK_OWNER_POSITION_LEN];
		struct lk_txn *txn = NULL;
		assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
		lk_txn_put(txn, LK_TABLE_OWNER, &keys[i], junk, sizeof junk, 0);
		struct lk_owner_scan *scan = lk_owner_scan_new(txn, world.tenant, NULL);
		assert_null(lk_owner_scan_next(scan, world.arena, position));
		lk_owner_scan_free(scan);
		assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
		lk_write_abort(txn);
	}
	assert_null(lk_owner_scan_next(NULL, world.arena, (uint8_t[LK_OWNER_POSITION_LEN]){0}));
	lk_owner_scan_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_scan_of_tenants_goes_by_id),
		TEST(test_scan_of_keyspaces_stays_in_its_tenant),
		TEST(test_scan_of_ids_takes_the_longest),
		TEST(test_scan_of_roles_stays_in_its_tenant),
		TEST(test_scan_of_owners_goes_on_anywhere),
		TEST(test_scan_of_owners_survives_damage),
	};

	return cmocka_run_group_tests_name("store scan", tests, NULL, NULL);
}

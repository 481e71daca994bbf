#include "server/store/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(text)   ((char *)(uintptr_t)(text))

static char *three_cidrs[] = {TEXT("10.0.0.0/8"), TEXT("192.0.2.1/32"), TEXT("2001:db8::/32")};

static struct lk_address address_of(const char *text)
{
	struct lk_address address = {0};

	assert_true(lk_address_parse(text, &address));
	return address;
}

static Latchkey__Store__RateLimitRecord limit_of(const char *name, uint64_t limit, uint32_t clock)
{
	Latchkey__Store__RateLimitRecord record = LATCHKEY__STORE__RATE_LIMIT_RECORD__INIT;

	record.name = TEXT(name);
	record.limit = limit;
	record.burst = limit;
	record.period_us = 60000000;
	record.clock = clock;
	return record;
}

/* A copy of exactly so many bytes, so that a read behind them is one behind the heap's. */
static uint8_t *exact_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	if (len > 0) {
		memcpy(copy, data, len);
	}
	return copy;
}

static void test_rules_of_a_key_without_any_are_not_a_byte(void **state)
{
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	uint8_t data[LK_RULES_MAX];
	struct lk_rules rules;
	struct lk_address none = {0};

	(void)state;
	assert_int_equal(lk_rules_of_key(&key, data), 0);
	assert_true(lk_rules_read(NULL, 0, &rules));
	assert_int_equal(rules.n_roles + rules.n_cidrs + rules.n_limits + rules.has_credits, 0);
	assert_true(lk_rules_admit(&rules, &none));
}

static void test_rules_are_read_as_they_were_written(void **state)
{
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	Latchkey__Store__CreditsRecord credits = LATCHKEY__STORE__CREDITS_RECORD__INIT;
	Latchkey__Store__RateLimitRecord limits[] = {
		limit_of("day", 100, 2), limit_of("a-name-of-exactly-32-characters0", 7, 0)};
	Latchkey__Store__RateLimitRecord *limit_list[] = {&limits[0], &limits[1]};
	uint32_t roles[] = {7, UINT32_MAX};
	uint8_t data[LK_RULES_MAX];
	struct lk_rules rules;

	(void)state;
	key.roles = roles;
	key.n_roles = COUNT(roles);
	key.allowed_cidrs = three_cidrs;
	key.n_allowed_cidrs = COUNT(three_cidrs);
	key.rate_limits = limit_list;
	key.n_rate_limits = COUNT(limit_list);
	credits.balance = 1000000000000;
	credits.since_us = 5;
	credits.epoch = 65535;
	key.credits = &credits;
	size_t len = lk_rules_of_key(&key, data);
	uint8_t *copy = exact_copy(data, len);
	assert_true(lk_rules_read(copy, len, &rules));
	assert_int_equal(rules.n_roles, 2);
	assert_int_equal(lk_rules_role(&rules, 0), 7);
	assert_true(lk_rules_role(&rules, 1) == UINT32_MAX);
	assert_int_equal(rules.n_cidrs, 3);
	assert_int_equal(lk_rules_cidr(&rules, 1).prefix, 32);
	assert_int_equal(rules.n_limits, 2);
	struct lk_limit expected = lk_limit_of_record(&limits[0]);
	struct lk_limit limit = lk_rules_limit(&rules, 0);
	assert_memory_equal(&limit, &expected, sizeof limit);
	limit = lk_rules_limit(&rules, 1);
	assert_memory_equal(limit.name, "a-name-of-exactly-32-characters0", 32);
	assert_int_equal(limit.clock, 0);
	assert_true(rules.has_credits);
	assert_true(lk_rules_credits(&rules).balance == 1000000000000);
	assert_int_equal(lk_rules_credits(&rules).epoch, 65535);
	free(copy);
}

/* Each part alone: none is taken for another. */
static void test_rules_of_one_part_have_that_part(void **state)
{
	Latchkey__Store__CreditsRecord credits = LATCHKEY__STORE__CREDITS_RECORD__INIT;
	Latchkey__Store__RateLimitRecord limit = limit_of("day", 1, 3);
	Latchkey__Store__RateLimitRecord *limits[] = {&limit};
	uint32_t role = 1;

	(void)state;
	for (unsigned part = 0; part < 4; part++) {
		Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
		uint8_t data[LK_RULES_MAX];
		struct lk_rules rules;
		key.roles = &role;
		key.n_roles = part == 0;
		key.allowed_cidrs = three_cidrs;
		key.n_allowed_cidrs = part == 1;
		key.rate_limits = limits;
		key.n_rate_limits = part == 2;
		key.credits = part == 3 ? &credits : NULL;
		size_t len = lk_rules_of_key(&key, data);
		assert_true(len > 0);
		assert_true(lk_rules_read(data, len, &rules));
		assert_int_equal(rules.n_roles, part == 0);
		assert_int_equal(rules.n_cidrs, part == 1);
		assert_int_equal(rules.n_limits, part == 2);
		assert_int_equal(rules.has_credits, part == 3);
	}
}

static void test_rules_of_every_limit_fit(void **state)
{
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	Latchkey__Store__CreditsRecord credits = LATCHKEY__STORE__CREDITS_RECORD__INIT;
	Latchkey__Store__RateLimitRecord limit = limit_of("day", 1, 0);
	Latchkey__Store__RateLimitRecord *limits[LK_LIMITS_MAX + 1];
	uint32_t roles[LK_ROLES_MAX + 1] = {0};
	char *cidrs[LK_CIDRS_MAX + 1];
	uint8_t data[LK_RULES_MAX];
	struct lk_rules rules;

	(void)state;
	for (size_t i = 0; i < COUNT(limits); i++) {
		limits[i] = &limit;
	}
	for (size_t i = 0; i < COUNT(cidrs); i++) {
		cidrs[i] = three_cidrs[2];
	}
	key.roles = roles;
	key.allowed_cidrs = cidrs;
	key.rate_limits = limits;
	key.n_roles = LK_ROLES_MAX;
	key.n_allowed_cidrs = LK_CIDRS_MAX;
	key.n_rate_limits = LK_LIMITS_MAX;
	key.credits = &credits;
	size_t len = lk_rules_of_key(&key, data);
	assert_in_range(len, 1, LK_RULES_MAX);
	assert_true(lk_rules_read(data, len, &rules));
	assert_int_equal(rules.n_cidrs, LK_CIDRS_MAX);
	/* One more of any is no key's. */
	size_t *const counts[] = {&key.n_roles, &key.n_allowed_cidrs, &key.n_rate_limits};
	for (size_t i = 0; i < COUNT(counts); i++) {
		(*counts[i])++;
		assert_true(lk_rules_of_key(&key, data) == SIZE_MAX);
		(*counts[i])--;
	}
}

static void test_rules_that_do_not_add_up_are_refused(void **state)
{
	static const uint8_t counts[][4] = {{17, 0, 0, 0}, {0, 33, 0, 0}, {0, 0, 5, 0}, {0, 0, 0, 2},
		{255, 255, 255, 255}, {1, 0, 0, 0}, {0, 0, 0, 1}};
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	uint8_t data[LK_RULES_MAX] = {0};
	struct lk_rules rules = {.n_roles = 99};

	(void)state;
	key.allowed_cidrs = three_cidrs;
	key.n_allowed_cidrs = 3;
	size_t len = lk_rules_of_key(&key, data);
	/* Cut off anywhere, or with a byte behind. */
	for (size_t cut = 1; cut <= len + 1; cut++) {
		if (cut != len) {
			uint8_t *copy = exact_copy(data, cut);
			assert_false(lk_rules_read(copy, cut, &rules));
			free(copy);
		}
	}
	for (size_t i = 0; i < COUNT(counts); i++) {
		uint8_t *copy = exact_copy(counts[i], sizeof counts[i]);
		assert_false(lk_rules_read(copy, sizeof counts[i], &rules));
		free(copy);
	}
	/* More than a key may have, and all of it there. */
	memset(data, 0, sizeof data);
	data[0] = LK_ROLES_MAX + 1;
	assert_false(lk_rules_read(data, 4 + (LK_ROLES_MAX + 1) * sizeof(uint32_t), &rules));
	assert_int_equal(rules.n_roles, 99);
}

static void test_rules_admit_the_addresses_of_the_list(void **state)
{
	static const struct {
		const char *address;
		bool admitted;
	} cases[] = {{"10.0.0.0", true}, {"10.255.255.255", true}, {"11.0.0.0", false}, {"192.0.2.1", true},
		{"192.0.2.2", false}, {"2001:db8::1", true}, {"2001:db9::1", false}, {"::ffff:10.1.2.3", true},
		{"0.0.0.0", false}, {"::", false}};
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	uint8_t data[LK_RULES_MAX];
	struct lk_rules rules;
	struct lk_address none = {0};

	(void)state;
	key.allowed_cidrs = three_cidrs;
	key.n_allowed_cidrs = COUNT(three_cidrs);
	assert_true(lk_rules_read(data, lk_rules_of_key(&key, data), &rules));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lk_address address = address_of(cases[i].address);
		assert_int_equal(lk_rules_admit(&rules, &address), cases[i].admitted);
	}
	assert_false(lk_rules_admit(&rules, &none));
}

/* A list that nobody should have stored lets nobody in, rather than everybody. */
static void test_rules_of_a_range_that_is_none_admit_nobody(void **state)
{
	static const char *const addresses[] = {"0.0.0.0", "::", "10.0.0.1", "255.255.255.255"};
	char *cidrs[] = {TEXT("somewhere")};
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	uint8_t data[LK_RULES_MAX];
	struct lk_rules rules;
	struct lk_address none = {0};

	(void)state;
	key.allowed_cidrs = cidrs;
	key.n_allowed_cidrs = 1;
	assert_true(lk_rules_read(data, lk_rules_of_key(&key, data), &rules));
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct lk_address address = address_of(addresses[i]);
		assert_false(lk_rules_admit(&rules, &address));
	}
	assert_false(lk_rules_admit(&rules, &none));
}

static struct lk_txn *begin(struct world *world)
{
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(world->fixture->store, &txn), LK_OK);
	return txn;
}

static void test_owner_limits_are_found_by_tenant_and_owner(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__OwnerRecord owner = LATCHKEY__STORE__OWNER_RECORD__INIT;
	Latchkey__Store__RateLimitRecord limit = limit_of("team", 5, 1);
	Latchkey__Store__RateLimitRecord *limits[] = {&limit};
	struct lk_owner_limits found = {.slot = 1};
	struct lk_txn *txn = begin(&world);

	owner.slot = 77;
	owner.tenant = world.tenant;
	owner.id = TEXT("ada");
	owner.rate_limits = limits;
	owner.n_rate_limits = 1;
	lk_owner_limits_put(txn, &owner);
	assert_true(lk_owner_limits_find(txn, world.tenant, "ada, who is longer", 3, &found));
	assert_true(found.slot == 77);
	assert_int_equal(found.rules.n_limits, 1);
	assert_int_equal(lk_rules_limit(&found.rules, 0).limit, 5);
	found.slot = 1;
	assert_false(lk_owner_limits_find(txn, world.tenant + 1, "ada", 3, &found));
	assert_false(lk_owner_limits_find(txn, world.tenant, "ad", 2, &found));
	assert_false(lk_owner_limits_find(txn, world.tenant, "Ada", 3, &found));
	/* An owner that has lost its limits, but not its record. */
	owner.n_rate_limits = 0;
	lk_owner_limits_put(txn, &owner);
	assert_true(lk_owner_limits_find(txn, world.tenant, "ada", 3, &found));
	assert_int_equal(found.rules.n_limits, 0);
	lk_owner_limits_remove(txn, world.tenant, "ada");
	assert_false(lk_owner_limits_find(txn, world.tenant, "ada", 3, &found));
	assert_int_equal(lk_txn_err(txn), LK_OK);
	lk_owner_limits_remove(txn, world.tenant, "ada");
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	lk_write_abort(txn);
}

static void test_owner_limits_more_than_any_are_refused(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__OwnerRecord owner = LATCHKEY__STORE__OWNER_RECORD__INIT;
	Latchkey__Store__RateLimitRecord limit = limit_of("team", 5, 1);
	Latchkey__Store__RateLimitRecord *limits[LK_LIMITS_MAX + 1];
	struct lk_txn *txn = begin(&world);

	for (size_t i = 0; i < COUNT(limits); i++) {
		limits[i] = &limit;
	}
	owner.rate_limits = limits;
	owner.n_rate_limits = COUNT(limits);
	lk_owner_limits_put(txn, &owner);
	assert_int_equal(lk_txn_err(txn), LK_INTERNAL);
	lk_write_abort(txn);
}

static void test_owner_limits_that_do_not_add_up_are_corrupt(void **state)
{
	static const size_t lengths[] = {0, 1, 8, 11, 13};
	struct world world = world_make(state);
	struct lk_key key = lk_key_owner(world.tenant, "ada", 3);
	uint8_t data[13] = {0};
	struct lk_owner_limits found;

	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct lk_txn *txn = begin(&world);
		lk_txn_put(txn, LK_TABLE_OWNER_LIMITS, &key, data, lengths[i], 0);
		assert_false(lk_owner_limits_find(txn, world.tenant, "ada", 3, &found));
		assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
		lk_write_abort(txn);
	}
}

static void test_gate_cidrs_are_there_while_the_list_is(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyspaceRecord keyspace = LATCHKEY__STORE__KEYSPACE_RECORD__INIT;
	struct lk_address inside = address_of("192.0.2.1");
	struct lk_address outside = address_of("192.0.2.2");
	struct lk_rules rules;
	struct lk_txn *txn = begin(&world);

	keyspace.number = 5;
	lk_gate_cidrs_put(txn, &keyspace);
	assert_false(lk_gate_cidrs_find(txn, 5, &rules));
	keyspace.allowed_cidrs = three_cidrs;
	keyspace.n_allowed_cidrs = COUNT(three_cidrs);
	lk_gate_cidrs_put(txn, &keyspace);
	assert_true(lk_gate_cidrs_find(txn, 5, &rules));
	assert_true(lk_rules_admit(&rules, &inside));
	assert_false(lk_rules_admit(&rules, &outside));
	assert_false(lk_gate_cidrs_find(txn, 6, &rules));
	keyspace.n_allowed_cidrs = 0;
	lk_gate_cidrs_put(txn, &keyspace);
	assert_false(lk_gate_cidrs_find(txn, 5, &rules));
	assert_int_equal(lk_txn_err(txn), LK_OK);
	lk_write_abort(txn);
}

static void test_gate_cidrs_that_do_not_add_up_are_corrupt(void **state)
{
	struct world world = world_make(state);
	struct lk_key key = lk_key_u32(5);
	uint8_t data[4] = {0, 1, 0, 0};
	struct lk_rules rules;
	struct lk_txn *txn = begin(&world);

	lk_txn_put(txn, LK_TABLE_GATE_CIDRS, &key, data, sizeof data, 0);
	assert_false(lk_gate_cidrs_find(txn, 5, &rules));
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
	lk_write_abort(txn);
}

#define IN_STORE(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_of_a_key_without_any_are_not_a_byte),
		cmocka_unit_test(test_rules_are_read_as_they_were_written),
		cmocka_unit_test(test_rules_of_one_part_have_that_part),
		cmocka_unit_test(test_rules_of_every_limit_fit),
		cmocka_unit_test(test_rules_that_do_not_add_up_are_refused),
		cmocka_unit_test(test_rules_admit_the_addresses_of_the_list),
		cmocka_unit_test(test_rules_of_a_range_that_is_none_admit_nobody),
		IN_STORE(test_owner_limits_are_found_by_tenant_and_owner),
		IN_STORE(test_owner_limits_more_than_any_are_refused),
		IN_STORE(test_owner_limits_that_do_not_add_up_are_corrupt),
		IN_STORE(test_gate_cidrs_are_there_while_the_list_is),
		IN_STORE(test_gate_cidrs_that_do_not_add_up_are_corrupt),
	};

	return cmocka_run_group_tests_name("store rules", tests, NULL, NULL);
}

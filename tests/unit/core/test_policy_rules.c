/* What policy_key.c makes of addresses, rate limits and credits: what is said anew, and what a key keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/credits.h"
#include "server/core/limit.h"
#include "server/core/policy.h"
#include "server/core/time.h"
#include "tests/unit/core/faults_case.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, faults_teardown)

/* 2026-11-21T09:30:00Z */
static const int64_t now = INT64_C(1795253400) * LK_US_PER_SECOND;

static Latchkey__V1__Key asked;
static Latchkey__Store__PolicyRecord policy;
static Latchkey__Store__KeyRecord before;
static Latchkey__Store__KeyRecord key;
static Google__Protobuf__Duration day;
static Latchkey__V1__RateLimit limit[LK_LIMITS_MAX + 1];
static Latchkey__V1__RateLimit *limits[LK_LIMITS_MAX + 1];
static Latchkey__V1__Credits credits;
static char *cidrs[] = {"::ffff:10.0.0.0/104", "192.0.2.7"};
static char *roles[] = {"admin"};
static uint64_t clocks[LK_LIMITS_MAX];
static uint64_t spent;

static int setup(void **state)
{
	static char *const names[] = {"a", "b", "c", "d", "e"};

	(void)state;
	if (faults_setup(state) != 0) {
		return -1;
	}
	latchkey__v1__key__init(&asked);
	latchkey__store__policy_record__init(&policy);
	latchkey__store__key_record__init(&before);
	google__protobuf__duration__init(&day);
	latchkey__v1__credits__init(&credits);
	day.seconds = 86400;
	for (size_t i = 0; i < COUNT(limit); i++) {
		latchkey__v1__rate_limit__init(&limit[i]);
		limit[i].name = names[i];
		limit[i].limit = 10 * (i + 1);
		limit[i].period = &day;
		limits[i] = &limit[i];
	}
	asked.rate_limits = limits;
	memset(clocks, 0, sizeof clocks);
	spent = 0;
	return 0;
}

static struct lk_mask named(enum lk_key_field field)
{
	return (struct lk_mask){UINT64_C(1) << field};
}

static const struct lk_mask everything = {(UINT64_C(1) << LK_KEY_FIELDS) - 1};
static const struct lk_mask nothing = {0};

/*
 * As the key that stands, `before`, changed in what `mask` names; of a new key (`is_new`) what is not given comes from the
 * policy.
 */
static void run(struct lk_mask mask, bool is_new, bool is_system)
{
	const struct lk_key_rules rules = {
		.policy = &policy,
		.is_system = is_system,
		.now_us = now,
		.credits_us = now,
		.defaults = is_new,
		.before = is_new ? NULL : &before,
		.clocks = is_new ? NULL : clocks,
		.spent = is_new ? 0 : spent,
	};
	struct lk_key_fields fields = {.name = "", .owner = ""};

	lk_faults_init(&faults, &arena);
	key = before;
	if (is_new) {
		latchkey__store__key_record__init(&key);
	} else {
		assert_true(lk_key_fields_of_record(&arena, &before, &fields));
	}
	assert_true(lk_key_fields_overlay(&arena, &asked, mask, &fields));
	lk_policy_check_key(&faults, &rules, &fields, &key);
}

static void create(void)
{
	run(everything, true, false);
	assert_int_equal(faults.count, 0);
	before = key;
}

static void update(enum lk_key_field field)
{
	run(named(field), false, false);
	assert_int_equal(faults.count, 0);
}

static void test_rules_of_a_plain_key_are_not_a_byte(void **state)
{
	(void)state;
	Latchkey__Store__KeyRecord empty = LATCHKEY__STORE__KEY_RECORD__INIT;
	create();
	assert_int_equal(latchkey__store__key_record__get_packed_size(&key),
		latchkey__store__key_record__get_packed_size(&empty));
}

static void test_rules_of_a_new_key_are_those_that_are_given(void **state)
{
	(void)state;
	asked.allowed_cidrs = cidrs;
	asked.n_allowed_cidrs = 2;
	asked.n_rate_limits = 2;
	asked.credits = &credits;
	credits.balance = 500;
	create();
	assert_int_equal(key.n_allowed_cidrs, 2);
	assert_string_equal(key.allowed_cidrs[0], "10.0.0.0/8");
	assert_string_equal(key.allowed_cidrs[1], "192.0.2.7/32");
	assert_int_equal(key.n_rate_limits, 2);
	assert_string_equal(key.rate_limits[1]->name, "b");
	assert_int_equal(key.rate_limits[1]->limit, 20);
	assert_int_equal(key.rate_limits[1]->burst, 20);
	assert_int_not_equal(key.rate_limits[0]->clock, key.rate_limits[1]->clock);
	assert_int_equal(key.credits->balance, 500);
	assert_int_equal(key.credits->since_us, now);
}

static void test_rules_that_are_not_named_stay_as_they_are(void **state)
{
	(void)state;
	asked.allowed_cidrs = cidrs;
	asked.n_allowed_cidrs = 2;
	asked.n_rate_limits = 2;
	asked.credits = &credits;
	credits.balance = 500;
	create();
	uint32_t numbers[] = {7, 9};
	before.roles = numbers;
	before.n_roles = 2;
	clocks[0] = clocks[1] = (uint64_t)now * 1000;
	spent = 100;
	asked.n_rate_limits = 1;
	credits.balance = 1;
	run(nothing, false, false);
	assert_int_equal(faults.count, 0);
	assert_ptr_equal(key.rate_limits, before.rate_limits);
	assert_int_equal(key.n_rate_limits, 2);
	assert_int_equal(key.clock_generations, before.clock_generations);
	assert_ptr_equal(key.credits, before.credits);
	assert_ptr_equal(key.roles, numbers);
	assert_int_equal(key.n_roles, 2);
	assert_int_equal(key.n_allowed_cidrs, 2);
	assert_string_equal(key.allowed_cidrs[0], "10.0.0.0/8");
}

static void test_rate_limits_that_keep_their_names_keep_their_clocks(void **state)
{
	(void)state;
	asked.n_rate_limits = 2;
	create();
	clocks[0] = clocks[1] = (uint64_t)now * 1000 & ~UINT64_C(15);
	update(LK_KEY_FIELD_RATE_LIMITS);
	assert_int_equal(latchkey__store__key_record__get_packed_size(&key),
		latchkey__store__key_record__get_packed_size(&before));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(key.rate_limits[i]->clock, before.rate_limits[i]->clock);
		assert_int_equal(key.rate_limits[i]->generation, before.rate_limits[i]->generation);
	}
	assert_int_equal(key.clock_generations, before.clock_generations);
	/* Another in the place of the first: on a clock that ran for that one, and of a generation of its own. */
	limit[0].name = "new";
	update(LK_KEY_FIELD_RATE_LIMITS);
	assert_int_equal(key.rate_limits[1]->clock, before.rate_limits[1]->clock);
	assert_int_equal(key.rate_limits[1]->generation, before.rate_limits[1]->generation);
	assert_int_not_equal(key.rate_limits[0]->clock, key.rate_limits[1]->clock);
}

static void test_rules_that_are_named_and_not_given_are_cleared(void **state)
{
	(void)state;
	asked.allowed_cidrs = cidrs;
	asked.n_allowed_cidrs = 2;
	asked.n_rate_limits = 2;
	asked.credits = &credits;
	create();
	latchkey__v1__key__init(&asked);
	update(LK_KEY_FIELD_RATE_LIMITS);
	assert_int_equal(key.n_rate_limits, 0);
	assert_non_null(key.credits);
	update(LK_KEY_FIELD_CREDITS);
	assert_null(key.credits);
	assert_int_equal(key.n_rate_limits, 2);
	update(LK_KEY_FIELD_ALLOWED_CIDRS);
	assert_int_equal(key.n_allowed_cidrs, 0);
	assert_int_equal(key.n_rate_limits, 2);
}

static void test_credits_that_are_named_count_anew(void **state)
{
	(void)state;
	asked.credits = &credits;
	credits.balance = 500;
	create();
	spent = 100;
	update(LK_KEY_FIELD_CREDITS);
	assert_int_equal(key.credits->balance, 500);
	/* What was spent of the old balance is none of the new one's. */
	assert_int_not_equal(key.credits->epoch, before.credits->epoch);
}

static void test_rate_limits_come_from_the_policy_where_a_key_is_made(void **state)
{
	(void)state;
	asked.n_rate_limits = 2;
	create();
	policy.default_rate_limits = key.rate_limits;
	policy.n_default_rate_limits = 2;
	asked.n_rate_limits = 0;
	run(everything, true, false);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.n_rate_limits, 2);
	assert_string_equal(key.rate_limits[0]->name, "a");
	/* Copies: the next key's clocks are its own. */
	assert_ptr_not_equal(key.rate_limits[0], policy.default_rate_limits[0]);
	/* Some that are given stand in their place. */
	asked.n_rate_limits = 1;
	limit[0].name = "mine";
	run(everything, true, false);
	assert_int_equal(key.n_rate_limits, 1);
	assert_string_equal(key.rate_limits[0]->name, "mine");
	/* A key that stands gets none. */
	latchkey__store__key_record__init(&before);
	asked.n_rate_limits = 0;
	update(LK_KEY_FIELD_RATE_LIMITS);
	assert_int_equal(key.n_rate_limits, 0);
}

static void test_rules_have_their_faults_reported_together(void **state)
{
	(void)state;
	char *bad[] = {"10.0.0.1/8", "nowhere"};
	asked.allowed_cidrs = bad;
	asked.n_allowed_cidrs = 2;
	asked.n_rate_limits = 2;
	limit[0].limit = 0;
	limit[1].name = "a";
	asked.credits = &credits;
	credits.balance = LK_CREDITS_MAX + 1;
	run(everything, true, false);
	assert_int_equal(faults.count, 5);
	faults_assert(0, "allowed_cidrs[0]", "10.0.0.0/8");
	faults_assert(1, "allowed_cidrs[1]", "is no address");
	faults_assert(2, "rate_limits[0].limit", "out of bounds");
	faults_assert(3, "rate_limits[1].name", "given twice");
	faults_assert(4, "credits.balance", "too many");
}

static void test_rules_have_no_more_than_their_limits(void **state)
{
	(void)state;
	asked.n_rate_limits = LK_LIMITS_MAX;
	create();
	asked.n_rate_limits = LK_LIMITS_MAX + 1;
	run(everything, true, false);
	assert_int_equal(faults.count, 1);
	faults_assert(0, "rate_limits", "has 5 limits: give at most 4");
}

static void test_rules_are_not_for_root_keys(void **state)
{
	(void)state;
	Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;
	before.grant = &grant;
	asked.roles = roles;
	asked.n_roles = 1;
	asked.allowed_cidrs = cidrs;
	asked.n_allowed_cidrs = 2;
	asked.n_rate_limits = 1;
	asked.credits = &credits;
	const struct lk_mask mask = {named(LK_KEY_FIELD_ROLES).named | named(LK_KEY_FIELD_ALLOWED_CIDRS).named |
				     named(LK_KEY_FIELD_RATE_LIMITS).named | named(LK_KEY_FIELD_CREDITS).named};
	run(mask, false, true);
	assert_int_equal(faults.count, 4);
	faults_assert(0, "roles", "is not for root keys");
	faults_assert(1, "allowed_cidrs", "is not for root keys");
	faults_assert(2, "rate_limits", "is not for root keys");
	faults_assert(3, "credits", "is not for root keys");
	assert_int_equal(key.n_rate_limits + key.n_allowed_cidrs, 0);
	assert_null(key.credits);
	/* To clear what is not there is no fault. */
	latchkey__v1__key__init(&asked);
	run(mask, false, true);
	assert_int_equal(faults.count, 0);
}

static void test_rules_without_memory_are_never_good(void **state)
{
	(void)state;
	struct lk_arena small;
	asked.allowed_cidrs = cidrs;
	asked.n_allowed_cidrs = 2;
	asked.n_rate_limits = 2;
	asked.credits = &credits;
	for (size_t size = 16; size < 4096; size += 16) {
		struct lk_key_fields fields = {.name = "", .owner = ""};
		struct lk_faults few;
		const struct lk_key_rules rules = {
			.policy = &policy, .now_us = now, .credits_us = now, .defaults = true};
		assert_int_equal(lk_arena_init(&small, size, size), LK_OK);
		lk_faults_init(&few, &small);
		latchkey__store__key_record__init(&key);
		if (lk_key_fields_overlay(&small, &asked, everything, &fields)) {
			lk_policy_check_key(&few, &rules, &fields, &key);
			assert_true(small.exhausted || few.count > 0 ||
				    (key.n_allowed_cidrs == 2 && key.n_rate_limits == 2 && key.credits != NULL));
		}
		lk_arena_done(&small);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rules_of_a_plain_key_are_not_a_byte),
		TEST(test_rules_of_a_new_key_are_those_that_are_given),
		TEST(test_rules_that_are_not_named_stay_as_they_are),
		TEST(test_rate_limits_that_keep_their_names_keep_their_clocks),
		TEST(test_rules_that_are_named_and_not_given_are_cleared),
		TEST(test_credits_that_are_named_count_anew),
		TEST(test_rate_limits_come_from_the_policy_where_a_key_is_made),
		TEST(test_rules_have_their_faults_reported_together),
		TEST(test_rules_have_no_more_than_their_limits),
		TEST(test_rules_are_not_for_root_keys),
		TEST(test_rules_without_memory_are_never_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

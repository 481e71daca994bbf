#include "server/core/limit.h"
#include "tests/unit/core/faults_case.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define TEST(function) cmocka_unit_test_setup_teardown(function, faults_setup, faults_teardown)
#define TEXT(text)     ((char *)(uintptr_t)(text))
#define DAY_S          86400
#define DAY_NS         INT64_C(86400000000000)
#define T0             INT64_C(1795000000000000000)

/* Room for a list of limits as a request has them. */
struct list {
	Google__Protobuf__Duration periods[8];
	Latchkey__V1__RateLimit limits[8];
	Latchkey__V1__RateLimit *items[8];
	size_t count;
};

static void add(struct list *list, const char *name, uint64_t limit, int64_t period_s, uint64_t burst)
{
	size_t i = list->count++;
	google__protobuf__duration__init(&list->periods[i]);
	latchkey__v1__rate_limit__init(&list->limits[i]);
	list->periods[i].seconds = period_s;
	list->limits[i].name = TEXT(name);
	list->limits[i].limit = limit;
	list->limits[i].period = &list->periods[i];
	list->limits[i].burst = burst;
	list->items[i] = &list->limits[i];
}

static Latchkey__Store__RateLimitRecord **check(struct list *list)
{
	Latchkey__Store__RateLimitRecord **records = NULL;
	assert_true(lk_limit_check_list(&faults, "key.rate_limits", list->items, list->count, &records));
	return records;
}

static void test_limit_list_makes_defaults_explicit(void **state)
{
	(void)state;
	struct list list = {.count = 0};
	add(&list, "day", 1000, DAY_S, 0);
	add(&list, "burst_1-2", 60, 60, 10);
	add(&list, "abcdefghijklmnopqrstuvwxyz_-0123", 1000000000, 366 * DAY_S, 1000000000);
	add(&list, "0", 1000000, 1, 1);
	Latchkey__Store__RateLimitRecord **records = check(&list);
	assert_int_equal(faults.count, 0);
	assert_string_equal(records[0]->name, "day");
	assert_int_equal(records[0]->limit, 1000);
	assert_int_equal(records[0]->period_us, DAY_NS / 1000);
	assert_int_equal(records[0]->burst, 1000);
	assert_int_equal(records[1]->burst, 10);
	assert_int_equal(records[2]->burst, 1000000000);
	for (size_t i = 0; i < list.count; i++) {
		assert_int_equal(records[i]->clock, 0);
		assert_int_equal(records[i]->generation, 0);
	}
	struct list none = {.count = 0};
	assert_null(check(&none));
}

static const struct {
	const char *name;
	uint64_t limit;
	int64_t period_s;
	int32_t period_ns;
	uint64_t burst;
	const char *member;
	const char *part;
} bad[] = {
	{"", 1, 1, 0, 0, "name", "\"\" is no name of a limit"},
	{"Day", 1, 1, 0, 0, "name", "\"Day\" is no name"},
	{"a b", 1, 1, 0, 0, "name", "no name"},
	{"a.b", 1, 1, 0, 0, "name", "no name"},
	{"\xc3\xa4", 1, 1, 0, 0, "name", "no name"},
	{"abcdefghijklmnopqrstuvwxyz_-01234", 1, 1, 0, 0, "name", "1 to 32"},
	{"a", 0, 1, 0, 0, "limit", "0 is out of bounds: give 1 to 1000000000"},
	{"a", 1000000001, 366 * DAY_S, 0, 0, "limit", "1000000001 is out of bounds"},
	{"a", UINT64_MAX, 366 * DAY_S, 0, 0, "limit", "18446744073709551615 is out of bounds"},
	{"a", 1000001, 1, 0, 0, "limit", "1000001 is more than 1,000,000 a second: give at most 1000000"},
	{"a", 1500001, 1, 500000000, 0, "limit", "at most 1500000"},
	{"a", 1, 0, 0, 0, "period", "0s is too short: give 1 second to 366 days"},
	{"a", 1, 0, 999999999, 0, "period", "0.999999s is too short"},
	{"a", 1, -1, 0, 0, "period", "-1s is too short"},
	{"a", 1, 366 * DAY_S, 1000, 0, "period", "31622400.000001s is too long"},
	{"a", 1, 315576000000, 0, 0, "period", "too long"},
	{"a", 1, INT64_MAX, 0, 0, "period", "9223372036854775807 s and 0 ns is no Duration"},
	{"a", 1, 1, -1, 0, "period", "no Duration"},
	{"a", 10, 1, 0, 11, "burst", "11 is more than the limit: give at most 10"},
	{"a", 10, 1, 0, UINT64_MAX, "burst", "more than the limit"},
};

static void test_limit_list_names_each_fault_under_its_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct list list = {.count = 0};
		char path[64];
		lk_arena_reset(&arena);
		lk_faults_init(&faults, &arena);
		add(&list, "good", 1, 1, 0);
		add(&list, bad[i].name, bad[i].limit, bad[i].period_s, bad[i].burst);
		list.periods[1].nanos = bad[i].period_ns;
		(void)check(&list);
		(void)snprintf(path, sizeof(path), "key.rate_limits[1].%s", bad[i].member);
		assert_int_equal(faults.count, 1);
		faults_assert(0, path, bad[i].part);
	}
}

static void test_limit_list_names_all_faults_together(void **state)
{
	(void)state;
	struct list list = {.count = 0};
	add(&list, "same", 0, 1, 5);
	add(&list, "X", 1000001, 1, 1000002);
	add(&list, "same", 1, 1, 0);
	add(&list, "d", 1, 1, 0);
	add(&list, "e", 0, 0, 0);
	list.limits[3].period = NULL;
	(void)check(&list);
	assert_int_equal(faults.count, 8);
	faults_assert(0, "key.rate_limits", "has 5 limits: give at most 4");
	faults_assert(1, "key.rate_limits[0].limit", "0 is out");
	faults_assert(2, "key.rate_limits[0].burst", "5 is more");
	faults_assert(3, "key.rate_limits[1].name", "\"X\" is no name");
	faults_assert(4, "key.rate_limits[1].limit", "1000001 is more");
	faults_assert(5, "key.rate_limits[1].burst", "1000002 is more");
	faults_assert(6, "key.rate_limits[2].name", "\"same\" is given twice");
	faults_assert(7, "key.rate_limits[3].period", "is needed: give 1 second to 366 days");
}

static void test_limit_list_says_where_the_arena_is_exhausted(void **state)
{
	(void)state;
	struct lk_arena small;
	struct list list = {.count = 0};
	Latchkey__Store__RateLimitRecord **records = NULL;
	assert_int_equal(lk_arena_init(&small, 128, 128), LK_OK);
	lk_faults_init(&faults, &small);
	add(&list, "a", 1, 1, 0);
	add(&list, "b", 1, 1, 0);
	assert_false(lk_limit_check_list(&faults, "rate_limits", list.items, list.count, &records));
	assert_null(records);
	lk_arena_done(&small);
}

static void test_limit_list_is_shown_as_it_was_given(void **state)
{
	(void)state;
	struct list list = {.count = 0};
	add(&list, "day", 1000, DAY_S, 0);
	add(&list, "fast", 3, 1, 2);
	list.periods[1].nanos = 500000000;
	Latchkey__V1__RateLimit **shown = lk_limit_to_api(&arena, check(&list), list.count);
	assert_non_null(shown);
	assert_string_equal(shown[0]->name, "day");
	assert_int_equal(shown[0]->limit, 1000);
	assert_int_equal(shown[0]->period->seconds, DAY_S);
	assert_int_equal(shown[0]->burst, 1000);
	assert_int_equal(shown[1]->period->nanos, 500000000);
	assert_int_equal(shown[1]->burst, 2);
	assert_null(lk_limit_to_api(&arena, NULL, 0));
}

/* A key with limits, its slot's clocks, and what is known of their generations. */
struct key {
	Latchkey__Store__RateLimitRecord **limits;
	size_t count;
	uint64_t clocks[LK_LIMITS_MAX];
	uint32_t generations;
};

/* Gives the key limits by these names, 10 a day each, up to NULL. */
static void update(struct key *key, const char *const *names)
{
	struct list list = {.count = 0};
	for (size_t i = 0; names[i] != NULL; i++) {
		add(&list, names[i], 10, DAY_S, 0);
	}
	Latchkey__Store__RateLimitRecord **limits = check(&list);
	assert_int_equal(faults.count, 0);
	lk_limit_assign_clocks(limits, list.count, key->limits, key->count, key->clocks, &key->generations);
	key->limits = limits;
	key->count = list.count;
}

static enum lk_limit_answer use(struct key *key, const struct lk_limit *limit, uint64_t cost)
{
	uint64_t *clock = &key->clocks[limit->clock];
	struct lk_limit_standing standing;
	return lk_limit_take(limit, *clock, cost, T0, clock, &standing);
}

static void test_limit_keeps_its_clock_by_its_name(void **state)
{
	(void)state;
	struct key key = {.count = 0};
	update(&key, (const char *const[]){"a", "b", "c", "d", NULL});
	for (size_t i = 0; i < 4; i++) {
		struct lk_limit limit = lk_limit_of_record(key.limits[i]);
		assert_int_equal(limit.clock, i);
		assert_int_equal(limit.generation, 0);
		assert_int_equal(use(&key, &limit, i + 1), LK_LIMIT_PASSES);
	}
	update(&key, (const char *const[]){"d", "x", "b", "c", NULL});
	static const uint32_t clocks[] = {3, 0, 1, 2};
	static const uint32_t generations[] = {0, 1, 0, 0};
	static const uint64_t left[] = {6, 10, 8, 7};
	for (size_t i = 0; i < 4; i++) {
		struct lk_limit limit = lk_limit_of_record(key.limits[i]);
		assert_int_equal(limit.clock, clocks[i]);
		assert_int_equal(limit.generation, generations[i]);
		assert_int_equal(use(&key, &limit, left[i] + 1), LK_LIMIT_REFUSES);
		assert_int_equal(use(&key, &limit, left[i]), LK_LIMIT_PASSES);
	}
	assert_int_equal(key.generations, 1);
	/* Taken away and given again, it begins anew. */
	update(&key, (const char *const[]){NULL});
	update(&key, (const char *const[]){"b", NULL});
	struct lk_limit limit = lk_limit_of_record(key.limits[0]);
	assert_int_equal(use(&key, &limit, 10), LK_LIMIT_PASSES);
}

static void test_limit_of_a_new_key_has_the_first_generation(void **state)
{
	(void)state;
	struct list list = {.count = 0};
	uint32_t generations = 0;
	add(&list, "a", 1, 1, 0);
	add(&list, "b", 1, 1, 0);
	Latchkey__Store__RateLimitRecord **limits = check(&list);
	lk_limit_assign_clocks(limits, 2, NULL, 0, NULL, &generations);
	assert_int_equal(limits[0]->clock, 0);
	assert_int_equal(limits[1]->clock, 1);
	assert_int_equal(generations, 0);
}

/* Each new limit is whole, whether the ones before it were used or not, and those are told that they are old. */
static void test_limit_is_whole_after_each_of_100_renames(void **state)
{
	(void)state;
	for (unsigned every = 1; every <= 40; every++) {
		struct key key = {.count = 0};
		struct lk_limit old = {0};
		bool old_used = false;
		lk_arena_reset(&arena);
		for (unsigned i = 0; i < 100; i++) {
			char *name = lk_arena_printf(&arena, "limit-%u", i);
			update(&key, (const char *const[]){name, NULL});
			struct lk_limit limit = lk_limit_of_record(key.limits[0]);
			bool is_used = i % every == 0;
			if (is_used) {
				assert_int_equal(use(&key, &limit, 11), LK_LIMIT_REFUSES);
				assert_int_equal(use(&key, &limit, 10), LK_LIMIT_PASSES);
				assert_int_equal(use(&key, &limit, 1), LK_LIMIT_REFUSES);
			}
			if (is_used && old_used) {
				assert_int_equal(use(&key, &old, 1), LK_LIMIT_MOVED);
			}
			old = limit;
			old_used = is_used;
		}
	}
}

/* Slots that are newer than their store: a limit must not be told for ever that it is old. */
static void test_limit_catches_up_with_a_clock_that_is_ahead(void **state)
{
	(void)state;
	for (unsigned ahead = 1; ahead <= 8; ahead++) {
		struct key key = {.count = 0};
		update(&key, (const char *const[]){"a", "b", NULL});
		key.clocks[0] = (uint64_t)(T0 & ~INT64_C(15)) | ahead;
		key.clocks[1] = (uint64_t)(T0 & ~INT64_C(15)) | ahead;
		struct lk_limit limit = lk_limit_of_record(key.limits[0]);
		assert_int_equal(use(&key, &limit, 1), LK_LIMIT_MOVED);
		update(&key, (const char *const[]){"a", "c", NULL});
		limit = lk_limit_of_record(key.limits[0]);
		assert_int_equal(limit.generation, ahead);
		assert_int_equal(use(&key, &limit, 1), LK_LIMIT_PASSES);
		limit = lk_limit_of_record(key.limits[1]);
		assert_int_equal(limit.generation, ahead + 1);
		assert_int_equal(use(&key, &limit, 10), LK_LIMIT_PASSES);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_limit_list_makes_defaults_explicit),
		TEST(test_limit_list_names_each_fault_under_its_path),
		TEST(test_limit_list_names_all_faults_together),
		TEST(test_limit_list_says_where_the_arena_is_exhausted),
		TEST(test_limit_list_is_shown_as_it_was_given),
		TEST(test_limit_keeps_its_clock_by_its_name),
		TEST(test_limit_of_a_new_key_has_the_first_generation),
		TEST(test_limit_is_whole_after_each_of_100_renames),
		TEST(test_limit_catches_up_with_a_clock_that_is_ahead),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

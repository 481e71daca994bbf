#include "server/core/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define SECOND  INT64_C(1000000000)
#define MINUTE  (60 * SECOND)
#define DAY     (86400 * SECOND)
#define GRID    16
#define T0      INT64_C(1795000000000000000)
#define PASSES  LK_LIMIT_PASSES
#define REFUSES LK_LIMIT_REFUSES

static struct lk_limit make(uint64_t units, int64_t period_ns, uint64_t burst)
{
	Latchkey__Store__RateLimitRecord record = LATCHKEY__STORE__RATE_LIMIT_RECORD__INIT;
	record.name = (char *)(uintptr_t) "calls";
	record.limit = units;
	record.period_us = period_ns / 1000;
	record.burst = burst;
	return lk_limit_of_record(&record);
}

/* A slot's clock under one limit, as charge.c keeps it. */
struct user {
	struct lk_limit limit;
	uint64_t clock;
	struct lk_limit_standing standing;
};

static enum lk_limit_answer take(struct user *user, uint64_t cost, int64_t now_ns)
{
	return lk_limit_take(&user->limit, user->clock, cost, now_ns, &user->clock, &user->standing);
}

/* Takes one by one until it is refused. */
static uint64_t take_all(struct user *user, int64_t now_ns)
{
	uint64_t count = 0;
	while (take(user, 1, now_ns) == PASSES) {
		count++;
	}
	return count;
}

static const struct {
	uint64_t limit;
	int64_t period_ns;
	int64_t step_ns;
} steps[] = {
	{1000, DAY, 86400 * SECOND / 1000},
	{1, SECOND, SECOND},
	{1000000, SECOND, 1008},
	{3, SECOND, 333333344},
	{7, MINUTE, 8571428576},
	{1000000000, 366 * DAY, 31622400},
	{1, 366 * DAY, 366 * DAY},
	{0, SECOND, 0},
	{1, 0, 0},
	{1, INT64_MIN, 0},
	{1, INT64_MAX, 0},
};

static void test_limit_makes_steps_that_never_let_more_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		struct lk_limit limit = make(steps[i].limit, steps[i].period_ns, steps[i].limit);
		assert_int_equal(limit.step_ns, steps[i].step_ns);
		assert_int_equal(limit.step_ns % GRID, 0);
		assert_true(
			limit.step_ns == 0 || (__int128)limit.step_ns * (__int128)limit.limit >= steps[i].period_ns);
	}
}

static void test_limit_is_made_of_a_record(void **state)
{
	(void)state;
	Latchkey__Store__RateLimitRecord record = LATCHKEY__STORE__RATE_LIMIT_RECORD__INIT;
	static const char longest[] = "abcdefghijklmnopqrstuvwxyz_-0123";
	record.name = (char *)(uintptr_t)longest;
	record.limit = 10;
	record.period_us = SECOND / 1000;
	record.burst = 4;
	record.clock = 3;
	record.generation = 15;
	struct lk_limit limit = lk_limit_of_record(&record);
	assert_memory_equal(limit.name, longest, LK_LIMIT_NAME_MAX);
	assert_int_equal(limit.limit, 10);
	assert_int_equal(limit.burst, 4);
	assert_int_equal(limit.clock, 3);
	assert_int_equal(limit.generation, 15);
	/* One of a damaged record must not lead out of the slot. */
	record.clock = 4711;
	record.name = (char *)(uintptr_t) "a";
	limit = lk_limit_of_record(&record);
	assert_true(limit.clock < LK_LIMITS_MAX);
	assert_memory_equal(limit.name, "a\0\0", 3);
}

static void test_limit_lets_exactly_the_burst_pass_at_once(void **state)
{
	(void)state;
	static const int64_t instants[] = {0, 1, 15, 16, T0, T0 + 7, INT64_MAX, INT64_MIN, -1};
	for (size_t i = 0; i < COUNT(instants); i++) {
		struct user user = {.limit = make(1000, DAY, 1000)};
		assert_int_equal(take_all(&user, instants[i]), 1000);
		assert_int_equal(user.standing.remaining, 0);
		user = (struct user){.limit = make(1000, DAY, 7)};
		assert_int_equal(take_all(&user, instants[i]), 7);
	}
	struct user user = {.limit = make(1000000000, 366 * DAY, 1000000000)};
	assert_int_equal(take(&user, 1000000000, T0), PASSES);
	assert_int_equal(take(&user, 1, T0), REFUSES);
}

static void test_limit_says_where_it_stands(void **state)
{
	(void)state;
	struct user user = {.limit = make(10, 10 * SECOND, 10)};
	assert_int_equal(take(&user, 0, T0), PASSES);
	assert_int_equal(user.standing.remaining, 10);
	assert_int_equal(user.standing.reset_ns, 0);
	assert_int_equal(user.standing.retry_ns, 0);
	assert_int_equal(take(&user, 4, T0), PASSES);
	assert_int_equal(user.standing.remaining, 6);
	assert_int_equal(user.standing.reset_ns, 4 * SECOND);
	assert_int_equal(take(&user, 9, T0 + SECOND), REFUSES);
	assert_int_equal(user.standing.remaining, 7);
	assert_int_equal(user.standing.reset_ns, 3 * SECOND);
	assert_int_equal(user.standing.retry_ns, 2 * SECOND);
	assert_int_equal(take(&user, 9, T0 + 3 * SECOND - 1), REFUSES);
	assert_int_equal(user.standing.retry_ns, 1);
	assert_int_equal(take(&user, 9, T0 + 3 * SECOND), PASSES);
	/* Asking takes nothing, and passes where nothing is left. */
	assert_int_equal(take(&user, 1, T0 + 3 * SECOND), REFUSES);
	assert_int_equal(user.standing.remaining, 0);
	assert_int_equal(take(&user, 0, T0 + 3 * SECOND), PASSES);
	assert_int_equal(user.standing.remaining, 0);
	assert_int_equal(user.standing.reset_ns, 10 * SECOND);
}

static void test_limit_never_passes_what_is_over_the_burst(void **state)
{
	(void)state;
	static const uint64_t costs[] = {6, 11, UINT64_MAX, UINT64_MAX / 2, (UINT64_C(1) << 60) + 1};
	for (size_t i = 0; i < COUNT(costs); i++) {
		struct user user = {.limit = make(10, SECOND, 5)};
		assert_int_equal(take(&user, costs[i], T0), REFUSES);
		assert_int_equal(user.standing.retry_ns, -1);
		assert_int_equal(user.standing.remaining, 5);
		assert_int_equal(user.clock, 0);
	}
}

static void test_limit_refuses_all_where_it_is_damaged(void **state)
{
	(void)state;
	static const struct {
		int64_t step_ns;
		uint64_t burst;
	} damaged[] = {{0, 1}, {-16, 1}, {INT64_MIN, 1}, {17, 1}, {16, 0}, {INT64_MAX - 15, 2}, {1600, UINT64_MAX}};
	for (size_t i = 0; i < COUNT(damaged); i++) {
		struct user user = {.limit = {.limit = 1, .burst = damaged[i].burst, .step_ns = damaged[i].step_ns}};
		assert_int_equal(take(&user, 1, T0), REFUSES);
		assert_int_equal(take(&user, 0, T0), REFUSES);
		assert_int_equal(user.standing.remaining, 0);
		assert_int_equal(user.standing.retry_ns, -1);
		assert_int_equal(user.clock, 0);
		uint64_t clock = 4711;
		assert_false(lk_limit_settle(&user.limit, UINT64_MAX & ~15ULL, T0, &clock));
		assert_int_equal(clock, 4711);
	}
}

/* What the limit says, without clocks: a bucket that units fill and time drains. */
struct bucket {
	int64_t now;
	/* With the limit's own step. */
	__int128 level;
	/* In the period's own measure, unrounded: a unit is `period`, and a nanosecond drains `limit`. */
	__int128 exact;
};

static void drain(struct bucket *bucket, const struct lk_limit *limit, int64_t now)
{
	__int128 passed = now - bucket->now;
	bucket->level = bucket->level > passed ? bucket->level - passed : 0;
	passed *= (__int128)limit->limit;
	bucket->exact = bucket->exact > passed ? bucket->exact - passed : 0;
	bucket->now = now;
}

static int64_t random_below(uint64_t *seed, int64_t bound)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)((*seed >> 20) % (uint64_t)bound);
}

static int64_t random_wait(uint64_t *seed, const struct lk_limit *limit)
{
	int64_t window = limit->step_ns * (int64_t)limit->burst;
	switch (random_below(seed, 6)) {
	case 0:
	case 1:
		return 0;
	case 2:
		return random_below(seed, 2 * limit->step_ns);
	case 3:
		return limit->step_ns;
	case 4:
		return random_below(seed, limit->step_ns / 8 + 1);
	default:
		return random_below(seed, 100) == 0 ? random_below(seed, 2 * window) : 1;
	}
}

/* What a refusal or a pass promises of the future. */
static void check_promises(const struct user *user, uint64_t cost, int64_t now, enum lk_limit_answer answer)
{
	struct user then = *user;
	if (answer == REFUSES && user->standing.retry_ns >= 0) {
		assert_true(user->standing.retry_ns > 0);
		assert_int_equal(take(&then, cost, now + user->standing.retry_ns - 1), REFUSES);
		assert_int_equal(take(&then, cost, now + user->standing.retry_ns), PASSES);
	}
	then = *user;
	if (user->standing.reset_ns > 0) {
		assert_int_equal(take(&then, 0, now + user->standing.reset_ns - 1), PASSES);
		assert_true(then.standing.reset_ns == 1 && then.standing.remaining < user->limit.burst);
	}
	assert_int_equal(take(&then, 0, now + user->standing.reset_ns), PASSES);
	assert_int_equal(then.standing.remaining, user->limit.burst);
}

static void simulate(struct lk_limit limit, int64_t period_ns, uint64_t seed)
{
	struct user user = {.limit = limit};
	struct bucket bucket = {.now = T0};
	int64_t now = T0;
	const __int128 capacity = (__int128)limit.step_ns * (__int128)limit.burst;
	/* Up to 2200: nanoseconds end in 2262. */
	for (size_t i = 0; i < 20000 && now < T0 + 174 * 365 * DAY; i++) {
		now += random_wait(&seed, &limit);
		uint64_t cost = (uint64_t)random_below(
			&seed, random_below(&seed, 4) == 0 ? (int64_t)limit.burst + 2 : 3);
		drain(&bucket, &limit, now - now % GRID);
		bool fits = bucket.level + (__int128)cost * limit.step_ns <= capacity;
		enum lk_limit_answer answer = take(&user, cost, now);
		assert_int_equal(answer, fits ? PASSES : REFUSES);
		if (fits) {
			bucket.level += (__int128)cost * limit.step_ns;
			bucket.exact += (__int128)cost * period_ns;
			assert_true(bucket.exact <= (__int128)limit.burst * period_ns);
		}
		assert_int_equal(user.standing.remaining, (uint64_t)((capacity - bucket.level) / limit.step_ns));
		check_promises(&user, cost, now, answer);
	}
}

static void test_limit_does_as_a_bucket_that_drains(void **state)
{
	(void)state;
	static const struct {
		uint64_t limit;
		int64_t period_ns;
		uint64_t burst;
	} table[] = {{1, SECOND, 1}, {10, SECOND, 3}, {1000, DAY, 1000}, {3, SECOND, 3}, {1000000, SECOND, 50},
		{999983, SECOND, 999983}, {7, 366 * DAY, 2}, {1000000000, 366 * DAY, 1000000000}, {60, MINUTE, 10}};
	for (size_t i = 0; i < COUNT(table); i++) {
		simulate(make(table[i].limit, table[i].period_ns, table[i].burst), table[i].period_ns, i + 1);
	}
}

static void test_limit_takes_a_clock_beyond_the_window_for_its_end(void **state)
{
	(void)state;
	struct user user = {.limit = make(10, 10 * SECOND, 10)};
	static const int64_t ahead[] = {1, SECOND, DAY, 300 * DAY};
	for (size_t i = 0; i < COUNT(ahead); i++) {
		user.clock = 0;
		assert_int_equal(take_all(&user, T0 + ahead[i]), 10);
		/* The machine's clock is set back. */
		assert_int_equal(take(&user, 3, T0), REFUSES);
		assert_int_equal(user.standing.remaining, 0);
		assert_int_equal(user.standing.reset_ns, 10 * SECOND);
		assert_int_equal(user.standing.retry_ns, 3 * SECOND);
	}
	user.clock = UINT64_MAX & ~UINT64_C(15);
	assert_int_equal(take(&user, 1, T0), REFUSES);
	assert_int_equal(user.standing.retry_ns, SECOND);
}

static void test_limit_settles_a_clock_far_beyond_the_window(void **state)
{
	(void)state;
	struct user user = {.limit = make(10, 10 * SECOND, 10)};
	uint64_t settled = 4711;
	assert_int_equal(take_all(&user, T0 + DAY), 10);
	/* Until then, nothing would pass for a day. */
	assert_int_equal(take(&user, 1, T0 + 11 * SECOND), REFUSES);
	assert_true(lk_limit_settle(&user.limit, user.clock, T0, &user.clock));
	assert_int_equal(take(&user, 1, T0), REFUSES);
	assert_int_equal(take(&user, 1, T0 + SECOND), PASSES);
	assert_int_equal(take(&user, 1, T0 + SECOND), REFUSES);
	/* What racing verifiers read of the machine's clock differs, and none may gain by that. */
	assert_false(lk_limit_settle(&user.limit, user.clock, T0 + SECOND - LK_LIMIT_SLACK_NS, &settled));
	assert_true(lk_limit_settle(&user.limit, user.clock, T0 + SECOND - LK_LIMIT_SLACK_NS - GRID, &settled));
	/* Of another generation it is none of this limit's. */
	assert_false(lk_limit_settle(&user.limit, (UINT64_MAX & ~UINT64_C(15)) | 1, T0, &settled));
	assert_false(lk_limit_settle(&user.limit, 0, T0, &settled));
}

static void test_limit_settles_after_it_was_made_smaller(void **state)
{
	(void)state;
	struct user user = {.limit = make(1000, DAY, 1000)};
	assert_int_equal(take(&user, 500, T0), PASSES);
	user.limit = make(10, MINUTE, 10);
	assert_int_equal(take(&user, 1, T0), REFUSES);
	assert_true(lk_limit_settle(&user.limit, user.clock, T0, &user.clock));
	assert_int_equal(take(&user, 10, T0 + MINUTE - 1), REFUSES);
	assert_int_equal(take(&user, 10, T0 + MINUTE), PASSES);
}

static void test_limit_gives_a_charge_back(void **state)
{
	(void)state;
	struct user user = {.limit = make(10, 10 * SECOND, 10)};
	uint64_t before = 0;
	uint64_t untouched = 4711;
	assert_int_equal(take(&user, 2, T0), PASSES);
	before = user.clock;
	assert_int_equal(take(&user, 5, T0), PASSES);
	uint64_t charged = user.clock;
	assert_true(lk_limit_give_back(&user.limit, charged, 5, 0, &user.clock));
	assert_int_equal(user.clock, before);
	/* Less what has run off. */
	assert_true(lk_limit_give_back(&user.limit, charged, 5, 2 * SECOND, &user.clock));
	assert_int_equal(user.clock, before + (uint64_t)(2 * SECOND));
	assert_true(lk_limit_give_back(&user.limit, charged, 5, 1, &user.clock));
	assert_int_equal(user.clock, before + GRID);
	assert_false(lk_limit_give_back(&user.limit, charged, 5, 5 * SECOND, &untouched));
	assert_false(lk_limit_give_back(&user.limit, charged, 5, INT64_MAX, &untouched));
	assert_false(lk_limit_give_back(&user.limit, charged, UINT64_MAX, 0, &untouched));
	assert_false(lk_limit_give_back(&user.limit, charged | 1, 5, 0, &untouched));
	assert_false(lk_limit_give_back(&user.limit, 0, 5, 0, &untouched));
	assert_false(lk_limit_give_back(&user.limit, 16, 5, 0, &untouched));
	assert_int_equal(untouched, 4711);
}

/* A charge that was given back must not let more pass than if it had never been made. */
static void test_limit_gives_back_no_more_than_was_taken(void **state)
{
	(void)state;
	uint64_t seed = 1;
	const struct lk_limit limit = make(100, 100 * SECOND, 100);
	for (size_t i = 0; i < 20000; i++) {
		struct user with = {.limit = limit};
		struct user without = {.limit = limit};
		int64_t now = T0;
		uint64_t cost = 1 + (uint64_t)random_below(&seed, 20);
		assert_int_equal(take(&with, cost, now), PASSES);
		for (int64_t uses = random_below(&seed, 4); uses > 0; uses--) {
			now += random_below(&seed, 8 * SECOND);
			uint64_t other = 1 + (uint64_t)random_below(&seed, 10);
			assert_int_equal(take(&with, other, now), PASSES);
			assert_int_equal(take(&without, other, now), PASSES);
		}
		now += random_below(&seed, 8 * SECOND);
		(void)lk_limit_give_back(&limit, with.clock, cost, now - T0, &with.clock);
		assert_int_equal(take(&with, 0, now), PASSES);
		assert_int_equal(take(&without, 0, now), PASSES);
		assert_true(with.standing.reset_ns >= without.standing.reset_ns);
	}
}

static void test_limit_knows_older_and_newer_generations(void **state)
{
	(void)state;
	for (unsigned of = 0; of < LK_LIMIT_GENERATIONS; of++) {
		for (unsigned ahead = 0; ahead < LK_LIMIT_GENERATIONS; ahead++) {
			struct user user = {.limit = make(10, 10 * SECOND, 10)};
			user.limit.generation = (uint8_t)of;
			user.clock = (uint64_t)((T0 + 10 * SECOND) & ~INT64_C(15)) |
				     ((of + ahead) % LK_LIMIT_GENERATIONS);
			uint64_t was = user.clock;
			enum lk_limit_answer wanted = ahead == 0 ? REFUSES : ahead <= 8 ? LK_LIMIT_MOVED : PASSES;
			assert_int_equal(take(&user, 10, T0), wanted);
			assert_int_equal(user.clock & 15, wanted == PASSES ? of : was & 15);
			assert_true(wanted == PASSES || user.clock == was);
		}
		/* Zero is of no generation. */
		struct user user = {.limit = make(10, 10 * SECOND, 10)};
		user.limit.generation = (uint8_t)of;
		assert_int_equal(take(&user, 10, T0), PASSES);
	}
}

static uint64_t random_word(uint64_t *seed)
{
	static const uint64_t edges[] = {0, 1, 15, 16, 17, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX, 1000};
	uint64_t word = (uint64_t)random_below(seed, INT64_MAX) << random_below(seed, 30);
	return random_below(seed, 2) == 0 ? edges[random_below(seed, COUNT(edges))] : word;
}

/* For the sanitizers, and for what must hold of anything. */
static void test_limit_bears_any_input(void **state)
{
	(void)state;
	uint64_t seed = 42;
	for (size_t i = 0; i < 200000; i++) {
		struct user user = {
			.limit = {.limit = random_word(&seed),
				.burst = random_word(&seed),
				.step_ns = (int64_t)random_word(&seed),
				.clock = (uint8_t)random_word(&seed),
				.generation = (uint8_t)random_word(&seed)},
			.clock = random_word(&seed),
		};
		int64_t now = (int64_t)random_word(&seed);
		uint64_t cost = random_word(&seed);
		uint64_t was = user.clock;
		enum lk_limit_answer answer = take(&user, cost, now);
		assert_true(answer == PASSES || user.clock == was);
		assert_true(user.standing.remaining <= user.limit.burst);
		assert_true(user.standing.reset_ns >= 0 && user.standing.retry_ns >= -1);
		if (lk_limit_give_back(&user.limit, was, cost, now, &user.clock)) {
			assert_true(user.clock <= was);
		}
		if (lk_limit_settle(&user.limit, was, now, &user.clock)) {
			assert_true(user.clock < was);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limit_makes_steps_that_never_let_more_pass),
		cmocka_unit_test(test_limit_is_made_of_a_record),
		cmocka_unit_test(test_limit_lets_exactly_the_burst_pass_at_once),
		cmocka_unit_test(test_limit_says_where_it_stands),
		cmocka_unit_test(test_limit_never_passes_what_is_over_the_burst),
		cmocka_unit_test(test_limit_refuses_all_where_it_is_damaged),
		cmocka_unit_test(test_limit_does_as_a_bucket_that_drains),
		cmocka_unit_test(test_limit_takes_a_clock_beyond_the_window_for_its_end),
		cmocka_unit_test(test_limit_settles_a_clock_far_beyond_the_window),
		cmocka_unit_test(test_limit_settles_after_it_was_made_smaller),
		cmocka_unit_test(test_limit_gives_a_charge_back),
		cmocka_unit_test(test_limit_gives_back_no_more_than_was_taken),
		cmocka_unit_test(test_limit_knows_older_and_newer_generations),
		cmocka_unit_test(test_limit_bears_any_input),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "server/store/charge.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/store_fixture.h"
#include <cmocka.h>

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
#define MAX_SLOTS      ((uint64_t)4096)
#define NO_SLOT        (MAX_SLOTS + 1)
#define THREADS        8
#define PROCESSES      8
#define T0             INT64_C(1795000000000000)
#define DAY_US         INT64_C(86400000000)
#define DAY_NS         (DAY_US * 1000)
#define KEY            7
#define OWNER          8

static const uint8_t store_id[LK_STORE_ID_LEN] = {'t', 'h', 'i', 's'};

struct charge_fixture {
	struct lk_fixture base;
	int dir;
	struct lk_slots *slots;
};

static int setup(void **state)
{
	struct charge_fixture *fixture = calloc(1, sizeof *fixture);

	if (fixture == NULL || lk_fixture_init(&fixture->base) != 0 || mkdir(fixture->base.dir, 0700) != 0) {
		free(fixture);
		return -1;
	}
	fixture->dir = open(fixture->base.dir, O_RDONLY | O_DIRECTORY);
	*state = fixture;
	return lk_slots_open(fixture->dir, true, store_id, MAX_SLOTS - 1, MAX_SLOTS, &fixture->slots,
		       fixture->base.message) == LK_OK
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	struct charge_fixture *fixture = *state;

	lk_slots_close(fixture->slots);
	close(fixture->dir);
	lk_fixture_done(&fixture->base);
	free(fixture);
	return 0;
}

static struct lk_limit a_day(uint64_t units, unsigned clock)
{
	Latchkey__Store__RateLimitRecord record = LATCHKEY__STORE__RATE_LIMIT_RECORD__INIT;

	record.name = (char *)(uintptr_t) "calls";
	record.limit = units;
	record.burst = units;
	record.period_us = DAY_US;
	record.clock = clock;
	return lk_limit_of_record(&record);
}

static void add_limit(struct lk_charge *charge, uint64_t slot, unsigned clock, uint64_t units, uint64_t cost)
{
	charge->limits[charge->n_limits++] = (struct lk_charge_limit){
		.limit = a_day(units, clock), .slot = slot, .cost = cost};
}

static void add_credits(struct lk_charge *charge, uint64_t slot, uint64_t balance, uint64_t cost)
{
	charge->has_credits = true;
	charge->credits = (struct lk_credits){.balance = balance, .since_us = T0};
	charge->slot = slot;
	charge->cost = cost;
}

static uint64_t clock_at(const struct charge_fixture *fixture, uint64_t slot, unsigned clock)
{
	return atomic_load(&lk_slots_at(fixture->slots, slot)->clocks[clock]);
}

/* Whole units that were taken at T0; the moments that ran off before a charge was given back are far less than one. */
static uint64_t units_taken(const struct charge_fixture *fixture, const struct lk_charge_limit *limit)
{
	uint64_t clock = clock_at(fixture, limit->slot, limit->limit.clock) & ~UINT64_C(15);

	return clock == 0 ? 0 : (clock - (uint64_t)T0 * 1000) / (uint64_t)limit->limit.step_ns;
}

static void test_charge_passes_where_there_is_nothing_to_charge(void **state)
{
	struct charge_fixture *fixture = *state;
	struct lk_charge charge = {0};

	assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_PASSES);
	assert_int_equal(lk_charge_look(fixture->slots, &charge, T0), LK_CHARGE_PASSES);
}

static void test_charge_takes_of_all_at_once(void **state)
{
	struct charge_fixture *fixture = *state;
	struct lk_charge charge = {0};

	add_limit(&charge, KEY, 0, 10, 1);
	add_limit(&charge, KEY, 3, 100, 7);
	add_limit(&charge, OWNER, 1, 1000, 1);
	add_credits(&charge, KEY, 50, 20);
	assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_PASSES);
	assert_int_equal(charge.limits[0].standing.remaining, 9);
	assert_int_equal(charge.limits[1].standing.remaining, 93);
	assert_int_equal(charge.limits[2].standing.remaining, 999);
	assert_int_equal(charge.limits[1].standing.reset_ns, 7 * (DAY_NS / 100));
	assert_int_equal(charge.credits_remaining, 30);
	assert_int_equal(atomic_load(&lk_slots_at(fixture->slots, KEY)->spent), 20);
	assert_int_equal(atomic_load(&lk_slots_at(fixture->slots, OWNER)->spent), 0);
	assert_true(
		clock_at(fixture, KEY, 0) != 0 && clock_at(fixture, KEY, 3) != 0 && clock_at(fixture, OWNER, 1) != 0);
	assert_true(
		clock_at(fixture, KEY, 1) == 0 && clock_at(fixture, KEY, 2) == 0 && clock_at(fixture, OWNER, 0) == 0);
}

/* Of three limits and the credits, those that refuse by their size. */
static const struct {
	uint64_t sizes[4];
	bool refuses[4];
	enum lk_charge_result result;
} refusals[] = {
	{{5, 5, 5, 5}, {false, false, false, false}, LK_CHARGE_PASSES},
	{{4, 5, 5, 5}, {true, false, false, false}, LK_CHARGE_LIMITED},
	{{5, 4, 5, 5}, {false, true, false, false}, LK_CHARGE_LIMITED},
	{{5, 5, 4, 5}, {false, false, true, false}, LK_CHARGE_LIMITED},
	{{4, 5, 1, 5}, {true, false, true, false}, LK_CHARGE_LIMITED},
	{{5, 5, 5, 4}, {false, false, false, true}, LK_CHARGE_EXHAUSTED},
	{{5, 5, 4, 4}, {false, false, true, true}, LK_CHARGE_LIMITED},
	{{1, 1, 1, 0}, {true, true, true, true}, LK_CHARGE_LIMITED},
};

static void test_charge_takes_nothing_where_one_refuses(void **state)
{
	struct charge_fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(refusals); i++) {
		for (int look = 0; look < 2; look++) {
			uint64_t slot = 100 + 2 * i + (uint64_t)look;
			struct lk_charge charge = {0};
			bool passes = refusals[i].result == LK_CHARGE_PASSES;
			for (unsigned j = 0; j < 3; j++) {
				add_limit(&charge, slot, j, refusals[i].sizes[j], 5);
			}
			add_credits(&charge, slot, refusals[i].sizes[3], 5);
			assert_int_equal(look == 0 ? lk_charge_look(fixture->slots, &charge, T0)
						   : lk_charge(fixture->slots, &charge, T0),
				refusals[i].result);
			for (unsigned j = 0; j < 3; j++) {
				assert_int_equal(charge.limits[j].refuses, refusals[i].refuses[j]);
				assert_int_equal(
					charge.limits[j].standing.remaining, refusals[i].sizes[j] - (passes ? 5 : 0));
				assert_int_equal(charge.limits[j].standing.retry_ns, refusals[i].refuses[j] ? -1 : 0);
				assert_int_equal(clock_at(fixture, slot, j) != 0, passes && look == 1);
			}
			assert_int_equal(charge.credits_refuse, refusals[i].refuses[3]);
			assert_int_equal(charge.credits_remaining, refusals[i].sizes[3] - (passes ? 5 : 0));
			assert_int_equal(
				atomic_load(&lk_slots_at(fixture->slots, slot)->spent), passes && look == 1 ? 5 : 0);
		}
	}
}

static void test_charge_refuses_where_there_is_no_slot(void **state)
{
	struct charge_fixture *fixture = *state;
	static const uint64_t missing[] = {0, NO_SLOT, UINT64_MAX};

	for (size_t i = 0; i < COUNT(missing); i++) {
		struct lk_charge charge = {0};
		add_limit(&charge, missing[i], 0, 10, 1);
		assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_LIMITED);
		assert_true(charge.limits[0].refuses);
		assert_int_equal(charge.limits[0].standing.remaining, 0);
		assert_int_equal(charge.limits[0].standing.retry_ns, -1);
		assert_int_equal(lk_charge_look(fixture->slots, &charge, T0), LK_CHARGE_LIMITED);
		charge = (struct lk_charge){0};
		add_credits(&charge, missing[i], 10, 1);
		assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_EXHAUSTED);
		assert_true(charge.credits_refuse);
		assert_int_equal(charge.credits_remaining, 0);
		add_limit(&charge, KEY, 0, 10, 1);
		assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_EXHAUSTED);
		assert_int_equal(clock_at(fixture, KEY, 0), 0);
	}
}

/* The same limit twice: each has room by itself, both have not, and the second finds that out when the first is charged. */
static void test_charge_gives_back_what_it_took(void **state)
{
	struct charge_fixture *fixture = *state;
	struct lk_charge charge = {0};

	add_limit(&charge, KEY, 1, 10, 3);
	assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_PASSES);
	const uint64_t before = clock_at(fixture, KEY, 1);
	charge = (struct lk_charge){0};
	add_limit(&charge, OWNER, 0, 10, 6);
	add_limit(&charge, KEY, 1, 10, 4);
	add_limit(&charge, KEY, 1, 10, 4);
	add_credits(&charge, KEY, 10, 1);
	assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_LIMITED);
	assert_int_equal(clock_at(fixture, KEY, 1), before);
	assert_int_equal(clock_at(fixture, OWNER, 0), 0);
	assert_int_equal(atomic_load(&lk_slots_at(fixture->slots, KEY)->spent), 0);
	assert_false(charge.limits[0].refuses);
	assert_false(charge.limits[1].refuses);
	assert_true(charge.limits[2].refuses);
	assert_int_equal(charge.limits[0].standing.remaining, 10);
	assert_int_equal(charge.limits[1].standing.remaining, 7);
	assert_int_equal(charge.credits_remaining, 10);
}

static void test_charge_says_where_a_slot_is_ahead(void **state)
{
	struct charge_fixture *fixture = *state;
	struct lk_slot *line = lk_slots_at(fixture->slots, KEY);
	struct lk_charge charge = {0};

	add_limit(&charge, OWNER, 0, 10, 1);
	add_limit(&charge, KEY, 2, 10, 1);
	add_credits(&charge, KEY, 10, 1);
	atomic_store(&line->clocks[2], 16 | 1);
	assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_MOVED);
	assert_int_equal(lk_charge_look(fixture->slots, &charge, T0), LK_CHARGE_MOVED);
	atomic_store(&line->clocks[2], 0);
	atomic_store(&line->spent, UINT64_C(1) << 48 | 5);
	assert_int_equal(charge.credits_ahead, 0);
	assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_MOVED);
	assert_int_equal(lk_charge_look(fixture->slots, &charge, T0), LK_CHARGE_MOVED);
	assert_true(charge.credits_ahead == (UINT64_C(1) << 48 | 5));
	assert_int_equal(clock_at(fixture, OWNER, 0), 0);
	assert_int_equal(clock_at(fixture, KEY, 2), 0);
	/* Alone, it is looked at as it is charged. */
	charge.n_limits = 0;
	charge.credits_ahead = 0;
	assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_MOVED);
	assert_true(charge.credits_ahead == (UINT64_C(1) << 48 | 5));
	assert_int_equal(atomic_load(&line->spent), UINT64_C(1) << 48 | 5);
}

static void test_charge_settles_a_clock_after_the_machines_was_set_back(void **state)
{
	struct charge_fixture *fixture = *state;
	struct lk_charge charge = {0};

	add_limit(&charge, KEY, 0, 10, 10);
	assert_int_equal(lk_charge(fixture->slots, &charge, T0 + 300 * DAY_US), LK_CHARGE_PASSES);
	/* Looking changes nothing. */
	uint64_t far = clock_at(fixture, KEY, 0);
	assert_int_equal(lk_charge_look(fixture->slots, &charge, T0), LK_CHARGE_LIMITED);
	assert_int_equal(clock_at(fixture, KEY, 0), far);
	assert_int_equal(lk_charge(fixture->slots, &charge, T0), LK_CHARGE_LIMITED);
	assert_int_equal(charge.limits[0].standing.retry_ns, DAY_NS);
	assert_int_equal(lk_charge(fixture->slots, &charge, T0 + DAY_US - 1), LK_CHARGE_LIMITED);
	assert_int_equal(lk_charge(fixture->slots, &charge, T0 + DAY_US), LK_CHARGE_PASSES);
}

static void test_charge_bears_any_instant(void **state)
{
	struct charge_fixture *fixture = *state;
	static const int64_t instants[] = {INT64_MIN, -1, 0, 1, INT64_MAX / 1000 - 1, INT64_MAX / 1000 + 1, INT64_MAX};

	for (size_t i = 0; i < COUNT(instants); i++) {
		struct lk_charge charge = {0};
		add_limit(&charge, 200 + i, 0, 2, 1);
		add_limit(&charge, 200 + i, 1, 3, 1);
		assert_int_equal(lk_charge(fixture->slots, &charge, instants[i]), LK_CHARGE_PASSES);
		assert_int_equal(lk_charge(fixture->slots, &charge, instants[i]), LK_CHARGE_PASSES);
		assert_int_equal(lk_charge(fixture->slots, &charge, instants[i]), LK_CHARGE_LIMITED);
		assert_int_equal(charge.limits[1].standing.remaining, 1);
	}
}

/* Racing verdicts, all of them at T0. */
struct race {
	struct lk_slots *slots;
	/* What each charges; the same for all, but for the key's slot where `spread` is set. */
	struct lk_charge charge;
	bool spread;
	unsigned per_thread;
	_Atomic unsigned next;
	_Atomic unsigned passed;
	pthread_barrier_t start;
};

static void *run_thread(void *argument)
{
	struct race *race = argument;
	struct lk_charge charge = race->charge;
	unsigned index = atomic_fetch_add(&race->next, 1);
	unsigned passed = 0;

	if (race->spread) {
		/* The first limit is the key's own, the rest are shared. */
		charge.limits[0].slot = 1000 + index;
	}
	(void)pthread_barrier_wait(&race->start);
	for (unsigned i = 0; i < race->per_thread; i++) {
		passed += lk_charge(race->slots, &charge, T0) == LK_CHARGE_PASSES ? 1 : 0;
	}
	atomic_fetch_add(&race->passed, passed);
	return NULL;
}

/* How many passed. */
static unsigned run_race(struct race *race, const struct charge_fixture *fixture, unsigned per_thread)
{
	pthread_t threads[THREADS];

	race->slots = fixture->slots;
	race->per_thread = per_thread;
	assert_int_equal(pthread_barrier_init(&race->start, NULL, THREADS), 0);
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, run_thread, race), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	(void)pthread_barrier_destroy(&race->start);
	return atomic_load(&race->passed);
}

static void test_charge_lets_exactly_the_limit_pass_in_a_race(void **state)
{
	struct charge_fixture *fixture = *state;
	static const uint64_t sizes[] = {1, 7, 1000, 20000};

	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct race race = {0};
		add_limit(&race.charge, 20 + i, 0, sizes[i], 1);
		assert_int_equal(run_race(&race, fixture, 5000), sizes[i]);
		struct race credits = {0};
		add_credits(&credits.charge, 20 + i, sizes[i], 1);
		assert_int_equal(run_race(&credits, fixture, 5000), sizes[i]);
	}
}

static void test_charge_lets_exactly_the_least_of_several_pass_in_a_race(void **state)
{
	struct charge_fixture *fixture = *state;

	for (unsigned n = 2; n <= LK_CHARGE_LIMITS; n++) {
		for (unsigned least = 0; least <= n; least++) {
			struct race race = {0};
			uint64_t slot = 300 + 100 * (uint64_t)n + 2 * (uint64_t)least;
			for (unsigned i = 0; i < n; i++) {
				add_limit(&race.charge, slot + i / 4, i % 4, i == least ? 300 : 301 + i % 3, 1);
			}
			if (n % 2 == 0) {
				add_credits(&race.charge, slot, least == n ? 300 : 302, 1);
			}
			unsigned expected = least == n && n % 2 == 1 ? 301 : 300;
			assert_int_equal(run_race(&race, fixture, 200), expected);
			/* Each limit has counted what passed, and not a unit more. */
			for (unsigned i = 0; i < n; i++) {
				assert_int_equal(units_taken(fixture, &race.charge.limits[i]), expected);
			}
		}
	}
}

/* A cost of more than one: the limit is never exceeded, and nothing that would fit is left. */
static void test_charge_fills_a_limit_by_its_cost_in_a_race(void **state)
{
	struct charge_fixture *fixture = *state;
	struct race race = {0};

	add_limit(&race.charge, 30, 0, 1000, 7);
	add_limit(&race.charge, 31, 2, 10000, 7);
	add_credits(&race.charge, 30, 2000, 7);
	assert_int_equal(run_race(&race, fixture, 500), 1000 / 7);
}

/* Keys with limits of their own that share their owner's. */
static void test_charge_shares_an_owners_limit_among_its_keys(void **state)
{
	struct charge_fixture *fixture = *state;
	struct race race = {.spread = true};

	add_limit(&race.charge, 0, 0, 200, 1);
	add_limit(&race.charge, 40, 0, 1000, 1);
	assert_int_equal(run_race(&race, fixture, 400), 1000);
	unsigned sum = 0;
	for (uint64_t slot = 1000; slot < 1000 + THREADS; slot++) {
		race.charge.limits[0].slot = slot;
		uint64_t taken = units_taken(fixture, &race.charge.limits[0]);
		assert_true(taken <= 200);
		sum += (unsigned)taken;
	}
	assert_int_equal(sum, 1000);
}

/* What a process that maps the file anew finds: exits with 0 where it could count. */
static void run_process(const struct charge_fixture *fixture, int start, int results)
{
	struct lk_slots *slots = NULL;
	char message[LK_STORE_MESSAGE_LEN];
	struct lk_charge limited = {0};
	struct lk_charge both = {0};
	unsigned passed[2] = {0, 0};
	char go = 0;

	add_limit(&limited, KEY, 0, 1000, 1);
	add_limit(&both, OWNER, 3, 1001, 1);
	add_credits(&both, OWNER, 1000, 1);
	if (lk_slots_open(fixture->dir, false, store_id, 1, MAX_SLOTS, &slots, message) != LK_OK ||
		read(start, &go, 1) != 0) {
		_exit(1);
	}
	for (unsigned i = 0; i < 500; i++) {
		passed[0] += lk_charge(slots, &limited, T0) == LK_CHARGE_PASSES ? 1 : 0;
		passed[1] += lk_charge(slots, &both, T0) == LK_CHARGE_PASSES ? 1 : 0;
	}
	_exit(write(results, passed, sizeof passed) == sizeof passed ? 0 : 1);
}

static void test_charge_is_exact_among_processes(void **state)
{
	struct charge_fixture *fixture = *state;
	int start[2];
	int results[2];
	unsigned sums[2] = {0, 0};

	assert_int_equal(pipe(start), 0);
	assert_int_equal(pipe(results), 0);
	pid_t children[PROCESSES];
	for (size_t i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0) {
			close(start[1]);
			run_process(fixture, start[0], results[1]);
		}
	}
	/* Closed, it lets all of them go at once. */
	close(start[1]);
	for (size_t i = 0; i < PROCESSES; i++) {
		unsigned passed[2];
		int status = 0;
		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
		assert_int_equal(read(results[0], passed, sizeof passed), sizeof passed);
		sums[0] += passed[0];
		sums[1] += passed[1];
	}
	assert_int_equal(sums[0], 1000);
	assert_int_equal(sums[1], 1000);
	close(start[0]);
	close(results[0]);
	close(results[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_charge_passes_where_there_is_nothing_to_charge),
		TEST(test_charge_takes_of_all_at_once),
		TEST(test_charge_takes_nothing_where_one_refuses),
		TEST(test_charge_refuses_where_there_is_no_slot),
		TEST(test_charge_gives_back_what_it_took),
		TEST(test_charge_says_where_a_slot_is_ahead),
		TEST(test_charge_settles_a_clock_after_the_machines_was_set_back),
		TEST(test_charge_bears_any_instant),
		TEST(test_charge_lets_exactly_the_limit_pass_in_a_race),
		TEST(test_charge_lets_exactly_the_least_of_several_pass_in_a_race),
		TEST(test_charge_fills_a_limit_by_its_cost_in_a_race),
		TEST(test_charge_shares_an_owners_limit_among_its_keys),
		TEST(test_charge_is_exact_among_processes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

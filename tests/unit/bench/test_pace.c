#include "tests/bench/pace.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/lib/check.h"

static void test_pace_closed_loop_begins_now(void **state)
{
	struct lk_pace *pace = lk_pace_new(0, 0);
	int64_t before = lk_pace_clock_ns();
	int64_t first = lk_pace_next(pace);
	int64_t second = lk_pace_next(pace);

	(void)state;
	assert_int_equal(lk_pace_peek(pace), INT64_MIN);
	assert_true(before <= first && first <= second && second <= lk_pace_clock_ns());
	lk_pace_free(pace);
}

/* Who comes late is told when it should have come, however late that is, and does not wait. */
static void test_pace_keeps_its_plan_when_late(void **state)
{
	int64_t start = lk_pace_clock_ns() - INT64_C(3600) * 1000000000;
	struct lk_pace *pace = lk_pace_new(3000, start);

	(void)state;
	for (int64_t i = 0; i < 30000; i++) {
		int64_t planned = lk_pace_next(pace);
		int64_t exact = start + i * 1000000000 / 3000;
		assert_true(planned - exact <= 1 && exact - planned <= 1);
	}
	lk_pace_free(pace);
}

static void test_pace_never_begins_before_its_plan(void **state)
{
	int64_t start = lk_pace_clock_ns() + 2000000;
	struct lk_pace *pace = lk_pace_new(1000, start);

	(void)state;
	for (int64_t i = 0; i < 4; i++) {
		assert_int_equal(lk_pace_peek(pace), start + i * 1000000);
		assert_int_equal(lk_pace_next(pace), start + i * 1000000);
		assert_true(lk_pace_clock_ns() >= start + i * 1000000);
	}
	lk_pace_free(pace);
}

#define THREADS  4
#define ARRIVALS 10000

struct taker {
	pthread_t thread;
	struct lk_pace *pace;
	int64_t start;
	unsigned char *taken;
};

static void *take(void *argument)
{
	struct taker *taker = argument;

	for (size_t i = 0; i < ARRIVALS / THREADS; i++) {
		int64_t number = (lk_pace_next(taker->pace) - taker->start) / 1000;
		CHECK(number >= 0 && number < ARRIVALS);
		(void)__atomic_add_fetch(&taker->taken[number], 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_pace_gives_each_arrival_to_one_thread(void **state)
{
	static unsigned char taken[ARRIVALS];
	int64_t start = lk_pace_clock_ns() - 1000000000;
	struct lk_pace *pace = lk_pace_new(1000000, start);
	struct taker takers[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){.pace = pace, .start = start, .taken = taken};
		CHECK(pthread_create(&takers[i].thread, NULL, take, &takers[i]) == 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		CHECK(pthread_join(takers[i].thread, NULL) == 0);
	}
	for (size_t i = 0; i < ARRIVALS; i++) {
		assert_int_equal(taken[i], 1);
	}
	lk_pace_free(pace);
}

static void test_idle_gives_the_caller_that_waited_longest(void **state)
{
	struct lk_idle *idle = lk_idle_new(3);
	int callers[4] = {0};

	(void)state;
	lk_idle_put(idle, &callers[0]);
	lk_idle_put(idle, &callers[1]);
	assert_ptr_equal(lk_idle_take(idle), &callers[0]);
	lk_idle_put(idle, &callers[2]);
	lk_idle_put(idle, &callers[3]);
	assert_ptr_equal(lk_idle_take(idle), &callers[1]);
	assert_ptr_equal(lk_idle_take(idle), &callers[2]);
	assert_ptr_equal(lk_idle_take(idle), &callers[3]);
	lk_idle_free(idle);
}

static void *take_until_closed(void *argument)
{
	struct lk_idle *idle = argument;
	size_t *taken = NULL;

	for (size_t *next = lk_idle_take(idle); next != NULL; next = lk_idle_take(idle)) {
		(*next)++;
		taken = next;
		if (*taken == 2) {
			lk_idle_close(idle);
		} else {
			lk_idle_put(idle, taken);
		}
	}
	return taken;
}

static void test_idle_wakes_who_waits(void **state)
{
	struct lk_idle *idle = lk_idle_new(1);
	pthread_t threads[2];
	void *last[2] = {NULL, NULL};
	size_t taken = 0;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		CHECK(pthread_create(&threads[i], NULL, take_until_closed, idle) == 0);
	}
	lk_idle_put(idle, &taken);
	for (size_t i = 0; i < 2; i++) {
		CHECK(pthread_join(threads[i], &last[i]) == 0);
	}
	assert_int_equal(taken, 2);
	assert_true(last[0] == &taken || last[1] == &taken);
	assert_null(lk_idle_take(idle));
	lk_idle_free(idle);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pace_closed_loop_begins_now),
		cmocka_unit_test(test_pace_keeps_its_plan_when_late),
		cmocka_unit_test(test_pace_never_begins_before_its_plan),
		cmocka_unit_test(test_pace_gives_each_arrival_to_one_thread),
		cmocka_unit_test(test_idle_gives_the_caller_that_waited_longest),
		cmocka_unit_test(test_idle_wakes_who_waits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

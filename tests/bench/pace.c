#include "tests/bench/pace.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

#include "tests/lib/check.h"

#define NS 1000000000

struct lk_pace {
	double interval_ns;
	int64_t start_ns;
	_Atomic uint64_t taken;
};

struct lk_idle {
	pthread_mutex_t lock;
	pthread_cond_t some;
	bool closed;
	size_t room;
	size_t first;
	size_t count;
	void *callers[];
};

int64_t lk_pace_clock_ns(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS + now.tv_nsec;
}

struct lk_pace *lk_pace_new(double rate, int64_t start_ns)
{
	struct lk_pace *pace = calloc(1, sizeof *pace);

	CHECK(pace != NULL);
	pace->interval_ns = rate > 0 ? NS / rate : 0;
	pace->start_ns = start_ns;
	return pace;
}

void lk_pace_free(struct lk_pace *pace)
{
	free(pace);
}

static void wait_until(int64_t at_ns)
{
	static _Thread_local bool exact;
	struct timespec at = {.tv_sec = at_ns / NS, .tv_nsec = at_ns % NS};

	if (lk_pace_clock_ns() >= at_ns) {
		return;
	}
	if (!exact) {
		/* By default the kernel may wake a sleeper 50 us late, which would count as the server's latency. */
		(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
		exact = true;
	}
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
	}
}

/* From the start and not from the arrival before, so that no rounding adds up. */
static int64_t planned_at(const struct lk_pace *pace, uint64_t number)
{
	return pace->start_ns + (int64_t)((double)number * pace->interval_ns);
}

int64_t lk_pace_next(struct lk_pace *pace)
{
	if (pace->interval_ns <= 0) {
		return lk_pace_clock_ns();
	}
	int64_t planned_ns = planned_at(pace, atomic_fetch_add_explicit(&pace->taken, 1, memory_order_relaxed));
	wait_until(planned_ns);
	return planned_ns;
}

int64_t lk_pace_peek(const struct lk_pace *pace)
{
	if (pace->interval_ns <= 0) {
		return INT64_MIN;
	}
	return planned_at(pace, atomic_load_explicit(&pace->taken, memory_order_relaxed));
}

struct lk_idle *lk_idle_new(size_t room)
{
	struct lk_idle *idle = calloc(1, sizeof *idle + room * sizeof idle->callers[0]);

	CHECK(idle != NULL);
	idle->room = room;
	CHECK(pthread_mutex_init(&idle->lock, NULL) == 0);
	CHECK(pthread_cond_init(&idle->some, NULL) == 0);
	return idle;
}

void lk_idle_free(struct lk_idle *idle)
{
	if (idle == NULL) {
		return;
	}
	CHECK(pthread_cond_destroy(&idle->some) == 0);
	CHECK(pthread_mutex_destroy(&idle->lock) == 0);
	free(idle);
}

void lk_idle_put(struct lk_idle *idle, void *caller)
{
	CHECK(pthread_mutex_lock(&idle->lock) == 0);
	CHECK(idle->count < idle->room);
	idle->callers[(idle->first + idle->count++) % idle->room] = caller;
	CHECK(pthread_cond_signal(&idle->some) == 0);
	CHECK(pthread_mutex_unlock(&idle->lock) == 0);
}

void *lk_idle_take(struct lk_idle *idle)
{
	void *caller = NULL;

	CHECK(pthread_mutex_lock(&idle->lock) == 0);
	while (idle->count == 0 && !idle->closed) {
		CHECK(pthread_cond_wait(&idle->some, &idle->lock) == 0);
	}
	if (!idle->closed) {
		caller = idle->callers[idle->first];
		idle->first = (idle->first + 1) % idle->room;
		idle->count--;
	}
	CHECK(pthread_mutex_unlock(&idle->lock) == 0);
	return caller;
}

void lk_idle_close(struct lk_idle *idle)
{
	CHECK(pthread_mutex_lock(&idle->lock) == 0);
	idle->closed = true;
	CHECK(pthread_cond_broadcast(&idle->some) == 0);
	CHECK(pthread_mutex_unlock(&idle->lock) == 0);
}

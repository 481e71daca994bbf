#include "tests/bench/connections.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/pace.h"
#include "tests/lib/check.h"

#define NS     INT64_C(1000000000)
#define EVENTS 64

struct driver {
	const struct lk_connection_kind *kind;
	const struct lk_connection_run *run;
	struct lk_histogram *histogram;
	struct lk_pace *pace;
	int64_t end_ns;
	int poll;
	/* By connection: since when its ask counts. */
	int64_t *from_ns;
	/* Open loop: a stack of those that wait for an arrival. */
	size_t *idle;
	size_t idle_count;
	size_t busy;
};

static void ask(struct driver *driver, size_t number, int64_t from_ns)
{
	driver->from_ns[number] = from_ns;
	driver->busy++;
	driver->kind->ask(driver->run->connections[number]);
}

static void run_blocking(struct driver *driver)
{
	void *connection = driver->run->connections[0];

	for (int64_t from_ns = lk_pace_clock_ns(); from_ns < driver->end_ns;) {
		driver->kind->ask(connection);
		while (!driver->kind->answer(connection, true)) {
		}
		int64_t now_ns = lk_pace_clock_ns();
		lk_histogram_add(driver->histogram, now_ns - from_ns, driver->kind->weight);
		from_ns = now_ns;
	}
}

/* Starts what is due. Returns when the next one is, or INT64_MAX where that does not matter: nobody is free, or it was the last. */
static int64_t start_due(struct driver *driver)
{
	while (driver->idle_count > 0) {
		int64_t due_ns = lk_pace_peek(driver->pace);
		/* Planned before the end, it is asked after it if need be: who came last would else be left out for being late. */
		if (driver->run->rate == 0 || due_ns >= driver->end_ns) {
			return INT64_MAX;
		}
		if (due_ns > lk_pace_clock_ns()) {
			return due_ns;
		}
		ask(driver, driver->idle[--driver->idle_count], lk_pace_next(driver->pace));
	}
	return INT64_MAX;
}

static int wait_for(struct driver *driver, struct epoll_event *events, int64_t until_ns)
{
	int64_t left_ns = until_ns == INT64_MAX ? 0 : until_ns - lk_pace_clock_ns();
	struct timespec left = {.tv_sec = left_ns / NS, .tv_nsec = left_ns % NS};

	if (until_ns != INT64_MAX && left_ns <= 0) {
		return 0;
	}
	int ready = epoll_pwait2(driver->poll, events, EVENTS, until_ns == INT64_MAX ? NULL : &left, NULL);
	CHECK(ready >= 0 || errno == EINTR);
	return ready;
}

static void take_answers(struct driver *driver, const struct epoll_event *events, int ready)
{
	for (int i = 0; i < ready; i++) {
		size_t number = events[i].data.u64;
		if (!driver->kind->answer(driver->run->connections[number], false)) {
			continue;
		}
		driver->busy--;
		int64_t now_ns = lk_pace_clock_ns();
		lk_histogram_add(driver->histogram, now_ns - driver->from_ns[number], driver->kind->weight);
		if (now_ns >= driver->end_ns || driver->run->rate > 0) {
			driver->idle[driver->idle_count++] = number;
		} else {
			ask(driver, number, now_ns);
		}
	}
}

static void run_polling(struct driver *driver)
{
	struct epoll_event events[EVENTS];

	for (size_t i = 0; i < driver->run->count; i++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};
		CHECK(epoll_ctl(driver->poll, EPOLL_CTL_ADD, driver->kind->fd(driver->run->connections[i]), &event) ==
			0);
		if (driver->run->rate == 0) {
			ask(driver, i, lk_pace_clock_ns());
		} else {
			driver->idle[driver->idle_count++] = i;
		}
	}
	for (;;) {
		int64_t next_ns = start_due(driver);
		if (driver->busy == 0 && next_ns == INT64_MAX) {
			break;
		}
		take_answers(driver, events, wait_for(driver, events, next_ns));
	}
}

void lk_connections_run(const struct lk_connection_kind *kind, const struct lk_connection_run *run,
	struct lk_figures *ret_figures, struct lk_histogram *latencies)
{
	struct driver driver = {
		.kind = kind,
		.run = run,
		.histogram = latencies,
		.from_ns = calloc(run->count, sizeof(int64_t)),
		.idle = calloc(run->count, sizeof(size_t)),
		.poll = epoll_create1(EPOLL_CLOEXEC),
	};
	CHECK(driver.from_ns != NULL && driver.idle != NULL && driver.poll >= 0);
	/* As in pace.c: arrivals are to be met to the microsecond. */
	(void)prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	lk_figures_start(ret_figures);
	driver.end_ns = ret_figures->started_ns + run->length_ns;
	driver.pace = lk_pace_new((double)run->rate / (double)kind->weight, ret_figures->started_ns);
	if (run->count == 1 && run->rate == 0) {
		run_blocking(&driver);
	} else {
		run_polling(&driver);
	}
	lk_figures_stop(ret_figures);
	CHECK(close(driver.poll) == 0);
	lk_pace_free(driver.pace);
	free(driver.idle);
	free(driver.from_ns);
}

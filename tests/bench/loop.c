#include "tests/bench/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "tests/bench/pace.h"
#include "tests/lib/check.h"

struct caller {
	struct lk_loop *loop;
	pthread_t thread;
	size_t number;
	/* When its request began, or was planned to. */
	int64_t from_ns;
	struct lk_histogram *latencies;
};

struct lk_loop {
	const struct lk_loop_options *options;
	struct caller *callers;
	/* Callers that wait for an arrival, of an open loop; else NULL. */
	struct lk_idle *idle;
	_Atomic bool over;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	size_t under_way;
	/* Of an open loop of threads: whose arrivals end at end_ns. */
	struct lk_pace *pace;
	int64_t end_ns;
	pthread_barrier_t ready;
};

static void count_under_way(struct lk_loop *loop, int more)
{
	CHECK(pthread_mutex_lock(&loop->lock) == 0);
	loop->under_way += (size_t)more;
	if (loop->under_way == 0) {
		CHECK(pthread_cond_signal(&loop->answered) == 0);
	}
	CHECK(pthread_mutex_unlock(&loop->lock) == 0);
}

static void ask(struct lk_loop *loop, struct caller *caller, int64_t from_ns)
{
	caller->from_ns = from_ns;
	loop->options->ask(loop->options->context, loop, caller->number);
}

void lk_loop_answered(struct lk_loop *loop, size_t number, size_t verdicts)
{
	struct caller *caller = &loop->callers[number];
	int64_t now_ns = lk_pace_clock_ns();
	bool over = atomic_load_explicit(&loop->over, memory_order_relaxed);

	if (loop->idle != NULL || !over) {
		lk_histogram_add(caller->latencies, now_ns - caller->from_ns, verdicts);
	}
	if (loop->idle == NULL && !over) {
		ask(loop, caller, now_ns);
		return;
	}
	if (loop->idle != NULL) {
		lk_idle_put(loop->idle, caller);
	}
	count_under_way(loop, -1);
}

static void run_closed(struct lk_loop *loop, struct lk_figures *figures)
{
	struct timespec run = lk_pace_timespec(loop->options->length_ns);

	loop->under_way = loop->options->callers;
	lk_figures_start(figures);
	for (size_t i = 0; i < loop->options->callers; i++) {
		ask(loop, &loop->callers[i], lk_pace_clock_ns());
	}
	(void)nanosleep(&run, NULL);
	atomic_store(&loop->over, true);
	lk_figures_stop(figures);
}

static void run_open(struct lk_loop *loop, struct lk_figures *figures)
{
	int64_t planned_ns = 0;

	for (size_t i = 0; i < loop->options->callers; i++) {
		lk_idle_put(loop->idle, &loop->callers[i]);
	}
	lk_figures_start(figures);
	int64_t end_ns = figures->started_ns + loop->options->length_ns;
	struct lk_pace *pace = lk_pace_new(loop->options->rate, figures->started_ns);
	while ((planned_ns = lk_pace_next(pace)) < end_ns) {
		struct caller *caller = lk_idle_take(loop->idle);
		count_under_way(loop, 1);
		ask(loop, caller, planned_ns);
	}
	lk_pace_free(pace);
}

static void await_answers(struct lk_loop *loop)
{
	CHECK(pthread_mutex_lock(&loop->lock) == 0);
	while (loop->under_way > 0) {
		CHECK(pthread_cond_wait(&loop->answered, &loop->lock) == 0);
	}
	CHECK(pthread_mutex_unlock(&loop->lock) == 0);
}

static void run_callbacks(struct lk_loop *loop, struct lk_figures *figures)
{
	if (loop->options->rate > 0) {
		loop->idle = lk_idle_new(loop->options->callers);
		run_open(loop, figures);
		await_answers(loop);
		lk_figures_stop(figures);
	} else {
		run_closed(loop, figures);
		await_answers(loop);
	}
	lk_idle_free(loop->idle);
}

static void *run_thread(void *argument)
{
	struct caller *caller = argument;
	struct lk_loop *loop = caller->loop;
	const struct lk_loop_options *options = loop->options;

	(void)pthread_barrier_wait(&loop->ready);
	caller->from_ns = lk_pace_clock_ns();
	while (!atomic_load_explicit(&loop->over, memory_order_relaxed)) {
		if (options->rate > 0 && (caller->from_ns = lk_pace_next(loop->pace)) >= loop->end_ns) {
			break;
		}
		options->wait(options->context, caller->number);
		/* In a closed loop the next one begins where this ends: the clock is read once. */
		int64_t now_ns = lk_pace_clock_ns();
		lk_histogram_add(caller->latencies, now_ns - caller->from_ns, 1);
		caller->from_ns = now_ns;
	}
	return NULL;
}

static void join_threads(struct lk_loop *loop)
{
	for (size_t i = 0; i < loop->options->callers; i++) {
		CHECK(pthread_join(loop->callers[i].thread, NULL) == 0);
	}
}

static void run_threads(struct lk_loop *loop, struct lk_figures *figures)
{
	struct timespec run = lk_pace_timespec(loop->options->length_ns);

	CHECK(pthread_barrier_init(&loop->ready, NULL, (unsigned)loop->options->callers + 1) == 0);
	for (size_t i = 0; i < loop->options->callers; i++) {
		CHECK(pthread_create(&loop->callers[i].thread, NULL, run_thread, &loop->callers[i]) == 0);
	}
	lk_figures_start(figures);
	loop->pace = lk_pace_new(loop->options->rate, figures->started_ns);
	loop->end_ns = figures->started_ns + loop->options->length_ns;
	(void)pthread_barrier_wait(&loop->ready);
	if (loop->options->rate > 0) {
		join_threads(loop);
		lk_figures_stop(figures);
	} else {
		(void)nanosleep(&run, NULL);
		atomic_store(&loop->over, true);
		lk_figures_stop(figures);
		join_threads(loop);
	}
	lk_pace_free(loop->pace);
	CHECK(pthread_barrier_destroy(&loop->ready) == 0);
}

void lk_loop_run(const struct lk_loop_options *options, struct lk_figures *ret_figures, struct lk_histogram *latencies)
{
	struct lk_loop loop = {
		.options = options,
		.callers = calloc(options->callers, sizeof *loop.callers),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.answered = PTHREAD_COND_INITIALIZER,
	};

	CHECK(loop.callers != NULL);
	for (size_t i = 0; i < options->callers; i++) {
		loop.callers[i] = (struct caller){.loop = &loop, .number = i, .latencies = lk_histogram_new()};
	}
	if (options->wait != NULL) {
		run_threads(&loop, ret_figures);
	} else {
		run_callbacks(&loop, ret_figures);
	}
	for (size_t i = 0; i < options->callers; i++) {
		lk_histogram_merge(latencies, loop.callers[i].latencies);
		lk_histogram_free(loop.callers[i].latencies);
	}
	free(loop.callers);
}

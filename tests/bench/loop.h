/*
 * Callers, each with one request under way, in a closed or an open loop (pace.h), for so long: answered in callbacks,
 * or with a thread each that waits for its answer.
 */
#ifndef LK_TESTS_BENCH_LOOP_H
#define LK_TESTS_BENCH_LOOP_H

#include <stddef.h>
#include <stdint.h>

#include "tests/bench/figures.h"
#include "tests/bench/histogram.h"

struct lk_loop;

/* Starts the caller's next request; its answer calls lk_loop_answered(), once, on any thread, but not from within. */
typedef void (*lk_loop_ask_fn)(void *context, struct lk_loop *loop, size_t caller);

/* Asks the caller's next request and returns when it is answered; on the caller's own thread. */
typedef void (*lk_loop_wait_fn)(void *context, size_t caller);

struct lk_loop_options {
	size_t callers;
	int64_t length_ns;
	/* Requests a second; 0: a closed loop. */
	double rate;
	/* One of the two. */
	lk_loop_ask_fn ask;
	lk_loop_wait_fn wait;
	void *context;
};

/*
 * Runs, by `ask` or by `wait`, blocks until every request is answered, fills `ret_figures`, and adds the latencies to
 * `latencies`: in a closed loop of what was answered within that time, in an open one of all that was planned in it.
 */
void lk_loop_run(const struct lk_loop_options *options, struct lk_figures *ret_figures, struct lk_histogram *latencies);

/* The caller's request was answered, with so many verdicts: each counts. */
void lk_loop_answered(struct lk_loop *loop, size_t caller, size_t verdicts);

#endif

/*
 * When the next request is to begin: at once (a closed loop), or at a constant rate (an open loop).
 *
 * A closed loop asks again when it was answered. Its latencies are times of service: while a server stands still nobody asks, and
 * the requests that would have come meanwhile are missing from the figures ("coordinated omission"). An open loop has its
 * arrivals planned, and a latency counts from the planned arrival: what had to wait because all callers were waiting is counted
 * with its wait.
 *
 * A run has all arrivals that are planned before its end, however late they begin: to leave out those that a slow server has made
 * late would be to omit them again. It ends when they were answered, so with a rate that the server cannot hold it takes longer.
 *
 * A caller that blocks:
 *	for (;;) { from = lk_pace_next(pace); ask; lk_histogram_add(own, lk_pace_clock_ns() - from, 1); }
 * Callers that are answered in callbacks, in an open loop: the callback puts its caller into an lk_idle; one thread takes one
 * out, waits for the next arrival, starts it, and so on. Callers on one thread that waits for all of them: connections.h.
 */
#ifndef LK_TESTS_BENCH_PACE_H
#define LK_TESTS_BENCH_PACE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

struct lk_pace;
struct lk_idle;

/* CLOCK_MONOTONIC. */
int64_t lk_pace_clock_ns(void);

/* So many ns, not negative, as the system takes them. */
static inline struct timespec lk_pace_timespec(int64_t ns)
{
	return (struct timespec){.tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000)};
}

/*
 * `rate` arrivals a second, the first at `start_ns`; 0: a closed loop. Shared by any number of threads. Ends the program where
 * there is no memory. Free it with lk_pace_free().
 */
struct lk_pace *lk_pace_new(double rate, int64_t start_ns);
void lk_pace_free(struct lk_pace *pace);

/*
 * Takes the next arrival, blocks until it is there, and returns when it was planned, in ns: earlier than now where all callers
 * were busy. In a closed loop that is now. No two calls take the same arrival.
 */
int64_t lk_pace_next(struct lk_pace *pace);

/* When the next arrival is planned, without taking it; INT64_MIN in a closed loop. For one thread that waits for more than
 * this. */
int64_t lk_pace_peek(const struct lk_pace *pace);

/* Callers that wait for an arrival: `room` of them at most. */
struct lk_idle *lk_idle_new(size_t room);
void lk_idle_free(struct lk_idle *idle);

/* Puts a caller in; never blocks. */
void lk_idle_put(struct lk_idle *idle, void *caller);

/* Takes the caller that has waited longest, blocks where there is none; NULL once closed. */
void *lk_idle_take(struct lk_idle *idle);

/* Nobody is to be taken any more: whoever blocks in lk_idle_take() goes on. */
void lk_idle_close(struct lk_idle *idle);

#ifdef __cplusplus
}
#endif

#endif

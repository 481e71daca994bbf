/*
 * Waiting on a condition for a bounded time, by a clock that nobody sets.
 */
#ifndef LK_SERVER_RPC_DEADLINE_H
#define LK_SERVER_RPC_DEADLINE_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/* A condition whose timed waits go by CLOCK_MONOTONIC. */
static inline void lk_deadline_init_condition(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(condition, &attributes);
	(void)pthread_condattr_destroy(&attributes);
}

/* Milliseconds by that clock. */
static inline uint64_t lk_deadline_now_ms(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* The time `timeout_ms` from now. */
static inline struct timespec lk_deadline_in(uint32_t timeout_ms)
{
	struct timespec until = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return until;
}

#endif

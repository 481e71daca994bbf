/*
 * When a call is tried again, and how long it waits: numbers only, no I/O, no clock. sodium_init() must have been called.
 */
#ifndef LK_CLIENT_RETRY_H
#define LK_CLIENT_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include <latchkey/method.h>

/* The wait before the second attempt, about, and the longest one; doubled in between. */
#define LK_RETRY_FIRST_MS 10
#define LK_RETRY_MAX_MS   1000

/*
 * How long to wait after the `failures`th failure, from 1: exponential, and jittered between a half and the whole, so that
 * callers that failed together do not come back together. At least `retry_after_ms`, the server's wish, where it is not 0.
 */
uint32_t lk_retry_delay_ms(unsigned failures, uint32_t retry_after_ms);

/*
 * How long an attempt may wait for its answer when `left_ms` are left of the call. A read's first attempt gets half, so that
 * one lost answer can be asked for once more, with all the rest; a change gets everything. At least 1.
 */
uint32_t lk_retry_attempt_ms(enum lk_effect effect, bool timed_out_before, uint32_t left_ms);

#endif

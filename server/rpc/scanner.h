/*
 * The scanner: the thread on which long reads run, so that they never hold up a verdict.
 */
#ifndef LK_SERVER_RPC_SCANNER_H
#define LK_SERVER_RPC_SCANNER_H

#include <stddef.h>

#include <latchkey/error.h>

struct lk_job;
struct lk_scanner;

/* Starts the thread. `run` does one job, and answers it. `queue_max`: the most jobs that wait. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_scanner_start(
	size_t queue_max, void (*run)(struct lk_job *job), struct lk_scanner **ret_scanner);

/* Queues a job. Does not block. LK_RESOURCE_EXHAUSTED: the queue is full. LK_UNAVAILABLE: the scanner is stopping. */
LK_MUST_CHECK enum lk_err lk_scanner_submit(struct lk_scanner *scanner, struct lk_job *job);

/* Does what is queued, ends the thread, frees. Blocks. Takes NULL. */
void lk_scanner_stop(struct lk_scanner *scanner);

#endif

/*
 * A process of its own for a test, which talks with the test over pipes.
 *
 * It is forked at once, so that a test starts it before it opens anything that a child must not inherit. What runs in the
 * child asserts nothing: it reports, and the test judges.
 */
#ifndef LK_TESTS_LIB_CHILD_H
#define LK_TESTS_LIB_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct lk_child {
	pid_t pid;
	/* What the other end says is read from `from`, and what this one says is written to `to`. */
	int from;
	int to;
};

/* Forks; the child calls `run` with its own ends of the pipes and ends with what that returns. */
bool lk_child_start(struct lk_child *child, int (*run)(struct lk_child *parent, void *context), void *context);

/* Sends and receives exactly `len` bytes; for either side. False where the other side is gone. */
bool lk_child_tell(struct lk_child *other, const void *data, size_t len);
bool lk_child_hear(struct lk_child *other, void *data, size_t len);

/* Waits until it ends; its exit status, or minus the signal that killed it. */
int lk_child_wait(struct lk_child *child);
/* Kills it as kill -9 does, and waits. */
void lk_child_kill(struct lk_child *child);

#endif

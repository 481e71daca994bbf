/*
 * Somebody else, who must notice nothing: a client on a thread of its own that asks one thing after another, while a test does to
 * the server what it should bear.
 *
 * What is here but for bystander_answered() is called on the test's thread, and fails the test where a question was not answered
 * or no answer comes for SP_RAW_PATIENCE_MS.
 */
#ifndef LK_TESTS_LIB_BYSTANDER_H
#define LK_TESTS_LIB_BYSTANDER_H

#include <pthread.h>
#include <stdbool.h>

#include "tests/lib/sp_raw.h"

/*
 * As many answers can come in a stretch of time though none is given in it: one that was under way when it began, and one that
 * was held up until it ended.
 */
#define BYSTANDER_HELD_UP 2

struct bystander {
	const char *url;
	/* Asks something; whether the right answer came. Asserts nothing. */
	bool (*ask)(struct sp_raw raw);
	pthread_t thread;
	/* Guards what follows. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool stop;
	bool failed;
	unsigned answered;
};

/* Connects to `url`, borrowed until the stop, asks on, and waits for the first answer. */
void bystander_start(struct bystander *bystander, const char *url, bool (*ask)(struct sp_raw raw));
/* How many answers came so far. Any thread. */
unsigned bystander_answered(struct bystander *bystander);
/* Waits for the next answer. */
void bystander_await(struct bystander *bystander);
/* Sees that all was answered up to now. */
void bystander_stop(struct bystander *bystander);

#endif

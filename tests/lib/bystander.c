#include "tests/lib/bystander.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

/* Notes how a question went; whether to ask on. */
static bool note(struct bystander *bystander, bool good)
{
	bool go_on = false;

	(void)pthread_mutex_lock(&bystander->lock);
	if (good) {
		bystander->answered++;
	} else {
		bystander->failed = true;
	}
	go_on = good && !bystander->stop;
	(void)pthread_cond_broadcast(&bystander->changed);
	(void)pthread_mutex_unlock(&bystander->lock);
	return go_on;
}

static void *ask_on(void *argument)
{
	struct bystander *bystander = argument;
	struct sp_raw raw = sp_raw_open(bystander->url);

	while (note(bystander, raw.fd >= 0 && bystander->ask(raw))) {
		continue;
	}
	sp_raw_close(raw);
	return NULL;
}

void bystander_start(struct bystander *bystander, const char *url, bool (*ask)(struct sp_raw raw))
{
	pthread_condattr_t attributes;

	*bystander = (struct bystander){.url = url, .ask = ask};
	(void)pthread_mutex_init(&bystander->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&bystander->changed, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	assert_int_equal(pthread_create(&bystander->thread, NULL, ask_on, bystander), 0);
	while (bystander_answered(bystander) == 0) {
		bystander_await(bystander);
	}
}

unsigned bystander_answered(struct bystander *bystander)
{
	unsigned answered = 0;

	(void)pthread_mutex_lock(&bystander->lock);
	answered = bystander->answered;
	(void)pthread_mutex_unlock(&bystander->lock);
	return answered;
}

void bystander_await(struct bystander *bystander)
{
	struct timespec until = {0};
	unsigned before = 0;
	bool failed = false;
	int waited = 0;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SP_RAW_PATIENCE_MS / 1000;
	(void)pthread_mutex_lock(&bystander->lock);
	before = bystander->answered;
	while (bystander->answered == before && !bystander->failed && waited == 0) {
		waited = pthread_cond_timedwait(&bystander->changed, &bystander->lock, &until);
	}
	failed = bystander->failed || bystander->answered == before;
	(void)pthread_mutex_unlock(&bystander->lock);
	assert_false(failed);
}

void bystander_stop(struct bystander *bystander)
{
	(void)pthread_mutex_lock(&bystander->lock);
	bystander->stop = true;
	(void)pthread_mutex_unlock(&bystander->lock);
	(void)pthread_join(bystander->thread, NULL);
	(void)pthread_cond_destroy(&bystander->changed);
	(void)pthread_mutex_destroy(&bystander->lock);
	assert_false(bystander->failed);
}

#include "server/store/chores.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/time.h"

/*
 * A part of the work is some hundred records of a kilobyte; but of keys that have the most of everything each takes 30 KiB,
 * and is needed up to three times. What does not fit would never be done.
 */
#define ARENA_FIRST ((size_t)16 << 10)
#define ARENA_CAP   ((size_t)128 << 20)

/* Where the writer's queue is full, those who wait for an answer go first. */
#define BUSY_US INT64_C(1000000)

/* A chore, and how it goes. */
struct item {
	struct lk_chore chore;
	/* On CLOCK_MONOTONIC: when it has its next turn. */
	int64_t due_us;
	/* How it went the last time, as it was reported. */
	enum lk_err last;
};

struct lk_chores {
	struct item *items;
	size_t count;
	lk_chores_report report;
	void *report_context;
	struct lk_writer *writer;
	pthread_t thread;

	/* Of the Change that is under way: the chores' thread's, and the writer's between submit and done. */
	struct lk_arena arena;
	struct lk_txn *snapshot;
	Latchkey__Store__Change change;
	struct lk_write write;
	const struct lk_chore *chore;
	int64_t now_us;

	pthread_mutex_t lock;
	/* A write is done, somebody woke the chores, or they are stopping. Waits go by CLOCK_MONOTONIC. */
	pthread_cond_t wake;
	/* Under the lock. */
	bool stopping;
	bool woken;
	bool done;
	enum lk_err err;
};

static int64_t clock_us(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
}

static struct lk_chores *chores_of(struct lk_write *write)
{
	return (struct lk_chores *)(void *)((char *)write - offsetof(struct lk_chores, write));
}

/* Builds the Change of the chore whose turn it is, from nothing. */
static enum lk_err build(struct lk_write *write, struct lk_txn *txn)
{
	struct lk_chores *chores = chores_of(write);

	latchkey__store__change__init(&chores->change);
	chores->change.time_us = chores->now_us;
	chores->change.actor = (char *)(uintptr_t)LK_CHORES_ACTOR;
	chores->change.method = (char *)(uintptr_t)chores->chore->name;
	enum lk_err err = chores->chore->build(
		chores->chore->context, txn, &chores->arena, chores->now_us, &chores->change);
	if (err == LK_OK) {
		err = lk_txn_err(txn);
	}
	return err == LK_OK && chores->arena.exhausted ? LK_NO_MEMORY : err;
}

/* Nobody reads an answer. */
static enum lk_err compose(struct lk_write *write, uint8_t **ret_response, size_t *ret_len)
{
	(void)write;
	*ret_response = NULL;
	*ret_len = 0;
	return LK_OK;
}

static void done(struct lk_write *write, enum lk_err err, const struct lk_kept_reply *reply)
{
	struct lk_chores *chores = chores_of(write);

	(void)reply;
	pthread_mutex_lock(&chores->lock);
	chores->done = true;
	chores->err = err;
	pthread_cond_signal(&chores->wake);
	pthread_mutex_unlock(&chores->lock);
}

/* Hands the Change to the writer, and waits until it is durable or did not happen. */
static enum lk_err commit(struct lk_chores *chores)
{
	chores->done = false;
	chores->write = (struct lk_write){
		.arena = &chores->arena,
		.change = &chores->change,
		.urgent = chores->chore->urgent,
		.deadline_us = INT64_MAX,
		.build = build,
		.compose = compose,
		.done = done,
	};
	enum lk_err err = lk_writer_submit(chores->writer, &chores->write);
	if (err != LK_OK) {
		return err;
	}
	pthread_mutex_lock(&chores->lock);
	while (!chores->done) {
		pthread_cond_wait(&chores->wake, &chores->lock);
	}
	err = chores->err;
	pthread_mutex_unlock(&chores->lock);
	return err;
}

/* Does the next part of a chore's work. `*ret_worked` is whether there was any. */
static enum lk_err run_part(struct lk_chores *chores, const struct lk_chore *chore, bool *ret_worked)
{
	chores->chore = chore;
	chores->now_us = clock_us(CLOCK_REALTIME);
	enum lk_err err = lk_snapshot_begin(chores->snapshot);
	if (err == LK_OK) {
		err = build(&chores->write, chores->snapshot);
	}
	/* Whatever waits for the writer pins nothing. */
	lk_snapshot_end(chores->snapshot);
	if (err == LK_OK && chores->change.n_mutations > 0) {
		err = commit(chores);
	}
	*ret_worked = err == LK_OK && chores->change.n_mutations > 0;
	lk_arena_reset(&chores->arena);
	return err;
}

static void take_turn(struct lk_chores *chores, struct item *item)
{
	bool worked = false;
	enum lk_err err = run_part(chores, &item->chore, &worked);
	int64_t rest_us = worked ? 0 : item->chore.every_us;

	if (err == LK_RESOURCE_EXHAUSTED || err == LK_UNAVAILABLE) {
		/* Somebody else's turn, no failure. */
		rest_us = rest_us > BUSY_US ? BUSY_US : rest_us;
	} else if (err != item->last) {
		item->last = err;
		if (chores->report != NULL) {
			chores->report(chores->report_context, item->chore.name, err);
		}
	}
	item->due_us = clock_us(CLOCK_MONOTONIC) + rest_us;
}

static bool is_stopping(struct lk_chores *chores)
{
	pthread_mutex_lock(&chores->lock);
	bool stopping = chores->stopping;
	pthread_mutex_unlock(&chores->lock);
	return stopping;
}

/* Rests until the first chore is due, or sooner where somebody wakes them: then all are. False when they are to stop. */
static bool rest(struct lk_chores *chores)
{
	int64_t until_us = INT64_MAX;
	int rc = 0;

	for (size_t i = 0; i < chores->count; i++) {
		until_us = chores->items[i].due_us < until_us ? chores->items[i].due_us : until_us;
	}
	struct timespec until = {
		.tv_sec = until_us / LK_US_PER_SECOND, .tv_nsec = (long)(until_us % LK_US_PER_SECOND) * 1000};
	pthread_mutex_lock(&chores->lock);
	while (rc == 0 && !chores->stopping && !chores->woken) {
		rc = pthread_cond_timedwait(&chores->wake, &chores->lock, &until);
	}
	bool all = chores->woken;
	bool stopping = chores->stopping;
	chores->woken = false;
	pthread_mutex_unlock(&chores->lock);
	for (size_t i = 0; all && i < chores->count; i++) {
		chores->items[i].due_us = 0;
	}
	return !stopping;
}

static void *run_chores(void *argument)
{
	struct lk_chores *chores = argument;

	do {
		for (size_t i = 0; i < chores->count && !is_stopping(chores); i++) {
			if (clock_us(CLOCK_MONOTONIC) >= chores->items[i].due_us) {
				take_turn(chores, &chores->items[i]);
			}
		}
	} while (rest(chores));
	return NULL;
}

static void init_wake(struct lk_chores *chores)
{
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&chores->wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	(void)pthread_mutex_init(&chores->lock, NULL);
}

static void free_chores(struct lk_chores *chores)
{
	pthread_cond_destroy(&chores->wake);
	pthread_mutex_destroy(&chores->lock);
	lk_snapshot_free(chores->snapshot);
	lk_arena_done(&chores->arena);
	free(chores->items);
	free(chores);
}

enum lk_err lk_chores_start(const struct lk_chores_options *options, struct lk_chores **ret_chores)
{
	struct lk_chores *chores = calloc(1, sizeof *chores);

	if (chores == NULL) {
		return LK_NO_MEMORY;
	}
	init_wake(chores);
	chores->items = calloc(options->count + 1, sizeof *chores->items);
	chores->count = options->count;
	chores->writer = options->writer;
	chores->report = options->report;
	chores->report_context = options->report_context;
	for (size_t i = 0; chores->items != NULL && i < options->count; i++) {
		chores->items[i].chore = options->table[i];
	}
	enum lk_err err = chores->items == NULL ? LK_NO_MEMORY : lk_arena_init(&chores->arena, ARENA_FIRST, ARENA_CAP);
	if (err == LK_OK) {
		err = lk_snapshot_new(options->store, &chores->snapshot);
	}
	if (err == LK_OK && pthread_create(&chores->thread, NULL, run_chores, chores) != 0) {
		err = LK_NO_MEMORY;
	}
	if (err != LK_OK) {
		free_chores(chores);
		return err;
	}
	*ret_chores = chores;
	return LK_OK;
}

void lk_chores_wake(struct lk_chores *chores)
{
	pthread_mutex_lock(&chores->lock);
	chores->woken = true;
	pthread_cond_signal(&chores->wake);
	pthread_mutex_unlock(&chores->lock);
}

void lk_chores_stop(struct lk_chores *chores)
{
	if (chores == NULL) {
		return;
	}
	pthread_mutex_lock(&chores->lock);
	chores->stopping = true;
	pthread_cond_signal(&chores->wake);
	pthread_mutex_unlock(&chores->lock);
	pthread_join(chores->thread, NULL);
	free_chores(chores);
}

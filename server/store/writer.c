#include "server/store/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "server/core/time.h"
#include "server/store/apply.h"
#include "server/store/room.h"

/* The most writes of one commit, and mutations of all of them: bounds how long the first of them waits for the last. */
#define GROUP_MOST     128
#define MUTATIONS_MOST 2000

/* How often replies whose time is over go where no write takes them along, and the most that go at a time. */
#define PURGE_EVERY_US INT64_C(60000000)
#define PURGE_MOST     2000

struct queue {
	struct lk_write *first;
	struct lk_write **end;
	size_t count;
};

struct lk_writer {
	struct lk_store *store;
	pthread_t thread;
	pthread_mutex_t lock;
	/* Something was queued, or the writer is stopping. Waits go by CLOCK_MONOTONIC. */
	pthread_cond_t wake;
	/* Under the lock. */
	struct queue urgent;
	struct queue ordinary;
	size_t queue_max;
	bool stopping;
};

struct group {
	struct lk_write *writes[GROUP_MOST];
	size_t count;
};

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->end = &queue->first;
}

static void queue_push(struct queue *queue, struct lk_write *write)
{
	write->next = NULL;
	*queue->end = write;
	queue->end = &write->next;
	queue->count++;
}

static void queue_pop(struct queue *queue)
{
	queue->first = queue->first->next;
	queue->count--;
	if (queue->first == NULL) {
		queue->end = &queue->first;
	}
}

static int64_t clock_us(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
}

/* Builds the change where it must be built again, and checks it. What was built on this very transaction cannot have moved. */
static enum lk_err settle(struct lk_write *write, struct lk_txn *txn)
{
	if (!write->stale) {
		enum lk_err err = lk_apply_check(txn, write->arena, write->change);
		if (err != LK_MOVED) {
			return err;
		}
	}
	write->stale = true;
	enum lk_err err = write->build(write, txn);
	return err != LK_OK ? err : lk_apply_check(txn, write->arena, write->change);
}

/* `mutations` counts those of the transaction so far; a reply that is kept alone counts for one. */
static enum lk_err apply(struct lk_write *write, struct lk_txn *txn, size_t *mutations)
{
	size_t puts = write->change->n_mutations;
	enum lk_err err = LK_OK;

	if (puts == 0 && write->reply_id != NULL) {
		puts = 1;
	}
	/* What is held back is for what goes first. */
	if (puts > 0 && !write->urgent && !lk_room_left(lk_txn_store(txn), *mutations + puts)) {
		return LK_FULL;
	}
	*mutations += puts;
	if (write->change->n_mutations > 0) {
		/* Numbers are assigned in place, so that the change is good for this transaction alone. */
		write->stale = true;
		err = lk_apply_do(txn, write->arena, write->change);
		if (err != LK_OK) {
			return err;
		}
	}
	write->reply.revision = lk_txn_head(txn)->revision;
	err = write->compose(write, &write->reply.response, &write->reply.response_len);
	if (err != LK_OK) {
		lk_txn_fail(txn, err);
		return err;
	}
	if (write->reply_id != NULL) {
		lk_reply_keep(txn, write->arena, write->reply_id, &write->reply, write->change->time_us);
	}
	return lk_txn_err(txn);
}

/* Runs one write. An error that sticks to `txn` is the environment's; any other is the write's own. */
static enum lk_err run(struct lk_write *write, struct lk_txn *txn, size_t *mutations)
{
	if (clock_us(CLOCK_MONOTONIC) > write->deadline_us) {
		return LK_DEADLINE_EXCEEDED;
	}
	if (write->reply_id != NULL) {
		enum lk_err err = lk_reply_find(txn, write->arena, write->reply_id, &write->reply);
		if (err != LK_NOT_FOUND) {
			return err;
		}
	}
	enum lk_err err = settle(write, txn);
	return err != LK_OK ? err : apply(write, txn, mutations);
}

/* Runs writes in one transaction. LK_OK: it is committed, and each write has its own outcome. Else none of it happened. */
static enum lk_err commit(struct lk_store *store, struct lk_write **writes, size_t count)
{
	struct lk_txn *txn = NULL;
	size_t mutations = 0;
	enum lk_err err = lk_write_begin(store, &txn);

	if (err != LK_OK) {
		return err;
	}
	for (size_t i = 0; i < count; i++) {
		writes[i]->err = run(writes[i], txn, &mutations);
		if (lk_txn_err(txn) != LK_OK) {
			err = lk_txn_err(txn);
			lk_write_abort(txn);
			return err;
		}
	}
	return lk_write_commit(txn);
}

static void run_group(struct lk_store *store, struct group *group)
{
	enum lk_err err = group->count == 0 ? LK_OK : commit(store, group->writes, group->count);

	for (size_t i = 0; err != LK_OK && i < group->count; i++) {
		struct lk_write *write = group->writes[i];
		enum lk_err alone = group->count == 1 ? err : commit(store, &write, 1);
		write->err = alone != LK_OK ? alone : write->err;
	}
	for (size_t i = 0; i < group->count; i++) {
		struct lk_write *write = group->writes[i];
		write->done(write, write->err, write->err == LK_OK ? &write->reply : NULL);
	}
}

/* Takes the next write that is queued into the group; false where there is none, or no room for it. */
static bool take_write(struct lk_writer *writer, struct group *group, size_t *mutations)
{
	struct queue *queue = writer->urgent.first != NULL ? &writer->urgent : &writer->ordinary;
	struct lk_write *write = queue->first;

	if (write == NULL || group->count == GROUP_MOST) {
		return false;
	}
	/* One that is too large for any group is a group of its own. */
	*mutations += write->change->n_mutations;
	if (*mutations > MUTATIONS_MOST && group->count > 0) {
		return false;
	}
	queue_pop(queue);
	group->writes[group->count++] = write;
	return true;
}

/*
 * Waits for writes until `until_us` and takes a group of them, an empty one where none came. False when all is done and the
 * writer is to stop.
 */
static bool take_group(struct lk_writer *writer, int64_t until_us, struct group *ret_group)
{
	struct timespec until = {
		.tv_sec = until_us / LK_US_PER_SECOND, .tv_nsec = (long)(until_us % LK_US_PER_SECOND) * 1000};
	size_t mutations = 0;
	int rc = 0;

	ret_group->count = 0;
	pthread_mutex_lock(&writer->lock);
	while (rc == 0 && writer->urgent.count + writer->ordinary.count == 0 && !writer->stopping) {
		rc = pthread_cond_timedwait(&writer->wake, &writer->lock, &until);
	}
	while (take_write(writer, ret_group, &mutations)) {
	}
	bool more = ret_group->count > 0 || !writer->stopping;
	pthread_mutex_unlock(&writer->lock);
	return more;
}

/* False where it failed; the next time will do: these replies open to nobody who has not their request_id. */
static bool purge(struct lk_store *store)
{
	struct lk_txn *txn = NULL;

	if (lk_write_begin(store, &txn) != LK_OK) {
		return false;
	}
	lk_reply_purge(txn, clock_us(CLOCK_REALTIME), PURGE_MOST);
	return lk_write_commit(txn) == LK_OK;
}

static void *run_writer(void *argument)
{
	struct lk_writer *writer = argument;
	struct group group = {0};
	/* What went over while no daemon ran goes at once. */
	int64_t purge_us = 0;

	do {
		run_group(writer->store, &group);
		int64_t now_us = clock_us(CLOCK_MONOTONIC);
		if (now_us >= purge_us) {
			(void)purge(writer->store);
			purge_us = now_us + PURGE_EVERY_US;
		}
	} while (take_group(writer, purge_us, &group));
	return NULL;
}

/* Makes what the writer's threads meet at. */
static void init_wake(struct lk_writer *writer)
{
	pthread_condattr_t attributes;

	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&writer->wake, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	(void)pthread_mutex_init(&writer->lock, NULL);
}

enum lk_err lk_writer_start(struct lk_store *store, size_t queue_max, struct lk_writer **ret_writer)
{
	struct lk_writer *writer = calloc(1, sizeof *writer);

	if (writer == NULL) {
		return LK_NO_MEMORY;
	}
	writer->store = store;
	writer->queue_max = queue_max;
	queue_init(&writer->urgent);
	queue_init(&writer->ordinary);
	init_wake(writer);
	if (pthread_create(&writer->thread, NULL, run_writer, writer) != 0) {
		pthread_cond_destroy(&writer->wake);
		pthread_mutex_destroy(&writer->lock);
		free(writer);
		return LK_NO_MEMORY;
	}
	*ret_writer = writer;
	return LK_OK;
}

enum lk_err lk_writer_submit(struct lk_writer *writer, struct lk_write *write)
{
	struct queue *queue = write->urgent ? &writer->urgent : &writer->ordinary;
	enum lk_err err = LK_OK;

	write->stale = false;
	pthread_mutex_lock(&writer->lock);
	if (writer->stopping) {
		err = LK_UNAVAILABLE;
	} else if (queue->count >= writer->queue_max) {
		err = LK_RESOURCE_EXHAUSTED;
	} else {
		queue_push(queue, write);
		pthread_cond_signal(&writer->wake);
	}
	pthread_mutex_unlock(&writer->lock);
	return err;
}

void lk_writer_stop(struct lk_writer *writer)
{
	if (writer == NULL) {
		return;
	}
	pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

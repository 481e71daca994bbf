/*
 * Writes for the tests of the writer: each is a job that builds its Change as a service would, and remembers what became of it.
 *
 * A bench can hold the writer, so that what is submitted meanwhile is one group. Functions that a thread of a test or the writer
 * calls assert nothing.
 */
#ifndef LK_TESTS_UNIT_STORE_BENCH_H
#define LK_TESTS_UNIT_STORE_BENCH_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "server/store/writer.h"
#include "tests/unit/store/world.h"

struct bench {
	struct world world;
	struct lk_writer *writer;
	/* The write that holds the writer. */
	struct job *gate;
	/* What follows is under the lock; `changed` says that some of it did. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t done;
	bool held;
	bool open;
};

struct job {
	struct lk_write write;
	struct lk_arena arena;
	struct bench *bench;
	/* Builds the Change: by default, makes the key `name` of the keyspace. */
	enum lk_err (*make)(struct job *job, struct lk_txn *txn);
	uint32_t keyspace;
	const char *name;
	/* Whether another key's name is in the way. */
	bool unique;
	/* Of a job that ends a key. */
	uint64_t slot;
	/* The key that was built, and its token, made anew each time. */
	Latchkey__Store__KeyRecord *key;
	char token[48];
	/* Its request_id, where the write has one. */
	uint8_t request_id[LK_REQUEST_ID_LEN];
	struct lk_reply_id reply_id;
	/* Makes compose() fail. */
	enum lk_err compose_err;

	/* What became of it. */
	int times_built;
	int times_done;
	enum lk_err err;
	uint64_t revision;
	char answer[64];
	/* The how manyeth of the bench it was. */
	size_t turn;
};

/* Starts a writer on the store of a fixture, whose world is made; ends it, with all that is queued done. */
void bench_start(struct bench *bench, void **state, size_t queue_max);
void bench_stop(struct bench *bench);

/* Opens the fixture's store anew, with another map and number of slots: before bench_start(). */
void bench_reopen(void **state, size_t map_size, uint64_t max_slots);

/* A job that makes a key, not built yet. NULL without memory. Any thread. */
struct job *job_new(struct bench *bench, const char *name);
/* Gives it a request_id, and a digest of the request that is `request`. */
void job_identify(struct job *job, const uint8_t id[static LK_REQUEST_ID_LEN], const char *request);
void job_free(struct job *job);

/* What `make` may be, beside the default: revokes the key in `slot`; does nothing; makes far more than a map of 1 MiB holds. */
enum lk_err job_revokes(struct job *job, struct lk_txn *txn);
enum lk_err job_deletes(struct job *job, struct lk_txn *txn);
enum lk_err job_nothing(struct job *job, struct lk_txn *txn);
enum lk_err job_too_much(struct job *job, struct lk_txn *txn);

/* Builds the job on a snapshot and queues it, as a request that came in does. Any thread. */
LK_MUST_CHECK enum lk_err job_submit(struct job *job);

/* Waits until `count` jobs in all were answered. */
void bench_wait(struct bench *bench, size_t count);

/* Holds the writer in the middle of its work, and lets it go on. */
void bench_hold(struct bench *bench);
void bench_release(struct bench *bench);

/* CLOCK_MONOTONIC. */
int64_t bench_clock_us(void);

#endif

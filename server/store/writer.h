/*
 * The writer: the one thread that writes. It takes what is queued, checks and applies each Change in one transaction, commits
 * once, and then answers all: a group shares one fsync.
 *
 * A write is submitted with its Change already built on a snapshot. Where what it read has moved by the time it is its turn,
 * the writer has it built anew, on the write transaction; so no client is told to try again. Where the environment fails a
 * group (a full disk, say), the group is dropped and each write runs alone, so that one large Change does not fail the others.
 * LK_FULL comes before the store is: what is not urgent is refused while there is room left for what is.
 * When it starts and once a minute the writer also lets go of kept replies whose time is over.
 */
#ifndef LK_SERVER_STORE_WRITER_H
#define LK_SERVER_STORE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/store/reply.h"
#include "server/store/txn.h"

struct lk_writer;

/*
 * One write. It belongs to the submitter, who leaves it alone from lk_writer_submit() until `done` is called; build, compose and
 * done run on the writer's thread, and must not block.
 */
struct lk_write {
	/* Memory for whatever the write needs; no other thread uses it meanwhile. */
	struct lk_arena *arena;
	/* The Change. One without mutations succeeds, and writes nothing but its reply where that is to be kept. */
	Latchkey__Store__Change *change;
	/* The request's idempotency, or NULL. */
	const struct lk_reply_id *reply_id;
	/* Revocations and deletions, which go first, and may use the room that is held back (room.h). */
	bool urgent;
	/* On CLOCK_MONOTONIC: past it the write is dropped unapplied. */
	int64_t deadline_us;

	/* Builds `change` anew on `txn`. Its error is the write's. */
	enum lk_err (*build)(struct lk_write *write, struct lk_txn *txn);
	/* Encodes the response, of the change as it was applied. LK_NO_MEMORY. */
	enum lk_err (*compose)(struct lk_write *write, uint8_t **ret_response, size_t *ret_len);
	/* Answers: the change is durable, or did not happen. `reply` is set with LK_OK. The write is the submitter's again. */
	void (*done)(struct lk_write *write, enum lk_err err, const struct lk_kept_reply *reply);

	/* The writer's own. */
	struct lk_write *next;
	struct lk_kept_reply reply;
	enum lk_err err;
	/* What was built is on a state that no longer counts. */
	bool stale;
};

/* Starts the thread. `queue_max`: the most writes that wait, of those that are urgent and of the others each. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_writer_start(struct lk_store *store, size_t queue_max, struct lk_writer **ret_writer);

/* Queues a write. Does not block. LK_RESOURCE_EXHAUSTED: its queue is full. LK_UNAVAILABLE: the writer is stopping. */
LK_MUST_CHECK enum lk_err lk_writer_submit(struct lk_writer *writer, struct lk_write *write);

/* Finishes what is queued, ends the thread, frees. Blocks. Takes NULL. */
void lk_writer_stop(struct lk_writer *writer);

#endif

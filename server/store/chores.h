/*
 * Chores: the work that nobody waits for, such as removing the keys of a keyspace that was deleted. One thread runs a table of
 * them: each in its turn builds a Change on a snapshot, which goes to the writer like any other write, and is durable or did not
 * happen before the next one's turn comes.
 *
 * A chore keeps nothing in memory of what is left to do: the tables say it, so that work that was cut off, by a kill -9 even, goes
 * on where it stood. While a chore finds work it has its turn again at once, after the others had theirs; else after every_us,
 * or when lk_chores_wake() is called. The thread starts after the writer, and is stopped before it.
 */
#ifndef LK_SERVER_STORE_CHORES_H
#define LK_SERVER_STORE_CHORES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/store/txn.h"
#include "server/store/writer.h"

/*
 * Fills `change` with the next part of the work, all in `arena`; leaves it without mutations where there is none. Called on a
 * snapshot, and again by the writer on its own transaction where what was read has moved: so it expects what it read, keeps
 * nothing from an earlier run, and stays short. `now_us`: CLOCK_REALTIME. `change` comes with its time, with the actor "latchkeyd"
 * and with the chore's name for a method; a builder may put others in their place. Its error is reported.
 */
typedef enum lk_err (*lk_chore_build)(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change);

struct lk_chore {
	/* As audit records and the report name it: "latchkeyd/reap". */
	const char *name;
	lk_chore_build build;
	void *context;
	/* How long it rests where it found nothing, or failed. */
	int64_t every_us;
	/* It ends keys, or frees room: it may use what is held back (room.h), and goes ahead of other writes. */
	bool urgent;
};

/* What the actor of a chore's Change is. */
#define LK_CHORES_ACTOR "latchkeyd"

/*
 * Told on the chores' thread when a chore fails otherwise than it did the last time: with its error; and with LK_OK when it
 * succeeds again. Must not block.
 */
typedef void (*lk_chores_report)(void *context, const char *chore, enum lk_err err);

struct lk_chores_options {
	struct lk_store *store;
	struct lk_writer *writer;
	/* The table is copied; what its contexts point at must live until lk_chores_stop(). */
	const struct lk_chore *table;
	size_t count;
	/* May be NULL. */
	lk_chores_report report;
	void *report_context;
};

struct lk_chores;

/* Starts the thread; every chore has its first turn at once. LK_NO_MEMORY, LK_RESOURCE_EXHAUSTED: no reader slot is free. */
LK_MUST_CHECK enum lk_err lk_chores_start(const struct lk_chores_options *options, struct lk_chores **ret_chores);

/* Gives every chore a turn now. Any thread; does not block. */
void lk_chores_wake(struct lk_chores *chores);

/* Ends the thread, when the Change that is under way is done, and frees. Blocks for that one commit. Takes NULL. */
void lk_chores_stop(struct lk_chores *chores);

#endif

/*
 * A transaction of the store: a read snapshot or the one write transaction, with an error that sticks.
 *
 * Once an operation has failed, every further one does nothing, and lk_txn_err() says why: callers check once, at the end.
 * What a get hands out lies in LMDB's map and is good until the next write in the same transaction, or its end.
 * A snapshot is made once and renewed for each request; between requests it pins nothing. One thread at a time.
 */
#ifndef LK_SERVER_STORE_TXN_H
#define LK_SERVER_STORE_TXN_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/store/table.h"

struct lk_arena;
struct lk_store;
struct lk_txn;

/* Bytes in LMDB's map. */
struct lk_value {
	const uint8_t *data;
	size_t len;
};

/* Makes a snapshot that is not begun. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_snapshot_new(struct lk_store *store, struct lk_txn **ret_txn);
/* Ends and frees it. Takes NULL. */
void lk_snapshot_free(struct lk_txn *txn);
/* Takes the newest committed state. LK_RESOURCE_EXHAUSTED: no reader slot is free. Does not block. */
LK_MUST_CHECK enum lk_err lk_snapshot_begin(struct lk_txn *txn);
/* Lets go of that state. Harmless where there is none. */
void lk_snapshot_end(struct lk_txn *txn);

/* Begins the write transaction. For the writer's thread and for start-up alone. */
LK_MUST_CHECK enum lk_err lk_write_begin(struct lk_store *store, struct lk_txn **ret_txn);
/*
 * Commits, blocks until the data are on the disk, and frees. Where an error sticks, it aborts and returns that; where nothing
 * was written, it costs nothing.
 */
LK_MUST_CHECK enum lk_err lk_write_commit(struct lk_txn *txn);
/* Drops what was written, and frees. Takes NULL. */
void lk_write_abort(struct lk_txn *txn);

/* The error that sticks, or LK_OK. */
enum lk_err lk_txn_err(const struct lk_txn *txn);
/* Makes `err` stick where none does yet: for what a caller finds wrong in the data. */
void lk_txn_fail(struct lk_txn *txn, enum lk_err err);
struct lk_store *lk_txn_store(const struct lk_txn *txn);

/*
 * The counters that every change moves, as they are stored. Read once a state, and so cheap to ask for; all zero where an
 * error sticks. In a write transaction the counters may be moved, and are written with the commit.
 */
struct lk_head {
	/* Counts the changes: names a state. */
	uint64_t revision;
	/* Numbers are never used twice: these are the last that were. */
	uint32_t last_tenant;
	uint32_t last_keyspace;
	uint32_t last_role;
	/* How many owners have limits: where there are none, no verdict looks for them. */
	uint32_t owners;
	uint64_t last_slot;
	uint64_t last_audit;
	uint64_t last_job;
	/* Secrets of the kinds that a miss of Verify must ask further for; see SecretKind. */
	uint64_t foreign_secrets;
	uint64_t sha256_secrets;
	/* The audit chain's hash at last_audit. */
	uint8_t audit_hash[LK_DIGEST_LEN];
};

struct lk_head *lk_txn_head(struct lk_txn *txn);

/* Looks up a key; false where it is not there or an error sticks. */
bool lk_txn_get(struct lk_txn *txn, enum lk_table table, const struct lk_key *key, struct lk_value *ret_value);

/*
 * Looks up the gate of a keyspace (verdict_record.h) as lk_txn_get() would. Every verdict asks for one, and mostly for the same
 * few: a snapshot remembers where they lay in the state that it saw last.
 */
bool lk_txn_get_gate(struct lk_txn *txn, uint32_t keyspace, struct lk_value *ret_value);

/*
 * Looks up a record and unpacks it into the arena. NULL where it is not there or an error sticks. What does not unpack makes
 * LK_CORRUPT stick; an exhausted arena, LK_NO_MEMORY.
 */
void *lk_txn_record(struct lk_txn *txn, enum lk_table table, const struct lk_key *key,
	const ProtobufCMessageDescriptor *descriptor, struct lk_arena *arena);

/* Writes; the flags are MDB_NOOVERWRITE and MDB_APPEND, or 0. */
void lk_txn_put(struct lk_txn *txn, enum lk_table table, const struct lk_key *key, const void *data, size_t len,
	unsigned flags);
void lk_txn_put_record(struct lk_txn *txn, enum lk_table table, const struct lk_key *key,
	const ProtobufCMessage *record, unsigned flags);
/*
 * Writes a key that is new, and most often behind the last of its table: LMDB then fills each page before it begins another. One
 * that is there makes LK_ALREADY_EXISTS stick.
 */
void lk_txn_put_new(struct lk_txn *txn, enum lk_table table, const struct lk_key *key, const void *data, size_t len);
/* Deletes a key that must be there: LK_CORRUPT sticks where it is not. */
void lk_txn_delete(struct lk_txn *txn, enum lk_table table, const struct lk_key *key);
/* Deletes a key that may be there; false where it is not, and where an error sticks. */
bool lk_txn_delete_if(struct lk_txn *txn, enum lk_table table, const struct lk_key *key);

/* A walk over a table in the order of its keys. */
struct lk_walk;

/* Makes a walk; NULL where an error sticks. Freed before its transaction ends. */
struct lk_walk *lk_walk_new(struct lk_txn *txn, enum lk_table table);
void lk_walk_free(struct lk_walk *walk);
/* Goes to the first key that is not below `key`. False past the end, and where an error sticks. */
bool lk_walk_seek(struct lk_walk *walk, const struct lk_key *key);
/* Goes to the last key that is not above `key`. False where every key is, and where an error sticks. */
bool lk_walk_seek_last(struct lk_walk *walk, const struct lk_key *key);
/* Each goes one key on, or back. False past the end, where the walk then stands nowhere, and where an error sticks. */
bool lk_walk_next(struct lk_walk *walk);
bool lk_walk_prev(struct lk_walk *walk);
/* Where the walk stands; empty where it stands nowhere. */
struct lk_value lk_walk_key(const struct lk_walk *walk);
struct lk_value lk_walk_value(const struct lk_walk *walk);
/* Whether the key where the walk stands begins with `prefix`. */
bool lk_walk_in(const struct lk_walk *walk, const struct lk_key *prefix);

#endif

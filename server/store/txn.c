#include "server/store/txn.h"

#include <stdlib.h>
#include <string.h>

#include "server/core/arena.h"
#include "server/store/error.h"
#include "server/store/store_internal.h"

/* Keyspaces that a snapshot remembers the gates of: a power of two. */
#define GATES 16

/* Where a gate lay in the state that LMDB calls `of`: in a state, nothing moves. */
struct gate_place {
	struct lk_value value;
	size_t of;
	/* 0: of none. */
	uint32_t keyspace;
};

struct lk_txn {
	struct lk_store *store;
	MDB_txn *mdb;
	enum lk_err err;
	bool writing;
	/* A snapshot that holds a state. */
	bool begun;
	/* A write transaction in which something was written. */
	bool dirty;
	/* The head of the state that LMDB calls head_of; of a write transaction, with what was moved since. */
	struct lk_head head;
	bool head_known;
	size_t head_of;
	/* By the last bits of the keyspace's number. Of snapshots alone. */
	struct gate_place gates[GATES];
};

struct lk_walk {
	struct lk_txn *txn;
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
};

_Static_assert(sizeof(struct lk_head) == 96, "the head is stored as it lies");

static bool usable(const struct lk_txn *txn)
{
	return txn->err == LK_OK && txn->mdb != NULL;
}

static MDB_dbi table_of(const struct lk_txn *txn, enum lk_table table)
{
	return txn->store->tables[table];
}

/* LMDB wants a key that it may write to in its types, and does not write to it. */
static MDB_val key_of(const struct lk_key *key)
{
	return (MDB_val){.mv_size = key->len, .mv_data = (void *)(uintptr_t)key->data};
}

static struct lk_value value_of(const MDB_val *value)
{
	return (struct lk_value){.data = value->mv_data, .len = value->mv_size};
}

enum lk_err lk_snapshot_new(struct lk_store *store, struct lk_txn **ret_txn)
{
	struct lk_txn *txn = calloc(1, sizeof *txn);

	if (txn == NULL) {
		return LK_NO_MEMORY;
	}
	txn->store = store;
	*ret_txn = txn;
	return LK_OK;
}

void lk_snapshot_free(struct lk_txn *txn)
{
	if (txn == NULL) {
		return;
	}
	/* In a forked child, aborting it would free the parent's reader slot: its memory is left to the process. */
	if (txn->mdb != NULL && !lk_store_is_forked(txn->store)) {
		mdb_txn_abort(txn->mdb);
	}
	free(txn);
}

enum lk_err lk_snapshot_begin(struct lk_txn *txn)
{
	int rc = 0;

	lk_snapshot_end(txn);
	if (txn->mdb == NULL) {
		rc = mdb_txn_begin(txn->store->env, NULL, MDB_RDONLY, &txn->mdb);
	} else {
		rc = mdb_txn_renew(txn->mdb);
	}
	txn->err = lk_err_from_lmdb(rc);
	txn->begun = txn->err == LK_OK;
	return txn->err;
}

void lk_snapshot_end(struct lk_txn *txn)
{
	/* In a child that was forked in the middle of a verdict, that would free the parent's snapshot. */
	if (txn->begun && !lk_store_is_forked(txn->store)) {
		mdb_txn_reset(txn->mdb);
		txn->begun = false;
	}
}

enum lk_err lk_write_begin(struct lk_store *store, struct lk_txn **ret_txn)
{
	struct lk_txn *txn = calloc(1, sizeof *txn);

	if (txn == NULL) {
		return LK_NO_MEMORY;
	}
	enum lk_err err = lk_err_from_lmdb(mdb_txn_begin(store->env, NULL, 0, &txn->mdb));
	if (err != LK_OK) {
		free(txn);
		return err;
	}
	txn->store = store;
	txn->writing = true;
	*ret_txn = txn;
	return LK_OK;
}

enum lk_err lk_write_commit(struct lk_txn *txn)
{
	if (txn->dirty && txn->head_known) {
		struct lk_key key = lk_key_meta("head");
		lk_txn_put(txn, LK_TABLE_META, &key, &txn->head, sizeof txn->head, 0);
	}
	enum lk_err err = txn->err;
	if (err != LK_OK || !txn->dirty) {
		lk_write_abort(txn);
		return err;
	}
	/* Frees the transaction even where it fails. */
	err = lk_err_from_lmdb(mdb_txn_commit(txn->mdb));
	free(txn);
	return err;
}

void lk_write_abort(struct lk_txn *txn)
{
	if (txn != NULL) {
		mdb_txn_abort(txn->mdb);
		free(txn);
	}
}

enum lk_err lk_txn_err(const struct lk_txn *txn)
{
	return txn->err;
}

void lk_txn_fail(struct lk_txn *txn, enum lk_err err)
{
	if (txn->err == LK_OK) {
		txn->err = err;
	}
}

struct lk_store *lk_txn_store(const struct lk_txn *txn)
{
	return txn->store;
}

struct lk_head *lk_txn_head(struct lk_txn *txn)
{
	struct lk_key key = lk_key_meta("head");
	struct lk_value value = {0};

	if (usable(txn) && txn->head_known && (txn->writing || txn->head_of == mdb_txn_id(txn->mdb))) {
		return &txn->head;
	}
	memset(&txn->head, 0, sizeof txn->head);
	txn->head_known = false;
	if (!usable(txn)) {
		return &txn->head;
	}
	if (lk_txn_get(txn, LK_TABLE_META, &key, &value)) {
		if (value.len != sizeof txn->head) {
			lk_txn_fail(txn, LK_CORRUPT);
			return &txn->head;
		}
		memcpy(&txn->head, value.data, sizeof txn->head);
	}
	txn->head_known = txn->err == LK_OK;
	txn->head_of = mdb_txn_id(txn->mdb);
	return &txn->head;
}

bool lk_txn_get(struct lk_txn *txn, enum lk_table table, const struct lk_key *key, struct lk_value *ret_value)
{
	MDB_val where = key_of(key);
	MDB_val found = {0};

	if (!usable(txn)) {
		return false;
	}
	int rc = mdb_get(txn->mdb, table_of(txn, table), &where, &found);
	if (rc == MDB_SUCCESS) {
		*ret_value = value_of(&found);
		return true;
	}
	if (rc != MDB_NOTFOUND) {
		lk_txn_fail(txn, lk_err_from_lmdb(rc));
	}
	return false;
}

bool lk_txn_get_gate(struct lk_txn *txn, uint32_t keyspace, struct lk_value *ret_value)
{
	struct gate_place *place = &txn->gates[keyspace % GATES];

	if (!txn->writing && usable(txn) && place->keyspace == keyspace && keyspace != 0 &&
		place->of == mdb_txn_id(txn->mdb)) {
		*ret_value = place->value;
		return true;
	}
	struct lk_key key = lk_key_u32(keyspace);
	if (!lk_txn_get(txn, LK_TABLE_GATE, &key, ret_value)) {
		return false;
	}
	*place = (struct gate_place){.value = *ret_value, .of = mdb_txn_id(txn->mdb), .keyspace = keyspace};
	return true;
}

void *lk_txn_record(struct lk_txn *txn, enum lk_table table, const struct lk_key *key,
	const ProtobufCMessageDescriptor *descriptor, struct lk_arena *arena)
{
	struct lk_value value = {0};

	if (!lk_txn_get(txn, table, key, &value)) {
		return NULL;
	}
	void *record = protobuf_c_message_unpack(descriptor, &arena->allocator, value.len, value.data);
	if (record == NULL) {
		lk_txn_fail(txn, arena->exhausted ? LK_NO_MEMORY : LK_CORRUPT);
	}
	return record;
}

void lk_txn_put(
	struct lk_txn *txn, enum lk_table table, const struct lk_key *key, const void *data, size_t len, unsigned flags)
{
	MDB_val where = key_of(key);
	MDB_val value = {.mv_size = len, .mv_data = (void *)(uintptr_t)data};

	if (usable(txn)) {
		txn->dirty = true;
		lk_txn_fail(txn, lk_err_from_lmdb(mdb_put(txn->mdb, table_of(txn, table), &where, &value, flags)));
	}
}

void lk_txn_put_new(struct lk_txn *txn, enum lk_table table, const struct lk_key *key, const void *data, size_t len)
{
	MDB_val where = key_of(key);
	MDB_val value = {.mv_size = len, .mv_data = (void *)(uintptr_t)data};

	if (!usable(txn)) {
		return;
	}
	txn->dirty = true;
	/* LMDB compares it with the last key, and refuses what is not behind it before it has done anything. */
	int rc = mdb_put(txn->mdb, table_of(txn, table), &where, &value, MDB_APPEND);
	if (rc == MDB_KEYEXIST) {
		rc = mdb_put(txn->mdb, table_of(txn, table), &where, &value, MDB_NOOVERWRITE);
	}
	lk_txn_fail(txn, lk_err_from_lmdb(rc));
}

void lk_txn_put_record(struct lk_txn *txn, enum lk_table table, const struct lk_key *key,
	const ProtobufCMessage *record, unsigned flags)
{
	MDB_val where = key_of(key);
	MDB_val value = {.mv_size = protobuf_c_message_get_packed_size(record)};

	if (!usable(txn)) {
		return;
	}
	txn->dirty = true;
	lk_txn_fail(
		txn, lk_err_from_lmdb(mdb_put(txn->mdb, table_of(txn, table), &where, &value, flags | MDB_RESERVE)));
	if (txn->err == LK_OK) {
		protobuf_c_message_pack(record, value.mv_data);
	}
}

bool lk_txn_delete_if(struct lk_txn *txn, enum lk_table table, const struct lk_key *key)
{
	MDB_val where = key_of(key);

	if (!usable(txn)) {
		return false;
	}
	txn->dirty = true;
	int rc = mdb_del(txn->mdb, table_of(txn, table), &where, NULL);
	if (rc != MDB_SUCCESS && rc != MDB_NOTFOUND) {
		lk_txn_fail(txn, lk_err_from_lmdb(rc));
	}
	return rc == MDB_SUCCESS;
}

void lk_txn_delete(struct lk_txn *txn, enum lk_table table, const struct lk_key *key)
{
	if (!lk_txn_delete_if(txn, table, key)) {
		lk_txn_fail(txn, LK_CORRUPT);
	}
}

struct lk_walk *lk_walk_new(struct lk_txn *txn, enum lk_table table)
{
	if (!usable(txn)) {
		return NULL;
	}
	struct lk_walk *walk = calloc(1, sizeof *walk);
	if (walk == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return NULL;
	}
	walk->txn = txn;
	enum lk_err err = lk_err_from_lmdb(mdb_cursor_open(txn->mdb, table_of(txn, table), &walk->cursor));
	if (err != LK_OK) {
		lk_txn_fail(txn, err);
		free(walk);
		return NULL;
	}
	return walk;
}

void lk_walk_free(struct lk_walk *walk)
{
	if (walk != NULL) {
		mdb_cursor_close(walk->cursor);
		free(walk);
	}
}

static bool step(struct lk_walk *walk, MDB_cursor_op op)
{
	int rc = MDB_NOTFOUND;

	if (walk == NULL) {
		return false;
	}
	if (usable(walk->txn)) {
		rc = mdb_cursor_get(walk->cursor, &walk->key, &walk->value, op);
	}
	if (rc == MDB_SUCCESS) {
		return true;
	}
	if (rc != MDB_NOTFOUND) {
		lk_txn_fail(walk->txn, lk_err_from_lmdb(rc));
	}
	/* What was sought for is the caller's, and may soon be gone. */
	walk->key = (MDB_val){0};
	walk->value = (MDB_val){0};
	return false;
}

bool lk_walk_seek(struct lk_walk *walk, const struct lk_key *key)
{
	if (walk == NULL) {
		return false;
	}
	/* LMDB knows no empty key, and every key is behind it. */
	if (key->len == 0) {
		return step(walk, MDB_FIRST);
	}
	walk->key = key_of(key);
	return step(walk, MDB_SET_RANGE);
}

bool lk_walk_seek_last(struct lk_walk *walk, const struct lk_key *key)
{
	if (walk == NULL || key->len == 0) {
		return false;
	}
	if (!lk_walk_seek(walk, key)) {
		return step(walk, MDB_LAST);
	}
	bool is_there = walk->key.mv_size == key->len && memcmp(walk->key.mv_data, key->data, key->len) == 0;
	return is_there || step(walk, MDB_PREV);
}

bool lk_walk_next(struct lk_walk *walk)
{
	return step(walk, MDB_NEXT);
}

bool lk_walk_prev(struct lk_walk *walk)
{
	return step(walk, MDB_PREV);
}

struct lk_value lk_walk_key(const struct lk_walk *walk)
{
	return value_of(&walk->key);
}

struct lk_value lk_walk_value(const struct lk_walk *walk)
{
	return value_of(&walk->value);
}

bool lk_walk_in(const struct lk_walk *walk, const struct lk_key *prefix)
{
	return walk->key.mv_size >= prefix->len && memcmp(walk->key.mv_data, prefix->data, prefix->len) == 0;
}

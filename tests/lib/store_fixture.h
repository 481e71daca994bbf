/*
 * A store for a test: a real one, in a directory of its own that goes away with it.
 *
 * Nothing here asserts, so that threads and child processes may use it: what fails, says so by its result. A fixture is one
 * thread's; its store is everybody's.
 */
#ifndef LK_TESTS_LIB_STORE_FIXTURE_H
#define LK_TESTS_LIB_STORE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/store/store.h"
#include "server/store/txn.h"

/* The time at which the stores of the fixture are made: 2026-01-01 00:00 UTC, in microseconds. */
#define LK_FIXTURE_TIME_US INT64_C(1767225600000000)

struct lk_fixture {
	/* A fresh directory, and the data directory in it, which is not made before the store is. */
	char parent[128];
	char dir[160];
	struct lk_store_options options;
	/* NULL until it is opened. */
	struct lk_store *store;
	/* What lk_store_open() said of a failure. */
	char message[LK_STORE_MESSAGE_LEN];
	/* For whatever a test reads and builds. */
	struct lk_arena arena;
	/* The snapshot that lk_fixture_snapshot() renews; NULL until then. */
	struct lk_txn *snapshot;
};

/* For cmocka: a fixture with an open store, one whose store is not made yet, and the end of either. */
int lk_fixture_setup(void **state);
int lk_fixture_setup_closed(void **state);
int lk_fixture_teardown(void **state);

/* The same, by hand. 0, or -1. */
int lk_fixture_init(struct lk_fixture *fixture);
void lk_fixture_done(struct lk_fixture *fixture);

LK_MUST_CHECK enum lk_err lk_fixture_open(struct lk_fixture *fixture);
/* Ends the snapshot and closes the store; the directory stays. */
void lk_fixture_close(struct lk_fixture *fixture);

/* A snapshot of the newest state; NULL where there is none to be had. Good until the next one. */
struct lk_txn *lk_fixture_snapshot(struct lk_fixture *fixture);

/* Checks, does and commits a Change, as the writer would; on an error nothing of it happened. */
LK_MUST_CHECK enum lk_err lk_fixture_apply(struct lk_fixture *fixture, Latchkey__Store__Change *change);

/* Each makes one record in a commit of its own. 0 or NULL: it failed. */
uint32_t lk_fixture_tenant(struct lk_fixture *fixture, const char *id);
uint32_t lk_fixture_keyspace(struct lk_fixture *fixture, uint32_t tenant, const char *id);
Latchkey__Store__KeyRecord *lk_fixture_key(
	struct lk_fixture *fixture, uint32_t tenant, uint32_t keyspace, const char *name);

/* Writes the path of a file of the data directory. */
void lk_fixture_path(const struct lk_fixture *fixture, const char *name, size_t size, char *ret_path);

/* BLAKE2b-256 of everything in the tables but the store's own record: tells whether two states are the same. */
LK_MUST_CHECK enum lk_err lk_fixture_digest(struct lk_txn *txn, uint8_t ret_digest[static LK_DIGEST_LEN]);

/* The same of one table. */
LK_MUST_CHECK enum lk_err lk_fixture_digest_table(
	struct lk_txn *txn, enum lk_table table, uint8_t ret_digest[static LK_DIGEST_LEN]);

/* How many entries a table has. */
size_t lk_fixture_count(struct lk_txn *txn, enum lk_table table);

/* Whether `len` bytes occur in a file. False also where it cannot be read. */
bool lk_fixture_file_has(const char *path, const void *bytes, size_t len);

#endif

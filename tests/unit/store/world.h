/*
 * A store with something in it, for the tests of this folder: made and changed as they need it, and looked at.
 *
 * These functions assert: for the test's own thread alone.
 */
#ifndef LK_TESTS_UNIT_STORE_WORLD_H
#define LK_TESTS_UNIT_STORE_WORLD_H

#include "tests/lib/store_fixture.h"

#define LK_ACTIVE    LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE
#define LK_REVOKED   LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED
#define LK_SUSPENDED LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED

/* A store with one tenant, "acme", at revision 3, and in it one keyspace, "prod", at revision 4. */
struct world {
	struct lk_fixture *fixture;
	struct lk_arena *arena;
	uint32_t tenant;
	uint32_t keyspace;
};

/* Fills the store of a fixture. */
struct world world_make(void **state);

/* Each in a commit of its own: makes a key of "prod", puts it as it now is, revokes it, deletes it. */
Latchkey__Store__KeyRecord *world_key(struct world *world, const char *name);
void world_put(struct world *world, Latchkey__Store__KeyRecord *key);
void world_revoke(struct world *world, Latchkey__Store__KeyRecord *key);
void world_delete(struct world *world, uint64_t slot);

/* Each in a commit of its own: closes a tenant, or a keyspace of "acme". */
void world_close_tenant(struct world *world, const char *id);
void world_close_keyspace(struct world *world, const char *id);

/* Whether an index has a key, whose value is a number of 8 bytes that is `expected`, or nothing. */
bool world_index_has(struct lk_txn *txn, enum lk_table table, struct lk_key key, uint64_t expected);

/* What the gate of a keyspace counts, and that it counts nothing suspended. */
void world_assert_gate(struct world *world, uint32_t keyspace, uint64_t active, uint64_t revoked);

/* That every index has its entry of a key, and `verdict` the records of its secrets (world_check.c). */
void world_assert_indexed(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key);

/*
 * That indexes, verdicts, gates and counts say what the records of keys, keyspaces, tenants, roles and owners say, and
 * nothing more; for tests in which no two digests begin alike (world_check.c).
 */
void world_assert_consistent(struct lk_fixture *fixture);

/*
 * Recomputes the audit chain from the table as it lies: how many records follow from one another, from the first on, and the
 * hash of the last of them.
 */
uint64_t world_chain_length(struct world *world, struct lk_txn *txn, uint8_t ret_hash[static LK_DIGEST_LEN]);

#endif

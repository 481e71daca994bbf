/*
 * Scans: keys in the order of their creation, tenants and keyspaces by id, from any position on. A scan holds no transaction
 * open between pages: a page ends with a position, and the next begins behind it.
 */
#ifndef LK_SERVER_STORE_SCAN_H
#define LK_SERVER_STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/txn.h"

/* Behind a key: after its time of creation, and among those of the same time, its slot. All zero: before the first. */
struct lk_key_position {
	int64_t create_us;
	uint64_t slot;
};

struct lk_key_scan;

/*
 * Scans the keys of `count` keyspaces, merged. The index is ordered by keyspace first; a heap of one walk a keyspace puts them
 * together, so that opening costs one descent a keyspace, and each key after that log2(count) comparisons.
 * NULL where an error sticks to `txn`. Freed before its transaction ends.
 */
struct lk_key_scan *lk_key_scan_new(
	struct lk_txn *txn, const uint32_t *keyspaces, size_t count, const struct lk_key_position *after);
void lk_key_scan_free(struct lk_key_scan *scan);
/* The next key; false at the end, and where an error sticks. Takes NULL. */
bool lk_key_scan_next(struct lk_key_scan *scan, struct lk_key_position *ret_position);

/* A scan of tenants, or of the keyspaces of a tenant, by id. */
struct lk_id_scan;

/* Scans from behind the id `after` on ("": from the first). NULL where an error sticks. Freed before its transaction ends. */
struct lk_id_scan *lk_tenant_scan_new(struct lk_txn *txn, const char *after);
struct lk_id_scan *lk_keyspace_scan_new(struct lk_txn *txn, uint32_t tenant, const char *after);
void lk_id_scan_free(struct lk_id_scan *scan);
/* The next tenant's or keyspace's number; false at the end, and where an error sticks. Takes NULL. */
bool lk_id_scan_next(struct lk_id_scan *scan, uint32_t *ret_number);

#endif

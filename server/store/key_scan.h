/*
 * Scans of keys: in the order of any of their indexes, in either direction, of one keyspace or merged over several, between
 * bounds, and from behind any position. A scan holds no transaction open between pages: a page ends with a position, and the
 * next begins behind it, whatever has come and gone meanwhile.
 *
 * Slots are never used twice, so that an index's own value and the slot behind it make an order in which no two keys are equal:
 * what stood throughout is told once. A key whose value changes between two pages (a name, an expiry) may be told at its old
 * place, at its new one, at both or at neither; its state is no such value.
 */
#ifndef LK_SERVER_STORE_KEY_SCAN_H
#define LK_SERVER_STORE_KEY_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/txn.h"

/* What a scan is ordered by; of the same value, by slot. */
enum lk_key_index {
	/* The time of creation. */
	LK_KEYS_BY_CREATE,
	/* The time of creation, of the keys of one owner. */
	LK_KEYS_BY_OWNER,
	/* The time of expiry; the keys that have none stand last, at UINT64_MAX. */
	LK_KEYS_BY_EXPIRY,
	/* The bytes of the name; keys without one stand first. */
	LK_KEYS_BY_NAME,
	/* The last use as it was last folded: not after the use itself. May tell of keys that are gone. */
	LK_KEYS_BY_USED,
	LK_KEYS_INDEX_COUNT,
};

/* What to scan. */
struct lk_key_range {
	enum lk_key_index index;
	bool descending;
	/* In the index's own order, which is cheaper by name: the revoked keys of a name follow the others. For counting. */
	bool unordered;
	/* Of LK_KEYS_BY_OWNER: whose. */
	const char *owner;
	/* Of LK_KEYS_BY_NAME: how the name begins; at most 400 bytes. */
	const char *name_prefix;
	/* Of the others: the first and the last instant of the index, in microseconds. Nothing where the first is the greater. */
	uint64_t first_us;
	uint64_t last_us;
};

/* Of a name of 100 characters of 4 bytes, what ends it, and a slot, with room to spare. */
#define LK_KEY_POSITION_MAX 416

/* Behind a key, in the order of one range. Opaque. `len` 0: before the first. */
struct lk_key_position {
	size_t len;
	uint8_t data[LK_KEY_POSITION_MAX];
};

/* A key that a scan came to. */
struct lk_key_row {
	uint64_t slot;
	/* The instant that the index has of it; 0 by name. */
	uint64_t at_us;
	/* In which keyspace: its place among those that the scan was given. */
	size_t keyspace;
};

struct lk_key_scan;

/*
 * Scans the keys of `count` keyspaces, merged. Every index is ordered by keyspace first; a heap of one walk a keyspace puts them
 * together, so that opening costs one descent a keyspace, and each key after that log2(count) comparisons.
 * `after`: a position of a scan of the same range. One that is none of this index is LK_INVALID_ARGUMENT, which sticks to `txn`.
 * The range's texts are copied. NULL where an error sticks to `txn`. Freed before its transaction ends.
 */
struct lk_key_scan *lk_key_scan_new(struct lk_txn *txn, const struct lk_key_range *range, const uint32_t *keyspaces,
	size_t count, const struct lk_key_position *after);
void lk_key_scan_free(struct lk_key_scan *scan);
/* The next key; false at the end, and where an error sticks. Takes NULL. */
bool lk_key_scan_next(struct lk_key_scan *scan, struct lk_key_row *ret_row);
/* The position behind the key that lk_key_scan_next() told last, which it did. */
void lk_key_scan_position(const struct lk_key_scan *scan, struct lk_key_position *ret_position);

#endif

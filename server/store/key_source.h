/*
 * The keys of one keyspace in the order of one index: what a scan of keys merges. For key_scan.c alone.
 */
#ifndef LK_SERVER_STORE_KEY_SOURCE_H
#define LK_SERVER_STORE_KEY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/key_scan.h"
#include "server/store/txn.h"

/* A walk over a part of an index. */
struct lk_key_run {
	struct lk_walk *walk;
	/* Whether it stands on a key at all, and whether on one of its part. */
	bool stands;
	bool in;
};

/*
 * The index by name puts the revoked keys of a name behind its others, which a list does not: of the name where it stands, a
 * source by name merges the two runs. Any other source has the first run alone.
 */
struct lk_key_source {
	struct lk_txn *txn;
	const struct lk_key_range *range;
	/* The keyspace's place among those of the scan. */
	size_t place;
	/* What all of its keys begin with. */
	struct lk_key prefix;
	/* How many bytes of a key stand before what orders the keys of a range. */
	size_t head_at;
	struct lk_key_run runs[2];
	/* By name: keyspace, the name where it stands, and the NUL. */
	struct lk_key name;
	/* Where it stands: the run, what the index orders by, and the slot. */
	size_t run;
	const uint8_t *head;
	size_t head_len;
	uint64_t slot;
};

/* Whether `after` can be a position of such a range. */
bool lk_key_position_is(const struct lk_key_range *range, const struct lk_key_position *after);

/*
 * Goes to the first key behind `after`, which is a position of the range; false where there is none, and where an error sticks.
 */
bool lk_key_source_open(struct lk_key_source *source, struct lk_txn *txn, const struct lk_key_range *range,
	uint32_t keyspace, const struct lk_key_position *after);
/* Goes to the next key; false at the end, and where an error sticks. */
bool lk_key_source_next(struct lk_key_source *source);
void lk_key_source_close(struct lk_key_source *source);

/* The instant of the index where it stands; 0 by name. */
uint64_t lk_key_source_at(const struct lk_key_source *source);

/* Less than, equal to or greater than 0, as `a` stands before, at or behind `b` where ascending. */
int lk_key_source_compare(const struct lk_key_source *a, const struct lk_key_source *b);

#endif

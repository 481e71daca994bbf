#include "server/store/audit_scan.h"

#include <stdlib.h>

#include "server/core/secret.h"

/* A record is at most two keys with all that they may hold. */
#define SCRATCH_FIRST ((size_t)8 << 10)
#define SCRATCH_CAP   ((size_t)1 << 20)

struct lk_audit_scan {
	struct lk_txn *txn;
	struct lk_walk *walk;
	/* Of the index, the slot: keys begin with it. Empty: the walk is over the records themselves. */
	struct lk_key prefix;
	struct lk_key last;
	bool started;
};

struct lk_audit_scan *lk_audit_scan_new(struct lk_txn *txn, uint64_t slot, uint64_t last)
{
	struct lk_walk *walk = lk_walk_new(txn, slot == 0 ? LK_TABLE_AUDIT : LK_TABLE_AUDIT_BY_KEY);
	struct lk_audit_scan *scan = calloc(1, sizeof *scan);

	if (walk == NULL || scan == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		lk_walk_free(walk);
		free(scan);
		return NULL;
	}
	scan->txn = txn;
	scan->walk = walk;
	if (slot != 0) {
		scan->prefix = lk_key_u64(slot);
	}
	scan->last = slot == 0 ? lk_key_u64(last) : lk_key_audit_by_key(slot, last);
	return scan;
}

void lk_audit_scan_free(struct lk_audit_scan *scan)
{
	if (scan != NULL) {
		lk_walk_free(scan->walk);
		free(scan);
	}
}

bool lk_audit_scan_next(struct lk_audit_scan *scan, uint64_t *ret_number)
{
	if (scan == NULL) {
		return false;
	}
	/* An entry of another length is nobody's: proving the chain shows it. */
	bool more = false;
	do {
		more = scan->started ? lk_walk_prev(scan->walk) : lk_walk_seek_last(scan->walk, &scan->last);
		scan->started = true;
		more = more && lk_walk_in(scan->walk, &scan->prefix);
	} while (more && lk_walk_key(scan->walk).len != scan->last.len);
	if (more) {
		*ret_number = lk_read_u64(lk_walk_key(scan->walk).data + scan->prefix.len);
	}
	return more;
}

Latchkey__Store__AuditRecord *lk_audit_find(struct lk_txn *txn, struct lk_arena *arena, uint64_t number)
{
	struct lk_key where = lk_key_u64(number);
	struct lk_value value = {0};

	if (!lk_txn_get(txn, LK_TABLE_AUDIT, &where, &value) || value.len < LK_DIGEST_LEN) {
		return NULL;
	}
	return latchkey__store__audit_record__unpack(
		&arena->allocator, value.len - LK_DIGEST_LEN, value.data + LK_DIGEST_LEN);
}

/* The time of the first record from `*number` on and below `end` that can be read; false where there is none. */
static bool find_time(
	struct lk_txn *txn, struct lk_arena *scratch, uint64_t *number, uint64_t end, int64_t *ret_time_us)
{
	for (; *number < end && lk_txn_err(txn) == LK_OK; (*number)++) {
		lk_arena_reset(scratch);
		const Latchkey__Store__AuditRecord *record = lk_audit_find(txn, scratch, *number);
		if (record != NULL) {
			*ret_time_us = record->time_us;
			return true;
		}
	}
	return false;
}

/* A number whose record is at `time_us` or later, and whose neighbour before is not; one past the last where all are earlier. */
static uint64_t search(struct lk_txn *txn, struct lk_arena *scratch, int64_t time_us)
{
	uint64_t low = 1;
	uint64_t high = lk_txn_head(txn)->last_audit + 1;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		uint64_t at = middle;
		int64_t at_us = 0;
		if (!find_time(txn, scratch, &at, high, &at_us) || at_us >= time_us) {
			high = middle;
		} else {
			low = at + 1;
		}
	}
	return low;
}

void lk_audit_range(struct lk_txn *txn, int64_t start_us, int64_t end_us, uint64_t *ret_first, uint64_t *ret_last)
{
	struct lk_arena scratch = {0};
	uint64_t last = lk_txn_head(txn)->last_audit;

	*ret_first = 1;
	*ret_last = last;
	if (lk_arena_init(&scratch, SCRATCH_FIRST, SCRATCH_CAP) != LK_OK) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return;
	}
	if (start_us > INT64_MIN + LK_AUDIT_DISORDER_US) {
		*ret_first = search(txn, &scratch, start_us - LK_AUDIT_DISORDER_US);
	}
	if (end_us < INT64_MAX - LK_AUDIT_DISORDER_US) {
		*ret_last = search(txn, &scratch, end_us + LK_AUDIT_DISORDER_US) - 1;
	}
	lk_arena_done(&scratch);
}

/* Reads a slot out of an index by id; 0 where it is not there. */
static uint64_t slot_in(struct lk_txn *txn, enum lk_table table, const char *id)
{
	struct lk_key where = lk_key_id(id);
	struct lk_value value = {0};

	if (!lk_txn_get(txn, table, &where, &value)) {
		return 0;
	}
	if (value.len != sizeof(uint64_t)) {
		lk_txn_fail(txn, LK_CORRUPT);
		return 0;
	}
	return lk_read_u64(value.data);
}

uint64_t lk_audit_key_slot(struct lk_txn *txn, const char *id)
{
	uint64_t slot = slot_in(txn, LK_TABLE_KEY_BY_ID, id);

	return slot != 0 ? slot : slot_in(txn, LK_TABLE_KEY_GONE, id);
}

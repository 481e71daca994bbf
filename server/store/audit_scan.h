/*
 * Reading the audit chain: its records from the newest back, of one key or of all, and where in it an instant lies.
 *
 * A record that is missing or cannot be read is passed over here: proving the chain is what shows it (chain.h).
 */
#ifndef LK_SERVER_STORE_AUDIT_SCAN_H
#define LK_SERVER_STORE_AUDIT_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/arena.h"
#include "server/store/txn.h"

/*
 * How far the times of records may be out of the order of their numbers: a change is given its time when its request comes in,
 * and its number when it is its turn, at most a minute later. A clock that is set back by more than what is left of this puts
 * records out of reach of a search by time, and of that alone.
 */
#define LK_AUDIT_DISORDER_US INT64_C(120000000)

struct lk_audit_scan;

/*
 * Scans back from the record `last` on: those of the key in `slot`, by an index, or all for slot 0. NULL where an error sticks to
 * `txn`. Freed before its transaction ends.
 */
struct lk_audit_scan *lk_audit_scan_new(struct lk_txn *txn, uint64_t slot, uint64_t last);
void lk_audit_scan_free(struct lk_audit_scan *scan);
/* The number of the next record; false at the first, and where an error sticks. Takes NULL. */
bool lk_audit_scan_next(struct lk_audit_scan *scan, uint64_t *ret_number);

/* A record, in the arena; NULL where it is missing or does not unpack, and where an error sticks or the arena is exhausted. */
Latchkey__Store__AuditRecord *lk_audit_find(struct lk_txn *txn, struct lk_arena *arena, uint64_t number);

/*
 * Numbers between which every record of a time from `start_us` on and before `end_us` stands, as far as LK_AUDIT_DISORDER_US
 * goes: *ret_first <= number <= *ret_last; *ret_last is below *ret_first where there is none. Reads some tens of records.
 */
void lk_audit_range(struct lk_txn *txn, int64_t start_us, int64_t end_us, uint64_t *ret_first, uint64_t *ret_last);

/* The slot of the key of this id, also where it is gone; 0: there never was one. */
uint64_t lk_audit_key_slot(struct lk_txn *txn, const char *id);

#endif

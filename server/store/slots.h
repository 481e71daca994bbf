/*
 * Slots: what keys have consumed, one 64-byte line a key, in a file that every verifier maps.
 *
 * Verify touches a slot with atomics alone: no lock, no write transaction. The counts outlive a kill of the process exactly,
 * for they are the kernel's; they reach the disk at lk_slots_sync(). A slot's number is never used again, so a late touch of
 * a key that was deleted harms nobody. All zero is a fresh slot.
 */
#ifndef LK_SERVER_STORE_SLOTS_H
#define LK_SERVER_STORE_SLOTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/store/store.h"

#define LK_STORE_ID_LEN 16

/* Limits of its own are kept in a slot: the number of rate limits that a key, or an owner, may have. */
#define LK_SLOT_CLOCKS 4

struct lk_slots;

/* What a key, or an owner with limits, has consumed. Touched by any number of processes at once. */
struct lk_slot {
	_Atomic uint64_t usage_count;
	_Atomic int64_t last_used_us;
	/* Credits: what was spent, and in which epoch (core/credits.h). */
	_Atomic uint64_t spent;
	uint64_t reserved;
	/* Of each rate limit, the theoretical arrival time of GCRA, and of which generation it is (core/limit.h). */
	_Atomic uint64_t clocks[LK_SLOT_CLOCKS];
};

/* What a key has consumed, read at one moment. */
struct lk_usage {
	uint64_t count;
	/* 0: never, or what stands there is no time. */
	int64_t last_used_us;
};

/* What a key's, or an owner's, limits and credits have taken, read at one moment. */
struct lk_spending {
	uint64_t clocks[LK_SLOT_CLOCKS];
	uint64_t spent;
};

/*
 * Opens the slots of the store `store_id` in `dir`; makes them where `make` is set. `last_slot`: the newest slot that the store
 * names; a file that is too short for it is refused, since what it counted is lost. `max_slots`: how many are mapped.
 * On failure `ret_message` names the file. LK_FAILED_PRECONDITION, LK_CORRUPT, LK_FULL, LK_IO, LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_slots_open(int dir, bool make, const uint8_t store_id[static LK_STORE_ID_LEN],
	uint64_t last_slot, uint64_t max_slots, struct lk_slots **ret_slots,
	char ret_message[static LK_STORE_MESSAGE_LEN]);

/* The same for whoever verifies beside the daemon: see lk_lines_attach(). */
LK_MUST_CHECK enum lk_err lk_slots_attach(
	int dir, uint64_t max_slots, struct lk_slots **ret_slots, char ret_message[static LK_STORE_MESSAGE_LEN]);
/* lk_lines_check_owner() of them. */
LK_MUST_CHECK enum lk_err lk_slots_check_owner(const struct lk_slots *slots,
	const uint8_t store_id[static LK_STORE_ID_LEN], uint64_t last_slot,
	char ret_message[static LK_STORE_MESSAGE_LEN]);
/* lk_lines_are_live() of attached slots. */
bool lk_slots_are_live(const struct lk_slots *slots);
/* lk_lines_name_files() of the daemon's: data.mdb and lock.mdb. */
void lk_slots_name_files(struct lk_slots *slots, uint64_t data, uint64_t lock);

/* Syncs, unless they were attached, and unmaps. Takes NULL. */
void lk_slots_close(struct lk_slots *slots);

/*
 * Allocates the disk for all slots up to `last_slot`, in steps of 64 MiB, before a commit names them: a hole in the file would
 * be SIGBUS on a full disk. The writer's thread alone. LK_FULL: the disk, or max_slots; LK_IO.
 */
LK_MUST_CHECK enum lk_err lk_slots_reserve(struct lk_slots *slots, uint64_t last_slot);

/* Counts one use of the key in `slot` at `now_us`; nothing where there is no such slot. Any thread, never blocks. */
void lk_slots_use(struct lk_slots *slots, uint64_t slot, int64_t now_us);

/*
 * The slot itself, for charge.h; NULL where there is none. Any thread, never blocks. Good as long as `slots`, whose lines no
 * const protects: they are everybody's.
 */
struct lk_slot *lk_slots_at(const struct lk_slots *slots, uint64_t slot);

/* Fetches a slot's line into the cache, for who will touch it soon. Any thread, never blocks. */
void lk_slots_fetch(const struct lk_slots *slots, uint64_t slot);

/* Reads a slot; all zero where there is none. Any thread, never blocks. */
struct lk_usage lk_slots_usage(const struct lk_slots *slots, uint64_t slot);
struct lk_spending lk_slots_spending(const struct lk_slots *slots, uint64_t slot);

/* Writes the slots to the disk. Blocks. LK_IO. */
LK_MUST_CHECK enum lk_err lk_slots_sync(struct lk_slots *slots);

#endif

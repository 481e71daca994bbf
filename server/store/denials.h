/*
 * Denials: the last verdict about each key that was not VALID, and how many there were by code and keyspace. Two files beside
 * the slots, which every verifier maps, as they do the slots (lines.h): denials.mmap, a line of 32 bytes a slot, and
 * gates.mmap, two cache lines a keyspace.
 *
 * Noted without a lock: of two at the same moment one remains, and a line that is read half written fails its checksum and is
 * taken for none. They outlive a kill of the process, and reach the disk with the slots.
 */
#ifndef LK_SERVER_STORE_DENIALS_H
#define LK_SERVER_STORE_DENIALS_H

#include <stdbool.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "server/core/cidr.h"
#include "server/store/slots.h"
#include "server/store/store.h"

/* One more than the largest VerifyCode. */
#define LK_DENIAL_CODES 13

/* The most keyspaces that a store ever has, since their numbers are never used again: so many are mapped, 2 GiB of addresses. */
#define LK_DENIAL_KEYSPACES ((uint32_t)1 << 24)

struct lk_denials;

struct lk_denial {
	/* Latchkey__V1__VerifyCode; 0: none. */
	uint32_t code;
	int64_t time_us;
	struct lk_address address;
};

/*
 * Opens both files in `dir`, or makes them: where `make` is set whatever was there, and else where they are not there; what
 * they held is gone then, and that is all. A file that is none of this store's is refused. As lk_slots_open() in all else.
 */
LK_MUST_CHECK enum lk_err lk_denials_open(int dir, bool make, const uint8_t store_id[static LK_STORE_ID_LEN],
	uint64_t last_slot, uint64_t max_slots, uint32_t last_keyspace, struct lk_denials **ret_denials,
	char ret_message[static LK_STORE_MESSAGE_LEN]);

/* The same for whoever verifies beside the daemon: see lk_lines_attach(). */
LK_MUST_CHECK enum lk_err lk_denials_attach(
	int dir, uint64_t max_slots, struct lk_denials **ret_denials, char ret_message[static LK_STORE_MESSAGE_LEN]);
/* lk_lines_check_owner() of them. */
LK_MUST_CHECK enum lk_err lk_denials_check_owner(const struct lk_denials *denials,
	const uint8_t store_id[static LK_STORE_ID_LEN], uint64_t last_slot,
	char ret_message[static LK_STORE_MESSAGE_LEN]);

/* Syncs, unless they were attached, and unmaps. Takes NULL. */
void lk_denials_close(struct lk_denials *denials);

/* As lk_slots_reserve(): before a commit names the slot, or the keyspace. LK_FULL: also past LK_DENIAL_KEYSPACES. */
LK_MUST_CHECK enum lk_err lk_denials_reserve(struct lk_denials *denials, uint64_t last_slot, uint32_t last_keyspace);

/*
 * Notes a verdict that was not VALID. Slot 0: of no key; keyspace 0: of none. A code that is none, or VALID, is not noted.
 * Any thread, never blocks.
 */
void lk_denials_note(struct lk_denials *denials, uint64_t slot, uint32_t keyspace, const struct lk_denial *denial);

/* The last of a key; code 0 where there is none. Any thread, never blocks. */
struct lk_denial lk_denials_last(const struct lk_denials *denials, uint64_t slot);

/* How many of each code, by its number. Any thread, never blocks. */
void lk_denials_counts(
	const struct lk_denials *denials, uint32_t keyspace, uint64_t ret_counts[static LK_DENIAL_CODES]);

/* Writes both to the disk. Blocks. LK_IO. */
LK_MUST_CHECK enum lk_err lk_denials_sync(struct lk_denials *denials);

#endif

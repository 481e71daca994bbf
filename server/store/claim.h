/*
 * Claims: which data directories this process has open. LMDB's environment must be open once in a process: its locks are the
 * process's, and closing one would let go of those of the other.
 *
 * A forked child has claimed nothing: what it inherits is its parent's.
 */
#ifndef LK_SERVER_STORE_CLAIM_H
#define LK_SERVER_STORE_CLAIM_H

#include <sys/types.h>

#include <latchkey/error.h>

struct lk_claim;

/* Claims a directory that is held open, so that its inode is no other's meanwhile. LK_HELD, LK_NO_MEMORY. Any thread. */
LK_MUST_CHECK enum lk_err lk_claim_take(dev_t device, ino_t inode, struct lk_claim **ret_claim);
/* Lets go. Takes NULL. Any thread. */
void lk_claim_drop(struct lk_claim *claim);

#endif

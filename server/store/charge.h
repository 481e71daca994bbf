/*
 * Charging a use to the slots: rate limits of the key and of its owner, and the key's credits; all or nothing.
 *
 * Atomics alone: no lock, no LMDB. All are checked first; then each is moved by compare-and-swap, in the order given, the
 * credits last, and where a later one refuses after all, those before it are given back. The order is the caller's, and must
 * be the same for all that share limits: the key's by their clocks, then the owner's. Never more than a limit allows passes.
 * Of verdicts that race on the same limits at the same cost, exactly as many pass as there is room for: what one has taken
 * and gives back is there for the next, but for the moment that has run off meanwhile (core/limit.h).
 *
 * A slot that is not there cannot count: its limits and credits refuse, with nothing remaining.
 */
#ifndef LK_SERVER_STORE_CHARGE_H
#define LK_SERVER_STORE_CHARGE_H

#include "server/core/credits.h"
#include "server/core/limit.h"
#include "server/store/slots.h"

/* The limits of a key and those of its owner. */
#define LK_CHARGE_LIMITS (2 * LK_LIMITS_MAX)

struct lk_charge_limit {
	/* In: the limit, whose clock it goes by, and what it is charged, not 0. */
	struct lk_limit limit;
	uint64_t slot;
	uint64_t cost;
	/* Out: where it stands, and whether it refuses. */
	struct lk_limit_standing standing;
	bool refuses;
};

struct lk_charge {
	struct lk_charge_limit limits[LK_CHARGE_LIMITS];
	size_t n_limits;
	/* The key's credits, where it has any; what they are charged, not 0; and the key's slot. */
	bool has_credits;
	struct lk_credits credits;
	uint64_t cost;
	uint64_t slot;
	/* Out. */
	uint64_t credits_remaining;
	bool credits_refuse;
	/* Of credits that are MOVED: the slot's word, which is not 0 then; else untouched. */
	uint64_t credits_ahead;
	/* For lk_charge() alone: from where each clock was moved, and to where. */
	uint64_t before[LK_CHARGE_LIMITS];
	uint64_t charged[LK_CHARGE_LIMITS];
};

enum lk_charge_result {
	LK_CHARGE_PASSES,
	LK_CHARGE_LIMITED,
	LK_CHARGE_EXHAUSTED,
	/*
	 * A slot is ahead of what the snapshot says: look the key up anew, on a newer one, and by the machine's clock as it
	 * is then. Nothing was charged, and nothing is said of where the limits stand. Of credits, the clock may have been
	 * set back across a refill: on the newer snapshot, let them catch up with what was ahead (core/credits.h). Where it
	 * stays so all the same, the slots are newer than their store: ask a few times, then refuse.
	 */
	LK_CHARGE_MOVED,
};

/*
 * Charges all that `charge` names at `now_us`, or nothing. Any thread, never blocks. Of what refuses, the limits come first:
 * LIMITED where any does. Where nothing was charged, each `standing` says how it is without.
 */
enum lk_charge_result lk_charge(struct lk_slots *slots, struct lk_charge *charge, int64_t now_us);

/* Says what lk_charge() would answer, with every limit and the credits looked at, and charges nothing. */
enum lk_charge_result lk_charge_look(const struct lk_slots *slots, struct lk_charge *charge, int64_t now_us);

#endif

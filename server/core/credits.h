/*
 * Credits: what a key may spend, and what it has spent. Pure: the clock and the slot's word are parameters.
 *
 * The record says what can be spent: `balance` from `since_us` on, in `epoch`, and what is added later. The slot's word says
 * what was spent: the epoch in its upper 16 bits, the sum in the lower 48. A word of an older epoch counts as nothing spent;
 * one of a newer epoch means that the record is from a snapshot that is out of date. 0 with epoch 0 is a slot that never
 * spent.
 *
 * A refill that replaces begins a new epoch at each of its instants, so that what was spent before is forgotten without a
 * write; one that adds stays in its epoch, and what can be spent grows. What would be left beyond LK_CREDITS_MAX lapses: the
 * next use counts it as spent. Epochs wrap around: of two, that is newer which is less than half of all ahead. A new balance
 * that is set takes a new epoch only where something was spent in the present one, so they never run far ahead of a slot that
 * is not used.
 *
 * Days and months are UTC's. An instant before since_us, for the machine's clock was set back, counts as since_us. A clock
 * that is set back across a refill that replaces, after a use, leaves a word that is newer than the record until the refill
 * comes again; lk_credits_catch_up() goes on from the word, and so does lk_credits_adjust().
 */
#ifndef LK_SERVER_CORE_CREDITS_H
#define LK_SERVER_CORE_CREDITS_H

#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/limit.pb-c.h"
#include "server/core/faults.h"

#define LK_CREDITS_MAX        1000000000000
#define LK_CREDITS_REFILL_MAX 10000000000
/* The most that a slot's word counts. */
#define LK_CREDITS_SPENT_MAX ((UINT64_C(1) << 48) - 1)

/* Credits as verdict records hold them: laid out as they lie in memory, without padding. */
struct lk_credits {
	uint64_t balance;
	int64_t since_us;
	uint64_t refill_amount;
	uint16_t epoch;
	/* Latchkey__Store__RefillInterval, Latchkey__Store__RefillMode */
	uint8_t interval;
	uint8_t mode;
	uint8_t reserved[4];
};

enum lk_credits_answer {
	LK_CREDITS_PASS,
	LK_CREDITS_REFUSE,
	/* The word is of a newer epoch. */
	LK_CREDITS_MOVED,
};

/*
 * Whether `cost` can be spent at `now_us` by a slot whose word is `spent`, and the word then; untouched unless it passes.
 * A cost of 0 asks what is left. `ret_remaining`: of a cost that passes, after it; else as it is; of a word that moved,
 * untouched.
 */
enum lk_credits_answer lk_credits_take(const struct lk_credits *credits, uint64_t spent, uint64_t cost, int64_t now_us,
	uint64_t *ret_spent, uint64_t *ret_remaining);

/*
 * Goes on in the epoch of a word that is newer than a record which was read after it: the clock was set back across a refill that
 * replaces, which has come, then, and does not come again. Untouched where the word is not newer, or nothing is replaced.
 */
void lk_credits_catch_up(struct lk_credits *credits, uint64_t spent, int64_t now_us);

/* When the next refill after `now_us` comes; 0: none does. */
int64_t lk_credits_next_refill(const struct lk_credits *credits, int64_t now_us);

/*
 * Checks credits that are given, every fault under `field` ("credits"), and makes them a record that counts from `now_us` on,
 * in the arena of `faults`. `before` (NULL: none) and the slot's word decide about its epoch. NULL where `given` is, and
 * where the arena is exhausted.
 */
Latchkey__Store__CreditsRecord *lk_credits_check(struct lk_faults *faults, const char *field,
	const Latchkey__V1__Credits *given, const Latchkey__Store__CreditsRecord *before, uint64_t spent,
	int64_t now_us);

/* What AdjustCredits does. */
enum lk_credits_adjustment {
	LK_CREDITS_SET,
	LK_CREDITS_ADD,
	LK_CREDITS_TAKE,
};

/*
 * Changes a record to what it is after the adjustment at `now_us`, by a slot whose word is `spent`: a balance over
 * LK_CREDITS_MAX ends there, one below 0 at 0. Its refill goes on by its calendar; one that comes within a minute of
 * `now_us`, and was spent of already, has come: the word is read later than the clock. What is spent between the reading of
 * the word and the commit counts against what ADD and TAKE leave, which stay in their epoch: the record's balance still holds
 * what was spent. SET begins a new epoch, as lk_credits_check() does, and the balance is then exactly what was set. An ADD of
 * which the word could no longer count all does so too.
 */
void lk_credits_adjust(Latchkey__Store__CreditsRecord *record, enum lk_credits_adjustment adjustment, uint64_t amount,
	uint64_t spent, int64_t now_us);

/* As a verdict record holds it. */
struct lk_credits lk_credits_of_record(const Latchkey__Store__CreditsRecord *record);

/*
 * The record as the API shows it at `now_us`, by a slot whose word is `spent`; NULL where `record` is, and where the arena is
 * exhausted.
 */
Latchkey__V1__Credits *lk_credits_to_api(
	struct lk_arena *arena, const Latchkey__Store__CreditsRecord *record, uint64_t spent, int64_t now_us);

#endif

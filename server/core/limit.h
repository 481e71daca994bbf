/*
 * Rate limits: the generic cell rate algorithm (GCRA; ITU-T I.371, Annex A: virtual scheduling) on one clock of a slot. Pure: the
 * clock's value is a parameter, and whoever calls keeps it with a compare-and-swap (server/store/charge.h).
 *
 * A clock is the theoretical arrival time, in nanoseconds since 1970 with the lowest 4 bits cut off; those hold the
 * generation of the limit that it is of. A clock that an earlier limit left behind (another generation, older) counts as one
 * that never ran; one of a newer generation means that the limit is known from a snapshot that is out of date. 0 is a clock
 * that never ran. A clock that is further ahead than the limit's window, for the machine's clock was set back or the limit
 * was made smaller, is taken for one at the window's end. That alone would refuse until the machine's clock has caught up:
 * whoever is refused settles it.
 *
 * A unit takes `step_ns`: the period over the limit, rounded up to a multiple of 16 ns; so never more passes than the limit
 * says. The instant is cut to a multiple of 16 ns likewise, so that all is exact on that grid.
 */
#ifndef LK_SERVER_CORE_LIMIT_H
#define LK_SERVER_CORE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/limit.pb-c.h"
#include "server/core/faults.h"

#define LK_LIMITS_MAX            4
#define LK_LIMIT_NAME_MAX        32
#define LK_LIMIT_MAX             1000000000
#define LK_LIMIT_GENERATIONS     16
#define LK_LIMIT_PERIOD_MAX_DAYS 366
/*
 * How far beyond the window's end a clock may be before it is settled: verifiers that race have read the machine's clock
 * earlier.
 */
#define LK_LIMIT_SLACK_NS INT64_C(60000000000)

/* A limit as verdict records hold it: laid out as it lies in memory, without padding. */
struct lk_limit {
	uint64_t limit;
	uint64_t burst;
	int64_t step_ns;
	/* Which of the slot's clocks, and of which generation. */
	uint8_t clock;
	uint8_t generation;
	uint8_t reserved[6];
	/* Without a NUL where it has 32 characters. */
	char name[LK_LIMIT_NAME_MAX];
};

/* Where a limit stands. */
struct lk_limit_standing {
	/* What would pass now. */
	uint64_t remaining;
	/* How long until all of the burst is there; 0: it is. */
	int64_t reset_ns;
	/* Of a cost that does not pass: how long until it would; -1: never, it is over the burst. */
	int64_t retry_ns;
};

enum lk_limit_answer {
	LK_LIMIT_PASSES,
	LK_LIMIT_REFUSES,
	/* The clock is of a newer limit. */
	LK_LIMIT_MOVED,
};

/*
 * Whether `cost` passes at `now_ns` by a clock that stands at `clock`, and where the clock stands then; untouched unless it
 * passes. A cost of 0 asks where the limit stands. `clock` newer than the limit is one whose generation is 1 to 8 ahead, of
 * 16. `ret_standing`: of a cost that passes, after it; else as it is; of a clock that moved, untouched. A limit that no check
 * would let pass, from a damaged record, refuses every cost.
 */
enum lk_limit_answer lk_limit_take(const struct lk_limit *limit, uint64_t clock, uint64_t cost, int64_t now_ns,
	uint64_t *ret_clock, struct lk_limit_standing *ret_standing);

/*
 * The clock put back to the window's end, where it is more than LK_LIMIT_SLACK_NS beyond it; then it refuses no longer than a
 * window. False where it is not, or is of another generation.
 */
bool lk_limit_settle(const struct lk_limit *limit, uint64_t clock, int64_t now_ns, uint64_t *ret_clock);

/*
 * The clock with a charge of `cost` given back that was made `elapsed_ns` ago. What has run off since is not given back:
 * another's use may have begun at what the charge had left of the bucket, so that all of it would be too much. False where
 * there is nothing to give back: all has run off, or the clock is of another generation.
 */
bool lk_limit_give_back(
	const struct lk_limit *limit, uint64_t clock, uint64_t cost, int64_t elapsed_ns, uint64_t *ret_clock);

/* Whether `name` can be a limit's: 1 to LK_LIMIT_NAME_MAX of a-z, 0-9, '_' and '-'. */
bool lk_limit_is_name(const char *name);

/*
 * Checks a list of limits, every fault under "`field`[0].limit" and the like, and writes `count` records with defaults made
 * explicit to `ret_records`, in the arena of `faults`; clocks are left 0. Faults: more than LK_LIMITS_MAX; a name that is
 * none or is given twice; a limit, period or burst out of its bounds (latchkey.v1.RateLimit). False where the arena is
 * exhausted.
 */
bool lk_limit_check_list(struct lk_faults *faults, const char *field, Latchkey__V1__RateLimit *const *list,
	size_t count, Latchkey__Store__RateLimitRecord ***ret_records);

/*
 * Assigns clocks to `count` checked limits that take the place of `before` (none: NULL and 0). One that keeps its name keeps
 * its clock and generation. A new one gets a clock that no other has, and a new generation of it where the slot's clock was
 * ever touched in the present one (`clocks`, LK_LIMITS_MAX of them as they stand; NULL: never); so a clock that is not used
 * is never more than one behind. A clock that is ahead of what is known, which slots that are newer than their store have, is
 * caught up with. `generations` is KeyRecord.clock_generations, in and out.
 */
void lk_limit_assign_clocks(Latchkey__Store__RateLimitRecord **limits, size_t count,
	Latchkey__Store__RateLimitRecord *const *before, size_t before_count, const uint64_t *clocks,
	uint32_t *generations);

/* As a verdict record holds it. */
struct lk_limit lk_limit_of_record(const Latchkey__Store__RateLimitRecord *record);

/* The records as the API shows them, in the arena; NULL where that is exhausted, or there are none. */
Latchkey__V1__RateLimit **lk_limit_to_api(
	struct lk_arena *arena, Latchkey__Store__RateLimitRecord *const *records, size_t count);

#endif

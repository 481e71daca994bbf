/*
 * A hammer: verifiers that ask about canaries as fast as they can, and keep book of what they were told.
 *
 * Half of what each asks is about the canary that is being revoked, the other half about those that were before it: so one
 * that turned valid again is found too. One thread makes, waits and ends it; what goes wrong is said on standard error.
 */
#ifndef LK_CLI_HAMMER_H
#define LK_CLI_HAMMER_H

#include <stddef.h>
#include <stdint.h>

#include "tools/latchkey/asker.h"
#include "tools/latchkey/canary.h"

struct lk_hammer;

/* What a verifier was told. */
struct lk_hammer_tally {
	const char *name;
	uint64_t verdicts;
	/* Calls that were not answered, for want of a connection, time or room; others were made in their place. */
	uint64_t unanswered;
	/* VALID verdicts of calls that began after the acknowledgement. */
	uint64_t stale;
	/* How long after it the last of them began, in nanoseconds; 0: there was none. */
	int64_t window_ns;
};

/*
 * Starts verifiers of `n_kinds` kinds (1 to LK_VERIFIERS_MAX) on canaries that were all made; all is borrowed until
 * lk_hammer_free(). They begin with the first canary.
 */
enum lk_exit lk_hammer_start(const struct lk_asker_kind *const *kinds, size_t n_kinds,
	const struct lk_asker_options *options, struct lk_canaries *canaries, struct lk_hammer **ret);

/*
 * Turns to a canary that nobody has revoked, and waits until every verifier was told that it is VALID. LK_EXIT_UNREACHABLE: not
 * in the canaries' time-out. LK_EXIT_REFUSED: another verdict. Or the daemon refused to give one. Returns early where
 * lk_stop_is_wanted().
 */
enum lk_exit lk_hammer_await_known(struct lk_hammer *hammer, size_t index);

/* Waits until every verifier has asked about the canary in a call that began after its revocation was acknowledged. As above. */
enum lk_exit lk_hammer_await_asked(struct lk_hammer *hammer, size_t index);

/*
 * Waits until every verifier has asked about every canary once more, and so on until none of them says VALID; but no longer
 * than the time-out, when each has asked once. As above.
 */
enum lk_exit lk_hammer_sweep(struct lk_hammer *hammer);

/* Ends the verifiers. */
void lk_hammer_stop(struct lk_hammer *hammer);

/* What the `i`th kind was told; for good once they are stopped. False: there is none. */
bool lk_hammer_tally(const struct lk_hammer *hammer, size_t i, struct lk_hammer_tally *ret);

/* Stops, wipes and frees. Takes NULL. */
void lk_hammer_free(struct lk_hammer *hammer);

#endif

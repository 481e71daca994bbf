/*
 * The judge: what Verify decides, without the message that asked and the one that answers. The same gates, in the same order, for
 * every way in which a token comes to be verified.
 *
 * Knows no request, and allocates nothing. It reads one snapshot; what an answer points at lies in LMDB's map, and is good as
 * long as that snapshot, which the judge itself may renew. One thread at a time for each snapshot, any number of them beside
 * one another.
 */
#ifndef LK_SERVER_SERVICE_JUDGE_H
#define LK_SERVER_SERVICE_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "latchkey/store/record.pb-c.h"
#include "latchkey/v1/key.pb-c.h"
#include "server/core/cidr.h"
#include "server/core/expression.h"
#include "server/core/verdict.h"
#include "server/store/charge.h"
#include "server/store/rules.h"
#include "server/store/verdict_record.h"

struct lk_denials;
struct lk_keyring;

#define LK_RATE_CHARGES_MAX 8
/* The most that a use may cost. */
#define LK_COST_MAX LK_CREDITS_MAX

/* What the judge works with; all of one store. */
struct lk_court {
	/* A snapshot that is begun. */
	struct lk_txn *txn;
	const struct lk_keyring *keyring;
	struct lk_slots *slots;
	/* NULL: denials are not noted. */
	struct lk_denials *denials;
};

/* What a use costs of the rate limits of this name. */
struct lk_rate_charge {
	const char *name;
	/* Not 0. */
	uint64_t cost;
};

/* What is asked. All is borrowed, and checked already. */
struct lk_question {
	const char *token;
	size_t token_len;
	/* NULL: any that the caller is granted. */
	const char *tenant;
	/* "": any. One that is named is granted to the caller. */
	const char *keyspace;
	/* NULL: nothing has to be permitted. */
	const struct lk_expression *expression;
	/* Where the token was used from; NONE: nobody said. */
	struct lk_address address;
	/* Of the key's credits; not 0. */
	uint64_t cost;
	/* At most LK_RATE_CHARGES_MAX, each of another name. None: every limit, 1 each. */
	const struct lk_rate_charge *charges;
	size_t n_charges;
	/* Decide as for a use, but take nothing and note nothing. */
	bool dry_run;
	/* As above, and look behind the first gate that refuses. */
	bool explain;
	/* Who asks: what it is granted, and who it is to the keys. */
	const Latchkey__Store__GrantRecord *grant;
	const char *subject;
	/* CLOCK_REALTIME, read when the question came. */
	int64_t now_us;
	/* The longest identity that the answer has room for; 0: any. */
	size_t identity_max;
};

/* What a token was found to be before it is judged; good as long as the snapshot. */
struct lk_lookup {
	bool found;
	struct lk_verdict verdict;
};

/* What came of it. Where `found` is not set, `code`, `now_us` and `renewed` alone mean anything. */
struct lk_answer {
	Latchkey__V1__VerifyCode code;
	/* When it was judged: the question's instant, or a later one where the key was being changed. */
	int64_t now_us;
	/* It was being changed: the snapshot is another one now. */
	bool renewed;
	/* There is such a key within the caller's reach. */
	bool found;
	struct lk_verdict verdict;
	struct lk_gate gate;
	struct lk_rules rules;
	/* Of a key that got as far as that, and of every key where that is to be explained: */
	struct lk_verdict_facts facts;
	/* The limits and credits were charged, or looked at. */
	bool weighed;
	struct lk_charge charge;
	/* Behind so many of charge.limits, which are the key's own, come those of its owner. */
	size_t n_own_limits;
};

/*
 * Judges a token: looks it up, asks each gate, charges what its use costs, counts the use or notes the denial. Does not block.
 * LK_UNAVAILABLE: the key was being changed all the while, and nothing was charged: whoever asks again gets an answer.
 * LK_RESOURCE_EXHAUSTED: its identity is longer than identity_max, and nothing was charged, counted or noted. Else what sticks to
 * the transaction, or came of renewing it; then nothing was charged either. `renewed` is set in any case.
 */
LK_MUST_CHECK enum lk_err lk_judge(
	const struct lk_court *court, const struct lk_question *question, struct lk_answer *ret_answer);

/*
 * The same in two steps, for who judges many: first several are looked up, and the memory that judging them will touch comes
 * meanwhile. Nothing is found where an error sticks; `lookup` is then worth nothing, nor are those before it that are not
 * judged yet, nor any once an answer says `renewed`. A NULL `lookup` makes it lk_judge().
 */
void lk_judge_look_up(const struct lk_court *court, const char *token, size_t token_len, struct lk_lookup *ret_lookup);
LK_MUST_CHECK enum lk_err lk_judge_looked_up(const struct lk_court *court, const struct lk_question *question,
	const struct lk_lookup *lookup, struct lk_answer *ret_answer);

/* The addresses of the key's keyspace; false where it has no list, and where an error sticks. */
bool lk_judge_keyspace_cidrs(struct lk_txn *txn, const struct lk_answer *answer, struct lk_rules *ret_cidrs);

/* The owner of the key, in its identity; of length 0: it has none. */
const char *lk_judge_owner(const struct lk_answer *answer, size_t *ret_len);

#endif

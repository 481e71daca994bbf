#include "server/service/judge_charge.h"

#include <string.h>

/* What the limit is charged; 0: nothing, for another is meant. */
static uint64_t cost_of(const struct lk_question *question, const struct lk_limit *limit)
{
	if (question->n_charges == 0) {
		return 1;
	}
	for (size_t i = 0; i < question->n_charges; i++) {
		/* A name of 32 characters has no NUL behind. */
		if (strncmp(question->charges[i].name, limit->name, sizeof limit->name) == 0) {
			return question->charges[i].cost;
		}
	}
	return 0;
}

/*
 * Adds the limits of one slot that are meant, in the order of their clocks, whatever order they were given in: verdicts that
 * race on the same clocks take them in the same order.
 */
static void add_limits(
	const struct lk_question *question, const struct lk_rules *rules, uint64_t slot, struct lk_charge *charge)
{
	size_t first = charge->n_limits;

	for (size_t i = 0; i < rules->n_limits; i++) {
		struct lk_limit limit = lk_rules_limit(rules, i);
		uint64_t cost = cost_of(question, &limit);
		if (cost == 0) {
			continue;
		}
		size_t at = charge->n_limits++;
		for (; at > first && charge->limits[at - 1].limit.clock > limit.clock; at--) {
			charge->limits[at] = charge->limits[at - 1];
		}
		charge->limits[at] = (struct lk_charge_limit){.limit = limit, .slot = slot, .cost = cost};
	}
}

static void add_owner_limits(const struct lk_court *court, const struct lk_question *question, struct lk_answer *answer)
{
	struct lk_owner_limits limits;
	size_t owner_len = 0;

	/* Most stores have no such owner, and then nobody looks for one. */
	if (lk_txn_head(court->txn)->owners == 0) {
		return;
	}
	const char *owner = lk_judge_owner(answer, &owner_len);
	if (owner_len > 0 && lk_owner_limits_find(court->txn, answer->gate.tenant, owner, owner_len, &limits)) {
		add_limits(question, &limits.rules, limits.slot, &answer->charge);
	}
}

/* The credits of the key. The snapshot is newer than a word of the same slot that was found ahead of an earlier one. */
static void add_credits(const struct lk_question *question, const struct lk_answer *answer, struct lk_charge *charge)
{
	uint64_t slot = answer->verdict.head.slot;

	charge->credits = lk_rules_credits(&answer->rules);
	if (charge->credits_ahead != 0 && charge->slot == slot) {
		lk_credits_catch_up(&charge->credits, charge->credits_ahead, answer->now_us);
	}
	charge->cost = question->cost;
	charge->slot = slot;
	charge->credits_remaining = 0;
	charge->credits_refuse = false;
}

Latchkey__V1__VerifyCode lk_judge_weigh(
	const struct lk_court *court, const struct lk_question *question, bool looks, struct lk_answer *answer)
{
	static const Latchkey__V1__VerifyCode codes[] = {
		[LK_CHARGE_PASSES] = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID,
		[LK_CHARGE_LIMITED] = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_RATE_LIMITED,
		[LK_CHARGE_EXHAUSTED] = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_CREDITS_EXHAUSTED,
		[LK_CHARGE_MOVED] = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED,
	};
	struct lk_charge *charge = &answer->charge;

	charge->n_limits = 0;
	charge->has_credits = answer->rules.has_credits;
	add_limits(question, &answer->rules, answer->verdict.head.slot, charge);
	answer->n_own_limits = charge->n_limits;
	add_owner_limits(court, question, answer);
	if (lk_txn_err(court->txn) != LK_OK) {
		return LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED;
	}
	answer->weighed = true;
	if (charge->n_limits == 0 && !charge->has_credits) {
		return LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	}
	if (charge->has_credits) {
		add_credits(question, answer, charge);
	}
	return codes[looks ? lk_charge_look(court->slots, charge, answer->now_us)
			   : lk_charge(court->slots, charge, answer->now_us)];
}

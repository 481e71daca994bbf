#include "server/store/charge.h"

#include <time.h>

#include "server/core/time.h"

#define NS_PER_SECOND INT64_C(1000000000)

static int64_t ns_of(int64_t us)
{
	if (us <= 0) {
		return 0;
	}
	return us < INT64_MAX / LK_NS_PER_US ? us * LK_NS_PER_US : INT64_MAX;
}

/* Runs evenly, whoever sets the clock. */
static int64_t ticks(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_SECOND + now.tv_nsec;
}

_Static_assert(LK_SLOT_CLOCKS == LK_LIMITS_MAX, "a clock for each limit");

/* NULL: the slot is not there. */
static _Atomic uint64_t *clock_of(const struct lk_slots *slots, const struct lk_charge_limit *limit)
{
	struct lk_slot *line = lk_slots_at(slots, limit->slot);

	return line == NULL ? NULL : &line->clocks[limit->limit.clock % LK_SLOT_CLOCKS];
}

static _Atomic uint64_t *word_of(const struct lk_slots *slots, const struct lk_charge *charge)
{
	struct lk_slot *line = lk_slots_at(slots, charge->slot);

	return line == NULL ? NULL : &line->spent;
}

static uint64_t read_word(_Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

/* Where it does not stand at `expected` any more, that says where it does. A weak one may also fail for nothing. */
static bool move_word(_Atomic uint64_t *word, uint64_t *expected, uint64_t desired)
{
	return atomic_compare_exchange_weak_explicit(
		word, expected, desired, memory_order_relaxed, memory_order_relaxed);
}

/* Of a slot that is not there. */
static enum lk_limit_answer no_clock(struct lk_charge_limit *limit)
{
	limit->standing = (struct lk_limit_standing){.retry_ns = -1};
	return LK_LIMIT_REFUSES;
}

static enum lk_credits_answer no_word(struct lk_charge *charge)
{
	charge->credits_remaining = 0;
	return LK_CREDITS_REFUSE;
}

static enum lk_limit_answer look_at_limit(
	const struct lk_slots *slots, struct lk_charge_limit *limit, uint64_t cost, int64_t now_ns)
{
	_Atomic uint64_t *clock = clock_of(slots, limit);
	uint64_t ignored = 0;

	if (clock == NULL) {
		return no_clock(limit);
	}
	return lk_limit_take(&limit->limit, read_word(clock), cost, now_ns, &ignored, &limit->standing);
}

static enum lk_credits_answer look_at_credits(
	const struct lk_slots *slots, struct lk_charge *charge, uint64_t cost, int64_t now_us)
{
	_Atomic uint64_t *word = word_of(slots, charge);
	uint64_t ignored = 0;

	if (word == NULL) {
		return no_word(charge);
	}
	uint64_t before = read_word(word);
	enum lk_credits_answer answer = lk_credits_take(
		&charge->credits, before, cost, now_us, &ignored, &charge->credits_remaining);
	charge->credits_ahead = answer == LK_CREDITS_MOVED ? before : charge->credits_ahead;
	return answer;
}

/* What the limits and credits that refuse make of it. */
static enum lk_charge_result result_of(const struct lk_charge *charge)
{
	for (size_t i = 0; i < charge->n_limits; i++) {
		if (charge->limits[i].refuses) {
			return LK_CHARGE_LIMITED;
		}
	}
	return charge->has_credits && charge->credits_refuse ? LK_CHARGE_EXHAUSTED : LK_CHARGE_PASSES;
}

/* Nothing is charged: what would have passed is shown without its cost. */
static enum lk_charge_result refuse(
	const struct lk_slots *slots, struct lk_charge *charge, enum lk_charge_result result, int64_t now_us)
{
	for (size_t i = 0; i < charge->n_limits; i++) {
		if (!charge->limits[i].refuses &&
			look_at_limit(slots, &charge->limits[i], 0, ns_of(now_us)) == LK_LIMIT_MOVED) {
			return LK_CHARGE_MOVED;
		}
	}
	if (charge->has_credits && !charge->credits_refuse &&
		look_at_credits(slots, charge, 0, now_us) == LK_CREDITS_MOVED) {
		return LK_CHARGE_MOVED;
	}
	return result;
}

enum lk_charge_result lk_charge_look(const struct lk_slots *slots, struct lk_charge *charge, int64_t now_us)
{
	for (size_t i = 0; i < charge->n_limits; i++) {
		struct lk_charge_limit *limit = &charge->limits[i];
		enum lk_limit_answer answer = look_at_limit(slots, limit, limit->cost, ns_of(now_us));
		if (answer == LK_LIMIT_MOVED) {
			return LK_CHARGE_MOVED;
		}
		limit->refuses = answer == LK_LIMIT_REFUSES;
	}
	if (charge->has_credits) {
		enum lk_credits_answer answer = look_at_credits(slots, charge, charge->cost, now_us);
		if (answer == LK_CREDITS_MOVED) {
			return LK_CHARGE_MOVED;
		}
		charge->credits_refuse = answer == LK_CREDITS_REFUSE;
	}
	enum lk_charge_result result = result_of(charge);
	return result == LK_CHARGE_PASSES ? result : refuse(slots, charge, result, now_us);
}

/* Charges one limit; notes from where its clock was moved, and to where. */
static enum lk_limit_answer charge_limit(
	const struct lk_slots *slots, struct lk_charge *charge, size_t i, int64_t now_ns)
{
	struct lk_charge_limit *limit = &charge->limits[i];
	_Atomic uint64_t *clock = clock_of(slots, limit);

	if (clock == NULL) {
		return no_clock(limit);
	}
	charge->before[i] = read_word(clock);
	for (;;) {
		enum lk_limit_answer answer = lk_limit_take(
			&limit->limit, charge->before[i], limit->cost, now_ns, &charge->charged[i], &limit->standing);
		if (answer != LK_LIMIT_PASSES || move_word(clock, &charge->before[i], charge->charged[i])) {
			return answer;
		}
	}
}

static enum lk_credits_answer charge_credits(const struct lk_slots *slots, struct lk_charge *charge, int64_t now_us)
{
	_Atomic uint64_t *word = word_of(slots, charge);
	uint64_t spent = 0;

	if (word == NULL) {
		return no_word(charge);
	}
	uint64_t before = read_word(word);
	for (;;) {
		enum lk_credits_answer answer = lk_credits_take(
			&charge->credits, before, charge->cost, now_us, &spent, &charge->credits_remaining);
		charge->credits_ahead = answer == LK_CREDITS_MOVED ? before : charge->credits_ahead;
		if (answer != LK_CREDITS_PASS || move_word(word, &before, spent)) {
			return answer;
		}
	}
}

/* Gives the first `count` limits back, the last first. One that nobody has touched since is put back to where it stood. */
static void give_back(const struct lk_slots *slots, struct lk_charge *charge, size_t count, int64_t began)
{
	while (count-- > 0) {
		struct lk_charge_limit *limit = &charge->limits[count];
		_Atomic uint64_t *clock = clock_of(slots, limit);
		uint64_t word = charge->charged[count];
		uint64_t back = charge->before[count];
		while (!move_word(clock, &word, back)) {
			if (word == charge->charged[count]) {
				back = charge->before[count];
			} else if (!lk_limit_give_back(&limit->limit, word, limit->cost, ticks() - began, &back)) {
				break;
			}
		}
	}
}

/* A clock that is far beyond its window refuses until the machine's has caught up, unless it is put back. */
static void settle(struct lk_slots *slots, const struct lk_charge *charge, int64_t now_ns)
{
	for (size_t i = 0; i < charge->n_limits; i++) {
		const struct lk_charge_limit *limit = &charge->limits[i];
		_Atomic uint64_t *clock = limit->refuses ? clock_of(slots, limit) : NULL;
		uint64_t word = clock == NULL ? 0 : read_word(clock);
		uint64_t settled = 0;
		/* Where another was faster, the clock stands well, or the next settles it. */
		if (clock != NULL && lk_limit_settle(&limit->limit, word, now_ns, &settled)) {
			(void)move_word(clock, &word, settled);
		}
	}
}

/* Moves all; what refuses says so. `ret_count`: how many limits were charged. */
static enum lk_charge_result charge_all(
	const struct lk_slots *slots, struct lk_charge *charge, int64_t now_us, size_t *ret_count)
{
	for (*ret_count = 0; *ret_count < charge->n_limits; ++*ret_count) {
		enum lk_limit_answer answer = charge_limit(slots, charge, *ret_count, ns_of(now_us));
		charge->limits[*ret_count].refuses = answer == LK_LIMIT_REFUSES;
		if (answer != LK_LIMIT_PASSES) {
			return answer == LK_LIMIT_MOVED ? LK_CHARGE_MOVED : LK_CHARGE_LIMITED;
		}
	}
	if (charge->has_credits) {
		enum lk_credits_answer answer = charge_credits(slots, charge, now_us);
		charge->credits_refuse = answer == LK_CREDITS_REFUSE;
		if (answer != LK_CREDITS_PASS) {
			return answer == LK_CREDITS_MOVED ? LK_CHARGE_MOVED : LK_CHARGE_EXHAUSTED;
		}
	}
	return LK_CHARGE_PASSES;
}

/* Where there are several, all are looked at before one is touched. */
static enum lk_charge_result charge_several(struct lk_slots *slots, struct lk_charge *charge, int64_t now_us)
{
	enum lk_charge_result result = lk_charge_look(slots, charge, now_us);
	size_t count = 0;

	if (result != LK_CHARGE_PASSES) {
		return result;
	}
	int64_t began = ticks();
	result = charge_all(slots, charge, now_us, &count);
	if (result == LK_CHARGE_PASSES) {
		return result;
	}
	give_back(slots, charge, count, began);
	return result == LK_CHARGE_MOVED ? result : refuse(slots, charge, result, now_us);
}

enum lk_charge_result lk_charge(struct lk_slots *slots, struct lk_charge *charge, int64_t now_us)
{
	bool is_one = charge->n_limits + (charge->has_credits ? 1 : 0) <= 1;
	size_t count = 0;

	enum lk_charge_result result = is_one ? charge_all(slots, charge, now_us, &count)
					      : charge_several(slots, charge, now_us);
	if (result == LK_CHARGE_LIMITED) {
		settle(slots, charge, ns_of(now_us));
	}
	return result;
}

#include "server/core/credits.h"

#include "server/core/time.h"

#define EPOCH_SHIFT 48
/* A request waits for its turn at most so long, and goes by the clock as it was when it came. */
#define WAIT_MAX_US (60 * LK_US_PER_SECOND)
#define DAY         LATCHKEY__STORE__REFILL_INTERVAL__REFILL_INTERVAL_DAY
#define MONTH       LATCHKEY__STORE__REFILL_INTERVAL__REFILL_INTERVAL_MONTH
#define REPLACE     LATCHKEY__STORE__REFILL_MODE__REFILL_MODE_REPLACE
#define ADD         LATCHKEY__STORE__REFILL_MODE__REFILL_MODE_ADD

_Static_assert(LATCHKEY__V1__CREDIT_INTERVAL__CREDIT_INTERVAL_DAY == (int)DAY, "one numbering");
_Static_assert(LATCHKEY__V1__CREDIT_INTERVAL__CREDIT_INTERVAL_MONTH == (int)MONTH, "one numbering");
_Static_assert(LATCHKEY__V1__CREDIT_REFILL_MODE__CREDIT_REFILL_MODE_REPLACE == (int)REPLACE, "one numbering");
_Static_assert(LATCHKEY__V1__CREDIT_REFILL_MODE__CREDIT_REFILL_MODE_ADD == (int)ADD, "one numbering");

static uint16_t epoch_of(uint64_t word)
{
	return (uint16_t)(word >> EPOCH_SHIFT);
}

static uint64_t sum_of(uint64_t word)
{
	return word & LK_CREDITS_SPENT_MAX;
}

/* Less than half of all ahead. */
static bool is_newer(uint16_t epoch, uint16_t than)
{
	uint16_t ahead = (uint16_t)(epoch - than);

	return ahead != 0 && ahead < 0x8000;
}

/* How many refills lie in (from, to]. */
static uint64_t count_refills(uint8_t interval, int64_t from_us, int64_t to_us)
{
	if (to_us <= from_us) {
		return 0;
	}
	if (interval == DAY) {
		return (uint64_t)(lk_time_day(to_us) - lk_time_day(from_us));
	}
	if (interval == MONTH) {
		return (uint64_t)(lk_time_month(to_us) - lk_time_month(from_us));
	}
	return 0;
}

static uint64_t add_within(uint64_t a, uint64_t b, uint64_t max)
{
	uint64_t sum = 0;

	return __builtin_add_overflow(a, b, &sum) || sum > max ? max : sum;
}

/* What is so at an instant. */
struct present {
	uint16_t epoch;
	/* What could be spent in this epoch, and what the word has counted in it. */
	uint64_t base;
	uint64_t sum;
	/* What was spent or has lapsed, and what is left: at most LK_CREDITS_MAX. */
	uint64_t spent;
	uint64_t left;
	/* The word is of a newer epoch, and says nothing of this one. */
	bool moved;
};

static void count_spent(struct present *present, uint64_t word)
{
	uint64_t lapsed = present->base > LK_CREDITS_MAX ? present->base - LK_CREDITS_MAX : 0;

	present->sum = word != 0 && epoch_of(word) == present->epoch ? sum_of(word) : 0;
	present->spent = present->sum > lapsed ? present->sum : lapsed;
	present->left = present->base > present->spent ? present->base - present->spent : 0;
}

static struct present present_at(const struct lk_credits *credits, uint64_t word, int64_t now_us)
{
	uint64_t refills = credits->refill_amount == 0 ? 0
						       : count_refills(credits->interval, credits->since_us, now_us);
	struct present present = {.epoch = credits->epoch, .base = credits->balance};

	if (credits->mode == REPLACE && refills > 0) {
		present.epoch = (uint16_t)(credits->epoch + refills);
		present.base = credits->refill_amount;
	} else if (credits->mode == ADD) {
		uint64_t added = 0;
		added = __builtin_mul_overflow(credits->refill_amount, refills, &added) ? UINT64_MAX : added;
		present.base = add_within(credits->balance, added, LK_CREDITS_SPENT_MAX);
	}
	present.base = add_within(present.base, 0, LK_CREDITS_SPENT_MAX);
	present.moved = word != 0 && is_newer(epoch_of(word), present.epoch);
	count_spent(&present, word);
	return present;
}

enum lk_credits_answer lk_credits_take(const struct lk_credits *credits, uint64_t spent, uint64_t cost, int64_t now_us,
	uint64_t *ret_spent, uint64_t *ret_remaining)
{
	struct present present = present_at(credits, spent, now_us);

	if (present.moved) {
		return LK_CREDITS_MOVED;
	}
	if (cost > present.left) {
		*ret_remaining = present.left;
		return LK_CREDITS_REFUSE;
	}
	*ret_spent = (uint64_t)present.epoch << EPOCH_SHIFT | (present.spent + cost);
	*ret_remaining = present.left - cost;
	return LK_CREDITS_PASS;
}

int64_t lk_credits_next_refill(const struct lk_credits *credits, int64_t now_us)
{
	int64_t from_us = now_us > credits->since_us ? now_us : credits->since_us;
	int64_t next_us = 0;

	if (credits->refill_amount == 0 || from_us < 0 || from_us > LK_TIME_MAX_US) {
		return 0;
	}
	if (credits->interval == DAY) {
		next_us = (lk_time_day(from_us) + 1) * LK_US_PER_DAY;
	} else if (credits->interval == MONTH) {
		next_us = lk_time_month_start(lk_time_month(from_us) + 1);
	}
	return next_us <= LK_TIME_MAX_US ? next_us : 0;
}

void lk_credits_catch_up(struct lk_credits *credits, uint64_t spent, int64_t now_us)
{
	struct present present = present_at(credits, spent, now_us);

	if (!present.moved || credits->mode != REPLACE || credits->refill_amount == 0) {
		return;
	}
	int64_t refill_us = lk_credits_next_refill(credits, now_us);
	int64_t since_us = now_us > credits->since_us ? now_us : credits->since_us;
	credits->since_us = refill_us != 0 ? refill_us : since_us;
	credits->epoch = epoch_of(spent);
	credits->balance = credits->refill_amount;
}

static const char *path_of(struct lk_faults *faults, const char *field, const char *member)
{
	const char *path = lk_arena_printf(faults->arena, "%s.%s", field, member);

	return path == NULL ? field : path;
}

static void check_refill(struct lk_faults *faults, const char *field, const Latchkey__V1__CreditRefill *refill,
	Latchkey__Store__CreditsRecord *record)
{
	if (refill->amount == 0 || refill->amount > LK_CREDITS_REFILL_MAX) {
		lk_fault_add(faults, path_of(faults, field, "refill.amount"), "%llu is out of bounds: give 1 to %lld",
			(unsigned long long)refill->amount, (long long)LK_CREDITS_REFILL_MAX);
	}
	if ((int)refill->interval == 0) {
		lk_fault_add(faults, path_of(faults, field, "refill.interval"),
			"is needed: give CREDIT_INTERVAL_DAY or CREDIT_INTERVAL_MONTH");
	} else if ((int)refill->interval != (int)DAY && (int)refill->interval != (int)MONTH) {
		lk_fault_add(faults, path_of(faults, field, "refill.interval"),
			"%d is no interval: give CREDIT_INTERVAL_DAY or CREDIT_INTERVAL_MONTH", (int)refill->interval);
	}
	if ((int)refill->mode != 0 && (int)refill->mode != (int)REPLACE && (int)refill->mode != (int)ADD) {
		lk_fault_add(faults, path_of(faults, field, "refill.mode"),
			"%d is no mode: give CREDIT_REFILL_MODE_REPLACE or CREDIT_REFILL_MODE_ADD", (int)refill->mode);
	}
	record->refill_amount = refill->amount;
	record->refill_interval = (Latchkey__Store__RefillInterval)refill->interval;
	record->refill_mode = (int)refill->mode == (int)ADD ? ADD : REPLACE;
}

/* The epoch for credits that are given anew: one in which nothing was spent. */
static uint16_t fresh_epoch(const Latchkey__Store__CreditsRecord *before, uint64_t word, int64_t now_us)
{
	uint16_t present = epoch_of(word);

	if (before != NULL) {
		struct lk_credits credits = lk_credits_of_record(before);
		present = present_at(&credits, word, now_us).epoch;
	}
	/* Where it is behind the word, the clock was set back, or the slots are newer than their store. */
	if (word != 0 && (epoch_of(word) == present || is_newer(epoch_of(word), present))) {
		return (uint16_t)(epoch_of(word) + 1);
	}
	return present;
}

Latchkey__Store__CreditsRecord *lk_credits_check(struct lk_faults *faults, const char *field,
	const Latchkey__V1__Credits *given, const Latchkey__Store__CreditsRecord *before, uint64_t spent,
	int64_t now_us)
{
	if (given == NULL) {
		return NULL;
	}
	Latchkey__Store__CreditsRecord *record = lk_arena_alloc(faults->arena, sizeof(*record));
	if (record == NULL) {
		return NULL;
	}
	latchkey__store__credits_record__init(record);
	if (given->balance > LK_CREDITS_MAX) {
		lk_fault_add(faults, path_of(faults, field, "balance"), "%llu is too many: give at most %lld",
			(unsigned long long)given->balance, (long long)LK_CREDITS_MAX);
	}
	if (given->refill != NULL) {
		check_refill(faults, field, given->refill, record);
	}
	record->balance = given->balance;
	record->since_us = now_us;
	record->epoch = fresh_epoch(before, spent, now_us);
	return record;
}

/* As if the refills had come up to which the word was spent: a clock that was set back must not keep the key from its credits. */
static void catch_up(struct present *present, const struct lk_credits *credits, uint64_t word)
{
	present->epoch = epoch_of(word);
	present->base = credits->mode == REPLACE ? credits->refill_amount : present->base;
	count_spent(present, word);
}

/* When an adjustment counts: now, or at the next refill, where that came while it waited for its turn and was spent of already; so it does
 * not come twice. */
static int64_t adjusted_at(const struct lk_credits *credits, uint64_t word, int64_t now_us)
{
	struct present present = present_at(credits, word, now_us);
	int64_t refill_us = lk_credits_next_refill(credits, now_us);
	bool is_ahead = present.moved || present.sum > present.base;

	return is_ahead && refill_us != 0 && now_us >= refill_us - WAIT_MAX_US ? refill_us : now_us;
}

void lk_credits_adjust(Latchkey__Store__CreditsRecord *record, enum lk_credits_adjustment adjustment, uint64_t amount,
	uint64_t spent, int64_t now_us)
{
	struct lk_credits credits = lk_credits_of_record(record);
	now_us = adjusted_at(&credits, spent, now_us);
	struct present present = present_at(&credits, spent, now_us);
	uint16_t fresh = fresh_epoch(record, spent, now_us);

	if (present.moved) {
		catch_up(&present, &credits, spent);
	}
	uint64_t left = present.left;
	if (adjustment == LK_CREDITS_SET) {
		left = add_within(amount, 0, LK_CREDITS_MAX);
	} else if (adjustment == LK_CREDITS_ADD) {
		left = add_within(left, amount, LK_CREDITS_MAX);
	} else {
		left = left > amount ? left - amount : 0;
	}
	/* A clock that was set back does not bring a refill twice. */
	record->since_us = now_us > record->since_us ? now_us : record->since_us;
	bool stays = adjustment != LK_CREDITS_SET && present.sum + left <= LK_CREDITS_SPENT_MAX / 2;
	record->epoch = stays ? present.epoch : fresh;
	record->balance = stays ? present.sum + left : left;
}

struct lk_credits lk_credits_of_record(const Latchkey__Store__CreditsRecord *record)
{
	return (struct lk_credits){
		.balance = record->balance,
		.since_us = record->since_us,
		.refill_amount = record->refill_amount,
		.epoch = (uint16_t)record->epoch,
		.interval = (uint8_t)record->refill_interval,
		.mode = (uint8_t)record->refill_mode,
	};
}

Latchkey__V1__Credits *lk_credits_to_api(
	struct lk_arena *arena, const Latchkey__Store__CreditsRecord *record, uint64_t spent, int64_t now_us)
{
	if (record == NULL) {
		return NULL;
	}
	Latchkey__V1__Credits *view = lk_arena_alloc(arena, sizeof(*view));
	Latchkey__V1__CreditRefill *refill = lk_arena_alloc(arena, sizeof(*refill));
	if (view == NULL || refill == NULL) {
		return NULL;
	}
	struct lk_credits credits = lk_credits_of_record(record);
	struct present present = present_at(&credits, spent, now_us);
	if (present.moved) {
		catch_up(&present, &credits, spent);
	}
	latchkey__v1__credits__init(view);
	view->balance = present.left;
	view->next_refill_time = lk_time_to_timestamp(arena, lk_credits_next_refill(&credits, now_us));
	if (record->refill_amount != 0) {
		latchkey__v1__credit_refill__init(refill);
		refill->amount = record->refill_amount;
		refill->interval = (Latchkey__V1__CreditInterval)record->refill_interval;
		refill->mode = (Latchkey__V1__CreditRefillMode)record->refill_mode;
		view->refill = refill;
	}
	return arena->exhausted ? NULL : view;
}

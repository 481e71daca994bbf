/* Credits against a ledger that is kept day by day, at random. */
#include "server/core/credits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "server/core/time.h"
#include "tests/unit/core/faults_case.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define DAY          LATCHKEY__STORE__REFILL_INTERVAL__REFILL_INTERVAL_DAY
#define MONTH        LATCHKEY__STORE__REFILL_INTERVAL__REFILL_INTERVAL_MONTH
#define REPLACE      LATCHKEY__STORE__REFILL_MODE__REFILL_MODE_REPLACE
#define ADD          LATCHKEY__STORE__REFILL_MODE__REFILL_MODE_ADD
/* 2026-11-21 09:30:00 */
#define T0 (INT64_C(1795253400) * LK_US_PER_SECOND)

static Latchkey__Store__CreditsRecord *check(uint64_t balance, uint64_t amount, int interval, int mode,
	const Latchkey__Store__CreditsRecord *before, uint64_t word, int64_t now_us)
{
	Latchkey__V1__Credits given = LATCHKEY__V1__CREDITS__INIT;
	Latchkey__V1__CreditRefill refill = LATCHKEY__V1__CREDIT_REFILL__INIT;
	given.balance = balance;
	given.refill = amount == 0 ? NULL : &refill;
	refill.amount = amount;
	refill.interval = (Latchkey__V1__CreditInterval)interval;
	refill.mode = (Latchkey__V1__CreditRefillMode)mode;
	return lk_credits_check(&faults, "credits", &given, before, word, now_us);
}

/* What is left, kept as a person would. */
struct ledger {
	uint64_t left;
	int64_t now;
	uint64_t amount;
	int interval;
	int mode;
};

static void pass_days(struct ledger *ledger, int64_t now)
{
	for (int64_t day = ledger->now / LK_US_PER_DAY + 1; day <= now / LK_US_PER_DAY; day++) {
		time_t seconds = day * 86400;
		struct tm broken;
		assert_non_null(gmtime_r(&seconds, &broken));
		if (ledger->amount == 0 || (ledger->interval == MONTH && broken.tm_mday != 1)) {
			continue;
		}
		uint64_t sum = ledger->left + ledger->amount;
		ledger->left = ledger->mode == REPLACE ? ledger->amount : sum > LK_CREDITS_MAX ? LK_CREDITS_MAX : sum;
	}
	ledger->now = now;
}

static uint64_t random_below(uint64_t *seed, uint64_t bound)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 20) % bound;
}

static int64_t random_wait(uint64_t *seed)
{
	static const int64_t waits[] = {1, LK_US_PER_SECOND, LK_US_PER_DAY / 3, 2 * LK_US_PER_DAY, 70 * LK_US_PER_DAY};
	return (int64_t)random_below(seed, (uint64_t)waits[random_below(seed, COUNT(waits))]);
}

static uint64_t random_amount(uint64_t *seed, uint64_t max)
{
	return random_below(seed, 8) == 0 ? max : random_below(seed, max);
}

static void adjust_both(struct ledger *ledger, Latchkey__Store__CreditsRecord *record, uint64_t word, uint64_t *seed)
{
	enum lk_credits_adjustment adjustment = (enum lk_credits_adjustment)random_below(seed, 3);
	uint64_t amount = random_amount(seed, LK_CREDITS_MAX / 2);
	if (adjustment == LK_CREDITS_SET) {
		ledger->left = amount;
	} else if (adjustment == LK_CREDITS_ADD) {
		ledger->left = ledger->left + amount > LK_CREDITS_MAX ? LK_CREDITS_MAX : ledger->left + amount;
	} else {
		ledger->left = ledger->left > amount ? ledger->left - amount : 0;
	}
	lk_credits_adjust(record, adjustment, amount, word, ledger->now);
}

static Latchkey__Store__CreditsRecord *give_both(
	struct ledger *ledger, const Latchkey__Store__CreditsRecord *before, uint64_t word, uint64_t *seed)
{
	ledger->left = random_amount(seed, LK_CREDITS_MAX);
	ledger->amount = random_below(seed, 5) == 0 ? 0 : 1 + random_amount(seed, LK_CREDITS_REFILL_MAX - 1);
	ledger->interval = random_below(seed, 2) == 0 ? DAY : MONTH;
	ledger->mode = random_below(seed, 2) == 0 ? REPLACE : ADD;
	return check(ledger->left, ledger->amount, ledger->interval, ledger->mode, before, word, ledger->now);
}

static void test_credits_do_as_a_ledger(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		struct ledger ledger = {.now = T0};
		uint64_t random = seed;
		uint64_t word = 0;
		lk_arena_reset(&arena);
		Latchkey__Store__CreditsRecord *record = give_both(&ledger, NULL, word, &random);
		for (size_t i = 0; i < 1500; i++) {
			uint64_t remaining = 0;
			pass_days(&ledger, ledger.now + random_wait(&random));
			uint64_t cost = random_below(&random, 3) == 0 ? ledger.left + random_below(&random, 2)
								      : random_below(&random, ledger.left / 2 + 2);
			struct lk_credits credits = lk_credits_of_record(record);
			bool passes = cost <= ledger.left;
			ledger.left -= passes ? cost : 0;
			assert_int_equal(lk_credits_take(&credits, word, cost, ledger.now, &word, &remaining),
				passes ? LK_CREDITS_PASS : LK_CREDITS_REFUSE);
			assert_int_equal(remaining, ledger.left);
			uint64_t choice = random_below(&random, 40);
			if (choice < 4) {
				adjust_both(&ledger, record, word, &random);
			} else if (choice == 4) {
				record = give_both(&ledger, record, word, &random);
			}
			assert_int_equal(faults.count, 0);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_credits_do_as_a_ledger, faults_setup, faults_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "server/core/credits.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "server/core/time.h"
#include "tests/unit/core/faults_case.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define TEST(function) cmocka_unit_test_setup_teardown(function, faults_setup, faults_teardown)
#define DAY            LATCHKEY__STORE__REFILL_INTERVAL__REFILL_INTERVAL_DAY
#define MONTH          LATCHKEY__STORE__REFILL_INTERVAL__REFILL_INTERVAL_MONTH
#define REPLACE        LATCHKEY__STORE__REFILL_MODE__REFILL_MODE_REPLACE
#define ADD            LATCHKEY__STORE__REFILL_MODE__REFILL_MODE_ADD
#define EPOCH(epoch)   ((uint64_t)(epoch) << 48)
/* 2026-11-21 09:30:00 */
#define T0 (INT64_C(1795253400) * LK_US_PER_SECOND)

static int64_t instant(int year, int month, int day, int hour, int minute, int second)
{
	struct tm broken = {.tm_year = year - 1900,
		.tm_mon = month - 1,
		.tm_mday = day,
		.tm_hour = hour,
		.tm_min = minute,
		.tm_sec = second};
	return (int64_t)timegm(&broken) * LK_US_PER_SECOND;
}

static struct lk_credits make(uint64_t balance, uint64_t amount, int interval, int mode, int64_t since_us)
{
	return (struct lk_credits){.balance = balance,
		.since_us = since_us,
		.refill_amount = amount,
		.interval = (uint8_t)interval,
		.mode = (uint8_t)mode};
}

static uint64_t left(const struct lk_credits *credits, uint64_t word, int64_t now_us)
{
	uint64_t remaining = 4711;
	assert_int_equal(lk_credits_take(credits, word, 0, now_us, &word, &remaining), LK_CREDITS_PASS);
	return remaining;
}

static void test_credits_are_spent_to_the_last(void **state)
{
	(void)state;
	struct lk_credits credits = make(10, 0, 0, 0, T0);
	uint64_t word = 0;
	uint64_t remaining = 0;
	assert_int_equal(lk_credits_take(&credits, word, 11, T0, &word, &remaining), LK_CREDITS_REFUSE);
	assert_int_equal(word, 0);
	assert_int_equal(remaining, 10);
	assert_int_equal(lk_credits_take(&credits, word, 7, T0, &word, &remaining), LK_CREDITS_PASS);
	assert_int_equal(word, 7);
	assert_int_equal(remaining, 3);
	assert_int_equal(lk_credits_take(&credits, word, 4, T0, &word, &remaining), LK_CREDITS_REFUSE);
	assert_int_equal(lk_credits_take(&credits, word, UINT64_MAX, T0, &word, &remaining), LK_CREDITS_REFUSE);
	assert_int_equal(remaining, 3);
	assert_int_equal(lk_credits_take(&credits, word, 3, INT64_MAX, &word, &remaining), LK_CREDITS_PASS);
	assert_int_equal(lk_credits_take(&credits, word, 1, INT64_MAX, &word, &remaining), LK_CREDITS_REFUSE);
	assert_int_equal(remaining, 0);
}

/* What is left of 100, of which 40 were spent at once, with a refill of 30. */
static const struct {
	int interval;
	int mode;
	int since[6];
	int now[6];
	uint64_t left;
} refills[] = {
	{DAY, REPLACE, {2026, 11, 21, 9, 30, 0}, {2026, 11, 21, 23, 59, 59}, 60},
	{DAY, REPLACE, {2026, 11, 21, 9, 30, 0}, {2026, 11, 22, 0, 0, 0}, 30},
	{DAY, REPLACE, {2026, 11, 21, 0, 0, 0}, {2026, 11, 21, 0, 0, 0}, 60},
	{DAY, REPLACE, {2026, 11, 21, 9, 30, 0}, {2027, 11, 22, 5, 0, 0}, 30},
	{DAY, ADD, {2026, 11, 21, 9, 30, 0}, {2026, 11, 21, 23, 59, 59}, 60},
	{DAY, ADD, {2026, 11, 21, 9, 30, 0}, {2026, 11, 22, 0, 0, 0}, 90},
	{DAY, ADD, {2028, 2, 28, 0, 0, 0}, {2028, 3, 1, 0, 0, 0}, 120},
	{DAY, ADD, {2100, 2, 28, 0, 0, 0}, {2100, 3, 1, 0, 0, 0}, 90},
	{DAY, ADD, {2026, 1, 1, 0, 0, 0}, {2027, 1, 1, 0, 0, 0}, 60 + 365 * 30},
	{DAY, ADD, {2000, 1, 1, 0, 0, 0}, {2001, 1, 1, 0, 0, 0}, 60 + 366 * 30},
	{MONTH, REPLACE, {2026, 1, 31, 23, 59, 59}, {2026, 2, 1, 0, 0, 0}, 30},
	{MONTH, REPLACE, {2026, 1, 1, 0, 0, 0}, {2026, 1, 31, 23, 59, 59}, 60},
	{MONTH, REPLACE, {2026, 12, 31, 23, 59, 59}, {2027, 1, 1, 0, 0, 0}, 30},
	{MONTH, ADD, {2026, 1, 15, 0, 0, 0}, {2027, 1, 14, 0, 0, 0}, 60 + 12 * 30},
	{MONTH, ADD, {2100, 2, 1, 0, 0, 0}, {2100, 2, 28, 23, 59, 59}, 60},
	{MONTH, ADD, {2100, 2, 28, 23, 59, 59}, {2100, 3, 1, 0, 0, 0}, 90},
	{MONTH, ADD, {2028, 2, 29, 12, 0, 0}, {2028, 2, 29, 23, 59, 59}, 60},
	{MONTH, ADD, {2028, 2, 29, 12, 0, 0}, {2028, 3, 1, 0, 0, 0}, 90},
	{MONTH, ADD, {1970, 1, 1, 0, 0, 0}, {2070, 1, 1, 0, 0, 0}, 60 + 1200 * 30},
	/* The clock was set back. */
	{DAY, ADD, {2026, 11, 21, 9, 30, 0}, {2026, 11, 19, 0, 0, 0}, 60},
	{MONTH, REPLACE, {2026, 11, 21, 9, 30, 0}, {1970, 1, 1, 0, 0, 0}, 60},
	/* Neither is known. */
	{0, ADD, {2026, 11, 21, 9, 30, 0}, {2036, 11, 19, 0, 0, 0}, 60},
	{9, REPLACE, {2026, 11, 21, 9, 30, 0}, {2036, 11, 19, 0, 0, 0}, 60},
};

static int64_t instant_of(const int of[static 6])
{
	return instant(of[0], of[1], of[2], of[3], of[4], of[5]);
}

static void test_credits_are_refilled_by_the_calendar(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(refills); i++) {
		struct lk_credits credits = make(
			100, 30, refills[i].interval, refills[i].mode, instant_of(refills[i].since));
		assert_int_equal(left(&credits, 40, instant_of(refills[i].now)), refills[i].left);
	}
}

static const struct {
	int interval;
	int now[6];
	int next[6];
} nexts[] = {
	{DAY, {2026, 11, 21, 9, 30, 0}, {2026, 11, 22, 0, 0, 0}},
	{DAY, {2026, 11, 22, 0, 0, 0}, {2026, 11, 23, 0, 0, 0}},
	{DAY, {2026, 12, 31, 23, 59, 59}, {2027, 1, 1, 0, 0, 0}},
	{DAY, {2028, 2, 28, 1, 0, 0}, {2028, 2, 29, 0, 0, 0}},
	{DAY, {2100, 2, 28, 1, 0, 0}, {2100, 3, 1, 0, 0, 0}},
	{MONTH, {2026, 11, 21, 9, 30, 0}, {2026, 12, 1, 0, 0, 0}},
	{MONTH, {2026, 12, 1, 0, 0, 0}, {2027, 1, 1, 0, 0, 0}},
	{MONTH, {2028, 2, 1, 0, 0, 0}, {2028, 3, 1, 0, 0, 0}},
	{MONTH, {9999, 11, 30, 0, 0, 0}, {9999, 12, 1, 0, 0, 0}},
};

static void test_credits_say_when_they_are_next_refilled(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(nexts); i++) {
		struct lk_credits credits = make(1, 1, nexts[i].interval, REPLACE, 0);
		assert_int_equal(lk_credits_next_refill(&credits, instant_of(nexts[i].now)), instant_of(nexts[i].next));
	}
	struct lk_credits credits = make(1, 1, DAY, REPLACE, T0);
	/* Not before they began. */
	assert_int_equal(lk_credits_next_refill(&credits, 0), instant(2026, 11, 22, 0, 0, 0));
	assert_int_equal(lk_credits_next_refill(&credits, INT64_MIN), instant(2026, 11, 22, 0, 0, 0));
	/* Nobody can name what lies behind the last instant. */
	assert_int_equal(lk_credits_next_refill(&credits, LK_TIME_MAX_US), 0);
	assert_int_equal(lk_credits_next_refill(&credits, INT64_MAX), 0);
	credits.interval = MONTH;
	assert_int_equal(lk_credits_next_refill(&credits, instant(9999, 12, 1, 0, 0, 0)), 0);
	credits = make(1, 0, 0, 0, T0);
	assert_int_equal(lk_credits_next_refill(&credits, T0), 0);
}

static void test_credits_know_older_and_newer_epochs(void **state)
{
	(void)state;
	static const struct {
		uint16_t ahead;
		enum lk_credits_answer answer;
		uint64_t remaining;
	} table[] = {{0, LK_CREDITS_PASS, 5}, {1, LK_CREDITS_MOVED, 0}, {0x7fff, LK_CREDITS_MOVED, 0},
		{0x8000, LK_CREDITS_PASS, 9}, {0xffff, LK_CREDITS_PASS, 9}};
	static const uint16_t epochs[] = {0, 1, 0x7fff, 0x8000, 0xffff};
	for (size_t i = 0; i < COUNT(table); i++) {
		for (size_t j = 0; j < COUNT(epochs); j++) {
			struct lk_credits credits = make(10, 0, 0, 0, T0);
			uint64_t word = EPOCH((uint16_t)(epochs[j] + table[i].ahead)) | 4;
			uint64_t was = word;
			uint64_t remaining = 0;
			credits.epoch = epochs[j];
			assert_int_equal(lk_credits_take(&credits, word, 1, T0, &word, &remaining), table[i].answer);
			assert_int_equal(remaining, table[i].remaining);
			if (table[i].answer == LK_CREDITS_PASS) {
				assert_int_equal(word, EPOCH(epochs[j]) | (10 - remaining));
			} else {
				assert_int_equal(word, was);
			}
			/* A slot that never spent is of no epoch. */
			assert_int_equal(left(&credits, 0, T0), 10);
		}
	}
}

static void test_credits_left_never_exceed_the_most(void **state)
{
	(void)state;
	struct lk_credits credits = make(LK_CREDITS_MAX, LK_CREDITS_REFILL_MAX, DAY, ADD, T0);
	uint64_t word = 0;
	uint64_t remaining = 0;
	int64_t now = T0 + 1000 * LK_US_PER_DAY;
	assert_int_equal(left(&credits, word, now), LK_CREDITS_MAX);
	/* What lapsed does not come back. */
	assert_int_equal(lk_credits_take(&credits, word, 1, now, &word, &remaining), LK_CREDITS_PASS);
	assert_int_equal(remaining, LK_CREDITS_MAX - 1);
	assert_int_equal(left(&credits, word, now), LK_CREDITS_MAX - 1);
	assert_int_equal(left(&credits, word, now + LK_US_PER_DAY), LK_CREDITS_MAX);
	/* The sum has 48 bits: far away in time it ends, and nothing wraps around. */
	assert_int_equal(left(&credits, word, INT64_MAX), LK_CREDITS_MAX);
	assert_int_equal(left(&credits, LK_CREDITS_SPENT_MAX, INT64_MAX), 0);
	assert_int_equal(
		lk_credits_take(&credits, LK_CREDITS_SPENT_MAX, 1, INT64_MAX, &word, &remaining), LK_CREDITS_REFUSE);
}

static const struct {
	uint64_t balance;
	bool has_refill;
	uint64_t amount;
	int interval;
	int mode;
	const char *field;
	const char *part;
} faulty[] = {
	{LK_CREDITS_MAX + UINT64_C(1), false, 0, 0, 0, "key.credits.balance",
		"1000000000001 is too many: give at most 1000000000000"},
	{UINT64_MAX, false, 0, 0, 0, "key.credits.balance", "18446744073709551615 is too many"},
	{0, true, 0, DAY, 0, "key.credits.refill.amount", "0 is out of bounds: give 1 to 10000000000"},
	{0, true, LK_CREDITS_REFILL_MAX + UINT64_C(1), DAY, 0, "key.credits.refill.amount",
		"10000000001 is out of bounds"},
	{0, true, UINT64_MAX, DAY, 0, "key.credits.refill.amount", "out of bounds"},
	{0, true, 1, 0, 0, "key.credits.refill.interval", "is needed: give CREDIT_INTERVAL_DAY or"},
	{0, true, 1, 3, 0, "key.credits.refill.interval", "3 is no interval"},
	{0, true, 1, -1, 0, "key.credits.refill.interval", "-1 is no interval"},
	{0, true, 1, MONTH, 3, "key.credits.refill.mode", "3 is no mode: give CREDIT_REFILL_MODE_REPLACE or"},
	{0, true, 1, MONTH, -1, "key.credits.refill.mode", "-1 is no mode"},
};

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

static void test_credits_check_names_each_fault_under_its_path(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(faulty); i++) {
		Latchkey__V1__Credits given = LATCHKEY__V1__CREDITS__INIT;
		Latchkey__V1__CreditRefill refill = LATCHKEY__V1__CREDIT_REFILL__INIT;
		lk_arena_reset(&arena);
		lk_faults_init(&faults, &arena);
		given.balance = faulty[i].balance;
		given.refill = faulty[i].has_refill ? &refill : NULL;
		refill.amount = faulty[i].amount;
		refill.interval = (Latchkey__V1__CreditInterval)faulty[i].interval;
		refill.mode = (Latchkey__V1__CreditRefillMode)faulty[i].mode;
		assert_non_null(lk_credits_check(&faults, "key.credits", &given, NULL, 0, T0));
		assert_int_equal(faults.count, 1);
		assert_string_equal(faults.items[0].field, faulty[i].field);
		if (strstr(faults.items[0].description, faulty[i].part) == NULL) {
			fail_msg("'%s' does not say '%s'", faults.items[0].description, faulty[i].part);
		}
	}
}

static void test_credits_check_names_all_faults_together(void **state)
{
	(void)state;
	(void)check(UINT64_MAX, UINT64_MAX, 7, 7, NULL, 0, T0);
	assert_int_equal(faults.count, 4);
	assert_null(lk_credits_check(&faults, "credits", NULL, NULL, 0, T0));
	assert_int_equal(faults.count, 4);
}

static void test_credits_check_makes_a_record(void **state)
{
	(void)state;
	Latchkey__Store__CreditsRecord *record = check(LK_CREDITS_MAX, LK_CREDITS_REFILL_MAX, MONTH, 0, NULL, 0, T0);
	assert_int_equal(faults.count, 0);
	assert_int_equal(record->balance, LK_CREDITS_MAX);
	assert_int_equal(record->since_us, T0);
	assert_int_equal(record->epoch, 0);
	assert_int_equal(record->refill_amount, LK_CREDITS_REFILL_MAX);
	assert_int_equal(record->refill_interval, MONTH);
	assert_int_equal(record->refill_mode, REPLACE);
	record = check(0, 0, 0, 0, NULL, 0, T0);
	assert_int_equal(record->refill_amount, 0);
	assert_int_equal(record->refill_interval, 0);
	assert_int_equal(record->refill_mode, 0);
	assert_int_equal(faults.count, 0);
}

/* The epoch of credits that are given anew, by the slot's word. */
static void test_credits_that_are_given_anew_begin_with_nothing_spent(void **state)
{
	(void)state;
	Latchkey__Store__CreditsRecord *before = check(100, 10, DAY, REPLACE, NULL, 0, T0);
	before->epoch = 5;
	const int64_t later = T0 + 3 * LK_US_PER_DAY;
	static const struct {
		uint64_t word;
		uint32_t epoch;
	} table[] = {{0, 8}, {EPOCH(5) | 3, 8}, {EPOCH(8) | 3, 9}, {EPOCH(11) | 3, 12}};
	for (size_t i = 0; i < COUNT(table); i++) {
		Latchkey__Store__CreditsRecord *record = check(50, 0, 0, 0, before, table[i].word, later);
		struct lk_credits credits = lk_credits_of_record(record);
		assert_int_equal(record->epoch, table[i].epoch);
		assert_int_equal(left(&credits, table[i].word, later), 50);
	}
	/* Of a key that had none, but once had. */
	Latchkey__Store__CreditsRecord *record = check(50, 0, 0, 0, NULL, EPOCH(65535) | 3, T0);
	assert_int_equal(record->epoch, 0);
	assert_int_equal(faults.count, 0);
}

static uint64_t adjusted(Latchkey__Store__CreditsRecord *record, enum lk_credits_adjustment adjustment, uint64_t amount,
	uint64_t word, int64_t now_us)
{
	lk_credits_adjust(record, adjustment, amount, word, now_us);
	struct lk_credits credits = lk_credits_of_record(record);
	return left(&credits, word, now_us);
}

static void test_credits_are_adjusted_within_their_bounds(void **state)
{
	(void)state;
	Latchkey__Store__CreditsRecord *record = check(100, 0, 0, 0, NULL, 0, T0);
	assert_int_equal(adjusted(record, LK_CREDITS_ADD, 50, 30, T0 + 1), 120);
	assert_int_equal(record->balance, 150);
	assert_int_equal(record->since_us, T0 + 1);
	assert_int_equal(adjusted(record, LK_CREDITS_TAKE, 20, 30, T0 + 2), 100);
	assert_int_equal(adjusted(record, LK_CREDITS_TAKE, 101, 30, T0 + 2), 0);
	assert_int_equal(adjusted(record, LK_CREDITS_TAKE, UINT64_MAX, 30, T0 + 2), 0);
	assert_int_equal(adjusted(record, LK_CREDITS_ADD, 7, 30, T0 + 2), 7);
	assert_int_equal(adjusted(record, LK_CREDITS_ADD, LK_CREDITS_MAX, 30, T0 + 2), LK_CREDITS_MAX);
	assert_int_equal(adjusted(record, LK_CREDITS_ADD, UINT64_MAX, 30, T0 + 2), LK_CREDITS_MAX);
	assert_int_equal(record->epoch, 0);
	assert_int_equal(adjusted(record, LK_CREDITS_SET, 12, 30, T0 + 2), 12);
	assert_int_equal(record->balance, 12);
	assert_int_equal(record->epoch, 1);
	assert_int_equal(adjusted(record, LK_CREDITS_SET, UINT64_MAX, 30, T0 + 2), LK_CREDITS_MAX);
	/* Nothing was spent in this epoch. */
	assert_int_equal(record->epoch, 1);
}

/* What is spent after the word was read counts against what ADD and TAKE leave. */
static void test_credits_count_what_is_spent_while_they_are_adjusted(void **state)
{
	(void)state;
	Latchkey__Store__CreditsRecord *record = check(100, 0, 0, 0, NULL, 0, T0);
	lk_credits_adjust(record, LK_CREDITS_ADD, 50, 30, T0);
	struct lk_credits credits = lk_credits_of_record(record);
	assert_int_equal(left(&credits, 35, T0), 115);
	lk_credits_adjust(record, LK_CREDITS_TAKE, 50, 35, T0);
	credits = lk_credits_of_record(record);
	assert_int_equal(left(&credits, 45, T0), 55);
	lk_credits_adjust(record, LK_CREDITS_TAKE, 50, 45, T0);
	credits = lk_credits_of_record(record);
	/* Spent by those that still knew the old balance: less than nothing is nothing. */
	assert_int_equal(left(&credits, 55, T0), 0);
}

static void test_credits_keep_their_calendar_when_they_are_adjusted(void **state)
{
	(void)state;
	Latchkey__Store__CreditsRecord *record = check(100, 30, DAY, REPLACE, NULL, 0, T0);
	const int64_t next = T0 + LK_US_PER_DAY;
	/* The refill has come; what was spent before is forgotten. */
	assert_int_equal(adjusted(record, LK_CREDITS_ADD, 5, 90, next), 35);
	assert_int_equal(record->epoch, 1);
	struct lk_credits credits = lk_credits_of_record(record);
	assert_int_equal(left(&credits, EPOCH(1) | 35, next + LK_US_PER_DAY), 30);
	/* Set back, the clock brings no refill twice. */
	assert_int_equal(adjusted(record, LK_CREDITS_TAKE, 1, 90, T0), 34);
	assert_int_equal(record->since_us, next);
	assert_int_equal(record->epoch, 1);
	/* And where a use was noted before it was set back, an adjustment catches up with that. */
	uint64_t word = EPOCH(6) | 10;
	assert_int_equal(adjusted(record, LK_CREDITS_ADD, 1, word, next), 21);
	assert_int_equal(record->epoch, 6);
}

/* The request came before midnight, waited for its turn, and found that the refill of midnight was spent of. */
static const struct {
	int mode;
	uint64_t word;
	enum lk_credits_adjustment adjustment;
	uint64_t left;
	uint64_t next;
} midnights[] = {
	{REPLACE, EPOCH(1) | 28, LK_CREDITS_SET, 5, 30},
	{REPLACE, EPOCH(1) | 28, LK_CREDITS_ADD, 7, 30},
	{REPLACE, EPOCH(1) | 28, LK_CREDITS_TAKE, 0, 30},
	{ADD, 128, LK_CREDITS_SET, 5, 35},
	{ADD, 128, LK_CREDITS_ADD, 7, 37},
	{ADD, 128, LK_CREDITS_TAKE, 0, 30},
};

static void test_credits_that_are_adjusted_at_midnight_are_refilled_once(void **state)
{
	(void)state;
	const int64_t midnight = instant(2026, 11, 22, 0, 0, 0);
	for (size_t i = 0; i < COUNT(midnights); i++) {
		const uint64_t word = midnights[i].word;
		Latchkey__Store__CreditsRecord *record = check(100, 30, DAY, midnights[i].mode, NULL, 0, T0);
		lk_credits_adjust(record, midnights[i].adjustment, 5, word, midnight - LK_US_PER_SECOND);
		struct lk_credits credits = lk_credits_of_record(record);
		assert_int_equal(left(&credits, word, midnight - LK_US_PER_SECOND), midnights[i].left);
		assert_int_equal(left(&credits, word, midnight), midnights[i].left);
		assert_int_equal(left(&credits, word, midnight + LK_US_PER_DAY - 1), midnights[i].left);
		assert_int_equal(left(&credits, word, midnight + LK_US_PER_DAY), midnights[i].next);
	}
	/*
	 * A clock that was set back further, or slots that are newer than their store: the next refill is not kept from the
	 * key.
	 */
	Latchkey__Store__CreditsRecord *record = check(100, 30, DAY, REPLACE, NULL, 0, T0);
	const uint64_t word = EPOCH(1) | 28;
	assert_int_equal(adjusted(record, LK_CREDITS_SET, 5, word, T0), 5);
	struct lk_credits credits = lk_credits_of_record(record);
	assert_int_equal(left(&credits, word, midnight), 30);
}

static void test_credits_catch_up_with_a_clock_that_was_set_back(void **state)
{
	(void)state;
	struct lk_credits credits = make(100, 30, DAY, REPLACE, T0);
	const uint64_t ahead = EPOCH(1) | 10;
	const int64_t midnight = instant(2026, 11, 22, 0, 0, 0);
	uint64_t word = ahead;
	uint64_t remaining = 0;
	assert_int_equal(lk_credits_take(&credits, word, 1, T0, &word, &remaining), LK_CREDITS_MOVED);
	struct lk_credits caught_up = credits;
	lk_credits_catch_up(&caught_up, ahead, T0);
	assert_int_equal(lk_credits_next_refill(&caught_up, T0), midnight + LK_US_PER_DAY);
	assert_int_equal(lk_credits_take(&caught_up, word, 15, T0, &word, &remaining), LK_CREDITS_PASS);
	assert_int_equal(remaining, 5);
	/* Where the clock comes to the refill again, it is the same, and what was spent of it remains so. */
	assert_int_equal(left(&caught_up, word, midnight), 5);
	assert_int_equal(left(&credits, word, midnight), 5);
	assert_int_equal(left(&credits, word, midnight + LK_US_PER_DAY), 30);
	/* A word that is further ahead is another matter. */
	assert_int_equal(lk_credits_take(&caught_up, EPOCH(2) | 1, 1, T0, &word, &remaining), LK_CREDITS_MOVED);
	/* What is not ahead, and what no refill replaces, stays as it is. */
	caught_up = credits;
	lk_credits_catch_up(&caught_up, 40, T0);
	assert_memory_equal(&caught_up, &credits, sizeof credits);
	credits = caught_up = make(100, 30, DAY, ADD, T0);
	lk_credits_catch_up(&caught_up, ahead, T0);
	assert_memory_equal(&caught_up, &credits, sizeof credits);
}

static void test_credits_begin_anew_before_the_sum_is_full(void **state)
{
	(void)state;
	Latchkey__Store__CreditsRecord *record = check(LK_CREDITS_MAX, 0, 0, 0, NULL, 0, T0);
	uint64_t word = 0;
	uint64_t remaining = 0;
	for (size_t i = 0; i < 2000; i++) {
		struct lk_credits credits = lk_credits_of_record(record);
		assert_int_equal(
			lk_credits_take(&credits, word, LK_CREDITS_MAX, T0, &word, &remaining), LK_CREDITS_PASS);
		assert_int_equal(remaining, 0);
		assert_int_equal(adjusted(record, LK_CREDITS_ADD, LK_CREDITS_MAX, word, T0), LK_CREDITS_MAX);
	}
	assert_true(record->epoch > 10 && record->epoch < 30);
}

static void test_credits_are_set_more_often_than_there_are_epochs(void **state)
{
	(void)state;
	Latchkey__Store__CreditsRecord *record = check(3, 0, 0, 0, NULL, 0, T0);
	uint64_t word = 0;
	uint64_t remaining = 0;
	for (size_t i = 0; i < 140000; i++) {
		struct lk_credits old = lk_credits_of_record(record);
		bool is_used = i % 3 != 0;
		if (is_used) {
			assert_int_equal(lk_credits_take(&old, word, 3, T0, &word, &remaining), LK_CREDITS_PASS);
			assert_int_equal(lk_credits_take(&old, word, 1, T0, &word, &remaining), LK_CREDITS_REFUSE);
		}
		assert_int_equal(adjusted(record, LK_CREDITS_SET, 3, word, T0), 3);
		assert_int_equal(record->epoch == old.epoch, !is_used);
		struct lk_credits credits = lk_credits_of_record(record);
		uint64_t next = word;
		assert_int_equal(lk_credits_take(&credits, word, 1, T0, &next, &remaining), LK_CREDITS_PASS);
		if (is_used) {
			assert_int_equal(lk_credits_take(&old, next, 1, T0, &next, &remaining), LK_CREDITS_MOVED);
		}
	}
}

static void test_credits_are_shown_as_they_stand(void **state)
{
	(void)state;
	Latchkey__Store__CreditsRecord *record = check(100, 30, DAY, ADD, NULL, 0, T0);
	Latchkey__V1__Credits *shown = lk_credits_to_api(&arena, record, 40, T0 + LK_US_PER_DAY);
	assert_int_equal(shown->balance, 90);
	assert_int_equal(shown->refill->amount, 30);
	assert_int_equal(shown->refill->interval, LATCHKEY__V1__CREDIT_INTERVAL__CREDIT_INTERVAL_DAY);
	assert_int_equal(shown->refill->mode, LATCHKEY__V1__CREDIT_REFILL_MODE__CREDIT_REFILL_MODE_ADD);
	assert_int_equal(shown->next_refill_time->seconds * LK_US_PER_SECOND, instant(2026, 11, 23, 0, 0, 0));
	record = check(5, 0, 0, 0, NULL, 0, T0);
	shown = lk_credits_to_api(&arena, record, 6, T0);
	assert_int_equal(shown->balance, 0);
	assert_null(shown->refill);
	assert_null(shown->next_refill_time);
	assert_null(lk_credits_to_api(&arena, NULL, 0, T0));
	/* A word of a newer epoch is that of a refill that the clock has not reached again. */
	record = check(100, 30, DAY, REPLACE, NULL, 0, T0);
	assert_int_equal(lk_credits_to_api(&arena, record, EPOCH(1) | 10, T0)->balance, 20);
}

static uint64_t random_below(uint64_t *seed, uint64_t bound)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (*seed >> 20) % bound;
}

static uint64_t random_word(uint64_t *seed)
{
	static const uint64_t edges[] = {0, 1, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX, LK_CREDITS_SPENT_MAX};
	uint64_t word = random_below(seed, UINT64_MAX >> 20) << random_below(seed, 30);
	return random_below(seed, 2) == 0 ? edges[random_below(seed, COUNT(edges))] : word;
}

/* For the sanitizers, and for what must hold of anything. */
static void test_credits_bear_any_input(void **state)
{
	(void)state;
	uint64_t seed = 42;
	for (size_t i = 0; i < 200000; i++) {
		struct lk_credits credits = {
			.balance = random_word(&seed),
			.since_us = (int64_t)random_word(&seed),
			.refill_amount = random_word(&seed),
			.epoch = (uint16_t)random_word(&seed),
			.interval = (uint8_t)random_below(&seed, 4),
			.mode = (uint8_t)random_below(&seed, 4),
		};
		Latchkey__Store__CreditsRecord record = LATCHKEY__STORE__CREDITS_RECORD__INIT;
		uint64_t word = random_word(&seed);
		uint64_t was = word;
		uint64_t remaining = 0;
		int64_t now = (int64_t)random_word(&seed);
		bool passes = lk_credits_take(&credits, word, random_word(&seed), now, &word, &remaining) ==
			      LK_CREDITS_PASS;
		assert_true(passes || word == was);
		assert_true(remaining <= LK_CREDITS_MAX);
		(void)lk_credits_next_refill(&credits, now);
		record.balance = credits.balance;
		record.since_us = credits.since_us;
		record.refill_amount = credits.refill_amount;
		record.refill_interval = (Latchkey__Store__RefillInterval)credits.interval;
		record.refill_mode = (Latchkey__Store__RefillMode)credits.mode;
		lk_credits_adjust(
			&record, (enum lk_credits_adjustment)random_below(&seed, 3), random_word(&seed), was, now);
		assert_true(record.balance <= LK_CREDITS_SPENT_MAX);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_credits_are_spent_to_the_last),
		TEST(test_credits_are_refilled_by_the_calendar),
		TEST(test_credits_say_when_they_are_next_refilled),
		TEST(test_credits_know_older_and_newer_epochs),
		TEST(test_credits_left_never_exceed_the_most),
		TEST(test_credits_check_names_each_fault_under_its_path),
		TEST(test_credits_check_names_all_faults_together),
		TEST(test_credits_check_makes_a_record),
		TEST(test_credits_that_are_given_anew_begin_with_nothing_spent),
		TEST(test_credits_are_adjusted_within_their_bounds),
		TEST(test_credits_count_what_is_spent_while_they_are_adjusted),
		TEST(test_credits_keep_their_calendar_when_they_are_adjusted),
		TEST(test_credits_catch_up_with_a_clock_that_was_set_back),
		TEST(test_credits_that_are_adjusted_at_midnight_are_refilled_once),
		TEST(test_credits_begin_anew_before_the_sum_is_full),
		TEST(test_credits_are_set_more_often_than_there_are_epochs),
		TEST(test_credits_are_shown_as_they_stand),
		TEST(test_credits_bear_any_input),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "server/core/limit.h"

#include <string.h>

#include "server/core/text.h"
#include "server/core/time.h"

/* The lowest bits of a clock hold its generation; the rest is nanoseconds. */
#define GRID            ((uint64_t)LK_LIMIT_GENERATIONS)
#define GENERATION_MASK (GRID - 1)
#define GENERATION_BITS 4

_Static_assert(LK_LIMIT_GENERATIONS == 1 << GENERATION_BITS, "a generation fills its bits");

static const int64_t period_min_us = LK_US_PER_SECOND;
static const int64_t period_max_us = LK_LIMIT_PERIOD_MAX_DAYS * LK_US_PER_DAY;

static const char name_characters[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";

/* How far a generation is ahead of another: 0 to 8, or behind it: above. */
static unsigned distance(uint64_t generation, uint64_t of)
{
	return (unsigned)((generation - of) & GENERATION_MASK);
}

static bool is_ahead(unsigned distance_ahead)
{
	return distance_ahead >= 1 && distance_ahead <= LK_LIMIT_GENERATIONS / 2;
}

static uint64_t generation_of(const struct lk_limit *limit)
{
	return limit->generation & GENERATION_MASK;
}

/* Where the clock is looked at, all on the grid. */
struct view {
	/* What lies between the instant and the grid's, in nanoseconds. */
	int64_t rest;
	uint64_t now;
	/* How far ahead of now the clock may be. */
	uint64_t window;
	uint64_t step;
	/* The theoretical arrival time, from now on: how much of the window is taken. */
	uint64_t taken;
	/* As the slot has it, which may be behind now, or beyond the window. */
	uint64_t arrival;
};

/* False of a limit that no check would let pass. A window is at most a year and a little; see lk_limit_check_list(). */
static bool look(const struct lk_limit *limit, uint64_t clock, int64_t now_ns, struct view *ret_view)
{
	uint64_t instant = now_ns > 0 ? (uint64_t)now_ns : 0;
	uint64_t window = 0;

	if (limit->step_ns <= 0 || (uint64_t)limit->step_ns % GRID != 0 || limit->burst == 0 ||
		__builtin_mul_overflow((uint64_t)limit->step_ns, limit->burst, &window) || window > INT64_MAX) {
		return false;
	}
	/* A clock of an earlier generation never ran for this limit. */
	bool is_present = clock != 0 && distance(clock, generation_of(limit)) == 0;
	uint64_t arrival = is_present ? clock & ~GENERATION_MASK : 0;
	uint64_t now = instant & ~GENERATION_MASK;
	uint64_t taken = arrival > now ? arrival - now : 0;
	*ret_view = (struct view){
		.rest = (int64_t)(instant - now),
		.now = now,
		.window = window,
		.step = (uint64_t)limit->step_ns,
		.taken = taken < window ? taken : window,
		.arrival = arrival,
	};
	return true;
}

enum lk_limit_answer lk_limit_take(const struct lk_limit *limit, uint64_t clock, uint64_t cost, int64_t now_ns,
	uint64_t *ret_clock, struct lk_limit_standing *ret_standing)
{
	struct view view;

	if (clock != 0 && is_ahead(distance(clock, generation_of(limit)))) {
		return LK_LIMIT_MOVED;
	}
	if (!look(limit, clock, now_ns, &view)) {
		*ret_standing = (struct lk_limit_standing){.retry_ns = -1};
		return LK_LIMIT_REFUSES;
	}
	uint64_t room = view.window - view.taken;
	/* Within the burst, the product is within the window. */
	uint64_t needed = cost <= limit->burst ? cost * view.step : UINT64_MAX;
	bool passes = needed <= room;
	uint64_t taken = passes ? view.taken + needed : view.taken;
	*ret_standing = (struct lk_limit_standing){
		.remaining = (view.window - taken) / view.step,
		.reset_ns = taken == 0 ? 0 : (int64_t)taken - view.rest,
	};
	if (passes) {
		*ret_clock = (view.now + taken) | generation_of(limit);
		return LK_LIMIT_PASSES;
	}
	ret_standing->retry_ns = cost <= limit->burst ? (int64_t)(needed - room) - view.rest : -1;
	return LK_LIMIT_REFUSES;
}

bool lk_limit_settle(const struct lk_limit *limit, uint64_t clock, int64_t now_ns, uint64_t *ret_clock)
{
	struct view view;

	if (!look(limit, clock, now_ns, &view) || view.arrival <= view.now + view.window ||
		view.arrival - view.now - view.window <= (uint64_t)LK_LIMIT_SLACK_NS) {
		return false;
	}
	*ret_clock = (view.now + view.window) | generation_of(limit);
	return true;
}

bool lk_limit_give_back(
	const struct lk_limit *limit, uint64_t clock, uint64_t cost, int64_t elapsed_ns, uint64_t *ret_clock)
{
	uint64_t elapsed = elapsed_ns > 0 ? (uint64_t)elapsed_ns : 0;
	uint64_t charged = 0;

	if (clock == 0 || distance(clock, generation_of(limit)) != 0 || limit->step_ns <= 0 ||
		__builtin_mul_overflow((uint64_t)limit->step_ns, cost, &charged) || charged <= elapsed) {
		return false;
	}
	/* Rounded down, to the grid. */
	uint64_t back = (charged - elapsed) & ~GENERATION_MASK;
	uint64_t arrival = clock & ~GENERATION_MASK;
	if (back == 0 || back > arrival) {
		return false;
	}
	*ret_clock = (arrival - back) | generation_of(limit);
	return true;
}

/* The path of a member of the list's item `i`. */
static const char *path_of(struct lk_faults *faults, const char *field, size_t i, const char *member)
{
	const char *path = lk_arena_printf(faults->arena, "%s[%zu].%s", field, i, member);

	return path == NULL ? field : path;
}

bool lk_limit_is_name(const char *name)
{
	size_t len = strspn(name, name_characters);

	return len > 0 && len <= LK_LIMIT_NAME_MAX && name[len] == '\0';
}

static void check_name(struct lk_faults *faults, const char *field, Latchkey__V1__RateLimit *const *list, size_t at)
{
	const char *name = list[at]->name;
	const char *path = path_of(faults, field, at, "name");

	if (!lk_limit_is_name(name)) {
		lk_fault_add(faults, path, "%s is no name of a limit: give 1 to %d of a-z, 0-9, '_' and '-'",
			lk_text_quote(faults->arena, name), LK_LIMIT_NAME_MAX);
		return;
	}
	for (size_t i = 0; i < at; i++) {
		if (strcmp(list[i]->name, name) == 0) {
			lk_fault_add(faults, path, "\"%s\" is given twice: give each limit a name of its own", name);
			return;
		}
	}
}

/* The period in microseconds; 0 where it is a fault. */
static int64_t check_period(struct lk_faults *faults, const char *path, const Google__Protobuf__Duration *period)
{
	static const char wanted[] = "give 1 second to 366 days, for example \"86400s\"";
	int64_t us = 0;

	if (period == NULL) {
		lk_fault_add(faults, path, "is needed: %s", wanted);
		return 0;
	}
	if (!lk_time_from_duration(period, &us)) {
		lk_fault_add(faults, path, "%lld s and %d ns is no Duration: %s", (long long)period->seconds,
			period->nanos, wanted);
		return 0;
	}
	if (us < period_min_us || us > period_max_us) {
		char text[LK_SPAN_TEXT_LEN];
		lk_time_format_span(us, text);
		lk_fault_add(faults, path, "%s is too %s: %s", text, us < period_min_us ? "short" : "long", wanted);
		return 0;
	}
	return us;
}

/* `period_us` 0: it is a fault already, and no measure for this one. */
static void check_limit(struct lk_faults *faults, const char *path, uint64_t limit, int64_t period_us)
{
	if (limit == 0 || limit > LK_LIMIT_MAX) {
		lk_fault_add(
			faults, path, "%llu is out of bounds: give 1 to %d", (unsigned long long)limit, LK_LIMIT_MAX);
		return;
	}
	/* One a microsecond. */
	if (period_us != 0 && limit > (uint64_t)period_us) {
		lk_fault_add(faults, path,
			"%llu is more than 1,000,000 a second: give at most %lld, or a longer period",
			(unsigned long long)limit, (long long)period_us);
	}
}

static void check_burst(struct lk_faults *faults, const char *path, uint64_t burst, uint64_t limit)
{
	if (burst > limit) {
		lk_fault_add(faults, path, "%llu is more than the limit: give at most %llu, or 0 for that",
			(unsigned long long)burst, (unsigned long long)limit);
	}
}

static void check_item(struct lk_faults *faults, const char *field, Latchkey__V1__RateLimit *const *list, size_t at,
	Latchkey__Store__RateLimitRecord *record)
{
	const Latchkey__V1__RateLimit *item = list[at];

	check_name(faults, field, list, at);
	int64_t period_us = check_period(faults, path_of(faults, field, at, "period"), item->period);
	check_limit(faults, path_of(faults, field, at, "limit"), item->limit, period_us);
	check_burst(faults, path_of(faults, field, at, "burst"), item->burst, item->limit);
	record->name = item->name;
	record->limit = item->limit;
	record->period_us = period_us;
	record->burst = item->burst == 0 ? item->limit : item->burst;
}

bool lk_limit_check_list(struct lk_faults *faults, const char *field, Latchkey__V1__RateLimit *const *list,
	size_t count, Latchkey__Store__RateLimitRecord ***ret_records)
{
	if (count == 0) {
		*ret_records = NULL;
		return true;
	}
	Latchkey__Store__RateLimitRecord **records = lk_arena_array(faults->arena, count, sizeof(*records));
	Latchkey__Store__RateLimitRecord *all = lk_arena_array(faults->arena, count, sizeof(*all));
	if (records == NULL || all == NULL) {
		return false;
	}
	if (count > LK_LIMITS_MAX) {
		lk_fault_add(faults, field, "has %zu limits: give at most %d", count, LK_LIMITS_MAX);
	}
	for (size_t i = 0; i < count; i++) {
		latchkey__store__rate_limit_record__init(&all[i]);
		records[i] = &all[i];
		/* So that no list takes long to check. */
		if (i < LK_LIMITS_MAX) {
			check_item(faults, field, list, i, &all[i]);
		}
	}
	*ret_records = records;
	return true;
}

static unsigned generation_in(uint32_t generations, uint32_t clock)
{
	return (generations >> (GENERATION_BITS * clock)) & GENERATION_MASK;
}

static uint32_t with_generation(uint32_t generations, uint32_t clock, unsigned generation)
{
	unsigned shift = GENERATION_BITS * clock;

	return (generations & ~((uint32_t)GENERATION_MASK << shift)) |
	       ((uint32_t)(generation & GENERATION_MASK) << shift);
}

static const Latchkey__Store__RateLimitRecord *find(
	Latchkey__Store__RateLimitRecord *const *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i]->name, name) == 0) {
			return list[i]->clock < LK_LIMITS_MAX ? list[i] : NULL;
		}
	}
	return NULL;
}

/* The generation for a limit: one that goes on from the clock's present one, or one in which the clock never ran. */
static unsigned choose_generation(unsigned present, uint64_t clock, bool goes_on)
{
	unsigned ahead = distance(clock, present);

	if (clock == 0 || (ahead != 0 && !is_ahead(ahead))) {
		return present;
	}
	return present + ahead + (goes_on ? 0 : 1);
}

/* `taken`: a bit for each clock. */
static uint32_t free_clock(unsigned taken)
{
	uint32_t clock = 0;

	while ((taken >> clock & 1) != 0) {
		clock++;
	}
	return clock;
}

void lk_limit_assign_clocks(Latchkey__Store__RateLimitRecord **limits, size_t count,
	Latchkey__Store__RateLimitRecord *const *before, size_t before_count, const uint64_t *clocks,
	uint32_t *generations)
{
	unsigned taken = 0;

	/* More would have no clocks; they are a fault that was reported. */
	count = count < LK_LIMITS_MAX ? count : LK_LIMITS_MAX;
	for (size_t i = 0; i < count; i++) {
		const Latchkey__Store__RateLimitRecord *same = find(before, before_count, limits[i]->name);
		taken |= same == NULL ? 0 : 1U << same->clock;
	}
	for (size_t i = 0; i < count; i++) {
		const Latchkey__Store__RateLimitRecord *same = find(before, before_count, limits[i]->name);
		uint32_t clock = same != NULL ? same->clock : free_clock(taken);
		unsigned present = same != NULL ? same->generation : generation_in(*generations, clock);
		uint64_t word = clocks == NULL ? 0 : clocks[clock];
		taken |= 1U << clock;
		*generations = with_generation(*generations, clock, choose_generation(present, word, same != NULL));
		limits[i]->clock = clock;
		limits[i]->generation = generation_in(*generations, clock);
	}
}

/* What a unit takes, on the grid; 0 where it is no limit. */
static int64_t step_of(uint64_t limit, int64_t period_us)
{
	if (limit == 0 || period_us <= 0 || period_us > period_max_us) {
		return 0;
	}
	uint64_t period = (uint64_t)period_us * LK_NS_PER_US;
	uint64_t step = period / limit + (period % limit == 0 ? 0 : 1);
	return (int64_t)((step + GENERATION_MASK) & ~GENERATION_MASK);
}

struct lk_limit lk_limit_of_record(const Latchkey__Store__RateLimitRecord *record)
{
	struct lk_limit limit = {
		.limit = record->limit,
		.burst = record->burst,
		.step_ns = step_of(record->limit, record->period_us),
		.clock = (uint8_t)(record->clock % LK_LIMITS_MAX),
		.generation = (uint8_t)(record->generation & GENERATION_MASK),
	};

	memcpy(limit.name, record->name, strnlen(record->name, sizeof(limit.name)));
	return limit;
}

Latchkey__V1__RateLimit **lk_limit_to_api(
	struct lk_arena *arena, Latchkey__Store__RateLimitRecord *const *records, size_t count)
{
	if (count == 0) {
		return NULL;
	}
	Latchkey__V1__RateLimit **list = lk_arena_array(arena, count, sizeof(*list));
	Latchkey__V1__RateLimit *all = lk_arena_array(arena, count, sizeof(*all));
	if (list == NULL || all == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		latchkey__v1__rate_limit__init(&all[i]);
		all[i].name = records[i]->name;
		all[i].limit = records[i]->limit;
		all[i].period = lk_time_to_duration(arena, records[i]->period_us);
		all[i].burst = records[i]->burst;
		list[i] = &all[i];
	}
	return arena->exhausted ? NULL : list;
}

#include "server/store/slots.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/core/time.h"
#include "server/store/lines.h"

_Static_assert(sizeof(struct lk_slot) == 64, "a slot is a line");

/* Line n is slot n. */
struct lk_slots {
	struct lk_lines lines;
};

static const struct lk_lines_kind kind = {
	.file = "slots.mmap",
	.magic = {'L', 'K', 'S', 'L', 'O', 'T', 'S', '1'},
	.schema = 1,
	.line_len = sizeof(struct lk_slot),
	.step = (uint64_t)64 << 20,
	.missing = "missing, so usage counts are lost; restore it together with its store",
	.cut = "shorter than its store needs, so usage counts are lost; restore both from one backup",
	.wrong = "not a file of slots; restore it together with its store",
	.foreign = "belongs to another store; restore it together with its store",
	.too_few = "has more slots than max_slots allows: raise it to at least what it was",
	.too_many = "max_slots is more than memory has addresses: lower it",
};

enum lk_err lk_slots_open(int dir, bool make, const uint8_t store_id[static LK_STORE_ID_LEN], uint64_t last_slot,
	uint64_t max_slots, struct lk_slots **ret_slots, char ret_message[static LK_STORE_MESSAGE_LEN])
{
	struct lk_slots *slots = calloc(1, sizeof *slots);

	if (slots == NULL) {
		(void)snprintf(ret_message, LK_STORE_MESSAGE_LEN, "%s: no memory", kind.file);
		return LK_NO_MEMORY;
	}
	enum lk_err err = lk_lines_open(&slots->lines, &kind, dir, make, store_id, last_slot, max_slots, ret_message);
	if (err != LK_OK) {
		lk_slots_close(slots);
		return err;
	}
	*ret_slots = slots;
	return LK_OK;
}

enum lk_err lk_slots_attach(
	int dir, uint64_t max_slots, struct lk_slots **ret_slots, char ret_message[static LK_STORE_MESSAGE_LEN])
{
	struct lk_slots *slots = calloc(1, sizeof *slots);

	if (slots == NULL) {
		(void)snprintf(ret_message, LK_STORE_MESSAGE_LEN, "%s: no memory", kind.file);
		return LK_NO_MEMORY;
	}
	enum lk_err err = lk_lines_attach(&slots->lines, &kind, dir, max_slots, ret_message);
	if (err != LK_OK) {
		lk_slots_close(slots);
		return err;
	}
	*ret_slots = slots;
	return LK_OK;
}

enum lk_err lk_slots_check_owner(const struct lk_slots *slots, const uint8_t store_id[static LK_STORE_ID_LEN],
	uint64_t last_slot, char ret_message[static LK_STORE_MESSAGE_LEN])
{
	return lk_lines_check_owner(&slots->lines, store_id, last_slot, ret_message);
}

bool lk_slots_are_live(const struct lk_slots *slots)
{
	return lk_lines_are_live(&slots->lines);
}

void lk_slots_name_files(struct lk_slots *slots, uint64_t data, uint64_t lock)
{
	lk_lines_name_files(&slots->lines, (const uint64_t[LK_LINES_FILES]){data, lock});
}

void lk_slots_close(struct lk_slots *slots)
{
	if (slots == NULL) {
		return;
	}
	lk_lines_close(&slots->lines);
	free(slots);
}

enum lk_err lk_slots_reserve(struct lk_slots *slots, uint64_t last_slot)
{
	return lk_lines_reserve(&slots->lines, last_slot);
}

struct lk_slot *lk_slots_at(const struct lk_slots *slots, uint64_t slot)
{
	return lk_lines_at(&slots->lines, slot);
}

void lk_slots_use(struct lk_slots *slots, uint64_t slot, int64_t now_us)
{
	struct lk_slot *line = lk_slots_at(slots, slot);

	if (line == NULL) {
		return;
	}
	int64_t last = atomic_load_explicit(&line->last_used_us, memory_order_relaxed);

	atomic_fetch_add_explicit(&line->usage_count, 1, memory_order_relaxed);
	/* The newest wins, whatever the order in which verifiers come here. What is no time at all goes. */
	while ((last < now_us || last > LK_TIME_MAX_US) &&
		!atomic_compare_exchange_weak_explicit(
			&line->last_used_us, &last, now_us, memory_order_relaxed, memory_order_relaxed)) {
	}
}

void lk_slots_fetch(const struct lk_slots *slots, uint64_t slot)
{
	const struct lk_slot *line = lk_slots_at(slots, slot);

	if (line != NULL) {
		__builtin_prefetch(line, 1);
	}
}

struct lk_usage lk_slots_usage(const struct lk_slots *slots, uint64_t slot)
{
	const struct lk_slot *line = lk_slots_at(slots, slot);

	if (line == NULL) {
		return (struct lk_usage){0};
	}
	int64_t last = atomic_load_explicit(&line->last_used_us, memory_order_relaxed);
	return (struct lk_usage){
		.count = atomic_load_explicit(&line->usage_count, memory_order_relaxed),
		/* Others can write here: what no Timestamp may hold would make unreadable what it is part of. */
		.last_used_us = last < 0 || last > LK_TIME_MAX_US ? 0 : last,
	};
}

struct lk_spending lk_slots_spending(const struct lk_slots *slots, uint64_t slot)
{
	const struct lk_slot *line = lk_slots_at(slots, slot);
	struct lk_spending spending = {0};

	if (line == NULL) {
		return spending;
	}
	for (size_t i = 0; i < LK_SLOT_CLOCKS; i++) {
		spending.clocks[i] = atomic_load_explicit(&line->clocks[i], memory_order_relaxed);
	}
	spending.spent = atomic_load_explicit(&line->spent, memory_order_relaxed);
	return spending;
}

enum lk_err lk_slots_sync(struct lk_slots *slots)
{
	return lk_lines_sync(&slots->lines);
}

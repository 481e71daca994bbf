#include "server/rpc/refusals.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "server/core/time.h"
#include "server/store/audit_scan.h"
#include "server/store/change.h"

/* A power of two; more than a burst, so that it fills up only where nothing can be written. */
#define RING_LEN ((size_t)256)
/* A power of two: callers are told apart as far as their hashes fall into different ones. */
#define ACTORS ((size_t)64)
/* The most that are written in one Change. */
#define BATCH_MOST ((size_t)64)

/*
 * A bounded queue of many producers (D. Vyukov, https://www.1024cores.net/home/lock-free-algorithms/queues/bounded-mpmc-queue):
 * each cell's sequence says whose turn it is. It is `at` for whoever puts in number `at`, `at + 1` for whoever takes it out.
 */
struct cell {
	atomic_size_t sequence;
	struct lk_refusal refusal;
};

struct lk_refusals {
	struct cell cells[RING_LEN];
	atomic_size_t end;
	/* Those that were counted and not noted. */
	atomic_uint_fast64_t left_out;
	/* The times, on CLOCK_MONOTONIC, at which the bounds are as if nobody had called: see charge(). */
	atomic_int_fast64_t all_us;
	atomic_int_fast64_t actors_us[ACTORS];

	/* The builder's own. */
	size_t begin;
	struct lk_refusal batch[BATCH_MOST];
	size_t batch_len;
	uint64_t batch_left_out;
	/* The newest audit record among which the batch is not: where it is written, it stands behind. */
	uint64_t batch_behind;
};

enum lk_err lk_refusals_new(struct lk_refusals **ret_refusals)
{
	struct lk_refusals *refusals = calloc(1, sizeof *refusals);

	if (refusals == NULL) {
		return LK_NO_MEMORY;
	}
	for (size_t i = 0; i < RING_LEN; i++) {
		atomic_init(&refusals->cells[i].sequence, i);
	}
	*ret_refusals = refusals;
	return LK_OK;
}

void lk_refusals_free(struct lk_refusals *refusals)
{
	free(refusals);
}

/*
 * Takes one out of a bucket that holds `burst` and gets `rate` a second, kept as the instant at which it is full again; false
 * where it is empty. (The generic cell rate algorithm.)
 */
static bool charge(atomic_int_fast64_t *full_us, int64_t now_us, int64_t rate, int64_t burst)
{
	int64_t step_us = LK_US_PER_SECOND / rate;
	int_fast64_t before_us = atomic_load(full_us);
	int64_t after_us = 0;

	do {
		after_us = (before_us > now_us ? before_us : now_us) + step_us;
		if (after_us - now_us > burst * step_us) {
			return false;
		}
	} while (!atomic_compare_exchange_weak(full_us, &before_us, after_us));
	return true;
}

/* FNV-1a. A name, or else the address without the port, which is another at each call. */
static size_t bucket_of(const struct lk_refusal *refusal)
{
	const char *text = refusal->actor;
	size_t len = strlen(text);
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (len == 0) {
		const char *port = strrchr(refusal->peer, ':');
		text = refusal->peer;
		len = port == NULL ? strlen(text) : (size_t)(port - text);
	}
	for (size_t i = 0; i < len; i++) {
		hash = (hash ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
	}
	return (size_t)(hash ^ hash >> 32) % ACTORS;
}

static bool put(struct lk_refusals *refusals, const struct lk_refusal *refusal)
{
	size_t at = atomic_load_explicit(&refusals->end, memory_order_relaxed);
	struct cell *cell = NULL;

	for (;;) {
		cell = &refusals->cells[at % RING_LEN];
		size_t sequence = atomic_load_explicit(&cell->sequence, memory_order_acquire);
		if (sequence == at) {
			if (atomic_compare_exchange_weak_explicit(
				    &refusals->end, &at, at + 1, memory_order_relaxed, memory_order_relaxed)) {
				break;
			}
		} else if (sequence < at) {
			/* What was put in a whole round before is still there. */
			return false;
		} else {
			at = atomic_load_explicit(&refusals->end, memory_order_relaxed);
		}
	}
	cell->refusal = *refusal;
	atomic_store_explicit(&cell->sequence, at + 1, memory_order_release);
	return true;
}

static bool take(struct lk_refusals *refusals, struct lk_refusal *ret_refusal)
{
	struct cell *cell = &refusals->cells[refusals->begin % RING_LEN];

	if (atomic_load_explicit(&cell->sequence, memory_order_acquire) != refusals->begin + 1) {
		return false;
	}
	*ret_refusal = cell->refusal;
	atomic_store_explicit(&cell->sequence, refusals->begin + RING_LEN, memory_order_release);
	refusals->begin++;
	return true;
}

void lk_refusals_note(struct lk_refusals *refusals, const struct lk_refusal *refusal, int64_t clock_us)
{
	bool noted = charge(&refusals->actors_us[bucket_of(refusal)], clock_us, LK_REFUSALS_ACTOR_RATE,
			     LK_REFUSALS_ACTOR_BURST) &&
		     charge(&refusals->all_us, clock_us, LK_REFUSALS_RATE, LK_REFUSALS_BURST) && put(refusals, refusal);

	if (!noted) {
		atomic_fetch_add(&refusals->left_out, 1);
	}
}

/* Whether a record is that of the batch's first refusal: no other has its number, its time, and all the rest. */
static bool is_first_of_batch(const struct lk_refusals *refusals, const Latchkey__Store__AuditRecord *record)
{
	const struct lk_refusal *first = &refusals->batch[0];

	return record->code == lk_err_wire_code(first->code) && record->time_us == first->time_us &&
	       record->left_out_count == refusals->batch_left_out && strcmp(record->method, first->method) == 0 &&
	       strcmp(record->actor, first->actor) == 0 && strcmp(record->peer, first->peer) == 0;
}

/* Whether the batch was written. It is handed to the writer at once, so that little else is written meanwhile. */
static enum lk_err look_for_batch(struct lk_refusals *refusals, struct lk_txn *txn, bool *ret_written)
{
	struct lk_arena scratch = {0};
	uint64_t last = lk_txn_head(txn)->last_audit;
	enum lk_err err = lk_arena_init(&scratch, (size_t)16 << 10, (size_t)4 << 20);

	*ret_written = false;
	for (uint64_t number = refusals->batch_behind + 1; err == LK_OK && number <= last && !*ret_written; number++) {
		lk_arena_reset(&scratch);
		const Latchkey__Store__AuditRecord *record = lk_audit_find(txn, &scratch, number);
		*ret_written = record != NULL && is_first_of_batch(refusals, record);
		err = lk_txn_err(txn);
	}
	lk_arena_done(&scratch);
	/* Whatever is still to come stands behind what was looked at. */
	refusals->batch_behind = last;
	return err;
}

static void take_batch(struct lk_refusals *refusals, struct lk_txn *txn)
{
	refusals->batch_len = 0;
	while (refusals->batch_len < BATCH_MOST && take(refusals, &refusals->batch[refusals->batch_len])) {
		refusals->batch_len++;
	}
	refusals->batch_behind = lk_txn_head(txn)->last_audit;
	refusals->batch_left_out = refusals->batch_len == 0 ? 0 : atomic_exchange(&refusals->left_out, 0);
}

static void add(struct lk_arena *arena, Latchkey__Store__Change *change, struct lk_refusal *refusal, uint64_t left_out)
{
	Latchkey__Store__NoteRefusal *note = lk_arena_alloc(arena, sizeof *note);

	if (note == NULL) {
		return;
	}
	latchkey__store__note_refusal__init(note);
	note->time_us = refusal->time_us;
	note->actor = refusal->actor;
	note->method = (char *)(uintptr_t)refusal->method;
	note->peer = refusal->peer;
	note->traceparent = refusal->traceparent;
	note->tenant = refusal->tenant;
	note->code = lk_err_wire_code(refusal->code);
	note->left_out_count = left_out;
	lk_change_note_refusal(arena, change, note);
}

enum lk_err lk_refusals_build(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change)
{
	struct lk_refusals *refusals = context;
	bool written = true;

	(void)now_us;
	if (refusals->batch_len > 0) {
		enum lk_err err = look_for_batch(refusals, txn, &written);
		if (err != LK_OK) {
			return err;
		}
	}
	if (written) {
		take_batch(refusals, txn);
	}
	for (size_t i = 0; i < refusals->batch_len; i++) {
		add(arena, change, &refusals->batch[i], i == 0 ? refusals->batch_left_out : 0);
	}
	return arena->exhausted ? LK_NO_MEMORY : lk_txn_err(txn);
}

#include "server/store/job.h"

#include <string.h>

#include "server/store/change.h"
#include "server/store/find.h"

/* The most jobs that one Change removes. */
#define REMOVE_MOST 100

/* The keyspaces of the keys of one part: mostly one, or a few in turn. */
struct keyspaces {
	Latchkey__Store__KeyspaceRecord *records[16];
	size_t count;
};

/* Reads a keyspace, once where that can be, and makes the Change depend on it. NULL where an error sticks. */
static const Latchkey__Store__KeyspaceRecord *keyspace_of(struct lk_txn *txn, struct lk_arena *arena,
	struct keyspaces *known, uint32_t number, Latchkey__Store__Change *change)
{
	for (size_t i = 0; i < known->count; i++) {
		if (known->records[i]->number == number) {
			return known->records[i];
		}
	}
	Latchkey__Store__KeyspaceRecord *record = lk_find_keyspace_by_number(txn, arena, number);
	if (record != NULL) {
		lk_change_expect_keyspace(arena, change, record->tenant, record->id, record->revision);
		known->records[known->count % (sizeof known->records / sizeof known->records[0])] = record;
		known->count += known->count < sizeof known->records / sizeof known->records[0];
	}
	return record;
}

/* Whether the key is as it was when it was selected, as far as who began it may tell. */
static bool is_owned(const Latchkey__Store__KeyRecord *key, const char *owner)
{
	return owner[0] == '\0' || strcmp(key->owner, owner) == 0;
}

void lk_job_revoke(struct lk_txn *txn, struct lk_arena *arena, const uint64_t *slots, size_t count, const char *reason,
	const char *owner, Latchkey__Store__Change *change)
{
	struct keyspaces known = {0};

	for (size_t i = 0; i < count && lk_txn_err(txn) == LK_OK && !arena->exhausted; i++) {
		Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(txn, arena, slots[i]);
		if (key == NULL || key->state == LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED) {
			/* That does not change any more. */
			continue;
		}
		lk_change_expect_key(arena, change, key->slot, key->revision);
		if (!is_owned(key, owner)) {
			continue;
		}
		const Latchkey__Store__KeyspaceRecord *keyspace = keyspace_of(
			txn, arena, &known, key->keyspace, change);
		if (keyspace == NULL || keyspace->closed) {
			continue;
		}
		if (keyspace->policy->revoke_deletes) {
			lk_change_delete_key(arena, change, key->slot);
			continue;
		}
		key->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
		key->revoke_reason = (char *)(uintptr_t)reason;
		key->update_us = change->time_us;
		lk_change_put_key(arena, change, key);
	}
}

Latchkey__Store__JobPartRecord *lk_job_part_new(struct lk_arena *arena, uint64_t *slots, size_t count)
{
	Latchkey__Store__JobPartRecord *part = lk_arena_alloc(arena, sizeof *part);

	if (part == NULL) {
		return NULL;
	}
	latchkey__store__job_part_record__init(part);
	for (size_t i = count; i-- > 1;) {
		slots[i] -= slots[i - 1];
	}
	part->n_slot_steps = count;
	part->slot_steps = slots;
	return part;
}

void lk_job_step(struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__JobRecord *job,
	Latchkey__Store__Change *change)
{
	Latchkey__Store__JobPartRecord *part = lk_find_job_part(txn, arena, job->number, job->next_part);

	if (part == NULL) {
		lk_txn_fail(txn, arena->exhausted ? LK_NO_MEMORY : LK_CORRUPT);
		return;
	}
	uint64_t *slots = part->slot_steps;
	for (size_t i = 1; i < part->n_slot_steps; i++) {
		slots[i] += slots[i - 1];
	}
	lk_change_expect_job(arena, change, job->number, job->revision);
	lk_job_revoke(txn, arena, slots, part->n_slot_steps, job->reason, job->owner, change);
	lk_change_delete_job_part(arena, change, job->number, job->next_part);
	job->next_part++;
	job->done += part->n_slot_steps;
	job->update_us = now_us;
	lk_change_put_job(arena, change, job);
}

bool lk_job_is_done(const Latchkey__Store__JobRecord *job)
{
	return job->next_part >= job->parts;
}

/* Reads the job where a walk stands; NULL where an error sticks. */
static Latchkey__Store__JobRecord *job_at(struct lk_txn *txn, struct lk_arena *arena, const struct lk_walk *walk)
{
	struct lk_value value = lk_walk_value(walk);
	Latchkey__Store__JobRecord *job = latchkey__store__job_record__unpack(&arena->allocator, value.len, value.data);

	if (job == NULL) {
		lk_txn_fail(txn, arena->exhausted ? LK_NO_MEMORY : LK_CORRUPT);
	}
	return job;
}

bool lk_job_too_many(struct lk_txn *txn, struct lk_arena *arena)
{
	const struct lk_key first = lk_key_u64(0);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_JOB);
	size_t open = 0;

	for (bool more = lk_walk_seek(walk, &first); more && open < LK_JOB_MOST; more = lk_walk_next(walk)) {
		const Latchkey__Store__JobRecord *job = job_at(txn, arena, walk);
		if (job == NULL) {
			break;
		}
		open += !lk_job_is_done(job);
	}
	lk_walk_free(walk);
	return open >= LK_JOB_MOST;
}

enum lk_err lk_job_chore_init(struct lk_store *store, struct lk_job_chore *ret_chore)
{
	struct lk_txn *snapshot = NULL;
	enum lk_err err = lk_snapshot_new(store, &snapshot);

	if (err == LK_OK) {
		err = lk_snapshot_begin(snapshot);
	}
	if (err == LK_OK) {
		ret_chore->inherited = lk_txn_head(snapshot)->last_job;
		err = lk_txn_err(snapshot);
	}
	lk_snapshot_free(snapshot);
	return err;
}

/*
 * Whether nobody waits for the job any more, though it is not done. A clock that was set back must not hold it up: an instant
 * that is still to come counts as long ago.
 */
static bool is_left(const struct lk_job_chore *chore, const Latchkey__Store__JobRecord *job, int64_t now_us)
{
	bool is_old = now_us < job->update_us || now_us - job->update_us >= LK_JOB_LEFT_US;

	return !lk_job_is_done(job) && (job->number <= chore->inherited || is_old);
}

static bool is_over(const Latchkey__Store__JobRecord *job, int64_t now_us)
{
	return lk_job_is_done(job) && now_us - job->update_us >= LK_JOB_KEPT_US;
}

/* Does the next part of a job that was left, in the name of who began it. */
static void finish(
	struct lk_txn *txn, struct lk_arena *arena, Latchkey__Store__JobRecord *job, Latchkey__Store__Change *change)
{
	change->actor = job->actor;
	change->method = job->method;
	change->peer = job->peer;
	lk_job_step(txn, arena, change->time_us, job, change);
}

enum lk_err lk_job_build(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change)
{
	const struct lk_job_chore *chore = context;
	const struct lk_key first = lk_key_u64(0);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_JOB);
	Latchkey__Store__JobRecord *left = NULL;
	const Latchkey__Store__JobRecord *over[REMOVE_MOST];
	size_t n_over = 0;

	for (bool more = lk_walk_seek(walk, &first); more && left == NULL; more = lk_walk_next(walk)) {
		Latchkey__Store__JobRecord *job = job_at(txn, arena, walk);
		if (job == NULL) {
			break;
		}
		if (is_left(chore, job, now_us)) {
			left = job;
		} else if (is_over(job, now_us) && n_over < REMOVE_MOST) {
			over[n_over++] = job;
		}
	}
	lk_walk_free(walk);
	if (left != NULL) {
		finish(txn, arena, left, change);
	}
	for (size_t i = 0; left == NULL && i < n_over; i++) {
		lk_change_expect_job(arena, change, over[i]->number, over[i]->revision);
		lk_change_delete_job(arena, change, over[i]->number);
	}
	return arena->exhausted ? LK_NO_MEMORY : lk_txn_err(txn);
}

/*
 * Jobs: bulk work that is too much for one commit. What a job is about is fixed when it begins: slots, in parts that stand in
 * table `job_part` until they are done. Each part is one Change, with the audit records of all that it does.
 *
 * The caller who began a job has its parts done, one a call. What a caller leaves, and what a daemon that stopped left, a chore
 * does; and once a job has been done for an hour, it removes it.
 */
#ifndef LK_SERVER_STORE_JOB_H
#define LK_SERVER_STORE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/store/chores.h"
#include "server/store/txn.h"

/* The most keys of one part. */
#define LK_JOB_PART 500
/* A job whose caller has not come back for so long is left. */
#define LK_JOB_LEFT_US INT64_C(10000000)
/* How long a job that is done is kept, so that the last page_token still answers. */
#define LK_JOB_KEPT_US INT64_C(3600000000)
/* The most jobs that may be under way: each holds the slots of its keys. */
#define LK_JOB_MOST 64

/*
 * Adds to `change` what revokes the keys in these slots, or deletes them where their keyspace's policy wants that, and what that
 * depends on. A key that is gone by now, revoked, or of a closed keyspace is passed over, and so is one of another owner than
 * `owner` where that is not "". `reason` is borrowed. Errors stick to `txn` and the arena.
 */
void lk_job_revoke(struct lk_txn *txn, struct lk_arena *arena, const uint64_t *slots, size_t count, const char *reason,
	const char *owner, Latchkey__Store__Change *change);

/* A part of `count` slots, ascending: takes them over, and turns them into steps in place. NULL where the arena is exhausted. */
Latchkey__Store__JobPartRecord *lk_job_part_new(struct lk_arena *arena, uint64_t *slots, size_t count);

/*
 * Adds to `change` the next part of `job`, which is not done yet, and the job as it stands then; alters `job`, which was read
 * from `txn`, so. Errors stick to `txn` and the arena; a part that is not there is LK_CORRUPT.
 */
void lk_job_step(struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__JobRecord *job,
	Latchkey__Store__Change *change);

/* Whether all parts of a job are done. */
bool lk_job_is_done(const Latchkey__Store__JobRecord *job);

/* Whether so many jobs are under way that no further one is to begin. Errors stick to `txn`. */
bool lk_job_too_many(struct lk_txn *txn, struct lk_arena *arena);

/* What the chore of jobs knows: the jobs up to this number began before the daemon did, and their callers are not waited for. */
struct lk_job_chore {
	uint64_t inherited;
};

/* LK_RESOURCE_EXHAUSTED, LK_NO_MEMORY, and errors of the environment. */
LK_MUST_CHECK enum lk_err lk_job_chore_init(struct lk_store *store, struct lk_job_chore *ret_chore);

/*
 * A chore's builder (chores.h); `context` is a struct lk_job_chore. The next part of the first job that was left, under the actor
 * who began it; or else the removal of jobs that have been done for long. LK_NO_MEMORY, and what sticks to `txn`.
 */
LK_MUST_CHECK enum lk_err lk_job_build(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change);

#endif

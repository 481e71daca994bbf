#include <string.h>

#include "server/store/apply_internal.h"
#include "server/store/find.h"

void lk_apply_put_job(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	Latchkey__Store__JobRecord *job = mutating->mutation->put_job;
	struct lk_head *head = lk_txn_head(txn);
	struct lk_value value = {0};

	job->revision = head->revision;
	if (job->number == 0) {
		job->number = ++head->last_job;
	} else {
		struct lk_key there = lk_key_u64(job->number);
		/* One that is done and gone does not come back. */
		if (!lk_txn_get(txn, LK_TABLE_JOB, &there, &value)) {
			lk_txn_fail(txn, LK_CORRUPT);
			return;
		}
	}
	struct lk_key key = lk_key_u64(job->number);
	lk_txn_put_record(txn, LK_TABLE_JOB, &key, &job->base, 0);
	mutating->job = job->number;
}

void lk_apply_put_job_part(struct lk_mutating *mutating)
{
	const Latchkey__Store__PutJobPart *part = mutating->mutation->put_job_part;

	/* It belongs to the job before it, whose number nobody knew when the Change was made. */
	if (mutating->job == 0 || part->record == NULL) {
		lk_txn_fail(mutating->txn, LK_INTERNAL);
		return;
	}
	struct lk_key key = lk_key_job_part(mutating->job, part->part);
	lk_txn_put_record(mutating->txn, LK_TABLE_JOB_PART, &key, &part->record->base, 0);
}

void lk_apply_delete_job(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	struct lk_key key = lk_key_u64(mutating->mutation->delete_job);
	struct lk_key part = {0};
	bool more = true;

	lk_txn_delete(txn, LK_TABLE_JOB, &key);
	/* What is left of its parts goes with it. Each is sought anew: a walk does not outlast a deletion. */
	while (more) {
		struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_JOB_PART);
		more = lk_walk_seek(walk, &key) && lk_walk_in(walk, &key) && lk_walk_key(walk).len <= sizeof part.data;
		if (more) {
			part.len = lk_walk_key(walk).len;
			memcpy(part.data, lk_walk_key(walk).data, part.len);
		}
		lk_walk_free(walk);
		if (more) {
			lk_txn_delete(txn, LK_TABLE_JOB_PART, &part);
		}
	}
}

void lk_apply_delete_job_part(struct lk_mutating *mutating)
{
	const Latchkey__Store__JobPartAt *at = mutating->mutation->delete_job_part;
	struct lk_key key = lk_key_job_part(at->job, at->part);

	lk_txn_delete(mutating->txn, LK_TABLE_JOB_PART, &key);
}

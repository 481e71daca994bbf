#include "server/store/apply.h"

#include "server/store/apply_internal.h"
#include "server/store/denials.h"
#include "server/store/slots.h"

/* Its audit record alone comes of it, which is written of the mutation itself. */
static void note_refusal(struct lk_mutating *mutating)
{
	mutating->audit.refusal = mutating->mutation->note_refusal;
}

static void (*const mutators[])(struct lk_mutating *mutating) = {
	[LATCHKEY__STORE__MUTATION__WHAT_PUT_TENANT] = lk_apply_put_tenant,
	[LATCHKEY__STORE__MUTATION__WHAT_PUT_KEYSPACE] = lk_apply_put_keyspace,
	[LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY] = lk_apply_put_key,
	[LATCHKEY__STORE__MUTATION__WHAT_DELETE_KEY] = lk_apply_delete_key,
	[LATCHKEY__STORE__MUTATION__WHAT_DELETE_KEYSPACE] = lk_apply_delete_keyspace,
	[LATCHKEY__STORE__MUTATION__WHAT_DELETE_TENANT] = lk_apply_delete_tenant,
	[LATCHKEY__STORE__MUTATION__WHAT_FOLD_USE] = lk_apply_fold_use,
	[LATCHKEY__STORE__MUTATION__WHAT_NOTE_REFUSAL] = note_refusal,
	[LATCHKEY__STORE__MUTATION__WHAT_PUT_JOB] = lk_apply_put_job,
	[LATCHKEY__STORE__MUTATION__WHAT_DELETE_JOB] = lk_apply_delete_job,
	[LATCHKEY__STORE__MUTATION__WHAT_PUT_JOB_PART] = lk_apply_put_job_part,
	[LATCHKEY__STORE__MUTATION__WHAT_DELETE_JOB_PART] = lk_apply_delete_job_part,
	[LATCHKEY__STORE__MUTATION__WHAT_PUT_ROLE] = lk_apply_put_role,
	[LATCHKEY__STORE__MUTATION__WHAT_DELETE_ROLE] = lk_apply_delete_role,
	[LATCHKEY__STORE__MUTATION__WHAT_PUT_OWNER] = lk_apply_put_owner,
	[LATCHKEY__STORE__MUTATION__WHAT_DELETE_OWNER] = lk_apply_delete_owner,
};

static void mutate(struct lk_mutating *mutating)
{
	size_t what = (size_t)mutating->mutation->what_case;

	if (what >= sizeof(mutators) / sizeof(mutators[0]) || mutators[what] == NULL) {
		lk_txn_fail(mutating->txn, LK_INTERNAL);
		return;
	}
	mutators[what](mutating);
}

static bool takes_slot(const Latchkey__Store__Mutation *mutation)
{
	return (mutation->what_case == LATCHKEY__STORE__MUTATION__WHAT_PUT_KEY && mutation->put_key->slot == 0) ||
	       (mutation->what_case == LATCHKEY__STORE__MUTATION__WHAT_PUT_OWNER && mutation->put_owner->slot == 0);
}

static bool is_new_keyspace(const Latchkey__Store__Mutation *mutation)
{
	return mutation->what_case == LATCHKEY__STORE__MUTATION__WHAT_PUT_KEYSPACE &&
	       mutation->put_keyspace->number == 0;
}

/*
 * Disk for the slots and the keyspaces' lines that the change will name, before it names them. For new ones alone: one must
 * always be able to revoke a key, also where no further slot can be had.
 */
static void reserve_lines(struct lk_txn *txn, const Latchkey__Store__Change *change)
{
	const struct lk_head *head = lk_txn_head(txn);
	struct lk_store *store = lk_txn_store(txn);
	uint64_t slots = 0;
	uint32_t keyspaces = 0;

	for (size_t i = 0; i < change->n_mutations; i++) {
		slots += takes_slot(change->mutations[i]);
		keyspaces += is_new_keyspace(change->mutations[i]);
	}
	if (slots > 0) {
		lk_txn_fail(txn, lk_slots_reserve(lk_store_slots(store), head->last_slot + slots));
	}
	if (slots > 0 || keyspaces > 0) {
		lk_txn_fail(txn, lk_denials_reserve(lk_store_denials(store), head->last_slot + slots,
					 head->last_keyspace + keyspaces));
	}
}

enum lk_err lk_apply_do(struct lk_txn *txn, struct lk_arena *arena, Latchkey__Store__Change *change)
{
	struct lk_mutating mutating = {.txn = txn, .arena = arena};

	reserve_lines(txn, change);
	lk_txn_head(txn)->revision++;
	for (size_t i = 0; i < change->n_mutations && lk_txn_err(txn) == LK_OK; i++) {
		mutating.mutation = change->mutations[i];
		mutating.audit = (struct lk_audit_entry){0};
		mutate(&mutating);
		bool is_audited = mutating.audit.kind != LATCHKEY__STORE__SNAPSHOT__RECORD__NOT_SET ||
				  mutating.audit.refusal != NULL;
		if (lk_txn_err(txn) == LK_OK && is_audited) {
			lk_audit_append(txn, arena, change, &mutating.audit);
		}
	}
	return lk_txn_err(txn);
}

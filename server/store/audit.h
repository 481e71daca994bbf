/*
 * The audit chain: who did what, when, and what a record was before and after, in the transaction that did it.
 *
 * Each record's hash covers the hash before it, keyed with a subkey of seal.key, so that a record that was altered, taken out or
 * put in shows; a chain that was cut off at its end shows by the head's number and hash in the log.
 */
#ifndef LK_SERVER_STORE_AUDIT_H
#define LK_SERVER_STORE_AUDIT_H

#include "latchkey/store/change.pb-c.h"
#include "server/core/arena.h"
#include "server/store/txn.h"

/* A record as it was or is; which member holds, its entry's kind says. */
union lk_audit_record {
	Latchkey__Store__TenantRecord *tenant;
	Latchkey__Store__KeyspaceRecord *keyspace;
	Latchkey__Store__KeyRecord *key;
	Latchkey__Store__RoleRecord *role;
	Latchkey__Store__OwnerRecord *owner;
};

/* One mutation: the members of `before` and `after` are NULL where there was or is none. */
struct lk_audit_entry {
	Latchkey__Store__Snapshot__RecordCase kind;
	union lk_audit_record before;
	union lk_audit_record after;
	/* A call that was refused: it changed no record, and says itself who called, and when. Else NULL. */
	const Latchkey__Store__NoteRefusal *refusal;
};

/*
 * Appends the record of one mutation of `change`, and indexes it by the key that it is about. For apply alone. Errors stick to
 * the transaction.
 */
void lk_audit_append(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Change *change,
	const struct lk_audit_entry *entry);

#endif

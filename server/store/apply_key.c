#include <lmdb.h>
#include <string.h>

#include "server/store/apply_internal.h"
#include "server/store/find.h"
#include "server/store/index.h"

/* What the verdict records rely on. */
static bool has_secrets(const Latchkey__Store__KeyRecord *key)
{
	if (key->digest.len != LK_DIGEST_LEN) {
		return false;
	}
	return key->previous_digest.len == 0 ||
	       (key->previous_digest.len == LK_DIGEST_LEN &&
		       memcmp(key->digest.data, key->previous_digest.data, LK_DIGEST_LEN) != 0);
}

/* What the uses of roles rely on: none is there twice. */
static bool has_distinct_roles(const Latchkey__Store__KeyRecord *key)
{
	for (size_t i = 0; i < key->n_roles; i++) {
		for (size_t j = 0; j < i; j++) {
			if (key->roles[i] == key->roles[j]) {
				return false;
			}
		}
	}
	return true;
}

/* What the indexes rely on. */
static bool is_same_key(const Latchkey__Store__KeyRecord *before, const Latchkey__Store__KeyRecord *after)
{
	return strcmp(before->id, after->id) == 0 && before->number == after->number &&
	       before->tenant == after->tenant && before->keyspace == after->keyspace &&
	       before->create_us == after->create_us;
}

void lk_apply_put_key(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	Latchkey__Store__KeyRecord *key = mutating->mutation->put_key;
	Latchkey__Store__KeyRecord *before = NULL;
	struct lk_head *head = lk_txn_head(txn);
	unsigned flags = 0;

	if (!has_secrets(key) || !has_distinct_roles(key)) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	key->revision = head->revision;
	if (key->slot == 0) {
		key->slot = ++head->last_slot;
		key->number = lk_index_next_key_number(txn, key->tenant);
		flags = MDB_APPEND;
	} else {
		before = lk_find_key_by_slot(txn, mutating->arena, key->slot);
		/* A key that is gone does not come back: its slot is never used again. */
		if (before == NULL || !is_same_key(before, key)) {
			lk_txn_fail(txn, before == NULL ? LK_CORRUPT : LK_INTERNAL);
			return;
		}
	}
	lk_index_move_key(txn, before, key);
	struct lk_key where = lk_key_u64(key->slot);
	lk_txn_put_record(txn, LK_TABLE_KEY, &where, &key->base, flags);
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_KEY;
	mutating->audit.before.key = before;
	mutating->audit.after.key = key;
}

void lk_apply_delete_key(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	uint64_t slot = mutating->mutation->delete_key;
	struct lk_key where = lk_key_u64(slot);
	Latchkey__Store__KeyRecord *before = lk_find_key_by_slot(txn, mutating->arena, slot);

	if (before == NULL) {
		lk_txn_fail(txn, LK_CORRUPT);
		return;
	}
	lk_index_move_key(txn, before, NULL);
	lk_txn_delete(txn, LK_TABLE_KEY, &where);
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_KEY;
	mutating->audit.before.key = before;
}

void lk_apply_fold_use(struct lk_mutating *mutating)
{
	lk_index_fold_use(mutating->txn, mutating->mutation->fold_use);
}

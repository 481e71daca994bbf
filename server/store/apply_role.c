#include <lmdb.h>
#include <string.h>

#include "server/store/apply_internal.h"
#include "server/store/find.h"
#include "server/store/index.h"

void lk_apply_put_role(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	Latchkey__Store__RoleRecord *role = mutating->mutation->put_role;
	Latchkey__Store__RoleRecord *before = NULL;
	struct lk_head *head = lk_txn_head(txn);
	unsigned flags = 0;

	role->revision = head->revision;
	if (role->number == 0) {
		if (!lk_apply_is_open(mutating, role->tenant)) {
			lk_txn_fail(txn, LK_INTERNAL);
			return;
		}
		role->number = ++head->last_role;
		lk_index_add_role(txn, role);
		flags = MDB_APPEND;
	} else {
		before = lk_find_role_by_number(txn, mutating->arena, role->number);
		/* The id stands in the verdict records of its keys. */
		if (before == NULL || strcmp(before->id, role->id) != 0 || before->tenant != role->tenant) {
			lk_txn_fail(txn, LK_INTERNAL);
			return;
		}
	}
	struct lk_key where = lk_key_u32(role->number);
	lk_txn_put_record(txn, LK_TABLE_ROLE, &where, &role->base, flags);
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_ROLE;
	mutating->audit.before.role = before;
	mutating->audit.after.role = role;
}

void lk_apply_delete_role(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	uint32_t number = mutating->mutation->delete_role;
	struct lk_key where = lk_key_u32(number);
	Latchkey__Store__RoleRecord *before = lk_find_role_by_number(txn, mutating->arena, number);

	if (before == NULL) {
		return;
	}
	/* Whoever deletes one expects that no key has it. */
	if (lk_find_role_use(txn, number) != 0) {
		lk_txn_fail(txn, LK_INTERNAL);
		return;
	}
	lk_index_remove_role(txn, before);
	lk_txn_delete(txn, LK_TABLE_ROLE, &where);
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_ROLE;
	mutating->audit.before.role = before;
}

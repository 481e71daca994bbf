#include <string.h>

#include "server/store/apply_internal.h"
#include "server/store/find.h"
#include "server/store/rules.h"

static struct lk_key place_of(uint32_t tenant, const char *owner)
{
	return lk_key_owner(tenant, owner, strlen(owner));
}

/* Whether the place is free, and its tenant there to stay; another name of the same hash would take it too. */
static bool may_add(struct lk_mutating *mutating, const Latchkey__Store__OwnerRecord *owner, const struct lk_key *place)
{
	struct lk_value value = {0};

	return lk_apply_is_open(mutating, owner->tenant) && !lk_txn_get(mutating->txn, LK_TABLE_OWNER, place, &value);
}

void lk_apply_put_owner(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	Latchkey__Store__OwnerRecord *owner = mutating->mutation->put_owner;
	Latchkey__Store__OwnerRecord *before = NULL;
	struct lk_head *head = lk_txn_head(txn);
	struct lk_key place = place_of(owner->tenant, owner->id);

	owner->revision = head->revision;
	if (owner->slot == 0) {
		if (!may_add(mutating, owner, &place)) {
			lk_txn_fail(txn, LK_INTERNAL);
			return;
		}
		owner->slot = ++head->last_slot;
		head->owners++;
	} else {
		before = lk_find_owner(txn, mutating->arena, owner->tenant, owner->id);
		if (before == NULL || before->slot != owner->slot) {
			lk_txn_fail(txn, LK_INTERNAL);
			return;
		}
	}
	lk_txn_put_record(txn, LK_TABLE_OWNER, &place, &owner->base, 0);
	lk_owner_limits_put(txn, owner);
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_OWNER;
	mutating->audit.before.owner = before;
	mutating->audit.after.owner = owner;
}

void lk_apply_delete_owner(struct lk_mutating *mutating)
{
	struct lk_txn *txn = mutating->txn;
	const Latchkey__Store__DeleteOwner *gone = mutating->mutation->delete_owner;
	struct lk_key place = place_of(gone->tenant, gone->id);
	struct lk_head *head = lk_txn_head(txn);
	Latchkey__Store__OwnerRecord *before = lk_find_owner(txn, mutating->arena, gone->tenant, gone->id);

	if (before == NULL || head->owners == 0) {
		lk_txn_fail(txn, LK_CORRUPT);
		return;
	}
	head->owners--;
	lk_txn_delete(txn, LK_TABLE_OWNER, &place);
	lk_owner_limits_remove(txn, gone->tenant, gone->id);
	mutating->audit.kind = LATCHKEY__STORE__SNAPSHOT__RECORD_OWNER;
	mutating->audit.before.owner = before;
}

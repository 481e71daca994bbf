#include "server/store/reap.h"

#include "server/store/change.h"
#include "server/store/find.h"

/* A part that is being built. */
struct part {
	struct lk_txn *txn;
	struct lk_arena *arena;
	Latchkey__Store__Change *change;
};

static bool is_full(const struct part *part)
{
	return part->change->n_mutations >= LK_REAP_PART || part->arena->exhausted || lk_txn_err(part->txn) != LK_OK;
}

static void remove_key(const struct part *part, uint64_t slot)
{
	const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(part->txn, part->arena, slot);

	if (key == NULL) {
		/* An index names it. */
		lk_txn_fail(part->txn, LK_CORRUPT);
		return;
	}
	lk_change_expect_key(part->arena, part->change, slot, key->revision);
	lk_change_delete_key(part->arena, part->change, slot);
}

/* Removes a keyspace, its keys first. False where some of it is left. */
static bool remove_keyspace(const struct part *part, uint32_t number)
{
	const struct lk_key prefix = lk_key_u32(number);
	struct lk_walk *walk = lk_walk_new(part->txn, LK_TABLE_KEY_BY_CREATE);
	bool more = lk_walk_seek(walk, &prefix) && lk_walk_in(walk, &prefix);

	while (more && !is_full(part)) {
		struct lk_value key = lk_walk_key(walk);
		if (key.len != LK_KEY_BY_CREATE_LEN) {
			lk_txn_fail(part->txn, LK_CORRUPT);
			break;
		}
		remove_key(part, lk_read_u64(key.data + key.len - sizeof(uint64_t)));
		more = lk_walk_next(walk) && lk_walk_in(walk, &prefix);
	}
	lk_walk_free(walk);
	if (is_full(part)) {
		return false;
	}
	lk_change_delete_keyspace(part->arena, part->change, number);
	return true;
}

/* Whether `number` is among the keyspaces that this Change removes. */
static bool is_removed(const struct part *part, uint32_t number)
{
	for (size_t i = 0; i < part->change->n_mutations; i++) {
		const Latchkey__Store__Mutation *mutation = part->change->mutations[i];
		if (mutation->what_case == LATCHKEY__STORE__MUTATION__WHAT_DELETE_KEYSPACE &&
			mutation->delete_keyspace == number) {
			return true;
		}
	}
	return false;
}

static void remove_role(const struct part *part, struct lk_value number)
{
	const Latchkey__Store__RoleRecord *role = number.len != sizeof(uint32_t)
							  ? NULL
							  : lk_find_role_by_number(
								    part->txn, part->arena, lk_read_u32(number.data));

	if (role == NULL) {
		lk_txn_fail(part->txn, LK_CORRUPT);
		return;
	}
	lk_change_expect_role(part->arena, part->change, role->tenant, role->id, role->revision);
	lk_change_delete_role(part->arena, part->change, role->number);
}

static void remove_owner(const struct part *part, struct lk_value packed)
{
	const Latchkey__Store__OwnerRecord *owner = latchkey__store__owner_record__unpack(
		&part->arena->allocator, packed.len, packed.data);

	if (owner == NULL) {
		lk_txn_fail(part->txn, part->arena->exhausted ? LK_NO_MEMORY : LK_CORRUPT);
		return;
	}
	lk_change_expect_owner(part->arena, part->change, owner->tenant, owner->id, owner->revision);
	lk_change_delete_owner(part->arena, part->change, owner->tenant, owner->id);
}

/* Removes what a table has of a tenant, whose number its keys begin with. False where some of it is left. */
static bool remove_all(const struct part *part, enum lk_table table, uint32_t tenant,
	void (*remove)(const struct part *part, struct lk_value value))
{
	const struct lk_key prefix = lk_key_u32(tenant);
	struct lk_walk *walk = lk_walk_new(part->txn, table);
	bool more = lk_walk_seek(walk, &prefix) && lk_walk_in(walk, &prefix);

	while (more && !is_full(part)) {
		remove(part, lk_walk_value(walk));
		more = lk_walk_next(walk) && lk_walk_in(walk, &prefix);
	}
	lk_walk_free(walk);
	return !more && !is_full(part);
}

/* Removes a tenant, its keyspaces first, whether they were closed themselves or with it; then its roles and owners. */
static void remove_tenant(const struct part *part, uint32_t number)
{
	const struct lk_key prefix = lk_key_u32(number);
	struct lk_walk *walk = lk_walk_new(part->txn, LK_TABLE_KEYSPACE_BY_ID);
	bool more = lk_walk_seek(walk, &prefix) && lk_walk_in(walk, &prefix);
	bool whole = true;

	while (more && whole) {
		struct lk_value value = lk_walk_value(walk);
		if (value.len != sizeof(uint32_t)) {
			lk_txn_fail(part->txn, LK_CORRUPT);
			break;
		}
		uint32_t keyspace = lk_read_u32(value.data);
		whole = is_removed(part, keyspace) || remove_keyspace(part, keyspace);
		more = lk_walk_next(walk) && lk_walk_in(walk, &prefix);
	}
	lk_walk_free(walk);
	/* No key is left that has a role. */
	if (whole && !is_full(part) && remove_all(part, LK_TABLE_ROLE_BY_ID, number, remove_role) &&
		remove_all(part, LK_TABLE_OWNER, number, remove_owner)) {
		lk_change_delete_tenant(part->arena, part->change, number);
	}
}

enum lk_err lk_reap_build(
	void *context, struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, Latchkey__Store__Change *change)
{
	const struct part part = {txn, arena, change};
	const struct lk_key first = lk_key_closed(false, 0);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_CLOSED);

	(void)context;
	(void)now_us;
	/* The keyspaces stand before the tenants. */
	for (bool more = lk_walk_seek(walk, &first); more && !is_full(&part); more = lk_walk_next(walk)) {
		struct lk_value key = lk_walk_key(walk);
		if (key.len != 1 + sizeof(uint32_t)) {
			lk_txn_fail(txn, LK_CORRUPT);
		} else if (key.data[0] == 0) {
			(void)remove_keyspace(&part, lk_read_u32(key.data + 1));
		} else {
			remove_tenant(&part, lk_read_u32(key.data + 1));
		}
	}
	lk_walk_free(walk);
	return arena->exhausted ? LK_NO_MEMORY : lk_txn_err(txn);
}

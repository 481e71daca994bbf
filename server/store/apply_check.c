#include <string.h>

#include "server/core/secret.h"
#include "server/store/apply.h"
#include "server/store/find.h"
#include "server/store/key_peek.h"
#include "server/store/verdict_record.h"

/* The id of one that is closed is taken until it is removed: to whoever makes a new one, it is there. */
static bool tenant_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	const Latchkey__Store__TenantAt *expected = expectation->tenant;
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant_any(txn, arena, expected->id);

	return (tenant == NULL ? 0 : tenant->revision) == expected->revision;
}

static bool keyspace_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	const Latchkey__Store__KeyspaceAt *expected = expectation->keyspace;
	const Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace_any(
		txn, arena, expected->tenant, expected->id);

	return (keyspace == NULL ? 0 : keyspace->revision) == expected->revision;
}

static bool key_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	const struct lk_key where = lk_key_u64(expectation->key->slot);
	struct lk_value value = {0};
	struct lk_key_peek key = {0};

	(void)arena;
	/* Some hundred keys of one Change are looked at so, and none is needed whole. */
	if (lk_txn_get(txn, LK_TABLE_KEY, &where, &value) && !lk_key_peek_read(value, false, &key)) {
		lk_txn_fail(txn, LK_CORRUPT);
		return false;
	}
	return key.revision == expectation->key->revision;
}

static bool name_free_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	(void)arena;
	return !lk_find_name_taken(txn, expectation->name_free->keyspace, expectation->name_free->name);
}

static bool digest_free_holds(
	struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	struct lk_verdict verdict;

	(void)arena;
	if (expectation->digest_free.len != LK_DIGEST_LEN) {
		lk_txn_fail(txn, LK_INTERNAL);
		return false;
	}
	return !lk_verdict_find(txn, expectation->digest_free.data, &verdict);
}

static bool id_free_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	(void)arena;
	return lk_find_slot_of_id(txn, expectation->id_free) == 0;
}

/* False also where there is no such keyspace any more. Of one that is closed no key lives, whatever the reaper has left to do. */
static bool is_idle(struct lk_txn *txn, uint32_t keyspace)
{
	struct lk_key key = lk_key_u32(keyspace);
	struct lk_value value = {0};
	struct lk_gate gate = {0};

	return lk_txn_get(txn, LK_TABLE_GATE, &key, &value) && lk_gate_get(txn, keyspace, &gate) &&
	       (gate.closed != 0 || gate.active + gate.suspended == 0);
}

static bool keyspace_idle_holds(
	struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	(void)arena;
	return is_idle(txn, expectation->keyspace_idle);
}

static bool tenant_idle_holds(
	struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	struct lk_key prefix = lk_key_u32(expectation->tenant_idle);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_KEYSPACE_BY_ID);
	bool idle = true;

	(void)arena;
	for (bool more = lk_walk_seek(walk, &prefix); idle && more && lk_walk_in(walk, &prefix);
		more = lk_walk_next(walk)) {
		struct lk_value number = lk_walk_value(walk);
		idle = number.len == sizeof(uint32_t) && is_idle(txn, lk_read_u32(number.data));
	}
	lk_walk_free(walk);
	return idle;
}

static bool job_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	const Latchkey__Store__JobRecord *job = lk_find_job(txn, arena, expectation->job->number);

	return (job == NULL ? 0 : job->revision) == expectation->job->revision;
}

static bool role_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	const Latchkey__Store__RoleAt *expected = expectation->role;
	const Latchkey__Store__RoleRecord *role = lk_find_role(txn, arena, expected->tenant, expected->id);

	return (role == NULL ? 0 : role->revision) == expected->revision;
}

static bool owner_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	const Latchkey__Store__OwnerAt *expected = expectation->owner;
	const Latchkey__Store__OwnerRecord *owner = lk_find_owner(txn, arena, expected->tenant, expected->id);

	return (owner == NULL ? 0 : owner->revision) == expected->revision;
}

static bool role_there_holds(
	struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	(void)arena;
	return lk_find_has_role(txn, expectation->role_there);
}

/* False also where there is no such role any more. */
static bool role_unused_holds(
	struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	(void)arena;
	return lk_find_has_role(txn, expectation->role_unused) && lk_find_role_use(txn, expectation->role_unused) == 0;
}

static bool role_room_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	(void)arena;
	return lk_find_count_roles(txn, expectation->role_room) < LK_TENANT_ROLES_MAX;
}

typedef bool (*holds_function)(
	struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation);

static const holds_function holds[] = {
	[LATCHKEY__STORE__EXPECTATION__WHAT_TENANT] = tenant_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_KEYSPACE] = keyspace_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_KEY] = key_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_NAME_FREE] = name_free_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_DIGEST_FREE] = digest_free_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_ID_FREE] = id_free_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_KEYSPACE_IDLE] = keyspace_idle_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_TENANT_IDLE] = tenant_idle_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_JOB] = job_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_ROLE] = role_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_OWNER] = owner_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_ROLE_THERE] = role_there_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_ROLE_UNUSED] = role_unused_holds,
	[LATCHKEY__STORE__EXPECTATION__WHAT_ROLE_ROOM] = role_room_holds,
};

static bool one_holds(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Expectation *expectation)
{
	size_t what = (size_t)expectation->what_case;

	if (what >= sizeof(holds) / sizeof(holds[0]) || holds[what] == NULL) {
		lk_txn_fail(txn, LK_INTERNAL);
		return false;
	}
	return holds[what](txn, arena, expectation);
}

enum lk_err lk_apply_check(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Change *change)
{
	for (size_t i = 0; i < change->n_expectations; i++) {
		if (!one_holds(txn, arena, change->expectations[i])) {
			return lk_txn_err(txn) != LK_OK ? lk_txn_err(txn) : LK_MOVED;
		}
	}
	return lk_txn_err(txn);
}

#include "server/store/bootstrap.h"

#include <string.h>

#include "server/core/grant.h"
#include "server/core/policy.h"
#include "server/store/apply.h"

static enum lk_err put(struct lk_txn *txn, struct lk_arena *arena, Latchkey__Store__Mutation *mutation, int64_t now_us)
{
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;

	change.time_us = now_us;
	change.actor = (char *)(uintptr_t) "latchkeyd";
	change.method = (char *)(uintptr_t) "make a new store";
	change.mutations = &mutation;
	change.n_mutations = 1;
	return lk_apply_do(txn, arena, &change);
}

static enum lk_err put_tenant(struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, uint32_t *ret_number)
{
	Latchkey__Store__TenantRecord tenant = LATCHKEY__STORE__TENANT_RECORD__INIT;
	Latchkey__Store__Mutation mutation = LATCHKEY__STORE__MUTATION__INIT;

	tenant.id = (char *)(uintptr_t)LK_TENANT_SYSTEM;
	tenant.display_name = (char *)(uintptr_t) "Latchkey's own";
	tenant.create_us = now_us;
	tenant.update_us = now_us;
	mutation.what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_TENANT;
	mutation.put_tenant = &tenant;
	enum lk_err err = put(txn, arena, &mutation, now_us);
	*ret_number = tenant.number;
	return err;
}

static enum lk_err put_keyspace(struct lk_txn *txn, struct lk_arena *arena, int64_t now_us, uint32_t tenant)
{
	Latchkey__Store__PolicyRecord policy = LATCHKEY__STORE__POLICY_RECORD__INIT;
	Latchkey__Store__KeyspaceRecord keyspace = LATCHKEY__STORE__KEYSPACE_RECORD__INIT;
	Latchkey__Store__Mutation mutation = LATCHKEY__STORE__MUTATION__INIT;

	policy.token_prefix = (char *)(uintptr_t)LK_ROOT_KEY_PREFIX;
	policy.display_length = (uint32_t)strlen(LK_ROOT_KEY_PREFIX) + LK_DISPLAY_EXTRA_DEFAULT;
	policy.name_required = true;
	keyspace.tenant = tenant;
	keyspace.id = (char *)(uintptr_t)LK_KEYSPACE_ROOT;
	keyspace.display_name = (char *)(uintptr_t) "Root keys";
	keyspace.policy = &policy;
	keyspace.create_us = now_us;
	keyspace.update_us = now_us;
	mutation.what_case = LATCHKEY__STORE__MUTATION__WHAT_PUT_KEYSPACE;
	mutation.put_keyspace = &keyspace;
	return put(txn, arena, &mutation, now_us);
}

enum lk_err lk_bootstrap(struct lk_txn *txn, int64_t now_us)
{
	struct lk_arena arena = {0};
	uint32_t tenant = 0;

	enum lk_err err = lk_arena_init(&arena, 16 << 10, 1 << 20);
	if (err != LK_OK) {
		return err;
	}
	err = put_tenant(txn, &arena, now_us, &tenant);
	if (err == LK_OK) {
		err = put_keyspace(txn, &arena, now_us, tenant);
	}
	lk_arena_done(&arena);
	return err;
}

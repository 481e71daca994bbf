#include "server/store/verdict_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latchkey/v1/key.pb-c.h"
#include "server/store/change.h"
#include "server/store/index.h"
#include "server/store/rules.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct lk_txn *begin(struct world *world)
{
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(world->fixture->store, &txn), LK_OK);
	return txn;
}

/* A new key whose digest begins as every other's of these tests, and ends with `last`. */
static Latchkey__Store__KeyRecord *clashing_key(struct world *world, uint8_t last)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world->arena, change, world->tenant, world->keyspace, "k");

	memset(key->digest.data, 0xc1, LK_DIGEST_LEN);
	key->digest.data[LK_DIGEST_LEN - 1] = last;
	for (uint8_t i = 0; i < last; i++) {
		lk_draft_metadata(world->arena, key, "name", "of a length that is each key's own");
	}
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return key;
}

static void assert_found(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key)
{
	struct lk_verdict verdict = {0};
	size_t len = 0;

	assert_true(lk_verdict_find(txn, key->digest.data, &verdict));
	assert_int_equal(verdict.head.slot, key->slot);
	assert_int_equal(verdict.head.state, key->state);
	const uint8_t *packed = lk_verdict_identity(&verdict, &len);
	Latchkey__V1__KeyIdentity *identity = latchkey__v1__key_identity__unpack(NULL, len, packed);
	assert_non_null(identity);
	bool same = strcmp(identity->id, key->id) == 0 && identity->number == key->number &&
		    identity->n_metadata == key->n_metadata;
	latchkey__v1__key_identity__free_unpacked(identity, NULL);
	assert_true(same);
}

static void assert_not_found(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key)
{
	struct lk_verdict verdict;

	assert_false(lk_verdict_find(txn, key->digest.data, &verdict));
	assert_int_equal(lk_txn_err(txn), LK_OK);
}

static void test_verdict_identity_is_all_that_the_reply_says(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "ci");
	char *permissions[] = {(char *)(uintptr_t) "agents:*", (char *)(uintptr_t) "chat:history"};
	struct lk_verdict verdict;
	size_t len = 0;

	key->owner = (char *)(uintptr_t) "ada";
	key->tenant_scope = true;
	key->permissions = permissions;
	key->n_permissions = COUNT(permissions);
	key->expire_us = LK_FIXTURE_TIME_US + 1;
	lk_draft_metadata(world.arena, key, "team", "a");
	lk_draft_metadata(world.arena, key, "env", "b");
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_true(lk_verdict_find(txn, key->digest.data, &verdict));
	const uint8_t *packed = lk_verdict_identity(&verdict, &len);
	Latchkey__V1__KeyIdentity *identity = latchkey__v1__key_identity__unpack(&world.arena->allocator, len, packed);
	assert_non_null(identity);
	assert_string_equal(identity->id, key->id);
	assert_int_equal(identity->number, 1);
	assert_string_equal(identity->tenant, "acme");
	assert_string_equal(identity->keyspace, "prod");
	assert_string_equal(identity->name, "ci");
	assert_string_equal(identity->owner, "ada");
	assert_int_equal(identity->scope, LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT);
	assert_int_equal(identity->n_permissions, 2);
	assert_string_equal(identity->permissions[0], "agents:*");
	assert_string_equal(identity->permissions[1], "chat:history");
	assert_int_equal(identity->n_metadata, 2);
	assert_string_equal(identity->metadata[1]->key, "env");
	assert_string_equal(identity->metadata[1]->value, "b");
	assert_int_equal(identity->expire_time->seconds, LK_FIXTURE_TIME_US / 1000000);
	assert_int_equal(identity->expire_time->nanos, 1000);
	/* What stands before it, as protobuf writes a field of a message, is its length. */
	assert_true(packed > verdict.identity);
	assert_int_equal(packed - verdict.identity + (ptrdiff_t)len, verdict.head.identity_len);
}

static void test_verdict_carries_the_grant_of_a_root_key(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "ci");
	Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;
	char *methods[] = {(char *)(uintptr_t) "keys.verify", (char *)(uintptr_t) "keys.create"};
	struct lk_verdict verdict;

	grant.methods = methods;
	grant.n_methods = COUNT(methods);
	key->grant = &grant;
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	assert_true(lk_verdict_find(lk_fixture_snapshot(world.fixture), key->digest.data, &verdict));
	Latchkey__Store__GrantRecord *read = latchkey__store__grant_record__unpack(
		&world.arena->allocator, verdict.head.grant_len, verdict.grant);
	assert_non_null(read);
	assert_int_equal(read->n_methods, 2);
	assert_string_equal(read->methods[1], "keys.create");
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_VERDICT), 1);
}

static void test_verdict_without_a_grant_has_none(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_verdict verdict;

	assert_true(lk_verdict_find(lk_fixture_snapshot(world.fixture), key->digest.data, &verdict));
	assert_int_equal(verdict.head.grant_len, 0);
}

static uint32_t make_role(struct world *world, const char *id)
{
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	Latchkey__Store__RoleRecord *role = lk_arena_alloc(world->arena, sizeof *role);

	latchkey__store__role_record__init(role);
	role->tenant = world->tenant;
	role->id = (char *)(uintptr_t)id;
	role->description = (char *)(uintptr_t) "what comes behind the id";
	lk_change_put_role(world->arena, change, role);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	return role->number;
}

/* The role's id as it stands in the identity; what stands in the rules is its number. */
static void test_verdict_carries_roles_and_rules(void **state)
{
	static const char longest[] = "r23456789-23456789-23456789-23456789-23456789-23456789-23456789";
	struct world world = world_make(state);
	uint32_t roles[] = {make_role(&world, longest), make_role(&world, "admin")};
	char *cidrs[] = {(char *)(uintptr_t) "10.0.0.0/8"};
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "ci");
	Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;
	struct lk_verdict verdict;
	struct lk_rules rules;
	size_t len = 0;

	grant.own_only = true;
	key->grant = &grant;
	key->roles = roles;
	key->n_roles = COUNT(roles);
	key->allowed_cidrs = cidrs;
	key->n_allowed_cidrs = 1;
	lk_draft_rotate(world.arena, key, LK_FIXTURE_TIME_US);
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	/* Also of the secret that was replaced: its end stands behind the rules. */
	const uint8_t *digests[] = {key->digest.data, key->previous_digest.data};
	for (size_t i = 0; i < COUNT(digests); i++) {
		assert_true(lk_verdict_find(txn, digests[i], &verdict));
		assert_int_equal(verdict.replaced_until_us, i == 0 ? 0 : LK_FIXTURE_TIME_US);
		assert_true(lk_rules_read(verdict.rules, verdict.head.rules_len, &rules));
		assert_int_equal(rules.n_roles, 2);
		assert_int_equal(lk_rules_role(&rules, 1), roles[1]);
		assert_int_equal(rules.n_cidrs, 1);
		const uint8_t *packed = lk_verdict_identity(&verdict, &len);
		Latchkey__V1__KeyIdentity *identity = latchkey__v1__key_identity__unpack(
			&world.arena->allocator, len, packed);
		assert_non_null(identity);
		assert_int_equal(identity->n_roles, 2);
		assert_string_equal(identity->roles[0], longest);
		assert_string_equal(identity->roles[1], "admin");
	}
	world_delete(&world, key->slot);
	assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_VERDICT), 0);
}

/* What a store of keys without rules holds for each: the head, the identity, and nothing else. */
static void test_verdict_without_rules_is_not_a_byte_longer(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_key where = lk_key_verdict(key->digest.data);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	struct lk_value value = {0};
	struct lk_verdict verdict;

	assert_true(lk_verdict_find(txn, key->digest.data, &verdict));
	assert_true(lk_txn_get(txn, LK_TABLE_VERDICT, &where, &value));
	assert_int_equal(value.len, sizeof(struct lk_verdict_head) + verdict.head.identity_len);
	assert_int_equal(verdict.head.rules_len, 0);
	/* The bytes of the head that say nothing of it are 0, as they were before there were rules. */
	assert_int_equal(verdict.head.reserved[0] | verdict.head.reserved[1], 0);
	const uint8_t *after_flags = value.data + offsetof(struct lk_verdict_head, flags) + 1;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(after_flags[i], 0);
	}
}

static void test_verdict_with_a_role_that_is_not_there_is_refused(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	uint32_t role = 99;
	struct lk_gate gate = {0};
	struct lk_txn *txn = begin(&world);

	key->roles = &role;
	key->n_roles = 1;
	lk_verdict_move(txn, key, key, &gate);
	assert_int_equal(lk_write_commit(txn), LK_CORRUPT);
}

static void test_verdict_with_more_rules_than_any_key_has_is_refused(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	char *cidrs[LK_CIDRS_MAX + 1];
	struct lk_gate gate = {0};
	struct lk_txn *txn = begin(&world);

	for (size_t i = 0; i < COUNT(cidrs); i++) {
		cidrs[i] = (char *)(uintptr_t) "10.0.0.0/8";
	}
	key->allowed_cidrs = cidrs;
	key->n_allowed_cidrs = COUNT(cidrs);
	lk_verdict_move(txn, key, key, &gate);
	assert_int_equal(lk_write_commit(txn), LK_INTERNAL);
}

/* What a keyspace has beside its counters stays as it is when its keys come and go. */
static void test_gate_keeps_its_list_when_keys_change(void **state)
{
	struct world world = world_make(state);
	struct lk_gate gate = {0};
	struct lk_txn *txn = begin(&world);

	assert_true(lk_gate_get(txn, world.keyspace, &gate));
	gate.has_cidrs = 1;
	lk_gate_put(txn, world.keyspace, &gate);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	world_revoke(&world, key);
	world_delete(&world, key->slot);
	assert_true(lk_gate_get(lk_fixture_snapshot(world.fixture), world.keyspace, &gate));
	assert_int_equal(gate.has_cidrs, 1);
	assert_int_equal(gate.active + gate.revoked, 0);
}

static void test_verdict_grant_larger_than_its_length_can_say_is_refused(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "ci");
	Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;
	char *method = lk_arena_alloc(world.arena, UINT16_MAX + 1);

	memset(method, 'm', UINT16_MAX);
	grant.methods = &method;
	grant.n_methods = 1;
	key->grant = &grant;
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_INTERNAL);
}

static void test_verdict_of_an_unknown_digest_is_not_there(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);

	/* The same first 8 bytes are the same key of LMDB, and not the same token. */
	key->digest.data[8] ^= 1;
	assert_not_found(txn, key);
	key->digest.data[8] ^= 1;
	key->digest.data[31] ^= 0x80;
	assert_not_found(txn, key);
	key->digest.data[31] ^= 0x80;
	key->digest.data[0] ^= 1;
	assert_not_found(txn, key);
	key->digest.data[0] ^= 1;
	assert_found(txn, key);
}

static void test_verdict_clashing_keys_are_each_found(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__KeyRecord *keys[] = {
		clashing_key(&world, 0), clashing_key(&world, 1), clashing_key(&world, 2)};
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);

	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_found(txn, keys[i]);
	}
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_VERDICT), 1);
	struct lk_verdict verdict;
	uint8_t none[LK_DIGEST_LEN];
	memcpy(none, keys[0]->digest.data, sizeof none);
	none[LK_DIGEST_LEN - 1] = 3;
	assert_false(lk_verdict_find(txn, none, &verdict));
}

static void test_verdict_replacing_one_of_clashing_keys_leaves_the_others(void **state)
{
	for (size_t replaced = 0; replaced < 3; replaced++) {
		struct world world = world_make(state);
		Latchkey__Store__KeyRecord *keys[] = {
			clashing_key(&world, 0), clashing_key(&world, 1), clashing_key(&world, 2)};

		/* Longer, then shorter than before. */
		keys[replaced]->owner = (char *)(uintptr_t) "somebody with quite a long name";
		world_put(&world, keys[replaced]);
		keys[replaced]->owner = (char *)(uintptr_t) "";
		keys[replaced]->state = LK_REVOKED;
		world_put(&world, keys[replaced]);
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		for (size_t i = 0; i < COUNT(keys); i++) {
			assert_found(txn, keys[i]);
		}
		assert_int_equal(lk_fixture_teardown(state), 0);
		assert_int_equal(lk_fixture_setup(state), 0);
	}
}

static void test_verdict_removing_clashing_keys_removes_each_alone(void **state)
{
	static const size_t orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}};

	for (size_t order = 0; order < COUNT(orders); order++) {
		struct world world = world_make(state);
		Latchkey__Store__KeyRecord *keys[] = {
			clashing_key(&world, 0), clashing_key(&world, 1), clashing_key(&world, 2)};

		for (size_t gone = 0; gone < COUNT(keys); gone++) {
			world_delete(&world, keys[orders[order][gone]]->slot);
			struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
			for (size_t i = 0; i < COUNT(keys); i++) {
				(i <= gone ? assert_not_found : assert_found)(txn, keys[orders[order][i]]);
			}
		}
		assert_int_equal(lk_fixture_count(lk_fixture_snapshot(world.fixture), LK_TABLE_VERDICT), 0);
		assert_int_equal(lk_fixture_teardown(state), 0);
		assert_int_equal(lk_fixture_setup(state), 0);
	}
}

static void test_verdict_removing_what_is_not_there_is_corrupt(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = clashing_key(&world, 0);

	/* With its first 8 bytes there, and without. */
	static const size_t bytes[] = {LK_DIGEST_LEN - 1, 0};
	for (size_t i = 0; i < COUNT(bytes); i++) {
		struct lk_txn *txn = begin(&world);
		key->digest.data[bytes[i]] ^= 1;
		lk_verdict_move(txn, key, NULL, NULL);
		assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
		lk_write_abort(txn);
		key->digest.data[bytes[i]] ^= 1;
	}
	assert_found(lk_fixture_snapshot(world.fixture), key);
}

/* Puts `len` bytes in the place of the records of a digest. LMDB's map has bytes behind them, so that only a copy can show a
 * read past the end: what matters here is what the lengths in them are taken for. */
static struct lk_txn *with_records(struct world *world, const uint8_t *digest, const void *data, size_t len)
{
	struct lk_key key = lk_key_verdict(digest);
	struct lk_txn *txn = begin(world);

	lk_txn_put(txn, LK_TABLE_VERDICT, &key, data, len, 0);
	return txn;
}

static void test_verdict_records_that_do_not_add_up_are_corrupt(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = clashing_key(&world, 1);
	struct lk_key where = lk_key_verdict(key->digest.data);
	struct lk_verdict verdict;
	struct lk_value value = {0};
	uint8_t copy[1024];
	uint8_t other[LK_DIGEST_LEN];

	/* With a record of a replaced secret behind it, which ends with the instant of its end. */
	key->previous_until_us = LK_FIXTURE_TIME_US;
	key->previous_digest = key->digest;
	key->digest.data = lk_arena_alloc(world.arena, LK_DIGEST_LEN);
	key->digest.len = LK_DIGEST_LEN;
	memset(key->digest.data, 0xc1, LK_DIGEST_LEN);
	world_put(&world, key);
	struct lk_txn *snapshot = lk_fixture_snapshot(world.fixture);
	assert_true(lk_txn_get(snapshot, LK_TABLE_VERDICT, &where, &value));
	size_t len = value.len;
	assert_true(len < sizeof copy);
	memcpy(copy, value.data, len);
	memcpy(other, key->digest.data, sizeof other);
	other[LK_DIGEST_LEN - 1] = 9;
	size_t second = (len - sizeof(int64_t)) / 2;
	/* Cut off anywhere, but between the two. */
	for (size_t cut = 1; cut < len; cut++) {
		if (len - cut == second) {
			continue;
		}
		struct lk_txn *txn = with_records(&world, other, copy, len - cut);
		assert_false(lk_verdict_find(txn, other, &verdict));
		assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
		lk_write_abort(txn);
	}
	/* With something behind the last that is no record. */
	for (size_t more = 1; more < sizeof(struct lk_verdict_head); more++) {
		struct lk_txn *txn = with_records(&world, other, copy, len + more);
		assert_false(lk_verdict_find(txn, other, &verdict));
		assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
		lk_write_abort(txn);
	}
}

static void test_verdict_lengths_that_lie_are_corrupt(void **state)
{
	static const struct {
		uint32_t identity_len;
		uint16_t grant_len;
		uint8_t flags;
		uint16_t rules_len;
	} lies[] = {{UINT32_MAX, 0, 0, 0}, {UINT32_MAX, UINT16_MAX, 0, 0}, {0, UINT16_MAX, 0, 0}, {1, 0, 0, 0},
		{0, 1, 0, 0}, {0x7fffffff, 1, 0, 0}, {0, 0, LK_VERDICT_REPLACED, 0}, {0, 0, 0, 1},
		{0, 0, 0, UINT16_MAX}, {UINT32_MAX, UINT16_MAX, UINT8_MAX, UINT16_MAX}};
	struct world world = world_make(state);
	uint8_t digest[LK_DIGEST_LEN] = {1};
	struct lk_verdict verdict;
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;
	struct lk_gate gate = {0};

	key.digest = (ProtobufCBinaryData){sizeof digest, digest};
	for (size_t i = 0; i < COUNT(lies); i++) {
		struct lk_verdict_head head = {.identity_len = lies[i].identity_len,
			.grant_len = lies[i].grant_len,
			.flags = lies[i].flags,
			.rules_len = lies[i].rules_len};
		struct lk_txn *txn = with_records(&world, digest, &head, sizeof head);
		assert_false(lk_verdict_find(txn, digest, &verdict));
		assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
		lk_write_abort(txn);
		/* Nor do those that write go on from there. */
		txn = with_records(&world, digest, &head, sizeof head);
		lk_verdict_move(txn, NULL, &key, &gate);
		assert_int_equal(lk_write_commit(txn), LK_CORRUPT);
		txn = with_records(&world, digest, &head, sizeof head);
		lk_verdict_move(txn, &key, NULL, NULL);
		assert_int_equal(lk_write_commit(txn), LK_CORRUPT);
	}
}

/* An identity whose length is no varint, or is another than what follows, is read to its end and no further. */
static void test_verdict_identity_ends_with_its_record(void **state)
{
	(void)state;
	uint8_t *exact = malloc(4);
	struct lk_verdict verdict = {.identity = exact};
	size_t len = 99;

	assert_non_null(exact);
	memset(exact, 0xff, 4);
	verdict.head.identity_len = 4;
	const uint8_t *at = lk_verdict_identity(&verdict, &len);
	bool within = at >= exact && at + len == exact + 4;
	verdict.head.identity_len = 0;
	(void)lk_verdict_identity(&verdict, &len);
	free(exact);
	assert_true(within);
	assert_int_equal(len, 0);
}

/* A snapshot remembers gates: those of the state that it is at, each its own, and of two that share a place neither wrongly. */
static void test_gate_of_a_snapshot_is_the_one_of_its_state(void **state)
{
	struct world world = world_make(state);
	uint32_t keyspaces[18] = {world.keyspace};
	char name[32] = "";
	struct lk_gate gate;

	for (size_t i = 1; i < COUNT(keyspaces); i++) {
		(void)snprintf(name, sizeof name, "space-%zu", i);
		keyspaces[i] = lk_fixture_keyspace(world.fixture, world.tenant, name);
	}
	for (int round = 0; round < 2; round++) {
		struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
		for (size_t i = 1; i < COUNT(keyspaces); i++) {
			(void)snprintf(name, sizeof name, "space-%zu", i);
			assert_true(lk_gate_get(txn, keyspaces[i], &gate));
			assert_string_equal(gate.keyspace_id, name);
		}
		assert_true(lk_gate_get(txn, world.keyspace, &gate));
		assert_int_equal(gate.active, 0);
		assert_int_equal(gate.closed, 0);
	}
	(void)world_key(&world, "one");
	assert_true(lk_gate_get(lk_fixture_snapshot(world.fixture), world.keyspace, &gate));
	assert_int_equal(gate.active, 1);
	world_close_keyspace(&world, "prod");
	assert_true(lk_gate_get(lk_fixture_snapshot(world.fixture), world.keyspace, &gate));
	assert_int_not_equal(gate.closed, 0);
}

static void test_gate_that_is_not_there_is_corrupt(void **state)
{
	struct world world = world_make(state);
	struct lk_gate gate;
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);

	assert_true(lk_gate_get(txn, world.keyspace, &gate));
	assert_false(lk_gate_get(txn, 99, &gate));
	assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
}

static void test_gate_of_another_length_is_corrupt(void **state)
{
	static const size_t lengths[] = {0, 1, sizeof(struct lk_gate) - 1, sizeof(struct lk_gate) + 1};
	struct world world = world_make(state);
	uint8_t bytes[sizeof(struct lk_gate) + 1] = {0};
	struct lk_key key = lk_key_u32(world.keyspace);
	struct lk_gate gate;

	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct lk_txn *txn = begin(&world);
		lk_txn_put(txn, LK_TABLE_GATE, &key, bytes, lengths[i], 0);
		assert_false(lk_gate_get(txn, world.keyspace, &gate));
		assert_int_equal(lk_txn_err(txn), LK_CORRUPT);
		lk_write_abort(txn);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verdict_identity_is_all_that_the_reply_says),
		TEST(test_verdict_carries_the_grant_of_a_root_key),
		TEST(test_verdict_without_a_grant_has_none),
		TEST(test_verdict_carries_roles_and_rules),
		TEST(test_verdict_without_rules_is_not_a_byte_longer),
		TEST(test_verdict_with_a_role_that_is_not_there_is_refused),
		TEST(test_verdict_with_more_rules_than_any_key_has_is_refused),
		TEST(test_gate_keeps_its_list_when_keys_change),
		TEST(test_verdict_grant_larger_than_its_length_can_say_is_refused),
		TEST(test_verdict_of_an_unknown_digest_is_not_there),
		TEST(test_verdict_clashing_keys_are_each_found),
		TEST(test_verdict_replacing_one_of_clashing_keys_leaves_the_others),
		TEST(test_verdict_removing_clashing_keys_removes_each_alone),
		TEST(test_verdict_removing_what_is_not_there_is_corrupt),
		TEST(test_verdict_records_that_do_not_add_up_are_corrupt),
		TEST(test_verdict_lengths_that_lie_are_corrupt),
		TEST(test_verdict_identity_ends_with_its_record),
		TEST(test_gate_of_a_snapshot_is_the_one_of_its_state),
		TEST(test_gate_that_is_not_there_is_corrupt),
		TEST(test_gate_of_another_length_is_corrupt),
	};

	return cmocka_run_group_tests_name("store verdict_record", tests, NULL, NULL);
}

#include "server/store/audit.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include "server/core/secret.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

static Latchkey__Store__AuditRecord *record_at(struct world *world, uint64_t number)
{
	struct lk_key where = lk_key_u64(number);
	struct lk_value value = {0};

	assert_true(lk_txn_get(lk_fixture_snapshot(world->fixture), LK_TABLE_AUDIT, &where, &value));
	Latchkey__Store__AuditRecord *record = latchkey__store__audit_record__unpack(
		&world->arena->allocator, value.len - LK_DIGEST_LEN, value.data + LK_DIGEST_LEN);
	assert_non_null(record);
	assert_int_equal(record->number, number);
	return record;
}

static Latchkey__Store__AuditRecord *last_record(struct world *world)
{
	return record_at(world, lk_txn_head(lk_fixture_snapshot(world->fixture))->last_audit);
}

static void test_audit_chain_can_be_recomputed_from_its_table(void **state)
{
	struct world world = world_make(state);
	uint8_t hash[LK_DIGEST_LEN];

	for (int i = 0; i < 20; i++) {
		Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
		world_revoke(&world, key);
		if (i % 2 == 0) {
			world_delete(&world, key->slot);
		}
	}
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	const struct lk_head *head = lk_txn_head(txn);
	/* system, root, acme, prod, and what became of 20 keys. */
	assert_int_equal(head->last_audit, 4 + 20 + 20 + 10);
	assert_int_equal(world_chain_length(&world, txn, hash), head->last_audit);
	assert_memory_equal(hash, head->audit_hash, sizeof hash);
}

/* One bit of any record, its hash included, breaks the chain there. */
static void test_audit_chain_shows_what_was_altered(void **state)
{
	struct world world = world_make(state);
	struct lk_key where = lk_key_u64(3);
	struct lk_value value = {0};
	uint8_t copy[1024];
	uint8_t hash[LK_DIGEST_LEN];
	struct lk_txn *txn = NULL;

	assert_true(lk_txn_get(lk_fixture_snapshot(world.fixture), LK_TABLE_AUDIT, &where, &value));
	size_t len = value.len;
	assert_true(len < sizeof copy);
	memcpy(copy, value.data, len);
	for (size_t i = 0; i < len; i++) {
		copy[i] ^= 0x10;
		assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
		lk_txn_put(txn, LK_TABLE_AUDIT, &where, copy, len, 0);
		assert_int_equal(world_chain_length(&world, txn, hash), 2);
		lk_write_abort(txn);
		copy[i] ^= 0x10;
	}
}

static void test_audit_chain_shows_what_was_taken_out(void **state)
{
	struct world world = world_make(state);
	uint8_t hash[LK_DIGEST_LEN];
	struct lk_txn *txn = NULL;

	for (uint64_t number = 1; number <= 4; number++) {
		struct lk_key where = lk_key_u64(number);
		assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
		lk_txn_delete(txn, LK_TABLE_AUDIT, &where);
		assert_int_equal(world_chain_length(&world, txn, hash), number - 1);
		/* The last one, too: the head tells. */
		assert_memory_not_equal(hash, lk_txn_head(txn)->audit_hash, sizeof hash);
		lk_write_abort(txn);
	}
}

static void test_audit_record_says_who_what_when_and_from_where(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	uint8_t hash[LK_DIGEST_LEN] = {1, 2, 3};

	change->time_us = LK_FIXTURE_TIME_US + 5;
	change->traceparent = (char *)(uintptr_t) "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	change->request_id_hash = (ProtobufCBinaryData){sizeof hash, hash};
	const Latchkey__Store__KeyRecord *key = lk_draft_put_key(
		world.arena, change, world.tenant, world.keyspace, "ci");
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	const Latchkey__Store__AuditRecord *record = last_record(&world);
	assert_true(record->time_us == LK_FIXTURE_TIME_US + 5);
	assert_int_equal(record->revision, key->revision);
	assert_string_equal(record->actor, "uid:1000");
	assert_string_equal(record->method, "latchkey.v1.KeyService/Create");
	assert_string_equal(record->peer, "ipc");
	assert_string_equal(record->traceparent, change->traceparent);
	assert_int_equal(record->request_id_hash.len, sizeof hash);
	assert_memory_equal(record->request_id_hash.data, hash, sizeof hash);
	assert_string_equal(record->tenant, "acme");
	assert_string_equal(record->keyspace, "prod");
	assert_int_equal(strncmp(record->resource, "keys/key_", 9), 0);
	assert_string_equal(record->resource + 5, key->id);
}

static void test_audit_record_of_each_kind_names_it(void **state)
{
	struct world world = world_make(state);
	const Latchkey__Store__AuditRecord *tenant = record_at(&world, 3);
	const Latchkey__Store__AuditRecord *keyspace = record_at(&world, 4);

	assert_string_equal(tenant->resource, "tenants/acme");
	assert_string_equal(tenant->tenant, "acme");
	assert_null(tenant->before);
	assert_int_equal(tenant->after->record_case, LATCHKEY__STORE__SNAPSHOT__RECORD_TENANT);
	assert_string_equal(tenant->after->tenant->id, "acme");
	assert_string_equal(keyspace->resource, "keyspaces/prod");
	assert_string_equal(keyspace->tenant, "acme");
	assert_string_equal(keyspace->keyspace, "prod");
	assert_string_equal(tenant->keyspace, "");
	assert_null(keyspace->before);
	assert_int_equal(keyspace->after->record_case, LATCHKEY__STORE__SNAPSHOT__RECORD_KEYSPACE);
	assert_string_equal(keyspace->after->keyspace->policy->token_prefix, "sk-");
	assert_string_equal(record_at(&world, 1)->actor, "latchkeyd");
}

static void test_audit_record_has_what_was_before_and_is_after(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	uint64_t made = key->revision;

	assert_null(last_record(&world)->before);
	assert_int_equal(last_record(&world)->after->key->state, LK_ACTIVE);
	key->revoke_reason = (char *)(uintptr_t) "leaked";
	world_revoke(&world, key);
	const Latchkey__Store__AuditRecord *revoked = last_record(&world);
	assert_int_equal(revoked->before->key->state, LK_ACTIVE);
	assert_int_equal(revoked->before->key->revision, made);
	assert_int_equal(revoked->after->key->state, LK_REVOKED);
	assert_int_equal(revoked->after->key->revision, revoked->revision);
	assert_string_equal(revoked->after->key->revoke_reason, "leaked");
	world_delete(&world, key->slot);
	const Latchkey__Store__AuditRecord *deleted = last_record(&world);
	assert_int_equal(deleted->before->key->state, LK_REVOKED);
	assert_null(deleted->after);
	assert_string_equal(deleted->resource + 5, key->id);
	assert_string_equal(deleted->tenant, "acme");
}

static void test_audit_of_many_mutations_has_a_record_each_of_one_revision(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);

	for (int i = 0; i < 5; i++) {
		lk_draft_put_key(world.arena, change, world.tenant, world.keyspace, "");
	}
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	for (uint64_t number = 5; number <= 9; number++) {
		const Latchkey__Store__AuditRecord *record = record_at(&world, number);
		assert_int_equal(record->revision, 5);
		assert_string_equal(record->resource + 5, change->mutations[number - 5]->put_key->id);
	}
}

/* Neither the record that was, nor the one that is, has its digest; and the one that is stored keeps its own. */
static void test_audit_never_has_a_digest(void **state)
{
	struct world world = world_make(state);
	struct lk_key first = lk_key_u64(0);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	uint8_t old[LK_DIGEST_LEN];

	memcpy(old, key->digest.data, sizeof old);
	randombytes_buf(key->digest.data, LK_DIGEST_LEN);
	world_put(&world, key);
	world_revoke(&world, key);
	world_delete(&world, key->slot);
	struct lk_walk *walk = lk_walk_new(lk_fixture_snapshot(world.fixture), LK_TABLE_AUDIT);
	for (bool more = lk_walk_seek(walk, &first); more; more = lk_walk_next(walk)) {
		struct lk_value value = lk_walk_value(walk);
		/* No part of it: the first bytes would tell as much. */
		assert_null(memmem(value.data, value.len, key->digest.data, 8));
		assert_null(memmem(value.data, value.len, old, 8));
		assert_null(memmem(value.data, value.len, old + LK_DIGEST_LEN - 8, 8));
	}
	lk_walk_free(walk);
	assert_int_equal(key->digest.len, LK_DIGEST_LEN);
}

/* Nor has it the digest of a secret that was replaced. */
static void test_audit_never_has_the_digest_of_a_replaced_secret(void **state)
{
	struct world world = world_make(state);
	struct lk_key first = lk_key_u64(0);
	Latchkey__Store__KeyRecord *key = world_key(&world, "ci");
	const uint8_t *digests[3] = {key->digest.data};

	for (size_t i = 1; i < 3; i++) {
		lk_draft_rotate(world.arena, key, LK_FIXTURE_TIME_US);
		digests[i] = key->digest.data;
		world_put(&world, key);
	}
	world_delete(&world, key->slot);
	struct lk_walk *walk = lk_walk_new(lk_fixture_snapshot(world.fixture), LK_TABLE_AUDIT);
	for (bool more = lk_walk_seek(walk, &first); more; more = lk_walk_next(walk)) {
		struct lk_value value = lk_walk_value(walk);
		for (size_t i = 0; i < 3; i++) {
			assert_null(memmem(value.data, value.len, digests[i], 8));
		}
	}
	lk_walk_free(walk);
	assert_true(last_record(&world)->before->key->previous_until_us == LK_FIXTURE_TIME_US);
}

/* A call that was refused: who, what and from where are the call's own, the Change is the daemon's. */
static void test_audit_of_a_refusal_is_in_the_chain(void **state)
{
	struct world world = world_make(state);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	uint8_t hash[LK_DIGEST_LEN];

	Latchkey__Store__NoteRefusal *refusal = lk_draft_note_refusal(world.arena, change, "acme", 7);
	refusal->left_out_count = 12;
	refusal->traceparent = (char *)(uintptr_t) "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	lk_draft_note_refusal(world.arena, change, "", 16);
	uint64_t revision = lk_txn_head(lk_fixture_snapshot(world.fixture))->revision;
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_OK);
	const Latchkey__Store__AuditRecord *record = record_at(&world, 5);
	assert_int_equal(record->revision, revision + 1);
	assert_true(record->time_us == refusal->time_us);
	assert_string_equal(record->actor, "key:key_1");
	assert_string_equal(record->method, "latchkey.v1.KeyService/Get");
	assert_string_equal(record->peer, "tcp:127.0.0.1:1");
	assert_string_equal(record->traceparent, refusal->traceparent);
	assert_string_equal(record->tenant, "acme");
	assert_string_equal(record->resource, "");
	assert_int_equal(record->code, 7);
	assert_int_equal(record->left_out_count, 12);
	assert_null(record->before);
	assert_null(record->after);
	assert_string_equal(record_at(&world, 6)->tenant, "");
	assert_int_equal(record_at(&world, 6)->code, 16);
	world_key(&world, "ci");
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	assert_int_equal(world_chain_length(&world, txn, hash), 7);
	assert_int_equal(lk_fixture_count(txn, LK_TABLE_AUDIT_BY_KEY), 1);
	world_assert_consistent(world.fixture);
}

/* All that became of a key is found by its slot, also once it is gone, and nothing of another's. */
static void test_audit_is_indexed_by_key(void **state)
{
	static const uint64_t expected[] = {5, 7, 9};
	struct world world = world_make(state);
	Latchkey__Store__KeyRecord *key = world_key(&world, "one");
	Latchkey__Store__KeyRecord *other = world_key(&world, "two");
	struct lk_key prefix = lk_key_u64(key->slot);

	world_revoke(&world, key);
	world_revoke(&world, other);
	world_delete(&world, key->slot);
	struct lk_walk *walk = lk_walk_new(lk_fixture_snapshot(world.fixture), LK_TABLE_AUDIT_BY_KEY);
	bool more = lk_walk_seek(walk, &prefix);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_true(more && lk_walk_in(walk, &prefix));
		assert_int_equal(lk_read_u64(lk_walk_key(walk).data + 8), expected[i]);
		more = lk_walk_next(walk);
	}
	assert_false(more && lk_walk_in(walk, &prefix));
	lk_walk_free(walk);
}

static void test_audit_chain_goes_on_after_a_restart(void **state)
{
	struct world world = world_make(state);
	uint8_t hash[LK_DIGEST_LEN];

	world_key(&world, "one");
	lk_fixture_close(world.fixture);
	assert_int_equal(lk_fixture_open(world.fixture), LK_OK);
	world_key(&world, "two");
	assert_int_equal(world_chain_length(&world, lk_fixture_snapshot(world.fixture), hash), 6);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_audit_chain_can_be_recomputed_from_its_table),
		TEST(test_audit_chain_shows_what_was_altered),
		TEST(test_audit_chain_shows_what_was_taken_out),
		TEST(test_audit_record_says_who_what_when_and_from_where),
		TEST(test_audit_record_of_each_kind_names_it),
		TEST(test_audit_record_has_what_was_before_and_is_after),
		TEST(test_audit_of_many_mutations_has_a_record_each_of_one_revision),
		TEST(test_audit_never_has_a_digest),
		TEST(test_audit_never_has_the_digest_of_a_replaced_secret),
		TEST(test_audit_of_a_refusal_is_in_the_chain),
		TEST(test_audit_is_indexed_by_key),
		TEST(test_audit_chain_goes_on_after_a_restart),
	};

	return cmocka_run_group_tests_name("store audit", tests, NULL, NULL);
}

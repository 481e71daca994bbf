/* BulkRevoke, part by part: what happens in between, and what becomes of what is left. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/uuid7.h"
#include "server/store/apply.h"
#include "server/store/change.h"
#include "server/store/job.h"
#include "tests/unit/service/bulk_calls.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* How many of the last audit records, from behind, are of BulkRevoke and of this actor. */
static size_t count_audited(const char *actor)
{
	struct lk_arena arena;
	struct lk_txn *txn = NULL;
	struct lk_value value = {0};
	size_t count = 0;

	assert_int_equal(lk_arena_init(&arena, (size_t)1 << 16, (size_t)1 << 26), LK_OK);
	assert_int_equal(lk_snapshot_new(fixture_loop.store, &txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(txn), LK_OK);
	for (uint64_t number = lk_txn_head(txn)->last_audit; number > 0; number--) {
		struct lk_key key = lk_key_u64(number);
		assert_true(lk_txn_get(txn, LK_TABLE_AUDIT, &key, &value));
		const Latchkey__Store__AuditRecord *record = latchkey__store__audit_record__unpack(
			&arena.allocator, value.len - LK_DIGEST_LEN, value.data + LK_DIGEST_LEN);
		assert_non_null(record);
		if (strcmp(record->method, "latchkey.v1.KeyService/BulkRevoke") != 0) {
			break;
		}
		assert_int_equal(strncmp(record->resource, "keys/key_", 9), 0);
		count += strcmp(record->actor, actor) == 0;
	}
	lk_snapshot_free(txn);
	lk_arena_done(&arena);
	return count;
}

static void test_bulk_revoke_audits_each_key_by_its_caller(void **state)
{
	static const char *const methods[] = {"keys.*", NULL};
	static const char *const tenants[] = {"acme", NULL};
	static const char *const keyspaces[] = {"*", NULL};
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key *keys = calloc(BULK_MANY, sizeof *keys);
	char actor[64];

	(void)state;
	bulk_make_keys("prod", "ada", keys, BULK_MANY);
	struct fixture_key caller = fixture_make_root_key(methods, tenants, keyspaces);
	(void)snprintf(actor, sizeof actor, "key:%s", caller.id);
	filter.owner = TEXT("ada");
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	struct bulk_progress progress = bulk_call_as(&caller, &request);
	progress = bulk_go_on(&caller, progress.token);
	assert_int_equal(count_audited(actor), 1000);
	/* What the caller leaves is done in its name. */
	loop_restart(&fixture_loop);
	while (!progress.done) {
		progress = bulk_go_on(&caller, progress.token);
	}
	assert_int_equal(count_audited(actor), BULK_MANY);
	fixture_key_done(&caller);
	bulk_keys_done(keys, BULK_MANY);
	free(keys);
}

static void test_bulk_revoke_is_done_once_a_request_id(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key *keys = calloc(BULK_MANY, sizeof *keys);
	uint8_t id[LK_REQUEST_ID_LEN];
	char token[1024] = "";

	(void)state;
	bulk_make_keys("prod", "ada", keys, BULK_MANY);
	filter.owner = TEXT("ada");
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	struct timespec now;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	lk_uuid7_make((uint64_t)now.tv_sec * 1000, id);
	const struct loop_call how = {.request_id = id};
	for (int attempt = 0; attempt < 3; attempt++) {
		struct loop_answer answer = loop_call(
			&fixture_loop, &how, &latchkey_v1_key_bulk_revoke_method, &request.base);
		assert_int_equal(answer.code, LK_OK);
		const Latchkey__V1__BulkRevokeKeysResponse *response = (const Latchkey__V1__BulkRevokeKeysResponse *)
									       answer.response;
		assert_int_equal(response->total_size, BULK_MANY);
		assert_int_equal(response->revoked_count, 500);
		assert_true(attempt == 0 || strcmp(response->next_page_token, token) == 0);
		(void)snprintf(token, sizeof token, "%s", response->next_page_token);
		loop_answer_done(&answer);
	}
	assert_int_equal(bulk_count_code(keys, BULK_MANY, REVOKED), 500);
	bulk_keys_done(keys, BULK_MANY);
	free(keys);
}

static void test_bulk_revoke_has_so_many_under_way_at_a_time(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;
	struct fixture_key *keys = calloc(BULK_MANY, sizeof *keys);
	struct lk_arena arena;
	struct lk_txn *txn = NULL;

	(void)state;
	bulk_make_keys("prod", "ada", keys, LK_JOB_PART + 1);
	assert_int_equal(lk_arena_init(&arena, (size_t)1 << 16, (size_t)1 << 20), LK_OK);
	for (size_t i = 0; i < LK_JOB_MOST; i++) {
		Latchkey__Store__JobRecord *job = lk_arena_alloc(&arena, sizeof *job);
		assert_non_null(job);
		latchkey__store__job_record__init(job);
		/* No caller of these is away for long, in this test. */
		job->update_us = (int64_t)time(NULL) * 1000000;
		job->parts = 1;
		lk_change_put_job(&arena, &change, job);
	}
	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	assert_int_equal(lk_apply_do(txn, &arena, &change), LK_OK);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	lk_arena_done(&arena);
	filter.owner = TEXT("ada");
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	bulk_refuse_as(NULL, &request, LK_RESOURCE_EXHAUSTED, "64 bulk revocations are under way");
	assert_int_equal(bulk_count_code(keys, LK_JOB_PART + 1, VALID), LK_JOB_PART + 1);
	/* What is done at once needs no job. */
	char *named[] = {keys[0].id};
	request = bulk_request_of(NULL);
	request.keys = named;
	request.n_keys = 1;
	assert_true(bulk_call_as(NULL, &request).done);
	bulk_keys_done(keys, LK_JOB_PART + 1);
	free(keys);
}

static void change_key(const struct lk_method *method, const char *key)
{
	Latchkey__V1__ActivateKeyRequest activate = LATCHKEY__V1__ACTIVATE_KEY_REQUEST__INIT;
	Latchkey__V1__SuspendKeyRequest suspend = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;
	const ProtobufCMessage *request = &activate.base;

	activate.tenant = suspend.tenant = TEXT("acme");
	activate.key = suspend.key = TEXT(key);
	if (method == &latchkey_v1_key_suspend_method) {
		request = &suspend.base;
	}
	struct loop_answer answer = fixture_call(method, request, LK_OK);
	loop_answer_done(&answer);
}

/* A new secret, while the one before it goes on for an hour: the token. */
static char *rotate(const char *key)
{
	Latchkey__V1__RotateKeyRequest request = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration hour = GOOGLE__PROTOBUF__DURATION__INIT;

	hour.seconds = 3600;
	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	request.overlap = &hour;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_rotate_method, &request.base, LK_OK);
	char *token = strdup(((const Latchkey__V1__RotateKeyResponse *)answer.response)->token);
	loop_answer_done(&answer);
	assert_non_null(token);
	return token;
}

static void rename_key(const char *key)
{
	Latchkey__V1__UpdateKeyRequest request = LATCHKEY__V1__UPDATE_KEY_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Latchkey__V1__Key named = LATCHKEY__V1__KEY__INIT;
	char *paths[] = {TEXT("name"), TEXT("owner")};

	mask.n_paths = COUNT(paths);
	mask.paths = paths;
	named.id = TEXT(key);
	named.name = TEXT("another");
	named.owner = TEXT("bob");
	request.tenant = TEXT("acme");
	request.key = &named;
	request.update_mask = &mask;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_update_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

/* Of a caller that has to do with its own keys alone, one that went to another meanwhile is not revoked any more. */
static void test_bulk_revoke_of_own_keys_spares_what_is_anothers_now(void **state)
{
	Latchkey__V1__CreateKeyRequest create = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key *keys = calloc(BULK_MANY, sizeof *keys);

	(void)state;
	grant.methods = (char *[]){TEXT("keys.*")};
	grant.tenants = (char *[]){TEXT("acme")};
	grant.keyspaces = (char *[]){TEXT("*")};
	grant.n_methods = grant.n_tenants = grant.n_keyspaces = 1;
	grant.own_only = true;
	create.tenant = TEXT("system");
	create.keyspace = TEXT("root");
	create.name = TEXT("adas");
	create.owner = TEXT("ada");
	create.grant = &grant;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &create.base, LK_OK);
	struct fixture_key ada = fixture_take_key(&answer);
	bulk_make_keys("prod", "ada", keys, BULK_MANY);
	filter.keyspace = TEXT("prod");
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	struct bulk_progress progress = bulk_call_as(&ada, &request);
	assert_int_equal(progress.total, BULK_MANY);
	/* One of the last part. */
	rename_key(keys[BULK_MANY - 1].id);
	while (!progress.done) {
		progress = bulk_go_on(&ada, progress.token);
	}
	assert_int_equal(bulk_count_code(keys, BULK_MANY, REVOKED), BULK_MANY - 1);
	assert_int_equal(bulk_count_code(&keys[BULK_MANY - 1], 1, VALID), 1);
	fixture_key_done(&ada);
	bulk_keys_done(keys, BULK_MANY);
	free(keys);
}

/* They are ended while somebody looks at what each may do: not by a job, after the caller is gone. */
static void test_bulk_revoke_of_root_keys_is_one_part(void **state)
{
	static const char *const any[] = {"*", NULL};
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);

	(void)state;
	request.tenant = TEXT("system");
	filter.keyspace = TEXT("root");
	for (size_t i = 0; i < LK_JOB_PART + 1; i++) {
		struct fixture_key key = fixture_make_root_key(any, any, any);
		fixture_key_done(&key);
	}
	bulk_refuse_as(NULL, &request, LK_FAILED_PRECONDITION, "501 root keys match, and one call takes 500");
	request.validate_only = true;
	assert_int_equal(bulk_call_as(NULL, &request).total, LK_JOB_PART + 1);
	request.validate_only = false;
	char *named[] = {TEXT("1")};
	request.filter = NULL;
	request.keys = named;
	request.n_keys = 1;
	assert_true(bulk_call_as(NULL, &request).done);
	request.filter = &filter;
	request.keys = NULL;
	request.n_keys = 0;
	struct bulk_progress progress = bulk_call_as(NULL, &request);
	assert_int_equal(progress.revoked, LK_JOB_PART);
	assert_true(progress.done);
}

static void test_bulk_revoke_ends_all_that_stood_at_its_start_and_nothing_else(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key *keys = calloc(BULK_MANY, sizeof *keys);
	struct fixture_key later[5];
	struct bulk_progress progress;

	(void)state;
	bulk_make_keys("prod", "ada", keys, BULK_MANY);
	filter.owner = TEXT("ada");
	/* One that is suspended now is among them, whatever becomes of it. */
	change_key(&latchkey_v1_key_suspend_method, keys[BULK_MANY - 1].id);
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	progress = bulk_call_as(NULL, &request);
	assert_false(progress.done);
	assert_int_equal(progress.total, BULK_MANY);
	assert_int_equal(progress.revoked, 500);
	bulk_make_keys("prod", "ada", later, COUNT(later));
	change_key(&latchkey_v1_key_activate_method, keys[BULK_MANY - 1].id);
	change_key(&latchkey_v1_key_suspend_method, keys[BULK_MANY - 2].id);
	Latchkey__V1__DeleteKeyRequest delete = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;
	delete.tenant = TEXT("acme");
	delete.key = keys[BULK_MANY - 3].id;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_delete_method, &delete.base, LK_OK);
	loop_answer_done(&answer);
	char *rotated = rotate(keys[BULK_MANY - 4].id);
	rename_key(keys[BULK_MANY - 5].id);
	assert_int_equal(fixture_verify(keys[BULK_MANY - 1].token, ""), VALID);
	assert_int_equal(fixture_verify(keys[BULK_MANY - 4].token, ""), VALID);
	/* Any of its tokens will do. */
	char token[1024];
	(void)snprintf(token, sizeof token, "%s", progress.token);
	progress = bulk_go_on(NULL, token);
	assert_true(progress.revoked >= 1000);
	progress = bulk_go_on(NULL, token);
	assert_true(progress.done);
	assert_int_equal(progress.revoked, BULK_MANY);
	assert_int_equal(progress.total, BULK_MANY);
	assert_int_equal(bulk_count_code(keys, BULK_MANY, REVOKED), BULK_MANY - 1);
	assert_int_equal(fixture_verify(keys[BULK_MANY - 3].token, ""), NOT_FOUND);
	assert_int_equal(fixture_verify(rotated, ""), REVOKED);
	free(rotated);
	assert_int_equal(bulk_count_code(later, COUNT(later), VALID), COUNT(later));
	/* The last token still answers. */
	progress = bulk_go_on(NULL, token);
	assert_true(progress.done);
	assert_int_equal(progress.revoked, BULK_MANY);
	bulk_keys_done(keys, BULK_MANY);
	bulk_keys_done(later, COUNT(later));
	free(keys);
}

/* Whether the writer has to build it again, or not, or the other change, is a matter of a moment: both come up. */
static void test_bulk_revoke_meets_other_changes_of_its_keys(void **state)
{
	(void)state;
	for (int round = 0; round < 40; round++) {
		Latchkey__V1__SuspendKeyRequest suspend = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;
		Latchkey__V1__DeleteKeyRequest delete = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;
		Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
		struct fixture_key keys[3];
		char owner[16];
		(void)snprintf(owner, sizeof owner, "owner%d", round);
		bulk_make_keys("prod", owner, keys, COUNT(keys));
		filter.owner = owner;
		Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
		suspend.tenant = delete.tenant = TEXT("acme");
		suspend.key = keys[0].id;
		delete.key = keys[1].id;
		struct loop_pending *pending[] = {
			loop_begin(&fixture_loop, &fixture_operator, &latchkey_v1_key_suspend_method, &suspend.base),
			loop_begin(
				&fixture_loop, &fixture_operator, &latchkey_v1_key_bulk_revoke_method, &request.base),
			loop_begin(&fixture_loop, &fixture_operator, &latchkey_v1_key_delete_method, &delete.base),
		};
		uint32_t codes[COUNT(pending)];
		for (size_t i = 0; i < COUNT(pending); i++) {
			struct loop_answer answer = loop_end(pending[i]);
			codes[i] = answer.code;
			loop_answer_done(&answer);
		}
		assert_true(codes[0] == LK_OK || codes[0] == LK_FAILED_PRECONDITION);
		assert_int_equal(codes[1], LK_OK);
		assert_int_equal(codes[2], LK_OK);
		assert_int_equal(fixture_verify(keys[0].token, ""), REVOKED);
		assert_int_equal(fixture_verify(keys[1].token, ""), NOT_FOUND);
		assert_int_equal(fixture_verify(keys[2].token, ""), REVOKED);
		bulk_keys_done(keys, COUNT(keys));
	}
}

static void test_bulk_revoke_is_finished_after_a_restart(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key *keys = calloc(BULK_MANY, sizeof *keys);
	const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};

	(void)state;
	bulk_make_keys("prod", "ada", keys, BULK_MANY);
	filter.keyspace = TEXT("prod");
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	struct bulk_progress progress = bulk_call_as(NULL, &request);
	assert_false(progress.done);
	loop_restart(&fixture_loop);
	for (int i = 0; i < 4000 && fixture_verify(keys[BULK_MANY - 1].token, "") == VALID; i++) {
		(void)nanosleep(&moment, NULL);
	}
	assert_int_equal(bulk_count_code(keys, BULK_MANY, REVOKED), BULK_MANY);
	/* The token from before. */
	progress = bulk_go_on(NULL, progress.token);
	assert_true(progress.done);
	assert_int_equal(progress.total, BULK_MANY);
	assert_int_equal(progress.revoked, BULK_MANY);
	bulk_keys_done(keys, BULK_MANY);
	free(keys);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_bulk_revoke_audits_each_key_by_its_caller),
		TEST(test_bulk_revoke_is_done_once_a_request_id),
		TEST(test_bulk_revoke_has_so_many_under_way_at_a_time),
		TEST(test_bulk_revoke_of_own_keys_spares_what_is_anothers_now),
		TEST(test_bulk_revoke_of_root_keys_is_one_part),
		TEST(test_bulk_revoke_ends_all_that_stood_at_its_start_and_nothing_else),
		TEST(test_bulk_revoke_meets_other_changes_of_its_keys),
		TEST(test_bulk_revoke_is_finished_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

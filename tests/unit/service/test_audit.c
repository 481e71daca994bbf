#include "tests/unit/service/service_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include <latchkey/v1/audit.client.h>

#include "server/store/apply.h"
#include "server/store/change.h"
#include "server/store/store.h"
#include "server/store/txn.h"
#include "tests/lib/check.h"

typedef Latchkey__V1__ListAuditRecordsRequest ListRequest;
typedef Latchkey__V1__ListAuditRecordsResponse ListResponse;

/* system, root, acme and prod. */
#define MADE 4

static struct loop_answer list_as(const char *credential, const ListRequest *request)
{
	struct loop_call how = {.credential = credential};

	return loop_call(&fixture_loop, &how, &latchkey_v1_audit_list_method, &request->base);
}

static struct loop_answer list(const ListRequest *request)
{
	return fixture_call(&latchkey_v1_audit_list_method, &request->base, LK_OK);
}

static const ListResponse *response_of(const struct loop_answer *answer)
{
	assert_int_equal(answer->code, 0);
	return (const ListResponse *)answer->response;
}

/* How many records a caller sees. */
static size_t count_as(const char *credential, const ListRequest *request)
{
	struct loop_answer answer = list_as(credential, request);
	size_t count = response_of(&answer)->n_records;

	loop_answer_done(&answer);
	return count;
}

static size_t count(const ListRequest *request)
{
	return count_as(NULL, request);
}

static void refuse(const ListRequest *request, const char *violation)
{
	struct loop_answer answer = fixture_call(&latchkey_v1_audit_list_method, &request->base, LK_INVALID_ARGUMENT);

	if (strstr(answer.violations, violation) == NULL) {
		print_message("%s: %s", violation, answer.violations);
	}
	assert_non_null(strstr(answer.violations, violation));
	loop_answer_done(&answer);
}

static void revoke(const char *tenant, const char *key)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.key = TEXT(key);
	request.reason = TEXT("leaked");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_revoke_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

static void delete_key(const char *tenant, const char *key)
{
	Latchkey__V1__DeleteKeyRequest request = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.key = TEXT(key);
	struct loop_answer answer = fixture_call(&latchkey_v1_key_delete_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

static void test_audit_list_begins_with_the_newest(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;

	(void)state;
	revoke("acme", key.id);
	struct loop_answer answer = list(&request);
	const ListResponse *response = response_of(&answer);
	assert_int_equal(response->n_records, MADE + 2);
	assert_string_equal(response->next_page_token, "");
	for (size_t i = 0; i < response->n_records; i++) {
		assert_int_equal(response->records[i]->number, MADE + 2 - i);
		assert_non_null(response->records[i]->time);
	}
	const Latchkey__V1__AuditRecord *newest = response->records[0];
	assert_string_equal(newest->method, "latchkey.v1.KeyService/Revoke");
	assert_int_equal(strncmp(newest->actor, "uid:", 4), 0);
	assert_string_equal(newest->peer, "loop");
	assert_string_equal(newest->tenant, "acme");
	assert_int_equal(strncmp(newest->resource, "keys/", 5), 0);
	assert_string_equal(newest->resource + 5, key.id);
	assert_int_equal(newest->code, 0);
	assert_non_null(newest->key_before);
	assert_non_null(newest->key_after);
	assert_null(newest->tenant_after);
	assert_int_equal(newest->key_before->state, LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE);
	assert_int_equal(newest->key_after->state, LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED);
	assert_string_equal(newest->key_after->revoke_reason, "leaked");
	assert_string_equal(newest->key_after->tenant, "acme");
	assert_string_equal(newest->key_after->keyspace, "prod");
	assert_string_equal(response->records[2]->keyspace_after->id, "prod");
	assert_string_equal(response->records[2]->keyspace_after->tenant, "acme");
	assert_string_equal(response->records[3]->tenant_after->id, "acme");
	assert_null(response->records[3]->tenant_before);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

/* Neither a token nor what it was used for since, which is not of the record's time. */
static void test_audit_list_shows_no_secret_and_no_use(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;

	(void)state;
	assert_int_equal(fixture_verify(key.token, ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
	struct loop_answer answer = list(&request);
	const ListResponse *response = response_of(&answer);
	assert_null(memmem(answer.payload, answer.payload_len, key.token + 11, strlen(key.token) - 11));
	assert_int_equal(response->records[0]->key_after->usage_count, 0);
	assert_null(response->records[0]->key_after->last_used_time);
	assert_int_equal(response->records[0]->key_after->n_available_actions, 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_audit_list_of_a_key_is_its_own_also_when_it_is_gone(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "one");
	struct fixture_key other = fixture_make_key("acme", "prod", "two");
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;

	(void)state;
	request.key = key.id;
	assert_int_equal(count(&request), 1);
	revoke("acme", key.id);
	revoke("acme", other.id);
	delete_key("acme", key.id);
	struct loop_answer answer = list(&request);
	const ListResponse *response = response_of(&answer);
	assert_int_equal(response->n_records, 3);
	assert_string_equal(response->records[0]->method, "latchkey.v1.KeyService/Delete");
	assert_null(response->records[0]->key_after);
	assert_string_equal(response->records[0]->key_before->keyspace, "prod");
	assert_int_equal(response->records[2]->number, MADE + 1);
	loop_answer_done(&answer);
	request.action = TEXT("keys.delete");
	assert_int_equal(count(&request), 1);
	request.action = TEXT("");
	request.key = TEXT("key_00000000000000000000000000");
	assert_int_equal(count(&request), 0);
	fixture_key_done(&key);
	fixture_key_done(&other);
}

static void test_audit_list_filters_by_actor_and_action(void **state)
{
	const char *const all[] = {"*", NULL};
	struct fixture_key root = fixture_make_root_key(all, all, all);
	struct fixture_key key = fixture_make_key("acme", "prod", "one");
	struct loop_call how = {.credential = root.token};
	Latchkey__V1__RevokeKeyRequest revoke_request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	char actor[64];

	(void)state;
	revoke_request.tenant = TEXT("acme");
	revoke_request.key = key.id;
	struct loop_answer answer = loop_call(
		&fixture_loop, &how, &latchkey_v1_key_revoke_method, &revoke_request.base);
	assert_int_equal(answer.code, 0);
	loop_answer_done(&answer);
	(void)snprintf(actor, sizeof actor, "key:%s", root.id);
	request.actor = actor;
	assert_int_equal(count(&request), 1);
	request.actor = TEXT("latchkeyd");
	assert_int_equal(count(&request), 2);
	request.actor = TEXT("uid:4294967294");
	assert_int_equal(count(&request), 0);
	request.actor = TEXT("");
	request.action = TEXT("latchkey.v1.KeyService/Create");
	assert_int_equal(count(&request), 2);
	request.action = TEXT("keys.create");
	assert_int_equal(count(&request), 2);
	request.action = TEXT("keys.revoke");
	assert_int_equal(count(&request), 1);
	request.action = TEXT("tenants.create");
	assert_int_equal(count(&request), 1);
	fixture_key_done(&key);
	fixture_key_done(&root);
}

static void test_audit_list_filters_by_time(void **state)
{
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	struct fixture_key keys[5];

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		keys[i] = fixture_make_key("acme", "prod", "");
	}
	struct loop_answer answer = list(&request);
	const ListResponse *response = response_of(&answer);
	assert_int_equal(response->n_records, MADE + 5);
	/* Every two records' times as bounds: what is found is what lies between. */
	for (size_t i = 0; i < 5; i++) {
		for (size_t j = i + 1; j < 5; j++) {
			size_t expected = 0;
			int64_t end = response->records[i]->time->seconds * 1000000 +
				      response->records[i]->time->nanos / 1000;
			int64_t start = response->records[j]->time->seconds * 1000000 +
					response->records[j]->time->nanos / 1000;
			for (size_t k = 0; k < response->n_records; k++) {
				int64_t at = response->records[k]->time->seconds * 1000000 +
					     response->records[k]->time->nanos / 1000;
				expected += at >= start && at < end;
			}
			request.start_time = response->records[j]->time;
			request.end_time = response->records[i]->time;
			if (start < end) {
				assert_int_equal(count(&request), expected);
				assert_true(expected > 0);
			}
		}
	}
	loop_answer_done(&answer);
	for (size_t i = 0; i < 5; i++) {
		fixture_key_done(&keys[i]);
	}
}

static void test_audit_list_shows_only_what_the_caller_is_granted(void **state)
{
	const char *const rights[] = {"audit.list", NULL};
	const char *const acme[] = {"acme", NULL};
	const char *const any[] = {"*", NULL};
	const char *const test[] = {"test", NULL};
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	(void)state;
	policy.token_prefix = TEXT("t-");
	fixture_make_tenant("other");
	fixture_make_keyspace("other", "prod", &policy);
	fixture_make_keyspace("acme", "test", &policy);
	struct fixture_key prod = fixture_make_key("acme", "prod", "a");
	struct fixture_key tried = fixture_make_key("acme", "test", "b");
	struct fixture_key theirs = fixture_make_key("other", "prod", "c");
	struct fixture_key of_acme = fixture_make_root_key(rights, acme, any);
	struct fixture_key of_test = fixture_make_root_key(rights, acme, test);
	struct fixture_key of_any = fixture_make_root_key(rights, any, any);
	/* acme, prod, test and a key of each. */
	assert_int_equal(count_as(of_acme.token, &request), 5);
	/* acme, test and its key. */
	assert_int_equal(count_as(of_test.token, &request), 3);
	/* Those, and other, its prod and a key; and never what is of "system". */
	assert_int_equal(count_as(of_any.token, &request), 8);
	request.key = prod.id;
	assert_int_equal(count_as(of_acme.token, &request), 1);
	assert_int_equal(count_as(of_test.token, &request), 0);
	request.key = theirs.id;
	assert_int_equal(count_as(of_acme.token, &request), 0);
	request.key = TEXT("");
	request.tenant = TEXT("active");
	assert_int_equal(count_as(of_acme.token, &request), 5);
	request.tenant = TEXT("acme");
	assert_int_equal(count_as(of_any.token, &request), 5);
	request.tenant = TEXT("system");
	/* system, root, and three root keys. */
	assert_int_equal(count(&request), 5);
	struct loop_answer answer = list_as(of_any.token, &request);
	assert_int_equal(answer.code, LK_PERMISSION_DENIED);
	loop_answer_done(&answer);
	struct fixture_key *const keys[] = {&prod, &tried, &theirs, &of_acme, &of_test, &of_any};
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
		fixture_key_done(keys[i]);
	}
}

static void test_audit_list_is_paged(void **state)
{
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	uint64_t next = MADE + 10;
	char token[1025] = "";

	(void)state;
	for (size_t i = 0; i < 10; i++) {
		struct fixture_key key = fixture_make_key("acme", "prod", "");
		fixture_key_done(&key);
	}
	request.page_size = 3;
	do {
		request.page_token = token;
		struct loop_answer answer = list(&request);
		const ListResponse *response = response_of(&answer);
		assert_true(response->n_records <= 3);
		for (size_t i = 0; i < response->n_records; i++) {
			assert_int_equal(response->records[i]->number, next--);
		}
		(void)snprintf(token, sizeof token, "%s", response->next_page_token);
		loop_answer_done(&answer);
		/* What is new comes before what was read, and moves nothing. */
		struct fixture_key key = fixture_make_key("acme", "prod", "");
		fixture_key_done(&key);
	} while (token[0] != '\0');
	assert_int_equal(next, 0);
}

static void test_audit_list_of_refusals_alone(void **state)
{
	const char *const rights[] = {"audit.list", NULL};
	const char *const acme[] = {"acme", NULL};
	const char *const any[] = {"*", NULL};
	const char *const prod[] = {"prod", NULL};
	struct fixture_key of_acme = fixture_make_root_key(rights, acme, any);
	struct fixture_key of_prod = fixture_make_root_key(rights, acme, prod);
	struct fixture_key of_any = fixture_make_root_key(rights, any, any);
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	struct lk_arena arena = {0};
	struct lk_txn *txn = NULL;
	const char *const tenants[] = {"acme", "", "other"};

	(void)state;
	CHECK(lk_arena_init(&arena, 4096, 1 << 20) == LK_OK);
	CHECK(lk_write_begin(fixture_loop.store, &txn) == LK_OK);
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;
	Latchkey__Store__NoteRefusal notes[3];
	for (size_t i = 0; i < 3; i++) {
		latchkey__store__note_refusal__init(&notes[i]);
		notes[i].tenant = TEXT(tenants[i]);
		notes[i].method = TEXT("latchkey.v1.KeyService/Revoke");
		notes[i].code = LK_UNAUTHENTICATED;
		notes[i].left_out_count = i;
		lk_change_note_refusal(&arena, &change, &notes[i]);
	}
	CHECK(lk_apply_do(txn, &arena, &change) == LK_OK);
	CHECK(lk_write_commit(txn) == LK_OK);
	lk_arena_done(&arena);
	request.refused_only = true;
	struct loop_answer answer = list(&request);
	const ListResponse *response = response_of(&answer);
	assert_int_equal(response->n_records, 3);
	assert_int_equal(response->records[0]->left_out_count, 2);
	assert_int_equal(response->records[0]->code, LK_UNAUTHENTICATED);
	assert_string_equal(response->records[0]->resource, "");
	assert_string_equal(response->records[0]->tenant, "other");
	loop_answer_done(&answer);
	assert_int_equal(count_as(of_acme.token, &request), 1);
	/* Of no keyspace, and so for those who are granted all. */
	assert_int_equal(count_as(of_prod.token, &request), 0);
	assert_int_equal(count_as(of_any.token, &request), 3);
	request.action = TEXT("keys.delete");
	assert_int_equal(count(&request), 0);
	fixture_key_done(&of_acme);
	fixture_key_done(&of_prod);
	fixture_key_done(&of_any);
}

static void test_audit_list_tells_every_fault(void **state)
{
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	Google__Protobuf__Timestamp never = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Timestamp early = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Timestamp late = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	(void)state;
	never.nanos = -1;
	request.tenant = TEXT("No Tenant");
	request.key = TEXT("sk-token");
	request.actor = TEXT("somebody");
	request.action = TEXT("keys.fly");
	request.start_time = &never;
	request.end_time = &never;
	request.page_size = 1001;
	request.page_token = TEXT("nothing");
	static const char *const fields[] = {
		"tenant:", "key:", "actor:", "action:", "start_time:", "end_time:", "page_size:", "page_token:"};
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		refuse(&request, fields[i]);
	}
	struct loop_answer answer = fixture_call(&latchkey_v1_audit_list_method, &request.base, LK_INVALID_ARGUMENT);
	assert_null(strstr(answer.violations, "sk-token"));
	loop_answer_done(&answer);
	ListRequest times = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	early.seconds = 100;
	late.seconds = 101;
	times.start_time = &late;
	times.end_time = &early;
	refuse(&times, "end_time: must be later");
	times.end_time = &late;
	refuse(&times, "end_time: must be later");
	static const char *const actors[] = {"uid:", "uid:1x", "key:1", "key:", "Latchkeyd"};
	for (size_t i = 0; i < sizeof actors / sizeof actors[0]; i++) {
		ListRequest one = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
		one.actor = TEXT(actors[i]);
		refuse(&one, "actor:");
	}
	static const char *const actions[] = {"public", "caller", "keys", "latchkey.v1.KeyService", "Revoke"};
	for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
		ListRequest one = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
		one.action = TEXT(actions[i]);
		refuse(&one, "action:");
	}
}

static void test_audit_cursor_is_good_for_its_caller_and_filter(void **state)
{
	const char *const any[] = {"*", NULL};
	struct fixture_key root = fixture_make_root_key(any, any, any);
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	Google__Protobuf__Timestamp start = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	(void)state;
	start.seconds = 1;
	request.page_size = 1;
	struct loop_answer answer = list(&request);
	char *token = strdup(response_of(&answer)->next_page_token);
	CHECK(token != NULL);
	loop_answer_done(&answer);
	assert_true(token[0] != '\0');
	request.page_token = token;
	assert_int_equal(count(&request), 1);
	answer = list_as(root.token, &request);
	assert_int_equal(answer.code, LK_INVALID_ARGUMENT);
	loop_answer_done(&answer);
	ListRequest others[6];
	for (size_t i = 0; i < 6; i++) {
		others[i] = request;
	}
	others[0].tenant = TEXT("acme");
	others[1].key = root.id;
	others[2].actor = TEXT("latchkeyd");
	others[3].action = TEXT("keys.create");
	others[4].start_time = &start;
	others[5].refused_only = true;
	for (size_t i = 0; i < 6; i++) {
		refuse(&others[i], "page_token:");
	}
	for (size_t i = 0, len = strlen(token); i < len; i += 5) {
		char was = token[i];
		token[i] = was == 'A' ? 'B' : 'A';
		refuse(&request, "page_token:");
		token[i] = was;
	}
	free(token);
	fixture_key_done(&root);
}

static void test_audit_methods_need_their_rights(void **state)
{
	const char *const lists[] = {"audit.list", NULL};
	const char *const any[] = {"*", NULL};
	struct fixture_key lister = fixture_make_root_key(lists, any, any);
	struct loop_call how = {.credential = lister.token};
	Latchkey__V1__VerifyAuditChainRequest verify = LATCHKEY__V1__VERIFY_AUDIT_CHAIN_REQUEST__INIT;
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;

	(void)state;
	struct loop_answer answer = loop_call(
		&fixture_loop, &how, &latchkey_v1_audit_verify_chain_method, &verify.base);
	assert_int_equal(answer.code, LK_PERMISSION_DENIED);
	loop_answer_done(&answer);
	how = (struct loop_call){.anonymous = true};
	answer = loop_call(&fixture_loop, &how, &latchkey_v1_audit_list_method, &request.base);
	assert_int_equal(answer.code, LK_UNAUTHENTICATED);
	loop_answer_done(&answer);
	fixture_key_done(&lister);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_audit_list_begins_with_the_newest),
		TEST(test_audit_list_shows_no_secret_and_no_use),
		TEST(test_audit_list_of_a_key_is_its_own_also_when_it_is_gone),
		TEST(test_audit_list_filters_by_actor_and_action),
		TEST(test_audit_list_filters_by_time),
		TEST(test_audit_list_shows_only_what_the_caller_is_granted),
		TEST(test_audit_list_is_paged),
		TEST(test_audit_list_of_refusals_alone),
		TEST(test_audit_list_tells_every_fault),
		TEST(test_audit_cursor_is_good_for_its_caller_and_filter),
		TEST(test_audit_methods_need_their_rights),
	};

	return cmocka_run_group_tests_name("service audit", tests, NULL, NULL);
}

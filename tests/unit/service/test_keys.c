#include "tests/unit/service/service_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define VERDICT(code) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##code

static void revoke(const char *key, enum lk_err expected)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	request.reason = TEXT("leaked");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_revoke_method, &request.base, expected);
	loop_answer_done(&answer);
}

static void remove_key(const char *key, enum lk_err expected)
{
	Latchkey__V1__DeleteKeyRequest request = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	struct loop_answer answer = fixture_call(&latchkey_v1_key_delete_method, &request.base, expected);
	loop_answer_done(&answer);
}

static void test_key_lives_and_ends(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");

	(void)state;
	assert_memory_equal(key.token, "sk-", 3);
	assert_int_equal(strlen(key.token), 3 + 32 + 6);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	assert_int_equal(fixture_verify(key.token, "prod"), VERDICT(VALID));
	assert_int_equal(fixture_verify(key.token, "elsewhere"), VERDICT(WRONG_KEYSPACE));
	revoke(key.id, LK_OK);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(REVOKED));
	revoke(key.id, LK_OK);
	remove_key(key.id, LK_OK);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(NOT_FOUND));
	remove_key(key.id, LK_NOT_FOUND);
	fixture_key_done(&key);
}

static void test_key_stands_after_a_restart(void **state)
{
	struct fixture_key kept = fixture_make_key("acme", "prod", "kept");
	struct fixture_key ended = fixture_make_key("acme", "prod", "ended");

	(void)state;
	revoke(ended.id, LK_OK);
	loop_restart(&fixture_loop);
	assert_int_equal(fixture_verify(kept.token, ""), VERDICT(VALID));
	assert_int_equal(fixture_verify(ended.token, ""), VERDICT(REVOKED));
	fixture_key_done(&kept);
	fixture_key_done(&ended);
}

static void test_key_is_shown_without_its_token(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;

	(void)state;
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	request.tenant = TEXT("acme");
	request.key = TEXT("1");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_get_method, &request.base, LK_OK);
	const Latchkey__V1__Key *shown = (const Latchkey__V1__Key *)answer.response;
	assert_string_equal(shown->id, key.id);
	assert_int_equal(shown->number, 1);
	assert_string_equal(shown->tenant, "acme");
	assert_string_equal(shown->keyspace, "prod");
	assert_string_equal(shown->name, "ci");
	assert_int_equal(strlen(shown->display_prefix), 3 + 6);
	assert_memory_equal(shown->display_prefix, key.token, 3 + 6);
	assert_int_equal(shown->state, LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE);
	assert_int_equal(shown->usage_count, 2);
	assert_non_null(shown->last_used_time);
	assert_int_equal(shown->n_available_actions, 5);
	assert_null(memmem(answer.payload, answer.payload_len, key.token + 12, 20));
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_key_of_another_tenant_is_not_there(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;

	(void)state;
	fixture_make_tenant("other");
	request.tenant = TEXT("other");
	request.key = key.id;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_get_method, &request.base, LK_NOT_FOUND);
	loop_answer_done(&answer);
	request.key = TEXT("1");
	answer = fixture_call(&latchkey_v1_key_get_method, &request.base, LK_NOT_FOUND);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_verify_tells_malformed_from_unknown(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	char *long_token = malloc(4099);

	(void)state;
	assert_non_null(long_token);
	memset(long_token, 'a', 4098);
	long_token[4097] = '\0';
	assert_int_equal(fixture_verify(long_token, ""), VERDICT(MALFORMED));
	assert_int_equal(fixture_verify("", ""), VERDICT(MALFORMED));
	assert_int_equal(fixture_verify("sk-\xc3\xa4", ""), VERDICT(MALFORMED));
	key.token[5] = key.token[5] == 'a' ? 'b' : 'a';
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(MALFORMED));
	revoke(key.id, LK_OK);
	remove_key(key.id, LK_OK);
	key.token[5] = '\0';
	free(long_token);
	fixture_key_done(&key);
}

static Latchkey__V1__VerifyCode verify_with_times(int64_t not_before_s, int64_t expire_s)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Timestamp not_before = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Timestamp expire = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	if (not_before_s != 0) {
		not_before.seconds = (int64_t)time(NULL) + not_before_s;
		request.not_before_time = &not_before;
	}
	if (expire_s != 0) {
		expire.seconds = (int64_t)time(NULL) + expire_s;
		request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_EXPIRE_TIME;
		request.expire_time = &expire;
	}
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	Latchkey__V1__VerifyCode code = fixture_verify(
		((const Latchkey__V1__CreateKeyResponse *)answer.response)->token, "");
	loop_answer_done(&answer);
	return code;
}

static void test_verify_looks_at_the_clock(void **state)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;

	(void)state;
	assert_int_equal(verify_with_times(0, 1000), VERDICT(VALID));
	assert_int_equal(verify_with_times(1000, 0), VERDICT(NOT_YET_VALID));
	assert_int_equal(verify_with_times(-1000, 1000), VERDICT(VALID));
	/* A life of a microsecond is over when it is asked about. */
	ttl.nanos = 1000;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL;
	request.ttl = &ttl;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	const Latchkey__V1__CreateKeyResponse *response = (const Latchkey__V1__CreateKeyResponse *)answer.response;
	assert_int_equal(fixture_verify(response->token, ""), VERDICT(EXPIRED));
	loop_answer_done(&answer);
}

static void test_key_of_the_tenant_is_good_in_each_keyspace(void **state)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	(void)state;
	policy.token_prefix = TEXT("st_");
	fixture_make_keyspace("acme", "staging", &policy);
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	const char *token = ((const Latchkey__V1__CreateKeyResponse *)answer.response)->token;
	assert_int_equal(fixture_verify(token, "staging"), VERDICT(VALID));
	assert_int_equal(fixture_verify(token, "prod"), VERDICT(VALID));
	assert_int_equal(fixture_verify(token, "not-there"), VERDICT(WRONG_KEYSPACE));
	loop_answer_done(&answer);
}

static void test_create_reports_all_faults_together(void **state)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Timestamp past = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	char name[102] = "";

	(void)state;
	memset(name, 'n', sizeof name - 1);
	past.seconds = 1000;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("No Keyspace");
	request.name = name;
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_EXPIRE_TIME;
	request.expire_time = &past;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "keyspace: "));
	assert_non_null(strstr(answer.violations, "name: "));
	assert_non_null(strstr(answer.violations, "expire_time: "));
	loop_answer_done(&answer);
}

static void test_create_blames_no_grant_where_the_tenant_is_unknown(void **state)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;

	(void)state;
	request.keyspace = TEXT("root");
	request.grant = &grant;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_INVALID_ARGUMENT);
	assert_memory_equal(answer.violations, "tenant: ", strlen("tenant: "));
	assert_null(strstr(answer.violations, "grant: "));
	loop_answer_done(&answer);
	request.tenant = TEXT("not-there");
	answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_NOT_FOUND);
	loop_answer_done(&answer);
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "grant: "));
	loop_answer_done(&answer);
	/* And a key of the system is none without one. */
	request.tenant = TEXT("system");
	request.keyspace = TEXT("root");
	request.name = TEXT("root key");
	request.grant = NULL;
	answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "grant: "));
	loop_answer_done(&answer);
}

/* How often `text` stands in `where`. */
static size_t count_of(const char *where, const char *text)
{
	size_t count = 0;

	for (const char *at = strstr(where, text); at != NULL; at = strstr(at + 1, text)) {
		count++;
	}
	return count;
}

static void test_revoke_reports_each_fault_once(void **state)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;

	(void)state;
	/* The operator is granted every tenant, so that there is none that it could default to. */
	request.key = TEXT("no key");
	request.reason = TEXT("\x01");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_revoke_method, &request.base, LK_INVALID_ARGUMENT);
	assert_int_equal(count_of(answer.violations, "\n"), 3);
	assert_non_null(strstr(answer.violations, "reason: "));
	assert_non_null(strstr(answer.violations, "\ntenant: "));
	assert_non_null(strstr(answer.violations, "\nkey: "));
	loop_answer_done(&answer);
}

static void test_name_is_unique_among_those_not_revoked(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	(void)state;
	policy.token_prefix = TEXT("agk_live_");
	policy.name_unique = true;
	fixture_make_keyspace("acme", "unique", &policy);
	struct fixture_key first = fixture_make_key("acme", "unique", "phone");
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("unique");
	request.name = TEXT("  phone ");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_ALREADY_EXISTS);
	assert_non_null(strstr(answer.violations, "name: "));
	loop_answer_done(&answer);
	revoke(first.id, LK_OK);
	struct fixture_key second = fixture_make_key("acme", "unique", "phone");
	fixture_key_done(&first);
	fixture_key_done(&second);
}

static void test_revoke_deletes_where_the_policy_says_so(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	(void)state;
	policy.token_prefix = TEXT("gone-");
	policy.revoke_deletes = true;
	fixture_make_keyspace("acme", "gone", &policy);
	struct fixture_key key = fixture_make_key("acme", "gone", "x");
	revoke(key.id, LK_OK);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(NOT_FOUND));
	revoke(key.id, LK_NOT_FOUND);
	fixture_key_done(&key);
}

static void test_validate_only_changes_nothing(void **state)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__GetKeyRequest get = LATCHKEY__V1__GET_KEY_REQUEST__INIT;

	(void)state;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.validate_only = true;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	const Latchkey__V1__CreateKeyResponse *checked = (const Latchkey__V1__CreateKeyResponse *)answer.response;
	assert_string_equal(checked->token, "");
	assert_string_equal(checked->key->id, "");
	assert_string_equal(checked->key->etag, "");
	assert_string_equal(checked->key->keyspace, "prod");
	loop_answer_done(&answer);
	get.tenant = TEXT("acme");
	get.key = TEXT("1");
	answer = fixture_call(&latchkey_v1_key_get_method, &get.base, LK_NOT_FOUND);
	loop_answer_done(&answer);
}

/* Walks the list page by page; returns how many keys it told, each checked to be newer than the one before. */
static size_t walk(const char *keyspace, int32_t page_size)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	char last[40] = "";
	char token[512] = "";
	size_t count = 0;

	filter.keyspace = TEXT(keyspace);
	request.tenant = TEXT("acme");
	request.filter = &filter;
	request.page_size = page_size;
	do {
		request.page_token = token;
		struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
		const Latchkey__V1__ListKeysResponse *page = (const Latchkey__V1__ListKeysResponse *)answer.response;
		assert_true(page->n_keys <= (size_t)page_size);
		for (size_t i = 0; i < page->n_keys; i++) {
			assert_true(strcmp(last, page->keys[i]->id) != 0);
			(void)snprintf(last, sizeof last, "%s", page->keys[i]->id);
		}
		count += page->n_keys;
		(void)snprintf(token, sizeof token, "%s", page->next_page_token);
		loop_answer_done(&answer);
	} while (token[0] != '\0');
	return count;
}

static void test_list_tells_every_key_once(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	(void)state;
	policy.token_prefix = TEXT("st_");
	fixture_make_keyspace("acme", "staging", &policy);
	assert_int_equal(walk("", 3), 0);
	for (int i = 0; i < 10; i++) {
		struct fixture_key key = fixture_make_key("acme", i % 2 == 0 ? "prod" : "staging", "");
		fixture_key_done(&key);
	}
	assert_int_equal(walk("", 3), 10);
	assert_int_equal(walk("", 10), 10);
	assert_int_equal(walk("", 1), 10);
	assert_int_equal(walk("prod", 2), 5);
}

static void test_list_refuses_what_is_no_cursor_of_its_own(void **state)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	static const int32_t bad_sizes[] = {-1, 1001, INT32_MIN, INT32_MAX};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct fixture_key key = fixture_make_key("acme", "prod", "");
		fixture_key_done(&key);
	}
	request.tenant = TEXT("acme");
	request.page_size = 1;
	struct loop_answer page = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
	request.page_token = ((Latchkey__V1__ListKeysResponse *)page.response)->next_page_token;
	filter.keyspace = TEXT("prod");
	request.filter = &filter;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "page_token: "));
	loop_answer_done(&answer);
	request.filter = NULL;
	request.page_token[7] = request.page_token[7] == 'A' ? 'B' : 'A';
	answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_INVALID_ARGUMENT);
	loop_answer_done(&answer);
	loop_answer_done(&page);
	request.page_token = TEXT("");
	for (size_t i = 0; i < sizeof bad_sizes / sizeof bad_sizes[0]; i++) {
		request.page_size = bad_sizes[i];
		answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_INVALID_ARGUMENT);
		assert_non_null(strstr(answer.violations, "page_size: "));
		loop_answer_done(&answer);
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_key_lives_and_ends),
		TEST(test_key_stands_after_a_restart),
		TEST(test_key_is_shown_without_its_token),
		TEST(test_key_of_another_tenant_is_not_there),
		TEST(test_verify_tells_malformed_from_unknown),
		TEST(test_verify_looks_at_the_clock),
		TEST(test_key_of_the_tenant_is_good_in_each_keyspace),
		TEST(test_create_reports_all_faults_together),
		TEST(test_create_blames_no_grant_where_the_tenant_is_unknown),
		TEST(test_revoke_reports_each_fault_once),
		TEST(test_name_is_unique_among_those_not_revoked),
		TEST(test_revoke_deletes_where_the_policy_says_so),
		TEST(test_validate_only_changes_nothing),
		TEST(test_list_tells_every_key_once),
		TEST(test_list_refuses_what_is_no_cursor_of_its_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

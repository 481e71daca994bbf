/* BulkRevoke: which keys, and what is refused. */
#include "tests/unit/service/bulk_calls.h"

#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_bulk_revoke_reports_each_fault(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	char *keys[] = {TEXT("sk-not-an-id-but-a-token"), TEXT("1")};
	char *absent[] = {TEXT("77"), TEXT("key_00000000000000000000000000")};
	char long_reason[300] = "";

	(void)state;
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(NULL);
	bulk_refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "filter: ");
	request.filter = &filter;
	bulk_refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "filter: would match every key");
	filter.keyspace = TEXT("nothing");
	bulk_refuse_as(NULL, &request, LK_NOT_FOUND, "no keyspace \"nothing\"");
	filter.keyspace = TEXT("No Id");
	bulk_refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "filter.keyspace: ");
	filter.keyspace = TEXT("prod");
	request.tenant = TEXT("nobody");
	bulk_refuse_as(NULL, &request, LK_NOT_FOUND, "no tenant \"nobody\"");
	request.tenant = TEXT("acme");
	request.keys = keys;
	request.n_keys = COUNT(keys);
	memset(long_reason, 'r', 256);
	request.reason = long_reason;
	bulk_refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "keys: give a filter, or keys, but not both");
	bulk_refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "keys[0]: names no key");
	request.filter = NULL;
	struct loop_answer answer = fixture_call(
		&latchkey_v1_key_bulk_revoke_method, &request.base, LK_INVALID_ARGUMENT);
	assert_null(strstr(answer.violations, "token"));
	assert_null(strstr(answer.violations, "keys[1]"));
	loop_answer_done(&answer);
	request.keys = absent;
	bulk_refuse_as(NULL, &request, LK_NOT_FOUND, "2 of the keys are not there");
	bulk_refuse_as(NULL, &request, LK_NOT_FOUND, "\"77\", \"key_00000000000000000000000000\"");
	request.n_keys = 0;
	request.filter = &filter;
	memset(long_reason, 'r', 257);
	bulk_refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "reason: ");
}

static void test_bulk_revoke_page_token_stands_alone_and_is_its_callers(void **state)
{
	static const char *const methods[] = {"keys.*", NULL};
	static const char *const tenants[] = {"acme", "other", NULL};
	static const char *const keyspaces[] = {"*", NULL};
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key *keys = calloc(BULK_MANY, sizeof *keys);
	char *named[] = {TEXT("1")};

	(void)state;
	fixture_make_tenant("other");
	bulk_make_keys("prod", "", keys, BULK_MANY);
	filter.keyspace = TEXT("prod");
	struct fixture_key caller = fixture_make_root_key(methods, tenants, keyspaces);
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	struct bulk_progress progress = bulk_call_as(&caller, &request);
	assert_false(progress.done);

	request.page_token = progress.token;
	request.reason = TEXT("why");
	request.validate_only = true;
	request.keys = named;
	request.n_keys = 1;
	bulk_refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "filter: leave it out");
	bulk_refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "keys: leave it out");
	bulk_refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "reason: leave it out");
	bulk_refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "validate_only: leave it out");
	request = bulk_request_of(NULL);
	request.page_token = progress.token;
	bulk_refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "page_token: ");
	request.tenant = TEXT("other");
	bulk_refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "page_token: ");
	request.tenant = TEXT("acme");
	progress.token[20] = progress.token[20] == 'A' ? 'B' : 'A';
	bulk_refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "page_token: ");
	request.page_token = TEXT("nonsense");
	bulk_refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "page_token: ");
	/* Nothing of this was a part. */
	assert_int_equal(bulk_count_code(keys, BULK_MANY, REVOKED), 500);
	fixture_key_done(&caller);
	bulk_keys_done(keys, BULK_MANY);
	free(keys);
}

static void test_bulk_revoke_validates_exactly_and_changes_nothing(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key keys[25];
	struct fixture_key others[3];
	char *named[] = {NULL, NULL, TEXT("3"), NULL};

	(void)state;
	bulk_make_keys("prod", "ada", keys, COUNT(keys));
	bulk_make_keys("prod", "bob", others, COUNT(others));
	filter.owner = TEXT("ada");
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	request.validate_only = true;
	struct bulk_progress progress = bulk_call_as(NULL, &request);
	assert_int_equal(progress.total, 25);
	assert_int_equal(progress.revoked, 0);
	assert_int_equal(progress.n_sample, 10);
	request.filter = NULL;
	named[0] = keys[0].id;
	named[1] = keys[1].id;
	named[3] = keys[0].id;
	request.keys = named;
	request.n_keys = COUNT(named);
	progress = bulk_call_as(NULL, &request);
	assert_true(progress.total == 2 || progress.total == 3);
	assert_int_equal(progress.n_sample, progress.total);
	assert_int_equal(bulk_count_code(keys, COUNT(keys), VALID), COUNT(keys));
	bulk_keys_done(keys, COUNT(keys));
	bulk_keys_done(others, COUNT(others));
}

static void test_bulk_revoke_of_few_is_done_at_once(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__GetKeyRequest get = LATCHKEY__V1__GET_KEY_REQUEST__INIT;
	struct fixture_key keys[12];
	struct fixture_key others[3];

	(void)state;
	bulk_make_keys("prod", "ada", keys, COUNT(keys));
	bulk_make_keys("prod", "bob", others, COUNT(others));
	filter.owner = TEXT("ada");
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	request.reason = TEXT("leaked");
	struct bulk_progress progress = bulk_call_as(NULL, &request);
	assert_true(progress.done);
	assert_int_equal(progress.total, 12);
	assert_int_equal(progress.revoked, 12);
	assert_int_equal(bulk_count_code(keys, COUNT(keys), REVOKED), COUNT(keys));
	assert_int_equal(bulk_count_code(others, COUNT(others), VALID), COUNT(others));
	get.tenant = TEXT("acme");
	get.key = keys[7].id;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_get_method, &get.base, LK_OK);
	const Latchkey__V1__Key *key = (const Latchkey__V1__Key *)answer.response;
	assert_string_equal(key->revoke_reason, "leaked");
	assert_int_equal(key->state, LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED);
	loop_answer_done(&answer);
	/* Those that are revoked are not among them. */
	progress = bulk_call_as(NULL, &request);
	assert_true(progress.done);
	assert_int_equal(progress.total, 0);
	/* By name, twice the same, and one that is revoked. */
	char *named[] = {others[0].id, others[1].id, others[0].id, keys[0].id};
	request = bulk_request_of(NULL);
	request.keys = named;
	request.n_keys = COUNT(named);
	progress = bulk_call_as(NULL, &request);
	assert_true(progress.done);
	assert_int_equal(progress.total, 2);
	assert_int_equal(fixture_verify(others[1].token, ""), REVOKED);
	assert_int_equal(fixture_verify(others[2].token, ""), VALID);
	bulk_keys_done(keys, COUNT(keys));
	bulk_keys_done(others, COUNT(others));
}

static void test_bulk_revoke_deletes_where_the_policy_wants_it(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key keys[4];
	struct fixture_key others[2];

	(void)state;
	policy.token_prefix = TEXT("tmp_");
	policy.revoke_deletes = true;
	fixture_make_keyspace("acme", "short", &policy);
	bulk_make_keys("short", "ada", keys, COUNT(keys));
	bulk_make_keys("prod", "ada", others, COUNT(others));
	filter.owner = TEXT("ada");
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	struct bulk_progress progress = bulk_call_as(NULL, &request);
	assert_int_equal(progress.total, 6);
	assert_int_equal(bulk_count_code(keys, COUNT(keys), NOT_FOUND), COUNT(keys));
	assert_int_equal(bulk_count_code(others, COUNT(others), REVOKED), COUNT(others));
	bulk_keys_done(keys, COUNT(keys));
	bulk_keys_done(others, COUNT(others));
}

static void test_bulk_revoke_stays_within_the_callers_grant(void **state)
{
	static const char *const methods[] = {"keys.*", NULL};
	static const char *const tenants[] = {"acme", NULL};
	static const char *const both[] = {"acme", "system", NULL};
	static const char *const prod[] = {"prod", NULL};
	static const char *const all[] = {"*", NULL};
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key keys[3];
	struct fixture_key others[3];

	(void)state;
	policy.token_prefix = TEXT("t_");
	fixture_make_keyspace("acme", "test", &policy);
	bulk_make_keys("prod", "ada", keys, COUNT(keys));
	bulk_make_keys("test", "ada", others, COUNT(others));
	struct fixture_key caller = fixture_make_root_key(methods, tenants, prod);
	struct fixture_key rooter = fixture_make_root_key(methods, both, all);
	static const char *const everything[] = {"*", NULL};
	struct fixture_key strong = fixture_make_root_key(everything, both, all);
	char *named[] = {keys[0].id, others[0].id};

	/* By name, one of a keyspace that it may not see: none goes. */
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(NULL);
	request.keys = named;
	request.n_keys = COUNT(named);
	bulk_refuse_as(&caller, &request, LK_NOT_FOUND, others[0].id);
	assert_int_equal(fixture_verify(keys[0].token, ""), VALID);
	filter.keyspace = TEXT("test");
	request = bulk_request_of(&filter);
	bulk_refuse_as(&caller, &request, LK_PERMISSION_DENIED, "test");
	filter.keyspace = TEXT("");
	filter.owner = TEXT("ada");
	struct bulk_progress progress = bulk_call_as(&caller, &request);
	assert_int_equal(progress.total, COUNT(keys));
	assert_int_equal(bulk_count_code(keys, COUNT(keys), REVOKED), COUNT(keys));
	assert_int_equal(bulk_count_code(others, COUNT(others), VALID), COUNT(others));

	/* Root keys: one that may do more than the caller protects them all. */
	filter.owner = TEXT("");
	filter.keyspace = TEXT("root");
	request.tenant = TEXT("system");
	bulk_refuse_as(&caller, &request, LK_PERMISSION_DENIED, "system");
	bulk_refuse_as(&rooter, &request, LK_PERMISSION_DENIED, "exceeds your own");
	char *roots[] = {strong.id};
	request.filter = NULL;
	request.keys = roots;
	request.n_keys = 1;
	bulk_refuse_as(&rooter, &request, LK_PERMISSION_DENIED, "exceeds your own");
	roots[0] = caller.id;
	progress = bulk_call_as(&rooter, &request);
	assert_int_equal(progress.total, 1);
	assert_true(progress.done);
	bulk_keys_done(keys, COUNT(keys));
	bulk_keys_done(others, COUNT(others));
	fixture_key_done(&caller);
	fixture_key_done(&rooter);
	fixture_key_done(&strong);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_bulk_revoke_reports_each_fault),
		TEST(test_bulk_revoke_page_token_stands_alone_and_is_its_callers),
		TEST(test_bulk_revoke_validates_exactly_and_changes_nothing),
		TEST(test_bulk_revoke_of_few_is_done_at_once),
		TEST(test_bulk_revoke_deletes_where_the_policy_wants_it),
		TEST(test_bulk_revoke_stays_within_the_callers_grant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

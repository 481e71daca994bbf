#include "tests/unit/service/service_fixture.h"

#include <stdio.h>

static enum lk_err create_tenant(const char *tenant)
{
	Latchkey__V1__CreateTenantRequest request = LATCHKEY__V1__CREATE_TENANT_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	struct loop_answer answer = loop_call(
		&fixture_loop, &fixture_operator, &latchkey_v1_tenant_create_method, &request.base);
	enum lk_err code = lk_err_from_wire(answer.code);
	loop_answer_done(&answer);
	return code;
}

static void test_tenant_id_is_checked(void **state)
{
	static const char *const bad[] = {"", "-a", "A", "a b", "a_b", "active", "system", "\xc3\xa4", "a/b",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(create_tenant(bad[i]), LK_INVALID_ARGUMENT);
	}
	assert_int_equal(create_tenant("acme"), LK_ALREADY_EXISTS);
	assert_int_equal(create_tenant("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), LK_OK);
	assert_int_equal(create_tenant("0"), LK_OK);
}

static void test_tenants_are_listed_by_id_and_page(void **state)
{
	Latchkey__V1__ListTenantsRequest request = LATCHKEY__V1__LIST_TENANTS_REQUEST__INIT;
	static const char *const expected[] = {"aa", "acme", "bb", "system"};
	char token[512] = "";
	size_t count = 0;

	(void)state;
	fixture_make_tenant("bb");
	fixture_make_tenant("aa");
	request.page_size = 1;
	do {
		request.page_token = token;
		struct loop_answer answer = fixture_call(&latchkey_v1_tenant_list_method, &request.base, LK_OK);
		const Latchkey__V1__ListTenantsResponse *page = (const Latchkey__V1__ListTenantsResponse *)
									answer.response;
		if (page->n_tenants == 1) {
			assert_true(count < 4);
			assert_string_equal(page->tenants[0]->id, expected[count++]);
		}
		(void)snprintf(token, sizeof token, "%s", page->next_page_token);
		loop_answer_done(&answer);
	} while (token[0] != '\0');
	assert_int_equal(count, 4);
}

static void test_keyspace_shows_its_policy(void **state)
{
	Latchkey__V1__GetKeyspaceRequest request = LATCHKEY__V1__GET_KEYSPACE_REQUEST__INIT;

	(void)state;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	struct loop_answer answer = fixture_call(&latchkey_v1_keyspace_get_method, &request.base, LK_OK);
	const Latchkey__V1__Keyspace *keyspace = (const Latchkey__V1__Keyspace *)answer.response;
	assert_string_equal(keyspace->policy->token_prefix, "sk-");
	assert_int_equal(keyspace->policy->display_length, 9);
	assert_int_equal(keyspace->policy->token_format, LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_OPAQUE);
	loop_answer_done(&answer);
	request.keyspace = TEXT("not-there");
	answer = fixture_call(&latchkey_v1_keyspace_get_method, &request.base, LK_NOT_FOUND);
	loop_answer_done(&answer);
}

static void test_keyspace_reports_all_faults_together(void **state)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	(void)state;
	policy.token_prefix = TEXT("s k");
	policy.display_length = 90;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("UPPER");
	request.policy = &policy;
	struct loop_answer answer = fixture_call(
		&latchkey_v1_keyspace_create_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "keyspace: "));
	assert_non_null(strstr(answer.violations, "policy.token_prefix: "));
	assert_non_null(strstr(answer.violations, "policy.display_length: "));
	loop_answer_done(&answer);
}

static void test_system_tenant_takes_no_keyspace(void **state)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	(void)state;
	policy.token_prefix = TEXT("x-");
	request.tenant = TEXT("system");
	request.keyspace = TEXT("more");
	request.policy = &policy;
	struct loop_answer answer = fixture_call(
		&latchkey_v1_keyspace_create_method, &request.base, LK_INVALID_ARGUMENT);
	loop_answer_done(&answer);
	request.tenant = TEXT("acme");
	policy.token_prefix = TEXT("lkr_");
	answer = fixture_call(&latchkey_v1_keyspace_create_method, &request.base, LK_INVALID_ARGUMENT);
	loop_answer_done(&answer);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_tenant_id_is_checked),
		TEST(test_tenants_are_listed_by_id_and_page),
		TEST(test_keyspace_shows_its_policy),
		TEST(test_keyspace_reports_all_faults_together),
		TEST(test_system_tenant_takes_no_keyspace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

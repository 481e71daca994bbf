#include "tests/unit/service/service_fixture.h"

#include <stdio.h>

static void expect(const void *envelope, size_t len, enum lk_err code, const char *said)
{
	struct loop_answer answer = loop_send(&fixture_loop, &fixture_operator, NULL, envelope, len);

	assert_int_equal(answer.code, lk_err_wire_code(code));
	if (strstr(answer.message, said) == NULL) {
		print_message("said: %s\n", answer.message);
	}
	assert_non_null(strstr(answer.message, said));
	loop_answer_done(&answer);
}

#define EXPECT(envelope, code, said) expect(envelope, sizeof(envelope) - 1, code, said)

static void test_envelope_that_is_none_is_refused(void **state)
{
	(void)state;
	EXPECT("", LK_UNIMPLEMENTED, "no method \"\"");
	EXPECT("\xff\xff\xff", LK_INVALID_ARGUMENT, "not a latchkey.v1.Request");
	EXPECT("GET / HTTP/1.1\r\n\r\n", LK_INVALID_ARGUMENT, "not a latchkey.v1.Request");
	/* Cut off within the method's name. */
	EXPECT("\x0a\x20latchkey", LK_INVALID_ARGUMENT, "not a latchkey.v1.Request");
	/* The method given twice. */
	EXPECT("\x0a\x01"
	       "a\x0a\x01"
	       "b",
		LK_INVALID_ARGUMENT, "not a latchkey.v1.Request");
}

static void test_unknown_method_is_named(void **state)
{
	(void)state;
	EXPECT("\x0a\x22latchkey.v1.KeyService/VerifyNothing", LK_INVALID_ARGUMENT, "not a latchkey.v1.Request");
	EXPECT("\x0a\x24latchkey.v1.KeyService/VerifyNothing", LK_UNIMPLEMENTED, "VerifyNothing");
	EXPECT("\x0a\x1dlatchkey.v1.KeyService/Verif", LK_INVALID_ARGUMENT, "not a latchkey.v1.Request");
	EXPECT("\x0a\x1clatchkey.v1.KeyService/Verif", LK_UNIMPLEMENTED, "Verif");
}

static void test_extension_fields_are_ignored(void **state)
{
	(void)state;
	/* HealthService/Check, and field 16 with a varint. */
	EXPECT("\x0a\x1flatchkey.v1.HealthService/Check\x80\x01\x05", LK_OK, "");
	/* Field 14 is none that is reserved for extensions. */
	EXPECT("\x0a\x1flatchkey.v1.HealthService/Check\x70\x05", LK_INVALID_ARGUMENT, "not a latchkey.v1.Request");
}

static void test_payload_is_checked_before_it_is_unpacked(void **state)
{
	/* Verify: a token with NUL in it; a token that is not UTF-8; a token twice; a field that Verify has not. */
	(void)state;
	EXPECT("\x0a\x1dlatchkey.v1.KeyService/Verify\x7a\x05\x0a\x03"
	       "a\0b",
		LK_INVALID_ARGUMENT, "token");
	EXPECT("\x0a\x1dlatchkey.v1.KeyService/Verify\x7a\x04\x0a\x02\xc3\x28", LK_INVALID_ARGUMENT, "token");
	EXPECT("\x0a\x1dlatchkey.v1.KeyService/Verify\x7a\x06\x0a\x01"
	       "a\x0a\x01"
	       "b",
		LK_INVALID_ARGUMENT, "token");
	EXPECT("\x0a\x1dlatchkey.v1.KeyService/Verify\x7a\x03\xf8\x06\x01", LK_INVALID_ARGUMENT, "");
}

static void test_min_revision_waits_for_nobody(void **state)
{
	struct loop_call how = {.min_revision = 3};
	Latchkey__V1__CheckHealthRequest request = LATCHKEY__V1__CHECK_HEALTH_REQUEST__INIT;

	(void)state;
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_health_check_method, &request.base);
	assert_int_equal(answer.code, 0);
	uint64_t revision = answer.revision;
	loop_answer_done(&answer);
	how.min_revision = revision + 1;
	answer = loop_call(&fixture_loop, &how, &latchkey_v1_health_check_method, &request.base);
	assert_int_equal(answer.code, LK_UNAVAILABLE);
	loop_answer_done(&answer);
	struct fixture_key key = fixture_make_key("acme", "prod", "");
	answer = loop_call(&fixture_loop, &how, &latchkey_v1_health_check_method, &request.base);
	assert_int_equal(answer.code, 0);
	assert_int_equal(answer.revision, revision + 1);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_request_may_have_its_size_and_no_more(void **state)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	static char token[70000];

	(void)state;
	memset(token, 'a', sizeof token - 1);
	request.token = token;
	struct loop_answer answer = loop_call(
		&fixture_loop, &fixture_operator, &latchkey_v1_key_verify_method, &request.base);
	assert_int_equal(answer.code, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.message, "65536"));
	loop_answer_done(&answer);
}

static void test_request_that_is_not_taken_says_why(void **state)
{
	struct loop_call no_spare = {.no_spare = true};
	struct loop_call stopping = {.stopping = true};
	Latchkey__V1__CreateTenantRequest create = LATCHKEY__V1__CREATE_TENANT_REQUEST__INIT;
	Latchkey__V1__ListTenantsRequest list = LATCHKEY__V1__LIST_TENANTS_REQUEST__INIT;

	(void)state;
	create.tenant = TEXT("other");
	struct loop_answer answer = loop_call(
		&fixture_loop, &no_spare, &latchkey_v1_tenant_create_method, &create.base);
	assert_int_equal(answer.code, LK_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(answer.message, "changes"));
	assert_true(answer.retry_after_ms > 0);
	loop_answer_done(&answer);
	answer = loop_call(&fixture_loop, &no_spare, &latchkey_v1_tenant_list_method, &list.base);
	assert_int_equal(answer.code, LK_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(answer.message, "long reads"));
	assert_true(answer.retry_after_ms > 0);
	loop_answer_done(&answer);
	answer = loop_call(&fixture_loop, &stopping, &latchkey_v1_tenant_list_method, &list.base);
	assert_int_equal(answer.code, LK_UNAVAILABLE);
	assert_non_null(strstr(answer.message, "stopping"));
	loop_answer_done(&answer);
	/* Nothing of it happened, and nothing is stuck. */
	fixture_make_tenant("other");
}

static void test_descriptors_are_all_there(void **state)
{
	Latchkey__V1__GetDescriptorsRequest request = LATCHKEY__V1__GET_DESCRIPTORS_REQUEST__INIT;

	(void)state;
	struct loop_answer answer = fixture_call(&latchkey_v1_reflection_get_descriptors_method, &request.base, LK_OK);
	assert_non_null(memmem(answer.payload, answer.payload_len, "VerifyKeyRequest", 16));
	loop_answer_done(&answer);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_envelope_that_is_none_is_refused),
		TEST(test_unknown_method_is_named),
		TEST(test_extension_fields_are_ignored),
		TEST(test_payload_is_checked_before_it_is_unpacked),
		TEST(test_min_revision_waits_for_nobody),
		TEST(test_request_may_have_its_size_and_no_more),
		TEST(test_request_that_is_not_taken_says_why),
		TEST(test_descriptors_are_all_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

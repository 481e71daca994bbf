/* What may be wrong with a question: the daemon's wire check is what says it, of the packed message. */
#include <latchkey/local.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "latchkey/v1/key.wire.h"
#include "server/rpc/wire.h"
#include "tests/unit/local/local_fixture.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* The longest texts that are tried, and one character more. */
static char long_text[4097];

static void assert_error(struct local *local, const Latchkey__V1__VerifyKeyRequest *request, enum lk_err expected)
{
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_local_reply reply = {0};

	assert_int_equal(lk_local_verify(local->verifier, request, &response, NULL), expected);
	assert_int_equal(lk_local_verify(local->verifier, request, &response, &local->call), expected);
	assert_null(response);
	lk_call_done(&local->call);
	assert_int_equal(lk_local_verify_packed(local->verifier, request, &reply, &local->call), expected);
	assert_null(reply.data);
	assert_non_null(local->call.message);
}

static void assert_told_of(const struct local *local, const char *field)
{
	for (size_t i = 0; i < local->call.n_violations; i++) {
		if (strcmp(local->call.violations[i].field, field) == 0) {
			return;
		}
	}
	fail_msg("nothing was said of %s", field);
}

/* That the violations are the wire check's own, in number and words. */
static void assert_as_on_the_wire(struct local *local, const Latchkey__V1__VerifyKeyRequest *request)
{
	static uint8_t packed[65536];
	struct lk_faults faults;

	assert_error(local, request, LK_INVALID_ARGUMENT);
	lk_faults_init(&faults, &local->store.arena);
	size_t len = latchkey__v1__verify_key_request__pack(request, packed);
	assert_int_equal(
		lk_wire_check(&latchkey__v1__verify_key_request__wire, packed, len, &faults), LK_INVALID_ARGUMENT);
	assert_int_equal(local->call.n_violations, faults.count);
	for (size_t i = 0; i < faults.count; i++) {
		assert_string_equal(local->call.violations[i].field, faults.items[i].field);
		assert_string_equal(local->call.violations[i].description, faults.items[i].description);
	}
}

static Latchkey__V1__VerifyKeyRequest question(void)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(LOCAL_TOKEN);
	return request;
}

/* Where the texts of a question lie in it. */
static const size_t texts_at[] = {
	offsetof(Latchkey__V1__VerifyKeyRequest, token),
	offsetof(Latchkey__V1__VerifyKeyRequest, tenant),
	offsetof(Latchkey__V1__VerifyKeyRequest, keyspace),
	offsetof(Latchkey__V1__VerifyKeyRequest, permission_expression),
	offsetof(Latchkey__V1__VerifyKeyRequest, client_ip),
};

static void set_text(Latchkey__V1__VerifyKeyRequest *request, size_t at, const char *text)
{
	char *value = TEXT(text);

	memcpy((char *)request + at, &value, sizeof value);
}

static void test_input_that_is_no_utf_8_is_refused(void **state)
{
	static const char *const bad[] = {"\xff", "sk-\xc0\x80", "\xed\xa0\x80", "a\xe2\x82", "\xf4\x90\x80\x80"};
	struct local *local = *state;

	for (size_t i = 0; i < COUNT(texts_at); i++) {
		for (size_t j = 0; j < COUNT(bad); j++) {
			Latchkey__V1__VerifyKeyRequest request = question();
			set_text(&request, texts_at[i], bad[j]);
			assert_as_on_the_wire(local, &request);
			assert_int_equal(local->call.n_violations, 1);
		}
	}
	Latchkey__V1__RateCharge charge = LATCHKEY__V1__RATE_CHARGE__INIT;
	Latchkey__V1__RateCharge *charges[] = {&charge};
	Latchkey__V1__VerifyKeyRequest request = question();
	charge.name = TEXT("\xfe");
	request.rate_charges = charges;
	request.n_rate_charges = 1;
	assert_as_on_the_wire(local, &request);
	assert_told_of(local, "rate_charges[0].name");
}

static void test_input_that_is_too_long_is_refused_field_by_field(void **state)
{
	static const size_t most[] = {0, 63, 63, 1000, 64};
	struct local *local = *state;
	Latchkey__V1__VerifyKeyRequest all = question();

	memset(long_text, 'a', sizeof long_text - 1);
	for (size_t i = 1; i < COUNT(texts_at); i++) {
		Latchkey__V1__VerifyKeyRequest request = question();
		const char *text = long_text + sizeof long_text - 1 - (most[i] + 1);
		set_text(&request, texts_at[i], text);
		set_text(&all, texts_at[i], text);
		assert_as_on_the_wire(local, &request);
		assert_int_equal(local->call.n_violations, 1);
	}
	assert_as_on_the_wire(local, &all);
	assert_int_equal(local->call.n_violations, 4);
}

/* Longer than a token can be, and no ASCII: no fault of the question's. */
static void test_input_of_any_token_has_a_verdict(void **state)
{
	struct local *local = *state;

	memset(long_text, 'a', sizeof long_text - 1);
	assert_int_equal(local_verdict(local, long_text), VERDICT(MALFORMED));
	assert_int_equal(local_verdict(local, "sk-h\xc3\xa9"), VERDICT(MALFORMED));
	char *longer = calloc(1, 5001);
	memset(longer, 'a', 5000);
	assert_int_equal(local_verdict(local, longer), VERDICT(MALFORMED));
	free(longer);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
}

static void test_input_larger_than_any_request_is_refused(void **state)
{
	struct local *local = *state;
	Latchkey__V1__VerifyKeyRequest request = question();
	char *token = calloc(1, 70001);

	memset(token, 'a', 70000);
	request.token = token;
	assert_error(local, &request, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(local->call.message, "may have 65536"));
	assert_null(strstr(local->call.message, "aaaa"));
	free(token);
}

static void test_input_of_too_many_charges_is_refused(void **state)
{
	struct local *local = *state;
	Latchkey__V1__RateCharge charges[9];
	Latchkey__V1__RateCharge *list[9];
	Latchkey__V1__VerifyKeyRequest request = question();
	char names[9][2];

	for (size_t i = 0; i < COUNT(charges); i++) {
		latchkey__v1__rate_charge__init(&charges[i]);
		names[i][0] = (char)('a' + i);
		names[i][1] = '\0';
		charges[i].name = names[i];
		list[i] = &charges[i];
	}
	request.rate_charges = list;
	request.n_rate_charges = 9;
	assert_as_on_the_wire(local, &request);
	assert_told_of(local, "rate_charges");
	request.n_rate_charges = 8;
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	assert_int_equal(lk_local_verify(local->verifier, &request, &response, NULL), LK_OK);
	assert_int_equal(response->code, VERDICT(VALID));
}

static void test_input_with_fields_that_nobody_knows_is_refused(void **state)
{
	struct local *local = *state;
	uint8_t one = 1;
	ProtobufCMessageUnknownField field = {
		.tag = 99, .wire_type = PROTOBUF_C_WIRE_TYPE_VARINT, .len = 1, .data = &one};
	Latchkey__V1__VerifyKeyRequest request = question();

	request.base.n_unknown_fields = 1;
	request.base.unknown_fields = &field;
	assert_as_on_the_wire(local, &request);
	assert_told_of(local, "99");
}

/* What the wire could not even hold: a message that was never initialised, and texts that are not there. */
static void test_input_that_is_no_message_is_refused(void **state)
{
	struct local *local = *state;
	Latchkey__V1__VerifyKeyRequest zero;
	Latchkey__V1__VerifyKeyRequest request = question();
	Latchkey__V1__RateCharge *nothing[] = {NULL};

	memset(&zero, 0, sizeof zero);
	assert_error(local, NULL, LK_INVALID_ARGUMENT);
	assert_error(local, &zero, LK_INVALID_ARGUMENT);
	request.rate_charges = nothing;
	request.n_rate_charges = 1;
	assert_error(local, &request, LK_INVALID_ARGUMENT);
	assert_told_of(local, "rate_charges[0]");
	/* protobuf-c takes no text for an empty one. */
	request = question();
	request.tenant = request.keyspace = request.client_ip = request.permission_expression = NULL;
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	assert_int_equal(lk_local_verify(local->verifier, &request, &response, NULL), LK_OK);
	assert_int_equal(response->code, VERDICT(VALID));
	request.token = NULL;
	assert_int_equal(lk_local_verify(local->verifier, &request, &response, NULL), LK_OK);
	assert_int_equal(response->code, VERDICT(MALFORMED));
}

/* What the service itself finds, all of it together. */
static void test_input_faults_are_reported_together(void **state)
{
	struct local *local = *state;
	Latchkey__V1__RateCharge charge = LATCHKEY__V1__RATE_CHARGE__INIT;
	Latchkey__V1__RateCharge *charges[] = {&charge};
	Latchkey__V1__VerifyKeyRequest request = question();

	charge.name = TEXT("No Name");
	request.rate_charges = charges;
	request.n_rate_charges = 1;
	request.permission_expression = TEXT("a:b AND");
	request.client_ip = TEXT("10.0.0.256");
	request.cost = UINT64_MAX;
	assert_error(local, &request, LK_INVALID_ARGUMENT);
	assert_int_equal(local->call.n_violations, 4);
	assert_told_of(local, "client_ip");
	assert_told_of(local, "cost");
	assert_told_of(local, "rate_charges[0].name");
	assert_told_of(local, "permission_expression");
	/* The next call starts anew. */
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
	assert_int_equal(local->call.n_violations, 0);
}

static void test_input_may_not_name_the_system_tenant(void **state)
{
	struct local *local = *state;
	Latchkey__V1__VerifyKeyRequest request = question();

	request.tenant = TEXT("system");
	assert_error(local, &request, LK_PERMISSION_DENIED);
	assert_int_equal(local->call.n_violations, 0);
	request.tenant = TEXT("Not An Id");
	assert_error(local, &request, LK_INVALID_ARGUMENT);
	assert_told_of(local, "tenant");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, local_setup, local_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_input_that_is_no_utf_8_is_refused),
		TEST(test_input_that_is_too_long_is_refused_field_by_field),
		TEST(test_input_of_any_token_has_a_verdict),
		TEST(test_input_larger_than_any_request_is_refused),
		TEST(test_input_of_too_many_charges_is_refused),
		TEST(test_input_with_fields_that_nobody_knows_is_refused),
		TEST(test_input_that_is_no_message_is_refused),
		TEST(test_input_faults_are_reported_together),
		TEST(test_input_may_not_name_the_system_tenant),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/service/service_fixture.h"

#include <sched.h>
#include <stdio.h>

#include <latchkey/v1/audit.client.h>

#include "client/envelope.h"
#include "server/store/store.h"
#include "server/store/txn.h"
#include "tests/lib/check.h"

typedef Latchkey__V1__ListAuditRecordsRequest ListRequest;
typedef Latchkey__V1__ListAuditRecordsResponse ListResponse;

/* system, root, acme and prod. */
#define MADE 4

static struct loop_answer list(const ListRequest *request)
{
	return fixture_call(&latchkey_v1_audit_list_method, &request->base, LK_OK);
}

static const ListResponse *response_of(const struct loop_answer *answer)
{
	assert_int_equal(answer->code, 0);
	return (const ListResponse *)answer->response;
}

static void refuse_revoke(const struct loop_call *how, const char *tenant, enum lk_err expected)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.key = TEXT("1");
	struct loop_answer answer = loop_call(&fixture_loop, how, &latchkey_v1_key_revoke_method, &request.base);
	assert_int_equal(answer.code, expected);
	loop_answer_done(&answer);
}

/* The records of refused calls, once there are so many: they are written by and by. */
static struct loop_answer await_refusals(size_t wanted)
{
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;

	request.refused_only = true;
	for (;;) {
		struct loop_answer answer = list(&request);
		if (response_of(&answer)->n_records >= wanted) {
			return answer;
		}
		loop_answer_done(&answer);
		(void)sched_yield();
	}
}

static void test_audit_has_every_refused_call_but_those_for_verdicts(void **state)
{
	const char *const rights[] = {"tenants.get", NULL};
	const char *const revokes[] = {"keys.revoke", NULL};
	const char *const acme[] = {"acme", NULL};
	const char *const any[] = {"*", NULL};
	struct fixture_key getter = fixture_make_root_key(rights, acme, any);
	struct fixture_key revoker = fixture_make_root_key(revokes, acme, any);
	const struct loop_call nobody = {.anonymous = true};
	const struct loop_call wrong = {.credential = "lkr_notakeyatall"};
	const struct loop_call too_little = {.credential = getter.token};
	const struct loop_call elsewhere = {.credential = revoker.token};
	Latchkey__V1__VerifyKeyRequest verify = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	(void)state;
	verify.token = TEXT("sk-nothing");
	struct loop_answer answer = loop_call(&fixture_loop, &too_little, &latchkey_v1_key_verify_method, &verify.base);
	assert_int_equal(answer.code, LK_PERMISSION_DENIED);
	loop_answer_done(&answer);
	refuse_revoke(&nobody, "acme", LK_UNAUTHENTICATED);
	refuse_revoke(&wrong, "Not An Id", LK_UNAUTHENTICATED);
	refuse_revoke(&too_little, "", LK_PERMISSION_DENIED);
	refuse_revoke(&elsewhere, "other", LK_PERMISSION_DENIED);
	answer = await_refusals(4);
	const ListResponse *response = response_of(&answer);
	assert_int_equal(response->n_records, 4);
	static const char *const tenants[] = {"other", "acme", "", "acme"};
	static const uint32_t codes[] = {
		LK_PERMISSION_DENIED, LK_PERMISSION_DENIED, LK_UNAUTHENTICATED, LK_UNAUTHENTICATED};
	const char *const actors[] = {revoker.id, getter.id, NULL, NULL};
	for (size_t i = 0; i < 4; i++) {
		const Latchkey__V1__AuditRecord *record = response->records[i];
		assert_string_equal(record->method, "latchkey.v1.KeyService/Revoke");
		assert_string_equal(record->tenant, tenants[i]);
		assert_int_equal(record->code, codes[i]);
		assert_string_equal(record->peer, "loop");
		assert_string_equal(record->resource, "");
		assert_int_equal(record->left_out_count, 0);
		if (actors[i] == NULL) {
			assert_string_equal(record->actor, "");
		} else {
			assert_int_equal(strncmp(record->actor, "key:", 4), 0);
			assert_string_equal(record->actor + 4, actors[i]);
		}
	}
	assert_null(memmem(answer.payload, answer.payload_len, "notakeyatall", 12));
	loop_answer_done(&answer);
	fixture_key_done(&getter);
	fixture_key_done(&revoker);
}

/* Has an envelope of nobody's refused. */
static void refuse_envelope(const char *traceparent, const void *payload, size_t len)
{
	const struct loop_call nobody = {.anonymous = true};
	const char *method = latchkey_v1_key_revoke_method.name;
	struct lk_request_envelope envelope = {
		.method = {(const uint8_t *)method, strlen(method)},
		.traceparent = {(const uint8_t *)traceparent, strlen(traceparent)},
		.payload = {payload, len},
	};
	uint8_t bytes[512];

	CHECK(lk_envelope_request_size(&envelope) + len <= sizeof bytes);
	size_t head_len = lk_envelope_request_pack(&envelope, bytes);
	memcpy(bytes + head_len, payload, len);
	struct loop_answer answer = loop_send(&fixture_loop, &nobody, NULL, bytes, head_len + len);
	assert_int_equal(answer.code, LK_UNAUTHENTICATED);
	loop_answer_done(&answer);
}

/* Nobody has looked at what such a call carries: only what has the form of a trace context, or of a tenant, is kept. */
static void test_audit_of_a_refused_call_keeps_nothing_that_may_be_a_secret(void **state)
{
	static const char trace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	static const uint8_t truncated[] = {0x0a, 200, 'a', 'c', 'm', 'e'};
	static const uint8_t behind[] = {0x12, 2, '1', '2', 0x18, 0x96, 0x01, 0x0a, 4, 'a', 'c', 'm', 'e'};
	static const uint8_t token[] = {0x0a, 8, 'l', 'k', 'r', '_', 'A', 'B', 'C', 'D'};

	(void)state;
	refuse_envelope(trace, behind, sizeof behind);
	refuse_envelope("lkr_secretsecret", truncated, sizeof truncated);
	refuse_envelope("", token, sizeof token);
	struct loop_answer answer = await_refusals(3);
	const ListResponse *response = response_of(&answer);
	assert_string_equal(response->records[2]->traceparent, trace);
	assert_string_equal(response->records[2]->tenant, "acme");
	assert_string_equal(response->records[1]->traceparent, "");
	assert_string_equal(response->records[1]->tenant, "");
	assert_string_equal(response->records[0]->tenant, "");
	loop_answer_done(&answer);
}

static struct loop_answer verify_chain(const char *token)
{
	Latchkey__V1__VerifyAuditChainRequest request = LATCHKEY__V1__VERIFY_AUDIT_CHAIN_REQUEST__INIT;

	request.page_token = TEXT(token);
	return fixture_call(&latchkey_v1_audit_verify_chain_method, &request.base, LK_OK);
}

static void test_audit_chain_that_is_whole_is_verified(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct lk_store_state head = {0};

	(void)state;
	struct loop_answer answer = verify_chain("");
	const Latchkey__V1__VerifyAuditChainResponse *response = (const Latchkey__V1__VerifyAuditChainResponse *)
									 answer.response;
	assert_int_equal(lk_store_tend(fixture_loop.store, &head), LK_OK);
	assert_int_equal(response->verified_number, MADE + 1);
	assert_int_equal(response->head_number, MADE + 1);
	assert_int_equal(response->broken_number, 0);
	assert_string_equal(response->broken_description, "");
	assert_string_equal(response->next_page_token, "");
	assert_int_equal(strlen(response->head_hash), 64);
	char hex[3];
	(void)snprintf(hex, sizeof hex, "%02x", head.audit_hash[0]);
	assert_int_equal(strncmp(response->head_hash, hex, 2), 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

/* Puts `value` in place of the record of this number. */
static void forge(uint64_t number, const void *value, size_t len)
{
	struct lk_key where = lk_key_u64(number);
	struct lk_txn *txn = NULL;

	CHECK(lk_write_begin(fixture_loop.store, &txn) == LK_OK);
	lk_txn_put(txn, LK_TABLE_AUDIT, &where, value, len, 0);
	CHECK(lk_write_commit(txn) == LK_OK);
}

static void test_audit_chain_that_is_broken_is_told_and_where(void **state)
{
	ListRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;

	(void)state;
	/* Not even a record: told, and no failure of the call. */
	forge(3, "nonsense that has more than thirty-two bytes and does not unpack", 64);
	struct loop_answer answer = verify_chain("");
	const Latchkey__V1__VerifyAuditChainResponse *response = (const Latchkey__V1__VerifyAuditChainResponse *)
									 answer.response;
	assert_int_equal(response->verified_number, 2);
	assert_int_equal(response->head_number, MADE);
	assert_int_equal(response->broken_number, 3);
	assert_non_null(strstr(response->broken_description, "does not even unpack"));
	assert_string_equal(response->next_page_token, "");
	loop_answer_done(&answer);
	/* And the others are still listed. */
	answer = list(&request);
	assert_int_equal(response_of(&answer)->n_records, MADE - 1);
	loop_answer_done(&answer);
}

static void test_audit_chain_token_is_sealed(void **state)
{
	Latchkey__V1__VerifyAuditChainRequest request = LATCHKEY__V1__VERIFY_AUDIT_CHAIN_REQUEST__INIT;
	ListRequest list_request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;

	(void)state;
	request.page_token = TEXT("AAAA");
	struct loop_answer answer = fixture_call(
		&latchkey_v1_audit_verify_chain_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "page_token:"));
	loop_answer_done(&answer);
	/* One of a list is no position in a proof. */
	list_request.page_size = 1;
	struct loop_answer page = list(&list_request);
	request.page_token = response_of(&page)->next_page_token;
	answer = fixture_call(&latchkey_v1_audit_verify_chain_method, &request.base, LK_INVALID_ARGUMENT);
	loop_answer_done(&answer);
	loop_answer_done(&page);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_audit_has_every_refused_call_but_those_for_verdicts),
		TEST(test_audit_of_a_refused_call_keeps_nothing_that_may_be_a_secret),
		TEST(test_audit_chain_that_is_whole_is_verified),
		TEST(test_audit_chain_that_is_broken_is_told_and_where),
		TEST(test_audit_chain_token_is_sealed),
	};

	return cmocka_run_group_tests_name("service audit chain", tests, NULL, NULL);
}

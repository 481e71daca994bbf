/* What leaves with whom: lone calls, batches and what is in them, what goes alone, the queue's end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "asker.h"

/* Texts of messages are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

static void assert_item(const Latchkey__V1__VerifyBatchRequest *batch, size_t i, const char *token)
{
	assert_int_equal(batch->items[i]->token.len, strlen(token));
	assert_memory_equal(batch->items[i]->token.data, token, strlen(token));
}

static void test_verifier_refuses_options_that_are_none(void **state)
{
	struct lk_verifier *const untouched = (struct lk_verifier *)(uintptr_t)1;
	struct lk_verifier *verifier = untouched;

	(void)state;
	fixture_open_channel(stage->fixture, 1, NULL);
	const struct lk_verifier_options options[] = {
		{.channel = NULL},
		{.channel = stage->fixture->channel, .batch_max = 1001},
	};
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		assert_int_equal(lk_verifier_open(&options[i], &verifier), LK_INVALID_ARGUMENT);
		assert_ptr_equal(verifier, untouched);
	}
	lk_verifier_close(NULL);
}

static void test_verifier_lone_caller_is_sent_as_verify(void **state)
{
	struct crowd *crowd = stage_run(script_echo_all, NULL);
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_call call = LK_CALL_INIT;

	(void)state;
	request.token = TEXT("alone");
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(lk_verifier_verify(crowd->verifier, &request, &response, &call), LK_OK);
		assert_string_equal(response->key->name, "alone");
		assert_int_equal(call.attempts, 1);
		assert_int_equal(call.revision, 7);
		latchkey__v1__verify_key_response__free_unpacked(response, NULL);
		struct lk_request_envelope sent = peer_request(&stage->fixture->peer, i);
		assert_false(is_batch(&sent));
	}
	lk_call_done(&call);
	assert_int_equal(lk_verifier_verify(crowd->verifier, &request, &response, NULL), LK_OK);
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
}

static void test_verifier_what_arrives_meanwhile_leaves_together(void **state)
{
	struct crowd *crowd = stage_run(script_gated, NULL);

	(void)state;
	crowd_start(crowd, 0, 10);
	sem_post(&stage->gate);
	crowd_await(crowd, 10);
	crowd_assert(crowd, 0, 10, LK_OK);
	assert_int_equal(peer_count(&stage->fixture->peer), 2);
	Latchkey__V1__VerifyBatchRequest *batch = peer_batch_request(&stage->fixture->peer, 1);
	assert_int_equal(batch->n_items, 9);
	assert_null(batch->options);
	for (size_t i = 0; i < 9; i++) {
		assert_item(batch, i, crowd->askers[i + 1].token);
		assert_null(batch->items[i]->options);
		assert_int_equal(crowd->askers[i + 1].call.attempts, 1);
		assert_int_equal(crowd->askers[i + 1].call.revision, 7);
		assert_null(crowd->askers[i + 1].call.message);
	}
	latchkey__v1__verify_batch_request__free_unpacked(batch, NULL);
}

static void test_verifier_two_messages_may_be_under_way(void **state)
{
	struct crowd *crowd = stage_run(script_gated, &(struct lk_verifier_options){.batches_max = 2});

	(void)state;
	/* Two that are alone, each a message; the others wait for one of them. */
	crowd_start(crowd, 0, 30);
	sem_post(&stage->gate);
	crowd_await(crowd, 30);
	crowd_assert(crowd, 0, 30, LK_OK);
	struct lk_request_envelope second = peer_request(&stage->fixture->peer, 1);
	assert_false(is_batch(&second));
	assert_int_equal(peer_count(&stage->fixture->peer), 3);
}

static void test_verifier_request_may_go_at_once(void **state)
{
	struct crowd *crowd = stage_run(script_gated, NULL);
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	char token[] = "mine", tenant[] = "acme";

	(void)state;
	crowd_start(crowd, 0, 1);
	request.token = token;
	request.tenant = tenant;
	assert_int_equal(asker_start(crowd, 1, &request), LK_OK);
	memset(token, 'x', sizeof(token) - 1);
	memset(tenant, 'x', sizeof(tenant) - 1);
	sem_post(&stage->gate);
	crowd_await(crowd, 2);
	assert_string_equal(crowd->askers[1].name, "mine");
	assert_string_equal(crowd->askers[1].owner, "acme");
}

static void test_verifier_splits_at_batch_max(void **state)
{
	static const size_t sizes[] = {0, 4, 4, 1};
	struct crowd *crowd = stage_run(script_gated, &(struct lk_verifier_options){.batches_max = 1, .batch_max = 4});

	(void)state;
	crowd_start(crowd, 0, 10);
	sem_post(&stage->gate);
	crowd_await(crowd, 10);
	crowd_assert(crowd, 0, 10, LK_OK);
	assert_int_equal(peer_count(&stage->fixture->peer), 4);
	for (unsigned i = 1; i < 4; i++) {
		Latchkey__V1__VerifyBatchRequest *batch = peer_batch_request(&stage->fixture->peer, i);
		assert_int_equal(batch->n_items, sizes[i]);
		latchkey__v1__verify_batch_request__free_unpacked(batch, NULL);
	}
}

static void test_verifier_keeps_below_the_message_limit(void **state)
{
	struct crowd *crowd = stage_run(
		script_gated, &(struct lk_verifier_options){.batches_max = 1, .batch_max = 1000});
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	char token[4097] = "", expression[1001] = "";
	size_t n_items = 0;

	(void)state;
	memset(token, 'k', sizeof(token) - 1);
	memset(expression, 'a', sizeof(expression) - 1);
	request.token = token;
	request.permission_expression = expression;
	for (unsigned i = 0; i < 401; i++) {
		/* Options that no two share. */
		(void)snprintf(expression, 8, "%07u", i);
		expression[7] = 'a';
		assert_int_equal(asker_start(crowd, i, &request), LK_OK);
	}
	sem_post(&stage->gate);
	crowd_await(crowd, 401);
	assert_in_range(peer_count(&stage->fixture->peer), 4, 8);
	for (unsigned i = 1; i < peer_count(&stage->fixture->peer); i++) {
		struct lk_request_envelope sent = peer_request(&stage->fixture->peer, i);
		assert_in_range(sent.payload.len, 1, LK_LARGE_REQUEST_MAX - 16384);
		Latchkey__V1__VerifyBatchRequest *batch = peer_batch_request(&stage->fixture->peer, i);
		n_items += batch->n_items;
		latchkey__v1__verify_batch_request__free_unpacked(batch, NULL);
	}
	assert_int_equal(n_items, 400);
}

static void test_verifier_shares_the_options_that_most_have(void **state)
{
	struct crowd *crowd = stage_run(script_gated, NULL);
	Latchkey__V1__VerifyKeyRequest acme = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT, other = acme, none = acme;
	Latchkey__V1__RateCharge charge = LATCHKEY__V1__RATE_CHARGE__INIT, *charges[] = {&charge};

	(void)state;
	acme.tenant = other.tenant = TEXT("acme");
	acme.client_ip = TEXT("10.0.0.1");
	charge.name = TEXT("day");
	charge.cost = 3;
	acme.rate_charges = charges;
	acme.n_rate_charges = 1;
	other.tenant = TEXT("other");
	other.dry_run = true;
	const Latchkey__V1__VerifyKeyRequest *options[] = {NULL, &other, &acme, &none, &acme, &acme, &acme, &other};
	for (unsigned i = 0; i < 8; i++) {
		assert_int_equal(asker_start(crowd, i, options[i]), LK_OK);
	}
	sem_post(&stage->gate);
	crowd_await(crowd, 8);
	crowd_assert(crowd, 0, 8, LK_OK);
	Latchkey__V1__VerifyBatchRequest *batch = peer_batch_request(&stage->fixture->peer, 1);
	assert_string_equal(batch->options->tenant, "acme");
	assert_string_equal(batch->options->token, "");
	assert_int_equal(batch->options->n_rate_charges, 1);
	assert_int_equal(batch->options->rate_charges[0]->cost, 3);
	for (unsigned i = 1; i < 8; i++) {
		const Latchkey__V1__VerifyBatchItem *item = batch->items[i - 1];
		assert_item(batch, i - 1, crowd->askers[i].token);
		assert_int_equal(item->options == NULL, options[i] == &acme);
		assert_string_equal(crowd->askers[i].owner, options[i]->tenant);
		if (options[i] == &other) {
			assert_true(item->options->dry_run);
			assert_string_equal(item->options->token, "");
		}
	}
	latchkey__v1__verify_batch_request__free_unpacked(batch, NULL);
}

static void test_verifier_empty_token_is_asked_about(void **state)
{
	struct crowd *crowd = stage_run(script_gated, NULL);
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	(void)state;
	crowd_start(crowd, 0, 2);
	/* asker_start() would put a token in. */
	assert_int_equal(asker_start_as(crowd, 2, &request), LK_OK);
	sem_post(&stage->gate);
	crowd_await(crowd, 3);
	assert_int_equal(crowd->askers[2].err, LK_OK);
	assert_string_equal(crowd->askers[2].name, "");
	Latchkey__V1__VerifyBatchRequest *batch = peer_batch_request(&stage->fixture->peer, 1);
	assert_int_equal(batch->n_items, 2);
	assert_int_equal(batch->items[1]->token.len, 0);
	latchkey__v1__verify_batch_request__free_unpacked(batch, NULL);
}

/* Each makes of a request or a call one that can only go alone. */
struct loner {
	const char *what;
	Latchkey__V1__VerifyKeyRequest request;
	struct lk_call call;
};

static void test_verifier_what_could_fail_a_batch_goes_alone(void **state)
{
	static char tenant[65], expression[1002], address[66], token[9000], charge_name[34];
	Latchkey__V1__RateCharge charge = LATCHKEY__V1__RATE_CHARGE__INIT, *charges[9];
	Latchkey__V1__RateCharge bad = LATCHKEY__V1__RATE_CHARGE__INIT, *bad_charges[] = {&bad};
	const Latchkey__V1__VerifyKeyRequest init = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	static const uint8_t request_id[LK_REQUEST_ID_LEN] = {1};
	struct loner loners[14] = {{.what = "token"}, {.what = "tenant"}, {.what = "keyspace"}, {.what = "expression"},
		{.what = "address"}, {.what = "tenant is long"}, {.what = "expression is long"},
		{.what = "address is long"}, {.what = "token is long"}, {.what = "charges"}, {.what = "charge"},
		{.what = "credential", .call = {.credential = "lkr_x"}},
		{.what = "request_id", .call = {.request_id = request_id}},
		{.what = "traceparent", .call = {.traceparent = "00-1-2-3"}}};
	struct crowd *crowd = stage_run(script_silent, NULL);

	(void)state;
	memset(tenant, 'a', 64);
	memset(expression, 'a', 1001);
	memset(address, '1', 65);
	memset(token, 't', 8999);
	memset(charge_name, 'c', 33);
	for (size_t i = 0; i < 9; i++) {
		charges[i] = &charge;
	}
	bad.name = charge_name;
	for (size_t i = 0; i < 14; i++) {
		loners[i].request = init;
		loners[i].request.token = TEXT("fine");
	}
	loners[0].request.token = TEXT("\xff");
	loners[1].request.tenant = TEXT("\xc3");
	loners[2].request.keyspace = TEXT("a\x80");
	loners[3].request.permission_expression = TEXT("\xf0\x80\x80\x80");
	loners[4].request.client_ip = TEXT("\xed\xa0\x80");
	loners[5].request.tenant = tenant;
	loners[6].request.permission_expression = expression;
	loners[7].request.client_ip = address;
	loners[8].request.token = token;
	loners[9].request.rate_charges = charges;
	loners[9].request.n_rate_charges = 9;
	loners[10].request.rate_charges = bad_charges;
	loners[10].request.n_rate_charges = 1;
	/* The one message that may be under way. */
	crowd_start(crowd, 0, 1);
	peer_await(&stage->fixture->peer, 1);
	for (unsigned i = 0; i < 14; i++) {
		crowd->askers[i + 1].call = loners[i].call;
		assert_int_equal(asker_start(crowd, i + 1, &loners[i].request), LK_OK);
		struct lk_request_envelope sent = peer_request(&stage->fixture->peer, i + 1);
		assert_false(is_batch(&sent));
	}
	crowd->askers[15].call = (struct lk_call){.min_revision = 9};
	assert_int_equal(asker_start(crowd, 15, &loners[11].request), LK_OK);
	assert_int_equal(peer_request(&stage->fixture->peer, 15).min_revision, 9);
	lk_verifier_close(crowd->verifier);
	crowd->verifier = NULL;
	crowd_assert(crowd, 0, 16, LK_CANCELLED);
}

static void test_verifier_too_large_a_request_is_refused_as_by_verify(void **state)
{
	struct crowd *crowd = stage_run(script_echo_all, NULL);
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_call call = LK_CALL_INIT, unary = LK_CALL_INIT;
	char *token = malloc(LK_REQUEST_MAX + 1);

	(void)state;
	assert_non_null(token);
	memset(token, 't', LK_REQUEST_MAX);
	token[LK_REQUEST_MAX] = '\0';
	request.token = token;
	assert_int_equal(lk_verifier_verify(crowd->verifier, &request, &response, &call), LK_INVALID_ARGUMENT);
	assert_int_equal(
		latchkey_v1_key_verify(stage->fixture->channel, &request, &response, &unary), LK_INVALID_ARGUMENT);
	assert_string_equal(call.message, unary.message);
	assert_null(response);
	lk_call_done(&call);
	lk_call_done(&unary);
	free(token);
}

static void test_verifier_full_queue_refuses_one_more(void **state)
{
	struct crowd *crowd = stage_run(script_gated, &(struct lk_verifier_options){.batches_max = 1, .queue_max = 3});

	(void)state;
	crowd_start(crowd, 0, 4);
	assert_int_equal(asker_start(crowd, 4, NULL), LK_RESOURCE_EXHAUSTED);
	assert_non_null(strstr(crowd->askers[4].call.message, "3 calls wait"));
	assert_true(crowd->askers[4].call.retry_after_ms > 0);
	sem_post(&stage->gate);
	crowd_await(crowd, 4);
	crowd_assert(crowd, 0, 4, LK_OK);
	assert_int_equal(crowd->askers[4].n_told, 0);
	/* There is room again, and what was said is gone. */
	assert_int_equal(asker_start(crowd, 4, NULL), LK_OK);
	crowd_await(crowd, 5);
	assert_null(crowd->askers[4].call.message);
	assert_int_equal(crowd->askers[4].call.retry_after_ms, 0);
}

static void ask_on(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	struct crowd *crowd = context;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	if (err != LK_OK || strcmp(response->key->name, "chain") != 0) {
		abort();
	}
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	pthread_mutex_lock(&crowd->lock);
	bool goes_on = ++crowd->n_told < 500;
	pthread_cond_broadcast(&crowd->changed);
	pthread_mutex_unlock(&crowd->lock);
	request.token = TEXT("chain");
	if (goes_on && lk_verifier_start(crowd->verifier, &request, call, ask_on, crowd) != LK_OK) {
		abort();
	}
}

static void test_verifier_callbacks_may_ask_again(void **state)
{
	struct crowd *crowd = stage_run(script_echo_all, &(struct lk_verifier_options){.batch_max = 8});
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	(void)state;
	request.token = TEXT("chain");
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(
			lk_verifier_start(crowd->verifier, &request, &crowd->askers[i].call, ask_on, crowd), LK_OK);
	}
	/* The 500th and all behind it do not ask again. */
	crowd_await(crowd, 499 + 20);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, stage_setup, stage_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verifier_refuses_options_that_are_none),
		TEST(test_verifier_lone_caller_is_sent_as_verify),
		TEST(test_verifier_what_arrives_meanwhile_leaves_together),
		TEST(test_verifier_two_messages_may_be_under_way),
		TEST(test_verifier_request_may_go_at_once),
		TEST(test_verifier_splits_at_batch_max),
		TEST(test_verifier_keeps_below_the_message_limit),
		TEST(test_verifier_shares_the_options_that_most_have),
		TEST(test_verifier_empty_token_is_asked_about),
		TEST(test_verifier_what_could_fail_a_batch_goes_alone),
		TEST(test_verifier_too_large_a_request_is_refused_as_by_verify),
		TEST(test_verifier_full_queue_refuses_one_more),
		TEST(test_verifier_callbacks_may_ask_again),
	};

	return cmocka_run_group_tests_name("verifier", tests, NULL, NULL);
}

/* What comes back: outcomes, errors of items and of messages, prefixes, older servers, and answers that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "asker.h"

#define N_ASKERS 6u
/* Of the batch that askers 1 to 5 leave in. */
#define ODD 2u

#define TEXT(text) ((char *)(uintptr_t)(text))

/* Whether it is the first batch that comes. */
static bool is_first_batch(unsigned index, const struct lk_request_envelope *request)
{
	if (index == 0) {
		sem_wait(&stage->gate);
	}
	return index == 1 && is_batch(request);
}

/* One lone call, five in a batch behind it. */
static struct crowd *run_six(peer_script script)
{
	struct crowd *crowd = stage_run(script, NULL);

	crowd_start(crowd, 0, N_ASKERS);
	sem_post(&stage->gate);
	crowd_await(crowd, N_ASKERS);
	return crowd;
}

static void script_item_is_wrong(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	Latchkey__V1__VerifyOutcome outcome = LATCHKEY__V1__VERIFY_OUTCOME__INIT;
	Latchkey__V1__FieldViolation tenant = LATCHKEY__V1__FIELD_VIOLATION__INIT, cost = tenant;
	Latchkey__V1__FieldViolation *violations[] = {&tenant, &cost};

	if (!is_first_batch(index, request)) {
		script_echo_all(peer, index, request);
		return;
	}
	tenant.field = TEXT("tenant");
	tenant.description = TEXT("is no id");
	cost.field = TEXT("rate_charges[1].cost");
	cost.description = TEXT("is too much");
	outcome.code = LK_INVALID_ARGUMENT;
	outcome.message = TEXT("the request is not valid");
	outcome.violations = violations;
	outcome.n_violations = 2;
	peer_batch(peer, request, SIZE_MAX, ODD, &outcome);
}

static void test_verifier_fault_of_one_is_told_to_it_alone(void **state)
{
	struct crowd *crowd = run_six(script_item_is_wrong);
	const struct lk_call *call = &crowd->askers[ODD + 1].call;

	(void)state;
	crowd_assert(crowd, 0, ODD + 1, LK_OK);
	crowd_assert(crowd, ODD + 1, ODD + 2, LK_INVALID_ARGUMENT);
	crowd_assert(crowd, ODD + 2, N_ASKERS, LK_OK);
	assert_string_equal(call->message, "the request is not valid");
	assert_int_equal(call->n_violations, 2);
	assert_string_equal(call->violations[0].field, "tenant");
	assert_string_equal(call->violations[1].field, "rate_charges[1].cost");
	assert_string_equal(call->violations[1].description, "is too much");
	assert_int_equal(call->attempts, 1);
	/* As Verify has it of an error. */
	assert_int_equal(call->revision, 0);
	assert_int_equal(crowd->askers[ODD].call.revision, 7);
}

static void script_item_unavailable(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	Latchkey__V1__VerifyOutcome outcome = LATCHKEY__V1__VERIFY_OUTCOME__INIT;

	if (!is_first_batch(index, request)) {
		script_echo_all(peer, index, request);
		return;
	}
	outcome.code = LK_UNAVAILABLE;
	outcome.message = TEXT("the key was being changed all the while");
	peer_batch(peer, request, SIZE_MAX, ODD, &outcome);
}

static void test_verifier_unavailable_item_is_asked_for_again(void **state)
{
	struct crowd *crowd = run_six(script_item_unavailable);

	(void)state;
	crowd_assert(crowd, 0, N_ASKERS, LK_OK);
	for (unsigned i = 0; i < N_ASKERS; i++) {
		assert_int_equal(crowd->askers[i].call.attempts, i == ODD + 1 ? 2 : 1);
		assert_null(crowd->askers[i].call.message);
	}
	Latchkey__V1__VerifyBatchRequest *batch = peer_batch_request(&stage->fixture->peer, 2);
	assert_int_equal(batch->n_items, 1);
	latchkey__v1__verify_batch_request__free_unpacked(batch, NULL);
}

/* What the batch as a whole is answered: set before it is run. */
static struct lk_response_envelope whole;

static void script_whole(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (is_first_batch(index, request)) {
		peer_reply(peer, &whole);
	} else {
		script_echo_all(peer, index, request);
	}
}

static struct lk_span span_of(const char *text)
{
	return (struct lk_span){(const uint8_t *)text, strlen(text)};
}

static struct crowd *run_whole(enum lk_err code, const char *message, uint32_t retry_after_ms)
{
	whole = (struct lk_response_envelope){
		.code = (uint32_t)code, .message = span_of(message), .retry_after_ms = retry_after_ms, .revision = 9};
	return run_six(script_whole);
}

static void assert_all_told(enum lk_err err, const char *message, uint32_t retry_after_ms)
{
	struct crowd *crowd = stage->crowd;

	crowd_assert(crowd, 0, 1, LK_OK);
	crowd_assert(crowd, 1, N_ASKERS, err);
	assert_int_equal(peer_count(&stage->fixture->peer), 2);
	for (unsigned i = 1; i < N_ASKERS; i++) {
		assert_string_equal(crowd->askers[i].call.message, message);
		assert_int_equal(crowd->askers[i].call.retry_after_ms, retry_after_ms);
		assert_int_equal(crowd->askers[i].call.revision, 9);
		assert_int_equal(crowd->askers[i].call.attempts, 1);
	}
}

static void test_verifier_unauthenticated_is_told_to_all(void **state)
{
	(void)state;
	run_whole(LK_UNAUTHENTICATED, "who is there?", 0);
	assert_all_told(LK_UNAUTHENTICATED, "who is there?", 0);
}

static void test_verifier_permission_denied_is_told_to_all(void **state)
{
	(void)state;
	run_whole(LK_PERMISSION_DENIED, "not you", 0);
	assert_all_told(LK_PERMISSION_DENIED, "not you", 0);
}

static void test_verifier_exhausted_is_told_to_all(void **state)
{
	(void)state;
	run_whole(LK_RESOURCE_EXHAUSTED, "too much", 250);
	assert_all_told(LK_RESOURCE_EXHAUSTED, "too much", 250);
}

static void test_verifier_unavailable_for_long_is_told_to_all(void **state)
{
	(void)state;
	run_whole(LK_UNAVAILABLE, "come back tomorrow", 86400000);
	assert_all_told(LK_UNAVAILABLE, "come back tomorrow", 86400000);
}

static void test_verifier_unavailable_message_is_asked_again(void **state)
{
	struct crowd *crowd = run_whole(LK_UNAVAILABLE, "going down", 0);

	(void)state;
	crowd_assert(crowd, 0, N_ASKERS, LK_OK);
	for (unsigned i = 1; i < N_ASKERS; i++) {
		assert_int_equal(crowd->askers[i].call.attempts, 2);
		assert_null(crowd->askers[i].call.message);
	}
}

static void test_verifier_fault_of_the_message_is_found_one_by_one(void **state)
{
	struct crowd *crowd = run_whole(LK_INVALID_ARGUMENT, "items[3]: no", 0);

	(void)state;
	crowd_assert(crowd, 0, N_ASKERS, LK_OK);
	assert_int_equal(peer_count(&stage->fixture->peer), 2 + N_ASKERS - 1);
	for (unsigned i = 2; i < 1 + N_ASKERS; i++) {
		struct lk_request_envelope sent = peer_request(&stage->fixture->peer, i);
		assert_false(is_batch(&sent));
	}
	/* The next ones leave together again. */
	crowd_start(crowd, N_ASKERS, N_ASKERS + 1);
	crowd_await(crowd, N_ASKERS + 1);
	crowd_assert(crowd, N_ASKERS, N_ASKERS + 1, LK_OK);
}

static void script_no_batches(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index == 0) {
		sem_wait(&stage->gate);
	}
	if (is_batch(request)) {
		peer_reply_code(peer, LK_UNIMPLEMENTED, "there is no method latchkey.v1.KeyService/VerifyBatch", 0);
	} else {
		script_echo_all(peer, index, request);
	}
}

static void test_verifier_older_server_is_asked_one_by_one_for_good(void **state)
{
	struct crowd *crowd = stage_run(
		script_no_batches, &(struct lk_verifier_options){.batches_max = 1, .batch_max = 3});
	unsigned n_batches = 0;

	(void)state;
	/* Two batches' worth: the second one is not even tried. */
	crowd_start(crowd, 0, N_ASKERS);
	sem_post(&stage->gate);
	crowd_await(crowd, N_ASKERS);
	crowd_start(crowd, N_ASKERS, 20);
	crowd_await(crowd, 20);
	crowd_assert(crowd, 0, 20, LK_OK);
	assert_int_equal(peer_count(&stage->fixture->peer), 21);
	for (unsigned i = 0; i < 21; i++) {
		struct lk_request_envelope sent = peer_request(&stage->fixture->peer, i);
		n_batches += is_batch(&sent);
	}
	assert_int_equal(n_batches, 1);
	assert_int_equal(crowd->askers[1].call.attempts, 1);
}

static void script_prefix(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (is_first_batch(index, request)) {
		/* By now more have come. */
		sem_wait(&stage->gate);
		peer_batch(peer, request, 2, 0, NULL);
	} else {
		script_echo_all(peer, index, request);
	}
}

static void test_verifier_rest_of_a_prefix_leaves_first(void **state)
{
	struct crowd *crowd = stage_run(script_prefix, &(struct lk_verifier_options){.batches_max = 1, .batch_max = 5});
	static const char *const order[] = {"t3", "t4", "t5", "t6", "t7"};

	(void)state;
	crowd_start(crowd, 0, 6);
	sem_post(&stage->gate);
	peer_await(&stage->fixture->peer, 2);
	crowd_start(crowd, 6, 9);
	sem_post(&stage->gate);
	crowd_await(crowd, 9);
	crowd_assert(crowd, 0, 9, LK_OK);
	Latchkey__V1__VerifyBatchRequest *batch = peer_batch_request(&stage->fixture->peer, 2);
	assert_int_equal(batch->n_items, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_memory_equal(batch->items[i]->token.data, order[i], 2);
	}
	latchkey__v1__verify_batch_request__free_unpacked(batch, NULL);
}

static void script_one_by_one(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index == 0) {
		sem_wait(&stage->gate);
	}
	if (is_batch(request)) {
		peer_batch(peer, request, 1, 0, NULL);
	} else {
		script_echo_all(peer, index, request);
	}
}

static void test_verifier_prefixes_of_one_come_to_an_end(void **state)
{
	struct crowd *crowd = run_six(script_one_by_one);

	(void)state;
	crowd_assert(crowd, 0, N_ASKERS, LK_OK);
	assert_int_equal(peer_count(&stage->fixture->peer), N_ASKERS);
}

static void script_hangs_up(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (is_first_batch(index, request)) {
		peer_hang_up(peer);
	} else {
		script_echo_all(peer, index, request);
	}
}

static void test_verifier_lost_connection_is_asked_again(void **state)
{
	struct crowd *crowd = run_six(script_hangs_up);

	(void)state;
	crowd_assert(crowd, 0, N_ASKERS, LK_OK);
	for (unsigned i = 1; i < N_ASKERS; i++) {
		assert_int_equal(crowd->askers[i].call.attempts, 2);
	}
}

/* The bytes that the batch is answered with: set before it is run. */
static struct lk_span bad;

static void script_bad_payload(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (is_first_batch(index, request)) {
		peer_payload(peer, bad.data, bad.len);
	} else {
		script_echo_all(peer, index, request);
	}
}

static void assert_alien(struct crowd *crowd, unsigned from, unsigned to)
{
	crowd_assert(crowd, from, to, LK_PROTOCOL);
	for (unsigned i = from; i < to; i++) {
		assert_non_null(strstr(crowd->askers[i].call.message, "none of Latchkey's"));
		assert_non_null(strstr(crowd->askers[i].call.message, stage->fixture->address.url));
	}
}

static void assert_bad_payload_fails_all(const void *bytes, size_t len)
{
	bad = (struct lk_span){bytes, len};
	struct crowd *crowd = run_six(script_bad_payload);
	crowd_assert(crowd, 0, 1, LK_OK);
	assert_alien(crowd, 1, N_ASKERS);
	/* It goes on. */
	crowd_start(crowd, N_ASKERS, N_ASKERS + 1);
	crowd_await(crowd, N_ASKERS + 1);
	crowd_assert(crowd, N_ASKERS, N_ASKERS + 1, LK_OK);
}

static void test_verifier_no_outcome_is_a_protocol_error(void **state)
{
	(void)state;
	assert_bad_payload_fails_all("", 0);
}

static void test_verifier_unknown_fields_alone_are_a_protocol_error(void **state)
{
	(void)state;
	assert_bad_payload_fails_all("\x10\x01\x7a\x01z", 5);
}

static void test_verifier_more_outcomes_than_asked_are_a_protocol_error(void **state)
{
	/* Six of them, where five were asked for. */
	static const char six[] =
		"\x0a\x06\x7a\x04\x08\1\x10\1\x0a\x06\x7a\x04\x08\1\x10\1\x0a\x06\x7a\x04\x08\1\x10\1"
		"\x0a\x06\x7a\x04\x08\1\x10\1\x0a\x06\x7a\x04\x08\1\x10\1\x0a\x06\x7a\x04\x08\1\x10\1";

	(void)state;
	assert_bad_payload_fails_all(six, sizeof(six) - 1);
}

static void test_verifier_outcome_cut_off_is_a_protocol_error(void **state)
{
	(void)state;
	assert_bad_payload_fails_all("\x0a\x06\x7a\x04\x08\1\x10\1\x0a\x7f\x7a\x04", 12);
}

static void test_verifier_outcome_of_another_type_is_a_protocol_error(void **state)
{
	(void)state;
	assert_bad_payload_fails_all("\x08\x01", 2);
}

static void test_verifier_tag_that_is_none_is_a_protocol_error(void **state)
{
	(void)state;
	assert_bad_payload_fails_all("\x0a\x06\x7a\x04\x08\1\x10\1\x07\x01", 10);
}

static void test_verifier_unknown_field_cut_off_is_a_protocol_error(void **state)
{
	(void)state;
	assert_bad_payload_fails_all("\x0a\x06\x7a\x04\x08\1\x10\1\x12\x7f", 10);
}

/* Outcomes that are none, in the place of one: the others are told their verdicts. */
static const struct {
	const char *what;
	const char *bytes;
	size_t len;
} bad_outcomes[] = {
	{"no verdict", "\x0a\x00", 2},
	{"an empty verdict", "\x0a\x02\x7a\x00", 4},
	{"VALID, but not valid", "\x0a\x04\x7a\x02\x10\x01", 6},
	{"valid, but REVOKED", "\x0a\x06\x7a\x04\x08\x01\x10\x04", 8},
	{"no code", "\x0a\x04\x7a\x02\x08\x01", 6},
	{"no VerifyKeyResponse", "\x0a\x04\x7a\x02\x1a\x7f", 6},
	{"two codes", "\x0a\x04\x08\x03\x08\x03", 6},
	{"a message that is no text", "\x0a\x05\x08\x03\x12\x01\xff", 7},
	{"a violation cut off", "\x0a\x06\x08\x03\x1a\x02\x0a\x7f", 8},
	{"code as text", "\x0a\x03\x0a\x01\x03", 5},
};

static size_t bad_index;

static void script_bad_outcome(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	static const char fine[] = "\x0a\x0c\x7a\x0a\x08\1\x10\1\x1a\x04\x22\x02tX";
	char payload[256];
	size_t len = 0;

	if (!is_first_batch(index, request)) {
		script_echo_all(peer, index, request);
		return;
	}
	for (unsigned i = 0; i < N_ASKERS - 1; i++) {
		size_t one = i == ODD ? bad_outcomes[bad_index].len : sizeof(fine) - 1;
		memcpy(payload + len, i == ODD ? bad_outcomes[bad_index].bytes : fine, one);
		len += one;
	}
	peer_payload(peer, payload, len);
}

static void test_verifier_outcome_that_is_none_fails_its_own_caller(void **state)
{
	(void)state;
	for (bad_index = 0; bad_index < sizeof(bad_outcomes) / sizeof(bad_outcomes[0]); bad_index++) {
		struct crowd *crowd = run_six(script_bad_outcome);
		assert_alien(crowd, ODD + 1, ODD + 2);
		for (unsigned i = 0; i < N_ASKERS; i++) {
			assert_int_equal(crowd->askers[i].n_told, 1);
			assert_int_equal(crowd->askers[i].err, i == ODD + 1 ? LK_PROTOCOL : LK_OK);
		}
		if (bad_index + 1 < sizeof(bad_outcomes) / sizeof(bad_outcomes[0])) {
			stage_teardown(state);
			assert_int_equal(stage_setup(state), 0);
		}
	}
}

static void script_garbage(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (is_first_batch(index, request)) {
		peer_reply_bytes(peer, "\xff\xff\xff", 3);
	} else {
		script_echo_all(peer, index, request);
	}
}

static void test_verifier_answer_that_is_no_envelope_is_a_protocol_error(void **state)
{
	struct crowd *crowd = run_six(script_garbage);

	(void)state;
	assert_alien(crowd, 1, N_ASKERS);
}

static void script_strange_code(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	Latchkey__V1__VerifyOutcome outcome = LATCHKEY__V1__VERIFY_OUTCOME__INIT;

	if (!is_first_batch(index, request)) {
		script_echo_all(peer, index, request);
		return;
	}
	outcome.code = 99;
	outcome.message = TEXT("what?");
	peer_batch(peer, request, SIZE_MAX, ODD, &outcome);
}

static void test_verifier_code_that_nobody_knows_is_unknown(void **state)
{
	struct crowd *crowd = run_six(script_strange_code);

	(void)state;
	crowd_assert(crowd, ODD + 1, ODD + 2, LK_UNKNOWN);
	assert_string_equal(crowd->askers[ODD + 1].call.message, "what?");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, stage_setup, stage_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verifier_fault_of_one_is_told_to_it_alone),
		TEST(test_verifier_unavailable_item_is_asked_for_again),
		TEST(test_verifier_unauthenticated_is_told_to_all),
		TEST(test_verifier_permission_denied_is_told_to_all),
		TEST(test_verifier_exhausted_is_told_to_all),
		TEST(test_verifier_unavailable_for_long_is_told_to_all),
		TEST(test_verifier_unavailable_message_is_asked_again),
		TEST(test_verifier_fault_of_the_message_is_found_one_by_one),
		TEST(test_verifier_older_server_is_asked_one_by_one_for_good),
		TEST(test_verifier_rest_of_a_prefix_leaves_first),
		TEST(test_verifier_prefixes_of_one_come_to_an_end),
		TEST(test_verifier_lost_connection_is_asked_again),
		TEST(test_verifier_no_outcome_is_a_protocol_error),
		TEST(test_verifier_unknown_fields_alone_are_a_protocol_error),
		TEST(test_verifier_more_outcomes_than_asked_are_a_protocol_error),
		TEST(test_verifier_outcome_cut_off_is_a_protocol_error),
		TEST(test_verifier_outcome_of_another_type_is_a_protocol_error),
		TEST(test_verifier_tag_that_is_none_is_a_protocol_error),
		TEST(test_verifier_unknown_field_cut_off_is_a_protocol_error),
		TEST(test_verifier_outcome_that_is_none_fails_its_own_caller),
		TEST(test_verifier_answer_that_is_no_envelope_is_a_protocol_error),
		TEST(test_verifier_code_that_nobody_knows_is_unknown),
	};

	return cmocka_run_group_tests_name("verifier: answers", tests, NULL, NULL);
}

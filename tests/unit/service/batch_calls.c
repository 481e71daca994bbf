#include "tests/unit/service/batch_calls.h"

#include <stdio.h>

struct batch_calls batch_calls;
struct batch_answers batch_answers;

void batch_begin(void)
{
	latchkey__v1__verify_batch_request__init(&batch_calls.request);
	batch_calls.request.items = batch_calls.list;
}

void batch_add_bytes(const void *token, size_t len, const Latchkey__V1__VerifyKeyRequest *options)
{
	size_t i = batch_calls.request.n_items++;

	assert_true(i < BATCH_MAX);
	latchkey__v1__verify_batch_item__init(&batch_calls.items[i]);
	batch_calls.items[i].token = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)token};
	batch_calls.items[i].options = (Latchkey__V1__VerifyKeyRequest *)(uintptr_t)options;
	batch_calls.list[i] = &batch_calls.items[i];
}

void batch_add(const char *token, const Latchkey__V1__VerifyKeyRequest *options)
{
	batch_add_bytes(token, strlen(token), options);
}

struct loop_answer batch_run(const struct loop_call *how, enum lk_err expected)
{
	struct loop_answer answer = loop_call(&fixture_loop, how == NULL ? &fixture_operator : how,
		&latchkey_v1_key_verify_batch_method, &batch_calls.request.base);

	if (answer.code != lk_err_wire_code(expected)) {
		print_message("%u %s\n%s", answer.code, answer.message, answer.violations);
	}
	assert_int_equal(answer.code, lk_err_wire_code(expected));
	return answer;
}

static const Latchkey__V1__VerifyBatchResponse *response_of(const struct loop_answer *answer)
{
	assert_non_null(answer->response);
	return (const Latchkey__V1__VerifyBatchResponse *)answer->response;
}

size_t batch_count(const struct loop_answer *answer)
{
	return response_of(answer)->n_outcomes;
}

const Latchkey__V1__VerifyOutcome *batch_outcome(const struct loop_answer *answer, size_t i)
{
	assert_true(i < batch_count(answer));
	return response_of(answer)->outcomes[i];
}

void batch_answers_done(void)
{
	for (size_t i = 0; i < batch_answers.n_parts; i++) {
		loop_answer_done(&batch_answers.parts[i]);
	}
	batch_answers.n_parts = batch_answers.count = 0;
}

void batch_ask(const struct loop_call *how)
{
	size_t n_items = batch_calls.request.n_items;

	batch_answers_done();
	while (batch_answers.count < n_items) {
		struct loop_answer *part = &batch_answers.parts[batch_answers.n_parts++];
		batch_calls.request.items = batch_calls.list + batch_answers.count;
		batch_calls.request.n_items = n_items - batch_answers.count;
		*part = batch_run(how, LK_OK);
		assert_in_range(batch_count(part), 1, batch_calls.request.n_items);
		for (size_t i = 0; i < batch_count(part); i++) {
			batch_answers.outcomes[batch_answers.count++] = batch_outcome(part, i);
		}
	}
	batch_calls.request.items = batch_calls.list;
	batch_calls.request.n_items = n_items;
}

Latchkey__V1__VerifyCode batch_code(const Latchkey__V1__VerifyOutcome *outcome)
{
	if (outcome->verdict == NULL) {
		fail_msg("%u %s", outcome->code, outcome->message);
		return VERDICT(UNSPECIFIED);
	}
	assert_int_equal(outcome->code, 0);
	assert_string_equal(outcome->message, "");
	assert_int_equal(outcome->n_violations, 0);
	return outcome->verdict->code;
}

static void assert_same_verdict(
	const Latchkey__V1__VerifyKeyResponse *verdict, const Latchkey__V1__VerifyKeyResponse *unary)
{
	uint8_t packed[2][8192];

	assert_int_equal(latchkey__v1__verify_key_response__get_packed_size(verdict),
		latchkey__v1__verify_key_response__get_packed_size(unary));
	size_t len = latchkey__v1__verify_key_response__get_packed_size(unary);
	assert_true(len <= sizeof packed[0]);
	(void)latchkey__v1__verify_key_response__pack(verdict, packed[0]);
	(void)latchkey__v1__verify_key_response__pack(unary, packed[1]);
	assert_memory_equal(packed[0], packed[1], len);
}

void batch_assert_same(const Latchkey__V1__VerifyOutcome *outcome, const struct loop_answer *unary)
{
	char violations[8192] = "";
	size_t len = 0;

	assert_int_equal(outcome->code, unary->code);
	assert_string_equal(outcome->message, unary->message);
	for (size_t i = 0; i < outcome->n_violations; i++) {
		len += (size_t)snprintf(violations + len, sizeof violations - len, "%s: %s\n",
			outcome->violations[i]->field, outcome->violations[i]->description);
		assert_true(len < sizeof violations);
	}
	assert_string_equal(violations, unary->violations);
	assert_int_equal(outcome->verdict != NULL, unary->code == 0);
	if (unary->code == 0) {
		assert_same_verdict(outcome->verdict, (const Latchkey__V1__VerifyKeyResponse *)unary->response);
	}
}

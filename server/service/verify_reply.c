#include "server/service/verify_reply.h"

#include "server/core/time.h"
#include "server/service/judge_explain.h"
#include "server/service/view.h"

/* The field of VerifyKeyResponse that holds the identity. */
#define IDENTITY_TAG 3

/*
 * Puts the identity into the response as it is stored: packed. To protobuf-c it is a field that it does not know, whose bytes
 * it copies; they lie in the snapshot, which outlives the packing.
 */
static void put_identity(
	struct lk_request *request, const struct lk_verdict *verdict, Latchkey__V1__VerifyKeyResponse *response)
{
	ProtobufCMessageUnknownField *field = lk_arena_alloc(request->arena, sizeof *field);

	if (field != NULL) {
		field->tag = IDENTITY_TAG;
		field->wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
		field->len = verdict->head.identity_len;
		field->data = (uint8_t *)(uintptr_t)verdict->identity;
		response->base.n_unknown_fields = 1;
		response->base.unknown_fields = field;
	}
}

static void fill_rate_state(
	struct lk_request *request, const struct lk_answer *answer, size_t i, Latchkey__V1__RateState *state)
{
	const struct lk_charge_limit *charged = &answer->charge.limits[i];
	int64_t retry_ns = charged->standing.retry_ns;

	lk_view_rate_state(request->arena, charged, answer->now_us, state);
	state->shared = i >= answer->n_own_limits;
	state->refused = charged->refuses;
	if (charged->refuses && retry_ns > 0) {
		state->retry_after = lk_time_to_duration(request->arena, lk_time_us_of_ns(retry_ns));
	}
}

static void put_rate_states(
	struct lk_request *request, const struct lk_answer *answer, Latchkey__V1__VerifyKeyResponse *response)
{
	size_t count = answer->charge.n_limits;

	if (count == 0) {
		return;
	}
	Latchkey__V1__RateState *states = lk_arena_array(request->arena, count, sizeof *states);
	Latchkey__V1__RateState **list = lk_arena_array(request->arena, count, sizeof *list);
	if (states == NULL || list == NULL) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		fill_rate_state(request, answer, i, &states[i]);
		list[i] = &states[i];
	}
	response->rate_states = list;
	response->n_rate_states = count;
}

void lk_verify_reply(struct lk_request *request, const struct lk_question *question, const struct lk_answer *answer,
	Latchkey__V1__VerifyKeyResponse *response)
{
	response->code = answer->code;
	response->valid = answer->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	response->credits_remaining = -1;
	if (answer->found) {
		put_identity(request, &answer->verdict, response);
	}
	if (answer->found && answer->weighed) {
		put_rate_states(request, answer, response);
		if (answer->charge.has_credits) {
			response->credits_remaining = (int64_t)answer->charge.credits_remaining;
		}
	}
	if (response->valid) {
		response->secret_expire_time = lk_time_to_timestamp(
			request->arena, lk_verdict_secret_end(&answer->facts));
	}
	if (question->explain) {
		response->gates = lk_judge_explain(request->arena, request->txn, question, answer, &response->n_gates);
	}
}

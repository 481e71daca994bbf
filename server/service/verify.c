#include <string.h>

#include "server/core/limit.h"
#include "server/core/text.h"
#include "server/core/time.h"
#include "server/service/access.h"
#include "server/service/expressions.h"
#include "server/service/judge.h"
#include "server/service/judge_explain.h"
#include "server/service/key_handlers.h"
#include "server/service/view.h"

/* The field of VerifyKeyResponse that holds the identity. */
#define IDENTITY_TAG 3

/* What was asked, read from the message, and room for what it points at. */
struct asked {
	struct lk_question question;
	struct lk_rate_charge charges[LK_RATE_CHARGES_MAX];
	/* Held. */
	const struct lk_expression *expression;
};

static enum lk_err read_place(
	struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct lk_question *question)
{
	enum lk_err err = LK_OK;

	question->keyspace = message->keyspace;
	if (message->tenant[0] != '\0') {
		err = lk_access_tenant_id(request, message->tenant, &question->tenant);
	}
	if (err == LK_OK && message->keyspace[0] != '\0') {
		err = lk_access_keyspace_id(request, "keyspace", message->keyspace);
	}
	return err;
}

static void read_address(
	struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct lk_question *question)
{
	if (message->client_ip[0] != '\0' && !lk_address_parse(message->client_ip, &question->address)) {
		lk_fault_add(&request->faults, "client_ip",
			"%s is no address: give one of IPv4 or IPv6, without a port, brackets or a zone",
			lk_text_quote(request->arena, message->client_ip));
	}
}

static uint64_t read_cost(struct lk_request *request, const char *field, uint64_t cost)
{
	if (cost > LK_COST_MAX) {
		lk_fault_add(&request->faults, field, "%llu is too much: a use costs at most %llu",
			(unsigned long long)cost, (unsigned long long)LK_COST_MAX);
	}
	return cost == 0 ? 1 : cost;
}

/* Reads a charge behind those in `asked`, and looks for its name among them. */
static void read_charge(struct lk_request *request, const Latchkey__V1__RateCharge *charge, struct asked *asked)
{
	size_t i = asked->question.n_charges;
	const char *cost_field = charge->cost <= LK_COST_MAX
					 ? ""
					 : lk_arena_printf(request->arena, "rate_charges[%zu].cost", i);
	uint64_t cost = read_cost(request, cost_field == NULL ? "rate_charges" : cost_field, charge->cost);
	bool is_name = lk_limit_is_name(charge->name);
	bool twice = false;

	for (size_t j = 0; j < i; j++) {
		twice = twice || strcmp(asked->charges[j].name, charge->name) == 0;
	}
	if (!is_name || twice) {
		const char *field = lk_arena_printf(request->arena, "rate_charges[%zu].name", i);
		lk_fault_add(&request->faults, field == NULL ? "rate_charges" : field, "%s %s",
			lk_text_quote(request->arena, charge->name),
			is_name ? "is charged twice: name each limit once, at its whole cost"
				: "is no name of a limit: 1 to 32 of a-z, 0-9, '_' and '-'");
	}
	asked->charges[i] = (struct lk_rate_charge){charge->name, cost};
	asked->question.n_charges = i + 1;
}

static void read_charges(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct asked *asked)
{
	if (message->n_rate_charges > LK_RATE_CHARGES_MAX) {
		lk_fault_add(&request->faults, "rate_charges", "%zu are too many: at most %d", message->n_rate_charges,
			LK_RATE_CHARGES_MAX);
		return;
	}
	asked->question.charges = asked->charges;
	for (size_t i = 0; i < message->n_rate_charges; i++) {
		read_charge(request, message->rate_charges[i], asked);
	}
}

static enum lk_err read_expression(
	struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct asked *asked)
{
	const char *text = message->permission_expression;
	char fault[LK_EXPRESSION_FAULT_LEN];

	if (text[0] == '\0') {
		return LK_OK;
	}
	enum lk_err err = lk_expressions_get(request->expressions, text, strlen(text), &asked->expression, fault);
	if (err == LK_INVALID_ARGUMENT) {
		lk_fault_add(&request->faults, "permission_expression", "%s", fault);
		return LK_OK;
	}
	asked->question.expression = asked->expression;
	return err;
}

/* Reads the message; every fault of it is reported together. */
static enum lk_err understand(
	struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct asked *asked)
{
	struct lk_question *question = &asked->question;

	question->token = message->token;
	question->token_len = strlen(message->token);
	question->dry_run = message->dry_run;
	question->explain = message->explain;
	question->grant = request->caller.grant;
	question->subject = request->caller.subject;
	question->now_us = request->now_us;
	enum lk_err err = read_place(request, message, question);
	if (err != LK_OK) {
		return err;
	}
	read_address(request, message, question);
	question->cost = read_cost(request, "cost", message->cost);
	read_charges(request, message, asked);
	err = read_expression(request, message, asked);
	return err != LK_OK ? err : lk_request_check(request);
}

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

static void put_answer(struct lk_request *request, const struct lk_question *question, const struct lk_answer *answer,
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

static enum lk_err verify(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message,
	struct asked *asked, Latchkey__V1__VerifyKeyResponse *response)
{
	struct lk_answer answer;
	const struct lk_court court = {
		.txn = request->txn,
		.keyring = lk_store_keyring(request->store),
		.slots = lk_store_slots(request->store),
		.denials = lk_store_denials(request->store),
	};

	enum lk_err err = understand(request, message, asked);
	if (err != LK_OK) {
		return err;
	}
	err = lk_judge(&court, &asked->question, &answer);
	if (err == LK_UNAVAILABLE) {
		return lk_request_fail(request, err, "the key was being changed all the while: try again");
	}
	if (err != LK_OK) {
		return lk_request_fail(request, err, "the store cannot be read: %s", lk_err_text(err));
	}
	put_answer(request, &asked->question, &answer, response);
	return lk_request_check(request);
}

enum lk_err lk_key_verify(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message,
	Latchkey__V1__VerifyKeyResponse *response)
{
	struct asked asked = {0};

	enum lk_err err = verify(request, message, &asked, response);
	lk_expressions_release(request->expressions, asked.expression);
	return err;
}

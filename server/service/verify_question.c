#include "server/service/verify_question.h"

#include <string.h>

#include "server/core/limit.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/expressions.h"

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
static void read_charge(struct lk_request *request, const Latchkey__V1__RateCharge *charge, struct lk_asked *asked)
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

static void read_charges(
	struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct lk_asked *asked)
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
	struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct lk_asked *asked)
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

enum lk_err lk_verify_read(
	struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message, struct lk_asked *asked)
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

struct lk_court lk_verify_court(const struct lk_request *request)
{
	return (struct lk_court){
		.txn = request->txn,
		.keyring = lk_store_keyring(request->store),
		.slots = lk_store_slots(request->store),
		.denials = lk_store_denials(request->store),
	};
}

enum lk_err lk_verify_judged(struct lk_request *request, enum lk_err err)
{
	if (err == LK_UNAVAILABLE) {
		return lk_request_fail(request, err, "the key was being changed all the while: try again");
	}
	if (err != LK_OK) {
		return lk_request_fail(request, err, "the store cannot be read: %s", lk_err_text(err));
	}
	return LK_OK;
}

enum lk_err lk_verify_judge(struct lk_request *request, const struct lk_asked *asked, struct lk_answer *ret_answer)
{
	const struct lk_court court = lk_verify_court(request);

	return lk_verify_judged(request, lk_judge(&court, &asked->question, ret_answer));
}

void lk_verify_release(struct lk_request *request, struct lk_asked *asked)
{
	lk_expressions_release(request->expressions, asked->expression);
	asked->expression = NULL;
}

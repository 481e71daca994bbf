#include "server/service/judge_explain.h"

#include <latchkey/token.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "server/core/time.h"

#define PASSED     LATCHKEY__V1__GATE_OUTCOME__GATE_OUTCOME_PASSED
#define REFUSED    LATCHKEY__V1__GATE_OUTCOME__GATE_OUTCOME_REFUSED
#define NOT_ASKED  LATCHKEY__V1__GATE_OUTCOME__GATE_OUTCOME_NOT_ASKED
#define CODE(name) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##name

/* What is said of one gate, at most: what a key holds by 16 roles may be far longer. */
#define WORDS_MAX 4000
#define NS_PER_US 1000

/* What is being explained, and what is said of the gate at hand. */
struct explaining {
	struct lk_arena *arena;
	struct lk_txn *txn;
	const struct lk_question *question;
	const struct lk_answer *answer;
	size_t len;
	bool cut;
	char words[WORDS_MAX];
};

static void say(struct explaining *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct explaining *self, const char *format, ...)
{
	size_t room = sizeof self->words - self->len;
	va_list args;

	if (self->cut) {
		return;
	}
	va_start(args, format);
	int len = vsnprintf(self->words + self->len, room, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room) {
		/* What did not fit is left out as a whole: a text is not cut within a character. */
		self->words[self->len] = '\0';
		self->cut = true;
		return;
	}
	self->len += (size_t)len;
}

static void say_time(struct explaining *self, const char *before, int64_t us)
{
	char text[LK_TIME_TEXT_LEN];

	lk_time_format(us, text);
	say(self, "%s %s", before, text);
}

static bool refuses(const struct explaining *self, Latchkey__V1__VerifyCode code)
{
	return lk_verdict_refuses(code, &self->answer->facts, self->answer->now_us);
}

static Latchkey__V1__GateOutcome explain_malformed(struct explaining *self)
{
	const struct lk_question *question = self->question;

	if (self->answer->found || self->answer->code != CODE(MALFORMED)) {
		say(self, "it has the form of a token");
		return PASSED;
	}
	if (lk_verdict_can_look_up(question->token, question->token_len)) {
		say(self,
			"it cannot be a token: %s; was it copied whole, and without a word such as \"Bearer\" before "
			"it?",
			lk_token_fault_text(lk_token_check(question->token, question->token_len, NULL)));
	} else {
		say(self, "it cannot be a token: it is longer than %d bytes, or has one that is not printable ASCII",
			LK_TOKEN_MAX);
	}
	return REFUSED;
}

static Latchkey__V1__GateOutcome explain_not_found(struct explaining *self)
{
	if (self->answer->found) {
		say(self, "there is a key with this token");
		return PASSED;
	}
	say(self, "there is no key with this token among those that the caller may verify: it was deleted, was never "
		  "one or not "
		  "copied whole, or is of another tenant, keyspace or owner");
	return REFUSED;
}

static Latchkey__V1__GateOutcome explain_revoked(struct explaining *self)
{
	const struct lk_verdict_facts *facts = &self->answer->facts;
	bool is_refused = refuses(self, CODE(REVOKED));

	if (facts->state == LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED) {
		say(self, "the key was revoked");
	} else if (facts->replaced && is_refused) {
		say_time(self, "Rotate replaced this secret, and it was good until", facts->replaced_until_us);
	} else if (facts->replaced) {
		say_time(self, "Rotate replaced this secret, and it is still good until", facts->replaced_until_us);
	} else {
		say(self, is_refused ? "the key's state is none that this daemon knows" : "the key is not revoked");
	}
	return is_refused ? REFUSED : PASSED;
}

static Latchkey__V1__GateOutcome explain_expired(struct explaining *self)
{
	bool is_refused = refuses(self, CODE(EXPIRED));

	if (self->answer->facts.expire_us == 0) {
		say(self, "the key never expires");
		return NOT_ASKED;
	}
	say_time(self, is_refused ? "the key expired at" : "the key expires at", self->answer->facts.expire_us);
	return is_refused ? REFUSED : PASSED;
}

static Latchkey__V1__GateOutcome explain_suspended(struct explaining *self)
{
	bool is_refused = refuses(self, CODE(SUSPENDED));

	say(self, is_refused ? "the key is suspended" : "the key is not suspended");
	return is_refused ? REFUSED : PASSED;
}

static Latchkey__V1__GateOutcome explain_not_yet_valid(struct explaining *self)
{
	bool is_refused = refuses(self, CODE(NOT_YET_VALID));

	if (self->answer->facts.not_before_us == 0) {
		say(self, "the key is good from the start");
		return NOT_ASKED;
	}
	say_time(self, is_refused ? "the key is good only from" : "the key is good since",
		self->answer->facts.not_before_us);
	return is_refused ? REFUSED : PASSED;
}

static Latchkey__V1__GateOutcome explain_wrong_keyspace(struct explaining *self)
{
	const char *home = self->answer->gate.keyspace_id;
	bool tenant_wide = (self->answer->verdict.head.flags & LK_VERDICT_TENANT_SCOPE) != 0;

	if (self->question->keyspace[0] == '\0') {
		say(self, "no keyspace was asked for; the key is of \"%s\"", home);
		return NOT_ASKED;
	}
	if (!refuses(self, CODE(WRONG_KEYSPACE))) {
		say(self, "the key is good in \"%s\"%s", self->question->keyspace,
			tenant_wide ? ", for it is good in every keyspace of its tenant" : "");
		return PASSED;
	}
	say(self,
		tenant_wide ? "its tenant has no keyspace \"%s\"; the key is of \"%s\""
			    : "the key is not good in \"%s\": it is of \"%s\"",
		self->question->keyspace, home);
	return REFUSED;
}

static void say_cidrs(struct explaining *self, const char *whose, const struct lk_rules *rules)
{
	say(self, "; the %s list is", whose);
	for (size_t i = 0; i < rules->n_cidrs; i++) {
		char text[LK_CIDR_TEXT_LEN];
		struct lk_cidr cidr = lk_rules_cidr(rules, i);
		lk_address_format(&cidr.address, text);
		say(self, "%s %s/%u", i == 0 ? "" : ",", text, (unsigned)cidr.prefix);
	}
}

static Latchkey__V1__GateOutcome explain_ip_denied(struct explaining *self)
{
	const struct lk_rules *own = &self->answer->rules;
	const struct lk_address *address = &self->question->address;
	struct lk_rules keyspace = {0};
	char text[LK_CIDR_TEXT_LEN];

	(void)lk_judge_keyspace_cidrs(self->txn, self->answer, &keyspace);
	if (own->n_cidrs == 0 && keyspace.n_cidrs == 0) {
		say(self, "neither the key nor its keyspace has a list of addresses");
		return NOT_ASKED;
	}
	lk_address_format(address, text);
	bool in_own = lk_rules_admit(own, address);
	bool in_keyspace = lk_rules_admit(&keyspace, address);
	if (address->family == LK_ADDRESS_NONE) {
		say(self, "there is a list of addresses, and no client_ip was given");
	} else if (in_own && in_keyspace) {
		say(self, "%s is allowed", text);
	} else {
		say(self, "%s is not in the list of the %s", text,
			in_own ? "keyspace" : (in_keyspace ? "key" : "key, nor in that of its keyspace"));
	}
	if (own->n_cidrs > 0) {
		say_cidrs(self, "key's", own);
	}
	if (keyspace.n_cidrs > 0) {
		say_cidrs(self, "keyspace's", &keyspace);
	}
	return in_own && in_keyspace ? PASSED : REFUSED;
}

static void say_list(struct explaining *self, char *const *texts, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		say(self, "%s%s", i == 0 ? "" : ", ", texts[i]);
	}
	if (count == 0) {
		say(self, "nothing");
	}
}

/* What the key's holder may do, by the key itself and by each of its roles. */
static void say_held(struct explaining *self)
{
	size_t len = 0;
	const uint8_t *packed = lk_verdict_identity(&self->answer->verdict, &len);
	const Latchkey__V1__KeyIdentity *identity = latchkey__v1__key_identity__unpack(
		&self->arena->allocator, len, packed);

	if (identity == NULL) {
		return;
	}
	say(self, "the key itself permits ");
	say_list(self, identity->permissions, identity->n_permissions);
	for (size_t i = 0; i < self->answer->rules.n_roles; i++) {
		struct lk_key key = lk_key_u32(lk_rules_role(&self->answer->rules, i));
		const Latchkey__Store__RoleRecord *role = lk_txn_record(
			self->txn, LK_TABLE_ROLE, &key, &latchkey__store__role_record__descriptor, self->arena);
		if (role == NULL) {
			return;
		}
		say(self, "; its role %s permits ", role->id);
		say_list(self, role->permissions, role->n_permissions);
	}
}

static Latchkey__V1__GateOutcome explain_permissions(struct explaining *self)
{
	bool is_refused = refuses(self, CODE(INSUFFICIENT_PERMISSIONS));
	size_t len = 0;

	if (self->question->expression == NULL) {
		say(self, "no permission_expression was asked with; ");
		say_held(self);
		return NOT_ASKED;
	}
	const char *text = lk_expression_text(self->question->expression, &len);
	say(self, "\"%.*s\" is %s: ", (int)len, text, is_refused ? "not fulfilled" : "fulfilled");
	say_held(self);
	return is_refused ? REFUSED : PASSED;
}

/* Whether limits and credits have room; then all say how they would stand after the use, else how they stand. */
static bool would_pass(const struct lk_answer *answer)
{
	bool passes = !answer->charge.has_credits || !answer->charge.credits_refuse;

	for (size_t i = 0; i < answer->charge.n_limits; i++) {
		passes = passes && !answer->charge.limits[i].refuses;
	}
	return passes;
}

static void say_limit(struct explaining *self, const struct lk_charge_limit *limit, bool shared)
{
	char span[LK_SPAN_TEXT_LEN];
	int name_len = (int)strnlen(limit->limit.name, sizeof limit->limit.name);

	say(self, "%s \"%.*s\" ", shared ? "the owner's" : "the key's", name_len, limit->limit.name);
	if (!limit->refuses) {
		say(self, "has room for %llu: %llu of %llu %s left", (unsigned long long)limit->cost,
			(unsigned long long)limit->standing.remaining, (unsigned long long)limit->limit.burst,
			would_pass(self->answer) ? "would then be" : "are");
		return;
	}
	say(self, "has %llu left of %llu, and the use costs %llu: ", (unsigned long long)limit->standing.remaining,
		(unsigned long long)limit->limit.burst, (unsigned long long)limit->cost);
	if (limit->standing.retry_ns < 0) {
		say(self, "so much never passes at once");
	} else {
		lk_time_spell_span(
			limit->standing.retry_ns / NS_PER_US + (limit->standing.retry_ns % NS_PER_US != 0), span);
		say(self, "it would pass in %s", span);
	}
}

static Latchkey__V1__GateOutcome explain_rate_limited(struct explaining *self)
{
	const struct lk_answer *answer = self->answer;
	bool is_refused = false;

	if (answer->charge.n_limits == 0) {
		say(self, self->question->n_charges == 0 ? "neither the key nor its owner has a rate limit"
							 : "neither the key nor its owner has a rate limit of "
							   "these names");
		return NOT_ASKED;
	}
	for (size_t i = 0; i < answer->charge.n_limits; i++) {
		say(self, "%s", i == 0 ? "" : "; ");
		say_limit(self, &answer->charge.limits[i], i >= answer->n_own_limits);
		is_refused = is_refused || answer->charge.limits[i].refuses;
	}
	return is_refused ? REFUSED : PASSED;
}

static Latchkey__V1__GateOutcome explain_credits(struct explaining *self)
{
	const struct lk_charge *charge = &self->answer->charge;

	if (!charge->has_credits) {
		say(self, "the key needs no credits");
		return NOT_ASKED;
	}
	if (!charge->credits_refuse) {
		say(self, "the use costs %llu: %llu %s left", (unsigned long long)charge->cost,
			(unsigned long long)charge->credits_remaining,
			would_pass(self->answer) ? "would then be" : "are");
		return PASSED;
	}
	say(self, "%llu are left, and the use costs %llu; ", (unsigned long long)charge->credits_remaining,
		(unsigned long long)charge->cost);
	int64_t refill_us = lk_credits_next_refill(&charge->credits, self->answer->now_us);
	if (refill_us == 0) {
		say(self, "they are not refilled");
	} else {
		say_time(self, "they are refilled at", refill_us);
	}
	return REFUSED;
}

static const struct {
	Latchkey__V1__VerifyCode code;
	Latchkey__V1__GateOutcome (*explain)(struct explaining *self);
	/* Has something to say also of a token that was not found. */
	bool of_unknown;
} gates[] = {
	{CODE(MALFORMED), explain_malformed, true},
	{CODE(NOT_FOUND), explain_not_found, true},
	{CODE(REVOKED), explain_revoked, false},
	{CODE(EXPIRED), explain_expired, false},
	{CODE(SUSPENDED), explain_suspended, false},
	{CODE(NOT_YET_VALID), explain_not_yet_valid, false},
	{CODE(WRONG_KEYSPACE), explain_wrong_keyspace, false},
	{CODE(IP_DENIED), explain_ip_denied, false},
	{CODE(INSUFFICIENT_PERMISSIONS), explain_permissions, false},
	{CODE(RATE_LIMITED), explain_rate_limited, false},
	{CODE(CREDITS_EXHAUSTED), explain_credits, false},
};

#define N_GATES (sizeof(gates) / sizeof(gates[0]))

static bool explain_gate(struct explaining *self, size_t i, Latchkey__V1__Gate *gate)
{
	latchkey__v1__gate__init(gate);
	self->len = 0;
	self->cut = false;
	self->words[0] = '\0';
	gate->code = gates[i].code;
	gate->outcome = NOT_ASKED;
	if (self->answer->found || gates[i].of_unknown) {
		gate->outcome = gates[i].explain(self);
	} else {
		say(self, "there is no key to ask about");
	}
	gate->description = lk_arena_printf(self->arena, "%s%s", self->words, self->cut ? " ..." : "");
	return gate->description != NULL;
}

Latchkey__V1__Gate **lk_judge_explain(struct lk_arena *arena, struct lk_txn *txn, const struct lk_question *question,
	const struct lk_answer *answer, size_t *ret_count)
{
	struct explaining self = {.arena = arena, .txn = txn, .question = question, .answer = answer};
	Latchkey__V1__Gate *items = lk_arena_array(arena, N_GATES, sizeof *items);
	Latchkey__V1__Gate **list = lk_arena_array(arena, N_GATES, sizeof *list);

	*ret_count = 0;
	if (items == NULL || list == NULL) {
		return NULL;
	}
	for (size_t i = 0; i < N_GATES; i++) {
		if (!explain_gate(&self, i, &items[i])) {
			return NULL;
		}
		list[i] = &items[i];
	}
	*ret_count = N_GATES;
	return list;
}

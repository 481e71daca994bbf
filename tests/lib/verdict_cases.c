#include "tests/lib/verdict_cases.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/core/time.h"
#include "server/store/apply.h"
#include "server/store/change.h"
#include "server/store/txn.h"
#include "tests/lib/check.h"
#include "tests/lib/draft.h"
#include "tests/lib/verdict_table.h"

#define TEXT(text)   ((char *)(uintptr_t)(text))
#define STATES_LEN   256
#define CASE_SECONDS INT64_C(86400)

struct world {
	struct lk_store *store;
	struct lk_arena arena;
	uint32_t tenant;
	uint32_t keyspaces[VERDICT_KEYSPACES];
	uint32_t roles[VERDICT_ROLES];
	int64_t now_us;
};

static void apply(struct world *world, Latchkey__Store__Change *change)
{
	struct lk_txn *txn = NULL;

	CHECK(lk_write_begin(world->store, &txn) == LK_OK);
	enum lk_err err = lk_apply_do(txn, &world->arena, change);
	CHECK_MSG(err == LK_OK, lk_err_text(err));
	CHECK(lk_write_commit(txn) == LK_OK);
}

static size_t count_texts(const char *const *texts, size_t most)
{
	size_t count = 0;

	while (count < most && texts[count] != NULL) {
		count++;
	}
	return count;
}

static void make_places(struct world *world)
{
	Latchkey__Store__Change *change = lk_draft_new(&world->arena);
	Latchkey__Store__TenantRecord *tenant = lk_draft_put_tenant(&world->arena, change, "judged");

	apply(world, change);
	world->tenant = tenant->number;
	for (size_t i = 0; i < VERDICT_KEYSPACES; i++) {
		const struct verdict_keyspace *from = &verdict_keyspaces[i];
		change = lk_draft_new(&world->arena);
		Latchkey__Store__KeyspaceRecord *keyspace = lk_draft_put_keyspace(
			&world->arena, change, world->tenant, from->id);
		keyspace->allowed_cidrs = (char **)(uintptr_t)from->cidrs;
		keyspace->n_allowed_cidrs = count_texts(from->cidrs, VERDICT_LIST);
		apply(world, change);
		world->keyspaces[i] = keyspace->number;
	}
	for (size_t i = 0; i < VERDICT_ROLES; i++) {
		Latchkey__Store__RoleRecord *role = lk_arena_alloc(&world->arena, sizeof *role);
		latchkey__store__role_record__init(role);
		role->tenant = world->tenant;
		role->id = TEXT(verdict_roles[i].id);
		role->permissions = (char **)(uintptr_t)verdict_roles[i].permissions;
		role->n_permissions = count_texts(verdict_roles[i].permissions, VERDICT_LIST);
		change = lk_draft_new(&world->arena);
		lk_change_put_role(&world->arena, change, role);
		apply(world, change);
		world->roles[i] = role->number;
	}
}

static Latchkey__Store__RateLimitRecord **make_limits(
	struct world *world, const struct verdict_limit *limits, size_t *ret_count)
{
	Latchkey__Store__RateLimitRecord **list = lk_arena_array(&world->arena, VERDICT_LIMITS, sizeof *list);

	*ret_count = 0;
	for (size_t i = 0; i < VERDICT_LIMITS && limits[i].name != NULL; i++) {
		list[i] = lk_arena_alloc(&world->arena, sizeof *list[i]);
		latchkey__store__rate_limit_record__init(list[i]);
		list[i]->name = TEXT(limits[i].name);
		list[i]->limit = limits[i].limit;
		list[i]->burst = limits[i].limit;
		/* So long that nothing comes back while the cases run. */
		list[i]->period_us = 30 * CASE_SECONDS * LK_US_PER_SECOND;
		/* Not in the order in which they are given. */
		list[i]->clock = (uint32_t)(VERDICT_LIMITS - 1 - i);
		*ret_count = i + 1;
	}
	return list;
}

static void make_owner(struct world *world, const struct verdict_case *one, char *owner)
{
	Latchkey__Store__OwnerRecord *record = lk_arena_alloc(&world->arena, sizeof *record);
	Latchkey__Store__Change *change = lk_draft_new(&world->arena);

	latchkey__store__owner_record__init(record);
	record->tenant = world->tenant;
	record->id = owner;
	record->rate_limits = make_limits(world, one->owner_limits, &record->n_rate_limits);
	lk_change_put_owner(&world->arena, change, record);
	apply(world, change);
}

static int64_t instant(const struct world *world, int64_t seconds)
{
	return seconds == 0 ? 0 : world->now_us + seconds * LK_US_PER_SECOND;
}

static void give_rules(struct world *world, const struct verdict_case *one, Latchkey__Store__KeyRecord *key)
{
	key->permissions = (char **)(uintptr_t)one->permissions;
	key->n_permissions = count_texts(one->permissions, VERDICT_LIST);
	key->allowed_cidrs = (char **)(uintptr_t)one->cidrs;
	key->n_allowed_cidrs = count_texts(one->cidrs, VERDICT_LIST);
	key->rate_limits = make_limits(world, one->limits, &key->n_rate_limits);
	key->roles = lk_arena_array(&world->arena, VERDICT_ROLES, sizeof *key->roles);
	for (size_t i = 0; i < VERDICT_ROLES; i++) {
		if ((one->roles & 1u << i) != 0) {
			key->roles[key->n_roles++] = world->roles[i];
		}
	}
	if (one->has_credits) {
		key->credits = lk_arena_alloc(&world->arena, sizeof *key->credits);
		latchkey__store__credits_record__init(key->credits);
		key->credits->balance = one->credits;
		key->credits->since_us = world->now_us;
	}
}

/* Makes the key of a case; returns its token. */
static char *make_key(struct world *world, const struct verdict_case *one, size_t index)
{
	Latchkey__Store__Change *change = lk_draft_new(&world->arena);
	char *token = lk_arena_alloc(&world->arena, LK_TOKEN_MINTED_MAX);
	char *owner = lk_arena_printf(&world->arena, "owner-%zu", index);

	Latchkey__Store__KeyRecord *key = lk_draft_put_key(
		&world->arena, change, world->tenant, world->keyspaces[one->keyspace], one->name);
	lk_token_mint("jd_", token);
	lk_token_digest(lk_store_keyring(world->store), token, strlen(token), key->digest.data);
	key->owner = owner;
	key->tenant_scope = one->tenant_scope;
	key->expire_us = instant(world, one->expire_in_s);
	key->not_before_us = instant(world, one->not_before_in_s);
	if (one->state != 0) {
		key->state = one->state;
	}
	give_rules(world, one, key);
	apply(world, change);
	if (one->replaced) {
		change = lk_draft_new(&world->arena);
		lk_draft_rotate(&world->arena, key, instant(world, one->replaced_until_in_s));
		lk_draft_put_key_again(&world->arena, change, key);
		apply(world, change);
	}
	if (one->owner_limits[0].name != NULL) {
		make_owner(world, one, owner);
	}
	return token;
}

/* "day=2 hour=0! ~team=5 credits=97": what is left of each, '!' of what refused, '~' of what is shared. */
static void write_states(const Latchkey__V1__VerifyKeyResponse *response, char ret_text[static STATES_LEN])
{
	size_t len = 0;

	ret_text[0] = '\0';
	for (size_t i = 0; i < response->n_rate_states && len < STATES_LEN; i++) {
		const Latchkey__V1__RateState *state = response->rate_states[i];
		len += (size_t)snprintf(ret_text + len, STATES_LEN - len, "%s%s%s=%llu%s", len == 0 ? "" : " ",
			state->shared ? "~" : "", state->name, (unsigned long long)state->remaining,
			state->refused ? "!" : "");
	}
	if (response->credits_remaining != -1 && len < STATES_LEN) {
		(void)snprintf(ret_text + len, STATES_LEN - len, "%scredits=%lld", len == 0 ? "" : " ",
			(long long)response->credits_remaining);
	}
}

/* A letter for each gate: 'P' passed, 'R' refused, '-' not asked; '?' where it is none of them, or says nothing. */
static void write_gates(const Latchkey__V1__VerifyKeyResponse *response, char ret_text[static STATES_LEN])
{
	size_t len = 0;

	for (size_t i = 0; i < response->n_gates && len < STATES_LEN - 1; i++) {
		const Latchkey__V1__Gate *gate = response->gates[i];
		bool in_order = (size_t)gate->code == i + LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_MALFORMED;
		bool is_said = gate->description[0] != '\0' && gate->outcome >= 1 && gate->outcome <= 3;
		ret_text[len++] = in_order && is_said ? "PR-"[gate->outcome - 1] : '?';
	}
	ret_text[len] = '\0';
}

static bool is_as_expected(
	const struct verdict_case *one, size_t index, const Latchkey__V1__VerifyKeyResponse *response)
{
	const struct verdict_step *step = &one->steps[index];
	const char *states = step->states == NULL ? "" : step->states;
	const char *gates = step->gates == NULL ? "" : step->gates;
	char got_states[STATES_LEN];
	char got_gates[STATES_LEN];

	if (response == NULL) {
		(void)fprintf(stderr, "%s, question %zu: no answer\n", one->name, index + 1);
		return false;
	}
	write_states(response, got_states);
	write_gates(response, got_gates);
	bool is_valid = response->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	bool knows = response->code > LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND || is_valid;
	if (response->code == step->code && response->valid == is_valid && (response->key != NULL) == knows &&
		strcmp(states, got_states) == 0 && strcmp(gates, got_gates) == 0) {
		return true;
	}
	(void)fprintf(stderr, "%s, question %zu: code %d \"%s\" \"%s\", not %d \"%s\" \"%s\"\n", one->name, index + 1,
		(int)response->code, got_states, got_gates, (int)step->code, states, gates);
	return false;
}

static const Latchkey__V1__VerifyKeyResponse *ask_step(
	const struct verdict_step *step, const char *token, verdict_ask *ask, void *context)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__RateCharge charges[VERDICT_LIST];
	Latchkey__V1__RateCharge *list[VERDICT_LIST];

	request.token = TEXT(step->token == NULL ? token : step->token);
	request.keyspace = TEXT(step->keyspace == NULL ? "" : step->keyspace);
	request.tenant = TEXT(step->keyspace == NULL ? "" : "judged");
	request.permission_expression = TEXT(step->expression == NULL ? "" : step->expression);
	request.client_ip = TEXT(step->client_ip == NULL ? "" : step->client_ip);
	request.cost = step->cost;
	request.dry_run = step->dry_run;
	request.explain = step->explain;
	for (size_t i = 0; i < VERDICT_LIST && step->charges[i].name != NULL; i++) {
		latchkey__v1__rate_charge__init(&charges[i]);
		charges[i].name = TEXT(step->charges[i].name);
		charges[i].cost = step->charges[i].limit;
		list[i] = &charges[i];
		request.n_rate_charges = i + 1;
	}
	request.rate_charges = list;
	return ask(context, &request);
}

char **verdict_cases_make(struct lk_store *store)
{
	struct world world = {.store = store};
	struct timespec now = {0};
	char **tokens = calloc(verdict_case_count, sizeof *tokens);

	(void)clock_gettime(CLOCK_REALTIME, &now);
	world.now_us = now.tv_sec * LK_US_PER_SECOND;
	CHECK(tokens != NULL && lk_arena_init(&world.arena, 1 << 16, 1 << 24) == LK_OK);
	make_places(&world);
	for (size_t i = 0; i < verdict_case_count; i++) {
		tokens[i] = strdup(make_key(&world, &verdict_cases[i], i));
		CHECK(tokens[i] != NULL);
	}
	lk_arena_done(&world.arena);
	return tokens;
}

void verdict_cases_free(char **tokens)
{
	for (size_t i = 0; tokens != NULL && i < verdict_case_count; i++) {
		free(tokens[i]);
	}
	free(tokens);
}

size_t verdict_cases_ask(char *const *tokens, verdict_ask *ask, void *context)
{
	size_t mismatches = 0;

	for (size_t i = 0; i < verdict_case_count; i++) {
		const struct verdict_case *one = &verdict_cases[i];
		for (size_t step = 0; step < VERDICT_STEPS && one->steps[step].code != 0; step++) {
			mismatches += !is_as_expected(one, step, ask_step(&one->steps[step], tokens[i], ask, context));
		}
	}
	return mismatches;
}

size_t verdict_cases_run(struct lk_store *store, verdict_ask *ask, void *context)
{
	char **tokens = verdict_cases_make(store);
	size_t mismatches = verdict_cases_ask(tokens, ask, context);

	verdict_cases_free(tokens);
	return mismatches;
}

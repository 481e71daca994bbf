/* Get and Verify against the model. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/check.h"
#include "tests/model/model.h"

static void same_text(
	struct world *world, const struct key *key, const char *field, const char *shown, const char *expected)
{
	if (strcmp(shown, expected) != 0) {
		mismatch(world, "%s: %s is \"%s\", not \"%s\"", key->id, field, shown, expected);
	}
}

static void same_time(struct world *world, const struct key *key, const char *field,
	const Google__Protobuf__Timestamp *shown, int64_t expected_us)
{
	if (us_of(shown) != expected_us) {
		mismatch(world, "%s: %s is %" PRId64 ", not %" PRId64, key->id, field, us_of(shown), expected_us);
	}
}

static void same_number(
	struct world *world, const struct key *key, const char *field, uint64_t shown, uint64_t expected)
{
	if (shown != expected) {
		mismatch(world, "%s: %s is %" PRIu64 ", not %" PRIu64, key->id, field, shown, expected);
	}
}

static void same_state(struct world *world, const Latchkey__V1__Key *shown, const struct key *key)
{
	unsigned actions = 0;
	unsigned expected = 0;

	if (shown->state != state_at(key, world->before_us) && shown->state != state_at(key, world->after_us)) {
		mismatch(
			world, "%s: state %d, not %d", key->id, (int)shown->state, (int)state_at(key, world->after_us));
	}
	for (size_t i = 0; i < shown->n_available_actions; i++) {
		actions |= 1u << shown->available_actions[i];
	}
	for (int action = KEY_ACTION(ACTIVATE); action <= KEY_ACTION(DELETE); action++) {
		bool changes = effect_of(shown->state, (Latchkey__V1__KeyAction)action) == CHANGED;
		expected |= changes ? 1u << action : 0;
	}
	same_number(world, key, "available_actions", actions, expected);
}

static void same_permissions(struct world *world, const Latchkey__V1__Key *shown, const struct key *key)
{
	char *expected[N_PERMISSIONS];
	size_t count = list_permissions(key->permissions, expected);

	same_number(world, key, "n_permissions", shown->n_permissions, count);
	for (size_t i = 0; i < count; i++) {
		same_text(world, key, "permissions", shown->permissions[i], expected[i]);
	}
}

static void same_gates(struct world *world, const Latchkey__V1__Key *shown, struct key *key)
{
	const char *roles[N_ROLES];
	const char *cidrs[N_CIDRS];
	size_t n_roles = list_roles(key->roles, roles);
	size_t n_cidrs = list_cidrs(key->cidrs, cidrs);

	same_number(world, key, "n_roles", shown->n_roles, n_roles);
	for (size_t i = 0; i < n_roles; i++) {
		same_text(world, key, "roles", shown->roles[i], roles[i]);
	}
	same_number(world, key, "n_allowed_cidrs", shown->n_allowed_cidrs, n_cidrs);
	for (size_t i = 0; i < n_cidrs; i++) {
		same_text(world, key, "allowed_cidrs", shown->allowed_cidrs[i], cidrs[i]);
	}
	same_number(world, key, "has credits", shown->credits != NULL, key->has_credits);
	if (shown->credits == NULL) {
		return;
	}
	uint64_t least = key->credits > key->credits_open ? key->credits - key->credits_open : 0;
	if (shown->credits->balance < least || shown->credits->balance > key->credits) {
		mismatch(
			world, "%s: %" PRIu64 " credits, not %" PRIu64, key->id, shown->credits->balance, key->credits);
	}
	/* What was lost is known now. */
	key->credits = shown->credits->balance;
	key->credits_open = 0;
}

static void same_use(struct world *world, const Latchkey__V1__Key *shown, const struct key *key)
{
	int64_t used_us = us_of(shown->last_used_time);

	if (shown->usage_count < key->usage || shown->usage_count > key->usage + key->usage_open) {
		mismatch(world, "%s: used %" PRIu64 " times, not %" PRIu64, key->id, shown->usage_count, key->usage);
	}
	if (key->usage_open == 0 && (used_us < key->used_from_us || used_us > key->used_until_us)) {
		mismatch(world, "%s: last used at %" PRId64 ", not from %" PRId64 " to %" PRId64, key->id, used_us,
			key->used_from_us, key->used_until_us);
	}
}

/* Until when the secret before the last Rotate is good; 0: there is none. It ends with its key. */
static int64_t overlap_end(const struct key *key)
{
	bool with_key = key->expire_us != 0 && key->expire_us < key->previous_until_us;

	return with_key ? key->expire_us : key->previous_until_us;
}

/* That is shown while it is so. */
static void same_overlap(struct world *world, const Latchkey__V1__Key *shown, const struct key *key)
{
	int64_t until_us = us_of(shown->previous_secret_expire_time);
	int64_t expected_us = overlap_end(key);
	bool may_be_over = expected_us <= world->after_us || key->stored == STORED_REVOKED;

	if (until_us == 0 ? !may_be_over : until_us != expected_us) {
		mismatch(world, "%s: the secret before is good until %" PRId64 ", not %" PRId64, key->id, until_us,
			expected_us);
	}
	if (until_us != 0 && until_us <= world->before_us) {
		mismatch(world, "%s: the secret before is over since %" PRId64 ", and shown", key->id, until_us);
	}
}

void compare_key(struct world *world, const Latchkey__V1__Key *shown, struct key *key)
{
	const struct keyspace *keyspace = &world->keyspaces[key->keyspace];
	bool revoked = key->stored == STORED_REVOKED;

	if (key->etag[0] == '\0') {
		SET(key->etag, shown->etag);
		key->update_us = us_of(shown->update_time);
	}
	same_text(world, key, "id", shown->id, key->id);
	same_number(world, key, "number", shown->number, key->number);
	same_text(world, key, "tenant", shown->tenant, world->tenants[keyspace->tenant].id);
	same_text(world, key, "keyspace", shown->keyspace, keyspace->id);
	same_number(world, key, "scope", shown->scope, key->tenant_scope ? KEY_SCOPE(TENANT) : KEY_SCOPE(KEYSPACE));
	same_text(world, key, "name", shown->name, key->name);
	same_text(world, key, "owner", shown->owner, key->owner);
	same_text(world, key, "display_prefix", shown->display_prefix, key->display);
	same_number(world, key, "n_metadata", shown->n_metadata, key->word[0] != '\0');
	if (shown->n_metadata == 1) {
		same_text(world, key, "metadata", shown->metadata[0]->value, key->word);
	}
	same_time(world, key, "not_before_time", shown->not_before_time, key->not_before_us);
	same_time(world, key, "expire_time", shown->expire_time, key->expire_us);
	same_time(world, key, "create_time", shown->create_time, key->create_us);
	same_time(world, key, "update_time", shown->update_time, key->update_us);
	same_text(world, key, "created_by", shown->created_by, key->created_by);
	same_text(world, key, "etag", shown->etag, key->etag);
	same_text(world, key, "revoke_reason", shown->revoke_reason, revoked ? key->reason : "");
	same_text(world, key, "suspend_reason", shown->suspend_reason,
		key->stored == STORED_SUSPENDED ? key->reason : "");
	same_state(world, shown, key);
	same_permissions(world, shown, key);
	same_use(world, shown, key);
	same_gates(world, shown, key);
	same_overlap(world, shown, key);
}

void check_get(struct world *world, size_t at)
{
	struct key *key = &world->keys[at];
	struct client *client = pick_client(world);
	char room[40];

	begin(world);
	const Latchkey__V1__Key *shown = say_get(
		&client->caller, world->tenants[world->keyspaces[key->keyspace].tenant].id, name_key(world, key, room));
	finish(world);
	unsigned against = against_key(world, client, "keys.get", key);
	if (judge(world, client, against, against)) {
		compare_key(world, shown, key);
	}
}

/* What was asked of a token. */
struct question {
	const char *token;
	/* NULL: not named. */
	const char *tenant;
	const char *keyspace;
	/* The token was replaced, and is good until then; 0: it is the key's newest. */
	int64_t until_us;
	bool forgotten;
	struct asked asked;
};

static bool is_good_elsewhere(const struct world *world, const struct key *key, const char *keyspace)
{
	return key->tenant_scope && find_keyspace(world, world->keyspaces[key->keyspace].tenant, keyspace) != NONE;
}

static bool is_in_reach(
	const struct world *world, const struct client *client, const struct key *key, const struct question *question)
{
	const struct keyspace *keyspace = &world->keyspaces[key->keyspace];
	const char *tenant = world->tenants[keyspace->tenant].id;

	if (question->tenant != NULL ? strcmp(question->tenant, tenant) != 0 : !may_tenant(client, tenant)) {
		return false;
	}
	return may_keyspace(client, keyspace->id) ||
	       (question->keyspace != NULL && is_good_elsewhere(world, key, question->keyspace));
}

static Latchkey__V1__VerifyCode code_at(const struct world *world, const struct client *client, const struct key *key,
	const struct question *question, int64_t now_us)
{
	const struct keyspace *keyspace = &world->keyspaces[key->keyspace];

	if (is_gone(world, key) || question->forgotten || !is_in_reach(world, client, key, question)) {
		return VERDICT(NOT_FOUND);
	}
	if (key->stored == STORED_REVOKED || (question->until_us != 0 && now_us >= question->until_us)) {
		return VERDICT(REVOKED);
	}
	if (key->expire_us != 0 && now_us >= key->expire_us) {
		return VERDICT(EXPIRED);
	}
	if (key->stored == STORED_SUSPENDED) {
		return VERDICT(SUSPENDED);
	}
	if (now_us < key->not_before_us) {
		return VERDICT(NOT_YET_VALID);
	}
	if (question->keyspace != NULL && strcmp(question->keyspace, keyspace->id) != 0 &&
		!is_good_elsewhere(world, key, question->keyspace)) {
		return VERDICT(WRONG_KEYSPACE);
	}
	if (!address_fits(world, key, &question->asked)) {
		return VERDICT(IP_DENIED);
	}
	if (!permissions_fit(world, key, &question->asked)) {
		return VERDICT(INSUFFICIENT_PERMISSIONS);
	}
	return key->has_credits && key->credits < cost_of(&question->asked) ? VERDICT(CREDITS_EXHAUSTED)
									    : VERDICT(VALID);
}

/* What the credits come to by a verdict that left so many. */
static void take_credits(struct world *world, struct key *key, const struct question *question,
	const Latchkey__V1__VerifyKeyResponse *verdict)
{
	uint64_t cost = verdict->valid ? cost_of(&question->asked) : 0;

	if (!key->has_credits || (!verdict->valid && verdict->code != VERDICT(CREDITS_EXHAUSTED))) {
		same_number(world, key, "credits_remaining", (uint64_t)verdict->credits_remaining, UINT64_MAX);
		return;
	}
	uint64_t most = key->credits - cost;
	uint64_t least = most > key->credits_open ? most - key->credits_open : 0;
	uint64_t left = (uint64_t)verdict->credits_remaining;
	if (left < least || left > most) {
		mismatch(world, "%s: %" PRIu64 " credits remain, not %" PRIu64, key->id, left, most);
	}
	key->credits = left;
	key->credits_open = 0;
}

/* What a VALID verdict says beside that. */
static void check_identity(struct world *world, const struct key *key, const struct question *question,
	const Latchkey__V1__VerifyKeyResponse *verdict)
{
	same_time(world, key, "secret_expire_time", verdict->secret_expire_time,
		question->until_us == 0 ? 0 : overlap_end(key));
	if (verdict->key == NULL) {
		mismatch(world, "%s verified, and nobody is told who it is", key->id);
	}
	same_text(world, key, "identity.id", verdict->key->id, key->id);
	same_number(world, key, "identity.number", verdict->key->number, key->number);
	same_text(world, key, "identity.name", verdict->key->name, key->name);
	same_text(world, key, "identity.owner", verdict->key->owner, key->owner);
	same_text(world, key, "identity.keyspace", verdict->key->keyspace, world->keyspaces[key->keyspace].id);
	same_time(world, key, "identity.expire_time", verdict->key->expire_time, key->expire_us);
	same_number(world, key, "identity.scope", verdict->key->scope,
		key->tenant_scope ? KEY_SCOPE(TENANT) : KEY_SCOPE(KEYSPACE));
	char *permissions[N_PERMISSIONS];
	same_number(world, key, "identity.n_permissions", verdict->key->n_permissions,
		list_permissions(key->permissions, permissions));
	const char *roles[N_ROLES];
	size_t n_roles = list_roles(key->roles, roles);
	same_number(world, key, "identity.n_roles", verdict->key->n_roles, n_roles);
	for (size_t i = 0; i < n_roles; i++) {
		same_text(world, key, "identity.roles", verdict->key->roles[i], roles[i]);
	}
	same_number(world, key, "identity.n_metadata", verdict->key->n_metadata, key->word[0] != '\0');
}

/* Asks for a verdict between two others, as an item of a batch; what is wrong with it is as if it was the call's. */
static const Latchkey__V1__VerifyKeyResponse *ask_in_batch(
	struct client *client, const Latchkey__V1__VerifyKeyRequest *question)
{
	static uint8_t nobodys[] = "sk-0123456789";
	Latchkey__V1__VerifyBatchRequest request = LATCHKEY__V1__VERIFY_BATCH_REQUEST__INIT;
	Latchkey__V1__VerifyKeyRequest options = *question;
	Latchkey__V1__VerifyBatchItem items[3];
	Latchkey__V1__VerifyBatchItem *list[3];

	options.token = TEXT("");
	for (size_t i = 0; i < 3; i++) {
		latchkey__v1__verify_batch_item__init(&items[i]);
		items[i].token = (ProtobufCBinaryData){.len = sizeof nobodys - 1, .data = nobodys};
		list[i] = &items[i];
	}
	items[1].token = (ProtobufCBinaryData){.len = strlen(question->token), .data = (uint8_t *)question->token};
	items[1].options = &options;
	request.items = list;
	request.n_items = 3;
	const Latchkey__V1__VerifyBatchResponse *response = caller_ask(
		&client->caller, &latchkey_v1_key_verify_batch_method, &request);
	if (response == NULL) {
		return NULL;
	}
	/* The clock is first looked at behind the second. */
	CHECK(response->n_outcomes >= 2);
	const Latchkey__V1__VerifyOutcome *outcome = response->outcomes[1];
	client->caller.err = lk_err_from_wire(outcome->code);
	if (outcome->code != 0) {
		free(client->caller.call.message);
		client->caller.call.message = strdup(outcome->message);
		CHECK(client->caller.call.message != NULL);
	}
	return outcome->verdict;
}

static const Latchkey__V1__VerifyKeyResponse *ask(
	struct world *world, struct client *client, const struct question *question)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(question->token);
	request.tenant = TEXT(question->tenant == NULL ? "" : question->tenant);
	request.keyspace = TEXT(question->keyspace == NULL ? "" : question->keyspace);
	request.permission_expression = TEXT(question->asked.expression);
	request.client_ip = TEXT(address_of(&question->asked));
	request.cost = question->asked.cost;
	return one_in(world, 2) ? say_verify_for(&client->caller, &request) : ask_in_batch(client, &request);
}

static void ask_verdict(struct world *world, struct key *key, struct question *question)
{
	struct client *client = pick_client(world);
	const char *own = world->tenants[world->keyspaces[key->keyspace].tenant].id;

	question->tenant = one_in(world, 2) ? NULL : one_in(world, 5) ? pick_tenant_id(world) : own;
	question->keyspace = one_in(world, 2) ? NULL : pick_keyspace_id(world);
	question->asked = draw_asked(world);
	note(world, "verify %.12s... of %s in %s/%s for \"%s\" from \"%s\" at %" PRIu64, question->token, key->id,
		question->tenant == NULL ? "any" : question->tenant,
		question->keyspace == NULL ? "any" : question->keyspace, question->asked.expression,
		address_of(&question->asked), question->asked.cost);
	begin(world);
	const Latchkey__V1__VerifyKeyResponse *verdict = ask(world, client, question);
	finish(world);
	bool denied = (question->tenant != NULL && !may_tenant(client, question->tenant)) ||
		      (question->keyspace != NULL && !may_keyspace(client, question->keyspace));
	unsigned against = denied ? E(LK_PERMISSION_DENIED) : 0;
	key->usage_open += client->caller.call.attempts - 1;
	key->credits_open += (client->caller.call.attempts - 1) * cost_of(&question->asked);
	if (!judge(world, client, against, against)) {
		return;
	}
	world->n_verdicts++;
	Latchkey__V1__VerifyCode before = code_at(world, client, key, question, world->before_us);
	Latchkey__V1__VerifyCode after = code_at(world, client, key, question, world->after_us);
	/* A token from elsewhere is malformed again when the last key from elsewhere is gone. */
	bool from_elsewhere = lk_token_check(question->token, strlen(question->token), NULL) != LK_TOKEN_FINE;
	Latchkey__V1__VerifyCode code = from_elsewhere && verdict->code == VERDICT(MALFORMED) ? VERDICT(NOT_FOUND)
											      : verdict->code;
	/* What was lost on the way may have been the last of them. */
	bool open = code == VERDICT(CREDITS_EXHAUSTED) && key->has_credits &&
		    key->credits < cost_of(&question->asked) + key->credits_open;
	if (code != before && code != after && !(open && after == VERDICT(VALID))) {
		mismatch(world, "%s: verdict %d, not %d", key->id, (int)verdict->code, (int)after);
	}
	if (verdict->valid != (verdict->code == VERDICT(VALID))) {
		mismatch(world, "%s: verdict %d, and valid is %d", key->id, (int)verdict->code, verdict->valid);
	}
	take_credits(world, key, question, verdict);
	if (verdict->valid) {
		key->usage++;
		key->used_from_us = world->before_us;
		key->used_until_us = world->after_us;
		check_identity(world, key, question, verdict);
	}
}

void check_verdicts(struct world *world, size_t at)
{
	struct key *key = &world->keys[at];
	struct question questions[] = {
		{.token = key->token},
		{.token = key->previous, .until_us = key->previous_until_us},
		{.token = key->forgotten, .forgotten = true},
	};

	for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
		if (questions[i].token[0] != '\0') {
			ask_verdict(world, key, &questions[i]);
		}
	}
}

void check_touched(struct world *world)
{
	for (size_t i = 0; i < 2 && world->n_keys > 0; i++) {
		touch(world, pick(world, world->n_keys));
	}
	for (size_t i = 0; i < world->n_touched; i++) {
		check_verdicts(world, world->touched[i]);
		check_get(world, world->touched[i]);
		if (one_in(world, 4)) {
			check_audit(world, world->touched[i]);
		}
	}
	world->n_touched = 0;
}

void check_everything(struct world *world)
{
	check_places(world);
	check_chain(world);
	for (size_t i = 0; i < world->n_keys; i++) {
		check_verdicts(world, i);
		check_get(world, i);
		check_audit(world, i);
		for (size_t at = 0; at < N_CLIENTS; at++) {
			caller_forget(&world->clients[at].caller);
		}
	}
}

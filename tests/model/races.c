/*
 * Races: several calls at the same time, on connections of their own, that cannot all have their way. Whichever order they are
 * taken in, what is left must be what one order gives.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/check.h"
#include "tests/model/model.h"

#define SHOTS_MAX 8

/* One of the calls, and what came of it. */
struct shot {
	struct volley *volley;
	const struct lk_method *method;
	const void *request;
	struct lk_call call;
	enum lk_err err;
	ProtobufCMessage *response;
};

struct volley {
	struct shot shots[SHOTS_MAX];
	size_t n;
	pthread_mutex_t lock;
	pthread_cond_t all;
	size_t n_done;
};

static void on_done(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct shot *shot = context;
	struct volley *volley = shot->volley;

	(void)call;
	CHECK(pthread_mutex_lock(&volley->lock) == 0);
	shot->err = err;
	shot->response = response;
	volley->n_done++;
	CHECK(pthread_cond_signal(&volley->all) == 0);
	CHECK(pthread_mutex_unlock(&volley->lock) == 0);
}

static void add_shot(struct volley *volley, const struct lk_method *method, const void *request)
{
	CHECK(volley->n < SHOTS_MAX);
	volley->shots[volley->n++] = (struct shot){.volley = volley, .method = method, .request = request};
}

/* Makes all calls at once, by turns as the operator and by a root key, and waits for all. */
static void fire(struct world *world, struct volley *volley)
{
	CHECK(pthread_mutex_init(&volley->lock, NULL) == 0 && pthread_cond_init(&volley->all, NULL) == 0);
	begin(world);
	for (size_t i = 0; i < volley->n; i++) {
		struct shot *shot = &volley->shots[i];
		shot->call.timeout_ms = CALLER_TIMEOUT_MS;
		CHECK(lk_channel_start(world->clients[i % 2].caller.channel, shot->method, shot->request, &shot->call,
			      on_done, shot) == LK_OK);
	}
	CHECK(pthread_mutex_lock(&volley->lock) == 0);
	while (volley->n_done < volley->n) {
		CHECK(pthread_cond_wait(&volley->all, &volley->lock) == 0);
	}
	CHECK(pthread_mutex_unlock(&volley->lock) == 0);
	finish(world);
	for (size_t i = 0; i < volley->n; i++) {
		note(world, "  %s: %s %s", volley->shots[i].method->name, lk_err_name(volley->shots[i].err),
			volley->shots[i].call.message == NULL ? "" : volley->shots[i].call.message);
	}
	world->n_races++;
}

static void volley_done(struct volley *volley)
{
	for (size_t i = 0; i < volley->n; i++) {
		if (volley->shots[i].response != NULL) {
			protobuf_c_message_free_unpacked(volley->shots[i].response, NULL);
		}
		lk_call_done(&volley->shots[i].call);
	}
	(void)pthread_cond_destroy(&volley->all);
	(void)pthread_mutex_destroy(&volley->lock);
}

/* The one that was answered OK; every other must have been refused with `err`. */
static size_t only_winner(struct world *world, const struct volley *volley, enum lk_err err)
{
	size_t winner = NONE;

	for (size_t i = 0; i < volley->n; i++) {
		if (volley->shots[i].err == LK_OK && winner != NONE) {
			mismatch(world, "two won the race");
		}
		if (volley->shots[i].err != LK_OK && volley->shots[i].err != err) {
			mismatch(world, "answered %s, not %s: %s", lk_err_name(volley->shots[i].err), lk_err_name(err),
				volley->shots[i].call.message);
		}
		winner = volley->shots[i].err == LK_OK ? i : winner;
	}
	if (winner == NONE) {
		mismatch(world, "nobody won the race");
	}
	return winner;
}

/* A live key with a life of its own before it; NONE where chance found none. */
static size_t pick_racer(struct world *world)
{
	size_t at = pick_key(world);

	if (at == NONE || is_gone(world, &world->keys[at])) {
		return NONE;
	}
	const struct key *key = &world->keys[at];
	bool ends_soon = key->expire_us != 0 && key->expire_us < now_us() + 60 * US_PER_SECOND;
	return key->stored == STORED_REVOKED || ends_soon ? NONE : at;
}

static char *tenant_of(struct world *world, const struct key *key)
{
	return world->tenants[world->keyspaces[key->keyspace].tenant].id;
}

/* Several keys of one name, where there may be one. */
static void race_for_a_name(struct world *world)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration ttl = duration_of(1800 * US_PER_SECOND);
	struct volley volley = {0};
	char name[16];

	size_t at = world->n_keyspaces == 0 ? NONE : pick(world, world->n_keyspaces);
	if (at == NONE || !is_open(world, at) || !world->keyspaces[at].rules.name_unique) {
		return;
	}
	(void)snprintf(name, sizeof name, "race %zu", world->step);
	request.tenant = world->tenants[world->keyspaces[at].tenant].id;
	request.keyspace = world->keyspaces[at].id;
	request.name = name;
	request.owner = TEXT("ann");
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL;
	request.ttl = &ttl;
	for (size_t i = 0; i < SHOTS_MAX; i++) {
		add_shot(&volley, &latchkey_v1_key_create_method, &request);
	}
	note(world, "race for the name \"%s\" in %s/%s", name, request.tenant, request.keyspace);
	fire(world, &volley);
	size_t winner = only_winner(world, &volley, LK_ALREADY_EXISTS);
	struct wish wish = {.name = name, .owner = "ann", .ttl_us = 1800 * US_PER_SECOND, .defaults = true};
	take_new_key(world, &world->clients[winner % 2], at, &wish,
		(const Latchkey__V1__CreateKeyResponse *)volley.shots[winner].response);
	world->keys[world->n_keys - 1].permissions = world->keyspaces[at].rules.default_permissions;
	volley_done(&volley);
}

/* Several updates of what all have read. */
static void race_by_etag(struct world *world)
{
	Latchkey__V1__UpdateKeyRequest requests[SHOTS_MAX];
	Latchkey__V1__Key messages[SHOTS_MAX];
	char words[SHOTS_MAX][16];
	Latchkey__V1__Key__MetadataEntry entries[SHOTS_MAX];
	Latchkey__V1__Key__MetadataEntry *lists[SHOTS_MAX];
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	char *path = TEXT("metadata");
	struct volley volley = {0};
	size_t at = pick_racer(world);

	if (at == NONE || world->keys[at].etag[0] == '\0') {
		return;
	}
	struct key *key = &world->keys[at];
	const struct rules *rules = &world->keyspaces[key->keyspace].rules;
	struct wish wish = {.name = key->name,
		.owner = key->owner,
		.not_before_us = key->not_before_us,
		.expire_us = key->expire_us,
		.past_expiry = true};
	if (faults_of(rules, &wish, now_us()) != 0 ||
		(rules->name_unique && name_is_taken(world, key->keyspace, key->name, at))) {
		return;
	}
	mask.paths = &path;
	mask.n_paths = 1;
	for (size_t i = 0; i < SHOTS_MAX; i++) {
		latchkey__v1__update_key_request__init(&requests[i]);
		latchkey__v1__key__init(&messages[i]);
		latchkey__v1__key__metadata_entry__init(&entries[i]);
		(void)snprintf(words[i], sizeof words[i], "%zu-%zu", world->step, i);
		entries[i].key = TEXT("word");
		entries[i].value = words[i];
		lists[i] = &entries[i];
		messages[i].id = key->id;
		messages[i].metadata = &lists[i];
		messages[i].n_metadata = 1;
		requests[i].tenant = tenant_of(world, key);
		requests[i].key = &messages[i];
		requests[i].update_mask = &mask;
		requests[i].etag = key->etag;
		add_shot(&volley, &latchkey_v1_key_update_method, &requests[i]);
	}
	note(world, "race to update %s by its etag", key->id);
	fire(world, &volley);
	size_t winner = only_winner(world, &volley, LK_ABORTED);
	const Latchkey__V1__Key *shown = (const Latchkey__V1__Key *)volley.shots[winner].response;
	SET(key->word, words[winner]);
	take_change(world, key, shown, true);
	touch(world, at);
	volley_done(&volley);
}

/* Sorts out which of the tokens is the newest, which is the one before, and that the others are forgotten. */
static void sort_tokens(struct world *world, struct key *key, const struct volley *volley)
{
	struct caller *caller = &world->clients[0].caller;
	size_t newest = NONE;
	size_t before = NONE;
	const char *first = key->token;

	/* One from elsewhere is malformed where no other key is from elsewhere. */
	Latchkey__V1__VerifyCode code = verdict_on(caller, first);
	if (code != VERDICT(NOT_FOUND) && code != VERDICT(MALFORMED)) {
		mismatch(world, "%s: the first token is not forgotten after %zu rotations", key->id, volley->n);
	}
	for (size_t i = 0; i < volley->n; i++) {
		const Latchkey__V1__RotateKeyResponse *rotated =
			(const Latchkey__V1__RotateKeyResponse *)volley->shots[i].response;
		if (rotated == NULL) {
			mismatch(world, "%s: not every rotation had its turn", key->id);
		}
		const Latchkey__V1__VerifyKeyResponse *verdict = say_verify(caller, NULL, NULL, rotated->token);
		key->usage += verdict->valid ? 1 : 0;
		key->used_from_us = verdict->valid ? world->before_us : key->used_from_us;
		key->used_until_us = verdict->valid ? now_us() : key->used_until_us;
		if (verdict->code == VERDICT(NOT_FOUND)) {
			SET(key->forgotten, rotated->token);
			continue;
		}
		size_t *place = verdict->secret_expire_time == NULL ? &newest : &before;
		if (*place != NONE) {
			mismatch(world, "%s: two tokens stand in one place", key->id);
		}
		*place = i;
	}
	if (newest == NONE || before == NONE) {
		mismatch(world, "%s: there is no %s token", key->id, newest == NONE ? "newest" : "second newest");
	}
	const Latchkey__V1__RotateKeyResponse *last =
		(const Latchkey__V1__RotateKeyResponse *)volley->shots[newest].response;
	SET(key->token, last->token);
	SET(key->previous, ((const Latchkey__V1__RotateKeyResponse *)volley->shots[before].response)->token);
	(void)snprintf(key->display, sizeof key->display, "%.8s", last->token);
	key->previous_until_us = us_of(last->key->update_time) + 3600 * US_PER_SECOND;
	SET(key->etag, last->key->etag);
	key->update_us = us_of(last->key->update_time);
}

/* Several rotations of one key: all have their turn, and two secrets are left. */
static void race_of_rotations(struct world *world)
{
	Latchkey__V1__RotateKeyRequest request = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration overlap = duration_of(3600 * US_PER_SECOND);
	struct volley volley = {0};
	size_t at = pick_racer(world);

	if (at == NONE || world->keys[at].stored != STORED_ACTIVE || world->keys[at].not_before_us != 0) {
		return;
	}
	struct key *key = &world->keys[at];
	/* The tokens are told apart by verdicts that ask for nothing, and so must be VALID, and cost nothing. */
	if (key->cidrs != 0 || world->keyspaces[key->keyspace].cidrs != 0 || key->has_credits) {
		return;
	}
	request.tenant = tenant_of(world, key);
	request.key = key->id;
	request.overlap = &overlap;
	size_t n = 2 + pick(world, SHOTS_MAX - 1);
	for (size_t i = 0; i < n; i++) {
		add_shot(&volley, &latchkey_v1_key_rotate_method, &request);
	}
	note(world, "race of %zu rotations of %s", volley.n, key->id);
	fire(world, &volley);
	sort_tokens(world, key, &volley);
	touch(world, at);
	volley_done(&volley);
}

/* A revocation among other changes: whatever comes first, it holds. */
static void race_to_the_end(struct world *world)
{
	static const struct lk_method *const others[] = {&latchkey_v1_key_activate_method,
		&latchkey_v1_key_suspend_method, &latchkey_v1_key_rotate_method, &latchkey_v1_key_get_method};
	Latchkey__V1__RevokeKeyRequest revoke = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	Latchkey__V1__ActivateKeyRequest activate = LATCHKEY__V1__ACTIVATE_KEY_REQUEST__INIT;
	Latchkey__V1__SuspendKeyRequest suspend = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;
	Latchkey__V1__RotateKeyRequest rotate = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Latchkey__V1__GetKeyRequest get = LATCHKEY__V1__GET_KEY_REQUEST__INIT;
	const void *const requests[] = {&activate, &suspend, &rotate, &get};
	struct volley volley = {0};
	size_t at = pick_racer(world);

	if (at == NONE) {
		return;
	}
	struct key *key = &world->keys[at];
	revoke.tenant = activate.tenant = suspend.tenant = rotate.tenant = get.tenant = tenant_of(world, key);
	revoke.key = activate.key = suspend.key = rotate.key = get.key = key->id;
	revoke.reason = TEXT("raced");
	size_t turn = pick(world, SHOTS_MAX);
	for (size_t i = 0; i < SHOTS_MAX; i++) {
		size_t other = pick(world, 4);
		add_shot(&volley, i == turn ? &latchkey_v1_key_revoke_method : others[other],
			i == turn ? (const void *)&revoke : requests[other]);
	}
	note(world, "race to the end of %s", key->id);
	fire(world, &volley);
	if (volley.shots[turn].err != LK_OK) {
		mismatch(world, "a revocation is refused: %s", volley.shots[turn].call.message);
	}
	end_key(world, key, "raced");
	for (size_t i = 0; i < volley.n; i++) {
		if (volley.shots[i].method == &latchkey_v1_key_rotate_method && volley.shots[i].err == LK_OK) {
			const char *token = ((const Latchkey__V1__RotateKeyResponse *)volley.shots[i].response)->token;
			Latchkey__V1__VerifyCode code = verdict_on(&world->clients[0].caller, token);
			if (code != VERDICT(REVOKED) && code != VERDICT(NOT_FOUND)) {
				mismatch(world, "%s was revoked, and a token of it is %d", key->id, (int)code);
			}
		}
	}
	/* Which secrets it had last, nobody needs to know. */
	volley_done(&volley);
	forget_secrets(world, key);
	touch(world, at);
}

void race(struct world *world)
{
	static void (*const races[])(struct world * world) = {
		race_for_a_name, race_by_etag, race_of_rotations, race_to_the_end};

	races[pick(world, sizeof races / sizeof races[0])](world);
}

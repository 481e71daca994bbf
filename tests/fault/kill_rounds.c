/*
 * kill -9 under load: a daemon is killed and started again, round after round, while clients create, verify and revoke keys.
 *
 *	kill_rounds [--rounds N] [--seed N]
 *
 * After each round every key of it is asked for: one whose Create was acknowledged must verify, one whose Revoke was
 * acknowledged must not, and the use that the store has counted must be the VALID verdicts that were received; a verdict whose
 * reply was cut off may have been counted, too. At the end all keys of all rounds are asked once more.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <latchkey/latchkey.h>

#include "tests/fault/rounds.h"
#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/place.h"

#define CLIENTS    8
#define TIMEOUT_MS 20000
#define ROUNDS     20

enum revocation {
	NOT_REVOKED,
	/* It was asked for and not acknowledged: it may have happened. */
	REVOCATION_OPEN,
	REVOKED,
};

struct key {
	char id[40];
	char token[64];
	enum revocation revocation;
	uint64_t valid;
	/* Attempts to verify whose outcome did not arrive. */
	uint64_t unknown;
};

/* One client: a thread with keys of its own. */
struct client {
	pthread_t thread;
	struct lk_channel *channel;
	struct round *round;
	unsigned random;
	struct key *keys;
	size_t n_keys;
	size_t room;
	/* The first key of this round. */
	size_t first;
};

/* What the clients of one round share. */
struct round {
	_Atomic unsigned acknowledged;
	_Atomic bool over;
	/* How many acknowledgements bring the kill. */
	unsigned kill_at;
	pthread_mutex_t lock;
	pthread_cond_t reached;
};

static struct lk_channel *open_channel(const char *url)
{
	struct lk_channel_options options = {.urls = &url, .n_urls = 1};
	struct lk_channel *channel = NULL;

	CHECK(lk_channel_open(&options, &channel) == LK_OK);
	return channel;
}

static void acknowledge(struct round *round)
{
	if (atomic_fetch_add(&round->acknowledged, 1) + 1 == round->kill_at) {
		CHECK(pthread_mutex_lock(&round->lock) == 0);
		CHECK(pthread_cond_signal(&round->reached) == 0);
		CHECK(pthread_mutex_unlock(&round->lock) == 0);
	}
}

static struct key *new_key(struct client *client)
{
	if (client->n_keys == client->room) {
		client->room = client->room == 0 ? 256 : 2 * client->room;
		client->keys = realloc(client->keys, client->room * sizeof *client->keys);
		CHECK(client->keys != NULL);
	}
	struct key *key = &client->keys[client->n_keys];
	memset(key, 0, sizeof *key);
	return key;
}

static void create(struct client *client)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	if (latchkey_v1_key_create(client->channel, &request, &response, &call) == LK_OK) {
		struct key *key = new_key(client);
		(void)snprintf(key->id, sizeof key->id, "%s", response->key->id);
		(void)snprintf(key->token, sizeof key->token, "%s", response->token);
		client->n_keys++;
		latchkey__v1__create_key_response__free_unpacked(response, NULL);
		acknowledge(client->round);
	}
	lk_call_done(&call);
}

/* Asks for a verdict and counts it; UNSPECIFIED where none arrived. */
static Latchkey__V1__VerifyCode verify(struct client *client, struct key *key)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	Latchkey__V1__VerifyCode code = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.token = key->token;
	enum lk_err err = latchkey_v1_key_verify(client->channel, &request, &response, &call);
	key->unknown += call.attempts - (err == LK_OK ? 1 : 0);
	if (err == LK_OK) {
		code = response->code;
		key->valid += response->valid ? 1 : 0;
		latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	}
	lk_call_done(&call);
	return code;
}

static void revoke(struct client *client, struct key *key)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	Latchkey__V1__Key *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.key = key->id;
	key->revocation = REVOCATION_OPEN;
	if (latchkey_v1_key_revoke(client->channel, &request, &response, &call) == LK_OK) {
		key->revocation = REVOKED;
		latchkey__v1__key__free_unpacked(response, NULL);
		acknowledge(client->round);
	}
	lk_call_done(&call);
}

static void check_verdict(const struct key *key, Latchkey__V1__VerifyCode code)
{
	bool good = code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	bool ended = code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_REVOKED;

	CHECK_MSG(good || ended, key->id);
	CHECK_MSG(key->revocation != NOT_REVOKED || good, key->id);
	CHECK_MSG(key->revocation != REVOKED || ended, key->id);
}

static void *run_client(void *argument)
{
	struct client *client = argument;

	while (!atomic_load(&client->round->over)) {
		create(client);
		if (client->n_keys == client->first) {
			continue;
		}
		size_t choice = client->first + (size_t)rand_r(&client->random) % (client->n_keys - client->first);
		struct key *key = &client->keys[choice];
		Latchkey__V1__VerifyCode code = verify(client, key);
		if (code != LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED) {
			check_verdict(key, code);
		}
		if (key->revocation == NOT_REVOKED && rand_r(&client->random) % 2 == 0) {
			revoke(client, key);
		}
	}
	return NULL;
}

static uint64_t usage_of(struct client *client, const struct key *key)
{
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;
	Latchkey__V1__Key *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.key = TEXT(key->id);
	CHECK_MSG(latchkey_v1_key_get(client->channel, &request, &response, &call) == LK_OK, call.message);
	uint64_t usage = response->usage_count;
	latchkey__v1__key__free_unpacked(response, NULL);
	lk_call_done(&call);
	return usage;
}

/* Asks for every key from `first` on; returns how many. */
static size_t check_keys(struct client *client, size_t first)
{
	for (size_t i = first; i < client->n_keys; i++) {
		struct key *key = &client->keys[i];
		Latchkey__V1__VerifyCode code = verify(client, key);
		CHECK_MSG(code != LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_UNSPECIFIED, key->id);
		check_verdict(key, code);
		uint64_t usage = usage_of(client, key);
		CHECK_MSG(usage >= key->valid && usage <= key->valid + key->unknown, key->id);
	}
	return client->n_keys - first;
}

static void await_kill(struct round *round)
{
	CHECK(pthread_mutex_lock(&round->lock) == 0);
	while (atomic_load(&round->acknowledged) < round->kill_at) {
		CHECK(pthread_cond_wait(&round->reached, &round->lock) == 0);
	}
	CHECK(pthread_mutex_unlock(&round->lock) == 0);
}

static void run_round(struct daemon *daemon, struct client *clients, unsigned kill_at)
{
	struct round round = {
		.kill_at = kill_at, .lock = PTHREAD_MUTEX_INITIALIZER, .reached = PTHREAD_COND_INITIALIZER};

	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i].round = &round;
		clients[i].first = clients[i].n_keys;
		CHECK(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) == 0);
	}
	await_kill(&round);
	daemon_kill(daemon);
	daemon_restart(daemon, NULL);
	atomic_store(&round.over, true);
	for (size_t i = 0; i < CLIENTS; i++) {
		CHECK(pthread_join(clients[i].thread, NULL) == 0);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		(void)check_keys(&clients[i], clients[i].first);
	}
}

int main(int argc, char **argv)
{
	struct rounds rounds = {ROUNDS, 1};
	struct daemon daemon;
	struct client clients[CLIENTS] = {0};
	size_t checked = 0;

	rounds_read(argc, argv, &rounds);
	daemon_start(&daemon);
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i].channel = open_channel(daemon.url);
		clients[i].random = rounds.seed + (unsigned)i;
	}
	place_make(clients[0].channel);
	for (unsigned long i = 0; i < rounds.count; i++) {
		run_round(&daemon, clients, 1 + (unsigned)rand_r(&rounds.seed) % 200);
	}
	for (size_t i = 0; i < CLIENTS; i++) {
		checked += check_keys(&clients[i], 0);
		lk_channel_close(clients[i].channel);
		free(clients[i].keys);
	}
	daemon_remove(&daemon);
	printf("%lu rounds of kill -9: %zu keys as they were acknowledged\n", rounds.count, checked);
	return 0;
}

/*
 * What keys may spend, exactly: eight processes verify as fast as they can until they are refused, while the daemon is killed
 * with kill -9 and started again.
 *
 *	charge_rounds [--rounds N] [--seed N]
 *
 * Three keys: one with a rate limit of 1,000 a day, one with 1,000 credits, and one with both whose owner has a limit of 1,000 a
 * day, too. Of each, the VALID verdicts that were received are no more than 1,000, and with those whose answer was cut off by
 * a kill no fewer: every attempt counts, also those that the client makes on its own. Once a client was refused, none that
 * asks afterwards is let through. What the store has counted as uses is no less than was received and no more than 1,000, for
 * a use is counted behind its charge and before its answer. Without a kill (--rounds 0) all are 1,000.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <latchkey/latchkey.h>
#include <latchkey/v1/owner.client.h>

#include "tests/fault/rounds.h"
#include "tests/lib/check.h"
#include "tests/lib/child.h"
#include "tests/lib/daemon.h"
#include "tests/lib/place.h"

#define CLIENTS    8
#define TIMEOUT_MS 20000
#define ROUNDS     3
#define SIZE       1000
#define DAY_S      86400
/* Each client asks so often again when it has been refused. */
#define AGAIN 25
/* So that the last kill comes while there is something left. */
#define LAST_KILL (5 * SIZE / 2)

#define CODE(name) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##name

enum kind {
	LIMITED,
	CREDITED,
	BOTH,
	KINDS,
};

static const char *const names[KINDS] = {"limited", "credited", "both"};

/* What the clients found of a key, in memory that all share. */
struct tally {
	_Atomic uint64_t valid;
	/* Attempts whose outcome did not arrive. */
	_Atomic uint64_t unknown;
	/* A client was refused. */
	_Atomic bool exhausted;
};

/* What a client is told. */
struct orders {
	char url[112];
	char tokens[KINDS][64];
};

struct key {
	char id[40];
	char token[64];
};

static struct tally *tallies;
/* A byte for each VALID verdict that was received, from the clients to the one who kills. */
static int progress[2];
static int64_t began_s;

static int64_t now_s(void)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	return now.tv_sec;
}

/* What a limit of a day lets through beside, since the beginning: nothing, unless the machine is very slow. */
static uint64_t refilled(enum kind kind)
{
	return kind == LIMITED ? (uint64_t)(now_s() + 1 - began_s) * SIZE / DAY_S : 0;
}

static struct lk_channel *open_channel(const char *url)
{
	struct lk_channel_options options = {.urls = &url, .n_urls = 1};
	struct lk_channel *channel = NULL;

	CHECK(lk_channel_open(&options, &channel) == LK_OK);
	return channel;
}

/* Asks for a verdict and counts it; UNSPECIFIED where none arrived. */
static Latchkey__V1__VerifyCode verify(struct lk_channel *channel, const char *token, struct tally *tally)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	Latchkey__V1__VerifyCode code = CODE(UNSPECIFIED);
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.token = TEXT(token);
	enum lk_err err = latchkey_v1_key_verify(channel, &request, &response, &call);
	atomic_fetch_add(&tally->unknown, call.attempts - (err == LK_OK ? 1 : 0));
	if (err == LK_OK) {
		code = response->code;
		CHECK(response->valid == (code == CODE(VALID)));
		atomic_fetch_add(&tally->valid, response->valid ? 1 : 0);
		latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	}
	lk_call_done(&call);
	return code;
}

static bool is_refusal(enum kind kind, Latchkey__V1__VerifyCode code)
{
	return (kind != CREDITED && code == CODE(RATE_LIMITED)) || (kind != LIMITED && code == CODE(CREDITS_EXHAUSTED));
}

/* One verdict on one key; whether it was refused. */
static bool spend(struct lk_channel *channel, enum kind kind, const char *token)
{
	struct tally *tally = &tallies[kind];
	bool was_exhausted = atomic_load(&tally->exhausted);

	Latchkey__V1__VerifyCode code = verify(channel, token, tally);
	if (code == CODE(VALID)) {
		CHECK_MSG(!was_exhausted || refilled(kind) > 0, names[kind]);
		CHECK(write(progress[1], "", 1) == 1);
		return false;
	}
	CHECK_MSG(code == CODE(UNSPECIFIED) || is_refusal(kind, code), names[kind]);
	if (code != CODE(UNSPECIFIED)) {
		atomic_store(&tally->exhausted, true);
	}
	return code != CODE(UNSPECIFIED);
}

/* A client: all keys in turn, until each has refused it several times. */
static int run_client(struct lk_child *parent, void *context)
{
	struct orders orders;
	unsigned refused[KINDS] = {0};

	(void)context;
	close(progress[0]);
	/* Where a check fails in the parent, nobody is left behind that waits for it. */
	CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	if (!lk_child_hear(parent, &orders, sizeof orders)) {
		return 1;
	}
	began_s = now_s();
	struct lk_channel *channel = open_channel(orders.url);
	for (unsigned over = 0; over < KINDS;) {
		over = 0;
		for (unsigned kind = 0; kind < KINDS; kind++) {
			if (refused[kind] == AGAIN) {
				over++;
			} else if (spend(channel, (enum kind)kind, orders.tokens[kind])) {
				refused[kind]++;
			}
		}
	}
	lk_channel_close(channel);
	return 0;
}

static void set_limit(Latchkey__V1__RateLimit *limit, const char *name, Google__Protobuf__Duration *day)
{
	day->seconds = DAY_S;
	limit->name = TEXT(name);
	limit->limit = SIZE;
	limit->period = day;
}

static void make_key(struct lk_channel *channel, enum kind kind, struct key *ret_key)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *response = NULL;
	Latchkey__V1__RateLimit limit = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit *limits[] = {&limit};
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	Latchkey__V1__Credits credits = LATCHKEY__V1__CREDITS__INIT;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	set_limit(&limit, "day", &day);
	credits.balance = SIZE;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.name = TEXT(names[kind]);
	request.owner = TEXT(kind == BOTH ? "alice" : "bob");
	request.rate_limits = limits;
	request.n_rate_limits = kind == CREDITED ? 0 : 1;
	request.credits = kind == LIMITED ? NULL : &credits;
	CHECK_MSG(latchkey_v1_key_create(channel, &request, &response, &call) == LK_OK, call.message);
	(void)snprintf(ret_key->id, sizeof ret_key->id, "%s", response->key->id);
	(void)snprintf(ret_key->token, sizeof ret_key->token, "%s", response->token);
	latchkey__v1__create_key_response__free_unpacked(response, NULL);
	lk_call_done(&call);
}

/* What all keys of alice share. */
static void make_owner(struct lk_channel *channel)
{
	Latchkey__V1__CreateOwnerRequest request = LATCHKEY__V1__CREATE_OWNER_REQUEST__INIT;
	Latchkey__V1__Owner *response = NULL;
	Latchkey__V1__RateLimit limit = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit *limits[] = {&limit};
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	set_limit(&limit, "shared", &day);
	request.tenant = TEXT("acme");
	request.owner = TEXT("alice");
	request.rate_limits = limits;
	request.n_rate_limits = 1;
	CHECK_MSG(latchkey_v1_owner_create(channel, &request, &response, &call) == LK_OK, call.message);
	latchkey__v1__owner__free_unpacked(response, NULL);
	lk_call_done(&call);
}

/* Waits until `count` more VALID verdicts were received; false where the clients are all done. */
static bool await_progress(uint64_t count)
{
	for (uint64_t i = 0; i < count; i++) {
		char byte = 0;
		if (read(progress[0], &byte, 1) != 1) {
			return false;
		}
	}
	return true;
}

/* Kills the daemon up to `rounds` times, at moments that are spread over what there is to spend; returns how often. */
static unsigned long kill_often(struct daemon *daemon, unsigned long rounds, unsigned seed)
{
	for (unsigned long i = 0; i < rounds; i++) {
		uint64_t most = LAST_KILL / rounds > 0 ? LAST_KILL / rounds : 1;
		if (!await_progress(1 + (uint64_t)rand_r(&seed) % most)) {
			return i;
		}
		daemon_kill(daemon);
		daemon_restart(daemon, NULL);
	}
	/* To the end, so that nobody waits for us. */
	while (await_progress(SIZE)) {
	}
	return rounds;
}

static void check_key(struct lk_channel *channel, enum kind kind, const struct key *key, bool was_killed)
{
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;
	Latchkey__V1__Key *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};
	uint64_t valid = atomic_load(&tallies[kind].valid);
	uint64_t unknown = atomic_load(&tallies[kind].unknown);
	uint64_t most = SIZE + refilled(kind);

	request.tenant = TEXT("acme");
	request.key = TEXT(key->id);
	CHECK_MSG(latchkey_v1_key_get(channel, &request, &response, &call) == LK_OK, call.message);
	uint64_t used = response->usage_count;
	printf("%s: %llu VALID, %llu without an answer, %llu uses\n", names[kind], (unsigned long long)valid,
		(unsigned long long)unknown, (unsigned long long)used);
	CHECK_MSG(valid <= most && valid + unknown >= SIZE, names[kind]);
	CHECK_MSG(used >= valid && used <= most && used <= valid + unknown, names[kind]);
	if (!was_killed) {
		CHECK_MSG(unknown == 0 && valid >= SIZE && used == valid, names[kind]);
	}
	/* Of the key with both, a kill may have come between its limits and its credits. */
	if (kind == CREDITED || (kind == BOTH && !was_killed)) {
		CHECK_MSG(response->credits != NULL && response->credits->balance == 0, names[kind]);
	}
	latchkey__v1__key__free_unpacked(response, NULL);
	lk_call_done(&call);
}

/* The clients come first, so that they inherit no thread. */
static void start_clients(struct lk_child *clients)
{
	tallies = mmap(NULL, KINDS * sizeof *tallies, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(tallies != MAP_FAILED);
	CHECK(pipe(progress) == 0);
	for (size_t i = 0; i < CLIENTS; i++) {
		CHECK(lk_child_start(&clients[i], run_client, NULL));
	}
	close(progress[1]);
}

int main(int argc, char **argv)
{
	struct rounds rounds = {ROUNDS, 1};
	struct daemon daemon;
	struct lk_child clients[CLIENTS];
	struct key keys[KINDS];
	struct orders orders = {0};

	rounds_read(argc, argv, &rounds);
	start_clients(clients);
	daemon_start(&daemon);
	struct lk_channel *channel = open_channel(daemon.url);
	place_make(channel);
	make_owner(channel);
	(void)snprintf(orders.url, sizeof orders.url, "%s", daemon.url);
	for (unsigned kind = 0; kind < KINDS; kind++) {
		make_key(channel, (enum kind)kind, &keys[kind]);
		(void)snprintf(orders.tokens[kind], sizeof orders.tokens[kind], "%s", keys[kind].token);
	}
	began_s = now_s();
	for (size_t i = 0; i < CLIENTS; i++) {
		CHECK(lk_child_tell(&clients[i], &orders, sizeof orders));
	}
	unsigned long kills = kill_often(&daemon, rounds.count, rounds.seed);
	for (size_t i = 0; i < CLIENTS; i++) {
		CHECK(lk_child_wait(&clients[i]) == 0);
	}
	for (unsigned kind = 0; kind < KINDS; kind++) {
		check_key(channel, (enum kind)kind, &keys[kind], kills > 0);
	}
	lk_channel_close(channel);
	daemon_remove(&daemon);
	printf("%lu times kill -9: nothing was spent twice\n", kills);
	return 0;
}

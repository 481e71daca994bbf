/*
 * The in-process verifier in four processes, and unary callers beside them, while keys are made and revoked and the daemon, and
 * now and then one of the processes, is killed with kill -9 and started again.
 *
 *	local_rounds [--rounds N] [--seed N]
 *
 * Whoever asks about a key checks the verdict against what was acknowledged before its call began: VALID after Create, REVOKED after
 * Revoke, however often the daemon was killed. In the end each key has as many uses as there were VALID verdicts, and no more besides
 * than there were calls whose end nobody heard: attempts over the wire that were cut off, and one call a process that was killed.
 * So with the keys that are spent: one with a limit of 1,000 a day, one with 1,000 credits, one with both.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <latchkey/latchkey.h>
#include <latchkey/local.h>

#include "tests/fault/local_board.h"
#include "tests/fault/rounds.h"
#include "tests/lib/check.h"
#include "tests/lib/child.h"
#include "tests/lib/daemon.h"
#include "tests/lib/place.h"

#define PROCESSES  4
#define CALLERS    2
#define TIMEOUT_MS 20000
#define ROUNDS     12
#define DAY_S      86400
/* A process is killed in every round that this divides. */
#define KILL_EVERY 3
/* Changes between two kills of the daemon, at most. */
#define CHANGES_MAX 24
/* And behind the last, in peace. */
#define PEACE 200
/* So many keys are alive at a time, and half of the questions are about the newest so many. */
#define ALIVE  32
#define NEWEST 64
/* Whoever asks does so often again where a key is spent. */
#define AGAIN 25

static const char *const names[BOARD_SPENT] = {"limited", "credited", "both"};

static struct board *board;
/* A byte for each change that was acknowledged. */
static int progress[2];

static int64_t now_s(void)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return now.tv_sec;
}

static bool ask_in_process(void *context, const char *token, Latchkey__V1__VerifyCode *ret_code, uint64_t *ret_lost)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	struct lk_local_reply reply = {0};
	struct lk_call call = LK_CALL_INIT;

	(void)ret_lost;
	request.token = TEXT(token);
	enum lk_err err = lk_local_verify_packed(context, &request, &reply, &call);
	CHECK_MSG(err == LK_OK || err == LK_UNAVAILABLE, call.message == NULL ? lk_err_text(err) : call.message);
	lk_call_done(&call);
	atomic_fetch_add(err == LK_OK ? &board->verdicts : &board->put_off, 1);
	*ret_code = reply.code;
	return err == LK_OK;
}

static bool ask_unary(void *context, const char *token, Latchkey__V1__VerifyCode *ret_code, uint64_t *ret_lost)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.token = TEXT(token);
	enum lk_err err = latchkey_v1_key_verify(context, &request, &response, &call);
	*ret_lost = call.attempts - (err == LK_OK ? 1 : 0);
	lk_call_done(&call);
	if (err != LK_OK) {
		return false;
	}
	*ret_code = response->code;
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	return true;
}

/* Asks until all is over, and then until each key that is spent has refused several times. */
static void ask_on(board_ask *ask, void *context, unsigned seed)
{
	unsigned refused[BOARD_SPENT] = {0};
	unsigned n_refused = 0;

	while (n_refused < BOARD_SPENT) {
		size_t n = atomic_load(&board->n);
		size_t span = rand_r(&seed) % 2 == 0 && n > NEWEST ? NEWEST : n;
		enum board_spent kind = (enum board_spent)((unsigned)rand_r(&seed) % BOARD_SPENT);
		bool is_over = atomic_load(&board->over);

		if (n > 0) {
			board_try(board, n - 1 - (size_t)rand_r(&seed) % span, ask, context);
		}
		if (!is_over && (atomic_load(&board->permits) <= 0 || atomic_fetch_sub(&board->permits, 1) <= 0)) {
			continue;
		}
		if (board_spend(board, kind, ask, context) && is_over && refused[kind]++ == AGAIN) {
			n_refused++;
		}
	}
}

/* A process that verifies. */
static int run_process(struct lk_child *parent, void *context)
{
	char message[LK_LOCAL_MESSAGE_LEN] = "";
	struct lk_local_options options = {.dir = board->data};
	struct lk_local_verifier *verifier = NULL;
	struct lk_local *local = NULL;
	unsigned seed = 0;

	(void)context;
	close(progress[0]);
	close(progress[1]);
	/* Where a check fails in the parent, nobody is left behind. */
	CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
	if (!lk_child_hear(parent, &seed, sizeof seed)) {
		return 0;
	}
	CHECK_MSG(lk_local_open(&options, &local, message) == LK_OK, message);
	CHECK(lk_local_verifier_new(local, &verifier) == LK_OK);
	ask_on(ask_in_process, verifier, seed);
	lk_local_verifier_free(verifier);
	lk_local_close(local);
	return 0;
}

static struct lk_channel *open_channel(void)
{
	const char *url = board->url;
	struct lk_channel_options options = {.urls = &url, .n_urls = 1};
	struct lk_channel *channel = NULL;

	CHECK(lk_channel_open(&options, &channel) == LK_OK);
	return channel;
}

static void *run_caller(void *context)
{
	struct lk_channel *channel = open_channel();

	ask_on(ask_unary, channel, *(unsigned *)context);
	lk_channel_close(channel);
	return NULL;
}

/* Makes a key; of one that is spent, what it may be used. */
static void make_key(struct lk_channel *channel, const enum board_spent *spent, struct board_key *ret_key)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *response = NULL;
	Latchkey__V1__RateLimit limit = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit *limits[] = {&limit};
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	Latchkey__V1__Credits credits = LATCHKEY__V1__CREDITS__INIT;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	day.seconds = DAY_S;
	limit.name = TEXT("day");
	limit.limit = BOARD_SIZE;
	limit.period = &day;
	credits.balance = BOARD_SIZE;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.rate_limits = limits;
	request.n_rate_limits = spent != NULL && *spent != BOARD_CREDITED ? 1 : 0;
	request.credits = spent != NULL && *spent != BOARD_LIMITED ? &credits : NULL;
	CHECK_MSG(latchkey_v1_key_create(channel, &request, &response, &call) == LK_OK, call.message);
	(void)snprintf(ret_key->id, sizeof ret_key->id, "%s", response->key->id);
	(void)snprintf(ret_key->token, sizeof ret_key->token, "%s", response->token);
	latchkey__v1__create_key_response__free_unpacked(response, NULL);
	lk_call_done(&call);
	atomic_store(&ret_key->state, BOARD_LIVE);
}

static void revoke_key(struct lk_channel *channel, struct board_key *key)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	Latchkey__V1__Key *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.key = key->id;
	atomic_store(&key->state, BOARD_REVOKING);
	CHECK_MSG(latchkey_v1_key_revoke(channel, &request, &response, &call) == LK_OK, call.message);
	atomic_store(&key->state, BOARD_REVOKED);
	latchkey__v1__key__free_unpacked(response, NULL);
	lk_call_done(&call);
}

/* Makes keys, and revokes each when so many others were made behind it. */
static void *run_changes(void *context)
{
	struct lk_channel *channel = open_channel();

	(void)context;
	for (size_t i = 0; i < BOARD_KEYS && !atomic_load(&board->over); i++) {
		make_key(channel, NULL, &board->keys[i]);
		atomic_store(&board->n, i + 1);
		CHECK(write(progress[1], "", 1) == 1);
		if (i >= ALIVE) {
			revoke_key(channel, &board->keys[i - ALIVE]);
			CHECK(write(progress[1], "", 1) == 1);
		}
	}
	lk_channel_close(channel);
	close(progress[1]);
	return NULL;
}

/* Waits for so many changes; false where there are no more. */
static bool await_changes(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char byte = 0;
		if (read(progress[0], &byte, 1) != 1) {
			return false;
		}
	}
	return true;
}

/* Forgets those that were not waited for. */
static void drain_changes(void)
{
	char bytes[512];
	int n = 0;

	while (ioctl(progress[0], FIONREAD, &n) == 0 && n > 0) {
		CHECK(read(progress[0], bytes, sizeof bytes) > 0);
	}
}

/* The processes that ask, and those that wait to take the place of one that is killed: all were forked at the beginning. */
struct crowd {
	struct lk_child *children;
	size_t n;
	size_t next;
	struct lk_child *at_work[PROCESSES];
};

static void put_to_work(struct crowd *crowd, size_t place)
{
	unsigned seed = (unsigned)crowd->next + 1;

	CHECK(crowd->next < crowd->n);
	crowd->at_work[place] = &crowd->children[crowd->next++];
	CHECK(lk_child_tell(crowd->at_work[place], &seed, sizeof seed));
}

static void start_crowd(struct crowd *crowd, unsigned long rounds)
{
	crowd->n = PROCESSES + rounds / KILL_EVERY;
	crowd->children = calloc(crowd->n, sizeof *crowd->children);
	CHECK(crowd->children != NULL);
	for (size_t i = 0; i < crowd->n; i++) {
		CHECK(lk_child_start(&crowd->children[i], run_process, NULL));
	}
}

static void end_crowd(struct crowd *crowd)
{
	for (size_t i = 0; i < PROCESSES; i++) {
		CHECK(lk_child_wait(crowd->at_work[i]) == 0);
	}
	for (; crowd->next < crowd->n; crowd->next++) {
		lk_child_kill(&crowd->children[crowd->next]);
	}
	free(crowd->children);
}

/* Kills the daemon, and now and then a process too; returns how many processes. */
static unsigned long kill_often(struct daemon *daemon, struct crowd *crowd, const struct rounds *rounds)
{
	unsigned seed = rounds->seed;
	unsigned long processes = 0;

	for (unsigned long i = 1; i <= rounds->count; i++) {
		drain_changes();
		if (!await_changes(1 + (unsigned)rand_r(&seed) % CHANGES_MAX)) {
			break;
		}
		atomic_store(&board->permits, (int64_t)(BOARD_SPENT * BOARD_SIZE / (rounds->count + 1)));
		if (i % KILL_EVERY == 0) {
			size_t place = (size_t)rand_r(&seed) % PROCESSES;
			lk_child_kill(crowd->at_work[place]);
			put_to_work(crowd, place);
			processes++;
		}
		daemon_kill(daemon);
		daemon_restart(daemon, NULL);
	}
	return processes;
}

struct counted {
	uint64_t valid;
	uint64_t unknown;
	uint64_t used;
};

static struct counted count_key(struct lk_channel *channel, const struct board_key *key)
{
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;
	Latchkey__V1__Key *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};
	struct counted counted = {.valid = atomic_load(&key->valid)};

	request.tenant = TEXT("acme");
	request.key = TEXT(key->id);
	CHECK_MSG(latchkey_v1_key_get(channel, &request, &response, &call) == LK_OK, call.message);
	counted.used = response->usage_count;
	counted.unknown = atomic_load(&key->lost) + atomic_load(&key->asked) - atomic_load(&key->heard);
	latchkey__v1__key__free_unpacked(response, NULL);
	lk_call_done(&call);
	CHECK_MSG(counted.used >= counted.valid && counted.used <= counted.valid + counted.unknown, key->id);
	return counted;
}

/* All that were made and revoked: returns the sum. */
static struct counted count_keys(struct lk_channel *channel, unsigned long processes)
{
	struct counted sum = {0};
	uint64_t unfinished = 0;

	for (size_t i = 0; i < atomic_load(&board->n); i++) {
		const struct board_key *key = &board->keys[i];
		struct counted one = count_key(channel, key);
		sum.valid += one.valid;
		sum.used += one.used;
		sum.unknown += one.unknown;
		unfinished += atomic_load(&key->asked) - atomic_load(&key->heard);
	}
	/* A process is in one call at a time. */
	CHECK(unfinished <= processes);
	return sum;
}

static void check_spent(struct lk_channel *channel, enum board_spent kind, int64_t began_s)
{
	struct counted one = count_key(channel, &board->spent[kind]);
	/* What a limit of a day lets through beside, unless the machine is very slow: nothing. */
	uint64_t refilled = kind == BOARD_LIMITED ? (uint64_t)(now_s() + 1 - began_s) * BOARD_SIZE / DAY_S : 0;

	printf("%s: %llu VALID, %llu without an answer, %llu uses\n", names[kind], (unsigned long long)one.valid,
		(unsigned long long)one.unknown, (unsigned long long)one.used);
	CHECK_MSG(one.used <= BOARD_SIZE + refilled && one.valid + one.unknown >= BOARD_SIZE, names[kind]);
}

static void check_all(struct lk_channel *channel, unsigned long processes, int64_t began_s)
{
	for (unsigned kind = 0; kind < BOARD_SPENT; kind++) {
		check_spent(channel, (enum board_spent)kind, began_s);
	}
	struct counted sum = count_keys(channel, processes);
	printf("%zu keys: %llu VALID, %llu without an answer, %llu uses; %llu verdicts in process, %llu put off\n",
		(size_t)atomic_load(&board->n), (unsigned long long)sum.valid, (unsigned long long)sum.unknown,
		(unsigned long long)sum.used, (unsigned long long)atomic_load(&board->verdicts),
		(unsigned long long)atomic_load(&board->put_off));
	CHECK(sum.valid > 0 && atomic_load(&board->verdicts) > 0);
}

int main(int argc, char **argv)
{
	struct rounds rounds = {ROUNDS, 1};
	struct crowd crowd = {0};
	struct daemon daemon;
	pthread_t changes;
	pthread_t callers[CALLERS];
	unsigned seeds[CALLERS];

	rounds_read(argc, argv, &rounds);
	board = board_new();
	CHECK(pipe2(progress, O_CLOEXEC) == 0);
	start_crowd(&crowd, rounds.count);
	daemon_start(&daemon);
	(void)snprintf(board->data, sizeof board->data, "%s", daemon.data);
	(void)snprintf(board->url, sizeof board->url, "%s", daemon.url);
	struct lk_channel *channel = open_channel();
	place_make(channel);
	for (unsigned kind = 0; kind < BOARD_SPENT; kind++) {
		make_key(channel, &(enum board_spent){(enum board_spent)kind}, &board->spent[kind]);
	}
	int64_t began_s = now_s();
	for (size_t i = 0; i < PROCESSES; i++) {
		put_to_work(&crowd, i);
	}
	CHECK(pthread_create(&changes, NULL, run_changes, NULL) == 0);
	for (unsigned i = 0; i < CALLERS; i++) {
		seeds[i] = 1000 + i;
		CHECK(pthread_create(&callers[i], NULL, run_caller, &seeds[i]) == 0);
	}
	unsigned long processes = kill_often(&daemon, &crowd, &rounds);
	/* Some more in peace. */
	(void)await_changes(PEACE);
	atomic_store(&board->over, true);
	/* To the end, so that nobody waits for us. */
	while (await_changes(1)) {
	}
	CHECK(pthread_join(changes, NULL) == 0);
	for (unsigned i = 0; i < CALLERS; i++) {
		CHECK(pthread_join(callers[i], NULL) == 0);
	}
	end_crowd(&crowd);
	check_all(channel, processes, began_s);
	lk_channel_close(channel);
	daemon_remove(&daemon);
	printf("%lu times kill -9 of the daemon, %lu of a verifier: no wrong verdict\n", rounds.count, processes);
	return 0;
}

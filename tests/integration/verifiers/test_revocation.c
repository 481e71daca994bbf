/*
 * Keys are revoked one by one while all kinds of verifiers ask about them as fast as they can: none says VALID in a call that
 * began after the acknowledgement, nor ever again; none says anything else before the revocation began.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/integration/verifiers/drivers.h"
#include "tests/lib/check.h"
#include "tests/lib/place.h"

#define KEYS_MAX    1000
#define THREADS_MAX 32
/*
 * So often each asks in a turn, and then waits for the next: in process that is about as long as a revocation takes, and those who
 * ask over the wire have a processor, too.
 */
#define QUESTIONS_MAX 500

#define CODE(name) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##name

struct key {
	char id[40];
	char token[64];
};

/* So many threads that ask in this way. */
struct kind {
	const struct driver *driver;
	size_t threads;
};

struct hall;

struct verifier {
	struct hall *hall;
	const struct driver *driver;
	void *state;
	pthread_t thread;
	uint64_t verdicts;
};

struct hall {
	struct daemon daemon;
	struct lk_channel *channel;
	struct key keys[KEYS_MAX];
	struct verifier verifiers[THREADS_MAX];
	size_t n_verifiers;
	/* 2 * i: key i is good, or its revocation under way; 2 * i + 1: that was acknowledged. */
	_Atomic size_t turn;
	_Atomic bool over;
	/* Of the two above. */
	pthread_mutex_t lock;
	pthread_cond_t turned;
	/* Posted by each verifier once a turn, when it has heard of the key in a call that began in that turn. */
	sem_t heard;
};

static Latchkey__V1__VerifyCode ask(struct verifier *verifier, size_t key)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_call call = {.timeout_ms = DRIVER_TIMEOUT_MS};

	request.token = verifier->hall->keys[key].token;
	enum lk_err err = verifier->driver->ask(verifier->state, &request, &response, &call);
	CHECK_MSG(err == LK_OK, call.message == NULL ? lk_err_text(err) : call.message);
	lk_call_done(&call);
	CHECK(response->valid == (response->code == CODE(VALID)));
	verifier->verdicts++;
	return response->code;
}

static void set_turn(struct hall *hall, size_t turn, bool over)
{
	CHECK(pthread_mutex_lock(&hall->lock) == 0);
	atomic_store(&hall->turn, turn);
	atomic_store(&hall->over, over);
	CHECK(pthread_cond_broadcast(&hall->turned) == 0);
	CHECK(pthread_mutex_unlock(&hall->lock) == 0);
}

static void await_turn(struct hall *hall, size_t turn)
{
	CHECK(pthread_mutex_lock(&hall->lock) == 0);
	while (atomic_load(&hall->turn) == turn && !atomic_load(&hall->over)) {
		CHECK(pthread_cond_wait(&hall->turned, &hall->lock) == 0);
	}
	CHECK(pthread_mutex_unlock(&hall->lock) == 0);
}

/* Asks about the turn's key; the one who revokes waits for the first answer of each of us, so that one comes before it. */
static void ask_in_turn(struct verifier *verifier, size_t turn, bool is_first)
{
	Latchkey__V1__VerifyCode code = ask(verifier, turn / 2);

	if (turn % 2 == 1) {
		CHECK_MSG(code == CODE(REVOKED), verifier->driver->name);
	} else {
		CHECK_MSG(code == CODE(VALID) || (code == CODE(REVOKED) && !is_first), verifier->driver->name);
	}
	if (is_first) {
		CHECK(sem_post(&verifier->hall->heard) == 0);
	}
}

static void *verify(void *context)
{
	struct verifier *verifier = context;
	struct hall *hall = verifier->hall;
	size_t last = SIZE_MAX;
	unsigned questions = 0;
	unsigned seed = (unsigned)(verifier - hall->verifiers);

	while (!atomic_load(&hall->over)) {
		size_t turn = atomic_load(&hall->turn);
		questions = turn == last ? questions + 1 : 0;
		ask_in_turn(verifier, turn, turn != last);
		last = turn;
		if (turn >= 2) {
			/* Nor does one that was revoked before come back. */
			size_t before = (size_t)rand_r(&seed) % (turn / 2);
			CHECK_MSG(ask(verifier, before) == CODE(REVOKED), verifier->driver->name);
		}
		if (questions == QUESTIONS_MAX) {
			await_turn(hall, turn);
		}
	}
	return NULL;
}

static void make_key(struct hall *hall, struct key *ret_key)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *response = NULL;
	struct lk_call call = {.timeout_ms = DRIVER_TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	CHECK_MSG(latchkey_v1_key_create(hall->channel, &request, &response, &call) == LK_OK, call.message);
	(void)snprintf(ret_key->id, sizeof ret_key->id, "%s", response->key->id);
	(void)snprintf(ret_key->token, sizeof ret_key->token, "%s", response->token);
	latchkey__v1__create_key_response__free_unpacked(response, NULL);
	lk_call_done(&call);
}

static void revoke_key(struct hall *hall, const struct key *key)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	Latchkey__V1__Key *response = NULL;
	struct lk_call call = {.timeout_ms = DRIVER_TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.key = TEXT(key->id);
	CHECK_MSG(latchkey_v1_key_revoke(hall->channel, &request, &response, &call) == LK_OK, call.message);
	latchkey__v1__key__free_unpacked(response, NULL);
	lk_call_done(&call);
}

/* Waits until every verifier has heard of the turn's key. */
static void await_all(struct hall *hall)
{
	for (size_t i = 0; i < hall->n_verifiers; i++) {
		while (sem_wait(&hall->heard) != 0) {
		}
	}
}

/* Starts the threads of each kind on one channel, verifier or store. */
static void start_verifiers(struct hall *hall, const struct kind *kinds, size_t n_kinds)
{
	for (size_t i = 0; i < n_kinds; i++) {
		const struct driver *driver = kinds[i].driver;
		void *first = driver->open(&hall->daemon, NULL);
		for (size_t j = 0; j < kinds[i].threads; j++) {
			struct verifier *verifier = &hall->verifiers[hall->n_verifiers++];
			CHECK(hall->n_verifiers <= THREADS_MAX);
			verifier->hall = hall;
			verifier->driver = driver;
			verifier->state = j == 0 ? first : driver->join(first);
		}
	}
	for (size_t i = 0; i < hall->n_verifiers; i++) {
		CHECK(pthread_create(&hall->verifiers[i].thread, NULL, verify, &hall->verifiers[i]) == 0);
	}
}

static void end_verifiers(struct hall *hall)
{
	set_turn(hall, atomic_load(&hall->turn), true);
	for (size_t i = 0; i < hall->n_verifiers; i++) {
		CHECK(pthread_join(hall->verifiers[i].thread, NULL) == 0);
	}
	/* Those that have joined another first. */
	while (hall->n_verifiers > 0) {
		struct verifier *verifier = &hall->verifiers[--hall->n_verifiers];
		verifier->driver->close(verifier->state);
	}
}

static void revoke_all(struct hall *hall, const struct kind *kinds, size_t n_kinds, size_t n_keys)
{
	for (size_t i = 0; i < n_keys; i++) {
		make_key(hall, &hall->keys[i]);
	}
	start_verifiers(hall, kinds, n_kinds);
	for (size_t i = 0; i < n_keys; i++) {
		set_turn(hall, 2 * i, false);
		await_all(hall);
		revoke_key(hall, &hall->keys[i]);
		set_turn(hall, 2 * i + 1, false);
		await_all(hall);
	}
	size_t n = hall->n_verifiers;
	end_verifiers(hall);
	for (size_t i = 0; i < n; i++) {
		/* Each key before and after, and those before it again. */
		assert_true(hall->verifiers[i].verdicts >= 2 * n_keys);
	}
}

static void test_revocation_is_seen_by_four_verifiers_a_thousand_times(void **state)
{
	static const struct kind kinds[] = {{&driver_unary, 1}, {&driver_verifier, 4}, {&driver_packed, 2}};

	revoke_all(*state, kinds, sizeof(kinds) / sizeof(kinds[0]), KEYS_MAX);
}

static void test_revocation_is_seen_by_eight_threads_of_each(void **state)
{
	static const struct kind kinds[] = {{&driver_unary, 8}, {&driver_verifier, 8}, {&driver_local, 8}};

	revoke_all(*state, kinds, sizeof(kinds) / sizeof(kinds[0]), 24);
}

static int set_up(void **state)
{
	struct hall *hall = calloc(1, sizeof *hall);

	*state = hall;
	if (hall == NULL || sem_init(&hall->heard, 0, 0) != 0 || pthread_mutex_init(&hall->lock, NULL) != 0 ||
		pthread_cond_init(&hall->turned, NULL) != 0) {
		return -1;
	}
	daemon_start(&hall->daemon);
	const char *url = hall->daemon.url;
	const struct lk_channel_options options = {.urls = &url, .n_urls = 1};
	CHECK(lk_channel_open(&options, &hall->channel) == LK_OK);
	place_make(hall->channel);
	return 0;
}

static int tear_down(void **state)
{
	struct hall *hall = *state;

	lk_channel_close(hall->channel);
	daemon_remove(&hall->daemon);
	(void)pthread_cond_destroy(&hall->turned);
	(void)pthread_mutex_destroy(&hall->lock);
	(void)sem_destroy(&hall->heard);
	free(hall);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_revocation_is_seen_by_four_verifiers_a_thousand_times, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_revocation_is_seen_by_eight_threads_of_each, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("revocation", tests, NULL, NULL);
}

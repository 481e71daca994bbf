#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>

#include "fixture.h"

#define N_CALLS   64
#define N_THREADS 8
#define N_EACH    100

/* What the callbacks of a test's calls left behind. */
struct tally {
	pthread_mutex_t lock;
	pthread_cond_t told;
	/* How often each call's was called, and with what. */
	unsigned n_done[N_CALLS];
	enum lk_err err[N_CALLS];
	unsigned total;
	struct lk_call calls[N_CALLS];
};

/* One call of a tally. */
struct entry {
	struct tally *tally;
	unsigned index;
};

static struct tally tally;
static struct entry entries[N_CALLS];

static int setup(void **state)
{
	memset(&tally, 0, sizeof(tally));
	pthread_mutex_init(&tally.lock, NULL);
	pthread_cond_init(&tally.told, NULL);
	for (unsigned i = 0; i < N_CALLS; i++) {
		entries[i] = (struct entry){&tally, i};
	}
	return fixture_setup(state);
}

static int teardown(void **state)
{
	int rv = fixture_teardown(state);

	for (unsigned i = 0; i < N_CALLS; i++) {
		lk_call_done(&tally.calls[i]);
	}
	pthread_cond_destroy(&tally.told);
	pthread_mutex_destroy(&tally.lock);
	return rv;
}

static void count(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct entry *entry = context;

	(void)call;
	if (response) {
		protobuf_c_message_free_unpacked(response, NULL);
	}
	pthread_mutex_lock(&entry->tally->lock);
	entry->tally->n_done[entry->index]++;
	entry->tally->err[entry->index] = err;
	entry->tally->total++;
	pthread_cond_signal(&entry->tally->told);
	pthread_mutex_unlock(&entry->tally->lock);
}

static void start_all(struct fixture *fixture, const struct lk_method *method, lk_done_fn done)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	for (unsigned i = 0; i < N_CALLS; i++) {
		assert_int_equal(
			lk_channel_start(fixture->channel, method, &request.base, &tally.calls[i], done, &entries[i]),
			LK_OK);
	}
}

static void await(unsigned total)
{
	pthread_mutex_lock(&tally.lock);
	while (tally.total < total) {
		pthread_cond_wait(&tally.told, &tally.lock);
	}
	pthread_mutex_unlock(&tally.lock);
}

static void assert_each_once(enum lk_err err)
{
	pthread_mutex_lock(&tally.lock);
	for (unsigned i = 0; i < N_CALLS; i++) {
		assert_int_equal(tally.n_done[i], 1);
		assert_int_equal(tally.err[i], err);
	}
	pthread_mutex_unlock(&tally.lock);
}

static void test_channel_callback_exactly_once(void **state)
{
	struct fixture *fixture = fixture_run(state, script_echo);

	start_all(fixture, &method_verify, count);
	await(N_CALLS);
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	assert_each_once(LK_OK);
}

static void script_mixed(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index % 4 == 1) {
		peer_reply_code(peer, LK_UNAVAILABLE, "busy", 0);
	} else if (index % 16 == 2) {
		peer_hang_up(peer);
	} else {
		peer_echo(peer, request);
	}
}

static void test_channel_callback_exactly_once_with_a_bad_peer(void **state)
{
	struct fixture *fixture = *state;

	fixture_start_peer(fixture, script_mixed);
	fixture_open_channel(fixture, 3, NULL);
	for (unsigned i = 0; i < N_CALLS; i++) {
		tally.calls[i].timeout_ms = 60000;
	}
	start_all(fixture, &method_create, count);
	await(N_CALLS);
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	assert_each_once(LK_OK);
}

static void test_channel_close_ends_what_waits_for_an_answer(void **state)
{
	struct fixture *fixture = fixture_run(state, script_silent);

	start_all(fixture, &method_create, count);
	peer_await(&fixture->peer, N_CALLS);
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	assert_each_once(LK_CANCELLED);
	assert_non_null(tally.calls[0].message);
}

static void test_channel_close_ends_what_waits_for_a_connection(void **state)
{
	struct fixture *fixture = *state;

	fixture_open_channel(fixture, 1, NULL);
	start_all(fixture, &method_verify, count);
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	assert_each_once(LK_CANCELLED);
}

static void script_later(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)index;
	(void)request;
	peer_reply_code(peer, LK_UNAVAILABLE, "later", 3000);
}

static void test_channel_close_ends_what_waits_for_its_next_attempt(void **state)
{
	struct fixture *fixture = fixture_run(state, script_later);

	start_all(fixture, &method_verify, count);
	peer_await(&fixture->peer, N_CALLS);
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	assert_each_once(LK_CANCELLED);
}

/* Closing at any moment, with the peer answering all the while. */
static void test_channel_close_in_the_middle(void **state)
{
	struct fixture *fixture = *state;

	fixture_start_peer(fixture, script_mixed);
	for (unsigned round = 0; round < 20; round++) {
		memset(tally.n_done, 0, sizeof(tally.n_done));
		tally.total = 0;
		fixture_open_channel(fixture, 2, NULL);
		start_all(fixture, &method_verify, count);
		await(round);
		lk_channel_close(fixture->channel);
		fixture->channel = NULL;
		for (unsigned i = 0; i < N_CALLS; i++) {
			assert_int_equal(tally.n_done[i], 1);
		}
	}
}

static struct lk_channel *again_channel;

/* Starts the call anew from its own callback, twice. */
static void again(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct entry *entry = context;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	count(err, response, call, context);
	pthread_mutex_lock(&entry->tally->lock);
	bool more = entry->tally->n_done[entry->index] < 3;
	pthread_mutex_unlock(&entry->tally->lock);
	if (more && lk_channel_start(again_channel, &method_verify, &request.base, call, again, context) != LK_OK) {
		abort();
	}
}

static void test_channel_calls_from_a_callback(void **state)
{
	struct fixture *fixture = fixture_run(state, script_echo);

	again_channel = fixture->channel;
	start_all(fixture, &method_verify, again);
	await(3 * N_CALLS);
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	for (unsigned i = 0; i < N_CALLS; i++) {
		assert_int_equal(tally.n_done[i], 3);
	}
}

static void refused_start(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct entry *entry = context;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	struct lk_call other = LK_CALL_INIT;

	if (lk_channel_start(again_channel, &method_verify, &request.base, &other, count, context) != LK_CANCELLED) {
		entry->tally->n_done[entry->index] += 100;
	}
	count(err, response, call, context);
}

static void test_channel_refuses_calls_while_it_closes(void **state)
{
	struct fixture *fixture = fixture_run(state, script_silent);

	again_channel = fixture->channel;
	start_all(fixture, &method_create, refused_start);
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	assert_each_once(LK_CANCELLED);
}

static void test_channel_callback_is_not_called_where_start_failed(void **state)
{
	struct fixture *fixture = fixture_run(state, script_echo);
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	static char token[LK_REQUEST_MAX + 1];

	memset(token, 'a', LK_REQUEST_MAX);
	request.token = token;
	assert_int_equal(
		lk_channel_start(fixture->channel, &method_verify, &request.base, &tally.calls[0], count, &entries[0]),
		LK_INVALID_ARGUMENT);
	assert_non_null(tally.calls[0].message);
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	assert_int_equal(tally.total, 0);
}

/* Where the first request came from, and its id. */
static struct peer_connection *first_connection;
static uint8_t first_id[sizeof(((struct peer *)0)->id)];
static atomic_bool was_forged;

/* Leaves the first request alone, and answers it by another connection as soon as one comes in by that. */
static void script_forges(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	uint8_t own_id[sizeof(first_id)];

	if (index == 0) {
		first_connection = peer->current;
		memcpy(first_id, peer->id, sizeof(first_id));
		return;
	}
	if (peer->current != first_connection) {
		memcpy(own_id, peer->id, sizeof(own_id));
		memcpy(peer->id, first_id, sizeof(first_id));
		peer_echo(peer, request);
		memcpy(peer->id, own_id, sizeof(own_id));
		atomic_store(&was_forged, true);
	}
	peer_echo(peer, request);
}

static void test_channel_takes_no_answer_by_another_connection(void **state)
{
	struct fixture *fixture = *state;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	atomic_store(&was_forged, false);
	fixture_start_peer(fixture, script_forges);
	fixture_open_channel(fixture, 2, NULL);
	tally.calls[0].timeout_ms = 60000;
	assert_int_equal(
		lk_channel_start(fixture->channel, &method_create, &request.base, &tally.calls[0], count, &entries[0]),
		LK_OK);
	peer_await(&fixture->peer, 1);
	while (!atomic_load(&was_forged)) {
		assert_int_equal(call_text(fixture, &method_create, "other", NULL), LK_OK);
	}
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	assert_int_equal(tally.n_done[0], 1);
	assert_int_equal(tally.err[0], LK_CANCELLED);
}

static pthread_t starter;
static atomic_uint n_on_starter;
static bool first_runs, started_another;

/* The first one lasts until its starter has started another call: those that ended beside it wait meanwhile. */
static void count_on_starter(enum lk_err err, ProtobufCMessage *response, struct lk_call *call, void *context)
{
	struct entry *entry = context;

	if (pthread_equal(pthread_self(), starter)) {
		atomic_fetch_add(&n_on_starter, 1);
	}
	pthread_mutex_lock(&entry->tally->lock);
	if (!first_runs) {
		first_runs = true;
		pthread_cond_signal(&entry->tally->told);
		while (!started_another) {
			pthread_cond_wait(&entry->tally->told, &entry->tally->lock);
		}
	}
	pthread_mutex_unlock(&entry->tally->lock);
	count(err, response, call, context);
}

static void test_channel_callback_never_runs_inside_of_a_start(void **state)
{
	struct fixture *fixture = *state;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	const unsigned other = N_CALLS - 1;

	starter = pthread_self();
	atomic_store(&n_on_starter, 0);
	first_runs = started_another = false;
	/* No peer: all end as late, in a few visits of the timer. */
	fixture_open_channel(fixture, 1, NULL);
	for (unsigned i = 0; i < other; i++) {
		tally.calls[i].timeout_ms = 50;
		assert_int_equal(lk_channel_start(fixture->channel, &method_verify, &request.base, &tally.calls[i],
					 count_on_starter, &entries[i]),
			LK_OK);
	}
	pthread_mutex_lock(&tally.lock);
	while (!first_runs) {
		pthread_cond_wait(&tally.told, &tally.lock);
	}
	pthread_mutex_unlock(&tally.lock);
	tally.calls[other].timeout_ms = 60000;
	assert_int_equal(lk_channel_start(fixture->channel, &method_verify, &request.base, &tally.calls[other], count,
				 &entries[other]),
		LK_OK);
	pthread_mutex_lock(&tally.lock);
	started_another = true;
	pthread_cond_broadcast(&tally.told);
	pthread_mutex_unlock(&tally.lock);
	await(other);
	assert_int_equal(atomic_load(&n_on_starter), 0);
	lk_channel_close(fixture->channel);
	fixture->channel = NULL;
	for (unsigned i = 0; i < N_CALLS; i++) {
		assert_int_equal(tally.n_done[i], 1);
	}
}

/* What a thread of the next test found wrong. */
static atomic_uint n_wrong;

static void *call_many(void *argument)
{
	struct lk_channel *channel = argument;

	for (unsigned i = 0; i < N_EACH; i++) {
		Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
		struct lk_call call = {.timeout_ms = 60000};
		ProtobufCMessage *message = NULL;
		char token[32];

		snprintf(token, sizeof(token), "%p %u", (void *)token, i);
		request.token = token;
		if (lk_channel_call(channel, i % 2 ? &method_create : &method_verify, &request.base, &message, &call) !=
				LK_OK ||
			strcmp(((Latchkey__V1__VerifyKeyResponse *)message)->key->name, token) != 0) {
			atomic_fetch_add(&n_wrong, 1);
		}
		if (message) {
			protobuf_c_message_free_unpacked(message, NULL);
		}
		lk_call_done(&call);
	}
	return NULL;
}

static void test_channel_eight_threads(void **state)
{
	struct fixture *fixture = *state;
	pthread_t threads[N_THREADS];

	fixture_start_peer(fixture, script_mixed);
	fixture_open_channel(fixture, 4, NULL);
	atomic_store(&n_wrong, 0);
	for (unsigned i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, call_many, fixture->channel), 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	assert_int_equal(atomic_load(&n_wrong), 0);
}

int main(void)
{
#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		FIXTURE_TEST(test_channel_callback_exactly_once),
		FIXTURE_TEST(test_channel_callback_exactly_once_with_a_bad_peer),
		FIXTURE_TEST(test_channel_close_ends_what_waits_for_an_answer),
		FIXTURE_TEST(test_channel_close_ends_what_waits_for_a_connection),
		FIXTURE_TEST(test_channel_close_ends_what_waits_for_its_next_attempt),
		FIXTURE_TEST(test_channel_close_in_the_middle),
		FIXTURE_TEST(test_channel_calls_from_a_callback),
		FIXTURE_TEST(test_channel_refuses_calls_while_it_closes),
		FIXTURE_TEST(test_channel_callback_is_not_called_where_start_failed),
		FIXTURE_TEST(test_channel_takes_no_answer_by_another_connection),
		FIXTURE_TEST(test_channel_callback_never_runs_inside_of_a_start),
		FIXTURE_TEST(test_channel_eight_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

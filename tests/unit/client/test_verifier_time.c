/* Deadlines, in the queue and in a batch, the end of a verifier, and many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "asker.h"
#include "client/verifier_ask.h"

#define TEXT(text) ((char *)(uintptr_t)(text))

#define N_THREADS   8
#define EACH_THREAD 200u

/* What Verify itself says, in the same time. */
static void assert_as_unary(const struct asker *asker, uint32_t timeout_ms, enum lk_err err)
{
	struct lk_call unary = {.timeout_ms = timeout_ms};
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;

	request.token = TEXT("t");
	assert_int_equal(latchkey_v1_key_verify(stage->fixture->channel, &request, &response, &unary), err);
	assert_int_equal(asker->err, err);
	assert_string_equal(asker->call.message, unary.message);
	assert_int_equal(asker->call.attempts, unary.attempts);
	lk_call_done(&unary);
}

static void test_verifier_no_daemon_is_said_as_by_verify(void **state)
{
	struct crowd *crowd = stage_run(NULL, NULL);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		crowd->askers[i].call.timeout_ms = 60;
		assert_int_equal(asker_start(crowd, i, NULL), LK_OK);
	}
	crowd_await(crowd, 5);
	crowd_assert(crowd, 0, 5, LK_UNAVAILABLE);
	assert_as_unary(&crowd->askers[0], 60, LK_UNAVAILABLE);
	assert_as_unary(&crowd->askers[4], 60, LK_UNAVAILABLE);
}

static void script_first_alone(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index == 0) {
		sem_wait(&stage->gate);
		script_echo_all(peer, index, request);
	}
}

static void test_verifier_silence_is_said_as_by_verify(void **state)
{
	struct crowd *crowd = stage_run(script_first_alone, NULL);

	(void)state;
	assert_int_equal(asker_start(crowd, 0, NULL), LK_OK);
	for (unsigned i = 1; i < 5; i++) {
		crowd->askers[i].call.timeout_ms = 1500;
		assert_int_equal(asker_start(crowd, i, NULL), LK_OK);
	}
	sem_post(&stage->gate);
	crowd_await(crowd, 5);
	crowd_assert(crowd, 0, 1, LK_OK);
	crowd_assert(crowd, 1, 5, LK_DEADLINE_EXCEEDED);
	assert_as_unary(&crowd->askers[4], 1500, LK_DEADLINE_EXCEEDED);
}

static void test_verifier_time_may_pass_in_the_queue(void **state)
{
	struct crowd *crowd = stage_run(script_gated, NULL);

	(void)state;
	crowd_start(crowd, 0, 2);
	peer_await(&stage->fixture->peer, 1);
	crowd->askers[2].call.timeout_ms = 30;
	assert_int_equal(asker_start(crowd, 2, NULL), LK_OK);
	crowd_start(crowd, 3, 4);
	crowd_await(crowd, 1);
	crowd_assert(crowd, 2, 3, LK_DEADLINE_EXCEEDED);
	assert_int_equal(crowd->askers[2].call.attempts, 0);
	assert_non_null(strstr(crowd->askers[2].call.message, "within 30 ms"));
	sem_post(&stage->gate);
	crowd_await(crowd, 4);
	crowd_assert(crowd, 0, 2, LK_OK);
	crowd_assert(crowd, 3, 4, LK_OK);
	/* It was not asked for. */
	Latchkey__V1__VerifyBatchRequest *batch = peer_batch_request(&stage->fixture->peer, 1);
	assert_int_equal(batch->n_items, 2);
	latchkey__v1__verify_batch_request__free_unpacked(batch, NULL);
}

/* The first message and the first batch wait for the gate, each. */
static void script_gated_twice(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index < 2) {
		sem_wait(&stage->gate);
	}
	script_echo_all(peer, index, request);
}

static void test_verifier_late_verdict_is_dropped(void **state)
{
	struct crowd *crowd = stage_run(script_gated_twice, NULL);

	(void)state;
	crowd_start(crowd, 0, 2);
	crowd->askers[2].call.timeout_ms = 60;
	assert_int_equal(asker_start(crowd, 2, NULL), LK_OK);
	crowd_start(crowd, 3, 5);
	sem_post(&stage->gate);
	peer_await(&stage->fixture->peer, 2);
	crowd_await(crowd, 2);
	crowd_assert(crowd, 2, 3, LK_DEADLINE_EXCEEDED);
	sem_post(&stage->gate);
	crowd_await(crowd, 5);
	crowd_assert(crowd, 0, 2, LK_OK);
	crowd_assert(crowd, 2, 3, LK_DEADLINE_EXCEEDED);
	crowd_assert(crowd, 3, 5, LK_OK);
}

/* Lets come at once what comes to those who have waited for a connection for long, and have one now. */
static void hasten_sent(struct lk_verifier *verifier)
{
	pthread_mutex_lock(&verifier->lock);
	for (size_t i = 0; i < verifier->n_asks; i++) {
		if (verifier->asks[i]->state == LK_ASK_SENT) {
			verifier->asks[i]->due = nng_clock();
		}
	}
	pthread_mutex_unlock(&verifier->lock);
}

/* That its time to wait for a connection is over does not end the time that an answer has, or the token would be charged twice. */
static void test_verifier_asks_once_however_late_a_connection_comes(void **state)
{
	struct crowd *crowd = stage_run(script_gated_twice, NULL);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		crowd->askers[i].call.timeout_ms = 600000;
	}
	crowd_start(crowd, 0, 4);
	sem_post(&stage->gate);
	peer_await(&stage->fixture->peer, 2);
	hasten_sent(crowd->verifier);
	/* When this one is told, the others were looked at. */
	crowd->askers[4].call.timeout_ms = 30;
	assert_int_equal(asker_start(crowd, 4, NULL), LK_OK);
	crowd_await(crowd, 2);
	crowd_assert(crowd, 4, 5, LK_DEADLINE_EXCEEDED);
	sem_post(&stage->gate);
	crowd_await(crowd, 5);
	crowd_assert(crowd, 0, 4, LK_OK);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(crowd->askers[i].call.attempts, 1);
	}
	assert_int_equal(peer_count(&stage->fixture->peer), 2);
}

static void script_first_batch_is_lost(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index == 0) {
		sem_wait(&stage->gate);
	}
	if (index != 1) {
		script_echo_all(peer, index, request);
	}
}

static void test_verifier_lost_answer_is_asked_for_again(void **state)
{
	struct crowd *crowd = stage_run(script_first_batch_is_lost, NULL);

	(void)state;
	crowd_start(crowd, 0, 1);
	for (unsigned i = 1; i < 5; i++) {
		crowd->askers[i].call.timeout_ms = 2000;
		assert_int_equal(asker_start(crowd, i, NULL), LK_OK);
	}
	sem_post(&stage->gate);
	crowd_await(crowd, 5);
	crowd_assert(crowd, 0, 5, LK_OK);
	for (unsigned i = 1; i < 5; i++) {
		assert_int_equal(crowd->askers[i].call.attempts, 2);
	}
	assert_in_range(peer_request(&stage->fixture->peer, 1).timeout_ms, 1, 1000);
}

static void script_two_are_lost(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index >= 2) {
		script_echo_all(peer, index, request);
	}
}

static void test_verifier_lost_messages_stop_nobody_else(void **state)
{
	struct crowd *crowd = stage_run(script_two_are_lost, &(struct lk_verifier_options){.batches_max = 2});

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		crowd->askers[i].call.timeout_ms = 600000;
		assert_int_equal(asker_start(crowd, i, NULL), LK_OK);
	}
	/* They would be in time after five minutes. */
	crowd_start(crowd, 2, 9);
	crowd_await(crowd, 7);
	crowd_assert(crowd, 2, 9, LK_OK);
	assert_int_equal(crowd->askers[0].n_told + crowd->askers[1].n_told, 0);
}

static void test_verifier_message_has_the_time_of_its_most_patient(void **state)
{
	struct crowd *crowd = stage_run(script_gated, NULL);
	static const uint32_t timeouts[] = {0, 20000, 40000, 30000};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		crowd->askers[i].call.timeout_ms = timeouts[i];
		assert_int_equal(asker_start(crowd, i, NULL), LK_OK);
	}
	sem_post(&stage->gate);
	crowd_await(crowd, 4);
	assert_in_range(peer_request(&stage->fixture->peer, 1).timeout_ms, 15001, 20000);
}

static void test_verifier_close_ends_what_waits_and_what_is_under_way(void **state)
{
	struct crowd *crowd = stage_run(
		script_first_alone, &(struct lk_verifier_options){.batches_max = 1, .batch_max = 3});

	(void)state;
	crowd_start(crowd, 0, 10);
	sem_post(&stage->gate);
	/* One answered, three in a batch, six in the queue. */
	peer_await(&stage->fixture->peer, 2);
	crowd_await(crowd, 1);
	lk_verifier_close(crowd->verifier);
	crowd->verifier = NULL;
	crowd_assert(crowd, 0, 1, LK_OK);
	crowd_assert(crowd, 1, 10, LK_CANCELLED);
	for (unsigned i = 1; i < 10; i++) {
		assert_string_equal(crowd->askers[i].call.message, "the verifier was closed before an answer came");
	}
}

static void test_verifier_close_ends_the_lone_ones(void **state)
{
	struct crowd *crowd = stage_run(script_silent, &(struct lk_verifier_options){.batches_max = 4});
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;

	(void)state;
	crowd_start(crowd, 0, 3);
	peer_await(&stage->fixture->peer, 3);
	lk_verifier_close(crowd->verifier);
	crowd->verifier = NULL;
	crowd_assert(crowd, 0, 3, LK_CANCELLED);
	assert_string_equal(crowd->askers[0].call.message, "the verifier was closed before an answer came");
	/* The channel is as it was, and nobody else's calls were ended. */
	struct lk_call call = {.timeout_ms = 20};
	assert_int_equal(
		latchkey_v1_key_verify(stage->fixture->channel, &request, &response, &call), LK_DEADLINE_EXCEEDED);
	lk_call_done(&call);
}

static void script_never_now(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)index;
	(void)request;
	peer_reply_code(peer, LK_UNAVAILABLE, "not now", 2000);
}

static void test_verifier_close_ends_those_that_rest(void **state)
{
	struct crowd *crowd = stage_run(script_never_now, &(struct lk_verifier_options){.batches_max = 1});

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		crowd->askers[i].call.timeout_ms = 60000;
		assert_int_equal(asker_start(crowd, i, NULL), LK_OK);
	}
	/* The lone one holds the only place while it rests. */
	peer_await(&stage->fixture->peer, 1);
	lk_verifier_close(crowd->verifier);
	crowd->verifier = NULL;
	crowd_assert(crowd, 0, 5, LK_CANCELLED);
}

struct thread {
	pthread_t thread;
	unsigned number;
	unsigned n_right;
};

static void *ask_many(void *argument)
{
	struct thread *thread = argument;

	for (unsigned i = 0; i < EACH_THREAD; i++) {
		Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
		Latchkey__V1__VerifyKeyResponse *response = NULL;
		char token[32], tenant[32];
		(void)snprintf(token, sizeof(token), "thread-%u-%u", thread->number, i);
		(void)snprintf(tenant, sizeof(tenant), "tenant-%u", (thread->number + i) % 3);
		request.token = token;
		request.tenant = i % 5 == 0 ? TEXT("") : tenant;
		if (lk_verifier_verify(stage->crowd->verifier, &request, &response, NULL) == LK_OK) {
			thread->n_right += strcmp(response->key->name, token) == 0 &&
					   strcmp(response->key->owner, request.tenant) == 0;
			latchkey__v1__verify_key_response__free_unpacked(response, NULL);
		}
	}
	return NULL;
}

static void test_verifier_threads_get_their_own_verdicts(void **state)
{
	struct thread threads[N_THREADS] = {0};

	(void)state;
	stage_run(script_echo_all, &(struct lk_verifier_options){.batches_max = 2, .batch_max = 4});
	for (unsigned i = 0; i < N_THREADS; i++) {
		threads[i].number = i;
		assert_int_equal(pthread_create(&threads[i].thread, NULL, ask_many, &threads[i]), 0);
	}
	for (unsigned i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i].thread, NULL), 0);
		assert_int_equal(threads[i].n_right, EACH_THREAD);
	}
	assert_in_range(peer_count(&stage->fixture->peer), 1, N_THREADS * EACH_THREAD);
}

static void *ask_once(void *argument)
{
	struct asker *asker = argument;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;

	request.token = TEXT("waits");
	asker->err = lk_verifier_verify(stage->crowd->verifier, &request, &response, &asker->call);
	return NULL;
}

static void test_verifier_close_ends_the_blocking_ones(void **state)
{
	struct crowd *crowd = stage_run(script_silent, &(struct lk_verifier_options){.batches_max = 4});
	pthread_t threads[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, ask_once, &crowd->askers[i]), 0);
	}
	/* As many messages as may be under way: all of them wait. */
	peer_await(&stage->fixture->peer, 4);
	lk_verifier_close(crowd->verifier);
	crowd->verifier = NULL;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(crowd->askers[i].err, LK_CANCELLED);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, stage_setup, stage_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verifier_no_daemon_is_said_as_by_verify),
		TEST(test_verifier_silence_is_said_as_by_verify),
		TEST(test_verifier_time_may_pass_in_the_queue),
		TEST(test_verifier_late_verdict_is_dropped),
		TEST(test_verifier_asks_once_however_late_a_connection_comes),
		TEST(test_verifier_lost_answer_is_asked_for_again),
		TEST(test_verifier_lost_messages_stop_nobody_else),
		TEST(test_verifier_message_has_the_time_of_its_most_patient),
		TEST(test_verifier_close_ends_what_waits_and_what_is_under_way),
		TEST(test_verifier_close_ends_the_lone_ones),
		TEST(test_verifier_close_ends_those_that_rest),
		TEST(test_verifier_threads_get_their_own_verdicts),
		TEST(test_verifier_close_ends_the_blocking_ones),
	};

	return cmocka_run_group_tests_name("verifier: time and threads", tests, NULL, NULL);
}

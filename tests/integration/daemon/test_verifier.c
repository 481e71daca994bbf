/*
 * The batching verifier and a real daemon: it says what Verify says, error for error; it loses no call and tells none twice, while
 * the daemon is killed and comes back; it ends in the middle of a crowd.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "tests/lib/caller.h"
#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/verbs.h"

#define QUESTIONS_MAX 40
#define N_KEYS        6
#define N_LOOPS       200
#define N_THREADS     8

/* What came of a question. */
struct answer {
	unsigned n_told;
	enum lk_err err;
	Latchkey__V1__VerifyKeyResponse *response;
	struct lk_call call;
};

struct question {
	Latchkey__V1__VerifyKeyRequest request;
	struct answer unary;
	struct answer batched;
};

struct world {
	struct daemon daemon;
	struct caller operator;
	struct lk_verifier *verifier;
	char tokens[N_KEYS][64];
	struct question questions[QUESTIONS_MAX];
	size_t n_questions;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t n_told;
	/* Of those that ask on and on. */
	bool over;
	size_t n_right;
	size_t n_running;
};

enum {
	KEY_PLAIN,
	KEY_PERMITTED,
	KEY_WALLED,
	KEY_CREDITED,
	KEY_REVOKED,
	KEY_SUSPENDED
};

static void keep_token(struct world *world, size_t index, const struct new_key *key, char ret_id[64])
{
	const Latchkey__V1__CreateKeyResponse *made = say_create(&world->operator, key);

	CHECK(made != NULL);
	(void)snprintf(world->tokens[index], sizeof world->tokens[index], "%s", made->token);
	(void)snprintf(ret_id, 64, "%s", made->key->id);
}

static void make_keys(struct world *world)
{
	static const char *const permissions[] = {"chat:read", "agents:*"};
	static const char *const cidrs[] = {"10.0.0.0/8"};
	Latchkey__V1__Credits credits = LATCHKEY__V1__CREDITS__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	struct new_key key = {.tenant = "acme", .keyspace = "prod"};
	char id[64];

	policy.token_prefix = TEXT("sk-");
	CHECK(say_create_tenant(&world->operator, "acme") != NULL);
	CHECK(say_create_keyspace(&world->operator, "acme", "prod", &policy) != NULL);
	keep_token(world, KEY_PLAIN, &key, id);
	key.permissions = permissions;
	key.n_permissions = 2;
	keep_token(world, KEY_PERMITTED, &key, id);
	key.allowed_cidrs = cidrs;
	key.n_allowed_cidrs = 1;
	keep_token(world, KEY_WALLED, &key, id);
	credits.balance = 1000;
	key = (struct new_key){.tenant = "acme", .keyspace = "prod", .credits = &credits};
	keep_token(world, KEY_CREDITED, &key, id);
	key.credits = NULL;
	keep_token(world, KEY_REVOKED, &key, id);
	CHECK(say_revoke(&world->operator, "acme", id, "test") != NULL);
	keep_token(world, KEY_SUSPENDED, &key, id);
	CHECK(say_suspend(&world->operator, "acme", id, "test") != NULL);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	*state = world;
	if (world == NULL) {
		return -1;
	}
	CHECK(pthread_mutex_init(&world->lock, NULL) == 0 && pthread_cond_init(&world->changed, NULL) == 0);
	daemon_start(&world->daemon);
	caller_open(&world->operator, world->daemon.url, NULL);
	make_keys(world);
	return 0;
}

static void answer_done(struct answer *answer)
{
	lk_call_done(&answer->call);
	latchkey__v1__verify_key_response__free_unpacked(answer->response, NULL);
}

static int tear_down(void **state)
{
	struct world *world = *state;

	lk_verifier_close(world->verifier);
	for (size_t i = 0; i < world->n_questions; i++) {
		answer_done(&world->questions[i].unary);
		answer_done(&world->questions[i].batched);
	}
	caller_close(&world->operator);
	daemon_remove(&world->daemon);
	(void)pthread_cond_destroy(&world->changed);
	(void)pthread_mutex_destroy(&world->lock);
	free(world);
	return 0;
}

static Latchkey__V1__VerifyKeyRequest *add(struct world *world, const char *token)
{
	Latchkey__V1__VerifyKeyRequest *request = &world->questions[world->n_questions++].request;

	CHECK(world->n_questions <= QUESTIONS_MAX);
	latchkey__v1__verify_key_request__init(request);
	request->token = TEXT(token);
	/* So that asking twice finds the same. */
	request->dry_run = true;
	return request;
}

static void add_verdicts(struct world *world)
{
	for (size_t i = 0; i < N_KEYS; i++) {
		(void)add(world, world->tokens[i]);
		add(world, world->tokens[i])->explain = true;
	}
	add(world, world->tokens[KEY_PERMITTED])->permission_expression = TEXT("chat:read AND agents:x");
	add(world, world->tokens[KEY_PERMITTED])->permission_expression = TEXT("chat:write");
	add(world, world->tokens[KEY_WALLED])->client_ip = TEXT("10.1.2.3");
	add(world, world->tokens[KEY_WALLED])->client_ip = TEXT("192.0.2.1");
	add(world, world->tokens[KEY_CREDITED])->cost = 1001;
	add(world, world->tokens[KEY_CREDITED])->cost = 1000;
	add(world, world->tokens[KEY_PLAIN])->tenant = TEXT("acme");
	add(world, world->tokens[KEY_PLAIN])->keyspace = TEXT("prod");
	add(world, world->tokens[KEY_PLAIN])->keyspace = TEXT("staging");
	add(world, world->tokens[KEY_PLAIN])->tenant = TEXT("globex");
	(void)add(world, "");
	(void)add(world, "sk-00000000000000000000000000000000000000");
	(void)add(world, "no token, with a tab:\t");
}

static void add_faults(struct world *world)
{
	static Latchkey__V1__RateCharge charge;
	static Latchkey__V1__RateCharge *charges[] = {&charge, &charge};
	const char *token = world->tokens[KEY_PLAIN];
	Latchkey__V1__VerifyKeyRequest *request = add(world, token);

	latchkey__v1__rate_charge__init(&charge);
	charge.name = TEXT("No name!");
	charge.cost = UINT64_MAX;
	request->rate_charges = charges;
	request->n_rate_charges = 2;
	request->client_ip = TEXT("10.0.0.1:80");
	request->cost = UINT64_MAX;
	request->permission_expression = TEXT("chat:read AND");
	add(world, token)->permission_expression = TEXT("(");
	add(world, token)->client_ip = TEXT("nowhere");
	add(world, token)->cost = UINT64_MAX;
	add(world, token)->tenant = TEXT("Not A Tenant");
	add(world, token)->tenant = TEXT("system");
	add(world, token)->keyspace = TEXT("Not A Keyspace");
	/* What goes alone. */
	add(world, token)->tenant = TEXT("\xff");
	(void)add(world, "\xc3\x28");
	add(world, token)->keyspace = TEXT("0123456789012345678901234567890123456789012345678901234567890123456789");
}

static void on_batched(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	struct world *world = context;
	struct answer *answer = (struct answer *)(void *)((char *)call - offsetof(struct answer, call));

	CHECK(pthread_mutex_lock(&world->lock) == 0);
	answer->n_told++;
	answer->err = err;
	answer->response = response;
	world->n_told++;
	CHECK(pthread_cond_signal(&world->changed) == 0);
	CHECK(pthread_mutex_unlock(&world->lock) == 0);
}

/* In a callback no answer can come by the one connection there is: behind the first, all leave together. */
static void ask_all(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	struct world *world = context;

	(void)err;
	lk_call_done(call);
	free(call);
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	for (size_t i = 0; i < world->n_questions; i++) {
		struct question *question = &world->questions[i];
		question->batched.call.timeout_ms = CALLER_TIMEOUT_MS;
		CHECK(lk_verifier_start(world->verifier, &question->request, &question->batched.call, on_batched,
			      world) == LK_OK);
	}
}

static void await_told(struct world *world, size_t n)
{
	CHECK(pthread_mutex_lock(&world->lock) == 0);
	while (world->n_told < n) {
		CHECK(pthread_cond_wait(&world->changed, &world->lock) == 0);
	}
	CHECK(pthread_mutex_unlock(&world->lock) == 0);
}

static void ask_both_ways(struct world *world, struct lk_channel *channel)
{
	const struct lk_verifier_options options = {.channel = channel, .batches_max = 1};
	struct lk_call *call = calloc(1, sizeof *call);

	CHECK(call != NULL);
	for (size_t i = 0; i < world->n_questions; i++) {
		struct question *question = &world->questions[i];
		question->unary.call.timeout_ms = CALLER_TIMEOUT_MS;
		question->unary.err = latchkey_v1_key_verify(
			channel, &question->request, &question->unary.response, &question->unary.call);
	}
	assert_int_equal(lk_verifier_open(&options, &world->verifier), LK_OK);
	assert_int_equal(lk_verifier_start(world->verifier, &world->questions[0].request, call, ask_all, world), LK_OK);
	await_told(world, world->n_questions);
	lk_verifier_close(world->verifier);
	world->verifier = NULL;
}

static void assert_same_words(const struct lk_call *a, const struct lk_call *b)
{
	assert_string_equal(a->message ? a->message : "", b->message ? b->message : "");
	assert_int_equal(a->n_violations, b->n_violations);
	for (size_t i = 0; i < a->n_violations; i++) {
		assert_string_equal(a->violations[i].field, b->violations[i].field);
		assert_string_equal(a->violations[i].description, b->violations[i].description);
	}
	assert_int_equal(a->retry_after_ms, b->retry_after_ms);
	assert_int_equal(a->revision, b->revision);
	assert_int_equal(a->attempts, b->attempts);
}

static void assert_same_message(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	uint8_t packed[2][8192];
	size_t len = protobuf_c_message_get_packed_size(a);

	assert_int_equal(len, protobuf_c_message_get_packed_size(b));
	assert_true(len <= sizeof packed[0]);
	(void)protobuf_c_message_pack(a, packed[0]);
	(void)protobuf_c_message_pack(b, packed[1]);
	assert_memory_equal(packed[0], packed[1], len);
}

static void assert_same_answers(const struct world *world)
{
	for (size_t i = 0; i < world->n_questions; i++) {
		const struct question *question = &world->questions[i];
		assert_int_equal(question->batched.n_told, 1);
		assert_int_equal(question->batched.err, question->unary.err);
		assert_same_words(&question->batched.call, &question->unary.call);
		if (question->unary.err == LK_OK) {
			assert_same_message(&question->batched.response->base, &question->unary.response->base);
		}
	}
}

static void test_verifier_says_what_verify_says(void **state)
{
	struct world *world = *state;
	unsigned n_verdicts = 0, n_faults = 0;

	add_verdicts(world);
	add_faults(world);
	ask_both_ways(world, world->operator.channel);
	assert_same_answers(world);
	for (size_t i = 0; i < world->n_questions; i++) {
		n_verdicts += world->questions[i].batched.err == LK_OK;
		n_faults += world->questions[i].batched.call.n_violations > 0;
	}
	assert_in_range(n_verdicts, 20, world->n_questions);
	assert_in_range(n_faults, 6, world->n_questions);
	/* The faults of one, together. */
	assert_in_range(world->questions[25].batched.call.n_violations, 4, 8);
}

static void test_verifier_whose_credential_is_none_is_told_as_by_verify(void **state)
{
	struct world *world = *state;
	struct caller stranger;

	(void)add(world, world->tokens[KEY_PLAIN]);
	(void)add(world, world->tokens[KEY_REVOKED]);
	(void)add(world, "x");
	caller_open(&stranger, world->daemon.url, "lkr_00000000000000000000000000000000000000");
	ask_both_ways(world, stranger.channel);
	assert_same_answers(world);
	assert_int_equal(world->questions[1].batched.err, LK_UNAUTHENTICATED);
	caller_close(&stranger);
}

static void test_verifier_that_may_not_is_told_as_by_verify(void **state)
{
	static const char *const methods[] = {"keys.create", NULL};
	static const char *const tenants[] = {"acme", NULL};
	struct world *world = *state;
	struct caller maker;

	(void)add(world, world->tokens[KEY_PLAIN]);
	(void)add(world, world->tokens[KEY_REVOKED]);
	(void)add(world, "x");
	const Latchkey__V1__CreateKeyResponse *root = say_create_root_key(&world->operator, "maker", methods, tenants);
	CHECK(root != NULL);
	caller_open(&maker, world->daemon.url, root->token);
	ask_both_ways(world, maker.channel);
	assert_same_answers(world);
	assert_int_equal(world->questions[1].batched.err, LK_PERMISSION_DENIED);
	caller_close(&maker);
}

static void ask_on(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context);

static void ask_next(struct world *world, struct lk_call *call)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = world->tokens[KEY_PLAIN];
	call->timeout_ms = CALLER_TIMEOUT_MS;
	enum lk_err err = lk_verifier_start(world->verifier, &request, call, ask_on, world);
	if (err != LK_OK) {
		/* It is being closed. */
		CHECK(err == LK_CANCELLED);
		CHECK(pthread_mutex_lock(&world->lock) == 0);
		world->n_running--;
		CHECK(pthread_mutex_unlock(&world->lock) == 0);
	}
}

static void ask_on(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	struct world *world = context;

	CHECK_MSG(err == LK_OK || err == LK_CANCELLED, call->message ? call->message : lk_err_name(err));
	CHECK(pthread_mutex_lock(&world->lock) == 0);
	world->n_told++;
	world->n_right += err == LK_OK && response->valid;
	bool goes_on = !world->over && err == LK_OK;
	world->n_running -= goes_on ? 0 : 1;
	CHECK(pthread_cond_signal(&world->changed) == 0);
	CHECK(pthread_mutex_unlock(&world->lock) == 0);
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	if (goes_on) {
		ask_next(world, call);
	}
}

static void run_crowd(struct world *world, struct lk_call *calls)
{
	const struct lk_verifier_options options = {.channel = world->operator.channel };

	CHECK(lk_verifier_open(&options, &world->verifier) == LK_OK);
	world->n_running = N_LOOPS;
	for (size_t i = 0; i < N_LOOPS; i++) {
		ask_next(world, &calls[i]);
	}
}

static void test_verifier_outlives_its_daemon(void **state)
{
	struct world *world = *state;
	static struct lk_call calls[N_LOOPS];
	size_t seen = 0;

	run_crowd(world, calls);
	for (unsigned i = 0; i < 3; i++) {
		seen += 5000;
		await_told(world, seen);
		daemon_kill(&world->daemon);
		daemon_restart(&world->daemon, NULL);
		CHECK(pthread_mutex_lock(&world->lock) == 0);
		seen = world->n_told;
		CHECK(pthread_mutex_unlock(&world->lock) == 0);
	}
	await_told(world, seen + 5000);
	CHECK(pthread_mutex_lock(&world->lock) == 0);
	world->over = true;
	while (world->n_running > 0) {
		CHECK(pthread_cond_wait(&world->changed, &world->lock) == 0);
	}
	CHECK(pthread_mutex_unlock(&world->lock) == 0);
	/* All of them were told, and nothing but their verdict. */
	assert_int_equal(world->n_right, world->n_told);
	for (size_t i = 0; i < N_LOOPS; i++) {
		lk_call_done(&calls[i]);
	}
}

static void test_verifier_closes_in_the_middle_of_a_crowd(void **state)
{
	struct world *world = *state;
	static struct lk_call calls[N_LOOPS];

	run_crowd(world, calls);
	await_told(world, 2000);
	struct lk_verifier *verifier = world->verifier;
	lk_verifier_close(verifier);
	world->verifier = NULL;
	assert_int_equal(world->n_running, 0);
	for (size_t i = 0; i < N_LOOPS; i++) {
		lk_call_done(&calls[i]);
	}
}

static void *ask_blocking(void *context)
{
	struct world *world = context;
	size_t n_right = 0;

	for (unsigned i = 0; i < 500; i++) {
		Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
		Latchkey__V1__VerifyKeyResponse *response = NULL;
		struct lk_call call = {.timeout_ms = CALLER_TIMEOUT_MS};
		request.token = world->tokens[i % 2 == 0 ? KEY_PLAIN : KEY_REVOKED];
		request.explain = i % 3 == 0;
		if (lk_verifier_verify(world->verifier, &request, &response, &call) == LK_OK) {
			n_right += response->code == (i % 2 == 0 ? VERDICT(VALID) : VERDICT(REVOKED)) &&
				   (response->n_gates > 0) == (i % 3 == 0);
			latchkey__v1__verify_key_response__free_unpacked(response, NULL);
		}
		lk_call_done(&call);
	}
	CHECK(pthread_mutex_lock(&world->lock) == 0);
	world->n_right += n_right;
	CHECK(pthread_mutex_unlock(&world->lock) == 0);
	return NULL;
}

static void test_verifier_serves_eight_threads(void **state)
{
	struct world *world = *state;
	const struct lk_verifier_options options = {.channel = world->operator.channel };
	pthread_t threads[N_THREADS];

	assert_int_equal(lk_verifier_open(&options, &world->verifier), LK_OK);
	for (size_t i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_create(&threads[i], NULL, ask_blocking, world), 0);
	}
	for (size_t i = 0; i < N_THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	}
	assert_int_equal(world->n_right, N_THREADS * 500);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verifier_says_what_verify_says),
		TEST(test_verifier_whose_credential_is_none_is_told_as_by_verify),
		TEST(test_verifier_that_may_not_is_told_as_by_verify),
		TEST(test_verifier_outlives_its_daemon),
		TEST(test_verifier_closes_in_the_middle_of_a_crowd),
		TEST(test_verifier_serves_eight_threads),
	};

	return cmocka_run_group_tests_name("a verifier and a daemon", tests, NULL, NULL);
}

#include "asker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BATCH_MAX 1000

struct stage *stage;

int stage_setup(void **state)
{
	stage = calloc(1, sizeof(*stage));
	if (!stage || sem_init(&stage->gate, 0, 0) != 0) {
		return -1;
	}
	stage->crowd = calloc(1, sizeof(*stage->crowd));
	if (!stage->crowd || fixture_setup((void **)&stage->fixture) != 0) {
		return -1;
	}
	stage->crowd->fixture = stage->fixture;
	pthread_mutex_init(&stage->crowd->lock, NULL);
	pthread_cond_init(&stage->crowd->changed, NULL);
	*state = stage;
	return 0;
}

int stage_teardown(void **state)
{
	(void)state;
	/* A script that still waits must not keep the peer from ending. */
	sem_post(&stage->gate);
	lk_verifier_close(stage->crowd->verifier);
	fixture_teardown((void **)&stage->fixture);
	for (size_t i = 0; i < ASKERS_MAX; i++) {
		lk_call_done(&stage->crowd->askers[i].call);
	}
	pthread_cond_destroy(&stage->crowd->changed);
	pthread_mutex_destroy(&stage->crowd->lock);
	sem_destroy(&stage->gate);
	free(stage->crowd);
	free(stage);
	return 0;
}

struct crowd *stage_run(peer_script script, const struct lk_verifier_options *options)
{
	struct lk_verifier_options all = options ? *options : (struct lk_verifier_options){.batches_max = 1};

	if (script) {
		fixture_start_peer(stage->fixture, script);
	}
	fixture_open_channel(stage->fixture, 1, NULL);
	all.channel = stage->fixture->channel;
	assert_int_equal(lk_verifier_open(&all, &stage->crowd->verifier), LK_OK);
	return stage->crowd;
}

static void told(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	struct asker *asker = context;
	struct crowd *crowd = asker->crowd;

	if (call != &asker->call || (err == LK_OK) != (response != NULL)) {
		abort();
	}
	pthread_mutex_lock(&crowd->lock);
	asker->n_told++;
	asker->err = err;
	if (response && response->key) {
		(void)snprintf(asker->name, sizeof(asker->name), "%s", response->key->name);
		(void)snprintf(asker->owner, sizeof(asker->owner), "%s", response->key->owner);
	}
	crowd->n_told++;
	pthread_cond_broadcast(&crowd->changed);
	pthread_mutex_unlock(&crowd->lock);
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
}

enum lk_err asker_start_as(struct crowd *crowd, unsigned number, const Latchkey__V1__VerifyKeyRequest *request)
{
	struct asker *asker = &crowd->askers[number];

	asker->crowd = crowd;
	return lk_verifier_start(crowd->verifier, request, &asker->call, told, asker);
}

enum lk_err asker_start(struct crowd *crowd, unsigned number, const Latchkey__V1__VerifyKeyRequest *options)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	struct asker *asker = &crowd->askers[number];

	if (options) {
		request = *options;
	}
	(void)snprintf(asker->token, sizeof(asker->token), "t%u", number);
	if (request.token[0] == '\0') {
		request.token = asker->token;
	}
	return asker_start_as(crowd, number, &request);
}

void crowd_start(struct crowd *crowd, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		assert_int_equal(asker_start(crowd, i, NULL), LK_OK);
	}
}

void crowd_await(struct crowd *crowd, unsigned n)
{
	pthread_mutex_lock(&crowd->lock);
	while (crowd->n_told < n) {
		pthread_cond_wait(&crowd->changed, &crowd->lock);
	}
	pthread_mutex_unlock(&crowd->lock);
}

void crowd_assert(struct crowd *crowd, unsigned from, unsigned to, enum lk_err err)
{
	pthread_mutex_lock(&crowd->lock);
	for (unsigned i = from; i < to; i++) {
		const struct asker *asker = &crowd->askers[i];
		assert_int_equal(asker->n_told, 1);
		assert_int_equal(asker->err, err);
		assert_string_equal(asker->name, err == LK_OK ? asker->token : "");
	}
	pthread_mutex_unlock(&crowd->lock);
}

bool is_batch(const struct lk_request_envelope *request)
{
	const char *name = latchkey_v1_key_verify_batch_method.name;

	return request->method.len == strlen(name) && memcmp(request->method.data, name, strlen(name)) == 0;
}

void peer_payload(struct peer *peer, const void *payload, size_t len)
{
	const struct lk_response_envelope response = {.revision = 7, .payload = {payload, len}};

	peer_reply(peer, &response);
}

static void peer_message(struct peer *peer, const ProtobufCMessage *message)
{
	uint8_t *payload = malloc(protobuf_c_message_get_packed_size(message) + 1);

	peer_payload(peer, payload, protobuf_c_message_pack(message, payload));
	free(payload);
}

void peer_outcomes(struct peer *peer, const Latchkey__V1__VerifyBatchResponse *response)
{
	peer_message(peer, &response->base);
}

/* Room for an echo. */
struct echo {
	Latchkey__V1__VerifyOutcome outcome;
	Latchkey__V1__VerifyKeyResponse verdict;
	Latchkey__V1__KeyIdentity key;
	char token[64];
};

static void echo_make(
	struct echo *echo, const uint8_t *token, size_t len, const Latchkey__V1__VerifyKeyRequest *options)
{
	latchkey__v1__verify_outcome__init(&echo->outcome);
	latchkey__v1__verify_key_response__init(&echo->verdict);
	latchkey__v1__key_identity__init(&echo->key);
	(void)snprintf(echo->token, sizeof(echo->token), "%.*s", (int)len, (const char *)token);
	echo->key.name = echo->token;
	echo->key.owner = options ? options->tenant : (char *)(uintptr_t) "";
	echo->verdict.key = &echo->key;
	echo->verdict.valid = true;
	echo->verdict.code = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	echo->outcome.verdict = &echo->verdict;
}

void peer_batch(struct peer *peer, const struct lk_request_envelope *request, size_t n, size_t odd,
	Latchkey__V1__VerifyOutcome *outcome)
{
	Latchkey__V1__VerifyBatchRequest *batch = latchkey__v1__verify_batch_request__unpack(
		NULL, request->payload.len, request->payload.data);
	Latchkey__V1__VerifyBatchResponse response = LATCHKEY__V1__VERIFY_BATCH_RESPONSE__INIT;
	struct echo *echoes = calloc(BATCH_MAX, sizeof(*echoes));
	Latchkey__V1__VerifyOutcome *list[BATCH_MAX];

	if (!batch || !echoes || batch->n_items > BATCH_MAX) {
		abort();
	}
	for (size_t i = 0; i < n && i < batch->n_items; i++) {
		const Latchkey__V1__VerifyBatchItem *item = batch->items[i];
		echo_make(
			&echoes[i], item->token.data, item->token.len, item->options ? item->options : batch->options);
		list[i] = outcome && i == odd ? outcome : &echoes[i].outcome;
		response.n_outcomes = i + 1;
	}
	response.outcomes = list;
	peer_outcomes(peer, &response);
	free(echoes);
	latchkey__v1__verify_batch_request__free_unpacked(batch, NULL);
}

static void single_echo(struct peer *peer, const struct lk_request_envelope *envelope)
{
	Latchkey__V1__VerifyKeyRequest *request = latchkey__v1__verify_key_request__unpack(
		NULL, envelope->payload.len, envelope->payload.data);
	struct echo echo;

	if (!request) {
		return;
	}
	echo_make(&echo, (const uint8_t *)request->token, strlen(request->token), request);
	peer_message(peer, &echo.verdict.base);
	latchkey__v1__verify_key_request__free_unpacked(request, NULL);
}

void script_echo_all(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)index;
	if (is_batch(request)) {
		peer_batch(peer, request, SIZE_MAX, 0, NULL);
	} else {
		single_echo(peer, request);
	}
}

void script_gated(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	if (index == 0) {
		sem_wait(&stage->gate);
	}
	script_echo_all(peer, index, request);
}

Latchkey__V1__VerifyBatchRequest *peer_batch_request(struct peer *peer, unsigned index)
{
	struct lk_request_envelope request = peer_request(peer, index);

	assert_true(is_batch(&request));
	Latchkey__V1__VerifyBatchRequest *batch = latchkey__v1__verify_batch_request__unpack(
		NULL, request.payload.len, request.payload.data);
	assert_non_null(batch);
	return batch;
}

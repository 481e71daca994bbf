/* VerifyBatch over a real socket: batches, and bytes that are none, from one peer; the daemon answers each, and serves the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <latchkey/latchkey.h>

#include "client/envelope.h"
#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/place.h"
#include "tests/lib/sp_raw.h"

#define ITEMS   20
#define ROUNDS  3000
#define UNKNOWN "sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw"

struct world {
	struct daemon daemon;
	struct lk_channel *channel;
	char *token;
	/* A good request's envelope, its payload from `head_len` on. */
	uint8_t request[8192];
	size_t request_len;
	size_t head_len;
	/* xorshift64: the same bytes each time. */
	uint64_t random;
};

static uint64_t next_random(struct world *world)
{
	world->random ^= world->random << 13;
	world->random ^= world->random >> 7;
	world->random ^= world->random << 17;
	return world->random;
}

static void make_key(struct world *world)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *response = NULL;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	CHECK(latchkey_v1_key_create(world->channel, &request, &response, NULL) == LK_OK);
	world->token = strdup(response->token);
	CHECK(world->token != NULL);
	latchkey__v1__create_key_response__free_unpacked(response, NULL);
}

/* Items of every shape, packed as one request. */
static void make_request(struct world *world)
{
	Latchkey__V1__VerifyBatchRequest request = LATCHKEY__V1__VERIFY_BATCH_REQUEST__INIT;
	Latchkey__V1__VerifyKeyRequest options = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__RateCharge charge = LATCHKEY__V1__RATE_CHARGE__INIT;
	Latchkey__V1__RateCharge *charges[] = {&charge};
	Latchkey__V1__VerifyBatchItem items[ITEMS];
	Latchkey__V1__VerifyBatchItem *list[ITEMS];

	charge.name = TEXT("day");
	options.rate_charges = charges;
	options.n_rate_charges = 1;
	options.permission_expression = TEXT("agents:install OR chat:read");
	options.client_ip = TEXT("192.0.2.1");
	options.keyspace = TEXT("prod");
	options.explain = true;
	request.options = &options;
	for (size_t i = 0; i < ITEMS; i++) {
		char *token = i % 2 == 0 ? world->token : TEXT(UNKNOWN);
		latchkey__v1__verify_batch_item__init(&items[i]);
		items[i].token = (ProtobufCBinaryData){.len = strlen(token), .data = (uint8_t *)token};
		items[i].options = i % 3 == 0 ? &options : NULL;
		list[i] = &items[i];
	}
	request.items = list;
	request.n_items = ITEMS;
	const char *name = latchkey_v1_key_verify_batch_method.name;
	struct lk_request_envelope envelope = {
		.method = {(const uint8_t *)name, strlen(name)},
		.timeout_ms = 60000,
		.payload = {.len = latchkey__v1__verify_batch_request__get_packed_size(&request)},
	};
	world->head_len = lk_envelope_request_size(&envelope);
	world->request_len = world->head_len + envelope.payload.len;
	CHECK(world->request_len <= sizeof world->request);
	(void)lk_envelope_request_pack(&envelope, world->request);
	(void)latchkey__v1__verify_batch_request__pack(&request, world->request + world->head_len);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	*state = world;
	if (world == NULL) {
		return -1;
	}
	daemon_start(&world->daemon);
	const char *url = world->daemon.url;
	CHECK(lk_channel_open(&(struct lk_channel_options){.urls = &url, .n_urls = 1}, &world->channel) == LK_OK);
	place_make(world->channel);
	make_key(world);
	make_request(world);
	world->random = 0x9e3779b97f4a7c15;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	lk_channel_close(world->channel);
	daemon_stop(&world->daemon);
	daemon_remove(&world->daemon);
	free(world->token);
	free(world);
	return 0;
}

/* A batch of a thousand by the client's own calls, asked on until all are answered. */
static void test_batch_of_a_thousand_is_answered(void **state)
{
	struct world *world = *state;
	Latchkey__V1__VerifyBatchRequest request = LATCHKEY__V1__VERIFY_BATCH_REQUEST__INIT;
	static Latchkey__V1__VerifyBatchItem items[1000];
	static Latchkey__V1__VerifyBatchItem *list[1000];
	size_t done = 0;

	for (size_t i = 0; i < 1000; i++) {
		char *token = i % 2 == 0 ? world->token : TEXT(UNKNOWN);
		latchkey__v1__verify_batch_item__init(&items[i]);
		items[i].token = (ProtobufCBinaryData){.len = strlen(token), .data = (uint8_t *)token};
		list[i] = &items[i];
	}
	while (done < 1000) {
		Latchkey__V1__VerifyBatchResponse *response = NULL;
		request.items = list + done;
		request.n_items = 1000 - done;
		assert_int_equal(latchkey_v1_key_verify_batch(world->channel, &request, &response, NULL), LK_OK);
		assert_in_range(response->n_outcomes, 1, 1000 - done);
		for (size_t i = 0; i < response->n_outcomes; i++, done++) {
			assert_int_equal(response->outcomes[i]->code, 0);
			assert_int_equal(response->outcomes[i]->verdict->valid, done % 2 == 0);
		}
		latchkey__v1__verify_batch_response__free_unpacked(response, NULL);
	}
}

/* Spoils some bytes of the payload, cuts some out, or puts some twice; returns how long the message then is. */
static size_t spoil(struct world *world, uint8_t *bytes)
{
	size_t len = world->request_len;

	memcpy(bytes, world->request, len);
	for (uint64_t i = next_random(world) % 4; i != UINT64_MAX; i--) {
		size_t at = world->head_len + next_random(world) % (len - world->head_len);
		size_t count = next_random(world) % (len - at);
		switch (next_random(world) % 4) {
		case 0:
			bytes[at] = (uint8_t)next_random(world);
			break;
		case 1:
			bytes[at] ^= (uint8_t)(1u << next_random(world) % 8);
			break;
		case 2:
			memmove(bytes + at, bytes + at + count, len - at - count);
			len -= count;
			break;
		default:
			memmove(bytes + at, bytes + world->head_len, count < at - world->head_len ? count : 0);
			break;
		}
		if (len <= world->head_len + 1) {
			break;
		}
	}
	return len;
}

static void ask_raw(struct sp_raw raw, uint32_t id, const uint8_t *bytes, size_t len, uint32_t *ret_code)
{
	static uint8_t reply[LK_REPLY_MAX];
	struct lk_response_envelope envelope = {0};
	uint32_t answered = 0;

	assert_true(sp_raw_send(raw, id, bytes, len));
	ssize_t reply_len = sp_raw_receive(raw, &answered, reply, sizeof reply);
	assert_true(reply_len > 0);
	assert_int_equal(answered, id);
	assert_int_equal(lk_envelope_scan_response(reply, (size_t)reply_len, &envelope), LK_OK);
	*ret_code = envelope.code;
	if (envelope.code == 0) {
		Latchkey__V1__VerifyBatchResponse *response = latchkey__v1__verify_batch_response__unpack(
			NULL, envelope.payload.len, envelope.payload.data);
		assert_non_null(response);
		assert_true(response->n_outcomes > 0);
		for (size_t i = 0; i < response->n_outcomes; i++) {
			const Latchkey__V1__VerifyOutcome *outcome = response->outcomes[i];
			assert_int_equal(outcome->verdict != NULL, outcome->code == 0);
		}
		latchkey__v1__verify_batch_response__free_unpacked(response, NULL);
	}
}

/* Whatever comes is answered as a batch or refused as none, on the same connection, and the next good one is served. */
static void test_batch_of_hostile_bytes_is_answered(void **state)
{
	struct world *world = *state;
	uint8_t bytes[sizeof world->request];
	struct sp_raw raw = sp_raw_open(world->daemon.url);
	size_t good = 0;
	size_t refused = 0;
	uint32_t code = 0;

	assert_true(raw.fd >= 0);
	for (uint32_t i = 0; i < ROUNDS; i++) {
		size_t len = spoil(world, bytes);
		ask_raw(raw, i + 1, bytes, len, &code);
		if (code != 0) {
			assert_int_equal(code, lk_err_wire_code(LK_INVALID_ARGUMENT));
		}
		good += code == 0;
		refused += code != 0;
	}
	/* Tokens may be any bytes, and what was spoilt elsewhere shows. */
	assert_true(good > ROUNDS / 100);
	assert_true(refused > ROUNDS / 100);
	ask_raw(raw, ROUNDS + 1, world->request, world->request_len, &code);
	assert_int_equal(code, 0);
	sp_raw_close(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_batch_of_a_thousand_is_answered, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_batch_of_hostile_bytes_is_answered, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("verify batch", tests, NULL, NULL);
}

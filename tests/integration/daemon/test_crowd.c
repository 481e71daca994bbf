/* A crowd of changes that wait for the disk: reads are answered, and what ends a key still finds a place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lmdb.h>

#include <latchkey/latchkey.h>

#include "client/envelope.h"
#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/place.h"
#include "tests/lib/sp_raw.h"

/* Of 66 exchanges 2 are never parked, and of the other 64 a sixteenth is for what is urgent. */
#define LIMITS   "[limits]\nexchanges_max = 66\nexchanges_reserved = 2\n"
#define ORDINARY 60u
#define URGENT   4u

struct world {
	struct daemon daemon;
	char config[96];
	char *keys[URGENT + 1];
	/* Another process at the daemon's data: as long as it holds the write transaction, nothing is written. */
	MDB_env *env;
	MDB_txn *held;
};

static void make_keys(struct world *world)
{
	const char *url = world->daemon.url;
	const struct lk_channel_options options = {.urls = &url, .n_urls = 1};
	struct lk_channel *channel = NULL;

	CHECK(lk_channel_open(&options, &channel) == LK_OK);
	place_make(channel);
	for (size_t i = 0; i < URGENT + 1; i++) {
		Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
		Latchkey__V1__CreateKeyResponse *response = NULL;
		request.tenant = TEXT("acme");
		request.keyspace = TEXT("prod");
		CHECK(latchkey_v1_key_create(channel, &request, &response, NULL) == LK_OK);
		world->keys[i] = strdup(response->key->id);
		latchkey__v1__create_key_response__free_unpacked(response, NULL);
	}
	lk_channel_close(channel);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);
	const char *const arguments[] = {"--config", world == NULL ? "" : world->config, NULL};

	*state = world;
	if (world == NULL) {
		return -1;
	}
	daemon_start(&world->daemon);
	make_keys(world);
	/* Also so that nothing of those calls has a place any more. */
	daemon_stop(&world->daemon);
	(void)snprintf(world->config, sizeof world->config, "%s/config", world->daemon.root);
	FILE *file = fopen(world->config, "w");
	CHECK(file != NULL && fputs(LIMITS, file) >= 0 && fclose(file) == 0);
	daemon_restart(&world->daemon, arguments);
	CHECK(mdb_env_create(&world->env) == 0 && mdb_env_set_maxreaders(world->env, 4096) == 0);
	CHECK(mdb_env_open(world->env, world->daemon.data, MDB_NOTLS, 0640) == 0);
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	/* Where the test failed half-way: the daemon could not stop. */
	if (world->held != NULL) {
		mdb_txn_abort(world->held);
	}
	mdb_env_close(world->env);
	daemon_remove(&world->daemon);
	for (size_t i = 0; i < URGENT + 1; i++) {
		free(world->keys[i]);
	}
	free(world);
	return 0;
}

static void send_call(
	struct sp_raw raw, uint32_t number, const struct lk_method *method, const ProtobufCMessage *request)
{
	struct lk_request_envelope envelope = {
		.method = {(const uint8_t *)method->name, strlen(method->name)},
		.timeout_ms = 60000,
		.payload = {.len = protobuf_c_message_get_packed_size(request)},
	};
	uint8_t bytes[1024];
	size_t head_len = lk_envelope_request_size(&envelope);

	CHECK(head_len + envelope.payload.len <= sizeof bytes);
	(void)lk_envelope_request_pack(&envelope, bytes);
	(void)protobuf_c_message_pack(request, bytes + head_len);
	CHECK(sp_raw_send(raw, number, bytes, head_len + envelope.payload.len));
}

static void send_create(struct sp_raw raw, uint32_t number)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	send_call(raw, number, &latchkey_v1_key_create_method, &request.base);
}

static void send_revoke(struct sp_raw raw, uint32_t number, char *key)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = key;
	send_call(raw, number, &latchkey_v1_key_revoke_method, &request.base);
}

static void send_read(struct sp_raw raw, uint32_t number)
{
	Latchkey__V1__GetTenantRequest request = LATCHKEY__V1__GET_TENANT_REQUEST__INIT;

	request.tenant = TEXT("acme");
	send_call(raw, number, &latchkey_v1_tenant_get_method, &request.base);
}

/* The next answer on the connection: which call's, and its code. */
static uint32_t receive(struct sp_raw raw, uint32_t *ret_number)
{
	struct lk_response_envelope response = {0};
	uint8_t bytes[8192];
	ssize_t len = sp_raw_receive(raw, ret_number, bytes, sizeof bytes);

	CHECK(len >= 0 && lk_envelope_scan_response(bytes, (size_t)len, &response) == LK_OK);
	return response.code;
}

static void assert_next(struct sp_raw raw, uint32_t number, uint32_t code)
{
	uint32_t answered = 0;

	assert_int_equal(receive(raw, &answered), code);
	assert_int_equal(answered, number);
}

static void test_crowd_of_changes_leaves_room_for_revocations(void **state)
{
	struct world *world = *state;
	struct sp_raw raw = sp_raw_open(world->daemon.url);
	uint32_t number = 0;

	assert_int_equal(mdb_txn_begin(world->env, NULL, 0, &world->held), 0);
	/* Calls of one connection are taken in their order: whatever is not answered by then has a place. */
	for (; number < ORDINARY; number++) {
		send_create(raw, number);
	}
	send_create(raw, 1000);
	assert_next(raw, 1000, LK_RESOURCE_EXHAUSTED);
	for (uint32_t i = 0; i < URGENT; i++) {
		send_revoke(raw, number++, world->keys[i]);
	}
	send_read(raw, 1001);
	assert_next(raw, 1001, LK_OK);
	/* That was the last of its places; there is an end to them, too. */
	send_revoke(raw, 1002, world->keys[URGENT]);
	assert_next(raw, 1002, LK_RESOURCE_EXHAUSTED);
	send_read(raw, 1003);
	assert_next(raw, 1003, LK_OK);
	mdb_txn_abort(world->held);
	world->held = NULL;
	for (uint32_t i = 0; i < number; i++) {
		uint32_t answered = 0;
		assert_int_equal(receive(raw, &answered), LK_OK);
		assert_true(answered < number);
	}
	sp_raw_close(raw);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_crowd_of_changes_leaves_room_for_revocations, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("a crowd of changes", tests, NULL, NULL);
}

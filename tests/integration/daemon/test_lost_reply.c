/* Changes whose reply is lost on the way: the client asks again, gets the very same answer, and everything has happened once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <latchkey/latchkey.h>
#include <latchkey/v1/audit.client.h>

#include "client/envelope.h"
#include "client/uuid7.h"
#include "tests/integration/daemon/changes.h"
#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/place.h"
#include "tests/lib/proxy.h"

/* No measure of how fast it should be. */
#define PATIENCE_MS 60000

struct world {
	struct daemon daemon;
	struct proxy proxy;
	/* By the proxy, and straight to the daemon. */
	struct lk_channel *lossy;
	struct lk_channel *direct;
	unsigned cases;
};

static struct lk_channel *open_channel(const char *url)
{
	const struct lk_channel_options options = {.urls = &url, .n_urls = 1};
	struct lk_channel *channel = NULL;

	CHECK(lk_channel_open(&options, &channel) == LK_OK);
	return channel;
}

static void send_straight(struct world *world, const struct lk_method *method, const ProtobufCMessage *request)
{
	struct lk_call call = {.timeout_ms = PATIENCE_MS};
	ProtobufCMessage *response = NULL;

	enum lk_err err = lk_channel_call(world->direct, method, request, &response, &call);
	CHECK_MSG(err == LK_OK, call.message);
	protobuf_c_message_free_unpacked(response, NULL);
	lk_call_done(&call);
}

static void make_key(struct world *world, struct place *place, size_t i)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *response = NULL;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT(place->keyspace);
	CHECK(latchkey_v1_key_create(world->direct, &request, &response, NULL) == LK_OK);
	place->keys[i] = strdup(response->key->id);
	place->tokens[i] = strdup(response->token);
	latchkey__v1__create_key_response__free_unpacked(response, NULL);
}

static void make_place(struct world *world, struct place *place)
{
	struct place ids = {0};

	world->cases++;
	(void)snprintf(ids.new_id, sizeof ids.new_id, "s%u", world->cases);
	send_straight(world, &latchkey_v1_keyspace_create_method, change_create_keyspace(&ids, false));
	(void)snprintf(place->keyspace, sizeof place->keyspace, "%s", ids.new_id);
	(void)snprintf(ids.new_id, sizeof ids.new_id, "t%u", world->cases);
	send_straight(world, &latchkey_v1_tenant_create_method, change_create_tenant(&ids, false));
	(void)snprintf(place->tenant, sizeof place->tenant, "%s", ids.new_id);
	(void)snprintf(place->new_id, sizeof place->new_id, "n%u", world->cases);
	make_key(world, place, 0);
	make_key(world, place, 1);
}

static void place_done(struct place *place)
{
	for (size_t i = 0; i < 2; i++) {
		free(place->keys[i]);
		free(place->tokens[i]);
	}
}

/* How many audit records there are of calls of a method. */
static int count_records(struct world *world, const char *method)
{
	Latchkey__V1__ListAuditRecordsRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	Latchkey__V1__ListAuditRecordsResponse *response = NULL;
	struct lk_call call = {.timeout_ms = PATIENCE_MS};

	request.action = TEXT(method);
	request.page_size = 1000;
	CHECK(latchkey_v1_audit_list(world->direct, &request, &response, &call) == LK_OK);
	CHECK(response->next_page_token[0] == '\0');
	int count = (int)response->n_records;
	latchkey__v1__list_audit_records_response__free_unpacked(response, NULL);
	lk_call_done(&call);
	return count;
}

static int count_keys(struct world *world)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	Latchkey__V1__ListKeysResponse *response = NULL;

	request.tenant = TEXT("acme");
	request.page_size = 1000;
	CHECK(latchkey_v1_key_list(world->direct, &request, &response, NULL) == LK_OK);
	CHECK(response->next_page_token[0] == '\0');
	int count = (int)response->n_keys;
	latchkey__v1__list_keys_response__free_unpacked(response, NULL);
	return count;
}

/* An answer as it came. */
struct answer {
	enum lk_err err;
	uint8_t *payload;
	size_t len;
	uint64_t revision;
	uint32_t attempts;
	char text[1024];
};

static struct answer ask(
	struct lk_channel *channel, const struct lk_method *method, const ProtobufCMessage *request, const uint8_t *id)
{
	struct lk_call call = {.timeout_ms = PATIENCE_MS, .request_id = id};
	struct answer answer = {0};
	size_t len = protobuf_c_message_get_packed_size(request);
	uint8_t *packed = malloc(len + 1);

	CHECK(packed != NULL);
	(void)protobuf_c_message_pack(request, packed);
	answer.err = lk_channel_call_raw(
		channel, method->name, method->effect, packed, len, &answer.payload, &answer.len, &call);
	answer.revision = call.revision;
	answer.attempts = call.attempts;
	(void)snprintf(answer.text, sizeof answer.text, "%s\n%s",
		call.n_violations == 0 ? "" : call.violations[0].field, call.message == NULL ? "" : call.message);
	free(packed);
	lk_call_done(&call);
	return answer;
}

static void assert_same(const struct answer *answer, const uint8_t *payload, size_t len, uint64_t revision)
{
	assert_int_equal(answer->err, LK_OK);
	assert_int_equal(answer->len, len);
	if (len > 0) {
		assert_memory_equal(answer->payload, payload, len);
	}
	assert_int_equal(answer->revision, revision);
}

/* The answer that was lost is the one that came in the end. */
static void assert_is_what_was_lost(struct world *world, const struct answer *answer)
{
	struct lk_response_envelope response = {0};
	size_t len = 0;
	uint8_t *lost = proxy_lost_reply(&world->proxy, &len);

	assert_non_null(lost);
	assert_int_equal(lk_envelope_scan_response(lost, len, &response), LK_OK);
	assert_int_equal(response.code, LK_OK);
	assert_same(answer, response.payload.data, response.payload.len, response.revision);
	free(lost);
}

/* The token in the answer verifies; where it was minted again, it would be another's that does. */
static void assert_token_is_good(struct world *world, const struct answer *answer, const struct lk_method *method)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *verdict = NULL;
	ProtobufCMessage *response = protobuf_c_message_unpack(method->response, NULL, answer->len, answer->payload);

	assert_non_null(response);
	request.token = method == &latchkey_v1_key_create_method
				? ((Latchkey__V1__CreateKeyResponse *)(void *)response)->token
				: ((Latchkey__V1__RotateKeyResponse *)(void *)response)->token;
	CHECK(latchkey_v1_key_verify(world->direct, &request, &verdict, NULL) == LK_OK);
	assert_true(verdict->valid);
	latchkey__v1__verify_key_response__free_unpacked(verdict, NULL);
	protobuf_c_message_free_unpacked(response, NULL);
}

static void assert_refused(struct world *world, const struct change *change, const ProtobufCMessage *request,
	const uint8_t *id, const char *said)
{
	struct answer answer = ask(world->direct, change->method, request, id);

	assert_int_equal(answer.err, LK_INVALID_ARGUMENT);
	assert_int_equal(strncmp(answer.text, "request_id\n", strlen("request_id\n")), 0);
	assert_non_null(strstr(answer.text, said));
}

static uint64_t now_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

/* Two replies in a row are lost; the third attempt gets the answer of the first. */
static void run_change(struct world *world, const struct change *change)
{
	struct place place = {0};
	uint8_t id[LK_UUID7_LEN];
	uint8_t late[LK_UUID7_LEN];

	make_place(world, &place);
	if (change->first != NULL) {
		send_straight(world, change->first_method, change->first(&place, false));
	}
	int records = count_records(world, change->method->name) + change->records;
	int keys = count_keys(world) + change->keys;
	lk_uuid7_make(now_ms(), id);
	lk_uuid7_make(now_ms() - 700000, late);
	proxy_lose(&world->proxy, 2);
	struct answer answer = ask(world->lossy, change->method, change->make(&place, false), id);
	if (answer.err != LK_OK) {
		print_message("%s: %s\n", change->method->name, answer.text);
	}
	assert_int_equal(answer.err, LK_OK);
	assert_int_equal(answer.attempts, 3);
	assert_int_equal(proxy_lost(&world->proxy), 2);
	assert_is_what_was_lost(world, &answer);
	assert_int_equal(count_records(world, change->method->name), records);
	assert_int_equal(count_keys(world), keys);
	/* The same by a daemon that has forgotten everything but what is on the disk. */
	daemon_kill(&world->daemon);
	daemon_restart(&world->daemon, NULL);
	struct answer again = ask(world->lossy, change->method, change->make(&place, false), id);
	assert_same(&again, answer.payload, answer.len, answer.revision);
	assert_refused(world, change, change->make(&place, true), id, "another request");
	assert_refused(world, change, change->make(&place, false), late, "clock skew");
	assert_int_equal(count_records(world, change->method->name), records);
	assert_int_equal(count_keys(world), keys);
	if (change->mints) {
		assert_token_is_good(world, &again, change->method);
	}
	free(answer.payload);
	free(again.payload);
	place_done(&place);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	*state = world;
	if (world == NULL) {
		return -1;
	}
	daemon_start(&world->daemon);
	proxy_start(&world->proxy, world->daemon.url);
	world->lossy = open_channel(world->proxy.url);
	world->direct = open_channel(world->daemon.url);
	place_make(world->direct);
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	lk_channel_close(world->lossy);
	lk_channel_close(world->direct);
	proxy_stop(&world->proxy);
	daemon_remove(&world->daemon);
	free(world);
	return 0;
}

/* After as many kills as there were changes, every audit record is as it was written. */
static void assert_chain_is_whole(struct world *world)
{
	Latchkey__V1__VerifyAuditChainRequest request = LATCHKEY__V1__VERIFY_AUDIT_CHAIN_REQUEST__INIT;
	Latchkey__V1__VerifyAuditChainResponse *response = NULL;

	CHECK(latchkey_v1_audit_verify_chain(world->direct, &request, &response, NULL) == LK_OK);
	assert_int_equal(response->broken_number, 0);
	assert_int_equal(response->verified_number, response->head_number);
	assert_true(response->head_number > n_changes);
	latchkey__v1__verify_audit_chain_response__free_unpacked(response, NULL);
}

static void test_lost_reply_of_each_change_comes_again(void **state)
{
	for (size_t i = 0; i < n_changes; i++) {
		run_change(*state, &changes[i]);
	}
	assert_chain_is_whole(*state);
}

/* What did nothing the first time does nothing when it is asked for again, though it could now. */
static void test_lost_reply_of_what_did_nothing_does_nothing_later(void **state)
{
	struct world *world = *state;
	struct place place = {0};
	uint8_t id[LK_UUID7_LEN];

	make_place(world, &place);
	lk_uuid7_make(now_ms(), id);
	struct answer first = ask(
		world->direct, &latchkey_v1_key_activate_method, change_activate_key(&place, false), id);
	assert_int_equal(first.err, LK_OK);
	send_straight(world, &latchkey_v1_key_suspend_method, change_suspend_key(&place, false));
	int records = count_records(world, "keys.activate");
	struct answer again = ask(
		world->direct, &latchkey_v1_key_activate_method, change_activate_key(&place, false), id);
	assert_same(&again, first.payload, first.len, first.revision);
	assert_int_equal(count_records(world, "keys.activate"), records);
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *verdict = NULL;
	request.token = place.tokens[0];
	CHECK(latchkey_v1_key_verify(world->direct, &request, &verdict, NULL) == LK_OK);
	assert_int_equal(verdict->code, LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_SUSPENDED);
	latchkey__v1__verify_key_response__free_unpacked(verdict, NULL);
	free(first.payload);
	free(again.payload);
	place_done(&place);
}

/* A call whose caller names no id gets one from the client, which is what its retry is safe by. */
static void test_lost_reply_of_a_call_without_an_id_comes_again(void **state)
{
	struct world *world = *state;
	struct place place = {0};

	make_place(world, &place);
	int keys = count_keys(world);
	proxy_lose(&world->proxy, 1);
	struct answer answer = ask(
		world->lossy, &latchkey_v1_key_create_method, change_create_key(&place, false), NULL);
	assert_int_equal(answer.err, LK_OK);
	assert_int_equal(answer.attempts, 2);
	assert_is_what_was_lost(world, &answer);
	assert_int_equal(count_keys(world), keys + 1);
	free(answer.payload);
	place_done(&place);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_lost_reply_of_each_change_comes_again),
		TEST(test_lost_reply_of_what_did_nothing_does_nothing_later),
		TEST(test_lost_reply_of_a_call_without_an_id_comes_again),
	};

	return cmocka_run_group_tests_name("lost replies", tests, NULL, NULL);
}

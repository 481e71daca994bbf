#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

#define METHOD(method_name, method_effect, large)                                                                      \
	{                                                                                                              \
		.name = "latchkey.v1.KeyService/" method_name, .access = "keys.test",                                  \
		.request = &latchkey__v1__verify_key_request__descriptor,                                              \
		.response = &latchkey__v1__verify_key_response__descriptor, .effect = (method_effect),                 \
		.large_request = (large)                                                                               \
	}

const struct lk_method method_verify = METHOD("Verify", LK_EFFECT_READ, false);
const struct lk_method method_create = METHOD("Create", LK_EFFECT_WRITE, false);
const struct lk_method method_scan = METHOD("List", LK_EFFECT_SCAN, false);
const struct lk_method method_large = METHOD("Import", LK_EFFECT_WRITE, true);

int fixture_setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	if (!fixture) {
		return -1;
	}
	address_make(&fixture->address);
	*state = fixture;
	return 0;
}

int fixture_teardown(void **state)
{
	struct fixture *fixture = *state;

	lk_channel_close(fixture->channel);
	if (fixture->peer_runs) {
		peer_stop(&fixture->peer);
	}
	address_remove(&fixture->address);
	free(fixture);
	return 0;
}

void fixture_start_peer(struct fixture *fixture, peer_script script)
{
	peer_start(&fixture->peer, fixture->address.url, script);
	fixture->peer_runs = true;
}

void fixture_open_channel(struct fixture *fixture, unsigned connections, const char *credential)
{
	const struct lk_channel_options options = {
		.urls = (const char *[]){fixture->address.url},
		.n_urls = 1,
		.connections = connections,
		.credential = credential,
	};

	assert_int_equal(lk_channel_open(&options, &fixture->channel), LK_OK);
}

struct fixture *fixture_run(void **state, peer_script script)
{
	struct fixture *fixture = *state;

	fixture_start_peer(fixture, script);
	fixture_open_channel(fixture, 1, NULL);
	return fixture;
}

enum lk_err call_text(struct fixture *fixture, const struct lk_method *method, const char *text, struct lk_call *call)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	ProtobufCMessage *response = NULL;

	request.token = (char *)(uintptr_t)text;
	enum lk_err err = lk_channel_call(fixture->channel, method, &request.base, &response, call);
	if (response) {
		protobuf_c_message_free_unpacked(response, NULL);
	}
	return err;
}

static void reply_with(struct peer *peer, const Latchkey__V1__VerifyKeyResponse *verdict)
{
	struct lk_response_envelope response = {.revision = 7};
	uint8_t *payload = malloc(latchkey__v1__verify_key_response__get_packed_size(verdict) + 1);

	response.payload.data = payload;
	response.payload.len = latchkey__v1__verify_key_response__pack(verdict, payload);
	peer_reply(peer, &response);
	free(payload);
}

void peer_verdict(struct peer *peer, bool valid, int code)
{
	Latchkey__V1__VerifyKeyResponse verdict = LATCHKEY__V1__VERIFY_KEY_RESPONSE__INIT;

	verdict.valid = valid;
	verdict.code = (Latchkey__V1__VerifyCode)code;
	reply_with(peer, &verdict);
}

void peer_echo(struct peer *peer, const struct lk_request_envelope *envelope)
{
	Latchkey__V1__VerifyKeyRequest *request = latchkey__v1__verify_key_request__unpack(
		NULL, envelope->payload.len, envelope->payload.data);
	Latchkey__V1__VerifyKeyResponse verdict = LATCHKEY__V1__VERIFY_KEY_RESPONSE__INIT;
	Latchkey__V1__KeyIdentity key = LATCHKEY__V1__KEY_IDENTITY__INIT;

	if (!request) {
		return;
	}
	key.name = request->token;
	verdict.key = &key;
	verdict.valid = true;
	verdict.code = LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	reply_with(peer, &verdict);
	latchkey__v1__verify_key_request__free_unpacked(request, NULL);
}

void script_echo(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)index;
	peer_echo(peer, request);
}

void script_silent(struct peer *peer, unsigned index, const struct lk_request_envelope *request)
{
	(void)peer;
	(void)index;
	(void)request;
}

#include "tests/bench/question.h"

#include <stdlib.h>
#include <string.h>

#include "client/envelope.h"
#include "client/varint.h"
#include "tests/lib/check.h"

#define BATCH_MOST 1000

/* Fields of VerifyBatchResponse and of VerifyOutcome. */
#define FIELD_OUTCOMES 1
#define FIELD_VERDICT  15

/* Texts of messages are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

void lk_question_parse(const char *what, struct lk_question *ret_question)
{
	static const char batch[] = "batch:";

	*ret_question = (struct lk_question){
		.echo = strcmp(what, "echo") == 0,
		.gates = strcmp(what, "gates") == 0,
	};
	if (strncmp(what, batch, sizeof batch - 1) == 0) {
		ret_question->batch = lk_option_number("batch", what + sizeof batch - 1, 1);
		CHECK_MSG(ret_question->batch <= BATCH_MOST, what);
	} else {
		CHECK_MSG(ret_question->echo || ret_question->gates || strcmp(what, "verify") == 0, what);
	}
}

void lk_asker_init(struct lk_asker *asker, const struct lk_question *question, size_t number, size_t askers)
{
	size_t room = question->batch > 0 ? question->batch : 1;

	*asker = (struct lk_asker){
		.question = question,
		.cursor = lk_tokens_begin(question->tokens, number, askers),
		.items = calloc(room, sizeof *asker->items),
		.at = calloc(room, sizeof(*asker->at)),
	};
	CHECK(asker->items != NULL && asker->at != NULL);
	for (size_t i = 0; i < room; i++) {
		latchkey__v1__verify_batch_item__init(&asker->items[i]);
		asker->at[i] = &asker->items[i];
	}
}

void lk_asker_done(struct lk_asker *asker)
{
	free(asker->items);
	free((void *)asker->at);
	*asker = (struct lk_asker){0};
}

static char *next_token(struct lk_asker *asker)
{
	return TEXT(lk_tokens_next(asker->question->tokens, &asker->cursor));
}

static nng_msg *make_message(const struct lk_question *question, const char *method, const ProtobufCMessage *request)
{
	struct lk_request_envelope envelope = {
		.method = {(const uint8_t *)method, strlen(method)},
		.timeout_ms = 5000,
		.payload = {.len = protobuf_c_message_get_packed_size(request)},
	};
	if (question->credential != NULL) {
		envelope.credential = (struct lk_span){
			(const uint8_t *)question->credential, strlen(question->credential)};
	}
	size_t head_len = lk_envelope_request_size(&envelope);
	nng_msg *message = NULL;

	CHECK(nng_msg_alloc(&message, head_len + envelope.payload.len) == 0);
	uint8_t *body = nng_msg_body(message);
	(void)lk_envelope_request_pack(&envelope, body);
	(void)protobuf_c_message_pack(request, body + head_len);
	return message;
}

static nng_msg *make_batch(struct lk_asker *asker)
{
	Latchkey__V1__VerifyBatchRequest request = LATCHKEY__V1__VERIFY_BATCH_REQUEST__INIT;

	for (size_t i = 0; i < asker->question->batch; i++) {
		char *token = next_token(asker);
		asker->items[i].token = (ProtobufCBinaryData){strlen(token), (uint8_t *)token};
	}
	request.items = asker->at;
	request.n_items = asker->question->batch;
	return make_message(asker->question, "latchkey.v1.KeyService/VerifyBatch", &request.base);
}

nng_msg *lk_asker_request(struct lk_asker *asker)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	if (asker->question->batch > 0) {
		return make_batch(asker);
	}
	request.token = next_token(asker);
	if (asker->question->gates) {
		request.permission_expression = TEXT("agents:install AND (chat:history OR chat:chat)");
		request.client_ip = TEXT("10.1.2.3");
	}
	return make_message(asker->question, "latchkey.v1.KeyService/Verify", &request.base);
}

/* A VALID verdict begins with valid = true and code = 1. */
static bool is_valid(const uint8_t *verdict, size_t len)
{
	return len > 4 && memcmp(verdict, "\x08\1\x10\1", 4) == 0;
}

static size_t count_valid(const struct lk_span *payload)
{
	const uint8_t *at = payload->data;
	const uint8_t *end = payload->data + payload->len;
	const uint8_t *outcome = NULL;
	const uint8_t *verdict = NULL;
	size_t outcome_len = 0;
	size_t verdict_len = 0;
	uint32_t field = 0;
	enum lk_wire_type type = LK_WIRE_VARINT;
	size_t count = 0;

	while (at < end) {
		CHECK(lk_varint_get_tag(&at, end, &field, &type) && field == FIELD_OUTCOMES);
		CHECK(lk_varint_get_bytes(&at, end, &outcome, &outcome_len));
		CHECK(lk_varint_find_bytes(outcome, outcome_len, FIELD_VERDICT, &verdict, &verdict_len));
		CHECK(is_valid(verdict, verdict_len));
		count++;
	}
	return count;
}

size_t lk_asker_check(const struct lk_asker *asker, nng_msg *reply)
{
	struct lk_response_envelope envelope = {0};
	size_t count = 1;

	if (asker->question->echo) {
		return count;
	}
	CHECK(lk_envelope_scan_response(nng_msg_body(reply), nng_msg_len(reply), &envelope) == LK_OK);
	CHECK(envelope.code == 0);
	if (asker->question->batch > 0) {
		count = count_valid(&envelope.payload);
		CHECK(count > 0 && count <= asker->question->batch);
	} else {
		CHECK(is_valid(envelope.payload.data, envelope.payload.len));
	}
	return count;
}

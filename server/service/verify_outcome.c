#include "server/service/verify_outcome.h"

#include <string.h>

#include <latchkey/method.h>

#include "client/envelope.h"
#include "client/varint.h"
#include "server/service/verify_reply.h"

/* The field of VerifyBatchResponse, and that of VerifyOutcome which holds the verdict: their tags are one byte each. */
#define TAG_OUTCOMES 1
#define TAG_VERDICT  15

/* What the reply has beside the outcomes: its revision, and the payload's tag and length. */
#define ENVELOPE_MAX 32
#define OUTCOMES_MAX (LK_REPLY_MAX - ENVELOPE_MAX)
/* Two tags, and two lengths: below 2^21, and most often from 2^7 to 2^14. */
#define HEAD_MAX     8
#define HEAD_TYPICAL 6
/* Beside the identity. */
#define VERDICT_MAX (HEAD_MAX + LK_VERIFY_PACKED_BESIDES)
/* The outcome of an ordinary key, and what the last one wants for a larger one. */
#define TYPICAL_LEN 160
#define SPARE_LEN   ((size_t)4 << 10)

/* Makes room for so many bytes in all; false where that is more than a reply has, or there is no memory. */
static bool resize(struct lk_outcomes *outcomes, size_t size)
{
	bool exhausted = outcomes->arena->exhausted;

	if (size > OUTCOMES_MAX) {
		return false;
	}
	uint8_t *data = lk_arena_alloc(outcomes->arena, size);
	if (data == NULL) {
		/* The outcomes so far are whole, and must be told: what they took is taken. */
		outcomes->arena->exhausted = exhausted;
		return false;
	}
	if (outcomes->len > 0) {
		memcpy(data, outcomes->data, outcomes->len);
	}
	outcomes->data = data;
	outcomes->size = size;
	return true;
}

bool lk_outcomes_init(struct lk_outcomes *outcomes, struct lk_arena *arena, size_t n_items)
{
	size_t size = n_items * TYPICAL_LEN + SPARE_LEN;

	*outcomes = (struct lk_outcomes){.arena = arena, .field = lk_arena_alloc(arena, sizeof *outcomes->field)};
	return outcomes->field != NULL && resize(outcomes, size < OUTCOMES_MAX ? size : OUTCOMES_MAX);
}

size_t lk_outcomes_identity_max(const struct lk_outcomes *outcomes)
{
	size_t room = outcomes->size - outcomes->len;

	return room > VERDICT_MAX ? room - VERDICT_MAX : 0;
}

bool lk_outcomes_grow(struct lk_outcomes *outcomes)
{
	size_t size = 4 * outcomes->size;

	return outcomes->size < OUTCOMES_MAX && resize(outcomes, size < OUTCOMES_MAX ? size : OUTCOMES_MAX);
}

/* Room for `len` bytes more. */
static bool reserve(struct lk_outcomes *outcomes, size_t len)
{
	while (len > outcomes->size - outcomes->len) {
		if (!lk_outcomes_grow(outcomes)) {
			return false;
		}
	}
	return true;
}

void lk_outcomes_add_verdict(struct lk_outcomes *outcomes, const struct lk_answer *answer)
{
	uint8_t *start = outcomes->data + outcomes->len;
	size_t verdict_len = lk_verify_pack(answer, start + HEAD_TYPICAL);
	size_t outcome_len = 1 + lk_varint_size(verdict_len) + verdict_len;
	size_t head_len = 1 + lk_varint_size(outcome_len) + outcome_len - verdict_len;

	/* The lengths stand before what they are known of. */
	if (head_len != HEAD_TYPICAL) {
		memmove(start + head_len, start + HEAD_TYPICAL, verdict_len);
	}
	uint8_t *at = lk_varint_put(lk_varint_put_tag(start, TAG_OUTCOMES, LK_WIRE_BYTES), outcome_len);
	(void)lk_varint_put(lk_varint_put_tag(at, TAG_VERDICT, LK_WIRE_BYTES), verdict_len);
	outcomes->len += head_len + verdict_len;
	outcomes->count++;
}

/* An outcome is laid out as a Response is: `head`, and the payload is written behind it. NULL: no room. */
static uint8_t *add(struct lk_outcomes *outcomes, const struct lk_response_envelope *head)
{
	size_t head_len = lk_envelope_response_size(head);
	size_t len = head_len + head->payload.len;

	if (!reserve(outcomes, 1 + LK_VARINT_MAX + len)) {
		return NULL;
	}
	uint8_t *start = outcomes->data + outcomes->len;
	uint8_t *at = lk_varint_put(lk_varint_put_tag(start, TAG_OUTCOMES, LK_WIRE_BYTES), len);
	outcomes->len += (size_t)(at - start) + len;
	outcomes->count++;
	return at + lk_envelope_response_pack(head, at);
}

bool lk_outcomes_add_response(struct lk_outcomes *outcomes, const Latchkey__V1__VerifyKeyResponse *response)
{
	const struct lk_response_envelope head = {
		.payload = {.len = latchkey__v1__verify_key_response__get_packed_size(response)},
	};
	uint8_t *at = add(outcomes, &head);

	if (at != NULL) {
		(void)latchkey__v1__verify_key_response__pack(response, at);
	}
	return at != NULL;
}

bool lk_outcomes_add_error(struct lk_outcomes *outcomes, const struct lk_request *request, enum lk_err err)
{
	const char *message = request->message != NULL ? request->message : lk_err_text(err);
	struct lk_response_envelope head = {
		.code = lk_err_wire_code(err),
		.message = {(const uint8_t *)message, strlen(message)},
	};

	if (err == LK_INVALID_ARGUMENT) {
		head.violations = lk_request_violations(request);
	}
	return add(outcomes, &head) != NULL;
}

bool lk_outcomes_add_again(struct lk_outcomes *outcomes, size_t offset, size_t len)
{
	if (!reserve(outcomes, len)) {
		return false;
	}
	memcpy(outcomes->data + outcomes->len, outcomes->data + offset, len);
	outcomes->len += len;
	outcomes->count++;
	return true;
}

void lk_outcomes_put(const struct lk_outcomes *outcomes, Latchkey__V1__VerifyBatchResponse *response)
{
	/* A field that protobuf-c does not know: it writes its tag, and copies all that stands behind the first one's. */
	*outcomes->field = (ProtobufCMessageUnknownField){
		.tag = TAG_OUTCOMES,
		.wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
		.len = outcomes->len - 1,
		.data = outcomes->data + 1,
	};
	response->base.unknown_fields = outcomes->field;
	response->base.n_unknown_fields = 1;
}

#include "server/service/verify_reply.h"

#include <string.h>

#include "client/varint.h"
#include "server/core/time.h"
#include "server/service/judge_explain.h"
#include "server/service/view.h"

/* The fields of VerifyKeyResponse. */
enum {
	TAG_VALID = 1,
	TAG_CODE = 2,
	TAG_KEY = 3,
	TAG_SECRET_EXPIRE_TIME = 4,
	TAG_RATE_STATES = 5,
	TAG_CREDITS_REMAINING = 6,
};

/* The fields of RateState. */
enum {
	TAG_STATE_NAME = 1,
	TAG_STATE_SHARED = 2,
	TAG_STATE_LIMIT = 3,
	TAG_STATE_REMAINING = 4,
	TAG_STATE_RESET_TIME = 5,
	TAG_STATE_RETRY_AFTER = 6,
	TAG_STATE_REFUSED = 7,
};

/* The fields of Timestamp, and of Duration. */
enum {
	TAG_SECONDS = 1,
	TAG_NANOS = 2,
};

/* Tags of fields below 16, and lengths of messages below 128 bytes, are one byte each. */
#define FIELD_MAX   (1 + LK_VARINT_MAX)
#define INSTANT_MAX (2 + FIELD_MAX + FIELD_MAX)
#define STATE_MAX   (2 + 2 + LK_LIMIT_NAME_MAX + 2 + 2 * FIELD_MAX + 2 * INSTANT_MAX + 2)
#define HEAD_MAX    (3 * FIELD_MAX + INSTANT_MAX)

_Static_assert(STATE_MAX < 128, "the length of a rate state is one byte");
_Static_assert(HEAD_MAX + LK_CHARGE_LIMITS * STATE_MAX + 1 <= LK_VERIFY_PACKED_BESIDES, "what is not the identity");

/*
 * Puts the identity into the response as it is stored: packed. To protobuf-c it is a field that it does not know, whose bytes
 * it copies; they lie in the snapshot, which outlives the packing.
 */
static void put_identity(
	struct lk_request *request, const struct lk_verdict *verdict, Latchkey__V1__VerifyKeyResponse *response)
{
	ProtobufCMessageUnknownField *field = lk_arena_alloc(request->arena, sizeof *field);

	if (field != NULL) {
		field->tag = TAG_KEY;
		field->wire_type = PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED;
		field->len = verdict->head.identity_len;
		field->data = (uint8_t *)(uintptr_t)verdict->identity;
		response->base.n_unknown_fields = 1;
		response->base.unknown_fields = field;
	}
}

static void fill_rate_state(
	struct lk_request *request, const struct lk_answer *answer, size_t i, Latchkey__V1__RateState *state)
{
	const struct lk_charge_limit *charged = &answer->charge.limits[i];
	int64_t retry_ns = charged->standing.retry_ns;

	lk_view_rate_state(request->arena, charged, answer->now_us, state);
	state->shared = i >= answer->n_own_limits;
	state->refused = charged->refuses;
	if (charged->refuses && retry_ns > 0) {
		state->retry_after = lk_time_to_duration(request->arena, lk_time_us_of_ns(retry_ns));
	}
}

static void put_rate_states(
	struct lk_request *request, const struct lk_answer *answer, Latchkey__V1__VerifyKeyResponse *response)
{
	size_t count = answer->charge.n_limits;

	if (count == 0) {
		return;
	}
	Latchkey__V1__RateState *states = lk_arena_array(request->arena, count, sizeof *states);
	Latchkey__V1__RateState **list = lk_arena_array(request->arena, count, sizeof *list);
	if (states == NULL || list == NULL) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		fill_rate_state(request, answer, i, &states[i]);
		list[i] = &states[i];
	}
	response->rate_states = list;
	response->n_rate_states = count;
}

void lk_verify_reply(struct lk_request *request, const struct lk_question *question, const struct lk_answer *answer,
	Latchkey__V1__VerifyKeyResponse *response)
{
	response->code = answer->code;
	response->valid = answer->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	response->credits_remaining = -1;
	if (answer->found) {
		put_identity(request, &answer->verdict, response);
	}
	if (answer->found && answer->weighed) {
		put_rate_states(request, answer, response);
		if (answer->charge.has_credits) {
			response->credits_remaining = (int64_t)answer->charge.credits_remaining;
		}
	}
	if (response->valid) {
		response->secret_expire_time = lk_time_to_timestamp(
			request->arena, lk_verdict_secret_end(&answer->facts));
	}
	if (question->explain) {
		response->gates = lk_judge_explain(request->arena, request->txn, question, answer, &response->n_gates);
	}
}

static uint8_t *pack_number(uint8_t *at, uint32_t field, uint64_t value)
{
	return value == 0 ? at : lk_varint_put(lk_varint_put_tag(at, field, LK_WIRE_VARINT), value);
}

/* A message of less than 128 bytes: what pack_short_end() finds the place of its length by. */
static uint8_t *pack_short(uint8_t *at, uint32_t field)
{
	return lk_varint_put_tag(at, field, LK_WIRE_BYTES) + 1;
}

static void pack_short_end(uint8_t *start, const uint8_t *end)
{
	start[-1] = (uint8_t)(end - start);
}

/* A Timestamp, or a Duration, which is not negative; none of 0. Seconds are whole ones towards the past. */
static uint8_t *pack_instant(uint8_t *at, uint32_t field, int64_t us)
{
	int64_t seconds = us / LK_US_PER_SECOND - (us % LK_US_PER_SECOND < 0);

	if (us == 0) {
		return at;
	}
	uint8_t *start = pack_short(at, field);
	at = pack_number(start, TAG_SECONDS, (uint64_t)seconds);
	at = pack_number(at, TAG_NANOS, (uint64_t)((us - seconds * LK_US_PER_SECOND) * LK_NS_PER_US));
	pack_short_end(start, at);
	return at;
}

static uint8_t *pack_rate_state(uint8_t *at, const struct lk_answer *answer, size_t i)
{
	const struct lk_charge_limit *charged = &answer->charge.limits[i];
	const struct lk_limit_standing *standing = &charged->standing;
	size_t name_len = strnlen(charged->limit.name, sizeof charged->limit.name);
	uint8_t *start = pack_short(at, TAG_RATE_STATES);

	at = start;
	if (name_len > 0) {
		at = lk_varint_put(lk_varint_put_tag(at, TAG_STATE_NAME, LK_WIRE_BYTES), name_len);
		memcpy(at, charged->limit.name, name_len);
		at += name_len;
	}
	at = pack_number(at, TAG_STATE_SHARED, i >= answer->n_own_limits);
	at = pack_number(at, TAG_STATE_LIMIT, charged->limit.limit);
	at = pack_number(at, TAG_STATE_REMAINING, standing->remaining);
	if (standing->reset_ns > 0) {
		at = pack_instant(at, TAG_STATE_RESET_TIME, answer->now_us + lk_time_us_of_ns(standing->reset_ns));
	}
	if (charged->refuses && standing->retry_ns > 0) {
		at = pack_instant(at, TAG_STATE_RETRY_AFTER, lk_time_us_of_ns(standing->retry_ns));
	}
	at = pack_number(at, TAG_STATE_REFUSED, charged->refuses);
	pack_short_end(start, at);
	return at;
}

static size_t count_rate_states(const struct lk_answer *answer)
{
	return answer->found && answer->weighed ? answer->charge.n_limits : 0;
}

size_t lk_verify_packed_max(const struct lk_answer *answer)
{
	return HEAD_MAX + count_rate_states(answer) * STATE_MAX +
	       (answer->found ? 1 + answer->verdict.head.identity_len : 0);
}

size_t lk_verify_pack(const struct lk_answer *answer, uint8_t *ret_packed)
{
	bool valid = answer->code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID;
	bool has_credits = answer->found && answer->weighed && answer->charge.has_credits;
	uint8_t *at = ret_packed;

	at = pack_number(at, TAG_VALID, valid);
	at = pack_number(at, TAG_CODE, (uint64_t)answer->code);
	if (valid) {
		at = pack_instant(at, TAG_SECRET_EXPIRE_TIME, lk_verdict_secret_end(&answer->facts));
	}
	for (size_t i = 0; i < count_rate_states(answer); i++) {
		at = pack_rate_state(at, answer, i);
	}
	/* As a sint64 is, "ZigZag": twice the number, and -1 is 1. */
	at = pack_number(at, TAG_CREDITS_REMAINING, has_credits ? answer->charge.credits_remaining << 1 : 1);
	if (answer->found) {
		/* Behind the others, as protobuf-c packs what it does not know: its length stands before it already. */
		at = lk_varint_put_tag(at, TAG_KEY, LK_WIRE_BYTES);
		memcpy(at, answer->verdict.identity, answer->verdict.head.identity_len);
		at += answer->verdict.head.identity_len;
	}
	return (size_t)(at - ret_packed);
}

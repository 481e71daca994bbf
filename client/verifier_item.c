#include <string.h>

#include "client/utf8.h"
#include "client/varint.h"
#include "client/verifier_ask.h"

/* Fields of VerifyKeyRequest and of VerifyBatchItem alike. */
#define TOKEN_FIELD 1
/* Of VerifyBatchItem. */
#define ITEM_OPTIONS_FIELD 2
/* Of VerifyBatchRequest and of VerifyBatchResponse. */
#define BATCH_OPTIONS_FIELD  1
#define BATCH_ITEMS_FIELD    2
#define BATCH_OUTCOMES_FIELD 1

/* The limits that options.proto gives; taken as bytes, where the server counts characters: what is near goes alone. */
#define PLACE_MAX       63
#define EXPRESSION_MAX  1000
#define ADDRESS_MAX     64
#define CHARGES_MAX     8
#define CHARGE_NAME_MAX 32
/* A token of 4 KiB and the longest options are well below. */
#define ITEM_MAX ((size_t)8 << 10)

static bool is_text(const char *text, size_t max, size_t *ret_len)
{
	size_t len = text == NULL ? 0 : strlen(text);

	*ret_len = len;
	return len <= max && (len == 0 || lk_utf8_check(text, len, NULL) == LK_UTF8_FINE);
}

static bool are_charges(const Latchkey__V1__VerifyKeyRequest *request)
{
	size_t len = 0;

	if (request->n_rate_charges > CHARGES_MAX) {
		return false;
	}
	for (size_t i = 0; i < request->n_rate_charges; i++) {
		const Latchkey__V1__RateCharge *charge = request->rate_charges[i];
		if (charge->base.n_unknown_fields > 0 || !is_text(charge->name, CHARGE_NAME_MAX, &len)) {
			return false;
		}
	}
	return true;
}

/* The request but for its token. */
static Latchkey__V1__VerifyKeyRequest options_of(const Latchkey__V1__VerifyKeyRequest *request)
{
	Latchkey__V1__VerifyKeyRequest options = *request;

	options.token = (char *)protobuf_c_empty_string;
	return options;
}

struct lk_item_size lk_item_measure(const Latchkey__V1__VerifyKeyRequest *request)
{
	const struct {
		const char *text;
		size_t max;
	} texts[] = {
		{request->tenant, PLACE_MAX},
		{request->keyspace, PLACE_MAX},
		{request->permission_expression, EXPRESSION_MAX},
		{request->client_ip, ADDRESS_MAX},
	};
	struct lk_item_size size = {0};
	size_t len = 0;
	bool has_options = request->cost > 0 || request->n_rate_charges > 0 || request->dry_run || request->explain;

	size.alone = request->base.n_unknown_fields > 0 || !is_text(request->token, ITEM_MAX, &len) ||
		     !are_charges(request);
	size.token = len == 0 ? 0 : lk_varint_tag_size(TOKEN_FIELD) + lk_varint_size(len) + len;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]) && !size.alone; i++) {
		size.alone = !is_text(texts[i].text, texts[i].max, &len);
		has_options = has_options || len > 0;
	}
	if (!size.alone && has_options) {
		const Latchkey__V1__VerifyKeyRequest options = options_of(request);
		size.options = latchkey__v1__verify_key_request__get_packed_size(&options);
	}
	size.alone = size.alone || size.token + size.options > ITEM_MAX;
	return size;
}

static uint8_t *put_head(uint8_t *out, uint32_t field, size_t len)
{
	return lk_varint_put(lk_varint_put_tag(out, field, LK_WIRE_BYTES), len);
}

static size_t head_size(uint32_t field, size_t len)
{
	return lk_varint_tag_size(field) + lk_varint_size(len);
}

enum lk_err lk_item_pack(
	struct lk_ask *ask, const Latchkey__V1__VerifyKeyRequest *request, const struct lk_item_size *size)
{
	if (!lk_buffer_reserve(&ask->packed, size->token + size->options)) {
		return LK_NO_MEMORY;
	}
	uint8_t *at = ask->packed.data;
	if (size->token > 0) {
		size_t len = strlen(request->token);
		at = put_head(at, TOKEN_FIELD, len);
		memcpy(at, request->token, len);
		at += len;
	}
	if (size->options > 0) {
		const Latchkey__V1__VerifyKeyRequest options = options_of(request);
		(void)latchkey__v1__verify_key_request__pack(&options, at);
	}
	ask->packed.len = size->token + size->options;
	ask->token_len = size->token;
	return LK_OK;
}

size_t lk_item_room(const struct lk_ask *ask)
{
	return ask->packed.len + 2 * (LK_VARINT_MAX + 1);
}

static struct lk_span ask_options(const struct lk_ask *ask)
{
	return (struct lk_span){ask->packed.data + ask->token_len, ask->packed.len - ask->token_len};
}

static bool is_same(struct lk_span a, struct lk_span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

/* The options that most asks have, where most have the same: Boyer and Moore's majority vote. */
static struct lk_span shared_options(const struct lk_batch *batch)
{
	struct lk_span shared = ask_options(batch->asks[0]);
	size_t lead = 0;

	for (size_t i = 0; i < batch->n_asks; i++) {
		struct lk_span options = ask_options(batch->asks[i]);
		if (lead == 0) {
			shared = options;
			lead = 1;
		} else if (is_same(options, shared)) {
			lead++;
		} else {
			lead--;
		}
	}
	return shared;
}

static uint8_t *put_item(uint8_t *out, const struct lk_ask *ask, struct lk_span shared)
{
	struct lk_span options = ask_options(ask);
	bool own = !is_same(options, shared);
	size_t len = ask->token_len + (own ? head_size(ITEM_OPTIONS_FIELD, options.len) + options.len : 0);

	out = put_head(out, BATCH_ITEMS_FIELD, len);
	if (ask->token_len > 0) {
		memcpy(out, ask->packed.data, ask->token_len);
		out += ask->token_len;
	}
	if (own) {
		/* Perhaps none: then it says that those of all are not meant. */
		out = put_head(out, ITEM_OPTIONS_FIELD, options.len);
		if (options.len > 0) {
			memcpy(out, options.data, options.len);
		}
		out += options.len;
	}
	return out;
}

bool lk_batch_pack(struct lk_batch *batch)
{
	struct lk_span shared = shared_options(batch);
	size_t room = shared.len + LK_VARINT_MAX + 1;

	for (size_t i = 0; i < batch->n_asks; i++) {
		room += lk_item_room(batch->asks[i]);
	}
	if (!lk_buffer_reserve(&batch->payload, room)) {
		return false;
	}
	uint8_t *at = batch->payload.data;
	if (shared.len > 0) {
		at = put_head(at, BATCH_OPTIONS_FIELD, shared.len);
		memcpy(at, shared.data, shared.len);
		at += shared.len;
	}
	for (size_t i = 0; i < batch->n_asks; i++) {
		at = put_item(at, batch->asks[i], shared);
	}
	batch->payload.len = (size_t)(at - batch->payload.data);
	return true;
}

enum lk_err lk_outcome_next(struct lk_span *rest, struct lk_span *ret_outcome)
{
	const uint8_t *at = rest->data;
	const uint8_t *end = rest->len > 0 ? at + rest->len : at;

	while (at < end) {
		enum lk_wire_type type = LK_WIRE_VARINT;
		uint32_t field = 0;
		struct lk_span outcome = {0};
		if (!lk_varint_get_tag(&at, end, &field, &type)) {
			return LK_PROTOCOL;
		}
		if (field != BATCH_OUTCOMES_FIELD) {
			if (!lk_varint_skip(&at, end, type)) {
				return LK_PROTOCOL;
			}
			continue;
		}
		if (type != LK_WIRE_BYTES || !lk_varint_get_bytes(&at, end, &outcome.data, &outcome.len)) {
			return LK_PROTOCOL;
		}
		*rest = (struct lk_span){at, (size_t)(end - at)};
		*ret_outcome = outcome;
		return LK_OK;
	}
	return LK_NOT_FOUND;
}

enum lk_err lk_outcome_count(struct lk_span response, size_t *ret_n)
{
	struct lk_span outcome = {0};
	enum lk_err err = LK_OK;
	size_t n = 0;

	while ((err = lk_outcome_next(&response, &outcome)) == LK_OK) {
		n++;
	}
	if (err != LK_NOT_FOUND) {
		return err;
	}
	*ret_n = n;
	return LK_OK;
}

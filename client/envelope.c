#include "client/envelope.h"

#include <stdbool.h>
#include <string.h>

#include <latchkey/token.h>

#include "client/utf8.h"
#include "client/varint.h"

#define VIOLATIONS_FIELD 3
#define PAYLOAD_FIELD    15
/* Fields from here on are extensions that may be ignored. */
#define EXTENSION_FIRST 16

enum kind {
	KIND_NONE,
	KIND_U32,
	KIND_U64,
	KIND_TEXT,
	KIND_BYTES,
	/* Bytes of which the packer writes no more than tag and length. */
	KIND_PAYLOAD,
	/* A repeated message: the span runs from the first one's tag to the end of the last. */
	KIND_RUN,
};

enum fault {
	FAULT_NONE,
	FAULT_TWICE,
	FAULT_TYPE,
	FAULT_VALUE,
	FAULT_UTF8,
	FAULT_NUL,
	FAULT_LIMIT,
	N_FAULTS,
};

struct field {
	enum kind kind;
	/* Where the value lies in the scanned struct. */
	size_t offset;
	/* The most bytes of a text. */
	size_t max;
	const char *faults[N_FAULTS];
};

/* A message: its fields by number. */
struct layout {
	const struct field *fields;
	size_t n_fields;
	/* Unknown fields from this number on are skipped, the others refused. */
	uint32_t skip_from;
};

/* Every text that can be said of a field, so that saying it needs no memory. */
#define FAULTS(name, limit)                                                                                            \
	{                                                                                                              \
		[FAULT_TWICE] = name ": given twice", [FAULT_TYPE] = name ": has the wrong wire type",                 \
		[FAULT_VALUE] = name ": is cut off or not a number that fits",                                         \
		[FAULT_UTF8] = name ": is not valid UTF-8", [FAULT_NUL] = name ": holds a NUL character",              \
		[FAULT_LIMIT] = name ": has more than " limit " bytes"                                                 \
	}

static const struct field request_fields[] = {
	[1] = {KIND_TEXT, offsetof(struct lk_request_envelope, method), LK_METHOD_NAME_MAX, FAULTS("method", "128")},
	[2] = {KIND_U32, offsetof(struct lk_request_envelope, timeout_ms), 0, FAULTS("timeout_ms", "")},
	[3] = {KIND_TEXT, offsetof(struct lk_request_envelope, credential), LK_ENVELOPE_CREDENTIAL_MAX,
		FAULTS("credential", "65536")},
	[4] = {KIND_BYTES, offsetof(struct lk_request_envelope, request_id), 0, FAULTS("request_id", "")},
	[5] = {KIND_TEXT, offsetof(struct lk_request_envelope, traceparent), LK_TRACEPARENT_MAX,
		FAULTS("traceparent", "128")},
	[6] = {KIND_U32, offsetof(struct lk_request_envelope, attempt), 0, FAULTS("attempt", "")},
	[7] = {KIND_U64, offsetof(struct lk_request_envelope, min_revision), 0, FAULTS("min_revision", "")},
	[PAYLOAD_FIELD] = {KIND_PAYLOAD, offsetof(struct lk_request_envelope, payload), 0, FAULTS("payload", "")},
};

static const struct field response_fields[] = {
	[1] = {KIND_U32, offsetof(struct lk_response_envelope, code), 0, FAULTS("code", "")},
	[2] = {KIND_TEXT, offsetof(struct lk_response_envelope, message), SIZE_MAX, FAULTS("message", "")},
	[VIOLATIONS_FIELD] = {KIND_RUN, offsetof(struct lk_response_envelope, violations), 0, FAULTS("violations", "")},
	[4] = {KIND_U32, offsetof(struct lk_response_envelope, retry_after_ms), 0, FAULTS("retry_after_ms", "")},
	[5] = {KIND_U64, offsetof(struct lk_response_envelope, revision), 0, FAULTS("revision", "")},
	[PAYLOAD_FIELD] = {KIND_PAYLOAD, offsetof(struct lk_response_envelope, payload), 0, FAULTS("payload", "")},
};

static const struct field violation_fields[] = {
	[1] = {KIND_TEXT, offsetof(struct lk_violation_span, field), SIZE_MAX, FAULTS("field", "")},
	[2] = {KIND_TEXT, offsetof(struct lk_violation_span, description), SIZE_MAX, FAULTS("description", "")},
};

#define LAYOUT(table, skip)                                                                                            \
	{                                                                                                              \
		.fields = (table), .n_fields = sizeof(table) / sizeof((table)[0]), .skip_from = (skip)                 \
	}

static const struct layout request_layout = LAYOUT(request_fields, EXTENSION_FIRST);
static const struct layout response_layout = LAYOUT(response_fields, 0);
static const struct layout violation_layout = LAYOUT(violation_fields, 0);

/* Arithmetic on NULL is undefined, even when nothing is added. */
static const uint8_t *end_of(const uint8_t *data, size_t len)
{
	return len > 0 ? data + len : data;
}

static const struct field *find_field(const struct layout *layout, uint32_t number)
{
	if (number >= layout->n_fields || layout->fields[number].kind == KIND_NONE) {
		return NULL;
	}
	return &layout->fields[number];
}

static void *member(void *message, const struct field *field)
{
	return (uint8_t *)message + field->offset;
}

static const void *member_const(const void *message, const struct field *field)
{
	return (const uint8_t *)message + field->offset;
}

static enum lk_wire_type wire_type(enum kind kind)
{
	return kind == KIND_U32 || kind == KIND_U64 ? LK_WIRE_VARINT : LK_WIRE_BYTES;
}

static enum fault check_text(const struct field *field, const struct lk_span *text)
{
	static const enum fault faults[] = {
		[LK_UTF8_FINE] = FAULT_NONE, [LK_UTF8_INVALID] = FAULT_UTF8, [LK_UTF8_NUL] = FAULT_NUL};

	if (text->len > field->max) {
		return FAULT_LIMIT;
	}
	return faults[lk_utf8_check(text->data, text->len, NULL)];
}

/* Reads the value at `*at`, whose tag began at `tag`. */
static enum fault scan_value(
	const struct field *field, const uint8_t *tag, const uint8_t **at, const uint8_t *end, void *message)
{
	void *value = member(message, field);
	struct lk_span span = {0};

	if (field->kind == KIND_U32) {
		return lk_varint_get_u32(at, end, value) ? FAULT_NONE : FAULT_VALUE;
	}
	if (field->kind == KIND_U64) {
		return lk_varint_get(at, end, value) ? FAULT_NONE : FAULT_VALUE;
	}
	if (!lk_varint_get_bytes(at, end, &span.data, &span.len)) {
		return FAULT_VALUE;
	}
	if (field->kind == KIND_RUN) {
		struct lk_span *run = value;
		if (!run->data) {
			run->data = tag;
		}
		run->len = (size_t)(*at - run->data);
		return FAULT_NONE;
	}
	*(struct lk_span *)value = span;
	return field->kind == KIND_TEXT ? check_text(field, &span) : FAULT_NONE;
}

/* Scans one field off `*at`; returns what is wrong, or NULL. `seen` has a bit for each number that was met. */
static const char *scan_field(
	const struct layout *layout, const uint8_t **at, const uint8_t *end, void *message, uint32_t *seen)
{
	const uint8_t *tag = *at;
	uint32_t number = 0;
	enum lk_wire_type type = LK_WIRE_VARINT;
	enum fault fault = FAULT_NONE;

	if (!lk_varint_get_tag(at, end, &number, &type)) {
		return "a field's tag is cut off or none";
	}
	const struct field *field = find_field(layout, number);
	if (!field) {
		if (number < layout->skip_from) {
			return "an unknown field with a number below 16";
		}
		return lk_varint_skip(at, end, type) ? NULL : "an unknown field is cut off";
	}
	if (type != wire_type(field->kind)) {
		fault = FAULT_TYPE;
	} else if (field->kind != KIND_RUN && (*seen & 1u << number)) {
		fault = FAULT_TWICE;
	} else {
		fault = scan_value(field, tag, at, end, message);
	}
	*seen |= 1u << number;
	return field->faults[fault];
}

static const char *scan(const struct layout *layout, const uint8_t *data, size_t len, void *message)
{
	const uint8_t *at = data, *end = end_of(data, len);
	const char *fault = NULL;
	uint32_t seen = 0;

	while (at < end && !fault) {
		fault = scan_field(layout, &at, end, message, &seen);
	}
	return fault;
}

enum lk_err lk_envelope_scan_request(
	const uint8_t *data, size_t len, struct lk_request_envelope *ret, const char **ret_fault)
{
	struct lk_request_envelope request = {0};
	const char *fault = scan(&request_layout, data, len, &request);

	if (fault) {
		*ret_fault = fault;
		return LK_INVALID_ARGUMENT;
	}
	*ret = request;
	return LK_OK;
}

enum lk_err lk_envelope_scan_response(const uint8_t *data, size_t len, struct lk_response_envelope *ret)
{
	struct lk_response_envelope response = {0};

	if (scan(&response_layout, data, len, &response)) {
		return LK_PROTOCOL;
	}
	*ret = response;
	return LK_OK;
}

enum lk_err lk_envelope_next_violation(struct lk_span *rest, struct lk_violation_span *ret)
{
	const uint8_t *at = rest->data, *end = end_of(rest->data, rest->len);

	while (at < end) {
		struct lk_violation_span violation = {0};
		struct lk_span encoded = {0};
		uint32_t number = 0;
		enum lk_wire_type type = LK_WIRE_VARINT;

		if (!lk_varint_get_tag(&at, end, &number, &type)) {
			return LK_PROTOCOL;
		}
		if (number != VIOLATIONS_FIELD) {
			if (!lk_varint_skip(&at, end, type)) {
				return LK_PROTOCOL;
			}
			continue;
		}
		if (type != LK_WIRE_BYTES || !lk_varint_get_bytes(&at, end, &encoded.data, &encoded.len) ||
			scan(&violation_layout, encoded.data, encoded.len, &violation)) {
			return LK_PROTOCOL;
		}
		*rest = (struct lk_span){at, (size_t)(end - at)};
		*ret = violation;
		return LK_OK;
	}
	*rest = (struct lk_span){0};
	return LK_NOT_FOUND;
}

/* The value of a number, or the bytes of anything else: 0 means, as everywhere in proto3, that the field is left out. */
static uint64_t number_or_len(const struct field *field, const void *value)
{
	if (field->kind == KIND_U32) {
		return *(const uint32_t *)value;
	}
	if (field->kind == KIND_U64) {
		return *(const uint64_t *)value;
	}
	return ((const struct lk_span *)value)->len;
}

static size_t field_size(uint32_t number, const struct field *field, const void *value)
{
	uint64_t n = number_or_len(field, value);

	if (n == 0 || field->kind == KIND_RUN) {
		return (size_t)n;
	}
	size_t head = lk_varint_tag_size(number) + lk_varint_size(n);
	return field->kind == KIND_TEXT || field->kind == KIND_BYTES ? head + (size_t)n : head;
}

static uint8_t *field_pack(uint32_t number, const struct field *field, const void *value, uint8_t *out)
{
	uint64_t n = number_or_len(field, value);

	if (n == 0) {
		return out;
	}
	if (field->kind != KIND_RUN) {
		out = lk_varint_put_tag(out, number, wire_type(field->kind));
		out = lk_varint_put(out, n);
	}
	if (field->kind == KIND_TEXT || field->kind == KIND_BYTES || field->kind == KIND_RUN) {
		memcpy(out, ((const struct lk_span *)value)->data, (size_t)n);
		out += n;
	}
	return out;
}

static size_t size(const struct layout *layout, const void *message)
{
	size_t total = 0;

	for (uint32_t number = 1; number < layout->n_fields; number++) {
		const struct field *field = find_field(layout, number);
		if (field) {
			total += field_size(number, field, member_const(message, field));
		}
	}
	return total;
}

static size_t pack(const struct layout *layout, const void *message, uint8_t *out)
{
	uint8_t *at = out;

	for (uint32_t number = 1; number < layout->n_fields; number++) {
		const struct field *field = find_field(layout, number);
		if (field) {
			at = field_pack(number, field, member_const(message, field), at);
		}
	}
	return (size_t)(at - out);
}

size_t lk_envelope_request_size(const struct lk_request_envelope *request)
{
	return size(&request_layout, request);
}

size_t lk_envelope_request_pack(const struct lk_request_envelope *request, uint8_t *out)
{
	return pack(&request_layout, request, out);
}

size_t lk_envelope_response_size(const struct lk_response_envelope *response)
{
	return size(&response_layout, response);
}

size_t lk_envelope_response_pack(const struct lk_response_envelope *response, uint8_t *out)
{
	return pack(&response_layout, response, out);
}

size_t lk_envelope_violation_size(const struct lk_violation_span *violation)
{
	size_t len = size(&violation_layout, violation);

	return lk_varint_tag_size(VIOLATIONS_FIELD) + lk_varint_size(len) + len;
}

size_t lk_envelope_violation_pack(const struct lk_violation_span *violation, uint8_t *out)
{
	uint8_t *at = lk_varint_put_tag(out, VIOLATIONS_FIELD, LK_WIRE_BYTES);

	at = lk_varint_put(at, size(&violation_layout, violation));
	at += pack(&violation_layout, violation, at);
	return (size_t)(at - out);
}

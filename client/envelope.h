/*
 * The envelope: latchkey.v1.Request and Response, scanned where they lie and packed where they go.
 *
 * Written by hand instead of generated, so that the payload is neither copied nor allocated. Shared by client and server, not
 * installed. Pure; nothing here blocks or allocates.
 */
#ifndef LK_CLIENT_ENVELOPE_H
#define LK_CLIENT_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#define LK_METHOD_NAME_MAX 128
#define LK_TRACEPARENT_MAX 128
/* More than is ever good: who looks at it says so, for the caller's ears. */
#define LK_ENVELOPE_CREDENTIAL_MAX 65536

/* A run of bytes in somebody else's buffer. Empty: len 0, data perhaps NULL. */
struct lk_span {
	const uint8_t *data;
	size_t len;
};

/* A Request; the spans point into the scanned message. The texts are valid UTF-8 without NUL, and not terminated. */
struct lk_request_envelope {
	struct lk_span method;
	uint32_t timeout_ms;
	struct lk_span credential;
	struct lk_span request_id;
	struct lk_span traceparent;
	uint32_t attempt;
	uint64_t min_revision;
	struct lk_span payload;
};

/* A Response, but for its violations: those are read one by one with lk_envelope_next_violation(). */
struct lk_response_envelope {
	uint32_t code;
	struct lk_span message;
	/* The encoded violations, first to last, with whatever other fields stand between them. */
	struct lk_span violations;
	uint32_t retry_after_ms;
	uint64_t revision;
	struct lk_span payload;
};

struct lk_violation_span {
	struct lk_span field;
	struct lk_span description;
};

/*
 * Scans a Request. Fields 16 and above are skipped, every other unknown field is refused, as are a field given twice, a wrong
 * wire type, a bad varint, a length past the end, a text that is not UTF-8 or holds NUL, and a text over its limit.
 * LK_INVALID_ARGUMENT, with `*ret_fault` set to a static text that says what is wrong; `*ret` is then untouched.
 */
LK_MUST_CHECK enum lk_err lk_envelope_scan_request(
	const uint8_t *data, size_t len, struct lk_request_envelope *ret, const char **ret_fault);

/* Scans a Response; unknown fields are skipped. LK_PROTOCOL where it is none; `*ret` is then untouched. */
LK_MUST_CHECK enum lk_err lk_envelope_scan_response(const uint8_t *data, size_t len, struct lk_response_envelope *ret);

/* Takes the next violation off `rest`. LK_OK, LK_NOT_FOUND at the end, LK_PROTOCOL. */
LK_MUST_CHECK enum lk_err lk_envelope_next_violation(struct lk_span *rest, struct lk_violation_span *ret);

/*
 * Packing. The head is everything up to the payload's first byte; the caller writes `payload.len` bytes of payload right
 * behind it, so of `payload` only `len` is looked at. With a payload of 0 bytes, the payload field is left out.
 * _size gives the head's bytes, _pack writes exactly those and returns how many.
 */
size_t lk_envelope_request_size(const struct lk_request_envelope *request);
size_t lk_envelope_request_pack(const struct lk_request_envelope *request, uint8_t *out);
size_t lk_envelope_response_size(const struct lk_response_envelope *response);
size_t lk_envelope_response_pack(const struct lk_response_envelope *response, uint8_t *out);

/* One violation, encoded as field 3 of a Response, to be laid into `lk_response_envelope.violations`. */
size_t lk_envelope_violation_size(const struct lk_violation_span *violation);
size_t lk_envelope_violation_pack(const struct lk_violation_span *violation, uint8_t *out);

#endif

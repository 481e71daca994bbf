/*
 * The primitives of protobuf's wire format (https://protobuf.dev/programming-guides/encoding/): varints, tags, lengths.
 *
 * Readers take `*at` up to `end` and move `*at` past what they read; on failure they return false and leave `*at` and their
 * results as they were. They never read past `end`. Strict: a varint of more than ten bytes or 64 bits, a tag of more than 32
 * bits, the field number 0, groups and the wire types that do not exist are failures. Writers write to `out`, which must have
 * room, and return where they stopped. Pure.
 */
#ifndef LK_CLIENT_VARINT_H
#define LK_CLIENT_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LK_VARINT_MAX 10

enum lk_wire_type {
	LK_WIRE_VARINT = 0,
	LK_WIRE_FIXED64 = 1,
	LK_WIRE_BYTES = 2,
	LK_WIRE_FIXED32 = 5,
};

static inline bool lk_varint_get(const uint8_t **at, const uint8_t *end, uint64_t *ret_value)
{
	const uint8_t *p = *at;
	uint64_t value = 0;

	for (unsigned shift = 0; p < end && shift < 7 * LK_VARINT_MAX; shift += 7) {
		uint8_t byte = *p++;
		/* The tenth byte has room for the last one of 64 bits. */
		if (shift == 63 && byte > 1) {
			return false;
		}
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_value = value;
			*at = p;
			return true;
		}
	}
	return false;
}

/* As lk_varint_get(), and false where the value needs more than 32 bits. */
static inline bool lk_varint_get_u32(const uint8_t **at, const uint8_t *end, uint32_t *ret_value)
{
	const uint8_t *p = *at;
	uint64_t value = 0;

	if (!lk_varint_get(&p, end, &value) || value > UINT32_MAX) {
		return false;
	}
	*ret_value = (uint32_t)value;
	*at = p;
	return true;
}

static inline bool lk_varint_get_tag(
	const uint8_t **at, const uint8_t *end, uint32_t *ret_field, enum lk_wire_type *ret_type)
{
	/* Bit n: wire type n exists and is no group. */
	static const unsigned known_types = 1u << LK_WIRE_VARINT | 1u << LK_WIRE_FIXED64 | 1u << LK_WIRE_BYTES |
					    1u << LK_WIRE_FIXED32;
	const uint8_t *p = *at;
	uint32_t tag = 0;

	if (!lk_varint_get_u32(&p, end, &tag) || tag >> 3 == 0 || !(known_types & 1u << (tag & 7))) {
		return false;
	}
	*ret_field = tag >> 3;
	*ret_type = (enum lk_wire_type)(tag & 7);
	*at = p;
	return true;
}

/* Reads a length and the bytes behind it, which stay where they are. */
static inline bool lk_varint_get_bytes(
	const uint8_t **at, const uint8_t *end, const uint8_t **ret_data, size_t *ret_len)
{
	const uint8_t *p = *at;
	uint64_t len = 0;

	if (!lk_varint_get(&p, end, &len) || len > (uint64_t)(end - p)) {
		return false;
	}
	*ret_data = p;
	*ret_len = (size_t)len;
	*at = p + len;
	return true;
}

/* Moves past the value of a field whose tag was just read. */
static inline bool lk_varint_skip(const uint8_t **at, const uint8_t *end, enum lk_wire_type type)
{
	const uint8_t *data = NULL;
	uint64_t value = 0;
	size_t len = 0;

	if (type == LK_WIRE_VARINT) {
		return lk_varint_get(at, end, &value);
	}
	if (type == LK_WIRE_BYTES) {
		return lk_varint_get_bytes(at, end, &data, &len);
	}
	len = type == LK_WIRE_FIXED64 ? 8 : 4;
	if ((size_t)(end - *at) < len) {
		return false;
	}
	*at += len;
	return true;
}

/*
 * Finds the bytes of `field` in a message whose fields are packed in order, as protobuf-c packs them; the first where it is
 * repeated. False where it has none, and where the message does not add up as far as that.
 */
static inline bool lk_varint_find_bytes(
	const uint8_t *message, size_t message_len, uint32_t field, const uint8_t **ret_data, size_t *ret_len)
{
	const uint8_t *at = message;
	const uint8_t *end = message + message_len;
	uint32_t found = 0;
	enum lk_wire_type type = LK_WIRE_VARINT;

	while (at < end && lk_varint_get_tag(&at, end, &found, &type) && found <= field) {
		if (found == field) {
			return type == LK_WIRE_BYTES && lk_varint_get_bytes(&at, end, ret_data, ret_len);
		}
		if (!lk_varint_skip(&at, end, type)) {
			return false;
		}
	}
	return false;
}

/* The bytes that lk_varint_put() writes, 1 to LK_VARINT_MAX. */
static inline size_t lk_varint_size(uint64_t value)
{
	size_t size = 1;

	while (value >= 0x80) {
		value >>= 7;
		size++;
	}
	return size;
}

static inline uint8_t *lk_varint_put(uint8_t *out, uint64_t value)
{
	while (value >= 0x80) {
		*out++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*out++ = (uint8_t)value;
	return out;
}

static inline size_t lk_varint_tag_size(uint32_t field)
{
	return lk_varint_size((uint64_t)field << 3);
}

static inline uint8_t *lk_varint_put_tag(uint8_t *out, uint32_t field, enum lk_wire_type type)
{
	return lk_varint_put(out, (uint64_t)field << 3 | type);
}

#endif

#include "server/store/key_peek.h"

#include <string.h>

#include "client/varint.h"

/* Fields of KeyRecord, as record.proto numbers them. */
enum {
	FIELD_SLOT = 1,
	FIELD_REVISION = 3,
	FIELD_TENANT = 5,
	FIELD_KEYSPACE = 6,
	FIELD_NAME = 8,
	FIELD_OWNER = 9,
	FIELD_STATE = 11,
	FIELD_EXPIRE_US = 14,
	FIELD_CREATE_US = 15,
	FIELD_PERMISSIONS = 21,
	FIELD_ROLES = 27,
};

static void take_number(struct lk_key_peek *peek, uint32_t field, uint64_t value)
{
	switch (field) {
	case FIELD_SLOT:
		peek->slot = value;
		break;
	case FIELD_REVISION:
		peek->revision = value;
		break;
	case FIELD_TENANT:
		peek->tenant = (uint32_t)value;
		break;
	case FIELD_KEYSPACE:
		peek->keyspace = (uint32_t)value;
		break;
	case FIELD_STATE:
		peek->state = (Latchkey__Store__StoredState)value;
		break;
	case FIELD_EXPIRE_US:
		peek->expire_us = (int64_t)value;
		break;
	case FIELD_CREATE_US:
		peek->create_us = (int64_t)value;
		break;
	default:
		break;
	}
}

static void take_bytes(struct lk_key_peek *peek, uint32_t field, const uint8_t *start, struct lk_peeked_text text)
{
	if (field == FIELD_NAME) {
		peek->name = text;
	} else if (field == FIELD_OWNER) {
		peek->owner = text;
	} else if (field == FIELD_PERMISSIONS) {
		peek->rest = peek->n_permissions++ == 0 ? start : peek->rest;
	} else if (field == FIELD_ROLES) {
		peek->roles = text;
	}
}

bool lk_key_peek_read(struct lk_value record, bool rights, struct lk_key_peek *ret_peek)
{
	const uint32_t last = rights ? FIELD_ROLES : FIELD_CREATE_US;
	const uint8_t *at = record.data;
	const uint8_t *end = record.data + record.len;
	struct lk_key_peek peek = {.end = end};

	while (at < end) {
		const uint8_t *start = at;
		struct lk_peeked_text text = {0};
		enum lk_wire_type type = LK_WIRE_VARINT;
		uint32_t field = 0;
		uint64_t value = 0;
		if (!lk_varint_get_tag(&at, end, &field, &type)) {
			return false;
		}
		/* Records are packed in the order of their fields. */
		if (field > last) {
			break;
		}
		if (type == LK_WIRE_VARINT) {
			if (!lk_varint_get(&at, end, &value)) {
				return false;
			}
			take_number(&peek, field, value);
		} else if (type == LK_WIRE_BYTES) {
			const uint8_t *data = NULL;
			if (!lk_varint_get_bytes(&at, end, &data, &text.len)) {
				return false;
			}
			text.data = (const char *)data;
			take_bytes(&peek, field, start, text);
		} else if (!lk_varint_skip(&at, end, type)) {
			return false;
		}
	}
	*ret_peek = peek;
	return peek.slot != 0;
}

/* Whether the walk stands on the record of `slot`. */
static bool stands_on(const struct lk_walk *keys, uint64_t slot)
{
	struct lk_value key = lk_walk_key(keys);

	return key.len == sizeof slot && lk_read_u64(key.data) == slot;
}

bool lk_key_peek_at(struct lk_txn *txn, struct lk_walk *keys, uint64_t slot, bool rights, struct lk_key_peek *ret_peek)
{
	bool stands = slot > 0 && keys != NULL && stands_on(keys, slot - 1) && lk_walk_next(keys) &&
		      stands_on(keys, slot);

	if (!stands) {
		struct lk_key key = lk_key_u64(slot);
		stands = lk_walk_seek(keys, &key) && stands_on(keys, slot);
	}
	if (!stands) {
		return false;
	}
	if (!lk_key_peek_read(lk_walk_value(keys), rights, ret_peek)) {
		lk_txn_fail(txn, LK_CORRUPT);
		return false;
	}
	return true;
}

bool lk_key_peek_permission(const struct lk_key_peek *peek, const uint8_t **at, struct lk_peeked_text *ret_permission)
{
	enum lk_wire_type type = LK_WIRE_VARINT;
	const uint8_t *data = NULL;
	uint32_t field = 0;
	size_t len = 0;

	if (peek->n_permissions == 0 || !lk_varint_get_tag(at, peek->end, &field, &type) ||
		field != FIELD_PERMISSIONS || !lk_varint_get_bytes(at, peek->end, &data, &len)) {
		return false;
	}
	*ret_permission = (struct lk_peeked_text){(const char *)data, len};
	return true;
}

bool lk_key_peek_has_role(const struct lk_key_peek *peek, uint32_t role)
{
	const uint8_t *at = (const uint8_t *)peek->roles.data;
	const uint8_t *end = at == NULL ? NULL : at + peek->roles.len;
	uint64_t number = 0;

	while (at < end && lk_varint_get(&at, end, &number)) {
		if (number == role) {
			return true;
		}
	}
	return false;
}

bool lk_peeked_text_is(struct lk_peeked_text field, const char *text)
{
	return field.len == strlen(text) && lk_peeked_text_begins(field, text);
}

bool lk_peeked_text_begins(struct lk_peeked_text field, const char *text)
{
	size_t len = strlen(text);

	return field.len >= len && (len == 0 || memcmp(field.data, text, len) == 0);
}

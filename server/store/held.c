#include "server/store/held.h"

#include "client/varint.h"
#include "server/core/permission.h"

/* Where permissions stand in the packed messages, as key.proto and record.proto number them. */
enum {
	FIELD_IDENTITY_PERMISSIONS = 10,
	FIELD_ROLE_PERMISSIONS = 6,
};

struct asked {
	const char *text;
	size_t len;
};

/* Whether one of the permissions that a packed message has in `field` covers what is asked. */
static bool message_covers(struct lk_txn *txn, struct lk_value message, uint32_t field, struct asked asked)
{
	const uint8_t *at = message.data;
	const uint8_t *end = message.data + message.len;

	while (at < end) {
		enum lk_wire_type type = LK_WIRE_VARINT;
		const uint8_t *data = NULL;
		uint32_t found = 0;
		size_t len = 0;
		bool reads = lk_varint_get_tag(&at, end, &found, &type);
		/* Messages are packed in the order of their fields. */
		if (reads && found > field) {
			return false;
		}
		if (reads && found == field) {
			reads = type == LK_WIRE_BYTES && lk_varint_get_bytes(&at, end, &data, &len);
		} else {
			reads = reads && lk_varint_skip(&at, end, type);
		}
		if (!reads) {
			lk_txn_fail(txn, LK_CORRUPT);
			return false;
		}
		if (found == field && lk_permission_covers_text((const char *)data, len, asked.text, asked.len)) {
			return true;
		}
	}
	return false;
}

/* The record of role `i` of the key; false with an error that sticks where there is none. */
static bool find_role(struct lk_held *held, size_t i, struct lk_value *ret_record)
{
	if (i == held->n_found) {
		struct lk_key key = lk_key_u32(lk_rules_role(held->rules, i));
		if (i == LK_ROLES_MAX || !lk_txn_get(held->txn, LK_TABLE_ROLE, &key, &held->found[i])) {
			lk_txn_fail(held->txn, LK_CORRUPT);
			return false;
		}
		held->n_found++;
	}
	*ret_record = held->found[i];
	return true;
}

void lk_held_init(struct lk_held *held, struct lk_txn *txn, const uint8_t *identity, size_t identity_len,
	const struct lk_rules *rules)
{
	held->txn = txn;
	held->identity = identity;
	held->identity_len = identity_len;
	held->rules = rules;
	/* The rest is written before it is read. */
	held->n_found = 0;
}

bool lk_held_covers(void *held, const char *asked, size_t len)
{
	struct lk_held *self = held;
	struct asked what = {asked, len};
	struct lk_value record = {self->identity, self->identity_len};

	if (lk_txn_err(self->txn) != LK_OK) {
		return false;
	}
	bool covers = message_covers(self->txn, record, FIELD_IDENTITY_PERMISSIONS, what);
	for (size_t i = 0; !covers && i < self->rules->n_roles; i++) {
		if (!find_role(self, i, &record)) {
			return false;
		}
		covers = message_covers(self->txn, record, FIELD_ROLE_PERMISSIONS, what);
	}
	return covers;
}

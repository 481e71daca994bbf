#include "server/store/held.h"

#include "client/varint.h"
#include "server/core/permission.h"

/* Where permissions stand in the packed messages, as key.proto and record.proto number them. */
enum {
	FIELD_IDENTITY_PERMISSIONS = 10,
	FIELD_ROLE_PERMISSIONS = 6,
};

/* Leaves of a packed message what begins with the first value of `field`. False where it does not add up. */
static bool skip_to(struct lk_value *message, uint32_t field)
{
	const uint8_t *end = message->data + message->len;
	const uint8_t *start = message->data;
	const uint8_t *at = start;

	while (at < end) {
		enum lk_wire_type type = LK_WIRE_VARINT;
		uint32_t found = 0;
		start = at;
		if (!lk_varint_get_tag(&at, end, &found, &type)) {
			return false;
		}
		/* Messages are packed in the order of their fields. */
		if (found >= field) {
			break;
		}
		if (!lk_varint_skip(&at, end, type)) {
			return false;
		}
		start = at;
	}
	*message = (struct lk_value){start, (size_t)(end - start)};
	return true;
}

/* Whether one of the permissions at the beginning of `message`, in `field`, covers what is asked. */
static bool message_covers(
	struct lk_txn *txn, const struct lk_value *message, uint32_t field, const char *asked, size_t asked_len)
{
	const uint8_t *at = message->data;
	const uint8_t *end = message->data + message->len;

	while (at < end) {
		enum lk_wire_type type = LK_WIRE_VARINT;
		const uint8_t *data = NULL;
		uint32_t found = 0;
		size_t len = 0;
		bool reads = lk_varint_get_tag(&at, end, &found, &type);
		if (reads && found > field) {
			return false;
		}
		if (!reads || found != field || type != LK_WIRE_BYTES || !lk_varint_get_bytes(&at, end, &data, &len)) {
			lk_txn_fail(txn, LK_CORRUPT);
			return false;
		}
		if (lk_permission_covers_text((const char *)data, len, asked, asked_len)) {
			return true;
		}
	}
	return false;
}

/* Keeps the permissions of a message, which is the next; false with an error that sticks where it does not add up. */
static bool keep(struct lk_held *held, struct lk_value message, uint32_t field)
{
	if (!skip_to(&message, field)) {
		lk_txn_fail(held->txn, LK_CORRUPT);
		return false;
	}
	held->found[held->n_found++] = message;
	return true;
}

/* Looks up the role behind those that are there; false with an error that sticks where it is not. */
static bool find_next_role(struct lk_held *held)
{
	size_t role = held->n_found - 1;
	struct lk_value record = {0};
	struct lk_key key = lk_key_u32(lk_rules_role(held->rules, role));

	if (role == LK_ROLES_MAX || !lk_txn_get(held->txn, LK_TABLE_ROLE, &key, &record)) {
		lk_txn_fail(held->txn, LK_CORRUPT);
		return false;
	}
	return keep(held, record, FIELD_ROLE_PERMISSIONS);
}

void lk_held_init(struct lk_held *held, struct lk_txn *txn, const uint8_t *identity, size_t identity_len,
	const struct lk_rules *rules)
{
	held->txn = txn;
	held->rules = rules;
	/* What lies behind is written before it is read. */
	held->n_found = 0;
	(void)keep(held, (struct lk_value){identity, identity_len}, FIELD_IDENTITY_PERMISSIONS);
}

bool lk_held_covers(void *held, const char *asked, size_t len)
{
	struct lk_held *self = held;

	if (lk_txn_err(self->txn) != LK_OK) {
		return false;
	}
	for (size_t i = 0; i <= self->rules->n_roles; i++) {
		uint32_t field = i == 0 ? FIELD_IDENTITY_PERMISSIONS : FIELD_ROLE_PERMISSIONS;
		if (i == self->n_found && !find_next_role(self)) {
			return false;
		}
		if (message_covers(self->txn, &self->found[i], field, asked, len)) {
			return true;
		}
	}
	return false;
}

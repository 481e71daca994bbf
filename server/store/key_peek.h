/*
 * The few fields of a KeyRecord that decide whether a list shows it, read from the packed record where it lies in LMDB's map:
 * unpacking a record costs some ten times what this does. For whatever looks at many keys.
 */
#ifndef LK_SERVER_STORE_KEY_PEEK_H
#define LK_SERVER_STORE_KEY_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "server/store/txn.h"

/* Bytes in LMDB's map, without a NUL behind them. */
struct lk_peeked_text {
	const char *data;
	size_t len;
};

struct lk_key_peek {
	uint64_t slot;
	uint64_t revision;
	uint32_t tenant;
	uint32_t keyspace;
	Latchkey__Store__StoredState state;
	int64_t expire_us;
	int64_t create_us;
	struct lk_peeked_text name;
	struct lk_peeked_text owner;
	/* How many permissions there are, and the record from the first of them on. */
	size_t n_permissions;
	const uint8_t *rest;
	const uint8_t *end;
	/* The numbers of its roles, packed. */
	struct lk_peeked_text roles;
};

/*
 * Reads a packed KeyRecord; its rights, permissions and roles, only where they are asked for: they are far behind the rest. False
 * where it is none.
 */
bool lk_key_peek_read(struct lk_value record, bool rights, struct lk_key_peek *ret_peek);

/*
 * Goes to the record of `slot` with a walk over LK_TABLE_KEY, and reads it as above. Slots that ascend cost a step or a look at
 * the same page, where a lookup of its own would be a descent. False where there is no such record; one that does not read
 * makes LK_CORRUPT stick to `txn`.
 */
bool lk_key_peek_at(struct lk_txn *txn, struct lk_walk *keys, uint64_t slot, bool rights, struct lk_key_peek *ret_peek);

/* The next permission, from `*at` on, which begins as peek->rest; false at the end. */
bool lk_key_peek_permission(const struct lk_key_peek *peek, const uint8_t **at, struct lk_peeked_text *ret_permission);

/* Whether it has the role of this number. */
bool lk_key_peek_has_role(const struct lk_key_peek *peek, uint32_t role);

/* Whether a text of a record is `text`, or begins so. */
bool lk_peeked_text_is(struct lk_peeked_text field, const char *text);
bool lk_peeked_text_begins(struct lk_peeked_text field, const char *text);

#endif

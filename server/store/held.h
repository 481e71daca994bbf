/*
 * What the holder of a key may do, for permission expressions: by the key's own permissions and by those of its roles.
 *
 * All are read where they lie in LMDB's map: nothing is unpacked, copied or allocated, and a role's record is looked up where an
 * expression first comes to ask for it. One verdict's, and good as long as its snapshot.
 */
#ifndef LK_SERVER_STORE_HELD_H
#define LK_SERVER_STORE_HELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/core/expression.h"
#include "server/store/rules.h"
#include "server/store/txn.h"

/* For held.c alone. */
struct lk_held {
	struct lk_txn *txn;
	const struct lk_rules *rules;
	/* The identity, then the records of the first so many roles: what was looked at already, from its permissions on. */
	size_t n_found;
	struct lk_value found[1 + LK_ROLES_MAX];
};

/*
 * `identity` is a packed KeyIdentity as lk_verdict_identity() gives it; of the rules, which are borrowed, the roles alone
 * count. Looks up no role yet. An identity that does not add up makes LK_CORRUPT stick.
 */
void lk_held_init(struct lk_held *held, struct lk_txn *txn, const uint8_t *identity, size_t identity_len,
	const struct lk_rules *rules);

/*
 * Whether the holder has the permission `asked`, which has no '*', of `len` bytes; `held` is a struct lk_held. An
 * lk_expression_holds. False also where an error sticks to the transaction: a role whose record is not there, and a record that
 * does not add up, make LK_CORRUPT stick. Whoever evaluates an expression looks at lk_txn_err() behind it.
 */
bool lk_held_covers(void *held, const char *asked, size_t len);

#endif

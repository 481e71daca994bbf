/*
 * Opening a store, step by step: what the steps share. For server/store alone.
 */
#ifndef LK_SERVER_STORE_OPENING_H
#define LK_SERVER_STORE_OPENING_H

#include "latchkey/store/record.pb-c.h"
#include "server/store/store_internal.h"
#include "server/store/txn.h"

struct lk_opening {
	const struct lk_store_options *options;
	struct lk_store *store;
	/* The write transaction in which the store is read, or made. */
	struct lk_txn *txn;
	/* The store's own record; NULL where there is no store yet. */
	Latchkey__Store__StoreRecord *record;
	/* The caller's room for a message. */
	char *message;
};

/* Writes the message, the data directory first, and returns `err`. */
enum lk_err lk_opening_fail(struct lk_opening *opening, enum lk_err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Makes or opens the data directory, and locks it for this process. */
LK_MUST_CHECK enum lk_err lk_opening_lock_dir(struct lk_opening *opening);
/* Opens LMDB's environment, and of its tables `meta` alone: the rest may be of a newer schema. */
LK_MUST_CHECK enum lk_err lk_opening_environment(struct lk_opening *opening);
/* Opens the other tables, making those that are not there. */
LK_MUST_CHECK enum lk_err lk_opening_tables(struct lk_opening *opening);

#endif

/*
 * Opening a store, step by step: what the steps share. For server/store alone.
 */
#ifndef LK_SERVER_STORE_OPENING_H
#define LK_SERVER_STORE_OPENING_H

#include "latchkey/store/record.pb-c.h"
#include "server/store/store_internal.h"
#include "server/store/txn.h"

/* The most keys that can ever be made, where nobody says. */
#define LK_MAX_SLOTS_DEFAULT ((uint64_t)1 << 30)

struct lk_opening {
	const struct lk_store_options *options;
	struct lk_store *store;
	/* What opens it, as a message calls it. */
	const char *program;
	/* For verdicts alone, beside a daemon: nothing is made, and nothing changed. */
	bool attaching;
	/* The transaction in which the store is read, or made. */
	struct lk_txn *txn;
	/* The store's own record; NULL where there is no store yet. */
	Latchkey__Store__StoreRecord *record;
	/* The caller's room for a message. */
	char *message;
};

/* Writes the message, the data directory first, and returns `err`. */
enum lk_err lk_opening_fail(struct lk_opening *opening, enum lk_err err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A message that another file of the store made, with the directory before it; LK_OK as it is. */
enum lk_err lk_opening_pass_on(struct lk_opening *opening, enum lk_err err, const char *message);

/* Makes the handle that the steps fill. */
LK_MUST_CHECK enum lk_err lk_opening_begin(struct lk_opening *opening);
/* Behind all steps, `err` of the last: gives the handle away, or closes what there is of it. Returns `err`. */
LK_MUST_CHECK enum lk_err lk_opening_end(struct lk_opening *opening, enum lk_err err, struct lk_store **ret_store);

/* Makes or opens the data directory, and claims it for this process (claim.h). */
LK_MUST_CHECK enum lk_err lk_opening_dir(struct lk_opening *opening);
/* Locks it against other daemons. */
LK_MUST_CHECK enum lk_err lk_opening_lock_dir(struct lk_opening *opening);
/* Opens LMDB's environment, and of its tables `meta` alone: the rest may be of a newer schema. */
LK_MUST_CHECK enum lk_err lk_opening_environment(struct lk_opening *opening);
/* Reads the store's own record, and refuses one of another schema; LK_OK without a record where there is none yet. */
LK_MUST_CHECK enum lk_err lk_opening_record(struct lk_opening *opening);
/* Opens the other tables, making those that are not there. */
LK_MUST_CHECK enum lk_err lk_opening_tables(struct lk_opening *opening);
/* Whether `key` is the one that the store was made with, by the check value that its record has of it. */
LK_MUST_CHECK enum lk_err lk_opening_check_key(
	struct lk_opening *opening, const char *name, const uint8_t *key, const uint8_t *expected);

#endif

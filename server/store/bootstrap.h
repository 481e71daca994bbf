/*
 * What a new store begins with: the tenant "system" and its keyspace "root", to which root keys belong.
 */
#ifndef LK_SERVER_STORE_BOOTSTRAP_H
#define LK_SERVER_STORE_BOOTSTRAP_H

#include <stdint.h>

#include <latchkey/error.h>

#include "server/store/txn.h"

#define LK_KEYSPACE_ROOT "root"

/* Makes them, in a write transaction, by a Change of the daemon's own. LK_NO_MEMORY, or what sticks to `txn`. */
LK_MUST_CHECK enum lk_err lk_bootstrap(struct lk_txn *txn, int64_t now_us);

#endif

/*
 * The daemon's chores (store/chores.h): which there are, and the log of those that fail.
 */
#ifndef LK_SERVER_RPC_BACKGROUND_H
#define LK_SERVER_RPC_BACKGROUND_H

#include <latchkey/error.h>

#include "server/store/chores.h"

/* Starts them. Stopped by lk_chores_stop(), before the writer is. LK_NO_MEMORY, LK_RESOURCE_EXHAUSTED. */
LK_MUST_CHECK enum lk_err lk_background_start(
	struct lk_store *store, struct lk_writer *writer, struct lk_chores **ret_chores);

#endif

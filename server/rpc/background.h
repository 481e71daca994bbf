/*
 * The daemon's chores (store/chores.h): which there are, what they know, and the log of those that fail.
 */
#ifndef LK_SERVER_RPC_BACKGROUND_H
#define LK_SERVER_RPC_BACKGROUND_H

#include <latchkey/error.h>

#include "server/store/writer.h"

struct lk_background;
struct lk_refusals;

/* Starts the chores' thread, after the writer's. `refusals` live until it is stopped. LK_NO_MEMORY, LK_RESOURCE_EXHAUSTED, errors of the environment. */
LK_MUST_CHECK enum lk_err lk_background_start(struct lk_store *store, struct lk_writer *writer,
	struct lk_refusals *refusals, struct lk_background **ret_background);

/* Ends the thread, when the Change that is under way is done, and frees; before the writer is stopped. Blocks. Takes NULL. */
void lk_background_stop(struct lk_background *background);

#endif

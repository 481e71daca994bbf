/*
 * Attaching: opening a store for verdicts alone, in another process than its daemon's, beside it or after it.
 *
 * What is attached is a struct lk_store that reads, and that touches slots and denials, as the daemon's verdicts do; nothing
 * else of it is ever changed, and there is no seal.key in its keyring. It knows when it is no longer the store that was opened:
 * moved, replaced, or taken over by a forked child.
 */
#ifndef LK_SERVER_STORE_ATTACH_H
#define LK_SERVER_STORE_ATTACH_H

#include <stdbool.h>

#include "server/store/store.h"

struct lk_attachment;

/*
 * Attaches to the store in options->dir. Of the options, `map_size` is the most that data.mdb may grow to while it is attached, 0
 * for 1 TiB, or for less, from 64 GiB on, where addresses lack; then LK_FAILED_PRECONDITION tells that it has outgrown that; and `max_slots` counts where the daemon has not said its own; `now_us` is for none. Blocks on the disk. Closed by
 * lk_store_close(), which writes nothing; in a forked child that leaves LMDB's environment to the process.
 * On failure `ret_message` says in one line what was wrong and what would be right.
 * LK_NOT_FOUND: no directory, or no store in it. LK_PERMISSION_DENIED. LK_HELD: this process has it open. LK_FAILED_PRECONDITION:
 * another program's data, another schema, a wrong or missing verify.key, a store that is being replaced, a daemon in another PID
 * namespace, a directory that others may change. LK_CORRUPT, LK_IO, LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_store_attach(const struct lk_store_options *options, struct lk_store **ret_store,
	char ret_message[static LK_STORE_MESSAGE_LEN]);

/*
 * What is wrong with an attached store: NULL, or why it must be opened anew; static. Two cache lines that hardly ever change,
 * and no call of the system. Any thread.
 */
const char *lk_store_fault(const struct lk_store *store);

/* Looks whether the directory still is the store's, for lk_store_fault() to tell. Asks the system. Any thread. */
void lk_store_look(const struct lk_store *store);

/* Whether so few readers are there, in all processes, that one more leaves the daemon enough. Lets go of those of the dead
 * where it takes that. Any thread. */
bool lk_store_has_readers_left(const struct lk_store *store);

/* Takes NULL. */
void lk_attachment_free(struct lk_attachment *attachment);

#endif

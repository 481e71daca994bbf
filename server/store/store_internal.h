/*
 * What the files of server/store share and nobody else sees.
 */
#ifndef LK_SERVER_STORE_STORE_INTERNAL_H
#define LK_SERVER_STORE_STORE_INTERNAL_H

#include <lmdb.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "server/store/store.h"
#include "server/store/table.h"

struct lk_claim;

/* What whoever attached looks at on every verdict. */
enum lk_mark {
	/* A forked child sees this: the kernel wipes the page there. */
	LK_MARK_FORKED = 0,
	LK_MARK_CURRENT = 1,
	/* Moved, removed or replaced under its name. */
	LK_MARK_GONE = 2,
};

/* Files in the data directory beside data.mdb that must stay what they were. */
#define LK_ATTACHED_FILES 4

/* A store that is open for verdicts alone, beside its daemon (attach.h). */
struct lk_attachment {
	/* A page of its own, which a fork wipes; holds an enum lk_mark. */
	_Atomic uint32_t *mark;
	/* data.mdb, named from the root, and which file that was. */
	char *path;
	dev_t device;
	ino_t inode;
	/* Of the others, by their place in attach.c's table. */
	ino_t inodes[LK_ATTACHED_FILES];
};

struct lk_store {
	/* The data directory, held open. */
	int dir;
	/* Of the data directory, for this process. */
	struct lk_claim *claim;
	/* NULL: this is the daemon's. */
	struct lk_attachment *attachment;
	/* latchkeyd.pid, flock'ed as long as it is open. */
	int pid_file;
	MDB_env *env;
	MDB_dbi tables[LK_TABLE_COUNT];
	/* In memory that is locked and kept out of core files. */
	struct lk_keyring *keyring;
	struct lk_slots *slots;
	struct lk_denials *denials;
	/*
	 * How far data.mdb has disk, SIZE_MAX where that cannot be set aside, 0 where nobody has looked. The writer's
	 * (room.h).
	 */
	size_t disk_end;
	/* See lk_store_folded(). */
	_Atomic int64_t folded_us;
};

/* Whether this is a forked child, in which what is LMDB's must be left alone: it is the parent's. */
static inline bool lk_store_is_forked(const struct lk_store *store)
{
	return store->attachment != NULL && store->attachment->mark != NULL &&
	       atomic_load_explicit(store->attachment->mark, memory_order_relaxed) == LK_MARK_FORKED;
}

#endif

/*
 * What the files of server/store share and nobody else sees.
 */
#ifndef LK_SERVER_STORE_STORE_INTERNAL_H
#define LK_SERVER_STORE_STORE_INTERNAL_H

#include <lmdb.h>

#include "server/store/store.h"
#include "server/store/table.h"

struct lk_store {
	/* The data directory, held open. */
	int dir;
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

#endif

/*
 * Room: 64 MiB of the map and of the disk are held back, so that keys can be revoked and deleted where a store is full.
 *
 * Of a map under 512 MiB it is an eighth. What LMDB will write cannot be known before: each mutation is taken for the most
 * that it may need. Where the file system cannot set disk aside, the map's part alone is held back.
 */
#ifndef LK_SERVER_STORE_ROOM_H
#define LK_SERVER_STORE_ROOM_H

#include <stdbool.h>
#include <stddef.h>

#include "server/store/store.h"

/*
 * Whether `mutations` on top of the committed state leave alone what is held back; sets disk aside for it as the store grows.
 * The writer's thread alone. May block on the disk.
 */
bool lk_room_left(struct lk_store *store, size_t mutations);

#endif

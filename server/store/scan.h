/*
 * Scans of tenants, keyspaces, roles and owners, from any position on; of keys, see key_scan.h. A scan holds no transaction
 * open between pages: a page ends with an id, or an owner's position, and the next begins behind it.
 */
#ifndef LK_SERVER_STORE_SCAN_H
#define LK_SERVER_STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/arena.h"
#include "server/store/txn.h"

/* A scan of tenants, or of the keyspaces or roles of a tenant, by id. */
struct lk_id_scan;

/* Scans from behind the id `after` on ("": from the first). NULL where an error sticks. Freed before its transaction ends. */
struct lk_id_scan *lk_tenant_scan_new(struct lk_txn *txn, const char *after);
struct lk_id_scan *lk_keyspace_scan_new(struct lk_txn *txn, uint32_t tenant, const char *after);
struct lk_id_scan *lk_role_scan_new(struct lk_txn *txn, uint32_t tenant, const char *after);
void lk_id_scan_free(struct lk_id_scan *scan);
/* The next tenant's, keyspace's or role's number; false at the end, and where an error sticks. Takes NULL. */
bool lk_id_scan_next(struct lk_id_scan *scan, uint32_t *ret_number);

/* A scan of the owners of a tenant that have limits, in the order of the hashes of their names. */
struct lk_owner_scan;

/* Where an owner stands: a hash. */
#define LK_OWNER_POSITION_LEN 16

/* Scans from behind `after` on (NULL: from the first). NULL where an error sticks. Freed before its transaction ends. */
struct lk_owner_scan *lk_owner_scan_new(struct lk_txn *txn, uint32_t tenant, const uint8_t *after);
void lk_owner_scan_free(struct lk_owner_scan *scan);
/* The next owner, in the arena, and where it stands; NULL at the end, and where an error sticks. Takes NULL. */
Latchkey__Store__OwnerRecord *lk_owner_scan_next(
	struct lk_owner_scan *scan, struct lk_arena *arena, uint8_t ret_position[static LK_OWNER_POSITION_LEN]);

#endif

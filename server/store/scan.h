/*
 * Scans of tenants and keyspaces, by id, from any position on; of keys, see key_scan.h. A scan holds no transaction open between
 * pages: a page ends with an id, and the next begins behind it.
 */
#ifndef LK_SERVER_STORE_SCAN_H
#define LK_SERVER_STORE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/txn.h"

/* A scan of tenants, or of the keyspaces of a tenant, by id. */
struct lk_id_scan;

/* Scans from behind the id `after` on ("": from the first). NULL where an error sticks. Freed before its transaction ends. */
struct lk_id_scan *lk_tenant_scan_new(struct lk_txn *txn, const char *after);
struct lk_id_scan *lk_keyspace_scan_new(struct lk_txn *txn, uint32_t tenant, const char *after);
void lk_id_scan_free(struct lk_id_scan *scan);
/* The next tenant's or keyspace's number; false at the end, and where an error sticks. Takes NULL. */
bool lk_id_scan_next(struct lk_id_scan *scan, uint32_t *ret_number);

#endif

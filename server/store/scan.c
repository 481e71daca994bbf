#include "server/store/scan.h"

#include <stdlib.h>
#include <string.h>

struct lk_id_scan {
	struct lk_txn *txn;
	struct lk_walk *walk;
	struct lk_key prefix;
	struct lk_key after;
	bool started;
};

static struct lk_id_scan *id_scan_new(
	struct lk_txn *txn, enum lk_table table, const struct lk_key *prefix, const char *after)
{
	struct lk_walk *walk = lk_walk_new(txn, table);
	struct lk_id_scan *scan = calloc(1, sizeof *scan);
	size_t len = strlen(after);

	if (walk == NULL || scan == NULL || prefix->len + len + 1 > LK_KEY_MAX) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		lk_walk_free(walk);
		free(scan);
		return NULL;
	}
	scan->txn = txn;
	scan->walk = walk;
	scan->prefix = *prefix;
	/* The id and a NUL is the least key behind the id. */
	scan->after = *prefix;
	memcpy(scan->after.data + prefix->len, after, len + 1);
	scan->after.len += len == 0 ? 0 : len + 1;
	return scan;
}

struct lk_id_scan *lk_tenant_scan_new(struct lk_txn *txn, const char *after)
{
	struct lk_key none = {0};

	return id_scan_new(txn, LK_TABLE_TENANT_BY_ID, &none, after);
}

struct lk_id_scan *lk_keyspace_scan_new(struct lk_txn *txn, uint32_t tenant, const char *after)
{
	struct lk_key prefix = lk_key_u32(tenant);

	return id_scan_new(txn, LK_TABLE_KEYSPACE_BY_ID, &prefix, after);
}

struct lk_id_scan *lk_role_scan_new(struct lk_txn *txn, uint32_t tenant, const char *after)
{
	struct lk_key prefix = lk_key_u32(tenant);

	return id_scan_new(txn, LK_TABLE_ROLE_BY_ID, &prefix, after);
}

void lk_id_scan_free(struct lk_id_scan *scan)
{
	if (scan != NULL) {
		lk_walk_free(scan->walk);
		free(scan);
	}
}

bool lk_id_scan_next(struct lk_id_scan *scan, uint32_t *ret_number)
{
	if (scan == NULL) {
		return false;
	}
	bool more = scan->started ? lk_walk_next(scan->walk) : lk_walk_seek(scan->walk, &scan->after);
	scan->started = true;
	if (!more || !lk_walk_in(scan->walk, &scan->prefix)) {
		return false;
	}
	struct lk_value value = lk_walk_value(scan->walk);
	if (value.len != sizeof(uint32_t)) {
		lk_txn_fail(scan->txn, LK_CORRUPT);
		return false;
	}
	*ret_number = lk_read_u32(value.data);
	return true;
}

struct lk_owner_scan {
	struct lk_txn *txn;
	struct lk_walk *walk;
	struct lk_key prefix;
	struct lk_key after;
	bool started;
};

struct lk_owner_scan *lk_owner_scan_new(struct lk_txn *txn, uint32_t tenant, const uint8_t *after)
{
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_OWNER);
	struct lk_owner_scan *scan = calloc(1, sizeof *scan);

	if (walk == NULL || scan == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		lk_walk_free(walk);
		free(scan);
		return NULL;
	}
	*scan = (struct lk_owner_scan){txn, walk, lk_key_u32(tenant), lk_key_u32(tenant), false};
	if (after != NULL) {
		/* The position and a NUL is the least key behind it. */
		memcpy(scan->after.data + scan->after.len, after, LK_OWNER_POSITION_LEN);
		scan->after.data[scan->after.len + LK_OWNER_POSITION_LEN] = 0;
		scan->after.len += LK_OWNER_POSITION_LEN + 1;
	}
	return scan;
}

void lk_owner_scan_free(struct lk_owner_scan *scan)
{
	if (scan != NULL) {
		lk_walk_free(scan->walk);
		free(scan);
	}
}

Latchkey__Store__OwnerRecord *lk_owner_scan_next(
	struct lk_owner_scan *scan, struct lk_arena *arena, uint8_t ret_position[static LK_OWNER_POSITION_LEN])
{
	if (scan == NULL) {
		return NULL;
	}
	bool more = scan->started ? lk_walk_next(scan->walk) : lk_walk_seek(scan->walk, &scan->after);
	scan->started = true;
	if (!more || !lk_walk_in(scan->walk, &scan->prefix)) {
		return NULL;
	}
	struct lk_value key = lk_walk_key(scan->walk);
	struct lk_value value = lk_walk_value(scan->walk);
	if (key.len != scan->prefix.len + LK_OWNER_POSITION_LEN) {
		lk_txn_fail(scan->txn, LK_CORRUPT);
		return NULL;
	}
	Latchkey__Store__OwnerRecord *owner = latchkey__store__owner_record__unpack(
		&arena->allocator, value.len, value.data);
	if (owner == NULL) {
		lk_txn_fail(scan->txn, arena->exhausted ? LK_NO_MEMORY : LK_CORRUPT);
		return NULL;
	}
	memcpy(ret_position, key.data + scan->prefix.len, LK_OWNER_POSITION_LEN);
	return owner;
}

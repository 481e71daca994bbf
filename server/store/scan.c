#include "server/store/scan.h"

#include <stdlib.h>
#include <string.h>

struct source {
	struct lk_walk *walk;
	struct lk_key prefix;
	struct lk_key_position at;
};

/* `heap` is a binary heap of the sources that stand on a key, the least first. */
struct lk_key_scan {
	struct lk_txn *txn;
	struct source *sources;
	size_t count;
	struct source **heap;
	size_t heap_len;
};

static bool before(const struct source *a, const struct source *b)
{
	if (a->at.create_us != b->at.create_us) {
		return a->at.create_us < b->at.create_us;
	}
	return a->at.slot < b->at.slot;
}

static void swap(struct source **a, struct source **b)
{
	struct source *other = *a;

	*a = *b;
	*b = other;
}

static void sift_down(struct lk_key_scan *scan, size_t at)
{
	for (;;) {
		size_t least = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < scan->heap_len; child++) {
			least = before(scan->heap[child], scan->heap[least]) ? child : least;
		}
		if (least == at) {
			return;
		}
		swap(&scan->heap[at], &scan->heap[least]);
		at = least;
	}
}

/* Reads where the source's walk stands; false where that is no longer in its keyspace. */
static bool read_position(struct lk_key_scan *scan, struct source *source)
{
	if (!lk_walk_in(source->walk, &source->prefix)) {
		return false;
	}
	struct lk_value key = lk_walk_key(source->walk);
	if (key.len != LK_KEY_BY_CREATE_LEN) {
		lk_txn_fail(scan->txn, LK_CORRUPT);
		return false;
	}
	source->at.create_us = (int64_t)lk_read_u64(key.data + sizeof(uint32_t));
	source->at.slot = lk_read_u64(key.data + sizeof(uint32_t) + sizeof(uint64_t));
	return true;
}

static void open_source(
	struct lk_key_scan *scan, struct source *source, uint32_t keyspace, const struct lk_key_position *after)
{
	/* Slots are never 2^64 - 1, so that the next one is the first key behind. */
	struct lk_key from = lk_key_by_create(keyspace, after->create_us, after->slot + 1);

	source->prefix = lk_key_u32(keyspace);
	source->walk = lk_walk_new(scan->txn, LK_TABLE_KEY_BY_CREATE);
	if (lk_walk_seek(source->walk, &from) && read_position(scan, source)) {
		scan->heap[scan->heap_len++] = source;
	}
}

struct lk_key_scan *lk_key_scan_new(
	struct lk_txn *txn, const uint32_t *keyspaces, size_t count, const struct lk_key_position *after)
{
	struct lk_key_scan *scan = calloc(1, sizeof *scan);

	if (scan != NULL) {
		scan->txn = txn;
		scan->sources = calloc(count + 1, sizeof *scan->sources);
		scan->heap = calloc(count + 1, sizeof *scan->heap);
	}
	if (scan == NULL || scan->sources == NULL || scan->heap == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		lk_key_scan_free(scan);
		return NULL;
	}
	for (size_t i = 0; i < count && lk_txn_err(txn) == LK_OK; i++) {
		open_source(scan, &scan->sources[i], keyspaces[i], after);
		scan->count = i + 1;
	}
	for (size_t i = scan->heap_len / 2; i-- > 0;) {
		sift_down(scan, i);
	}
	return scan;
}

void lk_key_scan_free(struct lk_key_scan *scan)
{
	if (scan == NULL) {
		return;
	}
	for (size_t i = 0; i < scan->count; i++) {
		lk_walk_free(scan->sources[i].walk);
	}
	free(scan->sources);
	free(scan->heap);
	free(scan);
}

bool lk_key_scan_next(struct lk_key_scan *scan, struct lk_key_position *ret_position)
{
	if (scan == NULL || scan->heap_len == 0 || lk_txn_err(scan->txn) != LK_OK) {
		return false;
	}
	struct source *least = scan->heap[0];
	*ret_position = least->at;
	if (!lk_walk_next(least->walk) || !read_position(scan, least)) {
		scan->heap[0] = scan->heap[--scan->heap_len];
	}
	sift_down(scan, 0);
	return true;
}

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

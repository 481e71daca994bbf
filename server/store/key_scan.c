#include "server/store/key_scan.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/key_source.h"

/* `heap` is a binary heap of the sources that stand on a key; the one that comes first leads. */
struct lk_key_scan {
	struct lk_txn *txn;
	struct lk_key_range range;
	char *text;
	struct lk_key_source *sources;
	size_t count;
	struct lk_key_source **heap;
	size_t heap_len;
	/* The leader was told. */
	bool told;
};

static bool before(const struct lk_key_scan *scan, const struct lk_key_source *a, const struct lk_key_source *b)
{
	int order = lk_key_source_compare(a, b);

	return scan->range.descending ? order > 0 : order < 0;
}

static void swap(struct lk_key_source **a, struct lk_key_source **b)
{
	struct lk_key_source *other = *a;

	*a = *b;
	*b = other;
}

static void sift_down(struct lk_key_scan *scan, size_t at)
{
	for (;;) {
		size_t first = at;
		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < scan->heap_len; child++) {
			first = before(scan, scan->heap[child], scan->heap[first]) ? child : first;
		}
		if (first == at) {
			return;
		}
		swap(&scan->heap[at], &scan->heap[first]);
		at = first;
	}
}

/* The one text that a range of its index has, copied; "" of an index that has none. NULL without memory. */
static char *copy_text(const struct lk_key_range *range)
{
	const char *text = range->index == LK_KEYS_BY_OWNER ? range->owner : range->name_prefix;

	return strdup(text == NULL ? "" : text);
}

static struct lk_key_scan *allocate(const struct lk_key_range *range, size_t count)
{
	struct lk_key_scan *scan = calloc(1, sizeof *scan);

	if (scan == NULL) {
		return NULL;
	}
	scan->text = copy_text(range);
	scan->sources = calloc(count + 1, sizeof *scan->sources);
	scan->heap = calloc(count + 1, sizeof *scan->heap);
	if (scan->text == NULL || scan->sources == NULL || scan->heap == NULL) {
		lk_key_scan_free(scan);
		return NULL;
	}
	scan->range = *range;
	scan->range.owner = scan->text;
	scan->range.name_prefix = scan->text;
	return scan;
}

struct lk_key_scan *lk_key_scan_new(struct lk_txn *txn, const struct lk_key_range *range, const uint32_t *keyspaces,
	size_t count, const struct lk_key_position *after)
{
	if (!lk_key_position_is(range, after)) {
		lk_txn_fail(txn, LK_INVALID_ARGUMENT);
		return NULL;
	}
	struct lk_key_scan *scan = allocate(range, count);
	if (scan == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return NULL;
	}
	scan->txn = txn;
	for (size_t i = 0; i < count && lk_txn_err(txn) == LK_OK; i++) {
		struct lk_key_source *source = &scan->sources[i];
		source->place = i;
		scan->count = i + 1;
		if (lk_key_source_open(source, txn, &scan->range, keyspaces[i], after)) {
			scan->heap[scan->heap_len++] = source;
		}
	}
	if (lk_txn_err(txn) != LK_OK) {
		lk_key_scan_free(scan);
		return NULL;
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
		lk_key_source_close(&scan->sources[i]);
	}
	free(scan->text);
	free(scan->sources);
	free(scan->heap);
	free(scan);
}

/* Moves the leader on, which was told. */
static void advance(struct lk_key_scan *scan)
{
	if (!lk_key_source_next(scan->heap[0])) {
		scan->heap[0] = scan->heap[--scan->heap_len];
	}
	sift_down(scan, 0);
}

bool lk_key_scan_next(struct lk_key_scan *scan, struct lk_key_row *ret_row)
{
	if (scan == NULL) {
		return false;
	}
	if (scan->told) {
		advance(scan);
		scan->told = false;
	}
	if (scan->heap_len == 0 || lk_txn_err(scan->txn) != LK_OK) {
		return false;
	}
	const struct lk_key_source *leader = scan->heap[0];
	*ret_row = (struct lk_key_row){leader->slot, lk_key_source_at(leader), leader->place};
	scan->told = true;
	return true;
}

void lk_key_scan_position(const struct lk_key_scan *scan, struct lk_key_position *ret_position)
{
	const struct lk_key_source *leader = scan->heap[0];
	uint64_t slot = htobe64(leader->slot);

	memcpy(ret_position->data, leader->head, leader->head_len);
	memcpy(ret_position->data + leader->head_len, &slot, sizeof slot);
	ret_position->len = leader->head_len + sizeof slot;
}

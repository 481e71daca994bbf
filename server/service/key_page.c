#include "server/service/key_page.h"

#include <sodium.h>
#include <string.h>

#include "server/service/access.h"
#include "server/service/cursor.h"
#include "server/store/find.h"

#define HASH_LEN 16

/* What a cursor holds: which index it was made for, and a position in it. */
struct sealed_position {
	uint8_t index;
	uint8_t data[LK_KEY_POSITION_MAX];
};

_Static_assert(sizeof(struct sealed_position) <= LK_CURSOR_POSITION_MAX, "a position fits into a cursor");

/* The filter as a text of its own: a hash of the message. NULL where the arena is exhausted. */
static const char *name_filter(struct lk_request *request, const Latchkey__V1__KeyFilter *filter)
{
	uint8_t hash[HASH_LEN] = {0};
	size_t len = filter == NULL ? 0 : protobuf_c_message_get_packed_size(&filter->base);
	uint8_t *packed = lk_arena_alloc(request->arena, len + 1);
	char *text = lk_arena_alloc(request->arena, 2 * HASH_LEN + 1);

	if (packed == NULL || text == NULL) {
		return NULL;
	}
	if (filter != NULL) {
		(void)protobuf_c_message_pack(&filter->base, packed);
	}
	crypto_generichash(hash, sizeof hash, packed, len, NULL, 0);
	return sodium_bin2hex(text, 2 * HASH_LEN + 1, hash, sizeof hash);
}

/* Goes on where the cursor says. The plan is the first page's: meanwhile it may have changed. */
static void open_cursor(struct lk_request *request, const struct lk_key_query *query, const struct lk_key_order *order,
	struct lk_key_page *page)
{
	struct sealed_position sealed = {0};
	enum lk_key_index index = lk_key_plan(&page->filter, order, lk_store_folded(request->store));
	size_t len = 0;

	lk_cursor_open(request, query->page_token, page->binding, &sealed, sizeof sealed, &len);
	if (len > 1 && sealed.index < LK_KEYS_INDEX_COUNT) {
		index = (enum lk_key_index)sealed.index;
		page->position.len = len - 1;
		memcpy(page->position.data, sealed.data, len - 1);
	}
	page->range = lk_key_plan_range(&page->filter, index, order->descending);
}

enum lk_err lk_key_page_open(struct lk_request *request, const struct lk_key_query *query, struct lk_key_page *ret_page)
{
	struct lk_key_page page = {0};
	struct lk_key_order order = {0};

	enum lk_err err = lk_access_tenant(request, query->tenant, &page.tenant);
	if (err == LK_OK) {
		err = lk_key_filter_check(request, page.tenant, query->filter, &page.filter);
	}
	if (err != LK_OK) {
		return err;
	}
	lk_key_order_read(&request->faults, query->order_by, &order);
	page.size = lk_cursor_page_size_or(request, query->page_size, query->page_size_default);
	const char *filter = name_filter(request, query->filter);
	page.binding = filter == NULL ? NULL
				      : lk_arena_printf(request->arena, "%s\n%s\n%s\n%s\n%s",
						page.tenant == NULL ? "" : page.tenant->id, filter, order.text,
						query->kind, page.filter.owner);
	if (page.binding == NULL) {
		return LK_NO_MEMORY;
	}
	open_cursor(request, query, &order, &page);
	err = lk_request_check(request);
	if (err == LK_OK && page.tenant == NULL) {
		err = lk_access_no_tenant(request, query->tenant);
	}
	if (err == LK_OK) {
		err = lk_spaces_select(request, page.tenant, &page.filter, &page.spaces);
	}
	if (err == LK_OK) {
		*ret_page = page;
	}
	return err;
}

/* A page on its way. */
struct filling {
	struct lk_request *request;
	const struct lk_key_page *page;
	lk_key_page_row make_row;
	struct lk_key_scan *scan;
	struct lk_walk *keys;
	ProtobufCMessage **rows;
	size_t count;
	size_t bytes;
	bool full;
};

/* Whether a key that the scan came to passes. One that is gone does not. */
static bool passes(struct filling *filling, const struct lk_key_row *row)
{
	struct lk_request *request = filling->request;
	const struct lk_key_filter *filter = &filling->page->filter;
	struct lk_key_peek key = {0};

	if (!lk_key_peek_at(request->txn, filling->keys, row->slot, (filter->asks & LK_ASK_RIGHTS) != 0, &key)) {
		if (filling->page->range.index != LK_KEYS_BY_USED) {
			lk_txn_fail(request->txn, LK_CORRUPT);
		}
		return false;
	}
	return lk_key_filter_match(request, filter, LK_ASK_ALL, &key);
}

/* Adds the row of a key that passes. False where it failed, or where the page has no room for it. */
static bool add_row(struct filling *filling, const struct lk_key_row *row)
{
	struct lk_request *request = filling->request;
	const char *keyspace = filling->page->spaces.ids[row->keyspace];
	const Latchkey__Store__KeyRecord *record = lk_find_key_by_slot(request->txn, request->arena, row->slot);
	ProtobufCMessage *message = record == NULL ? NULL : filling->make_row(request, filling->page, record, keyspace);

	if (message == NULL || request->arena->exhausted) {
		lk_txn_fail(request->txn, LK_NO_MEMORY);
		return false;
	}
	/* A tag and a length stand before it. */
	filling->bytes += protobuf_c_message_get_packed_size(message) + 8;
	filling->full = filling->bytes > LK_PAGE_BYTES_MAX;
	if (!filling->full) {
		filling->rows[filling->count++] = message;
	}
	return !filling->full;
}

/* Fills the page up to its bounds; `position` is then behind its last row. Returns whether there are keys behind it. */
static bool fill(struct filling *filling, struct lk_key_position *position)
{
	struct lk_key_row row = {0};

	for (size_t examined = 0; lk_key_scan_next(filling->scan, &row); examined++) {
		if (examined == LK_PAGE_EXAMINE_MAX || filling->count == filling->page->size) {
			return true;
		}
		if (passes(filling, &row) && !add_row(filling, &row)) {
			return filling->full;
		}
		lk_key_scan_position(filling->scan, position);
	}
	return false;
}

static char *seal_position(
	struct lk_request *request, const struct lk_key_page *page, const struct lk_key_position *position)
{
	struct sealed_position sealed = {.index = (uint8_t)page->range.index};

	memcpy(sealed.data, position->data, position->len);
	return lk_cursor_seal(request, page->binding, &sealed, 1 + position->len);
}

enum lk_err lk_key_page_fill(struct lk_request *request, const struct lk_key_page *page, lk_key_page_row make_row,
	ProtobufCMessage ***ret_rows, size_t *ret_count, char **ret_token)
{
	struct lk_key_position position = page->position;
	struct filling filling = {.request = request, .page = page, .make_row = make_row};
	char *token = (char *)(uintptr_t) "";

	filling.rows = lk_arena_array(request->arena, page->size, sizeof *filling.rows);
	if (filling.rows == NULL) {
		return LK_NO_MEMORY;
	}
	filling.keys = lk_walk_new(request->txn, LK_TABLE_KEY);
	filling.scan = lk_key_scan_new(
		request->txn, &page->range, page->spaces.numbers, page->spaces.count, &page->position);
	bool more = fill(&filling, &position);
	lk_key_scan_free(filling.scan);
	lk_walk_free(filling.keys);
	enum lk_err err = lk_request_check(request);
	if (err == LK_OK && more) {
		token = seal_position(request, page, &position);
		err = token == NULL ? LK_NO_MEMORY : LK_OK;
	}
	if (err != LK_OK) {
		return err;
	}
	*ret_rows = filling.rows;
	*ret_count = filling.count;
	*ret_token = token;
	return LK_OK;
}

#include "server/service/cursor.h"
#include "server/service/key_handlers.h"
#include "server/service/key_page.h"
#include "server/service/view.h"

static ProtobufCMessage *make_row(struct lk_request *request, const struct lk_key_page *page,
	const Latchkey__Store__KeyRecord *record, const char *keyspace)
{
	Latchkey__V1__Key *row = lk_arena_alloc(request->arena, sizeof *row);

	if (row == NULL) {
		return NULL;
	}
	latchkey__v1__key__init(row);
	lk_view_key(request, record, page->tenant->id, keyspace, row);
	return &row->base;
}

enum lk_err lk_key_list(struct lk_request *request, const Latchkey__V1__ListKeysRequest *message,
	Latchkey__V1__ListKeysResponse *response)
{
	const struct lk_key_query query = {
		.tenant = message->tenant,
		.filter = message->filter,
		.order_by = message->order_by,
		.page_size = message->page_size,
		.page_size_default = LK_PAGE_DEFAULT,
		.page_token = message->page_token,
		.kind = "",
	};
	struct lk_key_page page = {0};
	bool renewed = false;

	enum lk_err err = lk_key_page_open(request, &query, &page);
	if (err == LK_OK) {
		err = lk_key_count(
			request, &page.spaces, &page.filter, message->count_total, &response->total_size, &renewed);
	}
	/* The answer is of one state, and that is now another. */
	if (err == LK_OK && renewed) {
		err = lk_key_page_open(request, &query, &page);
	}
	if (err != LK_OK) {
		return err;
	}
	ProtobufCMessage **rows = NULL;
	err = lk_key_page_fill(request, &page, make_row, &rows, &response->n_keys, &response->next_page_token);
	response->keys = (Latchkey__V1__Key **)(void *)rows;
	return err;
}

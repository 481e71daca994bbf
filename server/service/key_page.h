/*
 * Pages of keys: what List and Export have in common. A page has at most as many rows as were asked for, LK_PAGE_BYTES_MAX
 * bytes of them, and looks at no more than LK_PAGE_EXAMINE_MAX keys: it may be short, even empty, and not be the last.
 */
#ifndef LK_SERVER_SERVICE_KEY_PAGE_H
#define LK_SERVER_SERVICE_KEY_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/service/key_filter.h"
#include "server/service/key_plan.h"
#include "server/service/key_select.h"
#include "server/service/request.h"
#include "server/store/key_scan.h"

/* What a page is asked for with. */
struct lk_key_query {
	const char *tenant;
	/* May be NULL. */
	const Latchkey__V1__KeyFilter *filter;
	const char *order_by;
	int32_t page_size;
	size_t page_size_default;
	const char *page_token;
	/* What else the cursor is bound to; no blanks. */
	const char *kind;
};

/* A page that is about to be filled. In the request's arena. */
struct lk_key_page {
	Latchkey__Store__TenantRecord *tenant;
	struct lk_key_filter filter;
	struct lk_spaces spaces;
	size_t size;
	/* What its cursors are bound to beside the caller and the method. */
	const char *binding;
	struct lk_key_range range;
	struct lk_key_position position;
};

/*
 * Checks the query, every fault of it gathered, and finds where its page begins. May be called again where request->txn was
 * renewed. LK_INVALID_ARGUMENT, LK_PERMISSION_DENIED, LK_NOT_FOUND: the tenant, or the filter's keyspace.
 */
LK_MUST_CHECK enum lk_err lk_key_page_open(
	struct lk_request *request, const struct lk_key_query *query, struct lk_key_page *ret_page);

/*
 * Makes the row of a key, in the request's arena; NULL where that is exhausted. `keyspace`: its id.
 */
typedef ProtobufCMessage *(*lk_key_page_row)(struct lk_request *request, const struct lk_key_page *page,
	const Latchkey__Store__KeyRecord *record, const char *keyspace);

/*
 * Fills the page: stores its rows, how many there are, and the cursor of the next page, "" on the last.
 * LK_NO_MEMORY, and what sticks to the transaction.
 */
LK_MUST_CHECK enum lk_err lk_key_page_fill(struct lk_request *request, const struct lk_key_page *page,
	lk_key_page_row make_row, ProtobufCMessage ***ret_rows, size_t *ret_count, char **ret_token);

#endif

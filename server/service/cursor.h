/*
 * Cursors: where the next page begins, sealed. A cursor is good for the caller, the method and the filter that it was made for,
 * and for nothing else; it holds no transaction open, and does not expire.
 */
#ifndef LK_SERVER_SERVICE_CURSOR_H
#define LK_SERVER_SERVICE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/service/request.h"
#include "server/store/scan.h"

#define LK_PAGE_DEFAULT 100
#define LK_PAGE_MAX     1000
/* The most rows that one page looks at. */
#define LK_PAGE_EXAMINE_MAX 20000
/* The most bytes of rows in one page: leaves room in a reply of 1 MiB for the envelope and the cursor. */
#define LK_PAGE_BYTES_MAX (((size_t)1 << 20) - ((size_t)8 << 10))
/* So many leave room for one more row that has at most 16 KiB. */
#define LK_PAGE_BYTES_FULL (LK_PAGE_BYTES_MAX - ((size_t)16 << 10))

/* The rows that a page may have: `page_size`, or the default for 0. A fault of "page_size" where it is out of range. */
size_t lk_cursor_page_size(struct lk_request *request, int32_t page_size);
/* The same, where the default is `otherwise`. */
size_t lk_cursor_page_size_or(struct lk_request *request, int32_t page_size, size_t otherwise);

/* The longest position: it and what sealing adds make a page_token of 651 characters, of the 1,024 that one may have. */
#define LK_CURSOR_POSITION_MAX 448

/*
 * Seals `len` bytes of position, at most LK_CURSOR_POSITION_MAX, bound to `filter` beside the caller and the method. NULL where
 * the arena is exhausted.
 */
char *lk_cursor_seal(struct lk_request *request, const char *filter, const void *position, size_t len);

/*
 * Opens `token` into `ret_position`, of `size` bytes, and stores how many it has. An empty token is the first page: 0 bytes.
 * One that is no cursor, or that of another caller or filter, is a fault of "page_token", and gives 0 bytes too.
 */
void lk_cursor_open(struct lk_request *request, const char *token, const char *filter, void *ret_position, size_t size,
	size_t *ret_len);

/* A page of what one tenant has, as a request asks for it. */
struct lk_tenant_page {
	Latchkey__Store__TenantRecord *tenant;
	size_t size;
	/* How many bytes the position has; 0: the first page. */
	size_t position_len;
};

/*
 * Finds the tenant that `given` names, and opens the page of its list; its filter is the tenant's id. `ret_position` has
 * `size` bytes, and keeps what it holds where it is the first page. LK_INVALID_ARGUMENT with every fault,
 * LK_PERMISSION_DENIED, LK_NOT_FOUND.
 */
LK_MUST_CHECK enum lk_err lk_cursor_open_tenant(struct lk_request *request, const char *given, int32_t page_size,
	const char *token, void *ret_position, size_t size, struct lk_tenant_page *ret_page);

/* The rows of a list by id, as one service makes them. */
struct lk_id_rows {
	/*
	 * Reads the record of this number, stores its id, and where the caller is granted it adds its row to the response.
	 * False: it failed, and the error sticks to the transaction or the arena.
	 */
	bool (*add)(struct lk_request *request, void *context, uint32_t number, const char **ret_id);
	void *context;
	/* How many rows the response has. */
	const size_t *count;
	/* How many bytes they have, packed; NULL of rows that are small. At LK_PAGE_BYTES_FULL the page is full. */
	const size_t *bytes;
};

/*
 * Fills a page from `scan`, which it frees: `page_size` rows, or fewer where the list ends, the page is full or
 * LK_PAGE_EXAMINE_MAX were looked at. Returns the cursor of the next page; NULL at the end, and where it failed.
 */
char *lk_cursor_fill(struct lk_request *request, struct lk_id_scan *scan, size_t page_size, const char *filter,
	const struct lk_id_rows *rows);

#endif

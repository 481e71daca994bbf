#include <sodium.h>

#include "server/service/audit_filter.h"
#include "server/service/audit_view.h"
#include "server/service/cursor.h"
#include "server/service/services.h"
#include "server/store/audit_scan.h"
#include "server/store/chain.h"

/* What one record may unpack to; most take one or two kilobytes. */
#define SCRATCH_FIRST ((size_t)16 << 10)
#define SCRATCH_CAP   ((size_t)4 << 20)

/* A page in the making. */
struct page {
	struct lk_request *request;
	const struct lk_audit_filter *filter;
	/* For the record that is looked at: thousands of them would not fit into the request's own. */
	struct lk_arena scratch;
	/* The records that may be on this page: `last` is the next to be looked at, and below `first` when there is none left. */
	uint64_t first;
	uint64_t last;
	size_t size;
	size_t bytes;
	Latchkey__V1__ListAuditRecordsResponse *response;
};

/* Adds a record's row; false where the page has no room for it. */
static bool add_row(struct page *page, uint64_t number)
{
	struct lk_request *request = page->request;
	/* Once more, to stay: few of those that are looked at do. */
	const Latchkey__Store__AuditRecord *record = lk_audit_find(request->txn, request->arena, number);
	Latchkey__V1__AuditRecord *view = lk_arena_alloc(request->arena, sizeof *view);

	if (record == NULL || view == NULL) {
		lk_txn_fail(request->txn, LK_NO_MEMORY);
		return false;
	}
	latchkey__v1__audit_record__init(view);
	lk_audit_view(request, record, view);
	page->bytes += latchkey__v1__audit_record__get_packed_size(view) + 8;
	if (page->bytes > LK_PAGE_BYTES_MAX) {
		return false;
	}
	page->response->records[page->response->n_records++] = view;
	return true;
}

/* Looks at one record; false where it belongs on the page, and that is full. */
static bool look_at(struct page *page, uint64_t number)
{
	lk_arena_reset(&page->scratch);
	const Latchkey__Store__AuditRecord *record = lk_audit_find(page->request->txn, &page->scratch, number);

	if (record == NULL || !lk_audit_filter_matches(page->filter, record) ||
		!lk_audit_filter_allows(page->request, record)) {
		return true;
	}
	return page->response->n_records < page->size && add_row(page, number);
}

static void fill_page(struct page *page, uint64_t slot)
{
	struct lk_audit_scan *scan = lk_audit_scan_new(page->request->txn, slot, page->last);
	uint64_t number = 0;

	for (size_t examined = 0; page->last >= page->first && examined < LK_PAGE_EXAMINE_MAX; examined++) {
		if (!lk_audit_scan_next(scan, &number) || number < page->first) {
			page->last = page->first - 1;
		} else if (look_at(page, number)) {
			page->last = number - 1;
		} else {
			page->last = number;
			break;
		}
	}
	lk_audit_scan_free(scan);
}

/* Fills the response, and says where the next page begins. */
static enum lk_err list_range(struct page *page, uint64_t slot)
{
	struct lk_request *request = page->request;

	page->response->records = lk_arena_array(request->arena, page->size, sizeof *page->response->records);
	if (page->response->records == NULL || lk_arena_init(&page->scratch, SCRATCH_FIRST, SCRATCH_CAP) != LK_OK) {
		return LK_NO_MEMORY;
	}
	fill_page(page, slot);
	lk_arena_done(&page->scratch);
	if (page->last >= page->first) {
		page->response->next_page_token = lk_cursor_seal(
			request, page->filter->binding, &page->last, sizeof page->last);
	}
	return lk_request_check(request);
}

static enum lk_err list(struct lk_request *request, const Latchkey__V1__ListAuditRecordsRequest *message,
	Latchkey__V1__ListAuditRecordsResponse *response)
{
	struct lk_audit_filter filter = {0};
	struct page page = {.request = request, .filter = &filter, .response = response};
	uint64_t from = UINT64_MAX;
	uint64_t slot = 0;
	size_t from_len = 0;

	enum lk_err err = lk_audit_filter_read(request, message, &filter);
	if (err != LK_OK) {
		return err;
	}
	page.size = lk_cursor_page_size(request, message->page_size);
	lk_cursor_open(request, message->page_token, filter.binding, &from, sizeof from, &from_len);
	err = lk_request_check(request);
	if (err != LK_OK) {
		return err;
	}
	if (message->key[0] != '\0') {
		slot = lk_audit_key_slot(request->txn, message->key);
		/* No such key has ever been: nothing was recorded of it. */
		if (slot == 0) {
			return lk_request_check(request);
		}
	}
	lk_audit_range(request->txn, filter.start_us, filter.end_us, &page.first, &page.last);
	page.last = from < page.last ? from : page.last;
	return list_range(&page, slot);
}

static enum lk_err verify_chain(struct lk_request *request, const Latchkey__V1__VerifyAuditChainRequest *message,
	Latchkey__V1__VerifyAuditChainResponse *response)
{
	struct lk_chain_position position = {0};
	struct lk_chain_break broken = {0};
	char *hex = lk_arena_alloc(request->arena, 2 * LK_DIGEST_LEN + 1);
	size_t len = 0;

	lk_cursor_open(request, message->page_token, "", &position, sizeof position, &len);
	enum lk_err err = lk_request_check(request);
	if (err != LK_OK || hex == NULL) {
		return err != LK_OK ? err : LK_NO_MEMORY;
	}
	const struct lk_head head = *lk_txn_head(request->txn);
	bool more = lk_chain_prove(request->txn, request->arena, &position, LK_PAGE_EXAMINE_MAX, &broken);
	err = lk_request_check(request);
	if (err != LK_OK && broken.number == 0) {
		return err;
	}
	/* A store that cannot be read is what is told here, and no failure of the call. */
	response->verified_number = position.number;
	response->head_number = head.last_audit;
	response->head_hash = sodium_bin2hex(hex, 2 * LK_DIGEST_LEN + 1, head.audit_hash, LK_DIGEST_LEN);
	response->broken_number = broken.number;
	if (broken.number != 0) {
		response->broken_description = (char *)(uintptr_t)broken.description;
	}
	if (more) {
		response->next_page_token = lk_cursor_seal(request, "", &position, sizeof position);
	}
	return LK_OK;
}

const struct latchkey_v1_audit_handlers lk_audit_handlers = {
	.list = list,
	.verify_chain = verify_chain,
};

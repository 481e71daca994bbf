#include "server/service/cursor.h"

#include <sodium.h>
#include <string.h>

#include "server/core/secret.h"
#include "server/service/access.h"

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

size_t lk_cursor_page_size_or(struct lk_request *request, int32_t page_size, size_t otherwise)
{
	if (page_size < 0 || page_size > LK_PAGE_MAX) {
		lk_fault_add(&request->faults, "page_size", "%d is out of range: give 0 (for %zu) to %d", page_size,
			otherwise, LK_PAGE_MAX);
		return 0;
	}
	return page_size == 0 ? otherwise : (size_t)page_size;
}

size_t lk_cursor_page_size(struct lk_request *request, int32_t page_size)
{
	return lk_cursor_page_size_or(request, page_size, LK_PAGE_DEFAULT);
}

/* What a cursor is bound to. NULL where the arena is exhausted. */
static char *binding_of(struct lk_request *request, const char *filter)
{
	return lk_arena_printf(request->arena, "%s\n%s\n%s", request->caller.name, request->method, filter);
}

char *lk_cursor_seal(struct lk_request *request, const char *filter, const void *position, size_t len)
{
	uint8_t key[LK_SECRET_KEY_LEN] = {0};
	uint8_t sealed[LK_CURSOR_POSITION_MAX + LK_SEAL_OVERHEAD] = {0};
	size_t sealed_len = len + LK_SEAL_OVERHEAD;
	size_t text_len = sodium_base64_encoded_len(sealed_len, VARIANT);
	char *text = lk_arena_alloc(request->arena, text_len);
	const char *binding = binding_of(request, filter);

	if (text == NULL || binding == NULL || len > LK_CURSOR_POSITION_MAX) {
		return NULL;
	}
	lk_seal_subkey(lk_store_keyring(request->store), LK_SEAL_CURSOR, NULL, 0, key);
	lk_seal(key, position, len, binding, strlen(binding), sealed);
	sodium_memzero(key, sizeof key);
	sodium_bin2base64(text, text_len, sealed, sealed_len, VARIANT);
	return text;
}

static bool open_cursor(
	struct lk_request *request, const char *token, const char *filter, uint8_t *ret_plain, size_t *ret_len)
{
	uint8_t key[LK_SECRET_KEY_LEN] = {0};
	uint8_t sealed[LK_CURSOR_POSITION_MAX + LK_SEAL_OVERHEAD] = {0};
	size_t sealed_len = 0;
	const char *end = NULL;
	const char *binding = binding_of(request, filter);

	if (binding == NULL ||
		sodium_base642bin(sealed, sizeof sealed, token, strlen(token), NULL, &sealed_len, &end, VARIANT) != 0 ||
		*end != '\0' || sealed_len < LK_SEAL_OVERHEAD) {
		return false;
	}
	lk_seal_subkey(lk_store_keyring(request->store), LK_SEAL_CURSOR, NULL, 0, key);
	bool good = lk_seal_open(key, sealed, sealed_len, binding, strlen(binding), ret_plain);
	sodium_memzero(key, sizeof key);
	*ret_len = sealed_len - LK_SEAL_OVERHEAD;
	return good;
}

void lk_cursor_open(struct lk_request *request, const char *token, const char *filter, void *ret_position, size_t size,
	size_t *ret_len)
{
	uint8_t plain[LK_CURSOR_POSITION_MAX] = {0};
	size_t len = 0;

	*ret_len = 0;
	if (token[0] == '\0') {
		return;
	}
	if (!open_cursor(request, token, filter, plain, &len) || len > size) {
		lk_fault_add(&request->faults, "page_token",
			"not the next_page_token of a page of this very list: give the same caller, tenant, filter and "
			"order, or begin again without a page_token");
		return;
	}
	memcpy(ret_position, plain, len);
	*ret_len = len;
}

enum lk_err lk_cursor_open_tenant(struct lk_request *request, const char *given, int32_t page_size, const char *token,
	void *ret_position, size_t size, struct lk_tenant_page *ret_page)
{
	struct lk_tenant_page page = {0};

	enum lk_err err = lk_access_tenant(request, given, &page.tenant);
	if (err != LK_OK) {
		return err;
	}
	page.size = lk_cursor_page_size(request, page_size);
	lk_cursor_open(
		request, token, page.tenant == NULL ? "" : page.tenant->id, ret_position, size, &page.position_len);
	err = lk_request_check(request);
	if (err == LK_OK && page.tenant == NULL) {
		err = lk_access_no_tenant(request, given);
	}
	if (err == LK_OK) {
		*ret_page = page;
	}
	return err;
}

static bool is_full(const struct lk_id_rows *rows, size_t page_size)
{
	return *rows->count >= page_size || (rows->bytes != NULL && *rows->bytes >= LK_PAGE_BYTES_FULL);
}

char *lk_cursor_fill(struct lk_request *request, struct lk_id_scan *scan, size_t page_size, const char *filter,
	const struct lk_id_rows *rows)
{
	const char *last = NULL;
	uint32_t number = 0;
	bool more = true;

	for (size_t examined = 0; more && !is_full(rows, page_size) && examined < LK_PAGE_EXAMINE_MAX; examined++) {
		more = lk_id_scan_next(scan, &number) && rows->add(request, rows->context, number, &last);
	}
	lk_id_scan_free(scan);
	return more && last != NULL ? lk_cursor_seal(request, filter, last, strlen(last)) : NULL;
}

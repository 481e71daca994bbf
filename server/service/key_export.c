#include <sodium.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/secret.h"
#include "server/service/cursor.h"
#include "server/service/key_handlers.h"
#include "server/service/key_page.h"
#include "server/service/view.h"

/* NULL where the arena is exhausted. */
static char *hex_of(struct lk_arena *arena, const uint8_t *data, size_t len)
{
	char *text = lk_arena_alloc(arena, 2 * len + 1);

	return text == NULL ? NULL : sodium_bin2hex(text, 2 * len + 1, data, len);
}

static ProtobufCMessage *make_row(struct lk_request *request, const struct lk_key_page *page,
	const Latchkey__Store__KeyRecord *record, const char *keyspace)
{
	Latchkey__V1__ExportedKey *row = lk_arena_alloc(request->arena, sizeof *row);
	Latchkey__V1__Key *key = lk_arena_alloc(request->arena, sizeof *key);

	if (row == NULL || key == NULL) {
		return NULL;
	}
	latchkey__v1__exported_key__init(row);
	latchkey__v1__key__init(key);
	lk_view_key(request, record, page->tenant->id, keyspace, key);
	row->key = key;
	return &row->base;
}

static ProtobufCMessage *make_row_with_digest(struct lk_request *request, const struct lk_key_page *page,
	const Latchkey__Store__KeyRecord *record, const char *keyspace)
{
	ProtobufCMessage *message = make_row(request, page, record, keyspace);
	char *digest = hex_of(request->arena, record->digest.data, record->digest.len);

	if (message == NULL || digest == NULL) {
		return NULL;
	}
	Latchkey__V1__ExportedKey *row = (Latchkey__V1__ExportedKey *)message;
	if (record->secret_kind == LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256) {
		row->blake2b_of_sha256 = digest;
	} else {
		row->blake2b = digest;
	}
	return message;
}

/* Names the verify.key. NULL where the arena is exhausted. */
static char *name_verify_key(struct lk_request *request)
{
	uint8_t check[LK_DIGEST_LEN] = {0};

	lk_key_check_value(lk_store_keyring(request->store)->verify_key, check);
	return hex_of(request->arena, check, sizeof check);
}

enum lk_err lk_key_export(struct lk_request *request, const Latchkey__V1__ExportKeysRequest *message,
	Latchkey__V1__ExportKeysResponse *response)
{
	const struct lk_key_query query = {
		.tenant = message->tenant,
		.filter = message->filter,
		.order_by = "create_time",
		.page_size = message->page_size,
		.page_size_default = LK_PAGE_MAX,
		.page_token = message->page_token,
		.kind = message->include_digests ? "digests" : "",
	};
	struct lk_key_page page = {0};
	ProtobufCMessage **rows = NULL;

	enum lk_err err = lk_key_page_open(request, &query, &page);
	if (err != LK_OK) {
		return err;
	}
	if (message->include_digests && strcmp(page.tenant->id, LK_TENANT_SYSTEM) == 0) {
		lk_fault_add(&request->faults, "include_digests",
			"the digests of root keys are never told: leave it out, or choose another tenant");
		return lk_request_check(request);
	}
	if (message->include_digests) {
		response->verify_key = name_verify_key(request);
		if (response->verify_key == NULL) {
			return LK_NO_MEMORY;
		}
	}
	err = lk_key_page_fill(request, &page, message->include_digests ? make_row_with_digest : make_row, &rows,
		&response->n_keys, &response->next_page_token);
	response->keys = (Latchkey__V1__ExportedKey **)(void *)rows;
	return err;
}

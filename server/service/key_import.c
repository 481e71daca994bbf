#include "server/service/key_import.h"
#include "server/service/own.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/text.h"
#include "server/service/access.h"
#include "server/service/build.h"
#include "server/service/key_handlers.h"
#include "server/service/key_roles.h"
#include "server/store/find.h"

/* With skip_faulty: the most faults that are told of one key. */
#define FAULTS_A_KEY 4
/*
 * Bytes of faults beyond which one fault is told of each key, so that the answer always fits into its 1 MiB: a description has
 * some hundred bytes, as all values in it are cut short.
 */
#define FAULT_BYTES_MAX ((size_t)256 << 10)

/* The keyspace of this id among those that were named so far, looked up the first time. NULL where the arena is exhausted. */
static struct lk_import_keyspace *keyspace_of(struct lk_import *import, const char *id)
{
	for (size_t i = 0; i < import->n_keyspaces; i++) {
		if (strcmp(import->keyspaces[i].id, id) == 0) {
			return &import->keyspaces[i];
		}
	}
	struct lk_import_keyspace *keyspace = &import->keyspaces[import->n_keyspaces++];
	keyspace->id = id;
	keyspace->record = lk_find_keyspace(import->request->txn, import->request->arena, import->tenant->number, id);
	return keyspace;
}

/* Checks that the caller is granted every keyspace, and may act for every owner, that is named, before anything is looked up. */
static enum lk_err check_access(struct lk_import *import)
{
	const Latchkey__V1__ImportKeysRequest *message = import->message;
	struct lk_request *request = import->request;
	enum lk_err err = LK_OK;

	if (message->keyspace[0] != '\0') {
		err = lk_access_keyspace_id(request, "keyspace", message->keyspace);
	}
	for (size_t i = 0; err == LK_OK && i < message->n_keys; i++) {
		const char *keyspace = message->keys[i]->keyspace;
		/* A malformed one is a fault of its key, and comes to that later. */
		if (lk_text_is_id(keyspace) && !lk_grant_allows_keyspace(request->caller.grant, keyspace)) {
			err = lk_access_keyspace_id(request, "keyspace", keyspace);
		}
		if (err == LK_OK) {
			const char *field = lk_arena_printf(request->arena, "keys[%zu].owner", i);
			const char *owner = NULL;
			err = lk_own_resolve(request, field == NULL ? "owner" : field, message->keys[i]->owner, &owner);
		}
	}
	return err;
}

/* Whether a secret of one of the keys was made with a verify.key. */
static bool needs_verify_key(const Latchkey__V1__ImportKeysRequest *message)
{
	for (size_t i = 0; i < message->n_keys; i++) {
		if (message->keys[i]->secret_case == LATCHKEY__V1__IMPORTED_KEY__SECRET_BLAKE2B ||
			message->keys[i]->secret_case == LATCHKEY__V1__IMPORTED_KEY__SECRET_BLAKE2B_OF_SHA256) {
			return true;
		}
	}
	return false;
}

static void check_verify_key(struct lk_import *import)
{
	struct lk_faults *faults = &import->request->faults;
	uint8_t given[LK_DIGEST_LEN] = {0}, own[LK_DIGEST_LEN] = {0};

	if (!needs_verify_key(import->message)) {
		return;
	}
	if (import->message->verify_key[0] == '\0') {
		lk_fault_add(faults, "verify_key",
			"is needed of digests by BLAKE2b: give what the export that told them says");
		return;
	}
	if (!lk_import_read_bytes(import->message->verify_key, given)) {
		lk_fault_add(faults, "verify_key", "is no check value of a verify.key: give what the export says");
		return;
	}
	lk_key_check_value(lk_store_keyring(import->request->store)->verify_key, own);
	if (sodium_memcmp(given, own, sizeof own) != 0) {
		lk_fault_add(faults, "verify_key",
			"the digests were made under another verify.key than this store's, and no token would match "
			"them: a store is moved by copying verify.key before its first start; else import tokens, or "
			"their SHA-256");
	}
}

/* All that holds for the whole message. */
static enum lk_err check_message(struct lk_import *import)
{
	const Latchkey__V1__ImportKeysRequest *message = import->message;
	struct lk_request *request = import->request;
	enum lk_err err = lk_access_tenant(request, message->tenant, &import->tenant);

	if (err == LK_OK) {
		err = check_access(import);
	}
	if (err != LK_OK) {
		return err;
	}
	if (import->tenant != NULL && strcmp(import->tenant->id, LK_TENANT_SYSTEM) == 0) {
		lk_fault_add(&request->faults, "tenant",
			"root keys cannot be imported: create them, and give out the new tokens");
	}
	if (message->n_keys == 0) {
		lk_fault_add(&request->faults, "keys", "is empty: give 1 to 1,000 keys");
	}
	check_verify_key(import);
	err = lk_request_check(request);
	if (err == LK_OK && import->tenant == NULL) {
		err = lk_access_no_tenant(request, message->tenant);
	}
	return err;
}

/* Finds the keyspace of every key. The one of the request must be there where a key relies on it. */
static enum lk_err find_keyspaces(struct lk_import *import)
{
	const Latchkey__V1__ImportKeysRequest *message = import->message;

	for (size_t i = 0; i < message->n_keys; i++) {
		const char *own = message->keys[i]->keyspace;
		bool is_default = own[0] == '\0';

		if (is_default ? message->keyspace[0] == '\0' : !lk_text_is_id(own)) {
			continue;
		}
		struct lk_import_keyspace *keyspace = keyspace_of(import, is_default ? message->keyspace : own);
		if (is_default && keyspace->record == NULL) {
			return lk_request_not_found(import->request, "keyspace", message->keyspace);
		}
		import->keyspace_of[i] = keyspace;
	}
	return LK_OK;
}

static enum lk_err start(struct lk_import *import)
{
	struct lk_arena *arena = import->request->arena;
	size_t count = import->message->n_keys;

	import->keyspace_of = lk_arena_array(arena, count, sizeof *import->keyspace_of);
	import->keyspaces = lk_arena_array(arena, count, sizeof *import->keyspaces);
	if (import->keyspace_of == NULL || import->keyspaces == NULL ||
		!lk_import_seen_init(&import->digests, arena, count) ||
		!lk_import_seen_init(&import->other_digests, arena, count) ||
		!lk_import_seen_init(&import->ids, arena, count) ||
		!lk_import_seen_init(&import->names, arena, count)) {
		return LK_NO_MEMORY;
	}
	return find_keyspaces(import);
}

/* Tells the faults of the key in the response, and forgets them for the next. */
static void tell_faults(struct lk_import *import, Latchkey__V1__ImportKeysResponse *response, size_t *bytes)
{
	struct lk_faults *faults = import->faults;
	size_t most = *bytes > FAULT_BYTES_MAX ? 1 : FAULTS_A_KEY;
	size_t prefix_len = strlen(import->prefix);

	for (size_t i = 0; i < faults->count && i < most; i++) {
		Latchkey__V1__ImportFault *fault = lk_arena_alloc(import->request->arena, sizeof *fault);

		if (fault == NULL) {
			break;
		}
		latchkey__v1__import_fault__init(fault);
		fault->index = (uint32_t)import->index;
		/* Of the whole key it is as long as the prefix without its dot. */
		fault->field = (char *)(uintptr_t)(strlen(faults->items[i].field) < prefix_len
							   ? ""
							   : faults->items[i].field + prefix_len);
		fault->description = (char *)(uintptr_t)faults->items[i].description;
		fault->duplicate = import->is_duplicate[i];
		response->faults[response->n_faults++] = fault;
		*bytes += strlen(fault->description) + strlen(fault->field);
	}
	memset(import->is_duplicate, 0, sizeof import->is_duplicate);
	faults->count = 0;
}

/* Puts the key into the Change, with all that it was found to depend on. */
static void put(struct lk_import *import, Latchkey__Store__Change *change)
{
	struct lk_request *request = import->request;
	struct lk_import_keyspace *keyspace = import->keyspace_of[import->index];
	Latchkey__Store__KeyRecord *record = import->record;

	if (!keyspace->expected) {
		keyspace->expected = true;
		lk_build_expect_keyspace(
			request, change, import->tenant->number, keyspace->id, keyspace->record->revision);
	}
	lk_build_expect_digest_free(request, change, record->digest.data);
	if (import->other_digest != NULL) {
		lk_build_expect_digest_free(request, change, import->other_digest);
	}
	if (import->given->id[0] != '\0') {
		lk_build_expect_id_free(request, change, record->id);
	}
	if (keyspace->record->policy->name_unique &&
		record->state != LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED) {
		lk_build_expect_name_free(request, change, record->keyspace, record->name);
	}
	lk_key_expect_roles(request, change, NULL, record);
	lk_build_put_key(request, change, record);
}

/* Checks key after key. */
static enum lk_err take_keys(
	struct lk_import *import, Latchkey__Store__Change *change, Latchkey__V1__ImportKeysResponse *response)
{
	const Latchkey__V1__ImportKeysRequest *message = import->message;
	struct lk_arena *arena = import->request->arena;
	size_t fault_bytes = 0;

	response->faults = lk_arena_array(arena, message->n_keys * FAULTS_A_KEY, sizeof *response->faults);
	if (response->faults == NULL) {
		return LK_NO_MEMORY;
	}
	for (import->index = 0; import->index < message->n_keys; import->index++) {
		import->given = message->keys[import->index];
		import->record = lk_arena_alloc(arena, sizeof *import->record);
		if (import->record == NULL) {
			return LK_NO_MEMORY;
		}
		latchkey__store__key_record__init(import->record);
		snprintf(import->prefix, sizeof import->prefix, "keys[%zu].", import->index);
		bool is_good = lk_import_check_key(import);
		if (arena->exhausted) {
			return LK_NO_MEMORY;
		}
		if (is_good) {
			response->imported_count++;
		}
		if (is_good && !message->validate_only) {
			put(import, change);
		}
		if (message->skip_faulty) {
			tell_faults(import, response, &fault_bytes);
		}
	}
	return lk_request_check(import->request);
}

enum lk_err lk_key_import_build(struct lk_request *request, const Latchkey__V1__ImportKeysRequest *message,
	Latchkey__Store__Change *change, Latchkey__V1__ImportKeysResponse *response)
{
	struct lk_import *import = lk_arena_alloc(request->arena, sizeof *import);
	struct lk_faults of_one_key;

	if (import == NULL) {
		return LK_NO_MEMORY;
	}
	import->request = request;
	import->message = message;
	lk_faults_init(&of_one_key, request->arena);
	import->faults = message->skip_faulty ? &of_one_key : &request->faults;
	enum lk_err err = check_message(import);
	if (err == LK_OK) {
		err = start(import);
	}
	if (err == LK_OK) {
		err = take_keys(import, change, response);
	}
	import->faults = NULL;
	return err;
}

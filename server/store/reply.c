#include "server/store/reply.h"

#include <lmdb.h>
#include <sodium.h>
#include <string.h>

#include "latchkey/store/record.pb-c.h"
#include "server/core/secret.h"
#include "server/core/time.h"
#include "server/store/store.h"

/* How many replies whose time is over go with each one that comes: the table shrinks to what is still needed. */
#define PURGE_MOST 4

/* With its NUL, so that no two lists of texts give the same bytes. */
static void hash_text(crypto_generichash_state *state, const char *text)
{
	crypto_generichash_update(state, (const uint8_t *)text, strlen(text) + 1);
}

void lk_reply_request_digest(const uint8_t request_id[static LK_REQUEST_ID_LEN], const struct lk_reply_request *request,
	uint8_t ret_digest[static LK_DIGEST_LEN])
{
	crypto_generichash_state state;

	_Static_assert(LK_REQUEST_ID_LEN >= crypto_generichash_KEYBYTES_MIN, "an id is a key");
	crypto_generichash_init(&state, request_id, LK_REQUEST_ID_LEN, LK_DIGEST_LEN);
	hash_text(&state, request->method);
	hash_text(&state, request->tenant);
	crypto_generichash_update(&state, request->data, request->len);
	crypto_generichash_final(&state, ret_digest, LK_DIGEST_LEN);
	sodium_memzero(&state, sizeof state);
}

void lk_reply_hash(const struct lk_reply_id *id, uint8_t ret_hash[static LK_DIGEST_LEN])
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, NULL, 0, LK_DIGEST_LEN);
	/* The id has a fixed length and comes first, so that no two pairs give the same bytes. */
	crypto_generichash_update(&state, id->request_id, LK_REQUEST_ID_LEN);
	crypto_generichash_update(&state, (const uint8_t *)id->caller, strlen(id->caller));
	crypto_generichash_final(&state, ret_hash, LK_DIGEST_LEN);
	/* The whole id, which opens the reply, lies in it. */
	sodium_memzero(&state, sizeof state);
}

static void sealing_key(struct lk_txn *txn, const struct lk_reply_id *id, uint8_t *ret_key)
{
	lk_seal_subkey(lk_store_keyring(lk_txn_store(txn)), LK_SEAL_REPLY, id->request_id, LK_REQUEST_ID_LEN, ret_key);
}

static enum lk_err open_reply(struct lk_txn *txn, struct lk_arena *arena, const struct lk_reply_id *id,
	const uint8_t *hash, const Latchkey__Store__ReplyRecord *record, struct lk_kept_reply *ret_reply)
{
	uint8_t key[LK_SECRET_KEY_LEN] = {0};

	if (record->request_digest.len != LK_DIGEST_LEN || record->sealed_response.len < LK_SEAL_OVERHEAD) {
		return LK_CORRUPT;
	}
	if (memcmp(record->request_digest.data, id->request_digest, LK_DIGEST_LEN) != 0) {
		return LK_INVALID_ARGUMENT;
	}
	size_t len = record->sealed_response.len - LK_SEAL_OVERHEAD;
	uint8_t *response = lk_arena_alloc(arena, len + 1);
	if (response == NULL) {
		return LK_NO_MEMORY;
	}
	sealing_key(txn, id, key);
	bool authentic = lk_seal_open(
		key, record->sealed_response.data, record->sealed_response.len, hash, LK_DIGEST_LEN, response);
	sodium_memzero(key, sizeof key);
	if (!authentic) {
		return LK_CORRUPT;
	}
	*ret_reply = (struct lk_kept_reply){.response = response, .response_len = len, .revision = record->revision};
	return LK_OK;
}

enum lk_err lk_reply_find(
	struct lk_txn *txn, struct lk_arena *arena, const struct lk_reply_id *id, struct lk_kept_reply *ret_reply)
{
	uint8_t hash[LK_DIGEST_LEN] = {0};

	lk_reply_hash(id, hash);
	struct lk_key key = lk_key_reply(id->time_ms, hash);
	const Latchkey__Store__ReplyRecord *record = lk_txn_record(
		txn, LK_TABLE_REPLY, &key, &latchkey__store__reply_record__descriptor, arena);
	if (record == NULL) {
		return lk_txn_err(txn) == LK_OK ? LK_NOT_FOUND : lk_txn_err(txn);
	}
	return open_reply(txn, arena, id, hash, record, ret_reply);
}

/* The key of the first reply whose time is over; false where there is none. */
static bool find_over(struct lk_txn *txn, int64_t now_us, struct lk_key *ret_key)
{
	struct lk_key first = lk_key_u64(0);
	struct lk_walk *walk = lk_walk_new(txn, LK_TABLE_REPLY);
	bool over = false;

	if (lk_walk_seek(walk, &first)) {
		struct lk_value key = lk_walk_key(walk);
		if (key.len != sizeof(uint64_t) + LK_DIGEST_LEN) {
			lk_txn_fail(txn, LK_CORRUPT);
		} else {
			over = (int64_t)lk_read_u64(key.data) <= now_us / LK_US_PER_MS - LK_REPLY_KEEP_MS;
			memcpy(ret_key->data, key.data, key.len);
			ret_key->len = key.len;
		}
	}
	lk_walk_free(walk);
	return over;
}

void lk_reply_purge(struct lk_txn *txn, int64_t now_us, size_t most)
{
	struct lk_key over = {0};

	for (size_t i = 0; i < most && find_over(txn, now_us, &over); i++) {
		lk_txn_delete(txn, LK_TABLE_REPLY, &over);
	}
}

void lk_reply_keep(struct lk_txn *txn, struct lk_arena *arena, const struct lk_reply_id *id,
	const struct lk_kept_reply *reply, int64_t now_us)
{
	Latchkey__Store__ReplyRecord record = LATCHKEY__STORE__REPLY_RECORD__INIT;
	uint8_t hash[LK_DIGEST_LEN] = {0};
	uint8_t key[LK_SECRET_KEY_LEN] = {0};
	size_t sealed_len = reply->response_len + LK_SEAL_OVERHEAD;
	uint8_t *sealed = lk_arena_alloc(arena, sealed_len);

	if (sealed == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return;
	}
	lk_reply_hash(id, hash);
	sealing_key(txn, id, key);
	lk_seal(key, reply->response, reply->response_len, hash, sizeof hash, sealed);
	sodium_memzero(key, sizeof key);
	record.request_digest.data = (uint8_t *)(uintptr_t)id->request_digest;
	record.request_digest.len = LK_DIGEST_LEN;
	record.sealed_response.data = sealed;
	record.sealed_response.len = sealed_len;
	record.revision = reply->revision;
	struct lk_key where = lk_key_reply(id->time_ms, hash);
	lk_txn_put_record(txn, LK_TABLE_REPLY, &where, &record.base, MDB_NOOVERWRITE);
	lk_reply_purge(txn, now_us, PURGE_MOST);
}

#include "server/store/verdict_record.h"

#include <stdlib.h>
#include <string.h>

#include "client/varint.h"
#include "latchkey/v1/key.pb-c.h"
#include "server/core/time.h"

_Static_assert(sizeof(struct lk_verdict_head) == 64, "the head is a line of the cache");
_Static_assert(sizeof(struct lk_gate) == 160, "the gate is stored as it lies");

static size_t record_len(const struct lk_verdict_head *head)
{
	return sizeof *head + head->identity_len + head->grant_len;
}

/* Reads the head at `offset` of the records of one key; false where what is there is no record. */
static bool head_at(const struct lk_value *records, size_t offset, struct lk_verdict_head *ret_head)
{
	if (records->len - offset < sizeof *ret_head) {
		return false;
	}
	memcpy(ret_head, records->data + offset, sizeof *ret_head);
	return record_len(ret_head) <= records->len - offset;
}

/*
 * Looks for the record of `digest` among those of its key. True with its offset and head; false with the error sticking to
 * `txn` where the records do not add up.
 */
static bool find_among(struct lk_txn *txn, const struct lk_value *records, const uint8_t *digest, size_t *ret_offset,
	struct lk_verdict_head *ret_head)
{
	for (size_t offset = 0; offset < records->len; offset += record_len(ret_head)) {
		if (!head_at(records, offset, ret_head)) {
			lk_txn_fail(txn, LK_CORRUPT);
			return false;
		}
		if (memcmp(ret_head->digest_rest, digest + sizeof(uint64_t), LK_DIGEST_REST_LEN) == 0) {
			*ret_offset = offset;
			return true;
		}
	}
	return false;
}

bool lk_verdict_find(struct lk_txn *txn, const uint8_t digest[static LK_DIGEST_LEN], struct lk_verdict *ret_verdict)
{
	struct lk_key key = lk_key_verdict(digest);
	struct lk_value records = {0};
	size_t offset = 0;

	if (!lk_txn_get(txn, LK_TABLE_VERDICT, &key, &records) ||
		!find_among(txn, &records, digest, &offset, &ret_verdict->head)) {
		return false;
	}
	ret_verdict->identity = records.data + offset + sizeof ret_verdict->head;
	ret_verdict->grant = ret_verdict->identity + ret_verdict->head.identity_len;
	return true;
}

const uint8_t *lk_verdict_identity(const struct lk_verdict *verdict, size_t *ret_len)
{
	const uint8_t *at = verdict->identity;
	const uint8_t *end = verdict->identity + verdict->head.identity_len;
	uint64_t len = 0;

	/* Apply wrote the length, so that it reads; what follows it is all of the rest. */
	(void)lk_varint_get(&at, end, &len);
	*ret_len = (size_t)(end - at);
	return at;
}

bool lk_gate_get(struct lk_txn *txn, uint32_t keyspace, struct lk_gate *ret_gate)
{
	struct lk_key key = lk_key_u32(keyspace);
	struct lk_value value = {0};

	if (!lk_txn_get(txn, LK_TABLE_GATE, &key, &value) || value.len != sizeof *ret_gate) {
		lk_txn_fail(txn, LK_CORRUPT);
		return false;
	}
	memcpy(ret_gate, value.data, sizeof *ret_gate);
	return true;
}

void lk_gate_put(struct lk_txn *txn, uint32_t keyspace, const struct lk_gate *gate)
{
	struct lk_key key = lk_key_u32(keyspace);

	lk_txn_put(txn, LK_TABLE_GATE, &key, gate, sizeof *gate, 0);
}

/* A record as it is put together, before it goes to LMDB. */
struct draft {
	uint8_t *data;
	size_t len;
};

/* Room for everything that the limits of a key allow, and far more. */
#define METADATA_MAX 64

static void fill_identity(Latchkey__V1__KeyIdentity *identity, Latchkey__V1__KeyIdentity__MetadataEntry *entries,
	Latchkey__V1__KeyIdentity__MetadataEntry **entry_list, const Latchkey__Store__KeyRecord *key,
	const struct lk_gate *gate)
{
	latchkey__v1__key_identity__init(identity);
	identity->id = key->id;
	identity->number = key->number;
	identity->tenant = (char *)(uintptr_t)gate->tenant_id;
	identity->keyspace = (char *)(uintptr_t)gate->keyspace_id;
	identity->scope = key->tenant_scope ? LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT
					    : LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_KEYSPACE;
	identity->name = key->name;
	identity->owner = key->owner;
	for (size_t i = 0; i < key->n_metadata && i < METADATA_MAX; i++) {
		latchkey__v1__key_identity__metadata_entry__init(&entries[i]);
		entries[i].key = key->metadata[i]->key;
		entries[i].value = key->metadata[i]->value;
		entry_list[i] = &entries[i];
		identity->n_metadata = i + 1;
	}
	identity->metadata = entry_list;
}

static void fill_head(struct lk_verdict_head *head, const Latchkey__Store__KeyRecord *key)
{
	memcpy(head->digest_rest, key->digest.data + sizeof(uint64_t), LK_DIGEST_REST_LEN);
	head->slot = key->slot;
	head->expire_us = key->expire_us;
	head->not_before_us = key->not_before_us;
	head->keyspace = key->keyspace;
	head->state = (uint8_t)key->state;
	head->flags = key->tenant_scope ? LK_VERDICT_TENANT_SCOPE : 0;
}

/* Puts together the record of `key`; the error sticks to `txn` where there is no memory, or the grant is larger than any is. */
static struct draft draft_record(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key, const struct lk_gate *gate)
{
	Latchkey__V1__KeyIdentity identity;
	Latchkey__V1__KeyIdentity__MetadataEntry entries[METADATA_MAX];
	Latchkey__V1__KeyIdentity__MetadataEntry *entry_list[METADATA_MAX];
	Google__Protobuf__Timestamp expire = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	struct lk_verdict_head head = {0};
	struct draft draft = {0};

	fill_identity(&identity, entries, entry_list, key, gate);
	if (key->expire_us != 0) {
		expire.seconds = key->expire_us / LK_US_PER_SECOND;
		expire.nanos = (int32_t)(key->expire_us % LK_US_PER_SECOND * 1000);
		identity.expire_time = &expire;
	}
	fill_head(&head, key);
	size_t identity_len = latchkey__v1__key_identity__get_packed_size(&identity);
	size_t prefix_len = lk_varint_size(identity_len);
	size_t grant_len = key->grant == NULL ? 0 : latchkey__store__grant_record__get_packed_size(key->grant);
	if (grant_len > UINT16_MAX) {
		lk_txn_fail(txn, LK_INTERNAL);
		return draft;
	}
	head.identity_len = (uint32_t)(prefix_len + identity_len);
	head.grant_len = (uint16_t)grant_len;
	draft.len = record_len(&head);
	draft.data = malloc(draft.len);
	if (draft.data == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return draft;
	}
	uint8_t *at = draft.data;
	memcpy(at, &head, sizeof head);
	at += sizeof head;
	at = lk_varint_put(at, identity_len);
	at += latchkey__v1__key_identity__pack(&identity, at);
	if (key->grant != NULL) {
		latchkey__store__grant_record__pack(key->grant, at);
	}
	return draft;
}

/* The records of one key of LMDB, without the one of `digest`: a copy of them, with room for `extra` bytes behind. */
static struct draft without(
	struct lk_txn *txn, const struct lk_value *records, const uint8_t *digest, size_t extra, bool *ret_found)
{
	struct draft rest = {.data = malloc(records->len + extra + 1)};
	struct lk_verdict_head head = {0};
	size_t offset = 0;

	if (rest.data == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return rest;
	}
	*ret_found = find_among(txn, records, digest, &offset, &head);
	size_t gap = *ret_found ? record_len(&head) : 0;
	size_t tail = *ret_found ? offset + gap : records->len;
	size_t before = *ret_found ? offset : records->len;
	if (before > 0) {
		memcpy(rest.data, records->data, before);
	}
	if (records->len > tail) {
		memcpy(rest.data + before, records->data + tail, records->len - tail);
	}
	rest.len = records->len - gap;
	return rest;
}

void lk_verdict_put(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key, const struct lk_gate *gate)
{
	struct lk_key where = lk_key_verdict(key->digest.data);
	struct lk_value records = {0};
	struct draft all = {0};
	bool found = false;

	struct draft record = draft_record(txn, key, gate);
	(void)lk_txn_get(txn, LK_TABLE_VERDICT, &where, &records);
	if (lk_txn_err(txn) == LK_OK) {
		all = without(txn, &records, key->digest.data, record.len, &found);
	}
	if (lk_txn_err(txn) == LK_OK) {
		memcpy(all.data + all.len, record.data, record.len);
		lk_txn_put(txn, LK_TABLE_VERDICT, &where, all.data, all.len + record.len, 0);
	}
	free(all.data);
	free(record.data);
}

void lk_verdict_remove(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key)
{
	struct lk_key where = lk_key_verdict(key->digest.data);
	struct lk_value records = {0};
	bool found = false;

	if (!lk_txn_get(txn, LK_TABLE_VERDICT, &where, &records)) {
		lk_txn_fail(txn, LK_CORRUPT);
		return;
	}
	struct draft rest = without(txn, &records, key->digest.data, 0, &found);
	if (lk_txn_err(txn) == LK_OK && !found) {
		lk_txn_fail(txn, LK_CORRUPT);
	}
	if (rest.len == 0) {
		lk_txn_delete(txn, LK_TABLE_VERDICT, &where);
	} else {
		lk_txn_put(txn, LK_TABLE_VERDICT, &where, rest.data, rest.len, 0);
	}
	free(rest.data);
}

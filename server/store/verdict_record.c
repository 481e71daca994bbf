#include "server/store/verdict_record.h"

#include <stdlib.h>
#include <string.h>

#include "client/varint.h"
#include "latchkey/v1/key.pb-c.h"
#include "server/core/time.h"
#include "server/store/rules.h"

_Static_assert(sizeof(struct lk_verdict_head) == 64, "the head is a line of the cache");
_Static_assert(sizeof(struct lk_gate) == 160, "the gate is stored as it lies");

static size_t record_len(const struct lk_verdict_head *head)
{
	size_t until_len = (head->flags & LK_VERDICT_REPLACED) != 0 ? sizeof(int64_t) : 0;

	return sizeof *head + head->identity_len + head->grant_len + head->rules_len + until_len;
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
	ret_verdict->rules = ret_verdict->grant + ret_verdict->head.grant_len;
	ret_verdict->replaced_until_us = 0;
	if ((ret_verdict->head.flags & LK_VERDICT_REPLACED) != 0) {
		memcpy(&ret_verdict->replaced_until_us, ret_verdict->rules + ret_verdict->head.rules_len,
			sizeof ret_verdict->replaced_until_us);
	}
	return true;
}

struct lk_verdict_facts lk_verdict_facts_of(const struct lk_verdict *verdict)
{
	return (struct lk_verdict_facts){
		.expire_us = verdict->head.expire_us,
		.not_before_us = verdict->head.not_before_us,
		.state = verdict->head.state,
		.replaced = (verdict->head.flags & LK_VERDICT_REPLACED) != 0,
		.replaced_until_us = verdict->replaced_until_us,
	};
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
	struct lk_value value = {0};

	if (!lk_txn_get_gate(txn, keyspace, &value) || value.len != sizeof *ret_gate) {
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

/* One secret of a key. */
struct secret {
	const uint8_t *digest;
	Latchkey__Store__SecretKind kind;
	bool replaced;
	int64_t until_us;
};

#define SECRETS_MOST 2

/* The secrets of a key; none of NULL. */
static size_t secrets_of(const Latchkey__Store__KeyRecord *key, struct secret ret_secrets[static SECRETS_MOST])
{
	if (key == NULL) {
		return 0;
	}
	ret_secrets[0] = (struct secret){.digest = key->digest.data, .kind = key->secret_kind};
	if (key->previous_digest.len == 0) {
		return 1;
	}
	ret_secrets[1] = (struct secret){
		.digest = key->previous_digest.data,
		.kind = key->previous_kind,
		.replaced = true,
		.until_us = key->previous_until_us,
	};
	return 2;
}

static bool is_among(const struct secret *secrets, size_t count, const uint8_t *digest)
{
	for (size_t i = 0; i < count; i++) {
		if (memcmp(secrets[i].digest, digest, LK_DIGEST_LEN) == 0) {
			return true;
		}
	}
	return false;
}

/* A record as it is put together, before it goes to LMDB. */
struct draft {
	uint8_t *data;
	size_t len;
};

/* Room for everything that the limits of a key allow, and far more. */
#define METADATA_MAX 64
/* The field of RoleRecord that holds its id. */
#define ROLE_ID 4

/* An identity as it is put together, and room for what it points at. */
struct identity {
	Latchkey__V1__KeyIdentity message;
	Latchkey__V1__KeyIdentity__MetadataEntry entries[METADATA_MAX];
	Latchkey__V1__KeyIdentity__MetadataEntry *entry_list[METADATA_MAX];
	Google__Protobuf__Timestamp expire;
	char role_ids[LK_ROLES_MAX][LK_ID_MAX + 1];
	char *role_list[LK_ROLES_MAX];
};

/* Copies the id out of a packed RoleRecord; false where it has none. What a role permits may be long, and is not unpacked. */
static bool read_role_id(const struct lk_value *record, char ret_id[static LK_ID_MAX + 1])
{
	const uint8_t *id = NULL;
	size_t len = 0;

	if (!lk_varint_find_bytes(record->data, record->len, ROLE_ID, &id, &len) || len > LK_ID_MAX) {
		return false;
	}
	memcpy(ret_id, id, len);
	ret_id[len] = '\0';
	return true;
}

/* The ids of the key's roles, which never change, as their names in the identity; where one is not there, LK_CORRUPT sticks. */
static void fill_roles(struct lk_txn *txn, struct identity *identity, const Latchkey__Store__KeyRecord *key)
{
	for (size_t i = 0; i < key->n_roles && i < LK_ROLES_MAX; i++) {
		struct lk_key number = lk_key_u32(key->roles[i]);
		struct lk_value record = {0};
		if (!lk_txn_get(txn, LK_TABLE_ROLE, &number, &record) ||
			!read_role_id(&record, identity->role_ids[i])) {
			lk_txn_fail(txn, LK_CORRUPT);
			return;
		}
		identity->role_list[i] = identity->role_ids[i];
		identity->message.n_roles = i + 1;
	}
	identity->message.roles = identity->role_list;
}

static void fill_expiry(struct identity *room, const Latchkey__Store__KeyRecord *key)
{
	google__protobuf__timestamp__init(&room->expire);
	if (key->expire_us != 0) {
		room->expire.seconds = key->expire_us / LK_US_PER_SECOND;
		room->expire.nanos = (int32_t)(key->expire_us % LK_US_PER_SECOND * 1000);
		room->message.expire_time = &room->expire;
	}
}

static void fill_identity(
	struct lk_txn *txn, struct identity *room, const Latchkey__Store__KeyRecord *key, const struct lk_gate *gate)
{
	Latchkey__V1__KeyIdentity *identity = &room->message;

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
		latchkey__v1__key_identity__metadata_entry__init(&room->entries[i]);
		room->entries[i].key = key->metadata[i]->key;
		room->entries[i].value = key->metadata[i]->value;
		room->entry_list[i] = &room->entries[i];
		identity->n_metadata = i + 1;
	}
	identity->metadata = room->entry_list;
	identity->permissions = key->permissions;
	identity->n_permissions = key->n_permissions;
	fill_expiry(room, key);
	fill_roles(txn, room, key);
}

static void fill_head(struct lk_verdict_head *head, const Latchkey__Store__KeyRecord *key, const struct secret *secret)
{
	bool is_sha256 = secret->kind == LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256;

	memcpy(head->digest_rest, secret->digest + sizeof(uint64_t), LK_DIGEST_REST_LEN);
	head->slot = key->slot;
	head->expire_us = key->expire_us;
	head->not_before_us = key->not_before_us;
	head->keyspace = key->keyspace;
	head->state = (uint8_t)key->state;
	head->flags = (uint8_t)((key->tenant_scope ? LK_VERDICT_TENANT_SCOPE : 0) |
				(secret->replaced ? LK_VERDICT_REPLACED : 0) | (is_sha256 ? LK_VERDICT_SHA256 : 0));
}

/* The parts of a record behind its head. */
struct parts {
	const Latchkey__V1__KeyIdentity *identity;
	size_t identity_len;
	const Latchkey__Store__GrantRecord *grant;
	const uint8_t *rules;
	const struct secret *secret;
};

/* Writes the record behind `at`: as long as its head says. */
static void pack_record(uint8_t *at, const struct lk_verdict_head *head, const struct parts *parts)
{
	memcpy(at, head, sizeof *head);
	at += sizeof *head;
	at = lk_varint_put(at, parts->identity_len);
	at += latchkey__v1__key_identity__pack(parts->identity, at);
	if (parts->grant != NULL) {
		at += latchkey__store__grant_record__pack(parts->grant, at);
	}
	memcpy(at, parts->rules, head->rules_len);
	at += head->rules_len;
	if (parts->secret->replaced) {
		memcpy(at, &parts->secret->until_us, sizeof parts->secret->until_us);
	}
}

/*
 * Puts together the record of a secret of `key`; the error sticks to `txn` where there is no memory, a role is not there, or the
 * grant or the rules are larger than any are.
 */
static struct draft draft_record(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key, const struct secret *secret,
	const struct lk_gate *gate)
{
	struct identity identity;
	uint8_t rules[LK_RULES_MAX];
	struct lk_verdict_head head = {0};
	struct draft draft = {0};

	fill_identity(txn, &identity, key, gate);
	fill_head(&head, key, secret);
	size_t identity_len = latchkey__v1__key_identity__get_packed_size(&identity.message);
	size_t grant_len = key->grant == NULL ? 0 : latchkey__store__grant_record__get_packed_size(key->grant);
	size_t rules_len = lk_rules_of_key(key, rules);
	if (grant_len > UINT16_MAX || rules_len > LK_RULES_MAX) {
		lk_txn_fail(txn, LK_INTERNAL);
	}
	if (lk_txn_err(txn) != LK_OK) {
		return draft;
	}
	head.identity_len = (uint32_t)(lk_varint_size(identity_len) + identity_len);
	head.grant_len = (uint16_t)grant_len;
	head.rules_len = (uint16_t)rules_len;
	draft.len = record_len(&head);
	draft.data = malloc(draft.len);
	if (draft.data == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return draft;
	}
	pack_record(draft.data, &head,
		&(struct parts){
			.identity = &identity.message,
			.identity_len = identity_len,
			.grant = key->grant,
			.rules = rules,
			.secret = secret,
		});
	return draft;
}

/* The records of one key of LMDB, without the one of `digest`: a copy of them, with room for `extra` bytes behind. Stores the
 * slot that the one left out was of; 0: there was none. */
static struct draft without(
	struct lk_txn *txn, const struct lk_value *records, const uint8_t *digest, size_t extra, uint64_t *ret_slot)
{
	struct draft rest = {.data = malloc(records->len + extra + 1)};
	struct lk_verdict_head head = {0};
	size_t offset = 0;

	if (rest.data == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return rest;
	}
	bool found = find_among(txn, records, digest, &offset, &head);
	size_t gap = found ? record_len(&head) : 0;
	size_t tail = found ? offset + gap : records->len;
	size_t before = found ? offset : records->len;
	if (before > 0) {
		memcpy(rest.data, records->data, before);
	}
	if (records->len > tail) {
		memcpy(rest.data + before, records->data + tail, records->len - tail);
	}
	rest.len = records->len - gap;
	*ret_slot = found ? head.slot : 0;
	return rest;
}

/* Writes the record of a secret in place of the one there is of the same, `slot_there` being whose that must be; 0: nobody's. */
static void put_record(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key, const struct secret *secret,
	const struct lk_gate *gate, uint64_t slot_there)
{
	struct lk_key where = lk_key_verdict(secret->digest);
	struct lk_value records = {0};
	struct draft all = {0};
	uint64_t slot = 0;

	struct draft record = draft_record(txn, key, secret, gate);
	(void)lk_txn_get(txn, LK_TABLE_VERDICT, &where, &records);
	if (lk_txn_err(txn) == LK_OK) {
		all = without(txn, &records, secret->digest, record.len, &slot);
	}
	if (slot != slot_there) {
		/* Whoever adds a digest expects it to be free; where it is not, one token would stand for two keys. */
		lk_txn_fail(txn, slot_there == 0 ? LK_INTERNAL : LK_CORRUPT);
	}
	if (lk_txn_err(txn) == LK_OK) {
		memcpy(all.data + all.len, record.data, record.len);
		lk_txn_put(txn, LK_TABLE_VERDICT, &where, all.data, all.len + record.len, 0);
	}
	free(all.data);
	free(record.data);
}

static void remove_record(struct lk_txn *txn, uint64_t slot_there, const struct secret *secret)
{
	struct lk_key where = lk_key_verdict(secret->digest);
	struct lk_value records = {0};
	uint64_t slot = 0;

	if (!lk_txn_get(txn, LK_TABLE_VERDICT, &where, &records)) {
		lk_txn_fail(txn, LK_CORRUPT);
		return;
	}
	struct draft rest = without(txn, &records, secret->digest, 0, &slot);
	if (slot != slot_there) {
		lk_txn_fail(txn, LK_CORRUPT);
	}
	if (rest.len == 0) {
		lk_txn_delete(txn, LK_TABLE_VERDICT, &where);
	} else {
		lk_txn_put(txn, LK_TABLE_VERDICT, &where, rest.data, rest.len, 0);
	}
	free(rest.data);
}

static void count_imports(struct lk_txn *txn, const struct secret *secrets, size_t count, uint64_t change)
{
	struct lk_head *head = lk_txn_head(txn);

	for (size_t i = 0; i < count; i++) {
		if (secrets[i].kind == LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_FOREIGN) {
			head->foreign_secrets += change;
		} else if (secrets[i].kind == LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256) {
			head->sha256_secrets += change;
		}
	}
}

void lk_verdict_move(struct lk_txn *txn, const Latchkey__Store__KeyRecord *before,
	const Latchkey__Store__KeyRecord *after, const struct lk_gate *gate)
{
	struct secret old[SECRETS_MOST];
	struct secret new[SECRETS_MOST];
	size_t old_count = secrets_of(before, old);
	size_t new_count = secrets_of(after, new);

	for (size_t i = 0; i < old_count; i++) {
		if (!is_among(new, new_count, old[i].digest)) {
			remove_record(txn, before->slot, &old[i]);
		}
	}
	for (size_t i = 0; i < new_count; i++) {
		bool was_there = is_among(old, old_count, new[i].digest);
		put_record(txn, after, &new[i], gate, was_there ? after->slot : 0);
	}
	count_imports(txn, old, old_count, UINT64_MAX);
	count_imports(txn, new, new_count, 1);
}

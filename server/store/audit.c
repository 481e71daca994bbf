#include "server/store/audit.h"

#include <lmdb.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/find.h"
#include "server/store/index.h"
#include "server/store/store.h"
#include "server/store/verdict_record.h"

/* A copy without the secrets that sign its JWTs, sealed as they are; NULL where there is no memory. */
static Latchkey__Store__KeyspaceRecord *without_secrets(
	struct lk_arena *arena, const Latchkey__Store__KeyspaceRecord *keyspace)
{
	size_t n = keyspace->n_jwt_keys;
	Latchkey__Store__KeyspaceRecord *copy = lk_arena_alloc(arena, sizeof *copy);
	Latchkey__Store__JwtKeyRecord **pointers = lk_arena_array(arena, n, sizeof *pointers);
	Latchkey__Store__JwtKeyRecord *keys = lk_arena_array(arena, n, sizeof *keys);

	if (copy == NULL || pointers == NULL || keys == NULL) {
		return NULL;
	}
	*copy = *keyspace;
	copy->jwt_keys = pointers;
	for (size_t i = 0; i < n; i++) {
		keys[i] = *keyspace->jwt_keys[i];
		keys[i].sealed_secret = (ProtobufCBinaryData){0};
		pointers[i] = &keys[i];
	}
	return copy;
}

/* A copy without what its tokens are known by; NULL where there is no memory. */
static Latchkey__Store__KeyRecord *without_digests(struct lk_arena *arena, const Latchkey__Store__KeyRecord *key)
{
	Latchkey__Store__KeyRecord *copy = lk_arena_alloc(arena, sizeof *copy);

	if (copy != NULL) {
		*copy = *key;
		copy->digest = (ProtobufCBinaryData){0};
		copy->previous_digest = (ProtobufCBinaryData){0};
	}
	return copy;
}

/* Puts a record into a snapshot, without its digests and secrets: as NULL where there is no memory. */
static void fill_snapshot(struct lk_arena *arena, union lk_audit_record record, Latchkey__Store__Snapshot *snapshot)
{
	switch (snapshot->record_case) {
	case LATCHKEY__STORE__SNAPSHOT__RECORD_TENANT:
		snapshot->tenant = record.tenant;
		break;
	case LATCHKEY__STORE__SNAPSHOT__RECORD_KEYSPACE:
		snapshot->keyspace = without_secrets(arena, record.keyspace);
		break;
	case LATCHKEY__STORE__SNAPSHOT__RECORD_KEY:
		snapshot->key = without_digests(arena, record.key);
		break;
	case LATCHKEY__STORE__SNAPSHOT__RECORD_ROLE:
		snapshot->role = record.role;
		break;
	case LATCHKEY__STORE__SNAPSHOT__RECORD_OWNER:
		snapshot->owner = record.owner;
		break;
	default:
		break;
	}
}

/* A snapshot of a record; NULL where there is no record, or no memory. */
static Latchkey__Store__Snapshot *snapshot_of(
	struct lk_arena *arena, Latchkey__Store__Snapshot__RecordCase kind, union lk_audit_record record)
{
	Latchkey__Store__Snapshot *snapshot = lk_arena_alloc(arena, sizeof *snapshot);

	if (record.key == NULL || snapshot == NULL) {
		return NULL;
	}
	latchkey__store__snapshot__init(snapshot);
	snapshot->record_case = kind;
	fill_snapshot(arena, record, snapshot);
	/* They are pointers, all of them. */
	return snapshot->key == NULL ? NULL : snapshot;
}

/*
 * Names a key, and where it belongs: the gate has both ids at hand, and stands as long as the keyspace has a key. Also indexes
 * the record by it.
 */
static void name_key(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__KeyRecord *key,
	Latchkey__Store__AuditRecord *record)
{
	struct lk_gate gate = {0};

	if (!lk_gate_get(txn, key->keyspace, &gate)) {
		lk_txn_fail(txn, LK_CORRUPT);
		return;
	}
	record->resource = lk_arena_printf(arena, "keys/%s", key->id);
	record->tenant = lk_arena_text(arena, gate.tenant_id, strlen(gate.tenant_id));
	record->keyspace = lk_arena_text(arena, gate.keyspace_id, strlen(gate.keyspace_id));
	lk_index_add_audit(txn, key->slot, record->number);
}

/* The id of a tenant; NULL where it is not there, and the error sticks. */
static char *tenant_id(struct lk_txn *txn, struct lk_arena *arena, uint32_t number)
{
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant_by_number(txn, arena, number);

	return tenant == NULL ? NULL : tenant->id;
}

/* Says whose record it is, and which. */
static void name_resource(struct lk_txn *txn, struct lk_arena *arena, const struct lk_audit_entry *entry,
	Latchkey__Store__AuditRecord *record)
{
	union lk_audit_record subject = entry->after.key != NULL ? entry->after : entry->before;

	if (entry->kind == LATCHKEY__STORE__SNAPSHOT__RECORD_TENANT) {
		record->tenant = subject.tenant->id;
		record->resource = lk_arena_printf(arena, "tenants/%s", subject.tenant->id);
	} else if (entry->kind == LATCHKEY__STORE__SNAPSHOT__RECORD_KEYSPACE) {
		record->tenant = tenant_id(txn, arena, subject.keyspace->tenant);
		record->keyspace = subject.keyspace->id;
		record->resource = lk_arena_printf(arena, "keyspaces/%s", subject.keyspace->id);
	} else if (entry->kind == LATCHKEY__STORE__SNAPSHOT__RECORD_ROLE) {
		record->tenant = tenant_id(txn, arena, subject.role->tenant);
		record->resource = lk_arena_printf(arena, "roles/%s", subject.role->id);
	} else if (entry->kind == LATCHKEY__STORE__SNAPSHOT__RECORD_OWNER) {
		record->tenant = tenant_id(txn, arena, subject.owner->tenant);
		record->resource = lk_arena_printf(arena, "owners/%s", subject.owner->id);
	} else {
		name_key(txn, arena, subject.key, record);
	}
}

/* Packs the record behind the hash that it gives, and writes both. */
static void append(struct lk_txn *txn, const Latchkey__Store__AuditRecord *record)
{
	struct lk_head *head = lk_txn_head(txn);
	uint8_t key[LK_SECRET_KEY_LEN] = {0};
	size_t len = latchkey__store__audit_record__get_packed_size(record);
	struct lk_key where = lk_key_u64(record->number);

	uint8_t *value = malloc(LK_DIGEST_LEN + len);
	if (value == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return;
	}
	latchkey__store__audit_record__pack(record, value + LK_DIGEST_LEN);
	lk_seal_subkey(lk_store_keyring(lk_txn_store(txn)), LK_SEAL_AUDIT, NULL, 0, key);
	lk_audit_hash(key, head->audit_hash, value + LK_DIGEST_LEN, len, value);
	sodium_memzero(key, sizeof key);
	memcpy(head->audit_hash, value, LK_DIGEST_LEN);
	head->last_audit = record->number;
	lk_txn_put(txn, LK_TABLE_AUDIT, &where, value, LK_DIGEST_LEN + len, MDB_APPEND);
	free(value);
}

/* What was done, and by whom. */
static void fill_change(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Change *change,
	const struct lk_audit_entry *entry, Latchkey__Store__AuditRecord *record)
{
	record->time_us = change->time_us;
	record->actor = change->actor;
	record->method = change->method;
	record->peer = change->peer;
	record->traceparent = change->traceparent;
	record->request_id_hash = change->request_id_hash;
	record->before = snapshot_of(arena, entry->kind, entry->before);
	record->after = snapshot_of(arena, entry->kind, entry->after);
	name_resource(txn, arena, entry, record);
}

/* What was not done: the Change is the daemon's own, the call was another's. */
static void fill_refusal(const Latchkey__Store__NoteRefusal *refusal, Latchkey__Store__AuditRecord *record)
{
	record->time_us = refusal->time_us;
	record->actor = refusal->actor;
	record->method = refusal->method;
	record->peer = refusal->peer;
	record->traceparent = refusal->traceparent;
	record->tenant = refusal->tenant;
	record->code = refusal->code;
	record->left_out_count = refusal->left_out_count;
}

void lk_audit_append(struct lk_txn *txn, struct lk_arena *arena, const Latchkey__Store__Change *change,
	const struct lk_audit_entry *entry)
{
	const struct lk_head *head = lk_txn_head(txn);
	Latchkey__Store__AuditRecord record = LATCHKEY__STORE__AUDIT_RECORD__INIT;

	record.number = head->last_audit + 1;
	record.revision = head->revision;
	if (entry->refusal != NULL) {
		fill_refusal(entry->refusal, &record);
	} else {
		fill_change(txn, arena, change, entry, &record);
	}
	if (arena->exhausted || record.tenant == NULL) {
		lk_txn_fail(txn, LK_NO_MEMORY);
		return;
	}
	append(txn, &record);
}

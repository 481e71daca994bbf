/* One key of an import: what is said of it, against the policy of its keyspace and against what is there. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "server/core/grant.h"
#include "server/core/id.h"
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/core/time.h"
#include "server/service/key_import.h"
#include "server/service/key_roles.h"
#include "server/service/key_subject.h"
#include "server/service/own.h"
#include "server/store/find.h"
#include "server/store/verdict_record.h"

static void add_fault(struct lk_import *import, const char *field, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static void add_fault(struct lk_import *import, const char *field, const char *format, va_list args)
{
	struct lk_arena *arena = import->request->arena;
	char full[LK_IMPORT_PREFIX_LEN + 32];
	const char *description = lk_arena_vprintf(arena, format, args);

	/* Of the whole key: without the dot. */
	snprintf(full, sizeof full, "%.*s%s", (int)strlen(import->prefix) - (field[0] == '\0'), import->prefix, field);
	lk_fault_add(import->faults, full, "%s", description == NULL ? "is wrong" : description);
}

void lk_import_fault(struct lk_import *import, const char *field, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_fault(import, field, format, args);
	va_end(args);
}

void lk_import_duplicate(struct lk_import *import, const char *field, const char *format, ...)
{
	size_t before = import->faults->count;
	va_list args;

	va_start(args, format);
	add_fault(import, field, format, args);
	va_end(args);
	if (import->faults->count > before) {
		import->is_duplicate[before] = true;
	}
}

/* The key's keyspace; where there is none, says what is wrong with the one that it names. */
static void find_keyspace(struct lk_import *import)
{
	const struct lk_import_keyspace *keyspace = import->keyspace_of[import->index];
	const char *own = import->given->keyspace;

	import->keyspace = keyspace == NULL ? NULL : keyspace->record;
	if (import->keyspace != NULL) {
		return;
	}
	if (keyspace != NULL) {
		lk_import_fault(import, "keyspace", "there is no keyspace \"%s\" in tenant \"%s\"", keyspace->id,
			import->tenant->id);
	} else if (own[0] == '\0') {
		lk_import_fault(import, "keyspace", "is needed: name it here, or in the request for all keys");
	} else {
		char field[LK_IMPORT_PREFIX_LEN + sizeof "keyspace"];
		snprintf(field, sizeof field, "%skeyspace", import->prefix);
		lk_text_check_id(import->faults, field, own);
	}
}

/* When the key was made; now where nobody says. */
static int64_t check_create_time(struct lk_import *import)
{
	const Google__Protobuf__Timestamp *given = import->given->create_time;
	int64_t now_us = import->request->now_us, create_us = 0;
	char now[LK_TIME_TEXT_LEN];

	if (given == NULL) {
		return now_us;
	}
	if (!lk_time_from_timestamp(given, &create_us) || create_us <= 0 || create_us > now_us) {
		lk_time_format(now_us, now);
		lk_import_fault(import, "create_time",
			"%lld s and %d ns is no instant between 1970-01-01T00:00:00Z and now, %s",
			(long long)given->seconds, given->nanos, now);
		return now_us;
	}
	return create_us;
}

static void check_state(struct lk_import *import)
{
	static const char *const reasoned =
		"is why a key was suspended or revoked, and this one is neither: leave it out";
	Latchkey__Store__KeyRecord *record = import->record;
	char *reason = (char *)(uintptr_t) "";

	if (import->given->reason[0] != '\0') {
		char field[LK_IMPORT_PREFIX_LEN + sizeof "reason"];
		snprintf(field, sizeof field, "%sreason", import->prefix);
		reason = (char *)(uintptr_t)lk_text_check(
			import->faults, field, import->given->reason, LK_REASON_MAX, false);
	}
	record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE;
	switch (import->given->state) {
	case LATCHKEY__V1__KEY_STATE__KEY_STATE_UNSPECIFIED:
	case LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE:
		if (reason[0] != '\0') {
			lk_import_fault(import, "reason", "%s", reasoned);
		}
		break;
	case LATCHKEY__V1__KEY_STATE__KEY_STATE_SUSPENDED:
		record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;
		record->suspend_reason = reason;
		break;
	case LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED:
		record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
		record->revoke_reason = reason;
		break;
	default:
		lk_import_fault(import, "state",
			"%d is none that can be given: give ACTIVE, SUSPENDED or REVOKED; a key is EXPIRED by its "
			"expire_time",
			(int)import->given->state);
	}
}

/* What the key is told by: given, or the beginning of its token. */
static void check_display_prefix(struct lk_import *import)
{
	const Latchkey__V1__ImportedKey *given = import->given;
	bool has_token = given->secret_case == LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN;
	size_t len = strlen(given->display_prefix);

	if (import->keyspace == NULL) {
		return;
	}
	size_t most = has_token ? lk_import_shown(import->keyspace->policy, given->token, strlen(given->token))
				: import->keyspace->policy->display_length;
	if (len == 0 && has_token) {
		import->record->display_prefix = lk_arena_text(import->request->arena, given->token, most);
		return;
	}
	if (len > most) {
		lk_import_fault(import, "display_prefix",
			"has %zu characters: give at most %zu, which is what may be shown of this key", len, most);
	} else if (has_token && strncmp(given->token, given->display_prefix, len) != 0) {
		lk_import_fault(import, "display_prefix", "is not how the token begins: leave it out");
	}
	for (size_t i = 0; i < len; i++) {
		if (given->display_prefix[i] < '!' || given->display_prefix[i] > '~') {
			lk_import_fault(import, "display_prefix",
				"has a character that no token has: give printable ASCII without blanks");
			break;
		}
	}
	import->record->display_prefix = given->display_prefix;
}

/* The shared rules. A life is counted from its beginning, however long ago that was. */
static void check_fields(struct lk_import *import)
{
	const struct lk_key_rules rules = {
		.prefix = import->prefix,
		.policy = import->keyspace == NULL ? NULL : import->keyspace->policy,
		.now_us = import->record->create_us,
		/* The balance is what is left today. */
		.credits_us = import->request->now_us,
		.past_expiry = true,
	};
	struct lk_key_fields fields = {0};
	char roles[LK_IMPORT_PREFIX_LEN + sizeof "roles"];

	/* Where there is no memory left, the arena says so. */
	if (lk_key_fields_of_imported(import->request->arena, import->given, &fields) &&
		lk_own_resolve(import->request, "owner", fields.owner, &fields.owner) == LK_OK) {
		lk_policy_check_key(import->faults, &rules, &fields, import->record);
	}
	snprintf(roles, sizeof roles, "%sroles", import->prefix);
	lk_key_resolve_roles(
		import->request, import->faults, import->tenant, roles, fields.roles, fields.n_roles, import->record);
	if (!lk_own_sees(import->request, import->record->owner)) {
		lk_import_fault(import, "owner", "is not you, as which alone you may import keys: leave it out");
	}
	if (import->record->tenant_scope && !lk_grant_allows_keyspace(import->request->caller.grant, LK_GRANT_ANY)) {
		lk_import_fault(import, "scope",
			"a key of scope TENANT is good in every keyspace, and you are not granted keyspace "
			"\"" LK_GRANT_ANY "\": give KEY_SCOPE_KEYSPACE");
	}
}

static bool is_seen(const struct lk_import_seen *seen, const uint8_t *digest, size_t *ret_index)
{
	return digest != NULL && lk_import_seen_find(seen, 0, digest, LK_DIGEST_LEN, ret_index);
}

static bool is_stored(struct lk_import *import, const uint8_t *digest)
{
	struct lk_verdict verdict;

	return digest != NULL && lk_verdict_find(import->request->txn, digest, &verdict);
}

/*
 * Finds a token also where no more than its SHA-256 was given, before or in the store; in the store the other way round nobody
 * can tell. Says no more than that the secret is in use: the key that has it may be another tenant's.
 */
static void check_secret_is_new(struct lk_import *import, const char *field)
{
	const uint8_t *digest = import->record->digest.data;
	size_t first = 0;

	if (is_seen(&import->digests, digest, &first) || is_seen(&import->digests, import->other_digest, &first) ||
		is_seen(&import->other_digests, digest, &first)) {
		lk_import_duplicate(import, field, "is the secret of keys[%zu] too: give each key once", first);
	} else if (is_stored(import, digest) || is_stored(import, import->other_digest)) {
		lk_import_duplicate(import, field, "is the secret of a key that is there already: leave this one out");
	}
}

static void make_id(struct lk_import *import)
{
	uint8_t random[LK_KEY_ID_RANDOM_LEN];
	char *id = lk_arena_alloc(import->request->arena, LK_KEY_ID_LEN);

	if (id != NULL) {
		randombytes_buf(random, sizeof random);
		lk_key_id_make(import->record->create_us, random, id);
		import->record->id = id;
	}
}

static void check_id(struct lk_import *import)
{
	char *id = import->given->id;
	size_t first = 0;

	if (id[0] == '\0') {
		make_id(import);
		return;
	}
	import->record->id = id;
	if (!lk_key_id_is(id)) {
		/* Without the value: somebody may have put a token there. */
		lk_import_fault(import, "id",
			"is no id of a key: give \"key_\" and 26 characters as Latchkey makes them, or leave it out");
	} else if (lk_import_seen_find(&import->ids, 0, id, strlen(id), &first)) {
		lk_import_duplicate(import, "id", "%s is the id of keys[%zu] too", id, first);
	} else if (lk_find_slot_of_id(import->request->txn, id) != 0) {
		lk_import_duplicate(import, "id", "%s is taken: leave it out for a new one", id);
	}
}

/* Whether no other key may have this one's name. */
static bool is_name_unique(const struct lk_import *import)
{
	return import->keyspace != NULL && import->keyspace->policy->name_unique && import->record->name[0] != '\0' &&
	       import->record->state != LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
}

static void check_name(struct lk_import *import)
{
	const char *name = import->record->name;
	size_t first = 0;

	if (!is_name_unique(import)) {
		return;
	}
	if (lk_import_seen_find(&import->names, import->keyspace->number, name, strlen(name), &first)) {
		lk_import_fault(import, "name",
			"%s is the name of keys[%zu] too, and names of keyspace \"%s\" are unique",
			lk_text_quote(import->request->arena, name), first, import->keyspace->id);
	} else if (lk_find_name_taken(import->request->txn, import->keyspace->number, name)) {
		lk_import_fault(import, "name", "%s is taken by another key of keyspace \"%s\"",
			lk_text_quote(import->request->arena, name), import->keyspace->id);
	}
}

static void note(struct lk_import *import, struct lk_import_seen *seen, uint32_t group, const void *thing, size_t len)
{
	size_t first = 0;

	if (thing != NULL && !lk_import_seen_find(seen, group, thing, len, &first)) {
		lk_import_seen_add(seen, group, thing, len, import->index);
	}
}

static void note_key(struct lk_import *import)
{
	const Latchkey__Store__KeyRecord *record = import->record;

	note(import, &import->digests, 0, record->digest.data, record->digest.len);
	note(import, &import->other_digests, 0, import->other_digest, LK_DIGEST_LEN);
	if (import->given->id[0] != '\0') {
		note(import, &import->ids, 0, record->id, strlen(record->id));
	}
	if (is_name_unique(import)) {
		note(import, &import->names, import->keyspace->number, record->name, strlen(record->name));
	}
}

bool lk_import_check_key(struct lk_import *import)
{
	Latchkey__Store__KeyRecord *record = import->record;
	const char *secret_field = NULL;

	find_keyspace(import);
	record->create_us = check_create_time(import);
	record->update_us = import->request->now_us;
	record->created_by = (char *)(uintptr_t)import->request->caller.name;
	record->tenant = import->tenant->number;
	record->keyspace = import->keyspace == NULL ? 0 : import->keyspace->number;
	if (lk_import_read_secret(import, &secret_field)) {
		check_secret_is_new(import, secret_field);
	}
	check_display_prefix(import);
	check_id(import);
	check_fields(import);
	check_state(import);
	check_name(import);
	/* Not whether any were added: once there are many, no more are. */
	bool is_good = import->faults->count == 0;
	if (is_good || !import->message->skip_faulty) {
		note_key(import);
	}
	return is_good;
}

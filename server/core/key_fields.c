#include "server/core/key_fields.h"

#include "server/core/time.h"

const char *const lk_key_field_paths[LK_KEY_FIELDS] = {
	[LK_KEY_FIELD_NAME] = "name",
	[LK_KEY_FIELD_OWNER] = "owner",
	[LK_KEY_FIELD_SCOPE] = "scope",
	[LK_KEY_FIELD_METADATA] = "metadata",
	[LK_KEY_FIELD_NOT_BEFORE_TIME] = "not_before_time",
	[LK_KEY_FIELD_EXPIRE_TIME] = "expire_time",
	[LK_KEY_FIELD_PERMISSIONS] = "permissions",
	[LK_KEY_FIELD_GRANT] = "grant",
	[LK_KEY_FIELD_ROLES] = "roles",
	[LK_KEY_FIELD_ALLOWED_CIDRS] = "allowed_cidrs",
	[LK_KEY_FIELD_RATE_LIMITS] = "rate_limits",
	[LK_KEY_FIELD_CREDITS] = "credits",
};

/* Makes room for `count` entries of metadata, all empty. */
static bool make_metadata(struct lk_arena *arena, size_t count, struct lk_key_fields *fields)
{
	fields->metadata = NULL;
	fields->n_metadata = count;
	if (count == 0) {
		return true;
	}
	Latchkey__Store__MetadataRecord *entries = lk_arena_array(arena, count, sizeof(*entries));
	fields->metadata = lk_arena_array(arena, count, sizeof(*fields->metadata));
	if (entries == NULL || fields->metadata == NULL) {
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		latchkey__store__metadata_record__init(&entries[i]);
		fields->metadata[i] = &entries[i];
	}
	return true;
}

static void set_entry(struct lk_key_fields *fields, size_t at, char *key, char *value)
{
	fields->metadata[at]->key = key;
	fields->metadata[at]->value = value;
}

static bool take_grant(struct lk_arena *arena, const Latchkey__V1__Grant *grant, struct lk_key_fields *fields)
{
	fields->grant = NULL;
	if (grant == NULL) {
		return true;
	}
	Latchkey__Store__GrantRecord *record = lk_arena_alloc(arena, sizeof(*record));
	if (record == NULL) {
		return false;
	}
	latchkey__store__grant_record__init(record);
	record->n_methods = grant->n_methods;
	record->methods = grant->methods;
	record->n_tenants = grant->n_tenants;
	record->tenants = grant->tenants;
	record->n_keyspaces = grant->n_keyspaces;
	record->keyspaces = grant->keyspaces;
	record->own_only = grant->own_only;
	fields->grant = record;
	return true;
}

bool lk_key_fields_of_create(
	struct lk_arena *arena, const Latchkey__V1__CreateKeyRequest *request, struct lk_key_fields *ret_fields)
{
	struct lk_key_fields fields = {
		.name = request->name,
		.owner = request->owner,
		.scope = request->scope,
		.not_before_time = request->not_before_time,
		.permissions = request->permissions,
		.n_permissions = request->n_permissions,
		.allowed_cidrs = request->allowed_cidrs,
		.n_allowed_cidrs = request->n_allowed_cidrs,
		.gives_roles = true,
		.gives_rate_limits = true,
		.gives_credits = true,
		.roles = request->roles,
		.n_roles = request->n_roles,
		.rate_limits = request->rate_limits,
		.n_rate_limits = request->n_rate_limits,
		.credits = request->credits,
	};
	if (request->expiry_case == LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_EXPIRE_TIME) {
		fields.expire_time = request->expire_time;
	} else if (request->expiry_case == LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL) {
		fields.ttl = request->ttl;
	}
	if (!make_metadata(arena, request->n_metadata, &fields) || !take_grant(arena, request->grant, &fields)) {
		return false;
	}
	for (size_t i = 0; i < request->n_metadata; i++) {
		set_entry(&fields, i, request->metadata[i]->key, request->metadata[i]->value);
	}
	*ret_fields = fields;
	return true;
}

bool lk_key_fields_of_imported(
	struct lk_arena *arena, const Latchkey__V1__ImportedKey *imported, struct lk_key_fields *ret_fields)
{
	struct lk_key_fields fields = {
		.name = imported->name,
		.owner = imported->owner,
		.scope = imported->scope,
		.not_before_time = imported->not_before_time,
		.expire_time = imported->expire_time,
		.permissions = imported->permissions,
		.n_permissions = imported->n_permissions,
		.allowed_cidrs = imported->allowed_cidrs,
		.n_allowed_cidrs = imported->n_allowed_cidrs,
		.gives_roles = true,
		.gives_rate_limits = true,
		.gives_credits = true,
		.roles = imported->roles,
		.n_roles = imported->n_roles,
		.rate_limits = imported->rate_limits,
		.n_rate_limits = imported->n_rate_limits,
		.credits = imported->credits,
	};
	if (!make_metadata(arena, imported->n_metadata, &fields)) {
		return false;
	}
	for (size_t i = 0; i < imported->n_metadata; i++) {
		set_entry(&fields, i, imported->metadata[i]->key, imported->metadata[i]->value);
	}
	*ret_fields = fields;
	return true;
}

/* An instant that may be absent; false where the arena is exhausted, so that no key lives for ever for want of memory. */
static bool take_instant(struct lk_arena *arena, int64_t us, const Google__Protobuf__Timestamp **ret_timestamp)
{
	*ret_timestamp = lk_time_to_timestamp(arena, us);
	return us == 0 || *ret_timestamp != NULL;
}

bool lk_key_fields_of_record(
	struct lk_arena *arena, const Latchkey__Store__KeyRecord *record, struct lk_key_fields *ret_fields)
{
	struct lk_key_fields fields = {
		.name = record->name,
		.owner = record->owner,
		.scope = record->tenant_scope ? LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT
					      : LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_KEYSPACE,
		.metadata = record->metadata,
		.n_metadata = record->n_metadata,
		.permissions = record->permissions,
		.n_permissions = record->n_permissions,
		.allowed_cidrs = record->allowed_cidrs,
		.n_allowed_cidrs = record->n_allowed_cidrs,
		.grant = record->grant,
	};
	if (!take_instant(arena, record->not_before_us, &fields.not_before_time) ||
		!take_instant(arena, record->expire_us, &fields.expire_time)) {
		return false;
	}
	*ret_fields = fields;
	return true;
}

static bool overlay_metadata(struct lk_arena *arena, const Latchkey__V1__Key *key, struct lk_key_fields *fields)
{
	if (!make_metadata(arena, key->n_metadata, fields)) {
		return false;
	}
	for (size_t i = 0; i < key->n_metadata; i++) {
		set_entry(fields, i, key->metadata[i]->key, key->metadata[i]->value);
	}
	return true;
}

/* What is counted or resolved, not kept as it is said. */
static void overlay_given(const Latchkey__V1__Key *key, struct lk_mask mask, struct lk_key_fields *fields)
{
	if (lk_mask_names(mask, LK_KEY_FIELD_ROLES)) {
		fields->gives_roles = true;
		fields->roles = key->roles;
		fields->n_roles = key->n_roles;
	}
	if (lk_mask_names(mask, LK_KEY_FIELD_RATE_LIMITS)) {
		fields->gives_rate_limits = true;
		fields->rate_limits = key->rate_limits;
		fields->n_rate_limits = key->n_rate_limits;
	}
	if (lk_mask_names(mask, LK_KEY_FIELD_CREDITS)) {
		fields->gives_credits = true;
		fields->credits = key->credits;
	}
}

bool lk_key_fields_overlay(
	struct lk_arena *arena, const Latchkey__V1__Key *key, struct lk_mask mask, struct lk_key_fields *fields)
{
	struct lk_key_fields changed = *fields;
	if (lk_mask_names(mask, LK_KEY_FIELD_NAME)) {
		changed.name = key->name;
	}
	if (lk_mask_names(mask, LK_KEY_FIELD_OWNER)) {
		changed.owner = key->owner;
	}
	if (lk_mask_names(mask, LK_KEY_FIELD_SCOPE)) {
		changed.scope = key->scope;
	}
	if (lk_mask_names(mask, LK_KEY_FIELD_NOT_BEFORE_TIME)) {
		changed.not_before_time = key->not_before_time;
	}
	if (lk_mask_names(mask, LK_KEY_FIELD_EXPIRE_TIME)) {
		changed.expire_time = key->expire_time;
		changed.ttl = NULL;
	}
	if (lk_mask_names(mask, LK_KEY_FIELD_PERMISSIONS)) {
		changed.permissions = key->permissions;
		changed.n_permissions = key->n_permissions;
	}
	if (lk_mask_names(mask, LK_KEY_FIELD_ALLOWED_CIDRS)) {
		changed.allowed_cidrs = key->allowed_cidrs;
		changed.n_allowed_cidrs = key->n_allowed_cidrs;
	}
	overlay_given(key, mask, &changed);
	if (lk_mask_names(mask, LK_KEY_FIELD_METADATA) && !overlay_metadata(arena, key, &changed)) {
		return false;
	}
	if (lk_mask_names(mask, LK_KEY_FIELD_GRANT) && !take_grant(arena, key->grant, &changed)) {
		return false;
	}
	*fields = changed;
	return true;
}

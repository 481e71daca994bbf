#include "tests/integration/daemon/changes.h"

#include <stdint.h>
#include <stdio.h>

#include "tests/lib/place.h"

const ProtobufCMessage *change_create_key(const struct place *place, bool other)
{
	static Latchkey__V1__CreateKeyRequest request;

	latchkey__v1__create_key_request__init(&request);
	request.tenant = TEXT("acme");
	request.keyspace = TEXT(place->keyspace);
	request.name = TEXT(other ? "other" : "new");
	return &request.base;
}

static const ProtobufCMessage *update_key(const struct place *place, bool other)
{
	static Latchkey__V1__UpdateKeyRequest request;
	static Latchkey__V1__Key key;
	static Google__Protobuf__FieldMask mask;
	static char *paths[] = {(char *)(uintptr_t) "name"};

	latchkey__v1__update_key_request__init(&request);
	latchkey__v1__key__init(&key);
	google__protobuf__field_mask__init(&mask);
	mask.paths = paths;
	mask.n_paths = 1;
	key.id = place->keys[0];
	key.name = TEXT(other ? "other" : "renamed");
	request.tenant = TEXT("acme");
	request.key = &key;
	request.update_mask = &mask;
	return &request.base;
}

const ProtobufCMessage *change_activate_key(const struct place *place, bool other)
{
	static Latchkey__V1__ActivateKeyRequest request;

	latchkey__v1__activate_key_request__init(&request);
	request.tenant = TEXT("acme");
	request.key = place->keys[other ? 1 : 0];
	return &request.base;
}

const ProtobufCMessage *change_suspend_key(const struct place *place, bool other)
{
	static Latchkey__V1__SuspendKeyRequest request;

	latchkey__v1__suspend_key_request__init(&request);
	request.tenant = TEXT("acme");
	request.key = place->keys[0];
	request.reason = TEXT(other ? "other" : "resting");
	return &request.base;
}

static const ProtobufCMessage *rotate_key(const struct place *place, bool other)
{
	static Latchkey__V1__RotateKeyRequest request;

	latchkey__v1__rotate_key_request__init(&request);
	request.tenant = TEXT("acme");
	request.key = place->keys[other ? 1 : 0];
	return &request.base;
}

static const ProtobufCMessage *revoke_key(const struct place *place, bool other)
{
	static Latchkey__V1__RevokeKeyRequest request;

	latchkey__v1__revoke_key_request__init(&request);
	request.tenant = TEXT("acme");
	request.key = place->keys[0];
	request.reason = TEXT(other ? "other" : "leaked");
	return &request.base;
}

static const ProtobufCMessage *delete_key(const struct place *place, bool other)
{
	static Latchkey__V1__DeleteKeyRequest request;

	latchkey__v1__delete_key_request__init(&request);
	request.tenant = TEXT("acme");
	request.key = place->keys[other ? 1 : 0];
	return &request.base;
}

static const ProtobufCMessage *bulk_revoke(const struct place *place, bool other)
{
	static Latchkey__V1__BulkRevokeKeysRequest request;
	static char *keys[2];

	latchkey__v1__bulk_revoke_keys_request__init(&request);
	keys[0] = place->keys[0];
	keys[1] = place->keys[1];
	request.tenant = TEXT("acme");
	request.keys = keys;
	request.n_keys = 2;
	request.reason = TEXT(other ? "other" : "leaked");
	return &request.base;
}

/* Two keys whose tokens nobody else has: those of the place's own ids. */
static const ProtobufCMessage *import_keys(const struct place *place, bool other)
{
	static Latchkey__V1__ImportKeysRequest request;
	static Latchkey__V1__ImportedKey keys[2];
	static Latchkey__V1__ImportedKey *all[] = {&keys[0], &keys[1]};
	static char tokens[2][64];

	latchkey__v1__import_keys_request__init(&request);
	for (size_t i = 0; i < 2; i++) {
		latchkey__v1__imported_key__init(&keys[i]);
		(void)snprintf(
			tokens[i], sizeof tokens[i], "imported_%s_%zu_012345678901234567890123", place->new_id, i);
		keys[i].secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN;
		keys[i].token = tokens[i];
		keys[i].name = TEXT(other ? "other" : "imported");
	}
	request.tenant = TEXT("acme");
	request.keyspace = TEXT(place->keyspace);
	request.keys = all;
	request.n_keys = 2;
	return &request.base;
}

const ProtobufCMessage *change_create_keyspace(const struct place *place, bool other)
{
	static Latchkey__V1__CreateKeyspaceRequest request;
	static Latchkey__V1__KeyPolicy policy;

	latchkey__v1__create_keyspace_request__init(&request);
	latchkey__v1__key_policy__init(&policy);
	policy.token_prefix = TEXT("sk-");
	request.tenant = TEXT("acme");
	request.keyspace = TEXT(place->new_id);
	request.display_name = TEXT(other ? "other" : "new");
	request.policy = &policy;
	return &request.base;
}

static const ProtobufCMessage *update_keyspace(const struct place *place, bool other)
{
	static Latchkey__V1__UpdateKeyspaceRequest request;
	static Latchkey__V1__Keyspace keyspace;
	static Google__Protobuf__FieldMask mask;
	static char *paths[] = {(char *)(uintptr_t) "display_name"};

	latchkey__v1__update_keyspace_request__init(&request);
	latchkey__v1__keyspace__init(&keyspace);
	google__protobuf__field_mask__init(&mask);
	mask.paths = paths;
	mask.n_paths = 1;
	keyspace.id = TEXT(place->keyspace);
	keyspace.display_name = TEXT(other ? "other" : "renamed");
	request.tenant = TEXT("acme");
	request.keyspace = &keyspace;
	request.update_mask = &mask;
	return &request.base;
}

static const ProtobufCMessage *delete_keyspace(const struct place *place, bool other)
{
	static Latchkey__V1__DeleteKeyspaceRequest request;

	latchkey__v1__delete_keyspace_request__init(&request);
	request.tenant = TEXT("acme");
	request.keyspace = TEXT(place->keyspace);
	request.force = !other;
	return &request.base;
}

const ProtobufCMessage *change_create_tenant(const struct place *place, bool other)
{
	static Latchkey__V1__CreateTenantRequest request;

	latchkey__v1__create_tenant_request__init(&request);
	request.tenant = TEXT(place->new_id);
	request.display_name = TEXT(other ? "other" : "new");
	return &request.base;
}

static const ProtobufCMessage *update_tenant(const struct place *place, bool other)
{
	static Latchkey__V1__UpdateTenantRequest request;
	static Latchkey__V1__Tenant tenant;
	static Google__Protobuf__FieldMask mask;
	static char *paths[] = {(char *)(uintptr_t) "display_name"};

	latchkey__v1__update_tenant_request__init(&request);
	latchkey__v1__tenant__init(&tenant);
	google__protobuf__field_mask__init(&mask);
	mask.paths = paths;
	mask.n_paths = 1;
	tenant.id = TEXT(place->tenant);
	tenant.display_name = TEXT(other ? "other" : "renamed");
	request.tenant = &tenant;
	request.update_mask = &mask;
	return &request.base;
}

static const ProtobufCMessage *delete_tenant(const struct place *place, bool other)
{
	static Latchkey__V1__DeleteTenantRequest request;

	latchkey__v1__delete_tenant_request__init(&request);
	request.tenant = TEXT(place->tenant);
	request.force = other;
	return &request.base;
}

const struct change changes[] = {
	{&latchkey_v1_key_create_method, change_create_key, 1, 1, NULL, NULL, true},
	{&latchkey_v1_key_update_method, update_key, 1, 0, NULL, NULL, false},
	{&latchkey_v1_key_activate_method, change_activate_key, 1, 0, &latchkey_v1_key_suspend_method,
		change_suspend_key, false},
	{&latchkey_v1_key_suspend_method, change_suspend_key, 1, 0, NULL, NULL, false},
	{&latchkey_v1_key_rotate_method, rotate_key, 1, 0, NULL, NULL, true},
	{&latchkey_v1_key_revoke_method, revoke_key, 1, 0, NULL, NULL, false},
	{&latchkey_v1_key_delete_method, delete_key, 1, -1, NULL, NULL, false},
	{&latchkey_v1_key_bulk_revoke_method, bulk_revoke, 2, 0, NULL, NULL, false},
	{&latchkey_v1_key_import_method, import_keys, 2, 2, NULL, NULL, false},
	{&latchkey_v1_keyspace_create_method, change_create_keyspace, 1, 0, NULL, NULL, false},
	{&latchkey_v1_keyspace_update_method, update_keyspace, 1, 0, NULL, NULL, false},
	{&latchkey_v1_keyspace_delete_method, delete_keyspace, 1, -2, NULL, NULL, false},
	{&latchkey_v1_tenant_create_method, change_create_tenant, 1, 0, NULL, NULL, false},
	{&latchkey_v1_tenant_update_method, update_tenant, 1, 0, NULL, NULL, false},
	{&latchkey_v1_tenant_delete_method, delete_tenant, 1, 0, NULL, NULL, false},
	/* What finds nothing to do is asked for again, too. */
	{&latchkey_v1_key_activate_method, change_activate_key, 0, 0, NULL, NULL, false},
	{&latchkey_v1_key_suspend_method, change_suspend_key, 0, 0, &latchkey_v1_key_suspend_method, change_suspend_key,
		false},
	{&latchkey_v1_key_revoke_method, revoke_key, 0, 0, &latchkey_v1_key_revoke_method, revoke_key, false},
};

const size_t n_changes = sizeof changes / sizeof changes[0];

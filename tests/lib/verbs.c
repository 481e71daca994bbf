#include "tests/lib/verbs.h"

#include <string.h>
#include <time.h>

#include "tests/lib/check.h"

static char *text_of(const char *text)
{
	return text == NULL ? (char *)(uintptr_t)protobuf_c_empty_string : TEXT(text);
}

int64_t now_us(void)
{
	struct timespec now = {0};

	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

Google__Protobuf__Timestamp timestamp_of(int64_t us)
{
	Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	timestamp.seconds = us / US_PER_SECOND;
	timestamp.nanos = (int32_t)(us % US_PER_SECOND * 1000);
	return timestamp;
}

Google__Protobuf__Duration duration_of(int64_t us)
{
	Google__Protobuf__Duration duration = GOOGLE__PROTOBUF__DURATION__INIT;

	duration.seconds = us / US_PER_SECOND;
	duration.nanos = (int32_t)(us % US_PER_SECOND * 1000);
	return duration;
}

int64_t us_of(const Google__Protobuf__Timestamp *timestamp)
{
	return timestamp == NULL ? 0 : timestamp->seconds * US_PER_SECOND + timestamp->nanos / 1000;
}

const Latchkey__V1__Tenant *say_create_tenant(struct caller *caller, const char *tenant)
{
	Latchkey__V1__CreateTenantRequest request = LATCHKEY__V1__CREATE_TENANT_REQUEST__INIT;

	request.tenant = text_of(tenant);
	return caller_ask(caller, &latchkey_v1_tenant_create_method, &request);
}

const Latchkey__V1__Keyspace *say_create_keyspace(
	struct caller *caller, const char *tenant, const char *keyspace, Latchkey__V1__KeyPolicy *policy)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;

	request.tenant = text_of(tenant);
	request.keyspace = text_of(keyspace);
	request.policy = policy;
	return caller_ask(caller, &latchkey_v1_keyspace_create_method, &request);
}

const Latchkey__V1__CreateKeyResponse *say_create(struct caller *caller, const struct new_key *key)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Timestamp not_before = timestamp_of(key->not_before_us);
	Google__Protobuf__Timestamp expire = timestamp_of(key->expire_us);
	Google__Protobuf__Duration ttl = duration_of(key->ttl_us);

	request.tenant = text_of(key->tenant);
	request.keyspace = text_of(key->keyspace);
	request.name = text_of(key->name);
	request.owner = text_of(key->owner);
	request.scope = key->scope;
	request.not_before_time = key->not_before_us == 0 ? NULL : &not_before;
	if (key->expire_us != 0) {
		request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_EXPIRE_TIME;
		request.expire_time = &expire;
	} else if (key->ttl_us != 0) {
		request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL;
		request.ttl = &ttl;
	}
	request.permissions = (char **)(uintptr_t)key->permissions;
	request.n_permissions = key->n_permissions;
	request.roles = (char **)(uintptr_t)key->roles;
	request.n_roles = key->n_roles;
	request.allowed_cidrs = (char **)(uintptr_t)key->allowed_cidrs;
	request.n_allowed_cidrs = key->n_allowed_cidrs;
	request.rate_limits = key->rate_limits;
	request.n_rate_limits = key->n_rate_limits;
	request.credits = key->credits;
	request.grant = key->grant;
	request.validate_only = key->validate_only;
	return caller_ask(caller, &latchkey_v1_key_create_method, &request);
}

static size_t count_of(const char *const *list)
{
	size_t count = 0;

	while (list[count] != NULL) {
		count++;
	}
	return count;
}

const Latchkey__V1__CreateKeyResponse *say_create_root_key(
	struct caller *caller, const char *name, const char *const *methods, const char *const *tenants)
{
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	char *any = TEXT("*");

	grant.methods = (char **)(uintptr_t)methods;
	grant.n_methods = count_of(methods);
	grant.tenants = (char **)(uintptr_t)tenants;
	grant.n_tenants = count_of(tenants);
	grant.keyspaces = &any;
	grant.n_keyspaces = 1;
	return say_create(
		caller, &(struct new_key){.tenant = "system", .keyspace = "root", .name = name, .grant = &grant});
}

const Latchkey__V1__Key *say_get(struct caller *caller, const char *tenant, const char *key)
{
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;

	request.tenant = text_of(tenant);
	request.key = text_of(key);
	return caller_ask(caller, &latchkey_v1_key_get_method, &request);
}

const Latchkey__V1__Key *say_update(struct caller *caller, const char *tenant, const Latchkey__V1__Key *key,
	const char *const *paths, const char *etag)
{
	Latchkey__V1__UpdateKeyRequest request = LATCHKEY__V1__UPDATE_KEY_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;

	mask.paths = (char **)(uintptr_t)paths;
	mask.n_paths = count_of(paths);
	request.tenant = text_of(tenant);
	request.key = (Latchkey__V1__Key *)(uintptr_t)key;
	request.update_mask = &mask;
	request.etag = text_of(etag);
	return caller_ask(caller, &latchkey_v1_key_update_method, &request);
}

const Latchkey__V1__Key *say_activate(struct caller *caller, const char *tenant, const char *key)
{
	Latchkey__V1__ActivateKeyRequest request = LATCHKEY__V1__ACTIVATE_KEY_REQUEST__INIT;

	request.tenant = text_of(tenant);
	request.key = text_of(key);
	return caller_ask(caller, &latchkey_v1_key_activate_method, &request);
}

const Latchkey__V1__Key *say_suspend(struct caller *caller, const char *tenant, const char *key, const char *reason)
{
	Latchkey__V1__SuspendKeyRequest request = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;

	request.tenant = text_of(tenant);
	request.key = text_of(key);
	request.reason = text_of(reason);
	return caller_ask(caller, &latchkey_v1_key_suspend_method, &request);
}

const Latchkey__V1__RotateKeyResponse *say_rotate(
	struct caller *caller, const char *tenant, const char *key, int64_t overlap_us)
{
	Latchkey__V1__RotateKeyRequest request = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration overlap = duration_of(overlap_us);

	request.tenant = text_of(tenant);
	request.key = text_of(key);
	request.overlap = overlap_us == 0 ? NULL : &overlap;
	return caller_ask(caller, &latchkey_v1_key_rotate_method, &request);
}

const Latchkey__V1__Key *say_revoke(struct caller *caller, const char *tenant, const char *key, const char *reason)
{
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;

	request.tenant = text_of(tenant);
	request.key = text_of(key);
	request.reason = text_of(reason);
	return caller_ask(caller, &latchkey_v1_key_revoke_method, &request);
}

const Latchkey__V1__DeleteKeyResponse *say_delete(struct caller *caller, const char *tenant, const char *key)
{
	Latchkey__V1__DeleteKeyRequest request = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;

	request.tenant = text_of(tenant);
	request.key = text_of(key);
	return caller_ask(caller, &latchkey_v1_key_delete_method, &request);
}

const Latchkey__V1__VerifyKeyResponse *say_verify(
	struct caller *caller, const char *tenant, const char *keyspace, const char *token)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.tenant = text_of(tenant);
	request.keyspace = text_of(keyspace);
	request.token = text_of(token);
	return caller_ask(caller, &latchkey_v1_key_verify_method, &request);
}

const Latchkey__V1__VerifyKeyResponse *say_verify_for(
	struct caller *caller, const Latchkey__V1__VerifyKeyRequest *question)
{
	return caller_ask(caller, &latchkey_v1_key_verify_method, question);
}

Latchkey__V1__VerifyCode verdict_in(struct caller *caller, const char *tenant, const char *keyspace, const char *token)
{
	const Latchkey__V1__VerifyKeyResponse *verdict = say_verify(caller, tenant, keyspace, token);

	return verdict == NULL ? VERDICT(UNSPECIFIED) : verdict->code;
}

Latchkey__V1__VerifyCode verdict_on(struct caller *caller, const char *token)
{
	return verdict_in(caller, NULL, NULL, token);
}

size_t say_list(struct caller *caller, const char *tenant, Latchkey__V1__KeyFilter *filter, const char *order_by,
	int32_t page_size, const Latchkey__V1__Key **ret_keys, size_t room)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	size_t count = 0;

	request.tenant = text_of(tenant);
	request.filter = filter;
	request.order_by = text_of(order_by);
	request.page_size = page_size;
	do {
		const Latchkey__V1__ListKeysResponse *page = caller_ask(caller, &latchkey_v1_key_list_method, &request);
		if (page == NULL) {
			return SIZE_MAX;
		}
		for (size_t i = 0; i < page->n_keys; i++) {
			CHECK(count < room);
			ret_keys[count++] = page->keys[i];
		}
		request.page_token = page->next_page_token;
	} while (request.page_token[0] != '\0');
	return count;
}

enum lk_err say_act(struct caller *caller, Latchkey__V1__KeyAction action, const char *tenant, const char *key)
{
	static const char *const paths[] = {"name", NULL};
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;

	changed.id = text_of(key);
	changed.name = TEXT("renamed");
	switch (action) {
	case KEY_ACTION(ACTIVATE):
		(void)say_activate(caller, tenant, key);
		break;
	case KEY_ACTION(SUSPEND):
		(void)say_suspend(caller, tenant, key, NULL);
		break;
	case KEY_ACTION(ROTATE):
		(void)say_rotate(caller, tenant, key, 0);
		break;
	case KEY_ACTION(UPDATE):
		(void)say_update(caller, tenant, &changed, paths, NULL);
		break;
	case KEY_ACTION(REVOKE):
		(void)say_revoke(caller, tenant, key, NULL);
		break;
	default:
		CHECK(action == KEY_ACTION(DELETE));
		(void)say_delete(caller, tenant, key);
	}
	return caller->err;
}

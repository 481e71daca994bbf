#include "tests/unit/service/key_calls.h"

#include <stdio.h>

static struct loop_answer call_as(const struct loop_call *how, const struct lk_method *method,
	const ProtobufCMessage *request, enum lk_err expected)
{
	struct loop_answer answer = loop_call(&fixture_loop, how == NULL ? &fixture_operator : how, method, request);

	if (answer.code != lk_err_wire_code(expected)) {
		print_message("%s: %u %s\n%s", method->name, answer.code, answer.message, answer.violations);
	}
	assert_int_equal(answer.code, lk_err_wire_code(expected));
	return answer;
}

struct loop_answer keys_do_as(const struct loop_call *how, const char *tenant, Latchkey__V1__KeyAction action,
	const char *key, enum lk_err expected)
{
	Latchkey__V1__ActivateKeyRequest activate = LATCHKEY__V1__ACTIVATE_KEY_REQUEST__INIT;
	Latchkey__V1__SuspendKeyRequest suspend = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;
	Latchkey__V1__RotateKeyRequest rotate = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Latchkey__V1__RevokeKeyRequest revoke = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	Latchkey__V1__DeleteKeyRequest delete = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;

	activate.tenant = suspend.tenant = rotate.tenant = revoke.tenant = delete.tenant = TEXT(tenant);
	activate.key = suspend.key = rotate.key = revoke.key = delete.key = TEXT(key);
	switch (action) {
	case ACTION(ACTIVATE):
		return call_as(how, &latchkey_v1_key_activate_method, &activate.base, expected);
	case ACTION(SUSPEND):
		return call_as(how, &latchkey_v1_key_suspend_method, &suspend.base, expected);
	case ACTION(ROTATE):
		return call_as(how, &latchkey_v1_key_rotate_method, &rotate.base, expected);
	case ACTION(REVOKE):
		return call_as(how, &latchkey_v1_key_revoke_method, &revoke.base, expected);
	case ACTION(DELETE):
		return call_as(how, &latchkey_v1_key_delete_method, &delete.base, expected);
	default:
		assert_int_equal(action, ACTION(UPDATE));
		changed.id = TEXT(key);
		changed.owner = TEXT("changed");
		return keys_update_as(how, tenant, &changed, PATHS("owner"), "", expected);
	}
}

struct loop_answer keys_do(Latchkey__V1__KeyAction action, const char *key, enum lk_err expected)
{
	return keys_do_as(NULL, "acme", action, key, expected);
}

struct loop_answer keys_update_as(const struct loop_call *how, const char *tenant, const Latchkey__V1__Key *key,
	const char *const *paths, const char *etag, enum lk_err expected)
{
	Latchkey__V1__UpdateKeyRequest request = LATCHKEY__V1__UPDATE_KEY_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;

	for (mask.n_paths = 0; paths[mask.n_paths] != NULL; mask.n_paths++) {
	}
	mask.paths = (char **)(uintptr_t)paths;
	request.tenant = TEXT(tenant);
	request.key = (Latchkey__V1__Key *)(uintptr_t)key;
	request.update_mask = &mask;
	request.etag = TEXT(etag);
	return call_as(how, &latchkey_v1_key_update_method, &request.base, expected);
}

struct loop_answer keys_update(
	const Latchkey__V1__Key *key, const char *const *paths, const char *etag, enum lk_err expected)
{
	return keys_update_as(NULL, "acme", key, paths, etag, expected);
}

struct loop_answer keys_get(const char *key)
{
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	return fixture_call(&latchkey_v1_key_get_method, &request.base, LK_OK);
}

const Latchkey__V1__Key *keys_shown(const struct loop_answer *answer)
{
	return (const Latchkey__V1__Key *)answer->response;
}

struct fixture_key keys_make_expired(const char *keyspace)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;

	ttl.nanos = 1000;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT(keyspace);
	request.name = TEXT("expired");
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL;
	request.ttl = &ttl;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	return fixture_take_key(&answer);
}

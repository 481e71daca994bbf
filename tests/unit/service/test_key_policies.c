/* Keys whose keyspace has changed since they were made, and what a new key takes from it. */
#include <time.h>

#include "server/store/apply.h"
#include "server/store/find.h"
#include "server/store/txn.h"
#include "tests/lib/draft.h"
#include "tests/unit/service/key_calls.h"

#define HOUR_S 3600

/* Changes a keyspace behind the services' back. */
static void set_keyspace(const char *keyspace, void (*change_keyspace)(Latchkey__Store__KeyspaceRecord *keyspace))
{
	struct lk_arena arena = {0};
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_arena_init(&arena, 1 << 12, 1 << 20), LK_OK);
	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, &arena, "acme");
	assert_non_null(tenant);
	Latchkey__Store__KeyspaceRecord *record = lk_find_keyspace(txn, &arena, tenant->number, keyspace);
	assert_non_null(record);
	change_keyspace(record);
	Latchkey__Store__Change *change = lk_draft_new(&arena);
	lk_draft_put_keyspace_again(&arena, change, record);
	assert_int_equal(lk_apply_do(txn, &arena, change), LK_OK);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	lk_arena_done(&arena);
}

static void make_strict(Latchkey__Store__KeyspaceRecord *keyspace)
{
	Latchkey__Store__PolicyRecord *policy = keyspace->policy;

	policy->owner_required = true;
	policy->expiry_required = true;
	policy->name_min_length = 4;
	policy->token_prefix = TEXT("strict_");
	policy->display_length = 10;
	policy->default_ttl_us = 1;
}

/* A policy that changed means nothing for a key, until the key is changed: then all of it is obeyed. */
static void test_update_obeys_the_policy_as_it_now_is(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "abc");
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	Google__Protobuf__Timestamp expire = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	(void)state;
	set_keyspace("prod", make_strict);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	fixture_drop(keys_do(ACTION(SUSPEND), key.id, LK_OK));
	fixture_drop(keys_do(ACTION(ACTIVATE), key.id, LK_OK));
	changed.id = key.id;
	changed.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	changed.name = TEXT("long enough");
	changed.owner = TEXT("u-7");
	changed.expire_time = &expire;
	expire.seconds = (int64_t)time(NULL) + HOUR_S;
	struct loop_answer answer = keys_update(&changed, PATHS("scope"), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key.name: \"abc\" has 3 characters: give at least 4");
	fixture_assert_violation(&answer, "key.owner: is needed");
	fixture_assert_violation(&answer, "key.expire_time: is needed");
	assert_int_equal(fixture_violations_in(&answer), 3);
	loop_answer_done(&answer);
	fixture_drop(keys_update(&changed, PATHS("scope", "name", "owner", "expire_time"), "", LK_OK));
	/* A new secret is made as the policy now says. */
	answer = keys_do(ACTION(ROTATE), key.id, LK_OK);
	const Latchkey__V1__RotateKeyResponse *rotated = (const Latchkey__V1__RotateKeyResponse *)answer.response;
	assert_memory_equal(rotated->token, "strict_", 7);
	assert_int_equal(strlen(rotated->key->display_prefix), 10);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void make_unique(Latchkey__Store__KeyspaceRecord *keyspace)
{
	keyspace->policy->name_unique = true;
}

static void test_update_refuses_a_name_that_was_given_twice_before(void **state)
{
	struct fixture_key first = fixture_make_key("acme", "prod", "twin");
	struct fixture_key second = fixture_make_key("acme", "prod", "twin");

	(void)state;
	set_keyspace("prod", make_unique);
	struct loop_answer answer = keys_do(ACTION(UPDATE), first.id, LK_ALREADY_EXISTS);
	fixture_assert_violation(&answer, "key.name: \"twin\" is taken");
	loop_answer_done(&answer);
	fixture_drop(keys_do(ACTION(UPDATE), second.id, LK_ALREADY_EXISTS));
	fixture_drop(keys_do(ACTION(REVOKE), first.id, LK_OK));
	fixture_drop(keys_do(ACTION(UPDATE), second.id, LK_OK));
	fixture_key_done(&first);
	fixture_key_done(&second);
}

static void close_keyspace(Latchkey__Store__KeyspaceRecord *keyspace)
{
	keyspace->closed = true;
}

static void test_key_of_a_closed_keyspace_is_not_there(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");

	(void)state;
	set_keyspace("prod", close_keyspace);
	for (int action = first_action; action <= last_action; action++) {
		fixture_drop(keys_do((Latchkey__V1__KeyAction)action, key.id, LK_NOT_FOUND));
		fixture_drop(keys_do((Latchkey__V1__KeyAction)action, "1", LK_NOT_FOUND));
	}
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(NOT_FOUND));
	fixture_key_done(&key);
}

static void test_create_takes_the_default_permissions(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	char *defaults[] = {TEXT("agents:list"), TEXT("agents:install")};
	char *own[] = {TEXT("chat:*")};
	char *bad[] = {TEXT("chat chat")};

	(void)state;
	policy.token_prefix = TEXT("p_");
	policy.default_permissions = defaults;
	policy.n_default_permissions = 2;
	fixture_make_keyspace("acme", "perms", &policy);
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("perms");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	const Latchkey__V1__Key *made = ((const Latchkey__V1__CreateKeyResponse *)answer.response)->key;
	assert_int_equal(made->n_permissions, 2);
	assert_string_equal(made->permissions[1], "agents:install");
	loop_answer_done(&answer);
	request.permissions = own;
	request.n_permissions = 1;
	answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	made = ((const Latchkey__V1__CreateKeyResponse *)answer.response)->key;
	assert_int_equal(made->n_permissions, 1);
	assert_string_equal(made->permissions[0], "chat:*");
	loop_answer_done(&answer);
	request.permissions = bad;
	answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "permissions[0]: \"chat chat\" is no permission");
	loop_answer_done(&answer);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_update_obeys_the_policy_as_it_now_is),
		TEST(test_update_refuses_a_name_that_was_given_twice_before),
		TEST(test_key_of_a_closed_keyspace_is_not_there),
		TEST(test_create_takes_the_default_permissions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/service/service_fixture.h"

#include <stdio.h>

#include "server/core/secret.h"
#include "server/store/txn.h"

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

/* Makes a call as somebody, and returns the code of the answer. */
static enum lk_err call_as(const struct loop_call *how, const struct lk_method *method, const ProtobufCMessage *request)
{
	struct loop_answer answer = loop_call(&fixture_loop, how, method, request);
	enum lk_err code = lk_err_from_wire(answer.code);

	loop_answer_done(&answer);
	return code;
}

static enum lk_err get_tenant_as(const struct loop_call *how, const char *tenant)
{
	Latchkey__V1__GetTenantRequest request = LATCHKEY__V1__GET_TENANT_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	return call_as(how, &latchkey_v1_tenant_get_method, &request.base);
}

static void test_nobody_may_ask_for_health_alone(void **state)
{
	struct loop_call nobody = {.anonymous = true};
	Latchkey__V1__CheckHealthRequest check = LATCHKEY__V1__CHECK_HEALTH_REQUEST__INIT;
	Latchkey__V1__WhoAmIRequest who = LATCHKEY__V1__WHO_AM_IREQUEST__INIT;

	(void)state;
	assert_int_equal(call_as(&nobody, &latchkey_v1_health_check_method, &check.base), LK_OK);
	assert_int_equal(call_as(&nobody, &latchkey_v1_admin_who_am_i_method, &who.base), LK_UNAUTHENTICATED);
	assert_int_equal(get_tenant_as(&nobody, "acme"), LK_UNAUTHENTICATED);
}

static void test_root_key_may_do_what_its_grant_says(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("tenants.get", "keys.*"), LIST("acme"), LIST("prod"));
	struct loop_call how = {.anonymous = true, .credential = root.token};
	Latchkey__V1__ListTenantsRequest list = LATCHKEY__V1__LIST_TENANTS_REQUEST__INIT;
	Latchkey__V1__ListKeysRequest keys = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;

	(void)state;
	fixture_make_tenant("other");
	assert_int_equal(get_tenant_as(&how, "acme"), LK_OK);
	assert_int_equal(get_tenant_as(&how, ""), LK_OK);
	assert_int_equal(get_tenant_as(&how, "active"), LK_OK);
	assert_int_equal(get_tenant_as(&how, "other"), LK_PERMISSION_DENIED);
	assert_int_equal(get_tenant_as(&how, "nowhere"), LK_PERMISSION_DENIED);
	assert_int_equal(get_tenant_as(&how, "system"), LK_PERMISSION_DENIED);
	assert_int_equal(call_as(&how, &latchkey_v1_tenant_list_method, &list.base), LK_PERMISSION_DENIED);
	assert_int_equal(call_as(&how, &latchkey_v1_key_list_method, &keys.base), LK_OK);
	fixture_key_done(&root);
}

static void test_default_tenant_that_is_not_there_is_named(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("*"), LIST("ghost"), LIST("*"));
	struct loop_call how = {.anonymous = true, .credential = root.token};
	Latchkey__V1__GetTenantRequest request = LATCHKEY__V1__GET_TENANT_REQUEST__INIT;
	Latchkey__V1__ListKeysRequest list = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;

	(void)state;
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_tenant_get_method, &request.base);
	assert_int_equal(answer.code, LK_NOT_FOUND);
	assert_string_equal(answer.message, "no tenant \"ghost\"");
	loop_answer_done(&answer);
	answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_list_method, &list.base);
	assert_int_equal(answer.code, LK_NOT_FOUND);
	assert_string_equal(answer.message, "no tenant \"ghost\"");
	loop_answer_done(&answer);
	fixture_key_done(&root);
}

static void test_star_is_not_the_system_tenant(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("*"), LIST("*"), LIST("*"));
	struct loop_call how = {.anonymous = true, .credential = root.token};

	(void)state;
	assert_int_equal(get_tenant_as(&how, "acme"), LK_OK);
	assert_int_equal(get_tenant_as(&how, "system"), LK_PERMISSION_DENIED);
	/* Granted several, none is the one that it could default to. */
	assert_int_equal(get_tenant_as(&how, "active"), LK_INVALID_ARGUMENT);
	fixture_key_done(&root);
}

static void test_revoked_root_key_is_refused_at_once(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("*"), LIST("*"), LIST("*"));
	/* From root's own process: a credential that fails never falls back to the uid. */
	struct loop_call how = {.credential = root.token};
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;

	(void)state;
	assert_int_equal(get_tenant_as(&how, "acme"), LK_OK);
	request.tenant = TEXT("system");
	request.key = root.id;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_revoke_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	assert_int_equal(get_tenant_as(&how, "acme"), LK_UNAUTHENTICATED);
	how.credential = "lkr_nonsense";
	assert_int_equal(get_tenant_as(&how, "acme"), LK_UNAUTHENTICATED);
	fixture_key_done(&root);
}

static void revoke(Latchkey__Store__KeyRecord *key)
{
	key->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
}

static void narrow(Latchkey__Store__KeyRecord *key)
{
	static char method[] = "keys.verify";
	static char *methods[] = {method};

	key->grant->methods = methods;
	key->grant->n_methods = 1;
}

static uint8_t other_digest[LK_DIGEST_LEN];

static void rotate(Latchkey__Store__KeyRecord *key)
{
	key->previous_digest = key->digest;
	key->previous_kind = key->secret_kind;
	key->digest = (ProtobufCBinaryData){sizeof other_digest, other_digest};
}

static void rotate_with_overlap(Latchkey__Store__KeyRecord *key)
{
	rotate(key);
	key->previous_until_us = INT64_MAX;
}

static void test_write_of_a_key_that_was_changed_meanwhile_is_checked_anew(void **state)
{
	static const struct {
		void (*change)(Latchkey__Store__KeyRecord *key);
		enum lk_err code;
	} cases[] = {
		{revoke, LK_UNAUTHENTICATED},
		{narrow, LK_UNAVAILABLE},
		{rotate, LK_UNAUTHENTICATED},
		{rotate_with_overlap, LK_OK},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture_key root = fixture_make_root_key(LIST("*"), LIST("*"), LIST("*"));
		struct loop_call how = {.anonymous = true, .credential = root.token};
		Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
		struct lk_txn *txn = NULL;

		other_digest[0] = (uint8_t)i;
		request.tenant = TEXT("acme");
		request.keyspace = TEXT("prod");
		/* The writer waits for this transaction to end, and the Create, which was allowed, for the writer. */
		assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
		struct loop_pending *pending = loop_begin(
			&fixture_loop, &how, &latchkey_v1_key_create_method, &request.base);
		fixture_change_root_key(txn, root.id, cases[i].change);
		struct loop_answer answer = loop_end(pending);
		assert_int_equal(lk_err_from_wire(answer.code), cases[i].code);
		loop_answer_done(&answer);
		fixture_key_done(&root);
	}
}

static void test_key_of_a_tenant_is_no_credential(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct loop_call how = {.anonymous = true, .credential = key.token};

	(void)state;
	assert_int_equal(get_tenant_as(&how, "acme"), LK_UNAUTHENTICATED);
	fixture_key_done(&key);
}

/* Verifies a token as somebody who may verify the keys of some tenants and keyspaces. */
static Latchkey__V1__VerifyCode verify_as(
	const char *token, const char *const *tenants, const char *const *keyspaces, const char *asked)
{
	struct fixture_key root = fixture_make_root_key(LIST("keys.verify"), tenants, keyspaces);
	struct loop_call how = {.anonymous = true, .credential = root.token};
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(token);
	request.keyspace = TEXT(asked);
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_verify_method, &request.base);
	assert_int_equal(answer.code, 0);
	Latchkey__V1__VerifyCode code = ((const Latchkey__V1__VerifyKeyResponse *)answer.response)->code;
	loop_answer_done(&answer);
	fixture_key_done(&root);
	return code;
}

static void test_verify_tells_nothing_of_keys_out_of_reach(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");

	(void)state;
	fixture_make_tenant("other");
	assert_int_equal(
		verify_as(key.token, LIST("acme"), LIST("prod"), ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
	assert_int_equal(
		verify_as(key.token, LIST("other"), LIST("*"), ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	assert_int_equal(verify_as(key.token, LIST("acme"), LIST("staging"), ""),
		LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	assert_int_equal(verify_as(key.token, LIST("acme"), LIST("staging"), "staging"),
		LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	fixture_key_done(&key);
}

/* One that is good in every keyspace of its tenant is known to who is granted one of them: one that there is in this tenant. */
static void test_verify_tells_nothing_of_a_wide_key_by_another_tenants_keyspace(void **state)
{
	Latchkey__V1__CreateKeyRequest create = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	const char *const *tenants = LIST("acme", "other");

	(void)state;
	policy.token_prefix = TEXT("st_");
	fixture_make_tenant("other");
	fixture_make_keyspace("other", "staging", &policy);
	create.tenant = TEXT("acme");
	create.keyspace = TEXT("prod");
	create.name = TEXT("wide");
	create.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	struct loop_answer wide = fixture_call(&latchkey_v1_key_create_method, &create.base, LK_OK);
	const char *token = ((const Latchkey__V1__CreateKeyResponse *)wide.response)->token;
	assert_int_equal(verify_as(token, tenants, LIST("staging"), "staging"),
		LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	assert_int_equal(verify_as(token, tenants, LIST("staging", "prod"), "staging"),
		LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_WRONG_KEYSPACE);
	fixture_make_keyspace("acme", "staging", &policy);
	assert_int_equal(
		verify_as(token, tenants, LIST("staging"), "staging"), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
	loop_answer_done(&wide);
}

static void test_nobody_grants_more_than_he_has(void **state)
{
	struct fixture_key root = fixture_make_root_key(
		LIST("keys.create", "keys.revoke"), LIST("system", "acme"), LIST("*"));
	struct loop_call how = {.anonymous = true, .credential = root.token};
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__RevokeKeyRequest revoke = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	char *within[] = {TEXT("keys.create")};
	char *beyond[] = {TEXT("keys.verify")};
	char *tenants[] = {TEXT("acme")};

	(void)state;
	struct fixture_key stronger = fixture_make_root_key(LIST("*"), LIST("*"), LIST("*"));
	request.tenant = TEXT("system");
	request.keyspace = TEXT("root");
	request.name = TEXT("child");
	request.grant = &grant;
	grant.n_methods = grant.n_tenants = grant.n_keyspaces = 1;
	grant.tenants = tenants;
	grant.keyspaces = (char *[]){TEXT("prod")};
	grant.methods = within;
	assert_int_equal(call_as(&how, &latchkey_v1_key_create_method, &request.base), LK_OK);
	grant.methods = beyond;
	assert_int_equal(call_as(&how, &latchkey_v1_key_create_method, &request.base), LK_PERMISSION_DENIED);
	revoke.tenant = TEXT("system");
	revoke.key = stronger.id;
	assert_int_equal(call_as(&how, &latchkey_v1_key_revoke_method, &revoke.base), LK_PERMISSION_DENIED);
	fixture_key_done(&stronger);
	fixture_key_done(&root);
}

static void test_key_of_every_keyspace_is_for_who_is_granted_all(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("keys.*"), LIST("acme"), LIST("prod"));
	struct loop_call how = {.anonymous = true, .credential = root.token};
	Latchkey__V1__CreateKeyRequest create = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__UpdateKeyRequest update = LATCHKEY__V1__UPDATE_KEY_REQUEST__INIT;
	Latchkey__V1__RotateKeyRequest rotate = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Latchkey__V1__SuspendKeyRequest suspend = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;
	Latchkey__V1__ActivateKeyRequest activate = LATCHKEY__V1__ACTIVATE_KEY_REQUEST__INIT;
	Latchkey__V1__ImportKeysRequest import = LATCHKEY__V1__IMPORT_KEYS_REQUEST__INIT;
	Latchkey__V1__ImportedKey imported = LATCHKEY__V1__IMPORTED_KEY__INIT;
	Latchkey__V1__Key key = LATCHKEY__V1__KEY__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	char *paths[] = {TEXT("scope")};

	(void)state;
	create.tenant = update.tenant = rotate.tenant = import.tenant = TEXT("acme");
	suspend.tenant = activate.tenant = TEXT("acme");
	create.keyspace = import.keyspace = TEXT("prod");
	create.name = TEXT("narrow");
	struct loop_answer narrow = fixture_call(&latchkey_v1_key_create_method, &create.base, LK_OK);
	create.name = TEXT("wide");
	create.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	assert_int_equal(call_as(&how, &latchkey_v1_key_create_method, &create.base), LK_PERMISSION_DENIED);
	struct loop_answer wide = fixture_call(&latchkey_v1_key_create_method, &create.base, LK_OK);
	key.id = ((Latchkey__V1__CreateKeyResponse *)narrow.response)->key->id;
	key.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	mask.paths = paths;
	mask.n_paths = 1;
	update.key = &key;
	update.update_mask = &mask;
	assert_int_equal(call_as(&how, &latchkey_v1_key_update_method, &update.base), LK_PERMISSION_DENIED);
	rotate.key = ((Latchkey__V1__CreateKeyResponse *)wide.response)->key->id;
	assert_int_equal(call_as(&how, &latchkey_v1_key_rotate_method, &rotate.base), LK_PERMISSION_DENIED);
	suspend.key = activate.key = rotate.key;
	assert_int_equal(call_as(&how, &latchkey_v1_key_suspend_method, &suspend.base), LK_OK);
	assert_int_equal(call_as(&how, &latchkey_v1_key_activate_method, &activate.base), LK_PERMISSION_DENIED);
	rotate.key = key.id;
	assert_int_equal(call_as(&how, &latchkey_v1_key_rotate_method, &rotate.base), LK_OK);
	imported.secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN;
	imported.token = TEXT("token-from-elsewhere");
	imported.name = TEXT("imported");
	imported.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	import.keys = (Latchkey__V1__ImportedKey *[]){&imported};
	import.n_keys = 1;
	assert_int_equal(call_as(&how, &latchkey_v1_key_import_method, &import.base), LK_INVALID_ARGUMENT);
	imported.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_KEYSPACE;
	assert_int_equal(call_as(&how, &latchkey_v1_key_import_method, &import.base), LK_OK);
	loop_answer_done(&wide);
	loop_answer_done(&narrow);
	fixture_key_done(&root);
}

static void test_cursor_is_its_callers_own(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("keys.list"), LIST("acme"), LIST("*"));
	struct loop_call how = {.anonymous = true, .credential = root.token};
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct fixture_key key = fixture_make_key("acme", "prod", "");
		fixture_key_done(&key);
	}
	request.tenant = TEXT("acme");
	request.page_size = 1;
	struct loop_answer page = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
	request.page_token = ((Latchkey__V1__ListKeysResponse *)page.response)->next_page_token;
	assert_int_equal(call_as(&how, &latchkey_v1_key_list_method, &request.base), LK_INVALID_ARGUMENT);
	/* Nor is it good for another list, or for the same one of another tenant. */
	Latchkey__V1__ListKeyspacesRequest keyspaces = LATCHKEY__V1__LIST_KEYSPACES_REQUEST__INIT;
	keyspaces.tenant = TEXT("acme");
	keyspaces.page_token = request.page_token;
	struct loop_answer answer = fixture_call(
		&latchkey_v1_keyspace_list_method, &keyspaces.base, LK_INVALID_ARGUMENT);
	loop_answer_done(&answer);
	fixture_make_tenant("other");
	request.tenant = TEXT("other");
	answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_INVALID_ARGUMENT);
	loop_answer_done(&answer);
	request.tenant = TEXT("acme");
	answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	loop_answer_done(&page);
	fixture_key_done(&root);
}

/* Lists the keyspaces of acme page by page, one each, and joins their ids. */
static void list_keyspaces_as(const struct loop_call *how, size_t size, char *ret_ids)
{
	Latchkey__V1__ListKeyspacesRequest request = LATCHKEY__V1__LIST_KEYSPACES_REQUEST__INIT;
	char token[512] = "";
	size_t len = 0;

	request.tenant = TEXT("acme");
	request.page_size = 1;
	do {
		request.page_token = token;
		struct loop_answer answer = loop_call(
			&fixture_loop, how, &latchkey_v1_keyspace_list_method, &request.base);
		assert_int_equal(answer.code, 0);
		const Latchkey__V1__ListKeyspacesResponse *page = (const Latchkey__V1__ListKeyspacesResponse *)
									  answer.response;
		for (size_t i = 0; i < page->n_keyspaces; i++) {
			len += (size_t)snprintf(ret_ids + len, size - len, "%s ", page->keyspaces[i]->id);
			assert_true(len < size);
		}
		(void)snprintf(token, sizeof token, "%s", page->next_page_token);
		loop_answer_done(&answer);
	} while (token[0] != '\0');
}

static void test_lists_show_what_is_granted_alone(void **state)
{
	struct fixture_key root = fixture_make_root_key(
		LIST("tenants.list", "keyspaces.list"), LIST("acme"), LIST("b", "d"));
	struct loop_call how = {.anonymous = true, .credential = root.token};
	Latchkey__V1__ListTenantsRequest tenants = LATCHKEY__V1__LIST_TENANTS_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	static const char *const keyspaces[] = {"d", "a", "b", "c"};
	char ids[64] = "";

	(void)state;
	policy.token_prefix = TEXT("x-");
	for (size_t i = 0; i < 4; i++) {
		fixture_make_keyspace("acme", keyspaces[i], &policy);
	}
	fixture_make_tenant("other");
	fixture_make_keyspace("other", "b", &policy);
	list_keyspaces_as(&how, sizeof ids, ids);
	assert_string_equal(ids, "b d ");
	list_keyspaces_as(&fixture_operator, sizeof ids, ids);
	assert_string_equal(ids, "a b c d prod ");
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_tenant_list_method, &tenants.base);
	const Latchkey__V1__ListTenantsResponse *page = (const Latchkey__V1__ListTenantsResponse *)answer.response;
	assert_int_equal(page->n_tenants, 1);
	assert_string_equal(page->tenants[0]->id, "acme");
	assert_string_equal(page->next_page_token, "");
	loop_answer_done(&answer);
	fixture_key_done(&root);
}

#define MANY 40

static void test_keys_of_many_keyspaces_are_listed_as_they_were_made(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("keys.list"), LIST("acme"), LIST("k07", "k31"));
	struct loop_call how = {.anonymous = true, .credential = root.token};
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	char id[8] = "";

	(void)state;
	policy.token_prefix = TEXT("x-");
	/* Made from the last to the first, so that the order of their ids is not that of their keys. */
	for (int i = MANY - 1; i >= 0; i--) {
		(void)snprintf(id, sizeof id, "k%02d", i);
		fixture_make_keyspace("acme", id, &policy);
		struct fixture_key key = fixture_make_key("acme", id, id);
		fixture_key_done(&key);
	}
	request.tenant = TEXT("acme");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
	const Latchkey__V1__ListKeysResponse *page = (const Latchkey__V1__ListKeysResponse *)answer.response;
	assert_int_equal(page->n_keys, MANY);
	for (size_t i = 0; i < MANY; i++) {
		(void)snprintf(id, sizeof id, "k%02zu", MANY - 1 - i);
		assert_string_equal(page->keys[i]->keyspace, id);
		assert_string_equal(page->keys[i]->name, id);
	}
	loop_answer_done(&answer);
	answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_list_method, &request.base);
	page = (const Latchkey__V1__ListKeysResponse *)answer.response;
	assert_int_equal(answer.code, 0);
	assert_int_equal(page->n_keys, 2);
	assert_string_equal(page->keys[0]->keyspace, "k31");
	assert_string_equal(page->keys[1]->keyspace, "k07");
	loop_answer_done(&answer);
	fixture_key_done(&root);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_nobody_may_ask_for_health_alone),
		TEST(test_root_key_may_do_what_its_grant_says),
		TEST(test_default_tenant_that_is_not_there_is_named),
		TEST(test_star_is_not_the_system_tenant),
		TEST(test_revoked_root_key_is_refused_at_once),
		TEST(test_write_of_a_key_that_was_changed_meanwhile_is_checked_anew),
		TEST(test_key_of_a_tenant_is_no_credential),
		TEST(test_verify_tells_nothing_of_keys_out_of_reach),
		TEST(test_verify_tells_nothing_of_a_wide_key_by_another_tenants_keyspace),
		TEST(test_nobody_grants_more_than_he_has),
		TEST(test_key_of_every_keyspace_is_for_who_is_granted_all),
		TEST(test_lists_show_what_is_granted_alone),
		TEST(test_keys_of_many_keyspaces_are_listed_as_they_were_made),
		TEST(test_cursor_is_its_callers_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

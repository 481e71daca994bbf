/* What becomes of tenants and keyspaces after they are made: Update, Delete, and what the reaper leaves. */
#include "tests/unit/service/service_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A mask of the paths up to NULL, which it borrows. */
static Google__Protobuf__FieldMask mask_of(const char *const *paths)
{
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;

	for (; paths[mask.n_paths] != NULL; mask.n_paths++) {
	}
	mask.paths = (char **)(uintptr_t)paths;
	return mask;
}
#define MASK(...) mask_of((const char *const[]){__VA_ARGS__, NULL})

static struct loop_answer call_as(const struct fixture_key *caller, const struct lk_method *method,
	const ProtobufCMessage *request, enum lk_err expected)
{
	const struct loop_call how = {.credential = caller == NULL ? NULL : caller->token};
	struct loop_answer answer = loop_call(&fixture_loop, &how, method, request);

	if (answer.code != lk_err_wire_code(expected)) {
		print_message("%s: %u %s\n%s", method->name, answer.code, answer.message, answer.violations);
	}
	assert_int_equal(answer.code, lk_err_wire_code(expected));
	return answer;
}

static void expect_as(const struct fixture_key *caller, const struct lk_method *method, const ProtobufCMessage *request,
	enum lk_err expected)
{
	struct loop_answer answer = call_as(caller, method, request, expected);

	loop_answer_done(&answer);
}

/* That the answer is this error, and that what it says has `words` in it. */
static void expect_words(
	const struct lk_method *method, const ProtobufCMessage *request, enum lk_err expected, const char *words)
{
	struct loop_answer answer = call_as(NULL, method, request, expected);

	if (strstr(answer.message, words) == NULL && strstr(answer.violations, words) == NULL) {
		print_message("%s: %s\n%s", method->name, answer.message, answer.violations);
		fail_msg("it does not say \"%s\"", words);
	}
	loop_answer_done(&answer);
}

static Latchkey__V1__UpdateKeyspaceRequest update_of(
	Latchkey__V1__Keyspace *keyspace, Google__Protobuf__FieldMask *mask)
{
	Latchkey__V1__UpdateKeyspaceRequest request = LATCHKEY__V1__UPDATE_KEYSPACE_REQUEST__INIT;

	latchkey__v1__keyspace__init(keyspace);
	keyspace->id = TEXT("prod");
	request.tenant = TEXT("acme");
	request.keyspace = keyspace;
	request.update_mask = mask;
	return request;
}

static enum lk_err delete_keyspace(const char *tenant, const char *keyspace, bool force)
{
	Latchkey__V1__DeleteKeyspaceRequest request = LATCHKEY__V1__DELETE_KEYSPACE_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.keyspace = TEXT(keyspace);
	request.force = force;
	struct loop_answer answer = loop_call(
		&fixture_loop, &fixture_operator, &latchkey_v1_keyspace_delete_method, &request.base);
	enum lk_err code = lk_err_from_wire(answer.code);
	loop_answer_done(&answer);
	return code;
}

static enum lk_err delete_tenant(const char *tenant, bool force)
{
	Latchkey__V1__DeleteTenantRequest request = LATCHKEY__V1__DELETE_TENANT_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.force = force;
	struct loop_answer answer = loop_call(
		&fixture_loop, &fixture_operator, &latchkey_v1_tenant_delete_method, &request.base);
	enum lk_err code = lk_err_from_wire(answer.code);
	loop_answer_done(&answer);
	return code;
}

static enum lk_err create_tenant(const char *tenant)
{
	Latchkey__V1__CreateTenantRequest request = LATCHKEY__V1__CREATE_TENANT_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	struct loop_answer answer = loop_call(
		&fixture_loop, &fixture_operator, &latchkey_v1_tenant_create_method, &request.base);
	enum lk_err code = lk_err_from_wire(answer.code);
	loop_answer_done(&answer);
	return code;
}

static enum lk_err create_keyspace(const char *tenant, const char *keyspace)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	policy.token_prefix = TEXT("sk-");
	request.tenant = TEXT(tenant);
	request.keyspace = TEXT(keyspace);
	request.policy = &policy;
	struct loop_answer answer = loop_call(
		&fixture_loop, &fixture_operator, &latchkey_v1_keyspace_create_method, &request.base);
	enum lk_err code = lk_err_from_wire(answer.code);
	loop_answer_done(&answer);
	return code;
}

/* Asks again while the answer is that the id is still taken; the reaper needs a moment. */
static enum lk_err create_when_free(const char *tenant, const char *keyspace)
{
	const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};
	enum lk_err code = LK_FAILED_PRECONDITION;

	for (int i = 0; i < 4000 && code == LK_FAILED_PRECONDITION; i++) {
		code = keyspace == NULL ? create_tenant(tenant) : create_keyspace(tenant, keyspace);
		if (code == LK_FAILED_PRECONDITION) {
			(void)nanosleep(&moment, NULL);
		}
	}
	return code;
}

static void test_tenant_update_changes_what_it_names(void **state)
{
	Latchkey__V1__UpdateTenantRequest request = LATCHKEY__V1__UPDATE_TENANT_REQUEST__INIT;
	Latchkey__V1__Tenant tenant = LATCHKEY__V1__TENANT__INIT;
	Google__Protobuf__FieldMask mask = MASK("display_name");

	(void)state;
	tenant.id = TEXT("acme");
	tenant.display_name = TEXT("  Acme Inc. ");
	request.tenant = &tenant;
	request.update_mask = &mask;
	struct loop_answer answer = call_as(NULL, &latchkey_v1_tenant_update_method, &request.base, LK_OK);
	const Latchkey__V1__Tenant *updated = (const Latchkey__V1__Tenant *)answer.response;
	assert_string_equal(updated->display_name, "Acme Inc.");
	assert_true(updated->update_time->seconds >= updated->create_time->seconds);
	char *etag = strdup(updated->etag);
	uint64_t revision = answer.revision;
	loop_answer_done(&answer);

	/* Again: nothing changes, and no state is made. */
	request.etag = etag;
	answer = call_as(NULL, &latchkey_v1_tenant_update_method, &request.base, LK_OK);
	assert_string_equal(((const Latchkey__V1__Tenant *)answer.response)->etag, etag);
	assert_int_equal(answer.revision, revision);
	loop_answer_done(&answer);

	tenant.display_name = TEXT("");
	expect_as(NULL, &latchkey_v1_tenant_update_method, &request.base, LK_OK);
	/* It moved. */
	expect_words(&latchkey_v1_tenant_update_method, &request.base, LK_ABORTED, "etag");
	free(etag);
}

static void test_tenant_update_reports_faults(void **state)
{
	Latchkey__V1__UpdateTenantRequest request = LATCHKEY__V1__UPDATE_TENANT_REQUEST__INIT;
	Latchkey__V1__Tenant tenant = LATCHKEY__V1__TENANT__INIT;
	Google__Protobuf__FieldMask wrong = MASK("display_name", "id");
	Google__Protobuf__FieldMask right = MASK("display_name");
	char long_name[102] = "";

	(void)state;
	expect_words(&latchkey_v1_tenant_update_method, &request.base, LK_INVALID_ARGUMENT, "tenant: ");
	request.tenant = &tenant;
	tenant.id = TEXT("acme");
	expect_words(&latchkey_v1_tenant_update_method, &request.base, LK_INVALID_ARGUMENT, "update_mask: ");
	memset(long_name, 'n', sizeof long_name - 1);
	tenant.display_name = long_name;
	request.update_mask = &wrong;
	struct loop_answer answer = call_as(
		NULL, &latchkey_v1_tenant_update_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "update_mask: \"id\""));
	assert_non_null(strstr(answer.violations, "tenant.display_name: "));
	loop_answer_done(&answer);
	tenant.id = TEXT("nobody");
	tenant.display_name = TEXT("x");
	request.update_mask = &right;
	expect_words(&latchkey_v1_tenant_update_method, &request.base, LK_NOT_FOUND, "no tenant \"nobody\"");
	tenant.id = TEXT("system");
	expect_as(NULL, &latchkey_v1_tenant_update_method, &request.base, LK_OK);
}

static void test_keyspace_update_merges_rule_by_rule(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Google__Protobuf__Duration hour = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__FieldMask mask = MASK("policy.max_ttl", "policy.name_required", "policy.default_permissions");
	Latchkey__V1__Keyspace keyspace;
	char *permissions[] = {TEXT("chat:send")};

	(void)state;
	Latchkey__V1__UpdateKeyspaceRequest request = update_of(&keyspace, &mask);
	hour.seconds = 3600;
	policy.token_prefix = TEXT("ignored-");
	policy.max_ttl = &hour;
	policy.name_required = true;
	policy.n_default_permissions = 1;
	policy.default_permissions = permissions;
	keyspace.policy = &policy;
	struct loop_answer answer = call_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_OK);
	const Latchkey__V1__KeyPolicy *now = ((const Latchkey__V1__Keyspace *)answer.response)->policy;
	assert_string_equal(now->token_prefix, "sk-");
	assert_int_equal(now->max_ttl->seconds, 3600);
	assert_true(now->name_required);
	assert_int_equal(now->n_default_permissions, 1);
	assert_string_equal(now->default_permissions[0], "chat:send");
	assert_int_equal(now->display_length, 9);
	loop_answer_done(&answer);

	/* What is named and not given is cleared, and the rest stays. */
	Google__Protobuf__FieldMask clear = MASK("policy.max_ttl", "display_name");
	request.update_mask = &clear;
	keyspace.policy = NULL;
	keyspace.display_name = TEXT("Production");
	answer = call_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_OK);
	const Latchkey__V1__Keyspace *shown = (const Latchkey__V1__Keyspace *)answer.response;
	assert_null(shown->policy->max_ttl);
	assert_true(shown->policy->name_required);
	assert_string_equal(shown->display_name, "Production");
	loop_answer_done(&answer);

	/* The whole. */
	Google__Protobuf__FieldMask whole = MASK("policy");
	request.update_mask = &whole;
	policy = (Latchkey__V1__KeyPolicy)LATCHKEY__V1__KEY_POLICY__INIT;
	policy.token_prefix = TEXT("new_");
	keyspace.policy = &policy;
	answer = call_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_OK);
	shown = (const Latchkey__V1__Keyspace *)answer.response;
	assert_string_equal(shown->policy->token_prefix, "new_");
	assert_false(shown->policy->name_required);
	assert_int_equal(shown->policy->n_default_permissions, 0);
	assert_int_equal(shown->policy->display_length, 10);
	assert_string_equal(shown->display_name, "Production");
	loop_answer_done(&answer);
}

static void test_keyspace_update_checks_the_policy_that_comes_of_it(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Google__Protobuf__Duration hour = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__FieldMask mask = MASK("policy.default_ttl");
	Latchkey__V1__Keyspace keyspace;

	(void)state;
	Latchkey__V1__UpdateKeyspaceRequest request = update_of(&keyspace, &mask);
	hour.seconds = 3600;
	day.seconds = 86400;
	policy.default_ttl = &day;
	keyspace.policy = &policy;
	expect_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_OK);
	/* A rule that is good alone, beside the one that stands. */
	Google__Protobuf__FieldMask max = MASK("policy.max_ttl");
	request.update_mask = &max;
	policy.max_ttl = &hour;
	expect_words(&latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT,
		"keyspace.policy.default_ttl: ");
	Google__Protobuf__FieldMask whole = MASK("policy");
	request.update_mask = &whole;
	keyspace.policy = NULL;
	expect_words(&latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT,
		"keyspace.policy.token_prefix: ");
	Google__Protobuf__FieldMask both = MASK("policy", "policy.max_ttl", "policy.color");
	request.update_mask = &both;
	struct loop_answer answer = call_as(
		NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "policy.color"));
	assert_non_null(strstr(answer.violations, "\"policy.max_ttl\" is part of \"policy\""));
	loop_answer_done(&answer);
	request.update_mask = NULL;
	expect_words(&latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT, "update_mask: ");
	request.keyspace = NULL;
	expect_words(&latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT, "keyspace: ");
}

static void test_keyspace_update_sees_that_the_etag_moved(void **state)
{
	Google__Protobuf__FieldMask mask = MASK("display_name");
	Latchkey__V1__Keyspace keyspace;

	(void)state;
	Latchkey__V1__UpdateKeyspaceRequest request = update_of(&keyspace, &mask);
	keyspace.display_name = TEXT("one");
	struct loop_answer answer = call_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_OK);
	char *etag = strdup(((const Latchkey__V1__Keyspace *)answer.response)->etag);
	loop_answer_done(&answer);
	request.etag = etag;
	keyspace.display_name = TEXT("two");
	expect_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_OK);
	keyspace.display_name = TEXT("three");
	expect_words(&latchkey_v1_keyspace_update_method, &request.base, LK_ABORTED, "etag");
	request.etag = TEXT("no etag");
	expect_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_ABORTED);
	request.etag = TEXT("");
	keyspace.id = TEXT("elsewhere");
	expect_words(&latchkey_v1_keyspace_update_method, &request.base, LK_NOT_FOUND, "no keyspace \"elsewhere\"");
	keyspace.id = TEXT("No Id");
	expect_words(&latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT, "keyspace.id: ");
	request.tenant = TEXT("nobody");
	keyspace.id = TEXT("prod");
	expect_words(&latchkey_v1_keyspace_update_method, &request.base, LK_NOT_FOUND, "no tenant \"nobody\"");
	free(etag);
}

static void test_root_keyspace_keeps_its_prefix(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Google__Protobuf__FieldMask mask = MASK("policy.token_prefix");
	Google__Protobuf__FieldMask ttl = MASK("policy.max_ttl");
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	Latchkey__V1__Keyspace keyspace;

	(void)state;
	Latchkey__V1__UpdateKeyspaceRequest request = update_of(&keyspace, &mask);
	request.tenant = TEXT("system");
	keyspace.id = TEXT("root");
	keyspace.policy = &policy;
	policy.token_prefix = TEXT("lkr_x");
	expect_words(&latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT,
		"keyspace.policy.token_prefix: ");
	policy.token_prefix = TEXT("sk-");
	expect_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT);
	/* A stricter rule is its operator's to make. */
	request.update_mask = &ttl;
	day.seconds = 86400;
	policy.max_ttl = &day;
	expect_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_OK);
	/* And no other keyspace takes the prefix of root keys. */
	request = update_of(&keyspace, &mask);
	keyspace.policy = &policy;
	policy.token_prefix = TEXT("lkr_");
	expect_as(NULL, &latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT);
}

static void test_keyspace_with_live_keys_is_deleted_by_force_alone(void **state)
{
	Latchkey__V1__DeleteKeyspaceRequest request = LATCHKEY__V1__DELETE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__GetKeyRequest get = LATCHKEY__V1__GET_KEY_REQUEST__INIT;

	(void)state;
	struct fixture_key key = fixture_make_key("acme", "prod", "one");
	struct fixture_key other = fixture_make_key("acme", "prod", "two");
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	expect_words(&latchkey_v1_keyspace_delete_method, &request.base, LK_FAILED_PRECONDITION, "2 keys that are");
	expect_words(&latchkey_v1_keyspace_delete_method, &request.base, LK_FAILED_PRECONDITION, "force");
	assert_int_equal(fixture_verify(key.token, ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
	assert_int_equal(delete_keyspace("acme", "prod", true), LK_OK);
	assert_int_equal(fixture_verify(key.token, ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	assert_int_equal(fixture_verify(other.token, ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	get.tenant = TEXT("acme");
	get.key = key.id;
	expect_as(NULL, &latchkey_v1_key_get_method, &get.base, LK_NOT_FOUND);
	assert_int_equal(delete_keyspace("acme", "prod", true), LK_NOT_FOUND);
	assert_int_equal(create_when_free("acme", "prod"), LK_OK);
	assert_int_equal(fixture_verify(key.token, ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	fixture_key_done(&key);
	fixture_key_done(&other);
}

static void test_keyspace_with_revoked_keys_needs_no_force(void **state)
{
	Latchkey__V1__RevokeKeyRequest revoke = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;
	Latchkey__V1__ListKeyspacesRequest list = LATCHKEY__V1__LIST_KEYSPACES_REQUEST__INIT;

	(void)state;
	struct fixture_key key = fixture_make_key("acme", "prod", "one");
	revoke.tenant = TEXT("acme");
	revoke.key = key.id;
	expect_as(NULL, &latchkey_v1_key_revoke_method, &revoke.base, LK_OK);
	assert_int_equal(delete_keyspace("acme", "prod", false), LK_OK);
	list.tenant = TEXT("acme");
	struct loop_answer answer = call_as(NULL, &latchkey_v1_keyspace_list_method, &list.base, LK_OK);
	assert_int_equal(((const Latchkey__V1__ListKeyspacesResponse *)answer.response)->n_keyspaces, 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_tenant_is_deleted_with_its_keyspaces(void **state)
{
	Latchkey__V1__DeleteTenantRequest request = LATCHKEY__V1__DELETE_TENANT_REQUEST__INIT;
	Latchkey__V1__GetTenantRequest get = LATCHKEY__V1__GET_TENANT_REQUEST__INIT;

	(void)state;
	assert_int_equal(create_keyspace("acme", "test"), LK_OK);
	struct fixture_key key = fixture_make_key("acme", "prod", "one");
	struct fixture_key other = fixture_make_key("acme", "test", "two");
	request.tenant = TEXT("acme");
	expect_words(&latchkey_v1_tenant_delete_method, &request.base, LK_FAILED_PRECONDITION, "2 keys that are");
	assert_int_equal(delete_tenant("acme", true), LK_OK);
	assert_int_equal(fixture_verify(key.token, ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	assert_int_equal(fixture_verify(other.token, ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	assert_int_equal(delete_tenant("acme", true), LK_NOT_FOUND);
	assert_int_equal(create_keyspace("acme", "more"), LK_NOT_FOUND);
	get.tenant = TEXT("acme");
	expect_as(NULL, &latchkey_v1_tenant_get_method, &get.base, LK_NOT_FOUND);
	assert_int_equal(create_when_free("acme", NULL), LK_OK);
	assert_int_equal(create_keyspace("acme", "prod"), LK_OK);
	assert_int_equal(fixture_verify(key.token, ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	fixture_key_done(&key);
	fixture_key_done(&other);
}

static void test_tenant_without_live_keys_needs_no_force(void **state)
{
	(void)state;
	assert_int_equal(create_tenant("empty"), LK_OK);
	assert_int_equal(delete_tenant("empty", false), LK_OK);
	/* Keys of a keyspace that was deleted by force live no more, whether they are removed yet or not. */
	struct fixture_key key = fixture_make_key("acme", "prod", "one");
	assert_int_equal(delete_keyspace("acme", "prod", true), LK_OK);
	assert_int_equal(delete_tenant("acme", false), LK_OK);
	assert_int_equal(create_when_free("acme", NULL), LK_OK);
	fixture_key_done(&key);
}

static void test_system_is_not_deleted(void **state)
{
	(void)state;
	assert_int_equal(delete_tenant("system", true), LK_INVALID_ARGUMENT);
	assert_int_equal(delete_keyspace("system", "root", true), LK_INVALID_ARGUMENT);
	assert_int_equal(delete_tenant("", true), LK_INVALID_ARGUMENT);
	assert_int_equal(delete_tenant("active", true), LK_INVALID_ARGUMENT);
	assert_int_equal(delete_tenant("No Id", true), LK_INVALID_ARGUMENT);
	assert_int_equal(delete_tenant("nobody", true), LK_NOT_FOUND);
	assert_int_equal(delete_keyspace("acme", "nothing", false), LK_NOT_FOUND);
	assert_int_equal(delete_keyspace("nobody", "prod", false), LK_NOT_FOUND);
	assert_int_equal(delete_keyspace("acme", "No Id", false), LK_INVALID_ARGUMENT);
}

static void test_whoever_deletes_is_granted_all_that_goes(void **state)
{
	static const char *const methods[] = {"*", NULL};
	static const char *const acme[] = {"acme", NULL};
	static const char *const all[] = {"*", NULL};
	static const char *const prod[] = {"prod", NULL};
	Latchkey__V1__DeleteTenantRequest tenant = LATCHKEY__V1__DELETE_TENANT_REQUEST__INIT;
	Latchkey__V1__DeleteKeyspaceRequest keyspace = LATCHKEY__V1__DELETE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__UpdateTenantRequest rename = LATCHKEY__V1__UPDATE_TENANT_REQUEST__INIT;
	Latchkey__V1__Tenant renamed = LATCHKEY__V1__TENANT__INIT;
	Latchkey__V1__Keyspace shown;
	Google__Protobuf__FieldMask mask = MASK("display_name");

	(void)state;
	struct fixture_key limited = fixture_make_root_key(methods, acme, prod);
	struct fixture_key whole = fixture_make_root_key(methods, acme, all);
	assert_int_equal(create_keyspace("acme", "test"), LK_OK);
	fixture_make_tenant("other");
	tenant.tenant = TEXT("acme");
	tenant.force = true;
	keyspace.tenant = TEXT("acme");
	keyspace.keyspace = TEXT("test");
	keyspace.force = true;
	renamed.id = TEXT("acme");
	rename.tenant = &renamed;
	rename.update_mask = &mask;
	expect_as(&limited, &latchkey_v1_tenant_update_method, &rename.base, LK_PERMISSION_DENIED);
	expect_as(&whole, &latchkey_v1_tenant_update_method, &rename.base, LK_OK);
	expect_as(&limited, &latchkey_v1_tenant_delete_method, &tenant.base, LK_PERMISSION_DENIED);
	expect_as(&limited, &latchkey_v1_keyspace_delete_method, &keyspace.base, LK_PERMISSION_DENIED);
	Latchkey__V1__UpdateKeyspaceRequest update = update_of(&shown, &mask);
	shown.id = TEXT("test");
	expect_as(&limited, &latchkey_v1_keyspace_update_method, &update.base, LK_PERMISSION_DENIED);
	keyspace.keyspace = TEXT("prod");
	expect_as(&limited, &latchkey_v1_keyspace_delete_method, &keyspace.base, LK_OK);
	tenant.tenant = TEXT("other");
	expect_as(&whole, &latchkey_v1_tenant_delete_method, &tenant.base, LK_PERMISSION_DENIED);
	tenant.tenant = TEXT("system");
	expect_as(&whole, &latchkey_v1_tenant_delete_method, &tenant.base, LK_PERMISSION_DENIED);
	tenant.tenant = TEXT("acme");
	expect_as(&whole, &latchkey_v1_tenant_delete_method, &tenant.base, LK_OK);
	fixture_key_done(&limited);
	fixture_key_done(&whole);
}

/* Policies of 8 KiB: more than a reply may have are in two pages, and none is lost. */
static void test_keyspace_list_of_large_policies_fits_into_replies(void **state)
{
	static char texts[64][129];
	char *permissions[64];
	char token[1025] = "";
	char id[16] = "";
	size_t found = 0;
	size_t pages = 0;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__ListKeyspacesRequest request = LATCHKEY__V1__LIST_KEYSPACES_REQUEST__INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		memset(texts[i], 'x', 128);
		texts[i][0] = (char)('0' + i % 10);
		texts[i][1] = (char)('0' + i / 10);
		permissions[i] = texts[i];
	}
	policy.token_prefix = TEXT("sk-");
	policy.default_permissions = permissions;
	policy.n_default_permissions = COUNT(permissions);
	fixture_make_tenant("large");
	for (size_t i = 0; i < 150; i++) {
		(void)snprintf(id, sizeof id, "space-%zu", i);
		fixture_make_keyspace("large", id, &policy);
	}
	request.tenant = TEXT("large");
	request.page_size = 1000;
	request.page_token = token;
	do {
		struct loop_answer answer = call_as(NULL, &latchkey_v1_keyspace_list_method, &request.base, LK_OK);
		const Latchkey__V1__ListKeyspacesResponse *page = (Latchkey__V1__ListKeyspacesResponse *)
									  answer.response;
		found += page->n_keyspaces;
		pages++;
		(void)snprintf(token, sizeof token, "%s", page->next_page_token);
		loop_answer_done(&answer);
	} while (token[0] != '\0');
	assert_int_equal(found, 150);
	assert_int_equal(pages, 2);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_tenant_update_changes_what_it_names),
		TEST(test_tenant_update_reports_faults),
		TEST(test_keyspace_update_merges_rule_by_rule),
		TEST(test_keyspace_update_checks_the_policy_that_comes_of_it),
		TEST(test_keyspace_update_sees_that_the_etag_moved),
		TEST(test_root_keyspace_keeps_its_prefix),
		TEST(test_keyspace_with_live_keys_is_deleted_by_force_alone),
		TEST(test_keyspace_with_revoked_keys_needs_no_force),
		TEST(test_tenant_is_deleted_with_its_keyspaces),
		TEST(test_tenant_without_live_keys_needs_no_force),
		TEST(test_system_is_not_deleted),
		TEST(test_whoever_deletes_is_granted_all_that_goes),
		TEST(test_keyspace_list_of_large_policies_fits_into_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * What a client is told where it goes wrong: the code, a message, and each field that is at fault, over the wire. What each
 * method checks by itself has its tests beside the method; these see to it that it arrives.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/systems/json_call.h"
#include "tests/systems/stage.h"
#include "tools/latchkey/schema.h"

#define FIELDS_MAX 6

struct error_case {
	const char *method;
	const char *request;
	enum lk_err err;
	/* Every field that is at fault, and no other. */
	const char *fields[FIELDS_MAX];
};

/* Tenant "acme" with keyspace "prod", whose names are unique, and the keys "one" and "two" as numbers 1 and 2. */
static void set_the_stage(struct stage *stage)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	static const char *const names[] = {"one", "two"};

	policy.token_prefix = TEXT("sk-");
	policy.name_unique = true;
	(void)say_create_tenant(&stage->operator, "acme");
	assert_answered(&stage->operator);
	(void)say_create_keyspace(&stage->operator, "acme", "prod", &policy);
	assert_answered(&stage->operator);
	for (size_t i = 0; i < 2; i++) {
		(void)say_create(
			&stage->operator, &(struct new_key){.tenant = "acme", .keyspace = "prod", .name = names[i]});
		assert_answered(&stage->operator);
	}
}

static size_t count_fields(const struct error_case *error_case)
{
	size_t count = 0;

	while (count < FIELDS_MAX && error_case->fields[count] != NULL) {
		count++;
	}
	return count;
}

static void play_case(struct caller *caller, const struct lk_schema *schema, const struct error_case *error_case)
{
	size_t n_fields = count_fields(error_case);

	json_call(caller, schema, error_case->method, error_case->request);
	const char *message = caller->call.message == NULL ? "" : caller->call.message;
	if (caller->err != error_case->err || message[0] == '\0') {
		fail_msg("%s %s: %s, not %s: %s", error_case->method, error_case->request, lk_err_name(caller->err),
			lk_err_name(error_case->err), message);
	}
	for (size_t i = 0; i < n_fields; i++) {
		if (!caller_was_told_of(caller, error_case->fields[i])) {
			fail_msg("%s %s: nothing of %s: %s", error_case->method, error_case->request,
				error_case->fields[i], message);
		}
	}
	if (caller->call.n_violations != n_fields) {
		fail_msg("%s %s: %zu violations, the last of %s: %s", error_case->method, error_case->request,
			caller->call.n_violations,
			caller->call.n_violations == 0 ? "none"
						       : caller->call.violations[caller->call.n_violations - 1].field,
			message);
	}
}

static void play_cases(struct stage *stage, const struct error_case *cases, size_t count)
{
	set_the_stage(stage);
	struct lk_schema *schema = json_schema(&stage->operator);

	for (size_t i = 0; i < count; i++) {
		play_case(&stage->operator, schema, &cases[i]);
	}
	lk_schema_free(schema);
}
#define PLAY_CASES(stage, cases) play_cases((stage), (cases), sizeof(cases) / sizeof((cases)[0]))

static void test_errors_of_one_key(void **state)
{
	static const struct error_case cases[] = {
		{"KeyService/Create", "{'tenant': 'acme'}", LK_INVALID_ARGUMENT, {"keyspace"}},
		{"KeyService/Create", "{'tenant': 'acme', 'keyspace': 'none', 'name': 'x'}", LK_NOT_FOUND, {NULL}},
		{"KeyService/Create", "{'tenant': 'none', 'keyspace': 'prod', 'name': 'x'}", LK_NOT_FOUND, {NULL}},
		{"KeyService/Create", "{'tenant': 'acme', 'keyspace': 'prod', 'name': 'one'}", LK_ALREADY_EXISTS,
			{"name"}},
		{"KeyService/Create", "{'tenant': 'acme', 'keyspace': 'prod', 'name': 'x', 'ttl': '-1s'}",
			LK_INVALID_ARGUMENT, {"ttl"}},
		{"KeyService/Create",
			"{'tenant': 'acme', 'keyspace': 'prod', 'ttl': '0s', 'metadata': {'': 'x'}, "
			"'permissions': ['a b', 'a:b', 'a:b']}",
			LK_INVALID_ARGUMENT, {"name", "ttl", "metadata", "permissions[0]", "permissions[2]"}},
		{"KeyService/Create",
			"{'tenant': 'acme', 'keyspace': 'prod', 'name': 'x', 'expireTime': '2030-01-01T00:00:00Z', "
			"'notBeforeTime': '2031-01-01T00:00:00Z'}",
			LK_INVALID_ARGUMENT, {"expire_time"}},
		{"KeyService/Create", "{'tenant': 'acme', 'keyspace': 'prod', 'name': 'x', 'grant': {}}",
			LK_INVALID_ARGUMENT, {"grant"}},
		{"KeyService/Create", "{'tenant': 'system', 'keyspace': 'root', 'name': 'x'}", LK_INVALID_ARGUMENT,
			{"grant"}},
		{"KeyService/Create", "{'tenant': 'acme', 'keyspace': 'prod', 'name': 'x', 'scope': 7}",
			LK_INVALID_ARGUMENT, {"scope"}},
		{"KeyService/Get", "{'tenant': 'acme', 'key': 'one'}", LK_INVALID_ARGUMENT, {"key"}},
		{"KeyService/Get", "{'tenant': 'acme', 'key': '01'}", LK_INVALID_ARGUMENT, {"key"}},
		{"KeyService/Get", "{'tenant': 'acme', 'key': '3'}", LK_NOT_FOUND, {NULL}},
		{"KeyService/Get", "{'tenant': 'Acme', 'key': '1'}", LK_INVALID_ARGUMENT, {"tenant"}},
		{"KeyService/Rotate", "{'tenant': 'acme', 'key': '1', 'overlap': '-1s'}", LK_INVALID_ARGUMENT,
			{"overlap"}},
		{"KeyService/Rotate", "{'tenant': 'acme', 'key': '3'}", LK_NOT_FOUND, {NULL}},
		{"KeyService/Suspend", "{'tenant': 'acme', 'key': '1', 'reason': 'a\\nb'}", LK_INVALID_ARGUMENT,
			{"reason"}},
		{"KeyService/Activate", "{'tenant': 'acme', 'key': '3'}", LK_NOT_FOUND, {NULL}},
		{"KeyService/Revoke", "{'key': '1'}", LK_INVALID_ARGUMENT, {"tenant"}},
		{"KeyService/Delete", "{'tenant': 'acme', 'key': ''}", LK_INVALID_ARGUMENT, {"key"}},
		{"KeyService/Verify", "{'tenant': 'A', 'keyspace': 'B'}", LK_INVALID_ARGUMENT, {"tenant", "keyspace"}},
	};

	PLAY_CASES(*state, cases);
}

static void test_errors_of_an_update(void **state)
{
	static const struct error_case cases[] = {
		{"KeyService/Update", "{'tenant': 'acme', 'key': {'id': '1', 'name': 'x'}}", LK_INVALID_ARGUMENT,
			{"update_mask"}},
		{"KeyService/Update", "{'tenant': 'acme', 'key': {'id': '1'}, 'updateMask': '*'}", LK_INVALID_ARGUMENT,
			{"update_mask"}},
		{"KeyService/Update", "{'tenant': 'acme', 'key': {'id': '1'}, 'updateMask': 'state'}",
			LK_INVALID_ARGUMENT, {"update_mask"}},
		{"KeyService/Update", "{'tenant': 'acme', 'updateMask': 'name'}", LK_INVALID_ARGUMENT,
			{"key", "key.id"}},
		{"KeyService/Update", "{'tenant': 'acme', 'key': {'id': 'one', 'name': ''}, 'updateMask': 'name'}",
			LK_INVALID_ARGUMENT, {"key.id"}},
		{"KeyService/Update", "{'tenant': 'acme', 'key': {'id': '1'}, 'updateMask': 'name'}",
			LK_INVALID_ARGUMENT, {"key.name"}},
		{"KeyService/Update", "{'tenant': 'acme', 'key': {'id': '1', 'name': 'two'}, 'updateMask': 'name'}",
			LK_ALREADY_EXISTS, {"key.name"}},
		{"KeyService/Update", "{'tenant': 'acme', 'key': {'id': '3', 'name': 'x'}, 'updateMask': 'name'}",
			LK_NOT_FOUND, {NULL}},
		{"KeyService/Update",
			"{'tenant': 'acme', 'key': {'id': '1', 'name': 'x'}, 'updateMask': 'name', 'etag': '1'}",
			LK_ABORTED, {NULL}},
		{"KeyService/Update",
			"{'tenant': 'acme', 'key': {'id': '1', 'expireTime': '2020-01-01T00:00:00Z', "
			"'permissions': [':']}, 'updateMask': 'expireTime,permissions'}",
			LK_INVALID_ARGUMENT, {"key.expire_time", "key.permissions[0]"}},
		{"KeyService/Update", "{'tenant': 'acme', 'key': {'id': '1', 'grant': {}}, 'updateMask': 'grant'}",
			LK_INVALID_ARGUMENT, {"key.grant"}},
		{"TenantService/Update", "{'tenant': {'id': 'acme', 'displayName': 'x'}}", LK_INVALID_ARGUMENT,
			{"update_mask"}},
		{"TenantService/Update", "{'tenant': {'id': 'none', 'displayName': 'x'}, 'updateMask': 'displayName'}",
			LK_NOT_FOUND, {NULL}},
		{"TenantService/Update",
			"{'tenant': {'id': 'acme', 'displayName': 'x'}, 'updateMask': 'displayName', 'etag': 'old'}",
			LK_ABORTED, {NULL}},
		{"KeyspaceService/Update",
			"{'tenant': 'acme', 'keyspace': {'id': 'prod', 'policy': {'nameMaxLength': 101}}, "
			"'updateMask': 'policy.nameMaxLength'}",
			LK_INVALID_ARGUMENT, {"keyspace.policy.name_max_length"}},
		{"KeyspaceService/Update", "{'tenant': 'acme', 'keyspace': {'id': 'prod'}, 'updateMask': 'policy'}",
			LK_INVALID_ARGUMENT, {"keyspace.policy.token_prefix"}},
		{"KeyspaceService/Update",
			"{'tenant': 'acme', 'keyspace': {'id': 'prod'}, 'updateMask': 'policy.maxTtl,policy'}",
			LK_INVALID_ARGUMENT, {"update_mask", "keyspace.policy.token_prefix"}},
	};

	PLAY_CASES(*state, cases);
}

static void test_errors_of_a_list(void **state)
{
	static const struct error_case cases[] = {
		{"KeyService/List", "{'tenant': 'acme', 'orderBy': 'size'}", LK_INVALID_ARGUMENT, {"order_by"}},
		{"KeyService/List", "{'tenant': 'acme', 'orderBy': 'name asc'}", LK_INVALID_ARGUMENT, {"order_by"}},
		{"KeyService/List", "{'tenant': 'acme', 'pageSize': -1}", LK_INVALID_ARGUMENT, {"page_size"}},
		{"KeyService/List", "{'tenant': 'acme', 'pageSize': 1001, 'pageToken': 'x', 'orderBy': 'x'}",
			LK_INVALID_ARGUMENT, {"page_size", "page_token", "order_by"}},
		{"KeyService/List", "{'tenant': 'acme', 'filter': {'keyspace': 'none'}}", LK_NOT_FOUND, {NULL}},
		{"KeyService/List", "{'tenant': 'none'}", LK_NOT_FOUND, {NULL}},
		{"KeyService/List", "{'tenant': 'acme', 'filter': {'keyspace': 'Prod'}}", LK_INVALID_ARGUMENT,
			{"filter.keyspace"}},
		{"KeyService/List",
			"{'tenant': 'acme', 'filter': {'lastUsedBefore': '2999-01-01T00:00:00Z', 'permission': 'a b'}}",
			LK_INVALID_ARGUMENT, {"filter.last_used_before", "filter.permission"}},
		{"KeyService/Export", "{'tenant': 'acme', 'pageSize': 1001}", LK_INVALID_ARGUMENT, {"page_size"}},
		{"KeyService/BulkRevoke", "{'tenant': 'acme'}", LK_INVALID_ARGUMENT, {"filter"}},
		{"KeyService/BulkRevoke", "{'tenant': 'acme', 'filter': {}}", LK_INVALID_ARGUMENT, {"filter"}},
		{"KeyService/BulkRevoke", "{'tenant': 'acme', 'keys': ['1', 'one']}", LK_INVALID_ARGUMENT, {"keys[1]"}},
		{"KeyService/BulkRevoke", "{'tenant': 'acme', 'pageToken': 'x'}", LK_INVALID_ARGUMENT, {"page_token"}},
		{"TenantService/List", "{'pageSize': 1001}", LK_INVALID_ARGUMENT, {"page_size"}},
	};

	PLAY_CASES(*state, cases);
}

static void test_errors_of_tenants_and_keyspaces(void **state)
{
	static const struct error_case cases[] = {
		{"TenantService/Create", "{'tenant': 'system'}", LK_INVALID_ARGUMENT, {"tenant"}},
		{"TenantService/Create", "{'tenant': 'active'}", LK_INVALID_ARGUMENT, {"tenant"}},
		{"TenantService/Create", "{'tenant': 'acme'}", LK_ALREADY_EXISTS, {NULL}},
		{"TenantService/Delete", "{'tenant': 'acme'}", LK_FAILED_PRECONDITION, {NULL}},
		{"TenantService/Delete", "{'tenant': 'none'}", LK_NOT_FOUND, {NULL}},
		{"TenantService/Delete", "{}", LK_INVALID_ARGUMENT, {"tenant"}},
		{"KeyspaceService/Create", "{'tenant': 'acme', 'keyspace': 'prod', 'policy': {'tokenPrefix': 'x-'}}",
			LK_ALREADY_EXISTS, {NULL}},
		{"KeyspaceService/Create", "{'tenant': 'acme', 'keyspace': 'new'}", LK_INVALID_ARGUMENT, {"policy"}},
		{"KeyspaceService/Create", "{'tenant': 'acme', 'keyspace': 'new', 'policy': {'tokenPrefix': 'lkr_x'}}",
			LK_INVALID_ARGUMENT, {"policy.token_prefix"}},
		{"KeyspaceService/Create",
			"{'tenant': 'acme', 'keyspace': 'New', 'policy': {'tokenPrefix': 'x y', 'displayLength': 12}}",
			LK_INVALID_ARGUMENT, {"keyspace", "policy.token_prefix", "policy.display_length"}},
		{"KeyspaceService/Create",
			"{'tenant': 'acme', 'keyspace': 'new', 'policy': {'tokenPrefix': 'x-', 'defaultTtl': '2s', "
			"'maxTtl': '1s', 'nameMinLength': 9, 'nameMaxLength': 8, 'defaultPermissions': ['a:b', '::']}}",
			LK_INVALID_ARGUMENT,
			{"policy.default_ttl", "policy.name_min_length", "policy.default_permissions[1]"}},
		{"KeyspaceService/Create",
			"{'tenant': 'acme', 'keyspace': 'new', 'policy': {'tokenPrefix': 'x-', 'defaultTtl': '-1s', "
			"'maxTtl': '0s'}}",
			LK_INVALID_ARGUMENT, {"policy.default_ttl", "policy.max_ttl"}},
		{"KeyspaceService/Create", "{'tenant': 'system', 'keyspace': 'new', 'policy': {'tokenPrefix': 'x-'}}",
			LK_INVALID_ARGUMENT, {"tenant"}},
		{"KeyspaceService/Delete", "{'tenant': 'acme', 'keyspace': 'prod'}", LK_FAILED_PRECONDITION, {NULL}},
		{"KeyspaceService/Delete", "{'tenant': 'acme', 'keyspace': 'none'}", LK_NOT_FOUND, {NULL}},
		{"KeyspaceService/Delete", "{'tenant': 'system', 'keyspace': 'root', 'force': true}",
			LK_INVALID_ARGUMENT, {"keyspace"}},
		{"TenantService/Delete", "{'tenant': 'system', 'force': true}", LK_INVALID_ARGUMENT, {"tenant"}},
	};

	PLAY_CASES(*state, cases);
}

/* A cursor is good for its caller, its method and its filter alone, and only as it was made. */
static void test_errors_of_a_cursor(void **state)
{
	struct stage *stage = *state;
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	Latchkey__V1__ExportKeysRequest export = LATCHKEY__V1__EXPORT_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	char token[1100] = "";

	set_the_stage(stage);
	struct caller *mine = stage_tenant_caller(stage, "acme");
	struct caller *other = stage_tenant_caller(stage, "acme");
	request.page_size = 1;
	const Latchkey__V1__ListKeysResponse *page = caller_ask(mine, &latchkey_v1_key_list_method, &request);
	assert_answered(mine);
	assert_string_not_equal(page->next_page_token, "");
	(void)snprintf(token, sizeof token, "%s", page->next_page_token);
	request.page_token = token;

	(void)caller_ask(other, &latchkey_v1_key_list_method, &request);
	assert_refused(other, LK_INVALID_ARGUMENT, "page_token");
	request.filter = &filter;
	filter.name_prefix = TEXT("o");
	(void)caller_ask(mine, &latchkey_v1_key_list_method, &request);
	assert_refused(mine, LK_INVALID_ARGUMENT, "page_token");
	request.filter = NULL;
	request.order_by = TEXT("name");
	(void)caller_ask(mine, &latchkey_v1_key_list_method, &request);
	assert_refused(mine, LK_INVALID_ARGUMENT, "page_token");
	request.order_by = TEXT("");
	export.page_token = token;
	(void)caller_ask(mine, &latchkey_v1_key_export_method, &export);
	assert_refused(mine, LK_INVALID_ARGUMENT, "page_token");
	for (size_t i = 0; i < strlen(token); i++) {
		char was = token[i];
		token[i] = was == 'A' ? 'B' : 'A';
		(void)caller_ask(mine, &latchkey_v1_key_list_method, &request);
		/* The last character of base64 may have bits to spare. */
		if (i + 1 < strlen(token) || mine->err != LK_OK) {
			assert_refused(mine, LK_INVALID_ARGUMENT, "page_token");
		}
		token[i] = was;
	}
	page = caller_ask(mine, &latchkey_v1_key_list_method, &request);
	assert_answered(mine);
	assert_int_equal(page->n_keys, 1);
	assert_string_equal(page->keys[0]->name, "two");
}

/* A token in the place of a key's id is not repeated in what is said of it. */
static void test_errors_repeat_no_token(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = &stage->operator;

	set_the_stage(stage);
	const Latchkey__V1__CreateKeyResponse *made = say_create(
		caller, &(struct new_key){.tenant = "acme", .keyspace = "prod", .name = "three"});
	assert_answered(caller);
	for (int action = KEY_ACTION(ACTIVATE); action <= KEY_ACTION(DELETE); action++) {
		(void)say_act(caller, (Latchkey__V1__KeyAction)action, "acme", made->token);
		assert_int_equal(caller->err, LK_INVALID_ARGUMENT);
		assert_null(strstr(caller->call.message, made->token));
		for (size_t i = 0; i < caller->call.n_violations; i++) {
			assert_null(strstr(caller->call.violations[i].description, made->token));
		}
	}
	assert_verdict(caller, made->token, VERDICT(VALID));
}

/* What is deleted by force ends before the answer comes, with every key in it, and its id is free when all of it is gone. */
static void test_deleting_a_keyspace_ends_its_keys(void **state)
{
	enum {
		N_KEYS = 700
	};
	struct stage *stage = *state;
	struct caller *caller = &stage->operator;
	Latchkey__V1__DeleteKeyspaceRequest request = LATCHKEY__V1__DELETE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	static const char *tokens[N_KEYS];

	set_the_stage(stage);
	struct caller *gateway = stage_tenant_caller(stage, "acme");
	policy.token_prefix = TEXT("x-");
	(void)say_create_keyspace(caller, "acme", "brief", &policy);
	for (size_t i = 0; i < N_KEYS; i++) {
		const Latchkey__V1__CreateKeyResponse *made = say_create(
			caller, &(struct new_key){.tenant = "acme", .keyspace = "brief"});
		assert_answered(caller);
		tokens[i] = made->token;
	}
	assert_verdict(gateway, tokens[0], VERDICT(VALID));
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("brief");
	request.force = true;
	(void)caller_ask(caller, &latchkey_v1_keyspace_delete_method, &request);
	assert_answered(caller);
	for (size_t i = 0; i < N_KEYS; i++) {
		assert_verdict(gateway, tokens[i], VERDICT(NOT_FOUND));
	}
	(void)caller_ask(caller, &latchkey_v1_keyspace_delete_method, &request);
	assert_refused(caller, LK_NOT_FOUND, NULL);
	do {
		(void)say_create_keyspace(caller, "acme", "brief", &policy);
	} while (caller->err == LK_FAILED_PRECONDITION);
	assert_answered(caller);
	/* None of them comes back with the id. */
	assert_verdict(gateway, tokens[N_KEYS - 1], VERDICT(NOT_FOUND));
	const Latchkey__V1__Key *listed[4];
	assert_int_equal(say_list(caller, "acme", NULL, NULL, 0, listed, 4), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(test_errors_of_one_key),
		PLAY(test_errors_of_an_update),
		PLAY(test_errors_of_a_list),
		PLAY(test_errors_of_tenants_and_keyspaces),
		PLAY(test_errors_of_a_cursor),
		PLAY(test_errors_repeat_no_token),
		PLAY(test_deleting_a_keyspace_ends_its_keys),
	};

	return cmocka_run_group_tests_name("error paths", tests, NULL, NULL);
}

/* RoleService: roles are made, shown, listed, changed and deleted, and who may do that. */
#include "tests/unit/service/role_calls.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/store/find.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const list_agents[] = {"agents:list", "agents:get"};

static Latchkey__V1__CreateRoleRequest create_of(const char *role)
{
	Latchkey__V1__CreateRoleRequest request = LATCHKEY__V1__CREATE_ROLE_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.role = TEXT(role);
	request.permissions = (char **)(uintptr_t)list_agents;
	request.n_permissions = COUNT(list_agents);
	return request;
}

static Latchkey__V1__UpdateRoleRequest update_of(Latchkey__V1__Role *role, Google__Protobuf__FieldMask *mask)
{
	Latchkey__V1__UpdateRoleRequest request = LATCHKEY__V1__UPDATE_ROLE_REQUEST__INIT;

	latchkey__v1__role__init(role);
	role->id = TEXT("reader");
	request.tenant = TEXT("acme");
	request.role = role;
	request.update_mask = mask;
	return request;
}

static Latchkey__V1__GetRoleRequest get_of(const char *tenant, const char *role)
{
	Latchkey__V1__GetRoleRequest request = LATCHKEY__V1__GET_ROLE_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.role = TEXT(role);
	return request;
}

static Latchkey__V1__DeleteRoleRequest delete_of(const char *role)
{
	Latchkey__V1__DeleteRoleRequest request = LATCHKEY__V1__DELETE_ROLE_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.role = TEXT(role);
	return request;
}

static struct loop_answer get(const char *role)
{
	Latchkey__V1__GetRoleRequest request = get_of("acme", role);

	return role_call(NULL, &latchkey_v1_role_get_method, &request.base, LK_OK);
}

static uint64_t key_count(const char *role)
{
	struct loop_answer answer = get(role);
	uint64_t count = ((Latchkey__V1__Role *)answer.response)->key_count;

	loop_answer_done(&answer);
	return count;
}

static void assert_permissions(const Latchkey__V1__Role *role, const char *const *permissions, size_t count)
{
	assert_int_equal(role->n_permissions, count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(role->permissions[i], permissions[i]);
	}
}

static void test_role_create_answers_what_get_shows(void **state)
{
	Latchkey__V1__CreateRoleRequest request = create_of("reader");

	(void)state;
	request.description = TEXT("  Reads agents ");
	struct loop_answer made = role_call(NULL, &latchkey_v1_role_create_method, &request.base, LK_OK);
	const Latchkey__V1__Role *role = (Latchkey__V1__Role *)made.response;
	assert_string_equal(role->id, "reader");
	assert_string_equal(role->tenant, "acme");
	assert_string_equal(role->description, "Reads agents");
	assert_permissions(role, list_agents, COUNT(list_agents));
	assert_int_equal(role->key_count, 0);
	assert_non_null(role->create_time);
	assert_int_equal(strlen(role->etag), 16);
	struct loop_answer shown = get("reader");
	assert_int_equal(made.payload_len, shown.payload_len);
	assert_memory_equal(made.payload, shown.payload, made.payload_len);
	loop_answer_done(&made);
	loop_answer_done(&shown);
}

/* A role may grant nothing yet. */
static void test_role_create_takes_no_permission(void **state)
{
	(void)state;
	role_make("bare", NULL, 0);
	struct loop_answer answer = get("bare");
	assert_int_equal(((Latchkey__V1__Role *)answer.response)->n_permissions, 0);
	loop_answer_done(&answer);
}

static void test_role_create_only_validates_where_that_is_asked(void **state)
{
	Latchkey__V1__CreateRoleRequest request = create_of("reader");
	uint64_t revision = role_revision();

	(void)state;
	request.validate_only = true;
	struct loop_answer answer = role_call(NULL, &latchkey_v1_role_create_method, &request.base, LK_OK);
	assert_string_equal(((Latchkey__V1__Role *)answer.response)->etag, "");
	loop_answer_done(&answer);
	assert_true(role_revision() == revision);
	Latchkey__V1__GetRoleRequest shown = get_of("acme", "reader");
	role_call_says(NULL, &latchkey_v1_role_get_method, &shown.base, LK_NOT_FOUND, "no role \"reader\"");
}

static void test_role_create_tells_all_faults_at_once(void **state)
{
	static const char *const bad[] = {"agents:list", "no space", "agents:list", ""};
	Latchkey__V1__CreateRoleRequest request = create_of("Reader");
	char description[258] = "";

	(void)state;
	memset(description, 'x', 257);
	request.description = description;
	request.permissions = (char **)(uintptr_t)bad;
	request.n_permissions = COUNT(bad);
	struct loop_answer answer = role_call(
		NULL, &latchkey_v1_role_create_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "role: \"Reader\" is not an id"));
	assert_non_null(strstr(answer.violations, "description: "));
	assert_non_null(strstr(answer.violations, "permissions[1]: "));
	assert_non_null(strstr(answer.violations, "permissions[2]: "));
	assert_non_null(strstr(answer.violations, "permissions[3]: "));
	loop_answer_done(&answer);
	request = create_of("");
	role_call_says(NULL, &latchkey_v1_role_create_method, &request.base, LK_INVALID_ARGUMENT, "role: is needed");
	description[256] = '\0';
	request = create_of("reader");
	request.description = description;
	answer = role_call(NULL, &latchkey_v1_role_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

static void test_role_create_refuses_an_id_that_is_taken(void **state)
{
	Latchkey__V1__CreateRoleRequest request = create_of("reader");

	(void)state;
	role_make("reader", list_agents, 1);
	role_call_says(NULL, &latchkey_v1_role_create_method, &request.base, LK_ALREADY_EXISTS,
		"tenant \"acme\" has a role \"reader\" already");
	/* In another tenant it is free. */
	fixture_make_tenant("other");
	request.tenant = TEXT("other");
	struct loop_answer answer = role_call(NULL, &latchkey_v1_role_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

static void test_role_create_needs_a_tenant_of_keys(void **state)
{
	Latchkey__V1__CreateRoleRequest request = create_of("reader");

	(void)state;
	request.tenant = TEXT("nobody");
	role_call_says(NULL, &latchkey_v1_role_create_method, &request.base, LK_NOT_FOUND, "no tenant \"nobody\"");
	request.tenant = TEXT("system");
	role_call_says(NULL, &latchkey_v1_role_create_method, &request.base, LK_INVALID_ARGUMENT, "tenant: \"system\"");
}

static void test_role_create_ends_at_a_thousand(void **state)
{
	char id[16] = "";

	(void)state;
	for (int i = 0; i < LK_TENANT_ROLES_MAX; i++) {
		(void)snprintf(id, sizeof id, "role-%d", i);
		role_make(id, NULL, 0);
	}
	Latchkey__V1__CreateRoleRequest request = create_of("one-more");
	role_call_says(NULL, &latchkey_v1_role_create_method, &request.base, LK_FAILED_PRECONDITION, "1000 roles");
	Latchkey__V1__DeleteRoleRequest gone = delete_of("role-7");
	struct loop_answer answer = role_call(NULL, &latchkey_v1_role_delete_method, &gone.base, LK_OK);
	loop_answer_done(&answer);
	answer = role_call(NULL, &latchkey_v1_role_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

static void test_role_update_changes_what_it_names(void **state)
{
	static const char *const others[] = {"storage:*"};
	Google__Protobuf__FieldMask mask = ROLE_MASK("permissions");
	Latchkey__V1__Role given;
	Latchkey__V1__UpdateRoleRequest request = update_of(&given, &mask);

	(void)state;
	role_make("reader", list_agents, COUNT(list_agents));
	given.description = TEXT("not named");
	given.permissions = (char **)(uintptr_t)others;
	given.n_permissions = COUNT(others);
	struct loop_answer answer = role_call(NULL, &latchkey_v1_role_update_method, &request.base, LK_OK);
	const Latchkey__V1__Role *role = (Latchkey__V1__Role *)answer.response;
	assert_permissions(role, others, COUNT(others));
	assert_string_equal(role->description, "");
	loop_answer_done(&answer);
	/* To nothing, which ends at once what it granted. */
	given.n_permissions = 0;
	mask = ROLE_MASK("permissions", "description");
	answer = role_call(NULL, &latchkey_v1_role_update_method, &request.base, LK_OK);
	role = (Latchkey__V1__Role *)answer.response;
	assert_int_equal(role->n_permissions, 0);
	assert_string_equal(role->description, "not named");
	struct loop_answer shown = get("reader");
	assert_int_equal(answer.payload_len, shown.payload_len);
	assert_memory_equal(answer.payload, shown.payload, shown.payload_len);
	loop_answer_done(&answer);
	loop_answer_done(&shown);
}

static void test_role_update_to_what_it_is_changes_nothing(void **state)
{
	Google__Protobuf__FieldMask mask = ROLE_MASK("permissions", "description");
	Latchkey__V1__Role given;
	Latchkey__V1__UpdateRoleRequest request = update_of(&given, &mask);

	(void)state;
	role_make("reader", list_agents, COUNT(list_agents));
	uint64_t revision = role_revision();
	given.permissions = (char **)(uintptr_t)list_agents;
	given.n_permissions = COUNT(list_agents);
	struct loop_answer answer = role_call(NULL, &latchkey_v1_role_update_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	assert_true(role_revision() == revision);
	/* Fewer of the same, or another, are a change. */
	given.n_permissions--;
	answer = role_call(NULL, &latchkey_v1_role_update_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	assert_true(role_revision() == revision + 1);
	given.permissions++;
	answer = role_call(NULL, &latchkey_v1_role_update_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	assert_true(role_revision() == revision + 2);
}

static void test_role_update_needs_the_etag_that_is_given(void **state)
{
	Google__Protobuf__FieldMask mask = ROLE_MASK("description");
	Latchkey__V1__Role given;
	Latchkey__V1__UpdateRoleRequest request = update_of(&given, &mask);
	char etag[17] = "";

	(void)state;
	role_make("reader", list_agents, COUNT(list_agents));
	struct loop_answer answer = get("reader");
	(void)snprintf(etag, sizeof etag, "%s", ((Latchkey__V1__Role *)answer.response)->etag);
	loop_answer_done(&answer);
	request.etag = etag;
	given.description = TEXT("one");
	answer = role_call(NULL, &latchkey_v1_role_update_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	given.description = TEXT("two");
	role_call_says(NULL, &latchkey_v1_role_update_method, &request.base, LK_ABORTED, "etag: ");
}

static void test_role_update_tells_all_faults_at_once(void **state)
{
	static const char *const bad[] = {"a b"};
	Google__Protobuf__FieldMask mask = ROLE_MASK("permissions", "key_count");
	Latchkey__V1__Role given;
	Latchkey__V1__UpdateRoleRequest request = update_of(&given, &mask);

	(void)state;
	given.id = TEXT("-");
	given.permissions = (char **)(uintptr_t)bad;
	given.n_permissions = COUNT(bad);
	struct loop_answer answer = role_call(
		NULL, &latchkey_v1_role_update_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "role.id: "));
	assert_non_null(strstr(answer.violations, "update_mask: "));
	assert_non_null(strstr(answer.violations, "role.permissions[0]: "));
	loop_answer_done(&answer);
	request.update_mask = NULL;
	role_call_says(NULL, &latchkey_v1_role_update_method, &request.base, LK_INVALID_ARGUMENT, "update_mask: ");
	request.role = NULL;
	role_call_says(NULL, &latchkey_v1_role_update_method, &request.base, LK_INVALID_ARGUMENT, "role: is needed");
	mask = ROLE_MASK("description");
	request = update_of(&given, &mask);
	role_call_says(NULL, &latchkey_v1_role_update_method, &request.base, LK_NOT_FOUND, "no role \"reader\"");
	request.tenant = TEXT("nobody");
	role_call_says(NULL, &latchkey_v1_role_update_method, &request.base, LK_NOT_FOUND, "no tenant \"nobody\"");
}

static void test_role_in_use_is_not_deleted(void **state)
{
	Latchkey__V1__DeleteRoleRequest request = delete_of("reader");
	struct fixture_key one = fixture_make_key("acme", "prod", "one");
	struct fixture_key two = fixture_make_key("acme", "prod", "two");

	(void)state;
	role_make("reader", list_agents, COUNT(list_agents));
	role_give(one.id, (uint32_t[]){1}, 1);
	assert_int_equal(key_count("reader"), 1);
	role_call_says(NULL, &latchkey_v1_role_delete_method, &request.base, LK_FAILED_PRECONDITION,
		"1 key has role \"reader\"");
	role_give(two.id, (uint32_t[]){1}, 1);
	assert_int_equal(key_count("reader"), 2);
	role_call_says(NULL, &latchkey_v1_role_delete_method, &request.base, LK_FAILED_PRECONDITION,
		"2 keys have role \"reader\"");
	role_call_says(
		NULL, &latchkey_v1_role_delete_method, &request.base, LK_FAILED_PRECONDITION, "key list --role reader");
	role_give(one.id, NULL, 0);
	role_give(two.id, NULL, 0);
	struct loop_answer answer = role_call(NULL, &latchkey_v1_role_delete_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	role_call_says(NULL, &latchkey_v1_role_delete_method, &request.base, LK_NOT_FOUND, "no role \"reader\"");
	request.role = TEXT("No id");
	role_call_says(NULL, &latchkey_v1_role_delete_method, &request.base, LK_INVALID_ARGUMENT, "role: ");
	fixture_key_done(&one);
	fixture_key_done(&two);
}

static struct loop_answer list(const char *credential, int32_t page_size, const char *page_token, enum lk_err expected)
{
	Latchkey__V1__ListRolesRequest request = LATCHKEY__V1__LIST_ROLES_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.page_size = page_size;
	request.page_token = TEXT(page_token);
	return role_call(credential, &latchkey_v1_role_list_method, &request.base, expected);
}

static void test_role_list_goes_page_by_page(void **state)
{
	static const char *const ids[] = {"a", "a-b", "ab", "b", "c"};
	char token[1025] = "";
	size_t found = 0;

	(void)state;
	for (size_t i = COUNT(ids); i > 0; i--) {
		role_make(ids[i - 1], NULL, 0);
	}
	do {
		struct loop_answer answer = list(NULL, 2, token, LK_OK);
		const Latchkey__V1__ListRolesResponse *page = (Latchkey__V1__ListRolesResponse *)answer.response;
		for (size_t i = 0; i < page->n_roles; i++, found++) {
			assert_true(found < COUNT(ids));
			assert_string_equal(page->roles[i]->id, ids[found]);
			assert_string_equal(page->roles[i]->tenant, "acme");
		}
		(void)snprintf(token, sizeof token, "%s", page->next_page_token);
		loop_answer_done(&answer);
	} while (token[0] != '\0');
	assert_int_equal(found, COUNT(ids));
	/* The cursor is of this list. */
	struct loop_answer answer = list(NULL, 2, "", LK_OK);
	(void)snprintf(
		token, sizeof token, "%s", ((Latchkey__V1__ListRolesResponse *)answer.response)->next_page_token);
	loop_answer_done(&answer);
	fixture_make_tenant("other");
	Latchkey__V1__ListRolesRequest other = LATCHKEY__V1__LIST_ROLES_REQUEST__INIT;
	other.tenant = TEXT("other");
	other.page_token = token;
	role_call_says(NULL, &latchkey_v1_role_list_method, &other.base, LK_INVALID_ARGUMENT, "page_token: ");
	other.page_token = TEXT("");
	other.page_size = 1001;
	role_call_says(NULL, &latchkey_v1_role_list_method, &other.base, LK_INVALID_ARGUMENT, "page_size: ");
	other.page_size = 0;
	other.tenant = TEXT("nobody");
	role_call_says(NULL, &latchkey_v1_role_list_method, &other.base, LK_NOT_FOUND, "no tenant");
}

/* A thousand roles of 8 KiB are more than a reply may have: a page is short then, and none is lost. */
static void test_role_list_of_large_roles_fits_into_replies(void **state)
{
	static char texts[64][129];
	const char *permissions[64];
	char token[1025] = "";
	char id[16] = "";
	size_t found = 0;
	size_t pages = 0;

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		memset(texts[i], 'x', 128);
		texts[i][0] = (char)('0' + i % 10);
		texts[i][1] = (char)('0' + i / 10);
		permissions[i] = texts[i];
	}
	for (size_t i = 0; i < 150; i++) {
		(void)snprintf(id, sizeof id, "role-%zu", i);
		role_make(id, permissions, 64);
	}
	do {
		struct loop_answer answer = list(NULL, 1000, token, LK_OK);
		const Latchkey__V1__ListRolesResponse *page = (Latchkey__V1__ListRolesResponse *)answer.response;
		found += page->n_roles;
		pages++;
		(void)snprintf(token, sizeof token, "%s", page->next_page_token);
		loop_answer_done(&answer);
	} while (token[0] != '\0');
	assert_int_equal(found, 150);
	assert_int_equal(pages, 2);
}

/* Keys of every keyspace have them: reading takes the tenant, changing takes every keyspace. */
static void test_roles_are_changed_by_who_is_granted_every_keyspace(void **state)
{
	static const char *const rights[] = {"roles.*", NULL};
	static const char *const acme[] = {"acme", NULL};
	static const char *const prod[] = {"prod", NULL};
	static const char *const any[] = {"*", NULL};
	struct fixture_key narrow = fixture_make_root_key(rights, acme, prod);
	struct fixture_key wide = fixture_make_root_key(rights, acme, any);
	Latchkey__V1__CreateRoleRequest made = create_of("reader");
	Google__Protobuf__FieldMask mask = ROLE_MASK("description");
	Latchkey__V1__Role given;
	Latchkey__V1__UpdateRoleRequest update = update_of(&given, &mask);
	Latchkey__V1__DeleteRoleRequest gone = delete_of("reader");
	Latchkey__V1__GetRoleRequest shown = get_of("", "reader");

	(void)state;
	role_call_says(narrow.token, &latchkey_v1_role_create_method, &made.base, LK_PERMISSION_DENIED,
		"you are not granted all");
	/* Its one tenant need not be named. */
	made.tenant = TEXT("");
	struct loop_answer answer = role_call(wide.token, &latchkey_v1_role_create_method, &made.base, LK_OK);
	loop_answer_done(&answer);
	role_call_says(narrow.token, &latchkey_v1_role_update_method, &update.base, LK_PERMISSION_DENIED,
		"you are not granted all");
	role_call_says(narrow.token, &latchkey_v1_role_delete_method, &gone.base, LK_PERMISSION_DENIED,
		"you are not granted all");
	answer = role_call(narrow.token, &latchkey_v1_role_get_method, &shown.base, LK_OK);
	loop_answer_done(&answer);
	answer = list(narrow.token, 0, "", LK_OK);
	assert_int_equal(((Latchkey__V1__ListRolesResponse *)answer.response)->n_roles, 1);
	loop_answer_done(&answer);
	answer = role_call(wide.token, &latchkey_v1_role_delete_method, &gone.base, LK_OK);
	loop_answer_done(&answer);
	/* Another tenant is refused before anything is looked up. */
	shown.tenant = TEXT("nobody");
	role_call_says(wide.token, &latchkey_v1_role_get_method, &shown.base, LK_PERMISSION_DENIED,
		"you are not granted tenant \"nobody\"");
	fixture_key_done(&narrow);
	fixture_key_done(&wide);
}

/* A key of "prod" has it: to a caller of another keyspace that key is not there. */
static void test_role_count_is_for_who_is_granted_every_keyspace(void **state)
{
	static const char *const rights[] = {"roles.*", NULL};
	static const char *const acme[] = {"acme", NULL};
	static const char *const test[] = {"test", NULL};
	static const char *const any[] = {"*", NULL};
	static const uint32_t reader = 1;
	struct fixture_key narrow = fixture_make_root_key(rights, acme, test);
	struct fixture_key wide = fixture_make_root_key(rights, acme, any);
	struct fixture_key key = fixture_make_key("acme", "prod", "a reader");
	Latchkey__V1__GetRoleRequest shown = get_of("acme", "reader");

	(void)state;
	role_make("reader", NULL, 0);
	role_give(key.id, &reader, 1);
	struct loop_answer answer = role_call(wide.token, &latchkey_v1_role_get_method, &shown.base, LK_OK);
	assert_int_equal(((Latchkey__V1__Role *)answer.response)->key_count, 1);
	loop_answer_done(&answer);
	answer = role_call(narrow.token, &latchkey_v1_role_get_method, &shown.base, LK_OK);
	assert_int_equal(((Latchkey__V1__Role *)answer.response)->key_count, 0);
	loop_answer_done(&answer);
	answer = list(narrow.token, 0, "", LK_OK);
	assert_int_equal(((Latchkey__V1__ListRolesResponse *)answer.response)->roles[0]->key_count, 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
	fixture_key_done(&wide);
	fixture_key_done(&narrow);
}

static void test_roles_are_granted_method_by_method(void **state)
{
	static const char *const rights[] = {"roles.get", NULL};
	static const char *const acme[] = {"acme", NULL};
	static const char *const any[] = {"*", NULL};
	struct fixture_key reader = fixture_make_root_key(rights, acme, any);
	Latchkey__V1__CreateRoleRequest made = create_of("reader");

	(void)state;
	role_call_says(reader.token, &latchkey_v1_role_create_method, &made.base, LK_PERMISSION_DENIED, "roles.create");
	struct loop_answer answer = list(reader.token, 0, "", LK_PERMISSION_DENIED);
	loop_answer_done(&answer);
	fixture_key_done(&reader);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_role_create_answers_what_get_shows),
		TEST(test_role_create_takes_no_permission),
		TEST(test_role_create_only_validates_where_that_is_asked),
		TEST(test_role_create_tells_all_faults_at_once),
		TEST(test_role_create_refuses_an_id_that_is_taken),
		TEST(test_role_create_needs_a_tenant_of_keys),
		TEST(test_role_create_ends_at_a_thousand),
		TEST(test_role_update_changes_what_it_names),
		TEST(test_role_update_to_what_it_is_changes_nothing),
		TEST(test_role_update_needs_the_etag_that_is_given),
		TEST(test_role_update_tells_all_faults_at_once),
		TEST(test_role_in_use_is_not_deleted),
		TEST(test_role_list_goes_page_by_page),
		TEST(test_role_list_of_large_roles_fits_into_replies),
		TEST(test_roles_are_changed_by_who_is_granted_every_keyspace),
		TEST(test_role_count_is_for_who_is_granted_every_keyspace),
		TEST(test_roles_are_granted_method_by_method),
	};

	return cmocka_run_group_tests_name("service roles", tests, NULL, NULL);
}

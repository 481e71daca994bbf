/* A caller that is granted its own keys alone, by every method. */
#include <stdio.h>
#include <stdlib.h>

#include "latchkey/v1/key.pb-c.h"
#include "server/service/services.h"
#include "server/store/denials.h"
#include "server/store/txn.h"
#include "tests/unit/service/key_calls.h"
#include "tests/unit/service/role_calls.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ABSENT       "key_00000000000000000000000000"

/* A root key that is granted the keys of `owner` alone, in tenant "acme" and `tenant`. */
static struct fixture_key make_own_root_key(const char *owner, const char *tenant, char *method)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	char *any[] = {TEXT("*")};
	char *tenants[] = {TEXT("acme"), TEXT(tenant)};

	grant.n_methods = grant.n_keyspaces = 1;
	grant.methods = &method;
	grant.keyspaces = any;
	grant.n_tenants = tenant == NULL ? 1 : 2;
	grant.tenants = tenants;
	grant.own_only = true;
	request.tenant = TEXT("system");
	request.keyspace = TEXT("root");
	request.name = TEXT("an own root key");
	request.owner = TEXT(owner);
	request.grant = &grant;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	return fixture_take_key(&answer);
}

static struct fixture_key make_key_of(const char *owner, const char *name)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.owner = TEXT(owner);
	request.name = TEXT(name);
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	return fixture_take_key(&answer);
}

/* Alice, who has one key and is granted her own alone, beside Bob, who has two, and one that is nobody's. */
struct stage {
	struct fixture_key root;
	struct loop_call alice;
	struct fixture_key own;
	struct fixture_key bobs;
	struct fixture_key bobs_second;
	struct fixture_key nobodys;
};

static struct stage stage;

static int setup(void **state)
{
	if (fixture_setup(state) != 0) {
		return -1;
	}
	stage.root = make_own_root_key("alice", NULL, TEXT("*"));
	stage.alice = (struct loop_call){.anonymous = true, .credential = stage.root.token};
	stage.own = make_key_of("alice", "own");
	stage.bobs = make_key_of("bob", "bobs");
	stage.bobs_second = make_key_of("bob", "bobs second");
	stage.nobodys = make_key_of("", "nobodys");
	return 0;
}

static int teardown(void **state)
{
	struct fixture_key *keys[] = {&stage.root, &stage.own, &stage.bobs, &stage.bobs_second, &stage.nobodys};

	for (size_t i = 0; i < COUNT(keys); i++) {
		fixture_key_done(keys[i]);
	}
	return fixture_teardown(state);
}

/* Calls as Alice, and fails the test unless the answer has this code and says `words`. */
static struct loop_answer ask(
	const struct lk_method *method, const ProtobufCMessage *request, enum lk_err expected, const char *words)
{
	struct loop_answer answer = loop_call(&fixture_loop, &stage.alice, method, request);

	if (lk_err_from_wire(answer.code) != expected || strstr(answer.message, words) == NULL) {
		fail_msg("%s: %s: \"%s\" instead of %s: \"%s\"", method->name,
			lk_err_name(lk_err_from_wire(answer.code)), answer.message, lk_err_name(expected), words);
	}
	return answer;
}

static void refuse(
	const struct lk_method *method, const ProtobufCMessage *request, enum lk_err expected, const char *words)
{
	struct loop_answer answer = ask(method, request, expected, words);

	loop_answer_done(&answer);
}

static void test_own_keys_are_like_any(void **state)
{
	static const Latchkey__V1__KeyAction actions[] = {
		ACTION(SUSPEND), ACTION(ACTIVATE), ACTION(ROTATE), ACTION(REVOKE), ACTION(DELETE)};
	Latchkey__V1__Key key = LATCHKEY__V1__KEY__INIT;
	(void)state;

	key.id = stage.own.id;
	key.name = TEXT("renamed");
	struct loop_answer answer = keys_update_as(&stage.alice, "acme", &key, PATHS("name"), NULL, LK_OK);
	loop_answer_done(&answer);
	for (size_t i = 0; i < COUNT(actions); i++) {
		answer = keys_do_as(&stage.alice, "acme", actions[i], stage.own.id, LK_OK);
		loop_answer_done(&answer);
	}
}

/* What is said of another's key is what is said of one that is not there, but for its id. */
static void assert_as_if_absent(const struct loop_answer *there, const struct loop_answer *absent, const char *id)
{
	char expected[256];
	const char *at = strstr(absent->message, ABSENT);

	assert_non_null(at);
	(void)snprintf(expected, sizeof expected, "%.*s%s%s", (int)(at - absent->message), absent->message, id,
		at + strlen(ABSENT));
	assert_string_equal(there->message, expected);
	assert_string_equal(there->violations, absent->violations);
}

static void test_own_only_finds_no_key_of_another_by_any_action(void **state)
{
	const char *const others[] = {stage.bobs.id, stage.nobodys.id};
	(void)state;

	for (int action = first_action; action <= last_action; action++) {
		struct loop_answer absent = keys_do_as(
			&stage.alice, "acme", (Latchkey__V1__KeyAction)action, ABSENT, LK_NOT_FOUND);
		for (size_t i = 0; i < COUNT(others); i++) {
			struct loop_answer answer = keys_do_as(
				&stage.alice, "acme", (Latchkey__V1__KeyAction)action, others[i], LK_NOT_FOUND);
			assert_as_if_absent(&answer, &absent, others[i]);
			loop_answer_done(&answer);
		}
		loop_answer_done(&absent);
	}
	Latchkey__V1__GetKeyRequest get = LATCHKEY__V1__GET_KEY_REQUEST__INIT;
	get.tenant = TEXT("acme");
	get.key = stage.bobs.id;
	refuse(&latchkey_v1_key_get_method, &get.base, LK_NOT_FOUND, stage.bobs.id);
	get.key = TEXT("2");
	refuse(&latchkey_v1_key_get_method, &get.base, LK_NOT_FOUND, "2");
	assert_int_equal(fixture_verify(stage.bobs.token, "prod"), VERDICT(VALID));
}

static Latchkey__V1__ListKeysRequest list_request(Latchkey__V1__KeyFilter *filter, bool count)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.filter = filter;
	request.count_total = count;
	return request;
}

/* Whatever the filter: one key, and no count that tells of others. */
static void test_own_only_lists_and_counts_its_own(void **state)
{
	Latchkey__V1__KeyFilter filters[] = {
		LATCHKEY__V1__KEY_FILTER__INIT, LATCHKEY__V1__KEY_FILTER__INIT, LATCHKEY__V1__KEY_FILTER__INIT};
	Latchkey__V1__KeyState active = STATE(ACTIVE);
	(void)state;

	filters[0].owner = TEXT("alice");
	filters[1].keyspace = TEXT("prod");
	filters[2].states = &active;
	filters[2].n_states = 1;
	for (size_t i = 0; i <= COUNT(filters); i++) {
		for (int count = 0; count < 2; count++) {
			Latchkey__V1__ListKeysRequest request = list_request(
				i == COUNT(filters) ? NULL : &filters[i], count != 0);
			struct loop_answer answer = ask(&latchkey_v1_key_list_method, &request.base, LK_OK, "");
			const Latchkey__V1__ListKeysResponse *list = (const Latchkey__V1__ListKeysResponse *)
									     answer.response;
			assert_int_equal(list->n_keys, 1);
			assert_string_equal(list->keys[0]->id, stage.own.id);
			assert_int_equal(list->total_size, count != 0 ? 1 : -1);
			loop_answer_done(&answer);
		}
	}
	Latchkey__V1__ExportKeysRequest export = LATCHKEY__V1__EXPORT_KEYS_REQUEST__INIT;
	export.tenant = TEXT("acme");
	struct loop_answer answer = ask(&latchkey_v1_key_export_method, &export.base, LK_OK, "");
	assert_int_equal(((const Latchkey__V1__ExportKeysResponse *)answer.response)->n_keys, 1);
	loop_answer_done(&answer);
}

static void test_own_only_may_not_filter_by_another(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	(void)state;

	filter.owner = TEXT("bob");
	/* Said before anything is looked up, and before any fault. */
	filter.keyspace = TEXT("nowhere");
	Latchkey__V1__ListKeysRequest list = list_request(&filter, true);
	list.page_size = -1;
	refuse(&latchkey_v1_key_list_method, &list.base, LK_PERMISSION_DENIED, "filter.owner");
	Latchkey__V1__ExportKeysRequest export = LATCHKEY__V1__EXPORT_KEYS_REQUEST__INIT;
	export.tenant = TEXT("acme");
	export.filter = &filter;
	refuse(&latchkey_v1_key_export_method, &export.base, LK_PERMISSION_DENIED, "filter.owner");
	Latchkey__V1__BulkRevokeKeysRequest bulk = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;
	bulk.tenant = TEXT("acme");
	bulk.filter = &filter;
	refuse(&latchkey_v1_key_bulk_revoke_method, &bulk.base, LK_PERMISSION_DENIED, "filter.owner");
}

static void test_own_only_bulk_revokes_its_own(void **state)
{
	Latchkey__V1__BulkRevokeKeysRequest bulk = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	char *named[] = {stage.own.id, stage.bobs.id};
	(void)state;

	bulk.tenant = TEXT("acme");
	bulk.filter = &filter;
	/* A filter that says nothing is a slip, whose keys ever it would match. */
	refuse(&latchkey_v1_key_bulk_revoke_method, &bulk.base, LK_INVALID_ARGUMENT, "");
	filter.keyspace = TEXT("prod");
	bulk.validate_only = true;
	struct loop_answer answer = ask(&latchkey_v1_key_bulk_revoke_method, &bulk.base, LK_OK, "");
	const Latchkey__V1__BulkRevokeKeysResponse *found = (const Latchkey__V1__BulkRevokeKeysResponse *)
								    answer.response;
	assert_int_equal(found->total_size, 1);
	assert_int_equal(found->n_sample, 1);
	assert_string_equal(found->sample[0]->id, stage.own.id);
	loop_answer_done(&answer);
	bulk.validate_only = false;
	bulk.filter = NULL;
	bulk.keys = named;
	bulk.n_keys = 2;
	refuse(&latchkey_v1_key_bulk_revoke_method, &bulk.base, LK_NOT_FOUND, stage.bobs.id);
	assert_int_equal(fixture_verify(stage.own.token, "prod"), VERDICT(VALID));
	bulk.keys = NULL;
	bulk.n_keys = 0;
	bulk.filter = &filter;
	answer = ask(&latchkey_v1_key_bulk_revoke_method, &bulk.base, LK_OK, "");
	assert_int_equal(((const Latchkey__V1__BulkRevokeKeysResponse *)answer.response)->revoked_count, 1);
	loop_answer_done(&answer);
	assert_int_equal(fixture_verify(stage.own.token, "prod"), VERDICT(REVOKED));
	assert_int_equal(fixture_verify(stage.bobs.token, "prod"), VERDICT(VALID));
	assert_int_equal(fixture_verify(stage.nobodys.token, "prod"), VERDICT(VALID));
}

static void test_own_only_makes_keys_of_its_own(void **state)
{
	Latchkey__V1__CreateKeyRequest create = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__ImportKeysRequest import = LATCHKEY__V1__IMPORT_KEYS_REQUEST__INIT;
	Latchkey__V1__ImportedKey imported = LATCHKEY__V1__IMPORTED_KEY__INIT;
	Latchkey__V1__ImportedKey *keys[] = {&imported};
	static const char *const owners[] = {"", "alice"};
	static const char *const others[] = {"bob", "Alice", "alice2", " alice"};
	(void)state;

	create.tenant = import.tenant = TEXT("acme");
	create.keyspace = import.keyspace = TEXT("prod");
	imported.secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN;
	import.keys = keys;
	import.n_keys = 1;
	for (size_t i = 0; i < COUNT(owners); i++) {
		char token[32];

		create.owner = imported.owner = TEXT(owners[i]);
		struct loop_answer answer = ask(&latchkey_v1_key_create_method, &create.base, LK_OK, "");
		assert_string_equal(((const Latchkey__V1__CreateKeyResponse *)answer.response)->key->owner, "alice");
		loop_answer_done(&answer);
		(void)snprintf(token, sizeof token, "a-token-from-before-%zu", i);
		imported.token = token;
		answer = ask(&latchkey_v1_key_import_method, &import.base, LK_OK, "");
		assert_int_equal(((const Latchkey__V1__ImportKeysResponse *)answer.response)->imported_count, 1);
		loop_answer_done(&answer);
	}
	for (size_t i = 0; i < COUNT(others); i++) {
		create.owner = imported.owner = TEXT(others[i]);
		imported.token = TEXT("a-token-from-before-of-bob");
		for (int check = 0; check < 2; check++) {
			create.validate_only = import.validate_only = import.skip_faulty = check != 0;
			refuse(&latchkey_v1_key_create_method, &create.base, LK_PERMISSION_DENIED, "owner");
			refuse(&latchkey_v1_key_import_method, &import.base, LK_PERMISSION_DENIED, "keys[0].owner");
		}
	}
	Latchkey__V1__ListKeysRequest list = list_request(NULL, true);
	struct loop_answer answer = ask(&latchkey_v1_key_list_method, &list.base, LK_OK, "");
	assert_int_equal(((const Latchkey__V1__ListKeysResponse *)answer.response)->total_size, 5);
	loop_answer_done(&answer);
}

static void test_own_only_gives_no_key_away(void **state)
{
	static const char *const others[] = {"bob", ""};
	Latchkey__V1__Key key = LATCHKEY__V1__KEY__INIT;
	(void)state;

	key.id = stage.own.id;
	for (size_t i = 0; i < COUNT(others); i++) {
		key.owner = TEXT(others[i]);
		struct loop_answer answer = keys_update_as(
			&stage.alice, "acme", &key, PATHS("owner"), NULL, LK_PERMISSION_DENIED);
		assert_non_null(strstr(answer.message, "key.owner"));
		loop_answer_done(&answer);
	}
	key.owner = TEXT("alice");
	struct loop_answer answer = keys_update_as(&stage.alice, "acme", &key, PATHS("owner"), NULL, LK_OK);
	loop_answer_done(&answer);
}

/* Whatever its grant names, a method that is about more than keys is refused; and who am I says just so. */
static void test_own_only_is_kept_from_what_is_not_its_own(void **state)
{
	Latchkey__V1__WhoAmIRequest request = LATCHKEY__V1__WHO_AM_IREQUEST__INIT;
	size_t told = 0;
	(void)state;

	struct loop_answer who = ask(&latchkey_v1_admin_who_am_i_method, &request.base, LK_OK, "");
	const Latchkey__V1__WhoAmIResponse *response = (const Latchkey__V1__WhoAmIResponse *)who.response;
	assert_string_equal(response->subject, "alice");
	assert_true(response->grant->own_only);
	assert_null(response->expire_time);
	for (size_t i = 0; i < lk_n_services; i++) {
		for (size_t j = 0; j < lk_services[i].service->n_methods; j++) {
			const struct lk_method *method = lk_services[i].service->methods[j].method;
			if (method->own || strcmp(method->access, "public") == 0) {
				assert_true(told < response->n_methods);
				assert_string_equal(response->methods[told++], method->name);
				continue;
			}
			ProtobufCMessage *empty = calloc(1, method->request->sizeof_message);
			assert_non_null(empty);
			protobuf_c_message_init(method->request, empty);
			refuse(method, empty, LK_PERMISSION_DENIED, "own_only");
			free(empty);
		}
	}
	assert_int_equal(told, response->n_methods);
	/* Some were refused: there are tenants to make, and an audit log to read. */
	assert_null(strstr(response->methods[0], "Audit"));
	loop_answer_done(&who);
	Latchkey__V1__GetTenantRequest get = LATCHKEY__V1__GET_TENANT_REQUEST__INIT;
	get.tenant = TEXT("acme");
	refuse(&latchkey_v1_tenant_get_method, &get.base, LK_OK, "");
}

static void test_own_only_sees_no_counts_of_its_keyspace(void **state)
{
	Latchkey__V1__GetKeyspaceRequest get = LATCHKEY__V1__GET_KEYSPACE_REQUEST__INIT;
	struct lk_denial denial = {.code = VERDICT(REVOKED), .time_us = 1};
	(void)state;

	/* The keyspace of the root keys is the first, this the next. */
	for (uint32_t keyspace = 1; keyspace < 10; keyspace++) {
		lk_denials_note(lk_store_denials(fixture_loop.store), 0, keyspace, &denial);
	}
	get.tenant = TEXT("acme");
	get.keyspace = TEXT("prod");
	struct loop_answer all = fixture_call(&latchkey_v1_keyspace_get_method, &get.base, LK_OK);
	assert_int_equal(((const Latchkey__V1__Keyspace *)all.response)->n_denials, 1);
	loop_answer_done(&all);
	struct loop_answer answer = ask(&latchkey_v1_keyspace_get_method, &get.base, LK_OK, "");
	assert_int_equal(((const Latchkey__V1__Keyspace *)answer.response)->n_denials, 0);
	loop_answer_done(&answer);
}

static void test_own_only_sees_not_how_many_have_a_role(void **state)
{
	const uint32_t admin = 1;
	Latchkey__V1__GetRoleRequest get = LATCHKEY__V1__GET_ROLE_REQUEST__INIT;
	Latchkey__V1__ListRolesRequest list = LATCHKEY__V1__LIST_ROLES_REQUEST__INIT;
	(void)state;

	role_make("admin", NULL, 0);
	role_give(stage.bobs.id, &admin, 1);
	get.tenant = list.tenant = TEXT("acme");
	get.role = TEXT("admin");
	struct loop_answer answer = fixture_call(&latchkey_v1_role_get_method, &get.base, LK_OK);
	assert_int_equal(((const Latchkey__V1__Role *)answer.response)->key_count, 1);
	loop_answer_done(&answer);
	answer = ask(&latchkey_v1_role_get_method, &get.base, LK_OK, "");
	assert_int_equal(((const Latchkey__V1__Role *)answer.response)->key_count, 0);
	loop_answer_done(&answer);
	answer = ask(&latchkey_v1_role_list_method, &list.base, LK_OK, "");
	const Latchkey__V1__ListRolesResponse *roles = (const Latchkey__V1__ListRolesResponse *)answer.response;
	assert_int_equal(roles->n_roles, 1);
	assert_int_equal(roles->roles[0]->key_count, 0);
	loop_answer_done(&answer);
}

/* Without a subject there is nothing that it owns: not even what is nobody's. */
static void lose_owner(Latchkey__Store__KeyRecord *key)
{
	key->owner = TEXT("");
}

static void change_owner(Latchkey__Store__KeyRecord *key)
{
	key->owner = TEXT("bob");
}

static void narrow(Latchkey__Store__KeyRecord *key)
{
	key->grant->own_only = true;
}

static void expire(Latchkey__Store__KeyRecord *key)
{
	key->expire_us = 1;
}

static void rename_key(Latchkey__Store__KeyRecord *key)
{
	key->name = TEXT("another name");
}

static void test_own_only_without_a_subject_owns_nothing(void **state)
{
	Latchkey__V1__GetKeyRequest get = LATCHKEY__V1__GET_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyRequest create = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	struct lk_txn *txn = NULL;
	(void)state;

	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	fixture_change_root_key(txn, stage.root.id, lose_owner);
	get.tenant = create.tenant = TEXT("acme");
	get.key = stage.nobodys.id;
	create.keyspace = TEXT("prod");
	refuse(&latchkey_v1_key_get_method, &get.base, LK_NOT_FOUND, stage.nobodys.id);
	refuse(&latchkey_v1_key_create_method, &create.base, LK_PERMISSION_DENIED, "no subject");
	Latchkey__V1__ListKeysRequest list = list_request(NULL, true);
	refuse(&latchkey_v1_key_list_method, &list.base, LK_PERMISSION_DENIED, "no subject");
}

/* A call that waits is done as who the caller is when its turn comes. */
static void test_own_credential_that_was_changed_meanwhile_is_checked_anew(void **state)
{
	static const char *const any[] = {"*", NULL};
	static const struct {
		void (*change)(Latchkey__Store__KeyRecord *key);
		bool own;
		enum lk_err code;
	} cases[] = {
		{change_owner, true, LK_UNAVAILABLE},
		{lose_owner, true, LK_UNAVAILABLE},
		{expire, true, LK_UNAUTHENTICATED},
		{rename_key, true, LK_OK},
		{narrow, false, LK_UNAVAILABLE},
		{expire, false, LK_UNAUTHENTICATED},
	};
	(void)state;

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture_key root = cases[i].own ? make_own_root_key("alice", NULL, TEXT("keys.*"))
						       : fixture_make_root_key(any, any, any);
		struct loop_call how = {.anonymous = true, .credential = root.token};
		Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
		struct lk_txn *txn = NULL;

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_own_keys_are_like_any),
		TEST(test_own_only_finds_no_key_of_another_by_any_action),
		TEST(test_own_only_lists_and_counts_its_own),
		TEST(test_own_only_may_not_filter_by_another),
		TEST(test_own_only_bulk_revokes_its_own),
		TEST(test_own_only_makes_keys_of_its_own),
		TEST(test_own_only_gives_no_key_away),
		TEST(test_own_only_is_kept_from_what_is_not_its_own),
		TEST(test_own_only_sees_no_counts_of_its_keyspace),
		TEST(test_own_only_sees_not_how_many_have_a_role),
		TEST(test_own_only_without_a_subject_owns_nothing),
		TEST(test_own_credential_that_was_changed_meanwhile_is_checked_anew),
	};

	return cmocka_run_group_tests_name("own keys", tests, NULL, NULL);
}

/* Roles on keys: from ids to numbers and back, what a Change then expects, the filter by them, and what the audit chain shows. */
#include "tests/unit/service/role_calls.h"

#include <stdio.h>

#include <latchkey/v1/audit.client.h>

#include "server/service/key_roles.h"
#include "server/store/find.h"
#include "server/store/rules.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A request as a service has it. */
struct asking {
	struct lk_arena arena;
	struct lk_request request;
	Latchkey__Store__TenantRecord *tenant;
};

static void asking_begin(struct asking *asking)
{
	*asking = (struct asking){0};
	assert_int_equal(lk_arena_init(&asking->arena, 1 << 14, 1 << 20), LK_OK);
	asking->request = (struct lk_request){.arena = &asking->arena, .store = fixture_loop.store};
	lk_faults_init(&asking->request.faults, &asking->arena);
	assert_int_equal(lk_snapshot_new(fixture_loop.store, &asking->request.txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(asking->request.txn), LK_OK);
	asking->tenant = lk_find_tenant(asking->request.txn, &asking->arena, "acme");
	assert_non_null(asking->tenant);
}

static void asking_end(struct asking *asking)
{
	lk_snapshot_free(asking->request.txn);
	lk_arena_done(&asking->arena);
}

static void resolve(struct asking *asking, const char *const *ids, size_t count, Latchkey__Store__KeyRecord *record)
{
	latchkey__store__key_record__init(record);
	lk_key_resolve_roles(&asking->request, &asking->request.faults, asking->tenant, "roles",
		(char *const *)(uintptr_t)ids, count, record);
}

static void assert_fault(const struct asking *asking, size_t at, const char *field, const char *words)
{
	assert_true(at < asking->request.faults.count);
	assert_string_equal(asking->request.faults.items[at].field, field);
	if (strstr(asking->request.faults.items[at].description, words) == NULL) {
		fail_msg("\"%s\" does not say \"%s\"", asking->request.faults.items[at].description, words);
	}
}

static void test_key_roles_go_to_numbers_and_back(void **state)
{
	static const char *const ids[] = {"writer", "reader"};
	Latchkey__Store__KeyRecord record;
	struct asking asking;
	size_t count = 7;

	(void)state;
	role_make("reader", NULL, 0);
	role_make("writer", NULL, 0);
	asking_begin(&asking);
	resolve(&asking, ids, COUNT(ids), &record);
	assert_int_equal(asking.request.faults.count, 0);
	assert_int_equal(record.n_roles, 2);
	assert_int_equal(record.roles[0], 2);
	assert_int_equal(record.roles[1], 1);
	char **names = lk_key_role_names(&asking.request, &record, &count);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "writer");
	assert_string_equal(names[1], "reader");
	resolve(&asking, NULL, 0, &record);
	assert_int_equal(record.n_roles, 0);
	assert_int_equal(asking.request.faults.count, 0);
	assert_null(lk_key_role_names(&asking.request, &record, &count));
	assert_int_equal(count, 0);
	asking_end(&asking);
}

static void test_key_roles_tell_all_faults_at_once(void **state)
{
	static const char *const ids[] = {"reader", "Not an id", "nobody", "reader", ""};
	Latchkey__Store__KeyRecord record;
	struct asking asking;

	(void)state;
	role_make("reader", NULL, 0);
	asking_begin(&asking);
	resolve(&asking, ids, COUNT(ids), &record);
	assert_int_equal(asking.request.faults.count, 4);
	assert_fault(&asking, 0, "roles[1]", "is not an id");
	assert_fault(&asking, 1, "roles[2]", "there is no role \"nobody\" in tenant \"acme\"");
	assert_fault(&asking, 2, "roles[3]", "twice");
	assert_fault(&asking, 3, "roles[4]", "is needed");
	/* What is good is there. */
	assert_int_equal(record.n_roles, 1);
	assert_int_equal(record.roles[0], 1);
	asking_end(&asking);
}

static void test_key_roles_are_sixteen_at_the_most(void **state)
{
	static char texts[LK_ROLES_MAX + 1][16];
	const char *ids[LK_ROLES_MAX + 1];
	Latchkey__Store__KeyRecord record;
	struct asking asking;

	(void)state;
	for (size_t i = 0; i < COUNT(ids); i++) {
		(void)snprintf(texts[i], sizeof texts[i], "role-%zu", i);
		ids[i] = texts[i];
		role_make(ids[i], NULL, 0);
	}
	asking_begin(&asking);
	resolve(&asking, ids, LK_ROLES_MAX, &record);
	assert_int_equal(asking.request.faults.count, 0);
	assert_int_equal(record.n_roles, LK_ROLES_MAX);
	resolve(&asking, ids, LK_ROLES_MAX + 1, &record);
	assert_int_equal(asking.request.faults.count, 1);
	assert_fault(&asking, 0, "roles", "17 roles");
	assert_int_equal(record.n_roles, 0);
	asking_end(&asking);
}

/* Of another tenant they are not there; of a tenant that is not there, what an id is is checked all the same. */
static void test_key_roles_are_of_the_tenant(void **state)
{
	static const char *const ids[] = {"reader", "No"};
	Latchkey__Store__KeyRecord record;
	struct asking asking;

	(void)state;
	role_make("reader", NULL, 0);
	fixture_make_tenant("other");
	asking_begin(&asking);
	asking.tenant = lk_find_tenant(asking.request.txn, &asking.arena, "other");
	resolve(&asking, ids, 1, &record);
	assert_int_equal(asking.request.faults.count, 1);
	assert_fault(&asking, 0, "roles[0]", "there is no role \"reader\" in tenant \"other\"");
	asking_end(&asking);
	asking_begin(&asking);
	asking.tenant = NULL;
	resolve(&asking, ids, 2, &record);
	assert_int_equal(asking.request.faults.count, 1);
	assert_fault(&asking, 0, "roles[1]", "is not an id");
	assert_int_equal(record.n_roles, 0);
	asking_end(&asking);
}

/* Only what is new may have gone meanwhile: what the key has cannot. */
static void test_key_roles_that_are_new_are_expected(void **state)
{
	Latchkey__Store__KeyRecord before = LATCHKEY__STORE__KEY_RECORD__INIT;
	Latchkey__Store__KeyRecord after = LATCHKEY__STORE__KEY_RECORD__INIT;
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;
	struct asking asking;

	(void)state;
	before.roles = (uint32_t[]){3, 1};
	before.n_roles = 2;
	after.roles = (uint32_t[]){1, 2, 4};
	after.n_roles = 3;
	asking_begin(&asking);
	lk_key_expect_roles(&asking.request, &change, &before, &after);
	assert_int_equal(change.n_expectations, 2);
	assert_int_equal(change.expectations[0]->what_case, LATCHKEY__STORE__EXPECTATION__WHAT_ROLE_THERE);
	assert_int_equal(change.expectations[0]->role_there, 2);
	assert_int_equal(change.expectations[1]->role_there, 4);
	lk_key_expect_roles(&asking.request, &change, NULL, &after);
	assert_int_equal(change.n_expectations, 5);
	asking_end(&asking);
}

/* As may be of a record of the audit chain. */
static void test_key_roles_that_are_gone_are_shown_by_number(void **state)
{
	Latchkey__Store__KeyRecord record = LATCHKEY__STORE__KEY_RECORD__INIT;
	struct asking asking;
	size_t count = 0;

	(void)state;
	role_make("reader", NULL, 0);
	record.roles = (uint32_t[]){1, 77};
	record.n_roles = 2;
	asking_begin(&asking);
	char **names = lk_key_role_names(&asking.request, &record, &count);
	assert_int_equal(count, 2);
	assert_string_equal(names[0], "reader");
	assert_string_equal(names[1], "#77");
	assert_int_equal(lk_txn_err(asking.request.txn), LK_OK);
	asking_end(&asking);
}

static size_t count_keys(Latchkey__V1__ListKeysRequest *request)
{
	struct loop_answer answer = role_call(NULL, &latchkey_v1_key_list_method, &request->base, LK_OK);
	const Latchkey__V1__ListKeysResponse *response = (Latchkey__V1__ListKeysResponse *)answer.response;
	size_t count = response->n_keys;

	assert_int_equal(response->total_size, (int64_t)count);
	loop_answer_done(&answer);
	return count;
}

static void test_keys_are_listed_by_a_role(void **state)
{
	struct fixture_key keys[4];
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(keys); i++) {
		keys[i] = fixture_make_key("acme", "prod", "");
	}
	role_make("reader", NULL, 0);
	role_make("writer", NULL, 0);
	role_make("nothing", NULL, 0);
	role_give(keys[1].id, (uint32_t[]){1}, 1);
	role_give(keys[2].id, (uint32_t[]){2, 1}, 2);
	role_give(keys[3].id, (uint32_t[]){2}, 1);
	request.tenant = TEXT("acme");
	request.filter = &filter;
	request.count_total = true;
	filter.role = TEXT("reader");
	assert_int_equal(count_keys(&request), 2);
	filter.role = TEXT("writer");
	assert_int_equal(count_keys(&request), 2);
	filter.keyspace = TEXT("prod");
	assert_int_equal(count_keys(&request), 2);
	filter.role = TEXT("nothing");
	assert_int_equal(count_keys(&request), 0);
	filter.role = TEXT("redaer");
	role_call_says(NULL, &latchkey_v1_key_list_method, &request.base, LK_INVALID_ARGUMENT,
		"filter.role: there is no role \"redaer\" in tenant \"acme\"");
	filter.role = TEXT("No id");
	role_call_says(
		NULL, &latchkey_v1_key_list_method, &request.base, LK_INVALID_ARGUMENT, "filter.role: \"No id\"");
	/* Where the tenant is not there, that is what is said. */
	filter.role = TEXT("reader");
	request.tenant = TEXT("nobody");
	role_call_says(NULL, &latchkey_v1_key_list_method, &request.base, LK_NOT_FOUND, "no tenant \"nobody\"");
	for (size_t i = 0; i < COUNT(keys); i++) {
		fixture_key_done(&keys[i]);
	}
}

static void test_keys_are_revoked_by_a_role(void **state)
{
	struct fixture_key one = fixture_make_key("acme", "prod", "");
	struct fixture_key two = fixture_make_key("acme", "prod", "");
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;

	(void)state;
	role_make("reader", NULL, 0);
	role_give(two.id, (uint32_t[]){1}, 1);
	request.tenant = TEXT("acme");
	request.filter = &filter;
	filter.role = TEXT("redaer");
	role_call_says(NULL, &latchkey_v1_key_bulk_revoke_method, &request.base, LK_INVALID_ARGUMENT,
		"filter.role: there is no role \"redaer\"");
	filter.role = TEXT("reader");
	struct loop_answer answer = role_call(NULL, &latchkey_v1_key_bulk_revoke_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	assert_int_equal(fixture_verify(one.token, "prod"), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
	assert_int_equal(fixture_verify(two.token, "prod"), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_REVOKED);
	fixture_key_done(&one);
	fixture_key_done(&two);
}

/* To whoever is granted the tenant, be it for one keyspace. */
static void test_audit_shows_roles_and_owners(void **state)
{
	static const char *const rights[] = {"audit.list", NULL};
	static const char *const acme[] = {"acme", NULL};
	static const char *const elsewhere[] = {"elsewhere", NULL};
	static const char *const permissions[] = {"agents:list"};
	struct fixture_key narrow = fixture_make_root_key(rights, acme, elsewhere);
	struct fixture_key stranger = fixture_make_root_key(rights, elsewhere, elsewhere);
	Latchkey__V1__CreateOwnerRequest made = LATCHKEY__V1__CREATE_OWNER_REQUEST__INIT;
	Latchkey__V1__RateLimit limit = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__ListAuditRecordsRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	Google__Protobuf__Duration period = GOOGLE__PROTOBUF__DURATION__INIT;
	Latchkey__V1__RateLimit *limits[] = {&limit};

	(void)state;
	role_make("reader", permissions, 1);
	period.seconds = 60;
	limit.name = TEXT("calls");
	limit.limit = 5;
	limit.period = &period;
	made.tenant = TEXT("acme");
	made.owner = TEXT("alice");
	made.rate_limits = limits;
	made.n_rate_limits = 1;
	struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_create_method, &made.base, LK_OK);
	loop_answer_done(&answer);
	request.action = TEXT("roles.create");
	answer = role_call(narrow.token, &latchkey_v1_audit_list_method, &request.base, LK_OK);
	const Latchkey__V1__ListAuditRecordsResponse *page = (Latchkey__V1__ListAuditRecordsResponse *)answer.response;
	assert_int_equal(page->n_records, 1);
	assert_string_equal(page->records[0]->resource, "roles/reader");
	assert_string_equal(page->records[0]->method, "latchkey.v1.RoleService/Create");
	assert_null(page->records[0]->role_before);
	assert_string_equal(page->records[0]->role_after->permissions[0], "agents:list");
	assert_string_equal(page->records[0]->role_after->tenant, "acme");
	loop_answer_done(&answer);
	request.action = TEXT("latchkey.v1.OwnerService/Create");
	answer = role_call(narrow.token, &latchkey_v1_audit_list_method, &request.base, LK_OK);
	page = (Latchkey__V1__ListAuditRecordsResponse *)answer.response;
	assert_int_equal(page->n_records, 1);
	assert_string_equal(page->records[0]->resource, "owners/alice");
	assert_string_equal(page->records[0]->owner_after->rate_limits[0]->name, "calls");
	/* Where they stand today is no matter of then. */
	assert_int_equal(page->records[0]->owner_after->n_rate_states, 0);
	loop_answer_done(&answer);
	answer = role_call(stranger.token, &latchkey_v1_audit_list_method, &request.base, LK_OK);
	assert_int_equal(((Latchkey__V1__ListAuditRecordsResponse *)answer.response)->n_records, 0);
	loop_answer_done(&answer);
	fixture_key_done(&narrow);
	fixture_key_done(&stranger);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_key_roles_go_to_numbers_and_back),
		TEST(test_key_roles_tell_all_faults_at_once),
		TEST(test_key_roles_are_sixteen_at_the_most),
		TEST(test_key_roles_are_of_the_tenant),
		TEST(test_key_roles_that_are_new_are_expected),
		TEST(test_key_roles_that_are_gone_are_shown_by_number),
		TEST(test_keys_are_listed_by_a_role),
		TEST(test_keys_are_revoked_by_a_role),
		TEST(test_audit_shows_roles_and_owners),
	};

	return cmocka_run_group_tests_name("service key roles", tests, NULL, NULL);
}

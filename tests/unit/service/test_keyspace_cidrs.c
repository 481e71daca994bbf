/* The addresses of a keyspace: kept, shown, and there for every verdict at once. */
#include "server/store/find.h"
#include "server/store/rules.h"
#include "server/store/verdict_record.h"
#include "tests/unit/service/service_fixture.h"

#define CIDRS(...) ((char *[]){__VA_ARGS__})

static struct loop_answer create(char **cidrs, size_t count, enum lk_err expected)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	policy.token_prefix = TEXT("t_");
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("made");
	request.policy = &policy;
	request.allowed_cidrs = cidrs;
	request.n_allowed_cidrs = count;
	return fixture_call(&latchkey_v1_keyspace_create_method, &request.base, expected);
}

static struct loop_answer update(
	const char *tenant, const char *keyspace, char **cidrs, size_t count, const char *path, enum lk_err expected)
{
	Latchkey__V1__UpdateKeyspaceRequest request = LATCHKEY__V1__UPDATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__Keyspace given = LATCHKEY__V1__KEYSPACE__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	char *paths[] = {TEXT(path)};

	mask.paths = paths;
	mask.n_paths = 1;
	given.id = TEXT(keyspace);
	given.display_name = TEXT("changed");
	given.allowed_cidrs = cidrs;
	given.n_allowed_cidrs = count;
	request.tenant = TEXT(tenant);
	request.keyspace = &given;
	request.update_mask = &mask;
	return fixture_call(&latchkey_v1_keyspace_update_method, &request.base, expected);
}

static const Latchkey__V1__Keyspace *shown(const struct loop_answer *answer)
{
	return (const Latchkey__V1__Keyspace *)answer->response;
}

/* Whether verdicts on keys of the keyspace let the address pass: what they look at is there, and says so. */
static bool admits(const char *keyspace, const char *text)
{
	struct lk_arena arena = {0};
	struct lk_txn *txn = NULL;
	struct lk_address address = {0};
	struct lk_gate gate = {0};
	struct lk_rules rules = {0};

	assert_true(lk_address_parse(text, &address));
	assert_int_equal(lk_arena_init(&arena, 1 << 12, 1 << 20), LK_OK);
	assert_int_equal(lk_snapshot_new(fixture_loop.store, &txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(txn), LK_OK);
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, &arena, "acme");
	const Latchkey__Store__KeyspaceRecord *record = lk_find_keyspace(txn, &arena, tenant->number, keyspace);
	assert_non_null(record);
	assert_true(lk_gate_get(txn, record->number, &gate));
	bool found = lk_gate_cidrs_find(txn, record->number, &rules);
	assert_int_equal(found, gate.has_cidrs != 0);
	bool admitted = !found || lk_rules_admit(&rules, &address);
	assert_int_equal(lk_txn_err(txn), LK_OK);
	lk_snapshot_free(txn);
	lk_arena_done(&arena);
	return admitted;
}

static void test_cidrs_of_a_new_keyspace_are_kept_and_hold(void **state)
{
	(void)state;
	struct loop_answer answer = create(CIDRS(TEXT("10.0.0.0/8"), TEXT("2001:DB8::1")), 2, LK_OK);
	assert_int_equal(shown(&answer)->n_allowed_cidrs, 2);
	assert_string_equal(shown(&answer)->allowed_cidrs[0], "10.0.0.0/8");
	assert_string_equal(shown(&answer)->allowed_cidrs[1], "2001:db8::1/128");
	loop_answer_done(&answer);
	assert_true(admits("made", "10.1.2.3"));
	assert_true(admits("made", "2001:db8::1"));
	assert_false(admits("made", "11.1.2.3"));
	assert_true(admits("prod", "11.1.2.3"));
	loop_restart(&fixture_loop);
	assert_false(admits("made", "11.1.2.3"));
}

static void test_cidrs_change_at_once_and_alone(void **state)
{
	(void)state;
	struct fixture_key key = fixture_make_key("acme", "prod", "older");
	struct loop_answer answer = update("acme", "prod", CIDRS(TEXT("10.0.0.0/8")), 1, "allowed_cidrs", LK_OK);
	assert_int_equal(shown(&answer)->n_allowed_cidrs, 1);
	assert_string_equal(shown(&answer)->display_name, "");
	loop_answer_done(&answer);
	assert_false(admits("prod", "11.1.2.3"));
	/* Another key changes the gate's counters, and not this. */
	struct fixture_key newer = fixture_make_key("acme", "prod", "newer");
	assert_false(admits("prod", "11.1.2.3"));
	answer = update("acme", "prod", CIDRS(TEXT("11.0.0.0/8"), TEXT("12.0.0.0/8")), 2, "allowed_cidrs", LK_OK);
	loop_answer_done(&answer);
	assert_true(admits("prod", "11.1.2.3"));
	assert_false(admits("prod", "10.1.2.3"));
	/* What is not named stays. */
	answer = update("acme", "prod", NULL, 0, "display_name", LK_OK);
	assert_int_equal(shown(&answer)->n_allowed_cidrs, 2);
	loop_answer_done(&answer);
	assert_false(admits("prod", "10.1.2.3"));
	answer = update("acme", "prod", NULL, 0, "allowed_cidrs", LK_OK);
	assert_int_equal(shown(&answer)->n_allowed_cidrs, 0);
	loop_answer_done(&answer);
	assert_true(admits("prod", "10.1.2.3"));
	fixture_key_done(&key);
	fixture_key_done(&newer);
}

static void test_cidrs_that_are_the_same_change_nothing(void **state)
{
	(void)state;
	struct loop_answer answer = update(
		"acme", "prod", CIDRS(TEXT("10.0.0.0/8"), TEXT("::1")), 2, "allowed_cidrs", LK_OK);
	uint64_t revision = answer.revision;
	loop_answer_done(&answer);
	answer = update(
		"acme", "prod", CIDRS(TEXT("::ffff:10.0.0.0/104"), TEXT("0:0::1/128")), 2, "allowed_cidrs", LK_OK);
	assert_int_equal(answer.revision, revision);
	loop_answer_done(&answer);
	/* In another order they are others. */
	answer = update("acme", "prod", CIDRS(TEXT("::1"), TEXT("10.0.0.0/8")), 2, "allowed_cidrs", LK_OK);
	assert_int_equal(answer.revision, revision + 1);
	loop_answer_done(&answer);
}

static void test_cidrs_have_their_faults_by_their_paths(void **state)
{
	(void)state;
	struct loop_answer answer = create(CIDRS(TEXT("10.0.0.1/8"), TEXT("10.0.0.0/33")), 2, LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "allowed_cidrs[0]: \"10.0.0.1/8\" has bits behind its prefix");
	fixture_assert_violation(&answer, "allowed_cidrs[1]: \"10.0.0.0/33\": the prefix is longer");
	loop_answer_done(&answer);
	answer = update("acme", "prod", CIDRS(TEXT("example.com")), 1, "allowed_cidrs", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "keyspace.allowed_cidrs[0]: \"example.com\" is no address");
	loop_answer_done(&answer);
	/* Of a keyspace that is not there too. */
	answer = update("acme", "none", CIDRS(TEXT("example.com")), 1, "allowed_cidrs", LK_INVALID_ARGUMENT);
	loop_answer_done(&answer);
	answer = update("acme", "none", CIDRS(TEXT("::/0")), 1, "allowed_cidrs", LK_NOT_FOUND);
	loop_answer_done(&answer);
	assert_true(admits("prod", "10.1.2.3"));
}

static void test_cidrs_are_not_for_root_keys(void **state)
{
	(void)state;
	struct loop_answer answer = update(
		"system", "root", CIDRS(TEXT("10.0.0.0/8")), 1, "allowed_cidrs", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "keyspace.allowed_cidrs: is not for root keys");
	loop_answer_done(&answer);
	answer = update("system", "root", NULL, 0, "allowed_cidrs", LK_OK);
	loop_answer_done(&answer);
}

static void test_cidrs_are_listed_and_got(void **state)
{
	Latchkey__V1__GetKeyspaceRequest get = LATCHKEY__V1__GET_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__ListKeyspacesRequest list = LATCHKEY__V1__LIST_KEYSPACES_REQUEST__INIT;

	(void)state;
	struct loop_answer answer = update("acme", "prod", CIDRS(TEXT("::/0")), 1, "allowed_cidrs", LK_OK);
	loop_answer_done(&answer);
	get.tenant = list.tenant = TEXT("acme");
	get.keyspace = TEXT("prod");
	answer = fixture_call(&latchkey_v1_keyspace_get_method, &get.base, LK_OK);
	assert_string_equal(shown(&answer)->allowed_cidrs[0], "::/0");
	loop_answer_done(&answer);
	answer = fixture_call(&latchkey_v1_keyspace_list_method, &list.base, LK_OK);
	const Latchkey__V1__ListKeyspacesResponse *page = (const Latchkey__V1__ListKeyspacesResponse *)answer.response;
	assert_int_equal(page->keyspaces[0]->n_allowed_cidrs, 1);
	loop_answer_done(&answer);
}

/* Policy rules beside it: default_rate_limits by a path of its own. */
static void test_default_rate_limits_change_by_their_path(void **state)
{
	Latchkey__V1__UpdateKeyspaceRequest request = LATCHKEY__V1__UPDATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__Keyspace given = LATCHKEY__V1__KEYSPACE__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__RateLimit limit = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit *limits[] = {&limit};
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	char *paths[] = {TEXT("policy.default_rate_limits")};

	(void)state;
	day.seconds = 86400;
	limit.name = TEXT("daily");
	limit.limit = 10;
	limit.period = &day;
	policy.default_rate_limits = limits;
	policy.n_default_rate_limits = 1;
	given.id = TEXT("prod");
	given.policy = &policy;
	mask.paths = paths;
	mask.n_paths = 1;
	request.tenant = TEXT("acme");
	request.keyspace = &given;
	request.update_mask = &mask;
	struct loop_answer answer = fixture_call(&latchkey_v1_keyspace_update_method, &request.base, LK_OK);
	assert_int_equal(shown(&answer)->policy->n_default_rate_limits, 1);
	assert_int_equal(shown(&answer)->policy->default_rate_limits[0]->burst, 10);
	assert_string_equal(shown(&answer)->policy->token_prefix, "sk-");
	loop_answer_done(&answer);
	limit.limit = 0;
	answer = fixture_call(&latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "keyspace.policy.default_rate_limits[0].limit: 0 is out of bounds");
	loop_answer_done(&answer);
	policy.n_default_rate_limits = 0;
	answer = fixture_call(&latchkey_v1_keyspace_update_method, &request.base, LK_OK);
	assert_int_equal(shown(&answer)->policy->n_default_rate_limits, 0);
	loop_answer_done(&answer);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_cidrs_of_a_new_keyspace_are_kept_and_hold),
		TEST(test_cidrs_change_at_once_and_alone),
		TEST(test_cidrs_that_are_the_same_change_nothing),
		TEST(test_cidrs_have_their_faults_by_their_paths),
		TEST(test_cidrs_are_not_for_root_keys),
		TEST(test_cidrs_are_listed_and_got),
		TEST(test_default_rate_limits_change_by_their_path),
	};

	return cmocka_run_group_tests_name("service keyspace cidrs", tests, NULL, NULL);
}

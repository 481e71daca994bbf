#include "tests/unit/service/key_calls.h"

#include <stdio.h>
#include <time.h>

static Latchkey__V1__KeyPolicy policy;
static Google__Protobuf__Duration default_ttl;
static Google__Protobuf__Duration max_ttl;
static char *permissions[2];

static int setup(void **state)
{
	latchkey__v1__key_policy__init(&policy);
	google__protobuf__duration__init(&default_ttl);
	google__protobuf__duration__init(&max_ttl);
	policy.token_prefix = TEXT("t_");
	return fixture_setup(state);
}

/* Makes a keyspace of `policy`, and says which violations there are. */
static struct loop_answer make_keyspace(enum lk_err expected)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("made");
	request.policy = &policy;
	return fixture_call(&latchkey_v1_keyspace_create_method, &request.base, expected);
}

static void test_policy_is_shown_as_it_is_kept(void **state)
{
	(void)state;
	policy.owner_required = true;
	policy.name_min_length = 3;
	policy.name_max_length = 30;
	permissions[0] = TEXT("agents:*");
	policy.default_permissions = permissions;
	policy.n_default_permissions = 1;
	struct loop_answer answer = make_keyspace(LK_OK);
	const Latchkey__V1__KeyPolicy *shown = ((const Latchkey__V1__Keyspace *)answer.response)->policy;
	assert_true(shown->owner_required);
	assert_int_equal(shown->name_min_length, 3);
	assert_int_equal(shown->name_max_length, 30);
	assert_int_equal(shown->n_default_permissions, 1);
	assert_string_equal(shown->default_permissions[0], "agents:*");
	assert_int_equal(shown->display_length, 2 + 6);
	loop_answer_done(&answer);
}

/* What the wire's own check leaves to the policy's. */
static void test_policy_reports_all_its_faults_together(void **state)
{
	static const char *const parts[] = {"policy.token_prefix: \"t t\": use only",
		"policy.token_prefix: ", "policy.display_length: 12 shows too much",
		"policy.default_ttl: 0s is no life", "policy.max_ttl: -1s is no life",
		"policy.name_max_length: 101 is too long", "policy.name_min_length: 102 is more than a name may have",
		"policy.default_permissions[0]: \"a b\" is no permission",
		"policy.default_permissions[1]: \"a b\" is given twice"};

	(void)state;
	policy.token_prefix = TEXT("t t");
	policy.display_length = 12;
	policy.default_ttl = &default_ttl;
	max_ttl.seconds = -1;
	policy.max_ttl = &max_ttl;
	policy.name_min_length = 102;
	policy.name_max_length = 101;
	permissions[0] = permissions[1] = TEXT("a b");
	policy.default_permissions = permissions;
	policy.n_default_permissions = 2;
	struct loop_answer answer = make_keyspace(LK_INVALID_ARGUMENT);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		fixture_assert_violation(&answer, parts[i]);
	}
	assert_int_equal(fixture_violations_in(&answer), 9);
	loop_answer_done(&answer);
}

static void test_policy_default_ttl_over_the_longest_is_refused(void **state)
{
	(void)state;
	default_ttl.seconds = 2;
	max_ttl.seconds = 1;
	policy.default_ttl = &default_ttl;
	policy.max_ttl = &max_ttl;
	struct loop_answer answer = make_keyspace(LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "policy.default_ttl: 2s is longer than max_ttl");
	loop_answer_done(&answer);
	policy.token_prefix = TEXT("lkr_x");
	answer = make_keyspace(LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "policy.token_prefix: \"lkr_x\"");
	fixture_assert_violation(&answer, "policy.default_ttl: ");
	loop_answer_done(&answer);
}

/* The same rules, asked by Create and, once the key is there, by Update. */
struct fault {
	const char *name;
	const char *owner;
	/* Seconds from now; 0: none. */
	int64_t expire_s;
	/* Without its prefix "key.", which an Update's has. */
	const char *violation;
};

static struct loop_answer create(const struct fault *fault, enum lk_err expected)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Google__Protobuf__Timestamp expire = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("made");
	request.name = TEXT(fault->name);
	request.owner = TEXT(fault->owner);
	if (fault->expire_s != 0) {
		expire.seconds = (int64_t)time(NULL) + fault->expire_s;
		request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_EXPIRE_TIME;
		request.expire_time = &expire;
	}
	return fixture_call(&latchkey_v1_key_create_method, &request.base, expected);
}

static struct loop_answer update(const char *id, const struct fault *fault, enum lk_err expected)
{
	Latchkey__V1__Key key = LATCHKEY__V1__KEY__INIT;
	Google__Protobuf__Timestamp expire = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	key.id = TEXT(id);
	key.name = TEXT(fault->name);
	key.owner = TEXT(fault->owner);
	if (fault->expire_s != 0) {
		expire.seconds = (int64_t)time(NULL) + fault->expire_s;
		key.expire_time = &expire;
	}
	return keys_update(&key, PATHS("name", "owner", "expire_time"), "", expected);
}

static void test_policy_is_enforced_on_create_and_update_alike(void **state)
{
	static const struct fault good = {"four", "u", 60, NULL};
	static const struct fault faults[] = {
		{"", "u", 60, "name: is needed"},
		{"abc", "u", 60, "name: \"abc\" has 3 characters: give at least 4"},
		{"abcdefghi", "u", 60, "name: \"abcdefghi\" has 9 characters: shorten it to at most 8"},
		{"four", " ", 60, "owner: is needed"},
		{"four", "u", 0, "expire_time: is needed: keys of this keyspace live at most 3600s"},
		{"four", "u", 7200, "expire_time: a life of "},
		{"four", "u", -60, "expire_time: "},
	};

	(void)state;
	policy.name_required = policy.owner_required = policy.expiry_required = true;
	policy.name_min_length = 4;
	policy.name_max_length = 8;
	max_ttl.seconds = 3600;
	policy.max_ttl = &max_ttl;
	struct loop_answer answer = make_keyspace(LK_OK);
	loop_answer_done(&answer);
	answer = create(&good, LK_OK);
	struct fixture_key key = fixture_take_key(&answer);
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		char violation[128];
		answer = create(&faults[i], LK_INVALID_ARGUMENT);
		fixture_assert_violation(&answer, faults[i].violation);
		assert_int_equal(fixture_violations_in(&answer), 1);
		loop_answer_done(&answer);
		answer = update(key.id, &faults[i], LK_INVALID_ARGUMENT);
		(void)snprintf(violation, sizeof violation, "key.%s", faults[i].violation);
		fixture_assert_violation(&answer, violation);
		assert_int_equal(fixture_violations_in(&answer), 1);
		loop_answer_done(&answer);
	}
	answer = update(key.id, &good, LK_OK);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

/* What the policy gives, it gives to a key that is made, and to no other. */
static void test_policy_gives_a_life_only_where_a_key_is_made(void **state)
{
	static const struct fault none = {"name", "u", 0, NULL};

	(void)state;
	default_ttl.seconds = 60;
	policy.default_ttl = &default_ttl;
	struct loop_answer answer = make_keyspace(LK_OK);
	loop_answer_done(&answer);
	answer = create(&none, LK_OK);
	assert_non_null(((const Latchkey__V1__CreateKeyResponse *)answer.response)->key->expire_time);
	struct fixture_key key = fixture_take_key(&answer);
	answer = update(key.id, &none, LK_OK);
	assert_null(keys_shown(&answer)->expire_time);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_policy_is_shown_as_it_is_kept),
		TEST(test_policy_reports_all_its_faults_together),
		TEST(test_policy_default_ttl_over_the_longest_is_refused),
		TEST(test_policy_is_enforced_on_create_and_update_alike),
		TEST(test_policy_gives_a_life_only_where_a_key_is_made),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

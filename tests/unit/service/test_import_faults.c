#include "tests/unit/service/import_fixture.h"

#include <latchkey/token.h>
#include <time.h>

static void test_import_of_digests_needs_their_verify_key(void **state)
{
	(void)state;
	import_begin();
	import_add_blake2b(ABC_HEX);
	import_add_token("other");
	import_assert_fault("verify_key: is needed");
	import_batch.request.verify_key = TEXT("not hex");
	import_assert_fault("verify_key: is no check value");
	import_batch.request.verify_key = TEXT(ABC_HEX);
	import_assert_fault("verify_key: the digests were made under another verify.key");
	import_batch.request.skip_faulty = true;
	import_assert_fault("verify_key: the digests were made under another verify.key");
	assert_int_equal(import_count_keys(), 0);
	/* Where there are no such digests, nothing depends on it. */
	import_begin();
	import_batch.request.verify_key = TEXT(ABC_HEX);
	import_add_token("other");
	import_all();
}

static void test_import_refuses_what_is_no_secret(void **state)
{
	static char long_token[LK_TOKEN_MAX + 2];

	(void)state;
	memset(long_token, 'a', LK_TOKEN_MAX + 1);
	import_begin();
	import_add();
	import_assert_fault("keys[0]: has no secret");
	static const struct {
		const char *token, *violation;
	} tokens[] = {
		{"", "keys[0].token: has 0 bytes"},
		{long_token, "keys[0].token: has 4097 bytes"},
		{"with blank", "keys[0].token: has a character that no token has"},
		{"with\xc3\xa4", "keys[0].token: has a character that no token has"},
		{"lkr_abcdefghijkl", "keys[0].token: begins as root keys do"},
	};
	for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
		import_begin();
		import_add_token(tokens[i].token);
		import_assert_fault(tokens[i].violation);
	}
	static const char *const digests[] = {"", "abc", ABC_HEX "00", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
		"zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"};
	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
		if (strlen(digests[i]) > 64) {
			continue;
		}
		import_begin();
		import_add_sha256(digests[i]);
		import_assert_fault("keys[0].sha256: is not 32 bytes in hex or base64");
	}
	long_token[LK_TOKEN_MAX] = '\0';
	import_begin();
	import_add_token(long_token);
	import_all();
	assert_int_equal(fixture_verify(long_token, ""), VERDICT(VALID));
}

static void test_import_tells_no_secret_in_its_faults(void **state)
{
	(void)state;
	import_begin();
	import_add_sha256("not-a-digest-but-a-token")->id = TEXT("another-secret-token");
	struct loop_answer answer = import_run(LK_INVALID_ARGUMENT);
	assert_null(strstr(answer.message, "token"));
	assert_null(strstr(answer.violations, "but-a-token"));
	assert_null(strstr(answer.violations, "another-secret"));
	loop_answer_done(&answer);
}

static void test_import_checks_each_field(void **state)
{
	Google__Protobuf__Timestamp future = import_at(time(NULL) + 1000), zero = import_at(0),
				    beyond = import_at(INT64_C(300000000000));
	Latchkey__V1__ImportedKey *key;

	(void)state;
	import_begin();
	import_add_token("good-0")->display_prefix = TEXT("goo");
	import_add_token("good-1")->display_prefix = TEXT("x");
	import_add_token("good-2")->id = TEXT("key_1");
	import_add_token("good-3")->owner = TEXT("al\x01ice");
	import_add_token("good-4")->keyspace = TEXT("nowhere");
	import_add_token("good-5")->keyspace = TEXT("No Id");
	import_add_token("good-6")->create_time = &future;
	import_add_token("good-7")->create_time = &zero;
	import_add_token("good-8")->expire_time = &beyond;
	import_add_token("good-9")->state = STATE(EXPIRED);
	import_add_token("good-10")->reason = TEXT("why");
	key = import_add_token("good-11");
	key->state = STATE(REVOKED);
	key->reason = TEXT("a\nb");
	static char *bad_permission[] = {(char *)"::"};
	key = import_add_token("good-12");
	key->permissions = bad_permission;
	key->n_permissions = 1;
	import_add_sha256(ABC_HEX)->display_prefix = TEXT("0123456789");
	import_add_token("good-14")->name = TEXT("a\x02");
	static const char *const violations[] = {
		"keys[0].display_prefix: has 3 characters: give at most 1",
		"keys[1].display_prefix: is not how the token begins",
		"keys[2].id: is no id of a key",
		"keys[3].owner: ",
		"keys[4].keyspace: there is no keyspace \"nowhere\" in tenant \"acme\"",
		"keys[5].keyspace: ",
		"keys[6].create_time: ",
		"keys[7].create_time: ",
		"keys[8].expire_time: ",
		"keys[9].state: ",
		"keys[10].reason: ",
		"keys[11].reason: ",
		"keys[12].permissions[0]: ",
		"keys[13].display_prefix: has 10 characters: give at most 9",
		"keys[14].name: ",
	};
	import_assert_refused(violations, sizeof violations / sizeof violations[0]);
	assert_int_equal(import_count_keys(), 0);
}

static void test_import_obeys_the_policy(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	int64_t now = time(NULL);
	Google__Protobuf__Timestamp made = import_at(now - 80000), soon = import_at(now + 3600),
				    late = import_at(now + 10000);
	Latchkey__V1__ImportedKey *key;

	(void)state;
	day.seconds = 86400;
	policy.token_prefix = TEXT("st-");
	policy.name_unique = true;
	policy.owner_required = true;
	policy.max_ttl = &day;
	fixture_make_keyspace("acme", "strict", &policy);
	import_begin();
	import_batch.request.keyspace = TEXT("strict");
	import_add_token("token-0");
	key = import_add_token("token-1");
	key->name = TEXT("a");
	key->owner = TEXT("o");
	key->create_time = &made;
	key->expire_time = &late;
	key = import_add_token("token-2");
	key->name = TEXT("a");
	key->owner = TEXT("o");
	key->create_time = &made;
	key->expire_time = &soon;
	static const char *const violations[] = {
		"keys[0].name: ",
		"keys[0].owner: ",
		"keys[0].expire_time: is needed",
		/* 80,000 s and 10,000 s are more than a day, though it would end within one. */
		"keys[1].expire_time: a life of ",
		"keys[2].name: \"a\" is the name of keys[1] too",
	};
	import_assert_refused(violations, sizeof violations / sizeof violations[0]);
	/* What is left out does not take a name. */
	import_batch.request.skip_faulty = true;
	struct loop_answer answer = import_run(LK_OK);
	assert_int_equal(import_response_of(&answer)->imported_count, 1);
	assert_int_equal(import_response_of(&answer)->n_faults, 4);
	loop_answer_done(&answer);
	import_begin();
	import_batch.request.keyspace = TEXT("strict");
	key = import_add_token("token-3");
	key->name = TEXT("a");
	key->owner = TEXT("o");
	key->expire_time = &soon;
	import_assert_fault("keys[0].name: \"a\" is taken by another key of keyspace \"strict\"");
	key->state = STATE(REVOKED);
	import_all();
}

static void test_import_finds_duplicates(void **state)
{
	(void)state;
	import_begin();
	import_add_token("there")->id = TEXT(ID_A);
	import_all();
	import_begin();
	import_add_token("there");
	import_add_token("new")->id = TEXT(ID_A);
	import_add_token("new");
	import_add_token("newer")->id = TEXT(ID_B);
	import_add_sha256(ABC_HEX)->id = TEXT(ID_B);
	import_add_sha256(ABC_STANDARD);
	static const char *const violations[] = {
		"keys[0].token: is the secret of a key that is there already",
		"keys[1].id: " ID_A " is taken: leave it out for a new one",
		"keys[2].token: is the secret of keys[1] too",
		"keys[4].id: " ID_B " is the id of keys[3] too",
		"keys[5].sha256: is the secret of keys[4] too",
	};
	import_assert_refused(violations, sizeof violations / sizeof violations[0]);
	assert_int_equal(import_count_keys(), 1);
	/* Those that are left out leave their secret and id to the next. */
	import_batch.request.skip_faulty = true;
	struct loop_answer answer = import_run(LK_OK);
	const Latchkey__V1__ImportKeysResponse *response = import_response_of(&answer);
	assert_int_equal(response->imported_count, 3);
	assert_int_equal(response->n_faults, 3);
	static const struct {
		uint32_t index;
		const char *field;
	} faults[] = {{0, "token"}, {1, "id"}, {4, "id"}};
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(response->faults[i]->index, faults[i].index);
		assert_string_equal(response->faults[i]->field, faults[i].field);
		assert_true(response->faults[i]->duplicate);
	}
	loop_answer_done(&answer);
	assert_int_equal(fixture_verify("new", ""), VERDICT(VALID));
	assert_int_equal(fixture_verify("abc", ""), VERDICT(VALID));
}

/* The same token, once as such and once by its SHA-256. */
static void test_import_finds_a_token_known_by_its_sha256(void **state)
{
	(void)state;
	import_begin();
	import_add_sha256(ABC_HEX);
	import_add_token("abc");
	import_assert_fault("keys[1].token: is the secret of keys[0] too");
	import_begin();
	import_add_token("abc");
	import_add_sha256(ABC_HEX);
	import_assert_fault("keys[1].sha256: is the secret of keys[0] too");
	import_begin();
	import_add_sha256(ABC_HEX);
	import_all();
	import_begin();
	import_add_token("abc");
	import_assert_fault("keys[0].token: is the secret of a key that is there already");
}

/* What is said is the same, whoever's key it is. */
static void test_import_says_nothing_of_other_tenants(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	static const char own[] = "keys[0].token: is the secret of a key that is there already: leave this one out\n";

	(void)state;
	policy.token_prefix = TEXT("ot-");
	fixture_make_tenant("other");
	fixture_make_keyspace("other", "prod", &policy);
	import_begin();
	import_batch.request.tenant = TEXT("other");
	import_add_token("shared")->name = TEXT("private");
	import_all();
	import_begin();
	import_add_token("shared");
	struct loop_answer answer = import_run(LK_INVALID_ARGUMENT);
	assert_string_equal(answer.violations, own);
	loop_answer_done(&answer);
}

static void test_import_is_all_or_nothing(void **state)
{
	(void)state;
	import_begin();
	import_add_token("good-0");
	import_add()->name = TEXT("no secret");
	import_add_token("good-2")->owner = TEXT("bad\x01");
	import_add_token("good-3");
	static const char *const violations[] = {"keys[1]: has no secret", "keys[2].owner: "};
	import_assert_refused(violations, 2);
	assert_int_equal(import_count_keys(), 0);
	import_assert_unknown("good-0");
}

/* Once so many faults were found that no more are named, those of further keys are no less faults. */
static void test_import_outlives_more_faults_than_it_names(void **state)
{
	(void)state;
	for (int nowhere = 0; nowhere < 2; nowhere++) {
		import_begin();
		for (int i = 0; i < 200; i++) {
			Latchkey__V1__ImportedKey *key = import_add();
			key->keyspace = nowhere == 0 ? TEXT("No Id") : TEXT("nowhere");
		}
		struct loop_answer answer = import_run(LK_INVALID_ARGUMENT);
		assert_non_null(strstr(answer.violations, "there are further faults"));
		loop_answer_done(&answer);
		assert_int_equal(import_count_keys(), 0);
	}
}

static void test_import_tells_what_it_left_out(void **state)
{
	(void)state;
	import_begin();
	import_add_token("good-0");
	import_add()->name = TEXT("no secret");
	import_add_token("good-2")->owner = TEXT("bad\x01");
	import_add_token("good-3");
	import_batch.request.skip_faulty = true;
	import_batch.request.validate_only = true;
	for (int run_twice = 0; run_twice < 2; run_twice++) {
		struct loop_answer answer = import_run(LK_OK);
		const Latchkey__V1__ImportKeysResponse *response = import_response_of(&answer);
		assert_int_equal(response->imported_count, 2);
		assert_int_equal(response->n_faults, 2);
		assert_int_equal(response->faults[0]->index, 1);
		assert_string_equal(response->faults[0]->field, "");
		assert_false(response->faults[0]->duplicate);
		assert_int_equal(response->faults[1]->index, 2);
		assert_string_equal(response->faults[1]->field, "owner");
		loop_answer_done(&answer);
		assert_int_equal(import_count_keys(), run_twice == 0 ? 0 : 2);
		import_batch.request.validate_only = false;
	}
	assert_int_equal(fixture_verify("good-3", ""), VERDICT(VALID));
	import_assert_unknown("good-2");
}

static void test_import_refuses_no_keys_at_all(void **state)
{
	(void)state;
	import_begin();
	import_assert_fault("keys: is empty");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_import_of_digests_needs_their_verify_key),
		TEST(test_import_refuses_what_is_no_secret),
		TEST(test_import_tells_no_secret_in_its_faults),
		TEST(test_import_checks_each_field),
		TEST(test_import_obeys_the_policy),
		TEST(test_import_finds_duplicates),
		TEST(test_import_finds_a_token_known_by_its_sha256),
		TEST(test_import_says_nothing_of_other_tenants),
		TEST(test_import_is_all_or_nothing),
		TEST(test_import_outlives_more_faults_than_it_names),
		TEST(test_import_tells_what_it_left_out),
		TEST(test_import_refuses_no_keys_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/service/service_fixture.h"

#include <latchkey/token.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define VERDICT(code) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##code
#define STATE(state)  LATCHKEY__V1__KEY_STATE__KEY_STATE_##state
#define KEYS_MAX      1000

/* SHA-256 of "abc", from the examples of FIPS 180-4: in hex, and as base64 in which both alphabets differ. */
#define ABC_HEX       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_HEX_UPPER "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
#define ABC_STANDARD  "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define ABC_URL_SAFE  "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0="

#define ID_A "key_01jd8m3zfwq4v5x6y7z8abcdef"
#define ID_B "key_01jd8m3zfwq4v5x6y7z8abcdeg"

/* A request for keyspace "prod" of tenant "acme" with room for its keys. */
struct batch {
	Latchkey__V1__ImportKeysRequest request;
	Latchkey__V1__ImportedKey keys[KEYS_MAX];
	Latchkey__V1__ImportedKey *list[KEYS_MAX];
};

static struct batch batch;

static void begin(void)
{
	batch.request = (Latchkey__V1__ImportKeysRequest)LATCHKEY__V1__IMPORT_KEYS_REQUEST__INIT;
	batch.request.tenant = TEXT("acme");
	batch.request.keyspace = TEXT("prod");
	batch.request.keys = batch.list;
}

static Latchkey__V1__ImportedKey *add(void)
{
	Latchkey__V1__ImportedKey *key = &batch.keys[batch.request.n_keys];

	latchkey__v1__imported_key__init(key);
	batch.list[batch.request.n_keys++] = key;
	return key;
}

static Latchkey__V1__ImportedKey *add_token(const char *token)
{
	Latchkey__V1__ImportedKey *key = add();

	key->secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN;
	key->token = TEXT(token);
	return key;
}

static Latchkey__V1__ImportedKey *add_sha256(const char *sha256)
{
	Latchkey__V1__ImportedKey *key = add();

	key->secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_SHA256;
	key->sha256 = TEXT(sha256);
	return key;
}

static Latchkey__V1__ImportedKey *add_blake2b(const char *blake2b)
{
	Latchkey__V1__ImportedKey *key = add();

	key->secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_BLAKE2B;
	key->blake2b = TEXT(blake2b);
	return key;
}

static struct loop_answer run(enum lk_err expected)
{
	return fixture_call(&latchkey_v1_key_import_method, &batch.request.base, expected);
}

static const Latchkey__V1__ImportKeysResponse *response_of(const struct loop_answer *answer)
{
	return (const Latchkey__V1__ImportKeysResponse *)answer->response;
}

/* Imports the batch, which must be good. */
static void import_all(void)
{
	struct loop_answer answer = run(LK_OK);

	assert_int_equal(response_of(&answer)->imported_count, batch.request.n_keys);
	assert_int_equal(response_of(&answer)->n_faults, 0);
	loop_answer_done(&answer);
}

/* Fails the test unless the batch is refused for these violations: a line each, of which the beginnings are given. */
static void assert_refused(const char *const *violations, size_t count)
{
	struct loop_answer answer = run(LK_INVALID_ARGUMENT);
	const char *line = answer.violations;

	for (size_t i = 0; i < count; i++) {
		if (line == NULL || strncmp(line, violations[i], strlen(violations[i])) != 0) {
			fail_msg("not \"%s\" but:\n%s", violations[i], answer.violations);
		}
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	if (line != NULL && *line != '\0') {
		fail_msg("too much:\n%s", answer.violations);
	}
	loop_answer_done(&answer);
}

static void assert_fault(const char *violation)
{
	assert_refused(&violation, 1);
}

static struct loop_answer get(const char *key)
{
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	return fixture_call(&latchkey_v1_key_get_method, &request.base, LK_OK);
}

static size_t count_keys(void)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.page_size = KEYS_MAX;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
	size_t count = ((const Latchkey__V1__ListKeysResponse *)answer.response)->n_keys;
	loop_answer_done(&answer);
	return count;
}

/* What Export tells with digests of the keys there are. */
static struct loop_answer export_all(void)
{
	Latchkey__V1__ExportKeysRequest request = LATCHKEY__V1__EXPORT_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.include_digests = true;
	return fixture_call(&latchkey_v1_key_export_method, &request.base, LK_OK);
}

static void remove_key(const char *key)
{
	Latchkey__V1__DeleteKeyRequest request = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	struct loop_answer answer = fixture_call(&latchkey_v1_key_delete_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

/* Whether an unknown token may be mistyped depends on what else was imported. */
static void assert_unknown(const char *token)
{
	Latchkey__V1__VerifyCode code = fixture_verify(token, "");

	assert_true(code == VERDICT(MALFORMED) || code == VERDICT(NOT_FOUND));
}

static Google__Protobuf__Timestamp at(int64_t seconds)
{
	Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	timestamp.seconds = seconds;
	return timestamp;
}

static void test_import_takes_tokens(void **state)
{
	struct fixture_key minted = fixture_make_key("acme", "prod", "minted");

	(void)state;
	begin();
	Latchkey__V1__ImportedKey *key = add_token("legacy!0123456789");
	key->name = TEXT("  old  ");
	key->owner = TEXT("alice");
	remove_key(minted.id);
	add_token(minted.token);
	add_token("x");
	import_all();
	assert_int_equal(fixture_verify("legacy!0123456789", "prod"), VERDICT(VALID));
	assert_int_equal(fixture_verify(minted.token, "prod"), VERDICT(VALID));
	assert_int_equal(fixture_verify("x", "prod"), VERDICT(VALID));
	struct loop_answer answer = get("2");
	const Latchkey__V1__Key *shown = (const Latchkey__V1__Key *)answer.response;
	assert_string_equal(shown->name, "old");
	assert_string_equal(shown->owner, "alice");
	assert_int_equal(shown->state, STATE(ACTIVE));
	/* A quarter of it, though the policy shows 9 characters. */
	assert_string_equal(shown->display_prefix, "lega");
	assert_null(memmem(answer.payload, answer.payload_len, "legacy", 6));
	loop_answer_done(&answer);
	answer = get("3");
	assert_int_equal(strlen(((const Latchkey__V1__Key *)answer.response)->display_prefix), 9);
	loop_answer_done(&answer);
	answer = get("4");
	assert_string_equal(((const Latchkey__V1__Key *)answer.response)->display_prefix, "");
	loop_answer_done(&answer);
	fixture_key_done(&minted);
}

static void test_import_takes_sha256_in_every_form(void **state)
{
	static const char *const forms[] = {ABC_HEX, ABC_HEX_UPPER, ABC_STANDARD, ABC_URL_SAFE,
		"ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0", "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0"};

	(void)state;
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		char number[24];
		snprintf(number, sizeof number, "%zu", i + 1);
		begin();
		add_sha256(forms[i])->display_prefix = TEXT("ab");
		import_all();
		assert_int_equal(fixture_verify("abc", "prod"), VERDICT(VALID));
		/* What is known of the token is no token. */
		assert_unknown(ABC_HEX);
		remove_key(number);
		assert_unknown("abc");
	}
}

static void test_import_takes_what_export_told(void **state)
{
	(void)state;
	begin();
	add_token("first-token-of-old")->id = TEXT(ID_A);
	add_sha256(ABC_HEX)->id = TEXT(ID_B);
	import_all();
	struct loop_answer answer = export_all();
	const Latchkey__V1__ExportKeysResponse *exported = (const Latchkey__V1__ExportKeysResponse *)answer.response;
	assert_int_equal(exported->n_keys, 2);
	assert_int_equal(strlen(exported->verify_key), 64);
	remove_key(ID_A);
	remove_key(ID_B);
	begin();
	batch.request.verify_key = exported->verify_key;
	for (size_t i = 0; i < exported->n_keys; i++) {
		const Latchkey__V1__ExportedKey *from = exported->keys[i];
		Latchkey__V1__ImportedKey *key = add_blake2b(from->blake2b);
		if (from->blake2b[0] == '\0') {
			key->secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_BLAKE2B_OF_SHA256;
			key->blake2b_of_sha256 = from->blake2b_of_sha256;
		}
	}
	import_all();
	assert_int_equal(fixture_verify("first-token-of-old", ""), VERDICT(VALID));
	assert_int_equal(fixture_verify("abc", ""), VERDICT(VALID));
	loop_answer_done(&answer);
}

static void test_import_of_digests_needs_their_verify_key(void **state)
{
	(void)state;
	begin();
	add_blake2b(ABC_HEX);
	add_token("other");
	assert_fault("verify_key: is needed");
	batch.request.verify_key = TEXT("not hex");
	assert_fault("verify_key: is no check value");
	batch.request.verify_key = TEXT(ABC_HEX);
	assert_fault("verify_key: the digests were made under another verify.key");
	batch.request.skip_faulty = true;
	assert_fault("verify_key: the digests were made under another verify.key");
	assert_int_equal(count_keys(), 0);
	/* Where there are no such digests, nothing depends on it. */
	begin();
	batch.request.verify_key = TEXT(ABC_HEX);
	add_token("other");
	import_all();
}

static void test_import_refuses_what_is_no_secret(void **state)
{
	static char long_token[LK_TOKEN_MAX + 2];

	(void)state;
	memset(long_token, 'a', LK_TOKEN_MAX + 1);
	begin();
	add();
	assert_fault("keys[0]: has no secret");
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
		begin();
		add_token(tokens[i].token);
		assert_fault(tokens[i].violation);
	}
	static const char *const digests[] = {"", "abc", ABC_HEX "00", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0",
		"zz7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"};
	for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
		if (strlen(digests[i]) > 64) {
			continue;
		}
		begin();
		add_sha256(digests[i]);
		assert_fault("keys[0].sha256: is not 32 bytes in hex or base64");
	}
	long_token[LK_TOKEN_MAX] = '\0';
	begin();
	add_token(long_token);
	import_all();
	assert_int_equal(fixture_verify(long_token, ""), VERDICT(VALID));
}

static void test_import_tells_no_secret_in_its_faults(void **state)
{
	(void)state;
	begin();
	add_sha256("not-a-digest-but-a-token")->id = TEXT("another-secret-token");
	struct loop_answer answer = run(LK_INVALID_ARGUMENT);
	assert_null(strstr(answer.message, "token"));
	assert_null(strstr(answer.violations, "but-a-token"));
	assert_null(strstr(answer.violations, "another-secret"));
	loop_answer_done(&answer);
}

static void test_import_checks_each_field(void **state)
{
	Google__Protobuf__Timestamp future = at(time(NULL) + 1000), zero = at(0), beyond = at(INT64_C(300000000000));
	Latchkey__V1__ImportedKey *key;

	(void)state;
	begin();
	add_token("good-0")->display_prefix = TEXT("goo");
	add_token("good-1")->display_prefix = TEXT("x");
	add_token("good-2")->id = TEXT("key_1");
	add_token("good-3")->owner = TEXT("al\x01ice");
	add_token("good-4")->keyspace = TEXT("nowhere");
	add_token("good-5")->keyspace = TEXT("No Id");
	add_token("good-6")->create_time = &future;
	add_token("good-7")->create_time = &zero;
	add_token("good-8")->expire_time = &beyond;
	add_token("good-9")->state = STATE(EXPIRED);
	add_token("good-10")->reason = TEXT("why");
	key = add_token("good-11");
	key->state = STATE(REVOKED);
	key->reason = TEXT("a\nb");
	static char *bad_permission[] = {(char *)"::"};
	key = add_token("good-12");
	key->permissions = bad_permission;
	key->n_permissions = 1;
	add_sha256(ABC_HEX)->display_prefix = TEXT("0123456789");
	add_token("good-14")->name = TEXT("a\x02");
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
	assert_refused(violations, sizeof violations / sizeof violations[0]);
	assert_int_equal(count_keys(), 0);
}

static void test_import_obeys_the_policy(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	int64_t now = time(NULL);
	Google__Protobuf__Timestamp made = at(now - 80000), soon = at(now + 3600), late = at(now + 10000);
	Latchkey__V1__ImportedKey *key;

	(void)state;
	day.seconds = 86400;
	policy.token_prefix = TEXT("st-");
	policy.name_unique = true;
	policy.owner_required = true;
	policy.max_ttl = &day;
	fixture_make_keyspace("acme", "strict", &policy);
	begin();
	batch.request.keyspace = TEXT("strict");
	add_token("token-0");
	key = add_token("token-1");
	key->name = TEXT("a");
	key->owner = TEXT("o");
	key->create_time = &made;
	key->expire_time = &late;
	key = add_token("token-2");
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
	assert_refused(violations, sizeof violations / sizeof violations[0]);
	/* What is left out does not take a name. */
	batch.request.skip_faulty = true;
	struct loop_answer answer = run(LK_OK);
	assert_int_equal(response_of(&answer)->imported_count, 1);
	assert_int_equal(response_of(&answer)->n_faults, 4);
	loop_answer_done(&answer);
	begin();
	batch.request.keyspace = TEXT("strict");
	key = add_token("token-3");
	key->name = TEXT("a");
	key->owner = TEXT("o");
	key->expire_time = &soon;
	assert_fault("keys[0].name: \"a\" is taken by another key of keyspace \"strict\"");
	key->state = STATE(REVOKED);
	import_all();
}

static void test_import_keeps_the_past(void **state)
{
	Google__Protobuf__Timestamp made = at(1600000000), ended = at(1700000000);
	Latchkey__V1__ImportedKey *key;

	(void)state;
	begin();
	key = add_token("token-expired");
	key->create_time = &made;
	key->expire_time = &ended;
	key->id = TEXT(ID_A);
	key = add_token("token-suspended");
	key->state = STATE(SUSPENDED);
	key->reason = TEXT("on holiday");
	key = add_token("token-revoked");
	key->state = STATE(REVOKED);
	key->reason = TEXT("leaked");
	key->scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	import_all();
	assert_int_equal(fixture_verify("token-expired", ""), VERDICT(EXPIRED));
	assert_int_equal(fixture_verify("token-suspended", ""), VERDICT(SUSPENDED));
	assert_int_equal(fixture_verify("token-revoked", ""), VERDICT(REVOKED));
	struct loop_answer answer = get(ID_A);
	const Latchkey__V1__Key *shown = (const Latchkey__V1__Key *)answer.response;
	assert_int_equal(shown->create_time->seconds, made.seconds);
	assert_int_equal(shown->expire_time->seconds, ended.seconds);
	assert_int_equal(shown->state, STATE(EXPIRED));
	loop_answer_done(&answer);
	answer = get("2");
	assert_string_equal(((const Latchkey__V1__Key *)answer.response)->suspend_reason, "on holiday");
	loop_answer_done(&answer);
	answer = get("3");
	shown = (const Latchkey__V1__Key *)answer.response;
	assert_string_equal(shown->revoke_reason, "leaked");
	assert_int_equal(shown->scope, LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT);
	loop_answer_done(&answer);
}

static void test_import_finds_duplicates(void **state)
{
	(void)state;
	begin();
	add_token("there")->id = TEXT(ID_A);
	import_all();
	begin();
	add_token("there");
	add_token("new")->id = TEXT(ID_A);
	add_token("new");
	add_token("newer")->id = TEXT(ID_B);
	add_sha256(ABC_HEX)->id = TEXT(ID_B);
	add_sha256(ABC_STANDARD);
	static const char *const violations[] = {
		"keys[0].token: is the secret of a key that is there already",
		"keys[1].id: " ID_A " is the id of a key that is there already",
		"keys[2].token: is the secret of keys[1] too",
		"keys[4].id: " ID_B " is the id of keys[3] too",
		"keys[5].sha256: is the secret of keys[4] too",
	};
	assert_refused(violations, sizeof violations / sizeof violations[0]);
	assert_int_equal(count_keys(), 1);
	/* Those that are left out leave their secret and id to the next. */
	batch.request.skip_faulty = true;
	struct loop_answer answer = run(LK_OK);
	const Latchkey__V1__ImportKeysResponse *response = response_of(&answer);
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
	begin();
	add_sha256(ABC_HEX);
	add_token("abc");
	assert_fault("keys[1].token: is the secret of keys[0] too");
	begin();
	add_token("abc");
	add_sha256(ABC_HEX);
	assert_fault("keys[1].sha256: is the secret of keys[0] too");
	begin();
	add_sha256(ABC_HEX);
	import_all();
	begin();
	add_token("abc");
	assert_fault("keys[0].token: is the secret of a key that is there already");
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
	begin();
	batch.request.tenant = TEXT("other");
	add_token("shared")->name = TEXT("private");
	import_all();
	begin();
	add_token("shared");
	struct loop_answer answer = run(LK_INVALID_ARGUMENT);
	assert_string_equal(answer.violations, own);
	loop_answer_done(&answer);
}

static void test_import_is_all_or_nothing(void **state)
{
	(void)state;
	begin();
	add_token("good-0");
	add()->name = TEXT("no secret");
	add_token("good-2")->owner = TEXT("bad\x01");
	add_token("good-3");
	static const char *const violations[] = {"keys[1]: has no secret", "keys[2].owner: "};
	assert_refused(violations, 2);
	assert_int_equal(count_keys(), 0);
	assert_unknown("good-0");
}

static void test_import_tells_what_it_left_out(void **state)
{
	(void)state;
	begin();
	add_token("good-0");
	add()->name = TEXT("no secret");
	add_token("good-2")->owner = TEXT("bad\x01");
	add_token("good-3");
	batch.request.skip_faulty = true;
	batch.request.validate_only = true;
	for (int run_twice = 0; run_twice < 2; run_twice++) {
		struct loop_answer answer = run(LK_OK);
		const Latchkey__V1__ImportKeysResponse *response = response_of(&answer);
		assert_int_equal(response->imported_count, 2);
		assert_int_equal(response->n_faults, 2);
		assert_int_equal(response->faults[0]->index, 1);
		assert_string_equal(response->faults[0]->field, "");
		assert_false(response->faults[0]->duplicate);
		assert_int_equal(response->faults[1]->index, 2);
		assert_string_equal(response->faults[1]->field, "owner");
		loop_answer_done(&answer);
		assert_int_equal(count_keys(), run_twice == 0 ? 0 : 2);
		batch.request.validate_only = false;
	}
	assert_int_equal(fixture_verify("good-3", ""), VERDICT(VALID));
	assert_unknown("good-2");
}

static void test_import_takes_a_thousand(void **state)
{
	static char tokens[KEYS_MAX][24];
	size_t told = 0;

	(void)state;
	begin();
	for (size_t i = 0; i < KEYS_MAX; i++) {
		snprintf(tokens[i], sizeof tokens[i], "sk-many-%zu", i);
		/* Every fault there can be at once, in every other key. */
		Latchkey__V1__ImportedKey *key = add_token(tokens[i]);
		if (i % 2 == 1) {
			key->id = TEXT("no id");
			key->name = TEXT("\x01 and what comes behind it, which is quoted at some length in a fault");
			key->owner = key->name;
			key->reason = TEXT("none is needed");
			key->state = STATE(EXPIRED);
		}
	}
	struct loop_answer answer = run(LK_INVALID_ARGUMENT);
	size_t lines = 0;
	for (const char *at_line = answer.violations; (at_line = strchr(at_line, '\n')) != NULL; at_line++) {
		lines++;
	}
	assert_int_equal(lines, 64);
	loop_answer_done(&answer);
	batch.request.skip_faulty = true;
	answer = run(LK_OK);
	const Latchkey__V1__ImportKeysResponse *response = response_of(&answer);
	assert_int_equal(response->imported_count, KEYS_MAX / 2);
	for (size_t i = 0; i < response->n_faults; i++) {
		told += i == 0 || response->faults[i]->index != response->faults[i - 1]->index;
	}
	assert_int_equal(told, KEYS_MAX / 2);
	loop_answer_done(&answer);
	assert_int_equal(count_keys(), KEYS_MAX / 2);
}

static void test_import_refuses_no_keys_at_all(void **state)
{
	(void)state;
	begin();
	assert_fault("keys: is empty");
}

static void test_import_is_for_granted_places(void **state)
{
	static const char *const methods[] = {"keys.import", NULL};
	static const char *const tenants[] = {"acme", NULL}, *const keyspaces[] = {"prod", NULL};
	struct fixture_key root = fixture_make_root_key(methods, tenants, keyspaces);
	struct loop_call as_root = {.credential = root.token};
	static const struct {
		const char *tenant, *keyspace, *own;
		enum lk_err code;
	} places[] = {
		{"acme", "prod", "", LK_OK},
		{"", "", "prod", LK_OK},
		{"other", "prod", "", LK_PERMISSION_DENIED},
		{"acme", "secret", "", LK_PERMISSION_DENIED},
		{"acme", "prod", "secret", LK_PERMISSION_DENIED},
		{"system", "root", "", LK_PERMISSION_DENIED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		char token[16];
		snprintf(token, sizeof token, "token-%zu", i);
		begin();
		batch.request.tenant = TEXT(places[i].tenant);
		batch.request.keyspace = TEXT(places[i].keyspace);
		add_token(token)->keyspace = TEXT(places[i].own);
		struct loop_answer answer = loop_call(
			&fixture_loop, &as_root, &latchkey_v1_key_import_method, &batch.request.base);
		assert_int_equal(answer.code, lk_err_wire_code(places[i].code));
		loop_answer_done(&answer);
	}
	fixture_key_done(&root);
}

static void test_import_needs_a_place(void **state)
{
	(void)state;
	begin();
	batch.request.keyspace = TEXT("");
	add_token("token");
	assert_fault("keys[0].keyspace: is needed");
	batch.request.keyspace = TEXT("nowhere");
	struct loop_answer answer = run(LK_NOT_FOUND);
	loop_answer_done(&answer);
	batch.request.tenant = TEXT("nobody");
	answer = run(LK_NOT_FOUND);
	loop_answer_done(&answer);
	batch.request.tenant = TEXT("system");
	batch.request.keyspace = TEXT("root");
	assert_fault("tenant: root keys cannot be imported");
}

/* Both are built before either is written: the second is built again, and finds the first. */
static void test_import_of_the_same_races_to_one(void **state)
{
	struct loop_pending *pending[8];
	size_t n = sizeof pending / sizeof pending[0], n_good = 0;

	(void)state;
	begin();
	add_token("contested")->id = TEXT(ID_A);
	add_token("contested too");
	batch.keys[1].token = TEXT("contested-too");
	for (size_t i = 0; i < n; i++) {
		pending[i] = loop_begin(
			&fixture_loop, &fixture_operator, &latchkey_v1_key_import_method, &batch.request.base);
	}
	for (size_t i = 0; i < n; i++) {
		struct loop_answer answer = loop_end(pending[i]);
		n_good += answer.code == 0;
		if (answer.code != 0) {
			assert_int_equal(answer.code, LK_INVALID_ARGUMENT);
			assert_non_null(strstr(answer.violations, "keys[1].token: is the secret of a key"));
		}
		loop_answer_done(&answer);
	}
	assert_int_equal(n_good, 1);
	assert_int_equal(count_keys(), 2);
}

static void test_import_stands_after_a_restart(void **state)
{
	(void)state;
	begin();
	add_sha256(ABC_HEX);
	add_token("kept");
	import_all();
	loop_restart(&fixture_loop);
	assert_int_equal(fixture_verify("abc", ""), VERDICT(VALID));
	assert_int_equal(fixture_verify("kept", ""), VERDICT(VALID));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_import_takes_tokens),
		TEST(test_import_takes_sha256_in_every_form),
		TEST(test_import_takes_what_export_told),
		TEST(test_import_of_digests_needs_their_verify_key),
		TEST(test_import_refuses_what_is_no_secret),
		TEST(test_import_tells_no_secret_in_its_faults),
		TEST(test_import_checks_each_field),
		TEST(test_import_obeys_the_policy),
		TEST(test_import_keeps_the_past),
		TEST(test_import_finds_duplicates),
		TEST(test_import_finds_a_token_known_by_its_sha256),
		TEST(test_import_says_nothing_of_other_tenants),
		TEST(test_import_is_all_or_nothing),
		TEST(test_import_tells_what_it_left_out),
		TEST(test_import_takes_a_thousand),
		TEST(test_import_refuses_no_keys_at_all),
		TEST(test_import_is_for_granted_places),
		TEST(test_import_needs_a_place),
		TEST(test_import_of_the_same_races_to_one),
		TEST(test_import_stands_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

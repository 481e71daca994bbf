#include "tests/unit/service/import_fixture.h"

#include <stdio.h>

static struct loop_answer get(const char *key)
{
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	return fixture_call(&latchkey_v1_key_get_method, &request.base, LK_OK);
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

static void test_import_takes_tokens(void **state)
{
	struct fixture_key minted = fixture_make_key("acme", "prod", "minted");

	(void)state;
	import_begin();
	Latchkey__V1__ImportedKey *key = import_add_token("legacy!0123456789");
	key->name = TEXT("  old  ");
	key->owner = TEXT("alice");
	remove_key(minted.id);
	import_add_token(minted.token);
	import_add_token("x");
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
		import_begin();
		import_add_sha256(forms[i])->display_prefix = TEXT("ab");
		import_all();
		assert_int_equal(fixture_verify("abc", "prod"), VERDICT(VALID));
		/* What is known of the token is no token. */
		import_assert_unknown(ABC_HEX);
		remove_key(number);
		import_assert_unknown("abc");
	}
}

static void test_import_takes_what_export_told(void **state)
{
	(void)state;
	import_begin();
	import_add_token("first-token-of-old")->id = TEXT(ID_A);
	import_add_sha256(ABC_HEX)->id = TEXT(ID_B);
	import_all();
	struct loop_answer answer = export_all();
	const Latchkey__V1__ExportKeysResponse *exported = (const Latchkey__V1__ExportKeysResponse *)answer.response;
	assert_int_equal(exported->n_keys, 2);
	assert_int_equal(strlen(exported->verify_key), 64);
	remove_key(ID_A);
	remove_key(ID_B);
	import_begin();
	import_batch.request.verify_key = exported->verify_key;
	for (size_t i = 0; i < exported->n_keys; i++) {
		const Latchkey__V1__ExportedKey *from = exported->keys[i];
		Latchkey__V1__ImportedKey *key = import_add_blake2b(from->blake2b);
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

static void test_import_keeps_the_past(void **state)
{
	Google__Protobuf__Timestamp made = import_at(1600000000), ended = import_at(1700000000);
	Latchkey__V1__ImportedKey *key;

	(void)state;
	import_begin();
	key = import_add_token("token-expired");
	key->create_time = &made;
	key->expire_time = &ended;
	key->id = TEXT(ID_A);
	key = import_add_token("token-suspended");
	key->state = STATE(SUSPENDED);
	key->reason = TEXT("on holiday");
	key = import_add_token("token-revoked");
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

static void test_import_takes_a_thousand(void **state)
{
	static char tokens[IMPORT_KEYS_MAX][24];
	size_t told = 0;

	(void)state;
	import_begin();
	for (size_t i = 0; i < IMPORT_KEYS_MAX; i++) {
		snprintf(tokens[i], sizeof tokens[i], "sk-many-%zu", i);
		/* Every fault there can be at once, in every other key. */
		Latchkey__V1__ImportedKey *key = import_add_token(tokens[i]);
		if (i % 2 == 1) {
			key->id = TEXT("no id");
			key->name = TEXT("\x01 and what comes behind it, which is quoted at some length in a fault");
			key->owner = key->name;
			key->reason = TEXT("none is needed");
			key->state = STATE(EXPIRED);
		}
	}
	struct loop_answer answer = import_run(LK_INVALID_ARGUMENT);
	size_t lines = 0;
	for (const char *at_line = answer.violations; (at_line = strchr(at_line, '\n')) != NULL; at_line++) {
		lines++;
	}
	assert_int_equal(lines, 64);
	loop_answer_done(&answer);
	import_batch.request.skip_faulty = true;
	answer = import_run(LK_OK);
	const Latchkey__V1__ImportKeysResponse *response = import_response_of(&answer);
	assert_int_equal(response->imported_count, IMPORT_KEYS_MAX / 2);
	for (size_t i = 0; i < response->n_faults; i++) {
		told += i == 0 || response->faults[i]->index != response->faults[i - 1]->index;
	}
	assert_int_equal(told, IMPORT_KEYS_MAX / 2);
	loop_answer_done(&answer);
	assert_int_equal(import_count_keys(), IMPORT_KEYS_MAX / 2);
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
		import_begin();
		import_batch.request.tenant = TEXT(places[i].tenant);
		import_batch.request.keyspace = TEXT(places[i].keyspace);
		import_add_token(token)->keyspace = TEXT(places[i].own);
		struct loop_answer answer = loop_call(
			&fixture_loop, &as_root, &latchkey_v1_key_import_method, &import_batch.request.base);
		assert_int_equal(answer.code, lk_err_wire_code(places[i].code));
		loop_answer_done(&answer);
	}
	fixture_key_done(&root);
}

static void test_import_needs_a_place(void **state)
{
	(void)state;
	import_begin();
	import_batch.request.keyspace = TEXT("");
	import_add_token("token");
	import_assert_fault("keys[0].keyspace: is needed");
	import_batch.request.keyspace = TEXT("nowhere");
	struct loop_answer answer = import_run(LK_NOT_FOUND);
	loop_answer_done(&answer);
	import_batch.request.tenant = TEXT("nobody");
	answer = import_run(LK_NOT_FOUND);
	loop_answer_done(&answer);
	import_batch.request.tenant = TEXT("system");
	import_batch.request.keyspace = TEXT("root");
	import_assert_fault("tenant: root keys cannot be imported");
}

/* Both are built before either is written: the second is built again, and finds the first. */
static void test_import_of_the_same_races_to_one(void **state)
{
	struct loop_pending *pending[8];
	size_t n = sizeof pending / sizeof pending[0], n_good = 0;

	(void)state;
	import_begin();
	import_add_token("contested")->id = TEXT(ID_A);
	import_add_token("contested too");
	import_batch.keys[1].token = TEXT("contested-too");
	for (size_t i = 0; i < n; i++) {
		pending[i] = loop_begin(
			&fixture_loop, &fixture_operator, &latchkey_v1_key_import_method, &import_batch.request.base);
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
	assert_int_equal(import_count_keys(), 2);
}

static void test_import_stands_after_a_restart(void **state)
{
	(void)state;
	import_begin();
	import_add_sha256(ABC_HEX);
	import_add_token("kept");
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
		TEST(test_import_keeps_the_past),
		TEST(test_import_takes_a_thousand),
		TEST(test_import_is_for_granted_places),
		TEST(test_import_needs_a_place),
		TEST(test_import_of_the_same_races_to_one),
		TEST(test_import_stands_after_a_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <latchkey/token.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "server/store/apply.h"
#include "server/store/find.h"
#include "server/store/store.h"
#include "tests/lib/draft.h"
#include "tests/unit/service/service_fixture.h"

#define VERDICT(code) LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##code
#define HOUR_US       INT64_C(3600000000)

/* For what a test builds and reads. */
static struct lk_arena arena;

static int setup(void **state)
{
	return lk_arena_init(&arena, 1 << 16, 1 << 24) == LK_OK ? fixture_setup(state) : -1;
}

static int teardown(void **state)
{
	lk_arena_done(&arena);
	return fixture_teardown(state);
}

static int64_t now_us(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* A write transaction: every call before was answered, and the writer has nothing to do. */
static struct lk_txn *begin(void)
{
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	return txn;
}

static void apply(Latchkey__Store__Change *change)
{
	struct lk_txn *txn = begin();

	assert_int_equal(lk_apply_do(txn, &arena, change), LK_OK);
	assert_int_equal(lk_write_commit(txn), LK_OK);
}

static void digest_of(const char *token, uint8_t *ret_digest)
{
	lk_token_digest(lk_store_keyring(fixture_loop.store), token, strlen(token), ret_digest);
}

static void sha256_digest_of(const char *token, uint8_t *ret_digest)
{
	uint8_t sha256[LK_SHA256_LEN];

	lk_token_sha256(token, strlen(token), sha256);
	lk_token_digest_sha256(lk_store_keyring(fixture_loop.store), sha256, ret_digest);
}

/* Makes a key of "prod" as an import does. */
static void import_key(const uint8_t digest[static LK_DIGEST_LEN], Latchkey__Store__SecretKind kind)
{
	Latchkey__Store__Change *change = lk_draft_new(&arena);
	struct lk_txn *txn = begin();
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, &arena, "acme");
	const Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace(txn, &arena, tenant->number, "prod");

	lk_write_abort(txn);
	Latchkey__Store__KeyRecord *key = lk_draft_put_key(
		&arena, change, tenant->number, keyspace->number, "imported");
	memcpy(key->digest.data, digest, LK_DIGEST_LEN);
	key->secret_kind = kind;
	apply(change);
}

/* Gives a key a new secret, and returns the token. */
static const char *rotate(const char *tenant, const char *id, int64_t until_us)
{
	Latchkey__Store__KeyRecord *key = fixture_read_key(&arena, tenant, id);
	char *token = lk_arena_alloc(&arena, LK_TOKEN_MINTED_MAX);

	(void)lk_token_mint("sk-", token);
	lk_draft_rotate(&arena, key, until_us);
	digest_of(token, key->digest.data);
	fixture_put_key(&arena, key);
	return token;
}

/* When the token's secret ends, in microseconds; 0: the reply does not say. */
static int64_t secret_end(const char *token, Latchkey__V1__VerifyCode expected)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(token);
	struct loop_answer answer = fixture_call(&latchkey_v1_key_verify_method, &request.base, LK_OK);
	const Latchkey__V1__VerifyKeyResponse *response = (const Latchkey__V1__VerifyKeyResponse *)answer.response;
	assert_int_equal(response->code, expected);
	int64_t end_us = response->secret_expire_time == NULL ? 0
							      : response->secret_expire_time->seconds * 1000000 +
									response->secret_expire_time->nanos / 1000;
	loop_answer_done(&answer);
	return end_us;
}

static void test_verify_refuses_a_suspended_key_until_it_is_active(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);

	(void)state;
	record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;
	fixture_put_key(&arena, record);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(SUSPENDED));
	/* Expiry comes first. */
	record->expire_us = 1;
	fixture_put_key(&arena, record);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(EXPIRED));
	record->expire_us = 0;
	record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_ACTIVE;
	fixture_put_key(&arena, record);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	fixture_key_done(&key);
}

static void test_verify_takes_both_secrets_during_the_overlap(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	int64_t until_us = now_us() + HOUR_US;

	(void)state;
	assert_true(secret_end(key.token, VERDICT(VALID)) == 0);
	const char *token = rotate("acme", key.id, until_us);
	assert_true(secret_end(token, VERDICT(VALID)) == 0);
	assert_true(secret_end(key.token, VERDICT(VALID)) == until_us);
	fixture_key_done(&key);
}

static void test_verify_refuses_a_replaced_secret_after_the_overlap(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");

	(void)state;
	const char *second = rotate("acme", key.id, now_us());
	assert_true(secret_end(key.token, VERDICT(REVOKED)) == 0);
	assert_int_equal(fixture_verify(second, ""), VERDICT(VALID));
	/* The next rotation drops it for good. */
	const char *third = rotate("acme", key.id, now_us());
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(NOT_FOUND));
	assert_int_equal(fixture_verify(second, ""), VERDICT(REVOKED));
	assert_int_equal(fixture_verify(third, ""), VERDICT(VALID));
	fixture_key_done(&key);
}

static void test_verify_tells_no_end_of_a_secret_behind_its_keys(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	int64_t expire_us = now_us() + HOUR_US;

	(void)state;
	(void)rotate("acme", key.id, expire_us + 1);
	assert_true(secret_end(key.token, VERDICT(VALID)) == expire_us + 1);
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	record->expire_us = expire_us;
	fixture_put_key(&arena, record);
	assert_true(secret_end(key.token, VERDICT(VALID)) == expire_us);
	record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;
	fixture_put_key(&arena, record);
	assert_true(secret_end(key.token, VERDICT(SUSPENDED)) == 0);
	fixture_key_done(&key);
}

static void test_verify_counts_the_use_of_both_secrets_together(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__GetKeyRequest request = LATCHKEY__V1__GET_KEY_REQUEST__INIT;

	(void)state;
	const char *token = rotate("acme", key.id, now_us() + HOUR_US);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	assert_int_equal(fixture_verify(token, ""), VERDICT(VALID));
	request.tenant = TEXT("acme");
	request.key = key.id;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_get_method, &request.base, LK_OK);
	assert_int_equal(((const Latchkey__V1__Key *)answer.response)->usage_count, 2);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void close_keyspace(const char *tenant, const char *id)
{
	Latchkey__Store__Change *change = lk_draft_new(&arena);
	struct lk_txn *txn = begin();
	Latchkey__Store__KeyspaceRecord *keyspace = lk_find_keyspace(
		txn, &arena, lk_find_tenant(txn, &arena, tenant)->number, id);

	lk_write_abort(txn);
	keyspace->closed = true;
	lk_draft_put_keyspace_again(&arena, change, keyspace);
	apply(change);
}

static void test_verify_finds_no_key_behind_a_closed_gate(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	(void)state;
	policy.token_prefix = TEXT("st_");
	fixture_make_keyspace("acme", "staging", &policy);
	struct fixture_key keys[] = {fixture_make_key("acme", "prod", "ci"), fixture_make_key("acme", "staging", "ci")};
	close_keyspace("acme", "prod");
	assert_int_equal(fixture_verify(keys[0].token, ""), VERDICT(NOT_FOUND));
	assert_int_equal(fixture_verify(keys[0].token, "prod"), VERDICT(NOT_FOUND));
	assert_int_equal(fixture_verify(keys[1].token, ""), VERDICT(VALID));
	/* A gate stays closed. */
	loop_restart(&fixture_loop);
	assert_int_equal(fixture_verify(keys[0].token, ""), VERDICT(NOT_FOUND));
	fixture_key_done(&keys[0]);
	fixture_key_done(&keys[1]);
}

static void test_verify_finds_no_key_of_a_closed_tenant(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__Change *change = lk_draft_new(&arena);
	struct lk_txn *txn = begin();
	Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, &arena, "acme");

	(void)state;
	lk_write_abort(txn);
	tenant->closed = true;
	lk_draft_put_tenant_again(&arena, change, tenant);
	apply(change);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(NOT_FOUND));
	fixture_key_done(&key);
}

/* A key of the whole tenant is good in each keyspace that there still is. */
static void test_verify_in_a_closed_keyspace_fits_no_key(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);

	(void)state;
	policy.token_prefix = TEXT("st_");
	fixture_make_keyspace("acme", "staging", &policy);
	record->tenant_scope = true;
	fixture_put_key(&arena, record);
	assert_int_equal(fixture_verify(key.token, "staging"), VERDICT(VALID));
	close_keyspace("acme", "staging");
	assert_int_equal(fixture_verify(key.token, "staging"), VERDICT(WRONG_KEYSPACE));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	fixture_key_done(&key);
}

static void test_verify_finds_what_was_imported_by_sha256(void **state)
{
	uint8_t digest[LK_DIGEST_LEN];

	(void)state;
	assert_int_equal(fixture_verify("old-token", ""), VERDICT(MALFORMED));
	sha256_digest_of("old-token", digest);
	import_key(digest, LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256);
	assert_int_equal(fixture_verify("old-token", ""), VERDICT(VALID));
	assert_int_equal(fixture_verify("old-token2", ""), VERDICT(NOT_FOUND));
	/* A key that was minted here is found as ever. */
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	fixture_key_done(&key);
}

static void test_verify_finds_what_was_imported_by_its_token(void **state)
{
	uint8_t digest[LK_DIGEST_LEN];

	(void)state;
	digest_of("their_token", digest);
	import_key(digest, LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_FOREIGN);
	assert_int_equal(fixture_verify("their_token", ""), VERDICT(VALID));
}

/* A digest of one kind is no answer to the other, whatever record stands under it. */
static void test_verify_keeps_the_kinds_of_digests_apart(void **state)
{
	uint8_t digest[LK_DIGEST_LEN];

	(void)state;
	sha256_digest_of("one", digest);
	import_key(digest, LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_FOREIGN);
	digest_of("other", digest);
	import_key(digest, LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256);
	assert_int_equal(fixture_verify("one", ""), VERDICT(NOT_FOUND));
	assert_int_equal(fixture_verify("other", ""), VERDICT(NOT_FOUND));
}

/* Imported tokens have no checksum: while there are any, a wrong one says nothing. */
static void test_verify_takes_no_checksum_for_wrong_while_there_are_imports(void **state)
{
	static const Latchkey__Store__SecretKind kinds[] = {
		LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_FOREIGN, LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256};
	uint8_t digest[LK_DIGEST_LEN] = {0};
	char *long_token = calloc(1, LK_TOKEN_MAX + 2);

	(void)state;
	assert_non_null(long_token);
	memset(long_token, 'a', LK_TOKEN_MAX + 1);
	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		Latchkey__Store__Change *change = lk_draft_new(&arena);
		assert_int_equal(fixture_verify("sk-wrong", ""), VERDICT(MALFORMED));
		import_key(digest, kinds[i]);
		assert_int_equal(fixture_verify("sk-wrong", ""), VERDICT(NOT_FOUND));
		/* No token is so long, nor has such bytes. */
		assert_int_equal(fixture_verify(long_token, ""), VERDICT(MALFORMED));
		assert_int_equal(fixture_verify("sk-\xc3\xa4", ""), VERDICT(MALFORMED));
		/* The imports are the first keys of their tenant. */
		lk_draft_delete_key(&arena, change, fixture_read_key(&arena, "acme", i == 0 ? "1" : "2")->slot);
		apply(change);
	}
	assert_int_equal(fixture_verify("sk-wrong", ""), VERDICT(MALFORMED));
	free(long_token);
}

static void test_verify_says_what_the_key_may_do(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	char *permissions[] = {TEXT("agents:install"), TEXT("chat:*")};

	(void)state;
	record->permissions = permissions;
	record->n_permissions = 2;
	fixture_put_key(&arena, record);
	request.token = key.token;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_verify_method, &request.base, LK_OK);
	const Latchkey__V1__VerifyKeyResponse *response = (const Latchkey__V1__VerifyKeyResponse *)answer.response;
	assert_int_equal(response->key->n_permissions, 2);
	assert_string_equal(response->key->permissions[1], "chat:*");
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static uint32_t code_with(const char *credential)
{
	Latchkey__V1__WhoAmIRequest request = LATCHKEY__V1__WHO_AM_IREQUEST__INIT;
	struct loop_call how = {.credential = credential};
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_admin_who_am_i_method, &request.base);
	uint32_t code = answer.code;

	loop_answer_done(&answer);
	return code;
}

/* The credential of a caller passes the same gates. */
static void test_root_key_that_was_rotated_is_good_until_its_end(void **state)
{
	static const char *const all[] = {"*", NULL};
	struct fixture_key key = fixture_make_root_key(all, all, all);

	(void)state;
	const char *second = rotate("system", key.id, now_us() + HOUR_US);
	assert_int_equal(code_with(key.token), 0);
	assert_int_equal(code_with(second), 0);
	(void)rotate("system", key.id, now_us());
	assert_int_equal(code_with(key.token), lk_err_wire_code(LK_UNAUTHENTICATED));
	assert_int_equal(code_with(second), lk_err_wire_code(LK_UNAUTHENTICATED));
	fixture_key_done(&key);
}

static void test_root_key_that_is_suspended_is_refused(void **state)
{
	static const char *const all[] = {"*", NULL};
	struct fixture_key key = fixture_make_root_key(all, all, all);
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "system", key.id);

	(void)state;
	record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;
	fixture_put_key(&arena, record);
	assert_int_equal(code_with(key.token), lk_err_wire_code(LK_UNAUTHENTICATED));
	fixture_key_done(&key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verify_refuses_a_suspended_key_until_it_is_active),
		TEST(test_verify_takes_both_secrets_during_the_overlap),
		TEST(test_verify_refuses_a_replaced_secret_after_the_overlap),
		TEST(test_verify_tells_no_end_of_a_secret_behind_its_keys),
		TEST(test_verify_counts_the_use_of_both_secrets_together),
		TEST(test_verify_finds_no_key_behind_a_closed_gate),
		TEST(test_verify_finds_no_key_of_a_closed_tenant),
		TEST(test_verify_in_a_closed_keyspace_fits_no_key),
		TEST(test_verify_finds_what_was_imported_by_sha256),
		TEST(test_verify_finds_what_was_imported_by_its_token),
		TEST(test_verify_keeps_the_kinds_of_digests_apart),
		TEST(test_verify_takes_no_checksum_for_wrong_while_there_are_imports),
		TEST(test_verify_says_what_the_key_may_do),
		TEST(test_root_key_that_was_rotated_is_good_until_its_end),
		TEST(test_root_key_that_is_suspended_is_refused),
	};

	return cmocka_run_group_tests_name("service verify", tests, NULL, NULL);
}

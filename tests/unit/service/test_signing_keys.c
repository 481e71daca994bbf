/* When a keyspace gets a new key to sign its JWTs with, which it keeps, and who is told of them. */
#include "tests/unit/service/jwt_calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <latchkey/v1/audit.client.h>

#include "client/uuid7.h"
#include "server/jose/mint.h"
#include "server/service/signing_key.h"

static Latchkey__V1__KeyPolicy policy;

static void make_keyspace(const Latchkey__V1__KeyPolicy *of)
{
	struct loop_answer answer = jwt_create(of, NULL, 0, false, LK_OK);

	policy = *of;
	loop_answer_done(&answer);
}

static void update(const char *const *paths)
{
	struct loop_answer answer = jwt_update(&policy, paths, LK_OK);

	loop_answer_done(&answer);
}

static void refuse_update(const char *const *paths, const char *part)
{
	struct loop_answer answer = jwt_update(&policy, paths, LK_INVALID_ARGUMENT);

	if (strstr(answer.violations, part) == NULL) {
		fail_msg("'%s' does not say '%s'", answer.violations, part);
	}
	loop_answer_done(&answer);
}

/* How many keys the keyspace has, and the name of its newest, "" where there is none. */
static size_t keys_of_keyspace(char ret_kid[static LK_JWT_KID_LEN])
{
	struct jwt_stored stored;

	jwt_stored("jwt", &stored);
	size_t n = stored.record->n_jwt_keys;
	(void)snprintf(ret_kid, LK_JWT_KID_LEN, "%s", n == 0 ? "" : stored.record->jwt_keys[0]->kid);
	jwt_stored_done(&stored);
	return n;
}

static void test_signing_key_is_made_where_jwts_begin(void **state)
{
	Latchkey__V1__KeyPolicy opaque = LATCHKEY__V1__KEY_POLICY__INIT;
	char kid[LK_JWT_KID_LEN];
	char newer[LK_JWT_KID_LEN];

	(void)state;
	opaque.token_prefix = TEXT("t_");
	make_keyspace(&opaque);
	assert_int_equal(keys_of_keyspace(kid), 0);
	struct fixture_key before = fixture_make_key("acme", "jwt", "before");
	/* The prefix goes with the format that it belongs to, and what is shown with it. */
	policy = jwt_policy(HS256);
	struct loop_answer answer = jwt_update(&policy, PATHS("policy.token_format"), LK_OK);
	const Latchkey__V1__KeyPolicy *shown = ((const Latchkey__V1__Keyspace *)answer.response)->policy;
	assert_int_equal(shown->token_format, LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT);
	assert_string_equal(shown->token_prefix, "");
	assert_int_equal(shown->display_length, 6);
	assert_int_equal(shown->jwt_algorithm, HS256);
	loop_answer_done(&answer);
	assert_int_equal(keys_of_keyspace(kid), 1);
	struct fixture_key after = fixture_make_key("acme", "jwt", "after");
	assert_int_equal(strncmp(after.token, "eyJ", 3), 0);
	/* And back. */
	policy = opaque;
	refuse_update(PATHS("policy.token_format"), "keyspace.policy.token_prefix: is needed");
	answer = jwt_update(&policy, PATHS("policy.token_format", "policy.token_prefix"), LK_OK);
	shown = ((const Latchkey__V1__Keyspace *)answer.response)->policy;
	assert_int_equal(shown->jwt_algorithm, 0);
	assert_string_equal(shown->jwt_issuer, "");
	assert_int_equal(shown->display_length, 2 + 6);
	loop_answer_done(&answer);
	assert_int_equal(keys_of_keyspace(newer), 1);
	assert_string_equal(newer, kid);
	struct fixture_key last = fixture_make_key("acme", "jwt", "last");
	assert_int_equal(strncmp(last.token, "t_", 2), 0);
	/* Neither change ends what was made before it. */
	assert_int_equal(fixture_verify(before.token, ""), VERDICT(VALID));
	assert_int_equal(fixture_verify(after.token, ""), VERDICT(VALID));
	fixture_key_done(&before);
	fixture_key_done(&after);
	fixture_key_done(&last);
}

static void test_signing_key_is_made_for_another_algorithm_alone(void **state)
{
	char kid[LK_JWT_KID_LEN];
	char newer[LK_JWT_KID_LEN];

	(void)state;
	policy = jwt_policy(HS256);
	make_keyspace(&policy);
	assert_int_equal(keys_of_keyspace(kid), 1);
	/* Nothing changes, or not what signs. */
	update(PATHS("policy.jwt_algorithm"));
	update(PATHS("policy.token_format"));
	update(PATHS("policy"));
	policy.jwt_issuer = TEXT("another");
	policy.name_required = true;
	update(PATHS("policy.jwt_issuer", "policy.name_required", "display_name"));
	assert_int_equal(keys_of_keyspace(newer), 1);
	assert_string_equal(newer, kid);
	/* A refused change makes none. */
	policy.jwt_algorithm = EDDSA;
	policy.token_prefix = TEXT("t_");
	refuse_update(PATHS("policy.jwt_algorithm", "policy.token_prefix"), "a JWT has no prefix");
	assert_int_equal(keys_of_keyspace(newer), 1);
	update(PATHS("policy.jwt_algorithm"));
	assert_int_equal(keys_of_keyspace(newer), 2);
	assert_string_not_equal(newer, kid);
	struct fixture_key key = fixture_make_key("acme", "jwt", "ci");
	json_t *header = jwt_part(key.token, 0);
	assert_string_equal(jwt_text(header, "alg"), "EdDSA");
	assert_string_equal(jwt_text(header, "kid"), newer);
	json_decref(header);
	fixture_key_done(&key);
}

static void test_signing_keys_are_kept_eight_deep(void **state)
{
	char kids[LK_SIGNING_KEYS_MAX + 4][LK_JWT_KID_LEN];
	struct jwt_stored stored;

	(void)state;
	policy = jwt_policy(EDDSA);
	make_keyspace(&policy);
	assert_int_equal(keys_of_keyspace(kids[0]), 1);
	struct fixture_key key = fixture_make_key("acme", "jwt", "first");
	for (size_t i = 1; i < LK_SIGNING_KEYS_MAX + 4; i++) {
		policy.jwt_algorithm = i % 2 == 0 ? EDDSA : HS256;
		update(PATHS("policy.jwt_algorithm"));
		(void)keys_of_keyspace(kids[i]);
	}
	jwt_stored("jwt", &stored);
	assert_int_equal(stored.record->n_jwt_keys, LK_SIGNING_KEYS_MAX);
	for (size_t i = 0; i < LK_SIGNING_KEYS_MAX; i++) {
		assert_string_equal(stored.record->jwt_keys[i]->kid, kids[LK_SIGNING_KEYS_MAX + 3 - i]);
	}
	jwt_stored_done(&stored);
	/* Of those that are public, the newest first. */
	json_t *set = jwt_key_set("jwt");
	const json_t *list = json_object_get(set, "keys");
	assert_int_equal(json_array_size(list), LK_SIGNING_KEYS_MAX / 2);
	for (size_t i = 0; i < LK_SIGNING_KEYS_MAX / 2; i++) {
		assert_string_equal(jwt_text(json_array_get(list, i), "kid"), kids[LK_SIGNING_KEYS_MAX + 2 - 2 * i]);
	}
	/* What is forgotten checks no signature any more; the key is as good as ever. */
	assert_false(jwt_signed_by_set(set, key.token));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	json_decref(set);
	fixture_key_done(&key);
}

static void test_key_set_is_empty_without_public_keys(void **state)
{
	static const char *const keyspaces[] = {"jwt", "prod"};

	(void)state;
	policy = jwt_policy(HS256);
	make_keyspace(&policy);
	for (size_t i = 0; i < 2; i++) {
		json_t *set = jwt_key_set(keyspaces[i]);
		assert_int_equal(json_object_size(set), 1);
		assert_int_equal(json_array_size(json_object_get(set, "keys")), 0);
		json_decref(set);
	}
}

static void expect_key_set_as(
	const struct fixture_key *caller, const char *tenant, const char *keyspace, enum lk_err err)
{
	const struct loop_call how = {.credential = caller == NULL ? NULL : caller->token};
	Latchkey__V1__GetJwksRequest request = LATCHKEY__V1__GET_JWKS_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.keyspace = TEXT(keyspace);
	struct loop_answer answer = loop_call(
		&fixture_loop, &how, &latchkey_v1_keyspace_get_jwks_method, &request.base);
	assert_int_equal(answer.code, lk_err_wire_code(err));
	loop_answer_done(&answer);
}

static void test_key_set_is_for_who_is_granted_the_keyspace(void **state)
{
	static const char *const methods[] = {"keyspaces.get_jwks", NULL};
	static const char *const other_methods[] = {"keyspaces.get", NULL};
	static const char *const tenants[] = {"acme", NULL};
	static const char *const other_tenants[] = {"other", NULL};
	static const char *const keyspaces[] = {"jwt", NULL};

	(void)state;
	policy = jwt_policy(EDDSA);
	make_keyspace(&policy);
	struct fixture_key caller = fixture_make_root_key(methods, tenants, keyspaces);
	struct fixture_key of_other_tenant = fixture_make_root_key(methods, other_tenants, keyspaces);
	struct fixture_key of_other_method = fixture_make_root_key(other_methods, tenants, keyspaces);
	expect_key_set_as(&caller, "", "jwt", LK_OK);
	expect_key_set_as(&caller, "acme", "prod", LK_PERMISSION_DENIED);
	expect_key_set_as(&of_other_tenant, "acme", "jwt", LK_PERMISSION_DENIED);
	expect_key_set_as(&of_other_method, "acme", "jwt", LK_PERMISSION_DENIED);
	expect_key_set_as(NULL, "acme", "none", LK_NOT_FOUND);
	expect_key_set_as(NULL, "none", "jwt", LK_NOT_FOUND);
	expect_key_set_as(NULL, "acme", "No Id", LK_INVALID_ARGUMENT);
	expect_key_set_as(NULL, "", "jwt", LK_INVALID_ARGUMENT);
	fixture_key_done(&caller);
	fixture_key_done(&of_other_tenant);
	fixture_key_done(&of_other_method);
}

static void test_root_keys_are_no_jwts(void **state)
{
	static const char *const paths[] = {"policy.token_format", NULL};
	Latchkey__V1__UpdateKeyspaceRequest request = LATCHKEY__V1__UPDATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__Keyspace keyspace = LATCHKEY__V1__KEYSPACE__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;

	(void)state;
	policy = jwt_policy(HS256);
	mask.paths = (char **)(uintptr_t)paths;
	mask.n_paths = 1;
	keyspace.id = TEXT("root");
	keyspace.policy = &policy;
	request.tenant = TEXT("system");
	request.keyspace = &keyspace;
	request.update_mask = &mask;
	struct loop_answer answer = fixture_call(
		&latchkey_v1_keyspace_update_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "keyspace.policy.token_format: root keys"));
	loop_answer_done(&answer);
}

/* Whether these bytes stand anywhere in a file of the store. */
static bool stands_in_store(const char *name, const void *bytes, size_t len)
{
	char path[128];
	struct stat status = {0};

	(void)snprintf(path, sizeof path, "%s/%s", fixture_loop.dir, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_true(data != MAP_FAILED);
	bool stands = memmem(data, (size_t)status.st_size, bytes, len) != NULL;
	assert_int_equal(munmap(data, (size_t)status.st_size), 0);
	assert_int_equal(close(fd), 0);
	return stands;
}

/* Any audit record that has these bytes in it. */
static bool stands_in_audit(const void *bytes, size_t len)
{
	struct lk_txn *txn = NULL;
	struct lk_value value = {0};
	bool stands = false;

	assert_int_equal(lk_snapshot_new(fixture_loop.store, &txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(txn), LK_OK);
	for (uint64_t number = lk_txn_head(txn)->last_audit; number > 0; number--) {
		struct lk_key key = lk_key_u64(number);
		assert_true(lk_txn_get(txn, LK_TABLE_AUDIT, &key, &value));
		stands |= memmem(value.data, value.len, bytes, len) != NULL;
	}
	lk_snapshot_free(txn);
	return stands;
}

static void test_signing_secret_is_in_its_record_alone_and_sealed(void **state)
{
	uint8_t given[LK_JWT_SECRET_MAX];
	struct jwt_stored stored;

	(void)state;
	for (size_t i = 0; i < sizeof given; i++) {
		given[i] = (uint8_t)(7 * i + 3);
	}
	policy = jwt_policy(HS256);
	struct loop_answer answer = jwt_create(&policy, given, sizeof given, false, LK_OK);
	assert_null(memmem(answer.payload, answer.payload_len, given, 16));
	loop_answer_done(&answer);
	/* Its record stands before and after in what follows. */
	policy.jwt_algorithm = EDDSA;
	update(PATHS("policy.jwt_algorithm"));
	policy.name_required = true;
	update(PATHS("policy.name_required"));
	jwt_stored("jwt", &stored);
	assert_int_equal(stored.record->n_jwt_keys, 2);
	for (size_t i = 0; i < 2; i++) {
		const Latchkey__Store__JwtKeyRecord *key = stored.record->jwt_keys[i];
		/* The name is in both: it is the right record that is looked at. */
		assert_true(stands_in_audit(key->kid, strlen(key->kid)));
		assert_true(stands_in_store("data.mdb", key->sealed_secret.data, key->sealed_secret.len));
		assert_false(stands_in_audit(key->sealed_secret.data, 16));
	}
	jwt_stored_done(&stored);
	assert_false(stands_in_store("data.mdb", given, 16));
	Latchkey__V1__ListAuditRecordsRequest list = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	answer = fixture_call(&latchkey_v1_audit_list_method, &list.base, LK_OK);
	assert_null(memmem(answer.payload, answer.payload_len, given, 16));
	loop_answer_done(&answer);
}

/* Creates a key in keyspace "jwt", which is to be refused since nothing there can sign. */
static void refuse_to_mint(const char *words)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("jwt");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_CORRUPT);
	if (strstr(answer.message, words) == NULL) {
		fail_msg("'%s' does not say '%s'", answer.message, words);
	}
	loop_answer_done(&answer);
}

/* Puts the record in its place in the store. */
static void put_record(const Latchkey__Store__KeyspaceRecord *record)
{
	struct lk_key key = lk_key_u32(record->number);
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	lk_txn_put_record(txn, LK_TABLE_KEYSPACE, &key, &record->base, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
}

/* A secret is sealed for its kid: under another's name, changed, cut off or gone it signs nothing. */
static void test_signing_key_that_does_not_open_mints_nothing(void **state)
{
	struct jwt_stored stored;

	(void)state;
	policy = jwt_policy(EDDSA);
	make_keyspace(&policy);
	policy.jwt_algorithm = HS256;
	update(PATHS("policy.jwt_algorithm"));
	policy.jwt_algorithm = EDDSA;
	update(PATHS("policy.jwt_algorithm"));
	jwt_stored("jwt", &stored);
	Latchkey__Store__JwtKeyRecord *newest = stored.record->jwt_keys[0];
	const ProtobufCBinaryData sealed = newest->sealed_secret;
	newest->sealed_secret = stored.record->jwt_keys[2]->sealed_secret;
	put_record(stored.record);
	refuse_to_mint("keyspace \"jwt\" does not open");
	newest->sealed_secret = sealed;
	newest->sealed_secret.data[sealed.len - 1] ^= 1;
	put_record(stored.record);
	refuse_to_mint("does not open");
	newest->sealed_secret.data[sealed.len - 1] ^= 1;
	newest->sealed_secret.len = LK_SEAL_OVERHEAD - 1;
	put_record(stored.record);
	refuse_to_mint("does not open");
	newest->sealed_secret.len = sealed.len;
	put_record(stored.record);
	struct fixture_key key = fixture_make_key("acme", "jwt", "");
	fixture_key_done(&key);
	stored.record->n_jwt_keys = 0;
	put_record(stored.record);
	refuse_to_mint("is missing");
	jwt_stored_done(&stored);
}

/* One who asks twice has one keyspace, and the key that it was made with. */
static void test_signing_key_is_made_once_of_a_retry(void **state)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	uint8_t id[LK_UUID7_LEN];
	const struct loop_call how = {.request_id = id};
	char kid[LK_JWT_KID_LEN] = "";

	(void)state;
	policy = jwt_policy(EDDSA);
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("jwt");
	request.policy = &policy;
	lk_uuid7_make((uint64_t)time(NULL) * 1000, id);
	for (int i = 0; i < 2; i++) {
		char seen[LK_JWT_KID_LEN];
		struct loop_answer answer = loop_call(
			&fixture_loop, &how, &latchkey_v1_keyspace_create_method, &request.base);
		assert_int_equal(answer.code, 0);
		loop_answer_done(&answer);
		assert_int_equal(keys_of_keyspace(seen), 1);
		assert_true(kid[0] == '\0' || strcmp(seen, kid) == 0);
		(void)snprintf(kid, sizeof kid, "%s", seen);
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_signing_key_is_made_where_jwts_begin),
		TEST(test_signing_key_is_made_for_another_algorithm_alone),
		TEST(test_signing_keys_are_kept_eight_deep),
		TEST(test_key_set_is_empty_without_public_keys),
		TEST(test_key_set_is_for_who_is_granted_the_keyspace),
		TEST(test_root_keys_are_no_jwts),
		TEST(test_signing_secret_is_in_its_record_alone_and_sealed),
		TEST(test_signing_key_that_does_not_open_mints_nothing),
		TEST(test_signing_key_is_made_once_of_a_retry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

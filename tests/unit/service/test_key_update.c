#include "tests/unit/service/key_calls.h"

#include <time.h>

enum {
	hour = 3600,
};

/* A key with something in every field, and the message that made it so. */
struct full {
	Latchkey__V1__Key key;
	Latchkey__V1__Key__MetadataEntry entry;
	Latchkey__V1__Key__MetadataEntry *entries[1];
	Google__Protobuf__Timestamp expire;
	Google__Protobuf__Timestamp not_before;
	char *permissions[2];
};

#define ALL_PATHS PATHS("name", "owner", "scope", "metadata", "not_before_time", "expire_time", "permissions")

static void fill(struct full *full, const char *id)
{
	latchkey__v1__key__init(&full->key);
	latchkey__v1__key__metadata_entry__init(&full->entry);
	google__protobuf__timestamp__init(&full->expire);
	google__protobuf__timestamp__init(&full->not_before);
	full->entry.key = TEXT("team");
	full->entry.value = TEXT("blue");
	full->entries[0] = &full->entry;
	full->expire.seconds = (int64_t)time(NULL) + hour;
	full->not_before.seconds = (int64_t)time(NULL) - hour;
	full->permissions[0] = TEXT("agents:*");
	full->permissions[1] = TEXT("chat:chat");
	full->key.id = TEXT(id);
	full->key.name = TEXT(" new name ");
	full->key.owner = TEXT("u-7");
	full->key.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	full->key.metadata = full->entries;
	full->key.n_metadata = 1;
	full->key.expire_time = &full->expire;
	full->key.not_before_time = &full->not_before;
	full->key.permissions = full->permissions;
	full->key.n_permissions = 2;
}

/* Which fields of a key have what `fill` gives; in the order of ALL_PATHS. */
static unsigned filled(const Latchkey__V1__Key *key)
{
	return (strcmp(key->name, "new name") == 0 ? 1U : 0) | (strcmp(key->owner, "u-7") == 0 ? 2U : 0) |
	       (key->scope == LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT ? 4U : 0) |
	       (key->n_metadata == 1 && strcmp(key->metadata[0]->value, "blue") == 0 ? 8U : 0) |
	       (key->not_before_time != NULL ? 16U : 0) | (key->expire_time != NULL ? 32U : 0) |
	       (key->n_permissions == 2 && strcmp(key->permissions[1], "chat:chat") == 0 ? 64U : 0);
}

/* Which fields of a key have nothing. */
static unsigned empty(const Latchkey__V1__Key *key)
{
	return (key->name[0] == '\0' ? 1U : 0) | (key->owner[0] == '\0' ? 2U : 0) |
	       (key->scope == LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_KEYSPACE ? 4U : 0) | (key->n_metadata == 0 ? 8U : 0) |
	       (key->not_before_time == NULL ? 16U : 0) | (key->expire_time == NULL ? 32U : 0) |
	       (key->n_permissions == 0 ? 64U : 0);
}

enum {
	all_fields = 127,
	n_fields = 7,
};

static void test_update_sets_each_field_and_no_other(void **state)
{
	struct full full;

	(void)state;
	for (size_t i = 0; i < n_fields; i++) {
		struct fixture_key key = fixture_make_key("acme", "prod", "");
		fill(&full, key.id);
		struct loop_answer answer = keys_update(&full.key, PATHS(ALL_PATHS[i]), "", LK_OK);
		assert_int_equal(filled(keys_shown(&answer)), 1U << i);
		assert_int_equal(empty(keys_shown(&answer)), all_fields & ~(1U << i));
		loop_answer_done(&answer);
		answer = keys_get(key.id);
		assert_int_equal(filled(keys_shown(&answer)), 1U << i);
		assert_non_null(keys_shown(&answer)->update_time);
		loop_answer_done(&answer);
		fixture_key_done(&key);
	}
}

static void test_update_clears_each_field_that_is_named_and_not_set(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "");
	Latchkey__V1__Key cleared = LATCHKEY__V1__KEY__INIT;
	struct full full;

	(void)state;
	cleared.id = key.id;
	for (size_t i = 0; i < n_fields; i++) {
		fill(&full, key.id);
		struct loop_answer answer = keys_update(&full.key, ALL_PATHS, "", LK_OK);
		assert_int_equal(filled(keys_shown(&answer)), all_fields);
		loop_answer_done(&answer);
		answer = keys_update(&cleared, PATHS(ALL_PATHS[i]), "", LK_OK);
		assert_int_equal(empty(keys_shown(&answer)), 1U << i);
		assert_int_equal(filled(keys_shown(&answer)), all_fields & ~(1U << i));
		loop_answer_done(&answer);
	}
	fixture_key_done(&key);
}

/* What Verify says of a key is made from its record: every field of it must have moved. */
static void test_update_is_what_verify_says(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "old name");
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	struct full full;

	(void)state;
	policy.token_prefix = TEXT("st_");
	fixture_make_keyspace("acme", "staging", &policy);
	assert_int_equal(fixture_verify(key.token, "staging"), VERDICT(WRONG_KEYSPACE));
	fill(&full, "1");
	fixture_drop(keys_update(&full.key, ALL_PATHS, "", LK_OK));
	request.token = key.token;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_verify_method, &request.base, LK_OK);
	const Latchkey__V1__VerifyKeyResponse *response = (const Latchkey__V1__VerifyKeyResponse *)answer.response;
	assert_int_equal(response->code, VERDICT(VALID));
	assert_string_equal(response->key->name, "new name");
	assert_string_equal(response->key->owner, "u-7");
	assert_int_equal(response->key->scope, LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT);
	assert_string_equal(response->key->metadata[0]->key, "team");
	assert_int_equal(response->key->expire_time->seconds, full.expire.seconds);
	assert_int_equal(response->key->n_permissions, 2);
	assert_string_equal(response->key->permissions[0], "agents:*");
	loop_answer_done(&answer);
	assert_int_equal(fixture_verify(key.token, "staging"), VERDICT(VALID));
	/* And its times decide. */
	full.not_before.seconds = (int64_t)time(NULL) + hour / 2;
	fixture_drop(keys_update(&full.key, PATHS("not_before_time"), "", LK_OK));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(NOT_YET_VALID));
	full.not_before.seconds = full.expire.seconds;
	answer = keys_update(&full.key, PATHS("not_before_time"), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key.expire_time: ");
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_update_of_nothing_changes_nothing(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "new name");
	struct full full;

	(void)state;
	fill(&full, key.id);
	struct loop_answer before = keys_update(&full.key, ALL_PATHS, "", LK_OK);
	struct loop_answer after = keys_update(&full.key, ALL_PATHS, keys_shown(&before)->etag, LK_OK);
	assert_string_equal(keys_shown(&before)->etag, keys_shown(&after)->etag);
	assert_int_equal(keys_shown(&before)->update_time->nanos, keys_shown(&after)->update_time->nanos);
	loop_answer_done(&before);
	loop_answer_done(&after);
	fixture_key_done(&key);
}

static void test_update_ignores_what_the_server_alone_sets(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct full full;

	(void)state;
	fill(&full, key.id);
	full.key.state = STATE(REVOKED);
	full.key.number = 99;
	full.key.etag = TEXT("nonsense");
	full.key.revoke_reason = TEXT("nonsense");
	full.key.tenant = TEXT("elsewhere");
	struct loop_answer answer = keys_update(&full.key, PATHS("name"), "", LK_OK);
	assert_int_equal(keys_shown(&answer)->state, STATE(ACTIVE));
	assert_int_equal(keys_shown(&answer)->number, 1);
	assert_string_equal(keys_shown(&answer)->tenant, "acme");
	assert_string_equal(keys_shown(&answer)->revoke_reason, "");
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_update_reports_each_fault_of_the_mask(void **state)
{
	static const struct {
		const char *path;
		const char *part;
	} bad[] = {
		{"*", "update_mask: \"*\" is not taken"},
		{"state", "update_mask: \"state\" is no field that can be changed"},
		{"key.name", "update_mask: \"key.name\" is no field"},
		{"grant.methods", "update_mask: \"grant.methods\" is no field"},
		{"", "update_mask: \"\" is no field"},
	};
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct full full;

	(void)state;
	fill(&full, key.id);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct loop_answer answer = keys_update(
			&full.key, PATHS("owner", bad[i].path), "", LK_INVALID_ARGUMENT);
		fixture_assert_violation(&answer, bad[i].part);
		assert_int_equal(fixture_violations_in(&answer), 1);
		loop_answer_done(&answer);
	}
	struct loop_answer answer = keys_update(&full.key, PATHS("name", "name"), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "given twice");
	loop_answer_done(&answer);
	answer = keys_update(&full.key, PATHS(NULL), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "update_mask: is needed");
	loop_answer_done(&answer);
	answer = keys_get(key.id);
	assert_int_equal(filled(keys_shown(&answer)), 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_update_without_a_key_or_a_mask_is_refused(void **state)
{
	Latchkey__V1__UpdateKeyRequest request = LATCHKEY__V1__UPDATE_KEY_REQUEST__INIT;

	(void)state;
	request.tenant = TEXT("acme");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_update_method, &request.base, LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key: is needed");
	fixture_assert_violation(&answer, "update_mask: is needed");
	loop_answer_done(&answer);
}

static void spoil(struct full *full)
{
	static char name[102];

	memset(name, 'n', sizeof name - 1);
	full->key.name = name;
	full->key.owner = TEXT("a\x01");
	full->entry.key = TEXT("");
	full->not_before.nanos = -1;
	full->expire.seconds = 1000;
	full->permissions[1] = TEXT("a b");
}

static void assert_spoilt(const struct loop_answer *answer)
{
	static const char *const parts[] = {"update_mask: ", "key.name: ", "key.owner: ", "key.metadata: ",
		"key.not_before_time: ", "key.expire_time: ", "key.permissions[1]: "};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		fixture_assert_violation(answer, parts[i]);
	}
}

static void test_update_reports_all_faults_together(void **state)
{
	static const char *const paths[] = {
		"name", "owner", "metadata", "not_before_time", "expire_time", "permissions", "nothing", NULL};
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	struct full full;

	(void)state;
	fill(&full, key.id);
	spoil(&full);
	struct loop_answer answer = keys_update(&full.key, paths, "", LK_INVALID_ARGUMENT);
	assert_spoilt(&answer);
	assert_int_equal(fixture_violations_in(&answer), 7);
	loop_answer_done(&answer);
	/* Also of a key that nobody finds, that was changed since, or that is revoked: what is wrong in any case comes first. */
	answer = keys_update(&full.key, paths, "0000000000000000", LK_INVALID_ARGUMENT);
	assert_spoilt(&answer);
	loop_answer_done(&answer);
	full.key.id = TEXT("no key");
	answer = keys_update(&full.key, paths, "", LK_INVALID_ARGUMENT);
	assert_spoilt(&answer);
	fixture_assert_violation(&answer, "key.id: names no key");
	loop_answer_done(&answer);
	full.key.id = TEXT("77");
	answer = keys_update(&full.key, paths, "", LK_INVALID_ARGUMENT);
	assert_spoilt(&answer);
	loop_answer_done(&answer);
	fixture_drop(keys_do(ACTION(REVOKE), key.id, LK_OK));
	full.key.id = key.id;
	fixture_drop(keys_update(&full.key, paths, "", LK_INVALID_ARGUMENT));
	fixture_drop(keys_update(&full.key, PATHS("scope"), "", LK_FAILED_PRECONDITION));
	/* A grant is for root keys; of a key that is not there, nobody knows. */
	full.key.grant = &grant;
	answer = keys_update(&full.key, PATHS("grant"), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key.grant: only keys of tenant");
	loop_answer_done(&answer);
	full.key.id = TEXT("77");
	fixture_drop(keys_update(&full.key, PATHS("grant"), "", LK_NOT_FOUND));
	fixture_key_done(&key);
}

static void test_update_with_an_etag_that_moved_is_aborted(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct loop_answer before = keys_get(key.id);
	const char *etag = keys_shown(&before)->etag;
	struct full full;

	(void)state;
	fill(&full, key.id);
	struct loop_answer after = keys_update(&full.key, PATHS("name"), etag, LK_OK);
	assert_string_not_equal(keys_shown(&after)->etag, etag);
	struct loop_answer answer = keys_update(&full.key, PATHS("owner"), etag, LK_ABORTED);
	assert_non_null(strstr(answer.message, key.id));
	loop_answer_done(&answer);
	fixture_drop(keys_update(&full.key, PATHS("owner"), "nonsense", LK_ABORTED));
	fixture_drop(keys_update(&full.key, PATHS("owner"), keys_shown(&after)->etag, LK_OK));
	/* Use moves no etag, every change does. */
	loop_answer_done(&after);
	after = keys_get(key.id);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	fixture_drop(keys_update(&full.key, PATHS("scope"), keys_shown(&after)->etag, LK_OK));
	loop_answer_done(&before);
	loop_answer_done(&after);
	fixture_key_done(&key);
}

/* Two that read the same key and change it at once: the writer lets one of them go ahead. */
static void test_update_of_two_with_one_etag_is_done_once(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct loop_answer before = keys_get(key.id);
	Latchkey__V1__UpdateKeyRequest request = LATCHKEY__V1__UPDATE_KEY_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	char *path = TEXT("owner");

	(void)state;
	mask.n_paths = 1;
	mask.paths = &path;
	changed.id = key.id;
	changed.owner = TEXT("first");
	request.tenant = TEXT("acme");
	request.key = &changed;
	request.update_mask = &mask;
	request.etag = keys_shown(&before)->etag;
	struct loop_pending *a = loop_begin(
		&fixture_loop, &fixture_operator, &latchkey_v1_key_update_method, &request.base);
	changed.owner = TEXT("second");
	struct loop_pending *b = loop_begin(
		&fixture_loop, &fixture_operator, &latchkey_v1_key_update_method, &request.base);
	struct loop_answer first = loop_end(a);
	struct loop_answer second = loop_end(b);
	assert_int_equal(first.code, 0);
	assert_int_equal(second.code, lk_err_wire_code(LK_ABORTED));
	struct loop_answer after = keys_get(key.id);
	assert_string_equal(keys_shown(&after)->owner, "first");
	loop_answer_done(&first);
	loop_answer_done(&second);
	loop_answer_done(&before);
	loop_answer_done(&after);
	fixture_key_done(&key);
}

static void test_update_revives_a_key_that_expired(void **state)
{
	struct fixture_key key = keys_make_expired("prod");
	struct full full;

	(void)state;
	fill(&full, key.id);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(EXPIRED));
	/* In all else it may be changed, and stays expired. */
	struct loop_answer answer = keys_update(&full.key, PATHS("name", "permissions"), "", LK_OK);
	assert_int_equal(keys_shown(&answer)->state, STATE(EXPIRED));
	loop_answer_done(&answer);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(EXPIRED));
	full.expire.seconds = (int64_t)time(NULL) - 1;
	answer = keys_update(&full.key, PATHS("expire_time"), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key.expire_time: ");
	fixture_assert_violation(&answer, "is in the past");
	loop_answer_done(&answer);
	full.expire.seconds = (int64_t)time(NULL) + hour;
	answer = keys_update(&full.key, PATHS("expire_time"), "", LK_OK);
	assert_int_equal(keys_shown(&answer)->state, STATE(ACTIVE));
	loop_answer_done(&answer);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	fixture_key_done(&key);
}

static void test_update_keeps_unique_names_unique(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;

	(void)state;
	policy.token_prefix = TEXT("u_");
	policy.name_unique = true;
	fixture_make_keyspace("acme", "unique", &policy);
	struct fixture_key phone = fixture_make_key("acme", "unique", "phone");
	struct fixture_key laptop = fixture_make_key("acme", "unique", "laptop");
	changed.id = laptop.id;
	changed.name = TEXT(" phone");
	changed.owner = TEXT("u");
	struct loop_answer answer = keys_update(&changed, PATHS("name"), "", LK_ALREADY_EXISTS);
	fixture_assert_violation(&answer, "key.name: \"phone\" is taken");
	loop_answer_done(&answer);
	changed.name = TEXT("");
	answer = keys_update(&changed, PATHS("name"), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key.name: is needed");
	loop_answer_done(&answer);
	/* Its own name it may keep. */
	changed.name = TEXT("laptop");
	fixture_drop(keys_update(&changed, PATHS("name", "owner"), "", LK_OK));
	changed.owner = TEXT("v");
	fixture_drop(keys_update(&changed, PATHS("owner"), "", LK_OK));
	/* A name is free again once its key has another. */
	changed.id = phone.id;
	changed.name = TEXT("tablet");
	fixture_drop(keys_update(&changed, PATHS("name"), "", LK_OK));
	changed.id = laptop.id;
	changed.name = TEXT("phone");
	fixture_drop(keys_update(&changed, PATHS("name"), "", LK_OK));
	struct fixture_key next = fixture_make_key("acme", "unique", "laptop");
	fixture_key_done(&phone);
	fixture_key_done(&laptop);
	fixture_key_done(&next);
}

#define LIST(...) PATHS(__VA_ARGS__)

static void test_update_of_a_grant_stays_within_the_caller_s(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("keys.*"), LIST("system"), LIST("*"));
	struct fixture_key other = fixture_make_root_key(LIST("keys.get"), LIST("system"), LIST("*"));
	const struct loop_call how = {.anonymous = true, .credential = root.token};
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	char *methods[] = {TEXT("keys.list"), TEXT("tenants.get")};
	char *system[] = {TEXT("system")};

	(void)state;
	grant.methods = methods;
	grant.n_methods = 2;
	grant.tenants = system;
	grant.n_tenants = 1;
	changed.id = other.id;
	changed.grant = &grant;
	fixture_drop(keys_update_as(&how, "system", &changed, PATHS("grant"), "", LK_PERMISSION_DENIED));
	grant.n_methods = 1;
	struct loop_answer answer = keys_update_as(&how, "system", &changed, PATHS("grant"), "", LK_OK);
	assert_int_equal(keys_shown(&answer)->grant->n_methods, 1);
	assert_string_equal(keys_shown(&answer)->grant->methods[0], "keys.list");
	loop_answer_done(&answer);
	methods[0] = TEXT("Keys");
	answer = keys_update_as(&how, "system", &changed, PATHS("grant"), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key.grant.methods[0]: \"Keys\"");
	loop_answer_done(&answer);
	changed.grant = NULL;
	answer = keys_update_as(&how, "system", &changed, PATHS("grant"), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key.grant: is needed");
	loop_answer_done(&answer);
	/* Its own grant it can only narrow. */
	methods[0] = TEXT("*");
	changed.id = root.id;
	changed.grant = &grant;
	fixture_drop(keys_update_as(&how, "system", &changed, PATHS("grant"), "", LK_PERMISSION_DENIED));
	fixture_key_done(&root);
	fixture_key_done(&other);
}

static void test_update_of_what_is_not_granted_finds_nothing(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("keys.update"), LIST("acme"), LIST("staging"));
	const struct loop_call how = {.anonymous = true, .credential = root.token};
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct full full;

	(void)state;
	fill(&full, key.id);
	fixture_drop(keys_update_as(&how, "acme", &full.key, PATHS("name"), "", LK_NOT_FOUND));
	fixture_drop(keys_update_as(&how, "other", &full.key, PATHS("name"), "", LK_PERMISSION_DENIED));
	fixture_make_tenant("other");
	fixture_drop(keys_update_as(NULL, "other", &full.key, PATHS("name"), "", LK_NOT_FOUND));
	fixture_drop(keys_update_as(NULL, "nowhere", &full.key, PATHS("name"), "", LK_NOT_FOUND));
	fixture_key_done(&root);
	fixture_key_done(&key);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_update_sets_each_field_and_no_other),
		TEST(test_update_clears_each_field_that_is_named_and_not_set),
		TEST(test_update_is_what_verify_says),
		TEST(test_update_of_nothing_changes_nothing),
		TEST(test_update_ignores_what_the_server_alone_sets),
		TEST(test_update_reports_each_fault_of_the_mask),
		TEST(test_update_without_a_key_or_a_mask_is_refused),
		TEST(test_update_reports_all_faults_together),
		TEST(test_update_with_an_etag_that_moved_is_aborted),
		TEST(test_update_of_two_with_one_etag_is_done_once),
		TEST(test_update_revives_a_key_that_expired),
		TEST(test_update_keeps_unique_names_unique),
		TEST(test_update_of_a_grant_stays_within_the_caller_s),
		TEST(test_update_of_what_is_not_granted_finds_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

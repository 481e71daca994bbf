#include "tests/unit/core/policy_case.h"

static void test_key_of_nothing_is_good_under_an_easy_policy(void **state)
{
	(void)state;
	run(false);
	assert_int_equal(faults.count, 0);
	assert_string_equal(key.name, "");
	assert_string_equal(key.owner, "");
	assert_false(key.tenant_scope);
	assert_int_equal(key.n_metadata, 0);
	assert_int_equal(key.not_before_us, 0);
	assert_int_equal(key.expire_us, 0);
	assert_null(key.grant);
}

static void test_key_name_and_owner_are_trimmed(void **state)
{
	(void)state;
	request.name = "  Build \xc2\xa0";
	request.owner = "\tu-1\n";
	run(false);
	assert_int_equal(faults.count, 0);
	assert_string_equal(key.name, "Build");
	assert_string_equal(key.owner, "u-1");
}

static void test_key_name_is_needed_where_required_or_unique(void **state)
{
	(void)state;
	request.name = "  ";
	policy.name_required = true;
	run(false);
	assert_one_fault("name", "is needed");
	policy.name_required = false;
	policy.name_unique = true;
	run(false);
	assert_one_fault("name", "is needed");
	request.name = "n";
	run(false);
	assert_int_equal(faults.count, 0);
}

static void test_key_name_and_owner_have_limits(void **state)
{
	(void)state;
	char name[102] = {0};
	char owner[130] = {0};
	memset(name, 'n', 100);
	memset(owner, 'o', 128);
	request.name = name;
	request.owner = owner;
	run(false);
	assert_int_equal(faults.count, 0);
	name[100] = 'n';
	run(false);
	assert_one_fault("name", "at most 100");
	name[100] = '\0';
	owner[128] = 'o';
	run(false);
	assert_one_fault("owner", "at most 128");
}

static void test_key_scope_is_one_of_two(void **state)
{
	(void)state;
	request.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	run(false);
	assert_int_equal(faults.count, 0);
	assert_true(key.tenant_scope);
	request.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_KEYSPACE;
	run(false);
	assert_int_equal(faults.count, 0);
	assert_false(key.tenant_scope);
	request.scope = (Latchkey__V1__KeyScope)3;
	run(false);
	assert_one_fault("scope", "3 is no scope");
	assert_false(key.tenant_scope);
}

static void test_key_under_an_unknown_policy_is_checked_as_far_as_may_be(void **state)
{
	(void)state;
	request.name = "";
	request.owner = "a\x01 b";
	give_expire_time(1, 0);
	const struct lk_key_rules rules = {.now_us = now, .defaults = true};
	struct lk_key_fields fields = {0};
	assert_true(lk_key_fields_of_create(&arena, &request, &fields));
	lk_policy_check_key(&faults, &rules, &fields, &key);
	assert_int_equal(faults.count, 2);
	assert_string_equal(faults.items[0].field, "owner");
	assert_string_equal(faults.items[1].field, "expire_time");
	lk_faults_init(&faults, &arena);
	request.owner = "";
	request.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY__NOT_SET;
	assert_true(lk_key_fields_of_create(&arena, &request, &fields));
	lk_policy_check_key(&faults, &rules, &fields, &key);
	assert_int_equal(faults.count, 0);
}

enum {
	entries_max = 40
};

static void give_metadata(size_t count, const char *value)
{
	static Latchkey__V1__CreateKeyRequest__MetadataEntry entries[entries_max];
	static Latchkey__V1__CreateKeyRequest__MetadataEntry *pointers[entries_max];
	static char keys[entries_max][3];
	for (size_t i = 0; i < count; i++) {
		keys[i][0] = (char)('a' + i / 20);
		keys[i][1] = (char)('a' + i % 20);
		latchkey__v1__create_key_request__metadata_entry__init(&entries[i]);
		entries[i].key = keys[i];
		entries[i].value = (char *)value;
		pointers[i] = &entries[i];
	}
	request.n_metadata = count;
	request.metadata = pointers;
}

static void test_key_metadata_is_carried_over(void **state)
{
	(void)state;
	give_metadata(16, "v");
	run(false);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.n_metadata, 16);
	assert_string_equal(key.metadata[0]->key, "aa");
	assert_string_equal(key.metadata[15]->key, "ap");
	assert_string_equal(key.metadata[15]->value, "v");
	assert_true(protobuf_c_message_check(&key.base));
}

static void test_key_metadata_has_limits(void **state)
{
	(void)state;
	give_metadata(17, "");
	run(false);
	assert_one_fault("metadata", "17 entries: give at most 16");
	static char value[4096];
	memset(value, 'x', 4094);
	give_metadata(1, value);
	run(false);
	assert_int_equal(faults.count, 0);
	value[4094] = 'x';
	run(false);
	assert_one_fault("metadata", "4097 bytes");
	give_metadata(1, "v");
	request.metadata[0]->key = "";
	run(false);
	assert_one_fault("metadata", "\"v\" has no key");
}

static void test_key_grant_is_for_system_only(void **state)
{
	(void)state;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	char *methods[] = {"keys.*", "Keys"};
	char *any[] = {"*"};
	grant.n_methods = 1;
	grant.methods = methods;
	grant.n_tenants = 1;
	grant.tenants = any;
	grant.n_keyspaces = 1;
	grant.keyspaces = any;
	run(true);
	assert_one_fault("grant", "is needed");
	request.grant = &grant;
	run(false);
	assert_one_fault("grant", "leave it out");
	assert_null(key.grant);
	run(true);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.grant->n_methods, 1);
	assert_string_equal(key.grant->methods[0], "keys.*");
	assert_string_equal(key.grant->tenants[0], "*");
	assert_string_equal(key.grant->keyspaces[0], "*");
	grant.n_methods = 2;
	run(true);
	assert_one_fault("grant.methods[1]", "\"Keys\"");
}

static void test_key_reports_all_faults_together(void **state)
{
	(void)state;
	policy.name_required = true;
	policy.max_ttl_us = 1;
	char *permissions[] = {"a b"};
	request.n_permissions = 1;
	request.permissions = permissions;
	request.owner = "a\n b";
	request.scope = (Latchkey__V1__KeyScope)9;
	give_not_before(INT64_MAX);
	give_ttl(5, 0);
	give_metadata(17, "v");
	run(true);
	static const char *const fields[] = {
		"name", "owner", "scope", "not_before_time", "ttl", "metadata", "permissions[0]", "grant"};
	assert_int_equal(faults.count, COUNT(fields));
	for (size_t i = 0; i < COUNT(fields); i++) {
		assert_string_equal(faults.items[i].field, fields[i]);
	}
}

static void test_key_without_memory_is_never_good(void **state)
{
	(void)state;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	request.name = "a name";
	request.grant = &grant;
	give_metadata(2, "v");
	const struct lk_key_rules rules = {.policy = &policy, .is_system = true, .now_us = now, .defaults = true};
	bool went_well = false;
	for (size_t cap = 0; !went_well; cap += 16) {
		struct lk_arena small;
		assert_int_equal(lk_arena_init(&small, cap, cap), LK_OK);
		lk_faults_init(&faults, &small);
		latchkey__store__key_record__init(&key);
		struct lk_key_fields fields = {0};
		if (lk_key_fields_of_create(&small, &request, &fields)) {
			lk_policy_check_key(&faults, &rules, &fields, &key);
			assert_int_equal(small.exhausted, faults.count > 0);
			went_well = faults.count == 0;
		} else {
			assert_true(small.exhausted);
			assert_null(fields.name);
		}
		lk_arena_done(&small);
		assert_true(cap < 4096);
	}
}

static void test_key_name_has_the_lengths_of_the_policy(void **state)
{
	(void)state;
	policy.name_min_length = 3;
	policy.name_max_length = 5;
	static const struct {
		const char *name;
		const char *part;
	} cases[] = {
		{"", NULL},
		{"ab", "\"ab\" has 2 characters: give at least 3"},
		{" ab ", "\"ab\" has 2 characters"},
		{"\xc3\xa4\xc3\xb6\xc3\xbc", NULL},
		{"abc", NULL},
		{"abcde", NULL},
		{"abcdef", "has 6 characters: shorten it to at most 5"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		request.name = (char *)(uintptr_t)cases[i].name;
		run(false);
		if (cases[i].part == NULL) {
			assert_int_equal(faults.count, 0);
		} else {
			assert_one_fault("name", cases[i].part);
		}
	}
	policy.name_required = true;
	request.name = "";
	run(false);
	assert_one_fault("name", "is needed: give 3 to 5");
}

static void test_key_owner_is_needed_where_required(void **state)
{
	(void)state;
	policy.owner_required = true;
	request.owner = " \t";
	run(false);
	assert_one_fault("owner", "is needed");
	request.owner = "u";
	run(false);
	assert_int_equal(faults.count, 0);
}

static void test_key_permissions_are_checked_and_kept(void **state)
{
	(void)state;
	char *permissions[] = {"agents:*", "chat:chat", "chat chat"};
	request.permissions = permissions;
	request.n_permissions = 2;
	run(false);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.n_permissions, 2);
	assert_string_equal(key.permissions[1], "chat:chat");
	request.n_permissions = 3;
	run(false);
	assert_one_fault("permissions[2]", "\"chat chat\" is no permission");
}

static void test_key_gets_the_default_permissions_only_where_it_is_made(void **state)
{
	(void)state;
	char *defaults[] = {"agents:list", "agents:install"};
	char *own[] = {"chat:*"};
	policy.default_permissions = defaults;
	policy.n_default_permissions = 2;
	run(false);
	assert_int_equal(key.n_permissions, 2);
	assert_string_equal(key.permissions[0], "agents:list");
	request.permissions = own;
	request.n_permissions = 1;
	run(false);
	assert_int_equal(key.n_permissions, 1);
	assert_string_equal(key.permissions[0], "chat:*");
	key.n_permissions = 0;
	run_again((struct lk_key_rules){0}, 0);
	assert_int_equal(faults.count, 0);
	assert_int_equal(key.n_permissions, 0);
}

static void test_key_that_is_changed_obeys_the_policy_as_it_now_is(void **state)
{
	(void)state;
	give_ttl(100, 0);
	run(false);
	assert_int_equal(faults.count, 0);
	policy.name_required = policy.owner_required = true;
	policy.max_ttl_us = 60 * LK_US_PER_SECOND;
	run_again((struct lk_key_rules){0}, 0);
	assert_int_equal(faults.count, 3);
	assert_string_equal(faults.items[0].field, "name");
	assert_string_equal(faults.items[1].field, "owner");
	assert_string_equal(faults.items[2].field, "expire_time");
	/* What is left of its life, and not all of it, is what the policy bounds. */
	policy.name_required = policy.owner_required = false;
	give_ttl(60, 0);
	run(false);
	run_again((struct lk_key_rules){0}, 0);
	assert_int_equal(faults.count, 0);
	policy.max_ttl_us = 30 * LK_US_PER_SECOND;
	run_again((struct lk_key_rules){0}, 30 * LK_US_PER_SECOND - 1);
	assert_one_fault("expire_time", "a life of 30.000001s");
	give_ttl(30, 0);
	run(false);
	run_again((struct lk_key_rules){0}, 29 * LK_US_PER_SECOND);
	assert_int_equal(faults.count, 0);
}

static void test_key_faults_carry_the_prefix(void **state)
{
	(void)state;
	char *permissions[] = {"x", ""};
	Latchkey__V1__ImportedKey imported = LATCHKEY__V1__IMPORTED_KEY__INIT;
	Latchkey__V1__ImportedKey__MetadataEntry entry = LATCHKEY__V1__IMPORTED_KEY__METADATA_ENTRY__INIT;
	Latchkey__V1__ImportedKey__MetadataEntry *entries[] = {&entry};
	const struct lk_key_rules rules = {
		.prefix = "keys[17].", .policy = &policy, .now_us = now, .past_expiry = true};
	struct lk_key_fields fields = {0};
	policy.name_required = policy.owner_required = true;
	imported.scope = (Latchkey__V1__KeyScope)3;
	imported.metadata = entries;
	imported.n_metadata = 1;
	imported.permissions = permissions;
	imported.n_permissions = 2;
	imported.expire_time = &expire_time;
	imported.not_before_time = &not_before;
	expire_time.nanos = not_before.nanos = -1;
	assert_true(lk_key_fields_of_imported(&arena, &imported, &fields));
	lk_policy_check_key(&faults, &rules, &fields, &key);
	static const char *const names[] = {"keys[17].name", "keys[17].owner", "keys[17].scope",
		"keys[17].not_before_time", "keys[17].expire_time", "keys[17].metadata", "keys[17].permissions[1]"};
	assert_int_equal(faults.count, COUNT(names));
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_string_equal(faults.items[i].field, names[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_key_of_nothing_is_good_under_an_easy_policy),
		TEST(test_key_name_and_owner_are_trimmed),
		TEST(test_key_name_is_needed_where_required_or_unique),
		TEST(test_key_name_and_owner_have_limits),
		TEST(test_key_scope_is_one_of_two),
		TEST(test_key_under_an_unknown_policy_is_checked_as_far_as_may_be),
		TEST(test_key_metadata_is_carried_over),
		TEST(test_key_metadata_has_limits),
		TEST(test_key_grant_is_for_system_only),
		TEST(test_key_reports_all_faults_together),
		TEST(test_key_name_has_the_lengths_of_the_policy),
		TEST(test_key_owner_is_needed_where_required),
		TEST(test_key_permissions_are_checked_and_kept),
		TEST(test_key_gets_the_default_permissions_only_where_it_is_made),
		TEST(test_key_that_is_changed_obeys_the_policy_as_it_now_is),
		TEST(test_key_faults_carry_the_prefix),
		TEST(test_key_without_memory_is_never_good),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

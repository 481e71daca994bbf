#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/key_fields.h"

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

static struct lk_arena arena;
static Latchkey__V1__Key key;
static Latchkey__V1__Key__MetadataEntry entry;
static Latchkey__V1__Key__MetadataEntry *entries[] = {&entry};
static Latchkey__V1__Grant grant;
static Google__Protobuf__Timestamp expire_time;
static Google__Protobuf__Timestamp not_before_time;
static char *permissions[] = {"a:b"};
static char *methods[] = {"keys.get"};
static char *roles[] = {"admin"};
static char *cidrs[] = {"10.0.0.0/8"};
static Latchkey__V1__RateLimit limit;
static Latchkey__V1__RateLimit *limits[] = {&limit};
static Latchkey__V1__Credits credits;
static struct lk_key_fields fields;

/* A key that has something in every field. */
static int setup(void **state)
{
	(void)state;
	if (lk_arena_init(&arena, 65536, 65536) != LK_OK) {
		return -1;
	}
	latchkey__v1__key__init(&key);
	latchkey__v1__key__metadata_entry__init(&entry);
	latchkey__v1__grant__init(&grant);
	google__protobuf__timestamp__init(&expire_time);
	google__protobuf__timestamp__init(&not_before_time);
	grant.methods = methods;
	grant.n_methods = 1;
	key.name = "name";
	key.owner = "owner";
	key.scope = LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT;
	entry.key = "k";
	entry.value = "v";
	key.metadata = entries;
	key.n_metadata = 1;
	key.expire_time = &expire_time;
	key.not_before_time = &not_before_time;
	key.permissions = permissions;
	key.n_permissions = 1;
	key.grant = &grant;
	latchkey__v1__rate_limit__init(&limit);
	latchkey__v1__credits__init(&credits);
	key.roles = roles;
	key.n_roles = 1;
	key.allowed_cidrs = cidrs;
	key.n_allowed_cidrs = 1;
	key.rate_limits = limits;
	key.n_rate_limits = 1;
	key.credits = &credits;
	fields = (struct lk_key_fields){.name = "", .owner = ""};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	lk_arena_done(&arena);
	return 0;
}

/* Which fields are not as in an empty key. */
static uint64_t set_fields(void)
{
	return (uint64_t)(fields.name[0] != '\0') << LK_KEY_FIELD_NAME |
	       (uint64_t)(fields.owner[0] != '\0') << LK_KEY_FIELD_OWNER |
	       (uint64_t)(fields.scope != 0) << LK_KEY_FIELD_SCOPE |
	       (uint64_t)(fields.n_metadata != 0) << LK_KEY_FIELD_METADATA |
	       (uint64_t)(fields.not_before_time != NULL) << LK_KEY_FIELD_NOT_BEFORE_TIME |
	       (uint64_t)(fields.expire_time != NULL) << LK_KEY_FIELD_EXPIRE_TIME |
	       (uint64_t)(fields.n_permissions != 0) << LK_KEY_FIELD_PERMISSIONS |
	       (uint64_t)(fields.grant != NULL) << LK_KEY_FIELD_GRANT |
	       (uint64_t)(fields.n_roles != 0) << LK_KEY_FIELD_ROLES |
	       (uint64_t)(fields.n_allowed_cidrs != 0) << LK_KEY_FIELD_ALLOWED_CIDRS |
	       (uint64_t)(fields.n_rate_limits != 0) << LK_KEY_FIELD_RATE_LIMITS |
	       (uint64_t)(fields.credits != NULL) << LK_KEY_FIELD_CREDITS;
}

/* Of those that a key keeps where nobody gives them. */
static uint64_t given_fields(void)
{
	return (uint64_t)fields.gives_roles << LK_KEY_FIELD_ROLES |
	       (uint64_t)fields.gives_rate_limits << LK_KEY_FIELD_RATE_LIMITS |
	       (uint64_t)fields.gives_credits << LK_KEY_FIELD_CREDITS;
}

static const uint64_t kept = UINT64_C(1) << LK_KEY_FIELD_ROLES | UINT64_C(1) << LK_KEY_FIELD_RATE_LIMITS |
			     UINT64_C(1) << LK_KEY_FIELD_CREDITS;

static void test_overlay_takes_each_field_that_is_named_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < LK_KEY_FIELDS; i++) {
		const struct lk_mask mask = {UINT64_C(1) << i};
		fields = (struct lk_key_fields){.name = "", .owner = ""};
		assert_true(lk_key_fields_overlay(&arena, &key, mask, &fields));
		assert_int_equal(set_fields(), mask.named);
		assert_int_equal(given_fields(), mask.named & kept);
	}
}

static void test_overlay_clears_each_field_that_is_named_and_not_set(void **state)
{
	(void)state;
	const struct lk_mask all = {(UINT64_C(1) << LK_KEY_FIELDS) - 1};
	Latchkey__V1__Key empty = LATCHKEY__V1__KEY__INIT;
	for (size_t i = 0; i < LK_KEY_FIELDS; i++) {
		const struct lk_mask mask = {UINT64_C(1) << i};
		assert_true(lk_key_fields_overlay(&arena, &key, all, &fields));
		assert_int_equal(set_fields(), all.named);
		assert_true(lk_key_fields_overlay(&arena, &empty, mask, &fields));
		assert_int_equal(set_fields(), all.named & ~mask.named);
		/* What is cleared is given too. */
		assert_int_equal(given_fields(), kept);
	}
}

static void test_overlay_carries_the_values(void **state)
{
	(void)state;
	const struct lk_mask all = {(UINT64_C(1) << LK_KEY_FIELDS) - 1};
	Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
	fields.ttl = &ttl;
	assert_true(lk_key_fields_overlay(&arena, &key, all, &fields));
	assert_string_equal(fields.name, "name");
	assert_string_equal(fields.owner, "owner");
	assert_int_equal(fields.scope, LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT);
	assert_string_equal(fields.metadata[0]->key, "k");
	assert_string_equal(fields.metadata[0]->value, "v");
	assert_ptr_equal(fields.expire_time, &expire_time);
	assert_ptr_equal(fields.not_before_time, &not_before_time);
	assert_null(fields.ttl);
	assert_string_equal(fields.permissions[0], "a:b");
	assert_string_equal(fields.grant->methods[0], "keys.get");
	assert_string_equal(fields.roles[0], "admin");
	assert_string_equal(fields.allowed_cidrs[0], "10.0.0.0/8");
	assert_ptr_equal(fields.rate_limits[0], &limit);
	assert_ptr_equal(fields.credits, &credits);
}

static void test_fields_of_a_new_key_give_everything(void **state)
{
	(void)state;
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__ImportedKey imported = LATCHKEY__V1__IMPORTED_KEY__INIT;
	assert_true(lk_key_fields_of_create(&arena, &request, &fields));
	assert_int_equal(given_fields(), kept);
	assert_int_equal(set_fields(), 0);
	assert_true(lk_key_fields_of_imported(&arena, &imported, &fields));
	assert_int_equal(given_fields(), kept);
	assert_int_equal(set_fields(), 0);
	request.roles = imported.roles = roles;
	request.allowed_cidrs = imported.allowed_cidrs = cidrs;
	request.rate_limits = imported.rate_limits = limits;
	request.n_roles = request.n_allowed_cidrs = request.n_rate_limits = 1;
	imported.n_roles = imported.n_allowed_cidrs = imported.n_rate_limits = 1;
	request.credits = imported.credits = &credits;
	const uint64_t all = kept | UINT64_C(1) << LK_KEY_FIELD_ALLOWED_CIDRS;
	assert_true(lk_key_fields_of_create(&arena, &request, &fields));
	assert_int_equal(set_fields(), all);
	fields = (struct lk_key_fields){.name = "", .owner = ""};
	assert_true(lk_key_fields_of_imported(&arena, &imported, &fields));
	assert_int_equal(set_fields(), all);
}

static void test_fields_of_a_record_are_the_key_as_it_stands(void **state)
{
	(void)state;
	Latchkey__Store__KeyRecord record = LATCHKEY__STORE__KEY_RECORD__INIT;
	assert_true(lk_key_fields_of_record(&arena, &record, &fields));
	assert_int_equal(set_fields(), UINT64_C(1) << LK_KEY_FIELD_SCOPE);
	assert_int_equal(fields.scope, LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_KEYSPACE);
	uint32_t role = 7;
	Latchkey__Store__RateLimitRecord limit_record = LATCHKEY__STORE__RATE_LIMIT_RECORD__INIT;
	Latchkey__Store__RateLimitRecord *limit_records[] = {&limit_record};
	Latchkey__Store__CreditsRecord credits_record = LATCHKEY__STORE__CREDITS_RECORD__INIT;
	record.roles = &role;
	record.n_roles = 1;
	record.rate_limits = limit_records;
	record.n_rate_limits = 1;
	record.credits = &credits_record;
	record.allowed_cidrs = cidrs;
	record.n_allowed_cidrs = 1;
	assert_true(lk_key_fields_of_record(&arena, &record, &fields));
	assert_int_equal(set_fields(), UINT64_C(1) << LK_KEY_FIELD_SCOPE | UINT64_C(1) << LK_KEY_FIELD_ALLOWED_CIDRS);
	/* What it counts by, it keeps. */
	assert_int_equal(given_fields(), 0);
	record.tenant_scope = true;
	record.expire_us = 2000001;
	record.not_before_us = -1;
	assert_true(lk_key_fields_of_record(&arena, &record, &fields));
	assert_int_equal(fields.scope, LATCHKEY__V1__KEY_SCOPE__KEY_SCOPE_TENANT);
	assert_int_equal(fields.expire_time->seconds, 2);
	assert_int_equal(fields.expire_time->nanos, 1000);
	assert_int_equal(fields.not_before_time->seconds, -1);
	assert_int_equal(fields.not_before_time->nanos, 999999000);
}

static void test_fields_without_memory_are_untouched(void **state)
{
	(void)state;
	const struct lk_mask all = {(UINT64_C(1) << LK_KEY_FIELDS) - 1};
	Latchkey__Store__KeyRecord record = LATCHKEY__STORE__KEY_RECORD__INIT;
	record.expire_us = 1;
	struct lk_arena small;
	assert_int_equal(lk_arena_init(&small, 16, 16), LK_OK);
	assert_false(lk_key_fields_overlay(&small, &key, all, &fields));
	assert_int_equal(set_fields(), 0);
	assert_false(lk_key_fields_of_record(&small, &record, &fields));
	assert_int_equal(set_fields(), 0);
	lk_arena_done(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_overlay_takes_each_field_that_is_named_alone),
		TEST(test_overlay_clears_each_field_that_is_named_and_not_set),
		TEST(test_overlay_carries_the_values),
		TEST(test_fields_of_a_new_key_give_everything),
		TEST(test_fields_of_a_record_are_the_key_as_it_stands),
		TEST(test_fields_without_memory_are_untouched),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "server/core/policy.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/time.h"
#include "tests/unit/core/faults_case.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static Latchkey__V1__KeyPolicy policy;
static Latchkey__Store__PolicyRecord record;

static int setup(void **state)
{
	(void)state;
	if (faults_setup(state) != 0) {
		return -1;
	}
	latchkey__v1__key_policy__init(&policy);
	policy.token_prefix = "sk-";
	return 0;
}

static void test_policy_defaults_become_explicit(void **state)
{
	(void)state;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 0);
	assert_string_equal(record.token_prefix, "sk-");
	assert_int_equal(record.display_length, 9);
	assert_false(record.name_required);
	assert_false(record.name_unique);
	assert_false(record.expiry_required);
	assert_false(record.revoke_deletes);
	assert_int_equal(record.default_ttl_us, 0);
	assert_int_equal(record.max_ttl_us, 0);
	assert_false(record.owner_required);
	assert_int_equal(record.name_min_length, 0);
	assert_int_equal(record.name_max_length, 100);
	assert_int_equal(record.n_default_permissions, 0);
	assert_int_equal(record.n_default_rate_limits, 0);
}

static void test_policy_absent_is_a_fault(void **state)
{
	(void)state;
	lk_policy_from_request(&faults, NULL, false, &record);
	assert_int_equal(faults.count, 1);
	faults_assert(0, "policy", "token_prefix");
	assert_string_equal(record.token_prefix, "");
}

static void test_policy_survives_the_way_to_the_store_and_back(void **state)
{
	(void)state;
	Google__Protobuf__Duration hour = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__Duration more = GOOGLE__PROTOBUF__DURATION__INIT;
	hour.seconds = 3600;
	more.seconds = 3600;
	more.nanos = 1000;
	policy.display_length = 11;
	char *permissions[] = {"agents:list", "chat:*"};
	policy.name_required = policy.name_unique = policy.expiry_required = policy.revoke_deletes = true;
	policy.owner_required = true;
	policy.name_min_length = 2;
	policy.name_max_length = 50;
	policy.n_default_permissions = 2;
	policy.default_permissions = permissions;
	policy.default_ttl = &hour;
	policy.max_ttl = &more;
	policy.token_format = LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_OPAQUE;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 0);
	assert_int_equal(record.default_ttl_us, 3600000000);
	assert_int_equal(record.max_ttl_us, 3600000001);
	const Latchkey__V1__KeyPolicy *api = lk_policy_to_api(&arena, &record);
	assert_non_null(api);
	uint8_t expected[128];
	uint8_t actual[128];
	size_t len = latchkey__v1__key_policy__get_packed_size(&policy);
	assert_int_equal(latchkey__v1__key_policy__pack(&policy, expected), len);
	assert_int_equal(latchkey__v1__key_policy__get_packed_size(api), len);
	assert_int_equal(latchkey__v1__key_policy__pack(api, actual), len);
	assert_memory_equal(actual, expected, len);
}

static void test_policy_to_api_without_memory_is_null(void **state)
{
	(void)state;
	lk_policy_from_request(&faults, &policy, false, &record);
	record.max_ttl_us = 1;
	for (size_t cap = 0; cap <= sizeof(Latchkey__V1__KeyPolicy) + 16; cap += 16) {
		struct lk_arena small;
		assert_int_equal(lk_arena_init(&small, cap, cap), LK_OK);
		assert_null(lk_policy_to_api(&small, &record));
		lk_arena_done(&small);
	}
}

static void test_policy_prefix_has_rules(void **state)
{
	(void)state;
	static const struct {
		const char *prefix;
		const char *part;
	} cases[] = {
		{"", "is needed"},
		{"sk ", "use only"},
		{"sk.", "use only"},
		{"\xc3\xa4_", "use only"},
		{"sk\n", "use only"},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ_-01234", "33 characters"},
		{"lkr_", "root keys"},
		{"lkr_live_", "root keys"},
		{"k", NULL},
		{"lkr-", NULL},
		{"LKR_", NULL},
		{"lkr", NULL},
		{"xlkr_", NULL},
		{"ABCDEFGHIJKLMNOPQRSTUVWXYZ_-0123", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		lk_faults_init(&faults, &arena);
		policy.token_prefix = (char *)cases[i].prefix;
		lk_policy_from_request(&faults, &policy, false, &record);
		assert_int_equal(faults.count, cases[i].part == NULL ? 0 : 1);
		if (cases[i].part != NULL) {
			faults_assert(0, "policy.token_prefix", cases[i].part);
		}
	}
}

static void test_policy_of_system_may_have_the_root_prefix(void **state)
{
	(void)state;
	policy.token_prefix = LK_ROOT_KEY_PREFIX;
	lk_policy_from_request(&faults, &policy, true, &record);
	assert_int_equal(faults.count, 0);
	assert_int_equal(record.display_length, 10);
}

static void test_policy_huge_prefix_is_a_fault_and_no_more(void **state)
{
	(void)state;
	static char prefix[40000];
	memset(prefix, 'a', sizeof(prefix) - 1);
	policy.token_prefix = prefix;
	policy.display_length = 4;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 1);
	faults_assert(0, "policy.token_prefix", "39999 characters");
	assert_true(strlen(faults.items[0].description) < 200);
}

static void test_policy_display_length_ends_eight_behind_the_prefix(void **state)
{
	(void)state;
	static const struct {
		uint32_t given;
		uint32_t kept;
	} cases[] = {{1, 1}, {3, 3}, {9, 9}, {11, 11}, {12, 0}, {UINT32_MAX, 0}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		lk_faults_init(&faults, &arena);
		policy.display_length = cases[i].given;
		lk_policy_from_request(&faults, &policy, false, &record);
		assert_int_equal(faults.count, cases[i].kept == 0 ? 1 : 0);
		if (cases[i].kept == 0) {
			faults_assert(0, "policy.display_length", "at most 11");
		} else {
			assert_int_equal(record.display_length, cases[i].kept);
		}
	}
}

static void test_policy_unknown_format_is_a_fault(void **state)
{
	(void)state;
	policy.token_format = (Latchkey__V1__TokenFormat)3;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 1);
	faults_assert(0, "policy.token_format", "3 is no token format: give TOKEN_FORMAT_OPAQUE or TOKEN_FORMAT_JWT");
}

static void test_policy_of_jwts_has_defaults(void **state)
{
	(void)state;
	policy.token_prefix = "";
	policy.token_format = LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 0);
	assert_true(record.is_jwt);
	assert_int_equal(record.jwt_algorithm, LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_HS256);
	assert_string_equal(record.jwt_issuer, "latchkey");
	assert_string_equal(record.token_prefix, "");
	assert_int_equal(record.display_length, 6);
}

static void test_policy_of_jwts_survives_the_way_to_the_store_and_back(void **state)
{
	(void)state;
	policy.token_prefix = "";
	policy.token_format = LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT;
	policy.jwt_algorithm = LATCHKEY__V1__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA;
	policy.jwt_issuer = " https://keys.example/\"\xc3\xa4\" ";
	policy.display_length = 8;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 0);
	assert_int_equal(record.jwt_algorithm, LATCHKEY__STORE__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA);
	const Latchkey__V1__KeyPolicy *api = lk_policy_to_api(&arena, &record);
	assert_int_equal(api->token_format, LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT);
	assert_int_equal(api->jwt_algorithm, LATCHKEY__V1__JWT_ALGORITHM__JWT_ALGORITHM_EDDSA);
	assert_string_equal(api->jwt_issuer, "https://keys.example/\"\xc3\xa4\"");
	assert_string_equal(api->token_prefix, "");
	assert_int_equal(api->display_length, 8);
	/* What is shown is good to be given again. */
	lk_policy_from_request(&faults, api, false, &record);
	assert_int_equal(faults.count, 0);
}

static void test_policy_formats_have_rules_of_their_own(void **state)
{
	(void)state;
	static char long_issuer[LK_JWT_ISSUER_MAX + 2];
	memset(long_issuer, 'i', sizeof long_issuer - 1);
	enum {
		opaque = LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_OPAQUE,
		unset = LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_UNSPECIFIED,
		jwt = LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT,
	};
	static const struct {
		const char *prefix;
		int format;
		int algorithm;
		const char *issuer;
		uint32_t display_length;
		bool is_system;
		const char *field;
		const char *part;
	} cases[] = {
		{"sk-", opaque, 1, "", 0, false, "policy.jwt_algorithm", "is of JWTs alone"},
		{"sk-", unset, 2, "", 0, false, "policy.jwt_algorithm", "is of JWTs alone"},
		{"sk-", unset, 7, "", 0, false, "policy.jwt_algorithm", "is of JWTs alone"},
		{"sk-", opaque, 0, "me", 0, false, "policy.jwt_issuer", "is of JWTs alone"},
		{"", opaque, 0, "", 0, false, "policy.token_prefix", "is needed"},
		{"sk-", jwt, 1, "", 0, false, "policy.token_prefix", "\"sk-\": a JWT has no prefix"},
		{"", jwt, 3, "", 0, false, "policy.jwt_algorithm", "3 is no algorithm"},
		{"", jwt, -1, "", 0, false, "policy.jwt_algorithm", "-1 is no algorithm"},
		{"", jwt, 2, long_issuer, 0, false, "policy.jwt_issuer", "257 characters"},
		{"", jwt, 2, "a\nb", 0, false, "policy.jwt_issuer", "control character"},
		{"", jwt, 2, "", 9, false, "policy.display_length", "at most 8"},
		{"", jwt, 2, "", 8, true, "policy.token_format", "root keys"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		lk_faults_init(&faults, &arena);
		policy.token_prefix = (char *)cases[i].prefix;
		policy.token_format = (Latchkey__V1__TokenFormat)cases[i].format;
		policy.jwt_algorithm = (Latchkey__V1__JwtAlgorithm)cases[i].algorithm;
		policy.jwt_issuer = (char *)cases[i].issuer;
		policy.display_length = cases[i].display_length;
		lk_policy_from_request(&faults, &policy, cases[i].is_system, &record);
		assert_int_equal(faults.count, 1);
		faults_assert(0, cases[i].field, cases[i].part);
	}
	long_issuer[LK_JWT_ISSUER_MAX] = '\0';
	policy = (Latchkey__V1__KeyPolicy)LATCHKEY__V1__KEY_POLICY__INIT;
	policy.token_format = LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT;
	policy.jwt_issuer = long_issuer;
	lk_faults_init(&faults, &arena);
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 0);
}

static void test_policy_ttls_are_positive_durations(void **state)
{
	(void)state;
	static const struct {
		int64_t seconds;
		int32_t nanos;
		const char *part;
	} cases[] = {
		{0, 0, "0s is no life"},
		{0, 999, "0s is no life"},
		{-1, -500000000, "-1.5s is no life"},
		{1, -1, "no Duration"},
		{INT64_MAX, 0, "9223372036854775807 s"},
		{0, 1000, NULL},
		{INT64_C(315576000000), 999999999, NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
		ttl.seconds = cases[i].seconds;
		ttl.nanos = cases[i].nanos;
		policy.default_ttl = &ttl;
		policy.max_ttl = &ttl;
		lk_faults_init(&faults, &arena);
		lk_policy_from_request(&faults, &policy, false, &record);
		assert_int_equal(faults.count, cases[i].part == NULL ? 0 : 2);
		if (cases[i].part != NULL) {
			faults_assert(0, "policy.default_ttl", cases[i].part);
			faults_assert(1, "policy.max_ttl", cases[i].part);
		}
	}
}

static void test_policy_default_ttl_is_within_the_longest(void **state)
{
	(void)state;
	Google__Protobuf__Duration given = GOOGLE__PROTOBUF__DURATION__INIT;
	Google__Protobuf__Duration max = GOOGLE__PROTOBUF__DURATION__INIT;
	given.seconds = 91;
	max.seconds = 90;
	policy.default_ttl = &given;
	policy.max_ttl = &max;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 1);
	faults_assert(0, "policy.default_ttl", "91s is longer than max_ttl: give at most 90s");
	lk_faults_init(&faults, &arena);
	given.seconds = 90;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 0);
}

static void test_policy_name_lengths_are_in_order(void **state)
{
	(void)state;
	static const struct {
		uint32_t min;
		uint32_t max;
		const char *field;
		const char *part;
	} cases[] = {
		{0, 0, NULL, NULL},
		{100, 0, NULL, NULL},
		{100, 100, NULL, NULL},
		{7, 7, NULL, NULL},
		{0, 1, NULL, NULL},
		{8, 7, "policy.name_min_length", "8 is more than a name may have: give at most 7"},
		{101, 0, "policy.name_min_length", "101 is more than a name may have: give at most 100"},
		{UINT32_MAX, 100, "policy.name_min_length", "give at most 100"},
		{0, 101, "policy.name_max_length", "101 is too long: give at most 100"},
		{5, UINT32_MAX, "policy.name_max_length", "is too long"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		lk_faults_init(&faults, &arena);
		policy.name_min_length = cases[i].min;
		policy.name_max_length = cases[i].max;
		lk_policy_from_request(&faults, &policy, false, &record);
		assert_int_equal(faults.count, cases[i].field == NULL ? 0 : 1);
		if (cases[i].field != NULL) {
			faults_assert(0, cases[i].field, cases[i].part);
		}
	}
}

static void test_policy_kept_without_lengths_has_the_widest(void **state)
{
	(void)state;
	latchkey__store__policy_record__init(&record);
	assert_int_equal(lk_policy_name_max(&record), 100);
	const Latchkey__V1__KeyPolicy *api = lk_policy_to_api(&arena, &record);
	assert_int_equal(api->name_max_length, 100);
	record.name_max_length = 12;
	assert_int_equal(lk_policy_name_max(&record), 12);
}

static void test_policy_default_permissions_are_permissions(void **state)
{
	(void)state;
	char *permissions[] = {"agents:list", "agents list", "agents:list"};
	policy.n_default_permissions = 3;
	policy.default_permissions = permissions;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 2);
	faults_assert(0, "policy.default_permissions[1]", "is no permission");
	faults_assert(1, "policy.default_permissions[2]", "given twice");
}

static Latchkey__V1__RateLimit make_limit(char *name, uint64_t most, Google__Protobuf__Duration *period)
{
	Latchkey__V1__RateLimit limit = LATCHKEY__V1__RATE_LIMIT__INIT;
	limit.name = name;
	limit.limit = most;
	limit.period = period;
	return limit;
}

static void test_policy_default_rate_limits_come_and_go(void **state)
{
	(void)state;
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	day.seconds = 86400;
	Latchkey__V1__RateLimit a = make_limit("a", 1000, &day), b = make_limit("b", 5, &day);
	Latchkey__V1__RateLimit *limits[] = {&a, &b};
	b.burst = 2;
	policy.default_rate_limits = limits;
	policy.n_default_rate_limits = 2;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 0);
	assert_int_equal(record.n_default_rate_limits, 2);
	assert_int_equal(record.default_rate_limits[0]->burst, 1000);
	const Latchkey__V1__KeyPolicy *api = lk_policy_to_api(&arena, &record);
	assert_non_null(api);
	assert_int_equal(api->n_default_rate_limits, 2);
	assert_string_equal(api->default_rate_limits[1]->name, "b");
	assert_int_equal(api->default_rate_limits[1]->limit, 5);
	assert_int_equal(api->default_rate_limits[1]->burst, 2);
	assert_int_equal(api->default_rate_limits[1]->period->seconds, 86400);
}

static void test_policy_default_rate_limits_are_limits(void **state)
{
	(void)state;
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	day.seconds = 86400;
	Latchkey__V1__RateLimit a = make_limit("a", 0, &day), b = make_limit("a", 5, NULL);
	Latchkey__V1__RateLimit *limits[] = {&a, &b};
	policy.default_rate_limits = limits;
	policy.n_default_rate_limits = 2;
	lk_policy_from_request(&faults, &policy, false, &record);
	assert_int_equal(faults.count, 3);
	faults_assert(0, "policy.default_rate_limits[0].limit", "0 is out of bounds");
	faults_assert(1, "policy.default_rate_limits[1].name", "given twice");
	faults_assert(2, "policy.default_rate_limits[1].period", "is needed");
}

static void test_policy_of_system_has_no_rate_limits(void **state)
{
	(void)state;
	Google__Protobuf__Duration day = GOOGLE__PROTOBUF__DURATION__INIT;
	day.seconds = 86400;
	Latchkey__V1__RateLimit a = make_limit("a", 1, &day);
	Latchkey__V1__RateLimit *limits[] = {&a};
	policy.token_prefix = "lkr_";
	policy.default_rate_limits = limits;
	policy.n_default_rate_limits = 1;
	lk_policy_from_request(&faults, &policy, true, &record);
	assert_int_equal(faults.count, 1);
	faults_assert(0, "policy.default_rate_limits", "root keys have no rate limits");
	assert_int_equal(record.n_default_rate_limits, 0);
}

static void test_policy_reports_all_faults_together(void **state)
{
	(void)state;
	Google__Protobuf__Duration none = GOOGLE__PROTOBUF__DURATION__INIT;
	policy.token_prefix = "lkr_!ABCDEFGHIJKLMNOPQRSTUVWXYZ_-01234";
	policy.token_format = (Latchkey__V1__TokenFormat)7;
	policy.default_ttl = &none;
	policy.max_ttl = &none;
	char *permissions[] = {""};
	policy.n_default_permissions = 1;
	policy.default_permissions = permissions;
	policy.name_min_length = 102;
	policy.name_max_length = 101;
	lk_policy_from_request(&faults, &policy, false, &record);
	static const char *const fields[] = {"policy.token_format", "policy.token_prefix", "policy.token_prefix",
		"policy.token_prefix", "policy.default_ttl", "policy.max_ttl", "policy.name_max_length",
		"policy.name_min_length", "policy.default_permissions[0]"};
	assert_int_equal(faults.count, COUNT(fields));
	for (size_t i = 0; i < COUNT(fields); i++) {
		assert_string_equal(faults.items[i].field, fields[i]);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, faults_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_policy_defaults_become_explicit),
		TEST(test_policy_absent_is_a_fault),
		TEST(test_policy_survives_the_way_to_the_store_and_back),
		TEST(test_policy_to_api_without_memory_is_null),
		TEST(test_policy_prefix_has_rules),
		TEST(test_policy_of_system_may_have_the_root_prefix),
		TEST(test_policy_huge_prefix_is_a_fault_and_no_more),
		TEST(test_policy_display_length_ends_eight_behind_the_prefix),
		TEST(test_policy_unknown_format_is_a_fault),
		TEST(test_policy_of_jwts_has_defaults),
		TEST(test_policy_of_jwts_survives_the_way_to_the_store_and_back),
		TEST(test_policy_formats_have_rules_of_their_own),
		TEST(test_policy_ttls_are_positive_durations),
		TEST(test_policy_default_ttl_is_within_the_longest),
		TEST(test_policy_name_lengths_are_in_order),
		TEST(test_policy_kept_without_lengths_has_the_widest),
		TEST(test_policy_default_permissions_are_permissions),
		TEST(test_policy_default_rate_limits_come_and_go),
		TEST(test_policy_default_rate_limits_are_limits),
		TEST(test_policy_of_system_has_no_rate_limits),
		TEST(test_policy_reports_all_faults_together),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Keys that have the most of everything that a key may have: all that happens to keys happens to them too. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <latchkey/v1/audit.client.h>

#include "server/core/cidr.h"
#include "server/core/limit.h"
#include "server/core/permission.h"
#include "server/core/policy.h"
#include "server/core/text.h"
#include "server/store/job.h"
#include "server/store/reap.h"
#include "server/store/rules.h"
#include "tests/unit/service/bulk_calls.h"
#include "tests/unit/service/role_calls.h"

#define METADATA     16
#define METADATA_MAX 4096
/* Four bytes in UTF-8, the most that a character has. */
#define WIDE "\xf0\x9f\x94\x91"
/* One more than fits into a part of a bulk revocation, or of the reaper's work. */
#define MANY 501

_Static_assert(MANY > LK_JOB_PART && MANY > LK_REAP_PART, "more than one part");

/* What all of them have. */
struct most {
	char permission[LK_PERMISSIONS_MAX][LK_PERMISSION_MAX + 1];
	char role[LK_ROLES_MAX][64];
	char cidr[LK_CIDRS_MAX][64];
	char name[4 * LK_NAME_MAX + 1];
	char owner[4 * LK_OWNER_MAX + 1];
	char metadata_key[METADATA][8];
	char metadata_value[METADATA][METADATA_MAX / METADATA];
	char limit_name[LK_LIMITS_MAX][LK_LIMIT_NAME_MAX + 1];
	char *permissions[LK_PERMISSIONS_MAX], *roles[LK_ROLES_MAX], *cidrs[LK_CIDRS_MAX];
	Latchkey__V1__CreateKeyRequest__MetadataEntry entry[METADATA];
	Latchkey__V1__CreateKeyRequest__MetadataEntry *entries[METADATA];
	Google__Protobuf__Duration hour;
	Latchkey__V1__RateLimit limit[LK_LIMITS_MAX];
	Latchkey__V1__RateLimit *limits[LK_LIMITS_MAX];
	Latchkey__V1__Credits credits;
	Latchkey__V1__CreateKeyRequest request;
};

static struct most most;

/* A text of `size` - 1 characters that ends with the number. */
static char *fill_text(char *text, size_t size, char letter, size_t number)
{
	char digits[8];
	int len = snprintf(digits, sizeof digits, "%zu", number);

	memset(text, letter, size - 1);
	memcpy(text + size - 1 - (size_t)len, digits, (size_t)len + 1);
	return text;
}

static char *fill_wide(char *text, size_t characters)
{
	for (size_t i = 0; i < characters; i++) {
		memcpy(text + 4 * i, WIDE, sizeof WIDE);
	}
	return text;
}

static void fill_rights(void)
{
	for (size_t i = 0; i < LK_PERMISSIONS_MAX; i++) {
		most.permissions[i] = fill_text(most.permission[i], sizeof most.permission[i], 'p', i);
	}
	for (size_t i = 0; i < LK_ROLES_MAX; i++) {
		most.roles[i] = fill_text(most.role[i], sizeof most.role[i], 'r', i);
		role_make(most.roles[i], (const char *const *)most.permissions, LK_PERMISSIONS_MAX);
	}
	for (size_t i = 0; i < LK_CIDRS_MAX; i++) {
		(void)snprintf(
			most.cidr[i], sizeof most.cidr[i], "2001:1111:2222:3333:4444:5555:6666:%zx/128", 0x1000 + i);
		most.cidrs[i] = most.cidr[i];
	}
}

static void fill_rest(void)
{
	for (size_t i = 0; i < METADATA; i++) {
		latchkey__v1__create_key_request__metadata_entry__init(&most.entry[i]);
		most.entry[i].key = fill_text(most.metadata_key[i], sizeof most.metadata_key[i], 'k', i);
		most.entry[i].value = fill_text(
			most.metadata_value[i], METADATA_MAX / METADATA - strlen(most.entry[i].key) + 1, 'v', i);
		most.entries[i] = &most.entry[i];
	}
	google__protobuf__duration__init(&most.hour);
	most.hour.seconds = 3600;
	for (size_t i = 0; i < LK_LIMITS_MAX; i++) {
		latchkey__v1__rate_limit__init(&most.limit[i]);
		most.limit[i].name = fill_text(most.limit_name[i], sizeof most.limit_name[i], 'l', i);
		most.limit[i].limit = 1000;
		most.limit[i].period = &most.hour;
		most.limits[i] = &most.limit[i];
	}
	latchkey__v1__credits__init(&most.credits);
	most.credits.balance = 1000;
}

static int setup(void **state)
{
	Latchkey__V1__CreateKeyRequest *request = &most.request;

	if (fixture_setup(state) != 0) {
		return -1;
	}
	fill_rights();
	fill_rest();
	latchkey__v1__create_key_request__init(request);
	request->tenant = TEXT("acme");
	request->keyspace = TEXT("prod");
	request->name = fill_wide(most.name, LK_NAME_MAX);
	request->owner = fill_wide(most.owner, LK_OWNER_MAX);
	request->permissions = most.permissions;
	request->n_permissions = LK_PERMISSIONS_MAX;
	request->roles = most.roles;
	request->n_roles = LK_ROLES_MAX;
	request->allowed_cidrs = most.cidrs;
	request->n_allowed_cidrs = LK_CIDRS_MAX;
	request->metadata = most.entries;
	request->n_metadata = METADATA;
	request->rate_limits = most.limits;
	request->n_rate_limits = LK_LIMITS_MAX;
	request->credits = &most.credits;
	return 0;
}

static struct fixture_key make_largest(void)
{
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &most.request.base, LK_OK);

	return fixture_take_key(&answer);
}

static void make_many(void)
{
	for (size_t i = 0; i < MANY; i++) {
		struct fixture_key key = make_largest();
		fixture_key_done(&key);
	}
}

static void test_largest_key_verifies(void **state)
{
	struct fixture_key key = make_largest();
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	(void)state;

	request.token = key.token;
	request.client_ip = TEXT("2001:1111:2222:3333:4444:5555:6666:101f");
	request.permission_expression = most.permissions[LK_PERMISSIONS_MAX - 1];
	request.explain = true;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_verify_method, &request.base, LK_OK);
	const Latchkey__V1__VerifyKeyResponse *verdict = (const Latchkey__V1__VerifyKeyResponse *)answer.response;
	assert_int_equal(verdict->code, VALID);
	assert_int_equal(verdict->key->n_roles, LK_ROLES_MAX);
	assert_int_equal(verdict->n_rate_states, LK_LIMITS_MAX);
	assert_int_equal(verdict->credits_remaining, 999);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

/* A page of a thousand is asked for, and a prefix of it fits into a reply. */
static void test_largest_keys_are_listed_a_prefix_a_page(void **state)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	char token[1024] = "";
	size_t found = 0, pages = 0;
	(void)state;

	make_many();
	request.tenant = TEXT("acme");
	request.page_size = 1000;
	request.page_token = token;
	do {
		struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
		const Latchkey__V1__ListKeysResponse *page = (const Latchkey__V1__ListKeysResponse *)answer.response;
		found += page->n_keys;
		pages++;
		(void)snprintf(token, sizeof token, "%s", page->next_page_token);
		loop_answer_done(&answer);
	} while (token[0] != '\0');
	assert_int_equal(found, MANY);
	assert_in_range(pages, 2, MANY / 20);
}

static void test_largest_keys_are_revoked_a_part_at_a_time(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__ListAuditRecordsRequest audit = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	(void)state;

	make_many();
	filter.keyspace = TEXT("prod");
	Latchkey__V1__BulkRevokeKeysRequest request = bulk_request_of(&filter);
	struct bulk_progress progress = bulk_call_as(NULL, &request);
	assert_int_equal(progress.total, MANY);
	assert_int_equal(progress.revoked, LK_JOB_PART);
	progress = bulk_go_on(NULL, progress.token);
	assert_true(progress.done);
	audit.page_size = 1000;
	struct loop_answer answer = fixture_call(&latchkey_v1_audit_list_method, &audit.base, LK_OK);
	const Latchkey__V1__ListAuditRecordsResponse *page = (const Latchkey__V1__ListAuditRecordsResponse *)
								     answer.response;
	assert_true(page->n_records > 1 && page->next_page_token[0] != '\0');
	loop_answer_done(&answer);
}

/* Asks until the reaper is through: the id is taken as long as there are keys. */
static void test_largest_keys_are_removed_with_their_keyspace(void **state)
{
	const struct timespec moment = {.tv_nsec = 5000000};
	Latchkey__V1__DeleteKeyspaceRequest gone = LATCHKEY__V1__DELETE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__CreateKeyspaceRequest again = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	uint32_t code = lk_err_wire_code(LK_FAILED_PRECONDITION);
	(void)state;

	make_many();
	gone.tenant = again.tenant = TEXT("acme");
	gone.keyspace = again.keyspace = TEXT("prod");
	gone.force = true;
	policy.token_prefix = TEXT("sk-");
	again.policy = &policy;
	struct loop_answer answer = fixture_call(&latchkey_v1_keyspace_delete_method, &gone.base, LK_OK);
	loop_answer_done(&answer);
	for (int i = 0; i < 4000 && code == lk_err_wire_code(LK_FAILED_PRECONDITION); i++) {
		answer = loop_call(&fixture_loop, &fixture_operator, &latchkey_v1_keyspace_create_method, &again.base);
		code = answer.code;
		loop_answer_done(&answer);
		(void)nanosleep(&moment, NULL);
	}
	assert_int_equal(code, LK_OK);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_largest_key_verifies),
		TEST(test_largest_keys_are_listed_a_prefix_a_page),
		TEST(test_largest_keys_are_revoked_a_part_at_a_time),
		TEST(test_largest_keys_are_removed_with_their_keyspace),
	};

	return cmocka_run_group_tests_name("large keys", tests, NULL, NULL);
}

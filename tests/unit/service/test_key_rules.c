/* Roles, addresses, rate limits and credits of keys: made, changed, imported, exported and shown. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <latchkey/v1/audit.client.h>

#include "server/core/credits.h"
#include "server/core/limit.h"
#include "server/core/permission.h"
#include "server/store/find.h"
#include "server/store/rules.h"
#include "server/store/slots.h"
#include "tests/unit/service/import_fixture.h"
#include "tests/unit/service/key_calls.h"
#include "tests/unit/service/rules_fixture.h"

#define RULE_PATHS PATHS("roles", "allowed_cidrs", "rate_limits", "credits")

/* The record of a key of "acme", in the arena. */
static Latchkey__Store__KeyRecord *read_record(struct lk_arena *arena, const char *id)
{
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_snapshot_new(fixture_loop.store, &txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(txn), LK_OK);
	Latchkey__Store__KeyRecord *record = lk_find_key(txn, arena, lk_find_tenant(txn, arena, "acme")->number, id);
	assert_non_null(record);
	lk_snapshot_free(txn);
	return record;
}

/* As if verdicts had taken so many credits of the key, and run the clock of its first limit. */
static void consume(const char *id, uint64_t credits)
{
	struct lk_arena arena = {0};

	assert_int_equal(lk_arena_init(&arena, 1 << 14, 1 << 16), LK_OK);
	const Latchkey__Store__KeyRecord *record = read_record(&arena, id);
	struct lk_slot *slot = lk_slots_at(lk_store_slots(fixture_loop.store), record->slot);
	uint64_t spent = 0, left = 0;
	if (credits > 0) {
		struct lk_credits held = lk_credits_of_record(record->credits);
		assert_int_equal(
			lk_credits_take(&held, atomic_load(&slot->spent), credits, held.since_us, &spent, &left),
			LK_CREDITS_PASS);
		atomic_store(&slot->spent, spent);
	}
	struct lk_limit limit = lk_limit_of_record(record->rate_limits[0]);
	struct lk_limit_standing standing;
	uint64_t clock = 0;
	assert_int_equal(lk_limit_take(&limit, atomic_load(&slot->clocks[limit.clock]), 1, record->update_us * 1000,
				 &clock, &standing),
		LK_LIMIT_PASSES);
	atomic_store(&slot->clocks[limit.clock], clock);
	lk_arena_done(&arena);
}

static void test_create_keeps_and_shows_what_is_given(void **state)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	(void)state;
	RULES_FILL(&request);
	request.validate_only = true;
	struct loop_answer answer = rules_create(&request, LK_OK);
	rules_assert_full(((const Latchkey__V1__CreateKeyResponse *)answer.response)->key, 500);
	loop_answer_done(&answer);
	request.validate_only = false;
	answer = rules_create(&request, LK_OK);
	rules_assert_full(((const Latchkey__V1__CreateKeyResponse *)answer.response)->key, 500);
	struct fixture_key key = fixture_take_key(&answer);
	answer = keys_get(key.id);
	rules_assert_full(keys_shown(&answer), 500);
	loop_answer_done(&answer);
	/* And after a restart. */
	loop_restart(&fixture_loop);
	answer = keys_get(key.id);
	rules_assert_full(keys_shown(&answer), 500);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_create_of_a_plain_key_has_none(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "plain");

	(void)state;
	struct loop_answer answer = keys_get(key.id);
	rules_assert_plain(keys_shown(&answer));
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_create_reports_every_fault_together(void **state)
{
	static const char *const parts[] = {"roles[0]: there is no role \"nobody\" in tenant \"acme\"",
		"roles[1]: \"No Role\"", "allowed_cidrs[0]: \"10.0.0.1/8\" has bits behind its prefix",
		"allowed_cidrs[1]: \"nowhere\" is no address", "rate_limits[0].name: \"Requests\" is no name",
		"rate_limits[0].limit: 0 is out of bounds", "rate_limits[1].period: ", "rate_limits[1].burst: ",
		"credits.balance: ", "credits.refill.amount: ", "credits.refill.interval: "};
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	(void)state;
	RULES_FILL(&request);
	rules_given.roles[0] = TEXT("nobody");
	rules_given.roles[1] = TEXT("No Role");
	rules_given.cidrs[0] = TEXT("10.0.0.1/8");
	rules_given.cidrs[1] = TEXT("nowhere");
	rules_given.limit[0].name = TEXT("Requests");
	rules_given.limit[0].limit = rules_given.limit[0].burst = 0;
	rules_given.day.seconds = 0;
	rules_given.limit[1].burst = 1001;
	rules_given.credits.balance = UINT64_MAX;
	rules_given.refill.amount = 0;
	rules_given.refill.interval = LATCHKEY__V1__CREDIT_INTERVAL__CREDIT_INTERVAL_UNSPECIFIED;
	struct loop_answer answer = rules_create(&request, LK_INVALID_ARGUMENT);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		fixture_assert_violation(&answer, parts[i]);
	}
	assert_int_equal(fixture_violations_in(&answer), sizeof parts / sizeof parts[0]);
	loop_answer_done(&answer);
	assert_int_equal(import_count_keys(), 0);
}

static void test_create_takes_the_limits_of_the_policy_where_none_are_given(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	(void)state;
	policy.token_prefix = TEXT("t_");
	policy.default_rate_limits = rules_given.limits;
	policy.n_default_rate_limits = 2;
	fixture_make_keyspace("acme", "limited", &policy);
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("limited");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	const Latchkey__V1__Key *key = ((const Latchkey__V1__CreateKeyResponse *)answer.response)->key;
	assert_int_equal(key->n_rate_limits, 2);
	assert_string_equal(key->rate_limits[1]->name, "daily");
	loop_answer_done(&answer);
	request.rate_limits = &rules_given.limits[1];
	request.n_rate_limits = 1;
	answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	key = ((const Latchkey__V1__CreateKeyResponse *)answer.response)->key;
	assert_int_equal(key->n_rate_limits, 1);
	assert_string_equal(key->rate_limits[0]->name, "daily");
	loop_answer_done(&answer);
}

static void test_update_sets_and_clears_each_alone(void **state)
{
	Latchkey__V1__Key full = LATCHKEY__V1__KEY__INIT, empty = LATCHKEY__V1__KEY__INIT;
	struct fixture_key key = fixture_make_key("acme", "prod", "");

	(void)state;
	RULES_FILL(&full);
	full.id = empty.id = key.id;
	for (size_t i = 0; i < 4; i++) {
		struct loop_answer answer = keys_update(&full, PATHS(RULE_PATHS[i]), "", LK_OK);
		const Latchkey__V1__Key *shown = keys_shown(&answer);
		assert_int_equal(shown->n_roles, i == 0 ? 2 : 0);
		assert_int_equal(shown->n_allowed_cidrs, i == 1 ? 2 : 0);
		assert_int_equal(shown->n_rate_limits, i == 2 ? 2 : 0);
		assert_int_equal(shown->credits != NULL, i == 3);
		loop_answer_done(&answer);
		answer = keys_update(&empty, PATHS(RULE_PATHS[i]), "", LK_OK);
		rules_assert_plain(keys_shown(&answer));
		loop_answer_done(&answer);
	}
	struct loop_answer answer = keys_update(&full, RULE_PATHS, "", LK_OK);
	rules_assert_full(keys_shown(&answer), 500);
	loop_answer_done(&answer);
	answer = keys_get(key.id);
	rules_assert_full(keys_shown(&answer), 500);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

/* What the mask does not name counts on from where it is. */
static void test_update_of_another_field_leaves_the_counts_alone(void **state)
{
	struct fixture_key key = rules_make_full_key();
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	struct lk_arena arena = {0};

	(void)state;
	assert_int_equal(lk_arena_init(&arena, 1 << 14, 1 << 16), LK_OK);
	const Latchkey__Store__KeyRecord *before = read_record(&arena, key.id);
	consume(key.id, 200);
	changed.id = key.id;
	changed.name = TEXT("other");
	struct loop_answer answer = keys_update(&changed, PATHS("name"), "", LK_OK);
	rules_assert_full(keys_shown(&answer), 300);
	loop_answer_done(&answer);
	const Latchkey__Store__KeyRecord *after = read_record(&arena, key.id);
	assert_int_equal(after->clock_generations, before->clock_generations);
	assert_int_equal(after->credits->epoch, before->credits->epoch);
	assert_int_equal(after->credits->since_us, before->credits->since_us);
	assert_int_equal(after->credits->balance, before->credits->balance);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(after->rate_limits[i]->clock, before->rate_limits[i]->clock);
		assert_int_equal(after->rate_limits[i]->generation, before->rate_limits[i]->generation);
		assert_int_equal(after->roles[i], before->roles[i]);
	}
	lk_arena_done(&arena);
	fixture_key_done(&key);
}

static void test_update_to_the_same_changes_nothing(void **state)
{
	struct fixture_key key = rules_make_full_key();
	Latchkey__V1__Key same = LATCHKEY__V1__KEY__INIT;

	(void)state;
	consume(key.id, 200);
	RULES_FILL(&same);
	same.id = key.id;
	struct loop_answer answer = keys_get(key.id);
	char *etag = strdup(keys_shown(&answer)->etag);
	loop_answer_done(&answer);
	answer = keys_update(&same, PATHS("roles", "allowed_cidrs", "rate_limits"), "", LK_OK);
	assert_string_equal(keys_shown(&answer)->etag, etag);
	rules_assert_full(keys_shown(&answer), 300);
	loop_answer_done(&answer);
	/* A balance that is named is set anew, though it is what it was at first. */
	answer = keys_update(&same, PATHS("credits"), "", LK_OK);
	assert_string_not_equal(keys_shown(&answer)->etag, etag);
	rules_assert_full(keys_shown(&answer), 500);
	loop_answer_done(&answer);
	free(etag);
	fixture_key_done(&key);
}

static void test_update_with_other_limits_keeps_the_clock_of_a_name(void **state)
{
	struct fixture_key key = rules_make_full_key();
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	struct lk_arena arena = {0};

	(void)state;
	assert_int_equal(lk_arena_init(&arena, 1 << 14, 1 << 16), LK_OK);
	consume(key.id, 1);
	const Latchkey__Store__KeyRecord *before = read_record(&arena, key.id);
	changed.id = key.id;
	changed.rate_limits = rules_given.limits;
	changed.n_rate_limits = 2;
	rules_given.limit[0].limit = 700;
	rules_given.limit[1].name = TEXT("hourly");
	struct loop_answer answer = keys_update(&changed, PATHS("rate_limits"), "", LK_OK);
	loop_answer_done(&answer);
	const Latchkey__Store__KeyRecord *after = read_record(&arena, key.id);
	assert_int_equal(after->rate_limits[0]->limit, 700);
	assert_int_equal(after->rate_limits[0]->clock, before->rate_limits[0]->clock);
	assert_int_equal(after->rate_limits[0]->generation, before->rate_limits[0]->generation);
	/* One of another name in the place of one whose clock ran begins anew. */
	rules_given.limit[0].name = TEXT("calls");
	rules_given.limit[1].name = TEXT("daily");
	answer = keys_update(&changed, PATHS("rate_limits"), "", LK_OK);
	loop_answer_done(&answer);
	after = read_record(&arena, key.id);
	const struct lk_slot *slot = lk_slots_at(lk_store_slots(fixture_loop.store), after->slot);
	for (size_t i = 0; i < 2; i++) {
		struct lk_limit limit = lk_limit_of_record(after->rate_limits[i]);
		struct lk_limit_standing standing = {0};
		uint64_t clock = 0;
		assert_int_equal(lk_limit_take(&limit, atomic_load(&slot->clocks[limit.clock]), 1,
					 after->update_us * 1000, &clock, &standing),
			LK_LIMIT_PASSES);
		assert_int_equal(standing.remaining, limit.burst - 1);
	}
	lk_arena_done(&arena);
	fixture_key_done(&key);
}

static void test_update_reports_every_fault_together(void **state)
{
	static const char *const parts[] = {"key.name: ", "key.roles[1]: \"reader\" is given twice",
		"key.allowed_cidrs[1]: \"10.0.0.0/8\" is given twice", "key.rate_limits[1].name: \"requests\"",
		"key.credits.balance: "};
	struct fixture_key key = rules_make_full_key();
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;

	(void)state;
	RULES_FILL(&changed);
	changed.id = key.id;
	changed.name = TEXT("a\nb");
	rules_given.roles[1] = rules_given.roles[0];
	rules_given.cidrs[1] = TEXT("10.0.0.0/8");
	rules_given.limit[1].name = rules_given.limit[0].name;
	rules_given.credits.balance = UINT64_C(1000000000001);
	struct loop_answer answer = keys_update(
		&changed, PATHS("name", "roles", "allowed_cidrs", "rate_limits", "credits"), "", LK_INVALID_ARGUMENT);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		fixture_assert_violation(&answer, parts[i]);
	}
	assert_int_equal(fixture_violations_in(&answer), sizeof parts / sizeof parts[0]);
	loop_answer_done(&answer);
	/* Also of a key that is not there. */
	changed.id = TEXT("key_01jd8m3zfwq4v5x6y7z8abcdef");
	answer = keys_update(&changed, PATHS("allowed_cidrs", "rate_limits"), "", LK_INVALID_ARGUMENT);
	assert_int_equal(fixture_violations_in(&answer), 2);
	loop_answer_done(&answer);
	/* But which roles there are, no more than which policy. */
	rules_given.roles[0] = TEXT("nobody");
	answer = keys_update(&changed, PATHS("roles"), "", LK_NOT_FOUND);
	loop_answer_done(&answer);
	rules_given.roles[0] = TEXT("No Role");
	answer = keys_update(&changed, PATHS("roles"), "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key.roles[0]: \"No Role\"");
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_rules_are_not_for_root_keys(void **state)
{
	static const char *const any[] = {"*", NULL};
	struct fixture_key root = fixture_make_root_key(any, any, any);
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;

	(void)state;
	RULES_FILL(&changed);
	changed.id = root.id;
	struct loop_answer answer = keys_update_as(NULL, "system", &changed, RULE_PATHS, "", LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "key.roles: is not for root keys");
	fixture_assert_violation(&answer, "key.allowed_cidrs: is not for root keys");
	fixture_assert_violation(&answer, "key.rate_limits: is not for root keys");
	fixture_assert_violation(&answer, "key.credits: is not for root keys");
	assert_int_equal(fixture_violations_in(&answer), 4);
	loop_answer_done(&answer);
	RULES_FILL(&request);
	request.tenant = TEXT("system");
	request.keyspace = TEXT("root");
	request.name = TEXT("a root key");
	request.grant = &grant;
	answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_INVALID_ARGUMENT);
	assert_int_equal(fixture_violations_in(&answer), 4);
	loop_answer_done(&answer);
	fixture_key_done(&root);
}

static void test_import_keeps_what_is_given_and_no_default(void **state)
{
	(void)state;
	import_begin();
	Latchkey__V1__ImportedKey *full = import_add_token("full-token-0123456789");
	RULES_FILL(full);
	full->id = TEXT(ID_A);
	Google__Protobuf__Timestamp long_ago = import_at(1000000000);
	full->create_time = &long_ago;
	Latchkey__V1__ImportedKey *plain = import_add_token("plain-token-0123456789");
	plain->id = TEXT(ID_B);
	import_all();
	/* The balance is today's, whatever refills there were since the key was made. */
	struct loop_answer answer = keys_get(ID_A);
	rules_assert_full(keys_shown(&answer), 500);
	loop_answer_done(&answer);
	answer = keys_get(ID_B);
	rules_assert_plain(keys_shown(&answer));
	loop_answer_done(&answer);
}

static void test_import_tells_faults_by_key(void **state)
{
	static const char *const violations[] = {
		"keys[1].allowed_cidrs[0]: \"10.1/16\" is no address",
		"keys[1].rate_limits[0].limit: 0 is out of bounds",
		"keys[1].credits.refill.amount: 0 is out of bounds",
		"keys[1].roles[0]: there is no role \"nobody\"",
	};
	Latchkey__V1__RateLimit none = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit *limits[] = {&none};
	char *cidrs[] = {TEXT("10.1/16")};
	char *roles[] = {TEXT("nobody")};

	(void)state;
	import_begin();
	Latchkey__V1__ImportedKey *good = import_add_token("good-token-0123456789");
	RULES_FILL(good);
	rules_given.credits.refill = NULL;
	Latchkey__V1__ImportedKey *bad = import_add_token("bad-token-0123456789");
	Latchkey__V1__Credits credits = LATCHKEY__V1__CREDITS__INIT;
	Latchkey__V1__CreditRefill refill = LATCHKEY__V1__CREDIT_REFILL__INIT;
	refill.interval = LATCHKEY__V1__CREDIT_INTERVAL__CREDIT_INTERVAL_DAY;
	credits.refill = &refill;
	none.name = TEXT("n");
	none.period = &rules_given.day;
	bad->allowed_cidrs = cidrs;
	bad->rate_limits = limits;
	bad->roles = roles;
	bad->n_allowed_cidrs = bad->n_rate_limits = bad->n_roles = 1;
	bad->credits = &credits;
	import_assert_refused(violations, 4);
	assert_int_equal(import_count_keys(), 0);
	import_batch.request.skip_faulty = true;
	struct loop_answer answer = import_run(LK_OK);
	assert_int_equal(import_response_of(&answer)->imported_count, 1);
	assert_int_equal(import_response_of(&answer)->n_faults, 4);
	assert_int_equal(import_response_of(&answer)->faults[3]->index, 1);
	assert_string_equal(import_response_of(&answer)->faults[3]->field, "roles[0]");
	loop_answer_done(&answer);
}

/*
 * As many roles as may be, which permit as much as may be, on as many keys as may be: what they permit is nowhere read for
 * each.
 */
static void test_many_keys_may_have_many_large_roles(void **state)
{
	char permission[LK_PERMISSION_MAX + 1], tokens[IMPORT_KEYS_MAX][32], ids[LK_ROLES_MAX][8];
	char *permissions[LK_PERMISSIONS_MAX], *list[LK_ROLES_MAX];

	(void)state;
	memset(permission, 'p', sizeof permission - 1);
	permission[sizeof permission - 1] = '\0';
	for (size_t i = 0; i < LK_PERMISSIONS_MAX; i++) {
		permissions[i] = permission;
	}
	for (size_t i = 0; i < LK_ROLES_MAX; i++) {
		(void)snprintf(ids[i], sizeof ids[i], "r%zu", i);
		rules_make_role(ids[i], permissions, LK_PERMISSIONS_MAX);
		list[i] = ids[i];
	}
	import_begin();
	for (size_t i = 0; i < IMPORT_KEYS_MAX; i++) {
		(void)snprintf(tokens[i], sizeof tokens[i], "many-token-%zu", i);
		Latchkey__V1__ImportedKey *key = import_add_token(tokens[i]);
		key->roles = list;
		key->n_roles = LK_ROLES_MAX;
	}
	import_all();
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	request.tenant = TEXT("acme");
	request.page_size = IMPORT_KEYS_MAX;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
	const Latchkey__V1__ListKeysResponse *page = (const Latchkey__V1__ListKeysResponse *)answer.response;
	assert_int_equal(page->n_keys, IMPORT_KEYS_MAX);
	for (size_t i = 0; i < page->n_keys; i++) {
		assert_int_equal(page->keys[i]->n_roles, LK_ROLES_MAX);
		assert_string_equal(page->keys[i]->roles[LK_ROLES_MAX - 1], "r15");
	}
	loop_answer_done(&answer);
}

/* What Export tells, Import takes: the key is the same again. */
static void test_export_tells_what_import_takes(void **state)
{
	struct fixture_key key = rules_make_full_key();
	Latchkey__V1__ExportKeysRequest request = LATCHKEY__V1__EXPORT_KEYS_REQUEST__INIT;

	(void)state;
	consume(key.id, 200);
	request.tenant = TEXT("acme");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_export_method, &request.base, LK_OK);
	const Latchkey__V1__ExportKeysResponse *page = (const Latchkey__V1__ExportKeysResponse *)answer.response;
	assert_int_equal(page->n_keys, 1);
	const Latchkey__V1__Key *told = page->keys[0]->key;
	rules_assert_full(told, 300);
	import_begin();
	Latchkey__V1__ImportedKey *again = import_add_token("another-token-0123456789");
	again->id = TEXT(ID_A);
	again->roles = told->roles;
	again->allowed_cidrs = told->allowed_cidrs;
	again->rate_limits = told->rate_limits;
	again->n_roles = again->n_allowed_cidrs = again->n_rate_limits = 2;
	again->credits = told->credits;
	import_all();
	loop_answer_done(&answer);
	answer = keys_get(ID_A);
	rules_assert_full(keys_shown(&answer), 300);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_audit_shows_the_rules_before_and_after(void **state)
{
	struct fixture_key key = rules_make_full_key();
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	Latchkey__V1__ListAuditRecordsRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;

	(void)state;
	consume(key.id, 200);
	changed.id = key.id;
	struct loop_answer answer = keys_update(&changed, RULE_PATHS, "", LK_OK);
	loop_answer_done(&answer);
	request.tenant = TEXT("acme");
	request.key = key.id;
	answer = fixture_call(&latchkey_v1_audit_list_method, &request.base, LK_OK);
	const Latchkey__V1__ListAuditRecordsResponse *page = (const Latchkey__V1__ListAuditRecordsResponse *)
								     answer.response;
	assert_int_equal(page->n_records, 2);
	/* As it was granted: what was spent is not the record's. */
	rules_assert_full(page->records[0]->key_before, 500);
	rules_assert_plain(page->records[0]->key_after);
	rules_assert_full(page->records[1]->key_after, 500);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, rules_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_create_keeps_and_shows_what_is_given),
		TEST(test_create_of_a_plain_key_has_none),
		TEST(test_create_reports_every_fault_together),
		TEST(test_create_takes_the_limits_of_the_policy_where_none_are_given),
		TEST(test_update_sets_and_clears_each_alone),
		TEST(test_update_of_another_field_leaves_the_counts_alone),
		TEST(test_update_to_the_same_changes_nothing),
		TEST(test_update_with_other_limits_keeps_the_clock_of_a_name),
		TEST(test_update_reports_every_fault_together),
		TEST(test_rules_are_not_for_root_keys),
		TEST(test_import_keeps_what_is_given_and_no_default),
		TEST(test_import_tells_faults_by_key),
		TEST(test_many_keys_may_have_many_large_roles),
		TEST(test_export_tells_what_import_takes),
		TEST(test_audit_shows_the_rules_before_and_after),
	};

	return cmocka_run_group_tests_name("service key rules", tests, NULL, NULL);
}

#include "tests/unit/service/key_calls.h"

#include <latchkey/v1/audit.client.h>

#include "server/core/credits.h"
#include "server/store/find.h"
#include "server/store/slots.h"
#include "server/store/store.h"

#define SET  LATCHKEY__V1__ADJUST_CREDITS_REQUEST__ADJUSTMENT_SET
#define ADDS LATCHKEY__V1__ADJUST_CREDITS_REQUEST__ADJUSTMENT_ADD
#define TAKE LATCHKEY__V1__ADJUST_CREDITS_REQUEST__ADJUSTMENT_TAKE
#define NONE LATCHKEY__V1__ADJUST_CREDITS_REQUEST__ADJUSTMENT__NOT_SET
#define MAX  ((uint64_t)LK_CREDITS_MAX)

typedef Latchkey__V1__AdjustCreditsRequest__AdjustmentCase Case;

static Latchkey__V1__AdjustCreditsRequest request_of(const char *key, Case adjustment, uint64_t amount)
{
	Latchkey__V1__AdjustCreditsRequest request = LATCHKEY__V1__ADJUST_CREDITS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	request.adjustment_case = adjustment;
	if (adjustment == SET) {
		request.set = amount;
	} else if (adjustment == ADDS) {
		request.add = amount;
	} else if (adjustment == TAKE) {
		request.take = amount;
	}
	return request;
}

static struct loop_answer adjust(const char *key, Case adjustment, uint64_t amount, enum lk_err expected)
{
	Latchkey__V1__AdjustCreditsRequest request = request_of(key, adjustment, amount);

	return fixture_call(&latchkey_v1_key_adjust_credits_method, &request.base, expected);
}

/* Adjusts, and fails the test unless that leaves `left`, in the answer as in what Get shows. */
static void check_adjust(const char *key, Case adjustment, uint64_t amount, uint64_t left)
{
	struct loop_answer answer = adjust(key, adjustment, amount, LK_OK);
	struct loop_answer shown = keys_get(key);

	assert_non_null(keys_shown(&answer)->credits);
	assert_int_equal(keys_shown(&answer)->credits->balance, left);
	assert_int_equal(keys_shown(&shown)->credits->balance, left);
	assert_string_equal(keys_shown(&answer)->etag, keys_shown(&shown)->etag);
	loop_answer_done(&shown);
	loop_answer_done(&answer);
}

static struct fixture_key make_key(uint64_t balance)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__Credits credits = LATCHKEY__V1__CREDITS__INIT;

	credits.balance = balance;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.name = TEXT("spender");
	request.credits = &credits;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	return fixture_take_key(&answer);
}

static uint64_t slot_of(const char *key)
{
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_snapshot_new(fixture_loop.store, &txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(txn), LK_OK);
	uint64_t slot = lk_find_slot_of_id(txn, key);
	lk_snapshot_free(txn);
	assert_true(slot != 0);
	return slot;
}

/* Spends as a verdict does. */
static void spend(const char *key, uint64_t cost)
{
	struct lk_slot *slot = lk_slots_at(lk_store_slots(fixture_loop.store), slot_of(key));

	atomic_fetch_add(&slot->spent, cost);
}

static void test_credits_are_set_added_and_taken(void **state)
{
	struct fixture_key key = make_key(100);

	(void)state;
	check_adjust(key.id, ADDS, 50, 150);
	check_adjust(key.id, TAKE, 30, 120);
	check_adjust(key.id, SET, 7, 7);
	check_adjust(key.id, TAKE, 8, 0);
	check_adjust(key.id, ADDS, MAX, MAX);
	check_adjust(key.id, ADDS, MAX, MAX);
	check_adjust(key.id, SET, 0, 0);
	check_adjust(key.id, SET, MAX, MAX);
	/* By its number, too. */
	check_adjust("1", TAKE, MAX - 1, 1);
	fixture_key_done(&key);
}

static void test_credits_are_adjusted_from_what_is_left(void **state)
{
	struct fixture_key key = make_key(100);

	(void)state;
	spend(key.id, 60);
	check_adjust(key.id, ADDS, 5, 45);
	spend(key.id, 40);
	check_adjust(key.id, TAKE, 1, 4);
	check_adjust(key.id, SET, 10, 10);
	/* From here on in a new epoch. */
	spend(key.id, 3);
	check_adjust(key.id, ADDS, 1, 11);
	loop_restart(&fixture_loop);
	check_adjust(key.id, ADDS, 1, 12);
	fixture_key_done(&key);
}

static void test_credits_of_none_more_change_nothing(void **state)
{
	struct fixture_key key = make_key(100);
	struct loop_answer before = keys_get(key.id);

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct loop_answer answer = adjust(key.id, i == 0 ? ADDS : TAKE, 0, LK_OK);
		assert_string_equal(keys_shown(&answer)->etag, keys_shown(&before)->etag);
		assert_int_equal(keys_shown(&answer)->credits->balance, 100);
		assert_int_equal(answer.revision, before.revision);
		loop_answer_done(&answer);
	}
	loop_answer_done(&before);
	fixture_key_done(&key);
}

static const struct {
	Case adjustment;
	uint64_t amount;
	const char *violation;
} faults[] = {
	{NONE, 0, "adjustment: is needed: give set, add or take"},
	{SET, MAX + 1, "set: 1000000000001 is too many: give at most 1000000000000"},
	{ADDS, UINT64_MAX, "add: 18446744073709551615 is too many"},
	{TAKE, MAX + 1, "take: 1000000000001 is too many"},
};

static void test_credits_faults_are_named(void **state)
{
	struct fixture_key key = make_key(100);

	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
		struct loop_answer answer = adjust(key.id, faults[i].adjustment, faults[i].amount, LK_INVALID_ARGUMENT);
		if (strstr(answer.violations, faults[i].violation) == NULL) {
			fail_msg("'%s' does not say '%s'", answer.violations, faults[i].violation);
		}
		loop_answer_done(&answer);
		/* Together with the others. */
		answer = adjust("key 1", faults[i].adjustment, faults[i].amount, LK_INVALID_ARGUMENT);
		assert_non_null(strstr(answer.violations, faults[i].violation));
		assert_non_null(strstr(answer.violations, "key: "));
		loop_answer_done(&answer);
	}
	struct loop_answer shown = keys_get(key.id);
	assert_int_equal(keys_shown(&shown)->credits->balance, 100);
	loop_answer_done(&shown);
	fixture_key_done(&key);
}

static void test_credits_of_a_key_that_needs_none(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "free");

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct loop_answer answer = adjust(key.id, ADDS, (uint64_t)i, LK_FAILED_PRECONDITION);
		assert_non_null(strstr(answer.message, "needs no credits"));
		assert_non_null(strstr(answer.message, "by an Update of its credits"));
		loop_answer_done(&answer);
	}
	fixture_key_done(&key);
}

static void test_credits_by_the_state_of_the_key(void **state)
{
	struct fixture_key key = make_key(100);

	(void)state;
	struct loop_answer answer = keys_do(ACTION(SUSPEND), key.id, LK_OK);
	loop_answer_done(&answer);
	check_adjust(key.id, ADDS, 1, 101);
	answer = keys_do(ACTION(REVOKE), key.id, LK_OK);
	loop_answer_done(&answer);
	answer = adjust(key.id, ADDS, 1, LK_FAILED_PRECONDITION);
	assert_non_null(strstr(answer.message, "is REVOKED"));
	loop_answer_done(&answer);
	fixture_key_done(&key);
	/* One that has expired can be changed. */
	key = keys_make_expired("prod");
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	Latchkey__V1__Credits credits = LATCHKEY__V1__CREDITS__INIT;
	credits.balance = 5;
	changed.id = key.id;
	changed.credits = &credits;
	answer = keys_update(&changed, PATHS("credits"), "", LK_OK);
	assert_int_equal(keys_shown(&answer)->state, STATE(EXPIRED));
	loop_answer_done(&answer);
	check_adjust(key.id, TAKE, 1, 4);
	fixture_key_done(&key);
}

static void check_refused(const struct fixture_key *caller, const char *tenant, const char *key, enum lk_err expected)
{
	struct loop_call how = {.anonymous = true, .credential = caller->token};
	Latchkey__V1__AdjustCreditsRequest request = request_of(key, ADDS, 1);

	request.tenant = TEXT(tenant);
	struct loop_answer answer = loop_call(
		&fixture_loop, &how, &latchkey_v1_key_adjust_credits_method, &request.base);
	assert_int_equal(answer.code, lk_err_wire_code(expected));
	loop_answer_done(&answer);
}

static void test_credits_are_for_those_who_are_granted_it(void **state)
{
	struct fixture_key key = make_key(100);
	struct fixture_key other = fixture_make_root_key(PATHS("keys.update", "keys.get"), PATHS("*"), PATHS("*"));
	struct fixture_key elsewhere = fixture_make_root_key(PATHS("*"), PATHS("umbrella"), PATHS("*"));
	struct fixture_key granted = fixture_make_root_key(PATHS("keys.adjust_credits"), PATHS("acme"), PATHS("prod"));

	(void)state;
	check_refused(&other, "acme", key.id, LK_PERMISSION_DENIED);
	check_refused(&elsewhere, "acme", key.id, LK_PERMISSION_DENIED);
	check_refused(&granted, "acme", "4711", LK_NOT_FOUND);
	check_refused(&granted, "acme", key.id, LK_OK);
	check_adjust(key.id, ADDS, 1, 102);
	fixture_key_done(&granted);
	fixture_key_done(&elsewhere);
	fixture_key_done(&other);
	fixture_key_done(&key);
}

/* All of them read the key before the first is committed; none may be lost. */
static void test_credits_added_at_a_time_all_count(void **state)
{
	struct fixture_key key = make_key(100);
	struct fixture_key root = fixture_make_root_key(PATHS("*"), PATHS("*"), PATHS("*"));
	const struct loop_call other = {.anonymous = true, .credential = root.token};
	struct loop_pending *pending[16];
	struct lk_txn *txn = NULL;

	(void)state;
	/* The writer waits for this transaction to end, and the others for the writer. */
	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	for (size_t i = 0; i < 16; i++) {
		Latchkey__V1__AdjustCreditsRequest request = request_of(key.id, i % 4 == 3 ? TAKE : ADDS, 10);
		pending[i] = loop_begin(&fixture_loop, i % 2 == 0 ? &fixture_operator : &other,
			&latchkey_v1_key_adjust_credits_method, &request.base);
	}
	/* What is spent meanwhile counts, too. */
	spend(key.id, 7);
	lk_write_abort(txn);
	for (size_t i = 0; i < 16; i++) {
		struct loop_answer answer = loop_end(pending[i]);
		assert_int_equal(answer.code, 0);
		loop_answer_done(&answer);
	}
	check_adjust(key.id, ADDS, 0, 100 + 12 * 10 - 4 * 10 - 7);
	fixture_key_done(&root);
	fixture_key_done(&key);
}

static void test_credits_adjusted_are_in_the_audit(void **state)
{
	struct fixture_key key = make_key(100);
	Latchkey__V1__ListAuditRecordsRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;

	(void)state;
	check_adjust(key.id, SET, 40, 40);
	request.page_size = 1;
	struct loop_answer answer = fixture_call(&latchkey_v1_audit_list_method, &request.base, LK_OK);
	const Latchkey__V1__ListAuditRecordsResponse *response = (const Latchkey__V1__ListAuditRecordsResponse *)
									 answer.response;
	assert_int_equal(response->n_records, 1);
	assert_string_equal(response->records[0]->method, "latchkey.v1.KeyService/AdjustCredits");
	assert_int_equal(response->records[0]->key_before->credits->balance, 100);
	assert_int_equal(response->records[0]->key_after->credits->balance, 40);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_credits_are_set_added_and_taken, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_credits_are_adjusted_from_what_is_left, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_credits_of_none_more_change_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_credits_faults_are_named, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_credits_of_a_key_that_needs_none, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(test_credits_by_the_state_of_the_key, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_credits_are_for_those_who_are_granted_it, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_credits_added_at_a_time_all_count, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			test_credits_adjusted_are_in_the_audit, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

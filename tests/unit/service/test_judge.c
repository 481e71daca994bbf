/*
 * The judge by itself, and what Verify makes of questions that are wrong, callers that see little, and keys that change
 * meanwhile.
 */
#include "server/service/judge.h"

#include <stdlib.h>
#include <time.h>

#include "server/store/apply.h"
#include "server/store/denials.h"
#include "server/store/find.h"
#include "server/store/slots.h"
#include "tests/lib/draft.h"
#include "tests/unit/service/key_calls.h"

#define DAY_US INT64_C(86400000000)

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

static struct loop_answer verify_as(
	const struct loop_call *how, const Latchkey__V1__VerifyKeyRequest *request, enum lk_err expected)
{
	struct loop_answer answer = loop_call(
		&fixture_loop, how, &latchkey_v1_key_verify_method, (const ProtobufCMessage *)request);

	assert_int_equal(answer.code, lk_err_wire_code(expected));
	return answer;
}

static const Latchkey__V1__VerifyKeyResponse *shown(const struct loop_answer *answer)
{
	return (const Latchkey__V1__VerifyKeyResponse *)answer->response;
}

static Latchkey__V1__VerifyCode code_of(const struct loop_call *how, const Latchkey__V1__VerifyKeyRequest *request)
{
	struct loop_answer answer = verify_as(how, request, LK_OK);
	Latchkey__V1__VerifyCode code = shown(&answer)->code;

	loop_answer_done(&answer);
	return code;
}

static Latchkey__V1__VerifyKeyRequest asking(const char *token)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(token);
	return request;
}

static bool has_line(const char *text, const char *begin)
{
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, begin, strlen(begin)) == 0) {
			return true;
		}
	}
	print_message("\"%s\" is not in:\n%s\n", begin, text);
	return false;
}

static size_t count_lines(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text++) {
		count += *text == '\n';
	}
	return count;
}

static void test_verify_reports_every_fault_of_a_question_together(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__VerifyKeyRequest request = asking(key.token);
	Latchkey__V1__RateCharge charges[4];
	Latchkey__V1__RateCharge *list[4];
	static const char *const names[] = {"day", "Day", "day", ""};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		latchkey__v1__rate_charge__init(&charges[i]);
		charges[i].name = TEXT(names[i]);
		charges[i].cost = i == 1 ? UINT64_MAX : 0;
		list[i] = &charges[i];
	}
	request.rate_charges = list;
	request.n_rate_charges = 4;
	request.permission_expression = TEXT("chat:read AND");
	request.client_ip = TEXT("10.0.0.1/32");
	request.keyspace = TEXT("No Keyspace");
	request.cost = 1000000000001;
	struct loop_answer answer = verify_as(&fixture_operator, &request, LK_INVALID_ARGUMENT);
	assert_true(has_line(answer.violations, "keyspace: "));
	assert_true(has_line(answer.violations, "client_ip: \"10.0.0.1/32\" is no address"));
	assert_true(has_line(answer.violations, "cost: 1000000000001 is too much"));
	assert_true(has_line(answer.violations, "permission_expression: at position 11"));
	assert_true(has_line(answer.violations, "rate_charges[1].name: \"Day\" is no name"));
	assert_true(has_line(answer.violations, "rate_charges[1].cost: 18446744073709551615 is too much"));
	assert_true(has_line(answer.violations, "rate_charges[2].name: \"day\" is charged twice"));
	assert_true(has_line(answer.violations, "rate_charges[3].name: \"\" is no name"));
	assert_int_equal(count_lines(answer.violations), 8);
	assert_null(strstr(answer.violations, key.token));
	loop_answer_done(&answer);
	/* And it was no use. */
	answer = keys_get(key.id);
	assert_int_equal(keys_shown(&answer)->usage_count, 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_verify_takes_what_is_just_within_the_limits(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__VerifyKeyRequest request = asking(key.token);
	static const char *const names[] = {"a", "b", "c", "d", "e-_9", "0", "-", "abcdefghijklmnopqrstuvwxyz012345"};
	Latchkey__V1__RateCharge charges[9];
	Latchkey__V1__RateCharge *list[9];

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		latchkey__v1__rate_charge__init(&charges[i]);
		charges[i].name = TEXT(i == 8 ? "f" : names[i]);
		charges[i].cost = 1000000000000;
		list[i] = &charges[i];
	}
	request.rate_charges = list;
	request.n_rate_charges = 8;
	request.cost = 1000000000000;
	request.client_ip = TEXT("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	assert_int_equal(code_of(&fixture_operator, &request), VERDICT(VALID));
	request.n_rate_charges = 9;
	struct loop_answer answer = verify_as(&fixture_operator, &request, LK_INVALID_ARGUMENT);
	assert_true(has_line(answer.violations, "rate_charges"));
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_verify_takes_no_address_with_anything_around_it(void **state)
{
	static const char *const wrong[] = {"10.0.0.1:80", "[::1]", "fe80::1%eth0", " 10.0.0.1", "10.0.0", "localhost",
		"::/0", "10.0.0.256", "1.2.3.4.5", ":::"};
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__VerifyKeyRequest request = asking(key.token);

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		request.client_ip = TEXT(wrong[i]);
		struct loop_answer answer = verify_as(&fixture_operator, &request, LK_INVALID_ARGUMENT);
		assert_true(has_line(answer.violations, "client_ip: "));
		loop_answer_done(&answer);
	}
	fixture_key_done(&key);
}

/* How a state's times come about, between two readings of the clock. */
static void test_verify_says_when_a_limit_is_whole_again(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__VerifyKeyRequest request = asking(key.token);
	Latchkey__V1__RateCharge charge = LATCHKEY__V1__RATE_CHARGE__INIT;
	Latchkey__V1__RateCharge *list[] = {&charge};

	(void)state;
	fixture_give_limit(&arena, fixture_read_key(&arena, "acme", key.id), 3, 0);
	int64_t before_us = now_us();
	struct loop_answer answer = verify_as(&fixture_operator, &request, LK_OK);
	int64_t after_us = now_us();
	const Latchkey__V1__RateState *rate = shown(&answer)->rate_states[0];
	assert_int_equal(rate->remaining, 2);
	assert_int_equal(rate->limit, 3);
	assert_non_null(rate->reset_time);
	int64_t reset_us = rate->reset_time->seconds * 1000000 + rate->reset_time->nanos / 1000;
	/* A third of 30 days for each; cut or rounded to less than a microsecond. */
	assert_true(reset_us >= before_us + 10 * DAY_US - 1 && reset_us <= after_us + 10 * DAY_US + 2);
	assert_null(rate->retry_after);
	loop_answer_done(&answer);
	/* Two are left: three would pass as soon as the first is back. */
	charge.name = TEXT("month");
	charge.cost = 3;
	request.rate_charges = list;
	request.n_rate_charges = 1;
	answer = verify_as(&fixture_operator, &request, LK_OK);
	assert_int_equal(shown(&answer)->code, VERDICT(RATE_LIMITED));
	rate = shown(&answer)->rate_states[0];
	assert_true(rate->refused);
	assert_non_null(rate->retry_after);
	int64_t retry_us = rate->retry_after->seconds * 1000000 + rate->retry_after->nanos / 1000;
	assert_true(retry_us <= 10 * DAY_US + 2 && retry_us >= 10 * DAY_US - (now_us() - before_us) - 2);
	loop_answer_done(&answer);
	charge.cost = 4;
	answer = verify_as(&fixture_operator, &request, LK_OK);
	assert_true(shown(&answer)->rate_states[0]->refused);
	assert_null(shown(&answer)->rate_states[0]->retry_after);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

/* A root key that may do everything, but to its own keys alone. */
static struct fixture_key make_own_only(const char *owner)
{
	static const char *const all[] = {"*", NULL};
	struct fixture_key key = fixture_make_root_key(all, all, all);
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "system", key.id);

	record->owner = TEXT(owner);
	record->grant->own_only = true;
	fixture_put_key(&arena, record);
	return key;
}

static void test_verify_of_own_only_finds_no_others_key(void **state)
{
	static const struct {
		const char *caller, *owner;
		int code;
	} cases[] = {
		{"ada", "ada", VERDICT(VALID)},
		{"ada", "bob", VERDICT(NOT_FOUND)},
		{"ada", "", VERDICT(NOT_FOUND)},
		{"ada", "ada2", VERDICT(NOT_FOUND)},
		{"ada", "ad", VERDICT(NOT_FOUND)},
		{"ada", "Ada", VERDICT(NOT_FOUND)},
		/* Who is nobody to the keys owns none, not even those that nobody owns. */
		{"", "", VERDICT(NOT_FOUND)},
		{"", "ada", VERDICT(NOT_FOUND)},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture_key caller = make_own_only(cases[i].caller);
		struct fixture_key key = fixture_make_key("acme", "prod", "ci");
		Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
		const struct loop_call how = {.credential = caller.token};
		Latchkey__V1__VerifyKeyRequest request = asking(key.token);
		record->owner = TEXT(cases[i].owner);
		fixture_put_key(&arena, record);
		assert_int_equal(code_of(&how, &request), cases[i].code);
		/* What is not found in reach is noted of no key. */
		assert_int_equal(lk_denials_last(lk_store_denials(fixture_loop.store), record->slot).code, 0);
		/* Nor does an explanation tell of it. */
		request.explain = true;
		struct loop_answer answer = verify_as(&how, &request, LK_OK);
		assert_int_equal(shown(&answer)->code, cases[i].code);
		assert_int_equal(shown(&answer)->n_gates, 11);
		bool found = cases[i].code == VERDICT(VALID);
		assert_int_equal(
			shown(&answer)->gates[4]->outcome, found ? LATCHKEY__V1__GATE_OUTCOME__GATE_OUTCOME_PASSED
								 : LATCHKEY__V1__GATE_OUTCOME__GATE_OUTCOME_NOT_ASKED);
		assert_int_equal(shown(&answer)->key != NULL, found);
		loop_answer_done(&answer);
		fixture_key_done(&key);
		fixture_key_done(&caller);
	}
}

static uint64_t denied(uint32_t keyspace, Latchkey__V1__VerifyCode code)
{
	uint64_t counts[LK_DENIAL_CODES];

	lk_denials_counts(lk_store_denials(fixture_loop.store), keyspace, counts);
	return counts[code];
}

static void test_verify_notes_a_denial_with_its_address(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	struct lk_denials *denials = lk_store_denials(fixture_loop.store);
	Latchkey__V1__VerifyKeyRequest request = asking(key.token);
	char text[LK_CIDR_TEXT_LEN];

	(void)state;
	assert_int_equal(code_of(&fixture_operator, &request), VERDICT(VALID));
	assert_int_equal(lk_denials_last(denials, record->slot).code, 0);
	request.permission_expression = TEXT("a");
	request.client_ip = TEXT("192.0.2.7");
	/* Neither a rehearsal nor an explanation is a denial. */
	request.dry_run = true;
	assert_int_equal(code_of(&fixture_operator, &request), VERDICT(INSUFFICIENT_PERMISSIONS));
	request.dry_run = false;
	request.explain = true;
	assert_int_equal(code_of(&fixture_operator, &request), VERDICT(INSUFFICIENT_PERMISSIONS));
	assert_int_equal(lk_denials_last(denials, record->slot).code, 0);
	assert_int_equal(denied(record->keyspace, VERDICT(INSUFFICIENT_PERMISSIONS)), 0);
	request.explain = false;
	int64_t before_us = now_us();
	assert_int_equal(code_of(&fixture_operator, &request), VERDICT(INSUFFICIENT_PERMISSIONS));
	struct lk_denial denial = lk_denials_last(denials, record->slot);
	assert_int_equal(denial.code, VERDICT(INSUFFICIENT_PERMISSIONS));
	assert_true(denial.time_us >= before_us && denial.time_us <= now_us());
	lk_address_format(&denial.address, text);
	assert_string_equal(text, "192.0.2.7");
	assert_int_equal(denied(record->keyspace, VERDICT(INSUFFICIENT_PERMISSIONS)), 1);
	assert_int_equal(denied(record->keyspace, VERDICT(VALID)), 0);
	fixture_key_done(&key);
}

/* Nor what was asked of a key that the caller may not see, in a keyspace of which it is. */
static void test_verify_notes_what_is_not_found_of_no_keyspace(void **state)
{
	static const char *const all[] = {"*", NULL};
	static const char *const elsewhere[] = {"elsewhere", NULL};
	struct fixture_key caller = fixture_make_root_key(all, elsewhere, all);
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	const struct loop_call how = {.credential = caller.token};
	Latchkey__V1__VerifyKeyRequest request = asking(key.token);

	(void)state;
	assert_int_equal(code_of(&how, &request), VERDICT(NOT_FOUND));
	request.token = TEXT("nonsense");
	assert_int_equal(code_of(&fixture_operator, &request), VERDICT(MALFORMED));
	assert_int_equal(denied(record->keyspace, VERDICT(NOT_FOUND)), 0);
	assert_int_equal(denied(record->keyspace, VERDICT(MALFORMED)), 0);
	assert_int_equal(lk_denials_last(lk_store_denials(fixture_loop.store), record->slot).code, 0);
	fixture_key_done(&key);
	fixture_key_done(&caller);
}

/* The parts of the judge, on a snapshot of the test's own. */
static struct lk_court open_court(void)
{
	struct lk_court court = {
		.keyring = lk_store_keyring(fixture_loop.store),
		.slots = lk_store_slots(fixture_loop.store),
		.denials = lk_store_denials(fixture_loop.store),
	};

	assert_int_equal(lk_snapshot_new(fixture_loop.store, &court.txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(court.txn), LK_OK);
	return court;
}

static struct lk_question question_of(const char *token)
{
	static char any[] = "*";
	static char *list[] = {any};
	static Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;

	grant.tenants = list;
	grant.n_tenants = 1;
	grant.keyspaces = list;
	grant.n_keyspaces = 1;
	return (struct lk_question){
		.token = token,
		.token_len = strlen(token),
		.keyspace = "",
		.cost = 1,
		.grant = &grant,
		.subject = "",
		.now_us = now_us(),
	};
}

/* A key that was changed, and used since, is judged as it now is: by a limit that the snapshot does not know. */
static void test_judge_looks_again_where_the_slot_is_ahead(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	struct lk_answer answer;

	(void)state;
	fixture_give_limit(&arena, record, 5, 0);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	struct lk_court court = open_court();
	/* Another limit on the same clock: its generation tells them apart. */
	fixture_give_limit(&arena, record, 2, 1);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	struct lk_question question = question_of(key.token);
	assert_int_equal(lk_judge(&court, &question, &answer), LK_OK);
	assert_int_equal(answer.code, VERDICT(VALID));
	assert_int_equal(answer.charge.n_limits, 1);
	assert_int_equal(answer.charge.limits[0].limit.limit, 2);
	assert_int_equal(answer.charge.limits[0].standing.remaining, 0);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(RATE_LIMITED));
	assert_int_equal(lk_slots_usage(court.slots, record->slot).count, 3);
	lk_snapshot_free(court.txn);
	fixture_key_done(&key);
}

/* Slots that are ahead of every state: nobody may pass by guess, and nobody is told a verdict. */
static void test_judge_gives_up_where_the_slot_stays_ahead(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	Latchkey__V1__VerifyKeyRequest request = asking(key.token);
	struct lk_answer result;

	(void)state;
	fixture_give_limit(&arena, record, 5, 0);
	struct lk_court court = open_court();
	struct lk_slot *slot = lk_slots_at(court.slots, record->slot);
	uint64_t ahead = ((uint64_t)now_us() * 1000 & ~UINT64_C(15)) | 3;
	atomic_store(&slot->clocks[0], ahead);
	struct lk_question question = question_of(key.token);
	assert_int_equal(lk_judge(&court, &question, &result), LK_UNAVAILABLE);
	for (unsigned i = 0; i < 3; i++) {
		request.dry_run = i == 1;
		request.explain = i == 2;
		struct loop_answer answer = verify_as(&fixture_operator, &request, LK_UNAVAILABLE);
		assert_non_null(strstr(answer.message, "try again"));
		loop_answer_done(&answer);
	}
	assert_true(atomic_load(&slot->clocks[0]) == ahead);
	assert_int_equal(lk_slots_usage(court.slots, record->slot).count, 0);
	assert_int_equal(lk_denials_last(court.denials, record->slot).code, 0);
	lk_snapshot_free(court.txn);
	fixture_key_done(&key);
}

/* The clock was ahead when the key was used, and was set back: of that refill the key has what it has left, and no more. */
static void test_judge_goes_on_where_the_clock_was_set_back_across_a_refill(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	Latchkey__Store__CreditsRecord credits = LATCHKEY__STORE__CREDITS_RECORD__INIT;
	Latchkey__V1__VerifyKeyRequest request = asking(key.token);

	(void)state;
	credits.balance = 100;
	credits.since_us = now_us();
	credits.refill_amount = 10;
	credits.refill_interval = LATCHKEY__STORE__REFILL_INTERVAL__REFILL_INTERVAL_MONTH;
	credits.refill_mode = LATCHKEY__STORE__REFILL_MODE__REFILL_MODE_REPLACE;
	record->credits = &credits;
	fixture_put_key(&arena, record);
	for (unsigned i = 0; i < 2; i++) {
		struct lk_slot *slot = lk_slots_at(lk_store_slots(fixture_loop.store), record->slot);
		atomic_store(&slot->spent, UINT64_C(3) << 48 | 8);
		request.dry_run = true;
		assert_int_equal(code_of(&fixture_operator, &request), VERDICT(VALID));
		assert_true(atomic_load(&slot->spent) == (UINT64_C(3) << 48 | 8));
		request.dry_run = false;
		assert_int_equal(code_of(&fixture_operator, &request), VERDICT(VALID));
		assert_int_equal(code_of(&fixture_operator, &request), VERDICT(VALID));
		assert_int_equal(code_of(&fixture_operator, &request), VERDICT(CREDITS_EXHAUSTED));
		assert_true(atomic_load(&slot->spent) == (UINT64_C(3) << 48 | 10));
		/* And once more beside a limit. */
		fixture_give_limit(&arena, record, 100, 0);
	}
	fixture_key_done(&key);
}

/* A record that does not add up opens nothing, and costs nothing. */
static void test_judge_says_corrupt_where_a_list_is_missing(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	struct lk_txn *txn = NULL;
	struct lk_gate gate;
	struct lk_answer answer;

	(void)state;
	fixture_give_limit(&arena, record, 5, 0);
	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	assert_true(lk_gate_get(txn, record->keyspace, &gate));
	gate.has_cidrs = 1;
	lk_gate_put(txn, record->keyspace, &gate);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	struct lk_court court = open_court();
	struct lk_question question = question_of(key.token);
	assert_int_equal(lk_judge(&court, &question, &answer), LK_CORRUPT);
	assert_true(atomic_load(&lk_slots_at(court.slots, record->slot)->clocks[0]) == 0);
	assert_int_equal(lk_slots_usage(court.slots, record->slot).count, 0);
	lk_snapshot_free(court.txn);
	fixture_key_done(&key);
}

/* Without anywhere to note denials, as a verifier may be that only reads. */
static void test_judge_does_without_denials(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	struct lk_answer answer;

	(void)state;
	record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;
	fixture_put_key(&arena, record);
	struct lk_court court = open_court();
	struct lk_question question = question_of(key.token);
	struct lk_denials *denials = court.denials;
	court.denials = NULL;
	assert_int_equal(lk_judge(&court, &question, &answer), LK_OK);
	assert_int_equal(answer.code, VERDICT(SUSPENDED));
	assert_int_equal(lk_denials_last(denials, record->slot).code, 0);
	court.denials = denials;
	assert_int_equal(lk_judge(&court, &question, &answer), LK_OK);
	assert_int_equal(lk_denials_last(denials, record->slot).code, VERDICT(SUSPENDED));
	lk_snapshot_free(court.txn);
	fixture_key_done(&key);
}

/* What a key holds may be far longer than anybody reads: the explanation ends, and says so. */
static void test_explanation_of_all_that_a_key_holds_is_bounded(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	Latchkey__V1__VerifyKeyRequest request = asking(key.token);
	char *permissions[64];

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		permissions[i] = lk_arena_printf(&arena, "%0120zu:read", i);
	}
	record->permissions = permissions;
	record->n_permissions = 64;
	fixture_put_key(&arena, record);
	request.explain = true;
	request.permission_expression = TEXT("a");
	struct loop_answer answer = verify_as(&fixture_operator, &request, LK_OK);
	const char *said = shown(&answer)->gates[8]->description;
	assert_in_range(strlen(said), 3000, 4100);
	assert_string_equal(said + strlen(said) - 4, " ...");
	assert_string_equal(shown(&answer)->gates[10]->description, "the key needs no credits");
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_verify_reports_every_fault_of_a_question_together),
		TEST(test_verify_takes_what_is_just_within_the_limits),
		TEST(test_verify_takes_no_address_with_anything_around_it),
		TEST(test_verify_says_when_a_limit_is_whole_again),
		TEST(test_verify_of_own_only_finds_no_others_key),
		TEST(test_verify_notes_a_denial_with_its_address),
		TEST(test_verify_notes_what_is_not_found_of_no_keyspace),
		TEST(test_judge_looks_again_where_the_slot_is_ahead),
		TEST(test_judge_gives_up_where_the_slot_stays_ahead),
		TEST(test_judge_goes_on_where_the_clock_was_set_back_across_a_refill),
		TEST(test_judge_says_corrupt_where_a_list_is_missing),
		TEST(test_judge_does_without_denials),
		TEST(test_explanation_of_all_that_a_key_holds_is_bounded),
	};

	return cmocka_run_group_tests_name("service judge", tests, NULL, NULL);
}

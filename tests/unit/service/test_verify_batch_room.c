/*
 * How far an answer of VerifyBatch goes: as far as the reply has room, and the time it is given; what it does not answer takes
 * nothing. And what becomes of the others where a key changes, or cannot be read, meanwhile.
 */
#include <time.h>

#include "server/service/key_handlers.h"
#include "server/store/apply.h"
#include "server/store/find.h"
#include "server/store/slots.h"
#include "server/store/verdict_record.h"
#include "tests/lib/draft.h"
#include "tests/unit/service/batch_calls.h"

#define UNKNOWN "sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw"

static struct lk_arena arena;

static int setup(void **state)
{
	return lk_arena_init(&arena, 1 << 16, 1 << 26) == LK_OK ? fixture_setup(state) : -1;
}

static int teardown(void **state)
{
	batch_answers_done();
	lk_arena_done(&arena);
	return fixture_teardown(state);
}

static char *text_of_length(size_t len)
{
	char *text = lk_arena_alloc(&arena, len + 1);

	memset(text, 'x', len);
	return text;
}

static void give_credits(Latchkey__Store__KeyRecord *key, uint64_t balance)
{
	key->credits = lk_arena_alloc(&arena, sizeof *key->credits);
	latchkey__store__credits_record__init(key->credits);
	key->credits->balance = balance;
}

static uint64_t uses_of(const Latchkey__Store__KeyRecord *key)
{
	return lk_slots_usage(lk_store_slots(fixture_loop.store), key->slot).count;
}

/* A reply has room for so many keys with 4 KiB of metadata and all permissions: the others' credits are there for the next call. */
static void test_batch_answers_as_many_as_fit_and_charges_no_more(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "large");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	char *permissions[64];
	size_t done = 0;
	size_t calls = 0;

	(void)state;
	for (size_t i = 0; i < 64; i++) {
		permissions[i] = lk_arena_printf(&arena, "%0120zu:read", i);
	}
	record->permissions = permissions;
	record->n_permissions = 64;
	lk_draft_metadata(&arena, record, "much", text_of_length(4000));
	give_credits(record, 1000);
	fixture_put_key(&arena, record);
	batch_begin();
	for (size_t i = 0; i < 1000; i++) {
		batch_add(key.token, NULL);
	}
	for (; done < 1000; calls++) {
		batch_calls.request.items = batch_calls.list + done;
		batch_calls.request.n_items = 1000 - done;
		struct loop_answer answer = batch_run(NULL, LK_OK);
		size_t count = batch_count(&answer);
		assert_in_range(count, 1, LK_REPLY_MAX / 12000);
		assert_true(answer.payload_len < LK_REPLY_MAX);
		for (size_t i = 0; i < count; i++) {
			const Latchkey__V1__VerifyOutcome *outcome = batch_outcome(&answer, i);
			assert_int_equal(batch_code(outcome), VERDICT(VALID));
			assert_int_equal(outcome->verdict->credits_remaining, 1000 - ++done);
			assert_int_equal(outcome->verdict->key->n_permissions, 64);
		}
		assert_int_equal(uses_of(record), done);
		loop_answer_done(&answer);
	}
	assert_true(calls > 11);
	fixture_key_done(&key);
}

/* The identity of such a key no reply has room for, though no request makes one: it is told so alone, and takes nothing. */
static void test_batch_tells_what_no_reply_has_room_for(void **state)
{
	struct fixture_key good = fixture_make_key("acme", "prod", "good");
	struct fixture_key huge = fixture_make_key("acme", "prod", "huge");
	struct fixture_key large = fixture_make_key("acme", "prod", "large");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", huge.id);
	Latchkey__Store__KeyRecord *half = fixture_read_key(&arena, "acme", large.id);
	const char *const tokens[] = {good.token, huge.token, large.token, large.token, good.token};
	static const size_t counts[] = {1, 2, 2};
	static const int codes[] = {VERDICT(VALID), 0, VERDICT(VALID), VERDICT(VALID), VERDICT(VALID)};
	size_t done = 0;

	(void)state;
	lk_draft_metadata(&arena, record, "much", text_of_length(LK_REPLY_MAX));
	give_credits(record, 5);
	fixture_put_key(&arena, record);
	/* Two of these do not fit beside one another, and grow what was made ready for three. */
	lk_draft_metadata(&arena, half, "much", text_of_length(LK_REPLY_MAX / 2));
	give_credits(half, 5);
	fixture_put_key(&arena, half);
	for (size_t call = 0; call < 3; call++) {
		batch_begin();
		for (size_t i = done; i < 5; i++) {
			batch_add(tokens[i], NULL);
		}
		struct loop_answer answer = batch_run(NULL, LK_OK);
		assert_int_equal(batch_count(&answer), counts[call]);
		for (size_t i = 0; i < counts[call]; i++, done++) {
			const Latchkey__V1__VerifyOutcome *outcome = batch_outcome(&answer, i);
			if (codes[done] != 0) {
				assert_int_equal(batch_code(outcome), codes[done]);
				continue;
			}
			assert_int_equal(outcome->code, lk_err_wire_code(LK_RESOURCE_EXHAUSTED));
			assert_non_null(strstr(outcome->message, "does not fit"));
			assert_null(outcome->verdict);
		}
		loop_answer_done(&answer);
		assert_int_equal(uses_of(record), 0);
		assert_int_equal(lk_slots_spending(lk_store_slots(fixture_loop.store), record->slot).spent, 0);
		assert_int_equal(uses_of(half), call);
	}
	fixture_key_done(&good);
	fixture_key_done(&huge);
	fixture_key_done(&large);
}

/* Of explanations fewer fit, and one that does not fit at all is told so. */
static void test_batch_explains_as_many_as_fit(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "large");
	struct fixture_key huge = fixture_make_key("acme", "prod", "huge");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	Latchkey__Store__KeyRecord *largest = fixture_read_key(&arena, "acme", huge.id);
	Latchkey__V1__VerifyKeyRequest options = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	(void)state;
	lk_draft_metadata(&arena, record, "much", text_of_length(100000));
	fixture_put_key(&arena, record);
	lk_draft_metadata(&arena, largest, "much", text_of_length(LK_REPLY_MAX));
	fixture_put_key(&arena, largest);
	options.explain = true;
	batch_begin();
	batch_calls.request.options = &options;
	for (size_t i = 0; i < 20; i++) {
		batch_add(key.token, NULL);
	}
	struct loop_answer answer = batch_run(NULL, LK_OK);
	assert_in_range(batch_count(&answer), 1, 10);
	loop_answer_done(&answer);
	batch_calls.request.n_items = 19;
	batch_add(huge.token, NULL);
	batch_ask(NULL);
	for (size_t i = 0; i < 19; i++) {
		assert_int_equal(batch_code(batch_answers.outcomes[i]), VERDICT(VALID));
		assert_int_equal(batch_answers.outcomes[i]->verdict->n_gates, 11);
	}
	assert_int_equal(batch_answers.outcomes[19]->code, lk_err_wire_code(LK_RESOURCE_EXHAUSTED));
	assert_int_equal(uses_of(record), 0);
	fixture_key_done(&key);
	fixture_key_done(&huge);
}

/* A thousand of the worst expressions are more than one call's share: those that it did not come to have taken nothing. */
static void test_batch_stops_when_its_time_is_over(void **state)
{
	static char expression[1001];
	struct fixture_key key = fixture_make_key("acme", "prod", "slow");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", key.id);
	Latchkey__V1__VerifyKeyRequest options = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	char *permissions[64];

	(void)state;
	/* What none of them covers until its end, asked for as often as fits. */
	for (size_t i = 0; i < 64; i++) {
		permissions[i] = lk_arena_printf(&arena, "a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:b%zu", i);
	}
	record->permissions = permissions;
	record->n_permissions = 64;
	give_credits(record, 5000);
	fixture_put_key(&arena, record);
	for (size_t i = 0; i < 17; i++) {
		(void)strcat(expression, i == 0 ? "" : " OR ");
		(void)strcat(expression, "a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:c");
	}
	(void)strcat(expression, " OR a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:a:b63");
	assert_true(strlen(expression) <= 1000);
	options.permission_expression = expression;
	batch_begin();
	batch_calls.request.options = &options;
	for (size_t i = 0; i < 1000; i++) {
		batch_add(key.token, NULL);
	}
	/* A request that has a millisecond: it is answered all the same, as far as that goes. */
	struct loop_answer answer = batch_run(&(struct loop_call){.timeout_ms = 1}, LK_OK);
	size_t done = batch_count(&answer);
	assert_in_range(done, 1, 999);
	assert_int_equal(uses_of(record), done);
	assert_int_equal(batch_outcome(&answer, done - 1)->verdict->credits_remaining, 5000 - done);
	loop_answer_done(&answer);
	batch_ask(NULL);
	assert_int_equal(uses_of(record), done + 1000);
	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(batch_code(batch_answers.outcomes[i]), VERDICT(VALID));
	}
	fixture_key_done(&key);
}

/* A record that does not add up is wrong with its own item, wherever it stands among those that are looked up together. */
static void test_batch_goes_on_behind_a_record_that_cannot_be_read(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	struct lk_txn *txn = NULL;
	struct lk_gate gate;

	(void)state;

	policy.token_prefix = TEXT("wr-");
	fixture_make_keyspace("acme", "wrong", &policy);
	struct fixture_key good = fixture_make_key("acme", "prod", "good");
	struct fixture_key wrong = fixture_make_key("acme", "wrong", "wrong");
	struct fixture_key torn = fixture_make_key("acme", "prod", "torn");
	const Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", wrong.id);
	const Latchkey__Store__KeyRecord *cut = fixture_read_key(&arena, "acme", torn.id);
	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	assert_true(lk_gate_get(txn, record->keyspace, &gate));
	gate.has_cidrs = 1;
	lk_gate_put(txn, record->keyspace, &gate);
	/* Half a record: what looks it up finds out. */
	struct lk_key where = lk_key_verdict(cut->digest.data);
	lk_txn_put(txn, LK_TABLE_VERDICT, &where, "half of it", 10, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	const char *const order[] = {good.token, wrong.token, good.token, UNKNOWN, torn.token, good.token, wrong.token,
		torn.token, good.token};
	batch_begin();
	for (size_t i = 0; i < 9; i++) {
		batch_add(order[i], NULL);
	}
	batch_ask(NULL);
	for (size_t i = 0; i < 9; i++) {
		Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
		request.token = TEXT(order[i]);
		struct loop_answer unary = loop_call(
			&fixture_loop, &fixture_operator, &latchkey_v1_key_verify_method, &request.base);
		batch_assert_same(batch_answers.outcomes[i], &unary);
		assert_int_equal(unary.code,
			order[i] == wrong.token || order[i] == torn.token ? lk_err_wire_code(LK_CORRUPT) : 0);
		loop_answer_done(&unary);
	}
	fixture_key_done(&good);
	fixture_key_done(&wrong);
	fixture_key_done(&torn);
}

/* Answers the batch on a snapshot of the test's own, which may be an old one. */
static Latchkey__V1__VerifyBatchResponse *answer_on(struct lk_txn *txn)
{
	static char any[] = "*";
	static char *list[] = {any};
	static Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;
	Latchkey__V1__VerifyBatchResponse response = LATCHKEY__V1__VERIFY_BATCH_RESPONSE__INIT;
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_REALTIME, &now);
	grant.tenants = grant.keyspaces = list;
	grant.n_tenants = grant.n_keyspaces = 1;
	struct lk_request request = {
		.arena = &arena,
		.store = fixture_loop.store,
		.txn = txn,
		.caller = {.name = "", .subject = "", .grant = &grant},
		.now_us = now.tv_sec * 1000000 + now.tv_nsec / 1000,
	};
	lk_faults_init(&request.faults, &arena);
	assert_int_equal(lk_key_verify_batch(&request, &batch_calls.request, &response), LK_OK);
	size_t len = latchkey__v1__verify_batch_response__get_packed_size(&response);
	uint8_t *packed = lk_arena_alloc(&arena, len);
	assert_int_equal(latchkey__v1__verify_batch_response__pack(&response, packed), len);
	return latchkey__v1__verify_batch_response__unpack(&arena.allocator, len, packed);
}

/* A key was changed, and used since: it is judged as it now is, and so are those behind it; those before it stand. */
static void test_batch_goes_on_with_a_newer_state_where_a_slot_is_ahead(void **state)
{
	struct fixture_key first = fixture_make_key("acme", "prod", "first");
	struct fixture_key moved = fixture_make_key("acme", "prod", "moved");
	struct fixture_key last = fixture_make_key("acme", "prod", "last");
	Latchkey__Store__KeyRecord *records[] = {fixture_read_key(&arena, "acme", first.id),
		fixture_read_key(&arena, "acme", moved.id), fixture_read_key(&arena, "acme", last.id)};
	struct lk_txn *txn = NULL;

	(void)state;
	fixture_give_limit(&arena, records[1], 5, 0);
	assert_int_equal(fixture_verify(moved.token, ""), VERDICT(VALID));
	assert_int_equal(lk_snapshot_new(fixture_loop.store, &txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(txn), LK_OK);
	/* The other two get new names, and the last is suspended. */
	for (size_t i = 0; i < 3; i++) {
		records[i]->name = TEXT("renamed");
	}
	records[2]->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_SUSPENDED;
	fixture_put_key(&arena, records[0]);
	fixture_put_key(&arena, records[2]);
	/* And has grown beyond what was made ready for six. */
	lk_draft_metadata(&arena, records[1], "much", text_of_length(20000));
	fixture_give_limit(&arena, records[1], 2, 1);
	assert_int_equal(fixture_verify(moved.token, ""), VERDICT(VALID));
	batch_begin();
	batch_add(first.token, NULL);
	batch_add(last.token, NULL);
	batch_add(moved.token, NULL);
	batch_add(last.token, NULL);
	batch_add(moved.token, NULL);
	batch_add(first.token, NULL);
	const Latchkey__V1__VerifyBatchResponse *response = answer_on(txn);
	static const int codes[] = {VERDICT(VALID), VERDICT(VALID), VERDICT(VALID), VERDICT(SUSPENDED),
		VERDICT(RATE_LIMITED), VERDICT(VALID)};
	static const char *const names[] = {"first", "last", "renamed", "renamed", "renamed", "renamed"};
	assert_int_equal(response->n_outcomes, 6);
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(batch_code(response->outcomes[i]), codes[i]);
		assert_string_equal(response->outcomes[i]->verdict->key->name, names[i]);
	}
	assert_int_equal(response->outcomes[2]->verdict->rate_states[0]->limit, 2);
	assert_int_equal(response->outcomes[2]->verdict->rate_states[0]->remaining, 0);
	lk_snapshot_free(txn);
	fixture_key_done(&first);
	fixture_key_done(&moved);
	fixture_key_done(&last);
}

/* A slot that is ahead of every state says so of its own item. */
static void test_batch_goes_on_where_a_slot_stays_ahead(void **state)
{
	struct fixture_key good = fixture_make_key("acme", "prod", "good");
	struct fixture_key ahead = fixture_make_key("acme", "prod", "ahead");
	Latchkey__Store__KeyRecord *record = fixture_read_key(&arena, "acme", ahead.id);
	struct timespec now = {0};

	(void)state;
	fixture_give_limit(&arena, record, 5, 0);
	(void)clock_gettime(CLOCK_REALTIME, &now);
	struct lk_slot *slot = lk_slots_at(lk_store_slots(fixture_loop.store), record->slot);
	uint64_t clock_ns = (uint64_t)now.tv_sec * 1000000000;
	atomic_store(&slot->clocks[0], (clock_ns & ~UINT64_C(15)) | 3);
	batch_begin();
	batch_add(good.token, NULL);
	batch_add(ahead.token, NULL);
	batch_add(good.token, NULL);
	batch_ask(NULL);
	assert_int_equal(batch_code(batch_answers.outcomes[0]), VERDICT(VALID));
	assert_int_equal(batch_answers.outcomes[1]->code, lk_err_wire_code(LK_UNAVAILABLE));
	assert_non_null(strstr(batch_answers.outcomes[1]->message, "try again"));
	assert_int_equal(batch_code(batch_answers.outcomes[2]), VERDICT(VALID));
	assert_int_equal(uses_of(record), 0);
	fixture_key_done(&good);
	fixture_key_done(&ahead);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_batch_answers_as_many_as_fit_and_charges_no_more),
		TEST(test_batch_tells_what_no_reply_has_room_for),
		TEST(test_batch_explains_as_many_as_fit),
		TEST(test_batch_stops_when_its_time_is_over),
		TEST(test_batch_goes_on_behind_a_record_that_cannot_be_read),
		TEST(test_batch_goes_on_with_a_newer_state_where_a_slot_is_ahead),
		TEST(test_batch_goes_on_where_a_slot_stays_ahead),
	};

	return cmocka_run_group_tests_name("service verify batch room", tests, NULL, NULL);
}

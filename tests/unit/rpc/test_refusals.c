#include "server/rpc/refusals.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/store/audit_scan.h"
#include "tests/lib/check.h"
#include "tests/lib/draft.h"
#include "tests/lib/store_fixture.h"

#define SECOND INT64_C(1000000)

static const char revoke[] = "latchkey.v1.KeyService/Revoke";

static struct lk_refusal refusal_of(const char *actor, const char *peer, int64_t time_us)
{
	struct lk_refusal refusal = {.time_us = time_us, .method = revoke, .code = LK_PERMISSION_DENIED};

	(void)snprintf(refusal.actor, sizeof refusal.actor, "%s", actor);
	(void)snprintf(refusal.peer, sizeof refusal.peer, "%s", peer);
	return refusal;
}

static void note(struct lk_refusals *refusals, const char *actor, const char *peer, int64_t clock_us)
{
	struct lk_refusal refusal = refusal_of(actor, peer, LK_FIXTURE_TIME_US + clock_us);

	lk_refusals_note(refusals, &refusal, clock_us);
}

static struct lk_refusals *refusals_new(void)
{
	struct lk_refusals *refusals = NULL;

	assert_int_equal(lk_refusals_new(&refusals), LK_OK);
	return refusals;
}

/* Builds a Change on the newest state. */
static Latchkey__Store__Change *build(struct lk_fixture *fixture, struct lk_refusals *refusals)
{
	Latchkey__Store__Change *change = lk_draft_new(&fixture->arena);

	assert_int_equal(lk_refusals_build(refusals, lk_fixture_snapshot(fixture), &fixture->arena, 1, change), LK_OK);
	return change;
}

/* Has everything written that waits; how many records that made, and how many more they say were left out. */
static size_t write_all(struct lk_fixture *fixture, struct lk_refusals *refusals, uint64_t *ret_left_out)
{
	size_t count = 0;

	*ret_left_out = 0;
	for (;;) {
		Latchkey__Store__Change *change = build(fixture, refusals);
		if (change->n_mutations == 0) {
			return count;
		}
		for (size_t i = 0; i < change->n_mutations; i++) {
			*ret_left_out += change->mutations[i]->note_refusal->left_out_count;
		}
		count += change->n_mutations;
		assert_int_equal(lk_fixture_apply(fixture, change), LK_OK);
	}
}

static Latchkey__Store__AuditRecord *newest(struct lk_fixture *fixture)
{
	struct lk_txn *txn = lk_fixture_snapshot(fixture);
	Latchkey__Store__AuditRecord *record = lk_audit_find(txn, &fixture->arena, lk_txn_head(txn)->last_audit);

	assert_non_null(record);
	return record;
}

static void test_refusals_become_audit_records(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_refusals *refusals = refusals_new();
	struct lk_refusal refusal = refusal_of("key:key_1", "tcp:127.0.0.1:4711", LK_FIXTURE_TIME_US + 3);
	uint64_t left_out = 0;

	(void)snprintf(refusal.tenant, sizeof refusal.tenant, "acme");
	(void)snprintf(refusal.traceparent, sizeof refusal.traceparent, "00-01-02-03");
	lk_refusals_note(refusals, &refusal, 0);
	assert_int_equal(write_all(fixture, refusals, &left_out), 1);
	assert_int_equal(left_out, 0);
	const Latchkey__Store__AuditRecord *record = newest(fixture);
	assert_true(record->time_us == LK_FIXTURE_TIME_US + 3);
	assert_string_equal(record->actor, "key:key_1");
	assert_string_equal(record->method, revoke);
	assert_string_equal(record->peer, "tcp:127.0.0.1:4711");
	assert_string_equal(record->traceparent, "00-01-02-03");
	assert_string_equal(record->tenant, "acme");
	assert_int_equal(record->code, LK_PERMISSION_DENIED);
	lk_refusals_free(refusals);
}

static void test_refusals_that_are_none_make_no_change(void **state)
{
	struct lk_refusals *refusals = refusals_new();

	assert_int_equal(build(*state, refusals)->n_mutations, 0);
	lk_refusals_free(refusals);
}

static void test_refusals_of_one_caller_are_bounded_and_counted(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_refusals *refusals = refusals_new();
	uint64_t left_out = 0;

	for (int i = 0; i < 1000; i++) {
		note(refusals, "uid:7", "ipc", SECOND);
	}
	assert_int_equal(write_all(fixture, refusals, &left_out), LK_REFUSALS_ACTOR_BURST);
	assert_int_equal(left_out, 1000 - LK_REFUSALS_ACTOR_BURST);
	/* Nothing is counted twice. */
	for (int i = 0; i < 10; i++) {
		note(refusals, "uid:7", "ipc", 3 * SECOND);
	}
	assert_int_equal(write_all(fixture, refusals, &left_out), 2 * LK_REFUSALS_ACTOR_RATE);
	assert_int_equal(left_out, 10 - 2 * LK_REFUSALS_ACTOR_RATE);
	lk_refusals_free(refusals);
}

static void test_refusals_of_a_noisy_caller_hide_no_other(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_refusals *refusals = refusals_new();
	uint64_t left_out = 0;

	for (int second = 0; second < 10; second++) {
		for (int i = 0; i < 1000; i++) {
			note(refusals, "key:noisy", "ipc", second * SECOND);
		}
		note(refusals, "key:quiet", "ipc", second * SECOND);
		(void)write_all(fixture, refusals, &left_out);
		assert_string_equal(newest(fixture)->actor, "key:quiet");
	}
	lk_refusals_free(refusals);
}

static void test_refusals_of_nobody_are_told_apart_by_address(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_refusals *refusals = refusals_new();
	char peer[LK_PEER_TEXT_LEN];
	uint64_t left_out = 0;

	for (int port = 1; port <= 200; port++) {
		(void)snprintf(peer, sizeof peer, "tcp:10.0.0.1:%d", port);
		note(refusals, "", peer, SECOND);
	}
	note(refusals, "", "tcp:10.0.0.2:1", SECOND);
	assert_int_equal(write_all(fixture, refusals, &left_out), LK_REFUSALS_ACTOR_BURST + 1);
	assert_string_equal(newest(fixture)->peer, "tcp:10.0.0.2:1");
	lk_refusals_free(refusals);
}

static void test_refusals_of_all_callers_are_bounded(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_refusals *refusals = refusals_new();
	char actor[16];
	uint64_t left_out = 0;

	for (int i = 0; i < 2000; i++) {
		(void)snprintf(actor, sizeof actor, "uid:%d", i);
		note(refusals, actor, "ipc", SECOND);
	}
	assert_int_equal(write_all(fixture, refusals, &left_out), LK_REFUSALS_BURST);
	assert_int_equal(left_out, 2000 - LK_REFUSALS_BURST);
	lk_refusals_free(refusals);
}

/* A commit that failed is built again, the same; one that did not is not. */
static void test_refusals_are_written_exactly_once(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_refusals *refusals = refusals_new();
	uint64_t left_out = 0;

	for (int i = 0; i < 30; i++) {
		note(refusals, "uid:7", "ipc", SECOND + i);
	}
	const Latchkey__Store__Change *first = build(fixture, refusals);
	/* Others write meanwhile, and it comes later. */
	assert_true(lk_fixture_tenant(fixture, "acme") != 0);
	note(refusals, "uid:8", "ipc", SECOND);
	Latchkey__Store__Change *again = build(fixture, refusals);
	assert_int_equal(again->n_mutations, first->n_mutations);
	assert_int_equal(again->mutations[0]->note_refusal->left_out_count, 30 - LK_REFUSALS_ACTOR_BURST);
	for (size_t i = 0; i < again->n_mutations; i++) {
		assert_true(again->mutations[i]->note_refusal->time_us == first->mutations[i]->note_refusal->time_us);
	}
	assert_int_equal(lk_fixture_apply(fixture, again), LK_OK);
	assert_true(lk_fixture_tenant(fixture, "corp") != 0);
	assert_int_equal(write_all(fixture, refusals, &left_out), 1);
	assert_string_equal(newest(fixture)->actor, "uid:8");
	assert_int_equal(left_out, 0);
	lk_refusals_free(refusals);
}

static void test_refusals_that_nobody_takes_are_counted(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_refusals *refusals = refusals_new();
	char actor[16];
	uint64_t left_out = 0;

	/* Each in a second of its own: nothing but room is short. */
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(actor, sizeof actor, "uid:%d", i);
		note(refusals, actor, "ipc", i * SECOND);
	}
	size_t written = write_all(fixture, refusals, &left_out);
	assert_true(written >= LK_REFUSALS_BURST);
	assert_int_equal(written + left_out, 1000);
	lk_refusals_free(refusals);
}

#define THREADS 4
#define EACH    5000

struct caller {
	struct lk_refusals *refusals;
	int number;
};

static void *call(void *argument)
{
	const struct caller *caller = argument;
	char actor[16];

	(void)snprintf(actor, sizeof actor, "uid:%d", caller->number);
	for (int i = 0; i < EACH; i++) {
		note(caller->refusals, actor, "ipc", i * SECOND);
	}
	return NULL;
}

static void test_refusals_of_many_threads_are_all_written_or_counted(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_refusals *refusals = refusals_new();
	pthread_t threads[THREADS];
	struct caller callers[THREADS];
	uint64_t left_out = 0;
	uint64_t total = 0;

	for (int i = 0; i < THREADS; i++) {
		callers[i] = (struct caller){refusals, i};
		CHECK(pthread_create(&threads[i], NULL, call, &callers[i]) == 0);
	}
	for (int i = 0; i < 50; i++) {
		total += write_all(fixture, refusals, &left_out);
		total += left_out;
		lk_arena_reset(&fixture->arena);
	}
	for (int i = 0; i < THREADS; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
	}
	total += write_all(fixture, refusals, &left_out);
	total += left_out;
	/* What was left out since the last that was written waits for the next. */
	note(refusals, "uid:99", "ipc", EACH * SECOND * 2);
	total += write_all(fixture, refusals, &left_out);
	total += left_out;
	assert_int_equal(total, THREADS * EACH + 1);
	lk_refusals_free(refusals);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refusals_become_audit_records),
		TEST(test_refusals_that_are_none_make_no_change),
		TEST(test_refusals_of_one_caller_are_bounded_and_counted),
		TEST(test_refusals_of_a_noisy_caller_hide_no_other),
		TEST(test_refusals_of_nobody_are_told_apart_by_address),
		TEST(test_refusals_of_all_callers_are_bounded),
		TEST(test_refusals_are_written_exactly_once),
		TEST(test_refusals_that_nobody_takes_are_counted),
		TEST(test_refusals_of_many_threads_are_all_written_or_counted),
	};

	return cmocka_run_group_tests_name("rpc refusals", tests, NULL, NULL);
}

#include <latchkey/local.h>

#include <lmdb.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/local/verifier.h"
#include "server/store/attach.h"
#include "server/store/find.h"
#include "server/store/slots.h"
#include "server/store/store_internal.h"
#include "tests/lib/draft.h"
#include "tests/unit/local/local_fixture.h"
#include <cmocka.h>

#define THREADS 8
#define ROUNDS  2000
/* The file of slots grows by so many at a time. */
#define STEP ((uint64_t)1 << 20)

static Latchkey__Store__KeyRecord *read_key(struct local *local)
{
	struct lk_txn *txn = lk_fixture_snapshot(&local->store);
	struct lk_key key = lk_key_u64(local->slot);

	return lk_txn_record(txn, LK_TABLE_KEY, &key, &latchkey__store__key_record__descriptor, &local->store.arena);
}

static bool put_key(struct local *local, Latchkey__Store__KeyRecord *key)
{
	Latchkey__Store__Change *change = lk_draft_new(&local->store.arena);

	lk_draft_put_key_again(&local->store.arena, change, key);
	return lk_fixture_apply(&local->store, change) == LK_OK;
}

static bool revoke_it(struct local *local)
{
	Latchkey__Store__KeyRecord *key = read_key(local);

	key->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
	return put_key(local, key);
}

static bool limit_to_a_thousand(struct local *local)
{
	static Latchkey__Store__RateLimitRecord limit = LATCHKEY__STORE__RATE_LIMIT_RECORD__INIT;
	static Latchkey__Store__RateLimitRecord *limits[] = {&limit};
	Latchkey__Store__KeyRecord *key = read_key(local);

	limit.name = TEXT("day");
	limit.limit = limit.burst = 1000;
	limit.period_us = INT64_C(86400) * 1000000;
	key->rate_limits = limits;
	key->n_rate_limits = 1;
	return put_key(local, key);
}

/* As if a million keys had been made; then a thousand are. */
static bool grow(struct local *local)
{
	struct lk_fixture *store = &local->store;
	struct lk_txn *txn = NULL;
	char name[32] = "";

	if (lk_write_begin(store->store, &txn) != LK_OK) {
		return false;
	}
	lk_txn_head(txn)->last_slot += STEP;
	struct lk_key nothing = lk_key_meta("test");
	lk_txn_put(txn, LK_TABLE_META, &nothing, "", 0, 0);
	if (lk_write_commit(txn) != LK_OK) {
		return false;
	}
	Latchkey__Store__Change *change = lk_draft_new(&store->arena);
	Latchkey__Store__KeyRecord *last = NULL;
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof name, "key-%d", i);
		last = lk_draft_put_key(&store->arena, change, local->tenant, local->keyspace, name);
	}
	lk_token_digest(lk_store_keyring(store->store), "sk-the-last", 11, last->digest.data);
	return lk_fixture_apply(store, change) == LK_OK && last->slot > STEP;
}

static bool count_is_one(struct local *local)
{
	struct lk_txn *txn = lk_fixture_snapshot(&local->store);

	return lk_slots_usage(lk_store_slots(local->store.store), lk_txn_head(txn)->last_slot).count == 1;
}

static void test_local_says_who_a_good_token_stands_for(void **state)
{
	struct local *local = *state;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	const Latchkey__V1__VerifyKeyResponse *response = NULL;

	request.token = TEXT(LOCAL_TOKEN);
	assert_int_equal(lk_local_verify(local->verifier, &request, &response, &local->call), LK_OK);
	assert_true(response->valid);
	assert_int_equal(response->code, VERDICT(VALID));
	assert_string_equal(response->key->name, "one");
	assert_string_equal(response->key->owner, "alice");
	assert_string_equal(response->key->tenant, "acme");
	assert_int_equal(response->base.n_unknown_fields, 0);
	assert_true(local->call.revision > 0);
	assert_int_equal(local->call.attempts, 1);
	assert_null(local->call.message);
}

static void test_local_says_what_is_wrong_with_others(void **state)
{
	struct local *local = *state;

	assert_int_equal(local_verdict(local, "sk-no-such-token"), VERDICT(MALFORMED));
	assert_int_equal(local_verdict(local, ""), VERDICT(MALFORMED));
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
	local_change(local, revoke_it);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(REVOKED));
}

/* Both ways to ask answer alike, but for the order in which the fields are packed, with and without an explanation. */
static void test_local_packs_what_it_says(void **state)
{
	struct local *local = *state;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_local_reply reply = {0};
	uint8_t packed[4096];
	uint8_t again[4096];

	request.token = TEXT(LOCAL_TOKEN);
	request.dry_run = true;
	for (int explain = 0; explain < 2; explain++) {
		request.explain = explain;
		assert_int_equal(lk_local_verify(local->verifier, &request, &response, NULL), LK_OK);
		assert_int_equal(response->n_gates > 0, explain);
		size_t len = latchkey__v1__verify_key_response__get_packed_size(response);
		assert_true(len <= sizeof packed);
		(void)latchkey__v1__verify_key_response__pack(response, packed);
		assert_int_equal(lk_local_verify_packed(local->verifier, &request, &reply, NULL), LK_OK);
		assert_int_equal(reply.len, len);
		Latchkey__V1__VerifyKeyResponse *unpacked = latchkey__v1__verify_key_response__unpack(
			NULL, reply.len, reply.data);
		assert_non_null(unpacked);
		(void)latchkey__v1__verify_key_response__pack(unpacked, again);
		latchkey__v1__verify_key_response__free_unpacked(unpacked, NULL);
		assert_memory_equal(again, packed, len);
		assert_int_equal(reply.code, VERDICT(VALID));
	}
}

/* More than the buffer that a verifier begins with. */
static bool make_large(struct local *local)
{
	static char permissions[64][100];
	static char *list[64];
	Latchkey__Store__KeyRecord *key = read_key(local);

	for (size_t i = 0; i < 64; i++) {
		(void)snprintf(permissions[i], sizeof permissions[i], "a%090zu:b", i);
		list[i] = permissions[i];
	}
	key->permissions = list;
	key->n_permissions = 64;
	return put_key(local, key);
}

static void test_local_has_room_for_a_large_identity(void **state)
{
	struct local *local = *state;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	struct lk_local_reply reply = {0};

	local_change(local, make_large);
	request.token = TEXT(LOCAL_TOKEN);
	request.permission_expression = TEXT("nobody:has OR a:b");
	for (int explain = 0; explain < 2; explain++) {
		request.explain = explain;
		assert_int_equal(lk_local_verify_packed(local->verifier, &request, &reply, NULL), LK_OK);
		assert_true(reply.len > 6000);
		Latchkey__V1__VerifyKeyResponse *response = latchkey__v1__verify_key_response__unpack(
			NULL, reply.len, reply.data);
		assert_int_equal(response->key->n_permissions, 64);
		assert_int_equal(response->code, VERDICT(INSUFFICIENT_PERMISSIONS));
		latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	}
}

static void test_local_answers_no_older_than_it_was_asked(void **state)
{
	struct local *local = *state;

	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
	uint64_t revision = local->call.revision;
	local->call.min_revision = revision + 1;
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(UNSPECIFIED));
	assert_non_null(strstr(local->call.message, "min_revision"));
	assert_int_equal(local->call.revision, 0);
	local_change(local, revoke_it);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(REVOKED));
	assert_null(local->call.message);
	assert_int_equal(local->call.revision, revision + 1);
	local->call.min_revision = 0;
}

/* What was made after the store was opened, in slots that the file did not have, counts. */
static void test_local_finds_the_slots_of_a_store_that_has_grown(void **state)
{
	struct local *local = *state;

	assert_int_equal(local_verdict(local, "sk-the-last"), VERDICT(MALFORMED));
	local_change(local, grow);
	assert_int_equal(local_verdict(local, "sk-the-last"), VERDICT(VALID));
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
	local_change(local, count_is_one);
}

/* One thread's verifier, and how many of its verdicts were VALID. */
struct asker {
	struct local *local;
	pthread_t thread;
	size_t valid;
	size_t limited;
};

static void *ask(void *argument)
{
	struct asker *asker = argument;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_local_verifier *verifier = NULL;
	struct lk_local_reply reply = {0};

	if (lk_local_verifier_new(asker->local->local, &verifier) != LK_OK) {
		return NULL;
	}
	request.token = TEXT(LOCAL_TOKEN);
	for (int i = 0; i < ROUNDS; i++) {
		Latchkey__V1__VerifyCode code = VERDICT(UNSPECIFIED);
		if (i % 2 == 0 && lk_local_verify(verifier, &request, &response, NULL) == LK_OK) {
			code = response->code;
		} else if (i % 2 == 1 && lk_local_verify_packed(verifier, &request, &reply, NULL) == LK_OK) {
			code = reply.code;
		}
		asker->valid += code == VERDICT(VALID);
		asker->limited += code == VERDICT(RATE_LIMITED);
	}
	lk_local_verifier_free(verifier);
	return NULL;
}

static void test_local_threads_share_a_limit_exactly(void **state)
{
	struct local *local = *state;
	struct asker askers[THREADS] = {0};
	size_t valid = 0;
	size_t limited = 0;

	local_change(local, limit_to_a_thousand);
	for (size_t i = 0; i < THREADS; i++) {
		askers[i].local = local;
		assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
		valid += askers[i].valid;
		limited += askers[i].limited;
	}
	assert_int_equal(valid, 1000);
	assert_int_equal(limited, (size_t)THREADS * ROUNDS - 1000);
}

static void test_local_refuses_what_the_options_lead_nowhere(void **state)
{
	struct local *local = *state;
	struct lk_local_options options = {.dir = local->store.dir};
	struct lk_local *second = NULL;
	char message[LK_LOCAL_MESSAGE_LEN] = "";

	assert_int_equal(lk_local_open(&options, &second, message), LK_HELD);
	assert_non_null(strstr(message, "open it once"));
	options.dir = "/nonexistent";
	assert_int_equal(lk_local_open(&options, &second, message), LK_NOT_FOUND);
	options.dir = "";
	assert_int_equal(lk_local_open(&options, &second, message), LK_NOT_FOUND);
	options.dir = NULL;
	assert_int_equal(lk_local_open(&options, &second, message), LK_INVALID_ARGUMENT);
	assert_int_equal(lk_local_open(NULL, &second, message), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(message, "dir"));
	assert_null(second);
	lk_local_close(NULL);
	lk_local_verifier_free(NULL);
}

static bool take_a_thousand_readers(struct local *local)
{
	for (int i = 0; i < 1024; i++) {
		struct lk_txn *txn = NULL;
		if (lk_snapshot_new(local->store.store, &txn) != LK_OK || lk_snapshot_begin(txn) != LK_OK) {
			return false;
		}
	}
	return true;
}

static void test_local_runs_out_of_verifiers_and_takes_them_back(void **state)
{
	static struct lk_local_verifier *verifiers[LK_STORE_READERS + 1];
	struct local *local = *state;
	size_t count = 0;
	enum lk_err err = LK_OK;

	while (count < LK_STORE_READERS + 1 && err == LK_OK) {
		err = lk_local_verifier_new(local->local, &verifiers[count]);
		count += err == LK_OK;
	}
	assert_int_equal(err, LK_RESOURCE_EXHAUSTED);
	assert_int_equal(count, LK_STORE_READERS_SHARED - 1);
	/* The daemon still starts, and serves as many requests at once as it is made for. */
	local_change(local, take_a_thousand_readers);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
	lk_local_verifier_free(verifiers[--count]);
	assert_int_equal(lk_local_verifier_new(local->local, &verifiers[count]), LK_OK);
	for (size_t i = 0; i <= count; i++) {
		lk_local_verifier_free(verifiers[i]);
	}
}

/* A child is told, whichever way it asks, may end what it inherited, and open anew. */
static void test_local_is_useless_to_a_forked_child(void **state)
{
	struct local *local = *state;
	struct lk_local_options options = {.dir = local->store.dir};
	char message[LK_LOCAL_MESSAGE_LEN] = "";
	int status = 0;

	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
	pid_t child = fork();
	if (child == 0) {
		struct lk_local_verifier *another = NULL;
		bool refused = local_verdict(local, LOCAL_TOKEN) == VERDICT(UNSPECIFIED) &&
			       strstr(local->call.message, "forked") != NULL &&
			       lk_local_verifier_new(local->local, &another) == LK_FAILED_PRECONDITION;
		lk_local_verifier_free(local->verifier);
		lk_local_close(local->local);
		bool opened = lk_local_open(&options, &local->local, message) == LK_OK &&
			      lk_local_verifier_new(local->local, &local->verifier) == LK_OK;
		_exit(refused && opened && local_verdict(local, LOCAL_TOKEN) == VERDICT(VALID) ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
}

static int count_line(const char *line, void *context)
{
	(void)line;
	(*(int *)context)++;
	return 0;
}

/* How many places for readers are taken, as a process sees it that takes none: a line each, and one above them. */
static int count_readers(const struct local *local)
{
	int status = 0;

	pid_t child = fork();
	if (child == 0) {
		MDB_env *env = NULL;
		int lines = 0;
		bool listed = mdb_env_create(&env) == 0 && mdb_env_set_maxreaders(env, LK_STORE_READERS) == 0 &&
			      mdb_env_open(env, local->store.dir, MDB_RDONLY | MDB_NOTLS, 0) == 0 &&
			      mdb_reader_list(env, count_line, &lines) >= 0;
		_exit(listed ? lines : 255);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 255);
	return WEXITSTATUS(status);
}

/* A line about a reader ends with the number of the state that it holds, or with "-". */
static int count_holder(const char *line, void *context)
{
	*(int *)context += strstr(line, "pid") == NULL && strstr(line, " -") == NULL;
	return 0;
}

static int count_readers_that_hold_a_state(const struct local *local)
{
	MDB_env *env = local->local->store->env;
	int count = 0;

	assert_true(mdb_reader_list(env, count_holder, &count) >= 0);
	return count;
}

/* As where another thread of the parent was in the middle of a verdict, by the verifier that the child then asks. */
static void test_local_of_a_forked_child_leaves_the_state_that_its_parent_reads(void **state)
{
	struct local *local = *state;
	struct lk_txn *txn = local->verifier->request.txn;
	int status = 0;

	assert_int_equal(lk_snapshot_begin(txn), LK_OK);
	assert_int_equal(count_readers_that_hold_a_state(local), 1);
	pid_t child = fork();
	if (child == 0) {
		bool refused = local_verdict(local, LOCAL_TOKEN) == VERDICT(UNSPECIFIED);
		lk_local_verifier_free(local->verifier);
		lk_local_close(local->local);
		_exit(refused ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(count_readers_that_hold_a_state(local), 1);
	lk_snapshot_end(txn);
	assert_int_equal(count_readers_that_hold_a_state(local), 0);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
}

/* As lk_local_open(), with few addresses: under ThreadSanitizer a process has none for two whole ones. NULL: it failed. */
static struct lk_store *attach_beside(struct local *local)
{
	struct lk_store_options options = {.dir = local->store.dir, .map_size = (size_t)1 << 30};
	struct lk_store *store = NULL;

	return lk_store_attach(&options, &store, local->store.message) == LK_OK ? store : NULL;
}

/* Nobody but whoever comes next can let go of them, where no daemon runs. */
static void test_local_lets_go_of_the_readers_of_the_dead(void **state)
{
	struct local *local = *state;
	int status = 0;

	int before = count_readers(local);
	pid_t child = fork();
	if (child == 0) {
		struct lk_store *store = attach_beside(local);
		struct lk_txn *txn = NULL;
		if (store != NULL && lk_snapshot_new(store, &txn) == LK_OK && lk_snapshot_begin(txn) == LK_OK) {
			(void)raise(SIGKILL);
		}
		_exit(1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(count_readers(local), before + 1);
	/* This process has it open all the while, so that nobody finds it unused and begins anew. */
	child = fork();
	if (child == 0) {
		struct lk_store *store = attach_beside(local);
		lk_store_close(store);
		_exit(store != NULL ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(count_readers(local), before);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
}

/* Takes all that there are, past whatever the library keeps free. */
static void take_all_readers_and_die(const struct local *local)
{
	MDB_env *env = NULL;
	MDB_txn *txn = NULL;

	int rc = mdb_env_create(&env);
	if (rc == 0 && mdb_env_set_maxreaders(env, LK_STORE_READERS) == 0) {
		rc = mdb_env_open(env, local->store.dir, MDB_RDONLY | MDB_NOTLS, 0);
	}
	while (rc == 0) {
		rc = mdb_txn_begin(env, NULL, MDB_RDONLY, &txn);
	}
	if (rc == MDB_READERS_FULL) {
		(void)raise(SIGKILL);
	}
	_exit(1);
}

static bool change_nothing(struct local *local)
{
	(void)local;
	return true;
}

/* The dead lock out nobody: neither a daemon that starts, nor one more verifier, here or in another process. */
static void test_local_and_the_daemon_find_room_where_the_dead_have_it_all(void **state)
{
	struct local *local = *state;
	struct lk_local_verifier *another = NULL;
	int status = 0;

	for (int i = 0; i < 3; i++) {
		pid_t child = fork();
		if (child == 0) {
			take_all_readers_and_die(local);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		if (i == 0) {
			local_change(local, change_nothing);
		} else if (i == 1) {
			assert_int_equal(lk_local_verifier_new(local->local, &another), LK_OK);
			lk_local_verifier_free(another);
		} else {
			child = fork();
			if (child == 0) {
				_exit(attach_beside(local) != NULL ? 0 : 1);
			}
			assert_int_equal(waitpid(child, &status, 0), child);
			assert_int_equal(status, 0);
		}
	}
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
}

/* Within a second: the loop ends when it is seen, and the test's time limit where it never is. */
static void test_local_sees_that_the_store_was_moved(void **state)
{
	struct local *local = *state;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	struct lk_local_verifier *another = NULL;
	struct lk_local_reply reply = {0};
	char aside[200];
	enum lk_err err = LK_OK;

	(void)snprintf(aside, sizeof aside, "%s/aside", local->store.parent);
	assert_int_equal(rename(local->store.dir, aside), 0);
	request.token = TEXT(LOCAL_TOKEN);
	while (err == LK_OK) {
		err = lk_local_verify_packed(local->verifier, &request, &reply, &local->call);
	}
	assert_int_equal(err, LK_FAILED_PRECONDITION);
	assert_non_null(strstr(local->call.message, "open it anew"));
	assert_int_equal(lk_local_verifier_new(local->local, &another), LK_FAILED_PRECONDITION);
	assert_int_equal(rename(aside, local->store.dir), 0);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(UNSPECIFIED));
	local_close(local);
	local_open(local);
	assert_int_equal(local_verdict(local, LOCAL_TOKEN), VERDICT(VALID));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, local_setup, local_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_local_says_who_a_good_token_stands_for),
		TEST(test_local_says_what_is_wrong_with_others),
		TEST(test_local_packs_what_it_says),
		TEST(test_local_has_room_for_a_large_identity),
		TEST(test_local_answers_no_older_than_it_was_asked),
		TEST(test_local_finds_the_slots_of_a_store_that_has_grown),
		TEST(test_local_threads_share_a_limit_exactly),
		TEST(test_local_refuses_what_the_options_lead_nowhere),
		TEST(test_local_runs_out_of_verifiers_and_takes_them_back),
		TEST(test_local_is_useless_to_a_forked_child),
		TEST(test_local_of_a_forked_child_leaves_the_state_that_its_parent_reads),
		TEST(test_local_lets_go_of_the_readers_of_the_dead),
		TEST(test_local_and_the_daemon_find_room_where_the_dead_have_it_all),
		TEST(test_local_sees_that_the_store_was_moved),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}

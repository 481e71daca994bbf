/* Deleting by force and BulkRevoke on a real daemon: at once for whoever verifies, and finished whatever happens to the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include <latchkey/latchkey.h>

#include "tests/lib/check.h"
#include "tests/lib/daemon.h"
#include "tests/lib/place.h"

#define TIMEOUT_MS 20000
/* Threads that make keys. */
#define MAKERS 16
/* How often something that the daemon does by itself is asked for, 5 ms apart. */
#define PATIENCE 6000

#define VALID     LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID
#define REVOKED   LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_REVOKED
#define NOT_FOUND LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND

struct key {
	char id[40];
	char token[64];
};

struct fixture {
	struct daemon daemon;
	struct lk_channel *channel;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);

	CHECK(fixture != NULL);
	daemon_start(&fixture->daemon);
	const char *const urls[] = {fixture->daemon.url};
	const struct lk_channel_options options = {.urls = urls, .n_urls = 1};
	CHECK(lk_channel_open(&options, &fixture->channel) == LK_OK);
	place_make(fixture->channel);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	lk_channel_close(fixture->channel);
	daemon_remove(&fixture->daemon);
	free(fixture);
	return 0;
}

static void wait_a_moment(void)
{
	const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};

	(void)nanosleep(&moment, NULL);
}

/* Any thread. */
static void make_key(struct lk_channel *channel, const char *owner, struct key *ret_key)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__CreateKeyResponse *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.owner = TEXT(owner);
	CHECK_MSG(latchkey_v1_key_create(channel, &request, &response, &call) == LK_OK, call.message);
	(void)snprintf(ret_key->id, sizeof ret_key->id, "%s", response->key->id);
	(void)snprintf(ret_key->token, sizeof ret_key->token, "%s", response->token);
	latchkey__v1__create_key_response__free_unpacked(response, NULL);
	lk_call_done(&call);
}

struct maker {
	pthread_t thread;
	struct lk_channel *channel;
	struct key *keys;
	size_t count;
};

static void *run_maker(void *argument)
{
	struct maker *maker = argument;

	for (size_t i = 0; i < maker->count; i++) {
		make_key(maker->channel, "ada", &maker->keys[i]);
	}
	return NULL;
}

/* `count`, a multiple of MAKERS, keys of ada's. */
static struct key *make_keys(struct fixture *fixture, size_t count)
{
	struct maker makers[MAKERS];
	struct key *keys = calloc(count, sizeof *keys);
	size_t each = count / MAKERS;

	CHECK(keys != NULL);
	for (size_t i = 0; i < MAKERS; i++) {
		makers[i] = (struct maker){.channel = fixture->channel, .keys = keys + i * each, .count = each};
		CHECK(pthread_create(&makers[i].thread, NULL, run_maker, &makers[i]) == 0);
	}
	for (size_t i = 0; i < MAKERS; i++) {
		CHECK(pthread_join(makers[i].thread, NULL) == 0);
	}
	return keys;
}

static Latchkey__V1__VerifyCode verify(struct fixture *fixture, const struct key *key)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.token = TEXT(key->token);
	CHECK_MSG(latchkey_v1_key_verify(fixture->channel, &request, &response, &call) == LK_OK, call.message);
	Latchkey__V1__VerifyCode code = response->code;
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	lk_call_done(&call);
	return code;
}

static size_t count_code(struct fixture *fixture, const struct key *keys, size_t count, Latchkey__V1__VerifyCode code)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		n += verify(fixture, &keys[i]) == code;
	}
	return n;
}

static void delete_by_force(struct fixture *fixture)
{
	Latchkey__V1__DeleteKeyspaceRequest request = LATCHKEY__V1__DELETE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__DeleteKeyspaceResponse *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.force = true;
	CHECK_MSG(latchkey_v1_keyspace_delete(fixture->channel, &request, &response, &call) == LK_OK, call.message);
	latchkey__v1__delete_keyspace_response__free_unpacked(response, NULL);
	lk_call_done(&call);
}

static enum lk_err make_keyspace(struct fixture *fixture)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__Keyspace *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	policy.token_prefix = TEXT("sk-");
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.policy = &policy;
	enum lk_err err = latchkey_v1_keyspace_create(fixture->channel, &request, &response, &call);
	if (err == LK_OK) {
		latchkey__v1__keyspace__free_unpacked(response, NULL);
	}
	lk_call_done(&call);
	return err;
}

static enum lk_err make_keyspace_when_free(struct fixture *fixture)
{
	enum lk_err err = make_keyspace(fixture);

	for (int i = 0; i < PATIENCE && err == LK_FAILED_PRECONDITION; i++) {
		wait_a_moment();
		err = make_keyspace(fixture);
	}
	return err;
}

/* What a BulkRevoke said, its token copied. */
struct progress {
	uint64_t total;
	uint64_t revoked;
	bool done;
	char token[1024];
};

static struct progress call_bulk(struct fixture *fixture, const Latchkey__V1__BulkRevokeKeysRequest *request)
{
	Latchkey__V1__BulkRevokeKeysResponse *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};
	struct progress progress = {0};

	CHECK_MSG(latchkey_v1_key_bulk_revoke(fixture->channel, request, &response, &call) == LK_OK, call.message);
	progress.total = response->total_size;
	progress.revoked = response->revoked_count;
	progress.done = response->done;
	(void)snprintf(progress.token, sizeof progress.token, "%s", response->next_page_token);
	latchkey__v1__bulk_revoke_keys_response__free_unpacked(response, NULL);
	lk_call_done(&call);
	return progress;
}

/* Of ada's keys. */
static struct progress begin(struct fixture *fixture, bool validate_only)
{
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;

	request.tenant = TEXT("acme");
	request.filter = &filter;
	request.validate_only = validate_only;
	filter.owner = TEXT("ada");
	return call_bulk(fixture, &request);
}

static struct progress go_on(struct fixture *fixture, const struct progress *from)
{
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.page_token = TEXT(from->token);
	return call_bulk(fixture, &request);
}

static void test_force_ends_five_thousand_keys_at_once(void **state)
{
	struct fixture *fixture = *state;
	const size_t count = 5008;
	struct key *keys = make_keys(fixture, count);

	assert_int_equal(verify(fixture, &keys[count - 1]), VALID);
	delete_by_force(fixture);
	/* Its keys take ten commits to go. */
	assert_int_equal(make_keyspace(fixture), LK_FAILED_PRECONDITION);
	assert_int_equal(count_code(fixture, keys, count, NOT_FOUND), count);
	assert_int_equal(make_keyspace_when_free(fixture), LK_OK);
	assert_int_equal(count_code(fixture, keys, 100, NOT_FOUND), 100);
	free(keys);
}

static void test_reaping_outlives_kill_after_kill(void **state)
{
	struct fixture *fixture = *state;
	const size_t count = 4000;
	struct key *keys = make_keys(fixture, count);
	enum lk_err err = LK_FAILED_PRECONDITION;

	delete_by_force(fixture);
	for (int i = 0; i < 20 && err == LK_FAILED_PRECONDITION; i++) {
		/* It reaps from its first moment on. */
		daemon_kill(&fixture->daemon);
		daemon_restart(&fixture->daemon, NULL);
		assert_int_equal(verify(fixture, &keys[(size_t)i * 199]), NOT_FOUND);
		err = make_keyspace(fixture);
	}
	err = err == LK_FAILED_PRECONDITION ? make_keyspace_when_free(fixture) : err;
	assert_int_equal(err, LK_OK);
	assert_int_equal(count_code(fixture, keys, count, NOT_FOUND), count);
	free(keys);
}

static void test_bulk_revoke_goes_on_after_a_kill(void **state)
{
	struct fixture *fixture = *state;
	const size_t count = 2000;
	struct key *keys = make_keys(fixture, count);

	assert_int_equal(begin(fixture, true).total, count);
	struct progress progress = begin(fixture, false);
	assert_int_equal(progress.total, count);
	assert_int_equal(progress.revoked, 500);
	daemon_kill(&fixture->daemon);
	daemon_restart(&fixture->daemon, NULL);
	/* With the token from before; the daemon may do parts of its own accord meanwhile. */
	uint64_t before = progress.revoked;
	for (int i = 0; i < 10 && !progress.done; i++) {
		progress = go_on(fixture, &progress);
		assert_true(progress.revoked >= before);
		before = progress.revoked;
	}
	assert_true(progress.done);
	assert_int_equal(progress.revoked, count);
	assert_int_equal(count_code(fixture, keys, count, REVOKED), count);
	free(keys);
}

static void test_bulk_revoke_that_was_left_is_finished_after_kills(void **state)
{
	struct fixture *fixture = *state;
	const size_t count = 4000;
	struct key *keys = make_keys(fixture, count);

	struct progress progress = begin(fixture, false);
	for (int i = 0; i < 4; i++) {
		daemon_kill(&fixture->daemon);
		daemon_restart(&fixture->daemon, NULL);
	}
	for (int i = 0; i < PATIENCE && begin(fixture, true).total > 0; i++) {
		wait_a_moment();
	}
	assert_int_equal(count_code(fixture, keys, count, REVOKED), count);
	progress = go_on(fixture, &progress);
	assert_true(progress.done);
	assert_int_equal(progress.revoked, count);
	free(keys);
}

/* Makes keys of ada's, and alters them, while a BulkRevoke is under way. */
struct meddler {
	pthread_t thread;
	struct lk_channel *channel;
	_Atomic bool begun;
	_Atomic bool over;
	/* Those whose Create began after the BulkRevoke had. */
	struct key later[4096];
	size_t n_later;
};

static void change_state(struct lk_channel *channel, const char *id)
{
	Latchkey__V1__SuspendKeyRequest suspend = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;
	Latchkey__V1__ActivateKeyRequest activate = LATCHKEY__V1__ACTIVATE_KEY_REQUEST__INIT;
	Latchkey__V1__Key *response = NULL;
	struct lk_call call = {.timeout_ms = TIMEOUT_MS};

	suspend.tenant = activate.tenant = TEXT("acme");
	suspend.key = activate.key = TEXT(id);
	/* Refused once the key is revoked. */
	if (latchkey_v1_key_suspend(channel, &suspend, &response, &call) == LK_OK) {
		latchkey__v1__key__free_unpacked(response, NULL);
		lk_call_done(&call);
		if (latchkey_v1_key_activate(channel, &activate, &response, &call) == LK_OK) {
			latchkey__v1__key__free_unpacked(response, NULL);
		}
	}
	lk_call_done(&call);
}

struct waverer {
	pthread_t thread;
	struct meddler *meddler;
	const struct key *keys;
	size_t count;
};

static void *run_meddler(void *argument)
{
	struct meddler *meddler = argument;

	while (!atomic_load(&meddler->over) && meddler->n_later < sizeof meddler->later / sizeof meddler->later[0]) {
		bool is_later = atomic_load(&meddler->begun);
		struct key key;
		make_key(meddler->channel, "ada", &key);
		if (is_later) {
			meddler->later[meddler->n_later++] = key;
		}
	}
	return NULL;
}

static void *run_waverer(void *argument)
{
	struct waverer *waverer = argument;

	for (size_t i = 0; !atomic_load(&waverer->meddler->over); i++) {
		change_state(waverer->meddler->channel, waverer->keys[i % waverer->count].id);
	}
	return NULL;
}

static void test_bulk_revoke_beside_creates_and_changes(void **state)
{
	struct fixture *fixture = *state;
	const size_t count = 3008;
	struct key *keys = make_keys(fixture, count);
	struct meddler *meddler = calloc(1, sizeof *meddler);
	struct waverer waverers[4];

	CHECK(meddler != NULL);
	meddler->channel = fixture->channel;
	CHECK(pthread_create(&meddler->thread, NULL, run_meddler, meddler) == 0);
	for (size_t i = 0; i < 4; i++) {
		/* The first ones and the last. */
		waverers[i] = (struct waverer){
			.meddler = meddler, .keys = i < 2 ? keys : keys + count - 200, .count = 200};
		CHECK(pthread_create(&waverers[i].thread, NULL, run_waverer, &waverers[i]) == 0);
	}
	struct progress progress = begin(fixture, false);
	atomic_store(&meddler->begun, true);
	assert_true(progress.total >= count);
	while (!progress.done) {
		progress = go_on(fixture, &progress);
	}
	assert_int_equal(progress.revoked, progress.total);
	assert_int_equal(count_code(fixture, keys, count, REVOKED), count);
	atomic_store(&meddler->over, true);
	CHECK(pthread_join(meddler->thread, NULL) == 0);
	for (size_t i = 0; i < 4; i++) {
		CHECK(pthread_join(waverers[i].thread, NULL) == 0);
	}
	assert_true(meddler->n_later > 0);
	assert_int_equal(count_code(fixture, meddler->later, meddler->n_later, VALID), meddler->n_later);
	assert_int_equal(count_code(fixture, keys, count, REVOKED), count);
	free(meddler);
	free(keys);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_force_ends_five_thousand_keys_at_once),
		TEST(test_reaping_outlives_kill_after_kill),
		TEST(test_bulk_revoke_goes_on_after_a_kill),
		TEST(test_bulk_revoke_that_was_left_is_finished_after_kills),
		TEST(test_bulk_revoke_beside_creates_and_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "tests/unit/service/service_fixture.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <time.h>

#include "client/uuid7.h"
#include "tests/lib/check.h"

static uint64_t now_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

static Latchkey__V1__CreateKeyRequest request_named(const char *name)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.name = TEXT(name);
	return request;
}

static struct loop_answer create_with(const uint8_t *id, const char *credential, const char *name)
{
	struct loop_call how = {.request_id = id, .credential = credential};
	Latchkey__V1__CreateKeyRequest request = request_named(name);

	return loop_call(&fixture_loop, &how, &latchkey_v1_key_create_method, &request.base);
}

static size_t count_keys(void)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
	size_t count = ((const Latchkey__V1__ListKeysResponse *)answer.response)->n_keys;
	loop_answer_done(&answer);
	return count;
}

static void test_retry_gets_the_same_answer(void **state)
{
	uint8_t id[LK_UUID7_LEN];

	(void)state;
	lk_uuid7_make(now_ms(), id);
	struct loop_answer first = create_with(id, NULL, "ci");
	struct loop_answer second = create_with(id, NULL, "ci");
	assert_int_equal(first.code, 0);
	assert_int_equal(second.code, 0);
	assert_int_equal(first.payload_len, second.payload_len);
	assert_memory_equal(first.payload, second.payload, first.payload_len);
	assert_int_equal(first.revision, second.revision);
	loop_answer_done(&second);
	/* Also by a daemon that was started since. */
	loop_restart(&fixture_loop);
	second = create_with(id, NULL, "ci");
	assert_memory_equal(first.payload, second.payload, first.payload_len);
	assert_int_equal(count_keys(), 1);
	loop_answer_done(&first);
	loop_answer_done(&second);
}

static void test_id_is_good_for_one_request(void **state)
{
	uint8_t id[LK_UUID7_LEN];

	(void)state;
	lk_uuid7_make(now_ms(), id);
	struct loop_answer answer = create_with(id, NULL, "ci");
	assert_int_equal(answer.code, 0);
	loop_answer_done(&answer);
	answer = create_with(id, NULL, "another");
	assert_int_equal(answer.code, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.message, "request_id"));
	assert_non_null(strstr(answer.violations, "request_id: was used for another request"));
	loop_answer_done(&answer);
	assert_int_equal(count_keys(), 1);
}

static void test_id_is_its_callers_own(void **state)
{
	const char *const all[] = {"*", NULL};
	struct fixture_key root = fixture_make_root_key(all, all, all);
	uint8_t id[LK_UUID7_LEN];

	(void)state;
	lk_uuid7_make(now_ms(), id);
	struct loop_answer first = create_with(id, NULL, "ci");
	struct loop_answer second = create_with(id, root.token, "ci");
	assert_int_equal(first.code, 0);
	assert_int_equal(second.code, 0);
	assert_int_equal(count_keys(), 2);
	loop_answer_done(&first);
	loop_answer_done(&second);
	fixture_key_done(&root);
}

static void refuse_id(const uint8_t *id, const char *said)
{
	struct loop_answer answer = create_with(id, NULL, "ci");

	assert_int_equal(answer.code, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.message, said));
	assert_int_equal(strncmp(answer.violations, "request_id: ", 12), 0);
	loop_answer_done(&answer);
}

static void test_id_of_another_time_is_refused(void **state)
{
	uint8_t id[LK_UUID7_LEN];

	(void)state;
	lk_uuid7_make(now_ms() - 610000, id);
	refuse_id(id, "clock skew");
	lk_uuid7_make(now_ms() + 130000, id);
	refuse_id(id, "clock skew");
	randombytes_buf(id, sizeof id);
	id[6] = 0x40;
	refuse_id(id, "version 7");
	assert_int_equal(count_keys(), 0);
}

/* What is wrong with the id comes together with what is wrong with the request, wherever that is found. */
static void test_faults_of_id_and_request_come_together(void **state)
{
	uint8_t id[LK_UUID7_LEN];
	struct loop_call how = {.request_id = id};
	Latchkey__V1__CreateKeyRequest request = request_named("ci");
	Latchkey__V1__DeleteKeyRequest delete_request = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;

	(void)state;
	lk_uuid7_make(now_ms() - 610000, id);
	request.name = TEXT("a\tb");
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_create_method, &request.base);
	assert_int_equal(answer.code, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "request_id: "));
	assert_non_null(strstr(answer.violations, "name: "));
	loop_answer_done(&answer);
	/* A limit of the wire. */
	char owner[200];
	memset(owner, 'o', sizeof owner - 1);
	owner[sizeof owner - 1] = '\0';
	request.owner = owner;
	answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_create_method, &request.base);
	assert_int_equal(answer.code, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "request_id: "));
	assert_non_null(strstr(answer.violations, "owner: "));
	loop_answer_done(&answer);
	/* And once each, also where nothing else is wrong. */
	delete_request.tenant = TEXT("acme");
	delete_request.key = TEXT("1");
	answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_delete_method, &delete_request.base);
	assert_int_equal(answer.code, LK_INVALID_ARGUMENT);
	const char *first = strstr(answer.violations, "request_id: ");
	assert_non_null(first);
	assert_null(strstr(first + 1, "request_id: "));
	loop_answer_done(&answer);
	assert_int_equal(count_keys(), 0);
}

static struct loop_answer revoke_with(const uint8_t *id, const char *key)
{
	struct loop_call how = {.request_id = id};
	Latchkey__V1__RevokeKeyRequest request = LATCHKEY__V1__REVOKE_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_revoke_method, &request.base);
	assert_int_equal(answer.code, 0);
	return answer;
}

/* A change that found nothing to do has done its work: its retry does nothing, either, whatever happened since. */
static void test_answer_of_a_change_that_does_nothing_is_kept(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	uint8_t id[LK_UUID7_LEN];

	(void)state;
	struct loop_answer answer = revoke_with(NULL, key.id);
	loop_answer_done(&answer);
	lk_uuid7_make(now_ms(), id);
	struct loop_answer first = revoke_with(id, key.id);
	struct fixture_key other = fixture_make_key("acme", "prod", "another");
	struct loop_answer second = revoke_with(id, key.id);
	assert_int_equal(first.revision, second.revision);
	assert_int_equal(first.payload_len, second.payload_len);
	assert_memory_equal(first.payload, second.payload, first.payload_len);
	loop_answer_done(&first);
	loop_answer_done(&second);
	fixture_key_done(&key);
	fixture_key_done(&other);
}

/* Trying is not doing: nothing is kept, and the request itself may follow under the same id. */
static void test_request_that_is_only_checked_is_not_kept(void **state)
{
	uint8_t id[LK_UUID7_LEN];
	struct loop_call how = {.request_id = id};
	Latchkey__V1__CreateKeyRequest request = request_named("ci");

	(void)state;
	lk_uuid7_make(now_ms(), id);
	request.validate_only = true;
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_create_method, &request.base);
	assert_int_equal(answer.code, 0);
	loop_answer_done(&answer);
	answer = create_with(id, NULL, "ci");
	assert_int_equal(answer.code, 0);
	loop_answer_done(&answer);
	assert_int_equal(count_keys(), 1);
}

static void test_refusal_is_not_kept(void **state)
{
	uint8_t id[LK_UUID7_LEN];
	struct loop_call how = {.request_id = id};
	Latchkey__V1__CreateKeyRequest request = request_named("ci");

	(void)state;
	lk_uuid7_make(now_ms(), id);
	request.keyspace = TEXT("later");
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_create_method, &request.base);
	assert_int_equal(answer.code, LK_NOT_FOUND);
	loop_answer_done(&answer);
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	policy.token_prefix = TEXT("l-");
	fixture_make_keyspace("acme", "later", &policy);
	answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_create_method, &request.base);
	assert_int_equal(answer.code, 0);
	loop_answer_done(&answer);
}

#define RACERS 8

struct race {
	pthread_barrier_t *start;
	const uint8_t *id;
	struct loop_answer answer;
};

static void *run_racer(void *argument)
{
	struct race *race = argument;

	(void)pthread_barrier_wait(race->start);
	race->answer = create_with(race->id, NULL, "ci");
	return NULL;
}

static void test_racing_retries_make_one_key(void **state)
{
	pthread_barrier_t start;
	pthread_t threads[RACERS];
	struct race races[RACERS] = {0};
	uint8_t id[LK_UUID7_LEN];

	(void)state;
	lk_uuid7_make(now_ms(), id);
	CHECK(pthread_barrier_init(&start, NULL, RACERS) == 0);
	for (size_t i = 0; i < RACERS; i++) {
		races[i] = (struct race){.start = &start, .id = id};
		CHECK(pthread_create(&threads[i], NULL, run_racer, &races[i]) == 0);
	}
	for (size_t i = 0; i < RACERS; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
	}
	for (size_t i = 0; i < RACERS; i++) {
		assert_int_equal(races[i].answer.code, 0);
		assert_int_equal(races[i].answer.payload_len, races[0].answer.payload_len);
		assert_memory_equal(races[i].answer.payload, races[0].answer.payload, races[0].answer.payload_len);
	}
	for (size_t i = 0; i < RACERS; i++) {
		loop_answer_done(&races[i].answer);
	}
	assert_int_equal(count_keys(), 1);
	pthread_barrier_destroy(&start);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_retry_gets_the_same_answer),
		TEST(test_id_is_good_for_one_request),
		TEST(test_id_is_its_callers_own),
		TEST(test_id_of_another_time_is_refused),
		TEST(test_faults_of_id_and_request_come_together),
		TEST(test_answer_of_a_change_that_does_nothing_is_kept),
		TEST(test_request_that_is_only_checked_is_not_kept),
		TEST(test_refusal_is_not_kept),
		TEST(test_racing_retries_make_one_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

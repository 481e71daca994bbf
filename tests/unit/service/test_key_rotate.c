#include "tests/unit/service/key_calls.h"

#include <stdlib.h>
#include <time.h>

#include "client/uuid7.h"

enum {
	hour = 3600,
};

/* Rotates with an overlap of so many seconds and nanoseconds. */
static struct loop_answer rotate(const char *key, int64_t seconds, int32_t nanos, enum lk_err expected)
{
	Latchkey__V1__RotateKeyRequest request = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration overlap = GOOGLE__PROTOBUF__DURATION__INIT;

	overlap.seconds = seconds;
	overlap.nanos = nanos;
	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	request.overlap = &overlap;
	return fixture_call(&latchkey_v1_key_rotate_method, &request.base, expected);
}

static const Latchkey__V1__RotateKeyResponse *rotated(const struct loop_answer *answer)
{
	return (const Latchkey__V1__RotateKeyResponse *)answer->response;
}

/* The new token, to be free()d. */
static char *rotate_to(const char *key, int64_t overlap_s)
{
	struct loop_answer answer = rotate(key, overlap_s, 0, LK_OK);
	char *token = strdup(rotated(&answer)->token);

	assert_non_null(token);
	loop_answer_done(&answer);
	return token;
}

static struct loop_answer verify(const char *token)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(token);
	return fixture_call(&latchkey_v1_key_verify_method, &request.base, LK_OK);
}

/* Until when Verify says that the secret is good; 0: it does not say. */
static int64_t end_of(const char *token)
{
	struct loop_answer answer = verify(token);
	const Latchkey__V1__VerifyKeyResponse *response = (const Latchkey__V1__VerifyKeyResponse *)answer.response;
	int64_t end = response->secret_expire_time == NULL ? 0 : response->secret_expire_time->seconds;

	loop_answer_done(&answer);
	return end;
}

/* Until when Get says that the secret before the newest is good; 0: it does not say. */
static int64_t shown_end_of(const char *key)
{
	struct loop_answer answer = keys_get(key);
	const Google__Protobuf__Timestamp *end = keys_shown(&answer)->previous_secret_expire_time;
	int64_t seconds = end == NULL ? 0 : end->seconds;

	loop_answer_done(&answer);
	return seconds;
}

static void test_rotate_ends_the_secret_at_once(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct loop_answer before = keys_get(key.id);
	struct loop_answer answer = keys_do(ACTION(ROTATE), key.id, LK_OK);
	const Latchkey__V1__RotateKeyResponse *response = rotated(&answer);

	(void)state;
	assert_string_not_equal(response->token, key.token);
	assert_memory_equal(response->token, "sk-", 3);
	assert_int_equal(strlen(response->token), 3 + 32 + 6);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(REVOKED));
	assert_int_equal(fixture_verify(response->token, ""), VERDICT(VALID));
	assert_string_equal(response->key->id, key.id);
	assert_int_equal(response->key->number, 1);
	assert_string_equal(response->key->name, "ci");
	assert_int_equal(strlen(response->key->display_prefix), 3 + 6);
	assert_memory_equal(response->key->display_prefix, response->token, 3 + 6);
	assert_string_not_equal(response->key->display_prefix, keys_shown(&before)->display_prefix);
	assert_string_not_equal(response->key->etag, keys_shown(&before)->etag);
	assert_null(response->key->previous_secret_expire_time);
	assert_int_equal(shown_end_of(key.id), 0);
	assert_int_equal(end_of(response->token), 0);
	loop_answer_done(&answer);
	loop_answer_done(&before);
	fixture_key_done(&key);
}

static void test_rotate_with_an_overlap_leaves_both_good(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	int64_t before = (int64_t)time(NULL);
	char *next = rotate_to(key.id, hour);
	int64_t after = (int64_t)time(NULL);

	(void)state;
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	assert_int_equal(fixture_verify(next, ""), VERDICT(VALID));
	int64_t end = end_of(key.token);
	assert_in_range(end, before + hour, after + hour);
	assert_int_equal(end_of(next), 0);
	assert_int_equal(shown_end_of(key.id), end);
	/* Both are one key: its use is counted together. */
	struct loop_answer answer = keys_get(key.id);
	assert_int_equal(keys_shown(&answer)->usage_count, 4);
	loop_answer_done(&answer);
	loop_restart(&fixture_loop);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	assert_int_equal(end_of(key.token), end);
	free(next);
	fixture_key_done(&key);
}

static void test_rotate_overlap_ends_by_itself(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct loop_answer answer = rotate(key.id, 0, 20000000, LK_OK);

	(void)state;
	while (fixture_verify(key.token, "") == VERDICT(VALID)) {
	}
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(REVOKED));
	assert_int_equal(fixture_verify(rotated(&answer)->token, ""), VERDICT(VALID));
	assert_int_equal(shown_end_of(key.id), 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_rotate_during_an_overlap_ends_the_oldest(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	char *second = rotate_to(key.id, 2 * hour);
	char *third = rotate_to(key.id, hour);

	(void)state;
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(NOT_FOUND));
	assert_int_equal(fixture_verify(second, ""), VERDICT(VALID));
	assert_int_equal(fixture_verify(third, ""), VERDICT(VALID));
	assert_int_equal(end_of(second), shown_end_of(key.id));
	char *fourth = rotate_to(key.id, 0);
	assert_int_equal(fixture_verify(second, ""), VERDICT(NOT_FOUND));
	assert_int_equal(fixture_verify(third, ""), VERDICT(REVOKED));
	assert_int_equal(fixture_verify(fourth, ""), VERDICT(VALID));
	fixture_drop(keys_do(ACTION(DELETE), key.id, LK_OK));
	assert_int_equal(fixture_verify(third, ""), VERDICT(NOT_FOUND));
	assert_int_equal(fixture_verify(fourth, ""), VERDICT(NOT_FOUND));
	free(second);
	free(third);
	free(fourth);
	fixture_key_done(&key);
}

static void test_rotate_overlap_ends_with_the_key(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	Google__Protobuf__Timestamp expire = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	char *next = rotate_to(key.id, 2 * hour);

	(void)state;
	expire.seconds = (int64_t)time(NULL) + hour;
	changed.id = key.id;
	changed.expire_time = &expire;
	fixture_drop(keys_update(&changed, PATHS("expire_time"), "", LK_OK));
	assert_int_equal(shown_end_of(key.id), expire.seconds);
	assert_int_equal(end_of(key.token), expire.seconds);
	assert_int_equal(end_of(next), 0);
	free(next);
	fixture_key_done(&key);
}

static void test_rotate_of_a_suspended_key_is_good_once_it_is_activated(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");

	(void)state;
	fixture_drop(keys_do(ACTION(SUSPEND), key.id, LK_OK));
	char *next = rotate_to(key.id, hour);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(SUSPENDED));
	assert_int_equal(fixture_verify(next, ""), VERDICT(SUSPENDED));
	assert_int_not_equal(shown_end_of(key.id), 0);
	fixture_drop(keys_do(ACTION(ACTIVATE), key.id, LK_OK));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	assert_int_equal(fixture_verify(next, ""), VERDICT(VALID));
	free(next);
	fixture_key_done(&key);
}

static void test_revoke_during_an_overlap_ends_both(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	char *next = rotate_to(key.id, hour);

	(void)state;
	fixture_drop(keys_do(ACTION(REVOKE), key.id, LK_OK));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(REVOKED));
	assert_int_equal(fixture_verify(next, ""), VERDICT(REVOKED));
	assert_int_equal(shown_end_of(key.id), 0);
	fixture_drop(rotate(key.id, 0, 0, LK_FAILED_PRECONDITION));
	free(next);
	fixture_key_done(&key);
}

static void test_rotate_overlap_has_bounds(void **state)
{
	static const struct {
		int64_t seconds;
		int32_t nanos;
		const char *part;
	} bad[] = {
		{-1, 0, "overlap: -1 s and 0 ns is past"},
		{0, -1, "overlap: 0 s and -1 ns is past"},
		{1, -1, "overlap: 1 s and -1 ns is no Duration"},
		{INT64_MAX, 0, "is no Duration"},
		{0, 1000000000, "is no Duration"},
		{INT64_C(315576000000), 0, "ends after the year 9999"},
		{INT64_C(253402300800), 0, "ends after the year 9999"},
	};
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct loop_answer answer = rotate(key.id, bad[i].seconds, bad[i].nanos, LK_INVALID_ARGUMENT);
		if (strstr(answer.violations, bad[i].part) == NULL) {
			fail_msg("'%s' does not say '%s'", answer.violations, bad[i].part);
		}
		loop_answer_done(&answer);
	}
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	/* A thousand years are within them, and less than a microsecond is none. */
	fixture_drop(rotate(key.id, INT64_C(31557600000), 0, LK_OK));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	struct loop_answer answer = rotate(key.id, 0, 999, LK_OK);
	assert_null(rotated(&answer)->key->previous_secret_expire_time);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_rotate_reports_all_faults_together(void **state)
{
	(void)state;
	struct loop_answer answer = rotate("no key", -1, 0, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "overlap: "));
	assert_non_null(strstr(answer.violations, "\nkey: "));
	loop_answer_done(&answer);
	fixture_drop(rotate("17", 0, 0, LK_NOT_FOUND));
}

/* A retry must not rotate once more: the token that the first answer told would be the one that ends. */
static void test_rotate_retried_answers_the_same_token(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct timespec now = {0};
	uint8_t id[LK_UUID7_LEN];
	struct loop_call how = {.request_id = id};
	Latchkey__V1__RotateKeyRequest request = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;

	(void)state;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	lk_uuid7_make((uint64_t)now.tv_sec * 1000 + (uint64_t)(now.tv_nsec / 1000000), id);
	request.tenant = TEXT("acme");
	request.key = key.id;
	struct loop_answer first = loop_call(&fixture_loop, &how, &latchkey_v1_key_rotate_method, &request.base);
	struct loop_answer second = loop_call(&fixture_loop, &how, &latchkey_v1_key_rotate_method, &request.base);
	assert_int_equal(first.code, 0);
	assert_int_equal(second.code, 0);
	assert_string_equal(rotated(&first)->token, rotated(&second)->token);
	assert_string_equal(rotated(&first)->key->etag, rotated(&second)->key->etag);
	assert_int_equal(fixture_verify(rotated(&first)->token, ""), VERDICT(VALID));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(REVOKED));
	loop_answer_done(&first);
	loop_answer_done(&second);
	fixture_key_done(&key);
}

/* Two at once: each gets a token of its own, one after the other. */
static void test_rotate_twice_at_once_leaves_one_good(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__RotateKeyRequest request = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;

	(void)state;
	request.tenant = TEXT("acme");
	request.key = key.id;
	struct loop_pending *a = loop_begin(
		&fixture_loop, &fixture_operator, &latchkey_v1_key_rotate_method, &request.base);
	struct loop_pending *b = loop_begin(
		&fixture_loop, &fixture_operator, &latchkey_v1_key_rotate_method, &request.base);
	struct loop_answer first = loop_end(a);
	struct loop_answer second = loop_end(b);
	assert_int_equal(first.code, 0);
	assert_int_equal(second.code, 0);
	assert_true(first.revision < second.revision);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(NOT_FOUND));
	assert_int_equal(fixture_verify(rotated(&first)->token, ""), VERDICT(REVOKED));
	assert_int_equal(fixture_verify(rotated(&second)->token, ""), VERDICT(VALID));
	loop_answer_done(&first);
	loop_answer_done(&second);
	fixture_key_done(&key);
}

/* A root key's own secret: the old one is nobody at once, with an overlap it is somebody until then. */
static void test_rotated_root_key_is_its_newest_secret(void **state)
{
	struct fixture_key root = fixture_make_root_key(PATHS("*"), PATHS("system", "acme"), PATHS("*"));
	struct loop_call how = {.anonymous = true, .credential = root.token};

	(void)state;
	struct loop_answer answer = keys_do_as(&how, "system", ACTION(ROTATE), root.id, LK_OK);
	fixture_drop(keys_do_as(&how, "system", ACTION(ROTATE), root.id, LK_UNAUTHENTICATED));
	char *next = strdup(rotated(&answer)->token);
	assert_non_null(next);
	loop_answer_done(&answer);
	assert_memory_equal(next, "lkr_", 4);
	how.credential = next;
	fixture_drop(keys_do_as(&how, "system", ACTION(UPDATE), root.id, LK_OK));
	free(next);
	fixture_key_done(&root);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_rotate_ends_the_secret_at_once),
		TEST(test_rotate_with_an_overlap_leaves_both_good),
		TEST(test_rotate_overlap_ends_by_itself),
		TEST(test_rotate_during_an_overlap_ends_the_oldest),
		TEST(test_rotate_overlap_ends_with_the_key),
		TEST(test_rotate_of_a_suspended_key_is_good_once_it_is_activated),
		TEST(test_revoke_during_an_overlap_ends_both),
		TEST(test_rotate_overlap_has_bounds),
		TEST(test_rotate_reports_all_faults_together),
		TEST(test_rotate_retried_answers_the_same_token),
		TEST(test_rotate_twice_at_once_leaves_one_good),
		TEST(test_rotated_root_key_is_its_newest_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

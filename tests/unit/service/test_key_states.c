#include "tests/unit/service/key_calls.h"

#include <stdlib.h>

#define LIST(...) PATHS(__VA_ARGS__)

/* What an action owes on a key in a state. */
struct outcome {
	Latchkey__V1__KeyAction action;
	enum lk_err answer;
	/* Nothing changes, though the call succeeds. */
	bool is_no_op;
	/* Of a token that was good before, afterwards. */
	Latchkey__V1__VerifyCode verdict;
	/* UNSPECIFIED: the key is gone. */
	Latchkey__V1__KeyState state;
};

static struct fixture_key make(Latchkey__V1__KeyState state)
{
	if (state == STATE(EXPIRED)) {
		return keys_make_expired("prod");
	}
	struct fixture_key key = fixture_make_key("acme", "prod", "a key");
	if (state == STATE(SUSPENDED)) {
		fixture_drop(keys_do(ACTION(SUSPEND), key.id, LK_OK));
	} else if (state == STATE(REVOKED)) {
		fixture_drop(keys_do(ACTION(REVOKE), key.id, LK_OK));
	}
	return key;
}

static char *etag_of(const char *key)
{
	struct loop_answer answer = keys_get(key);
	char *etag = strdup(keys_shown(&answer)->etag);

	assert_non_null(etag);
	loop_answer_done(&answer);
	return etag;
}

static bool lists(const Latchkey__V1__Key *key, Latchkey__V1__KeyAction action)
{
	for (size_t i = 0; i < key->n_available_actions; i++) {
		if (key->available_actions[i] == action) {
			return true;
		}
	}
	return false;
}

/* Rotation answers with its own message, the others but Delete with the key. */
static const Latchkey__V1__Key *key_in(const struct loop_answer *answer, Latchkey__V1__KeyAction action)
{
	return action == ACTION(ROTATE) ? ((const Latchkey__V1__RotateKeyResponse *)answer->response)->key
					: (const Latchkey__V1__Key *)answer->response;
}

static void check_outcome(const struct outcome *outcome, Latchkey__V1__KeyState before)
{
	struct fixture_key key = make(before);
	struct loop_answer shown = keys_get(key.id);
	char *etag = etag_of(key.id);

	assert_int_equal(keys_shown(&shown)->state, before);
	assert_int_equal(lists(keys_shown(&shown), outcome->action), outcome->answer == LK_OK && !outcome->is_no_op);
	loop_answer_done(&shown);
	struct loop_answer answer = keys_do(outcome->action, key.id, outcome->answer);
	if (outcome->answer == LK_OK && outcome->action != ACTION(DELETE)) {
		assert_int_equal(key_in(&answer, outcome->action)->state, outcome->state);
		assert_string_equal(key_in(&answer, outcome->action)->id, key.id);
	} else if (outcome->answer != LK_OK) {
		assert_non_null(strstr(answer.message, before == STATE(REVOKED) ? "is REVOKED" : "is EXPIRED"));
		assert_non_null(strstr(answer.message, "it can be "));
	}
	loop_answer_done(&answer);
	assert_int_equal(fixture_verify(key.token, ""), outcome->verdict);
	if (outcome->state != STATE(UNSPECIFIED)) {
		char *after = etag_of(key.id);
		bool changes = outcome->answer == LK_OK && !outcome->is_no_op;
		assert_int_equal(strcmp(etag, after) != 0, changes);
		free(after);
		shown = keys_get(key.id);
		assert_int_equal(keys_shown(&shown)->state, outcome->state);
		loop_answer_done(&shown);
	} else {
		fixture_drop(keys_do(ACTION(REVOKE), key.id, LK_NOT_FOUND));
	}
	free(etag);
	fixture_key_done(&key);
}

static void check_outcomes(const struct outcome *outcomes, Latchkey__V1__KeyState before)
{
	for (int action = first_action; action <= last_action; action++) {
		const struct outcome *outcome = &outcomes[action - first_action];
		assert_int_equal(outcome->action, action);
		check_outcome(outcome, before);
	}
}

static void test_states_of_an_active_key(void **state)
{
	static const struct outcome outcomes[] = {
		{ACTION(ACTIVATE), LK_OK, true, VERDICT(VALID), STATE(ACTIVE)},
		{ACTION(SUSPEND), LK_OK, false, VERDICT(SUSPENDED), STATE(SUSPENDED)},
		{ACTION(ROTATE), LK_OK, false, VERDICT(REVOKED), STATE(ACTIVE)},
		{ACTION(UPDATE), LK_OK, false, VERDICT(VALID), STATE(ACTIVE)},
		{ACTION(REVOKE), LK_OK, false, VERDICT(REVOKED), STATE(REVOKED)},
		{ACTION(DELETE), LK_OK, false, VERDICT(NOT_FOUND), STATE(UNSPECIFIED)},
	};

	(void)state;
	check_outcomes(outcomes, STATE(ACTIVE));
}

static void test_states_of_a_suspended_key(void **state)
{
	static const struct outcome outcomes[] = {
		{ACTION(ACTIVATE), LK_OK, false, VERDICT(VALID), STATE(ACTIVE)},
		{ACTION(SUSPEND), LK_OK, true, VERDICT(SUSPENDED), STATE(SUSPENDED)},
		{ACTION(ROTATE), LK_OK, false, VERDICT(REVOKED), STATE(SUSPENDED)},
		{ACTION(UPDATE), LK_OK, false, VERDICT(SUSPENDED), STATE(SUSPENDED)},
		{ACTION(REVOKE), LK_OK, false, VERDICT(REVOKED), STATE(REVOKED)},
		{ACTION(DELETE), LK_OK, false, VERDICT(NOT_FOUND), STATE(UNSPECIFIED)},
	};

	(void)state;
	check_outcomes(outcomes, STATE(SUSPENDED));
}

static void test_states_of_an_expired_key(void **state)
{
	static const struct outcome outcomes[] = {
		{ACTION(ACTIVATE), LK_FAILED_PRECONDITION, false, VERDICT(EXPIRED), STATE(EXPIRED)},
		{ACTION(SUSPEND), LK_FAILED_PRECONDITION, false, VERDICT(EXPIRED), STATE(EXPIRED)},
		{ACTION(ROTATE), LK_FAILED_PRECONDITION, false, VERDICT(EXPIRED), STATE(EXPIRED)},
		{ACTION(UPDATE), LK_OK, false, VERDICT(EXPIRED), STATE(EXPIRED)},
		{ACTION(REVOKE), LK_OK, false, VERDICT(REVOKED), STATE(REVOKED)},
		{ACTION(DELETE), LK_OK, false, VERDICT(NOT_FOUND), STATE(UNSPECIFIED)},
	};

	(void)state;
	check_outcomes(outcomes, STATE(EXPIRED));
}

static void test_states_of_a_revoked_key(void **state)
{
	static const struct outcome outcomes[] = {
		{ACTION(ACTIVATE), LK_FAILED_PRECONDITION, false, VERDICT(REVOKED), STATE(REVOKED)},
		{ACTION(SUSPEND), LK_FAILED_PRECONDITION, false, VERDICT(REVOKED), STATE(REVOKED)},
		{ACTION(ROTATE), LK_FAILED_PRECONDITION, false, VERDICT(REVOKED), STATE(REVOKED)},
		{ACTION(UPDATE), LK_FAILED_PRECONDITION, false, VERDICT(REVOKED), STATE(REVOKED)},
		{ACTION(REVOKE), LK_OK, true, VERDICT(REVOKED), STATE(REVOKED)},
		{ACTION(DELETE), LK_OK, false, VERDICT(NOT_FOUND), STATE(UNSPECIFIED)},
	};

	(void)state;
	check_outcomes(outcomes, STATE(REVOKED));
}

static struct loop_answer suspend(const char *key, const char *reason, enum lk_err expected)
{
	Latchkey__V1__SuspendKeyRequest request = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	request.reason = TEXT(reason);
	return fixture_call(&latchkey_v1_key_suspend_method, &request.base, expected);
}

static void test_suspend_keeps_its_reason_until_the_key_is_suspended_no_more(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	struct loop_answer answer = suspend(key.id, "  on holiday ", LK_OK);

	(void)state;
	assert_string_equal(keys_shown(&answer)->suspend_reason, "on holiday");
	loop_answer_done(&answer);
	/* It is suspended already: the first reason stands. */
	answer = suspend(key.id, "another", LK_OK);
	assert_string_equal(keys_shown(&answer)->suspend_reason, "on holiday");
	loop_answer_done(&answer);
	answer = keys_do(ACTION(ACTIVATE), key.id, LK_OK);
	assert_string_equal(keys_shown(&answer)->suspend_reason, "");
	loop_answer_done(&answer);
	fixture_drop(suspend(key.id, "lost", LK_OK));
	answer = keys_do(ACTION(REVOKE), key.id, LK_OK);
	assert_string_equal(keys_shown(&answer)->suspend_reason, "");
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_suspend_reports_all_faults_together(void **state)
{
	char reason[258] = "";

	(void)state;
	memset(reason, 'r', 256);
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	fixture_drop(suspend(key.id, reason, LK_OK));
	reason[0] = '\n';
	reason[1] = '\x01';
	struct loop_answer answer = suspend("no key", reason, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "reason: "));
	assert_non_null(strstr(answer.violations, "\nkey: "));
	loop_answer_done(&answer);
	fixture_drop(suspend("key_00000000000000000000000000", "", LK_NOT_FOUND));
	fixture_drop(keys_do(ACTION(ACTIVATE), "99", LK_NOT_FOUND));
	fixture_key_done(&key);
}

static void test_states_outlive_a_restart(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");

	(void)state;
	fixture_drop(suspend(key.id, "lost", LK_OK));
	loop_restart(&fixture_loop);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(SUSPENDED));
	fixture_drop(keys_do(ACTION(ACTIVATE), "1", LK_OK));
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(VALID));
	fixture_key_done(&key);
}

/* A key that was suspended and then expired, however slow the machine is. */
static struct fixture_key make_suspended_and_expired(void)
{
	Latchkey__V1__CreateKeyRequest create = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__SuspendKeyRequest request = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;
	Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;

	create.tenant = request.tenant = TEXT("acme");
	create.keyspace = TEXT("prod");
	create.expiry_case = LATCHKEY__V1__CREATE_KEY_REQUEST__EXPIRY_TTL;
	create.ttl = &ttl;
	request.reason = TEXT("lost");
	for (ttl.nanos = 25000000;; ttl.nanos *= 2) {
		struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &create.base, LK_OK);
		struct fixture_key key = fixture_take_key(&answer);
		request.key = key.id;
		answer = loop_call(&fixture_loop, &fixture_operator, &latchkey_v1_key_suspend_method, &request.base);
		bool in_time = answer.code == 0;
		loop_answer_done(&answer);
		if (in_time) {
			while (fixture_verify(key.token, "") == VERDICT(SUSPENDED)) {
			}
			return key;
		}
		fixture_key_done(&key);
		assert_true(ttl.nanos < 800000000);
	}
}

/* EXPIRED wins over SUSPENDED, which is what the key is again once it is revived. */
static void test_suspended_key_that_expired_and_was_revived_is_suspended(void **state)
{
	struct fixture_key key = make_suspended_and_expired();
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;

	(void)state;
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(EXPIRED));
	fixture_drop(keys_do(ACTION(ACTIVATE), key.id, LK_FAILED_PRECONDITION));
	changed.id = key.id;
	struct loop_answer answer = keys_update(&changed, PATHS("expire_time"), "", LK_OK);
	assert_int_equal(keys_shown(&answer)->state, STATE(SUSPENDED));
	assert_string_equal(keys_shown(&answer)->suspend_reason, "lost");
	loop_answer_done(&answer);
	assert_int_equal(fixture_verify(key.token, ""), VERDICT(SUSPENDED));
	fixture_key_done(&key);
}

/* A name stays taken as long as its key is not revoked, in whatever state. */
static void test_suspended_key_keeps_its_unique_name(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	(void)state;
	policy.token_prefix = TEXT("u_");
	policy.name_unique = true;
	fixture_make_keyspace("acme", "unique", &policy);
	struct fixture_key first = fixture_make_key("acme", "unique", "phone");
	fixture_drop(suspend(first.id, "", LK_OK));
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("unique");
	request.name = TEXT("phone");
	fixture_drop(fixture_call(&latchkey_v1_key_create_method, &request.base, LK_ALREADY_EXISTS));
	fixture_drop(keys_do(ACTION(REVOKE), first.id, LK_OK));
	struct fixture_key second = fixture_make_key("acme", "unique", "phone");
	fixture_key_done(&first);
	fixture_key_done(&second);
}

/* Nobody changes or ends a root key that may do more than he may. */
static void test_root_key_is_changed_only_by_who_may_do_all_of_it(void **state)
{
	struct fixture_key strong = fixture_make_root_key(LIST("*"), LIST("*", "system"), LIST("*"));
	struct fixture_key weak = fixture_make_root_key(LIST("keys.*"), LIST("system"), LIST("*"));
	struct fixture_key equal = fixture_make_root_key(LIST("keys.get"), LIST("system"), LIST("*"));
	const struct loop_call how = {.anonymous = true, .credential = weak.token};

	(void)state;
	for (int action = first_action; action <= last_action; action++) {
		fixture_drop(
			keys_do_as(&how, "system", (Latchkey__V1__KeyAction)action, strong.id, LK_PERMISSION_DENIED));
		assert_int_equal(fixture_verify(strong.token, ""), VERDICT(VALID));
	}
	fixture_drop(keys_do_as(&how, "system", ACTION(SUSPEND), equal.id, LK_OK));
	assert_int_equal(fixture_verify(equal.token, ""), VERDICT(SUSPENDED));
	fixture_drop(keys_do_as(&how, "system", ACTION(ACTIVATE), equal.id, LK_OK));
	fixture_drop(keys_do_as(&how, "system", ACTION(UPDATE), equal.id, LK_OK));
	fixture_drop(keys_do_as(&how, "system", ACTION(ROTATE), equal.id, LK_OK));
	fixture_drop(keys_do_as(&how, "system", ACTION(REVOKE), equal.id, LK_OK));
	fixture_drop(keys_do_as(&how, "system", ACTION(DELETE), equal.id, LK_OK));
	fixture_key_done(&strong);
	fixture_key_done(&weak);
	fixture_key_done(&equal);
}

/* A root key that is suspended opens nothing, and what is not granted is refused before anything is looked up. */
static void test_suspended_root_key_is_nobody(void **state)
{
	struct fixture_key root = fixture_make_root_key(LIST("keys.*"), LIST("acme"), LIST("prod"));
	const struct loop_call how = {.anonymous = true, .credential = root.token};
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");

	(void)state;
	fixture_drop(keys_do_as(&how, "other", ACTION(SUSPEND), key.id, LK_PERMISSION_DENIED));
	fixture_drop(keys_do_as(&how, "acme", ACTION(SUSPEND), key.id, LK_OK));
	fixture_drop(keys_do_as(NULL, "system", ACTION(SUSPEND), root.id, LK_OK));
	fixture_drop(keys_do_as(&how, "acme", ACTION(ACTIVATE), key.id, LK_UNAUTHENTICATED));
	fixture_drop(keys_do_as(NULL, "system", ACTION(ACTIVATE), root.id, LK_OK));
	fixture_drop(keys_do_as(&how, "acme", ACTION(ACTIVATE), key.id, LK_OK));
	fixture_key_done(&root);
	fixture_key_done(&key);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_states_of_an_active_key),
		TEST(test_states_of_a_suspended_key),
		TEST(test_states_of_an_expired_key),
		TEST(test_states_of_a_revoked_key),
		TEST(test_suspend_keeps_its_reason_until_the_key_is_suspended_no_more),
		TEST(test_suspend_reports_all_faults_together),
		TEST(test_states_outlive_a_restart),
		TEST(test_suspended_key_that_expired_and_was_revived_is_suspended),
		TEST(test_suspended_key_keeps_its_unique_name),
		TEST(test_root_key_is_changed_only_by_who_may_do_all_of_it),
		TEST(test_suspended_root_key_is_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

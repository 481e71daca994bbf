/* VerifyBatch answers of each token what Verify does, whatever stands before and behind it. */
#include <stdlib.h>

#include "tests/lib/verdict_cases.h"
#include "tests/unit/service/batch_calls.h"
#include "tests/unit/service/import_fixture.h"
#include "tests/unit/service/jwt_calls.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define UNKNOWN      "sk-0123456789ABCDEFGHIJKLMNOPQRSTUV1ZZLQw"

/* How the table's questions are put: in a place of the batch, with options of its own or shared ones. */
struct asking {
	bool shared;
	size_t before;
	size_t behind;
};

static const Latchkey__V1__VerifyKeyResponse *ask(void *context, const Latchkey__V1__VerifyKeyRequest *request)
{
	struct asking *asking = context;
	Latchkey__V1__VerifyKeyRequest options = *request;

	options.token = TEXT("");
	batch_begin();
	batch_calls.request.options = asking->shared ? &options : NULL;
	for (size_t i = 0; i < asking->before; i++) {
		batch_add(UNKNOWN, NULL);
	}
	batch_add(request->token, asking->shared ? NULL : &options);
	for (size_t i = 0; i < asking->behind; i++) {
		batch_add(UNKNOWN, NULL);
	}
	batch_ask(NULL);
	for (size_t i = 0; i < batch_answers.count; i++) {
		Latchkey__V1__VerifyCode code = batch_code(batch_answers.outcomes[i]);
		if (i != asking->before) {
			assert_int_equal(code, VERDICT(NOT_FOUND));
		}
	}
	return batch_answers.outcomes[asking->before]->verdict;
}

static void run_table(struct asking asking)
{
	assert_int_equal(verdict_cases_run(fixture_loop.store, ask, &asking), 0);
}

static void test_batch_of_one_is_judged_as_the_table_says(void **state)
{
	(void)state;
	run_table((struct asking){0});
}

static void test_batch_of_one_with_shared_options_is_judged_as_the_table_says(void **state)
{
	(void)state;
	run_table((struct asking){.shared = true});
}

static void test_batch_of_many_is_judged_as_the_table_says(void **state)
{
	(void)state;
	run_table((struct asking){.before = 21, .behind = 40});
}

static void test_batch_needs_items_and_no_more_than_a_thousand(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");

	(void)state;
	batch_begin();
	struct loop_answer answer = batch_run(NULL, LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "items: is empty");
	loop_answer_done(&answer);
	for (size_t i = 0; i < 1001; i++) {
		batch_add(i % 2 == 0 ? key.token : UNKNOWN, NULL);
	}
	answer = batch_run(NULL, LK_INVALID_ARGUMENT);
	fixture_assert_violation(&answer, "items: has 1001 entries");
	loop_answer_done(&answer);
	batch_calls.request.n_items = 1000;
	batch_ask(NULL);
	for (size_t i = 0; i < 1000; i++) {
		assert_int_equal(
			batch_code(batch_answers.outcomes[i]), i % 2 == 0 ? VERDICT(VALID) : VERDICT(NOT_FOUND));
	}
	answer = keys_get(key.id);
	assert_int_equal(keys_shown(&answer)->usage_count, 500);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_batch_takes_no_token_among_options(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__VerifyKeyRequest options = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	Latchkey__V1__VerifyKeyRequest none = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	(void)state;
	options.token = key.token;
	batch_begin();
	batch_calls.request.options = &options;
	batch_add(key.token, NULL);
	batch_add(key.token, &none);
	batch_add(key.token, NULL);
	batch_add(key.token, &options);
	struct loop_answer answer = batch_run(NULL, LK_INVALID_ARGUMENT);
	assert_int_equal(fixture_violations_in(&answer), 2);
	fixture_assert_violation(&answer, "items[3].options.token: ");
	assert_memory_equal(answer.violations, "options.token: ", strlen("options.token: "));
	assert_null(strstr(answer.violations, key.token));
	assert_null(strstr(answer.message, key.token));
	loop_answer_done(&answer);
	answer = keys_get(key.id);
	assert_int_equal(keys_shown(&answer)->usage_count, 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_batch_judges_whatever_bytes_it_is_given(void **state)
{
	static char longest[LK_TOKEN_MAX + 1], longer[100000];
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	const struct {
		const char *token;
		size_t len;
		int code;
	} cases[] = {
		{"", 0, VERDICT(MALFORMED)},
		{"\0", 1, VERDICT(MALFORMED)},
		{"\xff\xfe\x80", 3, VERDICT(MALFORMED)},
		{"sk-\n", 4, VERDICT(MALFORMED)},
		{UNKNOWN, strlen(UNKNOWN), VERDICT(NOT_FOUND)},
		/* With what a C string would end at, and less and more than the token. */
		{UNKNOWN, strlen(UNKNOWN) + 1, VERDICT(MALFORMED)},
		{key.token, strlen(key.token) + 1, VERDICT(MALFORMED)},
		{key.token, strlen(key.token) - 1, VERDICT(MALFORMED)},
		{longest, LK_TOKEN_MAX, VERDICT(MALFORMED)},
		{longest, LK_TOKEN_MAX + 1, VERDICT(MALFORMED)},
		{longer, sizeof longer, VERDICT(MALFORMED)},
		{key.token, strlen(key.token), VERDICT(VALID)},
	};

	(void)state;
	memset(longest, 'a', sizeof longest);
	memset(longer, 'b', sizeof longer);
	batch_begin();
	for (size_t i = 0; i < COUNT(cases); i++) {
		batch_add_bytes(cases[i].token, cases[i].len, NULL);
	}
	batch_ask(NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(batch_code(batch_answers.outcomes[i]), cases[i].code);
	}
	/* What cannot be a token can be explained like any other. */
	Latchkey__V1__VerifyKeyRequest options = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	options.explain = true;
	batch_calls.request.options = &options;
	batch_ask(NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(batch_code(batch_answers.outcomes[i]), cases[i].code);
		assert_int_equal(batch_answers.outcomes[i]->verdict->n_gates, 11);
	}
	fixture_key_done(&key);
}

/* Options that are good, and with every kind of fault; `charges` of one of them. */
#define OPTIONS 16

static size_t fill_options(Latchkey__V1__VerifyKeyRequest *options, Latchkey__V1__RateCharge **charges)
{
	size_t n = 0;

	for (size_t i = 0; i < OPTIONS; i++) {
		latchkey__v1__verify_key_request__init(&options[i]);
		options[i].dry_run = true;
	}
	n++;
	options[n++].keyspace = TEXT("prod");
	options[n++].keyspace = TEXT("No Keyspace");
	options[n++].tenant = TEXT("acme");
	options[n++].tenant = TEXT("Nobody's");
	options[n++].tenant = TEXT("other");
	options[n++].tenant = TEXT("system");
	options[n++].tenant = TEXT("active");
	options[n++].permission_expression = TEXT("agents:install AND");
	options[n++].permission_expression = TEXT("agents:install");
	options[n++].client_ip = TEXT("localhost");
	options[n++].client_ip = TEXT("10.0.0.1");
	options[n++].cost = UINT64_MAX;
	options[n].rate_charges = charges;
	options[n++].n_rate_charges = 2;
	/* All at once. */
	options[n].rate_charges = charges;
	options[n].n_rate_charges = 2;
	options[n].cost = UINT64_MAX;
	options[n].client_ip = TEXT("::/0");
	options[n].keyspace = TEXT("?");
	options[n++].permission_expression = TEXT("(");
	options[n++].explain = true;
	assert_int_equal(n, OPTIONS);
	return n;
}

static struct loop_answer verify(
	const struct loop_call *how, const char *token, const Latchkey__V1__VerifyKeyRequest *options)
{
	Latchkey__V1__VerifyKeyRequest request = *options;

	request.token = TEXT(token);
	return loop_call(&fixture_loop, how, &latchkey_v1_key_verify_method, &request.base);
}

/* Asks about each token with each options: in batches, with them as own and as shared ones, and one by one. */
static void assert_as_unary(const struct loop_call *how, const char *const *tokens, size_t n_tokens)
{
	Latchkey__V1__VerifyKeyRequest options[OPTIONS];
	Latchkey__V1__RateCharge charge = LATCHKEY__V1__RATE_CHARGE__INIT;
	Latchkey__V1__RateCharge *charges[] = {&charge, &charge};

	charge.name = TEXT("Day");
	charge.cost = UINT64_MAX;
	size_t n_options = fill_options(options, charges);
	for (size_t j = 0; j < n_options; j++) {
		batch_begin();
		batch_calls.request.options = &options[j];
		/* First all with the shared ones, then all with their own. */
		for (size_t i = 0; i < 2 * n_tokens; i++) {
			batch_add(tokens[i % n_tokens], i < n_tokens ? NULL : &options[(i + j) % n_options]);
		}
		batch_ask(how);
		for (size_t i = 0; i < 2 * n_tokens; i++) {
			struct loop_answer unary = verify(
				how, tokens[i % n_tokens], &options[i < n_tokens ? j : (i + j) % n_options]);
			batch_assert_same(batch_answers.outcomes[i], &unary);
			loop_answer_done(&unary);
		}
	}
}

static void test_batch_answers_each_item_as_verify_would(void **state)
{
	static const char *const any[] = {"*", NULL};
	static const char *const acme[] = {"acme", NULL};
	static const char *const both[] = {"acme", "other", NULL};
	static const char *const verify_alone[] = {"keys.verify", NULL};
	static const char *const prod[] = {"prod", NULL};
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	(void)state;
	fixture_make_tenant("other");
	policy.token_prefix = TEXT("st-");
	fixture_make_keyspace("other", "prod", &policy);
	fixture_make_keyspace("acme", "staging", &policy);
	struct fixture_key keys[] = {
		fixture_make_key("acme", "prod", "a"),
		fixture_make_key("acme", "staging", "b"),
		fixture_make_key("other", "prod", "c"),
		fixture_make_root_key(verify_alone, acme, prod),
		fixture_make_root_key(any, any, any),
		fixture_make_root_key(any, both, any),
	};
	const char *tokens[COUNT(keys) + 1] = {UNKNOWN};
	for (size_t i = 0; i < COUNT(keys); i++) {
		tokens[i + 1] = keys[i].token;
	}
	assert_as_unary(&fixture_operator, tokens, COUNT(tokens));
	for (size_t i = 3; i < COUNT(keys); i++) {
		const struct loop_call how = {.anonymous = true, .credential = keys[i].token};
		assert_as_unary(&how, tokens, COUNT(tokens));
	}
	/* Who may not verify may not by the thousand. */
	static const char *const others[] = {"keys.get", NULL};
	struct fixture_key reader = fixture_make_root_key(others, any, any);
	const struct loop_call how = {.anonymous = true, .credential = reader.token};
	batch_begin();
	batch_add(UNKNOWN, NULL);
	fixture_drop(batch_run(&how, LK_PERMISSION_DENIED));
	fixture_drop(batch_run(&(struct loop_call){.anonymous = true}, LK_UNAUTHENTICATED));
	fixture_key_done(&reader);
	for (size_t i = 0; i < COUNT(keys); i++) {
		fixture_key_done(&keys[i]);
	}
}

/* What is longer than it may be: the same fields are told of, in the item's own outcome. */
static void test_batch_answers_options_over_their_limits_by_themselves(void **state)
{
	static char text[2001];
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__VerifyKeyRequest options[6];
	Latchkey__V1__RateCharge charge = LATCHKEY__V1__RATE_CHARGE__INIT;
	Latchkey__V1__RateCharge *charges[9];
	static const char *const fields[] = {
		"tenant", "keyspace", "permission_expression", "client_ip", "rate_charges", "rate_charges[0].name"};

	(void)state;
	memset(text, 'a', sizeof text - 1);
	batch_begin();
	for (size_t i = 0; i < COUNT(options); i++) {
		latchkey__v1__verify_key_request__init(&options[i]);
		batch_add(key.token, &options[i]);
		batch_add(key.token, NULL);
	}
	options[0].tenant = options[1].keyspace = options[2].permission_expression = options[3].client_ip = text;
	for (size_t i = 0; i < COUNT(charges); i++) {
		charges[i] = &charge;
	}
	charge.name = text;
	options[4].rate_charges = options[5].rate_charges = charges;
	options[4].n_rate_charges = COUNT(charges);
	options[5].n_rate_charges = 1;
	batch_ask(NULL);
	for (size_t i = 0; i < COUNT(options); i++) {
		struct loop_answer unary = verify(&fixture_operator, key.token, &options[i]);
		const Latchkey__V1__VerifyOutcome *outcome = batch_answers.outcomes[2 * i];
		assert_int_equal(outcome->code, lk_err_wire_code(LK_INVALID_ARGUMENT));
		assert_int_equal(unary.code, outcome->code);
		assert_int_equal(outcome->n_violations, 1);
		assert_string_equal(outcome->violations[0]->field, fields[i]);
		fixture_assert_violation(&unary, fields[i]);
		assert_int_equal(batch_code(batch_answers.outcomes[2 * i + 1]), VERDICT(VALID));
		loop_answer_done(&unary);
	}
	struct loop_answer answer = keys_get(key.id);
	assert_int_equal(keys_shown(&answer)->usage_count, COUNT(options));
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static struct fixture_key make_owned(const char *tenant, const char *keyspace, const char *owner, bool own_only)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	char *any[] = {TEXT("*")};

	grant.n_methods = grant.n_keyspaces = grant.n_tenants = 1;
	grant.methods = grant.keyspaces = grant.tenants = any;
	grant.own_only = true;
	request.tenant = TEXT(tenant);
	request.keyspace = TEXT(keyspace);
	request.name = TEXT("owned");
	request.owner = TEXT(owner);
	request.grant = own_only ? &grant : NULL;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	return fixture_take_key(&answer);
}

static void test_batch_of_own_only_finds_no_others_keys(void **state)
{
	struct fixture_key caller = make_owned("system", "root", "ada", true);
	const struct loop_call how = {.anonymous = true, .credential = caller.token};
	struct fixture_key keys[] = {
		make_owned("acme", "prod", "ada", false),
		make_owned("acme", "prod", "bob", false),
		make_owned("acme", "prod", "", false),
		make_owned("acme", "prod", "ada", false),
	};
	static const int codes[] = {VERDICT(VALID), VERDICT(NOT_FOUND), VERDICT(NOT_FOUND), VERDICT(VALID)};

	(void)state;
	batch_begin();
	for (size_t i = 0; i < COUNT(keys); i++) {
		batch_add(keys[i].token, NULL);
	}
	batch_ask(&how);
	for (size_t i = 0; i < COUNT(keys); i++) {
		assert_int_equal(batch_code(batch_answers.outcomes[i]), codes[i]);
		fixture_key_done(&keys[i]);
	}
	fixture_key_done(&caller);
}

static struct fixture_key make_limited(uint64_t limit, uint64_t credits)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__RateLimit rate = LATCHKEY__V1__RATE_LIMIT__INIT;
	Latchkey__V1__RateLimit *list[] = {&rate};
	Latchkey__V1__Credits balance = LATCHKEY__V1__CREDITS__INIT;
	Google__Protobuf__Duration month = GOOGLE__PROTOBUF__DURATION__INIT;

	month.seconds = INT64_C(30) * 86400;
	rate.name = TEXT("month");
	rate.limit = limit;
	rate.period = &month;
	balance.balance = credits;
	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	request.rate_limits = list;
	request.n_rate_limits = limit > 0;
	request.credits = credits > 0 ? &balance : NULL;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	return fixture_take_key(&answer);
}

static void test_batch_charges_one_item_after_another(void **state)
{
	struct fixture_key limited = make_limited(3, 0);
	struct fixture_key paid = make_limited(0, 5);
	Latchkey__V1__VerifyKeyRequest two = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	static const int of_limited[] = {
		VERDICT(VALID), VERDICT(VALID), VERDICT(VALID), VERDICT(RATE_LIMITED), VERDICT(RATE_LIMITED)};
	static const int of_paid[] = {VERDICT(VALID), VERDICT(VALID), VERDICT(CREDITS_EXHAUSTED),
		VERDICT(CREDITS_EXHAUSTED), VERDICT(CREDITS_EXHAUSTED)};
	static const int64_t left[] = {3, 1, 1, 1, 1};

	(void)state;
	two.cost = 2;
	batch_begin();
	for (size_t i = 0; i < 5; i++) {
		batch_add(limited.token, NULL);
		batch_add(paid.token, &two);
	}
	batch_ask(NULL);
	for (size_t i = 0; i < 5; i++) {
		const Latchkey__V1__VerifyOutcome *const *outcomes = &batch_answers.outcomes[2 * i];
		assert_int_equal(batch_code(outcomes[0]), of_limited[i]);
		assert_int_equal(batch_code(outcomes[1]), of_paid[i]);
		const Latchkey__V1__VerifyKeyResponse *verdict = outcomes[0]->verdict;
		assert_int_equal(verdict->n_rate_states, 1);
		assert_int_equal(verdict->rate_states[0]->remaining, i < 3 ? 2 - i : 0);
		assert_int_equal(outcomes[1]->verdict->credits_remaining, left[i]);
	}
	struct loop_answer answer = keys_get(limited.id);
	assert_int_equal(keys_shown(&answer)->usage_count, 3);
	assert_int_equal(keys_shown(&answer)->last_denial->code, VERDICT(RATE_LIMITED));
	loop_answer_done(&answer);
	fixture_key_done(&limited);
	fixture_key_done(&paid);
}

static void test_batch_knows_secrets_of_every_kind(void **state)
{
	Latchkey__V1__KeyPolicy policy = jwt_policy(EDDSA);
	Latchkey__V1__RotateKeyRequest rotate = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration overlap = GOOGLE__PROTOBUF__DURATION__INIT;

	(void)state;
	fixture_drop(jwt_create(&policy, NULL, 0, false, LK_OK));
	struct fixture_key jwt = fixture_make_key("acme", "jwt", "jwt");
	struct fixture_key rotated = fixture_make_key("acme", "prod", "rotated");
	struct fixture_key ended = fixture_make_key("acme", "prod", "ended");
	import_begin();
	(void)import_add_token("legacy!0123456789");
	(void)import_add_sha256(ABC_HEX);
	import_all();
	overlap.seconds = 3600;
	rotate.tenant = TEXT("acme");
	rotate.key = rotated.id;
	rotate.overlap = &overlap;
	struct loop_answer renewed = fixture_call(&latchkey_v1_key_rotate_method, &rotate.base, LK_OK);
	rotate.key = ended.id;
	rotate.overlap = NULL;
	fixture_drop(fixture_call(&latchkey_v1_key_rotate_method, &rotate.base, LK_OK));
	const struct {
		const char *token;
		int code;
	} cases[] = {
		{jwt.token, VERDICT(VALID)},
		{rotated.token, VERDICT(VALID)},
		{((const Latchkey__V1__RotateKeyResponse *)renewed.response)->token, VERDICT(VALID)},
		{ended.token, VERDICT(REVOKED)},
		{"legacy!0123456789", VERDICT(VALID)},
		{"abc", VERDICT(VALID)},
		{"abcd", VERDICT(NOT_FOUND)},
	};
	batch_begin();
	for (size_t i = 0; i < COUNT(cases); i++) {
		batch_add(cases[i].token, NULL);
	}
	batch_ask(NULL);
	for (size_t i = 0; i < COUNT(cases); i++) {
		assert_int_equal(batch_code(batch_answers.outcomes[i]), cases[i].code);
		bool ends = i == 1;
		assert_int_equal(batch_answers.outcomes[i]->verdict->secret_expire_time != NULL, ends);
	}
	assert_string_equal(batch_answers.outcomes[0]->verdict->key->id, jwt.id);
	loop_answer_done(&renewed);
	fixture_key_done(&jwt);
	fixture_key_done(&rotated);
	fixture_key_done(&ended);
}

static int teardown(void **state)
{
	batch_answers_done();
	return fixture_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_batch_of_one_is_judged_as_the_table_says),
		TEST(test_batch_of_one_with_shared_options_is_judged_as_the_table_says),
		TEST(test_batch_of_many_is_judged_as_the_table_says),
		TEST(test_batch_needs_items_and_no_more_than_a_thousand),
		TEST(test_batch_takes_no_token_among_options),
		TEST(test_batch_judges_whatever_bytes_it_is_given),
		TEST(test_batch_answers_each_item_as_verify_would),
		TEST(test_batch_answers_options_over_their_limits_by_themselves),
		TEST(test_batch_of_own_only_finds_no_others_keys),
		TEST(test_batch_charges_one_item_after_another),
		TEST(test_batch_knows_secrets_of_every_kind),
	};

	return cmocka_run_group_tests_name("service verify batch", tests, NULL, NULL);
}

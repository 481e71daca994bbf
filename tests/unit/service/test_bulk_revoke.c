/* BulkRevoke: which keys, part by part, and what is refused. */
#include "tests/unit/service/service_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* More than two parts. */
#define MANY 1100
/* Calls that are under way at a time. */
#define AHEAD 64

#define VALID     LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID
#define REVOKED   LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_REVOKED
#define NOT_FOUND LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND

/* Many keys of one owner, made several at a time. */
static void make_keys(const char *keyspace, const char *owner, struct fixture_key *keys, size_t count)
{
	struct loop_pending *pending[AHEAD];

	for (size_t from = 0; from < count; from += AHEAD) {
		size_t n = count - from < AHEAD ? count - from : AHEAD;
		for (size_t i = 0; i < n; i++) {
			Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
			request.tenant = TEXT("acme");
			request.keyspace = TEXT(keyspace);
			request.owner = TEXT(owner);
			pending[i] = loop_begin(
				&fixture_loop, &fixture_operator, &latchkey_v1_key_create_method, &request.base);
		}
		for (size_t i = 0; i < n; i++) {
			struct loop_answer answer = loop_end(pending[i]);
			assert_int_equal(answer.code, LK_OK);
			const Latchkey__V1__CreateKeyResponse *made = (const Latchkey__V1__CreateKeyResponse *)
									      answer.response;
			keys[from + i] = (struct fixture_key){strdup(made->key->id), strdup(made->token)};
			loop_answer_done(&answer);
		}
	}
}

static void keys_done(struct fixture_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fixture_key_done(&keys[i]);
	}
}

/* How many of them verify with this code. */
static size_t count_code(const struct fixture_key *keys, size_t count, Latchkey__V1__VerifyCode code)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		n += fixture_verify(keys[i].token, "") == code;
	}
	return n;
}

/* How far a call says that it came, its token copied. */
struct progress {
	uint64_t total;
	uint64_t revoked;
	bool done;
	char token[1024];
	size_t n_sample;
};

static struct progress call_as(const struct fixture_key *caller, const Latchkey__V1__BulkRevokeKeysRequest *request)
{
	const struct loop_call how = {.credential = caller == NULL ? NULL : caller->token};
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_bulk_revoke_method, &request->base);
	struct progress progress = {0};

	if (answer.code != LK_OK) {
		print_message("%u %s\n%s", answer.code, answer.message, answer.violations);
	}
	assert_int_equal(answer.code, LK_OK);
	const Latchkey__V1__BulkRevokeKeysResponse *response = (const Latchkey__V1__BulkRevokeKeysResponse *)
								       answer.response;
	progress.total = response->total_size;
	progress.revoked = response->revoked_count;
	progress.done = response->done;
	progress.n_sample = response->n_sample;
	(void)snprintf(progress.token, sizeof progress.token, "%s", response->next_page_token);
	assert_int_equal(progress.done, progress.token[0] == '\0' && !request->validate_only);
	loop_answer_done(&answer);
	return progress;
}

static struct progress go_on(const struct fixture_key *caller, const char *token)
{
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.page_token = TEXT(token);
	return call_as(caller, &request);
}

/* That it is refused so, and that `words` are in what it says. */
static void refuse_as(const struct fixture_key *caller, const Latchkey__V1__BulkRevokeKeysRequest *request,
	enum lk_err expected, const char *words)
{
	const struct loop_call how = {.credential = caller == NULL ? NULL : caller->token};
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_bulk_revoke_method, &request->base);

	if (answer.code != lk_err_wire_code(expected) ||
		(strstr(answer.message, words) == NULL && strstr(answer.violations, words) == NULL)) {
		print_message("%u %s\n%s", answer.code, answer.message, answer.violations);
		fail_msg("not refused for \"%s\"", words);
	}
	loop_answer_done(&answer);
}

static Latchkey__V1__BulkRevokeKeysRequest request_of(Latchkey__V1__KeyFilter *filter)
{
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.filter = filter;
	return request;
}

static void test_bulk_revoke_reports_each_fault(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	char *keys[] = {TEXT("sk-not-an-id-but-a-token"), TEXT("1")};
	char *absent[] = {TEXT("77"), TEXT("key_00000000000000000000000000")};
	char long_reason[300] = "";

	(void)state;
	Latchkey__V1__BulkRevokeKeysRequest request = request_of(NULL);
	refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "filter: ");
	request.filter = &filter;
	refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "filter: would match every key");
	filter.keyspace = TEXT("nothing");
	refuse_as(NULL, &request, LK_NOT_FOUND, "no keyspace \"nothing\"");
	filter.keyspace = TEXT("No Id");
	refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "filter.keyspace: ");
	filter.keyspace = TEXT("prod");
	request.tenant = TEXT("nobody");
	refuse_as(NULL, &request, LK_NOT_FOUND, "no tenant \"nobody\"");
	request.tenant = TEXT("acme");
	request.keys = keys;
	request.n_keys = COUNT(keys);
	memset(long_reason, 'r', 256);
	request.reason = long_reason;
	refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "keys: give a filter, or keys, but not both");
	refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "keys[0]: names no key");
	request.filter = NULL;
	struct loop_answer answer = fixture_call(
		&latchkey_v1_key_bulk_revoke_method, &request.base, LK_INVALID_ARGUMENT);
	assert_null(strstr(answer.violations, "token"));
	assert_null(strstr(answer.violations, "keys[1]"));
	loop_answer_done(&answer);
	request.keys = absent;
	refuse_as(NULL, &request, LK_NOT_FOUND, "2 of the keys are not there");
	refuse_as(NULL, &request, LK_NOT_FOUND, "\"77\", \"key_00000000000000000000000000\"");
	request.n_keys = 0;
	request.filter = &filter;
	memset(long_reason, 'r', 257);
	refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "reason: ");
}

static void test_bulk_revoke_page_token_stands_alone_and_is_its_callers(void **state)
{
	static const char *const methods[] = {"keys.*", NULL};
	static const char *const tenants[] = {"acme", "other", NULL};
	static const char *const keyspaces[] = {"*", NULL};
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key *keys = calloc(MANY, sizeof *keys);
	char *named[] = {TEXT("1")};

	(void)state;
	fixture_make_tenant("other");
	make_keys("prod", "", keys, MANY);
	filter.keyspace = TEXT("prod");
	struct fixture_key caller = fixture_make_root_key(methods, tenants, keyspaces);
	Latchkey__V1__BulkRevokeKeysRequest request = request_of(&filter);
	struct progress progress = call_as(&caller, &request);
	assert_false(progress.done);

	request.page_token = progress.token;
	request.reason = TEXT("why");
	request.validate_only = true;
	request.keys = named;
	request.n_keys = 1;
	refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "filter: leave it out");
	refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "keys: leave it out");
	refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "reason: leave it out");
	refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "validate_only: leave it out");
	request = request_of(NULL);
	request.page_token = progress.token;
	refuse_as(NULL, &request, LK_INVALID_ARGUMENT, "page_token: ");
	request.tenant = TEXT("other");
	refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "page_token: ");
	request.tenant = TEXT("acme");
	progress.token[20] = progress.token[20] == 'A' ? 'B' : 'A';
	refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "page_token: ");
	request.page_token = TEXT("nonsense");
	refuse_as(&caller, &request, LK_INVALID_ARGUMENT, "page_token: ");
	/* Nothing of this was a part. */
	assert_int_equal(count_code(keys, MANY, REVOKED), 500);
	fixture_key_done(&caller);
	keys_done(keys, MANY);
	free(keys);
}

static void test_bulk_revoke_validates_exactly_and_changes_nothing(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key keys[25];
	struct fixture_key others[3];
	char *named[] = {NULL, NULL, TEXT("3"), NULL};

	(void)state;
	make_keys("prod", "ada", keys, COUNT(keys));
	make_keys("prod", "bob", others, COUNT(others));
	filter.owner = TEXT("ada");
	Latchkey__V1__BulkRevokeKeysRequest request = request_of(&filter);
	request.validate_only = true;
	struct progress progress = call_as(NULL, &request);
	assert_int_equal(progress.total, 25);
	assert_int_equal(progress.revoked, 0);
	assert_int_equal(progress.n_sample, 10);
	request.filter = NULL;
	named[0] = keys[0].id;
	named[1] = keys[1].id;
	named[3] = keys[0].id;
	request.keys = named;
	request.n_keys = COUNT(named);
	progress = call_as(NULL, &request);
	assert_true(progress.total == 2 || progress.total == 3);
	assert_int_equal(progress.n_sample, progress.total);
	assert_int_equal(count_code(keys, COUNT(keys), VALID), COUNT(keys));
	keys_done(keys, COUNT(keys));
	keys_done(others, COUNT(others));
}

static void test_bulk_revoke_of_few_is_done_at_once(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__GetKeyRequest get = LATCHKEY__V1__GET_KEY_REQUEST__INIT;
	struct fixture_key keys[12];
	struct fixture_key others[3];

	(void)state;
	make_keys("prod", "ada", keys, COUNT(keys));
	make_keys("prod", "bob", others, COUNT(others));
	filter.owner = TEXT("ada");
	Latchkey__V1__BulkRevokeKeysRequest request = request_of(&filter);
	request.reason = TEXT("leaked");
	struct progress progress = call_as(NULL, &request);
	assert_true(progress.done);
	assert_int_equal(progress.total, 12);
	assert_int_equal(progress.revoked, 12);
	assert_int_equal(count_code(keys, COUNT(keys), REVOKED), COUNT(keys));
	assert_int_equal(count_code(others, COUNT(others), VALID), COUNT(others));
	get.tenant = TEXT("acme");
	get.key = keys[7].id;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_get_method, &get.base, LK_OK);
	const Latchkey__V1__Key *key = (const Latchkey__V1__Key *)answer.response;
	assert_string_equal(key->revoke_reason, "leaked");
	assert_int_equal(key->state, LATCHKEY__V1__KEY_STATE__KEY_STATE_REVOKED);
	loop_answer_done(&answer);
	/* Those that are revoked are not among them. */
	progress = call_as(NULL, &request);
	assert_true(progress.done);
	assert_int_equal(progress.total, 0);
	/* By name, twice the same, and one that is revoked. */
	char *named[] = {others[0].id, others[1].id, others[0].id, keys[0].id};
	request = request_of(NULL);
	request.keys = named;
	request.n_keys = COUNT(named);
	progress = call_as(NULL, &request);
	assert_true(progress.done);
	assert_int_equal(progress.total, 2);
	assert_int_equal(fixture_verify(others[1].token, ""), REVOKED);
	assert_int_equal(fixture_verify(others[2].token, ""), VALID);
	keys_done(keys, COUNT(keys));
	keys_done(others, COUNT(others));
}

static void change_key(const struct lk_method *method, const char *key)
{
	Latchkey__V1__ActivateKeyRequest activate = LATCHKEY__V1__ACTIVATE_KEY_REQUEST__INIT;
	Latchkey__V1__SuspendKeyRequest suspend = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;
	const ProtobufCMessage *request = &activate.base;

	activate.tenant = suspend.tenant = TEXT("acme");
	activate.key = suspend.key = TEXT(key);
	if (method == &latchkey_v1_key_suspend_method) {
		request = &suspend.base;
	}
	struct loop_answer answer = fixture_call(method, request, LK_OK);
	loop_answer_done(&answer);
}

/* A new secret, while the one before it goes on for an hour: the token. */
static char *rotate(const char *key)
{
	Latchkey__V1__RotateKeyRequest request = LATCHKEY__V1__ROTATE_KEY_REQUEST__INIT;
	Google__Protobuf__Duration hour = GOOGLE__PROTOBUF__DURATION__INIT;

	hour.seconds = 3600;
	request.tenant = TEXT("acme");
	request.key = TEXT(key);
	request.overlap = &hour;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_rotate_method, &request.base, LK_OK);
	char *token = strdup(((const Latchkey__V1__RotateKeyResponse *)answer.response)->token);
	loop_answer_done(&answer);
	assert_non_null(token);
	return token;
}

static void rename_key(const char *key)
{
	Latchkey__V1__UpdateKeyRequest request = LATCHKEY__V1__UPDATE_KEY_REQUEST__INIT;
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
	Latchkey__V1__Key named = LATCHKEY__V1__KEY__INIT;
	char *paths[] = {TEXT("name"), TEXT("owner")};

	mask.n_paths = COUNT(paths);
	mask.paths = paths;
	named.id = TEXT(key);
	named.name = TEXT("another");
	named.owner = TEXT("bob");
	request.tenant = TEXT("acme");
	request.key = &named;
	request.update_mask = &mask;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_update_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

static void test_bulk_revoke_ends_all_that_stood_at_its_start_and_nothing_else(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key *keys = calloc(MANY, sizeof *keys);
	struct fixture_key later[5];
	struct progress progress;

	(void)state;
	make_keys("prod", "ada", keys, MANY);
	filter.owner = TEXT("ada");
	/* One that is suspended now is among them, whatever becomes of it. */
	change_key(&latchkey_v1_key_suspend_method, keys[MANY - 1].id);
	Latchkey__V1__BulkRevokeKeysRequest request = request_of(&filter);
	progress = call_as(NULL, &request);
	assert_false(progress.done);
	assert_int_equal(progress.total, MANY);
	assert_int_equal(progress.revoked, 500);
	make_keys("prod", "ada", later, COUNT(later));
	change_key(&latchkey_v1_key_activate_method, keys[MANY - 1].id);
	change_key(&latchkey_v1_key_suspend_method, keys[MANY - 2].id);
	Latchkey__V1__DeleteKeyRequest delete = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;
	delete.tenant = TEXT("acme");
	delete.key = keys[MANY - 3].id;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_delete_method, &delete.base, LK_OK);
	loop_answer_done(&answer);
	char *rotated = rotate(keys[MANY - 4].id);
	rename_key(keys[MANY - 5].id);
	assert_int_equal(fixture_verify(keys[MANY - 1].token, ""), VALID);
	assert_int_equal(fixture_verify(keys[MANY - 4].token, ""), VALID);
	progress = go_on(NULL, progress.token);
	assert_int_equal(progress.revoked, 1000);
	char token[1024];
	(void)snprintf(token, sizeof token, "%s", progress.token);
	progress = go_on(NULL, token);
	assert_true(progress.done);
	assert_int_equal(progress.revoked, MANY);
	assert_int_equal(progress.total, MANY);
	assert_int_equal(count_code(keys, MANY, REVOKED), MANY - 1);
	assert_int_equal(fixture_verify(keys[MANY - 3].token, ""), NOT_FOUND);
	assert_int_equal(fixture_verify(rotated, ""), REVOKED);
	free(rotated);
	assert_int_equal(count_code(later, COUNT(later), VALID), COUNT(later));
	/* The last token still answers. */
	progress = go_on(NULL, token);
	assert_true(progress.done);
	assert_int_equal(progress.revoked, MANY);
	keys_done(keys, MANY);
	keys_done(later, COUNT(later));
	free(keys);
}

/* Whether the writer has to build it again, or not, or the other change, is a matter of a moment: both come up. */
static void test_bulk_revoke_meets_other_changes_of_its_keys(void **state)
{
	(void)state;
	for (int round = 0; round < 40; round++) {
		Latchkey__V1__SuspendKeyRequest suspend = LATCHKEY__V1__SUSPEND_KEY_REQUEST__INIT;
		Latchkey__V1__DeleteKeyRequest delete = LATCHKEY__V1__DELETE_KEY_REQUEST__INIT;
		Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
		struct fixture_key keys[3];
		char owner[16];
		(void)snprintf(owner, sizeof owner, "owner%d", round);
		make_keys("prod", owner, keys, COUNT(keys));
		filter.owner = owner;
		Latchkey__V1__BulkRevokeKeysRequest request = request_of(&filter);
		suspend.tenant = delete.tenant = TEXT("acme");
		suspend.key = keys[0].id;
		delete.key = keys[1].id;
		struct loop_pending *pending[] = {
			loop_begin(&fixture_loop, &fixture_operator, &latchkey_v1_key_suspend_method, &suspend.base),
			loop_begin(
				&fixture_loop, &fixture_operator, &latchkey_v1_key_bulk_revoke_method, &request.base),
			loop_begin(&fixture_loop, &fixture_operator, &latchkey_v1_key_delete_method, &delete.base),
		};
		uint32_t codes[COUNT(pending)];
		for (size_t i = 0; i < COUNT(pending); i++) {
			struct loop_answer answer = loop_end(pending[i]);
			codes[i] = answer.code;
			loop_answer_done(&answer);
		}
		assert_true(codes[0] == LK_OK || codes[0] == LK_FAILED_PRECONDITION);
		assert_int_equal(codes[1], LK_OK);
		assert_int_equal(codes[2], LK_OK);
		assert_int_equal(fixture_verify(keys[0].token, ""), REVOKED);
		assert_int_equal(fixture_verify(keys[1].token, ""), NOT_FOUND);
		assert_int_equal(fixture_verify(keys[2].token, ""), REVOKED);
		keys_done(keys, COUNT(keys));
	}
}

static void test_bulk_revoke_is_finished_after_a_restart(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key *keys = calloc(MANY, sizeof *keys);
	const struct timespec moment = {.tv_nsec = 5 * 1000 * 1000};

	(void)state;
	make_keys("prod", "ada", keys, MANY);
	filter.keyspace = TEXT("prod");
	Latchkey__V1__BulkRevokeKeysRequest request = request_of(&filter);
	struct progress progress = call_as(NULL, &request);
	assert_false(progress.done);
	loop_restart(&fixture_loop);
	for (int i = 0; i < 4000 && fixture_verify(keys[MANY - 1].token, "") == VALID; i++) {
		(void)nanosleep(&moment, NULL);
	}
	assert_int_equal(count_code(keys, MANY, REVOKED), MANY);
	/* The token from before. */
	progress = go_on(NULL, progress.token);
	assert_true(progress.done);
	assert_int_equal(progress.total, MANY);
	assert_int_equal(progress.revoked, MANY);
	keys_done(keys, MANY);
	free(keys);
}

static void test_bulk_revoke_deletes_where_the_policy_wants_it(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key keys[4];
	struct fixture_key others[2];

	(void)state;
	policy.token_prefix = TEXT("tmp_");
	policy.revoke_deletes = true;
	fixture_make_keyspace("acme", "short", &policy);
	make_keys("short", "ada", keys, COUNT(keys));
	make_keys("prod", "ada", others, COUNT(others));
	filter.owner = TEXT("ada");
	Latchkey__V1__BulkRevokeKeysRequest request = request_of(&filter);
	struct progress progress = call_as(NULL, &request);
	assert_int_equal(progress.total, 6);
	assert_int_equal(count_code(keys, COUNT(keys), NOT_FOUND), COUNT(keys));
	assert_int_equal(count_code(others, COUNT(others), REVOKED), COUNT(others));
	keys_done(keys, COUNT(keys));
	keys_done(others, COUNT(others));
}

static void test_bulk_revoke_stays_within_the_callers_grant(void **state)
{
	static const char *const methods[] = {"keys.*", NULL};
	static const char *const tenants[] = {"acme", NULL};
	static const char *const both[] = {"acme", "system", NULL};
	static const char *const prod[] = {"prod", NULL};
	static const char *const all[] = {"*", NULL};
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct fixture_key keys[3];
	struct fixture_key others[3];

	(void)state;
	policy.token_prefix = TEXT("t_");
	fixture_make_keyspace("acme", "test", &policy);
	make_keys("prod", "ada", keys, COUNT(keys));
	make_keys("test", "ada", others, COUNT(others));
	struct fixture_key caller = fixture_make_root_key(methods, tenants, prod);
	struct fixture_key rooter = fixture_make_root_key(methods, both, all);
	static const char *const everything[] = {"*", NULL};
	struct fixture_key strong = fixture_make_root_key(everything, both, all);
	char *named[] = {keys[0].id, others[0].id};

	/* By name, one of a keyspace that it may not see: none goes. */
	Latchkey__V1__BulkRevokeKeysRequest request = request_of(NULL);
	request.keys = named;
	request.n_keys = COUNT(named);
	refuse_as(&caller, &request, LK_NOT_FOUND, others[0].id);
	assert_int_equal(fixture_verify(keys[0].token, ""), VALID);
	filter.keyspace = TEXT("test");
	request = request_of(&filter);
	refuse_as(&caller, &request, LK_PERMISSION_DENIED, "test");
	filter.keyspace = TEXT("");
	filter.owner = TEXT("ada");
	struct progress progress = call_as(&caller, &request);
	assert_int_equal(progress.total, COUNT(keys));
	assert_int_equal(count_code(keys, COUNT(keys), REVOKED), COUNT(keys));
	assert_int_equal(count_code(others, COUNT(others), VALID), COUNT(others));

	/* Root keys: one that may do more than the caller protects them all. */
	filter.owner = TEXT("");
	filter.keyspace = TEXT("root");
	request.tenant = TEXT("system");
	refuse_as(&caller, &request, LK_PERMISSION_DENIED, "system");
	refuse_as(&rooter, &request, LK_PERMISSION_DENIED, "exceeds your own");
	char *roots[] = {strong.id};
	request.filter = NULL;
	request.keys = roots;
	request.n_keys = 1;
	refuse_as(&rooter, &request, LK_PERMISSION_DENIED, "exceeds your own");
	roots[0] = caller.id;
	progress = call_as(&rooter, &request);
	assert_int_equal(progress.total, 1);
	assert_true(progress.done);
	keys_done(keys, COUNT(keys));
	keys_done(others, COUNT(others));
	fixture_key_done(&caller);
	fixture_key_done(&rooter);
	fixture_key_done(&strong);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_bulk_revoke_reports_each_fault),
		TEST(test_bulk_revoke_page_token_stands_alone_and_is_its_callers),
		TEST(test_bulk_revoke_validates_exactly_and_changes_nothing),
		TEST(test_bulk_revoke_of_few_is_done_at_once),
		TEST(test_bulk_revoke_ends_all_that_stood_at_its_start_and_nothing_else),
		TEST(test_bulk_revoke_meets_other_changes_of_its_keys),
		TEST(test_bulk_revoke_is_finished_after_a_restart),
		TEST(test_bulk_revoke_deletes_where_the_policy_wants_it),
		TEST(test_bulk_revoke_stays_within_the_callers_grant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

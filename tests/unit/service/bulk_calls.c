#include "tests/unit/service/bulk_calls.h"

#include <stdio.h>
#include <stdlib.h>

/* Calls that are under way at a time; the writer has room for some more. */
#define AHEAD 32

void bulk_make_keys(const char *keyspace, const char *owner, struct fixture_key *keys, size_t count)
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

void bulk_keys_done(struct fixture_key *keys, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		fixture_key_done(&keys[i]);
	}
}

size_t bulk_count_code(const struct fixture_key *keys, size_t count, Latchkey__V1__VerifyCode code)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		n += fixture_verify(keys[i].token, "") == code;
	}
	return n;
}

struct bulk_progress bulk_call_as(const struct fixture_key *caller, const Latchkey__V1__BulkRevokeKeysRequest *request)
{
	const struct loop_call how = {.credential = caller == NULL ? NULL : caller->token};
	struct loop_answer answer = loop_call(&fixture_loop, &how, &latchkey_v1_key_bulk_revoke_method, &request->base);
	struct bulk_progress progress = {0};

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

struct bulk_progress bulk_go_on(const struct fixture_key *caller, const char *token)
{
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.page_token = TEXT(token);
	return bulk_call_as(caller, &request);
}

void bulk_refuse_as(const struct fixture_key *caller, const Latchkey__V1__BulkRevokeKeysRequest *request,
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

Latchkey__V1__BulkRevokeKeysRequest bulk_request_of(Latchkey__V1__KeyFilter *filter)
{
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.filter = filter;
	return request;
}

#include "tests/unit/service/service_fixture.h"

#include <stdio.h>
#include <stdlib.h>

#include "server/store/apply.h"
#include "server/store/find.h"
#include "tests/lib/check.h"
#include "tests/lib/draft.h"

/* Of the limits that fixture_give_limit() gives. */
#define MONTH_US (INT64_C(30) * 86400 * 1000000)

struct loop fixture_loop;
const struct loop_call fixture_operator;

int fixture_setup(void **state)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	(void)state;
	loop_start(&fixture_loop);
	policy.token_prefix = TEXT("sk-");
	fixture_make_tenant("acme");
	fixture_make_keyspace("acme", "prod", &policy);
	return 0;
}

int fixture_teardown(void **state)
{
	(void)state;
	loop_stop(&fixture_loop);
	return 0;
}

struct loop_answer fixture_call(const struct lk_method *method, const ProtobufCMessage *request, enum lk_err expected)
{
	struct loop_answer answer = loop_call(&fixture_loop, &fixture_operator, method, request);

	if (answer.code != lk_err_wire_code(expected)) {
		print_message("%s: %u %s\n%s", method->name, answer.code, answer.message, answer.violations);
	}
	assert_int_equal(answer.code, lk_err_wire_code(expected));
	return answer;
}

void fixture_drop(struct loop_answer answer)
{
	loop_answer_done(&answer);
}

Latchkey__Store__KeyRecord *fixture_read_key(struct lk_arena *arena, const char *tenant, const char *id)
{
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	const Latchkey__Store__TenantRecord *place = lk_find_tenant(txn, arena, tenant);
	Latchkey__Store__KeyRecord *key = place == NULL ? NULL : lk_find_key(txn, arena, place->number, id);
	lk_write_abort(txn);
	assert_non_null(key);
	return key;
}

void fixture_put_key(struct lk_arena *arena, Latchkey__Store__KeyRecord *key)
{
	Latchkey__Store__Change *change = lk_draft_new(arena);
	struct lk_txn *txn = NULL;

	lk_draft_put_key_again(arena, change, key);
	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	assert_int_equal(lk_apply_do(txn, arena, change), LK_OK);
	assert_int_equal(lk_write_commit(txn), LK_OK);
}

void fixture_give_limit(struct lk_arena *arena, Latchkey__Store__KeyRecord *key, uint64_t limit, uint32_t generation)
{
	Latchkey__Store__RateLimitRecord *record = lk_arena_alloc(arena, sizeof *record);

	latchkey__store__rate_limit_record__init(record);
	record->name = TEXT("month");
	record->limit = limit;
	record->burst = limit;
	record->period_us = MONTH_US;
	record->generation = generation;
	key->rate_limits = lk_arena_alloc(arena, sizeof(void *));
	key->rate_limits[0] = record;
	key->n_rate_limits = 1;
	fixture_put_key(arena, key);
}

void fixture_change_root_key(struct lk_txn *txn, const char *id, void (*change_key)(Latchkey__Store__KeyRecord *key))
{
	struct lk_arena arena = {0};

	assert_int_equal(lk_arena_init(&arena, 1 << 12, 1 << 20), LK_OK);
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, &arena, "system");
	assert_non_null(tenant);
	Latchkey__Store__KeyRecord *key = lk_find_key(txn, &arena, tenant->number, id);
	assert_non_null(key);
	change_key(key);
	Latchkey__Store__Change *change = lk_draft_new(&arena);
	lk_draft_put_key_again(&arena, change, key);
	assert_int_equal(lk_apply_do(txn, &arena, change), LK_OK);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	lk_arena_done(&arena);
}

void fixture_assert_violation(const struct loop_answer *answer, const char *part)
{
	if (strstr(answer->violations, part) == NULL) {
		fail_msg("'%s' does not say '%s'", answer->violations, part);
	}
}

size_t fixture_violations_in(const struct loop_answer *answer)
{
	size_t count = 0;

	for (const char *at = strchr(answer->violations, '\n'); at != NULL; at = strchr(at + 1, '\n')) {
		count++;
	}
	return count;
}

void fixture_make_tenant(const char *tenant)
{
	Latchkey__V1__CreateTenantRequest request = LATCHKEY__V1__CREATE_TENANT_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	struct loop_answer answer = fixture_call(&latchkey_v1_tenant_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

void fixture_make_keyspace(const char *tenant, const char *keyspace, const Latchkey__V1__KeyPolicy *policy)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.keyspace = TEXT(keyspace);
	request.policy = (Latchkey__V1__KeyPolicy *)(uintptr_t)policy;
	struct loop_answer answer = fixture_call(&latchkey_v1_keyspace_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

struct fixture_key fixture_take_key(struct loop_answer *answer)
{
	const Latchkey__V1__CreateKeyResponse *response = (const Latchkey__V1__CreateKeyResponse *)answer->response;
	struct fixture_key key = {strdup(response->key->id), strdup(response->token)};

	CHECK(key.id != NULL && key.token != NULL);
	loop_answer_done(answer);
	return key;
}

struct fixture_key fixture_make_key(const char *tenant, const char *keyspace, const char *name)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.keyspace = TEXT(keyspace);
	request.name = TEXT(name);
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	return fixture_take_key(&answer);
}

static char **list_of(const char *const *texts, size_t *ret_count)
{
	for (*ret_count = 0; texts[*ret_count] != NULL; (*ret_count)++) {
	}
	return (char **)(uintptr_t)texts;
}

struct fixture_key fixture_make_root_key(
	const char *const *methods, const char *const *tenants, const char *const *keyspaces)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;

	grant.methods = list_of(methods, &grant.n_methods);
	grant.tenants = list_of(tenants, &grant.n_tenants);
	grant.keyspaces = list_of(keyspaces, &grant.n_keyspaces);
	request.tenant = TEXT("system");
	request.keyspace = TEXT("root");
	request.name = TEXT("a root key");
	request.grant = &grant;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_create_method, &request.base, LK_OK);
	return fixture_take_key(&answer);
}

void fixture_key_done(struct fixture_key *key)
{
	free(key->id);
	free(key->token);
}

Latchkey__V1__VerifyCode fixture_verify(const char *token, const char *keyspace)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(token);
	request.keyspace = TEXT(keyspace);
	struct loop_answer answer = fixture_call(&latchkey_v1_key_verify_method, &request.base, LK_OK);
	const Latchkey__V1__VerifyKeyResponse *response = (const Latchkey__V1__VerifyKeyResponse *)answer.response;
	Latchkey__V1__VerifyCode code = response->code;
	assert_int_equal(response->valid, code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
	assert_int_equal(response->key != NULL, code != LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_MALFORMED &&
							code != LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_NOT_FOUND);
	loop_answer_done(&answer);
	return code;
}

#include "tests/unit/service/role_calls.h"

#include "server/store/apply.h"
#include "server/store/change.h"
#include "server/store/find.h"
#include "tests/lib/check.h"

struct loop_answer role_call(
	const char *credential, const struct lk_method *method, const ProtobufCMessage *request, enum lk_err expected)
{
	const struct loop_call how = {.credential = credential};
	struct loop_answer answer = loop_call(&fixture_loop, &how, method, request);

	if (answer.code != lk_err_wire_code(expected)) {
		print_message("%s: %u %s\n%s", method->name, answer.code, answer.message, answer.violations);
	}
	assert_int_equal(answer.code, lk_err_wire_code(expected));
	return answer;
}

void role_call_says(const char *credential, const struct lk_method *method, const ProtobufCMessage *request,
	enum lk_err expected, const char *words)
{
	struct loop_answer answer = role_call(credential, method, request, expected);

	if (strstr(answer.message, words) == NULL && strstr(answer.violations, words) == NULL) {
		print_message("%s: %s\n%s", method->name, answer.message, answer.violations);
		fail_msg("it does not say \"%s\"", words);
	}
	loop_answer_done(&answer);
}

void role_make(const char *role, const char *const *permissions, size_t count)
{
	Latchkey__V1__CreateRoleRequest request = LATCHKEY__V1__CREATE_ROLE_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.role = TEXT(role);
	request.permissions = (char **)(uintptr_t)permissions;
	request.n_permissions = count;
	struct loop_answer answer = role_call(NULL, &latchkey_v1_role_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

Google__Protobuf__FieldMask role_mask(const char *const *paths)
{
	Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;

	for (; paths[mask.n_paths] != NULL; mask.n_paths++) {
	}
	mask.paths = (char **)(uintptr_t)paths;
	return mask;
}

void role_give(const char *key, const uint32_t *roles, size_t count)
{
	Latchkey__Store__Change change = LATCHKEY__STORE__CHANGE__INIT;
	struct lk_arena arena = {0};
	struct lk_txn *txn = NULL;

	CHECK(lk_arena_init(&arena, 4096, 1 << 20) == LK_OK);
	CHECK(lk_write_begin(fixture_loop.store, &txn) == LK_OK);
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, &arena, "acme");
	CHECK(tenant != NULL);
	Latchkey__Store__KeyRecord *record = lk_find_key(txn, &arena, tenant->number, key);
	CHECK(record != NULL);
	record->roles = (uint32_t *)(uintptr_t)roles;
	record->n_roles = count;
	lk_change_put_key(&arena, &change, record);
	CHECK(lk_apply_do(txn, &arena, &change) == LK_OK);
	CHECK(lk_write_commit(txn) == LK_OK);
	lk_arena_done(&arena);
}

uint64_t role_revision(void)
{
	struct lk_txn *txn = NULL;

	CHECK(lk_snapshot_new(fixture_loop.store, &txn) == LK_OK);
	CHECK(lk_snapshot_begin(txn) == LK_OK);
	uint64_t revision = lk_txn_head(txn)->revision;
	lk_snapshot_free(txn);
	return revision;
}

#include "tests/unit/service/rules_fixture.h"

#include "server/store/apply.h"
#include "server/store/change.h"
#include "server/store/find.h"
#include "tests/lib/draft.h"

struct rules_given rules_given;

void rules_make_role(const char *id, char **permissions, size_t n_permissions)
{
	struct lk_arena arena = {0};
	struct lk_txn *txn = NULL;
	Latchkey__Store__RoleRecord role = LATCHKEY__STORE__ROLE_RECORD__INIT;

	assert_int_equal(lk_arena_init(&arena, 1 << 12, 1 << 20), LK_OK);
	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	role.tenant = lk_find_tenant(txn, &arena, "acme")->number;
	role.id = TEXT(id);
	role.permissions = permissions;
	role.n_permissions = n_permissions;
	Latchkey__Store__Change *change = lk_draft_new(&arena);
	lk_change_put_role(&arena, change, &role);
	assert_int_equal(lk_apply_do(txn, &arena, change), LK_OK);
	assert_int_equal(lk_write_commit(txn), LK_OK);
	lk_arena_done(&arena);
}

int rules_setup(void **state)
{
	if (fixture_setup(state) != 0) {
		return -1;
	}
	rules_make_role("admin", NULL, 0);
	rules_make_role("reader", NULL, 0);
	rules_given = (struct rules_given){
		.roles = {TEXT("reader"), TEXT("admin")},
		.cidrs = {TEXT("::ffff:10.0.0.0/104"), TEXT("2001:DB8::1")},
		.minute = GOOGLE__PROTOBUF__DURATION__INIT,
		.day = GOOGLE__PROTOBUF__DURATION__INIT,
		.limit = {LATCHKEY__V1__RATE_LIMIT__INIT, LATCHKEY__V1__RATE_LIMIT__INIT},
		.limits = {&rules_given.limit[0], &rules_given.limit[1]},
		.credits = LATCHKEY__V1__CREDITS__INIT,
		.refill = LATCHKEY__V1__CREDIT_REFILL__INIT,
	};
	rules_given.minute.seconds = 60;
	rules_given.day.seconds = 86400;
	rules_given.limit[0].name = TEXT("requests");
	rules_given.limit[0].limit = 600;
	rules_given.limit[0].burst = 10;
	rules_given.limit[0].period = &rules_given.minute;
	rules_given.limit[1].name = TEXT("daily");
	rules_given.limit[1].limit = 1000;
	rules_given.limit[1].period = &rules_given.day;
	rules_given.credits.balance = 500;
	rules_given.credits.refill = &rules_given.refill;
	rules_given.refill.amount = 100;
	rules_given.refill.interval = LATCHKEY__V1__CREDIT_INTERVAL__CREDIT_INTERVAL_MONTH;
	rules_given.refill.mode = LATCHKEY__V1__CREDIT_REFILL_MODE__CREDIT_REFILL_MODE_ADD;
	return 0;
}

struct loop_answer rules_create(Latchkey__V1__CreateKeyRequest *request, enum lk_err expected)
{
	request->tenant = TEXT("acme");
	request->keyspace = TEXT("prod");
	return fixture_call(&latchkey_v1_key_create_method, &request->base, expected);
}

struct fixture_key rules_make_full_key(void)
{
	Latchkey__V1__CreateKeyRequest request = LATCHKEY__V1__CREATE_KEY_REQUEST__INIT;

	RULES_FILL(&request);
	struct loop_answer answer = rules_create(&request, LK_OK);
	return fixture_take_key(&answer);
}

void rules_assert_full(const Latchkey__V1__Key *key, uint64_t balance)
{
	assert_int_equal(key->n_roles, 2);
	assert_string_equal(key->roles[0], "reader");
	assert_string_equal(key->roles[1], "admin");
	assert_int_equal(key->n_allowed_cidrs, 2);
	assert_string_equal(key->allowed_cidrs[0], "10.0.0.0/8");
	assert_string_equal(key->allowed_cidrs[1], "2001:db8::1/128");
	assert_int_equal(key->n_rate_limits, 2);
	assert_string_equal(key->rate_limits[0]->name, "requests");
	assert_int_equal(key->rate_limits[0]->limit, 600);
	assert_int_equal(key->rate_limits[0]->burst, 10);
	assert_int_equal(key->rate_limits[0]->period->seconds, 60);
	assert_string_equal(key->rate_limits[1]->name, "daily");
	assert_int_equal(key->rate_limits[1]->burst, 1000);
	assert_non_null(key->credits);
	assert_int_equal(key->credits->balance, balance);
	assert_int_equal(key->credits->refill->amount, 100);
	assert_int_equal(key->credits->refill->interval, rules_given.refill.interval);
	assert_int_equal(key->credits->refill->mode, rules_given.refill.mode);
	assert_non_null(key->credits->next_refill_time);
}

void rules_assert_plain(const Latchkey__V1__Key *key)
{
	assert_int_equal(key->n_roles + key->n_allowed_cidrs + key->n_rate_limits, 0);
	assert_null(key->credits);
}

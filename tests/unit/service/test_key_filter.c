#include <stdio.h>
#include <stdlib.h>

#include "server/service/key_filter.h"
#include "server/service/key_plan.h"
#include "server/service/key_select.h"
#include "server/store/find.h"
#include "server/store/store.h"
#include "tests/unit/service/key_crowd.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct crowd crowd;

/* A request as the dispatcher makes it, by an operator. */
struct asking {
	struct lk_arena arena;
	struct lk_request request;
	Latchkey__Store__GrantRecord grant;
	Latchkey__Store__TenantRecord *tenant;
};

static char *all[] = {"*"};

static void asking_begin(struct asking *asking)
{
	assert_int_equal(lk_arena_init(&asking->arena, 1 << 16, 1 << 24), LK_OK);
	latchkey__store__grant_record__init(&asking->grant);
	asking->grant.methods = asking->grant.tenants = asking->grant.keyspaces = all;
	asking->grant.n_methods = asking->grant.n_tenants = asking->grant.n_keyspaces = 1;
	asking->request = (struct lk_request){
		.arena = &asking->arena, .store = fixture_loop.store, .now_us = crowd.now_us};
	asking->request.caller.grant = &asking->grant;
	lk_faults_init(&asking->request.faults, &asking->arena);
	assert_int_equal(lk_snapshot_new(fixture_loop.store, &asking->request.txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(asking->request.txn), LK_OK);
	asking->tenant = lk_find_tenant(asking->request.txn, &asking->arena, "crowd");
}

static void asking_end(struct asking *asking)
{
	lk_snapshot_free(asking->request.txn);
	lk_arena_done(&asking->arena);
}

/* Whether a fault of this field was found; and it alone, where `alone`. */
static bool has_fault(const struct lk_request *request, const char *field)
{
	for (size_t i = 0; i < request->faults.count; i++) {
		if (strcmp(request->faults.items[i].field, field) == 0) {
			return true;
		}
	}
	return false;
}

static void assert_fault(const Latchkey__V1__KeyFilter *message, const char *field)
{
	struct asking asking;
	struct lk_key_filter filter;

	asking_begin(&asking);
	assert_int_equal(lk_key_filter_check(&asking.request, asking.tenant, message, &filter), LK_OK);
	assert_int_equal(asking.request.faults.count, field == NULL ? 0 : 1);
	assert_true(field == NULL || has_fault(&asking.request, field));
	asking_end(&asking);
}

static void test_filter_names_each_fault(void **state)
{
	Latchkey__V1__KeyFilter good = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__KeyState states[] = {LATCHKEY__V1__KEY_STATE__KEY_STATE_ACTIVE, (Latchkey__V1__KeyState)0};
	Google__Protobuf__Timestamp no_time = {
		.base = PROTOBUF_C_MESSAGE_INIT(&google__protobuf__timestamp__descriptor), .seconds = INT64_MAX};
	Google__Protobuf__Timestamp no_nanos = no_time;
	char text[1024] = "";

	(void)state;
	crowd.now_us = INT64_C(1800000000) * 1000000;
	Google__Protobuf__Timestamp later = no_time;
	later.seconds = 1800000001;
	no_nanos.seconds = 1;
	no_nanos.nanos = 1000000000;
	memset(text, 'x', 129);
	Latchkey__V1__KeyFilter filter = good;
	assert_fault(NULL, NULL);
	assert_fault(&good, NULL);
	filter.states = states;
	filter.n_states = 2;
	assert_fault(&filter, "filter.states[1]");
	states[1] = (Latchkey__V1__KeyState)5;
	assert_fault(&filter, "filter.states[1]");
	filter = good;
	filter.owner = text;
	assert_fault(&filter, "filter.owner");
	filter = good;
	filter.name_prefix = text;
	assert_fault(&filter, "filter.name_prefix");
	filter = good;
	filter.permission = TEXT("agents::install");
	assert_fault(&filter, "filter.permission");
	filter = good;
	filter.keyspace = TEXT("No Keyspace");
	assert_fault(&filter, "filter.keyspace");
	static const struct {
		const char *field;
		size_t offset;
	} times[] = {
		{"filter.created_after", offsetof(Latchkey__V1__KeyFilter, created_after)},
		{"filter.created_before", offsetof(Latchkey__V1__KeyFilter, created_before)},
		{"filter.expires_before", offsetof(Latchkey__V1__KeyFilter, expires_before)},
		{"filter.last_used_before", offsetof(Latchkey__V1__KeyFilter, last_used_before)},
	};
	for (size_t i = 0; i < COUNT(times); i++) {
		const Google__Protobuf__Timestamp *bad[] = {&no_time, &no_nanos};
		for (size_t j = 0; j < COUNT(bad); j++) {
			filter = good;
			memcpy((char *)&filter + times[i].offset, &bad[j], sizeof(void *));
			assert_fault(&filter, times[i].field);
		}
	}
	filter = good;
	filter.last_used_before = &later;
	assert_fault(&filter, "filter.last_used_before");
	later.seconds = 1800000000;
	assert_fault(&filter, NULL);
}

static void test_filter_wants_created_after_before_created_before(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Google__Protobuf__Timestamp after = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Google__Protobuf__Timestamp before = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	(void)state;
	filter.created_after = &after;
	filter.created_before = &before;
	after.seconds = before.seconds = 1000;
	assert_fault(&filter, "filter.created_after");
	after.seconds = 1001;
	assert_fault(&filter, "filter.created_after");
	after.seconds = 999;
	assert_fault(&filter, NULL);
}

static void test_filter_gathers_all_faults_with_those_of_the_list(void **state)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Google__Protobuf__Timestamp future = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Latchkey__V1__KeyState none = (Latchkey__V1__KeyState)0;
	static const char *const fields[] = {"filter.states[0]: ", "filter.permission: ", "filter.last_used_before: ",
		"filter.keyspace: ", "order_by: ", "page_size: ", "page_token: "};

	(void)state;
	future.seconds = INT64_C(4102444800);
	filter.states = &none;
	filter.n_states = 1;
	filter.permission = TEXT("no permission");
	filter.last_used_before = &future;
	filter.keyspace = TEXT("No Keyspace");
	request.tenant = TEXT("acme");
	request.filter = &filter;
	request.order_by = TEXT("owner");
	request.page_size = 1001;
	request.page_token = TEXT("AAAA");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_INVALID_ARGUMENT);
	for (size_t i = 0; i < COUNT(fields); i++) {
		if (strstr(answer.violations, fields[i]) == NULL) {
			print_message("no %s in %s", fields[i], answer.violations);
		}
		assert_non_null(strstr(answer.violations, fields[i]));
	}
	loop_answer_done(&answer);
}

static void test_filter_that_says_nothing_is_empty(void **state)
{
	struct crowd_filter asks;
	struct lk_key_filter filter;
	struct asking asking;

	(void)state;
	crowd.state = 1;
	crowd.now_us = INT64_C(1800000000) * 1000000;
	asking_begin(&asking);
	for (int what = 0; what <= CROWD_ASKS; what++) {
		crowd_filter_make(&crowd, what, what, &asks);
		assert_int_equal(lk_key_filter_check(&asking.request, asking.tenant, &asks.message, &filter), LK_OK);
		assert_int_equal(lk_key_filter_is_empty(&filter), what == CROWD_ASKS);
	}
	asking_end(&asking);
}

/* Each filter seeks in the index that it has, whatever else is asked. */
static void test_filter_seeks_where_it_has_an_index(void **state)
{
	static const struct {
		unsigned asks;
		enum lk_key_index index;
	} cases[] = {
		{0, LK_KEYS_BY_CREATE},
		{LK_ASK_CREATED, LK_KEYS_BY_CREATE},
		{LK_ASK_STATE | LK_ASK_PERMISSION, LK_KEYS_BY_CREATE},
		{LK_ASK_OWNER, LK_KEYS_BY_OWNER},
		{LK_ASK_NAME | LK_ASK_STATE, LK_KEYS_BY_NAME},
		{LK_ASK_EXPIRES | LK_ASK_USED, LK_KEYS_BY_EXPIRY},
		{LK_ASK_USED | LK_ASK_CREATED, LK_KEYS_BY_USED},
		{LK_ASK_ALL, LK_KEYS_BY_OWNER},
	};
	struct lk_key_order order = {.text = ""};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lk_key_filter filter = {.asks = cases[i].asks, .used_last_us = 99};
		assert_int_equal(lk_key_plan(&filter, &order, 100), cases[i].index);
	}
	/* What is yet to be folded moves: then it does not seek there, but for what was never used. */
	struct lk_key_filter used = {.asks = LK_ASK_USED, .used_last_us = 99};
	assert_int_equal(lk_key_plan(&used, &order, 99), LK_KEYS_BY_CREATE);
	used.used_last_us = 0;
	assert_int_equal(lk_key_plan(&used, &order, 0), LK_KEYS_BY_USED);
	/* An order that is given decides; that by creation is kept by the index by owner too. */
	struct lk_key_filter filter = {.asks = LK_ASK_ALL};
	order = (struct lk_key_order){true, LK_KEYS_BY_EXPIRY, false, "expire_time"};
	assert_int_equal(lk_key_plan(&filter, &order, 0), LK_KEYS_BY_EXPIRY);
	order.index = LK_KEYS_BY_CREATE;
	assert_int_equal(lk_key_plan(&filter, &order, 0), LK_KEYS_BY_OWNER);
	filter.asks = LK_ASK_NAME;
	assert_int_equal(lk_key_plan(&filter, &order, 0), LK_KEYS_BY_CREATE);
}

/* Instants before 1970 are instants, though no key has one. */
static void test_filter_takes_instants_before_1970(void **state)
{
	Latchkey__V1__KeyFilter none = LATCHKEY__V1__KEY_FILTER__INIT;
	Google__Protobuf__Timestamp old = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	static const struct {
		int64_t seconds;
		size_t offset;
		size_t expected;
	} cases[] = {
		{-5, offsetof(Latchkey__V1__KeyFilter, created_after), 3},
		{0, offsetof(Latchkey__V1__KeyFilter, created_after), 3},
		{-5, offsetof(Latchkey__V1__KeyFilter, created_before), 0},
		{0, offsetof(Latchkey__V1__KeyFilter, created_before), 0},
		{-5, offsetof(Latchkey__V1__KeyFilter, expires_before), 0},
		{0, offsetof(Latchkey__V1__KeyFilter, expires_before), 0},
		{-5, offsetof(Latchkey__V1__KeyFilter, last_used_before), 3},
		{0, offsetof(Latchkey__V1__KeyFilter, last_used_before), 3},
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct fixture_key key = fixture_make_key("acme", "prod", "");
		fixture_key_done(&key);
	}
	request.tenant = TEXT("acme");
	for (size_t i = 0; i < COUNT(cases); i++) {
		Latchkey__V1__KeyFilter filter = none;
		const Google__Protobuf__Timestamp *time = &old;
		old.seconds = cases[i].seconds;
		memcpy((char *)&filter + cases[i].offset, &time, sizeof time);
		request.filter = &filter;
		struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
		assert_int_equal(((Latchkey__V1__ListKeysResponse *)answer.response)->n_keys, cases[i].expected);
		loop_answer_done(&answer);
	}
}

/* What a selection handed over. */
struct selected {
	uint64_t slots[CROWD_MOST];
	size_t count;
	size_t most;
};

static bool take(void *context, const struct lk_key_peek *key)
{
	struct selected *selected = context;

	selected->slots[selected->count++] = key->slot;
	return selected->count < selected->most;
}

static void assert_selection(const struct crowd_filter *asks)
{
	const struct crowd_key *expected[CROWD_MOST];
	size_t count = crowd_expect(&crowd, &asks->message, "", expected);
	struct selected selected = {.most = CROWD_MOST};
	struct lk_key_filter filter;
	struct asking asking;

	asking_begin(&asking);
	assert_int_equal(lk_key_filter_check(&asking.request, asking.tenant, &asks->message, &filter), LK_OK);
	assert_int_equal(lk_key_select(&asking.request, asking.tenant, &filter, take, &selected), LK_OK);
	assert_int_equal(selected.count, count);
	for (size_t i = 0; i < count; i++) {
		size_t times = 0;
		for (size_t j = 0; j < count; j++) {
			times += selected.slots[j] == expected[i]->record->slot;
		}
		assert_int_equal(times, 1);
	}
	if (count > 3) {
		selected = (struct selected){.most = 3};
		assert_int_equal(lk_key_select(&asking.request, asking.tenant, &filter, take, &selected), LK_OK);
		assert_int_equal(selected.count, 3);
	}
	asking_end(&asking);
}

static void test_selection_hands_over_every_key_once(void **state)
{
	struct crowd_filter asks;

	(void)state;
	crowd_make(&crowd, 200);
	for (int a = 0; a <= CROWD_ASKS; a++) {
		for (int b = a; b <= CROWD_ASKS; b++) {
			crowd_filter_make(&crowd, a, b, &asks);
			assert_selection(&asks);
		}
	}
	crowd_done(&crowd);
}

static void test_request_is_in_time_until_its_deadline(void **state)
{
	struct lk_key_filter filter;
	struct asking asking;

	(void)state;
	crowd_make(&crowd, 1);
	asking_begin(&asking);
	assert_int_equal(lk_key_filter_check(&asking.request, asking.tenant, NULL, &filter), LK_OK);
	struct selected selected = {.most = CROWD_MOST};
	/* Long past: but of so few keys nobody looks at it. */
	asking.request.deadline_us = 1;
	assert_int_equal(lk_key_select(&asking.request, asking.tenant, &filter, take, &selected), LK_OK);
	assert_int_equal(lk_request_in_time(&asking.request), LK_DEADLINE_EXCEEDED);
	assert_non_null(asking.request.message);
	asking.request.deadline_us = INT64_MAX;
	assert_int_equal(lk_request_in_time(&asking.request), LK_OK);
	asking.request.deadline_us = 0;
	assert_int_equal(lk_request_in_time(&asking.request), LK_OK);
	asking_end(&asking);
	crowd_done(&crowd);
}

static void test_selection_of_a_keyspace_that_is_not_there_says_so(void **state)
{
	Latchkey__V1__KeyFilter message = LATCHKEY__V1__KEY_FILTER__INIT;
	struct selected selected = {.most = CROWD_MOST};
	struct lk_key_filter filter;
	struct asking asking;

	(void)state;
	crowd_make(&crowd, 1);
	asking_begin(&asking);
	message.keyspace = TEXT("not-there");
	assert_int_equal(lk_key_filter_check(&asking.request, asking.tenant, &message, &filter), LK_OK);
	assert_int_equal(lk_key_select(&asking.request, asking.tenant, &filter, take, &selected), LK_NOT_FOUND);
	assert_int_equal(selected.count, 0);
	asking_end(&asking);
	crowd_done(&crowd);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_filter_names_each_fault),
		TEST(test_filter_wants_created_after_before_created_before),
		TEST(test_filter_gathers_all_faults_with_those_of_the_list),
		TEST(test_filter_that_says_nothing_is_empty),
		TEST(test_filter_seeks_where_it_has_an_index),
		TEST(test_filter_takes_instants_before_1970),
		TEST(test_selection_hands_over_every_key_once),
		TEST(test_request_is_in_time_until_its_deadline),
		TEST(test_selection_of_a_keyspace_that_is_not_there_says_so),
	};

	return cmocka_run_group_tests_name("service key filter", tests, NULL, NULL);
}

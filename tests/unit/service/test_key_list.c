#include <stdio.h>
#include <stdlib.h>

#include "server/store/apply.h"
#include "server/store/find.h"
#include "server/store/fold.h"
#include "server/store/store.h"
#include "tests/lib/draft.h"
#include "tests/unit/service/key_crowd.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct crowd crowd;

static Latchkey__V1__ListKeysRequest ask(const Latchkey__V1__KeyFilter *filter, const char *order_by, int32_t page_size)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;

	request.tenant = TEXT("crowd");
	request.filter = (Latchkey__V1__KeyFilter *)(uintptr_t)filter;
	request.order_by = TEXT(order_by);
	request.page_size = page_size;
	return request;
}

static struct loop_answer list(const Latchkey__V1__ListKeysRequest *request, enum lk_err expected)
{
	return fixture_call(&latchkey_v1_key_list_method, &request->base, expected);
}

static const Latchkey__V1__ListKeysResponse *page_of(const struct loop_answer *answer)
{
	return (const Latchkey__V1__ListKeysResponse *)answer->response;
}

/* What a list told. */
struct told {
	const struct crowd_key *keys[CROWD_MOST];
	size_t count;
	char token[1100];
};

/* Reads the next page. False where it was the last. */
static bool read_page(Latchkey__V1__ListKeysRequest request, struct told *told)
{
	request.page_token = told->token;
	struct loop_answer answer = list(&request, LK_OK);
	const Latchkey__V1__ListKeysResponse *page = page_of(&answer);

	assert_true(page->n_keys <= (size_t)request.page_size);
	for (size_t i = 0; i < page->n_keys; i++) {
		assert_true(told->count < CROWD_MOST);
		told->keys[told->count] = crowd_find(&crowd, page->keys[i]->id);
		assert_non_null(told->keys[told->count++]);
	}
	assert_true(strlen(page->next_page_token) <= 1024);
	(void)snprintf(told->token, sizeof told->token, "%s", page->next_page_token);
	loop_answer_done(&answer);
	return told->token[0] != '\0';
}

static size_t times_told(const struct told *told, const struct crowd_key *key)
{
	size_t times = 0;

	for (size_t i = 0; i < told->count; i++) {
		times += told->keys[i] == key;
	}
	return times;
}

static void print_filter(const Latchkey__V1__KeyFilter *filter, const char *order_by, int32_t page_size)
{
	print_message("order \"%s\", pages of %d, keyspace %s, %zu states, owner %s, name %s, permission %s, %d %d %d "
		      "%d %d\n",
		order_by, page_size, filter->keyspace, filter->n_states, filter->owner, filter->name_prefix,
		filter->permission, filter->created_after != NULL, filter->created_before != NULL,
		filter->expires_before != NULL, filter->last_used_before != NULL, filter->unused_only);
}

/* The order of the index that a filter seeks in. NULL: that of its use, which the test does not follow. */
static const char *default_order(const Latchkey__V1__KeyFilter *filter)
{
	if (filter->owner[0] != '\0') {
		return "create_time";
	}
	if (filter->name_prefix[0] != '\0') {
		return "name";
	}
	if (filter->expires_before != NULL) {
		return "expire_time";
	}
	return filter->last_used_before != NULL || filter->unused_only ? NULL : "create_time";
}

/* Lists in pages, and compares with what passes by brute force. */
static void assert_list(const Latchkey__V1__KeyFilter *filter, const char *order_by, int32_t page_size)
{
	const Latchkey__V1__ListKeysRequest request = ask(filter, order_by, page_size);
	const char *order = order_by[0] != '\0' ? order_by : default_order(filter);
	const struct crowd_key *expected[CROWD_MOST];
	size_t count = crowd_expect(&crowd, filter, order == NULL ? "" : order, expected);
	struct told told = {0};
	bool same = true;

	while (read_page(request, &told)) {
	}
	same = told.count == count;
	for (size_t i = 0; same && i < count; i++) {
		same = order == NULL ? times_told(&told, expected[i]) == 1 : told.keys[i] == expected[i];
	}
	if (!same) {
		print_filter(filter, order_by, page_size);
		print_message("told %zu, expected %zu\n", told.count, count);
	}
	assert_true(same);
}

static void assert_count(const Latchkey__V1__KeyFilter *filter)
{
	Latchkey__V1__ListKeysRequest request = ask(filter, "", 1);
	const struct crowd_key *expected[CROWD_MOST];
	size_t count = crowd_expect(&crowd, filter, "", expected);

	request.count_total = true;
	struct loop_answer answer = list(&request, LK_OK);
	if (page_of(&answer)->total_size != (int64_t)count) {
		print_filter(filter, "", 1);
	}
	assert_int_equal(page_of(&answer)->total_size, count);
	loop_answer_done(&answer);
}

static const char *const orders[] = {
	"", "create_time", "create_time desc", "expire_time", "expire_time desc", "name", " name  desc "};

static void assert_all_filters(void)
{
	struct crowd_filter filter;

	for (int a = 0; a <= CROWD_ASKS; a++) {
		for (int b = a; b <= CROWD_ASKS; b++) {
			crowd_filter_make(&crowd, a, b, &filter);
			for (size_t i = 0; i < COUNT(orders); i++) {
				assert_list(&filter.message, orders[i], 1000);
				assert_list(&filter.message, orders[i], 7);
			}
			assert_list(&filter.message, orders[crowd_choose(&crowd, COUNT(orders))], 1);
			assert_count(&filter.message);
		}
	}
}

/* Folds a whole round of its own, whatever the daemon has folded, and lets every last_used_before seek. */
static void fold_all(void)
{
	struct lk_fold fold = {0};

	do {
		Latchkey__Store__Change *change = lk_draft_new(&crowd.arena);
		struct lk_txn *txn = NULL;
		assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
		assert_int_equal(lk_fold_build(&fold, txn, &crowd.arena, crowd.now_us, change), LK_OK);
		assert_int_equal(change->n_mutations == 0 ? LK_OK : lk_apply_do(txn, &crowd.arena, change), LK_OK);
		assert_int_equal(lk_write_commit(txn), LK_OK);
	} while (fold.under_way);
	lk_store_set_folded(fixture_loop.store, INT64_MAX);
}

static void test_list_tells_what_brute_force_does(void **state)
{
	(void)state;
	crowd_make(&crowd, 300);
	assert_all_filters();
	crowd_done(&crowd);
}

static void test_list_of_folded_uses_tells_what_brute_force_does(void **state)
{
	struct crowd_filter filter;

	(void)state;
	crowd_make(&crowd, 300);
	fold_all();
	/* Of keys that are gone, the index still tells. */
	for (size_t i = 0; i < crowd.count; i += 5) {
		crowd_delete(&crowd, &crowd.keys[i]);
	}
	for (int round = 0; round < 4; round++) {
		for (int a = 0; a < CROWD_ASKS; a++) {
			for (int b = CROWD_USED; b <= CROWD_UNUSED; b++) {
				crowd_filter_make(&crowd, a, b, &filter);
				assert_list(&filter.message, "", 1 + (int32_t)crowd_choose(&crowd, 20));
				assert_count(&filter.message);
			}
		}
	}
	crowd_done(&crowd);
}

/* Something happens to keys between two pages, also to the one at which a page ended. */
static void disturb(const struct told *told, bool stands[static CROWD_MOST])
{
	for (int i = 0; i < 4; i++) {
		size_t which = crowd_choose(&crowd, (unsigned)crowd.count);
		if (i == 0 && told->count > 0) {
			which = (size_t)(told->keys[told->count - 1] - crowd.keys);
		}
		struct crowd_key *key = &crowd.keys[which];
		unsigned what = crowd_choose(&crowd, 4);
		if (key->gone) {
			continue;
		}
		if (what == 0) {
			crowd_delete(&crowd, key);
		} else if (what == 1) {
			key->record->name = TEXT("moved");
			key->record->expire_us = crowd.now_us + 1;
			key->record->owner = TEXT("ann");
			crowd_put(&crowd, key);
		} else {
			key->record->state = LATCHKEY__STORE__STORED_STATE__STORED_STATE_REVOKED;
			crowd_put(&crowd, key);
		}
		/* One that is revoked stands where it did. */
		stands[which] = stands[which] && what > 1;
	}
	crowd_add(&crowd, 2);
}

static void test_list_is_steady_while_keys_come_and_go(void **state)
{
	static bool stands[CROWD_MOST];
	Latchkey__V1__KeyFilter nothing = LATCHKEY__V1__KEY_FILTER__INIT;

	(void)state;
	crowd_make(&crowd, 100);
	for (size_t i = 0; i < COUNT(orders); i++) {
		struct told told = {0};
		size_t standing = crowd.count;
		memset(stands, true, sizeof stands);
		for (size_t j = 0; j < standing; j++) {
			stands[j] = !crowd.keys[j].gone;
		}
		while (read_page(ask(&nothing, orders[i], 7), &told)) {
			disturb(&told, stands);
		}
		for (size_t j = 0; j < standing; j++) {
			assert_true(!stands[j] || times_told(&told, &crowd.keys[j]) == 1);
			assert_true(times_told(&told, &crowd.keys[j]) <= 1 || !stands[j]);
		}
	}
	crowd_done(&crowd);
}

/* The plan of the first page is kept, whatever the fold does meanwhile. */
static void test_list_goes_on_as_it_began_when_uses_are_folded(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Google__Protobuf__Timestamp before = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	const struct crowd_key *expected[CROWD_MOST];
	struct told told = {0};

	(void)state;
	crowd_make(&crowd, 200);
	/* No round of the daemon's own reaches to so late an instant. */
	before.seconds = crowd.now_us / 1000000;
	filter.last_used_before = &before;
	assert_true(read_page(ask(&filter, "", 9), &told));
	fold_all();
	while (read_page(ask(&filter, "", 9), &told)) {
	}
	size_t count = crowd_expect(&crowd, &filter, "create_time", expected);
	assert_int_equal(told.count, count);
	assert_memory_equal(told.keys, expected, count * sizeof *expected);
	crowd_done(&crowd);
}

static void assert_total(const Latchkey__V1__KeyFilter *filter, int64_t expected)
{
	const Latchkey__V1__ListKeysRequest request = ask(filter, "", 1);
	struct loop_answer answer = list(&request, LK_OK);

	assert_int_equal(page_of(&answer)->total_size, expected);
	loop_answer_done(&answer);
}

static void test_list_tells_totals_that_counters_know(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	const struct crowd_key *keys[CROWD_MOST];
	/* By bits: ACTIVE, SUSPENDED, REVOKED, EXPIRED. */
	static const bool known[16] = {true, false, false, false, true, false, false, false, false, false, false, true,
		false, false, false, true};
	Latchkey__V1__KeyState states[4];

	(void)state;
	crowd_make(&crowd, 200);
	assert_total(NULL, 200);
	for (size_t bits = 0; bits < COUNT(known); bits++) {
		filter.states = states;
		filter.n_states = 0;
		for (int i = 0; i < 4; i++) {
			if ((bits & (size_t)1 << i) != 0) {
				states[filter.n_states++] = (Latchkey__V1__KeyState)(1 + i);
			}
		}
		filter.keyspace = TEXT("");
		assert_total(&filter, known[bits] ? (int64_t)crowd_expect(&crowd, &filter, "", keys) : -1);
		filter.keyspace = TEXT("gamma");
		assert_total(&filter, known[bits] ? (int64_t)crowd_expect(&crowd, &filter, "", keys) : -1);
	}
	filter.n_states = 0;
	filter.owner = TEXT("ann");
	assert_total(&filter, -1);
	crowd_done(&crowd);
}

/* More keys than a page looks at, of which the last alone passes. */
static void test_list_gives_an_empty_page_and_goes_on(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct told told = {0};
	size_t pages = 1;

	(void)state;
	crowd_make(&crowd, 1);
	crowd.keys[0].record->create_us = crowd.now_us + 1;
	crowd_delete(&crowd, &crowd.keys[0]);
	for (int i = 0; i < 82; i++) {
		Latchkey__Store__Change *change = lk_draft_new(&crowd.arena);
		struct lk_txn *txn = NULL;
		for (int j = 0; j < 500; j++) {
			lk_draft_put_key(&crowd.arena, change, crowd.tenant, crowd.spaces[j % CROWD_SPACES], "");
		}
		if (i == 81) {
			Latchkey__Store__KeyRecord *last = change->mutations[499]->put_key;
			last->permissions = lk_arena_array(&crowd.arena, 1, sizeof *last->permissions);
			last->permissions[last->n_permissions++] = TEXT("agents:*");
			crowd.keys[crowd.count++].record = last;
		}
		assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
		assert_int_equal(lk_apply_do(txn, &crowd.arena, change), LK_OK);
		assert_int_equal(lk_write_commit(txn), LK_OK);
	}
	filter.permission = TEXT("agents:install");
	/* 41,000 keys: 20,000, 20,000 and the rest. */
	while (read_page(ask(&filter, "", 1000), &told)) {
		assert_int_equal(told.count, 0);
		pages++;
	}
	assert_int_equal(pages, 3);
	assert_int_equal(told.count, 1);
	assert_ptr_equal(told.keys[0], &crowd.keys[1]);
	/* And a count looks at all of them, renewing its snapshot between. */
	assert_count(&filter);
	crowd_done(&crowd);
}

static void test_list_counts_no_longer_than_it_may(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	struct loop_call hurried = {.timeout_ms = 1};
	Latchkey__V1__ListKeysRequest request = ask(&filter, "", 1);

	(void)state;
	crowd_make(&crowd, 1);
	for (int i = 0; i < 60; i++) {
		Latchkey__Store__Change *change = lk_draft_new(&crowd.arena);
		struct lk_txn *txn = NULL;
		for (int j = 0; j < 512; j++) {
			lk_draft_put_key(&crowd.arena, change, crowd.tenant, crowd.spaces[0], "");
		}
		assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
		assert_int_equal(lk_apply_do(txn, &crowd.arena, change), LK_OK);
		assert_int_equal(lk_write_commit(txn), LK_OK);
		lk_arena_reset(&crowd.arena);
	}
	crowd.count = 0;
	filter.permission = TEXT("agents:install");
	request.count_total = true;
	/* 30,000 keys are not looked at within a millisecond. */
	struct loop_answer answer = loop_call(&fixture_loop, &hurried, &latchkey_v1_key_list_method, &request.base);
	assert_int_equal(answer.code, lk_err_wire_code(LK_DEADLINE_EXCEEDED));
	loop_answer_done(&answer);
	crowd_done(&crowd);
}

static void assert_refused(const Latchkey__V1__ListKeysRequest *request, const char *field)
{
	struct loop_answer answer = list(request, LK_INVALID_ARGUMENT);

	if (strstr(answer.violations, field) == NULL) {
		print_message("%s: %s", field, answer.violations);
	}
	assert_non_null(strstr(answer.violations, field));
	loop_answer_done(&answer);
}

static void test_list_refuses_orders_that_are_none(void **state)
{
	static const char *const bad[] = {"owner", "create_time asc", "create_time, name", "name desc desc", "desc",
		"Name", "name descending", "name\tdesc", "-name", "names", "nam"};

	(void)state;
	fixture_make_tenant("crowd");
	for (size_t i = 0; i < COUNT(bad); i++) {
		const Latchkey__V1__ListKeysRequest request = ask(NULL, bad[i], 1);
		assert_refused(&request, "order_by: ");
	}
	const Latchkey__V1__ListKeysRequest blank = ask(NULL, "   ", 1);
	struct loop_answer answer = list(&blank, LK_OK);
	loop_answer_done(&answer);
}

/* A cursor is good for its own caller, tenant, filter and order, and whole. */
static void test_list_refuses_what_is_no_cursor_of_its_own(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__KeyFilter other = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__ListKeysRequest request = ask(&filter, "name", 1);
	struct told told = {0};
	char token[1200] = "";

	(void)state;
	crowd_make(&crowd, 10);
	assert_true(read_page(request, &told));
	request.page_token = told.token;
	struct loop_answer good = list(&request, LK_OK);
	loop_answer_done(&good);

	request.filter = &other;
	other.unused_only = true;
	assert_refused(&request, "page_token: ");
	request.filter = NULL;
	good = list(&request, LK_OK);
	loop_answer_done(&good);
	request.order_by = TEXT("name desc");
	assert_refused(&request, "page_token: ");
	request.order_by = TEXT("");
	assert_refused(&request, "page_token: ");
	request.order_by = TEXT(" name ");
	good = list(&request, LK_OK);
	loop_answer_done(&good);
	request.tenant = TEXT("acme");
	assert_refused(&request, "page_token: ");
	request.tenant = TEXT("crowd");

	request.page_token = token;
	for (size_t i = 0; i < strlen(told.token); i += 5) {
		(void)snprintf(token, sizeof token, "%s", told.token);
		token[i] = token[i] == 'A' ? 'B' : 'A';
		assert_refused(&request, "page_token: ");
		(void)snprintf(token, sizeof token, "%.*s", (int)i + 1, told.token);
		assert_refused(&request, "page_token: ");
	}
	(void)snprintf(token, sizeof token, "%s=", told.token);
	assert_refused(&request, "page_token: ");
	memset(token, 'A', 1024);
	token[1024] = '\0';
	assert_refused(&request, "page_token: ");
	crowd_done(&crowd);
}

static void test_list_refuses_the_cursor_of_another_caller(void **state)
{
	static const char *const methods[] = {"keys.list", NULL};
	static const char *const tenants[] = {"crowd", NULL};
	static const char *const keyspaces[] = {"*", NULL};
	struct fixture_key root = fixture_make_root_key(methods, tenants, keyspaces);
	struct loop_call call = {.credential = root.token};
	Latchkey__V1__ListKeysRequest request = ask(NULL, "", 1);
	struct told told = {0};

	(void)state;
	crowd_make(&crowd, 10);
	assert_true(read_page(request, &told));
	request.page_token = told.token;
	struct loop_answer answer = loop_call(&fixture_loop, &call, &latchkey_v1_key_list_method, &request.base);
	assert_int_equal(answer.code, lk_err_wire_code(LK_INVALID_ARGUMENT));
	assert_non_null(strstr(answer.violations, "page_token: "));
	loop_answer_done(&answer);
	request.page_token = TEXT("");
	answer = loop_call(&fixture_loop, &call, &latchkey_v1_key_list_method, &request.base);
	assert_int_equal(answer.code, 0);
	loop_answer_done(&answer);
	fixture_key_done(&root);
	crowd_done(&crowd);
}

static void test_list_shows_the_keyspaces_that_are_granted(void **state)
{
	static const char *const methods[] = {"keys.list", NULL};
	static const char *const tenants[] = {"crowd", NULL};
	static const char *const keyspaces[] = {"alpha", "delta", NULL};
	struct fixture_key root = fixture_make_root_key(methods, tenants, keyspaces);
	struct loop_call call = {.credential = root.token};
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__ListKeysRequest request = ask(&filter, "name", 1000);
	const struct crowd_key *keys[CROWD_MOST];

	(void)state;
	crowd_make(&crowd, 100);
	struct loop_answer answer = loop_call(&fixture_loop, &call, &latchkey_v1_key_list_method, &request.base);
	assert_int_equal(answer.code, 0);
	filter.keyspace = TEXT("alpha");
	size_t count = crowd_expect(&crowd, &filter, "", keys);
	filter.keyspace = TEXT("delta");
	count += crowd_expect(&crowd, &filter, "", keys);
	assert_int_equal(page_of(&answer)->n_keys, count);
	assert_int_equal(page_of(&answer)->total_size, count);
	for (size_t i = 0; i < count; i++) {
		const char *space = page_of(&answer)->keys[i]->keyspace;
		assert_true(strcmp(space, "alpha") == 0 || strcmp(space, "delta") == 0);
	}
	loop_answer_done(&answer);
	filter.keyspace = TEXT("beta");
	answer = loop_call(&fixture_loop, &call, &latchkey_v1_key_list_method, &request.base);
	assert_int_equal(answer.code, lk_err_wire_code(LK_PERMISSION_DENIED));
	loop_answer_done(&answer);
	filter.keyspace = TEXT("not-there");
	answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_NOT_FOUND);
	loop_answer_done(&answer);
	fixture_key_done(&root);
	crowd_done(&crowd);
}

/* A keyspace that was deleted is gone at once, though its keys are yet to be reaped. */
static void test_list_shows_nothing_of_a_closed_keyspace(void **state)
{
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__ListKeysRequest request = ask(NULL, "", 1000);
	Latchkey__Store__Change *change = NULL;
	struct lk_txn *txn = NULL;
	const struct crowd_key *keys[CROWD_MOST];

	(void)state;
	crowd_make(&crowd, 60);
	change = lk_draft_new(&crowd.arena);
	assert_int_equal(lk_write_begin(fixture_loop.store, &txn), LK_OK);
	Latchkey__Store__KeyspaceRecord *space = lk_find_keyspace(txn, &crowd.arena, crowd.tenant, "gamma");
	assert_non_null(space);
	space->closed = true;
	lk_draft_put_keyspace_again(&crowd.arena, change, space);
	assert_int_equal(lk_apply_do(txn, &crowd.arena, change), LK_OK);
	assert_int_equal(lk_write_commit(txn), LK_OK);

	filter.keyspace = TEXT("gamma");
	size_t closed = crowd_expect(&crowd, &filter, "", keys);
	assert_true(closed > 0);
	struct loop_answer answer = list(&request, LK_OK);
	assert_int_equal(page_of(&answer)->n_keys, 60 - closed);
	assert_int_equal(page_of(&answer)->total_size, 60 - closed);
	loop_answer_done(&answer);
	request.filter = &filter;
	answer = list(&request, LK_NOT_FOUND);
	loop_answer_done(&answer);
	crowd_done(&crowd);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_list_tells_what_brute_force_does),
		TEST(test_list_of_folded_uses_tells_what_brute_force_does),
		TEST(test_list_is_steady_while_keys_come_and_go),
		TEST(test_list_goes_on_as_it_began_when_uses_are_folded),
		TEST(test_list_tells_totals_that_counters_know),
		TEST(test_list_gives_an_empty_page_and_goes_on),
		TEST(test_list_counts_no_longer_than_it_may),
		TEST(test_list_refuses_orders_that_are_none),
		TEST(test_list_refuses_what_is_no_cursor_of_its_own),
		TEST(test_list_refuses_the_cursor_of_another_caller),
		TEST(test_list_shows_the_keyspaces_that_are_granted),
		TEST(test_list_shows_nothing_of_a_closed_keyspace),
	};

	return cmocka_run_group_tests_name("service key list", tests, NULL, NULL);
}

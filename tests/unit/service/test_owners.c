/* OwnerService: the limits that an owner's keys share are given, shown, listed, changed and taken away, and who may do that. */
#include "tests/unit/service/role_calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "server/store/charge.h"
#include "server/store/rules.h"
#include "server/store/store.h"
#include "tests/lib/check.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Limits of a request; a period each. */
struct limits {
	Google__Protobuf__Duration periods[5];
	Latchkey__V1__RateLimit limits[5];
	Latchkey__V1__RateLimit *list[5];
};

/* Limits of these names: 10, 20, ... an hour. */
static void limits_make(struct limits *limits, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		google__protobuf__duration__init(&limits->periods[i]);
		latchkey__v1__rate_limit__init(&limits->limits[i]);
		limits->periods[i].seconds = 3600;
		limits->limits[i].name = TEXT(names[i]);
		limits->limits[i].limit = 10 * (i + 1);
		limits->limits[i].period = &limits->periods[i];
		limits->list[i] = &limits->limits[i];
	}
}

static Latchkey__V1__CreateOwnerRequest create_of(const char *owner, struct limits *limits, size_t count)
{
	static const char *const names[] = {"calls", "tokens", "c", "d", "e"};
	Latchkey__V1__CreateOwnerRequest request = LATCHKEY__V1__CREATE_OWNER_REQUEST__INIT;

	limits_make(limits, names, count);
	request.tenant = TEXT("acme");
	request.owner = TEXT(owner);
	request.rate_limits = limits->list;
	request.n_rate_limits = count;
	return request;
}

static void make(const char *owner)
{
	struct limits limits;
	Latchkey__V1__CreateOwnerRequest request = create_of(owner, &limits, 1);

	struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

static Latchkey__V1__UpdateOwnerRequest update_of(
	Latchkey__V1__Owner *owner, struct limits *limits, size_t count, Google__Protobuf__FieldMask *mask)
{
	Latchkey__V1__UpdateOwnerRequest request = LATCHKEY__V1__UPDATE_OWNER_REQUEST__INIT;

	latchkey__v1__owner__init(owner);
	owner->id = TEXT("alice");
	owner->rate_limits = limits->list;
	owner->n_rate_limits = count;
	request.tenant = TEXT("acme");
	request.owner = owner;
	request.update_mask = mask;
	return request;
}

static Latchkey__V1__GetOwnerRequest get_of(const char *owner)
{
	Latchkey__V1__GetOwnerRequest request = LATCHKEY__V1__GET_OWNER_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.owner = TEXT(owner);
	return request;
}

static struct loop_answer get(const char *owner)
{
	Latchkey__V1__GetOwnerRequest request = get_of(owner);

	return role_call(NULL, &latchkey_v1_owner_get_method, &request.base, LK_OK);
}

static Latchkey__V1__DeleteOwnerRequest delete_of(const char *owner)
{
	Latchkey__V1__DeleteOwnerRequest request = LATCHKEY__V1__DELETE_OWNER_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.owner = TEXT(owner);
	return request;
}

/* Charges limit `at` of alice's, as a verdict on a key of hers does; acme has number 2. */
static void charge(size_t at, uint64_t cost)
{
	struct lk_owner_limits limits = {0};
	struct lk_charge charge = {.n_limits = 1};
	struct lk_txn *txn = NULL;

	CHECK(lk_snapshot_new(fixture_loop.store, &txn) == LK_OK);
	CHECK(lk_snapshot_begin(txn) == LK_OK);
	CHECK(lk_owner_limits_find(txn, 2, "alice", 5, &limits));
	CHECK(at < limits.rules.n_limits);
	charge.limits[0].limit = lk_rules_limit(&limits.rules, at);
	charge.limits[0].slot = limits.slot;
	charge.limits[0].cost = cost;
	struct timespec now = {0};
	CHECK(clock_gettime(CLOCK_REALTIME, &now) == 0);
	int64_t now_us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
	CHECK(lk_charge(lk_store_slots(fixture_loop.store), &charge, now_us) == LK_CHARGE_PASSES);
	lk_snapshot_free(txn);
}

static void assert_remaining(size_t at, const char *name, uint64_t remaining)
{
	struct loop_answer answer = get("alice");
	const Latchkey__V1__Owner *owner = (Latchkey__V1__Owner *)answer.response;

	assert_true(at < owner->n_rate_states);
	assert_string_equal(owner->rate_states[at]->name, name);
	assert_true(owner->rate_states[at]->shared);
	assert_int_equal(owner->rate_states[at]->remaining, remaining);
	/* Absent where all of it is there. */
	assert_int_equal(owner->rate_states[at]->reset_time == NULL, remaining == owner->rate_states[at]->limit);
	assert_false(owner->rate_states[at]->refused);
	loop_answer_done(&answer);
}

static void test_owner_create_answers_what_get_shows(void **state)
{
	struct limits limits;
	Latchkey__V1__CreateOwnerRequest request = create_of(" Ann <ann@example.org> ", &limits, 2);

	(void)state;
	limits.limits[1].burst = 5;
	struct loop_answer made = role_call(NULL, &latchkey_v1_owner_create_method, &request.base, LK_OK);
	const Latchkey__V1__Owner *owner = (Latchkey__V1__Owner *)made.response;
	assert_string_equal(owner->id, "Ann <ann@example.org>");
	assert_string_equal(owner->tenant, "acme");
	assert_int_equal(owner->n_rate_limits, 2);
	assert_string_equal(owner->rate_limits[0]->name, "calls");
	assert_int_equal(owner->rate_limits[0]->limit, 10);
	assert_int_equal(owner->rate_limits[0]->burst, 10);
	assert_int_equal(owner->rate_limits[0]->period->seconds, 3600);
	assert_int_equal(owner->rate_limits[1]->burst, 5);
	assert_int_equal(owner->n_rate_states, 2);
	assert_int_equal(owner->rate_states[1]->remaining, 5);
	assert_int_equal(owner->rate_states[1]->limit, 20);
	assert_int_equal(strlen(owner->etag), 16);
	struct loop_answer shown = get("Ann <ann@example.org>");
	assert_int_equal(made.payload_len, shown.payload_len);
	assert_memory_equal(made.payload, shown.payload, made.payload_len);
	loop_answer_done(&made);
	loop_answer_done(&shown);
}

static void test_owner_create_only_validates_where_that_is_asked(void **state)
{
	struct limits limits;
	Latchkey__V1__CreateOwnerRequest request = create_of("alice", &limits, 1);
	uint64_t revision = role_revision();

	(void)state;
	request.validate_only = true;
	struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_create_method, &request.base, LK_OK);
	assert_string_equal(((Latchkey__V1__Owner *)answer.response)->etag, "");
	loop_answer_done(&answer);
	assert_true(role_revision() == revision);
	Latchkey__V1__GetOwnerRequest shown = get_of("alice");
	role_call_says(NULL, &latchkey_v1_owner_get_method, &shown.base, LK_NOT_FOUND, "no limits of owner \"alice\"");
}

static void test_owner_create_tells_all_faults_at_once(void **state)
{
	struct limits limits;
	Latchkey__V1__CreateOwnerRequest request = create_of("  ", &limits, 2);
	char name[130] = "";

	(void)state;
	limits.limits[0].limit = 0;
	limits.limits[1].name = TEXT("Not a name");
	struct loop_answer answer = role_call(
		NULL, &latchkey_v1_owner_create_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "owner: is needed"));
	assert_non_null(strstr(answer.violations, "rate_limits[0].limit: "));
	assert_non_null(strstr(answer.violations, "rate_limits[1].name: "));
	loop_answer_done(&answer);
	request = create_of("a\tb", &limits, 1);
	role_call_says(NULL, &latchkey_v1_owner_create_method, &request.base, LK_INVALID_ARGUMENT, "owner: ");
	memset(name, 'x', 128);
	request = create_of(name, &limits, 1);
	answer = role_call(NULL, &latchkey_v1_owner_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	name[128] = 'x';
	role_call_says(NULL, &latchkey_v1_owner_create_method, &request.base, LK_INVALID_ARGUMENT, "owner: ");
}

/* No limits is what Delete is for; and no more than four. */
static void test_owner_has_one_to_four_limits(void **state)
{
	Google__Protobuf__FieldMask mask = ROLE_MASK("rate_limits");
	struct limits limits;
	Latchkey__V1__CreateOwnerRequest request = create_of("alice", &limits, 0);
	Latchkey__V1__Owner given;

	(void)state;
	role_call_says(
		NULL, &latchkey_v1_owner_create_method, &request.base, LK_INVALID_ARGUMENT, "rate_limits: is needed");
	request = create_of("alice", &limits, 5);
	role_call_says(NULL, &latchkey_v1_owner_create_method, &request.base, LK_INVALID_ARGUMENT, "rate_limits");
	request = create_of("alice", &limits, 4);
	struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	Latchkey__V1__UpdateOwnerRequest update = update_of(&given, &limits, 0, &mask);
	role_call_says(NULL, &latchkey_v1_owner_update_method, &update.base, LK_INVALID_ARGUMENT,
		"owner.rate_limits: is needed: give 1 to 4 limits; to take away those that an owner has, delete it");
}

static void test_owner_create_refuses_what_is_there(void **state)
{
	struct limits limits;
	Latchkey__V1__CreateOwnerRequest request = create_of("alice", &limits, 1);

	(void)state;
	make("alice");
	role_call_says(NULL, &latchkey_v1_owner_create_method, &request.base, LK_ALREADY_EXISTS, "update them");
	request.tenant = TEXT("nobody");
	role_call_says(NULL, &latchkey_v1_owner_create_method, &request.base, LK_NOT_FOUND, "no tenant \"nobody\"");
	request.tenant = TEXT("system");
	role_call_says(
		NULL, &latchkey_v1_owner_create_method, &request.base, LK_INVALID_ARGUMENT, "tenant: \"system\"");
	/* Case matters, and so does the tenant. */
	make("Alice");
	fixture_make_tenant("other");
	request.tenant = TEXT("other");
	struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
}

static void test_owner_get_shows_where_limits_stand(void **state)
{
	struct limits limits;
	Latchkey__V1__CreateOwnerRequest request = create_of("alice", &limits, 2);

	(void)state;
	struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	assert_remaining(0, "calls", 10);
	charge(0, 3);
	charge(1, 20);
	assert_remaining(0, "calls", 7);
	assert_remaining(1, "tokens", 0);
	/* Whoever looks takes nothing. */
	assert_remaining(0, "calls", 7);
}

/* One that keeps its name goes on from where it stands; one that is new begins afresh, also where another's clock ran before. */
static void test_owner_update_keeps_where_limits_stand(void **state)
{
	static const char *const kept[] = {"fresh", "calls"};
	Google__Protobuf__FieldMask mask = ROLE_MASK("rate_limits");
	struct limits limits;
	Latchkey__V1__CreateOwnerRequest request = create_of("alice", &limits, 2);
	Latchkey__V1__Owner given;

	(void)state;
	struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	charge(0, 4);
	charge(1, 20);
	limits_make(&limits, kept, 2);
	limits.limits[1].limit = 10;
	Latchkey__V1__UpdateOwnerRequest update = update_of(&given, &limits, 2, &mask);
	answer = role_call(NULL, &latchkey_v1_owner_update_method, &update.base, LK_OK);
	const Latchkey__V1__Owner *owner = (Latchkey__V1__Owner *)answer.response;
	assert_int_equal(owner->n_rate_limits, 2);
	assert_string_equal(owner->rate_limits[0]->name, "fresh");
	loop_answer_done(&answer);
	assert_remaining(0, "fresh", 10);
	assert_remaining(1, "calls", 6);
}

static void test_owner_update_to_what_it_is_changes_nothing(void **state)
{
	Google__Protobuf__FieldMask mask = ROLE_MASK("rate_limits");
	struct limits limits;
	Latchkey__V1__CreateOwnerRequest request = create_of("alice", &limits, 2);
	Latchkey__V1__Owner given;

	(void)state;
	struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_create_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	charge(0, 4);
	uint64_t revision = role_revision();
	Latchkey__V1__UpdateOwnerRequest update = update_of(&given, &limits, 2, &mask);
	answer = role_call(NULL, &latchkey_v1_owner_update_method, &update.base, LK_OK);
	loop_answer_done(&answer);
	assert_true(role_revision() == revision);
	limits.limits[1].limit++;
	answer = role_call(NULL, &latchkey_v1_owner_update_method, &update.base, LK_OK);
	loop_answer_done(&answer);
	assert_true(role_revision() == revision + 1);
}

static void test_owner_update_tells_all_faults_at_once(void **state)
{
	Google__Protobuf__FieldMask mask = ROLE_MASK("rate_limits", "rate_states");
	struct limits limits;
	Latchkey__V1__Owner given;
	(void)create_of("alice", &limits, 2);
	Latchkey__V1__UpdateOwnerRequest request = update_of(&given, &limits, 2, &mask);

	(void)state;
	given.id = TEXT("");
	limits.limits[1].name = limits.limits[0].name;
	struct loop_answer answer = role_call(
		NULL, &latchkey_v1_owner_update_method, &request.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "owner.id: "));
	assert_non_null(strstr(answer.violations, "update_mask: "));
	assert_non_null(strstr(answer.violations, "owner.rate_limits[1].name: "));
	loop_answer_done(&answer);
	request.owner = NULL;
	role_call_says(NULL, &latchkey_v1_owner_update_method, &request.base, LK_INVALID_ARGUMENT, "owner: is needed");
	mask = ROLE_MASK("rate_limits");
	request = update_of(&given, &limits, 1, &mask);
	role_call_says(
		NULL, &latchkey_v1_owner_update_method, &request.base, LK_NOT_FOUND, "no limits of owner \"alice\"");
	make("alice");
	limits.limits[0].limit = 77;
	request.etag = TEXT("0000000000000001");
	role_call_says(NULL, &latchkey_v1_owner_update_method, &request.base, LK_ABORTED, "etag: ");
}

static void test_owner_delete_takes_the_limits_away(void **state)
{
	Latchkey__V1__DeleteOwnerRequest request = delete_of("alice");

	(void)state;
	make("alice");
	charge(0, 10);
	struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_delete_method, &request.base, LK_OK);
	loop_answer_done(&answer);
	role_call_says(
		NULL, &latchkey_v1_owner_delete_method, &request.base, LK_NOT_FOUND, "no limits of owner \"alice\"");
	/* What was charged is gone with them. */
	make("alice");
	assert_remaining(0, "calls", 10);
}

static void test_owner_list_goes_page_by_page(void **state)
{
	static const char *const ids[] = {"alice", "bob", "carol", "dave", "eve"};
	bool seen[COUNT(ids)] = {false};
	char token[1025] = "";
	size_t found = 0;
	Latchkey__V1__ListOwnersRequest request = LATCHKEY__V1__LIST_OWNERS_REQUEST__INIT;

	(void)state;
	for (size_t i = 0; i < COUNT(ids); i++) {
		make(ids[i]);
	}
	request.tenant = TEXT("acme");
	request.page_size = 2;
	request.page_token = token;
	do {
		struct loop_answer answer = role_call(NULL, &latchkey_v1_owner_list_method, &request.base, LK_OK);
		const Latchkey__V1__ListOwnersResponse *page = (Latchkey__V1__ListOwnersResponse *)answer.response;
		assert_true(page->n_owners <= 2);
		for (size_t i = 0; i < page->n_owners; i++, found++) {
			for (size_t j = 0; j < COUNT(ids); j++) {
				if (strcmp(page->owners[i]->id, ids[j]) == 0) {
					assert_false(seen[j]);
					seen[j] = true;
				}
			}
			assert_int_equal(page->owners[i]->n_rate_states, 1);
		}
		(void)snprintf(token, sizeof token, "%s", page->next_page_token);
		loop_answer_done(&answer);
	} while (token[0] != '\0');
	assert_int_equal(found, COUNT(ids));
	for (size_t i = 0; i < COUNT(ids); i++) {
		assert_true(seen[i]);
	}
	request.page_token = TEXT("bm9uZQ");
	role_call_says(NULL, &latchkey_v1_owner_list_method, &request.base, LK_INVALID_ARGUMENT, "page_token: ");
	request.page_token = TEXT("");
	request.tenant = TEXT("nobody");
	role_call_says(NULL, &latchkey_v1_owner_list_method, &request.base, LK_NOT_FOUND, "no tenant");
}

static void test_owners_are_changed_by_who_is_granted_every_keyspace(void **state)
{
	static const char *const rights[] = {"owners.*", NULL};
	static const char *const acme[] = {"acme", NULL};
	static const char *const prod[] = {"prod", NULL};
	struct fixture_key narrow = fixture_make_root_key(rights, acme, prod);
	Google__Protobuf__FieldMask mask = ROLE_MASK("rate_limits");
	struct limits limits;
	Latchkey__V1__Owner given;
	Latchkey__V1__CreateOwnerRequest made = create_of("bob", &limits, 1);
	Latchkey__V1__UpdateOwnerRequest update = update_of(&given, &limits, 1, &mask);
	Latchkey__V1__DeleteOwnerRequest gone = delete_of("alice");
	Latchkey__V1__GetOwnerRequest shown = get_of("alice");

	(void)state;
	make("alice");
	role_call_says(narrow.token, &latchkey_v1_owner_create_method, &made.base, LK_PERMISSION_DENIED,
		"you are not granted all");
	role_call_says(narrow.token, &latchkey_v1_owner_update_method, &update.base, LK_PERMISSION_DENIED,
		"you are not granted all");
	role_call_says(narrow.token, &latchkey_v1_owner_delete_method, &gone.base, LK_PERMISSION_DENIED,
		"you are not granted all");
	struct loop_answer answer = role_call(narrow.token, &latchkey_v1_owner_get_method, &shown.base, LK_OK);
	loop_answer_done(&answer);
	shown.tenant = TEXT("other");
	role_call_says(narrow.token, &latchkey_v1_owner_get_method, &shown.base, LK_PERMISSION_DENIED,
		"you are not granted tenant \"other\"");
	fixture_key_done(&narrow);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_owner_create_answers_what_get_shows),
		TEST(test_owner_create_only_validates_where_that_is_asked),
		TEST(test_owner_create_tells_all_faults_at_once),
		TEST(test_owner_has_one_to_four_limits),
		TEST(test_owner_create_refuses_what_is_there),
		TEST(test_owner_get_shows_where_limits_stand),
		TEST(test_owner_update_keeps_where_limits_stand),
		TEST(test_owner_update_to_what_it_is_changes_nothing),
		TEST(test_owner_update_tells_all_faults_at_once),
		TEST(test_owner_delete_takes_the_limits_away),
		TEST(test_owner_list_goes_page_by_page),
		TEST(test_owners_are_changed_by_who_is_granted_every_keyspace),
	};

	return cmocka_run_group_tests_name("service owners", tests, NULL, NULL);
}

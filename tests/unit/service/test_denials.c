/* What Get shows of verdicts that were not VALID. */
#include "server/core/time.h"
#include "server/store/denials.h"
#include "server/store/find.h"
#include "tests/unit/service/key_calls.h"

#define AT_US (INT64_C(1700000000) * LK_US_PER_SECOND)

/* A key's slot, and the number of its keyspace. */
struct place {
	uint64_t slot;
	uint32_t keyspace;
};

static struct place place_of(const char *id)
{
	struct lk_arena arena = {0};
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_arena_init(&arena, 1 << 12, 1 << 20), LK_OK);
	assert_int_equal(lk_snapshot_new(fixture_loop.store, &txn), LK_OK);
	assert_int_equal(lk_snapshot_begin(txn), LK_OK);
	const Latchkey__Store__TenantRecord *tenant = lk_find_tenant(txn, &arena, "acme");
	assert_non_null(tenant);
	const Latchkey__Store__KeyRecord *key = lk_find_key(txn, &arena, tenant->number, id);
	assert_non_null(key);
	struct place place = {key->slot, key->keyspace};
	lk_snapshot_free(txn);
	lk_arena_done(&arena);
	return place;
}

static void note(uint64_t slot, uint32_t keyspace, Latchkey__V1__VerifyCode code, struct lk_address address)
{
	struct lk_denial denial = {.code = (uint32_t)code, .time_us = AT_US, .address = address};

	lk_denials_note(lk_store_denials(fixture_loop.store), slot, keyspace, &denial);
}

static void test_key_shows_its_last_denial(void **state)
{
	static const struct {
		struct lk_address address;
		const char *text;
	} cases[] = {
		{{LK_ADDRESS_V4, {192, 0, 2, 7}}, "192.0.2.7"},
		{{LK_ADDRESS_V6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, "2001:db8::1"},
		{{LK_ADDRESS_NONE, {0}}, ""},
	};
	struct fixture_key key = fixture_make_key("acme", "prod", "denied");
	struct fixture_key other = fixture_make_key("acme", "prod", "another");
	struct place place = place_of(key.id);

	(void)state;
	struct loop_answer answer = keys_get(key.id);
	assert_null(keys_shown(&answer)->last_denial);
	loop_answer_done(&answer);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		note(place.slot, place.keyspace, VERDICT(IP_DENIED), cases[i].address);
		answer = keys_get(key.id);
		const Latchkey__V1__Denial *denial = keys_shown(&answer)->last_denial;
		assert_non_null(denial);
		assert_int_equal(denial->code, VERDICT(IP_DENIED));
		assert_int_equal(denial->time->seconds, AT_US / LK_US_PER_SECOND);
		assert_string_equal(denial->client_ip, cases[i].text);
		loop_answer_done(&answer);
	}
	answer = keys_get(other.id);
	assert_null(keys_shown(&answer)->last_denial);
	loop_answer_done(&answer);
	/* The last one counts, and it is there after a restart. */
	note(place.slot, place.keyspace, VERDICT(EXPIRED), cases[0].address);
	loop_restart(&fixture_loop);
	answer = keys_get(key.id);
	assert_int_equal(keys_shown(&answer)->last_denial->code, VERDICT(EXPIRED));
	loop_answer_done(&answer);
	fixture_key_done(&other);
	fixture_key_done(&key);
}

/* Whoever verifies in-process could write such: no client can read a Timestamp past the year 9999. */
static void test_key_shows_no_denial_at_what_is_no_time(void **state)
{
	static const int64_t wrong[] = {INT64_MIN, -1, LK_TIME_MAX_US + 1, INT64_MAX};
	struct fixture_key key = fixture_make_key("acme", "prod", "timeless");
	struct place place = place_of(key.id);

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct lk_denial denial = {.code = VERDICT(EXPIRED), .time_us = wrong[i]};
		lk_denials_note(lk_store_denials(fixture_loop.store), place.slot, place.keyspace, &denial);
		struct loop_answer answer = keys_get(key.id);
		assert_null(keys_shown(&answer)->last_denial);
		loop_answer_done(&answer);
	}
	fixture_key_done(&key);
}

static void test_list_shows_no_denials(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "denied");
	struct place place = place_of(key.id);
	Latchkey__V1__ListKeysRequest keys = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	Latchkey__V1__ListKeyspacesRequest keyspaces = LATCHKEY__V1__LIST_KEYSPACES_REQUEST__INIT;

	(void)state;
	note(place.slot, place.keyspace, VERDICT(SUSPENDED), (struct lk_address){0});
	keys.tenant = keyspaces.tenant = TEXT("acme");
	struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &keys.base, LK_OK);
	assert_null(((const Latchkey__V1__ListKeysResponse *)answer.response)->keys[0]->last_denial);
	loop_answer_done(&answer);
	answer = fixture_call(&latchkey_v1_keyspace_list_method, &keyspaces.base, LK_OK);
	assert_int_equal(((const Latchkey__V1__ListKeyspacesResponse *)answer.response)->keyspaces[0]->n_denials, 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_keyspace_shows_denials_by_code(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "denied");
	struct place place = place_of(key.id);
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	Latchkey__V1__GetKeyspaceRequest get = LATCHKEY__V1__GET_KEYSPACE_REQUEST__INIT;

	(void)state;
	policy.token_prefix = TEXT("st-");
	fixture_make_keyspace("acme", "staging", &policy);
	note(place.slot, place.keyspace, VERDICT(CREDITS_EXHAUSTED), (struct lk_address){0});
	for (int i = 0; i < 3; i++) {
		note(0, place.keyspace, VERDICT(MALFORMED), (struct lk_address){0});
	}
	get.tenant = TEXT("acme");
	get.keyspace = TEXT("prod");
	struct loop_answer answer = fixture_call(&latchkey_v1_keyspace_get_method, &get.base, LK_OK);
	const Latchkey__V1__Keyspace *shown = (const Latchkey__V1__Keyspace *)answer.response;
	assert_int_equal(shown->n_denials, 2);
	assert_int_equal(shown->denials[0]->code, VERDICT(MALFORMED));
	assert_int_equal(shown->denials[0]->count, 3);
	assert_int_equal(shown->denials[1]->code, VERDICT(CREDITS_EXHAUSTED));
	assert_int_equal(shown->denials[1]->count, 1);
	loop_answer_done(&answer);
	get.keyspace = TEXT("staging");
	answer = fixture_call(&latchkey_v1_keyspace_get_method, &get.base, LK_OK);
	assert_int_equal(((const Latchkey__V1__Keyspace *)answer.response)->n_denials, 0);
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_key_shows_its_last_denial),
		TEST(test_key_shows_no_denial_at_what_is_no_time),
		TEST(test_list_shows_no_denials),
		TEST(test_keyspace_shows_denials_by_code),
	};

	return cmocka_run_group_tests_name("denials", tests, NULL, NULL);
}

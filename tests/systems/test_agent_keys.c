/*
 * E. Agent SDK keys (`as_`): a customer is a tenant, and each of its environments a keyspace. The caller is an SDK's back end
 * with a root key, or a person with a JWT of one hour. What is documented to reach everybody in 30 seconds reaches them before
 * Revoke returns.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/systems/stage.h"

#define CUSTOMER   "customer-1"
#define PRODUCTION "production"
#define STAGING    "staging"
#define LIST_MAX   8

/* "as_" and six more. */
#define PREFIX_LEN 9

static struct caller *open_customer(struct stage *stage)
{
	static const char *const environments[] = {PRODUCTION, STAGING};
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	policy.token_prefix = TEXT("as_");
	policy.name_required = true;
	(void)say_create_tenant(&stage->operator, CUSTOMER);
	assert_answered(&stage->operator);
	for (size_t i = 0; i < sizeof environments / sizeof environments[0]; i++) {
		(void)say_create_keyspace(&stage->operator, CUSTOMER, environments[i], &policy);
		assert_answered(&stage->operator);
	}
	return stage_tenant_caller(stage, CUSTOMER);
}

static const Latchkey__V1__CreateKeyResponse *create(struct caller *caller, const char *environment, const char *name)
{
	const Latchkey__V1__CreateKeyResponse *made = say_create(
		caller, &(struct new_key){.keyspace = environment, .name = name});

	assert_answered(caller);
	return made;
}

static void test_agent_create_by_name(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_customer(stage);
	int64_t before_us = now_us();
	const Latchkey__V1__CreateKeyResponse *made = create(caller, PRODUCTION, "Crawler");

	assert_int_equal(strncmp(made->key->id, "key_", 4), 0);
	assert_int_equal(strlen(made->key->id), 30);
	assert_int_equal(lk_token_check(made->token, strlen(made->token), "as_"), LK_TOKEN_FINE);
	assert_int_equal(strlen(made->key->display_prefix), PREFIX_LEN);
	assert_int_equal(strncmp(made->key->display_prefix, made->token, PREFIX_LEN), 0);
	assert_string_equal(made->key->name, "Crawler");
	assert_in_range(us_of(made->key->create_time), before_us, now_us());
}

static void test_agent_list_and_revoke(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_customer(stage);
	const Latchkey__V1__Key *listed[LIST_MAX];
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Latchkey__V1__KeyState active = KEY_STATE(ACTIVE);
	const Latchkey__V1__CreateKeyResponse *first = create(caller, PRODUCTION, "first");
	const Latchkey__V1__CreateKeyResponse *second = create(caller, PRODUCTION, "second");

	assert_int_equal(say_list(caller, NULL, NULL, NULL, 1, listed, LIST_MAX), 2);
	assert_string_equal(listed[0]->id, first->key->id);
	assert_string_equal(listed[1]->id, second->key->id);
	(void)say_revoke(caller, NULL, first->key->id, NULL);
	assert_answered(caller);
	assert_verdict(caller, first->token, VERDICT(REVOKED));
	assert_verdict(caller, second->token, VERDICT(VALID));
	filter.states = &active;
	filter.n_states = 1;
	assert_int_equal(say_list(caller, NULL, &filter, NULL, 0, listed, LIST_MAX), 1);
	assert_string_equal(listed[0]->id, second->key->id);
}

static void test_agent_environments_are_separate(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_customer(stage);
	const Latchkey__V1__Key *listed[LIST_MAX];
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	const Latchkey__V1__CreateKeyResponse *live = create(caller, PRODUCTION, "Crawler");
	const Latchkey__V1__CreateKeyResponse *test = create(caller, STAGING, "Crawler");

	assert_int_equal(verdict_in(caller, NULL, PRODUCTION, live->token), VERDICT(VALID));
	assert_int_equal(verdict_in(caller, NULL, STAGING, live->token), VERDICT(WRONG_KEYSPACE));
	assert_int_equal(verdict_in(caller, NULL, STAGING, test->token), VERDICT(VALID));
	assert_int_equal(verdict_in(caller, NULL, PRODUCTION, test->token), VERDICT(WRONG_KEYSPACE));
	filter.keyspace = TEXT(STAGING);
	assert_int_equal(say_list(caller, NULL, &filter, NULL, 0, listed, LIST_MAX), 1);
	assert_string_equal(listed[0]->id, test->key->id);
}

/* Rotation as a client does it who cannot stop: both secrets verify for a while, and the old one says until when. */
static void test_agent_rotate_with_an_overlap(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_customer(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(caller, PRODUCTION, "Crawler");
	int64_t before_us = now_us();

	const Latchkey__V1__RotateKeyResponse *second = say_rotate(caller, NULL, made->key->id, US_PER_DAY);
	assert_answered(caller);
	int64_t until_us = us_of(second->key->previous_secret_expire_time);
	assert_in_range(until_us, before_us + US_PER_DAY, now_us() + US_PER_DAY);
	const Latchkey__V1__VerifyKeyResponse *old = say_verify(caller, NULL, NULL, made->token);
	assert_true(old->valid);
	assert_int_equal(us_of(old->secret_expire_time), until_us);
	const Latchkey__V1__VerifyKeyResponse *new = say_verify(caller, NULL, NULL, second->token);
	assert_true(new->valid);
	assert_null(new->secret_expire_time);

	/* Once more: the oldest ends, whatever it was promised. */
	const Latchkey__V1__RotateKeyResponse *third = say_rotate(caller, NULL, made->key->id, US_PER_SECOND / 4);
	assert_answered(caller);
	assert_verdict(caller, made->token, VERDICT(NOT_FOUND));
	assert_verdict(caller, third->token, VERDICT(VALID));
	/* And the overlap ends by itself. */
	while (verdict_on(caller, second->token) == VERDICT(VALID)) {
	}
	assert_true(now_us() >= us_of(third->key->previous_secret_expire_time));
	assert_verdict(caller, second->token, VERDICT(REVOKED));
	assert_verdict(caller, third->token, VERDICT(VALID));
	(void)say_revoke(caller, NULL, made->key->id, NULL);
	assert_answered(caller);
	assert_verdict(caller, third->token, VERDICT(REVOKED));
}

/* A key that was made before Latchkey came, with a token of its own. */
static void import(struct caller *caller, const char *name, const char *token, int64_t create_us)
{
	Latchkey__V1__ImportKeysRequest request = LATCHKEY__V1__IMPORT_KEYS_REQUEST__INIT;
	Latchkey__V1__ImportedKey key = LATCHKEY__V1__IMPORTED_KEY__INIT;
	Latchkey__V1__ImportedKey *keys = &key;
	Google__Protobuf__Timestamp create = timestamp_of(create_us);

	key.secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN;
	key.token = TEXT(token);
	key.name = TEXT(name);
	key.create_time = &create;
	request.keyspace = TEXT(PRODUCTION);
	request.keys = &keys;
	request.n_keys = 1;
	const Latchkey__V1__ImportKeysResponse *response = caller_ask(caller, &latchkey_v1_key_import_method, &request);
	assert_answered(caller);
	assert_int_equal(response->imported_count, 1);
}

/* The names of the keys that match, in order, with a blank behind each. */
static void assert_found(struct caller *caller, Latchkey__V1__KeyFilter *filter, const char *names)
{
	const Latchkey__V1__Key *listed[LIST_MAX];
	size_t count = say_list(caller, NULL, filter, "name", 0, listed, LIST_MAX);
	char found[256] = "";

	assert_answered(caller);
	for (size_t i = 0; i < count; i++) {
		(void)strncat(found, listed[i]->name, sizeof found - strlen(found) - 1);
		(void)strncat(found, " ", sizeof found - strlen(found) - 1);
	}
	assert_string_equal(found, names);
}

static void test_agent_what_is_older_than_90_days_is_found(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_customer(stage);
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Google__Protobuf__Timestamp days_90_ago = timestamp_of(now_us() - 90 * US_PER_DAY);
	Google__Protobuf__Timestamp days_100_ago = timestamp_of(now_us() - 100 * US_PER_DAY);

	import(caller, "ancient", "as_legacy-ancient-0001", now_us() - 400 * US_PER_DAY);
	import(caller, "old", "as_legacy-old-0002", now_us() - 91 * US_PER_DAY);
	import(caller, "recent", "as_legacy-recent-0003", now_us() - 89 * US_PER_DAY);
	(void)create(caller, PRODUCTION, "new");
	assert_verdict(caller, "as_legacy-old-0002", VERDICT(VALID));
	filter.created_before = &days_90_ago;
	assert_found(caller, &filter, "ancient old ");
	filter.created_after = &days_100_ago;
	assert_found(caller, &filter, "old ");
	filter.created_before = NULL;
	assert_found(caller, &filter, "new old recent ");
	/* Old, and not in use: the first to go. */
	filter = (Latchkey__V1__KeyFilter)LATCHKEY__V1__KEY_FILTER__INIT;
	filter.created_before = &days_90_ago;
	filter.unused_only = true;
	assert_found(caller, &filter, "ancient ");
}

static void test_agent_what_is_unused_is_found(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_customer(stage);
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	Google__Protobuf__Timestamp days_90_ago = timestamp_of(now_us() - 90 * US_PER_DAY);

	const Latchkey__V1__CreateKeyResponse *early = create(caller, PRODUCTION, "early");
	const Latchkey__V1__CreateKeyResponse *late = create(caller, PRODUCTION, "late");
	(void)create(caller, PRODUCTION, "never");
	filter.unused_only = true;
	assert_found(caller, &filter, "early late never ");
	assert_verdict(caller, early->token, VERDICT(VALID));
	assert_found(caller, &filter, "late never ");
	int64_t between_us = us_of(say_get(caller, NULL, early->key->id)->last_used_time) + 1;
	while (now_us() <= between_us) {
	}
	assert_verdict(caller, late->token, VERDICT(VALID));
	assert_found(caller, &filter, "never ");

	/* Not used since: who was never used is among them. */
	filter.unused_only = false;
	Google__Protobuf__Timestamp between = timestamp_of(between_us);
	filter.last_used_before = &between;
	assert_found(caller, &filter, "early never ");
	filter.last_used_before = &days_90_ago;
	assert_found(caller, &filter, "never ");
	/* That survives the daemon's death: use is counted exactly. */
	daemon_kill(&stage->daemon);
	daemon_restart(&stage->daemon, NULL);
	filter.last_used_before = &between;
	const Latchkey__V1__Key *listed[LIST_MAX];
	assert_int_equal(say_list(&stage->operator, CUSTOMER, &filter, "name", 0, listed, LIST_MAX), 2);
}

/* Whoever asks after Revoke has returned hears of it, on whichever connection. */
static void test_agent_revocation_has_no_lag(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_customer(stage);
	struct caller *gateways[] = {stage_tenant_caller(stage, CUSTOMER), stage_tenant_caller(stage, CUSTOMER),
		stage_tenant_caller(stage, CUSTOMER), &stage->operator};
	size_t n_gateways = sizeof gateways / sizeof gateways[0];

	for (size_t round = 0; round < 60; round++) {
		const Latchkey__V1__CreateKeyResponse *made = create(caller, PRODUCTION, "Crawler");
		for (size_t i = 0; i < n_gateways; i++) {
			assert_verdict(gateways[i], made->token, VERDICT(VALID));
		}
		(void)say_revoke(caller, NULL, made->key->id, NULL);
		for (size_t i = 0; i < n_gateways; i++) {
			assert_verdict(gateways[(round + i) % n_gateways], made->token, VERDICT(REVOKED));
		}
		assert_answered(caller);
	}
}

/* People, who sign in where the customer says, and get a JWT that is good for an hour. */
#define HOUR_S "3600"

static struct jose_peer issuer;

static int set_up_with_people(void **state)
{
	(void)stage_set_up(state);
	stage_trust(*state, &issuer, "people",
		"grant = *: methods=keys.create,keys.get,keys.list,keys.revoke,keys.verify keyspaces=*\n");
	return 0;
}

static int tear_down_with_people(void **state)
{
	jose_peer_stop(&issuer);
	return stage_tear_down(state);
}
#define PLAY_WITH_PEOPLE(test) cmocka_unit_test_setup_teardown(test, set_up_with_people, tear_down_with_people)

/* "iat" and "exp" are so many seconds from now. */
static struct caller *sign_in(struct stage *stage, const char *issued_in_s, const char *ends_in_s)
{
	char order[256] = "";

	(void)snprintf(order, sizeof order,
		"{\"do\": \"token\", \"set\": {\"sub\": \"dana\", \"tenant\": \"" CUSTOMER "\"}, "
		"\"in_s\": {\"iat\": %s, \"exp\": %s}}",
		issued_in_s, ends_in_s);
	return stage_person(stage, &issuer, order);
}

static void test_agent_person_with_a_jwt_of_an_hour(void **state)
{
	struct stage *stage = *state;
	struct caller *sdk = open_customer(stage);
	struct caller *person = sign_in(stage, "0", HOUR_S);
	const Latchkey__V1__Key *listed[LIST_MAX];

	const Latchkey__V1__CreateKeyResponse *by_person = create(person, PRODUCTION, "Crawler");
	const Latchkey__V1__CreateKeyResponse *by_sdk = create(sdk, STAGING, "Indexer");
	assert_string_equal(by_person->key->tenant, CUSTOMER);
	assert_string_equal(by_person->key->created_by, "jwt:people:dana");
	assert_int_equal(strncmp(by_sdk->key->created_by, "key:key_", 8), 0);
	/* Both kinds of callers have to do with the same keys. */
	assert_int_equal(say_list(person, NULL, NULL, NULL, 0, listed, LIST_MAX), 2);
	assert_string_equal(listed[0]->id, by_person->key->id);
	assert_string_equal(listed[1]->id, by_sdk->key->id);
	assert_hides(listed[0], by_person->token);
	assert_verdict(sdk, by_person->token, VERDICT(VALID));
	(void)say_revoke(person, NULL, by_sdk->key->id, "not in use");
	assert_answered(person);
	assert_verdict(sdk, by_sdk->token, VERDICT(REVOKED));
	(void)say_revoke(sdk, NULL, by_person->key->id, NULL);
	assert_answered(sdk);
	assert_verdict(person, by_person->token, VERDICT(REVOKED));

	/* What the person may not, the back end may. */
	(void)say_delete(person, NULL, by_person->key->id);
	assert_refused(person, LK_PERMISSION_DENIED, NULL);
	(void)say_delete(sdk, NULL, by_person->key->id);
	assert_answered(sdk);
}

static void assert_nobody(struct caller *caller, const char *key)
{
	const Latchkey__V1__Key *listed[LIST_MAX];

	(void)say_create(caller, &(struct new_key){.tenant = CUSTOMER, .keyspace = PRODUCTION, .name = "Crawler"});
	assert_refused(caller, LK_UNAUTHENTICATED, NULL);
	(void)say_list(caller, CUSTOMER, NULL, NULL, 0, listed, LIST_MAX);
	assert_refused(caller, LK_UNAUTHENTICATED, NULL);
	(void)say_revoke(caller, CUSTOMER, key, NULL);
	assert_refused(caller, LK_UNAUTHENTICATED, NULL);
}

/* The hour is over; and another ends while the person is at work, on the same connection. */
static void test_agent_persons_hour_ends(void **state)
{
	struct stage *stage = *state;
	struct caller *sdk = open_customer(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(sdk, PRODUCTION, "Crawler");
	/* 30 seconds are what the clocks may differ by: three are left. */
	struct caller *person = sign_in(stage, "-3627", "-27");
	struct caller *late = sign_in(stage, "-3640", "-40");

	assert_nobody(late, made->key->id);
	do {
		(void)say_get(person, NULL, made->key->id);
	} while (person->err == LK_OK);
	assert_nobody(person, made->key->id);
	assert_verdict(sdk, made->token, VERDICT(VALID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(test_agent_create_by_name),
		PLAY(test_agent_list_and_revoke),
		PLAY(test_agent_environments_are_separate),
		PLAY(test_agent_rotate_with_an_overlap),
		PLAY(test_agent_what_is_older_than_90_days_is_found),
		PLAY(test_agent_what_is_unused_is_found),
		PLAY(test_agent_revocation_has_no_lag),
		PLAY_WITH_PEOPLE(test_agent_person_with_a_jwt_of_an_hour),
		PLAY_WITH_PEOPLE(test_agent_persons_hour_ends),
	};

	return cmocka_run_group_tests_name("agent keys", tests, NULL, NULL);
}

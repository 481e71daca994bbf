/*
 * Denials: why a key is refused, told by the key itself and counted by its keyspace, also where the daemon was killed in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/systems/stage.h"

static void make_place(struct stage *stage)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	policy.token_prefix = TEXT("sk-");
	(void)say_create_tenant(&stage->operator, "acme");
	assert_answered(&stage->operator);
	(void)say_create_keyspace(&stage->operator, "acme", "prod", &policy);
	assert_answered(&stage->operator);
}

static const Latchkey__V1__CreateKeyResponse *make_key(struct stage *stage, const char *name)
{
	const Latchkey__V1__CreateKeyResponse *made = say_create(
		&stage->operator, &(struct new_key){.tenant = "acme", .keyspace = "prod", .name = name});

	assert_answered(&stage->operator);
	return made;
}

static void verify_from(struct stage *stage, const char *token, const char *client_ip, Latchkey__V1__VerifyCode code)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(token);
	request.client_ip = TEXT(client_ip);
	const Latchkey__V1__VerifyKeyResponse *response = caller_ask(
		&stage->operator, & latchkey_v1_key_verify_method, &request);
	assert_answered(&stage->operator);
	assert_int_equal(response->code, code);
}

static void assert_last_denial(
	struct stage *stage, const char *key, Latchkey__V1__VerifyCode code, const char *client_ip, int64_t since_us)
{
	const Latchkey__V1__Key *shown = say_get(&stage->operator, "acme", key);

	assert_answered(&stage->operator);
	assert_non_null(shown->last_denial);
	assert_int_equal(shown->last_denial->code, code);
	assert_string_equal(shown->last_denial->client_ip, client_ip);
	assert_in_range(us_of(shown->last_denial->time), (uint64_t)since_us, (uint64_t)now_us());
}

static void assert_count(struct stage *stage, Latchkey__V1__VerifyCode code, uint64_t count)
{
	Latchkey__V1__GetKeyspaceRequest request = LATCHKEY__V1__GET_KEYSPACE_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.keyspace = TEXT("prod");
	const Latchkey__V1__Keyspace *shown = caller_ask(&stage->operator, & latchkey_v1_keyspace_get_method, &request);
	assert_answered(&stage->operator);
	for (size_t i = 0; i < shown->n_denials; i++) {
		if (shown->denials[i]->code == code) {
			assert_int_equal(shown->denials[i]->count, count);
			return;
		}
	}
	assert_int_equal(count, 0);
}

static void reconnect(struct stage *stage)
{
	caller_close(&stage->operator);
	caller_open(&stage->operator, stage->daemon.url, NULL);
}

static void test_denials_outlive_a_kill_of_the_daemon(void **state)
{
	struct stage *stage = *state;
	int64_t since_us = now_us();

	make_place(stage);
	const Latchkey__V1__CreateKeyResponse *made = make_key(stage, "suspended");
	char id[64];
	char token[128];
	(void)snprintf(id, sizeof id, "%s", made->key->id);
	(void)snprintf(token, sizeof token, "%s", made->token);
	verify_from(stage, token, "192.0.2.7", VERDICT(VALID));
	const Latchkey__V1__Key *shown = say_get(&stage->operator, "acme", id);
	assert_answered(&stage->operator);
	assert_null(shown->last_denial);
	assert_count(stage, VERDICT(SUSPENDED), 0);
	(void)say_suspend(&stage->operator, "acme", id, "a bill");
	assert_answered(&stage->operator);
	for (int i = 0; i < 3; i++) {
		verify_from(stage, token, "2001:db8::1", VERDICT(SUSPENDED));
	}
	daemon_kill(&stage->daemon);
	daemon_restart(&stage->daemon, NULL);
	reconnect(stage);
	assert_last_denial(stage, id, VERDICT(SUSPENDED), "2001:db8::1", since_us);
	assert_count(stage, VERDICT(SUSPENDED), 3);
	/* It goes on where it was, and a use that is VALID takes nothing back. */
	(void)say_activate(&stage->operator, "acme", id);
	assert_answered(&stage->operator);
	verify_from(stage, token, "192.0.2.7", VERDICT(VALID));
	assert_last_denial(stage, id, VERDICT(SUSPENDED), "2001:db8::1", since_us);
	(void)say_revoke(&stage->operator, "acme", id, NULL);
	assert_answered(&stage->operator);
	verify_from(stage, token, "", VERDICT(REVOKED));
	assert_last_denial(stage, id, VERDICT(REVOKED), "", since_us);
	assert_count(stage, VERDICT(SUSPENDED), 3);
	assert_count(stage, VERDICT(REVOKED), 1);
	daemon_stop(&stage->daemon);
	daemon_restart(&stage->daemon, NULL);
	reconnect(stage);
	assert_last_denial(stage, id, VERDICT(REVOKED), "", since_us);
	assert_count(stage, VERDICT(SUSPENDED), 3);
}

static void test_denials_are_each_keys_own(void **state)
{
	struct stage *stage = *state;

	make_place(stage);
	const Latchkey__V1__CreateKeyResponse *refused = make_key(stage, "refused");
	const Latchkey__V1__CreateKeyResponse *good = make_key(stage, "good");
	(void)say_suspend(&stage->operator, "acme", refused->key->id, NULL);
	assert_answered(&stage->operator);
	verify_from(stage, refused->token, "", VERDICT(SUSPENDED));
	verify_from(stage, good->token, "", VERDICT(VALID));
	const Latchkey__V1__Key *shown = say_get(&stage->operator, "acme", good->key->id);
	assert_answered(&stage->operator);
	assert_null(shown->last_denial);
	/* A list leaves them out. */
	const Latchkey__V1__Key *listed[8];
	size_t count = say_list(&stage->operator, "acme", NULL, NULL, 0, listed, 8);
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++) {
		assert_null(listed[i]->last_denial);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(test_denials_outlive_a_kill_of_the_daemon),
		PLAY(test_denials_are_each_keys_own),
	};

	return cmocka_run_group_tests_name("denials", tests, NULL, NULL);
}

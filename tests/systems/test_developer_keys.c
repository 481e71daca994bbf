/*
 * D. Developer account keys with nicknames (`agk_live_`): an account is a tenant with one keyspace, the nickname is the key's
 * name, and the integer id its number. Deleting is Delete.
 *
 * The product's "access token" is a root key that is granted the account's tenant and nothing else, or a JWT of where developers
 * sign in, whose account is its claim. What it calls "unauthorised" is three answers here, which tell apart what a client can
 * do about it:
 * - UNAUTHENTICATED: the access token is missing, or is none that is good now;
 * - PERMISSION_DENIED: it is good, and the request names an account that is not its own;
 * - NOT_FOUND: it is good, and its own account has no such key: that of another account is told from none at all by nobody.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/systems/stage.h"

#define MINE   "developer-1"
#define THEIRS "developer-2"
#define KEYS   "live"

static struct caller *open_account(struct stage *stage, const char *account)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	policy.token_prefix = TEXT("agk_live_");
	policy.name_required = true;
	policy.name_unique = true;
	(void)say_create_tenant(&stage->operator, account);
	assert_answered(&stage->operator);
	(void)say_create_keyspace(&stage->operator, account, KEYS, &policy);
	assert_answered(&stage->operator);
	return stage_tenant_caller(stage, account);
}

static const Latchkey__V1__CreateKeyResponse *create(struct caller *caller, const char *nickname)
{
	return say_create(caller, &(struct new_key){.keyspace = KEYS, .name = nickname});
}

/* A key, and its id as the product has it. */
static const Latchkey__V1__CreateKeyResponse *must_create(struct caller *caller, const char *nickname, char ret_id[24])
{
	const Latchkey__V1__CreateKeyResponse *made = create(caller, nickname);

	assert_answered(caller);
	(void)snprintf(ret_id, 24, "%" PRIu64, made->key->number);
	return made;
}

static void test_developer_nickname_is_required(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_account(stage, MINE);

	(void)create(caller, NULL);
	assert_refused(caller, LK_INVALID_ARGUMENT, "name");
	(void)create(caller, "   ");
	assert_refused(caller, LK_INVALID_ARGUMENT, "name");
}

static void test_developer_second_nickname_is_refused(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_account(stage, MINE);
	struct caller *other = open_account(stage, THEIRS);
	const Latchkey__V1__Key *listed[2];
	char id[24] = "";

	(void)must_create(caller, "laptop", id);
	(void)create(caller, "laptop");
	assert_refused(caller, LK_ALREADY_EXISTS, "name");
	assert_non_null(strstr(caller_description(caller, "name"), "laptop"));
	/* Blanks around it make no other. */
	(void)create(caller, " laptop ");
	assert_refused(caller, LK_ALREADY_EXISTS, "name");
	assert_int_equal(say_list(caller, NULL, NULL, NULL, 0, listed, 2), 1);

	/* It is unique among the account's keys, not among all. */
	(void)create(other, "laptop");
	assert_answered(other);
	/* And free again when the key is gone. */
	(void)say_delete(caller, NULL, id);
	assert_answered(caller);
	(void)create(caller, "laptop");
	assert_answered(caller);
}

static void test_developer_rename_to_a_taken_nickname_is_refused(void **state)
{
	static const char *const paths[] = {"name", NULL};
	struct stage *stage = *state;
	struct caller *caller = open_account(stage, MINE);
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;
	char laptop[24] = "";
	char server[24] = "";

	(void)must_create(caller, "laptop", laptop);
	(void)must_create(caller, "server", server);
	changed.id = server;
	changed.name = TEXT("laptop");
	(void)say_update(caller, NULL, &changed, paths, NULL);
	assert_int_equal(caller->err, LK_ALREADY_EXISTS);
	assert_true(caller->call.n_violations > 0);
	assert_non_null(strstr(caller->call.violations[0].field, "name"));
	assert_string_equal(say_get(caller, NULL, server)->name, "server");
	changed.name = TEXT("desktop");
	(void)say_update(caller, NULL, &changed, paths, NULL);
	assert_answered(caller);
	assert_string_equal(say_get(caller, NULL, server)->name, "desktop");
	(void)create(caller, "server");
	assert_answered(caller);
}

static void test_developer_reply_and_list(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_account(stage, MINE);
	const Latchkey__V1__Key *listed[3];
	int64_t before_us = now_us();
	char first_id[24] = "";
	char second_id[24] = "";

	/* Id, nickname, key, created and updated instants. */
	const Latchkey__V1__CreateKeyResponse *first = must_create(caller, "laptop", first_id);
	const Latchkey__V1__CreateKeyResponse *second = must_create(caller, "server", second_id);
	assert_true(first->key->number > 0);
	assert_true(second->key->number > first->key->number);
	assert_string_equal(first->key->name, "laptop");
	assert_int_equal(strncmp(first->token, "agk_live_", 9), 0);
	assert_int_equal(lk_token_check(first->token, strlen(first->token), "agk_live_"), LK_TOKEN_FINE);
	assert_in_range(us_of(first->key->create_time), before_us, now_us());
	assert_in_range(us_of(first->key->update_time), before_us, now_us());
	/* The key is told once: not even its own part of the reply repeats it. */
	assert_hides(first->key, first->token);

	assert_int_equal(say_list(caller, NULL, NULL, NULL, 0, listed, 3), 2);
	assert_int_equal(listed[0]->number, first->key->number);
	assert_int_equal(listed[1]->number, second->key->number);
	assert_hides(listed[0], first->token);
	assert_hides(listed[1], second->token);
	/* By the integer as by the long id. */
	assert_string_equal(say_get(caller, NULL, first_id)->id, first->key->id);
	assert_string_equal(say_get(caller, NULL, first->key->id)->id, first->key->id);
	assert_hides(say_get(caller, NULL, first_id), first->token);
}

static void test_developer_delete_is_permanent_and_immediate(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_account(stage, MINE);
	struct caller *gateway = stage_tenant_caller(stage, MINE);
	const Latchkey__V1__Key *listed[2];
	char id[24] = "";
	char next[24] = "";

	const Latchkey__V1__CreateKeyResponse *made = must_create(caller, "laptop", id);
	assert_verdict(gateway, made->token, VERDICT(VALID));
	(void)say_delete(caller, NULL, id);
	assert_answered(caller);
	assert_verdict(gateway, made->token, VERDICT(NOT_FOUND));
	(void)say_get(caller, NULL, id);
	assert_refused(caller, LK_NOT_FOUND, NULL);
	(void)say_delete(caller, NULL, id);
	assert_refused(caller, LK_NOT_FOUND, NULL);
	assert_int_equal(say_list(caller, NULL, NULL, NULL, 0, listed, 2), 0);

	/* Not after a restart either, nor does its id come back. */
	daemon_kill(&stage->daemon);
	daemon_restart(&stage->daemon, NULL);
	assert_verdict(&stage->operator, made->token, VERDICT(NOT_FOUND));
	const Latchkey__V1__CreateKeyResponse *again = say_create(
		&stage->operator, &(struct new_key){.tenant = MINE, .keyspace = KEYS, .name = "laptop"});
	assert_answered(&stage->operator);
	(void)snprintf(next, sizeof next, "%" PRIu64, again->key->number);
	assert_string_not_equal(next, id);
}

static void test_developer_unknown_id_is_not_found(void **state)
{
	static const char *const unknown[] = {"4711", "18446744073709551615", "key_00000000000000000000000000"};
	struct stage *stage = *state;
	struct caller *caller = open_account(stage, MINE);

	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
		(void)say_get(caller, NULL, unknown[i]);
		assert_refused(caller, LK_NOT_FOUND, NULL);
		(void)say_delete(caller, NULL, unknown[i]);
		assert_refused(caller, LK_NOT_FOUND, NULL);
	}
	/* What cannot be an id is another error, and names the field. */
	(void)say_delete(caller, NULL, "-1");
	assert_refused(caller, LK_INVALID_ARGUMENT, "key");
}

static void test_developer_anothers_key_is_refused(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_account(stage, MINE);
	struct caller *thief = open_account(stage, THEIRS);
	const Latchkey__V1__Key *listed[2];
	char id[24] = "";
	const Latchkey__V1__CreateKeyResponse *made = must_create(caller, "laptop", id);

	/* By the long id, within the thief's own account; its number may be another key's there. */
	(void)say_get(thief, NULL, made->key->id);
	assert_refused(thief, LK_NOT_FOUND, NULL);
	(void)say_delete(thief, NULL, made->key->id);
	assert_refused(thief, LK_NOT_FOUND, NULL);
	/* In the account of its owner. */
	(void)say_delete(thief, MINE, id);
	assert_refused(thief, LK_PERMISSION_DENIED, NULL);
	(void)say_revoke(thief, MINE, made->key->id, NULL);
	assert_refused(thief, LK_PERMISSION_DENIED, NULL);
	assert_int_equal(say_list(thief, MINE, NULL, NULL, 0, listed, 2), SIZE_MAX);
	assert_refused(thief, LK_PERMISSION_DENIED, NULL);
	assert_int_equal(say_list(thief, NULL, NULL, NULL, 0, listed, 2), 0);
	/* Nor does it verify for them. */
	assert_verdict(thief, made->token, VERDICT(NOT_FOUND));
	assert_verdict(caller, made->token, VERDICT(VALID));
}

static void assert_knows_nobody(struct caller *caller, const char *id)
{
	(void)create(caller, "server");
	assert_refused(caller, LK_UNAUTHENTICATED, NULL);
	(void)say_get(caller, MINE, id);
	assert_refused(caller, LK_UNAUTHENTICATED, NULL);
	(void)say_delete(caller, MINE, id);
	assert_refused(caller, LK_UNAUTHENTICATED, NULL);
	assert_int_equal(verdict_on(caller, "agk_live_"), VERDICT(UNSPECIFIED));
	assert_refused(caller, LK_UNAUTHENTICATED, NULL);
}

static void test_developer_access_token_missing_or_invalid(void **state)
{
	static const char *const methods[] = {"keys.*", NULL};
	static const char *const tenants[] = {MINE, NULL};
	struct stage *stage = *state;
	struct caller *caller = open_account(stage, MINE);
	char id[24] = "";
	const Latchkey__V1__CreateKeyResponse *made = must_create(caller, "laptop", id);

	assert_knows_nobody(stage_caller(stage, NULL), id);
	assert_knows_nobody(stage_caller(stage, "nonsense"), id);
	/* A developer's key is no access token. */
	assert_knows_nobody(stage_caller(stage, made->token), id);
	/* One that was good until now. */
	const Latchkey__V1__CreateKeyResponse *root = say_create_root_key(&stage->operator, "brief", methods, tenants);
	assert_answered(&stage->operator);
	struct caller *former = stage_caller(stage, root->token);
	(void)say_get(former, NULL, id);
	assert_answered(former);
	(void)say_revoke(&stage->operator, "system", root->key->id, NULL);
	assert_answered(&stage->operator);
	assert_knows_nobody(former, id);
	assert_verdict(caller, made->token, VERDICT(VALID));
}

static struct jose_peer issuer;

static int set_up_with_issuer(void **state)
{
	(void)stage_set_up(state);
	stage_trust(*state, &issuer, "developers", "grant = *: methods=keys.* keyspaces=" KEYS "\n");
	return 0;
}

static int tear_down_with_issuer(void **state)
{
	jose_peer_stop(&issuer);
	return stage_tear_down(state);
}
#define PLAY_WITH_ISSUER(test) cmocka_unit_test_setup_teardown(test, set_up_with_issuer, tear_down_with_issuer)

static struct caller *developer(struct stage *stage, const char *account)
{
	char order[128] = "";

	(void)snprintf(
		order, sizeof order, "{\"do\": \"token\", \"set\": {\"sub\": \"dana\", \"tenant\": \"%s\"}}", account);
	return stage_person(stage, &issuer, order);
}

static void test_developer_access_token_is_a_jwt(void **state)
{
	static const char *const bad[] = {
		"{\"do\": \"attack\", \"name\": \"expired\"}",
		"{\"do\": \"attack\", \"name\": \"none\"}",
		"{\"do\": \"attack\", \"name\": \"another's signature\"}",
		"{\"do\": \"attack\", \"name\": \"id token\"}",
		"{\"do\": \"attack\", \"name\": \"wrong issuer\"}",
		"{\"do\": \"attack\", \"name\": \"no tenant\"}",
	};
	struct stage *stage = *state;
	const Latchkey__V1__Key *listed[2];
	char id[24] = "";

	(void)open_account(stage, MINE);
	(void)open_account(stage, THEIRS);
	struct caller *caller = developer(stage, MINE);
	const Latchkey__V1__CreateKeyResponse *made = must_create(caller, "laptop", id);
	assert_string_equal(made->key->created_by, "jwt:developers:dana");
	assert_knows_nobody(stage_caller(stage, NULL), id);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_knows_nobody(stage_person(stage, &issuer, bad[i]), id);
	}

	/* Another account's key: the same person is somebody else there. */
	struct caller *thief = developer(stage, THEIRS);
	(void)say_delete(thief, NULL, made->key->id);
	assert_refused(thief, LK_NOT_FOUND, NULL);
	(void)say_delete(thief, MINE, id);
	assert_refused(thief, LK_PERMISSION_DENIED, NULL);
	assert_int_equal(say_list(thief, NULL, NULL, NULL, 0, listed, 2), 0);
	assert_verdict(thief, made->token, VERDICT(NOT_FOUND));

	assert_verdict(caller, made->token, VERDICT(VALID));
	(void)say_delete(caller, NULL, id);
	assert_answered(caller);
	assert_verdict(caller, made->token, VERDICT(NOT_FOUND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(test_developer_nickname_is_required),
		PLAY(test_developer_second_nickname_is_refused),
		PLAY(test_developer_rename_to_a_taken_nickname_is_refused),
		PLAY(test_developer_reply_and_list),
		PLAY(test_developer_delete_is_permanent_and_immediate),
		PLAY(test_developer_unknown_id_is_not_found),
		PLAY(test_developer_anothers_key_is_refused),
		PLAY(test_developer_access_token_missing_or_invalid),
		PLAY_WITH_ISSUER(test_developer_access_token_is_a_jwt),
	};

	return cmocka_run_group_tests_name("developer keys", tests, NULL, NULL);
}

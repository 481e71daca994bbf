/*
 * B. Workspace tokens linked to a product (`prod_`): a workspace is a tenant, and a product a keyspace of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/systems/stage.h"

#define WORKSPACE "workspace-1"
#define PRODUCT   "assistant"
#define OTHER     "search"

/* The first 8 characters of a token are shown: the prefix and 3. */
#define PREFIX_LEN 8

static void make_product(struct stage *stage, const char *product)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	policy.token_prefix = TEXT("prod_");
	policy.display_length = PREFIX_LEN;
	policy.name_required = true;
	(void)say_create_keyspace(&stage->operator, WORKSPACE, product, &policy);
	assert_answered(&stage->operator);
}

/* The workspace with two products; returns its back end, which is granted nothing else. */
static struct caller *open_workspace(struct stage *stage)
{
	(void)say_create_tenant(&stage->operator, WORKSPACE);
	assert_answered(&stage->operator);
	make_product(stage, PRODUCT);
	make_product(stage, OTHER);
	return stage_tenant_caller(stage, WORKSPACE);
}

static const Latchkey__V1__CreateKeyResponse *create(struct caller *caller, const char *name)
{
	const Latchkey__V1__CreateKeyResponse *made = say_create(
		caller, &(struct new_key){.keyspace = PRODUCT, .name = name});

	assert_answered(caller);
	return made;
}

static void test_workspace_name_required_expiry_optional(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	int64_t expire_us = now_us() + 30 * US_PER_DAY;

	(void)say_create(caller, &(struct new_key){.keyspace = PRODUCT});
	assert_refused(caller, LK_INVALID_ARGUMENT, "name");
	(void)say_create(caller, &(struct new_key){.keyspace = PRODUCT, .name = " \t "});
	assert_refused(caller, LK_INVALID_ARGUMENT, "name");

	const Latchkey__V1__CreateKeyResponse *never = create(caller, "Without an end");
	assert_null(never->key->expire_time);
	const Latchkey__V1__CreateKeyResponse *ends = say_create(
		caller, &(struct new_key){.keyspace = PRODUCT, .name = "With one", .expire_us = expire_us});
	assert_answered(caller);
	assert_int_equal(us_of(ends->key->expire_time), expire_us);
	assert_verdict(caller, never->token, VERDICT(VALID));
	assert_verdict(caller, ends->token, VERDICT(VALID));

	/* Past: refused, and the field is named. */
	(void)say_create(caller,
		&(struct new_key){.keyspace = PRODUCT, .name = "Too late", .expire_us = now_us() - US_PER_SECOND});
	assert_refused(caller, LK_INVALID_ARGUMENT, "expire_time");
}

static void test_workspace_token_belongs_to_one_product(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(caller, "CI");
	const Latchkey__V1__Key *listed[2];
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;

	assert_string_equal(made->key->keyspace, PRODUCT);
	assert_int_equal(strncmp(made->token, "prod_", 5), 0);
	assert_int_equal(verdict_in(caller, NULL, PRODUCT, made->token), VERDICT(VALID));
	assert_int_equal(verdict_in(caller, NULL, OTHER, made->token), VERDICT(WRONG_KEYSPACE));
	filter.keyspace = TEXT(OTHER);
	assert_int_equal(say_list(caller, NULL, &filter, NULL, 0, listed, 2), 0);
	filter.keyspace = TEXT(PRODUCT);
	assert_int_equal(say_list(caller, NULL, &filter, NULL, 0, listed, 2), 1);
}

static void test_workspace_list_shows_what_the_page_needs(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	int64_t before_us = now_us();
	int64_t expire_us = before_us + 30 * US_PER_DAY;
	const Latchkey__V1__Key *listed[3];

	const Latchkey__V1__CreateKeyResponse *first = create(caller, "First");
	const Latchkey__V1__CreateKeyResponse *second = say_create(
		caller, &(struct new_key){.keyspace = PRODUCT, .name = "Second", .expire_us = expire_us});
	assert_answered(caller);
	for (int i = 0; i < 3; i++) {
		assert_verdict(caller, first->token, VERDICT(VALID));
	}
	int64_t after_us = now_us();
	assert_int_equal(say_list(caller, NULL, NULL, NULL, 0, listed, 3), 2);

	/* Name, prefix, creation, expiry or never, usage, status. */
	assert_string_equal(listed[0]->name, "First");
	assert_int_equal(strlen(listed[0]->display_prefix), PREFIX_LEN);
	assert_int_equal(strncmp(listed[0]->display_prefix, first->token, PREFIX_LEN), 0);
	assert_in_range(us_of(listed[0]->create_time), before_us, after_us);
	assert_null(listed[0]->expire_time);
	assert_int_equal(listed[0]->usage_count, 3);
	assert_in_range(us_of(listed[0]->last_used_time), before_us, after_us);
	assert_int_equal(listed[0]->state, KEY_STATE(ACTIVE));

	assert_string_equal(listed[1]->name, "Second");
	assert_int_equal(us_of(listed[1]->expire_time), expire_us);
	assert_int_equal(listed[1]->usage_count, 0);
	assert_null(listed[1]->last_used_time);

	/* And never the token. */
	assert_hides(listed[0], first->token);
	assert_hides(listed[1], second->token);
}

static void test_workspace_regenerate_ends_the_previous_secret(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	struct caller *gateway = stage_tenant_caller(stage, WORKSPACE);
	const Latchkey__V1__CreateKeyResponse *made = create(caller, "Robot");

	assert_verdict(gateway, made->token, VERDICT(VALID));
	const Latchkey__V1__RotateKeyResponse *again = say_rotate(caller, NULL, made->key->id, 0);
	assert_answered(caller);
	assert_verdict(gateway, made->token, VERDICT(REVOKED));
	assert_verdict(gateway, again->token, VERDICT(VALID));

	/* The same key, told by its new prefix, with its use. */
	assert_string_equal(again->key->id, made->key->id);
	assert_int_equal(again->key->number, made->key->number);
	assert_string_not_equal(again->token, made->token);
	const Latchkey__V1__Key *shown = say_get(caller, NULL, made->key->id);
	assert_int_equal(strncmp(shown->display_prefix, again->token, PREFIX_LEN), 0);
	assert_int_equal(strlen(shown->display_prefix), PREFIX_LEN);
	assert_int_equal(shown->usage_count, 2);
	assert_null(shown->previous_secret_expire_time);
	assert_hides(shown, again->token);
}

static void test_workspace_deactivate_and_activate(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(caller, "Robot");

	/* Inactive: it accepts no calls. */
	const Latchkey__V1__Key *key = say_suspend(caller, NULL, made->key->id, "on holiday");
	assert_answered(caller);
	assert_int_equal(key->state, KEY_STATE(SUSPENDED));
	assert_string_equal(key->suspend_reason, "on holiday");
	assert_verdict(caller, made->token, VERDICT(SUSPENDED));

	key = say_activate(caller, NULL, made->key->id);
	assert_answered(caller);
	assert_int_equal(key->state, KEY_STATE(ACTIVE));
	assert_string_equal(key->suspend_reason, "");
	assert_verdict(caller, made->token, VERDICT(VALID));
	/* What was refused was no API call made. */
	assert_int_equal(say_get(caller, NULL, made->key->id)->usage_count, 1);
}

static void test_workspace_expires_by_itself(void **state)
{
	static const int actions[] = {KEY_ACTION(UPDATE), KEY_ACTION(REVOKE), KEY_ACTION(DELETE), 0};
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	const Latchkey__V1__CreateKeyResponse *made = say_create(
		caller, &(struct new_key){.keyspace = PRODUCT, .name = "Brief", .ttl_us = US_PER_SECOND / 4});

	assert_answered(caller);
	assert_int_equal(us_of(made->key->expire_time), us_of(made->key->create_time) + US_PER_SECOND / 4);
	const Latchkey__V1__Key *key = await_expiry(caller, NULL, made->key->id);
	assert_true(now_us() >= us_of(key->expire_time));
	assert_verdict(caller, made->token, VERDICT(EXPIRED));
	assert_actions(key, actions);
	/* Nobody changed it. */
	assert_string_equal(key->etag, made->key->etag);
	assert_int_equal(us_of(key->update_time), us_of(made->key->create_time));
	(void)say_activate(caller, NULL, made->key->id);
	assert_refused(caller, LK_FAILED_PRECONDITION, NULL);
}

static void test_workspace_revoked_is_for_good(void **state)
{
	static const int actions[] = {KEY_ACTION(DELETE), 0};
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(caller, "Robot");
	const Latchkey__V1__Key *listed[2];

	(void)say_revoke(caller, NULL, made->key->id, "leaked");
	assert_answered(caller);
	assert_verdict(caller, made->token, VERDICT(REVOKED));
	(void)say_activate(caller, NULL, made->key->id);
	assert_refused(caller, LK_FAILED_PRECONDITION, NULL);
	(void)say_rotate(caller, NULL, made->key->id, 0);
	assert_refused(caller, LK_FAILED_PRECONDITION, NULL);
	assert_verdict(caller, made->token, VERDICT(REVOKED));

	/* By a person, who said why; the list still shows it. */
	assert_int_equal(say_list(caller, NULL, NULL, NULL, 0, listed, 2), 1);
	assert_int_equal(listed[0]->state, KEY_STATE(REVOKED));
	assert_string_equal(listed[0]->revoke_reason, "leaked");
	assert_actions(listed[0], actions);
}

static void test_workspace_status_survives_a_restart(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	const Latchkey__V1__CreateKeyResponse *active = create(caller, "Active");
	const Latchkey__V1__CreateKeyResponse *inactive = create(caller, "Inactive");
	const Latchkey__V1__CreateKeyResponse *revoked = create(caller, "Revoked");

	(void)say_suspend(caller, NULL, inactive->key->id, NULL);
	assert_answered(caller);
	(void)say_revoke(caller, NULL, revoked->key->id, NULL);
	assert_answered(caller);
	daemon_kill(&stage->daemon);
	daemon_restart(&stage->daemon, NULL);
	assert_verdict(&stage->operator, active->token, VERDICT(VALID));
	assert_verdict(&stage->operator, inactive->token, VERDICT(SUSPENDED));
	assert_verdict(&stage->operator, revoked->token, VERDICT(REVOKED));
}

static void test_workspace_limits_are_stored_and_told(void **state)
{
	static const char *const permissions[] = {"agents:list", "agents:install", "executions:list", "webhooks:send",
		"integrations:create", "knowledge_base:search", "triggers:*", "chat:history", "storage:upload"};
	size_t count = sizeof permissions / sizeof permissions[0];
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	const Latchkey__V1__CreateKeyResponse *made = say_create(caller,
		&(struct new_key){
			.keyspace = PRODUCT, .name = "Limited", .permissions = permissions, .n_permissions = count});

	assert_answered(caller);
	const Latchkey__V1__Key *shown = say_get(caller, NULL, made->key->id);
	const Latchkey__V1__VerifyKeyResponse *verdict = say_verify(caller, NULL, PRODUCT, made->token);
	assert_answered(caller);
	assert_true(verdict->valid);
	assert_int_equal(shown->n_permissions, count);
	assert_int_equal(verdict->key->n_permissions, count);
	for (size_t i = 0; i < count; i++) {
		assert_string_equal(shown->permissions[i], permissions[i]);
		assert_string_equal(verdict->key->permissions[i], permissions[i]);
	}
}

/* Whether a token may be used where the product asks for this. */
static Latchkey__V1__VerifyCode verdict_for(struct caller *caller, const char *token, const char *expression)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(token);
	request.keyspace = TEXT(PRODUCT);
	request.permission_expression = TEXT(expression);
	const Latchkey__V1__VerifyKeyResponse *response = caller_ask(caller, &latchkey_v1_key_verify_method, &request);
	assert_answered(caller);
	assert_int_equal(response->valid, response->code == VERDICT(VALID));
	return response->code;
}

/* Every operation of every resource, asked for one by one: those that the token is limited to, and no others. */
static void test_workspace_token_may_do_what_it_is_limited_to(void **state)
{
	static const char *const operations[] = {"agents:list", "agents:install", "agents:update", "agents:delete",
		"executions:list", "webhooks:send", "integrations:list", "integrations:create", "integrations:update",
		"integrations:delete", "knowledge_base:list", "knowledge_base:search", "triggers:list",
		"triggers:execute", "triggers:details", "chat:chat", "chat:history", "storage:upload",
		"storage:download", "storage:delete", "storage:list"};
	static const char *const permissions[] = {"agents:list", "agents:install", "triggers:*", "storage:upload"};
	static const char allowed[] = "agents:list agents:install triggers:list triggers:execute triggers:details "
				      "storage:upload ";
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	char found[sizeof allowed + 256] = "";
	const Latchkey__V1__CreateKeyResponse *made = say_create(caller,
		&(struct new_key){
			.keyspace = PRODUCT, .name = "Limited", .permissions = permissions, .n_permissions = 4});

	assert_answered(caller);
	for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
		Latchkey__V1__VerifyCode code = verdict_for(caller, made->token, operations[i]);
		assert_true(code == VERDICT(VALID) || code == VERDICT(INSUFFICIENT_PERMISSIONS));
		if (code == VERDICT(VALID)) {
			(void)strncat(found, operations[i], sizeof found - strlen(found) - 1);
			(void)strncat(found, " ", sizeof found - strlen(found) - 1);
		}
	}
	assert_string_equal(found, allowed);
	assert_int_equal(
		verdict_for(caller, made->token, "agents:install and (chat:chat or triggers:execute)"), VERDICT(VALID));
	assert_int_equal(verdict_for(caller, made->token, "agents:install and chat:chat or chat:history"),
		VERDICT(INSUFFICIENT_PERMISSIONS));
	/* A call that was refused was none. */
	assert_int_equal(say_get(caller, NULL, made->key->id)->usage_count, 7);
}

/* What a token may do is changed, and the next call knows. */
static void test_workspace_limits_change_at_once(void **state)
{
	static const char *const permissions[] = {"agents:list"};
	static char *wider[] = {TEXT("agents:*")};
	static const char *const changed[] = {"permissions", NULL};
	struct stage *stage = *state;
	struct caller *caller = open_workspace(stage);
	Latchkey__V1__Key key = LATCHKEY__V1__KEY__INIT;
	const Latchkey__V1__CreateKeyResponse *made = say_create(caller,
		&(struct new_key){
			.keyspace = PRODUCT, .name = "Limited", .permissions = permissions, .n_permissions = 1});

	assert_answered(caller);
	assert_int_equal(verdict_for(caller, made->token, "agents:delete"), VERDICT(INSUFFICIENT_PERMISSIONS));
	key.id = made->key->id;
	key.permissions = wider;
	key.n_permissions = 1;
	(void)say_update(caller, NULL, &key, changed, NULL);
	assert_answered(caller);
	assert_int_equal(verdict_for(caller, made->token, "agents:delete"), VERDICT(VALID));
	key.n_permissions = 0;
	(void)say_update(caller, NULL, &key, changed, NULL);
	assert_answered(caller);
	assert_int_equal(verdict_for(caller, made->token, "agents:delete"), VERDICT(INSUFFICIENT_PERMISSIONS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(test_workspace_name_required_expiry_optional),
		PLAY(test_workspace_token_belongs_to_one_product),
		PLAY(test_workspace_list_shows_what_the_page_needs),
		PLAY(test_workspace_regenerate_ends_the_previous_secret),
		PLAY(test_workspace_deactivate_and_activate),
		PLAY(test_workspace_expires_by_itself),
		PLAY(test_workspace_revoked_is_for_good),
		PLAY(test_workspace_status_survives_a_restart),
		PLAY(test_workspace_limits_are_stored_and_told),
		PLAY(test_workspace_token_may_do_what_it_is_limited_to),
		PLAY(test_workspace_limits_change_at_once),
	};

	return cmocka_run_group_tests_name("workspace tokens", tests, NULL, NULL);
}

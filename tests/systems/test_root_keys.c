/*
 * Root keys: the callers' own credentials live the life of any key, and nobody gets at more than they were granted by way of
 * another's root key.
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

static const char *const key_methods[] = {"keys.*", NULL};
static const char *const all_methods[] = {"*", NULL};
static const char *const keepers_tenants[] = {"system", "acme", NULL};
static const char *const acme[] = {"acme", NULL};
static const char *const all_tenants[] = {"*", "system", NULL};

static void make_place(struct stage *stage)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	policy.token_prefix = TEXT("sk-");
	(void)say_create_tenant(&stage->operator, "acme");
	assert_answered(&stage->operator);
	(void)say_create_keyspace(&stage->operator, "acme", "prod", &policy);
	assert_answered(&stage->operator);
}

static const Latchkey__V1__CreateKeyResponse *root_key(
	struct stage *stage, const char *name, const char *const *methods, const char *const *tenants)
{
	const Latchkey__V1__CreateKeyResponse *made = say_create_root_key(&stage->operator, name, methods, tenants);

	assert_answered(&stage->operator);
	return made;
}

/* The credential is good: it may read what it is granted. */
static void assert_serves(struct caller *caller)
{
	const Latchkey__V1__Key *listed[8];

	(void)say_list(caller, "acme", NULL, NULL, 0, listed, 8);
	assert_answered(caller);
}

static void assert_is_nobody(struct caller *caller)
{
	const Latchkey__V1__Key *listed[8];

	(void)say_list(caller, "acme", NULL, NULL, 0, listed, 8);
	assert_refused(caller, LK_UNAUTHENTICATED, NULL);
}

static void test_root_key_lives_like_any_key(void **state)
{
	struct stage *stage = *state;
	struct caller *operator= & stage->operator;

	make_place(stage);
	const Latchkey__V1__CreateKeyResponse *made = root_key(stage, "service", key_methods, acme);
	struct caller *service = stage_caller(stage, made->token);
	assert_serves(service);
	(void)say_suspend(operator, "system", made->key->id, NULL);
	assert_answered(operator);
	assert_is_nobody(service);
	(void)say_activate(operator, "system", made->key->id);
	assert_answered(operator);
	assert_serves(service);

	/* Both secrets are good for a while, then only the new one, and at last none. */
	const Latchkey__V1__RotateKeyResponse *second = say_rotate(operator, "system", made->key->id, US_PER_DAY);
	assert_answered(operator);
	struct caller *renewed = stage_caller(stage, second->token);
	assert_serves(service);
	assert_serves(renewed);
	const Latchkey__V1__RotateKeyResponse *third = say_rotate(operator, "system", made->key->id, 0);
	assert_answered(operator);
	struct caller *last = stage_caller(stage, third->token);
	assert_is_nobody(service);
	assert_is_nobody(renewed);
	assert_serves(last);
	(void)say_revoke(operator, "system", made->key->id, NULL);
	assert_answered(operator);
	assert_is_nobody(last);
}

static void test_root_key_expires(void **state)
{
	struct stage *stage = *state;
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;
	char *any = TEXT("*");

	make_place(stage);
	grant.n_methods = grant.n_tenants = grant.n_keyspaces = 1;
	grant.methods = grant.tenants = grant.keyspaces = &any;
	const Latchkey__V1__CreateKeyResponse *made = say_create(&stage->operator, &(struct new_key){.tenant = "system",
									 .keyspace = "root",
									 .name = "brief",
									 .grant = &grant,
									 .ttl_us = US_PER_SECOND / 4});
	assert_answered(&stage->operator);
	struct caller *brief = stage_caller(stage, made->token);
	(void)await_expiry(&stage->operator, "system", made->key->id);
	assert_is_nobody(brief);
}

static void bulk_revoke(struct caller *caller, const char *key, const char *name_prefix)
{
	Latchkey__V1__BulkRevokeKeysRequest request = LATCHKEY__V1__BULK_REVOKE_KEYS_REQUEST__INIT;
	Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
	char *keys[] = {TEXT(key)};

	request.tenant = TEXT("system");
	if (key != NULL) {
		request.keys = keys;
		request.n_keys = 1;
	} else {
		filter.name_prefix = TEXT(name_prefix);
		request.filter = &filter;
	}
	(void)caller_ask(caller, &latchkey_v1_key_bulk_revoke_method, &request);
}

/* Who keeps root keys can neither end, change nor take over one that may do more than they. */
static void test_root_key_that_may_more_is_out_of_reach(void **state)
{
	struct stage *stage = *state;

	make_place(stage);
	const Latchkey__V1__CreateKeyResponse *strong = root_key(stage, "strong", all_methods, all_tenants);
	struct caller *master = stage_caller(stage, strong->token);
	const Latchkey__V1__CreateKeyResponse *weak = root_key(stage, "keeper", key_methods, keepers_tenants);
	struct caller *keeper = stage_caller(stage, weak->token);

	(void)say_get(keeper, "system", strong->key->id);
	assert_answered(keeper);
	for (int action = KEY_ACTION(ACTIVATE); action <= KEY_ACTION(DELETE); action++) {
		(void)say_act(keeper, (Latchkey__V1__KeyAction)action, "system", strong->key->id);
		assert_refused(keeper, LK_PERMISSION_DENIED, NULL);
	}
	bulk_revoke(keeper, strong->key->id, NULL);
	assert_refused(keeper, LK_PERMISSION_DENIED, NULL);
	bulk_revoke(keeper, NULL, "strong");
	assert_refused(keeper, LK_PERMISSION_DENIED, NULL);
	assert_serves(master);
	/* What is within reach is: their own. */
	(void)say_suspend(keeper, "system", weak->key->id, NULL);
	assert_answered(keeper);
	assert_is_nobody(keeper);
}

static void test_root_key_grants_no_more_than_its_own(void **state)
{
	static const char *const paths[] = {"grant", NULL};
	struct stage *stage = *state;
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;

	make_place(stage);
	const Latchkey__V1__CreateKeyResponse *weak = root_key(stage, "keeper", key_methods, keepers_tenants);
	const Latchkey__V1__CreateKeyResponse *strong = root_key(stage, "strong", all_methods, all_tenants);
	struct caller *keeper = stage_caller(stage, weak->token);

	(void)say_create_root_key(keeper, "within", key_methods, acme);
	assert_answered(keeper);
	(void)say_create_root_key(keeper, "more methods", all_methods, acme);
	assert_refused(keeper, LK_PERMISSION_DENIED, NULL);
	(void)say_create_root_key(keeper, "more tenants", key_methods, all_tenants);
	assert_refused(keeper, LK_PERMISSION_DENIED, NULL);
	/* Nor by changing one that they may change. */
	changed.id = weak->key->id;
	changed.grant = strong->key->grant;
	(void)say_update(keeper, "system", &changed, paths, NULL);
	assert_refused(keeper, LK_PERMISSION_DENIED, NULL);
	changed.grant = NULL;
	(void)say_update(keeper, "system", &changed, paths, NULL);
	assert_refused(keeper, LK_INVALID_ARGUMENT, "key.grant");
	const Latchkey__V1__Key *shown = say_get(keeper, "system", weak->key->id);
	assert_int_equal(shown->grant->n_methods, 1);
	assert_string_equal(shown->grant->methods[0], "keys.*");
	/* A change holds from the next call on. */
	Latchkey__V1__Grant less = LATCHKEY__V1__GRANT__INIT;
	less.n_tenants = less.n_keyspaces = less.n_methods = 1;
	less.tenants = (char *[]){TEXT("acme")};
	less.keyspaces = (char *[]){TEXT("*")};
	less.methods = (char *[]){TEXT("keys.list")};
	changed.grant = &less;
	(void)say_update(keeper, "system", &changed, paths, NULL);
	assert_answered(keeper);
	assert_serves(keeper);
	(void)say_create(keeper, &(struct new_key){.keyspace = "prod"});
	assert_refused(keeper, LK_PERMISSION_DENIED, NULL);
}

/* What a root key is to be granted, for the one key of `owner`, or of anybody where `own` is not set. */
struct wanted {
	const char *owner;
	const char *method;
	const char *tenant;
	const char *keyspace;
	bool own;
};

static const Latchkey__V1__CreateKeyResponse *make_wanted(
	struct caller *caller, const struct wanted *wanted, bool validate_only)
{
	Latchkey__V1__Grant grant = LATCHKEY__V1__GRANT__INIT;

	grant.n_methods = grant.n_tenants = grant.n_keyspaces = 1;
	grant.methods = (char *[]){TEXT(wanted->method)};
	grant.tenants = (char *[]){TEXT(wanted->tenant)};
	grant.keyspaces = (char *[]){TEXT(wanted->keyspace)};
	grant.own_only = wanted->own;
	return say_create(caller, &(struct new_key){.tenant = "system",
					  .keyspace = "root",
					  .name = "wanted",
					  .owner = wanted->owner,
					  .grant = &grant,
					  .validate_only = validate_only});
}

/*
 * Of each kind of keeper, what it may make and what it may not; where it may not, it also cannot change or end one made by
 * others.
 */
static void test_root_key_matrix_of_grants(void **state)
{
	static const struct wanted keepers[] = {
		{"carol", "keys.*", "system", "*", false},
		{"carol", "*", "system", "root", false},
		{"carol", "*", "system", "*", true},
	};
	static const struct {
		struct wanted wanted;
		/* Of each keeper. */
		bool may[3];
	} cases[] = {
		{{"carol", "keys.list", "system", "root", false}, {true, true, false}},
		{{"carol", "keys.list", "system", "root", true}, {true, true, true}},
		{{"carol", "keys.*", "system", "root", true}, {true, true, true}},
		{{"carol", "keys.list", "system", "*", true}, {true, false, true}},
		{{"carol", "tenants.get", "system", "root", true}, {false, true, true}},
		{{"carol", "*", "system", "root", true}, {false, true, true}},
		{{"carol", "keys.list", "acme", "root", true}, {false, false, false}},
		{{"carol", "keys.list", "*", "root", true}, {false, false, false}},
		/* Another's: an own_only keeper makes none, and finds none. */
		{{"dave", "keys.list", "system", "root", true}, {true, true, false}},
		{{"", "keys.list", "system", "root", false}, {true, true, false}},
	};
	struct stage *stage = *state;

	make_place(stage);
	for (size_t i = 0; i < sizeof keepers / sizeof keepers[0]; i++) {
		const Latchkey__V1__CreateKeyResponse *made = make_wanted(&stage->operator, & keepers[i], false);
		assert_answered(&stage->operator);
		struct caller *keeper = stage_caller(stage, made->token);
		for (size_t j = 0; j < sizeof cases / sizeof cases[0]; j++) {
			const Latchkey__V1__CreateKeyResponse *there = make_wanted(
				&stage->operator, & cases[j].wanted, false);
			assert_answered(&stage->operator);
			/* Whether another's is hidden, or one's own exceeds. */
			bool hidden = keepers[i].own && strcmp(cases[j].wanted.owner, keepers[i].owner) != 0;
			for (int check = 0; check < 2; check++) {
				(void)make_wanted(keeper, &cases[j].wanted, check != 0);
				if (cases[j].may[i]) {
					assert_answered(keeper);
				} else {
					assert_refused(keeper, LK_PERMISSION_DENIED, NULL);
				}
			}
			for (int action = KEY_ACTION(ACTIVATE); action <= KEY_ACTION(DELETE); action++) {
				enum lk_err expected = hidden            ? LK_NOT_FOUND
						       : cases[j].may[i] ? LK_OK
									 : LK_PERMISSION_DENIED;
				/* What ended under the keeper's own hands is refused further, but not for its grant. */
				enum lk_err err = say_act(
					keeper, (Latchkey__V1__KeyAction)action, "system", there->key->id);
				assert_int_equal(err == LK_FAILED_PRECONDITION ? LK_OK : err, expected);
			}
		}
	}
}

static void test_root_key_rights_are_those_that_methods_need(void **state)
{
	static const struct {
		const char *method;
		/* NULL: it is good. */
		const char *description;
	} cases[] = {
		{"keys.verify", NULL},
		{"keys.adjust_credits", NULL},
		{"audit.*", NULL},
		{"*", NULL},
		{"keys.nope", "no right"},
		{"keys.verfy", "\"keys.verify\""},
		{"key.*", "\"keys.*\""},
		{"tenant.list", "\"tenants.list\""},
		{"caller", "give a right"},
		{"public.*", "no right"},
		{"zzzzzzzzzzzzzzzzzzzzzz.*", "such as"},
	};
	struct stage *stage = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct caller *operator= & stage->operator;
		const Latchkey__V1__CreateKeyResponse *made = make_wanted(operator, &(struct wanted){"",
										  cases[i].method, "acme", "*", false},
			false);
		if (cases[i].description == NULL) {
			assert_answered(operator);
			assert_string_equal(made->key->grant->methods[0], cases[i].method);
		} else {
			assert_refused(operator, LK_INVALID_ARGUMENT, "grant.methods[0]");
			assert_non_null(strstr(caller_description(operator, "grant.methods[0]"), cases[i].description));
		}
	}
}

/* It would grant nothing: neither made so, nor changed into it. */
static void test_root_key_that_is_own_only_needs_an_owner(void **state)
{
	static const char *const grant_path[] = {"grant", NULL};
	static const char *const owner_path[] = {"owner", NULL};
	struct stage *stage = *state;
	struct caller *operator= & stage->operator;
	Latchkey__V1__Key changed = LATCHKEY__V1__KEY__INIT;

	(void)make_wanted(operator, &(struct wanted){"", "keys.*", "acme", "*", true}, false);
	assert_refused(operator, LK_INVALID_ARGUMENT, "owner");
	const Latchkey__V1__CreateKeyResponse *owned = make_wanted(operator, &(struct wanted){"carol", "keys.*", "acme",
									   "*", true},
		false);
	assert_answered(operator);
	assert_true(owned->key->grant->own_only);
	changed.id = owned->key->id;
	changed.owner = TEXT("");
	(void)say_update(operator, "system", &changed, owner_path, NULL);
	assert_refused(operator, LK_INVALID_ARGUMENT, "key.owner");
	const Latchkey__V1__CreateKeyResponse *nobodys = make_wanted(operator, &(struct wanted){"", "keys.*", "acme",
									     "*", false},
		false);
	assert_answered(operator);
	changed.id = nobodys->key->id;
	changed.grant = owned->key->grant;
	(void)say_update(operator, "system", &changed, grant_path, NULL);
	assert_refused(operator, LK_INVALID_ARGUMENT, "key.owner");
}

/* No call of another tenant reaches them: not by Verify, and not by a list. */
static void test_root_key_is_hidden_from_tenants(void **state)
{
	struct stage *stage = *state;
	const Latchkey__V1__Key *listed[8];

	make_place(stage);
	const Latchkey__V1__CreateKeyResponse *made = root_key(stage, "service", key_methods, acme);
	struct caller *service = stage_caller(stage, made->token);
	static const char *const every[] = {"*", NULL};
	struct caller *wide = stage_caller(stage, root_key(stage, "wide", all_methods, every)->token);

	assert_verdict(service, made->token, VERDICT(NOT_FOUND));
	assert_verdict(wide, made->token, VERDICT(NOT_FOUND));
	(void)say_get(wide, "system", made->key->id);
	assert_refused(wide, LK_PERMISSION_DENIED, NULL);
	assert_int_equal(say_list(wide, "system", NULL, NULL, 0, listed, 8), SIZE_MAX);
	assert_refused(wide, LK_PERMISSION_DENIED, NULL);
	(void)say_get(wide, "acme", made->key->id);
	assert_refused(wide, LK_NOT_FOUND, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(test_root_key_lives_like_any_key),
		PLAY(test_root_key_expires),
		PLAY(test_root_key_that_may_more_is_out_of_reach),
		PLAY(test_root_key_grants_no_more_than_its_own),
		PLAY(test_root_key_matrix_of_grants),
		PLAY(test_root_key_rights_are_those_that_methods_need),
		PLAY(test_root_key_that_is_own_only_needs_an_owner),
		PLAY(test_root_key_is_hidden_from_tenants),
	};

	return cmocka_run_group_tests_name("root keys", tests, NULL, NULL);
}

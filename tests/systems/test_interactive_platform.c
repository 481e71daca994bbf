/*
 * A platform with an interactive page for API tokens: people sign in with their identity provider, and with the access token
 * of that session, a JWT, make keys that authenticate as them until they expire.
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

#define TENANT "acme"
#define KEYS   "platform"

struct platform {
	struct stage *stage;
	struct jose_peer peer;
};

/* The identity provider signs with RS256 and serves its keys; the daemon asks it for them. */
static int set_up(void **state)
{
	struct platform *platform = calloc(1, sizeof *platform);
	void *stage = NULL;

	assert_non_null(platform);
	assert_int_equal(stage_set_up(&stage), 0);
	platform->stage = stage;
	stage_trust(platform->stage, &platform->peer, "web",
		"grant = realm_access.roles=support: methods=keys.get,keys.list keyspaces=*\n"
		"grant = realm_access.roles=key-user: "
		"methods=keys.create,keys.get,keys.list,keys.revoke keyspaces=" KEYS " own_only=true\n");
	*state = platform;
	return 0;
}

static int tear_down(void **state)
{
	struct platform *platform = *state;
	void *stage = platform->stage;

	jose_peer_stop(&platform->peer);
	free(platform);
	return stage_tear_down(&stage);
}

static void open_platform(struct platform *platform)
{
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;
	struct caller *operator= & platform->stage->operator;

	policy.token_prefix = TEXT("sk-");
	policy.name_required = true;
	policy.expiry_required = true;
	policy.revoke_deletes = true;
	(void)say_create_tenant(operator, TENANT);
	assert_answered(operator);
	(void)say_create_keyspace(operator, TENANT, KEYS, &policy);
	assert_answered(operator);
}

/* Over ipc, where only the credential keeps a caller from being the daemon's own user. */
static struct caller *join(struct platform *platform, const char *credential)
{
	struct stage *stage = platform->stage;

	assert_true(stage->n_callers < STAGE_CALLERS_MAX);
	struct caller *caller = &stage->callers[stage->n_callers++];
	caller_open(caller, stage->daemon.url, credential);
	return caller;
}

/* Whoever holds the token that `order` makes. */
static struct caller *sign_in(struct platform *platform, const char *order)
{
	char *token = jose_peer_ask(&platform->peer, "%s", order);
	struct caller *caller = join(platform, token);

	free(token);
	return caller;
}

/* The platform's own server, which asks whom a token stands for. */
static struct caller *open_gateway(struct platform *platform)
{
	static const char *const methods[] = {"keys.verify", NULL};
	static const char *const tenants[] = {TENANT, NULL};
	struct caller *operator= & platform->stage->operator;
	const Latchkey__V1__CreateKeyResponse *root = say_create_root_key(operator, "gateway", methods, tenants);

	assert_answered(operator);
	return join(platform, root->token);
}

static struct caller *user(struct platform *platform, const char *subject)
{
	char order[128] = "";

	(void)snprintf(order, sizeof order, "{\"do\": \"token\", \"set\": {\"sub\": \"%s\"}}", subject);
	return sign_in(platform, order);
}

static const Latchkey__V1__CreateKeyResponse *create(
	struct caller *caller, const char *name, const char *owner, int64_t expire_us)
{
	return say_create(caller, &(struct new_key){
					  .tenant = "active",
					  .keyspace = KEYS,
					  .name = name,
					  .owner = owner,
					  .expire_us = expire_us,
				  });
}

static int64_t tomorrow(void)
{
	return now_us() + US_PER_DAY;
}

static void test_platform_access_token_is_required(void **state)
{
	static const char *const refused[] = {
		"{\"do\": \"attack\", \"name\": \"id token\"}",
		"{\"do\": \"attack\", \"name\": \"id token for us\"}",
		"{\"do\": \"attack\", \"name\": \"wrong audience\"}",
		"{\"do\": \"attack\", \"name\": \"no typ\"}",
		"{\"do\": \"attack\", \"name\": \"expired\"}",
		"{\"do\": \"attack\", \"name\": \"another's signature\"}",
	};
	struct platform *platform = *state;
	const Latchkey__V1__Key *listed[1];

	open_platform(platform);
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct caller *caller = sign_in(platform, refused[i]);
		(void)create(caller, "laptop", NULL, tomorrow());
		assert_refused(caller, LK_UNAUTHENTICATED, NULL);
		assert_string_equal(caller->call.message, "invalid token");
		(void)say_list(caller, "active", NULL, NULL, 0, listed, 1);
		assert_refused(caller, LK_UNAUTHENTICATED, NULL);
	}
}

static void test_platform_create_checks_name_and_expiry(void **state)
{
	struct platform *platform = *state;
	struct caller *alice = NULL;
	char name[102] = "";

	open_platform(platform);
	alice = user(platform, "alice");
	(void)create(alice, NULL, "alice", tomorrow());
	assert_refused(alice, LK_INVALID_ARGUMENT, "name");
	(void)create(alice, "  ", "alice", tomorrow());
	assert_refused(alice, LK_INVALID_ARGUMENT, "name");
	memset(name, 'n', 101);
	(void)create(alice, name, "alice", tomorrow());
	assert_refused(alice, LK_INVALID_ARGUMENT, "name");
	name[100] = '\0';
	assert_non_null(create(alice, name, "alice", tomorrow()));
	assert_non_null(create(alice, "n", "alice", tomorrow()));
	(void)create(alice, "laptop", "alice", 0);
	assert_int_equal(alice->err, LK_INVALID_ARGUMENT);
	assert_true(alice->call.n_violations > 0);
	assert_non_null(strstr(alice->call.violations[0].field, "expir"));
	(void)create(alice, "laptop", "alice", now_us() - US_PER_SECOND);
	assert_refused(alice, LK_INVALID_ARGUMENT, "expire_time");
}

static void test_platform_whole_story(void **state)
{
	struct platform *platform = *state;
	const Latchkey__V1__Key *listed[4];
	int64_t expire_us = tomorrow();

	open_platform(platform);
	struct caller *alice = user(platform, "alice");
	struct caller *gateway = open_gateway(platform);

	/* Id, name, expiry, and the token, once. */
	const Latchkey__V1__CreateKeyResponse *made = create(alice, "laptop", "alice", expire_us);
	assert_answered(alice);
	assert_string_equal(made->key->tenant, TENANT);
	assert_string_equal(made->key->name, "laptop");
	assert_int_equal(us_of(made->key->expire_time), expire_us);
	assert_int_equal(strncmp(made->token, "sk-", 3), 0);
	assert_int_equal(lk_token_check(made->token, strlen(made->token), "sk-"), LK_TOKEN_FINE);
	assert_string_equal(made->key->owner, "alice");
	assert_string_equal(made->key->created_by, "jwt:web:alice");
	assert_hides(made->key, made->token);

	assert_int_equal(say_list(alice, "active", NULL, NULL, 0, listed, 4), 1);
	assert_string_equal(listed[0]->id, made->key->id);
	assert_string_equal(listed[0]->name, "laptop");
	assert_int_equal(us_of(listed[0]->expire_time), expire_us);
	assert_hides(listed[0], made->token);

	/* It authenticates as its owner. */
	const Latchkey__V1__VerifyKeyResponse *verdict = say_verify(gateway, NULL, NULL, made->token);
	assert_answered(gateway);
	assert_int_equal(verdict->code, VERDICT(VALID));
	assert_string_equal(verdict->key->owner, "alice");

	/* Revoke deletes for good, and the very next use fails. */
	(void)say_revoke(alice, "active", made->key->id, NULL);
	assert_answered(alice);
	assert_verdict(gateway, made->token, VERDICT(NOT_FOUND));
	(void)say_get(alice, "active", made->key->id);
	assert_refused(alice, LK_NOT_FOUND, NULL);
	assert_int_equal(say_list(alice, "active", NULL, NULL, 0, listed, 4), 0);
}

static void test_platform_expiry_ends_a_token(void **state)
{
	struct platform *platform = *state;

	open_platform(platform);
	struct caller *alice = user(platform, "alice");
	struct caller *gateway = open_gateway(platform);
	const Latchkey__V1__CreateKeyResponse *made = create(alice, "brief", "alice", now_us() + 2 * US_PER_SECOND);
	assert_answered(alice);
	(void)await_expiry(alice, "active", made->key->id);
	assert_verdict(gateway, made->token, VERDICT(EXPIRED));
}

static void test_platform_users_do_not_see_each_others_keys(void **state)
{
	struct platform *platform = *state;
	const Latchkey__V1__Key *listed[4];

	open_platform(platform);
	struct caller *alice = user(platform, "alice");
	struct caller *bob = user(platform, "bob");
	const Latchkey__V1__CreateKeyResponse *hers = create(alice, "hers", "alice", tomorrow());
	assert_answered(alice);
	const Latchkey__V1__CreateKeyResponse *his = create(bob, "his", "bob", tomorrow());
	assert_answered(bob);

	assert_int_equal(say_list(alice, "active", NULL, NULL, 0, listed, 4), 1);
	assert_string_equal(listed[0]->id, hers->key->id);
	assert_int_equal(say_list(bob, "active", NULL, NULL, 0, listed, 4), 1);
	assert_string_equal(listed[0]->id, his->key->id);
	(void)say_get(bob, "active", hers->key->id);
	assert_refused(bob, LK_NOT_FOUND, NULL);
	(void)say_revoke(bob, "active", hers->key->id, NULL);
	assert_refused(bob, LK_NOT_FOUND, NULL);
	/* Nor does one make keys that would authenticate as the other. */
	(void)create(bob, "forged", "alice", tomorrow());
	assert_int_not_equal(bob->err, LK_OK);
	(void)say_get(alice, "active", hers->key->id);
	assert_answered(alice);
}

static void test_platform_claims_decide_what_one_may(void **state)
{
	struct platform *platform = *state;
	const Latchkey__V1__Key *listed[4];

	open_platform(platform);
	struct caller *alice = user(platform, "alice");
	(void)create(alice, "laptop", "alice", tomorrow());
	assert_answered(alice);

	/* The first line that holds counts, though both do: support sees all keys of the tenant, and makes none. */
	struct caller *support = sign_in(platform,
		"{\"do\": \"token\", \"set\": {\"sub\": \"carol\", \"realm_access\": "
		"{\"roles\": [\"key-user\", \"support\"]}}}");
	assert_int_equal(say_list(support, "active", NULL, NULL, 0, listed, 4), 1);
	(void)create(support, "laptop", "carol", tomorrow());
	assert_refused(support, LK_PERMISSION_DENIED, NULL);

	/* No line holds: known, and allowed nothing. */
	struct caller *guest = sign_in(
		platform, "{\"do\": \"token\", \"set\": {\"sub\": \"dave\", \"realm_access\": {\"roles\": []}}}");
	(void)say_list(guest, "active", NULL, NULL, 0, listed, 4);
	assert_refused(guest, LK_PERMISSION_DENIED, NULL);

	/* Another tenant, and several, of which one is to be named. */
	struct caller *stranger = sign_in(platform, "{\"do\": \"token\", \"set\": {\"tenant\": \"other\"}}");
	(void)say_list(stranger, TENANT, NULL, NULL, 0, listed, 4);
	assert_refused(stranger, LK_PERMISSION_DENIED, NULL);
	struct caller *both = sign_in(
		platform, "{\"do\": \"token\", \"set\": {\"sub\": \"alice\", \"tenant\": [\"acme\", \"other\"]}}");
	(void)say_list(both, "active", NULL, NULL, 0, listed, 4);
	assert_refused(both, LK_INVALID_ARGUMENT, "tenant");
	assert_int_equal(say_list(both, TENANT, NULL, NULL, 0, listed, 4), 1);
}

#define ON_PLATFORM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_PLATFORM(test_platform_access_token_is_required),
		ON_PLATFORM(test_platform_create_checks_name_and_expiry),
		ON_PLATFORM(test_platform_whole_story),
		ON_PLATFORM(test_platform_expiry_ends_a_token),
		ON_PLATFORM(test_platform_users_do_not_see_each_others_keys),
		ON_PLATFORM(test_platform_claims_decide_what_one_may),
	};

	return cmocka_run_group_tests_name("interactive platform", tests, NULL, NULL);
}

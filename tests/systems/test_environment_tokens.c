/*
 * C. Account and environment tokens: an account is a tenant, and an environment a keyspace of it. An environment token has the
 * scope KEYSPACE, an account token the scope TENANT; one that is made without an environment lives in the keyspace "account".
 * Either is a JWT by HS256. The admin users who make them are known by the JWTs of their own, of a stranger's issuer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <sodium.h>

#include <latchkey/v1/audit.client.h>

#include "tests/lib/check.h"
#include "tests/lib/jose_peer.h"
#include "tests/systems/stage.h"

#define ACCOUNT     "account-1"
#define PRODUCTION  "production"
#define DEVELOPMENT "development"
#define HOME        "account"

/* What signs the tokens of all three, so that the product's gateways can look at one before they ask. */
static uint8_t secret[] = "the 36 bytes that the gateways have";

/* A keyspace whose tokens are JWTs by HS256, with that secret. */
static void open_environment(struct stage *stage, const char *environment)
{
	Latchkey__V1__CreateKeyspaceRequest request = LATCHKEY__V1__CREATE_KEYSPACE_REQUEST__INIT;
	Latchkey__V1__KeyPolicy policy = LATCHKEY__V1__KEY_POLICY__INIT;

	policy.token_format = LATCHKEY__V1__TOKEN_FORMAT__TOKEN_FORMAT_JWT;
	policy.jwt_algorithm = LATCHKEY__V1__JWT_ALGORITHM__JWT_ALGORITHM_HS256;
	policy.jwt_issuer = TEXT("https://product.example");
	request.tenant = TEXT(ACCOUNT);
	request.keyspace = TEXT(environment);
	request.policy = &policy;
	request.jwt_secret = (ProtobufCBinaryData){sizeof secret, secret};
	(void)caller_ask(&stage->operator, & latchkey_v1_keyspace_create_method, &request);
	assert_answered(&stage->operator);
}

static void make_account(struct stage *stage)
{
	static const char *const environments[] = {PRODUCTION, DEVELOPMENT, HOME};

	(void)say_create_tenant(&stage->operator, ACCOUNT);
	assert_answered(&stage->operator);
	for (size_t i = 0; i < sizeof environments / sizeof environments[0]; i++) {
		open_environment(stage, environments[i]);
	}
}

static struct caller *open_account(struct stage *stage)
{
	make_account(stage);
	return stage_tenant_caller(stage, ACCOUNT);
}

/* Signs the tokens of admin users, and serves the keys that these are checked by. */
static struct jose_peer issuer;

static int set_up_with_issuer(void **state)
{
	(void)stage_set_up(state);
	stage_trust(*state, &issuer, "admins", "grant = realm_access.roles=key-user: methods=keys.* keyspaces=*\n");
	return 0;
}

static int tear_down_with_issuer(void **state)
{
	jose_peer_stop(&issuer);
	return stage_tear_down(state);
}
#define PLAY_WITH_ISSUER(test) cmocka_unit_test_setup_teardown(test, set_up_with_issuer, tear_down_with_issuer)

/* An admin user of the account, with a token of the issuer's that ends in so many seconds. */
static struct caller *admin_of(struct stage *stage, const char *account, const char *user, int ends_in_s)
{
	struct caller *caller = &stage->callers[stage->n_callers++];
	char *token = jose_peer_ask(&issuer,
		"{\"do\": \"token\", \"set\": {\"sub\": \"%s\", \"tenant\": \"%s\"}, \"in_s\": {\"exp\": %d}}", user,
		account, ends_in_s);

	caller_open(caller, stage->daemon.url, token);
	free(token);
	return caller;
}

static const Latchkey__V1__CreateKeyResponse *create(
	struct caller *caller, const char *environment, Latchkey__V1__KeyScope scope)
{
	const Latchkey__V1__CreateKeyResponse *made = say_create(
		caller, &(struct new_key){.keyspace = environment, .name = "token", .scope = scope});

	assert_answered(caller);
	return made;
}

/* A part of the token: 0 the header, 1 the claims. To be json_decref()ed. */
static json_t *part_of(const char *token, int part)
{
	uint8_t text[LK_TOKEN_MAX];
	size_t len = 0;

	while (part-- > 0) {
		token = strchr(token, '.') + 1;
	}
	assert_int_equal(sodium_base642bin(text, sizeof text, token, strcspn(token, "."), NULL, &len, NULL,
				 sodium_base64_VARIANT_URLSAFE_NO_PADDING),
		0);
	json_t *json = json_loadb((const char *)text, len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(json);
	return json;
}

static void assert_text(const json_t *object, const char *name, const char *expected)
{
	assert_non_null(json_object_get(object, name));
	assert_string_equal(json_string_value(json_object_get(object, name)), expected);
}

/* By HMAC with SHA-256 and the product's secret. */
static void assert_signed(const char *token)
{
	const char *dot = strrchr(token, '.');
	uint8_t signature[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state mac;
	char text[64];

	assert_non_null(dot);
	(void)crypto_auth_hmacsha256_init(&mac, secret, sizeof secret);
	(void)crypto_auth_hmacsha256_update(&mac, (const uint8_t *)token, (size_t)(dot - token));
	(void)crypto_auth_hmacsha256_final(&mac, signature);
	(void)sodium_bin2base64(
		text, sizeof text, signature, sizeof signature, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	assert_string_equal(dot + 1, text);
}

static void test_token_is_a_jwt_that_is_shown_once(void **state)
{
	static const struct {
		const char *environment;
		Latchkey__V1__KeyScope scope;
		const char *claim;
	} kinds[] = {{PRODUCTION, KEY_SCOPE(KEYSPACE), "keyspace"}, {HOME, KEY_SCOPE(TENANT), "tenant"}};
	struct stage *stage = *state;
	struct caller *caller = open_account(stage);

	for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
		const Latchkey__V1__Key *listed[2] = {NULL};
		const Latchkey__V1__CreateKeyResponse *made = create(caller, kinds[i].environment, kinds[i].scope);
		json_t *header = part_of(made->token, 0);
		json_t *claims = part_of(made->token, 1);
		assert_text(header, "alg", "HS256");
		assert_text(header, "typ", "JWT");
		assert_text(claims, "iss", "https://product.example");
		assert_text(claims, "aud", kinds[i].environment);
		assert_text(claims, "jti", made->key->id);
		assert_text(claims, "scope", kinds[i].claim);
		assert_signed(made->token);
		json_decref(header);
		json_decref(claims);
		assert_hides(made->key, made->token);
		const Latchkey__V1__Key *key = say_get(caller, NULL, made->key->id);
		assert_answered(caller);
		assert_hides(key, made->token);
		Latchkey__V1__KeyFilter filter = LATCHKEY__V1__KEY_FILTER__INIT;
		filter.keyspace = TEXT(kinds[i].environment);
		assert_int_equal(say_list(caller, NULL, &filter, NULL, 0, listed, 2), 1);
		assert_string_equal(listed[0]->id, made->key->id);
		assert_hides(listed[0], made->token);
	}
}

/* Signs what `token` has, with another nonce. It has room for the signature. */
static void forge(char *token)
{
	char *claims = strchr(token, '.') + 1;
	char *dot = strrchr(token, '.');
	uint8_t text[LK_TOKEN_MAX];
	uint8_t signature[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state mac;
	size_t len = 0;

	assert_int_equal(sodium_base642bin(text, sizeof text, claims, (size_t)(dot - claims), NULL, &len, NULL,
				 sodium_base64_VARIANT_URLSAFE_NO_PADDING),
		0);
	/* The nonce is the last of the claims, and this of its last characters. */
	text[len - 5] = text[len - 5] == 'A' ? 'B' : 'A';
	(void)sodium_bin2base64(
		claims, (size_t)(dot - claims) + 1, text, len, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	*dot = '.';
	(void)crypto_auth_hmacsha256_init(&mac, secret, sizeof secret);
	(void)crypto_auth_hmacsha256_update(&mac, (const uint8_t *)token, (size_t)(dot - token));
	(void)crypto_auth_hmacsha256_final(&mac, signature);
	(void)sodium_bin2base64(
		dot + 1, strlen(dot + 1) + 1, signature, sizeof signature, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* Whoever is in the product's secret signs what its gateways take, and still has no token. */
static void test_token_is_not_made_of_the_secret_alone(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_account(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(caller, PRODUCTION, KEY_SCOPE(KEYSPACE));
	char *forged = strdup(made->token);

	assert_non_null(forged);
	forge(forged);
	assert_signed(forged);
	json_t *claims = part_of(forged, 1);
	assert_text(claims, "jti", made->key->id);
	json_decref(claims);
	assert_string_not_equal(forged, made->token);
	assert_verdict(caller, forged, VERDICT(NOT_FOUND));
	assert_verdict(caller, made->token, VERDICT(VALID));
	free(forged);
}

/* What is done to a token shows in the very next verdict on it. */
static void test_token_obeys_each_action_at_once(void **state)
{
	static const struct {
		Latchkey__V1__KeyAction action;
		Latchkey__V1__VerifyCode code;
	} steps[] = {
		{KEY_ACTION(SUSPEND), VERDICT(SUSPENDED)},
		{KEY_ACTION(ACTIVATE), VERDICT(VALID)},
		{KEY_ACTION(UPDATE), VERDICT(VALID)},
		{KEY_ACTION(SUSPEND), VERDICT(SUSPENDED)},
		{KEY_ACTION(REVOKE), VERDICT(REVOKED)},
		{KEY_ACTION(DELETE), VERDICT(NOT_FOUND)},
	};
	struct stage *stage = *state;
	struct caller *caller = open_account(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(caller, PRODUCTION, KEY_SCOPE(KEYSPACE));

	assert_verdict(caller, made->token, VERDICT(VALID));
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		assert_int_equal(say_act(caller, steps[i].action, NULL, made->key->id), LK_OK);
		assert_verdict(caller, made->token, steps[i].code);
	}
}

static void test_environment_token_is_good_in_its_own_alone(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_account(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(caller, PRODUCTION, KEY_SCOPE(KEYSPACE));

	assert_int_equal(verdict_in(caller, ACCOUNT, PRODUCTION, made->token), VERDICT(VALID));
	assert_int_equal(verdict_in(caller, ACCOUNT, DEVELOPMENT, made->token), VERDICT(WRONG_KEYSPACE));
	assert_int_equal(verdict_in(caller, ACCOUNT, HOME, made->token), VERDICT(WRONG_KEYSPACE));
}

static void test_account_token_is_good_in_each(void **state)
{
	static const char *const environments[] = {PRODUCTION, DEVELOPMENT, HOME};
	struct stage *stage = *state;
	struct caller *caller = open_account(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(caller, HOME, KEY_SCOPE(TENANT));

	assert_int_equal(made->key->scope, KEY_SCOPE(TENANT));
	for (size_t i = 0; i < sizeof environments / sizeof environments[0]; i++) {
		assert_int_equal(verdict_in(caller, ACCOUNT, environments[i], made->token), VERDICT(VALID));
	}
	assert_int_equal(verdict_in(caller, ACCOUNT, "no-environment", made->token), VERDICT(WRONG_KEYSPACE));
	(void)say_suspend(caller, NULL, made->key->id, NULL);
	assert_answered(caller);
	for (size_t i = 0; i < sizeof environments / sizeof environments[0]; i++) {
		assert_int_equal(verdict_in(caller, ACCOUNT, environments[i], made->token), VERDICT(SUSPENDED));
	}
}

/* The account may be left out, where there is only one that the caller can mean. */
static void test_account_is_the_callers_own(void **state)
{
	static const char *const accounts[] = {NULL, "active", ACCOUNT};
	struct stage *stage = *state;
	struct caller *caller = open_account(stage);

	for (size_t i = 0; i < sizeof accounts / sizeof accounts[0]; i++) {
		const Latchkey__V1__CreateKeyResponse *made = say_create(
			caller, &(struct new_key){.tenant = accounts[i], .keyspace = PRODUCTION});
		assert_answered(caller);
		assert_string_equal(made->key->tenant, ACCOUNT);
	}
	/* The operator may mean any. */
	(void)say_create(&stage->operator, &(struct new_key){.keyspace = PRODUCTION});
	assert_refused(&stage->operator, LK_INVALID_ARGUMENT, "tenant");
}

static void test_environment_token_details(void **state)
{
	static const int actions[] = {
		KEY_ACTION(SUSPEND), KEY_ACTION(ROTATE), KEY_ACTION(UPDATE), KEY_ACTION(REVOKE), KEY_ACTION(DELETE), 0};
	struct stage *stage = *state;
	int64_t before_us = now_us();
	int64_t expire_us = before_us + US_PER_DAY;

	make_account(stage);
	struct caller *caller = admin_of(stage, ACCOUNT, "admin-8", 300);
	struct caller *admin = admin_of(stage, ACCOUNT, "admin-7", 300);
	const Latchkey__V1__CreateKeyResponse *made = say_create(admin,
		&(struct new_key){.keyspace = PRODUCTION, .name = "token", .owner = "user-7", .expire_us = expire_us});
	assert_answered(admin);
	assert_verdict(caller, made->token, VERDICT(VALID));

	/* Id, account, environment, scope, status, expires_at, inserted_at, updated_at, last_used_at, created by whom. */
	const Latchkey__V1__Key *key = say_get(caller, NULL, made->key->id);
	assert_answered(caller);
	assert_int_equal(strncmp(key->id, "key_", 4), 0);
	assert_string_equal(key->tenant, ACCOUNT);
	assert_string_equal(key->keyspace, PRODUCTION);
	assert_int_equal(key->scope, KEY_SCOPE(KEYSPACE));
	assert_int_equal(key->state, KEY_STATE(ACTIVE));
	assert_int_equal(us_of(key->expire_time), expire_us);
	assert_in_range(us_of(key->create_time), before_us, now_us());
	assert_int_equal(us_of(key->update_time), us_of(key->create_time));
	assert_in_range(us_of(key->last_used_time), us_of(key->create_time), now_us());
	assert_string_equal(key->created_by, "jwt:admins:admin-7");
	assert_string_equal(key->owner, "user-7");
	assert_actions(key, actions);
	assert_hides(key, made->token);
}

/* Each for the account that the issuer says, and no longer than that; the audit records have who it was. */
static void test_environment_tokens_are_made_by_admin_users(void **state)
{
	Latchkey__V1__ListAuditRecordsRequest request = LATCHKEY__V1__LIST_AUDIT_RECORDS_REQUEST__INIT;
	struct stage *stage = *state;

	make_account(stage);
	struct caller *seven = admin_of(stage, ACCOUNT, "admin-7", 300);
	struct caller *eight = admin_of(stage, ACCOUNT, "admin-8", 300);
	struct caller *stranger = admin_of(stage, "account-2", "admin-7", 300);
	struct caller *late = admin_of(stage, ACCOUNT, "admin-7", -3600);
	const Latchkey__V1__CreateKeyResponse *made = create(seven, PRODUCTION, KEY_SCOPE(KEYSPACE));
	assert_string_equal(made->key->created_by, "jwt:admins:admin-7");
	assert_string_equal(create(eight, HOME, KEY_SCOPE(TENANT))->key->created_by, "jwt:admins:admin-8");
	/* What one has made, another admin of the account may end. */
	(void)say_revoke(eight, NULL, made->key->id, "not wanted");
	assert_answered(eight);
	assert_verdict(seven, made->token, VERDICT(REVOKED));
	request.tenant = TEXT(ACCOUNT);
	const Latchkey__V1__ListAuditRecordsResponse *listed = caller_ask(
		&stage->operator, & latchkey_v1_audit_list_method, &request);
	assert_answered(&stage->operator);
	assert_string_equal(listed->records[0]->actor, "jwt:admins:admin-8");
	assert_string_equal(listed->records[2]->actor, "jwt:admins:admin-7");
	/* Not for another's account, and not for ever. */
	(void)say_create(stranger, &(struct new_key){.tenant = ACCOUNT, .keyspace = PRODUCTION});
	assert_refused(stranger, LK_PERMISSION_DENIED, NULL);
	(void)say_get(stranger, ACCOUNT, made->key->id);
	assert_refused(stranger, LK_PERMISSION_DENIED, NULL);
	(void)say_get(late, NULL, made->key->id);
	assert_refused(late, LK_UNAUTHENTICATED, NULL);
}

/* A token of ours is for the product, and no credential here. */
static void test_environment_token_is_no_credential(void **state)
{
	struct stage *stage = *state;

	make_account(stage);
	const Latchkey__V1__CreateKeyResponse *made = create(
		admin_of(stage, ACCOUNT, "admin-7", 300), PRODUCTION, KEY_SCOPE(TENANT));
	struct caller *caller = &stage->callers[stage->n_callers++];
	caller_open(caller, stage->daemon.url, made->token);
	(void)say_get(caller, ACCOUNT, made->key->id);
	assert_refused(caller, LK_UNAUTHENTICATED, NULL);
}

/* Brings a new token into a state. */
static const char *token_in(struct caller *caller, Latchkey__V1__KeyState wanted)
{
	const Latchkey__V1__CreateKeyResponse *made = NULL;

	if (wanted == KEY_STATE(EXPIRED)) {
		made = say_create(caller, &(struct new_key){.keyspace = PRODUCTION, .ttl_us = US_PER_SECOND / 20});
		assert_answered(caller);
		(void)await_expiry(caller, NULL, made->key->id);
		return made->key->id;
	}
	made = create(caller, PRODUCTION, KEY_SCOPE(KEYSPACE));
	if (wanted == KEY_STATE(SUSPENDED)) {
		(void)say_suspend(caller, NULL, made->key->id, NULL);
	} else if (wanted == KEY_STATE(REVOKED)) {
		(void)say_revoke(caller, NULL, made->key->id, NULL);
	}
	assert_answered(caller);
	return made->key->id;
}

enum {
	NO_OP = -1,
	REFUSED = -2,
	GONE = -3,
	ACTIVE = KEY_STATE(ACTIVE),
	SUSPENDED = KEY_STATE(SUSPENDED),
	REVOKED = KEY_STATE(REVOKED),
	EXPIRED = KEY_STATE(EXPIRED),
};

static bool lists(const Latchkey__V1__Key *key, int action)
{
	bool listed = false;

	for (size_t i = 0; i < key->n_available_actions; i++) {
		listed = listed || (int)key->available_actions[i] == action;
	}
	return listed;
}

/* One action on a new token in the state `from`, which brings it to `to`. */
static void play_action(struct caller *caller, int from, int action, int to)
{
	const char *id = token_in(caller, (Latchkey__V1__KeyState)from);
	const Latchkey__V1__Key *before = say_get(caller, NULL, id);
	bool changes = to != NO_OP && to != REFUSED;

	assert_answered(caller);
	assert_int_equal(before->state, from);
	assert_int_equal(lists(before, action), changes);
	(void)say_act(caller, (Latchkey__V1__KeyAction)action, NULL, id);
	if (to == REFUSED) {
		assert_refused(caller, LK_FAILED_PRECONDITION, NULL);
		/* It says which key. */
		assert_non_null(strstr(caller->call.message, id));
	} else {
		assert_answered(caller);
	}
	const Latchkey__V1__Key *after = say_get(caller, NULL, id);
	if (to == GONE) {
		assert_refused(caller, LK_NOT_FOUND, NULL);
		return;
	}
	assert_answered(caller);
	assert_int_equal(after->state, to < 0 ? from : to);
	/* A refusal and a no-op leave no trace. */
	assert_int_equal(strcmp(after->etag, before->etag) != 0, changes);
}

/* The actions that a status shows are those that change the token, and each does what it says. */
static void test_environment_token_actions_follow_the_status(void **state)
{
	static const struct {
		int from;
		/* By action, from ACTIVATE to DELETE. */
		int to[6];
	} table[] = {
		{ACTIVE, {NO_OP, SUSPENDED, ACTIVE, ACTIVE, REVOKED, GONE}},
		{SUSPENDED, {ACTIVE, NO_OP, SUSPENDED, SUSPENDED, REVOKED, GONE}},
		{EXPIRED, {REFUSED, REFUSED, REFUSED, EXPIRED, REVOKED, GONE}},
		{REVOKED, {REFUSED, REFUSED, REFUSED, REFUSED, NO_OP, GONE}},
	};
	struct stage *stage = *state;
	struct caller *caller = open_account(stage);

	for (size_t row = 0; row < sizeof table / sizeof table[0]; row++) {
		for (int action = KEY_ACTION(ACTIVATE); action <= KEY_ACTION(DELETE); action++) {
			play_action(caller, table[row].from, action, table[row].to[action - KEY_ACTION(ACTIVATE)]);
		}
	}
}

/* `validation_errors`: the faults by field, all of them at once. */
static void test_environment_token_faults_by_field(void **state)
{
	struct stage *stage = *state;
	struct caller *caller = open_account(stage);
	char name[102] = "";

	memset(name, 'n', sizeof name - 1);
	(void)say_create(caller, &(struct new_key){.keyspace = "Production!",
					 .name = name,
					 .expire_us = now_us() - US_PER_DAY,
					 .scope = KEY_SCOPE(KEYSPACE)});
	assert_refused(caller, LK_INVALID_ARGUMENT, "keyspace");
	assert_true(caller_was_told_of(caller, "name"));
	assert_true(caller_was_told_of(caller, "expire_time"));
	assert_int_equal(caller->call.n_violations, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(test_token_is_a_jwt_that_is_shown_once),
		PLAY(test_token_is_not_made_of_the_secret_alone),
		PLAY(test_token_obeys_each_action_at_once),
		PLAY(test_environment_token_is_good_in_its_own_alone),
		PLAY(test_account_token_is_good_in_each),
		PLAY(test_account_is_the_callers_own),
		PLAY_WITH_ISSUER(test_environment_token_details),
		PLAY_WITH_ISSUER(test_environment_tokens_are_made_by_admin_users),
		PLAY_WITH_ISSUER(test_environment_token_is_no_credential),
		PLAY(test_environment_token_actions_follow_the_status),
		PLAY(test_environment_token_faults_by_field),
	};

	return cmocka_run_group_tests_name("environment tokens", tests, NULL, NULL);
}

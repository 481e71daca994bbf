#include "server/store/held.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "latchkey/v1/key.pb-c.h"
#include "server/core/permission.h"
#include "server/store/change.h"
#include "server/store/verdict_record.h"
#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT(text)   ((char *)(uintptr_t)(text))

/* The number of a role that no test makes. */
#define NO_ROLE 77

/* Makes the role `number`, which is the next, or changes it, in a commit of its own. */
static void put_role(struct world *world, uint32_t number, const char *const *permissions, size_t count)
{
	Latchkey__Store__RoleRecord role = LATCHKEY__STORE__ROLE_RECORD__INIT;
	Latchkey__Store__Change *change = lk_draft_new(world->arena);
	bool is_new = number > lk_txn_head(lk_fixture_snapshot(world->fixture))->last_role;
	char id[32];

	/* None of this is a permission. */
	(void)snprintf(id, sizeof id, "update-%u", number);
	role.id = id;
	role.description = TEXT("*");
	role.number = is_new ? 0 : number;
	role.tenant = world->tenant;
	role.permissions = (char **)(uintptr_t)permissions;
	role.n_permissions = count;
	role.create_us = LK_FIXTURE_TIME_US;
	role.update_us = LK_FIXTURE_TIME_US;
	lk_change_put_role(world->arena, change, &role);
	assert_int_equal(lk_fixture_apply(world->fixture, change), LK_OK);
	assert_int_equal(role.number, number);
}

/* A key with these permissions, and with everything else that an identity has and that is none. */
static Latchkey__Store__KeyRecord *key_with(struct world *world, const char *const *permissions, size_t count)
{
	Latchkey__Store__KeyRecord *key = world_key(world, "*");

	key->owner = TEXT("agents:*");
	lk_draft_metadata(world->arena, key, "agents:list", "*");
	key->expire_us = LK_FIXTURE_TIME_US + 1000000;
	key->permissions = (char **)(uintptr_t)permissions;
	key->n_permissions = count;
	world_put(world, key);
	return key;
}

/* What one verdict is asked; its parts lie here. */
struct asking {
	struct lk_held held;
	struct lk_rules rules;
	struct lk_txn *txn;
	uint32_t roles[LK_ROLES_MAX];
	uint8_t data[LK_RULES_MAX];
};

static void ask_of(struct asking *asking, struct world *world, const uint8_t *identity, size_t len,
	const uint32_t *roles, size_t count)
{
	Latchkey__Store__KeyRecord key = LATCHKEY__STORE__KEY_RECORD__INIT;

	assert_in_range(count, 0, LK_ROLES_MAX);
	for (size_t i = 0; i < count; i++) {
		asking->roles[i] = roles[i];
	}
	key.roles = asking->roles;
	key.n_roles = count;
	size_t rules_len = lk_rules_of_key(&key, asking->data);
	assert_true(lk_rules_read(asking->data, rules_len, &asking->rules));
	asking->txn = lk_fixture_snapshot(world->fixture);
	lk_held_init(&asking->held, asking->txn, identity, len, &asking->rules);
}

/* The identity in the verdict record of a key. */
static const uint8_t *identity_of(struct lk_txn *txn, const Latchkey__Store__KeyRecord *key, size_t *ret_len)
{
	struct lk_verdict verdict = {0};

	assert_true(lk_verdict_find(txn, key->digest.data, &verdict));
	return lk_verdict_identity(&verdict, ret_len);
}

/* The same by that. */
static void ask_of_key(struct asking *asking, struct world *world, const Latchkey__Store__KeyRecord *key,
	const uint32_t *roles, size_t count)
{
	size_t len = 0;

	ask_of(asking, world, (const uint8_t *)"", 0, roles, count);
	const uint8_t *identity = identity_of(asking->txn, key, &len);
	lk_held_init(&asking->held, asking->txn, identity, len, &asking->rules);
}

static bool covers(struct asking *asking, const char *asked)
{
	size_t len = strlen(asked);
	char *copy = malloc(len);

	assert_non_null(copy);
	memcpy(copy, asked, len);
	bool result = lk_held_covers(&asking->held, copy, len);
	free(copy);
	return result;
}

struct held_case {
	const char *asked;
	bool held;
};

static void assert_cases(struct asking *asking, const struct held_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (covers(asking, cases[i].asked) != cases[i].held) {
			fail_msg("'%s' is not %d", cases[i].asked, cases[i].held);
		}
	}
	assert_int_equal(lk_txn_err(asking->txn), LK_OK);
}

static void test_held_by_the_keys_own_permissions(void **state)
{
	struct world world = world_make(state);
	static const char *const permissions[] = {"chat:chat", "storage:*:read", "a", "webhooks:*"};
	static const struct held_case cases[] = {
		{"chat:chat", true},
		{"chat:history", false},
		{"chat", false},
		{"chat:chatter", false},
		{"storage:b7:read", true},
		{"storage:b7:write", false},
		{"a", true},
		{"A", false},
		{"webhooks:send", true},
		{"webhooks:7:send", true},
		{"webhooks", false},
		/* Owner, name and metadata are no permissions. */
		{"agents:list", false},
		{"agents:update", false},
	};
	struct asking asking;

	ask_of_key(&asking, &world, key_with(&world, permissions, COUNT(permissions)), NULL, 0);
	assert_cases(&asking, cases, COUNT(cases));
}

static void test_held_by_nothing_is_nothing(void **state)
{
	struct world world = world_make(state);
	static const struct held_case cases[] = {{"a", false}, {"agents:list", false}, {"*", false}};
	struct asking asking;

	ask_of_key(&asking, &world, key_with(&world, NULL, 0), NULL, 0);
	assert_cases(&asking, cases, COUNT(cases));
	ask_of(&asking, &world, (const uint8_t *)"", 0, NULL, 0);
	assert_cases(&asking, cases, COUNT(cases));
	/* A role without permissions, as the only one. */
	static const uint32_t roles[] = {1};
	put_role(&world, 1, NULL, 0);
	ask_of_key(&asking, &world, key_with(&world, NULL, 0), roles, COUNT(roles));
	assert_cases(&asking, cases, COUNT(cases));
}

static void test_held_by_roles(void **state)
{
	struct world world = world_make(state);
	static const char *const own[] = {"chat:chat"};
	static const char *const reader[] = {"agents:list", "storage:*:read"};
	static const char *const installer[] = {"agents:install"};
	static const char *const admin[] = {"triggers:*"};
	static const uint32_t roles[] = {3, 1};
	static const struct held_case cases[] = {
		{"chat:chat", true},
		{"agents:list", true},
		{"agents:install", true},
		{"storage:b7:read", true},
		{"storage:b7:write", false},
		/* The role's id. */
		{"update-1", false},
		/* A role that the key has not. */
		{"triggers:list", false},
	};
	struct asking asking;

	put_role(&world, 1, reader, COUNT(reader));
	put_role(&world, 2, admin, COUNT(admin));
	put_role(&world, 3, installer, COUNT(installer));
	ask_of_key(&asking, &world, key_with(&world, own, COUNT(own)), roles, COUNT(roles));
	assert_cases(&asking, cases, COUNT(cases));
	/* Whatever is asked first. */
	for (size_t i = 0; i < COUNT(cases); i++) {
		ask_of_key(&asking, &world, key_with(&world, own, COUNT(own)), roles, COUNT(roles));
		assert_cases(&asking, &cases[i], 1);
	}
}

/* The identity names the key's roles behind its permissions: a role "agents" is no permission of that name. */
static void test_held_is_no_name_of_a_role(void **state)
{
	struct world world = world_make(state);
	Latchkey__V1__KeyIdentity identity = LATCHKEY__V1__KEY_IDENTITY__INIT;
	char *permissions[] = {TEXT("a"), TEXT("b")};
	char *roles[] = {TEXT("agents"), TEXT("*")};
	static const struct held_case cases[] = {{"a", true}, {"b", true}, {"agents", false}, {"c", false}};
	uint8_t packed[64];
	struct asking asking;

	identity.permissions = permissions;
	identity.n_permissions = COUNT(permissions);
	identity.roles = roles;
	identity.n_roles = COUNT(roles);
	assert_in_range(latchkey__v1__key_identity__get_packed_size(&identity), 1, sizeof packed);
	size_t len = latchkey__v1__key_identity__pack(&identity, packed);
	ask_of(&asking, &world, packed, len, NULL, 0);
	assert_cases(&asking, cases, COUNT(cases));
}

static void test_held_changes_with_the_role(void **state)
{
	struct world world = world_make(state);
	static const char *const before[] = {"agents:*"};
	static const char *const after[] = {"agents:list", "chat:*"};
	static const uint32_t roles[] = {1};
	struct asking asking;

	put_role(&world, 1, before, COUNT(before));
	const Latchkey__Store__KeyRecord *key = key_with(&world, NULL, 0);
	ask_of_key(&asking, &world, key, roles, COUNT(roles));
	assert_true(covers(&asking, "agents:install"));
	assert_false(covers(&asking, "chat:chat"));
	put_role(&world, 1, after, COUNT(after));
	/* A snapshot stays what it was. */
	assert_true(covers(&asking, "agents:install"));
	ask_of_key(&asking, &world, key, roles, COUNT(roles));
	assert_false(covers(&asking, "agents:install"));
	assert_true(covers(&asking, "chat:chat"));
	assert_int_equal(lk_txn_err(asking.txn), LK_OK);
}

static void test_held_by_a_role_that_is_not_there_is_corrupt(void **state)
{
	struct world world = world_make(state);
	static const char *const own[] = {"chat:chat"};
	static const char *const reader[] = {"agents:list"};
	static const uint32_t roles[] = {1, NO_ROLE};
	struct asking asking;

	put_role(&world, 1, reader, COUNT(reader));
	ask_of_key(&asking, &world, key_with(&world, own, COUNT(own)), roles, COUNT(roles));
	/* Nobody looks for it where something before it suffices. */
	assert_true(covers(&asking, "chat:chat"));
	assert_true(covers(&asking, "agents:list"));
	assert_int_equal(lk_txn_err(asking.txn), LK_OK);
	assert_false(covers(&asking, "agents:install"));
	assert_int_equal(lk_txn_err(asking.txn), LK_CORRUPT);
	/* Nothing is held of what is in doubt. */
	assert_false(covers(&asking, "chat:chat"));
	assert_false(covers(&asking, "agents:list"));
}

static void test_held_by_as_many_as_there_may_be(void **state)
{
	struct world world = world_make(state);
	uint32_t roles[LK_ROLES_MAX];
	char texts[LK_PERMISSIONS_MAX][24];
	const char *permissions[LK_PERMISSIONS_MAX];
	struct asking asking;

	for (uint32_t i = 0; i < LK_ROLES_MAX; i++) {
		roles[i] = i + 1;
		for (unsigned j = 0; j < LK_PERMISSIONS_MAX; j++) {
			(void)snprintf(texts[j], sizeof texts[j], "role-%u:%u", i, j);
			permissions[j] = texts[j];
		}
		put_role(&world, roles[i], permissions, LK_PERMISSIONS_MAX);
	}
	for (unsigned j = 0; j < LK_PERMISSIONS_MAX; j++) {
		(void)snprintf(texts[j], sizeof texts[j], "own:%u", j);
	}
	ask_of_key(&asking, &world, key_with(&world, permissions, LK_PERMISSIONS_MAX), roles, LK_ROLES_MAX);
	for (unsigned i = 0; i <= LK_ROLES_MAX; i++) {
		for (unsigned j = 0; j <= LK_PERMISSIONS_MAX; j++) {
			char asked[24];
			(void)snprintf(asked, sizeof asked, "role-%u:%u", i, j);
			assert_int_equal(covers(&asking, asked), i < LK_ROLES_MAX && j < LK_PERMISSIONS_MAX);
			(void)snprintf(asked, sizeof asked, "own:%u", j);
			assert_int_equal(covers(&asking, asked), j < LK_PERMISSIONS_MAX);
		}
	}
	assert_int_equal(lk_txn_err(asking.txn), LK_OK);
}

static void test_held_fulfils_expressions(void **state)
{
	struct world world = world_make(state);
	static const char *const own[] = {"chat:*"};
	static const char *const reader[] = {"agents:list", "storage:*:read"};
	static const uint32_t roles[] = {1};
	static const struct held_case cases[] = {
		{"agents:list AND (chat:chat OR chat:history)", true},
		{"agents:install AND (chat:chat OR chat:history)", false},
		{"agents:install OR storage:b7:read AND chat:x", true},
		{"agents:install OR storage:b7:write AND chat:x", false},
		{"(agents:install or agents:list) and storage:b7:read", true},
	};
	struct asking asking;
	char fault[LK_EXPRESSION_FAULT_LEN];

	put_role(&world, 1, reader, COUNT(reader));
	ask_of_key(&asking, &world, key_with(&world, own, COUNT(own)), roles, COUNT(roles));
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lk_expression *expression = NULL;
		assert_int_equal(
			lk_expression_compile(cases[i].asked, strlen(cases[i].asked), &expression, fault), LK_OK);
		assert_int_equal(lk_expression_evaluate(expression, lk_held_covers, &asking.held), cases[i].held);
		lk_expression_free(expression);
	}
	assert_int_equal(lk_txn_err(asking.txn), LK_OK);
}

static uint8_t *copy_of(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len + (len == 0));

	assert_non_null(copy);
	memcpy(copy, data, len);
	return copy;
}

/* An identity that was cut off or altered holds something or not at all, and nothing past its end is touched. */
static void test_held_survives_any_bytes(void **state)
{
	struct world world = world_make(state);
	static const char *const own[] = {"chat:chat", "storage:*:read"};
	const Latchkey__Store__KeyRecord *key = key_with(&world, own, COUNT(own));
	struct asking asking;
	size_t whole_len = 0;
	size_t n_corrupt = 0;

	const uint8_t *identity = identity_of(lk_fixture_snapshot(world.fixture), key, &whole_len);
	uint8_t *whole = copy_of(identity, whole_len);
	for (size_t len = 0; len < whole_len; len++) {
		uint8_t *cut = copy_of(whole, len);
		ask_of(&asking, &world, cut, len, NULL, 0);
		assert_false(covers(&asking, "storage:b7:read"));
		n_corrupt += lk_txn_err(asking.txn) == LK_CORRUPT;
		free(cut);
		uint8_t *altered = copy_of(whole, whole_len);
		for (unsigned bit = 0; bit < 8; bit++) {
			altered[len] ^= (uint8_t)(1U << bit);
			ask_of(&asking, &world, altered, whole_len, NULL, 0);
			(void)covers(&asking, "storage:b7:read");
			enum lk_err err = lk_txn_err(asking.txn);
			assert_true(err == LK_OK || err == LK_CORRUPT);
			altered[len] ^= (uint8_t)(1U << bit);
		}
		free(altered);
	}
	/* A cut shows, but where it leaves whole fields. */
	assert_true(n_corrupt > whole_len / 2);
	free(whole);
}

static void test_held_by_a_broken_role_is_corrupt(void **state)
{
	struct world world = world_make(state);
	static const struct {
		const char *data;
		size_t len;
	} broken[] = {
		/* A tag that is none; a text that is cut off; permissions that are a number, not texts. */
		{"\xff", 1},
		{"\x08\x01\x32\x05"
		 "ab",
			6},
		{"\x08\x01\x30\x02"
		 "ab",
			6},
		{"\x08", 1},
	};
	static const uint32_t roles[] = {1};
	const Latchkey__Store__KeyRecord *key = key_with(&world, NULL, 0);
	struct lk_key where = lk_key_u32(1);
	struct asking asking;

	for (size_t i = 0; i < COUNT(broken); i++) {
		struct lk_txn *txn = NULL;
		assert_int_equal(lk_write_begin(world.fixture->store, &txn), LK_OK);
		lk_txn_put(txn, LK_TABLE_ROLE, &where, broken[i].data, broken[i].len, 0);
		assert_int_equal(lk_write_commit(txn), LK_OK);
		ask_of_key(&asking, &world, key, roles, COUNT(roles));
		assert_false(covers(&asking, "ab"));
		assert_int_equal(lk_txn_err(asking.txn), LK_CORRUPT);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_held_by_the_keys_own_permissions),
		TEST(test_held_by_nothing_is_nothing),
		TEST(test_held_by_roles),
		TEST(test_held_is_no_name_of_a_role),
		TEST(test_held_changes_with_the_role),
		TEST(test_held_by_a_role_that_is_not_there_is_corrupt),
		TEST(test_held_by_as_many_as_there_may_be),
		TEST(test_held_fulfils_expressions),
		TEST(test_held_survives_any_bytes),
		TEST(test_held_by_a_broken_role_is_corrupt),
	};

	return cmocka_run_group_tests_name("store held", tests, NULL, NULL);
}

#include "server/core/grant.h"
#include "tests/unit/core/faults_case.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum {
	most = 4
};

/* A grant as a table may hold it: each list ends at its first NULL. */
struct lists {
	char *methods[most];
	char *tenants[most];
	char *keyspaces[most];
};

static size_t length(char *const *list)
{
	size_t count = 0;
	while (count < most && list[count] != NULL) {
		count++;
	}
	return count;
}

static Latchkey__Store__GrantRecord grant_of(const struct lists *lists)
{
	Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;
	grant.n_methods = length(lists->methods);
	grant.methods = (char **)lists->methods;
	grant.n_tenants = length(lists->tenants);
	grant.tenants = (char **)lists->tenants;
	grant.n_keyspaces = length(lists->keyspaces);
	grant.keyspaces = (char **)lists->keyspaces;
	return grant;
}

static void test_grant_methods_match_whole_rights(void **state)
{
	(void)state;
	static const struct {
		const char *entry;
		const char *access;
		bool allowed;
	} cases[] = {
		{"*", "keys.verify", true},
		{"keys.*", "keys.verify", true},
		{"keys.*", "keys.create", true},
		{"keys.verify", "keys.verify", true},
		{"keys.verify", "keys.verify_batch", false},
		{"keys.verify", "keys.verif", false},
		{"keys.verify", "keys.create", false},
		{"keys.*", "keyspaces.create", false},
		{"key.*", "keys.create", false},
		{"keyspaces.*", "keys.create", false},
		{"keys", "keys.create", false},
		{"keys.", "keys.create", false},
		{"keys.v*", "keys.verify", false},
		{".*", "keys.verify", false},
		{"", "keys.verify", false},
		{"**", "keys.verify", false},
		{"KEYS.VERIFY", "keys.verify", false},
		{"keys.*", "keys.", true},
		{"keys.*", "keys", false},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct lists lists = {.methods = {(char *)cases[i].entry}};
		const Latchkey__Store__GrantRecord grant = grant_of(&lists);
		assert_int_equal(lk_grant_allows_method(&grant, cases[i].access), cases[i].allowed);
	}
}

static void test_grant_any_tenant_never_includes_system(void **state)
{
	(void)state;
	const struct lists any = {.tenants = {"*"}};
	const struct lists both = {.tenants = {"*", "system"}};
	const struct lists one = {.tenants = {"acme"}};
	Latchkey__Store__GrantRecord grant = grant_of(&any);
	assert_true(lk_grant_allows_tenant(&grant, "acme"));
	assert_false(lk_grant_allows_tenant(&grant, "system"));
	grant = grant_of(&both);
	assert_true(lk_grant_allows_tenant(&grant, "system"));
	grant = grant_of(&one);
	assert_true(lk_grant_allows_tenant(&grant, "acme"));
	assert_false(lk_grant_allows_tenant(&grant, "acm"));
	assert_false(lk_grant_allows_tenant(&grant, "acme2"));
	assert_false(lk_grant_allows_tenant(&grant, ""));
	assert_false(lk_grant_allows_tenant(&grant, "*"));
}

static void test_grant_keyspaces_match_by_id_or_any(void **state)
{
	(void)state;
	const struct lists any = {.keyspaces = {"*"}};
	const struct lists two = {.keyspaces = {"prod", "dev"}};
	Latchkey__Store__GrantRecord grant = grant_of(&any);
	assert_true(lk_grant_allows_keyspace(&grant, "prod"));
	assert_true(lk_grant_allows_keyspace(&grant, "system"));
	grant = grant_of(&two);
	assert_true(lk_grant_allows_keyspace(&grant, "dev"));
	assert_false(lk_grant_allows_keyspace(&grant, "de"));
	assert_false(lk_grant_allows_keyspace(&grant, "*"));
}

static void test_grant_of_nothing_allows_nothing(void **state)
{
	(void)state;
	const Latchkey__Store__GrantRecord grant = LATCHKEY__STORE__GRANT_RECORD__INIT;
	assert_false(lk_grant_allows_method(&grant, "keys.verify"));
	assert_false(lk_grant_allows_method(&grant, ""));
	assert_false(lk_grant_allows_tenant(&grant, "acme"));
	assert_false(lk_grant_allows_keyspace(&grant, "prod"));
	assert_null(lk_grant_single_tenant(&grant));
}

static void test_grant_single_tenant_is_the_only_one_named(void **state)
{
	(void)state;
	const struct lists one = {.tenants = {"acme"}};
	const struct lists two = {.tenants = {"acme", "beta"}};
	const struct lists any = {.tenants = {"*"}};
	const struct lists system = {.tenants = {"system"}};
	Latchkey__Store__GrantRecord grant = grant_of(&one);
	assert_string_equal(lk_grant_single_tenant(&grant), "acme");
	grant = grant_of(&two);
	assert_null(lk_grant_single_tenant(&grant));
	grant = grant_of(&any);
	assert_null(lk_grant_single_tenant(&grant));
	grant = grant_of(&system);
	assert_string_equal(lk_grant_single_tenant(&grant), "system");
}

static const struct {
	struct lists inner;
	struct lists outer;
	bool within;
} within_cases[] = {
	/* The same, and less. */
	{{{"*"}, {"*"}, {"*"}}, {{"*"}, {"*"}, {"*"}}, true},
	{{{"keys.verify"}, {"acme"}, {"prod"}}, {{"*"}, {"*"}, {"*"}}, true},
	{{{"keys.*"}, {"acme"}, {"*"}}, {{"keys.*", "tenants.get"}, {"acme", "beta"}, {"*"}}, true},
	{{{"keys.get"}, {"a1"}, {"p1"}}, {{"keys.get", "keys.list"}, {"a1"}, {"p1", "p2"}}, true},
	/* More, in one list each. */
	{{{"*"}, {"*"}, {"*"}}, {{"keys.*"}, {"*"}, {"*"}}, false},
	{{{"keys.*"}, {"*"}, {"*"}}, {{"keys.get", "keys.list"}, {"*"}, {"*"}}, false},
	{{{"keys.get"}, {"*"}, {"*"}}, {{"keys.get"}, {"acme"}, {"*"}}, false},
	{{{"keys.get"}, {"acme"}, {"*"}}, {{"keys.get"}, {"acme"}, {"prod"}}, false},
	{{{"keys.get", "tenants.get"}, {"acme"}, {"prod"}}, {{"keys.*"}, {"*"}, {"*"}}, false},
	{{{"keys.get"}, {"acme", "beta"}, {"prod"}}, {{"*"}, {"acme"}, {"*"}}, false},
	/* "*" of tenants has no part of "system". */
	{{{"keys.get"}, {"system"}, {"*"}}, {{"*"}, {"*"}, {"*"}}, false},
	{{{"keys.get"}, {"system"}, {"*"}}, {{"*"}, {"*", "system"}, {"*"}}, true},
	{{{"*"}, {"*", "system"}, {"*"}}, {{"*"}, {"*"}, {"*"}}, false},
	/* Nothing is within everything, and nothing but nothing within nothing. */
	{{{NULL}, {NULL}, {NULL}}, {{NULL}, {NULL}, {NULL}}, true},
	{{{NULL}, {"*"}, {"*"}}, {{NULL}, {NULL}, {NULL}}, true},
	{{{"keys.get"}, {NULL}, {NULL}}, {{NULL}, {NULL}, {NULL}}, false},
	{{{"tenants.list"}, {NULL}, {NULL}}, {{"tenants.*"}, {NULL}, {NULL}}, true},
	{{{"tenants.create"}, {"acme"}, {NULL}}, {{"*"}, {"beta"}, {"*"}}, false},
};

static void test_grant_within_compares_what_they_allow(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(within_cases); i++) {
		const Latchkey__Store__GrantRecord inner = grant_of(&within_cases[i].inner);
		const Latchkey__Store__GrantRecord outer = grant_of(&within_cases[i].outer);
		assert_int_equal(lk_grant_within(&inner, &outer), within_cases[i].within);
		assert_true(lk_grant_within(&inner, &inner));
	}
}

/* The meaning of within, tried on every question: what inner allows, outer allows. */
static void test_grant_within_never_lets_a_call_slip(void **state)
{
	(void)state;
	static const char *const accesses[] = {"keys.get", "keys.list", "tenants.get", "tenants.list"};
	static const char *const tenants[] = {"acme", "beta", "system", "a1"};
	for (size_t i = 0; i < COUNT(within_cases); i++) {
		if (!within_cases[i].within) {
			continue;
		}
		const Latchkey__Store__GrantRecord inner = grant_of(&within_cases[i].inner);
		const Latchkey__Store__GrantRecord outer = grant_of(&within_cases[i].outer);
		for (size_t j = 0; j < COUNT(accesses); j++) {
			for (size_t k = 0; k < COUNT(tenants); k++) {
				bool in_inner = lk_grant_allows_method(&inner, accesses[j]) &&
						lk_grant_allows_tenant(&inner, tenants[k]);
				bool in_outer = lk_grant_allows_method(&outer, accesses[j]) &&
						lk_grant_allows_tenant(&outer, tenants[k]);
				assert_true(!in_inner || in_outer);
			}
		}
	}
}

/* Who may act on its own keys alone makes nobody who may act on all, whatever else they may; the other way round is fine. */
static void test_grant_within_own_only_is_less(void **state)
{
	static const struct {
		bool inner;
		bool outer;
		bool within;
	} cases[] = {
		{false, false, true},
		{true, false, true},
		{true, true, true},
		{false, true, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(within_cases); i++) {
		Latchkey__Store__GrantRecord inner = grant_of(&within_cases[i].inner);
		Latchkey__Store__GrantRecord outer = grant_of(&within_cases[i].outer);
		for (size_t j = 0; j < COUNT(cases); j++) {
			/* Without a method there is no call to exceed anything. */
			bool expected = within_cases[i].within && (cases[j].within || inner.n_methods == 0);
			inner.own_only = cases[j].inner;
			outer.own_only = cases[j].outer;
			assert_int_equal(lk_grant_within(&inner, &outer), expected);
		}
	}
}

static void check(const struct lists *lists)
{
	const Latchkey__Store__GrantRecord grant = grant_of(lists);
	lk_arena_reset(&arena);
	lk_faults_init(&faults, &arena);
	lk_grant_check(&faults, "grant", &grant);
}

static void test_grant_check_takes_good_entries(void **state)
{
	(void)state;
	check(&(struct lists){
		{"*", "keys.*", "keys.verify", "key_spaces2.get_all"}, {"*", "acme", "system"}, {"*", "prod"}});
	assert_int_equal(faults.count, 0);
	check(&(struct lists){.methods = {NULL}});
	assert_int_equal(faults.count, 0);
}

static void test_grant_check_refuses_each_bad_right(void **state)
{
	(void)state;
	static const char *const bad[] = {"", ".", "keys", "keys.", ".verify", ".*", "Keys.verify", "keys.Verify",
		"keys.**", "**", "keys.verify.all", "keys verify", " keys.verify", "keys.verify ", "keys.*.x",
		"1keys.get", "keys.1get", "_k.get", "public", "caller", "k\xc3\xa4ys.get", "keys.\x01"};
	for (size_t i = 0; i < COUNT(bad); i++) {
		check(&(struct lists){.methods = {"keys.get", (char *)bad[i]}});
		assert_int_equal(faults.count, 1);
		assert_string_equal(faults.items[0].field, "grant.methods[1]");
		assert_non_null(strstr(faults.items[0].description, "\"keys.verify\""));
	}
}

static void test_grant_check_refuses_bad_ids_and_repetitions(void **state)
{
	(void)state;
	check(&(struct lists){{"*", "*"}, {"Acme", "active", "beta", "beta"}, {"", "p-*", "prod", "prod"}});
	static const char *const fields[] = {"grant.methods[1]", "grant.tenants[0]", "grant.tenants[1]",
		"grant.tenants[3]", "grant.keyspaces[0]", "grant.keyspaces[1]", "grant.keyspaces[3]"};
	assert_int_equal(faults.count, COUNT(fields));
	for (size_t i = 0; i < COUNT(fields); i++) {
		assert_string_equal(faults.items[i].field, fields[i]);
	}
	assert_non_null(strstr(faults.items[0].description, "twice"));
	assert_non_null(strstr(faults.items[1].description, "\"Acme\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grant_methods_match_whole_rights),
		cmocka_unit_test(test_grant_any_tenant_never_includes_system),
		cmocka_unit_test(test_grant_keyspaces_match_by_id_or_any),
		cmocka_unit_test(test_grant_of_nothing_allows_nothing),
		cmocka_unit_test(test_grant_single_tenant_is_the_only_one_named),
		cmocka_unit_test(test_grant_within_compares_what_they_allow),
		cmocka_unit_test(test_grant_within_never_lets_a_call_slip),
		cmocka_unit_test(test_grant_within_own_only_is_less),
		cmocka_unit_test(test_grant_check_takes_good_entries),
		cmocka_unit_test(test_grant_check_refuses_each_bad_right),
		cmocka_unit_test(test_grant_check_refuses_bad_ids_and_repetitions),
	};
	return cmocka_run_group_tests(tests, faults_setup, faults_teardown);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/latchkey/suggest.h"

static const char *word_of(const void *words, size_t i)
{
	return ((const char *const *)words)[i];
}

static const char *const words[] = {"create", "get", "list", "revoke", "delete", "verify", NULL};

static const char *suggested(const char *typed)
{
	return lk_suggest(typed, word_of, words);
}

static void test_suggest_finds_what_was_meant(void **state)
{
	(void)state;
	assert_string_equal(suggested("crate"), "create");
	assert_string_equal(suggested("lsit"), "list");
	assert_string_equal(suggested("revoked"), "revoke");
	assert_string_equal(suggested("verfy"), "verify");
	assert_string_equal(suggested("rev"), "revoke");
	assert_string_equal(suggested("gte"), "get");
	assert_string_equal(suggested("list"), "list");
}

static void test_suggest_says_nothing_rather_than_nonsense(void **state)
{
	static const char long_word[] = "createcreatecreatecreatecreatecreatecreatecreatecreate";

	(void)state;
	assert_null(suggested(""));
	assert_null(suggested("x"));
	assert_null(suggested("frobnicate"));
	assert_null(suggested("abc"));
	assert_null(suggested(long_word));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_suggest_finds_what_was_meant),
		cmocka_unit_test(test_suggest_says_nothing_rather_than_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "server/core/expression.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/core/permission.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Compiles a copy with nothing behind it, which AddressSanitizer watches. */
static enum lk_err compile(
	const char *text, size_t len, struct lk_expression **ret_expression, char fault[static LK_EXPRESSION_FAULT_LEN])
{
	char *copy = malloc(len);

	assert_true(len == 0 || copy != NULL);
	if (len > 0) {
		memcpy(copy, text, len);
	}
	enum lk_err err = lk_expression_compile(copy, len, ret_expression, fault);
	free(copy);
	return err;
}

static struct lk_expression *compiled(const char *text)
{
	struct lk_expression *expression = NULL;
	char fault[LK_EXPRESSION_FAULT_LEN] = "";

	if (compile(text, strlen(text), &expression, fault) != LK_OK) {
		fail_msg("'%s': %s", text, fault);
	}
	assert_string_equal(fault, "");
	return expression;
}

struct holder {
	/* Permissions with blanks between them. */
	const char *held;
	/* What was asked, each with a blank behind. */
	char asked[4096];
};

static bool holds(void *context, const char *asked, size_t len)
{
	struct holder *holder = context;
	const char *at = holder->held;

	(void)strncat(holder->asked, asked, len);
	(void)strcat(holder->asked, " ");
	while (*at != '\0') {
		size_t held_len = strcspn(at, " ");
		if (lk_permission_covers_text(at, held_len, asked, len)) {
			return true;
		}
		at += held_len + strspn(at + held_len, " ");
	}
	return false;
}

struct evaluation {
	const char *text;
	const char *held;
	bool fulfilled;
};

static void assert_evaluations(const struct evaluation *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct lk_expression *expression = compiled(cases[i].text);
		struct holder holder = {.held = cases[i].held};
		if (lk_expression_evaluate(expression, holds, &holder) != cases[i].fulfilled) {
			fail_msg("'%s' by '%s' is not %d", cases[i].text, cases[i].held, cases[i].fulfilled);
		}
		lk_expression_free(expression);
	}
}

static void test_expression_of_one_permission_asks_for_it(void **state)
{
	static const struct evaluation cases[] = {
		{"a", "a", true},
		{"a", "", false},
		{"a", "b", false},
		{"a", "A", false},
		{"a", "ab", false},
		{"ab", "a", false},
		{"a", "b a", true},
		{"agents:install", "agents:install", true},
		{"agents:install", "agents:list", false},
		{"agents:install", "agents", false},
		{"agents:install", "agents:install:now", false},
		{"A.b-c_9:0", "A.b-c_9:0", true},
		{"(a)", "a", true},
		{"((a))", "a", true},
		{"((a))", "b", false},
		{" \t\r\n a \n", "a", true},
		{"( \n(a\t) )", "a", true},
		/* Words that are no operators. */
		{"android", "android", true},
		{"orders", "orders", true},
		{"and:or", "and:or", true},
		{"or:1", "or:1", true},
		{"not", "not", true},
		{"AND.", "AND.", true},
		{"-or", "-or", true},
	};

	(void)state;
	assert_evaluations(cases, COUNT(cases));
}

static void test_expression_joins_by_operators_in_any_case(void **state)
{
	static const struct evaluation cases[] = {
		{"a AND b", "a b", true},
		{"a AND b", "a", false},
		{"a AND b", "b", false},
		{"a AND b", "", false},
		{"a OR b", "a", true},
		{"a OR b", "b", true},
		{"a OR b", "a b", true},
		{"a OR b", "c", false},
		{"a and b", "a b", true},
		{"a and b", "a", false},
		{"a And b", "b", false},
		{"a aNd b", "a b", true},
		{"a anD b", "a", false},
		{"a or b", "b", true},
		{"a Or b", "b", true},
		{"a oR b", "c", false},
		{"a\tAND\nb", "a b", true},
		{"a\r\nOR\r\nb", "b", true},
		{"a AND b AND c", "a b c", true},
		{"a AND b AND c", "a b", false},
		{"a AND b AND c", "b c", false},
		{"a OR b OR c", "c", true},
		{"a OR b OR c", "d", false},
		{"a AND a", "a", true},
		{"a OR a", "", false},
		{"and:x AND or:y", "and:x or:y", true},
		{"and:x AND or:y", "and:x", false},
	};

	(void)state;
	assert_evaluations(cases, COUNT(cases));
}

static void test_expression_takes_and_before_or(void **state)
{
	static const struct evaluation cases[] = {
		{"a OR b AND c", "a", true},
		{"a OR b AND c", "b", false},
		{"a OR b AND c", "c", false},
		{"a OR b AND c", "b c", true},
		{"a AND b OR c", "c", true},
		{"a AND b OR c", "a", false},
		{"a AND b OR c", "b", false},
		{"a AND b OR c", "a b", true},
		{"a AND b OR c AND d", "a c", false},
		{"a AND b OR c AND d", "b d", false},
		{"a AND b OR c AND d", "a b", true},
		{"a AND b OR c AND d", "c d", true},
		{"a OR b AND c OR d", "d", true},
		{"a OR b AND c OR d", "b", false},
		{"a OR b AND c AND d OR e", "b c", false},
		{"a OR b AND c AND d OR e", "b c d", true},
		{"a OR b AND c AND d OR e", "e", true},
	};

	(void)state;
	assert_evaluations(cases, COUNT(cases));
}

static void test_expression_groups_by_parentheses(void **state)
{
	static const struct evaluation cases[] = {
		{"(a OR b) AND c", "a", false},
		{"(a OR b) AND c", "c", false},
		{"(a OR b) AND c", "a c", true},
		{"(a OR b) AND c", "b c", true},
		{"a AND (b OR c)", "a", false},
		{"a AND (b OR c)", "b c", false},
		{"a AND (b OR c)", "a c", true},
		{"a OR (b AND c)", "a", true},
		{"a OR (b AND c)", "b", false},
		{"(a AND b) OR (c AND d)", "a d", false},
		{"(a AND b) OR (c AND d)", "c d", true},
		{"(a OR b) AND (c OR d)", "a b", false},
		{"(a OR b) AND (c OR d)", "b d", true},
		{"(a OR b) AND (c OR d) OR e", "e", true},
		{"(a OR b) AND (c OR d) OR e", "a", false},
		{"a AND (b OR (c AND d))", "a c", false},
		{"a AND (b OR (c AND d))", "a c d", true},
		{"a AND ((b OR c) AND d)", "a b", false},
		{"a AND ((b OR c) AND d)", "a c d", true},
		{"((a OR b) AND c OR d) AND e", "b c", false},
		{"((a OR b) AND c OR d) AND e", "b c e", true},
		{"((a OR b) AND c OR d) AND e", "d e", true},
		{"((a OR b) AND c OR d) AND e", "a e", false},
		/* No blank is needed beside a parenthesis. */
		{"(a)and(b)", "a b", true},
		{"(a)and(b)", "b", false},
		{"a AND(b OR c)AND d", "a c d", true},
		{"a AND(b OR c)AND d", "a c", false},
		{"(a)or(b)", "b", true},
	};

	(void)state;
	assert_evaluations(cases, COUNT(cases));
}

static void test_expression_is_fulfilled_by_wildcards(void **state)
{
	static const struct evaluation cases[] = {
		{"a", "*", true},
		{"a:b:c", "*", true},
		{"a AND b:c", "*", true},
		{"agents:install", "agents:*", true},
		{"agents:7:install", "agents:*", true},
		{"agents", "agents:*", false},
		{"agentsx:install", "agents:*", false},
		{"agents AND agents:install", "agents:*", false},
		{"agents OR agents:install", "agents:*", true},
		{"storage:b7:read", "storage:*:read", true},
		{"storage:b7:write", "storage:*:read", false},
		{"storage:read", "storage:*:read", false},
		{"storage:b7:x:read", "storage:*:read", false},
		{"storage:b7:read AND storage:b8:read", "storage:*:read", true},
		{"storage:b7:read AND storage:b7:write", "storage:*:read storage:b7:write", true},
		{"chat:read", "*:read", true},
		{"chat:room:read", "*:read", false},
		{"read", "*:read", false},
		{"a:b", "*:*", true},
		{"a", "*:*", false},
		{"a:b:c", "*:*", true},
		{"a:b", "a:*:*", false},
		{"agents:install AND (chat:chat OR chat:history)", "agents:* chat:history", true},
		{"agents:install AND (chat:chat OR chat:history)", "agents:* webhooks:*", false},
	};

	(void)state;
	assert_evaluations(cases, COUNT(cases));
}

static void test_expression_asks_no_more_than_it_takes(void **state)
{
	static const struct {
		const char *text;
		const char *held;
		const char *asked;
	} cases[] = {
		{"a", "", "a "},
		{"a AND b", "", "a "},
		{"a AND b", "a", "a b "},
		{"a OR b", "a", "a "},
		{"a OR b", "", "a b "},
		{"a OR b AND c OR d", "", "a b d "},
		{"a OR b AND c OR d", "b", "a b c d "},
		{"a OR b AND c OR d", "b c", "a b c "},
		{"a AND b AND c OR d", "", "a d "},
		{"(a OR b) AND c", "a c", "a c "},
		{"(a OR b) AND c", "", "a b "},
		{"(a OR b OR c) AND (d OR e)", "b", "a b d e "},
		{"(a AND b OR c) AND d OR e", "c d", "a c d "},
		{"((a OR b) AND (c OR d)) AND e OR f", "a", "a c d f "},
		{"a OR (b OR (c OR (d AND e)))", "d", "a b c d e "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct lk_expression *expression = compiled(cases[i].text);
		struct holder holder = {.held = cases[i].held};
		(void)lk_expression_evaluate(expression, holds, &holder);
		assert_string_equal(holder.asked, cases[i].asked);
		lk_expression_free(expression);
	}
}

static void test_expression_keeps_its_text(void **state)
{
	static const char text[] = " a:b  And(c) ";
	struct lk_expression *expression = compiled(text);
	size_t len = 0;

	(void)state;
	assert_memory_equal(lk_expression_text(expression, &len), text, sizeof text - 1);
	assert_int_equal(len, sizeof text - 1);
	lk_expression_free(expression);
	lk_expression_free(NULL);
}

static void assert_fault(const char *text, size_t len, size_t position, const char *found, const char *right)
{
	struct lk_expression *expression = NULL;
	char fault[LK_EXPRESSION_FAULT_LEN] = "";
	char where[40];

	assert_int_equal(compile(text, len, &expression, fault), LK_INVALID_ARGUMENT);
	assert_null(expression);
	(void)snprintf(where, sizeof where, "at position %zu: ", position);
	if (strncmp(fault, where, strlen(where)) != 0) {
		fail_msg("'%s': '%s' is not %s", text, fault, where);
	}
	const char *at = strstr(fault, found);
	if (at == NULL || strstr(at, right) == NULL || strlen(fault) >= LK_EXPRESSION_FAULT_LEN - 1) {
		fail_msg("'%s': '%s' does not say '%s', '%s'", text, fault, found, right);
	}
}

struct fault {
	const char *text;
	size_t position;
	/* Parts of what is said, one behind the other. */
	const char *found;
	const char *right;
};

static void assert_faults(const struct fault *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		assert_fault(cases[i].text, strlen(cases[i].text), cases[i].position, cases[i].found, cases[i].right);
	}
}

static void test_expression_faults_of_order(void **state)
{
	static const struct fault cases[] = {
		{"", 1, "the expression is empty", "give permissions with AND and OR between them"},
		{"   ", 4, "the expression is empty", "give permissions"},
		{" \t\r\n", 5, "the expression is empty", "give permissions"},
		{"AND", 1, "\"AND\" has nothing before it", "give a permission there, or leave it out"},
		{"or", 1, "\"or\" has nothing before it", "give a permission there"},
		{"and a", 1, "\"and\" has nothing before it", "give a permission there"},
		{"  OR a", 3, "\"OR\" has nothing before it", "give a permission there"},
		{"a AND (or b)", 8, "\"or\" has nothing before it", "give a permission there"},
		{"a AND", 3, "\"AND\" has nothing behind it", "give a permission there, or leave it out"},
		{"a  Or  ", 4, "\"Or\" has nothing behind it", "give a permission there"},
		{"(a OR ) AND b", 4, "\"OR\" has nothing behind it", "give a permission there"},
		{"(a AND", 4, "\"AND\" has nothing behind it", "give a permission there"},
		{"a OR )", 3, "\"OR\" has nothing behind it", "give a permission there"},
		{"a AND OR b", 7, "\"OR\" follows \"AND\"", "give a permission between them, or leave one out"},
		{"a or or b", 6, "\"or\" follows \"or\"", "give a permission between them"},
		{"a AND AND", 7, "\"AND\" follows \"AND\"", "give a permission between them"},
		{"a b", 3, "\"b\" follows \"a\" without an operator", "put AND or OR between them"},
		{"a:b\n\nc:d", 6, "\"c:d\" follows \"a:b\" without an operator", "put AND or OR between them"},
		{"NOT a", 5, "\"a\" follows \"NOT\" without an operator", "put AND or OR"},
		{"a AND b c", 9, "\"c\" follows \"b\" without an operator", "put AND or OR"},
		{"a(b)", 2, "\"(\" follows \"a\" without an operator", "put AND or OR"},
		{"(a)b", 4, "\"b\" follows \")\" without an operator", "put AND or OR"},
		{"(a)(b)", 4, "\"(\" follows \")\" without an operator", "put AND or OR"},
		{"a AND(b)c", 9, "\"c\" follows \")\" without an operator", "put AND or OR"},
		{"(", 1, "'(' is not closed", "give a ')' for it"},
		{"(a", 1, "'(' is not closed", "give a ')' for it"},
		{"a AND (b OR c", 7, "'(' is not closed", "give a ')'"},
		{"((a)", 1, "'(' is not closed", "give a ')'"},
		{"(a AND (b", 8, "'(' is not closed", "give a ')'"},
		{"a AND (", 7, "'(' is not closed", "give a ')'"},
		{")", 1, "')' closes no '('", "give a '(' before it, or leave it out"},
		{"a)", 2, "')' closes no '('", "give a '(' before it"},
		{"(a))", 4, "')' closes no '('", "give a '(' before it"},
		{"a ) AND (b", 3, "')' closes no '('", "give a '(' before it"},
		{"()", 1, "nothing stands between '(' and ')'", "give a permission there"},
		{"a AND ( \t)", 7, "nothing stands between '(' and ')'", "give a permission there"},
		{"(a OR (()))", 8, "nothing stands between '(' and ')'", "give a permission there"},
	};

	(void)state;
	assert_faults(cases, COUNT(cases));
}

static void test_expression_faults_of_words(void **state)
{
	static const struct fault cases[] = {
		{":", 1, "\":\" has an empty segment", "on both sides of each ':'"},
		{"::", 1, "\"::\" has an empty segment", "on both sides"},
		{":a", 1, "\":a\" has an empty segment", "on both sides"},
		{"a:", 3, "\"a:\" has an empty segment", "on both sides"},
		{"a::b", 3, "\"a::b\" has an empty segment", "on both sides"},
		{"x AND a:b::c", 11, "\"a:b::c\" has an empty segment", "on both sides"},
		{"x AND a: OR b", 9, "\"a:\" has an empty segment", "on both sides"},
		{"(a:)", 4, "\"a:\" has an empty segment", "on both sides"},
		{"and: b", 5, "\"and:\" has an empty segment", "on both sides"},
		{"a::b!", 3, "\"a::b\" has an empty segment", "on both sides"},
		{"*", 1, "'*' has no meaning there", "name the permission that is needed"},
		{"a:*", 3, "'*' has no meaning there", "name the permission that is needed"},
		{"a:*:b", 3, "'*' has no meaning there", "only those that a key holds have '*'"},
		{"a*", 2, "'*' has no meaning there", "name the permission"},
		{"x OR *", 6, "'*' has no meaning there", "name the permission"},
		{"a::*", 3, "\"a::\" has an empty segment", "on both sides"},
		{"a & b", 3, "'&' has no meaning there", "write AND"},
		{"a&&b", 2, "'&' has no meaning there", "write AND"},
		{"a || b", 3, "'|' has no meaning there", "write OR"},
		{"a, b", 2, "',' has no meaning there", "write AND or OR"},
		{"a;b", 2, "';' has no meaning there", "write AND or OR"},
		{"a + b", 3, "'+' has no meaning there", "write AND or OR"},
		{"!a", 1, "'!' has no meaning there", "there is no NOT"},
		{"\"a\"", 1, "'\"' has no meaning there", "without quotes"},
		{"a AND 'b'", 7, "''' has no meaning there", "without quotes"},
		{"[a]", 1, "'[' has no meaning there", "group with '(' and ')'"},
		{"{a}", 1, "'{' has no meaning there", "group with '(' and ')'"},
		{"a/b", 2, "'/' has no meaning there", "put ':' between the segments"},
		{"a@b", 2, "'@' has no meaning there", "permissions have A-Z, a-z, 0-9, '_', '-', '.' and ':'"},
		{"a AND b$", 8, "'$' has no meaning there", "permissions have"},
		{"a\x01", 2, "the character U+0001 stands there", "permissions have"},
		{"a \x0b OR b", 3, "the character U+000B stands there", "permissions have"},
		{"a\x7f", 2, "the character U+007F stands there", "permissions have"},
		{"a AND \xc3\xa4", 7, "the character U+00E4 stands there", "permissions have"},
		{"a\xc2\xa0OR b", 2, "the character U+00A0 stands there", "permissions have"},
		{"\xe2\x82\xac", 1, "the character U+20AC stands there", "permissions have"},
		{"a OR \xf0\x9f\x94\x91", 6, "the character U+1F511 stands there", "permissions have"},
		{"a\xff", 2, "the byte 0xFF, which is no UTF-8, stands there", "permissions have"},
		{"a\x80", 2, "the byte 0x80, which is no UTF-8", "permissions have"},
		{"a\xc3", 2, "the byte 0xC3, which is no UTF-8", "permissions have"},
		{"a\xf0\x9f\x94", 2, "the byte 0xF0, which is no UTF-8", "permissions have"},
		{"a\xed\xa0\x80", 2, "the byte 0xED, which is no UTF-8", "permissions have"},
		{"a \xc0\xaf", 3, "the byte 0xC0, which is no UTF-8", "permissions have"},
		/* The first fault is the one that is told. */
		{"a b *", 3, "\"b\" follows \"a\"", "put AND or OR"},
		{"* a b", 1, "'*' has no meaning there", "name the permission"},
		/* A long word is not told whole. */
		{"x abcdefghijklmnopqrstuvwxyz", 3, "\"abcdefghijklmnopqrstuvwx\"... follows \"x\"", "put AND or OR"},
		{"x abcdefghijklmnopqrstuvwx", 3, "\"abcdefghijklmnopqrstuvwx\" follows \"x\"", "put AND or OR"},
	};

	(void)state;
	assert_faults(cases, COUNT(cases));
	assert_fault("\0", 1, 1, "a NUL stands there", "permissions have");
	assert_fault("a AND b\0", 8, 8, "a NUL stands there", "permissions have");
	assert_fault("a\0b", 3, 2, "a NUL stands there", "permissions have");
	assert_fault("a \0 OR b", 8, 3, "a NUL stands there", "permissions have");
}

static void test_expression_bounds_its_length(void **state)
{
	char text[4 * LK_EXPRESSION_MAX + 8];

	(void)state;
	memset(text, ' ', sizeof text);
	text[0] = 'a';
	text[LK_EXPRESSION_MAX] = '\0';
	lk_expression_free(compiled(text));
	assert_fault(text, LK_EXPRESSION_MAX + 1, LK_EXPRESSION_MAX + 1, "the expression has 1001 characters",
		"shorten it to at most 1000");
	memset(text, ' ', sizeof text);
	assert_fault(text, LK_EXPRESSION_MAX, LK_EXPRESSION_MAX + 1, "the expression is empty", "give permissions");
	assert_fault(text, sizeof text, LK_EXPRESSION_MAX + 1, "the expression has 4008 characters", "shorten it");
	/* Characters are counted, not bytes. */
	for (size_t i = 0; i < sizeof text; i += 4) {
		memcpy(text + i, "\xf0\x9f\x94\x91", 4);
	}
	size_t len = (size_t)4 * LK_EXPRESSION_MAX;
	assert_fault(text, len, 1, "the character U+1F511", "permissions have");
	assert_fault(text, len + 4, LK_EXPRESSION_MAX + 1, "the expression has 1001 characters", "shorten it");
	text[0] = '\x80';
	memset(text, '\x80', sizeof text);
	assert_fault(text, sizeof text, 1, "the byte 0x80", "permissions have");
}

static void test_expression_bounds_its_permissions(void **state)
{
	char text[2 * LK_PERMISSION_MAX] = "x OR ";
	const char *word = "\"aaaaaaaaaaaaaaaaaaaaaaaa\"... has 129 characters";

	(void)state;
	memset(text + 5, 'a', LK_PERMISSION_MAX);
	lk_expression_free(compiled(text));
	text[5 + LK_PERMISSION_MAX] = 'a';
	assert_fault(text, strlen(text), 6, word, "a permission has at most 128");
	text[5 + 64] = ':';
	assert_fault(text, strlen(text), 6, word, "a permission has at most 128");
}

static void test_expression_bounds_its_depth(void **state)
{
	char text[LK_EXPRESSION_MAX + 1];
	const size_t deep = LK_EXPRESSION_DEPTH;

	(void)state;
	(void)snprintf(text, sizeof text, "%0*d%0*d", (int)deep + 1, 0, (int)deep, 0);
	memset(text, '(', deep);
	text[deep] = 'a';
	memset(text + deep + 1, ')', deep);
	struct lk_expression *expression = compiled(text);
	struct holder holder = {.held = "a"};
	assert_true(lk_expression_evaluate(expression, holds, &holder));
	lk_expression_free(expression);

	memset(text, '(', deep + 1);
	text[deep + 1] = 'a';
	memset(text + deep + 2, ')', deep + 1);
	assert_fault(text, 2 * deep + 3, deep + 1, "'(' opens the 65th level", "nest at most 64");
	memset(text, '(', LK_EXPRESSION_MAX);
	assert_fault(text, LK_EXPRESSION_MAX, deep + 1, "'(' opens the 65th level", "nest at most 64");
	/* Any number of them beside one another. */
	for (size_t i = 0; i + 6 <= LK_EXPRESSION_MAX; i += 6) {
		memcpy(text + i, "(a)or ", 6);
	}
	memcpy(text + LK_EXPRESSION_MAX / 6 * 6 - 3, "   ", 3);
	text[LK_EXPRESSION_MAX / 6 * 6] = '\0';
	expression = compiled(text);
	struct holder nobody = {.held = ""};
	assert_false(lk_expression_evaluate(expression, holds, &nobody));
	assert_int_equal(strlen(nobody.asked), 2 * (LK_EXPRESSION_MAX / 6));
	lk_expression_free(expression);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expression_of_one_permission_asks_for_it),
		cmocka_unit_test(test_expression_joins_by_operators_in_any_case),
		cmocka_unit_test(test_expression_takes_and_before_or),
		cmocka_unit_test(test_expression_groups_by_parentheses),
		cmocka_unit_test(test_expression_is_fulfilled_by_wildcards),
		cmocka_unit_test(test_expression_asks_no_more_than_it_takes),
		cmocka_unit_test(test_expression_keeps_its_text),
		cmocka_unit_test(test_expression_faults_of_order),
		cmocka_unit_test(test_expression_faults_of_words),
		cmocka_unit_test(test_expression_bounds_its_length),
		cmocka_unit_test(test_expression_bounds_its_permissions),
		cmocka_unit_test(test_expression_bounds_its_depth),
	};

	return cmocka_run_group_tests_name("core expression", tests, NULL, NULL);
}

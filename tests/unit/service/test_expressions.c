#include "server/service/expressions.h"

#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/check.h"

/* Several times as many as are kept. */
#define MANY 500

static char fault[LK_EXPRESSION_FAULT_LEN];

static int setup(void **state)
{
	fault[0] = '\0';
	return sodium_init() < 0 || lk_expressions_new((struct lk_expressions **)state) != LK_OK ? -1 : 0;
}

static int teardown(void **state)
{
	lk_expressions_free(*state);
	return 0;
}

static const struct lk_expression *get(struct lk_expressions *expressions, const char *text)
{
	const struct lk_expression *expression = NULL;
	char own_fault[LK_EXPRESSION_FAULT_LEN] = "";

	enum lk_err err = lk_expressions_get(expressions, text, strlen(text), &expression, own_fault);
	CHECK_MSG(err == LK_OK, own_fault);
	return expression;
}

static const struct lk_expression *get_numbered(struct lk_expressions *expressions, unsigned number)
{
	char text[32];

	(void)snprintf(text, sizeof text, "a:%u AND b", number);
	return get(expressions, text);
}

static bool is_text(const struct lk_expression *expression, const char *text)
{
	size_t len = 0;
	const char *own = lk_expression_text(expression, &len);

	return len == strlen(text) && memcmp(own, text, len) == 0;
}

static bool holds(void *context, const char *asked, size_t len)
{
	const char *held = context;

	return strlen(held) == len && memcmp(held, asked, len) == 0;
}

static void test_expressions_are_compiled_once(void **state)
{
	const struct lk_expression *first = get(*state, "a AND b");
	const struct lk_expression *other = get(*state, "a AND c");
	const struct lk_expression *shorter = get(*state, "a");
	const struct lk_expression *again = get(*state, "a AND b");

	assert_ptr_equal(again, first);
	assert_ptr_not_equal(other, first);
	assert_true(is_text(first, "a AND b"));
	assert_true(is_text(other, "a AND c"));
	assert_true(is_text(shorter, "a"));
	lk_expressions_release(*state, first);
	lk_expressions_release(*state, again);
	/* It is kept for the next, though nobody holds it now. */
	again = get(*state, "a AND b");
	assert_ptr_equal(again, first);
	lk_expressions_release(*state, again);
	lk_expressions_release(*state, other);
	lk_expressions_release(*state, shorter);
	lk_expressions_release(*state, NULL);
}

static void test_expressions_of_no_cache_are_compiled_each_time(void **state)
{
	const struct lk_expression *first = get(NULL, "a OR b");
	const struct lk_expression *again = get(NULL, "a OR b");
	const struct lk_expression *none = NULL;

	(void)state;
	assert_ptr_not_equal(again, first);
	assert_true(lk_expression_evaluate(first, holds, (void *)(uintptr_t) "b"));
	lk_expressions_release(NULL, first);
	assert_true(lk_expression_evaluate(again, holds, (void *)(uintptr_t) "a"));
	lk_expressions_release(NULL, again);
	lk_expressions_release(NULL, NULL);
	assert_int_equal(lk_expressions_get(NULL, "a OR", 4, &none, fault), LK_INVALID_ARGUMENT);
	assert_null(none);
	assert_non_null(strstr(fault, "at position 3: "));
	lk_expressions_free(NULL);
}

static void test_expressions_keep_no_fault(void **state)
{
	const struct lk_expression *expression = NULL;

	/* What is kept stays, however many faulty texts come. */
	const struct lk_expression *kept = get(*state, "a");
	lk_expressions_release(*state, kept);
	for (unsigned i = 0; i < MANY; i++) {
		char text[32];
		int len = snprintf(text, sizeof text, "a:%u AND", i);
		fault[0] = '\0';
		assert_int_equal(
			lk_expressions_get(*state, text, (size_t)len, &expression, fault), LK_INVALID_ARGUMENT);
		assert_null(expression);
		assert_non_null(strstr(fault, "\"AND\" has nothing behind it"));
	}
	assert_ptr_equal(get(*state, "a"), kept);
	lk_expressions_release(*state, kept);
	assert_int_equal(lk_expressions_get(*state, "", 0, &expression, fault), LK_INVALID_ARGUMENT);
	assert_non_null(strstr(fault, "at position 1: the expression is empty"));
}

static void test_expressions_are_bounded(void **state)
{
	const struct lk_expression **held = calloc(MANY, sizeof *held);
	unsigned n_kept = 0;

	assert_non_null(held);
	/* Held all the while, none of them can be taken for another that came to lie where it was. */
	for (unsigned i = 0; i < MANY; i++) {
		held[i] = get_numbered(*state, i);
	}
	/* Those that came first have the places, and nobody takes them away. */
	for (unsigned i = 0; i < MANY; i++) {
		const struct lk_expression *again = get_numbered(*state, i);
		assert_int_equal(again == held[i], i < LK_EXPRESSIONS_KEPT);
		n_kept += again == held[i];
		lk_expressions_release(*state, again);
	}
	assert_int_equal(n_kept, LK_EXPRESSIONS_KEPT);
	/* Those that found no place are as good to who holds them. */
	for (unsigned i = 0; i < MANY; i++) {
		char text[32];
		(void)snprintf(text, sizeof text, "a:%u AND b", i);
		assert_true(is_text(held[i], text));
		lk_expressions_release(*state, held[i]);
	}
	free((void *)held);
}

/* As long as may be, and each another. */
static const struct lk_expression *get_long(struct lk_expressions *expressions, unsigned number)
{
	char text[LK_EXPRESSION_MAX + 1];
	int len = snprintf(text, sizeof text, "(a%u ", number);

	memset(text + len, ' ', sizeof text - 1 - (size_t)len);
	text[sizeof text - 2] = ')';
	text[sizeof text - 1] = '\0';
	return get(expressions, text);
}

static void test_expressions_are_bounded_in_length(void **state)
{
	const struct lk_expression *held[LK_EXPRESSIONS_LEN / LK_EXPRESSION_MAX + 1];
	const size_t n = LK_EXPRESSIONS_LEN / LK_EXPRESSION_MAX;

	const struct lk_expression *brief = get(*state, "brief");
	for (unsigned i = 0; i <= n; i++) {
		held[i] = get_long(*state, i);
	}
	for (unsigned i = 0; i <= n; i++) {
		const struct lk_expression *again = get_long(*state, i);
		assert_int_equal(again == held[i], i < n);
		lk_expressions_release(*state, again);
		lk_expressions_release(*state, held[i]);
	}
	/* Now that nobody holds them, those asked for longest ago make room, as many as it takes; who is held stays. */
	const struct lk_expression *last = get_long(*state, n);
	const struct lk_expression *again = get_long(*state, n);
	assert_ptr_equal(again, last);
	lk_expressions_release(*state, again);
	lk_expressions_release(*state, last);
	again = get(*state, "brief");
	assert_ptr_equal(again, brief);
	lk_expressions_release(*state, again);
	lk_expressions_release(*state, brief);
}

static void test_expressions_keep_what_is_asked_for(void **state)
{
	const struct lk_expression *hot = get(*state, "hot");

	for (unsigned i = 0; i < MANY; i++) {
		lk_expressions_release(*state, get_numbered(*state, i));
		const struct lk_expression *again = get(*state, "hot");
		assert_ptr_equal(again, hot);
		lk_expressions_release(*state, again);
	}
	lk_expressions_release(*state, hot);
}

/* Asked for once, and not for so many others: its place is another's, unless it is held. */
static void test_expressions_that_are_held_keep_their_places(void **state)
{
	const struct lk_expression *held = get(*state, "held");

	lk_expressions_release(*state, get(*state, "cold"));
	for (unsigned i = 0; i < MANY; i++) {
		lk_expressions_release(*state, get_numbered(*state, i));
	}
	const struct lk_expression *again = get(*state, "held");
	assert_ptr_equal(again, held);
	assert_true(is_text(held, "held"));
	assert_true(lk_expression_evaluate(held, holds, (void *)(uintptr_t) "held"));
	lk_expressions_release(*state, again);
	lk_expressions_release(*state, held);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_expressions_are_compiled_once),
		TEST(test_expressions_of_no_cache_are_compiled_each_time),
		TEST(test_expressions_keep_no_fault),
		TEST(test_expressions_are_bounded),
		TEST(test_expressions_are_bounded_in_length),
		TEST(test_expressions_keep_what_is_asked_for),
		TEST(test_expressions_that_are_held_keep_their_places),
	};

	return cmocka_run_group_tests_name("service expressions", tests, NULL, NULL);
}

#include "server/service/expressions.h"

#include <pthread.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/check.h"

/* As many as are kept, and several times that. */
#define KEPT 1024
#define MANY 8000

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
	/* From the newest back: each stripe's newest are all there before one that is not puts them out. */
	for (unsigned i = MANY; i-- > 0;) {
		const struct lk_expression *again = get_numbered(*state, i);
		n_kept += again == held[i];
		lk_expressions_release(*state, again);
	}
	assert_int_equal(n_kept, KEPT);
	/* Those that lost their places are as good as ever to who holds them. */
	for (unsigned i = 0; i < MANY; i++) {
		char text[32];
		(void)snprintf(text, sizeof text, "a:%u AND b", i);
		assert_true(is_text(held[i], text));
		lk_expressions_release(*state, held[i]);
	}
	free((void *)held);
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

/* One that was asked for once, and is held, is another's no more once its place is taken, and is good still. */
static void test_expressions_that_lost_their_place_stay_good(void **state)
{
	const struct lk_expression *cold = get(*state, "cold");

	for (unsigned i = 0; i < MANY; i++) {
		lk_expressions_release(*state, get_numbered(*state, i));
	}
	const struct lk_expression *again = get(*state, "cold");
	assert_ptr_not_equal(again, cold);
	lk_expressions_free(*state);
	*state = NULL;
	assert_true(is_text(cold, "cold"));
	assert_true(lk_expression_evaluate(cold, holds, (void *)(uintptr_t) "cold"));
	lk_expression_free(cold);
	lk_expression_free(again);
}

#define THREADS 8
#define EACH    20000

struct asker {
	struct lk_expressions *expressions;
	/* Of how many texts. */
	unsigned texts;
	unsigned state;
	atomic_uint *wrong;
};

static void *ask(void *argument)
{
	struct asker *asker = argument;

	for (int i = 0; i < EACH; i++) {
		char text[48];
		char held[16];
		asker->state = asker->state * 1664525U + 1013904223U;
		unsigned number = (asker->state >> 8) % asker->texts;
		(void)snprintf(text, sizeof text, "x AND y OR (p:%u)", number);
		(void)snprintf(held, sizeof held, "p:%u", number);
		const struct lk_expression *expression = get(asker->expressions, text);
		bool right = is_text(expression, text) && lk_expression_evaluate(expression, holds, held) &&
			     !lk_expression_evaluate(expression, holds, (void *)(uintptr_t) "x");
		if (!right) {
			(void)atomic_fetch_add(asker->wrong, 1);
		}
		lk_expressions_release(asker->expressions, expression);
	}
	return NULL;
}

static void ask_on_threads(struct lk_expressions *expressions, unsigned texts)
{
	pthread_t threads[THREADS];
	struct asker askers[THREADS];
	atomic_uint wrong = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		askers[i] = (struct asker){expressions, texts, i, &wrong};
		CHECK(pthread_create(&threads[i], NULL, ask, &askers[i]) == 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		CHECK(pthread_join(threads[i], NULL) == 0);
	}
	assert_int_equal(atomic_load(&wrong), 0);
}

static void test_expressions_are_every_threads(void **state)
{
	/* One that all want at once, some that all fit, and so many that each puts another out. */
	ask_on_threads(*state, 1);
	ask_on_threads(*state, 100);
	ask_on_threads(*state, MANY);
	ask_on_threads(NULL, 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_expressions_are_compiled_once),
		TEST(test_expressions_of_no_cache_are_compiled_each_time),
		TEST(test_expressions_keep_no_fault),
		TEST(test_expressions_are_bounded),
		TEST(test_expressions_keep_what_is_asked_for),
		TEST(test_expressions_that_lost_their_place_stay_good),
		TEST(test_expressions_are_every_threads),
	};

	return cmocka_run_group_tests_name("service expressions", tests, NULL, NULL);
}

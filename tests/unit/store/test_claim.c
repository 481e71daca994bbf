#include "server/store/claim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_claim_of_what_is_claimed_is_held_until_it_is_dropped(void **state)
{
	struct lk_claim *first = NULL;
	struct lk_claim *second = NULL;

	(void)state;
	assert_int_equal(lk_claim_take(1, 10, &first), LK_OK);
	assert_int_equal(lk_claim_take(1, 10, &second), LK_HELD);
	assert_null(second);
	lk_claim_drop(first);
	assert_int_equal(lk_claim_take(1, 10, &second), LK_OK);
	lk_claim_drop(second);
	lk_claim_drop(NULL);
}

/* A file is a device's and an inode's: either alone is no other's hindrance. */
static void test_claim_is_of_one_file_alone(void **state)
{
	struct lk_claim *claims[4] = {NULL};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(lk_claim_take(i / 2, i % 2, &claims[i]), LK_OK);
	}
	/* Dropped in another order than they were taken in. */
	lk_claim_drop(claims[1]);
	lk_claim_drop(claims[3]);
	assert_int_equal(lk_claim_take(0, 0, &claims[1]), LK_HELD);
	assert_int_equal(lk_claim_take(1, 0, &claims[1]), LK_HELD);
	lk_claim_drop(claims[0]);
	assert_int_equal(lk_claim_take(0, 0, &claims[1]), LK_OK);
	lk_claim_drop(claims[1]);
	lk_claim_drop(claims[2]);
}

static void test_claim_is_not_inherited_by_a_forked_child(void **state)
{
	struct lk_claim *mine = NULL;
	struct lk_claim *own = NULL;
	struct lk_claim *again = NULL;
	int status = 0;

	(void)state;
	assert_int_equal(lk_claim_take(1, 10, &mine), LK_OK);
	pid_t child = fork();
	if (child == 0) {
		bool fine = lk_claim_take(1, 10, &own) == LK_OK && lk_claim_take(1, 10, &again) == LK_HELD;
		lk_claim_drop(mine);
		fine = fine && lk_claim_take(1, 10, &again) == LK_HELD;
		lk_claim_drop(own);
		fine = fine && lk_claim_take(1, 10, &again) == LK_OK;
		lk_claim_drop(again);
		_exit(fine ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(lk_claim_take(1, 10, &own), LK_HELD);
	lk_claim_drop(mine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim_of_what_is_claimed_is_held_until_it_is_dropped),
		cmocka_unit_test(test_claim_is_of_one_file_alone),
		cmocka_unit_test(test_claim_is_not_inherited_by_a_forked_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "server/store/error.h"

#include <errno.h>
#include <lmdb.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_error_tells_the_lmdb_errors_apart(void **state)
{
	(void)state;
	assert_int_equal(lk_err_from_lmdb(MDB_SUCCESS), LK_OK);
	assert_int_equal(lk_err_from_lmdb(MDB_NOTFOUND), LK_NOT_FOUND);
	assert_int_equal(lk_err_from_lmdb(MDB_KEYEXIST), LK_ALREADY_EXISTS);
	assert_int_equal(lk_err_from_lmdb(MDB_MAP_FULL), LK_FULL);
	assert_int_equal(lk_err_from_lmdb(MDB_TXN_FULL), LK_FULL);
	assert_int_equal(lk_err_from_lmdb(MDB_READERS_FULL), LK_RESOURCE_EXHAUSTED);
	assert_int_equal(lk_err_from_lmdb(MDB_CORRUPTED), LK_CORRUPT);
	assert_int_equal(lk_err_from_lmdb(MDB_PAGE_NOTFOUND), LK_CORRUPT);
	assert_int_equal(lk_err_from_lmdb(MDB_INVALID), LK_CORRUPT);
	assert_int_equal(lk_err_from_lmdb(MDB_PANIC), LK_IO);
}

/* What LMDB says of a call that was wrong is a fault of our own. */
static void test_error_takes_the_rest_for_our_own_faults(void **state)
{
	(void)state;
	assert_int_equal(lk_err_from_lmdb(MDB_BAD_VALSIZE), LK_INTERNAL);
	assert_int_equal(lk_err_from_lmdb(MDB_BAD_TXN), LK_INTERNAL);
	assert_int_equal(lk_err_from_lmdb(MDB_LAST_ERRCODE - 1), LK_INTERNAL);
	assert_int_equal(lk_err_from_lmdb(INT32_MIN), LK_INTERNAL);
}

static void test_error_takes_a_positive_lmdb_error_for_an_errno(void **state)
{
	(void)state;
	assert_int_equal(lk_err_from_lmdb(ENOSPC), LK_FULL);
	assert_int_equal(lk_err_from_lmdb(EIO), LK_IO);
	assert_int_equal(lk_err_from_lmdb(EACCES), LK_PERMISSION_DENIED);
}

static void test_error_tells_the_systems_errors_apart(void **state)
{
	(void)state;
	assert_int_equal(lk_err_from_errno(0), LK_OK);
	assert_int_equal(lk_err_from_errno(ENOMEM), LK_NO_MEMORY);
	assert_int_equal(lk_err_from_errno(ENOSPC), LK_FULL);
	assert_int_equal(lk_err_from_errno(EDQUOT), LK_FULL);
	assert_int_equal(lk_err_from_errno(ENOENT), LK_NOT_FOUND);
	assert_int_equal(lk_err_from_errno(EPERM), LK_PERMISSION_DENIED);
	assert_int_equal(lk_err_from_errno(EWOULDBLOCK), LK_HELD);
	assert_int_equal(lk_err_from_errno(ENOTDIR), LK_IO);
	assert_int_equal(lk_err_from_errno(INT32_MAX), LK_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_error_tells_the_lmdb_errors_apart),
		cmocka_unit_test(test_error_takes_the_rest_for_our_own_faults),
		cmocka_unit_test(test_error_takes_a_positive_lmdb_error_for_an_errno),
		cmocka_unit_test(test_error_tells_the_systems_errors_apart),
	};

	return cmocka_run_group_tests_name("store error", tests, NULL, NULL);
}

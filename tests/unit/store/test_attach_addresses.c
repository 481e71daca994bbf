/* What attaching takes of a process's addresses. */
#include "server/store/attach.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/lib/store_fixture.h"
#include "tests/unit/store/files.h"
#include <cmocka.h>

static void make_store(struct lk_fixture *fixture)
{
	files_assert_opens(fixture);
	lk_fixture_close(fixture);
}

/* As where RLIMIT_AS leaves too few of them. */
static void test_attach_addresses_too_few_say_what_it_takes(void **state)
{
	struct lk_fixture *fixture = *state;
	struct lk_store_options options = {.dir = fixture->dir, .map_size = (size_t)1 << 47};
	struct lk_store *store = NULL;

	make_store(fixture);
	assert_int_equal(lk_store_attach(&options, &store, fixture->message), LK_NO_MEMORY);
	assert_non_null(strstr(fixture->message, "raise RLIMIT_AS"));
}

/* Takes all addresses that there are so many of in a row. */
static size_t take_addresses(size_t len, void *ret_taken[static 256])
{
	size_t n = 0;

	while (n < 256 && (ret_taken[n] = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
				   0)) != MAP_FAILED) {
		n++;
	}
	return n;
}

static void test_attach_addresses_fewer_will_do(void **state)
{
	const size_t lens[] = {(size_t)1 << 40, (size_t)1 << 39, (size_t)1 << 38};
	struct lk_fixture *fixture = *state;
	struct lk_store *store = NULL;
	void *taken[3][256];
	size_t n_taken[3];

	make_store(fixture);
	for (size_t i = 0; i < 3; i++) {
		n_taken[i] = take_addresses(lens[i], taken[i]);
	}
	/* Of one of them the first quarter is given back: room for less than 1 TiB. */
	size_t i = n_taken[0] > 0 ? 0 : 1;
	assert_true(n_taken[i] > 0);
	assert_int_equal(munmap(taken[i][0], (size_t)300 << 30), 0);
	struct lk_store_options options = {.dir = fixture->dir, .max_slots = 1 << 20};
	enum lk_err err = lk_store_attach(&options, &store, fixture->message);
	assert_int_equal(err, LK_OK);
	lk_store_close(store);
	for (i = 0; i < 3; i++) {
		for (size_t j = 0; j < n_taken[i]; j++) {
			assert_int_equal(munmap(taken[i][j], lens[i]), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup_closed, lk_fixture_teardown)
		TEST(test_attach_addresses_too_few_say_what_it_takes),
		TEST(test_attach_addresses_fewer_will_do),
#undef TEST
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

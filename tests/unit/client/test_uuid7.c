#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "client/uuid7.h"

static void test_uuid7_example_of_the_rfc(void **state)
{
	/* RFC 9562, appendix A.6: 017F22E2-79B0-7CC3-98C4-DC0C0C07398F, 2022-02-22 19:22:22 UTC. */
	static const uint8_t id[LK_UUID7_LEN] = {
		0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3, 0x98, 0xc4, 0xdc, 0x0c, 0x0c, 0x07, 0x39, 0x8f};
	uint64_t unix_ms = 0;

	(void)state;
	assert_true(lk_uuid7_time(id, &unix_ms));
	assert_true(unix_ms == 1645557742000);
}

static void test_uuid7_made_one_tells_its_time(void **state)
{
	static const uint64_t times[] = {0, 1, 1645557742000, ((uint64_t)1 << 48) - 1};

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		uint8_t a[LK_UUID7_LEN], b[LK_UUID7_LEN];
		uint64_t unix_ms = 42;

		lk_uuid7_make(times[i], a);
		lk_uuid7_make(times[i], b);
		assert_true(lk_uuid7_time(a, &unix_ms));
		assert_true(unix_ms == times[i]);
		assert_memory_not_equal(a, b, sizeof(a));
	}
}

static void test_uuid7_other_versions_and_variants_are_refused(void **state)
{
	uint8_t id[LK_UUID7_LEN];
	uint64_t unix_ms = 42;

	(void)state;
	for (unsigned version = 0; version < 16; version++) {
		for (unsigned variant = 0; variant < 4; variant++) {
			lk_uuid7_make(1, id);
			id[6] = (uint8_t)(version << 4 | (id[6] & 0x0f));
			id[8] = (uint8_t)(variant << 6 | (id[8] & 0x3f));
			assert_int_equal(lk_uuid7_time(id, &unix_ms), version == 7 && variant == 2);
		}
	}
	unix_ms = 42;
	memset(id, 0, sizeof(id));
	assert_false(lk_uuid7_time(id, &unix_ms));
	assert_int_equal(unix_ms, 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid7_example_of_the_rfc),
		cmocka_unit_test(test_uuid7_made_one_tells_its_time),
		cmocka_unit_test(test_uuid7_other_versions_and_variants_are_refused),
	};

	if (sodium_init() < 0) {
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

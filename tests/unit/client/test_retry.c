#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>

#include "client/retry.h"

static void test_retry_delay_doubles_up_to_a_second(void **state)
{
	static const uint32_t ceilings[] = {10, 10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000};

	(void)state;
	for (unsigned failures = 0; failures < sizeof(ceilings) / sizeof(ceilings[0]); failures++) {
		for (unsigned i = 0; i < 200; i++) {
			uint32_t delay = lk_retry_delay_ms(failures, 0);
			assert_in_range(delay, ceilings[failures] / 2, ceilings[failures]);
		}
	}
	assert_in_range(lk_retry_delay_ms(UINT32_MAX, 0), 500, 1000);
}

static void test_retry_delay_is_jittered(void **state)
{
	uint32_t first = lk_retry_delay_ms(9, 0);
	unsigned same = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		same += lk_retry_delay_ms(9, 0) == first;
	}
	assert_in_range(same, 0, 50);
}

static void test_retry_delay_heeds_the_server(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 200; i++) {
		assert_in_range(lk_retry_delay_ms(1, 3000), 3000, 3005);
		assert_in_range(lk_retry_delay_ms(1, 5), 5, 10);
		assert_in_range(lk_retry_delay_ms(9, UINT32_MAX), UINT32_MAX - 1, UINT32_MAX);
	}
}

static void test_retry_attempt_leaves_a_read_time_for_another(void **state)
{
	(void)state;
	assert_int_equal(lk_retry_attempt_ms(LK_EFFECT_READ, false, 5000), 2500);
	assert_int_equal(lk_retry_attempt_ms(LK_EFFECT_SCAN, false, 5000), 2500);
	assert_int_equal(lk_retry_attempt_ms(LK_EFFECT_READ, true, 2500), 2500);
	assert_int_equal(lk_retry_attempt_ms(LK_EFFECT_WRITE, false, 5000), 5000);
	assert_int_equal(lk_retry_attempt_ms(LK_EFFECT_READ, false, 1), 1);
	assert_int_equal(lk_retry_attempt_ms(LK_EFFECT_WRITE, false, 0), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_retry_delay_doubles_up_to_a_second),
		cmocka_unit_test(test_retry_delay_is_jittered),
		cmocka_unit_test(test_retry_delay_heeds_the_server),
		cmocka_unit_test(test_retry_attempt_leaves_a_read_time_for_another),
	};

	if (sodium_init() < 0) {
		return 1;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}

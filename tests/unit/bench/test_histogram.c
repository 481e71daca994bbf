#include "tests/bench/histogram.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int setup(void **state)
{
	*state = lk_histogram_new();
	return 0;
}

static int teardown(void **state)
{
	lk_histogram_free(*state);
	return 0;
}

static void test_histogram_empty_is_zero(void **state)
{
	assert_int_equal(lk_histogram_count(*state), 0);
	assert_int_equal(lk_histogram_at(*state, 0), 0);
	assert_int_equal(lk_histogram_at(*state, 1), 0);
	assert_int_equal(lk_histogram_max(*state), 0);
}

/* The highest value that counts like `ns`: of `ns` and the highest of all, half of all is the first. */
static int64_t highest_like(int64_t ns)
{
	struct lk_histogram *histogram = lk_histogram_new();

	lk_histogram_add(histogram, ns, 1);
	lk_histogram_add(histogram, LK_HISTOGRAM_HIGHEST_NS, 1);
	int64_t highest = lk_histogram_at(histogram, 0.5);
	lk_histogram_free(histogram);
	return highest;
}

/* HdrHistogram's own layout for three digits from 1 on: steps of 1 below 2,048, then of 2, 4, and so on. */
static void test_histogram_has_hdrhistograms_layout(void **state)
{
	static const struct {
		int64_t ns;
		int64_t highest;
	} cases[] = {{0, 0}, {1, 1}, {1023, 1023}, {1024, 1024}, {2047, 2047}, {2048, 2049}, {2049, 2049}, {2050, 2051},
		{4095, 4095}, {4096, 4099}, {10000, 10007}, {8191, 8191}, {8192, 8199},
		/* Steps of 2^19. */
		{1000000000, 1000341503}, {LK_HISTOGRAM_HIGHEST_NS, LK_HISTOGRAM_HIGHEST_NS}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(highest_like(cases[i].ns), cases[i].highest);
	}
}

static void test_histogram_tells_three_digits_of_every_magnitude(void **state)
{
	(void)state;
	for (int64_t power = 1; power < LK_HISTOGRAM_HIGHEST_NS; power *= 2) {
		for (int64_t ns = power - 1; ns <= power + 1 && ns <= LK_HISTOGRAM_HIGHEST_NS; ns++) {
			int64_t highest = highest_like(ns);
			assert_true(highest >= ns);
			assert_true((highest - ns) * 1000 <= ns);
		}
	}
}

static void test_histogram_percentiles_of_a_line(void **state)
{
	static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1};

	for (int64_t ns = 1; ns <= 1000000; ns++) {
		lk_histogram_add(*state, ns, 1);
	}
	assert_int_equal(lk_histogram_count(*state), 1000000);
	assert_int_equal(lk_histogram_at(*state, 0), 1);
	assert_int_equal(lk_histogram_at(*state, 1), 1000000);
	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		double exact = shares[i] * 1000000;
		double found = (double)lk_histogram_at(*state, shares[i]);
		assert_true(found >= exact && found <= exact * 1.001);
	}
}

/* HdrHistogram's HistogramDataAccessTest: 10,000 of 1 ms and one of 100 s, there in us, here in ns. */
static void test_histogram_outlier_is_in_the_last_share_alone(void **state)
{
	lk_histogram_add(*state, 1000000, 10000);
	lk_histogram_add(*state, INT64_C(100000000000), 1);
	assert_int_equal(lk_histogram_at(*state, 0.30), 1000447);
	assert_int_equal(lk_histogram_at(*state, 0.9999), 1000447);
	assert_int_equal(lk_histogram_at(*state, 0.99999), INT64_C(100000000000));
	assert_int_equal(lk_histogram_max(*state), INT64_C(100000000000));
}

static void test_histogram_merged_is_as_if_counted_in_one(void **state)
{
	struct lk_histogram *other = lk_histogram_new();
	struct lk_histogram *both = lk_histogram_new();

	for (int64_t ns = 3; ns < 5000000; ns += 997) {
		lk_histogram_add(ns % 2 == 0 ? *state : other, ns, 2);
		lk_histogram_add(both, ns, 2);
	}
	lk_histogram_add(other, 7000000, 1);
	lk_histogram_add(both, 7000000, 1);
	lk_histogram_merge(*state, other);
	assert_int_equal(lk_histogram_count(*state), lk_histogram_count(both));
	assert_int_equal(lk_histogram_max(*state), 7000000);
	for (int share = 0; share <= 1000; share++) {
		assert_int_equal(lk_histogram_at(*state, share / 1000.0), lk_histogram_at(both, share / 1000.0));
	}
	lk_histogram_free(both);
	lk_histogram_free(other);
}

static void test_histogram_takes_what_is_out_of_range(void **state)
{
	lk_histogram_add(*state, -5, 1);
	lk_histogram_add(*state, INT64_MAX, 1);
	lk_histogram_add(*state, 77, 0);
	assert_int_equal(lk_histogram_count(*state), 2);
	assert_int_equal(lk_histogram_at(*state, 0.5), 0);
	assert_int_equal(lk_histogram_at(*state, 1), LK_HISTOGRAM_HIGHEST_NS);
	assert_int_equal(lk_histogram_max(*state), INT64_MAX);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_histogram_empty_is_zero, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram_has_hdrhistograms_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram_tells_three_digits_of_every_magnitude, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram_percentiles_of_a_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram_outlier_is_in_the_last_share_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram_merged_is_as_if_counted_in_one, setup, teardown),
		cmocka_unit_test_setup_teardown(test_histogram_takes_what_is_out_of_range, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

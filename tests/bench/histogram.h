/*
 * Latencies, counted as HdrHistogram counts them (https://hdrhistogram.org; Debian has it for Java and Go alone): buckets whose
 * width doubles, each split into 1,024 equal parts, so that a value is told to three significant digits whether it is of
 * microseconds or of minutes, and adding one is a shift and an increment.
 *
 * Values are nanoseconds. A histogram belongs to one thread at a time: each caller has its own, and they are merged at the end.
 * It takes 250 KiB, of which only the pages with counts in them are ever touched: have it from lk_histogram_new().
 */
#ifndef LK_TESTS_BENCH_HISTOGRAM_H
#define LK_TESTS_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The highest value that has a bucket of its own, some 18 minutes. What is longer counts as that; the maximum is kept as it
 * was. */
#define LK_HISTOGRAM_HIGHEST_NS ((INT64_C(1) << 40) - 1)

struct lk_histogram;

/* An empty one; ends the program where there is no memory. Free it with lk_histogram_free(). */
struct lk_histogram *lk_histogram_new(void);
void lk_histogram_free(struct lk_histogram *histogram);

/* Counts `count` values of `ns`; a negative one, of a clock that is not monotonic, as 0. */
void lk_histogram_add(struct lk_histogram *histogram, int64_t ns, uint64_t count);

/* Adds all that `from` has counted. */
void lk_histogram_merge(struct lk_histogram *histogram, const struct lk_histogram *from);

/* How many values there are. */
uint64_t lk_histogram_count(const struct lk_histogram *histogram);

/*
 * The value that a share of all values, 0 to 1, does not exceed: HdrHistogram's getValueAtPercentile, so the highest that its
 * bucket holds, but never more than the maximum. 0 of an empty one.
 */
int64_t lk_histogram_at(const struct lk_histogram *histogram, double share);

/* The longest, to the nanosecond; 0 of an empty one. */
int64_t lk_histogram_max(const struct lk_histogram *histogram);

#ifdef __cplusplus
}
#endif

#endif

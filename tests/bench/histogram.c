#include "tests/bench/histogram.h"

#include <stdlib.h>

#include "tests/lib/check.h"

/* Three significant digits ask for 2,000 steps from 0 on, of which HdrHistogram makes the next power of two; every bucket
 * behind the first shares its lower half with those before it, and so has half as many. */
#define HALF_BITS 10
#define HALF      (UINT64_C(1) << HALF_BITS)
#define WHOLE     (2 * HALF)
#define BUCKETS   (40 - HALF_BITS)
#define COUNTS    ((BUCKETS + 1) * HALF)

struct lk_histogram {
	uint64_t total;
	int64_t max;
	uint64_t counts[COUNTS];
};

struct lk_histogram *lk_histogram_new(void)
{
	struct lk_histogram *histogram = calloc(1, sizeof *histogram);

	CHECK(histogram != NULL);
	return histogram;
}

void lk_histogram_free(struct lk_histogram *histogram)
{
	free(histogram);
}

static size_t index_of(uint64_t ns)
{
	unsigned bucket = 63 - HALF_BITS - (unsigned)__builtin_clzll(ns | (WHOLE - 1));

	return (size_t)(((uint64_t)bucket << HALF_BITS) + (ns >> bucket));
}

/* The highest value that is counted at `index`. */
static int64_t highest_of(size_t index)
{
	size_t bucket = index < WHOLE ? 0 : (index >> HALF_BITS) - 1;
	uint64_t step = index - (bucket << HALF_BITS);

	return (int64_t)(((step + 1) << bucket) - 1);
}

void lk_histogram_add(struct lk_histogram *histogram, int64_t ns, uint64_t count)
{
	int64_t value = ns < 0 ? 0 : ns;

	if (count == 0) {
		return;
	}
	histogram->total += count;
	histogram->max = value > histogram->max ? value : histogram->max;
	value = value > LK_HISTOGRAM_HIGHEST_NS ? LK_HISTOGRAM_HIGHEST_NS : value;
	histogram->counts[index_of((uint64_t)value)] += count;
}

void lk_histogram_merge(struct lk_histogram *histogram, const struct lk_histogram *from)
{
	histogram->total += from->total;
	histogram->max = from->max > histogram->max ? from->max : histogram->max;
	for (size_t i = 0; i < COUNTS; i++) {
		/* Most pages of most histograms were never touched; reading them is free, writing is not. */
		if (from->counts[i] != 0) {
			histogram->counts[i] += from->counts[i];
		}
	}
}

uint64_t lk_histogram_count(const struct lk_histogram *histogram)
{
	return histogram->total;
}

int64_t lk_histogram_at(const struct lk_histogram *histogram, double share)
{
	double wanted = share * (double)histogram->total + 0.5;
	uint64_t rest = wanted < 1 ? 1 : (uint64_t)wanted;

	for (size_t i = 0; i < COUNTS; i++) {
		if (histogram->counts[i] >= rest) {
			int64_t highest = highest_of(i);
			return highest < histogram->max ? highest : histogram->max;
		}
		rest -= histogram->counts[i];
	}
	return histogram->max;
}

int64_t lk_histogram_max(const struct lk_histogram *histogram)
{
	return histogram->max;
}

/*
 * Measures what happens to keys beside Verify, on a daemon whose store bench_load has filled.
 *
 *	bench_life URL create CLIENTS SECONDS	so many clients, each with one Create under way all the time
 *	bench_life URL pages			List from the first page of 1,000 to the last
 *	bench_life URL filters			the first page of each filter
 *	bench_life URL counts			count_total of several filters
 *	bench_life URL bulk-revoke NAME_PREFIX	BulkRevoke of the keys whose names begin so, to its end
 *	bench_life URL import COUNT		Import of so many keys, 1,000 a call
 *
 * Prints one JSON object.
 */
#include "tests/bench/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/check.h"

int64_t lk_bench_clock_ns(void)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct lk_channel *lk_bench_open(const char *url)
{
	struct lk_channel_options options = {.urls = &url, .n_urls = 1};
	struct lk_channel *channel = NULL;

	CHECK_MSG(lk_channel_open(&options, &channel) == LK_OK, url);
	return channel;
}

void lk_series_add(struct lk_series *series, int64_t ns)
{
	if (series->count == series->room) {
		series->room = series->room == 0 ? 1024 : 2 * series->room;
		series->ns = realloc(series->ns, series->room * sizeof *series->ns);
		CHECK(series->ns != NULL);
	}
	series->ns[series->count++] = ns;
}

static int compare(const void *a, const void *b)
{
	int64_t left = *(const int64_t *)a;
	int64_t right = *(const int64_t *)b;

	return (left > right) - (left < right);
}

double lk_series_percentile_us(const struct lk_series *series, size_t from, size_t count, double share)
{
	if (count == 0) {
		return 0;
	}
	int64_t *sorted = malloc(count * sizeof *sorted);
	CHECK(sorted != NULL);
	memcpy(sorted, series->ns + from, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare);
	double us = (double)sorted[(size_t)((double)(count - 1) * share)] / 1000;
	free(sorted);
	return us;
}

void lk_series_done(struct lk_series *series)
{
	free(series->ns);
	*series = (struct lk_series){0};
}

static unsigned number(const char *text)
{
	unsigned long value = strtoul(text, NULL, 10);

	CHECK_MSG(value > 0 && value <= 100000000, text);
	return (unsigned)value;
}

int main(int argc, char **argv)
{
	const char *url = argc > 2 ? argv[1] : "";
	const char *what = argc > 2 ? argv[2] : "";

	if (strcmp(what, "create") == 0 && argc == 5) {
		lk_bench_create(url, number(argv[3]), number(argv[4]));
	} else if (strcmp(what, "pages") == 0 && argc == 3) {
		lk_bench_pages(url);
	} else if (strcmp(what, "filters") == 0 && argc == 3) {
		lk_bench_filters(url);
	} else if (strcmp(what, "counts") == 0 && argc == 3) {
		lk_bench_counts(url);
	} else if (strcmp(what, "bulk-revoke") == 0 && argc == 4) {
		lk_bench_bulk_revoke(url, argv[3]);
	} else if (strcmp(what, "import") == 0 && argc == 4) {
		lk_bench_import(url, number(argv[3]));
	} else {
		(void)fprintf(stderr, "bench_life URL create|pages|filters|counts|bulk-revoke|import [...]\n");
		return 2;
	}
	return fflush(stdout) == 0 ? 0 : 1;
}

/*
 * Timing of calls, for the programs that measure more than Verify. One thread at a time but for what says otherwise.
 */
#ifndef LK_TESTS_BENCH_LIFE_H
#define LK_TESTS_BENCH_LIFE_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/channel.h>

/* The tenant and keyspace that bench_load fills. */
#define LK_BENCH_TENANT   "bench"
#define LK_BENCH_KEYSPACE "prod"

/* How long each of a series of calls took, in nanoseconds. */
struct lk_series {
	int64_t *ns;
	size_t count;
	size_t room;
};

int64_t lk_bench_clock_ns(void);
/* A channel to one URL; ends the program where it cannot be. */
struct lk_channel *lk_bench_open(const char *url);

void lk_series_add(struct lk_series *series, int64_t ns);
/* The value below which this share of the series lies, in microseconds; of series[from .. from + count - 1]. */
double lk_series_percentile_us(const struct lk_series *series, size_t from, size_t count, double share);
void lk_series_done(struct lk_series *series);

/* Each measures one thing and prints one JSON object. */
void lk_bench_create(const char *url, unsigned clients, unsigned seconds);
void lk_bench_pages(const char *url);
void lk_bench_filters(const char *url);
void lk_bench_counts(const char *url);
void lk_bench_bulk_revoke(const char *url, const char *name_prefix);
void lk_bench_import(const char *url, size_t count);

#endif

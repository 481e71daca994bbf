/*
 * What every driver of tools/bench measures and prints alike: one JSON object of
 *
 *	rate		answers a second
 *	p50_us p99_us p999_us max_us	latencies, with three decimals (histogram.h)
 *	client_us	processor time that this process, the client, took for an answer; of what runs in-process, the whole
 *	server_us	processor time of the server for an answer, or null: of the process LATCHKEY_BENCH_SERVER, a variable of the
 *			environment, and its children, while this one asked; what connecting costs is not in it
 *	answered	how many answers there were
 *
 * and whatever else a driver has to say.
 */
#ifndef LK_TESTS_BENCH_FIGURES_H
#define LK_TESTS_BENCH_FIGURES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "tests/bench/histogram.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tokens, one after another; see lk_tokens_read(). */
struct lk_tokens {
	char **at;
	size_t count;
	/* Where this run begins, anywhere: else each run would ask about those that the last one has brought into the cache. */
	size_t first;
	char *text;
};

/* Where a run stands: filled by lk_figures_start() and _stop(). */
struct lk_figures {
	int64_t started_ns;
	int64_t started_cpu_ns;
	/* 0: there is none. */
	pid_t server;
	int64_t server_started_ns;
	int64_t server_ns;
	int64_t wall_ns;
	int64_t cpu_ns;
};

void lk_figures_start(struct lk_figures *figures);
void lk_figures_stop(struct lk_figures *figures);

/*
 * Prints the object on standard output, with `more`, "" or members like ", \"bytes\": 3", at its end. Ends the program where
 * nothing was answered: then there is nothing to say.
 */
void lk_figures_print(const struct lk_figures *figures, const struct lk_histogram *histogram, const char *more);

/* A whole number of an option, from `least` on; ends the program, naming it, where `text` is none. */
uint64_t lk_option_number(const char *name, const char *text, uint64_t least);

/* How long an option says, "2" or "0.25" seconds, from 0.001 to 86400, in ns; ends the program, naming it, where `text` is no such. */
int64_t lk_option_seconds(const char *name, const char *text);

/* Reads a file with a token a line; ends the program where it cannot or there is none. Free with lk_tokens_done(). */
void lk_tokens_read(struct lk_tokens *ret_tokens, const char *path);
void lk_tokens_done(struct lk_tokens *tokens);

/* xorshift64: which token comes next need not be secret. `state`: any number but 0, a different one for each caller. */
static inline uint64_t lk_random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* A beginning for lk_random_next(), of caller `number`. */
static inline uint64_t lk_random_seed(uint64_t number)
{
	return UINT64_C(0x9e3779b97f4a7c15) * (number + 1);
}

/*
 * The next token of a caller that has begun at `*cursor`, and the cursor after it. In the order of the file, so that the
 * processor has the text at hand and no driver's time is spent on waiting for it. The file is to have them in no order, so that
 * what a server looks up, its slots too, lies anywhere.
 */
static inline const char *lk_tokens_next(const struct lk_tokens *tokens, size_t *cursor)
{
	const char *token = tokens->at[*cursor];

	*cursor = *cursor + 1 == tokens->count ? 0 : *cursor + 1;
	return token;
}

/* Where caller `number` of `callers` begins: as far apart as can be. */
static inline size_t lk_tokens_begin(const struct lk_tokens *tokens, size_t number, size_t callers)
{
	return (tokens->first + number * (tokens->count / callers)) % tokens->count;
}

#ifdef __cplusplus
}
#endif

#endif

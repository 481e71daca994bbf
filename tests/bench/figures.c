#include "tests/bench/figures.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "tests/bench/pace.h"
#include "tests/bench/server.h"
#include "tests/lib/check.h"

#define SECONDS_MOST 86400

static int64_t cpu_ns(void)
{
	struct timespec used = {0};

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

void lk_figures_start(struct lk_figures *figures)
{
	const char *server = getenv("LATCHKEY_BENCH_SERVER");

	*figures = (struct lk_figures){
		.server = server != NULL ? (pid_t)lk_option_number("LATCHKEY_BENCH_SERVER", server, 1) : 0};
	figures->server_started_ns = figures->server != 0 ? lk_server_cpu_ns(figures->server) : 0;
	figures->started_cpu_ns = cpu_ns();
	figures->started_ns = lk_pace_clock_ns();
}

void lk_figures_stop(struct lk_figures *figures)
{
	figures->cpu_ns = cpu_ns() - figures->started_cpu_ns;
	figures->wall_ns = lk_pace_clock_ns() - figures->started_ns;
	figures->server_ns = figures->server != 0 ? lk_server_cpu_ns(figures->server) - figures->server_started_ns : 0;
}

void lk_figures_print(const struct lk_figures *figures, const struct lk_histogram *histogram, const char *more)
{
	double answered = (double)lk_histogram_count(histogram);
	char server_us[32] = "null";

	CHECK_MSG(answered > 0, "nothing was answered");
	if (figures->server != 0) {
		(void)snprintf(server_us, sizeof server_us, "%.3f", (double)figures->server_ns / answered / 1e3);
	}
	(void)printf("{\"rate\": %.0f, \"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"max_us\": %.3f, "
		     "\"client_us\": %.3f, \"server_us\": %s, \"answered\": %.0f%s}\n",
		answered * 1e9 / (double)figures->wall_ns, (double)lk_histogram_at(histogram, 0.5) / 1e3,
		(double)lk_histogram_at(histogram, 0.99) / 1e3, (double)lk_histogram_at(histogram, 0.999) / 1e3,
		(double)lk_histogram_max(histogram) / 1e3, (double)figures->cpu_ns / answered / 1e3, server_us,
		answered, more);
	CHECK(fflush(stdout) == 0);
}

uint64_t lk_option_number(const char *name, const char *text, uint64_t least)
{
	char *end = NULL;

	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number < least) {
		(void)fprintf(stderr, "%s is a whole number from %llu on, not \"%s\"\n", name,
			(unsigned long long)least, text);
		exit(2);
	}
	return number;
}

int64_t lk_option_seconds(const char *name, const char *text)
{
	char *end = NULL;
	double seconds = strtod(text, &end);

	/* strtod() takes more than is meant here: signs, exponents, names. */
	if (end == text || *end != '\0' || strspn(text, "0123456789.") != strlen(text) || seconds < 0.001 ||
		seconds > SECONDS_MOST) {
		(void)fprintf(
			stderr, "%s are from 0.001 to %d, like 2 or 0.25, not \"%s\"\n", name, SECONDS_MOST, text);
		exit(2);
	}
	return (int64_t)(seconds * 1e9 + 0.5);
}

static size_t count_lines(char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n') {
			text[i] = '\0';
			count++;
		}
	}
	return count;
}

/* One allocation for all of them: a driver of ten million keys would else spend more on them than the server on its store. */
void lk_tokens_read(struct lk_tokens *ret_tokens, const char *path)
{
	FILE *file = fopen(path, "r");
	struct stat status = {0};

	CHECK_MSG(file != NULL && fstat(fileno(file), &status) == 0, path);
	size_t len = (size_t)status.st_size;
	char *text = malloc(len + 1);
	CHECK(text != NULL);
	CHECK_MSG(fread(text, 1, len, file) == len && fclose(file) == 0, path);
	text[len] = '\0';
	size_t count = count_lines(text, len);
	CHECK_MSG(count > 0, path);
	char **at = malloc(count * sizeof *at);
	CHECK(at != NULL);
	char *next = text;
	for (size_t i = 0; i < count; i++) {
		at[i] = next;
		next += strlen(next) + 1;
	}
	size_t first = (size_t)(UINT64_C(0x9e3779b97f4a7c15) * (uint64_t)lk_pace_clock_ns() >> 24) % count;
	*ret_tokens = (struct lk_tokens){.at = at, .count = count, .first = first, .text = text};
}

void lk_tokens_done(struct lk_tokens *tokens)
{
	free(tokens->at);
	free(tokens->text);
	*tokens = (struct lk_tokens){0};
}

/*
 * Drives a server by the library, with so many callers that each have one verdict under way all the time, for so many seconds.
 * Every verdict must be VALID.
 *
 *	bench_verifier URL TOKENS CALLERS SECONDS async|threads|unary|unary-threads|wake
 *
 * async: the batching verifier's callbacks. threads: the same, a blocking thread each. unary, unary-threads: the same callers by
 * Verify itself, over the same one connection. wake: what the threads cost by themselves: each is woken, and says so, and nothing is
 * asked of anybody.
 *
 * Prints one JSON object: verdicts per second, the latencies p50, p99 and p999 in microseconds, and the microseconds of processor
 * time that this process took a verdict.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <latchkey/latchkey.h>

#include "tests/lib/check.h"

/* Latencies are counted by the microsecond; what takes longer than all of these counts as the longest. */
#define BUCKETS 100000

struct driver;

struct caller {
	struct driver *driver;
	struct lk_call call;
	uint64_t random;
	int64_t started_ns;
	pthread_t thread;
	sem_t woken;
};

struct way {
	const char *name;
	/* A thread for each caller, or NULL: callbacks. */
	void *(*run)(void *caller);
	bool batching;
};

struct driver {
	const struct way *way;
	char **tokens;
	size_t n_tokens;
	struct lk_channel *channel;
	struct lk_verifier *verifier;
	struct caller *callers;
	size_t n_callers;
	_Atomic bool over;
	_Atomic size_t running;
	_Atomic size_t woken;
	sem_t idle;
	sem_t all_woken;
	_Atomic uint64_t answered;
	_Atomic uint32_t buckets[BUCKETS];
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64: which token comes next need not be secret. */
static char *next_token(struct caller *caller)
{
	caller->random ^= caller->random << 13;
	caller->random ^= caller->random >> 7;
	caller->random ^= caller->random << 17;
	return caller->driver->tokens[caller->random % caller->driver->n_tokens];
}

static void count(struct caller *caller)
{
	struct driver *driver = caller->driver;
	int64_t latency_us = (clock_ns(CLOCK_MONOTONIC) - caller->started_ns) / 1000;
	size_t bucket = latency_us < BUCKETS ? (size_t)latency_us : BUCKETS - 1;

	atomic_fetch_add_explicit(&driver->answered, 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&driver->buckets[bucket], 1, memory_order_relaxed);
}

static void finish(struct driver *driver)
{
	if (atomic_fetch_sub(&driver->running, 1) == 1) {
		CHECK(sem_post(&driver->idle) == 0);
	}
}

static void check(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, const struct lk_call *call)
{
	CHECK_MSG(err == LK_OK, call->message ? call->message : lk_err_name(err));
	CHECK(response->valid);
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
}

static void on_verdict(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context);

static void ask_next(struct caller *caller)
{
	struct driver *driver = caller->driver;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = next_token(caller);
	caller->started_ns = clock_ns(CLOCK_MONOTONIC);
	enum lk_err err = driver->way->batching
				  ? lk_verifier_start(driver->verifier, &request, &caller->call, on_verdict, caller)
				  : latchkey_v1_key_verify_start(
					    driver->channel, &request, &caller->call, on_verdict, caller);
	CHECK_MSG(err == LK_OK, lk_err_name(err));
}

static void on_verdict(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	struct caller *caller = context;

	check(err, response, call);
	count(caller);
	if (atomic_load_explicit(&caller->driver->over, memory_order_relaxed)) {
		finish(caller->driver);
		return;
	}
	ask_next(caller);
}

static void *run_blocking(void *argument)
{
	struct caller *caller = argument;
	struct driver *driver = caller->driver;

	while (!atomic_load_explicit(&driver->over, memory_order_relaxed)) {
		Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
		Latchkey__V1__VerifyKeyResponse *response = NULL;
		request.token = next_token(caller);
		caller->started_ns = clock_ns(CLOCK_MONOTONIC);
		enum lk_err err = driver->way->batching
					  ? lk_verifier_verify(driver->verifier, &request, &response, &caller->call)
					  : latchkey_v1_key_verify(driver->channel, &request, &response, &caller->call);
		check(err, response, &caller->call);
		count(caller);
	}
	finish(driver);
	return NULL;
}

/* Sleeps until it is woken; the last of a round says so to the one that wakes them all. */
static void *run_woken(void *argument)
{
	struct caller *caller = argument;
	struct driver *driver = caller->driver;

	for (;;) {
		CHECK(sem_wait(&caller->woken) == 0);
		if (atomic_load_explicit(&driver->over, memory_order_relaxed)) {
			finish(driver);
			return NULL;
		}
		count(caller);
		if (atomic_fetch_add(&driver->woken, 1) + 1 == driver->n_callers) {
			CHECK(sem_post(&driver->all_woken) == 0);
		}
	}
}

static const struct way ways[] = {
	{"async", NULL, true},
	{"threads", run_blocking, true},
	{"unary", NULL, false},
	{"unary-threads", run_blocking, false},
	{"wake", run_woken, false},
};

static const struct way *find_way(const char *name)
{
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		if (strcmp(ways[i].name, name) == 0) {
			return &ways[i];
		}
	}
	return NULL;
}

static void read_tokens(struct driver *driver, const char *path)
{
	FILE *file = fopen(path, "r");
	char line[LK_TOKEN_MAX + 2] = "";
	size_t room = 0;

	CHECK_MSG(file != NULL, path);
	while (fgets(line, sizeof line, file) != NULL) {
		if (driver->n_tokens == room) {
			room = room == 0 ? 1024 : 2 * room;
			driver->tokens = realloc(driver->tokens, room * sizeof *driver->tokens);
			CHECK(driver->tokens != NULL);
		}
		line[strcspn(line, "\n")] = '\0';
		driver->tokens[driver->n_tokens] = strdup(line);
		CHECK(driver->tokens[driver->n_tokens++] != NULL);
	}
	CHECK(fclose(file) == 0);
	CHECK_MSG(driver->n_tokens > 0, path);
}

static void open_all(struct driver *driver, const char *url)
{
	const struct lk_channel_options channel = {.urls = &url, .n_urls = 1};

	CHECK(lk_channel_open(&channel, &driver->channel) == LK_OK);
	const struct lk_verifier_options verifier = {.channel = driver->channel};
	CHECK(lk_verifier_open(&verifier, &driver->verifier) == LK_OK);
	driver->callers = calloc(driver->n_callers, sizeof *driver->callers);
	CHECK(driver->callers != NULL && driver->n_callers > 0);
	CHECK(sem_init(&driver->idle, 0, 0) == 0 && sem_init(&driver->all_woken, 0, 0) == 0);
	atomic_store(&driver->running, driver->n_callers);
}

static void start_all(struct driver *driver)
{
	for (size_t i = 0; i < driver->n_callers; i++) {
		struct caller *caller = &driver->callers[i];
		caller->driver = driver;
		caller->random = 0x9e3779b97f4a7c15 * (i + 1);
		CHECK(sem_init(&caller->woken, 0, 0) == 0);
		if (driver->way->run == NULL) {
			ask_next(caller);
		} else {
			CHECK(pthread_create(&caller->thread, NULL, driver->way->run, caller) == 0);
		}
	}
}

static void wake_all(struct driver *driver)
{
	for (size_t i = 0; i < driver->n_callers; i++) {
		driver->callers[i].started_ns = clock_ns(CLOCK_MONOTONIC);
		CHECK(sem_post(&driver->callers[i].woken) == 0);
	}
}

/* Lets the callers run for so long. */
static void pass(struct driver *driver, int64_t seconds)
{
	const struct timespec run = {.tv_sec = (time_t)seconds};
	int64_t end_ns = clock_ns(CLOCK_MONOTONIC) + seconds * 1000000000;

	if (driver->way->run != run_woken) {
		(void)nanosleep(&run, NULL);
		return;
	}
	while (clock_ns(CLOCK_MONOTONIC) < end_ns) {
		atomic_store(&driver->woken, 0);
		wake_all(driver);
		CHECK(sem_wait(&driver->all_woken) == 0);
	}
}

/* The latency below which this share of all answers lies. */
static size_t percentile(struct driver *driver, double share)
{
	uint64_t rest = (uint64_t)((double)atomic_load(&driver->answered) * share);

	for (size_t i = 0; i < BUCKETS; i++) {
		uint64_t in_bucket = atomic_load(&driver->buckets[i]);
		if (in_bucket >= rest) {
			return i;
		}
		rest -= in_bucket;
	}
	return BUCKETS;
}

static void close_all(struct driver *driver)
{
	CHECK(sem_wait(&driver->idle) == 0);
	for (size_t i = 0; i < driver->n_callers; i++) {
		if (driver->way->run != NULL) {
			CHECK(pthread_join(driver->callers[i].thread, NULL) == 0);
		}
		lk_call_done(&driver->callers[i].call);
	}
	lk_verifier_close(driver->verifier);
	lk_channel_close(driver->channel);
}

int main(int argc, char **argv)
{
	static struct driver driver;

	CHECK_MSG(argc == 6, "bench_verifier URL TOKENS CALLERS SECONDS async|threads|unary|unary-threads|wake");
	driver.way = find_way(argv[5]);
	CHECK_MSG(driver.way != NULL, argv[5]);
	driver.n_callers = strtoul(argv[3], NULL, 10);
	read_tokens(&driver, argv[2]);
	open_all(&driver, argv[1]);
	int64_t started_ns = clock_ns(CLOCK_MONOTONIC);
	int64_t used_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	start_all(&driver);
	pass(&driver, strtol(argv[4], NULL, 10));
	atomic_store(&driver.over, true);
	double seconds = (double)(clock_ns(CLOCK_MONOTONIC) - started_ns) / 1e9;
	double used_us = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - used_ns) / 1e3;
	double answered = (double)atomic_load(&driver.answered);
	if (driver.way->run == run_woken) {
		wake_all(&driver);
	}
	close_all(&driver);
	(void)printf("{\"rate\": %.0f, \"p50_us\": %zu, \"p99_us\": %zu, \"p999_us\": %zu, \"client_us\": %.2f}\n",
		answered / seconds, percentile(&driver, 0.5), percentile(&driver, 0.99), percentile(&driver, 0.999),
		answered > 0 ? used_us / answered : 0);
	return fflush(stdout) == 0 ? 0 : 1;
}

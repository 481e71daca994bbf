/*
 * Drives a server by the library, with so many callers that each have one verdict under way, for so many seconds. Every
 * verdict must be VALID.
 *
 *	bench_verifier URL TOKENS WAY CALLERS SECONDS RATE
 *
 * WAY: async, the batching verifier's callbacks; threads, the same, a blocking thread each; unary, unary-threads, the same
 * callers by Verify itself, over the same one connection; wake, what the threads cost by themselves: each is woken, and says
 * so, and nothing is asked of anybody. RATE: verdicts a second, an open loop; 0: a closed one.
 *
 * Prints what figures.h says.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <latchkey/latchkey.h>

#include "tests/bench/figures.h"
#include "tests/bench/histogram.h"
#include "tests/bench/loop.h"
#include "tests/bench/pace.h"
#include "tests/lib/check.h"

/* Texts of messages are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

struct caller {
	struct driver *driver;
	struct lk_loop *loop;
	size_t number;
	size_t cursor;
	struct lk_call call;
};

struct driver {
	struct lk_tokens tokens;
	struct lk_channel *channel;
	struct lk_verifier *verifier;
	struct caller *callers;
	struct lk_loop_options loop;
	bool batching;
};

/* Of WAY wake: a thread that sleeps until it is woken. */
struct sleeper {
	struct waking *waking;
	pthread_t thread;
	sem_t wake;
	int64_t woken_ns;
	struct lk_histogram *latencies;
};

struct waking {
	struct sleeper *sleepers;
	size_t count;
	_Atomic bool over;
	_Atomic size_t awake;
	sem_t all_awake;
};

static void check(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, const struct lk_call *call)
{
	CHECK_MSG(err == LK_OK, call->message != NULL ? call->message : lk_err_name(err));
	CHECK(response->valid);
	latchkey__v1__verify_key_response__free_unpacked(response, NULL);
}

static Latchkey__V1__VerifyKeyRequest next_request(struct caller *caller)
{
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;

	request.token = TEXT(lk_tokens_next(&caller->driver->tokens, &caller->cursor));
	return request;
}

static void on_verdict(enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, struct lk_call *call, void *context)
{
	struct caller *caller = context;

	check(err, response, call);
	lk_loop_answered(caller->loop, caller->number, 1);
}

static void ask(void *context, struct lk_loop *loop, size_t number)
{
	struct driver *driver = context;
	struct caller *caller = &driver->callers[number];
	Latchkey__V1__VerifyKeyRequest request = next_request(caller);

	caller->loop = loop;
	enum lk_err err = driver->batching
				  ? lk_verifier_start(driver->verifier, &request, &caller->call, on_verdict, caller)
				  : latchkey_v1_key_verify_start(
					    driver->channel, &request, &caller->call, on_verdict, caller);
	CHECK_MSG(err == LK_OK, lk_err_name(err));
}

static void wait_for(void *context, size_t number)
{
	struct driver *driver = context;
	struct caller *caller = &driver->callers[number];
	Latchkey__V1__VerifyKeyRequest request = next_request(caller);
	Latchkey__V1__VerifyKeyResponse *response = NULL;

	enum lk_err err = driver->batching
				  ? lk_verifier_verify(driver->verifier, &request, &response, &caller->call)
				  : latchkey_v1_key_verify(driver->channel, &request, &response, &caller->call);
	check(err, response, &caller->call);
}

static void drive(struct driver *driver, const char *url, struct lk_figures *figures, struct lk_histogram *latencies)
{
	const struct lk_channel_options channel = {.urls = &url, .n_urls = 1};

	CHECK(lk_channel_open(&channel, &driver->channel) == LK_OK);
	const struct lk_verifier_options verifier = {.channel = driver->channel};
	CHECK(lk_verifier_open(&verifier, &driver->verifier) == LK_OK);
	driver->callers = calloc(driver->loop.callers, sizeof *driver->callers);
	CHECK(driver->callers != NULL);
	for (size_t i = 0; i < driver->loop.callers; i++) {
		size_t cursor = lk_tokens_begin(&driver->tokens, i, driver->loop.callers);
		driver->callers[i] = (struct caller){.driver = driver, .number = i, .cursor = cursor};
	}
	lk_loop_run(&driver->loop, figures, latencies);
	for (size_t i = 0; i < driver->loop.callers; i++) {
		lk_call_done(&driver->callers[i].call);
	}
	lk_verifier_close(driver->verifier);
	lk_channel_close(driver->channel);
	free(driver->callers);
}

/* The last of a round says so to the one that wakes them all. */
static void *sleep_and_wake(void *argument)
{
	struct sleeper *sleeper = argument;
	struct waking *waking = sleeper->waking;

	for (;;) {
		CHECK(sem_wait(&sleeper->wake) == 0);
		if (atomic_load_explicit(&waking->over, memory_order_relaxed)) {
			return NULL;
		}
		lk_histogram_add(sleeper->latencies, lk_pace_clock_ns() - sleeper->woken_ns, 1);
		if (atomic_fetch_add(&waking->awake, 1) + 1 == waking->count) {
			CHECK(sem_post(&waking->all_awake) == 0);
		}
	}
}

static void wake_all(struct waking *waking)
{
	atomic_store(&waking->awake, 0);
	for (size_t i = 0; i < waking->count; i++) {
		waking->sleepers[i].woken_ns = lk_pace_clock_ns();
		CHECK(sem_post(&waking->sleepers[i].wake) == 0);
	}
}

static void wake(const struct lk_loop_options *options, struct lk_figures *figures, struct lk_histogram *latencies)
{
	struct waking waking = {.count = options->callers};
	int64_t end_ns = lk_pace_clock_ns() + options->length_ns;

	waking.sleepers = calloc(waking.count, sizeof *waking.sleepers);
	CHECK(waking.sleepers != NULL && sem_init(&waking.all_awake, 0, 0) == 0);
	for (size_t i = 0; i < waking.count; i++) {
		struct sleeper *sleeper = &waking.sleepers[i];
		*sleeper = (struct sleeper){.waking = &waking, .latencies = lk_histogram_new()};
		CHECK(sem_init(&sleeper->wake, 0, 0) == 0);
		CHECK(pthread_create(&sleeper->thread, NULL, sleep_and_wake, sleeper) == 0);
	}
	lk_figures_start(figures);
	while (lk_pace_clock_ns() < end_ns) {
		wake_all(&waking);
		CHECK(sem_wait(&waking.all_awake) == 0);
	}
	lk_figures_stop(figures);
	atomic_store(&waking.over, true);
	wake_all(&waking);
	for (size_t i = 0; i < waking.count; i++) {
		CHECK(pthread_join(waking.sleepers[i].thread, NULL) == 0);
		CHECK(sem_destroy(&waking.sleepers[i].wake) == 0);
		lk_histogram_merge(latencies, waking.sleepers[i].latencies);
		lk_histogram_free(waking.sleepers[i].latencies);
	}
	CHECK(sem_destroy(&waking.all_awake) == 0);
	free(waking.sleepers);
}

static void read_arguments(struct driver *driver, int argc, char **argv)
{
	CHECK_MSG(argc == 7, "bench_verifier URL TOKENS async|threads|unary|unary-threads|wake CALLERS SECONDS RATE");
	driver->loop = (struct lk_loop_options){
		.callers = lk_option_number("CALLERS", argv[4], 1),
		.length_ns = lk_option_seconds("SECONDS", argv[5]),
		.rate = (double)lk_option_number("RATE", argv[6], 0),
		.context = driver,
	};
	if (strcmp(argv[3], "async") == 0 || strcmp(argv[3], "unary") == 0) {
		driver->loop.ask = ask;
	} else if (strcmp(argv[3], "threads") == 0 || strcmp(argv[3], "unary-threads") == 0) {
		driver->loop.wait = wait_for;
	} else {
		CHECK_MSG(strcmp(argv[3], "wake") == 0, argv[3]);
	}
	driver->batching = strncmp(argv[3], "unary", 5) != 0;
}

int main(int argc, char **argv)
{
	static struct driver driver;
	struct lk_figures figures = {0};
	struct lk_histogram *latencies = lk_histogram_new();

	read_arguments(&driver, argc, argv);
	if (driver.loop.ask == NULL && driver.loop.wait == NULL) {
		wake(&driver.loop, &figures, latencies);
	} else {
		lk_tokens_read(&driver.tokens, argv[2]);
		drive(&driver, argv[1], &figures, latencies);
		lk_tokens_done(&driver.tokens);
	}
	lk_figures_print(&figures, latencies, "");
	lk_histogram_free(latencies);
	return 0;
}

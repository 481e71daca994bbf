/*
 * Asks for verdicts in this process, beside a daemon or without one: so many threads with a verifier each, for so many seconds.
 * Every verdict must be VALID. Tokens are asked about in an order of chance.
 *
 *	bench_local DIR TOKENS THREADS SECONDS packed|message
 *
 * Prints one JSON object: verdicts per second, of all threads together, the mean nanoseconds of a verdict in a thread, by the
 * clock and of processor time, and the bytes of a reply.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <latchkey/local.h>
#include <latchkey/token.h>

#include "tests/lib/check.h"

#define THREADS_MAX 64
/* The clock is looked at once in so many verdicts. */
#define ROUND 256

struct driver {
	struct lk_local *local;
	char **tokens;
	size_t n_tokens;
	bool packed;
	double seconds;
	pthread_barrier_t start;
};

struct runner {
	struct driver *driver;
	pthread_t thread;
	uint64_t random;
	uint64_t verdicts;
	int64_t ns;
	/* Processor time of the thread, which a busy machine stretches less. */
	int64_t cpu_ns;
	size_t reply_len;
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* xorshift64: which token comes next need not be secret. */
static uint64_t next_random(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

static void ask(struct runner *runner, struct lk_local_verifier *verifier, Latchkey__V1__VerifyKeyRequest *request)
{
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_local_reply reply = {0};
	struct driver *driver = runner->driver;

	request->token = driver->tokens[next_random(&runner->random) % driver->n_tokens];
	if (driver->packed) {
		CHECK(lk_local_verify_packed(verifier, request, &reply, NULL) == LK_OK);
		CHECK(reply.code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
		runner->reply_len = reply.len;
	} else {
		CHECK(lk_local_verify(verifier, request, &response, NULL) == LK_OK);
		CHECK(response->valid && response->key != NULL);
	}
}

static void *run(void *argument)
{
	struct runner *runner = argument;
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	struct lk_local_verifier *verifier = NULL;

	CHECK(lk_local_verifier_new(runner->driver->local, &verifier) == LK_OK);
	(void)pthread_barrier_wait(&runner->driver->start);
	int64_t cpu_start = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	int64_t start = clock_ns(CLOCK_MONOTONIC);
	int64_t until = start + (int64_t)(runner->driver->seconds * 1e9);
	do {
		for (int i = 0; i < ROUND; i++) {
			ask(runner, verifier, &request);
		}
		runner->verdicts += ROUND;
		runner->ns = clock_ns(CLOCK_MONOTONIC) - start;
	} while (start + runner->ns < until);
	runner->cpu_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
	lk_local_verifier_free(verifier);
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

int main(int argc, char **argv)
{
	static struct driver driver;
	static struct runner runners[THREADS_MAX];
	char message[LK_LOCAL_MESSAGE_LEN] = "";
	double rate = 0;
	double ns = 0;
	double cpu_ns = 0;

	CHECK_MSG(argc == 6 && (strcmp(argv[5], "packed") == 0 || strcmp(argv[5], "message") == 0),
		"bench_local DIR TOKENS THREADS SECONDS packed|message");
	size_t threads = strtoul(argv[3], NULL, 10);
	CHECK_MSG(threads > 0 && threads <= THREADS_MAX, "THREADS is 1 to 64");
	driver.seconds = strtod(argv[4], NULL);
	driver.packed = strcmp(argv[5], "packed") == 0;
	read_tokens(&driver, argv[2]);
	struct lk_local_options options = {.dir = argv[1]};
	CHECK_MSG(lk_local_open(&options, &driver.local, message) == LK_OK, message);
	CHECK(pthread_barrier_init(&driver.start, NULL, (unsigned)threads) == 0);
	for (size_t i = 0; i < threads; i++) {
		runners[i] = (struct runner){
			.driver = &driver, .random = (uint64_t)clock_ns(CLOCK_MONOTONIC) * (i + 1) | 1};
		CHECK(pthread_create(&runners[i].thread, NULL, run, &runners[i]) == 0);
	}
	for (size_t i = 0; i < threads; i++) {
		CHECK(pthread_join(runners[i].thread, NULL) == 0);
		rate += (double)runners[i].verdicts * 1e9 / (double)runners[i].ns;
		ns += (double)runners[i].ns / (double)runners[i].verdicts / (double)threads;
		cpu_ns += (double)runners[i].cpu_ns / (double)runners[i].verdicts / (double)threads;
	}
	(void)printf("{\"threads\": %zu, \"per_second\": %.0f, \"ns\": %.1f, \"cpu_ns\": %.1f, \"reply_bytes\": %zu}\n",
		threads, rate, ns, cpu_ns, runners[0].reply_len);
	lk_local_close(driver.local);
	return 0;
}

/*
 * The floor: what a verdict cannot be had without, in-process. Keyed BLAKE2b of the token, and one mdb_get by its first 8 bytes
 * in the very store that Latchkey serves, opened read-only beside it or without it.
 *
 *	bench_floor DIR TOKENS THREADS SECONDS RATE held|renewed
 *
 * DIR: a data directory of Latchkey's. RATE: verdicts a second, an open loop; 0: a closed one. held: one read transaction for the
 * whole run, which nobody who has to see changes can afford. renewed: mdb_txn_renew and mdb_txn_reset around each get, as a
 * verifier must.
 *
 * Beside Verify it lacks everything else: it compares only 8 of the digest's 32 bytes, touches the record's first 8 bytes and no
 * more, looks at no gate, state, expiry, permission or address, charges and counts nothing, copies no identity, makes no reply,
 * and there is no message. The clock is read once a verdict, for the histogram.
 */
#include <inttypes.h>
#include <lmdb.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/bench/figures.h"
#include "tests/bench/pace.h"
#include "tests/bench/warm.h"
#include "tests/lib/check.h"

#define DIGEST_LEN   32
#define THREADS_MOST 64
/* As latchkeyd has them: whoever comes first decides. */
#define READERS 4096
#define TABLES  32

struct floor {
	MDB_env *env;
	MDB_dbi verdict;
	uint8_t key[DIGEST_LEN];
	struct lk_tokens tokens;
	size_t threads;
	bool renewed;
	/* Of an open loop, else NULL. */
	struct lk_pace *pace;
	int64_t end_ns;
	pthread_barrier_t ready;
	_Atomic bool over;
};

struct runner {
	struct floor *floor;
	pthread_t thread;
	size_t number;
	struct lk_histogram *histogram;
	/* What was read, so that no compiler leaves the reading out. */
	uint64_t seen;
};

static void read_key(struct floor *floor, const char *dir)
{
	char path[4096] = "";

	(void)snprintf(path, sizeof path, "%s/verify.key", dir);
	FILE *file = fopen(path, "r");
	CHECK_MSG(file != NULL, path);
	CHECK_MSG(fread(floor->key, 1, sizeof floor->key, file) == sizeof floor->key, path);
	CHECK(fclose(file) == 0);
}

static void open_store(struct floor *floor, const char *dir)
{
	MDB_txn *txn = NULL;

	CHECK(mdb_env_create(&floor->env) == 0);
	CHECK(mdb_env_set_maxreaders(floor->env, READERS) == 0 && mdb_env_set_maxdbs(floor->env, TABLES) == 0);
	int rc = mdb_env_open(floor->env, dir, MDB_RDONLY | MDB_NOTLS, 0660);
	CHECK_MSG(rc == 0, mdb_strerror(rc));
	CHECK(mdb_txn_begin(floor->env, NULL, MDB_RDONLY, &txn) == 0);
	rc = mdb_dbi_open(txn, "verdict", MDB_INTEGERKEY, &floor->verdict);
	CHECK_MSG(rc == 0, mdb_strerror(rc));
	/* Ended by a commit, the handle stays for the other transactions. */
	CHECK(mdb_txn_commit(txn) == 0);
}

static uint64_t look_up(struct floor *floor, MDB_txn *txn, const char *token)
{
	uint8_t digest[DIGEST_LEN];
	uint64_t first = 0;
	uint64_t number = 0;
	MDB_val value = {0};

	(void)crypto_generichash_blake2b(
		digest, sizeof digest, (const unsigned char *)token, strlen(token), floor->key, sizeof floor->key);
	memcpy(&number, digest, sizeof number);
	MDB_val key = {sizeof number, &number};
	int rc = mdb_get(txn, floor->verdict, &key, &value);
	CHECK_MSG(rc == 0, mdb_strerror(rc));
	memcpy(&first, value.mv_data, sizeof first);
	return first;
}

static void run(struct runner *runner, MDB_txn *txn)
{
	struct floor *floor = runner->floor;
	size_t cursor = lk_tokens_begin(&floor->tokens, runner->number, floor->threads);
	int64_t from_ns = lk_pace_clock_ns();

	while (!atomic_load_explicit(&floor->over, memory_order_relaxed)) {
		const char *token = lk_tokens_next(&floor->tokens, &cursor);
		if (floor->pace != NULL) {
			from_ns = lk_pace_next(floor->pace);
			if (from_ns >= floor->end_ns) {
				break;
			}
		}
		if (floor->renewed) {
			CHECK(mdb_txn_renew(txn) == 0);
		}
		runner->seen ^= look_up(floor, txn, token);
		if (floor->renewed) {
			mdb_txn_reset(txn);
		}
		int64_t now_ns = lk_pace_clock_ns();
		lk_histogram_add(runner->histogram, now_ns - from_ns, 1);
		from_ns = now_ns;
	}
}

static void *begin(void *argument)
{
	struct runner *runner = argument;
	MDB_txn *txn = NULL;

	CHECK(mdb_txn_begin(runner->floor->env, NULL, MDB_RDONLY, &txn) == 0);
	if (runner->floor->renewed) {
		mdb_txn_reset(txn);
	}
	(void)pthread_barrier_wait(&runner->floor->ready);
	run(runner, txn);
	mdb_txn_abort(txn);
	return NULL;
}

/* A closed loop ends after so long; an open one with the last arrival. */
static void join_all(struct floor *floor, struct runner *runners, int64_t length_ns)
{
	struct timespec length = lk_pace_timespec(length_ns);

	if (floor->pace == NULL) {
		(void)nanosleep(&length, NULL);
		atomic_store(&floor->over, true);
	}
	for (size_t i = 0; i < floor->threads; i++) {
		CHECK(pthread_join(runners[i].thread, NULL) == 0);
	}
}

static void measure(struct floor *floor, int64_t length_ns, double rate)
{
	static struct runner runners[THREADS_MOST];
	struct lk_figures figures = {0};
	char more[64] = "";
	uint64_t seen = 0;

	CHECK(pthread_barrier_init(&floor->ready, NULL, (unsigned)floor->threads + 1) == 0);
	for (size_t i = 0; i < floor->threads; i++) {
		runners[i] = (struct runner){.floor = floor, .number = i, .histogram = lk_histogram_new()};
		CHECK(pthread_create(&runners[i].thread, NULL, begin, &runners[i]) == 0);
	}
	lk_figures_start(&figures);
	floor->end_ns = figures.started_ns + length_ns;
	floor->pace = rate > 0 ? lk_pace_new(rate, figures.started_ns) : NULL;
	(void)pthread_barrier_wait(&floor->ready);
	join_all(floor, runners, length_ns);
	lk_figures_stop(&figures);
	for (size_t i = 0; i < floor->threads; i++) {
		seen ^= runners[i].seen;
		if (i > 0) {
			lk_histogram_merge(runners[0].histogram, runners[i].histogram);
			lk_histogram_free(runners[i].histogram);
		}
	}
	(void)snprintf(more, sizeof more, ", \"threads\": %zu, \"seen\": \"%016" PRIx64 "\"", floor->threads, seen);
	lk_figures_print(&figures, runners[0].histogram, more);
	lk_histogram_free(runners[0].histogram);
	lk_pace_free(floor->pace);
	CHECK(pthread_barrier_destroy(&floor->ready) == 0);
}

int main(int argc, char **argv)
{
	static struct floor floor;

	CHECK_MSG(argc == 7, "bench_floor DIR TOKENS THREADS SECONDS RATE held|renewed");
	floor.threads = lk_option_number("THREADS", argv[3], 1);
	CHECK_MSG(floor.threads <= THREADS_MOST, "THREADS: 64 at most");
	int64_t length_ns = lk_option_seconds("SECONDS", argv[4]);
	double rate = (double)lk_option_number("RATE", argv[5], 0);
	floor.renewed = strcmp(argv[6], "renewed") == 0;
	CHECK_MSG(floor.renewed || strcmp(argv[6], "held") == 0, "held or renewed");
	CHECK(sodium_init() >= 0);
	read_key(&floor, argv[1]);
	open_store(&floor, argv[1]);
	lk_warm_maps();
	lk_tokens_read(&floor.tokens, argv[2]);
	measure(&floor, length_ns, rate);
	lk_tokens_done(&floor.tokens);
	mdb_env_close(floor.env);
	sodium_memzero(floor.key, sizeof floor.key);
	return 0;
}

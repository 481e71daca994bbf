#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include "server/store/find.h"
#include "server/store/slots.h"
#include "tests/lib/child.h"
#include "tests/unit/store/bench.h"
#include <cmocka.h>

#define ROUNDS     8
#define THREADS    4
#define SLOTS_MOST 65536

/* What a process that writes says of a key, once it was told so itself. */
struct acknowledged {
	uint64_t slot;
	bool revoked;
};

struct writing {
	struct bench bench;
	struct lk_child *parent;
};

/* Runs a job to its end; false where it did not succeed. */
static bool run_job(struct job *job)
{
	struct bench *bench = job->bench;

	if (job_submit(job) != LK_OK) {
		return false;
	}
	pthread_mutex_lock(&bench->lock);
	while (job->times_done == 0) {
		pthread_cond_wait(&bench->changed, &bench->lock);
	}
	pthread_mutex_unlock(&bench->lock);
	return job->err == LK_OK;
}

static bool tell(struct writing *writing, uint64_t slot, bool revoked)
{
	struct acknowledged acknowledged = {.slot = slot, .revoked = revoked};

	return lk_child_tell(writing->parent, &acknowledged, sizeof acknowledged);
}

/* Makes keys, uses each once, and revokes every other, until it is killed. */
static void *write_until_killed(void *argument)
{
	struct writing *writing = argument;
	bool good = true;

	for (int i = 0; good; i++) {
		struct job *create = job_new(&writing->bench, "ci");
		good = create != NULL && run_job(create);
		uint64_t slot = good ? create->key->slot : 0;
		if (good) {
			lk_slots_use(lk_store_slots(writing->bench.world.fixture->store), slot, 1);
			good = tell(writing, slot, false);
		}
		job_free(create);
		if (good && i % 2 == 0) {
			struct job *end = job_new(&writing->bench, "");
			end->make = job_revokes;
			end->slot = slot;
			good = run_job(end) && tell(writing, slot, true);
			job_free(end);
		}
	}
	return NULL;
}

static int write_in_a_process(struct lk_child *parent, void *context)
{
	struct world *world = context;
	struct writing writing = {.bench = {.world = *world}, .parent = parent};
	pthread_t threads[THREADS];

	pthread_mutex_init(&writing.bench.lock, NULL);
	pthread_cond_init(&writing.bench.changed, NULL);
	if (lk_fixture_open(world->fixture) != LK_OK ||
		lk_writer_start(world->fixture->store, THREADS, &writing.bench.writer) != LK_OK) {
		return 1;
	}
	for (size_t i = 0; i < THREADS; i++) {
		if (pthread_create(&threads[i], NULL, write_until_killed, &writing) != 0) {
			return 1;
		}
	}
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
	}
	return 1;
}

/* What was acknowledged in all rounds, by slot. */
struct expected {
	bool created[SLOTS_MOST];
	bool revoked[SLOTS_MOST];
};

static void note(struct expected *expected, struct acknowledged acknowledged)
{
	assert_in_range(acknowledged.slot, 1, SLOTS_MOST - 1);
	expected->created[acknowledged.slot] = true;
	expected->revoked[acknowledged.slot] |= acknowledged.revoked;
}

static void assert_all_there(struct world *world, const struct expected *expected)
{
	struct lk_txn *txn = lk_fixture_snapshot(world->fixture);
	uint8_t hash[LK_DIGEST_LEN];

	for (uint64_t slot = 1; slot < SLOTS_MOST; slot++) {
		if (expected->created[slot]) {
			const Latchkey__Store__KeyRecord *key = lk_find_key_by_slot(txn, world->arena, slot);
			assert_non_null(key);
			assert_true(!expected->revoked[slot] || key->state == LK_REVOKED);
			assert_int_equal(lk_slots_usage(lk_store_slots(world->fixture->store), slot).count, 1);
		}
	}
	const struct lk_head *head = lk_txn_head(txn);
	assert_int_equal(world_chain_length(world, txn, hash), head->last_audit);
	assert_memory_equal(hash, head->audit_hash, sizeof hash);
	world_assert_consistent(world->fixture);
}

/* Killed in the middle of its commits again and again, a store has all that it acknowledged, and is whole. */
static void test_crash_loses_nothing_that_was_acknowledged(void **state)
{
	static struct expected expected;
	struct world world = world_make(state);
	struct acknowledged acknowledged = {0};

	lk_fixture_close(world.fixture);
	for (size_t round = 0; round < ROUNDS; round++) {
		struct lk_child child = {0};
		assert_true(lk_child_start(&child, write_in_a_process, &world));
		/* Killed after another number each time, to be at another point of its work. */
		for (size_t i = 0; i < 10 + 13 * round; i++) {
			assert_true(lk_child_hear(&child, &acknowledged, sizeof acknowledged));
			note(&expected, acknowledged);
		}
		assert_int_equal(kill(child.pid, SIGKILL), 0);
		while (lk_child_hear(&child, &acknowledged, sizeof acknowledged)) {
			note(&expected, acknowledged);
		}
		assert_int_equal(lk_child_wait(&child), -SIGKILL);
		assert_int_equal(lk_fixture_open(world.fixture), LK_OK);
		assert_all_there(&world, &expected);
		lk_fixture_close(world.fixture);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_crash_loses_nothing_that_was_acknowledged),
	};

	return cmocka_run_group_tests_name("store crash", tests, NULL, NULL);
}

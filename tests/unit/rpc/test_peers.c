/* The table of connections, alone and under threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "server/rpc/peers.h"

static int set_up(void **state)
{
	struct lk_peers *peers = calloc(1, sizeof(*peers));

	*state = peers;
	return peers != NULL && lk_peers_init(peers, 64) == LK_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	lk_peers_done(*state);
	free(*state);
	return 0;
}

static struct lk_peer known(uid_t uid)
{
	return (struct lk_peer){.uid_known = true, .uid = uid};
}

static void test_peers_find_whom_they_have(void **state)
{
	struct lk_peers *peers = *state;

	assert_true(lk_peers_add(peers, 7, known(1000)));
	assert_true(lk_peers_add(peers, 8, known(0)));
	assert_true(lk_peers_add(peers, 9, (struct lk_peer){.uid_known = false, .uid = 0}));
	assert_true(lk_peers_find(peers, 7).uid_known);
	assert_int_equal(lk_peers_find(peers, 7).uid, 1000);
	assert_true(lk_peers_find(peers, 8).uid_known);
	assert_int_equal(lk_peers_find(peers, 8).uid, 0);
	assert_false(lk_peers_find(peers, 9).uid_known);
	assert_int_not_equal(lk_peers_find(peers, 9).uid, 0);
	assert_false(lk_peers_find(peers, 10).uid_known);
	assert_int_not_equal(lk_peers_find(peers, 10).uid, 0);
	assert_int_equal(lk_peers_count(peers), 3);
}

static void test_peers_forget_whom_they_lose(void **state)
{
	struct lk_peers *peers = *state;

	assert_true(lk_peers_add(peers, 7, known(1000)));
	assert_true(lk_peers_remove(peers, 7));
	assert_false(lk_peers_remove(peers, 7));
	assert_false(lk_peers_find(peers, 7).uid_known);
	assert_int_equal(lk_peers_begin(peers, 7), 0);
	assert_int_equal(lk_peers_count(peers), 0);
}

static void test_peers_count_requests_of_the_same_connection_only(void **state)
{
	struct lk_peers *peers = *state;

	assert_true(lk_peers_add(peers, 7, known(1)));
	assert_int_equal(lk_peers_begin(peers, 7), 1);
	assert_int_equal(lk_peers_begin(peers, 7), 2);
	lk_peers_end(peers, 7);
	assert_int_equal(lk_peers_begin(peers, 7), 2);
	assert_true(lk_peers_remove(peers, 7));
	assert_true(lk_peers_add(peers, 7 + 256, known(2)));
	assert_int_equal(lk_peers_begin(peers, 7 + 256), 1);
	/* The end of a request of a connection that is gone. */
	lk_peers_end(peers, 7);
	assert_int_equal(lk_peers_begin(peers, 7 + 256), 2);
}

static void test_peers_refuse_when_full(void **state)
{
	struct lk_peers *peers = *state;
	uint32_t id = 1;

	while (lk_peers_add(peers, id, known(id)))
		id++;
	assert_true(id > 64);
	assert_true(id <= peers->mask + 1);
	for (uint32_t i = 1; i < id; i++)
		assert_int_equal(lk_peers_find(peers, i).uid, i);
	/* A search for one that is not there ends. */
	assert_false(lk_peers_find(peers, id).uid_known);
}

/* Against a plain array, in a random order: all that is in is found, and the table is empty again in the end. */
static void test_peers_agree_with_a_model(void **state)
{
	enum {
		IDS = 100
	};
	struct lk_peers *peers = *state;
	bool present[IDS + 1] = {false};
	unsigned seed = 42;

	for (int step = 0; step < 20000; step++) {
		uint32_t n = 1 + (uint32_t)rand_r(&seed) % IDS;
		/* Ids that meet in few homes. */
		uint32_t id = n * 256;

		if (present[n])
			assert_true(lk_peers_remove(peers, id));
		else
			assert_true(lk_peers_add(peers, id, known(n)));
		present[n] = !present[n];
		n = 1 + (uint32_t)rand_r(&seed) % IDS;
		assert_int_equal(lk_peers_find(peers, n * 256).uid_known, present[n]);
		assert_true(!present[n] || lk_peers_find(peers, n * 256).uid == n);
	}
	for (uint32_t n = 1; n <= IDS; n++)
		assert_int_equal(lk_peers_remove(peers, n * 256), present[n]);
	for (size_t i = 0; i <= peers->mask; i++)
		assert_int_equal(atomic_load(&peers->entries[i].who), 0);
}

enum {
	ROUNDS = 20000,
	READERS = 3
};

struct race {
	struct lk_peers *peers;
	_Atomic uint32_t newest;
	_Atomic int wrong;
};

/* A connection's uid is its id's double; the table is small, so that places are used again all the time. */
static void *look_up(void *argument)
{
	struct race *race = argument;
	uint32_t newest = 0;

	while ((newest = atomic_load(&race->newest)) < ROUNDS) {
		for (uint32_t id = newest > 8 ? newest - 8 : 1; id <= newest; id++) {
			struct lk_peer peer = lk_peers_find(race->peers, id);
			uint32_t load = lk_peers_begin(race->peers, id);

			if ((peer.uid_known && peer.uid != id * 2) || load > READERS)
				atomic_fetch_add(&race->wrong, 1);
			if (load > 0)
				lk_peers_end(race->peers, id);
		}
	}
	return NULL;
}

static void test_peers_never_mix_up_two_under_threads(void **state)
{
	struct race race = {.peers = *state};
	pthread_t readers[READERS];

	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, look_up, &race), 0);
	for (uint32_t id = 1; id <= ROUNDS; id++) {
		assert_true(lk_peers_add(race.peers, id, known(id * 2)));
		/* While it is in, it is found. */
		if (!lk_peers_find(race.peers, id).uid_known)
			atomic_fetch_add(&race.wrong, 1);
		atomic_store(&race.newest, id);
		if (id > 4)
			assert_true(lk_peers_remove(race.peers, id - 4));
	}
	for (int i = 0; i < READERS; i++)
		(void)pthread_join(readers[i], NULL);
	assert_int_equal(atomic_load(&race.wrong), 0);
	assert_int_equal(lk_peers_count(race.peers), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_peers_find_whom_they_have, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peers_forget_whom_they_lose, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_peers_count_requests_of_the_same_connection_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peers_refuse_when_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peers_agree_with_a_model, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_peers_never_mix_up_two_under_threads, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("peers", tests, NULL, NULL);
}

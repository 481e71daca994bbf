/* What apply sets aside in the files of lines, before a commit names it. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "server/store/denials.h"
#include "tests/lib/child.h"
#include "tests/lib/draft.h"
#include "tests/lib/store_fixture.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

/* Changes the head as if so many had been made. */
static void skip_numbers(struct world *world, uint64_t last_slot, uint32_t last_keyspace)
{
	struct lk_key where = lk_key_meta("head");
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(world->fixture->store, &txn), LK_OK);
	struct lk_head head = *lk_txn_head(txn);
	head.last_slot = last_slot;
	head.last_keyspace = last_keyspace;
	*lk_txn_head(txn) = head;
	lk_txn_put(txn, LK_TABLE_META, &where, &head, sizeof head, 0);
	assert_int_equal(lk_write_commit(txn), LK_OK);
}

/* A slot or a keyspace whose denials have no disk would be SIGBUS to every verifier. */
static void test_apply_reserves_the_lines_of_denials(void **state)
{
	struct world world = world_make(state);
	struct lk_denial denial = {.code = 5, .time_us = 7};
	uint64_t counts[LK_DENIAL_CODES];
	const uint64_t far_slot = 200000;
	const uint32_t far_keyspace = 3000;

	struct lk_denials *denials = lk_store_denials(world.fixture->store);
	lk_denials_note(denials, far_slot + 1, far_keyspace + 1, &denial);
	assert_int_equal(lk_denials_last(denials, far_slot + 1).code, 0);
	skip_numbers(&world, far_slot, far_keyspace);
	uint32_t keyspace = lk_fixture_keyspace(world.fixture, world.tenant, "far");
	assert_int_equal(keyspace, far_keyspace + 1);
	assert_int_equal(lk_fixture_key(world.fixture, world.tenant, keyspace, "far")->slot, far_slot + 1);
	lk_denials_note(denials, far_slot + 1, keyspace, &denial);
	assert_int_equal(lk_denials_last(denials, far_slot + 1).code, 5);
	lk_denials_counts(denials, keyspace, counts);
	assert_int_equal(counts[5], 1);
	/* Where there can be no further keyspace, none is made, and keys still are. */
	skip_numbers(&world, far_slot + 1, LK_DENIAL_KEYSPACES);
	Latchkey__Store__Change *change = lk_draft_new(world.arena);
	lk_draft_put_keyspace(world.arena, change, world.tenant, "farther");
	assert_int_equal(lk_fixture_apply(world.fixture, change), LK_FULL);
	assert_non_null(lk_fixture_key(world.fixture, world.tenant, keyspace, "one more"));
}

/* Makes a key for whose denials there is no disk, and then ends one that is there. */
static int create_on_a_full_disk(struct lk_child *parent, void *context)
{
	struct lk_fixture *fixture = context;
	struct rlimit limit = {.rlim_cur = (rlim_t)4 << 20, .rlim_max = (rlim_t)4 << 20};
	uint32_t place[2] = {0};

	if (!lk_child_hear(parent, place, sizeof place) || lk_fixture_open(fixture) != LK_OK ||
		signal(SIGXFSZ, SIG_IGN) == SIG_ERR || setrlimit(RLIMIT_FSIZE, &limit) != 0) {
		return 100;
	}
	struct lk_arena arena = {0};
	if (lk_arena_init(&arena, 1 << 12, 1 << 20) != LK_OK) {
		return 101;
	}
	Latchkey__Store__Change *change = lk_draft_new(&arena);
	lk_draft_put_key(&arena, change, place[0], place[1], "refused");
	enum lk_err err = lk_fixture_apply(fixture, change);
	change = lk_draft_new(&arena);
	lk_draft_delete_key(&arena, change, 1);
	enum lk_err ended = lk_fixture_apply(fixture, change);
	lk_fixture_close(fixture);
	lk_arena_done(&arena);
	return ended == LK_OK ? (int)err : 102;
}

static void test_apply_full_disk_of_denials_refuses_a_key(void **state)
{
	struct world world = world_make(state);
	struct lk_child child = {0};
	uint32_t place[2] = {world.tenant, world.keyspace};

	world_key(&world, "one");
	/* The last slot of the first step: 4 MiB of lines of 32 bytes, less the header. */
	skip_numbers(&world, ((4 << 20) - 64) / 32, world.keyspace);
	lk_fixture_close(world.fixture);
	assert_true(lk_child_start(&child, create_on_a_full_disk, world.fixture));
	assert_true(lk_child_tell(&child, place, sizeof place));
	assert_int_equal(lk_child_wait(&child), LK_FULL);
	assert_int_equal(lk_fixture_open(world.fixture), LK_OK);
	assert_non_null(lk_fixture_key(world.fixture, world.tenant, world.keyspace, "made"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_apply_reserves_the_lines_of_denials),
		TEST(test_apply_full_disk_of_denials_refuses_a_key),
	};

	return cmocka_run_group_tests_name("apply, lines", tests, NULL, NULL);
}

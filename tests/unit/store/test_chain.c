#include "server/store/chain.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/draft.h"
#include "tests/unit/store/world.h"
#include <cmocka.h>

#define ALL SIZE_MAX

/* Proves a chain from its first record on, in parts of `most`; the break, and the last record that is good. */
static struct lk_chain_break prove(struct world *world, struct lk_txn *txn, size_t most, uint64_t *ret_proved)
{
	struct lk_chain_position position = {0};
	struct lk_chain_break broken = {0};

	while (lk_chain_prove(txn, world->arena, &position, most, &broken)) {
		assert_int_equal(broken.number, 0);
	}
	*ret_proved = position.number;
	return broken;
}

/* A change of the table that nobody but a test makes, in a transaction that is not committed. */
static struct lk_txn *begin_forgery(struct world *world)
{
	struct lk_txn *txn = NULL;

	assert_int_equal(lk_write_begin(world->fixture->store, &txn), LK_OK);
	return txn;
}

/* That the chain is broken at `number`, and why; ends the forgery. */
static void assert_broken(struct world *world, struct lk_txn *forgery, uint64_t number, const char *why)
{
	uint64_t proved = 0;

	/* In one part, and in parts of one record. */
	for (size_t most = 1; most != 0; most = most == 1 ? ALL : 0) {
		struct lk_chain_break broken = prove(world, forgery, most, &proved);
		assert_int_equal(broken.number, number);
		assert_non_null(strstr(broken.description, why));
		assert_int_equal(proved, number - 1);
	}
	lk_write_abort(forgery);
}

static size_t copy_record(struct world *world, uint64_t number, uint8_t *copy, size_t size)
{
	struct lk_key where = lk_key_u64(number);
	struct lk_value value = {0};

	assert_true(lk_txn_get(lk_fixture_snapshot(world->fixture), LK_TABLE_AUDIT, &where, &value));
	assert_true(value.len <= size);
	memcpy(copy, value.data, value.len);
	return value.len;
}

/* acme and prod are records 3 and 4; then 6 keys, each made and revoked: 16 records. */
#define RECORDS 16

static struct world world_with_records(void **state)
{
	struct world world = world_make(state);

	for (int i = 0; i < 6; i++) {
		world_revoke(&world, world_key(&world, "ci"));
	}
	return world;
}

static void test_chain_that_is_whole_is_proved_in_parts_of_any_size(void **state)
{
	struct world world = world_with_records(state);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	uint64_t proved = 0;

	for (size_t most = 1; most <= RECORDS + 1; most++) {
		assert_int_equal(prove(&world, txn, most, &proved).number, 0);
		assert_int_equal(proved, RECORDS);
	}
}

static void test_chain_is_proved_in_bounded_parts(void **state)
{
	struct world world = world_with_records(state);
	struct lk_chain_position position = {0};
	struct lk_chain_break broken = {0};

	assert_true(lk_chain_prove(lk_fixture_snapshot(world.fixture), world.arena, &position, 5, &broken));
	assert_int_equal(position.number, 5);
	/* What is appended between two parts is proved, too. */
	world_key(&world, "late");
	assert_false(lk_chain_prove(lk_fixture_snapshot(world.fixture), world.arena, &position, ALL, &broken));
	assert_int_equal(broken.number, 0);
	assert_int_equal(position.number, RECORDS + 1);
}

static void test_chain_shows_every_byte_that_was_altered(void **state)
{
	struct world world = world_with_records(state);
	const uint64_t numbers[] = {1, 4, 9, RECORDS};
	uint8_t copy[2048];
	uint64_t proved = 0;

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
		struct lk_key where = lk_key_u64(numbers[i]);
		size_t len = copy_record(&world, numbers[i], copy, sizeof copy);
		for (size_t at = 0; at < len; at++) {
			struct lk_txn *forgery = begin_forgery(&world);
			copy[at] ^= (uint8_t)(1u << at % 8);
			lk_txn_put(forgery, LK_TABLE_AUDIT, &where, copy, len, 0);
			copy[at] ^= (uint8_t)(1u << at % 8);
			struct lk_chain_break broken = prove(&world, forgery, ALL, &proved);
			assert_int_equal(broken.number, numbers[i]);
			assert_int_equal(proved, numbers[i] - 1);
			lk_write_abort(forgery);
		}
	}
}

static void test_chain_shows_a_record_of_any_length_in_place_of_another(void **state)
{
	struct world world = world_with_records(state);
	struct lk_key where = lk_key_u64(7);
	uint8_t copy[2048];
	size_t len = copy_record(&world, 7, copy, sizeof copy);

	for (size_t cut = 0; cut < len; cut++) {
		struct lk_txn *forgery = begin_forgery(&world);
		lk_txn_put(forgery, LK_TABLE_AUDIT, &where, copy, cut, 0);
		assert_broken(&world, forgery, 7, "altered");
	}
	struct lk_txn *forgery = begin_forgery(&world);
	memset(copy + len, 0, 1);
	lk_txn_put(forgery, LK_TABLE_AUDIT, &where, copy, len + 1, 0);
	assert_broken(&world, forgery, 7, "altered");
}

static void test_chain_shows_a_record_that_is_missing(void **state)
{
	struct world world = world_with_records(state);

	for (uint64_t number = 1; number <= RECORDS; number++) {
		struct lk_key where = lk_key_u64(number);
		struct lk_txn *forgery = begin_forgery(&world);
		lk_txn_delete(forgery, LK_TABLE_AUDIT, &where);
		assert_broken(&world, forgery, number, "it is missing");
	}
}

static void test_chain_shows_a_record_that_was_moved(void **state)
{
	struct world world = world_with_records(state);
	struct lk_key eight = lk_key_u64(8);
	struct lk_key ten = lk_key_u64(10);
	uint8_t first[2048];
	uint8_t second[2048];
	size_t first_len = copy_record(&world, 8, first, sizeof first);
	size_t second_len = copy_record(&world, 10, second, sizeof second);
	struct lk_txn *forgery = begin_forgery(&world);

	lk_txn_put(forgery, LK_TABLE_AUDIT, &eight, second, second_len, 0);
	lk_txn_put(forgery, LK_TABLE_AUDIT, &ten, first, first_len, 0);
	assert_broken(&world, forgery, 8, "says it is number 10");
}

static void test_chain_shows_what_was_put_in(void **state)
{
	struct world world = world_with_records(state);
	struct lk_key behind = lk_key_u64(RECORDS + 1);
	struct lk_key before = lk_key_u64(0);
	struct lk_key between = lk_key_u64(5);
	uint8_t copy[2048];
	size_t len = copy_record(&world, RECORDS, copy, sizeof copy);
	struct lk_txn *forgery = begin_forgery(&world);

	lk_txn_put(forgery, LK_TABLE_AUDIT, &behind, copy, len, 0);
	assert_broken(&world, forgery, RECORDS + 1, "put in behind the head");
	forgery = begin_forgery(&world);
	lk_txn_put(forgery, LK_TABLE_AUDIT, &before, copy, len, 0);
	assert_broken(&world, forgery, 1, "nobody wrote");
	/* No number at all: sorts between 5 and 6. */
	between.data[between.len++] = 0;
	forgery = begin_forgery(&world);
	lk_txn_put(forgery, LK_TABLE_AUDIT, &between, copy, len, 0);
	assert_broken(&world, forgery, 6, "nobody wrote");
}

static void test_chain_shows_a_head_that_was_cut_off_or_altered(void **state)
{
	struct world world = world_with_records(state);
	struct lk_txn *forgery = begin_forgery(&world);
	uint64_t proved = 0;

	/* The head is put back, the records are there. */
	lk_txn_head(forgery)->last_audit = RECORDS - 2;
	assert_broken(&world, forgery, RECORDS - 1, "put in behind the head");
	forgery = begin_forgery(&world);
	lk_txn_head(forgery)->last_audit = RECORDS + 1;
	assert_broken(&world, forgery, RECORDS + 1, "it is missing");
	forgery = begin_forgery(&world);
	lk_txn_head(forgery)->audit_hash[LK_DIGEST_LEN - 1] ^= 1;
	struct lk_chain_break broken = prove(&world, forgery, ALL, &proved);
	assert_int_equal(broken.number, RECORDS);
	assert_non_null(strstr(broken.description, "not the one that the head names"));
	lk_write_abort(forgery);
}

/* Records and head are both of an earlier state: whoever has proved further knows. */
static void test_chain_shows_an_older_store_to_whoever_was_further(void **state)
{
	struct world world = world_with_records(state);
	struct lk_chain_position position = {.number = RECORDS + 3};
	struct lk_chain_break broken = {0};

	assert_false(lk_chain_prove(lk_fixture_snapshot(world.fixture), world.arena, &position, ALL, &broken));
	assert_int_equal(broken.number, RECORDS + 1);
	assert_non_null(strstr(broken.description, "was there before"));
}

static void test_chain_goes_on_only_from_the_hash_that_was_proved(void **state)
{
	struct world world = world_with_records(state);
	struct lk_chain_position position = {.number = 6};
	struct lk_chain_break broken = {0};

	assert_false(lk_chain_prove(lk_fixture_snapshot(world.fixture), world.arena, &position, ALL, &broken));
	assert_int_equal(broken.number, 7);
}

/* The file of a store that is closed, as bytes. */
struct image {
	uint8_t *bytes;
	size_t len;
};

static struct image map_data(struct world *world)
{
	struct image image = {0};
	struct stat info;
	char path[256];

	lk_fixture_path(world->fixture, "data.mdb", sizeof path, path);
	int file = open(path, O_RDWR | O_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(fstat(file, &info), 0);
	image.len = (size_t)info.st_size;
	image.bytes = mmap(NULL, image.len, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	assert_true(image.bytes != MAP_FAILED);
	(void)close(file);
	return image;
}

/* Flips a bit of the byte `at` of a record wherever the file has it: pages that LMDB left behind have it, too. */
static void flip(struct world *world, const uint8_t *record, size_t len, size_t at)
{
	struct image image = map_data(world);
	size_t found = 0;

	for (uint8_t *from = image.bytes;; from += len, found++) {
		from = memmem(from, image.len - (size_t)(from - image.bytes), record, len);
		if (from == NULL) {
			break;
		}
		from[at] ^= 0x20;
	}
	assert_true(found > 0);
	assert_int_equal(munmap(image.bytes, image.len), 0);
}

static void test_chain_shows_a_byte_that_was_flipped_in_the_file(void **state)
{
	struct world world = world_with_records(state);
	uint8_t copy[2048];
	uint64_t proved = 0;
	size_t len = copy_record(&world, 11, copy, sizeof copy);

	for (size_t at = 0; at < len; at += 7) {
		lk_fixture_close(world.fixture);
		flip(&world, copy, len, at);
		assert_int_equal(lk_fixture_open(world.fixture), LK_OK);
		assert_int_equal(prove(&world, lk_fixture_snapshot(world.fixture), 4, &proved).number, 11);
		assert_int_equal(proved, 10);
		lk_fixture_close(world.fixture);
		copy[at] ^= 0x20;
		flip(&world, copy, len, at);
		copy[at] ^= 0x20;
		assert_int_equal(lk_fixture_open(world.fixture), LK_OK);
		assert_int_equal(prove(&world, lk_fixture_snapshot(world.fixture), ALL, &proved).number, 0);
	}
}

static void test_chain_takes_a_failure_of_another_kind_for_no_break(void **state)
{
	struct world world = world_with_records(state);
	struct lk_txn *txn = lk_fixture_snapshot(world.fixture);
	struct lk_chain_position position = {0};
	struct lk_chain_break broken = {0};

	lk_txn_fail(txn, LK_NO_MEMORY);
	assert_false(lk_chain_prove(txn, world.arena, &position, ALL, &broken));
	assert_int_equal(broken.number, 0);
	txn = lk_fixture_snapshot(world.fixture);
	lk_txn_fail(txn, LK_CORRUPT);
	assert_false(lk_chain_prove(txn, world.arena, &position, ALL, &broken));
	assert_int_equal(broken.number, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lk_fixture_setup, lk_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_chain_that_is_whole_is_proved_in_parts_of_any_size),
		TEST(test_chain_is_proved_in_bounded_parts),
		TEST(test_chain_shows_every_byte_that_was_altered),
		TEST(test_chain_shows_a_record_of_any_length_in_place_of_another),
		TEST(test_chain_shows_a_record_that_is_missing),
		TEST(test_chain_shows_a_record_that_was_moved),
		TEST(test_chain_shows_what_was_put_in),
		TEST(test_chain_shows_a_head_that_was_cut_off_or_altered),
		TEST(test_chain_shows_an_older_store_to_whoever_was_further),
		TEST(test_chain_goes_on_only_from_the_hash_that_was_proved),
		TEST(test_chain_shows_a_byte_that_was_flipped_in_the_file),
		TEST(test_chain_takes_a_failure_of_another_kind_for_no_break),
	};

	return cmocka_run_group_tests_name("store chain", tests, NULL, NULL);
}

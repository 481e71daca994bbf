#include "server/core/arena.h"

#include <setjmp.h>
#include <stdalign.h>
#include <string.h>

#include <cmocka.h>

#include "latchkey/v1/key.pb-c.h"

static int setup(void **state)
{
	static struct lk_arena arena;
	*state = &arena;
	return lk_arena_init(&arena, 256, 4096) == LK_OK ? 0 : -1;
}

static int teardown(void **state)
{
	lk_arena_done(*state);
	return 0;
}

static bool is_zero(const unsigned char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] != 0) {
			return false;
		}
	}
	return true;
}

static void test_arena_blocks_are_zero_aligned_and_apart(void **state)
{
	struct lk_arena *arena = *state;
	unsigned char *before = NULL;
	for (size_t size = 0; size < 40; size++) {
		unsigned char *block = lk_arena_alloc(arena, size);
		assert_non_null(block);
		assert_int_equal((uintptr_t)block % alignof(max_align_t), 0);
		assert_true(block != before);
		assert_true(is_zero(block, size));
		memset(block, 0xff, size);
		before = block;
	}
}

static void test_arena_grows_up_to_its_cap_and_no_further(void **state)
{
	struct lk_arena *arena = *state;
	size_t total = 0;
	while (lk_arena_alloc(arena, 64) != NULL) {
		total += 64;
		assert_false(arena->exhausted);
		assert_true(arena->size <= arena->cap);
	}
	assert_int_equal(total, 4096);
	assert_true(arena->exhausted);
}

static void test_arena_serves_a_block_larger_than_its_first_chunk(void **state)
{
	struct lk_arena *arena = *state;
	assert_non_null(lk_arena_alloc(arena, 3840));
	assert_int_equal(arena->size, 4096);
	assert_false(arena->exhausted);
}

static void test_arena_refuses_sizes_past_the_cap(void **state)
{
	static const size_t sizes[] = {
		3841, 4096, 4097, 1U << 30, SIZE_MAX - 16, SIZE_MAX - 15, SIZE_MAX - 1, SIZE_MAX};
	struct lk_arena *arena = *state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		arena->exhausted = false;
		assert_null(lk_arena_alloc(arena, sizes[i]));
		assert_true(arena->exhausted);
	}
	/* What was refused does no harm to what fits. */
	assert_non_null(lk_arena_alloc(arena, 256));
}

static void test_arena_array_refuses_an_overflowing_product(void **state)
{
	struct lk_arena *arena = *state;
	assert_null(lk_arena_array(arena, SIZE_MAX / 2 + 2, 2));
	assert_true(arena->exhausted);
	assert_null(lk_arena_array(arena, 2, SIZE_MAX / 2 + 2));
	assert_non_null(lk_arena_array(arena, 0, SIZE_MAX));
	assert_non_null(lk_arena_array(arena, SIZE_MAX, 0));
	assert_non_null(lk_arena_array(arena, 16, 16));
}

static void test_arena_reset_wipes_and_returns_to_the_first_chunk(void **state)
{
	struct lk_arena *arena = *state;
	unsigned char *first = lk_arena_alloc(arena, 200);
	memset(first, 0x5a, 200);
	assert_non_null(lk_arena_alloc(arena, 1000));
	assert_null(lk_arena_alloc(arena, 4096));
	lk_arena_reset(arena);
	assert_false(arena->exhausted);
	assert_int_equal(arena->size, 256);
	assert_true(is_zero(first, 200));
	assert_ptr_equal(lk_arena_alloc(arena, 200), first);
	assert_true(is_zero(first, 200));
}

static void test_arena_reset_of_an_unused_one_changes_nothing(void **state)
{
	struct lk_arena *arena = *state;
	lk_arena_reset(arena);
	lk_arena_reset(arena);
	assert_non_null(lk_arena_alloc(arena, 256));
}

static void test_arena_first_chunk_is_held_to_the_cap(void **state)
{
	(void)state;
	struct lk_arena arena;
	assert_int_equal(lk_arena_init(&arena, 1000, 64), LK_OK);
	assert_non_null(lk_arena_alloc(&arena, 64));
	assert_null(lk_arena_alloc(&arena, 1));
	lk_arena_done(&arena);
}

static void test_arena_of_nothing_refuses_everything(void **state)
{
	(void)state;
	struct lk_arena arena;
	assert_int_equal(lk_arena_init(&arena, 0, 0), LK_OK);
	assert_null(lk_arena_alloc(&arena, 0));
	lk_arena_reset(&arena);
	lk_arena_done(&arena);
}

static void test_arena_init_refuses_what_no_memory_can_hold(void **state)
{
	(void)state;
	struct lk_arena arena;
	assert_int_equal(lk_arena_init(&arena, SIZE_MAX, SIZE_MAX), LK_NO_MEMORY);
	lk_arena_done(&arena);
}

static void test_arena_done_takes_zero_and_done(void **state)
{
	(void)state;
	struct lk_arena arena = {0};
	lk_arena_done(&arena);
	assert_int_equal(lk_arena_init(&arena, 16, 16), LK_OK);
	lk_arena_done(&arena);
	lk_arena_done(&arena);
	assert_null(arena.chunks);
}

static void test_arena_text_copies_and_terminates(void **state)
{
	struct lk_arena *arena = *state;
	char *text = lk_arena_text(arena, "abc\0def", 7);
	assert_memory_equal(text, "abc\0def", 8);
	assert_string_equal(lk_arena_text(arena, NULL, 0), "");
	assert_null(lk_arena_text(arena, "x", SIZE_MAX));
	assert_null(lk_arena_text(arena, "x", SIZE_MAX - 1));
}

static void test_arena_printf_formats_any_length(void **state)
{
	struct lk_arena *arena = *state;
	assert_string_equal(lk_arena_printf(arena, "%s-%d", "a", 7), "a-7");
	assert_string_equal(lk_arena_printf(arena, "%s", ""), "");
	char *wide = lk_arena_printf(arena, "%2000d", 1);
	assert_int_equal(strlen(wide), 2000);
	assert_null(lk_arena_printf(arena, "%5000d", 1));
	assert_true(arena->exhausted);
}

static void test_arena_serves_protobuf_c(void **state)
{
	struct lk_arena *arena = *state;
	/* {token: "abc", tenant: "x"} */
	static const uint8_t bytes[] = {0x0a, 3, 'a', 'b', 'c', 0x12, 1, 'x'};
	Latchkey__V1__VerifyKeyRequest *request = latchkey__v1__verify_key_request__unpack(
		&arena->allocator, sizeof(bytes), bytes);
	assert_non_null(request);
	assert_string_equal(request->token, "abc");
	assert_string_equal(request->tenant, "x");
	latchkey__v1__verify_key_request__free_unpacked(request, &arena->allocator);
	assert_string_equal(request->token, "abc");
}

static void test_arena_stops_protobuf_c_at_the_cap(void **state)
{
	struct lk_arena *arena = *state;
	static uint8_t bytes[3 + 5000] = {0x0a, 0x88, 0x27};
	memset(bytes + 3, 'a', 5000);
	assert_null(latchkey__v1__verify_key_request__unpack(&arena->allocator, sizeof(bytes), bytes));
	assert_true(arena->exhausted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_arena_blocks_are_zero_aligned_and_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_grows_up_to_its_cap_and_no_further, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_serves_a_block_larger_than_its_first_chunk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_refuses_sizes_past_the_cap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_array_refuses_an_overflowing_product, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_reset_wipes_and_returns_to_the_first_chunk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_reset_of_an_unused_one_changes_nothing, setup, teardown),
		cmocka_unit_test(test_arena_first_chunk_is_held_to_the_cap),
		cmocka_unit_test(test_arena_of_nothing_refuses_everything),
		cmocka_unit_test(test_arena_init_refuses_what_no_memory_can_hold),
		cmocka_unit_test(test_arena_done_takes_zero_and_done),
		cmocka_unit_test_setup_teardown(test_arena_text_copies_and_terminates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_printf_formats_any_length, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_serves_protobuf_c, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_stops_protobuf_c_at_the_cap, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

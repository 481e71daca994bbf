#include "server/core/arena.h"

#include <sodium.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lk_arena_chunk {
	/* The chunk before; NULL in the first, which is kept. */
	struct lk_arena_chunk *before;
	size_t size;
	size_t used;
	/* All zero from `used` on. */
	alignas(max_align_t) unsigned char data[];
};

static const size_t alignment = alignof(max_align_t);

/* `size` up to the next multiple of the alignment, at least one; 0 where that overflows. */
static size_t round_up(size_t size)
{
	if (size > SIZE_MAX - alignment) {
		return 0;
	}
	return size == 0 ? alignment : (size + alignment - 1) / alignment * alignment;
}

static bool add_chunk(struct lk_arena *arena, size_t size)
{
	if (size > SIZE_MAX - sizeof(struct lk_arena_chunk)) {
		return false;
	}
	struct lk_arena_chunk *chunk = calloc(1, sizeof(*chunk) + size);
	if (chunk == NULL) {
		return false;
	}
	chunk->before = arena->chunks;
	chunk->size = size;
	arena->chunks = chunk;
	arena->size += size;
	return true;
}

/* Makes room for `size` bytes: doubles the arena where the cap allows, so that chunks stay few. */
static bool grow(struct lk_arena *arena, size_t size)
{
	size_t left = arena->cap - arena->size;
	if (size > left) {
		return false;
	}
	size_t wanted = size > arena->size ? size : arena->size;
	return add_chunk(arena, wanted < left ? wanted : left);
}

static void *allocator_alloc(void *data, size_t size)
{
	return lk_arena_alloc(data, size);
}

static void allocator_free(void *data, void *pointer)
{
	(void)data;
	(void)pointer;
}

enum lk_err lk_arena_init(struct lk_arena *arena, size_t first, size_t cap)
{
	*arena = (struct lk_arena){.cap = cap};
	arena->allocator = (ProtobufCAllocator){
		.alloc = allocator_alloc, .free = allocator_free, .allocator_data = arena};
	if (!add_chunk(arena, first < cap ? first : cap)) {
		return LK_NO_MEMORY;
	}
	return LK_OK;
}

/* Wipes and frees the newest chunk. */
static void drop_chunk(struct lk_arena *arena)
{
	struct lk_arena_chunk *chunk = arena->chunks;
	arena->chunks = chunk->before;
	arena->size -= chunk->size;
	sodium_memzero(chunk->data, chunk->used);
	free(chunk);
}

void lk_arena_done(struct lk_arena *arena)
{
	while (arena->chunks != NULL) {
		drop_chunk(arena);
	}
	*arena = (struct lk_arena){0};
}

void lk_arena_reset(struct lk_arena *arena)
{
	while (arena->chunks->before != NULL) {
		drop_chunk(arena);
	}
	sodium_memzero(arena->chunks->data, arena->chunks->used);
	arena->chunks->used = 0;
	arena->exhausted = false;
}

void *lk_arena_alloc(struct lk_arena *arena, size_t size)
{
	size_t rounded = round_up(size);
	struct lk_arena_chunk *chunk = arena->chunks;
	if (rounded == 0 || (rounded > chunk->size - chunk->used && !grow(arena, rounded))) {
		arena->exhausted = true;
		return NULL;
	}
	chunk = arena->chunks;
	void *block = chunk->data + chunk->used;
	chunk->used += rounded;
	return block;
}

void *lk_arena_array(struct lk_arena *arena, size_t count, size_t size)
{
	size_t total = 0;
	if (__builtin_mul_overflow(count, size, &total)) {
		arena->exhausted = true;
		return NULL;
	}
	return lk_arena_alloc(arena, total);
}

char *lk_arena_text(struct lk_arena *arena, const void *data, size_t len)
{
	/* One more for the NUL; a len of SIZE_MAX wraps to 0 and must not pass for a small one. */
	char *text = lk_arena_array(arena, len == SIZE_MAX ? SIZE_MAX : len + 1, 1);
	if (text != NULL && len > 0) {
		memcpy(text, data, len);
	}
	return text;
}

char *lk_arena_printf(struct lk_arena *arena, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	char *text = lk_arena_vprintf(arena, format, args);
	va_end(args);
	return text;
}

char *lk_arena_vprintf(struct lk_arena *arena, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	char *text = NULL;
	int len = vsnprintf(NULL, 0, format, args);
	if (len < 0) {
		arena->exhausted = true;
		goto out;
	}
	text = lk_arena_alloc(arena, (size_t)len + 1);
	if (text != NULL) {
		(void)vsnprintf(text, (size_t)len + 1, format, again);
	}
out:
	va_end(again);
	return text;
}

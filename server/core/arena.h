/*
 * An arena: the memory of one request. What is allocated from it lives until the next reset and is never freed alone.
 *
 * It starts with one chunk that it keeps for ever, so that an ordinary request allocates nothing; a larger one gets further
 * chunks up to a cap, and past the cap nothing. A reset wipes what was used, for tokens pass through here.
 * One thread at a time. Its allocator points at it: it stays where lk_arena_init() was given it.
 */
#ifndef LK_SERVER_CORE_ARENA_H
#define LK_SERVER_CORE_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

struct lk_arena_chunk;

struct lk_arena {
	struct lk_arena_chunk *chunks;
	/* Bytes in all chunks, and the most there may be. */
	size_t size;
	size_t cap;
	/* Set when an allocation was refused for the cap or for want of memory; cleared by a reset. */
	bool exhausted;
	/* Allocates from this arena; its free does nothing. For protobuf-c. */
	ProtobufCAllocator allocator;
};

/* Makes an arena with a first chunk of `first` bytes and at most `cap` in all. LK_NO_MEMORY. */
LK_MUST_CHECK enum lk_err lk_arena_init(struct lk_arena *arena, size_t first, size_t cap);
/* Wipes and frees everything. Takes one that is all zero. */
void lk_arena_done(struct lk_arena *arena);
/* Wipes what was used and frees all chunks but the first. */
void lk_arena_reset(struct lk_arena *arena);

/* `size` bytes, zeroed, aligned for any type; NULL past the cap or without memory. */
void *lk_arena_alloc(struct lk_arena *arena, size_t size);
/* `count` times `size` bytes; NULL also where the product overflows. */
void *lk_arena_array(struct lk_arena *arena, size_t count, size_t size);
/* A copy of `len` bytes with a NUL behind it; NULL as above. */
char *lk_arena_text(struct lk_arena *arena, const void *data, size_t len);
/* A formatted text; NULL as above. */
char *lk_arena_printf(struct lk_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *lk_arena_vprintf(struct lk_arena *arena, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

#endif

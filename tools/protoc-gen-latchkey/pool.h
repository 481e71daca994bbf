/*
 * A pool: the memory of one run of the generator. All that is allocated from it lives until lk_pool_done().
 *
 * Without memory the process ends with a word on standard error: the generator is a short-lived tool with nothing to save, and
 * so none of its functions need to say what they do without memory.
 */
#ifndef LK_GENERATOR_POOL_H
#define LK_GENERATOR_POOL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct lk_pool_block;

/* All zero: empty. */
struct lk_pool {
	struct lk_pool_block *blocks;
};

/* Frees all that was allocated from it. */
void lk_pool_done(struct lk_pool *pool);

/* `count` times `size` bytes, zeroed, aligned for any type. Never NULL. */
void *lk_pool_array(struct lk_pool *pool, size_t count, size_t size);

/* The first `len` bytes of `text` with a NUL behind them. */
char *lk_pool_text(struct lk_pool *pool, const char *text, size_t len);

/* A formatted text. */
char *lk_pool_printf(struct lk_pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));
char *lk_pool_vprintf(struct lk_pool *pool, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

/* As realloc(), of memory that is no pool's. Never NULL. */
void *lk_pool_grow(void *memory, size_t size);

/* Reads `file` to its end, or to where it cannot be read. The bytes are no pool's: free() them. */
uint8_t *lk_pool_read(FILE *file, size_t *ret_len);

#endif

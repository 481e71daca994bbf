/*
 * A growing run of bytes that may hold secrets: whatever leaves it is wiped. Zero is an empty one. No locks.
 */
#ifndef LK_CLIENT_BUFFER_H
#define LK_CLIENT_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lk_buffer {
	uint8_t *data;
	size_t len;
	size_t capacity;
};

/* Makes room for `more` bytes behind those that are there; false without memory, with the buffer as it was. */
bool lk_buffer_reserve(struct lk_buffer *buffer, size_t more);

/* Takes the first `n` bytes away. */
void lk_buffer_consume(struct lk_buffer *buffer, size_t n);

/* Empties the buffer; keeps its memory for the next content, but not more than 64 KiB of it. */
void lk_buffer_clear(struct lk_buffer *buffer);

/* Empties the buffer and frees its memory. */
void lk_buffer_done(struct lk_buffer *buffer);

#endif

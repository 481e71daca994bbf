/*
 * Bytes that grow, for what may hold a secret: whatever they leave behind is wiped. One thread at a time.
 */
#ifndef LK_CLI_BYTES_H
#define LK_CLI_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zero is an empty one. */
struct lk_bytes {
	uint8_t *data;
	size_t len;
	size_t size;
	/* There was no memory: nothing is added any more, and what is there is cut off. */
	bool failed;
};

/* Room for `len` bytes more at the end, which count at once; NULL where there is no memory. */
uint8_t *lk_bytes_add(struct lk_bytes *bytes, size_t len);

/* Adds a copy of `len` bytes. */
void lk_bytes_append(struct lk_bytes *bytes, const void *data, size_t len);

/* Wipes and frees; it is empty then. */
void lk_bytes_done(struct lk_bytes *bytes);

#endif

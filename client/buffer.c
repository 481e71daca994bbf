#include "client/buffer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN  256
#define CAPACITY_KEEP ((size_t)64 << 10)

bool lk_buffer_reserve(struct lk_buffer *buffer, size_t more)
{
	size_t capacity = buffer->capacity > 0 ? buffer->capacity : CAPACITY_MIN;

	if (more <= buffer->capacity - buffer->len) {
		return true;
	}
	if (more > SIZE_MAX / 4 - buffer->len) {
		return false;
	}
	while (capacity - buffer->len < more) {
		capacity *= 2;
	}
	/* Not realloc(), which may leave a copy behind. */
	uint8_t *data = malloc(capacity);
	if (!data) {
		return false;
	}
	size_t len = buffer->len;
	if (len > 0) {
		memcpy(data, buffer->data, len);
	}
	lk_buffer_done(buffer);
	*buffer = (struct lk_buffer){data, len, capacity};
	return true;
}

void lk_buffer_consume(struct lk_buffer *buffer, size_t n)
{
	if (n == 0) {
		return;
	}
	memmove(buffer->data, buffer->data + n, buffer->len - n);
	sodium_memzero(buffer->data + buffer->len - n, n);
	buffer->len -= n;
}

void lk_buffer_clear(struct lk_buffer *buffer)
{
	if (buffer->capacity > CAPACITY_KEEP) {
		lk_buffer_done(buffer);
		return;
	}
	if (buffer->len > 0) {
		sodium_memzero(buffer->data, buffer->len);
	}
	buffer->len = 0;
}

void lk_buffer_done(struct lk_buffer *buffer)
{
	if (buffer->len > 0) {
		sodium_memzero(buffer->data, buffer->len);
	}
	free(buffer->data);
	*buffer = (struct lk_buffer){0};
}

#include "tools/latchkey/bytes.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
	first_size = 256
};

/* Not realloc(): it may leave a copy behind that nobody wipes. */
static bool grow(struct lk_bytes *bytes, size_t needed)
{
	size_t size = bytes->size < first_size ? first_size : bytes->size;
	while (size < needed) {
		if (size > SIZE_MAX / 2) {
			return false;
		}
		size *= 2;
	}
	uint8_t *data = malloc(size);
	if (data == NULL) {
		return false;
	}
	if (bytes->len > 0) {
		memcpy(data, bytes->data, bytes->len);
		sodium_memzero(bytes->data, bytes->len);
	}
	free(bytes->data);
	bytes->data = data;
	bytes->size = size;
	return true;
}

uint8_t *lk_bytes_add(struct lk_bytes *bytes, size_t len)
{
	if (bytes->failed || len > SIZE_MAX - bytes->len ||
		(bytes->len + len > bytes->size && !grow(bytes, bytes->len + len))) {
		bytes->failed = true;
		return NULL;
	}
	uint8_t *added = bytes->data + bytes->len;
	bytes->len += len;
	return added;
}

void lk_bytes_append(struct lk_bytes *bytes, const void *data, size_t len)
{
	if (len == 0) {
		return;
	}
	uint8_t *added = lk_bytes_add(bytes, len);
	if (added != NULL) {
		memcpy(added, data, len);
	}
}

void lk_bytes_done(struct lk_bytes *bytes)
{
	if (bytes->data != NULL) {
		sodium_memzero(bytes->data, bytes->len);
	}
	free(bytes->data);
	*bytes = (struct lk_bytes){0};
}

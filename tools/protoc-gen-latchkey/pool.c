#include "tools/protoc-gen-latchkey/pool.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

struct lk_pool_block {
	struct lk_pool_block *next;
	alignas(max_align_t) char data[];
};

static void *no_memory(void)
{
	fputs("protoc-gen-latchkey: out of memory\n", stderr);
	exit(1);
}

void lk_pool_done(struct lk_pool *pool)
{
	while (pool->blocks) {
		struct lk_pool_block *next = pool->blocks->next;

		free(pool->blocks);
		pool->blocks = next;
	}
}

void *lk_pool_array(struct lk_pool *pool, size_t count, size_t size)
{
	struct lk_pool_block *block = NULL;

	if (size == 0 || count <= (SIZE_MAX - sizeof(*block)) / size) {
		block = calloc(1, sizeof(*block) + count * size);
	}
	if (!block) {
		return no_memory();
	}
	block->next = pool->blocks;
	pool->blocks = block;
	return block->data;
}

char *lk_pool_text(struct lk_pool *pool, const char *text, size_t len)
{
	char *copy = lk_pool_array(pool, len + 1, 1);

	memcpy(copy, text, len);
	return copy;
}

char *lk_pool_printf(struct lk_pool *pool, const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	text = lk_pool_vprintf(pool, format, args);
	va_end(args);
	return text;
}

char *lk_pool_vprintf(struct lk_pool *pool, const char *format, va_list args)
{
	va_list again;
	int len;
	char *text;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (len < 0) {
		no_memory();
	}
	text = lk_pool_array(pool, (size_t)len + 1, 1);
	vsnprintf(text, (size_t)len + 1, format, args);
	return text;
}

void *lk_pool_grow(void *memory, size_t size)
{
	void *grown = realloc(memory, size);

	return grown ? grown : no_memory();
}

uint8_t *lk_pool_read(FILE *file, size_t *ret_len)
{
	size_t size = 1 << 16;
	size_t len = 0;
	uint8_t *bytes = lk_pool_grow(NULL, size);

	for (;;) {
		len += fread(bytes + len, 1, size - len, file);
		if (len < size) {
			break;
		}
		size *= 2;
		bytes = lk_pool_grow(bytes, size);
	}
	*ret_len = len;
	return bytes;
}

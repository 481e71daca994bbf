#include "server/jose/memory.h"

#include <cjose/util.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void wipe_and_free(void *block)
{
	if (block != NULL) {
		sodium_memzero(block, malloc_usable_size(block));
	}
	free(block);
}

/* realloc(3) leaves the old block behind as it was. */
static void *resize(void *block, size_t size)
{
	size_t kept = block == NULL ? 0 : malloc_usable_size(block);
	void *larger = malloc(size);

	if (larger != NULL && block != NULL) {
		memcpy(larger, block, kept < size ? kept : size);
		wipe_and_free(block);
	}
	return larger;
}

void lk_jose_wipe_memory(void)
{
	/* It tells jansson too. */
	cjose_set_alloc_funcs(malloc, resize, wipe_and_free);
}

/* What is left in memory of a shared secret, once nobody holds it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "server/jose/keyset.h"
#include "server/jose/memory.h"
#include "server/log.h"

#define VARIANT    sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define SECRET_LEN 48
#define K_LEN      sodium_base64_ENCODED_LEN(SECRET_LEN, VARIANT)

/* False where malloc(3) takes its memory elsewhere, as a sanitizer's does. */
static bool find_heap(const uint8_t **ret_begin, size_t *ret_len)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long begin = 0;
	unsigned long end = 0;
	void *block = malloc(1);
	uintptr_t at = (uintptr_t)block;
	char line[512] = "";
	bool found = false;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof line, maps) != NULL) {
		found = strstr(line, "[heap]") != NULL && sscanf(line, "%lx-%lx", &begin, &end) == 2;
	}
	(void)fclose(maps);
	free(block);
	*ret_begin = (const uint8_t *)(uintptr_t)begin;
	*ret_len = end - begin;
	return found && at >= begin && at < end;
}

/* Whether the heap has the secret in it, as it is or as text: its middle, since free() writes over the first bytes. */
static bool is_left(const uint8_t *secret, const char *k)
{
	const uint8_t *heap = NULL;
	size_t len = 0;

	assert_true(find_heap(&heap, &len));
	return memmem(heap, len, secret + 16, SECRET_LEN - 16) != NULL ||
	       memmem(heap, len, k + 24, K_LEN - 1 - 24) != NULL;
}

static struct lk_keyset *read_set(const char *k)
{
	char text[256] = "";
	struct lk_keyset *set = NULL;

	(void)snprintf(text, sizeof text, "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"s\",\"k\":\"%s\"}]}", k);
	assert_null(lk_keyset_read(text, strlen(text), "main", &set));
	sodium_memzero(text, sizeof text);
	assert_int_equal(lk_keyset_count(set), 1);
	return set;
}

static void test_memory_keeps_no_shared_secret(void **state)
{
	uint8_t secret[SECRET_LEN];
	char k[K_LEN];
	const uint8_t *heap = NULL;
	size_t len = 0;

	(void)state;
	if (!find_heap(&heap, &len)) {
		skip();
	}
	randombytes_buf(secret, sizeof secret);
	(void)sodium_bin2base64(k, sizeof k, secret, sizeof secret, VARIANT);
	struct lk_keyset *set = read_set(k);
	/* It is there as long as it is needed: so it would be seen. */
	assert_true(is_left(secret, k));
	lk_keyset_drop(set);
	assert_false(is_left(secret, k));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory_keeps_no_shared_secret),
	};

	if (sodium_init() < 0) {
		return EXIT_FAILURE;
	}
	lk_log_setup(-1, LK_LOG_ERROR);
	lk_jose_wipe_memory();
	return cmocka_run_group_tests_name("jose memory", tests, NULL, NULL);
}

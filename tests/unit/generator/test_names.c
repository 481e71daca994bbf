#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tools/protoc-gen-latchkey/names.h"

static struct lk_pool pool;

static int empty_pool(void **state)
{
	(void)state;
	lk_pool_done(&pool);
	return 0;
}

static void test_names_snake_separates_words(void **state)
{
	(void)state;
	assert_string_equal(lk_names_snake(&pool, "Verify"), "verify");
	assert_string_equal(lk_names_snake(&pool, "VerifyBatch"), "verify_batch");
	assert_string_equal(lk_names_snake(&pool, "WhoAmI"), "who_am_i");
	assert_string_equal(lk_names_snake(&pool, "TLSConfig"), "tls_config");
	assert_string_equal(lk_names_snake(&pool, "ConfigTLS"), "config_tls");
	assert_string_equal(lk_names_snake(&pool, "Sha256Sum"), "sha256_sum");
	assert_string_equal(lk_names_snake(&pool, "already_snake"), "already_snake");
	assert_string_equal(lk_names_snake(&pool, "Odd_Mix"), "odd_mix");
	assert_string_equal(lk_names_snake(&pool, ""), "");
	assert_string_equal(lk_names_upper_snake(&pool, "KeyScope"), "KEY_SCOPE");
	assert_string_equal(lk_names_kebab(&pool, "GetDescriptors"), "get-descriptors");
	assert_string_equal(lk_names_kebab(&pool, "page_size"), "page-size");
}

static void test_names_without_service_leaves_a_name(void **state)
{
	(void)state;
	assert_string_equal(lk_names_without_service(&pool, "KeyService"), "Key");
	assert_string_equal(lk_names_without_service(&pool, "Key"), "Key");
	assert_string_equal(lk_names_without_service(&pool, "Service"), "Service");
	assert_string_equal(lk_names_without_service(&pool, "ServiceDesk"), "ServiceDesk");
}

/* As protoc-c does: its headers are what the generated code is compiled with. */
static void test_names_c_are_those_of_protoc_c(void **state)
{
	(void)state;
	assert_string_equal(lk_names_c_type(&pool, "latchkey.v1.WhoAmIRequest"), "Latchkey__V1__WhoAmIRequest");
	assert_string_equal(lk_names_c_lower(&pool, "latchkey.v1.WhoAmIRequest"), "latchkey__v1__who_am_irequest");
	assert_string_equal(lk_names_c_type(&pool, "a_b.Open_Door.Inner"), "AB__OpenDoor__Inner");
	assert_string_equal(lk_names_c_lower(&pool, "a_b.Open_Door.Inner"), "a_b__open__door__inner");
	assert_string_equal(lk_names_c_lower(&pool, "x.TLSConfig"), "x__tlsconfig");
	assert_string_equal(lk_names_c_member(&pool, "Owner"), "owner");
	assert_string_equal(lk_names_c_member(&pool, "delete"), "delete_");
	assert_string_equal(lk_names_c_member(&pool, "Restrict"), "restrict_");
	assert_string_equal(lk_names_c_member(&pool, "deleted"), "deleted");
}

static void test_names_identifier_has_letters_digits_and_underscores(void **state)
{
	(void)state;
	assert_string_equal(
		lk_names_identifier(&pool, "latchkey/v1/key-ring.client.h"), "latchkey_v1_key_ring_client_h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_names_snake_separates_words, empty_pool),
		cmocka_unit_test_teardown(test_names_without_service_leaves_a_name, empty_pool),
		cmocka_unit_test_teardown(test_names_c_are_those_of_protoc_c, empty_pool),
		cmocka_unit_test_teardown(test_names_identifier_has_letters_digits_and_underscores, empty_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

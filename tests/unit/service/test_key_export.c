#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/core/secret.h"
#include "server/store/store.h"
#include "tests/unit/service/key_crowd.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct crowd crowd;

static Latchkey__V1__ExportKeysRequest ask(const char *tenant, bool include_digests)
{
	Latchkey__V1__ExportKeysRequest request = LATCHKEY__V1__EXPORT_KEYS_REQUEST__INIT;

	request.tenant = TEXT(tenant);
	request.include_digests = include_digests;
	return request;
}

static struct loop_answer export_page(const Latchkey__V1__ExportKeysRequest *request, enum lk_err expected)
{
	return fixture_call(&latchkey_v1_key_export_method, &request->base, expected);
}

static const Latchkey__V1__ExportKeysResponse *page_of(const struct loop_answer *answer)
{
	return (const Latchkey__V1__ExportKeysResponse *)answer->response;
}

/* Exports in pages; each key as the brute force has it. */
static void assert_export(const Latchkey__V1__KeyFilter *filter, int32_t page_size)
{
	Latchkey__V1__ExportKeysRequest request = ask("crowd", false);
	const struct crowd_key *expected[CROWD_MOST];
	size_t count = crowd_expect(&crowd, filter, "create_time", expected);
	char token[1100] = "";
	size_t at = 0;

	request.filter = (Latchkey__V1__KeyFilter *)(uintptr_t)filter;
	request.page_size = page_size;
	request.page_token = token;
	do {
		struct loop_answer answer = export_page(&request, LK_OK);
		for (size_t i = 0; i < page_of(&answer)->n_keys; i++) {
			assert_true(at < count);
			assert_string_equal(page_of(&answer)->keys[i]->key->id, expected[at++]->record->id);
			assert_string_equal(page_of(&answer)->keys[i]->blake2b, "");
			assert_string_equal(page_of(&answer)->keys[i]->blake2b_of_sha256, "");
		}
		assert_string_equal(page_of(&answer)->verify_key, "");
		(void)snprintf(token, sizeof token, "%s", page_of(&answer)->next_page_token);
		loop_answer_done(&answer);
	} while (token[0] != '\0');
	assert_int_equal(at, count);
}

static void test_export_tells_keys_in_order_of_creation(void **state)
{
	struct crowd_filter filter;

	(void)state;
	crowd_make(&crowd, 150);
	for (int a = 0; a <= CROWD_ASKS; a++) {
		crowd_filter_make(&crowd, a, (int)crowd_choose(&crowd, CROWD_ASKS), &filter);
		assert_export(&filter.message, 1000);
		assert_export(&filter.message, 7);
	}
	crowd_done(&crowd);
}

static void test_export_tells_digests_where_they_are_asked_for(void **state)
{
	Latchkey__V1__ExportKeysRequest request = ask("crowd", true);
	uint8_t check[LK_DIGEST_LEN];
	char text[2 * LK_DIGEST_LEN + 1];

	(void)state;
	crowd_make(&crowd, 12);
	for (size_t i = 0; i < crowd.count; i++) {
		crowd.keys[i].record->secret_kind = (Latchkey__Store__SecretKind)(i % 3);
		crowd_put(&crowd, &crowd.keys[i]);
	}
	struct loop_answer answer = export_page(&request, LK_OK);
	assert_int_equal(page_of(&answer)->n_keys, 12);
	for (size_t i = 0; i < page_of(&answer)->n_keys; i++) {
		const Latchkey__V1__ExportedKey *row = page_of(&answer)->keys[i];
		const Latchkey__Store__KeyRecord *record = crowd_find(&crowd, row->key->id)->record;
		bool of_sha256 = record->secret_kind == LATCHKEY__STORE__SECRET_KIND__SECRET_KIND_SHA256;
		sodium_bin2hex(text, sizeof text, record->digest.data, record->digest.len);
		assert_string_equal(row->blake2b, of_sha256 ? "" : text);
		assert_string_equal(row->blake2b_of_sha256, of_sha256 ? text : "");
	}
	lk_key_check_value(lk_store_keyring(fixture_loop.store)->verify_key, check);
	sodium_bin2hex(text, sizeof text, check, sizeof check);
	assert_string_equal(page_of(&answer)->verify_key, text);
	loop_answer_done(&answer);
	crowd_done(&crowd);
}

static void test_export_tells_no_token_and_all_else(void **state)
{
	struct fixture_key key = fixture_make_key("acme", "prod", "ci");
	Latchkey__V1__ExportKeysRequest request = ask("acme", true);

	(void)state;
	assert_int_equal(fixture_verify(key.token, ""), LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
	struct loop_answer answer = export_page(&request, LK_OK);
	assert_int_equal(page_of(&answer)->n_keys, 1);
	const Latchkey__V1__Key *shown = page_of(&answer)->keys[0]->key;
	assert_string_equal(shown->id, key.id);
	assert_string_equal(shown->name, "ci");
	assert_string_equal(shown->tenant, "acme");
	assert_string_equal(shown->keyspace, "prod");
	assert_int_equal(shown->usage_count, 1);
	assert_null(memmem(answer.payload, answer.payload_len, key.token + 12, 20));
	loop_answer_done(&answer);
	fixture_key_done(&key);
}

static void test_export_never_tells_the_digests_of_root_keys(void **state)
{
	static const char *const any[] = {"*", NULL};
	struct fixture_key root = fixture_make_root_key(any, any, any);
	Latchkey__V1__ExportKeysRequest request = ask("system", true);

	(void)state;
	struct loop_answer answer = export_page(&request, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "include_digests: "));
	loop_answer_done(&answer);
	request.include_digests = false;
	answer = export_page(&request, LK_OK);
	assert_int_equal(page_of(&answer)->n_keys, 1);
	assert_string_equal(page_of(&answer)->keys[0]->blake2b, "");
	loop_answer_done(&answer);
	fixture_key_done(&root);
}

static void test_export_needs_a_right_of_its_own(void **state)
{
	static const char *const lists[] = {"keys.list", NULL};
	static const char *const exports[] = {"keys.export", NULL};
	static const char *const tenants[] = {"acme", NULL};
	static const char *const keyspaces[] = {"*", NULL};
	struct fixture_key lister = fixture_make_root_key(lists, tenants, keyspaces);
	struct fixture_key exporter = fixture_make_root_key(exports, tenants, keyspaces);
	Latchkey__V1__ExportKeysRequest request = ask("acme", true);
	struct loop_call call = {.credential = lister.token};

	(void)state;
	struct loop_answer answer = loop_call(&fixture_loop, &call, &latchkey_v1_key_export_method, &request.base);
	assert_int_equal(answer.code, lk_err_wire_code(LK_PERMISSION_DENIED));
	loop_answer_done(&answer);
	call.credential = exporter.token;
	answer = loop_call(&fixture_loop, &call, &latchkey_v1_key_export_method, &request.base);
	assert_int_equal(answer.code, 0);
	loop_answer_done(&answer);
	fixture_key_done(&lister);
	fixture_key_done(&exporter);
}

static void test_export_refuses_what_is_no_cursor_of_its_own(void **state)
{
	Latchkey__V1__ExportKeysRequest request = ask("crowd", false);
	Latchkey__V1__ListKeysRequest list = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;
	char token[1100] = "";

	(void)state;
	crowd_make(&crowd, 5);
	request.page_size = 2;
	struct loop_answer answer = export_page(&request, LK_OK);
	(void)snprintf(token, sizeof token, "%s", page_of(&answer)->next_page_token);
	loop_answer_done(&answer);
	request.page_token = token;
	answer = export_page(&request, LK_OK);
	loop_answer_done(&answer);
	/* Nor may it go on with digests, or as a list. */
	request.include_digests = true;
	answer = export_page(&request, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "page_token: "));
	loop_answer_done(&answer);
	list.tenant = TEXT("crowd");
	list.order_by = TEXT("create_time");
	list.page_token = token;
	answer = fixture_call(&latchkey_v1_key_list_method, &list.base, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "page_token: "));
	loop_answer_done(&answer);
	request.include_digests = false;
	request.page_size = 1001;
	answer = export_page(&request, LK_INVALID_ARGUMENT);
	assert_non_null(strstr(answer.violations, "page_size: "));
	loop_answer_done(&answer);
	/* It does not expire: a daemon that was started anew takes it. */
	request.page_size = 2;
	loop_restart(&fixture_loop);
	answer = export_page(&request, LK_OK);
	assert_int_equal(page_of(&answer)->n_keys, 2);
	loop_answer_done(&answer);
	crowd_done(&crowd);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_export_tells_keys_in_order_of_creation),
		TEST(test_export_tells_digests_where_they_are_asked_for),
		TEST(test_export_tells_no_token_and_all_else),
		TEST(test_export_never_tells_the_digests_of_root_keys),
		TEST(test_export_needs_a_right_of_its_own),
		TEST(test_export_refuses_what_is_no_cursor_of_its_own),
	};

	return cmocka_run_group_tests_name("service key export", tests, NULL, NULL);
}

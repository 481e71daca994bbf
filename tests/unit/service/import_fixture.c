#include "tests/unit/service/import_fixture.h"

struct import_batch import_batch;

void import_begin(void)
{
	import_batch.request = (Latchkey__V1__ImportKeysRequest)LATCHKEY__V1__IMPORT_KEYS_REQUEST__INIT;
	import_batch.request.tenant = TEXT("acme");
	import_batch.request.keyspace = TEXT("prod");
	import_batch.request.keys = import_batch.list;
}

Latchkey__V1__ImportedKey *import_add(void)
{
	Latchkey__V1__ImportedKey *key = &import_batch.keys[import_batch.request.n_keys];

	latchkey__v1__imported_key__init(key);
	import_batch.list[import_batch.request.n_keys++] = key;
	return key;
}

Latchkey__V1__ImportedKey *import_add_token(const char *token)
{
	Latchkey__V1__ImportedKey *key = import_add();

	key->secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_TOKEN;
	key->token = TEXT(token);
	return key;
}

Latchkey__V1__ImportedKey *import_add_sha256(const char *sha256)
{
	Latchkey__V1__ImportedKey *key = import_add();

	key->secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_SHA256;
	key->sha256 = TEXT(sha256);
	return key;
}

Latchkey__V1__ImportedKey *import_add_blake2b(const char *blake2b)
{
	Latchkey__V1__ImportedKey *key = import_add();

	key->secret_case = LATCHKEY__V1__IMPORTED_KEY__SECRET_BLAKE2B;
	key->blake2b = TEXT(blake2b);
	return key;
}

struct loop_answer import_run(enum lk_err expected)
{
	return fixture_call(&latchkey_v1_key_import_method, &import_batch.request.base, expected);
}

const Latchkey__V1__ImportKeysResponse *import_response_of(const struct loop_answer *answer)
{
	return (const Latchkey__V1__ImportKeysResponse *)answer->response;
}

void import_all(void)
{
	struct loop_answer answer = import_run(LK_OK);

	assert_int_equal(import_response_of(&answer)->imported_count, import_batch.request.n_keys);
	assert_int_equal(import_response_of(&answer)->n_faults, 0);
	loop_answer_done(&answer);
}

void import_assert_refused(const char *const *violations, size_t count)
{
	struct loop_answer answer = import_run(LK_INVALID_ARGUMENT);
	const char *line = answer.violations;

	for (size_t i = 0; i < count; i++) {
		if (line == NULL || strncmp(line, violations[i], strlen(violations[i])) != 0) {
			fail_msg("not \"%s\" but:\n%s", violations[i], answer.violations);
		}
		line = strchr(line, '\n');
		line = line == NULL ? NULL : line + 1;
	}
	if (line != NULL && *line != '\0') {
		fail_msg("too much:\n%s", answer.violations);
	}
	loop_answer_done(&answer);
}

void import_assert_fault(const char *violation)
{
	import_assert_refused(&violation, 1);
}

size_t import_count_keys(void)
{
	Latchkey__V1__ListKeysRequest request = LATCHKEY__V1__LIST_KEYS_REQUEST__INIT;

	request.tenant = TEXT("acme");
	request.page_size = IMPORT_KEYS_MAX;
	struct loop_answer answer = fixture_call(&latchkey_v1_key_list_method, &request.base, LK_OK);
	size_t count = ((const Latchkey__V1__ListKeysResponse *)answer.response)->n_keys;
	loop_answer_done(&answer);
	return count;
}

void import_assert_unknown(const char *token)
{
	Latchkey__V1__VerifyCode code = fixture_verify(token, "");

	assert_true(code == VERDICT(MALFORMED) || code == VERDICT(NOT_FOUND));
}

Google__Protobuf__Timestamp import_at(int64_t seconds)
{
	Google__Protobuf__Timestamp timestamp = GOOGLE__PROTOBUF__TIMESTAMP__INIT;

	timestamp.seconds = seconds;
	return timestamp;
}

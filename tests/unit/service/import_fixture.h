/*
 * What the tests of Import share: one batch of keys, which each test fills and sends.
 */
#ifndef LK_TESTS_UNIT_SERVICE_IMPORT_FIXTURE_H
#define LK_TESTS_UNIT_SERVICE_IMPORT_FIXTURE_H

#include "tests/unit/service/service_fixture.h"

#define VERDICT(code)   LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_##code
#define STATE(name)     LATCHKEY__V1__KEY_STATE__KEY_STATE_##name
#define IMPORT_KEYS_MAX 1000

/* SHA-256 of "abc", from the examples of FIPS 180-4: in hex, and as base64 in which both alphabets differ. */
#define ABC_HEX       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_HEX_UPPER "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
#define ABC_STANDARD  "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
#define ABC_URL_SAFE  "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0="

#define ID_A "key_01jd8m3zfwq4v5x6y7z8abcdef"
#define ID_B "key_01jd8m3zfwq4v5x6y7z8abcdeg"

/* A request for keyspace "prod" of tenant "acme" with room for its keys. */
struct import_batch {
	Latchkey__V1__ImportKeysRequest request;
	Latchkey__V1__ImportedKey keys[IMPORT_KEYS_MAX];
	Latchkey__V1__ImportedKey *list[IMPORT_KEYS_MAX];
};

extern struct import_batch import_batch;

/* An empty batch for keyspace "prod" of tenant "acme". */
void import_begin(void);

/* Each adds a key to the batch: without a secret, or with one. It is the batch's. */
Latchkey__V1__ImportedKey *import_add(void);
Latchkey__V1__ImportedKey *import_add_token(const char *token);
Latchkey__V1__ImportedKey *import_add_sha256(const char *sha256);
Latchkey__V1__ImportedKey *import_add_blake2b(const char *blake2b);

/* Sends the batch, and fails the test unless the answer has this code; the answer is the caller's to be done with. */
struct loop_answer import_run(enum lk_err expected);
const Latchkey__V1__ImportKeysResponse *import_response_of(const struct loop_answer *answer);

/* Imports the batch, which must be good. */
void import_all(void);

/* Fails the test unless the batch is refused for these violations: a line each, of which the beginnings are given. */
void import_assert_refused(const char *const *violations, size_t count);

/* The same of one violation. */
void import_assert_fault(const char *violation);

/* How many keys tenant "acme" has, up to 1,000. */
size_t import_count_keys(void);

/* Fails the test where a key has this token. MALFORMED or NOT_FOUND: that depends on what else was imported. */
void import_assert_unknown(const char *token);

/* The instant so many seconds after 1970. */
Google__Protobuf__Timestamp import_at(int64_t seconds);

#endif

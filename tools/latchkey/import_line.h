/*
 * One line of a file of keys: from JSON to the bytes of a latchkey.v1.ImportedKey.
 *
 * A file of keys is newline-delimited JSON (https://github.com/ndjson/ndjson-spec). Its first line may be a head, which an export
 * begins with:
 *
 *	{"format":"latchkey-keys","version":1,"verifyKey":"<hex>"}
 *
 * "verifyKey" names the verify.key that digests by BLAKE2b were made with, and stands there only where there are any. Every other
 * line is a key: either the fields of ImportedKey,
 *
 *	{"sha256":"<hex or base64>","name":"ci","owner":"alice","expireTime":"2027-01-01T00:00:00Z"}
 *
 * or what an export tells, a Key under "key" beside what its secret is known by:
 *
 *	{"key":{"id":"key_...","keyspace":"prod","name":"ci","state":"KEY_STATE_ACTIVE",...},"blake2b":"<hex>"}
 *
 * Of such a Key, what an import cannot set (number, use, audit) is passed over. Names are those of the .proto files in either
 * form. Empty lines are passed over.
 *
 * Pure. What is wrong is said without a value or a name that may be a token's.
 */
#ifndef LK_CLI_IMPORT_LINE_H
#define LK_CLI_IMPORT_LINE_H

#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "tools/latchkey/schema.h"

#define LK_KEYS_FORMAT  "latchkey-keys"
#define LK_KEYS_VERSION 1
/* 32 bytes in hex and a NUL. */
#define LK_VERIFY_KEY_TEXT 65

enum lk_import_kind {
	LK_IMPORT_KEY,
	LK_IMPORT_HEAD,
	/* Nothing stands there. */
	LK_IMPORT_EMPTY,
};

struct lk_import_line {
	enum lk_import_kind kind;
	/* Of a key: an encoded ImportedKey. It may hold a token. */
	uint8_t *data;
	size_t len;
	/* Of a head: "" where it names none. */
	char verify_key[LK_VERIFY_KEY_TEXT];
};

/*
 * Reads a line of `len` bytes; `number` is its, from 1. `ret` is the caller's, for lk_import_line_done().
 * LK_INVALID_ARGUMENT: `*ret_fault`, to be free()d, says what is wrong and what would be right, and `*ret_column` where, in bytes
 * from 1; 0 is the whole line. LK_NO_MEMORY: there is no text.
 */
LK_MUST_CHECK enum lk_err lk_import_line_read(const struct lk_schema *schema, const char *text, size_t len,
	size_t number, struct lk_import_line *ret, char **ret_fault, size_t *ret_column);

/* Wipes and frees. */
void lk_import_line_done(struct lk_import_line *line);

#endif

/*
 * Messages as JSON, and back: proto3's canonical mapping (https://protobuf.dev/programming-guides/json/), from the schema alone.
 *
 * Both directions hold what the server's wire check holds: no field twice, no two members of a oneof. Pure; any thread may call,
 * and the fault texts are the caller's to free(). They name the field by its path ("keys[3].metadata") and never quote a value of
 * a secret field. What is encoded may hold a secret: the caller wipes it; what was allocated on the way is wiped here.
 */
#ifndef LK_CLI_JSON_H
#define LK_CLI_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>

#include "tools/latchkey/schema.h"

/* Messages within messages, the outermost counted. */
#define LK_JSON_DEPTH_MAX 64

/* For lk_json_decode(): shows scalars, lists and maps that are absent with their defaults. */
#define LK_JSON_EMIT_DEFAULTS 1U

/*
 * JSON to the bytes of a `message`, in the order of its field numbers. Takes names in lowerCamelCase and as in the .proto, 64-bit
 * integers as numbers or texts, enums by name or number, bytes as base64 of either alphabet, padded or not; null is absent.
 * `*ret` is malloc'ed, and NULL where there are no bytes.
 * LK_INVALID_ARGUMENT: `*ret_fault` says where, what, and what would be right. LK_NO_MEMORY: it is NULL.
 */
LK_MUST_CHECK enum lk_err lk_json_encode(const struct lk_schema *schema, const struct lk_schema_message *message,
	const json_t *value, uint8_t **ret, size_t *ret_len, char **ret_fault);

/*
 * The bytes of a `message` to JSON: names in lowerCamelCase in the order of the field numbers, 64-bit integers as texts, enums by
 * name where it is known, bytes as padded base64. Unknown fields are skipped. `flags`: LK_JSON_... or 0.
 * LK_PROTOCOL: the bytes are no such message, and `*ret_fault` says why. LK_NO_MEMORY: it is NULL.
 */
LK_MUST_CHECK enum lk_err lk_json_decode(const struct lk_schema *schema, const struct lk_schema_message *message,
	const uint8_t *data, size_t len, unsigned flags, json_t **ret, char **ret_fault);

#endif

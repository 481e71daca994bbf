/*
 * Single values: numbers, texts, bytes and enums between JSON and the wire. For the JSON codec alone. Pure.
 */
#ifndef LK_CLI_JSON_SCALAR_H
#define LK_CLI_JSON_SCALAR_H

#include <jansson.h>

#include "client/varint.h"
#include "tools/latchkey/bytes.h"
#include "tools/latchkey/json_path.h"
#include "tools/latchkey/schema.h"

/* A value as the wire has it. */
struct lk_json_scalar {
	enum lk_wire_type wire;
	/* Of a varint and of both fixed types. */
	uint64_t number;
	/* Of LK_WIRE_BYTES. */
	struct lk_bytes bytes;
};

/* How values of `type` are written on the wire; messages as LK_WIRE_BYTES. */
enum lk_wire_type lk_json_wire_type(enum lk_schema_type type);

/*
 * Reads a value of `field`, which is no message, from JSON. LK_INVALID_ARGUMENT with `*ret_fault`, LK_NO_MEMORY. On LK_OK the
 * caller calls lk_bytes_done() on `ret->bytes`.
 */
LK_MUST_CHECK enum lk_err lk_json_scalar_read(const struct lk_schema_field *field, const json_t *value,
	const struct lk_json_step *step, struct lk_json_scalar *ret, char **ret_fault);

/* As lk_json_scalar_read(), for the key of a map: JSON has only texts there. */
LK_MUST_CHECK enum lk_err lk_json_scalar_read_key(const struct lk_schema_field *field, const char *key, size_t key_len,
	const struct lk_json_step *step, struct lk_json_scalar *ret, char **ret_fault);

/*
 * A value of `field`, which is no message, as JSON: `number`, or `len` bytes of `data`, as its wire type has it. LK_PROTOCOL with
 * `*ret_fault` where a text is no UTF-8, LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_json_scalar_show(const struct lk_schema_field *field, uint64_t number, const uint8_t *data,
	size_t len, const struct lk_json_step *step, json_t **ret, char **ret_fault);

#endif

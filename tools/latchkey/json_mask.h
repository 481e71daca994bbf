/*
 * google.protobuf.FieldMask as JSON has it (field_mask.proto, "JSON Encoding of Field Masks"): one text, its paths in lowerCamelCase
 * with commas between, where the message has them as the .proto does. For the JSON codec. Pure.
 */
#ifndef LK_CLI_JSON_MASK_H
#define LK_CLI_JSON_MASK_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/latchkey/bytes.h"

/*
 * Add the `len` bytes of one path to `out`, in the other form. False: it would not come back as it was, and `out` has a part of it: a
 * path that is empty, "max_ttl" in JSON, "maxTtl", "a__b" or "a,b" in the message, and in either what no field's name has.
 */
bool lk_json_mask_from_json(const char *path, size_t len, struct lk_bytes *out);
bool lk_json_mask_to_json(const char *path, size_t len, struct lk_bytes *out);

#endif

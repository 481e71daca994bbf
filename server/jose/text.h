/*
 * The texts that tokens and key sets are made of: base64url and JSON, each read strictly.
 */
#ifndef LK_SERVER_JOSE_TEXT_H
#define LK_SERVER_JOSE_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How deep objects and arrays may stand in one another. */
#define LK_JOSE_DEPTH_MAX 16

/*
 * Decodes unpadded base64url (RFC 4648 section 5, RFC 7515 section 2) of `len` characters into at most `room` bytes. False where
 * there is anything else in it, padding too, or a bit that no encoder sets, or where it does not fit.
 */
bool lk_jose_decode(const char *text, size_t len, uint8_t *ret_data, size_t room, size_t *ret_len);

/*
 * Reads a JSON object, to be json_decref()ed. NULL where it is anything else, is not UTF-8, holds a NUL, a name twice in one
 * object, or more levels than LK_JOSE_DEPTH_MAX, or where memory is short.
 */
json_t *lk_jose_read_object(const char *text, size_t len);

#endif

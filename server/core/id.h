/*
 * Key ids: "key_" and 26 characters of Crockford's base32 in lower case (https://www.crockford.com/base32.html), which are
 * 128 bits: 48 of milliseconds since 1970, 80 random ones. Ids sort by time of creation.
 */
#ifndef LK_SERVER_CORE_ID_H
#define LK_SERVER_CORE_ID_H

#include <stdbool.h>
#include <stdint.h>

/* The bits of an id as bytes: they sort as the ids do. */
#define LK_KEY_ID_BYTES_LEN 16
/* "key_", 26 characters and a NUL. */
#define LK_KEY_ID_LEN        31
#define LK_KEY_ID_RANDOM_LEN 10

/* Writes the id for this time and these random bytes. Pure. */
void lk_key_id_make(
	int64_t time_us, const uint8_t random[static LK_KEY_ID_RANDOM_LEN], char ret_id[static LK_KEY_ID_LEN]);

/* Whether `text` has the form of a key id. */
bool lk_key_id_is(const char *text);

/* The bits of an id; false where `text` has not the form of one. */
bool lk_key_id_parse(const char *text, uint8_t ret_bytes[static LK_KEY_ID_BYTES_LEN]);

/* Whether `text` is a key's number: 1 to 2^64 - 1 in decimal without sign or leading zero; stores it. */
bool lk_key_number_parse(const char *text, uint64_t *ret_number);

#endif

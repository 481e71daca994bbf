/*
 * Key ids: "key_" and 26 characters of Crockford's base32 in lower case (https://www.crockford.com/base32.html), which are
 * 128 bits: 48 of milliseconds since 1970, 80 random ones. Ids sort by time of creation.
 */
#ifndef LK_SERVER_CORE_ID_H
#define LK_SERVER_CORE_ID_H

#include <stdbool.h>
#include <stdint.h>

/* "key_", 26 characters and a NUL. */
#define LK_KEY_ID_LEN        31
#define LK_KEY_ID_RANDOM_LEN 10

/* Writes the id for this time and these random bytes. Pure. */
void lk_key_id_make(
	int64_t time_us, const uint8_t random[static LK_KEY_ID_RANDOM_LEN], char ret_id[static LK_KEY_ID_LEN]);

/* Whether `text` has the form of a key id. */
bool lk_key_id_is(const char *text);

/* Whether `text` is a key's number: 1 to 2^64 - 1 in decimal without sign or leading zero; stores it. */
bool lk_key_number_parse(const char *text, uint64_t *ret_number);

#endif

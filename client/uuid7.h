/*
 * UUIDs of version 7 (RFC 9562, section 5.7), as 16 bytes: 48 bits of milliseconds since 1970, then version, variant and 74
 * random bits. sodium_init() must have been called before one is made. No state: any thread.
 */
#ifndef LK_CLIENT_UUID7_H
#define LK_CLIENT_UUID7_H

#include <stdbool.h>
#include <stdint.h>

#define LK_UUID7_LEN 16

/* Makes an id of this time. Draws from the system's random generator. */
void lk_uuid7_make(uint64_t unix_ms, uint8_t ret_id[static LK_UUID7_LEN]);

/* Whether `id` is a UUID of version 7 and the RFC's variant; stores its time. `*ret_unix_ms` is untouched where it is none. */
bool lk_uuid7_time(const uint8_t id[static LK_UUID7_LEN], uint64_t *ret_unix_ms);

#endif

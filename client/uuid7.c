#include "client/uuid7.h"

#include <sodium.h>

#define TIME_LEN 6

void lk_uuid7_make(uint64_t unix_ms, uint8_t ret_id[static LK_UUID7_LEN])
{
	for (unsigned i = 0; i < TIME_LEN; i++) {
		ret_id[i] = (uint8_t)(unix_ms >> 8 * (TIME_LEN - 1 - i));
	}
	randombytes_buf(ret_id + TIME_LEN, LK_UUID7_LEN - TIME_LEN);
	ret_id[6] = (uint8_t)(0x70 | (ret_id[6] & 0x0f));
	ret_id[8] = (uint8_t)(0x80 | (ret_id[8] & 0x3f));
}

bool lk_uuid7_time(const uint8_t id[static LK_UUID7_LEN], uint64_t *ret_unix_ms)
{
	uint64_t unix_ms = 0;

	if (id[6] >> 4 != 7 || id[8] >> 6 != 2) {
		return false;
	}
	for (unsigned i = 0; i < TIME_LEN; i++) {
		unix_ms = unix_ms << 8 | id[i];
	}
	*ret_unix_ms = unix_ms;
	return true;
}

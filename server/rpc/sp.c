#include "server/rpc/sp.h"

#include <endian.h>
#include <string.h>

const uint8_t lk_sp_req_greeting[LK_SP_GREETING_LEN] = {0, 'S', 'P', 0, 0, 0x30, 0, 0};
const uint8_t lk_sp_rep_greeting[LK_SP_GREETING_LEN] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

/* The only type of message there is over ipc. */
#define IPC_MESSAGE 1

bool lk_sp_read_head(bool ipc, const uint8_t *head, uint64_t *ret_len)
{
	uint64_t big = 0;

	if (ipc && *head++ != IPC_MESSAGE) {
		return false;
	}
	memcpy(&big, head, sizeof(big));
	*ret_len = be64toh(big);
	return true;
}

void lk_sp_write_head(bool ipc, uint64_t len, uint8_t *out)
{
	uint64_t big = htobe64(len);

	if (ipc) {
		*out++ = IPC_MESSAGE;
	}
	memcpy(out, &big, sizeof(big));
}

size_t lk_sp_backtrace_len(const uint8_t *data, size_t len)
{
	for (size_t at = 0; len - at >= 4; at += 4) {
		if (data[at] & 0x80) {
			return at + 4;
		}
	}
	return 0;
}

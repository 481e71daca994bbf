/*
 * The wire of nng's and nanomsg's "scalability protocols", as far as a REP needs it (nanomsg's RFCs sp-tcp-mapping-01,
 * sp-ipc-mapping-01 and sp-request-reply-01). Pure.
 *
 * Both sides begin with a greeting of 8 bytes. Then come messages: over tcp a length in 8 bytes, big-endian, and as many bytes;
 * over ipc the same behind a byte of 1. A request's bytes begin with its backtrace: words of 4 bytes of which only the last one,
 * the id, has its highest bit set. A reply begins with the same backtrace.
 */
#ifndef LK_SERVER_RPC_SP_H
#define LK_SERVER_RPC_SP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LK_SP_GREETING_LEN 8
#define LK_SP_HEAD_MAX     9
/* As many hops as nng takes, NNG_OPT_MAXTTL. */
#define LK_SP_BACKTRACE_MAX ((size_t)8 * 4)

extern const uint8_t lk_sp_req_greeting[LK_SP_GREETING_LEN];
extern const uint8_t lk_sp_rep_greeting[LK_SP_GREETING_LEN];

/* The bytes before a message: its length, and over ipc its type. */
static inline size_t lk_sp_head_len(bool ipc)
{
	return ipc ? 9 : 8;
}

/* Reads lk_sp_head_len() bytes; false where they are no head. */
bool lk_sp_read_head(bool ipc, const uint8_t *head, uint64_t *ret_len);
/* Writes lk_sp_head_len() bytes. */
void lk_sp_write_head(bool ipc, uint64_t len, uint8_t *out);

/* How long the backtrace is that a request of `len` bytes begins with; 0 where there is none that ends within `len`. */
size_t lk_sp_backtrace_len(const uint8_t *data, size_t len);

#endif

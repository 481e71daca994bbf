/*
 * The input of a verdict, as strictly as the daemon has it: what the wire check (server/rpc/wire.h) would refuse of the packed
 * message is refused of the message itself, in the same words.
 */
#ifndef LK_SERVER_LOCAL_INPUT_H
#define LK_SERVER_LOCAL_INPUT_H

#include "latchkey/v1/key.pb-c.h"
#include "server/service/request.h"

/*
 * Sees to it that every text of `message` is there and within its limits. What is plainly so is answered at once; all else is
 * packed and checked as the daemon does it, and `*ret_message` is then what was unpacked again, in the request's arena.
 * LK_INVALID_ARGUMENT with the request's faults, LK_RESOURCE_EXHAUSTED for want of memory.
 */
LK_MUST_CHECK enum lk_err lk_input_check(struct lk_request *request, const Latchkey__V1__VerifyKeyRequest *message,
	const Latchkey__V1__VerifyKeyRequest **ret_message);

#endif

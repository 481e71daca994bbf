/*
 * The results of a call, as the runtime writes them into a struct lk_call. Not installed. Nothing here blocks.
 */
#ifndef LK_CLIENT_RESULT_H
#define LK_CLIENT_RESULT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include <latchkey/call.h>

#include "client/envelope.h"

/* Sets the call's message in place of what was there. Without memory there is none. */
__attribute__((format(printf, 2, 3))) void lk_result_say(struct lk_call *call, const char *format, ...);

/*
 * What a call that ran out of its time ends with, in words too: LK_UNAVAILABLE where no attempt was made and there is no
 * connection, else LK_DEADLINE_EXCEEDED.
 */
LK_MUST_CHECK enum lk_err lk_result_late(
	struct lk_call *call, const char *urls, uint32_t timeout_ms, bool is_connected, bool may_be_done);

/* Says that the answer was none: LK_PROTOCOL. */
void lk_result_alien(struct lk_call *call, const char *urls);

/*
 * Copies what a Response says beside its payload. `call->attempts` stays. LK_OK, whatever the response's code is; LK_PROTOCOL
 * for a broken violation, LK_NO_MEMORY.
 */
LK_MUST_CHECK enum lk_err lk_result_take(struct lk_call *call, const struct lk_response_envelope *response);

/*
 * Unpacks a payload and checks what a response of its kind must hold. `*ret_response` is the caller's, to be freed with
 * protobuf_c_message_free_unpacked(). LK_PROTOCOL.
 */
LK_MUST_CHECK enum lk_err lk_result_unpack(
	const ProtobufCMessageDescriptor *descriptor, struct lk_span payload, ProtobufCMessage **ret_response);

#endif

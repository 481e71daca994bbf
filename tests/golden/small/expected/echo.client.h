/*
 * Typed calls: lk_channel_call() and lk_channel_start() for each method; see there for errors.
 *
 * Made by protoc-gen-latchkey from echo.proto: not to be edited.
 */
#ifndef ECHO_CLIENT_H
#define ECHO_CLIENT_H

#include <latchkey/call.h>
#include <latchkey/channel.h>
#include <latchkey/error.h>
#include <latchkey/method.h>

#include "echo.pb-c.h"

#ifdef __cplusplus
extern "C" {
#endif

extern const struct lk_method golden_echo_echo_echo_method;

/* Says it back. */
LK_MUST_CHECK enum lk_err golden_echo_echo_echo(struct lk_channel *channel,
	const Golden__Echo__EchoRequest *request, Golden__Echo__EchoResponse **ret_response,
	struct lk_call *call);

/* Told when a call begun by golden_echo_echo_echo_start() has ended; see lk_done_fn. */
typedef void (*golden_echo_echo_echo_done_fn)(enum lk_err err,
	Golden__Echo__EchoResponse *response, struct lk_call *call, void *context);

/* golden_echo_echo_echo() without waiting for the answer: `done` is told; see lk_channel_start(). */
LK_MUST_CHECK enum lk_err golden_echo_echo_echo_start(struct lk_channel *channel,
	const Golden__Echo__EchoRequest *request, struct lk_call *call,
	golden_echo_echo_echo_done_fn done, void *context);

#ifdef __cplusplus
}
#endif

#endif

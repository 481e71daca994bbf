/* Made by protoc-gen-latchkey from echo.proto: not to be edited. */
#include "echo.server.h"

#include "echo.client.h"
#include "echo.wire.h"

static enum lk_err golden_echo_echo_echo_answer(const void *handlers,
	struct lk_request *request, const ProtobufCMessage *message, ProtobufCMessage *response)
{
	const struct golden_echo_echo_handlers *typed = handlers;

	if (!typed->echo)
		return LK_UNIMPLEMENTED;
	return typed->echo(request, (const Golden__Echo__EchoRequest *)message,
		(Golden__Echo__EchoResponse *)response);
}

static const struct lk_server_method golden_echo_echo_methods[] = {
	{
		.method = &golden_echo_echo_echo_method,
		.request = &golden__echo__echo_request__wire,
		.answer = golden_echo_echo_echo_answer,
	},
};

const struct lk_server_service golden_echo_echo_service = {
	.name = "golden.echo.EchoService",
	.methods = golden_echo_echo_methods,
	.n_methods = sizeof(golden_echo_echo_methods) / sizeof(golden_echo_echo_methods[0]),
};

/* Made by protoc-gen-latchkey from echo.proto: not to be edited. */
#include "echo.client.h"

const struct lk_method golden_echo_echo_echo_method = {
	.name = "golden.echo.EchoService/Echo",
	.access = "public",
	.request = &golden__echo__echo_request__descriptor,
	.response = &golden__echo__echo_response__descriptor,
	.effect = LK_EFFECT_READ,
	.large_request = false,
	.own = false,
};

enum lk_err golden_echo_echo_echo(struct lk_channel *channel,
	const Golden__Echo__EchoRequest *request, Golden__Echo__EchoResponse **ret_response,
	struct lk_call *call)
{
	ProtobufCMessage *response;
	enum lk_err err = lk_channel_call(channel, &golden_echo_echo_echo_method, &request->base, &response, call);

	if (err == LK_OK)
		*ret_response = (Golden__Echo__EchoResponse *)response;
	return err;
}

static void golden_echo_echo_echo_done(enum lk_err err, ProtobufCMessage *response,
	struct lk_call *call, void *context)
{
	golden_echo_echo_echo_done_fn done = (golden_echo_echo_echo_done_fn)call->typed_done;

	(void)context;
	done(err, (Golden__Echo__EchoResponse *)response, call, call->typed_context);
}

enum lk_err golden_echo_echo_echo_start(struct lk_channel *channel,
	const Golden__Echo__EchoRequest *request, struct lk_call *call,
	golden_echo_echo_echo_done_fn done, void *context)
{
	call->typed_done = (void (*)(void))done;
	call->typed_context = context;
	return lk_channel_start(
		channel, &golden_echo_echo_echo_method, &request->base, call, golden_echo_echo_echo_done, NULL);
}

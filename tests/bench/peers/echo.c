/*
 * The floor of every daemon on nng: a REP socket that answers each request with as many bytes as a verdict has, and does nothing
 * else. It has the contexts that latchkeyd has by default, or CONTEXTS, and receives and sends in the same way.
 *
 *	bench_echo URL REPLY_BYTES [CONTEXTS]
 *
 * Beside Verify it does nothing: it looks at no byte of the request, and has no store, no deadline and no caller to check. The
 * client is bench_drive, the same as Verify's.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/figures.h"
#include "tests/lib/check.h"

#define CONTEXTS      "64"
#define CONTEXTS_MOST 4096

struct context {
	nng_ctx ctx;
	nng_aio *aio;
	bool sending;
};

static size_t reply_len;

static void on_aio(void *argument)
{
	struct context *context = argument;
	nng_msg *reply = NULL;

	if (nng_aio_result(context->aio) != 0) {
		return;
	}
	if (context->sending) {
		context->sending = false;
		nng_ctx_recv(context->ctx, context->aio);
		return;
	}
	nng_msg_free(nng_aio_get_msg(context->aio));
	CHECK(nng_msg_alloc(&reply, reply_len) == 0);
	memset(nng_msg_body(reply), 'e', reply_len);
	nng_aio_set_msg(context->aio, reply);
	context->sending = true;
	nng_ctx_send(context->ctx, context->aio);
}

int main(int argc, char **argv)
{
	static struct context contexts[CONTEXTS_MOST];
	nng_socket socket = NNG_SOCKET_INITIALIZER;

	CHECK_MSG(argc == 3 || argc == 4, "bench_echo URL REPLY_BYTES [CONTEXTS]");
	reply_len = lk_option_number("REPLY_BYTES", argv[2], 1);
	size_t n_contexts = lk_option_number("CONTEXTS", argc == 4 ? argv[3] : CONTEXTS, 1);
	CHECK_MSG(n_contexts <= CONTEXTS_MOST, "CONTEXTS: 4096 at most");
	CHECK(nng_rep0_open(&socket) == 0);
	for (size_t i = 0; i < n_contexts; i++) {
		CHECK(nng_ctx_open(&contexts[i].ctx, socket) == 0);
		CHECK(nng_aio_alloc(&contexts[i].aio, on_aio, &contexts[i]) == 0);
		nng_ctx_recv(contexts[i].ctx, contexts[i].aio);
	}
	CHECK_MSG(nng_listen(socket, argv[1], NULL, 0) == 0, argv[1]);
	(void)printf("ready\n");
	(void)fflush(stdout);
	for (;;) {
		(void)pause();
	}
}

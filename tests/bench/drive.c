/*
 * Drives a server on nng's REQ/REP: so many REQ sockets, so many contexts of each, each with one request under way, for so many
 * seconds. Every reply must have the bytes of verdicts that are VALID; of an echo, any.
 *
 *	bench_drive URL TOKENS WHAT SOCKETS CONTEXTS SECONDS RATE [CREDENTIAL]
 *
 * WHAT: verify; gates, of keys that bench_load gave rules, with all of them asked for and charged; batch:N, VerifyBatch of N
 * tokens; echo, the requests of verify to a server that knows nothing of them. CONTEXTS: of each socket. RATE: requests a
 * second, an open loop; 0: a closed one, each context asks again when it was answered. CREDENTIAL: a file with a root key,
 * for tcp.
 *
 * Prints what figures.h says, of verdicts, with request_bytes and reply_bytes. The latency of a verdict is its message's.
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "tests/bench/figures.h"
#include "tests/bench/histogram.h"
#include "tests/bench/loop.h"
#include "tests/bench/question.h"
#include "tests/lib/check.h"

/* What is not answered by then never will be: better no figure than a run without an end. */
#define ANSWER_MS 20000

struct driver {
	struct lk_tokens tokens;
	/* One, or none. */
	struct lk_tokens credential;
	struct lk_question question;
	struct lk_loop_options loop;
	size_t n_sockets;
	nng_socket *sockets;
	struct context *contexts;
	_Atomic size_t request_len;
	_Atomic size_t reply_len;
};

struct context {
	struct driver *driver;
	struct lk_loop *loop;
	size_t number;
	struct lk_asker asker;
	nng_ctx ctx;
	nng_aio *aio;
	bool sending;
};

/*
 * Stands in the place of libc's, for nng alone: nothing else in here asks for random bytes. A REQ socket of nng 1.5.2
 * numbers its requests upwards from a random one of 0x80000000 to 0xffffffff, and goes on with 0. But the highest bit
 * is what tells a request's id from hops: from there on every server, nng's own REP too, drops each request as one that
 * came too far, and a run in some thousands ended so. Here the first id is near 0x80000000, and no run has 2^31
 * requests. The numbers differ, so that nng spreads its operations over its queues as it does by random ones.
 */
ssize_t getrandom(void *out, size_t len, unsigned flags)
{
	static _Atomic uint32_t drawn;
	uint32_t number = atomic_fetch_add(&drawn, 1);

	(void)flags;
	memset(out, 0, len);
	memcpy(out, &number, len < sizeof number ? len : sizeof number);
	return (ssize_t)len;
}

static void ask(void *argument, struct lk_loop *loop, size_t caller)
{
	struct driver *driver = argument;
	struct context *context = &driver->contexts[caller];
	nng_msg *message = lk_asker_request(&context->asker);

	atomic_store_explicit(&driver->request_len, nng_msg_len(message), memory_order_relaxed);
	context->loop = loop;
	context->sending = true;
	nng_aio_set_msg(context->aio, message);
	nng_aio_set_timeout(context->aio, ANSWER_MS);
	nng_ctx_send(context->ctx, context->aio);
}

static void on_aio(void *argument)
{
	struct context *context = argument;

	CHECK_MSG(nng_aio_result(context->aio) == 0, nng_strerror(nng_aio_result(context->aio)));
	if (context->sending) {
		context->sending = false;
		nng_ctx_recv(context->ctx, context->aio);
		return;
	}
	nng_msg *reply = nng_aio_get_msg(context->aio);
	atomic_store_explicit(&context->driver->reply_len, nng_msg_len(reply), memory_order_relaxed);
	size_t verdicts = lk_asker_check(&context->asker, reply);
	nng_msg_free(reply);
	lk_loop_answered(context->loop, context->number, verdicts);
}

static void open_sockets(struct driver *driver, const char *url)
{
	size_t of_each = driver->loop.callers / driver->n_sockets;

	driver->sockets = calloc(driver->n_sockets, sizeof *driver->sockets);
	driver->contexts = calloc(driver->loop.callers, sizeof *driver->contexts);
	CHECK(driver->sockets != NULL && driver->contexts != NULL);
	for (size_t i = 0; i < driver->n_sockets; i++) {
		CHECK(nng_req0_open(&driver->sockets[i]) == 0);
		CHECK(nng_socket_set_ms(driver->sockets[i], NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE) == 0);
		CHECK_MSG(nng_dial(driver->sockets[i], url, NULL, 0) == 0, url);
	}
	for (size_t i = 0; i < driver->loop.callers; i++) {
		struct context *context = &driver->contexts[i];
		context->driver = driver;
		context->number = i;
		lk_asker_init(&context->asker, &driver->question, i, driver->loop.callers);
		CHECK(nng_ctx_open(&context->ctx, driver->sockets[i / of_each]) == 0);
		CHECK(nng_aio_alloc(&context->aio, on_aio, context) == 0);
	}
}

static void close_sockets(struct driver *driver)
{
	for (size_t i = 0; i < driver->loop.callers; i++) {
		nng_aio_free(driver->contexts[i].aio);
		CHECK(nng_ctx_close(driver->contexts[i].ctx) == 0);
		lk_asker_done(&driver->contexts[i].asker);
	}
	for (size_t i = 0; i < driver->n_sockets; i++) {
		CHECK(nng_close(driver->sockets[i]) == 0);
	}
	free(driver->contexts);
	free(driver->sockets);
}

static void read_arguments(struct driver *driver, int argc, char **argv)
{
	CHECK_MSG(argc == 8 || argc == 9, "bench_drive URL TOKENS WHAT SOCKETS CONTEXTS SECONDS RATE [CREDENTIAL]");
	lk_tokens_read(&driver->tokens, argv[2]);
	lk_question_parse(argv[3], &driver->question);
	driver->question.tokens = &driver->tokens;
	if (argc == 9) {
		lk_tokens_read(&driver->credential, argv[8]);
		driver->question.credential = driver->credential.at[0];
	}
	driver->n_sockets = lk_option_number("SOCKETS", argv[4], 1);
	driver->loop = (struct lk_loop_options){
		.callers = driver->n_sockets * lk_option_number("CONTEXTS", argv[5], 1),
		.length_ns = lk_option_seconds("SECONDS", argv[6]),
		.rate = (double)lk_option_number("RATE", argv[7], 0),
		.ask = ask,
		.context = driver,
	};
}

int main(int argc, char **argv)
{
	static struct driver driver;
	struct lk_figures figures = {0};
	struct lk_histogram *latencies = lk_histogram_new();
	char more[96] = "";

	read_arguments(&driver, argc, argv);
	open_sockets(&driver, argv[1]);
	lk_loop_run(&driver.loop, &figures, latencies);
	close_sockets(&driver);
	(void)snprintf(more, sizeof more, ", \"request_bytes\": %zu, \"reply_bytes\": %zu",
		atomic_load(&driver.request_len), atomic_load(&driver.reply_len));
	lk_figures_print(&figures, latencies, more);
	lk_histogram_free(latencies);
	lk_tokens_done(&driver.tokens);
	lk_tokens_done(&driver.credential);
	return 0;
}

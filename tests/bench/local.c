/*
 * Asks for verdicts in this process, beside a daemon or without one: so many threads with a verifier each, for so many
 * seconds. Every verdict must be VALID, and counts as a use.
 *
 *	bench_local DIR TOKENS THREADS SECONDS RATE packed|message
 *
 * RATE: verdicts a second, an open loop; 0: a closed one. packed: the reply as bytes; message: unpacked, as a caller in C
 * reads it.
 *
 * Prints what figures.h says; client_us is all there is, of all threads together.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <latchkey/local.h>

#include "tests/bench/figures.h"
#include "tests/bench/histogram.h"
#include "tests/bench/loop.h"
#include "tests/bench/warm.h"
#include "tests/lib/check.h"

/* Texts of messages are not const in protobuf-c's types; nothing writes to them. */
#define TEXT(text) ((char *)(uintptr_t)(text))

/* On lines of its own: no two threads share one. */
struct asker {
	_Alignas(128) size_t cursor;
	struct lk_local_verifier *verifier;
	size_t reply_len;
};

struct driver {
	struct lk_local *local;
	struct lk_tokens tokens;
	bool packed;
	struct asker *askers;
};

static void verify(void *context, size_t number)
{
	struct driver *driver = context;
	struct asker *asker = &driver->askers[number];
	Latchkey__V1__VerifyKeyRequest request = LATCHKEY__V1__VERIFY_KEY_REQUEST__INIT;
	const Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct lk_local_reply reply = {0};

	request.token = TEXT(lk_tokens_next(&driver->tokens, &asker->cursor));
	if (driver->packed) {
		CHECK(lk_local_verify_packed(asker->verifier, &request, &reply, NULL) == LK_OK);
		CHECK(reply.code == LATCHKEY__V1__VERIFY_CODE__VERIFY_CODE_VALID);
		asker->reply_len = reply.len;
	} else {
		CHECK(lk_local_verify(asker->verifier, &request, &response, NULL) == LK_OK);
		CHECK(response->valid && response->key != NULL);
	}
}

static void open_askers(struct driver *driver, size_t count)
{
	driver->askers = aligned_alloc(128, count * sizeof *driver->askers);
	CHECK(driver->askers != NULL);
	for (size_t i = 0; i < count; i++) {
		driver->askers[i] = (struct asker){.cursor = lk_tokens_begin(&driver->tokens, i, count)};
		CHECK(lk_local_verifier_new(driver->local, &driver->askers[i].verifier) == LK_OK);
	}
}

int main(int argc, char **argv)
{
	static struct driver driver;
	char message[LK_LOCAL_MESSAGE_LEN] = "";
	struct lk_figures figures = {0};
	struct lk_histogram *latencies = lk_histogram_new();
	char more[64] = "";

	CHECK_MSG(argc == 7, "bench_local DIR TOKENS THREADS SECONDS RATE packed|message");
	struct lk_loop_options loop = {
		.callers = lk_option_number("THREADS", argv[3], 1),
		.length_ns = lk_option_seconds("SECONDS", argv[4]),
		.rate = (double)lk_option_number("RATE", argv[5], 0),
		.wait = verify,
		.context = &driver,
	};
	driver.packed = strcmp(argv[6], "packed") == 0;
	CHECK_MSG(driver.packed || strcmp(argv[6], "message") == 0, argv[6]);
	lk_tokens_read(&driver.tokens, argv[2]);
	struct lk_local_options options = {.dir = argv[1]};
	CHECK_MSG(lk_local_open(&options, &driver.local, message) == LK_OK, message);
	open_askers(&driver, loop.callers);
	lk_warm_maps();
	lk_loop_run(&loop, &figures, latencies);
	(void)snprintf(more, sizeof more, ", \"reply_bytes\": %zu", driver.askers[0].reply_len);
	lk_figures_print(&figures, latencies, more);
	for (size_t i = 0; i < loop.callers; i++) {
		lk_local_verifier_free(driver.askers[i].verifier);
	}
	free(driver.askers);
	lk_local_close(driver.local);
	lk_histogram_free(latencies);
	lk_tokens_done(&driver.tokens);
	return 0;
}

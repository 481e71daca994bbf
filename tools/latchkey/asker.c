#include "tools/latchkey/asker.h"

#include <stdlib.h>

#include <latchkey/v1/key.client.h>
#include <latchkey/verifier.h>

/* Callers that wait at a time: more than one, so that messages with several questions come about. */
#define BATCHING_THREADS 8

struct lk_asker {
	struct lk_channel *channel;
	/* Of the batching one. */
	struct lk_verifier *verifier;
};

static void close_asker(struct lk_asker *asker)
{
	if (!asker) {
		return;
	}
	lk_verifier_close(asker->verifier);
	lk_channel_close(asker->channel);
	free(asker);
}

static enum lk_exit open_unary(const struct lk_asker_options *options, struct lk_asker **ret)
{
	struct lk_asker *asker = calloc(1, sizeof(*asker));
	enum lk_exit code = asker ? lk_session_dial(options->session, &asker->channel) : lk_say_no_memory();

	if (code != LK_EXIT_OK) {
		close_asker(asker);
		return code;
	}
	*ret = asker;
	return LK_EXIT_OK;
}

/* Takes the verdict out of a response, and frees it. */
static enum lk_err take_code(
	enum lk_err err, Latchkey__V1__VerifyKeyResponse *response, Latchkey__V1__VerifyCode *ret_code)
{
	if (err == LK_OK) {
		*ret_code = response->code;
		latchkey__v1__verify_key_response__free_unpacked(response, NULL);
	}
	return err;
}

static enum lk_err ask_unary(struct lk_asker *asker, const Latchkey__V1__VerifyKeyRequest *request,
	Latchkey__V1__VerifyCode *ret_code, struct lk_call *call)
{
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	enum lk_err err = latchkey_v1_key_verify(asker->channel, request, &response, call);

	return take_code(err, response, ret_code);
}

const struct lk_asker_kind lk_asker_unary = {
	.name = "unary",
	.threads = 1,
	.open = open_unary,
	.ask = ask_unary,
	.close = close_asker,
};

static enum lk_exit open_batching(const struct lk_asker_options *options, struct lk_asker **ret)
{
	struct lk_asker *asker = NULL;
	enum lk_exit code = open_unary(options, &asker);

	if (code != LK_EXIT_OK) {
		return code;
	}
	const struct lk_verifier_options verifier = {.channel = asker->channel};
	if (lk_verifier_open(&verifier, &asker->verifier) != LK_OK) {
		close_asker(asker);
		return lk_say_no_memory();
	}
	*ret = asker;
	return LK_EXIT_OK;
}

static enum lk_err ask_batching(struct lk_asker *asker, const Latchkey__V1__VerifyKeyRequest *request,
	Latchkey__V1__VerifyCode *ret_code, struct lk_call *call)
{
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	enum lk_err err = lk_verifier_verify(asker->verifier, request, &response, call);

	return take_code(err, response, ret_code);
}

const struct lk_asker_kind lk_asker_batching = {
	.name = "batching",
	.threads = BATCHING_THREADS,
	.open = open_batching,
	.ask = ask_batching,
	.close = close_asker,
};

/* The drivers that ask the store itself; see drivers.h. */
#include <latchkey/local.h>
#include <stdlib.h>

#include "tests/integration/verifiers/drivers.h"
#include "tests/lib/check.h"

struct in_process {
	struct lk_local *local;
	struct lk_local_verifier *verifier;
	bool is_joined;
	/* Of the packed one. */
	Latchkey__V1__VerifyKeyResponse *response;
};

static struct in_process *new_on(struct lk_local *local, bool is_joined)
{
	struct in_process *state = calloc(1, sizeof *state);

	CHECK(state != NULL);
	state->local = local;
	state->is_joined = is_joined;
	CHECK(lk_local_verifier_new(local, &state->verifier) == LK_OK);
	return state;
}

static void *open_local(const struct daemon *daemon, const char *credential)
{
	const struct lk_local_options options = {.dir = daemon->data};
	char message[LK_LOCAL_MESSAGE_LEN] = "";
	struct lk_local *local = NULL;

	(void)credential;
	CHECK_MSG(lk_local_open(&options, &local, message) == LK_OK, message);
	return new_on(local, false);
}

static void *join_local(void *state)
{
	return new_on(((struct in_process *)state)->local, true);
}

static void close_local(void *context)
{
	struct in_process *state = context;

	if (state->response != NULL) {
		latchkey__v1__verify_key_response__free_unpacked(state->response, NULL);
	}
	lk_local_verifier_free(state->verifier);
	if (!state->is_joined) {
		lk_local_close(state->local);
	}
	free(state);
}

static enum lk_err ask_local(void *context, const Latchkey__V1__VerifyKeyRequest *request,
	const Latchkey__V1__VerifyKeyResponse **ret_response, struct lk_call *call)
{
	struct in_process *state = context;

	return lk_local_verify(state->verifier, request, ret_response, call);
}

const struct driver driver_local = {
	.name = "in process", .open = open_local, .ask = ask_local, .join = join_local, .close = close_local};

static enum lk_err ask_packed(void *context, const Latchkey__V1__VerifyKeyRequest *request,
	const Latchkey__V1__VerifyKeyResponse **ret_response, struct lk_call *call)
{
	struct in_process *state = context;
	struct lk_local_reply reply = {0};

	if (state->response != NULL) {
		latchkey__v1__verify_key_response__free_unpacked(state->response, NULL);
		state->response = NULL;
	}
	enum lk_err err = lk_local_verify_packed(state->verifier, request, &reply, call);
	if (err != LK_OK) {
		return err;
	}
	state->response = latchkey__v1__verify_key_response__unpack(NULL, reply.len, reply.data);
	CHECK(state->response != NULL && state->response->code == reply.code);
	*ret_response = state->response;
	return LK_OK;
}

const struct driver driver_packed = {
	.name = "in process, packed", .open = open_local, .ask = ask_packed, .join = join_local, .close = close_local};

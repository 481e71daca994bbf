#include <latchkey/local.h>

#include <stdlib.h>
#include <time.h>

#include "server/core/time.h"
#include "server/local/input.h"
#include "server/local/result.h"
#include "server/local/verifier.h"
#include "server/service/verify_question.h"
#include "server/service/verify_reply.h"
#include "server/store/attach.h"

/* What is asked of a verdict, and what came of it; the answer points into the snapshot, which is held until end(). */
struct verdict {
	struct lk_asked asked;
	struct lk_answer answer;
};

/* Once a second, whether the directory still is the store that was opened. */
static void look_now_and_then(struct lk_local_verifier *verifier)
{
	struct timespec now = {0};

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if ((int64_t)now.tv_sec != verifier->looked_s) {
		verifier->looked_s = now.tv_sec;
		lk_store_look(verifier->request.store);
	}
}

/* Makes ready for a question: what the one before left is wiped, and a snapshot taken of the newest state. */
static enum lk_err begin(struct lk_local_verifier *verifier)
{
	struct lk_request *request = &verifier->request;
	struct timespec now = {0};

	lk_arena_reset(&verifier->arena);
	lk_faults_init(&request->faults, &verifier->arena);
	request->message = NULL;
	look_now_and_then(verifier);
	const char *fault = lk_store_fault(request->store);
	if (fault != NULL) {
		return lk_request_fail(request, LK_FAILED_PRECONDITION, "%s", fault);
	}
	(void)clock_gettime(CLOCK_REALTIME, &now);
	request->now_us = now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
	return lk_snapshot_begin(request->txn);
}

static enum lk_err judge(struct lk_local_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *message,
	struct lk_call *call, struct verdict *verdict)
{
	struct lk_request *request = &verifier->request;

	enum lk_err err = begin(verifier);
	if (err == LK_OK && call != NULL && call->min_revision > lk_txn_head(request->txn)->revision) {
		err = lk_request_fail(request, LK_UNAVAILABLE, "this store has not reached the min_revision yet");
	}
	if (err == LK_OK) {
		err = lk_input_check(request, message, &message);
	}
	if (err == LK_OK) {
		err = lk_verify_read(request, message, &verdict->asked);
	}
	return err == LK_OK ? lk_verify_judge(request, &verdict->asked, &verdict->answer) : err;
}

/* Ends the snapshot, tells `call` what came of it, and maps an error to what a client of the daemon sees. */
static enum lk_err end(
	struct lk_local_verifier *verifier, enum lk_err err, struct verdict *verdict, struct lk_call *call)
{
	struct lk_request *request = &verifier->request;

	/* A reply that is incomplete for want of memory must not pass for a whole one. */
	if (err == LK_OK && verifier->arena.exhausted) {
		err = LK_NO_MEMORY;
	}
	if (err == LK_OK && call != NULL) {
		call->revision = lk_txn_head(request->txn)->revision;
	}
	lk_verify_release(request, &verdict->asked);
	lk_snapshot_end(request->txn);
	if (err == LK_OK) {
		return LK_OK;
	}
	lk_local_result_fail(call, request->message != NULL ? request->message : lk_err_text(err),
		err == LK_INVALID_ARGUMENT ? &request->faults : NULL);
	/* Of a question that was checked closely it holds a copy, with the token. */
	lk_arena_reset(&verifier->arena);
	return lk_err_from_wire(lk_err_wire_code(err));
}

/* The identity as a message, in place of the packed bytes that lk_verify_reply() hands to the packing. */
static enum lk_err unpack_identity(
	struct lk_request *request, const struct lk_answer *answer, Latchkey__V1__VerifyKeyResponse *response)
{
	size_t len = 0;

	if (!answer->found) {
		return LK_OK;
	}
	const uint8_t *identity = lk_verdict_identity(&answer->verdict, &len);
	response->key = latchkey__v1__key_identity__unpack(&request->arena->allocator, len, identity);
	response->base.n_unknown_fields = 0;
	response->base.unknown_fields = NULL;
	if (response->key == NULL) {
		return request->arena->exhausted ? LK_NO_MEMORY : LK_CORRUPT;
	}
	return LK_OK;
}

static enum lk_err reply_message(
	struct lk_request *request, const struct verdict *verdict, Latchkey__V1__VerifyKeyResponse **ret_response)
{
	Latchkey__V1__VerifyKeyResponse *response = lk_arena_alloc(request->arena, sizeof *response);

	if (response == NULL) {
		return LK_NO_MEMORY;
	}
	latchkey__v1__verify_key_response__init(response);
	lk_verify_reply(request, &verdict->asked.question, &verdict->answer, response);
	*ret_response = response;
	return lk_request_check(request);
}

enum lk_err lk_local_verify(struct lk_local_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *request,
	const Latchkey__V1__VerifyKeyResponse **ret_response, struct lk_call *call)
{
	Latchkey__V1__VerifyKeyResponse *response = NULL;
	struct verdict verdict;

	lk_local_result_clear(call);
	verdict.asked = (struct lk_asked){0};
	enum lk_err err = judge(verifier, request, call, &verdict);
	if (err == LK_OK) {
		err = reply_message(&verifier->request, &verdict, &response);
	}
	if (err == LK_OK) {
		err = unpack_identity(&verifier->request, &verdict.answer, response);
	}
	err = end(verifier, err, &verdict, call);
	if (err == LK_OK) {
		*ret_response = response;
	}
	return err;
}

/* Makes room for a packed reply of `len` bytes. */
static enum lk_err make_room(struct lk_local_verifier *verifier, size_t len)
{
	if (len <= verifier->packed_size) {
		return LK_OK;
	}
	uint8_t *packed = realloc(verifier->packed, len);
	if (packed == NULL) {
		return LK_NO_MEMORY;
	}
	verifier->packed = packed;
	verifier->packed_size = len;
	return LK_OK;
}

static enum lk_err pack_explained(struct lk_local_verifier *verifier, const struct verdict *verdict, size_t *ret_len)
{
	Latchkey__V1__VerifyKeyResponse *response = NULL;

	enum lk_err err = reply_message(&verifier->request, verdict, &response);
	if (err == LK_OK) {
		err = make_room(verifier, latchkey__v1__verify_key_response__get_packed_size(response));
	}
	if (err == LK_OK) {
		*ret_len = latchkey__v1__verify_key_response__pack(response, verifier->packed);
	}
	return err;
}

static enum lk_err pack(struct lk_local_verifier *verifier, const struct verdict *verdict, size_t *ret_len)
{
	if (verdict->asked.question.explain) {
		return pack_explained(verifier, verdict, ret_len);
	}
	enum lk_err err = make_room(verifier, lk_verify_packed_max(&verdict->answer));
	if (err == LK_OK) {
		*ret_len = lk_verify_pack(&verdict->answer, verifier->packed);
	}
	return err;
}

enum lk_err lk_local_verify_packed(struct lk_local_verifier *verifier, const Latchkey__V1__VerifyKeyRequest *request,
	struct lk_local_reply *ret_reply, struct lk_call *call)
{
	struct verdict verdict;
	size_t len = 0;

	lk_local_result_clear(call);
	verdict.asked = (struct lk_asked){0};
	enum lk_err err = judge(verifier, request, call, &verdict);
	if (err == LK_OK) {
		err = pack(verifier, &verdict, &len);
	}
	err = end(verifier, err, &verdict, call);
	lk_arena_reset(&verifier->arena);
	if (err == LK_OK) {
		*ret_reply = (struct lk_local_reply){verifier->packed, len, verdict.answer.code};
	}
	return err;
}

#include <string.h>

#include "server/rpc/job.h"

/* When to try again where a queue is full: several commits later. */
#define RETRY_AFTER_MS 100

/*
 * The arena and the snapshot are ready for the next request before the exchange is the transport's again. Where there is no
 * buffer, since not even an error could be packed, the transport closes the connection: the peer sees that there is no answer.
 */
static void send_reply(struct lk_job *job)
{
	lk_snapshot_end(job->snapshot);
	lk_arena_reset(&job->arena);
	job->exchange->ops->reply_send(job->exchange);
}

void lk_answer_error(struct lk_job *job, enum lk_err err, uint32_t retry_after_ms)
{
	const char *message = job->request.message != NULL ? job->request.message : lk_err_text(err);
	struct lk_response_envelope response = {
		.code = lk_err_wire_code(err),
		.message = {(const uint8_t *)message, strlen(message)},
		.retry_after_ms = retry_after_ms,
	};

	if (err == LK_INVALID_ARGUMENT || err == LK_ALREADY_EXISTS) {
		response.violations = lk_request_violations(&job->request);
	}
	if (err == LK_UNAUTHENTICATED || err == LK_PERMISSION_DENIED) {
		lk_job_note_refusal(job, err);
	}
	uint8_t *reply = job->exchange->ops->reply_alloc(job->exchange, lk_envelope_response_size(&response));
	if (reply != NULL) {
		lk_envelope_response_pack(&response, reply);
	}
	send_reply(job);
}

void lk_answer_not_taken(struct lk_job *job, enum lk_err err, const char *what)
{
	if (err == LK_UNAVAILABLE) {
		lk_request_fail(&job->request, err, "the daemon is stopping");
		lk_answer_error(job, err, 0);
	} else {
		lk_request_fail(&job->request, err, "too many %s are waiting: try again shortly", what);
		lk_answer_error(job, err, RETRY_AFTER_MS);
	}
}

/* A buffer with the head of a good answer; the payload goes to what is returned. NULL without memory, or too large. */
static uint8_t *begin_good(struct lk_job *job, size_t payload_len, uint64_t revision)
{
	struct lk_response_envelope response = {.revision = revision, .payload = {.len = payload_len}};
	size_t head_len = lk_envelope_response_size(&response);

	if (head_len + payload_len > LK_REPLY_MAX) {
		lk_request_fail(&job->request, LK_RESOURCE_EXHAUSTED,
			"the answer has %zu bytes and may have %zu: ask for less at a time", head_len + payload_len,
			LK_REPLY_MAX);
		return NULL;
	}
	uint8_t *reply = job->exchange->ops->reply_alloc(job->exchange, head_len + payload_len);
	return reply == NULL ? NULL : reply + lk_envelope_response_pack(&response, reply);
}

void lk_answer_response(struct lk_job *job, uint64_t revision)
{
	uint8_t *payload = NULL;

	/* A response that is incomplete for want of memory must not pass for a whole one. */
	if (!job->arena.exhausted) {
		payload = begin_good(job, protobuf_c_message_get_packed_size(job->response), revision);
	}
	if (payload == NULL) {
		lk_answer_error(job, LK_RESOURCE_EXHAUSTED, 0);
		return;
	}
	protobuf_c_message_pack(job->response, payload);
	send_reply(job);
}

void lk_answer_packed(struct lk_job *job, const uint8_t *packed, size_t packed_len, uint64_t revision)
{
	uint8_t *payload = begin_good(job, packed_len, revision);

	if (payload == NULL) {
		lk_answer_error(job, LK_RESOURCE_EXHAUSTED, 0);
		return;
	}
	if (packed_len > 0) {
		memcpy(payload, packed, packed_len);
	}
	send_reply(job);
}

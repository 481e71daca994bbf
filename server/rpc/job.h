/*
 * A job: one request on its way through the dispatcher. For server/rpc alone.
 */
#ifndef LK_SERVER_RPC_JOB_H
#define LK_SERVER_RPC_JOB_H

#include <stdint.h>

#include "client/envelope.h"
#include "server/rpc/exchange.h"
#include "server/rpc/refusals.h"
#include "server/service/method.h"
#include "server/service/request.h"
#include "server/store/writer.h"

struct lk_dispatcher;

/* A method with the handlers that do it. */
struct lk_route {
	const struct lk_server_method *server;
	const void *handlers;
};

struct lk_job {
	struct lk_dispatcher *dispatcher;
	/* The dispatcher's. */
	struct lk_refusals *refusals;
	struct lk_exchange *exchange;
	/* Kept from request to request. */
	struct lk_arena arena;
	struct lk_txn *snapshot;
	struct lk_expressions *expressions;

	/* Of this request. */
	struct lk_request_envelope envelope;
	const struct lk_route *route;
	ProtobufCMessage *message;
	ProtobufCMessage *response;
	struct lk_request request;
	/* On CLOCK_MONOTONIC. */
	int64_t started_us;
	int64_t deadline_us;

	/* Of a write. */
	Latchkey__Store__Change change;
	/* Its request_id; NULL where there is none that is good. And what is wrong with the one that it has, or NULL. */
	struct lk_reply_id reply_id;
	const char *request_id_fault;
	struct lk_write write;
	char peer_text[LK_PEER_TEXT_LEN];
	char *traceparent;

	/* Of a scan: the queue that it waits in. */
	struct lk_job *next;
};

/*
 * Answers with an error: its code, what the request's message says of it, and all faults. A refusal is noted for the audit chain.
 */
void lk_answer_error(struct lk_job *job, enum lk_err err, uint32_t retry_after_ms);

/*
 * Answers that the request was not taken: LK_RESOURCE_EXHAUSTED, that too many of `what` ("changes") are waiting, or
 * LK_UNAVAILABLE, that the daemon is stopping.
 */
void lk_answer_not_taken(struct lk_job *job, enum lk_err err, const char *what);

/* Answers with the job's response, packed straight into the reply. */
void lk_answer_response(struct lk_job *job, uint64_t revision);

/* Answers with a response that is packed already. */
void lk_answer_packed(struct lk_job *job, const uint8_t *payload, size_t payload_len, uint64_t revision);

/* Notes a call that is refused with `err` for the audit chain, unless it only asks for a verdict. Never blocks. */
void lk_job_note_refusal(const struct lk_job *job, enum lk_err err);

/*
 * Reads the request_id of a call that changes something. What is wrong with it is a fault of the request; it is told again by
 * lk_job_tell_request_id() where the faults begin anew, so that it comes together with those of the payload.
 */
void lk_job_read_request_id(struct lk_job *job);
void lk_job_tell_request_id(struct lk_job *job);

/* Builds, parks and queues a write. Answers, now or later. */
void lk_job_write(struct lk_job *job, struct lk_writer *writer);

/* CLOCK_MONOTONIC. */
int64_t lk_job_clock_us(void);

/* An empty response of the job's method, in the arena. NULL where that is exhausted. */
ProtobufCMessage *lk_job_new_response(struct lk_job *job);

#endif

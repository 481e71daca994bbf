#include <inttypes.h>
#include <string.h>

#include "client/uuid7.h"
#include "server/core/grant.h"
#include "server/core/secret.h"
#include "server/core/time.h"
#include "server/log.h"
#include "server/rpc/caller.h"
#include "server/rpc/job.h"
#include "server/service/build.h"
#include "server/store/find.h"

static struct lk_job *job_of(struct lk_write *write)
{
	return (struct lk_job *)(void *)((char *)write - offsetof(struct lk_job, write));
}

static char *borrow(const char *text)
{
	return (char *)(uintptr_t)text;
}

/*
 * Lets the Change depend on the root key that asks for it, like on all else that was read: a write waits for its turn, and what
 * a key asked for is not done any more once the key's own Revoke, Suspend or Rotate has returned, nor what an Update took
 * from it.
 */
static enum lk_err expect_caller(struct lk_job *job)
{
	struct lk_request *request = &job->request;
	uint64_t slot = request->caller.slot;
	uint64_t revision = 0;

	if (job->change.n_mutations == 0) {
		return LK_OK;
	}
	enum lk_err err = lk_caller_check_again(request, &revision);
	if (err == LK_OK && slot != 0) {
		lk_build_expect_key(request, &job->change, slot, revision);
	}
	return err;
}

/* Builds the Change on `txn`, from nothing: whatever an earlier run left is gone. */
static enum lk_err build(struct lk_write *write, struct lk_txn *txn)
{
	struct lk_job *job = job_of(write);
	struct lk_request *request = &job->request;

	request->txn = txn;
	request->message = NULL;
	lk_faults_init(&request->faults, &job->arena);
	lk_job_tell_request_id(job);
	latchkey__store__change__init(&job->change);
	job->change.time_us = request->now_us;
	job->change.actor = borrow(request->caller.name);
	job->change.method = borrow(request->method);
	job->change.peer = job->peer_text;
	job->change.traceparent = job->traceparent;
	if (job->write.reply_id != NULL) {
		uint8_t *hash = lk_arena_alloc(&job->arena, LK_DIGEST_LEN);
		if (hash == NULL) {
			return LK_NO_MEMORY;
		}
		lk_reply_hash(job->write.reply_id, hash);
		job->change.request_id_hash = (ProtobufCBinaryData){LK_DIGEST_LEN, hash};
	}
	job->response = lk_job_new_response(job);
	if (job->response == NULL) {
		return LK_NO_MEMORY;
	}
	enum lk_err err = job->route->server->build(
		job->route->handlers, request, job->message, &job->change, job->response);
	if (err == LK_OK) {
		err = lk_request_check(request);
	}
	if (err == LK_OK) {
		err = expect_caller(job);
	}
	return err == LK_OK && job->arena.exhausted ? LK_NO_MEMORY : err;
}

static enum lk_err compose(struct lk_write *write, uint8_t **ret_response, size_t *ret_len)
{
	struct lk_job *job = job_of(write);

	job->route->server->reply(job->route->handlers, &job->request, job->message, &job->change, job->response);
	size_t len = protobuf_c_message_get_packed_size(job->response);
	uint8_t *packed = lk_arena_alloc(&job->arena, len + 1);
	if (packed == NULL || job->arena.exhausted) {
		return LK_NO_MEMORY;
	}
	*ret_len = protobuf_c_message_pack(job->response, packed);
	*ret_response = packed;
	return LK_OK;
}

static void log_call(const struct lk_job *job, enum lk_err err)
{
	LK_LOG(LK_LOG_INFO, "call", LK_STR("method", job->request.method), LK_STR("caller", job->request.caller.name),
		LK_STR("peer", job->peer_text), LK_STR("code", lk_err_name(err)),
		LK_INT("us", lk_job_clock_us() - job->started_us), LK_STR("traceparent", job->traceparent));
}

/* What the store itself refuses comes without a message. */
static void explain(struct lk_request *request, enum lk_err err)
{
	if (request->message != NULL) {
		return;
	}
	if (err == LK_FULL) {
		lk_request_fail(request, err, "the store is full: free disk space, or raise map_size");
	} else if (err == LK_INVALID_ARGUMENT) {
		static const char reused[] = "was used for another request: make a new id for each";
		lk_faults_init(&request->faults, request->arena);
		lk_fault_add(&request->faults, "request_id", "%s", reused);
		lk_request_fail(request, err, "request_id: %s", reused);
	}
}

static void refuse(struct lk_job *job, enum lk_err err)
{
	log_call(job, err);
	explain(&job->request, err);
	lk_answer_error(job, err, 0);
}

static void done(struct lk_write *write, enum lk_err err, const struct lk_kept_reply *reply)
{
	struct lk_job *job = job_of(write);

	if (err != LK_OK) {
		refuse(job, err);
		return;
	}
	log_call(job, err);
	lk_answer_packed(job, reply->response, reply->response_len, reply->revision);
}

/* What is wrong with a request_id of this time; NULL: nothing. */
static const char *find_time_fault(struct lk_request *request, uint64_t time_ms)
{
	int64_t ahead_ms = (int64_t)time_ms - request->now_us / LK_US_PER_MS;

	if (ahead_ms >= -LK_REPLY_BEHIND_MS && ahead_ms <= LK_REPLY_AHEAD_MS) {
		return NULL;
	}
	const char *fault = lk_arena_printf(request->arena,
		"its time is %" PRId64
		" s %s the server's, outside of -600 to +120 s: see that the clocks agree (clock "
		"skew), and make a new id for a new request",
		(ahead_ms < 0 ? -ahead_ms : ahead_ms) / 1000, ahead_ms < 0 ? "behind" : "ahead of");
	return fault != NULL ? fault : "its time is too far from the server's (clock skew)";
}

/* The same id may not stand for the same words about another tenant: a JWT's caller may have changed his. */
static void digest_request(struct lk_job *job)
{
	const char *tenant = lk_grant_single_tenant(job->request.caller.grant);
	const struct lk_reply_request asked = {
		.method = job->request.method,
		.tenant = tenant == NULL ? "" : tenant,
		.data = job->envelope.payload.data,
		.len = job->envelope.payload.len,
	};

	lk_reply_request_digest(job->reply_id.request_id, &asked, job->reply_id.request_digest);
}

void lk_job_read_request_id(struct lk_job *job)
{
	struct lk_request *request = &job->request;
	struct lk_span id = job->envelope.request_id;
	uint64_t time_ms = 0;

	job->reply_id = (struct lk_reply_id){0};
	job->request_id_fault = NULL;
	if (id.len == 0) {
		return;
	}
	if (id.len != LK_REQUEST_ID_LEN || !lk_uuid7_time(id.data, &time_ms)) {
		job->request_id_fault = "must be a UUID of version 7, as 16 bytes";
	} else {
		job->request_id_fault = find_time_fault(request, time_ms);
	}
	if (job->request_id_fault == NULL) {
		job->reply_id = (struct lk_reply_id){
			.request_id = id.data, .time_ms = time_ms, .caller = request->caller.name};
		digest_request(job);
	}
	lk_job_tell_request_id(job);
}

void lk_job_tell_request_id(struct lk_job *job)
{
	if (job->request_id_fault != NULL) {
		lk_fault_add(&job->request.faults, "request_id", "%s", job->request_id_fault);
	}
}

/* Whether the request says that nothing is to be done. Every method that can be asked so calls that field the same. */
static bool only_validates(const struct lk_job *job)
{
	const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
		job->message->descriptor, "validate_only");

	return field != NULL && field->type == PROTOBUF_C_TYPE_BOOL &&
	       *(const protobuf_c_boolean *)(const void *)((const char *)job->message + field->offset);
}

/* Whether this is the retry of a change that was made: then it is answered as it was. */
static enum lk_err find_kept(struct lk_job *job, struct lk_kept_reply *ret_reply)
{
	if (job->write.reply_id == NULL) {
		return LK_NOT_FOUND;
	}
	return lk_reply_find(job->snapshot, &job->arena, &job->reply_id, ret_reply);
}

/* Everything but the decision is made: hands the write over, to be answered by done(). */
static void submit(struct lk_job *job, struct lk_writer *writer)
{
	enum lk_err err = LK_RESOURCE_EXHAUSTED;

	/* From here on the request reads what the writer gives it. */
	lk_snapshot_end(job->snapshot);
	job->request.txn = NULL;
	job->write.urgent = job->request.urgent;
	if (job->exchange->ops->park(job->exchange, job->write.urgent)) {
		err = lk_writer_submit(writer, &job->write);
	}
	if (err != LK_OK) {
		log_call(job, err);
		lk_answer_not_taken(job, err, "changes");
	}
}

/*
 * A change without mutations does nothing, and is answered at once. Under a request_id its answer is kept like any other, or its
 * retry might do something once the state is another.
 */
static bool is_answered_at_once(const struct lk_job *job)
{
	return job->change.n_mutations == 0 && job->write.reply_id == NULL;
}

void lk_job_write(struct lk_job *job, struct lk_writer *writer)
{
	struct lk_kept_reply kept = {0};

	job->write = (struct lk_write){
		.arena = &job->arena,
		.change = &job->change,
		.reply_id = job->reply_id.request_id == NULL ? NULL : &job->reply_id,
		.deadline_us = job->deadline_us,
		.build = build,
		.compose = compose,
		.done = done,
	};
	job->exchange->ops->peer_text(job->exchange, job->peer_text);
	job->traceparent = lk_arena_text(&job->arena, job->envelope.traceparent.data, job->envelope.traceparent.len);
	enum lk_err err = job->traceparent == NULL ? LK_NO_MEMORY : find_kept(job, &kept);
	if (err == LK_OK) {
		log_call(job, err);
		lk_answer_packed(job, kept.response, kept.response_len, kept.revision);
		return;
	}
	if (only_validates(job)) {
		job->write.reply_id = NULL;
	}
	err = err == LK_NOT_FOUND ? build(&job->write, job->snapshot) : err;
	if (err != LK_OK) {
		refuse(job, err);
	} else if (is_answered_at_once(job)) {
		log_call(job, err);
		lk_answer_response(job, lk_txn_head(job->snapshot)->revision);
	} else {
		submit(job, writer);
	}
}

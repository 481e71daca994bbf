#include "tests/lib/loop.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/envelope.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/exchange.h"
#include "tests/lib/check.h"

/* An exchange whose transport is the caller, waiting. */
struct loop_pending {
	struct lk_exchange exchange;
	struct lk_rpc_handler handler;
	const struct lk_method *method;
	uint8_t *request;
	bool no_spare;
	pthread_mutex_t lock;
	pthread_cond_t answered;
	bool done;
	uint8_t *reply;
	size_t reply_len;
};

static struct loop_pending *pending_of(struct lk_exchange *exchange)
{
	return (struct loop_pending *)(void *)exchange;
}

static bool park(struct lk_exchange *exchange, bool urgent)
{
	(void)urgent;
	return !pending_of(exchange)->no_spare;
}

static uint8_t *reply_alloc(struct lk_exchange *exchange, size_t len)
{
	struct loop_pending *pending = pending_of(exchange);

	free(pending->reply);
	pending->reply = malloc(len + 1);
	pending->reply_len = len;
	return pending->reply;
}

static void reply_send(struct lk_exchange *exchange)
{
	struct loop_pending *pending = pending_of(exchange);

	pthread_mutex_lock(&pending->lock);
	pending->done = true;
	pthread_cond_signal(&pending->answered);
	pthread_mutex_unlock(&pending->lock);
}

static void peer_text(struct lk_exchange *exchange, char ret_text[static LK_PEER_TEXT_LEN])
{
	(void)exchange;
	(void)snprintf(ret_text, LK_PEER_TEXT_LEN, "loop");
}

static const struct lk_transport_ops ops = {park, reply_alloc, reply_send, peer_text};

static void open_all(struct loop *loop)
{
	struct timespec now = {0};
	char message[LK_STORE_MESSAGE_LEN] = "";

	(void)clock_gettime(CLOCK_REALTIME, &now);
	struct lk_store_options options = {.dir = loop->dir, .now_us = (int64_t)now.tv_sec * 1000000};
	CHECK_MSG(lk_store_open(&options, &loop->store, message) == LK_OK, message);
	struct lk_dispatcher_options dispatch = {.store = loop->store, .write_queue = 64, .scan_queue = 64};
	CHECK(lk_dispatcher_new(&dispatch, &loop->dispatcher) == LK_OK);
}

static void close_all(struct loop *loop)
{
	lk_dispatcher_free(loop->dispatcher);
	lk_store_close(loop->store);
}

void loop_start(struct loop *loop)
{
	(void)snprintf(loop->dir, sizeof loop->dir, "/tmp/latchkey-test-XXXXXX");
	CHECK(mkdtemp(loop->dir) != NULL);
	open_all(loop);
}

void loop_restart(struct loop *loop)
{
	close_all(loop);
	open_all(loop);
}

void loop_stop(struct loop *loop)
{
	static const char *const files[] = {"data.mdb", "lock.mdb", "slots.mmap", "denials.mmap", "gates.mmap",
		"verify.key", "seal.key", "latchkeyd.pid"};
	char path[128] = "";

	close_all(loop);
	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		(void)snprintf(path, sizeof path, "%s/%s", loop->dir, files[i]);
		(void)unlink(path);
	}
	CHECK(rmdir(loop->dir) == 0);
}

static char *copy_span(struct lk_span span)
{
	char *text = calloc(1, span.len + 1);

	CHECK(text != NULL);
	if (span.len > 0) {
		memcpy(text, span.data, span.len);
	}
	return text;
}

static char *join_violations(struct lk_span rest)
{
	struct lk_violation_span violation = {0};
	size_t len = 0;
	char *text = NULL;
	FILE *stream = open_memstream(&text, &len);

	CHECK(stream != NULL);
	while (lk_envelope_next_violation(&rest, &violation) == LK_OK) {
		(void)fprintf(stream, "%.*s: %.*s\n", (int)violation.field.len, (const char *)violation.field.data,
			(int)violation.description.len, (const char *)violation.description.data);
	}
	CHECK(fclose(stream) == 0);
	return text;
}

static struct loop_answer read_answer(const struct loop_pending *pending)
{
	struct lk_response_envelope response = {0};
	struct loop_answer answer = {0};

	CHECK(pending->reply != NULL);
	CHECK(lk_envelope_scan_response(pending->reply, pending->reply_len, &response) == LK_OK);
	answer.code = response.code;
	answer.message = copy_span(response.message);
	answer.violations = join_violations(response.violations);
	answer.revision = response.revision;
	answer.retry_after_ms = response.retry_after_ms;
	answer.payload = (uint8_t *)copy_span(response.payload);
	answer.payload_len = response.payload.len;
	if (answer.code == 0 && pending->method != NULL) {
		answer.response = protobuf_c_message_unpack(
			pending->method->response, NULL, answer.payload_len, answer.payload);
		CHECK(answer.response != NULL);
	}
	return answer;
}

/* Hands `bytes`, which are free()d when it is answered, to the dispatcher. */
static struct loop_pending *hand_over(
	struct loop *loop, const struct loop_call *how, const struct lk_method *method, uint8_t *bytes, size_t len)
{
	struct loop_pending *pending = calloc(1, sizeof *pending);

	CHECK(pending != NULL);
	pending->handler = lk_dispatcher_handler(loop->dispatcher);
	pending->method = method;
	pending->request = bytes;
	pending->no_spare = how->no_spare;
	pending->exchange = (struct lk_exchange){
		.ops = &ops, .request = bytes, .request_len = len, .accepting = !how->stopping};
	pending->exchange.peer = (struct lk_peer){.uid_known = !how->anonymous, .uid = geteuid()};
	pthread_mutex_init(&pending->lock, NULL);
	pthread_cond_init(&pending->answered, NULL);
	CHECK(pending->handler.open(pending->handler.context, &pending->exchange) == LK_OK);
	pending->handler.handle(pending->handler.context, &pending->exchange);
	return pending;
}

struct loop_answer loop_end(struct loop_pending *pending)
{
	pthread_mutex_lock(&pending->lock);
	while (!pending->done) {
		pthread_cond_wait(&pending->answered, &pending->lock);
	}
	pthread_mutex_unlock(&pending->lock);
	pending->handler.close(pending->handler.context, &pending->exchange);
	struct loop_answer answer = read_answer(pending);
	pthread_cond_destroy(&pending->answered);
	pthread_mutex_destroy(&pending->lock);
	free(pending->reply);
	free(pending->request);
	free(pending);
	return answer;
}

struct loop_answer loop_send(struct loop *loop, const struct loop_call *how, const struct lk_method *method,
	const uint8_t *envelope, size_t len)
{
	uint8_t *bytes = malloc(len + 1);

	CHECK(bytes != NULL);
	memcpy(bytes, envelope, len);
	return loop_end(hand_over(loop, how, method, bytes, len));
}

static struct lk_span span_of(const char *text)
{
	return text == NULL ? (struct lk_span){0} : (struct lk_span){(const uint8_t *)text, strlen(text)};
}

struct loop_pending *loop_begin(
	struct loop *loop, const struct loop_call *how, const struct lk_method *method, const ProtobufCMessage *request)
{
	struct lk_request_envelope envelope = {
		.method = span_of(method->name),
		.timeout_ms = how->timeout_ms,
		.credential = span_of(how->credential),
		.request_id = {how->request_id, how->request_id == NULL ? 0 : 16},
		.min_revision = how->min_revision,
		.payload = {.len = protobuf_c_message_get_packed_size(request)},
	};
	size_t head_len = lk_envelope_request_size(&envelope);
	size_t len = head_len + envelope.payload.len;
	uint8_t *bytes = malloc(len + 1);

	CHECK(bytes != NULL);
	(void)lk_envelope_request_pack(&envelope, bytes);
	(void)protobuf_c_message_pack(request, bytes + head_len);
	return hand_over(loop, how, method, bytes, len);
}

struct loop_answer loop_call(
	struct loop *loop, const struct loop_call *how, const struct lk_method *method, const ProtobufCMessage *request)
{
	return loop_end(loop_begin(loop, how, method, request));
}

void loop_answer_done(struct loop_answer *answer)
{
	free(answer->message);
	free(answer->violations);
	free(answer->payload);
	if (answer->response != NULL) {
		protobuf_c_message_free_unpacked(answer->response, NULL);
	}
	memset(answer, 0, sizeof *answer);
}

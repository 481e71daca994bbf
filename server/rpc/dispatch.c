#include "server/rpc/dispatch.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/core/time.h"
#include "server/rpc/background.h"
#include "server/rpc/caller.h"
#include "server/rpc/job.h"
#include "server/rpc/scanner.h"
#include "server/rpc/wire.h"
#include "server/service/expressions.h"
#include "server/service/services.h"

/*
 * What an ordinary request needs fits into the first chunk; a page of a thousand keys needs some megabytes. The most is a
 * part of a bulk revocation: of each of its 500 keys the record once or twice as it was selected and once as it was,
 * unpacked, which for a key that has the most of everything takes 30 KiB.
 */
#define ARENA_FIRST ((size_t)16 << 10)
#define ARENA_CAP   ((size_t)128 << 20)

#define TIMEOUT_DEFAULT_MS 5000
#define TIMEOUT_MAX_MS     60000

struct lk_dispatcher {
	struct lk_store *store;
	struct lk_issuers *issuers;
	struct lk_writer *writer;
	struct lk_background *background;
	struct lk_scanner *scanner;
	struct lk_refusals *refusals;
	/* By name. */
	struct lk_route *routes;
	size_t n_routes;
};

static int64_t clock_us(clockid_t clock)
{
	struct timespec now = {0};

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * LK_US_PER_SECOND + now.tv_nsec / 1000;
}

int64_t lk_job_clock_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

static int compare_routes(const void *a, const void *b)
{
	return strcmp(
		((const struct lk_route *)a)->server->method->name, ((const struct lk_route *)b)->server->method->name);
}

/* A table of all methods of all services, in order of name. */
static enum lk_err make_routes(struct lk_dispatcher *dispatcher)
{
	for (size_t i = 0; i < lk_n_services; i++) {
		dispatcher->n_routes += lk_services[i].service->n_methods;
	}
	dispatcher->routes = calloc(dispatcher->n_routes, sizeof *dispatcher->routes);
	if (dispatcher->routes == NULL) {
		return LK_NO_MEMORY;
	}
	struct lk_route *route = dispatcher->routes;
	for (size_t i = 0; i < lk_n_services; i++) {
		for (size_t j = 0; j < lk_services[i].service->n_methods; j++) {
			*route++ = (struct lk_route){&lk_services[i].service->methods[j], lk_services[i].handlers};
		}
	}
	qsort(dispatcher->routes, dispatcher->n_routes, sizeof *dispatcher->routes, compare_routes);
	return LK_OK;
}

static int compare_name(const void *key, const void *element)
{
	const struct lk_span *name = key;
	const char *method = ((const struct lk_route *)element)->server->method->name;
	size_t len = strlen(method);
	int order = memcmp(name->data, method, name->len < len ? name->len : len);

	return order != 0 ? order : (name->len > len) - (name->len < len);
}

static const struct lk_route *find_route(const struct lk_dispatcher *dispatcher, struct lk_span name)
{
	if (name.len == 0) {
		return NULL;
	}
	return bsearch(&name, dispatcher->routes, dispatcher->n_routes, sizeof *dispatcher->routes, compare_name);
}

/* Reads the envelope, and finds the method that it names. */
static enum lk_err route(struct lk_job *job)
{
	const struct lk_exchange *exchange = job->exchange;
	struct lk_request *request = &job->request;
	const char *fault = NULL;

	if (lk_envelope_scan_request(exchange->request, exchange->request_len, &job->envelope, &fault) != LK_OK) {
		return lk_request_fail(request, LK_INVALID_ARGUMENT, "not a latchkey.v1.Request: %s", fault);
	}
	struct lk_span name = job->envelope.method;
	job->route = find_route(job->dispatcher, name);
	if (job->route == NULL) {
		return lk_request_fail(request, LK_UNIMPLEMENTED,
			"no method \"%.*s\": name one as \"latchkey.v1.KeyService/Verify\"", (int)name.len,
			name.len == 0 ? "" : (const char *)name.data);
	}
	const struct lk_method *method = job->route->server->method;
	request->method = method->name;
	if (!method->large_request && exchange->request_len > LK_REQUEST_MAX) {
		return lk_request_fail(request, LK_INVALID_ARGUMENT, "the request has %zu bytes and may have %zu",
			exchange->request_len, LK_REQUEST_MAX);
	}
	uint32_t timeout_ms = job->envelope.timeout_ms == 0 ? TIMEOUT_DEFAULT_MS : job->envelope.timeout_ms;
	timeout_ms = timeout_ms > TIMEOUT_MAX_MS ? TIMEOUT_MAX_MS : timeout_ms;
	job->deadline_us = job->started_us + timeout_ms * LK_US_PER_MS;
	request->deadline_us = job->deadline_us;
	return LK_OK;
}

/* Sees who calls, whether that is allowed, and whether this state is new enough to answer. */
static enum lk_err admit(struct lk_job *job)
{
	struct lk_request *request = &job->request;

	enum lk_err err = lk_caller_identify(
		request, &job->exchange->peer, job->envelope.credential, job->dispatcher->issuers);
	if (err == LK_OK) {
		err = lk_caller_allow(request, job->route->server->method);
	}
	if (err == LK_OK && job->envelope.min_revision > lk_txn_head(request->txn)->revision) {
		err = lk_request_fail(request, LK_UNAVAILABLE, "this store has not reached the min_revision yet");
	}
	return err;
}

/* Checks the payload as it came, and only then lets protobuf-c have it. */
static enum lk_err unpack(struct lk_job *job)
{
	struct lk_span payload = job->envelope.payload;
	const struct lk_server_method *server = job->route->server;

	if (lk_effect_changes(server->method->effect)) {
		lk_job_read_request_id(job);
	}
	if (lk_wire_check(server->request, payload.data, payload.len, &job->request.faults) != LK_OK) {
		return lk_request_check(&job->request);
	}
	job->message = protobuf_c_message_unpack(
		server->method->request, &job->arena.allocator, payload.len, payload.data);
	if (job->message == NULL) {
		return lk_request_fail(&job->request, LK_RESOURCE_EXHAUSTED, "the request is too large to unpack");
	}
	return LK_OK;
}

ProtobufCMessage *lk_job_new_response(struct lk_job *job)
{
	const ProtobufCMessageDescriptor *descriptor = job->route->server->method->response;
	ProtobufCMessage *response = lk_arena_alloc(&job->arena, descriptor->sizeof_message);

	if (response != NULL) {
		descriptor->message_init(response);
	}
	return response;
}

/* Answers a read, or a scan, from the job's snapshot. */
static void answer(struct lk_job *job)
{
	const struct lk_server_method *server = job->route->server;

	job->response = lk_job_new_response(job);
	enum lk_err err = job->response == NULL
				  ? LK_NO_MEMORY
				  : server->answer(job->route->handlers, &job->request, job->message, job->response);
	if (err != LK_OK) {
		lk_answer_error(job, err, 0);
	} else {
		lk_answer_response(job, lk_txn_head(job->snapshot)->revision);
	}
}

/* On the scanner's thread. */
static void run_scan(struct lk_job *job)
{
	enum lk_err err = lk_job_clock_us() > job->deadline_us ? LK_DEADLINE_EXCEEDED
							       : lk_snapshot_begin(job->snapshot);
	uint64_t revision = 0;

	if (err == LK_OK) {
		err = lk_caller_check_again(&job->request, &revision);
	}
	if (err != LK_OK) {
		lk_answer_error(job, err, 0);
	} else if (job->route->server->method->effect == LK_EFFECT_BULK) {
		lk_job_write(job, job->dispatcher->writer);
	} else {
		answer(job);
	}
}

static void scan(struct lk_job *job)
{
	enum lk_err err = LK_RESOURCE_EXHAUSTED;

	/* Whatever waits pins nothing. */
	lk_snapshot_end(job->snapshot);
	if (job->exchange->ops->park(job->exchange, false)) {
		err = lk_scanner_submit(job->dispatcher->scanner, job);
	}
	if (err != LK_OK) {
		lk_answer_not_taken(job, err, "long reads");
	}
}

static void run(struct lk_job *job)
{
	switch (job->route->server->method->effect) {
	case LK_EFFECT_READ:
		answer(job);
		break;
	case LK_EFFECT_SCAN:
	case LK_EFFECT_BULK:
		scan(job);
		break;
	case LK_EFFECT_WRITE:
		lk_job_write(job, job->dispatcher->writer);
		break;
	}
}

static void handle(void *context, struct lk_exchange *exchange)
{
	struct lk_dispatcher *dispatcher = context;
	struct lk_job *job = exchange->state;

	job->started_us = lk_job_clock_us();
	job->route = NULL;
	job->request = (struct lk_request){
		.arena = &job->arena,
		.store = dispatcher->store,
		.expressions = job->expressions,
		.txn = job->snapshot,
		.now_us = clock_us(CLOCK_REALTIME),
		.method = "",
	};
	lk_faults_init(&job->request.faults, &job->arena);
	if (!exchange->accepting) {
		lk_answer_not_taken(job, LK_UNAVAILABLE, "requests");
		return;
	}
	enum lk_err err = route(job);
	if (err == LK_OK) {
		err = lk_snapshot_begin(job->snapshot);
	}
	if (err == LK_OK) {
		err = admit(job);
	}
	if (err == LK_OK) {
		err = unpack(job);
	}
	if (err != LK_OK) {
		lk_answer_error(job, err, 0);
		return;
	}
	run(job);
}

static void close_exchange(void *context, struct lk_exchange *exchange)
{
	struct lk_job *job = exchange->state;

	(void)context;
	if (job != NULL) {
		lk_expressions_free(job->expressions);
		lk_snapshot_free(job->snapshot);
		lk_arena_done(&job->arena);
		free(job);
		exchange->state = NULL;
	}
}

static enum lk_err open_exchange(void *context, struct lk_exchange *exchange)
{
	struct lk_dispatcher *dispatcher = context;
	struct lk_job *job = calloc(1, sizeof *job);

	if (job == NULL) {
		return LK_NO_MEMORY;
	}
	job->dispatcher = dispatcher;
	job->refusals = dispatcher->refusals;
	job->exchange = exchange;
	exchange->state = job;
	enum lk_err err = lk_arena_init(&job->arena, ARENA_FIRST, ARENA_CAP);
	if (err == LK_OK) {
		err = lk_snapshot_new(dispatcher->store, &job->snapshot);
	}
	if (err == LK_OK) {
		err = lk_expressions_new(&job->expressions);
	}
	if (err != LK_OK) {
		close_exchange(context, exchange);
	}
	return err;
}

struct lk_rpc_handler lk_dispatcher_handler(struct lk_dispatcher *dispatcher)
{
	return (struct lk_rpc_handler){
		.open = open_exchange,
		.close = close_exchange,
		.handle = handle,
		.context = dispatcher,
	};
}

enum lk_err lk_dispatcher_new(const struct lk_dispatcher_options *options, struct lk_dispatcher **ret_dispatcher)
{
	struct lk_dispatcher *dispatcher = calloc(1, sizeof *dispatcher);

	if (dispatcher == NULL) {
		return LK_NO_MEMORY;
	}
	dispatcher->store = options->store;
	dispatcher->issuers = options->issuers;
	enum lk_err err = make_routes(dispatcher);
	if (err == LK_OK) {
		err = lk_refusals_new(&dispatcher->refusals);
	}
	if (err == LK_OK) {
		err = lk_writer_start(options->store, options->write_queue, &dispatcher->writer);
	}
	if (err == LK_OK) {
		err = lk_background_start(
			options->store, dispatcher->writer, dispatcher->refusals, &dispatcher->background);
	}
	if (err == LK_OK) {
		err = lk_scanner_start(options->scan_queue, run_scan, &dispatcher->scanner);
	}
	if (err != LK_OK) {
		lk_dispatcher_free(dispatcher);
		return err;
	}
	*ret_dispatcher = dispatcher;
	return LK_OK;
}

void lk_dispatcher_stop(struct lk_dispatcher *dispatcher)
{
	lk_scanner_stop(dispatcher->scanner);
	dispatcher->scanner = NULL;
	lk_background_stop(dispatcher->background);
	dispatcher->background = NULL;
	lk_writer_stop(dispatcher->writer);
	dispatcher->writer = NULL;
}

void lk_dispatcher_free(struct lk_dispatcher *dispatcher)
{
	if (dispatcher == NULL) {
		return;
	}
	lk_dispatcher_stop(dispatcher);
	lk_refusals_free(dispatcher->refusals);
	free(dispatcher->routes);
	free(dispatcher);
}

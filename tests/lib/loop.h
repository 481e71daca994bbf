/*
 * A daemon without sockets: a real store in a fresh directory, the real dispatcher, and a transport that is a function call.
 * For tests of what the services answer; each call blocks until it is answered.
 */
#ifndef LK_TESTS_LIB_LOOP_H
#define LK_TESTS_LIB_LOOP_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <latchkey/error.h>
#include <latchkey/method.h>

struct lk_store;

struct loop {
	char dir[64];
	struct lk_store *store;
	struct lk_dispatcher *dispatcher;
};

/* How a call is made; all zero: by the operator, without a request_id. */
struct loop_call {
	/* A root key, or NULL. */
	const char *credential;
	/* Nobody's connection: no uid. */
	bool anonymous;
	/* 16 bytes, or NULL. */
	const uint8_t *request_id;
	uint64_t min_revision;
	uint32_t timeout_ms;
	/* The transport has no spare exchange left: nothing can be parked. */
	bool no_spare;
	/* The daemon is going down. */
	bool stopping;
};

/* What was answered. Freed with loop_answer_done(). */
struct loop_answer {
	uint32_t code;
	char *message;
	/* "field: description" of each violation, a line each. */
	char *violations;
	uint64_t revision;
	uint32_t retry_after_ms;
	/* Of code 0: the response of the method's type. */
	ProtobufCMessage *response;
	/* The payload as it came. */
	uint8_t *payload;
	size_t payload_len;
};

/* Fails the test where it cannot. */
void loop_start(struct loop *loop);
/* Closes store and dispatcher, and opens them again on the same directory. */
void loop_restart(struct loop *loop);
/* Closes, and removes the directory. */
void loop_stop(struct loop *loop);

/* Calls `method` with `request`. */
struct loop_answer loop_call(struct loop *loop, const struct loop_call *how, const struct lk_method *method,
	const ProtobufCMessage *request);
/* Sends these bytes as an envelope. `method` is whose response is unpacked, or NULL. */
struct loop_answer loop_send(struct loop *loop, const struct loop_call *how, const struct lk_method *method,
	const uint8_t *envelope, size_t len);
void loop_answer_done(struct loop_answer *answer);

/* A call whose answer is yet to be waited for: the request is read, and a write waits for the writer. */
struct loop_pending;
struct loop_pending *loop_begin(struct loop *loop, const struct loop_call *how, const struct lk_method *method,
	const ProtobufCMessage *request);
/* Waits for the answer, and frees the call. */
struct loop_answer loop_end(struct loop_pending *pending);

#endif

/*
 * Calls: whole envelopes with the payload of one method, as messages of their own, so that a tool with no code of ours can
 * encode a request and decode an answer. A bytes field and a message field encode alike, so the envelope is the same on the wire.
 *
 * The envelope is the package's own: messages Request and Response, each with a field `bytes payload`.
 */
#ifndef LK_GENERATOR_CALLS_H
#define LK_GENERATOR_CALLS_H

#include "tools/protoc-gen-latchkey/model.h"

/* The field of the envelope that holds the method's own message. */
#define LK_CALLS_PAYLOAD "payload"

/* The package's envelope; all NULL where it has none, and there is nothing to emit. */
struct lk_calls_envelope {
	const struct lk_proto_message *request;
	const struct lk_proto_message *response;
};

struct lk_calls_envelope lk_calls_envelope_of(const struct lk_model *model);

/* "KeyServiceVerifyCall", "KeyServiceVerifyReply" */
const char *lk_calls_request_name(struct lk_pool *pool, const struct lk_proto_method *method);
const char *lk_calls_response_name(struct lk_pool *pool, const struct lk_proto_method *method);

#endif

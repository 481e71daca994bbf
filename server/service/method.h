/*
 * What the generator tells the server of each method: its name and rights, how its request must look on the wire, and the
 * typed handlers that do it. A service fills in a struct of handlers (latchkey/v1/key.server.h and its neighbours); a handler
 * that is NULL answers UNIMPLEMENTED.
 */
#ifndef LK_SERVER_SERVICE_METHOD_H
#define LK_SERVER_SERVICE_METHOD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <latchkey/error.h>
#include <latchkey/method.h>

#include "latchkey/store/change.pb-c.h"

struct lk_request;

struct lk_wire_message;

/* The limits of one field; in the order of the message descriptor's own fields. */
struct lk_wire_field {
	/* Characters of a string, bytes of a bytes field, of one entry where it is repeated; 0: no limit of its own. */
	uint32_t max_length;
	/* Entries of a repeated field; 0: LK_WIRE_ITEMS_MAX. */
	uint32_t max_items;
	/* A map: no key may be given twice. */
	bool is_map;
	/* Of a message field: the limits in it are the service's to check, and only how it is made is checked before. */
	bool apart;
	/* Of a message field: the rules of its message. */
	const struct lk_wire_message *message;
};

#define LK_WIRE_ITEMS_MAX 1024
/* The same in a message that is `apart`: more than any such list may have, and few enough for a thousand messages. */
#define LK_WIRE_APART_ITEMS_MAX 64

/* How a message must look on the wire, beside what its descriptor says. */
struct lk_wire_message {
	const ProtobufCMessageDescriptor *descriptor;
	/* descriptor->n_fields of them; NULL where there are none. */
	const struct lk_wire_field *fields;
};

/*
 * The trampolines cast to the types that the handlers have. Exactly one of `answer` and `build` is set: `answer` for reads and
 * scans, `build` with `reply` for writes.
 *
 * answer: fills in `response`, in the request's arena.
 * build:  checks the request against the snapshot, fills in `change`, and as much of `response` as is known before. It may
 *         run again, on newer data: it keeps nothing from an earlier run, but what request->kept is for.
 * reply:  completes `response` from the change as it was applied, its numbers and revision assigned. It cannot fail.
 */
struct lk_server_method {
	const struct lk_method *method;
	const struct lk_wire_message *request;
	enum lk_err (*answer)(const void *handlers, struct lk_request *request, const ProtobufCMessage *message,
		ProtobufCMessage *response);
	enum lk_err (*build)(const void *handlers, struct lk_request *request, const ProtobufCMessage *message,
		Latchkey__Store__Change *change, ProtobufCMessage *response);
	void (*reply)(const void *handlers, struct lk_request *request, const ProtobufCMessage *message,
		const Latchkey__Store__Change *change, ProtobufCMessage *response);
};

struct lk_server_service {
	/* "latchkey.v1.KeyService" */
	const char *name;
	const struct lk_server_method *methods;
	size_t n_methods;
};

#endif

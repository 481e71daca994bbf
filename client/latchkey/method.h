/*
 * A method of the API, as the runtime needs to know it. The generator emits one constant a method; nothing else makes them.
 */
#ifndef LATCHKEY_METHOD_H
#define LATCHKEY_METHOD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>

/* What a call does to the store: latchkey.v1.Effect. */
enum lk_effect {
	LK_EFFECT_READ = 1,
	LK_EFFECT_WRITE = 2,
	LK_EFFECT_SCAN = 3,
	LK_EFFECT_BULK = 4,
};

/* Whether a call changes the store, and is retried only under its request_id. */
static inline bool lk_effect_changes(enum lk_effect effect)
{
	return effect == LK_EFFECT_WRITE || effect == LK_EFFECT_BULK;
}

/* The most bytes of a request's envelope, by size class, and of a reply. */
#define LK_REQUEST_MAX       ((size_t)64 << 10)
#define LK_LARGE_REQUEST_MAX ((size_t)1 << 20)
#define LK_REPLY_MAX         ((size_t)1 << 20)

struct lk_method {
	/* "latchkey.v1.KeyService/Verify" */
	const char *name;
	/* "keys.verify"; "public" or "caller" */
	const char *access;
	const ProtobufCMessageDescriptor *request;
	const ProtobufCMessageDescriptor *response;
	enum lk_effect effect;
	bool large_request;
	/* A caller that is granted own_only may call it. */
	bool own;
};

#endif
